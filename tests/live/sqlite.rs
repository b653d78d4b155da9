//! SQLite through libsql: other prompts, other labels, the same rules.

use serde_json::json;

use crate::NEWEST;
use crate::support::Project;

fn users(schema: &str) -> Project {
    let project = Project::sqlite(NEWEST);
    project.write(
        "schema.ts",
        &format!("import {{ integer, sqliteTable, text }} from 'drizzle-orm/sqlite-core';\n\n{schema}"),
    );
    project.libsql(&[
        "CREATE TABLE users (id integer PRIMARY KEY NOT NULL, name text, legacy_id integer)",
        "INSERT INTO users VALUES (1, 'ann', 11), (2, 'ben', 22)",
    ]);
    project
}

const WITHOUT_LEGACY: &str =
    "export const users = sqliteTable('users', { id: integer('id').primaryKey(), name: text('name') });";

fn columns(project: &Project) -> serde_json::Value {
    project.libsql(&["SELECT name FROM pragma_table_info('users')"])
}

#[test]
fn a_column_with_values_is_not_dropped_by_default() {
    let project = users(WITHOUT_LEGACY);
    let ran = project.push().expect(3).says(&["drop_column", "users.legacy_id"]).database("unchanged");
    assert_eq!(columns(&project), json!([["id"], ["name"], ["legacy_id"]]), "{ran}");

    project.paste(&ran.allow_with());
    let ran = project.push().expect(0).database("changed");
    assert_eq!(columns(&project), json!([["id"], ["name"]]), "{ran}");
}

#[test]
fn a_column_is_renamed() {
    let project = users(
        "export const users = sqliteTable('users', {
           id: integer('id').primaryKey(), fullName: text('full_name'), legacyId: integer('legacy_id') });",
    );
    project.policy("[renames.columns]\n\"users.name\" = \"full_name\"\n");
    let ran = project.push().expect(0).database("changed");
    assert_eq!(project.libsql(&["SELECT full_name FROM users"]), json!([["ann"], ["ben"]]), "{ran}");
    project.push().expect(0).database("unchanged");
}

#[test]
fn a_table_is_renamed() {
    let project = users(
        "export const people = sqliteTable('people', {
           id: integer('id').primaryKey(), name: text('name'), legacyId: integer('legacy_id') });",
    );
    project.policy("[renames.tables]\n\"users\" = \"people\"\n");
    let ran = project.push().expect(0).database("changed");
    assert_eq!(project.libsql(&["SELECT name FROM people"]), json!([["ann"], ["ben"]]), "{ran}");
}

#[test]
fn nothing_to_do_is_a_success() {
    let project = users(
        "export const users = sqliteTable('users', {
           id: integer('id').primaryKey(), name: text('name'), legacyId: integer('legacy_id') });",
    );
    project.push().expect(0).database("unchanged");
}

/// libSQL checks references, and a dropped table takes along the rows that refer to it: no statement names them.
#[test]
fn a_dropped_table_takes_no_other_rows_along_unasked() {
    let project = users(
        "const users = sqliteTable('users', { id: integer('id').primaryKey() });
         export const orders = sqliteTable('orders', {
           id: integer('id').primaryKey(),
           user: integer('user').references(() => users.id, { onDelete: 'cascade' }) });",
    );
    project.libsql(&[
        "CREATE TABLE orders (id integer PRIMARY KEY NOT NULL, user integer,
           FOREIGN KEY (user) REFERENCES users(id) ON UPDATE no action ON DELETE cascade)",
        "INSERT INTO orders VALUES (1, 1)",
    ]);
    project.policy("[hazards]\ndrop_table = { only = ['users'] }\n");
    let ran = project.push().expect(3).says(&["ON DELETE CASCADE", "delete_rows"]).database("unchanged");
    assert_eq!(project.libsql(&["SELECT count(*) FROM orders"]), json!([[1]]), "{ran}");
}
