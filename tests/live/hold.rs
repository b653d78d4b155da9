//! Nothing reaches the server that was not approved: what drizzle-kit sends is held, whatever made it send that.

use std::time::Duration;

use crate::NEWEST;
use crate::support::{AtOptions, Database, Project, Ran, Run, pooler, until};

on_every_kit! {
    a_query_that_is_no_read_is_not_sent_before_consent
    a_kit_that_is_started_without_the_hook_is_not_let_at_the_database
    a_setting_that_changes_what_statements_mean_is_corrected_or_stops_the_run
    a_statement_with_a_control_sequence_is_not_approved
}
on_1_0_as_well! {
    a_kit_that_is_started_without_the_hook_is_not_let_at_the_database
}

/// The policy that allows everything that can be allowed.
const EVERYTHING: &str =
    "[hazards]\ndata_loss = 'approve'\naccess = 'approve'\nunclassified = 'approve'\n[renames]\notherwise = 'create'\n";

/// A database with a table of somebody else's, and a project that has something to push.
fn victim(kit: &str) -> (Database, Project) {
    let database = Database::create();
    database.sql("CREATE TABLE victim (id integer); INSERT INTO victim VALUES (1); CREATE TABLE keep (id integer)");
    let project = Project::new(kit, &database);
    project.schema(
        "export const keep = pgTable('keep', { id: integer('id'), n: integer('n') });
         export const victim = pgTable('victim', { id: integer('id') });",
    );
    (database, project)
}

/// Runs a plan and a push, each of which has to end with this code and leave the database as it is.
#[track_caller]
fn refused(database: &Database, run: impl Fn(&str) -> Run, code: i32, says: &str) {
    for command in ["plan", "push"] {
        let before = database.state();
        let ran = run(command).run().expect(code).database("unchanged").says(&[says, "Nothing was executed."]);
        assert_eq!(database.state(), before, "{ran}");
    }
}

/// drizzle-kit puts the names of its config into its own queries as well.
fn a_query_that_is_no_read_is_not_sent_before_consent(kit: &str) {
    let (database, project) = victim(kit);
    let hostile = [
        ("public'; DROP TABLE victim; --", "not one statement"),
        ("public' AND setval('counter', 7) > 0 AND 'a' = 'a", "calls the function setval"),
        ("public' AND EXISTS (SELECT FROM drop_it()) AND 'a' = 'a", "calls the function drop_it"),
    ];
    database.sql(
        "CREATE SEQUENCE counter;
         CREATE FUNCTION drop_it() RETURNS SETOF integer LANGUAGE plpgsql AS
           'BEGIN EXECUTE ''DROP TABLE victim''; RETURN NEXT 1; END'",
    );
    for (schema, says) in hostile {
        project.config(&format!(
            "export default {{ dialect: 'postgresql', schema: './schema.ts', schemaFilter: [{schema:?}],
               dbCredentials: {{ url: process.env.DATABASE_URL }} }};"
        ));
        refused(&database, |command| project.pilot(&[command, "--accept-data-loss"]), 4, says);
        // Where the server keeps nobody from writing, nothing is written either.
        let url = pooler(database.url(), AtOptions::Swallow);
        refused(&database, |command| project.pilot(&[command]).env("DATABASE_URL", url.as_str()), 4, says);
    }
    assert_eq!(database.value("SELECT count(*) FROM victim"), "1");
}

/// What starts drizzle-kit may lose what makes node load the hook: for every command, or for some.
fn a_kit_that_is_started_without_the_hook_is_not_let_at_the_database(kit: &str) {
    let (database, project) = victim(kit);
    // Somebody else's table would go, and nothing would be asked: it has no rows.
    database.sql("TRUNCATE victim");
    project.schema("export const keep = pgTable('keep', { id: integer('id') });");
    project.policy(EVERYTHING);
    let bin = "node_modules/drizzle-kit/bin.cjs";
    project.write("lost.sh", &format!("#!/bin/sh\nunset NODE_OPTIONS\nexec node {bin} \"$@\"\n"));
    project.write("other.cjs", "console.log('drizzle-kit: v0.31.11');");
    for command in [&format!("env -u NODE_OPTIONS node {bin}"), "sh lost.sh", "node other.cjs", "true"] {
        let run = |name: &str| project.pilot(&[name, "--kit", command]);
        refused(&database, run, 126, "does not load the hook");
    }
}

/// What starts drizzle-kit may tell its version with the hook, and push without it.
#[test]
fn a_hook_that_is_lost_later_meets_a_question() {
    let (database, project) = victim(NEWEST);
    // About rows drizzle-kit would ask by itself.
    database.sql("TRUNCATE victim");
    project.schema("export const keep = pgTable('keep', { id: integer('id') });");
    project.policy(EVERYTHING);
    project.write(
        "lost.sh",
        "#!/bin/sh\nif [ \"$1\" != --version ]; then unset NODE_OPTIONS; fi\nexec node node_modules/drizzle-kit/bin.cjs \"$@\"\n",
    );
    let run = |name: &str| project.pilot(&[name, "--kit", "sh lost.sh"]);
    refused(&database, run, 4, "before drizzle-pilot saw its config");
}

/// The names that drizzle-kit would read are looked at before it reads one.
#[test]
fn a_name_in_the_database_is_not_taken_for_sql() {
    let hostile = [
        ("CREATE TABLE \"victim\"\";COMMIT;BEGIN READ WRITE;DROP TABLE victim;COMMIT;--\" ()", "table"),
        ("CREATE TABLE \"it's\" ()", "it's"),
        ("CREATE VIEW \"a\"\"b\" AS SELECT 1", "view"),
        ("CREATE SCHEMA \"a\"\"b\"", "schema"),
        ("ALTER TABLE keep ADD COLUMN \"a\"\";DROP TABLE victim;--\" integer", "column"),
        ("ALTER TABLE keep ADD CONSTRAINT \"a\"\"b\" CHECK (true)", "constraint"),
        ("CREATE INDEX \"a\"\"b\" ON keep (id)", "index"),
        ("CREATE TYPE \"a\"\"b\" AS ENUM ('x')", "type"),
        ("CREATE POLICY \"a\"\"b\" ON keep", "policy"),
        ("CREATE FUNCTION public.count(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'", "function"),
    ];
    for (sql, says) in hostile {
        let (database, project) = victim(NEWEST);
        project.policy(EVERYTHING);
        database.sql(sql);
        for command in ["plan", "push"] {
            let ran = project.pilot(&[command]).run().expect(4).database("unchanged").says(&[says]);
            assert_eq!(database.value("SELECT count(*) FROM victim"), "1", "{ran}");
        }
    }
    // Control characters and what turns text around show another name than there is.
    for name in ["leg\u{1b}[0macy", "a\nb", "a\u{202e}b", "a\u{7f}b"] {
        let (database, project) = victim(NEWEST);
        project.policy(EVERYTHING);
        database.sql(&format!("ALTER TABLE keep ADD COLUMN \"{name}\" text"));
        refused(&database, |command| project.pilot(&[command]), 4, "control characters");
    }
    // Names that only look odd are names.
    let (database, project) = victim(NEWEST);
    database.sql("CREATE SCHEMA \"it;s -- odd\"; CREATE TABLE \"name; DROP TABLE victim; --\" (\"$1 {x}\" integer)");
    drop(project.pilot(&["plan"]).run().expect(3));
}

/// Has the driver send something else than drizzle-kit tells it to.
fn with_driver(project: &Project, meddle: &str) {
    project.config(&format!(
        "import pg from 'pg';
         const {{ query }} = pg.Client.prototype;
         let meddled = false;
         pg.Client.prototype.query = function (text, ...rest) {{
           const given = typeof text === 'string' ? text : text.text;
           let sql = given;
           {meddle}
           if (sql !== given) text = typeof text === 'string' ? sql : {{ ...text, text: sql }};
           return query.call(this, text, ...rest);
         }};
         export default {{ dialect: 'postgresql', schema: './schema.ts', dbCredentials: {{ url: process.env.DATABASE_URL }} }};"
    ));
}

#[test]
fn what_differs_from_what_was_approved_is_not_sent() {
    let check = |meddle: &str, code: i32, says: &str| -> Ran {
        let (database, project) = victim(NEWEST);
        project.schema(
            "export const a = pgTable('a', { id: integer('id') });
             export const keep = pgTable('keep', { id: integer('id'), n: integer('n') });
             export const victim = pgTable('victim', { id: integer('id') });",
        );
        with_driver(&project, meddle);
        let ran = project.push().expect(code).says(&[says]);
        assert_eq!(database.value("SELECT count(*) FROM victim"), "1", "{ran}");
        assert_eq!(database.value("SELECT to_regclass('a') IS NOT NULL"), if code == 6 { "t" } else { "f" }, "{ran}");
        ran
    };
    let differs = "not the one that was approved";
    // The first statement is another one, has another one behind it, or comes as a second query.
    check("if (/^CREATE TABLE/.test(sql)) sql = 'DROP TABLE victim';", 4, differs);
    check("if (/^CREATE TABLE/.test(sql)) sql += 'DROP TABLE victim;';", 4, differs);
    check("if (/^CREATE TABLE/.test(sql)) query.call(this, 'DROP TABLE victim');", 4, differs);
    check("if (/^CREATE TABLE/.test(sql)) sql = sql.replace('integer', 'bigint');", 4, differs);
    check(
        "if (/^CREATE TABLE/.test(sql)) text = { text: sql = 'DROP TABLE victim', values: [], name: 'one' };",
        4,
        differs,
    );
    // The second one.
    let ran = check("if (/^ALTER TABLE/.test(sql)) sql = 'DROP TABLE victim';", 6, differs);
    ran.says(&["The database may be partly changed."]).database("maybe");
    // Something that was not asked about at all.
    check(
        "if (!meddled) { meddled = true; query.call(this, 'WITH d AS (DELETE FROM victim RETURNING 1) SELECT * FROM d'); }",
        4,
        "not read-only",
    );
    check("if (!meddled) { meddled = true; query.call(this, 'SET search_path = elsewhere'); }", 4, "not read-only");
    check("if (!meddled) { meddled = true; query.call(this, 'BEGIN READ WRITE'); }", 4, "not read-only");
}

/// Reads are let through, or drizzle-kit could compare nothing.
#[test]
fn what_is_approved_is_sent() {
    let (database, project) = victim(NEWEST);
    with_driver(&project, "");
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.value("SELECT count(*) FROM information_schema.columns WHERE column_name = 'n'"), "1", "{ran}");
}

/// Corrects a setting by start-up options, or stops where a pooler leaves those out.
#[track_caller]
fn check_setting(kit: &str, setting: &str, can_be_corrected: bool) {
    let (database, project) = victim(kit);
    // A literal for who reads the backslash as itself, and a DROP for who does not.
    project.schema(
        r#"export const keep = pgTable('keep', { id: integer('id'), t: text('t').default("\\'; DROP TABLE victim; --") });
           export const victim = pgTable('victim', { id: integer('id') });"#,
    );
    let name = database.value("SELECT current_database()");
    database.sql(&format!("ALTER DATABASE {name} SET {setting}"));
    let word = setting.split(' ').next().expect("it has a name");
    let url = pooler(database.url(), AtOptions::Swallow);
    refused(&database, |command| project.pilot(&[command]).env("DATABASE_URL", url.as_str()), 4, word);
    if can_be_corrected {
        let ran = project.pilot(&["plan"]).run();
        assert!(!ran.stderr.contains(word), "{ran}");
    } else {
        refused(&database, |command| project.pilot(&[command]), 4, word);
    }
    assert_eq!(database.value("SELECT count(*) FROM victim"), "1");
}

fn a_setting_that_changes_what_statements_mean_is_corrected_or_stops_the_run(kit: &str) {
    check_setting(kit, "standard_conforming_strings = off", true);
}

#[test]
fn every_setting_that_changes_what_statements_mean_is_known() {
    check_setting(NEWEST, "backslash_quote = on", true);
    check_setting(NEWEST, "quote_all_identifiers = on", true);
    check_setting(NEWEST, "transform_null_equals = on", true);
    check_setting(NEWEST, "array_nulls = off", true);
    check_setting(NEWEST, "search_path = public, pg_catalog", false);
    check_setting(NEWEST, "session_replication_role = replica", false);
}

#[test]
fn a_literal_means_the_same_under_every_setting() {
    for arguments in [&["push"][..], &["push", "--apply", "transaction"]] {
        let database = Database::create();
        database.sql("CREATE TABLE victim (id integer); CREATE TABLE keep (id integer, t text)");
        let name = database.value("SELECT current_database()");
        database.sql(&format!("ALTER DATABASE {name} SET standard_conforming_strings = off"));
        let project = Project::new(NEWEST, &database);
        project.schema(
            r#"export const keep = pgTable('keep', { id: integer('id'), t: text('t').default("a\\b") });
               export const victim = pgTable('victim', { id: integer('id') });"#,
        );
        let ran = project.pilot(arguments).run().expect(0).database("changed");
        database.sql("INSERT INTO keep (id) VALUES (1)");
        assert_eq!(database.value("SELECT t FROM keep"), r"a\b", "{ran}");
    }
}

fn a_statement_with_a_control_sequence_is_not_approved(kit: &str) {
    let (database, project) = victim(kit);
    project.policy(EVERYTHING);
    let literal = |text: &str| {
        project.schema(&format!(
            "export const keep = pgTable('keep', {{ id: integer('id'), t: text('t').default('{text}') }});
             export const victim = pgTable('victim', {{ id: integer('id') }});"
        ));
    };
    literal(r"a\u001b[31mb");
    for apply in ["kit", "transaction"] {
        refused(&database, |command| project.pilot(&[command, "--apply", apply]), 4, "control sequence");
    }
    for text in [r"a\u001b[2Kb", r"a\u009b31mb", r"a\u0007b"] {
        literal(text);
        drop(project.pilot(&["plan"]).run().expect(4).database("unchanged").says(&["control sequence"]));
    }
}

/// What drizzle-kit's config says is read as its driver reads it. Where its session is, it is asked all the same.
#[test]
fn a_session_elsewhere_gets_no_query() {
    let (database, other) = (Database::create(), Database::create());
    let project = Project::new(NEWEST, &database);
    project.schema("export const keep = pgTable('keep', { id: integer('id') });");
    project.policy(EVERYTHING);
    for database in [&database, &other] {
        database.sql("CREATE SCHEMA tenant; CREATE TABLE tenant.keep (id integer, legacy text)");
        database.sql("CREATE TABLE keep (id integer, legacy text)");
    }
    let role = format!("{}_other", database.value("SELECT current_database()"));
    database.sql(&format!("CREATE ROLE {role} SUPERUSER LOGIN PASSWORD '{role}'"));
    let log_in = |otherwise: &str| {
        project.config(&format!(
            "import pg from 'pg';
             const {{ connect }} = pg.Client.prototype;
             pg.Client.prototype.connect = function (...rest) {{
               {otherwise}
               return connect.apply(this, rest);
             }};
             export default {{ dialect: 'postgresql', schema: './schema.ts', dbCredentials: {{ url: process.env.DATABASE_URL }} }};"
        ));
    };
    for (otherwise, says) in [
        (
            format!("this.connectionParameters.database = '{}';", other.value("SELECT current_database()")),
            "its database is",
        ),
        ("this.connectionParameters.options = '-c search_path=tenant,public';".to_owned(), "its search_path is"),
        (format!("this.connectionParameters.user = '{role}'; this.password = '{role}';"), "its user is"),
    ] {
        log_in(&otherwise);
        for command in ["plan", "push"] {
            let before = [database.state(), other.state()];
            let ran = project.pilot(&[command]).run().expect(78).database("unchanged");
            let ran = ran.says(&["drizzle-kit's session is not on the database that this run inspected", says]);
            assert_eq!([database.state(), other.state()], before, "{ran}");
        }
    }
    // The test has teeth: a session in the right place may drop the column.
    log_in("");
    project.push().expect(0).database("changed");
    database.sql(&format!("DROP ROLE {role}"));
}

/// Silence is what a long statement looks like. What waits for somebody else's lock does nothing.
#[test]
fn a_long_statement_is_left_to_work_and_one_that_waits_is_not() {
    let (database, project) = victim(NEWEST);
    project.policy(EVERYTHING);
    database.sql(
        "CREATE FUNCTION slow() RETURNS integer LANGUAGE plpgsql VOLATILE AS 'BEGIN PERFORM pg_sleep(3); RETURN 1; END';
         INSERT INTO keep VALUES (1)",
    );
    project.schema(
        "import { sql } from 'drizzle-orm';
         export const keep = pgTable('keep', { id: integer('id'), n: integer('n').default(sql`slow()`) });
         export const victim = pgTable('victim', { id: integer('id') });",
    );
    let ran = project.pilot(&["push", "--idle-timeout", "1s"]).run().expect(0).database("changed");
    assert!(ran.took > Duration::from_secs(3), "{ran}");

    let (database, project) = victim(NEWEST);
    let busy = database.hold("LOCK TABLE keep IN ACCESS SHARE MODE");
    let ran = project.pilot(&["push", "--idle-timeout", "1s"]).run().expect(124).says(&["printed nothing new for 1s"]);
    assert_eq!(database.value("SELECT count(*) FROM information_schema.columns WHERE column_name = 'n'"), "0", "{ran}");
    busy.release();
    // A migration that waits draws its spinner for ever.
    let (database, project) = victim(NEWEST);
    project.schema("export const keep = pgTable('keep', { id: integer('id') });");
    drop(project.pilot(&["generate"]).run().expect(0));
    let journal = std::fs::read_dir(project.path("drizzle")).expect("it was generated");
    let sql = journal.flatten().map(|file| file.path()).find(|file| file.extension().is_some_and(|end| end == "sql"));
    std::fs::write(sql.expect("there is one"), "ALTER TABLE keep ADD COLUMN m integer;").expect("it is ours");
    let busy = database.hold("LOCK TABLE keep IN ACCESS SHARE MODE");
    let ran = project.pilot(&["migrate", "--idle-timeout", "1s"]).run().expect(124);
    assert_eq!(database.value("SELECT count(*) FROM information_schema.columns WHERE column_name = 'm'"), "0", "{ran}");
    busy.release();
    until("the server has ended what waited", || {
        database.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        ) == "0"
    });
}
