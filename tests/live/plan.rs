//! `plan` shows what a push would do and writes nothing; `push --plan` does exactly that, or nothing.

use std::path::Path;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::NEWEST;
use crate::support::{Database, Project, Ran, Server};

on_every_kit! {
    a_plan_ends_with_0_2_or_3_and_tells_the_server_nothing
    a_plan_is_pushed_as_it_was_made
}
on_1_0_as_well! {
    a_plan_ends_with_0_2_or_3_and_tells_the_server_nothing
    a_plan_is_pushed_as_it_was_made
}

const READS: [&str; 3] = ["select", "with", "show"];

/// Plans and checks that the database is what it was, and that drizzle-kit told the server nothing but questions.
#[track_caller]
fn plan(project: &Project, database: &Database, code: i32) -> Ran {
    let before = database.everything();
    let log = database.log_statements();
    let ran = project.pilot(&["plan"]).run().expect(code).database("unchanged");
    let told = log.end();
    assert!(!told.is_empty(), "{ran}");
    for statement in told {
        let first = statement.trim_start().to_lowercase();
        assert!(READS.iter().any(|word| first.starts_with(word)), "{statement}\n{ran}");
    }
    assert_eq!(database.everything(), before, "{ran}");
    ran
}

fn a_plan_ends_with_0_2_or_3_and_tells_the_server_nothing(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_column", &database);
    plan(&project, &database, 2).says(&["1 statement, which the policy allows", "drop_column public.users.legacy_id"]);
    let project = project.without_policy();
    plan(&project, &database, 3).says(&["refused by the policy", "drop_column public.users.legacy_id", "3 values"]);
    database.sql("ALTER TABLE users DROP COLUMN legacy_id");
    plan(&project, &database, 0).says(&["no changes"]);
}

/// The schema file writes to the database by itself, in the environment that drizzle-kit's sessions have.
#[test]
fn the_server_refuses_what_would_write_during_a_plan() {
    // PostgreSQL 13 knows nothing of dead clients, and read-only sessions all the same.
    for server in [Server::Postgres13, Server::Postgres15] {
        let database = Database::create_on(server);
        let project = Project::fixture(NEWEST, "no_changes", &database);
        let schema = std::fs::read_to_string(project.path("schema.ts")).expect("the fixture has a schema");
        let writes = r"
            const { Client } = require('pg');
            const client = new Client(process.env.DATABASE_URL);
            const told = (error) => require('fs').writeFileSync('told', error ? error.code : 'written');
            client.connect().then(() => client.query('CREATE TABLE sneaked ()')).then(() => told(), told).then(() => client.end());";
        project.write(
            "schema.ts",
            &format!(
                "import {{ execFileSync }} from 'node:child_process';\nexecFileSync(process.execPath, ['-e', {writes:?}]);\n{schema}"
            ),
        );
        let told = || std::fs::read_to_string(project.path("told")).expect("the schema file tried");
        let before = database.everything();
        let ran = project.pilot(&["plan"]).run().expect(0);
        assert_eq!(told(), "25006", "{server:?}\n{ran}");
        assert_eq!(ran.report["warnings"], json!([]), "{server:?}\n{ran}");
        assert_eq!(database.everything(), before, "{ran}");

        // The test has teeth: drizzle-kit's sessions in a push may write.
        let ran = project.push();
        assert_eq!(told(), "written", "{server:?}\n{ran}");
    }
}

/// `pg` reads no `PGOPTIONS` where the URL has options of its own. The server itself looks at what drizzle-kit's sessions
/// begin with, and at the project's own.
#[test]
fn a_plan_is_read_only_beside_options_of_the_project() {
    let database = Database::create_on(Server::Postgres18);
    let project = Project::fixture(NEWEST, "drop_column", &database);
    database.sql(
        "CREATE FUNCTION look() RETURNS event_trigger LANGUAGE plpgsql AS $$
           DECLARE name text := current_setting('application_name');
           BEGIN
             IF name NOT LIKE 'drizzle-pilot-%' OR name LIKE '% %' THEN RETURN; END IF;
             IF current_setting('default_transaction_read_only') <> 'on' THEN RAISE 'may write'; END IF;
             IF current_setting('client_connection_check_interval') <> '500ms' THEN RAISE 'looks after no client'; END IF;
             IF current_setting('work_mem') <> '5MB' THEN RAISE 'lost its own options'; END IF;
           END $$;
         CREATE EVENT TRIGGER look ON login EXECUTE FUNCTION look()",
    );
    let mut url = database.url();
    url.set_query(Some("options=-c%20work_mem%3D5MB"));
    let ran = project.pilot(&["plan"]).env("DATABASE_URL", url.as_str()).run();
    drop(ran.expect(2).never_says("start-up options"));
    // The test has teeth: a push may write, and so is not let in.
    drop(project.pilot(&["push"]).env("DATABASE_URL", url.as_str()).run().expect(1).database("unchanged"));
}

#[test]
fn a_plan_has_four_forms_and_a_dry_run_is_one() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let show = |arguments: &[&str]| project.pilot(arguments).run().expect(2);

    let sql = show(&["plan", "--format", "sql"]);
    assert_eq!(sql.stdout, "ALTER TABLE \"users\" DROP COLUMN \"legacy_id\";\n", "{sql}");

    let markdown = show(&["plan", "--format", "markdown"]);
    let target = markdown.stdout.lines().find(|line| line.starts_with("Target ")).expect("it names the target");
    let expected = format!(
        "### drizzle-pilot plan: 1 statement, which the policy allows\n\n{target}\n\n\
         | | hazard | what | rows | rule |\n|---|---|---|---|---|\n\
         | ✅ allowed | <code>drop&#95;column</code> | <code>public.users.legacy&#95;id</code> | 3 | \
         drizzle-pilot.toml:4 hazards.drop&#95;column |\n\n\
         <details><summary>1 statement</summary>\n\n```sql\n{}```\n\n</details>\n",
        sql.stdout
    );
    assert_eq!(markdown.stdout, expected);

    let json = show(&["plan", "--format", "json"]);
    let report: Value = serde_json::from_str(&json.stdout).expect("it is JSON");
    let schema = project.pilot(&["report", "schema"]).without_report().run().stdout;
    let schema: Value = serde_json::from_str(&schema).expect("a schema is JSON");
    if let Err(error) = jsonschema::validate(&schema, &report) {
        panic!("{error}\n{json}");
    }
    let rule = "drizzle-pilot.toml:4 hazards.drop_column";
    let expected = json!([{
        "sql": "ALTER TABLE \"users\" DROP COLUMN \"legacy_id\";",
        "kind": "alter_table",
        "objects": ["public.users.legacy_id"],
        "hazards": [{
            "hazard": "drop_column",
            "class": "data_loss",
            "objects": ["public.users.legacy_id"],
            "rows": 3,
            "is_estimate": false,
            "is_minimum": false,
            "note": null,
            "verdict": "allowed",
            "rule": rule,
        }],
        "rows": 3,
        "is_estimate": false,
        "is_minimum": false,
        "verdict": "allowed",
        "rule": rule,
    }]);
    assert_eq!(report["statements"], expected, "{json}");

    let text = show(&["plan"]);
    let target = text.stdout.lines().find(|line| line.starts_with("  target ")).expect("it names the target");
    let expected = format!(
        "plan: 1 statement, which the policy allows\n{target}\n  kit      drizzle-kit 0.31.11\n  policy   drizzle-pilot.toml\n  \
         asked    You're about to delete legacy_id column in users table with 3 items\n  \
         answered No, abort   [only the plan is wanted]\n\ndata loss\n  \
         allowed  drop_column public.users.legacy_id, 3 rows   [{rule}]\n      {}\n",
        sql.stdout
    );
    assert_eq!(text.stdout.trim_end(), expected.trim_end());
    let dry_run = show(&["push", "--dry-run"]);
    assert_eq!((dry_run.stdout, dry_run.stderr), (text.stdout, text.stderr));
}

/// Makes a plan file.
#[track_caller]
fn make(project: &Project, file: &str) -> Ran {
    project.pilot(&["plan", "--out", file]).run().expect(2).database("unchanged")
}

/// A rename and an added row: the plan answers the question, and rows are none of its business. The project's own `strict`
/// and `verbose` change nothing.
fn a_plan_is_pushed_as_it_was_made(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "rename_column", &database);
    let config = std::fs::read_to_string(project.path("drizzle.config.ts")).expect("a project has a config");
    project.config(&config.replacen("export default {", "export default {\n  strict: true,\n  verbose: true,", 1));
    let made = make(&project, "push.plan.json");
    let rows: u32 = database.value("SELECT count(*) FROM users").parse().expect("a number");
    database.sql("INSERT INTO users (id) VALUES (100)");
    let ran = project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(0).database("changed");
    assert_eq!(ran.report["prompts"][0]["rule"], "the plan", "{ran}");
    assert_eq!(ran.report["statements"], made.report["statements"], "{ran}");
    assert_eq!(database.value("SELECT count(*) FROM users"), (rows + 1).to_string());
    // It is used up: the schema is not what it was.
    project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(5).database("unchanged");
}

#[test]
fn a_plan_that_does_not_fit_any_more_is_not_executed() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    project.write("names.ts", "export const NAME = 'name';\n");
    project.schema(
        "import { NAME } from './names';
         export const users = pgTable('users', { id: integer('id').primaryKey(), name: text(NAME) });",
    );
    make(&project, "push.plan.json");
    let push = |arguments: &[&str], says: &[&str]| {
        let before = database.everything();
        let run = arguments.iter().fold(project.pilot(&["push"]), |run, argument| run.args(&[argument]));
        let ran = run.run().expect(5).database("unchanged").says(says);
        assert_eq!(database.everything(), before, "{ran}");
    };
    let planned = ["--plan", "push.plan.json"];

    database.sql("ALTER TABLE users ADD COLUMN sneaked text");
    push(&planned, &["the schema of the database has changed", "appeared: column public.users.sneaked text"]);
    database.sql("ALTER TABLE users DROP COLUMN sneaked");

    let other = Database::create();
    other.sql("CREATE TABLE users (id integer PRIMARY KEY, name text, legacy_id integer)");
    let before = other.everything();
    let ran = project.pilot(&["push", "--plan", "push.plan.json"]).env("DATABASE_URL", other.url().as_str()).run();
    let ran = ran.expect(5).database("unchanged").says(&["the target is", "and was"]);
    assert_eq!(other.everything(), before, "{ran}");

    replaced(
        &project.path("drizzle-pilot.toml"),
        |policy| policy + "# reviewed\n",
        || {
            push(&planned, &["the policy file was changed, or is another one"]);
        },
    );
    replaced(
        &project.path("schema.ts"),
        |schema| schema + "// reviewed\n",
        || {
            push(&planned, &["the schema files were changed"]);
        },
    );
    // A file that the schema imports is in no digest. It is seen by what drizzle-kit makes of it.
    replaced(
        &project.path("names.ts"),
        |names| names.replace("'name'", "'legacy_id'"),
        || {
            let other = "+ ALTER TABLE \"users\" ALTER COLUMN \"legacy_id\" SET DATA TYPE text;";
            push(
                &planned,
                &["drizzle-kit shows other statements", other, "- ALTER TABLE \"users\" DROP COLUMN \"legacy_id\";"],
            );
        },
    );
    replaced(
        &project.path("push.plan.json"),
        |plan| plan.replace("legacy_id", "name"),
        || {
            push(&planned, &["was changed after it was made"]);
        },
    );
    replaced(
        &project.path("push.plan.json"),
        |_| "{}".to_owned(),
        || push(&planned, &["is not a plan of this version"]),
    );
    push(&["--plan", "push.plan.json", "--accept-data-loss"], &["--accept-data-loss"]);

    let kit = project.path("node_modules");
    let newest = std::fs::read_link(&kit).expect("it is a link");
    let older = newest.parent().and_then(Path::parent).expect("it lies in the laboratory").join("0.28.1/node_modules");
    let install = |from: &Path| {
        std::fs::remove_file(&kit).expect("the folder is ours");
        std::os::unix::fs::symlink(from, &kit).expect("the folder is ours");
    };
    install(&older);
    push(&planned, &["drizzle-kit is 0.28.1 and was 0.31.11"]);
    install(&newest);

    project.pilot(&["plan", "--out", "old.plan.json", "--expires", "0s"]).run().expect(2);
    push(&["--plan", "old.plan.json"], &["expired at"]);

    // Everything is back, and the same file is good again.
    project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"]);
}

/// What the schema file imports is in no digest, and may do anything while drizzle-kit loads it: here it asks another
/// question, or changes the database after it was looked at, in a schema that drizzle-kit does not look at.
#[test]
fn what_moves_while_drizzle_kit_looks_is_not_executed() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let policy = std::fs::read_to_string(project.path("drizzle-pilot.toml")).expect("the fixture has a policy");
    project.write("drizzle-pilot.toml", &format!("{policy}\n[profiles.ci]\naccept_data_loss = false\n"));
    project.schema(
        "import { NAME } from './names';
         export const users = pgTable('users', { id: integer('id').primaryKey(), name: text(NAME) });",
    );
    let names = |text: &str| project.write("names.ts", text);
    names("export const NAME = 'name';\n");
    make(&project, "push.plan.json");
    let before = database.state();
    let push = |arguments: &[&str], says: &[&str]| {
        let run = arguments.iter().fold(project.pilot(&["push"]), |run, argument| run.args(&[argument]));
        let ran = run.run().expect(5).database("unchanged").says(says);
        assert_eq!(database.state(), before, "{ran}");
    };
    let planned = ["--plan", "push.plan.json"];
    push(&["--plan", "push.plan.json", "--profile", "ci"], &["the profile is ci and was none"]);

    names("export const NAME = 'full_name';\n");
    push(&planned, &["drizzle-kit asks another question: Is full_name column in users table created or renamed"]);

    let moves = "
        const { Client } = require('pg');
        const client = new Client(process.env.DATABASE_URL);
        client.connect().then(() => client.query('CREATE SCHEMA aside')).then(() => client.end());";
    names(&format!(
        "import {{ execFileSync }} from 'node:child_process';
         execFileSync(process.execPath, ['-e', {moves:?}], {{ env: {{ ...process.env, PGOPTIONS: '' }} }});
         export const NAME = 'name';\n"
    ));
    for arguments in [&planned[..], &["--apply", "transaction"]] {
        push(arguments, &["aside"]);
        database.sql("DROP SCHEMA aside");
    }
}

/// drizzle-kit reads the catalog in the order in which the server tells it.
#[test]
fn a_plan_fits_in_another_order_of_what_has_nothing_to_do_with_each_other() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey() });");
    project.policy("[hazards]\ndrop_table = 'approve'\n");
    let tables = "CREATE TABLE users (id integer PRIMARY KEY); CREATE TABLE drafts (); CREATE TABLE notes ()";
    database.sql(tables);
    make(&project, "push.plan.json");
    // The plan as it would be if the server had told the tables the other way round.
    let path = project.path("push.plan.json");
    let mut plan: Value = serde_json::from_slice(&std::fs::read(&path).expect("it was written")).expect("it is JSON");
    plan["statements"].as_array_mut().expect("a plan has statements").reverse();
    plan["digest"] = "".into();
    plan["digest"] = sha256(&plan.to_string()).into();
    project.write("push.plan.json", &plan.to_string());
    let ran = project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(0).database("changed");
    assert_ne!(ran.report["statements"][0]["sql"], plan["statements"][0], "{ran}");
    assert_eq!(database.state(), ["public.users (id integer): 0 rows"]);
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Changes a file for as long as something is done.
fn replaced(file: &Path, change: impl FnOnce(String) -> String, then: impl FnOnce()) {
    let text = std::fs::read_to_string(file).expect("the file is ours");
    std::fs::write(file, change(text.clone())).expect("the file is ours");
    then();
    std::fs::write(file, text).expect("the file is ours");
}

/// The policy judges the rows of the day, also those of a plan.
#[test]
fn rows_that_came_later_count_against_the_limit_of_the_policy() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    make(&project, "push.plan.json");
    database.sql("INSERT INTO users VALUES (4, 'dee', NULL)");
    let before = database.everything();
    let ran = project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(3).says(&["max_rows"]);
    assert_eq!(database.everything(), before, "{ran}");
}

#[test]
fn no_plan_is_written_of_what_is_refused_or_of_nothing() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
    let ran = project.pilot(&["plan", "--out", "push.plan.json"]).run().expect(3);
    assert!(!project.path("push.plan.json").exists(), "{ran}");
    database.sql("ALTER TABLE users DROP COLUMN legacy_id");
    let ran = project.pilot(&["plan", "--out", "push.plan.json"]).run().expect(0);
    assert!(!project.path("push.plan.json").exists(), "{ran}");
    project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(64).says(&["reading the plan push.plan.json"]);
}

/// A database that is made anew under the same name has rows of its own.
#[test]
fn a_plan_does_not_fit_a_database_that_was_made_anew() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    drop(project.pilot(&["plan", "--out", "push.plan.json"]).run().expect(2));
    database.make_anew();
    drop(Project::fixture(NEWEST, "drop_column", &database));
    let state = database.state();
    let ran = project.pilot(&["push", "--plan", "push.plan.json"]).run().expect(5).database("unchanged");
    drop(ran.says(&["and the plan was made for database"]));
    assert_eq!(database.state(), state);
}
