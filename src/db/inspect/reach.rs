//! Looks up what statements would reach: rows, everything behind a drop, what stands in their way, the code that they run.
//!
//! Reads in one transaction that may not write, or in a part of one, with limits of time for every query.

mod acts;
mod code;
mod facts;
mod rows;
mod tables;
mod types;
mod wanted;

use std::time::Duration;

use tokio_postgres::Client;

use crate::db::connection::client::Connection;
use crate::db::connection::error::ConnectError;
use crate::db::inspect::blockers::Blocker;
use crate::db::inspect::lock::{Locking, Mode, lock};
use crate::db::limits::{LOCK, QUERY, milliseconds};

pub use crate::db::inspect::convertible::Convertible;
pub use crate::db::inspect::foresee::Deed;
pub use crate::db::inspect::relation::Relation;
pub use facts::{Facts, Found, Obstacle, Reached, Rows, Stop, Thing};
pub use wanted::{Act, Code, NewType, Required, Retyped, Subject, Wanted};

/// What a second look came to, before a consent that holds no lock.
pub enum Again {
    Seen(Box<Facts>),
    /// Somebody has written into the tables and not committed, and did not come to an end.
    Busy {
        by: Vec<Blocker>,
        waited: Duration,
    },
}

/// Waits for those who write into these tables, and looks up what is at stake while nobody does. The locks are given back at
/// the end of the look.
///
/// # Errors
/// When the server cannot be asked, or will not lock a table for us.
#[tracing::instrument(skip_all)]
pub fn look_again(
    connection: &Connection,
    wanted: &Wanted,
    tables: &[Relation],
    lock_timeout: Duration,
    deadline: Duration,
) -> Result<Again, ConnectError> {
    let [limit, query] = [lock_timeout, QUERY].map(|limit| milliseconds(limit.min(deadline)));
    let settings = format!(
        "SET LOCAL row_security = off; SET LOCAL lock_timeout = {limit}; SET LOCAL statement_timeout = 0; SAVEPOINT locking"
    );
    connection.look_aside(deadline, &settings, async |client| {
        if let Locking::Busy { by, waited } = lock(client, tables, Mode::Share).await? {
            return Ok(Again::Busy { by, waited });
        }
        client.batch_execute(&format!("SET LOCAL statement_timeout = {query}")).await?;
        Ok(Again::Seen(Box::new(read(client, wanted).await?)))
    })
}

/// Looks up what is at stake in a transaction that is to go on, and leaves its settings as they are.
pub(in crate::db) async fn read_within(client: &Client, wanted: &Wanted) -> Result<Facts, tokio_postgres::Error> {
    let query = milliseconds(QUERY);
    let settings = format!("SAVEPOINT rechecking; SET LOCAL row_security = off; SET LOCAL statement_timeout = {query}");
    client.batch_execute(&settings).await?;
    let facts = read(client, wanted).await?;
    client.batch_execute("ROLLBACK TO SAVEPOINT rechecking; RELEASE SAVEPOINT rechecking").await?;
    Ok(facts)
}

/// Looks up what statements would reach.
///
/// # Errors
/// When the server cannot be asked. What it does not tell in time is [`Rows::Unknown`].
#[tracing::instrument(skip_all)]
pub fn look_up(connection: &Connection, wanted: &Wanted, deadline: Duration) -> Result<Facts, ConnectError> {
    let [lock, query] = [LOCK, QUERY].map(|limit| milliseconds(limit.min(deadline)));
    let settings =
        format!("SET LOCAL row_security = off; SET LOCAL lock_timeout = {lock}; SET LOCAL statement_timeout = {query}");
    connection.look_aside(deadline, &settings, async |client| read(client, wanted).await)
}

/// As [`look_up`], in a transaction that is open, and leaves its settings as they are.
async fn read(client: &Client, wanted: &Wanted) -> Result<Facts, tokio_postgres::Error> {
    // Names without a schema are looked up as the server does it for a statement.
    let unknown_types = types::unknown_types(client, &wanted.types).await?;
    let mut facts = Facts { unknown_types, runs: code::runs(client, &wanted.code).await?, ..Facts::default() };
    for retyped in &wanted.retyped {
        let convertible = types::convertible(client, retyped).await?;
        facts.conversions.insert(retyped.clone(), convertible);
    }
    for required in &wanted.required {
        if let Some(rows) = rows::without(client, required).await? {
            facts.without.insert(required.clone(), rows);
        }
    }
    for table in &wanted.truncated {
        let emptied = rows::emptied_with(client, table).await?;
        facts.emptied.insert(table.clone(), emptied);
    }
    if !wanted.acts.is_empty() {
        client.batch_execute("SAVEPOINT foreseeing; SET LOCAL search_path = pg_catalog").await?;
        acts::foresee(client, &wanted.acts, &mut facts).await?;
        client.batch_execute("ROLLBACK TO SAVEPOINT foreseeing; RELEASE SAVEPOINT foreseeing").await?;
    }
    facts.primary_keys = tables::primary_keys(client, &wanted.constrained).await?;
    facts.on_views = tables::on_views(client, &wanted.remade).await?;
    let mut counted = wanted.counted.clone();
    counted.extend(facts.emptied.values().flatten().cloned());
    counted.extend(facts.reached.iter().filter_map(|reached| reached.thing.relation()));
    counted.sort();
    counted.dedup();
    for (relation, kind, estimate, extension) in rows::relations(client, &counted).await? {
        // A view holds no rows, and reading it runs whatever stands in it.
        let rows = if kind == 'v' { Rows::Exact(0) } else { rows::count(client, &relation, estimate).await? };
        facts.relations.insert(relation, Found { rows, extension });
    }
    Ok(facts)
}
