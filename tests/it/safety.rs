//! The safety rules, one test each: it fails when the line that holds the rule is removed.

use std::time::Duration;

use serde_json::json;

use crate::kit::{self, ABORT, APPLIED, NO_CHANGES, drop_column, execute, faulty, out, rename_table};
use crate::processes::{self, Signal};
use crate::run::{MAYBE, Run, UNCHANGED};
use crate::script::{Entry, FaultKind, Mail, Script, Step};
use crate::wait::gone_within;

/// Returns the names of the keys that the fake got.
fn keys(log: &[Entry]) -> Vec<&str> {
    let key = |entry| match entry {
        &Entry::Key(ref key) => Some(key.as_str()),
        _ => None,
    };
    log.iter().filter_map(key).collect()
}

/// Rule 1: there is no Escape key. Refusal is "No, abort", else Ctrl-C.
#[test]
fn rule_1_a_refusal_types_no_escape() {
    let check = |asked: Step, typed: &[&str], chosen: Option<&str>| {
        let ended = Run::push(&kit::push([asked, out(APPLIED)])).run();
        let ended = ended.expect(3, Some(UNCHANGED)).without_consent();
        assert_eq!(keys(&ended.log), typed, "{ended}");
        let label = ended.log.iter().find_map(|entry| match entry {
            Entry::Chose { label, .. } => Some(label.as_str()),
            _ => None,
        });
        assert_eq!(label, chosen, "{ended}");
    };
    let [_, asked] = drop_column();
    let losses =
        kit::data_loss(&["· You're about to delete users table with 3 items"], "Yes, I want to remove 1 table, ");
    check(Step::Menu(rename_table("purchases", &["orders"])), &["down", "ctrl-c"], None);
    let with_warning = |[warning, asked]: [Step; 2]| Run::push(&kit::push([warning, asked, out(APPLIED)])).run();
    for steps in [losses, drop_column()] {
        let ended = with_warning(steps).expect(3, Some(UNCHANGED)).without_consent();
        assert_eq!(keys(&ended.log), ["down", "up", "enter"], "{ended}");
        assert!(ended.log.contains(&Entry::Chose { prompt: 0, choice: 0, label: ABORT.to_owned() }), "{ended}");
    }
    drop(asked);
}
