//! Why a database was not emptied.

use crate::db::change::error::{TransactionError, list};
use crate::db::change::fault::Fault;
use crate::db::reset::plan::Refusal;
use crate::outcome::Database;

/// Why a database was not emptied.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    #[error(transparent)]
    Transaction(#[from] TransactionError),
    #[error(transparent)]
    Refused(Refusal),
    /// What is there now leads to another plan.
    #[error("the database has changed since it was inspected{}", moves(appeared, disappeared))]
    Moved { appeared: Vec<String>, disappeared: Vec<String> },
    #[error("{sql} failed: {} ({})", fault.message, fault.sqlstate)]
    Statement { sql: String, fault: Box<Fault> },
    #[error("after the drops these objects are still there:{}", list(objects))]
    Left { objects: Vec<String> },
    #[error("the drops removed objects that were not in the plan{}", list(objects))]
    Unplanned { objects: Vec<String> },
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
            ResetError::Transaction(TransactionError::Commit { fault }) => Some((fault, None)),
            ResetError::Partial { cause, .. } => cause.cause(),
            _ => None,
        }
    }

    /// Tells what the ending did to the database.
    pub fn database(&self) -> Database {
        match self {
            ResetError::Transaction(error) => error.database(),
            ResetError::Refused(_)
            | ResetError::Moved { .. }
            | ResetError::Statement { .. }
            | ResetError::Left { .. }
            | ResetError::Unplanned { .. } => Database::Unchanged,
            ResetError::Partial { .. } => Database::Maybe,
        }
    }

    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            ResetError::Transaction(TransactionError::Unknown { .. }) => {
                "run it again: the database is unchanged or empty".to_owned()
            }
            ResetError::Transaction(error) => error.hint(),
            ResetError::Refused(refusal) => refusal.hint().to_owned(),
            ResetError::Moved { .. } => "run it again: the plan that was shown is out of date".to_owned(),
            ResetError::Statement { .. } if self.is_for_want_of_room() => {
                "the server has no room for that many locks: raise max_locks_per_transaction, or empty fewer schemas at once"
                    .to_owned()
            }
            ResetError::Statement { fault, .. } => fault.advice(),
            ResetError::Left { .. } => "another program creates objects in the meantime: stop it, and run it again".to_owned(),
            ResetError::Unplanned { .. } => "another program changes the schema in the meantime: stop it, and run it again".to_owned(),
            ResetError::Partial { cause, .. } => format!("run it again, which finishes it; {}", cause.hint()),
        }
    }
}

fn moves(appeared: &[String], disappeared: &[String]) -> String {
    let told = |word: &str, objects: &[String]| {
        objects.iter().map(|object| format!("\n  {word}: {object}")).collect::<String>()
    };
    told("appeared", appeared) + &told("disappeared", disappeared)
}
