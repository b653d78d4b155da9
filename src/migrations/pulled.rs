//! Knows the first migration that `drizzle-kit pull` writes: one comment with all statements in it. Pure.

use std::sync::LazyLock;

use regex::Regex;

/// What drizzle-kit writes above the comment (0.20 to 0.31, `introspectPg` and its like).
const HEAD: &str = "-- Current sql file was generated after introspecting the database";

/// Returns the statements in the comment of a file that `drizzle-kit pull` wrote and nobody has taken out of it since.
pub fn statements(text: &str) -> Option<&str> {
    static COMMENT: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?s)^(?:\s*--[^\n]*\n)*\s*/\*(.*)\*/\s*$").expect("the pattern is right"));
    let text = text.trim_start_matches('\u{feff}');
    text.contains(HEAD).then(|| COMMENT.captures(text)).flatten()?.get(1).map(|inner| inner.as_str())
}

/// Tells whether a file is what `drizzle-kit pull` wrote, and nobody has taken its statements out of the comment.
pub fn is_pulled(text: &str) -> bool {
    statements(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PULLED: &str = "-- Current sql file was generated after introspecting the database\n-- If you want to run this migration please uncomment this code before executing migrations\n/*\nCREATE TABLE \"t\" (\n\t\"id\" integer\n);\n--> statement-breakpoint\nCREATE TABLE \"u\" ();\n\n*/";

    #[test]
    fn what_pull_wrote_is_known_until_its_statements_are_taken_out() {
        let inner = statements(PULLED).expect("it is what pull wrote");
        assert!(inner.trim().starts_with("CREATE TABLE \"t\"") && inner.trim().ends_with("CREATE TABLE \"u\" ();"));
        assert!(is_pulled(&PULLED.replace('\n', "\r\n")));
        assert!(!is_pulled(&PULLED.replace("/*", "").replace("*/", "")));
        assert!(!is_pulled("/*\nCREATE TABLE t ();\n--> statement-breakpoint\n*/"));
        assert!(!is_pulled(&format!("{PULLED}\nCREATE TABLE v ();")));
    }
}
