//! `next`: where a project stands, on the real kit and database.

use std::io::Write;
use std::path::Path;

use serde_json::Value;

use crate::NEWEST;
use crate::migrations::project as hand_made;
use crate::support::{Database, Project};

const USERS: &str = "export const users = pgTable('users', { id: serial('id').primaryKey(), name: text('name') });\n";
const MOOD: &str = "export const mood = pgEnum('mood', ['active', 'inactive']);
export const users = pgTable('users', { id: serial('id').primaryKey(), mood: mood('mood') });\n";

/// Makes a project with a migration that the kit made of this schema, applied to the database.
fn migrated(schema: &str) -> (Database, Project) {
    let (database, project) = generated(schema);
    project.pilot(&["migrate"]).run().expect(0);
    (database, project)
}

fn generated(schema: &str) -> (Database, Project) {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema(schema);
    project.pilot(&["generate"]).run().expect(0);
    (database, project)
}

/// Checks the state, the command that comes next, and what is said; and that looking changes nothing.
#[track_caller]
fn check(database: &Database, project: &Project, state: &str, next: Option<&str>, says: &[&str]) {
    let before = (database.state(), contents(&project.path("drizzle")));
    let code = if matches!(state, "clean" | "pushed") { 0 } else { 2 };
    let ran = project.pilot(&["next", "--format", "json"]).run().expect(code).database("unchanged");
    assert_eq!(ran.json(), ran.report, "the report file is the same document");
    let advice = &ran.report["next"];
    assert_eq!(advice["state"], state, "{ran}");
    assert_eq!(advice["steps"][0]["command"].as_str(), next, "{ran}");
    let shown: String = strings(&ran.report).join("\n");
    for says in says {
        assert!(shown.contains(says), "it does not say {says:?}\n{shown}");
    }
    assert_eq!((database.state(), contents(&project.path("drizzle"))), before, "{state}");
}

/// Returns every text of a document.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(values) => values.iter().flat_map(strings).collect(),
        Value::Object(values) => values.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn contents(folder: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    files.map(|entry| (entry.path().to_owned(), std::fs::read(entry.path()).expect("it is ours"))).collect()
}

/// The states of a project whose migration is applied, and what follows from each change to it.
#[test]
fn a_migrated_project_is_clean_edited_pending_drifted_or_in_conflict() {
    let (database, project) = migrated(USERS);
    let before = database.everything();
    check(&database, &project, "clean", None, &["agree (1 applied)", "edit the schema files"]);
    assert_eq!(database.everything(), before);
    let ran = project.pilot(&["next"]).run().expect(0);
    assert!(ran.stdout.starts_with("state  clean: "), "{ran}");

    database.sql("ALTER TABLE users ADD COLUMN by_hand text");
    check(
        &database,
        &project,
        "drifted",
        None,
        &["column public.users.by_hand: the database has text, the migrations do not make it", "check --database"],
    );
    database.sql("ALTER TABLE users DROP COLUMN by_hand");

    project.schema(&USERS.replace("text('name')", "text('name').notNull(), age: integer('age')"));
    let edited =
        ["ALTER TABLE \"users\" ADD COLUMN \"age\" integer;", "not-null", "UPDATE \"public\".\"users\" SET \"name\" ="];
    check(&database, &project, "edited-schema", Some("drizzle-pilot generate"), &edited);
    project.schema(&USERS.replace("name: text('name')", "fullName: text('full_name')"));
    check(
        &database,
        &project,
        "edited-schema",
        None,
        &["asks what was renamed", "\"public.users.name\" = \"full_name\""],
    );

    project.schema(&USERS.replace("text('name')", "text('name'), age: integer('age')"));
    project.pilot(&["generate", "--", "--name=age"]).run().expect(0);
    check(&database, &project, "pending", Some("drizzle-pilot migrate"), &["drizzle/0001_age.sql is pending"]);

    let journal = std::fs::read_to_string(project.path("drizzle/meta/_journal.json")).expect("there is one");
    let conflicted = format!("<<<<<<< HEAD\n{journal}=======\n>>>>>>> theirs\n");
    project.write("drizzle/meta/_journal.json", &conflicted);
    check(&database, &project, "conflict", None, &["drizzle/meta/_journal.json:1: git left conflict markers"]);
}

#[test]
fn a_push_built_database_an_enum_and_a_skipped_migration_are_known() {
    let (database, project) = generated(MOOD);
    project.push().expect(0);
    let sync = Some("drizzle-pilot sync --dry-run");
    check(&database, &project, "push-built", sync, &["1 table and no recorded migrations", "drizzle-pilot sync"]);
    project.pilot(&["sync"]).run().expect(0);

    project.schema(&MOOD.replace("'inactive'", "'gone'"));
    let enums = ["mood loses inactive", "RENAME VALUE 'inactive' TO 'gone'", "WHERE \"mood\"::text IN ('inactive')"];
    check(&database, &project, "enum-change", Some("drizzle-pilot generate"), &enums);

    let database = Database::create();
    let first = [(10, "CREATE TABLE a ();"), (20, "CREATE TABLE c ();")];
    let project = hand_made(NEWEST, &database, &first);
    project.pilot(&["migrate"]).run().expect(0);
    crate::migrations::folder(&project, &[first[0], (15, "CREATE TABLE late ();"), first[1]]);
    let repair = Some("drizzle-pilot sync --repair-order");
    check(&database, &project, "skipped", repair, &["0001_m was skipped", "drizzle-pilot migrate"]);
}

#[test]
fn a_project_without_migrations_pushes_and_a_database_that_is_not_there_is_69() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema(USERS);
    check(
        &database,
        &project,
        "unpushed",
        Some("drizzle-pilot push"),
        &["the database is empty", "CREATE TABLE \"users\""],
    );
    project.push().expect(0);
    check(&database, &project, "pushed", None, &["matches the schema files"]);
    let nowhere = "postgres://app@127.0.0.1:1/shop";
    project.pilot(&["next"]).env("DATABASE_URL", nowhere).run().expect(69);
    project.pilot(&["next", "--url", nowhere]).run().expect(64).says(&["--url only applies to them"]);
}

/// Writes a snapshot of a migration of `hand_made`.
fn snapshot(project: &Project, number: usize, id: &str, before: &str, columns: &[&str]) {
    let column = |name: &str| {
        let column = serde_json::json!({ "name": name, "type": "text", "primaryKey": false, "notNull": false });
        (name.to_owned(), column)
    };
    let columns: std::collections::BTreeMap<_, _> = columns.iter().map(|name| column(name)).collect();
    let table = serde_json::json!({ "name": "t", "schema": "", "columns": columns, "indexes": {}, "foreignKeys": {},
        "compositePrimaryKeys": {}, "uniqueConstraints": {}, "policies": {}, "checkConstraints": {}, "isRLSEnabled": false });
    let text = serde_json::json!({ "id": id, "prevId": before, "version": "7", "dialect": "postgresql",
        "tables": { "public.t": table }, "enums": {}, "schemas": {}, "sequences": {}, "roles": {}, "policies": {}, "views": {},
        "_meta": { "columns": {}, "schemas": {}, "tables": {} } });
    project.write(&format!("drizzle/meta/{number:04}_snapshot.json"), &text.to_string());
}

const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";

/// Two branches that met, before and after a database had both of their migrations.
#[test]
fn what_the_database_has_is_not_to_be_deleted() {
    let database = Database::create();
    let migrations = [
        (10, "CREATE TABLE t (k text);"),
        (20, "ALTER TABLE t ADD COLUMN a text;"),
        (30, "ALTER TABLE t ADD COLUMN b text;"),
    ];
    let project = hand_made(NEWEST, &database, &migrations);
    project.schema("export const t = pgTable('t', { k: text('k'), a: text('a'), b: text('b') });\n");
    snapshot(&project, 0, "s0", ORIGIN, &["k"]);
    snapshot(&project, 1, "s1", "s0", &["k", "a"]);
    snapshot(&project, 2, "s2", "s0", &["k", "b"]);
    check(&database, &project, "conflict", None, &["delete 0002_m with its entry", "keep 0001_m"]);
    project.pilot(&["migrate"]).run().expect(0);
    let both = ["the database has 0001_m and 0002_m: keep both", "0002_snapshot.json write \"s1\" as the \"prevId\""];
    check(&database, &project, "conflict", None, &both);
    let nowhere = "postgres://app@127.0.0.1:1/shop";
    let ran = project.pilot(&["next"]).env("DATABASE_URL", nowhere).run().expect(2);
    assert!(ran.stdout.contains("could not be queried") && !ran.stdout.contains("delete 000"), "{ran}");
    // As it says, drizzle-kit goes on from there.
    snapshot(&project, 2, "s2", "s1", &["k", "b"]);
    let edited = ["ALTER TABLE \"t\" ADD COLUMN \"a\" text;"];
    check(&database, &project, "edited-schema", Some("drizzle-pilot generate"), &edited);
}

#[test]
fn old_faults_are_notes_and_can_be_accepted() {
    let database = Database::create();
    let project = hand_made(NEWEST, &database, &[(10, "CREATE TABLE t (k text);"), (20, "SELECT 1;")]);
    project.schema("export const t = pgTable('t', { k: text('k') });\n");
    snapshot(&project, 0, "s0", ORIGIN, &["k"]);
    snapshot(&project, 1, "s1", "lost", &["k"]);
    project.pilot(&["migrate"]).run().expect(0);
    check(
        &database,
        &project,
        "clean",
        None,
        &["0001_snapshot.json was made from a snapshot that does not exist", "check --accept-old"],
    );
    project.pilot(&["check", "--accept-old"]).without_report().run().expect(0).says(&["1 old fault is accepted"]);
    let ran = project.pilot(&["next"]).run().expect(0);
    assert!(!ran.stdout.contains("old faults"), "{ran}");
    // A migration without a snapshot is one that was not compared.
    std::fs::remove_file(project.path("drizzle/meta/0001_snapshot.json")).expect("it was written");
    check(
        &database,
        &project,
        "clean",
        None,
        &["nothing is pending", "0001_m has no snapshot: it was not compared with the schema files"],
    );
}

#[test]
fn snapshots_of_another_drizzle_kit_and_a_folder_of_pull_are_known() {
    let (database, project) = migrated(USERS);
    let path = project.path("drizzle/meta/0000_snapshot.json");
    let text = std::fs::read_to_string(&path).expect("there is a snapshot");
    std::fs::write(&path, text.replacen("\"version\": \"7\"", "\"version\": \"6\"", 1)).expect("the folder is ours");
    check(
        &database,
        &project,
        "stale-snapshots",
        Some("drizzle-pilot run -- up"),
        &["0000_snapshot.json has format 6"],
    );

    let database = Database::create();
    database.sql("CREATE TABLE t (id integer); CREATE TABLE u (id integer)");
    let project = Project::new(NEWEST, &database);
    project.pilot(&["run", "--", "pull"]).run().expect(0);
    std::fs::copy(project.path("drizzle/schema.ts"), project.path("schema.ts")).expect("it was pulled");
    let pulled = ["2 tables and no recorded migrations: drizzle-kit pull introspected it"];
    check(&database, &project, "push-built", Some("drizzle-pilot sync --dry-run"), &pulled);
    project.pilot(&["sync"]).run().expect(0).says(&["1 row written to the migrations table"]);
    check(&database, &project, "clean", None, &["agree (1 applied)"]);
    // An empty database needs the statements themselves.
    database.sql("DROP TABLE t, u; DROP SCHEMA drizzle CASCADE");
    check(&database, &project, "astray", None, &["and the database is empty", "remove the lines"]);
}

#[test]
fn on_a_terminal_it_offers_the_command_and_runs_it_on_a_yes() {
    let (database, project) = generated(USERS);
    let answer = |keys: &str| {
        let (mut running, mut keyboard) = project.pilot(&["next"]).spawn_on_terminal(24, 120);
        running.wait_to_see("Run drizzle-pilot migrate now?");
        keyboard.write_all(keys.as_bytes()).expect("it listens");
        running.finish()
    };
    let ran = answer("no\r").expect(2).never_says("Nothing was executed.");
    assert_eq!((&ran.report["command"], &ran.report["next"]["state"]), (&"next".into(), &"pending".into()), "{ran}");
    let ran = answer("\x03").expect(130).says(&["stopped by SIGINT at the question", "Nothing was executed."]);
    assert_eq!((&ran.report["command"], &ran.report["outcome"]), (&"next".into(), &"signal".into()), "{ran}");
    assert!(database.state().is_empty());
    // Its ending is that of the command that was run.
    let ran = answer("y\r").expect(0).database("changed");
    assert_eq!((&ran.report["command"], &ran.report["outcome"]), (&"migrate".into(), &"ok".into()), "{ran}");
    assert_eq!(database.list(crate::migrations::HISTORY).len(), 1);
}
