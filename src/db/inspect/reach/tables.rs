//! Finds what stands on tables and views: their keys, and what is lost where they are made again.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::types::{ToSql, Type};

use crate::db::inspect::relation::{Relation, columns};

/// Finds what stands on views beside their queries, and is lost where they are dropped and made again.
pub(super) async fn on_views(
    client: &Client,
    views: &[Relation],
) -> Result<BTreeMap<Relation, Vec<String>>, tokio_postgres::Error> {
    const ON_VIEWS: &str = "
        SELECT n.nspname::text, c.relname::text, found.what
          FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name AND c.relkind = 'v',
               LATERAL (
                   SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND rulename <> '_RETURN'
                   UNION ALL
                   SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal
                   UNION ALL
                   SELECT 'a comment' WHERE EXISTS (
                       SELECT FROM pg_catalog.pg_description
                        WHERE classoid = 'pg_catalog.pg_class'::regclass AND objoid = c.oid)
                   UNION ALL
                   SELECT 'privileges of ' || CASE a.grantee WHEN 0 THEN 'everybody' ELSE a.grantee::regrole::text END
                     FROM (SELECT DISTINCT (pg_catalog.aclexplode(acl)).grantee
                             FROM (SELECT c.relacl UNION ALL
                                   SELECT attacl FROM pg_catalog.pg_attribute WHERE attrelid = c.oid) AS acls(acl)) AS a
                    WHERE a.grantee <> c.relowner
                   UNION ALL
                   SELECT 'its owner ' || c.relowner::regrole::text
                    WHERE c.relowner <> (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user)
               ) AS found(what)
         ORDER BY 1, 2, 3";
    let mut on_views: BTreeMap<Relation, Vec<String>> = BTreeMap::new();
    if views.is_empty() {
        return Ok(on_views);
    }
    let (schemas, names) = columns(views);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    for row in client.query_typed(ON_VIEWS, &parameters).await? {
        let view = Relation { schema: row.get(0), name: row.get(1) };
        on_views.entry(view).or_default().push(row.get(2));
    }
    Ok(on_views)
}

pub(super) async fn primary_keys(
    client: &Client,
    tables: &[Relation],
) -> Result<Vec<(Relation, String)>, tokio_postgres::Error> {
    const PRIMARY_KEYS: &str = "
        SELECT n.nspname::text, c.relname::text, k.conname::text
          FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
          JOIN pg_catalog.pg_constraint k ON k.conrelid = c.oid AND k.contype = 'p'";
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let (schemas, names) = columns(tables);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(PRIMARY_KEYS, &parameters).await?;
    Ok(rows.iter().map(|row| (Relation { schema: row.get(0), name: row.get(1) }, row.get(2))).collect())
}
