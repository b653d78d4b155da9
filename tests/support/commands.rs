//! What each command does on an engine, held against `fixtures/commands/ENGINE.json`; `UPDATE_DOCS=1` writes it there.

use std::collections::BTreeMap;
use std::path::Path;

use super::Project;

/// What a schema of the engine is made of.
#[allow(dead_code, reason = "no test target has all engines")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Core {
    Pg,
    MySql,
    Sqlite,
}

impl Core {
    /// Returns a schema file with these tables.
    fn schema(self, tables: &[&str]) -> String {
        let (package, table, integer) = match self {
            Core::Pg => ("pg", "pgTable", "integer"),
            Core::MySql => ("mysql", "mysqlTable", "int"),
            Core::Sqlite => ("sqlite", "sqliteTable", "integer"),
        };
        let import = format!("import {{ {integer}, {table} }} from 'drizzle-orm/{package}-core';\n");
        let made = tables.iter().map(|name| {
            format!(
                "export const {name} = {table}('{name}', {{ id: {integer}('id').primaryKey(), n: {integer}('n') }});\n"
            )
        });
        made.fold(import, |schema, table| schema + &table)
    }
}

/// Every command that looks at a database or changes it, by the name that docs/engines.md has for it, in an order in which each
/// has something to do.
const COMMANDS: [(&str, &[&str]); 15] = [
    ("doctor", &["doctor"]),
    ("generate", &["generate"]),
    ("check", &["check"]),
    ("run -- migrate", &["run", "--", "migrate"]),
    ("status", &["status"]),
    ("migrate", &["migrate"]),
    ("check --database", &["check", "--database"]),
    ("plan", &["plan"]),
    ("push", &["push"]),
    ("push --lock-timeout", &["push", "--lock-timeout", "1s"]),
    ("push --apply transaction", &["push", "--apply", "transaction"]),
    ("check --push", &["check", "--push"]),
    ("sync", &["sync", "--dry-run"]),
    ("reset", &["reset", "--dry-run"]),
    ("next", &["next"]),
];

/// Runs every command in a project whose config is written and whose database is empty: `a` comes by a migration, `b` by a push.
#[track_caller]
pub(crate) fn check(engine: &str, project: &Project, core: Core) {
    project.write("schema.ts", &core.schema(&["a"]));
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    let mut neither: Vec<String> = Vec::new();
    for (name, arguments) in COMMANDS {
        if name == "plan" {
            project.write("schema.ts", &core.schema(&["a", "b"]));
        }
        let ran = project.pilot(arguments).run();
        let outcome = match ran.code {
            0 => "works".to_owned(),
            // It has shown what there is to do.
            2 if !["push", "run -- migrate"].contains(&name) => "works".to_owned(),
            // What is not there for the engine is declined with a reason and before anything happens.
            code @ (64 | 78) => {
                let says_why =
                    ran.stderr.contains(" is for PostgreSQL") || ran.stderr.contains("--lock-timeout is for");
                assert!(says_why && ran.stderr.contains("hint: "), "{engine}: {name}: {ran}");
                assert_eq!(ran.report["database"], "unchanged", "{engine}: {name}: {ran}");
                format!("declined, {code}")
            }
            _ => {
                neither.push(format!("{engine}: {name} is neither done nor declined: {ran}"));
                continue;
            }
        };
        if ["push", "run -- migrate"].contains(&name) {
            assert_eq!((outcome.as_str(), &ran.report["database"]), ("works", &"changed".into()), "{engine}: {ran}");
        }
        found.insert(name, outcome);
    }
    assert!(neither.is_empty(), "{}", neither.join("\n"));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/commands/{engine}.json"));
    let mut text = serde_json::to_string_pretty(&found).expect("it is a map of texts");
    text.push('\n');
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        std::fs::write(&file, text).expect("the fixtures can be written");
        return;
    }
    let recorded = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, recorded, "{engine}: UPDATE_DOCS=1 writes what was found into {}", file.display());
}
