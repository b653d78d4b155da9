//! Changes of a type: those that leave it to PostgreSQL how values are converted, and those to a type that holds less.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::rule::{CHANGE_EXPRESSION, NARROWER_TYPE, TYPE_CHANGE_WITHOUT_USING};
use crate::sql::action::{Action, Value};
use crate::sql::types::SqlType;
use crate::sql::{Dialect, ObjectName};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    match seen.action() {
        Action::SetType { column, to, using } => {
            let from = seen.schema.column(column).and_then(|known| known.of.as_ref());
            let fails = seen.dialect == Dialect::Postgres && !using && needs_using(seen, from, to);
            if fails {
                let of = from.map_or_else(String::new, |from| format!(" ({from})"));
                let sentence = format!("column {column}{of} becomes {to} without USING");
                found.push(seen.found(&TYPE_CHANGE_WITHOUT_USING, Some(column), sentence));
            }
            let lost =
                from.filter(|_| !fails && holds_rows(seen, column)).and_then(|from| Some((from, from.loses(to)?)));
            if let Some((from, lost)) = lost {
                let sentence = format!("column {column} ({from}) becomes {to}, which cannot hold {lost}");
                found.push(seen.found(&NARROWER_TYPE, Some(column), sentence));
            }
        }
        Action::SetExpression { column } if holds_rows(seen, column) => {
            let sentence = format!("column {column} gets another generation expression");
            found.push(seen.found(&CHANGE_EXPRESSION, Some(column), sentence));
        }
        Action::DropExpression { column } if holds_rows(seen, column) => {
            let is_generated =
                seen.schema.column(column).is_none_or(|known| known.value == Value::Generated || known.of.is_none());
            if is_generated {
                let sentence = format!("column {column} is no longer generated");
                found.push(seen.found(&CHANGE_EXPRESSION, Some(column), sentence));
            }
        }
        _ => {}
    }
}

fn holds_rows(seen: &Seen<'_>, column: &ObjectName) -> bool {
    column.parent().is_none_or(|table| !seen.schema.is_empty(&table))
}

/// Tells whether PostgreSQL refuses a change of a type that does not say how. It does, also where there are no rows.
fn needs_using(seen: &Seen<'_>, from: Option<&SqlType>, to: &SqlType) -> bool {
    let is_enum = |of: &SqlType| of.own.as_ref().is_some_and(|own| seen.schema.labels(own).is_some());
    match from {
        Some(from) if from.name == to.name && from.is_array == to.is_array => false,
        Some(from) => match from.becomes(to) {
            Some(becomes) => !becomes,
            // Nothing becomes an enum by itself; of other types of the project's own nothing is known.
            None => !from.is_array && !to.is_array && is_enum(to),
        },
        // A string takes everything.
        None => match &to.own {
            Some(_) => is_enum(to),
            None => to.is_array || !to.is_string(),
        },
    }
}
