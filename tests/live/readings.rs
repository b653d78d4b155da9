//! What other programs read otherwise than one would think: `.env` files, and what drivers make of a URL.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::NEWEST;
use crate::support::{Database, Project, lab_variable};

/// The folder with dotenv and the drivers, and that of a drizzle-kit with postgres.js.
const DRIVERS: &str = "drivers";
const WITH_POSTGRES_JS: &str = "postgres-js";

/// Checks that a table of readings is what the real package makes of its inputs.
#[track_caller]
fn check(table: &str, package: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/readings");
    let text = std::fs::read_to_string(folder.join(table)).expect("the fixtures are part of the repository");
    let rows: Vec<(Value, Value)> = serde_json::from_str(&text).expect("the table is JSON");
    let inputs: Vec<&Value> = rows.iter().map(|(input, _)| input).collect();
    let lab = PathBuf::from(lab_variable("DRIZZLE_PILOT_LAB")).join(DRIVERS);
    let mut node = Command::new("node")
        .arg(folder.join("read.cjs"))
        .arg(package)
        .arg(lab)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    let mut stdin = node.stdin.take().expect("it is a pipe");
    stdin.write_all(serde_json::to_string(&inputs).expect("it was JSON").as_bytes()).expect("node reads");
    drop(stdin);
    let output = node.wait_with_output().expect("it was started");
    let made: Vec<(Value, Value)> = serde_json::from_slice(&output.stdout).expect("it writes JSON");
    assert_eq!(made, rows, "{package}");
}

#[test]
fn the_tables_of_readings_are_those_of_the_packages() {
    check("dotenv.json", "dotenv");
    check("dotenv.json", "dotenv-17");
    check("postgres.json", "postgres");
    check("neon.json", "@neondatabase/serverless");
    check("vercel.json", "@vercel/postgres");
}

/// A project whose drizzle-kit has postgres.js, with a table to make.
fn with_postgres_js(database: &Database, credentials: &str) -> Project {
    let project = Project::new(WITH_POSTGRES_JS, database);
    project.config(&format!(
        "export default {{ dialect: 'postgresql', schema: './schema.ts', dbCredentials: {credentials} }};"
    ));
    project.schema("export const made = pgTable('made', { id: integer() });");
    project
}

fn is_made(database: &Database) -> bool {
    database.value("SELECT to_regclass('public.made') IS NOT NULL") == "t"
}

#[test]
fn postgres_js_is_pushed_to_where_its_url_says_or_not_at_all() {
    let (database, other) = (Database::create(), Database::create());
    let other_name = other.value("SELECT current_database()");
    other.sql("CREATE SCHEMA tenant");
    let push = |parameters: &str| {
        let url = format!("{}?{parameters}", database.url());
        with_postgres_js(&database, &format!("{{ url: '{url}' }}")).push()
    };
    for (parameters, named) in [
        (format!("database={other_name}"), "database"),
        ("user=postgres".to_owned(), "user"),
        ("search_path=tenant,public".to_owned(), "search_path"),
        ("default_transaction_read_only=on".to_owned(), "default_transaction_read_only"),
    ] {
        let says = format!("the parameter `{named}` of the database URL");
        push(&parameters).expect(78).database("unchanged").says(&[&says, "drizzle-kit's driver `postgres`"]);
        assert!(!is_made(&database) && !is_made(&other), "{parameters}");
    }
    let ran = push("statement_timeout=60000&max=3").expect(0).database("changed");
    assert!(is_made(&database), "{ran}");
}

#[test]
fn postgres_js_needs_no_tls_where_nobody_asks_for_it() {
    let database = Database::create();
    let url = database.url();
    let parts = format!(
        "{{ host: '127.0.0.1', port: {}, user: '{}', password: '{}', database: '{}' }}",
        url.port().expect("it has one"),
        url.username(),
        url.password().expect("it has one"),
        database.value("SELECT current_database()")
    );
    let ran = with_postgres_js(&database, &parts).push().expect(0).database("changed");
    assert!(is_made(&database), "{ran}");
    // Where the server has none, `prefer` goes on without.
    let ran = with_postgres_js(&database, &format!("{{ url: '{url}?sslmode=prefer' }}")).push().expect(0);
    ran.says(&["no changes"]);
}

/// drizzle-kit reads `.env` by itself, and its driver fills gaps from it.
#[test]
fn what_dotenv_sets_for_drizzle_kit_is_where_it_connects() {
    let (database, decoy) = (Database::create(), Database::create());
    let name = database.value("SELECT current_database()");
    let mut url = database.url();
    url.set_path("");
    let project = Project::without_database(NEWEST);
    project.config(&format!(
        "export default {{ dialect: 'postgresql', schema: './schema.ts', dbCredentials: {{ url: '{url}' }} }};"
    ));
    project.schema("export const made = pgTable('made', { id: integer() });");
    project.write(".env", &format!("PGDATABASE={name} # not the user's\nSTAGE=prod\n"));
    let ran = project.pilot(&["push"]).run().expect(0).database("changed").says(&[&format!("/{name} as")]);
    assert!(is_made(&database), "{ran}");
    // What is set already stands before it.
    let decoy_name = decoy.value("SELECT current_database()");
    let ran = project.pilot(&["push"]).env("PGDATABASE", &decoy_name).run().expect(0);
    let ran = ran.says(&[&format!("/{decoy_name} as")]);
    assert!(is_made(&decoy), "{ran}");
    project.policy("[guard]\nrefuse_env = ['STAGE=production']\n");
    project.pilot(&["push"]).run().expect(77).says(&["`push` does not run under STAGE=production"]);
    for command in [&["migrate"][..], &["sync"]] {
        std::fs::create_dir_all(project.path("drizzle/meta")).expect("the folder is ours");
        project.write("drizzle/meta/_journal.json", "{\"version\":\"7\",\"dialect\":\"postgresql\",\"entries\":[]}");
        project.pilot(command).run().expect(77).says(&["does not run under STAGE=production"]);
    }
}
