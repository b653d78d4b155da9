//! The arrows between the areas, read from the imports.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the Rust files of an area, with their paths below `src`.
fn files(below: &Path) -> Vec<PathBuf> {
    let path = src().join(below);
    if path.is_file() {
        return vec![below.to_owned()];
    }
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut files: Vec<PathBuf> =
        entries.flat_map(|entry| files(&below.join(entry.expect("the folder can be read").file_name()))).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "rs"));
    files.sort();
    files
}

/// Returns the code of a file: without its comments, and without the tests at its end.
fn code(file: &Path) -> String {
    let text = std::fs::read_to_string(src().join(file)).expect("the file was listed");
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    code.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Returns the modules at the top level that a file names.
fn names(file: &Path) -> Vec<String> {
    let code = code(file);
    let path = Regex::new(r"\bcrate::(?:(\w+)|\{([^;]*)\})").expect("the pattern is right");
    let mut names: Vec<String> = Vec::new();
    for found in path.captures_iter(&code) {
        match (found.get(1), found.get(2)) {
            (Some(name), _) => names.push(name.as_str().to_owned()),
            (None, list) => {
                let list = list.map_or("", |list| list.as_str());
                names.extend(list.split(',').filter_map(|part| part.trim().split("::").next()).map(str::to_owned));
            }
        }
    }
    // From a file of an area, the second `super` is the top level.
    let above = Regex::new(r"\bsuper::super::(\w+)").expect("the pattern is right");
    names.extend(above.captures_iter(&code).map(|found| found[1].to_owned()));
    names.sort();
    names.dedup();
    names
}

/// Checks that the files of an area name no other modules at the top level than these.
#[track_caller]
fn check(area: &str, may_name: &[&str]) {
    for file in files(Path::new(area)) {
        for name in names(&file) {
            assert!(
                name == area || may_name.contains(&name.as_str()),
                "src/{} names crate::{name}; {area} may name {may_name:?}",
                file.display()
            );
        }
    }
}

#[test]
fn the_terminal_knows_nothing_of_drizzle_kit() {
    check("term", &[]);
}

#[test]
fn drizzle_kit_knows_nothing_of_the_policy() {
    check("kit", &["files", "host", "term"]);
}

#[test]
fn statements_know_nothing_of_the_rest() {
    check("sql", &[]);
}

#[test]
fn the_database_knows_nothing_of_drizzle_kit() {
    check("db", &["files", "host", "outcome"]);
}

#[test]
fn the_migrations_know_statements_alone() {
    check("migrations", &["files", "sql"]);
}

#[test]
fn the_policy_knows_prompts_hazards_and_rules_alone() {
    check("policy", &["files", "host", "kit", "migrations", "sql"]);
    let parts = Regex::new(r"\bcrate::(?:kit|migrations)::(\w+)").expect("the pattern is right");
    for file in files(Path::new("policy")) {
        for found in parts.captures_iter(&code(&file)) {
            let known = ["prompt", "rule", "Level"].contains(&&found[1]);
            assert!(known, "src/{} names {}", file.display(), &found[0]);
        }
    }
}

#[test]
fn what_is_below_the_commands_does_not_name_them() {
    check("outcome.rs", &[]);
    check("files.rs", &[]);
    check("host.rs", &[]);
    check("output/console.rs", &["term"]);
    check("output/report.rs", &["outcome", "migrations", "policy", "term"]);
    check("cli.rs", &["commands", "run"]);
}

/// What the world outside is reached by.
const OUTSIDE: [&str; 10] = [
    "std::fs",
    "std::process",
    "std::net",
    "std::os::unix::net",
    "std::env",
    "std::thread",
    "Instant",
    "SystemTime",
    "tokio",
    "rustix",
];

#[test]
fn pure_files_reach_for_nothing_outside() {
    let pure = [
        "commands/init/package_json.rs",
        "commands/init/templates.rs",
        "commands/next/patterns.rs",
        "outcome.rs",
        "host.rs",
        "output/report.rs",
        "output/report",
        "term/film.rs",
        "term/keys.rs",
        "term/screen.rs",
        "term/paint.rs",
        "term/redact.rs",
        "term/redact",
        "kit/prompt.rs",
        "kit/session.rs",
        "kit/outcome.rs",
        "kit/replay.rs",
        "kit/config.rs",
        "kit/dotenv.rs",
        "policy/check.rs",
        "policy/conflicts.rs",
        "kit/whereabouts.rs",
        "policy/model.rs",
        "policy/name.rs",
        "policy/decide.rs",
        "policy/allow.rs",
        "policy/explain.rs",
        "policy/migrate.rs",
        "sql",
        "db/connection/address.rs",
        "db/connection/dsn.rs",
        "db/connection/pgpass.rs",
        "db/connection/server.rs",
        "db/connection/trust.rs",
        "db/connection/url.rs",
        "db/connection/url",
        "db/connection/explain.rs",
        "db/cast/conversions.rs",
        "db/cast/tried.rs",
        "db/inspect/closure.rs",
        "db/inspect/foresee.rs",
        "db/inspect/identity.rs",
        "db/inspect/kind.rs",
        "db/inspect/objects.rs",
        "db/inspect/relation.rs",
        "db/reset/guard.rs",
        "db/reset/plan.rs",
        "db/reset/plan",
        "db/reset/proof.rs",
        "migrations/baseline.rs",
        "migrations/finding.rs",
        "migrations/journal.rs",
        "migrations/journal_file.rs",
        "migrations/query.rs",
        "migrations/reorder.rs",
        "migrations/lint",
        "migrations/rule.rs",
        "migrations/snapshot.rs",
        "migrations/state.rs",
        "migrations/steps.rs",
        "migrations/tables.rs",
    ];
    for file in pure.iter().flat_map(|path| files(Path::new(path))) {
        let code = code(&file);
        for outside in OUTSIDE {
            let word = Regex::new(&format!(r"\b{outside}\b")).expect("the names are plain");
            assert!(!word.is_match(&code), "src/{} is pure, but names {outside}", file.display());
        }
    }
}

/// Returns the files that each file of a folder names, by their paths below `src`.
fn imports(below: &str) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
    let all = files(Path::new(below));
    let module = |file: &PathBuf| {
        let path = file.with_extension("");
        let path = if path.ends_with("mod") { path.parent().map(Path::to_owned).unwrap_or_default() } else { path };
        path.iter().map(|part| part.to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    let modules: BTreeMap<Vec<String>, PathBuf> = all.iter().map(|file| (module(file), file.clone())).collect();
    let path = Regex::new(r"\bcrate::((?:\w+::)*)(?:(\w+)|\{([^}]*)\})").expect("the pattern is right");
    let named = |file: &PathBuf| {
        let mut named = BTreeSet::new();
        for found in path.captures_iter(&code(file)) {
            let last = found.get(2).or(found.get(3)).map_or("", |last| last.as_str());
            for name in last.split(',').filter_map(|name| name.split("::").next()).map(str::trim) {
                let mut parts: Vec<String> =
                    found[1].split("::").chain([name]).filter(|part| !part.is_empty()).map(str::to_owned).collect();
                while !parts.is_empty() && !modules.contains_key(&parts) {
                    parts.pop();
                }
                // What is said of a whole area stands in no circle: it declares its files.
                named.extend(modules.get(&parts).filter(|other| parts.len() > 1 && *other != file).cloned());
            }
        }
        named
    };
    all.iter().map(|file| (file.clone(), named(file))).collect()
}

#[test]
fn no_files_of_the_database_name_each_other_in_a_circle() {
    let mut imports = imports("db");
    // Whatever names nothing that is left stands in no circle.
    loop {
        let n_before = imports.len();
        let left: BTreeSet<PathBuf> = imports.keys().cloned().collect();
        imports.retain(|_, named| named.iter().any(|other| left.contains(other)));
        if imports.len() == n_before {
            break;
        }
    }
    assert!(imports.is_empty(), "{imports:#?}");
}

#[test]
fn a_connection_knows_no_look_a_look_no_change_and_a_change_no_reset() {
    let order = ["connection", "inspect", "change", "reset"];
    let area = |file: &PathBuf| {
        let area = file.iter().nth(1).map(|part| part.to_string_lossy().replace(".rs", "")).unwrap_or_default();
        // A conversion is tried on what was looked up, and changes nothing.
        if area == "cast" { Some(2) } else { order.iter().position(|name| *name == area) }
    };
    for (file, named) in imports("db") {
        for other in named {
            assert!(area(&other) <= area(&file), "{} names {}", file.display(), other.display());
        }
    }
}
