//! Names that mean something else than themselves where they are put into SQL as they are, or shown on a terminal. Pure.

use std::sync::OnceLock;

use regex::Regex;

/// PostgreSQL and the regex crate read these alike. A quote ends the literal or the name that drizzle-kit opens. Control characters and what directs text change what a
/// terminal shows.
pub const ANYWHERE: &str = r#"[\u0001-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069"]"#;
/// Schemas and relations stand between single quotes as well.
pub const IN_LITERALS: &str = r#"[\u0001-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069"']"#;

/// Tells whether drizzle-kit cannot be let at a name, by the patterns that the server is asked with: one of a schema or relation, which stands in
/// literals as well, or another.
pub fn is_unsafe(name: &str, in_literals: bool) -> bool {
    let pattern = |text| Regex::new(text).expect("the pattern is right");
    static PATTERNS: OnceLock<[Regex; 2]> = OnceLock::new();
    let [anywhere, literals] = PATTERNS.get_or_init(|| [ANYWHERE, IN_LITERALS].map(pattern));
    if in_literals { literals.is_match(name) } else { anywhere.is_match(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_act_in_the_sql_of_drizzle_kit_are_told() {
        assert!(is_unsafe("it's", true) && !is_unsafe("it's", false));
        for in_literals in [true, false] {
            assert!(!is_unsafe("größe of.all*", in_literals));
            for name in ["a\"b", "a\u{1b}[2J", "a\nb", "a\u{202e}b"] {
                assert!(is_unsafe(name, in_literals), "{name:?}");
            }
        }
    }
}
