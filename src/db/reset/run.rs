//! Runs a plan: at once, or in parts where the server has no room for the locks of all of it.

use std::time::Instant;

use crate::db::change::advisory_lock::AdvisoryLock;
use crate::db::change::error::TransactionError;
use crate::db::change::fault::Cut;
use crate::db::change::transaction::{Hold, Proof, Run};
use crate::db::inspect::blockers::Blocker;
use crate::db::reset::attempt::{Ended, Wanted, attempt, attempt_part};
use crate::db::reset::error::ResetError;
use crate::db::reset::guard::Target;
use crate::db::reset::plan::{ResetPlan, Room};
use crate::db::reset::story::{Event, ResetRun};
use crate::db::reset::transaction::{Done, last_transaction, one_transaction};

/// How often the locks are tried for, unless asked otherwise.
pub const N_ATTEMPTS: u32 = 3;

/// A database that is empty now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// None where another run has emptied it while we waited for the lock.
    pub n_statements: usize,
    pub n_objects: usize,
    pub n_transactions: usize,
    /// Of the transaction that took the most.
    pub n_attempts: u32,
    /// Sessions that we have ended.
    pub terminated: Vec<Blocker>,
    pub proof: Proof,
    /// A signal that came when COMMIT was on its way already.
    pub signal: Option<i32>,
}

/// Empties the database. Must not be called from asynchronous code.
///
/// A signal that ends us (INT, TERM, HUP) stops it up to COMMIT, and is reported beside the outcome after that.
///
/// # Errors
/// With [`ResetError::database`] to tell what is left behind.
#[tracing::instrument(name = "empty", skip_all)]
pub fn reset(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    match plan.room() {
        Room::Surely => at_once(target, plan, run),
        Room::Perhaps => match at_once(target, plan, run) {
            Err(error) if error.is_for_want_of_room() => in_parts(target, plan, run),
            outcome => outcome,
        },
        Room::No => in_parts(target, plan, run),
    }
}

/// As [`reset`], and gives the lock back with the last commit: where all of it fits into one transaction, that is the one
/// that holds the lock, and there is no other login.
///
/// # Errors
/// As [`reset`].
pub fn reset_and_release(
    advisory_lock: AdvisoryLock,
    target: &Target,
    plan: &ResetPlan,
    run: &ResetRun,
) -> Result<Emptied, ResetError> {
    if plan.room() != Room::Surely {
        return reset(target, plan, &ResetRun { run: Run { lock: Hold::Held(&advisory_lock), ..run.run }, ..*run });
    }
    // It is the lock's own transaction that commits: there is no other one to look after.
    let run = &ResetRun { run: Run { lock: Hold::Take, ..run.run }, ..*run };
    let done = last_transaction(advisory_lock, target, run, &plan.locks.relations, async |client, progress| {
        attempt(target.dsn(), client, plan, run, progress).await
    })?;
    Ok(emptied(plan, done))
}

fn at_once(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    let done = one_transaction(target, run, &plan.locks.relations, async |client, progress| {
        attempt(target.dsn(), client, plan, run, progress).await
    })?;
    Ok(emptied(plan, done))
}

fn emptied(plan: &ResetPlan, done: Done<Ended>) -> Emptied {
    let Done { value: ended, n_attempts, terminated, proof, signal } = done;
    let (n_statements, n_objects) = match ended {
        Ended::Dropped => (plan.statements().count(), plan.n_objects),
        Ended::WasEmpty => (0, 0),
    };
    Emptied { n_statements, n_objects, n_transactions: 1, n_attempts, terminated, proof, signal }
}

/// Drops part after part. What is committed stays, however it ends.
fn in_parts(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    (run.watch)(Event::InParts { plan });
    let started = Instant::now();
    let mut room = plan.locks.capacity;
    let mut next = None;
    let mut emptied = Emptied {
        n_statements: 0,
        n_objects: 0,
        n_transactions: 0,
        n_attempts: 0,
        terminated: Vec::new(),
        proof: Proof::Answered,
        signal: None,
    };
    loop {
        let (n_dropped, n_objects) = (emptied.n_objects, plan.n_objects);
        let failed = |cause: ResetError| match n_dropped {
            0 => cause,
            _ => ResetError::Partial { n_dropped, n_objects, cause: Box::new(cause) },
        };
        let deadline = run.run.deadline.saturating_sub(started.elapsed());
        let run = ResetRun { run: Run { deadline, ..run.run }, ..*run };
        let wanted = Wanted { plan, part: next.take(), room };
        let outcome = one_transaction(target, &run, &plan.locks.relations, async |client, progress| {
            attempt_part(target.dsn(), client, &wanted, &run, progress).await
        });
        let done = match outcome {
            // Others hold locks as well. A part of one object cannot be made smaller.
            Err(error) if error.is_for_want_of_room() && room > 1 => {
                room /= 2;
                continue;
            }
            outcome => outcome.map_err(failed)?,
        };
        emptied.n_transactions += 1;
        emptied.n_attempts = emptied.n_attempts.max(done.n_attempts);
        emptied.terminated.extend(done.terminated);
        if done.proof == Proof::Asked {
            emptied.proof = Proof::Asked;
        }
        emptied.n_statements += done.value.n_statements;
        emptied.n_objects = plan.n_objects.saturating_sub(done.value.n_left);
        let n_dropped = emptied.n_objects;
        (run.watch)(Event::Part { n_dropped, n_objects });
        next = done.value.next;
        match (&next, done.signal) {
            (None, signal) => return Ok(Emptied { signal, ..emptied }),
            (Some(_), Some(signal)) => {
                let cause = TransactionError::Stopped { n_done: 0, cut: Cut::Signal(signal), seen_undone: true };
                return Err(ResetError::Partial { n_dropped, n_objects, cause: Box::new(cause.into()) });
            }
            (Some(_), None) => {}
        }
    }
}
