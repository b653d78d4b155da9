//! Looks up what statements would reach: rows, everything behind a drop, what stands in their way, the code that they run.
//!
//! Reads in one transaction that may not write, or in a part of one, with limits of time for every query.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Row};

use crate::db::cast::{self, Conversion, Convertible};
use crate::db::connection::error::ConnectError;
use crate::db::connection::visit::Visit;
use crate::db::inspect::blockers::{self, Blocker};
use crate::db::inspect::catalog::{self, Dependency, Object, ObjectId};
use crate::db::inspect::foresee::{self, Found as Subjects, Known, Why};
use crate::db::limits::milliseconds;

pub use crate::db::inspect::foresee::Deed;

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

/// An object that a statement has to do with, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A table, view, sequence or index.
    Relation(Relation),
    /// A type, which is named like a relation.
    Type(Relation),
    Schema(String),
    Column {
        table: Relation,
        column: String,
    },
    Constraint {
        table: Relation,
        name: String,
    },
    Policy {
        table: Relation,
        name: String,
    },
    /// The default of a column.
    Default {
        table: Relation,
        column: String,
    },
    /// The sequence of an identity column.
    Identity {
        table: Relation,
        column: String,
    },
    /// The primary key of a table, or the one that a column is in.
    Key {
        table: Relation,
        column: Option<String>,
    },
    Role(String),
    /// What belongs to a role.
    OwnedBy(String),
    Nothing,
}

/// What a statement does to an object, or needs of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    pub deed: Deed,
    pub subject: Subject,
}

/// A column that gets another type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Retyped {
    pub table: Relation,
    pub column: String,
    pub to: NewType,
    /// The statement says how its values are cast: to exactly that type.
    pub is_cast: bool,
    /// The rows matter: they are not gone by then.
    pub has_rows: bool,
}

/// The type that a column gets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NewType {
    /// As it is written.
    Words(String),
    /// An enum that the plan makes, which is named like a relation.
    Enum { name: Relation, labels: Vec<String> },
}

/// A column that must have a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Required {
    pub table: Relation,
    /// None where the column is new, and every row is without.
    pub column: Option<String>,
}

/// Code of the database, by the name that a statement calls it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    Function { schema: Option<String>, name: String },
    Operator(String),
    Type(Relation),
    Relation(Relation),
}

/// What is to be looked up.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Relations whose rows are at stake.
    pub counted: Vec<Relation>,
    /// Tables that are truncated with CASCADE.
    pub truncated: Vec<Relation>,
    /// What the statements do, in their order.
    pub acts: Vec<Act>,
    /// Tables whose constraints are dropped.
    pub constrained: Vec<Relation>,
    pub retyped: Vec<Retyped>,
    pub required: Vec<Required>,
    /// Types that columns get, as they are written.
    pub types: Vec<String>,
    pub code: Vec<Code>,
    /// Views that are dropped and made again.
    pub remade: Vec<Relation>,
}

impl Wanted {
    /// Tells whether there is nothing to look up.
    pub fn is_empty(&self) -> bool {
        let Wanted { counted, truncated, acts, constrained, retyped, required, types, code, remade } = self;
        let has_relations =
            [counted, truncated, constrained, remade].into_iter().any(|relations| !relations.is_empty());
        let has_columns = !retyped.is_empty() || !required.is_empty();
        !has_relations && !has_columns && acts.is_empty() && types.is_empty() && code.is_empty()
    }

    /// Tells whether the rows of something matter, or what kind of constraint something is.
    pub fn names_rows(&self) -> bool {
        [&self.counted, &self.truncated, &self.constrained].into_iter().any(|relations| !relations.is_empty())
    }

    /// Leaves out what is not a matter of what goes: what is looked up a second time.
    pub fn at_stake(&self) -> Wanted {
        let Wanted { counted, truncated, acts, constrained, .. } = self.clone();
        Wanted { counted, truncated, acts, constrained, ..Wanted::default() }
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

/// An object of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// As `pg_identify_object` names it: `table`, `view`, `table column`, `table constraint`, `policy` …
    pub kind: String,
    /// Schema, relation, and the part of it where there is one.
    pub name: Vec<String>,
    /// Kind and name for a reader, with the arguments of a function.
    pub told: String,
    /// Of a constraint, what kind it is (`pg_constraint.contype`).
    pub constraint: Option<char>,
}

impl Thing {
    fn of(object: &Object) -> Thing {
        let (kind, name) = (object.kind.clone(), object.names.clone());
        Thing { kind, name, told: object.told(), constraint: object.constraint }
    }

    /// Returns what it is, to a reader who is told its name.
    pub fn kind_and_part(&self) -> &str {
        match (&*self.kind, self.constraint) {
            ("table constraint", Some('p')) => "primary key",
            ("table constraint", Some('f')) => "foreign key",
            ("table constraint", Some('u')) => "unique constraint",
            ("table constraint", Some('c')) => "check",
            ("table constraint", Some('x')) => "exclusion constraint",
            (kind, _) => kind,
        }
    }

    /// Returns the relation whose rows are lost with it.
    pub fn relation(&self) -> Option<Relation> {
        let holds_rows = ["table", "foreign table", "materialized view", "table column", "foreign table column"]
            .contains(&&*self.kind);
        match self.name.as_slice() {
            [schema, name, ..] if holds_rows => Some(Relation { schema: schema.clone(), name: name.clone() }),
            _ => None,
        }
    }
}

/// Something that goes with a statement that does not name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// The act that takes it along, by its number; the first of several.
    pub act_idx: usize,
    pub thing: Thing,
    /// The role that owns it, or its table, where that is not the role of this connection.
    pub owner: Option<String>,
}

/// Why a statement cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub act_idx: usize,
    pub why: Obstacle,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// These need it, and it is not dropped with `CASCADE`.
    Needed(Vec<Thing>),
    /// It is a part of this one.
    PartOf(Thing),
    /// The act of this number has taken it along.
    GoneBy(usize),
    Missing,
    /// These stand on the column, whose type changes.
    Held(Vec<Thing>),
    /// These are there, and must not be. None where they are out of sight, in another database.
    There(Vec<Thing>),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Absent where there is no such relation.
    pub relations: BTreeMap<Relation, Found>,
    /// The tables that are emptied with each truncated one, itself left out.
    pub emptied: BTreeMap<Relation, Vec<Relation>>,
    pub reached: Vec<Reached>,
    /// The drops whose object was not found, so that nobody knows what they reach.
    pub lost: Vec<usize>,
    pub stops: Vec<Stop>,
    /// Tables with the names of their primary keys.
    pub primary_keys: Vec<(Relation, String)>,
    /// Identity columns with their sequences.
    pub identities: Vec<(Relation, String, Relation)>,
    /// What comes of the values of a column whose type changes.
    pub conversions: BTreeMap<Retyped, Convertible>,
    /// The rows that have no value where they must have one. Absent where that was not found out.
    pub without: BTreeMap<Required, u64>,
    /// Types that the server does not know, with what it says.
    pub unknown_types: BTreeMap<String, String>,
    /// Code by its number that is neither PostgreSQL's nor an extension's, and may do what it likes, with a name for it.
    pub runs: Vec<(usize, String)>,
    /// What is lost with a view that is made again, beside its query.
    pub on_views: BTreeMap<Relation, Vec<String>>,
}

impl Facts {
    /// Adds what was found before and is not looked up a second time.
    pub fn or_as_before(self, before: &Facts) -> Facts {
        let Facts { relations, emptied, reached, lost, stops, primary_keys, identities, .. } = self;
        Facts { relations, emptied, reached, lost, stops, primary_keys, identities, ..before.clone() }
    }
}

/// How tables are locked for a second look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Mode {
    /// Waits for those who write, and keeps others from writing.
    Share,
    /// Keeps everyone out.
    Exclusive,
}

/// What came of the wish for locks.
pub(in crate::db) enum Locking {
    Locked,
    /// The transaction is at its end. Those who hold the tables, as far as they were seen.
    Busy {
        by: Vec<Blocker>,
        waited: Duration,
    },
}

/// Locks the tables among these relations in the order of their names, each wait for so long as the transaction waits for
/// locks. Views and foreign tables cannot be locked, and are left out.
pub(in crate::db) async fn lock(
    client: &Client,
    relations: &[Relation],
    mode: Mode,
) -> Result<Locking, tokio_postgres::Error> {
    const TABLES: &str = "
        SELECT c.oid, n.nspname::text, c.relname::text
          FROM unnest($1::text[], $2::text[]) AS wanted(schema, name)
          JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.schema
          JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = wanted.name
         WHERE c.relkind IN ('r', 'p') ORDER BY 2, 3";
    let (schemas, names) = columns(relations);
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(TABLES, &parameters).await?;
    if rows.is_empty() {
        return Ok(Locking::Locked);
    }
    let oids: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
    let tables = rows.iter().map(|row| format!("{}.{}", escape_identifier(row.get(1)), escape_identifier(row.get(2))));
    let mode = match mode {
        Mode::Share => "SHARE",
        Mode::Exclusive => "ACCESS EXCLUSIVE",
    };
    let started = Instant::now();
    let locked =
        client.batch_execute(&format!("LOCK TABLE {} IN {mode} MODE", tables.collect::<Vec<_>>().join(", "))).await;
    match locked {
        Ok(()) => Ok(Locking::Locked),
        // lock_not_available and deadlock_detected.
        Err(error) if error.code().is_some_and(|code| matches!(code.code(), "55P03" | "40P01")) => {
            let waited = started.elapsed();
            client.batch_execute("ROLLBACK TO SAVEPOINT locking").await?;
            Ok(Locking::Busy { by: blockers::holders_of(client, &oids).await?, waited })
        }
        Err(error) => Err(error),
    }
}

/// What a second look came to, before a consent that holds no lock.
pub enum Again {
    Seen(Box<Facts>),
    /// Somebody has written into the tables and not committed, and did not come to an end.
    Busy {
        by: Vec<Blocker>,
        waited: Duration,
    },
}

/// Waits for those who write into these tables, and looks up what is at stake while nobody does. The locks are given back at
/// the end of the look.
///
/// # Errors
/// When the server cannot be asked, or will not lock a table for us.
pub fn look_again(
    visit: &Visit,
    wanted: &Wanted,
    tables: &[Relation],
    lock_timeout: Duration,
    deadline: Duration,
) -> Result<Again, ConnectError> {
    let [limit, query] = [lock_timeout, QUERY_LIMIT].map(|limit| milliseconds(limit.min(deadline)));
    let settings = format!(
        "SET LOCAL row_security = off; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0; SAVEPOINT locking"
    );
    visit.look_aside(deadline, &settings, async |client| {
        if let Locking::Busy { by, waited } = lock(client, tables, Mode::Share).await? {
            return Ok(Again::Busy { by, waited });
        }
        client.batch_execute(&format!("SET LOCAL statement_timeout = {query}")).await?;
        Ok(Again::Seen(Box::new(read(client, wanted).await?)))
    })
}

/// Looks up what is at stake in a transaction that is to go on, and leaves its settings as they are.
pub(in crate::db) async fn read_within(client: &Client, wanted: &Wanted) -> Result<Facts, tokio_postgres::Error> {
    let query = milliseconds(QUERY_LIMIT);
    let settings = format!("SAVEPOINT rechecking; SET LOCAL row_security = off; SET LOCAL statement_timeout = {query}");
    client.batch_execute(&settings).await?;
    let facts = read(client, wanted).await?;
    client.batch_execute("ROLLBACK TO SAVEPOINT rechecking; RELEASE SAVEPOINT rechecking").await?;
    Ok(facts)
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

/// As [`look_up`], in a transaction that is open, and leaves its settings as they are.
pub(in crate::db) async fn read(client: &Client, wanted: &Wanted) -> Result<Facts, tokio_postgres::Error> {
    // Names without a schema are looked up as the server does it for a statement.
    let unknown_types = unknown_types(client, &wanted.types).await?;
    let mut facts = Facts { unknown_types, runs: runs(client, &wanted.code).await?, ..Facts::default() };
    for retyped in &wanted.retyped {
        let convertible = convertible(client, retyped).await?;
        facts.conversions.insert(retyped.clone(), convertible);
    }
    for required in &wanted.required {
        if let Some(rows) = without(client, required).await? {
            facts.without.insert(required.clone(), rows);
        }
    }
    for table in &wanted.truncated {
        let emptied = emptied_with(client, table).await?;
        facts.emptied.insert(table.clone(), emptied);
    }
    if !wanted.acts.is_empty() {
        client.batch_execute("SAVEPOINT foreseeing; SET LOCAL search_path = pg_catalog").await?;
        foresee(client, &wanted.acts, &mut facts).await?;
        client.batch_execute("ROLLBACK TO SAVEPOINT foreseeing; RELEASE SAVEPOINT foreseeing").await?;
    }
    facts.primary_keys = primary_keys(client, &wanted.constrained).await?;
    facts.on_views = on_views(client, &wanted.remade).await?;
    let mut counted = wanted.counted.clone();
    counted.extend(facts.emptied.values().flatten().cloned());
    counted.extend(facts.reached.iter().filter_map(|reached| reached.thing.relation()));
    counted.sort();
    counted.dedup();
    for (relation, kind, estimate, extension) in relations(client, &counted).await? {
        // A view holds no rows, and reading it runs whatever stands in it.
        let rows = if kind == 'v' { Rows::Exact(0) } else { count(client, &relation, estimate).await? };
        facts.relations.insert(relation, Found { rows, extension });
    }
    Ok(facts)
}

/// Finds what the acts take along and where they would stop, with `pg_catalog` alone in the search path.
async fn foresee(client: &Client, acts: &[Act], facts: &mut Facts) -> Result<(), tokio_postgres::Error> {
    let found = resolve(client, acts).await?;
    let roots: Vec<ObjectId> =
        found.iter().flat_map(|found| found.ids.iter().chain(&found.inherited)).copied().collect();
    let dependencies = dependencies(client, &roots).await?;
    let mut ids: BTreeSet<ObjectId> = roots.into_iter().collect();
    ids.extend(dependencies.iter().flat_map(|dependency| [dependency.of, dependency.on]));
    let ids: Vec<ObjectId> = ids.into_iter().collect();
    let objects = catalog::describe(client, &ids).await?;
    let objects: BTreeMap<ObjectId, Object> = objects.into_iter().map(|object| (object.id, object)).collect();
    let us: String = client.query_typed_one("SELECT current_user::text", &[]).await?.get(0);

    let deeds: Vec<Deed> = acts.iter().map(|act| act.deed).collect();
    let known = Known { found: &found, dependencies: &dependencies, objects: &objects };
    let seen = foresee::foresee(&deeds, &known);
    let drops = |act: &Act| matches!(act.deed, Deed::Drop { .. } | Deed::TakeOut);
    let lost = acts.iter().zip(&found).enumerate().filter(|(_, (act, found))| drops(act) && found.ids.is_empty());
    facts.lost = lost.map(|(act_idx, _)| act_idx).collect();
    let thing = |id: &ObjectId| objects.get(id).map(Thing::of);
    facts.reached = seen
        .taken
        .iter()
        .filter_map(|taken| {
            let owner = objects.get(&taken.id).and_then(|object| object.owner.clone()).filter(|owner| *owner != us);
            Some(Reached { act_idx: taken.act_idx, thing: thing(&taken.id)?, owner })
        })
        .collect();
    facts.reached.sort_by(|one, other| (&one.thing, one.act_idx).cmp(&(&other.thing, other.act_idx)));
    facts.reached.dedup_by(|one, other| one.thing == other.thing);
    let things = |ids: &[ObjectId]| ids.iter().filter_map(thing).collect();
    let stops = seen.stops.into_iter().filter_map(|(act_idx, why)| {
        let why = match why {
            Why::Needed(by) => Obstacle::Needed(things(&by)),
            Why::PartOf(whole) => Obstacle::PartOf(thing(&whole)?),
            Why::GoneBy(act_idx) => Obstacle::GoneBy(act_idx),
            Why::Missing => Obstacle::Missing,
            Why::Held(by) => Obstacle::Held(things(&by)),
            Why::There(there) => Obstacle::There(things(&there)),
        };
        Some(Stop { act_idx, why })
    });
    facts.stops = stops.collect();
    let identities = acts.iter().zip(&found).filter_map(|(act, found)| {
        let Subject::Identity { table, column } = &act.subject else { return None };
        let [schema, name] = objects.get(found.ids.first()?)?.names.as_slice() else { return None };
        Some((table.clone(), column.clone(), Relation { schema: schema.clone(), name: name.clone() }))
    });
    facts.identities = identities.collect();
    Ok(())
}

/// Finds the objects that acts are about.
async fn resolve(client: &Client, acts: &[Act]) -> Result<Vec<Subjects>, tokio_postgres::Error> {
    // What a column is called by in a table, it is called by in those that inherit it. There it goes as well, unless it was
    // declared there, too, or is inherited from another table (`ATExecDropColumn`, `ATExecDropConstraint`).
    const SUBJECTS: &str = "
        WITH RECURSIVE wanted AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                     WITH ORDINALITY AS wanted(kind, schema, name, part, number)
        ), relation AS (
            SELECT w.*, c.oid FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
              JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = w.name
        ), type AS (
            SELECT w.*, t.oid, t.typelem, t.typtype FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema
              JOIN pg_type t ON t.typnamespace = n.oid AND t.typname = w.name
        ), columned AS (
            SELECT number, oid, part, false AS inherited FROM relation
             WHERE kind IN ('column', 'default', 'constraint')
            UNION
            SELECT l.number, i.inhrelid, l.part, true
              FROM columned l JOIN pg_inherits i ON i.inhparent = l.oid
        ), columns AS (
            SELECT l.number, w.kind, l.oid, a.attnum, l.inherited
              FROM columned l
              JOIN wanted w ON w.number = l.number AND w.kind IN ('column', 'default')
              JOIN pg_attribute a ON a.attrelid = l.oid AND a.attname = l.part AND a.attnum > 0
             WHERE NOT l.inherited OR (a.attinhcount = 1 AND NOT a.attislocal)
        )
        SELECT number, 'pg_class'::regclass::oid, oid, 0, false FROM relation WHERE kind = 'relation'
        UNION ALL
        SELECT number, 'pg_type'::regclass, oid, 0, false FROM type WHERE kind = 'type' OR kind = 'free type' AND typelem = 0
        UNION ALL
        SELECT w.number, 'pg_namespace'::regclass, n.oid, 0, false
          FROM wanted w JOIN pg_namespace n ON n.nspname = w.schema WHERE w.kind = 'schema'
        UNION ALL
        SELECT number, 'pg_class'::regclass, oid, attnum, inherited FROM columns WHERE kind = 'column'
        UNION ALL
        SELECT c.number, 'pg_attrdef'::regclass, d.oid, 0, c.inherited
          FROM columns c JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = c.attnum WHERE c.kind = 'default'
        UNION ALL
        SELECT l.number, 'pg_constraint'::regclass, k.oid, 0, l.inherited
          FROM columned l
          JOIN wanted w ON w.number = l.number AND w.kind = 'constraint'
          JOIN pg_constraint k ON k.conrelid = l.oid AND k.conname = l.part
         WHERE NOT l.inherited OR (k.coninhcount = 1 AND NOT k.conislocal)
        UNION ALL
        SELECT r.number, 'pg_policy'::regclass, p.oid, 0, false
          FROM relation r JOIN pg_policy p ON p.polrelid = r.oid AND p.polname = r.part WHERE r.kind = 'policy'
        UNION ALL
        SELECT r.number, d.classid, d.objid, 0, false
          FROM relation r
          JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = r.part
          JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = r.oid AND d.refobjsubid = a.attnum
           AND d.deptype = 'i' AND d.classid = 'pg_class'::regclass
         WHERE r.kind = 'identity'
        UNION ALL
        SELECT r.number, 'pg_constraint'::regclass, k.oid, 0, false
          FROM relation r
          JOIN pg_constraint k ON k.conrelid = r.oid AND k.contype = 'p'
          LEFT JOIN pg_attribute a ON a.attrelid = r.oid AND a.attname = r.part
         WHERE r.kind = 'key' AND (r.part = '' OR a.attnum = ANY (k.conkey))
        UNION ALL
        SELECT w.number, 'pg_authid'::regclass, o.oid, 0, false
          FROM wanted w JOIN pg_roles o ON o.rolname = w.name WHERE w.kind = 'role'
        UNION ALL
        SELECT w.number, s.classid, s.objid, s.objsubid, false
          FROM wanted w
          JOIN pg_roles o ON o.rolname = w.name
          JOIN pg_shdepend s ON s.refclassid = 'pg_authid'::regclass AND s.refobjid = o.oid AND s.deptype = 'o'
         WHERE w.kind = 'owned' AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
         ORDER BY 1, 2, 3, 4";
    let (mut kinds, mut schemas, mut names, mut parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for act in acts {
        let nowhere = Relation { schema: String::new(), name: String::new() };
        let (kind, Relation { schema, name }, part) = match &act.subject {
            Subject::Relation(relation) => ("relation", relation.clone(), ""),
            // The server calls the type of an array otherwise where its name is wanted.
            Subject::Type(relation) if act.deed == Deed::Create => ("free type", relation.clone(), ""),
            Subject::Type(relation) => ("type", relation.clone(), ""),
            Subject::Schema(schema) => ("schema", Relation { schema: schema.clone(), ..nowhere }, ""),
            Subject::Column { table, column } => ("column", table.clone(), &**column),
            Subject::Constraint { table, name } => ("constraint", table.clone(), &**name),
            Subject::Policy { table, name } => ("policy", table.clone(), &**name),
            Subject::Default { table, column } => ("default", table.clone(), &**column),
            Subject::Identity { table, column } => ("identity", table.clone(), &**column),
            Subject::Key { table, column } => ("key", table.clone(), column.as_deref().unwrap_or_default()),
            Subject::Role(role) => ("role", Relation { name: role.clone(), ..nowhere }, ""),
            Subject::OwnedBy(role) => ("owned", Relation { name: role.clone(), ..nowhere }, ""),
            Subject::Nothing => ("nothing", nowhere, ""),
        };
        kinds.push(kind);
        schemas.push(schema);
        names.push(name);
        parts.push(part);
    }
    let parameters: Vec<(&(dyn ToSql + Sync), Type)> = vec![
        (&kinds, Type::TEXT_ARRAY),
        (&schemas, Type::TEXT_ARRAY),
        (&names, Type::TEXT_ARRAY),
        (&parts, Type::TEXT_ARRAY),
    ];
    let mut found = vec![Subjects::default(); acts.len()];
    for row in client.query_typed(SUBJECTS, &parameters).await? {
        let number = usize::try_from(row.get::<_, i64>(0)).expect("the subjects are counted from one");
        let id = ObjectId { class: row.get(1), oid: row.get(2), column: row.get(3) };
        let Subjects { ids, inherited } = &mut found[number - 1];
        if row.get(4) { inherited.push(id) } else { ids.push(id) }
    }
    Ok(found)
}

/// Finds all that needs these objects in one way or another, and what those need.
async fn dependencies(client: &Client, roots: &[ObjectId]) -> Result<Vec<Dependency>, tokio_postgres::Error> {
    const DEPENDENCIES: &str = "
        WITH RECURSIVE reached AS (
            SELECT * FROM unnest($1::oid[], $2::oid[], $3::int4[]) AS root(classid, objid, objsubid)
            UNION
            SELECT next.* FROM reached r, LATERAL (
                SELECT d.classid, d.objid, d.objsubid
                  FROM pg_depend d
                 WHERE d.refclassid = r.classid AND d.refobjid = r.objid
                   AND (r.objsubid = 0 OR d.refobjsubid = r.objsubid)
                   AND d.deptype IN ('n', 'a', 'i', 'P', 'S')
                UNION ALL
                SELECT d.refclassid, d.refobjid, d.refobjsubid
                  FROM pg_depend d
                 WHERE d.classid = r.classid AND d.objid = r.objid AND d.objsubid = 0 AND r.objsubid = 0
                   AND d.deptype IN ('i', 'e')
            ) AS next
             WHERE r.classid <> 'pg_extension'::regclass
        )
        SELECT DISTINCT d.classid, d.objid, d.objsubid, d.refclassid, d.refobjid, d.refobjsubid, d.deptype::text
          FROM (SELECT DISTINCT classid, objid FROM reached) r
          JOIN pg_depend d ON d.classid = r.classid AND d.objid = r.objid AND d.deptype <> 'p'
         ORDER BY 1, 2, 3, 4, 5, 6";
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let classes: Vec<u32> = roots.iter().map(|id| id.class).collect();
    let oids: Vec<u32> = roots.iter().map(|id| id.oid).collect();
    let columns: Vec<i32> = roots.iter().map(|id| id.column).collect();
    let parameters: [(&(dyn ToSql + Sync), Type); 3] =
        [(&classes, Type::OID_ARRAY), (&oids, Type::OID_ARRAY), (&columns, Type::INT4_ARRAY)];
    let rows = client.query_typed(DEPENDENCIES, &parameters).await?;
    Ok(rows.iter().map(catalog::dependency).collect())
}

/// Finds which of these words are no type to the server.
async fn unknown_types(client: &Client, types: &[String]) -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
    let mut unknown = BTreeMap::new();
    for words in types {
        if let Err(message) = cast::read_type(client, words).await? {
            unknown.insert(words.clone(), message);
        }
    }
    Ok(unknown)
}

/// Finds what comes of the values of a column.
async fn convertible(client: &Client, retyped: &Retyped) -> Result<Convertible, tokio_postgres::Error> {
    let Retyped { table, column, to, is_cast, has_rows } = retyped;
    client.batch_execute("SAVEPOINT converting").await?;
    let how = if *is_cast { Conversion::Cast } else { Conversion::Assignment };
    let outcome = match to {
        NewType::Words(words) => cast::convertible(client, table, column, words, how, *has_rows).await,
        NewType::Enum { name, labels } => cast::fits_enum(client, table, column, (name, labels), how, *has_rows).await,
    };
    client.batch_execute("ROLLBACK TO SAVEPOINT converting; RELEASE SAVEPOINT converting").await?;
    match outcome {
        // Hidden by a policy, locked, or too slow.
        Err(error) if error.as_db_error().is_some() => Ok(Convertible::Unknown),
        outcome => outcome,
    }
}

/// Counts the rows that have no value in a column; none where that is not to be found out.
async fn without(client: &Client, required: &Required) -> Result<Option<u64>, tokio_postgres::Error> {
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

/// Finds the code among this that is neither PostgreSQL's nor an extension's, and that is not immutable: its number, and a
/// name for it.
async fn runs(client: &Client, code: &[Code]) -> Result<Vec<(usize, String)>, tokio_postgres::Error> {
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

/// Finds what stands on views beside their queries, and is lost where they are dropped and made again.
async fn on_views(
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

fn columns(relations: &[Relation]) -> (Vec<&str>, Vec<&str>) {
    relations.iter().map(|relation| (relation.schema.as_str(), relation.name.as_str())).unzip()
}

/// Finds relations, with the estimate of their rows and the extension that owns them.
async fn relations(
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
    let parameters: [(&(dyn ToSql + Sync), Type); 2] = [(&schemas, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY)];
    let rows = client.query_typed(PRIMARY_KEYS, &parameters).await?;
    Ok(rows.iter().map(|row| (Relation { schema: row.get(0), name: row.get(1) }, row.get(2))).collect())
}
