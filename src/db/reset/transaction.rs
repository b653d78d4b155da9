//! One transaction of a reset: attempts, until one of them can be committed.

use std::cell::RefCell;
use std::time::Instant;

use tokio_postgres::Client;

use crate::db::change::lease::Hold;
use crate::db::change::transaction::{
    Cut, Fate, Halt, Lock, Outcome, Progress, Proof, Run, begin_with, lock, mark_for_asking, transact,
};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::Patience;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::explained;
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::reset::attempt::{BACK, Failure};
use crate::db::reset::error::ResetError;
use crate::db::reset::guard::Target;
use crate::db::reset::story::{Blockers, Event, ResetRun};

/// What a transaction came to.
pub(super) struct Committed<T> {
    pub(super) value: T,
    pub(super) n_attempts: u32,
    pub(super) terminated: Vec<Blocker>,
    pub(super) proof: Proof,
    pub(super) signal: Option<i32>,
}

/// Runs attempts until one of them can be committed, and commits it.
pub(super) fn one_transaction<T>(
    target: &Target,
    run: &ResetRun,
    relations: &[u32],
    attempt: impl AsyncFnMut(&Client, &mut Progress) -> Result<T, Failure>,
) -> Result<Committed<T>, ResetError> {
    let outcome = transact(target.dsn(), &run.run, async |patience, progress: &mut Progress| {
        prepare(target, run, relations, patience, progress, attempt).await
    });
    match outcome.map_err(ResetError::Unready)? {
        Outcome::Committed { value: (Tries { n_attempts, terminated }, value), proof, signal } => {
            Ok(Committed { value, n_attempts, terminated, proof, signal })
        }
        Outcome::Refused(error) => Err(error),
        Outcome::CommitRefused(fault) => Err(ResetError::Commit { fault }),
        Outcome::Stopped { n_done, cut, fate } => Err(match fate {
            Fate::Undone => ResetError::Stopped { n_done, cut, seen_undone: true },
            Fate::Unknown(_) => ResetError::Stopped { n_done, cut, seen_undone: false },
            // None of our statements is COMMIT.
            Fate::Committed => {
                let reason = "the server says that it is committed, although no commit was sent".to_owned();
                ResetError::Unknown { cut, reason }
            }
        }),
        Outcome::Unanswered { cut, unknown: None } => Err(ResetError::Undone { cut }),
        Outcome::Unanswered { cut, unknown: Some(reason) } => Err(ResetError::Unknown { cut, reason }),
    }
}

/// What it took to get the locks.
#[derive(Default)]
struct Tries {
    n_attempts: u32,
    terminated: Vec<Blocker>,
}

/// Does everything up to COMMIT.
async fn prepare<T>(
    target: &Target,
    reset: &ResetRun<'_>,
    relations: &[u32],
    patience: Patience,
    progress: &mut Progress,
    mut attempt: impl AsyncFnMut(&Client, &mut Progress) -> Result<T, Failure>,
) -> Result<(Client, (Tries, T)), Halt<ResetError>> {
    let Run { application_name, lock_timeout, .. } = reset.run;
    let dsn = target.dsn();
    let session = Session { application_name, options: "" };
    let client = open(dsn, patience, &session).await.map_err(|error| Halt::Refused(ResetError::Unready(error)))?;
    let unready = |error| Halt::Refused(ResetError::Unready(explained(dsn, &error)));

    // A transaction that waits for the advisory lock has no number yet, which would hold up every vacuum.
    let leased = matches!(reset.run.lock, Hold::Leased(_));
    let begun = begin_with(&client, &reset.run, async || match leased {
        true => ready(&client, &reset.run).await,
        false => Ok(None),
    });
    let (mark, xid) = begun.await.map_err(unready)?;
    progress.xid = xid;
    let mark = progress.mark.insert(mark);
    if mark.identity != *target.identity() {
        let (expected, found) = (target.identity().clone(), mark.identity.clone());
        return refuse(&client, ResetError::Elsewhere { expected, found }).await;
    }
    if !leased {
        match lock(&client, &reset.run, &mut |_| ()).await.map_err(unready)? {
            Lock::Taken => {}
            Lock::Held { holder, waited } => return Err(Halt::Refused(ResetError::Locked { holder, waited })),
        }
        progress.xid = ready(&client, &reset.run).await.map_err(unready)?;
    }

    let pid = progress.mark.as_ref().expect("it was set a moment ago").pid;
    let started = Instant::now();
    let mut tries = Tries::default();
    loop {
        tries.n_attempts += 1;
        let cut = |error| cut(dsn, &error);
        let seen = RefCell::new(Vec::new());
        let outcome = tokio::select! {
            outcome = attempt(&client, progress) => outcome,
            never = blockers::watch(dsn, application_name, pid, lock_timeout, &seen) => match never {},
        };
        let (sql, fault) = match outcome {
            Ok(value) => return Ok((client, (tries, value))),
            Err(Failure::Cut(cut)) => return Err(Halt::Cut(cut)),
            Err(Failure::Refused(error)) => return refuse(&client, error).await,
            Err(Failure::Fault { sql, fault }) => (sql, fault),
        };
        let last = tries.n_attempts >= reset.n_attempts;
        match &*fault.sqlstate {
            // internal_error is what a look at an object leads to that was dropped in the middle of it.
            "XX000" if !last => (reset.watch)(Event::Disturbed { n_attempts: tries.n_attempts }),
            // lock_not_available and deadlock_detected.
            "55P03" | "40P01" => {}
            _ => return refuse(&client, ResetError::Statement { sql, fault }).await,
        }
        // What an attempt has locked and dropped is given back before the next, while the advisory lock is kept.
        client.batch_execute(BACK).await.map_err(cut)?;
        progress.n_done = 0;
        if fault.sqlstate == "XX000" {
            continue;
        }
        let mut by = seen.into_inner();
        if by.is_empty() {
            by = blockers::holders_of(&client, relations).await.map_err(cut)?;
        }
        if last {
            let (n_attempts, waited) = (tries.n_attempts, started.elapsed());
            return refuse(&client, ResetError::Blocked { by, n_attempts, waited }).await;
        }
        if reset.blockers == Blockers::TerminateOwn {
            blockers::terminate(&client, &mut by).await.map_err(cut)?;
            tries.terminated.extend(by.iter().filter(|blocker| blocker.terminated).cloned());
        }
        (reset.watch)(Event::Blocked { n_attempts: tries.n_attempts, by: &by });
    }
}

/// Makes a transaction that has the lock ready for the first attempt, in one journey, and returns its number.
async fn ready(client: &Client, run: &Run<'_>) -> Result<Option<i64>, tokio_postgres::Error> {
    // Whatever the user, the database or the role have set: names are written out, and only we decide when to give up.
    const SETTINGS: &str = "SET LOCAL search_path = pg_catalog; SET LOCAL jit = off;
        SET LOCAL statement_timeout = 0;
        SET LOCAL client_min_messages = warning;
        SAVEPOINT attempt";
    let (xid, set) = tokio::join!(biased; mark_for_asking(client, run), client.batch_execute(SETTINGS));
    set?;
    xid
}

async fn refuse<T>(client: &Client, error: ResetError) -> Result<T, Halt<ResetError>> {
    let _ = client.batch_execute("ROLLBACK").await;
    Err(Halt::Refused(error))
}

/// Tells a lost connection. What the server answers where it cannot fail is told in the same way.
fn cut(dsn: &Dsn, error: &tokio_postgres::Error) -> Halt<ResetError> {
    Halt::Cut(Cut::Lost(explained(dsn, error)))
}
