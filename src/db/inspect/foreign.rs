//! Finds what drizzle-kit must not see among a project's own tables: it would ask whether it was renamed, and drop it.

use std::time::Duration;

use tokio_postgres::types::Type;

use crate::db::connection::client::Connection;
use crate::db::connection::error::ConnectError;
use crate::db::inspect::relation::Relation;

/// Why something is none of the project's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    Extension,
    /// drizzle's migrator keeps its records there: the config names it, or it has the columns of one.
    Migrations,
    /// A sequence that belongs to a column of this table.
    Table(Relation),
}

/// A table, view or sequence, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    pub relation: Relation,
    pub owner: Owner,
}

/// Returns what in these schemas belongs to an extension, to drizzle's migrator, or as a sequence to a column.
///
/// A migrations table is one that the config names, or one with the columns that drizzle gives it: `id`, `hash` and
/// `created_at` (drizzle-orm 0.30 to 0.45), and `name` and `applied_at` behind them (1.0).
///
/// # Errors
/// When the server cannot be asked.
pub fn foreign(
    connection: &Connection,
    schemas: &[String],
    migrations: &Relation,
    deadline: Duration,
) -> Result<Vec<Foreign>, ConnectError> {
    const FOREIGN: &str = "
        WITH relation AS (
            SELECT c.oid, c.relkind, n.nspname::text AS schema, c.relname::text AS name
              FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = ANY ($1) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
        )
        SELECT r.schema, r.name, 'extension', NULL, NULL
          FROM relation r JOIN pg_catalog.pg_depend d ON d.objid = r.oid
         WHERE d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objsubid = 0
        UNION ALL
        SELECT r.schema, r.name, 'migrations', NULL, NULL
          FROM relation r
         WHERE r.relkind = 'r' AND (
               (r.schema = $2 AND r.name = $3)
               OR (SELECT pg_catalog.string_agg(a.attname, ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a
                    WHERE a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped)
                  IN ('id,hash,created_at', 'id,hash,created_at,name,applied_at'))
        UNION ALL
        SELECT r.schema, r.name, 'table', n.nspname::text, t.relname::text
          FROM relation r
          JOIN pg_catalog.pg_depend d ON d.objid = r.oid AND d.deptype IN ('a', 'i')
          JOIN pg_catalog.pg_class t ON t.oid = d.refobjid
          JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
         WHERE r.relkind = 'S' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
           AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0
         ORDER BY 1, 2, 3";
    connection.look(deadline, async |client| {
        let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 3] =
            [(&schemas, Type::TEXT_ARRAY), (&migrations.schema, Type::TEXT), (&migrations.name, Type::TEXT)];
        let rows = client.query_typed(FOREIGN, &parameters).await?;
        let foreign = rows.iter().map(|row| Foreign {
            relation: Relation { schema: row.get(0), name: row.get(1) },
            owner: match row.get(2) {
                "extension" => Owner::Extension,
                "migrations" => Owner::Migrations,
                _ => Owner::Table(Relation { schema: row.get(3), name: row.get(4) }),
            },
        });
        Ok(foreign.collect())
    })
}
