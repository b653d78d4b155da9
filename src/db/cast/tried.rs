//! What was found out about a change of type. Pure.

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::relation::Relation;

/// What was found out about a change of type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    NoColumn,
    /// The server knows no such type: it may be made by a statement that has not run.
    NoType {
        message: String,
    },
    Tried(Box<Tried>),
}

/// A column whose change was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub table: Relation,
    pub column: String,
    pub old_type: String,
    pub new_type: String,
    /// The column takes no NULL.
    pub not_null: bool,
    /// The column has a default, which USING does not convert: it has to be dropped before, and set again.
    pub has_default: bool,
    /// What comes of the rows where the statement has no USING; none where the server has no conversion that it applies
    /// unasked.
    pub assigned: Option<Outcome>,
    /// How many rows were looked at.
    pub n_rows: u64,
    /// These were all of them. Else the verdicts hold for the first 100,000 alone.
    pub whole: bool,
    pub trials: Vec<Trial>,
    /// The first that keeps every value; else the first that turns nothing but blanks into NULL, where NULL is allowed.
    pub best: Option<usize>,
}

/// One way, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub using: String,
    pub outcome: Outcome,
}

/// What a way does to the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every row is converted, and every new value tells all that the old one told.
    Keeps,
    /// As before, but for values that become NULL.
    Blanks { n_null: u64 },
    /// Every row is converted, and some new values tell less than the old ones.
    Loses { n_lost: u64, examples: Vec<(String, String)> },
    /// Every row is converted, and there is no way to ask whether the new values tell as much.
    Unproven,
    /// Some rows cannot be converted.
    Fails { n_failed: u64, message: String, examples: Vec<String> },
    /// The server knows no such conversion, for any value.
    Impossible { sqlstate: String, message: String },
    /// It took too long, or the table is locked.
    TooSlow,
    /// The time was over before its turn.
    Untried,
}

impl Tried {
    /// Returns the best way's expression.
    pub fn using(&self) -> Option<&str> {
        self.best.map(|idx| &*self.trials[idx].using)
    }

    /// Returns the statement that changes the type in the best way.
    pub fn statement(&self) -> Option<String> {
        let (schema, name) = (escape_identifier(&self.table.schema), escape_identifier(&self.table.name));
        let (column, new_type) = (escape_identifier(&self.column), &self.new_type);
        let using = self.using()?;
        Some(format!("ALTER TABLE {schema}.{name} ALTER COLUMN {column} SET DATA TYPE {new_type} USING {using};"))
    }
}

pub(super) fn best(trials: &[Trial], not_null: bool) -> Option<usize> {
    let keeps = trials.iter().position(|trial| trial.outcome == Outcome::Keeps);
    let blanks = || trials.iter().position(|trial| matches!(trial.outcome, Outcome::Blanks { .. }));
    keeps.or_else(|| if not_null { None } else { blanks() })
}

/// Where every row is converted, the plain cast between the two types tells whether the values are as they were: it is
/// what the server applies unasked then.
pub(super) fn unless_lost(assigned: Outcome, trials: &[Trial], column: &str, new_type: &str) -> Outcome {
    let cast = format!("{}::{new_type}", escape_identifier(column));
    let plain = trials.iter().find(|trial| trial.using == cast).map(|trial| &trial.outcome);
    match (assigned, plain) {
        (Outcome::Unproven, Some(lost @ Outcome::Loses { .. })) => lost.clone(),
        (assigned, _) => assigned,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(outcomes: &[Outcome]) -> Vec<Trial> {
        outcomes.iter().map(|outcome| Trial { using: String::new(), outcome: outcome.clone() }).collect()
    }

    #[test]
    fn only_what_keeps_every_row_is_the_best() {
        let fails = Outcome::Fails { n_failed: 1, message: String::new(), examples: Vec::new() };
        let loses = Outcome::Loses { n_lost: 1, examples: Vec::new() };
        let blanks = Outcome::Blanks { n_null: 1 };
        let all = [fails.clone(), loses.clone(), blanks, Outcome::Keeps];
        assert_eq!(best(&trials(&all), false), Some(3));
        assert_eq!(best(&trials(&all[..3]), false), Some(2));
        assert_eq!(best(&trials(&all[..3]), true), None);
        assert_eq!(best(&trials(&[fails, loses, Outcome::Unproven, Outcome::TooSlow, Outcome::Untried]), false), None);
    }
}
