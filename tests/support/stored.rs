//! Reports that are stored in `fixtures/reports`, as programs of users read them. `UPDATE_REPORTS=1` writes them anew: a
//! difference is a change of the format, which has a version.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::Ran;

/// The fields that hold sentences for people. Their words may change; what can be branched on may not.
const SENTENCES: [&str; 13] = [
    "evidence",
    "found",
    "hint",
    "not_used",
    "note",
    "notes",
    "says",
    "sentence",
    "summary",
    "warnings",
    "what",
    "what_to_do",
    "why",
];

/// Compares a report with the one that is stored under the name, but for times, sentences, and what the names stand for here.
#[track_caller]
pub(crate) fn check_report(name: &str, ran: &Ran, report: &Value, names: &[(&str, &str)]) {
    let mut report = report.clone();
    settle(&mut report, names);
    let file = folder().join(format!("{name}.json"));
    let text = format!("{report:#}\n");
    if std::env::var_os("UPDATE_REPORTS").is_some_and(|update| update == "1") {
        std::fs::write(&file, text).expect("the fixtures can be written");
        return;
    }
    let stored = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    assert_eq!(text, stored, "UPDATE_REPORTS=1 writes {}\n{ran}", file.display());
}

/// Returns the stored reports, by the paths of their files.
pub(crate) fn reports() -> Vec<(PathBuf, Value)> {
    let files = std::fs::read_dir(folder()).expect("the fixtures are part of the repository");
    let files = files.map(|file| {
        let path = file.expect("the folder can be read").path();
        let text = std::fs::read_to_string(&path).expect("a report is text");
        let report = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        (path, report)
    });
    files.collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reports")
}

/// Puts what is the same in every run in the place of times, spans of milliseconds, sentences, and what has a name.
fn settle(value: &mut Value, names: &[(&str, &str)]) {
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z").expect("the pattern is a constant")
    });
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if (key == "ms" || key.ends_with("_ms")) && value.is_number() {
                    *value = 0.into();
                }
                match value {
                    Value::String(text) if SENTENCES.contains(&key.as_str()) => *text = "(a sentence)".to_owned(),
                    Value::Array(texts)
                        if SENTENCES.contains(&key.as_str()) && texts.iter().all(|text| text.is_string()) =>
                    {
                        texts.iter_mut().for_each(|text| *text = "(a sentence)".into());
                    }
                    value => settle(value, names),
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| settle(value, names)),
        Value::String(text) => {
            let named = names.iter().fold(text.clone(), |text, (here, name)| text.replace(here, name));
            *text = TIME.replace_all(&named, "2026-01-01T00:00:00Z").into_owned();
        }
        Value::Number(number) => {
            if let Some((_, name)) = names.iter().find(|(here, _)| *here == number.to_string()) {
                *value = name.parse::<u64>().map_or_else(|_| (*name).into(), Into::into);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}
