//! How a command ends: the exit codes, what is known about the database, and the verdict that says both in words.
//!
//! The table of the codes is an API: scripts branch on it, and `docs/exit-codes.md` is made from it.

use schemars::JsonSchema;
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// How a run of this program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    Ok,
    Failed,
    Changes,
    Refused,
    UnknownPrompt,
    StalePlan,
    Partial,
    Unproven,
    Usage,
    BadMigrations,
    Unavailable,
    Internal,
    Locked,
    Guarded,
    Config,
    Timeout,
    CannotRun,
    NotFound,
    /// Ended by this signal.
    Signal(i32),
}

/// A row of the documentation.
pub struct Row {
    pub exit: Exit,
    pub means: &'static str,
    pub database: &'static str,
}

/// Every exit code, in the order of the documentation. [`Exit::Signal`] stands for all signals.
pub const TABLE: [Row; 19] = [
    row(Exit::Ok, "done and proven: applied, or nothing to do", "as reported"),
    row(Exit::Failed, "the kit or a step failed before anything was executed", "unchanged"),
    row(
        Exit::Changes,
        "`plan`, `status`, `check`, `next`, `init --dry-run`: there are changes, pending migrations or findings",
        "unchanged",
    ),
    row(Exit::Refused, "the policy refused a prompt or a statement", "unchanged"),
    row(Exit::UnknownPrompt, "a prompt that was not recognised, or that has two readings", "unchanged"),
    row(Exit::StalePlan, "the database or the schema changed since the plan was made", "unchanged"),
    row(Exit::Partial, "failed after consent: some statements may have run", "**may be changed**"),
    row(Exit::Unproven, "the kit ended and showed neither success nor failure", "**may be changed**"),
    row(Exit::Usage, "wrong command line", "unchanged"),
    row(Exit::BadMigrations, "a migrations folder or journal that cannot be used", "unchanged"),
    row(Exit::Unavailable, "the database could not be reached or refused the login", "unchanged"),
    row(Exit::Internal, "a bug in drizzle-pilot", "see the message"),
    row(Exit::Locked, "another run holds the lock and did not release it in time", "unchanged"),
    row(Exit::Guarded, "this environment or target is not allowed for this command", "unchanged"),
    row(Exit::Config, "the policy or drizzle's config is missing, malformed or contradictory", "unchanged"),
    row(Exit::Timeout, "a deadline passed (the message says whether before or after consent)", "see the message"),
    row(Exit::CannotRun, "drizzle-kit or node cannot be executed", "unchanged"),
    row(Exit::NotFound, "drizzle-kit, node or git is not installed", "unchanged"),
    row(Exit::Signal(0), "ended by signal n, after the kit was stopped", "see the message"),
];

const fn row(exit: Exit, means: &'static str, database: &'static str) -> Row {
    Row { exit, means, database }
}

impl Exit {
    /// Returns the number for the shell.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Changes => 2,
            Exit::Refused => 3,
            Exit::UnknownPrompt => 4,
            Exit::StalePlan => 5,
            Exit::Partial => 6,
            Exit::Unproven => 7,
            Exit::Usage => 64,
            Exit::BadMigrations => 65,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::Locked => 75,
            Exit::Guarded => 77,
            Exit::Config => 78,
            Exit::Timeout => 124,
            Exit::CannotRun => 126,
            Exit::NotFound => 127,
            Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }

    /// Returns the name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failed => "failed",
            Exit::Changes => "changes",
            Exit::Refused => "refused",
            Exit::UnknownPrompt => "unknown-prompt",
            Exit::StalePlan => "stale-plan",
            Exit::Partial => "partial",
            Exit::Unproven => "unproven",
            Exit::Usage => "usage",
            Exit::BadMigrations => "bad-migrations",
            Exit::Unavailable => "unavailable",
            Exit::Internal => "internal",
            Exit::Locked => "locked",
            Exit::Guarded => "guarded",
            Exit::Config => "config",
            Exit::Timeout => "timeout",
            Exit::CannotRun => "cannot-run",
            Exit::NotFound => "not-found",
            Exit::Signal(_) => "signal",
        }
    }
}

/// What is known about the database at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Database {
    Unchanged,
    Changed,
    Maybe,
}

impl Database {
    /// Returns the sentence that ends a failing run.
    pub fn sentence(self) -> &'static str {
        match self {
            Database::Unchanged => "Nothing was executed.",
            Database::Changed | Database::Maybe => "The database may be partly changed.",
        }
    }
}

/// How a run ended, before it is reported.
#[derive(Debug, Clone)]
pub struct Verdict {
    pub exit: Exit,
    pub database: Database,
    /// One sentence, lowercase, without a full stop.
    pub summary: String,
    pub error: Option<Box<Error>>,
    pub hint: Option<String>,
}

impl Verdict {
    /// Makes a verdict for a run that executed nothing.
    pub fn nothing(exit: Exit, summary: impl Into<String>) -> Verdict {
        Verdict { exit, database: Database::Unchanged, summary: summary.into(), error: None, hint: None }
    }

    /// Makes a verdict for a run whose statements may have run.
    pub fn maybe(exit: Exit, summary: impl Into<String>) -> Verdict {
        Verdict { database: Database::Maybe, ..Verdict::nothing(exit, summary) }
    }

    /// Makes the verdict for something that should not happen.
    pub fn internal(doing: &str, error: &std::io::Error) -> Verdict {
        Verdict::maybe(Exit::Internal, format!("{doing}: {error}"))
    }

    /// Makes the verdict for a config of drizzle's that could not be loaded.
    pub fn config_not_loaded(error: &str) -> Verdict {
        let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        let cause = Error { message: error.to_owned(), ..Error::default() };
        Verdict::nothing(Exit::Config, format!("drizzle's config cannot be loaded: {first}")).because(cause)
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(self, hint: impl Into<String>) -> Verdict {
        Verdict { hint: Some(hint.into()), ..self }
    }

    /// Adds the error that was met.
    #[must_use]
    pub fn because(self, error: Error) -> Verdict {
        Verdict { error: Some(Box::new(error)), ..self }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Error {
    /// SQLSTATE, or the code of the driver or of node.
    pub sqlstate: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub statement: Option<String>,
    /// The migration file that contains the statement.
    pub file: Option<String>,
    /// The line in that file where the statement failed, or begins.
    pub line: Option<usize>,
    /// What to do about the error.
    pub hint: Option<String>,
}

/// What to do when the lock was lost.
pub const LOCK_LOST: &str =
    "the connection that held the lock was closed: check the logs of the server and its pooler, then run it again";

/// Returns the name of a signal that ends us.
pub fn signal_name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        SIGHUP => "SIGHUP",
        _ => "a signal",
    }
}

/// Returns all codes with their names, in one line.
pub fn listed() -> String {
    let listed = TABLE.iter().map(|Row { exit, .. }| format!("{} {}", number(*exit), exit.name()));
    listed.collect::<Vec<_>>().join(", ")
}

/// Returns the table of `docs/exit-codes.md`.
pub fn markdown() -> String {
    let mut table = String::from("| code | name | means | database |\n|---|---|---|---|\n");
    for Row { exit, means, database } in &TABLE {
        table += &format!("| {} | `{}` | {means} | {database} |\n", number(*exit), exit.name());
    }
    table
}

fn number(exit: Exit) -> String {
    match exit {
        Exit::Signal(_) => "128+n".to_owned(),
        exit => exit.code().to_string(),
    }
}

/// Returns the words of an error and of everything that caused it, on one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_endings_share_a_code_or_a_name() {
        for (idx, Row { exit, .. }) in TABLE.iter().enumerate() {
            for Row { exit: other, .. } in &TABLE[idx + 1..] {
                assert_ne!(exit.name(), other.name());
                assert_ne!(exit.code(), other.code());
            }
        }
        assert_eq!(Exit::Signal(15).code(), 143);
    }

    #[test]
    fn every_cause_is_said_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("{0}")]
        struct Failed(&'static str, #[source] Option<Box<Failed>>);
        let disk = Failed("the disk is full", None);
        let file = Failed("writing a file", Some(Box::new(disk)));
        assert_eq!(
            with_causes(&Failed("keeping a plan", Some(Box::new(file)))),
            "keeping a plan: writing a file: the disk is full"
        );
        assert_eq!(with_causes(&Failed("no reason", None)), "no reason");
    }
}
