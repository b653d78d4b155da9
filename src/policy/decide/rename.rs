//! Decides whether something is new or was renamed. Pure.

use crate::kit::prompt::{self, Kind, Prompt};
use crate::policy::decide::decision::{Decision, chosen, doubt};
use crate::policy::decide::question::{Applies, Question, Reading};
use crate::policy::decide::scope::Scope;
use crate::policy::decide::unanswered;
use crate::policy::model::{Origin, Otherwise, Policy, RuleRef, Section};
use crate::policy::name::ObjectName;

pub(super) fn rename(policy: &Policy, rename: &prompt::Rename, scope: &Scope<'_>) -> Decision {
    let section = Section::from(rename.entity);
    let readings = match &rename.table {
        Some(table) => {
            let child = |table: &ObjectName, name: &String| vec![table.child(name)];
            let tables = match &rename.schema {
                Some(schema) => vec![ObjectName::new([schema, table])],
                None => scope.tables_shown(table),
            };
            let tables = tables.into_iter();
            let readings = tables.map(|table| Reading {
                new: child(&table, &rename.name),
                old: rename.candidates.iter().map(|old| child(&table, old)).collect(),
            });
            readings.collect()
        }
        None => {
            let read = |shown: &String| section.shape().readings(shown, scope.schemas);
            vec![Reading { new: read(&rename.name), old: rename.candidates.iter().map(read).collect() }]
        }
    };
    question(policy, &Question { section, readings, candidates: &rename.candidates }, scope)
}

/// Returns the old and the new name of the schema or table that an answer renames, for [`Scope::renamed`].
pub(crate) fn renamed(prompt: &Prompt, choice: usize, schemas: &[String]) -> Option<(ObjectName, ObjectName)> {
    let Kind::Rename(rename) = &prompt.kind else { return None };
    let shape = match Section::from(rename.entity) {
        section @ (Section::Schemas | Section::Tables) => section.shape(),
        _ => return None,
    };
    let old = rename.candidates.get(choice.checked_sub(1)?)?;
    let read = |shown: &str| shape.readings(shown, schemas).into_iter().next();
    Some((read(old)?, read(&rename.name)?))
}

/// Decides a question about a rename.
pub(in crate::policy) fn question(policy: &Policy, question: &Question<'_>, scope: &Scope<'_>) -> Decision {
    let mut decided: Option<(Option<usize>, RuleRef, &Reading)> = None;
    for reading in &question.readings {
        let (choice, because) = match answer(policy, sections(question.section), reading, scope) {
            Answer::Doubt(reason) => return doubt(reason),
            Answer::Rename { choice, rule } => (Some(choice), rule.clone()),
            Answer::Create { rule } => (Some(0), rule.clone()),
            Answer::Silent if question.candidates.is_empty() => {
                (Some(0), RuleRef { path: String::new(), origin: Origin::OnlyChoice })
            }
            Answer::Silent => match policy.renames.otherwise.value {
                Otherwise::Create => (Some(0), policy.renames.otherwise.rule.clone()),
                Otherwise::Refuse => (None, policy.renames.otherwise.rule.clone()),
            },
        };
        match &decided {
            None => decided = Some((choice, because, reading)),
            Some((other, _, _)) if *other == choice => {}
            Some((_, other_rule, other)) => {
                return doubt(format!(
                    "drizzle-kit does not say whether it means {} ({other_rule}) or {} ({because}), \
                     and the answers differ",
                    other.name(),
                    reading.name(),
                ));
            }
        }
    }
    match decided {
        None => doubt("the names in the question cannot be read"),
        Some((Some(choice), because, _)) => chosen(choice, because),
        Some((None, because, _)) => Decision::Refuse(unanswered::refusal(policy, question, because, scope)),
    }
}

/// Returns the sections whose rules answer a question about a kind of object.
pub(in crate::policy) fn sections(asked: Section) -> &'static [Section] {
    match asked {
        // drizzle-kit 0.27 to 0.31 calls the policies of a table "column".
        Section::Columns => &[Section::Columns, Section::Policies],
        _ => {
            let section_idx = Section::ALL.iter().position(|section| *section == asked);
            let section_idx = section_idx.expect("the list has every section");
            &Section::ALL[section_idx..=section_idx]
        }
    }
}

/// The answer to one reading.
enum Answer<'p> {
    Rename {
        choice: usize,
        rule: &'p RuleRef,
    },
    Create {
        rule: &'p RuleRef,
    },
    /// No rule speaks of it.
    Silent,
    Doubt(String),
}

/// Looks for the rules that speak of one reading.
fn answer<'p>(policy: &'p Policy, sections: &[Section], reading: &Reading, scope: &Scope<'_>) -> Answer<'p> {
    let mut rename: Option<(usize, &RuleRef)> = None;
    for rule in policy.renames.rules.iter().filter(|rule| sections.contains(&rule.section)) {
        match rule.applies(reading, scope) {
            Applies::No => {}
            Applies::Perhaps => {
                return Answer::Doubt(format!(
                    "{} is ambiguous: in this run the name passes from one object to another",
                    rule.rule
                ));
            }
            Applies::To(choice) => match rename {
                Some((other, other_rule)) if other != choice => {
                    return Answer::Doubt(format!("{other_rule} and {} give different answers", rule.rule));
                }
                _ => rename = Some((choice, &rule.rule)),
            },
        }
    }
    let names: Vec<ObjectName> = reading.new.iter().flat_map(|name| scope.names(name)).collect();
    let creates = sections.iter().filter_map(|section| policy.renames.create.get(section));
    let mut creates = creates
        .flat_map(|create| &create.patterns)
        .filter(|pattern| names.iter().any(|name| pattern.value.matches(name)));
    match (rename, creates.clone().find(|pattern| pattern.value.exact().is_some())) {
        (Some((_, rule)), Some(exact)) => Answer::Doubt(format!("{rule} and {} give different answers", exact.rule)),
        (Some((choice, rule)), None) => Answer::Rename { choice, rule },
        (None, _) => creates.next().map_or(Answer::Silent, |pattern| Answer::Create { rule: &pattern.rule }),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::kit::prompt::Entity;
    use crate::policy::decide::prompt::prompt;
    use crate::policy::decide::scope::TablesByName;
    use crate::policy::decide::testing::{
        check, check_in_public, column, dropped_column, losing, names, policies, policy, renaming, scope,
    };

    #[test]
    fn a_rename_rule_beats_a_create_glob_and_that_beats_otherwise() {
        let all = "renames.otherwise = \"create\"\nrenames.columns.\"users.name\" = \"full_name\"\n\
                   create.columns = [\"users.*_at\", \"users.full*\"]";
        let cases = [
            (column("full_name", &["nick", "name"]), "2: p.toml:3 renames.columns.\"users.name\""),
            (column("full_name", &["nick"]), "0: p.toml:4 create.columns"),
            (column("made_at", &["nick", "name"]), "0: p.toml:4 create.columns"),
            (column("age", &["nick", "name"]), "0: p.toml:2 renames.otherwise"),
            (column("age", &[]), "0: the only choice"),
        ];
        for (asked, expected) in cases {
            check_in_public(all, &asked, expected);
        }
    }

    #[test]
    fn a_question_that_no_rule_answers_is_refused_with_every_way_to_answer_it() {
        check_in_public(
            "",
            &column("full_name", &["name", "nick"]),
            r#"refused: no rule says whether column public.users.full_name is new or was renamed from name, nick
  p.toml, if it was renamed from name:
      [renames.columns]
      "public.users.name" = "full_name"
  p.toml, if it was renamed from nick:
      [renames.columns]
      "public.users.nick" = "full_name"
  p.toml, if it is new:
      [create]
      columns = ["public.users.full_name"]"#,
        );
    }

    #[test]
    fn every_kind_of_object_is_matched_as_drizzle_kit_shows_it() {
        let rules = "[renames.tables]\norders = \"purchases\"\n\"auth.a\" = \"b\"\n\"auth.c\" = \"public.d\"\n\
                     '\"x.y\"' = \"z\"\n[renames.schemas]\nold = \"new\"\n[renames.roles]\nr = \"s\"\n\
                     [renames.policies]\n\"users.p\" = \"q\"\nlinked = \"tied\"\n[renames.views]\nv = \"w\"";
        let cases = [
            (renaming(Entity::Table, None, "purchases", &["orders"]), "1: p.toml:3 renames.tables.orders"),
            (renaming(Entity::Table, None, "auth.b", &["x", "auth.a"]), "2: p.toml:4 renames.tables.\"auth.a\""),
            (renaming(Entity::Table, None, "d", &["auth.c"]), "1: p.toml:5 renames.tables.\"auth.c\""),
            (renaming(Entity::Table, None, "z", &["x.y"]), "1: p.toml:6 renames.tables.'\"x.y\"'"),
            (renaming(Entity::Schema, None, "new", &["old"]), "1: p.toml:8 renames.schemas.old"),
            (renaming(Entity::Role, None, "s", &["r"]), "1: p.toml:10 renames.roles.r"),
            (renaming(Entity::Policy, None, "tied", &["linked"]), "1: p.toml:13 renames.policies.linked"),
            (renaming(Entity::Policy, None, "users.q", &["users.p"]), "1: p.toml:12 renames.policies.\"users.p\""),
            (column("q", &["p"]), "1: p.toml:12 renames.policies.\"users.p\""),
            (renaming(Entity::View, None, "w", &["v"]), "1: p.toml:15 renames.views.v"),
        ];
        for (asked, expected) in cases {
            check_in_public(rules, &asked, expected);
        }
    }

    #[test]
    fn rules_for_columns_and_policies_that_disagree_are_unclear() {
        check_in_public(
            "[renames.columns]\n\"users.a\" = \"x\"\n[renames.policies]\n\"users.b\" = \"x\"",
            &column("x", &["a", "b"]),
            "unclear: p.toml:3 renames.columns.\"users.a\" and p.toml:5 renames.policies.\"users.b\" \
             give different answers",
        );
        check_in_public(
            "create.columns = [\"users.x\"]\n[renames.policies]\n\"users.b\" = \"x\"",
            &column("x", &["a", "b"]),
            "unclear: p.toml:4 renames.policies.\"users.b\" and p.toml:2 create.columns give different answers",
        );
    }

    #[test]
    fn a_table_in_two_schemas_is_unclear_unless_both_have_the_same_answer() {
        let both = names(&["public", "auth"]);
        let in_schemas = |schemas: &[&str]| TablesByName::known([("users".to_owned(), names(schemas))].into());
        let everywhere = in_schemas(&["public", "auth", "other"]);
        let nowhere = TablesByName::known(BTreeMap::new());
        let only_auth = in_schemas(&["auth"]);
        let unknown = TablesByName::UNKNOWN;
        let one = "renames.columns.\"auth.users.name\" = \"full_name\"";
        let two = &format!("{one}\nrenames.columns.\"public.users.name\" = \"full_name\"");
        let yes = "1: p.toml:2 renames.columns.\"auth.users.name\"";
        let unclear = "unclear: drizzle-kit does not say whether it means auth.users.full_name \
                       (p.toml:2 renames.columns.\"auth.users.name\") or public.users.full_name \
                       (built-in policy (renames.otherwise)), and the answers differ";
        let cases: [(&str, &TablesByName, &str); 6] = [
            (one, &everywhere, unclear),
            (one, &unknown, unclear),
            (one, &nowhere, unclear),
            (one, &only_auth, yes),
            (two, &everywhere, yes),
            (two, &unknown, yes),
        ];
        for (rules, tables, expected) in cases {
            let scope = Scope { tables, ..scope(&both) };
            check(&policy(rules), &column("full_name", &["name"]), &scope, expected);
        }
        let asked = column("full_name", &["name"]);
        check(
            &policy(""),
            &asked,
            &Scope { tables: &everywhere, ..scope(&both) },
            r#"refused: no rule says whether column auth.users.full_name or public.users.full_name is new or was renamed from name
  p.toml, if it was renamed from name:
      [renames.columns]
      "auth.users.name" = "full_name"
      "public.users.name" = "full_name"
  p.toml, if it is new:
      [create]
      columns = ["auth.users.full_name", "public.users.full_name"]"#,
        );
    }

    #[test]
    fn a_column_may_be_named_by_the_old_and_the_new_name_of_its_table() {
        let renamed = [(ObjectName::new(["public", "people"]), ObjectName::new(["public", "users"]))];
        let both = names(&["public", "auth"]);
        let tables = TablesByName::known([("people".to_owned(), names(&["public"]))].into());
        let scope = Scope { renamed: &renamed, tables: &tables, ..scope(&both) };
        let cases = [
            ("people.name", "full_name"),
            ("users.name", "full_name"),
            ("people.name", "public.users.full_name"),
            ("people.name", "users.full_name"),
        ];
        for (old, new) in cases {
            let rules = format!("renames.columns.\"{old}\" = \"{new}\"");
            let expected = format!("1: p.toml:2 renames.columns.\"{old}\"");
            check(&policy(&rules), &column("full_name", &["name"]), &scope, &expected);
        }
        let rules = "renames.columns.\"people.name\" = \"auth.users.full_name\"\nrenames.otherwise = \"create\"";
        check(&policy(rules), &column("full_name", &["name"]), &scope, "0: p.toml:3 renames.otherwise");
        let dropped = losing(&[(dropped_column("users", "age"), Some(1))]);
        for only in ["people.age", "users.age"] {
            check(
                &policy(&format!("hazards.drop_column.only = [\"{only}\"]")),
                &dropped,
                &scope,
                "1: p.toml:2 hazards.drop_column\n\
                 warning: drop_column public.users.age deletes 1 value (p.toml:2 hazards.drop_column)",
            );
        }
    }

    #[test]
    fn a_renamed_table_does_not_hide_another_of_its_new_name() {
        let renamed = [(ObjectName::new(["public", "people"]), ObjectName::new(["public", "users"]))];
        let both = names(&["public", "auth"]);
        check(
            &policy("renames.columns.\"people.name\" = \"full_name\""),
            &column("full_name", &["name"]),
            &Scope { renamed: &renamed, ..scope(&both) },
            "unclear: drizzle-kit does not say whether it means auth.users.full_name \
             (built-in policy (renames.otherwise)) or public.users.full_name \
             (p.toml:2 renames.columns.\"people.name\"), and the answers differ",
        );
    }

    #[test]
    fn a_name_that_changes_hands_is_unclear() {
        let public = names(&["public"]);
        let table = |name: &str| ObjectName::new(["public", name]);
        let renamed = [(table("people"), table("users")), (table("users"), table("accounts"))];
        let scope = Scope { renamed: &renamed, ..scope(&public) };
        check(
            &policy("renames.columns.\"users.name\" = \"full_name\""),
            &column("full_name", &["name"]),
            &scope,
            "unclear: p.toml:2 renames.columns.\"users.name\" is ambiguous: in this run the name passes \
             from one object to another",
        );
        check(
            &policy("renames.columns.\"people.name\" = \"users.full_name\""),
            &column("full_name", &["name"]),
            &scope,
            "1: p.toml:2 renames.columns.\"people.name\"",
        );
        let dropped = losing(&[(dropped_column("users", "age"), Some(1))]);
        let refused = prompt(&policy("hazards.drop_column.only = [\"users.age\"]"), &dropped, &scope);
        assert!(matches!(refused, Decision::Refuse(_)), "users.age may be that of the table that is now accounts");
    }

    #[test]
    fn tables_follow_their_schema() {
        let renamed = [(ObjectName::new(["old"]), ObjectName::new(["new"]))];
        let schemas = names(&["new"]);
        let scope = Scope { renamed: &renamed, ..scope(&schemas) };
        check(
            &policy("renames.tables.\"old.a\" = \"b\""),
            &renaming(Entity::Table, None, "new.b", &["new.a"]),
            &scope,
            "1: p.toml:2 renames.tables.\"old.a\"",
        );
        let asked = renaming(Entity::Schema, None, "new", &["old"]);
        assert_eq!(super::renamed(&asked, 1, &schemas), Some(renamed[0].clone()));
        assert_eq!(super::renamed(&asked, 0, &schemas), None);
        assert_eq!(super::renamed(&column("a", &["b"]), 1, &schemas), None);
    }

    #[test]
    fn the_lines_of_a_refusal_take_the_place_of_rules_that_would_contradict_them() {
        check_in_public(
            "[renames.columns]\n\"users.nick\" = \"full_name\"\n\"users.name\" = \"title\"\n[create]",
            &column("full_name", &["name"]),
            r#"refused: no rule says whether column public.users.full_name is new or was renamed from name
  p.toml, if it was renamed from name, in place of lines 3 to 4:
      "users.name" = "full_name"
  p.toml, if it is new, without line 3
  and in p.toml:
      columns = ["public.users.full_name"]"#,
        );
    }

    #[test]
    fn lines_that_would_contradict_another_profile_are_not_offered() {
        let text = "version = 1\nrenames.columns.\"users.nick\" = \"full_name\"\n\
                    profiles.p.renames.columns.\"users.nick\" = \"title\"";
        let policy = policies(text).select(Some("p"), &|_| None, None).expect("the profile exists");
        check(
            &policy,
            &column("full_name", &["name"]),
            &scope(&names(&["public"])),
            "refused: no rule says whether column public.users.full_name is new or was renamed from name",
        );
    }
}
