//! Reads credentials as postgres.js does. Pure.
//!
//! The reference is the code that drizzle-kit runs: postgres 3.4.9 `src/index.js` (`parseOptions`, `parseUrl`) and
//! `src/connection.js` (`StartupMessage`, `secure`).

use serde_json::Value;
use url::Url;

use crate::db::connection::address::{Address, Host};
use crate::db::connection::dsn::{Dsn, Password};
use crate::db::connection::trust::{Tls, Trust};
use crate::db::connection::url::driver::Driver;
use crate::db::connection::url::error::DsnError;
use crate::db::connection::url::escape::decode;
use crate::db::connection::url::given::{Env, Given, Ssl, parse_port, some, unmet};
use crate::host;

/// What postgres.js keeps of a URL's parameters to itself. It sends every other one to the server, as a setting of the
/// session.
const OF_POSTGRES_JS: [&str; 15] = [
    "max",
    "ssl",
    "sslmode",
    "sslnegotiation",
    "idle_timeout",
    "connect_timeout",
    "max_lifetime",
    "max_pipeline",
    "backoff",
    "keep_alive",
    "prepare",
    "debug",
    "fetch_types",
    "publications",
    "target_session_attrs",
];

/// Settings of a session by which nothing is judged, and names that no server knows and some poolers pass over. The start-up
/// options are those of our own sessions as well.
const HARMLESS: [&str; 14] = [
    "application_name",
    "options",
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
    "channel_binding",
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "schema",
    "uselibpqcompat",
    "workaround",
];

/// What other drivers take for a part of the address. postgres.js has its server choose the database and the user by them.
const ADDRESS: [&str; 12] = [
    "host", "hostname", "hostaddr", "port", "path", "database", "dbname", "db", "user", "username", "password", "pass",
];

/// Reads a URL as postgres.js does.
pub(super) fn from_url(text: &str, env: Env) -> Result<Dsn, DsnError> {
    let unreadable = |what| DsnError::Unreadable { what, driver: Driver::PostgresJs };
    // Without these it cuts the host out of another place of the text than where it is.
    let (_, rest) = text.split_once("://").ok_or(DsnError::NotAUrl)?;
    let authority = rest.split(['?', '/']).next().unwrap_or_default();
    // The host as it cuts it out of the text, before it has it parsed: from the first `@` on.
    let cut = decode(authority.split_once('@').map_or(authority, |(_, host)| host), "")?;
    if cut.contains(',') {
        return Err(unreadable("chooses one of several hosts"));
    }
    if cut.contains('$') {
        return Err(unreadable("misreads a host with a $"));
    }
    let url = Url::parse(text).map_err(DsnError::Invalid)?;
    if url.cannot_be_a_base() {
        return Err(DsnError::NotAUrl);
    }

    // The last of several parameters of one name wins, and it passes over empty ones.
    let parameter = |name: &str| {
        let value = url.query_pairs().filter(|(key, _)| key == name).last();
        value.and_then(|(_, value)| some(value.into_owned()))
    };
    if let Some(demand) = unmet(parameter) {
        return Err(DsnError::Unmet(demand));
    }
    for (name, value) in url.query_pairs().filter(|(_, value)| !value.is_empty()) {
        let (parameter, driver) = (name.into_owned(), Driver::PostgresJs);
        match parameter.as_str() {
            "sslrootcert" if value == "system" => {
                return Err(unreadable("passes sslrootcert to the server, which refuses it"));
            }
            name if OF_POSTGRES_JS.contains(&name) || HARMLESS.contains(&name) => {}
            name if ADDRESS.contains(&name) => return Err(DsnError::Elsewhere { parameter, driver }),
            _ => return Err(DsnError::Session { parameter, driver }),
        }
    }

    let ssl = match parameter("sslmode").or_else(|| parameter("ssl")) {
        Some(mode) if matches!(&*mode, "disable" | "false") => Value::Bool(false),
        Some(mode) => Value::from(mode),
        // An empty one is there, and is none.
        None if url.query_pairs().any(|(name, _)| name == "ssl") => Value::Bool(false),
        None => env("PGSSL").map_or(Value::Bool(false), Value::from),
    };
    let written = url.password().unwrap_or_default();
    let dsn = settle(
        Given {
            host: some(url.host_str().unwrap_or_default().to_owned()),
            port: url.port().map(|port| port.to_string()),
            // It decodes user and password, and not the database.
            database: some(url.path().get(1..).unwrap_or_default().to_owned()),
            user: some(decode(url.username(), "")?),
            password: some(decode(written, "")?),
            written: some(written.to_owned()),
            ssl,
            binds_channel: parameter("channel_binding").as_deref() == Some("require"),
            options: parameter("options"),
            application_name: parameter("application_name"),
        },
        env,
    )?;
    Ok(Dsn { given: Some(text.into()), ..dsn })
}

/// Reads credentials in parts as postgres.js gets them from drizzle-kit: as they are.
pub(super) fn from_parts(credentials: &Value, env: Env) -> Result<Dsn, DsnError> {
    let ssl = match credentials.get("ssl") {
        Some(ssl) => ssl.clone(),
        None => env("PGSSL").map_or(Value::Bool(false), Value::from),
    };
    settle(Given::from_parts(credentials, ssl), env)
}

/// Mirrors `parseOptions`. It reads no `.pgpass`, no `PGOPTIONS` and no `PGSSLMODE`.
fn settle(parts: Given<Value>, env: Env) -> Result<Dsn, DsnError> {
    let unreadable = |what| DsnError::Unreadable { what, driver: Driver::PostgresJs };
    // What is empty is not given (`||`).
    let given = |part: Option<String>, name: &str| part.and_then(some).or_else(|| env(name).and_then(some));
    let host = given(parts.host, "PGHOST").unwrap_or_else(|| "localhost".to_owned());
    match &*host {
        host if host.contains(',') => return Err(unreadable("chooses one of several hosts")),
        // It takes what stands before the first colon.
        host if host.contains(':') && !host::is_socket(host) => {
            return Err(unreadable("misreads a host with a colon, such as an IPv6 address"));
        }
        host if host.contains('/') && !host::is_socket(host) => return Err(unreadable("misreads a host with a slash")),
        // The port of the socket, too.
        host if host.contains(':') => return Err(unreadable("misreads the folder of a socket with a colon")),
        _ => {}
    }
    // Without one it takes the name of the process's owner, which no variable says.
    let user = given(given(parts.user, "PGUSERNAME"), "PGUSER");
    let user = user.ok_or(DsnError::NoUser)?;
    let port = given(parts.port, "PGPORT").map_or(Ok(5432), |text| parse_port(&text))?;
    let password = given(parts.password, "PGPASSWORD");
    Ok(Dsn {
        address: Address {
            host: Host::of(&host),
            port,
            database: given(parts.database, "PGDATABASE").unwrap_or_else(|| user.clone()),
            user,
        },
        dialled: host,
        given: None,
        password: password.map(|plain| Password { plain: plain.into(), written: parts.written.map(Into::into) }),
        password_file: None,
        tls: tls(&parts.ssl, env)?,
        binds_channel: parts.binds_channel,
        options: parts.options,
        application_name: given(parts.application_name, "PGAPPNAME").or(Some("postgres.js".to_owned())),
    })
}

/// Reads `ssl` as `secure` does. `prefer` alone goes on without TLS where the server has none.
fn tls(ssl: &Value, env: Env) -> Result<Tls, DsnError> {
    let any = || Ssl::On(Trust::nothing()).settle_by(env, None);
    Ok(match ssl {
        Value::String(mode) if mode.is_empty() => Tls::Off,
        Value::String(mode) if matches!(&**mode, "require" | "allow") => any(),
        Value::String(mode) if mode == "prefer" => match any() {
            Tls::Required(trust) => Tls::Preferred(trust),
            other => other,
        },
        Value::String(_) => Ssl::On(Trust::default()).settle_by(env, None),
        other => Ssl::from_value(other)?.settle_by(env, None),
    })
}
