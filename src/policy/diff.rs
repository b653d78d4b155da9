//! Compares the text of a policy with what it was, as lines to write and where. Pure.

use std::fmt;
use std::ops::Range;

use similar::{Algorithm, capture_diff_slices};

/// Lines to add to a policy file or to put in place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) place: Place,
    pub(crate) lines: Vec<String>,
}

/// Where lines go in a file whose lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// The file does not exist yet.
    NewFile,
    /// At the end of the file.
    End,
    /// Under the header of a section.
    Under { header: String, line: usize },
    /// Before the first line, or after the one given.
    After(usize),
    /// In place of these lines, the last included.
    Instead { first: usize, last: usize },
}

/// Shows what follows the name of the file: the place and the lines.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let preposition = if self.lines.is_empty() { "without" } else { "in place of" };
        match &self.place {
            // The end is where one expects to write.
            Place::NewFile | Place::End => {}
            Place::Under { header, line } => write!(f, ", under {header}, line {line}")?,
            Place::After(0) => f.write_str(", before the first line")?,
            Place::After(line) => write!(f, ", after line {line}")?,
            Place::Instead { first, last } if first == last => write!(f, ", {preposition} line {first}")?,
            Place::Instead { first, last } => write!(f, ", {preposition} lines {first} to {last}")?,
        }
        if !self.lines.is_empty() {
            f.write_str(":")?;
        }
        self.lines.iter().try_for_each(|line| match line.as_str() {
            "" => f.write_str("\n"),
            line => write!(f, "\n      {line}"),
        })
    }
}

impl Place {
    /// Returns the place of lines that are replaced, or of none between two lines.
    fn of(old: &[&str], replaced: Range<usize>) -> Place {
        if !replaced.is_empty() {
            return Place::Instead { first: replaced.start + 1, last: replaced.end };
        }
        if replaced.start == old.len() {
            return Place::End;
        }
        match replaced.start.checked_sub(1).map(|before| old[before].trim()) {
            Some(header) if header.starts_with('[') && header.ends_with(']') => {
                Place::Under { header: header.to_owned(), line: replaced.start }
            }
            _ => Place::After(replaced.start),
        }
    }

    pub(super) fn about_the_file(&self) -> &'static str {
        match self {
            Place::NewFile => " (a new file)",
            Place::End | Place::Under { .. } | Place::After(_) | Place::Instead { .. } => "",
        }
    }
}

/// Compares two texts line by line.
pub(super) fn changes(old: &str, new: &str) -> Vec<Change> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let ops = capture_diff_slices(Algorithm::Myers, &old, &new);
    let changed = ops.iter().filter(|op| old[op.old_range()] != new[op.new_range()]);
    changed
        .map(|op| {
            // The empty line that sets off what is appended is not worth asking for.
            let lines = new[op.new_range()].iter().skip_while(|line| line.is_empty());
            Change { place: Place::of(&old, op.old_range()), lines: lines.map(|line| (*line).to_owned()).collect() }
        })
        .collect()
}
