//! Reads, waits and types, and decides nothing: [`Session`] does.
//!
//! expectrl waits, with a deadline, for the names of what happened at the terminal, and tells the end of the output.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use expectrl::Expect;
use expectrl::session::Session as Terminal;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tracing::{debug, trace};

use crate::kit::config::{Config, ConfigError, FailedStatement, Hello, KitSession, Message};
use crate::kit::hook_channel::{Go, HookChannel};
use crate::kit::prompt::Prompt;
use crate::kit::run::{Ending, Held, KitRun, Passage};
use crate::kit::session::{Answer, Doubt, Patience, Session, Step};
use crate::term::Key;
use crate::term::ended::Ended;
use crate::term::redact::Secrets;
use crate::term::screen::Event;
use crate::term::stream::{END, Record, ScreenStream};

/// The deadlines of a run.
#[derive(Debug, Clone, Copy)]
pub struct Deadlines {
    /// For the whole run.
    pub whole: Duration,
    /// Without any output.
    pub idle: Duration,
}

/// Time for each rung of the stop ladder. The reaper kills what is left 700 ms after it was asked to end it.
const RUNG: Duration = Duration::from_millis(1500);
/// Time for the exit status to follow the end of the output, and the reverse.
const LAST: Duration = Duration::from_secs(2);
/// How often the terminal is asked whether drizzle-kit reads keys, while it should and while it should not.
const LOOK: Duration = Duration::from_millis(500);
const SOON: Duration = Duration::from_millis(2);
/// The most that drizzle-kit 1.0 may print for programs, in bytes: as much as at the terminal.
const MOST_OUT: usize = 64 << 20;
/// Number of looks in a row at which a reading drizzle-kit without a prompt is believed.
const N_LOOKS: u32 = 6;

/// Those who know what a run is for: the policy behind a closure, and the person who watches.
pub trait Supervisor {
    /// Takes drizzle's config before drizzle-kit connects. Refusing ends the run.
    fn config(&mut self, config: &Config) -> Reply;
    /// Answers a prompt.
    fn ask(&mut self, prompt: &Prompt) -> Answer;
    /// Takes what a session of drizzle-kit is, before its first query. Refusing ends the run.
    fn session(&mut self, session: &KitSession) -> Result<(), Held>;
    /// Takes a query before it is sent, and whether the last question was answered with yes by then; returns what becomes of
    /// it. Refusing ends the run.
    fn query(&mut self, query: &str, consented: bool) -> Result<Passage, Held>;
    /// Is asked when nothing was printed for as long as the idle deadline allows: does the server work on a statement that
    /// it was sent to execute?
    fn is_executing(&mut self, consented: bool) -> bool;
    /// Is asked when the lock that came with the clearance has something to say. Losing it ends the run.
    fn has_lock(&mut self) -> bool;
    /// Takes why the config was not loaded, and returns the secrets that will be left out of recordings.
    fn config_failed(&mut self, failed: &ConfigError) -> Secrets;
    /// Takes a file of the project that was loaded after the config: a schema file, or what it imports.
    fn loaded(&mut self, file: PathBuf);
    /// Takes what the project's own files print while they are loaded.
    fn printed(&mut self, text: &str);
    /// Takes the last line that was drawn while drizzle-kit works.
    fn progress(&mut self, line: &str);
}

/// Whether drizzle-kit may go on to its database.
#[derive(Debug)]
pub enum Reply {
    /// Yes, with this; the secrets will be left out of recordings.
    Proceed {
        go: Box<Go>,
        /// Is watched from now on; see [`Supervisor::has_lock`].
        lock: Option<OwnedFd>,
        secrets: Secrets,
    },
    Abort,
}

/// Drives drizzle-kit until it has ended or was stopped.
///
/// # Errors
/// When the terminal itself fails; the process tree was stopped then.
#[tracing::instrument(skip_all)]
pub fn drive(
    stream: ScreenStream,
    channel: HookChannel,
    deadlines: Deadlines,
    supervisor: &mut dyn Supervisor,
) -> io::Result<KitRun> {
    let mut driver = Driver {
        terminal: Terminal::new((), stream)?,
        channel,
        session: Session::default(),
        end: Instant::now() + deadlines.whole,
        idle: deadlines.idle,
        quiet_since: Instant::now(),
        patience_since: Instant::now(),
        patience: Patience::Work,
        opened: None,
        n_looks: 0,
        progress: String::new(),
        learned: Learned::default(),
    };
    let ending = match driver.run(supervisor) {
        Ok(ending) => ending,
        Err(error) => {
            driver.stop()?;
            return Err(error);
        }
    };
    let recording = driver.terminal.get_stream_mut().finish_recording();
    let Learned { cleared, out, config_error, failed, hello, latencies_ms } = driver.learned;
    let seen = driver.session.end();
    Ok(KitRun { ending, seen, cleared, out, envelope: None, config_error, failed, hello, latencies_ms, recording })
}

struct Driver {
    terminal: Terminal<(), ScreenStream>,
    channel: HookChannel,
    session: Session,
    end: Instant,
    idle: Duration,
    quiet_since: Instant,
    patience: Patience,
    patience_since: Instant,
    opened: Option<Instant>,
    n_looks: u32,
    /// The last line that was drawn while drizzle-kit works, without its spinner.
    progress: String,
    learned: Learned,
}

#[derive(Default)]
struct Learned {
    cleared: bool,
    out: String,
    config_error: Option<String>,
    failed: Option<FailedStatement>,
    hello: Option<Hello>,
    latencies_ms: Vec<f64>,
}

impl Driver {
    fn run(&mut self, supervisor: &mut dyn Supervisor) -> io::Result<Ending> {
        loop {
            let overdue = self.overdue(supervisor);
            for record in self.records(self.next_look())? {
                if let Some(ending) = self.on(record, supervisor)? {
                    return self.land(ending);
                }
                // An answer may have taken a while, and the next record may press Enter.
                if let Some(ending) = self.called_off() {
                    return self.land(ending);
                }
            }
            if let Some(ending) = overdue {
                return self.land(ending);
            }
        }
    }

    /// Returns how the run ends because of a signal or the end of its time, if one came.
    fn called_off(&mut self) -> Option<Ending> {
        if let Some(signal) = self.terminal.get_stream_mut().take_signal() {
            return Some(Ending::Signalled(signal));
        }
        (Instant::now() >= self.end).then_some(Ending::TimedOut { idle: false })
    }

    /// Reacts to one record. Returns how the run ends, if it does.
    fn on(&mut self, record: Record, supervisor: &mut dyn Supervisor) -> io::Result<Option<Ending>> {
        match record {
            Record::Screen(event) => {
                if self.says_something(&event) {
                    self.quiet_since = Instant::now();
                }
                self.n_looks = 0;
                match &event {
                    Event::Progress(line) => supervisor.progress(line),
                    Event::Opened(_) => self.opened = Some(Instant::now()),
                    _ => {}
                }
                let step = self.session.on(event, &mut |prompt| supervisor.ask(prompt));
                return self.take(step);
            }
            Record::Message(line) => return self.take_message(&line, supervisor),
            Record::Signal(signal) => return Ok(Some(Ending::Signalled(signal))),
            Record::LockWatch if !supervisor.has_lock() => return Ok(Some(Ending::LockLost)),
            Record::LockWatch => {}
            Record::Flood => return Ok(Some(Ending::Flooded)),
            Record::Ended(text) => {
                let confirmed = self.session.finish(text);
                let ended = self.await_status()?;
                if let Some(signal) = self.common_signal(ended)? {
                    return Ok(Some(Ending::Signalled(signal)));
                }
                return Ok(Some(match confirmed {
                    Ok(()) => Ending::Finished(ended),
                    Err(doubt) => Ending::Doubted(doubt),
                }));
            }
            // The end of the output follows, and says more. But where the reaper was killed, it comes only once what the
            // reaper watched is ended as well, which asking for the status does.
            Record::ChildEnded => drop(self.terminal.get_stream_mut().ended()?),
        }
        Ok(None)
    }

    /// Tells whether something was drawn that is more than a spinner's next picture.
    fn says_something(&mut self, event: &Event) -> bool {
        let Event::Progress(line) = event else { return true };
        // cli/views.ts and hanji: `[⣷] Pulling schema from database...`
        let mut rest = line.chars();
        let is_spinner = rest.next() == Some('[') && rest.nth(1) == Some(']');
        let words = if is_spinner { rest.as_str() } else { line.as_str() };
        let is_new = words != self.progress;
        words.clone_into(&mut self.progress);
        is_new
    }

    /// Returns the signal that ended drizzle-kit if it was meant for us as well, as when a whole group is signalled.
    fn common_signal(&mut self, ended: Ended) -> io::Result<Option<i32>> {
        let stream = self.terminal.get_stream_mut();
        if let Ended::Signal(SIGTERM | SIGINT | SIGHUP) = ended {
            // Ours may be on its way still; it wakes us.
            stream.sleep(Instant::now() + Duration::from_millis(50))?;
        }
        Ok(stream.take_signal())
    }

    fn take(&mut self, step: Step) -> io::Result<Option<Ending>> {
        match step {
            Step::Wait(patience) => {
                if self.patience != patience {
                    self.patience_since = Instant::now();
                }
                self.patience = patience;
            }
            Step::Press(key) => {
                if !self.await_listening()? {
                    return Ok(Some(Ending::Doubted(Doubt::NoEffect)));
                }
                debug!(key = key.name(), "pressing");
                self.terminal.send(key.bytes()).map_err(into_io)?;
                if let (Key::Enter, Some(opened)) = (key, self.opened) {
                    self.learned.latencies_ms.push(opened.elapsed().as_secs_f64() * 1e3);
                }
                self.patience_since = Instant::now();
                self.patience = Session::EFFECT;
            }
            Step::Stop(doubt) => return Ok(Some(Ending::Doubted(doubt))),
        }
        Ok(None)
    }

    fn take_message(&mut self, line: &str, supervisor: &mut dyn Supervisor) -> io::Result<Option<Ending>> {
        self.quiet_since = Instant::now();
        match serde_json::from_str(line) {
            Ok(Message::Config { config }) => match supervisor.config(&config) {
                Reply::Proceed { go, lock, secrets } => {
                    self.terminal.get_stream_mut().hide(&secrets);
                    if let Some(lock) = lock {
                        self.terminal.get_stream_mut().keep_on(lock);
                    }
                    self.channel.clear(&go)?;
                    self.learned.cleared = true;
                }
                Reply::Abort => {
                    self.channel.stop()?;
                    return Ok(Some(Ending::Aborted));
                }
            },
            Ok(Message::Session { session }) => {
                return self.release(supervisor.session(&session).map(|()| Passage::Sent));
            }
            Ok(Message::Query { query }) => {
                return self.release(supervisor.query(&query, self.session.consented()));
            }
            Ok(Message::Loaded { loaded }) => supervisor.loaded(loaded),
            Ok(Message::Printed { printed }) => supervisor.printed(&printed),
            Ok(Message::Out { out }) if self.learned.out.len() + out.len() > MOST_OUT => {
                return Ok(Some(Ending::Flooded));
            }
            Ok(Message::Out { out }) => self.learned.out.push_str(&out),
            Ok(Message::Refused { refused }) => return Ok(Some(Ending::Held(Held::Runner(refused)))),
            Ok(Message::Hello { hello }) => self.learned.hello = Some(hello),
            Ok(Message::Error(failed)) => {
                let secrets = supervisor.config_failed(&failed);
                self.terminal.get_stream_mut().hide(&secrets);
                self.learned.config_error = Some(failed.error);
            }
            // What follows in its transaction fails because of the first.
            Ok(Message::Failed { failed }) => drop(self.learned.failed.get_or_insert(*failed)),
            // Only the hook writes here. What it cannot say in JSON is no config.
            Err(error) => self.learned.config_error = Some(format!("the config could not be passed on: {error}")),
        }
        Ok(None)
    }

    /// Lets drizzle-kit do what it waits with, or ends it.
    fn release(&mut self, cleared: Result<Passage, Held>) -> io::Result<Option<Ending>> {
        match cleared {
            Ok(passage) => self.channel.pass(&passage).map(|()| None),
            Err(held) => {
                self.channel.stop()?;
                Ok(Some(Ending::Held(held)))
            }
        }
    }

    /// Waits for records until a moment. None come when it passes, and none any more after the end.
    fn records(&mut self, until: Instant) -> io::Result<Vec<Record>> {
        self.terminal.get_stream_mut().wait_until(until);
        self.terminal.set_expect_timeout(Some(until.saturating_duration_since(Instant::now())));
        // expectrl would compile a regex anew for each look, which a hundred rows to pass are enough to notice.
        match self.terminal.expect(END) {
            Ok(names) => {
                trace!(names = %String::from_utf8_lossy(names.as_bytes()), "records");
                let stream = self.terminal.get_stream_mut();
                Ok(std::iter::from_fn(|| stream.take()).collect())
            }
            Err(expectrl::Error::ExpectTimeout) => Ok(Vec::new()),
            Err(error) => Err(into_io(error)),
        }
    }

    /// Returns how the run ends because too much time has passed, if it does.
    fn overdue(&mut self, supervisor: &mut dyn Supervisor) -> Option<Ending> {
        let now = Instant::now();
        if now >= self.end {
            return Some(Ending::TimedOut { idle: false });
        }
        match self.patience {
            Patience::Effect(limit) if now >= self.patience_since + limit => {
                return self.session.overdue().map(Ending::Doubted);
            }
            Patience::Work if now >= self.quiet_since + self.idle => {
                // Silence is what a long statement looks like.
                if !supervisor.is_executing(self.session.consented()) {
                    return Some(Ending::TimedOut { idle: true });
                }
                self.quiet_since = Instant::now();
            }
            _ => {}
        }
        // A prompt that does not hide the cursor is none that we know; but it reads keys, and waits for ever.
        if self.patience == Patience::Work && now >= self.quiet_since + LOOK {
            self.n_looks = if self.terminal.get_stream().listens() { self.n_looks + 1 } else { 0 };
            if self.n_looks >= N_LOOKS {
                return Some(Ending::Doubted(Doubt::HiddenPrompt));
            }
        }
        None
    }

    fn next_look(&self) -> Instant {
        let now = Instant::now();
        match self.patience {
            Patience::Effect(limit) => (self.patience_since + limit).min(self.end),
            Patience::Work => (now + LOOK).min(self.quiet_since + self.idle).min(self.end),
        }
    }

    /// Waits until drizzle-kit reads single keys. It does so before it hides the cursor, so this is true at once,
    /// unless something else hid it.
    fn await_listening(&mut self) -> io::Result<bool> {
        let until = Instant::now() + LOOK;
        while !self.terminal.get_stream().listens() {
            if Instant::now() >= until {
                return Ok(false);
            }
            self.terminal.get_stream_mut().sleep(Instant::now() + SOON)?;
        }
        Ok(true)
    }

    /// Brings a run down: whatever its end, the whole process tree is gone afterwards.
    fn land(&mut self, ending: Ending) -> io::Result<Ending> {
        if matches!(ending, Ending::Finished(_)) {
            return Ok(ending);
        }
        // The reason stands first; how the tree was brought down does not change it.
        self.stop()?;
        Ok(ending)
    }

    /// The stop ladder: Ctrl-C while keys are read, then SIGTERM to the tree, then SIGKILL, each with its deadline.
    fn stop(&mut self) -> io::Result<()> {
        self.session.leave();
        if self.terminal.get_stream().listens() {
            self.terminal.send(Key::Interrupt.bytes()).map_err(into_io)?;
            if self.gone_within(RUNG)? {
                return Ok(());
            }
        }
        self.terminal.get_stream().terminate();
        if self.gone_within(RUNG)? {
            return Ok(());
        }
        self.terminal.get_stream().kill();
        self.gone_within(RUNG)?;
        Ok(())
    }

    /// Waits for the end of the process, reading on, so that it does not hang in a write.
    fn gone_within(&mut self, limit: Duration) -> io::Result<bool> {
        let until = Instant::now() + limit;
        loop {
            if self.terminal.get_stream_mut().ended()?.is_some() {
                return Ok(true);
            }
            if Instant::now() >= until {
                return Ok(false);
            }
            match self.records(until) {
                Ok(records) => {
                    for record in records {
                        match record {
                            // Its words count although it was stopped: they tell how far it came.
                            Record::Ended(text) => drop(self.session.finish(text)),
                            // Whatever it waits with now, it does not do.
                            Record::Message(_) => self.channel.stop()?,
                            _ => {}
                        }
                    }
                }
                // The output ended before the process: only its status is missing, and SIGCHLD tells when it comes.
                Err(_) => self.terminal.get_stream_mut().sleep(until)?,
            }
        }
    }

    /// Waits for the exit status, which follows the end of the output.
    fn await_status(&mut self) -> io::Result<Ended> {
        if !self.gone_within(LAST)? {
            self.terminal.get_stream().terminate();
            if !self.gone_within(RUNG)? {
                self.terminal.get_stream().kill();
                self.gone_within(RUNG)?;
            }
        }
        let ended = self.terminal.get_stream_mut().ended()?;
        ended.ok_or_else(|| io::Error::other("drizzle-kit closed its terminal but did not end"))
    }
}

fn into_io(error: expectrl::Error) -> io::Error {
    match error {
        expectrl::Error::IO(error) => error,
        other => io::Error::other(other.to_string()),
    }
}
