//! The corpus (`fixtures/corpus`): every rule finds what is labelled, and nothing else, but for two in a hundred.
//!
//! `scripts/corpus` prints the table.

use std::collections::BTreeMap;
use std::path::Path;

use drizzle_pilot::migrations::journal::Surroundings;
use drizzle_pilot::migrations::rule::{Family, RULES, SQUAWKS, Wishes};
use drizzle_pilot::migrations::{Folder, journal, lint};

use crate::support::corpus::{self as corpus, Label, Made, NOW};

/// Shown by a repository and by a real drizzle-kit in tests of their own.
const ELSEWHERE: [&str; 4] = ["edited-migration", "forgotten-migration", "database-drift", "schema-drift"];
/// As many labels a rule has at least, and as many of a hundred may be wrong.
const LEAST: usize = 50;
const MOST: f64 = 2.0;
const SEED: u64 = 20_240_817;

#[derive(Debug, Default, Clone)]
struct Count {
    n_true: usize,
    n_false: usize,
    n_found: usize,
    wrong: Vec<String>,
    missed: Vec<String>,
}

impl Count {
    fn percent(part: usize, of: usize) -> f64 {
        if of == 0 { 0.0 } else { part as f64 * 100.0 / of as f64 }
    }

    fn add(&mut self, other: Count) {
        self.n_true += other.n_true;
        self.n_false += other.n_false;
        self.n_found += other.n_found;
        self.wrong.extend(other.wrong);
        self.missed.extend(other.missed);
    }

    fn of_found(&self) -> f64 {
        Count::percent(self.wrong.len(), self.n_found)
    }

    fn of_true(&self) -> f64 {
        Count::percent(self.missed.len(), self.n_true)
    }
}

/// Returns what is found in a folder, as labels.
fn found(made: &Made) -> Vec<Label> {
    let contents = made.files.iter().map(|(name, text)| (name.clone(), text.clone().into_bytes())).collect();
    let folder = Folder::of(Path::new("drizzle"), contents, made.newer.clone()).expect("the folder can be read");
    let mut found = journal::check(&folder, Surroundings { now: NOW, snapshots: None }, Wishes::NONE);
    found.extend(lint::run(&folder, &|_| true, Wishes::NONE));
    let label = |finding: drizzle_pilot::migrations::Finding| Label {
        file: finding.place.file.strip_prefix("drizzle").unwrap_or(&finding.place.file).display().to_string(),
        line: finding.place.at.line,
        rule: finding.id.to_owned(),
        is_found: true,
    };
    found.into_iter().map(label).collect()
}

/// Measures the parts of the corpus side by side.
fn measure(corpus: &[Made]) -> BTreeMap<String, Count> {
    let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    std::thread::scope(|scope| {
        let parts = corpus.chunks(corpus.len().div_ceil(n_threads));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| measure_part(part))).collect();
        for part in running {
            for (rule, count) in part.join().expect("nothing stops it") {
                counts.entry(rule).or_default().add(count);
            }
        }
    });
    counts
}

fn measure_part(corpus: &[Made]) -> BTreeMap<String, Count> {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    for made in corpus {
        let mut open: Vec<&Label> = made.labels.iter().filter(|label| label.is_found).collect();
        for label in &made.labels {
            let count = counts.entry(label.rule.clone()).or_default();
            if label.is_found { count.n_true += 1 } else { count.n_false += 1 }
        }
        for finding in found(made) {
            let count = counts.entry(finding.rule.clone()).or_default();
            count.n_found += 1;
            let fits = |label: &&Label| {
                label.rule == finding.rule
                    && label.file == finding.file
                    && (label.line == 0 || label.line == finding.line)
            };
            match open.iter().position(fits) {
                Some(idx) => drop(open.remove(idx)),
                None => count.wrong.push(place(made, &finding)),
            }
        }
        for label in open {
            counts.entry(label.rule.clone()).or_default().missed.push(place(made, label));
        }
    }
    counts
}

fn place(made: &Made, label: &Label) -> String {
    let text = made.files.get(&label.file).map_or("", String::as_str);
    let line = text.lines().nth(label.line.saturating_sub(1)).unwrap_or_default();
    format!("{}/{}:{}: {}", made.name, label.file, label.line, line.trim())
}

#[test]
fn every_rule_finds_what_is_labelled_and_nothing_else() {
    let mut corpus = corpus::generate(SEED);
    corpus.extend(corpus::folders().into_iter().map(|(_, made)| made));
    let counts = measure(&corpus);
    println!("{:34}{:>7}{:>7}{:>7}{:>9}{:>9}", "rule", "must", "not", "found", "wrong", "missed");
    for (rule, count) in &counts {
        println!(
            "{rule:34}{:>7}{:>7}{:>7}{:>8.1}%{:>8.1}%",
            count.n_true,
            count.n_false,
            count.n_found,
            count.of_found(),
            count.of_true()
        );
        count.wrong.iter().for_each(|place| println!("    wrong  {place}"));
        count.missed.iter().for_each(|place| println!("    missed {place}"));
    }
    let rules = RULES.iter().filter(|rule| rule.family != Family::Drift).map(|rule| rule.id);
    let rules = rules.chain(SQUAWKS.iter().map(|squawk| squawk.id)).filter(|id| !ELSEWHERE.contains(id));
    let mut faults = Vec::new();
    for id in rules {
        let count = counts.get(id).cloned().unwrap_or_default();
        if count.n_true + count.n_false < LEAST {
            faults.push(format!("{id} has {} labels", count.n_true + count.n_false));
        }
        if count.of_found() > MOST {
            faults.push(format!("{id} is wrong at\n  {}", count.wrong.join("\n  ")));
        }
        if count.of_true() > MOST {
            faults.push(format!("{id} misses\n  {}", count.missed.join("\n  ")));
        }
    }
    let named: Vec<&str> = RULES.iter().map(|rule| rule.id).chain(SQUAWKS.iter().map(|squawk| squawk.id)).collect();
    faults.extend(
        counts.keys().filter(|rule| !named.contains(&rule.as_str())).map(|rule| format!("there is no rule {rule}")),
    );
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
