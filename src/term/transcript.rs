//! Recordings of what went over the pseudo-terminal: asciicast v2, written and read.
//!
//! Format: <https://docs.asciinema.org/manual/asciicast/v2/>. One JSON header line, then one JSON array a line:
//! seconds since the start, `"o"` for output or `"i"` for keys, and the text.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::time::Instant;

use serde::{Deserialize, Serialize};

use crate::term::redact::{Redactor, Secrets};
use crate::term::screen::{COLUMNS, ROWS};

/// The first line of a recording.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Header {
    pub version: u32,
    pub width: u32,
    pub height: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Variables that the program had.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// Says to drizzle-kit that it shall not colour what it prints.
const COLOURS: (&str, &str) = ("FORCE_COLOR", "0");

impl Header {
    /// Tells whether the program may have coloured what it printed. What this program records is never coloured.
    pub fn is_coloured(&self) -> bool {
        self.env.get(COLOURS.0).is_none_or(|value| value != COLOURS.1)
    }
}

/// A piece of a recording.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// What the program wrote.
    Output(String),
    /// What was typed.
    Keys(String),
}

/// The kinds of pieces, as asciicast names them.
const OUTPUT: &str = "o";
const KEYS: &str = "i";

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

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("reading the recording")]
    Io(#[from] std::io::Error),
    #[error("line {line} of the recording is not asciicast v2: {reason}")]
    Format { line: usize, reason: String },
}

/// Reads a recording piece by piece.
pub struct Reader<R: BufRead> {
    lines: std::io::Lines<R>,
    n_lines: usize,
    /// The first line.
    pub header: Header,
    /// When the last piece came, in seconds from the start.
    pub seconds: f64,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// When the first line is missing or is not the header of an asciicast v2.
    pub fn open(from: R) -> Result<Reader<R>, ReadError> {
        let mut lines = from.lines();
        let first = lines.next().ok_or(ReadError::Format { line: 1, reason: "the file is empty".into() })??;
        let header: Header =
            serde_json::from_str(&first).map_err(|error| ReadError::Format { line: 1, reason: error.to_string() })?;
        if header.version != 2 {
            let reason = format!("the header says version {}", header.version);
            return Err(ReadError::Format { line: 1, reason });
        }
        Ok(Reader { lines, n_lines: 1, header, seconds: 0.0 })
    }
}

impl<R: BufRead> Iterator for Reader<R> {
    type Item = Result<Piece, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error.into())),
            };
            self.n_lines += 1;
            if line.trim().is_empty() {
                continue;
            }
            let read = serde_json::from_str::<(f64, String, String)>(&line);
            if let Ok((seconds, ..)) = &read {
                self.seconds = *seconds;
            }
            return match read {
                Ok((_, kind, text)) if kind == OUTPUT => Some(Ok(Piece::Output(text))),
                Ok((_, kind, text)) if kind == KEYS => Some(Ok(Piece::Keys(text))),
                Ok(_) => continue, // markers and resizes carry nothing to decide on
                Err(error) => Some(Err(ReadError::Format { line: self.n_lines, reason: error.to_string() })),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_recorded_is_read_back_without_its_secrets() {
        let mut file = Vec::new();
        let mut secrets = Secrets::default();
        secrets.add(["hunter2".to_owned()]);
        let mut recorder = Recorder::begin(&mut file, "node kit --url=u:hunter2@h", "push", &secrets).expect("memory");
        for byte in "❯ hun".bytes().chain(*b"ter2 \xff!") {
            recorder.output(&[byte]);
        }
        recorder.keys(b"\r");
        recorder.finish().expect("memory");

        let reader = Reader::open(file.as_slice()).expect("it was just written");
        assert_eq!(reader.header.command.as_deref(), Some("node kit --url=u:[REDACTED]@h"));
        let mut output = String::new();
        let mut keys = String::new();
        for piece in reader {
            match piece.expect("it was just written") {
                Piece::Output(text) => output += &text,
                Piece::Keys(text) => keys += &text,
            }
        }
        assert_eq!((output.as_str(), keys.as_str()), ("❯ [REDACTED] \u{fffd}!", "\r"));
    }

    #[test]
    fn a_broken_recording_is_named_by_line() {
        let check = |text: &str, expected: &str| {
            let error = match Reader::open(text.as_bytes()) {
                Err(error) => error.to_string(),
                Ok(mut reader) => reader.find_map(Result::err).expect("it is broken").to_string(),
            };
            assert!(error.starts_with(expected), "{error}");
        };
        check("", "line 1 of the recording is not asciicast v2: the file is empty");
        check("{\"version\":1,\"width\":1,\"height\":1}", "line 1 of the recording is not asciicast v2: the header");
        check("{\"version\":2,\"width\":1,\"height\":1}\n[0.1,\"o\"", "line 2 of the recording is not asciicast v2");
    }
}
