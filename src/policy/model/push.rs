//! How an approved push is executed. Pure.

use std::ops::Range;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::policy::model::rule::{Layer, RuleRef};

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
