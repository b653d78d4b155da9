//! What a database holds, read once into a plain value: objects, who owns them, and what depends on what.
//!
//! Every object that a schema contains records in `pg_depend` that it depends on that schema. So kinds of objects that
//! nobody thought of here are found too. Decides nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::db::change::lease::Lease;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::fingerprint::{self, Identity};

/// The catalogs by their numbers, which are the same in every release (`src/include/catalog/*.h`).
pub(in crate::db) mod class {
    pub(in crate::db) const TYPE: u32 = 1247;
    pub(in crate::db) const RELATION: u32 = 1259;
    pub(in crate::db) const ROUTINE: u32 = 1255;
    pub(in crate::db) const DEFAULT: u32 = 2604;
    pub(in crate::db) const CONSTRAINT: u32 = 2606;
    pub(in crate::db) const SCHEMA: u32 = 2615;
    pub(in crate::db) const RULE: u32 = 2618;
    pub(in crate::db) const TRIGGER: u32 = 2620;
    pub(in crate::db) const EXTENSION: u32 = 3079;
    pub(in crate::db) const POLICY: u32 = 3256;
    pub(in crate::db) const STATISTICS: u32 = 3381;
    pub(in crate::db) const PUBLICATION_REL: u32 = 6106;
    const SERVER: u32 = 1417;
    const USER_MAPPING: u32 = 1418;
    const AMOP: u32 = 2602;
    const AMPROC: u32 = 2603;
    const OPERATOR_FAMILY: u32 = 2753;

    /// Returns what an object of a catalog is a part of, where that is no relation.
    pub(in crate::db) fn container(class: u32) -> Option<u32> {
        match class {
            CONSTRAINT => Some(TYPE),
            AMOP | AMPROC => Some(OPERATOR_FAMILY),
            USER_MAPPING => Some(SERVER),
            _ => None,
        }
    }
}

/// What has a smaller number was made with the database.
pub(in crate::db) const FIRST_OF_USERS: u32 = 16384;

/// A database as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub facts: Facts,
    /// Without the system's own: `pg_*` and `information_schema`.
    pub schemas: Vec<Schema>,
    pub extensions: Vec<Extension>,
    /// Everything with a name of its own that depends on something, in the order of its numbers.
    ///
    /// Left out is what is an internal part of something else: the row type of a table, the index of a key.
    pub objects: Vec<Object>,
    pub dependencies: Vec<Dependency>,
    /// The columns of each relation and of each composite type, without those of temporary ones.
    pub columns: BTreeMap<u32, Columns>,
    /// The roles of the cluster, without the predefined ones.
    pub roles: BTreeSet<String>,
}

/// What the server says about itself, this database and us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub identity: Identity,
    /// `server_version_num`: 150018 is 15.18.
    pub version_num: u32,
    /// The server is a standby.
    pub in_recovery: bool,
    /// A new transaction may not write: `default_transaction_read_only`, or a standby.
    pub read_only: bool,
    pub database: String,
    pub user: String,
    pub superuser: bool,
    /// The locks that the server has room for in any case: `max_locks_per_transaction` for each connection and each
    /// prepared transaction.
    pub lock_capacity: u64,
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub oid: u32,
    pub name: String,
    pub owner: String,
    /// We have the rights of its owner.
    pub mine: bool,
    /// What is in it can be named by us: USAGE.
    pub usable: bool,
}

/// An extension that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extension {
    pub name: String,
    pub version: String,
    /// Where it lives.
    pub schema: String,
    pub n_members: u64,
    pub oid: u32,
}

/// An object by its numbers, as in `pg_depend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The catalog that it is a row of.
    pub class: u32,
    pub oid: u32,
    /// A column of it alone; 0 for all of it.
    pub column: i32,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub id: ObjectId,
    /// As `pg_identify_object` says: `table`, `view`, `type`, `operator class`, `table constraint` …
    pub kind: String,
    /// As `pg_identify_object_as_address` says: most often schema and name. A type has its schema and its name here too,
    /// and a cast both of its types.
    pub names: Vec<String>,
    /// What the name does not tell: the types that a routine or an operator takes.
    pub arguments: Vec<Argument>,
    /// Of the object, or of the relation that it is a part of.
    pub schema: Option<String>,
    /// `None` of what has none: a cast, a transform, the constraint of a domain.
    pub owner: Option<String>,
    /// We may drop it: we have the rights of its owner, or of the owner of its schema.
    pub mine: bool,
    /// The relation that it is a part of.
    pub part_of: Option<u32>,
    /// The server's estimate, by its last analysis or by what it counted since. Only of what holds rows.
    pub rows: Option<u64>,
    /// A table that we may `LOCK`, for which it takes a privilege that `DROP` does not need.
    pub lockable: bool,
    /// Of a constraint, what kind it is (`pg_constraint.contype`).
    pub constraint: Option<char>,
    /// It is a partition, or a part of one.
    pub is_partition: bool,
}

/// The columns of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// For a reader: `table shop.orders`.
    pub of: String,
    pub names: BTreeMap<i32, String>,
}

/// An argument of a routine or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// As in `pg_proc.proargmodes`: `i`, `o`, `b`, `v`. Only of procedures, which may differ in nothing else.
    pub mode: Option<char>,
    /// Schema and name. `None` stands for the side on which an operator takes nothing.
    pub of_type: Option<(String, String)>,
}

/// One object that needs another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub of: ObjectId,
    pub on: ObjectId,
    /// As in `pg_depend.deptype`: `n`, `a`, `i`, `P`, `S`, `e`, `x`.
    pub kind: char,
}

impl Catalog {
    /// Writes an object or a column down for a reader.
    pub(in crate::db) fn told(&self, id: ObjectId) -> String {
        if let Ok(idx) = self.objects.binary_search_by_key(&id, |object| object.id) {
            return self.objects[idx].told();
        }
        let column = || {
            let columns = self.columns.get(&id.oid).filter(|_| id.class == class::RELATION)?;
            Some(format!("column {} of {}", columns.names.get(&id.column)?, columns.of))
        };
        column().unwrap_or_else(|| format!("row {} of the catalog {}", id.oid, id.class))
    }
}

impl Object {
    /// Writes the object down for a reader: `function shop.price(integer)` without any quoting.
    pub fn told(&self) -> String {
        if let ("default acl", [role, schema, objects]) = (&*self.kind, &self.names[..]) {
            let objects = match &**objects {
                "r" => "tables",
                "S" => "sequences",
                "f" => "functions",
                "T" => "types",
                other => other,
            };
            return format!("default privileges of {role} for {objects} in schema {schema}");
        }
        let mut told = format!("{} {}", self.kind, self.names.join("."));
        if matches!(&*self.kind, "function" | "procedure" | "aggregate" | "operator") {
            let types: Vec<_> = self.arguments.iter().map(Argument::told).collect();
            told.push_str(&format!("({})", types.join(", ")));
        }
        told
    }
}

impl Argument {
    fn told(&self) -> String {
        let name = match &self.of_type {
            Some((schema, name)) if schema == "pg_catalog" => name.clone(),
            Some((schema, name)) => format!("{schema}.{name}"),
            None => "none".to_owned(),
        };
        if self.mode == Some('o') { format!("out {name}") } else { name }
    }
}

/// Reads a database, in a transaction that may not write. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked, or not within the deadline.
pub fn catalog(dsn: &Dsn, deadline: Duration) -> Result<Catalog, ConnectError> {
    let begin = format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; {}", limits(deadline));
    within(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &Session { application_name: "drizzle-pilot", options: "" }).await?;
        // Poolers hand the connection on: nothing of ours may stay behind.
        look(&client, &begin, "ROLLBACK").await.map_err(|error| explained(dsn, &error))
    })
}

/// As [`catalog`], over the connection that holds the lock already. It keeps nothing but the lock. Must not be called from
/// asynchronous code.
///
/// # Errors
/// As [`catalog`].
pub fn catalog_under(lease: &Lease, dsn: &Dsn, deadline: Duration) -> Result<Catalog, ConnectError> {
    let begin = format!("SAVEPOINT look; SET TRANSACTION READ ONLY; {}", limits(deadline));
    lease.converse(dsn, deadline, async |client| {
        let read = look(client, &begin, "ROLLBACK TO SAVEPOINT look; RELEASE SAVEPOINT look").await;
        read.map_err(|error| explained(dsn, &error))
    })
}

fn limits(deadline: Duration) -> String {
    let limit = deadline.as_millis().clamp(1, 600_000);
    // Compiling the questions takes longer than answering them.
    format!(
        "SET LOCAL search_path = pg_catalog; SET LOCAL jit = off; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = {limit}"
    )
}

/// Reads between two other statements, on one journey.
async fn look(client: &Client, begin: &str, end: &str) -> Result<Catalog, tokio_postgres::Error> {
    let mut n_attempts = 0;
    loop {
        let (begun, outcome, _) =
            tokio::join!(biased; client.batch_execute(begin), read(client), client.batch_execute(end));
        n_attempts += 1;
        match begun.and(outcome) {
            // The functions that name an object look past the snapshot, and do not find what was dropped meanwhile.
            Err(error) if n_attempts < 3 && error.code().is_some_and(|code| code.code() == "XX000") => {}
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
        fingerprint::identify_within(client),
        client.query_typed_one(FACTS, &[]),
        client.query_typed(SCHEMAS, &[]),
        client.query_typed(EXTENSIONS, &[]),
        client.query_typed(ROLES, &[]),
        objects(client, WANTED, &[], None),
        client.query_typed(DEPENDENCIES, &[]),
        client.query_typed(COLUMNS, &[]),
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
        dependencies: dependencies.iter().map(dependency).collect(),
        columns: columns.iter().map(columns_of).collect(),
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
    let (objects, arguments) =
        tokio::try_join!(biased; client.query_typed(&query, parameters), client.query_typed(ROUTINES, &of))?;
    let mut objects: Vec<Object> = objects.iter().map(object).collect();
    objects.dedup_by_key(|object| object.id);
    for row in &arguments {
        let id = ObjectId { class: row.get(0), oid: row.get(1), column: 0 };
        let Ok(idx) = objects.binary_search_by_key(&id, |object| object.id) else { continue };
        objects[idx].arguments.push(argument(row));
    }
    Ok(objects)
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

fn argument(row: &Row) -> Argument {
    let mode = row.get::<_, Option<&str>>(3).and_then(|mode| mode.chars().next());
    let of_type = row.get::<_, Option<String>>(4).zip(row.get::<_, Option<String>>(5));
    Argument { mode, of_type }
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
