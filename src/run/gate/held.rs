//! What is at stake in a plan, before the policy judges it. Pure.

use crate::policy::RuleRef;
use crate::policy::decide::{Objects, Stake};
use crate::sql::Hazard;

/// A stake, and the statement it comes from; none for an announced loss that no statement explains.
#[derive(Debug)]
pub(super) struct Held {
    pub statement_idx: Option<usize>,
    pub stake: Stake,
    /// The rule that has consented to it already.
    pub settled: Option<RuleRef>,
    /// The server would not show us all of its rows, so that no number is to be believed.
    pub is_hidden: bool,
}

impl Held {
    /// Makes one that is settled by nothing yet.
    pub(super) fn by(statement_idx: Option<usize>, stake: Stake) -> Held {
        Held { statement_idx, stake, settled: None, is_hidden: false }
    }

    /// Something that nobody knows enough about.
    pub(super) fn in_doubt(statement_idx: usize, note: String) -> Held {
        let stake = Stake { hazard: Hazard::Unclassified, objects: Objects::Unknown, count: None, note: Some(note) };
        Held::by(Some(statement_idx), stake)
    }
}
