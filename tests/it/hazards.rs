//! The hazards of the statements that real drizzle-kits write for the changes of `fixtures/changes`, as a table for each
//! theme. That these are the statements the server is told is shown by `tests/live/gate.rs`.
//!
//! `UPDATE_HAZARDS=1 cargo test --test it hazards` writes the tables anew.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use drizzle_pilot::sql::{self, Assessed, Dialect, Facts};

const KITS: [&str; 4] = ["0.21.4", "0.22.8", "0.28.1", "0.31.11"];

/// Statements of which nobody can say what they do.
const UNCLASSIFIED: [&str; 0] = [];

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sql")
}

/// Returns the themes that a drizzle-kit writes something for.
fn themes(kit: &str) -> BTreeSet<String> {
    let folder = fixtures().join("blocks").join(kit);
    let entries = std::fs::read_dir(folder).expect("the fixtures are part of the repository");
    let paths = entries.map(|entry| entry.expect("the folder can be read").path());
    let blocks = paths.filter(|path| path.extension().is_some_and(|extension| extension == "sql"));
    blocks.map(|path| path.file_stem().expect("a file has a name").to_string_lossy().into_owned()).collect()
}

fn assess(kit: &str, theme: &str) -> Vec<Assessed> {
    let path = fixtures().join("blocks").join(kit).join(format!("{theme}.sql"));
    let block = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let statements = sql::split(&block, Dialect::Postgres).expect("it is what was executed");
    sql::assess(&statements, Dialect::Postgres, &Facts::default())
}

/// Returns the hazards of a statement: `drop_table public.users cascade`.
fn hazards(assessed: &Assessed) -> String {
    let shown = assessed.hazards.iter().map(|found| {
        let objects = found.objects.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let cascade = if found.cascade { " cascade" } else { "" };
        format!("{} {objects}{cascade}", found.hazard)
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join("; ") }
}

/// Returns a statement in one line, cut where it is long.
fn line(sql: &str) -> String {
    const LONGEST: usize = 140;
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= LONGEST { words } else { words.chars().take(LONGEST).chain(['…']).collect() }
}

/// Returns the table of a theme: hazards, then the statements that have them, each with the drizzle-kits that write it.
fn table(theme: &str) -> String {
    let mut rows: BTreeMap<String, BTreeMap<String, BTreeSet<&str>>> = BTreeMap::new();
    for kit in KITS.into_iter().filter(|kit| themes(kit).contains(theme)) {
        for assessed in assess(kit, theme) {
            rows.entry(hazards(&assessed)).or_default().entry(line(&assessed.sql)).or_default().insert(kit);
        }
    }
    let section = |(hazards, statements): (String, BTreeMap<String, BTreeSet<&str>>)| {
        let statements = statements.into_iter().map(|(statement, kits)| {
            let by = if kits.len() == KITS.len() {
                "all".to_owned()
            } else {
                kits.into_iter().collect::<Vec<_>>().join(" ")
            };
            format!("    {statement}   [{by}]\n")
        });
        format!("{hazards}\n{}", statements.collect::<String>())
    };
    rows.into_iter().map(section).collect::<Vec<_>>().join("\n")
}

#[test]
fn every_change_has_the_hazards_that_its_table_says() {
    let all: BTreeSet<String> = KITS.iter().flat_map(|kit| themes(kit)).collect();
    for theme in &all {
        let path = fixtures().join("hazards").join(format!("{theme}.txt"));
        let table = table(theme);
        if std::env::var_os("UPDATE_HAZARDS").is_some() {
            std::fs::write(&path, &table).expect("the fixtures can be written");
        }
        let expected = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(table, expected, "{}", path.display());
    }
}

#[test]
fn what_drizzle_kit_writes_is_understood() {
    for kit in KITS {
        for theme in themes(kit) {
            let unknown: Vec<String> = assess(kit, &theme)
                .into_iter()
                .filter(|assessed| hazards(assessed).contains("unclassified"))
                .map(|assessed| assessed.sql)
                .filter(|sql| !UNCLASSIFIED.contains(&sql.as_str()))
                .collect();
            assert_eq!(unknown, Vec::<String>::new(), "{kit}: {theme}");
        }
    }
}
