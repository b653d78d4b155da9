//! What the commands answer that run nothing: `init`, `next`, `doctor`, `policy check` and `policy explain`.

use schemars::JsonSchema;
use serde::Serialize;

use crate::outcome::Exit;
use crate::policy::explain::{self, Explanation, Summary};

/// One field for each command that answers, absent in the reports of all others.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Answer {
    /// What `init` found, and what it writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// Where `next` sees the project stand, and what comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Advice>,
    /// What `doctor` found out, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// What `policy check` read: the policy without a profile, and with each profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<Summary>,
    /// What `policy explain` answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explained: Option<Explained>,
}

/// What `init` found, and what it writes.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Init {
    pub found: Vec<Fact>,
    pub files: Vec<File>,
    pub notes: Vec<Note>,
}

/// Something that was found out about the project.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Fact {
    pub name: &'static str,
    pub found: String,
}

/// A file that is to be written.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct File {
    pub path: String,
    pub written: bool,
    /// What it is to become, as a unified diff.
    pub diff: String,
}

/// Something that stays as it is, or that is left to do.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Note {
    pub about: String,
    pub says: String,
    /// Lines for a file of the user's.
    pub lines: Option<String>,
}

impl Note {
    /// Makes one without lines.
    pub fn new(about: impl Into<String>, says: impl Into<String>) -> Note {
        Note { about: about.into(), says: says.into(), lines: None }
    }
}

/// Where a project stands, and what to do about it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Advice {
    pub state: Stand,
    /// That of the report.
    #[serde(skip)]
    pub summary: String,
    /// What shows it, a line each.
    pub evidence: Vec<String>,
    /// The first is next.
    pub steps: Vec<NextStep>,
    pub patterns: Vec<Pattern>,
    pub notes: Vec<String>,
}

/// Where a project stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stand {
    /// Schema files, last migration and database say the same.
    Clean,
    /// The schema files have what no migration has.
    EditedSchema,
    /// So, and an enum is among it.
    EnumChange,
    /// Migrations wait to be applied.
    Pending,
    /// A migration was skipped, and drizzle will never run it.
    Skipped,
    /// The database has the tables and no recorded migrations.
    PushBuilt,
    /// The database is not what its migrations make.
    Drifted,
    /// Two branches met in the migrations folder.
    Conflict,
    /// The snapshots are not in the form that the project's drizzle-kit reads.
    StaleSnapshots,
    /// A file is not the one that was applied, is gone, or would run again; or the database has what the folder lacks.
    Astray,
    /// There are no migrations, and the database matches the schema files.
    Pushed,
    /// There are no migrations, and a push would change the database.
    Unpushed,
}

/// What comes next.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct NextStep {
    /// None: something to do by hand.
    pub command: Option<String>,
    pub why: String,
    #[serde(skip)]
    pub offer: Option<Offer>,
}

/// A command that can be run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    Generate,
    Migrate,
    Push,
    Plan,
    SyncDryRun,
    RepairOrder,
}

/// A kind of change, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Pattern {
    /// `enum`, `rename`, `cast`, `not-null` or `names`.
    pub kind: &'static str,
    pub why: String,
    pub sql: String,
}

/// What `doctor` found out about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Check {
    pub name: &'static str,
    pub state: State,
    pub found: String,
    /// What to do about the error.
    pub hint: Option<String>,
    /// How a run that needs this will end.
    #[serde(skip)]
    pub exit: Exit,
}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Ok,
    /// A run goes another way than somebody may expect.
    Warning,
    /// A run that needs this will fail.
    Problem,
}

/// What the policy answers to a question.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Explained {
    pub question: String,
    /// `yes`, `refused` or `unclear`.
    pub answer: String,
    pub says: String,
    /// The rule that answered.
    pub rule: Option<String>,
    /// The policy lines that would allow exactly this, if it is refused and any can.
    pub allow_with: Option<String>,
    /// The rules that might have answered, each with the reason why it did not.
    pub not_used: Vec<String>,
}

impl Explained {
    /// Takes what the policy answers.
    pub(crate) fn of(explanation: &Explanation) -> Explained {
        let (answer, says, allow_with) = match &explanation.answer {
            explain::Answer::Yes { what, .. } => ("yes", what, None),
            explain::Answer::No(refusal) => ("refused", &refusal.what, refusal.allow_with()),
            explain::Answer::Unclear(doubt) => ("unclear", &doubt.reason, None),
        };
        Explained {
            question: explanation.question.clone(),
            answer: answer.to_owned(),
            says: says.clone(),
            rule: explanation.answer.because().map(ToString::to_string),
            allow_with,
            not_used: explanation.not_used.clone(),
        }
    }
}
