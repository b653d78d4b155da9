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
    let ran = project.push().expect(3).database("unchanged").says(&["change_type public.files.blob", "keeps 2 rows"]);
    let ran = ran.says(&["these lines keep the rows"]);
    assert!(
        ran.report["refusals"].as_array().into_iter().flatten().all(|refusal| refusal["allow_with"].is_null()),
        "{ran}"
    );
    // What the rest of the refusals would need does not help, and empties nothing.
    project.policy("[hazards]\nchange_type = 'approve'\ntruncate = 'approve'\n");
    project.push().expect(3).database("unchanged").says(&["public.files.blob"]);
    assert_eq!(database.state(), before);

    // These lines do, as they are printed.
    let lines = ran.stderr.lines().skip_while(|line| !line.contains("these lines keep the rows")).skip(2);
    let lines: Vec<&str> =
        lines.take_while(|line| line.starts_with("      ") || line.is_empty()).map(str::trim).collect();
    let using = r#""public.files.blob" = "convert_to(\"blob\", 'UTF8')""#;
    assert!(lines.contains(&using), "{lines:#?}\n{ran}");
    assert_eq!(lines.contains(&"truncate = \"skip\""), kit != NEWEST, "{lines:#?}\n{ran}");
    project.policy(&lines.join("\n"));
    let ran = project.pilot(&["push", "--apply", "transaction"]).run().expect(0).database("changed");
    assert_eq!(database.state(), ["public.files (id integer, blob bytea): 2 rows"], "{ran}");
    assert_eq!(database.list("SELECT convert_from(blob, 'UTF8') FROM files ORDER BY id"), ["x", "ü\\z"], "{ran}");
}

fn a_truncate_is_left_out_only_in_a_transaction_of_our_own(kit: &str) {
    let database = Database::create();
    let project = files(kit, &database);
    let before = database.state();
    project.policy("[hazards]\nchange_type = 'approve'\ntruncate = 'skip'\n");
    if kit == NEWEST {
        // No truncate here; drizzle-kit writes a type that does not exist.
        project.push().expect(3).says(&["drizzle-kit has lost the schema of the type bytea"]);
    } else {
        project.push().expect(3).says(&["truncate public.files", "2 rows", "transaction"]);
    }
    assert_eq!(database.state(), before);
}

/// What `[using]` makes of a statement is what was reviewed, and nothing else is pushed by that plan.
#[test]
fn a_plan_is_for_one_way_to_execute_it() {
    let database = Database::create();
    let project = files(NEWEST, &database);
    let line = r#""public.files.blob" = """convert_to("blob", 'UTF8')""""#;
    project.policy(&format!("[hazards]\nchange_type = 'approve'\n[using]\n{line}\n"));
    let before = database.everything();
    let planned = project.pilot(&["plan", "--out", "ours.json", "--apply", "transaction"]).run().expect(2);
    let dry_run = project.pilot(&["push", "--dry-run", "--apply", "transaction"]).run().expect(2);
    assert_eq!(dry_run.report["statements"], planned.report["statements"], "{dry_run}");
    assert!(planned.report["statements"][0]["sql"].as_str().is_some_and(|sql| sql.contains("USING")), "{planned}");
    let check = |plan: &str, apply: &str, says: &str| {
        let ran = project.pilot(&["push", "--plan", plan, "--apply", apply]).run();
        let ran = ran.expect(5).database("unchanged").says(&[says]);
        assert_eq!(database.everything(), before, "{ran}");
    };
    check("ours.json", "kit", "the plan was made for --apply transaction, and not for kit");
    let schema = std::fs::read_to_string(project.path("schema.ts")).expect("it was written");
    project.schema("export const files = pgTable('files', { id: integer('id').primaryKey(), blob: text('blob'), n: integer('n') });");
    project.pilot(&["plan", "--out", "kit.json"]).run().expect(2);
    check("kit.json", "transaction", "the plan was made for --apply kit, and not for transaction");
    project.write("schema.ts", &schema);
    // Nothing need be said twice: the plan knows.
    let ran = project.pilot(&["push", "--plan", "ours.json"]).run().expect(0).database("changed");
    assert_eq!(ran.report["statements"], planned.report["statements"], "{ran}");
    assert_eq!(database.state(), ["public.files (id integer, blob bytea): 2 rows"]);
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
    let refused = ["public.users.age cannot be converted from text to integer automatically"];
    for apply in ["kit", "transaction"] {
        let ran = project.pilot(&["push", "--apply", apply]).run().expect(3).database("unchanged");
        drop(ran.says(&says).says(&refused).offers_no_lines());
    }
}

#[test]
fn what_needs_no_cast_gets_no_advice() {
    let database = Database::create();
    database.sql("CREATE TABLE users (id integer PRIMARY KEY, age integer); INSERT INTO users VALUES (1, 41)");
    let project = Project::new(NEWEST, &database);
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey(), age: text('age') });");
    project.pilot(&["plan"]).run().expect(3).says(&["change_type public.users.age"]).never_says("USING");
}

/// The server would convert these unasked, and says at the first row that it cannot, or rounds without a word.
#[test]
fn rows_that_do_not_fit_a_smaller_type_are_counted_and_shown() {
    let database = Database::create();
    database.sql(
        "CREATE TABLE files (id integer PRIMARY KEY, code text, size bigint, price numeric(10, 4), name text);
         INSERT INTO files VALUES (1, 'abc', 7, 1.25, 'a'), (2, 'long ' || repeat('x', 60), 3000000000, 1.2345, 'b'),
           (3, 'abcd', 8, 1234, 'c')",
    );
    let project = Project::new(NEWEST, &database);
    project.schema(
        "import { numeric, varchar } from 'drizzle-orm/pg-core';
         export const files = pgTable('files', { id: integer('id').primaryKey(), code: varchar('code', { length: 3 }),
           size: integer('size'), price: numeric('price', { precision: 5, scale: 2 }), name: varchar('name', { length: 3 }) });",
    );
    let before = database.everything();
    let long = format!("long {}…", "x".repeat(35));
    let says = [
        &*format!(
            "hint: public.files.code cannot be converted to varchar(3): 2 of 3 rows do not fit, such as \"{long}\", \"abcd\" \
             (value too long for type character varying(3))\n  change these rows first, or choose a wider type\n"
        ),
        "hint: public.files.size cannot be converted to integer: 1 of 3 rows do not fit, such as \"3000000000\" \
         (integer out of range)\n  change these rows first, or choose a wider type\n",
        "hint: public.files.price cannot be converted to numeric(5, 2): 1 of 3 rows do not fit, such as \"1234.0000\" \
         (numeric field overflow)\n  change these rows first, or choose a wider type\n",
    ];
    let ran = project.pilot(&["plan"]).run().expect(3).says(&says).never_says("public.files.name cannot");
    assert_eq!(database.everything(), before, "{ran}");
    database.sql("DELETE FROM files WHERE id = 3");
    project.pilot(&["plan"]).run().expect(3).says(&[
        "hint: 1 of 2 rows would lose information in public.files.price as numeric(5, 2), such as \"1.2345\" as \"1.23\"\n",
    ]);
}
