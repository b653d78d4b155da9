//! Answers questions by the policy. Pure: a policy and a question in, an answer with its rule out.

use std::fmt;

use super::allow::{Allow, Draft};
use super::file::toml_string;
use super::model::{
    HazardKey, HazardRule, Origin, Otherwise, Policy, PromptAnswer, PromptRule, Rename as RenameRule, RuleRef, Section,
};
use super::name::{ObjectName, PUBLIC, Pattern, Shape};
use crate::kit::prompt::{self, Kind, Loss, LossKind, Prompt, Unique};
use crate::sql::hazard::{Class, Hazard};

/// What is decided about a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Take this choice.
    Choose { choice: usize, because: RuleRef, warnings: Vec<String> },
    /// The policy forbids it, or does not know it.
    Refuse(Refusal),
    /// The question or the policy has two readings.
    Unclear(Doubt),
}

/// What the policy does not allow, and what would.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked or what would be lost, one line each.
    pub what: String,
    /// The first rule that refuses. None where no rule could allow it.
    pub because: Option<RuleRef>,
    /// Ways to allow all of it. Empty where no rule can.
    pub allow: Vec<Allow>,
}

/// Why a question cannot be answered although it was understood, and what would answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doubt {
    pub reason: String,
    pub allow: Vec<Allow>,
}

/// What is known about the run beside the policy.
pub struct Scope<'a> {
    /// The schemas of drizzle's configuration; names, not patterns. Empty where the dialect has none, or `public` alone.
    pub schemas: &'a [String],
    /// Returns the schemas that hold a table or view of a name before the run. `None`: that cannot be known.
    pub tables_named: &'a dyn Fn(&str) -> Option<Vec<String>>,
    /// The schemas and tables renamed so far in this run, old and new name, in the order of the answers.
    pub renamed: &'a [(ObjectName, ObjectName)],
    /// `--accept-data-loss` was given.
    pub accept_data_loss: bool,
}

/// A hazard with the objects and the rows it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stake {
    pub hazard: Hazard,
    pub objects: Objects,
    pub count: Option<Count>,
}

/// The objects that a hazard concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// All of these.
    All(Vec<ObjectName>),
    /// One of these; which one cannot be told.
    OneOf(Vec<ObjectName>),
    Unknown,
}

/// How much is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Rows(u64),
    /// A schema is counted in tables, and no limit of rows applies to it.
    Tables(u64),
}

/// The consent of the policy to stakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The rule for each stake, in their order.
    pub because: Vec<RuleRef>,
    /// One for each stake.
    pub warnings: Vec<String>,
}

/// Decides a prompt.
pub fn prompt(policy: &Policy, prompt: &Prompt, scope: &Scope<'_>) -> Decision {
    let decision = match &prompt.kind {
        Kind::Rename(asked) => rename(policy, asked, scope),
        Kind::Unique(asked) => unique(policy, asked, scope),
        // Nothing is announced, and the statements have been through the gate of their own.
        Kind::Execute => chosen(1, RuleRef::built_in("")),
        Kind::DataLoss(losses) => data_loss(policy, losses, scope),
        Kind::DropMigration => Decision::Refuse(Refusal {
            what: "drizzle-kit drop deletes a migration file; no rule can allow it".to_owned(),
            because: None,
            allow: Vec::new(),
        }),
        Kind::Unknown => unknown(policy, prompt),
    };
    match decision {
        Decision::Choose { choice, because, .. } if choice >= prompt.choices.len() => {
            doubt(format!("choice {choice} of {because} is not on the list of {}", prompt.choices.len()))
        }
        decision => decision,
    }
}

/// Decides whether stakes are allowed: those of one warning, of one statement or of a whole plan.
///
/// # Errors
/// The refusal names everything that is not allowed, and the lines that would allow all of it.
pub fn stakes(policy: &Policy, stakes: &[Stake], scope: &Scope<'_>) -> Result<Consent, Refusal> {
    let mut consent = Consent { because: Vec::new(), warnings: Vec::new() };
    let mut refused: Vec<(&Stake, RuleRef, String)> = Vec::new();
    for stake in stakes {
        let (rule, rule_ref) = policy.hazard(stake.hazard);
        match stake.unmet(&rule, scope) {
            None => consent.add(stake, rule_ref),
            Some(_) if scope.accepts(policy, stake.hazard) => consent.add(stake, FLAG_RULE),
            Some(unmet) => refused.push((stake, rule_ref, unmet)),
        }
    }
    let Some((_, because, _)) = refused.first() else { return Ok(consent) };
    let what = refused.iter().map(|(stake, rule_ref, unmet)| match rule_ref.origin {
        Origin::BuiltIn => stake.feared(),
        _ => format!("{} ({rule_ref}: {unmet})", stake.feared()),
    });
    let allow = Allow::of(policy.source(), "to allow exactly this", |draft| {
        let mut widened: Vec<(Hazard, HazardRule)> = Vec::new();
        for (stake, _, _) in &refused {
            let known = widened.iter().position(|(hazard, _)| *hazard == stake.hazard);
            let before = known.map_or_else(|| own_rule(policy, stake.hazard), |idx| widened.remove(idx).1);
            widened.push((stake.hazard, stake.widened(before, scope)));
        }
        widened.iter().try_for_each(|(hazard, rule)| set_hazard(policy, draft, *hazard, rule))
    });
    let what = what.collect::<Vec<_>>().join("\n");
    Err(Refusal { what, because: Some(because.clone()), allow: allow.into_iter().collect() })
}

/// Returns the old and the new name of the schema or table that an answer renames, for [`Scope::renamed`].
pub fn renamed(prompt: &Prompt, choice: usize, schemas: &[String]) -> Option<(ObjectName, ObjectName)> {
    let Kind::Rename(rename) = &prompt.kind else { return None };
    let shape = match Section::from(rename.entity) {
        section @ (Section::Schemas | Section::Tables) => section.shape(),
        _ => return None,
    };
    let old = rename.candidates.get(choice.checked_sub(1)?)?;
    let read = |shown: &str| ObjectName::readings(shown, shape, schemas).into_iter().next();
    Some((read(old)?, read(&rename.name)?))
}

const FLAG_RULE: RuleRef =
    RuleRef { path: String::new(), origin: Origin::Flag("--accept-data-loss") };

fn chosen(choice: usize, because: RuleRef) -> Decision {
    Decision::Choose { choice, because, warnings: Vec::new() }
}

fn doubt(reason: impl Into<String>) -> Decision {
    Decision::Unclear(Doubt { reason: reason.into(), allow: Vec::new() })
}

/// "Is X created or renamed from Y?" with the names as the policy would write them.
pub(super) struct Question<'a> {
    /// The kind of object that drizzle-kit asks about.
    pub(super) section: Section,
    /// What drizzle-kit may mean. Several where its tables have no schema and several schemas come into question.
    pub(super) readings: Vec<Reading>,
    /// The old names as drizzle-kit shows them.
    pub(super) candidates: &'a [String],
}

/// One reading of the names in a question.
pub(super) struct Reading {
    /// The names that the new object may have, the likeliest first.
    pub(super) new: Vec<ObjectName>,
    /// The names that each candidate may have.
    pub(super) old: Vec<Vec<ObjectName>>,
}

/// The answer to one reading.
enum Answer<'p> {
    Rename { choice: usize, rule: &'p RuleRef },
    Create { rule: &'p RuleRef },
    /// No rule speaks of it.
    Silent,
    Doubt(String),
}

fn rename(policy: &Policy, rename: &prompt::Rename, scope: &Scope<'_>) -> Decision {
    let section = Section::from(rename.entity);
    let readings = match &rename.table {
        Some(table) => {
            let child = |table: &ObjectName, name: &String| vec![table.child(name)];
            let tables = scope.tables_shown(table).into_iter();
            let readings = tables.map(|table| Reading {
                new: child(&table, &rename.name),
                old: rename.candidates.iter().map(|old| child(&table, old)).collect(),
            });
            readings.collect()
        }
        None => {
            let read = |shown: &String| ObjectName::readings(shown, section.shape(), scope.schemas);
            vec![Reading { new: read(&rename.name), old: rename.candidates.iter().map(read).collect() }]
        }
    };
    question(policy, &Question { section, readings, candidates: &rename.candidates }, scope)
}

/// Returns the sections whose rules answer a question about a kind of object.
pub(super) fn sections(asked: Section) -> &'static [Section] {
    match asked {
        // drizzle-kit 0.27 to 0.31 calls the policies of a table "column".
        Section::Columns => &[Section::Columns, Section::Policies],
        _ => {
            let section_idx = Section::ALL.iter().position(|section| *section == asked);
            let section_idx = section_idx.expect("the list has every section");
            &Section::ALL[section_idx..=section_idx]
        }
    }
}

/// Decides a question about a rename.
pub(super) fn question(policy: &Policy, question: &Question<'_>, scope: &Scope<'_>) -> Decision {
    let mut decided: Option<(Option<usize>, RuleRef, &Reading)> = None;
    for reading in &question.readings {
        let (choice, because) = match answer(policy, sections(question.section), reading, scope) {
            Answer::Doubt(reason) => return doubt(reason),
            Answer::Rename { choice, rule } => (Some(choice), rule.clone()),
            Answer::Create { rule } => (Some(0), rule.clone()),
            Answer::Silent if question.candidates.is_empty() => {
                (Some(0), RuleRef { path: String::new(), origin: Origin::OnlyChoice })
            }
            Answer::Silent => match policy.otherwise.value {
                Otherwise::Create => (Some(0), policy.otherwise.rule.clone()),
                Otherwise::Refuse => (None, policy.otherwise.rule.clone()),
            },
        };
        match &decided {
            None => decided = Some((choice, because, reading)),
            Some((other, _, _)) if *other == choice => {}
            Some((_, other_rule, other)) => {
                return doubt(format!(
                    "drizzle-kit does not say whether it means {} ({other_rule}) or {} ({because}), \
                     and the answers differ",
                    other.name(),
                    reading.name(),
                ));
            }
        }
    }
    match decided {
        None => doubt("the names in the question cannot be read"),
        Some((Some(choice), because, _)) => chosen(choice, because),
        Some((None, because, _)) => Decision::Refuse(unanswered(policy, question, because, scope)),
    }
}

/// Looks for the rules that speak of one reading.
fn answer<'p>(policy: &'p Policy, sections: &[Section], reading: &Reading, scope: &Scope<'_>) -> Answer<'p> {
    let mut rename: Option<(usize, &RuleRef)> = None;
    for rule in policy.renames.iter().filter(|rule| sections.contains(&rule.section)) {
        match rule.applies(reading, scope) {
            Applies::No => {}
            Applies::Perhaps => {
                return Answer::Doubt(format!(
                    "{} may mean the old or the new bearer of a name that changes hands in this run",
                    rule.rule
                ));
            }
            Applies::To(choice) => match rename {
                Some((other, other_rule)) if other != choice => {
                    return Answer::Doubt(format!("{other_rule} and {} give different answers", rule.rule));
                }
                _ => rename = Some((choice, &rule.rule)),
            },
        }
    }
    let names: Vec<ObjectName> = reading.new.iter().flat_map(|name| scope.names(name)).collect();
    let creates = sections.iter().filter_map(|section| policy.create.get(section));
    let mut creates = creates
        .flat_map(|create| &create.patterns)
        .filter(|pattern| names.iter().any(|name| pattern.value.matches(name)));
    match (rename, creates.clone().find(|pattern| pattern.value.exact().is_some())) {
        (Some((_, rule)), Some(exact)) => {
            Answer::Doubt(format!("{rule} and {} give different answers", exact.rule))
        }
        (Some((choice, rule)), None) => Answer::Rename { choice, rule },
        (None, _) => creates.next().map_or(Answer::Silent, |pattern| Answer::Create { rule: &pattern.rule }),
    }
}

/// Whether a rename rule speaks of a question.
pub(super) enum Applies {
    No,
    /// It takes this choice.
    To(usize),
    /// A table got the name that another had, and the rule's name may be that of either.
    Perhaps,
}

impl RenameRule {
    pub(super) fn applies(&self, reading: &Reading, scope: &Scope<'_>) -> Applies {
        // A rule may use the names from before or after the renames of this run.
        let fits = |name: &ObjectName, asked: &[ObjectName]| {
            let now = scope.now(name);
            (asked.contains(name), asked.contains(&now), now == *name)
        };
        let new = fits(&self.new, &reading.new);
        if !new.0 && !new.1 {
            return Applies::No;
        }
        let old = reading.old.iter().enumerate().map(|(idx, old)| (idx, fits(&self.old, old)));
        let Some((candidate, old)) = old.into_iter().find(|(_, old)| old.0 || old.1) else { return Applies::No };
        // The name as written is that of another object by now.
        let stale = |(written, _, unmoved): (bool, bool, bool)| written && !unmoved;
        if stale(old) { Applies::Perhaps } else { Applies::To(candidate + 1) }
    }
}

impl Reading {
    /// Returns the likeliest name of the new object.
    pub(super) fn name(&self) -> &ObjectName {
        self.new.first().expect("every text can be read as a name")
    }
}

/// Refuses a question that no rule answers.
fn unanswered(policy: &Policy, question: &Question<'_>, because: RuleRef, scope: &Scope<'_>) -> Refusal {
    let section = question.section;
    let names: Vec<String> = question.readings.iter().map(|reading| reading.name().to_string()).collect();
    let what = format!(
        "no rule says whether {} {} is new or was renamed from {}",
        section.singular(),
        names.join(" or "),
        question.candidates.join(", "),
    );
    let renames = question.candidates.iter().enumerate().filter_map(|(candidate_idx, candidate)| {
        Allow::of(policy.source(), format!("if it was renamed from {candidate}"), |draft| {
            question.readings.iter().try_for_each(|reading| {
                let old = scope.spelled(reading.old[candidate_idx].first()?);
                add_rename(policy, draft, section, &old, reading.name())
            })
        })
    });
    let create = Allow::of(policy.source(), "if it is new", |draft| {
        question.readings.iter().try_for_each(|reading| add_create(policy, draft, section, &scope.spelled(reading.name())))
    });
    Refusal { what, because: Some(because), allow: renames.chain(create).collect() }
}

fn add_rename(policy: &Policy, draft: &mut Draft, section: Section, old: &ObjectName, new: &ObjectName) -> Option<()> {
    remove_renames_to(policy, draft, section, new, Some(old))?;
    let stays = old.parent() == new.parent();
    let value = if stays { part(new.last()) } else { new.to_string() };
    let known = policy.renames.iter().find(|rule| rule.section == section && rule.old == *old);
    let (layer, key) = match known {
        Some(rule) => (rule.layer.as_deref(), rule.key.clone()),
        None => (None, old.to_string()),
    };
    draft.set(&layered(layer, &["renames", section.key(), &key]), &toml_string(&value))
}

fn add_create(policy: &Policy, draft: &mut Draft, section: Section, new: &ObjectName) -> Option<()> {
    remove_renames_to(policy, draft, section, new, None)?;
    let layer = policy.create.get(&section).and_then(|create| create.layer.as_deref());
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
    let stale = policy.renames.iter().filter(|rule| rule.section == section && rule.new == *new);
    stale
        .filter(|rule| Some(&rule.old) != keep)
        .try_for_each(|rule| draft.remove(&layered(rule.layer.as_deref(), &["renames", section.key(), &rule.key])))
}

fn part(name: &str) -> String {
    ObjectName::new([name]).to_string()
}

/// Returns a path below the profile in which a rule stands, or from the root.
fn layered<'a>(layer: Option<&'a str>, path: &[&'a str]) -> Vec<&'a str> {
    let profile = layer.map(|profile| ["profiles", profile]);
    profile.into_iter().flatten().chain(path.iter().copied()).collect()
}

fn unique(policy: &Policy, unique: &Unique, scope: &Scope<'_>) -> Decision {
    let stake = Stake {
        hazard: Hazard::AddUnique,
        objects: Objects::OneOf(scope.tables_shown(&unique.table)),
        count: Some(Count::Rows(unique.rows)),
    };
    unique_stake(policy, &stake, &unique.constraint, scope)
}

/// Decides the question before a unique constraint.
pub(super) fn unique_stake(policy: &Policy, stake: &Stake, constraint: &str, scope: &Scope<'_>) -> Decision {
    let (rule, rule_ref) = policy.hazard(Hazard::AddUnique);
    let rows = stake.counted().unwrap_or_else(|| "the rows".to_owned());
    if matches!(rule, HazardRule::Truncate) {
        let warning = format!("all of {} is deleted for the unique constraint {constraint}: {rows} ({rule_ref})", stake.objects);
        return Decision::Choose { choice: 1, because: rule_ref, warnings: vec![warning] };
    }
    match stakes(policy, std::slice::from_ref(stake), scope) {
        Ok(_) => {
            let warning = format!(
                "the unique constraint {constraint} is added to {} without truncating it; it fails if {rows} repeat a value",
                stake.objects
            );
            Decision::Choose { choice: 0, because: rule_ref, warnings: vec![warning] }
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

fn data_loss(policy: &Policy, losses: &[Loss], scope: &Scope<'_>) -> Decision {
    let mut all: Vec<Stake> = losses.iter().flat_map(|loss| loss_stakes(loss, scope)).collect();
    if all.is_empty() {
        // A warning that names no loss is no warning one could consent to.
        all.push(Stake { hazard: Hazard::Unclassified, objects: Objects::Unknown, count: None });
    }
    match stakes(policy, &all, scope) {
        Ok(Consent { because, warnings }) => {
            let because = because.into_iter().next().expect("there is at least one stake");
            Decision::Choose { choice: 1, because, warnings }
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Returns the hazards that one line of drizzle-kit's warning stands for.
fn loss_stakes(loss: &Loss, scope: &Scope<'_>) -> Vec<Stake> {
    let rows = loss.count.map(Count::Rows);
    let stake = |hazard, objects| vec![Stake { hazard, objects, count: rows }];
    let table = |table: &String| Objects::OneOf(scope.tables_shown(table));
    match &loss.kind {
        LossKind::Table(name) => stake(Hazard::DropTable, table(name)),
        LossKind::View(name) => stake(Hazard::DropView, table(name)),
        LossKind::PrimaryKey { table: name } => stake(Hazard::DropPrimaryKey, table(name)),
        LossKind::Column { table, column } => {
            let tables = scope.tables_shown(table).into_iter();
            stake(Hazard::DropColumn, Objects::OneOf(tables.map(|table| table.child(column)).collect()))
        }
        LossKind::Schema(name) => vec![Stake {
            hazard: Hazard::DropSchema,
            objects: Objects::All(vec![ObjectName::new([name])]),
            count: loss.count.map(Count::Tables),
        }],
        // Where drizzle-kit asks about a type it empties the table first. It names no table in either line.
        LossKind::ChangeType { .. } => {
            [Hazard::ChangeType, Hazard::Truncate].into_iter().flat_map(|hazard| stake(hazard, Objects::Unknown)).collect()
        }
        LossKind::Truncate { .. } => stake(Hazard::Truncate, Objects::Unknown),
        LossKind::Unknown => stake(Hazard::Unclassified, Objects::Unknown),
    }
}

fn unknown(policy: &Policy, prompt: &Prompt) -> Decision {
    let matching: Vec<&PromptRule> =
        policy.prompts.rules.iter().filter(|rule| rule.question.is_match(&prompt.question)).collect();
    let mut decided: Option<(Option<usize>, &RuleRef)> = None;
    for rule in matching {
        let choice = match &rule.answer {
            PromptAnswer::Decline => None,
            PromptAnswer::Choose(choose) => {
                let mut choices = (0..prompt.choices.len()).filter(|&idx| choose.is_match(&prompt.choices[idx]));
                match (choices.next(), choices.next()) {
                    (Some(choice), None) => Some(choice),
                    (None, _) => return doubt(format!("`choose` of {} matches no choice", rule.rule)),
                    (Some(_), Some(_)) => {
                        return doubt(format!("`choose` of {} matches several choices", rule.rule));
                    }
                }
            }
        };
        match decided {
            Some((other, other_rule)) if other != choice => {
                return doubt(format!("{other_rule} and {} give different answers", rule.rule));
            }
            _ => decided = decided.or(Some((choice, &rule.rule))),
        }
    }
    match decided {
        Some((Some(choice), rule)) => chosen(choice, rule.clone()),
        Some((None, rule)) => Decision::Refuse(Refusal {
            what: format!("{rule} declines the question {:?}", prompt.question),
            because: Some(rule.clone()),
            allow: Vec::new(),
        }),
        None => Decision::Unclear(Doubt {
            reason: format!("the question {:?} is not known to this version", prompt.question),
            allow: answers(policy, prompt),
        }),
    }
}

/// Returns a `[[prompts]]` rule for each choice of a question, and one that declines it.
fn answers(policy: &Policy, prompt: &Prompt) -> Vec<Allow> {
    let exactly = |text: &str| toml_string(&format!("^{}$", regex::escape(text)));
    let add = |purpose: String, answer: (&str, String)| {
        Allow::of(policy.source(), purpose, |draft| {
            let path = layered(policy.prompts.layer.as_deref(), &["prompts"]);
            draft.push_table(&path, &[("question", exactly(&prompt.question)), answer.clone()])
        })
    };
    let unambiguous =
        prompt.choices.iter().filter(|choice| prompt.choices.iter().filter(|other| other == choice).count() == 1);
    let choices = unambiguous.map(|choice| add(format!("to choose {choice:?}"), ("choose", exactly(choice))));
    let decline = add("to decline".to_owned(), ("decline", "true".to_owned()));
    choices.chain([decline]).flatten().collect()
}

/// Returns the rule that is to be widened for a hazard, in the form of its own line.
fn own_rule(policy: &Policy, hazard: Hazard) -> HazardRule {
    let (rule, _) = policy.hazard(hazard);
    match rule {
        // The line of a class may name objects of other kinds.
        HazardRule::Limit { only: Some(only), max_rows } => {
            let n_parts = match HazardKey::Kind(hazard).shape() {
                Shape::Global => Some(1),
                Shape::InSchema => Some(2),
                Shape::InTable | Shape::Policy => Some(3),
                Shape::Whole => None,
            };
            let of_this_kind = |pattern: &Pattern| n_parts.is_none_or(|n_parts| pattern.n_parts() == n_parts);
            HazardRule::Limit { only: Some(only.into_iter().filter(of_this_kind).collect()), max_rows }
        }
        rule => rule,
    }
}

/// Writes the line of a hazard, for the profile of this run if there is one.
fn set_hazard(policy: &Policy, draft: &mut Draft, hazard: Hazard, rule: &HazardRule) -> Option<()> {
    draft.set_hazard(&layered(policy.profile(), &["hazards", hazard.name()]), rule)
}

impl Consent {
    fn add(&mut self, stake: &Stake, rule: RuleRef) {
        self.warnings.push(format!("{} ({rule})", stake.accepted()));
        self.because.push(rule);
    }
}

impl Scope<'_> {
    /// Returns the tables or views that drizzle-kit may mean by a name without schema.
    fn tables_shown(&self, table: &str) -> Vec<ObjectName> {
        let in_schema = |schema: &String| ObjectName::new([schema.as_str(), table]);
        if let [schema] = self.schemas {
            return vec![in_schema(schema)];
        }
        let mut tables: Vec<ObjectName> = Vec::new();
        tables.extend(self.renamed.iter().map(|(_, new)| new).filter(|new| new.parts().len() == 2 && new.last() == table).cloned());
        let known = (self.tables_named)(table);
        let known_schemas = known.iter().flatten().filter(|schema| self.schemas.is_empty() || self.schemas.contains(schema));
        // A table that was renamed away is shown with its new name.
        tables.extend(known_schemas.map(in_schema).map(|table| self.now(&table)).filter(|now| now.last() == table));
        if known.is_none() || tables.is_empty() {
            tables.extend(self.schemas.iter().map(in_schema).map(|table| self.now(&table)));
        }
        if tables.is_empty() {
            tables.push(ObjectName::new([PUBLIC, table]));
        }
        tables.sort();
        tables.dedup();
        tables
    }

    /// Returns the name that an object has after the renames of this run, given its name from before.
    pub(super) fn now(&self, name: &ObjectName) -> ObjectName {
        let mut name = name.clone();
        // Schemas are asked about first, so that the tables are already shown in the new ones.
        for n_parts in [1, 2] {
            let of_this_kind = |(old, _): &&(ObjectName, ObjectName)| old.parts().len() == n_parts;
            let moved = self.renamed.iter().filter(of_this_kind).find_map(|(old, new)| name.moved(old, new));
            if name.parts().len() > 1 {
                name = moved.unwrap_or(name);
            }
        }
        name
    }

    /// Returns the names that the policy may use for an object: its own and those from before the renames of this run.
    ///
    /// Its own is left out where another object had it before: a rule may mean that one.
    pub(super) fn names(&self, name: &ObjectName) -> Vec<ObjectName> {
        let mut names = vec![name.clone()];
        for n_parts in [2, 1] {
            let of_this_kind = |(_, new): &&(ObjectName, ObjectName)| new.parts().len() == n_parts;
            let renamed = self.renamed.iter().filter(of_this_kind).filter(|_| name.parts().len() > 1);
            let former = names.last().and_then(|name| renamed.clone().find_map(|(old, new)| name.moved(new, old)));
            names.extend(former);
        }
        names.retain(|other| other != name || self.now(name) == *name);
        names
    }

    /// Returns the name by which a new rule should call an object.
    fn spelled(&self, name: &ObjectName) -> ObjectName {
        self.names(name).into_iter().next().unwrap_or_else(|| name.clone())
    }

    fn accepts(&self, policy: &Policy, hazard: Hazard) -> bool {
        self.accept_data_loss && hazard.class() == Class::DataLoss && policy.bans_accepting_data_loss().is_none()
    }
}

impl Stake {
    /// Returns why a rule does not allow this, or nothing if it does.
    fn unmet(&self, rule: &HazardRule, scope: &Scope<'_>) -> Option<String> {
        match rule {
            HazardRule::Approve | HazardRule::KeepRows | HazardRule::Truncate => None,
            HazardRule::Refuse => Some("refuse".to_owned()),
            HazardRule::Limit { only, max_rows } => {
                let outside = only.as_ref().and_then(|only| self.outside(only, scope));
                outside.or_else(|| max_rows.and_then(|max_rows| self.above(max_rows)))
            }
        }
    }

    fn outside(&self, only: &[Pattern], scope: &Scope<'_>) -> Option<String> {
        let names = self.objects.names();
        if names.is_empty() {
            return Some("drizzle-kit does not say which object it is, so `only` cannot match".to_owned());
        }
        let outside = names.iter().find(|name| !is_named(only, name, scope))?;
        Some(format!("`only` does not name {outside}"))
    }

    fn above(&self, max_rows: u64) -> Option<String> {
        match self.count {
            Some(Count::Rows(rows)) if rows <= max_rows => None,
            Some(Count::Rows(rows)) => Some(format!("{rows} are more than max_rows = {max_rows}")),
            Some(Count::Tables(_)) | None => Some("the number of rows is not known".to_owned()),
        }
    }

    /// Returns the narrowest rule that allows this beside what a rule allows already.
    fn widened(&self, rule: HazardRule, scope: &Scope<'_>) -> HazardRule {
        if self.unmet(&rule, scope).is_none() {
            return rule;
        }
        let rows = match self.count {
            Some(Count::Rows(rows)) => Some(rows),
            Some(Count::Tables(_)) | None => None,
        };
        let limit = |only: Option<Vec<Pattern>>, max_rows: Option<u64>| match (&only, max_rows) {
            (None, None) => HazardRule::Approve,
            _ => HazardRule::Limit { only, max_rows },
        };
        let names = self.objects.names();
        let named = |only: &[Pattern]| {
            let new = names.iter().filter(|name| !is_named(only, name, scope)).map(|name| exact(&scope.spelled(name)));
            (!names.is_empty()).then(|| only.iter().cloned().chain(new).collect())
        };
        match rule {
            HazardRule::Limit { only: Some(only), max_rows } => {
                let max_rows = max_rows.and_then(|max_rows| rows.map(|rows| rows.max(max_rows)));
                let only = named(&only);
                let max_rows = if only.is_none() { rows } else { max_rows };
                limit(only, max_rows)
            }
            HazardRule::Limit { only: None, .. } if rows.is_some() => limit(None, rows),
            _ if self.hazard == Hazard::AddUnique => HazardRule::KeepRows,
            _ if self.hazard == Hazard::Unclassified => HazardRule::Approve,
            _ => match named(&[]) {
                Some(only) => limit(Some(only), None),
                None => limit(None, rows),
            },
        }
    }

    /// Says what would happen.
    fn feared(&self) -> String {
        match self.counted() {
            Some(count) => format!("{self} would {} {count}", self.verb()),
            None if self.hazard == Hazard::Unclassified => {
                "unclassified: something would happen that is not understood".to_owned()
            }
            None => format!("{self} needs consent: {}", self.hazard.meaning()),
        }
    }

    /// Says what happens.
    fn accepted(&self) -> String {
        match self.counted() {
            Some(count) => format!("{self} {}s {count}", self.verb()),
            None => format!("{self}: {}", self.hazard.meaning()),
        }
    }

    fn verb(&self) -> &'static str {
        match self.hazard {
            Hazard::ChangeType => "convert",
            hazard if hazard.class() == Class::DataLoss => "delete",
            _ => "concern",
        }
    }

    fn counted(&self) -> Option<String> {
        let (count, one, many) = match (self.count?, self.hazard) {
            (Count::Tables(count), _) => (count, "table", "tables"),
            (Count::Rows(count), Hazard::DropColumn | Hazard::ChangeType) => (count, "value", "values"),
            (Count::Rows(count), _) => (count, "row", "rows"),
        };
        Some(format!("{count} {}", if count == 1 { one } else { many }))
    }
}

fn is_named(only: &[Pattern], name: &ObjectName, scope: &Scope<'_>) -> bool {
    scope.names(name).iter().any(|name| only.iter().any(|pattern| pattern.matches(name)))
}

fn exact(name: &ObjectName) -> Pattern {
    Pattern::parse(&name.to_string(), Shape::Whole).expect("a name is written so that it can be read back")
}

impl Objects {
    fn names(&self) -> &[ObjectName] {
        match self {
            Objects::All(names) | Objects::OneOf(names) => names,
            Objects::Unknown => &[],
        }
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self {
            Objects::All(_) => ", ",
            Objects::OneOf(_) => " or ",
            Objects::Unknown => return f.write_str("an object that drizzle-kit does not name"),
        };
        let names: Vec<String> = self.names().iter().map(ObjectName::to_string).collect();
        f.write_str(&names.join(separator))
    }
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.objects {
            Objects::Unknown => write!(f, "{}", self.hazard),
            _ => write!(f, "{} {}", self.hazard, self.objects),
        }
    }
}

impl Refusal {
    /// Returns the lines of the first way to allow it, for a report.
    pub fn allow_with(&self) -> Option<String> {
        let lines: Vec<&str> = self.allow.first()?.lines().collect();
        Some(lines.join("\n"))
    }
}

/// Shows what was refused and the ways to allow it, without the sentence that ends every failing run.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.lines().map(|what| format!("refused: {what}"));
        f.write_str(&what.chain(self.allow.iter().map(Allow::to_string)).collect::<Vec<_>>().join("\n"))
    }
}

/// Shows the reason and what would answer the question.
impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unclear: {}", self.reason)?;
        self.allow.iter().try_for_each(|allow| write!(f, "\n{allow}"))
    }
}
