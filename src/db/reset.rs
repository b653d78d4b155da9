//! Empties a database by a plan, in one transaction: all of it, or nothing.
//!
//! Inside the transaction everything is read again twice: before the first drop it must still lead to the same plan,
//! and before COMMIT nothing in scope may be left, every extension must be as it was, and nothing else may be gone.
//!
//! Where the server has no room for the locks of all of it, it goes in parts, each in a transaction of its own with the
//! same two looks. The table of the migrations is the first part, so that no half of a reset looks migrated.

pub mod guard;
pub mod plan;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use tokio_postgres::Client;

use self::plan::{Part, Refusal, ResetPlan, Room, Step};
use crate::db::change::lease::Hold;
use crate::db::change::transaction::{
    Cut, Effect, Fate, Fault, Halt, Holder, Lock, Outcome, Progress, Proof, Run, begin_with, holds, lock, locked_hint,
    mark_for_asking, transact,
};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::Patience;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::connection::pipeline::Sent;
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::catalog::{self, Catalog};
use crate::db::inspect::fingerprint::Identity;
use crate::db::reset::guard::Target;

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
    /// The turn of this statement has come.
    Step { idx: usize, n_steps: usize, step: &'a Step },
    /// The locks were not to be had; it is tried again.
    Blocked { n_attempts: u32, by: &'a [Blocker] },
    /// Something was dropped while it was looked at; it is tried again.
    Disturbed { n_attempts: u32 },
    /// The locks of one transaction do not fit: it goes on in parts, and nothing is dropped yet.
    InParts { plan: &'a ResetPlan },
    /// A part is committed.
    Part { n_dropped: usize, n_objects: usize },
}

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
    #[error("{sql} failed: {} ({})", fault.message, fault.sqlstate)]
    Statement { sql: String, fault: Box<Fault> },
    #[error("after the drops there is still{}", list(objects))]
    Left { objects: Vec<String> },
    #[error("the drops took along what they were not to take{}", list(objects))]
    Unplanned { objects: Vec<String> },
    #[error("the commit was refused: {} ({})", fault.message, fault.sqlstate)]
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
    /// Some parts are committed.
    #[error("{n_dropped} of {n_objects} objects are dropped, and then: {cause}")]
    Partial { n_dropped: usize, n_objects: usize, cause: Box<ResetError> },
}

impl ResetError {
    /// out_of_memory: the table of locks is full. It is undone.
    fn is_for_want_of_room(&self) -> bool {
        matches!(self, ResetError::Statement { fault, .. } if fault.sqlstate == "53200")
    }

    /// Returns what the server said, and of which statement.
    pub fn cause(&self) -> Option<(&Fault, Option<&String>)> {
        match self {
            ResetError::Statement { sql, fault } => Some((fault, Some(sql))),
            ResetError::Commit { fault } => Some((fault, None)),
            ResetError::Partial { cause, .. } => cause.cause(),
            _ => None,
        }
    }

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
            ResetError::Unknown { .. } | ResetError::Partial { .. } => Effect::Maybe,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            ResetError::Unready(error) => error.hint(),
            ResetError::Locked { holder, .. } => locked_hint(holder.as_ref()),
            ResetError::LeaseLost => crate::db::change::lease::LEASE_LOST.to_owned(),
            ResetError::Elsewhere { .. } => "correct the address; behind one name there may be several servers".to_owned(),
            ResetError::Refused(refusal) => refusal.hint().to_owned(),
            ResetError::Moved { .. } => "run it again: what was shown was another plan".to_owned(),
            ResetError::Blocked { by, .. } => blockers::hint(by),
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
            ResetError::Partial { cause, .. } => format!("run it again, which finishes it; {}", cause.hint()),
        }
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
    match plan.room() {
        Room::Surely => at_once(target, plan, run),
        Room::Perhaps => match at_once(target, plan, run) {
            Err(error) if error.is_for_want_of_room() => in_parts(target, plan, run),
            outcome => outcome,
        },
        Room::No => in_parts(target, plan, run),
    }
}

fn at_once(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    let committed = one_transaction(target, run, &plan.relations, async |client, progress| {
        attempt(target.dsn(), client, plan, run, progress).await
    })?;
    let Committed { value: ended, n_attempts, terminated, proof, signal } = committed;
    Ok(Emptied {
        n_statements: if ended == Ended::Dropped { plan.statements().count() } else { 0 },
        n_objects: if ended == Ended::Dropped { plan.n_objects } else { 0 },
        n_transactions: 1,
        n_attempts,
        terminated,
        proof,
        signal,
    })
}

/// Drops part after part. What is committed stays, however it ends.
fn in_parts(target: &Target, plan: &ResetPlan, run: &ResetRun) -> Result<Emptied, ResetError> {
    (run.watch)(Event::InParts { plan });
    let started = Instant::now();
    let mut room = plan.lock_capacity;
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
        let outcome = one_transaction(target, &run, &plan.relations, async |client, progress| {
            attempt_part(target.dsn(), client, &wanted, &run, progress).await
        });
        let committed = match outcome {
            // Others hold locks as well. A part of one object cannot be made smaller.
            Err(error) if error.is_for_want_of_room() && room > 1 => {
                room /= 2;
                continue;
            }
            outcome => outcome.map_err(failed)?,
        };
        emptied.n_transactions += 1;
        emptied.n_attempts = emptied.n_attempts.max(committed.n_attempts);
        emptied.terminated.extend(committed.terminated);
        if committed.proof == Proof::Asked {
            emptied.proof = Proof::Asked;
        }
        emptied.n_statements += committed.value.n_statements;
        emptied.n_objects = plan.n_objects.saturating_sub(committed.value.n_left);
        let n_dropped = emptied.n_objects;
        (run.watch)(Event::Part { n_dropped, n_objects });
        next = committed.value.next;
        match (&next, committed.signal) {
            (None, signal) => return Ok(Emptied { signal, ..emptied }),
            (Some(_), Some(signal)) => {
                let cause = ResetError::Stopped { n_done: 0, cut: Cut::Signal(signal), seen_undone: true };
                return Err(ResetError::Partial { n_dropped, n_objects, cause: Box::new(cause) });
            }
            (Some(_), None) => {}
        }
    }
}

/// What a transaction came to.
struct Committed<T> {
    value: T,
    n_attempts: u32,
    terminated: Vec<Blocker>,
    proof: Proof,
    signal: Option<i32>,
}

/// Runs attempts until one of them can be committed, and commits it.
fn one_transaction<T>(
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

/// How an attempt went well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Dropped,
    /// There was nothing to drop any more.
    WasEmpty,
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

/// The savepoint stays for another attempt.
const BACK: &str = "ROLLBACK TO SAVEPOINT attempt";

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

/// Locks and looks again, then drops and looks again: two journeys.
async fn attempt(
    dsn: &Dsn,
    client: &Client,
    plan: &ResetPlan,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<Ended, Failure> {
    let n_steps = plan.locking.len() + plan.steps.len();
    let story = |first: usize| move |idx: usize, step| (reset.watch)(Event::Step { idx: first + idx, n_steps, step });
    let before = match execute(dsn, client, &plan.locking, &story(0), progress, look(dsn, client)).await {
        // A table or a schema is gone: a look says what else is.
        Err(Failure::Fault { sql, fault }) if is_gone(&fault) => {
            go_back(dsn, client, progress).await?;
            return match still(plan, &look(dsn, client).await?).map_err(Failure::Refused)? {
                Still::Empty => Ok(Ended::WasEmpty),
                // It is there again.
                Still::So => Err(Failure::Fault { sql, fault }),
            };
        }
        outcome => outcome?,
    };
    match still(plan, &before).map_err(Failure::Refused)? {
        Still::Empty => return Ok(Ended::WasEmpty),
        Still::So => {}
    }
    let last = last_look(dsn, client, &reset.run);
    let after = execute(dsn, client, &plan.steps, &story(plan.locking.len()), progress, last).await?;
    prove_nothing_left(plan, &after).map_err(Failure::Refused)?;
    prove_planned(plan, &before, &after).map_err(Failure::Refused)?;
    Ok(Ended::Dropped)
}

/// What one of several transactions is to drop.
struct Wanted<'a> {
    plan: &'a ResetPlan,
    /// As it was seen at the end of the last transaction; `None` in the first one, and where it was too much.
    part: Option<Part>,
    room: u64,
}

/// What it has dropped.
struct Dropped {
    n_statements: usize,
    n_left: usize,
    /// `None` where nothing is left.
    next: Option<Part>,
}

/// As [`attempt`], for the part that comes next.
async fn attempt_part(
    dsn: &Dsn,
    client: &Client,
    wanted: &Wanted<'_>,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<Dropped, Failure> {
    let Wanted { plan, room, .. } = *wanted;
    let scope = &plan.scope;
    let first_part = |found: &Catalog| plan::first_part(found, scope, room).map_err(refused);
    let part = match &wanted.part {
        Some(part) => part.clone(),
        None => {
            let found = look(dsn, client).await?;
            if nothing_new(plan, &found).map_err(Failure::Refused)?.is_empty() {
                return Ok(Dropped { n_statements: 0, n_left: 0, next: None });
            }
            first_part(&found)?
        }
    };
    let n_steps = part.locking.len() + part.steps.len();
    let story = |first: usize| move |idx: usize, step| (reset.watch)(Event::Step { idx: first + idx, n_steps, step });
    let before = execute(dsn, client, &part.locking, &story(0), progress, look(dsn, client)).await?;
    nothing_new(plan, &before).map_err(Failure::Refused)?;
    let now = first_part(&before)?;
    if now.steps != part.steps {
        let named = |part: &Part| part.steps.iter().flat_map(|step| step.objects.clone()).collect();
        return Err(Failure::Refused(moved(&named(&part), &named(&now))));
    }
    let last = last_look(dsn, client, &reset.run);
    let after = execute(dsn, client, &part.steps, &story(part.locking.len()), progress, last).await?;
    prove_planned(plan, &before, &after).map_err(Failure::Refused)?;
    let left = nothing_new(plan, &after).map_err(Failure::Refused)?;
    let next = match left.is_empty() {
        true => {
            prove_nothing_left(plan, &after).map_err(Failure::Refused)?;
            None
        }
        false => Some(first_part(&after)?),
    };
    Ok(Dropped { n_statements: n_steps, n_left: left.n_objects, next })
}

fn refused(refusal: Refusal) -> Failure {
    Failure::Refused(ResetError::Refused(refusal))
}

async fn look(dsn: &Dsn, client: &Client) -> Result<Catalog, Failure> {
    catalog::read(client).await.map_err(|error| Failure::of(dsn, "reading the catalog", &error))
}

/// Looks for the last time before COMMIT, and asks on the same journey whether the lock is still ours.
async fn last_look(dsn: &Dsn, client: &Client, run: &Run<'_>) -> Result<Catalog, Failure> {
    let (found, held) = tokio::join!(biased; look(dsn, client), holds(client, run));
    let found = found?;
    match held.map_err(|error| Failure::of(dsn, "looking for the lock", &error))? {
        true => Ok(found),
        false => Err(Failure::Refused(ResetError::LeaseLost)),
    }
}

/// Runs statements and what comes after them, all on one journey. Each statement is told of when its turn comes. The
/// server refuses what stands behind one that fails, because it is one transaction.
async fn execute<'a, T>(
    dsn: &Dsn,
    client: &Client,
    steps: &'a [Step],
    told: &dyn Fn(usize, &'a Step),
    progress: &mut Progress,
    afterwards: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    if let Some(first) = steps.first() {
        told(0, first);
    }
    let mut sent = Vec::new();
    for step in steps {
        sent.push(Sent::send(client.batch_execute(&step.sql)).await);
    }
    let afterwards = Sent::send(afterwards).await;
    for (idx, request) in sent.into_iter().enumerate() {
        request.answer().await.map_err(|error| Failure::of(dsn, &steps[idx].sql, &error))?;
        progress.n_done += 1;
        if let Some(next) = steps.get(idx + 1) {
            told(idx + 1, next);
        }
    }
    afterwards.answer().await
}

/// undefined_table and invalid_schema_name.
fn is_gone(fault: &Fault) -> bool {
    matches!(&*fault.sqlstate, "42P01" | "3F000")
}

async fn go_back(dsn: &Dsn, client: &Client, progress: &mut Progress) -> Result<(), Failure> {
    client.batch_execute(BACK).await.map_err(|error| Failure::of(dsn, BACK, &error))?;
    progress.n_done = 0;
    Ok(())
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
    let now = plan::plan(found, &plan.scope).map_err(ResetError::Refused)?;
    if now.does_the_same_as(plan) {
        return Ok(Still::So);
    }
    if now.is_empty() {
        return Ok(Still::Empty);
    }
    Err(moved(&everything(plan), &everything(&now)))
}

/// Plans what is left, and checks that nothing of it is new.
fn nothing_new(plan: &ResetPlan, found: &Catalog) -> Result<ResetPlan, ResetError> {
    let now = plan::plan(found, &plan.scope).map_err(ResetError::Refused)?;
    let (old, new) = (everything(plan), everything(&now));
    if new.is_subset(&old) && now.extensions == plan.extensions {
        return Ok(now);
    }
    Err(moved(&old, &new))
}

/// Names what a plan drops and takes along, and what it leaves alone.
fn everything(plan: &ResetPlan) -> BTreeSet<String> {
    let named = plan.steps.iter().flat_map(|step| step.objects.clone());
    let taken = plan.collateral.iter().map(|taken| taken.object.clone());
    let extensions = plan.extensions.iter().map(|found| format!("extension {} {}", found.name, found.version));
    named.chain(taken).chain(extensions).collect()
}

fn moved(old: &BTreeSet<String>, new: &BTreeSet<String>) -> ResetError {
    let (appeared, disappeared) = (new.difference(old).cloned().collect(), old.difference(new).cloned().collect());
    ResetError::Moved { appeared, disappeared }
}

/// Checks before COMMIT that nothing in scope is left.
fn prove_nothing_left(plan: &ResetPlan, after: &Catalog) -> Result<(), ResetError> {
    let objects = plan::left(after, &plan.scope);
    if objects.is_empty() { Ok(()) } else { Err(ResetError::Left { objects }) }
}

/// Checks before COMMIT that nothing is gone that was in no plan.
fn prove_planned(plan: &ResetPlan, before: &Catalog, after: &Catalog) -> Result<(), ResetError> {
    let objects = plan::unplanned(before, after, &plan.scope);
    if objects.is_empty() { Ok(()) } else { Err(ResetError::Unplanned { objects }) }
}
