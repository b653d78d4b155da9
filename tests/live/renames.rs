//! Renames: the policy says what became of what, and each row is where it belongs afterwards.

use std::process::{Child, Command};

use crate::NEWEST;
use crate::support::{Database, Project};

on_every_kit! {
    a_table_is_renamed
    a_column_is_renamed
    an_enum_is_renamed
    a_schema_is_renamed
    twelve_shuffled_tables_are_renamed_at_once
    one_of_seventy_candidates_is_found
    the_printed_lines_make_the_next_run_pass
    a_rename_is_told_from_a_new_column
    equal_tables_in_two_schemas_are_not_guessed_at
    a_small_terminal_changes_nothing
    no_terminal_changes_nothing
}
on_1_0_as_well! {
    a_table_is_renamed
    twelve_shuffled_tables_are_renamed_at_once
    a_rename_is_told_from_a_new_column
    the_printed_lines_make_the_next_run_pass
}

/// Pushes a fixture with its policy, and checks a query's first column afterwards.
#[track_caller]
fn check(kit: &str, fixture: &str, query: &str, expected: &[&str]) {
    let database = Database::create();
    let project = Project::fixture(kit, fixture, &database);
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.list(query), expected, "{ran}");
    project.push().expect(0).database("unchanged");
}

const PURCHASES: &str = "SELECT item FROM purchases ORDER BY id";

fn a_table_is_renamed(kit: &str) {
    check(kit, "rename_table", PURCHASES, &["tea", "milk"]);
}

fn a_column_is_renamed(kit: &str) {
    check(kit, "rename_column", "SELECT full_name FROM users ORDER BY id", &["ann", "ben", "cy"]);
}

fn an_enum_is_renamed(kit: &str) {
    // Up to 0.24 drizzle-kit asks, and then finds nothing to change.
    if matches!(kit, "0.21.4" | "0.22.8") {
        let database = Database::create();
        let project = Project::fixture(kit, "rename_enum", &database);
        let ran = project.push().expect(0).database("unchanged");
        assert_eq!(database.list("SELECT pg_typeof(mood) FROM diary"), ["mood", "mood"], "{ran}");
    } else {
        let query = "SELECT mood || ' is a ' || pg_typeof(mood) FROM diary ORDER BY id";
        check(kit, "rename_enum", query, &["ok is a feeling", "happy is a feeling"]);
    }
}

fn a_schema_is_renamed(kit: &str) {
    check(kit, "rename_schema", "SELECT name FROM store.goods ORDER BY id", &["tea", "milk"]);
}

fn twelve_shuffled_tables_are_renamed_at_once(kit: &str) {
    let pairs = [
        ("people", "clients"),
        ("purchases", "orders"),
        ("goods", "articles"),
        ("invoices", "bills"),
        ("places", "stores"),
        ("ratings", "votes"),
        ("labels", "tags"),
        ("remarks", "notes"),
        ("documents", "files"),
        ("teams", "groups"),
        ("happenings", "events"),
        ("keys", "tokens"),
    ];
    let query = pairs.map(|(new, _)| format!("SELECT was FROM {new};")).concat();
    check(kit, "twelve_renames", &query, &pairs.map(|(_, old)| old));
}

fn one_of_seventy_candidates_is_found(kit: &str) {
    check(kit, "seventy_candidates", "SELECT kept FROM wide", &["57"]);
}

fn the_printed_lines_make_the_next_run_pass(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "rename_table", &database).without_policy();
    let before = database.state();
    let ran = project.push().expect(3).says(&["orders", "purchases"]).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");

    project.paste(&ran.allow_with());
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.list(PURCHASES), ["tea", "milk"], "{ran}");
}

fn a_rename_is_told_from_a_new_column(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "rename_column", &database);
    project.schema(
        "export const users = pgTable('users', {
           id: integer('id').primaryKey(), fullName: text('full_name'), nickname: text('nickname') });",
    );
    project.policy(
        r#"
        [renames.columns]
        "public.users.name" = "full_name"
        [create]
        columns = ["public.users.nickname"]
        [hazards]
        drop_column = { only = ["public.users.legacy_id"] }
        "#,
    );
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.list("SELECT full_name FROM users WHERE nickname IS NULL"), ["ann", "ben", "cy"], "{ran}");
}

/// The questions about both are byte-identical, and come in an order that nothing promises.
fn equal_tables_in_two_schemas_are_not_guessed_at(kit: &str) {
    let database = Database::create();
    let project = Project::new(kit, &database);
    database.sql(
        "CREATE SCHEMA shop;
         CREATE TABLE users (id integer PRIMARY KEY, name text);
         CREATE TABLE shop.users (id integer PRIMARY KEY, name text);
         INSERT INTO users VALUES (1, 'ann');
         INSERT INTO shop.users VALUES (1, 'ben')",
    );
    project.schema(
        "export const shop = pgSchema('shop');
         export const users = pgTable('users', { id: integer('id').primaryKey(), fullName: text('full_name') });
         export const clients = shop.table('users', { id: integer('id').primaryKey(), fullName: text('full_name') });",
    );
    let one = "[renames.columns]\n\"public.users.name\" = \"full_name\"\n";
    project.policy(one);
    let before = database.state();
    let ran = project.push().expect(4).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");

    project.policy(&format!("{one}\"shop.users.name\" = \"full_name\"\n"));
    let ran = project.push().expect(0).database("changed");
    let names = "SELECT full_name FROM users UNION ALL SELECT full_name FROM shop.users";
    assert_eq!(database.list(names), ["ann", "ben"], "{ran}");
}

fn a_small_terminal_changes_nothing(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "seventy_candidates", &database);
    let ran = project.pilot(&["push"]).on_terminal(24, 80).expect(0).database("changed");
    assert_eq!(database.list("SELECT kept FROM wide"), ["57"], "{ran}");
}

fn no_terminal_changes_nothing(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "rename_table", &database);
    let ran = project.pilot(&["push"]).by(&["setsid", "--wait"]).run().expect(0).database("changed");
    assert_eq!(database.list(PURCHASES), ["tea", "milk"], "{ran}");
}

/// Twenty tables of ten columns each, all renamed crosswise, while every core has something else to do.
#[test]
fn two_hundred_answers_are_right_on_a_busy_machine() {
    let tables: Vec<String> = (0..20).map(|n| format!("t{n:02}")).collect();
    let columns: Vec<(String, String)> =
        (0..10).map(|n| (format!("old_{n}"), format!("new_{}", (n * 7 + 3) % 10))).collect();
    let database = Database::create();
    let project = Project::new(NEWEST, &database);
    let (mut schema, mut policy) = (String::new(), "[renames.columns]\n".to_owned());
    for table in &tables {
        let (mut old, mut values, mut new) = (Vec::new(), Vec::new(), Vec::new());
        for (from, to) in &columns {
            old.push(format!("{from} text"));
            values.push(format!("'{table}.{from}'"));
            new.push(format!("{to}: text('{to}')"));
            policy.push_str(&format!("\"public.{table}.{from}\" = \"{to}\"\n"));
        }
        database.sql(&format!(
            "CREATE TABLE {table} ({}); INSERT INTO {table} VALUES ({})",
            old.join(", "),
            values.join(", ")
        ));
        new.sort();
        schema.push_str(&format!("export const {table} = pgTable('{table}', {{ {} }});\n", new.join(", ")));
    }
    project.schema(&schema);
    project.policy(&policy);

    let load = Load::on_every_core();
    let ran = project.push().expect(0).database("changed");
    drop(load);
    let questions = ran.report["prompts"].as_array().map_or(0, Vec::len);
    assert!(questions >= 200, "{questions} questions\n{ran}");
    for table in &tables {
        for (from, to) in &columns {
            assert_eq!(database.value(&format!("SELECT {to} FROM {table}")), format!("{table}.{from}"), "{ran}");
        }
    }
}

/// Endless loops, as polite as possible to the other tests.
struct Load(Vec<Child>);

impl Load {
    fn on_every_core() -> Self {
        let n_cores = std::thread::available_parallelism().map_or(1, usize::from);
        let spin = || Command::new("nice").args(["-n", "19", "sh", "-c", "while :; do :; done"]).spawn();
        Self((0..n_cores).map(|_| spin().expect("nice and sh are everywhere")).collect())
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
