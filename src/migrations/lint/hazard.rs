//! What is lost, broken, opened or blocked, by the hazards of the statements.

use crate::migrations::lint::source::Source;
use crate::migrations::rule::{
    BLOCKING_INDEX, DELETE_ROWS, DISABLE_RLS, DROP_COLUMN, DROP_POLICY, DROP_PRIMARY_KEY, DROP_SCHEMA, DROP_SEQUENCE,
    DROP_TABLE, DROP_TYPE, DROP_VIEW, RECREATE_ENUM, RENAME_COLUMN, RENAME_TABLE, Rule, TRUNCATE,
};
use crate::sql::effect::{Effect, Kind, Reach};
use crate::sql::{Found, Hazard, ObjectName};

/// Returns the rule for a hazard, and what happens to its objects; none for what is told otherwise, or is the usual work of
/// migrations.
fn rule(hazard: Hazard) -> Option<(&'static Rule, &'static str)> {
    let found = match hazard {
        Hazard::DropSchema => (&DROP_SCHEMA, "schema {} is dropped"),
        Hazard::DropTable => (&DROP_TABLE, "table {} is dropped"),
        Hazard::DropColumn => (&DROP_COLUMN, "column {} is dropped"),
        Hazard::DropView => (&DROP_VIEW, "view {} is dropped"),
        Hazard::DropSequence => (&DROP_SEQUENCE, "sequence {} is dropped"),
        Hazard::DropType => (&DROP_TYPE, "type {} is dropped"),
        Hazard::DropPrimaryKey => (&DROP_PRIMARY_KEY, "the primary key of {} is dropped"),
        Hazard::Truncate => (&TRUNCATE, "table {} is emptied"),
        Hazard::DeleteRows => (&DELETE_ROWS, "rows of {} are deleted"),
        Hazard::RecreateEnum => (&RECREATE_ENUM, "enum {} is dropped and created again"),
        Hazard::RenameTable => (&RENAME_TABLE, "{} is renamed"),
        Hazard::RenameColumn => (&RENAME_COLUMN, "column {} is renamed"),
        Hazard::DisableRls => (&DISABLE_RLS, "row level security of {} is disabled"),
        Hazard::DropPolicy => (&DROP_POLICY, "policy {} is dropped"),
        Hazard::BuildIndex => (&BLOCKING_INDEX, "an index is built on {}, which may have rows"),
        Hazard::ChangeType
        | Hazard::AddNotNull
        | Hazard::AlterPolicy
        | Hazard::DropRole
        | Hazard::Grant
        | Hazard::Revoke
        | Hazard::Unclassified
        | Hazard::AddUnique
        | Hazard::AddForeignKey
        | Hazard::AddCheck
        | Hazard::AddPrimaryKey
        | Hazard::ClearColumn
        | Hazard::RewriteTable
        | Hazard::RebuildTable
        | Hazard::RenameType
        | Hazard::DropIndex
        | Hazard::DropConstraint
        | Hazard::DropDefault => return None,
    };
    Some(found)
}

pub(super) fn check(source: &mut Source<'_>) {
    let hazards = std::mem::take(&mut source.hazards);
    for (statement_idx, hazards) in hazards.iter().enumerate() {
        for found in hazards {
            if let Some((rule, sentence)) = rule(found.hazard) {
                for object in &found.objects {
                    if !is_part_of_more(source, statement_idx, found, object) {
                        report(source, rule, statement_idx, found, object, sentence);
                    }
                }
            }
        }
    }
    source.hazards = hazards;
}

fn report(
    source: &mut Source<'_>,
    rule: &'static Rule,
    idx: usize,
    found: &Found,
    object: &ObjectName,
    sentence: &str,
) {
    let cascade = if found.cascade { ", and what depends on it" } else { "" };
    source.report(rule, idx, Some(object), sentence.replace("{}", &object.to_string()) + cascade);
}

/// Tells whether a statement is a step of something that is done in a known way, or that is told by another statement.
fn is_part_of_more(source: &Source<'_>, statement_idx: usize, found: &Found, object: &ObjectName) -> bool {
    let mut effects = source.effects();
    match found.hazard {
        // Told once, where the enum goes, and not at each of its columns.
        Hazard::RecreateEnum => !effects
            .any(|(idx, effect)| idx == statement_idx && matches!(effect, Effect::Drop { kind: Kind::Type, .. })),
        // The old enum, renamed before, whose successor has its name.
        Hazard::DropType => found.objects.iter().zip(&found.before).any(|(dropped, before)| {
            let succeeds = |effect: &Effect| matches!(effect, Effect::CreateEnum { name, .. } if name == before);
            dropped == object && dropped != before && source.effects().any(|(_, effect)| succeeds(effect))
        }),
        // What a plain view showed is told by the migrations before.
        Hazard::DropView => {
            let is_plain = |effect: &Effect| matches!(effect, Effect::Drop { kind: Kind::View, name, reach: Reach::Alone, .. } if name == object);
            effects.any(|(idx, effect)| idx == statement_idx && is_plain(effect))
        }
        _ => false,
    }
}
