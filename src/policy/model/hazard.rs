//! What a line of `[hazards]` may speak of, and what it may say. Pure.

use crate::policy::model::rule::{Layer, RuleRef};
use crate::policy::name::{Pattern, Shape};
use crate::sql::hazard::{Class, Hazard, Object};

/// What a line of `[hazards]` speaks of. A kind's own line wins over that of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::policy) enum HazardKey {
    Class(Class),
    Kind(Hazard),
}

#[derive(Debug, Clone)]
pub(in crate::policy) struct HazardLine {
    pub(in crate::policy) value: HazardRule,
    pub(in crate::policy) layer: Layer,
    pub(in crate::policy) rule: RuleRef,
}

/// What the policy says of a hazard.
#[derive(Debug, Clone)]
pub(crate) enum HazardRule {
    Refuse,
    Approve,
    /// Approved for some objects, or up to a number of rows, or both.
    Limit {
        only: Option<Vec<Pattern>>,
        max_rows: Option<u64>,
    },
    /// Only for [`Hazard::AddUnique`]: drizzle-kit's question about truncating is answered "No".
    KeepRows,
    /// Only for [`Hazard::AddUnique`]: drizzle-kit's question about truncating is answered "Yes".
    Truncate,
    /// Only for [`Hazard::Truncate`]: what drizzle-kit puts before a type change is left out by whoever runs the
    /// statements. No truncate that is left to be judged is allowed by it.
    Skip,
}

impl HazardKey {
    /// Returns the key in the policy file.
    pub(in crate::policy) fn name(self) -> &'static str {
        match self {
            HazardKey::Class(class) => class.name(),
            HazardKey::Kind(hazard) => hazard.name(),
        }
    }

    /// Returns the form of the names in a limit.
    pub(in crate::policy) fn shape(self) -> Shape {
        match self {
            HazardKey::Class(_) => Shape::Whole,
            HazardKey::Kind(hazard) => match hazard.object() {
                Object::Schema | Object::Role => Shape::Global,
                Object::Table | Object::View | Object::Sequence | Object::Type | Object::Index => Shape::InSchema,
                Object::Column | Object::Constraint | Object::Policy => Shape::InTable,
                Object::Any | Object::Nothing => Shape::Whole,
            },
        }
    }

    /// Returns every key of `[hazards]`. A class with one kind has no key of its own.
    pub(in crate::policy) fn all() -> impl Iterator<Item = HazardKey> {
        let classes = Class::ALL.into_iter().filter(|class| *class != Class::Unknown).map(HazardKey::Class);
        classes.chain(Hazard::all().map(HazardKey::Kind))
    }

    /// Returns the words that may stand for the rule of a hazard.
    pub(in crate::policy) fn words(self) -> &'static [&'static str] {
        match self {
            HazardKey::Kind(Hazard::AddUnique) => &["keep_rows", "truncate", "refuse", "approve"],
            HazardKey::Kind(Hazard::Truncate) => &["refuse", "approve", "skip"],
            HazardKey::Kind(_) | HazardKey::Class(_) => &["refuse", "approve"],
        }
    }

    /// Tells whether a number of rows can be known for a hazard.
    pub(in crate::policy) fn counts_rows(self) -> bool {
        let class = match self {
            HazardKey::Class(class) => class,
            HazardKey::Kind(hazard) => hazard.class(),
        };
        let has_rows = match self {
            HazardKey::Class(_) => true,
            HazardKey::Kind(hazard) => matches!(hazard.object(), Object::Table | Object::Column | Object::View),
        };
        match class {
            Class::DataLoss | Class::MayFail | Class::Blocking => has_rows,
            Class::Access | Class::Unknown | Class::Breaking => false,
        }
    }
}
