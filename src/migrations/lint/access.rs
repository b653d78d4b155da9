//! Who sees and does more than before, or less.

use crate::migrations::lint::Seen;
use crate::migrations::lint::source::Found;
use crate::migrations::rule::{ALTER_POLICY, DISABLE_RLS, DISABLE_TRIGGER, DROP_POLICY, GRANT};
use crate::sql::ObjectName;
use crate::sql::action::{Action, Which};
use crate::sql::effect::Kind;

pub(super) fn check(seen: &Seen<'_>, found: &mut Vec<Found>) {
    match seen.action() {
        Action::Rls { table, on: false } if !seen.schema.is_own(table) && !is_told_otherwise(seen, table) => {
            let sentence = format!("row level security of {table} is disabled");
            found.push(seen.found(&DISABLE_RLS, Some(table), sentence));
        }
        Action::Drop { kind: Kind::Policy, name, .. } => {
            let is_new = seen.schema.is_new(Kind::Policy, name);
            let is_gone = name.parent().is_some_and(|table| is_dropped(seen, &table));
            let is_back = seen.later(|action| match action {
                Action::Create { kind: Kind::Policy, name: created, .. } => created == name,
                Action::Rename { kind: Kind::Policy, to, .. } => to == name,
                _ => false,
            });
            if !is_new && !is_gone && !is_back {
                found.push(seen.found(&DROP_POLICY, Some(name), format!("policy {name} is dropped")));
            }
        }
        Action::AlterPolicy { policy } if !seen.schema.is_new(Kind::Policy, policy) => {
            found.push(seen.found(&ALTER_POLICY, Some(policy), format!("policy {policy} is changed")));
        }
        Action::Grant { on, what } => granted(seen, on, what, found),
        Action::Empower { role, powers } => {
            let sentence = format!("role {role} becomes {}", powers.join(", "));
            found.push(seen.found(&GRANT, Some(&ObjectName::new([role.as_str()])), sentence));
        }
        Action::Triggers { table, which, on: false } => switched_off(seen, table.as_ref(), which, found),
        _ => {}
    }
}

/// Tells whether a table is dropped later in the file, or its row level security is on again.
fn is_told_otherwise(seen: &Seen<'_>, table: &ObjectName) -> bool {
    is_dropped(seen, table) || seen.later(|action| matches!(action, Action::Rls { table: of, on: true } if of == table))
}

fn is_dropped(seen: &Seen<'_>, table: &ObjectName) -> bool {
    seen.later(|action| match action {
        Action::Drop { kind: Kind::Table, name, .. } => name == table,
        Action::Drop { kind: Kind::Schema, name, .. } => table.parts().first() == name.parts().first(),
        _ => false,
    })
}

/// What a file makes is given to those who need it, and nobody could see it before.
fn granted(seen: &Seen<'_>, on: &[ObjectName], what: &str, found: &mut Vec<Found>) {
    let is_own = |name: &ObjectName| {
        seen.schema.is_own(name)
            || [Kind::View, Kind::MaterializedView, Kind::Sequence, Kind::Schema, Kind::Type]
                .into_iter()
                .any(|kind| seen.schema.is_new(kind, name))
    };
    if !on.is_empty() && on.iter().all(is_own) {
        return;
    }
    let object = on.iter().find(|name| !is_own(name));
    let sentence = match on {
        [] => format!("a privilege is granted {what}"),
        on => {
            let names: Vec<String> = on.iter().map(ToString::to_string).collect();
            format!("a privilege on {} is granted", names.join(", "))
        }
    };
    found.push(seen.found(&GRANT, object, sentence));
}

fn switched_off(seen: &Seen<'_>, table: Option<&ObjectName>, which: &Which, found: &mut Vec<Found>) {
    if table.is_some_and(|table| seen.schema.is_own(table) || is_dropped(seen, table)) {
        return;
    }
    let is_back = seen.later(|action| match action {
        Action::Triggers { table: of, which: again, on: true } => {
            of.as_ref() == table && (again == which || *again == Which::All)
        }
        _ => false,
    });
    if is_back {
        return;
    }
    let sentence = match (table, which) {
        (None, _) => "the triggers of every table are disabled for this session".to_owned(),
        (Some(table), Which::All) => format!("the triggers of {table} are disabled, including those of foreign keys"),
        (Some(table), Which::User) => format!("the triggers of {table} are disabled"),
        (Some(table), Which::One(name)) => format!("trigger {name} of {table} is disabled"),
    };
    found.push(seen.found(&DISABLE_TRIGGER, table, sentence));
}
