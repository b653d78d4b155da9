//! Ignore comments that name no rule.

use crate::migrations::lint::source::Source;
use crate::migrations::rule::{Named, UNKNOWN_IGNORE};

/// Reports what the comments name that is no rule.
pub(super) fn check(source: &mut Source<'_>) {
    let unknown: Vec<(usize, String)> = source.ignores.iter().flat_map(|ignore| ignore.unknown.clone()).collect();
    for (at, sentence) in unknown {
        source.report_at(Named::Ours(&UNKNOWN_IGNORE), at, None, |place, level| {
            UNKNOWN_IGNORE.finding(level, place, sentence)
        });
    }
}
