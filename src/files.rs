//! Reads the files that a user names or keeps in a project: never more of one than it may hold, and never as if one that
//! cannot be read were not there.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The most that a file of settings may hold: a policy, a `.env` file, a `package.json`.
pub const SETTINGS: u64 = 1 << 20;
/// The most that a file of a project's code may hold: SQL, a schema, a snapshot, a plan.
pub const CODE: u64 = 64 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("it is a folder")]
    Folder,
    #[error("it is a link to {}, which does not exist", to.display())]
    Dangling { to: PathBuf },
    #[error("it is larger than {}", size(*limit))]
    TooLarge { limit: u64 },
    #[error("it is not UTF-8 text")]
    NotText,
}

/// Tells whether there is anything of this name, be it a link that leads nowhere.
///
/// # Errors
/// When that cannot be known, as in a folder that must not be looked into.
pub fn is_there(path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Reads a file whole, if it holds no more than `limit` bytes.
///
/// # Errors
/// When it is not there, cannot be read, or holds more.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = File::open(path).map_err(|error| match fs::read_link(path) {
        Ok(to) if error.kind() == io::ErrorKind::NotFound => ReadError::Dangling { to },
        _ => ReadError::Io(error),
    })?;
    if file.metadata()?.is_dir() {
        return Err(ReadError::Folder);
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

/// Reads a file as [`read`] does, if there is anything of this name.
///
/// # Errors
/// As [`read`], but for a file that is not there.
pub fn read_if_there(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, ReadError> {
    if is_there(path)? { read(path, limit).map(Some) } else { Ok(None) }
}

/// Reads a file of UTF-8 text as [`read`] does.
///
/// # Errors
/// As [`read`], and when it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> Result<String, ReadError> {
    String::from_utf8(read(path, limit)?).map_err(|_| ReadError::NotText)
}

/// Reads a file of UTF-8 text as [`text`] does, if there is anything of this name.
///
/// # Errors
/// As [`text`], but for a file that is not there.
pub fn text_if_there(path: &Path, limit: u64) -> Result<Option<String>, ReadError> {
    if is_there(path)? { text(path, limit).map(Some) } else { Ok(None) }
}

/// Says a limit in words.
fn size(n_bytes: u64) -> String {
    match n_bytes {
        n if n % (1 << 20) == 0 => format!("{} MiB", n >> 20),
        n if n % (1 << 10) == 0 => format!("{} KiB", n >> 10),
        n => format!("{n} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Checks what is said of a file that is there and is not read, alone and where its absence would be fine.
    #[track_caller]
    fn check(path: &Path, expected: &str) {
        let outcomes =
            [read(path, 4).err(), read_if_there(path, 4).err(), text(path, 4).err(), text_if_there(path, 4).err()];
        for error in outcomes {
            assert_eq!(error.expect("it cannot be read").to_string(), expected);
        }
    }

    #[test]
    fn what_is_there_and_cannot_be_read_is_an_error() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = |name: &str| folder.path().join(name);
        check(folder.path(), "it is a folder");
        symlink("/nonexistent/policy.toml", path("dangling")).expect("the folder is ours");
        check(&path("dangling"), "it is a link to /nonexistent/policy.toml, which does not exist");
        symlink("loop", path("loop")).expect("the folder is ours");
        check(&path("loop"), "Too many levels of symbolic links (os error 40)");
        fs::write(path("long"), "12345").expect("the folder is ours");
        check(&path("long"), "it is larger than 4 bytes");
        check(Path::new("/dev/zero"), "it is larger than 4 bytes");
        fs::write(path("latin"), b"\xe4").expect("the folder is ours");
        assert_eq!(text(&path("latin"), 4).expect_err("it is not UTF-8").to_string(), "it is not UTF-8 text");
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_its_absence_is_none() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let file = folder.path().join("file");
        assert_eq!(text_if_there(&file, 4).expect("nothing is there"), None);
        fs::write(&file, "1234").expect("the folder is ours");
        assert_eq!(text(&file, 4).expect("it is short enough"), "1234");
        // A folder that is a file has nothing in it.
        assert_eq!(read_if_there(&file.join("below"), 4).expect("nothing is there"), None);
    }
}
