//! Reads what drizzle-kit connects with, and reads it as the driver does that drizzle-kit has found. Pure: text in, [`Dsn`] out.
//!
//! This file reads as node-pg does, which drizzle-kit prefers; `driver` has the others. The reference is the code that
//! drizzle-kit runs: pg-connection-string 2.14.1 `index.js` (a URL to its parts), pg 8.16.3 `connection-parameters.js`
//! (defaults from the environment) and `connection.js` (TLS), drizzle-kit 0.31.11 `preparePostgresDB` (credentials in
//! parts). Where libpq differs, libpq is wrong here: a check of another database, or with weaker TLS, than the one
//! drizzle-kit will use proves nothing.

use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};

use percent_encoding::utf8_percent_encode;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

pub use driver::Driver;
pub use handover::DATABASE_URL;

use crate::host;
use crate::percent::{COMPONENT, WHOLE_URL};

mod driver;
mod handover;

/// Looks a variable of the environment up, as the kit's own process would see it.
pub type Env<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Everything needed to connect as drizzle-kit will.
///
/// Neither `Debug` nor `Display` shows the password or a private key.
#[derive(Clone)]
pub struct Dsn {
    address: Address,
    /// The host as it was given. A dot at its end decides where a resolver looks.
    dialled: String,
    /// The URL that this was read from.
    given: Option<SecretString>,
    password: Option<Password>,
    password_file: Option<PathBuf>,
    tls: Tls,
    binds_channel: bool,
    options: Option<String>,
    application_name: Option<String>,
}

/// Where a connection goes and as whom: the part of a [`Dsn`] that may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: Host,
    pub port: u16,
    pub database: String,
    pub user: String,
}

/// What a driver connects to, in the one spelling of [`host::spell`].
///
/// There is one host. node-pg knows no lists: `h1,h2` is one name to it, which no resolver knows, and
/// `h1:1,h2:2` is an invalid URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// A name or an IP address; an IPv6 address has no brackets.
    Tcp(String),
    /// The directory of a unix socket. The file in it is `.s.PGSQL.<port>` (pg `client.js`).
    Socket(PathBuf),
}

impl Host {
    /// Reads a host; what begins with a slash is the directory of a socket.
    fn of(given: &str) -> Host {
        let spelled = host::spell(given);
        if host::is_socket(&spelled) { Host::Socket(spelled.into()) } else { Host::Tcp(spelled) }
    }
}

impl fmt::Display for Host {
    /// Writes the host as guards, profiles and reports name it.
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Host::Tcp(name) => f.write_str(name),
            Host::Socket(dir) => write!(f, "{}", dir.display()),
        }
    }
}

/// Whether and how the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// In the clear. node-pg's default for a URL, even where the server offers TLS.
    Off,
    /// With TLS or not at all.
    ///
    /// node-pg never falls back: `sslmode=prefer` fails where the server has no TLS (connection.js, "The server does
    /// not support SSL connections").
    Required(Trust),
    /// With TLS, or without it where the server has none: postgres.js' `ssl=prefer`.
    Preferred(Trust),
}

/// What the server's certificate has to prove.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    pub check: Check,
    /// The roots to trust instead of the usual ones; PEM.
    pub roots: Vec<Pem>,
    /// Roots trusted beside the usual ones: `NODE_EXTRA_CA_CERTS`, which node reads at start.
    pub extra_roots: Option<PathBuf>,
    /// Our own certificate and its key; PEM.
    pub identity: Option<(Pem, Pem)>,
    /// The name that the certificate must carry, where it is not the host (`ssl.servername`).
    pub server_name: Option<String>,
}

/// How much of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Check {
    /// The chain and the name.
    #[default]
    Full,
    /// The chain alone.
    Authority,
    /// Nothing: any certificate will do.
    Nothing,
}

/// A PEM document, given as a file or as its text.
#[derive(Clone, PartialEq, Eq)]
pub enum Pem {
    File(PathBuf),
    Text(String),
}

/// Why something is no usable description of a database. No message repeats what was given: a password may be in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DsnError {
    #[error("the database URL is not a URL")]
    NotAUrl,
    #[error("the database URL is not valid: {0}")]
    Invalid(url::ParseError),
    #[error("the database URL contains a % escape that is not UTF-8")]
    Encoding,
    #[error("the database port {0:?} is not a port number")]
    Port(String),
    #[error("ssl={0:?} makes the pg driver fail when it connects")]
    Ssl(String),
    #[error("sslmode=verify-ca with uselibpqcompat=true needs sslrootcert")]
    NoRootCertificate,
    #[error("sslcert and sslkey belong together, and only one is given")]
    HalfAnIdentity,
    /// A demand on the connection's safety that neither drizzle-kit's driver nor this program can meet.
    #[error("the database URL demands {0}, which drizzle-kit's driver does not do")]
    Unmet(String),
    /// The driver takes the address from another place than the one where it stands.
    #[error(
        "the parameter `{parameter}` of the database URL takes drizzle-kit's driver `{driver}` elsewhere than its host and path say"
    )]
    Elsewhere { parameter: String, driver: Driver },
    /// The driver's sessions are not those that statements are judged by.
    #[error(
        "the parameter `{parameter}` of the database URL is a setting of the session to drizzle-kit's driver `{driver}`, and nothing is judged by it"
    )]
    Session { parameter: String, driver: Driver },
    /// The driver does something else with it than is meant.
    #[error("drizzle-kit's driver `{driver}` {what}")]
    Unreadable { what: &'static str, driver: Driver },
    /// A program that is started cannot be told which database is meant.
    #[error("no URL says which database this is")]
    Nameless,
    #[error("no database user is given")]
    NoUser,
    #[error("the dbCredentials hold neither a url nor a host and a database")]
    NoCredentials,
}

impl DsnError {
    /// Returns what to change, in one sentence.
    pub fn hint(&self) -> &'static str {
        match self {
            DsnError::NotAUrl => {
                "write it as postgres://user:password@host:5432/database; key=value strings are not understood by drizzle-kit"
            }
            DsnError::Invalid(_) | DsnError::Encoding => {
                "percent-encode the special characters of user and password (@ %40, / %2F, # %23, ? %3F, : %3A, % %25)"
            }
            DsnError::Port(_) => "write a port between 1 and 65535",
            DsnError::Ssl(_) => "write sslmode=disable, sslmode=verify-full or sslmode=no-verify in its place",
            DsnError::NoRootCertificate => "add sslrootcert=<file>, or use sslmode=verify-full",
            DsnError::HalfAnIdentity => "give both files, sslcert=<file>&sslkey=<file>, or none",
            DsnError::Unmet(_) => {
                "take it out: drizzle-kit connects without it, so that it protects nothing; sslmode=verify-full proves the server"
            }
            DsnError::Elsewhere { .. } => {
                "take it out, and write the address before the `?`: postgres://user:password@host:5432/database"
            }
            DsnError::Session { .. } => {
                "take it out; what is meant for every session is set in the server: ALTER ROLE … SET, or ALTER DATABASE … SET"
            }
            DsnError::Unreadable { .. } => {
                "name one host, without escapes, and a database; or install the driver `pg`, which drizzle-kit prefers"
            }
            DsnError::Nameless => "rename the database: its name has a sign that URLs cannot say",
            DsnError::NoUser => "put the user into dbCredentials, or set PGUSER; USER is often unset in containers",
            DsnError::NoCredentials => "set dbCredentials.url in drizzle's config",
        }
    }
}

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
            Driver::PostgresJs => driver::postgres_js_from_url(url, env),
            Driver::Vercel | Driver::Neon => driver::is_plain(url, driver).and_then(|()| Dsn::from_url(url, env)),
        };
        Some(match (text("host"), text("database"), text("url"), text("connectionString")) {
            (_, _, _, Some(url)) => of_url(url),
            (Some(_), Some(_), _, _) if driver == Driver::PostgresJs => {
                driver::postgres_js_from_parts(credentials, env)
            }
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
            let url = format!("{url}{joint}options={}", utf8_percent_encode(options, COMPONENT));
            let mut changed = credentials.clone();
            *changed.get_mut(key)? = Value::from(url.as_str());
            let env = |name: &str| (name == "PGUSER").then(|| "me".to_owned());
            let read = Dsn::as_read_by(driver, dialect, &changed, &env);
            let is_read_so = read?.is_ok_and(|dsn| dsn.options() == Some(options));
            is_read_so.then_some((key, url))
        })
    }

    /// Reads a database URL.
    ///
    /// The URL is parsed by the WHATWG rules, as node's `URL` does. Parameters that node-pg does not know (`schema`,
    /// `pgbouncer`, `connection_limit`, `target_session_attrs`) are ignored as it ignores them, but none that demands a
    /// safer connection: `channel_binding=require` holds for our own connections, and the others are refused.
    /// Text that node-pg would resolve against its inner base URL (`host=h dbname=d` becomes a database of that name
    /// on a host called `base`) is refused.
    pub fn from_url(text: &str, env: Env) -> Result<Dsn, DsnError> {
        Ok(Dsn { given: Some(text.into()), ..Given::from_url(text)?.settle(env)? })
    }

    /// Reads what the `PG*` variables alone say.
    pub fn from_env(env: Env) -> Result<Dsn, DsnError> {
        Given::nothing().settle(env)
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
        Given::from_parts(credentials, ssl).settle(env)
    }

    /// Reads credentials in parts as drizzle-kit handed them to node-pg before 0.22: as they are.
    ///
    /// Without `ssl`, `PGSSLMODE` decides, and in the end there is no TLS.
    pub fn from_raw_parts(credentials: &Value, env: Env) -> Result<Dsn, DsnError> {
        let ssl = credentials.get("ssl").map_or(Ok(Ssl::Unset), Ssl::from_value)?;
        Given::from_parts(credentials, ssl).settle(env)
    }

    /// Returns the way to another database of the same server, as the same user.
    #[must_use]
    pub fn of_database(&self, database: &str) -> Dsn {
        let address = Address { database: database.to_owned(), ..self.address.clone() };
        Dsn { address, given: None, ..self.clone() }
    }

    /// Resolves relative certificate files against the directory that the kit runs in.
    pub fn in_dir(mut self, dir: &Path) -> Dsn {
        if let Tls::Required(trust) | Tls::Preferred(trust) = &mut self.tls {
            let identity = trust.identity.iter_mut().flat_map(|(certificate, key)| [certificate, key]);
            for pem in trust.roots.iter_mut().chain(identity) {
                if let Pem::File(file) = pem {
                    *file = dir.join(&*file);
                }
            }
            trust.extra_roots = trust.extra_roots.take().map(|file| dir.join(file));
        }
        self
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the host for a resolver: as it was given, or in ASCII, as node hands it on.
    pub fn dialled(&self) -> &str {
        match &self.address.host {
            Host::Tcp(name) if !self.dialled.is_ascii() => name,
            _ => &self.dialled,
        }
    }

    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref().map(|password| &password.plain)
    }

    /// Returns the `.pgpass` file that node-pg looks into when there is no password (pgpass 1.0.5).
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Tells whether the login must be bound to the TLS connection (`channel_binding=require`, as Neon writes it).
    ///
    /// node-pg ignores it in a URL.
    pub fn binds_channel(&self) -> bool {
        self.binds_channel
    }

    /// Returns the start-up options that the kit's connection will have: those of the URL, else `PGOPTIONS`.
    ///
    /// A URL with options of its own makes node-pg ignore `PGOPTIONS` altogether.
    pub fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// Returns the name that the kit's connection will have: that of the URL, else `PGAPPNAME`.
    pub fn application_name(&self) -> Option<&str> {
        self.application_name.as_deref()
    }

    /// Returns what must not turn up in an output: the password, and as it stood in the URL.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.password.iter().flat_map(|password| [Some(&password.plain), password.written.as_ref()]).flatten()
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Dsn").field("address", &self.address).field("tls", &self.tls).finish_non_exhaustive()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{} as {}", self.server(), self.database, self.user)
    }
}

impl Address {
    /// Returns `host:port`, with the directory for the host of a unix socket.
    pub fn server(&self) -> String {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{}", self.port),
            Host::Tcp(name) => format!("{name}:{}", self.port),
            Host::Socket(dir) => format!("{}:{}", dir.display(), self.port),
        }
    }
}

impl Trust {
    fn nothing() -> Trust {
        Trust { check: Check::Nothing, ..Trust::default() }
    }
}

impl fmt::Debug for Pem {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Pem::File(file) => write!(f, "{}", file.display()),
            Pem::Text(_) => f.write_str("[PEM]"),
        }
    }
}

/// Finds the password for an address in the text of a `.pgpass` file.
///
/// A line is `host:port:database:user:password`, the first four may be `*`, and a backslash takes `:` and `\` their
/// meaning (pgpass 1.0.5, `lib/helper.js`). The first line that fits wins. It compares hosts to the letter.
pub fn find_in_pgpass(text: &str, dsn: &Dsn) -> Option<SecretString> {
    let Dsn { dialled: host, address, .. } = dsn;
    let wanted = [host, &address.port.to_string(), &address.database, &address.user];
    text.lines().filter(|line| !line.trim_start().starts_with('#')).find_map(|line| {
        let fields = pgpass_fields(line);
        let [places @ .., password] = &fields[..] else { return None };
        let fits = places.len() == wanted.len()
            && places.iter().zip(wanted).all(|(field, wanted)| field == "*" || field == wanted);
        (fits && !password.is_empty()).then(|| password.clone().into())
    })
}

/// Returns the passwords in the text of a `.pgpass` file, each with its user.
pub fn passwords_in_pgpass(text: &str) -> impl Iterator<Item = (String, SecretString)> {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).filter_map(|line| match &pgpass_fields(line)[..] {
        [_, _, _, user, password] => Some((user.clone(), password.clone().into())),
        _ => None,
    })
}

fn pgpass_fields(line: &str) -> Vec<String> {
    let (mut fields, mut field) = (Vec::new(), String::new());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => field.extend(chars.next()),
            ':' if fields.len() < 4 => fields.push(mem::take(&mut field)),
            char => field.push(char),
        }
    }
    fields.push(field);
    fields
}

#[derive(Clone)]
struct Password {
    plain: SecretString,
    written: Option<SecretString>,
}

/// What a URL or an object says about TLS, before the environment is asked.
enum Ssl {
    Unset,
    Off,
    On(Trust),
}

impl Ssl {
    /// Reads what node-pg takes as its `ssl` option.
    ///
    /// Any string but `true` and `no-verify` (`false`, `1` and `require` too) asks the server for TLS and then throws
    /// "Cannot use 'in' operator to search for 'key'" outside every promise (connection.js; seen with pg 8.16.3).
    fn from_value(value: &Value) -> Result<Ssl, DsnError> {
        let text = |pem: &Value| pem.as_str().map(|text| Pem::Text(text.to_owned()));
        Ok(match value {
            Value::Null | Value::Bool(false) => Ssl::Off,
            Value::String(text) => match &**text {
                "" => Ssl::Off,
                "true" => Ssl::On(Trust::default()),
                "no-verify" => Ssl::On(Trust::nothing()),
                _ => return Err(DsnError::Ssl(text.clone())),
            },
            Value::Object(options) => {
                let rejects = options.get("rejectUnauthorized").is_none_or(|value| value != &Value::Bool(false));
                Ssl::On(Trust {
                    check: if rejects { Check::Full } else { Check::Nothing },
                    roots: match options.get("ca") {
                        Some(Value::Array(roots)) => roots.iter().filter_map(text).collect(),
                        root => root.and_then(text).into_iter().collect(),
                    },
                    extra_roots: None,
                    identity: options.get("cert").and_then(text).zip(options.get("key").and_then(text)),
                    server_name: options.get("servername").and_then(Value::as_str).map(str::to_owned),
                })
            }
            _ => Ssl::On(Trust::default()),
        })
    }
}

/// The parts that were given, before the environment fills the gaps, with `ssl` as a driver has it.
struct Given<S> {
    host: Option<String>,
    port: Option<String>,
    database: Option<String>,
    user: Option<String>,
    password: Option<String>,
    written: Option<String>,
    ssl: S,
    binds_channel: bool,
    options: Option<String>,
    application_name: Option<String>,
}

impl<S> Given<S> {
    fn from_parts(credentials: &Value, ssl: S) -> Given<S> {
        let text = |key| match credentials.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Given {
            host: text("host"),
            port: text("port"),
            database: text("database"),
            user: text("user"),
            password: text("password"),
            written: None,
            ssl,
            binds_channel: false,
            options: None,
            application_name: None,
        }
    }
}

impl Given<Ssl> {
    /// Mirrors `parse` of pg-connection-string 2.14.1, line by line.
    fn from_url(text: &str) -> Result<Given<Ssl>, DsnError> {
        // "/run/postgresql mydb" is a unix socket and a database.
        if text.starts_with('/') {
            let mut words = text.split(' ').map(str::to_owned);
            let (host, database) = (words.next(), words.next());
            return Ok(Given { host, database, ..Given::nothing() });
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
            ..Given::nothing()
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
    fn settle(self, env: Env) -> Result<Dsn, DsnError> {
        let env_text = |name: &str| env(name).and_then(some);
        let or_env = |given: Option<String>, name: &str| given.and_then(some).or_else(|| env_text(name));

        let login = if cfg!(windows) { "USERNAME" } else { "USER" };
        let user = or_env(self.user, "PGUSER").or_else(|| env_text(login)).ok_or(DsnError::NoUser)?;
        let port = or_env(self.port, "PGPORT").map_or(Ok(5432), |text| parse_port(&text))?;
        let host = or_env(self.host, "PGHOST").unwrap_or_else(|| "localhost".to_owned());
        let password = or_env(self.password, "PGPASSWORD");
        Ok(Dsn {
            address: Address {
                host: Host::of(&host),
                port,
                database: or_env(self.database, "PGDATABASE").unwrap_or_else(|| user.clone()),
                user,
            },
            dialled: host,
            given: None,
            password: password
                .map(|plain| Password { plain: plain.into(), written: self.written.map(SecretString::from) }),
            password_file: password_file(env),
            tls: self.ssl.settle(env),
            binds_channel: self.binds_channel,
            options: or_env(self.options, "PGOPTIONS"),
            application_name: or_env(self.application_name, "PGAPPNAME"),
        })
    }
}

impl Ssl {
    fn settle(self, env: Env) -> Tls {
        self.settle_by(env, env("PGSSLMODE").as_deref())
    }

    /// Returns what comes of it with node's own variables, and this mode where nothing was said.
    fn settle_by(self, env: Env, mode: Option<&str>) -> Tls {
        let trust = match self {
            Ssl::Off => None,
            Ssl::On(trust) => Some(trust),
            Ssl::Unset => match mode {
                Some("prefer" | "require" | "verify-ca" | "verify-full") => Some(Trust::default()),
                Some("no-verify") => Some(Trust::nothing()),
                _ => None,
            },
        };
        let Some(mut trust) = trust else { return Tls::Off };
        // node's tls.connect: this variable is the default of rejectUnauthorized.
        if env("NODE_TLS_REJECT_UNAUTHORIZED").as_deref() == Some("0") {
            trust.check = Check::Nothing;
        }
        // node's tls.createSecureContext: an explicit `ca` replaces the usual roots and the extra ones.
        if trust.roots.is_empty() {
            trust.extra_roots = env("NODE_EXTRA_CA_CERTS").and_then(some).map(PathBuf::from);
        }
        Tls::Required(trust)
    }
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

/// Finds a parameter of libpq that demands a safer connection than node-pg makes (PostgreSQL 18, "Parameter Key Words").
///
/// TLS below 1.2 is never spoken, by node's default nor by rustls.
fn unmet(parameter: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_met = |name: &str, value: &str| match name {
        "gssencmode" => value != "require",
        "ssl_min_protocol_version" => matches!(value, "TLSv1" | "TLSv1.1" | "TLSv1.2"),
        _ => false,
    };
    ["require_auth", "requirepeer", "gssencmode", "ssl_min_protocol_version", "sslcrl", "sslcrldir"].iter().find_map(
        |name| {
            let value = parameter(name)?;
            (!is_met(name, &value)).then(|| format!("{name}={value}"))
        },
    )
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

/// Reads a port as JavaScript's `parseInt` does: the digits at the start count.
fn parse_port(text: &str) -> Result<u16, DsnError> {
    let text = text.trim_start();
    let digits = text.strip_prefix('+').unwrap_or(text);
    let n_digits = digits.bytes().take_while(u8::is_ascii_digit).count();
    match digits[..n_digits].parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err(DsnError::Port(text.to_owned())),
    }
}

fn some(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

/// What `decodeURI` leaves encoded, so that a `%2F` in a database name stays.
const RESERVED: &str = ";/?:@&=+$,#";

/// Says whether pg-connection-string takes the text for one that nobody has encoded: ``/ |%[^a-f0-9]|%[a-f0-9][^a-f0-9]/i``.
fn needs_encoding(text: &str) -> bool {
    text.bytes().enumerate().any(|(idx, byte)| {
        let is_other = |offset| text.as_bytes().get(idx + offset).is_some_and(|byte: &u8| !byte.is_ascii_hexdigit());
        byte == b' ' || byte == b'%' && (is_other(1) || is_other(2))
    })
}

/// Mirrors `encodeURI(str).replace(/%25(\d\d)/g, '%$1')`.
///
/// Only escapes of two decimal digits survive: beside a blank, `%2F` in a password means itself.
fn encode_again(text: &str) -> String {
    let encoded = utf8_percent_encode(text, WHOLE_URL).to_string();
    let mut parts = encoded.split("%25");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_escape = part.len() >= 2 && part.bytes().take(2).all(|byte| byte.is_ascii_digit());
        out.push_str(if is_escape { "%" } else { "%25" });
        out.push_str(part);
    }
    out
}

/// Tells whether there is an escape in a path that `decodeURI` leaves alone.
fn is_reserved_escape(path: &str) -> bool {
    decode(path, RESERVED).is_ok_and(|decoded| decode(path, "").is_ok_and(|all| all != decoded))
}

/// Mirrors `decodeURIComponent`, and `decodeURI` where some characters are to stay encoded. Both refuse what is no escape,
/// which `percent_encoding` takes for itself.
fn decode(text: &str, kept: &str) -> Result<String, DsnError> {
    let mut parts = text.split('%');
    let mut out = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).ok_or(DsnError::Encoding)?;
        if byte.is_ascii() && kept.contains(char::from(byte)) {
            out.push(b'%');
            out.extend_from_slice(part.as_bytes());
        } else {
            out.push(byte);
            out.extend_from_slice(&part.as_bytes()[2..]);
        }
    }
    String::from_utf8(out).map_err(|_| DsnError::Encoding)
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::*;

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

    fn environment(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let value = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            value.or((name == "USER").then_some("me")).map(str::to_owned)
        }
    }

    pub(in crate::db) fn show(dsn: &Dsn) -> String {
        let Address { port, database, user, .. } = dsn.address();
        let host = &dsn.dialled;
        let password = dsn.password().map_or("", |password| password.expose_secret());
        let (options, name) = (dsn.options().unwrap_or_default(), dsn.application_name().unwrap_or_default());
        format!("{host}|{port}|{database}|{user}|{password}|{}|{options}|{name}", show_tls(dsn.tls()))
    }

    fn show_tls(tls: &Tls) -> String {
        let (trust, mode) = match tls {
            Tls::Off => return "off".to_owned(),
            Tls::Required(trust) => (trust, ""),
            Tls::Preferred(trust) => (trust, "+or-off"),
        };
        let check = match trust.check {
            Check::Full => "full",
            Check::Authority => "ca",
            Check::Nothing => "any",
        };
        let root = if trust.roots.is_empty() { "" } else { "+root" };
        let identity = if trust.identity.is_some() { "+cert+key" } else { "" };
        format!("{check}{root}{identity}{mode}")
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
    fn nothing_shows_the_password() {
        let dsn = read("postgres://app:s3cr%20et%2F%3f@db:5433/shop?sslcert=/c&sslkey=/k", &[]).expect("a good URL");
        assert_eq!(dsn.to_string(), "db:5433/shop as app");
        for shown in [format!("{dsn:?}"), format!("{dsn:#?}"), dsn.to_string(), format!("{:?}", dsn.address())] {
            assert!(!shown.contains("s3cr"), "{shown}");
        }
        let parts = json!({"host": "h", "database": "d", "ssl": {"ca": "CA", "cert": "C", "key": "KEY"}});
        let dsn = Dsn::from_parts(&parts, &environment(&[])).expect("good parts");
        assert!(!format!("{dsn:?}").contains("KEY"));
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
    fn the_secrets_are_the_password_and_what_stood_in_the_url() {
        let secrets = |url| {
            let dsn = read(url, &[]).expect("a good URL");
            dsn.secrets().map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(secrets("postgres://u:a%20b%2f%22%2b@h/d"), ["a b/\"+", "a%20b%2f%22%2b"]);
        assert_eq!(secrets("postgres://u@h/d"), [""; 0]);
    }

    #[test]
    fn addresses_are_shown_with_brackets_and_sockets_with_their_directory() {
        let shown = |url| read(url, &[]).expect("a good URL").to_string();
        assert_eq!(shown("postgres://u@[::1]:5433/d"), "[::1]:5433/d as u");
        assert_eq!(shown("socket:/run/pg?db=d&user=u"), "/run/pg:5432/d as u");
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
    fn certificate_files_are_relative_to_the_directory_of_the_run() {
        let url = "postgres://h/d?sslrootcert=certs/ca.pem&sslcert=/abs/c.pem&sslkey=k.pem";
        let dsn = read(url, &[]).expect("a good URL").in_dir(Path::new("/app"));
        let Tls::Required(trust) = dsn.tls() else { panic!("TLS is off") };
        assert_eq!(trust.roots, [Pem::File("/app/certs/ca.pem".into())]);
        assert_eq!(trust.identity, Some((Pem::File("/abs/c.pem".into()), Pem::File("/app/k.pem".into()))));
    }

    #[test]
    fn a_password_file_is_read_as_pgpass_reads_it() {
        let dsn = |url| read(url, &[]).expect("a good URL");
        let find = |text, url| find_in_pgpass(text, &dsn(url)).map(|password| password.expose_secret().to_owned());
        let text = "# a comment\nother:5432:d:u:no\nh:*:d:u:a\\:b\\\\c:d\n*:*:*:*:last\n";
        assert_eq!(find(text, "postgres://u@h:77/d").as_deref(), Some("a:b\\c:d"));
        assert_eq!(find(text, "postgres://u@h:77/e").as_deref(), Some("last"));
        assert_eq!(find("h:5432:d:u", "postgres://u@h/d"), None);
        assert_eq!(find("/run/pg:5432:d:u:p", "socket:/run/pg?db=d&user=u").as_deref(), Some("p"));
    }

    #[test]
    fn a_password_file_is_left_alone_where_a_password_variable_is_set() {
        let file = |variables: &[(&str, &str)]| read("postgres://u@h/d", variables).expect("a good URL").password_file;
        assert_eq!(file(&[("HOME", "/home/me")]), Some("/home/me/.pgpass".into()));
        assert_eq!(file(&[("HOME", "/home/me"), ("PGPASSFILE", "/p")]), Some("/p".into()));
        assert_eq!(file(&[("HOME", "/home/me"), ("PGPASSWORD", "")]), None);
    }
}
