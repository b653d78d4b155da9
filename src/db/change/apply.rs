//! Runs statements in one transaction, all or nothing, on the very database that was looked at.
//!
//! Every ending says what it did to the database. After a COMMIT without a reply the server is asked what became of
//! the transaction; before a COMMIT was sent, nothing can have been kept.

use crate::db::change::begin::{begin, mark_for_asking};
use crate::db::change::error::list;
use crate::db::change::lock::Lock;
use crate::db::change::transaction::{Halt, Open, holds, lock};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::fingerprint::{self, Fingerprint};
use crate::db::inspect::identity::Identity;
use crate::db::inspect::lines::{self, Difference, Line};
use crate::db::inspect::lock::{self, Locking, Mode};
use crate::db::inspect::reach::{self, Facts, Wanted};
use crate::db::inspect::relation::Relation;
use crate::outcome::Database;

pub use crate::db::change::error::TransactionError;
pub use crate::db::change::fault::{Cut, Fault};
pub use crate::db::change::lock::{Holder, LOCK, LockKey};
pub use crate::db::change::transaction::{Hold, Proof, Run};

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
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error("the schema has changed since it was inspected{}", list(differences))]
    Moved {
        /// Empty where only the digest was known.
        differences: Vec<Difference>,
    },
    #[error("statement {} failed: {}", idx + 1, fault.message)]
    Statement { idx: usize, statement: String, fault: Box<Fault> },
    /// What had to stay did not: line of a fingerprint.
    #[error("the statements would change what they must leave as it is: {line}")]
    NotKept { line: String },
    /// What the statements are for did not come of them: a line of a fingerprint.
    #[error("after the statements the database would not have what they are for: {}", named(line))]
    NotMade { line: String },
    /// A statement was transaction control, so that what came before it may have been kept.
    #[error("statement {} ended the transaction", idx + 1)]
    LeftTransaction { idx: usize, statement: String },
}

impl ApplyError {
    /// Tells what the ending did to the database.
    pub fn database(&self) -> Database {
        match self {
            ApplyError::Transaction(error) => error.database(),
            ApplyError::Moved { .. }
            | ApplyError::Statement { .. }
            | ApplyError::NotKept { .. }
            | ApplyError::NotMade { .. } => Database::Unchanged,
            ApplyError::LeftTransaction { .. } => Database::Maybe,
        }
    }

    /// Returns what the server said, and of which statement.
    pub fn cause(&self) -> Option<(&Fault, Option<&String>)> {
        match self {
            ApplyError::Statement { statement, fault, .. } => Some((fault, Some(statement))),
            ApplyError::Transaction(TransactionError::Commit { fault }) => Some((fault, None)),
            _ => None,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            ApplyError::Transaction(error @ TransactionError::Elsewhere { .. }) => {
                format!("plan again on this database, or {}", error.hint())
            }
            ApplyError::Transaction(TransactionError::Unknown { .. }) => {
                "compare the database with the schema before the next run: it has all of the statements, or none"
                    .to_owned()
            }
            ApplyError::Transaction(error) => error.hint(),
            ApplyError::Moved { .. } => "plan again: the decision was made for another schema".to_owned(),
            ApplyError::NotKept { .. } => {
                "report it with --report FILE: what drizzle-kit repeats belongs to what it changes".to_owned()
            }
            ApplyError::NotMade { .. } => {
                "make the change by hand, and look again with drizzle-pilot check --database".to_owned()
            }
            ApplyError::Statement { fault, .. } => fault.advice(),
            ApplyError::LeftTransaction { .. } => {
                "remove transaction control from the statements; compare the database with the schema".to_owned()
            }
        }
    }
}

/// Runs a script in one transaction. Must not be called from asynchronous code.
///
/// A signal that ends us (INT, TERM, HUP) stops it up to COMMIT, and is reported beside the outcome after that.
///
/// # Errors
/// With [`ApplyError::database`] to tell what is left behind.
pub fn apply(dsn: &Dsn, script: &Script, run: &Run) -> Result<Applied, ApplyError> {
    Begun::begin(dsn, script.expected.as_ref(), &[], run)?.execute(&script.statements)?.commit()
}

/// A transaction on the database that was looked at, in which nothing was executed yet. Dropped, it is rolled back.
pub struct Begun<'a>(Open<'a>);

/// A transaction in which the statements were executed. Dropped, it is rolled back.
pub struct Executed<'a> {
    open: Open<'a>,
    statements: &'a [String],
}

impl<'a> Begun<'a> {
    /// Begins it, takes the lock, keeps everyone from reading and writing these tables until its end, and makes sure that the
    /// database is what is expected. Must not be called from asynchronous code.
    ///
    /// # Errors
    /// As [`apply`].
    #[tracing::instrument(skip_all)]
    pub fn begin(
        dsn: &'a Dsn,
        expected: Option<&Expected>,
        tables: &[Relation],
        run: &'a Run<'a>,
    ) -> Result<Begun<'a>, ApplyError> {
        let unready = |error| unconnected(explained(dsn, &error));
        let begun = Open::connect(dsn, run)?.step(async |client, progress| {
            progress.mark = Some(begin(client, run.lock_timeout).await.map_err(unready)?);
            match lock(client, run, &mut |_| ()).await.map_err(unready)? {
                Lock::Taken => {}
                Lock::Held { holder, waited } => return Err(refused(TransactionError::Locked { holder, waited })),
            }
            if !tables.is_empty() {
                client.batch_execute("SAVEPOINT locking").await.map_err(unready)?;
                if let Locking::Busy { by, waited } =
                    lock::lock(client, tables, Mode::Exclusive).await.map_err(unready)?
                {
                    return Err(refused(TransactionError::Busy { by, n_attempts: 1, waited }));
                }
            }
            let Some(expected) = expected else { return Ok(()) };
            let found = fingerprint::read(client).await.map_err(unready)?;
            compare(expected, &found).map_or(Ok(()), |moved| Err(Halt::Refused(moved)))
        });
        begun.map(|(open, ())| Begun(open))
    }

    /// Looks up what is at stake by now.
    ///
    /// # Errors
    /// As [`apply`].
    pub fn look(self, wanted: &Wanted) -> Result<(Begun<'a>, Facts), ApplyError> {
        let dsn = self.0.dsn;
        let looked = self.0.step(async |client, _| {
            reach::read_within(client, wanted).await.map_err(|error| unconnected(explained(dsn, &error)))
        });
        looked.map(|(open, facts)| (Begun(open), facts))
    }

    /// Executes the statements, one after the other.
    ///
    /// # Errors
    /// As [`apply`].
    #[tracing::instrument(skip_all)]
    pub fn execute(self, statements: &'a [String]) -> Result<Executed<'a>, ApplyError> {
        let (dsn, run) = (self.0.dsn, self.0.run);
        let unready = |error| unconnected(explained(dsn, &error));
        let lost = |error| Halt::Cut(Cut::Lost(explained(dsn, &error)));
        let executed = self.0.step(async |client, progress| {
            progress.xid = mark_for_asking(client, run.statement_timeout).await.map_err(unready)?;
            for (idx, statement) in statements.iter().enumerate() {
                // The question travels with the statement, and so costs no time of its own.
                const STILL_OURS: &str = "SELECT pg_catalog.txid_current_if_assigned()";
                let (done, still_ours) =
                    tokio::join!(biased; client.batch_execute(statement), client.query_typed_one(STILL_OURS, &[]));
                if let Err(error) = done {
                    let Some(answer) = error.as_db_error() else { return Err(lost(error)) };
                    let fault = Fault::of(answer);
                    return Err(Halt::Refused(ApplyError::Statement { idx, statement: statement.clone(), fault }));
                }
                let xid: Option<i64> = still_ours.map_err(lost)?.get(0);
                if xid != progress.xid {
                    return Err(Halt::Refused(left_transaction(statements, idx)));
                }
                progress.n_done = idx + 1;
            }
            Ok(())
        });
        let (open, ()) = executed.map_err(|error| called(statements, error))?;
        Ok(Executed { open, statements })
    }
}

impl Executed<'_> {
    /// Makes sure that these lines of the fingerprint are as they were.
    ///
    /// # Errors
    /// As [`apply`].
    #[tracing::instrument(skip_all)]
    pub fn keeping(self, lines: &[String]) -> Result<Self, ApplyError> {
        self.having(lines, |line| ApplyError::NotKept { line })
    }

    /// Makes sure that these lines of the fingerprint are there now.
    ///
    /// # Errors
    /// As [`apply`].
    #[tracing::instrument(skip_all)]
    pub fn making(self, lines: &[String]) -> Result<Self, ApplyError> {
        self.having(lines, |line| ApplyError::NotMade { line })
    }

    fn having(self, lines: &[String], lacks: impl Fn(String) -> ApplyError) -> Result<Self, ApplyError> {
        if lines.is_empty() {
            return Ok(self);
        }
        let Executed { open, statements } = self;
        let dsn = open.dsn;
        let kept = open.step(async |client, _| {
            let found = fingerprint::read(client).await.map_err(|error| unconnected(explained(dsn, &error)))?;
            match lines.iter().find(|line| found.lines.binary_search(line).is_err()) {
                Some(line) => Err(Halt::Refused(lacks(line.clone()))),
                None => Ok(()),
            }
        });
        let (open, ()) = kept.map_err(|error| called(statements, error))?;
        Ok(Executed { open, statements })
    }

    /// Commits, if the lock is still ours.
    ///
    /// # Errors
    /// As [`apply`].
    #[tracing::instrument(skip_all)]
    pub fn commit(self) -> Result<Applied, ApplyError> {
        let Executed { open, statements } = self;
        let (dsn, run) = (open.dsn, open.run);
        let held = open.step(async |client, _| match holds(client, run).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(refused(TransactionError::LockLost)),
            Err(error) => Err(Halt::Cut(Cut::Lost(explained(dsn, &error)))),
        });
        let (open, ()) = held.map_err(|error| called(statements, error))?;
        let (proof, signal) = open.commit()?;
        Ok(Applied { n_statements: statements.len(), proof, signal })
    }
}

/// We sent no COMMIT: where it is committed all the same, one of the statements was it.
fn called(statements: &[String], error: ApplyError) -> ApplyError {
    match error {
        ApplyError::Transaction(TransactionError::Uncalled { n_done, .. }) => left_transaction(statements, n_done),
        error => error,
    }
}

fn left_transaction(statements: &[String], idx: usize) -> ApplyError {
    let idx = idx.min(statements.len().saturating_sub(1));
    ApplyError::LeftTransaction { idx, statement: statements.get(idx).cloned().unwrap_or_default() }
}

/// Returns what a line is about.
fn named(line: &str) -> String {
    let Line { kind, name, .. } = Line::read(line);
    format!("{kind} {name}")
}

fn unconnected(error: ConnectError) -> Halt<ApplyError> {
    refused(TransactionError::Unready(error))
}

fn refused(error: TransactionError) -> Halt<ApplyError> {
    Halt::Refused(error.into())
}

fn compare(expected: &Expected, found: &Fingerprint) -> Option<ApplyError> {
    if expected.identity != found.identity {
        let (expected, found) = (expected.identity.clone(), found.identity.clone());
        return Some(TransactionError::Elsewhere { expected, found }.into());
    }
    if expected.digest == found.digest() {
        return None;
    }
    let differences = expected.lines.as_ref().map(|lines| lines::difference(lines, &found.lines));
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
        assert_eq!(moved.database(), Database::Unchanged);
        assert_eq!(moved.to_string(), "the schema has changed since it was inspected\n  appeared: schema other");
        let elsewhere = compare(&expected, &seen("copy", &["schema|public|"])).expect("it is another database");
        assert_eq!(
            elsewhere.to_string(),
            "this is not the database that was inspected: it is database copy (oid 1) of the server 7, not database shop (oid 1) of the server 7"
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
