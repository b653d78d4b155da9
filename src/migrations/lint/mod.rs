//! Looks for statements in migrations that lose data, block, or fail, before they run.
//!
//! One file per rule or small family. Each sees one thing that a migration does, and what is there before it, and says what
//! it found; whether anybody wants to hear it is told by the wishes of the user and by ignore comments, at one place
//! (`Source::report`).

mod access;
mod blocking;
mod breakpoint;
mod cast;
mod clash;
mod foreign;
mod ignore;
mod loss;
mod naming;
mod rebuild;
mod source;
mod squawk;
mod syntax;
mod transaction;
mod unknown_ignore;
mod value;

use std::collections::{BTreeMap, BTreeSet};

use crate::migrations::finding::Finding;
use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::journal_file::{Entry, JournalFile, conflict};
use crate::migrations::rule::{Named, Rule, Wishes};
use crate::migrations::schema::Schema;
use crate::migrations::snapshot::Snapshot;
use crate::parallel;
use crate::sql::action::Action;
use crate::sql::{Dialect, ObjectName};
use clash::Clashes;
use foreign::Clash;
use source::{Found, Source, Steps};
use transaction::Runs;

/// One thing that a migration does, and what is there before it.
struct Seen<'s> {
    schema: &'s Schema,
    /// Everything that the file does.
    steps: &'s Steps<'s>,
    /// Which of it.
    idx: usize,
    dialect: Dialect,
}

impl Seen<'_> {
    fn action(&self) -> &Action {
        &self.steps.all[self.idx].action
    }

    fn found(&self, rule: &'static Rule, object: Option<&ObjectName>, sentence: String) -> Found {
        Found { rule: Named::Ours(rule), at: self.steps.all[self.idx].at, object: object.cloned(), sentence }
    }

    fn later(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.steps.later(self.idx, wanted)
    }

    fn before(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.steps.before(self.idx, wanted)
    }

    fn anywhere(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        self.steps.all.iter().any(|step| wanted(&step.action))
    }

    /// Tells whether something is done in the file before the statement.
    fn before_statement(&self, wanted: impl Fn(&Action) -> bool) -> bool {
        let own = self.steps.statements[self.idx];
        let before = self.steps.all.iter().zip(&self.steps.statements).filter(|(_, statement)| **statement < own);
        before.map(|(step, _)| &step.action).any(wanted)
    }
}

/// Returns what is found in the statements of the migrations that are to be looked at, by the name of their file.
///
/// What the statements do is known for the dialects that drizzle-kit writes; for others nothing is found.
pub fn run(folder: &Folder, looks_at: &dyn Fn(&SqlFile) -> bool, wishes: Wishes<'_>) -> Vec<Finding> {
    let Some(dialect) = dialect(folder) else { return Vec::new() };
    // A file with conflict markers is no SQL, which is a finding of its own.
    let mut files: Vec<&SqlFile> = folder.files.iter().filter(|file| conflict(&file.text).is_none()).collect();
    let listed = listed(folder);
    files.sort_by_cached_key(|file| (listed.get(file.tag()).map_or(usize::MAX, |it| it.idx), &file.name));
    let Some(first) = files.iter().position(|file| looks_at(file)) else { return Vec::new() };
    // Where a snapshot says what is there before the first that is looked at, the others need not be read.
    let snapshot_before = |file: &SqlFile| listed.get(file.tag()).and_then(|listed| listed.snapshot_before);
    let is_told = snapshot_before(files[first]).is_some_and(|snapshot| snapshot.is_readable());
    let mut read: Vec<ToRead<'_>> = Vec::new();
    for (file_idx, file) in files.into_iter().enumerate() {
        let is_before = file_idx < first;
        if !is_before || !is_told || transaction::matters(file) {
            read.push(ToRead {
                file,
                masked: breakpoint::masked(&file.text),
                entry: listed.get(file.tag()).map(|listed| listed.entry),
                snapshot_before: snapshot_before(file).filter(|_| !is_before),
                is_looked_at: !is_before && looks_at(file),
            });
        }
    }
    let mut schema = Schema::empty(dialect);
    let mut runs = Runs::default();
    let mut clashes = Clashes::default();
    let mut clashing = foreign::clashes(&schema);
    let mut findings = Vec::new();
    // What a file alone says is found on all cores; what it does to the schema depends on the files before it.
    parallel::in_order(
        &read,
        |read| {
            let mut source = Source::read(folder, read.file, read.entry, &read.masked, dialect, wishes);
            if read.is_looked_at {
                syntax::check(&mut source);
                breakpoint::check(&mut source);
                squawk::check(&mut source);
                unknown_ignore::check(&mut source);
            }
            source
        },
        |read, mut source| {
            if let Some(snapshot) = read.snapshot_before {
                schema.complete(snapshot);
                clashing = foreign::clashes(&schema);
            }
            schema.begin();
            let mut found = walk(&source, &mut schema, &mut clashing, &mut runs, dialect);
            if dialect == Dialect::Postgres {
                clashes.look(&source, &mut found);
            }
            if read.is_looked_at {
                for found in found {
                    source.report(found);
                }
                findings.extend(source.findings());
            }
        },
    );
    findings
}

/// A migration that is to be read.
struct ToRead<'a> {
    file: &'a SqlFile,
    masked: String,
    entry: Option<&'a Entry>,
    /// What says which tables there are before it.
    snapshot_before: Option<&'a Snapshot>,
    is_looked_at: bool,
}

/// What the journal says about a migration.
struct Listed<'a> {
    /// Where it stands among the migrations.
    idx: usize,
    entry: &'a Entry,
    /// The snapshot of the last migration before it that has one.
    snapshot_before: Option<&'a Snapshot>,
}

/// Returns what the journal says, by tag: of two entries of one tag, what the first says.
fn listed(folder: &Folder) -> BTreeMap<&str, Listed<'_>> {
    let entries = folder.journal().map(|journal| journal.entries.as_slice()).unwrap_or_default();
    let snapshots: BTreeMap<&str, &Snapshot> =
        folder.snapshots.iter().map(|snapshot| (snapshot.name.as_str(), snapshot)).collect();
    let mut listed = BTreeMap::new();
    let mut snapshot_before = None;
    for (idx, entry) in entries.iter().enumerate() {
        listed.entry(entry.tag.as_str()).or_insert(Listed { idx, entry, snapshot_before });
        let own = entry.snapshot_names();
        let own = own.iter().filter_map(|name| snapshots.get(name.as_str()).copied());
        snapshot_before = own.min_by_key(|snapshot| &snapshot.name).or(snapshot_before);
    }
    listed
}

/// Goes through a file, and returns what the rules about its statements find.
/// `clashing` is what clashes before it, and then after it.
fn walk(
    source: &Source<'_>,
    schema: &mut Schema,
    clashing: &mut BTreeSet<Clash>,
    runs: &mut Runs,
    dialect: Dialect,
) -> Vec<Found> {
    let steps = source.steps();
    let mut found = Vec::new();
    let mut idx = 0;
    for (statement_idx, stated) in source.script.statements.iter().enumerate() {
        if dialect == Dialect::Postgres {
            runs.look(source, statement_idx, schema, &mut found);
        }
        for step in &stated.steps {
            let seen = Seen { schema, steps: &steps, idx, dialect };
            // What drizzle cuts in two is told as that.
            if matches!(step.action, Action::Unread { .. }) && source.is_cut(statement_idx) {
                idx += 1;
                continue;
            }
            loss::check(&seen, &mut found);
            value::check(&seen, &mut found);
            cast::check(&seen, &mut found);
            blocking::check(&seen, &mut found);
            naming::check(&seen, &mut found);
            access::check(&seen, &mut found);
            rebuild::check(&seen, &mut found);
            schema.apply(step);
            idx += 1;
        }
    }
    foreign::check(clashing, schema, &steps, &mut found);
    rebuild::leftovers(schema, &steps, &mut found);
    found
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
