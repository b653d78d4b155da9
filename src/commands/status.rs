//! `status`: the journal against the migrations table, by the rule of drizzle's own migrator.

use std::path::Path;

use crate::cli::{Shared, StatusArgs};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::migrations::journal;
use crate::migrations::rule::JOURNAL_AHEAD;
use crate::migrations::state::{State, Status};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::record::Record;
use crate::output::record::View;
use crate::policy::Policy;
use crate::project::guard::{self, Changes};
use crate::project::migrations::{self, MigrationsContext};
use crate::project::{folder, root};

const COMMAND: CommandName = CommandName::Status;

/// Runs the command.
pub fn run(shared: &Shared, args: &StatusArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |clock, console, log| attempt(shared, args, clock, console, log))
}

fn attempt(
    shared: &Shared,
    args: &StatusArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, log)?;
    let context = MigrationsContext::find(COMMAND, shared, &args.place, &cwd, console, log)?;
    let policy = guard::check(COMMAND, Changes::Nothing, shared, &policies, context.place.drizzle.as_ref(), log)?;
    let migrations_table = context.migrations_table(clock)?;
    let status = context.status(&migrations_table);
    log.migrations = Some(context.reported(&migrations_table, &status));
    if status.is_clean() {
        return Ok(ahead(&context, &policy, &cwd, &status).unwrap_or_else(|| Verdict::nothing(Exit::Ok, status.text())));
    }
    let verdict = Verdict::nothing(Exit::Changes, status.text());
    Ok(match migrations::unrecorded(&migrations_table).or_else(|| advice(&status).map(str::to_owned)) {
        Some(hint) => verdict.hint(hint),
        None => verdict,
    })
}

/// Says that the newest migration is ahead of the clock, before the next one is passed over for it.
fn ahead(context: &MigrationsContext, policy: &Policy, cwd: &Path, status: &Status) -> Option<Verdict> {
    let surroundings = folder::surroundings(&context.folder, cwd);
    let found = policy.check().wishing(|wishes| journal::check(&context.folder, surroundings, wishes));
    let ahead = found.into_iter().find(|finding| finding.id == JOURNAL_AHEAD.id)?;
    let summary = format!("{}, but {}: drizzle would never run the next migration", status.text(), ahead.sentence);
    Some(Verdict::nothing(Exit::Changes, summary).hint(ahead.what_to_do))
}

/// What to do about rows that no file explains.
pub const OTHERS: &str = "the migrations table has migrations that this folder lacks: from another branch, which has to be merged, or \
     from another project that shares the table; give each project its own table in drizzle's config, migrations: { \
     table: '…' }";

/// What to do where such rows alone keep migrations from being run.
pub const SHARED: &str = "the skipped migrations are newer than every row that the migrations table has from this folder: rows from \
     another project or another branch cause the skip. If projects share the table, give each its own in drizzle's \
     config, migrations: { table: '…' }, and mark what is already applied with drizzle-pilot sync --to TAG; if it is a \
     branch, merge it";

/// What to do before such a table may go.
pub const SHARED_TABLE: &str = "give each project its own migrations table in drizzle's config, migrations: { table: '…' }; --all-schemas drops the objects of all projects";

/// Returns what to do about the worst that was found.
pub fn advice(status: &Status) -> Option<&'static str> {
    let has = |state| status.in_state(state).next().is_some();
    if has(State::MissingFile) {
        Some(
            "restore the file (git log --diff-filter=D finds it), or remove its entry from the journal if no database has applied it",
        )
    } else if has(State::Skipped) && status.is_skipped_by_others {
        Some(SHARED)
    } else if has(State::Skipped) {
        Some(
            "drizzle-pilot sync --repair-order makes skipped migrations the newest in the journal; then drizzle-pilot migrate",
        )
    } else if has(State::Repeated) {
        Some(
            "drizzle-pilot sync writes the new `when` to the migrations table, after verifying that the database matches",
        )
    } else if has(State::Edited) {
        Some(
            "restore the file as it was applied, and put the change into a new migration; if the database already has the change, drizzle-pilot sync verifies that and records it",
        )
    } else if !status.unknown.is_empty() {
        Some(OTHERS)
    } else {
        None
    }
}
