//! One transaction of a reset: attempts, until one of them can be committed.

use std::cell::RefCell;
use std::time::Instant;

use tokio_postgres::Client;

use crate::db::change::advisory_lock::AdvisoryLock;
use crate::db::change::begin::{begin_with, mark_for_asking};
use crate::db::change::error::TransactionError;
use crate::db::change::fault::Cut;
use crate::db::change::lock::Lock;
use crate::db::change::transaction::{Committed, Halt, Hold, Progress, Proof, Run, lock, transact, transact_within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::limits::milliseconds;
use crate::db::reset::attempt::{BACK, Failure};
use crate::db::reset::error::ResetError;
use crate::db::reset::guard::Target;
use crate::db::reset::story::{Blockers, Event, ResetRun};

/// What a transaction came to.
pub(super) struct Done<T> {
    pub(super) value: T,
    pub(super) n_attempts: u32,
    pub(super) terminated: Vec<Blocker>,
    pub(super) proof: Proof,
    pub(super) signal: Option<i32>,
}

impl<T> Done<T> {
    fn of(committed: Committed<(Tries, T)>) -> Done<T> {
        let Committed { value: (Tries { n_attempts, terminated }, value), proof, signal } = committed;
        Done { value, n_attempts, terminated, proof, signal }
    }
}

/// Runs attempts until one of them can be committed, and commits it.
pub(super) fn one_transaction<T>(
    target: &Target,
    run: &ResetRun,
    relations: &[u32],
    attempt: impl AsyncFnMut(&Client, &mut Progress) -> Result<T, Failure>,
) -> Result<Done<T>, ResetError> {
    let committed = transact(target.dsn(), &run.run, async |client, progress: &mut Progress| {
        begun(client, target, run, progress).await?;
        attempts(client, target.dsn(), run, relations, progress, attempt).await
    });
    committed.map(Done::of)
}

/// As [`one_transaction`], in the transaction that holds the lock. It ends with it.
pub(super) fn last_transaction<T>(
    advisory_lock: AdvisoryLock,
    target: &Target,
    run: &ResetRun,
    relations: &[u32],
    attempt: impl AsyncFnMut(&Client, &mut Progress) -> Result<T, Failure>,
) -> Result<Done<T>, ResetError> {
    let dsn = target.dsn();
    let committed = transact_within(advisory_lock, dsn, &run.run, async |client, progress: &mut Progress| {
        let unready = |error| unconnected(explained(dsn, &error));
        is_target(target, progress)?;
        progress.xid = ready(client, &run.run).await.map_err(unready)?;
        attempts(client, dsn, run, relations, progress, attempt).await
    });
    committed.map(Done::of)
}

/// What it took to get the locks.
#[derive(Default)]
struct Tries {
    n_attempts: u32,
    terminated: Vec<Blocker>,
}

/// Opens a transaction on the database that was looked at, and takes the lock, unless the run has it.
async fn begun(
    client: &Client,
    target: &Target,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<(), Halt<ResetError>> {
    let unready = |error| unconnected(explained(target.dsn(), &error));

    // A transaction that waits for the advisory lock has no number yet, which would hold up every vacuum.
    let leased = matches!(reset.run.lock, Hold::Held(_));
    let begun = begin_with(client, reset.run.lock_timeout, async || match leased {
        true => ready(client, &reset.run).await,
        false => Ok(None),
    });
    let (mark, xid) = begun.await.map_err(unready)?;
    progress.xid = xid;
    progress.mark = Some(mark);
    is_target(target, progress)?;
    if !leased {
        match lock(client, &reset.run, &mut |_| ()).await.map_err(unready)? {
            Lock::Taken => {}
            Lock::Held { holder, waited } => {
                return Err(Halt::Refused(TransactionError::Locked { holder, waited }.into()));
            }
        }
        progress.xid = ready(client, &reset.run).await.map_err(unready)?;
    }
    Ok(())
}

fn unconnected(error: ConnectError) -> Halt<ResetError> {
    Halt::Refused(TransactionError::Unready(error).into())
}

/// Checks that the transaction is on the database that may be emptied.
fn is_target(target: &Target, progress: &Progress) -> Result<(), Halt<ResetError>> {
    let found = &progress.mark.as_ref().expect("the transaction is open").identity;
    if found == target.identity() {
        return Ok(());
    }
    let (expected, found) = (target.identity().clone(), found.clone());
    Err(Halt::Refused(TransactionError::Elsewhere { expected, found }.into()))
}

/// Tries until it can be committed: everything up to COMMIT.
async fn attempts<T>(
    client: &Client,
    dsn: &Dsn,
    reset: &ResetRun<'_>,
    relations: &[u32],
    progress: &mut Progress,
    mut attempt: impl AsyncFnMut(&Client, &mut Progress) -> Result<T, Failure>,
) -> Result<(Tries, T), Halt<ResetError>> {
    let Run { application_name, lock_timeout, .. } = reset.run;
    let pid = progress.mark.as_ref().expect("the transaction is open").pid;
    let started = Instant::now();
    let mut tries = Tries::default();
    loop {
        tries.n_attempts += 1;
        let cut = |error| cut(dsn, &error);
        let seen = RefCell::new(Vec::new());
        let outcome = tokio::select! {
            outcome = attempt(client, progress) => outcome,
            never = blockers::watch(dsn, application_name, pid, lock_timeout, &seen) => match never {},
        };
        let (sql, fault) = match outcome {
            Ok(value) => return Ok((tries, value)),
            Err(Failure::Cut(cut)) => return Err(Halt::Cut(cut)),
            Err(Failure::Refused(error)) => return Err(Halt::Refused(error)),
            Err(Failure::Fault { sql, fault }) => (sql, fault),
        };
        let last = tries.n_attempts >= reset.n_attempts;
        match &*fault.sqlstate {
            // internal_error is what a look at an object leads to that was dropped in the middle of it.
            "XX000" if !last => (reset.watch)(Event::Disturbed { n_attempts: tries.n_attempts }),
            // lock_not_available and deadlock_detected.
            "55P03" | "40P01" => {}
            _ => return Err(Halt::Refused(ResetError::Statement { sql, fault })),
        }
        // What an attempt has locked and dropped is given back before the next, while the advisory lock is kept.
        client.batch_execute(BACK).await.map_err(cut)?;
        progress.n_done = 0;
        if fault.sqlstate == "XX000" {
            continue;
        }
        let mut by = seen.into_inner();
        if by.is_empty() {
            by = blockers::holders_of(client, relations).await.map_err(cut)?;
        }
        if last {
            let (n_attempts, waited) = (tries.n_attempts, started.elapsed());
            return Err(Halt::Refused(TransactionError::Busy { by, n_attempts, waited }.into()));
        }
        if reset.blockers == Blockers::TerminateOwn {
            blockers::terminate(client, &mut by).await.map_err(cut)?;
            tries.terminated.extend(by.iter().filter(|blocker| blocker.terminated).cloned());
        }
        (reset.watch)(Event::Blocked { n_attempts: tries.n_attempts, by: &by });
    }
}

/// Makes a transaction that has the lock ready for the first attempt, in one journey, and returns its number.
async fn ready(client: &Client, run: &Run<'_>) -> Result<Option<i64>, tokio_postgres::Error> {
    // Whatever the user, the database or the role have set: names are written out, and only we decide when to give up.
    let settings = format!(
        "SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; SET LOCAL lock_timeout = {};
         SET LOCAL statement_timeout = 0;
         SET LOCAL client_min_messages = warning;
         SAVEPOINT attempt",
        milliseconds(run.lock_timeout)
    );
    let (xid, set) =
        tokio::join!(biased; mark_for_asking(client, run.statement_timeout), client.batch_execute(&settings));
    set?;
    xid
}

/// Tells a lost connection. What the server answers where it cannot fail is told in the same way.
fn cut(dsn: &Dsn, error: &tokio_postgres::Error) -> Halt<ResetError> {
    Halt::Cut(Cut::Lost(explained(dsn, error)))
}
