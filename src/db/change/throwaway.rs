//! A PostgreSQL server of our own: made for one look, reached through a socket in its folder, and gone afterwards.
//!
//! Roles and other databases are nobody's on it. It protects the databases of others, and not the machine that it runs on.

pub(in crate::db) mod binaries;
mod folder;

use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use tokio::net::unix::pipe;

pub use binaries::Binaries;
use binaries::{User, server_user};
use folder::Folder;
pub use folder::sweep;

use crate::db::connection::conversation::{Patience, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, at};
use crate::term::reaper;

/// A server that runs until the value is dropped, or until we are gone.
pub struct Throwaway {
    dsn: Dsn,
    // Dropped in this order: the server ends before its folder is removed.
    _server: Process,
    _folder: Folder,
}

/// What a server of ours is like: it has little to do, and nothing to keep.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "port=5432",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "autovacuum=off",
    // In the folder, which goes.
    "dynamic_shared_memory_type=mmap",
    "max_connections=20",
    "shared_buffers=16MB",
    "logging_collector=off",
    "log_destination=stderr",
    // Nobody reads on once it is ready.
    "log_min_messages=log",
    "log_checkpoints=off",
    "log_min_error_statement=panic",
];

/// What a server says once it can be used.
const READY: &str = "database system is ready to accept connections";

impl Throwaway {
    /// Makes and starts one, whose superuser has this name. Must not be called from asynchronous code.
    ///
    /// # Errors
    /// Where the programs fail, or a signal or the deadline ends it.
    #[tracing::instrument(name = "throwaway", skip_all)]
    pub fn start(binaries: &Binaries, superuser: &str, deadline: Duration) -> Result<Throwaway, ConnectError> {
        // Names of this form are PostgreSQL's own.
        let superuser = if superuser.starts_with("pg_") { "postgres" } else { superuser };
        let user = server_user();
        let prepared = prepare(user).map_err(|error| failed(&nowhere(), &error.to_string()))?;
        let (folder, password) = prepared;
        let path = folder.path();
        let credentials = json!({
            "host": path, "port": 5432, "user": superuser, "password": password, "database": "template1", "ssl": false
        });
        let dsn = Dsn::from_parts(&credentials, &|_| None).map_err(|error| failed(&nowhere(), &error.to_string()))?;
        let server = within(&dsn, deadline, async |_: Patience| {
            let told = |error: io::Error| failed(&dsn, &error.to_string());
            let pwfile = path.join("password");
            let mut initdb = Process::start(&binaries.program("initdb"), path, user, |command| {
                command.arg("--pgdata").arg(path.join("data")).arg("--pwfile").arg(&pwfile);
                command.args(["--username", superuser, "--auth=scram-sha-256"]);
                command.args(["--encoding=UTF8", "--locale=C", "--no-sync"]);
            })
            .map_err(told)?;
            let said = initdb.read_until(None).await.map_err(told)?;
            if !initdb.child.wait().is_ok_and(|status| status.success()) {
                return Err(failed(&dsn, &format!("initdb: {}", last_line(&said))));
            }
            std::fs::remove_file(&pwfile).map_err(told)?;
            let mut server = Process::start(&binaries.program("postgres"), path, user, |command| {
                command.arg("-D").arg(path.join("data")).arg("-k").arg(path);
                command.args(SETTINGS.iter().flat_map(|setting| ["-c", setting]));
            })
            .map_err(told)?;
            let said = server.read_until(Some(READY)).await.map_err(told)?;
            if !said.contains(READY) {
                return Err(failed(&dsn, &format!("postgres: {}", last_line(&said))));
            }
            server.data = Some(path.join("data"));
            Ok(server)
        })?;
        Ok(Throwaway { dsn, _server: server, _folder: folder })
    }

    /// Returns the way to it, as its superuser.
    pub fn dsn(&self) -> &Dsn {
        &self.dsn
    }
}

/// Makes the folder and a password, and gives both to the user that the server runs as.
fn prepare(user: Option<User>) -> io::Result<(Folder, String)> {
    let mut random = [0; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let password: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let folder = Folder::make()?;
    let file = folder.path().join("password");
    std::fs::write(&file, &password)?;
    if let Some(User { uid, gid }) = user {
        std::os::unix::fs::chown(&file, Some(uid), Some(gid))?;
        std::os::unix::fs::chown(folder.path(), Some(uid), Some(gid))?;
    }
    Ok((folder, password))
}

/// A program under the reaper, which ends it when we are gone.
struct Process {
    child: Child,
    output: pipe::Receiver,
    /// The data folder of a server that is up.
    data: Option<std::path::PathBuf>,
}

impl Process {
    /// Starts a program in a folder, as a user. Needs a runtime.
    fn start(
        program: &Path,
        folder: &Path,
        user: Option<User>,
        arguments: impl FnOnce(&mut Command),
    ) -> io::Result<Process> {
        let (read, write) = io::pipe()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(reaper::arguments_as(program, user.map(|User { uid, gid }| (uid, gid))));
        arguments(&mut command);
        command.env_clear().env("LC_ALL", "C").current_dir(folder);
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        // A group of its own: Ctrl-C is for us, and we end it.
        command.process_group(0).stdin(Stdio::null()).stdout(write.try_clone()?).stderr(write);
        let child = command.spawn()?;
        drop(command);
        Ok(Process { child, output: pipe::Receiver::from_owned_fd(OwnedFd::from(read))?, data: None })
    }

    /// Reads what it prints, up to a text or to the end.
    async fn read_until(&mut self, text: Option<&str>) -> io::Result<String> {
        let (mut said, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            self.output.readable().await?;
            match self.output.try_read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => said.extend_from_slice(&buffer[..n]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Err(error) => return Err(error),
            }
            if text.is_some_and(|text| String::from_utf8_lossy(&said).contains(text)) {
                break;
            }
        }
        Ok(String::from_utf8_lossy(&said).into_owned())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(data) = &self.data {
            folder::end_server(data);
        }
        // The reaper ends what is left, and then itself.
        if let (Ok(None), Some(reaper)) = (self.child.try_wait(), Pid::from_raw(self.child.id().cast_signed())) {
            let _ = kill_process(reaper, Signal::TERM);
        }
        let _ = self.child.wait();
    }
}

fn failed(dsn: &Dsn, reason: &str) -> ConnectError {
    ConnectError::Unreachable { at: at(dsn), reason: reason.to_owned() }
}

/// Returns the address of a server that has none yet.
fn nowhere() -> Dsn {
    let credentials = json!({ "host": "localhost", "user": "postgres", "database": "template1", "ssl": false });
    Dsn::from_parts(&credentials, &|_| None).expect("these are good parts")
}

fn last_line(said: &str) -> &str {
    said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it ended without a word")
}
