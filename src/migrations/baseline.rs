//! Plans what to write into a migrations table that lacks what the database has. Pure: a status in, rows out.

use crate::migrations::state::{Migration, State, Status};

/// One row to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row<'a> {
    /// The migrations table does not have the migration.
    Missing(Migration<'a>),
    /// It has it with another hash or another time.
    Wrong { migration: Migration<'a>, record: usize },
}

/// Why no rows can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BaselineError {
    #[error("the journal has no migration {0}")]
    NoSuchTag(String),
    #[error("the journal names {0}, but that file does not exist")]
    MissingFile(String),
    /// drizzle's migrator would never run it afterwards.
    #[error(
        "{left} is to stay pending, but {written} has the same `when` or a later one: drizzle would never run {left}"
    )]
    WouldBeSkipped { left: String, written: String },
}

/// Returns the migrations that the database is said to have: all up to a tag, or all of them.
///
/// # Errors
/// Where there is no such tag.
pub fn upto<'s, 'a>(status: &'s Status<'a>, to: Option<&str>) -> Result<&'s [Migration<'a>], BaselineError> {
    let Some(to) = to else { return Ok(&status.migrations) };
    let tag = to.strip_suffix(".sql").unwrap_or(to);
    match status.migrations.iter().position(|migration| migration.entry.tag == tag) {
        Some(idx) => Ok(&status.migrations[..=idx]),
        None => Err(BaselineError::NoSuchTag(tag.to_owned())),
    }
}

/// Plans the rows for migrations that the database has, in the order of the journal.
///
/// All of them and not the last alone: drizzle-orm 1.0 tells migrations apart by their rows, and runs what has none.
///
/// # Errors
/// Where a file is missing, and where drizzle would pass over what is to stay pending.
pub fn plan<'a>(status: &Status<'a>, had: &[Migration<'a>]) -> Result<Vec<Row<'a>>, BaselineError> {
    if let Some(missing) = had.iter().find(|migration| migration.state == State::MissingFile) {
        return Err(BaselineError::MissingFile(missing.entry.tag.clone()));
    }
    let newest = had.iter().max_by_key(|migration| migration.entry.when);
    if let Some(newest) = newest {
        let left = &status.migrations[had.len()..];
        let passed = left.iter().find(|left| left.state == State::Pending && left.entry.when <= newest.entry.when);
        if let Some(passed) = passed {
            let (left, written) = (passed.entry.tag.clone(), newest.entry.tag.clone());
            return Err(BaselineError::WouldBeSkipped { left, written });
        }
    }
    let rows = had.iter().filter_map(|migration| match (migration.state, migration.record) {
        (State::Applied, _) => None,
        (_, Some(record)) => Some(Row::Wrong { migration: *migration, record }),
        (_, None) => Some(Row::Missing(*migration)),
    });
    Ok(rows.collect())
}
