//! The process between us and drizzle-kit that lets nothing outlive us, not even when we are killed with SIGKILL.
//!
//! It is this same program, started with [`NAME`] as the leader of the terminal's session. It starts the command as its
//! child, collects its orphans (subreaper), is told by the kernel when we die (parent death signal, and the hang-up of
//! the terminal), ends the tree, and passes the command's exit status or signal on unchanged.

use std::ffi::{OsStr, OsString};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

use crate::term::command::Command;

/// The first argument that makes this program the reaper.
pub const NAME: &str = "__reaper";

/// Time between asking the tree to end and killing it.
const GRACE: Duration = Duration::from_millis(700);

/// Exit codes of `env(1)` and the shells for a command that cannot be run, or is not there.
const CANNOT_RUN: i32 = 126;
const NOT_FOUND: i32 = 127;

/// Returns the arguments that start the reaper for a command.
pub fn arguments(command: &Command) -> Vec<OsString> {
    let us = rustix::process::getpid().as_raw_nonzero().to_string();
    let mut arguments = vec![NAME.into(), us.into(), command.program.clone().into_os_string()];
    arguments.extend(command.args.iter().cloned());
    arguments
}

/// As [`arguments`], for a program that runs as another user and group, and whose own arguments follow.
pub fn arguments_as(program: &Path, user: Option<(u32, u32)>) -> Vec<OsString> {
    let us = rustix::process::getpid().as_raw_nonzero();
    let starter = match user {
        Some((uid, gid)) => format!("{us}:{uid}:{gid}"),
        None => us.to_string(),
    };
    vec![NAME.into(), starter.into(), program.as_os_str().to_owned()]
}

/// Runs as the reaper. `arguments` are those after [`NAME`]: our starter's process id, and where the program runs as another
/// user, its numbers; the program, its arguments.
/// Returns the exit code; where the command died by a signal, dies by the same one.
pub fn run(arguments: &[OsString]) -> i32 {
    let [starter, program, rest @ ..] = arguments else {
        return CANNOT_RUN;
    };
    match Reaper::start(starter, program, rest) {
        Ok(mut reaper) => reaper.watch(),
        Err(error) => {
            // Where nobody can be told, the status says it.
            let told = format!("drizzle-pilot: starting {}: {error}\n", program.display());
            let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
            if error.kind() == std::io::ErrorKind::NotFound { NOT_FOUND } else { CANNOT_RUN }
        }
    }
}

struct Reaper {
    child: Pid,
    wakes: SignalDelivery<UnixStream, SignalOnly>,
    /// Whether a signal came that is the order to end the command.
    must_stop: bool,
}

impl Reaper {
    fn start(starter: &OsStr, program: &OsStr, rest: &[OsString]) -> std::io::Result<Reaper> {
        let (read, write) = UnixStream::pair()?;
        // SIGINT of the terminal reaches the command by itself; we only must not die of it before the command does.
        let signals = [SIGCHLD, SIGTERM, SIGHUP, SIGQUIT, SIGINT];
        let wakes = SignalDelivery::with_pipe(read, write, SignalOnly, signals)?;
        // So that `pkill drizzle-pilot` means the program and not its reaper.
        let _ = rustix::thread::set_name(c"drizzle-reaper");
        adopt_orphans();
        let mut numbers = starter.to_str().unwrap_or_default().split(':');
        let starter = numbers.next().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw);
        let user = numbers.next().zip(numbers.next()).map(|(uid, gid)| (uid.parse(), gid.parse()));
        if die_with_starter().is_ok() && rustix::process::getppid() != starter {
            return Err(std::io::Error::other("the starting process is gone"));
        }
        let mut command = std::process::Command::new(program);
        command.args(rest);
        match user {
            Some((Ok(uid), Ok(gid))) => drop(command.uid(uid).gid(gid)),
            Some(_) => return Err(std::io::Error::other("the user is not given by numbers")),
            None => {}
        }
        let child = command.spawn()?;
        let child = Pid::from_raw(child.id().cast_signed()).expect("a started process has an id above zero");
        Ok(Reaper { child, wakes, must_stop: false })
    }

    /// Waits for the command, or for the order to end it, and leaves nothing behind.
    fn watch(&mut self) -> i32 {
        let mut deadline: Option<Instant> = None;
        let status = loop {
            if let Some(status) = self.reap() {
                break status;
            }
            if deadline.is_none() && self.must_stop {
                let _ = rustix::process::kill_process(self.child, Signal::TERM);
                deadline = Some(Instant::now() + GRACE);
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                let _ = rustix::process::kill_process(self.child, Signal::KILL);
            }
            self.sleep(left.map(|left| left.max(Duration::from_millis(50))));
        };
        end_children();
        if let Some(signal) = status.terminating_signal() {
            // Dying by the same signal tells it to our starter as the kernel would have.
            if signal == Signal::KILL.as_raw() {
                let _ = rustix::process::kill_process(rustix::process::getpid(), Signal::KILL);
            }
            let _ = signal_hook::low_level::emulate_default_handler(signal);
            return 128 + signal;
        }
        status.exit_status().unwrap_or(CANNOT_RUN)
    }

    /// Collects every ended process; returns the status of the command when it is among them.
    fn reap(&self) -> Option<rustix::process::WaitStatus> {
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            if pid == self.child {
                return Some(status);
            }
        }
        None
    }

    fn sleep(&mut self, at_most: Option<Duration>) {
        let timeout = at_most.and_then(|left| rustix::event::Timespec::try_from(left).ok());
        let mut polled = [PollFd::new(self.wakes.get_read(), PollFlags::IN)];
        // An interrupted poll is a signal that the pipe tells as well.
        let _ = poll(&mut polled, timeout.as_ref());
        self.must_stop |= self.wakes.pending().any(|signal| [SIGTERM, SIGHUP, SIGQUIT].contains(&signal));
    }
}

/// Kills every child, and their children as they become ours, until none is left.
pub(super) fn end_children() {
    while let Ok(found) = rustix::process::wait(WaitOptions::NOHANG) {
        if found.is_some() {
            continue;
        }
        for pid in children() {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
        }
        // The killed child, or the death of one that was ending by itself.
        if rustix::process::wait(WaitOptions::empty()).is_err() {
            break;
        }
    }
}

/// Makes the orphans of what we start our children, as the reaper does, in case that the reaper itself is killed.
/// Returns whether every child is ours to end then: a shell that became us by `exec` may have left us some of its own.
pub(super) fn adopt_orphans_of_none_but_ours() -> bool {
    // Does not collect a child that has ended, and fails where there is none at all: waitid(2), WNOWAIT and ECHILD.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    let is_free = rustix::process::waitid(WaitId::All, options).err() == Some(rustix::io::Errno::CHILD);
    if is_free {
        adopt_orphans();
    }
    is_free
}

/// Returns our children, from `/proc/PID/stat` (`proc_pid_stat(5)`: the parent is the second field after the name).
fn children() -> Vec<Pid> {
    let us = rustix::process::getpid();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(Pid::from_raw)
        .filter(|pid| {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            parent.and_then(|parent| parent.parse().ok()).and_then(Pid::from_raw) == Some(us)
        })
        .collect()
}

#[cfg(target_os = "linux")]
fn adopt_orphans() {
    // Refused only by kernels before 3.4; then a grandchild that leaves its session is not ours to end.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

#[cfg(not(target_os = "linux"))]
fn adopt_orphans() {}

#[cfg(target_os = "linux")]
fn die_with_starter() -> rustix::io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))
}

#[cfg(not(target_os = "linux"))]
fn die_with_starter() -> rustix::io::Result<()> {
    Err(rustix::io::Errno::NOTSUP)
}
