//! SQLite through libsql: other prompts, other labels, the same rules.

use serde_json::json;

use crate::NEWEST;
use crate::support::Project;
use crate::support::commands::{self, Core};

on_every_kit! {
    rows_that_refer_to_a_table_outlive_its_rebuild_or_are_named
    a_migration_takes_no_rows_along_that_it_does_not_name
    what_differs_from_what_was_approved_is_not_sent_to_a_file
    a_file_that_cannot_be_used_is_unavailable
}

fn users(schema: &str) -> Project {
    users_of(NEWEST, schema)
}

fn users_of(kit: &str, schema: &str) -> Project {
    let project = Project::sqlite(kit);
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
    let ran = project.push().expect(3).database("unchanged");
    let ran = ran.says(&["delete_rows public.orders would delete 1 row", "through user ON DELETE CASCADE"]);
    assert_eq!(project.libsql(&["SELECT count(*) FROM orders"]), json!([[1]]), "{ran}");
}

const CHILDREN: [&str; 4] = [
    "CREATE TABLE posts (id integer PRIMARY KEY NOT NULL, user integer,
       FOREIGN KEY (user) REFERENCES users(id) ON UPDATE no action ON DELETE cascade)",
    "INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)",
    "CREATE TABLE notes (id integer PRIMARY KEY NOT NULL, author integer,
       FOREIGN KEY (author) REFERENCES users(id) ON UPDATE no action ON DELETE set null)",
    "INSERT INTO notes VALUES (1, 1), (2, 2)",
];

const WITH_CHILDREN: &str = "
    export const posts = sqliteTable('posts', { id: integer('id').primaryKey(),
      user: integer('user').references(() => users.id, { onDelete: 'cascade' }) });
    export const notes = sqliteTable('notes', { id: integer('id').primaryKey(),
      author: integer('author').references(() => users.id, { onDelete: 'set null' }) });";

const CHILD_ROWS: &str = "SELECT (SELECT count(*) FROM posts), (SELECT count(author) FROM notes)";

/// drizzle-kit before 0.30.6 loses them, and says nothing of it.
fn rows_that_refer_to_a_table_outlive_its_rebuild_or_are_named(kit: &str) {
    // Before 0.25 drizzle-kit does not see that the column must have a value, but a table without a key builds all anew.
    let users = "export const users = sqliteTable('users', {
        id: integer('id').primaryKey({ autoIncrement: true }), name: text('name').notNull().default('x') });";
    for dialect in ["sqlite", "turso"] {
        if dialect == "turso" && ["0.21.4", "0.22.8"].contains(&kit) {
            continue;
        }
        let project = users_of(kit, &format!("{users}{WITH_CHILDREN}"));
        project.config(&format!(
            "export default {{ dialect: '{dialect}', schema: './schema.ts', dbCredentials: {{ url: 'file:app.db' }} }};"
        ));
        project.libsql(&CHILDREN);
        project.policy("[hazards]\ndrop_column = { only = ['users.legacy_id'] }\n");
        let before = project.libsql(&[CHILD_ROWS]);
        assert_eq!(before, json!([[3, 2]]));
        let ran = project.push();
        assert_eq!(project.libsql(&[CHILD_ROWS]), before, "{ran}");
        if kit == NEWEST || dialect == "turso" {
            let ran = ran.expect(0).database("changed");
            assert!(ran.report.to_string().contains("rebuild_table"), "{ran}");
            assert_eq!(columns(&project), json!([["id"], ["name"]]), "{ran}");
            continue;
        }
        let ran = ran.expect(3).database("unchanged").says(&[
            "delete_rows public.posts would delete 3 rows; they refer to public.users through user ON DELETE CASCADE",
            "clear_column public.notes.author",
        ]);
        // The lines that it prints name all that goes, and with them it goes.
        let lines = ran.allow_with();
        project.policy(&format!(
            "[hazards]\ndrop_column = {{ only = ['users.legacy_id'] }}\n{}",
            lines.replace("[hazards]", "")
        ));
        let ran = project.push().expect(0).database("changed");
        assert_eq!(project.libsql(&[CHILD_ROWS]), json!([[0, 0]]), "the test has no teeth\n{ran}");
    }
}

#[test]
fn a_rebuild_that_is_allowed_allows_no_drop() {
    let project = users("export const other = sqliteTable('other', { id: integer('id') });");
    project.policy("[hazards]\nrebuild_table = 'approve'\ndelete_rows = 'approve'\n[renames]\notherwise = 'create'\n");
    project.push().expect(3).database("unchanged").says(&["drop_table public.users would delete 2 rows"]);
}

/// What a rebuild that was cut off has left may hold the only copy of the rows.
#[test]
fn what_a_rebuild_has_left_is_named() {
    let project = users(
        "export const users = sqliteTable('users', {
           id: integer('id').primaryKey(), name: text('name'), legacyId: integer('legacy_id') });",
    );
    project.libsql(&["CREATE TABLE __new_users (id integer)", "INSERT INTO __new_users VALUES (1)"]);
    project.push().expect(3).says(&["public.__new_users would delete 1 row; left over from an interrupted rebuild"]);
}

/// A new column in a table that is built anew as well: drizzle-kit copies it from the old one, which has none, and libSQL takes
/// its name for a text.
#[test]
fn a_copy_of_what_is_not_there_is_not_begun() {
    let project = users(
        "export const users = sqliteTable('users', {
           id: integer('id').primaryKey(), name: text('name').notNull().default('x'), legacyId: integer('legacy_id'), nick: text('nick') });",
    );
    let ran = project.push().expect(3).database("unchanged").says(&["would copy nick from public.users"]);
    assert_eq!(project.libsql(&["SELECT count(*) FROM users"]), json!([[2]]), "{ran}");
}

/// A column that libSQL defines anew and that stays of its type loses nothing.
#[test]
fn a_default_of_turso_needs_no_consent() {
    let project = users(
        "export const users = sqliteTable('users', {
           id: integer('id').primaryKey(), name: text('name').default('x'), legacyId: integer('legacy_id') });",
    );
    project
        .config("export default { dialect: 'turso', schema: './schema.ts', dbCredentials: { url: 'file:app.db' } };");
    let ran = project.push().expect(0).database("changed");
    assert!(
        ran.report["statements"][0]["sql"].as_str().is_some_and(|sql| sql.contains("ALTER COLUMN \"name\" TO")),
        "{ran}"
    );
}

/// Writes a folder with a migration that builds `users` anew.
fn migration(project: &Project) {
    project.sqlite_migration(
        "PRAGMA foreign_keys=OFF;--> statement-breakpoint
         CREATE TABLE `__new_users` (`id` integer PRIMARY KEY NOT NULL, `name` text NOT NULL, `legacy_id` integer);
         --> statement-breakpoint
         INSERT INTO `__new_users`(\"id\", \"name\", \"legacy_id\") SELECT \"id\", \"name\", \"legacy_id\" FROM `users`;--> statement-breakpoint
         DROP TABLE `users`;--> statement-breakpoint
         ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint
         PRAGMA foreign_keys=ON;",
    );
}

/// The migrator of drizzle-orm 0.30 runs it in a transaction, in which the switch has no effect; later ones do not.
fn a_migration_takes_no_rows_along_that_it_does_not_name(kit: &str) {
    let project = users_of(kit, WITHOUT_LEGACY);
    project.libsql(&CHILDREN);
    migration(&project);
    let before = project.libsql(&[CHILD_ROWS]);
    let ran = project.pilot(&["run", "--", "migrate"]).run();
    assert_eq!(project.libsql(&[CHILD_ROWS]), before, "{ran}");
    if !["0.21.4", "0.22.8"].contains(&kit) {
        drop(ran.expect(0));
        return;
    }
    let ran =
        ran.expect(3).says(&["delete_rows public.posts would delete 3 rows", "the migrations run in one transaction"]);
    project.paste(&ran.allow_with());
    let ran = project.pilot(&["run", "--", "migrate"]).run().expect(0);
    assert_eq!(project.libsql(&[CHILD_ROWS]), json!([[0, 0]]), "the test has no teeth\n{ran}");
}

/// Has the driver send something else than drizzle-kit tells it to.
fn what_differs_from_what_was_approved_is_not_sent_to_a_file(kit: &str) {
    let check = |meddle: &str, code: i32, says: &str| {
        let project = users_of(
            kit,
            "export const users = sqliteTable('users', { id: integer('id').primaryKey(), name: text('name'), legacyId: integer('legacy_id') });
             export const a = sqliteTable('a', { id: integer('id') });
             export const b = sqliteTable('b', { id: integer('id') });
             export const victim = sqliteTable('victim', { id: integer('id') });",
        );
        project.libsql(&["CREATE TABLE victim (id integer)", "INSERT INTO victim VALUES (1)"]);
        project.config(&format!(
            "const Database = require('libsql');
             const {{ prepare, exec }} = Database.prototype;
             let n = 0;
             Database.prototype.prepare = function (sql, ...rest) {{ {meddle}; return prepare.call(this, sql, ...rest); }};
             export default {{ dialect: 'sqlite', schema: './schema.ts', dbCredentials: {{ url: 'file:app.db' }} }};"
        ));
        let ran = project.push().expect(code).says(&[says]);
        assert_eq!(project.libsql(&["SELECT count(*) FROM victim"]), json!([[1]]), "{ran}");
    };
    let differs = "not the one that was approved";
    check("if (/^CREATE TABLE `a`/.test(sql)) sql = 'DROP TABLE victim'", 4, differs);
    check("if (/sqlite_master/.test(sql) && !n++) sql = 'DELETE FROM victim'", 4, "is not read-only");
    // The versions differ in when and how often they prepare, and not in what holds it.
    if kit != NEWEST {
        return;
    }
    check("if (/^CREATE TABLE `a`/.test(sql)) exec.call(this, 'DROP TABLE victim')", 4, differs);
    check("if (/^CREATE TABLE `b`/.test(sql)) sql = 'DROP TABLE victim'", 6, differs);
    check(
        "if (/^CREATE TABLE `a`/.test(sql)) { const held = prepare.call(this, sql, ...rest); held.run(); held.run(); }",
        6,
        differs,
    );
    check("if (/sqlite_master/.test(sql) && !n++) this.pragma('writable_schema = on')", 4, "is not read-only");
    check("if (/sqlite_master/.test(sql) && !n++) sql += ' WHERE load_extension(1)'", 4, "is not read-only");
}

/// drizzle-kit puts names into its queries as they are.
#[test]
fn a_name_in_a_file_is_not_taken_for_sql() {
    let project = users("export const other = sqliteTable('other', { id: integer('id') });");
    project.libsql(&[
        "CREATE TABLE `users``; DROP TABLE users; --` (id integer)",
        "INSERT INTO `users``; DROP TABLE users; --` VALUES (1)",
    ]);
    project.policy("[hazards]\ndata_loss = 'approve'\nunclassified = 'approve'\n[renames]\notherwise = 'create'\n");
    for command in ["plan", "push"] {
        let ran = project.pilot(&[command]).run().expect(4).database("unchanged");
        assert_eq!(project.libsql(&["SELECT count(*) FROM users"]), json!([[2]]), "{ran}");
    }
}

fn a_file_that_cannot_be_used_is_unavailable(kit: &str) {
    let project = Project::sqlite(kit);
    project.write(
        "schema.ts",
        "import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';\nexport const a = sqliteTable('a', { id: integer('id') });",
    );
    project.write("app.db", &"this is no database. ".repeat(100));
    project.push().expect(69).database("unchanged").says(&["file is not a database"]);
    project.config(
        "export default { dialect: 'sqlite', schema: './schema.ts', dbCredentials: { url: 'file:no/such/app.db' } };",
    );
    drop(project.push().expect(69).database("unchanged"));
}

#[test]
fn what_only_postgresql_has_is_declined_for_a_file() {
    let file = Project::sqlite(NEWEST);
    file.config(
        "export default { dialect: 'sqlite', schema: './schema.ts', out: './drizzle', dbCredentials: { url: 'file:app.db' } };",
    );
    commands::check("sqlite-libsql", &file, Core::Sqlite);
    let project = users(WITHOUT_LEGACY);
    for arguments in [&["plan", "--apply", "transaction"][..], &["push", "--lock-timeout", "1s"]] {
        drop(project.pilot(arguments).run().expect(64).database("unchanged").says(&["PostgreSQL"]));
    }
    let oracle = "export default { dialect: 'oracle', schema: './schema.ts', dbCredentials: { url: 'file:app.db' } };";
    project.config(oracle);
    project.push().expect(78).says(&["the dialect oracle, which is not supported"]);
    let project = users_of("0.22.8", WITHOUT_LEGACY);
    project.config(&oracle.replace("oracle", "turso"));
    project.push().expect(78).says(&["does not know the dialect turso", "0.25 or later"]);
}

#[test]
fn a_driver_that_nothing_holds_is_declined_by_its_name() {
    let project = users(WITHOUT_LEGACY);
    for (config, says) in [
        (
            "dialect: 'postgresql', driver: 'aws-data-api', dbCredentials: { database: 'a', secretArn: 'b', resourceArn: 'c' }",
            "aws-data-api",
        ),
        ("dialect: 'turso', dbCredentials: { url: 'wss://127.0.0.1:1' }", "a URL of wss:"),
        ("dialect: 'sqlite', driver: 'expo'", "expo"),
    ] {
        project.config(&format!("export default {{ {config}, schema: './schema.ts' }};"));
        for command in ["plan", "push"] {
            let ran = project.pilot(&[command]).run().expect(78).database("unchanged");
            drop(ran.says(&[&format!("queries that drizzle-kit sends through {says} cannot be held"), "hint: "]));
        }
    }
}
