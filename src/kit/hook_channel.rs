//! The two named pipes through which the hook inside drizzle-kit's node and we exchange lines: what it wants
//! to do, and whether it may.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use crate::kit::config::Overlay;
use crate::kit::run::Passage;

/// What drizzle-kit goes on with once its config was cleared.
#[derive(Debug, Clone)]
pub struct Go {
    /// Added to its environment.
    pub env: Vec<(&'static str, String)>,
    /// The parts of its config that are replaced.
    pub config: Overlay,
    /// What each of its sessions is asked before its first query.
    pub questions: Questions,
    /// Whether every query waits for our word.
    pub holds: bool,
    /// The folder in which a database within node is to have a socket, for us to look into it.
    pub bridge: Option<PathBuf>,
}

/// What sessions are asked, by engine.
#[derive(Debug, Clone)]
pub struct Questions {
    /// One row, of PostgreSQL.
    pub postgres: &'static str,
    /// One row, of MySQL and its kin.
    pub mysql: String,
    /// All of SQLite's, one after the other.
    pub sqlite: Vec<String>,
    /// Which of these is answered with the references between tables, whose rows are counted.
    pub references: usize,
    /// How far they are counted.
    pub most: u64,
}

/// The script that node loads before drizzle-kit, and those that it loads: one for each kind of driver.
const SCRIPTS: [(&str, &str); 7] = [
    ("hook.cjs", include_str!("hook.cjs")),
    ("config1.cjs", include_str!("hook/config1.cjs")),
    ("mysql.cjs", include_str!("hook/mysql.cjs")),
    ("sqlite.cjs", include_str!("hook/sqlite.cjs")),
    ("libsql.cjs", include_str!("hook/libsql.cjs")),
    ("d1.cjs", include_str!("hook/d1.cjs")),
    ("pglite.cjs", include_str!("hook/pglite.cjs")),
];

/// A private directory with the hook and the pipes; gone when dropped.
#[derive(Debug)]
pub struct HookChannel {
    dir: tempfile::TempDir,
    /// Held open for both directions, so that neither side ever waits for the other to open.
    down: File,
}

impl HookChannel {
    /// Makes the directory (readable by us alone), the hook and the pipes. Returns the end to read from as well.
    ///
    /// # Errors
    /// When the temporary directory cannot be written.
    pub fn create() -> std::io::Result<(HookChannel, File)> {
        let dir = tempfile::Builder::new().prefix("drizzle-pilot-").tempdir()?;
        for (name, script) in SCRIPTS {
            std::fs::write(dir.path().join(name), script)?;
        }
        let open = |name: &str| -> std::io::Result<File> {
            let path = dir.path().join(name);
            mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
            let flags = OFlags::NONBLOCK.bits().cast_signed();
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
        };
        let up = open("up")?;
        let down = open("down")?;
        Ok((HookChannel { dir, down }, up))
    }

    /// Returns the path of the hook.
    pub fn hook(&self) -> PathBuf {
        self.dir.path().join("hook.cjs")
    }

    /// Returns the directory, for the hook to find the pipes.
    pub fn path(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// Lets drizzle-kit go on to its database.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn clear(&mut self, go: &Go) -> std::io::Result<()> {
        let env: serde_json::Map<String, serde_json::Value> =
            go.env.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
        let Questions { postgres, mysql, sqlite, references, most } = &go.questions;
        let reply = serde_json::json!({
            "env": env, "config": go.config, "hold": go.holds, "question": postgres, "mysqlQuestion": mysql,
            "catalog": sqlite, "references": references, "most": most, "bridge": go.bridge,
        });
        self.reply(&reply)
    }

    /// Lets a session begin, or says what becomes of a query.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn pass(&mut self, passage: &Passage) -> std::io::Result<()> {
        self.reply(&match passage {
            Passage::Sent => serde_json::json!({}),
            Passage::Instead(instead) => serde_json::json!({ "instead": instead }),
            Passage::Kept => serde_json::json!({ "kept": true }),
        })
    }

    /// Leaves a file for drizzle-kit to read before it reads its config; it is gone afterwards.
    ///
    /// # Errors
    /// As `write(2)`.
    pub fn leave(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.dir.path().join(name);
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Ends drizzle-kit before it does what it waits with.
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
