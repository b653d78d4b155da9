//! `sync`: prove that the database is what the migrations make, then write the rows that say so into the migrations table, all or nothing.

use crate::cli::{Shared, SyncArgs};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::change::apply::{self, Expected, Hold, Run, Script};
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
    if rows.is_empty() {
        log.migrations = Some(reported);
        return Ok(Verdict::nothing(Exit::Ok, format!("there is nothing to write: {}", status.text())));
    }
    let settings = Settings::of(shared, &policy, &cwd);
    console.say("running the migrations in a scratch database, to compare");
    let compared = drift::of_database(&context, &settings, &migrations_table, had, clock, &mut |text| {
        console.warn_in(log, &text)
    })?;
    let by_name = compared.by_name();
    let n_others = compared.renamed.n_others;
    let Compared { seen, differences, left_out, .. } = compared;
    if let Some(said) = filters::said(&left_out) {
        console.warn(&said);
        log.warnings.push(console.clean(&said));
    }
    let refusal = refused(&differences, had, by_name.as_ref());
    reported.writes = rows.iter().map(|row| shown(row, &migrations_table)).collect();
    reported.differences = Some(differences);
    if let Some(refusal) = refusal {
        let n = reported.differences.iter().flatten().count();
        reported.writes.clear();
        log.migrations = Some(reported);
        log.refusals.push(refusal);
        let summary =
            format!("the database differs from the migrations ({n} differences), so none is marked as applied");
        if by_name.is_some() && n_others == 0 {
            return Err(Verdict::nothing(Exit::Refused, summary)
                .hint("run the statements above, which only change names, and then drizzle-pilot sync again"));
        }
        return Err(Verdict::nothing(Exit::Refused, summary).hint(
            "make the database and the migrations agree first: add a migration for what only the database has, or \
             use --to TAG if the database does not have all of them",
        ));
    }
    log.migrations = Some(reported);
    let n_rows = rows.len();
    let in_words = format!("{n_rows} {}", if n_rows == 1 { "row" } else { "rows" });
    if args.dry_run {
        return Ok(Verdict::nothing(
            Exit::Changes,
            format!("{in_words} would be written to the migrations table; the database matches"),
        ));
    }

    let writes: Vec<Write> = rows.iter().filter_map(|row| write(row, &migrations_table)).collect();
    let script = Script {
        statements: migrations_table::script(&migrations_table, &writes),
        expected: Some(Expected::from(&seen)),
    };
    let application_name = format!("drizzle-pilot-{} sync", std::process::id());
    let run = Run {
        application_name: &application_name,
        lock: Hold::Take,
        lock_timeout: args.lock_timeout,
        statement_timeout: None,
        deadline: clock.rest(),
        commit_patience: limits::COMMIT,
    };
    let applied = apply::apply(context.dsn(), &script, &run).map_err(|error| transaction::failed(&error, clock))?;
    read_back(&context, had, &in_words, clock, log, applied.signal)
}

/// Looks again, and says what is there.
fn read_back(
    context: &MigrationsContext,
    had: &[Migration],
    in_words: &str,
    clock: &Clock,
    log: &mut Record,
    signal: Option<i32>,
) -> Result<Verdict, Verdict> {
    let changed = |exit, summary: String| Verdict { database: Database::Changed, ..Verdict::nothing(exit, summary) };
    let unseen = |verdict: Verdict| {
        changed(Exit::Unproven, format!("{in_words} written, but could not be read back: {}", verdict.summary))
    };
    let migrations_table = context.migrations_table(clock).map_err(unseen)?;
    let status = context.status(&migrations_table);
    let writes = log.migrations.take().map(|before| before.writes).unwrap_or_default();
    log.migrations = Some(report::Migrations { writes, ..context.reported(&migrations_table, &status) });
    let is_there = |had: &Migration| {
        status.migrations.iter().any(|now| now.entry.tag == had.entry.tag && now.state == State::Applied)
    };
    if let Some(lost) = had.iter().find(|had| !is_there(had)) {
        let summary = format!("{in_words} written, but {} is still not recorded correctly", lost.entry.tag);
        return Err(changed(Exit::Unproven, summary));
    }
    let (exit, also) = match signal {
        Some(signal) => (Exit::Signal(signal), format!("; {} arrived in the meantime", signal_name(signal))),
        None => (Exit::Ok, String::new()),
    };
    Ok(changed(exit, format!("{in_words} written to the migrations table and read back: {}{also}", status.text())))
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

fn refused(differences: &[String], had: &[Migration], by_name: Option<&(&str, String)>) -> Option<Refusal> {
    if differences.is_empty() {
        return None;
    }
    let what = format!("the database differs from what {} migrations make", had.len());
    let mut lines: Vec<String> = differences.iter().map(|difference| format!("  {difference}")).collect();
    if let Some((why, statements)) = by_name {
        lines.push((*why).to_owned());
        lines.extend(statements.lines().map(|statement| format!("  {statement}")));
    }
    let text = format!("refused: {what} (as seen from the migrations)\n{}", lines.join("\n"));
    Some(Refusal { what, allow_with: None, text })
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
