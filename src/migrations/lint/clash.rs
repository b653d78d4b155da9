//! Names that two things cannot both have, and types whose schema drizzle-kit has lost: the migration cannot run.

use crate::migrations::lint::source::{Found, Source};
use crate::migrations::rule::{LOST_SCHEMA, NAME_TWICE, Named};
use crate::sql::effect::Effect;
use crate::sql::rewrite;
use crate::sql::twice::{Names, Twice};

/// The names that the migrations gave so far: one that a file gives is taken in the next.
#[derive(Default)]
pub(super) struct Clashes {
    names: Names,
    /// The file of each statement that was read.
    files: Vec<String>,
}

impl Clashes {
    /// Looks at the next file.
    pub(super) fn look(&mut self, source: &Source<'_>, found: &mut Vec<Found>) {
        let file = source.path.file_name().unwrap_or_default().to_string_lossy();
        for stated in &source.script.statements {
            let at = stated.place.start;
            self.files.push(file.to_string());
            for twice in self.names.read(&stated.reading) {
                let sentence = self.sentence(&twice, &file);
                found.push(Found { rule: Named::Ours(&NAME_TWICE), at, object: Some(twice.name), sentence });
            }
            for effect in &stated.reading.effects {
                let (Effect::ChangeType { column, to: of, .. } | Effect::UseType { column, of }) = effect else {
                    continue;
                };
                let Some(meant) = rewrite::meant_type(&of.text) else { continue };
                let sentence = format!("{column} gets the type {}, but {meant} is meant", of.text);
                found.push(Found { rule: Named::Ours(&LOST_SCHEMA), at, object: Some(column.clone()), sentence });
            }
        }
    }

    fn sentence(&self, twice: &Twice, file: &str) -> String {
        let Twice { first_idx, name, tables, is_clipped, .. } = twice;
        let clipped = if *is_clipped { ", of which PostgreSQL keeps 63 bytes" } else { "" };
        let given = match tables {
            Some((one, other)) if one == other => format!("to two indexes or constraints of {one}"),
            Some((one, other)) => format!("to an index or constraint of {one} and to one of {other}"),
            None => "to two things".to_owned(),
        };
        let first = &self.files[*first_idx];
        let before = if first == file { String::new() } else { format!(", first in {first}") };
        format!("the name {name}{clipped} is given {given}{before}")
    }
}
