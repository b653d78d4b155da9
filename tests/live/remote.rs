//! A server of libSQL and D1, as far as a stand-in can be either (`tests/support/remote.cjs`): no test can have the real ones.

use serde_json::json;

use crate::NEWEST;
use crate::support::commands::{self, Core};
use crate::support::{Project, Remote};

on_every_kit! {
    what_is_sent_to_d1_is_held_and_rows_that_refer_are_named
    what_is_sent_to_libsql_is_held_and_rows_that_refer_are_named
}

const CHILD_ROWS: &str = "SELECT count(*) FROM posts";

fn project(kit: &str) -> Project {
    let project = Project::empty(kit);
    project.write(
        "schema.ts",
        "import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core';
         export const users = sqliteTable('users', { id: integer('id').primaryKey({ autoIncrement: true }), name: text('name').notNull().default('x') });
         export const posts = sqliteTable('posts', { id: integer('id').primaryKey(),
           user: integer('user').references(() => users.id, { onDelete: 'cascade' }) });",
    );
    project.libsql(&[
        "CREATE TABLE users (id integer PRIMARY KEY NOT NULL, name text)",
        "INSERT INTO users VALUES (1, 'ann')",
        "CREATE TABLE posts (id integer PRIMARY KEY NOT NULL, user integer,
           FOREIGN KEY (user) REFERENCES users(id) ON UPDATE no action ON DELETE cascade)",
        "INSERT INTO posts VALUES (1, 1), (2, 1), (3, 1)",
    ]);
    project
}

/// Pushes what builds `users` anew.
#[track_caller]
fn check(project: &Project) {
    let ran = project.push().expect(3).database("unchanged");
    let ran = ran.says(&[
        "delete_rows public.posts would delete 3 rows; they refer to public.users through user ON DELETE CASCADE",
    ]);
    assert_eq!(project.libsql(&[CHILD_ROWS]), json!([[3]]), "{ran}");
    project.paste(&ran.allow_with());
    let ran = project.push().expect(0).database("changed");
    assert!(ran.report.to_string().contains("rebuild_table"), "{ran}");
}

fn d1(remote: &Remote, meddle: &str) -> String {
    // drizzle-kit knows one host, to which no test may go.
    format!(
        "import http from 'node:http';
         import https from 'node:https';
         (https as any).request = (url: string, options: object, done: () => void) => {{
           const made: any = http.request(url.replace('https://api.cloudflare.com', 'http://127.0.0.1:{}'), {{ ...options, agent: undefined }}, done);
           {meddle}
           return made;
         }};
         export default {{ dialect: 'sqlite', driver: 'd1-http', schema: './schema.ts',
           dbCredentials: {{ accountId: 'a', databaseId: 'b', token: process.env.TOKEN ?? 'secret' }} }};",
        remote.port
    )
}

fn what_is_sent_to_d1_is_held_and_rows_that_refer_are_named(kit: &str) {
    let project = project(kit);
    let remote = project.remote("secret");
    project.config(&d1(&remote, ""));
    project.pilot(&["plan"]).env("TOKEN", "other").run().expect(69).says(&["Authentication error"]);
    check(&project);
    // Another text in the body is another query.
    project.libsql(&["CREATE TABLE victim (id integer)"]);
    project.config(&d1(
        &remote,
        "const { write } = made;
         made.write = (chunk: Buffer, ...rest: any[]) => write(Buffer.from(String(chunk).replace(/\"sql\":\".*?sqlite_master.*?\"/s, '\"sql\":\"DROP TABLE victim\"')), ...rest);",
    ));
    let ran = project.pilot(&["plan"]).run().expect(4).database("unchanged").says(&["DROP TABLE victim"]);
    assert_eq!(project.libsql(&["SELECT count(*) FROM victim"]), json!([[0]]), "{ran}");
}

fn what_is_sent_to_libsql_is_held_and_rows_that_refer_are_named(kit: &str) {
    for dialect in ["sqlite", "turso"] {
        if dialect == "turso" && ["0.21.4", "0.22.8"].contains(&kit) {
            continue;
        }
        let project = project(kit);
        // drizzle-kit has no token for the dialect `sqlite`.
        let remote = project.remote(if dialect == "turso" { "secret" } else { "" });
        project.config(&format!(
            "export default {{ dialect: '{dialect}', schema: './schema.ts',
               dbCredentials: {{ url: 'http://127.0.0.1:{}', authToken: process.env.TOKEN ?? 'secret' }} }};",
            remote.port
        ));
        if dialect == "turso" {
            project.pilot(&["plan"]).env("TOKEN", "other").run().expect(69).says(&["401"]);
        }
        if dialect == "sqlite" && kit == "0.28.1" {
            let ran = project.push().expect(78).database("unchanged");
            let ran = ran.says(&["wraps a push with the dialect sqlite in BEGIN and COMMIT", "dialect: 'turso'"]);
            assert_eq!(project.libsql(&[CHILD_ROWS]), json!([[3]]), "{ran}");
            continue;
        }
        check(&project);
    }
}

#[test]
fn what_only_postgresql_has_is_declined_for_d1_and_a_server_of_libsql() {
    let project = Project::empty(NEWEST);
    let remote = project.remote("secret");
    let out = "schema: './schema.ts', out: './drizzle', ";
    project.config(&d1(&remote, "").replace("schema: './schema.ts',", out));
    commands::check("d1", &project, Core::Sqlite);
    let project = Project::empty(NEWEST);
    let remote = project.remote("secret");
    project.config(&format!(
        "export default {{ dialect: 'turso', {out}dbCredentials: {{ url: 'http://127.0.0.1:{}', authToken: 'secret' }} }};",
        remote.port
    ));
    commands::check("turso", &project, Core::Sqlite);
}
