//! A finding: something about the migrations that a person should look at before they run.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    Warning,
    Error,
}

impl Level {
    /// Returns the name used in the policy file and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// A position in a text, counted from 1, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, schemars::JsonSchema)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Position {
    /// The beginning of a text.
    pub const START: Position = Position { line: 1, column: 1 };

    /// Returns the position of a byte in a text. A byte within a character stands for that character.
    pub fn of(text: &str, at: usize) -> Position {
        let at = text.floor_char_boundary(at);
        let before = &text[..at];
        let line_start = before.rfind('\n').map_or(0, |end| end + 1);
        Position {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// The lines of a text in which many places are looked up.
pub struct Lines<'a> {
    text: &'a str,
    /// Where each begins, in bytes.
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub fn of(text: &'a str) -> Lines<'a> {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        Lines { text, starts }
    }

    /// Returns the position of a byte, as [`Position::of`] does.
    pub fn position(&self, at: usize) -> Position {
        let line_idx = self.starts.partition_point(|start| *start <= at) - 1;
        let start = self.starts[line_idx];
        Position { line: line_idx + 1, ..Position::of(&self.text[start..], at - start) }
    }
}

/// Where a finding is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    pub file: PathBuf,
    pub at: Position,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file.display(), self.at.line, self.at.column)
    }
}

/// A problem in the migrations that a person should review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The stable name of the rule that found it.
    pub id: &'static str,
    pub level: Level,
    pub place: Place,
    /// What is found, in one sentence without a full stop.
    pub sentence: String,
    /// Why that matters.
    pub why: String,
    pub what_to_do: String,
    /// The file that it is about, where it may be accepted as an old fault.
    pub about: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters() {
        let text = "a\nöö x\r\n\nend";
        let check = |at, line, column| {
            assert_eq!(Position::of(text, at), Position { line, column }, "byte {at}");
            assert_eq!(Lines::of(text).position(at), Position { line, column }, "byte {at}");
        };
        check(0, 1, 1);
        check(1, 1, 2);
        check(2, 2, 1);
        check(3, 2, 1);
        check(4, 2, 2);
        check(text.find('x').expect("there is an x"), 2, 4);
        check(text.find("end").expect("there is an end"), 4, 1);
        check(text.len(), 4, 4);
        check(text.len() + 9, 4, 4);
    }
}
