//! Whether and how a connection is encrypted, and what the server has to prove. Pure.

use std::fmt;
use std::path::PathBuf;

/// Whether and how the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// In the clear. node-pg's default for a URL, even where the server offers TLS.
    Off,
    /// With TLS or not at all.
    ///
    /// node-pg never falls back: `sslmode=prefer` fails where the server has no TLS (connection.js, "The server does
    /// not support SSL connections").
    Required(Trust),
    /// With TLS, or without it where the server has none: postgres.js' `ssl=prefer`.
    Preferred(Trust),
}

/// What the server's certificate has to prove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    pub check: Check,
    /// The roots to trust instead of the usual ones; PEM.
    pub roots: Vec<Pem>,
    /// Roots trusted beside the usual ones: `NODE_EXTRA_CA_CERTS`, which node reads at start.
    pub extra_roots: Option<PathBuf>,
    /// Our own certificate and its key; PEM.
    pub identity: Option<(Pem, Pem)>,
    /// The name that the certificate must carry, where it is not the host (`ssl.servername`).
    pub server_name: Option<String>,
}

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// The chain and the name.
    #[default]
    Full,
    /// The chain alone.
    Authority,
    /// Nothing: any certificate will do.
    Nothing,
}

/// A PEM document, given as a file or as its text.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    File(PathBuf),
    Text(String),
}

impl Trust {
    pub(super) fn nothing() -> Trust {
        Trust { check: Check::Nothing, ..Trust::default() }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Pem::File(file) => write!(f, "{}", file.display()),
            Pem::Text(_) => f.write_str("[PEM]"),
        }
    }
}
