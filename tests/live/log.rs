//! The log of a real push tells the story that `docs/architecture.md` tells, in its order.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::NEWEST;
use crate::support::{Database, Project, Ran};

/// A step of the story: the files that it names, in their order.
type Step = Vec<String>;

/// Reads the steps of the story from its page.
fn story() -> Vec<Step> {
    let page = include_str!("../../docs/architecture.md");
    let (_, story) = page.split_once("\n## The story of a push\n").expect("the page tells the story of a push");
    let (story, _) = story.split_once("\n## ").expect("something follows it");
    let mut steps: Vec<Step> = Vec::new();
    let files_of = |text: &str| -> Vec<String> {
        let code = text.split('`').skip(1).step_by(2);
        let place = |code: &str| code.split("::").next().filter(|file| file.starts_with("src/")).map(str::to_owned);
        code.filter_map(place).collect()
    };
    for line in story.lines() {
        let begins = line.split_once(". ").is_some_and(|(number, _)| number.parse() == Ok(steps.len() + 1));
        match steps.last_mut() {
            _ if begins => steps.push(files_of(line)),
            // What follows the list is no step.
            Some(step) if line.starts_with("  ") => step.extend(files_of(line)),
            _ => {}
        }
    }
    steps
}

/// Returns the files of a log's spans, each where it comes first.
fn files(ran: &Ran) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let log = ran.file("push.log");
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("a log has JSON lines"));
    let spans = lines.filter(|line| line["message"] == "new");
    let file = |line: Value| {
        let module = line["target"].as_str().expect("a span has a target").replace("::", "/");
        module.replacen("drizzle_pilot/", "src/", 1) + ".rs"
    };
    spans.map(file).filter(|file| seen.insert(file.clone())).collect()
}

#[test]
fn the_story_never_returns_to_a_file_that_was_left() {
    let steps = story();
    assert!((15..=30).contains(&steps.len()), "{} steps", steps.len());
    let mut left = BTreeSet::new();
    for (step_idx, step) in steps.iter().enumerate() {
        assert!(!step.is_empty(), "step {} names no file", step_idx + 1);
        let again: Vec<&String> = step.iter().filter(|file| left.contains(*file)).collect();
        assert!(again.is_empty(), "step {} returns to {again:?}", step_idx + 1);
        left.extend(step.iter().cloned());
    }
}

#[test]
fn a_push_goes_the_way_that_the_page_describes() {
    let story: Vec<String> = story().into_iter().flatten().collect();
    for (arguments, only_here) in
        [(&["push"][..], "run/consent"), (&["push", "--apply", "transaction"], "run/transaction")]
    {
        let database = Database::create();
        let project = Project::fixture(NEWEST, "drop_column", &database);
        let arguments = [arguments, &["--accept-data-loss", "--log", "push.log"]].concat();
        let ran = project.pilot(&arguments).run().expect(0);
        let files = files(&ran);
        let at = |file: &String| {
            story.iter().position(|told| told == file).unwrap_or_else(|| panic!("the page has no {file}\n{files:#?}"))
        };
        assert!(files.is_sorted_by_key(at), "{arguments:?}: {files:#?}");
        assert!(files.len() >= 15, "{files:#?}");
        assert!(files.contains(&format!("src/{only_here}.rs")), "{files:#?}");
    }
}

#[test]
fn a_log_has_every_decision() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    project.policy("");
    let ran = project.pilot(&["push", "--log", "push.log"]).run().expect(3);
    let log = ran.file("push.log");
    let events: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).expect("a log has JSON lines")).collect();
    let event = |message: &str| events.iter().find(|event| event["message"] == message);
    let has = |message: &str, field: &str, value: &str| {
        assert_eq!(event(message).map(|event| &event[field]), Some(&Value::from(value)), "{message}\n{log}");
    };
    has("answered", "rule", "built-in policy (hazards.drop_column)");
    has("judged", "verdict", "refused");
    has("judged", "hazards", "drop_column");
    has("answered", "choice", "declined");
    has("the command ends", "outcome", "refused");
}
