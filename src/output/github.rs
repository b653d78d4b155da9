//! What GitHub shows of a run: marks in a pull request, and the summary of a step.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::outcome::Exit;
use crate::output::console::{self, Console};
use crate::output::report::Report;

/// What GitHub takes for a step summary, less some room for those of other steps.
const MOST_BYTES: usize = 1000 * 1024;

/// Tells whether this run is one of GitHub's.
pub fn listens() -> bool {
    std::env::var("GITHUB_ACTIONS").is_ok_and(|is| is == "true")
}

/// Tells whether GitHub would take a line of a text for a command that is printed to the letter.
pub fn would_obey(text: &str) -> bool {
    listens() && !Console::is_to_file() && console::has_commands(text)
}

/// Marks a message, where GitHub shows it. `place` says where it belongs, as in `file=a.sql,line=3`.
pub fn mark(level: &str, place: &[(&str, &str)], message: &str, console: &mut Console) {
    let place: Vec<(&str, String)> = place.iter().map(|(name, value)| (*name, console.clean(value))).collect();
    let line = annotation(level, &place, &console.clean(message));
    console.command(&line);
}

/// Returns the workflow command that shows a message.
fn annotation(level: &str, place: &[(&str, String)], message: &str) -> String {
    let data = |text: &str| text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A");
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let place: Vec<String> = place.iter().map(|(name, value)| format!("{name}={}", property(value))).collect();
    format!("::{level} {}::{}", place.join(","), data(message))
}

/// Appends text to the summary of this step, where there is one. The error comes with the file's name.
///
/// # Errors
/// When the file cannot be written.
pub fn summarize(text: &str) -> Result<(), (PathBuf, io::Error)> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = PathBuf::from(path);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(|error| (path, error))
}

/// Shows a plan: what is refused and what is warned of as marks, and all of it in the summary.
pub fn show_plan(report: &Report, console: &mut Console) {
    if !listens() {
        return;
    }
    const TITLE: [(&str, &str); 1] = [("title", "drizzle-pilot plan")];
    for warning in &report.warnings {
        mark("warning", &TITLE, warning, console);
    }
    for refusal in &report.refusals {
        mark("error", &TITLE, &refusal.text, console);
    }
    let is_made = [Exit::Ok, Exit::Changes, Exit::Refused].iter().any(|exit| exit.code() == report.code);
    if !is_made {
        mark("error", &TITLE, &format!("{}: {}", report.outcome, report.summary), console);
    }
    let mut text = console.clean(&report.markdown());
    if text.len() > MOST_BYTES {
        let head = text.lines().next().unwrap_or_default();
        text =
            format!("{head}\n\nThe plan is too long for a summary: `drizzle-pilot plan --format markdown` shows it.\n");
    }
    if let Err((path, error)) = summarize(&(text + "\n")) {
        console.lose(format!("the summary {} could not be written: {error}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_a_workflow_command_or_begins_another() {
        let place = [("file", "a:b,c\n::d".to_owned()), ("line", "3".to_owned())];
        let line = annotation("error", &place, "50%\r\n::set-output name=x::y");
        assert_eq!(line, "::error file=a%3Ab%2Cc%0A%3A%3Ad,line=3::50%25%0D%0A::set-output name=x::y");
    }
}
