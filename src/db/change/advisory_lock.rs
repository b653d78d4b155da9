//! The lock of this program on a database, held by a connection of ours for as long as a run changes the schema there.
//!
//! drizzle-kit opens connections of its own, and a run has several steps: no lock of theirs would span it all. The advisory_lock
//! is one open transaction that holds the advisory lock and nothing else, so it works behind a pooler in transaction mode
//! too, holds up no vacuum, and ends with this process however that ends.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::db::change::begin::{Mark, begin_with};
use crate::db::change::lock::{Holder, LOCK, Lock, locked_hint, try_lock, wait_for_lock};
use crate::db::connection::address::Address;
use crate::db::connection::client::{Connection, Open};
use crate::db::connection::conversation::{Patience, Signals};
use crate::db::connection::error::{ConnectError, at, explained};
use crate::db::limits::{ANSWER, LOGIN, UNDOING};

/// What a advisory_lock is wanted for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// How long to wait for another run to end.
    pub wait: Duration,
    /// For everything until the advisory_lock is there.
    pub deadline: Duration,
}

/// The lock, for as long as the value lives.
pub struct AdvisoryLock {
    /// Declared before the connection, so that it is dropped first: the last owner says goodbye to the server.
    open: Open,
    connection: Connection,
    /// Its transaction. The server process is the server's own behind a pooler as well.
    mark: Mark,
    /// The transaction is at its end, or in somebody else's hands.
    is_spent: bool,
}

/// Why there is no advisory_lock.
#[derive(Debug, thiserror::Error)]
pub enum AdvisoryLockError {
    #[error(transparent)]
    Unready(ConnectError),
    #[error("another run changes this database{}", holder.as_ref().map(|holder| format!(": {holder}")).unwrap_or_default())]
    Locked {
        /// `None` where it was gone when we looked.
        holder: Option<Holder>,
        waited: Duration,
    },
}

impl AdvisoryLockError {
    /// Returns what to do next.
    pub fn hint(&self) -> String {
        match self {
            AdvisoryLockError::Unready(error) => error.hint(),
            AdvisoryLockError::Locked { holder, .. } => locked_hint(holder.as_ref()),
        }
    }
}

impl AdvisoryLock {
    /// Takes the lock on this connection, whose name is shown to those who wait for us, and waits for whoever
    /// has it. Before the wait, says who that is. Must not be called from asynchronous code.
    ///
    /// # Errors
    /// Where there is no connection, or another run keeps the lock for longer than is waited. A signal that ends us
    /// ends the wait.
    pub fn take(
        mut connection: Connection,
        request: &Request,
        waits: &mut dyn FnMut(Option<&Holder>),
    ) -> Result<AdvisoryLock, AdvisoryLockError> {
        let (open, mark) = connection.runtime().block_on(async {
            let mut signals = Signals::watch();
            tokio::select! {
                taken = take(&connection, request, waits) => taken,
                signal = signals.next() => {
                    Err(AdvisoryLockError::Unready(ConnectError::Interrupted { at: at(connection.dsn()), signal }))
                }
            }
        })?;
        connection.stay();
        Ok(AdvisoryLock { open, connection, mark, is_spent: false })
    }

    /// Returns the connection, to look at the database with. It keeps nothing but the lock.
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Returns where the database is that it holds.
    pub fn address(&self) -> &Address {
        self.connection.dsn().address()
    }

    /// Tells whether the lock is still ours: the transaction that holds it is open. Must not be called from asynchronous
    /// code.
    pub fn lives(&self) -> bool {
        // A transaction that an error has ended answers an empty query, and has given its locks back.
        let asked = self
            .connection
            .runtime()
            .block_on(async { timeout(ANSWER, self.open.client.batch_execute("SELECT")).await });
        matches!(asked, Ok(Ok(())))
    }

    /// Returns by what its transaction is found.
    pub(super) fn mark(&self) -> &Mark {
        &self.mark
    }

    /// Has a conversation in the transaction that holds the lock and may end it, and closes the connection then, whatever the
    /// server is still doing. Must not be called from asynchronous code.
    pub(super) fn spend<T>(mut self, conversation: impl AsyncFnOnce(Arc<Client>) -> T) -> T {
        self.is_spent = true;
        self.connection.runtime().block_on(conversation(self.open.client.clone()))
    }

    /// Tells the same by another connection to the same database, from asynchronous code.
    pub(in crate::db) async fn lives_for(&self, client: &Client) -> Result<bool, tokio_postgres::Error> {
        const HELD: &str = "
            SELECT EXISTS (
                SELECT FROM pg_catalog.pg_locks l
                  JOIN pg_catalog.pg_database d ON d.oid = l.database AND d.datname = pg_catalog.current_database()
                 WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
                   AND l.classid = $1::int4::oid AND l.objid = $2::int4::oid AND l.pid = $3)";
        let key: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(&LOCK.class, Type::INT4), (&LOCK.object, Type::INT4), (&self.mark.pid, Type::INT4)];
        Ok(client.query_typed_one(HELD, &key).await?.get(0))
    }
}

/// A descriptor that becomes readable when there is reason to ask whether the advisory_lock [lives](AdvisoryLock::lives).
impl AsFd for AdvisoryLock {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.open.watched.as_fd()
    }
}

impl Drop for AdvisoryLock {
    fn drop(&mut self) {
        if self.is_spent {
            return;
        }
        // A pooler keeps a connection that was left in good order. Nothing depends on the answer.
        let _ = self
            .connection
            .runtime()
            .block_on(async { timeout(UNDOING, self.open.client.batch_execute("ROLLBACK")).await });
    }
}

impl fmt::Debug for AdvisoryLock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "AdvisoryLock {{ backend {} }}", self.mark.pid)
    }
}

async fn take(
    connection: &Connection,
    request: &Request,
    waits: &mut dyn FnMut(Option<&Holder>),
) -> Result<(Open, Mark), AdvisoryLockError> {
    // The question for the lock was the extended protocol's, whose portal keeps its snapshot until another statement
    // comes, and with it the rows that a vacuum could remove.
    const LAST: &str = "SELECT";
    let Request { wait, deadline } = *request;
    let dsn = connection.dsn();
    let patience = Patience::from_now(deadline.min(LOGIN));
    let end = tokio::time::Instant::now() + deadline;
    let open = connection.opened(patience).await.map_err(AdvisoryLockError::Unready)?;
    let client = &open.client;
    let unready = |error| AdvisoryLockError::Unready(explained(dsn, &error));
    let mute = || AdvisoryLockError::Unready(ConnectError::Mute { at: at(dsn), within: patience.within });

    // One journey, where nobody has it.
    let begun = begin_with(client, wait, async || {
        let (locked, last) = tokio::join!(biased; try_lock(client), client.batch_execute(LAST));
        last.and(locked)
    });
    let (mark, locked) = tokio::time::timeout_at(patience.end, begun).await.map_err(|_| mute())?.map_err(unready)?;
    if locked {
        return Ok((open, mark));
    }
    // The server ends the wait by itself; a server that has fallen silent does not.
    let locked = tokio::time::timeout_at(end, wait_for_lock(client, waits)).await;
    match locked.map_err(|_| mute())?.map_err(unready)? {
        Lock::Taken => {
            client.batch_execute(LAST).await.map_err(unready)?;
            Ok((open, mark))
        }
        Lock::Held { holder, waited } => Err(AdvisoryLockError::Locked { holder, waited }),
    }
}
