//! What depends on what, and what that says of an object.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::db::inspect::closure::{self, Closure};
use crate::db::inspect::objects::{Catalog, Dependency, Object, ObjectId, class};
use crate::db::inspect::relation::Relation;
use crate::db::reset::plan::scope::Scope;

/// What depends on what, and what that says of an object.
pub(super) struct Graph<'a> {
    needed: closure::Graph<'a>,
    /// Objects that stand in a schema by themselves.
    pub(super) contained: HashSet<ObjectId>,
    /// Members of extensions, with the extension.
    pub(super) member_of: HashMap<ObjectId, u32>,
    catalog: &'a Catalog,
}

impl<'a> Graph<'a> {
    pub(super) fn of(catalog: &'a Catalog) -> Graph<'a> {
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

    pub(super) fn dependents(&self, id: ObjectId) -> impl Iterator<Item = &'a Dependency> {
        self.needed.dependents(id)
    }

    /// Returns what all of an object needs, and how.
    pub(super) fn needs(&self, id: ObjectId) -> impl Iterator<Item = (ObjectId, char)> {
        self.needed.needs(id)
    }

    pub(super) fn close(&self, closure: &mut Closure, of: impl IntoIterator<Item = ObjectId>) {
        self.needed.close(closure, of);
    }

    pub(super) fn is_target(
        &self,
        object: &Object,
        schemas: &BTreeSet<String>,
        scope: &Scope,
        kept: &HashSet<ObjectId>,
    ) -> bool {
        let in_scope =
            object.schema.as_ref().is_some_and(|schema| schemas.contains(schema)) || is_journal(object, scope);
        object.id.column == 0
            && in_scope
            && self.contained.contains(&object.id)
            && !self.member_of.contains_key(&object.id)
            && !kept.contains(&object.id)
    }

    /// Returns the extensions that would fall, each with a member by which it is reached.
    pub(super) fn extensions_reached(&self, closure: &Closure) -> Vec<(ObjectId, u32)> {
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

pub(super) fn is_journal(object: &Object, scope: &Scope) -> bool {
    let named = |table: &Relation| object.names == [table.schema.as_str(), table.name.as_str()];
    object.id.class == class::RELATION && object.part_of.is_none() && scope.migrations.as_ref().is_some_and(named)
}
