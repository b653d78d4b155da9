//! One connection for several looks in a row: a login costs more than a look.

use std::cell::Cell;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::db::connection::connect::{Session, open_watched};
use crate::db::connection::conversation::{Patience, attended, leave, runtime};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, at, explained};
use crate::db::limits::{UNDOING, milliseconds};

/// A connection that opens with the first look and closes when dropped. Must not be used from asynchronous code.
pub struct Connection {
    dsn: Dsn,
    application_name: String,
    options: &'static str,
    runtime: Option<Runtime>,
    open: Cell<Option<Open>>,
    /// A transaction is open that has to outlive every look.
    stays: bool,
}

/// An open connection.
#[derive(Clone)]
pub(in crate::db) struct Open {
    pub(in crate::db) client: Arc<Client>,
    /// The connection once more: what is readable here has not been read by the client.
    pub(in crate::db) watched: Arc<OwnedFd>,
}

impl Connection {
    /// Prepares a connection; nothing is sent yet. Where the server refuses the start-up options (`-c name=value`, may be
    /// empty) it is made without.
    ///
    /// # Errors
    /// When the system refuses what a runtime needs.
    pub fn to(dsn: &Dsn, application_name: &str, options: &'static str) -> Result<Connection, ConnectError> {
        Ok(Connection {
            dsn: dsn.clone(),
            application_name: application_name.to_owned(),
            options,
            runtime: Some(runtime(dsn)?),
            open: Cell::new(None),
            stays: false,
        })
    }

    /// Returns where it goes.
    pub(in crate::db) fn dsn(&self) -> &Dsn {
        &self.dsn
    }

    /// Has every look from now on leave the open transaction as it is.
    pub(in crate::db) fn stay(&mut self) {
        self.stays = true;
    }

    pub(in crate::db) fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken when the connection is dropped")
    }

    /// Returns the connection, and opens it where there is none.
    pub(in crate::db) async fn opened(&self, patience: Patience) -> Result<Open, ConnectError> {
        let opened = match self.open.take() {
            Some(opened) => opened,
            None => self.log_in(patience).await?,
        };
        self.open.set(Some(opened.clone()));
        Ok(opened)
    }

    async fn log_in(&self, patience: Patience) -> Result<Open, ConnectError> {
        let session = Session { application_name: &self.application_name, options: self.options };
        let outcome = match open_watched(&self.dsn, patience, &session).await {
            Err(ConnectError::OptionsRefused { .. }) if !self.options.is_empty() => {
                open_watched(&self.dsn, patience, &Session { options: "", ..session }).await
            }
            outcome => outcome,
        };
        outcome.map(|(client, watched)| Open { client: Arc::new(client), watched: Arc::new(watched) })
    }

    /// Closes the connection until the next look, unless it has to stay: one that nobody drives may be cut meanwhile.
    pub fn rest(&self) {
        if !self.stays {
            drop(self.open.take());
            self.runtime().block_on(tokio::task::yield_now());
        }
    }

    /// Takes a look by statements that leave nothing behind, to its end, to the deadline or to a signal that ends us.
    pub(in crate::db) fn look<T>(
        &self,
        deadline: Duration,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        if self.stays { self.look_within(deadline, "", look) } else { self.look_once(deadline, look) }
    }

    /// As [`Connection::look`], in a transaction that may not write, begins with these settings and is undone.
    pub(in crate::db) fn look_aside<T>(
        &self,
        deadline: Duration,
        settings: &str,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        self.aside(deadline, "", settings, look)
    }

    /// As [`Connection::look_aside`], and sees everything as it was at one moment, unless a transaction is open already.
    pub(in crate::db) fn look_at_once<T>(
        &self,
        deadline: Duration,
        settings: &str,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        self.aside(deadline, "ISOLATION LEVEL REPEATABLE READ", settings, look)
    }

    fn aside<T>(
        &self,
        deadline: Duration,
        isolation: &str,
        settings: &str,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        if self.stays {
            return self.look_within(deadline, settings, look);
        }
        let begin = format!("BEGIN {isolation} READ ONLY; {settings}");
        self.look_once(deadline, async |client| {
            let (begun, looked) = tokio::join!(biased; client.batch_execute(&begin), look(client));
            // Poolers hand the connection on: nothing of ours may stay behind.
            let _ = client.batch_execute("ROLLBACK").await;
            begun.and(looked)
        })
    }

    /// Looks where no transaction is open. A connection on which that failed is given up, and the next look opens another.
    fn look_once<T>(
        &self,
        deadline: Duration,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        let seen = self.runtime().block_on(attended(&self.dsn, deadline, async |patience| {
            let Open { client, .. } = self.opened(patience).await?;
            look(&client).await.map_err(|error| explained(&self.dsn, &error))
        }));
        if seen.is_err() {
            self.open.set(None);
        }
        seen
    }

    /// Looks where a transaction is open that stays as it is: the end of a subtransaction undoes an error, and gives back
    /// the locks on what was looked at.
    fn look_within<T>(
        &self,
        deadline: Duration,
        settings: &str,
        look: impl AsyncFnOnce(&Client) -> Result<T, tokio_postgres::Error>,
    ) -> Result<T, ConnectError> {
        let limit = milliseconds(deadline);
        let begin = format!(
            "SAVEPOINT look; SET TRANSACTION READ ONLY; SET LOCAL lock_timeout = {limit}; \
             SET LOCAL statement_timeout = {limit}; {settings}"
        );
        self.runtime().block_on(attended(&self.dsn, deadline + 2 * UNDOING, async |patience| {
            let Open { client, .. } = self.opened(patience).await?;
            let looked = timeout(deadline, async {
                let (begun, looked) = tokio::join!(biased; client.batch_execute(&begin), look(&client));
                begun.and(looked)
            });
            let looked = looked.await;
            // Once it is sent it follows the look, whether or not somebody waits for it.
            let over = client.batch_execute("ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look");
            let over = timeout(UNDOING, over).await;
            let seen = looked.map_err(|_| ConnectError::Mute { at: at(&self.dsn), within: deadline })?;
            let seen = seen.map_err(|error| explained(&self.dsn, &error))?;
            let over = over.map_err(|_| ConnectError::Mute { at: at(&self.dsn), within: UNDOING })?;
            over.map_err(|error| explained(&self.dsn, &error))?;
            Ok(seen)
        }))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            drop(self.open.take());
            leave(runtime);
        }
    }
}
