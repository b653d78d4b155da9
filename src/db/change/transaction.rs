//! One transaction on a server, however it ends: the lock, the limits, COMMIT, and the question what became of it.
//!
//! Knows nothing of what is done between its begin and its end.

use std::ops::Deref;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::error::Severity;

use crate::db::change::advisory_lock::AdvisoryLock;
use crate::db::change::begin::Mark;
use crate::db::change::error::TransactionError;
use crate::db::change::fault::{Cut, Fault};
use crate::db::change::lock::{Holder, Lock, try_lock, wait_for_lock};
use crate::db::change::settle::{Fate, fate};
use crate::db::connection::conversation::{Patience, Signals, converse};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::explained;

/// How a transaction of ours comes by the lock.
#[derive(Debug, Clone, Copy)]
pub enum Hold<'a> {
    /// It takes it itself.
    Take,
    /// The run has it already, and it must have it still when the transaction is committed.
    Held(&'a AdvisoryLock),
}

/// How a script is run. Limits of less than a millisecond are a millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Shown in `pg_stat_activity`; the server cuts it after 63 bytes.
    pub application_name: &'a str,
    pub lock: Hold<'a>,
    /// For each wait for a lock: the advisory one, and those of the statements.
    pub lock_timeout: Duration,
    /// For each statement; `None` leaves what server, database and role have set.
    pub statement_timeout: Option<Duration>,
    /// For everything up to COMMIT.
    pub deadline: Duration,
    /// How long the reply to COMMIT may take, where more of the deadline is not left.
    pub commit_patience: Duration,
}

/// How we know of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The server answered COMMIT.
    Answered,
    /// The reply was lost, and the server said when asked that the transaction is committed.
    Asked,
}

/// A transaction that is committed.
pub(in crate::db) struct Committed<T> {
    pub(in crate::db) value: T,
    pub(in crate::db) proof: Proof,
    /// That came when COMMIT was on its way already.
    pub(in crate::db) signal: Option<i32>,
}

/// Why the work before COMMIT ended early.
pub(in crate::db) enum Halt<E> {
    /// The transaction is rolled back.
    Refused(E),
    /// The connection is gone.
    Cut(Cut),
}

/// How the conversation ended.
enum Ending<T, E> {
    Committed { value: T, signal: Option<i32> },
    Refused(E),
    CommitRefused(Box<Fault>),
    Cut(Cut),
    Unanswered { value: T, cut: Cut, signal: Option<i32> },
}

/// How far a transaction has come, and how the server knows it.
#[derive(Default)]
pub(in crate::db) struct Progress {
    pub(in crate::db) n_done: usize,
    pub(in crate::db) mark: Option<Mark>,
    /// Set before the first statement.
    pub(in crate::db) xid: Option<i64>,
}

impl Progress {
    fn fate(&self, dsn: &Dsn, run: &Run) -> Fate {
        fate(dsn, run.application_name, self.mark.as_ref(), self.xid)
    }
}

/// Does the work, which opens a connection and a transaction, commits, and finds out what became of it. Must not be
/// called from asynchronous code.
pub(in crate::db) fn transact<T, E: From<TransactionError>>(
    dsn: &Dsn,
    run: &Run,
    work: impl AsyncFnOnce(Patience, &mut Progress) -> Result<(Box<Client>, T), Halt<E>>,
) -> Result<Committed<T>, E> {
    let mut progress = Progress::default();
    // The end of the first conversation closes the connection, which is how the server learns that we are gone.
    let ending = converse(dsn, async || one_transaction(dsn, run, &mut progress, work).await);
    settled(dsn, run, &progress, ending.map_err(TransactionError::Unready)?)
}

/// As [`transact`], in the transaction that holds the lock, which ends with it.
pub(in crate::db) fn transact_within<T, E: From<TransactionError>>(
    advisory_lock: AdvisoryLock,
    dsn: &Dsn,
    run: &Run,
    work: impl AsyncFnOnce(&Client, &mut Progress) -> Result<T, Halt<E>>,
) -> Result<Committed<T>, E> {
    let mut progress = Progress { mark: Some(advisory_lock.mark().clone()), ..Progress::default() };
    let ending = advisory_lock.spend(async |client| {
        let work = async |_, progress: &mut Progress| Ok((client.clone(), work(&client, progress).await?));
        one_transaction(dsn, run, &mut progress, work).await
    });
    settled(dsn, run, &progress, ending)
}

/// Says how it ended, and asks the server where nobody else can tell.
fn settled<T, E: From<TransactionError>>(
    dsn: &Dsn,
    run: &Run,
    progress: &Progress,
    ending: Ending<T, E>,
) -> Result<Committed<T>, E> {
    let n_done = progress.n_done;
    let error = match ending {
        Ending::Committed { value, signal } => return Ok(Committed { value, proof: Proof::Answered, signal }),
        Ending::Refused(error) => return Err(error),
        Ending::CommitRefused(fault) => TransactionError::Commit { fault },
        Ending::Cut(cut) => match progress.fate(dsn, run) {
            Fate::Undone => TransactionError::Stopped { n_done, cut, seen_undone: true },
            Fate::Unknown(_) => TransactionError::Stopped { n_done, cut, seen_undone: false },
            Fate::Committed => TransactionError::Uncalled { n_done, cut },
        },
        Ending::Unanswered { value, cut, signal } => match progress.fate(dsn, run) {
            Fate::Committed => return Ok(Committed { value, proof: Proof::Asked, signal }),
            Fate::Undone => TransactionError::Undone { cut },
            Fate::Unknown(reason) => TransactionError::Unknown { cut, reason },
        },
    };
    Err(error.into())
}

async fn one_transaction<T, E, C: Deref<Target = Client>>(
    dsn: &Dsn,
    run: &Run<'_>,
    progress: &mut Progress,
    work: impl AsyncFnOnce(Patience, &mut Progress) -> Result<(C, T), Halt<E>>,
) -> Ending<T, E> {
    let patience = Patience::from_now(run.deadline);
    let mut signals = Signals::watch();
    let worked = tokio::select! {
        worked = timeout_at(patience.end, work(patience, progress)) => worked,
        signal = signals.next() => return Ending::Cut(Cut::Signal(signal)),
    };
    let (client, value) = match worked {
        Ok(Ok(worked)) => worked,
        Ok(Err(Halt::Refused(error))) => return Ending::Refused(error),
        Ok(Err(Halt::Cut(cut))) => return Ending::Cut(cut),
        Err(_) => return Ending::Cut(Cut::Deadline(run.deadline)),
    };

    let started = Instant::now();
    let end = patience.end.max(started + run.commit_patience);
    let reply = timeout_at(end, client.batch_execute("COMMIT")).await;
    let signal = tokio::select! {
        biased;
        signal = signals.next() => Some(signal),
        () = tokio::task::yield_now() => None,
    };
    match reply {
        Ok(Ok(())) => Ending::Committed { value, signal },
        Ok(Err(error)) => match error.as_db_error() {
            // What ends the session says nothing about the transaction.
            Some(answer) if answer.parsed_severity() == Some(Severity::Error) => {
                Ending::CommitRefused(Fault::of(answer))
            }
            _ => Ending::Unanswered { value, cut: Cut::Lost(explained(dsn, &error)), signal },
        },
        Err(_) => Ending::Unanswered { value, cut: Cut::Deadline(end - started), signal },
    }
}

/// Takes the lock, unless the run has it already. Before it waits, says for whom.
pub(in crate::db) async fn lock(
    client: &Client,
    run: &Run<'_>,
    waits: &mut dyn FnMut(Option<&Holder>),
) -> Result<Lock, tokio_postgres::Error> {
    if matches!(run.lock, Hold::Held(_)) || try_lock(client).await? {
        return Ok(Lock::Taken);
    }
    wait_for_lock(client, waits).await
}

/// Tells whether the lock is still ours, right before COMMIT.
pub(in crate::db) async fn holds(client: &Client, run: &Run<'_>) -> Result<bool, tokio_postgres::Error> {
    match run.lock {
        Hold::Take => Ok(true),
        Hold::Held(advisory_lock) => advisory_lock.lives_for(client).await,
    }
}
