//! Says which hazards the statements of a plan have, one after the other.
//!
//! A statement alone does not tell what is at stake. What was created a moment ago holds nothing that could be lost, what
//! was renamed a moment ago is an object that the user knows by another name, and an enum that is dropped and created
//! again takes the columns with it that were changed to text and back. [`assess`] goes through the plan in order and
//! keeps what it needs for that, and where it cannot prove that nothing is at stake, the hazard stays.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::dialect::Dialect;
use super::effect::{Effect, Kind, Proof, Reach, Reading, Using};
use super::hazard::{Class, Hazard};
use super::name::ObjectName;
use super::{other, postgres};

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
}

/// A hazard of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub hazard: Hazard,
    /// What [`Hazard::object`] says: tables for `drop_table`, columns for `drop_column`, and so on.
    pub objects: Vec<ObjectName>,
    /// The names that renamed ones among the objects had before the plan.
    pub formerly: Vec<ObjectName>,
    /// Whether objects are reached that the statement does not name.
    pub cascade: bool,
}

/// What is known of the database before the plan. Nothing need be known; less is then told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Constraints that are primary keys, as `schema.table.constraint`, beside those whose name says so.
    pub primary_keys: Vec<ObjectName>,
}

/// Returns what each statement of a plan is, and its hazards.
pub fn assess(statements: &[String], dialect: Dialect, facts: &Facts) -> Vec<Assessed> {
    let readings: Vec<Reading> = statements.iter().map(|sql| read(sql, dialect)).collect();
    let enums = Enums::find(&readings);
    let mut state = State::default();
    let mut assessed = Vec::with_capacity(statements.len());
    for (statement_idx, (sql, reading)) in statements.iter().zip(readings).enumerate() {
        let mut hazards: Vec<Found> = Vec::new();
        // Everything that one statement does is weighed against what was there before it: PostgreSQL drops columns
        // before it adds any, whatever their order in the statement.
        for effect in &reading.effects {
            let recreated = enums.of(statement_idx, effect);
            for risk in risks(effect, recreated, facts, &state) {
                if !state.spares(&risk) {
                    add(&mut hazards, risk, &state);
                }
            }
        }
        let mut objects: Vec<ObjectName> = Vec::new();
        for object in reading.effects.iter().flat_map(Effect::objects) {
            if !objects.contains(object) {
                objects.push(object.clone());
            }
        }
        for effect in &reading.effects {
            state.apply(effect);
        }
        assessed.push(Assessed { sql: sql.clone(), kind: reading.kind, objects, hazards });
    }
    assessed
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
            hazards.push(Found { hazard: risk.hazard, objects: Vec::new(), formerly: Vec::new(), cascade });
            hazards.last_mut().expect("one was just added")
        }
    };
    for object in risk.objects {
        if found.objects.contains(&object) {
            continue;
        }
        found.formerly.extend(state.former(risk.space, &object).filter(|former| *former != object));
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
        Effect::Create { .. } | Effect::CreateEnum { .. } | Effect::InsertRows { .. } => Vec::new(),
        Effect::Drop { kind, name, reach } => dropped(*kind, name, *reach, recreated, facts, state),
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
        // A view holds nothing, but a materialised view that is made from it does, and goes with it.
        Kind::View => match reach {
            Reach::Alone => Vec::new(),
            Reach::Cascade => risk(Hazard::DropView),
        },
        Kind::MaterializedView => risk(Hazard::DropView),
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
    /// The names from before the plan, by the names of now.
    renamed: BTreeMap<(Space, ObjectName), ObjectName>,
}

impl State {
    fn is_new(&self, space: Space, name: &ObjectName) -> bool {
        self.new.contains(&(space, name.clone()))
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

    fn apply(&mut self, effect: &Effect) {
        match effect {
            Effect::Create { kind, name, proof } => self.create(space(*kind), name, *proof),
            Effect::CreateEnum { name, proof } => self.create(Space::Type, name, *proof),
            Effect::Drop { kind, name, .. } => self.forget(space(*kind), name),
            Effect::Rename { kind, from, to } => self.rename(space(*kind), from, to),
            // The rows may have come from a table that is dropped next.
            Effect::InsertRows { table } => self.remove_new(Space::Relation, table),
            // It may have filled, moved or replaced anything.
            Effect::Unknown => self.new.clear(),
            Effect::RenameValue { .. }
            | Effect::ChangeType { .. }
            | Effect::RequireValue { .. }
            | Effect::DropDefault { .. }
            | Effect::AddUnique { .. }
            | Effect::AddPrimaryKey { .. }
            | Effect::AddForeignKey { .. }
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
            let [Effect::Drop { kind: Kind::Type, name, reach: Reach::Alone }] = reading.effects.as_slice() else {
                continue;
            };
            let is_created = |effect: &Effect| matches!(effect, Effect::CreateEnum { name: created, proof: Proof::New } if created == name);
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

    use super::*;

    /// Shows the hazards of a statement: `drop_table public.users (formerly public.people) cascade`.
    fn shown(assessed: &Assessed) -> Vec<String> {
        let show = |found: &Found| {
            let list = |names: &[ObjectName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let mut text = found.hazard.to_string();
            if !found.objects.is_empty() {
                write!(text, " {}", list(&found.objects)).expect("a string takes everything");
            }
            if !found.formerly.is_empty() {
                write!(text, " (formerly {})", list(&found.formerly)).expect("a string takes everything");
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
            let [assessed] = assess(&[sql.clone()], dialect, &Facts::default()).try_into().expect("one statement");
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
}
