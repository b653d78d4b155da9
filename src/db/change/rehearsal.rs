//! Runs statements in a transaction that is rolled back, to learn which of them the server refuses and why.
//!
//! What stays of it: numbers that sequences have given out. What acts beyond the database is not tried.

use std::time::Duration;

use crate::db::change::confine::Confine;
use crate::db::change::fault::Fault;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::limits::milliseconds;

/// What a rehearsal came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rehearsal {
    /// The server takes all of them.
    Runs,
    Fails {
        idx: usize,
        fault: Box<Fault>,
    },
    /// The server takes each of them, and not their sum: a deferred constraint.
    FailsAtEnd {
        fault: Box<Fault>,
    },
    /// One of them acts beyond the database, or may: a rollback would not undo that.
    NotTried,
}

/// Runs the statements and undoes them. None of them may begin or end a transaction. Must not be called from
/// asynchronous code.
///
/// # Errors
/// When the server cannot be asked, or not within the deadline.
pub fn rehearse(dsn: &Dsn, confine: &Confine, deadline: Duration) -> Result<Rehearsal, ConnectError> {
    within(dsn, deadline, async |patience| {
        let session = Session { application_name: "drizzle-pilot rehearsal", options: "" };
        let client = open(dsn, patience, &session).await?;
        let confined = confine.within(&client).await.map_err(|error| explained(dsn, &error))?;
        let Some(statements) = confined else { return Ok(Rehearsal::NotTried) };
        let limit = milliseconds(deadline);
        let begin = format!("BEGIN; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = {limit}");
        client.batch_execute(&begin).await.map_err(|error| explained(dsn, &error))?;
        let mut outcome = Ok(Rehearsal::Runs);
        let last = "SET CONSTRAINTS ALL IMMEDIATE".to_owned();
        for (idx, statement) in statements.iter().chain([&last]).enumerate() {
            let Err(error) = client.batch_execute(statement).await else { continue };
            outcome = match error.as_db_error() {
                Some(answer) if idx == statements.len() => Ok(Rehearsal::FailsAtEnd { fault: Fault::of(answer) }),
                Some(answer) => Ok(Rehearsal::Fails { idx, fault: Fault::of(answer) }),
                None => Err(explained(dsn, &error)),
            };
            break;
        }
        // The end of the connection does the same.
        let _ = client.batch_execute("ROLLBACK").await;
        outcome
    })
}
