//! The command `reset`: guards first, then all or nothing, then what was asked to follow.

use crate::NEWEST;
use crate::support::{Database, Project};

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
    check("", &["reset", "--yes"], 77, &["none is named"]);
    check(elsewhere, &["reset", "--yes"], 77, &["127.0.0.1", "localhost"]);
    check(HERE, &["reset", "--yes"], 77, &["STAGE=live"]);
    check(here, &["reset"], 77, &["not emptied without --yes"]);
    check(here, &["reset", "--yes", "--confirm-database", "other"], 77, &["other was confirmed"]);
    let banned = format!("{here}[profiles.live]\nwhen = {{ env = ['STAGE=live'] }}\ncommands = ['migrate']\n");
    check(&banned, &["reset", "--yes"], 77, &["profile live"]);
    check(here, &["reset", "--yes", "--schema", "pg_catalog"], 3, &["pg_catalog"]);
    database.sql("CREATE SCHEMA shop; CREATE TABLE shop.moods (mood mood)");
    let before = database.everything();
    let public = ["reset", "--yes", "--schema", "public"];
    let ran = project.pilot(&public).run().expect(3).says(&["shop.moods.mood", "not in scope"]);
    assert_eq!(database.everything(), before, "{ran}");
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
            project.pilot(&["reset", "--yes"]).arguments(arguments).run().expect(code).database("unchanged").says(says);
        assert_eq!(database.everything(), before, "{ran}");
    };
    stops(&["--keep", "cahce_*"], 3, &["there is nothing called cahce_* to keep"]);
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
        .arguments(&keep)
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
        .says(&[&format!("1 of them belong to {other}")]);
    assert_eq!(database.state(), Vec::<String>::new(), "{ran}");
}
