//! Reads the files that a user names or keeps in a project: never more of one than it may hold, and never as if one that
//! cannot be read were not there. And writes them anew.

mod error;

use std::fs::{self, File};
use std::io::{self, BufRead, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

pub use error::ReadError;

/// The most that a file of settings may hold: a policy, a `.env` file, a `package.json`.
pub const SETTINGS: u64 = 1 << 20;
/// The most that a file of a project's code may hold: SQL, a schema, a snapshot, a plan.
pub const CODE: u64 = 64 << 20;
/// The most that is read of a pipe or a device.
const UNSIZED: u64 = 16 << 20;

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

/// Tells whether there is a file of this name that can be opened.
///
/// # Errors
/// When there is something of this name that is no such file.
pub fn is_readable(path: &Path) -> Result<bool, ReadError> {
    if !is_there(path)? {
        return Ok(false);
    }
    // Opening a pipe would wait for whoever writes into it.
    match fs::metadata(path) {
        Ok(found) if !found.is_file() && !found.is_dir() => Ok(true),
        _ => open(path).map(|_| true),
    }
}

/// Reads a file whole, if it holds no more than `limit` bytes.
///
/// # Errors
/// When it is not there, cannot be read, or holds more.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    let file = open(path)?;
    // Only a file on a disk says beforehand how much it holds.
    let found = file.metadata()?;
    let limit = if found.is_file() { limit } else { limit.min(UNSIZED) };
    if found.is_file() && found.len() > limit {
        return Err(ReadError::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

fn open(path: &Path) -> Result<File, ReadError> {
    let file = File::open(path).map_err(|error| match fs::read_link(path) {
        Ok(to) if error.kind() == io::ErrorKind::NotFound => ReadError::Dangling { to },
        _ => ReadError::Io(error),
    })?;
    if file.metadata()?.is_dir() { Err(ReadError::Folder) } else { Ok(file) }
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

/// Writes a file anew, whole or not at all: the one that a link leads to, with the rights that it has.
///
/// # Errors
/// When the file, or one beside it, cannot be written.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let beside = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(beside)?;
    fs::write(file.path(), text)?;
    let rights = match fs::metadata(&path) {
        Ok(before) => before.permissions(),
        // As any file that a program writes.
        Err(_) => fs::Permissions::from_mode(0o644),
    };
    fs::set_permissions(file.path(), rights)?;
    file.persist(&path)?;
    Ok(())
}

/// The most that a recording may hold, and one of its lines.
const RECORDING: u64 = 1 << 30;
const LINE: u64 = 16 << 20;

/// Reads the lines of a recording as they come, and fails where it is longer than a recording can be, or one of its lines.
#[derive(Debug)]
pub struct Recording<R> {
    from: R,
    n_read: u64,
    /// Since the last end of a line.
    n_of_line: u64,
}

impl<R: BufRead> Recording<R> {
    /// Reads from there.
    pub fn new(from: R) -> Recording<R> {
        Recording { from, n_read: 0, n_of_line: 0 }
    }
}

impl<R: BufRead> Read for Recording<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let n = piece.len().min(into.len());
        into[..n].copy_from_slice(&piece[..n]);
        self.consume(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Recording<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let piece = self.from.fill_buf()?;
        match (self.n_read, self.n_of_line) {
            (n_read, _) if n_read > RECORDING => Err(io::Error::other(ReadError::TooLarge { limit: RECORDING })),
            (_, n_of_line) if n_of_line > LINE => Err(io::Error::other(ReadError::LongLine { limit: LINE })),
            _ => Ok(piece),
        }
    }

    fn consume(&mut self, n: usize) {
        // What is there already is returned again, and nothing is read.
        if let Ok(piece) = self.from.fill_buf() {
            let after_line = piece.iter().take(n).rev().position(|byte| *byte == b'\n');
            self.n_of_line = after_line.map_or(self.n_of_line + n as u64, |n| n as u64);
        }
        self.n_read += n as u64;
        self.from.consume(n);
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
        let is_opened = is_readable(path).is_ok_and(|is_readable| is_readable);
        assert_eq!(is_opened, expected.contains("larger"));
        for error in outcomes {
            assert_eq!(error.expect("it cannot be read").to_string(), expected);
        }
    }

    #[test]
    fn a_file_that_is_written_anew_stays_where_it_is_with_its_rights() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = |name: &str| folder.path().join(name);
        fs::write(path("policy"), "old").expect("the folder is ours");
        fs::set_permissions(path("policy"), fs::Permissions::from_mode(0o600)).expect("the folder is ours");
        symlink("policy", path("link")).expect("the folder is ours");
        replace(&path("link"), "new").expect("the folder is ours");
        assert_eq!(fs::read_to_string(path("policy")).expect("it is there"), "new");
        assert_eq!(fs::read_link(path("link")).expect("it is a link still"), Path::new("policy"));
        assert_eq!(fs::metadata(path("policy")).expect("it is there").permissions().mode() & 0o777, 0o600);
        replace(&path("other"), "new").expect("the folder is ours");
        assert_eq!(fs::metadata(path("other")).expect("it is there").permissions().mode() & 0o777, 0o644);
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
    fn a_recording_without_an_end_ends() {
        let said = |from: Box<dyn Read>| {
            let lines = Recording::new(io::BufReader::new(from)).lines();
            lines.map(|line| line.map(|_| ())).find_map(Result::err).map(|error| error.to_string())
        };
        assert_eq!(said(Box::new(io::repeat(0))).as_deref(), Some("it has a line of more than 16 MiB"));
        assert_eq!(said(Box::new(io::repeat(b'\n').take(1 << 21))), None);
        let line = || io::Cursor::new([vec![b'a'; 9 << 20], vec![b'\n']].concat());
        assert_eq!(said(Box::new(line().chain(line()))), None);
        assert_eq!(ReadError::TooLarge { limit: RECORDING }.to_string(), "it is larger than 1 GiB");
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_its_absence_is_none() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let file = folder.path().join("file");
        assert_eq!(text_if_there(&file, 4).expect("nothing is there"), None);
        assert!(!is_readable(&file).expect("nothing is there"));
        fs::write(&file, "1234").expect("the folder is ours");
        assert_eq!(text(&file, 4).expect("it is short enough"), "1234");
        assert!(is_readable(&file).expect("it is there"));
        // A folder that is a file has nothing in it.
        assert_eq!(read_if_there(&file.join("below"), 4).expect("nothing is there"), None);
    }
}
