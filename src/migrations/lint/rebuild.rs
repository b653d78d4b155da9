//! Tables of SQLite that are built again, judged as one thing: a new table under another name, a copy of the rows, the drop
//! of the old one, and a rename (drizzle-kit writes `__new_` before the name).

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::{Found, Steps};
use crate::migrations::rule::{DROP_COLUMN, LOSSY_REBUILD, MISSING_COLUMN, Named, SET_NOT_NULL, UNFINISHED_REBUILD};
use crate::migrations::schema::Schema;
use crate::sql::action::{Action, Copy, KeyOf, OnChange, Step};
use crate::sql::effect::Kind;
use crate::sql::{Dialect, ObjectName};

const PREFIX: &str = "__new_";

/// Returns the table that takes the place of another: one that gets its name later, or that has the name which the other
/// gave up.
fn successor(seen: &Seen<'_>, of: &ObjectName) -> Option<ObjectName> {
    let renames = |step: &Step| match &step.action {
        Action::Rename { kind: Kind::Table, from, to } => Some((from.clone(), to.clone())),
        _ => None,
    };
    let later = seen.steps.all[seen.idx..].iter().filter_map(|step| renames(step));
    let named = later.into_iter().find(|(from, to)| to == of && from != of).map(|(from, _)| from);
    named.or_else(|| {
        let before = seen.steps.all[..seen.idx].iter().filter_map(|step| renames(step));
        let aside = before.into_iter().find(|(_, to)| to == of).map(|(from, _)| from)?;
        // SQLite leads what refers to the table to its new name, and there it stays.
        let is_alone = seen.schema.keys_to(of).next().is_none();
        (seen.schema.table(&aside).is_some() && is_alone).then_some(aside)
    })
}

/// Says what becomes of a table that is dropped; none where it is rebuilt, and its rows are in its successor.
pub(super) fn dropped(seen: &Seen<'_>, table: &ObjectName) -> Option<String> {
    let successor = if is_built_again(seen.dialect) { successor(seen, table) } else { None };
    let Some(new) = successor else { return Some(format!("table {table} is dropped")) };
    let copies = |action: &Action| match action {
        Action::Insert { table: into, copy: Some(copy) } => *into == new && copy.from == *table && copy.is_whole,
        _ => false,
    };
    (!seen.before(copies)).then(|| format!("table {table} is dropped and created again, and nothing copies its rows"))
}

/// Tells whether tables of a dialect are changed by building them again.
fn is_built_again(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::Sqlite | Dialect::Turso)
}

/// Looks at what a rebuild does beside the drop.
pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    if !is_built_again(seen.dialect) {
        return;
    }
    match seen.action() {
        Action::Drop { kind: Kind::Table, name, .. } => acted(seen, name, found),
        Action::Insert { table, copy: Some(copy) } if !copy.has_all => copied(seen, table, copy, found),
        _ => {}
    }
}

/// Looks at the columns of a copy.
fn copied(seen: &Seen<'_>, table: &ObjectName, copy: &Copy, found: &mut Vec<Found>) {
    let Some(old) = seen.schema.table(&copy.from) else { return };
    // What may be another name for the row, and no column.
    let is_hidden = |name: &str| ["rowid", "oid", "_rowid_"].iter().any(|hidden| name.eq_ignore_ascii_case(hidden));
    let has = |name: &str| old.columns.keys().any(|column| column.eq_ignore_ascii_case(name));
    for (_, read) in &copy.columns {
        if let Some(read) = read.as_ref().filter(|read| old.is_whole && !has(read) && !is_hidden(read)) {
            let column = copy.from.child(read);
            let sentence = format!("column {column} is copied, but does not exist");
            found.push(seen.found(&MISSING_COLUMN, Some(&column), sentence));
        }
    }
    let is_meant = table.last().strip_prefix(PREFIX) == Some(copy.from.last());
    if !is_meant && successor(seen, &copy.from).as_ref() != Some(table) {
        return;
    }
    let is_read = |name: &str| {
        let read = copy.columns.iter().filter_map(|(_, read)| read.as_ref()).chain(&copy.others);
        read.into_iter().any(|read| read.eq_ignore_ascii_case(name))
    };
    for name in old.columns.keys().filter(|name| old.is_whole && !is_read(name)) {
        let column = copy.from.child(name);
        found.push(seen.found(&DROP_COLUMN, Some(&column), format!("column {column} is not copied")));
    }
    let Some(new) = seen.schema.table(table) else { return };
    for (written, read) in &copy.columns {
        let (Some(written_of), Some(read)) = (new.columns.get(written), read) else { continue };
        let from = old.columns.get(read);
        let column = copy.from.child(read);
        if from.is_some_and(|from| written_of.is_required && !from.is_required) && !seen.schema.is_filled(&column) {
            let sentence = format!("column {column} becomes NOT NULL, and nothing here fills it");
            found.push(seen.found(&SET_NOT_NULL, Some(&column), sentence));
        }
    }
}

/// Finds the rows that go or change with those of a table that is dropped to be built again.
fn acted(seen: &Seen<'_>, table: &ObjectName, found: &mut Vec<Found>) {
    // libSQL's own migrator switches the foreign keys off before it begins its transaction.
    if seen.dialect == Dialect::Turso || seen.schema.is_void(table) {
        return;
    }
    let Some(new) = successor(seen, table) else { return };
    for (from, key) in seen.schema.keys_to(table) {
        let KeyOf::Foreign { on_delete, .. } = &key.of else { continue };
        let what = match on_delete {
            OnChange::Cascade => "are deleted",
            OnChange::SetNull(_) => "lose their reference (ON DELETE SET NULL)",
            OnChange::SetDefault(_) => "then refer to the default (ON DELETE SET DEFAULT)",
            OnChange::Nothing => continue,
        };
        if from == table || seen.schema.is_void(from) {
            continue;
        }
        // The copy refers to the old table as well, until it has its name.
        let (whose, from) = match new == *from {
            true => ("its own rows that refer to other rows in it".to_owned(), table),
            false => (format!("rows of {from} that refer to it"), from),
        };
        let sentence = format!("table {table} is rebuilt, and {whose} {what}");
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
        let sentence = format!("table {} is left over, and is never renamed to {of}", table.name);
        found.push(Found {
            rule: Named::Ours(&UNFINISHED_REBUILD),
            at: step.at,
            object: Some(table.name.clone()),
            sentence,
        });
    }
}
