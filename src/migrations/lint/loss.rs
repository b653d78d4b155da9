//! What is lost: what is dropped, emptied, deleted or detached, and what nobody can see before.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::rule::{
    DELETE_ROWS, DETACH_PARTITION, DROP_CASCADE, DROP_COLUMN, DROP_OWNED, DROP_PRIMARY_KEY, DROP_SCHEMA, DROP_SEQUENCE,
    DROP_TABLE, DROP_TYPE, DROP_VIEW, DYNAMIC_SQL, RECREATE_ENUM, TRUNCATE,
};
use crate::sql::ObjectName;
use crate::sql::action::{Action, KeyOf};
use crate::sql::effect::{Kind, Reach};

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    match seen.action() {
        Action::Drop { kind, name, reach } => dropped(seen, *kind, name, *reach, found),
        Action::DropOther { what, name, reach: Reach::Cascade } => {
            let named = if name.is_empty() { String::new() } else { format!(" {name}") };
            let sentence = format!("{what}{named} is dropped, and what depends on it");
            found.push(seen.found(&DROP_CASCADE, None, sentence));
        }
        Action::DropOwned { by } => {
            found.push(seen.found(&DROP_OWNED, None, format!("everything that {by} owns is dropped")));
        }
        Action::Truncate { table, reach } if *reach == Reach::Cascade || !seen.schema.is_own(table) => {
            let sentence = format!("table {table} is emptied{}", cascade(*reach));
            found.push(seen.found(&TRUNCATE, Some(table), sentence));
        }
        Action::Delete { table, .. } if !seen.schema.is_own(table) => {
            found.push(seen.found(&DELETE_ROWS, Some(table), format!("rows of {table} are deleted")));
        }
        Action::Detach { table, partition } if !seen.schema.is_own(partition) => {
            let sentence = format!("{partition} is no longer part of {table}");
            found.push(seen.found(&DETACH_PARTITION, Some(partition), sentence));
        }
        Action::Unread { why } => found.push(seen.found(&DYNAMIC_SQL, None, format!("{why}: it was not checked"))),
        _ => {}
    }
}

fn cascade(reach: Reach) -> &'static str {
    match reach {
        Reach::Alone => "",
        Reach::Cascade => ", and what depends on it",
    }
}

fn dropped(seen: &Seen<'_>, kind: Kind, name: &ObjectName, reach: Reach, found: &mut Vec<Found>) {
    let alone = reach == Reach::Alone;
    let is_new = seen.schema.is_new(kind, name);
    let rest = cascade(reach);
    let mut take = |rule, object: &ObjectName, sentence: String| found.push(seen.found(rule, Some(object), sentence));
    match kind {
        Kind::Schema if !(alone && is_new) => take(&DROP_SCHEMA, name, format!("schema {name} is dropped{rest}")),
        Kind::Table if !(seen.schema.is_own(name) && (alone || !has_others(seen, name))) => {
            if let Some(sentence) = super::rebuild::dropped(seen, name) {
                take(&DROP_TABLE, name, sentence + rest);
            }
        }
        Kind::Column if !(alone && is_new && !is_replaced(seen, name)) => {
            take(&DROP_COLUMN, name, format!("column {name} is dropped{rest}"));
        }
        // A view holds nothing, but a materialised view that is made from it does, and goes with it.
        Kind::View if !alone => take(&DROP_VIEW, name, format!("view {name} is dropped{rest}")),
        Kind::MaterializedView if !(alone && (is_new || is_created_again(seen, kind, name))) => {
            take(&DROP_VIEW, name, format!("view {name} is dropped{rest}"));
        }
        Kind::Sequence if !(alone && is_new) => {
            take(&DROP_SEQUENCE, name, format!("sequence {name} is dropped{rest}"));
        }
        Kind::Type => dropped_type(seen, name, reach, is_new, found),
        Kind::Constraint => {
            let table = name.parent().unwrap_or_else(|| name.clone());
            if seen.schema.is_own(&table) || is_new {
                return;
            }
            if is_primary_key(seen, name) {
                take(&DROP_PRIMARY_KEY, &table, format!("the primary key of {table} is dropped{rest}"));
            } else if !alone {
                found.push(seen.found(&DROP_CASCADE, None, format!("constraint {name} is dropped{rest}")));
            }
        }
        _ => {}
    }
}

/// Tells whether a statement of the same kind in the file makes again what is dropped.
fn is_created_again(seen: &Seen<'_>, kind: Kind, name: &ObjectName) -> bool {
    seen.later(|action| matches!(action, Action::Create { kind: created, name: again, .. } if *created == kind && again == name))
}

/// Tells whether anything else refers to a table that this file made.
fn has_others(seen: &Seen<'_>, table: &ObjectName) -> bool {
    seen.schema.keys_to(table).any(|(from, _)| !seen.schema.is_own(from))
}

/// Tells whether a column is dropped in the statement that adds one of its name: PostgreSQL drops the old one first.
fn is_replaced(seen: &Seen<'_>, column: &ObjectName) -> bool {
    let own = seen.steps.statements[seen.idx];
    let beside = seen.steps.all.iter().zip(&seen.steps.statements).filter(|(_, statement)| **statement == own);
    let adds = |action: &Action| matches!(action, Action::AddColumn { table, column: added, .. } if table.child(&added.name) == *column);
    let is_old = beside.map(|(step, _)| &step.action).any(adds);
    is_old && !seen.before_statement(adds)
}

fn dropped_type(seen: &Seen<'_>, name: &ObjectName, reach: Reach, is_new: bool, found: &mut Vec<Found>) {
    let creates = |wanted: &ObjectName| {
        let wanted = wanted.clone();
        move |action: &Action| matches!(action, Action::CreateEnum { name, .. } if *name == wanted)
    };
    if reach == Reach::Alone {
        if is_new {
            return;
        }
        // The old enum, renamed before, whose successor has its name.
        let former = seen.steps.all[..seen.idx].iter().find_map(|step| match &step.action {
            Action::Rename { kind: Kind::Type, from, to } if to == name => Some(from.clone()),
            _ => None,
        });
        if former.is_some_and(|former| seen.anywhere(creates(&former))) {
            return;
        }
        if seen.later(creates(name)) {
            let sentence = format!("enum {name} is dropped and created again");
            found.push(seen.found(&RECREATE_ENUM, Some(name), sentence));
            return;
        }
    }
    let columns: Vec<String> = match reach {
        Reach::Alone => Vec::new(),
        Reach::Cascade => seen.schema.columns_of(name).iter().map(ToString::to_string).collect(),
    };
    let rest = match columns.as_slice() {
        [] => cascade(reach).to_owned(),
        columns => format!("{}: {}", cascade(reach), columns.join(", ")),
    };
    found.push(seen.found(&DROP_TYPE, Some(name), format!("type {name} is dropped{rest}")));
}

/// Tells whether a constraint is a primary key: by what is known of its table, else by its name. PostgreSQL's own end in
/// `_pkey`, drizzle's in `_pk`, and MySQL's is always the same.
fn is_primary_key(seen: &Seen<'_>, constraint: &ObjectName) -> bool {
    let last = constraint.last();
    let keys = constraint.parent().and_then(|table| seen.schema.table(&table)).map(|known| &known.keys);
    let named = |of: &dyn Fn(&KeyOf) -> bool| {
        let mut keys = keys.into_iter().flatten();
        keys.any(|key| key.key.name.as_deref() == Some(last) && of(&key.key.of))
    };
    if named(&|of| matches!(of, KeyOf::Primary { .. })) {
        return true;
    }
    let by_name = last.ends_with("_pkey") || last.ends_with("_pk") || last == "PRIMARY";
    by_name && !named(&|of| !matches!(of, KeyOf::Primary { .. }))
}
