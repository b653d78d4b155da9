//! The rules of squawk, a linter for PostgreSQL: those that know something we do not.

use std::collections::BTreeSet;

use squawk_linter::{Linter, LinterSettings, Rule as SquawkRule, Violation};

use super::source::Source;
use crate::migrations::finding::Finding;
use crate::migrations::rule::{Named, SQUAWKS, squawks};
use crate::migrations::schema::Schema;
use crate::sql::action::{Action, Step, Value};

pub(super) fn check(source: &mut Source<'_>, schema: &Schema) {
    let Some(tree) = source.script.tree.clone() else { return };
    let wanted = squawks().iter().filter(|(id, rule)| (source.wishes.level)(Named::Squawk(id, **rule)).is_some());
    let rules: Vec<SquawkRule> = wanted.map(|(_, rule)| *rule).collect();
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
        if is_harmless(source, &violation, statement_idx, schema) {
            continue;
        }
        if said.insert((statement_idx, violation.code.to_string(), violation.message.clone())) {
            take(source, &violation);
        }
    }
}

/// Tells whether squawk minds a column of a table that has no rows, or a value that is the same in every row.
fn is_harmless(source: &Source<'_>, violation: &Violation, statement_idx: usize, schema: &Schema) -> bool {
    if violation.code != SquawkRule::AddingFieldWithDefault {
        return false;
    }
    let before = source.script.statements[..statement_idx].iter().flat_map(|stated| &stated.steps);
    let mut schema = schema.clone();
    before.for_each(|step| schema.apply(step));
    let writes = |step: &Step| match &step.action {
        Action::AddColumn { table, column, .. } => {
            !schema.is_empty(table) && matches!(column.value, Value::Each | Value::Generated | Value::Next)
        }
        _ => false,
    };
    !source.script.statements[statement_idx].steps.iter().any(writes)
}

fn take(source: &mut Source<'_>, violation: &Violation) {
    let at = usize::from(violation.text_range.start());
    let message = violation.message.trim_end_matches('.').to_owned();
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
        about: None,
    });
}
