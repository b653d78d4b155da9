//! What is to be looked up about statements. Pure.

use crate::db::inspect::foresee::Deed;
use crate::db::inspect::relation::Relation;

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
