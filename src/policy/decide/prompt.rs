//! Decides a prompt of drizzle-kit, by its kind. Pure.

use crate::kit::prompt::{Kind, Prompt};
use crate::policy::decide::announced::{data_loss, unique};
use crate::policy::decide::decision::{Decision, Refusal, chosen, doubt};
use crate::policy::decide::rename::rename;
use crate::policy::decide::scope::Scope;
use crate::policy::decide::unknown::unknown;
use crate::policy::model::{Policy, RuleRef};

/// Decides a prompt.
pub(crate) fn prompt(policy: &Policy, prompt: &Prompt, scope: &Scope<'_>) -> Decision {
    let decision = match &prompt.kind {
        Kind::Rename(asked) => rename(policy, asked, scope),
        Kind::Unique(asked) => unique(policy, asked, scope),
        // drizzle-kit announces no loss here. What the statements do is not asked of a prompt.
        Kind::Execute => chosen(1, RuleRef::built_in("")),
        Kind::DataLoss(losses) => data_loss(policy, losses, scope),
        Kind::DropMigration => Decision::Refuse(Refusal {
            what: "drizzle-kit drop deletes a migration file; no rule can allow that".to_owned(),
            because: None,
            allow: Vec::new(),
        }),
        Kind::Unknown => unknown(policy, prompt),
    };
    match decision {
        Decision::Choose { choice, because, .. } if choice >= prompt.choices.len() => {
            doubt(format!("choice {choice} of {because} is not on the list of {}", prompt.choices.len()))
        }
        decision => decision,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::kit::prompt::{Entity, LossKind, Unique};
    use crate::policy::allow::Allow;
    use crate::policy::decide::testing::{
        asked, check_in_public, column, dropped_column, losing, names, policies, renaming, scope, told,
    };
    use crate::policy::diff::Place;
    use crate::policy::file::testing::CONTRACT;

    const SHAPES: [&str; 6] = [
        CONTRACT,
        include_str!("../../../fixtures/policies/dotted.toml"),
        include_str!("../../../fixtures/policies/inline.toml"),
        include_str!("../../../fixtures/policies/headers.toml"),
        include_str!("../../../fixtures/policies/classes.toml"),
        include_str!("../../../fixtures/policies/transaction.toml"),
    ];

    #[test]
    fn nothing_allows_drop_and_nothing_is_asked_about_the_strict_prompt() {
        check_in_public(
            "hazards = { data_loss = \"approve\", unclassified = \"approve\" }",
            &asked(Kind::DropMigration, 3),
            "refused: drizzle-kit drop deletes a migration file; no rule can allow that",
        );
        check_in_public("", &asked(Kind::Execute, 2), "1: built-in policy");
        check_in_public("", &asked(Kind::Execute, 1), "unclear: choice 1 of built-in policy is not on the list of 1");
    }

    /// Does what a refusal says.
    fn applied(text: &str, allow: &Allow) -> String {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        for change in allow.changes.iter().rev() {
            let range = match change.place {
                Place::NewFile | Place::End => lines.len()..lines.len(),
                Place::Under { line, .. } | Place::After(line) => line..line,
                Place::Instead { first, last } => first - 1..last,
            };
            lines.splice(range, change.lines.iter().cloned());
        }
        lines.join("\n")
    }

    /// Checks that each way to allow a prompt leads to its choice. Returns how many there are.
    fn every_way_works(text: Option<&str>, profile: Option<&str>, asked: &Prompt, scope: &Scope<'_>) -> usize {
        let before = match text {
            None => Policy::built_in(),
            Some(text) => policies(text).select(profile, &|_| None, None).expect("the profile exists"),
        };
        let (ways, n_choices) = match prompt(&before, asked, scope) {
            Decision::Refuse(refusal) => (refusal.allow, asked.choices.len()),
            Decision::Unclear(doubt) => (doubt.allow, asked.choices.len()),
            Decision::Choose { .. } => return 0,
        };
        for allow in &ways {
            let text = applied(text.unwrap_or_default(), allow);
            let after = policies(&text).select(profile, &|_| None, None).expect("the profile exists");
            match prompt(&after, asked, scope) {
                Decision::Choose { choice, .. } => {
                    let renames = allow.purpose.starts_with("if it was renamed");
                    let keeps = allow.purpose == "if it is new" || matches!(asked.kind, Kind::Unique(_));
                    assert!(
                        choice < n_choices && (!renames || choice > 0) && (!keeps || choice == 0),
                        "{allow}\n{text}"
                    );
                }
                Decision::Refuse(_) if allow.purpose == "to decline" => {}
                other => panic!("{}\nis the answer to\n{allow}\nin\n{text}", told(&other)),
            }
        }
        ways.len()
    }

    fn any_name() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z]{1,3}", r#"[a-c."' ›*?\[{\\é=#,\-]{1,8}"#, ".{1,5}", "\\PC{0,3}[\n\t\u{1b}]"]
    }

    fn any_prompt() -> impl Strategy<Value = Prompt> {
        let entity = prop::sample::select(&Entity::ALL[..]);
        let renames = (entity, any_name(), any_name(), prop::collection::btree_set(any_name(), 1..4));
        let renames = renames.prop_map(|(entity, table, name, candidates)| {
            let candidates: Vec<&str> = candidates.iter().filter(|old| **old != name).map(String::as_str).collect();
            let table = (entity == Entity::Column).then_some(table.as_str());
            renaming(entity, table, &name, &candidates)
        });
        let loss =
            (any_name(), any_name(), 0..8, prop::option::of(0..99u64)).prop_map(|(table, column, kind, count)| {
                let kind = match kind {
                    0 => LossKind::Table(table),
                    1 => LossKind::Column { table, column },
                    2 => LossKind::Schema(table),
                    3 => LossKind::View(table),
                    4 => LossKind::ChangeType { column, from: table.clone(), to: table },
                    5 => LossKind::Truncate { column },
                    6 => LossKind::PrimaryKey { table },
                    _ => LossKind::Unknown,
                };
                (kind, count)
            });
        let losses = prop::collection::vec(loss, 0..4).prop_map(|losses| losing(&losses));
        let unique = (any_name(), any_name(), 0..99u64)
            .prop_map(|(constraint, table, rows)| asked(Kind::Unique(Unique { constraint, table, rows }), 2));
        let unknown = (any_name(), prop::collection::vec(any_name(), 1..4)).prop_map(|(question, choices)| Prompt {
            question,
            context: Vec::new(),
            printed: String::new(),
            choices,
            highlighted: 0,
            kind: Kind::Unknown,
        });
        prop_oneof![renames, losses, unique, unknown]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_a_refusal_prints_allows_what_it_refused(
            asked in any_prompt(),
            shape in 0..=SHAPES.len(),
            in_ci in any::<bool>(),
            schemas in prop::sample::select(vec![vec![], vec!["public"], vec!["public", "a"], vec!["b"]]),
            crlf in any::<bool>(),
        ) {
            let schemas = names(&schemas);
            let text = SHAPES.get(shape).map(|text| if crlf { text.replace('\n', "\r\n") } else { (*text).to_owned() });
            let profile = text.as_ref().filter(|_| in_ci).map(|_| "ci");
            every_way_works(text.as_deref(), profile, &asked, &scope(&schemas));
        }
    }

    #[test]
    fn every_shape_of_file_has_lines_for_every_kind_of_refusal() {
        let public = names(&["public"]);
        let refused = [
            column("full", &["old"]),
            renaming(Entity::Table, None, "full", &["old"]),
            losing(&[(dropped_column("t", "c"), Some(5)), (LossKind::Table("t".into()), None)]),
            losing(&[(LossKind::Truncate { column: "c".into() }, Some(5))]),
            asked(Kind::Unknown, 2),
        ];
        for (shape_idx, text) in SHAPES.into_iter().enumerate() {
            for profile in [None, Some("ci")] {
                for asked in &refused {
                    let n_ways = every_way_works(Some(text), profile, asked, &scope(&public));
                    let approved = shape_idx == 0 && profile.is_some() && matches!(asked.kind, Kind::DataLoss(_));
                    assert!(n_ways > 0 || approved, "{:?} in\n{text}", asked.kind);
                }
            }
        }
    }
}
