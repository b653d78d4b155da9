//! A migrations folder, a migrations table and a database: what `status` says, what `migrate` does, and what `sync` writes.

use std::time::Duration;

use url::Url;

use crate::NEWEST;
use crate::advisory_lock::take_away;
use crate::support::{Database, Gate, Project, Ran, Server, Signal, gone_within, transaction_pooler, until};

/// A migration: its time and its text. Its tag is `0000_m` and so on.
pub(crate) type Migration<'a> = (i64, &'a str);

/// Makes a project whose folder has these migrations.
pub(crate) fn project(kit: &str, database: &Database, migrations: &[Migration]) -> Project {
    let project = Project::new(kit, database);
    project.schema("");
    folder(&project, migrations);
    project
}

/// Writes the folder anew.
pub(crate) fn folder(project: &Project, migrations: &[Migration]) {
    std::fs::create_dir_all(project.path("drizzle/meta")).expect("the folder is ours");
    let mut entries = Vec::new();
    for (idx, (when, text)) in migrations.iter().enumerate() {
        let tag = format!("{idx:04}_m");
        project.write(&format!("drizzle/{tag}.sql"), text);
        entries.push(serde_json::json!({ "idx": idx, "version": "7", "when": when, "tag": tag, "breakpoints": true }));
    }
    let journal = serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries });
    project.write("drizzle/meta/_journal.json", &format!("{journal:#}"));
}

/// Twenty migrations, each with a table of its own.
fn twenty() -> Vec<(i64, String)> {
    (0..20).map(|n| (1000 + n, format!("CREATE TABLE \"t{n}\" (\"id\" serial PRIMARY KEY);\n--> statement-breakpoint\nCREATE INDEX \"i{n}\" ON \"t{n}\" (\"id\");"))).collect()
}

fn borrowed(migrations: &[(i64, String)]) -> Vec<Migration<'_>> {
    migrations.iter().map(|(when, text)| (*when, text.as_str())).collect()
}

pub(crate) const HISTORY: &str = "SELECT created_at FROM drizzle.__drizzle_migrations ORDER BY id";

/// Returns the states in the report, in the order of the journal.
fn states(ran: &Ran) -> Vec<String> {
    let entries = ran.report["migrations"]["entries"].as_array().cloned().unwrap_or_default();
    entries.iter().map(|entry| entry["state"].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn what_is_pending_is_applied_once_and_proved(kit: &str) {
    let database = Database::create();
    let project = project(kit, &database, &[(10, "CREATE TABLE a ();"), (20, "CREATE TABLE b ();")]);
    let ran = project.pilot(&["status"]).run().expect(2).says(&["2 pending", "pending  1970-01-01T00:00:00Z  0000_m"]);
    assert_eq!(states(&ran), ["pending", "pending"]);
    project
        .pilot(&["migrate"])
        .run()
        .expect(0)
        .says(&["2 migrations applied, as the migrations table shows"])
        .database("changed");
    assert_eq!(database.list(HISTORY), ["10", "20"]);
    let ran = project.pilot(&["status"]).run().expect(0);
    assert_eq!(states(&ran), ["applied", "applied"]);
    project.pilot(&["migrate"]).run().expect(0).says(&["there is nothing to do: 2 applied"]).database("unchanged");
}

pub(crate) fn a_migration_that_fails_in_its_third_statement_is_named_with_file_line_and_reason(kit: &str) {
    let database = Database::create();
    let third = "CREATE TABLE x ();\n--> statement-breakpoint\nINSERT INTO a VALUES (1);\n--> statement-breakpoint\n\nALTER TABLE a ADD COLUMN n integer,\n  ADD COLUMN o intejer;";
    let project = project(kit, &database, &[(10, "CREATE TABLE a (id int);"), (20, third)]);
    let before = database.state();
    let ran = project
        .pilot(&["migrate"])
        .run()
        .expect(1)
        .database("unchanged")
        .says(&["drizzle/0001_m.sql:7: statement 3 failed: type \"intejer\" does not exist (42704)"]);
    let error = &ran.report["error"];
    assert_eq!((error["file"].as_str(), error["line"].as_u64()), (Some("drizzle/0001_m.sql"), Some(7)), "{ran}");
    assert_eq!(error["sqlstate"], "42704", "{ran}");
    assert!(error["statement"].as_str().is_some_and(|statement| statement.starts_with("ALTER TABLE a")), "{ran}");
    let after: Vec<String> = database.state().into_iter().filter(|line| !line.starts_with("drizzle.")).collect();
    assert_eq!(after, before);
}

pub(crate) fn skipped_edited_unknown_and_missing_are_told_apart(kit: &str) {
    let database = Database::create();
    let project =
        project(kit, &database, &[(10, "CREATE TABLE a ();"), (20, "CREATE TABLE b ();"), (30, "CREATE TABLE c ();")]);
    project.pilot(&["migrate"]).run().expect(0);
    folder(
        &project,
        &[
            (10, "CREATE TABLE a (); -- edited"),
            (15, "CREATE TABLE late ();"),
            (20, "CREATE TABLE b ();"),
            (40, "CREATE TABLE d ();"),
        ],
    );
    let ran =
        project.pilot(&["status"]).run().expect(2).says(&["1 pending, 1 skipped, 1 edited, 1 applied, 1 unknown"]);
    assert_eq!(states(&ran), ["edited", "skipped", "applied", "pending"]);
    assert_eq!(ran.report["migrations"]["unknown"][0]["created_at"], 30, "{ran}");
    let before = database.everything();
    let refused =
        project.pilot(&["migrate"]).run().expect(3).says(&["skipped 0001_m", "edited 0000_m", "sync --repair-order"]);
    assert_eq!(database.everything(), before);
    let lines = refused.allow_with();
    project.paste(&lines);
    project.policy("[migrate]\nskipped = \"approve\"\nedited = \"approve\"\n");
    project.pilot(&["migrate"]).run().expect(0).says(&["1 migration applied"]);
    assert_eq!(database.list(HISTORY), ["10", "20", "30", "40"]);
    std::fs::remove_file(project.path("drizzle/0003_m.sql")).expect("the file was written");
    let ran = project.pilot(&["status"]).run().expect(2);
    assert_eq!(states(&ran)[3], "missing", "{ran}");
    project.pilot(&["migrate"]).run().expect(65).says(&["the journal names 0003_m, but that file does not exist"]);
}

pub(crate) fn what_was_skipped_is_applied_after_the_order_was_repaired(kit: &str) {
    let database = Database::create();
    let project = project(kit, &database, &[(10, "CREATE TABLE a ();"), (20, "CREATE TABLE c ();")]);
    project.pilot(&["migrate"]).run().expect(0);
    folder(&project, &[(10, "CREATE TABLE a ();"), (15, "CREATE TABLE late ();"), (20, "CREATE TABLE c ();")]);
    project.pilot(&["migrate"]).run().expect(3);
    let journal = || std::fs::read_to_string(project.path("drizzle/meta/_journal.json")).expect("there is a journal");
    let before = (journal(), database.everything());
    project.pilot(&["sync", "--repair-order", "--dry-run"]).run().expect(2);
    assert_eq!((journal(), database.everything()), before);
    project
        .pilot(&["sync", "--repair-order"])
        .run()
        .expect(0)
        .says(&["0001_m is now the newest in the journal"])
        .database("unchanged");
    let ran = project.pilot(&["status"]).run().expect(2);
    assert_eq!(states(&ran), ["applied", "applied", "pending"]);
    project.pilot(&["migrate"]).run().expect(0).says(&["1 migration applied"]);
    assert_eq!(database.list(HISTORY), ["10", "20", "21"]);
    assert_eq!(
        database.list("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"),
        ["a", "c", "late"]
    );
    // A database that had it under its old time: seen, refused, and put right with a proof.
    let other = Database::create();
    let old = self::project(
        kit,
        &other,
        &[(10, "CREATE TABLE a ();"), (15, "CREATE TABLE late ();"), (20, "CREATE TABLE c ();")],
    );
    old.pilot(&["migrate"]).run().expect(0);
    std::fs::copy(project.path("drizzle/meta/_journal.json"), old.path("drizzle/meta/_journal.json"))
        .expect("both are ours");
    let ran = old.pilot(&["status"]).run().expect(2);
    assert_eq!(states(&ran), ["applied", "applied", "repeated"], "{ran}");
    old.pilot(&["migrate"]).run().expect(3).says(&["repeated 0001_m"]);
    old.pilot(&["sync"]).run().expect(0).database("changed");
    old.pilot(&["migrate"]).run().expect(0).says(&["there is nothing to do: 3 applied"]);
}

pub(crate) fn a_push_built_database_is_taken_over(kit: &str) {
    let database = Database::create();
    let mut migrations = twenty();
    let project = project(kit, &database, &borrowed(&migrations));
    for (_, text) in &migrations {
        database.sql(text);
    }
    // What the old way does: it fails, and the newest says nothing of why.
    project.pilot(&["migrate"]).run().expect(1).says(&["(42P07)", "drizzle-pilot sync"]).database("unchanged");
    project
        .pilot(&["status"])
        .run()
        .expect(2)
        .says(&["the database has 20 tables and no recorded migrations", "drizzle-pilot sync"]);

    let before = database.everything();
    project.pilot(&["sync", "--dry-run"]).run().expect(2).says(&["20 rows would be written to the migrations table"]);
    assert_eq!(database.everything(), before);
    project
        .pilot(&["sync"])
        .run()
        .expect(0)
        .says(&["20 rows written to the migrations table and read back: 20 applied"])
        .database("changed");
    project.pilot(&["migrate"]).run().expect(0).says(&["there is nothing to do: 20 applied"]);
    migrations.push((2000, "CREATE TABLE new ();".to_owned()));
    folder(&project, &borrowed(&migrations));
    project.pilot(&["migrate"]).run().expect(0).says(&["1 migration applied"]);
    assert_eq!(database.list(HISTORY).len(), 21);
    no_scratch_stays(&database);
}

/// Checks that no comparison has left its database on the server. Those of tests beside this one come and go: whatever is
/// there now has to be gone some time later.
#[track_caller]
fn no_scratch_stays(database: &Database) {
    let scratches = || database.list("SELECT datname FROM pg_database WHERE datname LIKE 'drizzle_pilot_scratch_%'");
    let seen = scratches();
    gone_within(Duration::from_secs(60), "a database of a comparison", || {
        scratches().into_iter().filter(|name| seen.contains(name)).collect()
    });
}

#[test]
fn a_baseline_is_what_drizzle_writes_itself() {
    let (migrated, pushed) = (Database::create(), Database::create());
    let migrations = twenty();
    let one = project(NEWEST, &migrated, &borrowed(&migrations));
    one.pilot(&["migrate"]).run().expect(0);
    let other = project(NEWEST, &pushed, &borrowed(&migrations));
    for (_, text) in &migrations {
        pushed.sql(text);
    }
    other.pilot(&["sync"]).run().expect(0);
    let rows = "SELECT id, hash, created_at FROM drizzle.__drizzle_migrations ORDER BY id";
    assert_eq!(pushed.rows(rows), migrated.rows(rows));
    assert_eq!(pushed.everything().schema.lines, migrated.everything().schema.lines);
}

#[test]
fn a_database_that_is_not_what_the_migrations_make_is_not_taken_over() {
    let database = Database::create();
    let migrations = twenty();
    let project = project(NEWEST, &database, &borrowed(&migrations));
    for (_, text) in &migrations {
        database.sql(text);
    }
    database.sql("ALTER TABLE t7 ADD COLUMN by_hand text; DROP INDEX i9");
    let before = database.everything();
    let ran = project.pilot(&["sync"]).run().expect(3).database("unchanged").says(&[
        "column by_hand: the database has text, the migrations do not make it",
        "index i9: missing; the migrations make CREATE INDEX i9",
    ]);
    assert_eq!(ran.report["migrations"]["differences"].as_array().map(Vec::len), Some(2), "{ran}");
    assert_eq!(database.everything(), before);
    let ran = project.pilot(&["check", "--database"]).run().expect(2);
    let drift = ran.report["findings"]
        .as_array()
        .map_or(&[][..], Vec::as_slice)
        .iter()
        .filter(|finding| finding["id"] == "database-drift");
    assert_eq!(drift.count(), 2, "{ran}");
    assert_eq!(database.everything(), before);
    database.sql("ALTER TABLE t7 DROP COLUMN by_hand; CREATE INDEX i9 ON t9 (id)");
    project.pilot(&["sync", "--to", "0009_m"]).run().expect(3).says(&["table public.t10: the database has it with"]);
    project.pilot(&["sync", "--to", "nothing"]).run().expect(64).says(&["the journal has no migration nothing"]);
}

#[test]
fn a_baseline_may_end_before_the_last_migration() {
    let database = Database::create();
    let migrations = twenty();
    let project = project(NEWEST, &database, &borrowed(&migrations));
    project.config("export default { dialect: 'postgresql', schema: './schema.ts', migrations: { table: 'log', schema: 'app' }, dbCredentials: { url: process.env.DATABASE_URL! } };\n");
    for (_, text) in &migrations[..10] {
        database.sql(text);
    }
    project.pilot(&["sync", "--to", "0009_m"]).run().expect(0).says(&["10 rows"]);
    assert_eq!(database.value("SELECT count(*) FROM app.log"), "10");
    project.pilot(&["migrate"]).run().expect(0).says(&["10 migrations applied"]);
    // Once it is there, the table is part of both sides of the comparison.
    database.sql("DELETE FROM app.log WHERE id > 15");
    project.pilot(&["sync"]).run().expect(0).says(&["5 rows"]);
    assert_eq!(database.value("SELECT count(*) FROM app.log"), "20");
}

/// A service brings a schema of its own, before the first migration.
#[test]
fn tables_of_a_service_are_no_sign_of_a_push() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE SCHEMA app;\nCREATE TABLE app.t (id int);")]);
    project.config(
        "export default { dialect: 'postgresql', schema: './schema.ts', dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    database.sql("CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY)");
    drop(project.pilot(&["status"]).run().expect(2).never_says("no recorded migrations"));
    database.sql("CREATE SCHEMA app; CREATE TABLE app.t (id int)");
    drop(project.pilot(&["status"]).run().says(&["the database has 1 table and no recorded migrations"]));
}

#[test]
fn a_role_that_may_create_no_database_is_told_so() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a ();")]);
    project.policy("[scratch]\nstart = \"never\"\n");
    let role = database.value("SELECT current_database() || '_small'");
    database.sql(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'; CREATE TABLE a (); ALTER TABLE a OWNER TO {role}"));
    let mut url = database.url();
    url.set_username(&role).and_then(|()| url.set_password(Some("x"))).expect("the URL has a host");
    let ran = project.pilot(&["sync", "--url", url.as_str()]).run();
    database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
    ran.expect(1).says(&["may not create a database", "CREATEDB"]).database("unchanged");
}

#[test]
fn a_history_that_one_transaction_cannot_replay_runs_in_steps() {
    let database = Database::create();
    let project = project(
        NEWEST,
        &database,
        &[
            (10, "CREATE TYPE mood AS ENUM ('ok');--> statement-breakpoint\nCREATE TABLE t (m mood);"),
            (20, "ALTER TYPE mood ADD VALUE 'sad';"),
            (30, "ALTER TABLE t ALTER COLUMN m SET DEFAULT 'sad';"),
        ],
    );
    project.pilot(&["run", "--", "migrate"]).run().expect(6).says(&["unsafe use of new value"]);
    project.pilot(&["migrate"]).run().expect(0).says(&["run in 2 steps", "3 migrations applied"]);
    assert_eq!(database.list(HISTORY), ["10", "20", "30"]);
}

/// PostgreSQL 17 lets a transaction use the values of an enum that it made itself.
#[test]
fn what_the_server_takes_in_one_run_is_all_or_nothing() {
    let migrations = [
        (10, "CREATE TYPE mood AS ENUM ('ok');--> statement-breakpoint\nCREATE TABLE t (m mood);"),
        (20, "ALTER TYPE mood ADD VALUE 'sad';"),
        (30, "ALTER TABLE t ALTER COLUMN m SET DEFAULT 'sad';"),
        (40, "SELECT 1/0;"),
    ];
    let database = Database::create_on(Server::Postgres18);
    let project = project(NEWEST, &database, &migrations);
    project.pilot(&["migrate"]).run().expect(1).says(&["division by zero"]).database("unchanged");
    assert_eq!(database.list(HISTORY), Vec::<String>::new());
    assert_eq!(database.value("SELECT count(*) FROM pg_type WHERE typname IN ('mood', 't')"), "0");
    folder(&project, &migrations[..3]);
    project.pilot(&["migrate"]).run().expect(0).says(&["3 migrations applied"]).never_says("steps");
    // A word of the language is no value, on any server.
    let database = Database::create();
    let project = self::project(
        NEWEST,
        &database,
        &[migrations[0], migrations[1], (30, "CREATE TABLE sad (url text DEFAULT 'https://sad.example.com');")],
    );
    project.pilot(&["migrate"]).run().expect(0).says(&["3 migrations applied"]).never_says("steps");
}

#[test]
fn what_follows_a_commit_may_be_built_concurrently() {
    let database = Database::create();
    let concurrently = "COMMIT;--> statement-breakpoint\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON a (id);";
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a (id int);"), (20, concurrently)]);
    let says = ["2 migrations applied", "drizzle/0001_m.sql:1: COMMIT ends drizzle's transaction"];
    project.pilot(&["migrate"]).run().expect(0).says(&says);
    assert_eq!(database.value("SELECT count(*) FROM pg_indexes WHERE indexname = 'i'"), "1");
}

#[test]
fn what_a_rollback_would_undo_is_not_run_and_not_called_applied() {
    let database = Database::create();
    let undone =
        "CREATE TABLE a (id int);--> statement-breakpoint\nROLLBACK;--> statement-breakpoint\nCREATE TABLE b ();";
    let project = project(NEWEST, &database, &[(10, undone)]);
    let says = ["drizzle/0000_m.sql:2: ROLLBACK would roll back", "remove it"];
    project.pilot(&["migrate"]).run().expect(1).database("unchanged").says(&says);
    assert_eq!(database.state(), Vec::<String>::new());
}

/// Statements that act beyond the database they run in, and what shows that they did.
const BEYOND: [(&str, &str); 8] = [
    ("ALTER ROLE #role NOLOGIN;", "SELECT count(*) FROM pg_roles WHERE rolname = '#role' AND NOT rolcanlogin"),
    ("DO $$ BEGIN EXECUTE 'ALTER ROLE #role NOLOGIN'; END $$;", "SELECT count(*) FROM pg_roles WHERE rolname = '#role' AND NOT rolcanlogin"),
    (
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE #role NOLOGIN; RETURN NEW; END $$;
         CREATE TABLE g (); CREATE TRIGGER t BEFORE INSERT ON g FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO g DEFAULT VALUES;",
        "SELECT count(*) FROM pg_roles WHERE rolname = '#role' AND NOT rolcanlogin",
    ),
    ("CREATE ROLE #role_two;", "SELECT count(*) FROM pg_roles WHERE rolname = '#role_two'"),
    ("GRANT pg_monitor TO #role;", "SELECT count(*) FROM pg_auth_members WHERE member = '#role'::regrole"),
    ("ALTER ROLE #role SET work_mem = '1MB';", "SELECT count(*) FROM pg_db_role_setting WHERE setrole = '#role'::regrole"),
    ("COPY (SELECT 1) TO PROGRAM 'cat > /tmp/#role';", "SELECT count(*) FROM pg_ls_dir('/tmp') WHERE pg_ls_dir = '#role'"),
    ("SELECT lo_export(lo_from_bytea(0, 'x'), '/tmp/#role');", "SELECT count(*) FROM pg_ls_dir('/tmp') WHERE pg_ls_dir = '#role'"),
];

#[test]
fn a_command_that_looks_runs_nothing_that_acts_beyond_its_scratch_database() {
    let database = Database::create();
    let role = database.value("SELECT current_database() || '_beyond'");
    database.sql(&format!("CREATE ROLE {role} LOGIN"));
    for (statement, shows) in BEYOND {
        let (statement, shows) = (statement.replace("#role", &role), shows.replace("#role", &role));
        let text = format!("CREATE TABLE a (id int);\n--> statement-breakpoint\n{statement}");
        let project = project(NEWEST, &database, &[(10, &text)]);
        project.policy("[scratch]\nstart = \"never\"\n");
        database.sql("DROP SCHEMA IF EXISTS drizzle CASCADE; CREATE TABLE IF NOT EXISTS a (id int)");
        let says = ["drizzle/0000_m.sql:", "cannot be run in a scratch database"];
        project.pilot(&["sync", "--dry-run"]).run().expect(3).says(&says).database("unchanged");
        project.pilot(&["check", "--database"]).run().expect(3).says(&says);
        let folder = project.path("drizzle/0000_m.sql");
        let hash =
            database.value(&format!("SELECT encode(sha256(pg_read_binary_file('{}')), 'hex')", folder.display()));
        database.sql(&format!(
            "CREATE SCHEMA drizzle; CREATE TABLE drizzle.__drizzle_migrations (id serial PRIMARY KEY, hash text, created_at bigint);
             INSERT INTO drizzle.__drizzle_migrations (hash, created_at) VALUES ('{hash}', 10)"
        ));
        let ran = project.pilot(&["next"]).run();
        assert!(ran.stdout.contains("the database was not compared with its migrations"), "{statement}\n{ran}");
        assert_eq!(database.value(&shows), "0", "{statement}");
    }
    // A role that is there is not created, and the comparison goes on.
    let text = format!("CREATE ROLE {role};\n--> statement-breakpoint\nCREATE TABLE a (id int);");
    let project = project(NEWEST, &database, &[(10, &text)]);
    project.policy("[scratch]\nstart = \"never\"\n");
    database.sql("DROP SCHEMA drizzle CASCADE");
    let ran = project.pilot(&["sync"]).run();
    database.sql(&format!("DROP ROLE {role}"));
    ran.expect(0).says(&["1 row written to the migrations table"]);
    no_scratch_stays(&database);
}

#[test]
fn what_a_migration_would_destroy_is_counted_and_warned_of_and_refused_on_request() {
    let first = (10, "CREATE TABLE users (id int, legacy text, other text);");
    let second = (
        20,
        "INSERT INTO users VALUES (4);\n--> statement-breakpoint\nALTER TABLE users DROP COLUMN legacy;\n--> statement-breakpoint\nUPDATE users SET other = NULL;",
    );
    let says = ["drizzle/0001_m.sql:3: drop_column public.users.legacy, 3 rows", "drizzle/0001_m.sql:5: unclassified"];
    let made = || {
        let database = Database::create();
        let project = project(NEWEST, &database, &[first]);
        project.pilot(&["migrate"]).run().expect(0);
        database.sql("INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, NULL)");
        folder(&project, &[first, second]);
        (database, project)
    };
    let (_warned, project) = made();
    let ran = project.pilot(&["next"]).run().expect(2);
    assert!(says.iter().all(|says| ran.stdout.contains(says)), "{ran}");
    let ran = project.pilot(&["migrate"]).run().expect(0).says(&says).says(&["1 migration applied"]);
    let statement = &ran.report["statements"][0];
    assert_eq!((statement["verdict"].as_str(), statement["rows"].as_u64()), (Some("warned"), Some(3)), "{ran}");

    let (database, project) = made();
    project.policy("[migrate]\ngate = \"refuse\"\n");
    let before = database.everything();
    let ran = project.pilot(&["migrate"]).run().expect(3).says(&says[..1]).database("unchanged");
    assert_eq!(ran.report["statements"][0]["verdict"], "refused", "{ran}");
    assert_eq!(database.everything(), before);
    let lines = ran.allow_with();
    assert!(lines.contains("drop_column = { only = [\"public.users.legacy\"] }"), "{lines}");
    project.paste(&lines);
    project
        .pilot(&["migrate"])
        .run()
        .expect(0)
        .says(&["drop_column public.users.legacy deletes 3 values", "1 migration applied"]);

    let (_unseen, project) = made();
    project.policy("[migrate]\ngate = \"off\"\n");
    let ran = project.pilot(&["migrate"]).run().expect(0);
    assert!(!ran.stderr.contains("drop_column") && ran.report["statements"] == serde_json::json!([]), "{ran}");
}

#[test]
fn names_that_differ_alone_are_told_with_the_statements_that_make_them_agree() {
    let database = Database::create();
    let renamed =
        [(10, "CREATE TABLE clients (id serial PRIMARY KEY);"), (20, "ALTER TABLE clients RENAME TO customers;")];
    let project = project(NEWEST, &database, &renamed);
    database.sql("CREATE TABLE customers (id serial PRIMARY KEY)");
    let ran = project.pilot(&["sync"]).run().expect(3).says(&["only names differ", "drizzle-pilot sync again"]);
    let statements: Vec<&str> = ran.stderr.lines().map(str::trim).filter(|line| line.starts_with("ALTER ")).collect();
    assert_eq!(statements.len(), 2, "{ran}");
    database.sql(&statements.join("\n"));
    project.pilot(&["sync"]).run().expect(0).says(&["2 rows written to the migrations table"]);
}

/// Two projects in one database, each with tables and a migrations table of its own, or with one for both.
const CONFIG: &str = "export default { dialect: 'postgresql', schema: './schema.ts', tablesFilter: ['#_*'], migrations: { table: '#table' }, dbCredentials: { url: process.env.DATABASE_URL! } };\n";

fn one_of_two(database: &Database, prefix: &str, table: &str, when: i64) -> Project {
    let text = format!(
        "CREATE TYPE {prefix}_mood AS ENUM ('a');\nCREATE TABLE {prefix}_users (id serial PRIMARY KEY, mood {prefix}_mood);"
    );
    let project = project(NEWEST, database, &[(when, &text)]);
    project.config(&CONFIG.replace("#table", table).replace('#', prefix));
    project.policy("[guard]\nhosts = [\"127.0.0.1\"]\n");
    project
}

#[test]
fn what_belongs_to_another_project_of_the_database_is_left_alone() {
    let database = Database::create();
    let ours = one_of_two(&database, "a", "migrations_a", 10);
    let theirs = one_of_two(&database, "b", "migrations_b", 20);
    theirs.pilot(&["migrate"]).run().expect(0);
    // Their tables are no sign that a push built ours.
    let ran = ours.pilot(&["next"]).run().expect(2);
    assert!(ran.stdout.starts_with("state  pending: "), "{ran}");
    ours.pilot(&["migrate"]).run().expect(0);
    let says = ["not compared, because", "drizzle.migrations_b, public.b_users"];
    let ran = ours.pilot(&["check", "--database"]).run().says(&says);
    assert!(!ran.stdout.contains("database-drift"), "{ran}");
    database.sql("DELETE FROM drizzle.migrations_a");
    ours.pilot(&["sync"]).run().expect(0).says(&says).says(&["1 row written to the migrations table"]);
    let theirs_before = database.rows("SELECT * FROM drizzle.migrations_b");
    let reset = ["reset", "--dry-run", "--then", "none"];
    let ran = ours.pilot(&reset).run().expect(2).says(&["public.b_users is kept", "drizzle.migrations_b is kept"]);
    let dropped: Vec<&str> =
        ran.report["statements"].as_array().into_iter().flatten().filter_map(|it| it["sql"].as_str()).collect();
    assert!(
        !dropped.is_empty() && dropped.iter().all(|sql| !sql.contains("b_") && !sql.contains("_b")),
        "{dropped:#?}"
    );
    ours.pilot(&["reset", "--yes", "--then", "migrate"]).run().expect(0);
    assert_eq!(database.rows("SELECT * FROM drizzle.migrations_b"), theirs_before);
    assert_eq!(database.value("SELECT count(*) FROM b_users"), "0");
}

#[test]
fn a_migrations_table_that_two_projects_share_is_known_and_not_emptied() {
    let database = Database::create();
    let ours = one_of_two(&database, "a", "__drizzle_migrations", 10);
    one_of_two(&database, "b", "__drizzle_migrations", 20).pilot(&["migrate"]).run().expect(0);
    let says = ["another project", "migrations: { table:"];
    ours.pilot(&["status"]).run().expect(2).says(&says);
    ours.pilot(&["migrate"]).run().expect(3).says(&says).database("unchanged");
    let ran = ours.pilot(&["next"]).run().expect(2);
    assert!(says.iter().all(|says| ran.stdout.contains(says)) && !ran.stdout.contains("--repair-order"), "{ran}");
    let before = database.everything();
    ours.pilot(&["reset", "--yes", "--then", "none"]).run().expect(3).says(&says).database("unchanged");
    assert_eq!(database.everything(), before);
}

#[test]
fn a_checkout_with_other_line_ends_is_what_was_applied() {
    let (unix, windows) = ("CREATE TABLE a (\n\tid int\n);\n", "CREATE TABLE a (\r\n\tid int\r\n);\r\n");
    for (applied, checked_out) in [(unix, windows), (windows, unix)] {
        let database = Database::create();
        let project = project(NEWEST, &database, &[(10, applied)]);
        project.pilot(&["migrate"]).run().expect(0);
        folder(&project, &[(10, checked_out), (20, "CREATE TABLE b ();")]);
        let ran = project.pilot(&["status"]).run().expect(2);
        assert_eq!(states(&ran), ["applied", "pending"]);
        project.pilot(&["sync", "--to", "0000_m"]).run().expect(0).says(&["there is nothing to write"]);
        project.pilot(&["migrate"]).run().expect(0).says(&["1 migration applied"]);
    }
}

#[test]
fn an_index_that_is_built_concurrently_is_named_before_anything_runs() {
    let database = Database::create();
    let project = project(
        NEWEST,
        &database,
        &[
            (10, "CREATE TABLE a (id int);"),
            (20, "SELECT 1;\n--> statement-breakpoint\nCREATE INDEX CONCURRENTLY i ON a (id);"),
        ],
    );
    project.pilot(&["migrate"]).run().expect(1).database("unchanged").says(&[
        "drizzle/0001_m.sql:3: CREATE INDEX CONCURRENTLY",
        "25001",
        "`COMMIT;`",
    ]);
    assert_eq!(database.state(), Vec::<String>::new());
}

#[test]
fn a_migration_that_commits_by_itself_leaves_a_part_and_that_is_said() {
    let database = Database::create();
    let project = project(
        NEWEST,
        &database,
        &[
            (10, "CREATE TABLE a ();"),
            (20, "CREATE TABLE b ();--> statement-breakpoint\nCOMMIT;--> statement-breakpoint\nSELECT 1/0;"),
        ],
    );
    project.pilot(&["migrate"]).run().expect(6).says(&["division by zero (22012)", "0001_m.sql:3: statement 3"]);
}

/// A migration of data alone: the bare drizzle-kit applies it twice when two run at once.
const DATA: [Migration; 2] =
    [(10, "CREATE TABLE seeds (n int);"), (20, "INSERT INTO seeds SELECT 1 FROM pg_sleep(0.3);")];

pub(crate) fn of_two_at_once_one_applies_and_the_other_finds_nothing_to_do(kit: &str) {
    at_once(kit, 2, |database| database.url());
}

#[test]
fn behind_a_pooler_in_transaction_mode_each_migration_is_applied_once() {
    at_once(NEWEST, 3, |database| transaction_pooler(database.url()));
}

#[test]
fn of_ten_at_once_one_applies_and_the_others_find_nothing_to_do() {
    at_once(NEWEST, 10, |database| database.url());
}

fn at_once(kit: &str, n_runs: usize, way: impl Fn(&Database) -> Url) {
    let database = Database::create();
    let project = project(kit, &database, &DATA);
    let url = way(&database);
    let running: Vec<_> =
        (0..n_runs).map(|_| project.pilot(&["migrate"]).env("DATABASE_URL", url.as_str()).spawn()).collect();
    let ran: Vec<Ran> = running.into_iter().map(|run| run.finish().expect(0)).collect();
    let changed = ran.iter().filter(|ran| ran.report["database"] == "changed").count();
    assert_eq!(changed, 1, "one of them applies");
    assert_eq!(database.list(HISTORY), ["10", "20"]);
    assert_eq!(database.value("SELECT count(*) FROM seeds"), "1");
}

#[test]
fn a_run_that_is_killed_in_the_middle_keeps_nothing_and_the_one_that_waits_goes_on() {
    let database = Database::create();
    let project = project(
        NEWEST,
        &database,
        &[(10, "CREATE TABLE seeds (n int);"), (20, "INSERT INTO seeds SELECT 1 FROM pg_sleep(600);")],
    );
    let sleeper = || {
        database.list("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'INSERT INTO seeds%' AND state = 'active'")
    };
    let run = project.pilot(&["migrate"]).spawn();
    until("the migration runs", || !sleeper().is_empty());
    let mut next = project.pilot(&["migrate"]).spawn();
    next.wait_for("waiting for another run that changes this database");
    let first = sleeper();
    run.signal(Signal::KILL);
    assert_eq!(run.finish().code, -9);
    until("the next one goes on", || sleeper().len() == 1 && sleeper() != first);
    next.signal(Signal::TERM);
    next.finish().expect(143).says(&["Nothing was executed."]).database("unchanged");
    until("no session of it is left", || database.foreign_backends().is_empty());
    folder(&project, &DATA);
    project.pilot(&["migrate"]).run().expect(0).says(&["2 migrations applied"]);
    assert_eq!(database.value("SELECT count(*) FROM seeds"), "1");
}

#[test]
fn a_run_that_loses_its_lock_is_stopped_and_keeps_nothing() {
    let database = Database::create();
    let project = project(
        NEWEST,
        &database,
        &[(10, "CREATE TABLE seeds (n int);"), (20, "INSERT INTO seeds SELECT 1 FROM pg_sleep(600);")],
    );
    let run = project.pilot(&["migrate"]).spawn();
    let runs = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'INSERT INTO seeds%' AND state = 'active'";
    until("the migration runs", || !database.rows(runs).is_empty());
    take_away(&database);
    let ran = run.finish().expect(69).database("unchanged");
    ran.says(&["the lock on this database was lost, and drizzle-kit was stopped", "logs of the server"]);
    until("no session of it is left", || database.foreign_backends().is_empty());
    assert_eq!(database.value("SELECT to_regclass('seeds')"), "NULL");
}

#[test]
fn the_ready_file_says_the_truth_and_a_database_that_is_not_there_yet_is_waited_for() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a ();")]);
    let ready = project.path("ready");
    let nowhere_to_write = project.pilot(&["migrate", "--ready-file", "none/ready"]).run().expect(64);
    nowhere_to_write.says(&["the ready file cannot be written: the folder none does not exist"]);
    project.write("ready", "of an old run");
    let nowhere = "postgres://app:x@127.0.0.1:1/none";
    let migrate = |url: &str, wait: &str| {
        project.pilot(&["migrate", "--url", url, "--wait-for-db", wait, "--ready-file", "ready"]).spawn()
    };
    let in_vain = migrate(nowhere, "1s").finish().expect(69);
    in_vain.says(&["waiting for the database: 127.0.0.1:1 refused the connection"]);
    assert!(!ready.exists());
    let gate = Gate::before(database.url());
    let mut waits = migrate(gate.url.as_str(), "60s");
    waits.wait_for("waiting for the database: ");
    assert!(!ready.exists());
    gate.open();
    waits.finish().expect(0).says(&["1 migration applied"]);
    assert!(ready.exists());
}

/// The enum incident: one value goes and one gets another name; `push --force` on one side, migrations on the other.
/// docs/migration-workflow.md tells it.
#[test]
fn the_enum_incident_is_seen_and_mended() {
    const BEFORE: &str = "export const mood = pgEnum('mood', ['active', 'inactive', 'unused']);
        export const users = pgTable('users', { id: integer('id'), mood: mood('mood') });\n";
    const COLUMN: &str =
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'mood'";
    let (staging, production) = (Database::create(), Database::create());
    let project = Project::new(NEWEST, &production);
    let at = |database: &Database, args: &[&str]| project.pilot(args).env("DATABASE_URL", database.url().as_str());
    let kit = |database: &Database, args: &[&str]| project.kit(args).env("DATABASE_URL", database.url().as_str()).run();
    project.schema(BEFORE);
    project.pilot(&["generate", "--", "--name=init"]).run().expect(0);
    for database in [&staging, &production] {
        at(database, &["migrate"]).run().expect(0);
        database.sql("INSERT INTO users VALUES (1, 'active'), (2, 'inactive')");
    }
    project.schema(&BEFORE.replace("['active', 'inactive', 'unused']", "['active', 'paused']"));

    // What the old way does: half of it, with status 0; and the migration that fails on the other side gives no reason.
    let pushed = kit(&staging, &["push", "--force"]);
    assert!(pushed.code == 0 && pushed.stderr.contains("22P02"), "{pushed}");
    assert_eq!((staging.value(COLUMN), production.value(COLUMN)), ("text".to_owned(), "mood".to_owned()));
    project.pilot(&["generate", "--", "--name=moods"]).run().expect(0);
    let migrated = kit(&production, &["migrate"]);
    assert!(migrated.code == 1 && !format!("{}{}", migrated.stdout, migrated.stderr).contains("22P02"), "{migrated}");
    assert_eq!(kit(&production, &["check"]).code, 0);

    // What the commands say, and none of them changes anything.
    let before = (staging.everything(), production.everything());
    at(&production, &["push"]).run().expect(3).says(&["recreate_enum public.mood"]);
    at(&staging, &["status"]).run().expect(2).says(&["1 pending, 1 applied"]);
    at(&staging, &["check", "--database", "--push"]).run().expect(2).says(&[
        "drizzle/0001_moods.sql:2:1: error: enum public.mood is dropped and created again",
        "column public.users.mood: the database has text, the migrations make public.mood",
        "enum public.mood: the database has 'active','paused', the migrations make 'active','inactive','unused'",
        "a push would run: ALTER TABLE \"users\" ALTER COLUMN \"mood\" SET DATA TYPE",
    ]);
    at(&staging, &["sync"]).run().expect(3).says(&["table public.users\n    column mood: the database has text"]);
    at(&production, &["migrate"]).run().expect(1).database("unchanged").says(&[
        "drizzle/0001_moods.sql:4: statement 4 failed: invalid input value for enum mood: \"inactive\" (22P02)",
    ]);
    assert_eq!((staging.everything(), production.everything()), before);

    // One migration mends both sides.
    project.write("drizzle/0001_moods.sql", &example("paused"));
    for database in [&staging, &production] {
        at(database, &["migrate"]).run().expect(0).says(&["1 migration applied"]);
        assert_eq!(database.list("SELECT mood FROM users ORDER BY id"), ["active", "paused"]);
        assert_eq!(database.value(COLUMN), "mood");
    }
    assert_eq!(staging.everything().schema.lines, production.everything().schema.lines);
    at(&staging, &["check", "--database", "--push", "--schema"]).run().expect(0).says(&["nothing found"]);
}

/// Returns the migration of docs/migration-workflow.md that has this word.
fn example(word: &str) -> String {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migration-workflow.md");
    let page = std::fs::read_to_string(page).expect("the page is part of the repository");
    let mut blocks = page.split("```sql\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.find(|block| block.contains(word)).expect("the page has an example").to_owned()
}

on_every_kit! {
    what_is_pending_is_applied_once_and_proved
    a_migration_that_fails_in_its_third_statement_is_named_with_file_line_and_reason
    skipped_edited_unknown_and_missing_are_told_apart
    what_was_skipped_is_applied_after_the_order_was_repaired
    a_push_built_database_is_taken_over
    of_two_at_once_one_applies_and_the_other_finds_nothing_to_do
}
