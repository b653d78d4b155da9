//! Asks the person at the terminal, if there is one.

use std::io::IsTerminal;
use std::time::Instant;

use crate::cli::{Format, Shared};
use crate::clock::Clock;
use crate::outcome::{Exit, Verdict, signal_name};
use crate::output::console::Console;
use crate::term::interrupts::{Answered, Interrupts};

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
