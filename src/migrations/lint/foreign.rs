//! Foreign keys that cannot do what they say: NULL for a column that must not be NULL.

use std::collections::BTreeSet;

use crate::migrations::lint::source::{Found, Steps};
use crate::migrations::rule::{NULL_ON_DELETE, Named};
use crate::migrations::schema::Schema;
use crate::sql::ObjectName;
use crate::sql::action::{Action, KeyOf, OnChange};

/// A column that a foreign key sets to what it must not be, and when.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Clash {
    column: ObjectName,
    to: ObjectName,
    on: &'static str,
    sets: &'static str,
}

/// Returns every foreign key of a schema that cannot do what it says.
pub(super) fn clashes(schema: &Schema) -> BTreeSet<Clash> {
    let mut clashes = BTreeSet::new();
    for (table, known) in schema.tables() {
        for key in &known.keys {
            let KeyOf::Foreign { columns, to, on_delete, on_update } = &key.key.of else { continue };
            for (on, change) in [("DELETE", on_delete), ("UPDATE", on_update)] {
                let (sets, named) = match change {
                    OnChange::SetNull(named) => ("NULL", named),
                    OnChange::SetDefault(named) => ("its default", named),
                    OnChange::Nothing | OnChange::Cascade => continue,
                };
                for name in if named.is_empty() { columns } else { named } {
                    let Some(column) = known.columns.get(name) else { continue };
                    if column.is_required && (sets == "NULL" || !column.value.is_some()) {
                        clashes.insert(Clash { column: table.child(name), to: to.clone(), on, sets });
                    }
                }
            }
        }
    }
    clashes
}

/// Says what a file brought about: what clashes after it and did not before, where the file last spoke of it. `clashing` is
/// what clashed before it, and becomes what clashes after it.
pub(super) fn check(clashing: &mut BTreeSet<Clash>, schema: &Schema, steps: &Steps<'_>, found: &mut Vec<Found>) {
    let before = std::mem::replace(clashing, clashes(schema));
    for clash in clashing.difference(&before) {
        let speaks = |action: &Action| match action {
            Action::CreateTable(table) => clash.column.parent().as_ref() == Some(&table.name),
            Action::AddColumn { table, column, .. } => table.child(&column.name) == clash.column,
            Action::AddKey { table, key } => {
                let is_of = |columns: &[String]| columns.iter().any(|column| table.child(column) == clash.column);
                matches!(&key.of, KeyOf::Foreign { columns, .. } | KeyOf::Primary { columns, .. } if is_of(columns))
            }
            Action::SetNotNull { column } | Action::DropDefault { column } => *column == clash.column,
            Action::Rename { to, .. } => clash.column.parts().starts_with(to.parts()),
            _ => false,
        };
        let Some(step) = steps.all.iter().rev().find(|step| speaks(&step.action)) else { continue };
        let Clash { column, to, on, sets } = clash;
        let why = if *sets == "NULL" { "must not be NULL" } else { "must not be NULL and has none" };
        let sentence = format!("ON {on} of {to} sets {column} to {sets}, and it {why}");
        found.push(Found { rule: Named::Ours(&NULL_ON_DELETE), at: step.at, object: Some(column.clone()), sentence });
    }
}
