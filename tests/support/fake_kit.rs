//! A drizzle-kit that plays a script instead of looking at a database: `fake_kit SCRIPT.json [drizzle-kit arguments]`.
//!
//! It draws and reads keys as hanji does, drizzle-kit's prompt library (0.0.5 to 0.0.8), and writes down every key.
//! It does not think: what it prints is in the script.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use drizzle_pilot::term::pty::Pty;
use drizzle_pilot::term::reaper;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{InputModes, LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};
use serde_json::Value;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

#[allow(dead_code, reason = "the rest is for the tests without a process")]
#[path = "list.rs"]
mod list;
#[path = "script.rs"]
mod script;

use script::{Entry, Fault, FaultKind, Mail, Menu, Script, Step};

/// What the sleeping child is started with.
const SLEEPER: &str = "--sleeper";
/// Starts the sleeping child in a terminal, as the program starts drizzle-kit, and panics.
const PANIC: &str = "--panic";
/// Inherits the orphans of the command that follows, as PID 1 does, by becoming it.
const HEIR: &str = "--heir";

fn main() -> io::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let first = args.get(1).expect("usage: fake_kit SCRIPT.json");
    match first.as_str() {
        SLEEPER => return sleep_for_ever(),
        PANIC => return panic_with_a_terminal(),
        HEIR => return inherit(&args[2..]),
        reaper::NAME => {
            let args: Vec<OsString> = args.into_iter().skip(2).map(OsString::from).collect();
            std::process::exit(reaper::run(&args));
        }
        _ => {}
    }
    let path = PathBuf::from(first);
    let script = std::fs::read(&path)?;
    let script: Script = serde_json::from_slice(&script)?;
    let log = OpenOptions::new().create(true).append(true).open(script::log_path(&path))?;
    let mut fake = Fake { out: io::stdout(), keys: io::stdin(), waiting: None, log, chunks: None, n_prompts: 0 };
    if std::env::var_os("DRIZZLE_PILOT_PROBE").is_none() {
        fake.note(&Entry::Started(args[2..].to_vec()))?;
    }
    fake.hand_over(&script.mail, args.get(2).is_some_and(|command| command.starts_with("push")))?;
    for step in &script.steps {
        fake.play(step)?;
    }
    fake.end(0)
}

/// What PGlite answers to the question that every session is asked.
const PGLITE: [&str; 18] = [
    "170004",
    "false",
    "off",
    "template1",
    "postgres",
    "postgres",
    "\"$user\", public",
    "pg_catalog,public",
    "public",
    "1",
    "0",
    "0",
    "on",
    "safe_encoding",
    "off",
    "off",
    "on",
    "origin",
];
/// What MySQL answers.
const MYSQL: [&str; 5] = ["shop", "app@%", "8.0.36", "", "1"];

struct Fake {
    out: io::Stdout,
    keys: io::Stdin,
    /// What was typed before it was asked for.
    waiting: Option<Vec<u8>>,
    log: File,
    /// Size of the pieces that are printed, and the pause after each.
    chunks: Option<(usize, Duration)>,
    n_prompts: usize,
}

impl Fake {
    fn play(&mut self, step: &Step) -> io::Result<()> {
        match step {
            Step::Out(text) => self.print(text.as_bytes()),
            Step::Bytes(bytes) => self.print(bytes),
            Step::Chunked { bytes, delay_us } => {
                self.chunks = Some((*bytes, Duration::from_micros(*delay_us)));
                Ok(())
            }
            Step::Menu(menu) => self.ask(menu),
            Step::Replay(cast) => self.replay(cast),
            Step::Flood(total) => self.flood(b"0123456789 0123456789 0123456789 0123456789 0123456789\n", *total),
            Step::FloodOf { bytes, total } => self.flood(bytes, *total),
            Step::Spinner => self.spin(),
            Step::Hang => self.idle(),
            Step::IgnoreSignals => ignore(&[SIGTERM, SIGHUP, SIGINT]),
            Step::Grandchild { keeps_terminal } => self.start_sleeper(*keeps_terminal),
            Step::Raw(on) => self.raw(*on),
            Step::Exit(code) => self.end(*code),
            Step::DieBy(signal) => signal_hook::low_level::emulate_default_handler(*signal),
        }
    }

    fn note(&mut self, entry: &Entry) -> io::Result<()> {
        self.log.write_all(format!("{}\n", serde_json::to_string(entry)?).as_bytes())
    }

    /// Does what the hook does inside drizzle-kit's node.
    fn hand_over(&mut self, mail: &Mail, connects: bool) -> io::Result<()> {
        let Some(dir) = std::env::var_os("DRIZZLE_PILOT_MAIL").map(PathBuf::from) else { return Ok(()) };
        let mut up = OpenOptions::new().write(true).open(dir.join("up"))?;
        let mut send = |value: Value| writeln!(up, "{value}");
        if std::env::var_os("DRIZZLE_PILOT_PROBE").is_some() {
            if !matches!(mail, Mail::Unhooked) {
                send(serde_json::json!({ "hello": { "version": null } }))?;
            }
            std::process::exit(0);
        }
        match mail {
            Mail::Config(config) => send(serde_json::json!({ "config": config }))?,
            Mail::Error(error) => return send(serde_json::json!({ "error": error })),
            Mail::Nothing | Mail::Unhooked => return Ok(()),
        }
        let mut down = File::open(dir.join("down"))?;
        let mut told = || -> io::Result<Value> {
            let mut line = Vec::new();
            let mut byte = [0];
            while down.read(&mut byte)? == 1 && byte != *b"\n" {
                line.push(byte[0]);
            }
            Ok(serde_json::from_slice(&line)?)
        };
        let first = told()?;
        std::fs::remove_dir_all(&dir)?;
        self.note(&Entry::Told(first.clone()))?;
        if first.get("stop").is_some() {
            return self.end(1);
        }
        let Mail::Config(config) = mail else { return Ok(()) };
        let answers: &[&str] = match (config["dialect"].as_str(), config["driver"].as_str()) {
            (Some("postgresql"), Some("pglite")) => &PGLITE,
            (None | Some("postgresql"), _) => return Ok(()),
            _ => &MYSQL,
        };
        if connects && first["hold"] == true {
            // Of an empty database.
            let catalog = serde_json::json!({ "answers": [[[1]], [], []], "counts": [] });
            send(serde_json::json!({ "session": { "driver": "fake", "answers": answers, "catalog": catalog } }))?;
            if told()?.get("stop").is_some() {
                return self.end(1);
            }
        }
        Ok(())
    }

    fn print(&mut self, bytes: &[u8]) -> io::Result<()> {
        let (size, pause) = self.chunks.unwrap_or((bytes.len().max(1), Duration::ZERO));
        for piece in bytes.chunks(size) {
            self.out.write_all(piece)?;
            self.out.flush()?;
            if !pause.is_zero() {
                thread::sleep(pause);
            }
        }
        Ok(())
    }

    fn flood(&mut self, line: &[u8], total: u64) -> io::Result<()> {
        let piece = line.repeat((1 << 16) / line.len() + 1);
        let mut left = total;
        while left > 0 {
            let n_bytes = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            self.out.write_all(&piece[..n_bytes])?;
            left -= n_bytes as u64;
        }
        self.out.flush()
    }

    fn spin(&mut self) -> io::Result<()> {
        self.note(&Entry::Idle)?;
        self.print("[⣷] Pulling schema from database...\n".as_bytes())?;
        for glyph in ['⣯', '⣟', '⡿', '⢿', '⣻', '⣽', '⣾', '⣷'].into_iter().cycle() {
            thread::sleep(Duration::from_millis(80)); // as drizzle-kit's own spinner turns
            self.print(format!("\x1b[2K\x1b[1A\x1b[2K\x1b[G[{glyph}] Pulling schema from database...\n").as_bytes())?;
        }
        Ok(())
    }

    fn idle(&mut self) -> io::Result<()> {
        self.note(&Entry::Idle)?;
        loop {
            thread::park();
        }
    }

    fn start_sleeper(&mut self, keeps_terminal: bool) -> io::Result<()> {
        let terminal = if keeps_terminal { Stdio::inherit() } else { Stdio::null() };
        let mut command = Command::new(std::env::current_exe()?);
        let mut child = command.arg(SLEEPER).stdin(terminal).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let ready = child.stdout.take().expect("stdout is a pipe").read(&mut [0])?;
        assert_eq!(ready, 1, "the child says when it sleeps");
        self.note(&Entry::Grandchild(child.id()))
    }

    /// Switches single keys on or off, as node's `setRawMode` does: output keeps turning LF into CR LF.
    fn raw(&mut self, on: bool) -> io::Result<()> {
        let mut modes = tcgetattr(&self.keys)?;
        let local = LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG | LocalModes::IEXTEN;
        let input = InputModes::ICRNL | InputModes::INLCR | InputModes::IXON;
        if on {
            modes.local_modes.remove(local);
            modes.input_modes.remove(input);
        } else {
            modes.local_modes.insert(LocalModes::ICANON | LocalModes::ISIG);
            modes.input_modes.insert(InputModes::ICRNL);
        }
        Ok(tcsetattr(&self.keys, OptionalActions::Now, &modes)?)
    }

    /// Tells whether a key was typed too early. Ctrl-C never is: it ends the run from wherever it stands.
    fn key_waits(&mut self) -> io::Result<bool> {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        let stdin = self.keys.as_fd();
        if self.waiting.is_none() && poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&now))? > 0 {
            self.waiting = Some(self.typed()?);
        }
        Ok(self.waiting.as_ref().is_some_and(|typed| typed != b"\x03"))
    }

    /// Reads what one write typed.
    fn typed(&mut self) -> io::Result<Vec<u8>> {
        let mut typed = [0; 256];
        let n_bytes = self.keys.read(&mut typed)?;
        Ok(typed[..n_bytes].to_vec())
    }

    /// Hears what one write typed.
    fn key(&mut self) -> io::Result<Vec<u8>> {
        let typed = match self.waiting.take() {
            Some(typed) => typed,
            None => self.typed()?,
        };
        let name = match typed.as_slice() {
            b"\x1b[A" => "up",
            b"\x1b[B" => "down",
            b"\r" => "enter",
            b"\x03" => "ctrl-c",
            _ => {
                self.note(&Entry::Disaster(format!("typed {:?}", String::from_utf8_lossy(&typed))))?;
                return Ok(typed);
            }
        };
        self.note(&Entry::Key(name.to_owned()))?;
        Ok(typed)
    }

    fn ask(&mut self, menu: &Menu) -> io::Result<()> {
        let fault = |n_drawn: usize| match &menu.fault {
            Some(Fault { at, kind: FaultKind::Deaf }) if n_drawn >= *at => Some(&FaultKind::Deaf),
            Some(Fault { at, kind }) if n_drawn == *at => Some(kind),
            _ => None,
        };
        self.print(menu.above.as_bytes())?;
        self.raw(true)?;
        if self.key_waits()? {
            self.note(&Entry::Disaster("a key was typed before the prompt was there".to_owned()))?;
        }
        self.note(&Entry::Asked(menu.question.clone()))?;
        let mut highlighted = menu.highlighted;
        let mut drawn = frame(menu, highlighted, None);
        self.print(format!("\x1b[?25l{}", frame(menu, highlighted, fault(0))).as_bytes())?;
        for n_drawn in 1.. {
            let typed = self.key()?;
            let n_choices = menu.choices.len();
            let fault = fault(n_drawn);
            match typed.as_slice() {
                _ if fault == Some(&FaultKind::Deaf) => continue,
                b"\x1b[A" => highlighted = list::above(highlighted, n_choices),
                b"\x1b[B" => highlighted = list::below(highlighted, n_choices),
                b"\r" => {
                    self.print(format!("{}\x1b[?25h", erase(&drawn, fault)).as_bytes())?;
                    return self.chosen(menu, highlighted);
                }
                b"\x03" => {
                    self.print(format!("{}{drawn}\x1b[?25h\n^C\n", erase(&drawn, None)).as_bytes())?;
                    self.raw(false)?;
                    return self.end(1);
                }
                _ => {}
            }
            match fault {
                Some(FaultKind::Dropped) => continue,
                Some(FaultKind::Delayed { ms }) => thread::sleep(Duration::from_millis(*ms)),
                _ => {}
            }
            if self.key_waits()? {
                self.note(&Entry::Disaster("a key was typed before the effect of the last was shown".to_owned()))?;
            }
            let wiped = erase(&drawn, fault);
            drawn = frame(menu, highlighted, None);
            let redraw = format!("{wiped}{}", frame(menu, highlighted, fault));
            // The effect is not there before the last letter is: a blank at the end cannot be seen.
            let n_before_last = redraw.trim_end().char_indices().next_back().map_or(0, |(idx, _)| idx);
            let (before, last) = redraw.split_at(n_before_last);
            self.print(before.as_bytes())?;
            if self.key_waits()? {
                self.note(&Entry::Disaster("a key was typed while the effect of the last was drawn".to_owned()))?;
            }
            self.print(last.as_bytes())?;
        }
        Ok(())
    }

    fn chosen(&mut self, menu: &Menu, choice: usize) -> io::Result<()> {
        let label = menu.choices[choice].clone();
        self.note(&Entry::Chose { prompt: self.n_prompts, choice, label })?;
        self.n_prompts += 1;
        self.raw(false)?;
        if let Some(line) = menu.confirm.get(choice).filter(|line| !line.is_empty()) {
            self.print(format!("{line}\n").as_bytes())?;
        }
        if menu.ends_on == Some(choice) { self.end(0) } else { Ok(()) }
    }

    /// Plays a recording. It has the CR LF of the terminal already.
    fn replay(&mut self, cast: &Path) -> io::Result<()> {
        let mut modes = tcgetattr(&self.keys)?;
        modes.output_modes.remove(OutputModes::OPOST);
        tcsetattr(&self.keys, OptionalActions::Now, &modes)?;
        let text = std::fs::read_to_string(cast)?;
        for event in text.lines().skip(1) {
            let (_, kind, data): (f64, String, String) = serde_json::from_str(event)?;
            if kind == "i" {
                self.expect_keys(data.as_bytes())?;
                continue;
            }
            // Raw mode begins before the cursor is hidden and ends after it is shown.
            if data.contains("\x1b[?25l") {
                self.raw(true)?;
            }
            self.print(data.as_bytes())?;
            if data.rfind("\x1b[?25h") > data.rfind("\x1b[?25l") {
                self.raw(false)?;
            }
        }
        Ok(())
    }

    fn expect_keys(&mut self, expected: &[u8]) -> io::Result<()> {
        let typed = self.key()?;
        if typed == expected {
            return Ok(());
        }
        let typed = String::from_utf8_lossy(&typed).into_owned();
        let expected = String::from_utf8_lossy(expected).into_owned();
        self.note(&Entry::Disaster(format!("typed {typed:?}, recorded was {expected:?}")))?;
        self.end(1)
    }

    /// Ends, after a look whether anything was typed that nobody asked for.
    fn end(&mut self, code: i32) -> io::Result<()> {
        self.raw(true)?;
        if self.key_waits()? {
            self.note(&Entry::Disaster("a key was typed after the last prompt".to_owned()))?;
        }
        self.raw(false)?;
        std::process::exit(code)
    }
}

/// Draws a menu, or what the fault makes of it.
fn frame(menu: &Menu, highlighted: usize, fault: Option<&FaultKind>) -> String {
    let mut question = menu.question.clone();
    let mut choices = menu.choices.clone();
    let mut marked = vec![highlighted];
    match fault {
        Some(FaultKind::OtherQuestion) => question = question.replace("Is ", "Is another "),
        Some(FaultKind::OtherOrder) => choices.reverse(),
        Some(FaultKind::WrongRow) => marked = vec![(highlighted + 1) % choices.len()],
        Some(FaultKind::TwoMarkers) => marked.push((highlighted + 1) % choices.len()),
        _ => {}
    }
    let whole = list::frame(&question, &choices, &marked);
    match fault {
        Some(FaultKind::Blank) => String::new(),
        Some(FaultKind::Half) => whole.chars().take(whole.chars().count() / 2).collect(),
        _ => whole,
    }
}

/// Wipes what was drawn, row by row upward. A row wider than the terminal takes several, and hanji counts them.
fn erase(drawn: &str, fault: Option<&FaultKind>) -> String {
    let columns = rustix::termios::tcgetwinsize(io::stdout()).map_or(80, |size| usize::from(size.ws_col).max(1));
    let n_rows: usize = drawn.split('\n').map(|line| 1 + line.chars().count().saturating_sub(1) / columns).sum();
    let n_rows = match fault {
        Some(FaultKind::Erases { more }) => n_rows.saturating_add_signed(*more as isize),
        _ => n_rows,
    };
    list::erase(n_rows)
}

fn ignore(signals: &[i32]) -> io::Result<()> {
    for signal in signals {
        signal_hook::flag::register(*signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

fn panic_with_a_terminal() -> io::Result<()> {
    let command = drizzle_pilot::term::command::Command {
        program: std::env::current_exe()?,
        args: vec![SLEEPER.into()],
        cwd: std::env::current_dir()?,
        env: Vec::new(),
        unset: Vec::new(),
    };
    let mut pty = Pty::spawn(&command).map_err(io::Error::other)?;
    pty.read(&mut [0])?;
    panic!("the child sleeps");
}

fn inherit(command: &[String]) -> io::Result<()> {
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    Err(Command::new(&command[0]).args(&command[1..]).exec())
}

/// Lives in a session of its own, deaf to the polite signals, until it is killed.
fn sleep_for_ever() -> io::Result<()> {
    rustix::process::setsid()?;
    ignore(&[SIGTERM, SIGHUP])?;
    io::stdout().write_all(b"!")?;
    io::stdout().flush()?;
    loop {
        thread::park();
    }
}
