//! The statement gate: reads every statement that is about to run, and has the policy judge all of them at once.
//!
//! drizzle-kit announces some losses above its last question. They are held against the statements: they bring the
//! number of rows along, and what no statement explains is judged as it is announced.

pub mod foresight;
pub mod pending;
pub mod recheck;
pub mod sqlite;

use std::collections::BTreeSet;

use self::foresight::{Asked, Questions};
use self::sqlite::Knows;
use crate::db::inspect::reach::{self, Reached, Relation, Rows, Thing, Wanted};
use crate::kit::block;
use crate::kit::prompt::{self, Loss, LossKind, Prompt};
use crate::output::report;
use crate::policy::decide::{self, Consent, Count, Objects, Stake};
use crate::policy::{Decision, ObjectName, Policy, Refusal, RuleRef, Scope};
use crate::run::gate::recheck::Basis;
use crate::sql::effect::{Effect, Kind, Reading, Using};
use crate::sql::hazard::{Class, Object};
use crate::sql::{self, Assessed, Change, Dialect, Hazard, PUBLIC, Reference, RowPolicy};

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
    /// Why the statements cannot run, whatever the policy says.
    pub obstacles: Vec<String>,
    /// What the decision rests on, where the database could be looked into.
    pub basis: Option<Basis>,
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
    /// Decides a question: the last one by the statements above it, every other one by what it asks. Where it consents to
    /// the last one, it says what that rests on.
    pub fn answer(&self, prompt: &Prompt) -> (Decision, Vec<report::Statement>, Option<Basis>) {
        match &prompt.kind {
            prompt::Kind::Execute | prompt::Kind::DataLoss(_) => self.decide(prompt),
            prompt::Kind::Rename(_) | prompt::Kind::Unique(_) | prompt::Kind::DropMigration | prompt::Kind::Unknown => {
                (decide::prompt(self.policy, prompt, self.scope), Vec::new(), None)
            }
        }
    }

    /// Judges the last question by the statements above it, and returns the answer.
    fn decide(&self, prompt: &Prompt) -> (Decision, Vec<report::Statement>, Option<Basis>) {
        let statements = match self.read(prompt) {
            Ok(statements) => statements,
            Err(reason) => {
                let doubt = decide::Doubt { reason, allow: Vec::new() };
                return (Decision::Unclear(doubt), Vec::new(), None);
            }
        };
        let statements = if self.in_transaction { self.rewritten(statements) } else { statements };
        let in_one = if self.in_transaction { sql::transaction::obstacle(&statements) } else { None };
        let losses: &[Loss] = match &prompt.kind {
            prompt::Kind::DataLoss(losses) => losses,
            _ => &[],
        };
        let Judged { statements, blind, obstacles, basis, decision } = self.judge(&statements, losses);
        let in_one = in_one.map(|obstacle| {
            format!("statement {} cannot run in one transaction: {}", obstacle.statement_idx + 1, obstacle.why)
        });
        // No rule changes these, and so no line of the policy is offered. What the policy refuses is said as well: nobody
        // should find it out one run later.
        let obstacles: Vec<String> = in_one.into_iter().chain(obstacles).collect();
        if !obstacles.is_empty() {
            let refused = decision.err();
            let because = refused.as_ref().and_then(|refusal| refusal.because.clone());
            let lines = refused.iter().flat_map(|refusal| refusal.what.lines()).map(str::to_owned);
            let what = lines.chain(obstacles).collect::<Vec<_>>().join("\n");
            return (Decision::Refuse(Refusal { what, because, allow: Vec::new() }), statements, None);
        }
        let mut decision = decide::consenting(decision);
        if let (Decision::Choose { warnings, .. }, Some(reason)) = (&mut decision, blind) {
            warnings.push(format!("our own look at what the statements reach failed: {reason}"));
        }
        (decision, statements, basis)
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

    /// Leaves out the truncates that the policy skips, says how the values of its columns are converted, and puts the type that
    /// is meant where drizzle-kit has lost its schema.
    fn rewritten(&self, statements: Vec<String>) -> Vec<String> {
        let skipped = match self.policy.skips_truncate() {
            Some(_) => sql::rewrite::skippable_truncates(&statements),
            None => Vec::new(),
        };
        let kept = statements.into_iter().enumerate().filter(|(idx, _)| !skipped.contains(idx));
        let has_undefined = self.scope.schemas.iter().any(|schema| schema == "undefined");
        let put_right = |statement: String| {
            let meant = if has_undefined { None } else { sql::rewrite::with_meant_type(&statement) };
            let statement = meant.unwrap_or(statement);
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
        sql::rewrite::with_using(statement, expression)
    }

    /// Judges statements together with the losses that drizzle-kit announces for them.
    pub fn judge(&self, statements: &[String], losses: &[Loss]) -> Judged {
        let dialect = self.dialect.unwrap_or(Dialect::Postgres);
        let mut assessed = sql::assess(statements, dialect, &sql::Facts::default());
        let questions = match dialect {
            Dialect::Postgres => foresight::questions(&assessed),
            Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => Questions::default(),
        };
        let wanted = self.wanted(&assessed, &questions);
        let looked = if wanted.is_empty() { Ok(reach::Facts::default()) } else { (self.look_up)(&wanted) };
        let (facts, blind) = match looked {
            Ok(facts) => (Some(facts), None),
            Err(reason) => (None, Some(reason)),
        };
        if let Some(facts) = facts.as_ref().filter(|_| self.in_transaction) {
            // What is gone by then need not be dropped, and the rest does the same without it.
            let redundant = questions.redundant(&assessed, facts);
            if !redundant.is_empty() {
                let kept = statements.iter().enumerate().filter(|(idx, _)| !redundant.contains(idx));
                let kept: Vec<String> = kept.map(|(_, statement)| statement.clone()).collect();
                return self.judge(&kept, losses);
            }
        }
        if let Some(facts) = &facts {
            let primary_keys = facts.primary_keys.iter().map(|(table, name)| named(table).child(name)).collect();
            let identities = facts.identities.iter();
            let identities =
                identities.map(|(table, column, sequence)| (named(table).child(column), named(sequence))).collect();
            assessed = sql::assess(statements, dialect, &sql::Facts { primary_keys, identities });
        }
        let mut held = self.held(&assessed, &questions, facts.as_ref());
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
        let mut obstacles = self.forbidden(&assessed, facts.as_ref());
        obstacles.extend(in_sqlite.forbidden);
        obstacles.extend(losses.iter().filter_map(only_a_width));
        let policies = assessed.iter().filter_map(|statement| self.without_condition(&statement.sql));
        obstacles.extend(policies.map(|(policy, _)| {
            let conditions: Vec<&str> = [&policy.using, &policy.with_check].into_iter().flatten().map(String::as_str).collect();
            format!(
                "alter_policy {} would be created without its condition, and hold nobody back: the schema files give it {}, and \
                 drizzle-kit's push leaves that out; --apply transaction creates it as the schema files say, and so does a \
                 migration (drizzle-pilot generate)",
                policy.name,
                conditions.join(" ")
            )
        }));
        if dialect == Dialect::Postgres {
            let readings: Vec<Reading> = statements.iter().map(|sql| sql::read(sql, dialect)).collect();
            obstacles.extend(foresight::given_twice(&readings));
            obstacles.extend(foresight::unsafe_names(&readings));
            obstacles.extend(facts.iter().flat_map(|facts| questions.obstacles(facts)));
            if !self.in_transaction {
                obstacles.extend(questions.doubts(facts.as_ref()));
            }
        }
        // Of what only creates, a look that failed is nobody's business.
        let blind = blind.filter(|_| wanted.names_rows() || questions.drops());
        let basis = facts.map(|facts| {
            let (statements, losses) = (statements.to_vec(), losses.to_vec());
            let tables = at_stake(&assessed, &facts);
            Basis { statements, losses, wanted, facts, tables }
        });
        Judged { blind, obstacles, basis, ..self.conclude(&assessed, &held) }
    }

    /// Says what would happen to the tables in which drizzle's migrators keep their records. drizzle-kit does not get to see
    /// them, unless the schema files have them or it lists tables in a way that is not known.
    fn forbidden(&self, assessed: &[Assessed], facts: Option<&reach::Facts>) -> Vec<String> {
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
            let is_reached = |facts: &reach::Facts| {
                let mut names = facts.reached.iter().map(|reached| reached.thing.name.as_slice());
                let is_part = |name: &[String]| matches!(name, [schema, table, ..] if *schema == kept.schema && *table == kept.name);
                names.any(is_part) || facts.emptied.values().flatten().any(|emptied| emptied == *kept)
            };
            assessed.iter().any(is_named) || facts.is_some_and(is_reached)
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
    fn held(&self, assessed: &[Assessed], questions: &Questions, facts: Option<&reach::Facts>) -> Vec<Held> {
        let mut held = Vec::new();
        for (statement_idx, statement) in assessed.iter().enumerate() {
            for found in &statement.hazards {
                let mut hold = |objects: Objects, count: Option<Count>, note: Option<String>| {
                    let stake = Stake { hazard: found.hazard, objects, count, note };
                    held.push(Held::by(Some(statement_idx), stake));
                };
                if found.hazard == Hazard::Unclassified {
                    hold(Objects::Unknown, None, Some(format!("the statement is {}", sql::excerpt(&statement.sql))));
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
        let whose = |table: &ObjectName| {
            // What drizzle-kit drops is not in the schema files. What is reached may be.
            self.owner(table, facts).or_else(|| if (self.is_in_schema)(table) { None } else { (self.whose)(table) })
        };
        held.extend(emptied(assessed, facts, &whose));
        held.extend(taken_along(assessed, questions, facts, &whose));
        if let Some(facts) = facts {
            held.extend(questions.runs(facts).map(|(statement_idx, function)| {
                let note = format!(
                    "the statement runs {function}, which is neither PostgreSQL's nor an extension's and may do what it likes"
                );
                Held::in_doubt(statement_idx, note)
            }));
            held.extend(remade(assessed).filter_map(|(statement_idx, view)| {
                let lost = facts.on_views.get(&relation(&view)?)?;
                let note = format!("it is made again, and {} would not be", lost.join(", "));
                let stake = Stake {
                    hazard: Hazard::DropView,
                    objects: Objects::All(vec![view]),
                    count: None,
                    note: Some(note),
                };
                Some(Held::by(Some(statement_idx), stake))
            }));
        }
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
            Hazard::DropTable | Hazard::DropView => self.owner(before, facts).or_else(|| (self.whose)(before)),
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
    fn wanted(&self, assessed: &[Assessed], questions: &Questions) -> Wanted {
        let mut wanted = truncating(assessed);
        questions.add_to(&mut wanted);
        wanted.remade = remade(assessed).filter_map(|(_, view)| relation(&view)).collect();
        for found in assessed.iter().flat_map(|statement| &statement.hazards) {
            for object in &found.before {
                wanted.counted.extend(self.counted_relation(found.hazard, object));
                if found.hazard == Hazard::DropConstraint {
                    // It may be a primary key, and then the rows matter.
                    let table = object.parent().as_ref().and_then(relation);
                    wanted.constrained.extend(table.clone());
                    wanted.counted.extend(table);
                }
            }
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
        Judged { statements: statements.collect(), blind: None, obstacles: Vec::new(), basis: None, decision }
    }

    fn hazard(&self, held: &Held) -> report::Hazard {
        let Held { stake, settled, .. } = held;
        let (verdict, rule) = match (settled, decide::judge(self.policy, stake, self.scope)) {
            (Some(rule), _) => (report::Judgement::Allowed, rule.clone()),
            (None, Ok(rule)) => (report::Judgement::Allowed, rule),
            (None, Err((rule, _))) => (report::Judgement::Refused, rule),
        };
        let rows = match stake.count {
            // A plain view holds none.
            Some(Count::Rows(0)) if stake.hazard == Hazard::DropView => None,
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

/// The choice that truncates, in the question before a unique constraint (see [`prompt::Kind::Unique`]).
const TRUNCATE: usize = 1;

/// Returns the table whose truncation an answer chose, with the rule. Where it could be several tables, none of them
/// was chosen with certainty.
pub fn chosen_truncation(prompt: &Prompt, decision: &Decision, scope: &Scope<'_>) -> Option<(ObjectName, RuleRef)> {
    let (prompt::Kind::Unique(unique), Decision::Choose { choice: TRUNCATE, because, .. }) = (&prompt.kind, decision)
    else {
        return None;
    };
    match scope.tables_shown(&unique.table).as_slice() {
        [table] => Some((table.clone(), because.clone())),
        _ => None,
    }
}

/// Returns the name of a relation.
pub fn named(relation: &Relation) -> ObjectName {
    ObjectName::new([&relation.schema, &relation.name])
}

fn relation(name: &ObjectName) -> Option<Relation> {
    match name.parts() {
        [schema, name] => Some(Relation { schema: schema.clone(), name: name.clone() }),
        _ => None,
    }
}

/// Returns a number of rows as the policy counts them; none where it is not known.
pub fn count(rows: Rows) -> Option<Count> {
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
            // Without a look nobody can tell a primary key from another constraint.
            if let (Dialect::Postgres, Hazard::DropConstraint, Some(reason)) = (dialect, found.hazard, blind) {
                let names: Vec<String> = found.objects.iter().map(ToString::to_string).collect();
                let note = format!("whether {} is a primary key could not be looked up: {reason}", names.join(", "));
                held.push(Held::in_doubt(statement_idx, note));
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

/// Returns the relations whose rows would be lost, by the names from before the plan.
fn at_stake(assessed: &[Assessed], facts: &reach::Facts) -> Vec<Relation> {
    let founds = assessed.iter().flat_map(|statement| &statement.hazards);
    let founds = founds.filter(|found| found.hazard.class() == Class::DataLoss);
    let named = founds.flat_map(|found| {
        found.before.iter().filter_map(|object| match found.hazard.object() {
            Object::Table | Object::View => relation(object),
            Object::Column => relation(&object.parent()?),
            _ => None,
        })
    });
    let mut tables: Vec<Relation> = named.collect();
    tables.extend(facts.emptied.values().flatten().cloned());
    tables.extend(facts.reached.iter().filter_map(|reached| reached.thing.relation()));
    tables.retain(|table| facts.relations.contains_key(table));
    tables.sort();
    tables.dedup();
    tables
}

/// Returns what must be known of every TRUNCATE with CASCADE.
fn truncating(assessed: &[Assessed]) -> Wanted {
    let mut wanted = Wanted::default();
    let truncated = assessed.iter().flat_map(|statement| &statement.hazards);
    let truncated = truncated.filter(|found| found.cascade && found.hazard == Hazard::Truncate);
    for object in truncated.flat_map(|found| &found.before) {
        wanted.truncated.extend(relation(object));
    }
    if !wanted.truncated.is_empty() {
        let added = assessed.iter().flat_map(|statement| &statement.references);
        let referring: Vec<Relation> = added.filter_map(|reference| relation(&reference.from)).collect();
        wanted.counted.extend(referring.iter().cloned());
        wanted.truncated.extend(referring);
    }
    wanted
}

/// Returns the views that are dropped and made again, with the statements that drop them.
fn remade(assessed: &[Assessed]) -> impl Iterator<Item = (usize, ObjectName)> {
    let drops = assessed.iter().enumerate().flat_map(|(statement_idx, statement)| {
        statement.changes.iter().filter_map(move |change| match change {
            Change::Drop { kind: Kind::View, name, .. } => Some((statement_idx, name)),
            _ => None,
        })
    });
    let is_spared = |(statement_idx, name): &(usize, &ObjectName)| {
        let hazards = &assessed[*statement_idx].hazards;
        !hazards.iter().any(|found| found.hazard == Hazard::DropView && found.before.contains(name))
    };
    drops.filter(is_spared).map(|(statement_idx, name)| (statement_idx, name.clone()))
}

/// Returns what the TRUNCATEs empty beyond what they name, given who says whose a table is.
fn emptied(
    assessed: &[Assessed],
    facts: Option<&reach::Facts>,
    whose: &dyn Fn(&ObjectName) -> Option<String>,
) -> Vec<Held> {
    let cascading = assessed.iter().enumerate().flat_map(|(statement_idx, statement)| {
        let truncates = statement.hazards.iter().filter(|found| found.cascade && found.hazard == Hazard::Truncate);
        truncates.map(move |found| (statement_idx, found))
    });
    let Some(facts) = facts else {
        let unknown = cascading.map(|(statement_idx, found)| {
            Held::in_doubt(statement_idx, unseen_reach(&format!("the CASCADE of {}", listed(&found.objects))))
        });
        return unknown.collect();
    };
    let mut held = Vec::new();
    let mut emptied = BTreeSet::new();
    for (statement_idx, found) in cascading {
        let added: Vec<&Reference> = assessed[..statement_idx].iter().flat_map(|before| &before.references).collect();
        for table in &found.before {
            for reached in emptied_with(table, &added, facts) {
                let name = match reached {
                    Ok(name) => name,
                    Err(lost) => {
                        let note =
                            format!("what the CASCADE of {table} reaches is not known: there is no table {lost}");
                        held.push(Held::in_doubt(statement_idx, note));
                        continue;
                    }
                };
                if is_dropped(assessed, Hazard::Truncate, &name) || !emptied.insert(name.clone()) {
                    continue;
                }
                let notes = [Some(format!("reached by the CASCADE of {table}")), whose(&name)];
                let rows = relation(&name).and_then(|name| facts.relations.get(&name)).map(|found| found.rows);
                let (objects, count, note) = (Objects::All(vec![name]), rows.and_then(count), joined(notes));
                let stake = Stake { hazard: Hazard::Truncate, objects, count, note };
                held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..Held::by(Some(statement_idx), stake) });
            }
        }
    }
    held
}

/// Tells whether a statement of the plan names an object as what has this hazard.
fn is_dropped(assessed: &[Assessed], hazard: Hazard, name: &ObjectName) -> bool {
    let founds = assessed.iter().flat_map(|statement| &statement.hazards);
    founds.filter(|found| found.hazard == hazard).any(|found| found.before.contains(name))
}

/// Nothing is destroyed that the policy does not name, and nobody can say what this would destroy.
fn unseen_reach(by: &str) -> String {
    format!("what {by} reaches could not be looked up")
}

fn listed(names: &[ObjectName]) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Returns what goes with the drops of a plan and is not named by them, given who says whose a table is.
fn taken_along(
    assessed: &[Assessed],
    questions: &Questions,
    facts: Option<&reach::Facts>,
    whose: &dyn Fn(&ObjectName) -> Option<String>,
) -> Vec<Held> {
    let mut held = Vec::new();
    let Some(facts) = facts else {
        // A column takes its indexes and constraints along without a word.
        let unknown = questions.acts.iter().filter(|asked| asked.takes_along()).map(|asked| {
            let by = if asked.cascades {
                format!("the CASCADE of {}", asked.name)
            } else {
                format!("the drop of {}", asked.name)
            };
            Held::in_doubt(asked.statement_idx, unseen_reach(&by))
        });
        return unknown.collect();
    };
    for asked in facts.lost.iter().map(|act_idx| &questions.acts[*act_idx]).filter(|asked| asked.takes_along()) {
        let name = &asked.name;
        let what = if asked.cascades { format!("the CASCADE of {name}") } else { format!("the drop of {name}") };
        let note = format!("what {what} reaches is not known: there is no {name}");
        held.push(Held::in_doubt(asked.statement_idx, note));
    }
    // Where a CASCADE begins at what no catalog lists, nobody can ask for it.
    for (statement_idx, statement) in assessed.iter().enumerate() {
        let cascading = statement.hazards.iter().filter(|found| found.cascade && found.hazard != Hazard::Truncate);
        let is_asked = questions.acts.iter().any(|asked| asked.statement_idx == statement_idx && asked.cascades);
        if cascading.count() > 0 && !is_asked {
            let note = format!("what the CASCADE of {} reaches is not known", sql::excerpt(&statement.sql));
            held.push(Held::in_doubt(statement_idx, note));
        }
    }
    for Reached { act_idx, thing, owner } in &facts.reached {
        let asked = &questions.acts[*act_idx];
        let Asked { statement_idx, name: by, .. } = asked;
        let (hazard, name) = hazard_of(thing);
        if name.as_ref().is_some_and(|name| is_dropped(assessed, hazard, name)) {
            continue;
        }
        let goes =
            if asked.cascades { format!("reached by the CASCADE of {by}") } else { format!("that goes with {by}") };
        let (objects, told) = match name {
            Some(name) => (Objects::All(vec![name]), format!("{} {goes}", thing.kind_and_part())),
            None if asked.cascades => (Objects::Unknown, format!("the CASCADE of {by} drops the {}", thing.told)),
            None => (Objects::Unknown, format!("the drop of {by} takes the {} along", thing.told)),
        };
        let rows = thing.relation().and_then(|relation| facts.relations.get(&relation)).map(|found| found.rows);
        let rows = rows.filter(|_| thing.kind != "view");
        let owned = owner.as_ref().map(|owner| format!("owned by {owner}"));
        let again = made_again(assessed, *statement_idx, thing);
        let whose = match (hazard, objects.names()) {
            (Hazard::DropTable | Hazard::DropView, [name]) => whose(name),
            _ => None,
        };
        let note = joined([Some(told), again, owned, whose]);
        let stake = Stake { hazard, objects, count: rows.and_then(count), note };
        held.push(Held { is_hidden: rows == Some(Rows::Hidden), ..Held::by(Some(*statement_idx), stake) });
    }
    held
}

/// Says that a later statement makes an object of this name again, where one does.
fn made_again(assessed: &[Assessed], statement_idx: usize, thing: &Thing) -> Option<String> {
    let name = ObjectName::new(&thing.name);
    let later = assessed.iter().enumerate().skip(statement_idx + 1);
    let mut makes = later.filter(|(_, statement)| {
        statement.changes.iter().any(|change| matches!(change, Change::Create { name: made, .. } if *made == name))
    });
    makes.next().map(|(idx, _)| format!("statement {} makes one of this name again", idx + 1))
}

/// Returns the hazard of losing an object, and the name by which the policy knows it; none where no hazard fits.
fn hazard_of(thing: &Thing) -> (Hazard, Option<ObjectName>) {
    let hazard = match (&*thing.kind, thing.name.len()) {
        ("table" | "foreign table", 2) => Hazard::DropTable,
        ("table column" | "foreign table column" | "composite type column", 3) => Hazard::DropColumn,
        ("view" | "materialized view", 2) => Hazard::DropView,
        ("sequence", 2) => Hazard::DropSequence,
        ("type", 2) => Hazard::DropType,
        // The key of a table is named by the table.
        ("table constraint", 3) if thing.constraint == Some('p') => {
            return (Hazard::DropPrimaryKey, ObjectName::new(&thing.name).parent());
        }
        ("table constraint" | "domain constraint", 3) => Hazard::DropConstraint,
        ("policy", 3) => Hazard::DropPolicy,
        ("index", 2) => Hazard::DropIndex,
        ("default value", 3) => Hazard::DropDefault,
        _ => return (Hazard::Unclassified, None),
    };
    (hazard, Some(ObjectName::new(&thing.name)))
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
        let wanted = truncating(&assessed);
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
        emptied(&assessed, Some(&facts), &|_| None).iter().map(show).collect()
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
        let questions = foresight::questions(&assessed);
        let whose = |_: &ObjectName| Some("whose?".to_owned());
        taken_along(&assessed, &questions, Some(facts), &whose).iter().map(show).collect()
    }

    fn thing(kind: &str, name: &[&str]) -> Thing {
        let name: Vec<String> = name.iter().map(|part| (*part).to_owned()).collect();
        Thing { kind: kind.to_owned(), told: format!("{kind} {}", name.join(".")), name, constraint: None }
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
    fn what_a_drop_begins_at_and_is_not_found_is_not_harmless() {
        let facts = |lost: Vec<usize>| reach::Facts { lost, ..reach::Facts::default() };
        let lost = "unclassified what the CASCADE of public.users reaches is not known: there is no public.users";
        let drop = ["DROP TABLE users CASCADE;"];
        assert_eq!(told(&drop, &facts(vec![0])), [lost]);
        assert_eq!(told(&drop, &facts(Vec::new())), [""; 0]);
        // A rename is followed, and a table that is dropped without CASCADE takes its own parts along and nothing else.
        let renamed = ["ALTER TABLE users RENAME TO people;", "DROP TABLE people CASCADE;"];
        assert_eq!(told(&renamed, &facts(vec![2])), [lost]);
        assert_eq!(told(&["DROP TABLE users;", "DROP TABLE logs CASCADE;"], &facts(vec![0])), [""; 0]);
        let column =
            "unclassified what the drop of public.users.name reaches is not known: there is no public.users.name";
        assert_eq!(told(&["ALTER TABLE users DROP COLUMN name;"], &facts(vec![0])), [column]);
        let schema = "unclassified what the CASCADE of shop reaches is not known: there is no shop";
        assert_eq!(told(&["DROP SCHEMA shop CASCADE;"], &facts(vec![0])), [schema]);
    }

    #[test]
    fn what_goes_with_a_column_is_unknown_where_nobody_can_look() {
        let plan = ["ALTER TABLE users DROP COLUMN name;".to_owned(), "DROP INDEX by_name;".to_owned()];
        let assessed = sql::assess(&plan, Dialect::Postgres, &sql::Facts::default());
        let held = taken_along(&assessed, &foresight::questions(&assessed), None, &|_| None);
        let told: Vec<String> = held.iter().map(show).collect();
        assert_eq!(told, ["unclassified what the drop of public.users.name reaches could not be looked up"]);
    }

    #[test]
    fn what_a_drop_takes_along_is_named_with_its_rows_and_its_owner() {
        let reached = |act_idx: usize, thing: Thing, owner: Option<&str>| Reached {
            act_idx,
            thing,
            owner: owner.map(str::to_owned),
        };
        let mut facts = reach::Facts {
            reached: vec![
                reached(1, thing("table", &["public", "child"]), Some("billing")),
                reached(0, thing("function", &["public", "f"]), None),
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
    fn what_goes_with_a_column_is_judged_by_a_hazard_of_its_own() {
        let constraint =
            |kind: char| Thing { constraint: Some(kind), ..thing("table constraint", &["public", "users", "c"]) };
        let cases = [
            (thing("index", &["public", "i"]), "drop_index public.i: index that goes with public.users.name"),
            (constraint('c'), "drop_constraint public.users.c: check that goes with public.users.name"),
            (constraint('p'), "drop_primary_key public.users: primary key that goes with public.users.name"),
            (thing("sequence", &["public", "s"]), "drop_sequence public.s: sequence that goes with public.users.name"),
            (
                thing("table column", &["public", "users", "twice"]),
                "drop_column public.users.twice: table column that goes with public.users.name",
            ),
            (
                thing("composite type column", &["shop", "pair", "a"]),
                "drop_column shop.pair.a: composite type column that goes with public.users.name",
            ),
            (
                thing("statistics object", &["public", "st"]),
                "unclassified the drop of public.users.name takes the statistics object public.st along",
            ),
            (
                thing("publication relation", &["public", "users", "p"]),
                "unclassified the drop of public.users.name takes the publication relation public.users.p along",
            ),
        ];
        for (thing, expected) in cases {
            let facts =
                reach::Facts { reached: vec![Reached { act_idx: 0, thing, owner: None }], ..reach::Facts::default() };
            assert_eq!(told(&["ALTER TABLE users DROP COLUMN name;"], &facts), [expected]);
        }
        let again = ["ALTER TABLE users DROP COLUMN name;", "CREATE INDEX i ON users (id);"];
        let facts = reach::Facts {
            reached: vec![Reached { act_idx: 0, thing: thing("index", &["public", "i"]), owner: None }],
            ..reach::Facts::default()
        };
        let told = told(&again, &facts);
        assert_eq!(
            told,
            ["drop_index public.i: index that goes with public.users.name; statement 2 makes one of this name again"]
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
