//! Policies, questions and what is said about them, for the tests of several files.

use std::path::Path;

use crate::kit::prompt::{Entity, Kind, Loss, LossKind, Prompt, Rename};
use crate::policy::decide::decision::Decision;
use crate::policy::decide::prompt::prompt;
use crate::policy::decide::scope::{Scope, TablesByName};
use crate::policy::file;
use crate::policy::model::{Policies, Policy};

pub(super) fn policies(text: &str) -> Policies {
    file::parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"))
}

/// A policy from the lines below `version = 1`.
pub(super) fn policy(lines: &str) -> Policy {
    let text = format!("version = 1\n{lines}");
    policies(&text).select(None, &|_| None, None).expect("no profile has a condition")
}

pub(super) fn asked(kind: Kind, n_choices: usize) -> Prompt {
    let choices = (0..n_choices).map(|idx| format!("choice {idx}")).collect();
    Prompt { question: String::new(), context: Vec::new(), printed: String::new(), choices, highlighted: 0, kind }
}

pub(super) fn renaming(entity: Entity, table: Option<&str>, name: &str, candidates: &[&str]) -> Prompt {
    let candidates: Vec<String> = candidates.iter().map(|&old| old.to_owned()).collect();
    let n_choices = candidates.len() + 1;
    let table = table.map(str::to_owned);
    asked(Kind::Rename(Rename { entity, name: name.to_owned(), table, schema: None, candidates }), n_choices)
}

pub(super) fn column(name: &str, candidates: &[&str]) -> Prompt {
    renaming(Entity::Column, Some("users"), name, candidates)
}

pub(super) fn losing(losses: &[(LossKind, Option<u64>)]) -> Prompt {
    let losses = losses.iter().map(|(kind, count)| Loss { kind: kind.clone(), text: String::new(), count: *count });
    asked(Kind::DataLoss(losses.collect()), 2)
}

pub(super) fn dropped_column(table: &str, column: &str) -> LossKind {
    LossKind::Column { table: table.to_owned(), column: column.to_owned() }
}

pub(super) fn scope<'a>(schemas: &'a [String]) -> Scope<'a> {
    Scope { schemas, tables: &TablesByName::UNKNOWN, renamed: &[], accept_data_loss: false }
}

pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Says a decision in a line or several.
pub(super) fn told(decision: &Decision) -> String {
    match decision {
        Decision::Choose { choice, because, warnings } => {
            let warnings: String = warnings.iter().map(|warning| format!("\nwarning: {warning}")).collect();
            format!("{choice}: {because}{warnings}")
        }
        Decision::Refuse(refusal) => refusal.to_string(),
        Decision::Unclear(doubt) => doubt.to_string(),
    }
}

pub(super) fn check(policy: &Policy, asked: &Prompt, scope: &Scope<'_>, expected: &str) {
    assert_eq!(told(&prompt(policy, asked, scope)), expected, "asked {:?}", asked.kind);
}

pub(super) fn check_in_public(lines: &str, asked: &Prompt, expected: &str) {
    check(&policy(lines), asked, &scope(&names(&["public"])), expected);
}
