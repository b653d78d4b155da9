//! Collects what is wrong with a file while it is read, and knows the line of every rule. Pure.

use std::ops::Range;

use toml::Spanned;

use crate::policy::file::problem::{Invalid, Problem, position};
use crate::policy::model::{Layer, Origin, RuleRef};
use crate::policy::name::{Pattern, Shape};
use crate::policy::toml_text::toml_key;

/// The text of a file while it is read.
pub(super) struct Reader<'a> {
    /// The path, as it is shown.
    pub(super) path: &'a str,
    pub(super) text: &'a str,
    /// The profile that is read, or none for the part that all share.
    pub(super) layer: Layer,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a str, text: &'a str) -> Reader<'a> {
        Reader { path, text, layer: None, problems: Vec::new() }
    }

    /// Notes a problem at a place of the text.
    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        self.problems.push(Problem::new(self.text, span, message.into()));
        self.problems.last_mut().expect("a problem was just added")
    }

    /// Notes that two places of the text contradict each other: at the later one, with a look at the earlier.
    pub(super) fn contradiction(&mut self, one: Range<usize>, other: Range<usize>, message: impl Into<String>) {
        let (first, second) = if one.start <= other.start { (one, other) } else { (other, one) };
        self.problem(second, message).also(first, "here too");
    }

    /// Returns the rule that stands at a place of the text, by its path below the profile that is read.
    pub(super) fn rule(&self, path: &str, span: Range<usize>) -> RuleRef {
        let path = match &self.layer {
            Some(profile) => format!("profiles.{}.{path}", toml_key(profile)),
            None => path.to_owned(),
        };
        let (line, _) = position(self.text, span.start);
        RuleRef { path, origin: Origin::File { file: self.path.to_owned(), line } }
    }

    /// Reads a pattern over the names of objects.
    pub(super) fn pattern(&mut self, text: &Spanned<String>, shape: Shape) -> Option<Pattern> {
        match Pattern::parse(text.get_ref(), shape) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.problem(text.span(), message);
                None
            }
        }
    }

    /// Returns what was read, unless something is wrong with the file.
    pub(super) fn finish<T>(self, read: Option<T>) -> Result<T, Invalid> {
        match read {
            Some(read) if self.problems.is_empty() => Ok(read),
            _ => Err(Invalid::new(self.path, self.text, self.problems)),
        }
    }
}
