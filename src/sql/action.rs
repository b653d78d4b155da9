//! What the statements of a migration do, with the details that a person who reads it asks about.
//!
//! [Effects](super::effect) decide whether something may run, and doubt makes them unknown. Actions are for telling somebody
//! something: whatever can be read is read, also inside of `DO` and `WITH`, and what cannot is [`Action::Unread`].

mod block;
pub mod confined;
pub mod literal;
mod other;
mod postgres;
mod text;

use std::ops::Range;

use squawk_syntax::SyntaxNode;

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Kind, Proof, Reach};
use crate::sql::name::ObjectName;
use crate::sql::types::SqlType;

/// One thing that a statement does, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it begins in the file, in bytes.
    pub at: usize,
    pub action: Action,
    /// Whether it happens under a condition, within a block of code.
    pub perhaps: bool,
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    CreateTable(Table),
    /// Anything else that is created and has nothing that matters here.
    Create {
        kind: Kind,
        name: ObjectName,
        proof: Proof,
    },
    CreateEnum {
        name: ObjectName,
        labels: Vec<String>,
        proof: Proof,
    },
    CreateIndex(Index),
    AddColumn {
        table: ObjectName,
        column: Column,
        proof: Proof,
    },
    AddKey {
        table: ObjectName,
        key: Key,
    },
    Drop {
        kind: Kind,
        name: ObjectName,
        reach: Reach,
    },
    /// What has no name that a policy could list: an extension, a function, …
    DropOther {
        what: &'static str,
        name: String,
        reach: Reach,
    },
    DropOwned {
        by: String,
    },
    /// A rename, or a move to another schema.
    Rename {
        kind: Kind,
        from: ObjectName,
        to: ObjectName,
    },
    RenameValue {
        of: ObjectName,
    },
    RenameAttribute {
        of: ObjectName,
    },
    AddValue {
        of: ObjectName,
        value: String,
    },
    SetType {
        column: ObjectName,
        to: SqlType,
        using: bool,
    },
    SetDefault {
        column: ObjectName,
        value: Value,
    },
    DropDefault {
        column: ObjectName,
    },
    SetNotNull {
        column: ObjectName,
    },
    DropNotNull {
        column: ObjectName,
    },
    SetExpression {
        column: ObjectName,
    },
    DropExpression {
        column: ObjectName,
    },
    Validate {
        constraint: ObjectName,
    },
    Detach {
        table: ObjectName,
        partition: ObjectName,
    },
    /// Every row is written anew while nobody can read.
    Rewrite {
        /// None: all of them.
        table: Option<ObjectName>,
        how: &'static str,
    },
    Lock {
        table: ObjectName,
        mode: &'static str,
    },
    /// Triggers, and with them foreign keys, are switched off or on.
    Triggers {
        /// None: of the whole session.
        table: Option<ObjectName>,
        which: Which,
        on: bool,
    },
    Rls {
        /// A table, or a view that reads with the rights of whoever made it.
        table: ObjectName,
        on: bool,
    },
    AlterPolicy {
        policy: ObjectName,
    },
    Grant {
        /// Nothing where a role is granted, or what is to come.
        on: Vec<ObjectName>,
        what: String,
    },
    /// A role may do more from then on.
    Empower {
        role: String,
        powers: Vec<String>,
    },
    Truncate {
        table: ObjectName,
        reach: Reach,
    },
    Delete {
        table: ObjectName,
        rows: Rows,
    },
    Update {
        table: ObjectName,
        /// The columns that get another value than NULL.
        columns: Vec<String>,
    },
    Insert {
        table: ObjectName,
        copy: Option<Copy>,
    },
    /// Foreign keys are switched off or on, in SQLite.
    ForeignKeys {
        on: bool,
    },
    /// Code is run that cannot be read.
    Unread {
        why: &'static str,
    },
}

/// A table that is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: ObjectName,
    pub is_temporary: bool,
    pub proof: Proof,
    pub columns: Vec<Column>,
    pub keys: Vec<Key>,
    /// Where more of its columns are: `LIKE`, `INHERITS`, `PARTITION OF`.
    pub like: Vec<ObjectName>,
    pub partition_of: Option<ObjectName>,
}

impl Table {
    /// Makes a table of which nothing but its name is known.
    pub fn named(name: ObjectName, proof: Proof) -> Table {
        Table {
            name,
            is_temporary: false,
            proof,
            columns: Vec::new(),
            keys: Vec::new(),
            like: Vec::new(),
            partition_of: None,
        }
    }
}

/// A column that is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub of: Option<SqlType>,
    pub is_required: bool,
    pub value: Value,
    pub keys: Vec<Key>,
}

/// What a column holds where nobody gives it a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// NULL: there is no default, or that is it.
    None,
    /// The same in every row.
    Same,
    /// Perhaps another in every row.
    Each,
    /// The next of a sequence.
    Next,
    /// It is computed.
    Generated,
}

impl Value {
    pub fn is_some(self) -> bool {
        self != Value::None
    }
}

/// A constraint of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: Option<String>,
    pub of: KeyOf,
    /// Whether what is there is left unchecked.
    pub is_not_valid: bool,
}

/// What a constraint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOf {
    Primary {
        columns: Vec<String>,
        /// The index is there already.
        by_index: bool,
    },
    Unique {
        columns: Vec<String>,
        by_index: bool,
        nulls_are_equal: bool,
    },
    Foreign {
        columns: Vec<String>,
        to: ObjectName,
        on_delete: OnChange,
        on_update: OnChange,
    },
    /// A column must not be NULL, and nothing else is said.
    NotNull {
        column: String,
    },
    Check,
    Exclude,
}

/// What becomes of the rows that refer to one that is deleted or gets another key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnChange {
    Nothing,
    Cascade,
    /// Of these columns alone; of all, where none is named.
    SetNull(Vec<String>),
    SetDefault(Vec<String>),
}

/// An index that is created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Where it lives: beside its table.
    pub name: Option<ObjectName>,
    pub table: ObjectName,
    /// None where an expression is among them.
    pub columns: Option<Vec<String>>,
    pub is_unique: bool,
    pub is_concurrent: bool,
    pub is_partial: bool,
    /// On the parent of partitions, and on none of them.
    pub is_only: bool,
    pub nulls_are_equal: bool,
    pub proof: Proof,
}

/// Which triggers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those of foreign keys as well.
    All,
    User,
    One(String),
}

/// Which rows are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows {
    All,
    /// Those in which one of these columns is NULL are among them.
    Null(Vec<String>),
    Some,
}

/// A table that is filled from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    pub from: ObjectName,
    /// What is written, and the column that it is read from; none where an expression makes it.
    pub columns: Vec<(String, Option<String>)>,
    /// The names that stand in expressions.
    pub others: Vec<String>,
    /// Whether the columns are those of the table, in its order.
    pub has_all: bool,
    /// Whether all rows are.
    pub is_whole: bool,
}

/// Reads what a statement of PostgreSQL does.
pub(super) fn of_node(statement: &SyntaxNode) -> Vec<Step> {
    postgres::read(statement)
}

/// Returns what in a block of code ends the transaction around it.
pub(super) fn ends_within(statement: &SyntaxNode) -> Option<&'static str> {
    postgres::ends_within(statement)
}

/// Reads what a statement of another dialect does.
pub(super) fn of_text(sql: &str, place: &Range<usize>, dialect: Dialect) -> Vec<Step> {
    let steps = other::read(sql, dialect).into_iter();
    steps.map(|action| Step { at: place.start, action, perhaps: false }).collect()
}
