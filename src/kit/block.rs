//! Finds the statements that drizzle-kit prints before it asks for consent. Pure: text in, text out.
//!
//! The block is taken as it was printed, because a screen wraps, trims and wipes. It is not split here: drizzle-kit joins
//! the statements with line ends alone, and only SQL knows where one ends.

use std::borrow::Cow;

/// Stands above the statements (`push.ts` and its siblings, 0.20 to 0.31, with `verbose`).
pub const HEADING: &str = "You are about to execute current statements:";
/// Stands above the announced losses, which follow the statements.
const LOSSES: &str = "Found data-loss statements:";

/// Why the statements cannot be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Missing {
    #[error("drizzle-kit did not show the statements it would execute")]
    NoBlock,
    /// A name or a literal with line breaks can print a heading of its own.
    #[error("the heading {heading:?} was printed {n_times} times, so the end of the statements is uncertain")]
    Ambiguous { heading: &'static str, n_times: usize },
    #[error("the statements are not framed by empty lines, as drizzle-kit prints them")]
    Unframed,
    /// A name or a literal has one, and the server would get it.
    #[error(
        "a statement contains a control sequence, so the text on the screen differs from what would be sent: {0:?}"
    )]
    Controls(String),
}

/// Returns the statements, one after the other with line ends between them, as they were printed since the last prompt.
///
/// # Errors
/// When they are not there exactly once, between the heading and the announced losses or the end.
pub fn find(printed: &str) -> Result<Cow<'_, str>, Missing> {
    let begin = match only(printed, HEADING)? {
        Some(heading) => heading + HEADING.len(),
        None => return Err(Missing::NoBlock),
    };
    let end = match only(&printed[begin..], LOSSES)? {
        // Its label stands before it in the row: " Warning  Found …".
        Some(losses) => printed[..begin + losses].rfind('\n').unwrap_or(begin),
        None => printed.len(),
    };
    let framed = &printed[begin..end];
    let block = framed.strip_prefix("\n\n").and_then(|framed| framed.strip_suffix('\n'));
    let block = block.map(|block| block.trim_end_matches('\n')).filter(|block| !block.is_empty());
    let block = uncoloured(block.ok_or(Missing::Unframed)?);
    match block.lines().find(|line| line.contains('\x1b')) {
        Some(line) => Err(Missing::Controls(line.to_owned())),
        None => Ok(block),
    }
}

/// Takes away the colour that drizzle-kit gives every line of the block where it has colours at all, and no other.
fn uncoloured(block: &str) -> Cow<'_, str> {
    const BLUE: &str = "\x1b[34m";
    const NO_COLOUR: &str = "\x1b[39m";
    let plain = |line: &str| Some(line.strip_prefix(BLUE)?.strip_suffix(NO_COLOUR)?.to_owned());
    let lines: Option<Vec<String>> = block.split('\n').map(plain).collect();
    lines.map_or(Cow::Borrowed(block), |lines| Cow::Owned(lines.join("\n")))
}

/// Returns where a heading stands, if it stands there once.
fn only(text: &str, heading: &'static str) -> Result<Option<usize>, Missing> {
    let mut found = text.match_indices(heading).map(|(idx, _)| idx);
    match (found.next(), found.count()) {
        (first, 0) => Ok(first),
        (_, n_more) => Err(Missing::Ambiguous { heading, n_times: n_more + 1 }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_block_is_found_to_the_letter() {
        let check = |printed: &str, expected: Result<&str, Missing>| {
            assert_eq!(find(printed).as_deref(), expected.as_deref(), "{printed:?}")
        };
        let heading = format!("[✓] Pulling schema from database...\n Warning  {HEADING}\n\n");
        check(&format!("{heading}DROP TABLE \"a\";  \n\tx\n\n"), Ok("DROP TABLE \"a\";  \n\tx"));
        check(
            &format!(
                "{heading}CREATE TABLE \"a\" ();\n\nDROP TABLE \"b\";\n\n Warning  {LOSSES}\n\n· You're about to …\n"
            ),
            Ok("CREATE TABLE \"a\" ();\n\nDROP TABLE \"b\";"),
        );
        check("[✓] Pulling schema from database...\n", Err(Missing::NoBlock));
        check(&format!("{heading}\n"), Err(Missing::Unframed));
        check(&format!(" Warning  {HEADING} DROP TABLE a;\n\n"), Err(Missing::Unframed));
    }

    #[test]
    fn the_colour_of_a_whole_block_is_taken_away_and_no_other() {
        let printed = |block: &str| format!(" Warning  {HEADING}\n\n{block}\n\n");
        let coloured = printed("\x1b[34mDROP TABLE \"a\";\x1b[39m\n\x1b[34mDROP TABLE \"b\";\x1b[39m");
        assert_eq!(find(&coloured).as_deref(), Ok("DROP TABLE \"a\";\nDROP TABLE \"b\";"));
        for forged in [
            "DROP TABLE \"leg\x1b[0macy\";",
            "\x1b[34mDROP TABLE \"leg\x1b[0macy\";\x1b[39m",
            "SELECT '\n\x1b[34mx\x1b[39m\n';",
        ] {
            assert!(matches!(find(&printed(forged)), Err(Missing::Controls(_))), "{forged:?}");
        }
    }

    #[test]
    fn a_heading_inside_a_literal_makes_the_block_uncertain() {
        for forged in [HEADING, LOSSES] {
            let printed = format!(
                " Warning  {HEADING}\n\nALTER TABLE a ALTER b SET DEFAULT '\n Warning  {forged}\n\n';\n\n Warning  {LOSSES}\n\n"
            );
            let ambiguous = Missing::Ambiguous { heading: forged, n_times: 2 };
            assert_eq!(find(&printed), Err(ambiguous));
        }
        // Without losses, a literal can print their heading once; what is cut off must then fail as SQL.
        let printed = format!(" Warning  {HEADING}\n\nSELECT '\n\n{LOSSES}\n';\n\n");
        assert_eq!(find(&printed).as_deref(), Ok("SELECT '"));
    }
}
