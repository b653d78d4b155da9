//! The corpus (`fixtures/corpus`) on real servers: what a pattern says that it fails with, it fails with, and the rest runs.
//! So a label is true of PostgreSQL, and not of what somebody thinks of it.

use std::path::Path;

use crate::NEWEST;
use crate::support::corpus::{Pattern, folders, patterns};
use crate::support::{Database, Project, Random, Server};

const BREAKPOINT: &str = "--> statement-breakpoint";

/// Runs a pattern as drizzle's migrator does: all of it in one transaction, a query for each piece.
fn run(pattern: &Pattern, database: &Database, random: &mut Random) -> Result<(), String> {
    database.sql("BEGIN");
    let statements = pattern.statements(random);
    let mut pieces = statements.iter().flat_map(|text| text.split(BREAKPOINT));
    // What follows a COMMIT runs by itself, and one more at the end hurts nobody.
    let ran = pieces.try_for_each(|piece| database.attempt(piece));
    database.sql(if pattern.is("commits") { "COMMIT" } else { "ROLLBACK" });
    ran
}

#[test]
fn a_pattern_does_on_a_server_what_it_says() {
    let (older, newer) = (Database::create(), Database::create_on(Server::Postgres18));
    let mut random = Random(1);
    let mut faults = Vec::new();
    let mut n_run = 0;
    let of_postgres = patterns().into_iter().filter(|pattern| pattern.dialect == "postgresql" && !pattern.is("unrun"));
    for pattern in of_postgres {
        let database = if pattern.is("server 17") { &newer } else { &older };
        let ran = run(&pattern, database, &mut random);
        n_run += 1;
        let fits = match (&ran, pattern.value("fails")) {
            (Ok(()), None) => true,
            (Err(code), Some(expected)) => expected.is_empty() || code == expected,
            (Ok(()), Some(_)) | (Err(_), None) => false,
        };
        if !fits {
            faults.push(format!("{}: {ran:?}, and it says {:?}", pattern.title, pattern.value("fails")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(n_run > 200, "{n_run} patterns were run");
}

/// Copies a folder and what lies in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the project is ours");
    for entry in std::fs::read_dir(from).expect("there is a folder") {
        let path = entry.expect("it can be read").path();
        let to = to.join(path.file_name().expect("it has a name"));
        match path.is_dir() {
            true => copy(&path, &to),
            false => drop(std::fs::copy(&path, &to).expect("it can be copied")),
        }
    }
}

#[test]
fn a_whole_folder_goes_through_every_command_as_it_says() {
    let mut n_commands = 0;
    for (folder, made) in folders() {
        let read = |file: &str| std::fs::read_to_string(folder.join(file));
        let database = Database::create();
        let project = Project::new(NEWEST, &database);
        copy(&folder.join("drizzle"), &project.path("drizzle"));
        project.schema(&read("schema.ts").expect("a folder has its schema"));
        if let Ok(before) = read("before.sql") {
            database.sql(&before);
        }
        for line in read("expected.tsv").expect("a folder says how it goes").lines() {
            let (command, code) = line.split_once('\t').expect("a line has two fields");
            println!("{}: {command}", made.name);
            let run = project.pilot(&command.split(' ').collect::<Vec<_>>());
            let run = if command.starts_with("check") { run.without_report() } else { run };
            run.run().expect(code.parse().expect("a code is a number"));
            n_commands += 1;
        }
    }
    assert!(n_commands > 20, "{n_commands} commands were run");
}
