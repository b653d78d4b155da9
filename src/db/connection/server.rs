//! What a server says of itself and of a session with it. Pure: answers in, facts out.

/// What is asked within a session to know where it is and what it is set to: one row of texts, for [`Server::of`].
/// drizzle-kit's own sessions are asked the same before their first query. A setting that the server does not know is NULL.
pub const QUESTION: &str = "\
    SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.pg_is_in_recovery()::text, \
    pg_catalog.current_setting('transaction_read_only'), pg_catalog.current_database()::text, current_user::text, \
    session_user::text, pg_catalog.current_setting('search_path'), \
    pg_catalog.array_to_string(pg_catalog.current_schemas(true), ','), pg_catalog.current_schema()::text, \
    (SELECT d.oid::text FROM pg_catalog.pg_database AS d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()), \
    extract(epoch FROM pg_catalog.pg_postmaster_start_time())::text, \
    pg_catalog.current_setting('client_connection_check_interval', true), \
    pg_catalog.current_setting('standard_conforming_strings', true), pg_catalog.current_setting('backslash_quote', true), \
    pg_catalog.current_setting('quote_all_identifiers', true), pg_catalog.current_setting('transform_null_equals', true), \
    pg_catalog.current_setting('array_nulls', true), pg_catalog.current_setting('session_replication_role', true)";

/// The settings that change what a statement means, as they are by default, in the order of [`QUESTION`]. What is read here
/// is read as the server reads it under these.
const MEANINGS: [(&str, &str); 6] = [
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("quote_all_identifiers", "off"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("session_replication_role", "origin"),
];

/// The facts about a server and a session with it that decide how drizzle-kit is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `server_version_num`: 150018 is 15.18.
    pub version_num: u32,
    /// The server is a standby.
    pub in_recovery: bool,
    /// Writing is refused (25006): a standby, or `default_transaction_read_only`.
    pub read_only: bool,
    pub current_database: String,
    pub current_user: String,
    pub session_user: String,
    pub search_path: SearchPath,
    /// The number of the database. One that is made anew under the same name has another.
    pub database_oid: String,
    /// When the server was started, in seconds since 1970: no two servers share it to the microsecond.
    pub started: String,
    /// [`CLIENT_CHECK`](crate::db::connection::connect::CLIENT_CHECK) was accepted, and it is in force: poolers can be told to swallow start-up options.
    pub checks_clients: bool,
    /// The settings that change what a statement means, and are not as they are by default.
    pub odd: Vec<(&'static str, String)>,
}

/// Where a session looks for a name without a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The setting, as it was written.
    pub setting: String,
    /// The schemas that it comes to, the catalog's own included, in their order.
    pub schemas: Vec<String>,
    /// The schema that a name without one means first; none where the search path leads nowhere.
    pub first: Option<String>,
}

impl Server {
    /// Reads the answers to [`QUESTION`]; nothing where they are not those.
    pub fn of(answers: &[Option<String>]) -> Option<Server> {
        let [
            version,
            recovery,
            read_only,
            database,
            user,
            session_user,
            search_path,
            path,
            schema,
            oid,
            started,
            check,
            meanings @ ..,
        ] = answers
        else {
            return None;
        };
        if meanings.len() != MEANINGS.len() {
            return None;
        }
        let told = MEANINGS.iter().zip(meanings).filter_map(|(meaning, value)| Some((meaning, value.as_ref()?)));
        let odd = told.filter(|((_, usual), value)| value != usual);
        Some(Server {
            version_num: version.as_ref()?.parse().ok()?,
            in_recovery: recovery.as_deref()? == "true",
            read_only: read_only.as_deref()? == "on",
            current_database: database.clone()?,
            current_user: user.clone()?,
            session_user: session_user.clone()?,
            search_path: SearchPath {
                setting: search_path.clone()?,
                schemas: path.as_deref()?.split(',').map(str::to_owned).collect(),
                first: schema.clone(),
            },
            database_oid: oid.clone()?,
            started: started.clone()?,
            checks_clients: check.as_deref() == Some("500ms"),
            odd: odd.map(|((name, _), value)| (*name, value.clone())).collect(),
        })
    }

    /// Returns the start-up options (`-c name=value`) that give the settings their usual values; empty where they have them.
    pub fn corrections(&self) -> String {
        // Only a superuser may touch the last one.
        let odd = MEANINGS[..MEANINGS.len() - 1].iter().filter(|(name, _)| self.odd.iter().any(|(odd, _)| odd == name));
        odd.map(|(name, usual)| format!("-c {name}={usual}")).collect::<Vec<_>>().join(" ")
    }

    /// Says where another session is not in the same place as this one, if it is not.
    pub fn differs(&self, other: &Server) -> Option<String> {
        let said = |what: &str, other: &str, own: &str| {
            (own != other).then(|| format!("its {what} is {other}, but drizzle-pilot's own session has {own}"))
        };
        let SearchPath { setting, schemas, .. } = &self.search_path;
        said("database", &other.current_database, &self.current_database)
            .or_else(|| said("user", &other.current_user, &self.current_user))
            .or_else(|| said("session user", &other.session_user, &self.session_user))
            .or_else(|| said("search_path", &other.search_path.setting, setting))
            .or_else(|| said("list of schemas to search", &other.search_path.schemas.join(", "), &schemas.join(", ")))
            .or_else(|| said("server's start", &other.started, &self.started))
            .or_else(|| said("database's oid", &other.database_oid, &self.database_oid))
    }

    /// Says which setting makes statements mean something else than what is read here, if one does.
    pub fn misreads(&self) -> Option<String> {
        if let Some((name, value)) = self.odd.first() {
            let usual = MEANINGS.iter().find(|(known, _)| known == name).map_or("", |(_, usual)| usual);
            return Some(format!("{name} is {value} in the session, not {usual}"));
        }
        let SearchPath { setting, schemas, .. } = &self.search_path;
        let mut schemas = schemas.iter().filter(|schema| !schema.starts_with("pg_temp"));
        let first = schemas.next().map_or("", |schema| schema.as_str());
        (first != "pg_catalog").then(|| {
            format!(
                "search_path ({setting}) has the schema {first} before pg_catalog, so that built-in names mean others"
            )
        })
    }
}
