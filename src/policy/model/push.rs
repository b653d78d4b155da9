//! How an approved push is executed. Pure.

use std::collections::BTreeMap;
use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::policy::model::rule::{Layer, RuleRef};
use crate::policy::name::ObjectName;

/// How an approved push is executed.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Push {
    pub(in crate::policy) apply: ApplyLine,
    /// How the values of a column become those of a new type.
    pub(in crate::policy) using: BTreeMap<ObjectName, Using>,
}

impl Push {
    /// Returns what applies where there is no file.
    pub(super) fn built_in() -> Push {
        let apply = ApplyLine { value: Apply::Kit, layer: None, rule: RuleRef::built_in("push.apply") };
        Push { apply, using: BTreeMap::new() }
    }
}

/// Who executes the statements of a push that was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// drizzle-kit, one by one
    Kit,
    /// drizzle-pilot, all in one transaction or none (PostgreSQL)
    Transaction,
}

#[derive(Debug, Clone)]
pub(in crate::policy) struct ApplyLine {
    pub(in crate::policy) value: Apply,
    pub(in crate::policy) layer: Layer,
    pub(in crate::policy) rule: RuleRef,
}

/// "The values of this column are converted so."
#[derive(Debug, Clone)]
pub(in crate::policy) struct Using {
    pub(in crate::policy) expression: String,
    pub(in crate::policy) layer: Layer,
    pub(in crate::policy) rule: RuleRef,
    /// Where the key stands in the file.
    pub(in crate::policy) span: Range<usize>,
}
