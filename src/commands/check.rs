//! `check`: read the migrations folders, find what is wrong with them, tell it in every form that was asked for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{CheckArgs, PlaceArgs, Shared};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::files;
use crate::migrations::finding::Position;
use crate::migrations::git::{Git, GitError};
use crate::migrations::rule::{DATABASE_DRIFT, EDITED_MIGRATION, FORGOTTEN_MIGRATION, Named, SCHEMA_DRIFT, Wishes};
use crate::migrations::{Finding, Folder, JournalFile, Level, Place, SqlFile, journal, lint};
use crate::outcome::{Exit, Verdict, with_causes};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::findings::{self, Told};
use crate::output::record::Record;
use crate::output::record::View;
use crate::policy::model::{FILE_NAME, Source, SyncNames};
use crate::policy::{Check, Policies, Policy, accept};
use crate::project::config::{self, Drizzle};
use crate::project::guard::{self, Changes};
use crate::project::migrations::MigrationsContext;
use crate::project::{filters, folder, root};
use crate::proof::scratch::Settings;
use crate::proof::unpushed::Unpushed;
use crate::proof::{drift, forgotten, unpushed};

const COMMAND: CommandName = CommandName::Check;

/// Runs the command.
pub fn run(shared: &Shared, args: &CheckArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |clock, console, log| attempt(shared, args, clock, console, log))
}

fn attempt(
    shared: &Shared,
    args: &CheckArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    // A hook says nothing where nothing is wrong.
    log.is_silent = true;
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, log)?;
    let policy = guard::check(COMMAND, Changes::Nothing, shared, &policies, None, log)?;

    let (paths, drizzle) = folders(shared, args, &policy, &cwd, console)?;
    let mut told = Told::new(&cwd);
    if args.accept_old {
        return accept_old(shared, args, &paths, &policy, &cwd, console, log);
    }
    for path in &paths {
        let subject = read(args, path)?;
        // What cannot be read is no finding: nobody could say what else is wrong.
        if let JournalFile::Broken { .. } = subject.folder.journal {
            subject.folder.journal().map_err(|error| folder::unusable(&error))?;
        }
        let found = policy.check().wishing(|wishes| offline(&subject, &cwd, wishes));
        told.add(&subject.folder, found);
        if args.database {
            database(shared, args, &subject.folder, &policies, &policy, clock, console, log, &mut told)?;
        }
        let of_config = drizzle.as_ref().filter(|drizzle| paths.len() == 1 || is_of(path, drizzle, &cwd));
        if let (true, Some(drizzle)) = (args.schema, of_config) {
            schema(shared, &subject.folder, drizzle, &policy, &cwd, console, &mut told)?;
        }
    }
    if let (true, Some(drizzle)) = (args.push, &drizzle) {
        push(shared, drizzle, args, &policy, clock, console, log, &mut told)?;
    }
    log.findings = told.reported();
    findings::write(&told, &log.comparisons, args, console)?;
    Ok(verdict(&told, policy.check().fail_on(), format!("nothing found{}", within(&told))))
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
    console: &mut Console,
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
    let Some(drizzle) = config::load(shared, cwd, console)? else {
        let summary = format!("no drizzle.config.ts, .js or .json in {}", cwd.display());
        let verdict = Verdict::nothing(Exit::Config, summary);
        return Err(if paths.is_empty() {
            verdict.hint("specify the folder with --migrations, or the config with --config")
        } else {
            verdict.hint("--schema and --push run drizzle-kit, which needs a config: specify it with --config")
        });
    };
    let own = cwd.join(drizzle.config.out());
    let paths = match paths.is_empty() {
        // A project that pushes has no migrations, and its database is compared with the schema files alone.
        true if args.push && !args.schema && !args.database && !own.is_dir() => Vec::new(),
        true => vec![own],
        false => paths,
    };
    Ok((paths, Some(drizzle)))
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
    let summary = with_causes(error);
    match error {
        GitError::NotFound => Verdict::nothing(Exit::NotFound, summary).hint("--staged and --since need git"),
        GitError::Start(_) => Verdict::nothing(Exit::CannotRun, summary),
        GitError::Failed { .. } => Verdict::nothing(Exit::Usage, summary).hint(
            "--since needs the commit and its history in this clone; in CI, fetch the full history (fetch-depth: 0)",
        ),
        GitError::Folder(error) => folder::unusable(error),
    }
}

/// Returns what is found in the folder itself.
fn offline(subject: &Subject, cwd: &Path, wishes: Wishes<'_>) -> Vec<Finding> {
    let Subject { folder, names, edited } = subject;
    let mut found = journal::check(folder, folder::surroundings(folder, cwd), wishes);
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

/// Writes the faults of journals and snapshots that nobody can mend into the policy, so that they are told no more.
fn accept_old(
    shared: &Shared,
    args: &CheckArgs,
    paths: &[PathBuf],
    policy: &Policy,
    cwd: &Path,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let mut told = Told::new(cwd);
    let mut old = Vec::new();
    for path in paths {
        let folder = folder::read(path)?;
        folder.journal().map_err(|error| folder::unusable(&error))?;
        let surroundings = folder::surroundings(&folder, cwd);
        let found = policy.check().wishing(|wishes| journal::check(&folder, surroundings, wishes));
        let (acceptable, rest): (Vec<Finding>, Vec<Finding>) = found.into_iter().partition(|it| it.about.is_some());
        told.add(&folder, rest);
        old.extend(acceptable);
    }
    log.findings = told.reported();
    if old.is_empty() {
        return Ok(verdict(&told, policy.check().fail_on(), "there are no old faults to accept".to_owned()));
    }
    let (file, text) = match policy.source() {
        Source::BuiltIn => (shared.policy.clone().unwrap_or_else(|| cwd.join(FILE_NAME)), String::new()),
        Source::File { path, text } => (cwd.join(path), text.clone()),
    };
    // A name is told from the folder of the policy, which several projects may share.
    let base = file.parent().unwrap_or(cwd);
    let mut lines: Vec<String> = Vec::new();
    for finding in &old {
        let about = finding.about.as_deref().unwrap_or(&finding.place.file);
        let line = Check::accepted_line(finding.id, about.strip_prefix(base).unwrap_or(about));
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let shown = file.strip_prefix(cwd).unwrap_or(&file).display().to_string();
    let Some(text) = accept(&text, &lines) else {
        return Err(Verdict::nothing(Exit::Config, format!("{shown} cannot be edited automatically"))
            .hint(format!("add these lines to [check] accepted: {}", lines.join(", "))));
    };
    files::replace(&file, &text)
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing {shown}: {error}")))?;
    for line in &lines {
        console.say(&format!("accepted: {line}"));
    }
    findings::write(&told, &[], args, console)?;
    let accepted =
        format!("{} old {} accepted in {shown}", lines.len(), if lines.len() == 1 { "fault is" } else { "faults are" });
    Ok(verdict(&told, policy.check().fail_on(), accepted))
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
#[expect(clippy::too_many_arguments, reason = "it is one step of the story above, with all that is known there")]
fn push(
    shared: &Shared,
    drizzle: &Drizzle,
    args: &CheckArgs,
    policy: &Policy,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
    told: &mut Told,
) -> Result<(), Verdict> {
    let Some(level) = policy.check().wishing(|wishes| (wishes.level)(Named::Ours(&SCHEMA_DRIFT))) else {
        return Ok(());
    };
    let at = || Place { file: drizzle.file.path.clone(), at: Position::START };
    let Unpushed { sentences, warnings, comparisons } = unpushed::look(shared, args.url.as_deref(), clock, console)?;
    told.findings.extend(sentences.into_iter().map(|sentence| SCHEMA_DRIFT.finding(level, at(), sentence)));
    log.warnings.extend(warnings);
    log.comparisons.extend(comparisons);
    Ok(())
}

/// What is said of an object of which only the name differs.
const OTHER_NAME: &str = "a migration that changes or drops it by its name fails in this database";
const MEND_NAMES: &str = "`drizzle-pilot sync --rename` gives it the name in the migrations; [sync] names = \"warn\" in the policy keeps the name";

/// Finds how the database differs from what its migrations create: those in its migrations table, or all where that has none.
#[expect(clippy::too_many_arguments, reason = "it is one step of the story above, with all that is known there")]
fn database(
    shared: &Shared,
    args: &CheckArgs,
    folder: &Folder,
    policies: &Policies,
    policy: &Policy,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
    told: &mut Told,
) -> Result<(), Verdict> {
    let Some(level) = policy.check().wishing(|wishes| (wishes.level)(Named::Ours(&DATABASE_DRIFT))) else {
        return Ok(());
    };
    let cwd = root::find(shared)?;
    let place = PlaceArgs { migrations: Some(folder.path.clone()), url: args.url.clone() };
    let context = MigrationsContext::find(COMMAND, shared, &place, &cwd, console, log)?;
    // Now that the host is known, a profile may say that nothing is looked at there.
    let policy = guard::check(COMMAND, Changes::Nothing, shared, policies, context.place.drizzle.as_ref(), log)?;
    let settings = Settings::of(shared, &policy, &cwd);
    let migrations_table = context.migrations_table(clock)?;
    let made_of = drift::made_of(&context.status(&migrations_table), &migrations_table);
    let compared = drift::of_database(&context, &settings, &migrations_table, &made_of, clock, &mut |text| {
        console.warn_in(log, &text)
    })?;
    if let Some(said) = filters::said(&compared.left_out) {
        console.warn(&said);
        log.warnings.push(console.clean(&said));
    }
    let differences = compared.differences;
    if let Some(text) = differences.by_name_text("--format json and --report FILE have all") {
        console.say(&text);
    }
    let of_names = match policy.sync_names() {
        (SyncNames::Warn, _) => level.min(Level::Warning),
        (SyncNames::Refuse, _) => level,
    };
    let finding = |level: Level, sentence: String| {
        let place = Place { file: folder.journal_path(), at: Position::START };
        DATABASE_DRIFT.finding(level, place, sentence)
    };
    let substance = differences.substance().into_iter().map(|sentence| finding(level, sentence));
    let names = differences.names().into_iter().map(|sentence| Finding {
        why: OTHER_NAME.to_owned(),
        what_to_do: MEND_NAMES.to_owned(),
        ..finding(of_names, sentence)
    });
    told.add(folder, substance.chain(names).collect());
    log.comparisons.push(differences);
    Ok(())
}

/// Counts what was found; where that is nothing, the caller says what else there is to say.
fn verdict(told: &Told, fail_on: Level, nothing: String) -> Verdict {
    let of = |level| told.findings.iter().filter(|finding| finding.level == level).count();
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let (n_errors, n_warnings) = (of(Level::Error), of(Level::Warning));
    let counts: Vec<String> = [(n_errors, "error"), (n_warnings, "warning")]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| counted(n, what))
        .collect();
    if counts.is_empty() {
        return Verdict::nothing(Exit::Ok, nothing);
    }
    let fails = told.findings.iter().any(|finding| finding.level >= fail_on);
    let exit = if fails { Exit::Changes } else { Exit::Ok };
    Verdict::nothing(exit, format!("{}{}", counts.join(" and "), within(told)))
}

/// Says in how many migrations; a project that pushes has none.
fn within(told: &Told) -> String {
    match told.n_migrations {
        0 => String::new(),
        1 => " in 1 migration".to_owned(),
        n => format!(" in {n} migrations"),
    }
}
