//! The parts in which a database is described, before a driver fills the gaps. Pure.

use std::path::PathBuf;

use serde_json::Value;

use crate::db::connection::trust::{Check, Pem, Tls, Trust};
use crate::db::connection::url::error::DsnError;

/// Looks a variable of the environment up, as the kit's own process would see it.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a URL or an object says about TLS, before the environment is asked.
pub(super) enum Ssl {
    Unset,
    Off,
    On(Trust),
}

impl Ssl {
    /// Reads what node-pg takes as its `ssl` option.
    ///
    /// Any string but `true` and `no-verify` (`false`, `1` and `require` too) asks the server for TLS and then throws
    /// "Cannot use 'in' operator to search for 'key'" outside every promise (connection.js; seen with pg 8.16.3).
    pub(super) fn from_value(value: &Value) -> Result<Ssl, DsnError> {
        let text = |pem: &Value| pem.as_str().map(|text| Pem::Text(text.to_owned()));
        Ok(match value {
            Value::Null | Value::Bool(false) => Ssl::Off,
            Value::String(text) => match &**text {
                "" => Ssl::Off,
                "true" => Ssl::On(Trust::default()),
                "no-verify" => Ssl::On(Trust::nothing()),
                _ => return Err(DsnError::Ssl(text.clone())),
            },
            Value::Object(options) => {
                let rejects = options.get("rejectUnauthorized").is_none_or(|value| value != &Value::Bool(false));
                Ssl::On(Trust {
                    check: if rejects { Check::Full } else { Check::Nothing },
                    roots: match options.get("ca") {
                        Some(Value::Array(roots)) => roots.iter().filter_map(text).collect(),
                        root => root.and_then(text).into_iter().collect(),
                    },
                    extra_roots: None,
                    identity: options.get("cert").and_then(text).zip(options.get("key").and_then(text)),
                    server_name: options.get("servername").and_then(Value::as_str).map(str::to_owned),
                })
            }
            _ => Ssl::On(Trust::default()),
        })
    }

    /// Returns what comes of it with node's own variables, and this mode where nothing was said.
    pub(super) fn settle_by(self, env: Env, mode: Option<&str>) -> Tls {
        let trust = match self {
            Ssl::Off => None,
            Ssl::On(trust) => Some(trust),
            Ssl::Unset => match mode {
                Some("prefer" | "require" | "verify-ca" | "verify-full") => Some(Trust::default()),
                Some("no-verify") => Some(Trust::nothing()),
                _ => None,
            },
        };
        let Some(mut trust) = trust else { return Tls::Off };
        // node's tls.connect: this variable is the default of rejectUnauthorized.
        if env("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0") {
            trust.check = Check::Nothing;
        }
        // node's tls.createSecureContext: an explicit `ca` replaces the usual roots and the extra ones.
        if trust.roots.is_empty() {
            trust.extra_roots = env("NODE_EXTRA_CA_CERTS").and_then(some).map(PathBuf::from);
        }
        Tls::Required(trust)
    }
}

/// The parts that were given, before the environment fills the gaps, with `ssl` as a driver has it.
pub(super) struct Given<S> {
    pub(super) host: Option<String>,
    pub(super) port: Option<String>,
    pub(super) database: Option<String>,
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
    pub(super) written: Option<String>,
    pub(super) ssl: S,
    pub(super) binds_channel: bool,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
}

impl<S> Given<S> {
    pub(super) fn from_parts(credentials: &Value, ssl: S) -> Given<S> {
        let text = |key| match credentials.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Given {
            host: text("host"),
            port: text("port"),
            database: text("database"),
            user: text("user"),
            password: text("password"),
            written: None,
            ssl,
            binds_channel: false,
            options: None,
            application_name: None,
        }
    }
}

/// Finds a parameter of libpq that demands a safer connection than node-pg makes (PostgreSQL 18, "Parameter Key Words").
///
/// TLS below 1.2 is never spoken, by node's default nor by rustls.
pub(super) fn unmet(parameter: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_met = |name: &str, value: &str| match name {
        "gssencmode" => value != "require",
        "ssl_min_protocol_version" => matches!(value, "TLSv1" | "TLSv1.1" | "TLSv1.2"),
        _ => false,
    };
    ["require_auth", "requirepeer", "gssencmode", "ssl_min_protocol_version", "sslcrl", "sslcrldir"].iter().find_map(
        |name| {
            let value = parameter(name)?;
            (!is_met(name, &value)).then(|| format!("{name}={value}"))
        },
    )
}

/// Reads a port as JavaScript's `parseInt` does: the digits at the start count.
pub(super) fn parse_port(text: &str) -> Result<u16, DsnError> {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    match digits[..n_digits].parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(DsnError::Port(text.to_owned())),
    }
}

pub(super) fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}
