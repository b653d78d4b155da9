//! What decides, besides the statements, what they make of an empty database: settings, extensions, locale and roles of the
//! database that is compared.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use tokio_postgres::Client;
use tokio_postgres::types::Type;

use crate::db::change::confine::{Asks, Found};
use crate::db::connection::connect::{Session, open};
use crate::db::connection::conversation::within;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::{ConnectError, explained};
use crate::db::inspect::identify;
use crate::db::inspect::identity::Identity;

/// What a database has around its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    pub identity: Identity,
    /// As in `server_version_num`.
    pub version: i32,
    pub user: String,
    pub may_create_databases: bool,
    pub locale: Locale,
    /// Settings of the database and of the role, as they apply to a session.
    pub settings: BTreeMap<String, String>,
    pub extensions: Vec<Extension>,
    /// All roles of the server, but for PostgreSQL's own.
    pub roles: BTreeSet<String>,
    pub schemas: BTreeSet<String>,
    /// The names and versions of the extensions that the server offers.
    offered: BTreeSet<(String, String)>,
    /// What was asked for on behalf of the statements.
    pub found: Found,
}

/// How the texts of a database are stored and sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale {
    encoding: String,
    collate: String,
    ctype: String,
    /// `c`, `i` or `b`, as in `pg_database`.
    provider: String,
    /// That of the provider, where it is not `c`.
    name: Option<String>,
}

/// An extension, as it is to be there before the first statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    pub name: String,
    pub schema: String,
    pub version: String,
}

impl Surroundings {
    /// Tells whether the server offers an extension.
    pub fn has_available(&self, extension: &Extension) -> bool {
        self.offered.contains(&(extension.name.clone(), extension.version.clone()))
    }

    /// Returns the major version of the server.
    pub fn major(&self) -> i32 {
        self.version / 10_000
    }
}

impl Locale {
    /// Returns the options with which CREATE DATABASE makes a database like this one.
    pub(super) fn options(&self) -> String {
        let Locale { encoding, collate, ctype, provider, name } = self;
        let name = name.as_deref().map(escape_literal);
        let of_provider = match (provider.as_str(), name) {
            ("i", Some(name)) => format!(" LOCALE_PROVIDER icu ICU_LOCALE {name}"),
            ("b", Some(name)) => format!(" LOCALE_PROVIDER builtin BUILTIN_LOCALE {name}"),
            _ => String::new(),
        };
        format!(
            "TEMPLATE template0 ENCODING {} LC_COLLATE {} LC_CTYPE {}{of_provider}",
            escape_literal(encoding),
            escape_literal(collate),
            escape_literal(ctype)
        )
    }

    /// As [`options`](Locale::options), for a machine that does not know the locale.
    pub(super) fn plain_options(&self) -> String {
        let encoding = escape_literal(&self.encoding);
        format!("TEMPLATE template0 ENCODING {encoding} LC_COLLATE 'C' LC_CTYPE 'C'")
    }
}

/// Settings that are not taken along: they load libraries, make another role of the session, or keep it from writing.
const LEFT_ALONE: &[&str] = &[
    "default_transaction_read_only",
    "local_preload_libraries",
    "role",
    "session_authorization",
    "session_preload_libraries",
];

/// Settings of a server that decide what a statement means. Another server may have others.
const MEANING: &[&str] = &[
    "array_nulls",
    "DateStyle",
    "default_text_search_config",
    "IntervalStyle",
    "search_path",
    "standard_conforming_strings",
    "TimeZone",
    "timezone_abbreviations",
    "transform_null_equals",
    "xmloption",
];

/// Reads the surroundings of a database, and of its server what statements name. Must not be called from asynchronous code.
///
/// # Errors
/// Where the server cannot be asked.
#[tracing::instrument(name = "surroundings", skip_all)]
pub fn look_around(dsn: &Dsn, asks: &Asks, deadline: Duration) -> Result<Surroundings, ConnectError> {
    within(dsn, deadline, async |patience| {
        let client = open(dsn, patience, &SESSION).await?;
        read(&client, asks).await.map_err(|error| explained(dsn, &error))
    })
}

const SESSION: Session<'static> = Session { application_name: "drizzle-pilot scratch", options: "" };

async fn read(client: &Client, asks: &Asks) -> Result<Surroundings, tokio_postgres::Error> {
    const SERVER: &str = "
        SELECT pg_catalog.current_setting('server_version_num')::int4, rolname::text, rolcreatedb OR rolsuper,
               pg_catalog.current_database()::text
          FROM pg_catalog.pg_roles WHERE rolname = current_user";
    const ROLES: &str = "SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'";
    const SCHEMAS: &str = "SELECT nspname::text FROM pg_catalog.pg_namespace WHERE nspname !~ '^pg_'";
    const OFFERED: &str = "SELECT name::text, version FROM pg_catalog.pg_available_extension_versions";
    let identity = identify::identify(client).await?;
    let offered = client.query_typed(OFFERED, &[]).await?;
    let server = client.query_typed_one(SERVER, &[]).await?;
    let database: String = server.get(3);
    let locale = locale(client, &database).await?.expect("the database that we are in exists");
    let names = |rows: Vec<tokio_postgres::Row>| rows.iter().map(|row| row.get(0)).collect();
    Ok(Surroundings {
        identity,
        version: server.get(0),
        user: server.get(1),
        may_create_databases: server.get(2),
        locale,
        settings: settings(client).await?,
        extensions: extensions(client).await?,
        roles: names(client.query_typed(ROLES, &[]).await?),
        offered: offered.iter().map(|row| (row.get(0), row.get(1))).collect(),
        schemas: names(client.query_typed(SCHEMAS, &[]).await?),
        found: asks.of(client).await?,
    })
}

/// Reads the locale of a database; nothing where there is no such database.
pub(super) async fn locale(client: &Client, database: &str) -> Result<Option<Locale>, tokio_postgres::Error> {
    // Columns that came later: 15 has the provider, and 17 one name for that of each.
    const LOCALE: &str = "
        SELECT pg_catalog.pg_encoding_to_char(d.encoding)::text, d.datcollate::text, d.datctype::text,
               coalesce(j->>'datlocprovider', 'c'), coalesce(j->>'datlocale', j->>'daticulocale')
          FROM pg_catalog.pg_database d, pg_catalog.to_jsonb(d) j WHERE d.datname = $1";
    let row = client.query_typed(LOCALE, &[(&database, Type::TEXT)]).await?;
    Ok(row.first().map(|row| Locale {
        encoding: row.get(0),
        collate: row.get(1),
        ctype: row.get(2),
        provider: row.get(3),
        name: row.get(4),
    }))
}

/// Reads the settings of the session that this is, as the database, the role and the server give them.
async fn settings(client: &Client) -> Result<BTreeMap<String, String>, tokio_postgres::Error> {
    // The later of two wins (`pg_db_role_setting`: all, the database, the role, the role in the database).
    const GIVEN: &str = "
        SELECT setting
          FROM pg_catalog.pg_db_role_setting s
          LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
          LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole,
               pg_catalog.unnest(s.setconfig) WITH ORDINALITY AS c(setting, n)
         WHERE (s.setdatabase = 0 OR d.datname = pg_catalog.current_database())
           AND (s.setrole = 0 OR r.rolname = session_user)
         ORDER BY s.setrole <> 0, s.setdatabase <> 0, c.n";
    const MEANT: &str =
        "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE name = ANY ($1)";
    let mut settings = BTreeMap::new();
    for row in client.query_typed(MEANT, &[(&MEANING, Type::TEXT_ARRAY)]).await? {
        settings.insert(row.get(0), row.get(1));
    }
    for row in client.query_typed(GIVEN, &[]).await? {
        let given: String = row.get(0);
        let Some((name, value)) = given.split_once('=') else { continue };
        if !LEFT_ALONE.contains(&name) && !MEANING.contains(&name) {
            settings.insert(name.to_owned(), value.to_owned());
        }
    }
    Ok(settings)
}

/// Reads the extensions of the database that is compared: a push needs them, and no migration may speak of them.
async fn extensions(client: &Client) -> Result<Vec<Extension>, tokio_postgres::Error> {
    const EXTENSIONS: &str = "
        SELECT e.extname::text, n.nspname::text, e.extversion
          FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
         WHERE n.nspname <> 'pg_catalog' ORDER BY e.oid";
    let rows = client.query_typed(EXTENSIONS, &[]).await?;
    Ok(rows.iter().map(|row| Extension { name: row.get(0), schema: row.get(1), version: row.get(2) }).collect())
}

/// Makes an empty database like the one that is compared: its extensions, and its settings for whoever logs in as us. A session
/// that begins after this has them.
pub(super) async fn recreate(
    client: &Client,
    surroundings: &Surroundings,
    statements: &[String],
    database: &str,
) -> Result<(), tokio_postgres::Error> {
    for Extension { name, schema, version } in &surroundings.extensions {
        // A migration that creates the extension itself finds an empty place.
        let says = |statement: &String| {
            let statement = statement.to_lowercase();
            statement.contains("create extension") && statement.contains(&name.to_lowercase())
        };
        if statements.iter().any(says) {
            continue;
        }
        let (name, schema, version) = (escape_identifier(name), escape_identifier(schema), escape_identifier(version));
        let create = format!(
            "CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION IF NOT EXISTS {name} SCHEMA {schema} VERSION {version}"
        );
        client.batch_execute(&create).await?;
    }
    const DIFFERENT: &str = "
        SELECT name, value FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2)) AS given(name, value)
         WHERE pg_catalog.current_setting(name, true) IS DISTINCT FROM value";
    let (names, values): (Vec<&String>, Vec<&String>) = surroundings.settings.iter().unzip();
    let different = client.query_typed(DIFFERENT, &[(&names, Type::TEXT_ARRAY), (&values, Type::TEXT_ARRAY)]).await?;
    let database = escape_identifier(database);
    for (name, value) in different.iter().map(|row| (row.get::<_, String>(0), row.get::<_, String>(1))) {
        // FROM CURRENT takes a list as it is, which has no quotes of its own.
        const TAKE: &str = "SELECT pg_catalog.set_config($1, $2, false)";
        let quoted: Vec<String> = name.split('.').map(escape_identifier).collect();
        let keep = format!("ALTER ROLE CURRENT_USER IN DATABASE {database} SET {} FROM CURRENT", quoted.join("."));
        let set = match client.query_typed(TAKE, &[(&name, Type::TEXT), (&value, Type::TEXT)]).await {
            Ok(_) => client.batch_execute(&keep).await,
            Err(error) => Err(error),
        };
        match set {
            // What only a superuser may set, or what this server does not know. It was not set by the statements either.
            Err(error) if error.as_db_error().is_some() => tracing::debug!(name, %error, "setting"),
            set => set?,
        }
    }
    Ok(())
}
