//! What the JSON schema says of parts that no struct can say: the keys of tables, and what may stand there. Pure.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::policy::model::{COMMANDS, HazardKey};
use crate::sql::hazard::Hazard;

pub(super) fn version_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

pub(super) fn commands_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": COMMANDS } })
}

pub(super) fn using_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "string", "pattern": "\\S" } })
}

pub(super) fn hazards_schema<Limit: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let limit = generator.subschema_for::<Limit>();
    let mut properties = serde_json::Map::new();
    for key in HazardKey::all() {
        let description = match key {
            HazardKey::Class(class) => format!("Stands for all of: {}.", listed(class.kinds().map(Hazard::name))),
            HazardKey::Kind(hazard) => format!("{}.", capitalised(hazard.meaning())),
        };
        let words = json_schema!({ "enum": key.words() });
        let value = match key {
            HazardKey::Kind(Hazard::Unclassified) => vec![words],
            _ => vec![words, limit.clone()],
        };
        properties
            .insert(key.name().to_owned(), json_schema!({ "description": description, "anyOf": value }).to_value());
    }
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn listed(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn capitalised(sentence: &str) -> String {
    let (first, rest) = sentence.split_at(1);
    first.to_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::policy::model::{HazardRule, Policy};
    use crate::policy::name::Shape;
    use crate::sql::hazard::Object;

    /// Returns the table of hazards for `docs/policy.md`.
    fn hazards_markdown() -> String {
        let mut table = String::from("| class | kind | what happens | default | limits |\n|---|---|---|---|---|\n");
        for hazard in Hazard::all() {
            let (default, _) = Policy::built_in().hazard(hazard);
            let default = match default {
                HazardRule::Refuse => "refuse",
                HazardRule::Approve => "approve, with a warning",
                HazardRule::KeepRows => "keep_rows, with a warning",
                HazardRule::Limit { .. } | HazardRule::Truncate | HazardRule::Skip => "",
            };
            let key = HazardKey::Kind(hazard);
            let only = match (hazard.object(), key.shape()) {
                (Object::Nothing, _) => "",
                (Object::Any, _) => "`only` (whole names)",
                (_, Shape::Global) => "`only` (`name`)",
                (_, Shape::InSchema) => "`only` (`schema.name`)",
                (_, Shape::InTable | Shape::Policy | Shape::Whole) => "`only` (`schema.table.name`)",
            };
            let max_rows = if key.counts_rows() { ", `max_rows`" } else { "" };
            let class = hazard.class();
            table += &format!("| `{class}` | `{hazard}` | {} | {default} | {only}{max_rows} |\n", hazard.meaning());
        }
        table
    }

    #[test]
    fn the_documentation_has_the_table_of_hazards_and_examples_that_work() {
        let page = include_str!("../../../docs/policy.md");
        let (_, rest) = page.split_once("<!-- hazards:begin -->\n").expect("the page has the marker");
        let (table, _) = rest.split_once("<!-- hazards:end -->").expect("the page has the marker");
        assert_eq!(table, hazards_markdown(), "put the right side between the markers of docs/policy.md");
        let examples = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
        let mut n_examples = 0;
        for (example, _) in examples {
            let version = if example.contains("version = ") { "" } else { "version = 1\n" };
            parse(Path::new("docs/policy.md"), &format!("{version}{example}"))
                .unwrap_or_else(|error| panic!("{error}"));
            n_examples += 1;
        }
        assert!(n_examples > 5, "{n_examples} examples were found");
    }
}
