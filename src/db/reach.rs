//! Looks up what statements would reach: rows, tables and views behind a CASCADE, primary keys, extensions.
//!
//! Reads in one transaction that may not write, or in a part of one, with limits of time for every query.

use std::collections::BTreeMap;
use std::time::Duration;

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::connect::ConnectError;
use super::transaction::milliseconds;
use super::visit::Visit;

/// Rows up to which a table is counted. Beyond, the server's own estimate says enough.
const COUNTED: u64 = 100_000;

/// Limits of time for one query of ours, where the look has more: for a lock, and for all of it.
const LOCK_LIMIT: Duration = Duration::from_secs(1);
const QUERY_LIMIT: Duration = Duration::from_secs(5);

/// A table, view or other relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    pub schema: String,
    pub name: String,
}

/// What a CASCADE begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Root {
    Relation(Relation),
    /// A type, which is named like a relation.
    Type(Relation),
    Column {
        table: Relation,
        column: String,
    },
    Schema(String),
}

/// What is to be looked up.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Relations whose rows are at stake.
    pub counted: Vec<Relation>,
    /// Tables that are truncated with CASCADE.
    pub truncated: Vec<Relation>,
    /// What is dropped with CASCADE.
    pub dropped: Vec<Root>,
    /// Tables whose constraints are dropped.
    pub constrained: Vec<Relation>,
    /// Columns whose enum is built again.
    pub rebuilt: Vec<Rebuilt>,
    /// Tables that are dropped before that, and keep no enum.
    pub gone: Vec<Relation>,
}

/// A column whose enum is built again with other values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rebuilt {
    pub table: Relation,
    pub column: String,
    /// The enum, which is named like a relation.
    pub of: Relation,
    pub labels: Vec<String>,
}

/// Whether the values of a column fit the enum that it will have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fitting {
    All,
    /// So many rows have others.
    Unfit(u64),
    /// The enum cannot be dropped: this depends on it beside the columns that are changed.
    Needed(String),
    Unknown,
}

impl Wanted {
    /// Tells whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        let Wanted { counted, truncated, dropped, constrained, rebuilt, gone: _ } = self;
        let has_relations = [counted, truncated, constrained].into_iter().any(|relations| !relations.is_empty());
        !has_relations && dropped.is_empty() && rebuilt.is_empty()
    }
}

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Exact(u64),
    /// Counting was ended at a bound.
    AtLeast(u64),
    /// Row level security would keep rows from being counted, and a DROP takes them all the same.
    Hidden,
    /// `pg_class.reltuples`, where counting would take long or is not allowed.
    Estimate(u64),
    Unknown,
}

/// What is known about a relation whose rows are at stake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub rows: Rows,
    /// The extension that it belongs to.
    pub extension: Option<String>,
}

/// Something that a CASCADE reaches and that no statement names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// As `pg_identify_object` names it: `table`, `view`, `table column`, `table constraint`, `policy` …
    pub kind: String,
    /// Schema, relation, and the part of it where there is one.
    pub name: Vec<String>,
    /// Where the CASCADE begins that reaches it; the first of several.
    pub from: Root,
    /// The role that owns it, or its table, where that is not the role of this connection.
    pub owner: Option<String>,
}

impl Reached {
    /// Returns the relation whose rows are lost.
    pub fn relation(&self) -> Option<Relation> {
        let holds_rows = ["table", "foreign table", "materialized view", "table column", "foreign table column"]
            .contains(&&*self.kind);
        match self.name.as_slice() {
            [schema, name, ..] if holds_rows => Some(Relation { schema: schema.clone(), name: name.clone() }),
            _ => None,
        }
    }
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Absent where there is no such relation.
    pub relations: BTreeMap<Relation, Found>,
    /// The tables that are emptied with each truncated one, itself left out.
    pub emptied: BTreeMap<Relation, Vec<Relation>>,
    pub reached: Vec<Reached>,
    /// What is dropped with CASCADE and was not found, so that nobody knows what it reaches.
    pub lost: Vec<Root>,
    /// Tables with the names of their primary keys.
    pub primary_keys: Vec<(Relation, String)>,
    /// Absent where there is no such column.
    pub fitting: BTreeMap<Rebuilt, Fitting>,
}

/// Looks up what statements would reach.
///
/// # Errors
/// When the server cannot be asked. What it does not tell in time is [`Rows::Unknown`].
pub fn look_up(visit: &Visit, wanted: &Wanted, deadline: Duration) -> Result<Facts, ConnectError> {
    let [lock, query] = [LOCK_LIMIT, QUERY_LIMIT].map(|limit| milliseconds(limit.min(deadline)));
    let settings =
        format!("SET LOCAL row_security = off; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {query}");
    visit.look_aside(deadline, &settings, async |client| read(client, wanted).await)
}

async fn read(client: &Client, wanted: &Wanted) -> Result<Facts, tokio_postgres::Error> {
    let mut facts = Facts::default();
    for table in &wanted.truncated {
        let emptied = emptied_with(client, table).await?;
        facts.emptied.insert(table.clone(), emptied);
    }
    facts.lost = lost(client, &wanted.dropped).await?;
    facts.reached = reached(client, &wanted.dropped).await?;
    facts.primary_keys = primary_keys(client, &wanted.constrained).await?;
    for column in &wanted.rebuilt {
        if let Some(fitting) = fitting(client, column, wanted).await? {
            facts.fitting.insert(column.clone(), fitting);
        }
    }
    let mut counted = wanted.counted.clone();
    counted.extend(facts.emptied.values().flatten().cloned());
    counted.extend(facts.reached.iter().filter_map(Reached::relation));
    counted.sort();
    counted.dedup();
    for (relation, estimate, extension) in relations(client, &counted).await? {
        let rows = count(client, &relation, estimate).await?;
        facts.relations.insert(relation, Found { rows, extension });
    }
    Ok(facts)
}

fn columns(relations: &[Relation]) -> (Vec<&str>, Vec<&str>) {
    relations.iter().map(|relation| (relation.schema.as_str(), relation.name.as_str())).unzip()
}

/// Finds relations, with the estimate of their rows and the extension that owns them.
async fn relations(
    client: &Client,
    wanted: &[Relation],
) -> Result<Vec<(Relation, u64, Option<String>)>, tokio_postgres::Error> {
    const RELATIONS: &str = "
        SELECT n.nspname::text, c.relname::text, greatest(c.reltuples, 0)::int8,
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
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(RELATIONS, &parameters).await?;
    let found = rows.iter().map(|row| {
        let relation = Relation { schema: row.get(0), name: row.get(1) };
        (relation, row.get::<_, i64>(2).unsigned_abs(), row.get(3))
    });
    Ok(found.collect())
}

/// Counts the rows of a relation, up to a bound. A count that fails leaves the others possible.
async fn count(client: &Client, relation: &Relation, estimate: u64) -> Result<Rows, tokio_postgres::Error> {
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

/// Finds the tables that `TRUNCATE … CASCADE` empties as well: whose foreign keys lead there, and the partitions and
/// children of all of them.
async fn emptied_with(client: &Client, table: &Relation) -> Result<Vec<Relation>, tokio_postgres::Error> {
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

/// Finds what `DROP … CASCADE` takes along beyond the parts of what is dropped.
///
/// Follows `pg_depend` as `DROP` does (`dependency.c`): to everything that depends on what is gone, and from what is
/// an internal part of something to that something, as from the rule of a view to the view.
async fn reached(client: &Client, roots: &[Root]) -> Result<Vec<Reached>, tokio_postgres::Error> {
    const REACHED: &str = "
        WITH RECURSIVE wanted AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                     WITH ORDINALITY AS wanted(kind, schema, name, part, number)
        ), root AS (
            SELECT 'pg_catalog.pg_class'::regclass::oid AS classid, c.oid AS objid,
                   coalesce(a.attnum, 0)::int4 AS objsubid, w.number
              FROM wanted w
              JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
              JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
              LEFT JOIN pg_catalog.pg_attribute a ON w.kind = 'column' AND a.attrelid = c.oid AND a.attname = w.part
             WHERE w.kind = 'relation' OR (w.kind = 'column' AND a.attnum IS NOT NULL)
            UNION ALL
            SELECT 'pg_catalog.pg_type'::regclass, t.oid, 0, w.number
              FROM wanted w
              JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
              JOIN pg_catalog.pg_type t ON t.typnamespace = n.oid AND t.typname = w.name
             WHERE w.kind = 'type'
            UNION ALL
            SELECT 'pg_catalog.pg_namespace'::regclass, n.oid, 0, w.number
              FROM wanted w JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema WHERE w.kind = 'schema'
        ), reached AS (
            SELECT * FROM root
            UNION
            SELECT next.*, r.number FROM reached r, LATERAL (
                SELECT d.classid, d.objid, d.objsubid
                  FROM pg_catalog.pg_depend d
                 WHERE d.refclassid = r.classid AND d.refobjid = r.objid
                   AND (r.objsubid = 0 OR d.refobjsubid = r.objsubid)
                   AND d.deptype IN ('n', 'a', 'i', 'P', 'S')
                UNION ALL
                SELECT d.refclassid, d.refobjid, d.refobjsubid
                  FROM pg_catalog.pg_depend d
                 WHERE d.classid = r.classid AND d.objid = r.objid AND d.deptype = 'i'
                   AND d.classid <> 'pg_catalog.pg_class'::regclass
            ) AS next
        ), told AS (
            SELECT r.*, CASE r.classid
                WHEN 'pg_catalog.pg_class'::regclass THEN r.objid
                WHEN 'pg_catalog.pg_constraint'::regclass
                    THEN (SELECT nullif(conrelid, 0) FROM pg_catalog.pg_constraint WHERE oid = r.objid)
                WHEN 'pg_catalog.pg_attrdef'::regclass
                    THEN (SELECT adrelid FROM pg_catalog.pg_attrdef WHERE oid = r.objid)
                WHEN 'pg_catalog.pg_policy'::regclass
                    THEN (SELECT polrelid FROM pg_catalog.pg_policy WHERE oid = r.objid)
                WHEN 'pg_catalog.pg_trigger'::regclass
                    THEN (SELECT tgrelid FROM pg_catalog.pg_trigger WHERE oid = r.objid)
                END AS relation
              FROM reached r
             WHERE (r.classid, r.objid, r.objsubid) NOT IN (SELECT classid, objid, objsubid FROM root)
               AND r.classid <> 'pg_catalog.pg_rewrite'::regclass
        ), whole AS (
            SELECT objid FROM reached WHERE classid = 'pg_catalog.pg_class'::regclass AND objsubid = 0
        )
        SELECT named.type, named.object_names::text[], min(t.number) - 1,
               min(nullif(coalesce(c.relowner, y.typowner, p.proowner), (
                   SELECT oid FROM pg_catalog.pg_roles WHERE rolname = current_user))::regrole::text)
          FROM told t
          LEFT JOIN pg_catalog.pg_class c ON c.oid = t.relation
          LEFT JOIN pg_catalog.pg_proc p ON t.classid = 'pg_catalog.pg_proc'::regclass AND p.oid = t.objid
          LEFT JOIN pg_catalog.pg_trigger g ON t.classid = 'pg_catalog.pg_trigger'::regclass AND g.oid = t.objid
          LEFT JOIN pg_catalog.pg_type y ON t.classid = 'pg_catalog.pg_type'::regclass AND y.oid = t.objid,
               LATERAL pg_catalog.pg_identify_object_as_address(t.classid, t.objid, t.objsubid) AS named
         WHERE coalesce(c.relkind, 'r') NOT IN ('i', 'I', 't', 'c')
           AND (g.oid IS NULL OR NOT g.tgisinternal)
           -- The row type and the array type of a relation, and the array type of a type, are parts of it.
           AND (y.oid IS NULL OR (y.typrelid = 0 AND y.typelem = 0))
           -- What belongs to a relation that goes as a whole goes with it. So does a sequence that a column owns.
           AND (t.classid = 'pg_catalog.pg_class'::regclass AND t.objsubid = 0
                OR t.relation IS NULL OR t.relation NOT IN (SELECT objid FROM whole))
           AND NOT (c.relkind = 'S' AND EXISTS (
               SELECT FROM pg_catalog.pg_depend d
                WHERE d.classid = t.classid AND d.objid = t.objid AND d.deptype IN ('a', 'i')
                  AND d.refclassid = 'pg_catalog.pg_class'::regclass))
         GROUP BY 1, 2 ORDER BY 1, 2";
    let rows = about(client, REACHED, roots).await?;
    let reached = rows.iter().map(|row| {
        let from = usize::try_from(row.get::<_, i64>(2)).expect("the roots are counted from one");
        Reached { kind: row.get(0), name: row.get(1), from: roots[from].clone(), owner: row.get(3) }
    });
    Ok(reached.collect())
}

/// Finds which roots are not there.
async fn lost(client: &Client, roots: &[Root]) -> Result<Vec<Root>, tokio_postgres::Error> {
    const LOST: &str = "
        SELECT w.number - 1
          FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                 WITH ORDINALITY AS w(kind, schema, name, part, number)
          LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.schema
         WHERE NOT CASE w.kind
                   WHEN 'schema' THEN n.oid IS NOT NULL
                   WHEN 'type' THEN EXISTS (
                       SELECT FROM pg_catalog.pg_type WHERE typnamespace = n.oid AND typname = w.name)
                   WHEN 'relation' THEN EXISTS (
                       SELECT FROM pg_catalog.pg_class WHERE relnamespace = n.oid AND relname = w.name)
                   ELSE EXISTS (
                       SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
                        WHERE c.relnamespace = n.oid AND c.relname = w.name AND a.attname = w.part)
                   END
         ORDER BY 1";
    let rows = about(client, LOST, roots).await?;
    let number = |row: &Row| usize::try_from(row.get::<_, i64>(0)).expect("the roots are counted from one");
    Ok(rows.iter().map(|row| roots[number(row)].clone()).collect())
}

/// Asks about roots, which are given as kinds, schemas, names and parts.
async fn about(client: &Client, query: &str, roots: &[Root]) -> Result<Vec<Row>, tokio_postgres::Error> {
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let (mut kinds, mut schemas, mut names, mut parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for root in roots {
        let (kind, schema, name, part) = match root {
            Root::Relation(Relation { schema, name }) => ("relation", schema.as_str(), name.as_str(), ""),
            Root::Type(Relation { schema, name }) => ("type", schema.as_str(), name.as_str(), ""),
            Root::Column { table: Relation { schema, name }, column } => ("column", &**schema, &**name, &**column),
            Root::Schema(schema) => ("schema", schema.as_str(), "", ""),
        };
        kinds.push(kind);
        schemas.push(schema);
        names.push(name);
        parts.push(part);
    }
    let parameters: Vec<(&(dyn tokio_postgres::types::ToSql + Sync), Type)> = vec![
        (&kinds, Type::TEXT_ARRAY),
        (&schemas, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&parts, Type::TEXT_ARRAY),
    ];
    client.query_typed(query, &parameters).await
}

async fn primary_keys(client: &Client, tables: &[Relation]) -> Result<Vec<(Relation, String)>, tokio_postgres::Error> {
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
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(PRIMARY_KEYS, &parameters).await?;
    Ok(rows.iter().map(|row| (Relation { schema: row.get(0), name: row.get(1) }, row.get(2))).collect())
}

/// Tells whether an enum can be built again under a column; nothing where there is no such column.
async fn fitting(
    client: &Client,
    rebuilt: &Rebuilt,
    wanted: &Wanted,
) -> Result<Option<Fitting>, tokio_postgres::Error> {
    // What depends on the type or on its array type, beside the columns that leave it and their defaults.
    const NEEDED: &str = "
        WITH enum AS (
            SELECT y.oid, y.typarray FROM pg_catalog.pg_type y JOIN pg_catalog.pg_namespace n ON n.oid = y.typnamespace
             WHERE n.nspname = $1 AND y.typname = $2
        ), leaving AS (
            SELECT a.attrelid, a.attnum
              FROM unnest($3::text[], $4::text[], $5::text[]) AS rebuilt(schema, name, part)
              JOIN pg_catalog.pg_namespace n ON n.nspname = rebuilt.schema
              JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = rebuilt.name
              JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = rebuilt.part
        )
        SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
          FROM pg_catalog.pg_depend d JOIN enum ON d.refobjid IN (enum.oid, enum.typarray)
          LEFT JOIN pg_catalog.pg_attrdef f ON d.classid = 'pg_catalog.pg_attrdef'::regclass AND f.oid = d.objid
         WHERE d.refclassid = 'pg_catalog.pg_type'::regclass AND d.deptype = 'n'
           AND (coalesce(f.adrelid, d.objid), coalesce(f.adnum, d.objsubid)) NOT IN (SELECT * FROM leaving)
           AND coalesce(f.adrelid, d.objid) NOT IN (
               SELECT c.oid FROM unnest($6::text[], $7::text[]) AS gone(schema, name)
                 JOIN pg_catalog.pg_namespace n ON n.nspname = gone.schema
                 JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = gone.name)
         ORDER BY 1 LIMIT 1";
    let mut leaving = (Vec::new(), Vec::new(), Vec::new());
    for other in wanted.rebuilt.iter().filter(|other| other.of == rebuilt.of) {
        leaving.0.push(&*other.table.schema);
        leaving.1.push(&*other.table.name);
        leaving.2.push(&*other.column);
    }
    let Rebuilt { table, column, of, labels } = rebuilt;
    let gone = columns(&wanted.gone);
    let parameters: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 7] = [
        (&of.schema, Type::TEXT),
        (&of.name, Type::TEXT),
        (&leaving.0, Type::TEXT_ARRAY),
        (&leaving.1, Type::TEXT_ARRAY),
        (&leaving.2, Type::TEXT_ARRAY),
        (&gone.0, Type::TEXT_ARRAY),
        (&gone.1, Type::TEXT_ARRAY),
    ];
    if let Some(row) = client.query_typed(NEEDED, &parameters).await?.first() {
        return Ok(Some(Fitting::Needed(row.get(0))));
    }
    const IS_ARRAY: &str = "
        SELECT y.typcategory = 'A'
          FROM pg_catalog.pg_namespace n
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid
          JOIN pg_catalog.pg_type y ON y.oid = a.atttypid
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3";
    let parameters = [(&table.schema as _, Type::TEXT), (&table.name as _, Type::TEXT), (&column as _, Type::TEXT)];
    let found = client.query_typed(IS_ARRAY, &parameters).await?;
    let Some(is_array) = found.first().map(|row| row.get::<_, bool>(0)) else { return Ok(None) };
    let (schema, name, column) =
        (escape_identifier(&table.schema), escape_identifier(&table.name), escape_identifier(column));
    let fits = if is_array { format!("{column}::text[] <@ $1") } else { format!("{column}::text = ANY ($1)") };
    let sql = format!("SELECT count(*) FROM {schema}.{name} WHERE NOT ({fits})");
    client.batch_execute("SAVEPOINT fitting").await?;
    let counted = client.query_typed_one(&sql, &[(labels, Type::TEXT_ARRAY)]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT fitting").await?;
    Ok(Some(match counted.map(|row| row.get::<_, i64>(0).unsigned_abs()) {
        Ok(0) => Fitting::All,
        Ok(rows) => Fitting::Unfit(rows),
        // Hidden by a policy, locked, or too slow.
        Err(_) => Fitting::Unknown,
    }))
}
