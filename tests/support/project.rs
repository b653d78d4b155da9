//! A folder like a user's: drizzle config, schema, policy, and one of the real drizzle-kits in `node_modules`, or none.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use tempfile::TempDir;
use url::Url;

use super::{Database, Ran, Run, Theme, lab_variable};

/// What the schemas in the tests import.
const IMPORTS: &str =
    "import { integer, pgEnum, pgSchema, pgTable, serial, text, unique } from 'drizzle-orm/pg-core';\n\n";

pub(crate) struct Project {
    dir: Arc<TempDir>,
    /// Whether there is no drizzle-kit, or a fake one.
    bare: bool,
    /// The database's URL; the shared config reads it from `DATABASE_URL`.
    url: Option<Url>,
}

impl Project {
    /// Makes an empty folder, for runs with a fake drizzle-kit or none.
    pub(crate) fn bare() -> Self {
        Self { dir: Arc::new(folder("it prüft ")), bare: true, url: None }
    }

    /// Makes a project for a database, with the shared config and nothing else.
    pub(crate) fn new(kit: &str, database: &Database) -> Self {
        let project = Self { url: Some(database.url()), ..Self::empty(kit) };
        std::fs::copy(fixtures().join("drizzle.config.ts"), project.path("drizzle.config.ts"))
            .expect("the fixtures are part of the repository");
        project
    }

    /// Makes the project of `fixtures/projects/<name>` and brings the database into the state it starts from.
    pub(crate) fn fixture(kit: &str, name: &str, database: &Database) -> Self {
        let project = Self::new(kit, database);
        let from = fixtures().join(name);
        let read = |file: &str| std::fs::read_to_string(from.join(file));
        database.sql(&read("before.sql").expect("a fixture has a before.sql"));
        project.write("schema.ts", &read("schema.ts").expect("a fixture has a schema.ts"));
        if let Ok(policy) = read("drizzle-pilot.toml") {
            project.write("drizzle-pilot.toml", &policy);
        }
        project
    }

    /// Makes a project with the modules of a theme's changes, its config and its policy; the schema is still to come.
    pub(crate) fn changes(kit: &str, theme: &Theme, database: &Database) -> Self {
        let project = Self { url: Some(database.url()), ..Self::empty(kit) };
        for file in ["drizzle.config.ts", "drizzle-pilot.toml"] {
            project.write(file, &theme.file(file));
        }
        std::fs::create_dir(project.path("changes")).expect("the folder is ours");
        for change in &theme.changes {
            project.write(&format!("changes/{}.ts", change.name), change.text());
        }
        project
    }

    /// Makes a project whose database is a file of its own, `app.db`.
    pub(crate) fn sqlite(kit: &str) -> Self {
        let project = Self::empty(kit);
        project.config(
            "export default { dialect: 'sqlite', schema: './schema.ts', dbCredentials: { url: 'file:app.db' } };\n",
        );
        project
    }

    /// Makes a project whose database nobody needs.
    pub(crate) fn without_database(kit: &str) -> Self {
        let project = Self::empty(kit);
        project.config("export default { dialect: 'postgresql', schema: './schema.ts', out: './drizzle' };\n");
        project
    }

    /// Makes a project without a config.
    pub(crate) fn empty(kit: &str) -> Self {
        let dir = folder("live project ");
        let kit = PathBuf::from(lab_variable("DRIZZLE_PILOT_LAB")).join(kit).join("node_modules");
        assert!(kit.is_dir(), "{} is missing: run scripts/test", kit.display());
        std::os::unix::fs::symlink(kit, dir.path().join("node_modules")).expect("the folder is empty");
        Self { dir: Arc::new(dir), bare: false, url: None }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.dir.path().join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        super::run::write(&self.path(file), text);
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    pub(crate) fn config(&self, text: &str) {
        self.write("drizzle.config.ts", text);
    }

    /// Writes the schema; what it may need from drizzle-orm is imported already.
    pub(crate) fn schema(&self, text: &str) {
        self.write("schema.ts", &format!("{IMPORTS}{text}"));
    }

    /// Writes the policy, without its version line.
    pub(crate) fn policy(&self, text: &str) {
        self.write("drizzle-pilot.toml", &format!("version = 1\n{text}"));
    }

    /// Writes what a refusal printed as the policy: a whole file where there was none, else lines to add.
    pub(crate) fn paste(&self, printed: &str) {
        let is_whole = printed.contains("version = ");
        self.write(
            "drizzle-pilot.toml",
            &if is_whole { printed.to_owned() } else { format!("version = 1\n{printed}") },
        );
    }

    /// Takes the policy away, so that the built-in one applies.
    pub(crate) fn without_policy(self) -> Self {
        std::fs::remove_file(self.path("drizzle-pilot.toml")).expect("the fixture has a policy");
        self
    }

    /// Prepares a run of the program in this folder.
    pub(crate) fn pilot(&self, arguments: &[&str]) -> Run {
        let run = Run::within(self.dir.path(), arguments).keeping(&self.dir);
        let run = if self.bare { run.guarded() } else { run };
        match &self.url {
            Some(url) => run.env("DATABASE_URL", url.as_str()),
            None => run,
        }
    }

    /// Prepares a run of a command line that starts the program in its own way, in a folder of this one.
    pub(crate) fn command(&self, folder: &str, command: &[&str]) -> Run {
        let run = Run::within(&self.path(folder), &[]).keeping(&self.dir).instead(command);
        match &self.url {
            Some(url) => run.env("DATABASE_URL", url.as_str()),
            None => run,
        }
    }

    /// Prepares a run of the bare drizzle-kit, as it is without this program.
    pub(crate) fn kit(&self, arguments: &[&str]) -> Run {
        self.command("", &[&["node", "node_modules/drizzle-kit/bin.cjs"], arguments].concat())
    }

    /// Runs `drizzle-pilot push` and waits for its end.
    #[track_caller]
    pub(crate) fn push(&self) -> Ran {
        self.pilot(&["push"]).run()
    }

    /// Runs git in this folder, as nobody in particular.
    pub(crate) fn git(&self, arguments: &[&str]) -> Output {
        Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(self.dir.path())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is installed: apt-get install git")
    }

    /// Starts what stands in for a server of libSQL and for D1, with `app.db` behind it (`tests/support/remote.cjs`).
    pub(crate) fn remote(&self, token: &str) -> Remote {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/remote.cjs");
        let mut child = Command::new("node")
            .arg(script)
            .args(["app.db", token])
            .current_dir(self.dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is installed");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is a pipe");
        BufReader::new(stdout).read_line(&mut line).expect("it prints its port");
        Remote { child, port: line.trim().parse().expect("it prints a number") }
    }

    /// Runs SQL on `app.db` and returns the last result's rows as JSON arrays.
    #[track_caller]
    pub(crate) fn libsql(&self, statements: &[&str]) -> serde_json::Value {
        let script = "
            const client = require('@libsql/client').createClient({ url: 'file:app.db' });
            (async () => {
                let rows = [];
                for (const sql of process.argv.slice(1)) rows = (await client.execute(sql)).rows;
                console.log(JSON.stringify(rows.map((row) => Array.from(row))));
            })();";
        self.node(script, statements)
    }

    /// Runs a script of node in this folder, and returns the JSON that it prints.
    #[track_caller]
    pub(crate) fn node(&self, script: &str, arguments: &[&str]) -> serde_json::Value {
        let output = Command::new("node")
            .args(["-e", script])
            .args(arguments)
            .current_dir(self.dir.path())
            .stderr(Stdio::inherit())
            .output()
            .expect("node is installed");
        assert!(output.status.success(), "{:?}", arguments.last());
        serde_json::from_slice(&output.stdout).expect("the script prints JSON")
    }

    /// Writes a migrations folder for SQLite with one migration.
    pub(crate) fn sqlite_migration(&self, sql: &str) {
        std::fs::create_dir_all(self.path("drizzle/meta")).expect("the folder is ours");
        let entry = serde_json::json!({
            "idx": 0, "version": "6", "when": 1_700_000_000_000_i64, "tag": "0000_a", "breakpoints": true
        });
        let journal = serde_json::json!({ "version": "7", "dialect": "sqlite", "entries": [entry] });
        self.write("drizzle/meta/_journal.json", &journal.to_string());
        self.write("drizzle/0000_a.sql", sql);
    }
}

/// A server that ends when dropped.
pub(crate) struct Remote {
    child: Child,
    pub(crate) port: u16,
}

impl Drop for Remote {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn folder(prefix: &str) -> TempDir {
    tempfile::Builder::new().prefix(prefix).tempdir().expect("there is a temporary folder")
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/projects")
}
