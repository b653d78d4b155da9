//! Tells findings to the programs that read them: SARIF, JUnit, and GitHub's annotations and step summary.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use percent_encoding::utf8_percent_encode;
use quick_junit::{NonSuccessKind, Report as JUnit, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::cli::CheckArgs;
use crate::compare::difference::Differences;
use crate::migrations::rule::{DATABASE_DRIFT, RULES, SQUAWKS};
use crate::migrations::{Finding, Folder, Level};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report::comparison;
use crate::output::{github, report};
use crate::percent::PATH;

/// What was found in all folders.
pub struct Told {
    cwd: PathBuf,
    /// The root of the repository, from which other programs see the files; the project where there is none.
    root: PathBuf,
    pub findings: Vec<Finding>,
    pub n_migrations: usize,
    files: BTreeSet<PathBuf>,
}

impl Told {
    /// Makes an empty one for a project.
    pub fn new(cwd: &Path) -> Told {
        let root = cwd.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(cwd);
        Told {
            cwd: cwd.to_owned(),
            root: root.to_owned(),
            findings: Vec::new(),
            n_migrations: 0,
            files: BTreeSet::new(),
        }
    }

    /// Adds what was found in a folder.
    pub fn add(&mut self, folder: &Folder, findings: Vec<Finding>) {
        let files = folder.files.iter().map(|file| folder.path.join(&file.name));
        self.files.extend(files);
        self.n_migrations = self.files.len();
        self.findings.extend(findings);
    }

    /// Returns the findings as the report has them.
    pub fn reported(&self) -> Vec<report::Finding> {
        let report = |finding: &Finding| report::Finding {
            id: finding.id.to_owned(),
            level: finding.level,
            file: seen(&self.cwd, &finding.place.file),
            line: finding.place.at.line,
            column: finding.place.at.column,
            sentence: finding.sentence.clone(),
            why: finding.why.clone(),
            what_to_do: finding.what_to_do.clone(),
        };
        self.findings.iter().map(report).collect()
    }
}

/// Returns a path as seen from a folder, if it lies there.
fn seen(from: &Path, path: &Path) -> String {
    path.strip_prefix(from).unwrap_or(path).display().to_string()
}

/// Writes the findings to the files that were asked for, and to GitHub where it listens.
///
/// # Errors
/// With the verdict, where a file cannot be written.
pub fn write(told: &Told, comparisons: &[Differences], args: &CheckArgs, console: &mut Console) -> Result<(), Verdict> {
    if let Some(path) = &args.sarif {
        save(path, &format!("{:#}\n", console.secrets().redact_json(sarif(told))))?;
    }
    if let Some(path) = &args.junit {
        save(path, &junit(told, console))?;
    }
    if github::listens() {
        mark(told, console);
        github::summarize(&console.clean(&summary(told, comparisons)))
            .map_err(|(path, error)| unwritten(&path, &error))?;
    }
    Ok(())
}

fn save(path: &Path, text: &str) -> Result<(), Verdict> {
    std::fs::write(path, text).map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> Verdict {
    Verdict::nothing(Exit::Failed, format!("writing {}: {error}", path.display()))
}

/// Returns the findings as SARIF 2.1.0.
fn sarif(told: &Told) -> Value {
    let level = |level: Level| level.name();
    let mut rules: BTreeMap<&str, Value> = BTreeMap::new();
    for finding in &told.findings {
        let ours = RULES.iter().find(|rule| rule.id == finding.id).map(|rule| rule.means);
        let means = ours.or_else(|| SQUAWKS.iter().find(|rule| rule.id == finding.id).map(|rule| rule.means));
        rules.entry(finding.id).or_insert_with(|| {
            json!({
                "id": finding.id,
                "shortDescription": { "text": means.unwrap_or(finding.id) },
                "fullDescription": { "text": finding.why },
                "help": { "text": finding.what_to_do },
            })
        });
    }
    let result = |finding: &Finding| {
        json!({
            "ruleId": finding.id,
            "level": level(finding.level),
            "message": { "text": format!("{}. {}", finding.sentence, finding.what_to_do) },
            "locations": [{
                "physicalLocation": {
                    "artifactLocation": { "uri": uri(&seen(&told.root, &finding.place.file)), "uriBaseId": "%SRCROOT%" },
                    "region": { "startLine": finding.place.at.line, "startColumn": finding.place.at.column },
                },
            }],
        })
    };
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "drizzle-pilot",
                    "version": env!("CARGO_PKG_VERSION"),
                    "rules": rules.into_values().collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "results": told.findings.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// Returns a path as the reference of a URI.
fn uri(path: &str) -> String {
    let escaped = utf8_percent_encode(path, PATH);
    // A colon in the first part of a relative reference would end a scheme.
    let is_first = path.split('/').next().is_some_and(|first| first.contains(':'));
    let before = if path.starts_with('/') {
        "file://"
    } else if is_first {
        "./"
    } else {
        ""
    };
    format!("{before}{escaped}")
}

/// Returns the findings as JUnit XML: a failed case for each, and one that passes for each migration without any.
fn junit(told: &Told, console: &Console) -> String {
    let mut suite = TestSuite::new("check");
    let clean = told.files.iter().filter(|file| told.findings.iter().all(|finding| finding.place.file != **file));
    for file in clean {
        let mut case = TestCase::new("check", TestCaseStatus::success());
        case.set_classname(seen(&told.root, file));
        suite.add_test_case(case);
    }
    for finding in &told.findings {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let file = seen(&told.root, &finding.place.file);
        let at = finding.place.at;
        status.set_type(finding.level.name()).set_message(console.secrets().redact(&finding.sentence));
        let description = format!("{file}:{}:{}\nwhy: {}\ndo: {}", at.line, at.column, finding.why, finding.what_to_do);
        status.set_description(console.secrets().redact(&description));
        let mut case = TestCase::new(format!("{} at line {}", finding.id, at.line), status);
        case.set_classname(file);
        suite.add_test_case(case);
    }
    let mut report = JUnit::new("drizzle-pilot");
    report.add_test_suite(suite);
    report.to_string().expect("a report in memory can be written")
}

/// Marks the findings in a pull request.
fn mark(told: &Told, console: &mut Console) {
    for finding in &told.findings {
        let (line, column) = (finding.place.at.line.to_string(), finding.place.at.column.to_string());
        let file = seen(&told.root, &finding.place.file);
        let place = [("file", file.as_str()), ("line", &line), ("col", &column), ("title", finding.id)];
        let message = format!("{}\nwhy: {}\ndo: {}", finding.sentence, finding.why, finding.what_to_do);
        github::mark(finding.level.name(), &place, &message, console);
    }
}

/// How many findings a step summary shows: GitHub refuses one that is too long.
const MOST: usize = 200;

/// Returns the findings as a table for GitHub's step summary.
fn summary(told: &Told, comparisons: &[Differences]) -> String {
    let n = told.findings.len();
    if n == 0 {
        return format!("### drizzle-pilot check\n\nNothing found in {} migrations.\n", told.n_migrations);
    }
    let cell = |text: &str| text.replace('|', "\\|").replace(['\r', '\n'], " ");
    let mut text = format!("### drizzle-pilot check: {n} found\n\n| | place | what | do |\n|---|---|---|---|\n");
    // How a database differs is a table of its own below.
    let is_shown_below = |finding: &&Finding| finding.id == DATABASE_DRIFT.id && !comparisons.is_empty();
    let in_table: Vec<&Finding> = told.findings.iter().filter(|finding| !is_shown_below(finding)).collect();
    for finding in in_table.iter().take(MOST) {
        let at = finding.place.at;
        let file = cell(&seen(&told.root, &finding.place.file));
        let (level, id) = (finding.level.name(), finding.id);
        let (what, to_do) = (cell(&finding.sentence), cell(&finding.what_to_do));
        let _ = writeln!(text, "| {level} | `{file}:{}:{}` | {what} (`{id}`) | {to_do} |", at.line, at.column);
    }
    if in_table.len() > MOST {
        let _ = writeln!(text, "\nand {} more", in_table.len() - MOST);
    }
    for differences in comparisons.iter().filter(|differences| !differences.is_empty()) {
        text += &format!("\n{}", comparison::markdown(differences));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_the_reference_of_a_uri() {
        let check = |path: &str, expected: &str| assert_eq!(uri(path), expected, "{path}");
        check("drizzle/0000_init.sql", "drizzle/0000_init.sql");
        check("app/(shop)/[id]/0000_a b.sql", "app/(shop)/%5Bid%5D/0000_a%20b.sql");
        check("größe/100%.sql", "gr%C3%B6%C3%9Fe/100%25.sql");
        check("a:b/0000_c#d?.sql", "./a:b/0000_c%23d%3F.sql");
        check("/srv/a b.sql", "file:///srv/a%20b.sql");
    }
}
