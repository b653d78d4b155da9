//! The log of a run: its phases and decisions, as text on stderr from the second `-v` on, and as JSON lines in a file.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use serde_json::Value;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use crate::output::console::{Lost, clean_for_log, clean_json, secrets_of_logs};

/// Starts the log of this process: on stderr from the second `-v` on, and in a file where one is named. What that file does
/// not get later is noted as lost.
///
/// # Errors
/// Where the file cannot be created, or does not get its first line.
pub fn start(verbose: u8, file: Option<&Path>, lost: &Lost) -> anyhow::Result<()> {
    let file = file.map(|path| LogFile::create(path, lost.clone())).transpose()?;
    let level = match verbose {
        0 | 1 => LevelFilter::OFF,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    let on_stderr = fmt::layer()
        .with_writer(Stderr::default)
        .with_ansi(false)
        .log_internal_errors(false) // else it panics where it cannot write that it cannot write
        .with_filter(level);
    let in_file = file.map(|file| {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
            .with_writer(file)
            .log_internal_errors(false)
            .with_filter(LevelFilter::DEBUG)
    });
    Registry::default().with(on_stderr).with(in_file).init();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "drizzle-pilot starts");
    lost.take().map_or(Ok(()), |lost| Err(anyhow!(lost)))
}

/// Writes lines to stderr. Each comes whole.
#[derive(Debug, Clone, Copy, Default)]
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = clean_for_log(&String::from_utf8_lossy(bytes));
        std::io::stderr().write_all(text.as_bytes()).map(|()| bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The file with the JSON lines.
#[derive(Debug, Clone)]
struct LogFile {
    path: PathBuf,
    file: Arc<File>,
    lost: Lost,
}

impl LogFile {
    fn create(path: &Path, lost: Lost) -> anyhow::Result<LogFile> {
        let file = File::create(path).with_context(|| format!("creating the log {}", path.display()));
        Ok(LogFile { path: path.to_owned(), file: Arc::new(file?), lost })
    }
}

impl Write for LogFile {
    /// Writes one line, without secrets.
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        let document: Value = serde_json::from_slice(line)?;
        let clean = clean_json(&format!("{}\n", secrets_of_logs().redact_json(document)));
        if let Err(error) = self.file.write_all(clean.as_bytes()) {
            self.lost.note(format!("the log {} could not be written completely: {error}", self.path.display()));
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = LogFile;

    fn make_writer(&'a self) -> LogFile {
        self.clone()
    }
}
