//! The relations that a plan is about, as the catalog and the policy name them. Pure.

use crate::db::inspect::reach::{Relation, Rows};
use crate::policy::ObjectName;
use crate::policy::decide::Count;

/// Returns the name of a relation.
pub fn named(relation: &Relation) -> ObjectName {
    ObjectName::new([&relation.schema, &relation.name])
}

/// Returns the relation of a name; none for the name of something else.
pub fn relation(name: &ObjectName) -> Option<Relation> {
    match name.parts() {
        [schema, name] => Some(Relation { schema: schema.clone(), name: name.clone() }),
        _ => None,
    }
}

/// Returns a number of rows as the policy counts them; none where it is not known.
pub fn count(rows: Rows) -> Option<Count> {
    match rows {
        Rows::Exact(rows) => Some(Count::Rows(rows)),
        Rows::AtLeast(rows) => Some(Count::AtLeast(rows)),
        Rows::Estimate(rows) => Some(Count::About(rows)),
        Rows::Hidden | Rows::Unknown => None,
    }
}
