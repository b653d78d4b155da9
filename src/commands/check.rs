//! `check`: read the migrations folders, find what is wrong with them, tell it in every form that was asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{CheckArgs, PlaceArgs, Shared};
use crate::commands::findings::{self, Told};
use crate::commands::logbook::{self, Logbook};
use crate::commands::look::Clock;
use crate::commands::migrations::{self, Changes, Ground};
use crate::commands::target::{self, Drizzle};
use crate::commands::unpushed::Unpushed;
use crate::commands::{drift, folder, forgotten};
use crate::console::Console;
use crate::exit::Exit;
use crate::migrations::finding::Position;
use crate::migrations::git::{Git, GitError};
use crate::migrations::rule::{DATABASE_DRIFT, EDITED_MIGRATION, FORGOTTEN_MIGRATION, Named, SCHEMA_DRIFT, Wishes};
use crate::migrations::{Finding, Folder, JournalFile, Level, Place, SqlFile, journal, lint};
use crate::policy::Policy;
use crate::report::Verdict;

const COMMAND: &str = "check";

/// Runs the command.
pub fn run(shared: &Shared, args: &CheckArgs, console: &mut Console) -> Exit {
    logbook::run(shared, COMMAND, console, |clock, console, log| attempt(shared, args, clock, console, log))
}

fn attempt(
    shared: &Shared,
    args: &CheckArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Logbook,
) -> Result<Verdict, Verdict> {
    // A hook says nothing where nothing is wrong.
    log.speaks = false;
    log.promise(shared, COMMAND, console.secrets())?;
    let cwd = logbook::project(shared)?;
    let policies = log.load_policy(shared, &cwd, console)?;
    let policy = migrations::guard(COMMAND, Changes::Nothing, shared, &policies, log)?;

    let (paths, drizzle) = folders(shared, args, &policy, &cwd)?;
    let mut told = Told::new(&cwd);
    for path in &paths {
        let subject = read(args, path)?;
        // What cannot be read is no finding: nobody could say what else is wrong.
        if let JournalFile::Broken { .. } = subject.folder.journal {
            subject.folder.journal().map_err(|error| folder::unusable(&error))?;
        }
        let found = policy.check().wishing(|wishes| offline(&subject, wishes));
        told.add(&subject.folder, found);
        if args.database {
            database(shared, args, &subject.folder, &policy, clock, console, log, &mut told)?;
        }
        let of_config = drizzle.as_ref().filter(|drizzle| paths.len() == 1 || is_of(path, drizzle, &cwd));
        if let (true, Some(drizzle)) = (args.schema, of_config) {
            schema(shared, &subject.folder, drizzle, &policy, &cwd, console, &mut told)?;
        }
    }
    if let (true, Some(drizzle)) = (args.push, &drizzle) {
        let unpushed = Unpushed { drizzle, url: args.url.as_deref(), cwd: &cwd };
        push(shared, &unpushed, &policy, clock, console, &mut told)?;
    }
    log.findings = told.reported();
    findings::write(&told, args, console)?;
    Ok(verdict(&told, policy.check().fail_on()))
}

/// A folder, and the migrations in it whose statements are looked at.
struct Subject {
    folder: Folder,
    /// None: all of them.
    names: Option<BTreeSet<String>>,
    /// Migrations that others have otherwise.
    edited: BTreeSet<String>,
}

/// Returns the folders that are looked at: those on the command line, else those of the policy, else that of drizzle's
/// config, which only node can read.
fn folders(
    shared: &Shared,
    args: &CheckArgs,
    policy: &Policy,
    cwd: &Path,
) -> Result<(Vec<PathBuf>, Option<Drizzle>), Verdict> {
    let named: Vec<PathBuf> = match policy.check().migrations() {
        _ if !args.migrations.is_empty() => args.migrations.clone(),
        Some(migrations) => migrations.iter().map(PathBuf::from).collect(),
        None => Vec::new(),
    };
    let paths: Vec<PathBuf> = named.iter().map(|path| cwd.join(path)).collect();
    if !paths.is_empty() && !args.schema && !args.push {
        return Ok((paths, None));
    }
    let Some(drizzle) = target::load(shared, cwd)? else {
        let summary = format!("no drizzle.config.ts, .js or .json in {}", cwd.display());
        let verdict = Verdict::nothing(Exit::Config, summary);
        return Err(if paths.is_empty() {
            verdict.hint("name the folder with --migrations, or the config with --config")
        } else {
            verdict.hint("--schema and --push ask drizzle-kit, which needs one: name it with --config")
        });
    };
    let own = cwd.join(drizzle.config.out());
    Ok((if paths.is_empty() { vec![own] } else { paths }, Some(drizzle)))
}

/// Tells whether a folder is that of drizzle's config, whose schema files belong to no other.
fn is_of(path: &Path, drizzle: &Drizzle, cwd: &Path) -> bool {
    let whole = |path: &Path| path.canonicalize().ok();
    let own = whole(&cwd.join(drizzle.config.out()));
    own.is_some() && own == whole(path)
}

fn read(args: &CheckArgs, path: &Path) -> Result<Subject, Verdict> {
    let all = |folder| Subject { folder, names: None, edited: BTreeSet::new() };
    if args.staged {
        let staged = Git::of(path).and_then(|git| git.staged()).map_err(|error| unanswered(&error))?;
        return Ok(Subject { names: Some(staged.changed), ..all(staged.folder) });
    }
    let folder = folder::read(path)?;
    let Some(reference) = &args.since else { return Ok(all(folder)) };
    let since = Git::of(path).and_then(|git| git.since(reference)).map_err(|error| unanswered(&error))?;
    let files = folder.files.iter().map(|file| file.name.clone());
    let new = files.filter(|name| !since.old.contains(name) || since.edited.contains(name)).collect();
    Ok(Subject { names: Some(new), edited: since.edited, ..all(folder) })
}

/// Says why git did not tell.
fn unanswered(error: &GitError) -> Verdict {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let summary = format!("{error}{cause}");
    match error {
        GitError::NotFound => Verdict::nothing(Exit::NotFound, summary).hint("--staged and --since ask git"),
        GitError::Start(_) => Verdict::nothing(Exit::CannotRun, summary),
        GitError::Failed { .. } => Verdict::nothing(Exit::Usage, summary)
            .hint("--since names a commit whose history is here; in CI, fetch it whole (fetch-depth: 0)"),
        GitError::Folder(error) => folder::unusable(error),
    }
}

/// Returns what is found in the folder itself.
fn offline(subject: &Subject, wishes: Wishes<'_>) -> Vec<Finding> {
    let Subject { folder, names, edited } = subject;
    let mut found = journal::check(folder, wishes);
    if let Some(level) = (wishes.level)(Named::Ours(&EDITED_MIGRATION)) {
        for file in folder.files.iter().filter(|file| edited.contains(&file.name)) {
            let place = Place { file: folder.path.join(&file.name), at: Position::START };
            found.push(EDITED_MIGRATION.finding(level, place, format!("{} is not what it was", file.name)));
        }
    }
    let looks_at = |file: &SqlFile| names.as_ref().is_none_or(|names| names.contains(&file.name));
    found.extend(lint::run(folder, &looks_at, wishes));
    found
}

/// Finds schema files that differ from the last snapshot.
fn schema(
    shared: &Shared,
    folder: &Folder,
    drizzle: &Drizzle,
    policy: &Policy,
    cwd: &Path,
    console: &mut Console,
    told: &mut Told,
) -> Result<(), Verdict> {
    let Some(level) = policy.check().wishing(|wishes| (wishes.level)(Named::Ours(&FORGOTTEN_MIGRATION))) else {
        return Ok(());
    };
    if let Some(forgotten) = forgotten::look(shared, folder, cwd, console)? {
        let place = Place { file: drizzle.file.path.clone(), at: Position::START };
        told.add(folder, vec![FORGOTTEN_MIGRATION.finding(level, place, forgotten.sentence())]);
    }
    Ok(())
}

/// Finds how the database differs from the schema files.
fn push(
    shared: &Shared,
    unpushed: &Unpushed,
    policy: &Policy,
    clock: &Clock,
    console: &mut Console,
    told: &mut Told,
) -> Result<(), Verdict> {
    let Some(level) = policy.check().wishing(|wishes| (wishes.level)(Named::Ours(&SCHEMA_DRIFT))) else {
        return Ok(());
    };
    let at = || Place { file: unpushed.drizzle.file.path.clone(), at: Position::START };
    let sentences = unpushed.look(shared, clock, console)?;
    told.findings.extend(sentences.into_iter().map(|sentence| SCHEMA_DRIFT.finding(level, at(), sentence)));
    Ok(())
}

/// Finds how the database differs from what its migrations make: those that its history has, or all where it has none.
#[expect(clippy::too_many_arguments, reason = "it is one step of the story above, with all that is known there")]
fn database(
    shared: &Shared,
    args: &CheckArgs,
    folder: &Folder,
    policy: &Policy,
    clock: &Clock,
    console: &mut Console,
    log: &mut Logbook,
    told: &mut Told,
) -> Result<(), Verdict> {
    let Some(level) = policy.check().wishing(|wishes| (wishes.level)(Named::Ours(&DATABASE_DRIFT))) else {
        return Ok(());
    };
    let cwd = logbook::project(shared)?;
    let place = PlaceArgs { migrations: Some(folder.path.clone()), url: args.url.clone() };
    let ground = Ground::find("check", shared, &place, &cwd, console, log)?;
    let history = ground.history(clock)?;
    let made_of = drift::made_of(&ground.status(&history), &history);
    let compared = drift::of_database(&ground, &history, &made_of, clock)?;
    let at = || Place { file: folder.journal_path(), at: Position::START };
    let findings = compared.differences.into_iter().map(|difference| DATABASE_DRIFT.finding(level, at(), difference));
    told.add(folder, findings.collect());
    Ok(())
}

fn verdict(told: &Told, fail_on: Level) -> Verdict {
    let n_migrations = match told.n_migrations {
        1 => "1 migration".to_owned(),
        n => format!("{n} migrations"),
    };
    let of = |level| told.findings.iter().filter(|finding| finding.level == level).count();
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let (n_errors, n_warnings) = (of(Level::Error), of(Level::Warning));
    let counts: Vec<String> = [(n_errors, "error"), (n_warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| counted(n, what))
        .collect();
    if counts.is_empty() {
        return Verdict::nothing(Exit::Ok, format!("nothing found in {n_migrations}"));
    }
    let fails = told.findings.iter().any(|finding| finding.level >= fail_on);
    let exit = if fails { Exit::Changes } else { Exit::Ok };
    Verdict::nothing(exit, format!("{} in {n_migrations}", counts.join(" and ")))
}
