//! What the statements of a plan have made and renamed so far, and what that makes of the next one.

use std::collections::{BTreeMap, BTreeSet};

use crate::sql::effect::{Defined, Effect, Kind, Proof, Reading, TypeText};
use crate::sql::name::ObjectName;
use crate::sql::plan::change::{Change, Reference, Replaced};
use crate::sql::plan::space::{Space, space};
use crate::sql::rebuild;

/// What the statements so far have done.
#[derive(Default)]
pub(super) struct State {
    /// What was certainly not there before the plan, and holds no rows.
    new: BTreeSet<(Space, ObjectName)>,
    /// What the plan has made or called so, whether or not it was there before.
    made: BTreeSet<(Space, ObjectName)>,
    /// The names from before the plan, by the names of now.
    renamed: BTreeMap<(Space, ObjectName), ObjectName>,
}

impl State {
    /// Tells whether everything that is there was there before the plan.
    pub(super) fn has_nothing_new(&self) -> bool {
        self.new.is_empty()
    }

    pub(super) fn is_new(&self, space: Space, name: &ObjectName) -> bool {
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

    pub(super) fn is_of_new_table(&self, column: &ObjectName) -> bool {
        column.parent().is_some_and(|table| self.is_new(Space::Relation, &table))
    }

    /// Returns the name that an object had before the plan; nothing where that is its name still.
    pub(super) fn former(&self, space: Space, name: &ObjectName) -> Option<ObjectName> {
        if self.renamed.is_empty() {
            return None;
        }
        if let Some(former) = self.renamed.get(&(space, name.clone())) {
            return Some(former.clone());
        }
        let parent = self.former(space.around()?, &name.parent()?)?;
        Some(parent.child(name.last()))
    }

    pub(super) fn replaced(&self, rebuild: &rebuild::Rebuild) -> Replaced {
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

    pub(super) fn reference(&self, effect: &Effect) -> Option<Reference> {
        let Effect::Refer { table, to } = effect else { return None };
        let before = |table: &ObjectName| self.former(Space::Relation, table).unwrap_or_else(|| table.clone());
        Some(Reference { from: before(table), to: before(to), is_from_new: self.is_new(Space::Relation, table) })
    }

    /// Says what an effect does to the objects that were there before the plan, given the other effects of the statement and
    /// the statements before it.
    pub(super) fn change(
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

    pub(super) fn apply(&mut self, effect: &Effect) {
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
