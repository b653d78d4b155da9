//! Finds what is wrong with a journal, its files and its snapshots. Pure: folder in, findings out.

use std::collections::BTreeMap;

use crate::migrations::finding::{Finding, Place, Position};
use crate::migrations::folder::Folder;
use crate::migrations::journal_file::{Entry, Journal, JournalFile, conflict};
use crate::migrations::rule::{
    ACCEPTABLE, FILE_CONFLICT, JOURNAL_AHEAD, JOURNAL_CONFLICT, JOURNAL_DUPLICATE_INDEX, JOURNAL_DUPLICATE_TAG,
    JOURNAL_MISSING, JOURNAL_MISSING_FILE, JOURNAL_MISSING_INDEX, JOURNAL_ORDER, JOURNAL_UNLISTED_FILE, NEWER_LAYOUT,
    Named, PULLED_BASELINE, Rule, SNAPSHOT_CHAIN, SNAPSHOT_FORK, SNAPSHOT_MISSING, SNAPSHOT_UNLISTED,
    SNAPSHOT_UNREADABLE, SNAPSHOT_VERSION, UNREAD_DIALECT, Wishes,
};
use crate::migrations::snapshot::{ORIGIN, Snapshot, SnapshotContent};
use crate::migrations::{lint, pulled};
use crate::sql::Dialect;

/// What is known beside the folder.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings {
    /// Now, in milliseconds since 1970.
    pub now: i64,
    /// The form of snapshots that the project's drizzle-kit reads; where that is not known, the newest is meant.
    pub snapshots: Option<u32>,
}

/// How far a date may be ahead before it counts: clocks differ, and whoever generates and checks at once is not in the future.
const AHEAD: i64 = 5 * 60 * 1000;

/// Returns what is wrong with a folder. A journal that is broken otherwise than by git is no finding: it ends the command.
pub fn check(folder: &Folder, surroundings: Surroundings, wishes: Wishes<'_>) -> Vec<Finding> {
    let mut found = Found { folder, wishes, findings: Vec::new() };
    match &folder.journal {
        JournalFile::Read(journal) => {
            dialect(&mut found, journal);
            indexes(&mut found, &journal.entries);
            tags(&mut found, &journal.entries);
            order(&mut found, &journal.entries);
            ahead(&mut found, &journal.entries, surroundings.now);
            listed_snapshots(&mut found, &journal.entries);
            pulled_baseline(&mut found, &journal.entries);
        }
        JournalFile::Conflicted { at, .. } => {
            found.in_journal(&JOURNAL_CONFLICT, *at, None, "git left conflict markers in the journal".to_owned());
        }
        JournalFile::Missing if folder.files.is_empty() && folder.snapshots.is_empty() => {}
        JournalFile::Missing => {
            let n_files = folder.files.len();
            let sentence = format!("{n_files} migrations have no journal");
            found.in_journal(&JOURNAL_MISSING, Position::START, None, sentence);
        }
        JournalFile::Broken { .. } => {}
    }
    for file in &folder.files {
        if let Some(at) = conflict(&file.text) {
            found.take(&FILE_CONFLICT, &file.name, at, format!("git left conflict markers in {}", file.name));
        }
    }
    chain(&mut found, &folder.snapshots);
    versions(&mut found, surroundings.snapshots);
    for name in &folder.newer {
        let sentence = format!("{name} is a migration of drizzle-kit 1.0, next to a journal");
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
    /// Takes a finding with its place in the journal, about the migration of an entry.
    fn in_journal(&mut self, rule: &'static Rule, at: Position, about: Option<&Entry>, sentence: String) {
        let about = about.map(|entry| format!("{}.sql", entry.tag));
        self.insist(rule, super::folder::JOURNAL, at, about.as_deref(), sentence);
    }

    /// Takes a finding about a file.
    fn take(&mut self, rule: &'static Rule, file: &str, at: Position, sentence: String) {
        self.insist(rule, file, at, Some(file), sentence);
    }

    fn insist(&mut self, rule: &'static Rule, file: &str, at: Position, about: Option<&str>, sentence: String) {
        let Some(level) = (self.wishes.level)(Named::Ours(rule)) else { return };
        let about = about.filter(|_| ACCEPTABLE.contains(&rule)).map(|about| self.folder.path.join(about));
        if about.as_ref().is_some_and(|about| (self.wishes.accepts)(rule, about)) {
            return;
        }
        let place = Place { file: self.folder.path.join(file), at };
        self.findings.push(Finding { about, ..rule.finding(level, place, sentence) });
    }
}

fn dialect(found: &mut Found<'_>, journal: &Journal) {
    if let (None, Some(name)) = (lint::dialect(found.folder), &journal.dialect) {
        let sentence = format!("statements of {name} are not read: the contents of the migrations were not checked");
        found.in_journal(&UNREAD_DIALECT, Position::START, None, sentence);
    }
}

fn indexes(found: &mut Found<'_>, entries: &[Entry]) {
    let all: std::collections::BTreeSet<i64> = entries.iter().filter_map(|entry| entry.idx).collect();
    let mut seen: BTreeMap<i64, &Entry> = BTreeMap::new();
    let mut expected = 0;
    for entry in entries {
        let Some(idx) = entry.idx else {
            let sentence = format!("the entry of {} has no idx", entry.tag);
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, Some(entry), sentence);
            expected += 1;
            continue;
        };
        // One that stands further down is told there.
        let missing: Vec<i64> = (expected..idx.min(expected + 1000)).filter(|idx| !all.contains(idx)).collect();
        if let Some(other) = seen.get(&idx) {
            let sentence = format!("idx {idx} is used by {} and by {}", other.tag, entry.tag);
            found.in_journal(&JOURNAL_DUPLICATE_INDEX, entry.idx_at, Some(entry), sentence);
        } else if let (Some(first), Some(last)) = (missing.first(), missing.last()) {
            let left_out = match first == last {
                true => format!("idx {first} is missing"),
                false => format!("idx {first} to {} are missing", idx - 1),
            };
            let sentence = format!("{left_out} before {}", entry.tag);
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, Some(entry), sentence);
        } else if idx < expected {
            let sentence = format!("idx {idx} of {} comes after idx {}", entry.tag, expected - 1);
            found.in_journal(&JOURNAL_MISSING_INDEX, entry.idx_at, Some(entry), sentence);
        }
        seen.entry(idx).or_insert(entry);
        expected = expected.max(idx.saturating_add(1));
    }
}

fn tags(found: &mut Found<'_>, entries: &[Entry]) {
    for (entry_idx, entry) in entries.iter().enumerate() {
        if entries[..entry_idx].iter().any(|other| other.tag == entry.tag) {
            let sentence = format!("{} is listed twice", entry.tag);
            found.in_journal(&JOURNAL_DUPLICATE_TAG, entry.tag_at, Some(entry), sentence);
        } else if found.folder.file(entry).is_none() {
            let sentence = format!("{}.sql is listed, but does not exist", entry.tag);
            found.in_journal(&JOURNAL_MISSING_FILE, entry.tag_at, Some(entry), sentence);
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
                found.in_journal(&JOURNAL_ORDER, entry.when_at, Some(entry), sentence);
            }
            _ => newest = Some(entry),
        }
    }
}

/// Returns the newest entry, where its date is ahead of the clock: what drizzle-kit generates next is older.
pub fn newest_ahead(entries: &[Entry], now: i64) -> Option<&Entry> {
    entries.iter().max_by_key(|entry| entry.when).filter(|newest| newest.when > now.saturating_add(AHEAD))
}

/// drizzle-kit dates what it generates by the clock (`prepareMigrationMetadata`).
fn ahead(found: &mut Found<'_>, entries: &[Entry], now: i64) {
    if let Some(newest) = newest_ahead(entries, now) {
        let sentence = format!("`when` of {} is ahead of the clock", newest.tag);
        found.in_journal(&JOURNAL_AHEAD, newest.when_at, Some(newest), sentence);
    }
}

fn pulled_baseline(found: &mut Found<'_>, entries: &[Entry]) {
    let Some(file) = entries.first().and_then(|first| found.folder.file(first)) else { return };
    if pulled::is_pulled(&file.text) {
        let sentence = format!("{} was written by drizzle-kit pull: its statements are inside a comment", file.name);
        found.take(&PULLED_BASELINE, &file.name.clone(), Position::START, sentence);
    }
}

/// The form of snapshots that the newest drizzle-kit below 1.0 reads (0.22 to 0.31, `validatorForDialect`).
fn newest_version(dialect: Dialect) -> u32 {
    match dialect {
        Dialect::Postgres => 7,
        Dialect::Sqlite | Dialect::Turso => 6,
        Dialect::MySql => 5,
        Dialect::SingleStore => 1,
    }
}

/// A snapshot in another form than drizzle-kit reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherForm<'a> {
    snapshot: &'a Snapshot,
    version: u32,
    reads: u32,
}

impl OtherForm<'_> {
    /// Tells whether drizzle-kit itself can rewrite it.
    pub fn is_older(self) -> bool {
        self.version < self.reads
    }

    fn sentence(self) -> String {
        let word = if self.is_older() { "an older" } else { "a newer" };
        let OtherForm { snapshot, version, reads } = self;
        format!("{} has format {version}, {word} one than drizzle-kit's {reads}", snapshot.name)
    }

    fn what_to_do(self) -> &'static str {
        match self.is_older() {
            true => "run `drizzle-pilot run -- up`, and commit what it rewrites",
            false => "update drizzle-kit: a newer version wrote the folder",
        }
    }
}

/// Returns the last snapshot of an older form, and the last of a newer one. drizzle-kit reads one form, and stops at the
/// first of another; what was written or rewritten by one drizzle-kit is all of one form.
pub fn other_forms(folder: &Folder, reads: Option<u32>) -> Vec<OtherForm<'_>> {
    let Some(dialect) = lint::dialect(folder) else { return Vec::new() };
    let reads = reads.unwrap_or_else(|| newest_version(dialect));
    let forms = folder.snapshots.iter().rev().filter_map(|snapshot| match &snapshot.content {
        SnapshotContent::Read { version: Some(version), .. } if *version != reads => {
            Some(OtherForm { snapshot, version: *version, reads })
        }
        _ => None,
    });
    let forms: Vec<OtherForm> = forms.collect();
    [true, false]
        .into_iter()
        .filter_map(|is_older| forms.iter().find(|form| form.is_older() == is_older).copied())
        .collect()
}

fn versions(found: &mut Found<'_>, reads: Option<u32>) {
    for form in other_forms(found.folder, reads) {
        let before = found.findings.len();
        found.take(&SNAPSHOT_VERSION, &format!("meta/{}", form.snapshot.name), Position::START, form.sentence());
        for finding in &mut found.findings[before..] {
            finding.what_to_do = form.what_to_do().to_owned();
        }
    }
}

fn listed_snapshots(found: &mut Found<'_>, entries: &[Entry]) {
    let folder = found.folder;
    let is_there = |entry: &&Entry| folder.snapshot(entry).is_some();
    for (entry_idx, entry) in entries.iter().enumerate() {
        // Where there is none at all, nobody keeps them, and only the last matters.
        if !is_there(&entry) && (!folder.snapshots.is_empty() || entry_idx + 1 == entries.len()) {
            let sentence = format!("{} has no snapshot", entry.tag);
            found.in_journal(&SNAPSHOT_MISSING, entry.tag_at, Some(entry), sentence);
        }
    }
    let names: std::collections::BTreeSet<String> = entries.iter().flat_map(Entry::snapshot_names).collect();
    for snapshot in folder.snapshots.iter().filter(|snapshot| !names.contains(&snapshot.name)) {
        let sentence = format!("{} does not belong to a migration of the journal", snapshot.name);
        found.take(&SNAPSHOT_UNLISTED, &format!("meta/{}", snapshot.name), Position::START, sentence);
    }
}

fn chain(found: &mut Found<'_>, snapshots: &[Snapshot]) {
    let ids: std::collections::BTreeSet<&str> = snapshots.iter().filter_map(id).collect();
    let is_whole = snapshots.iter().all(|snapshot| id(snapshot).is_some());
    // What was made from a snapshot that is missing is told where that is missing.
    let entries = found.folder.journal().map(|journal| journal.entries.as_slice()).unwrap_or_default();
    let is_behind_a_gap = |snapshot: &Snapshot| {
        let own = entries.iter().position(|entry| entry.snapshot_names().contains(&snapshot.name));
        own.is_some_and(|own| entries[..own].iter().any(|entry| found.folder.snapshot(entry).is_none()))
    };
    let excused: Vec<bool> = snapshots.iter().map(is_behind_a_gap).collect();
    let mut successors: BTreeMap<&str, &str> = BTreeMap::new();
    for (snapshot, is_excused) in snapshots.iter().zip(excused) {
        let file = format!("meta/{}", snapshot.name);
        match &snapshot.content {
            SnapshotContent::Read { prev_id, prev_at, .. } => {
                if let Some(other) = successors.get(prev_id.as_str()) {
                    let sentence = format!("{} and {other} were made from the same snapshot", snapshot.name);
                    found.take(&SNAPSHOT_FORK, &file, *prev_at, sentence);
                // That of a snapshot that cannot be read is not known.
                // That of what drizzle-kit pull wrote has no name.
                } else if prev_id != ORIGIN
                    && !prev_id.is_empty()
                    && !ids.contains(prev_id.as_str())
                    && is_whole
                    && !is_excused
                {
                    let sentence = format!("{} was made from a snapshot that does not exist", snapshot.name);
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
