//! The stories of a run: alone, as a step of a longer command, and as a second look that changes nothing.

use std::time::Instant;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::run::context::Lent;
use crate::run::spec::RunSpec;
use crate::run::start::{self, Finished};
use crate::run::transaction::{self, Committed, Transaction};

/// Runs drizzle-kit and, where its statements are approved for that, executes them in one transaction.
pub fn run(shared: &Shared, spec: &RunSpec, lent: &Lent, console: &mut Console, record: &mut Record) -> Verdict {
    let clock = Clock::new(Instant::now(), shared.timeout);
    let (transaction, advisory_lock) = match start::run(shared, spec, lent, console, record) {
        Ok(Finished::Over(verdict)) | Err(verdict) => return verdict,
        Ok(Finished::Approved(transaction, advisory_lock)) => (transaction, advisory_lock),
    };
    match transaction::apply(&transaction, spec.lock, advisory_lock.as_deref().or(lent.lock), &clock, console, record) {
        Ok(committed) => {
            let (verdict, look) = look(
                &Shared { timeout: clock.rest(), ..shared.clone() },
                &RunSpec::to_look(spec.command, spec.kit_args, spec.overlay.clone()),
                lent,
                console,
            );
            witnessed(&transaction, committed, &verdict, &look, console)
        }
        Err(verdict) => verdict,
    }
}

/// Runs drizzle-kit once more, to find out what it would execute or write, with a record of its own.
pub fn look(shared: &Shared, spec: &RunSpec, lent: &Lent, console: &mut Console) -> (Verdict, Record) {
    let shared = Shared { report: None, report_html: None, record: None, ..shared.clone() };
    let lent = &Lent::schema_sql(lent.schema_sql);
    let mut record = Record::silent(shared.profile.as_deref());
    match start::run(&shared, spec, lent, console, &mut record) {
        Ok(Finished::Over(verdict)) | Err(verdict) => (verdict, record),
        Ok(Finished::Approved(..)) => {
            (Verdict::internal("looking again", &std::io::Error::other("a look approves nothing")), record)
        }
    }
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
