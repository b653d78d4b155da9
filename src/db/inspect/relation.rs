//! The name of a relation.

/// A table, view or other relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Relation {
    pub schema: String,
    pub name: String,
}

/// Returns their schemas and their names, as a query takes them.
pub(super) fn columns(relations: &[Relation]) -> (Vec<&str>, Vec<&str>) {
    relations.iter().map(|relation| (relation.schema.as_str(), relation.name.as_str())).unzip()
}
