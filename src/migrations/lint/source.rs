//! A migration that is looked at: its statements, its breakpoints, its ignore comments, and what was found so far.

use std::ops::Range;
use std::path::PathBuf;

use super::breakpoint;
use super::ignore::{self, Ignore};
use crate::migrations::finding::{Finding, Place, Position};
use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::journal_file::JournalFile;
use crate::migrations::rule::{Named, Rule, Wishes};
use crate::sql::effect::{Effect, Reading};
use crate::sql::script::{self, Script};
use crate::sql::{self, Dialect, Facts, Found, ObjectName};

/// A migration that is looked at.
pub(super) struct Source<'a> {
    pub(super) path: PathBuf,
    /// The file as it is.
    pub(super) text: &'a str,
    pub(super) script: Script<'a>,
    /// The hazards of each statement, as far as it is understood.
    pub(super) hazards: Vec<Vec<Found>>,
    /// Where each breakpoint stands.
    pub(super) breakpoints: Vec<Range<usize>>,
    /// Whether the project has breakpoints at all.
    pub(super) has_breakpoints: bool,
    pub(super) ignores: Vec<Ignore>,
    pub(super) wishes: Wishes<'a>,
    findings: Vec<(usize, Finding)>,
}

impl<'a> Source<'a> {
    /// Reads a migration. The text is that of the file, with what drizzle takes for the end of a statement put as such.
    pub(super) fn read(
        folder: &Folder,
        file: &'a SqlFile,
        masked: &'a str,
        dialect: Dialect,
        wishes: Wishes<'a>,
    ) -> Source<'a> {
        let script = script::read(masked, dialect);
        // What is not understood does nothing that anybody could speak of.
        let understood = |reading: &Reading| Reading {
            kind: reading.kind.clone(),
            runs: reading.runs.clone(),
            effects: reading.effects.iter().filter(|effect| **effect != Effect::Unknown).cloned().collect(),
        };
        let readings: Vec<Reading> = script.statements.iter().map(|stated| understood(&stated.reading)).collect();
        let entry = match &folder.journal {
            JournalFile::Read(journal) => journal.entries.iter().find(|entry| entry.tag == file.tag()),
            JournalFile::Missing | JournalFile::Conflicted { .. } | JournalFile::Broken { .. } => None,
        };
        Source {
            path: folder.path.join(&file.name),
            text: &file.text,
            hazards: sql::weigh(&readings, &Facts::default()).into_iter().map(|weighed| weighed.hazards).collect(),
            breakpoints: breakpoint::places(&file.text),
            has_breakpoints: entry.is_none_or(|entry| entry.breakpoints),
            ignores: ignore::read(&script),
            script,
            wishes,
            findings: Vec::new(),
        }
    }

    /// Returns the texts of the statements.
    pub(super) fn statements(&self) -> impl Iterator<Item = &'a str> + '_ {
        self.script.statements.iter().map(|stated| &self.script.text[stated.place.clone()])
    }

    /// Returns everything that the file does, with the index of the statement.
    pub(super) fn effects(&self) -> impl Iterator<Item = (usize, &Effect)> {
        let statements = self.script.statements.iter().enumerate();
        statements.flat_map(|(idx, stated)| stated.reading.effects.iter().map(move |effect| (idx, effect)))
    }

    /// Takes a finding of a rule about an object of a statement, unless nobody wants to hear it.
    pub(super) fn report(
        &mut self,
        rule: &'static Rule,
        statement_idx: usize,
        object: Option<&ObjectName>,
        sentence: String,
    ) {
        let at = self.script.statements[statement_idx].place.start;
        self.report_at(Named::Ours(rule), at, object, |place, level| rule.finding(level, place, sentence));
    }

    /// Takes a finding at a place in the text, unless nobody wants to hear it.
    pub(super) fn report_at(
        &mut self,
        named: Named,
        at: usize,
        object: Option<&ObjectName>,
        finding: impl FnOnce(Place, crate::migrations::Level) -> Finding,
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
