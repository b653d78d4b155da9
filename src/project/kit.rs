//! Finds the project's drizzle-kit, in a version that this program drives and that is started under the hook.
//!
//! Where `--kit` names the command that starts it, it is asked for its version by the same words, in the same folder and
//! environment, before it is started for anything that could write. The hook answers in its place, and ends it before a line
//! of it has run. Where no answer comes, nothing would hold what drizzle-kit sends.

use std::io;
use std::path::Path;

use semver::Version;

use crate::cli::Shared;
use crate::kit::command::{self, Kit, LocateError};
use crate::kit::driver::{self, Deadlines, Supervisor};
use crate::kit::hints::Newest;
use crate::kit::hook_channel::HookChannel;
use crate::kit::outcome::NEEDS_HOOK;
use crate::kit::run::{Ending, Held, KitRun};
use crate::outcome::{Exit, Verdict, signal_name, with_causes};
use crate::project::reader::Reader;
use crate::term::command::Command;
use crate::term::interrupts::Interrupts;
use crate::term::pty::Pty;
use crate::term::stream::{FileRecorder, ScreenStream};

/// Finds the project's drizzle-kit.
///
/// # Errors
/// With the verdict, where there is none.
pub fn locate(shared: &Shared, cwd: &Path) -> Result<Kit, Verdict> {
    command::locate(cwd, shared.kit.as_deref()).map_err(|error| {
        let exit = match &error {
            LocateError::NoNode | LocateError::NoKit { .. } | LocateError::NoProgram { .. } => Exit::NotFound,
            LocateError::NotACommand { .. } => Exit::Usage,
            LocateError::Package { .. } => Exit::CannotRun,
        };
        Verdict::nothing(exit, with_causes(&error)).hint(error.hint())
    })
}

/// Finds drizzle-kit, in a version that can be driven, and shows that it is started under the hook.
///
/// # Errors
/// With the verdict, where there is none, or nothing would hold it.
#[tracing::instrument(name = "find_kit", skip_all)]
pub fn held(shared: &Shared, cwd: &Path, newest: Newest) -> Result<Kit, Verdict> {
    let kit = locate(shared, cwd)?;
    is_known(&kit, newest)?;
    let kit = prove(kit, shared, cwd)?;
    is_known(&kit, newest)?;
    Ok(kit)
}

fn is_known(kit: &Kit, newest: Newest) -> Result<(), Verdict> {
    let Some(version) = &kit.version else { return Ok(()) };
    let first_with_hints = Version::parse("1.0.0-rc.4").expect("it is a version");
    let summary = match newest {
        _ if version.major == 0 => return Ok(()),
        Newest::Hints if version.major == 1 && *version >= first_with_hints => return Ok(()),
        Newest::Hints => format!(
            "drizzle-kit {version} is not supported: this version supports 0.20 to 0.31, and 1.0 from {first_with_hints} on"
        ),
        Newest::Prompts => format!("drizzle-kit {version} is not supported for this: it is for plan and push"),
    };
    Err(Verdict::nothing(Exit::CannotRun, summary)
        .hint("keep drizzle-kit below 1.0 for the rest, or run that without drizzle-pilot until it is supported"))
}

/// Starts drizzle-kit for its version, where a command of the user's starts it, and takes that version for the one that
/// runs.
///
/// # Errors
/// With the verdict, where the hook does not answer.
pub fn prove(kit: Kit, shared: &Shared, cwd: &Path) -> Result<Kit, Verdict> {
    if !kit.is_started_by_command() {
        return Ok(kit);
    }
    let started = start(None, |channel| Ok(kit.probe(cwd, channel)))?;
    let KitRun { hello, ending, seen, .. } = started.drive(shared, &mut Reader::default())?;
    // The answer may have come with the signal.
    if let Ending::Signalled(signal) = ending {
        let summary = format!("stopped by {} while drizzle-kit was being tested", signal_name(signal));
        return Err(Verdict::nothing(Exit::Signal(signal), summary));
    }
    if let Some(hello) = hello {
        return Ok(kit.proved(hello));
    }
    let unproved = |exit, summary: String| Verdict::nothing(exit, summary).hint(NEEDS_HOOK);
    Err(match ending {
        Ending::TimedOut { .. } => unproved(Exit::Timeout, "drizzle-kit did not print its version in time".to_owned()),
        Ending::Held(Held::Runner(reason)) => unproved(Exit::CannotRun, reason),
        _ => {
            let said = seen.last_text.lines.iter().rev().find(|line| !line.is_empty());
            let said = said.map(|line| format!(" (output: {line})")).unwrap_or_default();
            let summary = format!(
                "{} starts a program that does not load the hook, so drizzle-pilot could not hold what drizzle-kit sends{said}",
                kit.path.display()
            );
            unproved(Exit::CannotRun, summary)
        }
    })
}

/// A drizzle-kit that runs in a terminal of its own, and waits for whoever drives it.
pub struct Started {
    stream: ScreenStream,
    channel: HookChannel,
}

/// Starts drizzle-kit in a terminal, by the command that is made for the channel to its hook.
///
/// # Errors
/// With the verdict, where it cannot be started.
pub fn start(
    recorder: Option<FileRecorder>,
    command: impl FnOnce(&HookChannel) -> io::Result<Command>,
) -> Result<Started, Verdict> {
    let interrupts = Interrupts::watch().map_err(|error| Verdict::internal("watching for signals", &error))?;
    let (channel, mail) = HookChannel::create().map_err(|error| no_hook_channel(&error))?;
    let command = command(&channel).map_err(|error| no_hook_channel(&error))?;
    tracing::debug!(program = %command.program.display(), "starting drizzle-kit");
    let pty = Pty::spawn(&command).map_err(|error| not_started(&error))?;
    Ok(Started { stream: ScreenStream::new(pty, interrupts, Some(mail), recorder), channel })
}

impl Started {
    /// Drives drizzle-kit until it has ended or was stopped.
    ///
    /// # Errors
    /// With the verdict, where the terminal itself fails; the process tree was stopped then.
    pub fn drive(self, shared: &Shared, supervisor: &mut dyn Supervisor) -> Result<KitRun, Verdict> {
        let deadlines = Deadlines { whole: shared.timeout, idle: shared.idle_timeout };
        driver::drive(self.stream, self.channel, deadlines, supervisor)
            .map_err(|error| Verdict::internal("driving the terminal", &error))
    }
}

/// Says why the hook and we have no pipes to speak through.
pub fn no_hook_channel(error: &std::io::Error) -> Verdict {
    Verdict::nothing(Exit::Failed, format!("making a temporary directory: {error}"))
        .hint("set TMPDIR to a writable folder")
}

/// Says why drizzle-kit was not started.
fn not_started(error: &anyhow::Error) -> Verdict {
    Verdict::nothing(Exit::CannotRun, format!("starting drizzle-kit: {error}"))
}
