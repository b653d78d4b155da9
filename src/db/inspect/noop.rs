//! Tells which changes of columns would change nothing, because the database has them or can never have them.

use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};

use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::relation::Relation;

/// What would be set for a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub table: Relation,
    pub column: String,
    /// The default as a statement has it; none where the column is to be nullable.
    pub default: Option<String>,
}

/// Tells for each change whether it would change nothing. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked.
pub fn repeated(dsn: &Dsn, wanted: &[Wanted], deadline: Duration) -> Result<Vec<bool>, ConnectError> {
    // The catalog shows a literal with the type that it was given. A column of a primary key is never nullable (42P16).
    const IDLE: &str = "
        SELECT CASE WHEN $4::text IS NULL
                    THEN NOT a.attnotnull OR EXISTS (SELECT FROM pg_catalog.pg_constraint k
                                                      WHERE k.conrelid = c.oid AND k.contype = 'p' AND a.attnum = ANY (k.conkey))
                    ELSE coalesce(pg_catalog.pg_get_expr(d.adbin, d.adrelid)
                                  IN ($4, $4 || '::' || pg_catalog.format_type(a.atttypid, NULL)), false) END
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3";
    within(dsn, deadline, async |patience| {
        let session = Session { application_name: "drizzle-pilot idle", options: "" };
        let client = open(dsn, patience, &session).await?;
        let mut idle = Vec::with_capacity(wanted.len());
        for Wanted { table, column, default } in wanted {
            let named: [(&(dyn ToSql + Sync), Type); 4] =
                [(&table.schema, Type::TEXT), (&table.name, Type::TEXT), (column, Type::TEXT), (default, Type::TEXT)];
            let rows = client.query_typed(IDLE, &named).await.map_err(|error| explained(dsn, &error))?;
            idle.push(rows.first().is_some_and(|row| row.get(0)));
        }
        Ok(idle)
    })
}
