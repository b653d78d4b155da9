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
    /// Returns a step by a command, `words` being its words without what this command line says of the project.
    pub(super) fn step(&self, words: &str, why: impl Into<String>, offer: Option<Offer>) -> NextStep {
        let (words, of_kit) = match words.split_once(" -- ") {
            Some((words, of_kit)) => (words, format!(" -- {of_kit}")),
            None => (words, String::new()),
        };
        let mut line = format!("drizzle-pilot {words}");
        let mut flag = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(line, " {name} {}", shell_words::quote(&value));
            }
        };
        let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        flag("--cwd", shown(&self.shared.cwd));
        flag("--config", shown(&self.shared.config));
        flag("--policy", shown(&self.shared.policy));
        flag("--profile", self.shared.profile.clone());
        let of_migrations = ["check", "migrate", "next", "status", "sync"];
        if words.split(' ').next().is_some_and(|command| of_migrations.contains(&command)) {
            flag("--migrations", shown(&self.place.migrations));
            // The folder alone is no matter of a database. A URL may hold a password, which is no part of a line to copy.
            flag("--url", self.place.url.as_ref().filter(|_| words != "check").map(|_| "URL".to_owned()));
        }
        NextStep { command: Some(line + &of_kit), why: why.into(), offer }
    }

    pub(super) fn by_hand(&self, why: impl Into<String>) -> NextStep {
        NextStep { command: None, why: why.into(), offer: None }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, NextArgs};

    /// Every line that is printed is one that the program takes.
    #[test]
    fn a_step_says_of_the_project_what_its_command_takes() {
        let line = "drizzle-pilot next --cwd app --config c.ts --policy p.toml --profile ci --migrations m --url postgres://h/d";
        let Cli { shared, command: Command::Next(NextArgs { place }) } = Cli::parse_from(line.split(' ')) else {
            panic!("it is next")
        };
        let lines = Lines { shared: &shared, place: &place };
        let (project, folder) = ("--cwd app --config c.ts --policy p.toml --profile ci", "--migrations m");
        for (words, expected) in [
            ("check", format!("check {project} {folder}")),
            ("check --database", format!("check --database {project} {folder} --url URL")),
            ("generate", format!("generate {project}")),
            ("migrate", format!("migrate {project} {folder} --url URL")),
            ("plan", format!("plan {project}")),
            ("push", format!("push {project}")),
            ("run -- up", format!("run {project} -- up")),
            ("sync --dry-run", format!("sync --dry-run {project} {folder} --url URL")),
        ] {
            let step = lines.step(words, "", None).command.expect("it is a command");
            assert_eq!(step, format!("drizzle-pilot {expected}"));
            let taken = Cli::try_parse_from(step.split(' '));
            assert!(taken.is_ok(), "{step}: {:?}", taken.err());
        }
    }
}
