//! The rules of squawk, a linter for PostgreSQL: those that know something we do not.

use std::collections::BTreeSet;

use squawk_linter::{Linter, LinterSettings, Rule as SquawkRule, Violation};

use crate::migrations::finding::Finding;
use crate::migrations::lint::source::Source;
use crate::migrations::rule::{Named, SQUAWKS, squawks};

/// Of this one we know more: which tables have rows, and what a column holds.
pub(super) const ADDED_VALUE: (&str, SquawkRule) = ("adding-field-with-default", SquawkRule::AddingFieldWithDefault);

pub(super) fn check(source: &mut Source<'_>) {
    let Some(tree) = source.script.tree.clone() else { return };
    let wanted = squawks().iter().filter(|(id, rule)| (source.wishes.level)(Named::Squawk(id, **rule)).is_some());
    let rules: Vec<SquawkRule> = wanted.map(|(_, rule)| *rule).filter(|rule| *rule != ADDED_VALUE.1).collect();
    if rules.is_empty() {
        return;
    }
    let mut linter = Linter::from(rules);
    linter.settings = LinterSettings { assume_in_transaction: true, ..LinterSettings::default() };
    // It says the same once for each of the places that belong together.
    let mut said = BTreeSet::new();
    for violation in linter.lint(&tree, source.script.text) {
        let at = usize::from(violation.text_range.start());
        let statement = source.script.statements.iter().rposition(|stated| stated.place.start <= at);
        let Some(statement_idx) = statement else { continue };
        if said.insert((statement_idx, violation.code.to_string(), violation.message.clone())) {
            take(source, &violation);
        }
    }
}

fn take(source: &mut Source<'_>, violation: &Violation) {
    let at = usize::from(violation.text_range.start());
    let message = violation.message.trim_end_matches('.').to_owned();
    let Some((id, rule)) = squawks().iter().find(|(_, rule)| **rule == violation.code) else { return };
    let own = SQUAWKS.iter().find(|squawk| squawk.id == id);
    let (sentence, why) = match own {
        Some(own) => (own.means.to_owned(), message),
        None => (message, format!("this is squawk's rule {id}")),
    };
    let what_to_do = violation.help.clone().unwrap_or_else(|| format!("see https://squawkhq.com/docs/{id}"));
    source.report_at(Named::Squawk(id, *rule), at, None, |place, level| Finding {
        id,
        level,
        place,
        sentence,
        why,
        what_to_do,
        about: None,
    });
}
