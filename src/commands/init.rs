//! `init`: look at the project, show what would be written, ask, write all of it or nothing.

pub mod templates;

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use similar::TextDiff;
use tempfile::NamedTempFile;

use self::templates::Setting;
use crate::cli::{Ci, InitArgs, Shared};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::commands::policy::STARTER;
use crate::files::{self, ReadError};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::View;
use crate::output::report::answer::{Fact, File, Init, Note};
use crate::output::{delivery, question};
use crate::policy;
use crate::policy::model::FILE_NAME;
use crate::project::config::{self, Drizzle};
use crate::project::package::Project;
use crate::project::package_json::PackageJson;
use crate::project::{engines, guard, kit, root, survey};
use crate::term::paint::{Paint, Painted};

/// The names of Compose files, in the order in which Compose looks for them.
const COMPOSE_FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// A file before and after.
#[derive(Debug)]
struct Change {
    path: PathBuf,
    /// None: there is none.
    before: Option<String>,
    after: String,
    is_program: bool,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &InitArgs, console: &mut Console) -> Exit {
    delivery::run(shared, CommandName::Init, View::Answered, console, |clock, console, record| {
        let document = record.answer.init.insert(Init::default());
        let verdict = attempt(shared, args, clock, console, document)?;
        if shared.shows_text() {
            console.result(&closing(document, &verdict));
        }
        Ok(verdict)
    })
}

/// Returns what is said at the end of a run that did not fail.
fn closing(document: &Init, verdict: &Verdict) -> String {
    let notes = document.notes.iter().map(|Note { about, says, lines }| {
        let lines = lines.iter().flat_map(|lines| lines.lines()).map(|line| format!("    {line}\n"));
        format!("note: {about}: {says}\n{}", lines.collect::<String>())
    });
    let hint = verdict.hint.iter().map(|hint| format!("next: {hint}\n"));
    notes.chain([format!("init: {}\n", verdict.summary)]).chain(hint).collect()
}

fn attempt(
    shared: &Shared,
    args: &InitArgs,
    clock: &Clock,
    console: &mut Console,
    document: &mut Init,
) -> Result<Verdict, Verdict> {
    let cwd = root::find(shared)?;
    let project = survey::look(&cwd)?;
    let package = survey::read(&project.package_path, &project.package)?;
    let config = config(shared, &cwd, &project)?;
    let drizzle = drizzle(shared, &cwd, &project, config.is_some(), document, console);
    document.found = facts(&cwd, &project, config.as_deref(), drizzle.as_ref(), document);
    if !package.depends_on("drizzle-pilot") {
        let add = project.manager.add_dev("drizzle-pilot");
        document.notes.push(Note::new("drizzle-pilot", format!("the scripts need it in package.json: {add}")));
    }
    if shared.shows_text() {
        let wide = document.found.iter().map(|fact| fact.name.len()).max().unwrap_or_default();
        let facts = document.found.iter().map(|Fact { name, found }| format!("{name:wide$}  {found}\n"));
        console.result(&facts.collect::<String>());
    }

    let setting = setting(shared, &cwd, &project, drizzle.as_ref())?;
    let mut changes = vec![policy_file(shared, &cwd, document)?, scripts(&project, &package, &setting, document)];
    if let Some(ci) = args.ci {
        needs_postgres("--ci", drizzle.as_ref())?;
        changes.extend(workflow(ci, &project, &setting, document)?);
    }
    if args.hook {
        changes.push(hook(&project, &setting, document)?);
    }
    if args.compose {
        needs_postgres("--compose", drizzle.as_ref())?;
        changes.push(compose(&project, &setting, document)?);
    }
    let changes: Vec<Change> = changes.into_iter().flatten().collect();
    if changes.is_empty() {
        return Ok(Verdict::nothing(Exit::Ok, "there is nothing to write: everything is set up already"));
    }
    document.files = changes.iter().map(|change| file(change, &cwd)).collect();
    if shared.shows_text() {
        for file in &document.files {
            console.show(&coloured(&file.diff));
        }
    }
    let names: Vec<&str> = document.files.iter().map(|file| file.path.as_str()).collect();
    let names = names.join(", ");
    if args.dry_run {
        return Ok(Verdict::nothing(Exit::Changes, format!("{names} would be written")));
    }
    if !args.yes {
        if !question::can_ask(shared) {
            return Err(Verdict::nothing(
                Exit::Usage,
                format!("{names} would be written, but there is no terminal to ask on"),
            )
            .hint("use --yes to write, or --dry-run to only look"));
        }
        if !question::ask(&format!("Write {names}?"), clock, console)? {
            return Ok(Verdict::nothing(Exit::Changes, "nothing was written"));
        }
    }
    write(&changes, &mut document.files)?;
    let doctor = format!("{} drizzle-pilot doctor", project.manager.exec());
    let push = project.manager.run("db:push");
    Ok(Verdict::nothing(Exit::Ok, format!("wrote {names}"))
        .hint(format!("read {FILE_NAME}; `{doctor}` diagnoses the setup, `{push}` pushes the schema")))
}

/// Returns the name of drizzle's config that is meant; none where there is none yet.
fn config(shared: &Shared, cwd: &Path, project: &Project) -> Result<Option<String>, Verdict> {
    if let Some(named) = &shared.config {
        config::find(cwd, Some(named))?;
        return Ok(Some(named.display().to_string()));
    }
    let configs = survey::configs(cwd);
    match &configs[..] {
        [] => {}
        [config] => return Ok(Some(config.clone())),
        _ => {
            let summary = format!("there are several drizzle configs: {}", configs.join(", "));
            return Err(Verdict::nothing(Exit::Config, summary).hint(format!(
                "specify the one that the scripts are for, as in: drizzle-pilot init --config {}",
                configs[0]
            )));
        }
    }
    // Scripts at the root of a workspace would find no config, and nobody can say whose they are.
    let is_root = project.workspace.is_none() && survey::is_workspace(cwd);
    let packages = if is_root { survey::packages_with_config(cwd) } else { Vec::new() };
    match packages.first() {
        None => Ok(None),
        Some(first) => {
            let summary =
                format!("this is the root of a workspace, and drizzle's config is in {}", packages.join(", "));
            Err(Verdict::nothing(Exit::Config, summary).hint(format!(
                "run it for each package: drizzle-pilot init --cwd {}",
                from_here(shared, first).display()
            )))
        }
    }
}

/// Returns a folder below the project's as it is typed where the program was started.
fn from_here(shared: &Shared, folder: &str) -> PathBuf {
    shared.cwd.as_ref().map_or_else(|| PathBuf::from(folder), |cwd| cwd.join(folder))
}

/// Lets the project's own drizzle-kit load its config. Where that does not work, it is said and left.
fn drizzle(
    shared: &Shared,
    cwd: &Path,
    project: &Project,
    has_config: bool,
    document: &mut Init,
    console: &mut Console,
) -> Option<Drizzle> {
    if !has_config {
        let says = "there is none yet: push and generate need it (https://orm.drizzle.team/docs/get-started)";
        document.notes.push(Note::new("drizzle.config.ts", says));
    }
    if kit::locate(shared, cwd).is_err_and(|verdict| verdict.exit == Exit::NotFound) {
        let add = project.manager.add_dev("drizzle-kit");
        document.notes.push(Note::new("drizzle-kit", format!("it is not installed: {add}")));
        return None;
    }
    // `--config` may stand for one that drizzle-kit does not find by itself.
    let shared = Shared {
        config: shared.config.clone().or_else(|| survey::configs(cwd).pop().map(PathBuf::from)),
        ..shared.clone()
    };
    if !has_config {
        return None;
    }
    match config::load(&shared, cwd, console) {
        Ok(drizzle) => drizzle,
        Err(verdict) => {
            document.notes.push(Note::new("drizzle's config", format!("{}; assuming PostgreSQL", verdict.summary)));
            None
        }
    }
}

fn facts(
    cwd: &Path,
    project: &Project,
    config: Option<&str>,
    drizzle: Option<&Drizzle>,
    document: &mut Init,
) -> Vec<Fact> {
    let mut facts = std::mem::take(&mut document.found);
    let mut fact = |name, found: String| facts.push(Fact { name, found });
    fact("project", cwd.display().to_string());
    fact("manager", format!("{} ({})", project.manager.name(), project.managed_by));
    if let Some(workspace) = &project.workspace {
        fact("workspace", workspace.display().to_string());
    }
    match (config, drizzle) {
        (Some(name), Some(Drizzle { config, .. })) => {
            fact("config", format!("{name}: {}, migrations in {}", config.dialect(), config.out()));
        }
        (name, _) => fact("config", name.unwrap_or("none").to_owned()),
    }
    if let Some(version) = drizzle.and_then(|drizzle| drizzle.kit.version.as_ref()) {
        fact("drizzle-kit", version.to_string());
    }
    facts
}

/// Returns what the texts depend on.
fn setting(shared: &Shared, cwd: &Path, project: &Project, drizzle: Option<&Drizzle>) -> Result<Setting, Verdict> {
    let below = cwd.strip_prefix(&project.root).unwrap_or(Path::new(""));
    let named = |path: &Path| {
        path.to_str().map(str::to_owned).ok_or_else(|| {
            Verdict::nothing(Exit::Usage, format!("{} is not UTF-8, and no file can name it", path.display()))
        })
    };
    // What drizzle-kit finds by itself needs no name.
    let standard = ["drizzle.config.ts", "drizzle.config.js", "drizzle.config.json"].map(str::to_owned);
    let config = match (&shared.config, survey::configs(cwd).as_slice()) {
        (Some(config), _) => Some(named(config)?),
        (None, [config]) if config::find(cwd, None)?.is_none() => Some(config.clone()),
        (None, _) => None,
    };
    let config = config.filter(|config| !standard.contains(config) || survey::configs(cwd).len() > 1);
    let out = drizzle.map_or("drizzle", |drizzle| drizzle.config.out());
    let out = out.trim_start_matches("./").trim_end_matches('/');
    Ok(Setting {
        manager: project.manager,
        below: named(below)?,
        has_lock: project.has_lock,
        config: config.map(|config| format!(" --config {}", shell_words::quote(&config))).unwrap_or_default(),
        migrations: is_there(&cwd.join(out).join("meta/_journal.json"))?.then(|| out.to_owned()),
        is_postgres: drizzle.is_none_or(|drizzle| matches!(engines::other(drizzle), Ok(None))),
        has_dockerfile: is_there(&project.root.join("Dockerfile"))?,
    })
}

/// Refuses what is written for PostgreSQL alone.
fn needs_postgres(flag: &str, drizzle: Option<&Drizzle>) -> Result<(), Verdict> {
    match drizzle.map(|drizzle| drizzle.config.dialect()) {
        None | Some("postgresql") => Ok(()),
        Some(dialect) => Err(Verdict::nothing(
            Exit::Usage,
            format!("{flag} writes a file with a PostgreSQL server, and drizzle's config is for {dialect}"),
        )
        .hint("omit the flag; the rest of init works for every dialect")),
    }
}

fn policy_file(shared: &Shared, cwd: &Path, document: &mut Init) -> Result<Option<Change>, Verdict> {
    let path = cwd.join(shared.policy.as_deref().unwrap_or(Path::new(FILE_NAME)));
    let found = policy::find(shared.policy.as_deref(), cwd).map_err(|error| guard::policy_error(&error))?;
    // One that was named may be still to come.
    let found = match found {
        Some(found) if text(&cwd.join(&found))?.is_some() => Some(found),
        Some(_) | None => None,
    };
    Ok(match found {
        Some(found) => {
            if cwd.join(&found) != path {
                let shown = found.display().to_string();
                document.notes.push(Note::new(shown, "it is the policy of this package as well, and is not changed"));
            }
            None
        }
        None => Some(Change { path, before: None, after: STARTER.to_owned(), is_program: false }),
    })
}

/// Tells whether there is anything of this name, be it a link that leads nowhere: it is nothing to write over.
fn is_there(path: &Path) -> Result<bool, Verdict> {
    files::is_there(path).map_err(|error| unread(path, &error.into()))
}

/// Reads a file of the project, if there is one.
fn text(path: &Path) -> Result<Option<String>, Verdict> {
    files::text_if_there(path, files::SETTINGS).map_err(|error| unread(path, &error))
}

/// Says that a file is there and cannot be read, and so cannot be taken for none.
fn unread(path: &Path, error: &ReadError) -> Verdict {
    Verdict::nothing(Exit::Config, format!("reading {}: {error}", path.display()))
        .hint("make it readable, or remove it")
}

fn scripts(project: &Project, package: &PackageJson<'_>, setting: &Setting, document: &mut Init) -> Option<Change> {
    let mut added = Vec::new();
    for (name, command) in templates::scripts(setting) {
        match package.script(name) {
            None => added.push((name, command)),
            Some(own) if own == command => {}
            Some(own) => {
                let says = format!("kept ({own}); init would write: {command}");
                document.notes.push(Note::new(format!("script {name}"), says));
            }
        }
    }
    let after = package.with_scripts(&added);
    let change =
        Change { path: project.package_path.clone(), before: Some(project.package.clone()), after, is_program: false };
    (!added.is_empty()).then_some(change)
}

fn workflow(ci: Ci, project: &Project, setting: &Setting, document: &mut Init) -> Result<Vec<Option<Change>>, Verdict> {
    // Packages of one workspace have a file each.
    let name = match setting.below.replace('/', "-") {
        below if below.is_empty() => "drizzle-pilot".to_owned(),
        below => format!("drizzle-pilot-{below}"),
    };
    match ci {
        Ci::Github => {
            let path = project.root.join(format!(".github/workflows/{name}.yml"));
            Ok(vec![new_file(path, templates::github(setting))?])
        }
        Ci::Gitlab => {
            let path = format!(".gitlab/{name}.gitlab-ci.yml");
            let include = templates::gitlab_include(&path);
            let main = project.root.join(".gitlab-ci.yml");
            let text = text(&main)?;
            if text.as_ref().is_some_and(|text| !text.contains(&path)) {
                let says = "it is not changed; to include the job, add:";
                document.notes.push(Note { lines: Some(include.clone()), ..Note::new(".gitlab-ci.yml", says) });
            }
            Ok(vec![new_file(project.root.join(path), templates::gitlab(setting))?, new_file(main, include)?])
        }
    }
}

/// Finds where git looks for hooks, and who manages them.
fn hook(project: &Project, setting: &Setting, document: &mut Init) -> Result<Option<Change>, Verdict> {
    if !project.in_git {
        return Err(Verdict::nothing(Exit::Usage, "there is no git repository for --hook")
            .hint("run git init first, or omit --hook"));
    }
    let lines = templates::hook_lines(setting);
    for (file, says) in [
        ("lefthook.yml", "lefthook runs your hooks; add a command to pre-commit:"),
        ("lefthook.yaml", "lefthook runs your hooks; add a command to pre-commit:"),
        (".pre-commit-config.yaml", "pre-commit runs your hooks; add a local hook with:"),
    ] {
        if let Some(text) = text(&project.root.join(file))? {
            if !text.contains("drizzle-pilot") {
                document.notes.push(Note { lines: Some(lines), ..Note::new(file, says) });
            }
            return Ok(None);
        }
    }
    let husky = project.root.join(".husky");
    let path = if husky.is_dir() {
        husky.join("pre-commit")
    } else {
        let git = std::process::Command::new("git")
            .args(["rev-parse", "--git-path", "hooks"])
            .current_dir(&project.root)
            .output()
            .map_err(|error| Verdict::nothing(Exit::NotFound, format!("asking git for its hooks: {error}")))?;
        let folder = String::from_utf8_lossy(&git.stdout);
        let folder = if git.status.success() { folder.trim() } else { ".git/hooks" };
        project.root.join(folder).join("pre-commit")
    };
    if let Some(text) = text(&path)? {
        if !text.contains("drizzle-pilot") {
            let shown = path.strip_prefix(&project.root).unwrap_or(&path).display().to_string();
            let says = "it is not changed; to check migrations as well, add:";
            document.notes.push(Note { lines: Some(lines), ..Note::new(shown, says) });
        }
        return Ok(None);
    }
    let after = templates::hook(setting);
    Ok(Some(Change { path, before: None, after, is_program: true }))
}

fn compose(project: &Project, setting: &Setting, document: &mut Init) -> Result<Option<Change>, Verdict> {
    let mut there = None;
    for path in COMPOSE_FILES.iter().map(|name| project.root.join(name)) {
        if there.is_none() && is_there(&path)? {
            there = Some(path);
        }
    }
    let Some(path) = there else {
        return new_file(project.root.join(COMPOSE_FILES[0]), templates::compose(setting));
    };
    let text = text(&path)?.unwrap_or_default();
    if !text.contains("drizzle-pilot") {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let says = "it is not changed; under services, add (db is your database):";
        document.notes.push(Note { lines: Some(templates::compose_service(setting)), ..Note::new(name, says) });
    }
    Ok(None)
}

/// Returns a file that is written only where there is none.
fn new_file(path: PathBuf, after: String) -> Result<Option<Change>, Verdict> {
    Ok((!is_there(&path)?).then_some(Change { path, before: None, after, is_program: false }))
}

fn file(change: &Change, cwd: &Path) -> File {
    let path = pathdiff::diff_paths(&change.path, cwd).unwrap_or_else(|| change.path.clone()).display().to_string();
    let before = change.before.as_deref().unwrap_or_default();
    let from = if change.before.is_some() { path.as_str() } else { "/dev/null" };
    let diff = TextDiff::from_lines(before, &change.after).unified_diff().header(from, &path).to_string();
    File { path, written: false, diff }
}

fn coloured(diff: &str) -> Painted {
    let mut text = Painted::default();
    for line in diff.lines() {
        text.add(
            match line.bytes().next() {
                Some(b'+') => Paint::Added,
                Some(b'-') => Paint::Removed,
                _ => Paint::Quoted,
            },
            line,
        );
        text.plain("\n");
    }
    text
}

/// Writes the files: each whole or not at all, and none before there is room for all of them.
fn write(changes: &[Change], files: &mut [File]) -> Result<(), Verdict> {
    let failed = |path: &str, error: &std::io::Error| {
        Verdict::nothing(Exit::Failed, format!("writing {path}: {error}; nothing was written"))
            .hint("the folder must belong to you and be writable")
    };
    let mut made: Vec<NamedTempFile> = Vec::new();
    for (change, file) in changes.iter().zip(&*files) {
        made.push(prepare(change).map_err(|error| failed(&file.path, &error))?);
    }
    for (idx, change) in changes.iter().enumerate() {
        let now = files::text(&change.path, files::SETTINGS).ok();
        let moved = now != change.before;
        let persisted = if moved {
            Err(std::io::Error::other("it was changed in the meantime"))
        } else {
            let temporary = made.remove(0);
            let target = change.path.canonicalize().unwrap_or_else(|_| change.path.clone());
            let persisted = match change.before {
                Some(_) => temporary.persist(target),
                None => temporary.persist_noclobber(target),
            };
            persisted.map(drop).map_err(|error| error.error)
        };
        if let Err(error) = persisted {
            let written: Vec<&str> = files.iter().filter(|file| file.written).map(|file| file.path.as_str()).collect();
            if written.is_empty() {
                return Err(failed(&files[idx].path, &error));
            }
            let summary = format!("writing {}: {error}; {} was written", files[idx].path, written.join(", "));
            return Err(Verdict::nothing(Exit::Failed, summary).hint("run it again: it continues where it stopped"));
        }
        files[idx].written = true;
    }
    Ok(())
}

/// Writes what a file is to become beside it. Where the file is a link, beside what it leads to.
fn prepare(change: &Change) -> std::io::Result<NamedTempFile> {
    let target = change.path.canonicalize().unwrap_or_else(|_| change.path.clone());
    let folder = target.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // What the umask leaves of these is what a new file has.
    let mode = if change.is_program { 0o777 } else { 0o666 };
    let temporary = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    std::fs::write(temporary.path(), &change.after)?;
    if change.before.is_some() {
        std::fs::set_permissions(temporary.path(), std::fs::metadata(&target)?.permissions())?;
    }
    Ok(temporary)
}
