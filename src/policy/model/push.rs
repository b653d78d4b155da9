//! How a push that was approved is carried out. Pure.

use std::ops::Range;

use crate::policy::model::rule::{Layer, RuleRef};

/// Who runs the statements of a push that was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Apply {
    /// drizzle-kit, one after the other.
    Kit,
    /// The program itself, all or nothing, in one transaction of PostgreSQL.
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
