//! Compares a migrations folder with a migrations table, by the rule of drizzle's migrator. Pure: values in, value out.
//!
//! drizzle-orm up to 0.45 (`pg-core/dialect`, `migrate`) reads one row of the migrations table, that with the greatest
//! `created_at`, and runs every entry of the journal whose `when` is greater. It compares no hash and no name. So an entry
//! that came late with an older `when` is never run, and a file that was edited afterwards is not noticed. A file that
//! differs from what was applied in its line ends alone is the same.

use std::cmp::Ordering;

use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::journal_file::{Entry, Journal};

/// A row of the migrations table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub hash: String,
    pub created_at: Option<i64>,
}

/// What is known about a migration of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The migrations table has it, and drizzle will not run it again.
    Applied,
    /// The next run of drizzle's migrator runs it.
    Pending,
    /// The migrations table does not have it, and drizzle will never run it: a newer one was applied before.
    Skipped,
    /// The migrations table has it with another hash: the file is not what was applied.
    Edited,
    /// The migrations table has it, and drizzle would run it once more: its `when` was changed, or a row has no `created_at`.
    Repeated,
    /// The journal names it, and its file is not there: drizzle's migrator fails, whatever else is to do.
    MissingFile,
}

impl State {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            State::Applied => "applied",
            State::Pending => "pending",
            State::Skipped => "skipped",
            State::Edited => "edited",
            State::Repeated => "repeated",
            State::MissingFile => "missing",
        }
    }

    /// Returns what that means, where it is not as it should be.
    pub fn why(self) -> Option<&'static str> {
        match self {
            State::Applied | State::Pending => None,
            State::Skipped => Some("older than the last applied migration, so drizzle will never run it"),
            State::Edited => Some("the file was changed after it was applied"),
            State::Repeated => Some("applied with another `when`, so drizzle would run it again"),
            State::MissingFile => Some("the journal names it, but that file does not exist"),
        }
    }
}

/// A migration of the folder, and what is known about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration<'a> {
    pub entry: &'a Entry,
    pub file: Option<&'a SqlFile>,
    pub state: State,
    /// Its row of the migrations table, by its place in it.
    pub record: Option<usize>,
}

/// A folder and a migrations table, compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a> {
    /// In the order of the journal, which is the order in which drizzle runs them.
    pub migrations: Vec<Migration<'a>>,
    /// Rows of the migrations table that no migration of the folder explains, by their places in it.
    pub unknown: Vec<usize>,
    /// Whether migrations are skipped for such rows alone: by those of this folder they would be pending.
    pub is_skipped_by_others: bool,
}

impl<'a> Status<'a> {
    /// Returns the migrations in a state, in their order.
    pub fn in_state(&self, state: State) -> impl Iterator<Item = &Migration<'a>> {
        self.migrations.iter().filter(move |migration| migration.state == state)
    }

    /// Tells whether everything was applied, and nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.unknown.is_empty() && self.migrations.iter().all(|migration| migration.state == State::Applied)
    }

    /// Returns how many there are of each, in words.
    pub fn text(&self) -> String {
        let states =
            [State::Pending, State::Skipped, State::Edited, State::Repeated, State::MissingFile, State::Applied];
        let counted = states.into_iter().map(|state| (self.in_state(state).count(), state.word()));
        let counted = counted.chain([(self.unknown.len(), "unknown")]).filter(|(n, _)| *n > 0);
        let counted: Vec<String> = counted.map(|(n, word)| format!("{n} {word}")).collect();
        if counted.is_empty() { "no migrations".to_owned() } else { counted.join(", ") }
    }
}

/// Compares a folder with a migrations table.
pub fn compare<'a>(folder: &'a Folder, journal: &'a Journal, records: &[Record]) -> Status<'a> {
    let mark = mark(records);
    let mut free: Vec<bool> = vec![true; records.len()];
    let files: Vec<Option<&SqlFile>> = journal.entries.iter().map(|entry| folder.file(entry)).collect();
    // Where nothing was recorded, nothing has to be compared.
    let hashes_of = |file: &Option<&SqlFile>| match file {
        Some(file) if !records.is_empty() => file.hashes(),
        _ => Vec::new(),
    };
    let hashes: Vec<Vec<String>> = files.iter().map(hashes_of).collect();
    let mut matched: Vec<Option<(Match, usize)>> = vec![None; journal.entries.len()];
    // What fits exactly goes first, so that two files of one content do not take each other's rows.
    for how in [Match::Exact, Match::Time, Match::Hash] {
        for (idx, entry) in journal.entries.iter().enumerate() {
            if matched[idx].is_some() {
                continue;
            }
            let fits = |record: &Record| {
                let time = record.created_at == Some(entry.when);
                let hash = hashes[idx].contains(&record.hash);
                match how {
                    Match::Exact => time && hash,
                    Match::Time => time,
                    Match::Hash => hash,
                }
            };
            if let Some(row) = (0..records.len()).find(|row| free[*row] && fits(&records[*row])) {
                free[row] = false;
                matched[idx] = Some((how, row));
            }
        }
    }
    let migrations = journal.entries.iter().enumerate().map(|(idx, entry)| {
        let runs = mark.is_none_or(|mark| mark < entry.when);
        let state = match (files[idx], runs, matched[idx].map(|(how, _)| how)) {
            (None, ..) => State::MissingFile,
            (Some(_), true, None) => State::Pending,
            (Some(_), true, Some(_)) => State::Repeated,
            (Some(_), false, None) => State::Skipped,
            (Some(_), false, Some(Match::Time)) => State::Edited,
            (Some(_), false, Some(Match::Exact | Match::Hash)) => State::Applied,
        };
        Migration { entry, file: files[idx], state, record: matched[idx].map(|(_, row)| row) }
    });
    let migrations: Vec<Migration> = migrations.collect();
    let unknown: Vec<usize> = (0..records.len()).filter(|row| free[*row]).collect();
    let own = (0..records.len()).filter(|row| !free[*row]).filter_map(|row| records[row].created_at).max();
    let mut skipped = migrations.iter().filter(|migration| migration.state == State::Skipped).peekable();
    let is_skipped_by_others =
        skipped.peek().is_some() && skipped.all(|skipped| own.is_none_or(|own| own < skipped.entry.when));
    Status { migrations, unknown, is_skipped_by_others }
}

/// How a row fits an entry of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    Exact,
    /// The hash is another.
    Time,
    /// The time is another.
    Hash,
}

/// Returns the moment after which drizzle runs entries; none where it runs all of them.
///
/// `order by created_at desc limit 1` puts NULL first, and `Number(null)` is 0.
fn mark(records: &[Record]) -> Option<i64> {
    let greatest = records.iter().map(|record| record.created_at).max_by(|a, b| match (a, b) {
        (None, None) => Ordering::Equal,
        (None, Some(_)) => Ordering::Greater,
        (Some(_), None) => Ordering::Less,
        (Some(a), Some(b)) => a.cmp(b),
    })?;
    Some(greatest.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::migrations::JournalFile;

    /// Checks a folder, of `tag@when` each with its tag as its content, against rows of `tag@created_at`.
    #[track_caller]
    fn check(entries: &[&str], rows: &[&str], expected: &[&str]) {
        let split = |text: &&str| {
            let (tag, when) = text.split_once('@').expect("a case has a time");
            (tag.to_owned(), when.parse::<i64>().ok())
        };
        let journal: Vec<serde_json::Value> = entries
            .iter()
            .map(split)
            .map(|(tag, when)| serde_json::json!({ "tag": tag.trim_start_matches('!'), "when": when }))
            .collect();
        let mut contents: std::collections::BTreeMap<String, Vec<u8>> = entries
            .iter()
            .map(split)
            .filter(|(tag, _)| !tag.starts_with('!'))
            .map(|(tag, _)| (format!("{tag}.sql"), tag.into_bytes()))
            .collect();
        contents
            .insert("meta/_journal.json".into(), serde_json::json!({ "entries": journal }).to_string().into_bytes());
        let folder = Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read");
        let hash = |content: &str| {
            let one = [("0.sql".to_owned(), content.as_bytes().to_vec())].into();
            Folder::of(Path::new("x"), one, Vec::new()).expect("the folder can be read").files[0].hash.clone()
        };
        let records: Vec<Record> =
            rows.iter().map(split).map(|(tag, created_at)| Record { hash: hash(&tag), created_at }).collect();
        let JournalFile::Read(journal) = &folder.journal else { panic!("it is a journal") };
        let status = compare(&folder, journal, &records);
        let found =
            status.migrations.iter().map(|migration| format!("{} {}", migration.entry.tag, migration.state.word()));
        let found: Vec<String> =
            found.chain(status.unknown.iter().map(|row| format!("{} unknown", rows[*row]))).collect();
        assert_eq!(found, expected);
        assert_eq!(status.is_clean(), expected.iter().all(|line| line.ends_with(" applied")));
    }

    #[test]
    fn everything_is_pending_where_there_is_no_history() {
        check(&["a@10", "b@20"], &[], &["a pending", "b pending"]);
        // All of them run in one go, whatever their order.
        check(&["a@20", "b@10"], &[], &["a pending", "b pending"]);
        check(&[], &[], &[]);
    }

    #[test]
    fn the_newest_row_alone_decides_what_runs() {
        check(&["a@10", "b@20", "c@30"], &["a@10", "b@20"], &["a applied", "b applied", "c pending"]);
        check(&["a@10", "late@15", "b@20"], &["a@10", "b@20"], &["a applied", "late skipped", "b applied"]);
        check(&["a@10", "b@20", "same@20"], &["b@20", "a@10"], &["a applied", "b applied", "same skipped"]);
        // A last row alone hides the rest.
        check(&["a@10", "b@20"], &["b@20"], &["a skipped", "b applied"]);
        // A row by hand, far in the future.
        check(&["a@10", "b@20"], &["a@10", "x@9000"], &["a applied", "b skipped", "x@9000 unknown"]);
    }

    #[test]
    fn an_edited_file_and_a_row_of_another_branch_are_told_apart() {
        check(&["a2@10", "b@20"], &["a@10", "b@20"], &["a2 edited", "b applied"]);
        check(&["a@10"], &["a@10", "theirs@20"], &["a applied", "theirs@20 unknown"]);
    }

    #[test]
    fn a_changed_time_does_not_make_a_migration_new() {
        // Moved before the mark: it was applied, and is not run again.
        check(&["a@11", "b@20"], &["a@10", "b@20"], &["a applied", "b applied"]);
        // Moved behind it: drizzle would run it again.
        check(&["a@10", "b@30"], &["a@10", "b@20"], &["a applied", "b repeated"]);
        // A row without a time stands above all others, as 0.
        check(&["a@10", "b@20"], &["a@10", "x@"], &["a repeated", "b pending", "x@ unknown"]);
    }

    #[test]
    fn what_rows_of_others_pass_over_is_told_from_what_our_own_do() {
        let skipped_by_others = |when: i64, own: i64| {
            let journal = serde_json::json!({ "entries": [{ "tag": "a", "when": own }, { "tag": "b", "when": when }] });
            let file = |name: &str| (name.to_owned(), name.as_bytes().to_vec());
            let contents =
                [file("a.sql"), file("b.sql"), ("meta/_journal.json".to_owned(), journal.to_string().into_bytes())];
            let folder = Folder::of(Path::new("drizzle"), contents.into(), Vec::new()).expect("the folder can be read");
            let JournalFile::Read(journal) = &folder.journal else { panic!("it is a journal") };
            let row = |created_at: i64| Record { hash: String::new(), created_at: Some(created_at) };
            compare(&folder, journal, &[row(own), row(99)]).is_skipped_by_others
        };
        assert!(skipped_by_others(20, 10));
        assert!(!skipped_by_others(5, 10));
        assert!(!skipped_by_others(100, 10));
    }

    #[test]
    fn files_of_one_content_keep_their_own_rows() {
        check(&["a@10", "a@20", "a@30"], &["a@10", "a@20"], &["a applied", "a applied", "a pending"]);
        check(&["a@10", "a@20"], &["a@20"], &["a skipped", "a applied"]);
    }

    #[test]
    fn a_missing_file_is_named_whatever_the_history_says() {
        check(&["!a@10", "b@20"], &["a@10"], &["a missing", "b pending"]);
    }
}
