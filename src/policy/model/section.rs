//! The kinds of objects in `[renames]` and `[create]`. Pure.

use crate::kit::prompt::Entity;
use crate::policy::name::{ObjectName, Shape};

/// A kind of object in `[renames]` and `[create]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Section {
    Schemas,
    Tables,
    Columns,
    Enums,
    Sequences,
    Views,
    Policies,
    Roles,
    Checks,
    Indexes,
    Uniques,
    PrimaryKeys,
    ForeignKeys,
    Defaults,
}

impl Section {
    /// Every kind, in the order of the documentation.
    pub(crate) const ALL: [Section; 14] = [
        Section::Schemas,
        Section::Tables,
        Section::Columns,
        Section::Enums,
        Section::Sequences,
        Section::Views,
        Section::Policies,
        Section::Roles,
        Section::Checks,
        Section::Indexes,
        Section::Uniques,
        Section::PrimaryKeys,
        Section::ForeignKeys,
        Section::Defaults,
    ];

    /// Returns the key in the policy file.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Section::Schemas => "schemas",
            Section::Tables => "tables",
            Section::Columns => "columns",
            Section::Enums => "enums",
            Section::Sequences => "sequences",
            Section::Views => "views",
            Section::Policies => "policies",
            Section::Roles => "roles",
            Section::Checks => "checks",
            Section::Indexes => "indexes",
            Section::Uniques => "uniques",
            Section::PrimaryKeys => "primary_keys",
            Section::ForeignKeys => "foreign_keys",
            Section::Defaults => "defaults",
        }
    }

    /// Returns the name of one such object.
    pub(crate) fn singular(self) -> &'static str {
        match self {
            Section::Schemas => "schema",
            Section::Tables => "table",
            Section::Columns => "column",
            Section::Enums => "enum",
            Section::Sequences => "sequence",
            Section::Views => "view",
            Section::Policies => "policy",
            Section::Roles => "role",
            Section::Checks => "check",
            Section::Indexes => "index",
            Section::Uniques => "unique",
            Section::PrimaryKeys => "primary key",
            Section::ForeignKeys => "foreign key",
            Section::Defaults => "default",
        }
    }

    /// Returns the form of the names.
    pub(crate) fn shape(self) -> Shape {
        match self {
            Section::Schemas | Section::Roles => Shape::Global,
            Section::Tables | Section::Enums | Section::Sequences | Section::Views => Shape::InSchema,
            Section::Policies => Shape::Policy,
            Section::Columns
            | Section::Checks
            | Section::Indexes
            | Section::Uniques
            | Section::PrimaryKeys
            | Section::ForeignKeys
            | Section::Defaults => Shape::InTable,
        }
    }
}

impl From<Entity> for Section {
    fn from(entity: Entity) -> Section {
        match entity {
            Entity::Schema => Section::Schemas,
            Entity::Table => Section::Tables,
            Entity::Column => Section::Columns,
            Entity::Enum => Section::Enums,
            Entity::Sequence => Section::Sequences,
            Entity::View => Section::Views,
            Entity::Role => Section::Roles,
            Entity::Policy => Section::Policies,
            Entity::Unique => Section::Uniques,
            Entity::Check => Section::Checks,
            Entity::Index => Section::Indexes,
            Entity::PrimaryKey => Section::PrimaryKeys,
            Entity::ForeignKey => Section::ForeignKeys,
            Entity::Default => Section::Defaults,
        }
    }
}

/// Reads the name of an object that replaces another. A single part stays where the other is.
pub(in crate::policy) fn beside(section: Section, other: &ObjectName, value: &str) -> Result<ObjectName, String> {
    let alone = Shape::Whole.parse(value)?;
    match (alone.parts(), other.parent()) {
        ([name], Some(parent)) => Ok(parent.child(name)),
        ([_], None) => Ok(alone),
        _ => section.shape().parse(value),
    }
}
