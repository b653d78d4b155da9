//! One run of the program: how it is started, and what is around it.

use std::cell::RefCell;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portable_pty::{CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_json::Value;
use tempfile::TempDir;

use super::paste;
use super::processes::{self, MARKER, Process, Signal};
use super::project::Project;
use super::ran::Ran;
use super::script::{Entry, Script, log_path};
use super::wait::{gone_within, until};
use super::watchdog::Watchdog;

/// A run that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// This soon after its end no process of a run is left (docs/safety.md, rule 8).
pub(crate) const GRACE: Duration = Duration::from_secs(2);

/// A run that is being prepared.
#[derive(Clone)]
pub(crate) struct Run {
    folder: PathBuf,
    /// The folder's project, which lasts as long as its runs.
    project: Option<Arc<TempDir>>,
    /// What is run with the arguments; none: the program itself.
    instead: Option<Vec<OsString>>,
    arguments: Vec<OsString>,
    /// What the fake drizzle-kit plays.
    script: Option<Script>,
    report: bool,
    paste: bool,
    /// Whether everything is checked at its end that holds for a run of the program with a fake drizzle-kit or none.
    guarded: bool,
    around: Vec<String>,
    environment: Vec<(String, String)>,
}

impl Run {
    /// Prepares a run in an empty project of its own, with a fake drizzle-kit or none.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        Project::bare().pilot(arguments)
    }

    /// Prepares `push` with a fake drizzle-kit in a project of its own.
    pub(crate) fn push(script: &Script) -> Self {
        Self::new(&["push"]).fake(script)
    }

    /// Prepares a run in a folder.
    pub(super) fn within(folder: &Path, arguments: &[&str]) -> Self {
        Self {
            folder: folder.to_owned(),
            project: None,
            instead: None,
            arguments: arguments.iter().map(OsString::from).collect(),
            script: None,
            // These make none.
            report: !matches!(arguments.first(), Some(&"man" | &"completions" | &"report")),
            paste: true,
            guarded: false,
            around: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// Keeps the project until the run and what it left are gone.
    pub(super) fn keeping(self, project: &Arc<TempDir>) -> Self {
        Self { project: Some(Arc::clone(project)), ..self }
    }

    /// Checks at the end what holds for every run with a fake drizzle-kit or none. Nothing is asked of a database.
    pub(super) fn guarded(self) -> Self {
        Self { guarded: true, paste: false, report: false, ..self }
    }

    /// Lets the fake play a script, in a project that has a drizzle config.
    pub(crate) fn fake(mut self, script: &Script) -> Self {
        self.script = Some(script.clone());
        self.file("drizzle.config.json", "{}")
    }

    /// Writes a file of the project.
    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        write(&self.path(name), text);
        self
    }

    /// Writes the policy, without its version line.
    pub(crate) fn policy(self, text: &str) -> Self {
        self.file("drizzle-pilot.toml", &format!("version = 1\n{text}"))
    }

    /// Returns the path of a file of the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn args(mut self, arguments: &[&str]) -> Self {
        self.arguments.extend(arguments.iter().map(OsString::from));
        self
    }

    /// Runs the program by another one: `["setsid", "--wait"]`.
    pub(crate) fn by(mut self, command: &[&str]) -> Self {
        self.around = command.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Has a shell do something before it becomes the program.
    pub(crate) fn after(self, script: &str) -> Self {
        self.by(&["sh", "-c", &format!("{script}; exec \"$0\" \"$@\"")])
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
            paste::check(&self.folder, &arguments, &self.environment, &ran);
        }
        ran
    }

    /// Starts without a terminal and returns at once.
    #[track_caller]
    pub(crate) fn spawn(&self) -> Running {
        let scratch = self.scratch();
        let mut words = self.words(&scratch).into_iter();
        let mut child = Command::new(words.next().expect("a command line has a program"))
            .args(words)
            .env_clear()
            .envs(self.variables(&scratch))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program and what runs it are installed");
        let stdout = Lines::read(child.stdout.take().expect("stdout is a pipe"));
        let stderr = Lines::read(child.stderr.take().expect("stderr is a pipe"));
        let pid = child.id();
        Running::new(self, stdout, stderr, pid, move || child.wait(), scratch)
    }

    /// Runs to the end on a terminal of that size. What it shows is in `stdout`.
    #[track_caller]
    pub(crate) fn on_terminal(self, rows: u16, cols: u16) -> Ran {
        self.spawn_on_terminal(rows, cols).0.finish()
    }

    /// Starts on a terminal of that size and returns at once, with what types there. In the end the terminal has to be as
    /// it was.
    pub(crate) fn spawn_on_terminal(self, rows: u16, cols: u16) -> (Running, Box<dyn Write + Send>) {
        let scratch = self.scratch();
        let pty = native_pty_system()
            .openpty(PtySize { rows, cols, pixel_width: 0, pixel_height: 0 })
            .expect("there is a pseudo-terminal to have");
        let mut command = CommandBuilder::from_argv(self.words(&scratch));
        command.env_clear();
        for (name, value) in self.variables(&scratch) {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.cwd(&self.folder);
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
        let running = Running::new(&self, stdout, stderr, pid, wait, scratch);
        (Running { on_terminal: true, ..running }, keyboard)
    }

    /// Makes the files around the run.
    fn scratch(&self) -> Scratch {
        let scratch = Scratch::new();
        std::fs::create_dir(scratch.path("tmp")).expect("the folder is empty");
        if let Some(script) = &self.script {
            write(&scratch.path("script.json"), &serde_json::to_string(script).expect("a script is JSON"));
        }
        scratch
    }

    fn words(&self, scratch: &Scratch) -> Vec<OsString> {
        let mut words: Vec<OsString> = self.around.iter().map(OsString::from).collect();
        match &self.instead {
            Some(command) => words.extend(command.iter().cloned()),
            None => words.push(env!("CARGO_BIN_EXE_drizzle-pilot").into()),
        }
        let mut arguments = self.arguments.iter().cloned();
        words.extend(arguments.next());
        if self.script.is_some() {
            let (fake, script) = (fake_kit().display(), scratch.path("script.json"));
            words.extend(["--kit".into(), format!("'{fake}' '{}'", script.display()).into()]);
        }
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
        if self.guarded {
            variables.push(("TMPDIR".into(), scratch.path("tmp").into()));
        }
        variables.extend(self.environment.iter().map(|(name, value)| (name.into(), value.into())));
        variables
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

/// Writes a file, and the folders above it.
pub(super) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder is ours");
    std::fs::write(path, text).expect("the folder is ours");
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

/// A run under way.
pub(crate) struct Running {
    folder: PathBuf,
    project: Option<Arc<TempDir>>,
    guarded: bool,
    on_terminal: bool,
    stdout: Lines,
    stderr: Lines,
    started: Instant,
    /// Of what was started: the program, or what starts it.
    pid: u32,
    child: Box<dyn FnOnce() -> std::io::Result<ExitStatus> + Send>,
    peak: Option<JoinHandle<u64>>,
    /// The signals that were sent, in words.
    hits: RefCell<Vec<String>>,
    scratch: Scratch,
}

impl Running {
    fn new(
        run: &Run,
        stdout: Lines,
        stderr: Lines,
        pid: u32,
        wait: impl FnOnce() -> std::io::Result<ExitStatus> + Send + 'static,
        scratch: Scratch,
    ) -> Self {
        Self {
            folder: run.folder.clone(),
            project: run.project.clone(),
            guarded: run.guarded,
            on_terminal: false,
            stdout,
            stderr,
            started: Instant::now(),
            pid,
            child: Box::new(wait),
            peak: run.guarded.then(|| std::thread::spawn(move || peak(pid))),
            hits: RefCell::default(),
            scratch,
        }
    }

    /// Returns the id of what was started.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Returns the living processes of the run.
    pub(crate) fn processes(&self) -> Vec<Process> {
        processes::of_run(&self.scratch.marker)
    }

    /// Tells whether the folder is there through which the program and drizzle-kit speak, or was.
    pub(crate) fn has_begun(&self) -> bool {
        let mut temporary = std::fs::read_dir(self.scratch.path("tmp")).expect("it was made");
        temporary.next().is_some() || self.log().exists()
    }

    /// Waits until the fake has written such an entry into its log.
    #[track_caller]
    pub(crate) fn until_logged(&self, what: &str, is: impl Fn(&Entry) -> bool) {
        until(what, || read_log(&self.log()).iter().any(&is));
    }

    fn log(&self) -> PathBuf {
        log_path(&self.scratch.path("script.json"))
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
        let text = |bytes: Vec<u8>| match self.guarded {
            true => String::from_utf8(bytes).expect("the program writes text"),
            false => String::from_utf8_lossy(&bytes).into_owned(),
        };
        let log = read_log(&log_path(&self.scratch.path("script.json")));
        let (stdout, stderr) = (text(self.stdout.rest()), text(self.stderr.rest()));
        let ran = Ran { code, stdout, stderr, report, log, took, folder: self.folder, _project: self.project };
        let hits = self.hits.into_inner();
        assert!(hanging.is_empty(), "it hung\n{}\nsignals sent: {hits:#?}\n{ran}", hanging.join("\n"));
        if let Some(peak) = self.peak {
            let peak = peak.join().expect("/proc can be read");
            ran.check(peak, &self.scratch.path("tmp"), self.on_terminal);
        }
        ran
    }
}

/// Reads the log of a fake drizzle-kit, whose last line may be on its way.
fn read_log(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

fn code(status: ExitStatus) -> i32 {
    match status.code() {
        Some(code) => code,
        None => -status.signal().expect("a process exits or is ended by a signal"),
    }
}

/// An output, read by a thread of its own so that the program never waits for us.
struct Lines {
    coming: Receiver<Vec<u8>>,
    seen: Vec<u8>,
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
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Self { coming, seen: Vec::new(), waited_for: 0 }
    }

    #[track_caller]
    fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        while !String::from_utf8_lossy(&self.seen[self.waited_for..]).contains(text) {
            match self.coming.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => self.seen.extend(line),
                Err(_) => panic!("{text:?} never came:\n{}", String::from_utf8_lossy(&self.seen)),
            }
        }
        self.waited_for = self.seen.len();
    }

    fn rest(mut self) -> Vec<u8> {
        self.seen.extend(self.coming.into_iter().flatten());
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
