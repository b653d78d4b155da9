//! Reads `[renames]` and `[create]`, and finds rules that contradict each other. Pure.

use toml::Spanned;

use crate::policy::file::format::Names;
use crate::policy::file::problem::in_order;
use crate::policy::file::reader::Reader;
use crate::policy::model::{Create, Layer, Policy, Rename, Ruled, Section, beside};
use crate::policy::toml_text::toml_key;

impl Reader<'_> {
    pub(super) fn renames(&mut self, section: Section, layer: &Layer, names: &Names) -> Vec<Rename> {
        let mut renames: Vec<Rename> = Vec::new();
        for (key, value) in names {
            let old = match section.shape().parse(key.get_ref()) {
                Ok(old) => old,
                Err(message) => {
                    self.problem(key.span(), message);
                    continue;
                }
            };
            let new = match beside(section, &old, value.get_ref()) {
                Ok(new) => new,
                Err(message) => {
                    self.problem(value.span(), message);
                    continue;
                }
            };
            if old == new {
                self.problem(value.span(), format!("the {} keeps its name `{new}`", section.singular()));
            }
            let path = format!("renames.{}.{}", section.key(), toml_key(key.get_ref()));
            let rename = Rename {
                section,
                old,
                new,
                key: key.get_ref().clone(),
                layer: layer.clone(),
                rule: self.rule(layer, &path, key.span()),
                span: key.span(),
            };
            if let Some(twin) = renames.iter().find(|twin| twin.old == rename.old) {
                let (first, second) = in_order(twin.span.clone(), rename.span.clone());
                self.problem(second, format!("the {} `{}` is renamed twice", section.singular(), rename.old))
                    .also(first, "here too");
            }
            renames.push(rename);
        }
        renames
    }

    pub(super) fn create(&mut self, section: Section, layer: &Layer, patterns: &[Spanned<String>]) -> Create {
        let ruled = patterns.iter().filter_map(|pattern| {
            let rule = self.rule(layer, &format!("create.{}", section.key()), pattern.span());
            self.pattern(pattern, section.shape()).map(|value| Ruled { value, rule })
        });
        Create { patterns: ruled.collect(), layer: layer.clone() }
    }

    /// Reports the rename rules of this layer that contradict another rule of the merged policy.
    pub(super) fn contradictions(&mut self, policy: &Policy, layer: &Layer) {
        for (rename_idx, rename) in policy.renames.iter().enumerate() {
            let section = rename.section;
            let twins = policy.renames[..rename_idx].iter().filter(|twin| twin.section == section);
            for twin in twins.filter(|twin| twin.layer == *layer || rename.layer == *layer) {
                if twin.new == rename.new {
                    let message = format!("two {} are renamed to `{}`", section.key().replace('_', " "), rename.new);
                    let (first, second) = in_order(twin.span.clone(), rename.span.clone());
                    self.problem(second, message).also(first, "here too");
                }
            }
            let Some(create) = policy.create.get(&section) else { continue };
            if create.layer == *layer || rename.layer == *layer {
                let exact = create.patterns.iter().find(|pattern| pattern.value.exact().as_ref() == Some(&rename.new));
                if let Some(exact) = exact {
                    let message = format!(
                        "the {} `{}` cannot be renamed from `{}` and be new ({})",
                        section.singular(),
                        rename.new,
                        rename.old,
                        exact.rule
                    );
                    self.problem(rename.span.clone(), message).hint("keep one of the two rules");
                }
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
            let renamed: Vec<(Section, String)> = policy.renames.iter().map(renamed).collect();
            assert_eq!(renamed, Section::ALL.map(|section| (section, new.to_owned())));
        }
    }
}
