//! Columns that must not be NULL, and that nothing fills.

use super::source::Source;
use crate::migrations::rule::{ADD_REQUIRED_COLUMN, SET_NOT_NULL};
use crate::sql::effect::{Effect, Kind};
use crate::sql::{Hazard, ObjectName};

pub(super) fn check(source: &mut Source<'_>) {
    let mut filled: Vec<ObjectName> = Vec::new();
    let mut found = Vec::new();
    for (statement_idx, stated) in source.script.statements.iter().enumerate() {
        filled.extend(stated.updates());
        let is_added = |column: &ObjectName| {
            let adds =
                |effect: &Effect| matches!(effect, Effect::Create { kind: Kind::Column, name, .. } if name == column);
            stated.reading.effects.iter().any(adds)
        };
        let hazards = source.hazards[statement_idx].iter().filter(|found| found.hazard == Hazard::AddNotNull);
        for column in hazards.flat_map(|found| &found.objects) {
            if is_added(column) {
                let sentence = format!("column {column} is added, must not be NULL, and has no default");
                found.push((&ADD_REQUIRED_COLUMN, statement_idx, column.clone(), sentence));
            } else if !filled.contains(column) {
                let sentence = format!("column {column} must not be NULL any more, and nothing here fills it");
                found.push((&SET_NOT_NULL, statement_idx, column.clone(), sentence));
            }
        }
    }
    for (rule, statement_idx, column, sentence) in found {
        source.report(rule, statement_idx, Some(&column), sentence);
    }
}
