//! Converts the values of a column, to see which of them can be.
//!
//! The type is written into these queries only after the server has read it as a type and nothing else; each query is sent by
//! the extended protocol, which takes a single statement.

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::Client;

use crate::db::inspect::column::Column;
use crate::db::inspect::relation::Relation;

/// Rows up to which a table is looked at.
const BOUND: u64 = 100_000;
/// Values shown of those that do not fit, and the characters shown of each.
pub(in crate::db) const N_EXAMPLES: usize = 3;
pub(in crate::db) const EXAMPLE: usize = 40;
/// What a column is called in the trials.
pub(in crate::db) const VALUE: &str = "value";
pub(in crate::db) const QUOTED_VALUE: &str = "\"value\"";

/// What came of values that were converted one by one.
pub(in crate::db) enum RowByRow {
    Fits,
    Fails {
        n_failed: u64,
        /// What the server says against the first.
        message: String,
        examples: Vec<String>,
    },
    /// It took too long, or the table is locked.
    TooSlow,
}

/// Where the values come from; quoted.
pub(in crate::db) struct Source {
    pub(in crate::db) from: String,
    pub(in crate::db) column: String,
    pub(in crate::db) storage: String,
}

impl Source {
    pub(in crate::db) fn of(table: &Relation, column: &str, found: &Column) -> Source {
        Source {
            from: format!("{}.{}", escape_identifier(&table.schema), escape_identifier(&table.name)),
            column: escape_identifier(column),
            storage: found.storage.clone(),
        }
    }

    pub(in crate::db) async fn count(&self, client: &Client) -> Result<(u64, bool), tokio_postgres::Error> {
        let sql = format!("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS bounded", self.from, BOUND + 1);
        let n_rows = client.query_typed_one(&sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
        Ok((n_rows.min(BOUND), n_rows <= BOUND))
    }

    pub(in crate::db) fn values(&self) -> String {
        let Source { from, column, .. } = self;
        format!("(SELECT source.{column} AS {} FROM {from} AS source LIMIT {BOUND}) AS tried", escape_identifier(VALUE))
    }

    /// Converts the rows, and counts those that became NULL and those that tell less.
    pub(in crate::db) async fn convert(
        &self,
        client: &Client,
        using: &str,
        kept: Option<&str>,
    ) -> Result<(u64, u64), tokio_postgres::Error> {
        let (values, value) = (self.values(), escape_identifier(VALUE));
        let kept = kept.unwrap_or("true");
        let sql = format!(
            "SELECT count(*) FILTER (WHERE {value} IS NOT NULL AND ({using}) IS NULL),
                    count(*) FILTER (WHERE ({using}) IS NOT NULL AND ({kept}) IS NOT TRUE) FROM {values}"
        );
        let row = client.query_typed_one(&sql, &[]).await?;
        Ok((row.get::<_, i64>(0).unsigned_abs(), row.get::<_, i64>(1).unsigned_abs()))
    }

    /// Counts the rows for which a statement about a variable fails, and picks some of them.
    pub(in crate::db) async fn row_by_row(
        &self,
        client: &Client,
        variable: &str,
        test: &str,
    ) -> Result<RowByRow, tokio_postgres::Error> {
        // A block returns nothing; settings of the transaction carry out what it found.
        const FOUND: &str = "
            SELECT pg_catalog.current_setting('drizzle_pilot.n_failed')::int8,
                   pg_catalog.current_setting('drizzle_pilot.message'),
                   ARRAY(SELECT pg_catalog.json_array_elements_text(
                       pg_catalog.current_setting('drizzle_pilot.examples')::json))";
        let (Source { from, column, storage }, value) = (self, QUOTED_VALUE);
        let block = format!(
            "DECLARE
                 {value} {storage};
                 drizzle_pilot_{variable};
                 drizzle_pilot_failed int8 := 0;
                 drizzle_pilot_message text := '';
                 drizzle_pilot_examples text[] := '{{}}';
             BEGIN
                 FOR {value} IN SELECT source.{column} FROM {from} AS source LIMIT {BOUND} LOOP
                     BEGIN
                         drizzle_pilot_{test};
                     EXCEPTION WHEN OTHERS THEN
                         IF drizzle_pilot_failed = 0 THEN
                             drizzle_pilot_message := left(SQLERRM, 200);
                         END IF;
                         drizzle_pilot_failed := drizzle_pilot_failed + 1;
                         IF drizzle_pilot_failed <= {N_EXAMPLES} THEN
                             drizzle_pilot_examples :=
                                 array_append(drizzle_pilot_examples, left({value}::text, {cut}));
                         END IF;
                     END;
                 END LOOP;
                 PERFORM set_config('drizzle_pilot.n_failed', drizzle_pilot_failed::text, true),
                         set_config('drizzle_pilot.message', drizzle_pilot_message, true),
                         set_config('drizzle_pilot.examples', array_to_json(drizzle_pilot_examples)::text, true);
             END",
            cut = EXAMPLE + 1
        );
        if let Err(error) = client.execute_typed(&format!("DO {}", escape_literal(&block)), &[]).await {
            return match error.code().map(|code| code.code()) {
                Some("57014" | "55P03") => Ok(RowByRow::TooSlow),
                _ => Err(error),
            };
        }
        let row = client.query_typed_one(FOUND, &[]).await?;
        let n_failed = row.get::<_, i64>(0).unsigned_abs();
        if n_failed == 0 {
            return Ok(RowByRow::Fits);
        }
        let examples = row.get::<_, Vec<String>>(2).iter().map(|text| shorten(text)).collect();
        Ok(RowByRow::Fails { n_failed, message: row.get(1), examples })
    }
}

/// Returns code and message of an error that says that there is no such conversion: 42846 (no cast), 42883 (no function
/// or operator), 42804 (wrong type) and their like, and 0A000.
pub(in crate::db) fn concerns_types(error: &tokio_postgres::Error) -> Option<(String, String)> {
    let answer = error.as_db_error()?;
    let sqlstate = answer.code().code();
    // 42501 is about rights.
    let concerns = (sqlstate.starts_with("42") && sqlstate != "42501") || sqlstate == "0A000";
    concerns.then(|| (sqlstate.to_owned(), answer.message().to_owned()))
}

pub(in crate::db) fn shorten(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(shorten("größe"), "größe");
        assert_eq!(shorten(&"ö".repeat(41)), format!("{}…", "ö".repeat(40)));
    }
}
