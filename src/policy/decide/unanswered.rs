//! Writes the lines that would answer a question about a rename. Pure.

use crate::policy::allow::{Allow, layered};
use crate::policy::decide::decision::Refusal;
use crate::policy::decide::question::Question;
use crate::policy::decide::scope::Scope;
use crate::policy::edit::{Draft, string};
use crate::policy::model::{Policy, RuleRef, Section};
use crate::policy::name::ObjectName;
use crate::policy::wording::one_line;

/// Refuses a question that no rule answers.
pub(super) fn refusal(policy: &Policy, question: &Question<'_>, because: RuleRef, scope: &Scope<'_>) -> Refusal {
    let section = question.section;
    let names: Vec<String> = question.readings.iter().map(|reading| reading.name().to_string()).collect();
    let what = format!(
        "no rule says whether {} {} is new or was renamed from {}",
        section.singular(),
        names.join(" or "),
        question.candidates.join(", "),
    );
    let what = one_line(&what);
    let renames = question.candidates.iter().enumerate().filter_map(|(candidate_idx, candidate)| {
        Allow::of(policy.source(), &format!("if it was renamed from {candidate}"), |draft| {
            question.readings.iter().rev().try_for_each(|reading| {
                let (old, new) = reading.pair(candidate_idx)?;
                add_rename(policy, draft, section, &scope.spelled(old), new)
            })
        })
    });
    let create = Allow::of(policy.source(), "if it is new", |draft| {
        question
            .readings
            .iter()
            .rev()
            .try_for_each(|reading| add_create(policy, draft, section, &scope.spelled(reading.name())))
    });
    Refusal { what, because: Some(because), allow: renames.chain(create).collect() }
}

fn add_rename(policy: &Policy, draft: &mut Draft, section: Section, old: &ObjectName, new: &ObjectName) -> Option<()> {
    remove_renames_to(policy, draft, section, new, Some(old))?;
    let stays = old.parent() == new.parent();
    let value = if stays { part(new.last()) } else { new.to_string() };
    let known = policy.renames.rules.iter().find(|rule| rule.section == section && rule.old == *old);
    let (layer, key) = match known {
        Some(rule) => (rule.layer.as_deref(), rule.key.clone()),
        None => (None, old.to_string()),
    };
    draft.set(&layered(layer, &["renames", section.key(), &key]), string(&value))
}

fn add_create(policy: &Policy, draft: &mut Draft, section: Section, new: &ObjectName) -> Option<()> {
    remove_renames_to(policy, draft, section, new, None)?;
    let layer = policy.renames.create.get(&section).and_then(|create| create.layer.as_deref());
    draft.push(&layered(layer, &["create", section.key()]), &new.to_string())
}

/// Removes the rules that say that an object has another old name, because two answers would contradict each other.
fn remove_renames_to(
    policy: &Policy,
    draft: &mut Draft,
    section: Section,
    new: &ObjectName,
    keep: Option<&ObjectName>,
) -> Option<()> {
    let stale = policy.renames.rules.iter().filter(|rule| rule.section == section && rule.new == *new);
    stale
        .filter(|rule| Some(&rule.old) != keep)
        .try_for_each(|rule| draft.remove(&layered(rule.layer.as_deref(), &["renames", section.key(), &rule.key])))
}

fn part(name: &str) -> String {
    ObjectName::new([name]).to_string()
}
