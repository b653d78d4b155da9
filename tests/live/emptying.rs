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
    let ran = project.pilot(&["reset", "--yes"]).run().expect(3).says(&["shop.moods.mood", "not in scope"]);
    assert_eq!(database.everything(), before, "{ran}");
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
