//! Reads a migrations folder once, into one plain value that everything else computes from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::files::ReadError;
use crate::migrations::finding::Position;
use crate::migrations::journal_file::{self, Entry, Journal, JournalFile};
use crate::migrations::snapshot::{self, Snapshot};

/// Where the journal is, below the folder.
pub const JOURNAL: &str = "meta/_journal.json";
/// The end of the names of snapshots, below `meta`.
const SNAPSHOT: &str = "_snapshot.json";
/// The file in each folder of a migration, from drizzle-kit 1.0 on.
pub(super) const MIGRATION: &str = "migration.sql";

/// A migrations folder, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    pub path: PathBuf,
    pub journal: JournalFile,
    /// Every SQL file in the folder itself, whether the journal lists it or not, by its name.
    pub files: Vec<SqlFile>,
    /// Every snapshot in `meta`, by its name.
    pub snapshots: Vec<Snapshot>,
    /// The names of the folders that drizzle-kit 1.0 wrote beside the journal.
    pub newer: Vec<String>,
}

/// A SQL file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlFile {
    /// `0000_init.sql`.
    pub name: String,
    /// What drizzle reads: an invalid byte stands in it as U+FFFD.
    pub text: String,
    /// SHA-256 of the text, in hexadecimal, as drizzle's migrator writes it into the migrations table.
    pub hash: String,
}

/// Why a migrations folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    #[error("there is no migrations folder {}", .0.display())]
    Missing(PathBuf),
    #[error("reading {}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
    /// Migrations of drizzle-kit 1.0 and no journal.
    #[error("{} is a migrations folder of drizzle-kit 1.0 ({example}/{MIGRATION}), which is not supported yet", path.display())]
    Newer { path: PathBuf, example: String },
    #[error("there is no journal {}", .0.display())]
    NoJournal(PathBuf),
    #[error("{}:{}:{}: git left conflict markers in the journal", path.display(), at.line, at.column)]
    Conflicted { path: PathBuf, at: Position },
    #[error("{}:{}:{}: the journal cannot be read: {message}", path.display(), at.line, at.column)]
    Broken { path: PathBuf, at: Position, message: String },
}

impl FolderError {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            FolderError::Missing(_) | FolderError::NoJournal(_) => {
                Some("--migrations DIR specifies the folder; `drizzle-kit generate` creates one")
            }
            FolderError::Conflicted { .. } => {
                Some("keep the entries of both sides, each with its own idx and `when`, in the order of `when`")
            }
            FolderError::Newer { .. } => Some("use drizzle-kit 1.0 directly: npx drizzle-kit migrate"),
            FolderError::Broken { .. } => Some("correct it there, or restore the journal from an earlier commit"),
            FolderError::Unreadable { .. } => None,
        }
    }
}

impl Folder {
    /// Makes the value of the contents of a folder, named by their paths in it.
    ///
    /// # Errors
    ///
    /// Returns an error where the folder is one of drizzle-kit 1.0.
    pub fn of(path: &Path, contents: BTreeMap<String, Vec<u8>>, mut newer: Vec<String>) -> Result<Folder, FolderError> {
        let mut folder = Folder {
            path: path.to_owned(),
            journal: JournalFile::Missing,
            files: Vec::new(),
            snapshots: Vec::new(),
            newer: Vec::new(),
        };
        for (name, content) in contents {
            let text = text(content);
            if name == JOURNAL {
                folder.journal = journal_file::read(text);
            } else if let Some(snapshot) = name.strip_prefix("meta/") {
                folder.snapshots.push(snapshot::read(snapshot.to_owned(), &text));
            } else {
                let hash = hash(&text);
                folder.files.push(SqlFile { name, text, hash });
            }
        }
        newer.sort();
        match (&folder.journal, newer.first()) {
            (JournalFile::Missing, Some(example)) => {
                Err(FolderError::Newer { path: path.to_owned(), example: example.clone() })
            }
            _ => Ok(Folder { newer, ..folder }),
        }
    }

    /// Returns the journal.
    ///
    /// # Errors
    ///
    /// Returns an error where there is none, or none that can be read.
    pub fn journal(&self) -> Result<&Journal, FolderError> {
        let path = self.journal_path();
        match &self.journal {
            JournalFile::Read(journal) => Ok(journal),
            JournalFile::Missing => Err(FolderError::NoJournal(path)),
            JournalFile::Conflicted { at, .. } => Err(FolderError::Conflicted { path, at: *at }),
            JournalFile::Broken { at, message, .. } => {
                Err(FolderError::Broken { path, at: *at, message: message.clone() })
            }
        }
    }

    /// Returns the path of the journal.
    pub fn journal_path(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }

    /// Returns the snapshot of what is there before a migration: that of the last one before it that has one.
    pub fn snapshot_before(&self, file: &SqlFile) -> Option<&Snapshot> {
        let entries = &self.journal().ok()?.entries;
        let idx = entries.iter().position(|entry| entry.tag == file.tag())?;
        entries[..idx].iter().rev().find_map(|entry| self.snapshot(entry))
    }

    /// Returns the snapshot of an entry of the journal.
    pub fn snapshot(&self, entry: &Entry) -> Option<&Snapshot> {
        let names = entry.snapshot_names();
        self.snapshots.iter().find(|snapshot| names.contains(&snapshot.name))
    }

    /// Returns the file of an entry of the journal.
    pub fn file(&self, entry: &Entry) -> Option<&SqlFile> {
        self.files.iter().find(|file| file.tag() == entry.tag)
    }
}

impl SqlFile {
    /// Returns the name by which the journal lists the file.
    pub fn tag(&self) -> &str {
        self.name.strip_suffix(".sql").unwrap_or(&self.name)
    }

    /// Returns the hashes that the file has with the line ends of every system: a checkout may change them (git's
    /// `core.autocrlf`), and the server reads the same.
    pub fn hashes(&self) -> Vec<String> {
        if !self.text.contains('\n') {
            return vec![self.hash.clone()];
        }
        let unix = self.text.replace("\r\n", "\n");
        let windows = unix.replace('\n', "\r\n");
        let mut hashes = vec![self.hash.clone(), hash(&unix), hash(&windows)];
        hashes.dedup();
        hashes
    }
}

/// Tells whether a file in the folder itself is a migration.
pub fn is_sql(name: &str) -> bool {
    name.ends_with(".sql") && !name.contains('/')
}

/// Tells whether a file, by its path in the folder, is the journal or a snapshot.
pub fn is_meta(name: &str) -> bool {
    name == JOURNAL || name.strip_prefix("meta/").is_some_and(|name| name.ends_with(SNAPSHOT) && !name.contains('/'))
}

/// Returns the text that node reads (`readFileSync(…).toString()`, drizzle-orm's migrator): U+FFFD stands for what is no
/// UTF-8, and a byte order mark and every line end stay.
fn text(content: Vec<u8>) -> String {
    String::from_utf8(content).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn hash(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::disk;

    fn of(contents: &[(&str, &[u8])], newer: &[&str]) -> Result<Folder, FolderError> {
        let contents = contents.iter().map(|(name, content)| ((*name).to_owned(), content.to_vec())).collect();
        Folder::of(Path::new("drizzle"), contents, newer.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_hash_is_that_of_what_node_reads() {
        // node: createHash('sha256').update(readFileSync(file).toString()).digest('hex')
        let check = |content: &[u8], expected: &str| {
            let folder = of(&[("0000_a.sql", content)], &[]).expect("the folder can be read");
            assert_eq!(folder.files[0].hash, expected, "{content:?}");
        };
        check(b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check(b"SELECT 1;", "17db4fd369edb9244b9f91d9aeed145c3d04ad8ba6e95d06247f07a63527d11a");
        check(b"\xef\xbb\xbfSELECT 1;\r\n", "1ffc3c6acdbb610bcc942c606c787270e7c9d149c473e9d9aaa4fe597d5e402d");
        check(b"a\xffb", "05087813392efc16fe8ff448920c6328e53af865df39419436659d9ffda90f7b");
        check(b"\xe2\x82 \xf0\x9f\x98", "7336d936651e83126f069a51d0984af4a57e09dddd2d9d720acdab2e17e1c600");
        check(b"\xed\xa0\x80 \xc0\xaf", "ffd81c96da5d4354da6fa4979c66c6c4777991d667341b7b19e799208b20c754");
        check(b"\xf4\x90\x80\x80", "c22917d19a6656769f72fb7090d6590cb857aa735ef9e646a4ef15d78e7d2317");
    }

    #[test]
    fn a_file_has_the_hashes_of_every_line_end() {
        let hashes = |content: &[u8]| of(&[("0000_a.sql", content)], &[]).expect("it can be read").files[0].hashes();
        let (unix, windows) = (hashes(b"SELECT 1;\nSELECT 2;\n"), hashes(b"SELECT 1;\r\nSELECT 2;\r\n"));
        assert!(unix.contains(&windows[0]) && windows.contains(&unix[0]));
        assert!(hashes(b"SELECT 1;\r\nSELECT 2;\n").contains(&unix[0]));
        assert!(!hashes(b"SELECT 1;\nSELECT 3;\n").contains(&unix[0]));
        assert_eq!(hashes(b"SELECT 1;").len(), 1);
    }

    #[test]
    fn a_journal_that_cannot_be_used_is_an_error_with_its_place() {
        let check = |journal: &str, expected: &str| {
            let folder = of(&[(JOURNAL, journal.as_bytes())], &[]).expect("the folder can be read");
            assert_eq!(folder.journal().expect_err("it cannot be used").to_string(), expected);
        };
        check("{\n", "drizzle/meta/_journal.json:2:1: the journal cannot be read: EOF while parsing an object");
        check("{\n<<<<<<< HEAD\n", "drizzle/meta/_journal.json:2:1: git left conflict markers in the journal");
        let none = of(&[], &[]).expect("the folder can be read").journal().expect_err("there is none").to_string();
        assert_eq!(none, "there is no journal drizzle/meta/_journal.json");
    }

    #[test]
    fn a_folder_of_drizzle_kit_1_is_named() {
        let error = of(&[], &["20250102000000_b", "20250101000000_a"]).expect_err("there is no journal").to_string();
        assert_eq!(
            error,
            "drizzle is a migrations folder of drizzle-kit 1.0 (20250101000000_a/migration.sql), which is not supported yet"
        );
        let both = of(&[(JOURNAL, b"{\"entries\":[]}")], &["20250101000000_a"]).expect("there is a journal");
        assert_eq!(both.newer, ["20250101000000_a"]);
    }

    #[test]
    fn what_is_read_is_the_folder_and_nothing_else() {
        let temporary = tempfile::tempdir().expect("there is a temporary folder");
        let path = temporary.path().join("drizzle");
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            std::fs::create_dir_all(file.parent().expect("it lies in the folder")).expect("the folder is ours");
            std::fs::write(file, text).expect("the folder is ours");
        };
        assert!(matches!(disk::read(&path), Err(FolderError::Missing(_))));
        let journal = r#"{"entries":[{"idx":0,"when":1,"tag":"0000_a","breakpoints":true}]}"#;
        write(JOURNAL, journal);
        write("0000_a.sql", "SELECT 1;");
        write("meta/0000_snapshot.json", r#"{"id":"a","prevId":"0"}"#);
        write("meta/notes.json", "no");
        write("schema.ts", "no");
        write("seed/0000_a.sql", "no");
        let folder = disk::read(&path).expect("the folder can be read");
        assert_eq!(folder.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["0000_a.sql"]);
        assert_eq!(folder.snapshots.len(), 1);
        assert_eq!(folder.newer, Vec::<String>::new());
        let entries = &folder.journal().expect("it can be read").entries;
        assert_eq!(folder.file(&entries[0]).map(|file| file.text.as_str()), Some("SELECT 1;"));
        write("20250101000000_x/migration.sql", "SELECT 1;");
        assert_eq!(disk::read(&path).expect("the folder can be read").newer, ["20250101000000_x"]);
        std::fs::remove_file(path.join(JOURNAL)).expect("the folder is ours");
        assert!(matches!(disk::read(&path), Err(FolderError::Newer { .. })));
    }
}
