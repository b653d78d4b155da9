//! Where drizzle cuts a file: at every `--> statement-breakpoint`, whatever surrounds it (drizzle-orm, `readMigrationFiles`).

use std::ops::Range;

use crate::migrations::lint::source::{Found, Source};
use crate::migrations::pulled;
use crate::migrations::query::BREAKPOINT;
use crate::migrations::rule::{MISPLACED_BREAKPOINT, MISSING_BREAKPOINT, Named};

/// Returns the text as long as it was, with each breakpoint put as the end of a statement. The words behind one on the same
/// line are a comment to PostgreSQL, and not to drizzle.
pub(super) fn masked(text: &str) -> String {
    text.replace(BREAKPOINT, &format!(";{}", " ".repeat(BREAKPOINT.len() - 1)))
}

/// Tells whether what surrounds a breakpoint is no SQL once drizzle has cut there.
fn is_misplaced(source: &Source<'_>, place: &Range<usize>) -> bool {
    let text = source.script.text;
    let inside = |around: &&Range<usize>| around.start < place.start && place.start < around.end;
    if let Some(comment) = source.script.comments.iter().find(inside) {
        // Behind one in a comment up to the end of the line, the rest of the line is SQL. drizzle-kit itself writes
        // such a line with nothing behind it.
        let is_line = !text[comment.clone()].starts_with("/*");
        let rest = text[place.end..].lines().next().unwrap_or_default().trim();
        return !is_line || !(rest.is_empty() || rest.starts_with("--"));
    }
    // Within a string or a name, or within a statement that has statements in it.
    source.script.literals.iter().any(|literal| inside(&literal))
        || source.script.statements.iter().any(|stated| {
            let is_end = text[place.end..stated.place.end.max(place.end)].trim().is_empty();
            inside(&&stated.place) && !is_end && source.script.faults.is_empty()
        })
}

pub(super) fn check(source: &mut Source<'_>) {
    for place in source.breakpoints.clone() {
        // What drizzle-kit pull writes is meant to be a comment, and told as that.
        if is_misplaced(source, &place) && !pulled::is_pulled(source.text) {
            let sentence = "a breakpoint is inside a string, a name or a comment";
            source.report_at(Named::Ours(&MISPLACED_BREAKPOINT), place.start, None, |place, level| {
                MISPLACED_BREAKPOINT.finding(level, place, sentence)
            });
        }
    }
    if !source.has_breakpoints {
        return;
    }
    let ends = source.breakpoints.iter().map(|place| place.start).chain([source.text.len()]);
    let mut statement_idx = 0;
    let mut crowds: Vec<(usize, usize)> = Vec::new();
    let mut begin = 0;
    for end in ends {
        let first = statement_idx;
        // How many statements there are in what is no SQL nobody can say.
        let is_sql = !source.script.faults.iter().any(|fault| (begin..end).contains(&fault.at));
        begin = end;
        statement_idx += source.script.statements[first..].iter().take_while(|stated| stated.place.start < end).count();
        if is_sql && statement_idx - first > 1 {
            crowds.push((first + 1, statement_idx - first));
        }
    }
    for (second, n_statements) in crowds {
        let sentence = format!("{n_statements} statements are between two breakpoints");
        let at = source.script.statements[second].place.start;
        source.report(Found { rule: Named::Ours(&MISSING_BREAKPOINT), at, object: None, sentence });
    }
}
