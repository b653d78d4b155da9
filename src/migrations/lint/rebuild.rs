//! Tables of SQLite that are built again, judged as one thing: a new table under another name, a copy of the rows, the drop
//! of the old one, and a rename (drizzle-kit writes `__new_` before the name).

use super::Seen;
use super::source::{Found, Steps};
use crate::migrations::rule::{DROP_COLUMN, LOSSY_REBUILD, Named, SET_NOT_NULL, UNFINISHED_REBUILD};
use crate::migrations::schema::Schema;
use crate::sql::action::{Action, KeyOf, OnChange};
use crate::sql::effect::Kind;
use crate::sql::{Dialect, ObjectName};

const PREFIX: &str = "__new_";

/// Tells whether a rename gives a table that was made to replace another the name of that.
pub(super) fn is_successor(from: &ObjectName, to: &ObjectName) -> bool {
    from.last().strip_prefix(PREFIX) == Some(to.last())
}

/// The table that replaces another.
fn successor(of: &ObjectName) -> Option<ObjectName> {
    Some(of.parent()?.child(&format!("{PREFIX}{}", of.last())))
}

/// Says what becomes of a table that is dropped; none where it is built again, and its rows are in its successor.
pub(super) fn dropped(seen: &Seen<'_>, table: &ObjectName) -> Option<String> {
    let Some(new) = successor(table) else { return Some(format!("table {table} is dropped")) };
    let takes_over = |action: &Action| matches!(action, Action::Rename { kind: Kind::Table, from, to } if *from == new && to == table);
    if !seen.later(takes_over) {
        return Some(format!("table {table} is dropped"));
    }
    let copies = |action: &Action| match action {
        Action::Insert { table: into, copy: Some(copy) } => *into == new && copy.from == *table && copy.is_whole,
        _ => false,
    };
    (!seen.before(copies)).then(|| format!("table {table} is dropped and made anew, and nothing copies its rows"))
}

/// Looks at what a rebuild does beside the drop.
pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    if !matches!(seen.dialect, Dialect::Sqlite | Dialect::Turso) {
        return;
    }
    match seen.action() {
        Action::Drop { kind: Kind::Table, name, .. } => acted(seen, name, found),
        Action::Insert { table, copy: Some(copy) } => {
            let Some(new) = successor(&copy.from).filter(|new| new == table) else { return };
            let (Some(old), Some(new)) = (seen.schema.table(&copy.from), seen.schema.table(&new)) else { return };
            for name in old.columns.keys() {
                let is_read = copy.columns.iter().any(|(_, read)| read.as_ref() == Some(name));
                if old.is_whole && !is_read && copy.columns.iter().all(|(_, read)| read.is_some()) {
                    let column = copy.from.child(name);
                    found.push(seen.found(&DROP_COLUMN, Some(&column), format!("column {column} is not copied")));
                }
            }
            for (written, read) in &copy.columns {
                let (Some(written_of), Some(read)) = (new.columns.get(written), read) else { continue };
                let from = old.columns.get(read);
                let column = copy.from.child(read);
                if from.is_some_and(|from| written_of.is_required && !from.is_required)
                    && !seen.schema.is_filled(&column)
                {
                    let sentence = format!("column {column} must not be NULL any more, and nothing here fills it");
                    found.push(seen.found(&SET_NOT_NULL, Some(&column), sentence));
                }
            }
        }
        _ => {}
    }
}

/// Finds the rows that go or change with those of a table that is dropped to be built again.
fn acted(seen: &Seen<'_>, table: &ObjectName, found: &mut Vec<Found>) {
    // libSQL's own migrator switches the foreign keys off before it begins its transaction.
    if seen.dialect == Dialect::Turso || seen.schema.is_void(table) {
        return;
    }
    let is_rebuilt = successor(table).is_some_and(|new| {
        seen.later(
            |action| matches!(action, Action::Rename { kind: Kind::Table, from, to } if *from == new && to == table),
        )
    });
    if !is_rebuilt {
        return;
    }
    for (from, key) in seen.schema.keys_to(table) {
        let KeyOf::Foreign { on_delete, .. } = &key.of else { continue };
        let what = match on_delete {
            OnChange::Cascade => "are deleted",
            OnChange::SetNull(_) => "lose what they refer to (ON DELETE SET NULL)",
            OnChange::SetDefault(_) => "refer to the default then (ON DELETE SET DEFAULT)",
            OnChange::Nothing => continue,
        };
        if from == table || seen.schema.is_void(from) {
            continue;
        }
        // The copy refers to the old table as well, until it has its name.
        let (whose, from) = match successor(table).as_ref() == Some(from) {
            true => ("its own rows that refer to others of it".to_owned(), table),
            false => (format!("rows of {from} that refer to it"), from),
        };
        let sentence = format!("table {table} is built again, and {whose} {what}");
        found.push(seen.found(&LOSSY_REBUILD, Some(from), sentence));
    }
}

/// Finds tables that were made to replace others and never did.
pub(super) fn leftovers(schema: &Schema, steps: &Steps<'_>, found: &mut Vec<Found>) {
    for step in &steps.all {
        let Action::CreateTable(table) = &step.action else { continue };
        let Some(of) = table.name.last().strip_prefix(PREFIX).filter(|_| schema.table(&table.name).is_some()) else {
            continue;
        };
        let sentence = format!("table {} is left over, and never becomes {of}", table.name);
        found.push(Found {
            rule: Named::Ours(&UNFINISHED_REBUILD),
            at: step.at,
            object: Some(table.name.clone()),
            sentence,
        });
    }
}
