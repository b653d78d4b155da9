//! Looks after what a run left in the server, and looks up what is there.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use crate::db::connection::client::Connection;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, by_deadline};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, at, explained};
use crate::db::limits::{GRACE, LOOK_AGAIN};

/// What became of the backends of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// How many were there.
    pub n_found: usize,
    /// How many of them had to be ended by us.
    pub n_terminated: usize,
}

/// Makes sure that no backend of a stopped run goes on, and returns only then.
///
/// A backend is known by its application name, which therefore has to be the run's own: every backend of that name is
/// ended, in all databases of the server. Idle ones count too, because a statement may be on its way to them. Needs
/// the rights of the same role, or of `pg_signal_backend`. Must not be called from asynchronous code.
///
/// Fails with [`ConnectError::Leftovers`] where a backend is still there at the deadline.
pub fn end_leftovers(dsn: &Dsn, application_name: &str, deadline: Duration) -> Result<Ended, ConnectError> {
    // Ours may share the first 63 bytes of a long name; the queries leave out their own backend.
    let own_name = format!("{application_name} end");
    by_deadline(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &Session { application_name: &own_name, options: "" }).await?;
        let leftovers = Leftovers { dsn, client: &client, application_name };
        leftovers.end(patience).await
    })
}

/// Returns the schemas of each table name, but those of the server's own tables.
///
/// # Errors
/// When the database cannot be asked within the deadline.
pub fn tables_by_name(
    connection: &Connection,
    deadline: Duration,
) -> Result<BTreeMap<String, Vec<String>>, ConnectError> {
    const TABLES: &str = "
        SELECT c.relname::text, pg_catalog.array_agg(n.nspname::text ORDER BY n.nspname)
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
         GROUP BY 1";
    connection.look(deadline, async |client| {
        let rows = client.query_typed(TABLES, &[]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    })
}

/// Tells whether a backend of the run works on a statement: it is active, and waits neither for a lock nor for its client.
///
/// # Errors
/// When the server cannot be asked.
pub fn is_busy(connection: &Connection, application_name: &str, deadline: Duration) -> Result<bool, ConnectError> {
    const BUSY: &str = "
        SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity
                        WHERE application_name = $1::text::name::text AND pid <> pg_catalog.pg_backend_pid()
                          AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Lock'
                          AND wait_event_type IS DISTINCT FROM 'Client')";
    let parameters = [(&application_name as _, Type::TEXT)];
    connection.look(deadline, async |client| Ok(client.query_typed_one(BUSY, &parameters).await?.get(0)))
}

struct Leftovers<'a> {
    dsn: &'a Dsn,
    client: &'a Client,
    application_name: &'a str,
}

impl Leftovers<'_> {
    async fn end(&self, patience: Patience) -> Result<Ended, ConnectError> {
        // A short deadline leaves half of itself for the forced end.
        let grace_ends = Instant::now() + GRACE.min(patience.end.saturating_duration_since(Instant::now()) / 2);
        let (mut found, mut terminated) = (BTreeSet::<i32>::new(), BTreeSet::new());
        loop {
            let pids =
                if Instant::now() < grace_ends { self.look().await? } else { self.terminate(&mut terminated).await? };
            found.extend(&pids);
            if pids.is_empty() {
                return Ok(Ended { n_found: found.len(), n_terminated: terminated.len() });
            }
            if Instant::now() + LOOK_AGAIN >= patience.end {
                return Err(ConnectError::Leftovers { at: at(self.dsn), pids, within: patience.within });
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn look(&self) -> Result<Vec<i32>, ConnectError> {
        let rows = self.of_backends("false").await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Tells every backend to end, and returns those that were there.
    async fn terminate(&self, terminated: &mut BTreeSet<i32>) -> Result<Vec<i32>, ConnectError> {
        let rows = self.of_backends("pg_catalog.pg_terminate_backend(pid)").await?;
        terminated.extend(rows.iter().filter(|row| row.get(1)).map(|row| row.get::<_, i32>(0)));
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// Lists the client backends of the run, each with the value of an expression.
    async fn of_backends(&self, expression: &'static str) -> Result<Vec<Row>, ConnectError> {
        // The server keeps 63 bytes of an application name; the cast to `name` cuts ours at the same place. A parallel
        // worker ends with its leader. Who may not see a backend's type sees NULL, and is to learn of the backend.
        let sql = format!(
            "SELECT pid, {expression} FROM pg_catalog.pg_stat_activity
              WHERE application_name = $1::text::name::text AND pid <> pg_catalog.pg_backend_pid()
                AND backend_type IS DISTINCT FROM 'parallel worker'
              ORDER BY pid"
        );
        let parameters = [(&self.application_name as _, Type::TEXT)];
        self.client.query_typed(&sql, &parameters).await.map_err(|error| explained(self.dsn, &error))
    }
}
