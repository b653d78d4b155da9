//! The terminal as a stream that expectrl can wait on: clean records instead of bytes, and no busy waiting.
//!
//! One `poll(2)` waits for output, for signals and for mail from inside the program. What happened becomes records.
//! expectrl reads their names, a line of words for each look that saw something; what they carry waits in
//! [`ScreenStream::take`]. So expectrl's buffer holds a few dozen bytes of clean text, whatever the program prints,
//! and its loop sleeps in our `read` instead of spinning.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};

use crate::term::ended::Ended;
use crate::term::interrupts::{self, Interrupts};
use crate::term::pty::Pty;
use crate::term::recorder::Recorder;
use crate::term::redact::Secrets;
use crate::term::screen::{Event, Screen, Text};

/// Ends the names of what one look saw.
pub const END: &str = "\n";

/// Bytes of output after which a program is called out of its mind. Its screens hold a few kilobytes.
const FLOOD_BYTES: u64 = 64 << 20;

/// Bytes that Linux hands out at most in one read of a pseudo-terminal (N_TTY_BUF_SIZE, less one).
const KERNEL_PIECE: usize = 4095;

/// Something to react to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    Screen(Event),
    /// A line from inside the program, through the channel.
    Message(String),
    /// We were asked to end, by this signal.
    Signal(i32),
    /// The program, or a process of its tree, ended; the output may not be at its end yet.
    ChildEnded,
    /// The watched descriptor has something to say.
    LockWatch,
    /// More output than a sane program prints.
    Flood,
    /// The output is at its end. Carries the text drawn since the last prompt.
    Ended(Text),
}

impl Record {
    /// Returns the name that expectrl sees.
    fn name(&self) -> &'static str {
        match self {
            Record::Screen(Event::Opened(_)) => "opened",
            Record::Screen(Event::Redrawn { .. }) => "redrawn",
            Record::Screen(Event::Frame(_)) => "frame",
            Record::Screen(Event::Closed) => "closed",
            Record::Screen(Event::Progress(_)) => "progress",
            Record::Message(_) => "mail",
            Record::Signal(_) => "signal",
            Record::ChildEnded => "child-ended",
            Record::LockWatch => "lock",
            Record::Flood => "flood",
            Record::Ended(_) => "ended",
        }
    }
}

/// A recorder into a file.
pub type FileRecorder = Recorder<io::BufWriter<File>>;

/// The stream of records of a terminal.
pub struct ScreenStream {
    pty: Pty,
    screen: Screen,
    interrupts: Interrupts,
    messages: Messages,
    /// Is watched beside the rest, and read by its owner.
    lock: Option<OwnedFd>,
    recorder: Option<FileRecorder>,
    /// The names that expectrl has not read yet, and what the named records are.
    names: VecDeque<u8>,
    records: VecDeque<Record>,
    until: Instant,
    delivered: bool,
    at_end: bool,
    n_bytes: u64,
}

/// What comes from inside the program.
struct Messages {
    channel: Option<File>,
    /// The beginning of a line whose end has not come yet.
    unread: Vec<u8>,
}

impl ScreenStream {
    /// Makes the stream. The channel is read without blocking, line by line.
    pub fn new(
        pty: Pty,
        interrupts: Interrupts,
        channel: Option<File>,
        recorder: Option<FileRecorder>,
    ) -> ScreenStream {
        ScreenStream {
            pty,
            screen: Screen::default(),
            interrupts,
            messages: Messages { channel, unread: Vec::new() },
            lock: None,
            recorder,
            names: VecDeque::new(),
            records: VecDeque::new(),
            until: Instant::now(),
            delivered: false,
            at_end: false,
            n_bytes: 0,
        }
    }

    /// Sets the moment until which a read may sleep.
    pub fn wait_until(&mut self, until: Instant) {
        self.until = until;
    }

    /// Watches a descriptor as well. When it is readable a [`Record::LockWatch`] comes, again and again until it was read.
    pub fn keep_on(&mut self, lock: OwnedFd) {
        self.lock = Some(lock);
    }

    /// Tells whether the program reads single keys.
    pub fn listens(&self) -> bool {
        self.pty.listens()
    }

    /// Returns how the program ended, or nothing while it runs.
    ///
    /// # Errors
    /// As `waitpid(2)`.
    pub fn ended(&mut self) -> io::Result<Option<Ended>> {
        self.pty.ended()
    }

    /// Returns the signal that asked us to end, if one came since the last look.
    pub fn take_signal(&mut self) -> Option<i32> {
        self.interrupts.take()
    }

    /// Sleeps until a signal comes, or the moment does. For when there is nothing to read.
    ///
    /// # Errors
    /// As `poll(2)`.
    pub fn sleep(&mut self, until: Instant) -> io::Result<()> {
        interrupts::wait(&mut [PollFd::new(&self.interrupts, PollFlags::IN)], until)?;
        self.interrupts.drain();
        Ok(())
    }

    /// Asks the program and all that it started to end.
    pub fn terminate(&self) {
        self.pty.terminate();
    }

    /// Ends the program's process group at once.
    pub fn kill(&self) {
        self.pty.kill();
    }

    /// Tells the secrets once all are known, so that they are left out of the recording from its beginning.
    pub fn hide(&mut self, secrets: &Secrets) {
        if let Some(recorder) = &mut self.recorder {
            recorder.hide(secrets);
            recorder.release();
        }
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The first error met while it was written.
    pub fn finish_recording(&mut self) -> io::Result<()> {
        self.recorder.as_mut().map_or(Ok(()), FileRecorder::finish)
    }

    /// Takes the next record whose name was read.
    pub fn take(&mut self) -> Option<Record> {
        self.records.pop_front()
    }

    fn push(&mut self, record: Record) {
        self.names.extend(record.name().as_bytes());
        self.names.push_back(b' ');
        self.records.push_back(record);
    }

    /// Sleeps until something happens or the set moment comes, and turns it into records.
    fn look(&mut self) -> io::Result<()> {
        // A signal that came in a sleep is noted, and its wake is gone.
        let until = if self.interrupts.came().is_some() { Instant::now() } else { self.until };
        let (output, wakes, mail, lock) = {
            let mut polled = vec![PollFd::new(&self.interrupts, PollFlags::IN), PollFd::new(&self.pty, PollFlags::IN)];
            let mail = polled.len();
            polled.extend(self.messages.channel.as_ref().map(|channel| PollFd::new(channel, PollFlags::IN)));
            let lock = polled.len();
            polled.extend(self.lock.as_ref().map(|lock| PollFd::new(lock, PollFlags::IN)));
            interrupts::wait(&mut polled, until)?;
            let came = |idxs: std::ops::Range<usize>| {
                polled.get(idxs).is_some_and(|fds| fds.iter().any(|fd| !fd.revents().is_empty()))
            };
            (came(1..2), came(0..1), came(mail..lock), came(lock..polled.len()))
        };
        if wakes {
            self.interrupts.drain();
        }
        if let Some(signal) = self.interrupts.take() {
            self.push(Record::Signal(signal));
        } else if wakes {
            self.push(Record::ChildEnded);
        }
        if mail {
            self.take_message();
        }
        if lock {
            self.push(Record::LockWatch);
        }
        if output {
            self.take_output()?;
        }
        if !self.names.is_empty() {
            self.names.extend(END.as_bytes());
        }
        Ok(())
    }

    fn take_message(&mut self) {
        self.messages.read();
        while let Some(line) = self.messages.next_line() {
            self.push(Record::Message(line));
        }
    }

    fn take_output(&mut self) -> io::Result<()> {
        let mut buffer = [0; 65536];
        let n_bytes = self.read_burst(&mut buffer)?;
        if n_bytes == 0 {
            self.at_end = true;
            // What was sent before the end is told before it.
            self.take_message();
            let text = self.screen.take_text();
            self.push(Record::Ended(text));
            return Ok(());
        }
        let before = self.n_bytes;
        self.n_bytes += n_bytes as u64;
        if let Some(recorder) = &mut self.recorder {
            recorder.output(&buffer[..n_bytes]);
        }
        let mut events = Vec::new();
        self.screen.feed(&buffer[..n_bytes], |event| events.push(Record::Screen(event)));
        for record in events {
            self.push(record);
        }
        if before <= FLOOD_BYTES && self.n_bytes > FLOOD_BYTES {
            self.push(Record::Flood);
        }
        Ok(())
    }

    /// Reads what has come, up to the size of the buffer, so that a redraw that is written in one piece is looked at
    /// once. Returns 0 at the end.
    fn read_burst(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut n_bytes = self.pty.read(buffer)?;
        let mut last = n_bytes;
        while last > 0 && n_bytes < buffer.len() {
            // A full piece of the kernel's means that its writer is held up, and about to write the rest.
            let patience = if last >= KERNEL_PIECE { Duration::from_millis(1) } else { Duration::ZERO };
            let patience = rustix::event::Timespec::try_from(patience).map_err(io::Error::other)?;
            let ready = poll(&mut [PollFd::new(&self.pty, PollFlags::IN)], Some(&patience));
            if !matches!(ready, Ok(1)) {
                break;
            }
            last = self.pty.read(&mut buffer[n_bytes..])?; // at the end it is 0, and the next read finds that again
            n_bytes += last;
        }
        Ok(n_bytes)
    }
}

impl Messages {
    /// Reads what has come.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        const MOST: usize = 1 << 20; // no config is longer
        let Messages { channel: Some(channel), unread } = self else { return };
        while unread.len() < MOST
            && let Ok(n_bytes) = channel.read(&mut buffer)
        {
            unread.extend_from_slice(&buffer[..n_bytes]);
            if n_bytes < buffer.len() {
                break;
            }
        }
    }

    fn next_line(&mut self) -> Option<String> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.unread.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}

impl Read for ScreenStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.names.is_empty() {
            // expectrl reads until nothing is left before it looks. A second sleep here would cost a whole wait.
            if std::mem::take(&mut self.delivered) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            if self.at_end {
                return Ok(0);
            }
            self.look()?;
        }
        match self.names.read(buffer)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n_bytes => {
                self.delivered = true;
                Ok(n_bytes)
            }
        }
    }
}

impl Write for ScreenStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(recorder) = &mut self.recorder {
            recorder.keys(bytes);
        }
        self.pty.write(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl expectrl::process::NonBlocking for ScreenStream {
    /// Nothing to switch: a read sleeps until the moment that [`ScreenStream::wait_until`] set.
    fn set_blocking(&mut self, _on: bool) -> io::Result<()> {
        Ok(())
    }
}

impl AsFd for ScreenStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pty.as_fd()
    }
}
