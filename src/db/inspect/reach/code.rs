//! Finds code of users that statements run.

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::db::inspect::reach::wanted::Code;
use crate::db::inspect::relation::Relation;

/// Finds the code among this that is neither PostgreSQL's nor an extension's, and that is not immutable: its number, and a
/// name for it.
pub(super) async fn runs(client: &Client, code: &[Code]) -> Result<Vec<(usize, String)>, tokio_postgres::Error> {
    // A name without a schema may mean anything in the search path: which of several functions it is depends on the types.
    const RUNS: &str = "
        WITH RECURSIVE wanted AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
                     WITH ORDINALITY AS wanted(kind, schema, name, number)
        ), visible AS (
            SELECT w.*, n.oid AS namespace
              FROM wanted w
              JOIN pg_catalog.pg_namespace n
                ON n.nspname = w.schema OR (w.schema = '' AND n.nspname = ANY (pg_catalog.current_schemas(true)))
             WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
        ), named AS (
            SELECT v.number, 'pg_catalog.pg_proc'::regclass::oid AS classid, p.oid AS objid
              FROM visible v JOIN pg_catalog.pg_proc p ON p.pronamespace = v.namespace AND p.proname = v.name
             WHERE v.kind = 'function'
            UNION ALL
            SELECT v.number, 'pg_catalog.pg_operator'::regclass, o.oid
              FROM visible v JOIN pg_catalog.pg_operator o ON o.oprnamespace = v.namespace AND o.oprname = v.name
             WHERE v.kind = 'operator'
            UNION ALL
            SELECT v.number, 'pg_catalog.pg_cast'::regclass, x.oid
              FROM visible v
              JOIN pg_catalog.pg_type t ON t.typnamespace = v.namespace AND t.typname = v.name
              JOIN pg_catalog.pg_cast x ON t.oid IN (x.castsource, x.casttarget)
             WHERE v.kind = 'type'
            UNION ALL
            SELECT v.number, 'pg_catalog.pg_constraint'::regclass, k.oid
              FROM visible v
              JOIN pg_catalog.pg_type t ON t.typnamespace = v.namespace AND t.typname = v.name
              JOIN pg_catalog.pg_constraint k ON k.contypid = t.oid
             WHERE v.kind = 'type'
            UNION ALL
            SELECT v.number, 'pg_catalog.pg_rewrite'::regclass, r.oid
              FROM visible v
              JOIN pg_catalog.pg_class c ON c.relnamespace = v.namespace AND c.relname = v.name AND c.relkind = 'v'
              JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
             WHERE v.kind = 'relation'
        ), used AS (
            SELECT * FROM named
            UNION
            SELECT u.number, next.* FROM used u, LATERAL (
                SELECT d.refclassid, d.refobjid
                  FROM pg_catalog.pg_depend d
                 WHERE d.classid = u.classid AND d.objid = u.objid AND d.deptype = 'n'
                   AND d.refclassid IN (
                       'pg_catalog.pg_proc'::regclass, 'pg_catalog.pg_operator'::regclass)
                UNION ALL
                SELECT 'pg_catalog.pg_rewrite'::regclass, r.oid
                  FROM pg_catalog.pg_depend d
                  JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind = 'v'
                  JOIN pg_catalog.pg_rewrite r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
                 WHERE d.classid = u.classid AND d.objid = u.objid AND d.refclassid = 'pg_catalog.pg_class'::regclass
                   AND u.classid = 'pg_catalog.pg_rewrite'::regclass AND d.deptype = 'n'
            ) AS next(classid, objid)
        )
        SELECT DISTINCT u.number - 1, p.oid::pg_catalog.regprocedure::text
          FROM used u
          JOIN pg_catalog.pg_proc p ON u.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = u.objid
         WHERE p.oid >= 16384 AND p.provolatile <> 'i'
           AND NOT EXISTS (
               SELECT FROM pg_catalog.pg_depend e
                WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = p.oid AND e.deptype = 'e')
         ORDER BY 1, 2";
    if code.is_empty() {
        return Ok(Vec::new());
    }
    let (mut kinds, mut schemas, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for code in code {
        let (kind, schema, name) = match code {
            Code::Function { schema, name } => ("function", schema.as_deref().unwrap_or_default(), name),
            Code::Operator(name) => ("operator", "", name),
            Code::Type(Relation { schema, name }) => ("type", &**schema, name),
            Code::Relation(Relation { schema, name }) => ("relation", &**schema, name),
        };
        kinds.push(kind);
        schemas.push(schema);
        names.push(&**name);
    }
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&kinds, Type::TEXT_ARRAY), (&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(RUNS, &parameters).await?;
    let number = |row: &Row| usize::try_from(row.get::<_, i64>(0)).expect("the code is counted from one");
    Ok(rows.iter().map(|row| (number(row), row.get(1))).collect())
}
