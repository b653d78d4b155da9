//! What is called something else from then on.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::rule::{RENAME_COLUMN, RENAME_TABLE, RENAME_TYPE};
use crate::sql::ObjectName;
use crate::sql::action::Action;
use crate::sql::effect::Kind;

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    match seen.action() {
        Action::Rename { kind, from, to } => renamed(seen, *kind, from, to, found),
        Action::RenameValue { of } if !seen.schema.is_new(Kind::Type, of) => {
            found.push(seen.found(&RENAME_TYPE, Some(of), format!("a value of {of} is renamed")));
        }
        Action::RenameAttribute { of } if !seen.schema.is_new(Kind::Type, of) => {
            found.push(seen.found(&RENAME_TYPE, Some(of), format!("an attribute of {of} is renamed")));
        }
        _ => {}
    }
}

fn renamed(seen: &Seen<'_>, kind: Kind, from: &ObjectName, to: &ObjectName, found: &mut Vec<Found>) {
    if seen.schema.is_new(kind, from) {
        return;
    }
    match kind {
        Kind::Schema => found.push(seen.found(&RENAME_TABLE, Some(from), format!("schema {from} is renamed"))),
        Kind::Table | Kind::View | Kind::MaterializedView | Kind::Sequence => {
            let is_temporary = seen.schema.table(from).is_some_and(|known| known.is_temporary);
            if !is_temporary && !is_taken_over(seen, from) {
                found.push(seen.found(&RENAME_TABLE, Some(from), format!("{from} is renamed")));
            }
        }
        Kind::Column => {
            let table = from.parent();
            let is_kept = seen.later(|action| match action {
                Action::AddColumn { table: of, column, .. } => of.child(&column.name) == *from,
                Action::Rename { kind: Kind::Column, to: again, .. } => again == from,
                Action::Drop { kind: Kind::Table, name, .. } => Some(name) == table.as_ref(),
                Action::Drop { kind: Kind::Column, name, .. } => name == to,
                _ => false,
            });
            if !is_kept {
                found.push(seen.found(&RENAME_COLUMN, Some(from), format!("column {from} is renamed")));
            }
        }
        Kind::Type => {
            // The first step of building an enum again under its name.
            let is_succeeded = seen.later(|action| match action {
                Action::CreateEnum { name, .. } => name == from,
                Action::Create { kind: Kind::Type, name, .. } | Action::Rename { kind: Kind::Type, to: name, .. } => {
                    name == from
                }
                _ => false,
            });
            if !is_succeeded {
                found.push(seen.found(&RENAME_TYPE, Some(from), format!("type {from} is renamed")));
            }
        }
        Kind::Index | Kind::Constraint | Kind::Policy | Kind::Role => {}
    }
}

/// Tells whether something else has the name afterwards: a view for programs that still run, or the table that takes the
/// place.
fn is_taken_over(seen: &Seen<'_>, from: &ObjectName) -> bool {
    seen.later(|action| match action {
        Action::Create { kind: Kind::View | Kind::MaterializedView, name, .. } => name == from,
        Action::CreateTable(table) => table.name == *from,
        Action::Rename { kind: Kind::Table | Kind::View | Kind::MaterializedView, to, .. } => to == from,
        _ => false,
    })
}
