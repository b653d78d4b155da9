//! Where drizzle-kit connects by a config that is none of a PostgreSQL server, as far as a guard by host needs it.
//!
//! It knows hosts and nothing else of these databases. What it does not understand is hidden, never local.

use url::Url;

use crate::host;
use crate::kit::config::Config;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetHost {
    /// On this machine, without a network: a file, or inside node.
    Local,
    /// On this host, in its one spelling.
    Host(String),
    /// Over a network, and no host says where; or it is not understood.
    Hidden,
}

/// Reads where a config connects.
pub fn of(config: &Config) -> TargetHost {
    let credential = |name: &str| {
        config.db_credentials.get(name).and_then(serde_json::Value::as_str).filter(|text| !text.is_empty())
    };
    match (config.dialect(), config.driver.as_deref()) {
        ("postgresql", Some("pglite")) => TargetHost::Local,
        ("mysql" | "singlestore", None | Some("mysql2")) => {
            let url = ["url", "uri", "connectionString"].into_iter().find_map(credential);
            match (credential("host"), url.map(host_of_mysql)) {
                (Some(host), None) => TargetHost::Host(host::spell(host)),
                (None, Some(Some(host))) => TargetHost::Host(host),
                (Some(host), Some(Some(other))) if host::spell(host) == other => TargetHost::Host(other),
                _ => TargetHost::Hidden,
            }
        }
        ("sqlite" | "turso", None | Some("better-sqlite" | "libsql" | "turso")) => match credential("url") {
            Some(url) => place_of_sqlite(url),
            None => TargetHost::Hidden,
        },
        _ => TargetHost::Hidden,
    }
}

/// Returns the host of a URL as mysql2 reads it (3.x, `ConnectionConfig.parseUrl`): parameters stand before its parts,
/// and a missing host is this machine.
fn host_of_mysql(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let leads_elsewhere = url.query_pairs().any(|(name, _)| matches!(&*name, "host" | "socketPath" | "uri"));
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("localhost");
    let is_plain = !leads_elsewhere && !host.contains('%');
    is_plain.then(|| host::spell(host))
}

/// Reads a URL of libsql, or the path of a file.
fn place_of_sqlite(text: &str) -> TargetHost {
    match Url::parse(text) {
        // A path, or `:memory:`.
        Err(url::ParseError::RelativeUrlWithoutBase) => TargetHost::Local,
        Err(_) => TargetHost::Hidden,
        Ok(url) if url.scheme() == "file" => TargetHost::Local,
        Ok(url) => match url.host_str().filter(|host| !host.is_empty() && !host.contains('%')) {
            Some(host) => TargetHost::Host(host::spell(host)),
            None => TargetHost::Hidden,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(config: serde_json::Value, host: Option<&str>) {
        let config: Config = serde_json::from_value(config).expect("the case is a config");
        let expected = match host {
            Some("") => TargetHost::Local,
            Some(host) => TargetHost::Host(host.to_owned()),
            None => TargetHost::Hidden,
        };
        assert_eq!(of(&config), expected, "{config:?}");
    }

    #[test]
    fn every_dialect_says_where_it_connects_or_is_hidden() {
        let url = |dialect: &str, url: &str, host: Option<&str>| {
            check(serde_json::json!({ "dialect": dialect, "dbCredentials": { "url": url } }), host);
        };
        url("mysql", "mysql://app:secret@DB.prod.example.com:3306/shop", Some("db.prod.example.com"));
        url("mysql", "mysql://app@[::1]/shop", Some("::1"));
        url("mysql", "mysql:///shop", Some("localhost"));
        url("singlestore", "singlestore://app@svc.example.com/shop", Some("svc.example.com"));
        // mysql2 goes where the parameter says.
        url("mysql", "mysql://app@localhost/shop?host=db.prod.example.com", None);
        url("mysql", "mysql://app@localhost/shop?socketPath=/run/db.sock", None);
        url("mysql", "mysql://app@db%2eprod/shop", None);
        url("mysql", "no url", None);
        url("turso", "libsql://Shop.turso.io", Some("shop.turso.io"));
        url("sqlite", "https://shop.turso.io", Some("shop.turso.io"));
        url("sqlite", "file:app.db", Some(""));
        url("sqlite", "./app.db", Some(""));
        url("sqlite", ":memory:", Some(""));
        url("sqlite", "libsql:shop.turso.io", None);
        url("cockroach", "postgres://h/d", None);

        let parts = |parts: serde_json::Value, host| {
            check(serde_json::json!({ "dialect": "mysql", "dbCredentials": parts }), host);
        };
        parts(serde_json::json!({ "host": "DB", "database": "shop" }), Some("db"));
        parts(serde_json::json!({ "host": "db", "url": "mysql://db/shop" }), Some("db"));
        parts(serde_json::json!({ "host": "localhost", "url": "mysql://db.prod.example.com/shop" }), None);
        parts(serde_json::json!({}), None);

        let driver = |dialect: &str, driver: &str, host| {
            check(serde_json::json!({ "dialect": dialect, "driver": driver, "dbCredentials": { "url": "./x" } }), host);
        };
        driver("postgresql", "pglite", Some(""));
        driver("postgresql", "aws-data-api", None);
        driver("sqlite", "d1-http", None);
        check(serde_json::json!({ "driver": "mysql2", "dbCredentials": { "uri": "mysql://db/shop" } }), Some("db"));
    }
}
