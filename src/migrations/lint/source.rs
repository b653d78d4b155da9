//! A migration that is looked at: its statements, its breakpoints, its ignore comments, and what was found so far.

use std::ops::Range;
use std::path::PathBuf;

use crate::migrations::finding::{Finding, Level, Place, Position};
use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::journal_file::Entry;
use crate::migrations::lint::ignore::{self, Ignore};
use crate::migrations::query::BREAKPOINT;
use crate::migrations::rule::{Named, Wishes};
use crate::sql::action::{Action, Step};
use crate::sql::script::{self, Script};
use crate::sql::{Dialect, ObjectName};

/// A migration that is looked at.
pub(super) struct Source<'a> {
    pub(super) path: PathBuf,
    /// The file as it is.
    pub(super) text: &'a str,
    pub(super) script: Script<'a>,
    /// Where each breakpoint stands.
    pub(super) breakpoints: Vec<Range<usize>>,
    /// Whether the project has breakpoints at all.
    pub(super) has_breakpoints: bool,
    pub(super) ignores: Vec<Ignore>,
    pub(super) wishes: Wishes<'a>,
    findings: Vec<(usize, Finding)>,
}

/// Something that a rule found, before anybody asks who wants to hear it.
pub(super) struct Found {
    pub(super) rule: Named,
    /// Where, in bytes.
    pub(super) at: usize,
    pub(super) object: Option<ObjectName>,
    pub(super) sentence: String,
}

/// The steps of a file, in their order.
pub(super) struct Steps<'s> {
    pub(super) all: Vec<&'s Step>,
    /// The statement of each.
    pub(super) statements: Vec<usize>,
}

impl Steps<'_> {
    /// Tells whether something is done later in the file.
    pub(super) fn later(&self, idx: usize, wanted: impl Fn(&Action) -> bool) -> bool {
        self.all[idx + 1..].iter().any(|step| wanted(&step.action))
    }

    /// Tells whether something is done before in the file.
    pub(super) fn before(&self, idx: usize, wanted: impl Fn(&Action) -> bool) -> bool {
        self.all[..idx].iter().any(|step| wanted(&step.action))
    }
}

impl<'a> Source<'a> {
    /// Reads a migration. The text is that of the file, with what drizzle takes for the end of a statement put as such.
    pub(super) fn read(
        folder: &Folder,
        file: &'a SqlFile,
        entry: Option<&Entry>,
        masked: &'a str,
        dialect: Dialect,
        wishes: Wishes<'a>,
    ) -> Source<'a> {
        let script = script::read(masked, dialect);
        Source {
            path: folder.path.join(&file.name),
            text: &file.text,
            breakpoints: breakpoints(&file.text),
            has_breakpoints: entry.is_none_or(|entry| entry.breakpoints),
            ignores: ignore::read(&script),
            script,
            wishes,
            findings: Vec::new(),
        }
    }

    /// Returns how many other statements the server gets in one query with this one.
    pub(super) fn n_beside(&self, statement_idx: usize) -> usize {
        let query_of = |at: usize| self.breakpoints.partition_point(|breakpoint| breakpoint.start < at);
        let statements = &self.script.statements;
        let own = query_of(statements[statement_idx].place.start);
        statements.iter().filter(|stated| query_of(stated.place.start) == own).count() - 1
    }

    /// Tells whether drizzle cuts a statement in two.
    pub(super) fn is_cut(&self, statement_idx: usize) -> bool {
        let place = &self.script.statements[statement_idx].place;
        self.breakpoints.iter().any(|breakpoint| place.start < breakpoint.start && breakpoint.end < place.end)
    }

    /// Returns everything that the file does.
    pub(super) fn steps(&self) -> Steps<'_> {
        let of_statement = self.script.statements.iter().enumerate();
        let placed = of_statement.flat_map(|(idx, stated)| stated.steps.iter().map(move |step| (step, idx)));
        let (all, statements) = placed.unzip();
        Steps { all, statements }
    }

    /// Takes what a rule found, unless nobody wants to hear it.
    pub(super) fn report(&mut self, found: Found) {
        let Found { rule, at, object, sentence } = found;
        self.report_at(rule, at, object.as_ref(), |place, level| match rule {
            Named::Ours(rule) => rule.finding(level, place, sentence),
            Named::Squawk(id, _) => of_squawk(id, level, place, sentence),
        });
    }

    /// Takes a finding at a place in the text, unless nobody wants to hear it.
    pub(super) fn report_at(
        &mut self,
        named: Named,
        at: usize,
        object: Option<&ObjectName>,
        finding: impl FnOnce(Place, Level) -> Finding,
    ) {
        let Some(level) = (self.wishes.level)(named) else { return };
        if object.is_some_and(|object| (self.wishes.spares)(named, object))
            || self.ignores.iter().any(|ignore| ignore.covers(named, at))
        {
            return;
        }
        let place = Place { file: self.path.clone(), at: Position::of(self.text, at) };
        self.findings.push((at, finding(place, level)));
    }

    /// Returns what was found, in the order of the text.
    pub(super) fn findings(mut self) -> Vec<Finding> {
        self.findings.sort_by_key(|(at, _)| *at);
        self.findings.into_iter().map(|(_, finding)| finding).collect()
    }
}

/// Returns where the breakpoints of a file stand.
fn breakpoints(text: &str) -> Vec<Range<usize>> {
    text.match_indices(BREAKPOINT).map(|(at, breakpoint)| at..at + breakpoint.len()).collect()
}

/// Makes a finding of a rule of squawk's that we look for ourselves.
fn of_squawk(id: &'static str, level: Level, place: Place, sentence: String) -> Finding {
    Finding {
        id,
        level,
        place,
        sentence,
        why: "every row is rewritten with its own value, and nobody can read or write the table meanwhile".to_owned(),
        what_to_do: "add the column without the value, fill it in batches, and then set the default".to_owned(),
        about: None,
    }
}
