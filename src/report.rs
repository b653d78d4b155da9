//! What a run reports, for machines (SPEC §6) and for people. Nothing is derived here: a report shows what was decided.

mod plan;

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::exit::{Database, Exit};
use crate::policy;
use crate::term::redact::Secrets;

/// The report of one run: `--format json` and `--report`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Report {
    /// The version of this format: 1.
    pub schema: u32,
    pub command: String,
    /// The name of the exit code.
    pub outcome: String,
    pub code: u8,
    pub database: Database,
    /// One sentence: what this outcome means here.
    pub summary: String,
    pub target: Option<Target>,
    pub kit: Option<Kit>,
    pub profile: Option<String>,
    pub policy: Policy,
    pub prompts: Vec<Prompt>,
    /// The statements of the plan, in their order. Empty where drizzle-kit did not come so far.
    pub statements: Vec<Statement>,
    /// The folder against the history: of `status`, `migrate` and `sync`.
    pub migrations: Option<Migrations>,
    pub warnings: Vec<String>,
    pub refusals: Vec<Refusal>,
    pub error: Option<Error>,
    pub timings: Timings,
}

/// The database, without its password.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Target {
    pub dialect: String,
    pub host: Option<String>,
    pub port: Option<u16>,
    pub database: Option<String>,
    pub user: Option<String>,
    pub schemas: Vec<String>,
}

/// The drizzle-kit that ran.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Kit {
    pub version: Option<String>,
    pub path: String,
}

/// The policy that decided.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Policy {
    /// The file; none for the built-in policy.
    pub file: Option<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: Option<String>,
}

/// A prompt and its answer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Prompt {
    pub question: String,
    pub choices: Vec<String>,
    /// The choice that was answered; none where the run was interrupted.
    pub chosen: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    pub keys: Vec<String>,
    /// Milliseconds from the opening of the prompt to the Enter that answered it.
    pub latency_ms: Option<f64>,
}

/// One SQL statement of the plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Statement {
    pub sql: String,
    /// What kind of statement it is, as in `alter_table`.
    pub kind: String,
    /// What it names, as the policy writes names.
    pub objects: Vec<String>,
    /// Why it needs consent. Empty where it needs none.
    pub hazards: Vec<Hazard>,
    pub verdict: Judgement,
}

/// One reason why a statement needs consent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Hazard {
    /// The name of the hazard in the policy.
    pub hazard: String,
    /// The class of the hazard in the policy.
    pub class: String,
    /// What is at stake, as the policy writes names.
    pub objects: Vec<String>,
    /// The number of rows at stake, where it is known.
    pub rows: Option<u64>,
    /// Whether that number is the server's own estimate.
    pub is_estimate: bool,
    pub note: Option<String>,
    pub verdict: Judgement,
    /// The rule that decided.
    pub rule: String,
}

/// What the policy says of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    Allowed,
    Refused,
}

impl Judgement {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Judgement::Allowed => "allowed",
            Judgement::Refused => "refused",
        }
    }
}

impl Hazard {
    /// Returns the hazard in one line, without the rule.
    pub fn text(&self) -> String {
        let mut text = self.hazard.clone();
        if !self.objects.is_empty() {
            text += &format!(" {}", self.objects.join(", "));
        }
        if let Some(rows) = self.rows {
            let about = if self.is_estimate { "about " } else { "" };
            text += &format!(", {about}{rows} {}", if rows == 1 { "row" } else { "rows" });
        }
        if let Some(note) = &self.note {
            text += &format!(" ({note})");
        }
        text
    }
}

/// A migrations folder, compared with the history of a database.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Migrations {
    pub folder: String,
    /// The table of the history, with its schema.
    pub table: String,
    /// Whether there is such a table.
    pub table_exists: bool,
    /// In the order of the journal.
    pub entries: Vec<Migration>,
    /// Rows of the history that no migration of the folder explains.
    pub unknown: Vec<HistoryRow>,
    /// How the schema of the database differs from what the migrations make, one line each. Where it was compared.
    pub differences: Option<Vec<String>>,
    /// What `sync` writes, one line each.
    pub writes: Vec<String>,
}

/// A migration of the folder.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Migration {
    pub tag: String,
    /// The `when` of the journal: milliseconds since 1970.
    pub when: i64,
    /// `applied`, `pending`, `skipped`, `edited`, `repeated` or `missing`.
    pub state: String,
    /// What that means, where it is not as it should be.
    pub note: Option<String>,
    /// Whether this run has applied it.
    pub applied_now: bool,
}

/// A row of the history.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HistoryRow {
    pub id: i64,
    pub hash: String,
    pub created_at: Option<i64>,
    /// The folder of the migration, where drizzle-orm 1.0 has written it.
    pub name: Option<String>,
}

/// Something the policy refused.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Refusal {
    pub what: String,
    /// The policy lines that would allow exactly this, if any can.
    pub allow_with: Option<String>,
    /// The same for people: every alternative, and where to put it.
    #[serde(skip)]
    pub text: String,
}

impl Refusal {
    /// Takes what the policy refused.
    pub fn of(refusal: &policy::Refusal) -> Refusal {
        Refusal { what: refusal.what.clone(), allow_with: refusal.allow_with(), text: refusal.to_string() }
    }
}

/// What went wrong.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Error {
    /// SQLSTATE, or the code of the driver or of node.
    pub sqlstate: Option<String>,
    pub message: String,
    pub detail: Option<String>,
    pub statement: Option<String>,
    /// The file of the migration that the statement stands in.
    pub file: Option<String>,
    /// Where in that file it failed, or the statement begins.
    pub line: Option<usize>,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How long it took, in milliseconds.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Timings {
    pub total_ms: f64,
    /// Until drizzle's config was known.
    pub config_ms: Option<f64>,
    /// For our own look at the database before drizzle-kit's.
    pub preflight_ms: Option<f64>,
}

impl Report {
    /// Returns the report with the texts of its statements as they may be shown.
    #[must_use]
    pub fn cleaned(mut self, clean: impl Fn(&str) -> String) -> Report {
        self.summary = clean(&self.summary);
        for prompt in &mut self.prompts {
            prompt.question = clean(&prompt.question);
            prompt.chosen = prompt.chosen.as_deref().map(&clean);
            prompt.rule = prompt.rule.as_deref().map(&clean);
        }
        if let Some(target) = &mut self.target {
            for part in [&mut target.host, &mut target.database, &mut target.user] {
                *part = part.as_deref().map(&clean);
            }
        }
        for statement in &mut self.statements {
            statement.sql = clean(&statement.sql);
            for hazard in &mut statement.hazards {
                hazard.objects.iter_mut().for_each(|object| *object = clean(object));
                hazard.rule = clean(&hazard.rule);
                hazard.note = hazard.note.as_deref().map(&clean);
            }
        }
        self
    }

    /// Returns the JSON document without the secrets.
    pub fn json(&self, secrets: &Secrets) -> String {
        let value = serde_json::to_value(self).expect("a report has only strings and numbers");
        format!("{:#}\n", secrets.redact_json(value))
    }

    /// Returns the text a person reads in ten seconds: what was asked, what was answered and why, what changed.
    pub fn text(&self) -> String {
        let mut text = self.head() + &self.asked();
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<8} {value}");
        };
        for statement in &self.statements {
            for (idx, sql) in statement.sql.lines().enumerate() {
                line(if idx == 0 { "sql" } else { "" }, sql);
            }
            for hazard in &statement.hazards {
                line("", &format!("  {}: {}   [{}]", hazard.text(), hazard.verdict.word(), hazard.rule));
            }
        }
        if let Some(migrations) = &self.migrations {
            migrations.tell(self.command == "status", &mut line);
        }
        text
    }

    /// Returns what was asked and answered, and why.
    fn asked(&self) -> String {
        let mut text = String::new();
        for prompt in &self.prompts {
            let chosen = prompt.chosen.as_deref().unwrap_or("(no answer: interrupted)");
            let because = prompt.rule.as_ref().map(|rule| format!("   [{rule}]")).unwrap_or_default();
            let _ = writeln!(text, "  asked    {}\n  answered {}{because}", prompt.question, chosen.trim_end());
        }
        text
    }

    /// Returns what was run, by what and where.
    fn head(&self) -> String {
        let mut text = format!("{}: {}\n", self.command, self.summary);
        let mut line = |label: &str, value: &str| {
            let _ = writeln!(text, "  {label:<8} {value}");
        };
        if let Some(target) = &self.target {
            line("target", &target.text());
        }
        if let Some(kit) = &self.kit {
            line("kit", &format!("drizzle-kit {}", kit.version.as_deref().unwrap_or("of an unknown version")));
        }
        let policy = self.policy.file.as_deref().unwrap_or("built-in");
        match &self.profile {
            Some(profile) => line("policy", &format!("{policy}, profile {profile}")),
            None => line("policy", policy),
        }
        text
    }
}

impl Migrations {
    /// Says what there is: all of it, or what is not as it was applied before.
    fn tell(&self, all: bool, line: &mut impl FnMut(&str, &str)) {
        let counted = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        line("folder", &format!("{}, {}", self.folder, counted(self.entries.len(), "migration", "migrations")));
        line("history", &format!("{}{}", self.table, if self.table_exists { "" } else { ", which does not exist yet" }));
        for Migration { tag, when, state, note, applied_now } in &self.entries {
            if !all && state == "applied" && !applied_now {
                continue;
            }
            let note = note.as_ref().map(|note| format!("   ({note})")).unwrap_or_default();
            line(state, &format!("{}  {tag}{note}", moment(*when)));
        }
        for HistoryRow { id, hash, created_at, name } in &self.unknown {
            let created_at = created_at.map_or_else(|| "no time".to_owned(), moment);
            let name = name.as_ref().map(|name| format!(", {name}")).unwrap_or_default();
            let hash: String = hash.chars().take(12).collect();
            line("unknown", &format!("{created_at}  row {id} of the history{name}   (no migration here has its hash {hash}…)"));
        }
        for difference in self.differences.iter().flatten() {
            line("differs", difference);
        }
        for write in &self.writes {
            line("write", write);
        }
    }
}

/// Shows a `when` of the journal as people read it.
fn moment(when: i64) -> String {
    const LAST: u64 = 253_402_300_799_999; // the end of the year 9999, which the format can show
    match u64::try_from(when) {
        Ok(when) if when <= LAST => {
            humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + std::time::Duration::from_millis(when)).to_string()
        }
        _ => format!("{when:<20}"),
    }
}

impl Target {
    /// Returns the target in one line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match (&self.host, self.port) {
            (Some(host), Some(port)) => text += &format!("{host}:{port}"),
            (Some(host), None) => text += host,
            (None, _) => text += &self.dialect,
        }
        if let Some(database) = &self.database {
            text += &format!("/{database}");
        }
        if let Some(user) = &self.user {
            text += &format!(" as {user}");
        }
        text
    }
}

/// Returns the JSON schema of the report, draft 2020-12.
pub fn schema() -> String {
    let schema = schemars::schema_for!(Report);
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
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
