//! Additions and losses: what is applied, what is refused, and that a refusal leaves everything as it was.

use crate::support::{Database, Project};

on_every_kit! {
    nothing_to_do_is_a_success
    tables_are_created
    a_column_is_added
    a_column_with_values_is_not_dropped_by_default
    a_column_is_dropped_by_the_policy
    a_column_with_more_rows_than_the_limit_is_kept
    a_table_with_rows_is_not_dropped_by_default
    a_table_is_dropped_by_the_policy
    a_table_with_more_rows_than_the_limit_is_kept
    the_printed_lines_allow_exactly_the_refused_drop
    losses_are_accepted_for_one_run
    accepting_losses_answers_no_rename_and_empties_no_table
    a_unique_constraint_keeps_the_rows
    a_type_is_not_changed_by_truncating
}
on_1_0_as_well! {
    nothing_to_do_is_a_success
    a_column_with_values_is_not_dropped_by_default
    a_column_with_more_rows_than_the_limit_is_kept
    a_table_with_rows_is_not_dropped_by_default
    losses_are_accepted_for_one_run
    accepting_losses_answers_no_rename_and_empties_no_table
    the_printed_lines_allow_exactly_the_refused_drop
}

/// Pushes and checks that the program refused and the database is what it was.
#[track_caller]
fn check_refused(project: &Project, database: &Database, says: &[&str]) -> String {
    let before = database.state();
    let ran = project.push().expect(3).says(says).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");
    ran.allow_with()
}

/// Pushes and checks that the program applied the change.
#[track_caller]
fn check_applied(project: &Project, database: &Database, after: &[&str]) {
    let ran = project.push().expect(0).database("changed");
    assert_eq!(database.state(), after, "{ran}");
}

const USERS: &str = "public.users (id integer, name text, legacy_id integer): 3 rows";
const USERS_WITHOUT_LEGACY: &str = "public.users (id integer, name text): 3 rows";

fn nothing_to_do_is_a_success(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "no_changes", &database);
    let before = database.state();
    project.push().expect(0).database("unchanged");
    assert_eq!(database.state(), before);
}

fn tables_are_created(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "create_tables", &database);
    check_applied(
        &project,
        &database,
        &[
            "public.posts (id integer, user_id integer, title text): 0 rows",
            "public.users (id integer, name text, legacy_id integer): 0 rows",
        ],
    );
    project.push().expect(0).database("unchanged");
}

fn a_column_is_added(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "add_column", &database);
    check_applied(
        &project,
        &database,
        &["public.users (id integer, name text, legacy_id integer, nickname text): 3 rows"],
    );
}

fn a_column_with_values_is_not_dropped_by_default(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_column", &database).without_policy();
    check_refused(&project, &database, &["drop_column", "users.legacy_id", "3"]);
}

fn a_column_is_dropped_by_the_policy(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_column", &database);
    check_applied(&project, &database, &[USERS_WITHOUT_LEGACY]);
}

fn a_column_with_more_rows_than_the_limit_is_kept(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_column", &database);
    database.sql("INSERT INTO users VALUES (4, 'dee', NULL)");
    check_refused(&project, &database, &["max_rows"]);
}

fn a_table_with_rows_is_not_dropped_by_default(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_table", &database).without_policy();
    check_refused(&project, &database, &["drop_table", "legacy", "2"]);
}

fn a_table_is_dropped_by_the_policy(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_table", &database);
    check_applied(&project, &database, &[USERS]);
}

fn a_table_with_more_rows_than_the_limit_is_kept(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_table", &database);
    database.sql("INSERT INTO legacy VALUES (3, 'three')");
    check_refused(&project, &database, &["max_rows"]);
}

fn the_printed_lines_allow_exactly_the_refused_drop(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_table", &database).without_policy();
    let lines = check_refused(&project, &database, &[]);
    project.paste(&lines);
    // Another loss comes along: the lines do not allow it.
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey(), name: text('name') });");
    check_refused(&project, &database, &["users.legacy_id"]);
    project.schema(
        "export const users = pgTable('users', {
           id: integer('id').primaryKey(), name: text('name'), legacyId: integer('legacy_id') });",
    );
    check_applied(&project, &database, &[USERS]);
}

fn losses_are_accepted_for_one_run(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "drop_table", &database).without_policy();
    project.schema("export const users = pgTable('users', { id: integer('id').primaryKey(), name: text('name') });");
    let ran = project.pilot(&["push", "--accept-data-loss"]).run().expect(0).database("changed");
    assert_eq!(database.state(), [USERS_WITHOUT_LEGACY], "{ran}");
    // Each loss is a warning in the log, with its rows.
    let ran = ran.says(&["legacy", "2", "users.legacy_id", "3"]);
    assert!(ran.report["warnings"].as_array().is_some_and(|warnings| warnings.len() >= 2), "{ran}");
}

fn accepting_losses_answers_no_rename_and_empties_no_table(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "unique", &database);
    database.sql("CREATE TABLE orders (id integer PRIMARY KEY); INSERT INTO orders VALUES (1), (2)");
    let unique = std::fs::read_to_string(project.path("schema.ts")).expect("a fixture has a schema.ts");
    project.write(
        "schema.ts",
        &format!("{unique}\nexport const purchases = pgTable('purchases', {{ id: integer('id').primaryKey() }});\n"),
    );
    let before = database.state();
    let push = || project.pilot(&["push", "--accept-data-loss"]).run();
    let ran = push().expect(3).says(&["purchases", "orders"]).database("unchanged");
    assert_eq!(database.state(), before, "{ran}");

    project.policy("[renames.tables]\n\"public.orders\" = \"purchases\"\n");
    let ran = push().expect(0).database("changed");
    assert_eq!(database.state(), ["public.purchases (id integer): 2 rows", USERS], "{ran}");
}

fn a_unique_constraint_keeps_the_rows(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "unique", &database);
    check_applied(&project, &database, &[USERS]);
    assert_eq!(
        database.list("SELECT conname FROM pg_constraint WHERE contype = 'u' AND conrelid = 'users'::regclass"),
        ["users_name_unique"]
    );
}

/// Up to 0.30 drizzle-kit truncates the table first, and then the change fails. From 0.31 on it does not ask, and fails.
fn a_type_is_not_changed_by_truncating(kit: &str) {
    let database = Database::create();
    let project = Project::fixture(kit, "change_type", &database);
    // What cannot work is not begun, even where it is allowed.
    for policy in ["", "[hazards]\nchange_type = \"approve\"\n", "[hazards]\ndata_loss = \"approve\"\n"] {
        project.policy(policy);
        let ran = project.push().expect(3).database("unchanged");
        let ran = ran.says(&[
            "public.users.age cannot be converted from text to integer automatically",
            "USING \"age\"::integer",
        ]);
        assert_eq!(database.state(), ["public.users (id integer, age text): 2 rows"], "{ran}");
    }
}
