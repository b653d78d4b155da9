//! What `run` drives: commands of drizzle-kit that are no command of ours, and those of 0.20.

use std::process::Command;

use crate::NEWEST;
use crate::support::{Database, Project};

on_every_kit! {
    a_database_is_introspected_and_a_dead_one_is_named
}

fn a_database_is_introspected_and_a_dead_one_is_named(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    let before = database.state();
    project.pilot(&["run", "--", "introspect"]).run().expect(0).database("unchanged");
    let written = std::fs::read_to_string(project.path("drizzle/schema.ts")).expect("that is what it is for");
    assert!(written.contains("legacy_id"), "{written}");
    assert_eq!(database.state(), before);

    let mut url = database.url();
    url.set_port(Some(1)).expect("a postgres URL has a port"); // privileged, and nobody serves it
    let ran = project.pilot(&["run", "--", "introspect"]).env("DATABASE_URL", url.as_str()).run().expect(69);
    assert!(ran.says(&["127.0.0.1:1"]).stderr.to_lowercase().contains("refused"));
}

#[test]
fn an_introspection_is_guarded_and_its_connection_is_the_configs() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "no_changes", &database);
    project.policy("[profiles.here]\nwhen = { hosts = ['127.0.0.1'] }\ncommands = ['status']\n");
    project.pilot(&["run", "--", "pull"]).run().expect(77).says(&["does not allow `run`"]);
    std::fs::remove_file(project.path("drizzle-pilot.toml")).expect("it was written");
    project.pilot(&["run", "--", "pull", "--url=postgres://elsewhere/x"]).run().expect(64);
    assert!(!project.path("drizzle").exists());
    project.pilot(&["run", "--", "pull"]).run().expect(0).database("unchanged");
}

#[test]
fn an_export_is_passed_on_to_the_letter() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    let long = "x".repeat(700);
    project.schema(&format!(
        "export const users = pgTable('users', {{
           id: integer('id').primaryKey(), a: text('a').default('  tab\\t end  \\n\\n  ünïcode ❯ '), b: text('b').default('{long}') }});
         {}",
        (0..60).map(|n| format!("export const t{n} = pgTable('t{n}', {{ id: integer('id') }});\n")).collect::<String>()
    ));
    let plain = Command::new("node")
        .args(["node_modules/drizzle-kit/bin.cjs", "export"])
        .env("DATABASE_URL", database.url().as_str())
        .current_dir(project.path(""))
        .output()
        .expect("node is installed");
    let ran = project.pilot(&["run", "--", "export"]).run().expect(0).database("unchanged");
    assert!(plain.stdout.len() > 2_500, "{ran}");
    assert_eq!(ran.stdout, String::from_utf8_lossy(&plain.stdout), "{}", ran.stderr);
}

#[test]
fn a_database_that_dies_under_a_kit_without_words_may_be_changed() {
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    project.write(
        "named.config.cjs",
        "module.exports = { dialect: 'postgresql', dbCredentials: { url: process.env.DATABASE_URL } };",
    );
    std::fs::create_dir(project.path("kit")).expect("the folder is ours");
    project.write("kit/package.json", r#"{ "name": "drizzle-kit", "version": "0.31.11" }"#);
    // What takes the database away is another process, and nobody holds that one.
    project.write(
        "kit/bin.cjs",
        "require(require('node:path').join(__dirname, '../named.config.cjs'));
         const { Client } = require('pg');
         const mine = new URL(process.env.DATABASE_URL);
         const elsewhere = Object.assign(new URL(mine), { pathname: '/postgres' });
         const forbid = `ALTER DATABASE ${mine.pathname.slice(1)} ALLOW_CONNECTIONS false`;
         const other = `const { Client } = require('pg'); const client = new Client(${JSON.stringify(elsewhere.href)});
           client.connect().then(() => client.query('${forbid}')).then(() => process.exit(0));`;
         const client = new Client({ connectionString: mine.href });
         client.connect()
           .then(() => client.query('CREATE TABLE made ()'))
           .then(() => require('node:child_process').execFileSync(process.execPath, ['-e', other]))
           .then(() => process.exit(1));",
    );
    let run = ["run", "--kit", "node kit/bin.cjs", "--config", "named.config.cjs", "--", "migrate"];
    let run = project.pilot(&run).run();
    let ran = run.expect(6).says(&["not currently accepting connections"]).database("maybe");
    assert_eq!(database.state(), ["public.made (): 0 rows"], "{ran}");
}

/// drizzle-kit 0.20 has the dialect in its commands, and no command of ours drives it.
#[test]
fn a_push_of_0_20_is_held_to_the_policy() {
    let database = Database::create();
    let project = Project::new("0.20.18", &database);
    project.config(
        "export default { driver: 'pg', schema: './schema.ts', dbCredentials: { connectionString: process.env.DATABASE_URL } };",
    );
    let users = "public.users (id integer, name text, legacy_id integer)";
    let table = |columns: &str| {
        format!("export const users = pgTable('users', {{ id: integer('id').primaryKey(), {columns} }});")
    };
    let push = || project.pilot(&["run", "--", "push:pg"]).run();
    project.schema(&table("name: text('name'), legacyId: integer('legacy_id')"));
    let ran = push().expect(0).database("changed");
    assert_eq!(database.state(), [format!("{users}: 0 rows")], "{ran}");

    database.sql("INSERT INTO users VALUES (1, 'ann', 11), (2, 'ben', 22)");
    project.schema(&table("name: text('name')"));
    let ran =
        push().expect(3).says(&["drop_column public.users.legacy_id would delete 2 values"]).database("unchanged");
    assert_eq!(database.state(), [format!("{users}: 2 rows")], "{ran}");

    project.paste(&ran.allow_with());
    let ran = push().expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 2 rows"], "{ran}");

    project.schema(&table("fullName: text('full_name')"));
    push().expect(3).says(&["full_name"]).database("unchanged");
    project.policy("[renames.columns]\n\"public.users.name\" = \"full_name\"\n");
    let ran = push().expect(0).database("changed");
    assert_eq!(database.list("SELECT full_name FROM users ORDER BY id"), ["ann", "ben"], "{ran}");
    push().expect(0).database("unchanged");
}

/// The config is seen and guarded whatever its form; one that was not seen would end with 7.
#[test]
fn every_form_of_config_is_read_in_both_kinds_of_package() {
    for kit in ["0.21.4", NEWEST] {
        let database = Database::create();
        let project = Project::fixture(kit, "no_changes", &database);
        std::fs::remove_file(project.path("drizzle.config.ts")).expect("the project has a config");
        let url = database.url();
        let config =
            format!(r#"{{ "dialect": "postgresql", "schema": "./schema.ts", "dbCredentials": {{ "url": "{url}" }} }}"#);
        let (esm, cjs) = (format!("export default {config};"), format!("module.exports = {config};"));
        let typed = format!("const config: {{ dialect: string }} = {config};\nexport default config;");
        let forms = [
            ("commonjs", "drizzle.config.ts", &typed),
            ("commonjs", "drizzle.config.js", &cjs),
            ("commonjs", "drizzle.config.mjs", &esm),
            ("commonjs", "drizzle.config.json", &config),
            ("module", "drizzle.config.ts", &typed),
            ("module", "drizzle.config.js", &esm),
            ("module", "drizzle.config.json", &config),
        ];
        for (package, name, text) in forms {
            project.write("package.json", &format!(r#"{{ "type": "{package}" }}"#));
            project.write(name, text);
            let ran = project.push().expect(0).database("unchanged");
            assert_eq!(ran.report["target"]["database"], url.path()[1..], "{kit} {package} {name}\n{ran}");
            std::fs::remove_file(project.path(name)).expect("it was written");
        }
    }
}
