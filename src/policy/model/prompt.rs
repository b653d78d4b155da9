//! Rules for questions that this version does not know. Pure.

use regex::Regex;

use crate::policy::model::rule::{Layer, RuleRef};

/// The rules for questions that this version does not know.
#[derive(Debug, Clone, Default)]
pub(in crate::policy) struct Prompts {
    pub(in crate::policy) rules: Vec<PromptRule>,
    pub(in crate::policy) layer: Layer,
}

#[derive(Debug, Clone)]
pub(in crate::policy) struct PromptRule {
    pub(in crate::policy) question: Regex,
    pub(in crate::policy) answer: PromptAnswer,
    pub(in crate::policy) rule: RuleRef,
}

#[derive(Debug, Clone)]
pub(in crate::policy) enum PromptAnswer {
    /// The one choice that matches.
    Choose(Regex),
    Decline,
}
