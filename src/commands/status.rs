//! `status`: the journal against the history, by the rule of drizzle's own migrator.

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
pub const OTHERS: &str = "the history has migrations that this folder lacks: of another branch, which has to be merged, or of another \
     project that shares the migrations table; give each project one of its own in drizzle's config, migrations: { table: '…' }";

/// What to do where such rows alone keep migrations from being run.
pub const SHARED: &str = "what was skipped is newer than all that the history has of this folder: rows of another project that shares \
     the migrations table, or of another branch, pass it over. For another project, give each one of its own in drizzle's \
     config, migrations: { table: '…' }, and record what is applied already by drizzle-pilot sync --to TAG; for a branch, merge it";

/// What to do before such a table may go.
pub const SHARED_TABLE: &str = "give each project a migrations table of its own in drizzle's config, migrations: { table: '…' }; --all-schemas empties the database of all of them";

/// Returns what to do about the worst that was found.
pub fn advice(status: &Status) -> Option<&'static str> {
    let has = |state| status.in_state(state).next().is_some();
    if has(State::MissingFile) {
        Some(
            "bring the file back (git log --diff-filter=D finds it), or take its entry out of the journal if nothing has applied it",
        )
    } else if has(State::Skipped) && status.is_skipped_by_others {
        Some(SHARED)
    } else if has(State::Skipped) {
        Some(
            "drizzle-pilot sync --repair-order makes what was skipped the newest of the journal; then drizzle-pilot migrate",
        )
    } else if has(State::Repeated) {
        Some("drizzle-pilot sync writes the new time into the history, after a proof that the database has it")
    } else if has(State::Edited) {
        Some(
            "bring the file back as it was applied, and put the change into a new migration; if the database has the change already, drizzle-pilot sync proves and records it",
        )
    } else if !status.unknown.is_empty() {
        Some(OTHERS)
    } else {
        None
    }
}
