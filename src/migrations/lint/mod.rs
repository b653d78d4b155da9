//! Looks for statements in migrations that lose data, block, or fail, before they run.
//!
//! One file per rule or small family. Each gets a `Source` and says what it found in it; whether anybody wants to hear
//! it is told by the wishes of the user and by ignore comments, at one place (`Source::report`).

mod breakpoint;
mod cast;
mod clash;
mod hazard;
mod ignore;
mod required;
mod source;
mod squawk;
mod syntax;
mod transaction;

use super::finding::Finding;
use super::folder::{Folder, SqlFile};
use super::journal_file::{JournalFile, conflict};
use super::rule::Wishes;
use crate::sql::Dialect;
use source::Source;

/// Returns what is found in the statements of the migrations that are to be looked at, by the name of their file.
///
/// What the statements do is known for the dialects that drizzle-kit writes; for others nothing is found.
pub fn run(folder: &Folder, looks_at: &dyn Fn(&SqlFile) -> bool, wishes: Wishes<'_>) -> Vec<Finding> {
    let Some(dialect) = dialect(folder) else { return Vec::new() };
    // A file with conflict markers is no SQL, which is a finding of its own.
    let wanted = |file: &&SqlFile| looks_at(file) && conflict(&file.text).is_none();
    let mut files: Vec<&SqlFile> = folder.files.iter().filter(wanted).collect();
    files.sort_by_key(|file| (position(folder, file), &file.name));
    let texts: Vec<String> = files.iter().map(|file| breakpoint::masked(&file.text)).collect();
    let mut sources: Vec<Source<'_>> = Vec::with_capacity(files.len());
    for (file, text) in files.iter().zip(&texts) {
        sources.push(Source::read(folder, file, text, dialect, wishes));
    }
    for source in &mut sources {
        syntax::check(source);
        breakpoint::check(source);
        hazard::check(source);
        required::check(source);
        cast::check(source);
        squawk::check(source);
        ignore::check(source);
    }
    if dialect == Dialect::Postgres {
        transaction::check(&mut sources);
        clash::check(&mut sources);
    }
    sources.into_iter().flat_map(Source::findings).collect()
}

/// Returns the dialect of the migrations: that of the journal, else PostgreSQL.
pub fn dialect(folder: &Folder) -> Option<Dialect> {
    match &folder.journal {
        JournalFile::Read(journal) => match journal.dialect.as_deref() {
            // drizzle-kit 0.20 calls it so.
            None | Some("pg") => Some(Dialect::Postgres),
            Some(name) => Dialect::from_name(name),
        },
        JournalFile::Missing | JournalFile::Conflicted { .. } | JournalFile::Broken { .. } => Some(Dialect::Postgres),
    }
}

/// Returns where a file stands among the migrations; behind all of them where it is not listed.
fn position(folder: &Folder, file: &SqlFile) -> usize {
    match &folder.journal {
        JournalFile::Read(journal) => {
            let at = journal.entries.iter().position(|entry| entry.tag == file.tag());
            at.unwrap_or(journal.entries.len())
        }
        JournalFile::Missing | JournalFile::Conflicted { .. } | JournalFile::Broken { .. } => 0,
    }
}
