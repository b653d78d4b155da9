//! Thinks up expressions that turn a column's values into another type, for USING. Pure: types in, expressions out.
//!
//! Which of them fits is for the rows to say (`src/db/cast/examine.rs`). The first that fits is the one to take, and so the
//! order is from what was most likely meant to what would merely work.

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::kind::{Family, Kind};

/// A way to convert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// The expression for USING.
    pub(super) using: String,
    /// True where the new value tells all that the old one told. Asked only where there is a new value.
    pub(super) kept: String,
}

/// Seconds up to here and milliseconds from here: the year 5138, and March of 1973.
const EPOCH_LIMIT: &str = "100000000000";

/// Returns ways to convert a column, the likeliest first.
///
/// What is written in another way and means the same (`007` and `7`, `t` and `true`, spaces and key order of JSON)
/// counts as kept.
pub(super) fn candidates(old: &Kind, new: &Kind, column: &str) -> Vec<Candidate> {
    use Family::{Array, Bool, Bytes, Date, Enum, Int, Json, Jsonb, Number, Text, Timestamp, TimestampTz, Uuid};
    let c = escape_identifier(column);
    let (t, bare) = (&new.text, &new.bare);
    let mut list = List { old, column: &c, candidates: Vec::new() };
    // The text itself, and without what stands for nothing.
    let texts = [c.clone(), format!("nullif({c}, '')"), format!("nullif(btrim({c}), '')")];
    // An expression's own type needs no cast; a domain, or a type with a modifier, does.
    let to = |expression: String, own: &str| match t == own {
        true => expression,
        false => format!("{expression}::{t}"),
    };

    match (old.family, new.family) {
        (Text, Text) => list.add(format!("{c}::{t}"), |x| format!("{x}::text = {c}::text")),
        (Text, Bytes) => {
            // The input format of bytea takes \x6869 for hexadecimal, and a backslash for the start of an octal number.
            list.add(format!("{c}::{t}"), |x| format!("{x} = convert_to({c}, 'UTF8') OR {x}::text = lower({c})"));
            list.add(to(format!("convert_to({c}, 'UTF8')"), "bytea"), |x| format!("convert_from({x}, 'UTF8') = {c}"));
            list.add(to(format!("decode({c}, 'hex')"), "bytea"), |x| format!("encode({x}, 'hex') = lower({c})"));
            list.add(to(format!("decode({c}, 'base64')"), "bytea"), |x| {
                format!(r"regexp_replace(encode({x}, 'base64'), '\s', '', 'g') = regexp_replace({c}, '\s', '', 'g')")
            });
        }
        (Text, Json | Jsonb) => {
            for text in &texts {
                list.add(format!("{text}::{t}"), |_| "true".to_owned());
            }
            let own = if new.family == Json { "json" } else { "jsonb" };
            list.add(to(format!("to_{own}({c})"), own), |_| "true".to_owned());
        }
        (Text, Array) => {
            list.add(format!("{c}::{t}"), |_| "true".to_owned());
            list.add(to(format!("string_to_array({c}, ',')"), "text[]"), |x| {
                format!("array_to_string({x}::text[], ',') = {c}")
            });
            list.add(format!("CASE WHEN {c} IS NOT NULL THEN ARRAY[{c}]::{t} END"), |x| {
                format!("({x})[1]::text = {c}")
            });
        }
        (Text, Int | Number) => {
            for cast in ["", "::numeric"] {
                for text in &texts {
                    list.add(format!("{text}{cast}::{t}"), |x| format!("{text}::numeric = {x}::numeric"));
                }
            }
        }
        (Text, family) => {
            for text in &texts {
                list.add(format!("{text}::{t}"), |x| match family {
                    Bool | Uuid | Enum => "true".to_owned(),
                    // Both drop something without a word: the time of day, and the zone.
                    Date => format!("{text}::timestamp = {x}::timestamp"),
                    Timestamp => format!("{text}::timestamptz::timestamp = {x}"),
                    // Without the modifier, nothing is rounded or cut.
                    _ => format!("{text}::{bare}::text = {x}::text"),
                });
            }
        }
        (Int, Bool) => list.add(to(format!("({c} <> 0)"), "boolean"), |x| format!("{x}::int = {c}")),
        (Bool, Int | Number) => list.add(to(format!("{c}::int"), "integer"), |x| format!("({x} <> 0) = {c}")),
        (Number, Int) => {
            list.add_with_way_back(format!("{c}::{t}"));
            list.add_with_way_back(format!("round({c})::{t}"));
        }
        (Int, Timestamp | TimestampTz) => {
            let zone = if new.family == Timestamp { " AT TIME ZONE 'UTC'" } else { "" };
            let own = if new.family == Timestamp { "timestamp without time zone" } else { "timestamp with time zone" };
            list.add(to(format!("(to_timestamp({c}){zone})"), own), |x| {
                format!("extract(epoch FROM {x}) = {c} AND abs({c}) < {EPOCH_LIMIT}")
            });
            list.add(to(format!("(to_timestamp({c} / 1000.0){zone})"), own), |x| {
                format!("extract(epoch FROM {x}) * 1000 = {c} AND ({c} = 0 OR abs({c}) >= {EPOCH_LIMIT})")
            });
        }
        (Timestamp | TimestampTz, Int) => {
            let zone = if old.family == Timestamp { " AT TIME ZONE 'UTC'" } else { "" };
            list.add(format!("extract(epoch FROM {c})::{t}"), |x| format!("to_timestamp({x}){zone} = {c}"));
            list.add(format!("(extract(epoch FROM {c}) * 1000)::{t}"), |x| {
                format!("to_timestamp({x} / 1000.0){zone} = {c}")
            });
        }
        (Timestamp, TimestampTz) | (TimestampTz, Timestamp) => {
            // The cast would take the time zone of whoever runs it.
            list.add(to(format!("({c} AT TIME ZONE 'UTC')"), ""), |x| format!("({x} AT TIME ZONE 'UTC') = {c}"));
        }
        (Bytes, Text) => {
            list.add(to(format!("convert_from({c}, 'UTF8')"), "text"), |x| format!("convert_to({x}, 'UTF8') = {c}"));
            list.add(to(format!("encode({c}, 'hex')"), "text"), |x| format!("decode({x}, 'hex') = {c}"));
            list.add(to(format!("encode({c}, 'base64')"), "text"), |x| format!("decode({x}, 'base64') = {c}"));
        }
        (Bytes, Uuid) => list
            .add(format!("encode({c}, 'hex')::{t}"), |x| format!("decode(replace({x}::text, '-', ''), 'hex') = {c}")),
        (Uuid, Bytes) => list.add(to(format!("decode(replace({c}::text, '-', ''), 'hex')"), "bytea"), |x| {
            format!("encode({x}, 'hex') = replace({c}::text, '-', '')")
        }),
        (Json, Jsonb) => list.add(format!("{c}::{t}"), |_| "true".to_owned()),
        (Json | Jsonb, Array | Enum | Json) => {}
        (Json | Jsonb, _) => {
            list.add(to(format!("({c} #>> '{{}}')"), "text"), |x| format!("to_jsonb({x}) = {c}::jsonb"))
        }
        (Array, Array) => {}
        (_, Array) => {
            list.add(format!("CASE WHEN {c} IS NOT NULL THEN ARRAY[{c}]::{t} END"), |x| {
                format!("({x})[1]::{} = {c}", old.text)
            });
        }
        (Array, Text) => {
            list.add_with_way_back(format!("{c}::{t}"));
            list.add(to(format!("array_to_string({c}, ',')"), "text"), |x| {
                format!("string_to_array({x}, ',')::{} = {c}", old.text)
            });
        }
        _ => {}
    }
    list.add_with_way_back(format!("{c}::{t}"));
    if old.family != Text {
        list.add(format!("{c}::text::{t}"), |x| format!("{x}::text::{} = {c}", old.text));
    }
    list.candidates
}

struct List<'a> {
    old: &'a Kind,
    column: &'a str,
    candidates: Vec<Candidate>,
}

impl List<'_> {
    /// Adds a way, with the question for it, which gets the expression in parentheses.
    fn add(&mut self, using: String, kept: impl Fn(&str) -> String) {
        if self.candidates.iter().all(|candidate| candidate.using != using) {
            let kept = kept(&format!("({using})"));
            self.candidates.push(Candidate { using, kept });
        }
    }

    /// Adds a way that is asked whether the cast back gives the old value.
    fn add_with_way_back(&mut self, using: String) {
        let (old, column) = (&self.old.text, self.column);
        self.add(using, |x| match self.old.family {
            // Some have no equality (json, point), and that of others means something else (the area of a box).
            Family::Json | Family::Other => format!("{x}::{old}::text = {column}::text"),
            _ => format!("{x}::{old} = {column}"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> Kind {
        let (name, typtype, category) = match text {
            "integer" => ("int4", "b", "N"),
            "bigint" => ("int8", "b", "N"),
            "boolean" => ("bool", "b", "B"),
            "varchar(20)" => ("varchar", "b", "S"),
            "timestamp with time zone" => ("timestamptz", "b", "D"),
            "mood" | "feeling" => ("", "e", "E"),
            "text[]" => ("_text", "b", "A"),
            name => (name, "b", ""),
        };
        let bare = text.split('(').next().unwrap_or_default().to_owned();
        Kind { text: text.to_owned(), bare, family: Family::of(name, typtype, category) }
    }

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[&str]) {
        let candidates = candidates(&kind(old), &kind(new), "c");
        assert_eq!(candidates.iter().map(|candidate| &*candidate.using).collect::<Vec<_>>(), expected, "{old} → {new}");
    }

    #[test]
    fn likely_ways_come_first() {
        check(
            "text",
            "bytea",
            &[r#""c"::bytea"#, r#"convert_to("c", 'UTF8')"#, r#"decode("c", 'hex')"#, r#"decode("c", 'base64')"#],
        );
        check("text", "mood", &[r#""c"::mood"#, r#"nullif("c", '')::mood"#, r#"nullif(btrim("c"), '')::mood"#]);
        check(
            "varchar(20)",
            "jsonb",
            &[r#""c"::jsonb"#, r#"nullif("c", '')::jsonb"#, r#"nullif(btrim("c"), '')::jsonb"#, r#"to_jsonb("c")"#],
        );
        check(
            "text",
            "text[]",
            &[
                r#""c"::text[]"#,
                r#"string_to_array("c", ',')"#,
                r#"CASE WHEN "c" IS NOT NULL THEN ARRAY["c"]::text[] END"#,
            ],
        );
        check("bigint", "boolean", &[r#"("c" <> 0)"#, r#""c"::boolean"#, r#""c"::text::boolean"#]);
        check("boolean", "bigint", &[r#""c"::int::bigint"#, r#""c"::bigint"#, r#""c"::text::bigint"#]);
        check("numeric", "integer", &[r#""c"::integer"#, r#"round("c")::integer"#, r#""c"::text::integer"#]);
        check("mood", "feeling", &[r#""c"::feeling"#, r#""c"::text::feeling"#]);
        check(
            "bigint",
            "timestamp with time zone",
            &[
                r#"(to_timestamp("c"))"#,
                r#"(to_timestamp("c" / 1000.0))"#,
                r#""c"::timestamp with time zone"#,
                r#""c"::text::timestamp with time zone"#,
            ],
        );
    }

    #[test]
    fn an_odd_column_is_quoted_everywhere() {
        for candidate in candidates(&kind("text"), &kind("uuid"), "a\"; DROP TABLE users; --") {
            for expression in [candidate.using, candidate.kept] {
                let rest = expression.replace("\"a\"\"; DROP TABLE users; --\"", "");
                assert!(!rest.contains("DROP"), "{expression}");
            }
        }
    }
}
