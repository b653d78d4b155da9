//! What is to be emptied.

use std::collections::BTreeSet;

use crate::db::inspect::relation::Relation;

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
