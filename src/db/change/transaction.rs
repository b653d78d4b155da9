//! One transaction on a server, however it ends: the lock, the limits, COMMIT, and the question what became of it.
//!
//! Knows nothing of what is done between its begin and its end.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::error::{ErrorPosition, Severity};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, error::DbError};

use crate::db::change::lease::Hold;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, Signals, converse};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::connection::explain::{self, About};
use crate::db::inspect::identify;
use crate::db::inspect::identity::Identity;
use crate::db::limits::milliseconds;

/// How long a backend gets to notice by itself that its client is gone, before we end it.
const GRACE: Duration = Duration::from_millis(750);
/// How long the server gets to tell what became of a transaction.
const SETTLING: Duration = Duration::from_secs(10);
/// The server offers no event for the end of another backend.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The two numbers of an advisory lock. Locks are per database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockKey {
    pub class: i32,
    pub object: i32,
}

/// The lock that every run of this program takes before it changes a schema: `pg_advisory_xact_lock(1685745772, 1)`.
///
/// The first number is "dzpl" in ASCII, the second stands for the schema of the database as a whole.
pub const LOCK: LockKey = LockKey { class: 0x647a_706c, object: 1 };

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

/// What an ending did to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Unchanged,
    Changed,
    Maybe,
}

/// Who holds the lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    pub pid: i32,
    pub application_name: String,
    pub user: String,
    /// As in `pg_stat_activity`: `active`, `idle in transaction` … Empty where we may not see it.
    pub state: String,
}

/// An error as the server told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub sqlstate: String,
    pub message: String,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Which function it came from, and called from where: of a trigger that forbids something, for one.
    pub context: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}

/// What ended a transaction from outside.
#[derive(Debug, thiserror::Error)]
pub enum Cut {
    #[error("signal {0}")]
    Signal(i32),
    #[error("the deadline of {0:?} passed")]
    Deadline(Duration),
    #[error(transparent)]
    Lost(ConnectError),
}

impl Fault {
    pub(in crate::db) fn of(error: &DbError) -> Box<Fault> {
        let text = |text: Option<&str>| text.map(str::to_owned);
        let position = match error.position() {
            Some(ErrorPosition::Original(position)) => Some(*position),
            // A place in the body of a function.
            Some(ErrorPosition::Internal { .. }) | None => None,
        };
        Box::new(Fault {
            sqlstate: error.code().code().to_owned(),
            message: error.message().to_owned(),
            detail: text(error.detail()),
            hint: text(error.hint()),
            context: text(error.where_()),
            position,
        })
    }

    /// Returns all that was said of what happened.
    pub fn text(&self) -> String {
        let shown = [Some(&self.message), self.detail.as_ref()].into_iter().flatten();
        shown.map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    pub(in crate::db) fn advice(&self) -> String {
        let advice = explain::advice(&self.sqlstate, &self.text(), &About::default()).or_else(|| self.hint.clone());
        advice.unwrap_or_else(|| "look into the log of the server".to_owned())
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Holder { pid, application_name, user, state } = self;
        write!(f, "backend {pid} of {user}")?;
        for (word, text) in [(", called ", application_name), (", ", state)] {
            if !text.is_empty() {
                write!(f, "{word}{text}")?;
            }
        }
        Ok(())
    }
}

/// How a transaction ended.
pub(in crate::db) enum Outcome<T, E> {
    Committed {
        value: T,
        proof: Proof,
        signal: Option<i32>,
    },
    /// Before COMMIT, and rolled back.
    Refused(E),
    /// By the server.
    CommitRefused(Box<Fault>),
    /// Before COMMIT was sent.
    Stopped {
        n_done: usize,
        cut: Cut,
        fate: Fate,
    },
    /// COMMIT was sent, no reply came, and the server did not say that it is committed.
    Unanswered {
        cut: Cut,
        /// `None` for undone; else why it is not known.
        unknown: Option<String>,
    },
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

/// By what a transaction is found in `pg_stat_activity`. Behind a pooler the backend serves others afterwards, with
/// transactions that start later.
pub(in crate::db) struct Mark {
    pub(in crate::db) identity: Identity,
    pub(in crate::db) pid: i32,
    /// `xact_start` in microseconds.
    started: i64,
}

/// Does the work, which opens a connection and a transaction, commits, and finds out what became of it. Must not be
/// called from asynchronous code.
pub(in crate::db) fn transact<T, E>(
    dsn: &Dsn,
    run: &Run,
    work: impl AsyncFnOnce(Patience, &mut Progress) -> Result<(Client, T), Halt<E>>,
) -> Result<Outcome<T, E>, ConnectError> {
    let mut progress = Progress::default();
    // The end of the first conversation closes the connection, which is how the server learns that we are gone.
    let ending = converse(dsn, async || one_transaction(dsn, run, &mut progress, work).await)?;
    Ok(match ending {
        Ending::Committed { value, signal } => Outcome::Committed { value, proof: Proof::Answered, signal },
        Ending::Refused(error) => Outcome::Refused(error),
        Ending::CommitRefused(fault) => Outcome::CommitRefused(fault),
        Ending::Cut(cut) => Outcome::Stopped { n_done: progress.n_done, cut, fate: fate(dsn, run, &progress) },
        Ending::Unanswered { value, cut, signal } => match fate(dsn, run, &progress) {
            Fate::Committed => Outcome::Committed { value, proof: Proof::Asked, signal },
            Fate::Undone => Outcome::Unanswered { cut, unknown: None },
            Fate::Unknown(reason) => Outcome::Unanswered { cut, unknown: Some(reason) },
        },
    })
}

async fn one_transaction<T, E>(
    dsn: &Dsn,
    run: &Run<'_>,
    progress: &mut Progress,
    work: impl AsyncFnOnce(Patience, &mut Progress) -> Result<(Client, T), Halt<E>>,
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

/// Opens the transaction, and sets what holds for its length alone.
pub(in crate::db) async fn begin(client: &Client, run: &Run<'_>) -> Result<Mark, tokio_postgres::Error> {
    begin_with(client, run, async || Ok(())).await.map(|(mark, ())| mark)
}

/// As [`begin`], with what is to follow on the same journey. It is sent a second time where the server has refused it
/// the first time because of ours.
pub(in crate::db) async fn begin_with<T>(
    client: &Client,
    run: &Run<'_>,
    along: impl AsyncFn() -> Result<T, tokio_postgres::Error>,
) -> Result<(Mark, T), tokio_postgres::Error> {
    // The keepalives make the server find out within 35 s that a network has swallowed us, and not after two hours. A
    // limit that the user, the database or the server have set for transactions (17 and later) is not for us. Statements mean
    // here what they were read as (`connect::MEANINGS`).
    const SETTINGS: &str = "
        SET LOCAL tcp_keepalives_idle = 20; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3;
        SET LOCAL idle_in_transaction_session_timeout = 0;
        SET LOCAL standard_conforming_strings = on; SET LOCAL backslash_quote = safe_encoding;
        SET LOCAL quote_all_identifiers = off; SET LOCAL transform_null_equals = off; SET LOCAL array_nulls = on;
        SELECT pg_catalog.set_config('transaction_timeout', '0', true)
         WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL;
        SAVEPOINT watch";
    // A server before 14 does not know the setting. One that lacks the kernel's event for it says no.
    const WATCH: &str = "
        SELECT pg_catalog.set_config('client_connection_check_interval', '500', true)
         WHERE pg_catalog.current_setting('client_connection_check_interval', true) IS NOT NULL";
    const WATCHED: &str = "RELEASE SAVEPOINT watch";
    const UNWATCHED: &str = "ROLLBACK TO SAVEPOINT watch; RELEASE SAVEPOINT watch";
    const WHO: &str = "SELECT pg_catalog.pg_backend_pid(), (extract(epoch FROM pg_catalog.now()) * 1000000)::int8";

    // The wait for the advisory lock has the lock's limit alone.
    let limit = milliseconds(run.lock_timeout);
    // Each look has to see what others have committed meanwhile, and a transaction that only waits holds up no vacuum.
    let begin = format!(
        "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0;{SETTINGS}"
    );
    let (begun, who, watched, over, identity, followed) = tokio::join!(
        biased;
        client.batch_execute(&begin),
        client.query_typed_one(WHO, &[]),
        client.batch_execute(WATCH),
        client.batch_execute(WATCHED),
        identify::identify_within(client),
        along(),
    );
    begun?;
    let who = who?;
    let (over, identity, followed) = match watched {
        Ok(()) => (over, identity, followed),
        // Until this is rolled back, everything is refused.
        Err(_) => tokio::join!(
            biased;
            client.batch_execute(UNWATCHED),
            identify::identify_within(client),
            along(),
        ),
    };
    over?;
    Ok((Mark { identity: identity?, pid: who.get(0), started: who.get(1) }, followed?))
}

pub(in crate::db) enum Lock {
    Taken,
    Held { holder: Option<Holder>, waited: Duration },
}

/// Takes the lock, unless the run has it already. Before it waits, says for whom.
pub(in crate::db) async fn lock(
    client: &Client,
    run: &Run<'_>,
    waits: &mut dyn FnMut(Option<&Holder>),
) -> Result<Lock, tokio_postgres::Error> {
    if matches!(run.lock, Hold::Leased(_)) || try_lock(client).await? {
        return Ok(Lock::Taken);
    }
    wait_for_lock(client, waits).await
}

/// The numbers of the lock, as parameters.
const KEY: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
    [(&LOCK.class, Type::INT4), (&LOCK.object, Type::INT4)];

/// Takes the lock if nobody has it.
pub(in crate::db) async fn try_lock(client: &Client) -> Result<bool, tokio_postgres::Error> {
    const TRY: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)";
    Ok(client.query_typed_one(TRY, &KEY).await?.get(0))
}

/// Takes the lock that somebody has. Before it waits, says for whom.
pub(in crate::db) async fn wait_for_lock(
    client: &Client,
    waits: &mut dyn FnMut(Option<&Holder>),
) -> Result<Lock, tokio_postgres::Error> {
    const WAIT: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, $2)";
    let first = holder(client).await?;
    waits(first.as_ref());
    let started = Instant::now();
    match client.query_typed(WAIT, &KEY).await {
        Ok(_) => Ok(Lock::Taken),
        Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
            client.batch_execute("ROLLBACK").await?;
            let waited = started.elapsed();
            Ok(Lock::Held { holder: holder(client).await?.or(first), waited })
        }
        Err(error) => Err(error),
    }
}

/// Tells whether the lock is still ours, right before COMMIT.
pub(in crate::db) async fn holds(client: &Client, run: &Run<'_>) -> Result<bool, tokio_postgres::Error> {
    match run.lock {
        Hold::Take => Ok(true),
        Hold::Leased(lease) => lease.lives_for(client).await,
    }
}

/// Says what to do about another run that has the lock.
pub(in crate::db) fn locked_hint(holder: Option<&Holder>) -> String {
    match holder {
        Some(Holder { pid, .. }) => format!("wait for it, or end it: SELECT pg_terminate_backend({pid})"),
        None => "run it again: whoever held the lock is gone".to_owned(),
    }
}

async fn holder(client: &Client) -> Result<Option<Holder>, tokio_postgres::Error> {
    // objsubid is 2 for a lock of two numbers, which are kept as oids.
    const HOLDER: &str = "
        SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.state, '')
          FROM pg_catalog.pg_locks l
          JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
          JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
           AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid
         LIMIT 1";
    let rows = client.query_typed(HOLDER, &KEY).await?;
    Ok(rows.first().map(|row| Holder {
        pid: row.get(0),
        application_name: row.get(1),
        user: row.get(2),
        state: row.get(3),
    }))
}

/// Takes the transaction's number, by which the server can be asked later, and sets the statements' limit.
pub(in crate::db) async fn mark_for_asking(
    client: &Client,
    run: &Run<'_>,
) -> Result<Option<i64>, tokio_postgres::Error> {
    // A standby gives no numbers; there the first statement fails. The function has this name since PostgreSQL 8.3.
    const NUMBER: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.txid_current() END";
    let limit = run.statement_timeout.map_or_else(|| "DEFAULT".to_owned(), |limit| milliseconds(limit).to_string());
    let limit = format!("SET LOCAL statement_timeout TO {limit}");
    let (xid, limited) = tokio::join!(biased; client.query_typed_one(NUMBER, &[]), client.batch_execute(&limit));
    limited?;
    Ok(xid?.get(0))
}

/// What became of a transaction.
pub(in crate::db) enum Fate {
    Committed,
    Undone,
    Unknown(String),
}

/// Asks over a new connection what became of the transaction, and sees to it that it does not go on.
fn fate(dsn: &Dsn, run: &Run, progress: &Progress) -> Fate {
    // Without a mark, the server has seen BEGIN at most.
    let Some(mark) = &progress.mark else { return Fate::Undone };
    let settled = converse(dsn, async || {
        let patience = Patience::from_now(SETTLING);
        match timeout_at(patience.end, settle(dsn, run, mark, progress.xid, patience)).await {
            Ok(settled) => settled,
            Err(_) => Ok(Fate::Unknown(format!("the server did not tell within {SETTLING:?}"))),
        }
    });
    match settled {
        Ok(Ok(fate)) => fate,
        Ok(Err(error)) | Err(error) => Fate::Unknown(error.to_string()),
    }
}

async fn settle(
    dsn: &Dsn,
    run: &Run<'_>,
    mark: &Mark,
    xid: Option<i64>,
    patience: Patience,
) -> Result<Fate, ConnectError> {
    const RUNNING: &str = "
        SELECT FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    const TERMINATE: &str = "
        SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    // NULL where the transaction is so old that the server has forgotten it.
    const STATUS: &str = "SELECT pg_catalog.txid_status($1)";

    // A name of its own: the run's name is looked for by who wants to see it gone.
    let application_name = format!("ask {}", run.application_name);
    let client = open(dsn, patience, &Session { application_name: &application_name, options: "" }).await?;
    let told = |error| explained(dsn, &error);
    if identify::identify(&client).await.map_err(told)? != mark.identity {
        return Ok(Fate::Unknown("another server answers at this address".to_owned()));
    }
    let backend: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&mark.pid, Type::INT4), (&mark.started, Type::INT8)];
    let grace_ends = Instant::now() + GRACE;
    loop {
        let question = if Instant::now() < grace_ends { RUNNING } else { TERMINATE };
        if client.query_typed(question, &backend).await.map_err(told)?.is_empty() {
            let Some(xid) = xid else { return Ok(Fate::Undone) };
            let row = client.query_typed_one(STATUS, &[(&xid, Type::INT8)]).await.map_err(told)?;
            match row.get::<_, Option<&str>>(0) {
                Some("committed") => return Ok(Fate::Committed),
                Some("aborted") => return Ok(Fate::Undone),
                Some("in progress") => {}
                _ => return Ok(Fate::Unknown("the server has forgotten the transaction".to_owned())),
            }
        }
        sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_is_a_documented_constant() {
        assert_eq!((LOCK.class.to_be_bytes(), LOCK.object), (*b"dzpl", 1));
        assert_eq!(LOCK.class, 1_685_745_772);
    }
}
