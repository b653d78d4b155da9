//! A statement that fails is told in the words of the driver, whatever drizzle-kit prints of it.

use crate::support::commands::{self, Core};
use crate::support::{Database, Project};

/// The primary key that a table with two equal rows cannot have.
const KEY: &str = "export const a = pgTable('a', { id: integer('id').primaryKey() });";

#[test]
fn a_failed_statement_is_told_in_the_drivers_words() {
    for kit in ["0.31.11", "postgres-js"] {
        let database = Database::create();
        database.sql("CREATE TABLE a (id integer); INSERT INTO a VALUES (1), (1)");
        let project = Project::new(kit, &database);
        project.schema(KEY);
        let ran = project.push().expect(6).database("maybe").says(&["could not create unique index", "23505"]);
        let error = &ran.report["error"];
        assert_eq!(error["detail"], "Key (id)=(1) is duplicated.", "{ran}");
        assert!(error["statement"].as_str().is_some_and(|sql| sql.contains("ADD PRIMARY KEY")), "{ran}");
    }
    let project = Project::sqlite("0.31.11");
    project.write(
        "schema.ts",
        "import { integer, sqliteTable, uniqueIndex } from 'drizzle-orm/sqlite-core';
         export const a = sqliteTable('a', { id: integer('id') }, (t) => ({ i: uniqueIndex('i').on(t.id) }));",
    );
    project.libsql(&["CREATE TABLE a (id integer)", "INSERT INTO a VALUES (1), (1)"]);
    let ran = project.push().expect(6).database("maybe").says(&["UNIQUE constraint failed: a.id"]);
    assert!(ran.report["error"]["statement"].as_str().is_some_and(|sql| sql.contains("CREATE UNIQUE INDEX")), "{ran}");
}

/// The other engines are held against it: docs/engines.md.
#[test]
fn every_command_works_on_postgresql() {
    let database = Database::create();
    let project = Project::new("0.31.11", &database);
    project.policy("[guard]\nhosts = ['127.0.0.1']\n");
    commands::check("postgresql", &project, Core::Pg);
}
