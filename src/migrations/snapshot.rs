//! Reads a snapshot (`meta/0000_snapshot.json`, drizzle-kit 0.20 to 0.31), as far as it matters here. Pure: text in, value out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::finding::Position;
use super::journal_file::conflict;
use crate::sql::{ObjectName, PUBLIC};

/// A snapshot: what the schema files said when a migration was generated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// `0000_snapshot.json`.
    pub name: String,
    pub content: SnapshotContent,
}

/// What a snapshot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SnapshotContent {
    Read {
        id: String,
        /// The snapshot that this one was made from; zeros for the first.
        prev_id: String,
        /// Where the file says it.
        prev_at: Position,
        tables: Vec<ObjectName>,
    },
    /// Git left its conflict markers in it.
    Conflicted { at: Position },
    /// It is no JSON, or not that of a snapshot.
    Broken { at: Position, message: String },
}

/// The `prevId` of a first snapshot.
pub const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    id: String,
    #[serde(borrow)]
    prev_id: &'a RawValue,
    #[serde(default)]
    tables: BTreeMap<String, Table>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    #[serde(default)]
    schema: Option<String>,
}

/// Reads the text of a snapshot.
pub fn read(name: String, text: &str) -> Snapshot {
    let parsed = serde_json::from_str(text).and_then(|parsed: Text<'_>| {
        let prev_id: String = serde_json::from_str(parsed.prev_id.get())?;
        Ok((parsed, prev_id))
    });
    let content = match parsed {
        Ok((Text { id, prev_id: raw, tables }, prev_id)) => {
            let prev_at = Position::of(text, raw.get().as_ptr() as usize - text.as_ptr() as usize);
            let tables = tables.into_values().map(|Table { name, schema }| {
                let schema = schema.filter(|schema| !schema.is_empty()).unwrap_or_else(|| PUBLIC.to_owned());
                ObjectName::new([schema, name])
            });
            SnapshotContent::Read { id, prev_id, prev_at, tables: tables.collect() }
        }
        Err(error) => match conflict(text) {
            Some(at) => SnapshotContent::Conflicted { at },
            None => SnapshotContent::Broken {
                at: Position { line: error.line().max(1), column: error.column().max(1) },
                message: error.to_string(),
            },
        },
    };
    Snapshot { name, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read_or_says_why_not() {
        let text = r#"{"id":"b","prevId":"a","version":"7","tables":{
            "public.users":{"name":"users","schema":"","columns":{}},"shop.o":{"name":"o","schema":"shop"}}}"#;
        let tables = vec![ObjectName::new(["public", "users"]), ObjectName::new(["shop", "o"])];
        let content = |text| read("0001_snapshot.json".into(), text).content;
        assert_eq!(
            content(text),
            SnapshotContent::Read {
                id: "b".into(),
                prev_id: "a".into(),
                prev_at: Position { line: 1, column: 20 },
                tables
            }
        );
        assert_eq!(
            content("{\n<<<<<<< HEAD\n\"id\":\"b\"\n=======\n>>>>>>> x\n}"),
            SnapshotContent::Conflicted { at: Position { line: 2, column: 1 } }
        );
        assert_eq!(
            content("{\"id\":\"b\"}"),
            SnapshotContent::Broken {
                at: Position { line: 1, column: 10 },
                message: "missing field `prevId` at line 1 column 10".into()
            }
        );
    }
}
