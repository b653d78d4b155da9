//! Rules that say what is new and what was renamed. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::policy::model::rule::{Layer, RuleRef, Ruled};
use crate::policy::model::section::Section;
use crate::policy::name::{ObjectName, Pattern};

/// What is new and what was renamed.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Renames {
    pub(in crate::policy) otherwise: Ruled<Otherwise>,
    pub(in crate::policy) rules: Vec<Rename>,
    pub(in crate::policy) create: BTreeMap<Section, Create>,
}

impl Renames {
    /// Returns what applies where there is no file.
    pub(super) fn built_in() -> Renames {
        let otherwise = Ruled { value: Otherwise::Refuse, rule: RuleRef::built_in("renames.otherwise") };
        Renames { otherwise, rules: Vec::new(), create: BTreeMap::new() }
    }
}

/// What to take a new object for when no rule names it and something like it disappeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Otherwise {
    /// Ask the user to write a rule.
    Refuse,
    /// Take it as new.
    Create,
}

/// "The object `new` is what was `old`."
#[derive(Debug, Clone)]
pub(in crate::policy) struct Rename {
    pub(in crate::policy) section: Section,
    pub(in crate::policy) old: ObjectName,
    pub(in crate::policy) new: ObjectName,
    /// The old name as the file writes it.
    pub(in crate::policy) key: String,
    pub(in crate::policy) layer: Layer,
    pub(in crate::policy) rule: RuleRef,
    /// Where the key stands in the file.
    pub(in crate::policy) span: Range<usize>,
}

/// "Objects of these names are new."
#[derive(Debug, Clone)]
pub(in crate::policy) struct Create {
    pub(in crate::policy) patterns: Vec<Ruled<Pattern>>,
    pub(in crate::policy) layer: Layer,
}
