//! Where a connection goes and as whom. Pure.

use std::fmt;
use std::path::PathBuf;

use crate::host;

/// Where a connection goes and as whom: the part of a [`Dsn`](super::dsn::Dsn) that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: Host,
    pub port: u16,
    pub database: String,
    pub user: String,
}

/// What a driver connects to, in the one spelling of [`host::spell`].
///
/// There is one host. node-pg knows no lists: `h1,h2` is one name to it, which no resolver knows, and
/// `h1:1,h2:2` is an invalid URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address; an IPv6 address has no brackets.
    Tcp(String),
    /// The directory of a unix socket. The file in it is `.s.PGSQL.<port>` (pg `client.js`).
    Socket(PathBuf),
}

impl Host {
    /// Reads a host; what begins with a slash is the directory of a socket.
    pub(super) fn of(given: &str) -> Host {
        let spelled = host::spell(given);
        if host::is_socket(&spelled) { Host::Socket(spelled.into()) } else { Host::Tcp(spelled) }
    }
}

impl fmt::Display for Host {
    /// Writes the host as guards, profiles and reports name it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Host::Tcp(name) => f.write_str(name),
            Host::Socket(dir) => write!(f, "{}", dir.display()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{} as {}", self.server(), self.database, self.user)
    }
}

impl Address {
    /// Returns `host:port`, with the directory for the host of a unix socket.
    pub fn server(&self) -> String {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", self.port),
            Host::Tcp(name) => format!("{name}:{}", self.port),
            Host::Socket(dir) => format!("{}:{}", dir.display(), self.port),
        }
    }
}
