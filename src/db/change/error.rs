//! What stopped a transaction, whatever it was to do.

use std::fmt;
use std::time::Duration;

use crate::db::change::fault::{Cut, Fault};
use crate::db::change::lock::{Holder, locked_hint};
use crate::db::connection::error::ConnectError;
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::identity::Identity;
use crate::outcome::Database;
use crate::outcome::LOCK_LOST;

/// Why a transaction was not committed, or may not have been.
#[derive(Debug, thiserror::Error)]
pub enum TransactionError {
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
    LockLost,
    #[error("this is not the database that was inspected: it is {found}, not {expected}")]
    Elsewhere { expected: Identity, found: Identity },
    #[error("other sessions hold locks on the objects to change, after {}{waited:?}{}", attempts(*n_attempts), list(by))]
    Busy {
        /// Empty where they were gone when we looked.
        by: Vec<Blocker>,
        n_attempts: u32,
        waited: Duration,
    },
    /// A deferred constraint, most often.
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
    #[error("the commit was lost in transit ({cut}), and the server rolled the transaction back")]
    Undone { cut: Cut },
    /// The reply to COMMIT was lost, and the server could not be asked.
    #[error("the reply to the commit was lost ({cut}), and its outcome is unknown: {reason}")]
    Unknown { cut: Cut, reason: String },
    /// As [`TransactionError::Stopped`], and the server says that it is committed all the same.
    #[error("stopped after {n_done} statements ({cut}), but they are committed, although no commit was sent")]
    Uncalled { n_done: usize, cut: Cut },
}

impl TransactionError {
    /// Tells what the ending did to the database.
    pub fn database(&self) -> Database {
        match self {
            TransactionError::Unready(_)
            | TransactionError::Locked { .. }
            | TransactionError::LockLost
            | TransactionError::Elsewhere { .. }
            | TransactionError::Busy { .. }
            | TransactionError::Commit { .. }
            | TransactionError::Stopped { .. }
            | TransactionError::Undone { .. } => Database::Unchanged,
            TransactionError::Unknown { .. } | TransactionError::Uncalled { .. } => Database::Maybe,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            TransactionError::Unready(error) => error.hint(),
            TransactionError::Locked { holder, .. } => locked_hint(holder.as_ref()),
            TransactionError::LockLost => LOCK_LOST.to_owned(),
            TransactionError::Elsewhere { .. } => "correct the address; several servers may share one name".to_owned(),
            TransactionError::Busy { by, .. } => blockers::hint(by),
            TransactionError::Commit { fault } => fault.advice(),
            TransactionError::Stopped { seen_undone: true, .. } => "run it again".to_owned(),
            TransactionError::Stopped { seen_undone: false, .. } => {
                "run it again later: the server may hold the locks until it notices that drizzle-pilot is gone"
                    .to_owned()
            }
            TransactionError::Undone { .. } => "check the network and the server log, then run it again".to_owned(),
            TransactionError::Unknown { .. } | TransactionError::Uncalled { .. } => {
                "inspect the database before the next run: all of the statements are committed, or none".to_owned()
            }
        }
    }
}

fn attempts(n_attempts: u32) -> String {
    if n_attempts == 1 { String::new() } else { format!("{n_attempts} attempts in ") }
}

/// Writes one thing to a line, each below the other.
pub(in crate::db) fn list<T: fmt::Display>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {one}")).collect()
}
