//! What fails where rows are as they should not be: NULL, or twice the same.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::rule::{ADD_REQUIRED_COLUMN, ADD_UNIQUE, SET_NOT_NULL};
use crate::sql::action::{Action, Column, Index, Key, KeyOf, Value};
use crate::sql::{Dialect, ObjectName};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    match seen.action() {
        Action::AddColumn { table, column, .. } => added(seen, table, column, found),
        Action::SetNotNull { column } => required(seen, column, found),
        Action::AddKey { table, key } => {
            match &key.of {
                // A constraint of PostgreSQL 18, or a check that says the same.
                KeyOf::NotNull { column } if !key.is_not_valid => {
                    required(seen, &table.child(column), found);
                }
                _ => {}
            }
            unique(seen, table, key, found);
        }
        Action::CreateIndex(Index { table, columns, is_unique: true, nulls_are_equal, .. }) => {
            repeats(seen, table, columns.as_deref(), *nulls_are_equal, found);
        }
        _ => {}
    }
}

fn added(seen: &Seen<'_>, table: &ObjectName, column: &Column, found: &mut Vec<Found>) {
    let name = table.child(&column.name);
    let is_there = seen.schema.column(&name).is_some();
    // MySQL puts '' or 0 into the rows that are there.
    let fills = matches!(seen.dialect, Dialect::MySql | Dialect::SingleStore);
    if column.is_required && !column.value.is_some() && !fills && !is_there && !seen.schema.is_empty(table) {
        let sentence = format!("column {name} is added as NOT NULL without a default");
        found.push(seen.found(&ADD_REQUIRED_COLUMN, Some(&name), sentence));
    }
    for key in &column.keys {
        // What the column holds in rows that are there is told here, before it is there itself.
        let differs = match column.value {
            Value::None => !matches!(&key.of, KeyOf::Unique { nulls_are_equal: true, .. }),
            Value::Each | Value::Next => true,
            Value::Same | Value::Generated => false,
        };
        if !differs {
            unique(seen, table, key, found);
        }
    }
}

fn required(seen: &Seen<'_>, column: &ObjectName, found: &mut Vec<Found>) {
    if !seen.schema.is_filled(column) {
        let sentence = format!("column {column} becomes NOT NULL, and nothing here fills it");
        found.push(seen.found(&SET_NOT_NULL, Some(column), sentence));
    }
}

fn unique(seen: &Seen<'_>, table: &ObjectName, key: &Key, found: &mut Vec<Found>) {
    match &key.of {
        KeyOf::Unique { columns, by_index: false, nulls_are_equal } => {
            repeats(seen, table, Some(columns), *nulls_are_equal, found);
        }
        KeyOf::Primary { columns, by_index: false } => repeats(seen, table, Some(columns), true, found),
        _ => {}
    }
}

fn repeats(
    seen: &Seen<'_>,
    table: &ObjectName,
    columns: Option<&[String]>,
    nulls_are_equal: bool,
    found: &mut Vec<Found>,
) {
    if seen.schema.may_repeat(table, columns, nulls_are_equal) {
        let what = match columns {
            Some(columns) if !columns.is_empty() => columns.join(", "),
            _ => "an expression".to_owned(),
        };
        let sentence = format!("values of {what} in {table} must be unique from now on");
        found.push(seen.found(&ADD_UNIQUE, Some(table), sentence));
    }
}
