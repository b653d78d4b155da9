//! What a reset runs before and after: the user's own command lines, one after the other, each shown and timed.

use std::ffi::OsString;
use std::io::{self, PipeReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::Clock;
use crate::outcome::{Exit, Verdict, signal_name};
use crate::output::console::{self, Console};
use crate::policy::CommandLine;
use crate::term::interrupts::{Interrupts, Woken};
use crate::term::redact::Secrets;

/// Time for a command to end by itself once it was asked to.
const RUNG: Duration = Duration::from_millis(1500);

/// Runs one command line without a shell, in the project's folder, with its installed programs on the PATH, and with these
/// variables, or without those that have no value. What it prints goes to stderr line by line as it comes, as all that is not
/// ours does: without secrets, and stdout is for our own result.
///
/// # Errors
/// With the verdict, where it did not end well. What became of the database is for the caller to say.
pub fn run(
    line: &CommandLine,
    cwd: &Path,
    variables: &[(&str, Option<String>)],
    clock: &Clock,
    interrupts: &mut Interrupts,
    console: &mut Console,
) -> Result<(), Verdict> {
    let path = path(cwd);
    let (program, args) = line.words.split_first().expect("a command line has a program");
    let found = which::which_in(program, Some(&path), cwd).map_err(|_| {
        Verdict::nothing(Exit::Failed, format!("`{}`: program {program} not found", line.text))
            .hint("the project's node_modules/.bin is searched first, then the PATH")
    })?;
    let not_run =
        |error: io::Error| Verdict::nothing(Exit::Failed, format!("`{}` could not be run: {error}", line.text));
    let (printed, out) = io::pipe().map_err(not_run)?;
    let (is_over, over) = io::pipe().map_err(not_run)?;
    let mut command = Command::new(found);
    let err = out.try_clone().map_err(not_run)?;
    // A group of its own, so that all it started can be ended with it.
    command.args(args).current_dir(cwd).env("PATH", &path).stdin(Stdio::null()).process_group(0);
    command.stdout(out).stderr(err);
    for (name, value) in variables {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child = command.spawn().map_err(not_run)?;
    drop(command); // and with it our own copies of its ends of the pipe
    console.settle();
    let shown = {
        let secrets = console.secrets().clone();
        std::thread::spawn(move || show(printed, &is_over, &secrets))
    };
    let group = Pid::from_child(&child);
    let end = Instant::now() + clock.rest();
    let mut status: Option<ExitStatus> = None;
    let mut ended = || {
        status = child.try_wait()?;
        Ok(status.is_some())
    };
    let woken = interrupts.until(end, &mut ended).map_err(not_run)?;
    if woken != Woken::Ready {
        for signal in [Signal::TERM, Signal::KILL] {
            // It may have ended by itself meanwhile.
            let _ = kill_process_group(group, signal);
            if interrupts.at_last(Instant::now() + RUNG, &mut ended).map_err(not_run)? {
                break;
            }
        }
        let _ = kill_process_group(group, Signal::KILL);
    }
    // What it left running may hold the pipe; what it said itself is in there already.
    drop(over);
    let _ = shown.join();
    match (woken, status) {
        (Woken::Signal(signal), _) => {
            let summary = format!("stopped by {} in `{}`", signal_name(signal), line.text);
            Err(Verdict::nothing(Exit::Signal(signal), summary))
        }
        (Woken::Late, _) => {
            Err(Verdict::nothing(Exit::Timeout, format!("`{}` did not end within the deadline of the run", line.text))
                .hint("--timeout sets the time for all steps together"))
        }
        (Woken::Ready, Some(status)) if status.success() => Ok(()),
        (Woken::Ready, status) => {
            let how = match status.and_then(|status| status.code().or(status.signal().map(|signal| 128 + signal))) {
                Some(code) => format!("ended with {code}"),
                None => "ended".to_owned(),
            };
            Err(Verdict::nothing(Exit::Failed, format!("`{}` {how}", line.text)))
        }
    }
}

/// Shows what comes out of a pipe, line by line, until its end, or until `is_over` ends and nothing more is in it.
fn show(mut printed: PipeReader, is_over: &PipeReader, secrets: &Secrets) -> io::Result<()> {
    let mut lines = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        let mut polled = [PollFd::new(&printed, PollFlags::IN), PollFd::new(is_over, PollFlags::IN)];
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let (is_readable, is_over) = (!polled[0].revents().is_empty(), !polled[1].revents().is_empty());
        let n_read = if is_readable { printed.read(&mut piece)? } else { 0 };
        lines.extend_from_slice(&piece[..n_read]);
        let is_end = n_read == 0 && (is_readable || is_over);
        // A line without an end is shown at the end, or where it is longer than any.
        let is_whole = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let n_whole = match lines.iter().rposition(is_whole) {
            _ if is_end || lines.len() > LONGEST_LINE => lines.len(),
            last => last.map_or(0, |last| last + 1),
        };
        let whole: Vec<u8> = lines.drain(..n_whole).collect();
        for line in String::from_utf8_lossy(&whole).split_terminator(['\n', '\r']).filter(|line| !line.is_empty()) {
            let plain = anstream::adapter::strip_str(line).to_string();
            // A closed stderr is no reason to stop what is run.
            let _ = writeln!(io::stderr().lock(), "{}", console::clean(&secrets.redact(&plain)));
        }
        if is_end {
            return Ok(());
        }
    }
}

/// The most of a line that waits for its end.
const LONGEST_LINE: usize = 1 << 20;

/// Returns the PATH with the folders of installed programs, from the project's upward, before the rest.
fn path(cwd: &Path) -> OsString {
    let bins = cwd.ancestors().map(|folder| folder.join("node_modules/.bin")).filter(|bin| bin.is_dir());
    let rest = std::env::var_os("PATH").unwrap_or_default();
    let all: Vec<PathBuf> = bins.chain(std::env::split_paths(&rest)).collect();
    // A folder with a colon in its name cannot stand in a PATH.
    std::env::join_paths(all).unwrap_or(rest)
}
