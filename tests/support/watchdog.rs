//! Kills a run that hangs, and keeps what the kernel knew of its processes.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use super::processes::{self, Signal};

/// Stands over one run until it is called off.
pub(crate) struct Watchdog {
    ended: Sender<()>,
    thread: JoinHandle<Vec<String>>,
}

impl Watchdog {
    /// Kills the processes that carry the marker when their time is over.
    pub(crate) fn over(marker: &str, limit: Duration) -> Self {
        let marker = marker.to_owned();
        let (ended, signal) = mpsc::channel::<()>();
        let thread = std::thread::spawn(move || {
            if signal.recv_timeout(limit) != Err(RecvTimeoutError::Timeout) {
                return Vec::new();
            }
            let hanging = processes::of_run(&marker);
            let told = hanging.iter().map(processes::describe).collect();
            for process in hanging {
                processes::signal(process.pid, Signal::KILL);
            }
            told
        });
        Self { ended, thread }
    }

    /// Calls it off, and returns a description of each process that it killed.
    pub(crate) fn call_off(self) -> Vec<String> {
        drop(self.ended);
        self.thread.join().expect("it only looks and kills")
    }
}
