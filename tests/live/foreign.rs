//! What is drizzle's, an extension's or a hidden table's is none of the project's: it is not dropped, asked about or offered.

use crate::support::{Database, Project};

on_every_kit! {
    a_migrations_table_in_a_schema_of_the_push_is_left_alone
    the_sequence_of_a_table_that_the_filter_leaves_out_is_left_alone
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
        for arguments in [&["plan"][..], &["push"], &["push", "--accept-data-loss"], &["check", "--push"]] {
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
        let ran = ran.says(&["public.log is where drizzle's migrator keeps its records"]);
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
