//! Reads `[push]` and `[using]`, and finds what needs the transaction of a push and cannot have it. Pure.

use std::collections::BTreeMap;

use crate::policy::file::format::{ApplyEntry, HazardEntry, Names, Sections};
use crate::policy::file::reader::Reader;
use crate::policy::model::{Apply, ApplyLine, Policy, Section, Using};
use crate::policy::name::ObjectName;
use crate::policy::toml_text::toml_key;
use crate::sql::hazard::Hazard;
use crate::sql::rewrite;

/// Lays who runs the statements, and the expressions for values, over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, sections: &Sections<'_>) {
    if let Some(apply) = &sections.push.apply {
        let value = match apply.get_ref() {
            ApplyEntry::Kit => Apply::Kit,
            ApplyEntry::Transaction => Apply::Transaction,
        };
        let rule = reader.rule("push.apply", apply.span());
        policy.push.apply = ApplyLine { value, layer: reader.layer.clone(), rule };
    }
    let using = using(reader, sections.using);
    without_transaction(reader, sections, &using);
    policy.push.using.extend(using);
}

fn using(reader: &mut Reader<'_>, names: &Names) -> BTreeMap<ObjectName, Using> {
    let mut all: BTreeMap<ObjectName, Using> = BTreeMap::new();
    for (key, value) in names {
        let column = match Section::Columns.shape().parse(key.get_ref()) {
            Ok(column) => column,
            Err(message) => {
                reader.problem(key.span(), message);
                continue;
            }
        };
        let expression = value.get_ref().trim();
        if expression.is_empty() {
            reader
                .problem(value.span(), format!("the expression for `{column}` is empty"))
                .hint("write what would follow USING, as in \"blob::bytea\"");
        } else if !rewrite::is_expression(expression) {
            reader
                .problem(value.span(), format!("`{expression}` is not one SQL expression"))
                .hint("write what would follow USING, without `;` and comments around it, as in \"blob::bytea\"");
        }
        let rule = reader.rule(&format!("using.{}", toml_key(key.get_ref())), key.span());
        let using = Using { expression: expression.to_owned(), layer: reader.layer.clone(), rule, span: key.span() };
        if let Some(twin) = all.get(&column) {
            let message = format!("the column `{column}` has two expressions");
            reader.contradiction(twin.span.clone(), using.span.clone(), message);
        }
        all.insert(column, using);
    }
    all
}

/// Reports what needs the transaction and stands beside a line that rules it out. What stands elsewhere may be meant
/// for another profile, or for a run that overrides that line.
fn without_transaction(reader: &mut Reader<'_>, sections: &Sections<'_>, using: &BTreeMap<ObjectName, Using>) {
    let apply = sections.push.apply.as_ref().filter(|apply| matches!(apply.get_ref(), ApplyEntry::Kit));
    let Some(apply) = apply else { return };
    let truncate = sections.hazards.iter().find(|(key, _)| key.get_ref() == Hazard::Truncate.name());
    let skip = truncate.filter(|(_, entry)| matches!(entry.get_ref(), HazardEntry::Word(word) if word == "skip"));
    let skip = skip.map(|(_, entry)| (entry.span(), "drizzle-kit cannot skip a truncate"));
    let using = using.values().map(|using| (using.span.clone(), "drizzle-kit cannot use expressions from the policy"));
    for (span, message) in skip.into_iter().chain(using) {
        let problem = reader.problem(span, message);
        problem.hint("write apply = \"transaction\", or remove one of the two");
        problem.also(apply.span(), "drizzle-kit runs the statements");
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::policy::file::testing::check;

    #[test]
    fn what_needs_the_transaction_contradicts_the_kit_beside_it() {
        check(
            "[using]\n\"files.blob\" = \"blob::bytea\"\n\n\"public.files.blob\" = \"decode(blob, 'hex')\"",
            "error: the column `public.files.blob` has two expressions
 --> p.toml:5:1
  |
3 | \"files.blob\" = \"blob::bytea\"
  | ------------ here too
4 |
5 | \"public.files.blob\" = \"decode(blob, 'hex')\"
  | ^^^^^^^^^^^^^^^^^^^",
        );
        check(
            "push.apply = \"kit\"\nhazards.truncate = \"skip\"",
            "error: drizzle-kit cannot skip a truncate
 --> p.toml:3:20
  |
2 | push.apply = \"kit\"
  |              ----- drizzle-kit runs the statements
3 | hazards.truncate = \"skip\"
  |                    ^^^^^^
  |
  = hint: write apply = \"transaction\", or remove one of the two",
        );
        check(
            "[profiles.ci]\nusing.\"files.blob\" = \"blob::bytea\"\npush.apply = \"kit\"",
            "error: drizzle-kit cannot use expressions from the policy
 --> p.toml:3:7
  |
3 | using.\"files.blob\" = \"blob::bytea\"
  |       ^^^^^^^^^^^^
4 | push.apply = \"kit\"
  |              ----- drizzle-kit runs the statements
  |
  = hint: write apply = \"transaction\", or remove one of the two",
        );
    }

    #[test]
    fn how_a_push_is_applied_is_merged_key_by_key() {
        let text = "version = 1
[using]
\"files.blob\" = \" blob::bytea \"
'\"we.ird\".\"what?\".c' = \"lower(c)\"
[hazards]
truncate = \"skip\"
[profiles.ci]
push.apply = \"transaction\"
using.\"public.files.blob\" = \"decode(blob, 'hex')\"
[profiles.local]
push.apply = \"kit\"
hazards.truncate = \"refuse\"";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let told = |profile: Option<&str>| {
            let policy = match profile {
                None => policies.base.clone(),
                some => policies.select(some, &|_| None, None).expect("the profile exists"),
            };
            let (apply, rule) = policy.apply();
            let using = [["public", "files", "blob"], ["we.ird", "what?", "c"], ["s", "files", "blob"]];
            let using = using.map(|column| {
                let found = policy.using(&ObjectName::new(column));
                found.map_or_else(|| "none".to_owned(), |(expression, rule)| format!("{expression} ({rule})"))
            });
            let skips = policy.skips_truncate().map_or_else(|| "none".to_owned(), |rule| rule.to_string());
            format!("{apply:?} ({rule}); {}; {skips}", using.join("; "))
        };
        let weird = "lower(c) (p.toml:4 using.'\"we.ird\".\"what?\".c'); none";
        let blob = "blob::bytea (p.toml:3 using.\"files.blob\")";
        assert_eq!(
            [told(None), told(Some("ci")), told(Some("local"))],
            [
                format!("Kit (built-in policy (push.apply)); {blob}; {weird}; p.toml:6 hazards.truncate"),
                format!(
                    "Transaction (p.toml:8 profiles.ci.push.apply); decode(blob, 'hex') \
                     (p.toml:9 profiles.ci.using.\"public.files.blob\"); {weird}; p.toml:6 hazards.truncate"
                ),
                format!("Kit (p.toml:11 profiles.local.push.apply); {blob}; {weird}; none"),
            ]
        );
        let (apply, rule) = Policy::built_in().apply();
        assert_eq!((apply, rule.to_string().as_str()), (Apply::Kit, "built-in policy (push.apply)"));
    }
}
