//! `check` from the command line: endings, forms, git, and nothing that it could lean on.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Project, Ran, Run};

const EMPTY: &str = "/nowhere";

/// A folder with a clean migrations folder in it.
struct Place(Project);

impl Place {
    fn new() -> Place {
        let place = Place(Project::bare());
        place.write("drizzle/0000_init.sql", "CREATE TABLE \"users\" (\"id\" serial PRIMARY KEY NOT NULL);\n");
        place.write("drizzle/meta/0000_snapshot.json", &snapshot("a", "00000000-0000-0000-0000-000000000000"));
        place.journal(&["0000_init"]);
        place
    }

    fn path(&self) -> &Path {
        self.0.folder()
    }

    fn write(&self, name: &str, text: &str) {
        self.0.write(name, text);
    }

    fn read(&self, name: &str) -> String {
        self.0.read(name)
    }

    fn journal(&self, tags: &[&str]) {
        let entry = |(idx, tag): (usize, &&str)| serde_json::json!({ "idx": idx, "version": "7", "when": 1_700_000_000_000_u64 + idx as u64, "tag": tag, "breakpoints": true });
        let entries: Vec<Value> = tags.iter().enumerate().map(entry).collect();
        let journal = serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries });
        self.write("drizzle/meta/_journal.json", &format!("{journal:#}"));
    }

    /// Adds a second migration that drops a table.
    fn add_drop(&self) {
        self.write("drizzle/0001_drop.sql", "DROP TABLE \"users\";\n");
        self.write("drizzle/meta/0001_snapshot.json", &snapshot("b", "a"));
        self.journal(&["0000_init", "0001_drop"]);
    }

    fn command(&self, args: &[&str]) -> Run {
        self.0.pilot(&["check"]).args(args)
    }

    /// Runs `check` on the folder by its name, with no program in reach.
    #[track_caller]
    fn check(&self, args: &[&str]) -> Ran {
        self.command(&["--migrations", "drizzle"]).args(args).env("PATH", EMPTY).run()
    }

    #[track_caller]
    fn git(&self, args: &[&str]) {
        let output = self.0.git(args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Commits all that is there.
    fn commit(&self) {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "all"]);
    }

    #[track_caller]
    fn checked_by_git(&self, args: &[&str]) -> Ran {
        self.command(args).env("GIT_CONFIG_GLOBAL", "/dev/null").run()
    }
}

fn snapshot(id: &str, before: &str) -> String {
    format!("{{\"id\":\"{id}\",\"prevId\":\"{before}\",\"version\":\"7\",\"dialect\":\"postgresql\",\"tables\":{{}}}}")
}

const DROP: &str = "\
drizzle/0001_drop.sql:1:1: error: table public.users is dropped [drop-table]
    why: its rows are lost, and no migration brings them back; programs that still use it fail
    do:  drop it one release after the last program that reads it, then acknowledge it: -- drizzle-pilot-ignore drop-table
";

/// Returns what is said where the table is dropped.
fn dropped(n_migrations: usize) -> String {
    format!("check: 1 error in {n_migrations} migrations\n  policy   built-in\n{DROP}")
}

#[test]
fn nothing_is_needed_but_the_folder() {
    let place = Place::new();
    place.check(&[]).prints(0, "check: nothing found in 1 migration\n  policy   built-in\n", "");
    place.add_drop();
    place.check(&[]).prints(2, &dropped(2), "changes: 1 error in 2 migrations\nNothing was executed.\n");
}

#[test]
fn a_folder_that_cannot_be_read_ends_with_65() {
    let place = Place::new();
    let ends = |name: &str, message: &str| {
        let output = place.command(&["--migrations", name]).env("PATH", EMPTY).run();
        assert_eq!(output.code, 65, "{name}");
        let said = output.stderr.replace(&place.path().display().to_string(), "");
        assert!(said.contains(message), "{name}: {said}");
        assert!(said.ends_with("Nothing was executed.\n"), "{said}");
    };
    ends("nowhere", "bad-migrations: there is no migrations folder /nowhere");
    place.write("drizzle/meta/_journal.json", "{\n  \"entries\": [\n    { \"idx\": 0, }\n  ]\n}\n");
    ends("drizzle", "/drizzle/meta/_journal.json:3:17: the journal cannot be read: key must be a string");
    place.write("newer/20250101120000_init/migration.sql", "SELECT 1;");
    ends(
        "newer",
        "/newer is a migrations folder of drizzle-kit 1.0 (20250101120000_init/migration.sql), which is not supported yet",
    );
    place.write("drizzle/meta/_journal.json", "<<<<<<< HEAD\n{}\n=======\n>>>>>>> other\n");
    assert_eq!(place.check(&[]).code, 2, "conflict markers are a finding");
}

#[test]
fn what_is_no_sql_is_told_once_for_each_block() {
    let place = Place::new();
    // drizzle-kit 0.22 writes this for `text().array().default([])`.
    let broken =
        "CREATE TABLE \"likes\" (\n\t\"tags\" text[] DEFAULT ,\n\tCONSTRAINT \"pk\" PRIMARY KEY(\"a\",\"b\")\n);";
    place.write(
        "drizzle/0000_init.sql",
        &format!("{broken}\n--> statement-breakpoint\nSELECT 1;\n--> statement-breakpoint\n{broken}\n"),
    );
    let output = place.check(&[]);
    let said = output.stdout;
    let places: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("drizzle/0000_init.sql:")).collect();
    let told = "error: the text is not valid SQL: expected an expression, found COMMA [syntax-error]";
    assert_eq!(places, [format!("2:24: {told}"), format!("9:24: {told}")]);
}

#[test]
fn a_name_is_taken_for_the_migrations_after_it_until_it_is_given_up() {
    let place = Place::new();
    let finds = |second: &str, expected: &[&str]| {
        let table = "CREATE TABLE \"users\" (\"id\" serial PRIMARY KEY NOT NULL);\n--> statement-breakpoint\nCREATE TABLE \"one\" (\"s\" text);\n";
        place.write(
            "drizzle/0000_init.sql",
            &format!("{table}--> statement-breakpoint\nCREATE INDEX \"shared\" ON \"one\" (\"s\");\n"),
        );
        place.write("drizzle/0001_more.sql", second);
        place.write("drizzle/meta/0001_snapshot.json", &snapshot("b", "a"));
        place.journal(&["0000_init", "0001_more"]);
        let output = place.check(&[]);
        let said = output.stdout;
        let found: Vec<&str> = said.lines().filter(|line| line.ends_with("[name-twice]")).collect();
        assert_eq!(found, expected, "{second}\n{said}");
    };
    let table = "CREATE TABLE \"two\" (\"s\" text, CONSTRAINT \"shared\" UNIQUE(\"s\"));\n";
    finds(
        table,
        &[
            "drizzle/0001_more.sql:1:1: error: the name public.shared is given to an index or constraint of public.one and to one of \
           public.two, first in 0000_init.sql [name-twice]",
        ],
    );
    for given_up in ["DROP INDEX \"shared\";", "DROP TABLE \"one\";", "ALTER TABLE \"one\" DROP COLUMN \"s\";"] {
        finds(&format!("{given_up}\n--> statement-breakpoint\n{table}"), &[]);
    }
    finds(&table.replace("\"two\" ", "\"other\".\"two\" "), &[]);
}

#[test]
fn the_policy_says_what_matters() {
    let place = Place::new();
    place.add_drop();
    let ends = |policy: &str, code| {
        place.write("drizzle-pilot.toml", &format!("version = 1\n{policy}\n"));
        let output = place.command(&[]).env("PATH", EMPTY).run();
        let said = output.stderr;
        assert_eq!(output.code, code, "{policy}: {said}");
    };
    ends("[check]\nmigrations = [\"drizzle\"]", 2);
    ends("[check]\nmigrations = [\"drizzle\"]\n[check.rules]\ndrop-table = \"off\"", 0);
    ends("[check]\nmigrations = [\"drizzle\"]\nfail_on = \"error\"\n[check.rules]\ndrop-table = \"warning\"", 0);
    ends("[check]\nmigrations = [\"drizzle\"]\n[check.rules]\ndrop-table = { except = [\"users\"] }", 0);
    ends("[check]\nmigrations = [\"drizzle\"]\n[check.rules]\ndrop-table = { except = [\"posts\"] }", 2);
    ends("[check.rules]\ndrop-tabel = \"off\"", 78);
}

#[test]
fn the_statements_of_what_the_branch_adds_are_looked_at() {
    let place = Place::new();
    place.git(&["init", "-q"]);
    place.add_drop();
    place.commit();
    let since = ["--migrations", "drizzle", "--since", "main"];
    place.checked_by_git(&since).prints(0, "check: nothing found in 2 migrations\n  policy   built-in\n", "");
    place.git(&["checkout", "-q", "-b", "work"]);
    place.write("drizzle/0002_more.sql", "DROP TABLE \"posts\";\n");
    place.write("drizzle/meta/0002_snapshot.json", &snapshot("c", "b"));
    place.journal(&["0000_init", "0001_drop", "0002_more"]);
    place.write("drizzle/0000_init.sql", "CREATE TABLE \"people\" ();\n");
    // The other branch goes on meanwhile.
    place.commit();
    place.git(&["checkout", "-q", "main"]);
    place.write("drizzle/0000_init.sql", "CREATE TABLE \"other\" ();\n");
    place.commit();
    place.git(&["checkout", "-q", "work"]);
    let said = place.checked_by_git(&[&since[..], &["--format", "json"]].concat());
    let report = said.json();
    let found: Vec<(&str, &str)> = report["findings"]
        .as_array()
        .expect("there are findings")
        .iter()
        .map(|finding| (finding["id"].as_str().unwrap_or_default(), finding["file"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(found, [("edited-migration", "drizzle/0000_init.sql"), ("drop-table", "drizzle/0002_more.sql")]);
    let unknown = place.checked_by_git(&["--migrations", "drizzle", "--since", "--output=x"]);
    assert_eq!(unknown.code, 64);
    assert!(!place.path().join("x").exists());
    let unknown = place.checked_by_git(&["--migrations", "drizzle", "--since", "nobody"]);
    assert_eq!(unknown.code, 64);
    let without = place.check(&["--since", "main"]);
    assert_eq!(without.code, 127);
}

#[test]
fn a_checkout_with_other_line_ends_is_no_edit() {
    let place = Place::new();
    place.git(&["init", "-q"]);
    place.commit();
    place.git(&["checkout", "-q", "-b", "work"]);
    place.write("drizzle/0000_init.sql", &place.read("drizzle/0000_init.sql").replace('\n', "\r\n"));
    let since = ["--migrations", "drizzle", "--since", "main"];
    place.checked_by_git(&since).prints(0, "check: nothing found in 1 migration\n  policy   built-in\n", "");
    place.write("drizzle/0000_init.sql", "CREATE TABLE \"people\" ();\r\n");
    let said = place.checked_by_git(&since);
    assert_eq!(said.code, 2);
    assert!(said.stdout.contains("[edited-migration]"));
}

#[test]
fn old_faults_are_accepted_once_and_new_ones_are_told() {
    let place = Place::new();
    place.git(&["init", "-q"]);
    place.write("drizzle/0001_late.sql", "SELECT 1;\n");
    place.write("drizzle/0002_more.sql", "SELECT 2;\n");
    let journal = |whens: [u64; 3]| {
        let entry = |(idx, when)| {
            let tag = ["0000_init", "0001_late", "0002_more"][idx];
            serde_json::json!({ "idx": idx, "version": "7", "when": when, "tag": tag, "breakpoints": true })
        };
        let entries: Vec<Value> = whens.into_iter().enumerate().map(entry).collect();
        let journal = serde_json::json!({ "version": "7", "dialect": "postgresql", "entries": entries });
        place.write("drizzle/meta/_journal.json", &format!("{journal:#}"));
    };
    journal([200, 100, 300]);
    place.commit();
    let policy = "version = 1\n\n[check] # of all folders\nfail_on = \"warning\"\n";
    place.write("drizzle-pilot.toml", policy);
    let since = ["--migrations", "drizzle", "--since", "HEAD"];
    let found = |args: &[&str]| {
        let said = place.checked_by_git(&[args, &["--format", "json"]].concat());
        let report = said.json();
        let findings = report["findings"].as_array().expect("there are findings");
        let ids = findings.iter().map(|finding| finding["id"].as_str().unwrap_or_default().to_owned());
        (said.code, ids.collect::<Vec<_>>())
    };
    let old = ["journal-order", "snapshot-missing", "snapshot-missing"].map(str::to_owned).to_vec();
    assert_eq!(found(&since), (2, old));
    let accepted = "version = 1\n\n[check] # of all folders\naccepted = [
  \"journal-order drizzle/0001_late.sql\",
  \"snapshot-missing drizzle/0001_late.sql\",
  \"snapshot-missing drizzle/0002_more.sql\",
]\nfail_on = \"warning\"\n";
    let said = place.check(&["--accept-old"]);
    let three = "check: 3 old faults are accepted in drizzle-pilot.toml\n  policy   drizzle-pilot.toml\n";
    let which = "accepted: journal-order drizzle/0001_late.sql\naccepted: snapshot-missing drizzle/0001_late.sql\n\
                 accepted: snapshot-missing drizzle/0002_more.sql\n";
    said.prints(0, three, which);
    assert_eq!(place.read("drizzle-pilot.toml"), accepted);
    assert_eq!(found(&since), (0, Vec::new()));
    // Once more there is nothing to accept, and the file stays.
    assert_eq!(place.check(&["--accept-old"]).code, 0);
    assert_eq!(place.read("drizzle-pilot.toml"), accepted);
    // The same rule about another migration is new.
    journal([200, 100, 150]);
    assert_eq!(found(&since), (2, vec!["journal-order".to_owned()]));
    // What git left in the journal can be mended, and is no old fault.
    place.write("drizzle/meta/_journal.json", "<<<<<<< HEAD\n{}\n=======\n>>>>>>> other\n");
    assert_eq!(place.check(&["--accept-old"]).code, 65);
    assert_eq!(place.check(&["--accept-old", "--since", "HEAD"]).code, 64);
}

#[test]
fn a_policy_that_is_not_there_is_made_of_what_is_accepted() {
    let place = Place::new();
    std::fs::remove_file(place.path().join("drizzle/meta/0000_snapshot.json")).expect("it was written");
    let said = place.check(&["--accept-old"]);
    let which = "accepted: snapshot-missing drizzle/0000_init.sql\n";
    said.prints(0, "check: 1 old fault is accepted in drizzle-pilot.toml\n  policy   built-in\n", which);
    assert_eq!(
        place.read("drizzle-pilot.toml"),
        "version = 1\n\n[check]\naccepted = [\n  \"snapshot-missing drizzle/0000_init.sql\",\n]\n"
    );
    place.check(&[]).prints(0, "check: nothing found in 1 migration\n  policy   drizzle-pilot.toml\n", "");
}

#[test]
fn a_dialect_that_is_not_read_is_not_called_clean() {
    let place = Place::new();
    place.write("drizzle/meta/_journal.json", &place.read("drizzle/meta/_journal.json").replace("postgresql", "gel"));
    let said = place.check(&[]);
    assert_eq!(said.code, 2);
    let stdout = said.stdout;
    assert!(
        stdout.contains("statements of gel are not read: the contents of the migrations were not checked"),
        "{stdout}"
    );
}

#[test]
fn a_hook_sees_what_the_commit_will_have() {
    let place = Place::new();
    place.git(&["init", "-q"]);
    place.commit();
    let staged = ["--migrations", "drizzle", "--staged"];
    let clean = "check: nothing found in 1 migration\n  policy   built-in\n";
    // On the disk alone.
    place.add_drop();
    place.checked_by_git(&staged).prints(0, clean, "");
    // In the index, and otherwise on the disk.
    place.git(&["add", "-A"]);
    place.write("drizzle/0001_drop.sql", "SELECT 1;\n");
    place.write("drizzle/meta/_journal.json", "broken on the disk alone");
    place.checked_by_git(&staged).prints(2, &dropped(2), "changes: 1 error in 2 migrations\nNothing was executed.\n");
    // What an earlier commit has is not looked at again.
    place.git(&["commit", "-q", "-m", "drop"]);
    place.checked_by_git(&staged).prints(0, "check: nothing found in 2 migrations\n  policy   built-in\n", "");
}

#[test]
fn a_hook_stops_a_commit_from_a_folder_below() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.git(&["init", "-q"]);
    place.commit();
    std::fs::create_dir(place.path().join("app")).expect("the folder is ours");
    let hook = format!(
        "#!/bin/sh\ncd app\nexec '{}' check --migrations ../drizzle --staged\n",
        env!("CARGO_BIN_EXE_drizzle-pilot")
    );
    place.write(".git/hooks/pre-commit", &hook);
    let path: PathBuf = place.path().join(".git/hooks/pre-commit");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
    place.add_drop();
    place.git(&["add", "-A"]);
    // With -a, the index of the commit is another file than usual.
    let commit = |message: &str| {
        Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-a", "-m", message])
            .current_dir(place.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is installed: apt-get install git")
    };
    let stopped = commit("drop");
    assert!(!stopped.status.success());
    // git gives a hook one place for both outputs: the reason stands there once, at the end.
    let told = String::from_utf8_lossy(&stopped.stderr);
    assert!(told.starts_with("check: changes\n") && told.contains("\nchanges: 1 error in 2 migrations\n"), "{told}");
    assert_eq!(told.matches("1 error in 2 migrations").count(), 1, "{told}");
    place.write("drizzle/0001_drop.sql", "-- drizzle-pilot-ignore drop-table: unused\nDROP TABLE \"users\";\n");
    let passed = commit("drop");
    assert!(passed.status.success(), "{}", String::from_utf8_lossy(&passed.stderr));
}

#[test]
fn sarif_is_as_its_schema_says() {
    let place = Place::new();
    place.add_drop();
    place.write("drizzle/0001_drop.sql", "SELECT 1;\n--> statement-breakpoint\nDROP TABLE \"üsers\";\n");
    std::fs::rename(place.path().join("drizzle"), place.path().join("my drizzle")).expect("the folder is ours");
    let args = ["--migrations", "my drizzle", "--sarif", "out.sarif", "--junit", "out.xml"];
    let output = place.command(&args).env("PATH", EMPTY).run();
    assert_eq!(output.code, 2);
    let sarif: Value = serde_json::from_str(&place.read("out.sarif")).expect("it is JSON");
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sarif/sarif-schema-2.1.0.json");
    let schema = std::fs::read_to_string(schema).expect("the schema is part of the repository");
    let schema: Value = serde_json::from_str(&schema).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is one");
    let errors: Vec<String> = validator.iter_errors(&sarif).map(|error| error.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "drop-table");
    let location = &result["locations"][0]["physicalLocation"];
    assert_eq!(location["artifactLocation"]["uri"], "my%20drizzle/0001_drop.sql");
    assert_eq!(location["region"], serde_json::json!({ "startLine": 3, "startColumn": 1 }));
    let junit = place.read("out.xml");
    assert!(
        junit.contains(r#"<testsuites name="drizzle-pilot" tests="2" skipped="0" failures="1" errors="0">"#),
        "{junit}"
    );
    assert!(junit.contains(r#"<testcase name="check" classname="my drizzle/0000_init.sql"/>"#), "{junit}");
    assert!(
        junit.contains(r#"<testcase name="drop-table at line 3" classname="my drizzle/0001_drop.sql">"#),
        "{junit}"
    );
}

#[test]
fn github_shows_the_findings_by_itself() {
    let place = Place::new();
    place.add_drop();
    place.write("summary.md", "before\n");
    let output = place
        .command(&["--migrations", "drizzle"])
        .env("PATH", EMPTY)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &place.path().join("summary.md").display().to_string())
        .run();
    let annotation = "::error file=drizzle/0001_drop.sql,line=1,col=1,title=drop-table::table public.users is dropped%0A\
                      why: its rows are lost, and no migration brings them back; programs that still use it fail%0A\
                      do: drop it one release after the last program that reads it, then acknowledge it: -- drizzle-pilot-ignore drop-table\n";
    let ending = "changes: 1 error in 2 migrations\nNothing was executed.\n";
    output.prints(2, &dropped(2), &format!("{annotation}{ending}"));
    assert_eq!(
        place.read("summary.md"),
        "before\n### drizzle-pilot check: 1 found\n\n| | place | what | do |\n|---|---|---|---|\n\
         | error | `drizzle/0001_drop.sql:1:1` | table public.users is dropped (`drop-table`) | drop it one release after the \
         last program that reads it, then acknowledge it: -- drizzle-pilot-ignore drop-table |\n"
    );
}
