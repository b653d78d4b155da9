//! Changes of a type that leave it to PostgreSQL how values are converted.

use super::source::Source;
use crate::migrations::rule::TYPE_CHANGE_WITHOUT_USING;
use crate::sql::effect::{Effect, TypeText, Using};
use crate::sql::{Hazard, ObjectName, rewrite};

pub(super) fn check(source: &mut Source<'_>) {
    if source.script.tree.is_none() {
        return; // USING is a word of PostgreSQL.
    }
    let mut found: Vec<(usize, ObjectName, String)> = Vec::new();
    for (statement_idx, effect) in source.effects() {
        let Effect::ChangeType { column, to, using: Using::Assignment } = effect else { continue };
        let is_at_stake = source.hazards[statement_idx]
            .iter()
            .any(|found| found.hazard == Hazard::ChangeType && found.objects.contains(column));
        // That the type is none is told by a rule of its own.
        let is_lost = rewrite::meant_type(&to.text).is_some();
        if is_at_stake && !is_lost && !takes_everything(to) {
            found.push((statement_idx, column.clone(), to.text.clone()));
        }
    }
    for (statement_idx, column, to) in found {
        let sentence = format!("column {column} becomes {to} without USING");
        source.report(&TYPE_CHANGE_WITHOUT_USING, statement_idx, Some(&column), sentence);
    }
}

/// Tells whether PostgreSQL makes a value of this type of any other by itself.
fn takes_everything(to: &TypeText) -> bool {
    matches!(to.text.to_ascii_lowercase().as_str(), "text" | "varchar" | "character varying")
}
