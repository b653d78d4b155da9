//! What drizzle's transaction does not bear. drizzle runs all pending migrations in one (drizzle-orm, `PgDialect.migrate`).

use crate::migrations::folder::SqlFile;
use crate::migrations::lint::source::{Found, Source};
use crate::migrations::rule::{ENUM_VALUE_IN_FILE, ENUM_VALUE_IN_RUN, Named, OUTSIDE_TRANSACTION, TRANSACTION_CONTROL};
use crate::migrations::run::{Run, Trouble, Use};
use crate::migrations::schema::Schema;

/// A run of all migrations on an empty database.
#[derive(Default)]
pub(super) struct Runs {
    run: Run,
    /// The names of the files, in their order.
    files: Vec<String>,
}

/// Tells whether a migration changes what a later one may do in the same run.
pub(super) fn matters(file: &SqlFile) -> bool {
    let text = file.text.to_ascii_lowercase();
    ["value", "commit", "create type"].iter().any(|word| text.contains(word)) && text.contains("type")
        || text.contains("commit")
}

impl Runs {
    /// Looks at a statement of a file.
    pub(super) fn look(&mut self, source: &Source<'_>, statement_idx: usize, schema: &Schema, found: &mut Vec<Found>) {
        let name = source.path.file_name().unwrap_or_default().to_string_lossy();
        if self.files.last().is_none_or(|last| *last != name) {
            self.files.push(name.into_owned());
        }
        let own = self.files.len() - 1;
        let stated = &source.script.statements[statement_idx];
        for trouble in self.run.look(schema, &source.script, stated, source.n_beside(statement_idx), own) {
            let (rule, sentence) = match trouble {
                Trouble::Alone { what } => (
                    &OUTSIDE_TRANSACTION,
                    format!("{what} cannot run inside the transaction in which drizzle runs migrations"),
                ),
                Trouble::Control { what } => {
                    (&TRANSACTION_CONTROL, format!("{what} interferes with drizzle's transaction"))
                }
                Trouble::NewValue { how: Use::ByRows, .. } => continue,
                Trouble::NewValue { value, of, by, .. } if by == own => (
                    &ENUM_VALUE_IN_FILE,
                    format!("the value '{value}' is used in the file that adds it to the enum {of}"),
                ),
                Trouble::NewValue { value, of, by, .. } => (
                    &ENUM_VALUE_IN_RUN,
                    format!("the value '{value}' is used here, but {} adds it to the enum {of}", self.files[by]),
                ),
            };
            found.push(Found { rule: Named::Ours(rule), at: stated.place.start, object: None, sentence });
        }
    }
}
