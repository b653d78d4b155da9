//! What is a secret: by the name that it has, and by the place where it stands in a URL, a list of settings or a JSON
//! document. Pure.

use std::ops::Range;
use std::sync::LazyLock;

use percent_encoding::percent_decode_str;
use regex::Regex;
use serde_json::Value;
use url::Url;

/// A value that must not be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) value: String,
    /// The user that it is the password of.
    pub(super) user: Option<String>,
    /// Names that are shown beside it: the user, the host, the database.
    pub(super) public: Vec<String>,
}

impl Found {
    fn alone(value: &str) -> Found {
        Found { value: value.to_owned(), user: None, public: Vec::new() }
    }
}

/// What a name says of its value, the surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// A password: whatever it is.
    Password,
    /// A token or a key, which is long or random.
    Token,
    /// Perhaps one: a session, a cookie, a DSN. An ordinary word is none.
    Maybe,
}

/// Words behind which a name says something *about* a secret, as in `TOKEN_TTL`.
const ABOUT: [&str; 61] = [
    "FILE",
    "PATH",
    "DIR",
    "NAME",
    "USER",
    "USERNAME",
    "LOGIN",
    "EMAIL",
    "TYPE",
    "METHOD",
    "MODE",
    "TTL",
    "TIMEOUT",
    "EXPIRY",
    "EXPIRES",
    "EXPIRATION",
    "AGE",
    "LENGTH",
    "LEN",
    "SIZE",
    "COUNT",
    "LIMIT",
    "DOMAIN",
    "PREFIX",
    "ENABLED",
    "DISABLED",
    "REQUIRED",
    "ALG",
    "ALGORITHM",
    "ISSUER",
    "AUDIENCE",
    "SOCK",
    "SOCKET",
    "HOST",
    "PORT",
    "ADDRESS",
    "ADDR",
    "VERSION",
    "REGION",
    "SCHEMA",
    "TABLE",
    "DATABASE",
    "CLASS",
    "MANAGER",
    "PROVIDER",
    "PROVIDERS",
    "STORE",
    "STRATEGY",
    "BACKEND",
    "DRIVER",
    "URL",
    "URI",
    "ENDPOINT",
    "POLICY",
    "ROTATION",
    "FORMAT",
    "ENCODING",
    "ENCRYPTION",
    "MIN",
    "MAX",
    "DESKTOP",
];

/// Returns the words of a name in capitals: `authToken` and `AUTH_TOKEN` have the same two.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_small = false;
    for character in name.chars() {
        let is_next = !character.is_alphanumeric() || (character.is_uppercase() && was_small);
        if is_next {
            words.push(String::new());
        }
        was_small = character.is_lowercase() || character.is_numeric();
        if character.is_alphanumeric() {
            words.last_mut().expect("it begins with one").extend(character.to_uppercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn kind_of_word(word: &str) -> Option<Kind> {
    let has = |parts: &[&str]| parts.iter().any(|part| word.contains(part));
    let ends = |end: &str, but: &[&str]| word.ends_with(end) && !but.iter().any(|other| word.ends_with(other));
    let is_password = has(&["PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "PASSWORT"])
        || ends("PASS", &["BYPASS", "COMPASS", "TRESPASS", "SURPASS", "UNDERPASS", "OVERPASS"])
        || ends("PWD", &[])
        || word == "PW";
    let is_token = has(&["SECRET", "TOKEN", "CREDENTIAL", "APIKEY", "PRIVATEKEY", "BEARER"]);
    let is_maybe = ends("KEY", &["MONKEY", "TURKEY", "HOTKEY", "DONKEY", "JOCKEY", "HOCKEY", "WHISKEY"])
        || has(&["COOKIE", "AUTHORIZATION"])
        || (word.contains("AUTH") && !has(&["AUTHOR"]))
        || ["KEYS", "PAT", "DSN", "SESSION", "SESSIONS", "CRED", "CREDS", "JWT", "PEM", "PFX", "SALT", "SIGNATURE"]
            .contains(&word)
        || ["OTP", "TOTP", "MNEMONIC", "WEBHOOK"].contains(&word);
    match () {
        () if is_password => Some(Kind::Password),
        () if is_token => Some(Kind::Token),
        () if is_maybe => Some(Kind::Maybe),
        () => None,
    }
}

/// Returns what a name says of its value, if it says that it is a secret.
fn kind_of(name: &str) -> Option<Kind> {
    // The folder that a shell is in, and was in.
    if matches!(name, "PWD" | "OLDPWD") {
        return None;
    }
    let words = words(name);
    // A demand, as `require_auth` of libpq.
    if words.first().is_some_and(|word| word == "REQUIRE") {
        return None;
    }
    let last = words.iter().rposition(|word| kind_of_word(word).is_some())?;
    if words[last + 1..].iter().any(|word| ABOUT.contains(&word.as_str())) {
        return None;
    }
    // `KEY` alone may be that of anything.
    let is_sure = |pair: &[String]| pair[1] == "KEY" && ["API", "PRIVATE", "ACCESS"].contains(&pair[0].as_str());
    let of_pairs = words.windows(2).any(is_sure).then_some(Kind::Token);
    words.iter().filter_map(|word| kind_of_word(word)).chain(of_pairs).min()
}

/// Tells whether a name is that of a file with a secret in it, as `PGPASSWORD_FILE`.
pub(super) fn names_file(name: &str) -> bool {
    match words(name).as_slice() {
        [before @ .., last] if last == "FILE" => before.iter().any(|word| kind_of_word(word).is_some()),
        _ => false,
    }
}

/// Tells whether a value is what people write as names of things: one word of letters, or several with underscores.
fn is_ordinary(value: &str) -> bool {
    let is_word = |part: &str| !part.is_empty() && part.chars().all(char::is_alphabetic);
    let is_number = value.chars().all(|character| character.is_ascii_digit() || ".:".contains(character));
    let is_path = value.starts_with(['/', '.', '~']) && value.contains('/') && !value.contains(['+', '=']);
    let is_switch = matches!(value, "true" | "false" | "yes" | "no" | "on" | "off" | "null" | "undefined");
    let is_name = value.len() < 16 && value.split('_').all(is_word);
    is_switch || is_name || (is_number && value.len() < 16) || is_path
}

fn is_secret(kind: Kind, value: &str) -> bool {
    match kind {
        Kind::Password => true,
        Kind::Token => value.len() >= 6,
        Kind::Maybe => value.len() >= 6 && !is_ordinary(value),
    }
}

/// Returns the secrets in the value of a name.
pub(super) fn of_setting(name: &str, value: &str) -> Vec<Found> {
    let mut found = of_text(value);
    let Some(kind) = kind_of(name) else { return found };
    let value = value.trim();
    let is_dsn = words(name).iter().any(|word| word == "DSN");
    if is_dsn && value.contains("://") {
        // Its parts are known; Sentry's has its key in the place of the user.
        found.extend(lone_user(value, 1));
        return found;
    }
    if is_dsn && !value.contains(['@', '=', ';']) {
        return found;
    }
    if is_secret(kind, value) {
        found.push(Found::alone(value));
        // `Bearer …`, `Basic …`
        if let Some((scheme, rest)) = value.split_once(' ')
            && ["bearer", "basic", "token", "apikey"].contains(&scheme.to_ascii_lowercase().as_str())
        {
            found.push(Found::alone(rest.trim()));
        }
        // `sid=…; csrf=…`, `user:…`
        let parts = value.split([';', '&', ',', ' ']).filter_map(|part| part.split_once(['=', ':']));
        let is_random = |part: &&str| part.len() >= 6 && !is_ordinary(part) && !part.starts_with('/');
        found.extend(parts.map(|(_, part)| part.trim()).filter(is_random).map(Found::alone));
    }
    found
}

/// A URL in a text, up to a blank, a quote or a bracket.
static URL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"[A-Za-z][A-Za-z0-9+.:-]*://[^\s"'`<>\\]+"#).expect("the pattern is right"));

/// A setting in a list, as in `host=h password=p`, `Server=h;Password=p` and `?authToken=t`.
static PAIR: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"([A-Za-z][A-Za-z0-9_.-]*)\s*=\s*(?:'([^']*)'|"([^"]*)"|([^\s;&#'"`<>\\]+))"#;
    Regex::new(pattern).expect("the pattern is right")
});

/// Returns the settings of a list that are secrets, by where they stand in the text.
fn pairs(text: &str) -> impl Iterator<Item = Range<usize>> {
    let places = PAIR.captures_iter(text).filter_map(|pair| {
        let value = pair.get(2).or(pair.get(3)).or(pair.get(4))?;
        kind_of(&pair[1]).filter(|kind| is_secret(*kind, value.as_str())).map(|_| value.range())
    });
    places.collect::<Vec<_>>().into_iter()
}

/// Returns the secrets that a text names as such: passwords in URLs, parameters, lists of settings and JSON documents.
pub(super) fn of_text(text: &str) -> Vec<Found> {
    // A URL may have blanks in it, and a text several URLs.
    let text = text.trim();
    let is_url = text.split_once("://").is_some_and(|(scheme, _)| !scheme.contains(char::is_whitespace));
    let mut found = if is_url { of_url(text) } else { Vec::new() };
    found.extend(URL.find_iter(text).filter(|url| url.len() < text.len()).flat_map(|url| of_url(url.as_str())));
    found.extend(pairs(text).map(|place| Found::alone(&text[place])));
    if text.starts_with(['{', '['])
        && let Ok(document) = serde_json::from_str::<Value>(text)
    {
        found.extend(of_document("", &document));
    }
    found.retain(|found| !found.value.is_empty());
    found
}

/// Returns the secrets in a document. `name` is the name that it has itself.
pub(super) fn of_document(name: &str, document: &Value) -> Vec<Found> {
    match document {
        Value::String(text) => of_setting(name, text),
        Value::Number(number) if kind_of(name) == Some(Kind::Password) => vec![Found::alone(&number.to_string())],
        Value::Array(values) => values.iter().flat_map(|value| of_document(name, value)).collect(),
        Value::Object(fields) => fields.iter().flat_map(|(name, value)| of_document(name, value)).collect(),
        _ => Vec::new(),
    }
}

/// Returns where the password stands in a URL, as it is written there. A parser knows no list of hosts, and no password with
/// a `/` or a `#` in it.
fn password_in(url: &str) -> Option<(&str, Range<usize>)> {
    let from = url.find("://")? + 3;
    let rest = &url[from..];
    let before_query = rest.split('?').next().unwrap_or_default();
    let login = before_query.rsplit_once('@').or_else(|| rest.rsplit_once('@')).map(|(login, _)| login)?;
    let (user, password) = login.split_once(':')?;
    let n_digits = password.bytes().take_while(u8::is_ascii_digit).count();
    // `http://localhost:3000/@scope`
    let is_port = n_digits > 0 && password[n_digits..].starts_with('/');
    let from = from + user.len() + 1;
    (!is_port).then(|| (user, from..from + password.len()))
}

/// Returns the secrets of a URL but for its parameters: its password, or a user that stands alone as a token does.
fn of_url(url: &str) -> Vec<Found> {
    let Some((user, place)) = password_in(url) else { return lone_user(url, 16).into_iter().collect() };
    let parsed = Url::parse(url).ok();
    let place_of = |url: &Url| vec![url.path().to_owned(), url.host_str().unwrap_or_default().to_owned()];
    let mut public = parsed.as_ref().map(place_of).unwrap_or_default();
    public.push(decoded(user));
    let found = |value: String| Found { value, user: Some(decoded(user)), public: public.clone() };
    // The parser escapes what it finds unescaped.
    let parsed = parsed.as_ref().and_then(Url::password);
    let values = [Some(&url[place.clone()]), parsed].into_iter().flatten();
    values.flat_map(|value| [found(value.to_owned()), found(decoded(value))]).collect()
}

/// Returns the user of a URL that has no password and is one itself, as in `https://TOKEN@host`.
fn lone_user(url: &str, shortest: usize) -> Option<Found> {
    let url = Url::parse(url).ok()?;
    let is_token = url.password().is_none() && url.username().len() >= shortest;
    is_token.then(|| Found::alone(&decoded(url.username())))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// Words that are in every report. A password that is one of them, or a part of one, is not blanked wherever the word
/// stands, which would ruin the report and tell what the password is; only where it stands as a password.
const PUBLIC: [&str; 45] = [
    "postgresql",
    "postgres",
    "mysql",
    "sqlite",
    "singlestore",
    "turso",
    "drizzle",
    "localhost",
    "database",
    "password",
    "public",
    "admin",
    "root",
    "user",
    "users",
    "test",
    "schema",
    "table",
    "column",
    "secret",
    "pass",
    "token",
    "default",
    "true",
    "false",
    "null",
    "none",
    "app",
    "api",
    "web",
    "dev",
    "development",
    "prod",
    "production",
    "staging",
    "local",
    "master",
    "changes",
    "policy",
    "allowed",
    "refused",
    "push",
    "plan",
    "migrate",
    "reset",
];

/// Tells whether a value is an ordinary word of a report, or a part of one of these names that stand beside it, or a number
/// that may be anything.
pub(super) fn is_public(value: &str, names: &[String]) -> bool {
    let is_part = |word: &str| word.contains(value);
    let is_number = value.len() < 6 && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number || PUBLIC.iter().any(|word| is_part(word)) || names.iter().any(|name| is_part(name))
}

/// Tells whether a text stands in the place of a password, as in an example.
fn is_placeholder(text: &str) -> bool {
    text.starts_with(['$', '{', '[', '…']) || text.chars().all(|character| "*.xX".contains(character))
}

/// Returns where secrets stand in a text that nobody has named: the passwords and the parameters of URLs.
pub(super) fn in_urls(text: &str) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    for url in URL.find_iter(text) {
        let password = password_in(url.as_str()).filter(|(user, place)| {
            let password = &url.as_str()[place.clone()];
            !is_placeholder(password) && password != *user && !is_public(password, &[])
        });
        let shift = |place: Range<usize>| url.start() + place.start..url.start() + place.end;
        places.extend(password.map(|(_, place)| shift(place)));
        let is_meant = |place: &Range<usize>| !is_placeholder(&url.as_str()[place.clone()]);
        places.extend(pairs(url.as_str()).filter(is_meant).map(shift));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, value: &str, expected: &[&str]) {
        let mut found: Vec<String> = of_setting(name, value).into_iter().map(|found| found.value).collect();
        found.sort();
        found.dedup();
        let mut expected: Vec<&str> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(found, expected, "{name}={value}");
    }

    #[test]
    fn names_tell_secrets() {
        for name in [
            "PGPASSWORD",
            "DB_PASS",
            "DBPASS",
            "MYSQL_PWD",
            "SA_PWD",
            "PASSPHRASE",
            "SMTP_PASSWD",
            "passphrase",
            "STRIPE_KEY",
            "KEY",
            "SSHKEY",
            "ENCRYPTION_KEY_V2",
            "GITHUB_PAT",
            "BASIC_AUTH",
            "NPM_AUTH",
            "_authToken",
            "AUTH",
            "AUTHORIZATION",
            "COOKIE",
            "SESSION_COOKIE",
            "SESSION",
            "MY_DSN",
            "SENTRY_DSN",
            "API_TOKEN",
            "SESSION_SECRET_OLD",
            "JWT",
            "GOOGLE_CREDENTIALS",
            "apiKey",
            "authToken",
            "privateKey",
            "SLACK_WEBHOOK",
        ] {
            check(name, "s3same-open=", &["s3same-open="]);
        }
    }

    #[test]
    fn what_is_said_about_a_secret_is_none() {
        for (name, value) in [
            ("PWD", "/home/app-1/shop"),
            ("OLDPWD", "/home/app-1"),
            ("XDG_SESSION_TYPE", "wayland-1"),
            ("XDG_SESSION_ID", "c2"),
            ("DESKTOP_SESSION", "ubuntu"),
            ("SSH_AUTH_SOCK", "/tmp/ssh-XXXX1/agent.12"),
            ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/run/user/1000/bus"),
            ("GIT_AUTHOR_NAME", "Jo-Ann 1"),
            ("XAUTHORITY", "/root/.Xauthority"),
            ("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256"),
            ("require_auth", "scram-sha-256"),
            ("TOKEN_TTL", "3600-000"),
            ("SESSION_TIMEOUT", "6000000"),
            ("NEXTAUTH_URL", "https://example.com/auth"),
            ("DB_PASSWORD_FILE", "/run/secrets/db-password"),
            ("KEYBOARD", "de-latin1"),
            ("MONKEY", "s3same-open"),
            ("SESSION", "orders"),
            ("AUTH", "users_archive"),
            ("PRIMARY_KEY", "customer_id"),
            ("KEY", "123456"),
            ("DSN", "file:dev.db"),
            ("DATABASE_URL", "postgres://localhost/shop"),
            ("AUTH_ENABLED", "true"),
        ] {
            check(name, value, &[]);
        }
    }

    #[test]
    fn urls_and_lists_of_settings_tell_secrets_whatever_their_name() {
        check("X", "postgres://u:p%40ss@h/d", &["p%40ss", "p@ss"]);
        check("X", "postgres://u:p^ss@h/d", &["p%5Ess", "p^ss"]);
        check("X", "postgres://u:p@ss@h/d", &["p%40ss", "p@ss"]);
        check("X", "postgres://u:p#s/s@h/d", &["p#s/s"]);
        check("X", "postgres://u:p ss@h/d", &["p ss", "p%20ss"]);
        check("X", "postgres://u:sesame@h1:5432,h2:5433/d?target_session_attrs=any", &["sesame"]);
        check("X", "postgres://u@h/d?password=open1&sslpassword=open2&sslkey=/certs/client.key", &["open1", "open2"]);
        check("X", "libsql://h?authToken=eyJ.s3same&encryptionKey=k-1234567", &["eyJ.s3same", "k-1234567"]);
        check("X", "jdbc:postgresql://h/d?user=u&password=sesame", &["sesame"]);
        check("X", "host=h user=u password='se same' dbname=d", &["se same"]);
        check("X", "Server=h;User Id=u;Password=sesame;", &["sesame"]);
        check("X", "replicas: postgres://u:one1@a/d, postgres://u:two2@b/d", &["one1", "two2"]);
        check(
            "X",
            r#"{"host":"h","password":"sesame","nested":[{"url":"redis://:open@h"}],"port":1}"#,
            &["sesame", "open"],
        );
        check("X", "http://localhost:3000/@scope/pkg", &[]);
        check("X", "https://ghp_0123456789abcdef@example.com/x.git", &["ghp_0123456789abcdef"]);
        check("SENTRY_DSN", "https://0123abcd@sentry.example.com/1", &["0123abcd"]);
        check("COOKIE", "sid=s3cr3t-1; theme=dark", &["sid=s3cr3t-1; theme=dark", "s3cr3t-1"]);
        check("PROXY_AUTHORIZATION", "Bearer abc.def-1", &["Bearer abc.def-1", "abc.def-1"]);
    }

    #[test]
    fn a_url_tells_its_secrets_in_any_text() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = in_urls(text).into_iter().map(|place| &text[place]).collect();
            assert_eq!(found, expected, "{text}");
        };
        check("at (postgres://u:s3same@h/d?a=b)", &["s3same"]);
        check("input: 'postgres://u:s3/same#@h:1,i:2/d'", &["s3/same#"]);
        check("libsql://h?authToken=eyJ.s3same, and x", &["eyJ.s3same,"]);
        for text in [
            "write it as postgres://user:password@host:5432/database",
            "postgres://postgres:postgres@localhost:5432/postgres and postgres://app:app@db:5432/app",
            "postgres://u:$PASSWORD@h/d and postgres://u:***@h/d and postgres://u:…@h/d",
            "http://localhost:3000/@scope?session=orders",
        ] {
            check(text, &[]);
        }
    }
}
