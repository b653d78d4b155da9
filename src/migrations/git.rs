//! Asks git what a migrations folder is in the index, and what it was in another commit. Starts git itself, and no shell.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::files;
use crate::migrations::folder::{self, Folder, FolderError};

/// Why git did not tell.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("git is not installed, or not in PATH")]
    NotFound,
    #[error("starting git")]
    Start(#[source] std::io::Error),
    /// git's own last words.
    #[error("git {command}: {message}")]
    Failed { command: &'static str, message: String },
    #[error(transparent)]
    Folder(#[from] FolderError),
}

/// What a folder was where a branch left another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Since {
    /// The names of the files that were there.
    pub old: BTreeSet<String>,
    /// Those of them whose content is another now.
    pub edited: BTreeSet<String>,
}

/// What a folder is in the index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    pub folder: Folder,
    /// The names of the files that the next commit adds or changes.
    pub changed: BTreeSet<String>,
}

/// The git program, and the folder that it is asked about.
#[derive(Debug)]
pub struct Git<'a> {
    program: PathBuf,
    folder: &'a Path,
}

impl<'a> Git<'a> {
    /// Finds git.
    ///
    /// # Errors
    /// Returns an error where there is none, and where the folder is not there.
    pub fn of(folder: &'a Path) -> Result<Git<'a>, GitError> {
        if !folder.is_dir() {
            return Err(FolderError::Missing(folder.to_owned()).into());
        }
        let program = which::which("git").map_err(|_| GitError::NotFound)?;
        Ok(Git { program, folder })
    }

    /// Returns what the folder was where HEAD left the history of another commit.
    ///
    /// # Errors
    /// Returns an error where git does not know the commit, or no common one.
    pub fn since(&self, reference: &str) -> Result<Since, GitError> {
        // What begins with a dash would be an option.
        let commit = format!("{reference}^{{commit}}");
        let commit = self.line("rev-parse", &["--verify", "--end-of-options", &commit])?;
        let base = self.line("merge-base", &[&commit, "HEAD"])?;
        let old = self.names("ls-tree", &["-r", "-z", "--name-only", &base, "--", "."])?;
        // A checkout with other line ends is no edit: git shows no line of it.
        let lines = ["--numstat", "--ignore-cr-at-eol", "-z", "--relative", "--no-renames", "--diff-filter=M"];
        let counted = self.names("diff", &[&lines[..], &[&base, "--", "."]].concat())?;
        let edited = counted.iter().filter_map(|line| line.splitn(3, '\t').nth(2)).map(str::to_owned).collect();
        Ok(Since { old, edited })
    }

    /// Returns what the folder is in the index.
    ///
    /// # Errors
    /// Returns an error where the folder is in no repository.
    pub fn staged(&self) -> Result<Staged, GitError> {
        let listed = self.ask("ls-files", &["--stage", "-z", "--", "."], &[])?;
        let added = ["--cached", "--name-only", "-z", "--relative", "--no-renames", "--diff-filter=AM", "--", "."];
        let changed = self.names("diff", &added)?;
        // What is in the index as it is on the disk is read from there, which is faster than from git's packs.
        let differing = self.names("diff-files", &["--name-only", "-z", "--relative", "--", "."])?;
        let mut contents: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let mut from_index: Vec<(String, String)> = Vec::new();
        let mut newer = BTreeSet::new();
        for line in listed.split(|&byte| byte == 0).filter(|line| !line.is_empty()) {
            // `100644 <hash> <stage>\t<name>`
            let line = String::from_utf8_lossy(line);
            let Some((about, name)) = line.split_once('\t') else { continue };
            if let Some((migration, folder::MIGRATION)) = name.split_once('/') {
                newer.insert(migration.to_owned());
            }
            if !folder::is_sql(name) && !folder::is_meta(name) {
                continue;
            }
            match (differing.contains(name), files::read(&self.folder.join(name), files::CODE)) {
                (false, Ok(content)) => drop(contents.insert(name.to_owned(), content)),
                _ => from_index.push((name.to_owned(), about.split(' ').nth(1).unwrap_or_default().to_owned())),
            }
        }
        // So many names fit into a pipe: git may wait with its answer until all are written.
        for wanted in from_index.chunks(500) {
            self.read_objects(wanted, &mut contents)?;
        }
        let folder = Folder::of(self.folder, contents, newer.into_iter().collect())?;
        Ok(Staged { folder, changed })
    }

    /// Reads what the index has otherwise than the disk.
    fn read_objects(
        &self,
        wanted: &[(String, String)],
        contents: &mut BTreeMap<String, Vec<u8>>,
    ) -> Result<(), GitError> {
        let hashes: String = wanted.iter().map(|(_, hash)| format!("{hash}\n")).collect();
        let output = self.ask("cat-file", &["--batch"], hashes.as_bytes())?;
        let mut rest = output.as_slice();
        for (name, _) in wanted {
            let failed = || GitError::Failed { command: "cat-file", message: format!("{name} is not in the index") };
            // `<hash> blob <size>\n<content>\n`
            let end = rest.iter().position(|&byte| byte == b'\n').ok_or_else(failed)?;
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            let size: usize = head.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(failed)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(failed)?;
            contents.insert(name.clone(), content.to_vec());
            rest = rest.get(end + 2 + size..).unwrap_or_default();
        }
        Ok(())
    }

    /// Returns the files below the folder that differ from what was committed last, seen from the root of the repository.
    ///
    /// # Errors
    /// Returns an error where the folder is in no repository.
    pub fn uncommitted(&self) -> Result<BTreeSet<String>, GitError> {
        let listed =
            self.names("status", &["--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", "."])?;
        // `XY name`
        Ok(listed.into_iter().filter_map(|line| line.get(3..).map(str::to_owned)).collect())
    }

    fn line(&self, command: &'static str, args: &[&str]) -> Result<String, GitError> {
        let output = self.ask(command, args, &[])?;
        match String::from_utf8_lossy(&output).trim() {
            "" => Err(GitError::Failed { command, message: "it printed nothing".to_owned() }),
            line => Ok(line.to_owned()),
        }
    }

    fn names(&self, command: &'static str, args: &[&str]) -> Result<BTreeSet<String>, GitError> {
        let output = self.ask(command, args, &[])?;
        let names = output.split(|&byte| byte == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| String::from_utf8_lossy(name).into_owned()).collect())
    }

    fn ask(&self, command: &'static str, args: &[&str], input: &[u8]) -> Result<Vec<u8>, GitError> {
        let mut child = Command::new(&self.program)
            .arg("-C")
            .arg(self.folder)
            .arg(command)
            .args(args)
            // A hook must not wait for a lock that the commit around it holds.
            .env("GIT_OPTIONAL_LOCKS", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(GitError::Start)?;
        let mut stdin = child.stdin.take().expect("it was asked for");
        let written = stdin.write_all(input);
        drop(stdin);
        let output = child.wait_with_output().map_err(GitError::Start)?;
        if output.status.success() {
            written.map_err(GitError::Start)?;
            return Ok(output.stdout);
        }
        let words = String::from_utf8_lossy(&output.stderr);
        let message = words.trim().lines().next().unwrap_or("it failed").trim_start_matches("fatal: ").to_owned();
        Err(GitError::Failed { command, message })
    }
}
