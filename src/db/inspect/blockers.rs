//! Who stands in the way of a transaction that waits for locks, and the end of their sessions where that was asked for.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt;
use std::time::Duration;

use tokio::time::sleep;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::Patience;
use crate::db::connection::dsn::Dsn;
use crate::db::limits::SOON;

/// A transaction that holds what we need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocker {
    pub session: BlockingSession,
    pub user: String,
    /// Relations by schema and name, joined by a dot; other objects with their kind before that.
    pub holds: Vec<String>,
    /// We have ended it.
    pub terminated: bool,
}

/// Who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlockingSession {
    Backend {
        pid: i32,
        application_name: String,
        /// As in `pg_stat_activity`; empty where we may not see it.
        state: String,
        /// Of the transaction.
        age: Duration,
        own: bool,
        /// `xact_start` in microseconds.
        started: i64,
    },
    /// `PREPARE TRANSACTION`: no session has it any more, and nothing but its name ends it.
    Prepared { gid: String, age: Duration },
}

impl fmt::Display for Blocker {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let user = &self.user;
        match &self.session {
            BlockingSession::Backend { pid, application_name, state, age, .. } => {
                write!(f, "backend {pid} of {user}")?;
                if !application_name.is_empty() {
                    write!(f, ", called {application_name}")?;
                }
                if !state.is_empty() {
                    write!(f, ", {state}")?;
                }
                write!(f, ", its transaction {} s old", age.as_secs())?;
            }
            BlockingSession::Prepared { gid, age } => {
                write!(f, "prepared transaction {gid} of {user}, {} s old", age.as_secs())?;
            }
        }
        write!(f, ", holds {}", self.holds.join(", "))?;
        if self.terminated { write!(f, " (ended)") } else { Ok(()) }
    }
}

/// Says how the way is cleared.
pub(in crate::db) fn hint(by: &[Blocker]) -> String {
    let prepared = by.iter().find_map(|blocker| match &blocker.session {
        BlockingSession::Prepared { gid, .. } => Some(gid),
        BlockingSession::Backend { .. } => None,
    });
    let pids = by.iter().filter_map(|blocker| match &blocker.session {
        BlockingSession::Backend { pid, .. } => Some(pid.to_string()),
        BlockingSession::Prepared { .. } => None,
    });
    let pids: Vec<_> = pids.collect();
    match prepared {
        Some(gid) => format!(
            "end the prepared transaction: ROLLBACK PREPARED {}",
            postgres_protocol::escape::escape_literal(gid).trim()
        ),
        None if pids.is_empty() => "run it again: the session that held the lock is gone, or was not seen".to_owned(),
        None => format!(
            "stop the application, or end its sessions: SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) AS pid",
            pids.join(", ")
        ),
    }
}

/// What the server tells of each: of a session `a`, or of a prepared transaction `p`.
const WHO: &str = "
    coalesce(a.usename::text, p.owner::text, ''), coalesce(a.application_name, ''), coalesce(a.state, ''),
    greatest(extract(epoch FROM pg_catalog.clock_timestamp() - coalesce(a.xact_start, p.prepared)) * 1000, 0)::int8,
    coalesce(a.usename = current_user AND a.backend_type = 'client backend', false),
    coalesce((extract(epoch FROM a.xact_start) * 1000000)::int8, 0)";

/// A prepared transaction has no process. The lock on its own number says which one holds another lock.
const PREPARED: &str = "
    LEFT JOIN pg_catalog.pg_locks t
      ON l.pid IS NULL AND t.pid IS NULL AND t.locktype = 'transactionid' AND t.virtualtransaction = l.virtualtransaction
    LEFT JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = t.transactionid";

/// Watches a backend over a connection of its own for as long as it is polled, and remembers who was in its way last.
///
/// Only then is it known: once the wait is given up, nobody waits any more. Where no connection is to be had, nobody is
/// seen.
pub(in crate::db) async fn watch(
    dsn: &Dsn,
    application_name: &str,
    pid: i32,
    lock_timeout: Duration,
    seen: &RefCell<Vec<Blocker>>,
) -> Infallible {
    let pause = SOON.min(lock_timeout / 2);
    let application_name = format!("watch {application_name}");
    let session = Session { application_name: &application_name, options: "" };
    let mut connection = None;
    loop {
        sleep(pause).await;
        let client = match connection.take() {
            Some(client) => client,
            None => match open(dsn, Patience::from_now(lock_timeout), &session).await {
                Ok(client) => client,
                Err(_) => continue,
            },
        };
        let Ok(found) = in_the_way_of(&client, pid).await else { continue };
        if !found.is_empty() {
            *seen.borrow_mut() = found;
        }
        connection = Some(client);
    }
}

/// Finds who a backend waits for.
async fn in_the_way_of(client: &Client, pid: i32) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    let query = format!(
        "WITH waits AS (
             SELECT * FROM pg_catalog.pg_locks WHERE pid = $1 AND NOT granted
         ), wanted AS (
             SELECT w.*,
                    CASE w.locktype
                        WHEN 'relation' THEN
                            (SELECT n.nspname || '.' || c.relname FROM pg_catalog.pg_class c
                               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = w.relation)
                        WHEN 'object' THEN
                            (SELECT i.type || ' ' || i.identity
                               FROM pg_catalog.pg_identify_object(w.classid, w.objid, w.objsubid) AS i)
                    END AS name
               FROM waits w
         ), holders AS (
             SELECT b.pid, NULL::text AS virtualtransaction, w.name
               FROM wanted w, pg_catalog.unnest(pg_catalog.pg_blocking_pids($1)) AS b(pid) WHERE b.pid <> 0
             UNION
             SELECT NULL, h.virtualtransaction, w.name FROM wanted w JOIN pg_catalog.pg_locks h
                 ON h.granted AND h.pid IS NULL AND h.locktype = w.locktype
                AND (h.database, h.relation, h.classid, h.objid, h.objsubid)
                    IS NOT DISTINCT FROM (w.database, w.relation, w.classid, w.objid, w.objsubid)
         )
         SELECT l.pid, p.gid, {WHO}, ARRAY[coalesce(l.name, 'what is waited for')]
           FROM holders l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid {PREPARED}
          ORDER BY 6 DESC, 1"
    );
    let rows = client.query_typed(&query, &[(&pid, Type::INT4)]).await?;
    Ok(rows.iter().map(blocker).collect())
}

/// Finds who holds these relations. Any hold is in the way of a drop.
pub(in crate::db) async fn holders_of(
    client: &Client,
    relations: &[u32],
) -> Result<Vec<Blocker>, tokio_postgres::Error> {
    let query = format!(
        "SELECT l.pid, p.gid, {WHO}, array_agg(DISTINCT n.nspname || '.' || c.relname)
           FROM pg_catalog.pg_locks l
           JOIN pg_catalog.pg_class c ON c.oid = l.relation
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
           LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid {PREPARED}
          WHERE l.granted AND l.locktype = 'relation' AND l.relation = ANY ($1)
            AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())
            AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
          GROUP BY 1, 2, 3, 4, 5, 6, 7, 8 ORDER BY 6 DESC, 1"
    );
    let rows = client.query_typed(&query, &[(&relations, Type::OID_ARRAY)]).await?;
    Ok(rows.iter().map(blocker).collect())
}

fn blocker(row: &Row) -> Blocker {
    let age = Duration::from_millis(row.get::<_, Option<i64>>(5).unwrap_or_default().unsigned_abs());
    let session = match row.get::<_, Option<i32>>(0) {
        Some(pid) => BlockingSession::Backend {
            pid,
            application_name: row.get(3),
            state: row.get(4),
            age,
            own: row.get(6),
            started: row.get(7),
        },
        None => BlockingSession::Prepared { gid: row.get::<_, Option<String>>(1).unwrap_or_default(), age },
    };
    Blocker { session, user: row.get(2), holds: row.get(8), terminated: false }
}

/// Ends the sessions of our own role, as long as they are in the transaction that was seen.
pub(in crate::db) async fn terminate(client: &Client, by: &mut [Blocker]) -> Result<(), tokio_postgres::Error> {
    const TERMINATE: &str = "
        SELECT coalesce(bool_or(pg_catalog.pg_terminate_backend(pid)), false) FROM pg_catalog.pg_stat_activity
         WHERE pid = $1 AND usename = current_user AND (extract(epoch FROM xact_start) * 1000000)::int8 = $2";
    for blocker in by {
        let BlockingSession::Backend { pid, own: true, started, .. } = &blocker.session else { continue };
        let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(pid, Type::INT4), (started, Type::INT8)];
        blocker.terminated = client.query_typed_one(TERMINATE, &parameters).await?.get(0);
    }
    Ok(())
}
