//! Reads `[check]`. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::migrations::Level;
use crate::migrations::rule::{ACCEPTABLE, Family, Named, NoRule, RULES, Rule, squawks};
use crate::policy::check::{Accepted, Check, Line, Wish};
use crate::policy::file::reader::Reader;
use crate::policy::name::Shape;
use crate::policy::wording::closest;
use crate::sql::hazard::Object;

/// The section in the file.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CheckEntry {
    /// The migrations folders, instead of the one in drizzle's config. With these, `check` needs neither config nor node.
    #[schemars(with = "Vec<String>", length(min = 1))]
    migrations: Option<Spanned<Vec<String>>>,
    /// Old faults of journals and snapshots that are no longer reported, each as a rule and a file: `journal-order
    /// drizzle/0001_users.sql`. `drizzle-pilot check --accept-old` writes them.
    #[schemars(with = "Vec<String>", length(min = 1))]
    accepted: Option<Spanned<Vec<Spanned<String>>>>,
    /// The level of a finding at which `check` ends with 2.
    #[schemars(with = "LevelEntry")]
    fail_on: Option<Spanned<LevelEntry>>,
    /// The level of a rule, or its exceptions.
    #[schemars(schema_with = "rules_schema")]
    rules: BTreeMap<Spanned<String>, Spanned<RuleEntry>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum LevelEntry {
    Warning,
    Error,
}

/// A level, or a table.
enum RuleEntry {
    Word(String),
    Table(RuleTable),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RuleTable {
    /// The level of a finding.
    #[serde(default)]
    #[schemars(with = "WordEntry")]
    level: Option<Spanned<String>>,
    /// The objects for which the rule reports nothing. Globs are allowed.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(min = 1))]
    except: Option<Spanned<Vec<Spanned<String>>>>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is the form of a word in the schema; the word itself is read with its place")]
enum WordEntry {
    Off,
    Warning,
    Error,
}

impl<'de> Deserialize<'de> for RuleEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RuleEntry, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = RuleEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"off\", \"warning\", \"error\" or a table with `level` or `except`")
            }

            fn visit_str<E>(self, word: &str) -> Result<RuleEntry, E> {
                Ok(RuleEntry::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RuleEntry, A::Error> {
                RuleTable::deserialize(MapAccessDeserializer::new(map)).map(RuleEntry::Table)
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

fn rules_schema(generator: &mut SchemaGenerator) -> Schema {
    let word = generator.subschema_for::<WordEntry>();
    let table = generator.subschema_for::<RuleTable>();
    let ours = RULES.iter().map(|rule| (rule.id, format!("{}.", rule.means)));
    let others = squawks().keys().map(|id| (id.as_str(), "A rule of squawk.".to_owned()));
    let mut properties = serde_json::Map::new();
    for (id, description) in ours.chain(others) {
        let value = json_schema!({ "description": description, "anyOf": [word, table] });
        properties.insert(id.to_owned(), value.to_value());
    }
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// Lays the section of the file or of a profile over another, key by key.
pub(super) fn lay(reader: &mut Reader<'_>, check: &mut Check, entry: &CheckEntry) {
    if let Some(migrations) = &entry.migrations {
        if migrations.get_ref().is_empty() {
            reader
                .problem(migrations.span(), "no folder is named")
                .hint("write `migrations = [\"drizzle\"]`, or omit it");
        }
        check.migrations = Some(migrations.get_ref().clone());
    }
    if let Some(fail_on) = &entry.fail_on {
        check.fail_on = Some(match fail_on.get_ref() {
            LevelEntry::Warning => Level::Warning,
            LevelEntry::Error => Level::Error,
        });
    }
    if let Some(accepted) = &entry.accepted {
        check.accepted = accepted.get_ref().iter().filter_map(|line| accept(reader, line)).collect();
    }
    for (key, entry) in &entry.rules {
        let Some(named) = rule(reader, key) else { continue };
        let line = match entry.get_ref() {
            RuleEntry::Word(text) => word(reader, &Spanned::new(entry.span(), text.clone()))
                .map(|wish| Line { wish: Some(wish), except: Vec::new() }),
            RuleEntry::Table(table) => limits(reader, named, entry, table),
        };
        if let Some(line) = line {
            check.rules.insert(named.id(), line);
        }
    }
}

fn accept(reader: &mut Reader<'_>, line: &Spanned<String>) -> Option<Accepted> {
    let form = "write a rule and a file, such as `journal-order drizzle/0001_users.sql`; drizzle-pilot check --accept-old writes them";
    let (id, file) = match line.get_ref().split_once(' ') {
        Some((id, file)) if !file.trim().is_empty() => (id, file.trim()),
        _ => {
            reader.problem(line.span(), "the entry does not say what is accepted").hint(form);
            return None;
        }
    };
    if let Some(rule) = ACCEPTABLE.into_iter().find(|rule| rule.id == id) {
        return Some(Accepted { rule, file: PathBuf::from(file) });
    }
    let problem = reader.problem(line.span(), format!("findings of `{id}` cannot be accepted"));
    match closest(id, ACCEPTABLE.iter().map(|rule| rule.id)) {
        Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
        None => problem
            .hint("only faults of the journal and the snapshots can be accepted; for statements, use ignore comments"),
    };
    None
}

fn rule(reader: &mut Reader<'_>, key: &Spanned<String>) -> Option<Named> {
    match Named::find(key.get_ref()) {
        Ok(named) => return Some(named),
        Err(NoRule::Instead(ours)) => {
            let problem = reader.problem(key.span(), format!("there is no rule `{}` here", key.get_ref()));
            problem.hint(format!("use `{ours}` instead"));
        }
        Err(NoRule::Unknown) => {
            let known = RULES.iter().map(|rule| rule.id).chain(squawks().keys().map(String::as_str));
            let problem = reader.problem(key.span(), format!("there is no rule `{}`", key.get_ref()));
            match closest(key.get_ref(), known) {
                Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
                None => problem.hint("the rules are in docs/checks.md"),
            };
        }
    }
    None
}

fn word(reader: &mut Reader<'_>, word: &Spanned<String>) -> Option<Wish> {
    match word.get_ref().as_str() {
        "off" => Some(Wish::Off),
        "warning" => Some(Wish::On(Level::Warning)),
        "error" => Some(Wish::On(Level::Error)),
        other => {
            let problem = reader.problem(word.span(), format!("`{other}` is not a level"));
            problem.hint("write `off`, `warning` or `error`");
            None
        }
    }
}

fn limits(reader: &mut Reader<'_>, named: Named, entry: &Spanned<RuleEntry>, table: &RuleTable) -> Option<Line> {
    let shape = match named.object() {
        Object::Schema | Object::Role => Some(Shape::Global),
        Object::Table | Object::View | Object::Sequence | Object::Type | Object::Index => Some(Shape::InSchema),
        Object::Column | Object::Constraint | Object::Policy => Some(Shape::InTable),
        Object::Any => Some(Shape::Whole),
        Object::Nothing => None,
    };
    let wish = match &table.level {
        Some(level) => Some(word(reader, level)?),
        None => None,
    };
    let except = match (&table.except, shape) {
        (None, _) => Vec::new(),
        (Some(except), None) => {
            reader.problem(except.span(), format!("`{}` is not about an object that could be named", named.id())).hint(
                match named {
                    Named::Ours(rule) if ACCEPTABLE.contains(&rule) => {
                        "use only a level, or let drizzle-pilot check --accept-old list the existing ones"
                    }
                    Named::Ours(Rule { family: Family::Journal | Family::Drift, .. }) => "use only a level",
                    Named::Ours(_) | Named::Squawk(..) => "use only a level, or an ignore comment in the migration",
                },
            );
            return None;
        }
        (Some(except), Some(shape)) => {
            if except.get_ref().is_empty() {
                reader.problem(except.span(), "no exception is named").hint("omit `except`");
            }
            except.get_ref().iter().filter_map(|pattern| reader.pattern(pattern, shape)).collect()
        }
    };
    if wish.is_none() && table.except.is_none() {
        reader.problem(entry.span(), "the table is empty").hint("write `level`, `except`, or both");
        return None;
    }
    Some(Line { wish, except })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::file::parse;
    use crate::policy::file::problem::Invalid;

    #[test]
    fn what_is_wrong_has_its_line_and_column() {
        let check = |lines: &str, line: usize, column: usize, message: &str, hint: &str| {
            let text = format!("version = 1\n{lines}\n");
            let Err(Invalid { problems, .. }) = parse(Path::new("p.toml"), &text) else { panic!("{lines}") };
            let [problem] = problems.as_slice() else { panic!("{lines}: {problems:?}") };
            let found = (problem.line, problem.column, problem.message.as_str(), problem.hint.as_deref());
            assert_eq!(found, (line, column, message, Some(hint)), "{lines}");
        };
        let rules = |line: &str| format!("[check.rules]\n{line}");
        check(&rules("drop-tabel = \"off\""), 3, 1, "there is no rule `drop-tabel`", "did you mean `drop-table`?");
        check(&rules("xyz = \"off\""), 3, 1, "there is no rule `xyz`", "the rules are in docs/checks.md");
        check(
            &rules("ban-drop-table = \"off\""),
            3,
            1,
            "there is no rule `ban-drop-table` here",
            "use `drop-table` instead",
        );
        check(&rules("drop-table = \"none\""), 3, 14, "`none` is not a level", "write `off`, `warning` or `error`");
        check(
            &rules("drop-table = { level = \"none\" }"),
            3,
            24,
            "`none` is not a level",
            "write `off`, `warning` or `error`",
        );
        check(&rules("drop-table = {}"), 3, 14, "the table is empty", "write `level`, `except`, or both");
        check(&rules("drop-table = { except = [] }"), 3, 25, "no exception is named", "omit `except`");
        check(
            &rules("journal-order = { except = [\"a\"] }"),
            3,
            28,
            "`journal-order` is not about an object that could be named",
            "use only a level, or let drizzle-pilot check --accept-old list the existing ones",
        );
        check(
            "[check]\nmigrations = []",
            3,
            14,
            "no folder is named",
            "write `migrations = [\"drizzle\"]`, or omit it",
        );
        let text = "version = 1\n[check]\nfail_on = \"never\"\n";
        let Err(Invalid { problems, .. }) = parse(Path::new("p.toml"), text) else { panic!("it is wrong") };
        assert_eq!((problems[0].line, problems[0].column), (3, 11));
    }
}
