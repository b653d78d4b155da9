//! Where migrations are built for a comparison: on a server that is made for it, on one that is given, or on the target's own.
//! Nothing of it stays, on no server.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::NEWEST;
use crate::migrations::{folder, project};
use crate::support::{Database, OwnServer, Project, Random, Run, Server, Signal, gone_within, lab_variable};

const NEVER: &str = "[scratch]\nstart = \"never\"\n";

/// Lets a run find PostgreSQL 15, whatever is installed on the machine.
fn with_postgres(run: Run) -> Run {
    with_postgres_of("15", run)
}

fn with_postgres_of(version: &str, run: Run) -> Run {
    let native = PathBuf::from(lab_variable("DRIZZLE_PILOT_LAB_RUN")).join(format!("{version}.native/bin"));
    let path = std::env::var("PATH").expect("cargo has a PATH");
    run.env("PATH", &format!("{}:{path}", native.display()))
}

/// Returns all that databases of a server share, as far as a comparison could change it.
fn globals(database: &Database) -> Vec<String> {
    database.list(
        "SELECT format('role %s', to_jsonb(r)) FROM pg_authid r
         UNION ALL SELECT format('member %s', to_jsonb(m)) FROM pg_auth_members m
         UNION ALL SELECT format('setting %s', to_jsonb(s)) FROM pg_db_role_setting s
         UNION ALL SELECT format('database %s', to_jsonb(d) - '{datfrozenxid,datminmxid}'::text[]) FROM pg_database d
         UNION ALL SELECT format('tablespace %s', to_jsonb(t)) FROM pg_tablespace t
         UNION ALL SELECT format('comment %s', to_jsonb(c)) FROM pg_shdescription c ORDER BY 1",
    )
}

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comes {
    /// The database is as the migrations make it.
    Same,
    Refused,
}

use Comes::{Refused, Same};

/// Migrations, what makes the same of a database, and what comes of it on a server of its own and on the target's.
const CASES: &[(&str, &str, Comes, Comes)] = &[
    (
        "CREATE ROLE \"made_here\";\n--> statement-breakpoint\nALTER ROLE made_here SET work_mem = '5MB';\n--> statement-breakpoint\nCREATE TABLE t (id int);\n--> statement-breakpoint\nCREATE POLICY p ON t TO made_here USING (true);",
        "CREATE ROLE made_here; CREATE TABLE t (id int); CREATE POLICY p ON t TO made_here USING (true); COMMENT ON ROLE made_here IS 'a'",
        Same,
        Refused,
    ),
    ("GRANT made_here TO expected_here;\n--> statement-breakpoint\nCREATE TABLE t ();", "CREATE TABLE t ()", Same, Refused),
    ("ALTER DATABASE \"#db\" SET work_mem = '5MB';\n--> statement-breakpoint\nCREATE TABLE t ();", "CREATE TABLE t ()", Same, Refused),
    (
        "DO $$ BEGIN\n CREATE TYPE \"mood\" AS ENUM('a');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;\n--> statement-breakpoint\nCREATE EXTENSION IF NOT EXISTS hstore;\n--> statement-breakpoint\nCREATE TABLE t (h hstore, m mood);",
        "CREATE TYPE mood AS ENUM ('a'); CREATE EXTENSION hstore; CREATE TABLE t (h hstore, m mood)",
        Same,
        Same,
    ),
    (
        "CREATE TABLE t (n int);\n--> statement-breakpoint\nCREATE TEMP TABLE rows ON COMMIT DROP AS SELECT n FROM t;\n--> statement-breakpoint\nUPDATE t SET n = 1 WHERE n IN (SELECT n FROM rows);",
        "CREATE TABLE t (n int)",
        Same,
        Same,
    ),
    // What no transaction survives that others are in.
    (
        "CREATE TYPE mood AS ENUM ('a');\n--> statement-breakpoint\nALTER TYPE mood ADD VALUE 'b';\n--> statement-breakpoint\nCREATE TABLE t (m mood DEFAULT 'b');\n--> statement-breakpoint\nCREATE INDEX CONCURRENTLY i ON t (m);",
        "CREATE TYPE mood AS ENUM ('a', 'b'); CREATE TABLE t (m mood DEFAULT 'b'); CREATE INDEX i ON t (m)",
        Same,
        Same,
    ),
    // Settings of the database decide what these mean.
    (
        "CREATE SCHEMA shop;\n--> statement-breakpoint\nCREATE TYPE shop.kind AS ENUM ('a');\n--> statement-breakpoint\nCREATE TABLE t (k kind, at timestamptz DEFAULT '2020-01-01 00:00', who text DEFAULT current_setting('app.who'));\n--> statement-breakpoint\nDO $$ BEGIN IF current_setting('app.who') = 'me' THEN CREATE TABLE mine (); END IF; END $$;",
        "CREATE SCHEMA shop; ALTER DATABASE \"#db\" SET search_path = shop, \"$user\", public; ALTER DATABASE \"#db\" SET timezone = 'Asia/Tokyo';
         ALTER DATABASE \"#db\" SET app.who = 'me'; CREATE TYPE shop.kind AS ENUM ('a');
         CREATE TABLE shop.t (k shop.kind, at timestamptz DEFAULT '2020-01-01 00:00+09', who text DEFAULT current_setting('app.who')); CREATE TABLE shop.mine ()",
        Same,
        Same,
    ),
    // A schema of a service, which the migrations name and change.
    (
        "CREATE TABLE profile (id uuid REFERENCES auth.users (id));\n--> statement-breakpoint\nALTER TABLE profile ENABLE ROW LEVEL SECURITY;\n--> statement-breakpoint\nCREATE POLICY p ON profile TO expected_here USING (id = auth.uid());\n--> statement-breakpoint\nCREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';\n--> statement-breakpoint\nCREATE TRIGGER made AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION made();",
        "CREATE SCHEMA auth; CREATE TABLE auth.users (id uuid PRIMARY KEY, more int); CREATE TABLE auth.others ();
         CREATE FUNCTION auth.uid() RETURNS uuid LANGUAGE sql STABLE AS 'SELECT NULL::uuid';
         CREATE TABLE profile (id uuid REFERENCES auth.users (id)); ALTER TABLE profile ENABLE ROW LEVEL SECURITY;
         CREATE POLICY p ON profile TO expected_here USING (id = auth.uid());
         CREATE FUNCTION made() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
         CREATE TRIGGER made AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION made()",
        Same,
        Same,
    ),
    // These act on the machine, or on other servers.
    ("CREATE TABLE t ();\n--> statement-breakpoint\nCOPY t FROM PROGRAM 'touch /tmp/#db';", "CREATE TABLE t ()", Refused, Refused),
    ("CREATE EXTENSION dblink;\n--> statement-breakpoint\nSELECT dblink_connect('host=127.0.0.1');", "CREATE EXTENSION dblink", Refused, Refused),
    ("CREATE EXTENSION postgres_fdw;\n--> statement-breakpoint\nCREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;", "CREATE EXTENSION postgres_fdw", Refused, Refused),
    ("ALTER SYSTEM SET archive_command = 'touch /tmp/#db';", "SELECT 1", Refused, Refused),
];

#[test]
fn a_comparison_is_right_where_it_runs_and_changes_no_server() {
    let server = OwnServer::start("15", &[]);
    let watch = Database::create_at(server.url());
    watch.sql("CREATE ROLE expected_here; COMMENT ON ROLE expected_here IS 'theirs'");
    for (migration, as_made, own, target) in CASES {
        let database = Database::create_at(server.url());
        let name = database.value("SELECT current_database()");
        let (migration, as_made) = (migration.replace("#db", &name), as_made.replace("#db", &name));
        database.sql(&as_made);
        let project = project(NEWEST, &database, &[(10, &migration)]);
        let before = globals(&watch);
        for (policy, comes) in [("", own), (NEVER, target)] {
            project.policy(policy);
            // The role is there: its CREATE ROLE alone would be skipped on the target's server.
            let ran = with_postgres(project.pilot(&["sync", "--dry-run"])).run();
            match comes {
                Same => ran.expect(2).says(&["the database matches"]),
                Refused => ran.expect(3).says(&["cannot be run in a scratch database", "no migration was run"]),
            };
            assert_eq!(globals(&watch), before, "{migration}\n{policy}");
        }
        assert!(!Path::new(&format!("/tmp/{name}")).exists(), "{migration}");
    }
}

#[test]
fn what_differs_is_found_on_a_server_of_its_own() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE t (id int, n int);")]);
    database.sql("CREATE TABLE t (id int, n bigint)");
    let run = || with_postgres(project.pilot(&["sync", "--dry-run"]));
    run().run().expect(3).says(&["column n: the database has bigint, the migrations make integer"]);
    folder(&project, &[(10, "CREATE TABLE t (id int, n bigint);\n--> statement-breakpoint\nCREATE INDEX i ON t (m);")]);
    run().run().expect(1).says(&["drizzle/0000_m.sql:3", "column \"m\" does not exist"]);
}

#[test]
fn a_role_that_may_not_create_databases_is_compared_on_a_server_of_its_own() {
    for (version, server) in [("13", Server::Postgres13), ("15", Server::Postgres15), ("18", Server::Postgres18)] {
        let database = Database::create_on(server);
        let role = format!("{}_plain", database.value("SELECT current_database()"));
        database.sql(&format!(
            "CREATE ROLE {role} LOGIN PASSWORD 'plain of tests'; GRANT ALL ON SCHEMA public TO {role}; SET ROLE {role};
             CREATE TABLE t (id int); CREATE POLICY p ON t TO {role}; RESET ROLE"
        ));
        let text = format!("CREATE TABLE t (id int);\n--> statement-breakpoint\nCREATE POLICY p ON t TO {role};");
        let project = project(NEWEST, &database, &[(10, &text)]);
        let mut url = database.url();
        url.set_username(&role).and_then(|()| url.set_password(Some("plain of tests"))).expect("it has a host");
        let sync = || project.pilot(&["sync", "--dry-run", "--url", url.as_str()]);
        let matches = with_postgres_of(version, sync()).run();
        project.policy(NEVER);
        let refused = sync().run();
        database.sql(&format!("DROP OWNED BY {role}; DROP ROLE {role}"));
        matches.expect(2).says(&["the database matches"]);
        refused.expect(1).says(&["may not create a database"]);
    }
}

/// Returns the names of the databases of comparisons.
fn scratches(database: &Database) -> Vec<String> {
    database.list("SELECT datname FROM pg_database WHERE datname LIKE 'drizzle_pilot_scratch_%' ORDER BY 1")
}

#[test]
fn what_a_killed_run_left_is_dropped_by_the_next_one_and_what_is_in_use_is_not() {
    let server = OwnServer::start("15", &[]);
    let database = Database::create_at(server.url());
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE t ();")]);
    project.policy(NEVER);
    database.sql("CREATE TABLE t (); CREATE ROLE somebody");
    let made = ["1_a", "2_b", "3_c", "notes"].map(|end| format!("drizzle_pilot_scratch_{end}"));
    for name in &made {
        database.sql(&format!("CREATE DATABASE {name}"));
    }
    let [left, live, of_somebody, notes] = &made;
    database.sql(&format!("ALTER DATABASE {of_somebody} OWNER TO somebody"));
    // A run that goes on has a session of this name from before its database is there.
    let rival = database.hold(&format!("SET application_name = '{live}'"));
    let removed = |name: &str| format!("removed the scratch database {name}, which an earlier run left behind");
    let ran = project.pilot(&["sync", "--dry-run"]).run().expect(2).says(&[&removed(left)]);
    assert!(!ran.stderr.contains(&removed(live)), "{ran}");
    assert_eq!(scratches(&database), [live, of_somebody, notes].map(String::as_str));
    drop(rival);
    project.pilot(&["sync", "--dry-run"]).run().expect(2).says(&[&removed(live)]);
    assert_eq!(scratches(&database), [of_somebody, notes].map(String::as_str));
}

/// How many runs are killed; more of them on request.
fn n_killed() -> u64 {
    std::env::var("DRIZZLE_PILOT_SCRATCH_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(2)
}

/// Returns the folders of servers in a folder, where others have theirs as well.
fn folders_in(temporary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(temporary).expect("it is there").map(|entry| entry.expect("it can be read").path());
    entries.filter(|path| path.display().to_string().contains("drizzle-pilot-scratch-")).collect()
}

/// Returns the servers that run in a folder.
fn servers_in(folder: &Path) -> Vec<PathBuf> {
    let Ok(all) = std::fs::read_dir("/proc") else { return Vec::new() };
    let folders = all.filter_map(|entry| std::fs::read_link(entry.ok()?.path().join("cwd")).ok());
    folders.filter(|cwd| cwd.starts_with(folder)).collect()
}

#[test]
fn a_run_that_is_killed_leaves_nothing_that_the_next_one_does_not_remove() {
    let server = OwnServer::start("15", &[]);
    let database = Database::create_at(server.url());
    let migration = "CREATE ROLE made_here;\n--> statement-breakpoint\nCREATE TABLE t ();";
    database.sql("CREATE TABLE t ()");
    let temporary = TempDir::with_prefix_in("dp-", "/tmp").expect("there is a temporary folder");
    std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    let folders = || folders_in(temporary.path());
    for (text, policy) in [(migration, ""), ("CREATE TABLE t ();", NEVER)] {
        let project = project(NEWEST, &database, &[(10, text)]);
        project.policy(policy);
        let run = || {
            let run = with_postgres(project.pilot(&["sync", "--dry-run"]));
            run.env("TMPDIR", temporary.path().to_str().expect("the path is UTF-8"))
        };
        let before = globals(&database);
        let begun = Instant::now();
        run().run().expect(2);
        let usual = u64::try_from(begun.elapsed().as_micros()).expect("it was short");
        let mut random = Random(21);
        for _ in 0..n_killed() {
            let moment = Duration::from_micros(random.below(usual));
            let running = run().spawn();
            // The moment itself is what is drawn; nothing is waited for.
            std::thread::sleep(moment);
            running.signal_starter(Signal::KILL);
            running.finish();
            gone_within(Duration::from_secs(10), "a server", || servers_in(temporary.path()));
            gone_within(Duration::from_secs(10), "a backend", || database.foreign_backends());
            let (left, were_left) = (scratches(&database), folders());
            let ran = run().run().expect(2);
            for name in &left {
                assert!(ran.stderr.contains(name), "{moment:?}\n{ran}");
            }
            assert_eq!(globals(&database), before, "{moment:?}: {left:?}\n{ran}");
            assert_eq!(folders(), Vec::<PathBuf>::new(), "{moment:?}: {were_left:?}\n{ran}");
        }
    }
}

#[test]
fn a_signal_ends_the_server_and_removes_its_folder() {
    let database = Database::create();
    let text = "CREATE ROLE made_here;\n--> statement-breakpoint\nSELECT pg_sleep(600);";
    let project = project(NEWEST, &database, &[(10, text)]);
    let temporary = TempDir::with_prefix_in("dp-", "/tmp").expect("there is a temporary folder");
    std::fs::set_permissions(temporary.path(), PermissionsExt::from_mode(0o755)).expect("it is ours");
    let run = with_postgres(project.pilot(&["sync", "--dry-run"]));
    let running = run.env("TMPDIR", temporary.path().to_str().expect("the path is UTF-8")).spawn();
    crate::support::until("the server is up", || !servers_in(temporary.path()).is_empty());
    running.signal(Signal::TERM);
    running.finish().expect(143);
    assert_eq!(servers_in(temporary.path()), Vec::<PathBuf>::new());
    assert_eq!(folders_in(temporary.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_server_that_is_given_is_used_and_left_as_it_was() {
    let (target, given) = (OwnServer::start("15", &[]), OwnServer::start("15", &[]));
    let (database, other) = (Database::create_at(target.url()), Database::create_at(given.url()));
    let text = "CREATE ROLE made_here;\n--> statement-breakpoint\nCREATE TABLE t ();\n--> statement-breakpoint\nCREATE POLICY p ON t TO made_here, expected_here;";
    let project = project(NEWEST, &database, &[(10, text)]);
    project.policy(NEVER);
    database.sql("CREATE ROLE expected_here; CREATE ROLE made_here; CREATE TABLE t (); CREATE POLICY p ON t TO made_here, expected_here; DROP ROLE IF EXISTS nobody_here");
    let before = [globals(&database), globals(&other)];
    let sync = |url: &str| project.pilot(&["sync", "--dry-run", "--scratch-url", url]);
    sync(other.url().as_str()).run().expect(2).says(&["the database matches"]);
    assert_eq!([globals(&database), globals(&other)], before);
    project.policy(&format!("[scratch]\nstart = \"never\"\nurl = \"{}\"\n", other.url()));
    project.pilot(&["sync", "--dry-run"]).run().expect(2).says(&["the database matches"]);
    project.policy(NEVER);

    let newer = Database::create_on(Server::Postgres18);
    let password = newer.url().password().expect("it has one").to_owned();
    sync(newer.url().as_str()).run().expect(1).says(&["runs PostgreSQL 18, and the database 15"]).never_says(&password);
    project.policy(&format!("[scratch]\nstart = \"never\"\nurl = \"{}\"\n", newer.url()));
    project.pilot(&["sync", "--dry-run"]).run().expect(1).says(&["runs PostgreSQL 18"]).never_says(&password);
    project.policy(NEVER);
    // The target's own server by another name is what it is.
    folder(&project, &[(10, "ALTER DATABASE x SET work_mem = '5MB';")]);
    sync(target.url().as_str()).run().expect(3).says(&["cannot be run in a scratch database"]);
    // Databases of others on a server that was given are not touched either.
    sync(other.url().as_str()).run().expect(3).says(&["cannot be run in a scratch database"]);
    assert_eq!([globals(&database), globals(&other)], before);
}

#[test]
fn a_prelude_makes_what_others_own() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE t (id int REFERENCES billing.accounts (id));")]);
    database.sql("CREATE SCHEMA billing; CREATE TABLE billing.accounts (id int PRIMARY KEY, more text); CREATE TABLE billing.others (); CREATE TABLE t (id int REFERENCES billing.accounts (id))");
    project.pilot(&["sync", "--dry-run"]).run().expect(1).says(&["schema \"billing\" does not exist"]);
    project.write("billing.sql", "CREATE SCHEMA billing; CREATE TABLE billing.accounts (id int PRIMARY KEY);");
    for more in ["", "start = \"never\"\n"] {
        project.policy(&format!("[scratch]\nprelude = \"billing.sql\"\n{more}"));
        with_postgres(project.pilot(&["sync", "--dry-run"])).run().expect(2).says(&["the database matches"]);
    }
    project.write("billing.sql", "COPY t TO PROGRAM 'true'");
    project.pilot(&["sync", "--dry-run"]).run().expect(3).says(&["the prelude:"]);
    project.write("billing.sql", "CREATE SCHEMA billing; CREATE TABLE billing.accounts (id nothing);");
    project.pilot(&["sync", "--dry-run"]).run().expect(1).says(&["the prelude does not run", "42704"]);
}

#[test]
fn what_was_built_before_is_not_built_again_unless_others_could_write_it() {
    let database = Database::create();
    let project: Project = project(NEWEST, &database, &[(10, "CREATE TABLE t ();")]);
    project.policy(NEVER);
    database.sql("CREATE TABLE t ()");
    let cache = project.path("cache");
    let schemas = cache.join("drizzle-pilot/schemas");
    let sync =
        || project.pilot(&["sync", "--dry-run"]).env("XDG_CACHE_HOME", cache.to_str().expect("it is UTF-8")).run();
    sync().expect(2);
    let files = || -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&schemas).expect("it was made");
        entries.map(|entry| entry.expect("it can be read").path()).collect()
    };
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    let [file] = &files()[..] else { panic!("{:?}", files()) };
    assert_eq!((mode(&schemas), mode(file)), (0o700, 0o600));
    // What stands there is believed, and it says something else now.
    let text = std::fs::read_to_string(file).expect("it can be read");
    std::fs::write(file, text.replace("public.t|", "public.kept|")).expect("it is ours");
    sync().expect(3).says(&["table public.kept: missing"]);
    // Another statement, another setting and another policy make another schema.
    database.sql(&format!("ALTER DATABASE {} SET app.x = '1'", database.value("SELECT current_database()")));
    sync().expect(2);
    assert_eq!(files().len(), 2);
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o644)).expect("it is ours");
    database.sql(&format!("ALTER DATABASE {} RESET app.x", database.value("SELECT current_database()")));
    sync().expect(2);
    project.policy(&format!("{NEVER}cache = false\n"));
    std::fs::remove_dir_all(&cache).expect("it is ours");
    sync().expect(2);
    assert!(!cache.exists());
}
