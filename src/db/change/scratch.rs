//! A database that exists for one look: the statements are run in it, its schema is read, and it is dropped.
//!
//! The statements of a file run in one transaction, as drizzle's migrator runs them. Some folders do not survive that
//! (55P04, 25001) although they were applied step by step: what is refused so runs statement by statement.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use postgres_protocol::escape::escape_identifier;
use serde::{Deserialize, Serialize};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::db::change::fault::Fault;
use crate::db::change::surroundings::{self, Surroundings};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::{Patience, by_deadline, within};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::fingerprint;
use crate::db::inspect::lines::Line;
use crate::db::inspect::migrations_table;
use crate::db::inspect::relation::Relation;
use crate::db::limits::DROP;

/// What the databases are called, with the number of our process and a moment behind it.
pub const PREFIX: &str = "drizzle_pilot_scratch_";

/// What is built.
pub struct Blueprint<'a> {
    /// Those of the database that is compared.
    pub surroundings: &'a Surroundings,
    /// One query each, as drizzle's migrator sends them. All of them stay in the database.
    pub statements: &'a [String],
    /// How many of them belong to each file, in their order.
    pub files: &'a [usize],
    /// Statements that run before, for what is there without them.
    pub prelude: &'a [String],
    /// Roles that the statements may name, made without rights; on a server of our own.
    pub stand_ins: &'a [String],
    /// Roles that the statements make.
    pub new_roles: &'a [String],
    /// The migrations table, where the other database has it: it is part of the schema there.
    pub migrations_table: Option<Relation>,
}

/// Where it is built.
#[derive(Clone, Copy)]
pub enum Site<'a> {
    /// On a server with databases of others.
    Among(&'a Dsn),
    /// On a server that was given for it: as above, and roles that are made go with the database.
    Given(&'a Dsn),
    /// On a server that ends with it, under the name of the database that is compared.
    Own(&'a Dsn),
}

/// What the statements made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Built {
    pub lines: Vec<String>,
    /// The schemas that the prelude made.
    pub given: BTreeSet<String>,
}

/// Why no schema was built.
#[derive(Debug, thiserror::Error)]
pub enum ScratchError {
    #[error(transparent)]
    Unready(ConnectError),
    /// 42501.
    #[error("user {user} may not create a database, but comparing the migrations needs a scratch database")]
    MayNotCreate { user: String },
    /// A statement of the prelude does not run.
    #[error("the prelude does not run in an empty database: {}", fault.message)]
    Prelude { fault: Box<Fault> },
    /// A statement does not run in an empty database.
    #[error("the migrations do not run in an empty database: {}", fault.message)]
    Statement { idx: usize, fault: Box<Fault> },
}

/// What was found or left on the server.
#[derive(Debug, thiserror::Error)]
pub enum Leftover {
    #[error(
        "the scratch database {name} could not be dropped: {reason}; drop it with DROP DATABASE {}",
        escape_identifier(name)
    )]
    LeftBehind { name: String, reason: String },
    #[error("removed the scratch database {name}, which an earlier run left behind")]
    Removed { name: String },
}

/// Runs the statements in a database of their own on a server, and returns its schema. `told` hears of databases that were
/// left behind, now or earlier. Must not be called from asynchronous code.
///
/// # Errors
/// Where the database cannot be created, or a statement fails in it.
#[tracing::instrument(name = "scratch", skip_all)]
pub fn build(
    site: Site,
    blueprint: &Blueprint,
    deadline: Duration,
    told: &mut dyn FnMut(Leftover),
) -> Result<Built, ScratchError> {
    let (Site::Among(server) | Site::Given(server) | Site::Own(server)) = site;
    let name = site.name(blueprint.surroundings);
    let (may_exist, removed, roles) = (Cell::new(false), Cell::new(Vec::new()), Cell::new(Vec::new()));
    let built = within(server, deadline, async |patience| {
        // While this session is there, whoever looks for what was left behind knows that the database is not.
        let keeper = open(server, patience, &Session { application_name: &name, options: "" }).await?;
        let of_server = |error| explained(server, &error);
        match site {
            Site::Own(_) => empty(&keeper, &name).await.map_err(of_server)?,
            Site::Among(_) | Site::Given(_) => removed.set(sweep(&keeper, &name).await.map_err(of_server)?),
        }
        may_exist.set(true);
        if let Err(error) = create(&keeper, site, &name, blueprint.surroundings).await {
            if error.code().is_some_and(|code| code.code() == "42501") {
                return Ok(Err(ScratchError::MayNotCreate { user: server.address().user.clone() }));
            }
            return Err(of_server(error));
        }
        if !matches!(site, Site::Among(_)) {
            roles.set(stand_in(&keeper, blueprint).await.map_err(of_server)?);
        }
        make(&server.of_database(&name), &name, blueprint, deadline, patience).await
    });
    removed.into_inner().into_iter().for_each(|name| told(Leftover::Removed { name }));
    let roles = if matches!(site, Site::Given(_)) { roles.into_inner() } else { Vec::new() };
    // The reply may have been lost after the database was made.
    if may_exist.get()
        && !matches!(site, Site::Own(_))
        && let Err(error) = remove(server, &name, &roles)
    {
        told(Leftover::LeftBehind { name, reason: error.to_string() });
    }
    built.unwrap_or_else(|error| Err(ScratchError::Unready(error)))
}

impl Site<'_> {
    fn name(&self, surroundings: &Surroundings) -> String {
        let compared = &surroundings.identity.database;
        if let Site::Own(_) = self
            && !matches!(compared.as_str(), "template0" | "template1")
        {
            return compared.clone();
        }
        let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        format!("{PREFIX}{}_{:x}", std::process::id(), since_1970.as_micros())
    }
}

/// Makes the schema in a database that is there, and reads it.
async fn make(
    there: &Dsn,
    name: &str,
    blueprint: &Blueprint<'_>,
    deadline: Duration,
    patience: Patience,
) -> Result<Result<Built, ScratchError>, ConnectError> {
    let failed = |error| explained(there, &error);
    let client = open(there, patience, &SESSION).await?;
    surroundings::recreate(&client, blueprint.surroundings, blueprint.statements, name).await.map_err(failed)?;
    drop(client);
    let mut before = Vec::new();
    let mut given = Vec::new();
    if !blueprint.prelude.is_empty() {
        before = read(there, deadline, patience).await?;
        let client = open(there, patience, &SESSION).await?;
        for statement in blueprint.prelude {
            if let Err(error) = client.batch_execute(statement).await {
                return match error.as_db_error() {
                    Some(answer) => Ok(Err(ScratchError::Prelude { fault: Fault::of(answer) })),
                    None => Err(failed(error)),
                };
            }
        }
        given = read(there, deadline, patience).await?;
    }
    let client = open(there, patience, &SESSION).await?;
    if let Some(table) = &blueprint.migrations_table {
        for statement in migrations_table::create(table) {
            client.batch_execute(&statement).await.map_err(failed)?;
        }
    }
    if let Err((idx, error)) = fill(&client, blueprint).await {
        return match error.as_db_error() {
            Some(answer) => Ok(Err(ScratchError::Statement { idx, fault: Fault::of(answer) })),
            None => Err(failed(error)),
        };
    }
    drop(client);
    let lines = read(there, deadline, patience).await?;
    Ok(Ok(Built::of(lines, &before, &given)))
}

/// Reads the schema in a session of its own: what the statements have set is not to decide how it is read.
async fn read(there: &Dsn, deadline: Duration, patience: Patience) -> Result<Vec<String>, ConnectError> {
    let client = open(there, patience, &SESSION).await?;
    let read = fingerprint::read_only(&client, deadline).await;
    read.map(|schema| schema.lines).map_err(|error| explained(there, &error))
}

impl Built {
    /// Takes what was given out of the lines, as far as it is in schemas that were given.
    fn of(lines: Vec<String>, before: &[String], given: &[String]) -> Built {
        let given: Vec<&String> = given.iter().filter(|line| !before.contains(line)).collect();
        let read = |line: &str| Line::read(line).schema().map(str::to_owned);
        let schemas: BTreeSet<String> =
            given.iter().filter(|line| Line::read(line).kind == "schema").filter_map(|line| read(line)).collect();
        let is_given = |line: &String| given.contains(&line) && read(line).is_some_and(|name| schemas.contains(&name));
        Built { lines: lines.into_iter().filter(|line| !is_given(line)).collect(), given: schemas }
    }
}

const SESSION: Session<'static> = Session { application_name: "drizzle-pilot scratch", options: "" };

/// Drops what earlier runs of the same role left behind, and returns the names. A database of a run that goes on is none: a session
/// with its name is there from before it was created until it is dropped.
async fn sweep(keeper: &Client, name: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    // Where a pooler hides the names of sessions, nothing is known of the others either.
    const LEFT: &str = "
        SELECT d.datname::text, EXISTS (SELECT FROM pg_catalog.pg_stat_activity a
                                         WHERE a.datname = d.datname OR a.application_name = d.datname)
          FROM pg_catalog.pg_database d JOIN pg_catalog.pg_roles r ON r.oid = d.datdba
         WHERE r.rolname = current_user AND d.datname ~ $1
           AND EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE pid = pg_catalog.pg_backend_pid() AND application_name = $2)";
    let pattern = format!("^{PREFIX}[0-9]+_[0-9a-f]+$");
    let mut removed = Vec::new();
    for row in keeper.query_typed(LEFT, &[(&pattern, Type::TEXT), (&name, Type::TEXT)]).await? {
        let (left, is_in_use): (String, bool) = (row.get(0), row.get(1));
        if is_in_use {
            continue;
        }
        // Without FORCE: a database that somebody works in stays.
        match keeper.batch_execute(&format!("DROP DATABASE {}", escape_identifier(&left))).await {
            Ok(()) => removed.push(left),
            Err(error) if error.as_db_error().is_some() => tracing::debug!(left, %error, "a leftover stays"),
            Err(error) => return Err(error),
        }
    }
    Ok(removed)
}

/// Makes room for a database of this name on a server that has only what it was made with.
async fn empty(keeper: &Client, name: &str) -> Result<(), tokio_postgres::Error> {
    keeper.batch_execute(&format!("DROP DATABASE IF EXISTS {}", escape_identifier(name))).await
}

/// Makes the stand-ins that are not there, and returns them with the roles that are not there yet.
async fn stand_in(keeper: &Client, blueprint: &Blueprint<'_>) -> Result<Vec<String>, tokio_postgres::Error> {
    const MISSING: &str = "
        SELECT name FROM pg_catalog.unnest($1) AS wanted(name)
         WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name)";
    let wanted: Vec<&String> = blueprint.stand_ins.iter().chain(blueprint.new_roles).collect();
    let rows = keeper.query_typed(MISSING, &[(&wanted, Type::TEXT_ARRAY)]).await?;
    let missing: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    for role in missing.iter().filter(|role| !blueprint.new_roles.contains(role)) {
        keeper.batch_execute(&format!("CREATE ROLE {} NOLOGIN", escape_identifier(role))).await?;
    }
    Ok(missing)
}

/// Creates the database like the one that is compared: as the server makes them, where that has the same locale.
async fn create(
    keeper: &Client,
    site: Site<'_>,
    name: &str,
    surroundings: &Surroundings,
) -> Result<(), tokio_postgres::Error> {
    let locale = surroundings::locale(keeper, "template1").await?;
    let wanted = &surroundings.locale;
    let is_usual = matches!(site, Site::Among(_)) && locale.as_ref() == Some(wanted);
    let options = if is_usual { String::new() } else { wanted.options() };
    let create = |options: &str| format!("CREATE DATABASE {} {options}", escape_identifier(name));
    match keeper.batch_execute(&create(&options)).await {
        // Another machine may not know the locale. What is compared does not depend on it, but on the encoding.
        Err(error) if error.code().is_some_and(|code| UNKNOWN_LOCALE.contains(&code.code())) => {
            keeper.batch_execute(&create(&wanted.plain_options())).await
        }
        created => created,
    }
}

/// An invalid parameter value, the wrong kind of object, and a feature that is not supported.
const UNKNOWN_LOCALE: &[&str] = &["22023", "42809", "0A000"];

/// What a statement is refused with in a transaction that others are in, and may not be by itself: an enum value that is not yet
/// safe to use, a statement that is not for transactions, events of triggers that are pending.
const ALONE: &[&str] = &["55P04", "25001", "55006"];

/// Runs the statements, those of a file in one transaction. Returns the first that fails, and how.
async fn fill(client: &Client, blueprint: &Blueprint<'_>) -> Result<(), (usize, tokio_postgres::Error)> {
    let mut rest = blueprint.statements;
    for n in blueprint.files {
        let first = blueprint.statements.len() - rest.len();
        let (file, others) = rest.split_at(*n);
        rest = others;
        let done = match together(client, file).await {
            Err((_, error)) if error.code().is_some_and(|code| ALONE.contains(&code.code())) => {
                client.batch_execute("ROLLBACK").await.map_err(|error| (first, error))?;
                one_by_one(client, file).await
            }
            done => done,
        };
        done.map_err(|(idx, error)| (first + idx, error))?;
    }
    Ok(())
}

async fn together(client: &Client, file: &[String]) -> Result<(), (usize, tokio_postgres::Error)> {
    client.batch_execute("BEGIN").await.map_err(|error| (0, error))?;
    one_by_one(client, file).await?;
    let last = file.len().saturating_sub(1);
    client.batch_execute("COMMIT").await.map_err(|error| (last, error))
}

async fn one_by_one(client: &Client, file: &[String]) -> Result<(), (usize, tokio_postgres::Error)> {
    for (idx, statement) in file.iter().enumerate() {
        client.batch_execute(statement).await.map_err(|error| (idx, error))?;
    }
    Ok(())
}

/// Drops the database at the end, whatever happened before. A signal that ended the run does not end this.
fn remove(server: &Dsn, name: &str, roles: &[String]) -> Result<(), ConnectError> {
    by_deadline(server, DROP, async |patience| {
        let client = open(server, patience, &SESSION).await?;
        // The sessions in it are ours, and on their way out. FORCE is there from PostgreSQL 13 on.
        const VERSION: &str = "SELECT pg_catalog.current_setting('server_version_num')::int4 >= 130000";
        let knows_force: bool =
            client.query_typed_one(VERSION, &[]).await.map_err(|error| explained(server, &error))?.get(0);
        let force = if knows_force { " WITH (FORCE)" } else { "" };
        let statement = format!("DROP DATABASE IF EXISTS {}{force}", escape_identifier(name));
        client.batch_execute(&statement).await.map_err(|error| explained(server, &error))?;
        for role in roles {
            // One that somebody else has come to need stays.
            let dropped = client.batch_execute(&format!("DROP ROLE IF EXISTS {}", escape_identifier(role))).await;
            if let Err(error) = dropped {
                tracing::warn!(role, %error, "a role stays on the scratch server");
            }
        }
        Ok(())
    })
}
