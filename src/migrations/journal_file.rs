//! Reads the text of a journal (`meta/_journal.json`) into its entries, each with its place. Pure: text in, value out.
//!
//! A journal that cannot be read is a value as well. Nobody but the caller knows whether that is a finding or the end.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::migrations::finding::{Lines, Position};

/// The journal of a migrations folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalFile {
    /// There is none.
    Missing,
    Read(Journal),
    /// Git left its conflict markers in it.
    Conflicted {
        text: String,
        at: Position,
    },
    /// It is no JSON, or not that of a journal.
    Broken {
        text: String,
        at: Position,
        message: String,
    },
}

/// A journal that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Journal {
    pub text: String,
    /// `postgresql`, `mysql`, `sqlite`, …; `pg` in the journals of drizzle-kit 0.20.
    pub dialect: Option<String>,
    /// In the order of the file, which is the order in which drizzle reads them.
    pub entries: Vec<Entry>,
}

/// A migration, as the journal lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; none where the entry has none. drizzle's migrator does not look at it.
    pub idx: Option<i64>,
    /// The name of its file, without `.sql`.
    pub tag: String,
    /// Milliseconds since 1970. drizzle's migrator runs what is newer than the newest row of the migrations table.
    pub when: i64,
    pub breakpoints: bool,
    /// Where the entry begins in the journal.
    pub at: Position,
    pub tag_at: Position,
    pub when_at: Position,
    /// Where the number is; where the entry begins if it has none.
    pub idx_at: Position,
}

impl Entry {
    /// Returns the names that the snapshot of the migration may have: the number, or whatever else stands before the first
    /// `_` of the tag, as in `20250101120000_init` (drizzle-kit 0.21 to 0.31, `prepareMigrationMetadata`).
    pub fn snapshot_names(&self) -> Vec<String> {
        let prefix = self.tag.split_once('_').map(|(prefix, _)| prefix.to_owned());
        let number = self.idx.map(|idx| format!("{idx:04}"));
        prefix.into_iter().chain(number).map(|prefix| format!("{prefix}_snapshot.json")).collect()
    }
}

#[derive(Deserialize)]
struct JournalText<'a> {
    #[serde(default)]
    dialect: Option<String>,
    #[serde(borrow)]
    entries: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct EntryText<'a> {
    #[serde(borrow, default)]
    idx: Option<&'a RawValue>,
    #[serde(borrow)]
    tag: &'a RawValue,
    #[serde(borrow)]
    when: &'a RawValue,
    #[serde(default)]
    breakpoints: bool,
}

/// Reads the text of a journal.
pub fn read(text: String) -> JournalFile {
    if let Some(at) = conflict(&text) {
        return JournalFile::Conflicted { text, at };
    }
    match entries(&text) {
        Ok((dialect, entries)) => JournalFile::Read(Journal { text, dialect, entries }),
        Err((at, message)) => JournalFile::Broken { text, at, message },
    }
}

/// Returns where git left the first of its conflict markers.
pub fn conflict(text: &str) -> Option<Position> {
    let marks = |line: &&str| {
        ["<<<<<<<", "|||||||", "=======", ">>>>>>>"].iter().any(|marker| {
            line.strip_prefix(marker).is_some_and(|rest| rest.trim_end().is_empty() || rest.starts_with(' '))
        })
    };
    // A line of `=` alone underlines a heading in a comment; a conflict begins or ends with one of the others.
    text.lines()
        .position(|line| marks(&line) && !line.starts_with('='))
        .map(|idx| Position { line: idx + 1, column: 1 })
}

pub(super) type Trouble = (Position, String);

fn entries(text: &str) -> Result<(Option<String>, Vec<Entry>), Trouble> {
    let JournalText { dialect, entries } = parse(text, text)?;
    let lines = Lines::of(text);
    let entries: Result<Vec<Entry>, Trouble> = entries.into_iter().map(|raw| entry(text, &lines, raw)).collect();
    Ok((dialect, entries?))
}

fn entry(text: &str, lines: &Lines, raw: &RawValue) -> Result<Entry, Trouble> {
    let EntryText { idx, tag, when, breakpoints } = parse(text, raw.get())?;
    let place = |part: &str| lines.position(offset(text, part));
    let at = place(raw.get());
    Ok(Entry {
        idx: idx.map(|idx| parse(text, idx.get())).transpose()?,
        tag: parse(text, tag.get())?,
        when: parse(text, when.get())?,
        breakpoints,
        at,
        tag_at: place(tag.get()),
        when_at: place(when.get()),
        idx_at: idx.map_or(at, |idx| place(idx.get())),
    })
}

/// Reads a part of a text, and says where in the whole text it is wrong.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &str, part: &'a str) -> Result<T, Trouble> {
    serde_json::from_str(part).map_err(|error| {
        let whole = error.to_string();
        // serde_json ends its messages with the place in the part; the place in the text stands before ours.
        let message = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(message, _)| message).to_owned();
        let start = Position::of(text, offset(text, part));
        let at = match error.line() {
            0 => start,
            1 => Position { line: start.line, column: start.column + error.column().saturating_sub(1) },
            line => Position { line: start.line + line - 1, column: error.column().max(1) },
        };
        (at, message)
    })
}

/// Returns where a part of a text, borrowed from it, begins, in bytes.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_knows_its_places() {
        let text = r#"{
  "version": "7",
  "dialect": "postgresql",
  "entries": [
    { "idx": 0, "version": "7", "when": 1700000000000, "tag": "0000_a", "breakpoints": true },
    {
      "when": 1700000000001,
      "tag": "0001_ö", "x": [1]
    }
  ]
}"#;
        let JournalFile::Read(journal) = read(text.to_owned()) else { panic!("the text is a journal") };
        assert_eq!(journal.dialect.as_deref(), Some("postgresql"));
        let at = |line, column| Position { line, column };
        assert_eq!(
            journal.entries,
            [
                Entry {
                    idx: Some(0),
                    tag: "0000_a".into(),
                    when: 1_700_000_000_000,
                    breakpoints: true,
                    at: at(5, 5),
                    tag_at: at(5, 63),
                    when_at: at(5, 41),
                    idx_at: at(5, 14),
                },
                Entry {
                    idx: None,
                    tag: "0001_ö".into(),
                    when: 1_700_000_000_001,
                    breakpoints: false,
                    at: at(6, 5),
                    tag_at: at(8, 14),
                    when_at: at(7, 15),
                    idx_at: at(6, 5),
                },
            ]
        );
    }

    #[test]
    fn a_journal_that_cannot_be_read_says_where() {
        let check = |text: &str, line, column, message: &str| {
            let JournalFile::Broken { at, message: found, .. } = read(text.to_owned()) else { panic!("{text}") };
            assert_eq!((at, found.as_str()), (Position { line, column }, message), "{text}");
        };
        check("", 1, 1, "EOF while parsing a value");
        check("{\n  \"entries\": [\n", 3, 1, "EOF while parsing a list");
        check("{}", 1, 2, "missing field `entries`");
        check("\u{feff}{\"entries\":[]}", 1, 1, "expected value");
        check("{\"entries\":[\n  {\"tag\": \"a\"}]}", 2, 14, "missing field `when`");
        check(
            "{\"entries\":[\n {\"when\": \"x\",\n  \"tag\": \"a\"}]}",
            2,
            13,
            "invalid type: string \"x\", expected i64",
        );
        check(
            "{\"entries\":[\n {\"when\": 1.5,\n  \"tag\": \"a\"}]}",
            2,
            13,
            "invalid type: floating point `1.5`, expected i64",
        );
    }

    #[test]
    fn conflict_markers_are_not_mistaken_for_broken_json() {
        let text = "{\n<<<<<<< HEAD\n  \"entries\": []\n=======\n>>>>>>> other\n}";
        let JournalFile::Conflicted { at, .. } = read(text.to_owned()) else { panic!("there are markers") };
        assert_eq!(at, Position { line: 2, column: 1 });
        assert_eq!(conflict("-- Heading\n=======\nSELECT 1;"), None);
        assert_eq!(conflict("SELECT '<<<<<<< HEAD';"), None);
        assert_eq!(conflict("a\r\n>>>>>>>\r\n"), Some(Position { line: 2, column: 1 }));
        assert_eq!(conflict("<<<<<<<x"), None);
    }
}
