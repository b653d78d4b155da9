//! Owns the pseudo-terminal and the process tree in it. The only file that touches portable-pty.
//!
//! What portable-pty 0.9.0 leaves to its caller is done here: an absolute working directory (its default is `$HOME`),
//! the slave closed after the start (else the end is never seen), a descriptor of our own for reading and writing
//! (its writer types a line end when dropped), signals to the whole group, and the number of the signal that ended it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::ExitStatusExt;

use filedescriptor::FileDescriptor;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize};
use rustix::process::{Pid, Signal};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use crate::term::command::Command;
use crate::term::ended::Ended;
use crate::term::reaper;
use crate::term::screen::{COLUMNS, ROWS};

/// A process tree in a pseudo-terminal of its own.
pub struct Pty {
    /// Kept for its Drop: closing the master hangs the terminal up.
    _master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    file: File,
    pid: Pid,
    ended: Option<Ended>,
    /// Whether every child of ours belongs to the tree.
    adopts: bool,
}

impl Pty {
    /// Opens a pseudo-terminal and starts the command in it, under a reaper that outlives us by a moment.
    ///
    /// Must be called before any thread exists: portable-pty allocates between fork and exec.
    ///
    /// # Errors
    /// When no pseudo-terminal is to be had or our own program file cannot be started again as the reaper.
    pub fn spawn(command: &Command) -> anyhow::Result<Pty> {
        let size = PtySize { rows: ROWS, cols: COLUMNS, pixel_width: 0, pixel_height: 0 };
        let pair = portable_pty::native_pty_system().openpty(size)?;
        let raw = pair.master.as_raw_fd().ok_or_else(|| anyhow::anyhow!("the pseudo-terminal has no descriptor"))?;
        let file = FileDescriptor::dup(&raw)?.as_file()?;
        disarm(&file)?;

        let mut builder = CommandBuilder::new(std::env::current_exe()?);
        builder.args(reaper::arguments(command));
        builder.cwd(&command.cwd);
        for name in &command.unset {
            builder.env_remove(name);
        }
        for (name, value) in &command.env {
            builder.env(name, value);
        }
        let adopts = reaper::adopt_orphans_of_none_but_ours();
        let child = pair.slave.spawn_command(builder)?;
        drop(pair.slave); // else reading would never end after the child did
        let pid = child
            .process_id()
            .and_then(|pid| Pid::from_raw(pid.cast_signed()))
            .ok_or_else(|| anyhow::anyhow!("the started process has no id"))?;
        Ok(Pty { _master: pair.master, child, file, pid, ended: None, adopts })
    }

    /// Reads what the terminal shows. Returns 0 at the end.
    ///
    /// # Errors
    /// As `read(2)`, except EIO, which is how Linux says that the last process closed the terminal.
    pub fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.file.read(buffer) {
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => Ok(0),
            other => other,
        }
    }

    /// Types bytes.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.file.write_all(bytes)
    }

    /// Tells whether the program reads single keys (raw mode), which it does exactly while it listens at a prompt.
    pub fn listens(&self) -> bool {
        tcgetattr(&self.file).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
    }

    /// Returns how the process ended, or nothing while it runs.
    ///
    /// # Errors
    /// As `waitpid(2)`.
    pub fn ended(&mut self) -> std::io::Result<Option<Ended>> {
        if self.ended.is_none() {
            let child: &mut dyn Child = &mut *self.child;
            self.ended = match child.downcast_mut::<std::process::Child>() {
                Some(child) => child.try_wait()?.map(|status| match (status.code(), status.signal()) {
                    (Some(code), _) => Ended::Code(code),
                    (None, signal) => Ended::Signal(signal.unwrap_or(0)),
                }),
                None => child.try_wait()?.map(|status| Ended::Code(status.exit_code().cast_signed())),
            };
            if let Some(Ended::Signal(_)) = self.ended {
                self.sweep();
            }
        }
        Ok(self.ended)
    }

    /// Asks the whole tree to end: the reaper passes SIGTERM on and kills what is left after its grace.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    /// Ends the session's own process group at once. The last resort, when even the reaper does not answer.
    pub fn kill(&self) {
        // The reaper may be gone and the rest of its group not; a group with members keeps its number.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
    }

    /// Ends what a killed reaper could not end.
    fn sweep(&self) {
        self.kill();
        if self.adopts {
            reaper::end_children();
        }
    }

    fn signal(&self, signal: Signal) {
        if self.ended.is_none() {
            let _ = rustix::process::kill_process(self.pid, signal);
        }
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// Presets the terminal so that nothing typed too early does harm: no echo, and Enter stays a line end (ICRNL),
/// which a prompt of drizzle-kit ignores.
fn disarm(file: &File) -> std::io::Result<()> {
    let mut modes = tcgetattr(file)?;
    modes.local_modes.remove(LocalModes::ECHO);
    modes.input_modes.insert(rustix::termios::InputModes::ICRNL);
    tcsetattr(file, OptionalActions::Now, &modes)?;
    Ok(())
}
