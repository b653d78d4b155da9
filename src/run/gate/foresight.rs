//! Asks the catalog what the statements of a plan do to it, and says why some of them cannot run.
//!
//! A statement that is known to fail is refused whatever the policy says: what stands before it would stay. No line of the
//! policy helps, so none is offered, but what does help is.

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::db::inspect::reach::{
    Act, Code, Convertible, Deed, Facts, NewType, Obstacle, Relation, Required, Retyped, Stop, Subject, Thing, Wanted,
};
use crate::sql::effect::{self, Effect, Kind, Reach, Reading, Using};
use crate::sql::unsafe_name;
use crate::sql::{Assessed, Change, ObjectName, rewrite, twice};

/// What the catalog is asked about a plan, with the statement that each question is for.
#[derive(Debug, Default)]
pub struct Questions {
    /// For each of [`Wanted::acts`].
    pub acts: Vec<Asked>,
    retyped: Vec<(Retyped, ChangedType)>,
    required: Vec<(Required, ObjectName)>,
    types: Vec<(usize, String, ObjectName)>,
    code: Vec<(usize, Code)>,
}

/// What an act is of a statement, by the name from before the plan.
#[derive(Debug, Clone)]
pub struct Asked {
    pub statement_idx: usize,
    pub name: ObjectName,
    pub cascades: bool,
    act: Act,
    what: &'static str,
}

#[derive(Debug, Clone)]
struct ChangedType {
    column: ObjectName,
    to: String,
    rebuilt: Option<ObjectName>,
    labels: Option<Vec<String>>,
}

/// Returns what must be known of the catalog before a plan is executed.
pub fn questions(assessed: &[Assessed]) -> Questions {
    let mut questions = Questions::default();
    for (statement_idx, statement) in assessed.iter().enumerate() {
        for change in &statement.changes {
            questions.ask(statement_idx, change);
        }
        // From here on nobody knows what is there.
        if statement.changes.contains(&Change::Unknown) {
            break;
        }
    }
    questions
}

impl Questions {
    /// Adds the questions to what is wanted already.
    pub fn add_to(&self, wanted: &mut Wanted) {
        wanted.acts = self.acts.iter().map(|asked| asked.act.clone()).collect();
        wanted.retyped = self.retyped.iter().map(|(retyped, _)| retyped.clone()).collect();
        wanted.required = self.required.iter().map(|(required, _)| required.clone()).collect();
        wanted.types = self.types.iter().map(|(_, words, _)| words.clone()).collect();
        wanted.types.sort();
        wanted.types.dedup();
        wanted.code = self.code.iter().map(|(_, code)| code.clone()).collect();
    }

    fn ask(&mut self, statement_idx: usize, change: &Change) {
        let mut act = |deed: Deed, subject: Option<Subject>, name: &ObjectName, what: &'static str| {
            let cascades = matches!(deed, Deed::Drop { cascade: true, .. });
            let Some(subject) = subject else { return };
            self.acts.push(Asked { statement_idx, name: name.clone(), cascades, act: Act { deed, subject }, what });
        };
        match change {
            Change::Create { kind, name } => {
                act(Deed::Create, subject(*kind, name), name, kind.word());
                if matches!(kind, Kind::Table | Kind::View | Kind::MaterializedView) {
                    // The type of its rows has the same name.
                    act(Deed::Create, subject(Kind::Type, name), name, kind.word());
                }
            }
            Change::Drop { kind: Kind::Role, name, .. } => {
                act(Deed::Exclude, Some(Subject::OwnedBy(name.last().to_owned())), name, "role");
            }
            Change::Drop { kind, name, reach, if_exists } => {
                let deed = Deed::Drop { cascade: *reach == Reach::Cascade, if_exists: *if_exists };
                act(deed, subject(*kind, name), name, kind.word());
            }
            Change::DropIdentity { column } => {
                let of = of_table(column, |table, column| Subject::Identity { table, column });
                act(Deed::TakeOut, of, column, "identity");
            }
            Change::Rename { kind, name } => {
                act(Deed::Rename, subject(*kind, name), name, kind.word());
                if matches!(kind, Kind::Table | Kind::View | Kind::MaterializedView) {
                    act(Deed::Rename, subject(Kind::Type, name), name, kind.word());
                }
            }
            Change::ChangeType { column, to, rebuilt, labels, is_of_plan, .. } => {
                if labels.is_some() && rebuilt.is_none() {
                    let of = of_table(column, |table, column| Subject::Default { table, column });
                    act(Deed::Exclude, of, column, "default");
                }
                act(Deed::ChangeType, subject(Kind::Column, column), column, "column");
                if !is_of_plan && rebuilt.is_none() {
                    self.types.push((statement_idx, to.text.clone(), column.clone()));
                }
                self.retyped.extend(retyped(change));
            }
            Change::ChangeDefault { column } => {
                let of = of_table(column, |table, column| Subject::Default { table, column });
                act(Deed::ChangeDefault, of, column, "default");
            }
            Change::AllowNull { column } => {
                let of = of_table(column, |table, column| Subject::Key { table, column: Some(column) });
                act(Deed::Exclude, of, column, "null");
            }
            Change::AddPrimaryKey { table } => {
                let of = relation(table).map(|table| Subject::Key { table, column: None });
                act(Deed::Exclude, of, table, "key");
            }
            Change::RequireValue { column, is_new } => {
                let table = column.parent().as_ref().and_then(relation);
                let name = (!is_new).then(|| column.clipped().last().to_owned());
                let required = table.map(|table| Required { table, column: name });
                self.required.extend(required.map(|required| (required, column.clone())));
            }
            Change::Refer { to } => act(Deed::Need, relation(to).map(Subject::Relation), to, "table"),
            Change::UseType { column, of } => {
                self.types.push((statement_idx, of.text.clone(), column.clone()));
            }
            Change::Run { code } => self.code.extend(of_code(code).map(|code| (statement_idx, code))),
            Change::Unknown => {
                let nothing = ObjectName::new(["nothing"]);
                act(Deed::Unknown, Some(Subject::Nothing), &nothing, "nothing");
            }
        }
    }

    /// Tells whether something is dropped.
    pub fn drops(&self) -> bool {
        self.acts.iter().any(Asked::takes_along)
    }

    /// Returns the statements that run code of the database which may do what it likes, with names for that code.
    pub fn runs<'f>(&self, facts: &'f Facts) -> impl Iterator<Item = (usize, &'f str)> {
        facts.runs.iter().map(|(code_idx, name)| (self.code[*code_idx].0, name.as_str()))
    }

    /// Says why the plan cannot run, one sentence for each reason; nothing where it can, as far as the catalog tells.
    pub fn obstacles(&self, facts: &Facts) -> Vec<String> {
        let unknown = self.types.iter().filter_map(|(_, words, column)| {
            let message = facts.unknown_types.get(words)?;
            Some(unknown_type(words, column, message))
        });
        let mut told: Vec<(usize, &ObjectName)> = Vec::new();
        let stops = facts.stops.iter().filter(|stop| {
            let Asked { statement_idx, name, .. } = &self.acts[stop.act_idx];
            // A table and the type of its rows have one name.
            let is_new = !told.contains(&(*statement_idx, name));
            told.push((*statement_idx, name));
            is_new
        });
        let stops: Vec<String> = stops.map(|stop| self.stopped(stop)).collect();
        let converted = self.retyped.iter().filter_map(|(retyped, changed)| {
            let convertible = facts.conversions.get(retyped)?;
            changed.sentence(convertible)
        });
        let without = self.required.iter().filter_map(|(required, column)| {
            let n_rows = facts.without.get(required).filter(|n_rows| **n_rows > 0)?;
            Some(without_value(required, column, *n_rows))
        });
        unknown.chain(stops).chain(converted).chain(without).collect()
    }

    /// Returns the statements that drop what another one has taken along by then, and do nothing else.
    pub fn redundant(&self, assessed: &[Assessed], facts: &Facts) -> Vec<usize> {
        let gone = facts.stops.iter().filter(|stop| matches!(stop.why, Obstacle::GoneBy(_)));
        let drops =
            gone.map(|stop| &self.acts[stop.act_idx]).filter(|asked| matches!(asked.act.deed, Deed::Drop { .. }));
        let alone =
            drops.filter(|asked| matches!(assessed[asked.statement_idx].changes.as_slice(), [Change::Drop { .. }]));
        alone.map(|asked| asked.statement_idx).collect()
    }

    /// Says what could not be found out of an enum that is built again, where drizzle-kit would stop in the middle of that.
    pub fn doubts(&self, facts: Option<&Facts>) -> Vec<String> {
        let doubtful = self.retyped.iter().filter_map(|(retyped, changed)| {
            let is_known = facts
                .and_then(|facts| facts.conversions.get(retyped))
                .is_some_and(|convertible| *convertible != Convertible::Unknown);
            let of = changed.rebuilt.as_ref().filter(|_| !is_known)?;
            let column = &changed.column;
            Some(format!(
                "it is unknown whether all values of {column} fit the new {of}; if not, drizzle-kit changes {column} to \
                 text, replaces {of}, and fails to change the column back; --apply transaction rolls everything back"
            ))
        });
        doubtful.collect()
    }

    fn stopped(&self, stop: &Stop) -> String {
        let asked = &self.acts[stop.act_idx];
        let (what, name) = (asked.what, &asked.name);
        match &stop.why {
            Obstacle::Held(by) => {
                format!("{name} cannot change its type while {} it: {}", listed(by, "uses", "use"), out_of_the_way(by))
            }
            Obstacle::Needed(by) => format!(
                "{what} {name} cannot be dropped while {} it: {}",
                listed(by, "needs", "need"),
                out_of_the_way(by)
            ),
            Obstacle::PartOf(whole) => {
                format!("{what} {name} belongs to {}, and cannot be dropped without it", whole.told)
            }
            Obstacle::GoneBy(act_idx) => {
                let by = &self.acts[*act_idx];
                let verb = if matches!(asked.act.deed, Deed::Need) { "needs" } else { "drops" };
                format!(
                    "statement {} {verb} {what} {name}, which no longer exists then: it is dropped with {}, in statement {}; {}",
                    asked.statement_idx + 1,
                    by.name,
                    by.statement_idx + 1,
                    match asked.act.deed {
                        Deed::Need => "correct the schema files",
                        _ => "use --apply transaction, which omits it, or push each change separately",
                    }
                )
            }
            Obstacle::Missing => format!(
                "a foreign key of statement {} refers to {what} {name}, which does not exist: create it first, or correct \
                 the schema files",
                asked.statement_idx + 1
            ),
            Obstacle::There(there) => already(asked, there),
        }
    }
}

impl Asked {
    /// Tells whether what the statement does not name may go with what it drops.
    pub fn takes_along(&self) -> bool {
        let is_column = matches!(self.act.subject, Subject::Column { .. });
        matches!(self.act.deed, Deed::Drop { cascade, .. } if cascade || is_column)
    }
}

/// Says what is there and must not be.
fn already(asked: &Asked, there: &[Thing]) -> String {
    let Asked { what, name, act, .. } = asked;
    let told = there.iter().map(|thing| thing.told.as_str()).collect::<Vec<_>>().join(", ");
    match (&act.deed, &act.subject) {
        (_, Subject::Default { .. }) => {
            let column = parted(name).map(|[table, column]| (written(&table), escape_identifier(column.last())));
            let (table, column) = column.unwrap_or_default();
            format!(
                "the default of {name} cannot be converted to the new type automatically: drop it before the push, and set \
                 it again afterwards: ALTER TABLE {table} ALTER COLUMN {column} DROP DEFAULT"
            )
        }
        (_, Subject::Key { column: Some(_), .. }) => format!(
            "{name} is in a primary key ({told}), and so cannot be NULL: mark it .notNull() in the schema files"
        ),
        (_, Subject::Key { column: None, .. }) => {
            format!(
                "{name} already has a primary key ({told}): define the same key in the schema files, or drop it first"
            )
        }
        (_, Subject::OwnedBy(role)) => {
            let owned = if there.is_empty() { "objects in another database".to_owned() } else { told };
            let role = escape_identifier(role);
            format!(
                "role {name} cannot be dropped while it owns objects ({owned}): reassign them to another role first: REASSIGN \
                 OWNED BY {role} TO CURRENT_USER"
            )
        }
        _ => format!(
            "statement {} creates {what} {name}, but {told} already exists: give one of them another name, or make the schema \
             files and the database agree",
            asked.statement_idx + 1
        ),
    }
}

/// Says what must be done about objects that are in the way.
fn out_of_the_way(things: &[Thing]) -> String {
    if let [Thing { kind, name, .. }] = things
        && let ("default value", [schema, table, column]) = (&**kind, name.as_slice())
    {
        let (table, column) = (written(&ObjectName::new([schema, table])), escape_identifier(column));
        return format!(
            "drop it before the push, and set it again afterwards if it is still wanted: ALTER TABLE {table} ALTER COLUMN \
             {column} DROP DEFAULT"
        );
    }
    let is_view = |thing: &&Thing| matches!(&*thing.kind, "view" | "materialized view");
    let view = things.iter().find(is_view).and_then(|thing| match thing.name.as_slice() {
        [schema, name] => {
            let quoted = format!("{}.{}", escape_identifier(schema), escape_identifier(name));
            Some(format!(" (its definition: SELECT pg_get_viewdef({}::regclass))", escape_literal(&quoted).trim()))
        }
        _ => None,
    });
    let them = if things.len() == 1 { "it" } else { "them" };
    format!(
        "drop {them} before the push and create {them} again afterwards, or do everything in a migration{}",
        view.unwrap_or_default()
    )
}

fn listed(things: &[Thing], one: &str, many: &str) -> String {
    const MOST: usize = 5;
    let shown: Vec<&str> = things.iter().take(MOST).map(|thing| thing.told.as_str()).collect();
    let more = if things.len() > MOST { format!(" and {} more", things.len() - MOST) } else { String::new() };
    format!("{}{more} {}", shown.join(", "), if things.len() == 1 { one } else { many })
}

/// Says that rows have no value where they must have one.
fn without_value(required: &Required, column: &ObjectName, n_rows: u64) -> String {
    let rows = if n_rows == 1 { "1 row has".to_owned() } else { format!("{n_rows} rows have") };
    let table = format!("{}.{}", escape_identifier(&required.table.schema), escape_identifier(&required.table.name));
    match &required.column {
        Some(name) => format!(
            "{column} must have a value, and {rows} none: fill them first; SELECT * FROM {table} WHERE {} IS NULL shows them",
            escape_identifier(name)
        ),
        None => format!(
            "{column} is new and must have a value, and {rows} none: give it a default, or add it without .notNull(), fill it, and \
             push again"
        ),
    }
}

fn unknown_type(words: &str, column: &ObjectName, message: &str) -> String {
    match rewrite::meant_type(words) {
        Some(meant) => format!(
            "drizzle-kit has lost the schema of the type {meant}, and writes {words} for {column}: --apply transaction corrects \
             this for a column that changes its type; otherwise, run a migration with the correct type"
        ),
        None => format!(
            "the type {words} of {column} does not exist on the server ({message}): create it first, with its extension or its \
             schema, or correct the schema files"
        ),
    }
}

impl ChangedType {
    /// Says why the values of the column cannot become those of the new type, if they cannot.
    fn sentence(&self, convertible: &Convertible) -> Option<String> {
        let ChangedType { column, to, rebuilt, labels, .. } = self;
        let enum_name = rebuilt.as_ref().map(|of| format!("the new {of}"));
        let to = enum_name.as_deref().unwrap_or_else(|| rewrite::meant_type(to).unwrap_or(to));
        match convertible {
            Convertible::Fits | Convertible::Unknown => None,
            Convertible::NoCast { old, .. } => Some(format!(
                "{column} cannot be converted from {old} to {to} automatically, and drizzle-kit writes no USING: change it in a \
                 migration, or with --apply transaction and [using] in the policy"
            )),
            Convertible::Unfit { n_failed, examples, message, in_arrays } => {
                let rows = if *n_failed == 1 {
                    "1 row has a value".to_owned()
                } else {
                    format!("{n_failed} rows have values")
                };
                let stays = match rebuilt {
                    Some(of) => format!(
                        "; drizzle-kit would change {column} to text, replace {of}, and fail to change the column back"
                    ),
                    None => String::new(),
                };
                let shown: Vec<String> =
                    examples.iter().map(|example| escape_literal(example).trim().to_owned()).collect();
                let more = if (examples.len() as u64) < *n_failed && labels.is_none() { " …" } else { "" };
                let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
                let update = labels.as_ref().filter(|_| !in_arrays).and_then(|labels| self.update(&shown, labels));
                let update = update.unwrap_or_else(|| "change them first".to_owned());
                let has_not = if labels.is_some() { "does not have" } else { "does not accept" };
                Some(format!(
                    "{rows} in {column} that {to} {has_not}: {}{more}{message}{stays}; {update}",
                    shown.join(", ")
                ))
            }
        }
    }

    /// Returns the statement that would move the values that an enum does not have any more.
    fn update(&self, unfit: &[String], labels: &[String]) -> Option<String> {
        let [table, column] = parted(&self.column)?;
        let (table, column) = (written(&table), escape_identifier(column.last()));
        let labels: Vec<String> = labels.iter().map(|label| escape_literal(label).trim().to_owned()).collect();
        let first = labels.first()?;
        let which = match unfit {
            [one] => format!("= {one}"),
            several => format!("IN ({})", several.join(", ")),
        };
        Some(format!(
            "give them one of {} first, such as: UPDATE {table} SET {column} = {first} WHERE {column} {which}",
            labels.join(", ")
        ))
    }
}

/// Says which names the statements give to two things.
pub fn given_twice(readings: &[Reading]) -> Vec<String> {
    twice::twice(readings).iter().map(told_twice).collect()
}

/// Says which names the statements give that drizzle-kit cannot be let at again (`src/db/inspect/names.rs`): after this push
/// there would be no other.
pub fn unsafe_names(readings: &[Reading]) -> Vec<String> {
    let given = |effect| match effect {
        &Effect::Create { kind, ref name, .. } | &Effect::Rename { kind, to: ref name, .. } => Some((kind, name)),
        Effect::CreateEnum { name, .. } => Some((Kind::Type, name)),
        _ => None,
    };
    let names = readings.iter().flat_map(|reading| &reading.effects).filter_map(given);
    let is_unsafe = |(kind, name): &(Kind, &ObjectName)| {
        let is_relation =
            matches!(kind, Kind::Schema | Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence);
        name.parts().iter().any(|part| unsafe_name::is_unsafe(part, is_relation))
    };
    let told = |(kind, name): (Kind, &ObjectName)| {
        format!(
            "{} {name} would have quotes or control characters in its name, and drizzle-kit does not escape names in its SQL: no \
             later push could be trusted; give it another name in the schema files",
            kind.word()
        )
    };
    names.filter(is_unsafe).map(told).collect()
}

/// Says that a name is given twice, and the way out.
fn told_twice(found: &twice::Twice) -> String {
    let twice::Twice { statement_idx, first_idx, name, tables, is_clipped } = found;
    let clipped = if *is_clipped { ", of which PostgreSQL keeps 63 bytes" } else { "" };
    match tables {
        Some((first, second)) if first == second => format!(
            "{first} would have two indexes or constraints named {}{clipped}: give one of them another name in the schema files",
            name.last()
        ),
        Some((first, second)) => format!(
            "{name} would be the name of two indexes or constraints, one of {first} and one of {second}{clipped}, but a schema can \
             have only one: name one of them in the schema files, as in .unique('{}')",
            format_args!("{}_{}", second.last(), name.last())
        ),
        None => format!(
            "statements {} and {} both create {name}{clipped}: give one of them another name in the schema files",
            first_idx + 1,
            statement_idx + 1
        ),
    }
}

/// Returns what must be known of the values of a column whose type changes, where the server itself converts them.
fn retyped(change: &Change) -> Option<(Retyped, ChangedType)> {
    let Change::ChangeType { column, to, using, rebuilt, labels, is_emptied, .. } = change else { return None };
    let is_text = rebuilt.is_some() && labels.is_none();
    if is_text || !matches!(using, Using::Assignment | Using::Cast) {
        return None;
    }
    let [table, name] = parted(column)?;
    let new = match (labels, to.name.as_ref().and_then(relation)) {
        (Some(labels), Some(name)) => NewType::Enum { name, labels: labels.clone() },
        _ => NewType::Words(to.text.clone()),
    };
    let retyped = Retyped {
        table: relation(&table)?,
        column: name.last().to_owned(),
        to: new,
        is_cast: *using == Using::Cast,
        has_rows: !is_emptied,
    };
    let (column, to) = (column.clone(), to.text.clone());
    Some((retyped, ChangedType { column, to, rebuilt: rebuilt.clone(), labels: labels.clone() }))
}

fn of_code(code: &effect::Code) -> Option<Code> {
    Some(match code {
        effect::Code::Function { schema, name } => Code::Function { schema: schema.clone(), name: name.clone() },
        effect::Code::Operator(name) => Code::Operator(name.clone()),
        effect::Code::Type(name) => Code::Type(relation(name)?),
        effect::Code::Relation(name) => Code::Relation(relation(name)?),
    })
}

fn subject(kind: Kind, name: &ObjectName) -> Option<Subject> {
    let name = name.clipped();
    match kind {
        Kind::Schema => Some(Subject::Schema(name.last().to_owned())),
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence | Kind::Index => {
            relation(&name).map(Subject::Relation)
        }
        Kind::Type => relation(&name).map(Subject::Type),
        Kind::Column => of_table(&name, |table, column| Subject::Column { table, column }),
        Kind::Constraint => of_table(&name, |table, name| Subject::Constraint { table, name }),
        Kind::Policy => of_table(&name, |table, name| Subject::Policy { table, name }),
        Kind::Role => Some(Subject::Role(name.last().to_owned())),
    }
}

fn of_table(name: &ObjectName, subject: impl FnOnce(Relation, String) -> Subject) -> Option<Subject> {
    let [table, part] = parted(&name.clipped())?;
    Some(subject(relation(&table)?, part.last().to_owned()))
}

/// Returns the table of a column or the like, and the name of that.
fn parted(name: &ObjectName) -> Option<[ObjectName; 2]> {
    Some([name.parent()?, ObjectName::new([name.last()])])
}

fn relation(name: &ObjectName) -> Option<Relation> {
    match name.clipped().parts() {
        [schema, name] => Some(Relation { schema: schema.clone(), name: name.clone() }),
        _ => None,
    }
}

/// Returns a name as it is written in SQL.
fn written(name: &ObjectName) -> String {
    name.parts().iter().map(|part| escape_identifier(part)).collect::<Vec<_>>().join(".")
}
