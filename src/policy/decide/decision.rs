//! What is decided: a choice, a refusal with what would allow it, or a doubt. Pure.

use std::fmt;

use crate::policy::allow::Allow;
use crate::policy::model::RuleRef;

/// What is decided about a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Take this choice.
    Choose { choice: usize, because: RuleRef, warnings: Vec<String> },
    /// The policy forbids it, or does not know it.
    Refuse(Refusal),
    /// The question or the policy has two readings.
    Unclear(Doubt),
}

/// What the policy does not allow, and what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked or what would be lost, one line each.
    pub what: String,
    /// The first rule that refuses. None where no rule could allow it.
    pub(crate) because: Option<RuleRef>,
    /// Ways to allow all of it. Empty where no rule can.
    pub(crate) allow: Vec<Allow>,
}

/// Why a question cannot be answered although it was understood, and what would answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub(crate) reason: String,
    pub(crate) allow: Vec<Allow>,
}

pub(super) fn chosen(choice: usize, because: RuleRef) -> Decision {
    Decision::Choose { choice, because, warnings: Vec::new() }
}

pub(super) fn doubt(reason: impl Into<String>) -> Decision {
    Decision::Unclear(Doubt { reason: reason.into(), allow: Vec::new() })
}

impl Refusal {
    /// Returns the lines of the first way to allow it, for a report.
    pub(crate) fn allow_with(&self) -> Option<String> {
        let lines: Vec<&str> = self.allow.first()?.lines().collect();
        Some(lines.join("\n"))
    }
}

/// Shows what was refused and the ways to allow it, without the sentence that ends every failing run.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.lines().map(|what| format!("refused: {what}"));
        f.write_str(&what.chain(self.allow.iter().map(Allow::to_string)).collect::<Vec<_>>().join("\n"))
    }
}

/// Shows the reason and what would answer the question.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unclear: {}", self.reason)?;
        self.allow.iter().try_for_each(|allow| write!(f, "\n{allow}"))
    }
}
