//! Compares our readings of credentials with those of the packages themselves.

use serde::Deserialize;
use serde_json::Value;

use crate::db::connection::dsn::Dsn;
use crate::db::connection::dsn::shown::show;
use crate::db::connection::url::driver::Driver;
use crate::host;

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
    ("postgres://u:p@[::1]:5433/d", "drizzle-kit's driver `postgres` misreads a host with a colon, such as an IPv6 address"),
    ("postgres://u:p@h1,h2/d", "drizzle-kit's driver `postgres` chooses one of several hosts"),
    ("postgres://u:p@h1:1,h2:2/d", "drizzle-kit's driver `postgres` chooses one of several hosts"),
    ("postgres://u:p@h$&/d", "drizzle-kit's driver `postgres` misreads a host with a $"),
    ("socket:/run/pg?db=d", "the database URL is not a URL"),
    ("/run/pg d", "the database URL is not a URL"),
    ("//h/d", "the database URL is not a URL"),
    ("postgres://u:p@h/d?database=e", "the parameter `database` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?dbname=e", "the parameter `dbname` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?db=e", "the parameter `db` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?user=v", "the parameter `user` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?username=v", "the parameter `username` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?host=x", "the parameter `host` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?hostname=x", "the parameter `hostname` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?port=77", "the parameter `port` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?password=q", "the parameter `password` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?path=/x", "the parameter `path` of the database URL sends drizzle-kit's driver `postgres` to another place than its host and path"),
    ("postgres://u:p@h/d?search_path=tenant", "the parameter `search_path` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?role=x", "the parameter `role` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?session_authorization=x", "the parameter `session_authorization` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?TimeZone=UTC", "the parameter `TimeZone` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?DateStyle=German", "the parameter `DateStyle` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?default_transaction_read_only=on", "the parameter `default_transaction_read_only` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?standard_conforming_strings=off", "the parameter `standard_conforming_strings` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?row_security=off", "the parameter `row_security` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?app.tenant=1", "the parameter `app.tenant` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?replication=database", "the parameter `replication` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?client_encoding=LATIN1", "the parameter `client_encoding` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?fallback_application_name=f", "the parameter `fallback_application_name` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?sslrootcert=system", "drizzle-kit's driver `postgres` passes sslrootcert to the server, which refuses it"),
    ("postgres://u:p@h/d?sslrootcert=/ca", "the parameter `sslrootcert` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?sslcert=/c&sslkey=/k", "the parameter `sslcert` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?connectionString=postgres://x/y", "the parameter `connectionString` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?Database=e", "the parameter `Database` of the database URL becomes a session setting in drizzle-kit's driver `postgres`, which drizzle-pilot does not take into account"),
    ("postgres:///d", "drizzle-kit's driver `postgres` chooses one of several hosts"),
    ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a colon, such as an IPv6 address"),
    ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a colon, such as an IPv6 address"),
    ("postgres:///d", "drizzle-kit's driver `postgres` misreads a host with a slash"),
    (r#"{"host":"/run/pg:1","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads the folder of a socket with a colon"),
    (r#"{"host":"h1,h2","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` chooses one of several hosts"),
    (r#"{"host":"h:77","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads a host with a colon, such as an IPv6 address"),
    (r#"{"host":"::1","user":"u","database":"d"}"#, "drizzle-kit's driver `postgres` misreads a host with a colon, such as an IPv6 address"),
];
#[rustfmt::skip]
const REFUSED_BY_NEON: &[(&str, &str)] = &[
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres://", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:/d", "the database URL is not a URL"),
    ("postgres://u@/d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres://u:p@/d?host=/run/pg", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
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
    ("postgres://u:p@h/d?user=v", "the parameter `user` of the database URL sends drizzle-kit's driver `@neondatabase/serverless` to another place than its host and path"),
    ("postgres://u:p@h/d?port=77", "the parameter `port` of the database URL sends drizzle-kit's driver `@neondatabase/serverless` to another place than its host and path"),
    ("postgres://u:p@h/d?password=q", "the parameter `password` of the database URL sends drizzle-kit's driver `@neondatabase/serverless` to another place than its host and path"),
    ("postgres://u:p@h/d?replication=database", "the parameter `replication` of the database URL becomes a session setting in drizzle-kit's driver `pg`, which drizzle-pilot does not take into account"),
    ("postgres://u:p@h/d?ssl=false", "ssl=\"false\" makes the pg driver fail when it connects"),
    ("postgres://u:p@h/d?ssl=require", "ssl=\"require\" makes the pg driver fail when it connects"),
    ("postgres://u:p@h/d?ssl=prefer", "ssl=\"prefer\" makes the pg driver fail when it connects"),
    ("postgres://u:p@h/d?connectionString=postgres://x/y", "the parameter `connectionString` of the database URL sends drizzle-kit's driver `pg` to another place than its host and path"),
    ("postgres://", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
    ("postgres:///d", "drizzle-kit's driver `@neondatabase/serverless` cannot read a URL without a host"),
];
