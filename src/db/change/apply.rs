//! Runs statements in one transaction, all or nothing, on the very database that was looked at.
//!
//! Every ending says what it did to the database. After a COMMIT without a reply the server is asked what became of
//! the transaction; before a COMMIT was sent, nothing can have been kept.

use std::fmt;
use std::time::Duration;

use tokio_postgres::Client;

use crate::db::change::transaction::{
    Fate, Halt, Lock, Outcome, Progress, begin, holds, lock, locked_hint, mark_for_asking, transact,
};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::Patience;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::fingerprint::{self, Difference, Fingerprint};
use crate::db::inspect::identity::Identity;
use crate::db::inspect::lock::{self, Locking, Mode};
use crate::db::inspect::reach::{self, Facts, Wanted};
use crate::db::inspect::relation::Relation;

pub use crate::db::change::lease::Hold;
pub use crate::db::change::transaction::{Cut, Effect, Fault, Holder, LOCK, LockKey, Proof, Run};

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

/// What is looked at again before the first statement, when nobody else can write any more.
pub struct Check<'a> {
    /// They are locked, so that nobody reads or writes them until the end of the transaction.
    pub tables: &'a [Relation],
    pub wanted: &'a Wanted,
    /// Says whether the statements may run.
    pub allows: &'a dyn Fn(Facts) -> bool,
}

/// A script that was run and committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    pub n_statements: usize,
    pub proof: Proof,
    /// A signal that came when COMMIT was on its way already.
    pub signal: Option<i32>,
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
    #[error("the lock on this database was lost before the commit")]
    LeaseLost,
    #[error("this is not the database that was looked at: {found}, and not {expected}")]
    Elsewhere { expected: Identity, found: Identity },
    #[error("the schema has moved since it was looked at{}", list(differences))]
    Moved {
        /// Empty where only the digest was known.
        differences: Vec<Difference>,
    },
    #[error("others hold what is to be changed, after {waited:?}{}", list(by))]
    Busy {
        /// Empty where they were gone when we looked.
        by: Vec<Blocker>,
        waited: Duration,
    },
    /// By [`Check::allows`].
    #[error("what is at stake now is not what was judged")]
    NotAllowed,
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
            | ApplyError::LeaseLost
            | ApplyError::Elsewhere { .. }
            | ApplyError::Moved { .. }
            | ApplyError::Busy { .. }
            | ApplyError::NotAllowed
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
            ApplyError::Locked { holder, .. } => locked_hint(holder.as_ref()),
            ApplyError::LeaseLost => super::lease::LEASE_LOST.to_owned(),
            ApplyError::Elsewhere { .. } => {
                "plan again on this database, or correct the address; behind one name there may be several servers"
                    .to_owned()
            }
            ApplyError::Moved { .. } => "plan again: what was decided was decided for another schema".to_owned(),
            ApplyError::Busy { by, .. } => blockers::hint(by),
            ApplyError::NotAllowed => "look at what is at stake now with drizzle-pilot plan".to_owned(),
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

fn list<T: fmt::Display>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {one}")).collect()
}

/// Runs a script in one transaction. Must not be called from asynchronous code.
///
/// A signal that ends us (INT, TERM, HUP) stops it up to COMMIT, and is reported beside the outcome after that.
///
/// # Errors
/// With [`ApplyError::effect`] to tell what is left behind.
pub fn apply(dsn: &Dsn, script: &Script, run: &Run) -> Result<Applied, ApplyError> {
    apply_if(dsn, script, None, run)
}

/// As [`apply`], after a check under locks.
///
/// # Errors
/// As [`apply`].
pub fn apply_checked(dsn: &Dsn, script: &Script, check: &Check, run: &Run) -> Result<Applied, ApplyError> {
    apply_if(dsn, script, Some(check), run)
}

fn apply_if(dsn: &Dsn, script: &Script, check: Option<&Check>, run: &Run) -> Result<Applied, ApplyError> {
    let outcome = transact(dsn, run, async |patience, progress: &mut Progress| {
        let client = prepare(dsn, script, check, run, patience, progress).await?;
        Ok((client, ()))
    });
    match outcome.map_err(ApplyError::Unready)? {
        Outcome::Committed { value: (), proof, signal } => {
            Ok(Applied { n_statements: script.statements.len(), proof, signal })
        }
        Outcome::Refused(error) => Err(error),
        Outcome::CommitRefused(fault) => Err(ApplyError::Commit { fault }),
        Outcome::Stopped { n_done, cut, fate } => Err(match fate {
            Fate::Undone => ApplyError::Stopped { n_done, cut, seen_undone: true },
            Fate::Unknown(_) => ApplyError::Stopped { n_done, cut, seen_undone: false },
            // We sent no COMMIT: one of the statements was it.
            Fate::Committed => left_transaction(script, n_done),
        }),
        Outcome::Unanswered { cut, unknown: None } => Err(ApplyError::Undone { cut }),
        Outcome::Unanswered { cut, unknown: Some(reason) } => Err(ApplyError::Unknown { cut, reason }),
    }
}

fn left_transaction(script: &Script, idx: usize) -> ApplyError {
    let idx = idx.min(script.statements.len().saturating_sub(1));
    ApplyError::LeftTransaction { idx, statement: script.statements.get(idx).cloned().unwrap_or_default() }
}

/// Does everything up to COMMIT.
async fn prepare(
    dsn: &Dsn,
    script: &Script,
    check: Option<&Check<'_>>,
    run: &Run<'_>,
    patience: Patience,
    progress: &mut Progress,
) -> Result<Client, Halt<ApplyError>> {
    let session = Session { application_name: run.application_name, options: "" };
    let client = open(dsn, patience, &session).await.map_err(|error| Halt::Refused(ApplyError::Unready(error)))?;
    let unready = |error| Halt::Refused(ApplyError::Unready(explained(dsn, &error)));

    progress.mark = Some(begin(&client, run).await.map_err(unready)?);
    match lock(&client, run, &mut |_| ()).await.map_err(unready)? {
        Lock::Taken => {}
        Lock::Held { holder, waited } => return Err(Halt::Refused(ApplyError::Locked { holder, waited })),
    }
    if let Some(check) = check {
        client.batch_execute("SAVEPOINT locking").await.map_err(unready)?;
        if let Locking::Busy { by, waited } =
            lock::lock(&client, check.tables, Mode::Exclusive).await.map_err(unready)?
        {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Halt::Refused(ApplyError::Busy { by, waited }));
        }
    }
    if let Some(expected) = &script.expected {
        let found = fingerprint::read(&client).await.map_err(unready)?;
        if let Some(moved) = compare(expected, &found) {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Halt::Refused(moved));
        }
    }
    if let Some(check) = check {
        let found = reach::read_within(&client, check.wanted).await.map_err(unready)?;
        if !(check.allows)(found) {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Halt::Refused(ApplyError::NotAllowed));
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
                return Err(Halt::Cut(Cut::Lost(explained(dsn, &error))));
            };
            let fault = Fault::of(answer);
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Halt::Refused(ApplyError::Statement { idx, statement: statement.clone(), fault }));
        }
        let xid: Option<i64> = still_ours.map_err(|error| Halt::Cut(Cut::Lost(explained(dsn, &error))))?.get(0);
        if xid != progress.xid {
            let _ = client.batch_execute("ROLLBACK").await;
            return Err(Halt::Refused(left_transaction(script, idx)));
        }
        progress.n_done = idx + 1;
    }
    if !holds(&client, run).await.map_err(|error| Halt::Cut(Cut::Lost(explained(dsn, &error))))? {
        let _ = client.batch_execute("ROLLBACK").await;
        return Err(Halt::Refused(ApplyError::LeaseLost));
    }
    Ok(client)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(database: &str, lines: &[&str]) -> Fingerprint {
        let identity = Identity { system_identifier: Some("7".to_owned()), database: database.to_owned(), oid: 1 };
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
            "this is not the database that was looked at: database copy (oid 1) of the server 7, and not database shop (oid 1) of the server 7"
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
}
