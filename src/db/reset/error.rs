//! Why a database was not emptied.

use std::fmt;
use std::time::Duration;

use crate::db::change::transaction::{Cut, Effect, Fault, Holder, locked_hint};
use crate::db::connection::error::ConnectError;
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::identity::Identity;
use crate::db::reset::plan::Refusal;

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
    pub(super) fn is_for_want_of_room(&self) -> bool {
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
