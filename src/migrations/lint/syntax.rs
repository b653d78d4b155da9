//! What is no SQL.

use super::source::Source;
use crate::migrations::rule::{Named, SYNTAX_ERROR};
use crate::sql::script::Fault;

pub(super) fn check(source: &mut Source<'_>) {
    // Behind the first fault of a statement the parser guesses.
    let mut last = None;
    for Fault { at, why } in source.script.faults.clone() {
        let statement = source.script.statements.iter().rposition(|stated| stated.place.start <= at);
        if last == Some(statement) {
            continue;
        }
        last = Some(statement);
        let sentence = format!("the text is no SQL: {}", why.trim_end_matches('.'));
        source.report_at(Named::Ours(&SYNTAX_ERROR), at, None, |place, level| {
            SYNTAX_ERROR.finding(level, place, sentence)
        });
    }
}
