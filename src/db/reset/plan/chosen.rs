//! What a scope means in a database.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::db::inspect::closure::Closure;
use crate::db::inspect::objects::{Catalog, Object, ObjectId, Schema, class};
use crate::db::inspect::relation::Relation;
use crate::db::reset::plan::graph::{Graph, is_journal};
use crate::db::reset::plan::refusal::Refusal;
use crate::db::reset::plan::scope::{Schemas, Scope};
use crate::db::reset::plan::services::managed;

/// Something in scope that stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stays {
    pub object: String,
    pub why: String,
}

/// What a scope means in a database.
pub(super) struct Chosen<'a> {
    pub(super) schemas: BTreeSet<String>,
    pub(super) graph: Graph<'a>,
    pub(super) kept: HashSet<ObjectId>,
    pub(super) targets: Vec<&'a Object>,
    /// The schemas in which nothing is left, and which go as well.
    pub(super) emptied: Vec<&'a Schema>,
    pub(super) stays: Vec<Stays>,
}

impl<'a> Chosen<'a> {
    pub(super) fn of(catalog: &'a Catalog, scope: &Scope) -> Result<Chosen<'a>, Refusal> {
        let mut stays = Vec::new();
        let schemas = schemas_in_scope(catalog, scope, &mut stays)?;
        let graph = Graph::of(catalog);
        let kept = kept(catalog, scope, &graph);
        let targets: Vec<&Object> =
            catalog.objects.iter().filter(|object| graph.is_target(object, &schemas, scope, &kept)).collect();
        let emptied = emptied_schemas(catalog, &schemas, &graph, &targets, &mut stays);
        Ok(Chosen { schemas, graph, kept, targets, emptied, stays })
    }

    pub(super) fn target_ids(&self) -> HashSet<ObjectId> {
        self.targets.iter().map(|object| object.id).collect()
    }

    /// Returns what the statements name: the table of the migrations, and the rest. A sequence that a column owns goes
    /// with its table.
    pub(super) fn named(&self, scope: &Scope) -> (Vec<&'a Object>, Vec<&'a Object>) {
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
    pub(super) fn closure(&self) -> Closure {
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
            format!("extension {} is installed in it", extension.name)
        } else if let Some(object) = occupied.get(schema.name.as_str()) {
            format!("{} is kept in it", object.told())
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
