//! Recordings of what went over the pseudo-terminal: asciicast v2, written and read.
//!
//! Format: <https://docs.asciinema.org/manual/asciicast/v2/>. One JSON header line, then one JSON array a line:
//! seconds since the start, `"o"` for output or `"i"` for keys, and the text.

use std::collections::BTreeMap;
use std::io::BufRead;

use serde::{Deserialize, Serialize};

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
pub(super) const COLOURS: (&str, &str) = ("FORCE_COLOR", "0");

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
pub(super) const OUTPUT: &str = "o";
pub(super) const KEYS: &str = "i";

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
    use crate::term::recorder::Recorder;
    use crate::term::redact::Secrets;

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
