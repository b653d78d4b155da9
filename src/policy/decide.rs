//! Answers questions by the policy. Pure: a policy and a question in, an answer with its rule out.

use std::fmt;

use crate::kit::prompt::{self, Kind, Loss, LossKind, Prompt, Unique};
use crate::policy::allow::{Allow, Draft};
use crate::policy::file::toml_string;
use crate::policy::model::{
    HazardKey, HazardRule, Origin, Otherwise, Policy, PromptAnswer, PromptRule, Rename as RenameRule, RuleRef, Section,
};
use crate::policy::name::{ObjectName, PUBLIC, Pattern, Shape, one_line};
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
    /// What else matters about it, for the reader of a refusal.
    pub note: Option<String>,
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
    /// As many, and perhaps more. No limit is met by that.
    AtLeast(u64),
    /// The server's own estimate of the rows, where counting them would take long.
    About(u64),
    /// A schema is counted in tables, and no limit of rows applies to it.
    Tables(u64),
}

impl Count {
    /// Returns the number in words, as one of rows.
    pub fn rows(self) -> String {
        let (about, count) = match self {
            Count::Rows(count) | Count::Tables(count) => ("", count),
            Count::AtLeast(count) => ("at least ", count),
            Count::About(count) => ("about ", count),
        };
        format!("{about}{count} {}", if count == 1 { "row" } else { "rows" })
    }
}

/// The consent of the policy to stakes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    /// The rule for each stake. Those come first that allow what is refused where no rule speaks.
    pub because: Vec<RuleRef>,
    /// One for each stake; what several say alike is said once.
    pub warnings: Vec<String>,
    n_grave: usize,
}

/// Decides a prompt.
pub fn prompt(policy: &Policy, prompt: &Prompt, scope: &Scope<'_>) -> Decision {
    let decision = match &prompt.kind {
        Kind::Rename(asked) => rename(policy, asked, scope),
        Kind::Unique(asked) => unique(policy, asked, scope),
        // drizzle-kit announces no loss here. What the statements do is not asked of a prompt.
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
    let mut consent = Consent { because: Vec::new(), warnings: Vec::new(), n_grave: 0 };
    let mut refused: Vec<(&Stake, RuleRef, String)> = Vec::new();
    for stake in stakes {
        match judge(policy, stake, scope) {
            Ok(rule_ref) => consent.add(stake, rule_ref),
            Err((rule_ref, unmet)) => refused.push((stake, rule_ref, unmet)),
        }
    }
    let Some((_, because, _)) = refused.first() else { return Ok(consent) };
    let what = refused.iter().map(|(stake, rule_ref, unmet)| match rule_ref.origin {
        Origin::BuiltIn => stake.feared(),
        _ => format!("{} ({rule_ref}: {unmet})", stake.feared()),
    });
    let allow = Allow::of(policy.source(), "to allow exactly this", |draft| {
        let mut hazards: Vec<Hazard> = Vec::new();
        for (stake, _, _) in &refused {
            if !hazards.contains(&stake.hazard) {
                hazards.push(stake.hazard);
            }
        }
        // Each line is put above the one before.
        hazards.iter().rev().try_for_each(|hazard| {
            let concerned: Vec<&Stake> = stakes.iter().filter(|stake| stake.hazard == *hazard).collect();
            set_hazard(policy, draft, *hazard, &widened(own_rule(policy, *hazard), &concerned, scope))
        })
    });
    // Several statements may have one hazard, as those do that build an enum again: it is said once.
    let mut lines: Vec<String> = Vec::new();
    for line in what.map(|what| one_line(&what)) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let what = lines.join("\n");
    Err(Refusal { what, because: Some(because.clone()), allow: allow.into_iter().collect() })
}

/// Returns the lines that let columns change their type in one transaction, each by an expression for its values, and without
/// the truncates that drizzle-kit may put before.
pub fn conversions(
    policy: &Policy,
    conversions: &[(ObjectName, String)],
    skips_truncate: bool,
    scope: &Scope<'_>,
) -> Option<Allow> {
    let all: Vec<Stake> = conversions
        .iter()
        .map(|(column, _)| Stake {
            hazard: Hazard::ChangeType,
            objects: Objects::All(vec![column.clone()]),
            count: None,
            note: None,
        })
        .collect();
    let all: Vec<&Stake> = all.iter().collect();
    Allow::of(policy.source(), "for push --apply transaction", |draft| {
        for (column, using) in conversions.iter().rev() {
            draft
                .set(&layered(policy.profile(), &["using", &scope.spelled(column).to_string()]), &toml_string(using))?;
        }
        if all.iter().any(|stake| judge(policy, stake, scope).is_err()) {
            let rule = widened(own_rule(policy, Hazard::ChangeType), &all, scope);
            set_hazard(policy, draft, Hazard::ChangeType, &rule)?;
        }
        if skips_truncate && policy.skips_truncate().is_none() {
            set_hazard(policy, draft, Hazard::Truncate, &HazardRule::Skip)?;
        }
        Some(())
    })
}

/// Returns the rule that allows a stake.
///
/// # Errors
/// With the rule that does not, and why.
pub fn judge(policy: &Policy, stake: &Stake, scope: &Scope<'_>) -> Result<RuleRef, (RuleRef, String)> {
    let (rule, rule_ref) = policy.hazard(stake.hazard);
    match stake.unmet(&rule, scope) {
        None => Ok(rule_ref),
        Some(_) if scope.accepts(policy, stake.hazard) => Ok(FLAG_RULE),
        Some(unmet) => Err((rule_ref, unmet)),
    }
}

/// Returns the old and the new name of the schema or table that an answer renames, for [`Scope::renamed`].
pub fn renamed(prompt: &Prompt, choice: usize, schemas: &[String]) -> Option<(ObjectName, ObjectName)> {
    let Kind::Rename(rename) = &prompt.kind else { return None };
    let shape = match Section::from(rename.entity) {
        section @ (Section::Schemas | Section::Tables) => section.shape(),
        _ => return None,
    };
    let old = rename.candidates.get(choice.checked_sub(1)?)?;
    let read = |shown: &str| shape.readings(shown, schemas).into_iter().next();
    Some((read(old)?, read(&rename.name)?))
}

const FLAG_RULE: RuleRef = RuleRef { path: String::new(), origin: Origin::Flag("--accept-data-loss") };

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
    Rename {
        choice: usize,
        rule: &'p RuleRef,
    },
    Create {
        rule: &'p RuleRef,
    },
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
            let read = |shown: &String| section.shape().readings(shown, scope.schemas);
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
        (Some((_, rule)), Some(exact)) => Answer::Doubt(format!("{rule} and {} give different answers", exact.rule)),
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

    /// Returns the likeliest names of a candidate and the new object that have the same form.
    fn pair(&self, candidate_idx: usize) -> Option<(&ObjectName, &ObjectName)> {
        let olds = || self.old[candidate_idx].iter();
        let same_form = |new: &ObjectName| olds().find(|old| old.parts().len() == new.parts().len());
        self.new.iter().find_map(|new| Some((same_form(new)?, new)))
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
        note: None,
    };
    unique_stake(policy, &stake, &unique.constraint, scope)
}

/// Decides the question before a unique constraint.
pub(super) fn unique_stake(policy: &Policy, stake: &Stake, constraint: &str, scope: &Scope<'_>) -> Decision {
    let (rule, rule_ref) = policy.hazard(Hazard::AddUnique);
    let rows = stake.counted().unwrap_or_else(|| "the rows".to_owned());
    if matches!(rule, HazardRule::Truncate) {
        let warning =
            format!("all of {} is deleted for the unique constraint {constraint}: {rows} ({rule_ref})", stake.objects);
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
        all.push(Stake { hazard: Hazard::Unclassified, objects: Objects::Unknown, count: None, note: None });
    }
    consenting(stakes(policy, &all, scope))
}

/// Answers the last question by what is decided about everything at stake.
pub fn consenting(decided: Result<Consent, Refusal>) -> Decision {
    match decided {
        Ok(Consent { because, warnings, .. }) => {
            let because = because.into_iter().next().unwrap_or_else(|| RuleRef::built_in(""));
            Decision::Choose { choice: 1, because, warnings }
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

/// Returns the hazards that one line of drizzle-kit's warning stands for.
pub fn loss_stakes(loss: &Loss, scope: &Scope<'_>) -> Vec<Stake> {
    let rows = loss.count.map(Count::Rows);
    let stake = |hazard, objects| vec![Stake { hazard, objects, count: rows, note: None }];
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
            note: None,
        }],
        // Where drizzle-kit asks about a type it empties the table first. It names no table in either line.
        LossKind::ChangeType { .. } => [Hazard::ChangeType, Hazard::Truncate]
            .into_iter()
            .flat_map(|hazard| stake(hazard, Objects::Unknown))
            .collect(),
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
        Allow::of(policy.source(), &purpose, |draft| {
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

/// Returns a rule that allows all stakes of its hazard beside what it allows already.
fn widened(rule: HazardRule, stakes: &[&Stake], scope: &Scope<'_>) -> HazardRule {
    // Naming the objects may shut out one that was allowed by its number of rows; the second round lets it in.
    let rule = stakes.iter().chain(stakes).fold(rule, |rule, stake| stake.widened(rule, scope));
    let is_enough = stakes.iter().all(|stake| stake.unmet(&rule, scope).is_none());
    if is_enough { rule } else { HazardRule::Approve }
}

/// Writes the line of a hazard, for the profile of this run if there is one.
fn set_hazard(policy: &Policy, draft: &mut Draft, hazard: Hazard, rule: &HazardRule) -> Option<()> {
    draft.set_hazard(&layered(policy.profile(), &["hazards", hazard.name()]), rule)
}

impl Consent {
    fn add(&mut self, stake: &Stake, rule: RuleRef) {
        let warning = one_line(&format!("{} ({rule})", stake.accepted()));
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
        let is_grave = stake.hazard.class().refused_by_default();
        let position = if is_grave { self.n_grave } else { self.because.len() };
        self.n_grave += usize::from(is_grave);
        self.because.insert(position, rule);
    }
}

impl Scope<'_> {
    /// Returns the tables or views that drizzle-kit may mean by a name without schema.
    pub fn tables_shown(&self, table: &str) -> Vec<ObjectName> {
        let in_schema = |schema: &String| ObjectName::new([schema.as_str(), table]);
        if let [schema] = self.schemas {
            return vec![in_schema(schema)];
        }
        let mut tables: Vec<ObjectName> = Vec::new();
        tables.extend(
            self.renamed
                .iter()
                .map(|(_, new)| new)
                .filter(|new| new.parts().len() == 2 && new.last() == table)
                .cloned(),
        );
        let known = (self.tables_named)(table);
        let known_schemas =
            known.iter().flatten().filter(|schema| self.schemas.is_empty() || self.schemas.contains(schema));
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
    pub fn names(&self, name: &ObjectName) -> Vec<ObjectName> {
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
            // Whoever runs the statements has left out those it speaks of before it asks about the rest.
            HazardRule::Skip => Some(
                "\"skip\" leaves out only what drizzle-kit puts before a type change, and only with apply = \"transaction\""
                    .to_owned(),
            ),
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
            Some(Count::Rows(rows) | Count::About(rows)) if rows <= max_rows => None,
            Some(Count::Rows(rows)) => Some(format!("{rows} are more than max_rows = {max_rows}")),
            Some(Count::AtLeast(rows)) => Some(format!("there are at least {rows}, and how many more is not known")),
            Some(Count::About(rows)) => Some(format!("about {rows} are more than max_rows = {max_rows}")),
            Some(Count::Tables(_)) | None => Some("the number of rows is not known".to_owned()),
        }
    }

    /// Returns the narrowest rule that allows this beside what a rule allows already.
    fn widened(&self, rule: HazardRule, scope: &Scope<'_>) -> HazardRule {
        if self.unmet(&rule, scope).is_none() {
            return rule;
        }
        let rows = match self.count {
            Some(Count::Rows(rows) | Count::About(rows)) => Some(rows),
            Some(Count::Tables(_) | Count::AtLeast(_)) | None => None,
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
        let feared = match self.counted() {
            Some(count) if self.hazard == Hazard::DropPrimaryKey => {
                format!("{self} would leave {count} without a primary key")
            }
            Some(count) => format!("{self} would {} {count}", self.verb()),
            None if self.hazard == Hazard::Unclassified => {
                "unclassified: something would happen that is not understood".to_owned()
            }
            None => format!("{self} needs consent: {}", self.hazard.meaning()),
        };
        self.noted(feared)
    }

    fn noted(&self, said: String) -> String {
        match &self.note {
            Some(note) => format!("{said}; {note}"),
            None => said,
        }
    }

    /// Says what happens.
    fn accepted(&self) -> String {
        let accepted = match self.counted() {
            Some(count) if self.hazard == Hazard::DropPrimaryKey => {
                format!("{self} leaves {count} without a primary key")
            }
            Some(count) => format!("{self} {}s {count}", self.verb()),
            None => format!("{self}: {}", self.hazard.meaning()),
        };
        self.noted(accepted)
    }

    fn verb(&self) -> &'static str {
        match self.hazard {
            Hazard::ChangeType => "convert",
            hazard if hazard.class() == Class::DataLoss => "delete",
            _ => "concern",
        }
    }

    fn counted(&self) -> Option<String> {
        // A plain view holds no rows, and loses more than that.
        if self.hazard == Hazard::DropView && self.count == Some(Count::Rows(0)) {
            return None;
        }
        let (about, count, one, many) = match (self.count?, self.hazard) {
            (Count::Tables(count), _) => ("", count, "table", "tables"),
            (Count::Rows(count), Hazard::DropColumn | Hazard::ChangeType) => ("", count, "value", "values"),
            (Count::About(count), Hazard::DropColumn | Hazard::ChangeType) => ("about ", count, "value", "values"),
            (Count::AtLeast(count), Hazard::DropColumn | Hazard::ChangeType) => ("at least ", count, "value", "values"),
            (Count::AtLeast(count), _) => ("at least ", count, "row", "rows"),
            (Count::Rows(count), _) => ("", count, "row", "rows"),
            (Count::About(count), _) => ("about ", count, "row", "rows"),
        };
        Some(format!("{about}{count} {}", if count == 1 { one } else { many }))
    }
}

fn is_named(only: &[Pattern], name: &ObjectName, scope: &Scope<'_>) -> bool {
    scope.names(name).iter().any(|name| only.iter().any(|pattern| pattern.matches(name)))
}

fn exact(name: &ObjectName) -> Pattern {
    Pattern::parse(&name.to_string(), Shape::Whole).expect("a name is written so that it can be read back")
}

impl Objects {
    /// Returns the names; none where they are not known.
    pub fn names(&self) -> &[ObjectName] {
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use proptest::prelude::*;

    use super::super::allow::Place;
    use super::super::file;
    use super::super::model::Policies;
    use super::*;
    use crate::kit::prompt::{Entity, Rename};

    const CONTRACT: &str = include_str!("../../fixtures/policies/contract.toml");
    const SHAPES: [&str; 6] = [
        CONTRACT,
        include_str!("../../fixtures/policies/dotted.toml"),
        include_str!("../../fixtures/policies/inline.toml"),
        include_str!("../../fixtures/policies/headers.toml"),
        include_str!("../../fixtures/policies/classes.toml"),
        include_str!("../../fixtures/policies/transaction.toml"),
    ];

    fn policies(text: &str) -> Policies {
        file::parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// A policy from the lines below `version = 1`.
    fn policy(lines: &str) -> Policy {
        let text = format!("version = 1\n{lines}");
        policies(&text).select(None, &|_| None, None).expect("no profile has a condition")
    }

    fn asked(kind: Kind, n_choices: usize) -> Prompt {
        let choices = (0..n_choices).map(|idx| format!("choice {idx}")).collect();
        Prompt { question: String::new(), context: Vec::new(), printed: String::new(), choices, highlighted: 0, kind }
    }

    fn renaming(entity: Entity, table: Option<&str>, name: &str, candidates: &[&str]) -> Prompt {
        let candidates: Vec<String> = candidates.iter().map(|&old| old.to_owned()).collect();
        let n_choices = candidates.len() + 1;
        let table = table.map(str::to_owned);
        asked(Kind::Rename(Rename { entity, name: name.to_owned(), table, candidates }), n_choices)
    }

    fn column(name: &str, candidates: &[&str]) -> Prompt {
        renaming(Entity::Column, Some("users"), name, candidates)
    }

    fn losing(losses: &[(LossKind, Option<u64>)]) -> Prompt {
        let losses = losses.iter().map(|(kind, count)| Loss { kind: kind.clone(), text: String::new(), count: *count });
        asked(Kind::DataLoss(losses.collect()), 2)
    }

    fn dropped_column(table: &str, column: &str) -> LossKind {
        LossKind::Column { table: table.to_owned(), column: column.to_owned() }
    }

    fn scope<'a>(schemas: &'a [String]) -> Scope<'a> {
        Scope { schemas, tables_named: &|_| None, renamed: &[], accept_data_loss: false }
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// Says a decision in a line or several.
    fn told(decision: &Decision) -> String {
        match decision {
            Decision::Choose { choice, because, warnings } => {
                let warnings: String = warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
                format!("{choice}: {because}{warnings}")
            }
            Decision::Refuse(refusal) => refusal.to_string(),
            Decision::Unclear(doubt) => doubt.to_string(),
        }
    }

    fn check(policy: &Policy, asked: &Prompt, scope: &Scope<'_>, expected: &str) {
        assert_eq!(told(&prompt(policy, asked, scope)), expected, "asked {:?}", asked.kind);
    }

    fn check_in_public(lines: &str, asked: &Prompt, expected: &str) {
        check(&policy(lines), asked, &scope(&names(&["public"])), expected);
    }

    #[test]
    fn a_rename_rule_beats_a_create_glob_and_that_beats_otherwise() {
        let all = "renames.otherwise = \"create\"\nrenames.columns.\"users.name\" = \"full_name\"\n\
                   create.columns = [\"users.*_at\", \"users.full*\"]";
        let cases = [
            (column("full_name", &["nick", "name"]), "2: p.toml:3 renames.columns.\"users.name\""),
            (column("full_name", &["nick"]), "0: p.toml:4 create.columns"),
            (column("made_at", &["nick", "name"]), "0: p.toml:4 create.columns"),
            (column("age", &["nick", "name"]), "0: p.toml:2 renames.otherwise"),
            (column("age", &[]), "0: the only choice"),
        ];
        for (asked, expected) in cases {
            check_in_public(all, &asked, expected);
        }
    }

    #[test]
    fn a_truncate_that_nobody_left_out_is_refused_under_skip() {
        let policy = policy("[push]\napply = \"transaction\"\n[hazards]\ntruncate = \"skip\"");
        let stake = |name: &str, count| Stake {
            hazard: Hazard::Truncate,
            objects: Objects::All(vec![ObjectName::new(["public", name])]),
            count,
            note: None,
        };
        let all = [stake("a", Some(Count::Rows(3))), stake("b", None)];
        let refusal = stakes(&policy, &all, &scope(&[])).expect_err("skip allows nothing");
        let why = "(p.toml:5 hazards.truncate: \"skip\" leaves out only what drizzle-kit puts before a type change, \
                   and only with apply = \"transaction\")";
        assert_eq!(
            refusal.to_string(),
            format!(
                "refused: truncate public.a would delete 3 rows {why}\n\
                 refused: truncate public.b needs consent: a table is emptied {why}\n  \
                 p.toml, to allow exactly this, in place of line 5:\n      \
                 truncate = {{ only = [\"public.a\", \"public.b\"] }}"
            )
        );
        let accepting = Scope { accept_data_loss: true, ..scope(&[]) };
        assert!(stakes(&policy, &all, &accepting).is_ok(), "the flag approves all of its class");
        assert!(!policy.wants_rows(Hazard::Truncate));
    }

    #[test]
    fn a_question_that_no_rule_answers_is_refused_with_every_way_to_answer_it() {
        check_in_public(
            "",
            &column("full_name", &["name", "nick"]),
            r#"refused: no rule says whether column public.users.full_name is new or was renamed from name, nick
  p.toml, if it was renamed from name:
      [renames.columns]
      "public.users.name" = "full_name"
  p.toml, if it was renamed from nick:
      [renames.columns]
      "public.users.nick" = "full_name"
  p.toml, if it is new:
      [create]
      columns = ["public.users.full_name"]"#,
        );
    }

    #[test]
    fn every_kind_of_object_is_matched_as_drizzle_kit_shows_it() {
        let rules = "[renames.tables]\norders = \"purchases\"\n\"auth.a\" = \"b\"\n\"auth.c\" = \"public.d\"\n\
                     '\"x.y\"' = \"z\"\n[renames.schemas]\nold = \"new\"\n[renames.roles]\nr = \"s\"\n\
                     [renames.policies]\n\"users.p\" = \"q\"\nlinked = \"tied\"\n[renames.views]\nv = \"w\"";
        let cases = [
            (renaming(Entity::Table, None, "purchases", &["orders"]), "1: p.toml:3 renames.tables.orders"),
            (renaming(Entity::Table, None, "auth.b", &["x", "auth.a"]), "2: p.toml:4 renames.tables.\"auth.a\""),
            (renaming(Entity::Table, None, "d", &["auth.c"]), "1: p.toml:5 renames.tables.\"auth.c\""),
            (renaming(Entity::Table, None, "z", &["x.y"]), "1: p.toml:6 renames.tables.'\"x.y\"'"),
            (renaming(Entity::Schema, None, "new", &["old"]), "1: p.toml:8 renames.schemas.old"),
            (renaming(Entity::Role, None, "s", &["r"]), "1: p.toml:10 renames.roles.r"),
            (renaming(Entity::Policy, None, "tied", &["linked"]), "1: p.toml:13 renames.policies.linked"),
            (renaming(Entity::Policy, None, "users.q", &["users.p"]), "1: p.toml:12 renames.policies.\"users.p\""),
            (column("q", &["p"]), "1: p.toml:12 renames.policies.\"users.p\""),
            (renaming(Entity::View, None, "w", &["v"]), "1: p.toml:15 renames.views.v"),
        ];
        for (asked, expected) in cases {
            check_in_public(rules, &asked, expected);
        }
    }

    #[test]
    fn rules_for_columns_and_policies_that_disagree_are_unclear() {
        check_in_public(
            "[renames.columns]\n\"users.a\" = \"x\"\n[renames.policies]\n\"users.b\" = \"x\"",
            &column("x", &["a", "b"]),
            "unclear: p.toml:3 renames.columns.\"users.a\" and p.toml:5 renames.policies.\"users.b\" \
             give different answers",
        );
        check_in_public(
            "create.columns = [\"users.x\"]\n[renames.policies]\n\"users.b\" = \"x\"",
            &column("x", &["a", "b"]),
            "unclear: p.toml:4 renames.policies.\"users.b\" and p.toml:2 create.columns give different answers",
        );
    }

    #[test]
    fn a_table_in_two_schemas_is_unclear_unless_both_have_the_same_answer() {
        let both = names(&["public", "auth"]);
        let everywhere = |_: &str| Some(names(&["public", "auth", "other"]));
        let nowhere = |_: &str| Some(Vec::new());
        let only_auth = |_: &str| Some(names(&["auth"]));
        let unknown = |_: &str| None;
        let one = "renames.columns.\"auth.users.name\" = \"full_name\"";
        let two = &format!("{one}\nrenames.columns.\"public.users.name\" = \"full_name\"");
        let yes = "1: p.toml:2 renames.columns.\"auth.users.name\"";
        let unclear = "unclear: drizzle-kit does not say whether it means auth.users.full_name \
                       (p.toml:2 renames.columns.\"auth.users.name\") or public.users.full_name \
                       (built-in policy (renames.otherwise)), and the answers differ";
        type Named<'a> = &'a dyn Fn(&str) -> Option<Vec<String>>;
        let cases: [(&str, Named<'_>, &str); 6] = [
            (one, &everywhere, unclear),
            (one, &unknown, unclear),
            (one, &nowhere, unclear),
            (one, &only_auth, yes),
            (two, &everywhere, yes),
            (two, &unknown, yes),
        ];
        for (rules, tables_named, expected) in cases {
            let scope = Scope { tables_named, ..scope(&both) };
            check(&policy(rules), &column("full_name", &["name"]), &scope, expected);
        }
        let asked = column("full_name", &["name"]);
        check(
            &policy(""),
            &asked,
            &Scope { tables_named: &everywhere, ..scope(&both) },
            r#"refused: no rule says whether column auth.users.full_name or public.users.full_name is new or was renamed from name
  p.toml, if it was renamed from name:
      [renames.columns]
      "auth.users.name" = "full_name"
      "public.users.name" = "full_name"
  p.toml, if it is new:
      [create]
      columns = ["auth.users.full_name", "public.users.full_name"]"#,
        );
    }

    #[test]
    fn a_column_may_be_named_by_the_old_and_the_new_name_of_its_table() {
        let renamed = [(ObjectName::new(["public", "people"]), ObjectName::new(["public", "users"]))];
        let both = names(&["public", "auth"]);
        let tables_named = |table: &str| Some(names(if table == "people" { &["public"] } else { &[] }));
        let scope = Scope { renamed: &renamed, tables_named: &tables_named, ..scope(&both) };
        let cases = [
            ("people.name", "full_name"),
            ("users.name", "full_name"),
            ("people.name", "public.users.full_name"),
            ("people.name", "users.full_name"),
        ];
        for (old, new) in cases {
            let rules = format!("renames.columns.\"{old}\" = \"{new}\"");
            let expected = format!("1: p.toml:2 renames.columns.\"{old}\"");
            check(&policy(&rules), &column("full_name", &["name"]), &scope, &expected);
        }
        let rules = "renames.columns.\"people.name\" = \"auth.users.full_name\"\nrenames.otherwise = \"create\"";
        check(&policy(rules), &column("full_name", &["name"]), &scope, "0: p.toml:3 renames.otherwise");
        let dropped = losing(&[(dropped_column("users", "age"), Some(1))]);
        for only in ["people.age", "users.age"] {
            check(
                &policy(&format!("hazards.drop_column.only = [\"{only}\"]")),
                &dropped,
                &scope,
                "1: p.toml:2 hazards.drop_column\n\
                 warning: drop_column public.users.age deletes 1 value (p.toml:2 hazards.drop_column)",
            );
        }
    }

    #[test]
    fn a_renamed_table_does_not_hide_another_of_its_new_name() {
        let renamed = [(ObjectName::new(["public", "people"]), ObjectName::new(["public", "users"]))];
        let both = names(&["public", "auth"]);
        check(
            &policy("renames.columns.\"people.name\" = \"full_name\""),
            &column("full_name", &["name"]),
            &Scope { renamed: &renamed, ..scope(&both) },
            "unclear: drizzle-kit does not say whether it means auth.users.full_name \
             (built-in policy (renames.otherwise)) or public.users.full_name \
             (p.toml:2 renames.columns.\"people.name\"), and the answers differ",
        );
    }

    #[test]
    fn a_name_that_changes_hands_is_unclear() {
        let public = names(&["public"]);
        let table = |name: &str| ObjectName::new(["public", name]);
        let renamed = [(table("people"), table("users")), (table("users"), table("accounts"))];
        let scope = Scope { renamed: &renamed, ..scope(&public) };
        check(
            &policy("renames.columns.\"users.name\" = \"full_name\""),
            &column("full_name", &["name"]),
            &scope,
            "unclear: p.toml:2 renames.columns.\"users.name\" may mean the old or the new bearer of a name \
             that changes hands in this run",
        );
        check(
            &policy("renames.columns.\"people.name\" = \"users.full_name\""),
            &column("full_name", &["name"]),
            &scope,
            "1: p.toml:2 renames.columns.\"people.name\"",
        );
        let dropped = losing(&[(dropped_column("users", "age"), Some(1))]);
        let refused = prompt(&policy("hazards.drop_column.only = [\"users.age\"]"), &dropped, &scope);
        assert!(matches!(refused, Decision::Refuse(_)), "users.age may be that of the table that is now accounts");
    }

    #[test]
    fn tables_follow_their_schema() {
        let renamed = [(ObjectName::new(["old"]), ObjectName::new(["new"]))];
        let schemas = names(&["new"]);
        let scope = Scope { renamed: &renamed, ..scope(&schemas) };
        check(
            &policy("renames.tables.\"old.a\" = \"b\""),
            &renaming(Entity::Table, None, "new.b", &["new.a"]),
            &scope,
            "1: p.toml:2 renames.tables.\"old.a\"",
        );
        let asked = renaming(Entity::Schema, None, "new", &["old"]);
        assert_eq!(super::renamed(&asked, 1, &schemas), Some(renamed[0].clone()));
        assert_eq!(super::renamed(&asked, 0, &schemas), None);
        assert_eq!(super::renamed(&column("a", &["b"]), 1, &schemas), None);
    }

    #[test]
    fn rows_are_kept_before_a_unique_constraint_unless_the_file_says_truncate() {
        let unique = asked(Kind::Unique(Unique { constraint: "u".into(), table: "users".into(), rows: 3 }), 2);
        let kept = "the unique constraint u is added to public.users without truncating it; \
                    it fails if 3 rows repeat a value";
        let cases = [
            ("", format!("0: built-in policy (hazards.add_unique)\nwarning: {kept}")),
            ("hazards.add_unique = \"keep_rows\"", format!("0: p.toml:2 hazards.add_unique\nwarning: {kept}")),
            ("hazards.may_fail = \"approve\"", format!("0: p.toml:2 hazards.may_fail\nwarning: {kept}")),
            (
                "hazards.add_unique = \"truncate\"",
                "1: p.toml:2 hazards.add_unique\nwarning: all of public.users is deleted for the unique constraint u: \
                 3 rows (p.toml:2 hazards.add_unique)"
                    .to_owned(),
            ),
            (
                "hazards.add_unique = \"refuse\"",
                "refused: add_unique public.users would concern 3 rows (p.toml:2 hazards.add_unique: refuse)\n  \
                 p.toml, to allow exactly this, in place of line 2:\n      hazards.add_unique = \"keep_rows\""
                    .to_owned(),
            ),
        ];
        let public = names(&["public"]);
        for (rules, expected) in cases {
            for accept_data_loss in [false, true] {
                check(&policy(rules), &unique, &Scope { accept_data_loss, ..scope(&public) }, &expected);
            }
        }
    }

    #[test]
    fn a_loss_is_refused_with_the_lines_that_allow_it() {
        let two =
            losing(&[(dropped_column("users", "legacy_id"), Some(3)), (LossKind::Table("posts".into()), Some(1))]);
        let cases = [
            (
                "",
                r#"refused: drop_column public.users.legacy_id would delete 3 values
refused: drop_table public.posts would delete 1 row
  p.toml, to allow exactly this:
      [hazards]
      drop_column = { only = ["public.users.legacy_id"] }
      drop_table = { only = ["public.posts"] }"#,
            ),
            (
                "[hazards]\ntruncate = \"approve\"\ndrop_column = { only = [\"users.a*\"], max_rows = 5 } # old\n[create]",
                r#"refused: drop_column public.users.legacy_id would delete 3 values (p.toml:4 hazards.drop_column: `only` does not name public.users.legacy_id)
refused: drop_table public.posts would delete 1 row
  p.toml, to allow exactly this, under [hazards], line 2:
      drop_table = { only = ["public.posts"] }
  and in p.toml, in place of line 4:
      drop_column = { only = ["users.a*", "public.users.legacy_id"], max_rows = 5 } # old"#,
            ),
            (
                "[hazards]\ndata_loss = { max_rows = 2 }\n[create]",
                r#"refused: drop_column public.users.legacy_id would delete 3 values (p.toml:3 hazards.data_loss: 3 are more than max_rows = 2)
  p.toml, to allow exactly this, under [hazards], line 2:
      drop_column = { max_rows = 3 }"#,
            ),
        ];
        for (rules, expected) in cases {
            check_in_public(rules, &two, expected);
        }
    }

    #[test]
    fn every_hazard_of_every_loss_must_be_allowed() {
        let change = LossKind::ChangeType { column: "a".into(), from: "text".into(), to: "int".into() };
        let all = losing(&[
            (LossKind::Table("t".into()), Some(1)),
            (LossKind::View("v".into()), None),
            (LossKind::Schema("s".into()), Some(2)),
            (change, Some(4)),
            (LossKind::Truncate { column: "c".into() }, Some(5)),
            (LossKind::PrimaryKey { table: "t".into() }, None),
            (LossKind::Unknown, None),
        ]);
        let none = r#"refused: drop_table public.t would delete 1 row
refused: drop_view public.v needs consent: a view is dropped, materialised or not
refused: drop_schema s would delete 2 tables
refused: change_type would convert 4 values
refused: truncate would delete 4 rows
refused: truncate would delete 5 rows
refused: drop_primary_key public.t needs consent: a table loses its primary key, perhaps for good
refused: unclassified: something would happen that is not understood
  drizzle-pilot.toml (a new file), to allow exactly this:
      [hazards]
      drop_table = { only = ["public.t"] }
      drop_view = { only = ["public.v"] }
      drop_schema = { only = ["s"] }
      change_type = { max_rows = 4 }
      truncate = { max_rows = 5 }
      drop_primary_key = { only = ["public.t"] }
      unclassified = "approve""#;
        let public = names(&["public"]);
        check(&Policy::built_in(), &all, &scope(&public), none);
        let accepting = Scope { accept_data_loss: true, ..scope(&public) };
        check(
            &Policy::built_in(),
            &all,
            &accepting,
            "refused: unclassified: something would happen that is not understood\n  \
             drizzle-pilot.toml (a new file), to allow exactly this:\n      \
             [hazards]\n      unclassified = \"approve\"",
        );
        let loss = losing(&[(LossKind::Table("t".into()), Some(7))]);
        check(
            &Policy::built_in(),
            &loss,
            &accepting,
            "1: --accept-data-loss\nwarning: drop_table public.t deletes 7 rows (--accept-data-loss)",
        );
        check(
            &Policy::built_in(),
            &losing(&[]),
            &accepting,
            "refused: unclassified: something would happen that is not understood\n  \
             drizzle-pilot.toml (a new file), to allow exactly this:\n      \
             [hazards]\n      unclassified = \"approve\"",
        );
    }

    #[test]
    fn a_profile_may_ban_the_acceptance_of_data_loss() {
        let policies = policies("version = 1\n[profiles.p]\naccept_data_loss = false");
        let policy = policies.select(Some("p"), &|_| None, None).expect("the profile exists");
        let public = names(&["public"]);
        let accepting = Scope { accept_data_loss: true, ..scope(&public) };
        let loss = losing(&[(LossKind::Table("t".into()), Some(7))]);
        check(
            &policy,
            &loss,
            &accepting,
            "refused: drop_table public.t would delete 7 rows\n  p.toml, to allow exactly this:\n      \
             [profiles.p.hazards]\n      drop_table = { only = [\"public.t\"] }",
        );
    }

    #[test]
    fn a_limit_is_not_met_by_what_is_not_known() {
        let both = names(&["public", "auth"]);
        let cases = [
            ("drop_table = { only = [\"public.t\"] }", Some(1), "`only` does not name auth.t"),
            ("drop_table = { only = [\"*.t\"], max_rows = 1 }", None, "the number of rows is not known"),
            ("drop_table = { only = [\"*.t\"], max_rows = 1 }", Some(2), "2 are more than max_rows = 1"),
        ];
        for (rule, count, reason) in cases {
            let asked = losing(&[(LossKind::Table("t".into()), count)]);
            let told = told(&prompt(&policy(&format!("[hazards]\n{rule}")), &asked, &scope(&both)));
            let expected = format!("(p.toml:3 hazards.drop_table: {reason})");
            assert!(told.lines().next().is_some_and(|line| line.ends_with(&expected)), "{told}");
        }
        let truncate = losing(&[(LossKind::Truncate { column: "c".into() }, Some(1))]);
        let decision = prompt(&policy("hazards.truncate.only = [\"*.*\"]"), &truncate, &scope(&both));
        assert!(matches!(decision, Decision::Refuse(_)), "the table is not known: {}", told(&decision));
    }

    #[test]
    fn nothing_allows_drop_and_nothing_is_asked_about_the_strict_prompt() {
        check_in_public(
            "hazards = { data_loss = \"approve\", unclassified = \"approve\" }",
            &asked(Kind::DropMigration, 3),
            "refused: drizzle-kit drop deletes a migration file; no rule can allow it",
        );
        check_in_public("", &asked(Kind::Execute, 2), "1: built-in policy");
        check_in_public("", &asked(Kind::Execute, 1), "unclear: choice 1 of built-in policy is not on the list of 1");
    }

    #[test]
    fn an_unknown_question_is_answered_by_one_rule_with_one_choice() {
        let asked = |choices: &[&str]| Prompt {
            question: "Is b trigger new?".to_owned(),
            context: Vec::new(),
            printed: String::new(),
            choices: names(choices),
            highlighted: 0,
            kind: Kind::Unknown,
        };
        let rule = |question: &str, answer: &str| format!("[[prompts]]\nquestion = '{question}'\n{answer}\n");
        let yes = rule("trigger", "choose = '^\\+ '");
        let cases = [
            (yes.clone(), "0: p.toml:2 prompts[0]"),
            (rule("trigger", "choose = 'b'"), "unclear: `choose` of p.toml:2 prompts[0] matches several choices"),
            (rule("trigger", "choose = 'x'"), "unclear: `choose` of p.toml:2 prompts[0] matches no choice"),
            (
                rule("trigger", "decline = true"),
                "refused: p.toml:2 prompts[0] declines the question \"Is b trigger new?\"",
            ),
            (format!("{yes}{yes}"), "0: p.toml:2 prompts[0]"),
            (
                format!("{yes}{}", rule("Is", "choose = 'a › b'")),
                "unclear: p.toml:2 prompts[0] and p.toml:5 prompts[1] give different answers",
            ),
            (
                rule("^trigger", "decline = true"),
                r#"unclear: the question "Is b trigger new?" is not known to this version
  p.toml, to choose "+ b":
      [[prompts]]
      question = '^Is b trigger new\?$'
      choose = '^\+ b$'
  p.toml, to choose "~ a › b":
      [[prompts]]
      question = '^Is b trigger new\?$'
      choose = '^\~ a › b$'
  p.toml, to decline:
      [[prompts]]
      question = '^Is b trigger new\?$'
      decline = true"#,
            ),
        ];
        for (rules, expected) in cases {
            check_in_public(&rules, &asked(&["+ b", "~ a › b"]), expected);
        }
        let all = rule("", "choose = 'choice 1'");
        let refused = prompt(&policy(&all), &column("full", &["name"]), &scope(&names(&["public"])));
        assert!(matches!(refused, Decision::Refuse(_)), "the question is known: {}", told(&refused));
    }

    #[test]
    fn the_lines_of_a_refusal_take_the_place_of_rules_that_would_contradict_them() {
        check_in_public(
            "[renames.columns]\n\"users.nick\" = \"full_name\"\n\"users.name\" = \"title\"\n[create]",
            &column("full_name", &["name"]),
            r#"refused: no rule says whether column public.users.full_name is new or was renamed from name
  p.toml, if it was renamed from name, in place of lines 3 to 4:
      "users.name" = "full_name"
  p.toml, if it is new, without line 3
  and in p.toml:
      columns = ["public.users.full_name"]"#,
        );
    }

    #[test]
    fn lines_that_would_contradict_another_profile_are_not_offered() {
        let text = "version = 1\nrenames.columns.\"users.nick\" = \"full_name\"\n\
                    profiles.p.renames.columns.\"users.nick\" = \"title\"";
        let policy = policies(text).select(Some("p"), &|_| None, None).expect("the profile exists");
        check(
            &policy,
            &column("full_name", &["name"]),
            &scope(&names(&["public"])),
            "refused: no rule says whether column public.users.full_name is new or was renamed from name",
        );
    }

    /// Does what a refusal says.
    fn applied(text: &str, allow: &Allow) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for change in allow.changes.iter().rev() {
            let range = match change.place {
                Place::NewFile | Place::End => lines.len()..lines.len(),
                Place::Under { line, .. } | Place::After(line) => line..line,
                Place::Instead { first, last } => first - 1..last,
            };
            lines.splice(range, change.lines.iter().cloned());
        }
        lines.join("\n")
    }

    /// Checks that each way to allow a prompt leads to its choice. Returns how many there are.
    fn every_way_works(text: Option<&str>, profile: Option<&str>, asked: &Prompt, scope: &Scope<'_>) -> usize {
        let before = match text {
            None => Policy::built_in(),
            Some(text) => policies(text).select(profile, &|_| None, None).expect("the profile exists"),
        };
        let (ways, n_choices) = match prompt(&before, asked, scope) {
            Decision::Refuse(refusal) => (refusal.allow, asked.choices.len()),
            Decision::Unclear(doubt) => (doubt.allow, asked.choices.len()),
            Decision::Choose { .. } => return 0,
        };
        for allow in &ways {
            let text = applied(text.unwrap_or_default(), allow);
            let after = policies(&text).select(profile, &|_| None, None).expect("the profile exists");
            match prompt(&after, asked, scope) {
                Decision::Choose { choice, .. } => {
                    let renames = allow.purpose.starts_with("if it was renamed");
                    let keeps = allow.purpose == "if it is new" || matches!(asked.kind, Kind::Unique(_));
                    assert!(
                        choice < n_choices && (!renames || choice > 0) && (!keeps || choice == 0),
                        "{allow}\n{text}"
                    );
                }
                Decision::Refuse(_) if allow.purpose == "to decline" => {}
                other => panic!("{}\nis the answer to\n{allow}\nin\n{text}", told(&other)),
            }
        }
        ways.len()
    }

    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{1,3}", r#"[a-c."' ›*?\[{\\é=#,\-]{1,8}"#, ".{1,5}", "\\PC{0,3}[\n\t\u{1b}]"]
    }

    fn any_prompt() -> impl Strategy<Value = Prompt> {
        let entity = prop::sample::select(&Entity::ALL[..]);
        let renames = (entity, any_name(), any_name(), prop::collection::btree_set(any_name(), 1..4));
        let renames = renames.prop_map(|(entity, table, name, candidates)| {
            let candidates: Vec<&str> = candidates.iter().filter(|old| **old != name).map(String::as_str).collect();
            let table = (entity == Entity::Column).then_some(table.as_str());
            renaming(entity, table, &name, &candidates)
        });
        let loss =
            (any_name(), any_name(), 0..8, prop::option::of(0..99u64)).prop_map(|(table, column, kind, count)| {
                let kind = match kind {
                    0 => LossKind::Table(table),
                    1 => LossKind::Column { table, column },
                    2 => LossKind::Schema(table),
                    3 => LossKind::View(table),
                    4 => LossKind::ChangeType { column, from: table.clone(), to: table },
                    5 => LossKind::Truncate { column },
                    6 => LossKind::PrimaryKey { table },
                    _ => LossKind::Unknown,
                };
                (kind, count)
            });
        let losses = prop::collection::vec(loss, 0..4).prop_map(|losses| losing(&losses));
        let unique = (any_name(), any_name(), 0..99u64)
            .prop_map(|(constraint, table, rows)| asked(Kind::Unique(Unique { constraint, table, rows }), 2));
        let unknown = (any_name(), prop::collection::vec(any_name(), 1..4)).prop_map(|(question, choices)| Prompt {
            question,
            context: Vec::new(),
            printed: String::new(),
            choices,
            highlighted: 0,
            kind: Kind::Unknown,
        });
        prop_oneof![renames, losses, unique, unknown]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_refusal_prints_allows_what_it_refused(
            asked in any_prompt(),
            shape in 0..=SHAPES.len(),
            in_ci in any::<bool>(),
            schemas in prop::sample::select(vec![vec![], vec!["public"], vec!["public", "a"], vec!["b"]]),
            crlf in any::<bool>(),
        ) {
            let schemas = names(&schemas);
            let text = SHAPES.get(shape).map(|text| if crlf { text.replace('\n', "\r\n") } else { (*text).to_owned() });
            let profile = text.as_ref().filter(|_| in_ci).map(|_| "ci");
            every_way_works(text.as_deref(), profile, &asked, &scope(&schemas));
        }
    }

    #[test]
    fn every_shape_of_file_has_lines_for_every_kind_of_refusal() {
        let public = names(&["public"]);
        let refused = [
            column("full", &["old"]),
            renaming(Entity::Table, None, "full", &["old"]),
            losing(&[(dropped_column("t", "c"), Some(5)), (LossKind::Table("t".into()), None)]),
            losing(&[(LossKind::Truncate { column: "c".into() }, Some(5))]),
            asked(Kind::Unknown, 2),
        ];
        for (shape_idx, text) in SHAPES.into_iter().enumerate() {
            for profile in [None, Some("ci")] {
                for asked in &refused {
                    let n_ways = every_way_works(Some(text), profile, asked, &scope(&public));
                    let approved = shape_idx == 0 && profile.is_some() && matches!(asked.kind, Kind::DataLoss(_));
                    assert!(n_ways > 0 || approved, "{:?} in\n{text}", asked.kind);
                }
            }
        }
    }
}
