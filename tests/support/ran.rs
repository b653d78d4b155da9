//! What a run of the program left: code, outputs, report and files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::list::ABORT;
use super::script::Entry;

/// Whatever drizzle-kit does, the program needs less.
const MOST_MEMORY: u64 = 64 << 20;

pub(crate) const UNCHANGED: &str = "Nothing was executed.";
pub(crate) const MAYBE: &str = "The database may be partly changed.";

/// What a run left.
pub(crate) struct Ran {
    /// The exit code, or the negative number of the signal that ended the program.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    /// The JSON of `--report`, or null.
    pub(crate) report: Value,
    /// What the fake drizzle-kit wrote down.
    pub(crate) log: Vec<Entry>,
    pub(crate) took: Duration,
    pub(super) folder: PathBuf,
    /// Keeps the folder.
    pub(super) _project: Option<Arc<TempDir>>,
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
            ..=0 | 2 => return self,
            6 | 7 => &[MAYBE],
            124 | 128.. => &[UNCHANGED, MAYBE],
            _ => &[UNCHANGED],
        };
        let ends_with = |text: &str| sentences.iter().any(|sentence| text.trim_end().ends_with(sentence));
        assert!(
            ends_with(&self.stdout) || ends_with(&self.stderr),
            "the last sentence is none of {sentences:?}\n{self}"
        );
        self
    }

    /// Checks the code and the last line of stderr. Without a closing sentence nothing stands there at all, unless a signal
    /// ended the program.
    #[track_caller]
    pub(crate) fn ends(self, code: i32, closing: Option<&str>) -> Self {
        match closing {
            Some(sentence) => {
                assert_eq!(self.stderr.lines().last(), Some(sentence), "the closing sentence\n{self}");
                self.expect(code)
            }
            None if code < 0 => self.expect(code),
            None => self.ends_beside(code, ""),
        }
    }

    /// Checks the code and all of stderr.
    #[track_caller]
    pub(crate) fn ends_beside(self, code: i32, stderr: &str) -> Self {
        assert_eq!(self.stderr, stderr, "stderr\n{self}");
        self.expect(code)
    }

    /// Checks all that was printed, and the code.
    #[track_caller]
    pub(crate) fn prints(self, code: i32, stdout: &str, stderr: &str) -> Self {
        assert_eq!(self.stdout, stdout, "stdout\n{self}");
        self.ends_beside(code, stderr)
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

    /// Checks that the fake saw Enter on no choice but "No, abort".
    #[track_caller]
    pub(crate) fn without_consent(self) -> Self {
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
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{self}", path.display()))
    }

    /// Returns stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}\n{self}"))
    }

    /// Checks what holds for every end: a terminal that shows the output is unharmed, nothing unasked was typed, memory is
    /// bounded, and no temporary file is left.
    #[track_caller]
    pub(super) fn check(&self, peak: u64, temporary: &Path, on_terminal: bool) {
        for output in [&self.stdout, &self.stderr].into_iter().filter(|_| !on_terminal) {
            let control = |character: &char| character.is_control() && !matches!(character, '\n' | '\t');
            assert_eq!(output.chars().find(control), None, "a control character reached our output\n{self}");
        }
        let disasters: Vec<&Entry> = self.log.iter().filter(|entry| matches!(entry, Entry::Disaster(_))).collect();
        assert!(disasters.is_empty(), "{disasters:?}\n{self}");
        assert!(peak < MOST_MEMORY, "{} MiB of memory\n{self}", peak >> 20);
        if self.code >= 0 {
            let left: Vec<_> = std::fs::read_dir(temporary).expect("it was made").flatten().collect();
            assert!(left.is_empty(), "temporary files are left: {left:?}\n{self}");
        }
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

/// Tells whether Enter came on a choice that may execute something.
pub(crate) fn is_consent(entry: &Entry) -> bool {
    matches!(entry, Entry::Chose { label, .. } if label != ABORT && !label.starts_with(['+', '~']))
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "code {} after {:?}", self.code, self.took)?;
        writeln!(f, "--- stdout\n{}\n--- stderr\n{}\n--- report\n{:#}", self.stdout, self.stderr, self.report)?;
        // A thousand prompts are too many to read; the last ones say how it ended.
        self.log.iter().skip(self.log.len().saturating_sub(40)).try_for_each(|entry| writeln!(f, "{entry:?}"))
    }
}
