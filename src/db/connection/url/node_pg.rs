//! Reads credentials as node-pg does, which drizzle-kit prefers. Pure: text in, [`Dsn`] out.
//!
//! The reference is the code that drizzle-kit runs: pg-connection-string 2.14.1 `index.js` (a URL to its parts), pg 8.16.3
//! `connection-parameters.js` (defaults from the environment) and `connection.js` (TLS), drizzle-kit 0.31.11
//! `preparePostgresDB` (credentials in parts).

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use crate::db::connection::address::{Address, Host};
use crate::db::connection::dsn::{Dsn, Password};
use crate::db::connection::trust::{Check, Pem, Trust};
use crate::db::connection::url::driver::Driver;
use crate::db::connection::url::error::DsnError;
use crate::db::connection::url::escape::{RESERVED, decode, encode_again, needs_encoding};
use crate::db::connection::url::given::{Env, Given, Ssl, parse_port, some, unmet};

impl Dsn {
    /// Reads a database URL.
    ///
    /// The URL is parsed by the WHATWG rules, as node's `URL` does. Parameters that node-pg does not know (`schema`,
    /// `pgbouncer`, `connection_limit`, `target_session_attrs`) are ignored as it ignores them, but none that demands a
    /// safer connection: `channel_binding=require` holds for our own connections, and the others are refused.
    /// Text that node-pg would resolve against its inner base URL (`host=h dbname=d` becomes a database of that name
    /// on a host called `base`) is refused.
    pub fn from_url(text: &str, env: Env) -> Result<Dsn, DsnError> {
        Ok(Dsn { given: Some(text.into()), ..settle(parse(text)?, env)? })
    }

    /// Reads what the `PG*` variables alone say.
    pub fn from_env(env: Env) -> Result<Dsn, DsnError> {
        settle(nothing(), env)
    }

    /// Reads credentials in parts (`host`, `port`, `user`, `password`, `database`, `ssl`), as drizzle-kit reads them
    /// from 0.22 on.
    ///
    /// **Without `ssl` they mean TLS with a full check.** `preparePostgresDB` puts `ssl: {}` where the key is missing,
    /// and an object switches TLS on in node-pg. Seen with 0.31.11: against a server without TLS, `push` ends without
    /// a word, and `ssl: false` is the cure. `"require"`, `"allow"` and `"prefer"` all mean TLS without any check.
    pub fn from_parts(credentials: &Value, env: Env) -> Result<Dsn, DsnError> {
        let ssl = match credentials.get("ssl") {
            None => Ssl::On(Trust::default()),
            Some(Value::String(mode)) if matches!(&**mode, "require" | "allow" | "prefer") => Ssl::On(Trust::nothing()),
            Some(Value::String(mode)) if mode == "verify-full" => Ssl::On(Trust::default()),
            Some(value) => Ssl::from_value(value)?,
        };
        settle(Given::from_parts(credentials, ssl), env)
    }

    /// Reads credentials in parts as drizzle-kit handed them to node-pg before 0.22: as they are.
    ///
    /// Without `ssl`, `PGSSLMODE` decides, and in the end there is no TLS.
    pub fn from_raw_parts(credentials: &Value, env: Env) -> Result<Dsn, DsnError> {
        let ssl = credentials.get("ssl").map_or(Ok(Ssl::Unset), Ssl::from_value)?;
        settle(Given::from_parts(credentials, ssl), env)
    }
}

/// Mirrors `parse` of pg-connection-string 2.14.1, line by line.
fn parse(text: &str) -> Result<Given<Ssl>, DsnError> {
    // "/run/postgresql mydb" is a unix socket and a database.
    if text.starts_with('/') {
        let mut words = text.split(' ').map(str::to_owned);
        let (host, database) = (words.next(), words.next());
        return Ok(Given { host, database, ..nothing() });
    }

    let text = if needs_encoding(text) { &encode_again(text) } else { text };
    let (url, has_host) = match Url::parse(text) {
        Ok(url) => (url, true),
        Err(url::ParseError::RelativeUrlWithoutBase) => return Err(DsnError::NotAUrl),
        // A user without a host (`postgres://user@/db`) is invalid in WHATWG's eyes, and PGHOST decides.
        Err(error) => match Url::parse(&text.replacen("@/", "@___DUMMY___/", 1)) {
            Ok(url) => (url, false),
            Err(_) => return Err(DsnError::Invalid(error)),
        },
    };
    // `localhost:5432/db` is a URL with the scheme `localhost:`.
    if url.cannot_be_a_base() {
        return Err(DsnError::NotAUrl);
    }

    // The last of several parameters of one name wins.
    let parameter = |name: &str| {
        let value = url.query_pairs().filter(|(key, _)| key == name).last();
        value.map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
    };
    if let Some(demand) = unmet(parameter) {
        return Err(DsnError::Unmet(demand));
    }
    // It puts a URL into the place of this one where it is handed over as a text, and not by name.
    if parameter("connectionString").is_some() {
        return Err(DsnError::Elsewhere { parameter: "connectionString".to_owned(), driver: Driver::Pg });
    }
    if parameter("replication").is_some() {
        return Err(DsnError::Session { parameter: "replication".to_owned(), driver: Driver::Pg });
    }
    let written = url.password().unwrap_or_default();
    let given = Given {
        user: parameter("user").or(some(decode(url.username(), "")?)),
        password: parameter("password").or(some(decode(written, "")?)),
        written: some(written.to_owned()),
        binds_channel: parameter("channel_binding").as_deref() == Some("require"),
        options: parameter("options"),
        application_name: parameter("application_name").or_else(|| parameter("fallback_application_name")),
        ..nothing()
    };

    if url.scheme() == "socket" {
        let ssl = url.query_pairs().filter(|(key, _)| key == "ssl").last();
        return Ok(Given {
            host: some(decode(url.path(), RESERVED)?),
            port: parameter("port"),
            database: parameter("db"),
            ssl: ssl.map_or(Ok(Ssl::Unset), |(_, text)| Ssl::from_value(&text.into()))?,
            ..given
        });
    }

    let hostname = if has_host { url.host_str().unwrap_or_default() } else { "" };
    let host = parameter("host");
    let is_socket = hostname.get(..3).is_some_and(|start| start.eq_ignore_ascii_case("%2f"));
    // `postgres://%2Frun/db?host=other` keeps the socket's path as the start of the database name.
    let path = match (&host, is_socket) {
        (Some(_), true) => format!("/{hostname}{}", url.path()),
        _ => url.path().to_owned(),
    };
    Ok(Given {
        host: match host {
            Some(host) => Some(host),
            None => some(decode(hostname.trim_start_matches('[').trim_end_matches(']'), "")?),
        },
        port: parameter("port").or_else(|| url.port().map(|port| port.to_string())),
        database: some(decode(path.get(1..).unwrap_or_default(), RESERVED)?),
        ssl: ssl_of_url(&url, parameter)?,
        ..given
    })
}

fn nothing() -> Given<Ssl> {
    Given::from_parts(&Value::Null, Ssl::Unset)
}

/// Mirrors the constructor of pg 8.16.3 `connection-parameters.js`: what is missing or empty comes from the
/// environment, then from `defaults.js`.
fn settle(given: Given<Ssl>, env: Env) -> Result<Dsn, DsnError> {
    let env_text = |name: &str| env(name).and_then(some);
    let or_env = |part: Option<String>, name: &str| part.and_then(some).or_else(|| env_text(name));

    let login = if cfg!(windows) { "USERNAME" } else { "USER" };
    let user = or_env(given.user, "PGUSER").or_else(|| env_text(login)).ok_or(DsnError::NoUser)?;
    let port = or_env(given.port, "PGPORT").map_or(Ok(5432), |text| parse_port(&text))?;
    let host = or_env(given.host, "PGHOST").unwrap_or_else(|| "localhost".to_owned());
    let password = or_env(given.password, "PGPASSWORD");
    Ok(Dsn {
        address: Address {
            host: Host::of(&host),
            port,
            database: or_env(given.database, "PGDATABASE").unwrap_or_else(|| user.clone()),
            user,
        },
        dialled: host,
        given: None,
        password: password
            .map(|plain| Password { plain: plain.into(), written: given.written.map(SecretString::from) }),
        password_file: password_file(env),
        tls: given.ssl.settle_by(env, env("PGSSLMODE").as_deref()),
        binds_channel: given.binds_channel,
        options: or_env(given.options, "PGOPTIONS"),
        application_name: or_env(given.application_name, "PGAPPNAME"),
    })
}

/// Reads the TLS parameters of a URL.
///
/// `prefer`, `require`, `verify-ca` and every mode that node-pg does not know are `verify-full` to it; only
/// `uselibpqcompat=true` gives them libpq's weaker meaning, and takes `no-verify` its own.
fn ssl_of_url(url: &Url, parameter: impl Fn(&str) -> Option<String>) -> Result<Ssl, DsnError> {
    let file = |name| parameter(name).map(|file| Pem::File(file.into()));
    let (root, certificate, key, mode) = (file("sslrootcert"), file("sslcert"), file("sslkey"), parameter("sslmode"));

    if root.is_none() && certificate.is_none() && key.is_none() && mode.is_none() {
        let ssl = url.query_pairs().filter(|(name, _)| name == "ssl").last();
        return match ssl.as_ref().map(|(_, text)| &**text) {
            Some("1") => Ok(Ssl::On(Trust::default())),
            Some("0") => Ok(Ssl::Off),
            Some(text) => Ssl::from_value(&text.into()),
            // Since 2.14 of pg-connection-string; the negotiation itself is the ordinary one in pg 8.16.
            None if parameter("sslnegotiation").as_deref() == Some("direct") => Ok(Ssl::On(Trust::default())),
            None => Ok(Ssl::Unset),
        };
    }

    if certificate.is_some() != key.is_some() {
        return Err(DsnError::HalfAnIdentity);
    }
    let as_libpq = parameter("uselibpqcompat").as_deref() == Some("true");
    let check = match (mode.as_deref(), as_libpq) {
        (Some("disable"), _) => return Ok(Ssl::Off),
        (Some("no-verify"), false) => Check::Nothing,
        (Some("prefer"), true) => Check::Nothing,
        (Some("require"), true) if root.is_none() => Check::Nothing,
        (Some("require"), true) => Check::Authority,
        (Some("verify-ca"), true) if root.is_none() => return Err(DsnError::NoRootCertificate),
        (Some("verify-ca"), true) => Check::Authority,
        _ => Check::Full,
    };
    let roots = root.into_iter().collect();
    Ok(Ssl::On(Trust { check, roots, identity: certificate.zip(key), ..Trust::default() }))
}

/// Returns the file that pgpass 1.0.5 reads; it reads none where `PGPASSWORD` is set, be it empty.
fn password_file(env: Env) -> Option<PathBuf> {
    if env("PGPASSWORD").is_some() {
        return None;
    }
    let in_home = || match cfg!(windows) {
        true => env("APPDATA").map(|dir| Path::new(&dir).join("postgresql").join("pgpass.conf")),
        false => env("HOME").map(|dir| Path::new(&dir).join(".pgpass")),
    };
    env("PGPASSFILE").and_then(some).map(PathBuf::from).or_else(in_home)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::connection::dsn::shown::{environment, show, show_tls};
    use crate::db::connection::trust::Tls;

    /// Obtained by running `connection-parameters.js` of pg 8.16.3 with pg-connection-string 2.14.1 (node 20.20.2,
    /// `USER=me`) on these URLs: host, port, database, user, password, TLS, options, application name.
    #[rustfmt::skip]
    const AS_NODE_PG: &[(&str, &str)] = &[
        ("postgres://u:p@h/d", "h|5432|d|u|p|off||"),
        ("postgresql://u:p@h:5433/d", "h|5433|d|u|p|off||"),
        ("postgres://u:p@h", "h|5432|u|u|p|off||"),
        ("postgres://h/d", "h|5432|d|me||off||"),
        ("postgres://u@h/d", "h|5432|d|u||off||"),
        ("postgres:///d", "localhost|5432|d|me||off||"),
        ("postgres://", "localhost|5432|me|me||off||"),
        ("postgres:/d", "localhost|5432|d|me||off||"),
        ("postgres://u@/d", "localhost|5432|d|u||off||"),
        ("postgres://u:p@/d?host=/run/pg", "/run/pg|5432|d|u|p|off||"),
        ("postgres://u:p@h:/d", "h|5432|d|u|p|off||"),
        ("pg://u:p@h/d", "h|5432|d|u|p|off||"),
        ("https://u:p@h/d", "h|5432|d|u|p|off||"),
        ("https://u:p@h:443/d", "h|5432|d|u|p|off||"),
        ("postgres://u:p%40ss%2Fw%23rd@h/d", "h|5432|d|u|p@ss/w#rd|off||"),
        ("postgres://u:p@q@h/d", "h|5432|d|u|p@q|off||"),
        ("postgres://u:a:b@h/d", "h|5432|d|u|a:b|off||"),
        ("postgres://u:p%@h/d", "h|5432|d|u|p%|off||"),
        ("postgres://u:100%25@h/d", "h|5432|d|u|100%|off||"),
        ("postgres://u:100%zz%41%2F@h/d", "h|5432|d|u|100%zzA%2F|off||"),
        ("postgres://u:pä@h/d", "h|5432|d|u|pä|off||"),
        ("postgres://u:p w@h/d", "h|5432|d|u|p w|off||"),
        ("postgres://u:p+w@h/d", "h|5432|d|u|p+w|off||"),
        ("postgres://u:p[w]@h/d", "h|5432|d|u|p[w]|off||"),
        ("postgres://u:p w%20%2F%25@h/d", "h|5432|d|u|p w %2F%|off||"),
        ("postgres://u%40corp:p@h/d", "h|5432|d|u@corp|p|off||"),
        ("postgres://:p@h/d", "h|5432|d|me|p|off||"),
        ("postgres://u:@h/d", "h|5432|d|u||off||"),
        ("postgres://u:p^`|{}\"<>@h/d", "h|5432|d|u|p^`|{}\"<>|off||"),
        ("postgres://u:p\\q@h/d", "h|5432|d|u|p\\q|off||"),
        ("postgres://u:p@h/a%2Fb", "h|5432|a%2Fb|u|p|off||"),
        ("postgres://u:p@h/a%20b", "h|5432|a b|u|p|off||"),
        ("postgres://u:p@h/a b", "h|5432|a b|u|p|off||"),
        ("postgres://u:p@h/d#frag", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d/e", "h|5432|d/e|u|p|off||"),
        ("postgres://u:p@h/ä", "h|5432|ä|u|p|off||"),
        ("postgres://u:p@h/../d", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/a%3Fb%23c%41", "h|5432|a%3Fb%23cA|u|p|off||"),
        ("postgres://u:p@[::1]:5433/d", "::1|5433|d|u|p|off||"),
        ("postgres://u:p@H.Example.COM/d", "H.Example.COM|5432|d|u|p|off||"),
        ("postgres://u:p@bücher.de/d", "bücher.de|5432|d|u|p|off||"),
        ("postgres://u:p@h1,h2/d", "h1,h2|5432|d|u|p|off||"),
        ("postgres://u:p@my_db/d", "my_db|5432|d|u|p|off||"),
        ("postgres://u:p@h h/d", "h h|5432|d|u|p|off||"),
        ("postgres://u:p@127.0.0.1/d", "127.0.0.1|5432|d|u|p|off||"),
        ("postgres://u:p@h%41/d", "hA|5432|d|u|p|off||"),
        ("postgres://u:p@%2Frun%2Fpg/d", "/run/pg|5432|d|u|p|off||"),
        ("postgres://u:p@%2Frun%2Fpg:5433/d", "/run/pg|5433|d|u|p|off||"),
        ("postgres://u:p@%2frun/d?host=x", "x|5432|%2frun/d|u|p|off||"),
        ("postgres://u:p@h/d?host=/run/pg", "/run/pg|5432|d|u|p|off||"),
        ("postgres:///d?host=/run/pg&user=u&password=p&port=5433", "/run/pg|5433|d|u|p|off||"),
        ("postgres://u:p@h/d?host=other&port=77", "other|77|d|u|p|off||"),
        ("socket:/run/pg?db=d&user=u&password=p", "/run/pg|5432|d|u|p|off||"),
        ("socket://u:p@/run/pg?db=d", "/run/pg|5432|d|u|p|off||"),
        ("socket:/run/pg", "/run/pg|5432|me|me||off||"),
        ("/run/pg d", "/run/pg|5432|d|me||off||"),
        ("/run/pg", "/run/pg|5432|me|me||off||"),
        ("//h/d", "//h/d|5432|me|me||off||"),
        ("postgres://u:p@h/d?user=v&password=q", "h|5432|d|v|q|off||"),
        ("postgres://u:p@h/d?password=a+b%2Bc", "h|5432|d|u|a b+c|off||"),
        ("postgres://u:p@h/d?port=12ab", "h|12|d|u|p|off||"),
        ("postgres://u:p@h/d?database=e", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?application_name=a&application_name=b", "h|5432|d|u|p|off||b"),
        ("postgres://u:p@h/d?fallback_application_name=f", "h|5432|d|u|p|off||f"),
        ("postgres://u:p@h/d?options=-c%20lock_timeout%3D5s", "h|5432|d|u|p|off|-c lock_timeout=5s|"),
        ("postgres://u:p@h/d?options=endpoint%3Dep", "h|5432|d|u|p|off|endpoint=ep|"),
        ("postgres://u:p@h/d?schema=public&pgbouncer=true&connection_limit=1&channel_binding=require&connect_timeout=3&target_session_attrs=any", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?ssl=true", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?ssl=1", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?ssl=0", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?ssl=", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?ssl=no-verify", "h|5432|d|u|p|any||"),
        ("postgres://u:p@h/d?sslmode=disable", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?sslmode=allow", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=prefer", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=require", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=verify-ca", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=verify-full", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=no-verify", "h|5432|d|u|p|any||"),
        ("postgres://u:p@h/d?sslmode=nonsense", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslmode=", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=disable", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=allow", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=prefer", "h|5432|d|u|p|any||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=require", "h|5432|d|u|p|any||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=verify-full", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=no-verify", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=require&sslrootcert=/certs/ca", "h|5432|d|u|p|ca+root||"),
        ("postgres://u:p@h/d?uselibpqcompat=true&sslmode=verify-ca&sslrootcert=/certs/ca", "h|5432|d|u|p|ca+root||"),
        ("postgres://u:p@h/d?sslrootcert=/certs/ca", "h|5432|d|u|p|full+root||"),
        ("postgres://u:p@h/d?sslcert=/certs/c&sslkey=/certs/k", "h|5432|d|u|p|full+cert+key||"),
        ("postgres://u:p@h/d?sslmode=no-verify&sslrootcert=/certs/ca", "h|5432|d|u|p|any+root||"),
        ("postgres://u:p@h/d?sslmode=disable&ssl=true", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?ssl=0&sslmode=require", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslnegotiation=direct", "h|5432|d|u|p|full||"),
        ("postgres://u:p@h/d?sslnegotiation=direct&sslmode=disable", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?uselibpqcompat=true", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d?uselibpqcompat=1&sslmode=require", "h|5432|d|u|p|full||"),
        ("\tpostgres://u:p@h/d", "h|5432|d|u|p|off||"),
        ("POSTGRES://u:p@h/d", "h|5432|d|u|p|off||"),
        ("postgres://u:p@h/d\n", "h|5432|d|u|p|off||"),
    ];

    type Variables = [(&'static str, &'static str)];

    /// The same, with variables of the environment.
    #[rustfmt::skip]
    const WITH_ENVIRONMENT: &[(&str, &Variables, &str)] = &[
        ("postgres://", &[("PGHOST", "eh"), ("PGPORT", "1"), ("PGDATABASE", "ed"), ("PGUSER", "eu"), ("PGPASSWORD", "ep"), ("PGOPTIONS", "-c a=b"), ("PGAPPNAME", "app")], "eh|1|ed|eu|ep|off|-c a=b|app"),
        ("postgres://u:p@h:5/d?options=x&application_name=n", &[("PGHOST", "eh"), ("PGPORT", "1"), ("PGDATABASE", "ed"), ("PGUSER", "eu"), ("PGPASSWORD", "ep"), ("PGOPTIONS", "-c a=b"), ("PGAPPNAME", "app")], "h|5|d|u|p|off|x|n"),
        ("postgres://u@h", &[("PGUSER", "eu")], "h|5432|u|u||off||"),
        ("postgres://h", &[("PGUSER", "eu")], "h|5432|eu|eu||off||"),
        ("postgres://u@h/d", &[("PGHOST", ""), ("PGPORT", ""), ("PGPASSWORD", "")], "h|5432|d|u||off||"),
        ("postgres:///d", &[("PGHOST", "/run/pg")], "/run/pg|5432|d|me||off||"),
        ("postgres://h/d", &[("PGSSLMODE", "disable")], "h|5432|d|me||off||"),
        ("postgres://h/d", &[("PGSSLMODE", "allow")], "h|5432|d|me||off||"),
        ("postgres://h/d", &[("PGSSLMODE", "prefer")], "h|5432|d|me||full||"),
        ("postgres://h/d", &[("PGSSLMODE", "require")], "h|5432|d|me||full||"),
        ("postgres://h/d", &[("PGSSLMODE", "verify-ca")], "h|5432|d|me||full||"),
        ("postgres://h/d", &[("PGSSLMODE", "verify-full")], "h|5432|d|me||full||"),
        ("postgres://h/d", &[("PGSSLMODE", "no-verify")], "h|5432|d|me||any||"),
        ("postgres://h/d?sslmode=disable", &[("PGSSLMODE", "require")], "h|5432|d|me||off||"),
        ("/run/pg d", &[("PGSSLMODE", "require")], "/run/pg|5432|d|me||full||"),
        ("postgres://h/d?ssl=0", &[("PGSSLMODE", "require")], "h|5432|d|me||off||"),
    ];

    fn read(url: &str, variables: &[(&str, &str)]) -> Result<Dsn, DsnError> {
        Dsn::from_url(url, &environment(variables))
    }

    #[test]
    fn a_url_means_what_it_means_to_node_pg() {
        for (url, expected) in AS_NODE_PG {
            assert_eq!(read(url, &[]).map(|dsn| show(&dsn)).as_deref(), Ok(*expected), "{url}");
        }
    }

    #[test]
    fn gaps_are_filled_from_the_environment_as_in_node_pg() {
        for (url, variables, expected) in WITH_ENVIRONMENT {
            assert_eq!(read(url, variables).map(|dsn| show(&dsn)).as_deref(), Ok(*expected), "{url} {variables:?}");
        }
    }

    #[test]
    fn what_node_refuses_is_refused() {
        let invalid = [
            "postgres://u:p@:5433/d",
            "postgres://u:p@h:99999/d",
            "postgres://u:p@h:54x/d",
            "postgres://u:p#1@h/d",
            "postgres://u:p/q@h/d",
            "postgres://u:p?q@h/d",
            "postgres://u:p%@",
            "postgres://u:p@[fe80::1%25eth0]/d",
            "postgres://u:p@::1/d",
            "postgres://u:p@h1:1,h2:2/d",
        ];
        for url in invalid {
            assert!(matches!(read(url, &[]), Err(DsnError::Invalid(_))), "{url}");
        }
        for url in ["postgres://u:p%FF@h/d", "postgres://u:p@h/d%FF"] {
            assert_eq!(read(url, &[]).err(), Some(DsnError::Encoding), "{url}");
        }
        let url = "postgres://u:p@h/d?uselibpqcompat=true&sslmode=verify-ca";
        assert_eq!(read(url, &[]).err(), Some(DsnError::NoRootCertificate));
    }

    #[test]
    fn a_demand_for_safety_is_met_or_refused() {
        for demand in [
            "require_auth=scram-sha-256",
            "requirepeer=postgres",
            "gssencmode=require",
            "sslcrl=crl.pem",
            "sslcrldir=crls",
            "ssl_min_protocol_version=TLSv1.3",
        ] {
            let url = format!("postgres://u:p@h/d?sslmode=require&{demand}");
            assert_eq!(read(&url, &[]).err(), Some(DsnError::Unmet(demand.to_owned())));
        }
        for half in ["sslcert=c.pem", "sslkey=k.pem&sslmode=require"] {
            assert_eq!(read(&format!("postgres://u:p@h/d?{half}"), &[]).err(), Some(DsnError::HalfAnIdentity));
        }
        for harmless in ["gssencmode=disable", "ssl_min_protocol_version=TLSv1.2", "channel_binding=prefer"] {
            let dsn = read(&format!("postgres://u:p@h/d?{harmless}"), &[]).expect(harmless);
            assert!(!dsn.binds_channel());
        }
        assert!(
            read("postgres://u:p@h/d?sslmode=require&channel_binding=require", &[])
                .is_ok_and(|dsn| dsn.binds_channel())
        );
    }

    #[test]
    fn what_node_pg_reads_and_then_fails_on_is_refused() {
        assert_eq!(read("postgres://u:p@h/d?port=x", &[]).err(), Some(DsnError::Port("x".into())));
        for (url, ssl) in [
            ("postgres://u:p@h/d?ssl=false", "false"),
            ("postgres://u:p@h/d?ssl=require", "require"),
            ("socket:/run/pg?db=d&ssl=1", "1"),
        ] {
            assert_eq!(read(url, &[]).err(), Some(DsnError::Ssl(ssl.into())), "{url}");
        }
        assert_eq!(read("postgres://h/d", &[("USER", "")]).err(), Some(DsnError::NoUser));
    }

    #[test]
    fn text_that_node_would_read_against_its_base_url_is_refused() {
        for text in ["host=h dbname=d", "localhost:5432/d", "user:p@h/d", "d", "", " postgres://u:p@h/d", "./data"] {
            assert_eq!(read(text, &[]).err(), Some(DsnError::NotAUrl), "{text}");
        }
    }

    #[test]
    fn a_refusal_does_not_repeat_the_url() {
        for url in ["postgres://u:s3cret@h:port/d", "s3cret", "postgres://u:s3cret%FF@h/d", "postgres://u:s3cret#@h/d"]
        {
            let error = read(url, &[]).expect_err("a bad URL");
            assert!(!format!("{error} {error:?} {}", error.hint()).contains("s3cret"), "{url}");
        }
    }

    #[test]
    fn parts_mean_what_they_mean_to_drizzle_kit() {
        let tls = |ssl: Value| {
            let parts = json!({"host": "h", "port": "5433", "user": "u", "password": "p", "database": "d", "ssl": ssl});
            Dsn::from_parts(&parts, &environment(&[])).map(|dsn| show_tls(dsn.tls()))
        };
        // The outcomes of 0.31.11's preparePostgresDB with pg 8.16.3.
        for (ssl, expected) in [
            (json!(true), "full"),
            (json!(false), "off"),
            (json!("require"), "any"),
            (json!("allow"), "any"),
            (json!("prefer"), "any"),
            (json!("verify-full"), "full"),
            (json!({}), "full"),
            (json!({"rejectUnauthorized": true}), "full"),
            (json!({"rejectUnauthorized": false}), "any"),
            (json!({"ca": "PEM"}), "full+root"),
            (json!({"ca": ["PEM", "PEM"], "cert": "PEM", "key": "PEM"}), "full+root+cert+key"),
        ] {
            assert_eq!(tls(ssl.clone()).as_deref(), Ok(expected), "{ssl}");
        }
    }

    #[test]
    fn parts_without_ssl_demand_tls_from_0_22_on() {
        let parts = json!({"host": "h", "port": 5433, "user": "u", "password": "p", "database": "d"});
        let shown = |dsn: Result<Dsn, DsnError>| show(&dsn.expect("good parts"));
        assert_eq!(shown(Dsn::from_parts(&parts, &environment(&[]))), "h|5433|d|u|p|full||");
        assert_eq!(shown(Dsn::from_raw_parts(&parts, &environment(&[]))), "h|5433|d|u|p|off||");
        let variables = environment(&[("PGSSLMODE", "no-verify")]);
        assert_eq!(shown(Dsn::from_raw_parts(&parts, &variables)), "h|5433|d|u|p|any||");
    }

    #[test]
    fn node_s_own_variables_about_certificates_count() {
        let tls = |variables: &[(&str, &str)]| match read("postgres://h/d?sslmode=require", variables)
            .expect("a good URL")
            .tls
        {
            Tls::Required(trust) => trust,
            Tls::Off | Tls::Preferred(_) => panic!("TLS is not required"),
        };
        assert_eq!(tls(&[("NODE_TLS_REJECT_UNAUTHORIZED", "0")]).check, Check::Nothing);
        assert_eq!(tls(&[("NODE_EXTRA_CA_CERTS", "/ca")]).extra_roots, Some("/ca".into()));
    }

    #[test]
    fn a_password_file_is_left_alone_where_a_password_variable_is_set() {
        let file = |variables: &[(&str, &str)]| read("postgres://u@h/d", variables).expect("a good URL").password_file;
        assert_eq!(file(&[("HOME", "/home/me")]), Some("/home/me/.pgpass".into()));
        assert_eq!(file(&[("HOME", "/home/me"), ("PGPASSFILE", "/p")]), Some("/p".into()));
        assert_eq!(file(&[("HOME", "/home/me"), ("PGPASSWORD", "")]), None);
    }
}
