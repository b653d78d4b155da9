//! What a command reports, for machines and for people. Nothing is decided here: a report shows what was.

pub mod answer;
pub mod comparison;
mod markup;
mod page;
mod plan;

use std::fmt::Write;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;

use crate::compare::phantom;
use crate::db::Dsn;
use crate::migrations::Level;
use crate::outcome::{Database, Error};
use crate::output::report::answer::Answer;
use crate::output::report::comparison::Comparison;
use crate::policy::model::Source;
use crate::policy::{self, Policies};
use crate::term::paint::{Paint, Painted};
use crate::term::redact::Secrets;

/// The report of one command: `--format json` and `--report`.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Report {
    /// The version of this format: 1.
    pub schema: u32,
    pub command: String,
    /// The name of the exit code.
    pub outcome: String,
    pub code: u8,
    pub database: Database,
    /// One sentence that explains this outcome.
    pub summary: String,
    pub target: Option<Target>,
    pub kit: Option<Kit>,
    pub profile: Option<String>,
    pub policy: Policy,
    pub prompts: Vec<Prompt>,
    /// The statements of the plan, in order. Empty if drizzle-kit did not get that far.
    pub statements: Vec<Statement>,
    /// The folder compared with the migrations table: of `status`, `migrate` and `sync`.
    pub migrations: Option<Migrations>,
    pub warnings: Vec<String>,
    pub refusals: Vec<Refusal>,
    /// What `check` found in the migrations.
    pub findings: Vec<Finding>,
    /// How the database differs from what `sync`, `check` and `next` compared it with. Absent if nothing was compared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comparisons: Vec<Comparison>,
    pub error: Option<Error>,
    /// When the rows at stake were last counted. Absent if nothing was executed, or no rows were at stake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// The steps of a reset, in order. Absent for other commands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    #[serde(flatten)]
    pub answer: Answer,
    pub timings: Timings,
}

/// When rows were counted.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Counted {
    /// RFC 3339, in UTC.
    pub at: String,
    /// Whether the tables were locked against writes from then until the commit. If not, rows that commit later are not counted.
    pub locked: bool,
}

/// A step of a reset.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Step {
    /// `reset`, `push`, `migrate`, or a command line of the policy.
    pub name: String,
    /// The name of the exit code that the step would have had by itself.
    pub outcome: String,
    pub summary: String,
    pub ms: f64,
}

/// The database, without its password.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
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
#[schemars(deny_unknown_fields)]
pub struct Kit {
    pub version: Option<String>,
    pub path: String,
}

/// The policy that decided.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Policy {
    /// The policy file; null for the built-in policy.
    pub file: Option<String>,
    /// SHA-256 of the file, in hexadecimal.
    pub digest: Option<String>,
}

impl Policy {
    /// Takes where the policies come from.
    pub fn of(policies: &Policies) -> Policy {
        let file = match policies.source() {
            Source::BuiltIn => None,
            Source::File { path, .. } => Some(path.clone()),
        };
        Policy { file, digest: policies.digest().map(str::to_owned) }
    }
}

/// A prompt and its answer.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Prompt {
    pub question: String,
    pub choices: Vec<String>,
    /// The choice that was answered; null if the run was interrupted. In a replay, the choice that the policy makes.
    pub chosen: Option<String>,
    /// In a replay, the choice in the recording, if it has one. Absent for other commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<String>,
    /// The rule that decided.
    pub rule: Option<String>,
    pub keys: Vec<String>,
    /// Milliseconds from the opening of the prompt to the Enter that answered it.
    pub latency_ms: Option<f64>,
}

/// One SQL statement of the plan.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Statement {
    pub sql: String,
    /// The kind of statement, such as `alter_table`.
    pub kind: String,
    /// The objects it names, written as in the policy.
    pub objects: Vec<String>,
    /// Why the statement needs consent. Empty if it needs none.
    pub hazards: Vec<Hazard>,
    /// The number of rows at stake, for the kind of hazard with the most rows; null if unknown.
    pub rows: Option<u64>,
    /// Whether the number includes an estimate of the server.
    pub is_estimate: bool,
    /// Whether there may be more rows.
    pub is_minimum: bool,
    /// Whether the statement changes nothing: the database has what it defines as the schema files make it. It was not
    /// judged, and nobody executes it. Absent elsewhere.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub phantom: bool,
    /// Why it changes nothing. Absent elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub verdict: Judgement,
    /// The rule that decided: among the rules that refuse the statement, or else those that allow it, the rule of the
    /// gravest hazard. Null if the statement needs no consent.
    pub rule: Option<String>,
}

/// One reason why a statement needs consent.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Hazard {
    /// The name of the hazard in the policy.
    pub hazard: String,
    /// The class of the hazard in the policy.
    pub class: String,
    /// The objects at stake, written as in the policy.
    pub objects: Vec<String>,
    /// The number of rows at stake, if known.
    pub rows: Option<u64>,
    /// Whether the number is an estimate of the server.
    pub is_estimate: bool,
    /// Whether there may be more rows: counting stopped at this number.
    pub is_minimum: bool,
    pub note: Option<String>,
    pub verdict: Judgement,
    /// The rule that decided.
    pub rule: String,
}

/// The verdict of the policy on a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    Allowed,
    Refused,
    /// The policy does not allow the statement, but only warns, in a migration (`[migrate] gate`).
    Warned,
}

impl Judgement {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Judgement::Allowed => "allowed",
            Judgement::Refused => "refused",
            Judgement::Warned => "warned",
        }
    }

    /// Returns its colour.
    fn paint(self) -> Paint {
        match self {
            Judgement::Allowed => Paint::Allowed,
            Judgement::Refused | Judgement::Warned => Paint::Refused,
        }
    }
}

impl Statement {
    /// Makes a statement of what its hazards come to.
    pub fn new(sql: String, kind: String, objects: Vec<String>, hazards: Vec<Hazard>) -> Statement {
        let deciding =
            hazards.iter().min_by_key(|hazard| (hazard.verdict == Judgement::Allowed, plan::gravity(hazard)));
        let rule = deciding.map(|hazard| hazard.rule.clone());
        let verdict = deciding.map_or(Judgement::Allowed, |hazard| hazard.verdict);
        let of_kind = |kind: &str| hazards.iter().filter(|hazard| hazard.hazard == kind).collect::<Vec<_>>();
        let kinds = hazards.iter().map(|hazard| of_kind(&hazard.hazard));
        let sums = kinds
            .filter_map(|kind| Some((kind.iter().filter_map(|hazard| hazard.rows).reduce(u64::saturating_add)?, kind)));
        let (rows, is_estimate, is_minimum) = match sums.max_by_key(|(rows, _)| *rows) {
            Some((rows, kind)) => (
                Some(rows),
                kind.iter().any(|hazard| hazard.is_estimate),
                kind.iter().any(|hazard| hazard.is_minimum || hazard.rows.is_none()),
            ),
            None => (None, false, false),
        };
        Statement {
            sql,
            kind,
            objects,
            rows,
            is_estimate,
            is_minimum,
            phantom: false,
            reason: None,
            verdict,
            rule,
            hazards,
        }
    }

    /// Makes a statement that changes nothing, for this reason.
    pub fn phantom(sql: String, kind: String, reason: String) -> Statement {
        let statement = Statement::new(sql, kind, Vec::new(), Vec::new());
        Statement { phantom: true, reason: Some(reason), ..statement }
    }
}

impl Report {
    /// Returns the statements that change something.
    fn real(&self) -> impl Iterator<Item = &Statement> {
        self.statements.iter().filter(|statement| !statement.phantom)
    }

    /// Says how many statements change nothing; nothing where there is none.
    fn repeated(&self) -> Option<String> {
        match self.statements.iter().filter(|statement| statement.phantom).count() {
            0 => None,
            n => Some(phantom::counted(n)),
        }
    }
}

impl Hazard {
    /// Returns the number of rows at stake in words, where it is known.
    pub fn quantity(&self) -> Option<String> {
        let rows = self.rows?;
        Some(match (self.is_minimum, self.is_estimate) {
            (true, _) => format!("at least {rows}"),
            (false, true) => format!("about {rows}"),
            (false, false) => rows.to_string(),
        })
    }

    /// Returns the hazard in one line, without the rule.
    pub fn text(&self) -> String {
        let mut text = self.hazard.clone();
        if !self.objects.is_empty() {
            text += &format!(" {}", self.objects.join(", "));
        }
        if let Some(rows) = self.quantity() {
            text += &format!(", {rows} {}", if self.rows == Some(1) { "row" } else { "rows" });
        }
        if let Some(note) = &self.note {
            text += &format!(" ({note})");
        }
        text
    }
}

/// A migrations folder, compared with the migrations table of a database.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Migrations {
    pub folder: String,
    /// The migrations table, with its schema.
    pub table: String,
    /// Whether the table exists.
    pub table_exists: bool,
    /// In the order of the journal.
    pub entries: Vec<Migration>,
    /// Rows of the migrations table that no migration of the folder explains.
    pub unknown: Vec<HistoryRow>,
    /// How the schema of the database differs from what the migrations create, one line each, if it was compared.
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
    /// What the state means, if something is wrong.
    pub note: Option<String>,
    /// Whether this run applied it.
    pub applied_now: bool,
}

/// A row of the migrations table.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct HistoryRow {
    pub id: i64,
    pub hash: String,
    pub created_at: Option<i64>,
    /// The folder of the migration, if drizzle-orm 1.0 wrote the row.
    pub name: Option<String>,
}

/// Something the policy refused.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
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

/// A problem in the migrations that a person should review.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Finding {
    /// The stable name of the rule.
    pub id: String,
    pub level: Level,
    /// The file, relative to the project.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// What was found.
    pub sentence: String,
    /// Why that matters.
    pub why: String,
    pub what_to_do: String,
}

/// How long it took, in milliseconds.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Timings {
    pub total_ms: f64,
    /// Until drizzle's config was read.
    pub config_ms: Option<f64>,
    /// For drizzle-pilot's inspection of the database before drizzle-kit connects.
    pub preflight_ms: Option<f64>,
}

impl Report {
    /// Returns the JSON document without the secrets.
    pub fn json(&self, secrets: &Secrets) -> String {
        let value = serde_json::to_value(self).expect("a report has only strings and numbers");
        format!("{:#}\n", secrets.redact_json(value))
    }

    /// Returns the text a person reads in ten seconds: what was asked, what was answered and why, what changed.
    pub fn text(&self) -> Painted {
        let mut text = self.head();
        text.plain(&self.asked());
        for step in &self.steps {
            let _ = writeln!(text, "  step     {}: {} ({:.1} s)", step.name, step.summary, step.ms / 1e3);
        }
        for statement in self.real() {
            for (idx, sql) in statement.sql.lines().enumerate() {
                text.plain(if idx == 0 { "  sql      " } else { "           " });
                text.add(Paint::Sql, sql);
                text.plain("\n");
            }
            for hazard in &statement.hazards {
                let _ = write!(text, "             {}: ", hazard.text());
                text.add(hazard.verdict.paint(), hazard.verdict.word());
                let _ = writeln!(text, "   [{}]", hazard.rule);
            }
        }
        if let Some(migrations) = &self.migrations {
            migrations.tell(self.command == "status", &mut |label, value| {
                let _ = writeln!(text, "  {label:<8} {value}");
            });
        }
        text.plain(&Finding::texts(&self.findings));
        text
    }

    /// Returns what was asked and answered, and why.
    fn asked(&self) -> String {
        let mut text = String::new();
        for prompt in &self.prompts {
            let chosen = prompt.chosen.as_deref().unwrap_or("(no answer: interrupted)");
            let because = prompt.rule.as_ref().map(|rule| format!("   [{rule}]")).unwrap_or_default();
            let _ = writeln!(text, "  asked    {}\n  answered {}{because}", prompt.question, chosen.trim_end());
            if let Some(recorded) = &prompt.recorded {
                let _ = writeln!(text, "  recorded {}", recorded.trim_end());
            }
        }
        text
    }

    /// Returns what was run, by what and where.
    fn head(&self) -> Painted {
        let mut text = Painted::default();
        text.add(Paint::Head, format!("{}:", self.command));
        let _ = writeln!(text, " {}", self.summary);
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
        if let Some(Counted { at, locked }) = &self.counted {
            let until = if *locked {
                "under locks that were held until the commit"
            } else {
                "rows that commit later are not counted"
            };
            line("counted", &format!("{at}; {until}"));
        }
        text
    }
}

impl Migrations {
    /// Says what there is: all of it, or what is not as it was applied before.
    fn tell(&self, all: bool, line: &mut impl FnMut(&str, &str)) {
        let counted = |n: usize, one: &str, many: &str| format!("{n} {}", if n == 1 { one } else { many });
        line("folder", &format!("{}, {}", self.folder, counted(self.entries.len(), "migration", "migrations")));
        line("table", &format!("{}{}", self.table, if self.table_exists { "" } else { ", which does not exist yet" }));
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
            line(
                "unknown",
                &format!("{created_at}  row {id} of the table{name}   (no migration here has its hash {hash}…)"),
            );
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
            humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + std::time::Duration::from_millis(when))
                .to_string()
        }
        _ => format!("{when:<20}"),
    }
}

impl Finding {
    /// Returns findings as compilers show theirs, with the reason and what to do. Of those that stand in one place for one
    /// reason, that is said once, and not all of them are shown.
    fn texts(findings: &[Finding]) -> String {
        const MOST: usize = 20;
        let belongs = |one: &Finding, other: &Finding| {
            (&one.id, &one.file, one.line, one.column) == (&other.id, &other.file, other.line, other.column)
                && (&one.why, &one.what_to_do) == (&other.why, &other.what_to_do)
        };
        let mut text = String::new();
        for together in findings.chunk_by(belongs) {
            for Finding { id, level, file, line, column, sentence, .. } in together.iter().take(MOST) {
                let _ = writeln!(text, "{file}:{line}:{column}: {}: {sentence} [{id}]", level.name());
            }
            let (n, Finding { id, why, what_to_do, .. }) = (together.len(), &together[0]);
            if n > MOST {
                let _ = writeln!(text, "and {} more of {n} [{id}]: --format json and --report FILE have all", n - MOST);
            }
            let _ = writeln!(text, "    why: {why}\n    do:  {what_to_do}");
        }
        text
    }
}

impl Target {
    /// Returns what a report says of a PostgreSQL server.
    pub fn of_postgres(dsn: &Dsn) -> Target {
        let address = dsn.address();
        Target {
            dialect: "postgresql".to_owned(),
            host: Some(address.host.to_string()),
            port: Some(address.port),
            database: Some(address.database.clone()),
            user: Some(address.user.clone()),
            schemas: Vec::new(),
        }
    }

    /// Returns the target in one line.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match (&self.host, self.port) {
            // An IPv6 address, and not the folder of a socket.
            (Some(host), Some(port)) if host.contains(':') && !host.starts_with('/') => {
                text += &format!("[{host}]:{port}");
            }
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

/// Returns the JSON schema of the report, draft 2020-12. Every field is there, and no other.
pub fn schema() -> String {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<Report>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hazard(hazard: &str, class: &str, rows: Option<u64>, verdict: Judgement, rule: &str) -> Hazard {
        Hazard {
            hazard: hazard.to_owned(),
            class: class.to_owned(),
            objects: vec!["public.users".to_owned()],
            rows,
            is_estimate: false,
            is_minimum: false,
            note: None,
            verdict,
            rule: rule.to_owned(),
        }
    }

    fn statement(hazards: Vec<Hazard>) -> Statement {
        Statement::new("SQL".to_owned(), "alter_table".to_owned(), Vec::new(), hazards)
    }

    #[test]
    fn a_statement_has_the_rule_of_what_refuses_it_or_else_of_its_gravest_hazard() {
        use Judgement::{Allowed, Refused};
        let of = |hazards: &[(&str, Judgement, &str)]| {
            let hazards = hazards.iter().map(|(class, verdict, rule)| hazard("any", class, None, *verdict, rule));
            let statement = statement(hazards.collect());
            (statement.verdict, statement.rule)
        };
        assert_eq!(of(&[]), (Allowed, None));
        let allowed = [("breaking", Allowed, "a"), ("data_loss", Allowed, "b"), ("data_loss", Allowed, "c")];
        assert_eq!(of(&allowed), (Allowed, Some("b".to_owned())));
        let refused = [("data_loss", Allowed, "a"), ("breaking", Refused, "b"), ("access", Refused, "c")];
        assert_eq!(of(&refused), (Refused, Some("c".to_owned())));
    }

    #[test]
    fn a_statement_has_the_rows_of_the_kind_of_hazard_that_puts_most_at_stake() {
        let of = |hazards: Vec<Hazard>| {
            let Statement { rows, is_estimate, is_minimum, .. } = statement(hazards);
            (rows, is_estimate, is_minimum)
        };
        let truncate = |rows: Option<u64>| hazard("truncate", "data_loss", rows, Judgement::Refused, "");
        let rewrite = hazard("rewrite_table", "blocking", Some(6), Judgement::Allowed, "");
        assert_eq!(of(Vec::new()), (None, false, false));
        assert_eq!(of(vec![truncate(None)]), (None, false, false));
        // The rows of several tables are added up, those of one table for several reasons are not.
        assert_eq!(of(vec![truncate(Some(3)), rewrite.clone(), truncate(Some(4))]), (Some(7), false, false));
        assert_eq!(of(vec![truncate(Some(3)), rewrite.clone()]), (Some(6), false, false));
        assert_eq!(of(vec![truncate(Some(7)), rewrite.clone(), truncate(None)]), (Some(7), false, true));
        let about = Hazard { is_estimate: true, ..truncate(Some(9)) };
        assert_eq!(of(vec![about, rewrite]), (Some(9), true, false));
        let counted = Hazard { is_minimum: true, ..truncate(Some(9)) };
        assert_eq!(of(vec![counted]), (Some(9), false, true));
    }

    #[test]
    fn a_number_of_rows_that_is_not_exact_says_so() {
        let exact = hazard("truncate", "data_loss", Some(1), Judgement::Refused, "");
        let about = Hazard { rows: Some(2_000_000), is_estimate: true, ..exact.clone() };
        let counted = Hazard { rows: Some(100_001), is_minimum: true, ..exact.clone() };
        let unknown = Hazard { rows: None, ..exact.clone() };
        assert_eq!(exact.text(), "truncate public.users, 1 row");
        assert_eq!(about.text(), "truncate public.users, about 2000000 rows");
        assert_eq!(counted.text(), "truncate public.users, at least 100001 rows");
        assert_eq!(unknown.text(), "truncate public.users");
    }
}
