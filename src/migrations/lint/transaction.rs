//! What drizzle's transaction does not bear. drizzle runs all pending migrations in one (drizzle-orm, `PgDialect.migrate`).

use super::source::Source;
use crate::migrations::rule::{ENUM_VALUE_IN_FILE, ENUM_VALUE_IN_RUN, OUTSIDE_TRANSACTION, TRANSACTION_CONTROL};
use crate::sql::transaction::{Obstacle, Why, obstacles};

pub(super) fn check(sources: &mut [Source<'_>]) {
    let mut statements: Vec<&str> = Vec::new();
    // The source and the statement in it, by the index in the run.
    let mut places: Vec<(usize, usize)> = Vec::new();
    for (source_idx, source) in sources.iter().enumerate() {
        for (statement_idx, sql) in source.statements().enumerate() {
            statements.push(sql);
            places.push((source_idx, statement_idx));
        }
    }
    let obstacles: Vec<Obstacle> = obstacles(&statements).collect();
    for Obstacle { statement_idx, why } in obstacles {
        let (source_idx, at) = places[statement_idx];
        let (rule, sentence) = match why {
            Why::Alone { what } => (
                &OUTSIDE_TRANSACTION,
                format!("{what} cannot run inside the transaction in which drizzle runs migrations"),
            ),
            Why::Control { what } => (&TRANSACTION_CONTROL, format!("{what} takes over drizzle's transaction")),
            Why::NewValue { value, added_idx } => {
                let value = value.map_or_else(|| "a value".to_owned(), |value| format!("the value '{value}'"));
                let (added_in, _) = places[added_idx];
                if added_in == source_idx {
                    (&ENUM_VALUE_IN_FILE, format!("{value} is used in the file that adds it to an enum"))
                } else {
                    let file = sources[added_in].path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                    (&ENUM_VALUE_IN_RUN, format!("{value} may be used here, and {file} adds it to an enum"))
                }
            }
            // A syntax error already.
            Why::Unreadable => continue,
        };
        sources[source_idx].report(rule, at, None, sentence);
    }
}
