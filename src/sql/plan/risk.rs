//! Ties what happens to why it needs consent, and spares what the plan itself has made.

use crate::sql::effect::{Effect, Kind, Reach};
use crate::sql::hazard::{Class, Hazard};
use crate::sql::name::ObjectName;
use crate::sql::plan::space::{Space, space};
use crate::sql::plan::state::State;

/// What is known of the database before the plan. Nothing need be known; less is then told apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Constraints that are primary keys, as `schema.table.constraint`, beside those whose name says so.
    pub primary_keys: Vec<ObjectName>,
    /// Identity columns with the names of their sequences, where those are not the usual ones.
    pub identities: Vec<(ObjectName, ObjectName)>,
}

/// A hazard of an effect, before anything is known of the plan.
pub(super) struct Risk {
    pub(super) hazard: Hazard,
    pub(super) space: Space,
    pub(super) objects: Vec<ObjectName>,
    pub(super) reach: Reach,
}

/// Returns the hazards of an effect. This is the one place that ties what happens to why it needs consent.
pub(super) fn risks(effect: &Effect, recreated: Option<&ObjectName>, facts: &Facts, state: &State) -> Vec<Risk> {
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
    pub(super) fn new(
        hazard: Hazard,
        space: Space,
        objects: impl IntoIterator<Item = ObjectName>,
        reach: Reach,
    ) -> Risk {
        Risk { hazard, space, objects: objects.into_iter().collect(), reach }
    }

    /// Tells whether nothing is at stake because what is concerned was created in this plan.
    pub(super) fn is_spared(&self, state: &State) -> bool {
        // What else is reached may be old: a table that was moved into a new schema, a column that has a new type.
        if self.reach == Reach::Cascade || state.has_nothing_new() {
            return false;
        }
        // The enum is new once it was created again; the values in the columns that return to it are not.
        if self.hazard == Hazard::RecreateEnum {
            return false;
        }
        let is_new = |name: &ObjectName| match self.hazard.class() {
            Class::DataLoss | Class::Breaking => match self.space {
                Space::Column | Space::Constraint => state.is_new(self.space, name) || state.is_of_new_table(name),
                Space::Schema | Space::Relation | Space::Policy | Space::Type | Space::Role => {
                    state.is_new(self.space, name)
                }
            },
            // The rows matter here, and they are those of the table: a new column of an old table has as many.
            Class::MayFail | Class::Blocking => match self.space {
                Space::Column | Space::Constraint => state.is_of_new_table(name),
                Space::Schema | Space::Relation | Space::Policy | Space::Type | Space::Role => {
                    state.is_new(self.space, name)
                }
            },
            Class::Access | Class::Unknown => false,
        };
        !self.objects.is_empty() && self.objects.iter().all(is_new)
    }
}
