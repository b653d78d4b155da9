//! The processes of one run, found by a variable that all of them inherit.

use std::path::Path;

use rustix::io::Errno;
use rustix::process::{Pid, kill_process};

pub(crate) use rustix::process::Signal;

/// Set to a value of its own for each run. What a process forks keeps it, wherever it is reparented to.
pub(crate) const MARKER: &str = "DRIZZLE_PILOT_TEST_RUN";

#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) name: String,
    #[expect(dead_code, reason = "tells in a failure's message which process was left")]
    pub(crate) command: String,
}

/// Returns the living processes that carry the marker. A zombie has no environment any more and does not count.
pub(crate) fn of_run(marker: &str) -> Vec<Process> {
    let wanted = format!("{MARKER}={marker}");
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("Linux has /proc").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(process) = read(pid, &entry.path(), wanted.as_bytes()) {
            found.push(process);
        }
    }
    found
}

/// Reads one process; it may end while we look, then there is nothing to return.
fn read(pid: u32, dir: &Path, wanted: &[u8]) -> Option<Process> {
    let environment = std::fs::read(dir.join("environ")).ok()?;
    if !environment.split(|byte| *byte == 0).any(|variable| variable == wanted) {
        return None;
    }
    let name = std::fs::read_to_string(dir.join("comm")).ok()?;
    let command = std::fs::read(dir.join("cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    Some(Process { pid, name: name.trim_end().to_owned(), command })
}

/// Sends a signal, and returns whether there was still a process to take it.
pub(crate) fn signal(pid: u32, signal: Signal) -> bool {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid is a positive i32");
    match kill_process(pid, signal) {
        Ok(()) => true,
        Err(Errno::SRCH) => false,
        Err(error) => panic!("sending {signal:?} to {pid:?}: {error}"),
    }
}

/// Returns what the kernel knows of a process, for the message of a failure: its parent, its state, its signals and
/// where it sleeps. Empty where it has ended.
pub(crate) fn describe(process: &Process) -> String {
    let file = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", process.pid)).unwrap_or_default();
    let status = file("status");
    let fields = ["State:", "PPid:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"];
    let told: Vec<&str> = status.lines().filter(|line| fields.iter().any(|field| line.starts_with(field))).collect();
    format!("{process:?}\n  {}\n  sleeps in {}", told.join(" "), file("wchan"))
}
