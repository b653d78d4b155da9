//! One transaction on a server, however it ends: the lock, the limits, COMMIT, and the question what became of it.
//!
//! Knows nothing of what is done between its begin and its end.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_postgres::Client;
use tokio_postgres::error::Severity;

use crate::db::change::advisory_lock::AdvisoryLock;
use crate::db::change::begin::Mark;
use crate::db::change::error::TransactionError;
use crate::db::change::fault::{Cut, Fault};
use crate::db::change::lock::{Holder, Lock, try_lock, wait_for_lock};
use crate::db::change::settle::{Fate, fate};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, Signals, leave, runtime};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::explained;
use crate::db::limits::UNDOING;

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
    /// It went no further, and what was done is to be rolled back.
    Refused(E),
    /// The connection is gone.
    Cut(Cut),
}

/// What the server said to COMMIT, and the signal that came when it was on its way already.
enum Reply {
    Committed { signal: Option<i32> },
    Refused(Box<Fault>),
    None { cut: Cut, signal: Option<i32> },
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

/// A connection for one transaction, between one step of the work and the next. Dropped before COMMIT, it rolls back what was
/// done. Must not be used from asynchronous code.
pub(in crate::db) struct Open<'a> {
    pub(super) dsn: &'a Dsn,
    pub(super) run: &'a Run<'a>,
    patience: Patience,
    signals: Signals,
    progress: Progress,
    /// None once it is closed.
    line: Option<Line>,
}

struct Line {
    client: Client,
    runtime: Runtime,
}

/// Why the line of an open transaction is there: whatever closes it takes the transaction itself.
const OPEN: &str = "the connection is closed with the last step";

impl<'a> Open<'a> {
    /// Logs in. The deadline of the run begins.
    pub(in crate::db) fn connect(dsn: &'a Dsn, run: &'a Run<'a>) -> Result<Open<'a>, TransactionError> {
        let runtime = runtime(dsn).map_err(TransactionError::Unready)?;
        let patience = Patience::from_now(run.deadline);
        let session = Session { application_name: run.application_name, options: "" };
        let (mut signals, progress) = (runtime.block_on(async { Signals::watch() }), Progress::default());
        let connected = runtime.block_on(in_time(run, patience, &mut signals, async {
            let unready = |error| Halt::Refused(TransactionError::Unready(error));
            open(dsn, patience, &session).await.map_err(unready)
        }));
        match connected {
            Ok(client) => Ok(Open { dsn, run, patience, signals, progress, line: Some(Line { client, runtime }) }),
            Err(halt) => {
                leave(runtime);
                Err(halted(dsn, run, &progress, halt))
            }
        }
    }

    /// Does a step of the work, up to the deadline or to a signal that ends us.
    pub(in crate::db) fn step<T, E: From<TransactionError>>(
        mut self,
        work: impl AsyncFnOnce(&Client, &mut Progress) -> Result<T, Halt<E>>,
    ) -> Result<(Open<'a>, T), E> {
        let Line { client, runtime } = self.line.as_ref().expect(OPEN);
        let work = work(client, &mut self.progress);
        let worked = runtime.block_on(in_time(self.run, self.patience, &mut self.signals, work));
        match worked {
            Ok(value) => Ok((self, value)),
            Err(Halt::Refused(error)) => Err(error),
            Err(halt) => {
                // The server learns that we are gone before it is asked.
                self.line.take().expect(OPEN).close();
                Err(halted(self.dsn, self.run, &self.progress, halt))
            }
        }
    }

    /// Commits, and finds out what became of it.
    pub(in crate::db) fn commit(mut self) -> Result<(Proof, Option<i32>), TransactionError> {
        let line = self.line.take().expect(OPEN);
        let sent = commit(&line.client, self.dsn, self.run, self.patience, &mut self.signals);
        let reply = line.runtime.block_on(sent);
        line.close();
        settled(self.dsn, self.run, &self.progress, reply)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take() {
            line.runtime.block_on(roll_back(&line.client));
            line.close();
        }
    }
}

impl Line {
    fn close(self) {
        drop(self.client);
        leave(self.runtime);
    }
}

/// Does the work, which begins a transaction, commits, and finds out what became of it. Must not be called from asynchronous
/// code.
pub(in crate::db) fn transact<T, E: From<TransactionError>>(
    dsn: &Dsn,
    run: &Run,
    work: impl AsyncFnOnce(&Client, &mut Progress) -> Result<T, Halt<E>>,
) -> Result<Committed<T>, E> {
    let (open, value) = Open::connect(dsn, run)?.step(work)?;
    let (proof, signal) = open.commit()?;
    Ok(Committed { value, proof, signal })
}

/// As [`transact`], in the transaction that holds the lock, which ends with it.
pub(in crate::db) fn transact_within<T, E: From<TransactionError>>(
    advisory_lock: AdvisoryLock,
    dsn: &Dsn,
    run: &Run,
    work: impl AsyncFnOnce(&Client, &mut Progress) -> Result<T, Halt<E>>,
) -> Result<Committed<T>, E> {
    let mut progress = Progress { mark: Some(advisory_lock.mark().clone()), ..Progress::default() };
    let patience = Patience::from_now(run.deadline);
    // The end of this conversation closes the connection, which is how the server learns that we are gone.
    let replied = advisory_lock.spend(async |client| {
        let mut signals = Signals::watch();
        let worked = in_time(run, patience, &mut signals, work(&client, &mut progress)).await;
        match worked {
            Ok(value) => Ok((value, commit(&client, dsn, run, patience, &mut signals).await)),
            Err(halt) => {
                if let Halt::Refused(_) = halt {
                    roll_back(&client).await;
                }
                Err(halt)
            }
        }
    });
    let (value, reply) = replied.map_err(|halt| halted(dsn, run, &progress, halt))?;
    let (proof, signal) = settled(dsn, run, &progress, reply)?;
    Ok(Committed { value, proof, signal })
}

/// Works up to the deadline or to a signal that ends us.
async fn in_time<T, E>(
    run: &Run<'_>,
    patience: Patience,
    signals: &mut Signals,
    work: impl Future<Output = Result<T, Halt<E>>>,
) -> Result<T, Halt<E>> {
    tokio::select! {
        worked = timeout_at(patience.end, work) => {
            worked.unwrap_or_else(|_| Err(Halt::Cut(Cut::Deadline(run.deadline))))
        }
        signal = signals.next() => Err(Halt::Cut(Cut::Signal(signal))),
    }
}

/// Sends COMMIT, and waits for the reply.
async fn commit(client: &Client, dsn: &Dsn, run: &Run<'_>, patience: Patience, signals: &mut Signals) -> Reply {
    let started = Instant::now();
    let end = patience.end.max(started + run.commit_patience);
    let reply = timeout_at(end, client.batch_execute("COMMIT")).await;
    let signal = tokio::select! {
        biased;
        signal = signals.next() => Some(signal),
        () = tokio::task::yield_now() => None,
    };
    match reply {
        Ok(Ok(())) => Reply::Committed { signal },
        Ok(Err(error)) => match error.as_db_error() {
            // What ends the session says nothing about the transaction.
            Some(answer) if answer.parsed_severity() == Some(Severity::Error) => Reply::Refused(Fault::of(answer)),
            _ => Reply::None { cut: Cut::Lost(explained(dsn, &error)), signal },
        },
        Err(_) => Reply::None { cut: Cut::Deadline(end - started), signal },
    }
}

/// Rolls back before the connection is closed, which does the same when the server notices.
async fn roll_back(client: &Client) {
    let _ = timeout(UNDOING, client.batch_execute("ROLLBACK")).await;
}

/// Says why the work ended before COMMIT, and asks the server where nobody else can tell what became of it.
fn halted<E: From<TransactionError>>(dsn: &Dsn, run: &Run, progress: &Progress, halt: Halt<E>) -> E {
    let n_done = progress.n_done;
    let cut = match halt {
        Halt::Refused(error) => return error,
        Halt::Cut(cut) => cut,
    };
    let error = match progress.fate(dsn, run) {
        Fate::Undone => TransactionError::Stopped { n_done, cut, seen_undone: true },
        Fate::Unknown(_) => TransactionError::Stopped { n_done, cut, seen_undone: false },
        Fate::Committed => TransactionError::Uncalled { n_done, cut },
    };
    error.into()
}

/// Says what became of a COMMIT, and asks the server where the reply was lost.
fn settled(dsn: &Dsn, run: &Run, progress: &Progress, reply: Reply) -> Result<(Proof, Option<i32>), TransactionError> {
    match reply {
        Reply::Committed { signal } => Ok((Proof::Answered, signal)),
        Reply::Refused(fault) => Err(TransactionError::Commit { fault }),
        Reply::None { cut, signal } => match progress.fate(dsn, run) {
            Fate::Committed => Ok((Proof::Asked, signal)),
            Fate::Undone => Err(TransactionError::Undone { cut }),
            Fate::Unknown(reason) => Err(TransactionError::Unknown { cut, reason }),
        },
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
