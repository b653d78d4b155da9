//! Tries every way to convert a column on the rows themselves, in one transaction that may not write and is rolled back.

use std::time::Duration;

use postgres_protocol::escape::escape_identifier;
use tokio::time::Instant;
use tokio_postgres::Client;

use crate::db::cast::conversions::{Candidate, candidates};
use crate::db::cast::tried::{Examined, Outcome, Trial, Tried, best, unless_lost};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::column::{assigns, read_column, read_type};
use crate::db::inspect::relation::Relation;
use crate::db::inspect::values::{EXAMPLE, N_EXAMPLES, QUOTED_VALUE, RowByRow, Source, VALUE, concerns_types, shorten};
use crate::db::limits::{LOCK, QUERY, TRIAL, milliseconds};

/// Tries how a column's values can become those of another type. Must not be called from asynchronous code.
///
/// `new_type` is as in drizzle-kit's statement. No table is changed or rewritten, and no lock is taken that would keep
/// anyone from reading or writing. What does not fit into the deadline is [`Outcome::Untried`].
///
/// # Errors
/// When the server cannot be asked: also where row level security would hide rows from us (42501), because what hides
/// there is changed as well.
pub fn examine(
    dsn: &Dsn,
    table: &Relation,
    column: &str,
    new_type: &str,
    deadline: Duration,
) -> Result<Examined, ConnectError> {
    within(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &Session { application_name: "drizzle-pilot", options: "" }).await?;
        let examined = look(&client, table, column, new_type, patience).await;
        // Poolers hand the connection on: nothing of ours may stay behind.
        let _ = client.batch_execute("ROLLBACK").await;
        examined.map_err(|error| explained(dsn, &error))
    })
}

async fn look(
    client: &Client,
    table: &Relation,
    column: &str,
    new_type: &str,
    patience: Patience,
) -> Result<Examined, tokio_postgres::Error> {
    let [lock, query] = [LOCK, QUERY].map(milliseconds);
    client
        .batch_execute(&format!(
            "BEGIN READ ONLY; SET LOCAL row_security = off;
             SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {query}"
        ))
        .await?;
    let Some(found) = read_column(client, table, column).await? else { return Ok(Examined::NoColumn) };
    let new = match read_type(client, new_type).await? {
        Ok(new) => new,
        Err(message) => return Ok(Examined::NoType { message }),
    };
    let source = Source::of(table, column, &found);
    let (n_rows, whole) = source.count(client).await?;
    let mut assigned = None;
    if assigns(client, &found.kind, &new).await? {
        client.batch_execute("SAVEPOINT assignment").await?;
        // A variable of the new type takes a value as the column would: a text that is too long is no text cut short.
        assigned = Some(
            source.row_by_row(client, &format!("new {new_type}\n"), &format!("new := {QUOTED_VALUE}")).await?.into(),
        );
        client.batch_execute("ROLLBACK TO SAVEPOINT assignment").await?;
    }

    let shown = candidates(&found.kind, &new, column);
    let tried = candidates(&found.kind, &new, VALUE);
    let mut trials = Vec::new();
    for (shown, tried) in shown.into_iter().zip(tried) {
        let left = patience.end.saturating_duration_since(Instant::now()) / 2;
        let outcome = if left < TRIAL {
            Outcome::Untried
        } else {
            let limit = milliseconds(left.min(QUERY));
            client.batch_execute(&format!("SAVEPOINT trial; SET LOCAL statement_timeout = {limit}")).await?;
            let outcome = attempt(client, &source, &tried).await?;
            client.batch_execute("ROLLBACK TO SAVEPOINT trial; RELEASE SAVEPOINT trial").await?;
            outcome
        };
        trials.push(Trial { using: shown.using, outcome });
    }
    let best = best(&trials, found.not_null);
    Ok(Examined::Tried(Box::new(Tried {
        table: table.clone(),
        column: column.to_owned(),
        old_type: found.kind.text,
        new_type: new.text,
        not_null: found.not_null,
        has_default: found.has_default,
        assigned: assigned.map(|outcome| unless_lost(outcome, &trials, column, new_type.trim())),
        n_rows,
        whole,
        trials,
        best,
    })))
}

impl From<RowByRow> for Outcome {
    fn from(found: RowByRow) -> Outcome {
        match found {
            // Not a row stops it, but the question whether they tell as much.
            RowByRow::Fits => Outcome::Unproven,
            RowByRow::Fails { n_failed, message, examples } => Outcome::Fails { n_failed, message, examples },
            RowByRow::TooSlow => Outcome::TooSlow,
        }
    }
}

/// Tries one way on all the rows at once, and row by row where that fails.
async fn attempt(client: &Client, source: &Source, candidate: &Candidate) -> Result<Outcome, tokio_postgres::Error> {
    let Candidate { using, kept } = candidate;
    client.batch_execute("SAVEPOINT whole").await?;
    let mut asked = source.convert(client, using, Some(kept)).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT whole").await?;
    // Not every type has a cast back, or an equality.
    let no_question = asked.as_ref().is_err_and(|error| concerns_types(error).is_some());
    if no_question {
        asked = source.convert(client, using, None).await;
        client.batch_execute("ROLLBACK TO SAVEPOINT whole").await?;
    }
    let error = match asked {
        Ok((0, 0)) if no_question => return Ok(Outcome::Unproven),
        Ok((0, 0)) => return Ok(Outcome::Keeps),
        Ok((n_null, 0)) => return Ok(Outcome::Blanks { n_null }),
        Ok((_, n_lost)) => {
            let examples = lost(client, source, using, kept).await?;
            return Ok(Outcome::Loses { n_lost, examples });
        }
        Err(error) => error,
    };
    if let Some((sqlstate, message)) = concerns_types(&error) {
        return Ok(Outcome::Impossible { sqlstate, message });
    }
    match error.code().map(|code| code.code().to_owned()).as_deref() {
        Some("57014" | "55P03") => Ok(Outcome::TooSlow),
        Some(_) => {
            let test = format!("converted := ({using}) IS NULL");
            Ok(source.row_by_row(client, "converted boolean", &test).await?.into())
        }
        None => Err(error),
    }
}

async fn lost(
    client: &Client,
    source: &Source,
    using: &str,
    kept: &str,
) -> Result<Vec<(String, String)>, tokio_postgres::Error> {
    let (values, value) = (source.values(), escape_identifier(VALUE));
    let sql = format!(
        "SELECT left({value}::text, {cut}), left(({using})::text, {cut}) FROM {values}
          WHERE ({using}) IS NOT NULL AND ({kept}) IS NOT TRUE LIMIT {N_EXAMPLES}",
        cut = EXAMPLE + 1
    );
    let rows = client.query_typed(&sql, &[]).await?;
    let text = |text: Option<&str>| shorten(text.unwrap_or("NULL"));
    Ok(rows.iter().map(|row| (text(row.get(0)), text(row.get(1)))).collect())
}
