//! Reads columns and types.

use tokio_postgres::Client;
use tokio_postgres::types::{Oid, Type};

use crate::db::inspect::kind::{Family, Kind};
use crate::db::inspect::relation::Relation;

/// A column, as far as its conversion matters.
pub(in crate::db) struct Column {
    pub(in crate::db) kind: Kind,
    /// The base type of a domain: a variable of that has no constraints.
    pub(in crate::db) storage: String,
    pub(in crate::db) not_null: bool,
    pub(in crate::db) has_default: bool,
}

pub(in crate::db) async fn read_column(
    client: &Client,
    table: &Relation,
    column: &str,
) -> Result<Option<Column>, tokio_postgres::Error> {
    const COLUMN: &str = "
        SELECT a.atttypid, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relkind IN ('r', 'p', 'f')";
    let parameters = [(&table.schema as _, Type::TEXT), (&table.name as _, Type::TEXT), (&column as _, Type::TEXT)];
    let rows = client.query_typed(COLUMN, &parameters).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (kind, storage) = read_kind(client, row.get(0), row.get(1)).await?;
    Ok(Some(Column { kind, storage, not_null: row.get(2), has_default: row.get(3) }))
}

/// Lets the server read the words of a type, and returns what it says against them.
pub(in crate::db) async fn read_type(
    client: &Client,
    words: &str,
) -> Result<Result<Kind, String>, tokio_postgres::Error> {
    client.batch_execute("SAVEPOINT words").await?;
    // The server's parser takes a type here, and nothing before or after it.
    let read = client.query_typed_one("SELECT pg_catalog.to_regtype($1)::oid", &[(&words, Type::TEXT)]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT words; RELEASE SAVEPOINT words").await?;
    let oid: Option<Oid> = match read {
        Ok(row) => row.get(0),
        Err(error) => match error.as_db_error() {
            Some(answer) => return Ok(Err(answer.message().to_owned())),
            None => return Err(error),
        },
    };
    match oid {
        Some(oid) => Ok(Ok(read_kind(client, oid, words.trim().to_owned()).await?.0)),
        None => Ok(Err(format!("type \"{words}\" does not exist"))),
    }
}

/// Tells whether the server has a cast between two types that it applies unasked. Every type becomes a string that way, and
/// an array does what its elements do.
pub(in crate::db) async fn assigns(client: &Client, old: &Kind, new: &Kind) -> Result<bool, tokio_postgres::Error> {
    const ASSIGNS: &str = "
        WITH RECURSIVE base AS (
            SELECT side, pg_catalog.to_regtype(words)::oid AS oid
              FROM (VALUES ('old', $1), ('new', $2)) AS wanted(side, words)
            UNION ALL
            SELECT b.side, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype = 'd'
        ), side AS (
            SELECT b.side, t.* FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
        )
        SELECT old.oid = new.oid OR new.typcategory = 'S' OR EXISTS (
            SELECT FROM pg_catalog.pg_cast
             WHERE castcontext IN ('a', 'i')
               AND ((castsource, casttarget) = (old.oid, new.oid)
                    OR (castsource, casttarget) = (old.typelem, new.typelem)
                       AND old.typcategory = 'A' AND new.typcategory = 'A'))
               OR (old.typcategory = 'A' AND new.typcategory = 'A' AND EXISTS (
                   SELECT FROM pg_catalog.pg_type element WHERE element.oid = new.typelem AND element.typcategory = 'S'))
          FROM side old, side new WHERE old.side = 'old' AND new.side = 'new'";
    let parameters = [(&old.bare as _, Type::TEXT), (&new.bare as _, Type::TEXT)];
    let rows = client.query_typed(ASSIGNS, &parameters).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// Tells whether a cast between two types is a function that a user has made. It is not for a look to run it.
pub(in crate::db) async fn runs_code_of_users(
    client: &Client,
    old: &Kind,
    new: &Kind,
) -> Result<bool, tokio_postgres::Error> {
    const RUNS: &str = "
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_cast x
             WHERE x.castfunc >= 16384 AND x.castsource = pg_catalog.to_regtype($1)
               AND x.casttarget = pg_catalog.to_regtype($2)
               AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = x.castfunc AND e.deptype = 'e'))
            OR EXISTS (
                SELECT FROM pg_catalog.pg_type t
                 WHERE t.oid = pg_catalog.to_regtype($2) AND t.typtype = 'd')";
    let parameters = [(&old.bare as _, Type::TEXT), (&new.bare as _, Type::TEXT)];
    Ok(client.query_typed_one(RUNS, &parameters).await?.get(0))
}

async fn read_kind(client: &Client, oid: Oid, text: String) -> Result<(Kind, String), tokio_postgres::Error> {
    const KIND: &str = "
        WITH RECURSIVE base AS (
            SELECT * FROM pg_catalog.pg_type WHERE oid = $1
            UNION ALL
            SELECT t.* FROM base JOIN pg_catalog.pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
        )
        SELECT CASE typnamespace WHEN 'pg_catalog'::regnamespace THEN typname ELSE '' END::text, typtype::text,
               typcategory::text, pg_catalog.format_type($1, NULL), pg_catalog.format_type(oid, NULL)
          FROM base WHERE typtype <> 'd'";
    let row = client.query_typed_one(KIND, &[(&oid, Type::OID)]).await?;
    let family = Family::of(row.get(0), row.get(1), row.get(2));
    Ok((Kind { text, bare: row.get(3), family }, row.get(4)))
}
