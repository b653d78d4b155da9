//! What is left after a reset, and what is gone.

use std::collections::HashSet;

use crate::db::inspect::closure::{self, Closure};
use crate::db::inspect::objects::{Catalog, FIRST_OF_USERS, ObjectId, class};
use crate::db::inspect::relation::Relation;
use crate::db::reset::plan::chosen::Chosen;
use crate::db::reset::plan::scope::Scope;

/// Returns what stays of what has a name of its own in a schema.
pub(super) fn left_standing(catalog: &Catalog, closure: &Closure) -> Vec<(String, Relation)> {
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
        schemas.any(|(_, oid)| oid >= FIRST_OF_USERS && !listed.contains(&oid))
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
