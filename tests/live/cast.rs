//! What the cast doctor finds on real rows.

use std::time::Duration;

use drizzle_pilot::db::cast::{self, Examined, Outcome, Tried};
use drizzle_pilot::db::inspect::reach::Relation;

use crate::support::{Database, Server};

const LONG: Duration = Duration::from_secs(60);

fn table() -> Relation {
    Relation { schema: "public".to_owned(), name: "Odd \"files\"".to_owned() }
}

fn examine(database: &Database, new_type: &str) -> Examined {
    cast::examine(&database.dsn(), &table(), "the \"blob\"", new_type, LONG).expect("the laboratory answers")
}

fn tried(database: &Database, new_type: &str) -> Tried {
    match examine(database, new_type) {
        Examined::Tried(tried) => *tried,
        other => panic!("{new_type}: {other:?}"),
    }
}

/// Makes a table with one column of a type, and these values in it.
fn filled(server: Server, old_type: &str, values: &[&str]) -> Database {
    let database = Database::create_on(server);
    database.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'ok'); CREATE TYPE feeling AS ENUM ('ok', 'sad', 'new'); CREATE DOMAIN short AS varchar(5)",
    );
    database.sql(&format!("CREATE TABLE \"Odd \"\"files\"\"\" (id serial, \"the \"\"blob\"\"\" {old_type})"));
    for value in values {
        database.sql(&format!("INSERT INTO \"Odd \"\"files\"\"\" (\"the \"\"blob\"\"\") VALUES ({value})"));
    }
    database
}

/// Checks which way is the best, on every server, and that the statement made of it runs and keeps the rows.
#[track_caller]
fn check(old_type: &str, values: &[&str], new_type: &str, expected: Option<&str>, after: &[&str]) {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = filled(server, old_type, values);
        let before = database.state();
        let found = tried(&database, new_type);
        let expected = expected.map(|using| using.replace('c', "\"the \"\"blob\"\"\"").replace('ç', "c"));
        assert_eq!(found.using(), expected.as_deref(), "{server:?}: {old_type} → {new_type}: {found:#?}");
        assert_eq!((found.n_rows, found.whole), (values.len() as u64, true));
        assert_eq!(database.state(), before);
        let Some(statement) = found.statement() else { continue };
        database.sql(&statement);
        let column = "SELECT \"the \"\"blob\"\"\"::text FROM \"Odd \"\"files\"\"\" ORDER BY id";
        assert_eq!(database.list(column), after, "{statement}");
    }
}

#[test]
fn text_becomes_bytes_and_keeps_its_rows() {
    check(
        "text",
        &["'hello'", "'größe'", "NULL"],
        "bytea",
        Some("c::bytea"),
        &["\\x68656c6c6f", "\\x6772c3b6c39f65", "NULL"],
    );
    check("text", &["'\\x6869'"], "bytea", Some("c::bytea"), &["\\x6869"]);
    // A backslash is no octal number.
    check("text", &["'a\\b'", "'\\x6869'"], "bytea", Some("çonvert_to(c, 'UTF8')"), &["\\x615c62", "\\x5c7836383639"]);
}

#[test]
fn text_becomes_numbers_dates_and_documents() {
    check("text", &["'7'", "'007'", "' 8 '"], "integer", Some("c::integer"), &["7", "7", "8"]);
    check("text", &["'7'", "''"], "integer", Some("nullif(c, '')::integer"), &["7", "NULL"]);
    check("varchar(9)", &["'7'", "'  '"], "integer", Some("nullif(btrim(c), '')::integer"), &["7", "NULL"]);
    check("text", &["'7.0'"], "integer", Some("c::numeriç::integer"), &["7"]);
    check("text", &["'7.5'"], "integer", None, &[]);
    check("text", &["'1.25'"], "numeric(9, 1)", None, &[]);
    check("text", &["'2020-01-02'"], "date", Some("c::date"), &["2020-01-02"]);
    // The time of day and the zone would be dropped without a word.
    check("text", &["'2020-01-02 10:00'"], "date", None, &[]);
    check("text", &["'2020-01-02 10:00+05'"], "timestamp", None, &[]);
    check("text", &["'{\"a\":  1}'", "'2'"], "jsonb", Some("c::jsonb"), &["{\"a\": 1}", "2"]);
    check("text", &["'plain'"], "jsonb", Some("to_jsonb(c)"), &["\"plain\""]);
    check("text", &["'a,b'", "NULL"], "text[]", Some("string_to_array(c, ',')"), &["{a,b}", "NULL"]);
    check("text", &["'t'", "'NO'"], "boolean", Some("c::boolean"), &["true", "false"]);
}

#[test]
fn enums_and_identifiers_are_found_in_text() {
    check("text", &["'sad'", "'ok'"], "mood", Some("c::mood"), &["sad", "ok"]);
    check("text", &["'sad'", "''"], "public.mood", Some("nullif(c, '')::publiç.mood"), &["sad", "NULL"]);
    check("text", &["'angry'"], "mood", None, &[]);
    check("mood", &["'sad'", "'ok'"], "feeling", Some("c::text::feeling"), &["sad", "ok"]);
    check("mood", &["'sad'"], "varchar(3)", Some("c::varçhar(3)"), &["sad"]);
    let uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    check("text", &[&format!("'{}'", uuid.to_uppercase())], "uuid", Some("c::uuid"), &[uuid]);
    check("bytea", &[&format!("'\\x{}'", uuid.replace('-', ""))], "uuid", Some("ençode(c, 'hex')::uuid"), &[uuid]);
    check("short", &["'abc'"], "varchar(3)", Some("c::varçhar(3)"), &["abc"]);
}

#[test]
fn numbers_become_truth_time_and_smaller_numbers_where_nothing_is_lost() {
    check("integer", &["0", "1", "NULL"], "boolean", Some("(c <> 0)"), &["false", "true", "NULL"]);
    check("integer", &["2"], "boolean", None, &[]);
    check("boolean", &["true", "false"], "integer", Some("c::int"), &["1", "0"]);
    check("numeric", &["3", "4.0"], "integer", Some("c::integer"), &["3", "4"]);
    check("numeric", &["3.5"], "integer", None, &[]);
    check("bigint", &["9007199254740993"], "double precision", None, &[]);
    check("json", &["'{\"a\": 1}'"], "text", Some("c::text"), &["{\"a\": 1}"]);
    check("jsonb", &["'\"a\"'", "'\"1\"'"], "text", Some("(c #>> '{}')"), &["a", "1"]);
    check("interval", &["'36 hours'"], "text", Some("c::text"), &["36:00:00"]);
    check(
        "bigint",
        &["1600000000"],
        "timestamptz",
        Some("(to_timestamp(c))::timestamptz"),
        &["2020-09-13 12:26:40+00"],
    );
    check(
        "bigint",
        &["1600000000123"],
        "timestamptz",
        Some("(to_timestamp(c / 1000.0))::timestamptz"),
        &["2020-09-13 12:26:40.123+00"],
    );
}

#[test]
fn what_does_not_fit_is_counted_and_shown_in_part() {
    let long = "x".repeat(60);
    let database =
        filled(Server::Postgres15, "text", &["'1'", "'two'", "'three'", &format!("'{long}'"), "'four'", "NULL"]);
    let found = tried(&database, "integer");
    assert_eq!(found.using(), None);
    let Outcome::Fails { n_failed: 4, message, examples } = &found.trials[0].outcome else { panic!("{found:#?}") };
    assert_eq!(message, "invalid input syntax for type integer: \"two\"");
    assert_eq!(*examples, ["two".to_owned(), "three".to_owned(), format!("{}…", "x".repeat(40))]);

    let cut = tried(&database, "varchar(3)");
    assert_eq!(cut.using(), None);
    let Outcome::Loses { n_lost: 3, examples } = &cut.trials[0].outcome else { panic!("{cut:#?}") };
    assert_eq!(examples[0], ("three".to_owned(), "thr".to_owned()));

    let never = tried(&database, "point[]");
    assert!(matches!(never.trials[0].outcome, Outcome::Fails { .. }), "{never:#?}");
    let numbers = tried(&filled(Server::Postgres15, "integer", &["1"]), "date");
    let Outcome::Impossible { sqlstate, .. } = &numbers.trials[0].outcome else { panic!("{numbers:#?}") };
    assert_eq!(sqlstate, "42846");
}

#[test]
fn blanks_do_not_become_null_where_null_is_not_allowed() {
    let database = filled(Server::Postgres15, "text NOT NULL DEFAULT ''", &["'7'", "''"]);
    let found = tried(&database, "integer");
    assert_eq!((found.using(), found.not_null, found.has_default), (None, true, true));
    assert_eq!(found.trials[1].outcome, Outcome::Blanks { n_null: 1 });
}

#[test]
fn a_table_beyond_the_bound_is_looked_at_in_part() {
    let database = filled(Server::Postgres15, "text", &[]);
    database.sql("INSERT INTO \"Odd \"\"files\"\"\" (\"the \"\"blob\"\"\") SELECT n::text || 'x' FROM generate_series(1, 100001) n");
    let found = tried(&database, "integer");
    assert_eq!((found.n_rows, found.whole, found.using()), (100_000, false, None));
    // Row by row takes longest; a busy machine may not come to an end.
    let outcome = &found.trials[0].outcome;
    assert!(matches!(outcome, Outcome::Fails { n_failed: 100_000, .. } | Outcome::TooSlow), "{outcome:?}");
}

#[test]
fn words_that_are_more_than_a_type_are_not_run() {
    let database = filled(Server::Postgres15, "text", &["'7'"]);
    let before = database.state();
    for words in [
        "integer USING 1",
        "integer); DROP TABLE \"Odd \"\"files\"\"\"; --",
        "integer); COMMIT; DROP TABLE \"Odd \"\"files\"\"\"; --",
        "integer FROM pg_class; SELECT 1::integer",
        "no_such_type",
        "serial",
        "",
    ] {
        let examined = examine(&database, words);
        assert!(matches!(examined, Examined::NoType { .. }), "{words}: {examined:?}");
    }
    // A comment is no harm: it only spoils the expression.
    let commented = tried(&database, "integer --");
    assert_eq!(commented.using(), None, "{commented:#?}");
    assert_eq!(database.state(), before);
}

/// A sequence goes on although the transaction is rolled back. Only a transaction that may not write leaves it alone.
#[test]
fn a_cast_that_would_write_does_not() {
    let database = filled(Server::Postgres15, "mood", &["'ok'"]);
    database.sql(
        "CREATE SEQUENCE used;
         CREATE FUNCTION to_feeling(mood) RETURNS feeling LANGUAGE sql AS 'SELECT nextval(''used''); SELECT $1::text::feeling';
         CREATE CAST (mood AS feeling) WITH FUNCTION to_feeling(mood)",
    );
    let found = tried(&database, "feeling");
    assert_eq!(database.value("SELECT is_called FROM used"), "f");
    assert!(matches!(found.trials[0].outcome, Outcome::Fails { n_failed: 1, .. }), "{found:#?}");
    assert_eq!(found.best, Some(1));
}

#[test]
fn locked_missing_and_hidden_tables_are_told() {
    let database = filled(Server::Postgres15, "text", &["'7'"]);
    let missing = cast::examine(&database.dsn(), &table(), "no such column", "integer", LONG).expect("it answers");
    assert_eq!(missing, Examined::NoColumn);

    let held = database.hold("LOCK TABLE \"Odd \"\"files\"\"\"");
    let locked = cast::examine(&database.dsn(), &table(), "the \"blob\"", "integer", LONG);
    assert_eq!(locked.expect_err("the table is locked").sqlstate(), Some("55P03"));
    held.release();

    let role = database.value("SELECT current_database() || '_hidden'");
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'plain';
         GRANT SELECT ON \"Odd \"\"files\"\"\" TO {role};
         ALTER TABLE \"Odd \"\"files\"\"\" ENABLE ROW LEVEL SECURITY"
    ));
    let mut url = database.url();
    url.set_username(&role).expect("the URL has a host");
    url.set_password(Some("plain")).expect("the URL has a host");
    let dsn = drizzle_pilot::db::Dsn::from_url(url.as_str(), &|_| None).expect("the URL is right");
    let hidden = cast::examine(&dsn, &table(), "the \"blob\"", "integer", LONG);
    database.sql(&format!("REVOKE ALL ON \"Odd \"\"files\"\"\" FROM {role}; DROP ROLE {role}"));
    assert_eq!(hidden.expect_err("the rows are hidden").sqlstate(), Some("42501"));
}
