//! Decides which statements empty a database, from what was read of it. Pure: a catalog in, a plan or a refusal out.
//!
//! Objects go one by one and never by dropping `public`, because that would take extensions, grants, default
//! privileges and the owner along. With `CASCADE`, because cycles leave no other order; what it takes along is found
//! here first.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::catalog::{self, Catalog, Dependency, Extension, Object, ObjectId, Schema, class};
use crate::db::inspect::closure::{self, Closure};
use crate::db::inspect::reach::Relation;

/// Names in one statement. One statement for each object is quadratic in one transaction, and so is one for all.
const AT_MOST: usize = 100;

/// What is to be emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    pub schemas: Schemas,
    /// Objects that stay, by schema and name.
    pub keep: BTreeSet<Relation>,
    /// The table of the migrations: goes first, also from a schema that is not in scope.
    pub migrations: Option<Relation>,
    pub owners: Owners,
}

/// Whose objects may go, as far as the server lets us drop them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owners {
    /// Those of the role that we are. Who owns a schema, and a superuser, may drop what others have put there, and is
    /// not taken to mean it.
    Us,
    Anyone,
}

/// Which schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schemas {
    /// These, where they exist.
    Named(BTreeSet<String>),
    /// Every one but the system's and those of a managed service.
    All,
}

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub sql: String,
    /// What it names, for a reader.
    pub objects: Vec<String>,
    pub why: &'static str,
}

/// Something that goes without being named by a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub object: String,
    pub owner: Option<String>,
}

/// Something in scope that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    pub object: String,
    pub why: String,
}

/// How a database is emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetPlan {
    pub scope: Scope,
    /// Run first: they keep everyone out of the tables, so that what was planned stays true.
    pub locking: Vec<Step>,
    /// What drops.
    pub steps: Vec<Step>,
    /// What `CASCADE` takes along that is no part of what the statements name, and may go.
    pub collateral: Vec<Taken>,
    pub stays: Vec<Stays>,
    /// The schemas that are left.
    pub schemas_left: BTreeSet<String>,
    /// What is left in them that has a name of its own there, by its kind.
    pub left: Vec<(String, Relation)>,
    /// Must be the same afterwards.
    pub extensions: Vec<Extension>,
    pub n_objects: usize,
    /// The server's estimate for all of the tables together.
    pub rows: u64,
    /// Who owns what goes, where that is not us: the owner with the number of objects.
    pub owners: BTreeMap<String, usize>,
    /// Relations that have to be locked, by their numbers.
    pub relations: Vec<u32>,
    /// Locks that the statements take, one for each object that goes.
    pub n_locks: u64,
    pub lock_capacity: u64,
}

/// What one transaction drops where the server has no room for the locks of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// As in [`ResetPlan`].
    pub locking: Vec<Step>,
    pub steps: Vec<Step>,
    pub n_objects: usize,
}

/// Whether the server has room for the locks of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Surely,
    /// The server was seen to have room for 1.7 times what it promises.
    Perhaps,
    No,
}

/// Why a database is not emptied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the schemas of the system are never emptied: {}", .0.join(", "))]
    System(Vec<String>),
    #[error("the schemas of a managed service are never emptied:{}", list(.0))]
    Managed(Vec<ManagedSchema>),
    /// Dropping needs USAGE on the schema, even of what is our own.
    #[error("the objects of these schemas cannot be named without USAGE on the schema: {}", .0.join(", "))]
    Unusable(Vec<String>),
    #[error("these objects are not ours to drop:{}", list(.0))]
    NotMine(Vec<Foreign>),
    /// By owner.
    #[error("objects of other roles would go:{}", of_owners(.0))]
    OtherOwners(BTreeMap<String, Vec<String>>),
    #[error("it is unknown how to drop these objects:{}", list(.0))]
    UnknownKind(Vec<String>),
    #[error("dropping would take along:{}", list(.0))]
    Collateral(Vec<Offence>),
}

impl Refusal {
    /// Returns what would allow it.
    pub fn hint(&self) -> &'static str {
        match self {
            Refusal::System(_) | Refusal::Managed(_) => "leave these schemas out of the scope",
            Refusal::Unusable(_) => "connect as the owner of the schemas, or leave them out of the scope",
            Refusal::NotMine(_) => "connect as their owner, leave their schema out of the scope, or keep them by name",
            Refusal::OtherOwners(_) => {
                "connect as their owner, keep them by name, or say with --other-owners that they may go"
            }
            Refusal::UnknownKind(_) => "drop them by hand, or keep them by name",
            Refusal::Collateral(_) => {
                "take their schema into the scope, keep what they need by name, or drop them by hand if they may go"
            }
        }
    }
}

/// A schema that belongs to a managed service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSchema {
    pub schema: String,
    pub service: &'static str,
    /// Where it is said.
    pub source: &'static str,
}

/// An object of another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    pub object: String,
    pub owner: String,
}

/// Something that `CASCADE` must not take along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    pub object: String,
    pub why: Why,
}

/// Why it must not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// An extension falls with any of its members.
    ExtensionBy {
        member: String,
    },
    PartOfExtension(String),
    OtherRole(String),
    OtherSchema(String),
    Kept,
}

impl fmt::Display for ManagedSchema {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "schema {} of {} ({})", self.schema, self.service, self.source)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {}", self.object, self.owner)
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Offence { object, why } = self;
        match why {
            Why::ExtensionBy { member } => write!(f, "{object}, because of its member {member}"),
            Why::PartOfExtension(extension) => write!(f, "{object}, a part of extension {extension}"),
            Why::OtherRole(owner) => write!(f, "{object} of {owner}"),
            Why::OtherSchema(schema) => write!(f, "{object}, in schema {schema}, which is not in scope"),
            Why::Kept => write!(f, "{object}, which is to be kept"),
        }
    }
}

/// Names a few objects of each owner. There may be thousands.
fn of_owners(owners: &BTreeMap<String, Vec<String>>) -> String {
    const A_FEW: usize = 5;
    let line = |(owner, objects): (&String, &Vec<String>)| {
        let named = objects.iter().take(A_FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if objects.len() > A_FEW { ", …" } else { "" };
        format!("\n  {} of {owner}: {named}{more}", objects.len())
    };
    owners.iter().map(line).collect()
}

fn list<T: fmt::Display>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {one}")).collect()
}

impl ResetPlan {
    /// Returns everything that runs, in order.
    pub fn statements(&self) -> impl Iterator<Item = &Step> {
        self.locking.iter().chain(&self.steps)
    }

    /// Tells whether there is nothing to drop.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tells whether the server has room for the locks.
    pub fn room(&self) -> Room {
        match self.n_locks {
            n_locks if n_locks <= self.lock_capacity => Room::Surely,
            n_locks if n_locks <= self.lock_capacity.saturating_mul(17) / 10 => Room::Perhaps,
            _ => Room::No,
        }
    }

    /// Tells whether another plan would do the same, whatever the server estimates meanwhile.
    pub fn does_the_same_as(&self, other: &ResetPlan) -> bool {
        self.locking == other.locking
            && self.steps == other.steps
            && self.collateral == other.collateral
            && self.extensions == other.extensions
    }
}

/// Says how a database is emptied.
///
/// # Errors
/// With everything of one kind that stands against it, named.
pub fn plan(catalog: &Catalog, scope: &Scope) -> Result<ResetPlan, Refusal> {
    let chosen = Chosen::of(catalog, scope)?;
    let Chosen { targets, emptied, .. } = &chosen;
    may_be_dropped(catalog, targets)?;
    let of_others = of_others(catalog, &chosen);
    if scope.owners == Owners::Us && !of_others.is_empty() {
        return Err(Refusal::OtherOwners(of_others));
    }

    let closure = chosen.closure();
    let collateral = collateral(catalog, scope, &chosen, &closure)?;
    let (journal, rest) = chosen.named(scope);
    let mut steps = Vec::new();
    drops(&journal, JOURNAL_FIRST, &mut steps)?;
    drops(&rest, IN_SCOPE, &mut steps)?;
    drop_schemas(emptied, &mut steps);
    let mut relations: Vec<u32> =
        closure.keys().filter(|(class, _)| *class == class::RELATION).map(|(_, oid)| oid).collect();
    relations
        .extend(catalog.objects.iter().filter(|object| closure.touches(object.id)).filter_map(|object| object.part_of));
    relations.sort_unstable();
    relations.dedup();
    Ok(ResetPlan {
        scope: scope.clone(),
        locking: lock(targets),
        schemas_left: catalog
            .schemas
            .iter()
            .filter(|schema| !emptied.contains(schema))
            .map(|schema| schema.name.clone())
            .collect(),
        left: left_standing(catalog, &closure),
        collateral,
        extensions: catalog.extensions.clone(),
        n_objects: targets.len() + emptied.len(),
        rows: targets.iter().filter_map(|object| object.rows).sum(),
        owners: of_others.into_iter().map(|(owner, objects)| (owner, objects.len())).collect(),
        relations,
        n_locks: closure.len() as u64,
        lock_capacity: catalog.facts.lock_capacity,
        steps,
        stays: chosen.stays,
    })
}

/// Says what goes first, where all of it takes more locks than there is room for: the table of the migrations alone, then
/// as much as fits, but one object at least.
///
/// # Errors
/// As [`plan`].
pub fn first_part(catalog: &Catalog, scope: &Scope, room: u64) -> Result<Part, Refusal> {
    // What stands against the whole stands against every part of it.
    plan(catalog, scope)?;
    let chosen = Chosen::of(catalog, scope)?;
    let (journal, mut rest) = chosen.named(scope);
    let mut steps = Vec::new();
    if !journal.is_empty() {
        drops(&journal, JOURNAL_FIRST, &mut steps)?;
        return Ok(Part { locking: lock(&journal), steps, n_objects: journal.len() });
    }
    if rest.is_empty() {
        let schemas = &chosen.emptied[..chosen.emptied.len().min(usize::try_from(room).unwrap_or(usize::MAX).max(1))];
        drop_schemas(schemas, &mut steps);
        return Ok(Part { locking: Vec::new(), steps, n_objects: schemas.len() });
    }
    // What many things need is cheap once they are gone.
    rest.sort_by_cached_key(|object| {
        let mut alone = Closure::default();
        chosen.graph.close(&mut alone, [object.id]);
        (kind_idx(object), alone.len())
    });
    let mut closure = Closure::default();
    let n_fit = rest.iter().take_while(|object| {
        chosen.graph.close(&mut closure, [object.id]);
        closure.len() as u64 <= room
    });
    let n_fit = n_fit.count().max(1);
    rest.truncate(n_fit);
    drops(&rest, IN_SCOPE, &mut steps)?;
    Ok(Part { locking: lock(&rest), steps, n_objects: n_fit })
}

/// Finds what stands in a schema by a name that is wanted: schema and name.
pub fn named(catalog: &Catalog, wanted: impl Fn(&str, &str) -> bool) -> BTreeSet<Relation> {
    let whole = catalog.objects.iter().filter(|object| object.id.column == 0 && object.part_of.is_none());
    whole
        .filter_map(|object| {
            let (schema, name) = (object.schema.as_ref()?, object.names.last()?);
            wanted(schema, name).then(|| Relation { schema: schema.clone(), name: name.clone() })
        })
        .collect()
}

/// Finds the tables and views of a schema by a name that is wanted.
pub fn relations(catalog: &Catalog, wanted: impl Fn(&str, &str) -> bool) -> BTreeSet<Relation> {
    const KINDS: [&str; 4] = ["table", "foreign table", "view", "materialized view"];
    let is_relation = |schema: &str, name: &str| {
        let mut objects = catalog.objects.iter().filter(|object| KINDS.contains(&&*object.kind));
        objects.any(|object| {
            object.schema.as_deref() == Some(schema) && object.names.last().is_some_and(|last| last == name)
        })
    };
    named(catalog, |schema, name| wanted(schema, name) && is_relation(schema, name))
}

/// Returns what some tables and views need beside themselves, as far as it is no table or view: types, functions, sequences.
pub fn needed_by(catalog: &Catalog, relations: &BTreeSet<Relation>) -> BTreeSet<Relation> {
    const OTHERS: [&str; 4] = ["table", "foreign table", "view", "materialized view"];
    let place = |object: &Object| {
        let (schema, name) = (object.schema.as_ref()?, object.names.last()?);
        Some(Relation { schema: schema.clone(), name: name.clone() })
    };
    let is_one = |object: &&Object| {
        object.id.column == 0 && object.part_of.is_none() && place(object).is_some_and(|at| relations.contains(&at))
    };
    let whole = |id: ObjectId| ObjectId { column: 0, ..id };
    let mut reached: Vec<ObjectId> = catalog.objects.iter().filter(is_one).map(|object| object.id).collect();
    let oids: BTreeSet<u32> = reached.iter().map(|id| id.oid).collect();
    let parts = catalog.objects.iter().filter(|object| object.part_of.is_some_and(|oid| oids.contains(&oid)));
    reached.extend(parts.map(|part| part.id));
    let mut needs: BTreeMap<ObjectId, Vec<ObjectId>> = BTreeMap::new();
    for dependency in &catalog.dependencies {
        needs.entry(whole(dependency.of)).or_default().push(whole(dependency.on));
    }
    let mut seen: BTreeSet<ObjectId> = reached.iter().copied().collect();
    while let Some(of) = reached.pop() {
        reached.extend(needs.get(&of).into_iter().flatten().filter(|on| seen.insert(**on)));
    }
    let needed = catalog.objects.iter().filter(|object| object.part_of.is_none() && seen.contains(&object.id));
    needed.filter(|object| !OTHERS.contains(&&*object.kind)).filter_map(place).collect()
}

/// Returns what stays of what has a name of its own in a schema.
fn left_standing(catalog: &Catalog, closure: &Closure) -> Vec<(String, Relation)> {
    const NAMED: [&str; 7] = ["table", "foreign table", "view", "materialized view", "sequence", "index", "type"];
    let whole = catalog.objects.iter().filter(|object| object.id.column == 0 && NAMED.contains(&&*object.kind));
    let left = whole.filter(|object| !closure.contains(object.id));
    let named = left.filter_map(|object| match object.names.as_slice() {
        [schema, name] => Some((object.kind.clone(), Relation { schema: schema.clone(), name: name.clone() })),
        _ => None,
    });
    named.collect()
}

/// Names what is in scope and still there: what a reset has to leave behind empty.
pub(in crate::db) fn left(catalog: &Catalog, scope: &Scope) -> Vec<String> {
    let chosen = Chosen::of(catalog, scope);
    chosen.map(|chosen| chosen.targets.iter().map(|object| object.told()).collect()).unwrap_or_default()
}

/// Names what is gone and was in no plan: outside of what the statements name and of what that takes along.
pub(in crate::db) fn unplanned(before: &Catalog, after: &Catalog, scope: &Scope) -> Vec<String> {
    let Ok(chosen) = Chosen::of(before, scope) else { return Vec::new() };
    let closure = chosen.closure();
    let mut unplanned: Vec<String> =
        gone(before, after).into_iter().filter(|id| !closure.contains(*id)).map(|id| before.told(id)).collect();
    for extension in before.extensions.iter().filter(|extension| !after.extensions.contains(extension)) {
        unplanned.push(format!("extension {}, or a part of it", extension.name));
    }
    unplanned
}

/// Returns every object that was there, whatever catalog it is a row of, and every column, and is not there any more. What
/// could fall with something else needs it, and so stands in `pg_depend`; a column need not.
fn gone(before: &Catalog, after: &Catalog) -> Vec<ObjectId> {
    let whole = |id: ObjectId| ObjectId { column: 0, ..id };
    let there = |catalog: &Catalog| catalog.dependencies.iter().map(|dependency| whole(dependency.of)).collect();
    let (was, is): (HashSet<ObjectId>, HashSet<ObjectId>) = (there(before), there(after));
    let is_gone = |id: ObjectId| match id.column {
        0 => !is.contains(&id),
        column => after.columns.get(&id.oid).is_none_or(|left| !left.names.contains_key(&column)),
    };
    let graph = closure::Graph::of(&before.dependencies);
    // An internal part goes with what it belongs to. A TOAST table is made anew whenever its table is written anew.
    let is_part = |id: ObjectId| {
        let mut wholes = graph.needs(id).filter(|(_, kind)| *kind == 'i').map(|(on, _)| on);
        wholes.any(|on| is_gone(on) || (on.class, on.column) == (class::RELATION, 0))
    };
    // The temporary objects of others come and go.
    let listed: HashSet<u32> = before.schemas.iter().map(|schema| schema.oid).collect();
    let is_temporary = |id: ObjectId| {
        let mut schemas = graph.all_needs(id).into_iter().filter(|(of, _)| *of == class::SCHEMA);
        schemas.any(|(_, oid)| oid >= catalog::FIRST_OF_USERS && !listed.contains(&oid))
    };
    let mut gone: Vec<ObjectId> =
        was.into_iter().filter(|&id| is_gone(id) && !is_part(id) && !is_temporary(id)).collect();
    for (&oid, columns) in &before.columns {
        let column = |column| ObjectId { class: class::RELATION, oid, column };
        if !is_gone(column(0)) {
            gone.extend(columns.names.keys().map(|&idx| column(idx)).filter(|&column| is_gone(column)));
        }
    }
    gone.sort_unstable();
    gone
}

/// What a scope means in a database.
struct Chosen<'a> {
    schemas: BTreeSet<String>,
    graph: Graph<'a>,
    kept: HashSet<ObjectId>,
    targets: Vec<&'a Object>,
    /// The schemas in which nothing is left, and which go as well.
    emptied: Vec<&'a Schema>,
    stays: Vec<Stays>,
}

impl<'a> Chosen<'a> {
    fn of(catalog: &'a Catalog, scope: &Scope) -> Result<Chosen<'a>, Refusal> {
        let mut stays = Vec::new();
        let schemas = schemas_in_scope(catalog, scope, &mut stays)?;
        let graph = Graph::of(catalog);
        let kept = kept(catalog, scope, &graph);
        let targets: Vec<&Object> =
            catalog.objects.iter().filter(|object| graph.is_target(object, &schemas, scope, &kept)).collect();
        let emptied = emptied_schemas(catalog, &schemas, &graph, &targets, &mut stays);
        Ok(Chosen { schemas, graph, kept, targets, emptied, stays })
    }

    fn target_ids(&self) -> HashSet<ObjectId> {
        self.targets.iter().map(|object| object.id).collect()
    }

    /// Returns what the statements name: the table of the migrations, and the rest. A sequence that a column owns goes
    /// with its table.
    fn named(&self, scope: &Scope) -> (Vec<&'a Object>, Vec<&'a Object>) {
        let target_ids = self.target_ids();
        let owned = |object: &Object| {
            object.kind == "sequence"
                && self.graph.needs(object.id).any(|(on, kind)| {
                    kind == 'a' && on.class == class::RELATION && target_ids.contains(&ObjectId { column: 0, ..on })
                })
        };
        self.targets.iter().copied().filter(|object| !owned(object)).partition(|object| is_journal(object, scope))
    }

    /// Returns all that goes. A schema takes along what needs it without standing in it: default privileges, its place
    /// in a publication.
    fn closure(&self) -> Closure {
        let schemas = self.emptied.iter().map(|schema| ObjectId { class: class::SCHEMA, oid: schema.oid, column: 0 });
        let mut closure = Closure::default();
        self.graph.close(&mut closure, self.targets.iter().map(|object| object.id).chain(schemas));
        closure
    }
}

fn schemas_in_scope(catalog: &Catalog, scope: &Scope, stays: &mut Vec<Stays>) -> Result<BTreeSet<String>, Refusal> {
    let existing = catalog.schemas.iter().map(|schema| &schema.name);
    match &scope.schemas {
        Schemas::All => Ok(existing
            .filter(|name| match managed(catalog, name) {
                Some(found) => {
                    stays
                        .push(Stays { object: format!("schema {name}"), why: format!("belongs to {}", found.service) });
                    false
                }
                None => true,
            })
            .cloned()
            .collect()),
        Schemas::Named(names) => {
            let system = names.iter().filter(|name| name.starts_with("pg_") || *name == "information_schema");
            let system: Vec<_> = system.cloned().collect();
            if !system.is_empty() {
                return Err(Refusal::System(system));
            }
            let refused: Vec<_> = names.iter().filter_map(|name| managed(catalog, name)).collect();
            if !refused.is_empty() {
                return Err(Refusal::Managed(refused));
            }
            Ok(existing.filter(|name| names.contains(*name)).cloned().collect())
        }
    }
}

/// A managed service, and how its schemas are known.
struct Service {
    name: &'static str,
    /// A role that is there wherever the service is. Without it, names that others may use as well mean nothing.
    role: Option<&'static str>,
    /// A `*` at the end stands for anything.
    schemas: &'static [&'static str],
    source: &'static str,
}

const SERVICES: [Service; 8] = [
    Service {
        name: "Supabase",
        role: Some("supabase_admin"),
        schemas: &[
            "auth",
            "storage",
            "realtime",
            "_realtime",
            "_analytics",
            "_supavisor",
            "extensions",
            "graphql",
            "graphql_public",
            "vault",
            "pgsodium*",
            "pgtle",
            "pgmq",
            "pgbouncer",
            "net",
            "cron",
            "supabase_functions",
            "supabase_migrations",
        ],
        source: "supabase/postgres, migrations/db; supabase/cli, the schemas that a diff leaves out",
    },
    Service { name: "Neon", role: None, schemas: &["neon*"], source: "neondatabase/neon, pgxn/neon; Neon Auth" },
    Service {
        name: "Amazon RDS",
        role: None,
        schemas: &["rds*", "aws_*"],
        source: "the manual of RDS for PostgreSQL, extensions",
    },
    Service {
        name: "Google Cloud SQL",
        role: None,
        schemas: &["cloudsql*", "google_*"],
        source: "the manual of Cloud SQL, extensions",
    },
    Service { name: "Hasura", role: None, schemas: &["hdb_*"], source: "hasura/graphql-engine, metadata storage" },
    Service {
        name: "Heroku",
        role: None,
        schemas: &["heroku_ext"],
        source: "the manual of Heroku Postgres, extensions",
    },
    Service {
        name: "Timescale",
        role: None,
        schemas: &["_timescaledb*", "timescaledb_*"],
        source: "timescale/timescaledb, sql",
    },
    Service {
        name: "PostGIS",
        role: None,
        schemas: &["tiger", "tiger_data", "topology"],
        source: "the manual of PostGIS, extensions",
    },
];

fn managed(catalog: &Catalog, schema: &str) -> Option<ManagedSchema> {
    let service = SERVICES.iter().find(|service| {
        service.role.is_none_or(|role| catalog.roles.contains(role))
            && service.schemas.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => schema.starts_with(start),
                None => schema == *pattern,
            })
    })?;
    Some(ManagedSchema { schema: schema.to_owned(), service: service.name, source: service.source })
}

/// Finds what is to be kept, and what is a part of it: the sequences of its columns, its partitions.
fn kept(catalog: &Catalog, scope: &Scope, graph: &Graph) -> HashSet<ObjectId> {
    let named = catalog.objects.iter().filter(|object| {
        graph.contained.contains(&object.id)
            && object.schema.as_ref().zip(object.names.last()).is_some_and(|(schema, name)| {
                scope.keep.contains(&Relation { schema: schema.clone(), name: name.clone() })
            })
    });
    let mut kept: HashSet<ObjectId> = named.map(|object| object.id).collect();
    let mut open: Vec<ObjectId> = kept.iter().copied().collect();
    while let Some(id) = open.pop() {
        for dependency in graph.dependents(id) {
            let part = ObjectId { column: 0, ..dependency.of };
            if matches!(dependency.kind, 'a' | 'i' | 'P' | 'S') && kept.insert(part) {
                open.push(part);
            }
        }
    }
    kept
}

fn is_journal(object: &Object, scope: &Scope) -> bool {
    let named = |table: &Relation| object.names == [table.schema.as_str(), table.name.as_str()];
    object.id.class == class::RELATION && object.part_of.is_none() && scope.migrations.as_ref().is_some_and(named)
}

fn may_be_dropped(catalog: &Catalog, targets: &[&Object]) -> Result<(), Refusal> {
    let wanted: BTreeSet<&String> = targets.iter().filter_map(|object| object.schema.as_ref()).collect();
    let unusable = catalog.schemas.iter().filter(|schema| !schema.usable && wanted.contains(&schema.name));
    let unusable: Vec<String> = unusable.map(|schema| schema.name.clone()).collect();
    if !unusable.is_empty() {
        return Err(Refusal::Unusable(unusable));
    }
    let foreign: Vec<Foreign> = targets
        .iter()
        .filter(|object| !object.mine)
        .map(|object| Foreign { object: object.told(), owner: object.owner.clone().unwrap_or_default() })
        .collect();
    if foreign.is_empty() { Ok(()) } else { Err(Refusal::NotMine(foreign)) }
}

/// Finds what is not ours of what goes, by its owner.
fn of_others(catalog: &Catalog, chosen: &Chosen) -> BTreeMap<String, Vec<String>> {
    let objects = chosen.targets.iter().filter_map(|object| Some((object.owner.as_ref()?, object.told())));
    let schemas = chosen.emptied.iter().map(|schema| (&schema.owner, format!("schema {}", schema.name)));
    let mut of_others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (owner, object) in objects.chain(schemas).filter(|(owner, _)| **owner != catalog.facts.user) {
        of_others.entry(owner.clone()).or_default().push(object);
    }
    of_others
}

/// Finds what goes along, and refuses what must not.
fn collateral(catalog: &Catalog, scope: &Scope, chosen: &Chosen, closure: &Closure) -> Result<Vec<Taken>, Refusal> {
    let Chosen { schemas, graph, kept, .. } = chosen;
    let target_ids = chosen.target_ids();
    let whole = |class: u32, oid: u32| closure.contains_whole(class, oid);
    let extension =
        |oid: u32| catalog.extensions.iter().find(|extension| extension.oid == oid).map(|found| found.name.clone());

    let mut offences = Vec::new();
    for (member, oid) in graph.extensions_reached(closure) {
        let name = extension(oid).unwrap_or_default();
        let member = catalog.objects.iter().find(|object| object.id == member).map(Object::told).unwrap_or_default();
        offences.push(Offence { object: format!("extension {name}"), why: Why::ExtensionBy { member } });
    }
    let mut taken = Vec::new();
    for object in &catalog.objects {
        let ObjectId { class, column, .. } = object.id;
        let is_target = target_ids.contains(&object.id);
        if !closure.reaches(object.id) || is_target || matches!(class, class::EXTENSION | class::SCHEMA) {
            continue;
        }
        // A part goes with its whole.
        let part_of_gone = match object.part_of {
            Some(oid) => {
                whole(class::RELATION, oid) || (class == class::DEFAULT && is_of_column(closure, graph, object))
            }
            None => graph
                .needs(object.id)
                .any(|(on, _)| class::container(class) == Some(on.class) && whole(on.class, on.oid)),
        };
        // So does the sequence of a column. One in another schema than its table is a thing of its own to somebody.
        let owned = object.kind == "sequence"
            && graph.needs(object.id).any(|(on, kind)| {
                let table = ObjectId { column: 0, ..on };
                kind == 'a'
                    && whole(on.class, on.oid)
                    && catalog
                        .objects
                        .binary_search_by_key(&table, |object| object.id)
                        .is_ok_and(|idx| catalog.objects[idx].schema == object.schema)
            });
        let is_kept = kept.contains(&object.id);
        if ((part_of_gone || owned) && !is_kept) || graph.member_of.contains_key(&object.id) {
            continue;
        }
        let relation = object.part_of.map(|oid| ObjectId { class: class::RELATION, oid, column: 0 });
        let of_extension = relation.filter(|_| column != 0).and_then(|relation| graph.member_of.get(&relation));
        let why = if let Some(oid) = of_extension {
            Some(Why::PartOfExtension(extension(*oid).unwrap_or_default()))
        } else if is_kept || relation.is_some_and(|relation| kept.contains(&relation)) {
            Some(Why::Kept)
        } else if let Some(schema) = object.schema.as_ref().filter(|schema| !schemas.contains(*schema)) {
            Some(Why::OtherSchema(schema.clone()))
        } else {
            let may_go = |owner: &str| match scope.owners {
                Owners::Us => owner == catalog.facts.user,
                Owners::Anyone => object.mine,
            };
            let other = object.owner.as_ref().filter(|owner| !may_go(owner));
            other.map(|owner| Why::OtherRole(owner.clone()))
        };
        match why {
            Some(why) => offences.push(Offence { object: object.told(), why }),
            None => taken.push(Taken { object: object.told(), owner: object.owner.clone() }),
        }
    }
    if offences.is_empty() { Ok(taken) } else { Err(Refusal::Collateral(offences)) }
}

/// Tells whether the column of a default value goes.
fn is_of_column(closure: &Closure, graph: &Graph, default: &Object) -> bool {
    let mut columns = graph.needs(default.id).filter(|(on, kind)| on.column != 0 && matches!(kind, 'a' | 'i'));
    columns.any(|(column, _)| closure.contains(column))
}

/// Finds the schemas in which nothing is left, and says of the others why they stay.
fn emptied_schemas<'a>(
    catalog: &'a Catalog,
    schemas: &BTreeSet<String>,
    graph: &Graph,
    targets: &[&Object],
    stays: &mut Vec<Stays>,
) -> Vec<&'a Schema> {
    let targets: HashSet<ObjectId> = targets.iter().map(|object| object.id).collect();
    let mut occupied: BTreeMap<&str, &Object> = BTreeMap::new();
    for object in catalog.objects.iter().filter(|object| graph.contained.contains(&object.id)) {
        if let Some(schema) = object.schema.as_deref().filter(|_| !targets.contains(&object.id)) {
            occupied.entry(schema).or_insert(object);
        }
    }
    let mut dropped = Vec::new();
    for schema in catalog.schemas.iter().filter(|schema| schemas.contains(&schema.name)) {
        let id = ObjectId { class: class::SCHEMA, oid: schema.oid, column: 0 };
        let lodger = catalog.extensions.iter().find(|extension| extension.schema == schema.name);
        let why = if schema.name == "public" {
            "with its owner, its grants, its default privileges and its comment".to_owned()
        } else if graph.member_of.contains_key(&id) {
            "belongs to an extension".to_owned()
        } else if let Some(extension) = lodger {
            format!("extension {} lives in it", extension.name)
        } else if let Some(object) = occupied.get(schema.name.as_str()) {
            format!("{} stays in it", object.told())
        } else if !schema.mine {
            format!("belongs to {}", schema.owner)
        } else {
            dropped.push(schema);
            continue;
        };
        stays.push(Stays { object: format!("schema {}", schema.name), why });
    }
    dropped
}

/// How a kind of object is dropped.
struct Kind {
    /// As `pg_identify_object` says.
    name: &'static str,
    keyword: &'static str,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Name,
    Routine,
    Operator,
    /// `schema.name USING access method`, and one to a statement.
    OfMethod,
}

/// In the order of dropping. Any order would do; in this one the least is taken along. What needs an access method goes
/// before the function that is the method, because `IF EXISTS` does not cover the method.
const KINDS: [Kind; 19] = [
    Kind { name: "view", keyword: "VIEW", form: Form::Name },
    Kind { name: "materialized view", keyword: "MATERIALIZED VIEW", form: Form::Name },
    Kind { name: "table", keyword: "TABLE", form: Form::Name },
    Kind { name: "foreign table", keyword: "FOREIGN TABLE", form: Form::Name },
    Kind { name: "sequence", keyword: "SEQUENCE", form: Form::Name },
    Kind { name: "statistics object", keyword: "STATISTICS", form: Form::Name },
    Kind { name: "text search configuration", keyword: "TEXT SEARCH CONFIGURATION", form: Form::Name },
    Kind { name: "text search dictionary", keyword: "TEXT SEARCH DICTIONARY", form: Form::Name },
    Kind { name: "text search template", keyword: "TEXT SEARCH TEMPLATE", form: Form::Name },
    Kind { name: "text search parser", keyword: "TEXT SEARCH PARSER", form: Form::Name },
    Kind { name: "operator class", keyword: "OPERATOR CLASS", form: Form::OfMethod },
    Kind { name: "operator family", keyword: "OPERATOR FAMILY", form: Form::OfMethod },
    Kind { name: "operator", keyword: "OPERATOR", form: Form::Operator },
    Kind { name: "aggregate", keyword: "AGGREGATE", form: Form::Routine },
    Kind { name: "procedure", keyword: "PROCEDURE", form: Form::Routine },
    Kind { name: "function", keyword: "FUNCTION", form: Form::Routine },
    Kind { name: "type", keyword: "TYPE", form: Form::Name },
    Kind { name: "collation", keyword: "COLLATION", form: Form::Name },
    Kind { name: "conversion", keyword: "CONVERSION", form: Form::Name },
];

const JOURNAL_FIRST: &str = "the records of the migrations go first, so that no half of a reset looks migrated";
const IN_SCOPE: &str = "in scope";

fn kind_idx(object: &Object) -> Option<usize> {
    KINDS.iter().position(|kind| kind.name == object.kind)
}

/// Makes the statements that keep everyone out of these tables.
fn lock(objects: &[&Object]) -> Vec<Step> {
    let lockable: Vec<&Object> = objects.iter().copied().filter(|object| object.lockable).collect();
    let locking = lockable.chunks(AT_MOST).map(|tables| {
        let list: Vec<_> = tables.iter().map(|table| format!("ONLY {}", qualified(&table.names))).collect();
        Step {
            sql: format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", list.join(", ")),
            objects: tables.iter().map(|table| table.told()).collect(),
            why: "nobody may come to depend on them any more",
        }
    });
    locking.collect()
}

fn drop_schemas(schemas: &[&Schema], steps: &mut Vec<Step>) {
    for schemas in schemas.chunks(AT_MOST) {
        let list: Vec<_> = schemas.iter().map(|schema| escape_identifier(&schema.name)).collect();
        steps.push(Step {
            sql: format!("DROP SCHEMA IF EXISTS {} RESTRICT", list.join(", ")),
            objects: schemas.iter().map(|schema| format!("schema {}", schema.name)).collect(),
            why: "emptied by then; what stands in it after all stops the reset",
        });
    }
}

/// Appends the statements that drop these objects.
fn drops(objects: &[&Object], why: &'static str, steps: &mut Vec<Step>) -> Result<(), Refusal> {
    let mut by_kind: BTreeMap<usize, Vec<(&Object, String)>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for object in objects {
        match kind_idx(object).and_then(|idx| Some((idx, name(object, KINDS[idx].form)?))) {
            Some((idx, name)) => by_kind.entry(idx).or_default().push((object, name)),
            None => unknown.push(object.told()),
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::UnknownKind(unknown));
    }
    for (idx, objects) in by_kind {
        let Kind { keyword, form, .. } = KINDS[idx];
        let at_most = if form == Form::OfMethod { 1 } else { AT_MOST };
        for objects in objects.chunks(at_most) {
            let list: Vec<&str> = objects.iter().map(|(_, name)| name.as_str()).collect();
            steps.push(Step {
                sql: format!("DROP {keyword} IF EXISTS {} CASCADE", list.join(", ")),
                objects: objects.iter().map(|(object, _)| object.told()).collect(),
                why,
            });
        }
    }
    Ok(())
}

/// Writes an object's name for the server. `None` where the catalog says something that has no place in a name.
fn name(object: &Object, form: Form) -> Option<String> {
    match (form, &object.names[..]) {
        (Form::Name, names @ [_, _]) => Some(qualified(names)),
        (Form::Routine, names @ [_, _]) => {
            // An aggregate over rows takes nothing, and says so.
            if object.kind == "aggregate" && object.arguments.is_empty() {
                return Some(format!("{}(*)", qualified(names)));
            }
            let types: Option<Vec<_>> = object
                .arguments
                .iter()
                .map(|argument| {
                    let mode = match argument.mode {
                        None => "",
                        Some('i') => "IN ",
                        Some('o') => "OUT ",
                        Some('b') => "INOUT ",
                        Some('v') => "VARIADIC ",
                        Some(_) => return None,
                    };
                    Some(format!("{mode}{}", type_name(argument.of_type.as_ref()?)))
                })
                .collect();
            Some(format!("{}({})", qualified(names), types?.join(", ")))
        }
        (Form::Operator, [schema, operator]) => {
            // These are all that an operator can consist of; it cannot be quoted.
            let plain = !operator.is_empty() && operator.chars().all(|char| "+-*/<>=~!@#%^&|`?".contains(char));
            let comment = operator.contains("--") || operator.contains("/*");
            let [left, right] = &object.arguments[..] else { return None };
            let side = |side: &Option<(String, String)>| side.as_ref().map_or_else(|| "NONE".to_owned(), type_name);
            let (left, right) = (side(&left.of_type), side(&right.of_type));
            (plain && !comment).then(|| format!("{}.{operator} ({left}, {right})", escape_identifier(schema)))
        }
        (Form::OfMethod, [method, names @ ..]) if names.len() == 2 => {
            Some(format!("{} USING {}", qualified(names), escape_identifier(method)))
        }
        _ => None,
    }
}

fn type_name((schema, name): &(String, String)) -> String {
    format!("{}.{}", escape_identifier(schema), escape_identifier(name))
}

fn qualified(names: &[String]) -> String {
    names.iter().map(|name| escape_identifier(name)).collect::<Vec<_>>().join(".")
}

/// What depends on what, and what that says of an object.
struct Graph<'a> {
    needed: closure::Graph<'a>,
    /// Objects that stand in a schema by themselves.
    contained: HashSet<ObjectId>,
    /// Members of extensions, with the extension.
    member_of: HashMap<ObjectId, u32>,
    catalog: &'a Catalog,
}

impl<'a> Graph<'a> {
    fn of(catalog: &'a Catalog) -> Graph<'a> {
        let mut graph = Graph {
            needed: closure::Graph::of(&catalog.dependencies),
            contained: HashSet::new(),
            member_of: HashMap::new(),
            catalog,
        };
        for dependency in catalog.dependencies.iter().filter(|dependency| dependency.of.column == 0) {
            let (of, on, kind) = (dependency.of, dependency.on, dependency.kind);
            if kind == 'n' && on.class == class::SCHEMA && of.class != class::EXTENSION {
                graph.contained.insert(of);
            }
            if kind == 'e' && on.class == class::EXTENSION {
                graph.member_of.insert(of, on.oid);
            }
        }
        graph
    }

    fn dependents(&self, id: ObjectId) -> impl Iterator<Item = &'a Dependency> {
        self.needed.dependents(id)
    }

    /// Returns what all of an object needs, and how.
    fn needs(&self, id: ObjectId) -> impl Iterator<Item = (ObjectId, char)> {
        self.needed.needs(id)
    }

    fn close(&self, closure: &mut Closure, of: impl IntoIterator<Item = ObjectId>) {
        self.needed.close(closure, of);
    }

    fn is_target(&self, object: &Object, schemas: &BTreeSet<String>, scope: &Scope, kept: &HashSet<ObjectId>) -> bool {
        let in_scope =
            object.schema.as_ref().is_some_and(|schema| schemas.contains(schema)) || is_journal(object, scope);
        object.id.column == 0
            && in_scope
            && self.contained.contains(&object.id)
            && !self.member_of.contains_key(&object.id)
            && !kept.contains(&object.id)
    }

    /// Returns the extensions that would fall, each with a member by which it is reached.
    fn extensions_reached(&self, closure: &Closure) -> Vec<(ObjectId, u32)> {
        let extensions =
            self.catalog.extensions.iter().filter(|extension| closure.contains_whole(class::EXTENSION, extension.oid));
        extensions
            .map(|extension| {
                let members = self.member_of.iter().filter(|(_, oid)| **oid == extension.oid).map(|(id, _)| *id);
                let reached = members.filter(|id| closure.contains_whole(id.class, id.oid)).min();
                (reached.unwrap_or(ObjectId { class: class::EXTENSION, oid: extension.oid, column: 0 }), extension.oid)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalog::{Argument, Columns, Facts};
    use super::*;
    use crate::db::inspect::fingerprint::Identity;

    const PUBLIC: u32 = 2200;
    const SHOP: u32 = 20_000;
    const PG_PROC: u32 = 1255;
    const PG_OPERATOR: u32 = 2617;

    fn id(class: u32, oid: u32) -> ObjectId {
        ObjectId { class, oid, column: 0 }
    }

    fn empty() -> Catalog {
        let schema =
            |oid, name: &str| Schema { oid, name: name.to_owned(), owner: "app".to_owned(), mine: true, usable: true };
        Catalog {
            facts: Facts {
                identity: Identity { system_identifier: None, database: "d".to_owned(), oid: 1 },
                version_num: 150_018,
                in_recovery: false,
                read_only: false,
                database: "d".to_owned(),
                user: "app".to_owned(),
                superuser: false,
                lock_capacity: 100,
            },
            schemas: vec![schema(PUBLIC, "public"), schema(SHOP, "shop")],
            extensions: Vec::new(),
            objects: Vec::new(),
            dependencies: Vec::new(),
            columns: BTreeMap::new(),
            roles: BTreeSet::from(["app".to_owned()]),
        }
    }

    /// Puts an object into a schema.
    fn put(catalog: &mut Catalog, id: ObjectId, kind: &str, schema: u32, name: &str) {
        let of = if schema == PUBLIC { "public" } else { "shop" };
        catalog.objects.push(Object {
            id,
            kind: kind.to_owned(),
            names: vec![of.to_owned(), name.to_owned()],
            arguments: Vec::new(),
            schema: Some(of.to_owned()),
            owner: Some("app".to_owned()),
            mine: true,
            part_of: None,
            rows: None,
            lockable: kind == "table",
            constraint: None,
            is_partition: false,
        });
        need(catalog, id, self::id(class::SCHEMA, schema), 'n');
    }

    fn need(catalog: &mut Catalog, of: ObjectId, on: ObjectId, kind: char) {
        catalog.dependencies.push(Dependency { of, on, kind });
    }

    fn scope(schemas: &[&str]) -> Scope {
        Scope {
            schemas: Schemas::Named(schemas.iter().map(|schema| (*schema).to_owned()).collect()),
            keep: BTreeSet::new(),
            migrations: None,
            owners: Owners::Us,
        }
    }

    fn sql(catalog: &Catalog, scope: &Scope) -> Vec<String> {
        let plan = plan(catalog, scope).unwrap_or_else(|refusal| panic!("{refusal}"));
        plan.statements().map(|step| step.sql.clone()).collect()
    }

    #[test]
    fn names_are_quoted_and_arguments_are_types_with_their_schemas() {
        let mut catalog = empty();
        put(&mut catalog, id(class::RELATION, 30_001), "table", PUBLIC, "a\"; DROP TABLE users; --");
        put(&mut catalog, id(PG_PROC, 30_002), "function", PUBLIC, "f");
        put(&mut catalog, id(PG_PROC, 30_003), "procedure", SHOP, "p");
        put(&mut catalog, id(PG_PROC, 30_004), "aggregate", SHOP, "n");
        put(&mut catalog, id(PG_OPERATOR, 30_005), "operator", SHOP, "=#=");
        let of_type = |schema: &str, name: &str| Some((schema.to_owned(), name.to_owned()));
        let argument = |mode, of_type| Argument { mode, of_type };
        catalog.objects[1].arguments = vec![argument(None, of_type("my\"x", "_mood"))];
        catalog.objects[2].arguments = vec![
            argument(Some('i'), of_type("pg_catalog", "int4")),
            argument(Some('o'), of_type("pg_catalog", "text")),
        ];
        catalog.objects[4].arguments = vec![argument(None, None), argument(None, of_type("pg_catalog", "int4"))];
        let expected = [
            "LOCK TABLE ONLY \"public\".\"a\"\"; DROP TABLE users; --\" IN ACCESS EXCLUSIVE MODE",
            "DROP TABLE IF EXISTS \"public\".\"a\"\"; DROP TABLE users; --\" CASCADE",
            "DROP OPERATOR IF EXISTS \"shop\".=#= (NONE, \"pg_catalog\".\"int4\") CASCADE",
            "DROP AGGREGATE IF EXISTS \"shop\".\"n\"(*) CASCADE",
            "DROP PROCEDURE IF EXISTS \"shop\".\"p\"(IN \"pg_catalog\".\"int4\", OUT \"pg_catalog\".\"text\") CASCADE",
            "DROP FUNCTION IF EXISTS \"public\".\"f\"(\"my\"\"x\".\"_mood\") CASCADE",
            "DROP SCHEMA IF EXISTS \"shop\" RESTRICT",
        ];
        assert_eq!(sql(&catalog, &scope(&["public", "shop"])), expected);
    }

    #[test]
    fn a_kind_or_a_name_that_is_unknown_is_refused() {
        for (kind, name) in [("property graph", "g"), ("operator", "+; DROP TABLE users"), ("operator", "/*")] {
            let mut catalog = empty();
            put(&mut catalog, id(9999, 30_001), kind, PUBLIC, name);
            catalog.objects[0].arguments = vec![Argument { mode: None, of_type: None }; 2];
            let refusal = plan(&catalog, &scope(&["public"])).expect_err("it cannot be dropped");
            assert!(matches!(refusal, Refusal::UnknownKind(_)), "{refusal}");
        }
    }

    #[test]
    fn the_journal_goes_first_and_a_statement_has_a_hundred_names_at_most() {
        let mut catalog = empty();
        for idx in 0..250 {
            put(&mut catalog, id(class::RELATION, 30_000 + idx), "table", PUBLIC, &format!("t{idx}"));
        }
        put(&mut catalog, id(class::RELATION, 40_000), "table", SHOP, "journal");
        let migrations = Some(Relation { schema: "shop".to_owned(), name: "journal".to_owned() });
        let plan = plan(&catalog, &Scope { migrations, ..scope(&["public"]) }).expect("all of it is ours");
        assert_eq!(plan.steps[0].sql, "DROP TABLE IF EXISTS \"shop\".\"journal\" CASCADE");
        let n_names = |steps: &[Step]| steps.iter().map(|step| step.objects.len()).collect::<Vec<_>>();
        assert_eq!((n_names(&plan.locking), n_names(&plan.steps)), (vec![100, 100, 51], vec![1, 100, 100, 50]));
        assert_eq!((plan.n_locks, plan.room()), (251, Room::No));
    }

    #[test]
    fn what_has_no_room_for_its_locks_goes_in_parts_and_the_journal_first() {
        let mut catalog = empty();
        for idx in 0..5 {
            put(&mut catalog, id(class::RELATION, 30_000 + idx), "table", SHOP, &format!("t{idx}"));
            put(&mut catalog, id(class::RELATION, 31_000 + idx), "view", SHOP, &format!("v{idx}"));
            need(&mut catalog, id(class::RELATION, 31_000 + idx), id(class::RELATION, 30_000 + idx), 'n');
        }
        put(&mut catalog, id(class::RELATION, 40_000), "table", SHOP, "journal");
        let migrations = Some(Relation { schema: "shop".to_owned(), name: "journal".to_owned() });
        let scope = Scope { migrations, ..scope(&["shop"]) };
        let mut dropped = Vec::new();
        while dropped.last().is_none_or(|sql: &String| !sql.contains("SCHEMA")) {
            let part = first_part(&catalog, &scope, 3).expect("all of it is ours");
            let names: BTreeSet<String> = part.steps.iter().flat_map(|step| step.objects.clone()).collect();
            catalog.objects.retain(|object| !names.contains(&object.told()));
            let there: HashSet<ObjectId> = catalog.objects.iter().map(|object| object.id).collect();
            catalog.dependencies.retain(|dependency| there.contains(&dependency.of));
            dropped.extend(part.steps.into_iter().map(|step| step.sql));
        }
        let expected = [
            "DROP TABLE IF EXISTS \"shop\".\"journal\" CASCADE",
            "DROP VIEW IF EXISTS \"shop\".\"v0\", \"shop\".\"v1\", \"shop\".\"v2\" CASCADE",
            "DROP VIEW IF EXISTS \"shop\".\"v3\", \"shop\".\"v4\" CASCADE",
            "DROP TABLE IF EXISTS \"shop\".\"t0\" CASCADE",
            "DROP TABLE IF EXISTS \"shop\".\"t1\", \"shop\".\"t2\", \"shop\".\"t3\" CASCADE",
            "DROP TABLE IF EXISTS \"shop\".\"t4\" CASCADE",
            "DROP SCHEMA IF EXISTS \"shop\" RESTRICT",
        ];
        assert_eq!(dropped, expected);
    }

    #[test]
    fn an_extension_is_reached_through_its_member() {
        let (ours, member) = (id(class::RELATION, 30_001), id(PG_PROC, 30_002));
        let mut catalog = empty();
        put(&mut catalog, ours, "table", PUBLIC, "users");
        put(&mut catalog, member, "function", PUBLIC, "helper");
        catalog.extensions.push(Extension {
            name: "pgcrypto".to_owned(),
            version: "1".to_owned(),
            schema: "public".to_owned(),
            n_members: 1,
            oid: 30_000,
        });
        need(&mut catalog, member, id(class::EXTENSION, 30_000), 'e');
        assert_eq!(sql(&catalog, &scope(&["public"])).len(), 2);
        need(&mut catalog, member, ours, 'n');
        let refusal = plan(&catalog, &scope(&["public"])).expect_err("the extension would fall");
        let told = "dropping would take along:\n  extension pgcrypto, because of its member function public.helper()";
        assert_eq!(refusal.to_string(), told);
    }

    #[test]
    fn a_column_goes_alone_and_takes_only_what_needs_it() {
        let (mood, table) = (id(1247, 30_001), id(class::RELATION, 30_002));
        let (by_mood, by_other) = (id(class::RELATION, 30_003), id(class::RELATION, 30_004));
        let mut catalog = empty();
        put(&mut catalog, mood, "type", PUBLIC, "mood");
        for (id, name) in [(table, "t"), (by_mood, "by_mood"), (by_other, "by_other")] {
            put(&mut catalog, id, "table", SHOP, name);
        }
        let column = |column| ObjectId { column, ..table };
        need(&mut catalog, column(2), mood, 'n');
        need(&mut catalog, by_mood, column(2), 'n');
        need(&mut catalog, by_other, column(1), 'n');
        let Err(Refusal::Collateral(offences)) = plan(&catalog, &scope(&["public"])) else { panic!("it reaches shop") };
        let told: Vec<_> = offences.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["table shop.by_mood, in schema shop, which is not in scope"]);
    }

    #[test]
    fn a_column_that_is_computed_by_what_goes_is_no_part_of_it() {
        let (function, table) = (id(PG_PROC, 30_001), id(class::RELATION, 30_002));
        let mut catalog = empty();
        put(&mut catalog, function, "function", PUBLIC, "f");
        put(&mut catalog, table, "table", SHOP, "t");
        let computed = ObjectId { column: 2, ..table };
        catalog.objects.push(Object {
            id: computed,
            kind: "table column".to_owned(),
            names: ["shop", "t", "total"].map(str::to_owned).to_vec(),
            part_of: Some(table.oid),
            lockable: false,
            ..catalog.objects[1].clone()
        });
        need(&mut catalog, computed, function, 'a');
        let refusal = plan(&catalog, &scope(&["public"])).expect_err("it is in another schema");
        let told = "dropping would take along:\n  table column shop.t.total, in schema shop, which is not in scope";
        assert_eq!(refusal.to_string(), told);
    }

    /// A catalog in which a table of another schema has lost something that was in no plan.
    #[test]
    fn whatever_is_gone_and_was_in_no_plan_is_named() {
        let (gone, kept) = (id(class::RELATION, 30_001), id(class::RELATION, 30_002));
        let mut before = empty();
        put(&mut before, gone, "table", PUBLIC, "gone");
        put(&mut before, kept, "table", SHOP, "kept");
        let names = BTreeMap::from([(1, "id".to_owned()), (2, "total".to_owned())]);
        before.columns.insert(kept.oid, Columns { of: "table shop.kept".to_owned(), names });
        // A row of a catalog that nobody has heard of, and what is an internal part of it.
        let (unheard, part) = (id(9999, 30_003), id(9998, 30_004));
        need(&mut before, unheard, kept, 'n');
        need(&mut before, part, unheard, 'i');
        let after = |without: &[ObjectId], columns: &[i32]| {
            let mut after = before.clone();
            after.objects.retain(|object| !without.contains(&object.id));
            after.dependencies.retain(|dependency| !without.contains(&dependency.of));
            let left = after.columns.get_mut(&kept.oid).expect("it has columns");
            left.names.retain(|column, _| columns.contains(column));
            unplanned(&before, &after, &scope(&["public"]))
        };
        assert_eq!(after(&[gone], &[1, 2]), [""; 0]);
        assert_eq!(after(&[gone], &[1]), ["column total of table shop.kept"]);
        assert_eq!(after(&[gone, unheard, part], &[1, 2]), ["row 30003 of the catalog 9999"]);
        assert_eq!(after(&[gone, part], &[1, 2]), ["row 30004 of the catalog 9998"]);
        assert_eq!(after(&[gone, kept, unheard, part], &[]), ["table shop.kept", "row 30003 of the catalog 9999"]);
    }

    #[test]
    fn what_is_of_another_role_goes_only_where_that_is_said() {
        let mut catalog = empty();
        for (idx, name) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
            put(&mut catalog, id(class::RELATION, 30_001 + idx as u32), "table", SHOP, name);
        }
        for object in &mut catalog.objects {
            object.owner = Some("app_owner".to_owned());
        }
        let told = "objects of other roles would go:
  6 of app_owner: table shop.a, table shop.b, table shop.c, table shop.d, table shop.e, …";
        let refusal = plan(&catalog, &scope(&["shop"])).expect_err("they are not ours");
        assert_eq!(refusal.to_string(), told);
        catalog.schemas[1].owner = "app_owner".to_owned();
        let plan = plan(&catalog, &Scope { owners: Owners::Anyone, ..scope(&["shop"]) }).expect("it is said");
        assert_eq!(plan.owners, BTreeMap::from([("app_owner".to_owned(), 7)]));
    }

    #[test]
    fn schemas_of_services_are_known_by_their_names_and_by_their_roles() {
        let mut catalog = empty();
        catalog.schemas[1].name = "auth".to_owned();
        assert!(plan(&catalog, &scope(&["auth"])).is_ok());
        catalog.roles.insert("supabase_admin".to_owned());
        assert!(matches!(plan(&catalog, &scope(&["auth"])), Err(Refusal::Managed(_))));
        let plan = plan(&catalog, &Scope { schemas: Schemas::All, ..scope(&[]) }).expect("it is left out");
        assert!(plan.is_empty() && plan.stays[0].why == "belongs to Supabase", "{plan:?}");
    }
}
