//! docs/engines.md says what the tests with engines have found (`tests/support/commands.rs`).

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use crate::docs::check_generated;

/// The engines, and what the page calls them.
const ENGINES: [(&str, &str); 7] = [
    ("postgresql", "PostgreSQL"),
    ("pglite", "PGlite"),
    ("sqlite-libsql", "SQLite, @libsql/client"),
    ("sqlite-better-sqlite3", "SQLite, better-sqlite3"),
    ("turso", "libSQL server"),
    ("d1", "D1"),
    ("mariadb", "MariaDB"),
];

fn found(engine: &str) -> BTreeMap<String, String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/commands/{engine}.json"));
    let text = std::fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    serde_json::from_slice(&text).expect("a test has written it")
}

#[test]
fn the_page_says_what_was_found_on_every_engine() {
    let columns: Vec<BTreeMap<String, String>> = ENGINES.iter().map(|(engine, _)| found(engine)).collect();
    let titles: Vec<&str> = ENGINES.iter().map(|(_, title)| *title).collect();
    let mut table = format!("| | {} |\n|---|{}\n", titles.join(" | "), "---|".repeat(titles.len()));
    for command in columns[0].keys() {
        let cells: Vec<&str> = columns.iter().map(|column| column[command].as_str()).collect();
        writeln!(table, "| `{command}` | {} |", cells.join(" | ")).expect("a text takes text");
    }
    check_generated("docs/engines.md", "engines", &table);
    assert!(columns[0].values().all(|outcome| outcome == "works"), "the others are held against PostgreSQL");
}

#[test]
fn every_record_of_an_engine_is_on_the_page() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/commands");
    let files = std::fs::read_dir(folder).expect("the folder is part of the repository");
    let mut names: Vec<String> = files
        .map(|file| file.expect("the folder can be read").file_name().to_string_lossy().replace(".json", ""))
        .collect();
    names.sort();
    let mut expected = ENGINES.map(|(engine, _)| engine);
    expected.sort_unstable();
    assert_eq!(names, expected);
}
