//! Finds the policy file and reads it. Nothing else of the policy touches the disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::files::{self, ReadError};
use crate::policy::file::parse::parse;
use crate::policy::file::problem::Invalid;
use crate::policy::model::{FILE_NAME, Policies};

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file is there, or was named, and could not be read.
    #[error("reading the policy file {path}")]
    Read { path: String, source: ReadError },
    /// Somebody else may have put the file there.
    #[error("the policy file {path} is not used: {why}")]
    Foreign { path: String, why: &'static str },
    /// The file is not a policy. Shows every problem with its line.
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

impl PolicyError {
    /// Returns what to do about it, where the message does not say that by itself.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            PolicyError::Read { .. } => {
                Some("correct or remove the file: an unreadable policy is not treated as absent")
            }
            PolicyError::Foreign { .. } => {
                Some("put a policy into the project, or specify this one with --policy if it is intended")
            }
            PolicyError::Invalid(_) => None,
        }
    }
}

/// Loads the policy: the file that was named, else the one that [`find`] finds, else the built-in policy.
pub(crate) fn load(explicit: Option<&Path>, cwd: &Path) -> Result<Policies, PolicyError> {
    let Some((path, shown)) = locate(explicit, cwd)? else { return Ok(Policies::built_in()) };
    let text = files::text(&path, files::SETTINGS).map_err(|source| unread(&shown, source))?;
    Ok(parse(&shown, &text)?)
}

/// Returns the path of the policy file as one would type it in a directory: the file that was named, else the one
/// that is found from there upward.
///
/// # Errors
/// When it cannot be known whether there is one, or when it may be somebody else's.
pub(crate) fn find(explicit: Option<&Path>, cwd: &Path) -> Result<Option<PathBuf>, PolicyError> {
    Ok(locate(explicit, cwd)?.map(|(_, shown)| shown))
}

/// Returns the path of the policy file, and as one would type it.
fn locate(explicit: Option<&Path>, cwd: &Path) -> Result<Option<(PathBuf, PathBuf)>, PolicyError> {
    match explicit {
        Some(path) => Ok(Some((cwd.join(path), path.to_owned()))),
        None => upward(cwd, std::env::home_dir().as_deref()),
    }
}

fn unread(shown: &Path, source: ReadError) -> PolicyError {
    PolicyError::Read { path: shown.display().to_string(), source }
}

/// Finds the policy file from a project's folder upward: to the root of its repository, or where there is none, to the home
/// directory, and no further than the folders that nobody else may write.
///
/// Above the project a file counts only if it belongs to us, to root, or to whom the project belongs, who has us run his
/// config anyway. Where somebody else's is found, nothing is guessed.
fn upward(cwd: &Path, home: Option<&Path>) -> Result<Option<(PathBuf, PathBuf)>, PolicyError> {
    let absolute = std::path::absolute(cwd).map_err(|error| unread(cwd, error.into()))?;
    let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
    let trusted = [Some(rustix::process::geteuid().as_raw()), Some(0), owner(&absolute)];
    let is_trusted = |found: u32| trusted.contains(&Some(found));
    // In a linked worktree, `.git` is a file.
    let git = |directory: &Path| fs::symlink_metadata(directory.join(".git")).ok();
    let root = absolute.ancestors().find(|directory| git(directory).is_some_and(|git| is_trusted(git.uid())));
    let is_home = |directory: &Path| {
        let same = |one: fs::Metadata, other: fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        let home = home.and_then(|home| fs::metadata(home).ok());
        home.is_some_and(|home| fs::metadata(directory).is_ok_and(|found| same(found, home)))
    };
    for directory in absolute.ancestors() {
        let is_above = directory != absolute;
        if is_above && root.is_none() && !fs::metadata(directory).is_ok_and(|found| is_ours(&found, is_trusted)) {
            return Ok(None);
        }
        let path = directory.join(FILE_NAME);
        let shown = seen_from(cwd, &path);
        if files::is_there(&path).map_err(|error| unread(&shown, error.into()))? {
            // The link may be one person's and the file another's.
            let mut facts = [fs::symlink_metadata(&path), fs::metadata(&path)].into_iter().flatten();
            let foreign = |why| PolicyError::Foreign { path: shown.display().to_string(), why };
            if is_above && !facts.all(|found| is_trusted(found.uid())) {
                return Err(foreign("it belongs to another user and is outside the project"));
            }
            return Ok(Some((path, shown)));
        }
        if Some(directory) == root || root.is_none() && is_home(directory) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Tells whether nobody but those who are trusted may put files into a folder.
fn is_ours(folder: &fs::Metadata, is_trusted: impl Fn(u32) -> bool) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    is_trusted(folder.uid()) && folder.mode() & OTHERS_WRITE == 0
}

/// Returns the path of a file in a directory above, as one would type it.
fn seen_from(cwd: &Path, path: &Path) -> PathBuf {
    let depth = std::path::absolute(cwd)
        .ok()
        .and_then(|cwd| cwd.ancestors().position(|directory| path.parent() == Some(directory)));
    match depth {
        Some(depth) => std::iter::repeat_n("..", depth).collect::<PathBuf>().join(FILE_NAME),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::with_causes;

    #[test]
    fn the_file_is_searched_upward_to_the_root_of_the_repository() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let inner = root.path().join("repo/packages/größe db");
        fs::create_dir_all(&inner).expect("the directory is ours");
        fs::create_dir_all(root.path().join("repo/.git")).expect("the directory is ours");
        let write = |path: &str| fs::write(root.path().join(path), "version = 1").expect("the directory is ours");
        let shown = || load(None, &inner).unwrap_or_else(|error| panic!("{error}")).source().to_string();
        write(FILE_NAME);
        assert_eq!(shown(), "built-in policy", "the file above the repository is not ours");
        write("repo/drizzle-pilot.toml");
        assert_eq!(shown(), "../../drizzle-pilot.toml");
        write("repo/packages/größe db/drizzle-pilot.toml");
        assert_eq!(shown(), "drizzle-pilot.toml");
        let error = load(Some(Path::new("no.toml")), &inner).expect_err("the file is not there");
        assert_eq!(error.to_string(), "reading the policy file no.toml");
        assert!(std::error::Error::source(&error).is_some());
    }

    /// A project in a folder of a given mode, with nothing around it but what is written there.
    fn project_in(mode: u32) -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().expect("a temporary directory can be made");
        let project = above.path().join("app");
        fs::create_dir(&project).expect("the directory is ours");
        fs::set_permissions(above.path(), fs::Permissions::from_mode(mode)).expect("the directory is ours");
        (above, project)
    }

    /// Returns what is found from a project, or why nothing is.
    fn found(project: &Path, home: Option<&Path>) -> String {
        match upward(project, home) {
            Ok(Some((_, shown))) => shown.display().to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => with_causes(&error).replace(&project.display().to_string(), "."),
        }
    }

    #[test]
    fn without_a_repository_nothing_is_taken_from_folders_that_others_may_write() {
        for (mode, expected) in [(0o755, "../drizzle-pilot.toml"), (0o1777, "none"), (0o757, "none")] {
            let (above, project) = project_in(mode);
            fs::write(above.path().join(FILE_NAME), "version = 1").expect("the directory is ours");
            assert_eq!(found(&project, None), expected, "{mode:o}");
            // It is the project's own, and so is all of a repository.
            assert_eq!(found(above.path(), None), "drizzle-pilot.toml", "{mode:o}");
            fs::create_dir(above.path().join(".git")).expect("the directory is ours");
            assert_eq!(found(&project, None), "../drizzle-pilot.toml", "{mode:o}");
        }
    }

    #[test]
    fn without_a_repository_the_search_ends_at_home() {
        let (above, project) = project_in(0o755);
        let inner = project.join("inner");
        fs::create_dir(&inner).expect("the directory is ours");
        fs::write(above.path().join(FILE_NAME), "version = 1").expect("the directory is ours");
        assert_eq!(found(&inner, Some(&project)), "none");
        assert_eq!(found(&inner, Some(above.path())), "../../drizzle-pilot.toml");
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        assert_eq!(found(&inner, Some(&project)), "../../drizzle-pilot.toml");
    }

    #[test]
    fn a_file_of_somebody_else_above_the_project_is_not_used() {
        let (above, project) = project_in(0o755);
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        let file = above.path().join(FILE_NAME);
        fs::write(&file, "version = 1").expect("the directory is ours");
        assert_eq!(found(&project, None), "../drizzle-pilot.toml");
        // Root alone can give files away.
        if std::os::unix::fs::chown(&file, Some(65534), None).is_ok() {
            let refused = "the policy file ../drizzle-pilot.toml is not used: it belongs to another user and is outside the project";
            assert_eq!(found(&project, None), refused);
            assert_eq!(found(above.path(), None), "drizzle-pilot.toml", "the project's own is its own affair");
            fs::rename(&file, above.path().join("theirs")).expect("the directory is ours");
            std::os::unix::fs::symlink("theirs", &file).expect("the directory is ours");
            assert_eq!(found(&project, None), refused, "a link of ours to a file of theirs");
            std::os::unix::fs::chown(&project, Some(65534), None).expect("we are root");
            assert_eq!(found(&project, None), "../drizzle-pilot.toml", "they own the project as well");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_not_taken_for_none() {
        let (above, project) = project_in(0o755);
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        for folder in [&*project, above.path()] {
            let path = folder.join(FILE_NAME);
            let shown = path.strip_prefix(above.path()).map(|_| seen_from(&project, &path)).expect("it lies there");
            let said = || {
                let error = load(None, &project).expect_err("it cannot be read");
                assert!(error.hint().is_some());
                with_causes(&error)
            };
            fs::create_dir(&path).expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is a folder", shown.display()));
            fs::remove_dir(&path).expect("it is empty");
            std::os::unix::fs::symlink("/nonexistent/policy.toml", &path).expect("the directory is ours");
            let dangling = "it is a link to /nonexistent/policy.toml, which does not exist";
            assert_eq!(said(), format!("reading the policy file {}: {dangling}", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
            std::os::unix::fs::symlink("/dev/zero", &path).expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is larger than 1 MiB", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
            fs::write(&path, b"version = 1 # \xff").expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is not UTF-8 text", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
        }
    }
}
