//! How a command answers that looks at a project and drives nothing: a document of its own for programs, text for people,
//! a question on a terminal, and the closing sentence.

use std::io::IsTerminal;
use std::time::Instant;

use serde::Serialize;

use crate::cli::{Format, Shared};
use crate::clock::Clock;
use crate::outcome::{Exit, Verdict, signal_name};
use crate::output::console::{Console, clean_json};
use crate::output::delivery;

use crate::term::interrupts::{Answered, Interrupts};

/// Prints the document or the text, and keeps the document where it is wanted.
pub fn tell(shared: &Shared, document: &impl Serialize, text: &str, console: &mut Console) {
    console.settle();
    let value = serde_json::to_value(document).expect("a document has only strings, numbers, lists and objects");
    let json = clean_json(&format!("{:#}\n", console.secrets().redact_json(value)));
    if let Some(path) = &shared.report
        && let Err(error) = std::fs::write(path, &json)
    {
        console.lose(format!("the report {} could not be written: {error}", path.display()));
    }
    match shared.format {
        Format::Json => console.document(&json),
        _ if shared.quiet => {}
        _ => console.result(text),
    }
}

/// Tells, and says why a run failed.
pub fn close(shared: &Shared, document: &impl Serialize, text: &str, verdict: &Verdict, console: &mut Console) -> Exit {
    tell(shared, document, text, console);
    let Verdict { exit, summary, hint, database, .. } = &delivery::delivered(verdict.clone(), console);
    if matches!(exit, Exit::Ok | Exit::Changes) {
        return *exit;
    }
    console.error(exit.name(), summary);
    if let Some(hint) = hint {
        console.insist(&format!("hint: {hint}"));
    }
    console.insist(database.sentence());
    *exit
}

/// Tells whether somebody can be asked.
pub fn can_ask(shared: &Shared) -> bool {
    let watched = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    watched && shared.format == Format::Text && std::env::var_os("CI").is_none()
}

/// Asks on the terminal. Anything but a yes is a no.
///
/// # Errors
/// With the verdict, where a signal came or nobody answered.
pub fn ask(question: &str, clock: &Clock, console: &mut Console) -> Result<bool, Verdict> {
    let mut interrupts = Interrupts::watch().map_err(|error| Verdict::internal("watching for signals", &error))?;
    let line = line(&format!("{question} [y/N]"), Exit::Failed, clock, &mut interrupts, console)?;
    Ok(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Asks on the terminal for a line, and returns it without its end.
///
/// # Errors
/// With the verdict, where a signal came or nobody answered; with `unread`, where the terminal cannot be read.
pub fn line(
    question: &str,
    unread: Exit,
    clock: &Clock,
    interrupts: &mut Interrupts,
    console: &mut Console,
) -> Result<String, Verdict> {
    console.settle();
    console.insist(question);
    let answered = interrupts
        .line(Instant::now() + clock.rest())
        .map_err(|error| Verdict::nothing(unread, format!("the answer could not be read: {error}")))?;
    match answered {
        Answered::Line(line) => Ok(line),
        Answered::Signal(signal) => {
            let summary = format!("stopped by {} at the question", signal_name(signal));
            Err(Verdict::nothing(Exit::Signal(signal), summary))
        }
        Answered::Late => Err(Verdict::nothing(Exit::Timeout, "nobody answered within the deadline of the run")),
    }
}
