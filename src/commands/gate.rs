//! The statement gate: reads every statement that is about to run, and has the policy judge all of them at once.
//!
//! drizzle-kit announces some losses above its last question. They are held against the statements: they bring the
//! number of rows along, and what no statement explains is judged as it is announced.

pub mod sqlite;

use std::collections::BTreeSet;

use self::sqlite::Knows;
use crate::db::reach::{self, Fitting, Reached, Relation, Root, Rows, Wanted};
use crate::kit::block;
use crate::kit::prompt::{Kind, Loss, LossKind, Prompt};
use crate::policy::decide::{self, Consent, Count, Objects, Stake};
use crate::policy::{Decision, ObjectName, Policy, Refusal, RuleRef, Scope};
use crate::report;
use crate::sql::effect::{Effect, Using};
use crate::sql::hazard::{Class, Object};
use crate::sql::{self, Assessed, Dialect, Found, Hazard, PUBLIC, Reference, RowPolicy};

/// What the gate knows beside the question.
pub struct Gate<'a> {
    pub policy: &'a Policy,
    pub scope: &'a Scope<'a>,
    /// None where drizzle's config names a dialect that nobody can read.
    pub dialect: Option<Dialect>,
    /// Whether the program runs the statements itself, in one transaction, and so may change them by the policy.
    pub in_transaction: bool,
    /// The schema in which the server looks for a name without one, where that is known.
    pub current_schema: Option<&'a str>,
    /// The tables in which drizzle's migrators keep their records.
    pub kept: &'a [Relation],
    /// The row level security policies that the schema files make, each with the statement that does it.
    pub row_policies: &'a [(RowPolicy, String)],
    /// Tables whose truncation was chosen at the question before a unique constraint, with the rule.
    pub truncated: &'a [(ObjectName, RuleRef)],
    /// Looks into the database; fails with the reason in words.
    pub look_up: &'a dyn Fn(&Wanted) -> Result<reach::Facts, String>,
    /// Says whose a table is, where that is worth a word: it belongs to an extension, or this project never had it.
    pub whose: &'a dyn Fn(&ObjectName) -> Option<String>,
    /// Tells whether the schema files may have a table.
    pub is_in_schema: &'a dyn Fn(&ObjectName) -> bool,
    /// What is known of a database of SQLite; none for every other one.
    pub sqlite: Option<Knows<'a>>,
}

/// The statements of a plan, judged.
#[derive(Debug)]
pub struct Judged {
    pub statements: Vec<report::Statement>,
    /// Why the database could not be looked into, where that was wanted.
    pub blind: Option<String>,
    /// Why drizzle-kit, which runs the statements one by one, would stop half way.
    pub half_way: Vec<String>,
    /// What no rule allows, whoever runs the statements.
    pub forbidden: Vec<String>,
    pub decision: Result<Consent, Refusal>,
}

/// A stake, and the statement it comes from; none for an announced loss that no statement explains.
#[derive(Debug)]
struct Held {
    statement_idx: Option<usize>,
    stake: Stake,
    /// The rule that has consented to it already.
    settled: Option<RuleRef>,
    /// The server would not show us all of its rows, so that no number is to be believed.
    is_hidden: bool,
}

impl Held {
    fn by(statement_idx: Option<usize>, stake: Stake) -> Held {
        Held { statement_idx, stake, settled: None, is_hidden: false }
    }

    /// Something that nobody knows enough about.
    fn in_doubt(statement_idx: usize, note: String) -> Held {
        let stake = Stake { hazard: Hazard::Unclassified, objects: Objects::Unknown, count: None, note: Some(note) };
        Held::by(Some(statement_idx), stake)
    }
}

impl Gate<'_> {
    /// Decides a question: the last one by the statements above it, every other one by what it asks.
    pub fn answer(&self, prompt: &Prompt) -> (Decision, Vec<report::Statement>) {
        match &prompt.kind {
            Kind::Execute | Kind::DataLoss(_) => self.decide(prompt),
            Kind::Rename(_) | Kind::Unique(_) | Kind::DropMigration | Kind::Unknown => {
                (decide::prompt(self.policy, prompt, self.scope), Vec::new())
            }
        }
    }

    /// Judges the last question by the statements above it, and returns the answer.
    fn decide(&self, prompt: &Prompt) -> (Decision, Vec<report::Statement>) {
        let statements = match self.read(prompt) {
            Ok(statements) => statements,
            Err(reason) => {
                let doubt = decide::Doubt { reason, allow: Vec::new() };
                return (Decision::Unclear(doubt), Vec::new());
            }
        };
        let statements = if self.in_transaction { self.rewritten(statements) } else { statements };
        let in_one = if self.in_transaction { sql::transaction::obstacle(&statements) } else { None };
        let losses: &[Loss] = match &prompt.kind {
            Kind::DataLoss(losses) => losses,
            _ => &[],
        };
        let Judged { statements, blind, half_way, forbidden, decision } = self.judge(&statements, losses);
        let in_one = in_one.map(|obstacle| {
            format!("statement {} cannot run in one transaction: {}", obstacle.statement_idx + 1, obstacle.why)
        });
        let half_way = if self.in_transaction { Vec::new() } else { half_way };
        let half_way = half_way.into_iter().map(|why| format!("{why}; --apply transaction leaves no half of it"));
        // No rule changes these. What the policy refuses is said as well: nobody should find it out one run later.
        let obstacles: Vec<String> = forbidden.into_iter().chain(in_one).chain(half_way).collect();
        if !obstacles.is_empty() {
            let refusal = decision.err().unwrap_or(Refusal { what: String::new(), because: None, allow: Vec::new() });
            let lines = refusal.what.lines().map(str::to_owned);
            let what = lines.chain(obstacles).collect::<Vec<_>>().join("\n");
            return (Decision::Refuse(Refusal { what, ..refusal }), statements);
        }
        let mut decision = decide::consenting(decision);
        if let (Decision::Choose { warnings, .. }, Some(reason)) = (&mut decision, blind) {
            warnings.push(format!("our own look at what the statements reach failed: {reason}"));
        }
        (decision, statements)
    }

    /// Returns the statements of the block above a question.
    fn read(&self, prompt: &Prompt) -> Result<Vec<String>, String> {
        let dialect = self.dialect.ok_or("the statements of this dialect cannot be read by this version")?;
        if let Some(other) = self.current_schema.filter(|schema| *schema != PUBLIC) {
            return Err(format!(
                "drizzle-kit leaves the schema public out of its statements, and this login looks in {other} first \
                 (search_path), so what they mean is not certain"
            ));
        }
        let block = block::find(&prompt.printed).map_err(|error| error.to_string())?;
        sql::split(&block, dialect)
            .map_err(|error| format!("the statements cannot be told apart with certainty: {error}"))
    }

    /// Leaves out the truncates that the policy skips, and says how the values of its columns are converted.
    fn rewritten(&self, statements: Vec<String>) -> Vec<String> {
        let skipped = match self.policy.skips_truncate() {
            Some(_) => sql::rewrite::skippable_truncates(&statements),
            None => Vec::new(),
        };
        let kept = statements.into_iter().enumerate().filter(|(idx, _)| !skipped.contains(idx));
        let put_right = |statement: String| {
            let policy = self.without_condition(&statement).map(|(_, made)| made.clone());
            policy.or_else(|| self.with_using(&statement)).unwrap_or(statement)
        };
        kept.map(|(_, statement)| put_right(statement)).collect()
    }

    /// Returns the policy that a statement should create, and the statement that does it, where this one leaves out what the
    /// schema files say.
    fn without_condition(&self, statement: &str) -> Option<&(RowPolicy, String)> {
        let shown = sql::row_policy(statement)?;
        let made = self.row_policies.iter().find(|(made, _)| made.name == shown.name);
        made.filter(|(made, _)| made.using != shown.using || made.with_check != shown.with_check)
    }

    fn with_using(&self, statement: &str) -> Option<String> {
        let changed = sql::read(statement, Dialect::Postgres).effects.into_iter().find_map(|effect| match effect {
            Effect::ChangeType { column, using: Using::Assignment, .. } => Some(column),
            _ => None,
        })?;
        let names = self.scope.names(&changed);
        let (expression, _) = names.iter().find_map(|name| self.policy.using(name))?;
        let meant = if self.scope.schemas.iter().any(|schema| schema == "undefined") {
            None
        } else {
            sql::rewrite::with_meant_type(statement)
        };
        sql::rewrite::with_using(meant.as_deref().unwrap_or(statement), expression)
    }

    /// Judges statements together with the losses that drizzle-kit announces for them.
    pub fn judge(&self, statements: &[String], losses: &[Loss]) -> Judged {
        let dialect = self.dialect.unwrap_or(Dialect::Postgres);
        let mut assessed = sql::assess(statements, dialect, &sql::Facts::default());
        let wanted = self.wanted(&assessed);
        let looked = if wanted.is_empty() { Ok(reach::Facts::default()) } else { (self.look_up)(&wanted) };
        let (facts, blind) = match looked {
            Ok(facts) => (Some(facts), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(facts) = facts.as_ref().filter(|facts| !facts.primary_keys.is_empty()) {
            let primary_keys = facts.primary_keys.iter();
            let primary_keys = primary_keys.map(|(table, name)| named(table).child(name)).collect();
            assessed = sql::assess(statements, dialect, &sql::Facts { primary_keys });
        }
        let mut held = self.held(&assessed, facts.as_ref());
        held.extend(unseen(&assessed, dialect, blind.as_deref()));
        let in_sqlite = match dialect {
            Dialect::Sqlite | Dialect::Turso => {
                let nothing = Knows { catalog: None, switch: sqlite::Switch::Works };
                sqlite::find(&assessed, self.sqlite.unwrap_or(nothing))
            }
            Dialect::Postgres | Dialect::MySql | Dialect::SingleStore => rebuilt_unseen(&assessed),
        };
        held.extend(in_sqlite.held);
        held.retain(|held| !in_sqlite.unchanged.iter().any(|unchanged| unchanged.is(held)));
        for loss in losses {
            self.explain(loss, &mut held);
        }
        self.settle(&mut held);
        let mut forbidden = self.forbidden(&assessed, facts.as_ref());
        forbidden.extend(in_sqlite.forbidden);
        forbidden.extend(losses.iter().filter_map(only_a_width));
        let policies = assessed.iter().filter_map(|statement| self.without_condition(&statement.sql));
        forbidden.extend(policies.map(|(policy, _)| {
            let conditions: Vec<&str> = [&policy.using, &policy.with_check].into_iter().flatten().map(String::as_str).collect();
            format!(
                "alter_policy {} would be created without its condition, and hold nobody back: the schema files give it {}, and \
                 drizzle-kit's push leaves that out; --apply transaction creates it as the schema files say, and so does a \
                 migration (drizzle-pilot generate)",
                policy.name,
                conditions.join(" ")
            )
        }));
        Judged { blind, half_way: half_way(&assessed, facts.as_ref()), forbidden, ..self.conclude(&assessed, &held) }
    }

    /// Says what would happen to the tables in which drizzle's migrators keep their records. drizzle-kit does not get to see
    /// them, unless the schema files have them or it lists tables in a way that is not known.
    fn forbidden(&self, assessed: &[Assessed], facts: Option<&reach::Facts>) -> Vec<String> {
        let reached = || facts.into_iter().flat_map(|facts| &facts.reached).filter_map(Reached::relation);
        let touched = self.kept.iter().filter(|kept| {
            let name = named(kept);
            let is_named = |statement: &Assessed| {
                let before = statement.hazards.iter().flat_map(|found| &found.before);
                let of_schema = statement.kind.contains("schema");
                statement.objects.iter().chain(before).any(|object| {
                    object == &name
                        || object.parent().as_ref() == Some(&name)
                        || (of_schema && name.parent().as_ref() == Some(object))
                })
            };
            assessed.iter().any(is_named) || reached().any(|reached| reached == **kept)
        });
        let said = touched.map(|kept| {
            format!(
                "{} is where drizzle's migrator keeps its records, and no rule allows a push to change it; leave it \
                 out of the schema files, or out of schemaFilter",
                named(kept)
            )
        });
        said.collect()
    }

    /// Returns what is at stake in the statements, one object at a time, and in what a CASCADE reaches beyond them.
    fn held(&self, assessed: &[Assessed], facts: Option<&reach::Facts>) -> Vec<Held> {
        let mut held = Vec::new();
        for (statement_idx, statement) in assessed.iter().enumerate() {
            for found in &statement.hazards {
                let mut hold = |objects: Objects, count: Option<Count>, note: Option<String>| {
                    let stake = Stake { hazard: found.hazard, objects, count, note };
                    held.push(Held::by(Some(statement_idx), stake));
                };
                if found.hazard == Hazard::Unclassified {
                    hold(Objects::Unknown, None, Some(format!("the statement is {}", excerpt(&statement.sql))));
                    continue;
                }
                if found.objects.is_empty() {
                    hold(Objects::Unknown, None, None);
                }
                for (object_idx, object) in found.objects.iter().enumerate() {
                    let before = &found.before[object_idx];
                    let relation = self.counted_relation(found.hazard, before);
                    let rows = relation.and_then(|relation| Some(facts?.relations.get(&relation)?.rows));
                    let note = self.note(found.hazard, object, before, facts);
                    let (objects, count) = (Objects::All(vec![object.clone()]), rows.and_then(count));
                    let stake = Stake { hazard: found.hazard, objects, count, note };
                    held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..Held::by(Some(statement_idx), stake) });
                }
            }
        }
        held.extend(cascades(assessed, facts, &|table| {
            // What drizzle-kit drops is not in the schema files. What is reached may be.
            self.owner(table, facts).or_else(|| if (self.is_in_schema)(table) { None } else { (self.whose)(table) })
        }));
        held
    }

    /// Names the extension that a table belongs to.
    fn owner(&self, table: &ObjectName, facts: Option<&reach::Facts>) -> Option<String> {
        let found = facts?.relations.get(&relation(table)?)?;
        found.extension.as_ref().map(|extension| format!("it belongs to the extension {extension}"))
    }

    /// Says what a reader of a refusal should know of an object.
    fn note(
        &self,
        hazard: Hazard,
        object: &ObjectName,
        before: &ObjectName,
        facts: Option<&reach::Facts>,
    ) -> Option<String> {
        let formerly = (object != before).then(|| format!("it was {before} before this plan"));
        let whose = match hazard {
            // drizzle-kit drops what is not in the schema files, and truncates only what is.
            Hazard::DropTable if sqlite::is_left_over(before) => Some(
                "left by a rebuild that did not come to its end: look whether it has rows that are nowhere else"
                    .to_owned(),
            ),
            Hazard::DropTable => self.owner(before, facts).or_else(|| (self.whose)(before)),
            Hazard::Truncate => self.owner(before, facts),
            _ => None,
        };
        let using = match (hazard, self.policy.using(before)) {
            (Hazard::ChangeType, Some((_, rule))) if !self.in_transaction => {
                Some(format!("{rule} applies with --apply transaction only"))
            }
            _ => None,
        };
        joined([formerly, whose, using])
    }

    /// Finds the statements that an announced loss is about, and gives them its number of rows. A loss that no statement
    /// explains is at stake by itself.
    fn explain(&self, loss: &Loss, held: &mut Vec<Held>) {
        let announced = decide::loss_stakes(loss, self.scope);
        let may_mean = |hazard: Hazard, names: Vec<ObjectName>| {
            move |stake: &Stake| {
                let objects = stake.objects.names();
                stake.hazard == hazard && objects.iter().any(|object| names.contains(object))
            }
        };
        let tables = |table: &String| self.scope.tables_shown(table);
        let columns = |table: &String, column: &String| tables(table).iter().map(|table| table.child(column)).collect();
        let means: Box<dyn Fn(&Stake) -> bool> = match &loss.kind {
            LossKind::Table(name) => Box::new(may_mean(Hazard::DropTable, tables(name))),
            LossKind::View(name) => Box::new(may_mean(Hazard::DropView, tables(name))),
            LossKind::PrimaryKey { table } => Box::new(may_mean(Hazard::DropPrimaryKey, tables(table))),
            LossKind::Column { table, column } => Box::new(may_mean(Hazard::DropColumn, columns(table, column))),
            LossKind::Schema(name) => Box::new(may_mean(Hazard::DropSchema, vec![ObjectName::new([name])])),
            // drizzle-kit names no table in these lines.
            LossKind::ChangeType { column, .. } => Box::new(move |stake| {
                matches!(stake.hazard, Hazard::ChangeType | Hazard::RecreateEnum)
                    && stake.objects.names().iter().any(|object| object.last() == column)
            }),
            // SQLite has no TRUNCATE.
            LossKind::Truncate { .. } => {
                Box::new(|stake| matches!(stake.hazard, Hazard::Truncate | Hazard::DeleteRows))
            }
            LossKind::Unknown => Box::new(|_| false),
        };
        let mut explained: Vec<&mut Held> = held.iter_mut().filter(|held| means(&held.stake)).collect();
        if let [only] = explained.as_mut_slice()
            && !only.is_hidden
        {
            only.stake.count = more(only.stake.count, announced.first().and_then(|stake| stake.count));
        }
        if explained.is_empty() {
            held.extend(announced.into_iter().map(|stake| Held::by(None, stake)));
        }
    }

    /// Marks the truncations that were chosen at the question before a unique constraint. What their CASCADE reaches
    /// was not asked about there.
    fn settle(&self, held: &mut [Held]) {
        for held in held.iter_mut().filter(|held| held.stake.hazard == Hazard::Truncate) {
            let chosen =
                self.truncated.iter().find(|(table, _)| held.stake.objects.names() == std::slice::from_ref(table));
            held.settled = chosen.map(|(_, rule)| rule.clone());
        }
    }

    /// Returns the relation whose rows are at stake, or matter to the policy, given the name of the object.
    fn counted_relation(&self, hazard: Hazard, object: &ObjectName) -> Option<Relation> {
        let is_counted = match hazard.class() {
            Class::DataLoss => true,
            Class::MayFail | Class::Blocking => self.policy.wants_rows(hazard),
            Class::Access | Class::Unknown | Class::Breaking => false,
        };
        match hazard.object() {
            Object::Table | Object::View if is_counted => relation(object),
            Object::Column if is_counted => relation(&object.parent()?),
            _ => None,
        }
    }

    /// Returns what the statements leave to be looked up.
    fn wanted(&self, assessed: &[Assessed]) -> Wanted {
        let mut wanted = cascading(assessed);
        for found in assessed.iter().flat_map(|statement| &statement.hazards) {
            for object in &found.before {
                wanted.counted.extend(self.counted_relation(found.hazard, object));
                if found.hazard == Hazard::DropTable {
                    wanted.gone.extend(relation(object));
                }
                if found.hazard == Hazard::DropConstraint {
                    // It may be a primary key, and then the rows matter.
                    let table = object.parent().as_ref().and_then(relation);
                    wanted.constrained.extend(table.clone());
                    wanted.counted.extend(table);
                }
            }
        }
        if !self.in_transaction {
            wanted.rebuilt = assessed.iter().flat_map(|statement| &statement.rebuilt).filter_map(rebuilt).collect();
        }
        for relations in [&mut wanted.counted, &mut wanted.truncated, &mut wanted.constrained] {
            relations.sort();
            relations.dedup();
        }
        wanted
    }

    fn conclude(&self, assessed: &[Assessed], held: &[Held]) -> Judged {
        let open: Vec<Stake> =
            held.iter().filter(|held| held.settled.is_none()).map(|held| held.stake.clone()).collect();
        let decision = decide::stakes(self.policy, &open, self.scope);
        let statements = assessed.iter().enumerate().map(|(statement_idx, statement)| {
            let of_statement = held.iter().filter(|held| held.statement_idx == Some(statement_idx));
            let hazards = of_statement.map(|held| self.hazard(held)).collect();
            let objects = statement.objects.iter().map(ToString::to_string).collect();
            report::Statement::new(statement.sql.clone(), statement.kind.clone(), objects, hazards)
        });
        Judged { statements: statements.collect(), blind: None, half_way: Vec::new(), forbidden: Vec::new(), decision }
    }

    fn hazard(&self, held: &Held) -> report::Hazard {
        let Held { stake, settled, .. } = held;
        let (verdict, rule) = match (settled, decide::judge(self.policy, stake, self.scope)) {
            (Some(rule), _) => (report::Judgement::Allowed, rule.clone()),
            (None, Ok(rule)) => (report::Judgement::Allowed, rule),
            (None, Err((rule, _))) => (report::Judgement::Refused, rule),
        };
        let rows = match stake.count {
            Some(Count::Rows(rows) | Count::About(rows) | Count::AtLeast(rows)) => Some(rows),
            Some(Count::Tables(_)) | None => None,
        };
        report::Hazard {
            hazard: stake.hazard.name().to_owned(),
            class: stake.hazard.class().name().to_owned(),
            objects: stake.objects.names().iter().map(ToString::to_string).collect(),
            rows,
            is_estimate: matches!(stake.count, Some(Count::About(_))),
            is_minimum: matches!(stake.count, Some(Count::AtLeast(_))),
            note: stake.note.clone(),
            verdict,
            rule: rule.to_string(),
        }
    }
}

/// The choice that truncates, in the question before a unique constraint (see [`Kind::Unique`]).
const TRUNCATE: usize = 1;

/// Returns the table whose truncation an answer chose, with the rule. Where it could be several tables, none of them
/// was chosen with certainty.
pub fn chosen_truncation(prompt: &Prompt, decision: &Decision, scope: &Scope<'_>) -> Option<(ObjectName, RuleRef)> {
    let (Kind::Unique(unique), Decision::Choose { choice: TRUNCATE, because, .. }) = (&prompt.kind, decision) else {
        return None;
    };
    match scope.tables_shown(&unique.table).as_slice() {
        [table] => Some((table.clone(), because.clone())),
        _ => None,
    }
}

/// Returns the beginning of a statement, in one line.
pub fn excerpt(sql: &str) -> String {
    const LONGEST: usize = 160; // characters
    let line = one_line(sql);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns a statement in one line.
pub fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn named(relation: &Relation) -> ObjectName {
    ObjectName::new([&relation.schema, &relation.name])
}

fn relation(name: &ObjectName) -> Option<Relation> {
    match name.parts() {
        [schema, name] => Some(Relation { schema: schema.clone(), name: name.clone() }),
        _ => None,
    }
}

fn count(rows: Rows) -> Option<Count> {
    match rows {
        Rows::Exact(rows) => Some(Count::Rows(rows)),
        Rows::AtLeast(rows) => Some(Count::AtLeast(rows)),
        Rows::Estimate(rows) => Some(Count::About(rows)),
        Rows::Hidden | Rows::Unknown => None,
    }
}

/// Returns the greater of our own count and of the one that drizzle-kit announced.
fn more(own: Option<Count>, announced: Option<Count>) -> Option<Count> {
    let rows = |count: Count| match count {
        Count::Rows(rows) | Count::AtLeast(rows) | Count::About(rows) | Count::Tables(rows) => rows,
    };
    match (own, announced) {
        (Some(own), Some(announced)) if rows(own) >= rows(announced) => Some(own),
        (own, announced) => announced.or(own),
    }
}

/// Returns what is in doubt because the database could not be looked into, or cannot be for this dialect.
fn unseen(assessed: &[Assessed], dialect: Dialect, blind: Option<&str>) -> Vec<Held> {
    let mut held = Vec::new();
    for (statement_idx, statement) in assessed.iter().enumerate() {
        for found in &statement.hazards {
            match (dialect, found.hazard, blind) {
                // Without a look nobody can tell a primary key from another constraint.
                (Dialect::Postgres, Hazard::DropConstraint, Some(reason)) => {
                    let names: Vec<String> = found.objects.iter().map(ToString::to_string).collect();
                    let note =
                        format!("whether {} is a primary key could not be looked up: {reason}", names.join(", "));
                    held.push(Held::in_doubt(statement_idx, note));
                }
                _ => {}
            }
        }
    }
    held
}

/// Outside of SQLite nobody knows the columns of a table that is built anew.
fn rebuilt_unseen(assessed: &[Assessed]) -> sqlite::Found {
    let replaced = assessed.iter().enumerate().filter_map(|(idx, statement)| Some((idx, statement.replaced.as_ref()?)));
    let note = |table: &ObjectName| format!("{table} is built anew, and which of its columns go is not known");
    let held = replaced.map(|(idx, replaced)| Held::in_doubt(idx, note(&replaced.before))).collect();
    sqlite::Found { held, ..sqlite::Found::default() }
}

/// drizzle-kit empties a table for a type that does not change.
fn only_a_width(loss: &Loss) -> Option<String> {
    let LossKind::ChangeType { column, from, to } = &loss.kind else { return None };
    sql::mysql::differ_in_width_alone(from, to).then(|| {
        format!(
            "drizzle-kit would empty the table of {column} to change {from} into {to}, which is the same type: MariaDB, and MySQL \
             before 8.0.19, list the width in which a number is shown"
        )
    })
}

/// Returns what must be known of every CASCADE.
fn cascading(assessed: &[Assessed]) -> Wanted {
    let mut wanted = Wanted::default();
    let founds = || assessed.iter().flat_map(|statement| &statement.hazards);
    if founds().any(|found| found.cascade && found.hazard == Hazard::Truncate) {
        let added = assessed.iter().flat_map(|statement| &statement.references);
        let referring: Vec<Relation> = added.filter_map(|reference| relation(&reference.from)).collect();
        wanted.counted.extend(referring.iter().cloned());
        wanted.truncated.extend(referring);
    }
    let any_drop_cascades =
        founds().any(|found| found.cascade && !matches!(found.hazard, Hazard::Truncate | Hazard::Unclassified));
    for found in founds() {
        for object in &found.before {
            match found.hazard {
                Hazard::Truncate if found.cascade => wanted.truncated.extend(relation(object)),
                _ if any_drop_cascades => wanted.dropped.extend(root(found.hazard, object)),
                _ => {}
            }
        }
    }
    wanted
}

fn rebuilt(column: &sql::Rebuilt) -> Option<reach::Rebuilt> {
    let of = relation(&column.of)?;
    let (table, name) = (relation(&column.column.parent()?)?, column.column.last().to_owned());
    Some(reach::Rebuilt { table, column: name, of, labels: column.labels.clone() })
}

/// Says why drizzle-kit would stop half way through building an enum again: it makes its columns text first.
fn half_way(assessed: &[Assessed], facts: Option<&reach::Facts>) -> Vec<String> {
    let columns = assessed.iter().flat_map(|statement| &statement.rebuilt);
    let why = |column: &sql::Rebuilt| {
        let sql::Rebuilt { column: name, of, .. } = column;
        let stays =
            format!("drizzle-kit makes {name} text, replaces {of}, and would fail to make the column {of} again");
        match rebuilt(column).and_then(|wanted| facts?.fitting.get(&wanted)) {
            Some(Fitting::All) => None,
            Some(Fitting::Unfit(1)) => Some(format!("1 row has a value that the new {of} has not: {stays}")),
            Some(Fitting::Unfit(rows)) => Some(format!("{rows} rows have values that the new {of} has not: {stays}")),
            Some(Fitting::Needed(by)) => {
                Some(format!("{by} depends on {of}: drizzle-kit makes {name} text, and would fail to replace the type"))
            }
            Some(Fitting::Unknown) | None => {
                Some(format!("whether all values of {name} fit the new {of} could not be looked up; if not, {stays}"))
            }
        }
    };
    columns.filter_map(why).collect()
}

/// Returns where a CASCADE begins. What goes by a statement of its own is a root as well: it is not taken along.
fn root(hazard: Hazard, object: &ObjectName) -> Option<Root> {
    match hazard {
        Hazard::DropTable | Hazard::DropView | Hazard::DropSequence => relation(object).map(Root::Relation),
        Hazard::DropType => relation(object).map(Root::Type),
        Hazard::DropColumn => {
            let table = relation(&object.parent()?)?;
            Some(Root::Column { table, column: object.last().to_owned() })
        }
        Hazard::DropSchema => Some(Root::Schema(object.last().to_owned())),
        _ => None,
    }
}

/// Returns what is at stake beyond what the statements name, given who says whose a table is.
fn cascades(
    assessed: &[Assessed],
    facts: Option<&reach::Facts>,
    whose: &dyn Fn(&ObjectName) -> Option<String>,
) -> Vec<Held> {
    let cascading = assessed.iter().enumerate().flat_map(|(statement_idx, statement)| {
        statement.hazards.iter().filter(|found| found.cascade).map(move |found| (statement_idx, found))
    });
    let cascading: Vec<(usize, &Found)> = cascading.collect();
    let hold = |statement_idx: usize, stake: Stake| Held::by(Some(statement_idx), stake);
    let Some(facts) = facts else {
        // Nothing is destroyed that the policy does not name, and nobody can say what this would destroy.
        let unknown = cascading.iter().map(|(statement_idx, found)| {
            let names: Vec<String> = found.objects.iter().map(ToString::to_string).collect();
            let note = format!("what the CASCADE of {} reaches could not be looked up", names.join(", "));
            Held::in_doubt(*statement_idx, note)
        });
        return unknown.collect();
    };
    let is_named = |hazard: Hazard, name: &ObjectName| {
        let founds = assessed.iter().flat_map(|statement| &statement.hazards);
        founds.filter(|found| found.hazard == hazard).any(|found| found.before.contains(name))
    };
    let mut held = Vec::new();
    let mut emptied = BTreeSet::new();
    for (statement_idx, found) in cascading.iter().filter(|(_, found)| found.hazard == Hazard::Truncate) {
        let added: Vec<&Reference> = assessed[..*statement_idx].iter().flat_map(|before| &before.references).collect();
        for table in &found.before {
            for reached in emptied_with(table, &added, facts) {
                let name = match reached {
                    Ok(name) => name,
                    Err(lost) => {
                        let note =
                            format!("what the CASCADE of {table} reaches is not known: there is no table {lost}");
                        held.push(Held::in_doubt(*statement_idx, note));
                        continue;
                    }
                };
                if is_named(Hazard::Truncate, &name) || !emptied.insert(name.clone()) {
                    continue;
                }
                let notes = [Some(format!("reached by the CASCADE of {table}")), whose(&name)];
                let rows = relation(&name).and_then(|name| facts.relations.get(&name)).map(|found| found.rows);
                let (objects, count, note) = (Objects::All(vec![name]), rows.and_then(count), joined(notes));
                let stake = Stake { hazard: Hazard::Truncate, objects, count, note };
                held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..hold(*statement_idx, stake) });
            }
        }
    }
    let dropping: Vec<(usize, &ObjectName, Option<Root>)> = cascading
        .iter()
        .filter(|(_, found)| found.hazard != Hazard::Truncate)
        .flat_map(|(statement_idx, found)| {
            found.before.iter().map(move |object| (*statement_idx, object, root(found.hazard, object)))
        })
        .collect();
    for (statement_idx, object, root) in &dropping {
        let why = match root {
            Some(root) if !facts.lost.contains(root) => continue,
            Some(_) => format!("what the CASCADE of {object} reaches is not known: there is no {object}"),
            None => format!("what the CASCADE of {} reaches is not known", excerpt(&assessed[*statement_idx].sql)),
        };
        held.push(Held::in_doubt(*statement_idx, why));
    }
    let Some(first) = dropping.first() else { return held };
    for reached in &facts.reached {
        let Reached { kind, name, from, owner } = reached;
        let hazard = taken_along(kind);
        let name = ObjectName::new(name);
        if is_named(hazard, &name) {
            continue;
        }
        // What a DROP without CASCADE would need gone is told of as well, at the first that has it.
        let (statement_idx, by, _) = dropping.iter().find(|(.., root)| root.as_ref() == Some(from)).unwrap_or(first);
        let owned = owner.as_ref().map(|owner| format!("owned by {owner}"));
        let rows = reached.relation().and_then(|relation| facts.relations.get(&relation)).map(|found| found.rows);
        let (objects, told) = match hazard {
            Hazard::Unclassified => (Objects::Unknown, format!("the CASCADE of {by} drops the {kind} {name}")),
            _ => (Objects::All(vec![name.clone()]), format!("{kind} reached by the CASCADE of {by}")),
        };
        let whose = if hazard == Hazard::DropTable { whose(&name) } else { None };
        let stake = Stake { hazard, objects, count: rows.and_then(count), note: joined([Some(told), owned, whose]) };
        held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..hold(*statement_idx, stake) });
    }
    held
}

/// Joins what there is to say of an object.
fn joined(notes: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    (!notes.is_empty()).then(|| notes.join("; "))
}

/// Returns the tables that `TRUNCATE … CASCADE` empties beside its own: by the foreign keys that there are, and by those
/// that the plan has added to them by then. A table that should be there and is not is an error.
fn emptied_with(table: &ObjectName, added: &[&Reference], facts: &reach::Facts) -> Vec<Result<ObjectName, ObjectName>> {
    let mut reached = vec![table.clone()];
    let mut lost = Vec::new();
    let mut next_idx = 0;
    while let Some(name) = reached.get(next_idx).cloned() {
        next_idx += 1;
        let is_new = |name: &ObjectName| added.iter().any(|reference| reference.is_from_new && reference.from == *name);
        match relation(&name).filter(|relation| facts.relations.contains_key(relation)) {
            Some(relation) => {
                let emptied = facts.emptied.get(&relation).into_iter().flatten().map(named);
                extend_unseen(&mut reached, emptied);
            }
            // What the plan created has nothing to lose, but others may refer to it.
            None if is_new(&name) => {}
            None => lost.push(name.clone()),
        }
        let referring = added.iter().filter(|reference| reference.to == name);
        extend_unseen(&mut reached, referring.map(|reference| reference.from.clone()));
    }
    let is_there = |name: &ObjectName| relation(name).is_some_and(|relation| facts.relations.contains_key(&relation));
    let others = reached.into_iter().skip(1).filter(is_there).map(Ok);
    others.chain(lost.into_iter().map(Err)).collect()
}

fn extend_unseen(reached: &mut Vec<ObjectName>, names: impl Iterator<Item = ObjectName>) {
    for name in names {
        if !reached.contains(&name) {
            reached.push(name);
        }
    }
}

/// Returns the hazard of losing an object of a kind, by its name in `pg_identify_object_as_address`.
fn taken_along(kind: &str) -> Hazard {
    match kind {
        "table" | "foreign table" => Hazard::DropTable,
        "table column" | "foreign table column" => Hazard::DropColumn,
        "view" | "materialized view" => Hazard::DropView,
        "sequence" => Hazard::DropSequence,
        "table constraint" => Hazard::DropConstraint,
        "policy" => Hazard::DropPolicy,
        "index" => Hazard::DropIndex,
        "default value" => Hazard::DropDefault,
        _ => Hazard::Unclassified,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> Relation {
        Relation { schema: PUBLIC.to_owned(), name: name.to_owned() }
    }

    /// Says what the TRUNCATEs of a plan empty beyond what they name, in a catalog with these tables of one row each,
    /// where emptying the first of a list empties the rest of it as well.
    fn reached(plan: &[&str], catalog: &[&[&str]]) -> Vec<String> {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        let wanted = cascading(&assessed);
        let mut facts = reach::Facts::default();
        for tables in catalog {
            let tables: Vec<Relation> = tables.iter().map(|name| table(name)).collect();
            for name in &tables {
                facts.relations.insert(name.clone(), reach::Found { rows: Rows::Exact(1), extension: None });
            }
            if let [first, others @ ..] = tables.as_slice()
                && wanted.truncated.contains(first)
            {
                facts.emptied.insert(first.clone(), others.to_vec());
            }
        }
        cascades(&assessed, Some(&facts), &|_| None).iter().map(show).collect()
    }

    fn show(held: &Held) -> String {
        let names: Vec<String> = held.stake.objects.names().iter().map(ToString::to_string).collect();
        let note = held.stake.note.as_deref().unwrap_or_default();
        let rows = match held.stake.count {
            Some(Count::Rows(rows)) if held.stake.hazard == Hazard::DropTable => format!(" {rows}"),
            _ => String::new(),
        };
        let names: String = names.iter().map(|name| format!("{name}: ")).collect();
        format!("{} {names}{note}{rows}", held.stake.hazard)
    }

    /// Says what the DROPs of a plan take along beyond what they name.
    fn told(plan: &[&str], facts: &reach::Facts) -> Vec<String> {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        cascades(&assessed, Some(facts), &|_| Some("whose?".to_owned())).iter().map(show).collect()
    }

    #[test]
    fn a_truncation_is_followed_through_the_references_of_the_plan() {
        let by_users = |name: &str| format!("truncate public.{name}: reached by the CASCADE of public.users");
        let refer = |from: &str, to: &str| format!("ALTER TABLE {from} ADD FOREIGN KEY (x) REFERENCES {to}(id);");
        let truncate = "TRUNCATE users CASCADE;";
        let catalog: &[&[&str]] = &[&["users", "posts"], &["orders", "lines"]];
        let (orders_to_users, orders_to_posts) = (refer("orders", "users"), refer("orders", "posts"));
        assert_eq!(reached(&[truncate], catalog), [by_users("posts")]);
        let all = [by_users("posts"), by_users("orders"), by_users("lines")];
        assert_eq!(reached(&[&orders_to_users, truncate], catalog), all);
        assert_eq!(reached(&[&orders_to_posts, truncate], catalog), all);
        // What refers only afterwards is not emptied.
        assert_eq!(reached(&[truncate, &orders_to_users], catalog), [by_users("posts")]);
        // By way of a table that is new, which itself has nothing to lose.
        let (new, orders_to_new) = ("CREATE TABLE new (x int REFERENCES users);", refer("orders", "new"));
        assert_eq!(reached(&[new, &orders_to_new, truncate], catalog), all);
        // The names are those of now, and the catalog has those from before.
        let (renamed, to_members) = ("ALTER TABLE users RENAME TO members;", refer("orders", "members"));
        assert_eq!(
            reached(&[renamed, &to_members, "TRUNCATE members, logs CASCADE;"], &[catalog, &[&["logs"]]].concat()),
            all
        );
    }

    #[test]
    fn what_a_drop_cascades_from_and_is_not_found_is_not_harmless() {
        let facts = |lost: Vec<Root>| reach::Facts { lost, ..reach::Facts::default() };
        let users = Root::Relation(table("users"));
        let lost = "unclassified what the CASCADE of public.users reaches is not known: there is no public.users";
        let drop = ["DROP TABLE users CASCADE;"];
        assert_eq!(told(&drop, &facts(vec![users.clone()])), [lost]);
        assert_eq!(told(&drop, &facts(Vec::new())), [""; 0]);
        // A rename is followed, and what is dropped without CASCADE takes nothing along.
        let renamed = ["ALTER TABLE users RENAME TO people;", "DROP TABLE people CASCADE;"];
        assert_eq!(told(&renamed, &facts(vec![users.clone()])), [lost]);
        assert_eq!(told(&["DROP TABLE users;", "DROP TABLE logs CASCADE;"], &facts(vec![users])), [""; 0]);
        let schema = "unclassified what the CASCADE of shop reaches is not known: there is no shop";
        assert_eq!(told(&["DROP SCHEMA shop CASCADE;"], &facts(vec![Root::Schema("shop".to_owned())])), [schema]);
    }

    #[test]
    fn what_a_drop_takes_along_is_named_with_its_rows_and_its_owner() {
        let reached = |kind: &str, name: &[&str], from: &str, owner: Option<&str>| Reached {
            kind: kind.to_owned(),
            name: name.iter().map(|part| (*part).to_owned()).collect(),
            from: Root::Relation(table(from)),
            owner: owner.map(str::to_owned),
        };
        let mut facts = reach::Facts {
            reached: vec![
                reached("table", &["public", "child"], "users", Some("billing")),
                reached("function", &["public", "f"], "logs", None),
            ],
            ..reach::Facts::default()
        };
        facts.relations.insert(table("child"), reach::Found { rows: Rows::Exact(2), extension: None });
        assert_eq!(
            told(&["DROP TABLE logs CASCADE;", "DROP TABLE users CASCADE;"], &facts),
            [
                "drop_table public.child: table reached by the CASCADE of public.users; owned by billing; whose? 2",
                "unclassified the CASCADE of public.logs drops the function public.f",
            ]
        );
    }

    #[test]
    fn a_table_that_is_not_found_is_not_one_that_reaches_nothing() {
        let lost = |name: &str| {
            format!(
                "unclassified what the CASCADE of public.users reaches is not known: there is no table public.{name}"
            )
        };
        assert_eq!(reached(&["TRUNCATE users CASCADE;"], &[&["people"]]), [lost("users")]);
        let refer = "ALTER TABLE orders ADD FOREIGN KEY (x) REFERENCES users(id);";
        assert_eq!(reached(&[refer, "TRUNCATE users CASCADE;"], &[&["users"]]), [lost("orders")]);
    }
}
