//! One transaction on a real server: all of it or nothing, whatever ends it.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use drizzle_pilot::db::Dsn;
use drizzle_pilot::db::change::apply::{
    self, Applied, ApplyError, Cut, Expected, Hold, Proof, Run, Script, TransactionError,
};
use drizzle_pilot::db::inspect::fingerprint::{self, Fingerprint};

use drizzle_pilot::outcome;

use crate::support::{AtCommit, Database, Server, Signal, gone_within, proxy, signal, until};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// The advisory locks of this database; other tests have theirs.
const LOCKS_HERE: &str = "pg_locks JOIN pg_database d ON d.oid = database AND d.datname = current_database()
    WHERE locktype = 'advisory'";

const BEFORE: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'ok');
    CREATE TABLE users (id int PRIMARY KEY, name text, mood mood);
    INSERT INTO users VALUES (1, 'Ann', 'sad'), (2, 'Bob', 'ok')";

const FIVE: [&str; 5] = [
    "CREATE TABLE orders (id int PRIMARY KEY, \"user\" int REFERENCES users)",
    "ALTER TABLE users ADD COLUMN age int NOT NULL DEFAULT 7",
    "ALTER TABLE users ALTER COLUMN name SET DATA TYPE bytea USING convert_to(name, 'UTF8')",
    "ALTER TYPE mood ADD VALUE 'happy'",
    "CREATE INDEX by_age ON users (age)",
];

fn run() -> Run<'static> {
    Run {
        application_name: "apply-test",
        lock: Hold::Take,
        lock_timeout: LONG,
        statement_timeout: None,
        deadline: LONG,
        commit_patience: LONG,
    }
}

fn script(statements: &[&str]) -> Script {
    Script { statements: statements.iter().map(|statement| (*statement).to_owned()).collect(), expected: None }
}

fn refused(database: &Database, statements: &[&str], run: &Run) -> ApplyError {
    apply::apply(&database.dsn(), &script(statements), run).expect_err("it cannot be applied")
}

fn fingerprint(database: &Database) -> Fingerprint {
    fingerprint::fingerprint(&database.dsn(), LONG).expect("the laboratory answers")
}

fn prepared(server: Server) -> Database {
    let database = Database::create_on(server);
    database.sql(BEFORE);
    database
}

#[test]
fn five_statements_are_applied_and_keep_the_rows() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let expected = Some(Expected::from(&fingerprint(&database)));
        let applied = apply::apply(&database.dsn(), &Script { expected, ..script(&FIVE) }, &run());
        let expected = Applied { n_statements: 5, proof: Proof::Answered, signal: None };
        assert_eq!(applied.expect("the statements are right"), expected);
        assert_eq!(database.list("SELECT convert_from(name, 'UTF8') FROM users ORDER BY id"), ["Ann", "Bob"]);
        assert_eq!(database.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_age'"), "1");
    }
}

#[test]
fn a_failure_at_any_position_leaves_nothing() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let before = database.everything();
        for idx in 0..FIVE.len() {
            let mut statements = FIVE;
            statements[idx] = "ALTER TABLE \"größe\" ADD COLUMN x int";
            let error = refused(&database, &statements, &run());
            assert_eq!(error.database(), outcome::Database::Unchanged);
            assert_eq!(error.to_string(), format!("statement {} failed: relation \"größe\" does not exist", idx + 1));
            let ApplyError::Statement { idx: told, statement, fault } = error else { panic!("{error:?}") };
            assert_eq!((told, statement.as_str(), fault.sqlstate.as_str()), (idx, statements[idx], "42P01"));
            assert_eq!(database.everything(), before, "{server:?}, statement {idx}");
        }
    }
}

#[test]
fn a_refusal_tells_detail_hint_and_place() {
    let database = prepared(Server::Postgres15);
    database.sql("INSERT INTO users VALUES (3, 'Ann', 'ok')");
    let fault = |statement: &str| match refused(&database, &[statement], &run()) {
        ApplyError::Statement { fault, .. } => *fault,
        other => panic!("{other:?}"),
    };
    let duplicates = fault("ALTER TABLE users ADD UNIQUE (name)");
    assert_eq!((duplicates.sqlstate.as_str(), duplicates.position), ("23505", None));
    assert_eq!(duplicates.detail.as_deref(), Some("Key (name)=(Ann) is duplicated."));
    let cast = fault("ALTER TABLE users ALTER name TYPE bytea");
    assert_eq!(cast.hint.as_deref(), Some("You might need to specify \"USING name::bytea\"."));
    let place = fault("/* größer */ ALTER TABEL users");
    assert_eq!((place.sqlstate.as_str(), place.position), ("42601", Some(20)));
}

#[test]
fn names_are_resolved_as_on_any_other_connection() {
    let database = prepared(Server::Postgres15);
    database.sql("CREATE SCHEMA shop; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shop, public', current_database()); END $$");
    let expected = Some(Expected::from(&fingerprint(&database)));
    let script = Script { expected, ..script(&["CREATE TABLE here (mood mood)"]) };
    apply::apply(&database.dsn(), &script, &run()).expect("the statement is right");
    assert_eq!(database.list("SELECT schemaname FROM pg_tables WHERE tablename = 'here'"), ["shop"]);
}

#[test]
fn a_schema_that_moved_is_refused_and_told() {
    let database = prepared(Server::Postgres15);
    let expected = Expected::from(&fingerprint(&database));
    database.sql("ALTER TABLE users ADD COLUMN sneaked text");
    let before = database.everything();
    let apply = |expected| {
        let script = Script { expected: Some(expected), ..script(&FIVE) };
        apply::apply(&database.dsn(), &script, &run()).expect_err("the schema has changed")
    };
    let error = apply(expected.clone());
    assert_eq!(error.database(), outcome::Database::Unchanged);
    assert_eq!(
        error.to_string(),
        "the schema has changed since it was inspected\n  appeared: column public.users.sneaked text"
    );
    let other = Expected::from(&fingerprint(&prepared(Server::Postgres15)));
    assert!(matches!(apply(other), ApplyError::Transaction(TransactionError::Elsewhere { .. })));
    assert!(matches!(apply(Expected { lines: None, ..expected }), ApplyError::Moved { .. }));
    assert_eq!(database.everything(), before);
}

#[test]
fn a_held_lock_names_its_holder() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let held = database.hold("SELECT pg_advisory_xact_lock(1685745772, 1)");
        let pid = database.value(&format!("SELECT pid FROM {LOCKS_HERE}"));
        let error = refused(&database, &FIVE, &Run { lock_timeout: SHORT, ..run() });
        assert_eq!(
            error.to_string(),
            format!(
                "another run changes this database: backend {pid} of postgres, called live-test, idle in transaction"
            )
        );
        assert_eq!(error.database(), outcome::Database::Unchanged);

        // Elsewhere the same numbers are another lock.
        apply::apply(&prepared(server).dsn(), &script(&FIVE), &Run { lock_timeout: SHORT, ..run() }).expect("no lock");
        held.release();
        apply::apply(&database.dsn(), &script(&FIVE), &run()).expect("the lock is free");
    }
}

#[test]
fn a_run_waits_for_the_one_before_and_sees_what_that_did() {
    let database = prepared(Server::Postgres15);
    let expected = Some(Expected::from(&fingerprint(&database)));
    let first = database.hold("SELECT pg_advisory_xact_lock(1685745772, 1); ALTER TABLE users DROP COLUMN mood");
    let dsn = database.dsn();
    let second = std::thread::spawn(move || apply::apply(&dsn, &Script { expected, ..script(&FIVE) }, &run()));
    until("the second run waits", || {
        database.value(&format!("SELECT count(*) FROM {LOCKS_HERE} AND NOT granted")) == "1"
    });
    first.commit();
    let error = second.join().expect("it does not panic").expect_err("the schema has changed");
    assert!(matches!(error, ApplyError::Moved { .. }), "{error:?}");
}

#[test]
fn what_cannot_run_in_a_transaction_is_told_and_nothing_stays() {
    let database = prepared(Server::Postgres15);
    let before = database.everything();
    for (statement, sqlstate) in [
        ("CREATE INDEX CONCURRENTLY by_name ON users (name)", "25001"),
        ("VACUUM users", "25001"),
        ("COPY users FROM STDIN", "08P01"),
    ] {
        let error = refused(&database, &[FIVE[0], statement], &run());
        assert_eq!(error.database(), outcome::Database::Unchanged);
        match error {
            ApplyError::Statement { idx: 1, fault, .. } => assert_eq!(fault.sqlstate, sqlstate),
            // What breaks the conversation itself.
            ApplyError::Transaction(TransactionError::Stopped { n_done: 1, cut: Cut::Lost(_), seen_undone: true })
                if sqlstate == "08P01" => {}
            other => panic!("{statement}: {other:?}"),
        }
        assert_eq!(database.everything(), before, "{statement}");
    }
}

#[test]
fn a_deferred_constraint_that_fails_at_the_commit_leaves_nothing() {
    let database = prepared(Server::Postgres15);
    let before = database.everything();
    let statements = [
        "CREATE TABLE orders (\"user\" int REFERENCES users DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO orders VALUES (99)",
    ];
    let error = refused(&database, &statements, &run());
    let ApplyError::Transaction(TransactionError::Commit { fault }) = &error else { panic!("{error:?}") };
    assert_eq!((fault.sqlstate.as_str(), error.database()), ("23503", outcome::Database::Unchanged));
    assert_eq!(database.everything(), before);
}

#[test]
fn transaction_control_among_the_statements_is_noticed() {
    for control in ["COMMIT", "ROLLBACK", "COMMIT AND CHAIN", "SELECT 1; COMMIT; BEGIN"] {
        let database = prepared(Server::Postgres15);
        let error = refused(&database, &[FIVE[0], control, FIVE[1]], &run());
        let ApplyError::LeftTransaction { idx, statement } = &error else { panic!("{control}: {error:?}") };
        assert_eq!((*idx, statement.as_str(), error.database()), (1, control, outcome::Database::Maybe));
        assert!(!database.state().join("\n").contains("age"), "{control}");
    }
}

#[test]
fn limits_of_time_leave_nothing() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let before = database.everything();
        let held = database.hold("LOCK TABLE users");
        let statements = [FIVE[0].split(" REFERENCES").next().expect("it has a first part").to_owned() + ")"];
        let statements = [statements[0].as_str(), FIVE[1]];

        let sqlstate = |run: &Run| match refused(&database, &statements, run) {
            ApplyError::Statement { idx: 1, fault, .. } => fault.sqlstate,
            other => panic!("{other:?}"),
        };
        assert_eq!(sqlstate(&Run { lock_timeout: SHORT, ..run() }), "55P03");
        assert_eq!(sqlstate(&Run { statement_timeout: Some(SHORT), ..run() }), "57014");

        let error = refused(&database, &statements, &Run { deadline: Duration::from_secs(1), ..run() });
        let ApplyError::Transaction(TransactionError::Stopped { n_done: 1, cut: Cut::Deadline(_), seen_undone: true }) =
            error
        else {
            panic!("{error:?}")
        };
        assert_eq!(error.database(), outcome::Database::Unchanged);
        // It was seen to be over: nothing waits for the table any more.
        assert_eq!(waiting(&database), Vec::<Vec<String>>::new());
        held.release();
        assert_eq!(database.everything(), before);
    }
}

fn waiting(database: &Database) -> Vec<Vec<String>> {
    database.rows(
        "SELECT pid, state, wait_event, query FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'apply-test'",
    )
}

/// Applies through a network that fails at COMMIT.
fn apply_through(database: &Database, at_commit: AtCommit) -> Result<Applied, ApplyError> {
    let url = proxy(database.url(), at_commit);
    let dsn = Dsn::from_url(url.as_str(), &|_| None).expect("the URL is right");
    apply::apply(&dsn, &script(&FIVE), &Run { deadline: Duration::from_secs(5), commit_patience: SHORT, ..run() })
}

#[test]
fn a_lost_reply_to_the_commit_is_asked_for() {
    for server in [Server::Postgres13, Server::Postgres15] {
        for at_commit in [AtCommit::CutAfter, AtCommit::SwallowReply] {
            let database = prepared(server);
            let applied = apply_through(&database, at_commit).expect("the server has committed");
            assert_eq!((applied.n_statements, applied.proof), (5, Proof::Asked), "{at_commit:?}");
            assert_eq!(database.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'by_age'"), "1");
        }
    }
}

#[test]
fn a_commit_that_never_arrives_is_known_to_be_undone() {
    for server in [Server::Postgres13, Server::Postgres15] {
        for at_commit in [AtCommit::CutBefore, AtCommit::SwallowCommit] {
            let database = prepared(server);
            let before = database.everything();
            let error = apply_through(&database, at_commit).expect_err("the server has not committed");
            assert!(
                matches!(error, ApplyError::Transaction(TransactionError::Undone { .. })),
                "{at_commit:?}: {error:?}"
            );
            assert_eq!(error.database(), outcome::Database::Unchanged);
            assert_eq!(waiting(&database), Vec::<Vec<String>>::new());
            assert_eq!(database.everything(), before);
        }
    }
}

#[test]
fn a_session_that_an_administrator_ends_leaves_nothing() {
    let database = prepared(Server::Postgres15);
    let before = database.everything();
    let held = database.hold("LOCK TABLE users");
    let dsn = database.dsn();
    let run = std::thread::spawn(move || apply::apply(&dsn, &script(&["CREATE TABLE a ()", FIVE[1]]), &run()));
    until("the second statement waits", || waiting(&database).iter().any(|row| row[2] == "relation"));
    database.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'apply-test' AND datname = current_database()");
    let error = run.join().expect("it does not panic").expect_err("the session was ended");
    let ApplyError::Statement { idx: 1, fault, .. } = &error else { panic!("{error:?}") };
    assert_eq!(fault.sqlstate, "57P01");
    held.release();
    assert_eq!(database.everything(), before);
}

#[test]
fn a_database_that_is_read_only_stays_so() {
    let database = prepared(Server::Postgres15);
    database.sql("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on', current_database()); END $$");
    let error = refused(&database, &FIVE, &run());
    let ApplyError::Statement { idx: 0, fault, .. } = &error else { panic!("{error:?}") };
    assert_eq!(fault.sqlstate, "25006");
}

/// Where the child process finds its database.
const CHILD: &str = "DRIZZLE_PILOT_TEST_APPLY";

/// Signals go to a whole process, and so the tests below start this one alone in a new process. Nobody hinders that of its own.
#[test]
fn a_child_that_is_left_alone_applies_both_statements() {
    if let Ok(url) = std::env::var(CHILD) {
        let dsn = Dsn::from_url(&url, &|_| None).expect("the URL is right");
        println!("ending: {:?}", apply::apply(&dsn, &script(&["CREATE TABLE a ()", FIVE[1]]), &run()));
        return;
    }
    let database = prepared(Server::Postgres15);
    let output = start_child(&database).wait_with_output().expect("the child was started");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("ending: Ok(Applied { n_statements: 2, proof: Answered, signal: None })"), "{told}");
    assert_eq!(database.list("SELECT age FROM users"), ["7", "7"]);
}

fn start_child(database: &Database) -> Child {
    let program = std::env::current_exe().expect("the test knows itself");
    Command::new(program)
        .args(["apply::a_child_that_is_left_alone_applies_both_statements", "--exact", "--nocapture"])
        .env(CHILD, database.url().as_str())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test can be started again")
}

#[test]
fn a_signal_before_the_commit_leaves_nothing() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let before = database.everything();
        let held = database.hold("LOCK TABLE users");
        let child = start_child(&database);
        until("the second statement waits", || waiting(&database).iter().any(|row| row[2] == "relation"));
        signal(child.id(), Signal::TERM);
        let output = child.wait_with_output().expect("the child was started");
        let told = String::from_utf8_lossy(&output.stdout);
        let expected = "ending: Err(Transaction(Stopped { n_done: 1, cut: Signal(15), seen_undone: true }))";
        assert!(told.contains(expected), "{told}");
        assert_eq!(waiting(&database), Vec::<Vec<String>>::new());
        held.release();
        assert_eq!(database.everything(), before);
    }
}

#[test]
fn a_run_that_is_killed_leaves_nothing() {
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = prepared(server);
        let before = database.everything();
        let held = database.hold("LOCK TABLE users");
        let mut child = start_child(&database);
        until("the second statement waits", || waiting(&database).iter().any(|row| row[2] == "relation"));
        child.kill().expect("the child is ours");
        child.wait().expect("the child was started");
        // PostgreSQL 15 notices at once; 13 when the statement has its lock and wants to answer.
        let held = matches!(server, Server::Postgres15).then_some(held);
        gone_within(Duration::from_secs(10), "the backend of the killed run", || waiting(&database));
        drop(held);
        assert_eq!(database.everything(), before);
    }
}
