//! Locks on tables for a second look, and who is in their way.

use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::relation::{Relation, columns};

/// How tables are locked for a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Mode {
    /// Waits for those who write, and keeps others from writing.
    Share,
    /// Keeps everyone out.
    Exclusive,
}

/// What came of the wish for locks.
pub(in crate::db) enum Locking {
    Locked,
    /// The transaction is at its end. Those who hold the tables, as far as they were seen.
    Busy {
        by: Vec<Blocker>,
        waited: Duration,
    },
}

/// Locks the tables among these relations in the order of their names, each wait for so long as the transaction waits for
/// locks. Views and foreign tables cannot be locked, and are left out.
pub(in crate::db) async fn lock(
    client: &Client,
    relations: &[Relation],
    mode: Mode,
) -> Result<Locking, tokio_postgres::Error> {
    const TABLES: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text
          FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
         WHERE c.relkind IN ('r', 'p') ORDER BY 2, 3";
    let (schemas, names) = columns(relations);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(TABLES, &parameters).await?;
    if rows.is_empty() {
        return Ok(Locking::Locked);
    }
    let oids: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
    let tables = rows.iter().map(|row| format!("{}.{}", escape_identifier(row.get(1)), escape_identifier(row.get(2))));
    let mode = match mode {
        Mode::Share => "SHARE",
        Mode::Exclusive => "ACCESS EXCLUSIVE",
    };
    let started = Instant::now();
    let locked =
        client.batch_execute(&format!("LOCK TABLE {} IN {mode} MODE", tables.collect::<Vec<_>>().join(", "))).await;
    match locked {
        Ok(()) => Ok(Locking::Locked),
        // lock_not_available and deadlock_detected.
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "55P03" | "40P01")) => {
            let waited = started.elapsed();
            client.batch_execute("ROLLBACK TO SAVEPOINT locking").await?;
            Ok(Locking::Busy { by: blockers::holders_of(client, &oids).await?, waited })
        }
        Err(error) => Err(error),
    }
}
