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
mod value;

use crate::migrations::finding::Finding;
use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::journal_file::{JournalFile, conflict};
use crate::migrations::rule::{Named, Rule, Wishes};
use crate::migrations::schema::Schema;
use crate::sql::action::Action;
use crate::sql::{Dialect, ObjectName};
use clash::Clashes;
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
    files.sort_by_key(|file| (position(folder, file), &file.name));
    let Some(first) = files.iter().position(|file| looks_at(file)) else { return Vec::new() };
    let mut schema = Schema::empty(dialect);
    let mut runs = Runs::default();
    let mut clashes = Clashes::default();
    let mut findings = Vec::new();
    // Where a snapshot says what is there before the first that is looked at, the others need not be read.
    let is_told = folder.snapshot_before(files[first]).is_some_and(|snapshot| snapshot.is_readable());
    for (file_idx, file) in files.iter().enumerate() {
        if is_told && file_idx < first && !transaction::matters(file) {
            continue;
        }
        let is_looked_at = file_idx >= first && looks_at(file);
        if let Some(snapshot) = folder.snapshot_before(file).filter(|_| file_idx >= first) {
            schema.complete(snapshot);
        }
        let text = breakpoint::masked(&file.text);
        let mut source = Source::read(folder, file, &text, dialect, wishes);
        schema.begin();
        if is_looked_at {
            syntax::check(&mut source);
            breakpoint::check(&mut source);
            squawk::check(&mut source);
            ignore::check(&mut source);
        }
        let mut found = walk(&source, &mut schema, &mut runs, dialect);
        if dialect == Dialect::Postgres {
            clashes.look(&source, &mut found);
        }
        if is_looked_at {
            for found in found {
                source.report(found);
            }
            findings.extend(source.findings());
        }
    }
    findings
}

/// Goes through a file, and returns what the rules about its statements find.
fn walk(source: &Source<'_>, schema: &mut Schema, runs: &mut Runs, dialect: Dialect) -> Vec<Found> {
    let steps = source.steps();
    let clashes = foreign::clashes(schema);
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
    foreign::check(&clashes, schema, &steps, &mut found);
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
