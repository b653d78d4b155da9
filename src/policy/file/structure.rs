//! Says in the words of the file what the TOML parser and serde find. Pure.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::policy::file::reader::Reader;
use crate::policy::wording::{closest, quoted};

const TABLE: &str = "a table: lines `key = value` below a heading, or between { and }";

/// What the TOML parser calls the one key of a date.
const DATE: &str = "$__toml_private_datetime";

/// Reports what the TOML parser or serde found.
pub(super) fn report(reader: &mut Reader<'_>, error: &toml::de::Error) {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    // serde's sentence: unknown field `x`, expected one of `a`, `b`
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.as_slice() {
        [DATE, ..] => {
            reader.problem(span, "a date is not allowed here");
        }
        [unknown, known @ ..] if message.starts_with("unknown field") => {
            let problem = reader.problem(span, format!("there is no key `{unknown}` here"));
            match closest(unknown, known.iter().copied()) {
                Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
                None => problem.hint(format!("the keys are {}", quoted(known))),
            }
        }
        [unknown, known @ ..] if message.starts_with("unknown variant") => {
            reader
                .problem(span, format!("\"{unknown}\" is not allowed here"))
                .hint(format!("it can be {}", quoted(known)));
        }
        [missing] if message.starts_with("missing field") => {
            reader.problem(span, format!("the key `{missing}` is missing"));
        }
        _ => {
            reader.problem(span, in_plain_words(message));
        }
    }
}

/// Reports what is a list and must be a table. serde takes the elements of a list for the keys of a struct, in their order.
pub(super) fn lists_for_tables(reader: &mut Reader<'_>, text: &str) {
    const TABLES: [&str; 10] =
        ["renames", "create", "push", "migrate", "sync", "guard", "reset", "check", "scratch", "when"];
    let Ok(file) = DeTable::parse(text) else { return };
    let mut layers = vec![file.get_ref()];
    if let Some(profiles) = file.get_ref().get("profiles").and_then(|profiles| profiles.get_ref().as_table()) {
        for profile in profiles.values() {
            match profile.get_ref() {
                DeValue::Table(profile) => layers.push(profile),
                DeValue::Array(_) => no_table(reader, profile.span()),
                _ => {}
            }
        }
    }
    for layer in layers {
        for (key, value) in layer.iter() {
            match value.get_ref() {
                DeValue::Array(_) if TABLES.contains(&key.get_ref().as_ref()) => no_table(reader, value.span()),
                DeValue::Array(prompts) if key.get_ref() == "prompts" => {
                    let lists = prompts.iter().filter(|prompt| matches!(prompt.get_ref(), DeValue::Array(_)));
                    lists.for_each(|list| no_table(reader, list.span()));
                }
                _ => {}
            }
        }
    }
}

fn no_table(reader: &mut Reader<'_>, span: Range<usize>) {
    reader.problem(span, format!("this is a list, and must be {TABLE}"));
}

/// Says what serde found of the wrong type, in the words of the file.
fn in_plain_words(message: &str) -> String {
    let types = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    let Some((found, expected)) = types.and_then(|types| types.split_once(", expected ")) else {
        return match message {
            // An enum takes a word alone.
            wanted if wanted.starts_with("wanted ") => "this must be one word between quotes".to_owned(),
            // What TOML's own parser says.
            other => other.trim_end_matches(", expected nothing").to_owned(),
        };
    };
    let expected = match expected {
        "u64" => "a whole number without quotes, not below 0",
        "i64" => "a whole number without quotes",
        "a string" => "a text between quotes",
        "a boolean" => "true or false, without quotes",
        "a sequence" => "a list, as in [\"a\", \"b\"]",
        "a map" => TABLE,
        name if name.starts_with("struct ") || name.ends_with(" spanned value") => TABLE,
        words => words,
    };
    let value = found.split('`').nth(1);
    let found = match (found, value) {
        ("map", _) => "a table".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        (text, _) if text.contains(DATE) => "a date".to_owned(),
        (text, _) if text.starts_with("string ") => format!("the text {}", text.trim_start_matches("string ")),
        (_, Some(value)) => value.to_owned(),
        (other, None) => other.to_owned(),
    };
    format!("this is {found}, and must be {expected}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::file::parse;
    use crate::policy::file::problem::{Invalid, Problem};

    #[test]
    fn a_file_that_is_no_toml_or_of_another_version_says_so() {
        let cases = [
            (
                "version = 2",
                "error: the version must be 1\n --> p.toml:1:11\n  |\n1 | version = 2\n  |           ^\n  |\n  = hint: a newer drizzle-pilot may have written this file",
            ),
            (
                "version = ",
                "error: string values must be quoted, expected literal string\n --> p.toml:1:11\n  |\n1 | version = \n  |           ^",
            ),
            ("version = 1\nversion = 1", "error: duplicate key\n --> p.toml:2:1\n  |\n2 | version = 1\n  | ^^^^^^^"),
            (
                "version = 1\nhazards.drop_table = [1]",
                "error: this is a list, and must be \"refuse\", \"approve\" or a table with `only` or `max_rows`\n --> p.toml:2:22\n  |\n2 | hazards.drop_table = [1]\n  |                      ^^^",
            ),
            (
                "version = 1\nhazards.drop_table = { max_rows = -1 }",
                "error: this is -1, and must be a whole number without quotes, not below 0\n --> p.toml:2:35\n  |\n2 | hazards.drop_table = { max_rows = -1 }\n  |                                   ^^",
            ),
            (
                "version = 1\n[[prompts]]\ndecline = true",
                "error: the key `question` is missing\n --> p.toml:2:1\n  |\n2 | [[prompts]]\n  | ^^^^^^^^^^^",
            ),
        ];
        for (text, expected) in cases {
            let error = parse(Path::new("p.toml"), text).expect_err("this is no policy");
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told_in_the_words_of_the_file() {
        let keys = [
            "version",
            "renames",
            "renames.otherwise",
            "renames.tables",
            "renames.tables.a",
            "create",
            "create.tables",
            "hazards",
            "hazards.drop_table",
            "hazards.drop_table.only",
            "hazards.drop_table.max_rows",
            "push",
            "push.apply",
            "migrate",
            "migrate.skipped",
            "sync",
            "sync.names",
            "using",
            "using.a",
            "prompts",
            "guard",
            "guard.hosts",
            "guard.refuse_env",
            "reset",
            "reset.then",
            "reset.before",
            "check",
            "check.migrations",
            "check.fail_on",
            "check.rules",
            "check.rules.drop-column",
            "check.rules.drop-column.except",
            "profiles",
            "profiles.p",
            "profiles.p.when",
            "profiles.p.when.env",
            "profiles.p.commands",
            "profiles.p.accept_data_loss",
            "profiles.p.guard",
        ];
        let values = [
            "-1",
            "1.5",
            "true",
            "\"x\"",
            "[1]",
            "[[\"a\"]]",
            "{ a = 1 }",
            "2020-01-01",
            "inf",
            "99999999999999999999",
        ];
        for key in keys {
            for value in values {
                let Err(Invalid { problems, .. }) = parse(Path::new("p.toml"), &format!("{key} = {value}\n")) else {
                    continue;
                };
                for Problem { message, .. } in problems {
                    let jargon =
                        ["u64", "i64", "i128", "struct", "sequence", "map", "variant", "floating", "spanned", "$_"];
                    let found = jargon.iter().find(|word| message.contains(**word));
                    assert_eq!(found, None, "{key} = {value}: {message}");
                }
            }
        }
    }

    #[test]
    fn the_words_for_a_wrong_type_say_what_is_there_and_what_must_be() {
        let said = |line: &str| match parse(Path::new("p.toml"), line) {
            Err(Invalid { problems, .. }) => problems.into_iter().map(|problem| problem.message).collect(),
            other => panic!("{line}: {other:?}"),
        };
        let check = |line: &str, expected: &str| {
            let said: Vec<String> = said(line);
            assert_eq!(said, [expected], "{line}");
        };
        let table = "a table: lines `key = value` below a heading, or between { and }";
        check(
            "hazards.drop_table.max_rows = \"10\"",
            "this is the text \"10\", and must be a whole number without quotes, not below 0",
        );
        check("hazards.drop_table.max_rows = -1", "this is -1, and must be a whole number without quotes, not below 0");
        check("version = \"1\"", "this is the text \"1\", and must be a whole number without quotes");
        check(
            "guard.hosts = \"localhost\"",
            "this is the text \"localhost\", and must be a list, as in [\"a\", \"b\"]",
        );
        check("guard.hosts = [1]", "this is 1, and must be a text between quotes");
        check(
            "profiles.p.accept_data_loss = \"no\"",
            "this is the text \"no\", and must be true or false, without quotes",
        );
        check("guard = true", &format!("this is true, and must be {table}"));
        check("guard = [[\"*\"]]", &format!("this is a list, and must be {table}"));
        check("prompts = [[\"a\", \"b\"]]", &format!("this is a list, and must be {table}"));
        check("push.apply = 1", "this must be one word between quotes");
        check("hazards.drop_table = 2020-01-01", "a date is not allowed here");
        check("a = 1_", "`_` may only go between digits");
    }
}
