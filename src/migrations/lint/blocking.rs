//! What programs have to wait for.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::lint::squawk::ADDED_VALUE;
use crate::migrations::rule::{BLOCKING_INDEX, LOCK_TABLE, Named, REWRITE_TABLE};
use crate::sql::action::{Action, Index, KeyOf, Value};
use crate::sql::effect::Proof;
use crate::sql::{Dialect, ObjectName};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    if seen.dialect != Dialect::Postgres {
        return; // MySQL goes on meanwhile, and SQLite has one writer at a time anyway.
    }
    let builds = |table: &ObjectName, found: &mut Vec<Found>| {
        if !seen.schema.is_empty(table) {
            let sentence = format!("an index is built on {table}, which may have rows");
            found.push(seen.found(&BLOCKING_INDEX, Some(table), sentence));
        }
    };
    let has_index = |of: &KeyOf| {
        matches!(of, KeyOf::Primary { by_index: false, .. } | KeyOf::Unique { by_index: false, .. } | KeyOf::Exclude)
    };
    if let Action::AddColumn { table, column, .. } = seen.action() {
        let writes = matches!(column.value, Value::Each | Value::Next | Value::Generated);
        if writes && !seen.schema.is_empty(table) {
            let name = table.child(&column.name);
            let sentence = format!("column {name} is added, and its value is computed for each row");
            let rule = Named::Squawk(ADDED_VALUE.0, ADDED_VALUE.1);
            let at = seen.steps.all[seen.idx].at;
            found.push(Found { rule, at, object: None, sentence });
        }
    }
    match seen.action() {
        // What the rule advises: the index is there already.
        Action::CreateIndex(Index { table, is_concurrent: false, is_only: false, proof: Proof::New, .. }) => {
            builds(table, found)
        }
        Action::AddKey { table, key } if has_index(&key.of) => builds(table, found),
        Action::AddColumn { table, column, .. } if column.keys.iter().any(|key| has_index(&key.of)) => {
            builds(table, found)
        }
        Action::Rewrite { table, how } if table.as_ref().is_none_or(|table| !seen.schema.is_empty(table)) => {
            let of = table.as_ref().map_or_else(|| "every table".to_owned(), |table| format!("table {table}"));
            found.push(seen.found(&REWRITE_TABLE, table.as_ref(), format!("{of} is rewritten ({how})")));
        }
        Action::Lock { table, mode } if !seen.schema.is_own(table) => {
            found.push(seen.found(&LOCK_TABLE, Some(table), format!("table {table} is locked ({mode})")));
        }
        _ => {}
    }
}
