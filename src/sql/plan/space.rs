//! Where names must differ, and what contains what.

use crate::sql::effect::Kind;

/// Where a name must be the only one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Space {
    Schema,
    /// Tables, views, sequences and indexes.
    Relation,
    Column,
    Constraint,
    Policy,
    Type,
    Role,
}

/// Returns the space of the names of a kind.
pub(super) fn space(kind: Kind) -> Space {
    match kind {
        Kind::Schema => Space::Schema,
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence | Kind::Index => Space::Relation,
        Kind::Column => Space::Column,
        Kind::Constraint => Space::Constraint,
        Kind::Policy => Space::Policy,
        Kind::Type => Space::Type,
        Kind::Role => Space::Role,
    }
}

impl Space {
    /// Returns the spaces of what lies in an object of this space and has its name before its own.
    pub(super) fn within(self) -> &'static [Space] {
        match self {
            Space::Schema => &[Space::Relation, Space::Column, Space::Constraint, Space::Policy, Space::Type],
            Space::Relation => &[Space::Column, Space::Constraint, Space::Policy],
            Space::Column | Space::Constraint | Space::Policy | Space::Type | Space::Role => &[],
        }
    }

    /// Returns the space of what contains an object of this space.
    pub(super) fn around(self) -> Option<Space> {
        match self {
            Space::Column | Space::Constraint | Space::Policy => Some(Space::Relation),
            Space::Relation | Space::Type => Some(Space::Schema),
            Space::Schema | Space::Role => None,
        }
    }
}
