//! The lock of this program on a database: one run at a time, from before drizzle-kit connects to its end.

use std::time::Duration;

use drizzle_pilot::db::change::advisory_lock::{AdvisoryLock, AdvisoryLockError, Request};
use drizzle_pilot::db::inspect::catalog;
use drizzle_pilot::db::inspect::reach::{self, Relation, Rows, Wanted};
use drizzle_pilot::db::{ConnectError, Connection};

use crate::NEWEST;
use crate::support::{Database, Journeys, Project, Running, gone_within, until};

/// The lock as the documentation has it, taken by somebody else.
const OTHER_RUN: &str = "SELECT pg_advisory_xact_lock(1685745772, 1)";

const REQUEST: Request = Request { wait: Duration::from_millis(300), deadline: Duration::from_secs(30) };

fn connection(database: &Database) -> Connection {
    Connection::to(&database.dsn(), "drizzle-pilot-test lock", "").expect("the system has a runtime to give")
}

fn take(database: &Database) -> AdvisoryLock {
    AdvisoryLock::take(connection(database), &REQUEST, &mut |_| ()).expect("nobody has the lock")
}

/// Waits until so many sessions wait for the lock.
fn wait_for_waiters(database: &Database, n_waiters: usize) {
    let waiting = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'";
    until("the runs wait for the lock", || database.value(waiting) == n_waiters.to_string());
}

/// Ends the session that holds the lock for a run, as an administrator would or a pooler does.
pub(crate) fn take_away(database: &Database) {
    let ended = database.list(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
          WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1685745772 AND a.datname = current_database()
            AND a.application_name LIKE 'drizzle-pilot-% lock'",
    );
    assert_eq!(ended, ["t"], "one session has the lock");
}

#[test]
fn of_two_pushes_at_once_the_second_waits_and_has_nothing_to_do() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    let other = database.hold(OTHER_RUN);
    let mut pushes: Vec<Running> = (0..2).map(|_| project.pilot(&["push"]).spawn()).collect();
    for push in &mut pushes {
        push.wait_for("waiting for another run that changes this database: backend");
    }
    wait_for_waiters(&database, 2);
    other.release();
    let mut said: Vec<String> = pushes
        .into_iter()
        .map(|push| push.finish().expect(0).report["summary"].as_str().unwrap_or_default().to_owned())
        .collect();
    said.sort();
    assert_eq!(said, ["changes applied", "no changes"]);
}

#[test]
fn a_push_that_waits_in_vain_names_who_has_the_lock_and_asks_drizzle_kit_nothing() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    let before = database.everything();
    let other = database.hold(OTHER_RUN);
    let ran = project.pilot(&["push", "--lock-timeout", "200ms"]).run().expect(75).database("unchanged");
    let ran = ran.says(&["another run changes this database", "called live-test", "pg_terminate_backend"]);
    assert_eq!(database.everything(), before, "{ran}");
    drop(other);
}

/// drizzle-kit is held up at a moment, the lock is lost, and then nothing of drizzle-kit may go on.
#[track_caller]
fn check_lost(held_up_by: &str, reached: &str, code: i32, word: &str, says: &str) {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let before = database.state();
    let holds_up = database.hold(held_up_by);
    let running = project.pilot(&["push"]).spawn();
    let waits = format!(
        "SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '{reached}'"
    );
    until("drizzle-kit is held up", || database.value(&waits) != "0");
    take_away(&database);
    let ran = running.finish().expect(code).database(word).says(&["the lock on this database was lost", says]);
    gone_within(Duration::from_secs(3), "a backend", || database.foreign_backends());
    holds_up.release();
    assert_eq!(database.state(), before, "{ran}");
}

#[test]
fn drizzle_kit_is_stopped_when_the_lock_is_lost() {
    let asks_later = "LOCK TABLE users IN ACCESS EXCLUSIVE MODE";
    check_lost(asks_later, "%count(%", 69, "unchanged", "before consent");
    check_lost("LOCK TABLE users IN ACCESS SHARE MODE", "ALTER TABLE%", 6, "maybe", "after consent");
}

#[test]
fn a_lease_holds_up_nothing_and_outlives_the_limits_of_a_database() {
    let database = Database::create();
    let name = database.value("SELECT current_database()");
    for (setting, value) in [
        ("idle_in_transaction_session_timeout", "100ms"),
        ("default_transaction_isolation", "repeatable read"),
        ("statement_timeout", "100ms"),
    ] {
        database.sql(&format!("ALTER DATABASE {name} SET {setting} = '{value}'"));
    }
    let advisory_lock = take(&database);
    let idle = || {
        database.rows(
            "SELECT state, backend_xmin, backend_xid,
                    (SELECT string_agg(l.locktype || coalesce(l.relation::regclass::text, ''), ' ' ORDER BY 1) FROM pg_locks l
                      WHERE l.pid = a.pid)
               FROM pg_stat_activity a
              WHERE application_name = 'drizzle-pilot-test lock' AND datname = current_database()",
        )
    };
    let before = idle();
    assert_eq!(before[0][..3], ["idle in transaction", "NULL", "NULL"]);
    // Neither does it after a look at the database.
    let seen = catalog::catalog(advisory_lock.connection(), REQUEST.deadline).expect("it is ours");
    let connection =
        Connection::to(&database.dsn(), "drizzle-pilot-test", "").expect("the system has a runtime to give");
    assert_eq!(seen, catalog::catalog(&connection, REQUEST.deadline).expect("the laboratory answers"));
    assert_eq!(idle(), before);
    // Longer than the limits.
    database.sql("SELECT pg_sleep(0.3)");
    assert!(advisory_lock.lives());
}

/// The connection that holds the lock also looks at the database first, and counts the rows that a question is about.
#[test]
fn a_push_needs_one_connection_beside_drizzle_kits() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let network = Journeys::to(database.url());
    let ran = project.pilot(&["push"]).env("DATABASE_URL", network.url.as_str()).run().expect(0).database("changed");
    assert_eq!(ran.report["statements"][0]["rows"], 3, "{ran}");
    assert_eq!(network.n_connections(), 2, "{ran}");
}

/// A count that waits for a lock fails and is cut off at last: neither takes the lock along, and nothing stays locked.
#[test]
fn a_look_over_the_lock_that_fails_leaves_the_lock() {
    let database = Database::create();
    database.sql("CREATE TABLE free (id int); INSERT INTO free VALUES (1); CREATE TABLE busy (id int)");
    let relation = |name: &str| Relation { schema: "public".to_owned(), name: name.to_owned() };
    let rows_of = |advisory_lock: &AdvisoryLock, table: &str, deadline: Duration| {
        let wanted = Wanted { counted: vec![relation(table)], ..Wanted::default() };
        reach::look_up(advisory_lock.connection(), &wanted, deadline)
            .map(|facts| facts.relations[&relation(table)].rows)
    };
    let advisory_lock = take(&database);
    let held = database.hold("LOCK TABLE busy");
    let counted = rows_of(&advisory_lock, "busy", REQUEST.deadline);
    assert!(matches!(counted, Ok(Rows::Unknown)), "{counted:?}");
    let cut = rows_of(&advisory_lock, "busy", Duration::from_millis(100));
    assert!(matches!(cut, Err(ConnectError::Mute { .. })), "{cut:?}");
    assert!(advisory_lock.lives());
    let counted = rows_of(&advisory_lock, "free", REQUEST.deadline);
    assert!(matches!(counted, Ok(Rows::Exact(1))), "{counted:?}");
    held.release();
    // What was counted may be changed by others at once.
    database.sql("SET lock_timeout = '1s'; DROP TABLE free, busy");
    assert!(advisory_lock.lives());
    drop(advisory_lock);
    take(&database);
}

#[test]
fn a_lease_is_had_by_one_and_given_back_at_once() {
    let database = Database::create();
    let advisory_lock = take(&database);
    let mut waited_for = Vec::new();
    let second = AdvisoryLock::take(connection(&database), &REQUEST, &mut |holder| waited_for.extend(holder.cloned()));
    let Err(AdvisoryLockError::Locked { holder: Some(holder), waited }) = second else { panic!("{second:?}") };
    assert!(waited >= REQUEST.wait, "{waited:?}");
    assert_eq!(holder.application_name, "drizzle-pilot-test lock");
    assert_eq!(waited_for.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [holder.pid]);

    drop(advisory_lock);
    let advisory_lock = take(&database);
    assert!(advisory_lock.lives());
    take_away(&database);
    assert!(!advisory_lock.lives());
    drop(advisory_lock);
    take(&database);
}
