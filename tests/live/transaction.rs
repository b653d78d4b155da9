//! `push --apply transaction`: all of the statements or none, whatever ends it.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::NEWEST;
use crate::support::{Database, Held, Project, Ran, Random, Run, Running, Signal, gone_within, until};

on_every_kit!(@ kit_0_28_1 "0.28.1"
    five_statements_are_one_transaction_with_a_witness
    a_failure_at_any_position_leaves_nothing
    an_enum_value_in_use_is_no_half_state
    an_enum_that_something_else_needs_is_no_half_state
);
on_every_kit!(@ kit_0_31_11 "0.31.11"
    five_statements_are_one_transaction_with_a_witness
    a_failure_at_any_position_leaves_nothing
    an_enum_value_in_use_is_no_half_state
    an_enum_that_something_else_needs_is_no_half_state
    a_signal_leaves_nothing
);
on_1_0_as_well! {
    five_statements_are_one_transaction_with_a_witness
    a_signal_leaves_nothing
}

const N_STATEMENTS: usize = 5;

const BEFORE: &str = "
    CREATE TABLE users (id integer PRIMARY KEY, name text, legacy_id integer);
    INSERT INTO users VALUES (1, 'ann', 11), (2, 'ben', 22), (3, 'cy', 33)";

/// A table with a foreign key, a column, an index, and a column less.
const SCHEMA: &str = "
import { index, integer, pgTable, text } from 'drizzle-orm/pg-core';

export const users = pgTable('users', {
  id: integer('id').primaryKey(), name: text('name'), age: integer('age').default(7) });
export const posts = pgTable('posts', {
  id: integer('id').primaryKey(), userId: integer('user_id').references(() => users.id),
}, (table) => ({ byUser: index('posts_by_user').on(table.userId) }));
";

/// Meets the statements of a transaction of ours: at the one that `lab.halt` names it fails, or waits for a lock that
/// the test has. At the commit it waits by way of a deferred trigger.
const HALTS: &str = "
    CREATE SCHEMA lab;
    CREATE TABLE lab.halt (event text, sql text, what text);
    CREATE TABLE lab.deferred (id integer);
    CREATE FUNCTION lab.wait() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN PERFORM pg_advisory_xact_lock(1, 1); RETURN NULL; END $$;
    CREATE CONSTRAINT TRIGGER wait AFTER INSERT ON lab.deferred DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION lab.wait();
    CREATE FUNCTION lab.meet() RETURNS event_trigger LANGUAGE plpgsql AS $$
      DECLARE what text;
      BEGIN
        SELECT h.what INTO what FROM lab.halt h WHERE h.event = TG_EVENT AND h.sql = current_query();
        IF what = 'fail' THEN RAISE 'the test stops here' USING ERRCODE = 'ZT001'; END IF;
        IF what = 'wait' THEN PERFORM pg_advisory_xact_lock(1, 1); END IF;
        IF what = 'wait at commit' THEN INSERT INTO lab.deferred VALUES (1); END IF;
      END $$;
    CREATE EVENT TRIGGER meet_start ON ddl_command_start EXECUTE FUNCTION lab.meet();
    CREATE EVENT TRIGGER meet_end ON ddl_command_end EXECUTE FUNCTION lab.meet()";

/// A database and a project whose push has five statements.
struct Five {
    database: Database,
    project: Project,
    statements: Vec<String>,
}

impl Five {
    fn new(kit: &str) -> Self {
        let database = Database::create();
        database.sql(BEFORE);
        database.sql(HALTS);
        let project = Project::new(kit, &database);
        project.write("schema.ts", SCHEMA);
        project.policy(
            "[create]\ncolumns = [\"public.users.age\"]\n\n[hazards]\ndrop_column = { only = [\"public.users.legacy_id\"] }\n",
        );
        let plan = project.pilot(&["plan"]).run().expect(2);
        let statements = plan.report["statements"].as_array().into_iter().flatten();
        let statements: Vec<String> =
            statements.map(|statement| statement["sql"].as_str().expect("it is SQL").to_owned()).collect();
        assert_eq!(statements.len(), N_STATEMENTS, "{plan}");
        Self { database, project, statements }
    }

    fn push(&self) -> Run {
        self.project.pilot(&["push", "--apply", "transaction"])
    }

    /// Says what happens at a statement, before it or after it.
    fn halt(&self, event: &str, statement_idx: usize, what: &str) {
        let sql = &self.statements[statement_idx];
        self.database
            .sql(&format!("TRUNCATE lab.halt; INSERT INTO lab.halt VALUES ('{event}', $sql${sql}$sql$, '{what}')"));
    }

    /// Starts a push and waits until it has come to the lock.
    fn stuck(&self) -> (Running, Held) {
        let lock = self.database.hold("SELECT pg_advisory_xact_lock(1, 1)");
        let running = self.push().spawn();
        self.wait_for_the_lock(&running);
        (running, lock)
    }

    /// Waits until the transaction waits.
    fn wait_for_the_lock(&self, running: &Running) {
        let waiting = "SELECT count(*) FROM pg_stat_activity
                       WHERE datname = current_database() AND wait_event_type = 'Lock' AND wait_event = 'advisory'";
        let mut ended = false;
        until("the transaction waits", || {
            ended = running.has_ended();
            ended || self.database.value(waiting) != "0"
        });
        assert!(!ended, "it ended before it had to wait");
    }

    /// Returns what the schema is after the push: of another database, for the lines name none.
    fn after(&self) -> Vec<String> {
        let other = Five::new(NEWEST);
        other.push().run().expect(0);
        other.database.everything().schema.lines
    }

    /// Waits for the end of a run that was hit, and for its backends to go, while the lock is still held.
    fn end(&self, running: Running, lock: Held) -> Ran {
        let ran = running.finish();
        gone_within(Duration::from_secs(3), "a backend", || self.database.foreign_backends());
        lock.release();
        ran
    }
}

fn five_statements_are_one_transaction_with_a_witness(kit: &str) {
    let five = Five::new(kit);
    let ran = five.push().run().expect(0).database("changed");
    let ran = ran.says(&["5 statements committed in one transaction, and drizzle-kit finds no more changes"]);
    assert!(five.database.state().contains(&"public.posts (id integer, user_id integer): 0 rows".to_owned()), "{ran}");
    assert!(five.database.state().contains(&"public.users (id integer, name text, age integer): 3 rows".to_owned()));
    // Each row of the catalog knows the transaction that made it. (0.28 makes the foreign key in a subtransaction.)
    let made_by = "SELECT DISTINCT xmin FROM pg_attribute
        WHERE attrelid IN ('posts'::regclass, 'posts_by_user'::regclass) AND attnum > 0
           OR attrelid = 'users'::regclass AND (attname = 'age' OR attisdropped)";
    assert_eq!(five.database.list(made_by).len(), 1);
    five.push().run().expect(0).database("unchanged");
}

fn a_failure_at_any_position_leaves_nothing(kit: &str) {
    let five = Five::new(kit);
    for idx in 0..N_STATEMENTS {
        five.halt("ddl_command_end", idx, "fail");
        let before = five.database.everything();
        let ran = five.push().run().expect(1).database("unchanged");
        let ran = ran.says(&[&format!("statement {} failed: the test stops here (ZT001)", idx + 1)]);
        assert_eq!(ran.report["error"]["sqlstate"], "ZT001", "{ran}");
        assert_eq!(ran.report["error"]["statement"], five.statements[idx].as_str(), "{ran}");
        assert_eq!(five.database.everything(), before, "{ran}");
    }
    five.database.sql("TRUNCATE lab.halt");
    five.push().run().expect(0).database("changed");
}

fn a_signal_leaves_nothing(kit: &str) {
    let five = Five::new(kit);
    for (signal, code, event) in [(Signal::TERM, 143, "ddl_command_start"), (Signal::INT, 130, "ddl_command_end")] {
        five.halt(event, 2, "wait");
        let before = five.database.everything();
        let (running, lock) = five.stuck();
        running.signal(signal);
        let ran = five.end(running, lock).expect(code).database("unchanged").says(&["Nothing was executed."]);
        assert_eq!(five.database.everything(), before, "{ran}");
    }
}

#[test]
fn a_kill_after_any_statement_leaves_nothing() {
    let five = Five::new(NEWEST);
    for idx in 0..N_STATEMENTS {
        five.halt("ddl_command_end", idx, "wait");
        check_killed(&five, &format!("after statement {idx}"));
    }
}

#[test]
fn a_kill_in_the_middle_of_the_commit_leaves_nothing() {
    let five = Five::new(NEWEST);
    five.halt("ddl_command_end", 0, "wait at commit");
    check_killed(&five, "commit");
}

/// Before the transaction there is nothing to keep, and after it everything is kept.
#[test]
fn a_kill_before_the_transaction_or_after_it_leaves_all_or_nothing() {
    let five = Five::new(NEWEST);
    let before = five.database.everything();
    let kill = |words: &str| {
        let mut running = five.push().args(&["-vv"]).spawn();
        running.wait_for(words);
        running.signal(Signal::KILL);
        let ran = running.finish();
        assert_eq!(ran.code, -9, "{words}\n{ran}");
        gone_within(Duration::from_secs(3), "a backend", || five.database.foreign_backends());
        ran
    };
    for words in ["starting drizzle-kit", "key=\"enter\""] {
        let ran = kill(words);
        assert_eq!(five.database.everything(), before, "{words}\n{ran}");
    }

    // Another run has the lock, and ours waits for it.
    let lock = five.database.hold("SELECT pg_advisory_xact_lock(1685745772, 1)");
    let running = five.push().spawn();
    five.wait_for_the_lock(&running);
    running.signal(Signal::KILL);
    let ran = five.end(running, lock);
    assert_eq!(five.database.everything(), before, "{ran}");

    // The witness is looking.
    let after = five.after();
    let mut running = five.push().args(&["-vv"]).spawn();
    running.wait_for("in one transaction");
    running.wait_for("starting drizzle-kit");
    running.signal(Signal::KILL);
    let ran = running.finish();
    assert_eq!(five.database.everything().schema.lines, after, "{ran}");
}

/// Any moment is as good as those above: some that nobody chose.
#[test]
fn a_kill_at_any_moment_leaves_all_or_nothing() {
    const SEED: u64 = 20_240_229;
    let mut random = Random(SEED);
    let mut five = Five::new(NEWEST);
    let after = five.after();
    for _ in 0..20 {
        let before = five.database.everything();
        let moment = Duration::from_micros(random.below(60_000));
        let mut running = five.push().spawn();
        running.wait_for("in one transaction");
        // The moment itself is what is drawn; nothing is waited for.
        std::thread::sleep(moment);
        running.signal(Signal::KILL);
        let ran = running.finish();
        gone_within(Duration::from_secs(3), "a backend", || five.database.foreign_backends());
        let now = five.database.everything();
        let is_whole = now.schema.lines == after;
        assert!(is_whole || now == before, "{moment:?} after the beginning, seed {SEED}\n{ran}");
        if is_whole {
            five = Five::new(NEWEST);
        }
    }
}

#[test]
fn a_run_that_finds_the_lock_taken_names_who_has_it() {
    let five = Five::new(NEWEST);
    let before = five.database.everything();
    let lock = five.database.hold("SELECT pg_advisory_lock(1685745772, 1)");
    let holder = five.database.value(
        "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND database = (
        SELECT oid FROM pg_database WHERE datname = current_database())",
    );
    let ran = five.push().args(&["--lock-timeout=1s"]).run().expect(75).database("unchanged");
    let ran =
        ran.says(&["another run changes this database", &format!("backend {holder} of postgres, called live-test")]);
    assert_eq!(five.database.everything(), before, "{ran}");
    drop(lock);
}

/// A value is taken out of an enum while a row has it. drizzle-kit makes the column text, replaces the type, and fails
/// to make the column an enum again.
fn an_enum_value_in_use_is_no_half_state(kit: &str) {
    let incident = || enum_incident(kit, "");
    let labels = "SELECT string_agg(enumlabel, ' ' ORDER BY enumsortorder) FROM pg_enum";
    let whole = ["public.items (id integer, status status): 2 rows"];

    // drizzle-kit alone.
    let (database, project) = incident();
    let output = Command::new("node")
        .args(["node_modules/drizzle-kit/bin.cjs", "push", "--force"])
        .current_dir(project.path(""))
        .env("DATABASE_URL", database.url().as_str())
        .stdin(Stdio::null())
        .output()
        .expect("node is installed");
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(database.state(), ["public.items (id integer, status text): 2 rows"], "{text}");
    assert_eq!(database.value(labels), "draft live", "{text}");

    // With the program it is refused, and where the policy allows it, drizzle-kit does not get to apply a half of it.
    let (database, project) = incident();
    let before = database.everything();
    let says = "refused: 1 row has a value in public.items.status that the new public.status does not have: 'dead'; drizzle-kit \
                would change public.items.status to text, replace public.status, and fail to change the column back; \
                give \
                them one of 'draft', 'live' first, such as: UPDATE \"public\".\"items\" SET \"status\" = 'draft' WHERE \"status\" = \
                'dead'\n";
    let ran = project.push().expect(3).database("unchanged").says(&["refused: recreate_enum public.status", says]);
    assert_eq!(ran.stderr.matches("refused: recreate_enum").count(), 1, "it is said once\n{ran}");
    let ran = ran.offers_no_lines();
    assert_eq!(database.everything(), before, "{ran}");
    // No line of the policy helps, and no other way of applying it.
    project.policy("[hazards]\nrecreate_enum = 'approve'\n");
    for arguments in [&["push"][..], &["push", "--accept-data-loss"], &["push", "--apply", "transaction"], &["plan"]] {
        let ran = project.pilot(arguments).run().expect(3).database("unchanged").says(&[says]).offers_no_lines();
        assert_eq!(database.everything(), before, "{ran}");
    }
    assert_eq!(database.state(), whole);
    assert_eq!(database.value(labels), "draft live dead");

    // Without the row it goes through, all of it.
    database.sql("DELETE FROM items WHERE status = 'dead'");
    for apply in ["transaction", "kit"] {
        project.pilot(&["push", "--apply", apply]).run().expect(0).database("changed");
        assert_eq!(database.state(), ["public.items (id integer, status status): 1 rows"], "{apply}");
        assert_eq!(database.value(labels), "draft live", "{apply}");
        database.sql("ALTER TYPE status ADD VALUE 'dead'");
    }
}

/// A database and a project that takes the value `dead` out of an enum, which a row has.
fn enum_incident(kit: &str, beside: &str) -> (Database, Project) {
    let database = Database::create();
    database.sql(
        "CREATE TYPE status AS ENUM ('draft', 'live', 'dead');
         CREATE TABLE items (id integer PRIMARY KEY, status status);
         INSERT INTO items VALUES (1, 'draft'), (2, 'dead')",
    );
    database.sql(beside);
    let project = Project::new(kit, &database);
    project.schema(
        "export const status = pgEnum('status', ['draft', 'live']);
         export const items = pgTable('items', { id: integer('id').primaryKey(), status: status('status') });",
    );
    (database, project)
}

/// The type cannot be dropped while a function takes it: by then the column is text.
fn an_enum_that_something_else_needs_is_no_half_state(kit: &str) {
    let beside = "DELETE FROM items WHERE status = 'dead';
                  CREATE FUNCTION shout(status) RETURNS text LANGUAGE sql AS 'SELECT upper($1::text)'";
    let (database, project) = enum_incident(kit, beside);
    project.policy("[hazards]\nrecreate_enum = 'approve'\n");
    let before = database.everything();
    let ran = project.push().expect(3).database("unchanged");
    let ran = ran
        .says(&["refused: type public.status cannot be dropped while function public.shout(public.status) needs it"]);
    assert_eq!(database.everything(), before, "{ran}");
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(3).database("unchanged");
    assert_eq!(database.everything(), before, "{ran}");
}

/// Kills the program while the transaction waits.
fn check_killed(five: &Five, moment: &str) {
    let before = five.database.everything();
    let (running, lock) = five.stuck();
    running.signal(Signal::KILL);
    let ran = five.end(running, lock);
    assert_eq!(ran.code, -9, "{moment}\n{ran}");
    assert_eq!(five.database.everything(), before, "{moment}\n{ran}");
}
