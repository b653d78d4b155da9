//! What is no SQL.

use crate::migrations::lint::source::Source;
use crate::migrations::rule::{Named, SYNTAX_ERROR};
use crate::sql::script::Fault;

pub(super) fn check(source: &mut Source<'_>) {
    // Behind the first fault the parser guesses, where statements end as well. The next breakpoint ends them for certain.
    let mut last = None;
    for Fault { at, why } in source.script.faults.clone() {
        let n_breakpoints_before = source.breakpoints.partition_point(|breakpoint| breakpoint.start <= at);
        if last == Some(n_breakpoints_before) {
            continue;
        }
        last = Some(n_breakpoints_before);
        let sentence = format!("the text is not valid SQL: {}", why.trim_end_matches('.'));
        source.report_at(Named::Ours(&SYNTAX_ERROR), at, None, |place, level| {
            SYNTAX_ERROR.finding(level, place, sentence)
        });
    }
}
