//! Reads the table in which drizzle's migrator records what it has applied, and writes rows that it lacks.
//!
//! drizzle-orm up to 0.45 keeps `id`, `hash` and `created_at` there; 1.0 adds `name` and `applied_at`, and the older ones
//! go on with such a table as well. That there is no table is a value, and the usual one before the first migration.

use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::relation::Relation;

/// A migrations table, as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MigrationsTable {
    pub table: Relation,
    pub records: Records,
    /// Tables that a migration or a push has made, of whatever application; without those of extensions and migrators.
    pub tables: Vec<Relation>,
    /// How many of them belong to this project, as far as its config tells.
    pub n_tables: u64,
    /// The version of the server, as `server_version_num` says it.
    pub server: Option<u32>,
}

/// What the table holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Records {
    /// There is no such table.
    Absent,
    /// In the order of their numbers.
    Present(Vec<Record>),
}

/// A row: one migration that was applied, or is said to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub id: i64,
    /// SHA-256 of the file, as drizzle's migrator read it.
    pub hash: String,
    /// The `when` of the journal.
    pub created_at: Option<i64>,
    /// The folder of the migration, if drizzle-orm 1.0 wrote the row.
    pub name: Option<String>,
}

impl MigrationsTable {
    /// Returns the rows; none where there is no table.
    pub fn records(&self) -> &[Record] {
        match &self.records {
            Records::Absent => &[],
            Records::Present(records) => records,
        }
    }

    /// Tells whether tables were made and no migration was recorded: by a push, most likely.
    pub fn is_unrecorded(&self) -> bool {
        self.records().is_empty() && self.n_tables > 0
    }
}

/// Reads the migrations table, in a transaction that may not write. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked, or the table is none of drizzle's.
pub fn inspect(dsn: &Dsn, table: &Relation, deadline: Duration) -> Result<MigrationsTable, ConnectError> {
    within(dsn, deadline, async |patience| {
        let client =
            open(dsn, patience, &Session { application_name: "drizzle-pilot migrations table", options: "" }).await?;
        let read = read_only(&client, table).await;
        // Poolers hand the connection on: nothing of ours may stay behind.
        let _ = client.batch_execute("ROLLBACK").await;
        read.map_err(|error| explained(dsn, &error))
    })
}

async fn read_only(client: &Client, table: &Relation) -> Result<MigrationsTable, tokio_postgres::Error> {
    client.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    read(client, table).await
}

/// Reads the migrations table in a transaction that is open.
pub(in crate::db) async fn read(client: &Client, table: &Relation) -> Result<MigrationsTable, tokio_postgres::Error> {
    const EXISTS: &str = "
        SELECT EXISTS (
            SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
             WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p'))";
    const TABLES: &str = "
        SELECT coalesce(pg_catalog.array_agg(n.nspname::text), '{}'), coalesce(pg_catalog.array_agg(c.relname::text), '{}'),
               pg_catalog.current_setting('server_version_num')::int4
          FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
           AND NOT (n.nspname = $1 AND c.relname = $2) AND c.relname NOT LIKE '\\_\\_drizzle\\_migrations%'
           AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
                            WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";
    let named: [(&(dyn tokio_postgres::types::ToSql + Sync), Type); 2] =
        [(&table.schema, Type::TEXT), (&table.name, Type::TEXT)];
    let counted = client.query_typed_one(TABLES, &named).await?;
    let (schemas, names, server): (Vec<String>, Vec<String>, i32) = (counted.get(0), counted.get(1), counted.get(2));
    let tables: Vec<Relation> =
        schemas.into_iter().zip(names).map(|(schema, name)| Relation { schema, name }).collect();
    let exists: bool = client.query_typed_one(EXISTS, &named).await?.get(0);
    let records = if exists {
        // A column that is not there is NULL in the JSON.
        let rows = format!(
            "SELECT id::int8, hash::text, created_at::int8, pg_catalog.to_jsonb(t) ->> 'name' FROM {} t ORDER BY id",
            qualified(table)
        );
        let rows = client.query_typed(&rows, &[]).await?;
        let record = |row: &tokio_postgres::Row| Record {
            id: row.get(0),
            hash: row.get(1),
            created_at: row.get(2),
            name: row.get(3),
        };
        Records::Present(rows.iter().map(record).collect())
    } else {
        Records::Absent
    };
    let n_tables = tables.len() as u64;
    Ok(MigrationsTable { table: table.clone(), records, tables, n_tables, server: server.try_into().ok() })
}

/// Returns the name of a table as SQL has it.
pub(in crate::db) fn qualified(table: &Relation) -> String {
    format!("{}.{}", escape_identifier(&table.schema), escape_identifier(&table.name))
}

/// One row to write into the migrations table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A row that is not there.
    Insert { hash: String, created_at: i64 },
    /// Another hash or time in a row that is there.
    Change { id: i64, hash: String, created_at: i64 },
}

/// Returns the statements that make the table as drizzle's migrator does (drizzle-orm 0.45, `pg-core/dialect`), where it
/// is not there.
pub fn create(table: &Relation) -> Vec<String> {
    vec![
        format!("CREATE SCHEMA IF NOT EXISTS {}", escape_identifier(&table.schema)),
        format!(
            "CREATE TABLE IF NOT EXISTS {} (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at bigint)",
            qualified(table)
        ),
    ]
}

/// Returns the statements that write into the table, in their order.
pub fn script(migrations_table: &MigrationsTable, writes: &[Write]) -> Vec<String> {
    let table = qualified(&migrations_table.table);
    let mut statements = match migrations_table.records {
        Records::Absent => create(&migrations_table.table),
        Records::Present(_) => Vec::new(),
    };
    statements.extend(writes.iter().map(|write| match write {
        Write::Insert { hash, created_at } => {
            format!("INSERT INTO {table} (hash, created_at) VALUES ({}, {created_at})", escape_literal(hash))
        }
        Write::Change { id, hash, created_at } => {
            let hash = escape_literal(hash);
            format!("UPDATE {table} SET hash = {hash}, created_at = {created_at} WHERE id = {id}")
        }
    }));
    statements
}
