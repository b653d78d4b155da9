//! Finds what goes along with a drop, and refuses what must not.

use crate::db::inspect::closure::Closure;
use crate::db::inspect::objects::{Catalog, Object, ObjectId, class};
use crate::db::reset::plan::chosen::Chosen;
use crate::db::reset::plan::graph::Graph;
use crate::db::reset::plan::refusal::{Offence, Refusal, Why};
use crate::db::reset::plan::scope::{Owners, Scope};

/// Something that goes without being named by a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    pub object: String,
    pub owner: Option<String>,
}

/// Finds what goes along, and refuses what must not.
pub(super) fn collateral(
    catalog: &Catalog,
    scope: &Scope,
    chosen: &Chosen,
    closure: &Closure,
) -> Result<Vec<Taken>, Refusal> {
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
