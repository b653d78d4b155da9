//! Finds the expression for USING that lets a column change its type and keep its rows.
//!
//! Every way that [`super::conversions`] can think of is tried on the rows themselves, in one transaction that may not
//! write and is rolled back. The type is written into these queries only after the server has read it as a type and
//! nothing else; each query is sent by the extended protocol, which takes a single statement.

pub mod conversions;

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::types::{Oid, Type};

use crate::db::cast::conversions::{Candidate, Family, Kind, candidates};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::reach::Relation;

/// Rows up to which a table is looked at.
const BOUND: u64 = 100_000;
/// The longest that one query of a trial may take.
const TRIAL: Duration = Duration::from_secs(5);
/// Waits for a lock, in milliseconds.
const LOCK_TIMEOUT: u32 = 1000;
/// Values shown of those that do not fit, and the characters shown of each.
const N_EXAMPLES: usize = 3;
/// Values shown that an enum does not know: all of them, most often.
const N_VALUES: usize = 20;
const EXAMPLE: usize = 40;
/// What a column is called in the trials.
const VALUE: &str = "value";
const QUOTED_VALUE: &str = "\"value\"";

/// What was found out about a change of type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Examined {
    NoColumn,
    /// The server knows no such type: it may be made by a statement that has not run.
    NoType {
        message: String,
    },
    Tried(Box<Tried>),
}

/// A column whose change was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    pub table: Relation,
    pub column: String,
    pub old_type: String,
    pub new_type: String,
    /// The column takes no NULL.
    pub not_null: bool,
    /// The column has a default, which USING does not convert: it has to be dropped before, and set again.
    pub has_default: bool,
    /// What comes of the rows where the statement has no USING; none where the server has no conversion that it applies
    /// unasked.
    pub assigned: Option<Outcome>,
    /// How many rows were looked at.
    pub n_rows: u64,
    /// These were all of them. Else the verdicts hold for the first 100,000 alone.
    pub whole: bool,
    pub trials: Vec<Trial>,
    /// The first that keeps every value; else the first that turns nothing but blanks into NULL, where NULL is allowed.
    pub best: Option<usize>,
}

/// One way, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    pub using: String,
    pub outcome: Outcome,
}

/// What a way does to the rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every row is converted, and every new value tells all that the old one told.
    Keeps,
    /// As before, but for values that become NULL.
    Blanks { n_null: u64 },
    /// Every row is converted, and some new values tell less than the old ones.
    Loses { n_lost: u64, examples: Vec<(String, String)> },
    /// Every row is converted, and there is no way to ask whether the new values tell as much.
    Unproven,
    /// Some rows cannot be converted.
    Fails { n_failed: u64, message: String, examples: Vec<String> },
    /// The server knows no such conversion, for any value.
    Impossible { sqlstate: String, message: String },
    /// It took too long, or the table is locked.
    TooSlow,
    /// The time was over before its turn.
    Untried,
}

impl Tried {
    /// Returns the best way's expression.
    pub fn using(&self) -> Option<&str> {
        self.best.map(|idx| &*self.trials[idx].using)
    }

    /// Returns the statement that changes the type in the best way.
    pub fn statement(&self) -> Option<String> {
        let (schema, name) = (escape_identifier(&self.table.schema), escape_identifier(&self.table.name));
        let (column, new_type) = (escape_identifier(&self.column), &self.new_type);
        let using = self.using()?;
        Some(format!("ALTER TABLE {schema}.{name} ALTER COLUMN {column} SET DATA TYPE {new_type} USING {using};"))
    }
}

fn best(trials: &[Trial], not_null: bool) -> Option<usize> {
    let keeps = trials.iter().position(|trial| trial.outcome == Outcome::Keeps);
    let blanks = || trials.iter().position(|trial| matches!(trial.outcome, Outcome::Blanks { .. }));
    keeps.or_else(|| if not_null { None } else { blanks() })
}

/// Where every row is converted, the plain cast between the two types tells whether the values are as they were: it is
/// what the server applies unasked then.
fn unless_lost(assigned: Outcome, trials: &[Trial], column: &str, new_type: &str) -> Outcome {
    let cast = format!("{}::{new_type}", escape_identifier(column));
    let plain = trials.iter().find(|trial| trial.using == cast).map(|trial| &trial.outcome);
    match (assigned, plain) {
        (Outcome::Unproven, Some(lost @ Outcome::Loses { .. })) => lost.clone(),
        (assigned, _) => assigned,
    }
}

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
    let limit = TRIAL.as_millis();
    client
        .batch_execute(&format!(
            "BEGIN READ ONLY; SET LOCAL row_security = off;
             SET LOCAL lock_timeout = {LOCK_TIMEOUT}; SET LOCAL statement_timeout = {limit}"
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
        assigned =
            Some(source.row_by_row(client, &format!("new {new_type}\n"), &format!("new := {QUOTED_VALUE}")).await?);
        client.batch_execute("ROLLBACK TO SAVEPOINT assignment").await?;
    }

    let shown = candidates(&found.kind, &new, column);
    let tried = candidates(&found.kind, &new, VALUE);
    let mut trials = Vec::new();
    for (shown, tried) in shown.into_iter().zip(tried) {
        let left = patience.end.saturating_duration_since(Instant::now()) / 2;
        let outcome = if left < Duration::from_millis(50) {
            Outcome::Untried
        } else {
            let limit = left.min(TRIAL).as_millis();
            client.batch_execute(&format!("SAVEPOINT trial; SET LOCAL statement_timeout = {limit}")).await?;
            let outcome = source.attempt(client, &tried).await?;
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

struct Column {
    kind: Kind,
    /// The base type of a domain: a variable of that has no constraints.
    storage: String,
    not_null: bool,
    has_default: bool,
}

async fn read_column(client: &Client, table: &Relation, column: &str) -> Result<Option<Column>, tokio_postgres::Error> {
    const COLUMN: &str = "
        SELECT a.atttypid, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef
          FROM pg_catalog.pg_attribute a
          JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
          JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = $1 AND c.relname = $2 AND a.attname = $3 AND a.attnum > 0 AND NOT a.attisdropped
           AND c.relkind IN ('r', 'p', 'f')";
    let parameters = [(&table.schema as _, Type::TEXT), (&table.name as _, Type::TEXT), (&column as _, Type::TEXT)];
    let rows = client.query_typed(COLUMN, &parameters).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (kind, storage) = read_kind(client, row.get(0), row.get(1)).await?;
    Ok(Some(Column { kind, storage, not_null: row.get(2), has_default: row.get(3) }))
}

/// Lets the server read the words of a type, and returns what it says against them.
pub(super) async fn read_type(client: &Client, words: &str) -> Result<Result<Kind, String>, tokio_postgres::Error> {
    client.batch_execute("SAVEPOINT words").await?;
    // The server's parser takes a type here, and nothing before or after it.
    let read = client.query_typed_one("SELECT pg_catalog.to_regtype($1)::oid", &[(&words, Type::TEXT)]).await;
    client.batch_execute("ROLLBACK TO SAVEPOINT words; RELEASE SAVEPOINT words").await?;
    let oid: Option<Oid> = match read {
        Ok(row) => row.get(0),
        Err(error) => match error.as_db_error() {
            Some(answer) => return Ok(Err(answer.message().to_owned())),
            None => return Err(error),
        },
    };
    match oid {
        Some(oid) => Ok(Ok(read_kind(client, oid, words.trim().to_owned()).await?.0)),
        None => Ok(Err(format!("type \"{words}\" does not exist"))),
    }
}

/// Tells whether the server has a cast between two types that it applies unasked. Every type becomes a string that way, and
/// an array does what its elements do.
async fn assigns(client: &Client, old: &Kind, new: &Kind) -> Result<bool, tokio_postgres::Error> {
    const ASSIGNS: &str = "
        WITH RECURSIVE base AS (
            SELECT side, pg_catalog.to_regtype(words)::oid AS oid
              FROM (VALUES ('old', $1), ('new', $2)) AS wanted(side, words)
            UNION ALL
            SELECT b.side, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype = 'd'
        ), side AS (
            SELECT b.side, t.* FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype <> 'd'
        )
        SELECT old.oid = new.oid OR new.typcategory = 'S' OR EXISTS (
            SELECT FROM pg_catalog.pg_cast
             WHERE castcontext IN ('a', 'i')
               AND ((castsource, casttarget) = (old.oid, new.oid)
                    OR (castsource, casttarget) = (old.typelem, new.typelem)
                       AND old.typcategory = 'A' AND new.typcategory = 'A'))
               OR (old.typcategory = 'A' AND new.typcategory = 'A' AND EXISTS (
                   SELECT FROM pg_catalog.pg_type element WHERE element.oid = new.typelem AND element.typcategory = 'S'))
          FROM side old, side new WHERE old.side = 'old' AND new.side = 'new'";
    let parameters = [(&old.bare as _, Type::TEXT), (&new.bare as _, Type::TEXT)];
    let rows = client.query_typed(ASSIGNS, &parameters).await?;
    Ok(rows.first().is_some_and(|row| row.get(0)))
}

/// How the values of a column become those of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
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
pub(super) async fn convertible(
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
        Outcome::Fails { n_failed, message, examples } => {
            Convertible::Unfit { n_failed, message, examples, in_arrays: false }
        }
        Outcome::TooSlow => Convertible::Unknown,
        _ => Convertible::Fits,
    })
}

/// As [`convertible`], to an enum that is yet to be made.
pub(super) async fn fits_enum(
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

/// Tells whether a cast between two types is a function that a user has made. It is not for a look to run it.
async fn runs_code_of_users(client: &Client, old: &Kind, new: &Kind) -> Result<bool, tokio_postgres::Error> {
    const RUNS: &str = "
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_cast x
             WHERE x.castfunc >= 16384 AND x.castsource = pg_catalog.to_regtype($1)
               AND x.casttarget = pg_catalog.to_regtype($2)
               AND NOT EXISTS (
                   SELECT FROM pg_catalog.pg_depend e
                    WHERE e.classid = 'pg_catalog.pg_proc'::regclass AND e.objid = x.castfunc AND e.deptype = 'e'))
            OR EXISTS (
                SELECT FROM pg_catalog.pg_type t
                 WHERE t.oid = pg_catalog.to_regtype($2) AND t.typtype = 'd')";
    let parameters = [(&old.bare as _, Type::TEXT), (&new.bare as _, Type::TEXT)];
    Ok(client.query_typed_one(RUNS, &parameters).await?.get(0))
}

async fn read_kind(client: &Client, oid: Oid, text: String) -> Result<(Kind, String), tokio_postgres::Error> {
    const KIND: &str = "
        WITH RECURSIVE base AS (
            SELECT * FROM pg_catalog.pg_type WHERE oid = $1
            UNION ALL
            SELECT t.* FROM base JOIN pg_catalog.pg_type t ON t.oid = base.typbasetype WHERE base.typtype = 'd'
        )
        SELECT CASE typnamespace WHEN 'pg_catalog'::regnamespace THEN typname ELSE '' END::text, typtype::text,
               typcategory::text, pg_catalog.format_type($1, NULL), pg_catalog.format_type(oid, NULL)
          FROM base WHERE typtype <> 'd'";
    let row = client.query_typed_one(KIND, &[(&oid, Type::OID)]).await?;
    let family = Family::of(row.get(0), row.get(1), row.get(2));
    Ok((Kind { text, bare: row.get(3), family }, row.get(4)))
}

/// Where the values come from; quoted.
struct Source {
    from: String,
    column: String,
    storage: String,
}

impl Source {
    fn of(table: &Relation, column: &str, found: &Column) -> Source {
        Source {
            from: format!("{}.{}", escape_identifier(&table.schema), escape_identifier(&table.name)),
            column: escape_identifier(column),
            storage: found.storage.clone(),
        }
    }

    async fn count(&self, client: &Client) -> Result<(u64, bool), tokio_postgres::Error> {
        let sql = format!("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS bounded", self.from, BOUND + 1);
        let n_rows = client.query_typed_one(&sql, &[]).await?.get::<_, i64>(0).unsigned_abs();
        Ok((n_rows.min(BOUND), n_rows <= BOUND))
    }

    fn values(&self) -> String {
        let Source { from, column, .. } = self;
        format!("(SELECT source.{column} AS {} FROM {from} AS source LIMIT {BOUND}) AS tried", escape_identifier(VALUE))
    }

    /// Tries one way on all the rows at once, and row by row where that fails.
    async fn attempt(&self, client: &Client, candidate: &Candidate) -> Result<Outcome, tokio_postgres::Error> {
        let Candidate { using, kept } = candidate;
        client.batch_execute("SAVEPOINT whole").await?;
        let mut asked = self.convert(client, using, Some(kept)).await;
        client.batch_execute("ROLLBACK TO SAVEPOINT whole").await?;
        // Not every type has a cast back, or an equality.
        let no_question = asked.as_ref().is_err_and(|error| concerns_types(error).is_some());
        if no_question {
            asked = self.convert(client, using, None).await;
            client.batch_execute("ROLLBACK TO SAVEPOINT whole").await?;
        }
        let error = match asked {
            Ok((0, 0)) if no_question => return Ok(Outcome::Unproven),
            Ok((0, 0)) => return Ok(Outcome::Keeps),
            Ok((n_null, 0)) => return Ok(Outcome::Blanks { n_null }),
            Ok((_, n_lost)) => {
                let examples = self.lost(client, using, kept).await?;
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
                self.row_by_row(client, "converted boolean", &test).await
            }
            None => Err(error),
        }
    }

    /// Converts the rows, and counts those that became NULL and those that tell less.
    async fn convert(
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

    async fn lost(
        &self,
        client: &Client,
        using: &str,
        kept: &str,
    ) -> Result<Vec<(String, String)>, tokio_postgres::Error> {
        let (values, value) = (self.values(), escape_identifier(VALUE));
        let sql = format!(
            "SELECT left({value}::text, {cut}), left(({using})::text, {cut}) FROM {values}
              WHERE ({using}) IS NOT NULL AND ({kept}) IS NOT TRUE LIMIT {N_EXAMPLES}",
            cut = EXAMPLE + 1
        );
        let rows = client.query_typed(&sql, &[]).await?;
        let text = |text: Option<&str>| shorten(text.unwrap_or("NULL"));
        Ok(rows.iter().map(|row| (text(row.get(0)), text(row.get(1)))).collect())
    }

    /// Counts the rows for which a statement about a variable fails, and picks some of them.
    async fn row_by_row(&self, client: &Client, variable: &str, test: &str) -> Result<Outcome, tokio_postgres::Error> {
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
                Some("57014" | "55P03") => Ok(Outcome::TooSlow),
                _ => Err(error),
            };
        }
        let row = client.query_typed_one(FOUND, &[]).await?;
        let n_failed = row.get::<_, i64>(0).unsigned_abs();
        if n_failed == 0 {
            // Not a row, but the question whether they tell as much.
            return Ok(Outcome::Unproven);
        }
        let examples = row.get::<_, Vec<String>>(2).iter().map(|text| shorten(text)).collect();
        Ok(Outcome::Fails { n_failed, message: row.get(1), examples })
    }
}

/// Returns code and message of an error that says that there is no such conversion: 42846 (no cast), 42883 (no function
/// or operator), 42804 (wrong type) and their like, and 0A000.
fn concerns_types(error: &tokio_postgres::Error) -> Option<(String, String)> {
    let answer = error.as_db_error()?;
    let sqlstate = answer.code().code();
    // 42501 is about rights.
    let concerns = (sqlstate.starts_with("42") && sqlstate != "42501") || sqlstate == "0A000";
    concerns.then(|| (sqlstate.to_owned(), answer.message().to_owned()))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(EXAMPLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trials(outcomes: &[Outcome]) -> Vec<Trial> {
        outcomes.iter().map(|outcome| Trial { using: String::new(), outcome: outcome.clone() }).collect()
    }

    #[test]
    fn only_what_keeps_every_row_is_the_best() {
        let fails = Outcome::Fails { n_failed: 1, message: String::new(), examples: Vec::new() };
        let loses = Outcome::Loses { n_lost: 1, examples: Vec::new() };
        let blanks = Outcome::Blanks { n_null: 1 };
        let all = [fails.clone(), loses.clone(), blanks, Outcome::Keeps];
        assert_eq!(best(&trials(&all), false), Some(3));
        assert_eq!(best(&trials(&all[..3]), false), Some(2));
        assert_eq!(best(&trials(&all[..3]), true), None);
        assert_eq!(best(&trials(&[fails, loses, Outcome::Unproven, Outcome::TooSlow, Outcome::Untried]), false), None);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        assert_eq!(shorten("größe"), "größe");
        assert_eq!(shorten(&"ö".repeat(41)), format!("{}…", "ö".repeat(40)));
    }
}
