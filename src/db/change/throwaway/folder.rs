//! The folder of a throwaway server: whose it is, and what becomes of it when its run is gone.
//!
//! A run holds a lock on the folder itself for as long as it lives. Whoever gets that lock knows that nobody needs the folder.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::db::change::throwaway::binaries::server_user;

/// What the folders are called, with something random behind it.
const PREFIX: &str = "drizzle-pilot-scratch-";

/// The longest path of a unix socket is 107 bytes, and its own name takes some of them.
const LONGEST: usize = 80;

/// A killed server has ended.
const ENDED: Duration = Duration::from_secs(5);

/// A folder that is removed with the value.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes one, where the path of a socket in it is not too long.
    pub(super) fn make() -> io::Result<Folder> {
        let parents = parents();
        let is_short = |parent: &&PathBuf| parent.as_os_str().len() + PREFIX.len() < LONGEST;
        let parent = parents.iter().filter(is_short).find(|parent| server_user().is_none() || is_open(parent));
        let parent =
            parent.ok_or_else(|| io::Error::other("no temporary folder is short enough and open to a server"))?;
        loop {
            let path = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?.keep();
            // Somebody who looks for leftovers may have been faster with the lock.
            if let Some(lock) = lock(&path)
                && path.is_dir()
            {
                return Ok(Folder { path, _lock: lock });
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.path) {
            tracing::warn!(folder = %self.path.display(), %error, "the folder of a scratch server stays");
        }
    }
}

/// Ends the servers and removes the folders that killed runs of the same user left behind, and returns the paths.
pub fn sweep() -> Vec<PathBuf> {
    let owner =
        |uid: u32| uid == rustix::process::geteuid().as_raw() || server_user().is_some_and(|user| user.uid == uid);
    let mut removed = Vec::new();
    for entry in parents().iter().filter_map(|parent| parent.read_dir().ok()).flatten().flatten() {
        let path = entry.path();
        let is_one = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX))
            && path.symlink_metadata().is_ok_and(|found| found.is_dir() && owner(found.uid()));
        let Some(_lock) = is_one.then(|| lock(&path)).flatten() else { continue };
        end_server(&path.join("data"));
        if std::fs::remove_dir_all(&path).is_ok() {
            removed.push(path);
        }
    }
    removed
}

/// Returns where the folders are made: a socket has a short path in one of these.
fn parents() -> Vec<PathBuf> {
    let mut parents = vec![std::env::temp_dir()];
    for usual in ["/tmp", "/var/tmp"].map(PathBuf::from) {
        if !parents.contains(&usual) {
            parents.push(usual);
        }
    }
    parents
}

/// Tells whether every user gets to what is in a folder.
fn is_open(folder: &Path) -> bool {
    folder.ancestors().all(|folder| folder.metadata().is_ok_and(|found| found.mode() & 0o001 != 0))
}

fn lock(path: &Path) -> Option<File> {
    let folder = File::open(path).ok()?;
    flock(&folder, FlockOperation::NonBlockingLockExclusive).ok()?;
    Some(folder)
}

/// Ends the server of a data folder at once, where one runs.
pub(super) fn end_server(data: &Path) {
    let Some(server) = server_of(data).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    // An immediate shutdown: what is in the folder is not needed any more.
    for signal in [Signal::QUIT, Signal::KILL] {
        if pidfd_send_signal(&server, signal).is_err() {
            return;
        }
        let timeout = Timespec::try_from(ENDED).ok();
        if poll(&mut [PollFd::new(&server, PollFlags::IN)], timeout.as_ref()).is_ok_and(|n| n > 0) {
            return;
        }
    }
}

/// Returns the server that works in a data folder. A file may name anybody: the server is the process that is there.
fn server_of(data: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = text.lines().next()?.trim().parse().ok()?;
    let works_in = std::fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
    (works_in == data.canonicalize().ok()?).then(|| Pid::from_raw(pid)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_in_use_stays_and_one_that_nobody_holds_goes() {
        let used = Folder::make().expect("there is a temporary folder");
        let parent = used.path().parent().expect("it is in one");
        let left = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent).expect("it is writable").keep();
        assert!(!sweep().contains(&used.path().to_owned()));
        assert!(used.path().is_dir() && !left.exists());
        let path = used.path().to_owned();
        drop(used);
        assert!(!path.exists());
    }
}
