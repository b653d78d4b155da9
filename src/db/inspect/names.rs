//! Finds the names in a database that drizzle-kit must not read: it puts names into its own SQL as they are, between the
//! quotes that stand there already (drizzle-kit 0.20 to 0.31, `pgPushIntrospect` and its SQL generators).

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::db::connection::client::Connection;
use crate::db::connection::error::ConnectError;
use crate::sql::unsafe_name::{ANYWHERE, IN_LITERALS};

/// A name that means something else than itself in the SQL of drizzle-kit, or on a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsafeName {
    /// As in `table`, `column`, `function`.
    pub kind: String,
    /// Where it is, quoted as SQL.
    pub place: String,
    /// The name itself.
    pub name: String,
}

/// Returns what is named in these schemas so that drizzle-kit cannot be trusted with it: names with quotes or control
/// characters, and functions of the search path that have the name of a built-in one that drizzle-kit calls.
///
/// # Errors
/// When the server cannot be asked.
pub fn unsafe_names(
    connection: &Connection,
    schemas: &[String],
    functions: &[&str],
    deadline: Duration,
) -> Result<Vec<UnsafeName>, ConnectError> {
    const NAMES: &str = "
        WITH spaces AS (
            SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n WHERE n.nspname = ANY ($1)
        ), named(kind, place, name) AS (
            SELECT 'schema', '', n.nspname::text FROM pg_catalog.pg_namespace n
             WHERE n.nspname !~ '^pg_(toast|temp)' AND n.nspname <> 'information_schema'
            UNION ALL
            SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'S' THEN 'sequence'
                                  WHEN 'i' THEN 'index' WHEN 'I' THEN 'index' WHEN 'c' THEN 'type' ELSE 'table' END,
                   pg_catalog.format('%I', s.nspname), c.relname::text
              FROM spaces s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid
            UNION ALL
            SELECT 'column', pg_catalog.format('%I.%I', s.nspname, c.relname), a.attname::text
              FROM spaces s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
             WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
            UNION ALL
            SELECT 'constraint', pg_catalog.format('%I.%I', s.nspname, coalesce(c.relname, y.typname)), k.conname::text
              FROM spaces s JOIN pg_catalog.pg_constraint k ON k.connamespace = s.oid
              LEFT JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
              LEFT JOIN pg_catalog.pg_type y ON y.oid = k.contypid
            UNION ALL
            SELECT 'policy', pg_catalog.format('%I.%I', s.nspname, c.relname), p.polname::text
              FROM spaces s JOIN pg_catalog.pg_class c ON c.relnamespace = s.oid
              JOIN pg_catalog.pg_policy p ON p.polrelid = c.oid
            UNION ALL
            SELECT 'type', pg_catalog.format('%I', s.nspname), y.typname::text
              FROM spaces s JOIN pg_catalog.pg_type y ON y.typnamespace = s.oid
             WHERE y.typrelid = 0 AND y.typelem = 0
        )
        SELECT kind, place, name FROM named
         WHERE name ~ CASE WHEN kind IN ('schema', 'table', 'view', 'materialized view', 'sequence') THEN $4 ELSE $3 END
        UNION ALL
        SELECT 'function', pg_catalog.format('%I', n.nspname), p.proname::text
          FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
         WHERE p.proname = ANY ($2) AND n.nspname = ANY (pg_catalog.current_schemas(false))
           AND n.nspname <> 'pg_catalog'
         ORDER BY 1, 2, 3";
    connection.look(deadline, async |client| {
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 4] = [
            (&schemas, Type::TEXT_ARRAY),
            (&functions, Type::TEXT_ARRAY),
            (&ANYWHERE, Type::TEXT),
            (&IN_LITERALS, Type::TEXT),
        ];
        let rows = client.query_typed(NAMES, &parameters).await?;
        Ok(rows.iter().map(|row| UnsafeName { kind: row.get(0), place: row.get(1), name: row.get(2) }).collect())
    })
}

/// Returns the tables in these schemas that have constraints which `information_schema` does not show to this login, each
/// quoted as SQL and with its owner.
///
/// # Errors
/// When the server cannot be asked.
pub fn unseen_constraints(
    connection: &Connection,
    schemas: &[String],
    deadline: Duration,
) -> Result<Vec<(String, String)>, ConnectError> {
    // information_schema.constraint_column_usage shows what the role owns (PostgreSQL 13 to 18).
    const UNSEEN: &str = "
        SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), pg_catalog.pg_get_userbyid(c.relowner)::text
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p')
           AND EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype IN ('c', 'p', 'u', 'f'))
           AND NOT pg_catalog.pg_has_role(c.relowner, 'USAGE')
         ORDER BY 1";
    connection.look(deadline, async |client| {
        let rows = client.query_typed(UNSEEN, &[(&schemas, Type::TEXT_ARRAY)]).await?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    })
}
