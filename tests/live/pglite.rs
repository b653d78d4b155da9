//! PGlite: a PostgreSQL within node, which nobody else can open.

use crate::support::commands::{self, Core};
use crate::support::{Project, Ran};

fn project() -> Project {
    let project = Project::empty("pglite");
    project.config(
        "export default { dialect: 'postgresql', driver: 'pglite', schema: './schema.ts', out: './drizzle', dbCredentials: { url: './data' } };",
    );
    project
}

const A: &str = "export const a = pgTable('a', { id: integer('id') });";
const A_AND_B: &str = "export const a = pgTable('a', { id: integer('id') });
    export const b = pgTable('b', { id: integer('id').primaryKey(), n: integer('n') });";

/// Runs SQL in the folder, and returns the first value of the last result.
#[track_caller]
fn value(project: &Project, sql: &str) -> String {
    project.write(
        "value.mjs",
        "import { PGlite } from '@electric-sql/pglite';
         const database = new PGlite('./data');
         const results = await database.exec(process.argv[2]);
         await database.close();
         console.log(Object.values(results.at(-1).rows[0] ?? {})[0]);",
    );
    let output = std::process::Command::new("node")
        .args(["value.mjs", sql])
        .current_dir(project.path(""))
        .output()
        .expect("node is installed");
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn refused(ran: Ran) -> Ran {
    ran.expect(3).database("unchanged")
}

#[test]
fn what_a_drop_reaches_is_looked_up_in_pglite_itself() {
    let project = project();
    project.schema(A_AND_B);
    drop(project.push().expect(0).database("changed"));
    drop(project.push().expect(0).database("unchanged").says(&["no changes"]));
    value(&project, "INSERT INTO b VALUES (1, 1), (2, 2); CREATE SCHEMA s; CREATE VIEW s.v AS SELECT * FROM b");
    project.schema(A);
    let ran = refused(project.push());
    let ran = ran.says(&["drop_table public.b would delete 2 rows", "drop_view s.v"]);
    assert!(!ran.stderr.contains("unclassified"), "{ran}");
    assert_eq!(value(&project, "SELECT count(*) FROM s.v"), "2");
    project.paste(&ran.allow_with());
    let ran = project.push().expect(0).database("changed");
    assert_eq!(value(&project, "SELECT to_regclass('b') IS NULL AND to_regclass('s.v') IS NULL"), "true", "{ran}");
}

/// drizzle-kit puts the names of its config into its own queries.
#[test]
fn what_is_no_read_is_not_sent_to_pglite_before_consent() {
    let project = project();
    project.schema(A);
    value(&project, "CREATE TABLE victim (id integer); INSERT INTO victim VALUES (1)");
    project.config(
        "export default { dialect: 'postgresql', driver: 'pglite', schema: './schema.ts', dbCredentials: { url: './data' },
           schemaFilter: [\"public' AND setval('counter', 7) > 0 AND 'a' = 'a\"] };",
    );
    for command in ["plan", "push"] {
        let ran = project.pilot(&[command]).run().expect(4).database("unchanged");
        drop(ran.says(&["calls the function setval"]));
    }
    assert_eq!(value(&project, "SELECT count(*) FROM victim"), "1");
}

#[test]
fn a_statement_that_fails_in_pglite_is_told_in_its_words() {
    let project = project();
    value(&project, "CREATE TABLE a (id integer); INSERT INTO a VALUES (1), (1)");
    project.schema("export const a = pgTable('a', { id: integer('id').primaryKey() });");
    let ran = project.push().expect(6).says(&["could not create unique index", "23505"]);
    assert!(ran.report["error"]["statement"].as_str().is_some_and(|sql| sql.contains("ADD PRIMARY KEY")), "{ran}");
}

#[test]
fn a_command_that_needs_a_server_says_what_does_its_work_with_pglite() {
    let project = project();
    commands::check("pglite", &project, Core::Pg);
    let ran = project.pilot(&["status"]).run().expect(78);
    drop(ran.says(&["PGlite, a folder that only node can open", "drizzle-pilot run -- migrate"]));
    let doctor = project.pilot(&["doctor"]).run().expect(0);
    assert!(doctor.stdout.contains("PGlite, a folder that only node can open"), "{doctor}");
    assert_eq!(value(&project, "SELECT to_regclass('a') IS NOT NULL AND to_regclass('b') IS NOT NULL"), "true");
}
