//! What is drizzle's, an extension's or a hidden table's is none of the project's: it is not dropped, asked about or offered.

use crate::support::{Database, Project, Server};

on_every_kit! {
    a_migrations_table_in_a_schema_of_the_push_is_left_alone
    the_sequence_of_a_table_that_the_filter_leaves_out_is_left_alone
    a_newer_server_is_read_as_it_is
}
on_1_0_as_well! {
    the_sequence_of_a_table_that_the_filter_leaves_out_is_left_alone
    a_newer_server_is_read_as_it_is
}

const TABLE: &str = "export const a = pgTable('a', { id: integer('id') });";
const TWO_TABLES: &str =
    "export const a = pgTable('a', { id: integer('id') }); export const b = pgTable('b', { id: integer('id') });";

fn project(kit: &str, database: &Database, rest: &str) -> Project {
    let project = Project::new(kit, database);
    project.config(&format!(
        "export default {{ dialect: 'postgresql', schema: './schema.ts', out: './drizzle', {rest}
           dbCredentials: {{ url: process.env.DATABASE_URL }} }};"
    ));
    project
}

fn a_migrations_table_in_a_schema_of_the_push_is_left_alone(kit: &str) {
    for (rest, table) in [
        ("migrations: { table: 'log', schema: 'public' },", "public.log"),
        ("migrations: { schema: 'public' },", "public.__drizzle_migrations"),
        ("schemaFilter: ['public', 'drizzle'],", "drizzle.__drizzle_migrations"),
        ("migrations: { table: 'log', schema: 'meta' }, schemaFilter: ['public', 'meta'],", "meta.log"),
    ] {
        // drizzle-kit has a table and a schema for its records in the config from 0.22 on.
        if kit == "0.21.4" && rest.contains("migrations") {
            continue;
        }
        // The older ones list tables in one way, wherever the records are.
        if kit != crate::NEWEST && rest.contains("schema: ") && table != "meta.log" {
            continue;
        }
        let database = Database::create();
        let project = project(kit, &database, rest);
        project.schema(TABLE);
        drop(project.pilot(&["generate"]).run().expect(0));
        drop(project.pilot(&["migrate"]).run().expect(0));
        // Another project keeps its records beside it, under a name that nothing here knows.
        database.sql("CREATE TABLE of_another (id serial PRIMARY KEY, hash text NOT NULL, created_at bigint)");
        let records = || database.list(&format!("SELECT hash FROM {table}"));
        let before = records();
        assert_eq!(before.len(), 1);
        let looks: &[&[&str]] = &[&["plan"], &["push"], &["check", "--push"]];
        let looks = looks.iter().filter(|_| table == "public.log");
        for arguments in [&["push", "--accept-data-loss"][..]].iter().chain(looks) {
            let ran = project.pilot(arguments).run().expect(0).database("unchanged");
            assert_eq!(records(), before, "{ran}");
        }
        // A new table is new, and nobody asks whether it was the one with the records.
        project.schema(TWO_TABLES);
        let ran = project.push().expect(0).database("changed");
        assert_eq!(records(), before, "{ran}");
        assert_eq!(database.value("SELECT to_regclass('of_another') IS NOT NULL"), "t", "{ran}");
        assert_eq!(ran.report["prompts"].as_array().map(Vec::len), Some(1), "only consent is asked for\n{ran}");
    }
}

/// The schema files may have the table to read it. What they say of it is not pushed.
#[test]
fn a_migrations_table_of_the_schema_files_is_not_changed() {
    let database = Database::create();
    let project = project(crate::NEWEST, &database, "migrations: { table: 'log', schema: 'public' },");
    project.policy("[hazards]\ndata_loss = 'approve'\nbreaking = 'approve'\nunclassified = 'approve'\n");
    project.schema(TABLE);
    drop(project.pilot(&["generate"]).run().expect(0));
    drop(project.pilot(&["migrate"]).run().expect(0));
    let before = database.state();
    project.schema(&format!("{TABLE} export const log = pgTable('log', {{ id: integer('id') }});"));
    for apply in ["kit", "transaction"] {
        let ran =
            project.pilot(&["push", "--apply", apply, "--accept-data-loss"]).run().expect(3).database("unchanged");
        let ran = ran.says(&["public.log is drizzle's migrations table"]);
        assert_eq!(database.state(), before, "{ran}");
    }
}

fn the_sequence_of_a_table_that_the_filter_leaves_out_is_left_alone(kit: &str) {
    let database = Database::create();
    database.sql("CREATE TABLE b_orders (id serial, n integer GENERATED ALWAYS AS IDENTITY)");
    let project = project(kit, &database, "tablesFilter: ['a_*'],");
    project.schema("export const a = pgTable('a_items', { id: integer('id') });");
    project.push().expect(0).database("changed");
    project.push().expect(0).database("unchanged").says(&["no changes"]);
    let sequences = "SELECT count(*) FROM pg_sequences WHERE sequencename LIKE 'b_orders%'";
    assert_eq!(database.value(sequences), "2");
}

/// PostgreSQL 18 has a constraint for every NOT NULL.
fn a_newer_server_is_read_as_it_is(kit: &str) {
    let database = Database::create_on(Server::Postgres18);
    let project = Project::new(kit, &database);
    project.schema(
        "export const t = pgTable('t', { id: serial('id').primaryKey(), a: text('a').notNull(), b: integer('b').unique().notNull().default(1) });
         export const u = pgTable('u', { t: integer('t').notNull().references(() => t.id) });",
    );
    project.push().expect(0).database("changed");
    let before = database.state();
    for arguments in [&["plan"][..], &["push"]] {
        let ran = project.pilot(arguments).run().expect(0).database("unchanged").says(&["no changes"]);
        assert_eq!(database.state(), before, "{ran}");
    }
    let not_null = "SELECT count(*) FROM pg_attribute WHERE attrelid IN ('t'::regclass, 'u'::regclass) AND attnum > 0 AND attnotnull";
    assert_eq!(database.value(not_null), "4");
}

/// Who may only read sees no constraint in `information_schema`, and so drizzle-kit would invent them all.
#[test]
fn a_login_that_sees_too_little_gets_no_plan() {
    let database = Database::create();
    let role = format!("reader_{}", database.value("SELECT current_database()"));
    database.sql(&format!(
        "CREATE ROLE {role} LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO {role};
         CREATE TABLE a (id integer PRIMARY KEY); CREATE TABLE b (id integer CONSTRAINT b_id_unique UNIQUE); CREATE TABLE c (id integer)"
    ));
    let project = Project::new(crate::NEWEST, &database);
    project.schema(
        "export const a = pgTable('a', { id: integer('id').primaryKey() });
         export const b = pgTable('b', { id: integer('id').unique() });
         export const c = pgTable('c', { id: integer('id') });",
    );
    let mut url = database.url();
    url.set_username(&role).and_then(|()| url.set_password(Some("reader"))).expect("a postgres URL has a user");
    for arguments in [&["plan"][..], &["plan", "--out", "p.json"], &["push"]] {
        let ran = project.pilot(arguments).env("DATABASE_URL", url.as_str()).run().expect(78).database("unchanged");
        ran.says(&["cannot see the constraints of public.a and of 1 more", "the owner, postgres"]);
    }
    // Who may write sees no more. The owner does.
    database.sql(&format!("GRANT ALL ON a, b TO {role}"));
    drop(project.pilot(&["plan"]).env("DATABASE_URL", url.as_str()).run().expect(78));
    database.sql(&format!("ALTER TABLE a OWNER TO {role}; ALTER TABLE b OWNER TO {role}"));
    project.pilot(&["plan"]).env("DATABASE_URL", url.as_str()).run().expect(0).says(&["no changes"]);
    database.sql(&format!("REASSIGN OWNED BY {role} TO CURRENT_USER; DROP OWNED BY {role}; DROP ROLE {role}"));
}
