//! Through what drizzle-kit speaks to a database, and whether what it sends there can be held. Pure.

use crate::kit::config::Config;

/// What drizzle-kit speaks to a database through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// `pg` or `postgres`, over a socket.
    Postgres,
    /// PGlite, within node.
    Pglite,
    /// `mysql2`, over a socket.
    MySql,
    /// A file, by better-sqlite3 or @libsql/client.
    SqliteFile,
    /// A server of libSQL, over HTTP.
    LibSql,
    D1,
}

/// Why nothing holds what drizzle-kit sends, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unheld {
    /// The driver by its name in the config, the package, or the kind of URL.
    pub name: String,
    pub why: &'static str,
    pub instead: &'static str,
}

const BY_ITSELF: &str = "drizzle-pilot generate works; apply its migrations with drizzle-pilot run -- migrate, which does not judge statements";

/// Returns what drizzle-kit speaks through; nothing where the dialect is not known.
///
/// # Errors
/// Where what it sends cannot be held.
pub fn of(config: &Config) -> Result<Option<Engine>, Unheld> {
    let unheld = |name: &str, why, instead| Err(Unheld { name: name.to_owned(), why, instead });
    let package = config.client.as_deref();
    match (config.dialect(), config.driver.as_deref()) {
        ("postgresql", Some("pglite")) => Ok(Some(Engine::Pglite)),
        ("postgresql", None | Some("pg")) => match package {
            Some(name @ ("@vercel/postgres" | "@neondatabase/serverless")) => unheld(
                name,
                "it connects to the server over a websocket",
                "install pg beside drizzle-kit, which prefers it: npm install --save-dev pg",
            ),
            _ => Ok(Some(Engine::Postgres)),
        },
        ("mysql" | "singlestore", None | Some("mysql2")) => match package {
            Some(name @ "@planetscale/database") => unheld(
                name,
                "it connects to the server over HTTP",
                "install mysql2 beside drizzle-kit, which prefers it: npm install --save-dev mysql2",
            ),
            _ => Ok(Some(Engine::MySql)),
        },
        ("sqlite" | "turso", None | Some("better-sqlite" | "libsql" | "turso")) => {
            let url = config.db_credentials.get("url").and_then(serde_json::Value::as_str).unwrap_or_default();
            match url.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase()).as_deref() {
                Some("libsql" | "http" | "https") => Ok(Some(Engine::LibSql)),
                Some(scheme @ ("ws" | "wss")) => unheld(
                    &format!("a URL of {scheme}:"),
                    "it connects to the server over a websocket",
                    "write the URL with libsql: or https: instead",
                ),
                _ => Ok(Some(Engine::SqliteFile)),
            }
        }
        ("sqlite", Some("d1-http")) => Ok(Some(Engine::D1)),
        ("postgresql" | "mysql" | "singlestore" | "sqlite" | "turso", Some(driver)) => {
            unheld(driver, "it connects to the database in its own way", BY_ITSELF)
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_is_held_or_named() {
        let check = |json: &str, expected: Result<Option<Engine>, &str>| {
            let config: Config = serde_json::from_str(json).expect("the case is JSON");
            assert_eq!(of(&config).map_err(|unheld| unheld.name), expected.map_err(str::to_owned), "{json}");
        };
        check(r#"{"dialect":"postgresql"}"#, Ok(Some(Engine::Postgres)));
        check(r#"{"driver":"pg"}"#, Ok(Some(Engine::Postgres)));
        check(r#"{"dialect":"postgresql","client":"postgres"}"#, Ok(Some(Engine::Postgres)));
        check(r#"{"dialect":"postgresql","driver":"pglite"}"#, Ok(Some(Engine::Pglite)));
        check(r#"{"dialect":"postgresql","driver":"aws-data-api"}"#, Err("aws-data-api"));
        check(r#"{"dialect":"postgresql","driver":"neon-http"}"#, Err("neon-http"));
        for package in ["@vercel/postgres", "@neondatabase/serverless"] {
            check(&format!(r#"{{"dialect":"postgresql","client":"{package}"}}"#), Err(package));
        }
        check(r#"{"dialect":"mysql","client":"mysql2"}"#, Ok(Some(Engine::MySql)));
        check(r#"{"dialect":"mysql","client":"@planetscale/database"}"#, Err("@planetscale/database"));
        check(r#"{"dialect":"singlestore"}"#, Ok(Some(Engine::MySql)));
        for url in ["./app.db", "file:app.db", ":memory:"] {
            check(
                &format!(r#"{{"dialect":"sqlite","dbCredentials":{{"url":"{url}"}}}}"#),
                Ok(Some(Engine::SqliteFile)),
            );
        }
        check(r#"{"dialect":"turso","dbCredentials":{"url":"LIBSQL://h"}}"#, Ok(Some(Engine::LibSql)));
        check(r#"{"dialect":"turso","dbCredentials":{"url":"wss://h"}}"#, Err("a URL of wss:"));
        check(r#"{"dialect":"sqlite","driver":"d1-http"}"#, Ok(Some(Engine::D1)));
        check(r#"{"dialect":"sqlite","driver":"expo"}"#, Err("expo"));
        check(r#"{"dialect":"sqlite","driver":"durable-sqlite"}"#, Err("durable-sqlite"));
        check(r#"{"dialect":"gel"}"#, Ok(None));
    }
}
