//! The stories of a run: alone, as a step of a longer command, and as a second look that changes nothing.

use std::time::Instant;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::run::context::Lent;
use crate::run::spec::RunSpec;
use crate::run::start::{self, Approved, Finished};
use crate::run::transaction::{self, Committed, Transaction};

/// Runs drizzle-kit and, where its statements are approved for that, executes them in one transaction.
#[tracing::instrument(skip_all)]
pub fn run(shared: &Shared, spec: &RunSpec, lent: &Lent, console: &mut Console, record: &mut Record) -> Verdict {
    let clock = Clock::new(Instant::now(), shared.timeout);
    let Finished { verdict, approved } = match start::run(shared, spec, lent, clock, console, record) {
        Ok(finished) => finished,
        Err(verdict) => return verdict,
    };
    let Some(Approved { transaction, advisory_lock }) = approved else { return verdict };
    match transaction::apply(&transaction, advisory_lock.as_ref().or(lent.lock), &clock, console, record) {
        Ok(committed) => {
            let (verdict, look) = look(
                &Shared { timeout: clock.rest(), ..shared.clone() },
                &RunSpec::to_look(spec.command, spec.kit_args, spec.overlay.clone()),
                lent,
                console,
            );
            // Its warnings were shown; what both warn of is written down once.
            for warning in &look.warnings {
                if !record.warnings.contains(warning) {
                    record.warnings.push(warning.clone());
                }
            }
            record.comparisons.extend(look.comparisons.iter().cloned());
            witnessed(&transaction, committed, &verdict, &look, console)
        }
        Err(verdict) => verdict,
    }
}

/// Runs drizzle-kit once more, to find out what it would execute or write, with a record of its own.
#[tracing::instrument(name = "second_look", skip_all)]
pub fn look(shared: &Shared, spec: &RunSpec, lent: &Lent, console: &mut Console) -> (Verdict, Record) {
    let shared = Shared { report: None, report_html: None, record: None, ..shared.clone() };
    let lent = &Lent { plan: None, lock: None, ..*lent };
    let mut record = Record::silent(shared.profile.as_deref());
    let clock = Clock::new(Instant::now(), shared.timeout);
    let ended = start::run(&shared, spec, lent, clock, console, &mut record);
    (ended.map_or_else(|verdict| verdict, |finished| finished.verdict), record)
}

/// Says how a run ends whose statements were committed, by what drizzle-kit then says is left to do.
fn witnessed(
    transaction: &Transaction,
    committed: Committed,
    verdict: &Verdict,
    record: &Record,
    console: &mut Console,
) -> Verdict {
    let changed =
        |exit: Exit, summary: String| Verdict { database: Database::Changed, ..Verdict::nothing(exit, summary) };
    if verdict.exit == Exit::Ok {
        return changed(Exit::Ok, format!("changes applied: {committed}, and drizzle-kit finds no more changes"));
    }
    let left: Vec<&str> = record.statements.iter().map(|statement| statement.sql.as_str()).collect();
    // drizzle-kit shows some statements again and again, whatever the database has (names over 63 bytes, NULLS NOT
    // DISTINCT, some defaults). Those were run and committed; nothing else may be left.
    if matches!(verdict.exit, Exit::Changes | Exit::Refused)
        && !left.is_empty()
        && left.iter().all(|sql| transaction.statements.iter().any(|done| done == sql))
    {
        console
            .warn(&format!("drizzle-kit shows {} of the statements again, although they were committed", left.len()));
        return changed(Exit::Ok, format!("changes applied: {committed}"));
    }
    changed(
        Exit::Unproven,
        format!("{committed}, but drizzle-kit does not confirm that nothing is left: {}", verdict.summary),
    )
    .hint("show what is left with drizzle-pilot plan")
}
