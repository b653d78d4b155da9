//! What a run has learned: for the ending, which judges by it, and for the report. Pure.

use crate::compare::phantom::Phantom;
use crate::kit::approved::Approved;
use crate::kit::prompt::Prompt;
use crate::outcome::Verdict;
use crate::output::record::Record;
use crate::output::report;
use crate::policy::{ObjectName, Refusal, RuleRef};
use crate::sql::RowPolicy;

/// What a run has learned so far.
#[derive(Debug)]
pub(super) struct RunRecord<'a> {
    /// What the report says of it.
    pub report: &'a mut Record,
    pub answers: Answers,
    pub approval: Approval,
    /// Why the run goes no further, where that is not drizzle-kit's own doing.
    pub stop: Option<Stop>,
    /// The statements of drizzle-kit that change nothing and are left out.
    pub repeated: Vec<Repeated>,
    /// How many sessions of drizzle-kit were seen to be where they should be.
    pub n_sessions: usize,
}

/// The questions that were answered, and how.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// The rule that gave each answer, or the reason in words; empty where there is none.
    pub rules: Vec<String>,
    /// The questions before the last one, with the choices.
    pub answered: Vec<(Prompt, usize)>,
    pub renamed: Vec<(ObjectName, ObjectName)>,
    /// The tables whose truncation was chosen, with the rule.
    pub truncated: Vec<(ObjectName, RuleRef)>,
    /// The row level security policies that the schema files make, each with its statement.
    pub row_policies: Vec<(RowPolicy, String)>,
    /// The policy lines that would answer the question that was unclear.
    pub would_answer: Option<String>,
}

/// A statement that changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    pub sql: String,
    /// Why it changes nothing.
    pub phantom: Phantom,
}

/// What the last question came to.
#[derive(Debug, Default)]
pub(super) enum Approval {
    /// Nothing was approved.
    #[default]
    None,
    /// drizzle-kit may send this text, and nothing else.
    Kit(Approved),
    /// The statements are to be run in one transaction, and not by drizzle-kit.
    Transaction,
    /// The statements change nothing.
    NothingToDo,
}

/// Why a run goes no further. The later variants outrank the earlier ones.
#[derive(Debug)]
pub(super) enum Stop {
    /// The plan does not fit any more, for this reason.
    Stale(String),
    /// The lock on the database was lost.
    LockLost,
    /// It may not, cannot or need not go on.
    Verdict(Verdict),
}

impl Stop {
    fn rank(&self) -> u8 {
        match self {
            Stop::Stale(_) => 0,
            Stop::LockLost => 1,
            Stop::Verdict(_) => 2,
        }
    }
}

impl<'a> RunRecord<'a> {
    /// Makes the record of a run that has not started yet.
    pub(super) fn new(report: &'a mut Record) -> RunRecord<'a> {
        RunRecord {
            report,
            answers: Answers::default(),
            approval: Approval::None,
            stop: None,
            repeated: Vec::new(),
            n_sessions: 0,
        }
    }

    /// Takes note of why the run goes no further.
    pub(super) fn stop(&mut self, stop: Stop) {
        if self.stop.as_ref().is_none_or(|known| known.rank() <= stop.rank()) {
            self.stop = Some(stop);
        }
    }

    /// Tells whether nothing that changes a database can have been sent.
    pub(super) fn sent_nothing(&self) -> bool {
        match &self.approval {
            Approval::Kit(approved) => approved.n_sent() == 0,
            Approval::None | Approval::Transaction | Approval::NothingToDo => self.n_sessions == 0,
        }
    }

    /// Takes note of what the policy refused.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.report.refusals.push(report::Refusal::of(refusal));
    }

    /// Returns the statements of the plan, in their order.
    pub(super) fn statements(&self) -> Vec<String> {
        self.report.statements.iter().map(|statement| statement.sql.clone()).collect()
    }

    /// Returns the target in one line; empty where it is not known.
    pub(super) fn address(&self) -> String {
        self.report.target.as_ref().map(report::Target::text).unwrap_or_default()
    }
}

impl Answers {
    /// Takes note of the rule, or the reason, of one more answer.
    pub(super) fn because(&mut self, rule: impl ToString) {
        self.rules.push(rule.to_string());
    }

    /// Says another reason for the last answer than the rule that was found at first.
    pub(super) fn rather_because(&mut self, reason: impl ToString) {
        if let Some(rule) = self.rules.last_mut() {
            *rule = reason.to_string();
        }
    }
}
