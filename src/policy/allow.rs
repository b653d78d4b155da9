//! Writes the policy lines that would allow what was refused. Pure: the text of a policy in, changes to it out.
//!
//! An edit works on the whole text and what the user is shown is the difference, so that the lines fit the file however
//! it is laid out: with headers, dotted keys or inline tables.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::policy::file::parse;
use crate::policy::model::{FILE_NAME, HazardRule, Source};
use crate::policy::name::Pattern;
use crate::policy::toml_text::{toml_key, toml_string};
use crate::policy::wording::one_line;

/// One way to allow what was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allow {
    /// The file to change.
    pub file: String,
    /// When this way is the right one: "to allow exactly this", "if it is new".
    pub purpose: String,
    /// What to change, from the top of the file to its end.
    pub changes: Vec<Change>,
}

/// Lines to add to a policy file or to put in place of others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub place: Place,
    pub lines: Vec<String>,
}

/// Where lines go in a file whose lines are counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
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

impl Allow {
    /// Compares the edited text of a policy with what it was. Returns nothing if the edit is not possible, or would
    /// contradict another rule, perhaps of another profile.
    pub(super) fn of(source: &Source, purpose: &str, edit: impl Fn(&mut Draft) -> Option<()>) -> Option<Allow> {
        let (file, text) = match source {
            Source::BuiltIn => (FILE_NAME, ""),
            Source::File { path, text } => (path.as_str(), text.as_str()),
        };
        let mut draft = Draft { text: text.to_owned() };
        edit(&mut draft)?;
        let mut changes = changes(text, &draft.text);
        if *source != Source::BuiltIn && parse(Path::new(file), &draft.text).is_err() {
            return None;
        }
        if *source == Source::BuiltIn {
            let lines = changes.into_iter().flat_map(|change| change.lines).collect();
            changes = vec![Change { place: Place::NewFile, lines }];
        }
        Some(Allow { file: file.to_owned(), purpose: one_line(purpose), changes })
    }

    /// Returns the lines of all changes, for a report.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.changes.iter().flat_map(|change| change.lines.iter().map(String::as_str))
    }
}

impl fmt::Display for Allow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (change_idx, change) in self.changes.iter().enumerate() {
            match change_idx {
                0 => write!(f, "  {}{}, {}", self.file, change.place.about_the_file(), self.purpose)?,
                _ => write!(f, "\n  and in {}", self.file)?,
            }
            write!(f, "{change}")?;
        }
        Ok(())
    }
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
    fn about_the_file(&self) -> &'static str {
        match self {
            Place::NewFile => " (a new file)",
            Place::End | Place::Under { .. } | Place::After(_) | Place::Instead { .. } => "",
        }
    }
}

/// Returns the text of a policy that accepts these old faults as well, each a line of `[check] accepted`; none where the
/// text cannot be edited so.
pub fn accept(text: &str, lines: &[String]) -> Option<String> {
    let start = if text.trim().is_empty() { "version = 1\n" } else { text };
    let mut draft = Draft { text: start.to_owned() };
    let elements: String = lines.iter().map(|line| format!("\n  {},", toml_string(line))).collect();
    match draft.find(&["check", "accepted"])?.leaf {
        Some((_, Leaf::Array(span, _))) => {
            let has_line = draft.text[span.start + 1..].trim_start_matches([' ', '\t']).starts_with(['\n', '\r']);
            let end = if has_line { "" } else { "\n  " };
            draft.text.insert_str(span.start + 1, &format!("{elements}{end}"));
        }
        Some(_) => return None,
        None => draft.set(&["check", "accepted"], &format!("[{elements}\n]"))?,
    }
    parse(Path::new(FILE_NAME), &draft.text).ok().map(|_| draft.text)
}

/// The text of a policy while it is edited. Every edit leaves a file that parses, or fails.
pub(super) struct Draft {
    text: String,
}

/// Where a path leads in the tree of a file.
struct Found {
    /// The tables on the way that exist, the root first.
    tables: Vec<Table>,
    /// The key and the value at the end of the path, if they exist.
    leaf: Option<(Range<usize>, Leaf)>,
}

struct Table {
    form: Form,
    span: Range<usize>,
    is_empty: bool,
}

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// `[header]`, or the root.
    Header,
    /// Only the headers of its own tables name it, so that its header may still be written.
    Implied,
    /// `key.of.table = …`
    Dotted,
    /// `{ … }`
    Inline,
}

#[derive(Debug, Clone)]
enum Leaf {
    /// A value that stands where its span says.
    Value(Range<usize>),
    /// An array, with whether it has elements.
    Array(Range<usize>, bool),
    /// A table that is no inline table, so that its span is not its whole.
    Table,
}

impl Draft {
    /// Sets the value at a path, which is written as TOML.
    pub(super) fn set(&mut self, path: &[&str], value: &str) -> Option<()> {
        let found = self.find(path)?;
        match found.leaf {
            Some((_, Leaf::Value(span) | Leaf::Array(span, _))) => self.text.replace_range(span, value),
            Some((_, Leaf::Table)) => return None,
            None => self.add(path, value, &found.tables),
        }
        Some(())
    }

    /// Puts a string before the others of the array at a path.
    pub(super) fn push(&mut self, path: &[&str], text: &str) -> Option<()> {
        let element = toml_string(text);
        match self.find(path)?.leaf {
            Some((_, Leaf::Array(span, has_elements))) => {
                let at = span.start + 1;
                let comma = match self.text[at..].chars().next() {
                    _ if !has_elements => "",
                    Some('\n' | '\r') => ",",
                    _ => ", ",
                };
                self.text.insert_str(at, &format!("{element}{comma}"));
                Some(())
            }
            Some((_, Leaf::Value(_) | Leaf::Table)) => None,
            None => self.set(path, &format!("[{element}]")),
        }
    }

    /// Sets the rule of a hazard.
    pub(super) fn set_hazard(&mut self, path: &[&str], rule: &HazardRule) -> Option<()> {
        let (Some((_, Leaf::Table)), HazardRule::Limit { only, max_rows }) = (self.find(path)?.leaf, rule) else {
            return self.set(path, &hazard_value(rule));
        };
        // The limits stand on lines of their own.
        let limits =
            [("only", only.as_ref().map(|only| only_value(only))), ("max_rows", max_rows.map(|rows| rows.to_string()))];
        for (key, value) in limits {
            let path: Vec<&str> = path.iter().copied().chain([key]).collect();
            match value {
                Some(value) => self.set(&path, &value)?,
                None if self.find(&path)?.leaf.is_some() => self.remove(&path)?,
                None => {}
            }
        }
        Some(())
    }

    /// Adds a table to the array of tables at a path. The values are written as TOML.
    pub(super) fn push_table(&mut self, path: &[&str], entries: &[(&str, String)]) -> Option<()> {
        let entries: Vec<String> = entries.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        match self.find(path)?.leaf {
            Some((_, Leaf::Array(span, has_elements))) if !self.text[span.clone()].starts_with("[[") => {
                let comma = if has_elements { ", " } else { "" };
                self.text.insert_str(span.start + 1, &format!("{{ {} }}{comma}", entries.join(", ")));
            }
            _ => self.append(&format!("[[{}]]\n{}", dotted(path), entries.join("\n"))),
        }
        Some(())
    }

    /// Removes a key with its value.
    pub(super) fn remove(&mut self, path: &[&str]) -> Option<()> {
        let found = self.find(path)?;
        let (key, Leaf::Value(value) | Leaf::Array(value, _)) = found.leaf? else { return None };
        if found.tables.last()?.form == Form::Inline {
            let before = self.text[..key.start].trim_end();
            let after = self.text[value.end..].trim_start();
            let range = if after.starts_with(',') {
                key.start..self.text.len() - after.len() + 1
            } else {
                // The last entry takes the comma before it along.
                before.strip_suffix(',').unwrap_or(before).len()..value.end
            };
            // A dotted key begins before its last part.
            if !before.ends_with([',', '{']) {
                return None;
            }
            self.text.replace_range(range, "");
        } else if found.tables.iter().any(|table| table.form == Form::Inline) {
            return None;
        } else {
            let lines = self.lines_of(key.start..value.end);
            self.text.replace_range(lines, "");
        }
        Some(())
    }

    fn find(&self, path: &[&str]) -> Option<Found> {
        let root = DeTable::parse(&self.text).ok()?;
        let (leaf_key, parents) = path.split_last()?;
        let mut table = root.get_ref();
        let mut tables = vec![Table { form: Form::Header, span: 0..0, is_empty: table.is_empty() }];
        for key in parents {
            match table.get(*key).map(|value| (value.span(), value.get_ref())) {
                Some((span, DeValue::Table(next))) => {
                    table = next;
                    tables.push(Table { form: self.form(&span), span, is_empty: next.is_empty() });
                }
                Some(_) => return None,
                None => return Some(Found { tables, leaf: None }),
            }
        }
        let leaf = table.get_key_value(*leaf_key).map(|(key, value)| (key.span(), self.leaf(value)));
        Some(Found { tables, leaf })
    }

    fn leaf(&self, value: &Spanned<DeValue<'_>>) -> Leaf {
        match value.get_ref() {
            DeValue::Table(_) if self.form(&value.span()) != Form::Inline => Leaf::Table,
            DeValue::Array(array) => Leaf::Array(value.span(), !array.is_empty()),
            _ => Leaf::Value(value.span()),
        }
    }

    /// The span of a table is its header, its braces, or else the first key that implies it.
    fn form(&self, span: &Range<usize>) -> Form {
        if self.text[span.start..].starts_with('{') {
            Form::Inline
        } else if self.text[span.start..].starts_with('[') {
            Form::Header
        } else if self.text[self.line_start(span.start)..].trim_start().starts_with('[') {
            Form::Implied
        } else {
            Form::Dotted
        }
    }

    /// Adds what is missing of a path below the tables that exist.
    fn add(&mut self, path: &[&str], value: &str, tables: &[Table]) {
        let entry = |depth: usize| format!("{} = {value}", dotted(&path[depth..]));
        let last = &tables[tables.len() - 1];
        let missing = path.len() - tables.len();
        if let Some(depth) = tables.iter().rposition(|table| table.form == Form::Inline) {
            let table = &tables[depth];
            let end = if table.is_empty { " " } else { "," };
            self.text.insert_str(table.span.start + 1, &format!(" {}{end}", entry(depth)));
        } else if last.form == Form::Dotted {
            // One more line of the same kind, before the first.
            let depth = tables.iter().rposition(|table| table.form != Form::Dotted).expect("the root has a header");
            let at = self.line_start(last.span.start);
            self.text.insert_str(at, &format!("{}\n", entry(depth)));
        } else if last.form == Form::Header && missing == 0 && tables.len() > 1 {
            let at = self.line_end(last.span.end);
            self.text.insert_str(at, &format!("\n{}", entry(tables.len() - 1)));
        } else {
            let (key, header) = path.split_last().expect("a path has a key");
            self.append(&format!("[{}]\n{} = {value}", dotted(header), toml_key(key)));
        }
    }

    fn append(&mut self, lines: &str) {
        if !self.text.is_empty() {
            let end = if self.text.ends_with('\n') { "\n" } else { "\n\n" };
            self.text.push_str(end);
        }
        self.text.push_str(lines);
        self.text.push('\n');
    }

    fn line_start(&self, byte: usize) -> usize {
        self.text[..byte].rfind('\n').map_or(0, |newline| newline + 1)
    }

    fn line_end(&self, byte: usize) -> usize {
        self.text[byte..].find('\n').map_or(self.text.len(), |newline| byte + newline)
    }

    fn lines_of(&self, span: Range<usize>) -> Range<usize> {
        self.line_start(span.start)..(self.line_end(span.end) + 1).min(self.text.len())
    }
}

/// Returns a path below the profile in which a rule stands, or from the root.
pub(super) fn layered<'a>(layer: Option<&'a str>, path: &[&'a str]) -> Vec<&'a str> {
    let profile = layer.map(|profile| ["profiles", profile]);
    profile.into_iter().flatten().chain(path.iter().copied()).collect()
}

fn dotted(path: &[&str]) -> String {
    path.iter().map(|key| toml_key(key)).collect::<Vec<_>>().join(".")
}

/// Writes the rule of a hazard as TOML.
fn hazard_value(rule: &HazardRule) -> String {
    match rule {
        HazardRule::Refuse => "\"refuse\"".to_owned(),
        HazardRule::Approve => "\"approve\"".to_owned(),
        HazardRule::KeepRows => "\"keep_rows\"".to_owned(),
        HazardRule::Truncate => "\"truncate\"".to_owned(),
        HazardRule::Skip => "\"skip\"".to_owned(),
        HazardRule::Limit { only, max_rows } => {
            let only = only.as_ref().map(|only| format!("only = {}", only_value(only)));
            let max_rows = max_rows.map(|max_rows| format!("max_rows = {max_rows}"));
            format!("{{ {} }}", only.into_iter().chain(max_rows).collect::<Vec<_>>().join(", "))
        }
    }
}

fn only_value(only: &[Pattern]) -> String {
    let only: Vec<String> = only.iter().map(|pattern| toml_string(pattern.text())).collect();
    format!("[{}]", only.join(", "))
}

/// Compares two texts line by line.
fn changes(old: &str, new: &str) -> Vec<Change> {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let mut changes: Vec<Change> = Vec::new();
    let (mut old_idx, mut new_idx) = (0, 0);
    for (old_same, new_same) in common_lines(&old, &new).into_iter().chain([(old.len(), new.len())]) {
        if (old_idx, new_idx) != (old_same, new_same) {
            let place = if old_idx < old_same {
                Place::Instead { first: old_idx + 1, last: old_same }
            } else if old_idx == old.len() {
                Place::End
            } else {
                match old_idx.checked_sub(1).map(|before| old[before].trim()) {
                    Some(header) if header.starts_with('[') && header.ends_with(']') => {
                        Place::Under { header: header.to_owned(), line: old_idx }
                    }
                    _ => Place::After(old_idx),
                }
            };
            // The empty line that sets off what is appended is not worth asking for.
            let lines = new[new_idx..new_same].iter();
            let lines = lines.skip_while(|line| line.is_empty()).map(|line| (*line).to_owned()).collect();
            changes.push(Change { place, lines });
        }
        (old_idx, new_idx) = (old_same + 1, new_same + 1);
    }
    changes
}

/// Returns the pairs of lines that two texts have in common, in order.
fn common_lines(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let n_head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let tails = old[n_head..].iter().rev().zip(new[n_head..].iter().rev());
    let n_tail = tails.take_while(|(old, new)| old == new).count();
    let (old_mid, new_mid) = (&old[n_head..old.len() - n_tail], &new[n_head..new.len() - n_tail]);
    // Edits touch few lines, so that the table of the longest common subsequence stays small.
    let mut longest = vec![vec![0usize; new_mid.len() + 1]; old_mid.len() + 1];
    for old_idx in (0..old_mid.len()).rev() {
        for new_idx in (0..new_mid.len()).rev() {
            longest[old_idx][new_idx] = if old_mid[old_idx] == new_mid[new_idx] {
                longest[old_idx + 1][new_idx + 1] + 1
            } else {
                longest[old_idx + 1][new_idx].max(longest[old_idx][new_idx + 1])
            };
        }
    }
    let mut common: Vec<(usize, usize)> = (0..n_head).map(|idx| (idx, idx)).collect();
    let (mut old_idx, mut new_idx) = (0, 0);
    while old_idx < old_mid.len() && new_idx < new_mid.len() {
        if old_mid[old_idx] == new_mid[new_idx] {
            common.push((n_head + old_idx, n_head + new_idx));
            (old_idx, new_idx) = (old_idx + 1, new_idx + 1);
        } else if longest[old_idx + 1][new_idx] >= longest[old_idx][new_idx + 1] {
            old_idx += 1;
        } else {
            new_idx += 1;
        }
    }
    common.extend((0..n_tail).map(|idx| (old.len() - n_tail + idx, new.len() - n_tail + idx)));
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_faults_are_accepted_in_the_file_as_it_is_laid_out() {
        let check = |text: &str, expected: &str| {
            let line = "journal-order drizzle/0001_a.sql".to_owned();
            assert_eq!(accept(text, &[line]).as_deref(), Some(expected), "{text}");
        };
        let line = "\n  \"journal-order drizzle/0001_a.sql\",";
        check("", &format!("version = 1\n\n[check]\naccepted = [{line}\n]\n"));
        check("version = 1 # yes\n", &format!("version = 1 # yes\n\n[check]\naccepted = [{line}\n]\n"));
        check(
            "version = 1\n[check]\nfail_on = \"error\" # of all\n",
            &format!("version = 1\n[check]\naccepted = [{line}\n]\nfail_on = \"error\" # of all\n"),
        );
        check(
            "version = 1\n[check]\naccepted = [\n  # from 2023\n  \"snapshot-missing drizzle/0000_a.sql\",\n]\n",
            &format!(
                "version = 1\n[check]\naccepted = [{line}\n  # from 2023\n  \"snapshot-missing drizzle/0000_a.sql\",\n]\n"
            ),
        );
        check(
            "version = 1\n[check]\naccepted = [\"snapshot-missing drizzle/0000_a.sql\"]\n",
            &format!("version = 1\n[check]\naccepted = [{line}\n  \"snapshot-missing drizzle/0000_a.sql\"]\n"),
        );
        assert_eq!(accept("version = 1\n[check]\naccepted = 1\n", &["journal-order a.sql".to_owned()]), None);
    }
}
