//! What a server says against a statement, and what ends a transaction from outside.

use std::time::Duration;

use tokio_postgres::error::{DbError, ErrorPosition};

use crate::db::connection::error::ConnectError;
use crate::db::connection::explain::{self, About};

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
        advice.unwrap_or_else(|| "check the server log".to_owned())
    }
}
