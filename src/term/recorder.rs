//! Writes recordings of a terminal, as asciicast v2.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Instant;

use crate::term::redact::{Redactor, Secrets};
use crate::term::screen::{COLUMNS, ROWS};
use crate::term::transcript::{COLOURS, Header, KEYS, OUTPUT};

/// Pieces that wait until all secrets are known. Each is a read of the terminal, of 64 kilobytes at most.
const MOST_WAITING: usize = 64;

/// Writes a recording. Secrets never reach it.
pub struct Recorder<W: Write> {
    to: W,
    start: Instant,
    redactor: Redactor,
    /// Bytes of a character that is not complete yet.
    torn: Vec<u8>,
    /// What was recorded before all secrets were known; it is written once they are.
    waiting: Option<Vec<(f64, &'static str, String)>>,
    /// The first error of the writer: a recording that cannot be written must not end a run.
    error: Option<std::io::Error>,
}

impl<W: Write> Recorder<W> {
    /// Begins a recording and writes its header.
    ///
    /// # Errors
    /// When the header cannot be written.
    pub fn begin(mut to: W, command: &str, title: &str, secrets: &Secrets) -> std::io::Result<Recorder<W>> {
        let header = Header {
            version: 2,
            width: COLUMNS.into(),
            height: ROWS.into(),
            command: Some(secrets.redact(command)),
            title: Some(title.to_owned()),
            env: BTreeMap::from([(COLOURS.0.to_owned(), COLOURS.1.to_owned())]),
        };
        writeln!(to, "{}", serde_json::to_string(&header)?)?;
        to.flush()?;
        let mut recorder = Recorder {
            to,
            start: Instant::now(),
            redactor: Redactor::default(),
            torn: Vec::new(),
            waiting: Some(Vec::new()),
            error: None,
        };
        recorder.hide(secrets);
        Ok(recorder)
    }

    /// Adds secrets that became known after the start.
    pub fn hide(&mut self, secrets: &Secrets) {
        self.redactor.add(secrets);
    }

    /// Says that all secrets are known: what was held back is written without them.
    pub fn release(&mut self) {
        for (seconds, kind, text) in self.waiting.take().unwrap_or_default() {
            let shown = if kind == OUTPUT { self.redactor.push(&text) } else { text };
            self.write(seconds, kind, &shown);
        }
    }

    /// Records output. The bytes may be cut anywhere.
    pub fn output(&mut self, bytes: &[u8]) {
        self.torn.extend_from_slice(bytes);
        // What follows the last complete character waits; bytes that are no text at all become U+FFFD.
        let n_whole = match std::str::from_utf8(&self.torn) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => self.torn.len(),
        };
        let whole: Vec<u8> = self.torn.drain(..n_whole).collect();
        self.put(OUTPUT, String::from_utf8_lossy(&whole).into_owned());
    }

    /// Records keys that were typed.
    pub fn keys(&mut self, bytes: &[u8]) {
        self.put(KEYS, String::from_utf8_lossy(bytes).into_owned());
    }

    /// Ends the recording.
    ///
    /// # Errors
    /// The first error met while writing, so that it can be told; the run itself went on.
    pub fn finish(&mut self) -> std::io::Result<()> {
        self.release();
        let torn = String::from_utf8_lossy(&std::mem::take(&mut self.torn)).into_owned();
        let rest = self.redactor.push(&torn) + &self.redactor.finish();
        self.write(self.seconds(), OUTPUT, &rest);
        match self.error.take() {
            Some(error) => Err(error),
            None => self.to.flush(),
        }
    }

    fn put(&mut self, kind: &'static str, text: String) {
        let seconds = self.seconds();
        match &mut self.waiting {
            Some(waiting) if waiting.len() < MOST_WAITING => waiting.push((seconds, kind, text)),
            Some(_) => {
                self.release(); // more than any config prints while it is loaded
                self.put(kind, text);
            }
            None if kind == OUTPUT => {
                let shown = self.redactor.push(&text);
                self.write(seconds, kind, &shown);
            }
            None => self.write(seconds, kind, &text),
        }
    }

    fn seconds(&self) -> f64 {
        (self.start.elapsed().as_secs_f64() * 1e6).round() / 1e6
    }

    fn write(&mut self, seconds: f64, kind: &str, text: &str) {
        if text.is_empty() || self.error.is_some() {
            return;
        }
        let line = serde_json::json!([seconds, kind, text]);
        self.error = writeln!(self.to, "{line}").err();
    }
}
