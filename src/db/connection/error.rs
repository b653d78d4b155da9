//! Why a database cannot be used: which of the many reasons it is.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use rustls::CertificateError;
use tokio_postgres::error::DbError;

use crate::db::connection::address::{Address, Host};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::explain;

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
    #[error("its certificate is for another name")]
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
                "the server requires TLS: add sslmode=verify-full to the URL, or ssl to dbCredentials"
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
            ConnectError::Interrupted { .. } => "run the command again: nothing was sent to the server yet",
            ConnectError::Leftovers { pids, .. } => {
                return format!("end them as a superuser: SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[{}]) AS pid", list(pids));
            }
            ConnectError::Other { sqlstate, message, .. } => {
                let code = sqlstate.as_deref().unwrap_or_default();
                let advice = explain::advice(code, message, &explain::About::default());
                return advice.unwrap_or_else(|| "check the server log".to_owned());
            }
        }
        .to_owned()
    }

    /// Tells whether a database that is just being started gives this reason.
    pub(super) fn may_pass(&self) -> bool {
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

    /// Tells whether no answer came in time. Our own limits in the server say so with a SQLSTATE: `lock_timeout` with
    /// 55P03, `statement_timeout` with 57014.
    pub fn is_silence(&self) -> bool {
        let is_limit = matches!(self.sqlstate(), Some("55P03" | "57014"));
        is_limit || matches!(self, ConnectError::Mute { .. } | ConnectError::TimedOut { .. })
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
                "specify the certificate authority: sslrootcert=<file> in the URL, ssl.ca in dbCredentials, or NODE_EXTRA_CA_CERTS"
            }
            TlsFault::WrongName => "connect with a name in the certificate, or set ssl.servername in dbCredentials",
            TlsFault::Expired => "renew the server's certificate, and check this machine's clock",
            TlsFault::File(_) => {
                "correct sslrootcert, sslcert and sslkey; the paths are relative to the directory of the run"
            }
            TlsFault::Other(_) => "check the server's TLS settings; node may be more lenient than this check",
        }
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

pub(super) fn unreachable(dsn: &Dsn, error: &io::Error) -> ConnectError {
    let reason = error.to_string();
    // std appends " (os error 111)".
    let reason = reason.split(" (os error").next().unwrap_or_default().to_lowercase();
    ConnectError::Unreachable { at: at(dsn), reason }
}

pub(in crate::db) fn at(dsn: &Dsn) -> At {
    Box::new(dsn.address().clone())
}

fn list(pids: &[i32]) -> String {
    pids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
