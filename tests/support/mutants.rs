//! The lines that the safety rules stand on (`fixtures/safety`), each with what the program is without it and the tests that fall then.
//!
//! As a program it writes them into a copy of the tree, so that one build has them all and a file says which of them is missing:
//! `scripts/safety` does that.

use std::path::Path;
use std::{env, fs};

use serde::Deserialize;

/// A line that a rule stands on.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// What the program is without, as the page says it.
    pub(crate) without: String,
    pub(crate) file: String,
    /// A text that is in the file once: expressions, or statements.
    pub(crate) old: String,
    /// What stands there without the line.
    pub(crate) new: String,
    /// `old` is no expression and no statement: what is to be written instead, with `MUTANT` for the question whether the line
    /// is missing.
    #[serde(default)]
    pub(crate) switched: Option<String>,
    /// Other places that keep the same thing from happening, and are missing together with it.
    #[serde(default)]
    pub(crate) also: Vec<Place>,
    /// The tests that fall, as the page names them.
    pub(crate) falls: Vec<String>,
    /// A part of the names of the tests that are run, where the page names a function that many share or one of many kits
    /// will do.
    #[serde(default)]
    pub(crate) run: Option<String>,
    /// The number of the rule and of the line in it.
    #[serde(skip)]
    pub(crate) name: String,
}

/// A place of a line, as [`Line`] has its first one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    pub(crate) file: String,
    old: String,
    new: String,
    #[serde(default)]
    switched: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    line: Vec<Line>,
}

/// Reads all lines, by their rules. The name of a file begins with the number of its rule.
pub(crate) fn lines() -> Vec<Line> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/safety");
    let entries = fs::read_dir(&folder).expect("the lines are part of the repository");
    let mut files: Vec<_> = entries.map(|entry| entry.expect("the folder can be read").path()).collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a rule is a text");
        let rule: Rule = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let stem = file.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        lines.extend(
            rule.line.into_iter().enumerate().map(|(idx, line)| Line { name: format!("{stem}-{}", idx + 1), ..line }),
        );
    }
    lines
}

impl Line {
    /// Returns the number of its rule.
    #[allow(dead_code, reason = "the program needs no rules")]
    pub(crate) fn rule(&self) -> &str {
        self.name.split('-').next().unwrap_or_default().trim_start_matches('0')
    }

    /// Returns all its places.
    pub(crate) fn places(&self) -> Vec<Place> {
        let Line { file, old, new, switched, .. } = self;
        let first = Place { file: file.clone(), old: old.clone(), new: new.clone(), switched: switched.clone() };
        std::iter::once(first).chain(self.also.iter().cloned()).collect()
    }

    /// Returns the kind of each test that falls, `lib`, `it` or `live`, and what picks it out.
    pub(crate) fn tests(&self) -> Vec<(&'static str, String)> {
        let of_place = |place: &String| {
            let (path, name) = place.split_once("::").unwrap_or_else(|| panic!("{}: {place} names no test", self.name));
            let kind = match path {
                path if path.starts_with("tests/it/") => "it",
                path if path.starts_with("tests/live/") => "live",
                _ => "lib",
            };
            (kind, self.run.clone().unwrap_or_else(|| name.to_owned()))
        };
        self.falls.iter().map(of_place).collect()
    }
}

impl Place {
    /// Puts the question whether a line is missing around its place in a text.
    pub(crate) fn switch(&self, name: &str, text: &str) -> Result<String, String> {
        let n = text.matches(&self.old).count();
        if n != 1 {
            return Err(format!("{name}: {} has {:?} {n} times", self.file, self.old));
        }
        let is_script = self.file.ends_with("js");
        let question = match self.file.split('/').next() {
            _ if is_script => format!("globalThis.isMissing({name:?})"),
            Some("src") => format!("crate::is_missing({name:?})"),
            _ => format!("drizzle_pilot::is_missing({name:?})"),
        };
        let (old, new) = (self.old.trim_end(), self.new.trim_end());
        let is_statement = old.ends_with([';', '}']);
        let switched = match &self.switched {
            Some(switched) => switched.replace("MUTANT", &question),
            None if is_statement && is_script => format!("if ({question}) {{ {new} }} else {{ {old} }}"),
            None if is_statement => format!("if {question} {{ {new} }} else {{ {old} }}"),
            None if is_script => format!("({question} ? ({new}) : ({old}))"),
            None => format!("(if {question} {{ {new} }} else {{ {old} }})"),
        };
        Ok(text.replacen(&self.old, &switched, 1))
    }
}

#[allow(dead_code, reason = "a test has the rest of the file alone")]
fn main() {
    let Some(tree) = env::args_os().nth(1) else {
        for line in lines() {
            for (kind, test) in line.tests() {
                println!("{}\t{kind}\t{test}\t{}", line.name, line.without);
            }
        }
        return;
    };
    let tree = Path::new(&tree);
    for line in lines() {
        for place in line.places() {
            let path = tree.join(&place.file);
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let text = place.switch(&line.name, &text).unwrap_or_else(|error| panic!("{error}"));
            fs::write(&path, text).expect("the tree is ours");
        }
    }
    let write = |file: &str, more: &str| {
        let path = tree.join(file);
        let text = fs::read_to_string(&path).expect("the tree is whole");
        let (head, body) = if file.ends_with("js") { (more, "") } else { ("", more) };
        fs::write(&path, format!("{head}{text}{body}")).expect("the tree is ours");
    };
    let which = tree.join("missing");
    write(
        "src/lib.rs",
        &format!(
            "\n/// Tells whether a line is missing.\npub fn is_missing(name: &str) -> bool {{\n    \
             static WHICH: std::sync::LazyLock<String> = std::sync::LazyLock::new(|| std::fs::read_to_string({which:?}).unwrap_or_default());\n    \
             WHICH.as_str() == name\n}}\n"
        ),
    );
    write(
        "src/kit/hook.cjs",
        &format!(
            "globalThis.isMissing = (name) => {{ try {{ return require('node:fs').readFileSync({which:?}, 'utf8') === name; }} \
             catch {{ return false; }} }};\n"
        ),
    );
}
