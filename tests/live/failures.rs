//! What goes wrong outside: the reason is said, the code is the right one, and so is the word about the database.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use crate::NEWEST;
use crate::support::{Database, Project, Ran, Run, Running, Signal, until};

on_every_kit! {
    a_refused_connection_says_so
    a_wrong_password_says_so
    an_unknown_database_says_so
    a_config_that_throws_says_what
    a_config_with_a_syntax_error_is_a_config_error
    a_config_without_a_dialect_is_a_config_error
    a_missing_config_is_a_config_error
    a_schema_that_throws_says_what
    a_schema_with_a_syntax_error_fails
    duplicates_against_a_unique_constraint_are_explained
    a_statement_that_fails_after_consent_leaves_a_partial_change
}
on_1_0_as_well! {
    a_refused_connection_says_so
    a_wrong_password_says_so
    an_unknown_database_says_so
    a_config_that_throws_says_what
    a_config_with_a_syntax_error_is_a_config_error
    a_config_without_a_dialect_is_a_config_error
    a_missing_config_is_a_config_error
    a_schema_that_throws_says_what
    a_schema_with_a_syntax_error_fails
}

/// Pushes with the database's URL changed.
#[track_caller]
fn push_with_url(kit: &str, change: impl FnOnce(&mut url::Url)) -> Ran {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    let mut url = database.url();
    change(&mut url);
    project.pilot(&["push"]).env("DATABASE_URL", url.as_str()).run()
}

fn a_refused_connection_says_so(kit: &str) {
    // Port 1 is privileged and nobody serves it.
    let ran = push_with_url(kit, |url| url.set_port(Some(1)).expect("a postgres URL has a port"));
    let ran = ran.expect(69).says(&["127.0.0.1:1"]);
    assert!(ran.stderr.to_lowercase().contains("refused"), "{ran}");
}

fn a_wrong_password_says_so(kit: &str) {
    let ran = push_with_url(kit, |url| url.set_password(Some("open-sesame")).expect("a postgres URL has a password"));
    ran.expect(69).says(&["28P01", "password"]).never_says("open-sesame");
}

fn an_unknown_database_says_so(kit: &str) {
    let ran = push_with_url(kit, |url| url.set_path("no_such_database"));
    ran.expect(69).says(&["3D000", "no_such_database", "does not exist"]);
}

/// Pushes with another config file and expects code 78.
#[track_caller]
fn check_config(kit: &str, config: &str, says: &[&str]) {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    project.config(config);
    project.push().expect(78).says(says);
}

fn a_config_that_throws_says_what(kit: &str) {
    check_config(
        kit,
        "throw new Error('no DATABASE_URL in this shell, says the config');",
        &["no DATABASE_URL in this shell, says the config"],
    );
}

fn a_config_with_a_syntax_error_is_a_config_error(kit: &str) {
    check_config(kit, "export default { dialect: 'postgresql', schema: };", &["drizzle.config.ts"]);
}

fn a_config_without_a_dialect_is_a_config_error(kit: &str) {
    check_config(kit, "export default { schema: './schema.ts' };", &["dialect"]);
}

fn a_missing_config_is_a_config_error(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    std::fs::remove_file(project.path("drizzle.config.ts")).expect("the project has a config");
    project.push().expect(78).says(&["drizzle.config"]);
}

fn a_schema_that_throws_says_what(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "broken_schema", &database);
    project.push().expect(1).says(&["users moved to another file, says the schema"]).database("unchanged");
}

fn a_schema_with_a_syntax_error_fails(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    project.schema("export const users = pgTable('users', {");
    let before = database.state();
    let ran = project.push().expect(1).says(&["schema.ts"]).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");
}

fn duplicates_against_a_unique_constraint_are_explained(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "unique_duplicates", &database);
    let before = database.state();
    let ran = project.push().expect(6).says(&["23505", "users_name_unique"]);
    assert_eq!(ran.report["error"]["sqlstate"], "23505", "{ran}");
    assert!(ran.report["error"]["hint"].is_string(), "{ran}");
    assert_eq!(database.state(), before, "{ran}");
}

fn a_statement_that_fails_after_consent_leaves_a_partial_change(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "foreign_key_fails", &database);
    let ran = project.push().expect(6).says(&["23503", "posts_user_id_users_id_fk"]).database("maybe");
    assert_eq!(ran.report["error"]["sqlstate"], "23503", "{ran}");
    // drizzle-kit does not say which statement it was. Its session with the server does.
    let statement = ran.report["error"]["statement"].as_str().unwrap_or_default();
    assert!(statement.contains("ADD CONSTRAINT \"posts_user_id_users_id_fk\""), "{ran}");
    assert!(ran.stderr.lines().any(|line| line.starts_with("statement: ")), "{ran}");
    // Push is not a transaction: the new table stays, the column behind the failure is not dropped.
    assert_eq!(
        database.state(),
        [
            "public.audit (id integer): 0 rows",
            "public.posts (id integer, user_id integer, legacy_id integer): 1 rows",
            "public.users (id integer): 0 rows",
        ],
        "{ran}"
    );
}

/// Starts a push against a server that accepts connections and says nothing.
fn push_at_mute_server(prepare: impl FnOnce(Run) -> Run) -> (Running, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let database = Database::create();
    let project = Project::fixture(NEWEST, "no_changes", &database);
    let mut url = database.url();
    url.set_port(Some(port)).expect("a postgres URL has a port");
    let running = prepare(project.pilot(&["push"]).env("DATABASE_URL", url.as_str())).spawn();
    let (connection, _) = listener.accept().expect("our own look at the database comes first");
    (running, connection)
}

#[test]
fn the_deadline_of_the_run_holds_for_a_mute_server() {
    let (running, _connection) = push_at_mute_server(|run| run.args(&["--timeout", "2s"]));
    let ran = running.finish().expect(124).says(&["did not answer", "before consent"]);
    assert!(ran.took < Duration::from_secs(8), "{ran}");
}

#[test]
fn a_signal_ends_the_wait_for_a_mute_server() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129)] {
        let (running, _connection) = push_at_mute_server(|run| run);
        running.signal(signal);
        let ran = running.finish().expect(code).says(&["before consent"]);
        assert!(ran.took < Duration::from_secs(8), "{ran}");
    }
}

/// What looks at the schema by itself before anything else, and how it is called on a project.
const LOOKS: [&[&str]; 4] = [
    &["plan", "--out", "new.plan"],
    &["push", "--plan", "old.plan"],
    &["push", "--apply", "transaction"],
    &["reset", "--yes", "--schema", "public"],
];

/// Starts a command whose own look at the schema waits for a lock, and does something to it then.
#[track_caller]
fn while_looking(arguments: &[&str], then: impl FnOnce(&Running)) -> Ran {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    project.policy("[guard]\nhosts = ['127.0.0.1']\n[hazards]\ndrop_column = \"approve\"");
    if arguments.contains(&"old.plan") {
        project.pilot(&["plan", "--out", "old.plan"]).run().expect(2);
    }
    let before = database.state();
    // Neither a login nor drizzle-kit reads it; whoever wants to know what depends on what does.
    let lock = database.hold("LOCK TABLE pg_depend IN ACCESS EXCLUSIVE MODE");
    let running = project.pilot(arguments).spawn();
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name LIKE 'drizzle-pilot%'";
    until("our own look waits for the lock", || database.value(waiting) != "0");
    then(&running);
    let ran = running.finish();
    lock.release();
    assert_eq!(database.state(), before, "{ran}");
    ran
}

#[test]
fn a_signal_ends_every_look() {
    let signals = [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 129), (Signal::TERM, 143)];
    for (arguments, (signal, code)) in LOOKS.into_iter().zip(signals) {
        let ran = while_looking(arguments, |running| running.signal(signal));
        ran.expect(code).says(&["stopped by SIG", "Nothing was executed."]).database("unchanged");
    }
}

#[test]
fn the_deadline_of_the_run_ends_every_look() {
    for arguments in LOOKS {
        let arguments = [arguments, &["--timeout", "5s"]].concat();
        let ran = while_looking(&arguments, |_| {});
        ran.expect(124).says(&["did not answer", "Nothing was executed."]).database("unchanged");
    }
}

#[test]
fn the_statement_that_failed_is_named_with_the_driver_postgres_as_well() {
    let database = Database::create();
    let project = Project::new("postgres-js", &database);
    project.schema(
        "import { jsonb } from 'drizzle-orm/pg-core';
         export const a = pgTable('a', { id: integer('id').primaryKey() });
         export const b = pgTable('b', { id: integer('id').primaryKey(), choice: jsonb('choice').default('none' as any) });
",
    );
    let ran = project.push().expect(6).says(&[
        "invalid input syntax for type json (22P02)",
        "statement: CREATE TABLE \"b\"",
        "Token \"none\" is invalid",
    ]);
    // What is known of an enum is no help here.
    ran.never_says("UPDATE <table>");
}
