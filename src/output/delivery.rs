//! How a command ends: the report, the page, the result, the reason of a failure, and the sentence on the database.

use std::fs::File;
use std::io::{BufReader, Seek};
use std::path::Path;
use std::time::Instant;

use crate::cli::{Format, Shared};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::files;
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::{self, Console, clean_json};
use crate::output::github;
use crate::output::record::{Record, View};
use crate::output::report::Report;
use crate::output::report::answer::State;
use crate::sql;
use crate::term::frames::Frames;
use crate::term::redact::Secrets;
use crate::term::transcript::ReadError;

/// Runs the story of a command, from the proof that its report can be written to its last sentence, and returns how it
/// ended.
pub fn run(
    shared: &Shared,
    command: CommandName,
    view: View,
    console: &mut Console,
    story: impl FnOnce(&Clock, &mut Console, &mut Record) -> Result<Verdict, Verdict>,
) -> Exit {
    let clock = Clock::new(Instant::now(), shared.timeout);
    let mut record = Record::new(shared.profile.as_deref());
    let mut delivery = Delivery { shared, command, view, report_to: None, page_to: None };
    let told = tracing::info_span!("command", name = command.as_str()).entered();
    let verdict = delivery.promise(&record, console.secrets());
    let verdict = verdict.and_then(|()| story(&clock, console, &mut record));
    record.timings.total_ms = clock.elapsed().as_secs_f64() * 1e3;
    let (Ok(verdict) | Err(verdict)) = verdict;
    tracing::info!(outcome = verdict.exit.name(), database = ?verdict.database, verdict.summary, "the command ends");
    // What is logged after this line could be lost without a word.
    told.exit();
    delivery.close(&record, console, verdict)
}

/// Where the end of a command goes.
struct Delivery<'a> {
    shared: &'a Shared,
    command: CommandName,
    view: View,
    /// The file of `--report`, once it was proved that it can be written.
    report_to: Option<&'a Path>,
    /// The same of `--report-html`.
    page_to: Option<&'a Path>,
}

impl Delivery<'_> {
    /// Proves before anything happens that the report can be written: a report that is promised must not be lost.
    ///
    /// # Errors
    /// With the verdict, where it cannot.
    fn promise(&mut self, record: &Record, secrets: &Secrets) -> Result<(), Verdict> {
        let started = Verdict::maybe(Exit::Unproven, "the run was started, but its end was not seen");
        let unwritten = |path: &Path, error: anyhow::Error| {
            Verdict::nothing(Exit::Failed, format!("writing the report {}: {error}", path.display()))
        };
        if let Some(path) = &self.shared.report {
            std::fs::write(path, record.report(self.command, &started).json(secrets))
                .map_err(|error| unwritten(path, error.into()))?;
            self.report_to = Some(path);
        }
        if let Some(path) = &self.shared.report_html {
            write_page(path, &record.report(self.command, &started), Vec::new(), secrets)
                .map_err(|error| unwritten(path, error))?;
            self.page_to = Some(path);
        }
        Ok(())
    }

    /// Writes the report, says the result and the closing sentence.
    fn close(self, record: &Record, console: &mut Console, verdict: Verdict) -> Exit {
        console.settle();
        let mut report = record.report(self.command, &verdict);
        let is_wanted = self.report_to.is_some() || self.shared.format == Format::Json;
        let json = if is_wanted { report.json(console.secrets()) } else { String::new() };
        if let Some(path) = self.report_to
            && let Err(error) = std::fs::write(path, &json)
        {
            console.lose(format!("the report {} could not be written: {error}", path.display()));
        }
        if let Some(path) = self.page_to {
            close_page(path, &report, console);
        }
        if self.view == View::Plan {
            github::show_plan(&report, console);
        }
        // The reason of a failure stands at the end. Where both outputs are read in one place, once is enough.
        if verdict.exit != Exit::Ok && record.refusals.is_empty() && console.is_one() {
            report.summary = verdict.exit.name().to_owned();
        }
        self.show(&report, &json, record, console);
        let before = verdict.exit;
        let verdict = delivered(verdict, console);
        if verdict.exit != before
            && let Some(path) = self.report_to
        {
            // It says what the code says; where it is what could not be written, that is told already.
            let _ = std::fs::write(path, record.report(self.command, &verdict).json(console.secrets()));
        }
        if verdict.exit != Exit::Ok && (verdict.exit, self.view) != (Exit::Changes, View::Answered) {
            explain(record, &verdict, console);
        }
        verdict.exit
    }

    /// Shows the result in the form that was asked for.
    fn show(&self, report: &Report, json: &str, record: &Record, console: &mut Console) {
        match self.shared.format {
            Format::Json => console.document(&clean_json(json)),
            Format::Sql => console.quote(&report.sql()),
            Format::Markdown => console.quote(&report.markdown()),
            Format::Text => match (self.view, &record.printed) {
                (View::Answered, _) => {}
                (View::Plan, _) => console.show(&report.plan_text()),
                (View::Run, Some(printed)) => console.pass_on(printed),
                (View::Run, None) if self.shared.quiet => {}
                (View::Run, None) => console.show(&report.text()),
            },
        }
    }
}

/// Says why a command did not end well, what to do, and what is known about the database.
fn explain(record: &Record, verdict: &Verdict, console: &mut Console) {
    let is_told = !record.refusals.is_empty() || record.answer.checks.iter().any(|check| check.state == State::Problem);
    if !is_told {
        console.error(verdict.exit.name(), &verdict.summary);
    }
    for refusal in &record.refusals {
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
}

/// Returns how a run ends whose result was written, or was not: what nobody gets to know did not end well.
fn delivered(verdict: Verdict, console: &mut Console) -> Verdict {
    let Some(lost) = console.take_lost() else { return verdict };
    if !matches!(verdict.exit, Exit::Ok | Exit::Changes) {
        console.error("error", &lost);
        return verdict;
    }
    let exit = if verdict.database == Database::Unchanged { Exit::Failed } else { Exit::Unproven };
    let summary = format!("{lost}; its content: {}", verdict.summary);
    Verdict { database: verdict.database, ..Verdict::nothing(exit, summary) }
}

/// Makes the page, with what was recorded.
fn close_page(path: &Path, report: &Report, console: &mut Console) {
    let developed = console.take_recordings().into_iter().map(render);
    let recordings: Result<Vec<Frames>, ReadError> = developed.collect();
    let recordings = recordings.unwrap_or_else(|error| {
        console.warn(&format!("the page does not include the recording: {error}"));
        Vec::new()
    });
    if let Err(error) = write_page(path, report, recordings, console.secrets()) {
        console.lose(format!("the report {} could not be written: {error}", path.display()));
    }
}

fn write_page(path: &Path, report: &Report, recordings: Vec<Frames>, secrets: &Secrets) -> anyhow::Result<()> {
    let clean = |text: &str| console::clean(&secrets.redact(text));
    Ok(std::fs::write(path, report.page(recordings, secrets, clean)?)?)
}

fn render(mut recording: File) -> Result<Frames, ReadError> {
    recording.rewind()?;
    Frames::of(files::Recording::new(BufReader::new(recording)))
}
