//! One run of the program: how it is started, what is around it, and what it left.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;
use tempfile::TempDir;

use super::paste;
use super::processes::{self, MARKER, Signal};
use super::wait::gone_within;
use super::watchdog::Watchdog;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(120);

/// SPEC §5, rule 8: this soon after the end no process of a run is left.
const GRACE: Duration = Duration::from_secs(2);

/// A run that is being prepared.
#[derive(Clone)]
pub(crate) struct Run {
    project: PathBuf,
    /// What is run with the arguments; none: the program itself.
    instead: Option<Vec<OsString>>,
    arguments: Vec<OsString>,
    report: bool,
    paste: bool,
    around: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Run {
    pub(super) fn new(project: &Path, arguments: &[&str]) -> Self {
        Self {
            project: project.to_owned(),
            instead: None,
            arguments: arguments.iter().map(OsString::from).collect(),
            report: true,
            paste: true,
            around: Vec::new(),
            environment: Vec::new(),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    /// Runs the program by another one: `["setsid", "--wait"]`.
    pub(crate) fn by(mut self, command: &[&str]) -> Self {
        self.around = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Runs the program in a shell script, where `pilot` stands for it with its arguments.
    /// The code is then that of `pilot`, not that of the script.
    pub(crate) fn in_shell(self, script: &str) -> Self {
        let script =
            format!("pilot() {{ \"$0\" \"$@\"; echo $? >\"$CODE\"; }}; {}", script.replace("pilot", "pilot \"$@\""));
        self.by(&["sh", "-c", &script])
    }

    /// Runs another command line, which starts the program in its own way.
    pub(super) fn instead(mut self, command: &[&str]) -> Self {
        self.instead = Some(command.iter().map(OsString::from).collect());
        self.without_report()
    }

    /// Leaves `--report` to the arguments.
    pub(crate) fn without_report(mut self) -> Self {
        self.report = false;
        self
    }

    /// Leaves the lines of a refusal where they are.
    pub(crate) fn without_paste(mut self) -> Self {
        self.paste = false;
        self
    }

    /// Runs to the end, without a terminal: stdin is empty, stdout and stderr are pipes. The lines of a refusal are tried.
    #[track_caller]
    pub(crate) fn run(self) -> Ran {
        let ran = self.spawn().finish();
        if self.paste && self.instead.is_none() {
            let arguments: Vec<String> =
                self.arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
            paste::check(&self.project, &arguments, &self.environment, &ran);
        }
        ran
    }

    /// Starts without a terminal and returns at once.
    pub(crate) fn spawn(&self) -> Running {
        let scratch = Scratch::new();
        let mut words = self.words(&scratch).into_iter();
        let mut child = Command::new(words.next().expect("a command line has a program"))
            .args(words)
            .env_clear()
            .envs(self.variables(&scratch))
            .current_dir(&self.project)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program and what runs it are installed");
        let stdout = Lines::read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Lines::read(child.stderr.take().expect("stderr is a pipe"));
        let pid = child.id();
        Running::new(stdout, stderr, pid, move || child.wait(), scratch)
    }

    /// Runs to the end on a terminal of that size. What it shows is in `stdout`.
    #[track_caller]
    pub(crate) fn on_terminal(self, rows: u16, cols: u16) -> Ran {
        self.spawn_on_terminal(rows, cols).0.finish()
    }

    /// Starts on a terminal of that size and returns at once, with what types there. In the end the terminal has to be as
    /// it was.
    pub(crate) fn spawn_on_terminal(self, rows: u16, cols: u16) -> (Running, Box<dyn Write + Send>) {
        let scratch = Scratch::new();
        let pty = native_pty_system()
            .openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("there is a pseudo-terminal to have");
        let mut command = CommandBuilder::from_argv(self.words(&scratch));
        command.env_clear();
        for (name, value) in self.variables(&scratch) {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.cwd(&self.project);
        let modes = |master: &dyn MasterPty| format!("{:?}", master.get_termios().expect("it is a terminal"));
        let before = modes(&*pty.master);
        let mut child = pty.slave.spawn_command(command).expect("the program is built");
        let pid = child.process_id().expect("it was started");
        let stdout = Lines::read(pty.master.try_clone_reader().expect("the terminal is open"));
        let keyboard = pty.master.take_writer().expect("nobody else types");
        drop(pty.slave);
        let master = pty.master;
        let wait = move || {
            let status = child.wait()?;
            assert_eq!(modes(&*master), before, "the terminal is as it was");
            drop(master);
            let code = i32::try_from(status.exit_code()).expect("an exit code is small");
            Ok(ExitStatus::from_raw(code << 8))
        };
        let stderr = Lines::read(std::io::empty());
        (Running::new(stdout, stderr, pid, wait, scratch), keyboard)
    }

    fn words(&self, scratch: &Scratch) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.around.iter().map(OsString::from).collect();
        match &self.instead {
            Some(command) => words.extend(command.iter().cloned()),
            None => words.push(env!("CARGO_BIN_EXE_drizzle-pilot").into()),
        }
        let mut arguments = self.arguments.iter().cloned();
        words.extend(arguments.next());
        if self.report {
            words.push("--report".into());
            words.push(scratch.path("report.json").into());
        }
        words.extend(arguments);
        words
    }

    /// An environment without surprises: the machine's own `CI`, `NO_COLOR` or `PG…` must not change a test.
    fn variables(&self, scratch: &Scratch) -> Vec<(OsString, OsString)> {
        let mut variables: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), std::env::var_os("PATH").expect("cargo has a PATH")),
            ("HOME".into(), scratch.path("").into()),
            ("CODE".into(), scratch.path("code").into()),
            (MARKER.into(), scratch.marker.clone().into()),
        ];
        variables.extend(self.environment.iter().map(|(name, value)| (name.into(), value.into())));
        variables
    }
}

/// A run under way.
pub(crate) struct Running {
    stdout: Lines,
    stderr: Lines,
    started: Instant,
    /// Of what was started: the program, or what starts it.
    pid: u32,
    child: Box<dyn FnOnce() -> std::io::Result<ExitStatus> + Send>,
    /// The signals that were sent, in words.
    hits: RefCell<Vec<String>>,
    scratch: Scratch,
}

impl Running {
    fn new(
        stdout: Lines,
        stderr: Lines,
        pid: u32,
        wait: impl FnOnce() -> std::io::Result<ExitStatus> + Send + 'static,
        scratch: Scratch,
    ) -> Self {
        let hits = RefCell::default();
        Self { stdout, stderr, started: Instant::now(), pid, child: Box::new(wait), hits, scratch }
    }

    /// Tells whether what was started has ended. (Whether it is among its processes would not tell: between `execve(2)` and
    /// its first instruction a process has no environment to be found by.)
    pub(crate) fn has_ended(&self) -> bool {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw).expect("a pid is a positive i32");
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid), look).expect("it is our child").is_some()
    }

    /// Sends a signal to the program itself, also where another one started it.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) {
        self.signal_all("drizzle-pilot", signal);
    }

    /// Sends a signal to what starts the program.
    #[track_caller]
    pub(crate) fn signal_starter(&self, signal: Signal) {
        assert!(processes::signal(self.pid, signal), "what starts the program has ended");
    }

    /// Sends a signal to the processes of the run that have this name.
    #[track_caller]
    pub(crate) fn signal_all(&self, name: &str, signal: Signal) {
        let all = processes::of_run(&self.scratch.marker);
        let mut hits = self.hits.borrow_mut();
        let n_before = hits.len();
        for process in all.iter().filter(|process| process.name == name) {
            if processes::signal(process.pid, signal) {
                hits.push(format!("{signal:?} to {process:?} after {:?}", self.started.elapsed()));
            }
        }
        assert!(hits.len() > n_before, "no {name} among {all:#?}");
    }

    /// Reads stderr until a line contains the text: the next one after that of the call before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.stderr.wait_for(text);
    }

    /// Reads stdout, as [`wait_for`](Running::wait_for).
    #[track_caller]
    pub(crate) fn wait_to_see(&mut self, text: &str) {
        self.stdout.wait_for(text);
    }

    /// Waits for the end, and for the processes that the run started.
    #[track_caller]
    pub(crate) fn finish(self) -> Ran {
        let watchdog = Watchdog::over(&self.scratch.marker, LIMIT);
        let status = (self.child)().expect("the program is our child");
        let hanging = watchdog.call_off();
        let took = self.started.elapsed();

        let marker = self.scratch.marker.clone();
        gone_within(GRACE, "a process", || processes::of_run(&marker));
        let code_of_pilot = std::fs::read_to_string(self.scratch.path("code")).ok();
        let code = match code_of_pilot.and_then(|text| text.trim().parse().ok()) {
            Some(code) => code,
            None => code(status),
        };
        let report = std::fs::read(self.scratch.path("report.json")).ok();
        let report = report.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or(Value::Null);
        let ran = Ran { code, stdout: self.stdout.rest(), stderr: self.stderr.rest(), report, took };
        let hits = self.hits.into_inner();
        assert!(hanging.is_empty(), "it hung\n{}\nsignals sent: {hits:#?}\n{ran}", hanging.join("\n"));
        ran
    }
}

fn code(status: ExitStatus) -> i32 {
    match status.code() {
        Some(code) => code,
        None => -status.signal().expect("a process exits or is ended by a signal"),
    }
}

/// What a run left.
pub(crate) struct Ran {
    /// The exit code, or the negative number of the signal that ended the program.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The JSON of `--report`, or null.
    pub(crate) report: Value,
    pub(crate) took: Duration,
}

impl Ran {
    /// Checks the code and what goes with every code: the last sentence and the report.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "the exit code\n{self}");
        if !self.report.is_null() {
            assert_eq!(self.report["schema"], 1, "{self}");
            assert_eq!(self.report["code"], code, "the report's code\n{self}");
        }
        let sentences: &[&str] = match code {
            0 | 2 => return self,
            6 | 7 => &["The database may be partly changed."],
            124 | 128.. => &["Nothing was executed.", "The database may be partly changed."],
            _ => &["Nothing was executed."],
        };
        let ends_with = |text: &str| sentences.iter().any(|sentence| text.trim_end().ends_with(sentence));
        assert!(
            ends_with(&self.stdout) || ends_with(&self.stderr),
            "the last sentence is none of {sentences:?}\n{self}"
        );
        self
    }

    /// Checks that stdout or stderr has each of the texts.
    #[track_caller]
    pub(crate) fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            assert!(self.stdout.contains(text) || self.stderr.contains(text), "it does not say {text:?}\n{self}");
        }
        self
    }

    /// Checks that no output has the text.
    #[track_caller]
    pub(crate) fn never_says(self, text: &str) -> Self {
        let report = self.report.to_string();
        assert!(
            ![&self.stdout, &self.stderr, &report].iter().any(|out| out.contains(text)),
            "it says {text:?}\n{self}"
        );
        self
    }

    /// Checks the report's word about the database: `unchanged`, `changed` or `maybe`.
    #[track_caller]
    pub(crate) fn database(self, word: &str) -> Self {
        assert_eq!(self.report["database"], word, "the report's database\n{self}");
        self
    }

    /// Checks that the run was refused, and that no line of the policy is offered for it.
    #[track_caller]
    pub(crate) fn offers_no_lines(self) -> Self {
        let refusals = self.report["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
        assert!(!refusals.is_empty() && refusals.iter().all(|refusal| refusal["allow_with"].is_null()), "{self}");
        self.never_says("to allow exactly this")
    }

    /// Returns the policy lines that would have allowed what was refused, after a look that a reader gets them too.
    #[track_caller]
    pub(crate) fn allow_with(&self) -> String {
        let refusals = self.report["refusals"].as_array().map(Vec::as_slice).unwrap_or_default();
        let lines: Vec<&str> = refusals.iter().filter_map(|refusal| refusal["allow_with"].as_str()).collect();
        assert!(!lines.is_empty(), "no refusal says what would allow it\n{self}");
        let lines = lines.join("\n");
        for line in lines.lines() {
            assert!(self.stdout.contains(line) || self.stderr.contains(line), "only the report says {line:?}\n{self}");
        }
        lines
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "code {} after {:?}", self.code, self.took)?;
        writeln!(f, "--- stdout\n{}\n--- stderr\n{}\n--- report\n{:#}", self.stdout, self.stderr, self.report)
    }
}

/// An output, read by a thread of its own so that the program never waits for us.
struct Lines {
    coming: Receiver<String>,
    seen: String,
    /// How much of it was waited for.
    waited_for: usize,
}

impl Lines {
    fn read(output: impl Read + Send + 'static) -> Self {
        let (sender, coming) = mpsc::channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            // A terminal whose other side is closed reads as an error. It is an end like another.
            while output.read_until(b'\n', &mut line).unwrap_or(0) > 0 {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
                line.clear();
            }
        });
        Self { coming, seen: String::new(), waited_for: 0 }
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        while !self.seen[self.waited_for..].contains(text) {
            match self.coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.push_str(&line),
                Err(_) => panic!("{text:?} never came:\n{}", self.seen),
            }
        }
        self.waited_for = self.seen.len();
    }

    fn rest(mut self) -> String {
        self.seen.extend(self.coming);
        self.seen
    }
}

/// The files of one run, outside the project, and the name of the run.
struct Scratch {
    dir: TempDir,
    marker: String,
}

impl Scratch {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let marker = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Self { dir: tempfile::tempdir().expect("there is a temporary folder"), marker }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }
}

impl Drop for Scratch {
    /// A test that fails in the middle of a run leaves nothing behind either.
    fn drop(&mut self) {
        for process in processes::of_run(&self.marker) {
            processes::signal(process.pid, Signal::KILL);
        }
    }
}
