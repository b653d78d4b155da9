//! The migrations folder that a command works on.

use std::path::Path;

use crate::exit::Exit;
use crate::files;
use crate::migrations::{Folder, FolderError};
use crate::report::Verdict;

/// Reads a migrations folder.
///
/// # Errors
/// With the verdict, where it cannot be used.
pub fn read(path: &Path) -> Result<Folder, Verdict> {
    Folder::read(path).map_err(|error| unusable(&error))
}

/// Tells whether there is anything where a migrations folder may be.
///
/// # Errors
/// With the verdict, where that cannot be known.
pub fn is_there(path: &Path) -> Result<bool, Verdict> {
    files::is_there(path)
        .map_err(|error| unusable(&FolderError::Unreadable { path: path.to_owned(), source: error.into() }))
}

/// Says why a migrations folder cannot be used.
pub fn unusable(error: &FolderError) -> Verdict {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let verdict = Verdict::nothing(Exit::BadMigrations, format!("{error}{cause}"));
    match error.hint() {
        Some(hint) => verdict.hint(hint),
        None => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_folder_ends_with_65_and_its_place() {
        let verdict = read(Path::new("/nowhere/drizzle")).expect_err("there is no such folder");
        assert_eq!(verdict.exit, Exit::BadMigrations);
        assert_eq!(verdict.summary, "there is no migrations folder /nowhere/drizzle");
        let temporary = tempfile::tempdir().expect("there is a temporary folder");
        std::fs::create_dir(temporary.path().join("meta")).expect("the folder is ours");
        std::fs::write(temporary.path().join("meta/_journal.json"), "{\n  \"entries\": {}\n}").expect("it is ours");
        let error =
            read(temporary.path()).expect("what is wrong is a value").journal().map(|_| ()).expect_err("broken");
        let verdict = unusable(&error);
        assert_eq!(verdict.exit, Exit::BadMigrations);
        let place = temporary.path().join("meta/_journal.json:2:13").display().to_string();
        let expected = format!("{place}: the journal cannot be read: invalid type: map, expected a sequence");
        assert_eq!(verdict.summary, expected);
    }
}
