//! `sync`: prove that the database is what the migrations make, then write the rows that say so into the migrations table, all or
//! nothing; on request with the names that the migrations give.

use std::path::Path;

use crate::cli::{Shared, SyncArgs};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::compare::difference::Differences;
use crate::db::change::apply::{Applied, Begun, Executed, Expected, Hold, Run};
use crate::db::inspect::migrations_table::{self, MigrationsTable, Write};
use crate::db::limits;
use crate::files;
use crate::migrations::baseline::{self, BaselineError, Row};
use crate::migrations::reorder;
use crate::migrations::state::{Migration, State, Status};
use crate::outcome::{Database, Exit, Verdict, signal_name};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::record::{Record, View};
use crate::output::report::{self, Refusal};
use crate::policy::{Policy, sync};
use crate::project::guard::{self, Changes};
use crate::project::migrations::MigrationsContext;
use crate::project::{filters, root};
use crate::proof::drift::{self, Compared};
use crate::proof::scratch::Settings;
use crate::run::transaction;

const COMMAND: CommandName = CommandName::Sync;

/// Runs the command.
pub fn run(shared: &Shared, args: &SyncArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |clock, console, log| attempt(shared, args, clock, console, log))
}

fn attempt(
    shared: &Shared,
    args: &SyncArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, log)?;
    let context = MigrationsContext::find(COMMAND, shared, &args.place, &cwd, console, log)?;
    let changes = if args.dry_run { Changes::Nothing } else { Changes::Database };
    let policy = guard::check(COMMAND, changes, shared, &policies, context.place.drizzle.as_ref(), log)?;
    let migrations_table = context.migrations_table(clock)?;
    let status = context.status(&migrations_table);
    let mut reported = context.reported(&migrations_table, &status);
    if args.repair_order {
        return repair_order(&context, &migrations_table, &status, args, log);
    }

    let had = baseline::upto(&status, args.to.as_deref()).map_err(|error| unplanned(&error))?;
    let rows = baseline::plan(&status, had).map_err(|error| unplanned(&error))?;
    if rows.is_empty() && !args.rename && args.write_renames.is_none() {
        log.migrations = Some(reported);
        return Ok(Verdict::nothing(Exit::Ok, format!("there is nothing to write: {}", status.text())));
    }
    let settings = Settings::of(shared, &policy, &cwd);
    console.say("running the migrations in a scratch database, to compare");
    let compared = drift::of_database(&context, &settings, &migrations_table, had, clock, &mut |text| {
        console.warn_in(log, &text)
    })?;
    if let Some(said) = filters::said(&compared.left_out) {
        console.warn_in(log, &said);
    }
    log.comparisons.push(compared.differences.clone());
    reported.differences = Some(compared.differences.sentences());
    log.migrations = Some(reported);
    let renames = names(&compared.differences, had, args, &policy, console, log)?;
    if rows.is_empty() && renames.is_empty() {
        return Ok(Verdict::nothing(Exit::Ok, format!("there is nothing to write: {}", status.text())));
    }
    if let Some(reported) = &mut log.migrations {
        let rows = rows.iter().map(|row| shown(row, &migrations_table));
        reported.writes = renames.iter().cloned().chain(rows).collect();
    }
    let done = in_words(renames.len(), rows.len());
    if args.dry_run {
        let rest =
            if renames.is_empty() && compared.differences.has_names() { "matches but for names" } else { "matches" };
        return Ok(Verdict::nothing(Exit::Changes, format!("{}; the database {rest}", done.planned)));
    }

    let writes: Vec<Write> = rows.iter().filter_map(|row| write(row, &migrations_table)).collect();
    let script = if writes.is_empty() { Vec::new() } else { migrations_table::script(&migrations_table, &writes) };
    let plan = Plan { statements: [renames.as_slice(), &script].concat(), made: made(&renames, &compared) };
    let applied = apply(&plan, &Expected::from(&compared.seen), &context, args, clock)?;
    read_back(&context, had, &done.past, clock, log, applied.signal)
}

/// What is executed in one transaction, and what has to come of it.
struct Plan {
    statements: Vec<String>,
    /// Lines of the fingerprint.
    made: Vec<String>,
}

/// Returns what the database must have after names were changed: all that the migrations make.
fn made(renames: &[String], compared: &Compared) -> Vec<String> {
    if renames.is_empty() { Vec::new() } else { compared.made.clone() }
}

/// Executes a plan under the lock, on the database that was compared, and commits if it comes to what it has to.
fn apply(
    plan: &Plan,
    expected: &Expected,
    context: &MigrationsContext,
    args: &SyncArgs,
    clock: &Clock,
) -> Result<Applied, Verdict> {
    let application_name = format!("drizzle-pilot-{} sync", std::process::id());
    let run = Run {
        application_name: &application_name,
        lock: Hold::Take,
        lock_timeout: args.lock_timeout,
        statement_timeout: None,
        deadline: clock.rest(),
        commit_patience: limits::COMMIT,
    };
    let applied = Begun::begin(context.dsn(), Some(expected), &[], &run)
        .and_then(|begun| begun.execute(&plan.statements))
        .and_then(|executed| executed.making(&plan.made))
        .and_then(Executed::commit);
    applied.map_err(|error| transaction::failed(&error, clock))
}

/// What is written, in words.
struct InWords {
    planned: String,
    past: String,
}

fn in_words(n_names: usize, n_rows: usize) -> InWords {
    let counted = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let (names, rows) = (counted(n_names, "name"), counted(n_rows, "row"));
    let (planned, past) = match (n_names, n_rows) {
        (0, _) => (
            format!("{rows} would be written to the migrations table"),
            format!("{rows} written to the migrations table"),
        ),
        (_, 0) => (format!("{names} would be changed"), format!("{names} changed")),
        _ => (
            format!("{names} would be changed, and {rows} written to the migrations table"),
            format!("{names} changed, and {rows} written to the migrations table"),
        ),
    };
    InWords { planned, past }
}

/// Decides on what differs, and returns the statements that change names: none where the names are right, or may differ.
fn names(
    differences: &Differences,
    had: &[Migration],
    args: &SyncArgs,
    policy: &Policy,
    console: &mut Console,
    log: &mut Record,
) -> Result<Vec<String>, Verdict> {
    if let Some(file) = &args.write_renames {
        write_renames(differences, file, console)?;
    }
    let by_name = differences.by_name_text("drizzle-pilot sync --write-renames FILE writes all of them");
    if differences.has_substance() {
        let what = match had.len() {
            1 => "the database differs from what 1 migration makes".to_owned(),
            n => format!("the database differs from what {n} migrations make"),
        };
        let list = indented(&differences.text("--format json and --report FILE have all"));
        let text = [Some(format!("refused: {what}\n{list}")), by_name].into_iter().flatten().collect::<Vec<_>>();
        log.refusals.push(Refusal { what, allow_with: None, text: text.join("\n") });
        let summary = format!(
            "the database differs from the migrations ({}), so none is marked as applied",
            differences.counted()
        );
        return Err(Verdict::nothing(Exit::Refused, summary).hint(
            "make the database and the migrations agree first: add a migration for what only the database has, or \
             use --to TAG if the database does not have all of them",
        ));
    }
    let Some(by_name) = by_name else { return Ok(Vec::new()) };
    if args.rename {
        return Ok(differences.statements().to_vec());
    }
    let what = format!("the database has other names than {} migrations give ({})", had.len(), differences.counted());
    let Some(refused) = sync::refusal(policy, &what) else {
        console.warn_in(log, &by_name);
        return Ok(Vec::new());
    };
    let ways = refused.allow.iter().map(|allow| format!("\n{allow}")).collect::<String>();
    let text = format!("refused: {what}\n{by_name}{ways}");
    log.refusals.push(Refusal { text, ..Refusal::of(&refused) });
    let run = match &args.write_renames {
        Some(file) => format!("run the statements in {}, and then drizzle-pilot sync again", file.display()),
        None => "drizzle-pilot sync --rename executes these statements; or run them, and then drizzle-pilot sync again"
            .to_owned(),
    };
    Err(Verdict::nothing(Exit::Refused, format!("{what}, so none is marked as applied")).hint(run))
}

/// Writes the statements that change names to a file of the user's.
fn write_renames(differences: &Differences, file: &Path, console: &mut Console) -> Result<(), Verdict> {
    let shown = file.display();
    if differences.statements().is_empty() {
        console.say(&format!("no names differ: {shown} is not written"));
        return Ok(());
    }
    let unwritten = |error| Verdict::nothing(Exit::Failed, format!("writing {shown}: {error}"));
    let replaces = files::is_there(file).map_err(unwritten)?;
    let head = "-- Gives the objects the names that the migrations give. Run it in one transaction.\n";
    files::replace(file, &format!("{head}{}\n", differences.statements().join("\n"))).map_err(unwritten)?;
    let n = differences.statements().len();
    let statements = if n == 1 { "1 statement".to_owned() } else { format!("{n} statements") };
    console.say(&match replaces {
        true => format!("{shown} was there, and is replaced: {statements}"),
        false => format!("{shown} is written: {statements}"),
    });
    Ok(())
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// Looks again, and says what is there.
fn read_back(
    context: &MigrationsContext,
    had: &[Migration],
    done: &str,
    clock: &Clock,
    log: &mut Record,
    signal: Option<i32>,
) -> Result<Verdict, Verdict> {
    let changed = |exit, summary: String| Verdict { database: Database::Changed, ..Verdict::nothing(exit, summary) };
    let unseen =
        |verdict: Verdict| changed(Exit::Unproven, format!("{done}, but could not be read back: {}", verdict.summary));
    let migrations_table = context.migrations_table(clock).map_err(unseen)?;
    let status = context.status(&migrations_table);
    let before = log.migrations.take();
    let writes = before.map(|before| before.writes).unwrap_or_default();
    log.migrations = Some(report::Migrations { writes, ..context.reported(&migrations_table, &status) });
    let is_there = |had: &Migration| {
        status.migrations.iter().any(|now| now.entry.tag == had.entry.tag && now.state == State::Applied)
    };
    if let Some(lost) = had.iter().find(|had| !is_there(had)) {
        let summary = format!("{done}, but {} is still not recorded correctly", lost.entry.tag);
        return Err(changed(Exit::Unproven, summary));
    }
    let (exit, also) = match signal {
        Some(signal) => (Exit::Signal(signal), format!("; {} arrived in the meantime", signal_name(signal))),
        None => (Exit::Ok, String::new()),
    };
    Ok(changed(exit, format!("{done} and read back: {}{also}", status.text())))
}

/// Makes what was skipped the newest of the journal. The database stays as it is.
fn repair_order(
    context: &MigrationsContext,
    migrations_table: &MigrationsTable,
    status: &Status,
    args: &SyncArgs,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let mut reported = context.reported(migrations_table, status);
    let skipped: Vec<&str> = status.in_state(State::Skipped).map(|migration| migration.entry.tag.as_str()).collect();
    if skipped.is_empty() {
        log.migrations = Some(reported);
        return Ok(Verdict::nothing(Exit::Ok, format!("nothing was skipped: {}", status.text())));
    }
    // What is pending would run in the same run, and before it: in the order of the file.
    let after = migrations_table.records().iter().filter_map(|record| record.created_at).max().unwrap_or_default();
    let path = context.folder.journal_path();
    let text = reorder::newest(context.journal(), &skipped, after).ok_or_else(|| {
        Verdict::nothing(Exit::BadMigrations, format!("the entries of {} cannot be reordered", path.display()))
    })?;
    reported.writes = skipped.iter().map(|tag| format!("{}: {tag} becomes the newest", context.shown_folder)).collect();
    log.migrations = Some(reported);
    let (names, are) = (skipped.join(", "), if skipped.len() == 1 { "is" } else { "are" });
    if args.dry_run {
        return Ok(Verdict::nothing(Exit::Changes, format!("{names} would become the newest in the journal")));
    }
    files::replace(&path, &text)
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing {}: {error}", path.display())))?;
    Ok(Verdict::nothing(
        Exit::Ok,
        format!("{names} {are} now the newest in the journal, and pending; the database was not changed"),
    )
    .hint("review the migrations that now run later, commit the journal, then drizzle-pilot migrate"))
}

fn write(row: &Row, migrations_table: &MigrationsTable) -> Option<Write> {
    let (Row::Missing(migration) | Row::Wrong { migration, .. }) = row;
    let (hash, created_at) = (migration.file?.hash.clone(), migration.entry.when);
    Some(match row {
        Row::Missing(_) => Write::Insert { hash, created_at },
        Row::Wrong { record, .. } => Write::Change { id: migrations_table.records()[*record].id, hash, created_at },
    })
}

fn shown(row: &Row, migrations_table: &MigrationsTable) -> String {
    let (Row::Missing(migration) | Row::Wrong { migration, .. }) = row;
    let tag = &migration.entry.tag;
    let hash: String = migration.file.map(|file| file.hash.chars().take(12).collect()).unwrap_or_default();
    let created_at = migration.entry.when;
    match row {
        Row::Missing(_) => format!("{tag}: a new row, created_at {created_at}, hash {hash}…"),
        Row::Wrong { record, .. } => {
            let id = migrations_table.records()[*record].id;
            format!("{tag}: row {id} gets created_at {created_at}, hash {hash}…")
        }
    }
}

fn unplanned(error: &BaselineError) -> Verdict {
    match error {
        BaselineError::NoSuchTag(_) => {
            Verdict::nothing(Exit::Usage, error.to_string()).hint("drizzle-pilot status shows the migrations")
        }
        BaselineError::MissingFile(_) => Verdict::nothing(Exit::BadMigrations, error.to_string())
            .hint("restore the file, or remove its entry from the journal if no database has applied it"),
        BaselineError::WouldBeSkipped { .. } => Verdict::nothing(Exit::Refused, error.to_string())
            .hint("apply it first, or correct its `when` in the journal"),
    }
}
