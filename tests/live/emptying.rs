//! The command `reset`: guards first, then all or nothing, then what was asked to follow.

use std::io::Write;

use crate::NEWEST;
use crate::migrations;
use crate::support::{Database, Journeys, Project, Ran};

const HERE: &str = "[guard]\nhosts = ['127.0.0.1']\nrefuse_env = ['STAGE=live']\n";

/// A database with something in it, and a project that would push a table.
fn prepared() -> (Database, Project) {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    project.policy(HERE);
    database
        .sql("CREATE EXTENSION citext; CREATE VIEW names AS SELECT name FROM users; CREATE TYPE mood AS ENUM ('sad')");
    (database, project)
}

#[test]
fn a_database_is_emptied_and_the_schema_is_pushed_again() {
    let (database, project) = prepared();
    let before = database.state();
    let ran = project.pilot(&["reset", "--dry-run"]).run().expect(2).database("unchanged");
    assert_eq!(database.state(), before, "{}", ran.says(&["DROP TABLE", "\"users\"", "\"names\"", "\"mood\""]));

    let ran = project.pilot(&["reset", "--yes", "--then", "push"]).run().expect(0).database("changed");
    assert_eq!(database.value("SELECT count(*) FROM users"), "0", "{ran}");
    assert_eq!(database.list("SELECT extname FROM pg_extension WHERE extname = 'citext'"), ["citext"]);
    let ran = project.pilot(&["reset", "--yes"]).run().expect(0);
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
    project.pilot(&["reset", "--yes"]).run().expect(0).says(&["nothing to drop"]);
}

#[test]
fn what_is_not_allowed_is_not_touched() {
    let (database, project) = prepared();
    let before = database.everything();
    let check = |policy: &str, arguments: &[&str], code: i32, says: &[&str]| {
        project.policy(policy);
        let ran = project.pilot(arguments).env("STAGE", "live").run().expect(code).database("unchanged").says(says);
        assert_eq!(database.everything(), before, "{ran}");
    };
    let elsewhere = "[guard]\nhosts = ['localhost']\n";
    let here = "[guard]\nhosts = ['127.0.0.1']\n";
    let banned = format!("{here}[profiles.live]\nwhen = {{ env = ['STAGE=live'] }}\ncommands = ['migrate']\n");
    // What is known without the database is not asked of it.
    let log = database.log_statements();
    check("", &["reset", "--yes"], 77, &["none is named"]);
    check(elsewhere, &["reset", "--yes"], 77, &["127.0.0.1", "localhost"]);
    check(HERE, &["reset", "--yes"], 77, &["STAGE=live"]);
    check(&banned, &["reset", "--yes"], 77, &["profile live"]);
    assert_eq!(log.end_of_all(), Vec::<String>::new());
    let log = database.log_statements();
    check(here, &["reset"], 77, &["not emptied without --yes"]);
    check(here, &["reset", "--yes", "--confirm-database", "other"], 77, &["other was confirmed"]);
    check(here, &["reset", "--yes", "--schema", "pg_catalog"], 3, &["pg_catalog"]);
    let told = log.end_of_all();
    let reads = ["SELECT", "WITH", "BEGIN", "SET", "SHOW", "ROLLBACK", "COMMIT", "SAVEPOINT", "RELEASE"];
    let reads = |statement: &&String| reads.iter().any(|word| statement.trim_start().starts_with(word));
    assert!(told.len() > 5 && told.iter().all(|statement| reads(&statement)), "{told:#?}");
    database.sql("CREATE SCHEMA shop; CREATE TABLE shop.moods (mood mood)");
    let before = database.everything();
    let public = ["reset", "--yes", "--schema", "public"];
    let ran = project.pilot(&public).run().expect(3).says(&["shop.moods.mood", "not in scope"]);
    assert_eq!(database.everything(), before, "{ran}");
}

#[test]
fn the_name_is_asked_for_on_a_terminal_and_nothing_else_empties_it() {
    let (database, project) = prepared();
    let name = database.value("SELECT current_database()");
    let before = database.everything();
    let answer = |keys: &str| {
        let (mut running, mut keyboard) = project.pilot(&["reset"]).spawn_on_terminal(24, 120);
        running.wait_to_see(&format!("Type the name of the database to empty it ({name}):"));
        keyboard.write_all(keys.as_bytes()).expect("it listens");
        running.finish()
    };
    for (keys, code, says) in [
        ("\x03", 130, "stopped by SIGINT at the question"),
        ("yes\r", 77, "the name was not typed"),
        ("\r", 77, "the name was not typed"),
        ("\x04", 77, "the name was not typed"),
    ] {
        let ran = answer(keys).expect(code).database("unchanged").says(&[says, "Nothing was executed."]);
        assert_eq!(database.everything(), before, "{ran}");
    }
    let ran = answer(&format!("{name}\r")).expect(0).database("changed");
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
}

#[test]
fn a_hundred_tables_take_at_most_twenty_round_trips() {
    let (database, project) = prepared();
    database.sql(
        "DO $$ BEGIN FOR n IN 1..99 LOOP EXECUTE format('CREATE TABLE t%s (id serial PRIMARY KEY, name text UNIQUE,
             at timestamp DEFAULT now(), user_id int REFERENCES users, mood mood)', n); END LOOP; END $$",
    );
    let network = Journeys::to(database.url());
    let ran = project.pilot(&["reset", "--yes", "--url", network.url.as_str()]).run().expect(0).database("changed");
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
    let n_round_trips = network.n_round_trips();
    assert!((10..=20).contains(&n_round_trips), "{n_round_trips}\n{ran}");
}

#[test]
fn the_migrations_build_again_what_was_emptied() {
    let database = Database::create();
    let role = format!("{}_reader", database.value("SELECT current_database()"));
    let creates_role = format!("CREATE ROLE {role};");
    // In one transaction a new value could not be used (55P04).
    let migrations = [
        (10, "CREATE TYPE mood AS ENUM ('sad');\n--> statement-breakpoint\nCREATE TABLE moods (m mood);"),
        (20, "ALTER TYPE mood ADD VALUE 'ok';"),
        (30, "INSERT INTO moods VALUES ('ok');"),
        (40, &*creates_role),
    ];
    let project = migrations::project(NEWEST, &database, &migrations[..3]);
    project.policy(&format!("{HERE}[reset]\nthen = 'migrate'\n"));
    database.sql("CREATE TABLE pushed (id int)");
    let reset = || project.pilot(&["reset", "--yes"]).run();
    let built = |ran: &Ran| {
        assert_eq!(database.list("SELECT m FROM moods"), ["ok"], "{ran}");
        assert_eq!(database.list(migrations::HISTORY), ["10", "20", "30"], "{ran}");
    };
    for _ in 0..2 {
        let ran = reset().expect(0).database("changed").says(&["run in 2 steps", "3 migrations applied"]);
        built(&ran);
    }
    assert_eq!(database.list("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), ["moods"]);

    // What could not be built again is not dropped.
    std::fs::remove_file(project.path("drizzle/0001_m.sql")).expect("the file was written");
    let ran =
        reset().expect(65).database("unchanged").says(&["the journal names 0001_m, but that file does not exist"]);
    built(&ran);

    // A role belongs to the server and not to the database.
    migrations::folder(&project, &migrations);
    let ran = reset().expect(0).says(&["4 migrations applied"]);
    assert!(!ran.stderr.contains("stays, and"), "{ran}");
    let says = format!("role {role} stays, and 0003_m.sql creates it");
    let before = database.everything();
    for dry in [&[][..], &["--dry-run"]] {
        let run = project.pilot(&["reset", "--yes"]).args(dry).run();
        let ran = run.expect(3).database("unchanged").says(&[&says, "could not be applied afterwards"]);
        assert_eq!(database.everything(), before, "{ran}");
    }
    project
        .pilot(&["reset", "--yes", "--then", "none"])
        .run()
        .expect(0)
        .says(&[&says, "a migrate afterwards will fail there"]);
    database.sql(&format!("DROP ROLE {role}"));
    reset().expect(0).says(&["4 migrations applied"]);
    database.sql(&format!("DROP ROLE {role}"));
    // Neither can what is kept be created again.
    let kept = ["--keep", "moods", "--keep", "mood"];
    let ran = project.pilot(&["reset", "--yes"]).args(&kept).run().expect(3).database("unchanged");
    let says =
        ["type public.mood stays, and 0000_m.sql creates it", "table public.moods stays, and 0000_m.sql creates it"];
    drop(ran.says(&says));
}

#[test]
fn what_follows_goes_to_the_database_that_was_emptied() {
    let (database, project) = prepared();
    let before = database.everything();
    let other = Database::create();
    other.sql("CREATE TABLE old (id integer)");
    let ran = project.pilot(&["reset", "--yes", "--then", "push", "--url", other.url().as_str()]).run().expect(0);
    assert_eq!(other.list("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"), ["users"], "{ran}");
    assert_eq!(database.everything(), before, "{ran}");
}

#[test]
fn a_reset_runs_the_steps_of_the_policy_in_their_order_and_reports_them_once() {
    let (database, project) = prepared();
    let sh = |script: &str| format!("\"sh -c '{script}'\"");
    project.policy(&format!(
        "{HERE}[reset]\nthen = 'push'\nbefore = [{}]\nafter = [{}]\n",
        sh("echo built"),
        sh("echo seeded >&2; echo $DATABASE_URL > seed.txt")
    ));
    let ran = project.pilot(&["reset", "--yes", "--format", "json"]).run().expect(0).database("changed");
    let ran = ran.says(&["built", "seeded", "step 1 of 4", "step 4 of 4"]);
    let result: serde_json::Value = serde_json::from_str(&ran.stdout).expect("stdout is one document");
    let steps: Vec<&str> =
        result["steps"].as_array().into_iter().flatten().filter_map(|step| step["outcome"].as_str()).collect();
    assert_eq!(steps, ["ok"; 4], "{ran}");
    assert_eq!(result, ran.report, "{ran}");
    assert_eq!(database.value("SELECT count(*) FROM users"), "0", "{ran}");
    assert!(project.path("seed.txt").exists(), "{ran}");

    database.sql("INSERT INTO users (id, name) VALUES (1, 'ann')");
    let before = database.everything();
    let failing = |key: &str| format!("{HERE}[reset]\nthen = 'none'\n{key} = [{}, 'sh -c true']\n", sh("exit 3"));
    project.policy(&failing("before"));
    let ran = project.pilot(&["reset", "--yes"]).run().expect(1).database("unchanged").says(&["ended with 3"]);
    assert_eq!(database.everything(), before, "{ran}");
    project.policy(&failing("after"));
    let ran = project.pilot(&["reset", "--yes"]).run().expect(6).database("changed").says(&["ended with 3"]);
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
    assert_eq!(ran.report["steps"].as_array().map(Vec::len), Some(2), "{ran}");
}

#[test]
fn the_commands_of_a_reset_find_the_database_that_was_emptied_wherever_it_was_named() {
    let database = Database::create();
    let url = database.url();
    let (host, port, user) = ("127.0.0.1", url.port().expect("it has one").to_string(), url.username());
    let name = database.value("SELECT current_database()");
    let password = url.password().expect("it has one");
    let seed = "printf '%s\\n' \"$DATABASE_URL\" \"$PGHOST $PGPORT $PGDATABASE $PGUSER ${PGSERVICE-none}\" >> seen\n";
    // Other programs are to be told what a URL would have told them.
    let plain = format!("postgres://{user}:{password}@{host}:{port}/{name}?sslmode=disable");
    let check = |config: &str, args: &[&str], variables: &[(&str, &str)], told: &str| {
        let project = Project::without_database(NEWEST);
        let credentials = |credentials: &str| {
            project.config(&format!(
                "export default {{ dialect: 'postgresql', schema: './s.ts', dbCredentials: {credentials} }};"
            ));
        };
        match config {
            "" => std::fs::remove_file(project.path("drizzle.config.ts")).expect("it was written"),
            config => credentials(config),
        }
        project.write("seed.sh", seed);
        project.policy(&format!("{HERE}[reset]\nbefore = ['sh seed.sh']\nafter = ['sh seed.sh']\n"));
        let run = project.pilot(&[&["reset", "--yes"], args].concat()).env("PGSERVICE", "elsewhere");
        let ran = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run().expect(0);
        let seen = std::fs::read_to_string(project.path("seen")).expect("both commands ran");
        let variables = format!("{host} {port} {name} {user} none");
        assert_eq!(seen.lines().collect::<Vec<_>>(), [told, &variables, told, &variables], "{ran}");
    };
    let elsewhere = [("PGHOST", "elsewhere.example.com"), ("PGDATABASE", "elsewhere"), ("PGUSER", "nobody")];
    check(&format!("{{ url: '{url}' }}"), &[], &elsewhere, url.as_str());
    let parts = format!(
        "{{ host: '{host}', port: {port}, user: '{user}', password: '{password}', database: '{name}', ssl: false }}"
    );
    check(&parts, &[], &elsewhere, &plain);
    check(&parts, &["--url", url.as_str()], &elsewhere, url.as_str());
    // postgres.js would go to the other one.
    let both = format!("{url}?database=elsewhere");
    check("", &["--url", &both], &elsewhere, &plain);
    check("", &[], &[("DATABASE_URL", url.as_str())], url.as_str());
    let libpq =
        [("PGHOST", host), ("PGPORT", &*port), ("PGDATABASE", &*name), ("PGUSER", user), ("PGPASSWORD", password)];
    check("", &[], &libpq, &plain);
}

#[test]
fn what_is_forbidden_is_not_contacted() {
    let (_database, project) = prepared();
    let nobody = "postgres://app:secret@127.0.0.1:1/shop";
    let check = |policy: &str, name: &str, value: &str, says: &[&str]| {
        project.policy(policy);
        let run = project.pilot(&["reset", "--yes", "--url", nobody]).env(name, value);
        run.run().expect(77).database("unchanged").says(says);
    };
    let here = "[guard]\nhosts = ['127.0.0.1']\n";
    check("[guard]\nhosts = ['localhost']\n", "X", "", &["host 127.0.0.1 is not among"]);
    check(here, "NODE_ENV", "production", &["NODE_ENV=production", "built-in policy"]);
    let both = format!("{here}refuse_env = ['STAGE=live', 'NODE_ENV=production']\n");
    project.policy(&both);
    let run = project.pilot(&["reset", "--yes", "--url", nobody]).env("STAGE", "live").env("NODE_ENV", "production");
    run.run().expect(77).says(&["STAGE=live", "NODE_ENV=production"]);
    let banned = format!(
        "{here}refuse_env = []\n[profiles.live]\nwhen = {{ env = ['STAGE=live'] }}\ncommands = ['migrate']\n[profiles.other]\n"
    );
    project.policy(&banned);
    let run = project.pilot(&["reset", "--yes", "--url", nobody, "--profile", "other"]).env("STAGE", "live");
    run.run().expect(77).says(&["profile live"]);
    // A line of the policy lifts what is built in.
    project.policy(&format!("{here}refuse_env = []\n"));
    project.pilot(&["reset", "--yes", "--url", nobody]).env("NODE_ENV", "production").run().expect(69);
}

#[test]
fn a_reset_waits_for_the_run_that_has_the_lock_and_names_it() {
    let (database, project) = prepared();
    let before = database.everything();
    let other = database.hold("SELECT pg_advisory_xact_lock(1685745772, 1)");
    let ran = project.pilot(&["reset", "--yes", "--lock-timeout", "50ms"]).run().expect(75).database("unchanged");
    let ran = ran.says(&["another run changes this database", "called live-test"]);
    assert_eq!(database.everything(), before, "{ran}");
    drop(other);
}

#[test]
fn every_schema_that_the_config_names_is_emptied() {
    let (database, project) = prepared();
    database.sql(
        "CREATE SCHEMA shop; CREATE TABLE shop.orders (id integer); CREATE SCHEMA other; CREATE TABLE other.kept ()",
    );
    let ran = project
        .pilot(&["reset", "--yes"])
        .run()
        .expect(0)
        .says(&["schemas public, shop", "named by drizzle.config.ts"]);
    let left = "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN ('public', 'shop', 'other')";
    assert_eq!(database.list(left), ["other.kept"], "{ran}");
}

on_every_kit!(extensions_in_public_do_not_stop_the_push_afterwards);
on_1_0_as_well! {
    extensions_in_public_do_not_stop_the_push_afterwards
}

fn extensions_in_public_do_not_stop_the_push_afterwards(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "add_column", &database);
    project.policy(HERE);
    database.sql("CREATE EXTENSION pg_stat_statements");
    let ran = project.pilot(&["reset", "--yes", "--then", "push"]).run().expect(0).database("changed");
    assert!(ran.report["prompts"].as_array().into_iter().flatten().count() <= 1, "only consent is asked for\n{ran}");
    assert_eq!(database.value("SELECT count(*) FROM users"), "0", "{ran}");
    let views = "SELECT count(*) FROM pg_views WHERE viewname LIKE 'pg_stat_statements%' AND schemaname = 'public'";
    assert_eq!(database.value(views), "2", "{ran}");
    project.push().expect(0).database("unchanged").says(&["no changes"]);
}

#[test]
fn what_is_to_stay_is_named_by_patterns_and_misspelt_names_stop() {
    let (database, project) = prepared();
    database.sql(
        "CREATE TABLE cache_a (id serial); CREATE TABLE \"cache.b\" (id int); CREATE SCHEMA shop; CREATE TABLE shop.cache_c (id int);
         CREATE TABLE shop.gone (id int)",
    );
    let before = database.everything();
    let stops = |arguments: &[&str], code: i32, says: &[&str]| {
        let ran =
            project.pilot(&["reset", "--yes"]).args(arguments).run().expect(code).database("unchanged").says(says);
        assert_eq!(database.everything(), before, "{ran}");
    };
    stops(&["--keep", "cahce_*"], 3, &["there is nothing named cahce_* to keep"]);
    stops(&["--keep", "cache_["], 64, &["--keep cache_["]);
    stops(&["--keep", "shop.cache.c"], 64, &["shop.cache.c"]);
    stops(&["--schema", "sohp"], 3, &["there is no schema sohp", "did you mean shop?"]);

    let keep = [
        "--keep",
        "cache*",
        "--keep",
        "shop.{cache_c,other}",
        "--keep",
        "\"cache.b\"",
        "--schema",
        "public",
        "--schema",
        "shop",
    ];
    let ran = project
        .pilot(&["reset", "--yes", "--schema", "later"])
        .args(&keep)
        .run()
        .expect(0)
        .says(&["there is no schema later"]);
    let tables = ["public.\"cache.b\"", "public.cache_a", "shop.cache_c"];
    let left = database.list("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('public', 'shop') ORDER BY 1");
    assert_eq!(left, tables, "{ran}");
}

#[test]
fn what_belongs_to_another_role_goes_only_where_that_is_said() {
    let (database, project) = prepared();
    let other = format!("{}_other", database.value("SELECT current_database()"));
    database.sql(&format!("CREATE ROLE {other}; ALTER TYPE mood OWNER TO {other}"));
    let before = database.everything();
    let ran = project.pilot(&["reset", "--yes"]).run().expect(3).says(&["public.mood", &other, "--other-owners"]);
    assert_eq!(database.everything(), before, "{ran}");
    let ran = project
        .pilot(&["reset", "--yes", "--other-owners"])
        .run()
        .expect(0)
        .says(&[&format!("1 of them are owned by {other}")]);
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
}
