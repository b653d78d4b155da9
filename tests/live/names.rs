//! Names alone that differ between a database and its migrations: refused, kept, written to a file, and mended by `sync`.

use serde_json::Value;

use crate::NEWEST;
use crate::migrations::{HISTORY, project as hand_made};
use crate::support::{Database, Project, Ran, Server};

/// A name that the server clips.
const LONG: &str = "the_customers_whose_names_are_so_long_that_the_server_clips_them_somewhere";

/// Migrations that rename two tables that refer to each other, and what a push makes under the new names.
fn renamed() -> (Vec<(i64, String)>, String) {
    let made = |clients: &str, orders: &str, index: &str| {
        format!(
            "CREATE TABLE \"{clients}\" (id serial PRIMARY KEY, email text UNIQUE, \"No\" integer GENERATED ALWAYS AS IDENTITY);
             CREATE TABLE {orders} (id serial PRIMARY KEY, client integer REFERENCES \"{clients}\" (id), before integer REFERENCES {orders} (id));
             CREATE INDEX {index} ON {orders} (client) WHERE before IS NULL;"
        )
    };
    let renames = format!("ALTER TABLE clients RENAME TO \"{LONG}\";\nALTER TABLE orders RENAME TO \"Purchases\";");
    let migrations = vec![(10, made("clients", "orders", "by_client")), (20, renames)];
    (migrations, made(LONG, "\"Purchases\"", "\"By Client\""))
}

fn made() -> (Database, Project) {
    let (migrations, pushed) = renamed();
    let migrations: Vec<_> = migrations.iter().map(|(when, text)| (*when, text.as_str())).collect();
    let database = Database::create();
    let project = hand_made(NEWEST, &database, &migrations);
    database.sql(&pushed);
    (database, project)
}

fn list(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns the statements that a report has for the names.
fn renames(ran: &Ran) -> Vec<String> {
    list(&ran.report["comparisons"][0]["renames"]).into_iter().map(str::to_owned).collect()
}

/// Returns the levels of what `check` found in the database.
fn drift(ran: &Ran) -> Vec<&str> {
    assert!(ran.report["comparisons"].is_array(), "the database was compared\n{ran}");
    let findings = ran.report["findings"].as_array().into_iter().flatten();
    findings.filter(|it| it["id"] == "database-drift").filter_map(|it| it["level"].as_str()).collect()
}

#[test]
fn names_alone_are_refused_until_they_are_mended_or_allowed() {
    let (database, project) = made();
    let before = database.everything();
    let ran = project.pilot(&["sync"]).run().expect(3).database("unchanged").says(&[
        "only names differ",
        "drizzle-pilot sync --rename",
        "ALTER TABLE \"public\".\"Purchases\" RENAME CONSTRAINT \"Purchases_pkey\" TO \"orders_pkey\";",
        "ALTER INDEX \"public\".\"By Client\" RENAME TO \"by_client\";",
    ]);
    let comparison = &ran.report["comparisons"][0];
    let hows: Vec<&str> =
        comparison["differences"].as_array().into_iter().flatten().filter_map(|it| it["how"].as_str()).collect();
    assert!(!hows.is_empty() && hows.iter().all(|how| *how == "name"), "{ran}");
    // Two keys and their indexes, a unique and its index, two references, an index, and three sequences.
    assert_eq!((hows.len(), renames(&ran).len()), (12, 9), "{ran}");
    for statement in renames(&ran) {
        let shown = format!("{}{}", ran.stdout, ran.stderr);
        assert_eq!(shown.matches(&statement).count(), 1, "each is shown once: {statement}\n{ran}");
    }
    let lines = ran.allow_with();
    assert!(lines.contains("[sync]\nnames = \"warn\""), "{lines}");
    project.pilot(&["sync", "--dry-run", "--rename"]).run().expect(2).says(&["9 names would be changed, and 2 rows"]);
    let ran = project.pilot(&["check", "--database"]).run().expect(2).says(&["only the name differs"]);
    assert_eq!(drift(&ran), ["error"; 9], "{ran}");
    assert_eq!(database.everything(), before);

    project.paste(&lines);
    project.pilot(&["sync", "--dry-run"]).run().expect(2).says(&["2 rows would be written", "only names differ"]);
    project.pilot(&["sync"]).run().expect(0).says(&["warning:", "only names differ", "2 rows written"]);
    assert_eq!(database.everything().schema, before.schema);
    let ran = project.pilot(&["next"]).run();
    assert!(ran.stdout.contains("which the policy allows") && !ran.stdout.contains("drifted"), "{ran}");
    assert_eq!(drift(&project.pilot(&["check", "--database"]).run()), ["warning"; 9]);

    // What was kept can be mended later.
    project.pilot(&["sync", "--rename"]).run().expect(0).says(&["9 names changed and read back"]).database("changed");
    assert!(drift(&project.pilot(&["check", "--database"]).run()).is_empty());
    project.pilot(&["sync", "--rename"]).run().expect(0).says(&["there is nothing to write"]).database("unchanged");
}

#[test]
fn what_is_shown_is_executed_and_makes_what_the_migrations_make() {
    let (database, project) = made();
    let log = database.log_statements();
    let says = ["9 names changed, and 2 rows written to the migrations table and read back: 2 applied"];
    let ran = project.pilot(&["sync", "--rename"]).run().expect(0).database("changed").says(&says);
    let executed: Vec<String> = log.end_of_all().into_iter().filter(|text| text.contains(" RENAME ")).collect();
    let executed: Vec<&String> = executed.iter().filter(|text| !text.contains("RENAME TO \"Purchases\"")).collect();
    assert_eq!(executed, renames(&ran).iter().collect::<Vec<_>>(), "{ran}");
    assert_eq!(list(&ran.report["migrations"]["writes"])[..9], renames(&ran), "{ran}");
    assert_eq!(database.list(HISTORY), ["10", "20"]);

    let (migrations, _) = renamed();
    let migrations: Vec<_> = migrations.iter().map(|(when, text)| (*when, text.as_str())).collect();
    let other = Database::create();
    hand_made(NEWEST, &other, &migrations).pilot(&["migrate"]).run().expect(0);
    assert_eq!(database.everything().schema.lines, other.everything().schema.lines);
    database
        .sql(&format!("INSERT INTO \"{LONG}\" (email) VALUES ('a'); INSERT INTO \"Purchases\" (client) VALUES (1)"));
}

#[test]
fn the_statements_go_to_a_file_that_is_not_replaced_in_silence() {
    let (database, project) = made();
    let before = database.everything();
    let write = ["sync", "--write-renames", "names.sql"];
    let ran = project
        .pilot(&write)
        .run()
        .expect(3)
        .says(&["names.sql is written: 9 statements", "run the statements in names.sql"]);
    let text = project.read("names.sql");
    let statements: Vec<&str> = text.lines().filter(|line| !line.starts_with("--")).collect();
    assert_eq!(statements, renames(&ran));
    project.pilot(&write).run().expect(3).says(&["names.sql was there, and is replaced"]);
    assert_eq!(database.everything(), before);
    database.sql(&text);
    project.pilot(&write).run().expect(0).says(&["no names differ: names.sql is not written", "2 rows written"]);
    project.pilot(&["sync", "--rename", "--write-renames", "names.sql"]).run().expect(64);
}

/// A rename that fails, and one after which something else is no longer as it was: an event trigger sees to both.
#[test]
fn what_does_not_come_to_what_the_migrations_make_is_rolled_back() {
    let on_rename = |body: &str| {
        format!("CREATE FUNCTION on_rename() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;")
    };
    let made = |body: &str| {
        let table = "CREATE TABLE a (id serial PRIMARY KEY, note text DEFAULT 'x'); CREATE INDEX i ON a (note);";
        let function = on_rename(body);
        let database = Database::create();
        let migrations = [(10, format!("{function}\n{table}")), (20, "ALTER TABLE a RENAME TO b;".to_owned())];
        let migrations = migrations.each_ref().map(|(when, text)| (*when, text.as_str()));
        let project = hand_made(NEWEST, &database, &migrations);
        database.sql(&format!("{function} {}", table.replace(" a ", " b ").replace("INDEX i", "INDEX j")));
        database.sql(
            "CREATE EVENT TRIGGER on_rename ON ddl_command_end WHEN TAG IN ('ALTER INDEX') EXECUTE FUNCTION on_rename()",
        );
        (database, project)
    };
    for (body, code, says) in [
        ("RAISE EXCEPTION 'no names today';", 1, "statement 2 failed: no names today"),
        ("ALTER TABLE b ALTER note DROP DEFAULT;", 3, "would not have what they are for: column public.b.note"),
    ] {
        let (database, project) = made(body);
        let before = database.everything();
        let says = [says, "the transaction was rolled back"];
        let ran = project.pilot(&["sync", "--rename"]).run().expect(code).database("unchanged").says(&says);
        assert_eq!(renames(&ran).len(), 3, "{ran}");
        assert_eq!(database.everything(), before, "{body}");
    }
}

#[test]
fn names_are_changed_under_the_lock() {
    let (database, project) = made();
    let before = database.everything();
    let other = database.hold("SELECT pg_advisory_xact_lock(1685745772, 1)");
    let args = ["sync", "--rename", "--lock-timeout", "1s"];
    project.pilot(&args).run().expect(75).database("unchanged");
    other.release();
    assert_eq!(database.everything(), before);
}

#[test]
fn names_are_not_changed_where_more_differs() {
    let (database, project) = made();
    database
        .sql(&format!("ALTER TABLE \"{LONG}\" ADD COLUMN by_hand text; CREATE TABLE extra (id integer PRIMARY KEY)"));
    let before = database.everything();
    let table = &LONG[..63];
    let says = [
        &format!("table public.{table}\n    column by_hand: the database has text, the migrations do not make it"),
        "table public.extra: the database has it with 1 column, 1 constraint and 1 index, the migrations do not make it",
        "some objects differ only by name",
        "(2 differences and 9 names)",
    ];
    project.pilot(&["sync", "--rename"]).run().expect(3).says(&says).database("unchanged");
    project.policy("[sync]\nnames = \"warn\"\n");
    let ran = project.pilot(&["sync"]).run().expect(3).says(&says).database("unchanged");
    let extra = |it: &&Value| it["how"] == "extra" && it["table"] == "extra";
    let differences = ran.report["comparisons"][0]["differences"].as_array().cloned().unwrap_or_default();
    assert_eq!(differences.iter().filter(extra).count(), 4, "a report has each part of a table\n{ran}");
    assert_eq!(database.everything(), before);
}

#[test]
fn what_partitions_have_from_their_table_is_renamed_with_it() {
    let made = |check: &str, key: &str| {
        format!(
            "CREATE TABLE t (a int CONSTRAINT {check} CHECK (a > 1), CONSTRAINT {key} PRIMARY KEY (a)) PARTITION BY RANGE (a);
             CREATE TABLE t_1 PARTITION OF t FOR VALUES FROM (1) TO (10);"
        )
    };
    for server in [Server::Postgres15, Server::Postgres18] {
        let database = Database::create_on(server);
        let project = hand_made(NEWEST, &database, &[(10, &made("positive", "key"))]);
        database.sql(&made("checked", "\"Primary\""));
        project.pilot(&["sync", "--rename"]).run().expect(0).says(&["2 names changed, and 1 row written"]);
        assert!(drift(&project.pilot(&["check", "--database"]).run()).is_empty());
    }
}

#[test]
fn two_names_that_were_swapped_are_swapped_back() {
    let database = Database::create();
    let text = "CREATE TABLE t (a int CONSTRAINT one CHECK (a > 1) CONSTRAINT two CHECK (a < 9));\nCREATE INDEX i ON t (a);\nCREATE INDEX j ON t (abs(a));";
    let project = hand_made(NEWEST, &database, &[(10, text)]);
    database.sql(
        "CREATE TABLE t (a int CONSTRAINT two CHECK (a > 1) CONSTRAINT one CHECK (a < 9)); CREATE INDEX j ON t (a); CREATE INDEX i ON t (abs(a))",
    );
    let ran = project.pilot(&["sync", "--rename"]).run().expect(0).says(&["6 names changed, and 1 row written"]);
    assert!(renames(&ran).iter().any(|statement| statement.contains("drizzle_pilot_waits_1")), "{ran}");
    assert!(drift(&project.pilot(&["check", "--database"]).run()).is_empty());
}
