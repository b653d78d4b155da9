//! Looks at the project that `init` sets up: the package, who manages it, its workspace and repository. Reads, and starts nothing.

use std::path::Path;

use walkdir::WalkDir;

use crate::files;
use crate::outcome::{Exit, Verdict};
use crate::project::package::{Manager, Project};
use crate::project::package_json::PackageJson;

/// The lock files, and whose they are.
const LOCKS: [(&str, &str); 6] = [
    ("package-lock.json", "npm"),
    ("npm-shrinkwrap.json", "npm"),
    ("pnpm-lock.yaml", "pnpm"),
    ("yarn.lock", "yarn"),
    ("bun.lock", "bun"),
    ("bun.lockb", "bun"),
];

/// Looks at the project in a folder.
///
/// # Errors
/// With the verdict, where there is no package.json that can be read, or where nobody can say whose lock file counts.
pub fn look(cwd: &Path) -> Result<Project, Verdict> {
    let package_path = cwd.join("package.json");
    let package = match files::text_if_there(&package_path, files::SETTINGS) {
        Ok(Some(text)) => text,
        Ok(None) => return Err(no_package(cwd)),
        Err(error) => {
            return Err(Verdict::nothing(Exit::Config, format!("reading {}: {error}", package_path.display())));
        }
    };
    let json = read(&package_path, &package)?;
    let git_root = cwd.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned);
    let within = |folder: &&Path| git_root.as_ref().is_none_or(|root| folder.starts_with(root));
    let above: Vec<&Path> = cwd.ancestors().take_while(within).collect();
    let workspace = above.iter().skip(1).find(|folder| is_workspace(folder)).map(|folder| (*folder).to_owned());
    // What lies above a workspace's root belongs to somebody else.
    let own: Vec<&Path> = match &workspace {
        Some(workspace) => above.iter().copied().take_while(|folder| folder.starts_with(workspace)).collect(),
        None => vec![cwd],
    };
    let (manager, managed_by, has_lock) = managed(&own, &json)?;
    let root = git_root.clone().or_else(|| workspace.clone()).unwrap_or_else(|| cwd.to_owned());
    Ok(Project { package_path, package, manager, managed_by, has_lock, workspace, root, in_git: git_root.is_some() })
}

/// Returns who manages the project of a folder, as far as that can be told.
pub fn manager(cwd: &Path) -> Manager {
    let found =
        cwd.ancestors().find(|folder| folder.join("package.json").is_file()).and_then(|folder| look(folder).ok());
    found.map_or(Manager::Npm, |project| project.manager)
}

/// Reads a package.json.
///
/// # Errors
/// With the verdict, which names line and column.
pub fn read<'a>(path: &Path, text: &'a str) -> Result<PackageJson<'a>, Verdict> {
    PackageJson::read(text).map_err(|broken| {
        Verdict::nothing(Exit::Config, format!("{}:{broken}", path.display()))
            .hint("correct it first: npm cannot read it either")
    })
}

fn no_package(cwd: &Path) -> Verdict {
    let verdict = Verdict::nothing(Exit::Config, format!("there is no package.json in {}", cwd.display()));
    match cwd.ancestors().skip(1).find(|folder| folder.join("package.json").is_file()) {
        Some(folder) => {
            verdict.hint(format!("did you mean the package above? drizzle-pilot init --cwd {}", folder.display()))
        }
        None => verdict.hint("specify the project with --cwd, or create one: npm init -y"),
    }
}

/// Tells whether a folder is the root of a workspace.
pub fn is_workspace(folder: &Path) -> bool {
    if folder.join("pnpm-workspace.yaml").is_file() {
        return true;
    }
    let text = files::text(&folder.join("package.json"), files::SETTINGS).unwrap_or_default();
    PackageJson::read(&text).is_ok_and(|package| package.has_workspaces())
}

/// Says who manages the package: `packageManager` of the package or of one above, else the nearest lock file, else whoever
/// started us, else npm.
fn managed(folders: &[&Path], package: &PackageJson<'_>) -> Result<(Manager, String, bool), Verdict> {
    let locks = |folder: &Path| LOCKS.iter().filter(|(file, _)| folder.join(file).is_file()).collect::<Vec<_>>();
    let nearest = folders.iter().map(|folder| locks(folder)).find(|locks| !locks.is_empty()).unwrap_or_default();
    let is_classic = !folders.iter().any(|folder| folder.join(".yarnrc.yml").is_file());
    let named = |name: &str, version: &str| match name {
        "npm" => Some(Manager::Npm),
        "pnpm" => Some(Manager::Pnpm { is_pinned: !version.is_empty() }),
        "yarn" if version.is_empty() => Some(Manager::Yarn { is_classic }),
        "yarn" => Some(Manager::Yarn { is_classic: version.starts_with("1.") }),
        "bun" => Some(Manager::Bun),
        _ => None,
    };
    let above = folders.iter().skip(1).find_map(|folder| {
        let text = files::text(&folder.join("package.json"), files::SETTINGS).ok()?;
        PackageJson::read(&text).ok()?.package_manager()
    });
    if let Some(said) = package.package_manager().or(above) {
        let (name, version) = said.split_once('@').unwrap_or((&said, ""));
        if let Some(manager) = named(name, version) {
            let has_lock = nearest.iter().any(|(_, whose)| *whose == name);
            return Ok((manager, format!("packageManager is {said}"), has_lock));
        }
    }
    if let Some((file, whose)) = nearest.first() {
        if let Some((other, _)) = nearest.iter().find(|(_, other)| other != whose) {
            return Err(Verdict::nothing(
                Exit::Config,
                format!("there are {file} and {other}: the package manager is unclear"),
            )
            .hint(
                "remove the one that is not used, or set it in package.json, as in \"packageManager\": \"pnpm@10.0.0\"",
            ));
        }
        let manager = named(whose, "").expect("the table has known managers alone");
        return Ok((manager, (*file).to_owned(), true));
    }
    if folders.iter().any(|folder| folder.join("pnpm-workspace.yaml").is_file()) {
        return Ok((Manager::Pnpm { is_pinned: false }, "pnpm-workspace.yaml".to_owned(), false));
    }
    let agent = std::env::var("npm_config_user_agent").unwrap_or_default();
    let agent = agent.split('/').next().unwrap_or_default();
    if let Some(manager) = named(agent, "") {
        return Ok((manager, "it started this command".to_owned(), false));
    }
    Ok((Manager::Npm, "there is no lock file".to_owned(), false))
}

/// Returns the drizzle configs of a folder: files called `drizzle.config.ts`, `drizzle-auth.config.ts`, `drizzle.config.dev.ts`.
pub fn configs(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter(|entry| !entry.path().is_dir());
    let mut names: Vec<String> =
        names.map(|entry| entry.file_name().to_string_lossy().into_owned()).filter(|name| is_config(name)).collect();
    names.sort();
    names
}

fn is_config(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let mut parts = stem.split('.');
    ["ts", "js", "json", "mjs", "mts", "cjs", "cts"].contains(&extension)
        && parts.next().is_some_and(|first| first == "drizzle" || first.starts_with("drizzle-"))
        && parts.any(|part| part == "config")
}

/// Returns the folders of packages below that have a drizzle config, seen from the folder.
pub fn packages_with_config(folder: &Path) -> Vec<String> {
    let walk = WalkDir::new(folder).min_depth(1).max_depth(3).into_iter();
    let folders = walk.filter_entry(|entry| {
        let name = entry.file_name().to_string_lossy();
        entry.file_type().is_dir() && name != "node_modules" && !name.starts_with('.')
    });
    let mut found: Vec<String> = folders
        .flatten()
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.join("package.json").is_file() && !configs(path).is_empty())
        .filter_map(|path| path.strip_prefix(folder).ok().map(|below| below.display().to_string()))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what is found in `app` below a root with these files.
    #[track_caller]
    fn check(files: &[(&str, &str)], cwd: &str, expected: &str) {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        std::fs::create_dir(folder.path().join(".git")).expect("the folder is ours");
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("the folder is ours");
            std::fs::write(path, text).expect("the folder is ours");
        }
        let found = match look(&folder.path().join(cwd)) {
            Ok(Project { manager, managed_by, has_lock, workspace, .. }) => {
                let lock = if has_lock { "" } else { ", no lock" };
                let workspace = if workspace.is_some() { ", workspace" } else { "" };
                format!("{} ({managed_by}){lock}{workspace}", manager.name())
            }
            Err(verdict) => verdict.summary.replace(&folder.path().display().to_string(), "."),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn who_manages_a_package_is_said_by_it_or_by_its_workspace() {
        let package = ("package.json", "{}");
        check(&[package, ("package-lock.json", "")], "", "npm (package-lock.json)");
        check(&[package, ("yarn.lock", "")], "", "yarn (yarn.lock)");
        check(&[package, ("bun.lock", "")], "", "bun (bun.lock)");
        let says = ("package.json", r#"{ "packageManager": "pnpm@10.1.0" }"#);
        check(&[says, ("yarn.lock", "")], "", "pnpm (packageManager is pnpm@10.1.0), no lock");
        let two = [package, ("package-lock.json", ""), ("pnpm-lock.yaml", "")];
        check(&two, "", "there are package-lock.json and pnpm-lock.yaml: the package manager is unclear");
        let app = ("packages/app/package.json", "{}");
        let workspace = [package, app, ("pnpm-workspace.yaml", ""), ("pnpm-lock.yaml", "")];
        check(&workspace, "packages/app", "pnpm (pnpm-lock.yaml), workspace");
        check(&[], "", "there is no package.json in ./");
        check(&[("package.json", "{,}")], "", "./package.json:1:2: key must be a string");
    }

    #[test]
    fn the_configs_of_a_folder_are_known_by_their_names() {
        for name in ["drizzle.config.ts", "drizzle-auth.config.ts", "drizzle.config.dev.mjs", "drizzle.dev.config.json"]
        {
            assert!(is_config(name), "{name}");
        }
        for name in ["vite.config.ts", "drizzle.ts", "drizzle.config.md", "config.ts", "mydrizzle.config.ts"] {
            assert!(!is_config(name), "{name}");
        }
    }
}
