//! Reads a snapshot (`meta/0000_snapshot.json`, drizzle-kit 0.20 to 0.31), as far as it matters here. Pure: text in, value out.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use serde_json::value::RawValue;

use crate::migrations::finding::Position;
use crate::migrations::journal_file::{conflict, parse};
use crate::sql::action::{Column, Key, KeyOf, OnChange, Table as Made, Value};
use crate::sql::effect::Proof;
use crate::sql::types::SqlType;
use crate::sql::{Dialect, ObjectName, PUBLIC};

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
        /// The form in which it is written, where it says so.
        version: Option<u32>,
        tables: Vec<ObjectName>,
        /// The rest of what it says, as it is written.
        details: Details,
    },
    /// Git left its conflict markers in it.
    Conflicted { at: Position },
    /// It is no JSON, or not that of a snapshot.
    Broken { at: Position, message: String },
}

/// The `prevId` of a first snapshot.
pub const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";

impl Snapshot {
    /// Tells whether it says what there is.
    pub fn is_readable(&self) -> bool {
        matches!(self.content, SnapshotContent::Read { .. })
    }
}

/// What a snapshot says of tables and enums, read when somebody asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Details {
    tables: String,
    enums: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text<'a> {
    id: String,
    #[serde(borrow)]
    prev_id: &'a RawValue,
    #[serde(default)]
    version: Json,
    #[serde(borrow, default)]
    tables: Option<&'a RawValue>,
    #[serde(borrow, default)]
    enums: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Table {
    name: String,
    #[serde(default)]
    schema: Option<String>,
}

/// Reads the text of a snapshot.
pub fn read(name: String, text: &str) -> Snapshot {
    let parsed = parse(text, text).and_then(|parsed: Text<'_>| {
        let prev_id: String = parse(text, parsed.prev_id.get())?;
        let tables: BTreeMap<String, Table> = match parsed.tables {
            Some(raw) => parse(text, raw.get())?,
            None => BTreeMap::new(),
        };
        Ok((parsed, prev_id, tables))
    });
    let content = match parsed {
        Ok((Text { id, prev_id: raw, version, tables: raw_tables, enums }, prev_id, tables)) => {
            let prev_at = Position::of(text, raw.get().as_ptr() as usize - text.as_ptr() as usize);
            let tables = tables.into_values().map(|Table { name, schema }| whole(schema, name)).collect();
            let owned = |raw: Option<&RawValue>| raw.map(|raw| raw.get().to_owned()).unwrap_or_default();
            let details = Details { tables: owned(raw_tables), enums: owned(enums) };
            let version = match version {
                Json::String(version) => version.parse().ok(),
                Json::Number(version) => version.as_u64().and_then(|version| version.try_into().ok()),
                _ => None,
            };
            SnapshotContent::Read { id, prev_id, prev_at, version, tables, details }
        }
        Err((at, message)) => match conflict(text) {
            Some(at) => SnapshotContent::Conflicted { at },
            None => SnapshotContent::Broken { at, message },
        },
    };
    Snapshot { name, content }
}

fn whole(schema: Option<String>, name: String) -> ObjectName {
    let schema = schema.filter(|schema| !schema.is_empty()).unwrap_or_else(|| PUBLIC.to_owned());
    ObjectName::new([schema, name])
}

impl Details {
    /// Returns the tables with their columns and keys, as far as they can be read (drizzle-kit 0.20 to 0.31).
    pub fn tables(&self, dialect: Dialect) -> Vec<Made> {
        objects(&self.tables).values().filter_map(|table| made(table, dialect)).collect()
    }

    /// Returns the enums with their values.
    pub fn enums(&self) -> Vec<(ObjectName, Vec<String>)> {
        let read = |of: &Json| Some((whole(text(of, "schema"), text(of, "name")?), strings(of.get("values")?)));
        objects(&self.enums).values().filter_map(read).collect()
    }

    /// Returns the indexes with the operator classes of their columns, where they have some.
    pub fn operator_classes(&self) -> Vec<(ObjectName, Vec<String>)> {
        let of_table = |table: &Json| {
            let schema = text(table, "schema");
            let read = |index: &Json| {
                let columns = index.get("columns").and_then(Json::as_array)?;
                let classes: Vec<String> = columns.iter().filter_map(|column| text(column, "opclass")).collect();
                Some((whole(schema.clone(), text(index, "name")?), classes)).filter(|(_, classes)| !classes.is_empty())
            };
            parts(table, "indexes").filter_map(read).collect::<Vec<_>>()
        };
        objects(&self.tables).values().flat_map(of_table).collect()
    }
}

/// Returns the objects of a part of a snapshot, by the names that it has for them; none of what cannot be read.
fn objects(text: &str) -> BTreeMap<String, Json> {
    serde_json::from_str(text).unwrap_or_default()
}

/// Returns what a table has of a kind.
fn parts<'a>(table: &'a Json, of: &str) -> impl Iterator<Item = &'a Json> + use<'a> {
    table.get(of).and_then(Json::as_object).into_iter().flat_map(|of| of.values())
}

fn made(table: &Json, dialect: Dialect) -> Option<Made> {
    let name = whole(text(table, "schema"), text(table, "name")?);
    let parts = |of: &str| parts(table, of);
    let mut keys = Vec::new();
    let key = |name, of| Key { name, of, is_not_valid: false };
    for index in parts("indexes").filter(|index| is(index, "isUnique") && index.get("where").is_none_or(Json::is_null))
    {
        let columns = strings(index.get("columns").unwrap_or(&Json::Null));
        let of = KeyOf::Unique { columns, by_index: false, nulls_are_equal: false };
        keys.push(key(text(index, "name"), of));
    }
    for unique in parts("uniqueConstraints") {
        let columns = strings(unique.get("columns").unwrap_or(&Json::Null));
        let of = KeyOf::Unique { columns, by_index: false, nulls_are_equal: is(unique, "nullsNotDistinct") };
        keys.push(key(text(unique, "name"), of));
    }
    for primary in parts("compositePrimaryKeys") {
        let columns = strings(primary.get("columns").unwrap_or(&Json::Null));
        keys.push(key(text(primary, "name"), KeyOf::Primary { columns, by_index: false }));
    }
    for foreign in parts("foreignKeys") {
        let Some(to) = text(foreign, "tableTo") else { continue };
        let on = |of: &str| match text(foreign, of).unwrap_or_default().to_ascii_lowercase().as_str() {
            "cascade" => OnChange::Cascade,
            "set null" => OnChange::SetNull(Vec::new()),
            "set default" => OnChange::SetDefault(Vec::new()),
            _ => OnChange::Nothing,
        };
        let of = KeyOf::Foreign {
            columns: strings(foreign.get("columnsFrom").unwrap_or(&Json::Null)),
            to: whole(text(foreign, "schemaTo"), to),
            on_delete: on("onDelete"),
            on_update: on("onUpdate"),
        };
        keys.push(key(text(foreign, "name"), of));
    }
    let columns = parts("columns").filter_map(|column| column_of(column, dialect)).collect();
    Some(Made { name, is_temporary: false, proof: Proof::New, columns, keys, like: Vec::new(), partition_of: None })
}

fn column_of(column: &Json, dialect: Dialect) -> Option<Column> {
    let name = text(column, "name")?;
    let written = text(column, "type")?;
    let mut of = SqlType::read(&written, dialect);
    // The schema of an enum stands beside its name.
    if let (Some(SqlType { own: Some(own), name, .. }), Some(schema)) = (&mut of, text(column, "typeSchema")) {
        *own = whole(Some(schema), own.last().to_owned());
        *name = own.to_string();
    }
    let is_key = is(column, "primaryKey");
    let value = match column.get("default") {
        _ if column.get("identity").is_some_and(|identity| !identity.is_null()) => Value::Next,
        _ if column.get("generated").is_some_and(|generated| !generated.is_null()) => Value::Generated,
        _ if written.contains("serial") || is(column, "autoincrement") => Value::Next,
        None | Some(Json::Null) => Value::None,
        Some(Json::String(default)) if default.contains('(') => Value::Each,
        Some(_) => Value::Same,
    };
    let primary =
        || Key { name: None, of: KeyOf::Primary { columns: vec![name.clone()], by_index: false }, is_not_valid: false };
    let keys = if is_key { vec![primary()] } else { Vec::new() };
    Some(Column { is_required: is_key || is(column, "notNull"), value, keys, of, name })
}

fn text(of: &Json, key: &str) -> Option<String> {
    of.get(key)?.as_str().map(str::to_owned)
}

fn is(of: &Json, key: &str) -> bool {
    of.get(key).and_then(Json::as_bool).unwrap_or(false)
}

/// Returns strings in a list, or those of a map, or the names of indexed columns.
fn strings(of: &Json) -> Vec<String> {
    let one = |value: &Json| match value {
        Json::String(value) => Some(value.clone()),
        Json::Object(_) if !is(value, "isExpression") => text(value, "expression"),
        _ => None,
    };
    match of {
        Json::Array(values) => values.iter().filter_map(one).collect(),
        Json::Object(values) => values.values().filter_map(one).collect(),
        _ => Vec::new(),
    }
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
                version: Some(7),
                tables,
                details: Details {
                    tables: r#"{
            "public.users":{"name":"users","schema":"","columns":{}},"shop.o":{"name":"o","schema":"shop"}}"#
                        .into(),
                    enums: String::new(),
                },
            }
        );
        assert_eq!(
            content("{\n<<<<<<< HEAD\n\"id\":\"b\"\n=======\n>>>>>>> x\n}"),
            SnapshotContent::Conflicted { at: Position { line: 2, column: 1 } }
        );
        assert_eq!(
            content("{\"id\":\"b\"}"),
            SnapshotContent::Broken { at: Position { line: 1, column: 10 }, message: "missing field `prevId`".into() }
        );
    }

    #[test]
    fn the_details_of_a_snapshot_are_those_of_its_tables() {
        let text = r#"{"id":"b","prevId":"a","version":"7","tables":{"shop.users":{"name":"users","schema":"shop","columns":{
            "id":{"name":"id","type":"serial","primaryKey":true,"notNull":true},
            "mood":{"name":"mood","type":"mood","typeSchema":"shop","notNull":true,"default":"'ok'"},
            "at":{"name":"at","type":"timestamp (3) with time zone","notNull":false,"default":"now()"}},
            "indexes":{"u":{"name":"u","columns":[{"expression":"at","isExpression":false,"opclass":"timestamp_ops"}],"isUnique":true},
                "v":{"name":"v","columns":["id"],"isUnique":false}},
            "foreignKeys":{"f":{"name":"f","tableFrom":"users","tableTo":"orgs","columnsFrom":["at"],"onDelete":"set null"}}}},
            "enums":{"shop.mood":{"name":"mood","schema":"shop","values":["ok","sad"]},"old":{"name":"old","values":{"a":"a"}}}}"#;
        let SnapshotContent::Read { details, .. } = read("0001_snapshot.json".into(), text).content else {
            panic!("it can be read")
        };
        let [table] = details.tables(Dialect::Postgres).try_into().expect("there is one table");
        let types: Vec<String> =
            table.columns.iter().filter_map(|column| column.of.as_ref()).map(ToString::to_string).collect();
        assert_eq!(types, ["integer", "shop.mood", "timestamptz(3)"]);
        let required: Vec<bool> = table.columns.iter().map(|column| column.is_required).collect();
        assert_eq!(required, [true, true, false]);
        let to = ObjectName::new(["public", "orgs"]);
        assert!(matches!(&table.keys[0].of, KeyOf::Unique { columns, .. } if *columns == ["at"]));
        assert!(
            matches!(&table.keys[1].of, KeyOf::Foreign { to: found, on_delete: OnChange::SetNull(_), .. } if *found == to)
        );
        let names = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let enums = vec![
            (ObjectName::new(["public", "old"]), names(&["a"])),
            (ObjectName::new(["shop", "mood"]), names(&["ok", "sad"])),
        ];
        assert_eq!(details.enums(), enums);
        assert_eq!(details.operator_classes(), [(ObjectName::new(["shop", "u"]), names(&["timestamp_ops"]))]);
    }
}
