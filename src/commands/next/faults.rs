//! What is wrong with a migrations folder, for `next`: what has to be mended first, and what a project can live with.

use std::path::Path;

use crate::migrations::rule::{
    JOURNAL_AHEAD, JOURNAL_MISSING_FILE, JOURNAL_ORDER, PULLED_BASELINE, SNAPSHOT_FORK, SNAPSHOT_MISSING,
    SNAPSHOT_VERSION,
};
use crate::migrations::snapshot::SnapshotContent;
use crate::migrations::{Entry, Finding, Folder, Level, Snapshot};

/// What is wrong with a folder.
#[derive(Debug, Default)]
pub(super) struct Faults {
    /// A snapshot that the project's drizzle-kit cannot read: it generates nothing.
    pub(super) stale: Option<Finding>,
    /// What has to be mended before anything can be generated.
    pub(super) blocking: Vec<Finding>,
    /// What every database has lived with.
    pub(super) old: Vec<Finding>,
    /// What else has to be known.
    pub(super) notes: Vec<String>,
    /// The last migration has no snapshot.
    pub(super) lacks_snapshot: Option<String>,
    /// The first migration is a comment.
    pub(super) pulled: Option<Finding>,
}

/// Two migrations that were made from the same snapshot.
#[derive(Debug)]
pub(super) struct Fork<'a> {
    pub(super) earlier: &'a Entry,
    pub(super) later: &'a Entry,
    /// The snapshot of the later one, and what it has to name as the one that it was made from.
    pub(super) snapshot: &'a Snapshot,
    pub(super) id: &'a str,
}

/// Sorts what was found. What a database has already cannot be taken back.
pub(super) fn sort(folder: &Folder, found: Vec<Finding>, is_applied: &dyn Fn(&str) -> bool) -> Faults {
    let mut faults = Faults::default();
    let last = folder.journal().ok().and_then(|journal| journal.entries.last());
    for finding in found {
        if finding.id == SNAPSHOT_VERSION.id {
            faults.stale.get_or_insert(finding);
        } else if finding.id == JOURNAL_AHEAD.id {
            faults.notes.push(format!("{}; {}", finding.sentence, finding.what_to_do));
        } else if finding.id == PULLED_BASELINE.id {
            faults.pulled = Some(finding);
        } else if finding.id == SNAPSHOT_MISSING.id {
            faults.lacks_snapshot =
                last.map(|last| last.tag.clone()).filter(|tag| finding.sentence.starts_with(tag.as_str()));
        // Those are reported by the migrations table as well, and better.
        } else if finding.level < Level::Error || [JOURNAL_ORDER.id, JOURNAL_MISSING_FILE.id].contains(&finding.id) {
        } else if finding.id != SNAPSHOT_FORK.id
            && entry_of(folder, &finding).is_some_and(|entry| is_applied(&entry.tag))
        {
            faults.old.push(finding);
        } else {
            faults.blocking.push(finding);
        }
    }
    faults
}

/// Returns the migration that a finding is about.
fn entry_of<'a>(folder: &'a Folder, finding: &Finding) -> Option<&'a Entry> {
    let about = finding.about.as_deref()?;
    let name = about.file_name()?.to_str()?;
    let is_it = |entry: &&Entry| {
        Path::new(&entry.tag) == about.with_extension("").file_name().unwrap_or_default()
            || entry.snapshot_names().iter().any(|snapshot| snapshot == name)
    };
    folder.journal().ok()?.entries.iter().find(is_it)
}

/// Returns the two migrations of a fork.
pub(super) fn fork<'a>(folder: &'a Folder, finding: &Finding) -> Option<Fork<'a>> {
    let later = entry_of(folder, finding).filter(|_| finding.id == SNAPSHOT_FORK.id)?;
    let snapshot = folder.snapshot(later)?;
    let made_from = |snapshot: &'a Snapshot| match &snapshot.content {
        SnapshotContent::Read { id, prev_id, .. } => Some((id.as_str(), prev_id.as_str())),
        SnapshotContent::Conflicted { .. } | SnapshotContent::Broken { .. } => None,
    };
    let (_, parent) = made_from(snapshot)?;
    let entries = &folder.journal().ok()?.entries;
    let mut others = entries.iter().filter(|entry| entry.tag != later.tag);
    others.find_map(|earlier| {
        let (id, from) = made_from(folder.snapshot(earlier)?)?;
        (from == parent).then_some(Fork { earlier, later, snapshot, id })
    })
}
