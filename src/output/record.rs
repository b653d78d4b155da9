//! What a command has learned, and its report says. Pure.

use std::path::PathBuf;

use crate::command_name::CommandName;
use crate::compare::difference::Differences;
use crate::kit::config::FailedStatement;
use crate::outcome::Verdict;
use crate::output::report::answer::Answer;
use crate::output::report::comparison::Comparison;
use crate::output::report::{self, Report};

/// How the end of a command is shown in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    Run,
    /// By hazard, and with the statements in full.
    Plan,
    /// Not at all: the command has shown its answer. That there are changes is part of it, and no failure.
    Answered,
}

/// What is put into the report besides the verdict.
#[derive(Debug, Default)]
pub struct Record {
    pub policy: report::Policy,
    pub profile: Option<String>,
    pub kit: Option<report::Kit>,
    pub target: Option<report::Target>,
    pub prompts: Vec<report::Prompt>,
    pub statements: Vec<report::Statement>,
    /// Statements of the plan that change nothing, and that nobody executes.
    pub phantoms: Vec<report::Statement>,
    pub migrations: Option<report::Migrations>,
    /// The migrations folder that drizzle's config names, once it was loaded.
    pub out: Option<PathBuf>,
    /// The statement that failed, as drizzle-kit's driver told.
    pub failed: Option<FailedStatement>,
    /// What drizzle-kit printed, where that is the result of the run.
    pub printed: Option<String>,
    /// What the schema files make, as drizzle-kit 1.0 says it.
    pub exported: Vec<String>,
    pub warnings: Vec<String>,
    pub refusals: Vec<report::Refusal>,
    pub counted: Option<report::Counted>,
    pub steps: Vec<report::Step>,
    pub findings: Vec<report::Finding>,
    /// How the database differs from what it was compared with.
    pub comparisons: Vec<Differences>,
    pub answer: Answer,
    pub timings: report::Timings,
    /// Whether notices are left out: a second look at the same run makes none.
    pub is_silent: bool,
}

impl Record {
    /// Makes an empty one, for a run that was asked to use this profile.
    pub fn new(profile: Option<&str>) -> Record {
        Record { profile: profile.map(str::to_owned), ..Record::default() }
    }

    /// Makes an empty one for a second look, which makes no notices.
    pub fn silent(profile: Option<&str>) -> Record {
        Record { is_silent: true, ..Record::new(profile) }
    }

    /// Returns the report of a command that ended like this.
    pub fn report(&self, command: CommandName, verdict: &Verdict) -> Report {
        Report {
            schema: 1,
            command: command.as_str().to_owned(),
            outcome: verdict.exit.name().to_owned(),
            code: verdict.exit.code(),
            database: verdict.database,
            summary: verdict.summary.clone(),
            target: self.target.clone(),
            kit: self.kit.clone(),
            profile: self.profile.clone(),
            policy: self.policy.clone(),
            prompts: self.prompts.clone(),
            statements: self.statements.iter().chain(&self.phantoms).cloned().collect(),
            migrations: self.migrations.clone(),
            warnings: self.warnings.clone(),
            refusals: self.refusals.clone(),
            findings: self.findings.clone(),
            comparisons: self.comparisons.iter().map(Comparison::of).collect(),
            error: verdict.error.as_deref().cloned(),
            counted: self.counted.clone(),
            steps: self.steps.clone(),
            answer: self.answer.clone(),
            timings: self.timings.clone(),
        }
    }
}
