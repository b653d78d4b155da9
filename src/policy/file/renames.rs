//! Reads `[renames]` and `[create]`, and finds rules that contradict each other. Pure.

use toml::Spanned;

use crate::policy::file::format::{Creates, Names, OtherwiseEntry, Renames};
use crate::policy::file::reader::Reader;
use crate::policy::model::{Create, Otherwise, Policy, Rename, Ruled, Section, beside};
use crate::policy::toml_text::toml_key;

/// Lays the rules of the file or of a profile over those of a policy: a rename by its old name, new names by their kind.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, renames: &Renames, creates: &Creates) {
    if let Some(otherwise) = &renames.otherwise {
        let value = match otherwise.get_ref() {
            OtherwiseEntry::Refuse => Otherwise::Refuse,
            OtherwiseEntry::Create => Otherwise::Create,
        };
        policy.renames.otherwise = Ruled { value, rule: reader.rule("renames.otherwise", otherwise.span()) };
    }
    for section in Section::ALL {
        let renames = read(reader, section, renames.of(section));
        policy.renames.rules.retain(|old| old.section != section || renames.iter().all(|new| new.old != old.old));
        policy.renames.rules.extend(renames);
        if let Some(patterns) = creates.of(section) {
            policy.renames.create.insert(section, create(reader, section, patterns));
        }
    }
    contradictions(reader, policy);
}

fn read(reader: &mut Reader<'_>, section: Section, names: &Names) -> Vec<Rename> {
    let mut renames: Vec<Rename> = Vec::new();
    for (key, value) in names {
        let old = match section.shape().parse(key.get_ref()) {
            Ok(old) => old,
            Err(message) => {
                reader.problem(key.span(), message);
                continue;
            }
        };
        let new = match beside(section, &old, value.get_ref()) {
            Ok(new) => new,
            Err(message) => {
                reader.problem(value.span(), message);
                continue;
            }
        };
        if old == new {
            reader.problem(value.span(), format!("the {} keeps its name `{new}`", section.singular()));
        }
        let path = format!("renames.{}.{}", section.key(), toml_key(key.get_ref()));
        let rename = Rename {
            section,
            old,
            new,
            key: key.get_ref().clone(),
            layer: reader.layer.clone(),
            rule: reader.rule(&path, key.span()),
            span: key.span(),
        };
        if let Some(twin) = renames.iter().find(|twin| twin.old == rename.old) {
            let message = format!("the {} `{}` is renamed twice", section.singular(), rename.old);
            reader.contradiction(twin.span.clone(), rename.span.clone(), message);
        }
        renames.push(rename);
    }
    renames
}

fn create(reader: &mut Reader<'_>, section: Section, patterns: &[Spanned<String>]) -> Create {
    let ruled = patterns.iter().filter_map(|pattern| {
        let rule = reader.rule(&format!("create.{}", section.key()), pattern.span());
        reader.pattern(pattern, section.shape()).map(|value| Ruled { value, rule })
    });
    Create { patterns: ruled.collect(), layer: reader.layer.clone() }
}

/// Reports the rename rules of what is read that contradict another rule of the merged policy.
fn contradictions(reader: &mut Reader<'_>, policy: &Policy) {
    let layer = reader.layer.clone();
    for (rename_idx, rename) in policy.renames.rules.iter().enumerate() {
        let section = rename.section;
        let twins = policy.renames.rules[..rename_idx].iter().filter(|twin| twin.section == section);
        for twin in twins.filter(|twin| twin.layer == layer || rename.layer == layer) {
            if twin.new == rename.new {
                let message = format!("two {} are renamed to `{}`", section.key().replace('_', " "), rename.new);
                reader.contradiction(twin.span.clone(), rename.span.clone(), message);
            }
        }
        let Some(create) = policy.renames.create.get(&section) else { continue };
        if create.layer == layer || rename.layer == layer {
            let exact = create.patterns.iter().find(|pattern| pattern.value.exact().as_ref() == Some(&rename.new));
            if let Some(exact) = exact {
                let message = format!(
                    "the {} `{}` cannot be renamed from `{}` and be new ({})",
                    section.singular(),
                    rename.new,
                    rename.old,
                    exact.rule
                );
                reader.problem(rename.span.clone(), message).hint("keep one of the two rules");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::policy::file::testing::check;

    #[test]
    fn rules_that_contradict_each_other_are_both_shown() {
        check(
            "[renames.columns]\n\"users.a\" = \"b\"\n\n\"public.users.a\" = \"c\"",
            "error: the column `public.users.a` is renamed twice
 --> p.toml:5:1
  |
3 | \"users.a\" = \"b\"
  | --------- here too
4 |
5 | \"public.users.a\" = \"c\"
  | ^^^^^^^^^^^^^^^^",
        );
        check(
            "[renames.tables]\na = \"c\"\n[profiles.ci.renames.tables]\n\"public.b\" = \"c\"",
            "error: two tables are renamed to `public.c`
 --> p.toml:5:1
  |
3 | a = \"c\"
  | - here too
4 | [profiles.ci.renames.tables]
5 | \"public.b\" = \"c\"
  | ^^^^^^^^^^",
        );
        check(
            "[create]\ntables = [\"x_*\", \"public.b\"]\n[renames.tables]\na = \"b\"",
            "error: the table `public.b` cannot be renamed from `public.a` and be new (p.toml:3 create.tables)
 --> p.toml:5:1
  |
5 | a = \"b\"
  | ^
  |
  = hint: keep one of the two rules",
        );
    }

    #[test]
    fn a_rename_is_replaced_by_one_of_the_same_kind_alone() {
        // Each kind takes one of these two names; so kinds share them, in the file and between it and its profile.
        let lines = |new: &str| {
            let line = |section: Section| {
                let old = if section.shape().parse("auth").is_ok() { "auth" } else { "auth.users" };
                format!("renames.{}.\"{old}\" = \"{new}\"\n", section.key())
            };
            Section::ALL.map(line).concat()
        };
        let text = format!("version = 1\n{}[profiles.all]\n{}", lines("identity"), lines("people"));
        let policies = parse(Path::new("p.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        for (profile, new) in [(None, "identity"), (Some("all"), "people")] {
            let policy = policies.select(profile, &|_| None, None).expect("the profile exists");
            let renamed = |rule: &Rename| (rule.section, rule.new.last().to_owned());
            let renamed: Vec<(Section, String)> = policy.renames.rules.iter().map(renamed).collect();
            assert_eq!(renamed, Section::ALL.map(|section| (section, new.to_owned())));
        }
    }
}
