//! Writes the policy lines that would allow what was refused. Pure: the text of a policy in, changes to it out.
//!
//! An edit works on the whole text and what the user is shown is the difference, so that the lines fit the file however
//! it is laid out: with headers, dotted keys or inline tables.

use std::fmt;
use std::path::Path;

use crate::policy::diff::{self, Change, Place};
use crate::policy::edit::Draft;
use crate::policy::file::parse::parse;
use crate::policy::model::{FILE_NAME, Policy, Source};
use crate::policy::wording::one_line;

/// One way to allow what was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allow {
    /// The file to change.
    pub(crate) file: String,
    /// When this way is the right one: "to allow exactly this", "if it is new".
    pub(crate) purpose: String,
    /// What to change, from the top of the file to its end.
    pub(crate) changes: Vec<Change>,
}

impl Allow {
    /// Compares the edited text of a policy with what it was. Returns nothing if the edit is not possible, or would
    /// contradict another rule, perhaps of another profile.
    pub(super) fn of(source: &Source, purpose: &str, edit: impl Fn(&mut Draft) -> Option<()>) -> Option<Allow> {
        let (file, text) = match source {
            Source::BuiltIn => (FILE_NAME, ""),
            Source::File { path, text } => (path.as_str(), text.as_str()),
        };
        let mut draft = Draft::read(text)?;
        edit(&mut draft)?;
        let edited = draft.text();
        let mut changes = diff::changes(text, &edited);
        if *source != Source::BuiltIn && parse(Path::new(file), &edited).is_err() {
            return None;
        }
        if *source == Source::BuiltIn {
            let lines = changes.into_iter().flat_map(|change| change.lines).collect();
            changes = vec![Change { place: Place::NewFile, lines }];
        }
        Some(Allow { file: file.to_owned(), purpose: one_line(purpose), changes })
    }

    /// Sets a key of a section for the policy that applies: in its profile, where it has one, because a line of the profile
    /// wins over those that all share.
    pub(super) fn of_key(policy: &Policy, purpose: &str, section: &str, key: &str, value: &str) -> Option<Allow> {
        Allow::of(policy.source(), purpose, |draft| match policy.profile() {
            Some(profile) => draft.set(&["profiles", profile, section, key], value),
            None => draft.set(&[section, key], value),
        })
    }

    /// Returns the lines of all changes, for a report.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
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

/// Returns a path below the profile in which a rule stands, or from the root.
pub(super) fn layered<'a>(layer: Option<&'a str>, path: &[&'a str]) -> Vec<&'a str> {
    let profile = layer.map(|profile| ["profiles", profile]);
    profile.into_iter().flatten().chain(path.iter().copied()).collect()
}
