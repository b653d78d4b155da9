//! One connection for several looks in a row: a login costs more than a look.

use std::cell::Cell;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio_postgres::Client;

use super::connect::{ConnectError, Patience, Session, attended, explained, leave, open, runtime};
use super::url::Dsn;

/// A connection that opens with the first look and closes when dropped. Must not be used from asynchronous code.
pub struct Visit<'a> {
    dsn: &'a Dsn,
    session: Session<'a>,
    runtime: Option<Runtime>,
    client: Cell<Option<Client>>,
}

impl<'a> Visit<'a> {
    /// Prepares a visit; nothing is sent yet. Where the server refuses the options of the session it is made without.
    ///
    /// # Errors
    /// When the system refuses what a runtime needs.
    pub fn to(dsn: &'a Dsn, session: Session<'a>) -> Result<Visit<'a>, ConnectError> {
        Ok(Visit { dsn, session, runtime: Some(runtime(dsn)?), client: Cell::new(None) })
    }

    /// Takes a look, to its end, to the deadline or to a signal that ends us. A connection on which a look failed is
    /// given up, and the next look opens another.
    pub(super) fn look<T>(
        &self,
        deadline: Duration,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        let runtime = self.runtime.as_ref().expect("it is taken when the visit is dropped");
        runtime.block_on(attended(self.dsn, deadline, async |patience| {
            let client = match self.client.take() {
                Some(client) => client,
                None => self.open(patience).await?,
            };
            let seen = look(&client).await.map_err(|error| explained(self.dsn, &error))?;
            self.client.set(Some(client));
            Ok(seen)
        }))
    }

    async fn open(&self, patience: Patience) -> Result<Client, ConnectError> {
        match open(self.dsn, patience, &self.session).await {
            Err(ConnectError::OptionsRefused { .. }) if !self.session.options.is_empty() => {
                open(self.dsn, patience, &Session { options: "", ..self.session }).await
            }
            outcome => outcome,
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            drop(self.client.take());
            leave(runtime);
        }
    }
}
