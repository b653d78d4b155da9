//! Reads what a database holds, once. Decides nothing.

use std::time::Duration;

use futures_util::TryStreamExt as _;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::db::connection::client::Connection;
use crate::db::connection::error::ConnectError;
use crate::db::inspect::identify;

use crate::db::inspect::objects::{Argument, Columns, Dependency, Object, ObjectId};
pub use crate::db::inspect::objects::{Catalog, Extension, Facts, Schema};
use crate::db::limits::{LONG_QUERY, milliseconds};

/// Reads a database, in a transaction that may not write. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked, or not within the deadline.
pub fn catalog(connection: &Connection, deadline: Duration) -> Result<Catalog, ConnectError> {
    let limit = milliseconds(deadline.min(LONG_QUERY));
    // Compiling the questions takes longer than answering them.
    let settings = format!(
        "SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = {limit}"
    );
    let mut n_attempts = 0;
    loop {
        n_attempts += 1;
        match connection.look_at_once(deadline, &settings, read) {
            // The functions that name an object look past the snapshot, and do not find what was dropped meanwhile.
            Err(error) if n_attempts < 3 && error.sqlstate() == Some("XX000") => {}
            outcome => return outcome,
        }
    }
}

/// Reads a database in a transaction that is open, with `pg_catalog` alone in the search path.
pub(in crate::db) async fn read(client: &Client) -> Result<Catalog, tokio_postgres::Error> {
    // The default and not the setting of this transaction, which may be one of ours that only reads.
    const FACTS: &str = "
        SELECT current_setting('server_version_num')::int4,
               pg_is_in_recovery(),
               current_setting('default_transaction_read_only') = 'on' OR pg_is_in_recovery(),
               current_database()::text,
               current_user::text,
               (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
               current_setting('max_locks_per_transaction')::int8
               * (current_setting('max_connections')::int8 + current_setting('max_prepared_transactions')::int8)";
    const SCHEMAS: &str = "
        SELECT oid, nspname::text, pg_get_userbyid(nspowner)::text, pg_has_role(nspowner, 'USAGE'),
               has_schema_privilege(oid, 'USAGE')
          FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' ORDER BY nspname";
    const EXTENSIONS: &str = "
        SELECT e.extname::text, e.extversion, n.nspname::text,
               (SELECT count(*) FROM pg_depend d
                 WHERE d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'),
               e.oid
          FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace ORDER BY e.extname";
    const ROLES: &str = "SELECT rolname::text FROM pg_roles WHERE rolname !~ '^pg_'";
    // Below 16384 is what initdb made. What is a part of a system object is not listed, what needs one is.
    const DEPENDENCIES: &str = "
        SELECT classid, objid, objsubid, refclassid, refobjid, refobjsubid, deptype::text
          FROM pg_depend WHERE deptype <> 'p' AND (objid >= 16384 OR refobjid >= 16384)";
    const COLUMNS: &str = "
        SELECT c.oid, CASE c.relkind WHEN 'c' THEN 'type' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
                                     WHEN 'f' THEN 'foreign table' ELSE 'table' END || ' ' || n.nspname || '.' || c.relname,
               array_agg(a.attnum::int4), array_agg(a.attname::text)
          FROM pg_class c
          JOIN pg_namespace n ON n.oid = c.relnamespace
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'c') AND c.relpersistence <> 't' AND c.oid::int8 >= 16384
         GROUP BY 1, 2";
    // A partitioned table has a row of kind 'i' for its key columns, on itself: hence `objsubid = 0`. The columns of a
    // composite type are listed, although they are part of a relation that is an internal part of the type, and so are
    // those whose values are computed: from 15 on it is their default that needs the function. Left out is what does the
    // work of constraints. An owner who is the first superuser is not in pg_shdepend. The cast keeps the planner from its statistics, which are those of an
    // empty database here: by them it expects one row and looks up thousands one by one.
    const WANTED: &str = "
            SELECT DISTINCT d.classid, d.objid, d.objsubid
              FROM pg_depend d
             WHERE d.deptype <> 'p' AND d.objid::int8 >= 16384
               AND (d.objsubid <> 0 OR NOT EXISTS (
                   SELECT FROM pg_depend i
                    WHERE i.classid = d.classid AND i.objid = d.objid AND i.objsubid = 0 AND i.deptype = 'i'))
            UNION
            SELECT refclassid, refobjid, refobjsubid FROM pg_depend
             WHERE deptype = 'i' AND refobjsubid <> 0 AND refobjid::int8 >= 16384";
    // All at once: they travel together, and each waits only for the server.
    let (identity, facts, schemas, extensions, roles, objects, dependencies, columns) = tokio::try_join!(
        biased;
        identify::identify_within(client),
        client.query_typed_one(FACTS, &[]),
        client.query_typed(SCHEMAS, &[]),
        client.query_typed(EXTENSIONS, &[]),
        client.query_typed(ROLES, &[]),
        objects(client, WANTED, &[], None),
        collect(client, DEPENDENCIES, &[], dependency),
        collect(client, COLUMNS, &[], columns_of),
    )?;

    Ok(Catalog {
        facts: Facts {
            identity,
            version_num: facts.get::<_, i32>(0).unsigned_abs(),
            in_recovery: facts.get(1),
            read_only: facts.get(2),
            database: facts.get(3),
            user: facts.get(4),
            superuser: facts.get(5),
            lock_capacity: facts.get::<_, i64>(6).unsigned_abs(),
        },
        schemas: schemas
            .iter()
            .map(|row| Schema {
                oid: row.get(0),
                name: row.get(1),
                owner: row.get(2),
                mine: row.get(3),
                usable: row.get(4),
            })
            .collect(),
        extensions: extensions
            .iter()
            .map(|row| Extension {
                name: row.get(0),
                version: row.get(1),
                schema: row.get(2),
                n_members: row.get::<_, i64>(3).unsigned_abs(),
                oid: row.get(4),
            })
            .collect(),
        objects,
        dependencies,
        columns: columns.into_iter().collect(),
        roles: roles.iter().map(|row| row.get(0)).collect(),
    })
}

/// Returns what stands in the catalog of these objects, in the order of their numbers. What is not there is left out.
pub(in crate::db) async fn describe(client: &Client, ids: &[ObjectId]) -> Result<Vec<Object>, tokio_postgres::Error> {
    const WANTED: &str =
        "SELECT DISTINCT * FROM unnest($1::oid[], $2::oid[], $3::int4[]) AS w(classid, objid, objsubid)";
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let classes: Vec<u32> = ids.iter().map(|id| id.class).collect();
    let oids: Vec<u32> = ids.iter().map(|id| id.oid).collect();
    let columns: Vec<i32> = ids.iter().map(|id| id.column).collect();
    let parameters: [Parameter<'_>; 3] =
        [(&classes, Type::OID_ARRAY), (&oids, Type::OID_ARRAY), (&columns, Type::INT4_ARRAY)];
    objects(client, WANTED, &parameters, Some(&oids)).await
}

type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Reads the objects that a query wants, and the arguments of those among them that have some.
async fn objects(
    client: &Client,
    wanted: &str,
    parameters: &[Parameter<'_>],
    oids: Option<&Vec<u32>>,
) -> Result<Vec<Object>, tokio_postgres::Error> {
    const OBJECTS: &str = "
        ), placed AS (
            SELECT w.*,
                   CASE w.classid
                       WHEN 'pg_class'::regclass THEN CASE WHEN w.objsubid <> 0 THEN w.objid ELSE x.indrelid END
                       WHEN 'pg_constraint'::regclass THEN nullif(k.conrelid, 0)
                       WHEN 'pg_trigger'::regclass THEN g.tgrelid
                       WHEN 'pg_attrdef'::regclass THEN a.adrelid
                       WHEN 'pg_policy'::regclass THEN p.polrelid
                       WHEN 'pg_rewrite'::regclass THEN r.ev_class
                       WHEN 'pg_publication_rel'::regclass THEN m.prrelid
                   END AS relation,
                   -- What stands in the schema of something else, and is no part of a relation.
                   coalesce(v.typnamespace, f.opfnamespace) AS namespace,
                   k.contype::text
              FROM wanted w
              LEFT JOIN pg_index x ON w.classid = 'pg_class'::regclass AND x.indexrelid = w.objid
              LEFT JOIN pg_constraint k ON w.classid = 'pg_constraint'::regclass AND k.oid = w.objid
              LEFT JOIN pg_trigger g ON w.classid = 'pg_trigger'::regclass AND g.oid = w.objid
              LEFT JOIN pg_attrdef a ON w.classid = 'pg_attrdef'::regclass AND a.oid = w.objid
              LEFT JOIN pg_policy p ON w.classid = 'pg_policy'::regclass AND p.oid = w.objid
              LEFT JOIN pg_rewrite r ON w.classid = 'pg_rewrite'::regclass AND r.oid = w.objid
              LEFT JOIN pg_publication_rel m ON w.classid = 'pg_publication_rel'::regclass AND m.oid = w.objid
              LEFT JOIN pg_type v ON v.oid = k.contypid
              LEFT JOIN pg_amop ao ON w.classid = 'pg_amop'::regclass AND ao.oid = w.objid
              LEFT JOIN pg_amproc ap ON w.classid = 'pg_amproc'::regclass AND ap.oid = w.objid
              LEFT JOIN pg_opfamily f ON f.oid = coalesce(ao.amopfamily, ap.amprocfamily)
        )
        SELECT w.classid, w.objid, w.objsubid, address.type,
               CASE WHEN w.classid = 'pg_type'::regclass THEN ARRAY[y.nspname::text, t.typname::text]
                    WHEN w.classid IN ('pg_proc'::regclass, 'pg_operator'::regclass) THEN address.object_names
                    ELSE address.object_names || address.object_args END,
               n.nspname::text,
               CASE WHEN o.ownerless THEN NULL ELSE pg_get_userbyid(o.owner)::text END,
               o.ownerless OR pg_has_role(o.owner, 'USAGE') OR coalesce(pg_has_role(n.nspowner, 'USAGE'), false),
               w.relation,
               CASE WHEN c.relkind IN ('r', 'm') AND w.relation IS NULL
                    THEN nullif(greatest(c.reltuples::int8, pg_stat_get_live_tuples(c.oid), 0), 0) END,
               coalesce(c.relkind IN ('r', 'p') AND w.relation IS NULL AND has_table_privilege(c.oid, 'TRUNCATE'), false),
               w.contype, coalesce(c.relispartition, false)
          FROM placed w
          LEFT JOIN pg_class c
            ON c.oid = coalesce(w.relation, CASE WHEN w.classid = 'pg_class'::regclass THEN w.objid END)
          LEFT JOIN pg_type t ON w.classid = 'pg_type'::regclass AND t.oid = w.objid
          LEFT JOIN pg_namespace y ON y.oid = t.typnamespace
          LEFT JOIN pg_depend within
            ON within.classid = w.classid AND within.objid = w.objid AND within.objsubid = 0
           AND within.refclassid = 'pg_namespace'::regclass AND within.deptype = 'n' AND w.objsubid = 0
           AND w.classid <> 'pg_extension'::regclass
          LEFT JOIN pg_namespace n ON n.oid = coalesce(c.relnamespace, within.refobjid, w.namespace)
          LEFT JOIN pg_shdepend s
            ON s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
           AND s.classid = w.classid AND s.objid = w.objid AND s.objsubid = 0 AND s.deptype = 'o',
               LATERAL (VALUES (
                   -- pg_cast, pg_transform, pg_am, pg_user_mapping, pg_default_acl, pg_amop, pg_amproc,
                   -- pg_publication_namespace, and the constraints of domains.
                   w.classid IN (2605, 3576, 2601, 1418, 826, 2602, 2603, 6237) OR (w.classid = 'pg_constraint'::regclass AND w.relation IS NULL),
                   coalesce(s.refobjid, c.relowner, 10)
               )) AS o(ownerless, owner),
               LATERAL pg_identify_object_as_address(w.classid, w.objid, w.objsubid) AS address
         WHERE address.type IS NOT NULL
         ORDER BY 1, 2, 3";
    // The types of a function's arguments are those that a call gives; procedures may differ in what they return.
    const ROUTINES: &str = "
        SELECT 'pg_proc'::regclass::oid, p.oid, a.ord,
               CASE WHEN p.prokind = 'p' THEN coalesce(p.proargmodes[a.ord::int4]::text, 'i') END,
               n.nspname::text, t.typname::text
          FROM pg_proc p,
               LATERAL unnest(CASE WHEN p.prokind = 'p' THEN coalesce(p.proallargtypes, p.proargtypes::oid[])
                                   ELSE p.proargtypes::oid[] END) WITH ORDINALITY AS a(oid, ord)
          LEFT JOIN pg_type t ON t.oid = a.oid
          LEFT JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE p.oid >= 16384 AND ($1::oid[] IS NULL OR p.oid = ANY ($1))
        UNION ALL
        SELECT 'pg_operator'::regclass, o.oid, a.ord, NULL, n.nspname::text, t.typname::text
          FROM pg_operator o, LATERAL (VALUES (1, o.oprleft), (2, o.oprright)) AS a(ord, oid)
          LEFT JOIN pg_type t ON t.oid = a.oid
          LEFT JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE o.oid >= 16384 AND ($1::oid[] IS NULL OR o.oid = ANY ($1))
         ORDER BY 1, 2, 3";

    let query = format!("WITH wanted AS MATERIALIZED ({wanted}{OBJECTS}");
    let of: [Parameter<'_>; 1] = [(&oids, Type::OID_ARRAY)];
    let (mut objects, arguments) = tokio::try_join!(biased; collect(client, &query, parameters, object), collect(client, ROUTINES, &of, argument))?;
    objects.dedup_by_key(|object| object.id);
    for (id, argument) in arguments {
        let Ok(idx) = objects.binary_search_by_key(&id, |object| object.id) else { continue };
        objects[idx].arguments.push(argument);
    }
    Ok(objects)
}

/// Reads row after row: of all that a server says of ten thousand tables, the values alone are kept.
async fn collect<T>(
    client: &Client,
    query: &str,
    parameters: &[Parameter<'_>],
    value: impl Fn(&Row) -> T,
) -> Result<Vec<T>, tokio_postgres::Error> {
    let parameters = parameters.iter().map(|(parameter, of_type)| (*parameter, of_type.clone()));
    let rows = client.query_typed_raw(query, parameters).await?;
    let values = rows.map_ok(|row| value(&row)).try_collect::<Vec<T>>().await?;
    Ok(values)
}

fn object(row: &Row) -> Object {
    Object {
        id: ObjectId { class: row.get(0), oid: row.get(1), column: row.get(2) },
        kind: row.get(3),
        names: row.get::<_, Option<Vec<String>>>(4).unwrap_or_default(),
        arguments: Vec::new(),
        schema: row.get(5),
        owner: row.get(6),
        mine: row.get(7),
        part_of: row.get(8),
        rows: row.get::<_, Option<i64>>(9).map(i64::unsigned_abs),
        lockable: row.get(10),
        constraint: row.get::<_, Option<&str>>(11).and_then(|kind| kind.chars().next()),
        is_partition: row.get(12),
    }
}

fn argument(row: &Row) -> (ObjectId, Argument) {
    let id = ObjectId { class: row.get(0), oid: row.get(1), column: 0 };
    let mode = row.get::<_, Option<&str>>(3).and_then(|mode| mode.chars().next());
    let of_type = row.get::<_, Option<String>>(4).zip(row.get::<_, Option<String>>(5));
    (id, Argument { mode, of_type })
}

fn columns_of(row: &Row) -> (u32, Columns) {
    let names = row.get::<_, Vec<i32>>(2).into_iter().zip(row.get::<_, Vec<String>>(3));
    (row.get(0), Columns { of: row.get(1), names: names.collect() })
}

pub(in crate::db) fn dependency(row: &Row) -> Dependency {
    Dependency {
        of: ObjectId { class: row.get(0), oid: row.get(1), column: row.get(2) },
        on: ObjectId { class: row.get(3), oid: row.get(4), column: row.get(5) },
        kind: row.get::<_, &str>(6).chars().next().unwrap_or('n'),
    }
}
