//! Counts the rows that are at stake.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::db::inspect::reach::facts::Rows;
use crate::db::inspect::reach::wanted::Required;
use crate::db::inspect::relation::{Relation, columns};

/// Rows up to which a table is counted. Beyond, the server's own estimate says enough.
const COUNTED: u64 = 100_000;

/// Finds relations, with the estimate of their rows and the extension that owns them.
pub(super) async fn relations(
    client: &Client,
    wanted: &[Relation],
) -> Result<Vec<(Relation, char, u64, Option<String>)>, tokio_postgres::Error> {
    const RELATIONS: &str = "
        SELECT n.nspname::text, c.relname::text, c.relkind::text, greatest(c.reltuples, 0)::int8,
               (SELECT e.extname::text
                  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
                 WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                   AND d.refclassid = 'pg_catalog.pg_extension'::regclass)
          FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
         WHERE c.relkind IN ('r', 'p', 'f', 'm', 'v')";
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let (schemas, names) = columns(wanted);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(RELATIONS, &parameters).await?;
    let found = rows.iter().map(|row| {
        let relation = Relation { schema: row.get(0), name: row.get(1) };
        let kind = row.get::<_, &str>(2).chars().next().unwrap_or('r');
        (relation, kind, row.get::<_, i64>(3).unsigned_abs(), row.get(4))
    });
    Ok(found.collect())
}

/// Counts the rows of a relation, up to a bound. A count that fails leaves the others possible.
pub(super) async fn count(client: &Client, relation: &Relation, estimate: u64) -> Result<Rows, tokio_postgres::Error> {
    if estimate > COUNTED {
        return Ok(Rows::Estimate(estimate));
    }
    let (schema, name) = (escape_identifier(&relation.schema), escape_identifier(&relation.name));
    let sql = format!("SELECT count(*) FROM (SELECT FROM {schema}.{name} LIMIT {}) AS bounded", COUNTED + 1);
    client.batch_execute("SAVEPOINT counting").await?;
    let counted = client.query_typed_one(&sql, &[]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT counting").await?;
    Ok(match counted {
        Ok(row) => match row.get::<_, i64>(0).unsigned_abs() {
            rows if rows <= COUNTED => Rows::Exact(rows),
            rows => Rows::AtLeast(rows),
        },
        // With row_security off the server refuses to count what a policy would hide, and what we may not read.
        Err(error) if error.code().is_some_and(|code| code.code() == "42501") => Rows::Hidden,
        // Locked, or too slow. The estimate is no help: it may be that of a table which was small once.
        Err(_) => Rows::Unknown,
    })
}

/// Counts the rows that have no value in a column; none where that is not to be found out.
pub(super) async fn without(client: &Client, required: &Required) -> Result<Option<u64>, tokio_postgres::Error> {
    let Required { table, column } = required;
    let (schema, name) = (escape_identifier(&table.schema), escape_identifier(&table.name));
    let condition = match column {
        Some(column) => format!("WHERE {} IS NULL", escape_identifier(column)),
        None => String::new(),
    };
    let sql = format!("SELECT count(*) FROM (SELECT FROM {schema}.{name} {condition} LIMIT {COUNTED}) AS bounded");
    client.batch_execute("SAVEPOINT counting").await?;
    let counted = client.query_typed_one(&sql, &[]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT counting").await?;
    Ok(counted.ok().map(|row| row.get::<_, i64>(0).unsigned_abs()))
}

/// Finds the tables that `TRUNCATE … CASCADE` empties as well: whose foreign keys lead there, and the partitions and
/// children of all of them.
pub(super) async fn emptied_with(client: &Client, table: &Relation) -> Result<Vec<Relation>, tokio_postgres::Error> {
    const EMPTIED: &str = "
        WITH RECURSIVE root AS (
            SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2
        ), emptied(oid) AS (
            SELECT oid FROM root
            UNION
            SELECT next.oid FROM emptied, LATERAL (
                SELECT conrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND confrelid = emptied.oid
                UNION ALL
                SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = emptied.oid
            ) AS next(oid)
        )
        SELECT n.nspname::text, c.relname::text
          FROM emptied
          JOIN pg_catalog.pg_class c ON c.oid = emptied.oid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.oid NOT IN (SELECT oid FROM root) ORDER BY 1, 2";
    let rows = client.query_typed(EMPTIED, &[(&table.schema, Type::TEXT), (&table.name, Type::TEXT)]).await?;
    Ok(rows.iter().map(|row| Relation { schema: row.get(0), name: row.get(1) }).collect())
}
