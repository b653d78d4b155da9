//! A database of its own for each test, read and changed without drizzle-kit.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drizzle_pilot::db::Dsn;
use drizzle_pilot::db::inspect::fingerprint::{self, Fingerprint};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};
use url::Url;

use super::{lab_variable, until};

/// What our own connections are called, so that a test can tell them from those it looks for.
const OURS: &str = "live-test";

/// How long a look at the schema may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A PostgreSQL server of the laboratory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Server {
    Postgres13,
    Postgres15,
    Postgres18,
}

impl Server {
    /// Returns the one of this major version.
    pub(crate) fn called(version: &str) -> Self {
        let servers = [Self::Postgres13, Self::Postgres15, Self::Postgres18];
        let server = servers.into_iter().find(|server| server.version().to_string() == version);
        server.unwrap_or_else(|| panic!("the laboratory has no PostgreSQL {version}"))
    }

    /// Returns its major version.
    pub(crate) fn version(self) -> u32 {
        match self {
            Self::Postgres13 => 13,
            Self::Postgres15 => 15,
            Self::Postgres18 => 18,
        }
    }

    fn url(self) -> &'static Url {
        static POSTGRES_13: OnceLock<Url> = OnceLock::new();
        static POSTGRES_15: OnceLock<Url> = OnceLock::new();
        static POSTGRES_18: OnceLock<Url> = OnceLock::new();
        let (cell, name) = match self {
            Self::Postgres13 => (&POSTGRES_13, "DRIZZLE_PILOT_LAB_URL_13"),
            Self::Postgres15 => (&POSTGRES_15, "DRIZZLE_PILOT_LAB_URL"),
            Self::Postgres18 => (&POSTGRES_18, "DRIZZLE_PILOT_LAB_URL_18"),
        };
        cell.get_or_init(|| lab_variable(name).parse().expect("scripts/lab prints a URL"))
    }
}

/// A fresh database, dropped with the value.
pub(crate) struct Database {
    /// The way to the server.
    server: Url,
    name: String,
    connection: Connection,
}

impl Database {
    pub(crate) fn create() -> Self {
        Self::create_on(Server::Postgres15)
    }

    pub(crate) fn create_on(server: Server) -> Self {
        Self::create_at(server.url())
    }

    /// Makes one on the server of this URL.
    pub(crate) fn create_at(server: &Url) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Connection::open(server).rows(&format!("CREATE DATABASE {name}"));
        let connection = Connection::open(&named(server, &name));
        Self { server: server.clone(), name, connection }
    }

    /// Connects again, after the server was started again.
    pub(crate) fn reconnect(&mut self) {
        self.connection = Connection::open(&self.url());
    }

    /// Drops it, and makes an empty one of the same name.
    pub(crate) fn make_anew(&self) {
        let server = Connection::open(&self.server);
        server.rows(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        server.rows(&format!("CREATE DATABASE {}", self.name));
    }

    /// Returns the URL as a drizzle config has it, password included.
    pub(crate) fn url(&self) -> Url {
        named(&self.server, &self.name)
    }

    /// Returns the way to it, as read from a drizzle config.
    pub(crate) fn dsn(&self) -> Dsn {
        let credentials = serde_json::json!({ "url": self.url().as_str() });
        let dsn = Dsn::from_credentials("postgresql", &credentials, &|_| None);
        dsn.expect("PostgreSQL has an address").expect("the laboratory's URLs are right")
    }

    /// Runs statements and forgets what they return.
    #[track_caller]
    pub(crate) fn sql(&self, statements: &str) {
        self.connection.rows(statements);
    }

    /// Runs a statement in a transaction that is rolled back, and returns what the server says against it.
    pub(crate) fn fails(&self, statement: &str) -> Option<String> {
        self.connection.rows("BEGIN");
        let client = self.connection.client.lock().unwrap_or_else(PoisonError::into_inner);
        let error = self.connection.runtime.block_on(client.simple_query(statement)).err();
        drop(client);
        self.connection.rows("ROLLBACK");
        error.map(|error| error.as_db_error().map_or_else(|| error.to_string(), |answer| answer.message().to_owned()))
    }

    /// Returns the rows of all the statements, each value as PostgreSQL writes it.
    #[track_caller]
    pub(crate) fn rows(&self, query: &str) -> Vec<Vec<String>> {
        self.connection.rows(query)
    }

    /// Runs a query, and returns the SQLSTATE where it fails.
    pub(crate) fn attempt(&self, query: &str) -> Result<(), String> {
        self.connection.attempt(query)
    }

    /// Returns the first column of the rows.
    #[track_caller]
    pub(crate) fn list(&self, query: &str) -> Vec<String> {
        self.rows(query).into_iter().map(|row| row.into_iter().next().unwrap_or_default()).collect()
    }

    /// Returns the first value of the first row.
    #[track_caller]
    pub(crate) fn value(&self, query: &str) -> String {
        self.list(query).into_iter().next().unwrap_or_else(|| panic!("no row: {query}"))
    }

    /// Returns every table with its columns, types and row count: two equal values mean that nothing changed.
    pub(crate) fn state(&self) -> Vec<String> {
        let tables = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1";
        let mut state = Vec::new();
        for table in self.list(tables) {
            let columns = self.value(&format!(
                "SELECT coalesce(string_agg(format('%s %s', attname, format_type(atttypid, atttypmod)), ', ' ORDER BY attnum), '')
                 FROM pg_attribute WHERE attrelid = '{table}'::regclass AND attnum > 0 AND NOT attisdropped"
            ));
            let count = self.value(&format!("SELECT count(*) FROM {table}"));
            state.push(format!("{table} ({columns}): {count} rows"));
        }
        state
    }

    /// Returns everything that a change of the schema or of rows would change.
    pub(crate) fn everything(&self) -> Everything {
        Everything { schema: self.schema(), catalogs: self.catalogs(), tables: self.state(), dump: self.dump(&[]) }
    }

    /// Returns the fingerprint of the schema.
    pub(crate) fn schema(&self) -> Fingerprint {
        fingerprint::fingerprint(&self.dsn(), PATIENCE).expect("the laboratory answers")
    }

    /// Returns what `pg_dump` writes, where there is one that can read this server.
    pub(crate) fn dump(&self, options: &[&str]) -> Option<String> {
        let dump = Command::new("pg_dump").args(options).arg(format!("--dbname={}", self.url())).output().ok();
        dump.filter(|output| output.status.success()).map(|output| {
            let text = String::from_utf8(output.stdout).expect("the dump is UTF-8");
            // Newer ones write a random key into these.
            text.lines().filter(|line| !line.contains("restrict ")).collect::<Vec<_>>().join("\n")
        })
    }

    /// Returns a digest of the rows of each system catalog of the database, without what VACUUM and ANALYZE change.
    fn catalogs(&self) -> Vec<String> {
        let names = self.list(
            "SELECT relname FROM pg_class
             WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind = 'r' AND NOT relisshared
               AND relname NOT LIKE 'pg_statistic%' ORDER BY 1",
        );
        assert!(names.contains(&"pg_class".to_owned()) && names.contains(&"pg_attribute".to_owned()), "{names:?}");
        let digests: Vec<String> = names
            .iter()
            .map(|name| {
                let (row, wanted) = match name.as_str() {
                    "pg_class" => {
                        let counted = "'{relpages,reltuples,relallvisible,relallfrozen,relfrozenxid,relminmxid}'";
                        (format!("(to_jsonb(t) - {counted}::text[])::text"), "true")
                    }
                    // Made at the first use of a temporary table, and kept.
                    "pg_namespace" => ("t::text".to_owned(), "nspname !~ '^pg_(toast_)?temp_'"),
                    _ => ("t::text".to_owned(), "true"),
                };
                format!(
                    "SELECT '{name} ' || coalesce(md5(string_agg({row}, ';' ORDER BY {row})), 'empty') \
                     FROM pg_catalog.{name} t WHERE {wanted}"
                )
            })
            .collect();
        self.list(&digests.join(" UNION ALL "))
    }

    /// Runs statements in a transaction of another connection, which keeps its locks until the value is dropped.
    pub(crate) fn hold(&self, statements: &str) -> Held {
        let connection = Connection::open(&self.url());
        connection.rows("BEGIN");
        connection.rows(statements);
        Held { connection }
    }

    /// Has the server log what sessions of this database tell it, from now on and in new sessions.
    pub(crate) fn log_statements(&self) -> StatementLog<'_> {
        self.sql(&format!("ALTER DATABASE {} SET log_statement = 'all'", self.name));
        let file = self.value("SELECT current_setting('data_directory') || '/' || pg_current_logfile('jsonlog')");
        let begin = std::fs::metadata(&file).unwrap_or_else(|error| panic!("{file}: {error}")).len();
        StatementLog { database: self, file: file.into(), begin }
    }

    /// Lets an application run a query over and over, whatever comes of it, until it is ended.
    pub(crate) fn busy(&self, query: impl Into<String>) -> Busy {
        let (connection, query) = (Connection::open(&self.url()), query.into());
        let (ended, n_done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let (is_ended, counted) = (Arc::clone(&ended), Arc::clone(&n_done));
        let thread = thread::spawn(move || {
            while !is_ended.load(Ordering::SeqCst) {
                if connection
                    .runtime
                    .block_on(connection.client.lock().unwrap_or_else(PoisonError::into_inner).simple_query(&query))
                    .is_ok()
                {
                    counted.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        Busy { ended, n_done, thread }
    }

    /// Returns the backends in this database that are not the test's own.
    pub(crate) fn foreign_backends(&self) -> Vec<Vec<String>> {
        self.rows(&format!(
            "SELECT pid, application_name, state, wait_event_type, wait_event, left(query, 60) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name <> '{OURS}'"
        ))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        Connection::open(&self.server).rows(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
    }
}

/// What the server logs of the statements in one database: `log_statement = all`.
pub(crate) struct StatementLog<'a> {
    database: &'a Database,
    file: PathBuf,
    /// Where the file ended when the logging began. That may be in the middle of a line of another database.
    begin: u64,
}

impl StatementLog<'_> {
    /// Returns what the server was told since the log was begun, by the sessions of drizzle-kit, in its order.
    pub(crate) fn end(self) -> Vec<String> {
        // drizzle-kit's sessions have the name of the run alone; the program's own looks say what they are.
        self.end_of(|name| !name.contains(' '))
    }

    /// As [`end`](StatementLog::end), by the sessions of drizzle-kit and the program's own.
    pub(crate) fn end_of_all(self) -> Vec<String> {
        self.end_of(|_| true)
    }

    fn end_of(self, is_wanted: impl Fn(&str) -> bool) -> Vec<String> {
        // The collector writes what comes through one pipe in turn: once our own last word is in the file, all that
        // was said before it is there too.
        let last = format!("the statements of {} end here", self.database.name);
        // The server looks at the setting before it executes any of a query's statements, so these are two queries.
        self.database.sql("SET log_statement = 'all'");
        self.database.sql(&format!("SELECT '{last}'"));
        let mut text = String::new();
        until("the server has written its log", || {
            text = self.read();
            text.contains(&last)
        });
        self.database.sql("RESET log_statement");
        text.lines().filter_map(|line| self.statement(line, &is_wanted)).collect()
    }

    fn read(&self) -> String {
        let mut bytes = Vec::new();
        let mut file = File::open(&self.file).expect("the log is still there");
        file.seek(SeekFrom::Start(self.begin)).and_then(|_| file.read_to_end(&mut bytes)).expect("the log is a file");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Reads a line of the log. PostgreSQL's `exec_simple_query` and `exec_execute_message` say what they execute; what
    /// cannot be parsed is said only with the error.
    fn statement(&self, line: &str, is_wanted: impl Fn(&str) -> bool) -> Option<String> {
        const SYNTAX_ERROR: &str = "42601";
        let entry: Value = serde_json::from_str(line).ok()?;
        let name = entry["application_name"].as_str()?;
        if entry["dbname"] != self.database.name.as_str() || !name.starts_with("drizzle-pilot-") || !is_wanted(name) {
            return None;
        }
        if entry["state_code"] == SYNTAX_ERROR {
            return entry["statement"].as_str().map(str::to_owned);
        }
        let message = entry["message"].as_str()?;
        let executed = message.strip_prefix("execute ").and_then(|rest| rest.split_once(": "));
        message.strip_prefix("statement: ").or(executed.map(|(_, statement)| statement)).map(str::to_owned)
    }
}

/// What a database is. The dump is one more check, where there is a `pg_dump` that can make it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Everything {
    pub(crate) schema: Fingerprint,
    /// Every row of the catalogs, whether or not it is known to the fingerprint.
    catalogs: Vec<String>,
    tables: Vec<String>,
    dump: Option<String>,
}

/// An application at work.
pub(crate) struct Busy {
    ended: Arc<AtomicBool>,
    n_done: Arc<AtomicU32>,
    thread: JoinHandle<()>,
}

impl Busy {
    /// Returns how many of its queries went well so far.
    pub(crate) fn n_done(&self) -> u32 {
        self.n_done.load(Ordering::SeqCst)
    }

    pub(crate) fn end(self) {
        self.ended.store(true, Ordering::SeqCst);
        self.thread.join().expect("it takes every answer");
    }
}

/// A transaction that stays open.
pub(crate) struct Held {
    connection: Connection,
}

impl Held {
    /// Gives the locks back, before returning.
    pub(crate) fn release(self) {
        self.connection.rows("ROLLBACK");
    }

    /// Keeps what was done and gives the locks back, before returning.
    pub(crate) fn commit(self) {
        self.connection.rows("COMMIT");
    }
}

fn named(server: &Url, database: &str) -> Url {
    let mut url = server.clone();
    url.set_path(database);
    url
}

/// A copy of a database, dropped with the value.
pub(super) struct Copy {
    server: Connection,
    url: Url,
}

impl Copy {
    /// Copies a database of the laboratory; nothing where somebody is at work in it, or it is none of ours. Connections of ours
    /// that do nothing are ended, and open again by themselves.
    pub(super) fn of(url: &Url) -> Option<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = url.path().trim_start_matches('/');
        // Only what is made by `Database::create` is a name that needs no quotes, and on a server that is here.
        let is_ours =
            name.strip_prefix('t').is_some_and(|rest| rest.split('_').all(|part| part.parse::<u64>().is_ok()));
        let server = [Server::Postgres13, Server::Postgres15, Server::Postgres18]
            .into_iter()
            .map(Server::url)
            .find(|server| server.port() == url.port())?;
        if !is_ours {
            return None;
        }
        let server = Connection::open(server);
        let busy = format!(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND (state <> 'idle' OR application_name <> '{OURS}')"
        );
        if server.rows(&busy)[0][0] != "0" {
            return None;
        }
        server.rows(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"));
        let copy = format!("pasted{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        server.rows(&format!("CREATE DATABASE {copy} TEMPLATE {name}"));
        let mut url = url.clone();
        url.set_path(&copy);
        Some(Self { server, url })
    }

    pub(super) fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.server.rows(&format!("DROP DATABASE {} WITH (FORCE)", self.url.path().trim_start_matches('/')));
    }
}

struct Connection {
    url: Url,
    runtime: Runtime,
    client: Mutex<Client>,
}

impl Connection {
    fn open(url: &Url) -> Self {
        let runtime =
            Builder::new_current_thread().enable_all().build().expect("a runtime without threads needs little");
        let client = Mutex::new(Self::connect(&runtime, url));
        Self { url: url.clone(), runtime, client }
    }

    fn connect(runtime: &Runtime, url: &Url) -> Client {
        let mut config: Config = url.as_str().parse().expect("scripts/lab prints plain URLs");
        config.application_name(OURS);
        let (client, connection) =
            runtime.block_on(config.connect(NoTls)).expect("the laboratory's PostgreSQL answers: run scripts/test");
        runtime.spawn(connection);
        client
    }

    #[track_caller]
    fn attempt(&self, query: &str) -> Result<(), String> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let done = self.runtime.block_on(client.simple_query(query));
        let code = |error: tokio_postgres::Error| match error.code() {
            Some(code) => code.code().to_owned(),
            None => panic!("{query}: {error:?}"),
        };
        done.map(|_| ()).map_err(code)
    }

    fn rows(&self, query: &str) -> Vec<Vec<String>> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        let mut answer = self.runtime.block_on(client.simple_query(query));
        // Whoever copies the database ends the sessions that do nothing there: what is sent then reaches nobody.
        let was_ended = |error: &tokio_postgres::Error| {
            error.is_closed() || error.code().is_some_and(|code| *code == SqlState::ADMIN_SHUTDOWN)
        };
        if answer.as_ref().is_err_and(was_ended) {
            *client = Self::connect(&self.runtime, &self.url);
            answer = self.runtime.block_on(client.simple_query(query));
        }
        let messages = match answer {
            Ok(messages) => messages,
            Err(error) => panic!("{query}: {error:?}"),
        };
        let mut rows = Vec::new();
        for message in messages {
            if let SimpleQueryMessage::Row(row) = message {
                rows.push((0..row.len()).map(|idx| row.get(idx).unwrap_or("NULL").to_owned()).collect());
            }
        }
        rows
    }
}
