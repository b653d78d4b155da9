//! Says how many statements a second are split and classified: those that real drizzle-kits printed, over and over.
//! For `scripts/bench`; run in the repository's folder.

use std::path::Path;
use std::time::{Duration, Instant};

use drizzle_pilot::sql::{self, Dialect, Facts};

/// How long is measured.
const LONG: Duration = Duration::from_secs(2);

fn main() {
    let mut blocks = Vec::new();
    read(Path::new("fixtures/sql/blocks"), &mut blocks);
    let begin = Instant::now();
    let mut n_statements = 0;
    while begin.elapsed() < LONG {
        for block in &blocks {
            let statements = sql::split(block, Dialect::Postgres).unwrap_or_default();
            n_statements += sql::assess(&statements, Dialect::Postgres, &Facts::default()).len();
        }
    }
    println!("{}", n_statements as f64 / begin.elapsed().as_secs_f64());
}

fn read(folder: &Path, blocks: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).expect("fixtures/sql/blocks is below the current folder") {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            read(&path, blocks);
        } else if path.extension().is_some_and(|extension| extension == "sql") {
            blocks.push(std::fs::read_to_string(&path).expect("the file can be read"));
        }
    }
}
