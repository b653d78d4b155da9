//! `doctor`: says beforehand how a run will go, and touches nothing.

use crate::NEWEST;
use crate::support::{Database, Project};

fn project(database: &Database) -> Project {
    Project::fixture(NEWEST, "add_column", database)
}

#[test]
fn where_all_is_well_it_says_so_and_ends_with_0() {
    let database = Database::create();
    let project = project(&database);
    project.policy("[guard]\nhosts = ['127.0.0.1']\n");
    let before = database.everything();
    let ran = project.pilot(&["doctor"]).run().expect(0).says(&[
        "ok       drizzle-kit  0.31.11",
        "ok       config       drizzle.config.ts: postgresql, schemas public, shop, store, migrations in ./drizzle",
        "(by drizzle.config.ts)",
        "ok       reset        databases on this host may be emptied",
        "ok       server       PostgreSQL 15.18",
    ]);
    assert!(!ran.stdout.contains("warning") && !ran.stdout.contains("problem"), "{ran}");
    assert!(!ran.stdout.contains(database.url().password().expect("the laboratory has one")), "{ran}");
    assert_eq!(database.everything(), before);
}

#[test]
fn the_first_problem_gives_the_code() {
    let database = Database::create();
    let project = project(&database);
    let check = |variables: &[(&str, &str)], code: i32, says: &[&str]| {
        let run = project.pilot(&["doctor"]);
        variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run().expect(code).says(says);
    };
    let nowhere = "postgres://app:hunter2hunter2@127.0.0.1:1/shop";
    check(&[("DATABASE_URL", nowhere)], 69, &["problem  server", "refused the connection", "start the database"]);
    project.policy("[profiles.live]\nwhen = { env = ['STAGE=live'] }\ncommands = ['migrate']\n");
    check(
        &[("STAGE", "live")],
        0,
        &["warning  profile", "live, because STAGE=live; it does not allow push, generate, reset"],
    );
    project.policy("[hazards]\ndrop_tabel = 'approve'\n");
    check(&[], 78, &["problem  policy", "drop_tabel"]);
    std::fs::remove_file(project.path("drizzle-pilot.toml")).expect("it was written");
    project.config("export default { dialect: 'postgresql', schema: './schema.ts' ");
    check(
        &[],
        78,
        &["warning  policy", "drizzle-pilot policy init", "problem  config", "drizzle's config cannot be loaded"],
    );
    std::fs::remove_file(project.path("node_modules")).expect("it is a link");
    check(&[], 127, &["problem  drizzle-kit", "is not installed"]);
    let ran = project.pilot(&["doctor"]).run().expect(127);
    for check in ran.report["checks"].as_array().expect("a list") {
        assert_eq!(check["hint"].is_null(), check["state"] == "ok", "what is not well says what to do: {check}");
    }
}

#[test]
fn for_programs_it_is_json() {
    let database = Database::create();
    let ran = project(&database).pilot(&["doctor", "--format", "json"]).run().expect(0).database("unchanged");
    assert_eq!(ran.json(), ran.report, "the report file is the same document");
    assert_eq!((&ran.report["command"], &ran.report["target"]["host"]), (&"doctor".into(), &"127.0.0.1".into()));
    let checks = ran.report["checks"].as_array().expect("a list");
    let names: Vec<&str> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    let expected =
        ["project", "node", "temporary", "policy", "drizzle-kit", "config", "target", "profile", "reset", "server"];
    assert_eq!(names, expected);
    assert!(checks.iter().all(|check| check["found"].is_string()));
}
