//! Runs the statements that the policy consents to in one transaction, and has drizzle-kit look again.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::cli::Shared;
use crate::db::change::apply::{self, ApplyError, Check, Cut, Fault, Hold, Run, Script, TransactionError};
use crate::kit::driver;
use crate::outcome::{Database, Exit};
use crate::output::console::Console;
use crate::output::logbook::Logbook;
use crate::output::report::{self, Verdict};
use crate::project::look::{self, Clock};
use crate::run::advice;
use crate::run::casting;
use crate::run::copilot::Apart;
use crate::run::flight::{self, Locking, Mission};
use crate::run::gate::recheck;

/// How long the reply to COMMIT may take, where less than that is left of the run's time.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the statements, all or none, then drizzle-kit again as the witness.
pub fn run(
    shared: &Shared,
    mission: &Mission,
    apart: &Apart,
    started: Instant,
    console: &mut Console,
    log: &mut Logbook,
) -> Verdict {
    let clock = Clock::new(started, shared.timeout);
    let rest = clock.rest();
    let script = Script { statements: apart.statements.clone(), expected: Some(apart.expected.clone()) };
    let application_name = format!("{} apply", apart.run_id);
    let run = Run {
        application_name: &application_name,
        lock: match (mission.lock, &apart.lease) {
            (Locking::Held(lease), _) | (_, Some(lease)) => Hold::Leased(lease),
            (Locking::Take { .. } | Locking::None, None) => Hold::Take,
        },
        lock_timeout: mission.lock.wait().min(rest),
        statement_timeout: Some(rest),
        deadline: rest,
        commit_patience: COMMIT_PATIENCE,
    };
    console.say(&format!("running {} in one transaction", statements(script.statements.len())));
    let (wanted, said) = (apart.recheck.wanted(), RefCell::new(None));
    let allows = |now| {
        let outcome = apart.recheck.again(now);
        let allows = outcome.is_ok();
        *said.borrow_mut() = Some(outcome);
        allows
    };
    let check = Check { tables: &apart.recheck.basis.tables, wanted: &wanted, allows: &allows };
    let applied = apply::apply_checked(&apart.dsn, &script, &check, &run);
    log.statements = apart.recheck.judged.take().unwrap_or_else(|| std::mem::take(&mut log.statements));
    match said.into_inner() {
        Some(Ok(rejudged)) => {
            for warning in rejudged.grown {
                console.warn(&warning);
                log.warnings.push(console.clean(&warning));
            }
            log.counted = (!apart.recheck.basis.tables.is_empty()).then(|| recheck::counted_now(true));
        }
        Some(Err(refusal)) => {
            log.refusals.push(report::Refusal::of(&refusal));
            let summary =
                "refused by the policy: what is at stake now is not what was judged; the transaction was rolled back";
            return Verdict::nothing(Exit::Refused, summary);
        }
        None => {}
    }
    let applied = match applied {
        Ok(applied) => applied,
        Err(error) => {
            let verdict = failed(&error, &clock);
            let advice = match (&error, &verdict.error) {
                (ApplyError::Statement { statement, .. }, Some(cause)) if casting::concerns(cause) => {
                    casting::advise(&apart.dsn, std::slice::from_ref(statement), clock.rest()).texts()
                }
                _ => Vec::new(),
            };
            return casting::add(verdict, advice);
        }
    };
    let committed = format!("{} committed in one transaction", statements(applied.n_statements));
    if let Some(signal) = applied.signal {
        let summary = format!("{committed}; {} came while the commit was on its way", driver::signal_name(signal));
        return Verdict { database: Database::Changed, ..Verdict::nothing(Exit::Signal(signal), summary) };
    }
    witness(shared, mission, apart, &clock, &committed, console)
}

fn statements(n_statements: usize) -> String {
    format!("{n_statements} {}", if n_statements == 1 { "statement" } else { "statements" })
}

/// Has drizzle-kit say that nothing is left to do.
fn witness(
    shared: &Shared,
    mission: &Mission,
    apart: &Apart,
    clock: &Clock,
    committed: &str,
    console: &mut Console,
) -> Verdict {
    let look = Mission::to_look(mission.command, mission.kit_args, mission.overlay.clone());
    let shared = Shared { timeout: clock.rest(), ..shared.clone() };
    let (verdict, log) = flight::look_again(&shared, &look, console);
    let changed =
        |exit: Exit, summary: String| Verdict { database: Database::Changed, ..Verdict::nothing(exit, summary) };
    if verdict.exit == Exit::Ok {
        return changed(Exit::Ok, format!("changes applied: {committed}, and drizzle-kit sees no more"));
    }
    let left: Vec<&str> = log.statements.iter().map(|statement| statement.sql.as_str()).collect();
    // drizzle-kit shows some statements again and again, whatever the database has (names over 63 bytes, NULLS NOT
    // DISTINCT, some defaults). Those were run and committed; nothing else may be left.
    if matches!(verdict.exit, Exit::Changes | Exit::Refused)
        && !left.is_empty()
        && left.iter().all(|sql| apart.statements.iter().any(|done| done == sql))
    {
        console
            .warn(&format!("drizzle-kit shows {} of the statements again, although they were committed", left.len()));
        return changed(Exit::Ok, format!("changes applied: {committed}"));
    }
    changed(
        Exit::Unproven,
        format!("{committed}, but drizzle-kit does not say that nothing is left: {}", verdict.summary),
    )
    .hint("look at what is left with drizzle-pilot plan")
}

/// Says why nothing was applied; or, where that cannot be known, so.
pub fn failed(error: &ApplyError, clock: &Clock) -> Verdict {
    let exit = match error {
        ApplyError::Transaction(TransactionError::Unready(error)) => return look::failed(error, clock),
        ApplyError::Transaction(error) => exit_of(error),
        ApplyError::NotAllowed => Exit::Refused,
        ApplyError::Moved { .. } => Exit::StalePlan,
        ApplyError::Statement { .. } => Exit::Failed,
        ApplyError::LeftTransaction { .. } => Exit::Partial,
    };
    let database = error.database();
    let code = match error {
        ApplyError::Statement { fault, .. } => format!(" ({})", fault.sqlstate),
        _ => String::new(),
    };
    let undone = if database == Database::Unchanged { "; the transaction was rolled back" } else { "" };
    // The statement tells more than its error.
    let hint = match error {
        ApplyError::Statement { statement, fault, .. } => {
            advice::advice(&fault.sqlstate, &fault.text(), Some(statement), false).or_else(|| fault.hint.clone())
        }
        _ => None,
    };
    let hint = hint.unwrap_or_else(|| error.hint());
    let verdict = Verdict { database, ..Verdict::nothing(exit, format!("{error}{code}{undone}")) }.hint(hint);
    match error.cause() {
        Some((fault, statement)) => verdict.because(of_fault(fault, statement)),
        None => verdict,
    }
}

/// Returns the exit code for what stopped a transaction.
pub fn exit_of(error: &TransactionError) -> Exit {
    match error {
        TransactionError::Unready(_) | TransactionError::LockLost => Exit::Unavailable,
        TransactionError::Locked { .. } | TransactionError::Busy { .. } => Exit::Locked,
        TransactionError::Elsewhere { .. } => Exit::StalePlan,
        TransactionError::Commit { .. } | TransactionError::Undone { .. } => Exit::Failed,
        TransactionError::Stopped { cut, .. } => match cut {
            Cut::Signal(signal) => Exit::Signal(*signal),
            Cut::Deadline(_) => Exit::Timeout,
            Cut::Lost(_) => Exit::Unavailable,
        },
        TransactionError::Unknown { .. } | TransactionError::Uncalled { .. } => Exit::Unproven,
    }
}

/// Returns what a report says of an error of the server.
pub fn of_fault(fault: &Fault, statement: Option<&String>) -> report::Error {
    report::Error {
        sqlstate: Some(fault.sqlstate.clone()),
        message: fault.message.clone(),
        detail: {
            let told: Vec<&str> = [&fault.detail, &fault.context].into_iter().flatten().map(String::as_str).collect();
            (!told.is_empty()).then(|| told.join("\n"))
        },
        statement: statement.cloned(),
        hint: fault.hint.clone(),
        ..report::Error::default()
    }
}
