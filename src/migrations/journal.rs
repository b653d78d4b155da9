//! Finds what is wrong with a journal, its files and its snapshots. Pure: folder in, findings out.

use std::collections::BTreeMap;

use super::finding::{Finding, Place, Position};
use super::folder::Folder;
use super::journal_file::{Entry, JournalFile, conflict};
use super::rule::{
    FILE_CONFLICT, JOURNAL_CONFLICT, JOURNAL_DUPLICATE_INDEX, JOURNAL_DUPLICATE_TAG, JOURNAL_MISSING,
    JOURNAL_MISSING_FILE, JOURNAL_MISSING_INDEX, JOURNAL_ORDER, JOURNAL_UNLISTED_FILE, NEWER_LAYOUT, Named, Rule,
    SNAPSHOT_CHAIN, SNAPSHOT_FORK, SNAPSHOT_MISSING, SNAPSHOT_UNLISTED, SNAPSHOT_UNREADABLE, Wishes,
};
use super::snapshot::{ORIGIN, Snapshot, SnapshotContent};

/// Returns what is wrong with a folder. A journal that is broken otherwise than by git is no finding: it ends the command.
pub fn check(folder: &Folder, wishes: Wishes<'_>) -> Vec<Finding> {
    let mut found = Found { folder, wishes, findings: Vec::new() };
    match &folder.journal {
        JournalFile::Read(journal) => {
            indexes(&mut found, &journal.entries);
            tags(&mut found, &journal.entries);
            order(&mut found, &journal.entries);
            listed_snapshots(&mut found, &journal.entries);
        }
        JournalFile::Conflicted { at, .. } => {
            found.in_journal(&JOURNAL_CONFLICT, *at, "git left conflict markers in the journal".to_owned());
        }
        JournalFile::Missing if folder.files.is_empty() && folder.snapshots.is_empty() => {}
        JournalFile::Missing => {
            let n_files = folder.files.len();
            found.in_journal(
                &JOURNAL_MISSING,
                Position::START,
                format!("there is no journal for {n_files} migrations"),
            );
        }
        JournalFile::Broken { .. } => {}
    }
    for file in &folder.files {
        if let Some(at) = conflict(&file.text) {
            found.take(&FILE_CONFLICT, &file.name, at, format!("git left conflict markers in {}", file.name));
        }
    }
    chain(&mut found, &folder.snapshots);
    for name in &folder.newer {
        let sentence = format!("{name} is a migration of drizzle-kit 1.0, beside a journal");
        found.take(&NEWER_LAYOUT, &format!("{name}/migration.sql"), Position::START, sentence);
    }
    found.findings.sort_by(|a, b| a.place.cmp(&b.place));
    found.findings
}

struct Found<'a> {
    folder: &'a Folder,
    wishes: Wishes<'a>,
    findings: Vec<Finding>,
}

impl Found<'_> {
    fn in_journal(&mut self, rule: &'static Rule, at: Position, sentence: String) {
        self.take(rule, super::folder::JOURNAL, at, sentence);
    }

    fn take(&mut self, rule: &'static Rule, file: &str, at: Position, sentence: String) {
        if let Some(level) = (self.wishes.level)(Named::Ours(rule)) {
            let place = Place { file: self.folder.path.join(file), at };
            self.findings.push(rule.finding(level, place, sentence));
        }
    }
}

fn indexes(found: &mut Found<'_>, entries: &[Entry]) {
    let mut seen: BTreeMap<i64, &Entry> = BTreeMap::new();
    let mut expected = 0;
    for entry in entries {
        let Some(idx) = entry.idx else {
            let sentence = format!("the entry of {} has no idx", entry.tag);
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, sentence);
            continue;
        };
        if let Some(other) = seen.get(&idx) {
            let sentence = format!("idx {idx} is that of {} and of {}", other.tag, entry.tag);
            found.in_journal(&JOURNAL_DUPLICATE_INDEX, entry.idx_at, sentence);
        } else if idx > expected {
            let left_out = match idx - expected {
                1 => format!("idx {expected} is left out"),
                _ => format!("idx {expected} to {} are left out", idx - 1),
            };
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, format!("{left_out} before {}", entry.tag));
        } else if idx < expected {
            let sentence = format!("idx {idx} of {} stands behind idx {}", entry.tag, expected - 1);
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, sentence);
        }
        seen.entry(idx).or_insert(entry);
        expected = expected.max(idx.saturating_add(1));
    }
}

fn tags(found: &mut Found<'_>, entries: &[Entry]) {
    for (entry_idx, entry) in entries.iter().enumerate() {
        if entries[..entry_idx].iter().any(|other| other.tag == entry.tag) {
            let sentence = format!("{} is listed twice", entry.tag);
            found.in_journal(&JOURNAL_DUPLICATE_TAG, entry.tag_at, sentence);
        } else if found.folder.file(entry).is_none() {
            let sentence = format!("{}.sql is listed, and is not there", entry.tag);
            found.in_journal(&JOURNAL_MISSING_FILE, entry.tag_at, sentence);
        }
    }
    let listed: std::collections::BTreeSet<&str> = entries.iter().map(|entry| entry.tag.as_str()).collect();
    for file in &found.folder.files {
        if !listed.contains(file.tag()) {
            let sentence = format!("{} is not listed in the journal", file.name);
            found.take(&JOURNAL_UNLISTED_FILE, &file.name, Position::START, sentence);
        }
    }
}

/// drizzle's migrator goes through the journal in its own order, and runs what is newer than the newest row that was there
/// before the run.
fn order(found: &mut Found<'_>, entries: &[Entry]) {
    let mut newest: Option<&Entry> = None;
    for entry in entries {
        match newest {
            Some(newest) if entry.when <= newest.when => {
                let is = if entry.when == newest.when { "the same as" } else { "before" };
                let sentence = format!("`when` of {} is {is} that of {}", entry.tag, newest.tag);
                found.in_journal(&JOURNAL_ORDER, entry.when_at, sentence);
            }
            _ => newest = Some(entry),
        }
    }
}

/// Returns the names that the snapshot of a migration may have: the number, or whatever else stands before the first `_` of
/// the tag, as in `20250101120000_init` (drizzle-kit 0.21 to 0.31, `prepareMigrationMetadata`).
fn snapshot_names(entry: &Entry) -> Vec<String> {
    let prefix = entry.tag.split_once('_').map(|(prefix, _)| prefix.to_owned());
    let number = entry.idx.map(|idx| format!("{idx:04}"));
    prefix.into_iter().chain(number).map(|prefix| format!("{prefix}_snapshot.json")).collect()
}

fn listed_snapshots(found: &mut Found<'_>, entries: &[Entry]) {
    let folder = found.folder;
    let is_there =
        |entry: &&Entry| snapshot_names(entry).iter().any(|name| folder.snapshots.iter().any(|s| s.name == *name));
    for (entry_idx, entry) in entries.iter().enumerate() {
        // Where there is none at all, nobody keeps them, and only the last matters.
        if !is_there(&entry) && (!folder.snapshots.is_empty() || entry_idx + 1 == entries.len()) {
            found.in_journal(&SNAPSHOT_MISSING, entry.tag_at, format!("{} has no snapshot", entry.tag));
        }
    }
    let names: std::collections::BTreeSet<String> = entries.iter().flat_map(snapshot_names).collect();
    for snapshot in folder.snapshots.iter().filter(|snapshot| !names.contains(&snapshot.name)) {
        let sentence = format!("{} belongs to no migration of the journal", snapshot.name);
        found.take(&SNAPSHOT_UNLISTED, &format!("meta/{}", snapshot.name), Position::START, sentence);
    }
}

fn chain(found: &mut Found<'_>, snapshots: &[Snapshot]) {
    let ids: std::collections::BTreeSet<&str> = snapshots.iter().filter_map(id).collect();
    let is_whole = snapshots.iter().all(|snapshot| id(snapshot).is_some());
    let mut successors: BTreeMap<&str, &str> = BTreeMap::new();
    for snapshot in snapshots {
        let file = format!("meta/{}", snapshot.name);
        match &snapshot.content {
            SnapshotContent::Read { prev_id, prev_at, .. } => {
                if let Some(other) = successors.get(prev_id.as_str()) {
                    let sentence = format!("{} and {other} were made from the same snapshot", snapshot.name);
                    found.take(&SNAPSHOT_FORK, &file, *prev_at, sentence);
                // That of a snapshot that cannot be read is not known.
                } else if prev_id != ORIGIN && !ids.contains(prev_id.as_str()) && is_whole {
                    let sentence = format!("{} was made from a snapshot that is not there", snapshot.name);
                    found.take(&SNAPSHOT_CHAIN, &file, *prev_at, sentence);
                }
                successors.entry(prev_id).or_insert(&snapshot.name);
            }
            SnapshotContent::Conflicted { at } => {
                let sentence = format!("git left conflict markers in {}", snapshot.name);
                found.take(&SNAPSHOT_UNREADABLE, &file, *at, sentence);
            }
            SnapshotContent::Broken { at, message } => {
                let sentence = format!("{} cannot be read: {message}", snapshot.name);
                found.take(&SNAPSHOT_UNREADABLE, &file, *at, sentence);
            }
        }
    }
}

fn id(snapshot: &Snapshot) -> Option<&str> {
    match &snapshot.content {
        SnapshotContent::Read { id, .. } => Some(id),
        SnapshotContent::Conflicted { .. } | SnapshotContent::Broken { .. } => None,
    }
}
