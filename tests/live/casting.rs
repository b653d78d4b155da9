//! Columns change their type and keep their rows: the advice, and the policy's `[using]` in one transaction.

use crate::NEWEST;
use crate::support::{Database, Project};

on_every_kit! {
    text_becomes_bytea_and_the_rows_stay
    a_truncate_is_left_out_only_in_a_transaction_of_our_own
}

const FILES: &str =
    "CREATE TABLE files (id integer PRIMARY KEY, blob text); INSERT INTO files VALUES (1, 'x'), (2, 'ü\\z')";

fn files(kit: &str, database: &Database) -> Project {
    database.sql(FILES);
    let project = Project::new(kit, database);
    project.write(
        "schema.ts",
        "import { customType, integer, pgTable } from 'drizzle-orm/pg-core';\n\
         export const files = pgTable('files', {\n  id: integer('id').primaryKey(),\n  \
         blob: customType({ dataType: () => 'bytea' })('blob'),\n});\n",
    );
    project
}

fn text_becomes_bytea_and_the_rows_stay(kit: &str) {
    let database = Database::create();
    let project = files(kit, &database);
    let before = database.state();
    // What would fail is known before, and the line that would help is printed.
    let line = r#""public.files.blob" = """convert_to("blob", 'UTF8')""""#;
    project.pilot(&["plan"]).run().expect(3).says(&["change_type public.files.blob", "keeps 2 rows", line]);
    if kit != NEWEST {
        project.pilot(&["plan"]).run().expect(3).says(&["truncate = \"skip\""]);
    }
    assert_eq!(database.state(), before);

    project.policy(&format!(
        "[push]\napply = 'transaction'\n[hazards]\nchange_type = {{ only = ['files.blob'] }}\ntruncate = 'skip'\n[using]\n{line}\n"
    ));
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.state(), ["public.files (id integer, blob bytea): 2 rows"], "{ran}");
    assert_eq!(database.list("SELECT convert_from(blob, 'UTF8') FROM files ORDER BY id"), ["x", "ü\\z"], "{ran}");
}

fn a_truncate_is_left_out_only_in_a_transaction_of_our_own(kit: &str) {
    let database = Database::create();
    let project = files(kit, &database);
    let before = database.state();
    project.policy("[hazards]\nchange_type = 'approve'\ntruncate = 'skip'\n");
    if kit == NEWEST {
        // No truncate here; drizzle-kit writes a type that does not exist, and so nothing changes.
        project.push().expect(6).says(&["undefined"]);
    } else {
        project.push().expect(3).says(&["truncate public.files", "2 rows", "transaction"]);
    }
    assert_eq!(database.state(), before);
}

#[test]
fn rows_that_no_cast_fits_are_counted_and_shown() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id integer PRIMARY KEY, age text); INSERT INTO users VALUES (1, '41'), (2, 'old'), (3, '')");
    let project = Project::new(NEWEST, &database);
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey(), age: integer('age') });");
    let says = ["no cast fits 3 rows", "fails for 1", "\"old\""];
    project.pilot(&["plan"]).run().expect(3).says(&says);
    project.policy("[hazards]\nchange_type = 'approve'\n");
    project.push().expect(6).says(&says);
    project.pilot(&["push", "--apply", "transaction"]).run().expect(1).database("unchanged").says(&says);
}

#[test]
fn what_needs_no_cast_gets_no_advice() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id integer PRIMARY KEY, age integer); INSERT INTO users VALUES (1, 41)");
    let project = Project::new(NEWEST, &database);
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey(), age: text('age') });");
    project.pilot(&["plan"]).run().expect(3).says(&["change_type public.users.age"]).never_says("USING");
}
