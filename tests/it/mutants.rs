//! Each row of the safety tables has a line of the program that it stands on (`fixtures/safety`), and that line is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::lines_of_rules as mutants;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))
        .unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the rules of the page, by their numbers, with the tests that they name.
fn rules() -> Vec<(String, BTreeSet<String>)> {
    let page = read("docs/safety.md");
    let rules = page.split("\n## ").skip(1).filter_map(|rule| {
        let number = rule.split('.').next().filter(|number| number.chars().all(|char| char.is_ascii_digit()))?;
        let rows = rule.lines().filter(|line| line.starts_with("| `"));
        let named = rows.filter_map(|row| row.split('`').nth(1)).map(str::to_owned);
        Some((number.to_owned(), named.collect()))
    });
    rules.collect()
}

#[test]
fn every_row_of_the_safety_tables_has_a_line_that_it_stands_on() {
    let lines = mutants::lines();
    let mut faults = Vec::new();
    for (rule, named) in rules() {
        let of_rule = || lines.iter().filter(|line| line.rule() == rule);
        let falls: BTreeSet<String> = of_rule().flat_map(|line| line.falls.iter().cloned()).collect();
        faults.extend(named.difference(&falls).map(|test| format!("rule {rule}: {test} stands on no line")));
        faults.extend(falls.difference(&named).map(|test| format!("rule {rule}: the page does not name {test}")));
    }
    // All of them are written into one tree, one after the other.
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    for line in &lines {
        let text = texts.entry(&line.file).or_insert_with(|| read(&line.file));
        match line.switch(text) {
            Ok(switched) => *text = switched,
            Err(fault) => faults.push(fault),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
