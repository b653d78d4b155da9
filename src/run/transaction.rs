//! Runs the statements that the policy consents to in one transaction, and judges once more what is at stake while nobody
//! else can write.

use std::fmt;
use std::time::Duration;

use crate::clock::Clock;
use crate::db::change::apply::{ApplyError, Begun, Cut, Executed, Expected, Fault, Hold, Run, TransactionError};
use crate::db::{AdvisoryLock, Dsn, limits};
use crate::outcome::{Database, Error, Exit, Verdict, signal_name};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::output::report;
use crate::project::unseen;
use crate::run::gate::recheck::{Recheck, counted_now};
use crate::run::{advice, type_change};

/// Statements to run in one transaction, and where.
#[derive(Debug)]
pub struct Transaction {
    pub dsn: Dsn,
    /// Marks the session in the server.
    pub run_id: String,
    pub statements: Vec<String>,
    /// Lines of the fingerprint that the statements must leave as they are: of what drizzle-kit repeats, and nobody executes.
    pub kept: Vec<String>,
    /// The database as it was before drizzle-kit looked at it.
    pub expected: Expected,
    /// How long it waits for others who hold what it needs.
    pub lock_wait: Duration,
    /// What the policy is asked again, once nobody else can write.
    pub recheck: Recheck,
}

/// Statements that were committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    pub n_statements: usize,
}

impl fmt::Display for Committed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} committed in one transaction", statements(self.n_statements))
    }
}

/// Runs the statements, all or none.
///
/// # Errors
/// With the verdict, where they were not committed, or a signal came meanwhile.
#[tracing::instrument(name = "transaction", skip_all)]
pub fn apply(
    transaction: &Transaction,
    advisory_lock: Option<&AdvisoryLock>,
    clock: &Clock,
    console: &mut Console,
    record: &mut Record,
) -> Result<Committed, Verdict> {
    let rest = clock.rest();
    let recheck = &transaction.recheck;
    let application_name = format!("{} apply", transaction.run_id);
    let run = Run {
        application_name: &application_name,
        lock: advisory_lock.map_or(Hold::Take, Hold::Held),
        lock_timeout: transaction.lock_wait.min(rest),
        statement_timeout: Some(rest),
        deadline: rest,
        commit_patience: limits::COMMIT,
    };
    let stopped = |error: ApplyError| with_type_change(transaction, &error, clock);
    console.say(&format!("running {} in one transaction", statements(transaction.statements.len())));
    let begun = Begun::begin(&transaction.dsn, Some(&transaction.expected), &recheck.basis.tables, &run);
    let (begun, now) = begun.and_then(|begun| begun.look(&recheck.wanted())).map_err(stopped)?;
    let rechecked = recheck.again(now);
    record.statements = rechecked.statements;
    let rejudged = match rechecked.outcome {
        Ok(rejudged) => rejudged,
        Err(refusal) => {
            record.refusals.push(report::Refusal::of(&refusal));
            let summary = "refused by the policy: what is at stake has changed since the statements were judged; the transaction was rolled back";
            return Err(Verdict::nothing(Exit::Refused, summary));
        }
    };
    let applied = begun
        .execute(&transaction.statements)
        .and_then(|executed| executed.keeping(&transaction.kept))
        .and_then(Executed::commit);
    // Others wait for the locks: nothing is said before they are given back.
    rejudged.grown.iter().for_each(|warning| console.warn_in(record, warning));
    record.counted = (!recheck.basis.tables.is_empty()).then(|| counted_now(true));
    let applied = applied.map_err(stopped)?;
    let committed = Committed { n_statements: applied.n_statements };
    tracing::info!(n_statements = applied.n_statements, "committed");
    if let Some(signal) = applied.signal {
        let summary = format!("{committed}; {} arrived during the commit", signal_name(signal));
        return Err(Verdict { database: Database::Changed, ..Verdict::nothing(Exit::Signal(signal), summary) });
    }
    Ok(committed)
}

fn statements(n_statements: usize) -> String {
    format!("{n_statements} {}", if n_statements == 1 { "statement" } else { "statements" })
}

/// Says why nothing was applied, and how a column can change its type, where that is the reason.
fn with_type_change(transaction: &Transaction, error: &ApplyError, clock: &Clock) -> Verdict {
    let verdict = failed(error, clock);
    let advice = match (error, &verdict.error) {
        (ApplyError::Statement { statement, .. }, Some(cause)) if type_change::concerns(cause) => {
            type_change::advise(&transaction.dsn, std::slice::from_ref(statement), clock.rest()).texts()
        }
        _ => Vec::new(),
    };
    type_change::add(verdict, advice)
}

/// Says why nothing was applied; or, where that cannot be known, so.
pub fn failed(error: &ApplyError, clock: &Clock) -> Verdict {
    let exit = match error {
        ApplyError::Transaction(TransactionError::Unready(error)) => return unseen::verdict(error, clock),
        ApplyError::Transaction(error) => exit_of(error),
        ApplyError::Moved { .. } => Exit::StalePlan,
        ApplyError::NotKept { .. } | ApplyError::NotMade { .. } => Exit::Refused,
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
pub fn of_fault(fault: &Fault, statement: Option<&String>) -> Error {
    Error {
        sqlstate: Some(fault.sqlstate.clone()),
        message: fault.message.clone(),
        detail: {
            let told: Vec<&str> = [&fault.detail, &fault.context].into_iter().flatten().map(String::as_str).collect();
            (!told.is_empty()).then(|| told.join("\n"))
        },
        statement: statement.cloned(),
        hint: fault.hint.clone(),
        ..Error::default()
    }
}
