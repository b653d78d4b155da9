//! What a statement does to named objects, whatever the dialect it is written in.
//!
//! Effects say what happens. Whether that needs consent is told by [`plan`](super::plan), which alone knows hazards.

use crate::sql::name::ObjectName;

/// What an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Schema,
    Table,
    Column,
    View,
    MaterializedView,
    Sequence,
    Type,
    Index,
    Constraint,
    Policy,
    Role,
}

impl Kind {
    /// Returns what people call it.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Schema => "schema",
            Kind::Table => "table",
            Kind::Column => "column",
            Kind::View => "view",
            Kind::MaterializedView => "materialized view",
            Kind::Sequence => "sequence",
            Kind::Type => "type",
            Kind::Index => "index",
            Kind::Constraint => "constraint",
            Kind::Policy => "policy",
            Kind::Role => "role",
        }
    }
}

/// Whether what a statement names to create was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The statement fails if it was, so what comes after stands on a new object.
    New,
    /// `IF NOT EXISTS`, `OR REPLACE` and the like: nobody can tell from the statement.
    Unproven,
}

/// Whether what depends on an object goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The statement fails where something depends on the object.
    Alone,
    /// `CASCADE`: objects that the statement does not name go too.
    Cascade,
}

/// A type as a statement writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeText {
    pub text: String,
    /// The name of the type, or of the elements where it is an array; none where the type is spelled with words or a size.
    pub name: Option<ObjectName>,
}

/// How the values of a column become values of its new type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Using {
    /// As an assignment would.
    Assignment,
    /// `USING "column"::type`, by the cast of the column to exactly the new type.
    Cast,
    /// By another expression.
    Expression,
}

/// The rows of a table, copied into another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    pub from: ObjectName,
    /// The columns that they go to, and those that they come from; none where all go one by one, in their order.
    pub columns: Option<Vec<(String, String)>>,
}

/// A column as `CREATE TABLE` defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defined {
    pub name: String,
    /// Its type as it is written.
    pub kind: String,
    pub not_null: bool,
}

/// Code of the database that a statement runs, by the name that it is called by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// A function, with its schema where the statement says it.
    Function {
        schema: Option<String>,
        name: String,
    },
    Operator(String),
    /// Casts to and from a type, and what a domain checks.
    Type(ObjectName),
    /// A view runs what stands in it.
    Relation(ObjectName),
}

/// Code that a statement runs for the rows of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub table: ObjectName,
    pub code: Code,
}

/// One thing that a statement does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Create {
        kind: Kind,
        name: ObjectName,
        proof: Proof,
    },
    Drop {
        kind: Kind,
        name: ObjectName,
        reach: Reach,
        /// `IF EXISTS`: that there is none is no failure.
        if_exists: bool,
    },
    /// The sequence of an identity column is dropped, whatever its name is.
    DropIdentity {
        column: ObjectName,
    },
    /// An index gets the name of the constraint that it is for.
    NameIndex {
        name: ObjectName,
        of: ObjectName,
        proof: Proof,
    },
    /// A column gets a type, by words that the server must know.
    UseType {
        column: ObjectName,
        of: TypeText,
    },
    /// A rename, or a move to another schema.
    Rename {
        kind: Kind,
        from: ObjectName,
        to: ObjectName,
    },
    /// A type that was made by `CREATE TYPE … AS ENUM`.
    CreateEnum {
        name: ObjectName,
        proof: Proof,
        /// Its values; none where one of them is written in a way that is not read.
        labels: Option<Vec<String>>,
    },
    /// A value of an enum is called something else.
    RenameValue {
        of: ObjectName,
    },
    ChangeType {
        column: ObjectName,
        to: TypeText,
        using: Using,
    },
    /// A column that exists must not be NULL any more, or a new one must not be and has no value to begin with.
    RequireValue {
        column: ObjectName,
    },
    DropDefault {
        column: ObjectName,
    },
    SetDefault {
        column: ObjectName,
    },
    /// A column may be NULL from now on.
    AllowNull {
        column: ObjectName,
    },
    AddUnique {
        table: ObjectName,
    },
    AddPrimaryKey {
        table: ObjectName,
    },
    AddForeignKey {
        table: ObjectName,
    },
    /// The rows of a table depend on those of another from now on: emptying that one with CASCADE empties this one.
    Refer {
        table: ObjectName,
        to: ObjectName,
    },
    AddCheck {
        table: ObjectName,
    },
    DropPrimaryKey {
        table: ObjectName,
        reach: Reach,
    },
    /// An index is built while nobody can write.
    BuildIndex {
        table: ObjectName,
    },
    /// Every row is written anew while nobody can read.
    RewriteTable {
        table: ObjectName,
    },
    Truncate {
        table: ObjectName,
        reach: Reach,
    },
    DeleteRows {
        table: ObjectName,
    },
    /// Rows come in: what was new is not empty any more.
    InsertRows {
        table: ObjectName,
        /// Where they come from, where all that is done is that they are copied.
        copied: Option<Copied>,
    },
    /// The columns of a table that is created.
    Define {
        table: ObjectName,
        columns: Vec<Defined>,
    },
    DisableRls {
        table: ObjectName,
    },
    AlterPolicy {
        policy: ObjectName,
    },
    Grant {
        on: Vec<ObjectName>,
    },
    Revoke {
        on: Vec<ObjectName>,
    },
    /// Nobody knows.
    Unknown,
}

/// A statement that was read: what kind of statement it is, and everything it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// `alter_table`, `create_index`, …
    pub kind: String,
    /// Empty where a statement is known and does nothing that anything here asks about.
    pub effects: Vec<Effect>,
    pub runs: Vec<Run>,
}

impl Reading {
    /// Returns the reading of a statement that is not understood.
    pub fn unknown(kind: impl Into<String>) -> Reading {
        Reading { kind: kind.into(), effects: vec![Effect::Unknown], runs: Vec::new() }
    }
}

impl Effect {
    /// Returns the objects that the effect is about.
    pub fn objects(&self) -> Vec<&ObjectName> {
        match self {
            Effect::Create { name, .. } | Effect::Drop { name, .. } | Effect::CreateEnum { name, .. } => vec![name],
            Effect::Rename { from, to, .. } => vec![from, to],
            Effect::RenameValue { of } => vec![of],
            Effect::ChangeType { column, .. }
            | Effect::RequireValue { column }
            | Effect::DropDefault { column }
            | Effect::SetDefault { column }
            | Effect::AllowNull { column }
            | Effect::DropIdentity { column } => vec![column],
            Effect::AddUnique { table }
            | Effect::AddPrimaryKey { table }
            | Effect::AddForeignKey { table }
            | Effect::Refer { table, .. }
            | Effect::AddCheck { table }
            | Effect::DropPrimaryKey { table, .. }
            | Effect::BuildIndex { table }
            | Effect::RewriteTable { table }
            | Effect::Truncate { table, .. }
            | Effect::DeleteRows { table }
            | Effect::InsertRows { table, .. }
            | Effect::Define { table, .. }
            | Effect::DisableRls { table } => vec![table],
            Effect::AlterPolicy { policy } => vec![policy],
            Effect::Grant { on } | Effect::Revoke { on } => on.iter().collect(),
            Effect::NameIndex { .. } | Effect::UseType { .. } | Effect::Unknown => Vec::new(),
        }
    }
}
