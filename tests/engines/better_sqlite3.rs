//! A file of SQLite by better-sqlite3, which drizzle-kit takes where @libsql/client is not installed.

use serde_json::json;

use crate::support::Project;
use crate::support::commands::{self, Core};

const KITS: [&str; 2] = ["better-sqlite3-0.28.1", "better-sqlite3-0.31.11"];

fn project(kit: &str) -> Project {
    let project = Project::empty(kit);
    project.config(
        "export default { dialect: 'sqlite', schema: './schema.ts', out: './drizzle', dbCredentials: { url: 'app.db' } };",
    );
    project
}

/// Runs SQL on `app.db` and returns the last result's rows.
#[track_caller]
fn rows(project: &Project, statements: &[&str]) -> serde_json::Value {
    let script = "
        const database = new (require('better-sqlite3'))('app.db');
        let rows = [];
        for (const sql of process.argv.slice(1)) {
            const statement = database.prepare(sql);
            if (statement.reader) rows = statement.raw().all();
            else statement.run();
        }
        console.log(JSON.stringify(rows));";
    project.node(script, statements)
}

/// Makes a table that must be built anew, and rows that refer to it.
fn with_children(kit: &str) -> Project {
    let project = project(kit);
    project.write(
        "schema.ts",
        "import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
         export const users = sqliteTable('users', { id: integer('id').primaryKey({ autoIncrement: true }), name: text('name').notNull().default('x') });
         export const posts = sqliteTable('posts', { id: integer('id').primaryKey(),
           user: integer('user').references(() => users.id, { onDelete: 'cascade' }) });",
    );
    rows(
        &project,
        &[
            "CREATE TABLE users (id integer PRIMARY KEY NOT NULL, name text)",
            "INSERT INTO users VALUES (1, 'ann'), (2, 'bob')",
            "CREATE TABLE posts (id integer PRIMARY KEY NOT NULL, user integer,
               FOREIGN KEY (user) REFERENCES users(id) ON UPDATE no action ON DELETE cascade)",
            "INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)",
        ],
    );
    project
}

const CHILD_ROWS: &str = "SELECT count(*) FROM posts";

#[test]
fn rows_that_refer_to_a_table_outlive_its_rebuild_or_are_named() {
    for kit in KITS {
        let project = with_children(kit);
        let ran = project.push();
        assert_eq!(rows(&project, &[CHILD_ROWS]), json!([[3]]), "{ran}");
        if kit.ends_with("0.31.11") {
            assert!(ran.expect(0).database("changed").report.to_string().contains("rebuild_table"), "{kit}");
            continue;
        }
        let ran = ran.expect(3).database("unchanged");
        let ran =
            ran.says(&["delete_rows public.posts would delete 3 rows", "executes the statements in a transaction"]);
        project.paste(&ran.allow_with());
        let ran = project.push().expect(0).database("changed");
        assert_eq!(rows(&project, &[CHILD_ROWS]), json!([[0]]), "the test has no teeth\n{ran}");
    }
}

#[test]
fn a_migration_takes_no_rows_along_that_it_does_not_name() {
    for kit in KITS {
        let project = with_children(kit);
        project.sqlite_migration(
            "PRAGMA foreign_keys=OFF;--> statement-breakpoint
             CREATE TABLE `__new_users` (`id` integer PRIMARY KEY NOT NULL, `name` text NOT NULL);--> statement-breakpoint
             INSERT INTO `__new_users`(\"id\", \"name\") SELECT \"id\", \"name\" FROM `users`;--> statement-breakpoint
             DROP TABLE `users`;--> statement-breakpoint
             ALTER TABLE `__new_users` RENAME TO `users`;--> statement-breakpoint
             PRAGMA foreign_keys=ON;",
        );
        let ran = project.pilot(&["run", "--", "migrate"]).run().expect(3);
        let ran = ran.says(&["delete_rows public.posts would delete 3 rows", "the migrations run in one transaction"]);
        assert_eq!(rows(&project, &[CHILD_ROWS]), json!([[3]]), "{ran}");
        project.paste(&ran.allow_with());
        let ran = project.pilot(&["run", "--", "migrate"]).run().expect(0);
        assert_eq!(rows(&project, &[CHILD_ROWS]), json!([[0]]), "the test has no teeth\n{ran}");
    }
}

#[test]
fn what_differs_from_what_was_approved_is_not_sent() {
    let check = |meddle: &str, code: i32, says: &str| {
        let project = project("better-sqlite3-0.31.11");
        project.write(
            "schema.ts",
            "import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';
             export const a = sqliteTable('a', { id: integer('id') });
             export const victim = sqliteTable('victim', { id: integer('id') });",
        );
        rows(&project, &["CREATE TABLE victim (id integer)", "INSERT INTO victim VALUES (1)"]);
        project.config(&format!(
            "const Database = require('better-sqlite3');
             const {{ prepare }} = Database.prototype;
             Database.prototype.prepare = function (sql, ...rest) {{ {meddle}; return prepare.call(this, sql, ...rest); }};
             export default {{ dialect: 'sqlite', schema: './schema.ts', dbCredentials: {{ url: 'app.db' }} }};"
        ));
        let ran = project.push().expect(code).says(&[says]);
        assert_eq!(rows(&project, &["SELECT count(*) FROM victim"]), json!([[1]]), "{ran}");
    };
    check("if (/^CREATE TABLE `a`/.test(sql)) sql = 'DROP TABLE victim'", 4, "not the one that was approved");
    check("if (/sqlite_master/.test(sql)) sql = 'DELETE FROM victim'", 4, "is not read-only");
}

#[test]
fn a_failed_statement_is_told_in_the_drivers_words() {
    let project = project("better-sqlite3-0.31.11");
    project.write(
        "schema.ts",
        "import { integer, sqliteTable, uniqueIndex } from 'drizzle-orm/sqlite-core';
         export const a = sqliteTable('a', { id: integer('id') }, (t) => ({ i: uniqueIndex('i').on(t.id) }));",
    );
    rows(&project, &["CREATE TABLE a (id integer)", "INSERT INTO a VALUES (1), (1)"]);
    let ran = project.push().expect(6).database("maybe").says(&["UNIQUE constraint failed: a.id"]);
    assert!(ran.report["error"]["statement"].as_str().is_some_and(|sql| sql.contains("CREATE UNIQUE INDEX")), "{ran}");
}

#[test]
fn a_file_that_cannot_be_used_is_unavailable() {
    let project = project("better-sqlite3-0.31.11");
    project.write(
        "schema.ts",
        "import { integer, sqliteTable } from 'drizzle-orm/sqlite-core';
         export const a = sqliteTable('a', { id: integer('id') });",
    );
    project.write("app.db", &"this is no database. ".repeat(100));
    project.push().expect(69).database("unchanged").says(&["file is not a database"]);
}

#[test]
fn what_only_postgresql_has_is_declined() {
    commands::check("sqlite-better-sqlite3", &project("better-sqlite3-0.31.11"), Core::Sqlite);
}
