//! Ignore comments: `-- drizzle-pilot-ignore drop-table, drop-column` for the next statement, or for the one it stands in
//! or behind; `-- drizzle-pilot-ignore-file drop-table` for the whole file. Words behind `--` or `:` are for people.

use std::ops::Range;

use crate::migrations::rule::{Named, NoRule};
use crate::sql::script::Script;

const IGNORE: &str = "drizzle-pilot-ignore";
const IGNORE_FILE: &str = "drizzle-pilot-ignore-file";

/// An ignore comment.
pub(super) struct Ignore {
    /// What it is for, in the text.
    covered: Range<usize>,
    rules: Vec<Named>,
    /// What it names that is no rule, and where.
    pub(super) unknown: Vec<(usize, String)>,
}

impl Ignore {
    /// Tells whether a finding of a rule at this place is ignored.
    pub(super) fn covers(&self, rule: Named, at: usize) -> bool {
        self.covered.contains(&at) && self.rules.contains(&rule)
    }
}

/// Reads the ignore comments of a file.
pub(super) fn read(script: &Script<'_>) -> Vec<Ignore> {
    script.comments.iter().filter_map(|comment| one(script, comment)).collect()
}

fn one(script: &Script<'_>, comment: &Range<usize>) -> Option<Ignore> {
    let text = script.text[comment.clone()].trim_end_matches("*/");
    let body = text.trim_start_matches(['-', '/', '*', '#', ' ', '\t']);
    let (names, covered) = match body.strip_prefix(IGNORE_FILE) {
        Some(names) => (names, 0..usize::MAX),
        None => (body.strip_prefix(IGNORE)?, covered(script, comment)),
    };
    // `drizzle-pilot-ignored` is another word.
    if names.starts_with(|c: char| !c.is_whitespace() && c != ':') {
        return None;
    }
    let names = names.split("--").next().unwrap_or_default();
    let names = names.trim_start_matches(':').split(':').next().unwrap_or_default();
    let mut ignore = Ignore { covered, rules: Vec::new(), unknown: Vec::new() };
    for name in names.split(|c: char| c == ',' || c.is_whitespace()).filter(|name| !name.is_empty()) {
        match Named::find(name) {
            Ok(rule) => ignore.rules.push(rule),
            Err(no_rule) => {
                let at = comment.start + (name.as_ptr() as usize - text.as_ptr() as usize);
                let sentence = match no_rule {
                    NoRule::Instead(ours) => format!("there is no rule {name:?}; use {ours} instead"),
                    NoRule::Unknown => format!("there is no rule {name:?}"),
                };
                ignore.unknown.push((at, sentence));
            }
        }
    }
    Some(ignore)
}

/// Returns what a comment is for: the statement it stands in or behind on the same line, else the next one.
fn covered(script: &Script<'_>, comment: &Range<usize>) -> Range<usize> {
    let statements = || script.statements.iter().map(|stated| stated.place.clone());
    let is_behind =
        |place: &Range<usize>| place.end <= comment.start && !script.text[place.end..comment.start].contains('\n');
    let own = statements().find(|place| place.contains(&comment.start) || is_behind(place));
    let next = || statements().find(|place| place.start >= comment.end);
    own.or_else(next).map_or(0..0, |place| place.start..place.end + 1)
}
