//! Finds what is meant by names in a database.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::inspect::objects::{Catalog, Object, ObjectId};
use crate::db::inspect::relation::Relation;

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
