//! The two named pipes through which the hook inside drizzle-kit's node and we exchange one line each.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::kit::config::Overlay;

/// The script that node loads before drizzle-kit.
const HOOK: &str = include_str!("hook.cjs");

/// A private directory with the hook and the pipes; gone when dropped.
#[derive(Debug)]
pub struct Mailbox {
    dir: tempfile::TempDir,
    /// Held open for both directions, so that neither side ever waits for the other to open.
    down: File,
}

impl Mailbox {
    /// Makes the directory (readable by us alone), the hook and the pipes. Returns the end to read from as well.
    ///
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn create() -> std::io::Result<(Mailbox, File)> {
        let dir = tempfile::Builder::new().prefix("drizzle-pilot-").tempdir()?;
        std::fs::write(dir.path().join("hook.cjs"), HOOK)?;
        let open = |name: &str| -> std::io::Result<File> {
            let path = dir.path().join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
        };
        let up = open("up")?;
        let down = open("down")?;
        Ok((Mailbox { dir, down }, up))
    }

    /// Returns the path of the hook.
    pub fn hook(&self) -> PathBuf {
        self.dir.path().join("hook.cjs")
    }

    /// Returns the directory, for the hook to find the pipes.
    pub fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Lets drizzle-kit go on, with these variables in its environment, and these parts of its config replaced.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn go(&mut self, env: &[(&str, String)], overlay: &Overlay) -> std::io::Result<()> {
        let env: serde_json::Map<String, serde_json::Value> =
            env.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        self.reply(&serde_json::json!({ "env": env, "config": overlay }))
    }

    /// Ends drizzle-kit before it connects.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn stop(&mut self) -> std::io::Result<()> {
        self.reply(&serde_json::json!({ "stop": true }))
    }

    fn reply(&mut self, reply: &serde_json::Value) -> std::io::Result<()> {
        // In one piece: whoever reads is woken once.
        self.down.write_all(format!("{reply}\n").as_bytes())
    }
}
