//! Text from outside within GitHub's Markdown.

use std::fmt::Write;

/// Returns a fence that no line of the text can close.
pub(super) fn fence(text: &str) -> String {
    let longest = text.lines().map(|line| line.trim_start().chars().take_while(|c| *c == '`').count()).max();
    "`".repeat(longest.unwrap_or(0).max(2) + 1)
}

/// Returns text as code within a line of a table.
pub(super) fn code(text: &str) -> String {
    format!("<code>{}</code>", inline(text))
}

/// Returns text that stays in its line and its cell, and is not taken for markup.
pub(super) fn inline(text: &str) -> String {
    let mut inline = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => inline += "&amp;",
            '<' => inline += "&lt;",
            '>' => inline += "&gt;",
            '|' | '*' | '_' | '`' | '[' | ']' | '\\' | '#' | '@' => {
                let _ = write!(inline, "&#{};", u32::from(character));
            }
            '\n' => inline.push(' '),
            _ => inline.push(character),
        }
    }
    inline
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_says_is_no_markup() {
        assert_eq!(inline("a|b <img> `c`\n@team"), "a&#124;b &lt;img&gt; &#96;c&#96; &#64;team");
        assert_eq!(fence("SELECT 1"), "```");
        assert_eq!(fence("x\n  ````\ny"), "`````");
    }
}
