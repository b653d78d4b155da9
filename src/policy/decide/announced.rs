//! Decides the questions before which drizzle-kit announces what would be lost. Pure.

use crate::kit::prompt::{Loss, LossKind, Unique};
use crate::policy::decide::decision::Decision;
use crate::policy::decide::hazard::{consenting, stakes};
use crate::policy::decide::scope::Scope;
use crate::policy::decide::stake::{Count, Objects, Stake};
use crate::policy::model::{HazardRule, Policy};
use crate::policy::name::ObjectName;
use crate::sql::hazard::Hazard;

pub(super) fn data_loss(policy: &Policy, losses: &[Loss], scope: &Scope<'_>) -> Decision {
    let mut all: Vec<Stake> = losses.iter().flat_map(|loss| loss_stakes(loss, scope)).collect();
    if all.is_empty() {
        // A warning that names no loss is no warning one could consent to.
        all.push(Stake { hazard: Hazard::Unclassified, objects: Objects::Unknown, count: None, note: None });
    }
    consenting(stakes(policy, &all, scope))
}

/// Returns the hazards that one line of drizzle-kit's warning stands for.
pub(crate) fn loss_stakes(loss: &Loss, scope: &Scope<'_>) -> Vec<Stake> {
    let rows = loss.count.map(Count::Rows);
    let stake = |hazard, objects| vec![Stake { hazard, objects, count: rows, note: None }];
    let table = |table: &String| Objects::OneOf(scope.tables_shown(table));
    match &loss.kind {
        LossKind::Table(name) => stake(Hazard::DropTable, table(name)),
        LossKind::View(name) => stake(Hazard::DropView, table(name)),
        LossKind::PrimaryKey { table: name } => stake(Hazard::DropPrimaryKey, table(name)),
        LossKind::Column { table, column } => {
            let tables = scope.tables_shown(table).into_iter();
            stake(Hazard::DropColumn, Objects::OneOf(tables.map(|table| table.child(column)).collect()))
        }
        LossKind::Schema(name) => vec![Stake {
            hazard: Hazard::DropSchema,
            objects: Objects::All(vec![ObjectName::new([name])]),
            count: loss.count.map(Count::Tables),
            note: None,
        }],
        // Where drizzle-kit asks about a type it empties the table first. It names no table in either line.
        LossKind::ChangeType { .. } => [Hazard::ChangeType, Hazard::Truncate]
            .into_iter()
            .flat_map(|hazard| stake(hazard, Objects::Unknown))
            .collect(),
        LossKind::Truncate { .. } => stake(Hazard::Truncate, Objects::Unknown),
        LossKind::Unknown => stake(Hazard::Unclassified, Objects::Unknown),
    }
}

pub(super) fn unique(policy: &Policy, unique: &Unique, scope: &Scope<'_>) -> Decision {
    let stake = Stake {
        hazard: Hazard::AddUnique,
        objects: Objects::OneOf(scope.tables_shown(&unique.table)),
        count: Some(Count::Rows(unique.rows)),
        note: None,
    };
    unique_stake(policy, &stake, &unique.constraint, scope)
}

/// Decides the question before a unique constraint.
pub(in crate::policy) fn unique_stake(policy: &Policy, stake: &Stake, constraint: &str, scope: &Scope<'_>) -> Decision {
    let (rule, rule_ref) = policy.hazard(Hazard::AddUnique);
    let rows = stake.counted().unwrap_or_else(|| "the rows".to_owned());
    if matches!(rule, HazardRule::Truncate) {
        let warning = format!(
            "all rows of {} are deleted to add the unique constraint {constraint}: {rows} ({rule_ref})",
            stake.objects
        );
        return Decision::Choose { choice: 1, because: rule_ref, warnings: vec![warning] };
    }
    match stakes(policy, std::slice::from_ref(stake), scope) {
        Ok(_) => {
            let warning = format!(
                "the unique constraint {constraint} is added to {} without truncating it; it fails if {rows} repeat a value",
                stake.objects
            );
            Decision::Choose { choice: 0, because: rule_ref, warnings: vec![warning] }
        }
        Err(refusal) => Decision::Refuse(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::prompt::Kind;
    use crate::policy::decide::testing::{asked, check, check_in_public, dropped_column, losing, names, policy, scope};

    #[test]
    fn rows_are_kept_before_a_unique_constraint_unless_the_file_says_truncate() {
        let unique = asked(Kind::Unique(Unique { constraint: "u".into(), table: "users".into(), rows: 3 }), 2);
        let kept = "the unique constraint u is added to public.users without truncating it; \
                    it fails if 3 rows repeat a value";
        let cases = [
            ("", format!("0: built-in policy (hazards.add_unique)\nwarning: {kept}")),
            ("hazards.add_unique = \"keep_rows\"", format!("0: p.toml:2 hazards.add_unique\nwarning: {kept}")),
            ("hazards.may_fail = \"approve\"", format!("0: p.toml:2 hazards.may_fail\nwarning: {kept}")),
            (
                "hazards.add_unique = \"truncate\"",
                "1: p.toml:2 hazards.add_unique\nwarning: all rows of public.users are deleted to add the unique constraint u: \
                 3 rows (p.toml:2 hazards.add_unique)"
                    .to_owned(),
            ),
            (
                "hazards.add_unique = \"refuse\"",
                "refused: add_unique public.users would concern 3 rows (p.toml:2 hazards.add_unique: refuse)\n  \
                 p.toml, to allow exactly this, in place of line 2:\n      hazards.add_unique = \"keep_rows\""
                    .to_owned(),
            ),
        ];
        let public = names(&["public"]);
        for (rules, expected) in cases {
            for accept_data_loss in [false, true] {
                check(&policy(rules), &unique, &Scope { accept_data_loss, ..scope(&public) }, &expected);
            }
        }
    }

    #[test]
    fn a_loss_is_refused_with_the_lines_that_allow_it() {
        let two =
            losing(&[(dropped_column("users", "legacy_id"), Some(3)), (LossKind::Table("posts".into()), Some(1))]);
        let cases = [
            (
                "",
                r#"refused: drop_column public.users.legacy_id would delete 3 values
refused: drop_table public.posts would delete 1 row
  p.toml, to allow exactly this:
      [hazards]
      drop_column = { only = ["public.users.legacy_id"] }
      drop_table = { only = ["public.posts"] }"#,
            ),
            (
                "[hazards]\ntruncate = \"approve\"\ndrop_column = { only = [\"users.a*\"], max_rows = 5 } # old\n[create]",
                r#"refused: drop_column public.users.legacy_id would delete 3 values (p.toml:4 hazards.drop_column: `only` does not name public.users.legacy_id)
refused: drop_table public.posts would delete 1 row
  p.toml, to allow exactly this, under [hazards], line 2:
      drop_table = { only = ["public.posts"] }
  and in p.toml, in place of line 4:
      drop_column = { only = ["users.a*", "public.users.legacy_id"], max_rows = 5 } # old"#,
            ),
            (
                "[hazards]\ndata_loss = { max_rows = 2 }\n[create]",
                r#"refused: drop_column public.users.legacy_id would delete 3 values (p.toml:3 hazards.data_loss: 3 are more than max_rows = 2)
  p.toml, to allow exactly this, under [hazards], line 2:
      drop_column = { max_rows = 3 }"#,
            ),
        ];
        for (rules, expected) in cases {
            check_in_public(rules, &two, expected);
        }
    }

    #[test]
    fn every_hazard_of_every_loss_must_be_allowed() {
        let change = LossKind::ChangeType { column: "a".into(), from: "text".into(), to: "int".into() };
        let all = losing(&[
            (LossKind::Table("t".into()), Some(1)),
            (LossKind::View("v".into()), None),
            (LossKind::Schema("s".into()), Some(2)),
            (change, Some(4)),
            (LossKind::Truncate { column: "c".into() }, Some(5)),
            (LossKind::PrimaryKey { table: "t".into() }, None),
            (LossKind::Unknown, None),
        ]);
        let none = r#"refused: drop_table public.t would delete 1 row
refused: drop_view public.v needs consent: a view is dropped, materialised or not
refused: drop_schema s would delete 2 tables
refused: change_type would convert 4 values
refused: truncate would delete 4 rows
refused: truncate would delete 5 rows
refused: drop_primary_key public.t needs consent: a table loses its primary key, perhaps permanently
refused: unclassified: drizzle-pilot does not understand what would happen
  drizzle-pilot.toml (a new file), to allow exactly this:
      [hazards]
      drop_table = { only = ["public.t"] }
      drop_view = { only = ["public.v"] }
      drop_schema = { only = ["s"] }
      change_type = { max_rows = 4 }
      truncate = { max_rows = 5 }
      drop_primary_key = { only = ["public.t"] }
      unclassified = "approve""#;
        let public = names(&["public"]);
        check(&Policy::built_in(), &all, &scope(&public), none);
        let accepting = Scope { accept_data_loss: true, ..scope(&public) };
        check(
            &Policy::built_in(),
            &all,
            &accepting,
            "refused: unclassified: drizzle-pilot does not understand what would happen\n  \
             drizzle-pilot.toml (a new file), to allow exactly this:\n      \
             [hazards]\n      unclassified = \"approve\"",
        );
        let loss = losing(&[(LossKind::Table("t".into()), Some(7))]);
        check(
            &Policy::built_in(),
            &loss,
            &accepting,
            "1: --accept-data-loss\nwarning: drop_table public.t deletes 7 rows (--accept-data-loss)",
        );
        check(
            &Policy::built_in(),
            &losing(&[]),
            &accepting,
            "refused: unclassified: drizzle-pilot does not understand what would happen\n  \
             drizzle-pilot.toml (a new file), to allow exactly this:\n      \
             [hazards]\n      unclassified = \"approve\"",
        );
    }
}
