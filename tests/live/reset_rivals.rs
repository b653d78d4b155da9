//! A reset beside others who want the same database: a push, and an application that does not stop for it.

use crate::NEWEST;
use crate::support::{Database, Project, until};

const POLICY: &str = "[guard]\nhosts = ['127.0.0.1']\n";
const PATIENT: &[&str] = &["--lock-timeout", "60s"];
const IN_ITS_TURN: &str = "waiting for another run that changes this database";

fn prepared() -> (Database, Project) {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    project.policy(POLICY);
    (database, project)
}

/// Waits until a statement waits for a lock on a table.
fn wait_until_stuck(database: &Database, what: &str, query: &str) {
    let stuck = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
            AND wait_event_type = 'Lock' AND wait_event = 'relation' AND query ILIKE '{query}'"
    );
    until(what, || database.value(&stuck) != "0");
}

#[test]
fn a_reset_and_a_push_take_turns() {
    let (database, project) = prepared();
    let reset = || project.pilot(&["reset", "--yes"]).args(PATIENT);
    let push = || project.pilot(&["push"]).args(PATIENT);

    let holder = database.hold("LOCK TABLE users IN ACCESS SHARE MODE");
    let first = push().spawn();
    wait_until_stuck(&database, "the push is in the middle", "ALTER TABLE%");
    let mut second = reset().spawn();
    second.wait_for(IN_ITS_TURN);
    holder.release();
    let pushed = first.finish().expect(0).database("changed");
    let ran = second.finish().expect(0).database("changed");
    assert_eq!(database.state(), Vec::<String>::new(), "{pushed}\n{ran}");

    database.sql("CREATE TABLE users (id integer PRIMARY KEY); INSERT INTO users VALUES (1)");
    let holder = database.hold("LOCK TABLE users IN ACCESS SHARE MODE");
    let first = reset().spawn();
    wait_until_stuck(&database, "the reset is in the middle", "LOCK TABLE%");
    let mut second = push().spawn();
    second.wait_for(IN_ITS_TURN);
    holder.release();
    first.finish().expect(0).database("changed");
    let ran = second.finish().expect(0).database("changed");
    assert_eq!(database.value("SELECT count(*) FROM users"), "0", "the push has built it anew\n{ran}");
}

#[test]
fn an_application_that_goes_on_does_not_keep_a_reset_from_its_end() {
    let (database, project) = prepared();
    database.sql(
        "CREATE TABLE orders (id serial PRIMARY KEY, users int REFERENCES users, at timestamptz DEFAULT now());
         INSERT INTO users SELECT n + 100, 'n' FROM generate_series(1, 50) n",
    );
    // Each takes its locks in another order.
    let application = [
        "BEGIN; INSERT INTO orders (users) SELECT id FROM users ORDER BY random() LIMIT 1; SELECT count(*) FROM users; COMMIT",
        "BEGIN; SELECT * FROM users LIMIT 5; DELETE FROM orders WHERE id IN (SELECT id FROM orders LIMIT 1); COMMIT",
        "ROLLBACK; BEGIN; UPDATE users SET name = 'm' WHERE id = (SELECT max(id) FROM users); SELECT count(*) FROM orders; COMMIT",
    ]
    .map(|query| database.busy(query));
    until("the application is at work", || application.iter().all(|busy| busy.n_done() > 3));
    let ran = project.pilot(&["reset", "--yes", "--then", "push"]).run().expect(0).database("changed");
    application.into_iter().for_each(|busy| busy.end());
    assert_eq!(database.list("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), ["users"], "{ran}");
}
