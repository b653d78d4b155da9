//! Says which hazards the statements of a plan have, one after the other.
//!
//! A statement alone does not tell what is at stake. What was created a moment ago holds nothing that could be lost, what
//! was renamed a moment ago is an object that the user knows by another name, and an enum that is dropped and created
//! again takes the columns with it that were changed to text and back. [`assess`] goes through the plan in order and
//! keeps what it needs for that, and where it cannot prove that nothing is at stake, the hazard stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Code, Defined, Effect, Kind, Proof, Reach, Reading, TypeText, Using};
use crate::sql::hazard::{Class, Hazard};
use crate::sql::name::ObjectName;
use crate::sql::rebuild::{self, Part};
use crate::sql::{other, postgres};

/// What a statement is, and why it needs consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessed {
    /// The statement as it was given.
    pub sql: String,
    /// `alter_table`, `create_index`, …, or `unknown` where the text is not one whole statement.
    pub kind: String,
    /// What the statement names, as far as it is understood.
    pub objects: Vec<ObjectName>,
    /// Each hazard once, or twice if it cascades for some of its objects only.
    pub hazards: Vec<Found>,
    /// The foreign keys that it adds.
    pub references: Vec<Reference>,
    /// What it does to the objects of the catalog, in its order.
    pub changes: Vec<Change>,
    /// The table that has been built anew when the statement drops the old one.
    pub replaced: Option<Replaced>,
    /// The columns that get this type, each by its name from before the plan.
    pub retyped: Vec<(ObjectName, String)>,
}

/// A table that is built anew: created under another name, filled, and put in the place of the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    pub table: ObjectName,
    /// The name that it had before the plan.
    pub before: ObjectName,
    /// The columns that it has afterwards, each with the one from before the plan whose values it gets; none where it gets
    /// none.
    pub columns: Vec<(Defined, Option<String>)>,
    /// The values are taken by their places, and not by names.
    pub in_order: bool,
    /// Whether any rows are copied.
    pub is_filled: bool,
}

/// What a statement does to an object that the catalog lists, or needs of it. The names are those from before the plan; what
/// the plan itself has made is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The name must be free.
    Create {
        kind: Kind,
        name: ObjectName,
    },
    Drop {
        kind: Kind,
        name: ObjectName,
        reach: Reach,
        if_exists: bool,
    },
    DropIdentity {
        column: ObjectName,
    },
    /// It is called otherwise from now on.
    Rename {
        kind: Kind,
        name: ObjectName,
    },
    ChangeType {
        column: ObjectName,
        to: TypeText,
        using: Using,
        /// The enum that is built again, where the column leaves it or returns to it.
        rebuilt: Option<ObjectName>,
        /// The values of the type, where it is an enum that the plan makes. What could not be read is not among them.
        labels: Option<Vec<String>>,
        /// The plan makes the type, or calls it otherwise: the server does not know it by these words.
        is_of_plan: bool,
        /// The plan has emptied the table by then.
        is_emptied: bool,
    },
    /// The column has another default from now on, or none.
    ChangeDefault {
        column: ObjectName,
    },
    AllowNull {
        column: ObjectName,
    },
    AddPrimaryKey {
        table: ObjectName,
    },
    /// No row may be NULL in it, or there may be no rows where the column is new.
    RequireValue {
        column: ObjectName,
        is_new: bool,
    },
    /// The table must be there.
    Refer {
        to: ObjectName,
    },
    /// The server must know these words.
    UseType {
        column: ObjectName,
        of: TypeText,
    },
    Run {
        code: Code,
    },
    /// Nobody knows what is there from now on.
    Unknown,
}

/// A foreign key that the plan adds, between tables by the names that they had before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub from: ObjectName,
    pub to: ObjectName,
    /// Whether the table that refers was created in the plan, and so has no rows.
    pub is_from_new: bool,
}

/// A hazard of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub hazard: Hazard,
    /// What [`Hazard::object`] says: tables for `drop_table`, columns for `drop_column`, and so on.
    pub objects: Vec<ObjectName>,
    /// The name that each of the objects had before the plan, in the same order.
    pub before: Vec<ObjectName>,
    /// Whether objects are reached that the statement does not name.
    pub cascade: bool,
}

/// What is known of the database before the plan. Nothing need be known; less is then told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Constraints that are primary keys, as `schema.table.constraint`, beside those whose name says so.
    pub primary_keys: Vec<ObjectName>,
    /// Identity columns with the names of their sequences, where those are not the usual ones.
    pub identities: Vec<(ObjectName, ObjectName)>,
}

/// Returns what each statement of a plan is, and its hazards.
pub fn assess(statements: &[String], dialect: Dialect, facts: &Facts) -> Vec<Assessed> {
    let readings: Vec<Reading> = statements.iter().map(|sql| read(sql, dialect)).collect();
    let weighed = weigh(&readings, facts);
    let assessed = statements.iter().zip(readings).zip(weighed).map(|((sql, reading), weighed)| {
        let mut objects: Vec<ObjectName> = Vec::new();
        for object in reading.effects.iter().flat_map(Effect::objects) {
            if !objects.contains(object) {
                objects.push(object.clone());
            }
        }
        let Weighed { hazards, references, changes, replaced, retyped } = weighed;
        Assessed { sql: sql.clone(), kind: reading.kind, objects, hazards, references, changes, replaced, retyped }
    });
    assessed.collect()
}

/// What is at stake in a statement among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// As in [`Assessed`].
    pub hazards: Vec<Found>,
    /// As in [`Assessed`].
    pub references: Vec<Reference>,
    /// As in [`Assessed`].
    pub changes: Vec<Change>,
    /// As in [`Assessed`].
    pub replaced: Option<Replaced>,
    /// As in [`Assessed`].
    pub retyped: Vec<(ObjectName, String)>,
}

/// Returns what is at stake in statements that were read, in their order.
pub fn weigh(readings: &[Reading], facts: &Facts) -> Vec<Weighed> {
    let enums = Enums::find(readings);
    let parts = rebuild::find(readings);
    let mut state = State::default();
    let mut weighed = Vec::with_capacity(readings.len());
    for (statement_idx, reading) in readings.iter().enumerate() {
        let mut hazards: Vec<Found> = Vec::new();
        // The table stays the same one, whatever it is called meanwhile.
        if let Some(part) = parts.get(&statement_idx) {
            let replaced = match part {
                Part::Beside => None,
                Part::Drop(rebuild) => Some(state.replaced(rebuild)),
            };
            if let Some(replaced) = &replaced {
                let kinds = [Some(Hazard::RebuildTable), (!replaced.is_filled).then_some(Hazard::DeleteRows)];
                for hazard in kinds.into_iter().flatten() {
                    add(
                        &mut hazards,
                        Risk::new(hazard, Space::Relation, [replaced.table.clone()], Reach::Alone),
                        &state,
                    );
                }
            }
            let (references, changes, retyped) = (Vec::new(), Vec::new(), Vec::new());
            weighed.push(Weighed { hazards, references, changes, replaced, retyped });
            continue;
        }
        // Everything that one statement does is weighed against what was there before it: PostgreSQL drops columns
        // before it adds any, whatever their order in the statement.
        for effect in &reading.effects {
            let recreated = enums.of(statement_idx, effect);
            for risk in risks(effect, recreated, facts, &state) {
                if !state.spares(&risk) && !is_made_again(&readings[statement_idx..], effect) {
                    add(&mut hazards, risk, &state);
                }
            }
        }
        let changes = reading.effects.iter().filter_map(|effect| {
            state.change(effect, enums.of(statement_idx, effect), &reading.effects, &readings[..statement_idx])
        });
        // Where there are no rows, nothing runs. Whatever a materialised view is made of runs.
        let runs = reading.runs.iter().filter(|run| !state.is_new(Space::Relation, &run.table));
        let changes = changes.chain(runs.map(|run| Change::Run { code: run.code.clone() })).collect();
        let retyped = reading.effects.iter().filter_map(|effect| match effect {
            Effect::ChangeType { column, to, .. } => {
                Some((state.former(Space::Column, column).unwrap_or_else(|| column.clone()), to.text.clone()))
            }
            _ => None,
        });
        let retyped = retyped.collect();
        for effect in &reading.effects {
            state.apply(effect);
        }
        let references = reading.effects.iter().filter_map(|effect| state.reference(effect)).collect();
        weighed.push(Weighed { hazards, references, changes, replaced: None, retyped });
    }
    weighed
}

/// Tells whether an effect is the drop of a view that these statements make anew: what it shows is written down in them.
fn is_made_again(statements: &[Reading], effect: &Effect) -> bool {
    let Effect::Drop { kind: Kind::View, name, reach: Reach::Alone, .. } = effect else { return false };
    let is_view = |kind: Kind| matches!(kind, Kind::View | Kind::MaterializedView);
    let mut effects = statements.iter().skip(1).flat_map(|reading| &reading.effects);
    effects.any(|later| matches!(later, Effect::Create { kind, name: made, .. } if is_view(*kind) && made == name))
}

/// Reads one statement: what kind it is, and what it does.
pub fn read(sql: &str, dialect: Dialect) -> Reading {
    match dialect {
        Dialect::Postgres => postgres::read(sql),
        Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => other::read(sql, dialect),
    }
}

fn add(hazards: &mut Vec<Found>, risk: Risk, state: &State) {
    let cascade = risk.reach == Reach::Cascade;
    let found = match hazards.iter_mut().find(|found| found.hazard == risk.hazard && found.cascade == cascade) {
        Some(found) => found,
        None => {
            hazards.push(Found { hazard: risk.hazard, objects: Vec::new(), before: Vec::new(), cascade });
            hazards.last_mut().expect("one was just added")
        }
    };
    for object in risk.objects {
        if found.objects.contains(&object) {
            continue;
        }
        found.before.push(state.former(risk.space, &object).unwrap_or_else(|| object.clone()));
        found.objects.push(object);
    }
}

/// A hazard of an effect, before anything is known of the plan.
struct Risk {
    hazard: Hazard,
    space: Space,
    objects: Vec<ObjectName>,
    reach: Reach,
}

/// Returns the hazards of an effect. This is the one place that ties what happens to why it needs consent.
fn risks(effect: &Effect, recreated: Option<&ObjectName>, facts: &Facts, state: &State) -> Vec<Risk> {
    let one = |hazard, space, object: &ObjectName| vec![Risk::new(hazard, space, [object.clone()], Reach::Alone)];
    match effect {
        Effect::Create { .. }
        | Effect::CreateEnum { .. }
        | Effect::NameIndex { .. }
        | Effect::UseType { .. }
        | Effect::SetDefault { .. }
        | Effect::AllowNull { .. }
        | Effect::InsertRows { .. }
        | Effect::Define { .. }
        | Effect::Refer { .. } => Vec::new(),
        Effect::DropIdentity { column } => {
            let sequence = sequence_of(column, facts, state);
            vec![Risk::new(Hazard::DropSequence, Space::Relation, sequence, Reach::Alone)]
        }
        Effect::Drop { kind, name, reach, .. } => dropped(*kind, name, *reach, recreated, facts, state),
        Effect::Rename { kind, from, .. } => match kind {
            // What lies in a schema is called by its name too, and nothing smaller names it.
            Kind::Schema => one(Hazard::RenameTable, Space::Schema, from),
            Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence => {
                one(Hazard::RenameTable, Space::Relation, from)
            }
            Kind::Column => one(Hazard::RenameColumn, Space::Column, from),
            Kind::Type => one(Hazard::RenameType, Space::Type, from),
            // Whoever logs in by the old name is shut out, and a password that was kept as MD5 is lost.
            Kind::Role => one(Hazard::Revoke, Space::Role, from),
            // Programs call none of these by name; that a policy changes is an effect of its own.
            Kind::Index | Kind::Constraint | Kind::Policy => Vec::new(),
        },
        Effect::RenameValue { of } => one(Hazard::RenameType, Space::Type, of),
        Effect::ChangeType { column, .. } => match recreated {
            Some(of) => one(Hazard::RecreateEnum, Space::Type, of),
            None => one(Hazard::ChangeType, Space::Column, column),
        },
        Effect::RequireValue { column } => one(Hazard::AddNotNull, Space::Column, column),
        Effect::DropDefault { column } => one(Hazard::DropDefault, Space::Column, column),
        Effect::AddUnique { table } => one(Hazard::AddUnique, Space::Relation, table),
        Effect::AddPrimaryKey { table } => one(Hazard::AddPrimaryKey, Space::Relation, table),
        Effect::AddForeignKey { table } => one(Hazard::AddForeignKey, Space::Relation, table),
        Effect::AddCheck { table } => one(Hazard::AddCheck, Space::Relation, table),
        Effect::DropPrimaryKey { table, reach } => {
            vec![Risk::new(Hazard::DropPrimaryKey, Space::Relation, [table.clone()], *reach)]
        }
        Effect::BuildIndex { table } => one(Hazard::BuildIndex, Space::Relation, table),
        Effect::RewriteTable { table } => one(Hazard::RewriteTable, Space::Relation, table),
        Effect::Truncate { table, reach } => {
            vec![Risk::new(Hazard::Truncate, Space::Relation, [table.clone()], *reach)]
        }
        Effect::DeleteRows { table } => one(Hazard::DeleteRows, Space::Relation, table),
        Effect::DisableRls { table } => one(Hazard::DisableRls, Space::Relation, table),
        Effect::AlterPolicy { policy } => one(Hazard::AlterPolicy, Space::Policy, policy),
        Effect::Grant { on } => vec![Risk::new(Hazard::Grant, Space::Role, on.clone(), Reach::Alone)],
        Effect::Revoke { on } => vec![Risk::new(Hazard::Revoke, Space::Role, on.clone(), Reach::Alone)],
        Effect::Unknown => vec![Risk::new(Hazard::Unclassified, Space::Role, [], Reach::Alone)],
    }
}

fn dropped(
    kind: Kind,
    name: &ObjectName,
    reach: Reach,
    recreated: Option<&ObjectName>,
    facts: &Facts,
    state: &State,
) -> Vec<Risk> {
    let risk = |hazard| vec![Risk::new(hazard, space(kind), [name.clone()], reach)];
    match kind {
        Kind::Schema => risk(Hazard::DropSchema),
        Kind::Table => risk(Hazard::DropTable),
        Kind::Column => risk(Hazard::DropColumn),
        // A view holds no rows. But what it shows, who may read it and what its rules do may be written down nowhere else.
        Kind::View | Kind::MaterializedView => risk(Hazard::DropView),
        Kind::Sequence => risk(Hazard::DropSequence),
        Kind::Type if recreated.is_some() => risk(Hazard::RecreateEnum),
        Kind::Type => risk(Hazard::DropType),
        Kind::Index => risk(Hazard::DropIndex),
        Kind::Constraint if is_primary_key(name, facts, state) => {
            let table = name.parent().unwrap_or_else(|| name.clone());
            vec![Risk::new(Hazard::DropPrimaryKey, Space::Relation, [table], reach)]
        }
        Kind::Constraint => risk(Hazard::DropConstraint),
        Kind::Policy => risk(Hazard::DropPolicy),
        Kind::Role => risk(Hazard::DropRole),
    }
}

/// Returns the sequence of an identity column. PostgreSQL's own name and drizzle's is made of the table's and the column's.
fn sequence_of(column: &ObjectName, facts: &Facts, state: &State) -> Option<ObjectName> {
    let former = state.former(Space::Column, column).unwrap_or_else(|| column.clone());
    let known = facts.identities.iter().find(|(identity, _)| *identity == former);
    known.map(|(_, sequence)| sequence.clone()).or_else(|| {
        let table = column.parent()?;
        Some(table.parent()?.child(&format!("{}_{}_seq", table.last(), column.last())))
    })
}

/// Tells whether a constraint is a primary key. The statement does not say it: PostgreSQL's own names end in `_pkey`,
/// drizzle's in `_pk`, and for the others somebody must have looked.
fn is_primary_key(constraint: &ObjectName, facts: &Facts, state: &State) -> bool {
    let known = |name: &ObjectName| facts.primary_keys.contains(name);
    let last = constraint.last();
    last.ends_with("_pkey")
        || last.ends_with("_pk")
        || known(constraint)
        || state.former(Space::Constraint, constraint).is_some_and(|former| known(&former))
}

impl Risk {
    fn new(hazard: Hazard, space: Space, objects: impl IntoIterator<Item = ObjectName>, reach: Reach) -> Risk {
        Risk { hazard, space, objects: objects.into_iter().collect(), reach }
    }
}

/// Where a name must be the only one of its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Space {
    Schema,
    /// Tables, views, sequences and indexes.
    Relation,
    Column,
    Constraint,
    Policy,
    Type,
    Role,
}

fn space(kind: Kind) -> Space {
    match kind {
        Kind::Schema => Space::Schema,
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence | Kind::Index => Space::Relation,
        Kind::Column => Space::Column,
        Kind::Constraint => Space::Constraint,
        Kind::Policy => Space::Policy,
        Kind::Type => Space::Type,
        Kind::Role => Space::Role,
    }
}

impl Space {
    /// Returns the spaces of what lies in an object of this space and has its name before its own.
    fn within(self) -> &'static [Space] {
        match self {
            Space::Schema => &[Space::Relation, Space::Column, Space::Constraint, Space::Policy, Space::Type],
            Space::Relation => &[Space::Column, Space::Constraint, Space::Policy],
            Space::Column | Space::Constraint | Space::Policy | Space::Type | Space::Role => &[],
        }
    }

    /// Returns the space of what contains an object of this space.
    fn around(self) -> Option<Space> {
        match self {
            Space::Column | Space::Constraint | Space::Policy => Some(Space::Relation),
            Space::Relation | Space::Type => Some(Space::Schema),
            Space::Schema | Space::Role => None,
        }
    }
}

/// What the statements so far have done.
#[derive(Default)]
struct State {
    /// What was certainly not there before the plan, and holds no rows.
    new: BTreeSet<(Space, ObjectName)>,
    /// What the plan has made or called so, whether or not it was there before.
    made: BTreeSet<(Space, ObjectName)>,
    /// The names from before the plan, by the names of now.
    renamed: BTreeMap<(Space, ObjectName), ObjectName>,
}

impl State {
    fn is_new(&self, space: Space, name: &ObjectName) -> bool {
        self.new.contains(&(space, name.clone()))
    }

    fn is_made(&self, space: Space, name: &ObjectName) -> bool {
        self.made.contains(&(space, name.clone()))
    }

    fn is_type_of_plan(&self, of: &TypeText) -> bool {
        let is_changed =
            |name: &ObjectName| self.is_made(Space::Type, name) || self.former(Space::Type, name).is_some();
        of.name.as_ref().is_some_and(is_changed)
    }

    fn is_of_new_table(&self, column: &ObjectName) -> bool {
        column.parent().is_some_and(|table| self.is_new(Space::Relation, &table))
    }

    /// Tells whether nothing is at stake because what is concerned was created in this plan.
    fn spares(&self, risk: &Risk) -> bool {
        // What else is reached may be old: a table that was moved into a new schema, a column that has a new type.
        if risk.reach == Reach::Cascade || self.new.is_empty() {
            return false;
        }
        // The enum is new once it was created again; the values in the columns that return to it are not.
        if risk.hazard == Hazard::RecreateEnum {
            return false;
        }
        let is_new = |name: &ObjectName| match risk.hazard.class() {
            Class::DataLoss | Class::Breaking => match risk.space {
                Space::Column | Space::Constraint => self.is_new(risk.space, name) || self.is_of_new_table(name),
                Space::Schema | Space::Relation | Space::Policy | Space::Type | Space::Role => {
                    self.is_new(risk.space, name)
                }
            },
            // The rows matter here, and they are those of the table: a new column of an old table has as many.
            Class::MayFail | Class::Blocking => match risk.space {
                Space::Column | Space::Constraint => self.is_of_new_table(name),
                Space::Schema | Space::Relation | Space::Policy | Space::Type | Space::Role => {
                    self.is_new(risk.space, name)
                }
            },
            Class::Access | Class::Unknown => false,
        };
        !risk.objects.is_empty() && risk.objects.iter().all(is_new)
    }

    /// Returns the name that an object had before the plan; nothing where that is its name still.
    fn former(&self, space: Space, name: &ObjectName) -> Option<ObjectName> {
        if self.renamed.is_empty() {
            return None;
        }
        if let Some(former) = self.renamed.get(&(space, name.clone())) {
            return Some(former.clone());
        }
        let parent = self.former(space.around()?, &name.parent()?)?;
        Some(parent.child(name.last()))
    }

    fn replaced(&self, rebuild: &rebuild::Rebuild) -> Replaced {
        let rebuild::Rebuild { table, defined, copied } = rebuild;
        let before = |space, name: ObjectName| self.former(space, &name).unwrap_or(name);
        let source = |defined: &Defined| {
            let pairs = copied.as_ref()?.columns.as_ref()?;
            let (_, from) = pairs.iter().find(|(into, _)| into.eq_ignore_ascii_case(&defined.name))?;
            Some(before(Space::Column, table.child(from)).last().to_owned())
        };
        Replaced {
            table: table.clone(),
            before: before(Space::Relation, table.clone()),
            columns: defined.iter().map(|defined| (defined.clone(), source(defined))).collect(),
            in_order: copied.as_ref().is_some_and(|copied| copied.columns.is_none()),
            is_filled: copied.is_some(),
        }
    }

    fn reference(&self, effect: &Effect) -> Option<Reference> {
        let Effect::Refer { table, to } = effect else { return None };
        let before = |table: &ObjectName| self.former(Space::Relation, table).unwrap_or_else(|| table.clone());
        Some(Reference { from: before(table), to: before(to), is_from_new: self.is_new(Space::Relation, table) })
    }

    /// Says what an effect does to the objects that were there before the plan, given the other effects of the statement and
    /// the statements before it.
    fn change(
        &self,
        effect: &Effect,
        rebuilt: Option<&ObjectName>,
        of_statement: &[Effect],
        earlier: &[Reading],
    ) -> Option<Change> {
        let before = |space: Space, name: &ObjectName| self.former(space, name).unwrap_or_else(|| name.clone());
        let column = |column: &ObjectName| {
            let is_new = self.is_new(Space::Column, column) || self.is_of_new_table(column);
            (!is_new).then(|| before(Space::Column, column))
        };
        // In what is new every name is free.
        let is_in_new = |space: Space, name: &ObjectName| {
            let parent = space.around().zip(name.parent());
            parent.is_some_and(|(space, parent)| self.is_new(space, &parent))
        };
        let create = |kind: Kind, name: &ObjectName| {
            (!is_in_new(space(kind), name)).then(|| Change::Create { kind, name: before(space(kind), name) })
        };
        match effect {
            Effect::Create { kind, name, proof: Proof::New } => create(*kind, name),
            Effect::CreateEnum { name, proof: Proof::New, .. } => create(Kind::Type, name),
            Effect::NameIndex { name, proof: Proof::New, .. } => create(Kind::Index, name),
            Effect::Drop { kind, name, reach, if_exists } => {
                let is_new = self.is_new(space(*kind), name) || is_in_new(space(*kind), name);
                let (kind, reach, if_exists) = (*kind, *reach, *if_exists);
                (!is_new).then(|| Change::Drop { kind, name: before(space(kind), name), reach, if_exists })
            }
            Effect::DropIdentity { column: of } => column(of).map(|column| Change::DropIdentity { column }),
            Effect::Rename { kind, from, .. } => {
                let is_new = self.is_new(space(*kind), from);
                (!is_new).then(|| Change::Rename { kind: *kind, name: before(space(*kind), from) })
            }
            Effect::ChangeType { column: of, to, using } => {
                let labels = to.name.as_ref().filter(|name| self.is_new(Space::Type, name));
                column(of).map(|column| Change::ChangeType {
                    column,
                    to: to.clone(),
                    using: using.clone(),
                    rebuilt: rebuilt.map(|of| before(Space::Type, of)),
                    labels: labels.map(|name| labels_of(name, earlier)),
                    is_of_plan: self.is_type_of_plan(to),
                    is_emptied: is_emptied(of, earlier),
                })
            }
            Effect::DropDefault { column: of } | Effect::SetDefault { column: of } => {
                column(of).map(|column| Change::ChangeDefault { column })
            }
            Effect::AllowNull { column: of } => column(of).map(|column| Change::AllowNull { column }),
            Effect::RequireValue { column: of } if !self.is_of_new_table(of) && !is_emptied(of, earlier) => {
                let adds =
                    |effect: &Effect| matches!(effect, Effect::Create { kind: Kind::Column, name, .. } if name == of);
                let is_new = of_statement.iter().any(adds) || self.is_new(Space::Column, of);
                Some(Change::RequireValue { column: before(Space::Column, of), is_new })
            }
            Effect::AddPrimaryKey { table } if !self.is_new(Space::Relation, table) => {
                Some(Change::AddPrimaryKey { table: before(Space::Relation, table) })
            }
            Effect::Refer { to, .. } if !self.is_made(Space::Relation, to) => {
                Some(Change::Refer { to: before(Space::Relation, to) })
            }
            Effect::UseType { column, of } => {
                (!self.is_type_of_plan(of)).then(|| Change::UseType { column: column.clone(), of: of.clone() })
            }
            Effect::Unknown => Some(Change::Unknown),
            _ => None,
        }
    }

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create { kind, name, proof } => self.create(space(*kind), name, *proof),
            Effect::CreateEnum { name, proof, .. } => self.create(Space::Type, name, *proof),
            Effect::Drop { kind, name, .. } => self.forget(space(*kind), name),
            Effect::Rename { kind, from, to } => self.rename(space(*kind), from, to),
            // The rows may have come from a table that is dropped next.
            Effect::InsertRows { table, .. } => self.remove_new(Space::Relation, table),
            // It may have filled, moved or replaced anything.
            Effect::Unknown => self.new.clear(),
            Effect::RenameValue { .. }
            | Effect::Define { .. }
            | Effect::NameIndex { .. }
            | Effect::UseType { .. }
            | Effect::DropIdentity { .. }
            | Effect::SetDefault { .. }
            | Effect::AllowNull { .. }
            | Effect::ChangeType { .. }
            | Effect::RequireValue { .. }
            | Effect::DropDefault { .. }
            | Effect::AddUnique { .. }
            | Effect::AddPrimaryKey { .. }
            | Effect::AddForeignKey { .. }
            | Effect::Refer { .. }
            | Effect::AddCheck { .. }
            | Effect::DropPrimaryKey { .. }
            | Effect::BuildIndex { .. }
            | Effect::RewriteTable { .. }
            | Effect::Truncate { .. }
            | Effect::DeleteRows { .. }
            | Effect::DisableRls { .. }
            | Effect::AlterPolicy { .. }
            | Effect::Grant { .. }
            | Effect::Revoke { .. } => {}
        }
    }

    fn create(&mut self, space: Space, name: &ObjectName, proof: Proof) {
        self.made.insert((space, name.clone()));
        if proof == Proof::Unproven {
            return;
        }
        self.new.insert((space, name.clone()));
        if !self.renamed.is_empty() {
            // It has no name from before, whatever contains it was called.
            self.renamed.insert((space, name.clone()), name.clone());
        }
    }

    fn forget(&mut self, space: Space, name: &ObjectName) {
        self.remove_new(space, name);
        if !self.renamed.is_empty() {
            take(&mut self.renamed, space, name);
        }
    }

    fn remove_new(&mut self, space: Space, name: &ObjectName) {
        for space in std::iter::once(space).chain(space.within().iter().copied()) {
            for name in below(self.new.range((space, name.clone())..).map(|entry| (entry, ())), space, name) {
                self.new.remove(&(space, name));
            }
        }
    }

    fn rename(&mut self, space: Space, from: &ObjectName, to: &ObjectName) {
        let former = self.former(space, from).unwrap_or_else(|| from.clone());
        self.made.insert((space, to.clone()));
        // What was there under the new name is gone, or the statement fails.
        self.forget(space, to);
        let mut moved = Vec::new();
        for space in std::iter::once(space).chain(space.within().iter().copied()) {
            for name in below(self.new.range((space, from.clone())..).map(|entry| (entry, ())), space, from) {
                moved.push((space, name));
            }
        }
        for (space, name) in moved {
            let new = name.moved(from, to).expect("the name begins with that of what was renamed");
            self.new.remove(&(space, name));
            self.new.insert((space, new));
        }
        for ((space, name), former) in take(&mut self.renamed, space, from) {
            let name = name.moved(from, to).expect("the name begins with that of what was renamed");
            self.renamed.insert((space, name), former);
        }
        self.renamed.insert((space, to.clone()), former);
    }
}

/// Returns the values of an enum that these statements have made.
fn labels_of(name: &ObjectName, earlier: &[Reading]) -> Vec<String> {
    let mut effects = earlier.iter().rev().flat_map(|reading| &reading.effects);
    let labels = effects.find_map(|effect| match effect {
        Effect::CreateEnum { name: created, labels, .. } if created == name => Some(labels.clone()),
        _ => None,
    });
    labels.flatten().unwrap_or_default()
}

/// Tells whether these statements have emptied the table of a column, and written nothing into it.
fn is_emptied(column: &ObjectName, earlier: &[Reading]) -> bool {
    let Some(of) = column.parent() else { return false };
    let last = earlier.iter().rev().flat_map(|reading| &reading.effects).find_map(|effect| match effect {
        Effect::Truncate { table, .. } if *table == of => Some(true),
        Effect::InsertRows { .. } | Effect::Rename { .. } | Effect::Unknown => Some(false),
        _ => None,
    });
    last.unwrap_or_default()
}

/// Returns the names of a space that are this one or begin with it. The order of names keeps them together.
fn below<'a, T: 'a>(
    entries: impl Iterator<Item = (&'a (Space, ObjectName), T)>,
    space: Space,
    name: &ObjectName,
) -> Vec<ObjectName> {
    let is_below = |entry: &&(Space, ObjectName)| entry.0 == space && entry.1.parts().starts_with(name.parts());
    entries.map(|(entry, _)| entry).take_while(is_below).map(|entry| entry.1.clone()).collect()
}

/// Takes out the entries of an object and of what lies in it.
fn take(
    renamed: &mut BTreeMap<(Space, ObjectName), ObjectName>,
    space: Space,
    name: &ObjectName,
) -> Vec<((Space, ObjectName), ObjectName)> {
    let mut taken = Vec::new();
    for space in std::iter::once(space).chain(space.within().iter().copied()) {
        for name in below(renamed.range((space, name.clone())..), space, name) {
            taken.extend(renamed.remove_entry(&(space, name)));
        }
    }
    taken
}

/// The enums that are built again, and the statements that belong to that.
///
/// drizzle-kit takes a value out of an enum by changing its columns to `text`, dropping the type, creating it again and
/// changing the columns back (`AlterTypeDropValueConvertor`).
#[derive(Default)]
struct Enums {
    /// The type by statement and, for changes of a column, by column.
    of: HashMap<(usize, Option<ObjectName>), ObjectName>,
}

impl Enums {
    fn find(readings: &[Reading]) -> Enums {
        let mut enums = Enums::default();
        for (drop_idx, reading) in readings.iter().enumerate() {
            let [Effect::Drop { kind: Kind::Type, name, reach: Reach::Alone, .. }] = reading.effects.as_slice() else {
                continue;
            };
            let is_created = |effect: &Effect| matches!(effect, Effect::CreateEnum { name: created, proof: Proof::New, .. } if created == name);
            let Some(create_idx) = find_undisturbed(readings, drop_idx + 1, is_created) else { continue };
            enums.of.insert((drop_idx, None), name.clone());
            enums.find_columns(readings, drop_idx, create_idx, name);
        }
        enums
    }

    /// Finds the columns that are changed to text before an enum goes and to it after it has come.
    fn find_columns(&mut self, readings: &[Reading], drop_idx: usize, create_idx: usize, of: &ObjectName) {
        for (back_idx, reading) in readings.iter().enumerate().skip(create_idx + 1) {
            // After a rename a name may be another column's.
            if reading.effects.iter().any(disturbs) {
                return;
            }
            for effect in &reading.effects {
                let Effect::ChangeType { column, to, using: Using::Cast } = effect else { continue };
                if to.name.as_ref() != Some(of) {
                    continue;
                }
                if let Some(away_idx) = changed_to_text(readings, drop_idx, column)
                    && !is_changed(readings, away_idx + 1, back_idx, column)
                {
                    self.of.insert((away_idx, Some(column.clone())), of.clone());
                    self.of.insert((back_idx, Some(column.clone())), of.clone());
                }
            }
        }
    }

    /// Returns the enum that an effect belongs to, where that is built again.
    fn of(&self, statement_idx: usize, effect: &Effect) -> Option<&ObjectName> {
        match effect {
            _ if self.of.is_empty() => None,
            Effect::ChangeType { column, .. } => self.of.get(&(statement_idx, Some(column.clone()))),
            Effect::Drop { kind: Kind::Type, .. } => self.of.get(&(statement_idx, None)),
            _ => None,
        }
    }
}

/// Tells whether names after an effect may mean other objects than before it.
fn disturbs(effect: &Effect) -> bool {
    matches!(effect, Effect::Rename { .. } | Effect::Unknown)
}

/// Finds the first statement from `from` on that has an effect, if no name may mean something else before it.
fn find_undisturbed(readings: &[Reading], from: usize, wanted: impl Fn(&Effect) -> bool) -> Option<usize> {
    for (idx, reading) in readings.iter().enumerate().skip(from) {
        if reading.effects.iter().any(&wanted) {
            return Some(idx);
        }
        if reading.effects.iter().any(disturbs) {
            return None;
        }
    }
    None
}

/// Finds the last statement before another that changes a column to text, if no name may mean something else after it.
fn changed_to_text(readings: &[Reading], before: usize, wanted: &ObjectName) -> Option<usize> {
    for (idx, reading) in readings.iter().enumerate().take(before).rev() {
        for effect in &reading.effects {
            match effect {
                Effect::ChangeType { column, to, using } if column == wanted => {
                    let is_text = to.text.eq_ignore_ascii_case("text") && *using == Using::Assignment;
                    return is_text.then_some(idx);
                }
                effect if disturbs(effect) => return None,
                _ => {}
            }
        }
    }
    None
}

/// Tells whether a column changes its type, or goes, within a part of the plan.
fn is_changed(readings: &[Reading], from: usize, to: usize, wanted: &ObjectName) -> bool {
    readings[from..to].iter().flat_map(|reading| &reading.effects).any(|effect| match effect {
        Effect::ChangeType { column, .. } => column == wanted,
        Effect::Drop { kind: Kind::Column | Kind::Table | Kind::Schema, name, .. } => {
            wanted.parts().starts_with(name.parts())
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use proptest::prelude::*;

    use super::*;

    /// Shows the hazards of a statement: `drop_table public.users (formerly public.people) cascade`.
    fn shown(assessed: &Assessed) -> Vec<String> {
        let show = |found: &Found| {
            let list = |names: &[ObjectName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let mut text = found.hazard.to_string();
            if !found.objects.is_empty() {
                write!(text, " {}", list(&found.objects)).expect("a string takes everything");
            }
            if found.before != found.objects {
                write!(text, " (formerly {})", list(&found.before)).expect("a string takes everything");
            }
            if found.cascade {
                text.push_str(" cascade");
            }
            text
        };
        assessed.hazards.iter().map(show).collect()
    }

    fn corpus(name: &str, text: &str, dialect: Dialect) {
        let mut blocks = text.split("\n\n");
        let head = blocks.next().expect("the file has a head");
        let mut found = vec![head.to_owned()];
        for block in blocks {
            let (titles, sql): (Vec<&str>, Vec<&str>) = block.lines().partition(|line| line.starts_with("-- "));
            let sql = sql.join("\n");
            let [assessed] =
                assess(std::slice::from_ref(&sql), dialect, &Facts::default()).try_into().expect("one statement");
            let hazards = shown(&assessed);
            let hazards = if hazards.is_empty() { "nothing".to_owned() } else { hazards.join("; ") };
            found.push(format!("{}\n-- => {hazards}\n{sql}", titles[0]));
        }
        let found = found.join("\n\n") + "\n";
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(format!("fixtures/sql/{name}.sql"), &found).expect("the fixture can be written");
        }
        assert_eq!(found, text, "fixtures/sql/{name}.sql");
    }

    #[test]
    fn every_form_of_drizzle_kit_has_the_hazards_written_beside_it() {
        corpus("postgresql", include_str!("../../fixtures/sql/postgresql.sql"), Dialect::Postgres);
        corpus("mysql", include_str!("../../fixtures/sql/mysql.sql"), Dialect::MySql);
        corpus("sqlite", include_str!("../../fixtures/sql/sqlite.sql"), Dialect::Sqlite);
    }

    #[track_caller]
    fn check_all(dialect: Dialect, facts: &Facts, plan: &[(&str, &str)]) {
        let statements: Vec<String> = plan.iter().map(|(sql, _)| (*sql).to_owned()).collect();
        let found = assess(&statements, dialect, facts);
        let found: Vec<(&str, String)> =
            found.iter().map(|assessed| (assessed.sql.as_str(), shown(assessed).join("; "))).collect();
        let expected: Vec<(&str, String)> = plan.iter().map(|(sql, hazards)| (*sql, (*hazards).to_owned())).collect();
        assert_eq!(found, expected);
    }

    /// Checks the hazards of a plan for PostgreSQL, statement by statement.
    #[track_caller]
    fn check(plan: &[(&str, &str)]) {
        check_all(Dialect::Postgres, &Facts::default(), plan);
    }

    #[test]
    fn what_is_not_one_whole_known_statement_is_unclassified() {
        let unknown = [
            "",
            ";",
            "-- DROP TABLE a;",
            "DROP TABLE;",
            "DROP TABLE a; DROP TABLE b;",
            "DROP TABLE a b",
            "DROP TABLE a.b.c;",
            "DROP TABLE \"\";",
            "ALTER TABLE a;",
            "ALTER TABLE a DROP COLUMN;",
            "ALTER TABLE a ADD COLUMN b;",
            "ALTER TABLE ONLY a DROP COLUMN b;",
            "ALTER TABLE a OWNER TO b;",
            "ALTER TABLE a ATTACH PARTITION b FOR VALUES IN (1);",
            "ALTER TABLE a ADD CONSTRAINT b UNIQUE USING INDEX c;",
            "ALTER TABLE a ADD CONSTRAINT b EXCLUDE USING gist (c WITH &&);",
            "ALTER TABLE a ALTER COLUMN b SET STATISTICS 1;",
            "ALTER TABLE a ALTER COLUMN b RESTART;",
            "CREATE TABLE a AS SELECT 1;",
            "CREATE TABLE a (LIKE b);",
            "CREATE TEMP TABLE a (b int);",
            "CREATE TABLE a (b int) INHERITS (c);",
            "CREATE SCHEMA a CREATE TABLE b (c int);",
            "CREATE TYPE a;",
            "CREATE TYPE a AS (b int);",
            "CREATE EXTENSION a;",
            "CREATE FUNCTION a() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$;",
            "SELECT drop_everything();",
            "DELETE FROM a WHERE drop_everything();",
            "UPDATE a SET b = 1;",
            "INSERT INTO a SELECT 1;",
            "DO $$ BEGIN DROP TABLE a; END $$;",
            "DO $$ BEGIN DROP TABLE a; EXCEPTION WHEN duplicate_object THEN null; END $$;",
            "DO $$ BEGIN\n CREATE TYPE a AS ENUM('b'); DROP TABLE c;\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "DO LANGUAGE plperl $$ BEGIN\n CREATE TYPE a AS ENUM('b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "SET search_path = b;",
            "BEGIN;",
            "COPY a FROM PROGRAM 'x';",
            "\\d a",
            "DROP TABLE U&\"\\0061\";",
            "DROP TABLE 'a';",
            "DROP TABLE $1;",
            "TRUNCATE ONLY a;",
            "DROP DATABASE a;",
            "DROP OWNED BY a;",
            "ALTER ROLE a PASSWORD 'b';",
            "ALTER SEQUENCE a RESTART;",
            "ALTER SEQUENCE a OWNED BY NONE;",
            "EXPLAIN ANALYZE DELETE FROM a;",
            "PREPARE a AS DROP TABLE b;",
            "\u{feff}DROP TABLE a;",
            "DROP TABLE a /* ",
        ];
        for sql in unknown {
            check(&[(sql, "unclassified")]);
        }
    }

    #[test]
    fn names_are_read_as_the_server_reads_them() {
        check(&[
            ("DROP TABLE Users;", "drop_table public.users"),
            ("DROP TABLE \"Users\";", "drop_table public.Users"),
            ("DROP TABLE \"x\"\"; DROP TABLE y; --\";", "drop_table public.\"x\"\"; DROP TABLE y; --\""),
            ("drop table \"a.b\".\"c\"", "drop_table \"a.b\".c"),
            ("/* nested /* comment */ ; */ DROP TABLE a -- b\n, c;", "drop_table public.a, public.c"),
            ("ALTER TABLE a ALTER COLUMN b SET DEFAULT 'c\\', DROP COLUMN d -- '", "drop_column public.a.d"),
            ("ALTER TABLE a ALTER COLUMN b SET DEFAULT E'\\', DROP COLUMN c --'", ""),
            ("ALTER TABLE a ALTER COLUMN b SET DEFAULT $x$', DROP COLUMN c$x$", ""),
            ("DROP TABLE größe, \"日本\"", "drop_table public.größe, public.日本"),
        ]);
    }

    #[test]
    fn a_statement_has_as_many_hazards_as_it_does_things() {
        check(&[
            (
                "ALTER TABLE a DROP COLUMN b CASCADE, DROP c, ADD COLUMN d text NOT NULL UNIQUE REFERENCES e(f) CHECK (d > ''), \
                 ALTER g TYPE int USING g::int;",
                "drop_column public.a.b cascade; drop_column public.a.c; add_unique public.a; build_index public.a; \
                 add_foreign_key public.a; add_check public.a; add_not_null public.a.d; change_type public.a.g; \
                 rewrite_table public.a",
            ),
            ("TRUNCATE a, s.b CASCADE;", "truncate public.a, s.b cascade"),
            ("DROP VIEW v CASCADE;", "drop_view public.v cascade"),
            ("DROP SCHEMA a, b CASCADE;", "drop_schema a, b cascade"),
            ("GRANT SELECT ON s.a TO b;", "grant s.a"),
            ("GRANT a TO b;", "grant a, b"),
            ("REVOKE ALL ON SCHEMA a FROM b;", "revoke a"),
            ("ALTER DEFAULT PRIVILEGES IN SCHEMA a REVOKE SELECT ON TABLES FROM b;", "revoke a"),
            ("ALTER TYPE t RENAME VALUE 'a' TO 'b';", "rename_type public.t"),
            ("ALTER TABLE a NO FORCE ROW LEVEL SECURITY;", "disable_rls public.a"),
        ]);
    }

    #[test]
    fn what_the_plan_created_has_nothing_to_lose() {
        check(&[
            ("CREATE TABLE a (b int);", ""),
            ("CREATE UNIQUE INDEX i ON a (b);", ""),
            ("ALTER TABLE a ADD CONSTRAINT u UNIQUE (b), ADD FOREIGN KEY (b) REFERENCES c(d), ALTER b TYPE text;", ""),
            ("ALTER TABLE a DROP COLUMN b;", ""),
            ("ALTER TABLE a RENAME TO c;", ""),
            ("TRUNCATE c;", ""),
            ("DROP INDEX i;", ""),
            ("DROP TABLE c;", ""),
            ("DROP TABLE c;", "drop_table public.c"),
            ("ALTER TABLE old ADD COLUMN n int DEFAULT 1;", ""),
            ("ALTER TABLE old ALTER COLUMN n SET NOT NULL;", "add_not_null public.old.n"),
            ("ALTER TABLE old ALTER COLUMN n TYPE text;", "rewrite_table public.old"),
            ("ALTER TABLE old DROP COLUMN n;", ""),
            ("CREATE SCHEMA s;", ""),
            ("ALTER TABLE old SET SCHEMA s;", "rename_table public.old"),
            ("DROP TABLE s.old;", "drop_table s.old (formerly public.old)"),
            ("CREATE TYPE t AS ENUM ('a');", ""),
            ("DROP TYPE t;", ""),
        ]);
    }

    #[test]
    fn newness_that_is_not_proved_spares_nothing() {
        check(&[("CREATE TABLE IF NOT EXISTS a (b int);", ""), ("DROP TABLE a;", "drop_table public.a")]);
        check(&[("CREATE OR REPLACE VIEW v AS SELECT 1;", ""), ("ALTER VIEW v RENAME TO w;", "rename_table public.v")]);
        // PostgreSQL drops the old column before it adds the new one.
        check(&[("ALTER TABLE a ADD COLUMN b int, DROP COLUMN b;", "drop_column public.a.b")]);
        check(&[("CREATE TABLE a (b int);", ""), ("DROP TABLE a CASCADE;", "drop_table public.a cascade")]);
        check(&[
            ("CREATE TABLE a (b int);", ""),
            ("SELECT fill_a();", "unclassified"),
            ("DROP TABLE a;", "drop_table public.a"),
        ]);
        check(&[
            ("CREATE TABLE a (b int);", ""),
            ("ALTER TABLE a DISABLE ROW LEVEL SECURITY;", "disable_rls public.a"),
        ]);
        check(&[
            ("CREATE SCHEMA s;", ""),
            ("ALTER TABLE old SET SCHEMA s;", "rename_table public.old"),
            ("DROP SCHEMA s CASCADE;", "drop_schema s cascade"),
        ]);
        check(&[
            ("DO $$ BEGIN\n CREATE TYPE t AS ENUM('a');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;", ""),
            ("DROP TYPE t;", "drop_type public.t"),
        ]);
        check(&[
            ("CREATE TABLE b (c int);", ""),
            ("DROP TABLE b;", ""),
            ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
            ("DROP TABLE b;", "drop_table public.b (formerly public.a)"),
        ]);
    }

    #[test]
    fn a_drop_after_a_rename_names_both() {
        check(&[
            ("ALTER SCHEMA s RENAME TO t;", "rename_table s"),
            ("ALTER TABLE t.a RENAME COLUMN b TO c;", "rename_column t.a.b (formerly s.a.b)"),
            ("ALTER TABLE t.a RENAME TO d;", "rename_table t.a (formerly s.a)"),
            ("ALTER TABLE t.d SET SCHEMA public;", "rename_table t.d (formerly s.a)"),
            ("ALTER TABLE d DROP COLUMN c;", "drop_column public.d.c (formerly s.a.b)"),
            ("DROP TABLE d;", "drop_table public.d (formerly s.a)"),
            ("CREATE TABLE IF NOT EXISTS d (e int);", ""),
            ("DROP TABLE d;", "drop_table public.d"),
            ("CREATE TABLE t.e (f int);", ""),
            ("DROP TABLE t.e CASCADE;", "drop_table t.e cascade"),
            ("ALTER TYPE t.k RENAME TO l;", "rename_type t.k (formerly s.k)"),
            ("DROP TYPE t.l;", "drop_type t.l (formerly s.k)"),
        ]);
    }

    #[test]
    fn each_object_has_its_own_name_from_before() {
        check(&[
            ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
            ("TRUNCATE b, c CASCADE;", "truncate public.b, public.c (formerly public.a, public.c) cascade"),
        ]);
    }

    #[test]
    fn foreign_keys_that_are_added_are_told_by_the_names_from_before() {
        let plan = [
            "ALTER TABLE a RENAME TO b;",
            "CREATE TABLE n (x int REFERENCES b, FOREIGN KEY (x) REFERENCES s.c(d));",
            "DO $$ BEGIN\n ALTER TABLE b ADD CONSTRAINT f FOREIGN KEY (x) REFERENCES n(x);\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "ALTER TABLE e ADD COLUMN x int REFERENCES b(x);",
        ]
        .map(str::to_owned);
        let assessed = assess(&plan, Dialect::Postgres, &Facts::default());
        let show = |reference: &Reference| {
            let is_new = if reference.is_from_new { "new " } else { "" };
            format!("{is_new}{} to {}", reference.from, reference.to)
        };
        let shown: Vec<Vec<String>> =
            assessed.iter().map(|statement| statement.references.iter().map(show).collect()).collect();
        let expected: [&[&str]; 4] = [
            &[],
            &["new public.n to public.a", "new public.n to s.c"],
            &["public.a to public.n"],
            &["public.e to public.a"],
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn an_enum_that_is_built_again_takes_its_columns_with_it() {
        let away = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DATA TYPE text;";
        let back = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DATA TYPE \"public\".\"x\" USING \"c\"::\"public\".\"x\";";
        let drop = "DROP TYPE \"public\".\"x\";";
        let create = "CREATE TYPE \"public\".\"x\" AS ENUM('a');";
        let default = "ALTER TABLE \"a\" ALTER COLUMN \"c\" SET DEFAULT 'a'::\"public\".\"x\";";
        let enum_and_table = "recreate_enum public.x; rewrite_table public.a";
        check(&[
            (away, enum_and_table),
            (drop, "recreate_enum public.x"),
            (create, ""),
            (default, ""),
            (back, enum_and_table),
        ]);
        let change = "change_type public.a.c; rewrite_table public.a";
        // Without the way back, the column stays text.
        check(&[(away, change), (drop, "recreate_enum public.x"), (create, "")]);
        check(&[(away, change), (drop, "drop_type public.x")]);
        check(&[(drop, "recreate_enum public.x"), (create, ""), (back, change)]);
        let by_words = "ALTER TABLE a ALTER COLUMN c TYPE x USING lower(c)::x;";
        check(&[(away, change), (drop, "recreate_enum public.x"), (create, ""), (by_words, change)]);
        let cascade = "DROP TYPE \"public\".\"x\" CASCADE;";
        check(&[(away, change), (cascade, "drop_type public.x cascade"), (create, ""), (back, change)]);
        let rename = "ALTER TABLE a RENAME COLUMN c TO d;";
        check(&[
            (away, change),
            (drop, "recreate_enum public.x"),
            (create, ""),
            (rename, "rename_column public.a.c"),
            (back, change),
        ]);
        let elsewhere = "CREATE TYPE \"auth\".\"x\" AS ENUM('a');";
        check(&[(away, change), (drop, "drop_type public.x"), (elsewhere, ""), (back, change)]);
    }

    #[test]
    fn a_column_whose_enum_is_built_again_comes_with_the_new_values() {
        let plan = |labels: &str| {
            [
                "ALTER TABLE a RENAME TO b;".to_owned(),
                "ALTER TABLE b ALTER COLUMN c SET DATA TYPE text;".to_owned(),
                "DROP TYPE x;".to_owned(),
                format!("CREATE TYPE x AS ENUM({labels});"),
                "ALTER TABLE b ALTER COLUMN c SET DATA TYPE x USING c::x;".to_owned(),
            ]
        };
        let labels = |text: &str, expected: &[&str]| {
            let assessed = assess(&plan(text), Dialect::Postgres, &Facts::default());
            let changed = assessed.iter().flat_map(|statement| &statement.changes).filter_map(|change| match change {
                Change::ChangeType { column, rebuilt, labels, .. } => Some((column, rebuilt, labels)),
                _ => None,
            });
            let (column, of) = (ObjectName::new(["public", "a", "c"]), Some(ObjectName::new(["public", "x"])));
            let labels = Some(expected.iter().map(|label| (*label).to_owned()).collect());
            assert_eq!(changed.collect::<Vec<_>>(), [(&column, &of, &None), (&column, &of, &labels)], "{text}");
        };
        labels("'a', 'it''s', 'x, y'", &["a", "it's", "x, y"]);
        // What is not read fits no row.
        labels("'a', E'b'", &[]);
    }

    /// Says what the statements of a plan do to the catalog.
    fn changes(plan: &[&str]) -> Vec<Vec<Change>> {
        let plan: Vec<String> = plan.iter().map(|sql| (*sql).to_owned()).collect();
        assess(&plan, Dialect::Postgres, &Facts::default()).into_iter().map(|assessed| assessed.changes).collect()
    }

    #[test]
    fn what_the_plan_itself_has_made_is_not_asked_of_the_catalog() {
        let none: [Change; 0] = [];
        let made = changes(&[
            "CREATE TYPE mood AS ENUM('a');",
            "CREATE TABLE IF NOT EXISTS posts (id integer, m mood);",
            "ALTER TABLE posts ADD CONSTRAINT p FOREIGN KEY (id) REFERENCES posts(id);",
            "CREATE TABLE logs (id integer);",
            "ALTER TABLE logs DROP COLUMN id;",
            "DROP TABLE logs;",
        ]);
        let [_, posts, refers, _, dropped, gone] = made.as_slice() else { panic!("{made:#?}") };
        let words = |change: &Change| matches!(change, Change::UseType { of, .. } if of.text == "mood");
        assert!(!posts.iter().any(words), "{posts:#?}");
        assert!(!refers.iter().any(|change| matches!(change, Change::Refer { .. })), "{refers:#?}");
        assert_eq!([dropped.as_slice(), gone.as_slice()], [&none, &none]);
    }

    #[test]
    fn what_a_statement_does_is_said_by_the_names_from_before_the_plan() {
        let made = changes(&[
            "ALTER TABLE users RENAME TO people;",
            "ALTER TABLE people DROP COLUMN name CASCADE;",
            "CREATE TABLE users (id integer);",
        ]);
        let name = ObjectName::new(["public", "users", "name"]);
        let drop = Change::Drop { kind: Kind::Column, name, reach: Reach::Cascade, if_exists: false };
        assert_eq!(made[1], [drop]);
        // The name is that of another table by now, and the catalog says which.
        let users = ObjectName::new(["public", "users"]);
        assert_eq!(made[0][0], Change::Rename { kind: Kind::Table, name: users.clone() });
        assert_eq!(made[2][0], Change::Create { kind: Kind::Table, name: users });
    }

    #[test]
    fn code_that_runs_for_rows_is_told_with_the_statement_that_runs_it() {
        let code = |sql: &str| {
            let changes = changes(&[sql]);
            let code = changes[0].iter().filter_map(|change| match change {
                Change::Run { code } => Some(code.clone()),
                _ => None,
            });
            code.collect::<Vec<_>>()
        };
        let function = |schema: Option<&str>, name: &str| Code::Function {
            schema: schema.map(str::to_owned),
            name: name.to_owned(),
        };
        let of_type = |name: &str| Code::Type(ObjectName::new(["public", name]));
        let add = |rest: &str| code(&format!("ALTER TABLE t ADD COLUMN c {rest};"));
        assert_eq!(
            add("integer DEFAULT shop.f(g(1))"),
            [of_type("integer"), function(Some("shop"), "f"), function(None, "g")]
        );
        assert_eq!(add("integer GENERATED ALWAYS AS (f(a)) STORED"), [of_type("integer"), function(None, "f")]);
        assert_eq!(
            code("ALTER TABLE t ADD CONSTRAINT c CHECK (a === b AND extract(epoch FROM d) > 1);"),
            [Code::Operator("===".to_owned()), Code::Operator(">".to_owned())]
        );
        assert_eq!(code("ALTER TABLE t ADD CONSTRAINT c CHECK (f(a)) NOT VALID;"), []);
        assert_eq!(code("CREATE INDEX i ON t (f(a)) WHERE g(b);"), [function(None, "f"), function(None, "g")]);
        assert_eq!(
            code("ALTER TABLE t ALTER COLUMN a SET DATA TYPE d USING f(a)::e;"),
            [of_type("d"), function(None, "f"), of_type("e")]
        );
        assert_eq!(
            code("CREATE MATERIALIZED VIEW v AS (SELECT f(a) FROM w);"),
            [function(None, "f"), Code::Relation(ObjectName::new(["public", "w"]))]
        );
        // These run nothing for now.
        for sql in [
            "CREATE MATERIALIZED VIEW v AS (SELECT f(a) FROM w) WITH NO DATA;",
            "CREATE VIEW v AS (SELECT f(a) FROM w);",
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT f();",
            "CREATE TABLE n (a integer DEFAULT f() CHECK (g(a)));",
            "CREATE POLICY p ON t USING (f(a));",
        ] {
            assert_eq!(code(sql), [], "{sql}");
        }
    }

    #[test]
    fn a_primary_key_is_known_by_its_name_or_from_the_catalog() {
        let facts = Facts { primary_keys: vec![ObjectName::new(["public", "a", "key"])], ..Facts::default() };
        let plan = |hazards| ("ALTER TABLE a DROP CONSTRAINT key;", hazards);
        check_all(Dialect::Postgres, &facts, &[plan("drop_primary_key public.a")]);
        check_all(Dialect::Postgres, &Facts::default(), &[plan("drop_constraint public.a.key")]);
        check_all(
            Dialect::Postgres,
            &facts,
            &[
                ("ALTER TABLE a RENAME TO b;", "rename_table public.a"),
                ("ALTER TABLE b DROP CONSTRAINT key;", "drop_primary_key public.b (formerly public.a)"),
            ],
        );
    }

    #[test]
    fn a_table_that_is_built_anew_is_one_change_of_it() {
        let sqlite = |plan: &[(&str, &str)]| check_all(Dialect::Sqlite, &Facts::default(), plan);
        let (create, copy, drop, rename) = (
            "CREATE TABLE `__new_users` (`id` integer PRIMARY KEY NOT NULL);",
            "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `users`;",
            "DROP TABLE `users`;",
            "ALTER TABLE `__new_users` RENAME TO `users`;",
        );
        sqlite(&[
            ("PRAGMA foreign_keys=OFF;", ""),
            (create, ""),
            (copy, ""),
            (drop, "rebuild_table public.users"),
            (rename, ""),
            // It is the same table, and dropping it is a drop.
            (drop, "drop_table public.users"),
            ("PRAGMA foreign_keys=ON;", ""),
            ("PRAGMA writable_schema=ON;", "unclassified"),
        ]);
        sqlite(&[
            ("DELETE FROM `users`;", "delete_rows public.users"),
            (create, ""),
            (drop, "rebuild_table public.users; delete_rows public.users"),
            (rename, ""),
        ]);
        // drizzle-kit before 0.25.
        sqlite(&[
            ("ALTER TABLE `users` RENAME TO `__old_push_users`;", ""),
            ("CREATE TABLE `users` (`id` integer PRIMARY KEY NOT NULL);", ""),
            ("INSERT INTO \"users\" SELECT * FROM \"__old_push_users\";", ""),
            ("DROP TABLE `__old_push_users`;", "rebuild_table public.users"),
        ]);
        let (dropped, renamed) = ("drop_table public.users", "rename_table public.__new_users");
        // Another table is dropped, filled, or renamed; something stands between; some rows are left out.
        let other = "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `posts`;";
        sqlite(&[(create, ""), (other, ""), (drop, dropped), (rename, renamed)]);
        let other = "ALTER TABLE `__new_users` RENAME TO `people`;";
        sqlite(&[(create, ""), (copy, ""), (drop, dropped), (other, renamed)]);
        let index = "CREATE INDEX `i` ON `posts` (`a`);";
        sqlite(&[(create, ""), (copy, ""), (index, "build_index public.posts"), (drop, dropped), (rename, renamed)]);
        let some = "INSERT INTO `__new_users`(\"id\") SELECT \"id\" FROM `users` WHERE id > 1;";
        sqlite(&[(create, ""), (some, "unclassified"), (drop, dropped), (rename, renamed)]);
        sqlite(&[(create, ""), (copy, ""), (drop, dropped)]);
    }

    #[test]
    fn a_column_that_libsql_defines_anew_keeps_its_rows() {
        let turso = |plan: &[(&str, &str)]| check_all(Dialect::Turso, &Facts::default(), plan);
        turso(&[
            (
                "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text NOT NULL DEFAULT 'x';",
                "change_type public.u.a; add_not_null public.u.a",
            ),
            (
                "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" integer REFERENCES o(b) ON DELETE cascade;",
                "change_type public.u.a; add_foreign_key public.u",
            ),
            ("ALTER TABLE `u` ALTER COLUMN \"a\" TO \"b\" text;", "change_type public.u.a; rename_column public.u.a"),
            ("ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text; DROP TABLE u", "unclassified"),
            ("ALTER TABLE `u` ALTER COLUMN \"a\" TO", "unclassified"),
        ]);
        // With drizzle-kit's dialect `sqlite` it may be libSQL as well; SQLite itself takes it for an error.
        let text = "ALTER TABLE `u` ALTER COLUMN \"a\" TO \"a\" text;";
        check_all(Dialect::Sqlite, &Facts::default(), &[(text, "change_type public.u.a")]);
    }

    #[test]
    fn what_other_servers_read_in_their_own_way_is_unclassified() {
        for sql in [
            "/*!50003 DROP TABLE a */",
            "DELETE FROM a WHERE sleep(1);",
            "DELETE a FROM a JOIN b;",
            "INSERT INTO a SELECT f(b) FROM c;",
            "CREATE TABLE a AS SELECT 1;",
            "CREATE TABLE a LIKE b;",
            "CREATE TEMPORARY TABLE a (b int);",
            "DROP DATABASE a;",
            "ALTER TABLE a ORDER BY b;",
            "LOCK TABLES a WRITE;",
            "SELECT $$; DROP TABLE b; $$",
            "CALL a();",
            "DROP TABLE a; DROP TABLE b",
        ] {
            check_all(Dialect::MySql, &Facts::default(), &[(sql, "unclassified")]);
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_unclassified() {
        for (open, close) in [("(", ")"), ("NOT ", ""), ("- ", ""), ("CASE WHEN ", ""), ("ARRAY[", "]"), ("1 + ", "")] {
            let deep = format!("{}1{}", open.repeat(50_000), close.repeat(50_000));
            let sql = format!("ALTER TABLE a ALTER COLUMN b SET DEFAULT {deep};");
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
                check_all(dialect, &Facts::default(), &[(&sql, "unclassified")]);
            }
        }
        let values = (0..20_000).map(|value| format!("'{value}'")).collect::<Vec<_>>().join(", ");
        check(&[(&format!("CREATE TYPE t AS ENUM ({values});"), "")]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_stops_it(sql in "([;'\"$`()\\\\/*-]|[a-zé]|\\PC|ALTER |TABLE |DROP |CREATE |\\$\\$|E'|U&\"|--|/\\*|\\*/){0,40}") {
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::SingleStore, Dialect::Sqlite, Dialect::Turso] {
                prop_assert_eq!(assess(std::slice::from_ref(&sql), dialect, &Facts::default()).len(), 1);
            }
        }

        #[test]
        fn a_statement_with_a_syntax_error_is_unclassified(
            statement in 0..SOME.len(),
            at in 0usize..200,
            junk in "[)(]|\\)\\(|[0-9][a-z]\\.\\.|;;x|'|\"|@@ \\(",
        ) {
            let sql = SOME[statement];
            let at = at % (sql.len() + 1);
            prop_assume!(sql.is_char_boundary(at) && !is_quoted(sql, at));
            let broken = format!("{} {junk} {}", &sql[..at], &sql[at..]);
            let found = assess(std::slice::from_ref(&broken), Dialect::Postgres, &Facts::default());
            prop_assert_eq!(shown(&found[0]), ["unclassified"], "{}", broken);
        }
    }

    /// Statements without a place that takes anything.
    const SOME: [&str; 4] = [
        "DROP TABLE \"a\", b CASCADE",
        "ALTER TABLE a RENAME COLUMN \"b\" TO c",
        "ALTER TYPE t SET SCHEMA \"s\"",
        "TRUNCATE TABLE a, b",
    ];

    fn is_quoted(sql: &str, at: usize) -> bool {
        sql[..at].matches('"').count() % 2 == 1
    }
}
