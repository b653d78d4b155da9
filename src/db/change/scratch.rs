//! A database that exists for one look: the migrations are run in it, its schema is read, and it is dropped.
//!
//! The statements run one by one, each by itself. drizzle's migrator runs all of a run in one transaction, which some
//! folders do not survive (55P04, 25001) although they were applied step by step; what they make is the same.

use std::time::Duration;

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::Client;

use crate::db::change::confine::Confine;
use crate::db::change::fault::Fault;
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, by_deadline, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::fingerprint::{self, Fingerprint};
use crate::db::inspect::migrations_table;
use crate::db::inspect::relation::Relation;
use crate::db::limits::DROP;

/// What the databases are called, with the number of our process and a moment behind it.
pub const PREFIX: &str = "drizzle_pilot_scratch_";

/// What is built.
pub struct Blueprint<'a> {
    /// Gives the statements, one query each, as drizzle's migrator sends them, where they stay in the database.
    pub confine: &'a Confine<'a>,
    /// The migrations table, where the other database has it: it is part of the schema there.
    pub migrations_table: Option<Relation>,
}

/// Why no schema was built.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error(transparent)]
    Unready(ConnectError),
    /// 42501.
    #[error("user {user} may not create a database, but comparing the migrations needs a scratch database")]
    MayNotCreate { user: String },
    /// What a statement does would not stay in the other database. Nothing was run.
    #[error("a statement acts outside the database that it runs in, or may do so")]
    Leaves,
    /// A statement does not run in an empty database.
    #[error("the migrations do not run in an empty database: {}", fault.message)]
    Statement { idx: usize, fault: Box<Fault> },
}

/// A scratch database that is still there, because it could not be dropped.
#[derive(Debug, thiserror::Error)]
#[error(
    "the scratch database {name} could not be dropped: {reason}; drop it with DROP DATABASE {}",
    escape_identifier(name)
)]
pub struct LeftBehind {
    pub name: String,
    pub reason: String,
}

/// Runs the statements in a database of their own on the server of another one, with its extensions, and returns its
/// schema. `left_behind` is told where that database could not be dropped. Must not be called from asynchronous code.
///
/// # Errors
/// Where a statement would act beyond the database, the database cannot be created, or a statement fails in it.
#[tracing::instrument(name = "scratch", skip_all)]
pub fn build(
    dsn: &Dsn,
    blueprint: &Blueprint,
    deadline: Duration,
    left_behind: &mut dyn FnMut(LeftBehind),
) -> Result<Fingerprint, ScratchError> {
    let Blueprint { confine, .. } = blueprint;
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let name = format!("{PREFIX}{}_{:x}", std::process::id(), since_1970.as_micros());
    let made = within(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &SESSION).await?;
        let extensions = extensions(&client).await.map_err(|error| explained(dsn, &error))?;
        let confined = confine.within(&client).await.map_err(|error| explained(dsn, &error))?;
        let Some(statements) = confined else { return Ok(Err(ScratchError::Leaves)) };
        match client.batch_execute(&format!("CREATE DATABASE {}", escape_identifier(&name))).await {
            Ok(()) => Ok(Ok((extensions, statements))),
            Err(error) if error.code().is_some_and(|code| code.code() == "42501") => {
                Ok(Err(ScratchError::MayNotCreate { user: dsn.address().user.clone() }))
            }
            Err(error) => Err(explained(dsn, &error)),
        }
    });
    let (extensions, statements) = match made {
        Ok(Ok(made)) => made,
        Ok(Err(unmade)) => return Err(unmade),
        // The reply may have been lost after the database was made.
        Err(error) => {
            drop(Dropped { dsn, name: &name, left_behind });
            return Err(ScratchError::Unready(error));
        }
    };
    let dropped = Dropped { dsn, name: &name, left_behind };
    let there = dsn.of_database(&name);
    let built =
        within(&there, deadline, async |patience| fill(&there, blueprint, &statements, &extensions, patience).await);
    let seen = match built {
        Ok(Ok(())) => fingerprint::fingerprint(&there, deadline).map_err(ScratchError::Unready),
        Ok(Err((idx, fault))) => Err(ScratchError::Statement { idx, fault }),
        Err(error) => Err(ScratchError::Unready(error)),
    };
    drop(dropped);
    seen
}

const SESSION: Session<'static> = Session { application_name: "drizzle-pilot scratch", options: "" };

/// An extension, as it is to be there before the first statement.
struct Extension {
    name: String,
    schema: String,
    version: String,
}

/// Reads the extensions of the database that is compared: a push needs them, and no migration may speak of them.
async fn extensions(client: &Client) -> Result<Vec<Extension>, tokio_postgres::Error> {
    const EXTENSIONS: &str = "
        SELECT e.extname::text, n.nspname::text, e.extversion
          FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE n.nspname <> 'pg_catalog' ORDER BY e.oid";
    let rows = client.query_typed(EXTENSIONS, &[]).await?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), schema: row.get(1), version: row.get(2) }).collect())
}

async fn fill(
    dsn: &Dsn,
    blueprint: &Blueprint<'_>,
    statements: &[String],
    extensions: &[Extension],
    patience: Patience,
) -> Result<Result<(), (usize, Box<Fault>)>, ConnectError> {
    let client = open(dsn, patience, &SESSION).await?;
    let told = |error| explained(dsn, &error);
    for Extension { name, schema, version } in extensions {
        // A migration that creates the extension itself finds an empty place.
        let says = |statement: &String| {
            let statement = statement.to_lowercase();
            statement.contains("create extension") && statement.contains(&name.to_lowercase())
        };
        if statements.iter().any(says) {
            continue;
        }
        let (name, schema, version) = (escape_identifier(name), escape_identifier(schema), escape_identifier(version));
        let create = format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {schema} VERSION {version}"
        );
        client.batch_execute(&create).await.map_err(told)?;
    }
    if let Some(table) = &blueprint.migrations_table {
        for statement in migrations_table::create(table) {
            client.batch_execute(&statement).await.map_err(told)?;
        }
    }
    for (idx, statement) in statements.iter().enumerate() {
        if let Err(error) = client.batch_execute(statement).await {
            return match error.as_db_error() {
                Some(answer) => Ok(Err((idx, Fault::of(answer)))),
                None => Err(told(error)),
            };
        }
    }
    Ok(Ok(()))
}

/// Drops the database at the end, whatever happened before.
struct Dropped<'a> {
    dsn: &'a Dsn,
    name: &'a str,
    left_behind: &'a mut dyn FnMut(LeftBehind),
}

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        let Dropped { dsn, name, left_behind } = self;
        // A signal that ended the run does not end this.
        let dropped = by_deadline(dsn, DROP, async |patience| {
            let client = open(dsn, patience, &SESSION).await?;
            // The sessions in it are ours, and on their way out. FORCE is there from PostgreSQL 13 on.
            const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int4 >= 130000";
            let knows_force: bool =
                client.query_typed_one(VERSION, &[]).await.map_err(|error| explained(dsn, &error))?.get(0);
            let force = if knows_force { " WITH (FORCE)" } else { "" };
            let statement = format!("DROP DATABASE IF EXISTS {}{force}", escape_identifier(name));
            client.batch_execute(&statement).await.map_err(|error| explained(dsn, &error))
        });
        if let Err(error) = dropped {
            left_behind(LeftBehind { name: (*name).to_owned(), reason: error.to_string() });
        }
    }
}
