//! Why something is no usable description of a database.

use crate::db::connection::url::driver::Driver;

/// Why something is no usable description of a database. No message repeats what was given: a password may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsnError {
    #[error("the database URL is not a URL")]
    NotAUrl,
    #[error("the database URL is not valid: {0}")]
    Invalid(url::ParseError),
    #[error("the database URL contains a % escape that is not UTF-8")]
    Encoding,
    #[error("the database port {0:?} is not a port number")]
    Port(String),
    #[error("ssl={0:?} makes the pg driver fail when it connects")]
    Ssl(String),
    #[error("sslmode=verify-ca with uselibpqcompat=true needs sslrootcert")]
    NoRootCertificate,
    #[error("sslcert and sslkey must be given together")]
    HalfAnIdentity,
    /// A demand on the connection's safety that neither drizzle-kit's driver nor this program can meet.
    #[error("the database URL demands {0}, which drizzle-kit's driver does not support")]
    Unmet(String),
    /// The driver takes the address from another place than the one where it stands.
    #[error(
        "the parameter `{parameter}` of the database URL sends drizzle-kit's driver `{driver}` to another place than its host and path"
    )]
    Elsewhere { parameter: String, driver: Driver },
    /// The driver's sessions are not those that statements are judged by.
    #[error(
        "the parameter `{parameter}` of the database URL becomes a session setting in drizzle-kit's driver `{driver}`, which drizzle-pilot does not take into account"
    )]
    Session { parameter: String, driver: Driver },
    /// The driver does something else with it than is meant.
    #[error("drizzle-kit's driver `{driver}` {what}")]
    Unreadable { what: &'static str, driver: Driver },
    /// A program that is started cannot be told which database is meant.
    #[error("no URL specifies this database")]
    Nameless,
    #[error("no database user is specified")]
    NoUser,
    #[error("dbCredentials have neither a url nor a host and a database")]
    NoCredentials,
}

impl DsnError {
    /// Returns what to change, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            DsnError::NotAUrl => {
                "write it as postgres://user:password@host:5432/database; drizzle-kit does not understand key=value strings"
            }
            DsnError::Invalid(_) | DsnError::Encoding => {
                "percent-encode the special characters of user and password (@ %40, / %2F, # %23, ? %3F, : %3A, % %25)"
            }
            DsnError::Port(_) => "write a port between 1 and 65535",
            DsnError::Ssl(_) => "write sslmode=disable, sslmode=verify-full or sslmode=no-verify instead",
            DsnError::NoRootCertificate => "add sslrootcert=<file>, or use sslmode=verify-full",
            DsnError::HalfAnIdentity => "give both files, sslcert=<file>&sslkey=<file>, or none",
            DsnError::Unmet(_) => {
                "remove it: drizzle-kit ignores it, so it protects nothing; sslmode=verify-full verifies the server"
            }
            DsnError::Elsewhere { .. } => {
                "remove it, and write the address before the `?`: postgres://user:password@host:5432/database"
            }
            DsnError::Session { .. } => {
                "remove it; make settings for every session on the server: ALTER ROLE … SET, or ALTER DATABASE … SET"
            }
            DsnError::Unreadable { .. } => {
                "name one host, without escapes, and a database; or install the driver `pg`, which drizzle-kit prefers"
            }
            DsnError::Nameless => "rename the database: its name has a character that a URL cannot contain",
            DsnError::NoUser => "put the user into dbCredentials, or set PGUSER; USER is often unset in containers",
            DsnError::NoCredentials => "set dbCredentials.url in drizzle's config",
        }
    }
}
