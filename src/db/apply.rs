//! Runs statements in one transaction, all or nothing, on the very database that was looked at.
//!
//! Every ending says what it did to the database. After a COMMIT without a reply the server is asked what became of
//! the transaction; before a COMMIT was sent, nothing can have been kept.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tokio_postgres::error::{ErrorPosition, Severity};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, error::DbError};

use super::connect::{ConnectError, Patience, Session, Signals, converse, explained, open};
use super::explain;
use super::fingerprint::{self, Difference, Fingerprint, Identity};
use super::url::Dsn;

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

/// What is to be run, and on what.
#[derive(Debug, Clone)]
pub struct Script {
    /// One statement each, without transaction control. Names in them are resolved under the connection's own
    /// `search_path`, as drizzle-kit's would be.
    pub statements: Vec<String>,
    /// What the database must still be.
    pub expected: Option<Expected>,
}

/// A database as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    pub identity: Identity,
    /// [`Fingerprint::digest`].
    pub digest: String,
    /// The lines, where they are still at hand, so that a difference can be told. The digest decides.
    pub lines: Option<Vec<String>>,
}

impl From<&Fingerprint> for Expected {
    fn from(seen: &Fingerprint) -> Expected {
        Expected { identity: seen.identity.clone(), digest: seen.digest(), lines: Some(seen.lines.clone()) }
    }
}

/// How a script is run. Limits of less than a millisecond are a millisecond.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Shown in `pg_stat_activity`; the server cuts it after 63 bytes.
    pub application_name: &'a str,
    pub lock: LockKey,
    /// For each wait for a lock: the advisory one, and those of the statements.
    pub lock_timeout: Duration,
    /// For each statement; `None` leaves what server, database and role have set.
    pub statement_timeout: Option<Duration>,
    /// For everything up to COMMIT.
    pub deadline: Duration,
    /// How long the reply to COMMIT may take, where more of the deadline is not left.
    pub commit_patience: Duration,
}

/// A script that was run and committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub n_statements: usize,
    pub proof: Proof,
    /// A signal that came when COMMIT was on its way already.
    pub signal: Option<i32>,
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

/// Why a script was not applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The connection, or something before the first statement.
    #[error(transparent)]
    Unready(ConnectError),
    #[error("another run changes this database{}", holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Locked {
        /// `None` where it was gone when we looked.
        holder: Option<Holder>,
        waited: Duration,
    },
    #[error("this is not the database that was looked at: {found}, and not {expected}")]
    Elsewhere { expected: Identity, found: Identity },
    #[error("the schema has moved since it was looked at{}", list(differences))]
    Moved {
        /// Empty where only the digest was known.
        differences: Vec<Difference>,
    },
    #[error("statement {} failed: {}", idx + 1, fault.message)]
    Statement { idx: usize, statement: String, fault: Box<Fault> },
    /// A deferred constraint, most often.
    #[error("the commit was refused: {}", fault.message)]
    Commit { fault: Box<Fault> },
    /// A signal, the deadline or a lost connection, before COMMIT was sent.
    #[error("stopped after {n_done} statements and before the commit: {cut}")]
    Stopped {
        n_done: usize,
        cut: Cut,
        /// The server was seen to have undone it. Else it will, when it notices that we are gone.
        seen_undone: bool,
    },
    /// The reply to COMMIT was lost, and the server said when asked that the transaction is undone.
    #[error("the commit was lost on its way ({cut}), and the server has undone the transaction")]
    Undone { cut: Cut },
    /// The reply to COMMIT was lost, and the server could not be asked.
    #[error("the reply to the commit was lost ({cut}), and what became of it is unknown: {reason}")]
    Unknown { cut: Cut, reason: String },
    /// A statement was transaction control, so that what came before it may have been kept.
    #[error("statement {} ended the transaction", idx + 1)]
    LeftTransaction { idx: usize, statement: String },
}

impl ApplyError {
    /// Tells what the ending did to the database.
    pub fn effect(&self) -> Effect {
        match self {
            ApplyError::Unready(_)
            | ApplyError::Locked { .. }
            | ApplyError::Elsewhere { .. }
            | ApplyError::Moved { .. }
            | ApplyError::Statement { .. }
            | ApplyError::Commit { .. }
            | ApplyError::Stopped { .. }
            | ApplyError::Undone { .. } => Effect::Unchanged,
            ApplyError::Unknown { .. } | ApplyError::LeftTransaction { .. } => Effect::Maybe,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            ApplyError::Unready(error) => error.hint(),
            ApplyError::Locked { holder: Some(Holder { pid, .. }), .. } => {
                format!("wait for it, or end it: SELECT pg_terminate_backend({pid})")
            }
            ApplyError::Locked { holder: None, .. } => "run it again: whoever held the lock is gone".to_owned(),
            ApplyError::Elsewhere { .. } => {
                "plan again on this database, or correct the address; behind one name there may be several servers"
                    .to_owned()
            }
            ApplyError::Moved { .. } => "plan again: what was decided was decided for another schema".to_owned(),
            ApplyError::Statement { fault, .. } | ApplyError::Commit { fault } => fault.advice(),
            ApplyError::Stopped { seen_undone: true, .. } => "run it again".to_owned(),
            ApplyError::Stopped { seen_undone: false, .. } => {
                "the server may hold the locks until it notices that we are gone; run it again then".to_owned()
            }
            ApplyError::Undone { .. } => "look at the network and the log of the server, then run it again".to_owned(),
            ApplyError::Unknown { .. } => {
                "compare the database with the schema before the next run: it has all of the statements, or none"
                    .to_owned()
            }
            ApplyError::LeftTransaction { .. } => {
                "take transaction control out of the statements; compare the database with the schema".to_owned()
            }
        }
    }
}

impl Fault {
    fn of(error: &DbError) -> Box<Fault> {
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
            position,
        })
    }

    fn advice(&self) -> String {
        let shown = [Some(&self.message), self.detail.as_ref()].into_iter().flatten();
        let shown = shown.map(String::as_str).collect::<Vec<_>>().join("\n");
        let advice = explain::advice(&self.sqlstate, &shown).or_else(|| self.hint.clone());
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

fn list(differences: &[Difference]) -> String {
    differences.iter().map(|difference| format!("\n  {difference}")).collect()
}

/// Runs a script in one transaction. Must not be called from asynchronous code.
///
/// A signal that ends us (INT, TERM, HUP) stops it up to COMMIT, and is reported beside the outcome after that.
///
/// # Errors
/// With [`ApplyError::effect`] to tell what is left behind.
pub fn apply(dsn: &Dsn, script: &Script, run: &Run) -> Result<Applied, ApplyError> {
    let mut progress = Progress::default();
    // The end of the first conversation closes the connection, which is how the server learns that we are gone.
    let ending = converse(dsn, async || one_transaction(dsn, script, run, &mut progress).await);
    match ending.map_err(ApplyError::Unready)? {
        Ending::Refused(error) => Err(error),
        Ending::Committed { signal } => {
            Ok(Applied { n_statements: script.statements.len(), proof: Proof::Answered, signal })
        }
        Ending::Cut(cut) => {
            let n_done = progress.n_done;
            match fate(dsn, run, &progress) {
                Fate::Undone => Err(ApplyError::Stopped { n_done, cut, seen_undone: true }),
                Fate::Unknown(_) => Err(ApplyError::Stopped { n_done, cut, seen_undone: false }),
                // We sent no COMMIT: one of the statements was it.
                Fate::Committed => Err(left_transaction(script, n_done)),
            }
        }
        Ending::Unanswered { cut, signal } => match fate(dsn, run, &progress) {
            Fate::Committed => Ok(Applied { n_statements: script.statements.len(), proof: Proof::Asked, signal }),
            Fate::Undone => Err(ApplyError::Undone { cut }),
            Fate::Unknown(reason) => Err(ApplyError::Unknown { cut, reason }),
        },
    }
}

fn left_transaction(script: &Script, idx: usize) -> ApplyError {
    let idx = idx.min(script.statements.len().saturating_sub(1));
    ApplyError::LeftTransaction { idx, statement: script.statements.get(idx).cloned().unwrap_or_default() }
}

/// How the conversation ended.
enum Ending {
    Committed {
        signal: Option<i32>,
    },
    /// The server said no, and the transaction is rolled back.
    Refused(ApplyError),
    /// Before COMMIT was sent.
    Cut(Cut),
    /// COMMIT was sent, and no reply came.
    Unanswered {
        cut: Cut,
        signal: Option<i32>,
    },
}

/// How far a transaction has come, and how the server knows it.
#[derive(Default)]
struct Progress {
    n_done: usize,
    mark: Option<Mark>,
    /// Set before the first statement.
    xid: Option<i64>,
}

/// By what a transaction is found in `pg_stat_activity`. Behind a pooler the backend serves others afterwards, with
/// transactions that start later.
struct Mark {
    identity: Identity,
    pid: i32,
    /// `xact_start` in microseconds.
    started: i64,
}

async fn one_transaction(dsn: &Dsn, script: &Script, run: &Run<'_>, progress: &mut Progress) -> Ending {
    let patience = Patience::from_now(run.deadline);
    let mut signals = Signals::watch();
    let prepared = tokio::select! {
        prepared = timeout_at(patience.end, prepare(dsn, script, run, patience, progress)) => prepared,
        signal = signals.next() => return Ending::Cut(Cut::Signal(signal)),
    };
    let client = match prepared {
        Ok(Ok(client)) => client,
        Ok(Err(ending)) => return ending,
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
        Ok(Ok(())) => Ending::Committed { signal },
        Ok(Err(error)) => match error.as_db_error() {
            // What ends the session says nothing about the transaction.
            Some(answer) if answer.parsed_severity() == Some(Severity::Error) => {
                Ending::Refused(ApplyError::Commit { fault: Fault::of(answer) })
            }
            _ => Ending::Unanswered { cut: Cut::Lost(explained(dsn, &error)), signal },
        },
        Err(_) => Ending::Unanswered { cut: Cut::Deadline(end - started), signal },
    }
}

/// Does everything up to COMMIT.
async fn prepare(
    dsn: &Dsn,
    script: &Script,
    run: &Run<'_>,
    patience: Patience,
    progress: &mut Progress,
) -> Result<Client, Ending> {
    let session = Session { application_name: run.application_name, options: "" };
    let client = open(dsn, patience, &session).await.map_err(|error| Ending::Refused(ApplyError::Unready(error)))?;
    let unready = |error| Ending::Refused(ApplyError::Unready(explained(dsn, &error)));

    progress.mark = Some(begin(&client, run).await.map_err(unready)?);
    match lock(&client, run).await.map_err(unready)? {
        Lock::Taken => {}
        Lock::Held { holder, waited } => return Err(Ending::Refused(ApplyError::Locked { holder, waited })),
    }
    if let Some(expected) = &script.expected {
        let found = fingerprint::read(&client).await.map_err(unready)?;
        if let Some(moved) = compare(expected, &found) {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Ending::Refused(moved));
        }
    }
    progress.xid = mark_for_asking(&client, run).await.map_err(unready)?;

    for (idx, statement) in script.statements.iter().enumerate() {
        // The question travels with the statement, and so costs no time of its own.
        const STILL_OURS: &str = "SELECT pg_catalog.txid_current_if_assigned()";
        let (done, still_ours) =
            tokio::join!(biased; client.batch_execute(statement), client.query_typed_one(STILL_OURS, &[]));
        if let Err(error) = done {
            let Some(answer) = error.as_db_error() else {
                return Err(Ending::Cut(Cut::Lost(explained(dsn, &error))));
            };
            let fault = Fault::of(answer);
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Ending::Refused(ApplyError::Statement { idx, statement: statement.clone(), fault }));
        }
        let xid: Option<i64> = still_ours.map_err(|error| Ending::Cut(Cut::Lost(explained(dsn, &error))))?.get(0);
        if xid != progress.xid {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Ending::Refused(left_transaction(script, idx)));
        }
        progress.n_done = idx + 1;
    }
    Ok(client)
}

/// Opens the transaction, and sets what holds for its length alone.
async fn begin(client: &Client, run: &Run<'_>) -> Result<Mark, tokio_postgres::Error> {
    // A server that cannot watch its client says no to the first (before 14, or for want of the kernel event), and the
    // keepalives make it find out within 35 s that a network has swallowed us, and not after two hours.
    const WATCH: &str = "SAVEPOINT watch;
        SELECT pg_catalog.set_config(name, '500', true) FROM pg_catalog.pg_settings
         WHERE name = 'client_connection_check_interval'";
    const KEEPALIVES: &str = "
        SET LOCAL tcp_keepalives_idle = 20; SET LOCAL tcp_keepalives_interval = 5; SET LOCAL tcp_keepalives_count = 3";
    const WHO: &str = "SELECT pg_catalog.pg_backend_pid(), (extract(epoch FROM pg_catalog.now()) * 1000000)::int8";

    client.batch_execute("BEGIN").await?;
    let row = client.query_typed_one(WHO, &[]).await?;
    let mark = Mark { identity: fingerprint::identify(client).await?, pid: row.get(0), started: row.get(1) };
    if client.batch_execute(WATCH).await.is_err() {
        client.batch_execute("ROLLBACK TO SAVEPOINT watch").await?;
    }
    // The wait for the advisory lock has the lock's limit alone.
    let limit = milliseconds(run.lock_timeout);
    client
        .batch_execute(&format!(
            "RELEASE SAVEPOINT watch; {KEEPALIVES}; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0"
        ))
        .await?;
    Ok(mark)
}

enum Lock {
    Taken,
    Held { holder: Option<Holder>, waited: Duration },
}

async fn lock(client: &Client, run: &Run<'_>) -> Result<Lock, tokio_postgres::Error> {
    const LOCK: &str = "SELECT pg_catalog.pg_advisory_xact_lock($1, $2)";
    const TRY: &str = "SELECT pg_catalog.pg_try_advisory_xact_lock($1, $2)";
    let key: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&run.lock.class, Type::INT4), (&run.lock.object, Type::INT4)];
    if client.query_typed_one(TRY, &key).await?.get(0) {
        return Ok(Lock::Taken);
    }
    let first = holder(client, run.lock).await?;
    let started = Instant::now();
    match client.query_typed(LOCK, &key).await {
        Ok(_) => Ok(Lock::Taken),
        Err(error) if error.code().is_some_and(|code| code.code() == "55P03") => {
            client.batch_execute("ROLLBACK").await?;
            let waited = started.elapsed();
            Ok(Lock::Held { holder: holder(client, run.lock).await?.or(first), waited })
        }
        Err(error) => Err(error),
    }
}

async fn holder(client: &Client, key: LockKey) -> Result<Option<Holder>, tokio_postgres::Error> {
    // objsubid is 2 for a lock of two numbers, which are kept as oids.
    const HOLDER: &str = "
        SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename::text, ''), coalesce(a.state, '')
          FROM pg_catalog.pg_locks l
          JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
          JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
           AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid
         LIMIT 1";
    let rows = client.query_typed(HOLDER, &[(&key.class, Type::INT4), (&key.object, Type::INT4)]).await?;
    Ok(rows.first().map(|row| Holder {
        pid: row.get(0),
        application_name: row.get(1),
        user: row.get(2),
        state: row.get(3),
    }))
}

fn compare(expected: &Expected, found: &Fingerprint) -> Option<ApplyError> {
    if expected.identity != found.identity {
        let (expected, found) = (expected.identity.clone(), found.identity.clone());
        return Some(ApplyError::Elsewhere { expected, found });
    }
    if expected.digest == found.digest() {
        return None;
    }
    let differences = expected.lines.as_ref().map(|lines| fingerprint::difference(lines, &found.lines));
    Some(ApplyError::Moved { differences: differences.unwrap_or_default() })
}

/// Takes the transaction's number, by which the server can be asked later, and sets the statements' limit.
async fn mark_for_asking(client: &Client, run: &Run<'_>) -> Result<Option<i64>, tokio_postgres::Error> {
    // A standby gives no numbers; there the first statement fails. The function has this name since PostgreSQL 8.3.
    const NUMBER: &str = "SELECT CASE WHEN NOT pg_catalog.pg_is_in_recovery() THEN pg_catalog.txid_current() END";
    let xid = client.query_typed_one(NUMBER, &[]).await?.get(0);
    let limit = run.statement_timeout.map_or_else(|| "DEFAULT".to_owned(), |limit| milliseconds(limit).to_string());
    client.batch_execute(&format!("SET LOCAL statement_timeout TO {limit}")).await?;
    Ok(xid)
}

/// PostgreSQL takes 0 for "no limit", and holds milliseconds in an `int4`.
fn milliseconds(limit: Duration) -> u128 {
    limit.as_millis().clamp(1, 2_147_483_647)
}

/// What became of a transaction.
enum Fate {
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
    if fingerprint::identify(&client).await.map_err(told)? != mark.identity {
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

    fn seen(database: &str, lines: &[&str]) -> Fingerprint {
        let identity = Identity { system_identifier: Some("7".to_owned()), database: database.to_owned() };
        Fingerprint { identity, lines: lines.iter().map(|line| (*line).to_owned()).collect() }
    }

    #[test]
    fn what_was_seen_must_still_be_there() {
        let expected = Expected::from(&seen("shop", &["schema|public|"]));
        assert!(compare(&expected, &seen("shop", &["schema|public|"])).is_none());

        let moved = compare(&expected, &seen("shop", &["schema|other|", "schema|public|"])).expect("it has moved");
        assert_eq!(moved.effect(), Effect::Unchanged);
        assert_eq!(moved.to_string(), "the schema has moved since it was looked at\n  appeared: schema other");
        let elsewhere = compare(&expected, &seen("copy", &["schema|public|"])).expect("it is another database");
        assert_eq!(
            elsewhere.to_string(),
            "this is not the database that was looked at: database copy of the server 7, and not database shop of the server 7"
        );
    }

    #[test]
    fn the_digest_decides_and_not_the_lines_beside_it() {
        let found = seen("shop", &["schema|public|"]);
        let expected = Expected { digest: "0".repeat(64), ..Expected::from(&found) };
        assert!(
            matches!(compare(&expected, &found), Some(ApplyError::Moved { differences }) if differences.is_empty())
        );
        let expected = Expected { lines: None, ..Expected::from(&found) };
        assert!(compare(&expected, &found).is_none());
    }

    #[test]
    fn no_limit_of_ours_means_no_limit_to_the_server() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(milliseconds(Duration::from_secs(3)), 3000);
        assert_eq!(milliseconds(Duration::MAX), 2_147_483_647);
    }

    #[test]
    fn the_lock_is_a_documented_constant() {
        assert_eq!((LOCK.class.to_be_bytes(), LOCK.object), (*b"dzpl", 1));
        assert_eq!(LOCK.class, 1_685_745_772);
    }
}
