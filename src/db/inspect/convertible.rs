//! Finds what comes of the values of a column whose type changes.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::db::inspect::column::{assigns, read_column, read_type, runs_code_of_users};
use crate::db::inspect::kind::Family;
use crate::db::inspect::relation::Relation;
use crate::db::inspect::values::{QUOTED_VALUE, RowByRow, Source, concerns_types};

/// Values shown that an enum does not know: all of them, most often.
const N_VALUES: usize = 20;

/// How the values of a column become those of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::db) enum Conversion {
    /// As the server does it unasked.
    Assignment,
    /// By `USING column::type`.
    Cast,
}

/// What comes of the values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Convertible {
    /// Every row that was looked at.
    Fits,
    /// There is no conversion that the server applies, whatever the rows hold.
    NoCast { old: String, new: String },
    /// Some rows cannot be converted.
    Unfit {
        n_failed: u64,
        /// Some of their values.
        examples: Vec<String>,
        /// What the server says against the first.
        message: String,
        /// The values are elements of arrays.
        in_arrays: bool,
    },
    /// It was not found out: there is no such column, it took too long, or a user's own function would have run.
    Unknown,
}

/// Finds what comes of the values of a column whose type changes, in a transaction that is open and may fail.
pub(in crate::db) async fn convertible(
    client: &Client,
    table: &Relation,
    column: &str,
    new_type: &str,
    how: Conversion,
    has_rows: bool,
) -> Result<Convertible, tokio_postgres::Error> {
    let Some(found) = read_column(client, table, column).await? else { return Ok(Convertible::Unknown) };
    let Ok(new) = read_type(client, new_type).await? else { return Ok(Convertible::Unknown) };
    if runs_code_of_users(client, &found.kind, &new).await? {
        return Ok(Convertible::Unknown);
    }
    if how == Conversion::Assignment && !assigns(client, &found.kind, &new).await? {
        return Ok(Convertible::NoCast { old: found.kind.text, new: new.text });
    }
    if !has_rows {
        return Ok(Convertible::Fits);
    }
    let source = Source::of(table, column, &found);
    let using = format!("{QUOTED_VALUE}::{new_type}");
    client.batch_execute("SAVEPOINT whole").await?;
    let whole = source.convert(client, &using, None).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT whole").await?;
    let outcome = match (whole, how) {
        // A cast cuts a text short where an assignment fails.
        (Ok(_), Conversion::Assignment)
            if new.text != new.bare && matches!(new.family, Family::Text | Family::Other) =>
        {
            source.row_by_row(client, &format!("new {new_type}\n"), &format!("new := {QUOTED_VALUE}")).await?
        }
        (Ok(_), _) => return Ok(Convertible::Fits),
        (Err(error), _) if error.as_db_error().is_none() => return Err(error),
        (Err(error), Conversion::Cast) if concerns_types(&error).is_some() => {
            return Ok(Convertible::NoCast { old: found.kind.text, new: new.text });
        }
        (Err(_), Conversion::Assignment) => {
            source.row_by_row(client, &format!("new {new_type}\n"), &format!("new := {QUOTED_VALUE}")).await?
        }
        (Err(_), Conversion::Cast) => {
            source.row_by_row(client, "converted boolean", &format!("converted := ({using}) IS NULL")).await?
        }
    };
    Ok(match outcome {
        RowByRow::Fails { n_failed, message, examples } => {
            Convertible::Unfit { n_failed, message, examples, in_arrays: false }
        }
        RowByRow::TooSlow => Convertible::Unknown,
        RowByRow::Fits => Convertible::Fits,
    })
}

/// As [`convertible`], to an enum that is yet to be made.
pub(in crate::db) async fn fits_enum(
    client: &Client,
    table: &Relation,
    column: &str,
    (name, labels): (&Relation, &[String]),
    how: Conversion,
    has_rows: bool,
) -> Result<Convertible, tokio_postgres::Error> {
    let Some(found) = read_column(client, table, column).await? else { return Ok(Convertible::Unknown) };
    if how == Conversion::Assignment {
        return Ok(Convertible::NoCast { old: found.kind.text, new: format!("{}.{}", name.schema, name.name) });
    }
    if !has_rows {
        return Ok(Convertible::Fits);
    }
    let column = escape_identifier(column);
    let values = match found.kind.family {
        Family::Array => format!("pg_catalog.unnest(source.{column}::text[])"),
        _ => format!("source.{column}::text"),
    };
    let from = Source::of(table, &column, &found).from;
    let unfit = format!(
        "SELECT value, count(*), sum(count(*)) OVER ()::int8
           FROM (SELECT {values} AS value FROM {from} AS source) AS unfit
          WHERE value <> ALL ($1) GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {N_VALUES}"
    );
    let rows = client.query_typed(&unfit, &[(&labels, Type::TEXT_ARRAY)]).await?;
    let Some(first) = rows.first() else { return Ok(Convertible::Fits) };
    let examples = rows.iter().map(|row| row.get(0)).collect();
    Ok(Convertible::Unfit {
        n_failed: first.get::<_, i64>(2).unsigned_abs(),
        examples,
        message: String::new(),
        in_arrays: found.kind.family == Family::Array,
    })
}
