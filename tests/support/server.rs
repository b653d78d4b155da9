//! A PostgreSQL server of a test's own, for what must not happen to the one that all tests share.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;
use url::Url;

use super::lab_variable;

/// A server in the laboratory's run; stopped with the value.
pub(crate) struct OwnServer {
    name: String,
    url: Url,
}

/// The name and the text of files in a server's data folder. `postgresql.conf` is added to the one that is there.
pub(crate) type Files<'a> = &'a [(&'a str, &'a str)];

impl OwnServer {
    /// Starts a fresh one of this major version.
    pub(crate) fn start(version: &str, files: Files) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("own{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = written(files);
        let printed = lab(&["add", &name, version, folder.path().to_str().expect("the path is UTF-8")]);
        Self { name, url: printed.trim().parse().expect("scripts/lab prints a URL") }
    }

    /// Returns the way to it as its superuser.
    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Stops it in a mode of pg_ctl: `fast`, or `immediate`, which is as good as a crash.
    pub(crate) fn halt(&self, mode: &str) {
        lab(&["halt", &self.name, mode]);
    }

    /// Starts it again at the same port.
    pub(crate) fn resume(&self, files: Files) {
        let folder = written(files);
        lab(&["resume", &self.name, folder.path().to_str().expect("the path is UTF-8")]);
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // One that a test has halted is down already; what is left goes with the laboratory.
        let _ = command(&["halt", &self.name, "immediate"]).output();
    }
}

fn written(files: Files) -> TempDir {
    let folder = TempDir::new().expect("there is a temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("the folder is ours");
    }
    folder
}

fn lab(arguments: &[&str]) -> String {
    let output = command(arguments).output().expect("scripts/lab is part of the repository");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it prints text")
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/lab"));
    command.args(arguments).env("DRIZZLE_PILOT_LAB_RUN", lab_variable("DRIZZLE_PILOT_LAB_RUN"));
    command
}
