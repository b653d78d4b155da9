//! Keeps what a run decides and learns, and closes it: the report, the result, and the sentence at the end.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::{Format, Shared};
use crate::clock::Clock;
use crate::output::{console, report};

use crate::kit::config::FailedStatement;
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::{Console, clean_json};
use crate::output::github;
use crate::output::report::Report;

use crate::term::film::Film;
use crate::term::redact::Secrets;
use crate::term::transcript::ReadError;
use crate::{files, sql};

/// How a run is shown in text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    Run,
    /// By hazard, and with the statements in full.
    Plan,
}

/// What is put into the report besides the verdict.
#[derive(Debug)]
pub struct Record {
    pub policy: report::Policy,
    pub profile: Option<String>,
    pub kit: Option<report::Kit>,
    pub target: Option<report::Target>,
    pub prompts: Vec<report::Prompt>,
    pub statements: Vec<report::Statement>,
    pub migrations: Option<report::Migrations>,
    /// The migrations folder that drizzle's config names, once it was loaded.
    pub out: Option<PathBuf>,
    /// The statement that failed, as drizzle-kit's driver told.
    pub failed: Option<FailedStatement>,
    /// What drizzle-kit printed, where that is the result of the run.
    pub printed: Option<String>,
    pub warnings: Vec<String>,
    pub refusals: Vec<report::Refusal>,
    pub counted: Option<report::Counted>,
    pub steps: Vec<report::Step>,
    pub findings: Vec<report::Finding>,
    pub timings: report::Timings,
    /// Whether notices are made. A second look at the same run makes none.
    pub speaks: bool,
    /// The recordings for the page of `--report-html`, to be read from their beginnings.
    pub recordings: Vec<File>,
    /// The file of `--report`, once it was proved that it can be written.
    report_to: Option<PathBuf>,
    /// The same of `--report-html`.
    page_to: Option<PathBuf>,
}

impl Record {
    /// Makes an empty one.
    pub fn new(shared: &Shared) -> Record {
        Record {
            policy: report::Policy::default(),
            profile: shared.profile.clone(),
            kit: None,
            target: None,
            prompts: Vec::new(),
            statements: Vec::new(),
            migrations: None,
            out: None,
            failed: None,
            printed: None,
            warnings: Vec::new(),
            refusals: Vec::new(),
            counted: None,
            steps: Vec::new(),
            findings: Vec::new(),
            timings: report::Timings::default(),
            speaks: true,
            recordings: Vec::new(),
            report_to: None,
            page_to: None,
        }
    }

    fn report(&self, command: &str, verdict: &Verdict) -> Report {
        Report {
            schema: 1,
            command: command.to_owned(),
            outcome: verdict.exit.name().to_owned(),
            code: verdict.exit.code(),
            database: verdict.database,
            summary: verdict.summary.clone(),
            target: self.target.clone(),
            kit: self.kit.clone(),
            profile: self.profile.clone(),
            policy: self.policy.clone(),
            prompts: self.prompts.clone(),
            statements: self.statements.clone(),
            migrations: self.migrations.clone(),
            warnings: self.warnings.clone(),
            refusals: self.refusals.clone(),
            findings: self.findings.clone(),
            error: verdict.error.as_deref().cloned(),
            counted: self.counted.clone(),
            steps: self.steps.clone(),
            timings: self.timings.clone(),
        }
    }

    /// Proves before anything happens that the report can be written: a report that is promised must not be lost.
    ///
    /// # Errors
    /// With the verdict, where it cannot.
    pub fn promise(&mut self, shared: &Shared, command: &str, secrets: &Secrets) -> Result<(), Verdict> {
        let started = Verdict::maybe(Exit::Unproven, "the run was started, and its end was not seen");
        let unwritten = |path: &Path, error: anyhow::Error| {
            Verdict::nothing(Exit::Failed, format!("writing the report {}: {error}", path.display()))
        };
        if let Some(path) = &shared.report {
            std::fs::write(path, self.report(command, &started).json(secrets))
                .map_err(|error| unwritten(path, error.into()))?;
            self.report_to = Some(path.clone());
        }
        if let Some(path) = &shared.report_html {
            write_page(path, &self.report(command, &started), Vec::new(), secrets)
                .map_err(|error| unwritten(path, error))?;
            self.page_to = Some(path.clone());
        }
        Ok(())
    }

    /// Makes the page, with what was recorded.
    fn close_page(&mut self, path: &Path, report: &Report, console: &mut Console) {
        let developed = std::mem::take(&mut self.recordings).into_iter().map(develop);
        let films: Result<Vec<Film>, ReadError> = developed.collect();
        let films = films.unwrap_or_else(|error| {
            console.warn(&format!("the recording is not in the page: {error}"));
            Vec::new()
        });
        if let Err(error) = write_page(path, report, films, console.secrets()) {
            console.lose(format!("the report {} could not be written: {error}", path.display()));
        }
    }

    /// Writes the report, says the result and the closing sentence.
    pub fn close(
        mut self,
        shared: &Shared,
        command: &str,
        view: View,
        console: &mut Console,
        verdict: Verdict,
    ) -> Exit {
        console.settle();
        let mut report = self.report(command, &verdict);
        let is_wanted = self.report_to.is_some() || shared.format == Format::Json;
        let json = if is_wanted { report.json(console.secrets()) } else { String::new() };
        if let Some(path) = &self.report_to
            && let Err(error) = std::fs::write(path, &json)
        {
            console.lose(format!("the report {} could not be written: {error}", path.display()));
        }
        if let Some(path) = self.page_to.take() {
            self.close_page(&path, &report, console);
        }
        if view == View::Plan {
            github::show_plan(&report, console);
        }
        // The reason of a failure stands at the end. Where both outputs are read in one place, once is enough.
        if verdict.exit != Exit::Ok && self.refusals.is_empty() && console.is_one() {
            report.summary = verdict.exit.name().to_owned();
        }
        match shared.format {
            Format::Json => console.document(&clean_json(&json)),
            Format::Sql => console.quote(&report.sql()),
            Format::Markdown => console.quote(&report.markdown()),
            Format::Text if view == View::Plan => console.show(&report.plan_text()),
            Format::Text => match &self.printed {
                Some(printed) => console.pass_on(printed),
                None if shared.quiet => {}
                None => console.show(&report.text()),
            },
        }
        let before = verdict.exit;
        let verdict = delivered(verdict, console);
        if verdict.exit != before
            && let Some(path) = &self.report_to
        {
            // It says what the code says; where it is what could not be written, that is told already.
            let _ = std::fs::write(path, self.report(command, &verdict).json(console.secrets()));
        }
        if verdict.exit == Exit::Ok {
            return verdict.exit;
        }
        if self.refusals.is_empty() {
            console.error(verdict.exit.name(), &verdict.summary);
        }
        for refusal in &self.refusals {
            console.insist(&refusal.text);
        }
        if let Some(error) = &verdict.error {
            // That of a migration is told by its file and line.
            if let (Some(statement), None) = (&error.statement, &error.file) {
                console.insist(&format!("statement: {}", sql::excerpt(statement)));
            }
            if let Some(detail) = &error.detail {
                console.insist(&format!("detail: {detail}"));
            }
        }
        if let Some(hint) = &verdict.hint {
            console.insist(&format!("hint: {hint}"));
        }
        console.insist(verdict.database.sentence());
        verdict.exit
    }
}

/// Returns how a run ends whose result was written, or was not: what nobody gets to know did not end well.
pub fn delivered(verdict: Verdict, console: &mut Console) -> Verdict {
    let Some(lost) = console.take_lost() else { return verdict };
    if !matches!(verdict.exit, Exit::Ok | Exit::Changes) {
        console.error("error", &lost);
        return verdict;
    }
    let exit = if verdict.database == Database::Unchanged { Exit::Failed } else { Exit::Unproven };
    let summary = format!("{lost}; what it says: {}", verdict.summary);
    Verdict { database: verdict.database, ..Verdict::nothing(exit, summary) }
}

fn write_page(path: &Path, report: &Report, films: Vec<Film>, secrets: &Secrets) -> anyhow::Result<()> {
    let clean = |text: &str| console::clean(&secrets.redact(text));
    Ok(std::fs::write(path, report.page(films, secrets, clean)?)?)
}

fn develop(mut recording: File) -> Result<Film, ReadError> {
    recording.rewind()?;
    Film::of(files::Recording::new(BufReader::new(recording)))
}

/// Runs the story of a command from its first line in the log to its report, and returns how it ended.
pub fn run(
    shared: &Shared,
    command: &str,
    console: &mut Console,
    story: impl FnOnce(&Clock, &mut Console, &mut Record) -> Result<Verdict, Verdict>,
) -> Exit {
    let clock = Clock::new(Instant::now(), shared.timeout);
    let mut log = Record::new(shared);
    let verdict = match story(&clock, console, &mut log) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    log.timings.total_ms = clock.elapsed().as_secs_f64() * 1e3;
    log.close(shared, command, View::Run, console, verdict)
}
