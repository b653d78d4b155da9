//! MariaDB by mysql2. It stands in for MySQL and SingleStore as well, of which no test has a server.

use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::support::commands::{self, Core};
use crate::support::{Project, lab_variable};

const KITS: [&str; 2] = ["mysql2-0.21.4", "mysql2-0.31.11"];

/// A project with a database of its own.
struct Own {
    project: Project,
    url: String,
}

impl Own {
    fn new(kit: &str) -> Own {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let name = format!("shop_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let server = lab_variable("DRIZZLE_PILOT_MARIADB");
        let project = Project::empty(kit);
        let own = Own { url: format!("{server}/{name}"), project };
        rows(&own.project, &format!("{server}/mysql"), &[&format!("CREATE DATABASE {name}")]);
        own.config(&own.url);
        own
    }

    fn config(&self, url: &str) {
        self.project.config(&format!(
            "export default {{ dialect: 'mysql', schema: './schema.ts', out: './drizzle', dbCredentials: {{ url: '{url}' }} }};"
        ));
    }

    fn schema(&self, text: &str) {
        self.project.write(
            "schema.ts",
            &format!(
                "import {{ boolean, int, mysqlTable, timestamp, varchar }} from 'drizzle-orm/mysql-core';\n{text}"
            ),
        );
    }

    /// Runs SQL and returns the last result's rows.
    #[track_caller]
    fn sql(&self, statements: &[&str]) -> Value {
        rows(&self.project, &self.url, statements)
    }
}

#[track_caller]
fn rows(project: &Project, url: &str, statements: &[&str]) -> Value {
    let script = "
        (async () => {
            const [url, ...statements] = process.argv.slice(1);
            const connection = await require('mysql2/promise').createConnection({ uri: url, rowsAsArray: true });
            let rows = [];
            for (const sql of statements) [rows] = await connection.query(sql);
            await connection.end();
            console.log(JSON.stringify(Array.isArray(rows) ? rows : []));
        })().catch((error) => { console.error(error); process.exit(1); });";
    project.node(script, &[&[url], statements].concat())
}

const USERS: &str =
    "export const users = mysqlTable('users', { id: int('id').primaryKey(), age: int('age'), on: boolean('on'),
    name: varchar('name', { length: 20 }).default('x'), at: timestamp('at').defaultNow() });\n";

#[test]
fn what_did_not_change_is_not_changed_by_a_second_push() {
    for kit in KITS {
        let own = Own::new(kit);
        own.schema(USERS);
        drop(own.project.push().expect(0).database("changed").says(&["the server is MariaDB"]));
        own.sql(&["INSERT INTO users (id, age) VALUES (1, 30)"]);
        let ran = own.project.pilot(&["push", "--accept-data-loss"]).run().expect(0).database("unchanged");
        assert_eq!(own.sql(&["SELECT id, age FROM users"]), json!([[1, 30]]), "{ran}");
    }
}

#[test]
fn a_dropped_table_and_column_need_consent() {
    for kit in KITS {
        let own = Own::new(kit);
        own.sql(&[
            "CREATE TABLE users (id int PRIMARY KEY, age int, nick varchar(9))",
            "INSERT INTO users VALUES (1, 2, 'a')",
        ]);
        own.sql(&["CREATE TABLE old (id int)", "INSERT INTO old VALUES (1)"]);
        own.schema("export const users = mysqlTable('users', { id: int('id').primaryKey(), age: int('age') });");
        let ran = own.project.push().expect(3).database("unchanged");
        let ran = ran.says(&["drop_table public.old", "drop_column public.users.nick"]);
        assert_eq!(own.sql(&["SELECT count(*) FROM old"]), json!([[1]]), "{ran}");
        own.project.paste(&ran.allow_with());
        drop(own.project.push().expect(0).database("changed"));
        assert_eq!(own.sql(&["SHOW TABLES"]).as_array().map(Vec::len), Some(1), "{kit}");
    }
}

#[test]
fn what_differs_from_what_was_approved_is_not_sent() {
    for (meddle, says) in [
        ("if (/^CREATE TABLE `a`/.test(sql)) sql = 'DROP TABLE victim'", "not the one that was approved"),
        ("if (/information_schema/i.test(sql)) sql = 'DELETE FROM victim'", "is not read-only"),
    ] {
        let own = Own::new("mysql2-0.31.11");
        own.sql(&["CREATE TABLE victim (id int)", "INSERT INTO victim VALUES (1)"]);
        own.schema(
            "export const victim = mysqlTable('victim', { id: int('id') });
             export const a = mysqlTable('a', { id: int('id') });",
        );
        own.project.config(&format!(
            "const Connection = require('mysql2').Connection;
             for (const name of ['query', 'execute']) {{
               const send = Connection.prototype[name];
               Connection.prototype[name] = function (sql, ...rest) {{
                 const text = typeof sql === 'string' ? sql : sql.sql;
                 const changed = ((sql) => {{ {meddle}; return sql; }})(text);
                 if (changed !== text) sql = typeof sql === 'string' ? changed : Object.assign(sql, {{ sql: changed }});
                 return send.call(this, sql, ...rest);
               }};
             }}
             export default {{ dialect: 'mysql', schema: './schema.ts', dbCredentials: {{ url: '{}' }} }};",
            own.url
        ));
        let ran = own.project.push().expect(4).says(&[says]);
        assert_eq!(own.sql(&["SELECT count(*) FROM victim"]), json!([[1]]), "{ran}");
    }
}

#[test]
fn a_failed_statement_is_told_in_the_servers_words() {
    for kit in KITS {
        let own = Own::new(kit);
        own.sql(&["CREATE TABLE a (id int)", "INSERT INTO a VALUES (1), (1)"]);
        own.schema("export const a = mysqlTable('a', { id: int('id').unique('u') });");
        let ran = own.project.push().expect(6).database("maybe").says(&["Duplicate entry '1' for key 'u'"]);
        assert!(ran.report["error"]["statement"].as_str().is_some_and(|sql| sql.contains("UNIQUE")), "{ran}");
    }
}

#[test]
fn a_server_that_lets_nobody_in_is_unavailable() {
    let own = Own::new("mysql2-0.31.11");
    own.schema(USERS);
    let password = own.url.split([':', '@']).nth(2).expect("the URL has a password").to_owned();
    for (url, says) in [
        (own.url.replace(&password, "hunter2-wrong"), "Access denied"),
        (format!("{}_missing", own.url), "Unknown database"),
    ] {
        own.config(&url);
        let ran = own.project.push().expect(69).database("unchanged").says(&[says]);
        drop(ran.never_says("hunter2-wrong"));
    }
}

#[test]
fn two_runs_do_not_change_one_database_at_once() {
    let own = Own::new("mysql2-0.31.11");
    own.schema(USERS);
    own.project.write(
        "hold.cjs",
        "const [, , url] = process.argv;
         (async () => {
             const connection = await require('mysql2/promise').createConnection(url);
             const [[row]] = await connection.query(\"SELECT GET_LOCK(CONCAT('drizzle-pilot:', MD5(DATABASE())), 0) AS taken\");
             console.log(row.taken);
         })();",
    );
    let mut holder = Command::new("node")
        .args(["hold.cjs", &own.url])
        .current_dir(own.project.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is installed");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("it is a pipe");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("it says whether it has it");
    assert_eq!(line.trim(), "1");
    let ran = own.project.pilot(&["push", "--lock-timeout", "1s"]).run().expect(75).database("unchanged");
    holder.kill().expect("it runs");
    holder.wait().expect("it is our child");
    drop(ran.says(&["another run that changes this database"]));
    drop(own.project.pilot(&["push", "--lock-timeout", "1s"]).run().expect(0).database("changed"));
}

#[test]
fn what_only_postgresql_has_is_declined() {
    let own = Own::new("mysql2-0.31.11");
    commands::check("mariadb", &own.project, Core::MySql);
}
