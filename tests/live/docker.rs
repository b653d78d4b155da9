//! The entrypoint of `scripts/docker`, as process 1 of a container: what it does before the application, and that nothing of it is
//! left afterwards but the application.

use std::path::Path;

use super::ci::installed;
use super::migrations::project;
use super::surroundings::as_pid_1;
use crate::NEWEST;
use crate::support::{Database, Project, Run, Signal, until};

/// The session of drizzle-kit that waits for a lock.
const WAITING: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%count(%'";

/// Prepares a run of the entrypoint with an application.
fn entrypoint(project: &Project, step: &str, application: &[&str]) -> Run {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/docker/entrypoint.sh");
    let mut command = as_pid_1();
    command.push(script.to_str().expect("the path is UTF-8").to_owned());
    command.extend(application.iter().map(|&word| word.to_owned()));
    let command: Vec<&str> = command.iter().map(String::as_str).collect();
    installed(project.command("", &command))
        .env("DRIZZLE_PILOT_STEP", step)
        .env("DRIZZLE_PILOT_READY_FILE", project.path("ready").to_str().expect("the path is UTF-8"))
}

#[test]
fn the_entrypoint_migrates_and_becomes_the_application() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a ();")]);
    project.write("ready", "of an old run");
    let application =
        ["sh", "-c", "test -e \"$DRIZZLE_PILOT_READY_FILE\" && echo \"process $$, $1\"; exit 7", "app", "a b"];
    let ran = entrypoint(&project, "migrate", &application).run();
    assert_eq!(ran.code, 7, "{ran}");
    let is_pid_1 = as_pid_1()[0] == "unshare";
    assert!(ran.stdout.ends_with(", a b\n") && (!is_pid_1 || ran.stdout.contains("process 1, ")), "{ran}");
    assert_eq!(database.state().iter().filter(|line| line.starts_with("public.a ")).count(), 1, "{ran}");
    // A second container finds nothing to do; without an application it is a job with a code of its own.
    let ran = entrypoint(&project, "migrate", &[]).run();
    assert_eq!(ran.code, 0, "{ran}");
    ran.says(&["there is nothing to do: 1 applied"]);

    // What ends the application is the application's: it is the process that gets the signal.
    let server = "process.on('SIGTERM', () => process.exit(9)); setInterval(() => {}, 1e6); console.error('it is up')";
    let mut running = entrypoint(&project, "none", &["node", "-e", server]).spawn();
    running.wait_for("it is up");
    running.signal_all("node", Signal::TERM);
    let ran = running.finish();
    assert_eq!(ran.code, 9, "{ran}");
}

#[test]
fn what_init_writes_lets_a_container_migrate_in_production_and_nothing_else() {
    let dockerfile = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/docker/Dockerfile"));
    assert!(dockerfile.is_ok_and(|text| text.contains("ENV NODE_ENV=production ")), "the image says production");
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a ();")]);
    project.write("drizzle-pilot.toml", drizzle_pilot::commands::policy::STARTER);
    let in_production = |step: &str| entrypoint(&project, step, &[]).env("NODE_ENV", "production").run();
    let ran = in_production("push");
    assert_eq!(ran.code, 77, "{ran}");
    ran.says(&["the profile production does not allow `push`", "Nothing was executed."]);
    let ran = in_production("migrate");
    assert_eq!(ran.code, 0, "{ran}");
    ran.says(&["1 migration applied"]);
}

#[test]
fn where_the_database_is_not_brought_up_to_date_no_application_starts() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
    let application = ["touch", "started"];
    project.write("ready", "of an old run");
    let ran = entrypoint(&project, "push", &application).run();
    assert_eq!(ran.code, 3, "{ran}");
    ran.says(&["drop_column public.users.legacy_id", "Nothing was executed."]);

    // `docker stop` while drizzle-kit counts rows: the shell hears it, and drizzle-pilot ends it all.
    let held = database.hold("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
    let running = entrypoint(&project, "push", &application).spawn();
    until("drizzle-kit waits for the table", || !database.list(WAITING).is_empty());
    running.signal_all("entrypoint.sh", Signal::TERM);
    let ran = running.finish();
    assert_eq!(ran.code, 143, "{ran}");
    ran.says(&["Nothing was executed."]);
    held.release();
    until("no session of it is left", || database.foreign_backends().is_empty());

    let nowhere = entrypoint(&project, "push", &application).env("DATABASE_URL", "postgres://u:p@127.0.0.1:1/x");
    let ran = nowhere.env("DRIZZLE_PILOT_WAIT", "0").run();
    assert_eq!(ran.code, 69, "{ran}");
    let ran = entrypoint(&project, "reset", &application).run();
    assert_eq!(ran.code, 64, "{ran}");
    ran.says(&["DRIZZLE_PILOT_STEP must be migrate, push or none, not reset", "Nothing was executed."]);
    for file in ["started", "ready"] {
        assert!(!project.path(file).exists(), "{file} is there");
    }
}
