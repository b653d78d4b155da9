//! Judges the statements of a plan, by all that is known of them and of the database.

use std::fmt;

use crate::db::ConnectError;
use crate::db::inspect::reach::{self, Relation, Rows, Wanted};
use crate::kit::block;
use crate::kit::prompt::{self, Loss, LossKind, Prompt};
use crate::output::report;
use crate::policy::decide::{self, Consent, Count, Objects, Stake};
use crate::policy::{Decision, ObjectName, Policy, Refusal, RuleRef, Scope};
use crate::run::gate::basis::Basis;
use crate::run::gate::foresight::{self, Questions};
use crate::run::gate::held::Held;
use crate::run::gate::owners::Owners;
use crate::run::gate::relations::{count, named, relation};
use crate::run::gate::sqlite::{self, Knows};
use crate::run::gate::stakes::{
    at_stake, emptied, joined, only_a_width, rebuilt_unseen, remade, taken_along, truncating, unseen,
};
use crate::run::record::Repeated;
use crate::sql::effect::{Effect, Reading, Using};
use crate::sql::hazard::{Class, Object};
use crate::sql::{self, Assessed, Dialect, Hazard, PUBLIC, RowPolicy, Subject};

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
    /// Statements that change nothing: they are not judged.
    pub left_out: &'a [Repeated],
    /// Looks into the database.
    pub look_up: &'a dyn Fn(&Wanted) -> Result<reach::Facts, Blind>,
    /// Says whose a table is.
    pub owners: &'a Owners,
    /// What is known of a database of SQLite; none for every other one.
    pub sqlite: Option<Knows<'a>>,
}

/// Why the database could not be looked into.
#[derive(Debug)]
pub enum Blind {
    /// There is no connection of our own to it.
    NoConnection,
    Failed(ConnectError),
}

impl fmt::Display for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Blind::NoConnection => f.write_str("drizzle-pilot has no connection to this database"),
            Blind::Failed(error) => error.fmt(f),
        }
    }
}

/// The answer to a question.
#[derive(Debug)]
pub struct Answered {
    pub decision: Decision,
    /// The statements above the question, judged, where it is the last one.
    pub statements: Vec<report::Statement>,
    /// What a consent to the last question rests on.
    pub basis: Option<Basis>,
    /// Why a look at the database failed, if one did.
    pub failed: Option<ConnectError>,
}

impl Answered {
    fn by(decision: Decision) -> Answered {
        Answered { decision, statements: Vec::new(), basis: None, failed: None }
    }
}

/// The statements of a plan, judged.
#[derive(Debug)]
pub struct Judged {
    pub statements: Vec<report::Statement>,
    /// Why the database could not be looked into, where that was wanted.
    pub blind: Option<Blind>,
    /// Whether that is worth a word: what only creates destroys nothing.
    pub is_blindness_told: bool,
    /// Why the statements cannot run, whatever the policy says.
    pub obstacles: Vec<String>,
    /// What the decision rests on, where the database could be looked into.
    pub basis: Option<Basis>,
    pub decision: Result<Consent, Refusal>,
}

impl Gate<'_> {
    /// Decides a question: the last one by the statements above it, every other one by what it asks. Where it consents to
    /// the last one, it says what that rests on.
    #[tracing::instrument(name = "judge", skip_all)]
    pub fn answer(&self, prompt: &Prompt) -> Answered {
        match &prompt.kind {
            prompt::Kind::Execute | prompt::Kind::DataLoss(_) => self.decide(prompt),
            prompt::Kind::Rename(_) | prompt::Kind::Unique(_) | prompt::Kind::DropMigration | prompt::Kind::Unknown => {
                Answered::by(decide::prompt(self.policy, prompt, self.scope))
            }
        }
    }

    /// Judges the last question by the statements above it, and returns the answer.
    fn decide(&self, prompt: &Prompt) -> Answered {
        let statements = match self.read(prompt) {
            Ok(statements) => statements,
            Err(reason) => {
                let doubt = decide::Doubt { reason, allow: Vec::new() };
                return Answered::by(Decision::Unclear(doubt));
            }
        };
        let statements = self.without_repeated(statements);
        let statements = if self.in_transaction { self.rewritten(statements) } else { statements };
        let in_one = if self.in_transaction { sql::transaction::obstacle(&statements) } else { None };
        let losses: Vec<Loss> = match &prompt.kind {
            prompt::Kind::DataLoss(losses) => losses.iter().filter(|loss| !self.is_repeated(loss)).cloned().collect(),
            _ => Vec::new(),
        };
        let Judged { statements, blind, is_blindness_told, obstacles, basis, decision } =
            self.judge(&statements, &losses);
        let reason = blind.as_ref().filter(|_| is_blindness_told).map(ToString::to_string);
        let failed = match blind {
            Some(Blind::Failed(error)) => Some(error),
            Some(Blind::NoConnection) | None => None,
        };
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
            let decision = Decision::Refuse(Refusal { what, because, allow: Vec::new() });
            return Answered { decision, statements, basis: None, failed };
        }
        let mut decision = decide::consenting(decision);
        if let (Decision::Choose { warnings, .. }, Some(reason)) = (&mut decision, reason) {
            warnings.push(format!("drizzle-pilot could not determine what the statements affect: {reason}"));
        }
        Answered { decision, statements, basis, failed }
    }

    /// Returns the statements of the block above a question.
    fn read(&self, prompt: &Prompt) -> Result<Vec<String>, String> {
        let dialect = self.dialect.ok_or("this version cannot read statements of this dialect")?;
        if let Some(other) = self.current_schema.filter(|schema| *schema != PUBLIC) {
            return Err(format!(
                "drizzle-kit omits the schema public in its statements, and this login searches {other} first \
                 (search_path), so their meaning is uncertain"
            ));
        }
        let block = block::find(&prompt.printed).map_err(|error| error.to_string())?;
        sql::split(&block, dialect)
            .map_err(|error| format!("the statements cannot be separated with certainty: {error}"))
    }

    fn without_repeated(&self, mut statements: Vec<String>) -> Vec<String> {
        statements.retain(|sql| !self.left_out.iter().any(|repeated| repeated.sql == *sql));
        statements
    }

    /// Tells whether an announced loss is that of a statement which changes nothing.
    fn is_repeated(&self, loss: &Loss) -> bool {
        let subjects = self.left_out.iter().filter_map(|repeated| sql::subjects(&repeated.sql)).flatten();
        subjects.into_iter().any(|subject| match (&loss.kind, subject) {
            (LossKind::PrimaryKey { table }, Subject::Constraint(name)) => {
                name.parent().is_some_and(|of| self.scope.tables_shown(table).contains(&of))
            }
            (LossKind::ChangeType { column, .. }, Subject::Column(name)) => name.last() == column,
            _ => false,
        })
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
        held.extend(unseen(&assessed, dialect, blind.as_ref().map(ToString::to_string).as_deref()));
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
                "alter_policy {} would be created without its condition, and restrict nobody: the schema files give it {}, which \
                 drizzle-kit's push omits; --apply transaction creates it as in the schema files, and so does a \
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
        let is_blindness_told = wanted.names_rows() || questions.drops();
        let basis = facts.map(|facts| {
            let (statements, losses) = (statements.to_vec(), losses.to_vec());
            let tables = at_stake(&assessed, &facts);
            Basis { statements, losses, wanted, facts, tables }
        });
        Judged { blind, is_blindness_told, obstacles, basis, ..self.conclude(&assessed, &held) }
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
                "{} is drizzle's migrations table, and no rule allows a push to change it; remove it from the schema \
                 files, or from schemaFilter",
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
            self.owner(table, facts)
                .or_else(|| if self.owners.have_in_schema(table) { None } else { self.owners.whose(table) })
        };
        held.extend(emptied(assessed, facts, &whose));
        held.extend(taken_along(assessed, questions, facts, &whose));
        if let Some(facts) = facts {
            held.extend(questions.runs(facts).map(|(statement_idx, function)| {
                let note = format!(
                    "the statement calls {function}, which is neither built in nor from an extension and may do anything"
                );
                Held::in_doubt(statement_idx, note)
            }));
            held.extend(remade(assessed).filter_map(|(statement_idx, view)| {
                let lost = facts.on_views.get(&relation(&view)?)?;
                let note = format!("it is created again, but without {}", lost.join(", "));
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
                "left over from an interrupted rebuild: check whether it has rows that exist nowhere else".to_owned(),
            ),
            Hazard::DropTable | Hazard::DropView => self.owner(before, facts).or_else(|| self.owners.whose(before)),
            Hazard::Truncate => self.owner(before, facts),
            _ => None,
        };
        let using = match (hazard, self.policy.using(before)) {
            (Hazard::ChangeType, Some((_, rule))) if !self.in_transaction => {
                Some(format!("{rule} applies only with --apply transaction"))
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
        Judged {
            statements: statements.collect(),
            blind: None,
            is_blindness_told: false,
            obstacles: Vec::new(),
            basis: None,
            decision,
        }
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
