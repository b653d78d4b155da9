//! Writes keys and strings of TOML on one line. Pure.

use toml_edit::Key;

/// Writes a key of TOML: bare where that is possible, else quoted, always on one line.
pub(in crate::policy) fn toml_key(key: &str) -> String {
    Key::new(key).display_repr().into_owned()
}

/// Writes a string of TOML on one line. (As a value, toml_edit itself would spread some over several.)
pub(in crate::policy) fn toml_string(text: &str) -> String {
    let key = toml_key(text);
    if key.starts_with(['"', '\'']) { key } else { format!("\"{key}\"") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_stay_on_one_line() {
        let cases =
            [("a", "\"a\""), ("a.b", "\"a.b\""), ("a\"b", "'a\"b'"), ("a\nb", "\"a\\nb\""), ("a'\"", "\"a'\\\"\"")];
        for (text, expected) in cases {
            assert_eq!(toml_string(text), expected);
        }
        assert_eq!(toml_key("a"), "a");
    }
}
