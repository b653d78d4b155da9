//! Reads the lines of a fingerprint, and tells two schemas apart by them. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A difference between two schemas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Appeared { line: String },
    Disappeared { line: String },
    Changed { key: String, old: String, new: String },
}

/// A line, as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line<'a> {
    pub kind: &'a str,
    /// The name in its parts, without quotes.
    pub parts: Vec<String>,
    /// The name as it is written, and the last part of it; those of a function with its arguments.
    pub name: &'a str,
    pub own: &'a str,
    pub facts: &'a str,
}

impl<'a> Line<'a> {
    /// Reads a line.
    pub fn read(line: &'a str) -> Line<'a> {
        let (key, facts) = split(line);
        let (kind, name) = key.split_once('|').unwrap_or((key, ""));
        let (mut parts, mut quoted, mut own) = (vec![String::new()], false, name);
        let mut chars = name.char_indices().peekable();
        while let Some((idx, char)) = chars.next() {
            let part = parts.last_mut().expect("there is always a part");
            match char {
                // The arguments of a function are no part of its name.
                '(' if !quoted => break,
                '"' if quoted && chars.peek().is_some_and(|(_, next)| *next == '"') => {
                    part.extend(chars.next().map(|(_, char)| char));
                }
                '"' => quoted = !quoted,
                '.' if !quoted => {
                    parts.push(String::new());
                    own = &name[idx + 1..];
                }
                char => part.push(char),
            }
        }
        Line { kind, parts, name, own, facts }
    }

    /// Returns the schema that it lives in, or is.
    pub fn schema(&self) -> Option<&str> {
        let is_in_schema = self.kind == "schema" || self.parts.len() > 1;
        self.parts.first().map(String::as_str).filter(|_| is_in_schema && self.kind != "extension")
    }

    /// Returns the schema and the first name in it: a table, or that of which it is a part.
    pub fn of_table(&self) -> Option<[&str; 2]> {
        match self.parts.as_slice() {
            [schema, table, ..] => Some([schema, table]),
            _ => None,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Difference::Appeared { line } => write!(f, "appeared: {}", readable(line)),
            Difference::Disappeared { line } => write!(f, "disappeared: {}", readable(line)),
            Difference::Changed { key, old, new } => write!(f, "changed: {} {old} → {new}", key.replacen('|', " ", 1)),
        }
    }
}

/// Returns what a later schema has, lacks and has differently.
pub fn difference(old: &[String], new: &[String]) -> Vec<Difference> {
    let (before, after): (BTreeSet<_>, BTreeSet<_>) = (old.iter().collect(), new.iter().collect());
    let mut by_key: BTreeMap<&str, (Vec<&String>, Vec<&String>)> = BTreeMap::new();
    for line in before.difference(&after) {
        by_key.entry(split(line).0).or_default().0.push(line);
    }
    for line in after.difference(&before) {
        by_key.entry(split(line).0).or_default().1.push(line);
    }
    let mut differences = Vec::new();
    for (key, (gone, come)) in by_key {
        if let ([gone], [come]) = (&gone[..], &come[..]) {
            let (old, new) = (split(gone).1.to_owned(), split(come).1.to_owned());
            differences.push(Difference::Changed { key: key.to_owned(), old, new });
            continue;
        }
        differences.extend(gone.into_iter().map(|line| Difference::Disappeared { line: line.clone() }));
        differences.extend(come.into_iter().map(|line| Difference::Appeared { line: line.clone() }));
    }
    differences
}

fn readable(line: &str) -> String {
    let (key, facts) = split(line);
    format!("{} {facts}", key.replacen('|', " ", 1)).trim_end().to_owned()
}

/// Splits a line into `kind|name` and the facts. A `|` between double quotes belongs to the name.
fn split(line: &str) -> (&str, &str) {
    let (mut n_bars, mut quoted) = (0, false);
    for (idx, char) in line.char_indices() {
        match char {
            '"' => quoted = !quoted,
            '|' if !quoted => n_bars += 1,
            _ => {}
        }
        if n_bars == 2 {
            return (&line[..idx], &line[idx + 1..]);
        }
    }
    (line, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: &[&str], new: &[&str], expected: &[&str]) {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let differences = difference(&lines(old), &lines(new));
        assert_eq!(differences.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_came_went_and_changed_is_told_apart() {
        check(
            &[
                "column|public.users.age|integer",
                "column|public.users.name|text",
                "schema|old|",
                "table|public.users|kind=r",
            ],
            &["column|public.users.age|bigint notnull", "column|public.users.nick|text", "table|public.users|kind=r"],
            &[
                "changed: column public.users.age integer → bigint notnull",
                "disappeared: column public.users.name text",
                "appeared: column public.users.nick text",
                "disappeared: schema old",
            ],
        );
        check(&["schema|a|"], &["schema|a|"], &[]);
    }

    #[test]
    fn a_bar_in_a_quoted_name_or_in_the_facts_splits_nothing() {
        check(
            &[r#"column|public."a|""b".c|text default='x'::text"#],
            &[r#"column|public."a|""b".c|text default='x|y'::text"#],
            &[r#"changed: column public."a|""b".c text default='x'::text → text default='x|y'::text"#],
        );
    }

    #[test]
    fn a_line_is_read_as_it_was_written() {
        let line = Line::read(r#"column|public."a.""b|".c|text default='x.y'"#);
        assert_eq!(line.kind, "column");
        assert_eq!(line.parts, ["public", "a.\"b|", "c"]);
        assert_eq!((line.name, line.own), (r#"public."a.""b|".c"#, "c"));
        assert_eq!(line.facts, "text default='x.y'");
        let function = Line::read("function|app.f(a.b)|x");
        assert_eq!((function.parts, function.own), (vec!["app".to_owned(), "f".to_owned()], "f(a.b)"));
        assert_eq!(Line::read("schema|app|").schema(), Some("app"));
    }
}
