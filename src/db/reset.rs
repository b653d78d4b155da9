//! Empties a database by a plan, in one transaction: all of it, or nothing.
//!
//! Inside the transaction everything is read again twice: before the first drop it must still lead to the same plan,
//! and before COMMIT nothing in scope may be left, every extension must be as it was, and nothing else may be gone.

use std::fmt;
use std::time::{Duration, Instant};

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use super::catalog::{self, Catalog};
use super::connect::{ConnectError, Patience, Session, explained, open};
use super::fingerprint::Identity;
use super::guard::Target;
use super::reset_plan::{self, Refusal, ResetPlan, Step};
use super::transaction::{
    Cut, Effect, Fate, Fault, Halt, Holder, Lock, Outcome, Progress, Proof, Run, begin, holds, lock, locked_hint,
    mark_for_asking, transact,
};
use super::url::Dsn;

/// For each wait for a lock, unless asked otherwise.
pub const LOCK_TIMEOUT: Duration = Duration::from_secs(3);
/// How often the locks are tried for, unless asked otherwise.
pub const N_ATTEMPTS: u32 = 3;

/// How a plan is run.
#[derive(Clone, Copy)]
pub struct ResetRun<'a> {
    /// Its limit for locks holds for each attempt.
    pub run: Run<'a>,
    /// At least 1.
    pub n_attempts: u32,
    pub blockers: Blockers,
    /// Is told what happens, in the middle of the transaction: should be quick.
    pub watch: &'a dyn Fn(Event<'_>),
}

/// What to do about sessions that hold what we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blockers {
    /// Wait, and name them.
    Name,
    /// End those of our own role after the first wait.
    TerminateOwn,
}

/// Something that happens in the transaction.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// This statement is sent.
    Step { idx: usize, n_steps: usize, step: &'a Step },
    /// The locks were not to be had; it is tried again.
    Blocked { n_attempts: u32, by: &'a [Blocker] },
}

/// A transaction that holds a relation which we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    pub session: BlockingSession,
    pub user: String,
    /// Schema and name, joined by a dot.
    pub relations: Vec<String>,
    /// We have ended it.
    pub terminated: bool,
}

/// Who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockingSession {
    Backend {
        pid: i32,
        application_name: String,
        /// As in `pg_stat_activity`; empty where we may not see it.
        state: String,
        /// Of the transaction.
        age: Duration,
        own: bool,
        /// `xact_start` in microseconds.
        started: i64,
    },
    /// `PREPARE TRANSACTION`: no session has it any more, and nothing but its name ends it.
    Prepared { gid: String, age: Duration },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let user = &self.user;
        match &self.session {
            BlockingSession::Backend { pid, application_name, state, age, .. } => {
                write!(f, "backend {pid} of {user}")?;
                if !application_name.is_empty() {
                    write!(f, ", called {application_name}")?;
                }
                if !state.is_empty() {
                    write!(f, ", {state}")?;
                }
                write!(f, ", its transaction {} s old", age.as_secs())?;
            }
            BlockingSession::Prepared { gid, age } => {
                write!(f, "prepared transaction {gid} of {user}, {} s old", age.as_secs())?;
            }
        }
        write!(f, ", holds {}", self.relations.join(", "))?;
        if self.terminated { write!(f, " (ended)") } else { Ok(()) }
    }
}

/// A database that is empty now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emptied {
    /// None where another run has emptied it while we waited for the lock.
    pub n_statements: usize,
    pub n_objects: usize,
    pub n_attempts: u32,
    /// Sessions that we have ended.
    pub terminated: Vec<Blocker>,
    pub proof: Proof,
    /// A signal that came when COMMIT was on its way already.
    pub signal: Option<i32>,
}

/// Why a database was not emptied.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// The connection, or something before the first statement.
    #[error(transparent)]
    Unready(ConnectError),
    #[error("another run changes this database{}", holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Locked {
        /// `None` where it was gone when we looked.
        holder: Option<Holder>,
        waited: Duration,
    },
    #[error("the lock on this database was lost before the commit")]
    LeaseLost,
    #[error("this is not the database that was looked at: {found}, and not {expected}")]
    Elsewhere { expected: Identity, found: Identity },
    #[error(transparent)]
    Refused(Refusal),
    /// What is there now leads to another plan.
    #[error("the database has moved since it was looked at{}", moves(appeared, disappeared))]
    Moved { appeared: Vec<String>, disappeared: Vec<String> },
    #[error("others hold what has to be dropped, after {n_attempts} attempts in {waited:?}{}", list(by))]
    Blocked {
        /// Empty where they were gone when we looked.
        by: Vec<Blocker>,
        n_attempts: u32,
        waited: Duration,
    },
    #[error("{sql} failed: {}", fault.message)]
    Statement { sql: String, fault: Box<Fault> },
    #[error("after the drops there is still{}", list(objects))]
    Left { objects: Vec<String> },
    #[error("the drops took along what they were not to take{}", list(objects))]
    Unplanned { objects: Vec<String> },
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
}

impl ResetError {
    /// Tells what the ending did to the database.
    pub fn effect(&self) -> Effect {
        match self {
            ResetError::Unready(_)
            | ResetError::Locked { .. }
            | ResetError::LeaseLost
            | ResetError::Elsewhere { .. }
            | ResetError::Refused(_)
            | ResetError::Moved { .. }
            | ResetError::Blocked { .. }
            | ResetError::Statement { .. }
            | ResetError::Left { .. }
            | ResetError::Unplanned { .. }
            | ResetError::Commit { .. }
            | ResetError::Stopped { .. }
            | ResetError::Undone { .. } => Effect::Unchanged,
            ResetError::Unknown { .. } => Effect::Maybe,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            ResetError::Unready(error) => error.hint(),
            ResetError::Locked { holder, .. } => locked_hint(holder.as_ref()),
            ResetError::LeaseLost => super::lease::LEASE_LOST.to_owned(),
            ResetError::Elsewhere { .. } => "correct the address; behind one name there may be several servers".to_owned(),
            ResetError::Refused(refusal) => refusal.hint().to_owned(),
            ResetError::Moved { .. } => "run it again: what was shown was another plan".to_owned(),
            ResetError::Blocked { by, .. } => blocked_hint(by),
            ResetError::Statement { fault, .. } if fault.sqlstate == "53200" => {
                "the server has no room for that many locks: raise max_locks_per_transaction, or empty fewer schemas at once"
                    .to_owned()
            }
            ResetError::Statement { fault, .. } | ResetError::Commit { fault } => fault.advice(),
            ResetError::Left { .. } => "something creates objects meanwhile: stop it, and run it again".to_owned(),
            ResetError::Unplanned { .. } => "something else changes the schema meanwhile: stop it, and run it again".to_owned(),
            ResetError::Stopped { seen_undone: true, .. } => "run it again".to_owned(),
            ResetError::Stopped { seen_undone: false, .. } => {
                "the server may hold the locks until it notices that we are gone; run it again then".to_owned()
            }
            ResetError::Undone { .. } => "look at the network and the log of the server, then run it again".to_owned(),
            ResetError::Unknown { .. } => "run it again: the database is as it was, or empty".to_owned(),
        }
    }
}

fn blocked_hint(by: &[Blocker]) -> String {
    let prepared = by.iter().find_map(|blocker| match &blocker.session {
        BlockingSession::Prepared { gid, .. } => Some(gid),
        BlockingSession::Backend { .. } => None,
    });
    let pids = by.iter().filter_map(|blocker| match &blocker.session {
        BlockingSession::Backend { pid, .. } => Some(pid.to_string()),
        BlockingSession::Prepared { .. } => None,
    });
    let pids: Vec<_> = pids.collect();
    match prepared {
        Some(gid) => format!(
            "end the prepared transaction: ROLLBACK PREPARED {}",
            postgres_protocol::escape::escape_literal(gid).trim()
        ),
        None if pids.is_empty() => "run it again: whoever held it is gone".to_owned(),
        None => format!(
            "stop the application, or end its sessions: SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) AS pid",
            pids.join(", ")
        ),
    }
}

fn list<T: fmt::Display>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {one}")).collect()
}

fn moves(appeared: &[String], disappeared: &[String]) -> String {
    let told = |word: &str, objects: &[String]| {
        objects.iter().map(|object| format!("\n  {word}: {object}")).collect::<String>()
    };
    told("appeared", appeared) + &told("disappeared", disappeared)
}

/// Empties the database. Must not be called from asynchronous code.
///
/// A signal that ends us (INT, TERM, HUP) stops it up to COMMIT, and is reported beside the outcome after that.
///
/// # Errors
/// With [`ResetError::effect`] to tell what is left behind.
pub fn reset(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    let outcome = transact(target.dsn(), &run.run, async |patience, progress: &mut Progress| {
        prepare(target, plan, run, patience, progress).await
    });
    match outcome.map_err(ResetError::Unready)? {
        Outcome::Committed { value: Tries { n_attempts, terminated, ended }, proof, signal } => Ok(Emptied {
            n_statements: if ended == Ended::Dropped { plan.statements().count() } else { 0 },
            n_objects: if ended == Ended::Dropped { plan.n_objects } else { 0 },
            n_attempts,
            terminated,
            proof,
            signal,
        }),
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
    ended: Ended,
}

/// How an attempt went well.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
enum Ended {
    #[default]
    Dropped,
    /// There was nothing to drop any more.
    WasEmpty,
}

/// Does everything up to COMMIT.
async fn prepare(
    target: &Target,
    plan: &ResetPlan,
    reset: &ResetRun<'_>,
    patience: Patience,
    progress: &mut Progress,
) -> Result<(Client, Tries), Halt<ResetError>> {
    // Whatever the user, the database or the role have set: names are written out, and only we decide when to give up.
    const SETTINGS: &str = "SET LOCAL search_path = pg_catalog;
        SET LOCAL statement_timeout = 0;
        SET LOCAL client_min_messages = warning";
    let Run { application_name, .. } = reset.run;
    let dsn = target.dsn();
    let session = Session { application_name, options: "" };
    let client = open(dsn, patience, &session).await.map_err(|error| Halt::Refused(ResetError::Unready(error)))?;
    let unready = |error| Halt::Refused(ResetError::Unready(explained(dsn, &error)));

    let mark = progress.mark.insert(begin(&client, &reset.run).await.map_err(unready)?);
    if mark.identity != *target.identity() {
        let (expected, found) = (target.identity().clone(), mark.identity.clone());
        return refuse(&client, ResetError::Elsewhere { expected, found }).await;
    }
    match lock(&client, &reset.run, &mut |_| ()).await.map_err(unready)? {
        Lock::Taken => {}
        Lock::Held { holder, waited } => return Err(Halt::Refused(ResetError::Locked { holder, waited })),
    }
    progress.xid = mark_for_asking(&client, &reset.run).await.map_err(unready)?;
    client.batch_execute(SETTINGS).await.map_err(unready)?;

    let started = Instant::now();
    let mut tries = Tries::default();
    loop {
        tries.n_attempts += 1;
        let cut = |error| cut(dsn, &error);
        // What an attempt has locked and dropped is given back before the next, while the advisory lock is kept.
        client.batch_execute("SAVEPOINT attempt").await.map_err(cut)?;
        let (sql, fault) = match attempt(dsn, &client, plan, reset, progress).await {
            Ok(_) if !holds(&client, &reset.run).await.map_err(cut)? => {
                return refuse(&client, ResetError::LeaseLost).await;
            }
            Ok(ended) => return Ok((client, Tries { ended, ..tries })),
            Err(Failure::Cut(cut)) => return Err(Halt::Cut(cut)),
            Err(Failure::Refused(error)) => return refuse(&client, error).await,
            Err(Failure::Fault { sql, fault }) => (sql, fault),
        };
        // lock_not_available and deadlock_detected. And internal_error, which is what a look at an object that was
        // dropped in the middle of it leads to.
        let again = matches!(&*fault.sqlstate, "55P03" | "40P01" | "XX000");
        if !again {
            return refuse(&client, ResetError::Statement { sql, fault }).await;
        }
        client.batch_execute("ROLLBACK TO SAVEPOINT attempt").await.map_err(cut)?;
        progress.n_done = 0;
        let mut by = blockers(&client, &plan.relations).await.map_err(cut)?;
        if tries.n_attempts >= reset.n_attempts {
            let (n_attempts, waited) = (tries.n_attempts, started.elapsed());
            let error = match &*fault.sqlstate {
                "XX000" => ResetError::Statement { sql, fault },
                _ => ResetError::Blocked { by, n_attempts, waited },
            };
            return refuse(&client, error).await;
        }
        if reset.blockers == Blockers::TerminateOwn {
            terminate(&client, &mut by).await.map_err(cut)?;
            tries.terminated.extend(by.iter().filter(|blocker| blocker.terminated).cloned());
        }
        (reset.watch)(Event::Blocked { n_attempts: tries.n_attempts, by: &by });
    }
}

async fn refuse<T>(client: &Client, error: ResetError) -> Result<T, Halt<ResetError>> {
    let _ = client.batch_execute("ROLLBACK").await;
    Err(Halt::Refused(error))
}

/// Tells a lost connection. What the server answers where it cannot fail is told in the same way.
fn cut(dsn: &Dsn, error: &tokio_postgres::Error) -> Halt<ResetError> {
    Halt::Cut(Cut::Lost(explained(dsn, error)))
}

/// Why an attempt ended early.
enum Failure {
    Fault { sql: String, fault: Box<Fault> },
    Refused(ResetError),
    Cut(Cut),
}

impl Failure {
    fn of(dsn: &Dsn, sql: &str, error: &tokio_postgres::Error) -> Failure {
        match error.as_db_error() {
            Some(answer) => Failure::Fault { sql: sql.to_owned(), fault: Fault::of(answer) },
            None => Failure::Cut(Cut::Lost(explained(dsn, error))),
        }
    }
}

/// Locks, looks again, drops and looks again.
async fn attempt(
    dsn: &Dsn,
    client: &Client,
    plan: &ResetPlan,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<Ended, Failure> {
    let n_steps = plan.locking.len() + plan.steps.len();
    let look = async || catalog::read(client).await.map_err(|error| Failure::of(dsn, "reading the catalog", &error));
    let run = async |idx: usize, step: &Step| {
        (reset.watch)(Event::Step { idx, n_steps, step });
        client.batch_execute(&step.sql).await.map_err(|error| Failure::of(dsn, &step.sql, &error))
    };

    for (idx, step) in plan.locking.iter().enumerate() {
        match run(idx, step).await {
            Ok(()) => progress.n_done += 1,
            // A table or a schema is gone: a look says what else is.
            Err(Failure::Fault { fault, .. }) if matches!(&*fault.sqlstate, "42P01" | "3F000") => {
                client
                    .batch_execute("ROLLBACK TO SAVEPOINT attempt")
                    .await
                    .map_err(|error| Failure::of(dsn, "ROLLBACK", &error))?;
                progress.n_done = 0;
                let now = still(plan, &look().await?).map_err(Failure::Refused)?;
                return match now {
                    Still::Empty => Ok(Ended::WasEmpty),
                    // It is there again.
                    Still::So => Err(Failure::Fault { sql: step.sql.clone(), fault }),
                };
            }
            Err(failure) => return Err(failure),
        }
    }
    let before = look().await?;
    match still(plan, &before).map_err(Failure::Refused)? {
        Still::Empty => return Ok(Ended::WasEmpty),
        Still::So => {}
    }
    for (idx, step) in plan.steps.iter().enumerate() {
        run(plan.locking.len() + idx, step).await?;
        progress.n_done += 1;
    }
    let after = look().await?;
    prove(plan, &before, &after).map_err(Failure::Refused)?;
    Ok(Ended::Dropped)
}

/// How a database stands to a plan that was made for it.
enum Still {
    /// As it was.
    So,
    /// Nothing of it is left, and nothing else has come.
    Empty,
}

/// Checks that the plan is the one that would be made now.
fn still(plan: &ResetPlan, found: &Catalog) -> Result<Still, ResetError> {
    let now = reset_plan::plan(found, &plan.scope).map_err(ResetError::Refused)?;
    if now.does_the_same_as(plan) {
        return Ok(Still::So);
    }
    if now.is_empty() {
        return Ok(Still::Empty);
    }
    let all = |plan: &ResetPlan| {
        let named = plan.steps.iter().flat_map(|step| step.objects.clone());
        let taken = plan.collateral.iter().map(|taken| taken.object.clone());
        let extensions = plan.extensions.iter().map(|found| format!("extension {} {}", found.name, found.version));
        named.chain(taken).chain(extensions).collect::<std::collections::BTreeSet<_>>()
    };
    let (old, new) = (all(plan), all(&now));
    let appeared = new.difference(&old).cloned().collect();
    let disappeared = old.difference(&new).cloned().collect();
    Err(ResetError::Moved { appeared, disappeared })
}

/// Checks what is to be true before COMMIT.
fn prove(plan: &ResetPlan, before: &Catalog, after: &Catalog) -> Result<(), ResetError> {
    let objects = reset_plan::left(after, &plan.scope);
    if !objects.is_empty() {
        return Err(ResetError::Left { objects });
    }
    let objects = reset_plan::unplanned(before, after, &plan.scope);
    if objects.is_empty() { Ok(()) } else { Err(ResetError::Unplanned { objects }) }
}

/// Finds who holds these relations. Any hold is in the way of a drop.
async fn blockers(client: &Client, relations: &[u32]) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    const BLOCKERS: &str = "
        SELECT l.pid, p.gid, coalesce(a.usename::text, p.owner::text, ''), coalesce(a.application_name, ''),
               coalesce(a.state, ''),
               greatest(extract(epoch FROM clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000, 0)::int8,
               coalesce(a.usename = current_user AND a.backend_type = 'client backend', false),
               coalesce((extract(epoch FROM a.xact_start) * 1000000)::int8, 0),
               array_agg(DISTINCT n.nspname || '.' || c.relname)
          FROM pg_locks l
          JOIN pg_class c ON c.oid = l.relation
          JOIN pg_namespace n ON n.oid = c.relnamespace
          LEFT JOIN pg_stat_activity a ON a.pid = l.pid
          LEFT JOIN pg_prepared_xacts p ON l.pid IS NULL AND l.virtualtransaction = '-1/' || p.transaction::text
         WHERE l.granted AND l.locktype = 'relation' AND l.relation = ANY ($1)
           AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND l.pid IS DISTINCT FROM pg_backend_pid()
         GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 6 DESC, 1";
    let rows = client.query_typed(BLOCKERS, &[(&relations, Type::OID_ARRAY)]).await?;
    let blocker = |row: &tokio_postgres::Row| {
        let age = Duration::from_millis(row.get::<_, Option<i64>>(5).unwrap_or_default().unsigned_abs());
        let session = match row.get::<_, Option<i32>>(0) {
            Some(pid) => BlockingSession::Backend {
                pid,
                application_name: row.get(3),
                state: row.get(4),
                age,
                own: row.get(6),
                started: row.get(7),
            },
            None => BlockingSession::Prepared { gid: row.get::<_, Option<String>>(1).unwrap_or_default(), age },
        };
        Blocker { session, user: row.get(2), relations: row.get(8), terminated: false }
    };
    Ok(rows.iter().map(blocker).collect())
}

/// Ends the sessions of our own role, as long as they are in the transaction that was seen.
async fn terminate(client: &Client, by: &mut [Blocker]) -> Result<(), tokio_postgres::Error> {
    const TERMINATE: &str = "
        SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity
         WHERE pid = $1 AND usename = current_user AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    for blocker in by {
        let BlockingSession::Backend { pid, own: true, started, .. } = &blocker.session else { continue };
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(pid, Type::INT4), (started, Type::INT8)];
        blocker.terminated = client.query_typed_one(TERMINATE, &parameters).await?.get(0);
    }
    Ok(())
}
