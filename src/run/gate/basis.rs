//! What a consent rests on. Values only.

use crate::db::inspect::reach::{Facts, Relation, Wanted};
use crate::kit::prompt::Loss;

/// What a consent rests on.
#[derive(Debug, Clone)]
pub struct Basis {
    pub statements: Vec<String>,
    pub losses: Vec<Loss>,
    pub wanted: Wanted,
    pub facts: Facts,
    /// The tables whose rows are at stake.
    pub tables: Vec<Relation>,
}
