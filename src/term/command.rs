//! What is started in a terminal. Pure.

use std::ffi::OsString;
use std::path::PathBuf;

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct Command {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The working directory; must be absolute.
    pub cwd: PathBuf,
    /// Variables set on top of our own environment.
    pub env: Vec<(String, OsString)>,
    /// Variables taken out of it.
    pub unset: Vec<String>,
}
