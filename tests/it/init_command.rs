//! `init` in projects as people have them: what it writes, what it leaves, and that a second run changes nothing.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Project, Ran, UNCHANGED};

const PACKAGE: &str =
    "{\n\t\"name\": \"app\",\n\t\"scripts\": {\n\t\t\"test\": \"exit 1\"\n\t},\n\t\"license\": \"ISC\"\n}\n";

/// Makes a project with these files, in a repository of git.
fn project(files: &[(&str, &str)]) -> Project {
    let project = Project::bare();
    project.write(".git/HEAD", "ref: refs/heads/main\n");
    for (name, text) in files {
        project.write(name, text);
    }
    project
}

#[track_caller]
fn init(project: &Project, args: &[&str], code: i32, says: &[&str]) -> Ran {
    let closing = (!matches!(code, 0 | 2)).then_some(UNCHANGED);
    project.pilot(&["init"]).args(args).run().ends(code, closing).says(says)
}

/// Returns every file with its content and mode.
fn everything(project: &Project) -> BTreeMap<PathBuf, (Vec<u8>, u32)> {
    let files = walkdir::WalkDir::new(project.path("")).into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let mode = entry.metadata().expect("it is there").permissions().mode();
            (entry.path().to_owned(), (std::fs::read(entry.path()).expect("it is ours"), mode))
        })
        .collect()
}

#[test]
fn scripts_and_a_policy_are_written_once() {
    let project = project(&[("package.json", PACKAGE), ("pnpm-lock.yaml", "")]);
    let before = everything(&project);
    let shown = [
        "+\t\t\"db:push\": \"drizzle-pilot push\",",
        "--- /dev/null",
        "+++ drizzle-pilot.toml",
        "pnpm (pnpm-lock.yaml)",
    ];
    init(&project, &["--dry-run"], 2, &shown).says(&["package.json would be written"]);
    init(&project, &[], 64, &["there is no terminal to ask on", "--yes"]);
    assert_eq!(everything(&project), before);

    init(&project, &["--yes"], 0, &["wrote drizzle-pilot.toml, package.json", "pnpm add --save-dev drizzle-pilot"]);
    let scripts = "\t\"scripts\": {
\t\t\"test\": \"exit 1\",
\t\t\"db:push\": \"drizzle-pilot push\",
\t\t\"db:push:force\": \"drizzle-pilot push --accept-data-loss\",
\t\t\"db:push:force:verbose\": \"drizzle-pilot push --accept-data-loss --verbose\",
\t\t\"db:generate\": \"drizzle-pilot generate\",
\t\t\"db:migrate\": \"drizzle-pilot migrate\",
\t\t\"db:check\": \"drizzle-pilot check\",
\t\t\"db:status\": \"drizzle-pilot status\",
\t\t\"db:reset\": \"drizzle-pilot reset --then push\",
\t\t\"db:sync\": \"drizzle-pilot sync\"
\t},\n";
    assert_eq!(
        project.read("package.json"),
        PACKAGE.replace("\t\"scripts\": {\n\t\t\"test\": \"exit 1\"\n\t},\n", scripts)
    );
    let after = everything(&project);
    // A new file is as readable as the umask lets it be, like one that an editor makes.
    assert_eq!(after[&project.path("drizzle-pilot.toml")].1, after[&project.path("package.json")].1);
    init(&project, &[], 0, &["there is nothing to write"]);
    init(&project, &["--yes", "--dry-run"], 64, &["cannot be used with"]);
    assert_eq!(everything(&project), after);
}

#[test]
fn what_is_there_stays_as_it_is() {
    let own = "{ \"scripts\": { \"db:push\": \"drizzle-kit push\" } }";
    let policy = "version = 1\n";
    let project = project(&[
        ("package.json", "{}"),
        ("pnpm-workspace.yaml", ""),
        ("drizzle-pilot.toml", policy),
        (".gitlab-ci.yml", "test: { script: [make] }\n"),
        ("docker-compose.yml", "services: {}\n"),
        (".husky/pre-commit", "npm test\n"),
        ("packages/db/package.json", own),
        ("packages/db/drizzle.config.ts", ""),
        ("packages/db/drizzle/meta/_journal.json", ""),
    ]);
    let db = ["--cwd", "packages/db", "--yes", "--hook", "--compose", "--ci"];
    init(
        &project,
        &[&db[..], &["gitlab"]].concat(),
        0,
        &[
            "script db:push: kept (drizzle-kit push); init would write: drizzle-pilot push",
            "note: ../../drizzle-pilot.toml: it is the policy of this package as well",
            "    include:\n      - local: .gitlab/drizzle-pilot-packages-db.gitlab-ci.yml",
            "  migrate:\n",
            ".husky/pre-commit: it is not changed",
            "if [ -e packages/db/drizzle/meta/_journal.json ]; then (cd packages/db && pnpm exec drizzle-pilot check",
        ],
    );
    let kept = ["drizzle-pilot.toml", ".gitlab-ci.yml", "docker-compose.yml", ".husky/pre-commit"];
    let kept: Vec<String> = kept.into_iter().map(|file| project.read(file)).collect();
    assert_eq!(kept, [policy, "test: { script: [make] }\n", "services: {}\n", "npm test\n"]);
    assert!(!project.path("packages/db/drizzle-pilot.toml").exists());
    let package = project.read("packages/db/package.json");
    assert!(
        package.starts_with("{ \"scripts\": { \"db:push\": \"drizzle-kit push\", \"db:push:force\": "),
        "{package}"
    );
    let after = everything(&project);
    init(&project, &[&db[..], &["gitlab"]].concat(), 0, &["there is nothing to write"]);
    assert_eq!(everything(&project), after);
}

#[test]
fn a_workflow_a_hook_and_a_compose_file_are_written_where_there_are_none() {
    let project = project(&[("package.json", PACKAGE), ("drizzle.config.ts", "")]);
    let git = Command::new("git").args(["init", "-q"]).current_dir(project.path("")).status();
    assert!(git.expect("git is installed").success());
    let all = ["--yes", "--hook", "--compose", "--ci", "github"];
    init(&project, &all, 0, &["wrote "]);
    let hook = project.path(".git/hooks/pre-commit");
    assert_eq!(hook.metadata().expect("it was written").permissions().mode() & 0o111, 0o111);
    let ran = Command::new(&hook).current_dir(project.path("")).status().expect("it can be executed");
    assert!(ran.success(), "there are no migrations to look at");
    assert!(
        project
            .read(".github/workflows/drizzle-pilot.yml")
            .contains("run: npx --no-install drizzle-pilot push --report")
    );
    assert!(project.read("compose.yaml").contains("command: npx --no-install drizzle-pilot push\n"));
    let after = everything(&project);
    init(&project, &all, 0, &["there is nothing to write"]);
    assert_eq!(everything(&project), after);
}

#[test]
fn what_stands_in_the_way_is_said_and_nothing_is_written() {
    let check = |files: &[(&str, &str)], args: &[&str], code: i32, says: &[&str]| {
        let project = project(files);
        let before = everything(&project);
        init(&project, args, code, says);
        assert_eq!(everything(&project), before);
    };
    let package = ("package.json", PACKAGE);
    check(&[], &["--yes"], 78, &["there is no package.json in ", "npm init -y"]);
    check(&[package, ("a/b", "")], &["--yes", "--cwd", "a"], 78, &["did you mean the package above?"]);
    check(&[("package.json", "{\n  \"name\": \"a\",\n}\n")], &["--yes"], 78, &["package.json:3:1: trailing comma"]);
    let two = [package, ("drizzle.config.ts", ""), ("drizzle-auth.config.ts", "")];
    let several = "there are several drizzle configs: drizzle-auth.config.ts, drizzle.config.ts";
    check(&two, &["--yes"], 78, &[several, "init --config drizzle-auth.config.ts"]);
    let workspace = [
        ("package.json", "{\"workspaces\":[\"packages/*\"]}"),
        ("packages/a/package.json", "{}"),
        ("packages/a/drizzle.config.ts", ""),
    ];
    check(&workspace, &["--yes"], 78, &["drizzle's config is in packages/a", "init --cwd packages/a"]);
    check(&[package, ("yarn.lock", ""), ("bun.lock", "")], &["--yes"], 78, &["the package manager is unclear"]);
    check(&[package], &["--yes", "--config", "db.config.ts"], 78, &["db.config.ts does not exist"]);
}

#[test]
fn a_config_that_needs_a_name_gets_it_in_every_script() {
    let project = project(&[("package.json", "{}"), ("drizzle.config.ts", ""), ("drizzle-auth.config.ts", "")]);
    let args = ["--yes", "--config", "drizzle-auth.config.ts"];
    init(&project, &args, 0, &["wrote"]);
    let package = project.read("package.json");
    assert_eq!(package.matches("--config drizzle-auth.config.ts\"").count(), 9, "{package}");
    init(&project, &args, 0, &["there is nothing to write"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_said_before_anything_is() {
    // Nobody may write where a file stands in place of the folder, root neither.
    let project = project(&[("package.json", PACKAGE), (".github", "a file")]);
    let before = everything(&project);
    init(
        &project,
        &["--yes", "--ci", "github"],
        1,
        &["writing .github/workflows/drizzle-pilot.yml", "nothing was written"],
    );
    assert_eq!(everything(&project), before);
}

#[test]
fn for_programs_it_is_json() {
    let project = project(&[("package.json", PACKAGE)]);
    let ran = init(&project, &["--format", "json", "--dry-run"], 2, &[]);
    let document: serde_json::Value = serde_json::from_str(&ran.stdout).expect("it is JSON");
    assert_eq!((&document["schema"], &document["command"], &document["code"]), (&1.into(), &"init".into(), &2.into()));
    let files = document["init"]["files"].as_array().expect("a list");
    let paths: Vec<&str> = files.iter().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!(paths, ["drizzle-pilot.toml", "package.json"]);
    assert!(files.iter().all(|file| file["written"] == false));
}

#[test]
fn a_link_stays_a_link() {
    let project = project(&[("real/package.json", PACKAGE)]);
    std::os::unix::fs::symlink(Path::new("real/package.json"), project.path("package.json"))
        .expect("the folder is ours");
    init(&project, &["--yes"], 0, &["wrote"]);
    assert!(project.path("package.json").is_symlink());
    assert!(project.read("real/package.json").contains("db:push"));
}
