//! The signals that ask us to end, the one that tells of an ended child, and the waits that they end.

use std::io::{self, BufRead, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::SignalOnly;

/// The last signal that came since the first watch and that nobody has taken: its number, or 0. One that comes between two
/// watches is for the second, so that it cannot be kept by the [`SignalDelivery`] of one of them.
static SIGNAL: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// Keeps the last signal that came and that nobody has taken. Its descriptor is readable when one came.
#[derive(Debug)]
pub struct Interrupts {
    wakes: SignalDelivery<UnixStream, SignalOnly>,
}

/// What came of a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Woken {
    /// What was waited for.
    Ready,
    Signal(i32),
    /// The moment passed.
    Late,
}

/// What a person answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// A line without its end; empty at the end of the input.
    Line(String),
    Signal(i32),
    Late,
}

impl Interrupts {
    /// Watches from now on. Without it a signal ends us at once, which is right as long as there is nothing to bring down.
    ///
    /// # Errors
    /// When the signal handlers cannot be set.
    pub fn watch() -> io::Result<Interrupts> {
        static HANDLED: Mutex<bool> = Mutex::new(false);
        let mut is_handled = HANDLED.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_handled {
            for number in [SIGTERM, SIGINT, SIGHUP] {
                signal_hook::flag::register_usize(number, Arc::clone(&SIGNAL), number.unsigned_abs() as usize)?;
            }
            *is_handled = true;
        }
        let (read, write) = UnixStream::pair()?;
        let mut waker = write.try_clone()?;
        let wakes = SignalDelivery::with_pipe(read, write, SignalOnly, [SIGCHLD, SIGTERM, SIGINT, SIGHUP])?;
        // One that came in between is noted, and has woken nobody.
        if SIGNAL.load(Ordering::SeqCst) != 0 {
            waker.write_all(&[0])?;
        }
        Ok(Interrupts { wakes })
    }

    /// Returns the signal that came, if one did.
    pub fn came(&self) -> Option<i32> {
        number(SIGNAL.load(Ordering::SeqCst))
    }

    /// Returns the signal that came since the last taking, if one did.
    pub fn take(&mut self) -> Option<i32> {
        number(SIGNAL.swap(0, Ordering::SeqCst))
    }

    /// Reads a line of the standard input, which must be a terminal: there a line comes whole.
    ///
    /// # Errors
    /// As `poll(2)` and `read(2)`.
    pub fn line(&mut self, until: Instant) -> io::Result<Answered> {
        let input = io::stdin();
        loop {
            let mut polled = [PollFd::new(self, PollFlags::IN), PollFd::new(&input, PollFlags::IN)];
            wait(&mut polled, until)?;
            let readable = !polled[1].revents().is_empty();
            if let Some(signal) = self.came() {
                return Ok(Answered::Signal(signal));
            }
            if readable {
                let mut line = String::new();
                input.lock().read_line(&mut line)?;
                return Ok(Answered::Line(line.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if Instant::now() >= until {
                return Ok(Answered::Late);
            }
            self.drain();
        }
    }

    /// Waits until something holds that a child's end or a signal brings about.
    ///
    /// # Errors
    /// As `poll(2)`, or with the error of the condition.
    pub fn until(&mut self, until: Instant, mut holds: impl FnMut() -> io::Result<bool>) -> io::Result<Woken> {
        loop {
            if holds()? {
                return Ok(Woken::Ready);
            }
            if let Some(signal) = self.came() {
                return Ok(Woken::Signal(signal));
            }
            if Instant::now() >= until {
                return Ok(Woken::Late);
            }
            wait(&mut [PollFd::new(self, PollFlags::IN)], until)?;
            self.drain();
        }
    }

    /// As [`Interrupts::until`], where a signal came already and no longer matters.
    ///
    /// # Errors
    /// As there.
    pub fn at_last(&mut self, until: Instant, mut holds: impl FnMut() -> io::Result<bool>) -> io::Result<bool> {
        loop {
            if holds()? {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            wait(&mut [PollFd::new(self, PollFlags::IN)], until)?;
            self.drain();
        }
    }

    /// Makes the descriptor unreadable until the next signal comes. Whoever does so looks afterwards what came: later
    /// nothing tells of it.
    pub fn drain(&mut self) {
        self.wakes.pending();
    }
}

impl AsFd for Interrupts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wakes.get_read().as_fd()
    }
}

fn number(noted: usize) -> Option<i32> {
    i32::try_from(noted).ok().filter(|number| *number != 0)
}

/// The longest wait that is handed to the kernel at once.
const LONGEST: Duration = Duration::from_secs(3600);

/// Waits until a descriptor is ready, a signal comes, or the moment does.
pub(super) fn wait(polled: &mut [PollFd<'_>], until: Instant) -> io::Result<()> {
    let left = until.saturating_duration_since(Instant::now()).min(LONGEST);
    let timeout = Timespec::try_from(left).map_err(io::Error::other)?;
    match poll(polled, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
