//! The migrations folder that a command works on.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use semver::Version;

use crate::files;
use crate::kit::command;
use crate::migrations::journal::Surroundings;
use crate::migrations::{Folder, FolderError, disk, lint};
use crate::outcome::{Exit, Verdict, with_causes};
use crate::sql::Dialect;

/// Reads a migrations folder.
///
/// # Errors
/// With the verdict, where it cannot be used.
pub fn read(path: &Path) -> Result<Folder, Verdict> {
    disk::read(path).map_err(|error| unusable(&error))
}

/// Tells whether there is anything where a migrations folder may be.
///
/// # Errors
/// With the verdict, where that cannot be known.
pub fn is_there(path: &Path) -> Result<bool, Verdict> {
    files::is_there(path)
        .map_err(|error| unusable(&FolderError::Unreadable { path: path.to_owned(), source: error.into() }))
}

/// Returns what is known beside a folder: the time, and what the drizzle-kit of the project reads.
pub fn surroundings(folder: &Folder, cwd: &Path) -> Surroundings {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let reads = |version: Version| lint::dialect(folder).and_then(|dialect| snapshots_of(&version, dialect));
    Surroundings {
        now: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
        snapshots: command::installed_version(cwd).and_then(reads),
    }
}

/// Returns the form of snapshots that a drizzle-kit reads (`validatorForDialect`, 0.20 to 0.31); none where that is not known.
fn snapshots_of(version: &Version, dialect: Dialect) -> Option<u32> {
    let minor = (version.major == 0).then_some(version.minor)?;
    match (dialect, minor) {
        (Dialect::Postgres | Dialect::Sqlite | Dialect::MySql, 20) => Some(5),
        (Dialect::Postgres, 21) => Some(6),
        (Dialect::Postgres, 22..) => Some(7),
        (Dialect::Sqlite | Dialect::Turso, 21..) => Some(6),
        (Dialect::MySql, 21..) => Some(5),
        (Dialect::SingleStore, 21..) => Some(1),
        _ => None,
    }
}

/// Says why a migrations folder cannot be used.
pub fn unusable(error: &FolderError) -> Verdict {
    let verdict = Verdict::nothing(Exit::BadMigrations, with_causes(error));
    match error.hint() {
        Some(hint) => verdict.hint(hint),
        None => verdict,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drizzle_kit_reads_one_form_of_snapshots() {
        let check = |version: &str, dialect, expected| {
            let version = Version::parse(version).expect("it is a version");
            assert_eq!(snapshots_of(&version, dialect), expected, "{version}");
        };
        check("0.20.18", Dialect::Postgres, Some(5));
        check("0.21.4", Dialect::Postgres, Some(6));
        check("0.22.8", Dialect::Postgres, Some(7));
        check("0.31.11", Dialect::Postgres, Some(7));
        check("0.31.11", Dialect::Turso, Some(6));
        check("0.31.11", Dialect::MySql, Some(5));
        check("0.19.0", Dialect::Postgres, None);
        check("1.0.0-rc.5", Dialect::Postgres, None);
    }

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
