//! Shows that what `--kit` names starts drizzle-kit under the hook, before it is started for anything that could write.
//!
//! drizzle-kit is asked for its version by the same words, in the same folder and environment. The hook answers in its
//! place, and ends it before a line of it has run. Where no answer comes, nothing would hold what drizzle-kit sends.

use std::path::Path;

use crate::cli::Shared;
use crate::kit::command::Kit;
use crate::kit::driver::{self, Deadlines, Ending, Flight, Held};
use crate::kit::mailbox::Mailbox;
use crate::outcome::Exit;
use crate::output::report::Verdict;
use crate::project::target;
use crate::run::{flight, verdict};
use crate::term::interrupts::Interrupts;
use crate::term::pty::Pty;
use crate::term::stream::ScreenStream;

/// What a command must do for the hook to be loaded.
pub const HINT: &str = "--kit must start drizzle-kit with node, and leave NODE_OPTIONS as they are (bun and deno do not read \
                        them); without --kit, drizzle-kit is found in node_modules and started with node";

/// Starts drizzle-kit for its version, where a command of the user's starts it, and takes that version for the one that
/// runs.
///
/// # Errors
/// With the verdict, where the hook does not answer.
pub fn prove(kit: Kit, shared: &Shared, cwd: &Path) -> Result<Kit, Verdict> {
    if !kit.is_started_by_command() {
        return Ok(kit);
    }
    let interrupts = Interrupts::watch().map_err(|error| verdict::internal("watching for signals", &error))?;
    let (mailbox, mail) = Mailbox::create().map_err(|error| flight::no_mailbox(&error))?;
    let Some(command) = kit.probe(cwd, &mailbox) else { return Ok(kit) };
    let pty = Pty::spawn(&command).map_err(|error| flight::not_started(&error))?;
    let deadlines = Deadlines { whole: shared.timeout, idle: shared.idle_timeout };
    let stream = ScreenStream::new(pty, interrupts, Some(mail), None);
    let Flight { hello, ending, session, .. } = driver::fly(stream, mailbox, deadlines, &mut target::Reader::default())
        .map_err(|error| verdict::internal("driving the terminal", &error))?;
    // The answer may have come with the signal.
    if let Ending::Signalled(signal) = ending {
        let summary = format!("stopped by {} while drizzle-kit was tried", driver::signal_name(signal));
        return Err(Verdict::nothing(Exit::Signal(signal), summary));
    }
    if let Some(hello) = hello {
        return Ok(kit.proved(hello));
    }
    let unproved = |exit, summary: String| Verdict::nothing(exit, summary).hint(HINT);
    Err(match ending {
        Ending::TimedOut { .. } => unproved(Exit::Timeout, "drizzle-kit did not tell its version in time".to_owned()),
        Ending::Held(Held::Runner(reason)) => unproved(Exit::CannotRun, reason),
        _ => {
            let said = session.last_text().lines.iter().rev().find(|line| !line.is_empty());
            let said = said.map(|line| format!(" (it says: {line})")).unwrap_or_default();
            let summary = format!(
                "{} starts something that does not load the hook, so that nothing would hold what drizzle-kit sends{said}",
                kit.path.display()
            );
            unproved(Exit::CannotRun, summary)
        }
    })
}
