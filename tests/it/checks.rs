//! `docs/checks.md`: every bad example has exactly the finding it stands for, and every good one has none.

use std::collections::BTreeMap;
use std::path::Path;

use drizzle_pilot::migrations::disk;
use drizzle_pilot::migrations::journal::Surroundings;
use drizzle_pilot::migrations::rule::{Family, RULES, SQUAWKS, Wishes};
use drizzle_pilot::migrations::{Folder, journal, lint};

const INIT: &str = "CREATE TABLE \"users\" (\"id\" serial PRIMARY KEY NOT NULL, \"name\" text);\n";
const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";

/// Shown by a repository and by a real drizzle-kit in tests of their own.
const ELSEWHERE: [&str; 4] = ["edited-migration", "forgotten-migration", "database-drift", "schema-drift"];

type Files = BTreeMap<String, String>;

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/checks.md");
    std::fs::read_to_string(path).expect("the page is part of the repository")
}

/// Returns the entries of the page, by the names of their rules.
fn entries(page: &str) -> BTreeMap<&str, &str> {
    let entries = page.split("\n### `").skip(1);
    entries.map(|entry| entry.split_once('`').expect("a heading names a rule")).collect()
}

/// Returns the examples of an entry: what is found, and what is not.
fn examples<'a>(entry: &'a str, language: &str) -> (&'a str, &'a str) {
    let block = |title: &str| {
        let begin = format!("\n{title}\n\n```{language}\n");
        let rest = entry.split(&begin).nth(1).unwrap_or_else(|| panic!("no {title} in {entry}"));
        rest.split("\n```").next().expect("a split has a first part")
    };
    (block("Found:"), block("Not found:"))
}

fn folder(files: Files, newer: Vec<String>) -> Folder {
    let contents = files.into_iter().map(|(name, text)| (name, text.into_bytes())).collect();
    Folder::of(Path::new("drizzle"), contents, newer).expect("the folder can be read")
}

/// Returns the names of the rules that find something.
fn found(folder: &Folder) -> Vec<&'static str> {
    // Some time after the journals of the examples.
    let surroundings = Surroundings { now: 1_900_000_000_000, snapshots: None };
    let mut found = journal::check(folder, surroundings, Wishes::NONE);
    found.extend(lint::run(folder, &|_| true, Wishes::NONE));
    found.iter().map(|finding| finding.id).collect()
}

fn journal_of(tags: &[String], dialect: &str) -> String {
    let entry = |(idx, tag): (usize, &String)| {
        format!(
            "{{\"idx\":{idx},\"version\":\"7\",\"when\":{},\"tag\":\"{tag}\",\"breakpoints\":true}}",
            1_700_000_000_000 + idx
        )
    };
    let entries: Vec<String> = tags.iter().enumerate().map(entry).collect();
    format!("{{\"version\":\"7\",\"dialect\":\"{dialect}\",\"entries\":[{}]}}", entries.join(","))
}

/// Makes the folder of an example about the journal, from what differs.
fn of_journal(example: &str) -> Folder {
    let tags: Vec<String> = ["0000_init", "0001_users", "0002_posts"].map(str::to_owned).to_vec();
    let mut files = Files::from([("meta/_journal.json".to_owned(), journal_of(&tags, "postgresql"))]);
    for tag in &tags {
        files.insert(format!("{tag}.sql"), "SELECT 1;".to_owned());
    }
    for (number, id, before) in [(0, "zero", ORIGIN), (1, "one", "zero"), (2, "two", "one")] {
        files.insert(format!("meta/{number:04}_snapshot.json"), format!("{{\"id\":\"{id}\",\"prevId\":\"{before}\"}}"));
    }
    let mut newer = Vec::new();
    for part in example.split("# ").skip(1) {
        let (name, text) = part.split_once('\n').unwrap_or((part, ""));
        match (name.strip_prefix("without "), name.split_once("/migration.sql")) {
            (Some(name), _) => drop(files.remove(name).unwrap_or_else(|| panic!("{name} is not there anyway"))),
            (None, Some((folder, _))) => newer.push(folder.to_owned()),
            (None, None) => drop(files.insert(name.to_owned(), text.to_owned())),
        }
    }
    folder(files, newer)
}

/// Makes the folder of an example about statements.
fn of_statements(example: &str) -> Folder {
    let mut migrations = vec![("0000_init".to_owned(), INIT.to_owned()), ("0001_example".to_owned(), String::new())];
    for line in example.split_inclusive('\n') {
        match line.strip_prefix("-- 0").and_then(|rest| rest.trim_end().strip_suffix(".sql")) {
            Some(rest) => migrations.push((format!("0{rest}"), String::new())),
            None => migrations.last_mut().expect("there is always one").1.push_str(line),
        }
    }
    let tags: Vec<String> = migrations.iter().map(|(tag, _)| tag.clone()).collect();
    // SQLite has its names between other quotes.
    let dialect = if example.contains('`') { "sqlite" } else { "postgresql" };
    let mut files = Files::from([("meta/_journal.json".to_owned(), journal_of(&tags, dialect))]);
    let mut before = ORIGIN.to_owned();
    for (idx, (tag, text)) in migrations.into_iter().enumerate() {
        files.insert(format!("{tag}.sql"), text);
        files.insert(format!("meta/{idx:04}_snapshot.json"), format!("{{\"id\":\"{tag}\",\"prevId\":\"{before}\"}}"));
        before = tag;
    }
    folder(files, Vec::new())
}

#[test]
fn every_rule_has_an_entry_that_says_what_the_program_says() {
    let page = page();
    let entries = entries(&page);
    let names: Vec<&str> = RULES.iter().map(|rule| rule.id).chain(SQUAWKS.iter().map(|squawk| squawk.id)).collect();
    for name in &names {
        assert!(entries.contains_key(name), "docs/checks.md has no entry for {name}");
    }
    assert_eq!(entries.len(), names.len(), "docs/checks.md has an entry for no rule");
    for rule in RULES {
        for text in [rule.means, &rule.why[1..], rule.what_to_do] {
            assert!(entries[rule.id].contains(text), "{}: {text}", rule.id);
        }
        let level = format!("{}: ", rule.level.name());
        assert!(entries[rule.id].to_lowercase().contains(&level), "{} is {level}", rule.id);
    }
}

#[test]
fn a_bad_example_has_exactly_its_finding_and_a_good_one_has_none() {
    let page = page();
    let entries = entries(&page);
    for rule in RULES.iter().filter(|rule| !ELSEWHERE.contains(&rule.id)) {
        let make = match rule.family {
            Family::Journal => of_journal,
            Family::Lint | Family::Drift => of_statements,
        };
        let language = if rule.family == Family::Journal { "text" } else { "sql" };
        let (bad, good) = examples(entries[rule.id], language);
        assert_eq!(found(&make(bad)), [rule.id], "{bad}");
        assert_eq!(found(&make(good)), Vec::<&str>::new(), "{good}");
    }
    for squawk in &SQUAWKS {
        let (bad, good) = examples(entries[squawk.id], "sql");
        assert_eq!(found(&of_statements(bad)), [squawk.id], "{bad}");
        assert_eq!(found(&of_statements(good)), Vec::<&str>::new(), "{good}");
    }
}

#[test]
fn folders_that_real_kits_made_and_merges_broke_are_named_right() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/migrations");
    let index = std::fs::read_to_string(fixtures.join("index.tsv")).expect("the fixtures are part of the repository");
    for kit in ["0.22.8", "0.31.11"] {
        for line in index.lines() {
            let (name, expected) = line.split_once('\t').expect("a line has a name and rules");
            let folder = disk::read(&fixtures.join(kit).join(name)).expect("the folder can be read");
            assert_eq!(found(&folder), expected.split_whitespace().collect::<Vec<_>>(), "{kit} {name}");
        }
    }
}
