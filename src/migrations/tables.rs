//! Knows which tables a project's migrations folder ever spoke of. Pure: folder in, names out.

use std::collections::BTreeSet;

use crate::migrations::folder::Folder;
use crate::migrations::snapshot::SnapshotContent;
use crate::sql::effect::{Effect, Kind};
use crate::sql::{self, Dialect, ObjectName};

/// Returns the tables that a migrations folder names in its last snapshot, or creates or renames in a migration. A file
/// that cannot be read tells of no table.
pub fn known(folder: &Folder, dialect: Dialect) -> BTreeSet<ObjectName> {
    let mut known = BTreeSet::new();
    for file in &folder.files {
        for statement in sql::split(&file.text, dialect).unwrap_or_default() {
            for effect in sql::read(&statement, dialect).effects {
                match effect {
                    Effect::Create { kind: Kind::Table, name, .. } => drop(known.insert(name)),
                    Effect::Rename { kind: Kind::Table, from, to } => known.extend([from, to]),
                    _ => {}
                }
            }
        }
    }
    if let Some(SnapshotContent::Read { tables, .. }) = folder.snapshots.last().map(|last| &last.content) {
        known.extend(tables.iter().cloned());
    }
    known
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_table_is_known_by_snapshot_or_migration() {
        let contents = [
            (
                "0000_a.sql",
                "CREATE TABLE \"old\" (\"id\" int);\n--> statement-breakpoint\nCREATE TABLE \"shop\".\"orders\" ();",
            ),
            ("0001_b.sql", "ALTER TABLE \"old\" RENAME TO \"new\";"),
            ("0002_broken.sql", "CREATE TABLE \"half"),
            (
                "meta/0000_snapshot.json",
                r#"{"id":"a","prevId":"0","tables":{"public.gone":{"name":"gone","schema":""}}}"#,
            ),
            (
                "meta/0001_snapshot.json",
                r#"{"id":"b","prevId":"a","tables":{"public.users":{"name":"users","schema":""}}}"#,
            ),
        ];
        let contents = contents.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let folder = Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read");
        let names: Vec<String> = known(&folder, Dialect::Postgres).iter().map(ToString::to_string).collect();
        assert_eq!(names, ["public.new", "public.old", "public.users", "shop.orders"]);
    }
}
