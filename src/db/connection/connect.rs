//! Opens our own connection to PostgreSQL and says, where it cannot, which of the many reasons it is.
//!
//! drizzle-kit 0.31.10 and later print no reason at all. Every function here ends by its deadline, whatever the
//! network or the server does.

use std::error::Error as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustls::CertificateError;
use secrecy::{ExposeSecret, SecretString};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{ChannelBinding, SslMode};
use tokio_postgres::tls::{MakeTlsConnect, NoTls, TlsConnect};
use tokio_postgres::{Client, Config, error::DbError};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::db::connection::explain;
use crate::db::connection::tls::{self, Unprepared};
use crate::db::connection::url::{Address, Dsn, Host, Tls, find_in_pgpass};
use crate::db::connection::visit::Visit;
use crate::files;

/// Makes a server look every 500 ms whether the client of a running statement is gone (PostgreSQL 14 and later).
///
/// Without it, a killed drizzle-kit's statement runs to its end and commits.
pub const CLIENT_CHECK: &str = "-c client_connection_check_interval=500";

/// Makes us notice within 35 s that a server has vanished without a word, and keeps an idle firewall's door open.
///
/// Our transactions ask the server for the same (`transaction::begin`).
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(20)).with_interval(Duration::from_secs(5)).with_retries(3);

/// Makes a server refuse every write of a session (SQLSTATE 25006).
pub const READ_ONLY: &str = "-c default_transaction_read_only=on";

/// What our session calls itself and sets.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// Shown in `pg_stat_activity`; the server cuts it after 63 bytes.
    pub application_name: &'a str,
    /// Start-up options (`-c name=value`), sent after those of the [`Dsn`]. May be empty.
    pub options: &'a str,
}

/// What is asked within a session to know where it is and what it is set to: one row of texts, for [`Server::of`].
/// drizzle-kit's own sessions are asked the same before their first query. A setting that the server does not know is NULL.
pub const QUESTION: &str = "\
    SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery()::text, \
    pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_database()::text, current_user::text, \
    session_user::text, pg_catalog.current_setting('search_path'), \
    pg_catalog.array_to_string(pg_catalog.current_schemas(true), ','), pg_catalog.current_schema()::text, \
    (SELECT d.oid::text FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()), \
    extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text, \
    pg_catalog.current_setting('client_connection_check_interval', true), \
    pg_catalog.current_setting('standard_conforming_strings', true), pg_catalog.current_setting('backslash_quote', true), \
    pg_catalog.current_setting('quote_all_identifiers', true), pg_catalog.current_setting('transform_null_equals', true), \
    pg_catalog.current_setting('array_nulls', true), pg_catalog.current_setting('session_replication_role', true)";

/// The settings that change what a statement means, as they are by default, in the order of [`QUESTION`]. What is read here
/// is read as the server reads it under these.
const MEANINGS: [(&str, &str); 6] = [
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("session_replication_role", "origin"),
];

/// The facts about a server and a session with it that decide how drizzle-kit is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `server_version_num`: 150018 is 15.18.
    pub version_num: u32,
    /// The server is a standby.
    pub in_recovery: bool,
    /// Writing is refused (25006): a standby, or `default_transaction_read_only`.
    pub read_only: bool,
    pub current_database: String,
    pub current_user: String,
    pub session_user: String,
    /// The setting, as it was written.
    pub search_path: String,
    /// The schemas that it comes to, the catalog's own included, in their order.
    pub path: Vec<String>,
    /// The schema that a name without one means first; none where the search path leads nowhere.
    pub current_schema: Option<String>,
    /// The number of the database. One that is made anew under the same name has another.
    pub database_oid: String,
    /// When the server was started, in seconds since 1970: no two servers share it to the microsecond.
    pub started: String,
    /// [`CLIENT_CHECK`] was accepted, and it is in force: poolers can be told to swallow start-up options.
    pub checks_clients: bool,
    /// The settings that change what a statement means, and are not as they are by default.
    pub odd: Vec<(&'static str, String)>,
}

impl Server {
    /// Reads the answers to [`QUESTION`]; nothing where they are not those.
    pub fn of(answers: &[Option<String>]) -> Option<Server> {
        let [
            version,
            recovery,
            read_only,
            database,
            user,
            session_user,
            search_path,
            path,
            schema,
            oid,
            started,
            check,
            meanings @ ..,
        ] = answers
        else {
            return None;
        };
        if meanings.len() != MEANINGS.len() {
            return None;
        }
        let told = MEANINGS.iter().zip(meanings).filter_map(|(meaning, value)| Some((meaning, value.as_ref()?)));
        let odd = told.filter(|((_, usual), value)| value != usual);
        Some(Server {
            version_num: version.as_ref()?.parse().ok()?,
            in_recovery: recovery.as_deref()? == "true",
            read_only: read_only.as_deref()? == "on",
            current_database: database.clone()?,
            current_user: user.clone()?,
            session_user: session_user.clone()?,
            search_path: search_path.clone()?,
            path: path.as_deref()?.split(',').map(str::to_owned).collect(),
            current_schema: schema.clone(),
            database_oid: oid.clone()?,
            started: started.clone()?,
            checks_clients: check.as_deref() == Some("500ms"),
            odd: odd.map(|((name, _), value)| (*name, value.clone())).collect(),
        })
    }

    /// Returns the start-up options (`-c name=value`) that give the settings their usual values; empty where they have them.
    pub fn corrections(&self) -> String {
        // Only a superuser may touch the last one.
        let odd = MEANINGS[..MEANINGS.len() - 1].iter().filter(|(name, _)| self.odd.iter().any(|(odd, _)| odd == name));
        odd.map(|(name, usual)| format!("-c {name}={usual}")).collect::<Vec<_>>().join(" ")
    }

    /// Says where another session is not in the same place as this one, if it is not.
    pub fn differs(&self, other: &Server) -> Option<String> {
        let said = |what: &str, other: &str, own: &str| {
            (own != other).then(|| format!("its {what} is {other}, and that of our own session is {own}"))
        };
        said("database", &other.current_database, &self.current_database)
            .or_else(|| said("user", &other.current_user, &self.current_user))
            .or_else(|| said("session user", &other.session_user, &self.session_user))
            .or_else(|| said("search_path", &other.search_path, &self.search_path))
            .or_else(|| said("list of schemas to search", &other.path.join(", "), &self.path.join(", ")))
            .or_else(|| said("server's start", &other.started, &self.started))
            .or_else(|| said("database's oid", &other.database_oid, &self.database_oid))
    }

    /// Says which setting makes statements mean something else than what is read here, if one does.
    pub fn misreads(&self) -> Option<String> {
        if let Some((name, value)) = self.odd.first() {
            let usual = MEANINGS.iter().find(|(known, _)| known == name).map_or("", |(_, usual)| usual);
            return Some(format!("{name} is {value} in the session, and not {usual}"));
        }
        let mut path = self.path.iter().filter(|schema| !schema.starts_with("pg_temp"));
        let first = path.next().map_or("", |schema| schema.as_str());
        (first != "pg_catalog").then(|| {
            format!(
                "search_path ({}) has the schema {first} before pg_catalog, so that built-in names mean others",
                self.search_path
            )
        })
    }
}

/// Why the database cannot be used. Messages name server, database and user, and never the password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    #[error("{} refused the connection", at.server())]
    Refused { at: At },
    #[error("the host of {} cannot be found ({reason})", at.server())]
    UnknownHost { at: At, reason: String },
    /// The network says that there is no way, or a unix socket is missing or forbidden.
    #[error("{} cannot be reached ({reason})", at.server())]
    Unreachable { at: At, reason: String },
    /// Neither an answer nor a refusal came.
    #[error("{} could not be reached within {within:?}", at.server())]
    TimedOut { at: At, within: Duration },
    /// The connection stands, and the server says nothing.
    #[error("{} accepted the connection and did not answer within {within:?}", at.server())]
    Mute { at: At, within: Duration },
    #[error("{} closed the connection", at.server())]
    HungUp { at: At },
    #[error("{} does not answer as PostgreSQL does ({reason})", at.server())]
    NotPostgres { at: At, reason: String },
    #[error("no TLS connection to {}: {fault}", at.server())]
    Tls { at: At, fault: TlsFault },
    /// 28P01. PostgreSQL says the same for an unknown user, an unset and an expired password.
    #[error("{} refused the password of user {}", at.server(), at.user)]
    WrongPassword { at: At },
    #[error("{} asks for a password, and none is set for user {}", at.server(), at.user)]
    NoPassword { at: At },
    /// 28000: `pg_hba.conf`, a role without LOGIN, a missing client certificate.
    #[error("{} refused the login of user {} ({message})", at.server(), at.user)]
    LoginRefused { at: At, message: String },
    /// 3D000.
    #[error("database {} does not exist on {}", at.database, at.server())]
    UnknownDatabase { at: At },
    /// The start-up options were refused: by a pooler, or by a server that does not know the setting.
    #[error("{} refused the start-up options ({message})", at.server())]
    OptionsRefused { at: At, sqlstate: String, message: String },
    /// 53300.
    #[error("{} has no free connection ({message})", at.server())]
    TooMany { at: At, message: String },
    /// 57P03: the server is starting, stopping or recovering.
    #[error("{} is not ready ({message})", at.server())]
    StartingUp { at: At, message: String },
    /// We were asked to end while we waited for the server.
    #[error("stopped by signal {signal} while waiting for {}", at.server())]
    Interrupted { at: At, signal: i32 },
    /// Backends went on although they were told to end.
    #[error("{} still runs statements of the stopped run after {within:?}: backend {}", at.server(), list(pids))]
    Leftovers { at: At, pids: Vec<i32>, within: Duration },
    #[error("{at}: {message}")]
    Other { at: At, sqlstate: Option<String>, message: String },
}

/// Where it happened; boxed, because an error is rare and should be small.
pub type At = Box<Address>;

/// What is wrong with TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    #[error("the server does not offer TLS")]
    NotOffered,
    #[error("its certificate is not signed by a trusted authority")]
    UnknownIssuer,
    #[error("its certificate belongs to another name")]
    WrongName,
    #[error("its certificate has expired")]
    Expired,
    #[error("reading {0}")]
    File(String),
    #[error("{0}")]
    Other(String),
}

impl ConnectError {
    /// Returns what to do next, in one or two sentences.
    pub fn hint(&self) -> String {
        match self {
            ConnectError::Refused { .. } => {
                "start the database, or correct host and port; inside a container localhost is the container itself"
            }
            ConnectError::UnknownHost { .. } => {
                "check the host name; the name of a compose service is known only to containers on its network"
            }
            ConnectError::Unreachable { at, .. } if matches!(at.host, Host::Socket(_)) => {
                "check the directory of the socket, and that the server listens on that port"
            }
            ConnectError::Unreachable { .. } | ConnectError::TimedOut { .. } => {
                "check network, VPN and firewall; a cloud database may have to allow this address, or may be paused"
            }
            ConnectError::Mute { .. } => {
                "check that the port is PostgreSQL's, and that the server, its pooler or a tunnel in between is not stuck"
            }
            ConnectError::HungUp { .. } => {
                "a port of a container accepts connections before its server is up: wait and try again; else check the port"
            }
            ConnectError::NotPostgres { .. } => "check the port: something else listens there",
            ConnectError::Tls { fault, .. } => fault.hint(),
            ConnectError::WrongPassword { .. } => {
                "check user and password; special characters of a password must be percent-encoded in a URL"
            }
            ConnectError::NoPassword { .. } => "put the password into the URL or into dbCredentials, or set PGPASSWORD",
            ConnectError::LoginRefused { message, .. } if wants_tls(message) => {
                "the server wants TLS: add sslmode=verify-full to the URL, or ssl to dbCredentials"
            }
            ConnectError::LoginRefused { .. } => {
                "check the user, and the server's pg_hba.conf; the role needs LOGIN"
            }
            ConnectError::UnknownDatabase { at } => {
                let name = at.database.replace('"', "\"\"");
                return format!("correct the name, or create it: CREATE DATABASE \"{name}\"");
            }
            ConnectError::OptionsRefused { .. } => {
                "use the direct address of the server for schema changes, not that of its pooler"
            }
            ConnectError::TooMany { .. } => {
                "close idle clients (SELECT pid, application_name, state FROM pg_stat_activity), or raise max_connections"
            }
            ConnectError::StartingUp { .. } => "wait a few seconds and try again",
            ConnectError::Interrupted { .. } => "nothing was asked of the server yet; run the command again",
            ConnectError::Leftovers { pids, .. } => {
                return format!("end them as a superuser: SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) AS pid", list(pids));
            }
            ConnectError::Other { sqlstate, message, .. } => {
                let code = sqlstate.as_deref().unwrap_or_default();
                let advice = explain::advice(code, message, &explain::About::default());
                return advice.unwrap_or_else(|| "look into the log of the server".to_owned());
            }
        }
        .to_owned()
    }

    /// Tells whether a database that is just being started gives this reason.
    fn may_pass(&self) -> bool {
        match self {
            ConnectError::Refused { .. }
            | ConnectError::UnknownHost { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::Mute { .. }
            | ConnectError::HungUp { .. }
            | ConnectError::TooMany { .. }
            | ConnectError::StartingUp { .. } => true,
            ConnectError::NotPostgres { .. }
            | ConnectError::Tls { .. }
            | ConnectError::WrongPassword { .. }
            | ConnectError::NoPassword { .. }
            | ConnectError::LoginRefused { .. }
            | ConnectError::UnknownDatabase { .. }
            | ConnectError::OptionsRefused { .. }
            | ConnectError::Interrupted { .. }
            | ConnectError::Leftovers { .. }
            | ConnectError::Other { .. } => false,
        }
    }

    /// Returns the server's SQLSTATE, where the server spoke.
    pub fn sqlstate(&self) -> Option<&str> {
        match self {
            ConnectError::WrongPassword { .. } => Some("28P01"),
            ConnectError::LoginRefused { .. } => Some("28000"),
            ConnectError::UnknownDatabase { .. } => Some("3D000"),
            ConnectError::TooMany { .. } => Some("53300"),
            ConnectError::StartingUp { .. } => Some("57P03"),
            ConnectError::OptionsRefused { sqlstate, .. } => Some(sqlstate),
            ConnectError::Other { sqlstate, .. } => sqlstate.as_deref(),
            ConnectError::Refused { .. }
            | ConnectError::UnknownHost { .. }
            | ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::Mute { .. }
            | ConnectError::HungUp { .. }
            | ConnectError::NotPostgres { .. }
            | ConnectError::Tls { .. }
            | ConnectError::NoPassword { .. }
            | ConnectError::Interrupted { .. }
            | ConnectError::Leftovers { .. } => None,
        }
    }
}

impl TlsFault {
    fn hint(&self) -> &'static str {
        match self {
            TlsFault::NotOffered => {
                "switch TLS off: sslmode=disable in the URL, or ssl: false in dbCredentials (without ssl, drizzle-kit demands TLS)"
            }
            TlsFault::UnknownIssuer => {
                "name the authority: sslrootcert=<file> in the URL, ssl.ca in dbCredentials, or NODE_EXTRA_CA_CERTS"
            }
            TlsFault::WrongName => {
                "connect by a name that the certificate holds, or set ssl.servername in dbCredentials"
            }
            TlsFault::Expired => "renew the server's certificate, and check this machine's clock",
            TlsFault::File(_) => {
                "correct sslrootcert, sslcert and sslkey; the paths are relative to the directory of the run"
            }
            TlsFault::Other(_) => "check the server's TLS settings; node may be more lenient than this check",
        }
    }
}

/// Finds out whether drizzle-kit will be able to connect, and to what. Whether the server [checks
/// clients](Server::checks_clients) is only seen where the session asks for [`CLIENT_CHECK`], and whether it is [read
/// only](Server::read_only) only before the visit holds a lock: its looks may not write.
pub fn preflight(visit: &Visit, deadline: Duration) -> Result<Server, ConnectError> {
    known(visit.dsn(), visit.look(deadline, ask_server)?)
}

/// Finds out whether the server would keep a session that begins with these options from writing: some poolers refuse
/// start-up options, and others swallow them. Must not be called from asynchronous code.
///
/// # Errors
/// When the server cannot be asked.
pub fn keeps_from_writing(dsn: &Dsn, run_id: &str, options: &str, deadline: Duration) -> Result<bool, ConnectError> {
    let application_name = format!("{run_id} preflight");
    within(dsn, deadline, async |patience| {
        match open(dsn, patience, &Session { application_name: &application_name, options }).await {
            Ok(client) => {
                let server = ask_server(&client).await.map_err(|error| explained(dsn, &error))?;
                Ok(known(dsn, server)?.read_only)
            }
            Err(ConnectError::OptionsRefused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    })
}

/// Waits until the database can be used, and says each other reason why it cannot yet. Must not be called from
/// asynchronous code.
///
/// # Errors
/// With the last reason, when the time is over; at once, where waiting does not help: a wrong password, an unknown
/// database, a certificate.
pub fn await_server(
    dsn: &Dsn,
    run_id: &str,
    wait: Duration,
    told: &mut dyn FnMut(&str),
) -> Result<Server, ConnectError> {
    const EACH: Duration = Duration::from_secs(5);
    const PAUSE: Duration = Duration::from_millis(250);
    let application_name = format!("{run_id} wait");
    let session = Session { application_name: &application_name, options: "" };
    // The end of the last attempt says more than our own deadline would.
    within(dsn, wait + EACH, async |patience| {
        let end = patience.end - EACH;
        let mut last = String::new();
        loop {
            let attempt = Patience::from_now(EACH.min(end.saturating_duration_since(Instant::now())));
            let asked = async {
                let client = open(dsn, attempt, &session).await?;
                let server = ask_server(&client).await.map_err(|error| explained(dsn, &error))?;
                known(dsn, server)
            };
            let error = match timeout_at(attempt.end, asked).await {
                Ok(Ok(server)) => return Ok(server),
                Ok(Err(error)) => error,
                Err(_) => ConnectError::Mute { at: at(dsn), within: attempt.within },
            };
            if !error.may_pass() || Instant::now() + PAUSE >= end {
                return Err(error);
            }
            let reason = error.to_string();
            if reason != last {
                told(&reason);
                last = reason;
            }
            tokio::time::sleep(PAUSE).await;
        }
    })
}

/// Asks a server what it is; nothing where it answers otherwise than PostgreSQL does.
async fn ask_server(client: &Client) -> Result<Option<Server>, tokio_postgres::Error> {
    let row = client.query_typed_one(QUESTION, &[]).await?;
    let answers: Vec<Option<String>> = (0..row.len()).map(|idx| row.get(idx)).collect();
    Ok(Server::of(&answers))
}

fn known(dsn: &Dsn, server: Option<Server>) -> Result<Server, ConnectError> {
    server.ok_or_else(|| ConnectError::NotPostgres {
        at: at(dsn),
        reason: "what it says of itself cannot be read".to_owned(),
    })
}

/// A deadline, and how long it was when it was set.
#[derive(Debug, Clone, Copy)]
pub(in crate::db) struct Patience {
    pub(in crate::db) end: Instant,
    pub(in crate::db) within: Duration,
}

impl Patience {
    pub(in crate::db) fn from_now(within: Duration) -> Patience {
        Patience { end: Instant::now() + within, within }
    }
}

/// Runs a conversation with the server on a runtime of its own, to its end, to the deadline or to a signal that ends us.
pub(in crate::db) fn within<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    converse(dsn, || attended(dsn, deadline, conversation))?
}

/// Runs a conversation to its end, to the deadline or to a signal that ends us. Needs a runtime.
pub(in crate::db) async fn attended<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    in_time(dsn, deadline, async |patience| {
        let mut signals = Signals::watch();
        tokio::select! {
            outcome = conversation(patience) => outcome,
            signal = signals.next() => Err(ConnectError::Interrupted { at: at(dsn), signal }),
        }
    })
    .await
}

/// The signals that ask us to end. Needs a runtime.
pub(in crate::db) struct Signals([(SignalKind, io::Result<Signal>); 3]);

impl Signals {
    pub(in crate::db) fn watch() -> Signals {
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        Signals(kinds.map(|kind| (kind, signal(kind))))
    }

    /// Waits for a signal, and returns its number.
    pub(in crate::db) async fn next(&mut self) -> i32 {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            signal = arrival(interrupt) => signal,
            signal = arrival(terminate) => signal,
            signal = arrival(hangup) => signal,
        }
    }
}

/// Waits for a signal; for ever where it cannot be watched.
async fn arrival((kind, watched): &mut (SignalKind, io::Result<Signal>)) -> i32 {
    let came = match watched {
        Ok(signal) => signal.recv().await.is_some(),
        Err(_) => false,
    };
    if !came {
        std::future::pending().await
    }
    kind.as_raw_value()
}

/// As [`within`], for what must be finished although we were asked to end.
pub(in crate::db) fn by_deadline<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    converse(dsn, || in_time(dsn, deadline, conversation))?
}

async fn in_time<T>(
    dsn: &Dsn,
    deadline: Duration,
    conversation: impl AsyncFnOnce(Patience) -> Result<T, ConnectError>,
) -> Result<T, ConnectError> {
    let patience = Patience::from_now(deadline);
    let mute = || ConnectError::Mute { at: at(dsn), within: deadline };
    timeout_at(patience.end, conversation(patience)).await.unwrap_or_else(|_| Err(mute()))
}

/// Runs a conversation on a runtime of its own. Its end closes every connection, whatever the server is still doing.
pub(in crate::db) fn converse<T>(dsn: &Dsn, conversation: impl AsyncFnOnce() -> T) -> Result<T, ConnectError> {
    let runtime = runtime(dsn)?;
    let outcome = runtime.block_on(conversation());
    leave(runtime);
    Ok(outcome)
}

/// Makes a runtime for conversations with a server.
pub(in crate::db) fn runtime(dsn: &Dsn) -> Result<Runtime, ConnectError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| unreachable(dsn, &error))
}

/// Ends a runtime whose clients are dropped already.
pub(in crate::db) fn leave(runtime: Runtime) {
    // One turn for the task of a dropped client, which takes leave of the server.
    runtime.block_on(tokio::task::yield_now());
    // Dropping the runtime would wait for a name look-up that hangs in the resolver.
    runtime.shutdown_background();
}

/// For name look-up, TCP, TLS and login together, where the deadline leaves more. Whoever is mute for so long stays mute.
const LOGIN: Duration = Duration::from_secs(10);

/// Connects, by a deadline that is running already and covers name look-up, TCP, TLS and login. The connection is driven by
/// a task of the current runtime, and ends when the client is dropped.
pub(in crate::db) async fn open(dsn: &Dsn, patience: Patience, session: &Session<'_>) -> Result<Client, ConnectError> {
    open_watched(dsn, patience, session).await.map(|(client, _)| client)
}

/// As [`open`]. The connection's descriptor comes along: what is readable there has not been read by the client.
pub(in crate::db) async fn open_watched(
    dsn: &Dsn,
    patience: Patience,
    session: &Session<'_>,
) -> Result<(Client, OwnedFd), ConnectError> {
    let login = Patience::from_now(LOGIN);
    let patience = if login.end < patience.end { login } else { patience };
    let config = config(dsn, session);
    let watch = |fd: BorrowedFd| fd.try_clone_to_owned().map_err(|error| unreachable(dsn, &error));
    match &dsn.address().host {
        Host::Tcp(_) => {
            let stream = dial(dsn, dsn.dialled(), patience).await?;
            let watched = watch(stream.as_fd())?;
            Ok((log_in(dsn, &config, stream, patience).await?, watched))
        }
        Host::Socket(dir) => {
            let stream = dial_socket(dsn, dir, patience).await?;
            let watched = watch(stream.as_fd())?;
            Ok((log_in(dsn, &config, stream, patience).await?, watched))
        }
    }
}

fn config(dsn: &Dsn, session: &Session<'_>) -> Config {
    let address = dsn.address();
    let mut config = Config::new();
    config.user(&address.user).dbname(&address.database).application_name(session.application_name);
    config.ssl_mode(match dsn.tls() {
        Tls::Off => SslMode::Disable,
        Tls::Required(_) => SslMode::Require,
        Tls::Preferred(_) => SslMode::Prefer,
    });
    if dsn.binds_channel() {
        config.channel_binding(ChannelBinding::Require);
    }
    let options: Vec<_> =
        dsn.options().into_iter().chain(Some(session.options)).filter(|text| !text.is_empty()).collect();
    if !options.is_empty() {
        config.options(options.join(" "));
    }
    if let Some(password) = dsn.password().cloned().or_else(|| password_from_file(dsn)) {
        config.password(password.expose_secret());
    }
    config
}

/// Looks the password up as pgpass 1.0.5 does, which leaves a file alone that others may read.
fn password_from_file(dsn: &Dsn) -> Option<SecretString> {
    let file = dsn.password_file()?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let metadata = file.metadata().ok()?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o077 != 0 {
            return None;
        }
    }
    find_in_pgpass(&files::text(file, files::SETTINGS).ok()?, dsn)
}

/// Opens a TCP connection to one of the host's addresses.
///
/// `localhost` has two addresses, and often only one of them has a server. Each gets its share of the time, so that a
/// black hole at the first does not hide the second.
async fn dial(dsn: &Dsn, name: &str, patience: Patience) -> Result<TcpStream, ConnectError> {
    let timed_out = || ConnectError::TimedOut { at: at(dsn), within: patience.within };
    let unknown = |reason: String| ConnectError::UnknownHost { at: at(dsn), reason };

    let found = timeout_at(patience.end, tokio::net::lookup_host((name, dsn.address().port))).await;
    let addresses: Vec<_> = found.map_err(|_| timed_out())?.map_err(|error| unknown(resolver_words(&error)))?.collect();

    let mut error = unknown("it has no address".to_owned());
    for (idx, address) in addresses.iter().enumerate() {
        let n_left = u32::try_from(addresses.len() - idx).expect("a host has few addresses");
        let share = patience.end.saturating_duration_since(Instant::now()) / n_left;
        let next = match timeout_at(Instant::now() + share, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                stream.set_nodelay(true).map_err(|error| unreachable(dsn, &error))?;
                SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE).map_err(|error| unreachable(dsn, &error))?;
                return Ok(stream);
            }
            Ok(Err(cause)) if cause.kind() == io::ErrorKind::ConnectionRefused => ConnectError::Refused { at: at(dsn) },
            Ok(Err(cause)) if cause.kind() == io::ErrorKind::TimedOut => timed_out(),
            Ok(Err(cause)) => unreachable(dsn, &cause),
            Err(_) => timed_out(),
        };
        // "Refused" says more than "no route" from the address of the other kind.
        if !matches!(error, ConnectError::Refused { .. }) {
            error = next;
        }
    }
    Err(error)
}

#[cfg(unix)]
async fn dial_socket(dsn: &Dsn, dir: &Path, patience: Patience) -> Result<tokio::net::UnixStream, ConnectError> {
    let path = dir.join(format!(".s.PGSQL.{}", dsn.address().port));
    match timeout_at(patience.end, tokio::net::UnixStream::connect(path)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            Err(ConnectError::Refused { at: at(dsn) })
        }
        Ok(Err(error)) => Err(unreachable(dsn, &error)),
        Err(_) => Err(ConnectError::TimedOut { at: at(dsn), within: patience.within }),
    }
}

#[cfg(not(unix))]
async fn dial_socket(dsn: &Dsn, _: &Path, _: Patience) -> Result<TcpStream, ConnectError> {
    Err(unreachable(dsn, &io::Error::new(io::ErrorKind::Unsupported, "unix sockets do not exist here")))
}

/// Goes through TLS and login on a connection that stands.
async fn log_in<S>(dsn: &Dsn, config: &Config, stream: S, patience: Patience) -> Result<Client, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    match dsn.tls() {
        Tls::Off => shake_hands(dsn, config, stream, NoTls, patience).await,
        Tls::Required(trust) | Tls::Preferred(trust) => {
            let settings = tls::client_config(dsn.address(), trust)
                .map_err(|Unprepared(reason)| ConnectError::Tls { at: at(dsn), fault: TlsFault::File(reason) })?;
            let name = tls::handshake_name(dsn.address(), trust);
            let Ok(tls) = MakeTlsConnect::<S>::make_tls_connect(&mut MakeRustlsConnect::new(settings), &name);
            shake_hands(dsn, config, stream, tls, patience).await
        }
    }
}

async fn shake_hands<S, T>(
    dsn: &Dsn,
    config: &Config,
    stream: S,
    tls: T,
    patience: Patience,
) -> Result<Client, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: TlsConnect<S>,
    T::Stream: Send + 'static,
{
    match timeout_at(patience.end, config.connect_raw(stream, tls)).await {
        Ok(Ok((client, connection))) => {
            // Whatever ends the connection also ends the client's next request with an error.
            tokio::spawn(async move { connection.await.unwrap_or_default() });
            Ok(client)
        }
        Ok(Err(error)) => Err(explained(dsn, &error)),
        Err(_) => Err(ConnectError::Mute { at: at(dsn), within: patience.within }),
    }
}

/// Tells what an error of tokio-postgres means.
///
/// Its kinds are private. The words of its `Display` are fixed per kind and hold nothing else (0.7.18,
/// `error/mod.rs`), the facts are in the cause.
pub(in crate::db) fn explained(dsn: &Dsn, error: &tokio_postgres::Error) -> ConnectError {
    let at = at(dsn);
    if let Some(answer) = error.as_db_error() {
        return answered(at, answer);
    }
    if error.is_closed() {
        return ConnectError::HungUp { at };
    }
    let cause = error.source();
    let reason = || cause.map_or_else(|| error.to_string(), ToString::to_string);
    let io = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    match &*error.to_string() {
        "error performing TLS handshake" => match io {
            Some(io) => ConnectError::Tls { at, fault: tls_fault(io) },
            None if reason() == "server does not support TLS" => ConnectError::Tls { at, fault: TlsFault::NotOffered },
            None => ConnectError::Tls { at, fault: TlsFault::Other(reason()) },
        },
        "invalid configuration" if reason() == "password missing" => ConnectError::NoPassword { at },
        "error communicating with the server" if io.is_some_and(is_end) => ConnectError::HungUp { at },
        "error communicating with the server" if io.is_some_and(|io| io.raw_os_error().is_some()) => {
            ConnectError::Unreachable { at, reason: reason() }
        }
        "error communicating with the server"
        | "unexpected message from server"
        | "error parsing response from server" => ConnectError::NotPostgres { at, reason: reason() },
        _ => ConnectError::Other { at, sqlstate: None, message: reason() },
    }
}

/// Tells what an error that the server sent means.
fn answered(at: At, answer: &DbError) -> ConnectError {
    let message = answer.message().to_owned();
    let sqlstate = answer.code().code();
    if concerns_options(sqlstate, &message) {
        return ConnectError::OptionsRefused { at, sqlstate: sqlstate.to_owned(), message };
    }
    match sqlstate {
        "28P01" => ConnectError::WrongPassword { at },
        "28000" => ConnectError::LoginRefused { at, message },
        "3D000" => ConnectError::UnknownDatabase { at },
        "53300" => ConnectError::TooMany { at, message },
        "57P03" => ConnectError::StartingUp { at, message },
        _ => ConnectError::Other { at, sqlstate: Some(sqlstate.to_owned()), message },
    }
}

/// Says whether a refusal is about the start-up options.
///
/// - PgBouncer, and Neon's proxy before it: 08P01 `unsupported startup parameter: options`, since 1.20
///   `unsupported startup parameter in options: …` and `unsupported options startup parameter: only '-c config=val' is
///   allowed` (neondatabase/neon#6291, pgbouncer/pgbouncer#875);
/// - RDS Proxy: `Feature not supported: RDS Proxy currently doesn't support command-line options.`
///   (psycopg/psycopg2#1577);
/// - PostgreSQL before 14: 42704 `unrecognized configuration parameter "client_connection_check_interval"`;
/// - PostgreSQL on systems without the needed kernel event: 22023, `client_connection_check_interval must be set to 0 on
///   this platform` as its detail (guc check hook).
fn concerns_options(sqlstate: &str, message: &str) -> bool {
    let names_setting = message.contains("client_connection_check_interval");
    match sqlstate {
        "42704" | "22023" => names_setting,
        _ => message.contains("startup parameter") || message.contains("command-line options"),
    }
}

/// Reads the words of `pg_hba.conf` refusals: "no encryption" since PostgreSQL 15, "SSL off" before.
fn wants_tls(message: &str) -> bool {
    message.contains("no encryption") || message.contains("SSL off")
}

fn tls_fault(error: &io::Error) -> TlsFault {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    let Some(rustls::Error::InvalidCertificate(certificate)) = cause else {
        return TlsFault::Other(error.to_string());
    };
    match certificate {
        // Another authority may have the same name: then it is the signature that does not fit.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => TlsFault::UnknownIssuer,
        // webpki's verdict on a self-made certificate that may sign others; its error type is not ours to name.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => TlsFault::UnknownIssuer,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => TlsFault::WrongName,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsFault::Expired,
        other => TlsFault::Other(other.to_string()),
    }
}

fn is_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn unreachable(dsn: &Dsn, error: &io::Error) -> ConnectError {
    let reason = error.to_string();
    // std appends " (os error 111)".
    let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
    ConnectError::Unreachable { at: at(dsn), reason }
}

/// Returns getaddrinfo's own words, without std's "failed to lookup address information: ".
fn resolver_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.rsplit(": ").next().unwrap_or(&words).to_lowercase()
}

pub(in crate::db) fn at(dsn: &Dsn) -> At {
    Box::new(dsn.address().clone())
}

fn list(pids: &[i32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{Shutdown, TcpListener};
    use std::thread;

    use super::*;

    const SHORT: Duration = Duration::from_millis(300);
    const LONG: Duration = Duration::from_secs(10);

    fn dsn(port: u16, parameters: &str) -> Dsn {
        let url = format!("postgres://app:s3cret@127.0.0.1:{port}/shop{parameters}");
        Dsn::from_url(&url, &|_| None).expect("a good URL")
    }

    /// Serves one answer to each connection's first message, in turn.
    fn serve(answers: Vec<Vec<u8>>) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().expect("the test connects");
                let n_read = stream.read(&mut [0; 1024]).expect("the test asks");
                assert!(n_read > 0);
                stream.write_all(&answer).expect("the test listens");
                stream.shutdown(Shutdown::Write).expect("the connection stands");
                // Read to the end: closing over unread bytes would reset the connection and drop the answer.
                stream.read_to_end(&mut Vec::new()).unwrap_or_default();
            }
        });
        port
    }

    /// An ErrorResponse (protocol documentation, "Message Formats").
    fn refusal(sqlstate: &str, message: &str) -> Vec<u8> {
        let fields = format!("SFATAL\0VFATAL\0C{sqlstate}\0M{message}\0\0");
        let len = u32::try_from(fields.len() + 4).expect("a message is short");
        [b"E", &len.to_be_bytes()[..], fields.as_bytes()].concat()
    }

    fn outcome(dsn: &Dsn, deadline: Duration) -> ConnectError {
        let visit = Visit::to(dsn, "test", CLIENT_CHECK).expect("the system has a runtime to give");
        preflight(&visit, deadline).expect_err("there is no PostgreSQL")
    }

    fn check_refusal(sqlstate: &str, message: &str, expected: &str) {
        let error = outcome(&dsn(serve(vec![refusal(sqlstate, message); 2]), ""), LONG);
        assert_eq!(error.sqlstate(), Some(sqlstate));
        let shown = error.to_string();
        let words = shown.split_once(' ').expect("the message starts with the server").1;
        assert_eq!(words, expected, "{error:?}");
        assert!(!format!("{error:?} {error} {}", error.hint()).contains("s3cret"));
    }

    #[test]
    fn a_port_without_a_listener_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        drop(listener);
        let error = outcome(&dsn(port, ""), LONG);
        assert!(matches!(error, ConnectError::Refused { .. }), "{error:?}");
        assert_eq!(error.to_string(), format!("127.0.0.1:{port} refused the connection"));
    }

    #[test]
    fn a_connection_notices_a_server_that_vanished() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let dsn = dsn(listener.local_addr().expect("the listener is bound").port(), "");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let stream = runtime.block_on(dial(&dsn, "127.0.0.1", Patience::from_now(LONG))).expect("it listens");
        let socket = SockRef::from(&stream);
        let found = (socket.keepalive(), socket.tcp_keepalive_time(), socket.tcp_keepalive_retries());
        let (on, idle, retries) = (found.0.ok(), found.1.ok(), found.2.ok());
        assert_eq!((on, idle, retries), (Some(true), Some(Duration::from_secs(20)), Some(3)));
    }

    #[test]
    fn a_server_that_stays_mute_is_given_up_at_the_deadline() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let port = listener.local_addr().expect("the listener is bound").port();
        for parameters in ["", "?sslmode=no-verify"] {
            let started = std::time::Instant::now();
            let error = outcome(&dsn(port, parameters), SHORT);
            assert!(matches!(error, ConnectError::Mute { .. }), "{error:?}");
            assert!(started.elapsed() < LONG, "{:?}", started.elapsed());
        }
    }

    #[test]
    fn a_server_that_hangs_up_is_told_from_one_that_is_not_postgresql() {
        let error = outcome(&dsn(serve(vec![Vec::new()]), ""), LONG);
        assert!(matches!(error, ConnectError::HungUp { .. }), "{error:?}");
        for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "-ERR unknown command\r\n"] {
            let error = outcome(&dsn(serve(vec![answer.into()]), ""), LONG);
            assert!(matches!(error, ConnectError::NotPostgres { .. }), "{answer}: {error:?}");
        }
    }

    #[test]
    fn a_server_without_tls_is_told_so() {
        let error = outcome(&dsn(serve(vec![b"N".to_vec()]), "?sslmode=no-verify"), LONG);
        assert!(matches!(error, ConnectError::Tls { fault: TlsFault::NotOffered, .. }), "{error:?}");
    }

    #[test]
    fn refusals_of_the_server_are_told_apart() {
        check_refusal("28P01", "password authentication failed", "refused the password of user app");
        check_refusal("28000", "role is not permitted", "refused the login of user app (role is not permitted)");
        check_refusal("53300", "sorry, too many clients", "has no free connection (sorry, too many clients)");
        check_refusal("57P03", "the system is starting up", "is not ready (the system is starting up)");
        check_refusal(
            "08P01",
            "unsupported startup parameter: options",
            "refused the start-up options (unsupported startup parameter: options)",
        );
        check_refusal("58000", "odd", "as app: odd");
    }

    #[test]
    fn a_missing_database_is_named() {
        let error = outcome(&dsn(serve(vec![refusal("3D000", "database does not exist")]), ""), LONG);
        assert!(error.to_string().starts_with("database shop does not exist on 127.0.0.1:"), "{error}");
        assert_eq!(error.hint(), "correct the name, or create it: CREATE DATABASE \"shop\"");
    }

    #[test]
    fn refused_options_are_left_out_at_the_second_try() {
        for (sqlstate, message) in [
            ("08P01", "unsupported startup parameter: options"),
            ("08P01", "unsupported startup parameter in options: client_connection_check_interval"),
            ("0A000", "Feature not supported: RDS Proxy currently doesn't support command-line options."),
            ("42704", "unrecognized configuration parameter \"client_connection_check_interval\""),
            ("22023", "invalid value for parameter \"client_connection_check_interval\": 500"),
        ] {
            let port = serve(vec![refusal(sqlstate, message), refusal("57P03", "starting up")]);
            let error = outcome(&dsn(port, ""), LONG);
            assert!(matches!(error, ConnectError::StartingUp { .. }), "{message}: {error:?}");
        }
    }

    #[test]
    fn a_missing_unix_socket_is_unreachable() {
        let dsn = Dsn::from_url("socket:/nonexistent?db=d&user=u", &|_| None).expect("a good URL");
        let error = outcome(&dsn, LONG);
        assert_eq!(error.to_string(), "/nonexistent:5432 cannot be reached (no such file or directory)");
    }

    #[test]
    fn a_missing_certificate_file_is_named() {
        let error = outcome(&dsn(serve(vec![Vec::new()]), "?sslrootcert=/nonexistent.pem"), LONG);
        assert!(error.to_string().contains("reading /nonexistent.pem: "), "{error}");
    }
}
