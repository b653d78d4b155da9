//! Reads the text of a `.env` file as node's dotenv reads it. Pure: text in, variables out.
//!
//! The reference is `parse` of the npm package dotenv (`lib/main.js`, the same in 16.0 to 17.4), which drizzle-kit, its
//! config and most projects load: its regular expressions, run by an engine that has JavaScript's. It passes over every
//! line that it does not understand, and replaces no `$NAME`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regress::Regex;

/// A line, or several where a quoted value has several.
static LINE: LazyLock<Regex> = LazyLock::new(|| {
    js(
        r#"(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)"#,
    )
});
static LINE_END: LazyLock<Regex> = LazyLock::new(|| js(r"\r\n?"));
static QUOTES: LazyLock<Regex> = LazyLock::new(|| js(r#"^(['"`])([\s\S]*)\1$"#));
/// What `trim` of JavaScript takes away.
static MARGIN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^\s+|\s+$").expect("the pattern is right"));

fn js(pattern: &str) -> Regex {
    Regex::with_flags(pattern, "m").expect("the pattern is dotenv's")
}

/// Returns the variables. The last line of a name wins.
pub fn parse(text: &str) -> BTreeMap<String, String> {
    let text = LINE_END.replace_all(text, "\n");
    let mut variables = BTreeMap::new();
    for line in LINE.find_iter(&text) {
        let part = |group: usize| line.group(group).map_or("", |range| &text[range]);
        variables.insert(part(1).to_owned(), value(part(2)));
    }
    variables
}

fn value(written: &str) -> String {
    let written = MARGIN.replace_all(written, "");
    let bare = QUOTES.replace_all(&written, "$2");
    if written.starts_with('"') { bare.replace("\\n", "\n").replace("\\r", "\r") } else { bare }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by dotenv itself, which `tests/live/readings.rs` proves.
    const AS_NODE_READS_IT: &str = include_str!("../../fixtures/readings/dotenv.json");

    #[test]
    fn a_file_is_read_as_dotenv_reads_it() {
        let cases: Vec<(String, BTreeMap<String, String>)> =
            serde_json::from_str(AS_NODE_READS_IT).expect("the table is JSON");
        assert!(cases.len() > 60, "{}", cases.len());
        for (text, expected) in cases {
            assert_eq!(parse(&text), expected, "{text:?}");
        }
    }
}
