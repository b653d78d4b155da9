//! Says which rule answers a question, and why the others do not. Pure: what it returns is shown by the command.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use crate::policy::conflicts;
use crate::policy::decide::{
    self, Applies, Count, Decision, Doubt, Objects, Question, Reading, Refusal, Scope, Stake, TablesByName,
};
use crate::policy::model::{Apply, HazardKey, HazardRule, Policies, Policy, RuleRef, Section, beside};
use crate::policy::name::{ObjectName, Pattern};
use crate::sql::hazard::{Class, Hazard, Object};

/// The answer to a question, with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Explanation {
    /// What was asked.
    pub(crate) question: String,
    pub(crate) answer: Answer,
    /// The rules that might have answered, each with the reason why it did not.
    pub(crate) not_used: Vec<String>,
}

/// What the policy answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Yes { what: String, because: RuleRef, warnings: Vec<String> },
    No(Refusal),
    Unclear(Doubt),
}

/// Explains the question whether an object is new or was renamed from one of others.
///
/// # Errors
/// When a name has the wrong form.
pub(crate) fn rename(policy: &Policy, section: Section, name: &str, from: &[String]) -> Result<Explanation, String> {
    let new = section.shape().parse(name)?;
    let old = from.iter().map(|old| beside(section, &new, old)).collect::<Result<Vec<_>, _>>()?;
    let candidates: Vec<String> = old.iter().map(ObjectName::to_string).collect();
    let reading = Reading { new: vec![new.clone()], old: old.iter().map(|old| vec![old.clone()]).collect() };
    let question = Question { section, readings: vec![reading], candidates: &candidates };
    let scope = certain(false);
    let decision = decide::question(policy, &question, &scope);
    let name_choice = |choice: usize| match choice.checked_sub(1).map(|idx| &candidates[idx]) {
        None => format!("{new} is new"),
        Some(old) => format!("{new} was {old}"),
    };
    let not_used = unused_renames(policy, section, &question.readings[0], &candidates, &decision, &scope);
    let asked = match candidates.as_slice() {
        [] => format!("is the {} {new} new, while nothing disappeared?", section.singular()),
        gone => format!("is the {} {new} new, or was it {}?", section.singular(), gone.join(" or ")),
    };
    Ok(Explanation { question: asked, answer: Answer::of(decision, name_choice), not_used })
}

/// Explains whether a hazard is allowed.
///
/// # Errors
/// When the name has the wrong form, or is missing.
pub(crate) fn hazard(
    policy: &Policy,
    hazard: Hazard,
    name: Option<&str>,
    rows: Option<u64>,
    accept_data_loss: bool,
) -> Result<Explanation, String> {
    let objects = match name {
        Some(_) if hazard.object() == Object::Nothing => return Err(format!("{hazard} names no object")),
        Some(name) => Objects::All(vec![HazardKey::Kind(hazard).shape().parse(name)?]),
        None => Objects::Unknown,
    };
    let stake = Stake { hazard, objects, count: rows.map(Count::Rows), note: None };
    let scope = certain(accept_data_loss);
    let answer = if hazard == Hazard::AddUnique {
        let name_choice =
            |choice: usize| if choice == 0 { "the rows are kept" } else { "the table is truncated" }.to_owned();
        Answer::of(decide::unique_stake(policy, &stake, "asked about", &scope), name_choice)
    } else {
        match decide::stakes(policy, std::slice::from_ref(&stake), &scope) {
            Err(refusal) => Answer::No(refusal),
            Ok(consent) => {
                let because = consent.because.into_iter().next().expect("one stake has one rule");
                Answer::Yes { what: "allowed".to_owned(), because, warnings: consent.warnings }
            }
        }
    };
    let counted = rows.map_or_else(String::new, |rows| format!(", {rows} rows"));
    let question = format!("is {stake}{counted} allowed? ({})", hazard.meaning());
    Ok(Explanation { question, answer, not_used: unused_hazards(policy, hazard, accept_data_loss) })
}

impl Answer {
    fn of(decision: Decision, name_choice: impl Fn(usize) -> String) -> Answer {
        match decision {
            Decision::Choose { choice, because, warnings } => {
                Answer::Yes { what: name_choice(choice), because, warnings }
            }
            Decision::Refuse(refusal) => Answer::No(refusal),
            Decision::Unclear(doubt) => Answer::Unclear(doubt),
        }
    }

    /// Returns the rule, if one answered.
    pub(crate) fn because(&self) -> Option<&RuleRef> {
        match self {
            Answer::Yes { because, .. } => Some(because),
            Answer::No(refusal) => refusal.because.as_ref(),
            Answer::Unclear(_) => None,
        }
    }
}

/// What a policy says in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Summary {
    /// The profile; none for what applies without one.
    pub profile: Option<String>,
    /// When it applies by itself.
    pub when: Vec<String>,
    /// The only commands that may run, if they are limited.
    pub commands: Option<Vec<String>>,
    #[serde(rename = "renames")]
    pub n_renames: usize,
    #[serde(rename = "create")]
    pub n_create: usize,
    #[serde(rename = "hazards")]
    pub n_hazards: usize,
    #[serde(rename = "prompts")]
    pub n_prompts: usize,
}

/// Summarises the policy without a profile and that of every profile.
pub fn summaries(policies: &Policies) -> Vec<Summary> {
    let base = Summary::of(&policies.base, Vec::new());
    let profiles = policies.profiles.values().map(|profile| {
        let env = profile.env.iter().map(ToString::to_string);
        let hosts = profile.hosts.iter().map(|host| format!("host {}", host.text()));
        Summary::of(&profile.policy, env.chain(hosts).collect())
    });
    std::iter::once(base).chain(profiles).collect()
}

/// Returns what is allowed to stand in a policy and yet is worth a second look.
pub fn warnings(policies: &Policies) -> Vec<String> {
    let all = std::iter::once(&policies.base).chain(policies.profiles.values().map(|profile| &profile.policy));
    all.flat_map(suspicious).chain(conflicts::conflicts(policies)).collect()
}

/// Returns the rules that speak of nothing in a plan, given the names that the plan has. That does no harm; it may be a
/// misspelling.
pub(crate) fn unmatched(policy: &Policy, names: &BTreeSet<ObjectName>) -> Vec<String> {
    let matches = |pattern: &Pattern| names.iter().any(|name| pattern.matches(name));
    let renames = policy.renames.rules.iter().filter(|rule| !names.contains(&rule.old) && !names.contains(&rule.new));
    let using = policy.push.using.iter().filter(|(column, _)| !names.contains(column));
    let created = policy.renames.create.values().flat_map(|create| &create.patterns);
    let created = created
        .filter(|pattern| !matches(&pattern.value))
        .map(|pattern| format!("{}: {}", pattern.rule, pattern.value.text()));
    let limits = policy.hazards.values().flat_map(|line| match &line.value {
        HazardRule::Limit { only: Some(only), .. } => only
            .iter()
            .filter(|pattern| !matches(pattern))
            .map(|pattern| format!("{}: {}", line.rule, pattern.text()))
            .collect(),
        _ => Vec::new(),
    });
    let rules = renames.map(|rule| rule.rule.to_string()).chain(using.map(|(_, using)| using.rule.to_string()));
    rules.chain(created).chain(limits).map(|rule| format!("{rule} matches nothing in the plan")).collect()
}

fn suspicious(policy: &Policy) -> Vec<String> {
    let mut warnings = Vec::new();
    // What a profile takes over from the file is reported once, there.
    let own: Vec<_> = policy.hazards.iter().filter(|(_, line)| line.layer == policy.profile).collect();
    for (key, line) in &own {
        match key {
            HazardKey::Class(class) => {
                let kinds = class.kinds().filter_map(|kind| policy.hazards.get(&HazardKey::Kind(kind)));
                let shadowing: Vec<_> = kinds.filter(|kind| kind.layer != line.layer).collect();
                warnings.extend(shadowing.iter().map(|kind| {
                    format!("{} does not apply to {}: a kind's own line takes precedence", line.rule, kind.rule)
                }));
            }
            HazardKey::Kind(Hazard::Unclassified) if matches!(line.value, HazardRule::Approve) => {
                warnings.push(format!("{} allows statements that drizzle-pilot does not understand", line.rule));
            }
            HazardKey::Kind(_) => {}
        }
    }
    warnings.extend(without_transaction(policy));
    for rule in policy.prompts.rules.iter().filter(|_| policy.prompts.layer == policy.profile) {
        if rule.question.is_match("") {
            warnings.push(format!("{} matches every question, or an empty one", rule.rule));
        }
    }
    warnings
}

/// Returns a warning for what has no effect where drizzle-kit runs the statements. Each is given once: for the part of
/// the file that has the line, and for a profile that takes the transaction away.
fn without_transaction(policy: &Policy) -> Vec<String> {
    let (Apply::Kit, apply) = policy.apply() else { return Vec::new() };
    let takes_away = policy.push.apply.layer == policy.profile;
    let skip = policy.hazard_line(Hazard::Truncate).filter(|line| matches!(line.value, HazardRule::Skip));
    let using = policy.push.using.values().map(|using| (&using.layer, &using.rule));
    let lines = skip.map(|line| (&line.layer, &line.rule)).into_iter().chain(using);
    let own = lines.filter(|(layer, _)| takes_away || **layer == policy.profile);
    own.map(|(_, rule)| {
        format!("{rule} has no effect without --apply transaction: drizzle-kit runs the statements ({apply})")
    })
    .collect()
}

impl Summary {
    fn of(policy: &Policy, when: Vec<String>) -> Summary {
        Summary {
            profile: policy.profile.clone(),
            when,
            commands: policy.guard.commands.as_ref().map(|commands| commands.value.clone()),
            n_renames: policy.renames.rules.len(),
            n_create: policy.renames.create.values().map(|create| create.patterns.len()).sum(),
            n_hazards: policy.hazards.len(),
            n_prompts: policy.prompts.rules.len(),
        }
    }
}

/// Shows one line.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.profile {
            Some(profile) => write!(f, "profile {profile}: ")?,
            None => f.write_str("without a profile: ")?,
        }
        let counts = [
            (self.n_renames, "rename", "renames"),
            (self.n_create, "name of what is new", "names of what is new"),
            (self.n_hazards, "line on hazards", "lines on hazards"),
            (self.n_prompts, "question", "questions"),
        ];
        let counts = counts.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many }));
        f.write_str(&counts.join(", "))?;
        if !self.when.is_empty() {
            write!(f, "; applies with {}", self.when.join(" or "))?;
        }
        match &self.commands {
            Some(commands) if commands.is_empty() => f.write_str("; no command may run"),
            Some(commands) => write!(f, "; only {} may run", commands.join(", ")),
            None => Ok(()),
        }
    }
}

/// The names given on the command line are whole, so that nothing needs to be looked up.
fn certain(accept_data_loss: bool) -> Scope<'static> {
    Scope { schemas: &[], tables: &TablesByName::UNKNOWN, renamed: &[], accept_data_loss }
}

fn unused_renames(
    policy: &Policy,
    section: Section,
    reading: &Reading,
    candidates: &[String],
    decision: &Decision,
    scope: &Scope<'_>,
) -> Vec<String> {
    let mut unused = Vec::new();
    let mut n_others = 0;
    let sections = decide::sections(section);
    let applied = |rule: &RuleRef| matches!(decision, Decision::Choose { because, .. } if because == rule);
    let mut renamed = false;
    for rule in policy.renames.rules.iter().filter(|rule| sections.contains(&rule.section)) {
        match rule.applies(reading, scope) {
            Applies::To(_) | Applies::Perhaps => renamed = true,
            Applies::No if reading.new.contains(&rule.new) => {
                let among =
                    if candidates.is_empty() { "nothing disappeared" } else { "that is not one of the old names" };
                unused.push(format!("{}: renames it from {}, but {among}", rule.rule, rule.old));
            }
            Applies::No if reading.old.iter().flatten().any(|old| *old == rule.old) => {
                unused.push(format!("{}: renames {} to {}", rule.rule, rule.old, rule.new));
            }
            Applies::No => n_others += 1,
        }
    }
    let creates =
        sections.iter().filter_map(|section| policy.renames.create.get(section)).flat_map(|create| &create.patterns);
    for pattern in creates {
        let matches = reading.new.iter().any(|name| pattern.value.matches(name));
        if !matches {
            n_others += 1;
        } else if renamed {
            unused.push(format!(
                "{}: {} matches, but a rename rule takes precedence",
                pattern.rule,
                pattern.value.text()
            ));
        } else if !applied(&pattern.rule) {
            unused.push(format!("{}: {} matches too", pattern.rule, pattern.value.text()));
        }
    }
    if n_others > 0 {
        let rules = if n_others == 1 { "rule names" } else { "rules name" };
        unused.push(format!("{n_others} more {rules} other {}", section.key().replace('_', " ")));
    }
    unused
}

fn unused_hazards(policy: &Policy, hazard: Hazard, accept_data_loss: bool) -> Vec<String> {
    let mut unused = Vec::new();
    let line = |key: HazardKey| policy.hazards.get(&key);
    if let (Some(_), Some(class)) = (line(HazardKey::Kind(hazard)), line(HazardKey::Class(hazard.class()))) {
        unused.push(format!("{}: the kind's own line takes precedence", class.rule));
    }
    if policy.hazard_line(hazard).is_some() {
        let word = if hazard.class().refused_by_default() { "refuse" } else { "approve" };
        unused.push(format!("the default of {} is {word}", hazard.class()));
    }
    let of_no_use = match policy.bans_accepting_data_loss() {
        _ if accept_data_loss && hazard.class() != Class::DataLoss => Some("it only approves data loss".to_owned()),
        Some(rule) => Some(format!("banned by {rule}")),
        None => None,
    };
    unused.extend(of_no_use.filter(|_| accept_data_loss).map(|reason| format!("--accept-data-loss: {reason}")));
    unused
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.question)?;
        match &self.answer {
            Answer::Yes { what, .. } => writeln!(f, "answer: {what}")?,
            Answer::No(refusal) => writeln!(f, "{refusal}")?,
            Answer::Unclear(doubt) => writeln!(f, "{doubt}")?,
        }
        if let Some(because) = self.answer.because() {
            writeln!(f, "because: {because}")?;
        }
        if let Answer::Yes { warnings, .. } = &self.answer {
            warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))?;
        }
        if !self.not_used.is_empty() {
            writeln!(f, "not used:")?;
            self.not_used.iter().try_for_each(|rule| writeln!(f, "  {rule}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file;

    #[test]
    fn a_rule_that_speaks_of_nothing_in_a_plan_is_named() {
        let policies = file::parse(
            Path::new("p.toml"),
            "[renames.tables]\norders = 'purchases'\nolder = 'newer'\n[create]\ntables = ['audit_*', 'log_*']\n\
             [hazards]\ndrop_column = { only = ['users.legacy_*', 'users.misspelt'] }\n",
        );
        let policy = policies.expect("it is a policy").select(None, &|_| None, None).expect("it has no profile");
        let names = [
            &["public", "orders"][..],
            &["public", "purchases"],
            &["public", "audit_1"],
            &["public", "users", "legacy_id"],
        ];
        let names = names.into_iter().map(|parts| ObjectName::new(parts.iter().copied())).collect();
        assert_eq!(
            unmatched(&policy, &names),
            [
                "p.toml:3 renames.tables.older matches nothing in the plan",
                "p.toml:5 create.tables: log_* matches nothing in the plan",
                "p.toml:7 hazards.drop_column: users.misspelt matches nothing in the plan",
            ]
        );
    }
}
