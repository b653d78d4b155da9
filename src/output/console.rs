//! What we say while a run goes on: notices on stderr, a spinner where a person watches, the result on stdout.
//!
//! Text from outside is stripped of control characters and of secrets here, at the last door.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use regex::Regex;
use rustix::fs::FileType;

use crate::output::record::Record;
use crate::term::paint::{Paint, Painted};
use crate::term::redact::Secrets;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Errors alone.
    Quiet,
    Normal,
    /// Also what drizzle-kit prints.
    Verbose,
}

/// How commands of ours are started that are printed.
#[derive(Debug)]
pub struct Invocation {
    program: String,
    flags: Vec<Flag>,
    /// A command of ours in a text, with what stands before it.
    commands: Regex,
}

/// What was said to this run, and has to be said to the next one as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    pub name: &'static str,
    pub value: String,
    /// The commands that take it.
    pub of: Vec<&'static str>,
}

impl Invocation {
    /// Makes one by what starts the program, the names of its commands, and what they are told.
    pub fn new(program: &str, commands: Vec<String>, flags: Vec<Flag>) -> Invocation {
        let runners = "npx(?: --no-install)?|npm exec --|pnpm exec|pnpm dlx|yarn(?: run)?|bunx|bun run";
        let pattern = format!(r"(^|[^\w./@-])((?:{runners}) )?drizzle-pilot ({})\b", commands.join("|"));
        let commands = Regex::new(&pattern).expect("the names of commands are plain words");
        Invocation { program: program.to_owned(), flags, commands }
    }

    /// Returns a text whose commands can be pasted.
    pub fn phrase(&self, text: &str, secrets: &Secrets) -> String {
        let mut phrased = String::with_capacity(text.len());
        let mut end = 0;
        for found in self.commands.captures_iter(text) {
            let whole = found.get(0).expect("a match has a whole");
            let (before, runner, command) = (&found[1], found.get(2), &found[3]);
            phrased += &text[end..whole.start()];
            phrased += before;
            match runner {
                Some(runner) => phrased += &format!("{}drizzle-pilot", runner.as_str()),
                None => phrased += &self.program,
            }
            phrased += &format!(" {command}");
            end = whole.end();
            let line = text[end..].lines().next().unwrap_or_default();
            let is_said = |flag: &&Flag| {
                line.split([' ', '`']).any(|word| word == flag.name || word.starts_with(&format!("{}=", flag.name)))
            };
            for Flag { name, value, .. } in
                self.flags.iter().filter(|flag| flag.of.contains(&command)).filter(|flag| !is_said(flag))
            {
                // A line with a hole in it is none to paste.
                let is_secret = secrets.redact(value) != *value;
                let value = if is_secret { "URL".into() } else { shell_words::quote(value) };
                phrased += &format!(" {name} {value}");
            }
        }
        phrased + &text[end..]
    }
}

/// The two outputs, and what must not appear in them.
///
/// What was wanted and could not be written is kept: a result that nobody gets is a failure, whatever the run came to.
pub struct Console {
    lost: Lost,
    loudness: Loudness,
    secrets: Secrets,
    invocation: Option<Invocation>,
    spinner: Option<ProgressBar>,
    shown: String,
    recordings: Vec<File>,
}

/// What was wanted and could not be written: the first sentence on it.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<Mutex<Option<String>>>);

impl Lost {
    /// Takes note of it, if it is the first.
    pub fn note(&self, sentence: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(sentence);
    }

    /// Returns it, once.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

impl Console {
    /// Makes a console. It spins where stderr is a terminal and nothing says that nobody watches.
    pub fn new(loudness: Loudness, secrets: Secrets) -> Console {
        keep_out_of_logs(&secrets);
        let watched = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let spinner = (watched && loudness == Loudness::Normal).then(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant");
            spinner.set_style(style);
            spinner
        });
        Console {
            lost: Lost::default(),
            loudness,
            secrets,
            invocation: None,
            spinner,
            shown: String::new(),
            recordings: Vec::new(),
        }
    }

    /// Returns the secrets known so far.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Adds secrets that became known.
    pub fn hide(&mut self, add: impl FnOnce(&mut Secrets)) {
        add(&mut self.secrets);
        keep_out_of_logs(&self.secrets);
    }

    /// Takes how commands of ours are started here.
    pub fn invoked(&mut self, invocation: Invocation) {
        self.invocation = Some(invocation);
    }

    /// Returns text as it may be shown.
    pub fn clean(&self, text: &str) -> String {
        clean(&self.secrets.redact(text))
    }

    /// Returns text of ours as it may be shown, with commands that can be pasted.
    pub fn phrase(&self, text: &str) -> String {
        match &self.invocation {
            Some(invocation) => self.clean(&invocation.phrase(text, &self.secrets)),
            None => self.clean(text),
        }
    }

    /// Tells whether everything is to be shown.
    pub fn is_verbose(&self) -> bool {
        self.loudness == Loudness::Verbose
    }

    /// From here on says everything that drizzle-kit says, line by line.
    pub fn tell_everything(&mut self) {
        self.loudness = Loudness::Verbose;
        self.settle();
    }

    /// Says what is going on, line by line.
    pub fn say(&mut self, text: &str) {
        if self.loudness > Loudness::Quiet {
            let text = self.phrase(text);
            self.write(&text);
        }
    }

    /// Says a step that only a curious reader wants to see.
    pub fn detail(&mut self, text: &str) {
        if self.loudness >= Loudness::Verbose {
            let text = self.phrase(text);
            self.write(&text);
        }
    }

    /// Says what matters although the run goes on.
    pub fn warn(&mut self, text: &str) {
        if self.loudness > Loudness::Quiet {
            self.write(&format!("{WARNING}warning:{WARNING:#} {}", self.phrase(text)));
        }
    }

    /// Warns, and keeps the warning for the report.
    pub fn warn_in(&mut self, record: &mut Record, text: &str) {
        self.warn(text);
        record.warnings.push(self.clean(text));
    }

    /// Keeps a recording for the page of `--report-html`, to be read from its beginning.
    pub fn keep_recording(&mut self, recording: File) {
        self.recordings.push(recording);
    }

    /// Takes the recordings that were kept.
    pub fn take_recordings(&mut self) -> Vec<File> {
        std::mem::take(&mut self.recordings)
    }

    /// Says why the run failed. Not even a quiet run keeps that to itself.
    pub fn error(&mut self, headline: &str, text: &str) {
        self.write(&format!("{ERROR}{headline}:{ERROR:#} {}", self.phrase(text)));
    }

    /// Says something that even a quiet run says.
    pub fn insist(&mut self, text: &str) {
        let text = self.phrase(text);
        self.write(&text);
    }

    /// Shows what drizzle-kit is doing.
    pub fn progress(&mut self, line: &str) {
        let line = self.clean(line);
        if let Some(spinner) = &self.spinner {
            spinner.set_message(line);
            spinner.tick();
        } else if self.loudness == Loudness::Verbose && line != self.shown {
            self.write(&format!("  kit: {line}"));
            self.shown = line;
        }
    }

    /// Tells whether both outputs are the same terminal, pipe or file.
    pub fn is_one(&self) -> bool {
        let place = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).ok().map(|stat| (stat.st_dev, stat.st_ino));
        let (out, err) = (place(std::io::stdout().as_fd()), place(std::io::stderr().as_fd()));
        out.is_some() && out == err
    }

    /// Tells whether stdout is a file, which nobody acts on while it is written.
    pub fn is_to_file() -> bool {
        let stdout = rustix::fs::fstat(std::io::stdout());
        stdout.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile)
    }

    /// Takes the spinner away.
    pub fn settle(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    /// Writes the result to stdout.
    pub fn result(&mut self, text: &str) {
        let text = self.phrase(text);
        self.put(&text);
    }

    /// Writes a result whose parts have colours.
    pub fn show(&mut self, text: &Painted) {
        let text = text.shown(|paint, part| if paint == Paint::Plain { self.phrase(part) } else { self.clean(part) });
        self.put(&text);
    }

    /// Writes a result that is for other programs, or for other people.
    pub fn quote(&mut self, text: &str) {
        let text = self.clean(text);
        self.put(&text);
    }

    /// Writes a JSON document whose texts were cleaned one by one, or a script that has nothing from outside.
    pub fn document(&mut self, text: &str) {
        self.put(text);
    }

    /// Passes on what drizzle-kit made for a file: as it is, but for secrets, and on a terminal for what could steer it.
    pub fn pass_on(&mut self, text: &str) {
        let safe = self.secrets.redact(text);
        if safe != text {
            self.warn("a secret was removed from the output");
        }
        let safe = if std::io::stdout().is_terminal() { clean(&safe) } else { safe };
        self.put(&safe);
    }

    /// Says something to the program that reads the log of a job and acts on it. The line is made so that nothing from
    /// outside ends it.
    pub fn command(&mut self, line: &str) {
        let line = self.secrets.redact(line);
        self.write(&line);
    }

    fn put(&mut self, text: &str) {
        self.settle();
        let mut out = anstream::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        drop(out);
        // Who closes a pipe, as head does, wants to read no more.
        if let Err(error) = written
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.lose(format!("the result could not be written to stdout: {error}"));
        }
    }

    /// Takes note of something that was wanted and could not be written, in a sentence.
    pub fn lose(&mut self, sentence: String) {
        self.lost.note(sentence);
    }

    /// Returns where others note what they could not write.
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }

    /// Returns what could not be written, once.
    pub fn take_lost(&mut self) -> Option<String> {
        self.lost.take()
    }

    fn write(&mut self, text: &str) {
        let write = || {
            let mut err = anstream::stderr().lock();
            let _ = writeln!(err, "{text}");
        };
        match &self.spinner {
            Some(spinner) => spinner.suspend(write),
            None => write(),
        }
    }
}

/// Makes text from outside harmless for a terminal, and for programs that read the log of a job: control characters are shown
/// as escapes, and so is the beginning of a command.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        // GitHub's runner takes a line for a command whose first characters these are (actions/runner, `ActionCommand`).
        if let Some((blank, command)) = line.split_at_checked(line.len() - line.trim_start().len())
            && command.starts_with("::")
        {
            escape_controls(blank, &mut clean);
            clean += "\\u{3a}";
            rest = &command[1..];
        }
        // Elsewhere in a line: `##[…]`, `##vso[…]` of Azure, `##teamcity[…]`.
        let mut end = 0;
        for command in HASHES.find_iter(rest) {
            escape_controls(&rest[end..command.start()], &mut clean);
            clean += "\\u{23}";
            end = command.start() + 1;
        }
        escape_controls(&rest[end..], &mut clean);
    }
    clean
}

/// The beginning of a command within a line.
static HASHES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"##\w*\[").expect("the pattern is right"));

/// Tells whether a program that reads the log of a job would take a line of this text for a command.
pub fn has_commands(text: &str) -> bool {
    text.lines().any(|line| line.trim_start().starts_with("::") || HASHES.is_match(line))
}

fn escape_controls(text: &str, clean: &mut String) {
    for character in text.chars() {
        match character {
            '\n' | '\t' => clean.push(character),
            // C0, DEL and C1; and the marks that turn the direction of writing around.
            '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                clean.extend(character.escape_default());
            }
            _ => clean.push(character),
        }
    }
}

/// Makes a JSON document harmless for a terminal and for programs that read logs, and keeps it the same document. What JSON
/// itself does not escape can stand in strings alone.
pub fn clean_json(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for character in HASHES.replace_all(json, |found: &regex::Captures| format!("\\u0023{}", &found[0][1..])).chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                clean += &format!("\\u{:04x}", u32::from(character));
            }
            _ => clean.push(character),
        }
    }
    clean
}

/// What is left out of logs, which are written by whoever has something to say and not through a console.
static SECRETS: Mutex<Option<Secrets>> = Mutex::new(None);

fn keep_out_of_logs(secrets: &Secrets) {
    *SECRETS.lock().unwrap_or_else(PoisonError::into_inner) = Some(secrets.clone());
}

/// Returns the secrets that any console has had to hide so far.
pub fn secrets_of_logs() -> Secrets {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

/// Returns text for a log as it may be shown, without what any console has had to hide.
pub fn clean_for_log(text: &str) -> String {
    clean(&secrets_of_logs().redact(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_a_terminal() {
        assert_eq!(clean("a\x1b[2Jb\rc\u{9b}d\u{202e}e\nf"), "a\\u{1b}[2Jb\\rc\\u{9b}d\\u{202e}e\nf");
    }

    #[test]
    fn a_command_that_is_printed_is_told_what_this_run_was_told() {
        let flag = |name, value: &str, of: &[&'static str]| Flag { name, value: value.to_owned(), of: of.to_vec() };
        let commands = ["push", "plan", "sync", "policy"].map(str::to_owned).to_vec();
        let flags = vec![
            flag("--cwd", "packages/my db", &["push", "plan", "sync", "policy"]),
            flag("--config", "a.ts", &["push", "plan", "sync"]),
            flag("--url", "postgres://u:swordfish@h/d", &["sync"]),
        ];
        let mut secrets = Secrets::default();
        secrets.add(["swordfish".to_owned()]);
        let check = |invocation: &Invocation, text: &str, expected: &str| {
            assert_eq!(invocation.phrase(text, &secrets), expected);
        };
        let told = Invocation::new("npx drizzle-pilot", commands.clone(), flags);
        check(
            &told,
            "hint: drizzle-pilot push --plan F; `drizzle-pilot sync --config b.ts`",
            "hint: npx drizzle-pilot push --cwd 'packages/my db' --plan F; `npx drizzle-pilot sync --cwd 'packages/my db' --url URL --config b.ts`",
        );
        check(&told, "drizzle-pilot policy init", "npx drizzle-pilot policy --cwd 'packages/my db' init");
        let plain = Invocation::new("pnpm exec drizzle-pilot", commands, Vec::new());
        check(&plain, "yarn run drizzle-pilot push", "yarn run drizzle-pilot push");
        for text in ["drizzle-pilot.toml", "a drizzle-pilot pushes", "drizzle-pilot: starting", "x/drizzle-pilot push"]
        {
            check(&plain, text, text);
        }
    }

    #[test]
    fn no_line_of_a_log_is_a_command() {
        let check = |text: &str, expected: &str| {
            assert_eq!(clean(text), expected);
            assert_eq!(clean(&clean(text)), expected);
            assert!(!has_commands(&clean(text)), "{text:?}");
            assert!(has_commands(text) || text == expected, "{text:?}");
        };
        check("::set-output name=a::b", "\\u{3a}:set-output name=a::b");
        check("a\n \t\u{a0}::error::b\n::c", "a\n \t\u{a0}\\u{3a}:error::b\n\\u{3a}:c");
        check("a ##[set-env name=a]b ##vso[task.x]", "a \\u{23}#[set-env name=a]b \\u{23}#vso[task.x]");
        check("  ##teamcity[x]", "  \\u{23}#teamcity[x]");
        check("a::text, # [b](c), ## d", "a::text, # [b](c), ## d");
        let document = serde_json::json!({ "a": "##[b] ##vso[c]\n::d" });
        let json = clean_json(&format!("{document:#}"));
        assert!(!has_commands(&json), "{json}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&json).expect("it is JSON"), document);
    }

    #[test]
    fn clean_json_is_the_same_document() {
        let value = serde_json::json!({ "a\u{9b}": "b\u{202e}c\x1b[2J\n" });
        let clean = clean_json(&format!("{value:#}"));
        assert!(clean.chars().all(|character| character == '\n' || !character.is_control()), "{clean}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).expect("it is JSON"), value);
    }
}
