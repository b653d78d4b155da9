//! One run of the program on a project of its own, with a fake drizzle-kit or none, and what it left.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{PtySize, native_pty_system};
use rustix::termios::tcgetattr;
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{self, MARKER, Process, Signal};
use crate::script::{Entry, Script, log_path};
use crate::wait::{gone_within, until};
use crate::watchdog::Watchdog;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// SPEC §5, rule 8: this soon after the end no process of a run is left.
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// Whatever drizzle-kit does, the program needs less.
const MOST_MEMORY: u64 = 64 << 20;

pub(crate) const UNCHANGED: &str = "Nothing was executed.";
pub(crate) const MAYBE: &str = "The database may be partly changed.";

/// A run that is being prepared.
pub(crate) struct Run {
    dir: TempDir,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    faked: bool,
    /// What a shell does before it becomes the program.
    before: Option<&'static str>,
}

impl Run {
    /// Prepares a command line in an empty folder.
    pub(crate) fn new(args: &[&str]) -> Run {
        let dir = tempfile::Builder::new().prefix("it prüft ").tempdir().expect("there is a temporary folder");
        for folder in ["app", "tmp"] {
            std::fs::create_dir(dir.path().join(folder)).expect("the folder is empty");
        }
        Run { dir, args: args.iter().map(Into::into).collect(), env: Vec::new(), faked: false, before: None }
    }

    /// Prepares `push` with a fake drizzle-kit.
    pub(crate) fn push(script: &Script) -> Run {
        Run::new(&["push"]).fake(script)
    }

    /// Lets the fake play a script, in a project that has a drizzle config.
    pub(crate) fn fake(mut self, script: &Script) -> Run {
        let json = serde_json::to_string(script).expect("a script is JSON");
        std::fs::write(self.script(), json).expect("the folder is ours");
        self.faked = true;
        self.file("drizzle.config.json", "{}")
    }

    /// Writes a file of the project.
    pub(crate) fn file(self, name: &str, text: &str) -> Run {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is ours");
        std::fs::write(path, text).expect("the folder is ours");
        self
    }

    /// Writes the policy, without its version line.
    pub(crate) fn policy(self, text: &str) -> Run {
        self.file("drizzle-pilot.toml", &format!("version = 1\n{text}"))
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Run {
        self.args.extend(args.iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Run {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Has a shell do something before it becomes the program.
    pub(crate) fn after(mut self, script: &'static str) -> Run {
        self.before = Some(script);
        self
    }

    /// Returns the path of a file of the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("app").join(name)
    }

    fn script(&self) -> PathBuf {
        self.dir.path().join("script.json")
    }

    /// Runs to the end.
    #[track_caller]
    pub(crate) fn run(self) -> Ended {
        self.start().finish()
    }

    /// Starts, and returns at once.
    #[track_caller]
    pub(crate) fn start(self) -> Running {
        let (mut command, marker) = self.command();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program is built");
        let stdout = read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = read(child.stderr.take().expect("stderr is a pipe"));
        self.started(child, stdout, stderr, marker)
    }

    /// Runs to the end on a terminal. Returns what the terminal was told as well; the end has no outputs then.
    #[track_caller]
    pub(crate) fn on_terminal(self) -> (Ended, Vec<u8>) {
        let size = PtySize { rows: 24, cols: 80, pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size).expect("there is a pseudo-terminal to have");
        let name = pty.master.tty_name().expect("a pseudo-terminal has a name");
        let terminal = File::options().read(true).write(true).open(name).expect("the terminal is ours");
        let end = || Stdio::from(terminal.try_clone().expect("descriptors are left"));
        let before = format!("{:?}", tcgetattr(&terminal).expect("it is a terminal"));
        let (mut command, marker) = self.command();
        command.env("TERM", "xterm-256color").stdin(end()).stdout(end()).stderr(end());
        let child = command.spawn().expect("the program is built");
        drop(command); // it keeps the terminal open
        let mut shown = pty.master.try_clone_reader().expect("the terminal is open");
        let shown = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // A terminal that nobody has open reads as an error. It is an end like another.
            let _ = shown.read_to_end(&mut bytes);
            bytes
        });
        drop(pty.slave);
        let ended = self.started(child, read(std::io::empty()), read(std::io::empty()), marker).finish();
        let after = format!("{:?}", tcgetattr(&terminal).expect("it is a terminal"));
        assert_eq!(before, after, "the mode of the terminal\n{ended}");
        drop(terminal);
        (ended, shown.join().expect("the terminal can be read"))
    }

    /// Returns what starts the program, and the marker of its processes.
    fn command(&self) -> (Command, Marker) {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = Marker(format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        let program = env!("CARGO_BIN_EXE_drizzle-pilot");
        let mut command = match self.before {
            None => Command::new(program),
            Some(before) => {
                let mut shell = Command::new("sh");
                shell.args(["-c", &format!("{before}; exec \"$0\" \"$@\""), program]);
                shell
            }
        };
        let mut args = self.args.iter();
        command.args(args.next());
        if self.faked {
            command.arg("--kit").arg(format!("'{}' '{}'", fake_kit().display(), self.script().display()));
        }
        command
            .args(args)
            .current_dir(self.path(""))
            // The machine's own CI, NO_COLOR or PG… must not change a test.
            .env_clear()
            .env("PATH", std::env::var_os("PATH").expect("cargo has a PATH"))
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env(MARKER, &marker.0)
            .envs(self.env.iter().map(|(name, value)| (name, value)));
        (command, marker)
    }

    fn started(
        self,
        child: Child,
        stdout: JoinHandle<Vec<u8>>,
        stderr: JoinHandle<Vec<u8>>,
        marker: Marker,
    ) -> Running {
        let log = log_path(&self.script());
        let pid = child.id();
        let peak = std::thread::spawn(move || peak(pid));
        Running { dir: self.dir, child, stdout, stderr, marker, log, peak, started: Instant::now() }
    }
}

/// The mark of the processes of one run. A test that fails leaves none of them behind.
struct Marker(String);

impl Drop for Marker {
    fn drop(&mut self) {
        for process in processes::of_run(&self.0) {
            processes::signal(process.pid, Signal::KILL);
        }
    }
}

/// Returns the peak of a process's memory in bytes, as far as it was seen: looks until the process has ended.
fn peak(pid: u32) -> u64 {
    let program = || std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let us = std::env::current_exe().ok();
    let status = format!("/proc/{pid}/status");
    let mut peak = 0;
    loop {
        // Until it is another program, it uses our own memory.
        if us.is_some() && program() == us {
            continue;
        }
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kib) = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()) else {
            return peak;
        };
        peak = peak.max(kib * 1024);
        std::thread::sleep(Duration::from_millis(5)); // /proc tells of no change; this is how often we look
    }
}

/// Returns the fake, which cargo builds with the tests when it builds all of them.
pub(crate) fn fake_kit() -> &'static Path {
    static FAKE: OnceLock<PathBuf> = OnceLock::new();
    FAKE.get_or_init(|| {
        let program = Path::new(env!("CARGO_BIN_EXE_drizzle-pilot"));
        let fake = program.with_file_name("examples").join("fake_kit");
        assert!(fake.is_file(), "{} is missing: run `cargo build --example fake_kit`", fake.display());
        fake
    })
}

/// A run under way.
pub(crate) struct Running {
    dir: TempDir,
    child: Child,
    stdout: JoinHandle<Vec<u8>>,
    stderr: JoinHandle<Vec<u8>>,
    marker: Marker,
    log: PathBuf,
    peak: JoinHandle<u64>,
    started: Instant,
}

impl Running {
    /// Returns the id of the program's own process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns the living processes of the run.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of_run(&self.marker.0)
    }

    /// Tells whether the folder is there through which the program and drizzle-kit speak, or was.
    pub(crate) fn has_begun(&self) -> bool {
        let mut temporary = std::fs::read_dir(self.dir.path().join("tmp")).expect("it was made");
        temporary.next().is_some() || self.log.exists()
    }

    /// Waits until the fake has written such an entry into its log.
    #[track_caller]
    pub(crate) fn until_logged(&self, what: &str, is: impl Fn(&Entry) -> bool) {
        until(what, || read_log(&self.log).iter().any(&is));
    }

    /// Waits for the end, and checks what holds for every end.
    #[track_caller]
    pub(crate) fn finish(self) -> Ended {
        let Running { dir, mut child, stdout, stderr, marker, log, peak, started } = self;
        let watchdog = Watchdog::over(&marker.0, LIMIT);
        let status = child.wait().expect("the program is our child");
        let took = started.elapsed();
        let hanging = watchdog.call_off();
        gone_within(GRACE, "a process", || processes::of_run(&marker.0));
        let text = |output: JoinHandle<Vec<u8>>| {
            String::from_utf8(output.join().expect("a pipe can be read")).expect("the program writes text")
        };
        let code = status.code().unwrap_or_else(|| -status.signal().expect("a process exits or is ended by a signal"));
        let peak = peak.join().expect("/proc can be read");
        let ended = Ended { code, stdout: text(stdout), stderr: text(stderr), log: read_log(&log), peak, took, dir };
        assert!(hanging.is_empty(), "it hung\n{}\n{ended}", hanging.join("\n"));
        ended.check();
        ended
    }
}

/// Reads an output in a thread of its own, so that the program never waits for us.
fn read(mut output: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        output.read_to_end(&mut bytes).expect("a pipe can be read to its end");
        bytes
    })
}

/// Reads a log, whose last line may be on its way.
fn read_log(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

/// A run that ended.
pub(crate) struct Ended {
    /// The exit code, or the negative number of the signal that ended the program.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// What the fake wrote down.
    pub(crate) log: Vec<Entry>,
    /// The most memory that the program was seen with, in bytes.
    peak: u64,
    pub(crate) took: Duration,
    dir: TempDir,
}

impl Ended {
    /// Checks what holds for every end: a terminal that shows the output is unharmed, nothing unasked was typed, and
    /// memory is bounded.
    #[track_caller]
    fn check(&self) {
        for output in [&self.stdout, &self.stderr] {
            let control = |character: &char| character.is_control() && !matches!(character, '\n' | '\t');
            assert_eq!(output.chars().find(control), None, "a control character reached our output\n{self}");
        }
        let disasters: Vec<&Entry> = self.log.iter().filter(|entry| matches!(entry, Entry::Disaster(_))).collect();
        assert!(disasters.is_empty(), "{disasters:?}\n{self}");
        assert!(self.peak < MOST_MEMORY, "{} MiB of memory\n{self}", self.peak >> 20);
        if self.code >= 0 {
            let left: Vec<_> = std::fs::read_dir(self.dir.path().join("tmp")).expect("it was made").flatten().collect();
            assert!(left.is_empty(), "temporary files are left: {left:?}\n{self}");
        }
    }

    /// Checks the code and the closing sentence.
    #[track_caller]
    pub(crate) fn expect(self, code: i32, closing: Option<&str>) -> Ended {
        assert_eq!(self.code, code, "the exit code\n{self}");
        let says = |sentence: &str| self.stderr.lines().last() == Some(sentence);
        match closing {
            Some(sentence) => assert!(says(sentence), "the closing sentence\n{self}"),
            None => assert!(!says(UNCHANGED) && !says(MAYBE), "a closing sentence\n{self}"),
        }
        self
    }

    /// Checks that stdout or stderr has each of the texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Ended {
        for text in texts {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "it does not say {text:?}\n{self}");
        }
        self
    }

    /// Checks that the fake saw Enter on no choice but "No, abort".
    #[track_caller]
    pub(crate) fn without_consent(self) -> Ended {
        let consents: Vec<&Entry> = self.log.iter().filter(|entry| is_consent(entry)).collect();
        assert!(consents.is_empty(), "{consents:?}\n{self}");
        self
    }

    /// Returns the choices that Enter came on, in their order.
    pub(crate) fn chosen(&self) -> Vec<usize> {
        let chosen = |entry: &Entry| match entry {
            Entry::Chose { choice, .. } => Some(*choice),
            _ => None,
        };
        self.log.iter().filter_map(chosen).collect()
    }

    /// Returns the text of a file that the run left in the project.
    #[track_caller]
    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.dir.path().join("app").join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{self}", path.display()))
    }

    /// Returns stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }
}

/// Tells whether Enter came on a choice that may execute something.
pub(crate) fn is_consent(entry: &Entry) -> bool {
    matches!(entry, Entry::Chose { label, .. } if label != crate::kit::ABORT && !label.starts_with(['+', '~']))
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "code {} after {:?}", self.code, self.took)?;
        writeln!(f, "--- stdout\n{}--- stderr\n{}--- log", self.stdout, self.stderr)?;
        // A thousand prompts are too many to read; the last ones say how it ended.
        self.log.iter().skip(self.log.len().saturating_sub(40)).try_for_each(|entry| writeln!(f, "{entry:?}"))
    }
}
