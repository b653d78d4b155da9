//! The steps that `next` offers.

use std::fmt::Write;
use std::path::PathBuf;

use crate::cli::{PlaceArgs, Shared};
use crate::output::report::answer::{NextStep, Offer};

/// Writes command lines that mean the same project, database and policy as this one.
pub(super) struct Lines<'a> {
    pub(super) shared: &'a Shared,
    pub(super) place: &'a PlaceArgs,
}

impl Lines<'_> {
    pub(super) fn step(&self, words: &str, why: impl Into<String>, offer: Option<Offer>) -> NextStep {
        let mut line = format!("drizzle-pilot {words}");
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(line, " {name} {}", shell_words::quote(&value));
            }
        };
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        flag("--cwd", shown(&self.shared.cwd));
        flag("--config", shown(&self.shared.config));
        flag("--profile", self.shared.profile.clone());
        if !matches!(offer, Some(Offer::Generate | Offer::Push | Offer::Plan)) {
            flag("--migrations", shown(&self.place.migrations));
            // The URL may hold a password, which is no longer a partition of a line to copy.
            flag("--url", self.place.url.as_ref().map(|_| "URL".to_owned()));
        }
        NextStep { command: Some(line), why: why.into(), offer }
    }

    pub(super) fn by_hand(&self, why: impl Into<String>) -> NextStep {
        NextStep { command: None, why: why.into(), offer: None }
    }
}
