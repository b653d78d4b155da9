//! One run as a page that needs no network: the report, and the recording as a frames.
//!
//! What the page tells is the JSON report itself, without its secrets. The template escapes everything; and should
//! something get through, the page allows no script and no style but its own two, by their digests, and no request.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::output::report::Report;
use crate::term::frames::Frames;
use crate::term::redact::Secrets;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const SCRIPT: &str = include_str!("page/player.js");

impl Report {
    /// Returns the page of `--report-html`. `clean` makes text from outside harmless.
    ///
    /// # Errors
    /// When the template does not know what is in the report.
    pub fn page(
        &self,
        recordings: Vec<Frames>,
        secrets: &Secrets,
        clean: impl Fn(&str) -> String,
    ) -> Result<String, minijinja::Error> {
        let report = serde_json::to_value(self).expect("a report has only strings and numbers");
        let report = each_text(secrets.redact_json(report), &clean);
        let recordings: Vec<Frames> = recordings.into_iter().map(|frames| frames.cleaned(&clean)).collect();
        let last_texts: Vec<String> = recordings.iter().map(Frames::last_text).collect();

        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|_| AutoEscape::Html);
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.add_filter("ms", ms);
        environment.add_template("page", TEMPLATE)?;
        let page = environment.get_template("page")?.render(context! {
            report => minijinja::Value::from(Serde(report)),
            sentence => self.database_in_words(),
            version => env!("CARGO_PKG_VERSION"),
            recordings => minijinja::Value::from(Serde(recordings)),
            last_texts,
            style => minijinja::Value::from_safe_string(STYLE.to_owned()),
            script => minijinja::Value::from_safe_string(SCRIPT.to_owned()),
            style_digest => digest(STYLE),
            script_digest => digest(SCRIPT),
        })?;
        Ok(page + "\n")
    }

    fn database_in_words(&self) -> &'static str {
        use crate::outcome::Database;
        match self.database {
            Database::Unchanged => "Nothing was executed.",
            Database::Changed => "The database was changed.",
            Database::Maybe => Database::Maybe.sentence(),
        }
    }
}

/// Returns a source for the policy of the page's contents (Content Security Policy, level 2).
fn digest(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Shows a time as people read it.
fn ms(ms: f64) -> String {
    if ms < 1e3 { format!("{ms:.0} ms") } else { format!("{:.1} s", ms / 1e3) }
}

fn each_text(value: Value, clean: &impl Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(clean(&text)),
        Value::Array(values) => values.into_iter().map(|value| each_text(value, clean)).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, each_text(value, clean))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::{Database, Error, Exit};
    use crate::output::report::answer::{
        Advice, Answer, Check, Explained, Fact, File, Init, NextStep, Note, Pattern, Stand, State,
    };
    use crate::output::report::comparison::{Comparison, Difference};
    use crate::output::report::{
        Finding, Hazard, HistoryRow, Judgement, Kit, Migration, Migrations, Policy, Prompt, Refusal, Statement, Step,
        Target, Timings,
    };
    use crate::policy::explain::Summary;

    /// A report that has every part, with this text wherever text can come from outside.
    fn full(text: &str) -> Report {
        let some = || Some(text.to_owned());
        let hazard = Hazard {
            hazard: "drop_table".to_owned(),
            class: "data_loss".to_owned(),
            objects: vec![text.to_owned()],
            rows: Some(2),
            is_estimate: false,
            is_minimum: true,
            note: some(),
            verdict: Judgement::Refused,
            rule: text.to_owned(),
        };
        let target = Target { dialect: text.to_owned(), host: some(), database: some(), ..Target::default() };
        let migrations = Migrations {
            folder: text.to_owned(),
            table: text.to_owned(),
            table_exists: true,
            entries: vec![Migration {
                tag: text.to_owned(),
                when: 0,
                state: "pending".to_owned(),
                note: some(),
                applied_now: true,
            }],
            unknown: vec![HistoryRow { id: 1, hash: text.to_owned(), created_at: None, name: some() }],
            differences: Some(vec![text.to_owned()]),
            writes: vec![text.to_owned()],
        };
        Report {
            schema: 1,
            command: "push".to_owned(),
            outcome: Exit::Refused.name().to_owned(),
            code: Exit::Refused.code(),
            database: Database::Unchanged,
            summary: text.to_owned(),
            target: Some(target),
            kit: Some(Kit { version: some(), path: text.to_owned() }),
            profile: some(),
            policy: Policy { file: some(), digest: some() },
            prompts: vec![Prompt {
                question: text.to_owned(),
                choices: vec![text.to_owned(), "No, abort".to_owned()],
                chosen: some(),
                recorded: some(),
                rule: some(),
                keys: vec!["down".to_owned(), "enter".to_owned()],
                latency_ms: Some(1.5),
            }],
            statements: vec![Statement::new(text.to_owned(), "drop_table".to_owned(), Vec::new(), vec![hazard])],
            migrations: Some(migrations),
            warnings: vec![text.to_owned()],
            refusals: vec![Refusal { what: text.to_owned(), allow_with: some(), text: String::new() }],
            findings: vec![Finding {
                id: "an_id".to_owned(),
                level: crate::migrations::Level::Warning,
                file: text.to_owned(),
                line: 1,
                column: 2,
                sentence: text.to_owned(),
                why: text.to_owned(),
                what_to_do: text.to_owned(),
            }],
            comparisons: vec![Comparison {
                made_by: "migrations".to_owned(),
                differences: vec![Difference {
                    how: "different".to_owned(),
                    kind: "column".to_owned(),
                    schema: some(),
                    table: some(),
                    name: text.to_owned(),
                    found_name: some(),
                    expected: some(),
                    found: some(),
                }],
                renames: vec![text.to_owned()],
            }],
            error: Some(Error {
                sqlstate: some(),
                message: text.to_owned(),
                detail: some(),
                statement: some(),
                file: some(),
                line: Some(1),
                hint: some(),
            }),
            counted: None,
            steps: vec![Step { name: text.to_owned(), outcome: "ok".to_owned(), summary: text.to_owned(), ms: 1200.0 }],
            answer: Answer {
                init: Some(Init {
                    found: vec![Fact { name: "project", found: text.to_owned() }],
                    files: vec![File { path: text.to_owned(), written: false, diff: text.to_owned() }],
                    notes: vec![Note { lines: some(), ..Note::new(text, text) }],
                }),
                next: Some(Advice {
                    state: Stand::EditedSchema,
                    summary: text.to_owned(),
                    evidence: vec![text.to_owned()],
                    steps: vec![NextStep { command: some(), why: text.to_owned(), offer: None }],
                    patterns: vec![Pattern { kind: "enum", why: text.to_owned(), sql: text.to_owned() }],
                    notes: vec![text.to_owned()],
                }),
                checks: vec![Check {
                    name: "server",
                    state: State::Problem,
                    found: text.to_owned(),
                    hint: some(),
                    exit: Exit::Unavailable,
                }],
                policies: vec![Summary {
                    profile: some(),
                    when: vec![text.to_owned()],
                    commands: Some(vec![text.to_owned()]),
                    n_renames: 1,
                    n_create: 1,
                    n_hazards: 1,
                    n_prompts: 1,
                }],
                explained: Some(Explained {
                    question: text.to_owned(),
                    answer: "refused".to_owned(),
                    says: text.to_owned(),
                    rule: some(),
                    allow_with: some(),
                    not_used: vec![text.to_owned()],
                }),
            },
            timings: Timings { total_ms: 2000.0, config_ms: Some(1.0), preflight_ms: Some(2.0) },
        }
    }

    fn frames(text: &str) -> Frames {
        let cast = format!(
            "{}\n{}\n",
            serde_json::json!({ "version": 2, "width": 320, "height": 2000, "title": text }),
            serde_json::json!([0.5, "o", text])
        );
        Frames::of(cast.as_bytes()).expect("it is a recording")
    }

    fn page(report: &Report, recordings: Vec<Frames>, secrets: &Secrets) -> String {
        report
            .page(recordings, secrets, |text| crate::term::redact::Secrets::redact(secrets, text))
            .expect("the page is made")
    }

    #[test]
    fn a_page_has_all_of_the_report() {
        let page = page(&full("a text"), vec![frames("a frames"), frames("another")], &Secrets::default());
        for part in [
            "drop_table",
            "at least 2 rows",
            "edited-schema",
            "problem",
            "lines on hazards",
            "No, abort",
            "1.2 s",
            "2.0 s",
            "an_id",
            "the migrations make",
            "a frames",
            "another",
        ] {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
    }

    #[test]
    fn nothing_from_outside_is_markup() {
        let hostile = "</script></pre><script>alert(1)</script><!-- \"'><img src=x onerror=alert(1)> {{ 7*7 }}";
        let page = page(&full(hostile), vec![frames(hostile)], &Secrets::default());
        let plain = self::page(&full("x"), vec![frames("x")], &Secrets::default());
        for mark in ["<script", "</script", "</pre>", "<!--", "<img"] {
            assert_eq!(page.matches(mark).count(), plain.matches(mark).count(), "{mark}");
        }
        assert!(page.contains("{{ 7*7 }}"), "a template in a name stays what it is");
    }

    #[test]
    fn a_secret_is_blanked_before_it_is_escaped() {
        let mut secrets = Secrets::default();
        secrets.add(["hun<ter&2".to_owned()]);
        let page = page(&full("of hun<ter&2"), vec![frames("in hun<ter&2")], &secrets);
        assert!(page.contains("of [REDACTED]") && page.contains("in [REDACTED]"), "{page}");
        assert!(!page.contains("ter&amp;2") && !page.contains("ter\\u00262"), "{page}");
    }

    #[test]
    fn an_empty_report_has_a_page() {
        let mut report = full("x");
        (report.target, report.kit, report.migrations, report.error, report.profile) = (None, None, None, None, None);
        (report.prompts, report.statements, report.findings, report.steps) = (vec![], vec![], vec![], vec![]);
        (report.warnings, report.refusals, report.policy) = (vec![], vec![], Policy::default());
        report.comparisons = vec![];
        report.answer = Answer::default();
        let page = page(&report, Vec::new(), &Secrets::default());
        assert!(page.contains("built-in"), "{page}");
    }

    #[test]
    fn the_page_asks_for_nothing_from_elsewhere() {
        let page = page(&full("x"), vec![frames("x")], &Secrets::default());
        assert!(page.contains("default-src 'none'"));
        for way in ["http:", "https:", "url(", "@import", " src=", " href=", "fetch(", "innerHTML"] {
            assert!(!page.contains(way), "{way}");
        }
    }
}
