//! Knows which tables a project's migrations folder ever spoke of: its snapshots and its SQL files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::sql::effect::{Effect, Kind};
use crate::sql::{self, Dialect, ObjectName, PUBLIC};

/// The tables of a snapshot (`meta/0000_snapshot.json`, drizzle-kit 0.20 to 0.31).
#[derive(Deserialize)]
struct Snapshot {
    #[serde(default)]
    tables: std::collections::BTreeMap<String, Table>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    #[serde(default)]
    schema: Option<String>,
}

/// Returns the tables that a migrations folder names in its last snapshot or creates or renames in a migration; none
/// where there is no such folder. A file that cannot be read tells of no table.
pub fn known(folder: &Path, dialect: Dialect) -> Option<BTreeSet<ObjectName>> {
    let migrations = files(folder, ".sql")?;
    let mut known = BTreeSet::new();
    for migration in migrations {
        let text = fs::read_to_string(migration).unwrap_or_default();
        for statement in sql::split(&text, dialect).unwrap_or_default() {
            for effect in sql::read(&statement, dialect).effects {
                match effect {
                    Effect::Create { kind: Kind::Table, name, .. } => drop(known.insert(name)),
                    Effect::Rename { kind: Kind::Table, from, to } => known.extend([from, to]),
                    _ => {}
                }
            }
        }
    }
    if let Some(last) =
        files(&folder.join("meta"), "_snapshot.json").and_then(|snapshots| snapshots.into_iter().next_back())
    {
        let text = fs::read_to_string(last).unwrap_or_default();
        let snapshot: Snapshot = serde_json::from_str(&text).unwrap_or(Snapshot { tables: Default::default() });
        known.extend(snapshot.tables.into_values().map(|Table { name, schema }| {
            let schema = schema.filter(|schema| !schema.is_empty()).unwrap_or_else(|| PUBLIC.to_owned());
            ObjectName::new([schema, name])
        }));
    }
    Some(known)
}

/// Returns the files of a folder whose names end so, in the order of their names.
fn files(folder: &Path, ending: &str) -> Option<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).ok()?;
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(ending)));
    files.sort();
    Some(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_known_by_snapshot_or_migration() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("the folder is ours");
            fs::write(path, text).expect("the folder is ours");
        };
        write(
            "0000_a.sql",
            "CREATE TABLE \"old\" (\"id\" int);\n--> statement-breakpoint\nCREATE TABLE \"shop\".\"orders\" ();",
        );
        write("0001_b.sql", "ALTER TABLE \"old\" RENAME TO \"new\";");
        write("0002_broken.sql", "CREATE TABLE \"half");
        write("meta/0000_snapshot.json", r#"{"tables":{"public.gone":{"name":"gone","schema":""}}}"#);
        write("meta/0001_snapshot.json", r#"{"tables":{"public.users":{"name":"users","schema":""}}}"#);
        let known = known(folder.path(), Dialect::Postgres).expect("there is a folder");
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["public.new", "public.old", "public.users", "shop.orders"]);
        assert_eq!(super::known(&folder.path().join("nowhere"), Dialect::Postgres), None);
    }
}
