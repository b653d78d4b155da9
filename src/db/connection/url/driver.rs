//! The drivers by which drizzle-kit connects to PostgreSQL, and how those read credentials that are not node-pg. Pure.
//!
//! The reference is the code that drizzle-kit runs: postgres 3.4.9 `src/index.js` (`parseOptions`, `parseUrl`) and
//! `src/connection.js` (`StartupMessage`, `secure`); @neondatabase/serverless 0.9 to 1.2, which @vercel/postgres stands on.

use std::fmt;

use serde_json::Value;
use url::Url;

use crate::db::connection::url::{
    Address, Dsn, DsnError, Env, Given, Host, Password, Ssl, Tls, Trust, decode, is_reserved_escape, some, unmet,
};
use crate::host;

/// The npm package that drizzle-kit has found to connect to PostgreSQL with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Driver {
    #[default]
    Pg,
    PostgresJs,
    Vercel,
    Neon,
}

impl Driver {
    /// Every driver, in the order of drizzle-kit's preference (0.21 to 0.31, `preparePostgresDB`).
    pub const ALL: [Driver; 4] = [Driver::Pg, Driver::PostgresJs, Driver::Vercel, Driver::Neon];

    /// Returns the name of its package.
    pub fn package(self) -> &'static str {
        match self {
            Driver::Pg => "pg",
            Driver::PostgresJs => "postgres",
            Driver::Vercel => "@vercel/postgres",
            Driver::Neon => "@neondatabase/serverless",
        }
    }

    /// Returns the driver of this package.
    pub fn of_package(name: &str) -> Option<Driver> {
        Driver::ALL.into_iter().find(|driver| driver.package() == name)
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.package())
    }
}

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
pub(super) fn postgres_js_from_url(text: &str, env: Env) -> Result<Dsn, DsnError> {
    let unreadable = |what| DsnError::Unreadable { what, driver: Driver::PostgresJs };
    // Without these it cuts the host out of another place of the text than where it is.
    let (_, rest) = text.split_once("://").ok_or(DsnError::NotAUrl)?;
    let authority = rest.split(['?', '/']).next().unwrap_or_default();
    // The host as it cuts it out of the text, before it has it parsed: from the first `@` on.
    let cut = decode(authority.split_once('@').map_or(authority, |(_, host)| host), "")?;
    if cut.contains(',') {
        return Err(unreadable("chooses among several hosts"));
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
                return Err(unreadable("hands sslrootcert on to the server, which refuses it"));
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
pub(super) fn postgres_js_from_parts(credentials: &Value, env: Env) -> Result<Dsn, DsnError> {
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
        host if host.contains(',') => return Err(unreadable("chooses among several hosts")),
        // It takes what stands before the first colon.
        host if host.contains(':') && !host::is_socket(host) => {
            return Err(unreadable("misreads a host with a colon, as IPv6 addresses have it"));
        }
        host if host.contains('/') && !host::is_socket(host) => return Err(unreadable("misreads a host with a slash")),
        // The port of the socket, too.
        host if host.contains(':') => return Err(unreadable("misreads the folder of a socket with a colon")),
        _ => {}
    }
    // Without one it takes the name of the process's owner, which no variable says.
    let user = given(given(parts.user, "PGUSERNAME"), "PGUSER");
    let user = user.ok_or(DsnError::NoUser)?;
    let port = given(parts.port, "PGPORT").map_or(Ok(5432), |text| super::parse_port(&text))?;
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

/// Looks whether the drivers of Neon read a URL as node-pg does. They have a parser of their own: it decodes more, knows no
/// sockets, and takes fewer parameters for a part of the address.
pub(super) fn is_plain(text: &str, driver: Driver) -> Result<(), DsnError> {
    let unreadable = |what| DsnError::Unreadable { what, driver };
    let (_, rest) = text.split_once("://").ok_or(DsnError::NotAUrl)?;
    let authority = rest.split(['?', '/', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() || host.starts_with(':') {
        return Err(unreadable("reads no URL without a host"));
    }
    if authority.contains('\\') || host.contains(['%', ' ']) {
        return Err(unreadable("misreads a host with escapes"));
    }
    let url = Url::parse(text).map_err(DsnError::Invalid)?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(DsnError::NotAUrl);
    }
    if is_reserved_escape(url.path()) {
        return Err(unreadable("misreads an escape in the name of a database"));
    }
    let taken = |name: &str| matches!(name, "user" | "password" | "port");
    match url.query_pairs().find(|(name, value)| taken(name) && !value.is_empty()) {
        Some((name, _)) => Err(DsnError::Elsewhere { parameter: name.into_owned(), driver }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::tests::show;
    use super::*;

    #[derive(Deserialize)]
    struct Given {
        url: Option<String>,
        parts: Option<Value>,
        env: std::collections::BTreeMap<String, String>,
    }

    /// Compares our readings with those of the package itself, which `tests/live/readings.rs` proves. Ours may be none where
    /// the reason is among these.
    #[track_caller]
    fn check(driver: Driver, table: &str, refused: &[(&str, &str)]) {
        let rows: Vec<(Given, String)> = serde_json::from_str(table).expect("the table is JSON");
        let mut unused = refused.to_vec();
        for (given, reading) in rows {
            let credentials = given.parts.clone().unwrap_or_else(|| serde_json::json!({ "url": given.url }));
            let env = |name: &str| given.env.get(name).cloned();
            let ours = Dsn::as_read_by(driver, "postgresql", &credentials, &env).expect("it is of PostgreSQL");
            let name = given.url.unwrap_or_else(|| credentials.to_string());
            match ours {
                Ok(dsn) => {
                    assert!(is_same(driver, &show(&dsn), &reading), "{name} {:?}: {reading} {}", given.env, show(&dsn))
                }
                Err(error) => {
                    let known = unused.iter().position(|(url, why)| *url == name && *why == error.to_string());
                    assert!(known.is_some(), "{name} {:?}: {error}; the driver reads {reading}", given.env);
                    unused.remove(known.expect("it is known"));
                }
            }
        }
        assert_eq!(unused, [], "these are not refused");
    }

    fn is_same(driver: Driver, ours: &str, reading: &str) -> bool {
        // Where it reads nothing, it connects nowhere.
        if reading.starts_with("error: ") {
            return true;
        }
        let parts = |text: &str| text.split('|').map(str::to_owned).collect::<Vec<_>>();
        let (mut ours, mut reading) = (parts(ours), parts(reading));
        match driver {
            // What it sends beside these is harmless.
            Driver::PostgresJs => reading.truncate(ours.len()),
            // It is spoken to through its own proxy, and by names in ASCII and lowercase.
            Driver::Vercel | Driver::Neon => {
                (ours[0], reading[0]) = (host::spell(&ours[0]), host::spell(&reading[0]));
                for unread in [5, 7] {
                    (ours[unread], reading[unread]) = (String::new(), String::new());
                }
            }
            Driver::Pg => {}
        }
        ours == reading
    }

    #[test]
    fn a_url_means_what_it_means_to_postgres_js_or_is_refused() {
        check(Driver::PostgresJs, include_str!("../../../../fixtures/readings/postgres.json"), REFUSED_BY_POSTGRES_JS);
    }

    #[test]
    fn a_url_means_what_it_means_to_the_drivers_of_neon_or_is_refused() {
        check(Driver::Neon, include_str!("../../../../fixtures/readings/neon.json"), REFUSED_BY_NEON);
    }

    #[rustfmt::skip]
    const REFUSED_BY_POSTGRES_JS: &[(&str, &str)] = &[
        ("postgres:/d", "the database URL is not a URL"),
        ("postgres://u@/d", "the database URL is not valid: empty host"),
        ("postgres://u:p@/d?host=/run/pg", "the database URL is not valid: empty host"),
        ("postgres://u:p%@h/d", "the database URL contains a % escape that is not UTF-8"),
        ("postgres://u:100%zz@h/d", "the database URL contains a % escape that is not UTF-8"),
        ("postgres://u:p@[::1]:5433/d", "drizzle-kit's driver `postgres` misreads a host with a colon, as IPv6 addresses have it"),
        ("postgres://u:p@h1,h2/d", "drizzle-kit's driver `postgres` chooses among several hosts"),
        ("postgres://u:p@h1:1,h2:2/d", "drizzle-kit's driver `postgres` chooses among several hosts"),
        ("postgres://u:p@h$&/d", "drizzle-kit's driver `postgres` misreads a host with a $"),
        ("socket:/run/pg?db=d", "the database URL is not a URL"),
        ("/run/pg d", "the database URL is not a URL"),
        ("//h/d", "the database URL is not a URL"),
        ("postgres://u:p@h/d?database=e", "the parameter `database` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?dbname=e", "the parameter `dbname` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?db=e", "the parameter `db` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?user=v", "the parameter `user` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?username=v", "the parameter `username` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?host=x", "the parameter `host` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?hostname=x", "the parameter `hostname` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?port=77", "the parameter `port` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?password=q", "the parameter `password` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?path=/x", "the parameter `path` of the database URL takes drizzle-kit's driver `postgres` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?search_path=tenant", "the parameter `search_path` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?role=x", "the parameter `role` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?session_authorization=x", "the parameter `session_authorization` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?TimeZone=UTC", "the parameter `TimeZone` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?DateStyle=German", "the parameter `DateStyle` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?default_transaction_read_only=on", "the parameter `default_transaction_read_only` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?standard_conforming_strings=off", "the parameter `standard_conforming_strings` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?row_security=off", "the parameter `row_security` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?app.tenant=1", "the parameter `app.tenant` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?replication=database", "the parameter `replication` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?client_encoding=LATIN1", "the parameter `client_encoding` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?fallback_application_name=f", "the parameter `fallback_application_name` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?sslrootcert=system", "drizzle-kit's driver `postgres` hands sslrootcert on to the server, which refuses it"),
        ("postgres://u:p@h/d?sslrootcert=/ca", "the parameter `sslrootcert` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?sslcert=/c&sslkey=/k", "the parameter `sslcert` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?connectionString=postgres://x/y", "the parameter `connectionString` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres://u:p@h/d?Database=e", "the parameter `Database` of the database URL is a setting of the session to drizzle-kit's driver `postgres`, and nothing is judged by it"),
        ("postgres:///d", "drizzle-kit's driver `postgres` chooses among several hosts"),
        ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a colon, as IPv6 addresses have it"),
        ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a colon, as IPv6 addresses have it"),
        ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a slash"),
        (r#"{"host":"/run/pg:1","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads the folder of a socket with a colon"),
        (r#"{"host":"h1,h2","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` chooses among several hosts"),
        (r#"{"host":"h:77","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads a host with a colon, as IPv6 addresses have it"),
        (r#"{"host":"::1","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads a host with a colon, as IPv6 addresses have it"),
    ];
    #[rustfmt::skip]
    const REFUSED_BY_NEON: &[(&str, &str)] = &[
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres://", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:/d", "the database URL is not a URL"),
        ("postgres://u@/d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres://u:p@/d?host=/run/pg", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("pg://u:p@h/d", "the database URL is not a URL"),
        ("https://u:p@h:443/d", "the database URL is not a URL"),
        ("postgres://u:p@h/a%2Fb", "drizzle-kit's driver `@neondatabase/serverless` misreads an escape in the name of a database"),
        ("postgres://u:p@h1:1,h2:2/d", "the database URL is not valid: invalid port number"),
        ("postgres://u:p@h%41/d", "drizzle-kit's driver `@neondatabase/serverless` misreads a host with escapes"),
        ("postgres://u:p@%2Frun%2Fpg/d", "drizzle-kit's driver `@neondatabase/serverless` misreads a host with escapes"),
        ("socket:/run/pg?db=d", "the database URL is not a URL"),
        ("/run/pg d", "the database URL is not a URL"),
        ("//h/d", "the database URL is not a URL"),
        (r"postgres://u:p@h\@x/d", "drizzle-kit's driver `@neondatabase/serverless` misreads a host with escapes"),
        ("postgres://u:p@h/d?user=v", "the parameter `user` of the database URL takes drizzle-kit's driver `@neondatabase/serverless` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?port=77", "the parameter `port` of the database URL takes drizzle-kit's driver `@neondatabase/serverless` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?password=q", "the parameter `password` of the database URL takes drizzle-kit's driver `@neondatabase/serverless` elsewhere than its host and path say"),
        ("postgres://u:p@h/d?replication=database", "the parameter `replication` of the database URL is a setting of the session to drizzle-kit's driver `pg`, and nothing is judged by it"),
        ("postgres://u:p@h/d?ssl=false", "ssl=\"false\" makes the pg driver fail when it connects"),
        ("postgres://u:p@h/d?ssl=require", "ssl=\"require\" makes the pg driver fail when it connects"),
        ("postgres://u:p@h/d?ssl=prefer", "ssl=\"prefer\" makes the pg driver fail when it connects"),
        ("postgres://u:p@h/d?connectionString=postgres://x/y", "the parameter `connectionString` of the database URL takes drizzle-kit's driver `pg` elsewhere than its host and path say"),
        ("postgres://", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
        ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` reads no URL without a host"),
    ];
}
