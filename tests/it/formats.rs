//! Formats that others rely on: stored reports and policy files are read and written as they were. Reports of commands that need a
//! server are compared by `tests/live/formats.rs`.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::kit::{self, APPLIED, drop_column, execute, out, rename_table};
use crate::support::script::Step;
use crate::support::{Project, Ran, Run, UNCHANGED, fake_kit, stored};

fn schema(command: &str) -> jsonschema::Validator {
    let schema = Run::new(&[command, "schema"]).run().ends(0, None).json();
    jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("the schema of {command} is none: {error}"))
}

#[track_caller]
fn valid(schema: &jsonschema::Validator, document: &Value, name: &Path) {
    let errors: Vec<String> =
        schema.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path)).collect();
    assert!(errors.is_empty(), "{}: {errors:#?}", name.display());
}

#[test]
fn every_stored_report_is_as_the_schema_says() {
    let schema = schema("report");
    let reports = stored::reports();
    let mut names: Vec<&str> = reports.iter().filter_map(|(path, _)| path.file_stem()?.to_str()).collect();
    names.sort_unstable();
    let expected = [
        "check",
        "doctor",
        "init",
        "migrate",
        "next",
        "plan",
        "policy-check",
        "policy-explain",
        "push-applied",
        "push-refused",
        "reset-dry-run",
        "status",
    ];
    assert_eq!(names, expected);
    for (path, report) in &reports {
        valid(&schema, report, path);
    }
}

/// Compares the report that a command of the program prints.
#[track_caller]
fn check(name: &str, run: Run, code: i32) {
    let folder = run.path(".").parent().expect("it is a folder").display().to_string();
    let ran: Ran = run.args(&["--format", "json"]).run().expect(code);
    let fake = fake_kit().display().to_string();
    stored::check_report(name, &ran, &ran.json(), &[(&fake, "/fake_kit"), (&folder, "/project")]);
}

#[test]
fn a_push_is_reported_as_it_was() {
    let policy = format!("[renames.tables]\norders = \"purchases\"\n{}", kit::ALLOW_DROP_COLUMN);
    let asked = || Step::Menu(rename_table("purchases", &["orders"]));
    let applied = [asked()].into_iter().chain(drop_column()).chain([out(APPLIED)]);
    check("push-applied", Run::push(&kit::push(applied)).policy(&policy), 0);
    let refused = [asked()].into_iter().chain(drop_column());
    check("push-refused", Run::push(&kit::push(refused)).policy("[renames.tables]\norders = \"purchases\"\n"), 3);
}

#[test]
fn a_plan_is_reported_as_it_was() {
    check("plan", Run::new(&["plan"]).fake(&kit::push([Step::Menu(execute()), out(APPLIED)])).policy(""), 2);
}

#[test]
fn a_check_is_reported_as_it_was() {
    let entry =
        json!({ "idx": 0, "version": "7", "when": 1_700_000_000_000_u64, "tag": "0000_a", "breakpoints": true });
    let journal = json!({ "version": "7", "dialect": "postgresql", "entries": [entry] });
    let run = Run::new(&["check", "--migrations", "drizzle"]).file("drizzle/meta/_journal.json", &journal.to_string());
    check("check", run.file("drizzle/0000_a.sql", "DROP TABLE \"users\";\n"), 2);
}

#[test]
fn what_is_found_in_a_project_is_reported_as_it_was() {
    let policy = "version = 1\n[hazards]\nunclassified = 'approve'\n[profiles.ci]\nwhen = { env = ['STAGE=ci'] }\n";
    let run = |args: &[&str]| Run::new(args).file("drizzle-pilot.toml", policy);
    check("policy-check", run(&["policy", "check"]), 0);
    check("policy-explain", run(&["policy", "explain", "drop_table", "users"]), 0);
    check("init", run(&["init", "--dry-run"]).file("package.json", "{}\n"), 2);
    // The node is that of the project, whatever the machine has.
    let run = run(&["doctor"]).file("tmp/file", "").file("bin/node", "#!/bin/sh\necho v22.0.0\n");
    let node = run.path("bin/node");
    std::fs::set_permissions(&node, Permissions::from_mode(0o755)).expect("the folder is ours");
    let path = format!("{}:/usr/bin:/bin", run.path("bin").display());
    let temporary = run.path("tmp").display().to_string();
    check("doctor", run.env("PATH", &path).env("TMPDIR", &temporary), 127);
}

/// The report of a command that answers is one even where there is no answer.
#[test]
fn every_command_that_answers_has_a_report_as_the_schema_says() {
    let schema = schema("report");
    for (args, code) in [
        (&["init", "--dry-run"][..], 78),
        (&["next", "--url", "postgres://app@127.0.0.1:1/shop"], 64),
        (&["doctor"], 127),
        (&["policy", "check", "none.toml"], 78),
        (&["policy", "explain", "drop_tabel"], 64),
        (&["policy", "init"], 0),
        (&["policy", "check", "--profile", "none"], 78),
    ] {
        let run = Run::new(args).args(&["--format", "json", "--report", "report.json", "--report-html", "report.html"]);
        let ended = run.run().ends(code, (code != 0).then_some(UNCHANGED));
        valid(&schema, &ended.json(), Path::new(&args.join(" ")));
        assert_eq!(ended.file("report.json"), ended.stdout, "the report file is the same document");
        assert_eq!((&ended.json()["code"], &ended.json()["database"]), (&code.into(), &"unchanged".into()), "{ended}");
        assert!(ended.file("report.html").contains(&format!("<code>{}</code>", args[0])), "{ended}");
    }
}

/// What a policy file may say is an interface: what was right is right, for the program and for editors that have its schema.
#[test]
fn every_stored_policy_is_still_one() {
    let schema = schema("policy");
    let mut said = BTreeSet::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/policies");
    let files = std::fs::read_dir(folder).expect("the fixtures are part of the repository");
    let paths: Vec<_> = files.map(|file| file.expect("the folder can be read").path()).collect();
    assert!(paths.len() >= 8, "{paths:?}");
    for path in paths {
        let text = std::fs::read_to_string(&path).expect("a policy is text");
        let document: Value = toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        valid(&schema, &document, &path);
        Run::new(&["policy", "check"]).file("drizzle-pilot.toml", &text).run().expect(0);
        keys(&document, &mut said);
    }
    let mut known = BTreeSet::new();
    properties(&Run::new(&["policy", "schema"]).run().ends(0, None).json(), &mut known);
    let unsaid: Vec<&String> = known.difference(&said).collect();
    assert!(
        unsaid.is_empty(),
        "no stored policy has these keys; fixtures/policies/everything.toml is for them: {unsaid:?}"
    );
}

/// Adds the keys of a document, at any depth.
fn keys(document: &Value, found: &mut BTreeSet<String>) {
    match document {
        Value::Object(object) => {
            found.extend(object.keys().cloned());
            object.values().for_each(|value| keys(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

/// Adds the keys that a schema knows, at any depth.
fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(known) = schema.get("properties").and_then(Value::as_object) {
        found.extend(known.keys().cloned());
    }
    match schema {
        Value::Object(object) => object.values().for_each(|value| properties(value, found)),
        Value::Array(values) => values.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

#[test]
fn the_policy_that_is_written_is_the_stored_one() {
    let project = Project::bare();
    project.pilot(&["policy", "init"]).run().expect(0);
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/policies/starter.toml");
    let written = project.read("drizzle-pilot.toml");
    if std::env::var_os("UPDATE_REPORTS").is_some_and(|update| update == "1") {
        std::fs::write(&stored, &written).expect("the fixtures can be written");
    }
    let stored = std::fs::read_to_string(&stored).unwrap_or_else(|error| panic!("{}: {error}", stored.display()));
    assert_eq!(written, stored, "UPDATE_REPORTS=1 writes it anew");
}
