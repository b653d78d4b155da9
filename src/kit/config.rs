//! What drizzle's own config says, as drizzle-kit itself loaded it, and where that config file is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::kit::outcome::KitError;

/// Drizzle's config, as far as it matters here.
#[derive(Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    #[serde(default)]
    pub dialect: Option<String>,
    /// `pglite`, `aws-data-api`, `d1-http`, …; drizzle-kit 0.20 has its dialect here.
    #[serde(default)]
    pub driver: Option<String>,
    #[serde(default)]
    pub out: Option<String>,
    /// The schema files, folders or patterns.
    #[serde(default)]
    pub schema: Option<OneOrMany>,
    #[serde(default)]
    pub schema_filter: Option<OneOrMany>,
    /// Patterns of table names, without their schemas.
    #[serde(default)]
    pub tables_filter: Option<OneOrMany>,
    /// How drizzle-kit up to 0.31 writes the names of columns; 1.0 does not know it.
    #[serde(default)]
    pub casing: Option<String>,
    /// Where `migrate` keeps its records.
    #[serde(default)]
    pub migrations: Option<Migrations>,
    #[serde(default)]
    pub db_credentials: serde_json::Value,
    /// The npm package by which drizzle-kit connects: the first of its dialect's that it finds.
    #[serde(default)]
    pub client: Option<String>,
    /// The version of drizzle-orm, whose migrators drizzle-kit calls.
    #[serde(default)]
    pub orm: Option<String>,
    /// The variables that drizzle-kit's dotenv and the config have set, or taken away.
    #[serde(default)]
    pub variables: BTreeMap<String, Option<String>>,
}

/// The table in which `migrate` records what it has applied, as far as the config names it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Migrations {
    #[serde(default)]
    pub table: Option<String>,
    #[serde(default)]
    pub schema: Option<String>,
}

impl std::fmt::Debug for Config {
    /// Shows everything but the credentials and the variables.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Config {
            dialect,
            driver,
            out,
            schema,
            schema_filter,
            tables_filter,
            casing: _,
            migrations,
            db_credentials: _,
            client,
            orm,
            variables: _,
        } = self;
        let (drivers, filters) = ((driver, client, orm), (schema_filter, tables_filter));
        write!(f, "Config {{ {dialect:?}, {drivers:?}, {out:?}, {schema:?}, {filters:?}, {migrations:?} }}")
    }
}

/// A value that drizzle takes alone or in a list.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    /// Returns the values in a list.
    pub fn all(&self) -> &[String] {
        match self {
            OneOrMany::One(value) => std::slice::from_ref(value),
            OneOrMany::Many(values) => values,
        }
    }

    /// Tells whether drizzle-kit certainly leaves a table out because of its name, where this is the `tablesFilter`.
    ///
    /// drizzle-kit 0.22 and later take a table if every pattern that says anything of it says yes; before, one that says
    /// yes is enough (`pgPushIntrospect`). A pattern that begins with `!` says yes of every other name. Whether a pattern
    /// that is more than a name with `*` and `?` fits is not certain.
    pub fn leaves_out(&self, version: Option<&Version>, table: &str) -> bool {
        let patterns = self.all();
        let is_plain = |text: &str| text.chars().all(|char| char.is_alphanumeric() || "_-*?".contains(char));
        let says = |pattern: &String| -> Option<Option<bool>> {
            let (negated, glob) = pattern.strip_prefix('!').map_or((false, pattern.as_str()), |rest| (true, rest));
            let glob = is_plain(glob).then(|| globset::Glob::new(glob).ok()).flatten()?.compile_matcher();
            Some(match (glob.is_match(table), negated) {
                (true, false) => Some(true),
                (false, false) => None,
                (fits, true) => Some(!fits),
            })
        };
        let all_count = version.is_some_and(|version| (version.major, version.minor) >= (0, 22));
        let Some(said) = patterns.iter().map(says).collect::<Option<Vec<_>>>() else { return false };
        let mut said = said.into_iter().flatten().peekable();
        let is_taken = match (said.peek().is_some(), all_count) {
            (false, _) => patterns.is_empty(),
            (true, true) => said.all(|yes| yes),
            (true, false) => said.any(|yes| yes),
        };
        is_plain(table) && !is_taken
    }
}

impl Config {
    /// Returns the dialect by drizzle's names, with those of 0.20 translated.
    pub fn dialect(&self) -> &str {
        match (self.dialect.as_deref(), self.driver.as_deref()) {
            (Some(dialect), _) => dialect,
            (None, Some("pg")) => "postgresql",
            (None, Some("mysql2")) => "mysql",
            (None, Some("better-sqlite" | "libsql" | "turso" | "d1" | "expo")) => "sqlite",
            (None, _) => "unknown",
        }
    }

    /// Returns the schemas that drizzle-kit looks at; none where the dialect has no schemas.
    /// Without a filter `push` looks at `public` alone (drizzle-kit 0.21 to 0.31, `preparePushConfig`).
    pub fn schemas(&self) -> Vec<String> {
        match (&self.schema_filter, self.dialect()) {
            (Some(schemas), _) => schemas.all().to_vec(),
            (None, "postgresql") => vec!["public".to_owned()],
            (None, _) => Vec::new(),
        }
    }

    /// Tells whether drizzle-kit certainly leaves a table out because of its name.
    pub fn leaves_out(&self, version: Option<&Version>, table: &str) -> bool {
        self.tables_filter.as_ref().is_some_and(|filter| filter.leaves_out(version, table))
    }

    /// Returns the folder of the migrations, below the project's (drizzle-kit 0.20 to 0.31, `out`).
    pub fn out(&self) -> &str {
        self.out.as_deref().unwrap_or("drizzle")
    }

    /// Returns the schema and the name of the table of the migrations, with drizzle's defaults for PostgreSQL
    /// (drizzle-orm 0.45, pg-core/dialect).
    pub fn migrations_table(&self) -> (String, String) {
        let Migrations { table, schema } = self.migrations.clone().unwrap_or_default();
        let given =
            |name: Option<String>, or: &str| name.filter(|name| !name.is_empty()).unwrap_or_else(|| or.to_owned());
        (given(schema, "drizzle"), given(table, "__drizzle_migrations"))
    }
}

/// What one run has otherwise than the project's config says. The file itself stays as it is: the hook hands drizzle-kit
/// its config with these parts replaced. What is `None` here is the project's.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Overlay {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub db_credentials: Option<serde_json::Value>,
    /// Parts of the credentials: the others may be functions, which no message carries.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub credentials: BTreeMap<&'static str, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_filter: Option<Vec<String>>,
}

impl Overlay {
    /// Returns the config as drizzle-kit will have it.
    pub fn over(&self, config: &Config) -> Config {
        let Overlay { db_credentials, credentials, out, schema_filter } = self.clone();
        let config = config.clone();
        let mut db_credentials = db_credentials.unwrap_or(config.db_credentials);
        for (key, value) in credentials {
            db_credentials[key] = value.into();
        }
        Config {
            db_credentials,
            out: out.or(config.out),
            schema_filter: schema_filter.map(OneOrMany::Many).or(config.schema_filter),
            ..config
        }
    }
}

impl std::fmt::Debug for Overlay {
    /// Shows everything but the credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Overlay { db_credentials, credentials, out, schema_filter } = self;
        let is_the_projects = db_credentials.is_none() && credentials.is_empty();
        let credentials = if is_the_projects { "the project's" } else { "others" };
        write!(f, "Overlay {{ credentials: {credentials}, {out:?}, {schema_filter:?} }}")
    }
}

/// What the hook inside drizzle-kit's node sends us.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Message {
    /// The config was loaded; drizzle-kit waits for our word.
    Config { config: Box<Config> },
    /// Loading the config failed; drizzle-kit goes on to say so itself.
    Error(ConfigError),
    /// A statement failed.
    Failed { failed: Box<FailedStatement> },
    /// A session began; it waits for our word before its first query.
    Session { session: Box<KitSession> },
    /// A query waits for our word before it is sent.
    Query { query: String },
    /// A file of the project was loaded after the config.
    Loaded { loaded: PathBuf },
    /// The project's own files printed this while they were loaded.
    Printed { printed: String },
    /// drizzle-kit 1.0 printed this for programs.
    Out { out: String },
    /// The hook has ended drizzle-kit by itself, for this reason.
    Refused { refused: String },
    /// The hook was loaded by a drizzle-kit that was only to show that it does so.
    Hello { hello: Hello },
}

/// Why the config was not loaded.
#[derive(Clone, Default, Deserialize)]
pub struct ConfigError {
    pub error: String,
    /// The variables that drizzle-kit's dotenv and the config had set by then, or taken away.
    #[serde(default)]
    pub variables: BTreeMap<String, Option<String>>,
}

impl std::fmt::Debug for ConfigError {
    /// Shows everything but the variables.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ConfigError { error, variables: _ } = self;
        write!(f, "ConfigError {{ {error:?} }}")
    }
}

/// What one of drizzle-kit's own sessions is, as the server told it within that session.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct KitSession {
    /// The package that the session is of; none for every driver of PostgreSQL over a socket.
    pub driver: Option<String>,
    /// The values of the question that came with the clearance; none where the server gave no answer.
    pub answers: Option<Vec<Option<String>>>,
    /// Why the server gave none.
    pub error: Option<String>,
    /// What a database of SQLite has.
    pub catalog: Option<KitCatalog>,
}

/// What a database of SQLite answered.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct KitCatalog {
    /// The rows of each of the questions that came with the clearance; none where one failed.
    pub answers: Vec<Option<Vec<Vec<serde_json::Value>>>>,
    pub counts: Vec<KitCount>,
}

/// How many rows of a table refer to another by a column.
#[derive(Debug, Clone, Deserialize)]
pub struct KitCount {
    pub table: String,
    pub column: String,
    pub rows: Option<serde_json::Value>,
}

/// The drizzle-kit that a command starts.
#[derive(Debug, Clone, Deserialize)]
pub struct Hello {
    pub version: Option<Version>,
}

/// A statement that the server refused, as the driver in drizzle-kit's node was told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct FailedStatement {
    /// Its beginning, where it is longer than [`FailedStatement::LONGEST`].
    pub statement: String,
    pub message: String,
    pub code: Option<String>,
    pub detail: Option<String>,
    pub hint: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<String>,
}

impl FailedStatement {
    /// The most of a statement that is told, in units of UTF-16.
    pub const LONGEST: usize = 65536;

    /// Returns the error alone.
    pub fn error(&self) -> KitError {
        let FailedStatement { message, code, detail, hint, .. } = self.clone();
        KitError { message, code, detail, hint }
    }

    /// Returns the character at which it failed, counted from 0.
    pub fn at(&self) -> Option<usize> {
        self.position.as_ref()?.parse::<usize>().ok()?.checked_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_config_is_read_as_drizzle_means_it() {
        let check = |json: &str, dialect: &str, schemas: &[&str]| {
            let config: Config = serde_json::from_str(json).expect("the case is JSON");
            assert_eq!(
                (config.dialect(), config.schemas()),
                (dialect, schemas.iter().map(|s| (*s).to_owned()).collect())
            );
        };
        check(r#"{"dialect":"postgresql"}"#, "postgresql", &["public"]);
        check(r#"{"dialect":"postgresql","schemaFilter":"auth"}"#, "postgresql", &["auth"]);
        check(r#"{"dialect":"postgresql","schemaFilter":["public","auth"]}"#, "postgresql", &["public", "auth"]);
        check(r#"{"driver":"pg"}"#, "postgresql", &["public"]);
        check(r#"{"dialect":"sqlite"}"#, "sqlite", &[]);
    }

    #[test]
    fn the_table_of_the_migrations_has_drizzles_defaults() {
        let check = |json: &str, schema: &str, table: &str| {
            let config: Config = serde_json::from_str(json).expect("the case is JSON");
            assert_eq!(config.migrations_table(), (schema.to_owned(), table.to_owned()));
        };
        check("{}", "drizzle", "__drizzle_migrations");
        check(r#"{"migrations":{}}"#, "drizzle", "__drizzle_migrations");
        check(r#"{"migrations":{"table":"log"}}"#, "drizzle", "log");
        check(r#"{"migrations":{"schema":"public","table":"log"}}"#, "public", "log");
    }

    #[test]
    fn an_overlay_replaces_what_it_names_and_nothing_else() {
        let json =
            r#"{"dialect":"postgresql","out":"m","tablesFilter":"a_*","dbCredentials":{"url":"postgres://u@h/d"}}"#;
        let config: Config = serde_json::from_str(json).expect("the case is JSON");
        let shown = |config: &Config| format!("{config:?} {}", config.db_credentials);
        assert_eq!(shown(&Overlay::default().over(&config)), shown(&config));
        let overlay = Overlay {
            db_credentials: Some(serde_json::json!({ "url": "postgres://u@h/replaced", "ssl": true })),
            credentials: BTreeMap::from([("url", "postgres://u@h/other".to_owned())]),
            out: Some("steps".to_owned()),
            schema_filter: Some(vec!["shop".to_owned()]),
        };
        let over = overlay.over(&config);
        assert_eq!(over.out(), "steps");
        assert_eq!(over.schemas(), ["shop"]);
        assert_eq!(over.db_credentials, serde_json::json!({ "url": "postgres://u@h/other", "ssl": true }));
        assert!(!format!("{overlay:?}").contains("other\""), "{overlay:?}");
    }

    #[test]
    fn what_a_filter_leaves_out_is_known_where_it_is_certain() {
        let check = |version: &str, json: &str, left_out: &[&str], taken: &[&str]| {
            let config: Config = serde_json::from_str(json).expect("the case is JSON");
            let version: Version = version.parse().expect("the case is a version");
            for (names, expected) in [(left_out, true), (taken, false)] {
                for name in names {
                    assert_eq!(config.leaves_out(Some(&version), name), expected, "{version} {json} {name}");
                }
            }
        };
        for version in ["0.21.4", "0.31.11"] {
            check(version, "{}", &[], &["a"]);
            check(version, r#"{"tablesFilter":[]}"#, &[], &["a"]);
            check(version, r#"{"tablesFilter":["a_*"]}"#, &["b_orders", "a"], &["a_items"]);
            check(version, r#"{"tablesFilter":"!tmp_*"}"#, &["tmp_x"], &["a"]);
            // What these mean is not certain.
            check(version, r#"{"tablesFilter":["{a,b}"]}"#, &[], &["a", "c"]);
            check(version, r#"{"tablesFilter":["a_*"]}"#, &[], &["odd.name", "a/b"]);
        }
        check("0.31.11", r#"{"tablesFilter":["*","!a"]}"#, &["a"], &["b"]);
        check("0.21.4", r#"{"tablesFilter":["*","!a"]}"#, &[], &["a", "b"]);
    }

    #[test]
    fn credentials_are_not_shown_for_debugging() {
        let json = r#"{"dialect":"postgresql","dbCredentials":{"url":"postgres://u:hunter2@h/d"}}"#;
        let config: Config = serde_json::from_str(json).expect("the case is JSON");
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
