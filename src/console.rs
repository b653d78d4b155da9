//! What we say while a run goes on: notices on stderr, a spinner where a person watches, the result on stdout.
//!
//! Text from outside is stripped of control characters and of secrets here, at the last door.

use std::io::{IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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

/// The two outputs, and what must not appear in them.
///
/// A closed or full output never changes how a run ends: the exit code and the report say what happened.
pub struct Console {
    loudness: Loudness,
    secrets: Secrets,
    spinner: Option<ProgressBar>,
    shown: String,
}

const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const ERROR: Style = AnsiColor::Red.on_default().bold();

impl Console {
    /// Makes a console. It spins where stderr is a terminal and nothing says that nobody watches.
    pub fn new(loudness: Loudness, secrets: Secrets) -> Console {
        let watched = std::io::stderr().is_terminal()
            && std::env::var_os("CI").is_none()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let spinner = (watched && loudness == Loudness::Normal).then(|| {
            let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is a constant");
            spinner.set_style(style);
            spinner
        });
        Console { loudness, secrets, spinner, shown: String::new() }
    }

    /// Returns the secrets known so far.
    pub fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Returns the secrets, to add those that became known.
    pub fn secrets_mut(&mut self) -> &mut Secrets {
        &mut self.secrets
    }

    /// Returns text as it may be shown.
    pub fn clean(&self, text: &str) -> String {
        clean(&self.secrets.redact(text))
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
            let text = self.clean(text);
            self.write(&text);
        }
    }

    /// Says a step that only a curious reader wants to see.
    pub fn detail(&mut self, text: &str) {
        if self.loudness >= Loudness::Verbose {
            let text = self.clean(text);
            self.write(&text);
        }
    }

    /// Says what matters although the run goes on.
    pub fn warn(&mut self, text: &str) {
        if self.loudness > Loudness::Quiet {
            self.write(&format!("{WARNING}warning:{WARNING:#} {}", self.clean(text)));
        }
    }

    /// Says why the run failed. Not even a quiet run keeps that to itself.
    pub fn error(&mut self, headline: &str, text: &str) {
        self.write(&format!("{ERROR}{headline}:{ERROR:#} {}", self.clean(text)));
    }

    /// Says something that even a quiet run says.
    pub fn insist(&mut self, text: &str) {
        let text = self.clean(text);
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

    /// Takes the spinner away.
    pub fn settle(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }

    /// Writes the result to stdout.
    pub fn result(&mut self, text: &str) {
        self.settle();
        let mut out = anstream::stdout().lock();
        // A reader that went away (`| head -1`) or a full disk does not undo what was done.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }

    /// Passes on what drizzle-kit made for a file: as it is, but for secrets, and on a terminal for what could steer it.
    pub fn pass_on(&mut self, text: &str) {
        let safe = self.secrets.redact(text);
        if safe != text {
            self.warn("a secret stands in the output, and is left out of it");
        }
        let safe = if std::io::stdout().is_terminal() { clean(&safe) } else { safe };
        self.result(&safe);
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

/// Makes text from outside harmless for a terminal: control characters are shown as escapes.
pub fn clean(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
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
    clean
}

/// Makes a JSON document harmless for a terminal and keeps it the same document. What JSON itself does not escape can
/// stand in strings alone.
pub fn clean_json(json: &str) -> String {
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                clean += &format!("\\u{:04x}", u32::from(character));
            }
            _ => clean.push(character),
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_steer_a_terminal() {
        assert_eq!(clean("a\x1b[2Jb\rc\u{9b}d\u{202e}e\nf"), "a\\u{1b}[2Jb\\rc\\u{9b}d\\u{202e}e\nf");
    }

    #[test]
    fn clean_json_is_the_same_document() {
        let value = serde_json::json!({ "a\u{9b}": "b\u{202e}c\x1b[2J\n" });
        let clean = clean_json(&format!("{value:#}"));
        assert!(clean.chars().all(|character| character == '\n' || !character.is_control()), "{clean}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&clean).expect("it is JSON"), value);
    }
}
