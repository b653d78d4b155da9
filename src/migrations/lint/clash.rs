//! Names that two things cannot both have, and types whose schema drizzle-kit has lost: the migration cannot run.

use super::source::Source;
use crate::migrations::rule::{LOST_SCHEMA, NAME_TWICE};
use crate::sql::effect::{Effect, Reading, TypeText};
use crate::sql::twice::{Twice, twice};
use crate::sql::{ObjectName, rewrite};

/// Looks through all of the migrations in their order: a name that one gives is taken in the next.
pub(super) fn check(sources: &mut [Source<'_>]) {
    let mut places: Vec<(usize, usize)> = Vec::new();
    let mut readings: Vec<Reading> = Vec::new();
    for (source_idx, source) in sources.iter().enumerate() {
        for (statement_idx, stated) in source.script.statements.iter().enumerate() {
            places.push((source_idx, statement_idx));
            readings.push(stated.reading.clone());
        }
    }
    for Twice { statement_idx, first_idx, name, tables, is_clipped } in twice(&readings) {
        let ((first, _), (source_idx, statement_idx)) = (places[first_idx], places[statement_idx]);
        let clipped = if is_clipped { ", of which PostgreSQL keeps 63 bytes" } else { "" };
        let given = match tables {
            Some((one, other)) if one == other => format!("to two indexes or constraints of {one}"),
            Some((one, other)) => format!("to an index or constraint of {one} and to one of {other}"),
            None => "to two things".to_owned(),
        };
        let before =
            if first == source_idx { String::new() } else { format!(", first in {}", sources[first].path.display()) };
        let sentence = format!("the name {name}{clipped} is given {given}{before}");
        sources[source_idx].report(&NAME_TWICE, statement_idx, Some(&name), sentence);
    }
    for source in sources {
        lost_schemas(source);
    }
}

fn lost_schemas(source: &mut Source<'_>) {
    let types = |effect: &Effect| -> Option<(ObjectName, TypeText)> {
        match effect {
            Effect::ChangeType { column, to, .. } => Some((column.clone(), to.clone())),
            Effect::UseType { column, of } => Some((column.clone(), of.clone())),
            _ => None,
        }
    };
    let found: Vec<(usize, ObjectName, TypeText)> = source
        .effects()
        .filter_map(|(statement_idx, effect)| types(effect).map(|(column, of)| (statement_idx, column, of)))
        .collect();
    for (statement_idx, column, of) in found {
        if let Some(meant) = rewrite::meant_type(&of.text) {
            let sentence = format!("{column} gets the type {}, and {meant} is meant", of.text);
            source.report(&LOST_SCHEMA, statement_idx, Some(&column), sentence);
        }
    }
}
