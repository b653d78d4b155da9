//! Looks, once a push has nothing more to do, whether the database has what the schema files make: drizzle-kit's push does
//! not compare everything.

use crate::compare::difference::{Differences, MadeBy};
use crate::compare::uncompared::{self, LeftOut};
use crate::db::inspect::{fingerprint, hiding};
use crate::outcome::Verdict;
use crate::output::console::Console;
use crate::run::context::{Cleared, SchemaFiles, Starting};
use crate::run::record::RunRecord;
use crate::sql::Dialect;

/// So many objects are named in one warning; the report has all.
const MOST_NAMED: usize = 20;

/// Compares the database with what the schema files make, where drizzle-kit's push may have missed a difference, and warns of
/// what it found or that it could not.
///
/// `left_out` are schemas of the schema files that drizzle-kit does not look at.
#[tracing::instrument(name = "uncompared", skip_all)]
pub(super) fn look(
    start: &Starting,
    cleared: &Cleared,
    left_out: &[String],
    record: &mut RunRecord,
    console: &mut Console,
) {
    let (true, Some(Dialect::Postgres), Some(schema_files)) =
        (start.spec.asks_first(), cleared.place.dialect, start.lent.schema_files)
    else {
        return;
    };
    match find(start, cleared, schema_files, left_out, &record.statements(), console) {
        Ok(found) if found.is_empty() => {}
        Ok(found) => {
            // `check` tells what is found as findings.
            if !start.spec.tells_differences() {
                console.warn_in(record.report, &warning(&found));
            }
            record.report.comparisons.push(found);
        }
        Err(verdict) => {
            tracing::info!(verdict.summary, "the schema files could not be compared");
            let unseen = format!(
                "drizzle-kit's push does not compare all that the schema files make (conditions of row level security \
                 policies, checks, views, expressions), and drizzle-pilot could not: {}",
                verdict.summary
            );
            console.warn_in(record.report, &unseen);
        }
    }
}

fn find(
    start: &Starting,
    cleared: &Cleared,
    schema_files: &dyn SchemaFiles,
    left_out: &[String],
    statements: &[String],
    console: &mut Console,
) -> Result<Differences, Verdict> {
    let none = Differences::of(MadeBy::SchemaFiles, &[]);
    let (Some(dsn), Some(connection)) = (&cleared.place.dsn, cleared.connection(start)) else { return Ok(none) };
    let files = &cleared.files;
    let has_left_out = files.tables_filter.is_some() || !left_out.is_empty();
    let unseen = |error| start.unseen(&error);
    if !has_left_out && !hiding::may_hide(connection, start.patience()).map_err(unseen)? {
        return Ok(none);
    }
    let there = fingerprint::through(connection, start.patience()).map_err(unseen)?;
    let made = schema_files.schema(start.cwd, dsn, &cleared.policy, &start.clock, console)?;
    let other_schema = |schema: &str| !files.schemas.iter().any(|named| named == schema);
    let leaves_out = |table: &str| {
        files.tables_filter.as_ref().is_some_and(|filter| filter.leaves_out(start.kit_version.as_ref(), table))
    };
    let left_out = LeftOut { schema: &other_schema, table: &leaves_out };
    let found = uncompared::find(&made, &there.lines, statements, &left_out);
    Ok(Differences::of(MadeBy::SchemaFiles, &found))
}

/// Names what differs.
fn warning(found: &Differences) -> String {
    let names = found.whole_names();
    let named: Vec<&str> = names.iter().take(MOST_NAMED).map(String::as_str).collect();
    let more = match names.len().saturating_sub(MOST_NAMED) {
        0 => String::new(),
        n_more => format!(" and {n_more} more"),
    };
    format!(
        "drizzle-kit's push does not see {} between the schema files and the database: {}{more}; drizzle-pilot check --push \
         shows the definitions",
        found.counted(),
        named.join(", ")
    )
}
