//! `migrate`: under the lock, compare folder and migrations table, let drizzle-kit apply what is pending, and look again.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

use crate::cli::{self, MigrateArgs, Shared};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::commands::status;
use crate::db::change::rehearsal::{self, Rehearsal};
use crate::db::connection::preflight;
use crate::db::inspect::migrations_table::MigrationsTable;
use crate::db::{AdvisoryLock, limits};
use crate::kit::config::{FailedStatement, Overlay};
use crate::migrations::query::{Query, queries};
use crate::migrations::state::{self, Migration, State, Status};
use crate::migrations::steps::{self, Obstacle};
use crate::migrations::{SqlFile, reorder};
use crate::outcome::LOCK_LOST;
use crate::outcome::{Database, Error, Exit, Verdict};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::record::Record;
use crate::output::record::View;
use crate::output::report::{self, Refusal};
use crate::policy::model::Apply;
use crate::policy::model::{Anomaly, MigrateGate};
use crate::policy::{self, Policy};
use crate::project::guard::{self, Changes};
use crate::project::migrations::{self, MigrationsContext};
use crate::project::{root, unseen};
use crate::proof::confine::confined;
use crate::run::Lent;
use crate::run::gate::pending;
use crate::run::lock;
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::story;
use crate::run::transaction::of_fault;

const COMMAND: CommandName = CommandName::Migrate;

/// Runs the command.
pub fn run(shared: &Shared, args: &MigrateArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |clock, console, log| {
        let verdict = attempt(shared, args, clock, console, log)?;
        Ok(match (&args.ready_file, verdict.exit) {
            (Some(file), Exit::Ok) => match std::fs::write(file, "") {
                Ok(()) => verdict,
                Err(error) => not_ready(&verdict, file, &error),
            },
            _ => verdict,
        })
    })
}

/// What was applied stays so; but whoever waits for the file waits in vain.
fn not_ready(verdict: &Verdict, file: &Path, error: &std::io::Error) -> Verdict {
    let summary = format!("{}, but the ready file {} could not be written: {error}", verdict.summary, file.display());
    let exit = if verdict.database == Database::Unchanged { Exit::Failed } else { Exit::Unproven };
    Verdict { database: verdict.database, ..Verdict::nothing(exit, summary) }
}

fn attempt(
    shared: &Shared,
    args: &MigrateArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    unready(args)?;
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, log)?;
    let context = MigrationsContext::find(COMMAND, shared, &args.place, &cwd, console, log)?;
    let policy = guard::check(COMMAND, Changes::Database, shared, &policies, context.place.drizzle.as_ref(), log)?;
    if let Some(wait) = args.wait_for_db {
        let wait = wait.min(clock.rest());
        let mut told = |error: &str| console.say(&format!("waiting for the database: {error}"));
        preflight::await_server(context.dsn(), &run_id(), wait, &mut told)
            .map_err(|error| unseen::verdict(&error, clock))?;
    }
    let advisory_lock =
        lock::take(lock::connection(context.dsn(), &run_id(), "", clock)?, args.lock_timeout, clock, console)?;

    let migrating = Migrating {
        shared,
        policy: &policy,
        context: &context,
        url: args.place.url.as_deref(),
        migrations: args.place.migrations.as_deref(),
        kit_args: cli::kit_args(&args.kit_args),
        advisory_lock: &advisory_lock,
        clock,
        cwd: &cwd,
    };
    migrating.run(console, log)
}

/// Everything that is needed once the lock is held.
pub struct Migrating<'a> {
    pub shared: &'a Shared,
    pub policy: &'a Policy,
    pub context: &'a MigrationsContext,
    /// The database and the folder, where they are not those of drizzle's config.
    pub url: Option<&'a str>,
    pub migrations: Option<&'a Path>,
    /// More arguments for drizzle-kit.
    pub kit_args: &'a [OsString],
    pub advisory_lock: &'a AdvisoryLock,
    pub clock: &'a Clock,
    pub cwd: &'a Path,
}

impl Migrating<'_> {
    /// Applies what is pending, and proves it by the migrations table.
    ///
    /// # Errors
    /// With the verdict, where it is not all applied.
    pub fn run(&self, console: &mut Console, log: &mut Record) -> Result<Verdict, Verdict> {
        let Migrating { context, policy, clock, .. } = self;
        let before = context.migrations_table(clock)?;
        let status = context.status(&before);
        log.migrations = Some(context.reported(&before, &status));
        if !status.unknown.is_empty() {
            warn(log, console, &format!("{}; drizzle-pilot status lists them", status::OTHERS));
        }
        admit(&status, policy, log)?;
        let pending: Vec<Migration> =
            status.migrations.iter().filter(|migration| will_run(migration.state)).copied().collect();
        if pending.is_empty() {
            return Ok(Verdict::nothing(Exit::Ok, format!("there is nothing to do: {}", status.text())));
        }
        let steps =
            steps::plan(&context.folder, &status, before.server).map_err(|obstacle| cannot_run(context, &obstacle))?;
        if steps.len() > 1 {
            warn(
                log,
                console,
                &format!(
                    "these migrations run in {} steps, because PostgreSQL does not let a transaction use an enum value that \
                     the transaction itself added (55P04); each step is committed",
                    steps.len()
                ),
            );
        }
        for query in pending.iter().filter_map(|migration| migration.file).flat_map(queries) {
            let Some(what) = steps::control(&query) else { continue };
            let (file, line) = (context.file(query.file.tag()), query.place(None).line);
            let text = format!(
                "{}:{line}: {what} ends drizzle's transaction: statements from here on are kept when a later one fails, \
                 although the migrations table does not record the migration",
                file.display()
            );
            warn(log, console, &text);
        }
        if let Some(unrecorded) = migrations::unrecorded(&before) {
            warn(log, console, &unrecorded);
        }
        let weighed = self.weigh(&pending, &before, console, log)?;
        let outcome = run_steps(self, &steps, &pending, &before, console, log);
        log.statements = weighed;
        outcome
    }

    /// Judges what is about to run as a push would be, and returns the statements that need consent.
    fn weigh(
        &self,
        pending: &[Migration],
        before: &MigrationsTable,
        console: &mut Console,
        log: &mut Record,
    ) -> Result<Vec<report::Statement>, Verdict> {
        let gate = self.policy.migrate_gate();
        if gate == MigrateGate::Off {
            return Ok(Vec::new());
        }
        let Some(mut weighed) = pending::weigh(self.context, self.policy, pending, before, self.clock) else {
            return Ok(Vec::new());
        };
        for warning in &weighed.warnings {
            warn(log, console, warning);
        }
        match weighed.refusal.take() {
            Some(refusal) if gate == MigrateGate::Refuse => {
                let first = weighed.told.first().map_or(refusal.what.as_str(), String::as_str);
                let more = match weighed.told.len().saturating_sub(1) {
                    0 => String::new(),
                    n => format!(", and {n} more"),
                };
                let summary = format!("the policy does not allow these migrations: {first}{more}");
                log.statements = weighed.statements;
                log.refusals.push(Refusal::of(&refusal));
                Err(Verdict::nothing(Exit::Refused, summary))
            }
            Some(_) => {
                for told in &weighed.told {
                    warn(
                        log,
                        console,
                        &format!(
                            "{told}; the policy does not allow it, and [migrate] gate = \"refuse\" would refuse it"
                        ),
                    );
                }
                weighed.warned();
                Ok(weighed.statements)
            }
            None => Ok(weighed.statements),
        }
    }
}

/// Looks whether all migrations of a folder can be applied to a database that has none of them.
///
/// # Errors
/// With the verdict, where one has no file, or drizzle's migrator cannot run it.
pub fn rebuilds(context: &MigrationsContext, policy: &Policy, log: &mut Record) -> Result<(), Verdict> {
    let status = state::compare(&context.folder, context.journal(), &[]);
    admit(&status, policy, log)?;
    let planned = steps::plan(&context.folder, &status, None);
    planned.map(|_| ()).map_err(|obstacle| cannot_run(context, &obstacle))
}

/// Removes the ready file: what it says is not true yet.
fn unready(args: &MigrateArgs) -> Result<(), Verdict> {
    let Some(file) = &args.ready_file else { return Ok(()) };
    // Known before anything is applied: afterwards nothing could say that it was.
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        let summary = format!("the ready file cannot be written: the folder {} does not exist", folder.display());
        return Err(Verdict::nothing(Exit::Usage, summary));
    }
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Verdict::nothing(Exit::Failed, format!("removing the ready file {}: {error}", file.display())))
        }
        _ => Ok(()),
    }
}

fn run_id() -> String {
    format!("drizzle-pilot-{} migrate", std::process::id())
}

fn warn(log: &mut Record, console: &mut Console, text: &str) {
    console.warn(text);
    log.warnings.push(console.clean(text));
}

/// Tells whether drizzle's migrator runs a migration.
fn will_run(state: State) -> bool {
    match state {
        State::Pending | State::Repeated => true,
        State::Applied | State::Skipped | State::Edited | State::MissingFile => false,
    }
}

/// Refuses where the folder contradicts the migrations table, unless the policy allows it.
fn admit(status: &Status, policy: &Policy, log: &mut Record) -> Result<(), Verdict> {
    let tags =
        |state: State| -> Vec<&str> { status.in_state(state).map(|migration| migration.entry.tag.as_str()).collect() };
    let missing = tags(State::MissingFile);
    if !missing.is_empty() {
        let summary = format!("the journal names {}, but that file does not exist", missing.join(", "));
        let verdict = Verdict::nothing(Exit::BadMigrations, summary);
        return Err(match status::advice(status) {
            Some(advice) => verdict.hint(advice),
            None => verdict,
        });
    }
    let states =
        [(State::Skipped, Anomaly::Skipped), (State::Edited, Anomaly::Edited), (State::Repeated, Anomaly::Repeated)];
    for (state, anomaly) in states {
        let tags = tags(state);
        let why = state.why().unwrap_or_default();
        let what = format!("{} {}: {why}", state.word(), tags.join(", "));
        if !tags.is_empty()
            && let Some(refusal) = policy::migrate::refusal(policy, anomaly, &what)
        {
            log.refusals.push(Refusal::of(&refusal));
        }
    }
    if log.refusals.is_empty() {
        return Ok(());
    }
    let verdict =
        Verdict::nothing(Exit::Refused, format!("the folder contradicts the migrations table: {}", status.text()));
    Err(match status::advice(status) {
        Some(advice) => verdict.hint(advice),
        None => verdict,
    })
}

/// Names what drizzle's migrator cannot run, before anything runs.
fn cannot_run(context: &MigrationsContext, obstacle: &Obstacle) -> Verdict {
    match obstacle {
        Obstacle::Undone { query, at, what } => {
            let (file, line) = (context.file(query.file.tag()).display().to_string(), query.place_of(*at).line);
            let summary = format!("{file}:{line}: {what} would roll back the earlier migrations of this run, and drizzle would still record them as applied");
            let error = Error {
                message: format!("{what} in a migration"),
                statement: Some(query.text.trim().to_owned()),
                file: Some(file),
                line: Some(line),
                ..Error::default()
            };
            Verdict::nothing(Exit::Failed, summary)
                .because(error)
                .hint("remove it: drizzle runs migrations in a transaction of its own, which is rolled back when a statement fails")
        }
        Obstacle::Alone { query, at, what } => {
            let (file, line) = (context.file(query.file.tag()).display().to_string(), query.place_of(*at).line);
            let summary = format!("{file}:{line}: {what} cannot run inside a transaction (25001), and drizzle-kit runs all pending migrations in one");
            let error = Error {
                sqlstate: Some("25001".to_owned()),
                message: format!("{what} cannot run inside a transaction block"),
                statement: Some(query.text.trim().to_owned()),
                file: Some(file),
                line: Some(line),
                ..Error::default()
            };
            Verdict::nothing(Exit::Failed, summary).because(error).hint(
                "run it by hand, and remove it from the migration or write IF NOT EXISTS without CONCURRENTLY there; or end \
                 drizzle's transaction before it with `COMMIT;` and `--> statement-breakpoint`, and make everything \
                 after it idempotent; docs/migration-workflow.md has the steps",
            )
        }
        Obstacle::Order { tag } => Verdict::nothing(
            Exit::Failed,
            format!("these migrations have to run in steps (55P04), and drizzle would skip {tag}: its `when` is not the greatest"),
        )
        .hint("in the journal, give it a `when` greater than all before it"),
    }
}

/// Lets drizzle-kit run step by step, and looks after the last what is there.
fn run_steps(
    migrating: &Migrating,
    steps: &[usize],
    pending: &[Migration],
    before: &MigrationsTable,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let Migrating { context, clock, .. } = migrating;
    log.is_silent = true;
    let reported = log.migrations.take();
    let warnings = std::mem::take(&mut log.warnings);
    let mut verdict = Verdict::nothing(Exit::Ok, "");
    for (step_idx, n_entries) in steps.iter().enumerate() {
        if steps.len() > 1 {
            console.say(&format!("step {} of {}", step_idx + 1, steps.len()));
        }
        verdict = step(migrating, (steps.len() > 1).then_some(*n_entries), console, log)?;
        if verdict.exit != Exit::Ok {
            break;
        }
    }
    log.migrations = reported;
    log.warnings.splice(0..0, warnings);

    // The migrations table is written in the transaction of the statements: what it has is what was applied.
    let after = match context.migrations_table(&after_all(clock)) {
        Ok(after) => after,
        Err(unseen) => return Err(not_seen(&verdict, &unseen)),
    };
    let status = context.status(&after);
    let mut reported = context.reported(&after, &status);
    let was_pending = |tag: &str| pending.iter().any(|migration| migration.entry.tag == tag);
    for entry in &mut reported.entries {
        entry.applied_now = entry.state == State::Applied.word() && was_pending(&entry.tag);
    }
    let n_applied = reported.entries.iter().filter(|entry| entry.applied_now).count();
    log.migrations = Some(reported);
    let n_rows = after.records().len().saturating_sub(before.records().len());
    let in_words = |n: usize| format!("{n} {}", if n == 1 { "migration" } else { "migrations" });
    if verdict.exit == Exit::Ok {
        if n_applied == pending.len() && n_rows >= pending.len() {
            let summary = format!("{} applied, as the migrations table shows", in_words(n_applied));
            return Ok(Verdict { database: Database::Changed, ..Verdict::nothing(Exit::Ok, summary) });
        }
        let summary = format!(
            "drizzle-kit reported success, but the migrations table has {n_rows} of {}",
            in_words(pending.len())
        );
        return Err(Verdict::maybe(Exit::Unproven, summary).hint("drizzle-pilot status shows what was applied"));
    }
    let aftermath = Aftermath {
        clock: after_all(clock),
        context,
        pending,
        before,
        n_applied,
        n_rows,
        lost_the_lock: !migrating.advisory_lock.lives(),
    };
    Err(failed(verdict, &aftermath, log))
}

/// Time to look again, although that of the run may be over.
fn after_all(clock: &Clock) -> Clock {
    Clock::new(Instant::now(), clock.rest().max(limits::LAST_LOOK))
}

fn not_seen(verdict: &Verdict, unseen: &Verdict) -> Verdict {
    let summary = if verdict.exit == Exit::Ok {
        format!("drizzle-kit reported success, but the migrations table could not be read: {}", unseen.summary)
    } else {
        format!("{}; and the migrations table could not be read: {}", verdict.summary, unseen.summary)
    };
    let exit = if verdict.exit == Exit::Ok { Exit::Unproven } else { verdict.exit };
    let database = if verdict.exit == Exit::Ok { Database::Maybe } else { verdict.database };
    let verdict = Verdict { database, ..Verdict::nothing(exit, summary) };
    match &unseen.hint {
        Some(hint) => verdict.hint(hint.clone()),
        None => verdict,
    }
}

/// Runs drizzle-kit once, with all entries of the journal or the first alone.
fn step(
    migrating: &Migrating,
    n_entries: Option<usize>,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let Migrating { shared, context, url, migrations, kit_args, advisory_lock, clock, cwd, .. } = migrating;
    let copy = n_entries.map(|n_entries| first_entries(context, n_entries)).transpose().map_err(|error| {
        Verdict::nothing(Exit::Failed, format!("copying the first migrations into a temporary folder: {error}"))
    })?;
    let named = migrations.map(|named| cwd.join(named));
    let out = copy.as_ref().map(|copy| copy.path().to_owned()).or(named);
    let kit_args: Vec<OsString> = std::iter::once(COMMAND.as_str().into()).chain(kit_args.iter().cloned()).collect();
    let spec = RunSpec {
        command: COMMAND,
        kit_args: &kit_args,
        asks: Asks::AsItLikes,
        touches: Touches::Database,
        consent: Consent::ByPolicy,
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay: Overlay {
            db_credentials: url.map(|url| serde_json::json!({ "url": url })),
            out: out.map(|out| out.display().to_string()),
            ..Overlay::default()
        },
        lock: Locking::Held,
    };
    let shared = Shared { timeout: clock.rest(), ..(*shared).clone() };
    Ok(story::run(&shared, &spec, &Lent { lock: Some(advisory_lock), ..Lent::nothing() }, console, log))
}

/// Makes a folder with the first entries of the journal and their files. The project's stays as it is.
fn first_entries(context: &MigrationsContext, n_entries: usize) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::Builder::new().prefix("drizzle-pilot-").tempdir()?;
    std::fs::create_dir(folder.path().join("meta"))?;
    let journal = context.journal();
    let text = reorder::first(journal, n_entries).unwrap_or_else(|| journal.text.clone());
    std::fs::write(folder.path().join("meta/_journal.json"), text)?;
    let files = journal.entries[..n_entries].iter().filter_map(|entry| context.folder.file(entry));
    // The bytes and not the text: what node reads must be the same.
    for SqlFile { name, .. } in files {
        std::fs::copy(context.folder.path.join(name), folder.path().join(name))?;
    }
    Ok(folder)
}

/// What is known after drizzle-kit failed.
struct Aftermath<'a> {
    /// For another look.
    clock: Clock,
    context: &'a MigrationsContext,
    pending: &'a [Migration<'a>],
    before: &'a MigrationsTable,
    n_applied: usize,
    n_rows: usize,
    /// drizzle-kit was stopped for it, or had ended before.
    lost_the_lock: bool,
}

/// Says which statement failed, why, and what is left of it.
fn failed(verdict: Verdict, aftermath: &Aftermath, log: &mut Record) -> Verdict {
    let Aftermath { context, pending, before, n_applied, n_rows, .. } = aftermath;
    let control = pending
        .iter()
        .filter_map(|migration| migration.file)
        .flat_map(queries)
        .find_map(|query| steps::control(&query).map(|what| (query, what)));
    // The migrations of a step run in one transaction, which the server undoes whole when one statement fails.
    let database = match (*n_rows, &control, verdict.database) {
        (_, _, Database::Unchanged) => Database::Unchanged,
        (0, None, _) => Database::Unchanged,
        (0, Some(_), _) => Database::Maybe,
        _ => Database::Changed,
    };
    let exit = match (verdict.exit, database) {
        (Exit::Partial | Exit::Failed, Database::Unchanged) => Exit::Failed,
        (Exit::Partial | Exit::Failed, _) => Exit::Partial,
        (exit, _) => exit,
    };
    let left = match (database, control) {
        (Database::Unchanged, _) => String::new(),
        (Database::Maybe, Some((query, what))) => {
            format!("; {} has {what}, so the statements before it were kept", context.file(query.file.tag()).display())
        }
        _ => format!("; {n_applied} of {} migrations were applied", pending.len()),
    };
    let told = log.failed.take();
    if aftermath.lost_the_lock && told.is_none() && matches!(exit, Exit::Failed | Exit::Partial) {
        // Whoever has the lock now may be at work: nothing is tried once more.
        let summary = format!("the lock on this database was lost, and drizzle-kit was stopped{left}");
        let exit = if database == Database::Unchanged { Exit::Unavailable } else { Exit::Partial };
        return Verdict { database, ..Verdict::nothing(exit, summary) }.hint(LOCK_LOST);
    }
    let known = told.as_ref().and_then(|failed| find(pending, failed));
    let (found, error) = match (known, exit, control) {
        (None, Exit::Failed, None) if told.is_none() => rehearsed(&verdict, aftermath),
        (known, ..) => (known, verdict.error.clone()),
    };
    let mut hint: Vec<String> = verdict.hint.clone().into_iter().collect();
    if let Some(code) = error.as_ref().and_then(|error| error.sqlstate.as_deref())
        && matches!(code, "42P07" | "42710" | "42P06" | "42701")
        && before.records().is_empty()
    {
        hint.insert(0, "the migrations table is empty and the object already exists: if a push built this database, drizzle-pilot sync verifies that and records the migrations".to_owned());
    }
    let summary = match (&found, &error) {
        (Some((query, line)), Some(error)) => {
            let file = context.file(query.file.tag());
            let code = error.sqlstate.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            format!("{}:{line}: statement {} failed: {}{code}{left}", file.display(), query.idx + 1, error.message)
        }
        _ => format!("{}{left}", verdict.summary),
    };
    if matches!(exit, Exit::Failed | Exit::Partial) && error.is_none() {
        hint.push("the reason is unknown: drizzle-kit did not report it, and no statement failed when they were tried in a transaction that was rolled back; check the server log".to_owned());
    }
    let verdict = Verdict { exit, database, summary, hint: (!hint.is_empty()).then(|| hint.join("\nhint: ")), error };
    match (found, verdict.error) {
        (Some((query, line)), Some(error)) => Verdict {
            error: Some(Box::new(Error {
                file: Some(context.file(query.file.tag()).display().to_string()),
                line: Some(line),
                statement: Some(query.text.trim().to_owned()),
                ..*error
            })),
            ..verdict
        },
        (_, error) => Verdict { error, ..verdict },
    }
}

/// Tries the same statements once more and undoes them, where drizzle-kit's driver did not say which of them failed:
/// drizzle-kit up to 0.22 has a driver within itself, and some projects have another one than pg.
fn rehearsed<'a>(verdict: &Verdict, aftermath: &Aftermath<'a>) -> (Option<(Query<'a>, usize)>, Option<Box<Error>>) {
    let Aftermath { clock, context, pending, .. } = aftermath;
    let unknown = (None, verdict.error.clone());
    let all: Vec<Query> = pending.iter().filter_map(|migration| migration.file).flat_map(queries).collect();
    let statements: Vec<String> = all.iter().map(|query| query.text.to_owned()).collect();
    let (tried, _) = confined(&statements, |confine| {
        rehearsal::rehearse(context.dsn(), confine, limits::REHEARSAL.min(clock.rest()))
    });
    let Ok(Rehearsal::Fails { idx, fault }) = tried else {
        return unknown;
    };
    // Where drizzle-kit told another reason, what was tried is not what failed.
    let is_told = |error: &Error| error.sqlstate.as_deref().is_none_or(|code| code == fault.sqlstate);
    if !verdict.error.as_deref().is_none_or(is_told) {
        return unknown;
    }
    let query = all[idx];
    let at = fault.position.and_then(|position| usize::try_from(position).ok()?.checked_sub(1));
    let error = verdict.error.clone().unwrap_or_else(|| Box::new(of_fault(&fault, None)));
    (Some((query, query.place(at).line)), Some(error))
}

/// Finds the statement in the files, and the line of its fault.
fn find<'a>(pending: &[Migration<'a>], failed: &FailedStatement) -> Option<(Query<'a>, usize)> {
    let all = pending.iter().filter_map(|migration| migration.file).flat_map(queries);
    let is_it = |query: &Query| {
        let is_cut = failed.statement.encode_utf16().count() >= FailedStatement::LONGEST - 1;
        query.text == failed.statement || (is_cut && query.text.starts_with(&failed.statement))
    };
    let mut by_text: BTreeMap<usize, Query> = all.enumerate().filter(|(_, query)| is_it(query)).collect();
    // Where two migrations have the same statement, it was the first that could fail: the transaction ends with it.
    let (_, query) = by_text.pop_first()?;
    Some((query, query.place(failed.at()).line))
}
