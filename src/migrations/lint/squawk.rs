//! The rules of squawk, a linter for PostgreSQL: those that know something we do not, and those that speak for a rule of
//! ours where our own reading of a statement is incomplete.

use std::collections::BTreeSet;

use squawk_linter::{Linter, LinterSettings, Rule as SquawkRule, Violation};

use super::source::Source;
use crate::migrations::finding::Finding;
use crate::migrations::rule::{
    BLOCKING_INDEX, DROP_COLUMN, DROP_POLICY, DROP_SCHEMA, DROP_SEQUENCE, DROP_TABLE, DROP_TYPE, Named, OURS,
    RENAME_COLUMN, RENAME_TABLE, Rule, SQUAWKS, TRUNCATE, squawks,
};
use crate::sql::effect::Effect;
use crate::sql::script::Stated;

/// The rules of ours for which squawk's may speak: what they find is in the statement itself.
const SPOKEN_FOR: [&Rule; 10] = [
    &DROP_TABLE,
    &DROP_COLUMN,
    &DROP_SCHEMA,
    &DROP_SEQUENCE,
    &DROP_TYPE,
    &DROP_POLICY,
    &TRUNCATE,
    &RENAME_TABLE,
    &RENAME_COLUMN,
    &BLOCKING_INDEX,
];

pub(super) fn check(source: &mut Source<'_>) {
    let Some(tree) = source.script.tree.clone() else { return };
    let wanted = squawks().iter().map(|(id, rule)| (Named::Squawk(id, *rule), *rule));
    let mut rules: Vec<SquawkRule> =
        wanted.filter(|(named, _)| (source.wishes.level)(*named).is_some()).map(|(_, rule)| rule).collect();
    let is_unknown = |stated: &Stated| stated.reading.effects.contains(&Effect::Unknown);
    if source.script.statements.iter().any(is_unknown) {
        rules.extend(OURS.iter().filter(|(_, ours)| SPOKEN_FOR.contains(ours)).map(|(rule, _)| *rule));
    }
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
            take(source, &violation, statement_idx, is_unknown);
        }
    }
}

fn take(source: &mut Source<'_>, violation: &Violation, statement_idx: usize, is_unknown: impl Fn(&Stated) -> bool) {
    let at = usize::from(violation.text_range.start());
    let message = violation.message.trim_end_matches('.').to_owned();
    if let Some((_, ours)) = OURS.iter().find(|(rule, _)| *rule == violation.code) {
        if is_unknown(&source.script.statements[statement_idx]) {
            source.report(ours, statement_idx, None, ours.means.to_owned());
        }
        return;
    }
    let Some((id, rule)) = squawks().iter().find(|(_, rule)| **rule == violation.code) else { return };
    let own = SQUAWKS.iter().find(|squawk| squawk.id == id);
    let (sentence, why) = match own {
        Some(own) => (own.means.to_owned(), message),
        None => (message, format!("it is squawk's rule {id}")),
    };
    let what_to_do = violation.help.clone().unwrap_or_else(|| format!("see https://squawkhq.com/docs/{id}"));
    source.report_at(Named::Squawk(id, *rule), at, None, |place, level| Finding {
        id,
        level,
        place,
        sentence,
        why,
        what_to_do,
    });
}
