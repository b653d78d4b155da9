//! Reads the `dbCredentials` of a drizzle config by the driver that drizzle-kit has found. Pure.

use serde_json::Value;

use crate::db::connection::dsn::Dsn;
use crate::db::connection::url::driver::Driver;
use crate::db::connection::url::error::DsnError;
use crate::db::connection::url::given::Env;
use crate::db::connection::url::{neon, postgres_js};
use crate::percent::COMPONENT;

impl Dsn {
    /// Reads the `dbCredentials` of a drizzle config, or returns `None` where they are not a connection to PostgreSQL.
    ///
    /// `dialect` is drizzle's; before 0.21 there was none, and the driver `pg` stood for it. Not a connection are
    /// pglite and the AWS data API, told by `driver` (drizzle-kit merges the config's `driver` into the credentials;
    /// whoever calls has to do the same) or by `secretArn`.
    ///
    /// As in drizzle-kit's own union of shapes (bin.cjs, `postgresCredentials`), parts win over a `url`, and an `ssl`
    /// beside a `url` is dropped without a word.
    pub fn from_credentials(dialect: &str, credentials: &Value, env: Env) -> Option<Result<Dsn, DsnError>> {
        Dsn::as_read_by(Driver::Pg, dialect, credentials, env)
    }

    /// Reads the `dbCredentials` of a drizzle config as [`Dsn::from_credentials`] does, for the driver that drizzle-kit has
    /// found. What leads this driver elsewhere than it says is an error.
    pub fn as_read_by(driver: Driver, dialect: &str, credentials: &Value, env: Env) -> Option<Result<Dsn, DsnError>> {
        let text = |key| credentials.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let over_a_socket = matches!(text("driver"), None | Some("pg" | "postgres"));
        if !matches!(dialect, "postgresql" | "postgres" | "pg")
            || !over_a_socket
            || credentials.get("secretArn").is_some()
        {
            return None;
        }
        let of_url = |url: &str| match driver {
            Driver::Pg => Dsn::from_url(url, env),
            Driver::PostgresJs => postgres_js::from_url(url, env),
            Driver::Vercel | Driver::Neon => neon::is_plain(url, driver).and_then(|()| Dsn::from_url(url, env)),
        };
        Some(match (text("host"), text("database"), text("url"), text("connectionString")) {
            (_, _, _, Some(url)) => of_url(url),
            (Some(_), Some(_), _, _) if driver == Driver::PostgresJs => postgres_js::from_parts(credentials, env),
            (Some(_), Some(_), _, _) if dialect == "pg" => Dsn::from_raw_parts(credentials, env),
            (Some(_), Some(_), _, _) => Dsn::from_parts(credentials, env),
            (_, _, Some(url), _) => of_url(url),
            _ => Err(DsnError::NoCredentials),
        })
    }

    /// Returns credentials whose URL has other start-up options, as the key and the URL to put there; none where there is no
    /// URL, or where it would not be read so.
    pub fn with_options(
        driver: Driver,
        dialect: &str,
        credentials: &Value,
        options: &str,
    ) -> Option<(&'static str, String)> {
        ["connectionString", "url"].into_iter().find_map(|key| {
            let url = credentials.get(key)?.as_str()?;
            // The last of several parameters of one name wins.
            let joint = if url.contains('?') { '&' } else { '?' };
            let url = format!("{url}{joint}options={}", percent_encoding::utf8_percent_encode(options, COMPONENT));
            let mut changed = credentials.clone();
            *changed.get_mut(key)? = Value::from(url.as_str());
            let env = |name: &str| (name == "PGUSER").then(|| "me".to_owned());
            let read = Dsn::as_read_by(driver, dialect, &changed, &env);
            let is_read_so = read?.is_ok_and(|dsn| dsn.options() == Some(options));
            is_read_so.then_some((key, url))
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::db::connection::dsn::shown::{environment, show};

    #[test]
    fn credentials_are_those_of_a_postgresql_server_or_none() {
        let read = |dialect, credentials: Value| {
            let dsn = Dsn::from_credentials(dialect, &credentials, &environment(&[]))?;
            Some(dsn.map(|dsn| show(&dsn)))
        };
        let shown = |text: &str| Some(Ok(text.to_owned()));
        let url = "postgres://u:p@h/d";
        assert_eq!(read("postgresql", json!({"url": url})), shown("h|5432|d|u|p|off||"));
        assert_eq!(read("postgresql", json!({"url": url, "ssl": true})), shown("h|5432|d|u|p|off||"));
        assert_eq!(read("postgresql", json!({"url": url, "host": "x", "database": "y"})), shown("x|5432|y|me||full||"));
        assert_eq!(read("pg", json!({"connectionString": url})), shown("h|5432|d|u|p|off||"));
        assert_eq!(read("pg", json!({"host": "h", "database": "d"})), shown("h|5432|d|me||off||"));
        assert_eq!(read("postgresql", json!({"host": "h"})), Some(Err(DsnError::NoCredentials)));
        assert_eq!(read("postgresql", Value::Null), Some(Err(DsnError::NoCredentials)));
        assert_eq!(read("postgresql", json!({"url": "./data", "driver": "pglite"})), None);
        assert_eq!(read("postgresql", json!({"database": "d", "secretArn": "a", "resourceArn": "b"})), None);
        assert_eq!(read("mysql", json!({"url": "mysql://u:p@h/d"})), None);
        assert_eq!(read("sqlite", json!({"url": "file:db"})), None);
    }

    #[test]
    fn options_are_put_into_a_url_that_takes_them() {
        let with = |credentials: Value| {
            Dsn::with_options(Driver::Pg, "postgresql", &credentials, "-c a=b -c c=d").map(|(_, url)| url)
        };
        let added = "options=-c%20a%3Db%20-c%20c%3Dd";
        for (url, joint) in [
            ("postgres://u:p%23@h/d", Some("?")),
            ("postgres://h/d", Some("?")),
            ("postgres://u:p@h/d?options=-c%20x%3Dy&sslmode=disable", Some("&")),
            // Where the rest is a fragment, no URL at all, or is encoded once more, it would not be read.
            ("postgres://u:p@h/d#part", None),
            ("/run/postgresql d", None),
            ("postgres://u:p%zz@h/d", None),
        ] {
            assert_eq!(with(json!({"url": url})), joint.map(|joint| format!("{url}{joint}{added}")), "{url}");
        }
        assert_eq!(with(json!({"host": "h", "database": "d"})), None);
        assert_eq!(with(json!({"host": "h", "database": "d", "url": "postgres://h/d"})), None);
    }
}
