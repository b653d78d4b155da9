//! Says what to do about a database error. Pure: code, text and what is known of the statement in, advice out.
//!
//! A code may have several causes, and a hint for the wrong one leads astray: where it has, the advice hangs on the words of
//! the message as well, and without them none is given. The advice is a hint in the house style: an imperative, lowercase,
//! without a full stop. What is in angle brackets is filled in where the error or the statement names it.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What is known beside the error.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// The table, column and new type that the statement names, as they are written in SQL.
    pub table: Option<&'a str>,
    pub column: Option<&'a str>,
    pub new_type: Option<&'a str>,
    /// It was a migration, and there is a migrations table that may say what was applied.
    pub migrates: bool,
}

/// Returns what to do about an error, or `None` where no advice is better than the message itself.
///
/// `code` is a SQLSTATE, a code of node (`ECONNREFUSED`), of MySQL (`ER_…`) or of SQLite (`SQLITE_…`), and may be
/// empty: the text is then searched for one. `text` is the error as shown, with its detail and hint if they are there.
pub fn advice(code: &str, text: &str, about: &About) -> Option<String> {
    let advice = match code {
        "42804" => cast(text),
        "23505" => duplicates(text),
        "2BP01" => dependents(text),
        _ => None,
    };
    let advice = advice
        .or_else(|| by_words(code, text, about))
        .or_else(|| lookup(code).map(str::to_owned))
        .or_else(|| PHRASES.iter().find(|(phrase, _)| text.contains(phrase)).map(|(_, advice)| (*advice).to_owned()))
        .or_else(|| codes_in(text).find_map(lookup).map(str::to_owned));
    advice.map(|advice| filled(advice, text, about))
}

/// Puts in what is known for what is in angle brackets.
fn filled(advice: String, text: &str, about: &About) -> String {
    // postgres: `column "c" of relation "t" contains null values`, `relation "t" already exists`.
    static TABLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?:relation|table) "?([\w$]+)"?"#).expect("the pattern is right"));
    static COLUMN: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"column "([^"]+)""#).expect("the pattern is right"));
    static SCHEMA: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"schema "([^"]+)" does not exist"#).expect("the pattern is right"));
    let named = |pattern: &Regex| pattern.captures(text).map(|found| format!("\"{}\"", &found[1]));
    let known = [
        ("<table>", about.table.map(str::to_owned).or_else(|| named(&TABLE))),
        ("<column>", about.column.map(str::to_owned).or_else(|| named(&COLUMN))),
        ("<schema>", named(&SCHEMA)),
        ("<type>", about.new_type.map(str::to_owned)),
    ];
    known.into_iter().fold(advice, |advice, (place, known)| match known {
        Some(known) => advice.replace(place, &known),
        None => advice,
    })
}

/// `column "c" cannot be cast automatically to type t` (tablecmds.c).
fn cast(text: &str) -> Option<String> {
    let (before, after) = text.split_once(" cannot be cast automatically to type ")?;
    let column = before.rsplit_once("column ")?.1.trim_matches('"');
    let kind = after.lines().next()?.trim_end_matches('.');
    if before.contains("default for column") {
        return Some(format!(
            "drop the default first and set it again after the change: ALTER TABLE <table> ALTER COLUMN \"{column}\" DROP DEFAULT"
        ));
    }
    Some(format!(
        "convert it yourself, in a migration or before the push: ALTER TABLE <table> ALTER COLUMN \"{column}\" TYPE {kind} USING \"{column}\"::{kind}"
    ))
}

/// `Key (a, b)=(1, 2) is duplicated.` and `… already exists.` (detail of 23505, nbtsort.c and nbtinsert.c).
fn duplicates(text: &str) -> Option<String> {
    // Two sessions created a thing of one name at one time: the unique index is one of the system's own.
    if text.contains("\"pg_") {
        return Some(
            "another run changed the same database at the same moment: let it finish, then run this again".to_owned(),
        );
    }
    let (_, detail) = text.split_once("Key (")?;
    let (columns, _) = detail.split_once(")=(")?;
    if text.contains("already exists") {
        return Some(format!(
            "check the row that already has these values: the statement adds them a second time ({columns})"
        ));
    }
    Some(format!(
        "find the duplicates and remove them, then try again: SELECT {columns}, count(*) FROM <table> GROUP BY {columns} HAVING count(*) > 1"
    ))
}

/// `default value for column m of table t depends on type mood` (detail of 2BP01, dependency.c), one line for each.
fn dependents(text: &str) -> Option<String> {
    const MOST: usize = 3;
    static DEPENDS: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"(?m)^(?:DETAIL:\s*)?(.+) depends on .+$").expect("the pattern is right"));
    let by: Vec<String> = DEPENDS.captures_iter(text).map(|found: Captures<'_>| found[1].trim().to_owned()).collect();
    // What cannot be dropped is no dependent.
    let by: Vec<String> = by.into_iter().filter(|by| !by.starts_with("cannot drop")).collect();
    if by.is_empty() {
        return None;
    }
    let more = if by.len() > MOST { format!(" and {} more", by.len() - MOST) } else { String::new() };
    let shown = by[..by.len().min(MOST)].join(", ");
    Some(format!("drop or change what needs it first, and create it again afterwards: {shown}{more}"))
}

/// Finds the advice for a code that has several causes, by the words of the message.
fn by_words(code: &str, text: &str, about: &About) -> Option<String> {
    if let Some((_, migrating, otherwise)) = THERE_ALREADY.iter().find(|(known, ..)| *known == code) {
        let is_said = text.is_empty() || text.contains("already exists");
        return is_said.then(|| if about.migrates { *migrating } else { *otherwise }.to_owned());
    }
    let of_code = CAUSES.iter().filter(|(known, ..)| *known == code);
    let found = of_code.clone().find(|(_, phrase, _)| text.contains(phrase));
    found.map(|(.., advice)| (*advice).to_owned())
}

/// Looks a code up; SQLite's extended codes (`SQLITE_BUSY_SNAPSHOT`) fall back to the code that they extend.
fn lookup(code: &str) -> Option<&'static str> {
    let exact = |code: &str| ADVICE.iter().find(|(known, _)| *known == code).map(|(_, advice)| *advice);
    exact(code).or_else(|| code.starts_with("SQLITE_").then(|| exact(code.rsplit_once('_')?.0)).flatten())
}

/// Returns the words of a text that look like a code of node, MySQL or SQLite.
///
/// A SQLSTATE is not searched for: any five capitals and digits would do.
fn codes_in(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || char == '_';
    text.split(move |char| !is_part(char)).filter(|word| word.len() > 5)
}

/// Codes of what is there already: what to do where a migrations table may say that it was applied, and elsewhere.
#[rustfmt::skip]
const THERE_ALREADY: &[(&str, &str, &str)] = &[
    ("42710", "the type, role or constraint already exists: after a push, mark the migrations as applied before you migrate", "give one of the two another name, or compare the database with the schema files: it already exists"),
    ("42P06", "the schema already exists: use CREATE SCHEMA IF NOT EXISTS, or mark the migration as applied", "compare the database with the schema files: the schema already exists"),
    ("42P07", "the table or index already exists: after a push, mark the migrations as applied before you migrate", "give one of the two another name, or compare the database with the schema files: it already exists"),
    ("42701", "the column already exists: compare the database with the schema, it may have been added by hand or by an earlier run", "the column already exists: compare the database with the schema, it may have been added by hand or by an earlier run"),
    ("ER_TABLE_EXISTS_ERROR", "the table already exists: after a push, mark the migrations as applied before you migrate", "compare the database with the schema files: the table already exists"),
];

/// What to do, by code and words of the message, for codes that have several causes.
#[rustfmt::skip]
const CAUSES: &[(&str, &str, &str)] = &[
    // tablecmds.c, RememberAllDependentForRebuilding.
    ("0A000", "cannot alter type of a column used", "drop what the message and its detail name before the change, and create it again afterwards"),
    // plancache.c.
    ("0A000", "cached plan must not change result type", "restart the clients: they hold statements that were prepared before the change"),
    ("0A000", "cannot alter type of a column", "drop what the detail names before the change, and create it again afterwards"),
    // guc.c; reached through start-up options.
    ("22023", "invalid value for parameter", "correct the value of the setting that the message names"),
    ("22P02", "invalid input value for enum", "change the values that the new type lacks before changing the type: UPDATE <table> SET <column> = <new> WHERE <column> = <old>"),
    ("22P02", "invalid input syntax", "correct the value that the message quotes, in the statement or in the rows: it is not valid for that type"),
    ("23502", "contains null values", "fill the empty values first, or give the column a default: UPDATE <table> SET <column> = <value> WHERE <column> IS NULL"),
    ("23502", "null value in column", "give <column> a value in the statement, or a default in <table>"),
    ("23503", "is still referenced", "remove or change the rows that refer to these first: the message names their table"),
    ("23503", "is not present in table", "remove or repair the rows whose parent is missing, then try again"),
    ("23514", "is violated by some row", "correct the rows that violate the check that the message names, then add it again"),
    ("23514", "violates check constraint", "correct the row that the detail shows: it violates the check that the message names"),
    ("23P01", "exclusion constraint", "remove the rows that exclude each other, then try again: the detail shows two of them"),
    ("25001", "cannot run inside a transaction block", "run this statement outside drizzle-kit (psql): it is not allowed in a transaction, and migrations run in one"),
    ("28000", "no encryption", "connect with TLS, or allow this user, database and address without it in the server's pg_hba.conf"),
    ("28000", "pg_hba.conf", "allow this user, database and address in the server's pg_hba.conf"),
    ("28000", "is not permitted to log in", "ask an administrator to allow the role to log in: ALTER ROLE … LOGIN"),
    ("28000", "does not exist", "check the user: the role does not exist on this server"),
    // aclchk.c, user.c.
    ("2BP01", "cannot be dropped because some objects depend on it", "reassign what the role owns first (REASSIGN OWNED), and revoke its privileges (DROP OWNED)"),
    ("2BP01", "requires it", "drop the object that requires it, which the message names: this one is part of it"),
    ("2BP01", "because other objects depend on it", "drop or change what depends on it first: the detail lists it"),
    ("3F000", "\"undefined\" does not exist", "write the correct type, in a migration or with --apply transaction: drizzle-kit has lost its schema"),
    ("3F000", "does not exist", "create the schema first, or correct its name: CREATE SCHEMA <schema>"),
    ("3F000", "no schema has been selected", "correct the search_path of the login: none of its schemas exists"),
    ("42501", "must be owner of", "connect as the owner of the object; see who owns it with \\d in psql"),
    ("42501", "permission denied to", "connect as a role that may do this, or ask an administrator to do it"),
    ("42501", "permission denied for", "connect as the owner of the object, or ask the owner to grant the privilege; see who owns it with \\d in psql"),
    ("42601", "syntax error", "check the statement at the place that the message names; a hand-written default or sql`` expression is the usual cause"),
    ("42704", "unrecognized configuration parameter", "correct or remove the setting in PGOPTIONS or in the options of the URL"),
    ("42704", "operator class", "create the extension that provides the operator class first, or correct its name"),
    ("42704", "constraint", "compare the database with the schema files: the constraint that the message names does not exist"),
    ("42704", "index", "compare the database with the schema files: the index that the message names does not exist"),
    ("42704", "does not exist", "create the type, role or extension that the message names first, or correct its name"),
    ("42804", "foreign key constraint", "give both columns of the foreign key the same type: the detail names them"),
    ("42883", "operator does not exist", "cast to types that the operator supports; if the statement has no operator, it is in an index, a check or a default of the column"),
    ("42883", "function", "create the function first, with its extension if it has one, or cast its arguments to types that it accepts"),
    ("42P16", "is in a primary key", "mark every column of the primary key as .notNull() in the schema"),
    ("42P16", "multiple primary keys", "drop the old primary key before the new one is added: the table has one"),
    ("42P16", "inherited", "change it in the table that it is inherited from"),
    ("42P16", "of view", "drop the view and create it again: a view keeps the names and types of its columns"),
    ("53200", "shared memory", "do it in smaller steps, or raise max_locks_per_transaction on the server"),
    ("55000", "has not been populated", "refresh the materialised view first: REFRESH MATERIALIZED VIEW"),
    // tablecmds.c, CheckTableNotInUse; utility.c; dbcommands.c.
    ("55006", "pending trigger events", "put SET CONSTRAINTS ALL IMMEDIATE before the statement, or run it in a later migration that is applied separately: constraint checks on rows that this transaction changed are still pending"),
    ("55006", "being accessed by other users", "close the sessions that use the database: SELECT pid, application_name FROM pg_stat_activity WHERE datname = current_database()"),
    ("57014", "statement timeout", "raise statement_timeout for this run: the statement took longer"),
    ("57014", "user request", "find out who cancelled the statement, and run it again"),
];

/// Errors that come without a code, by their words.
#[rustfmt::skip]
const PHRASES: &[(&str, &str)] = &[
    // pg-protocol's sasl.js, where a password is missing altogether.
    ("client password must be a string", "set the password: in the URL, as dbCredentials.password, or as PGPASSWORD; an environment file may not have been loaded"),
    // pg's connection.js.
    ("does not support SSL connections", "switch TLS off with sslmode=disable in the URL or ssl: false in dbCredentials; without ssl there, drizzle-kit demands TLS"),
    ("Connection terminated unexpectedly", "check the server log: the server, or a pooler in between, closed the connection"),
    ("no pg_hba.conf entry", "allow this user, database and address in the server's pg_hba.conf; if the message says \"no encryption\", connect with TLS"),
    ("self-signed certificate", "name the authority that signed the server's certificate: sslrootcert=<file>, ssl.ca, or NODE_EXTRA_CA_CERTS"),
];

/// What to do, by code; PostgreSQL in the order of its manual (appendix A), then node, MySQL and SQLite.
#[rustfmt::skip]
const ADVICE: &[(&str, &str)] = &[
    ("08001", "check host and port, and that the server is running"),
    ("08006", "check the server log: the connection broke while it was in use"),
    ("08P01", "use the direct address of the server for schema changes; a pooler refuses start-up parameters"),
    ("22001", "shorten the values first, or choose a longer type: SELECT * FROM <table> WHERE length(<column>) > <n>"),
    ("22003", "choose a wider type (bigint, numeric), or correct the values that do not fit"),
    ("23505", "find the duplicates and remove them, then try again: SELECT <columns>, count(*) FROM <table> GROUP BY <columns> HAVING count(*) > 1"),
    ("25006", "connect to the primary and as a role that may write: this session is read-only"),
    ("25P02", "look at the first error above: the transaction had failed already"),
    ("28P01", "check user and password; special characters of a password must be percent-encoded in a URL"),
    ("3D000", "create the database, or correct its name in drizzle's config: CREATE DATABASE <name>"),
    ("40001", "run it again: another transaction changed the same rows"),
    ("40P01", "run it again while the application is quiet: two sessions waited for each other's locks"),
    ("42703", "check the name of the column: it may have been renamed or dropped in the database, or the statements are in the wrong order"),
    ("42830", "add a unique constraint or a primary key on the columns that the foreign key refers to"),
    ("42P01", "check the table's name and schema: it may not exist yet, or lie outside the search_path"),
    ("53100", "free some space on the disk of the server"),
    ("53300", "close idle clients (SELECT pid, application_name, state FROM pg_stat_activity), or raise max_connections"),
    ("55P03", "try again when nobody holds the lock: SELECT pid, application_name, query FROM pg_stat_activity WHERE state = 'idle in transaction'"),
    ("55P04", "use a new enum value only after the transaction that added it: put it into a migration of its own and apply that first"),
    ("57P01", "check the server log: an administrator or a restart ended the session"),
    ("57P02", "check the server log: the server crashed, and every session ended"),
    ("57P03", "wait a few seconds and try again: the server is starting or stopping"),
    ("ECONNREFUSED", "start the database, or correct host and port; inside a container localhost is the container itself"),
    ("ECONNRESET", "check the server log: the server, or something in between, cut the connection; it may still be starting"),
    ("EHOSTUNREACH", "check network, VPN and firewall: there is no route to the host"),
    ("ENETUNREACH", "check the network: there is no route to the host; an IPv6-only host needs IPv6 on this machine"),
    ("ENOTFOUND", "check the host name; the name of a compose service is known only to containers on its network"),
    ("EAI_AGAIN", "check DNS and the host name: the resolver did not answer; in a container, check its network"),
    ("ETIMEDOUT", "check firewall and allow list: nobody answers at this address; a cloud database may be paused"),
    ("EPIPE", "check the server log: the server closed the connection during a write"),
    ("ENOENT", "check the path: the unix socket or the certificate file does not exist"),
    ("ERR_INVALID_URL", "percent-encode the special characters of user and password (@ %40, / %2F, # %23, ? %3F)"),
    ("SELF_SIGNED_CERT_IN_CHAIN", "name the authority that signed the server's certificate: sslrootcert=<file>, ssl.ca, or NODE_EXTRA_CA_CERTS"),
    ("DEPTH_ZERO_SELF_SIGNED_CERT", "trust the server's self-signed certificate explicitly: sslrootcert=<file>, ssl.ca, or NODE_EXTRA_CA_CERTS"),
    ("UNABLE_TO_VERIFY_LEAF_SIGNATURE", "name the authority that signed the server's certificate with sslrootcert=<file>, or let the server send the whole chain"),
    ("UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "name the authority that signed the server's certificate: sslrootcert=<file>, ssl.ca, or NODE_EXTRA_CA_CERTS"),
    ("ERR_TLS_CERT_ALTNAME_INVALID", "connect with a name in the server's certificate, or set ssl.servername in dbCredentials"),
    ("CERT_HAS_EXPIRED", "renew the server's certificate, and check this machine's clock"),
    ("ER_ACCESS_DENIED_ERROR", "check user and password, and that the user may log in from this host"),
    ("ER_DBACCESS_DENIED_ERROR", "ask an administrator to grant the privilege: GRANT ALL ON <database>.* TO <user>"),
    ("ER_TABLEACCESS_DENIED_ERROR", "ask an administrator to grant the privilege that the message names"),
    ("ER_BAD_DB_ERROR", "create the database, or correct its name in drizzle's config: CREATE DATABASE <name>"),
    ("ER_BAD_FIELD_ERROR", "check the name of the column: it may have been renamed or dropped in the database"),
    ("ER_NO_SUCH_TABLE", "check the table's name: it may not exist yet, or lie in another database"),
    ("ER_BAD_TABLE_ERROR", "check the table's name: the table to drop does not exist"),
    ("ER_DUP_FIELDNAME", "the column already exists: compare the database with the schema"),
    ("ER_DUP_KEYNAME", "the index already exists: compare the database with the schema"),
    ("ER_DUP_ENTRY", "find the duplicates and remove them, then try again: SELECT <columns>, COUNT(*) FROM <table> GROUP BY <columns> HAVING COUNT(*) > 1"),
    ("ER_CANT_DROP_FIELD_OR_KEY", "check the name: the column, index or key to drop does not exist"),
    ("ER_DROP_INDEX_FK", "drop the foreign key that needs the index first"),
    ("ER_ROW_IS_REFERENCED_2", "remove the rows that refer to this one first"),
    ("ER_NO_REFERENCED_ROW_2", "remove or repair the rows whose parent is missing, then add the foreign key again"),
    ("ER_FK_INCOMPATIBLE_COLUMNS", "give both columns of the foreign key the same type, length and sign"),
    ("ER_FK_NO_INDEX_PARENT", "add an index on the columns that the foreign key refers to"),
    ("ER_MULTIPLE_PRI_KEY", "drop the old primary key before you add the new one"),
    ("ER_BLOB_KEY_WITHOUT_LENGTH", "use varchar instead of text for a column with a key, or index a prefix of it"),
    ("ER_TOO_LONG_KEY", "shorten the columns of the index: a key holds 3072 bytes, and utf8mb4 counts four for each character"),
    ("ER_INVALID_DEFAULT", "give the column a default that fits its type; text, blob and json take expressions only"),
    ("ER_DATA_TOO_LONG", "shorten the values first, or choose a longer type"),
    ("ER_WARN_DATA_OUT_OF_RANGE", "choose a wider type, or correct the values that do not fit"),
    ("WARN_DATA_TRUNCATED", "change the values that the new type lacks before changing the type"),
    ("ER_TRUNCATED_WRONG_VALUE_FOR_FIELD", "correct the values that do not fit the new type before changing the type"),
    ("ER_BAD_NULL_ERROR", "give the column a value or a default: it allows no NULL"),
    ("ER_INVALID_USE_OF_NULL", "fill the empty values first: UPDATE <table> SET <column> = <value> WHERE <column> IS NULL"),
    ("ER_CHECK_CONSTRAINT_VIOLATED", "correct the rows that violate the check, then add it again"),
    ("ER_LOCK_WAIT_TIMEOUT", "try again when nobody holds the lock; SHOW PROCESSLIST names the sessions"),
    ("ER_LOCK_DEADLOCK", "run it again while the application is quiet: two sessions waited for each other's locks"),
    ("ER_CON_COUNT_ERROR", "close idle clients, or raise max_connections"),
    ("ER_OPTION_PREVENTS_STATEMENT", "connect to the primary: this server is read-only"),
    ("ER_NOT_SUPPORTED_AUTH_MODE", "let the user log in by caching_sha2_password or mysql_native_password, or update the driver"),
    ("ER_PARSE_ERROR", "read the statement at the place that the message names; the server may be older than the syntax"),
    ("PROTOCOL_CONNECTION_LOST", "check the server log: it closed the connection"),
    ("HANDSHAKE_NO_SSL_SUPPORT", "switch TLS off in the URL: the server does not offer it"),
    ("SQLITE_BUSY", "close the other programs that use the file, then try again"),
    ("SQLITE_LOCKED", "close the other connection that uses the table, then try again"),
    ("SQLITE_READONLY", "make the file and its directory writable for this user"),
    ("SQLITE_CANTOPEN", "check the path: the directory must exist and be writable"),
    ("SQLITE_NOTADB", "check the path: the file is not a SQLite database, or it is encrypted"),
    ("SQLITE_CORRUPT", "restore the file from a backup, or recover it with: sqlite3 <file> .recover"),
    ("SQLITE_FULL", "free some space on the disk"),
    ("SQLITE_AUTH", "check the auth token: it may be missing, expired or read-only"),
    ("SQLITE_CONSTRAINT", "correct the rows that break the constraint that the message names, then try again"),
    ("SQLITE_CONSTRAINT_UNIQUE", "find the duplicates and remove them: SELECT <columns>, count(*) FROM <table> GROUP BY <columns> HAVING count(*) > 1"),
    ("SQLITE_CONSTRAINT_NOTNULL", "fill the empty values first, or give the column a default: UPDATE <table> SET <column> = <value> WHERE <column> IS NULL"),
    ("SQLITE_CONSTRAINT_FOREIGNKEY", "remove or repair the rows whose parent is missing: PRAGMA foreign_key_check lists them"),
    ("SQLITE_ERROR", "compare the statement with the database: a table or column already exists, or is missing"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn rows() -> impl Iterator<Item = (String, &'static str)> {
        let causes = CAUSES.iter().map(|(code, phrase, advice)| (format!("{code} {phrase}"), *advice));
        let already = THERE_ALREADY.iter();
        let already = already.flat_map(|(code, migrating, otherwise)| {
            [(format!("{code} migrating"), *migrating), (format!("{code} otherwise"), *otherwise)]
        });
        let others = ADVICE.iter().chain(PHRASES).map(|(key, advice)| ((*key).to_owned(), *advice));
        causes.chain(already).chain(others)
    }

    #[test]
    fn no_row_stands_twice_and_no_code_has_two_kinds_of_rows() {
        let keys: BTreeSet<_> = rows().map(|(key, _)| key).collect();
        assert_eq!(keys.len(), rows().count());
        let by_words: BTreeSet<&str> =
            CAUSES.iter().map(|(code, ..)| *code).chain(THERE_ALREADY.iter().map(|(code, ..)| *code)).collect();
        let alone = ADVICE.iter().map(|(code, _)| *code).filter(|code| by_words.contains(code)).collect::<Vec<_>>();
        assert_eq!(alone, [""; 0]);
    }

    #[test]
    fn every_advice_is_a_full_sentence_in_the_style_of_a_hint() {
        for (key, advice) in rows() {
            assert!(advice.split(' ').count() >= 5, "{key}: {advice}");
            assert!(
                advice.starts_with(|char: char| char.is_ascii_lowercase()) || advice.starts_with('<'),
                "{key}: {advice}"
            );
            assert!(!advice.ends_with(['.', ' ', ';']) && !advice.contains("  "), "{key}: {advice}");
            assert!(advice.len() < 220, "{key}: {advice}");
        }
    }

    fn check(code: &str, text: &str, expected: &str) {
        check_about(code, text, &About::default(), expected);
    }

    fn check_about(code: &str, text: &str, about: &About, expected: &str) {
        let advice = advice(code, text, about).unwrap_or_else(|| "none".to_owned());
        assert!(advice.contains(expected), "{code} {text}: {advice}");
    }

    #[test]
    fn the_advice_names_what_the_error_names() {
        let text = "column \"file_blob\" cannot be cast automatically to type bytea";
        check("42804", text, "ALTER COLUMN \"file_blob\" TYPE bytea USING \"file_blob\"::bytea");
        let text = "default for column \"mood\" cannot be cast automatically to type mood";
        check("42804", text, "ALTER COLUMN \"mood\" DROP DEFAULT");
        let text = "could not create unique index \"u\"\nKey (email, lower(name))=(a, b) is duplicated.";
        check("23505", text, "GROUP BY email, lower(name) HAVING count(*) > 1");
        let text = "duplicate key value violates unique constraint \"pg_type_typname_nsp_index\"";
        check("23505", text, "another run");
        let text = "column \"name\" of relation \"users\" contains null values";
        check("23502", text, "UPDATE \"users\" SET \"name\" = <value> WHERE \"name\" IS NULL");
        let text = "cannot drop type mood because other objects depend on it\ndefault value for column m of table t depends on type mood\nview v depends on type mood";
        check("2BP01", text, "create it again afterwards: default value for column m of table t, view v");
        check("3F000", "schema \"shop\" does not exist", "CREATE SCHEMA \"shop\"");
    }

    #[test]
    fn the_advice_names_what_the_statement_names() {
        let about = About {
            table: Some("\"shop\".\"orders\""),
            column: Some("\"state\""),
            new_type: Some("mood"),
            migrates: false,
        };
        let check = |code: &str, text: &str, expected: &str| check_about(code, text, &about, expected);
        let text = "could not create unique index \"u\"\nKey (email)=(a) is duplicated.";
        check("23505", text, "SELECT email, count(*) FROM \"shop\".\"orders\" GROUP BY email");
        let text = "invalid input value for enum mood: \"dead\"";
        check("22P02", text, "UPDATE \"shop\".\"orders\" SET \"state\" = <new> WHERE \"state\" = <old>");
        check(
            "42804",
            "column \"state\" cannot be cast automatically to type mood",
            "ALTER TABLE \"shop\".\"orders\" ALTER",
        );
    }

    #[test]
    fn a_code_with_several_causes_gets_advice_on_the_one_that_is_said() {
        check(
            "55006",
            "cannot ALTER TABLE \"c\" because it has pending trigger events",
            "SET CONSTRAINTS ALL IMMEDIATE",
        );
        check("55006", "database \"d\" is being accessed by other users", "close the sessions");
        check("55006", "cannot DROP TABLE \"t\" because it is being used by active queries in this session", "none");
        check("0A000", "cannot alter type of a column used by a view or rule", "drop what the message");
        check("0A000", "cached plan must not change result type", "restart the clients");
        check("0A000", "access method \"x\" does not support unique indexes", "none");
        check("22P02", "invalid input syntax for type integer: \"abc\"", "the value that the message quotes");
        check("22P02", "malformed array literal: \"x\"", "none");
        check("3F000", "schema \"undefined\" does not exist", "drizzle-kit has lost its schema");
        check("42704", "index \"i\" does not exist", "the index that the message names");
        check("42704", "type \"mood\" does not exist", "create the type");
        check("42P16", "multiple primary keys for table \"t\" are not allowed", "drop the old primary key");
        check("42P16", "a table cannot be its own parent", "none");
        check(
            "2BP01",
            "cannot drop index i because constraint c on table t requires it",
            "drop the object that requires it",
        );
        check("2BP01", "role \"r\" cannot be dropped because some objects depend on it", "REASSIGN OWNED");
        check("57014", "canceling statement due to statement timeout", "raise statement_timeout");
        check("57014", "canceling statement due to user request", "who cancelled");
    }

    #[test]
    fn nobody_is_sent_to_migrations_who_does_not_migrate() {
        let text = "relation \"a_s_unique\" already exists";
        check("42P07", text, "give one of the two another name");
        check_about("42P07", text, &About { migrates: true, ..About::default() }, "mark the migrations as applied");
        for (code, _, otherwise) in THERE_ALREADY {
            assert!(!otherwise.contains("migrat"), "{code}: {otherwise}");
        }
    }

    #[test]
    fn an_error_without_its_details_gets_the_pattern_or_nothing() {
        check("SQLITE_BUSY_SNAPSHOT", "", "close the other programs");
        check("42804", "", "none");
        check("23505", "", "GROUP BY <columns>");
    }

    #[test]
    fn without_a_code_the_text_is_searched() {
        check("", "SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string", "set the password");
        check("", "The server does not support SSL connections", "sslmode=disable");
        check("", "getaddrinfo ENOTFOUND db", "check the host name");
        check("", "Error: connect ECONNREFUSED 127.0.0.1:5432", "start the database");
        check("", "LibsqlError: SQLITE_CONSTRAINT: SQLite error: UNIQUE constraint failed", "break the constraint");
        check("", "ERROR: something else", "none");
    }

    #[test]
    fn an_internal_error_gets_no_advice() {
        check("XX000", "cache lookup failed for type 16390", "none");
    }
}
