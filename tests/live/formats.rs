//! Reports of commands that need a server are those that are stored (`fixtures/reports`); the others are compared by
//! `tests/it/formats.rs`.

use crate::NEWEST;
use crate::support::{Database, Project, Ran, stored};

/// Compares the report of a run on this database.
#[track_caller]
fn check(name: &str, project: &Project, database: &Database, ran: &Ran) {
    let url = database.url();
    let port = url.port().expect("the laboratory has ports").to_string();
    let folder = project.folder().canonicalize().expect("it is there").display().to_string();
    let names = [(folder.as_str(), "/project"), (url.path().trim_start_matches('/'), "shop"), (port.as_str(), "5432")];
    stored::check_report(name, ran, &ran.report, &names);
}

#[test]
fn status_and_migrate_are_reported_as_they_were() {
    let database = Database::create();
    let migrations = [(1000, "CREATE TABLE \"a\" (\"id\" integer);")];
    let project = crate::migrations::project(NEWEST, &database, &migrations);
    check("status", &project, &database, &project.pilot(&["status"]).run().expect(2));
    check("migrate", &project, &database, &project.pilot(&["migrate"]).run().expect(0));
}

#[test]
fn what_next_says_is_reported_as_it_was() {
    let database = Database::create();
    let project = crate::migrations::project(NEWEST, &database, &[(1000, "CREATE TABLE \"a\" (\"id\" integer);")]);
    check("next", &project, &database, &project.pilot(&["next"]).run().expect(2));
}

#[test]
fn a_reset_is_reported_as_it_was() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    project.policy("[guard]\nhosts = [\"127.0.0.1\"]\n");
    check("reset-dry-run", &project, &database, &project.pilot(&["reset", "--dry-run"]).run().expect(2));
}
