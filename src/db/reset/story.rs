//! How a plan is run, and what is told of it meanwhile.

use crate::db::change::transaction::Run;
use crate::db::inspect::blockers::Blocker;
use crate::db::reset::plan::{ResetPlan, Step};

/// How a plan is run.
#[derive(Clone, Copy)]
pub struct ResetRun<'a> {
    /// Its limit for locks holds for each attempt.
    pub run: Run<'a>,
    /// At least 1.
    pub n_attempts: u32,
    pub blockers: Blockers,
    /// Is told what happens, in the middle of the transaction: should be quick.
    pub watch: &'a dyn Fn(Event<'_>),
}

/// What to do about sessions that hold what we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blockers {
    /// Wait, and name them.
    Name,
    /// End those of our own role after the first wait.
    TerminateOwn,
}

/// Something that happens in the transaction.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The turn of this statement has come.
    Step { idx: usize, n_steps: usize, step: &'a Step },
    /// The locks were not to be had; it is tried again.
    Blocked { n_attempts: u32, by: &'a [Blocker] },
    /// Something was dropped while it was looked at; it is tried again.
    Disturbed { n_attempts: u32 },
    /// The locks of one transaction do not fit: it goes on in parts, and nothing is dropped yet.
    InParts { plan: &'a ResetPlan },
    /// A part is committed.
    Part { n_dropped: usize, n_objects: usize },
}
