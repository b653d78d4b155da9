//! A supervised run of drizzle-kit that ended: how, and what was seen. Values only.

use std::io;

use crate::kit::config::{FailedStatement, Hello};
use crate::kit::hints::envelope::Envelope;
use crate::kit::session::{Doubt, Seen};
use crate::term::ended::Ended;

/// Why a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// drizzle-kit ended by itself.
    Finished(Ended),
    /// It was stopped because of what was seen.
    Doubted(Doubt),
    /// It was stopped because a deadline passed; `idle` tells which.
    TimedOut { idle: bool },
    /// It was stopped because we were told to end, by this signal.
    Signalled(i32),
    /// It was stopped before it connected.
    Aborted,
    /// It was stopped because what let it go on was lost.
    LockLost,
    /// It was stopped before it sent what it was about to send.
    Held(Held),
    /// It printed more than anybody could have read.
    Flooded,
}

/// What becomes of a query that drizzle-kit is about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    Sent,
    /// This is sent in its place.
    Instead(String),
    /// It does not reach the server, and is answered as if it had.
    Kept,
}

/// What drizzle-kit was kept from, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// Going on without anybody to hold it.
    Runner(String),
    /// A session that is not where the run looked.
    Session(String),
    /// A session in which SQL means something else than what was read.
    Meaning(String),
    /// A query that is not read-only and was not approved.
    Query(String),
}

/// A supervised run of drizzle-kit that ended.
#[derive(Debug)]
pub struct KitRun {
    pub ending: Ending,
    /// What was asked, answered and printed at the terminal.
    pub seen: Seen,
    /// Whether the config was loaded and cleared.
    pub cleared: bool,
    /// What drizzle-kit 1.0 printed for programs.
    pub out: String,
    /// What that says of the run.
    pub envelope: Option<Envelope>,
    /// What drizzle-kit said when it could not load its config.
    pub config_error: Option<String>,
    /// The first statement that the server refused, as drizzle-kit's driver told.
    pub failed: Option<FailedStatement>,
    /// The drizzle-kit that showed that it loads the hook.
    pub hello: Option<Hello>,
    /// Milliseconds from the opening of each prompt to the Enter that answered it.
    pub latencies_ms: Vec<f64>,
    /// The error met while the recording was written.
    pub recording: io::Result<()>,
}
