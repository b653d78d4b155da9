//! What commits between the look and the drop is counted, or not destroyed.

use crate::NEWEST;
use crate::support::{Database, Project, until};

/// A project that has `keep` alone, on a database that has `scratch` beside it, which may go while it is empty.
fn project(database: &Database, policy: &str) -> Project {
    let project = Project::new(NEWEST, database);
    database.sql("CREATE TABLE keep (id integer); CREATE TABLE scratch (id integer, n integer)");
    project.schema("export const keep = pgTable('keep', { id: integer('id') });");
    project.policy(policy);
    project
}

const ONLY_EMPTY: &str = "[hazards]\ndrop_table = { only = ['public.scratch'], max_rows = 0 }\n";

/// Waits until somebody wants a lock on the table that somebody else has.
fn wait_for_a_lock(database: &Database) {
    let waits = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = to_regclass('scratch')";
    until("the program waits for a lock on the table", || database.value(waits) != "0");
}

#[test]
fn rows_that_commit_before_the_drop_count() {
    for apply in ["kit", "transaction"] {
        let database = Database::create();
        let project = project(&database, ONLY_EMPTY);
        let writer = database.hold("INSERT INTO scratch SELECT generate_series(1, 500)");
        let running = project.pilot(&["push", "--apply", apply]).spawn();
        wait_for_a_lock(&database);
        writer.commit();
        let ran = running.finish().expect(3).database("unchanged");
        let ran = ran.says(&["drop_table public.scratch would delete 500 rows", "500 are more than max_rows = 0"]);
        let ran = ran.says(&["Nothing was executed."]);
        assert_eq!(ran.report["statements"][0]["rows"], 500, "{ran}");
        assert_eq!(database.value("SELECT count(*) FROM scratch"), "500", "{ran}");
        // Without a limit of rows, what was judged as empty is not lost with rows in it either.
        database.sql("TRUNCATE scratch");
        project.policy("[hazards]\ndrop_table = { only = ['public.scratch'] }\n");
        let writer = database.hold("INSERT INTO scratch VALUES (1)");
        let running = project.pilot(&["push", "--apply", apply]).spawn();
        wait_for_a_lock(&database);
        writer.commit();
        let says = ["public.scratch was empty when the statements were judged, and has 1 row now"];
        let ran = running.finish().expect(3).database("unchanged").says(&says);
        assert_eq!(database.value("SELECT count(*) FROM scratch"), "1", "{ran}");
        // What had rows is told anew, and goes.
        let writer = database.hold("INSERT INTO scratch VALUES (2)");
        let running = project.pilot(&["push", "--apply", apply]).spawn();
        wait_for_a_lock(&database);
        writer.commit();
        let says = ["public.scratch has 2 rows by now, 1 more than at the first count"];
        let ran = running.finish().expect(0).database("changed").says(&says);
        assert_eq!(ran.report["statements"][0]["rows"], 2, "{ran}");
        assert_eq!(ran.report["counted"]["locked"], apply == "transaction", "{ran}");
    }
}

#[test]
fn who_does_not_come_to_an_end_is_named() {
    for apply in ["kit", "transaction"] {
        let database = Database::create();
        let project = project(&database, ONLY_EMPTY);
        let writer = database.hold("INSERT INTO scratch VALUES (1)");
        let ran = project.pilot(&["push", "--apply", apply, "--lock-timeout", "500ms"]).run().expect(75);
        let ran = ran.database("unchanged").says(&["called live-test, idle in transaction", "holds public.scratch"]);
        writer.release();
        assert_eq!(database.value("SELECT count(*) FROM scratch"), "0", "{ran}");
        project.pilot(&["push", "--apply", apply]).run().expect(0).database("changed");
    }
}

/// What depends on the table by then is looked up anew as well.
#[test]
fn what_hangs_on_it_by_the_time_of_the_drop_is_judged_too() {
    let database = Database::create();
    let project = project(&database, "[hazards]\ndrop_column = 'approve'\n");
    project.schema(
        "export const keep = pgTable('keep', { id: integer('id') });
         export const scratch = pgTable('scratch', { id: integer('id') });",
    );
    // Nobody who writes is kept out by that, and no fingerprint has it.
    let maker = database.hold("CREATE PUBLICATION late FOR TABLE scratch (n)");
    let running = project.pilot(&["push", "--apply", "transaction"]).spawn();
    wait_for_a_lock(&database);
    maker.commit();
    let says = ["column public.scratch.n cannot be dropped while publication relation public.scratch.late needs it"];
    let ran = running.finish().expect(3).database("unchanged").says(&says);
    assert_eq!(database.value("SELECT count(*) FROM pg_publication_rel"), "1", "{ran}");
}
