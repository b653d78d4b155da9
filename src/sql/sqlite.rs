//! What a database of SQLite has, as its own session told it.

use std::collections::BTreeMap;

use crate::sql::name::{ObjectName, PUBLIC};

/// Returns what a session of SQLite is asked, given the table in which drizzle's migrator keeps its records.
pub fn questions(migrations: &str) -> Vec<String> {
    let quoted = format!("\"{}\"", migrations.replace('"', "\"\""));
    let last = format!("SELECT created_at FROM {quoted} ORDER BY created_at DESC LIMIT 1");
    QUESTIONS.iter().map(|question| (*question).to_owned()).chain([last]).collect()
}

/// The switch of foreign keys, the columns of all tables, and their references. D1 keeps
/// tables that nobody may look into. Every answer has a name of its own: some drivers know answers by their names.
const QUESTIONS: [&str; 3] = [
    "PRAGMA foreign_keys",
    "SELECT m.name AS owner, c.name, c.type, c.\"notnull\", c.pk FROM sqlite_master AS m, pragma_table_info(m.name) AS c \
     WHERE m.type = 'table' AND m.name NOT GLOB '_cf_*'",
    "SELECT m.name AS owner, r.\"table\", r.\"from\", r.on_delete FROM sqlite_master AS m, pragma_foreign_key_list(m.name) AS r \
     WHERE m.type = 'table' AND m.name NOT GLOB '_cf_*'",
];
/// Which of them is answered with the references: each with its table, the other, the column and what a deletion does.
pub const REFERENCES: usize = 2;
/// How far the rows that refer to others are counted.
pub const MOST: u64 = 100_001;

/// What becomes of a row when the one that it refers to is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnDelete {
    Cascade,
    SetNull,
    SetDefault,
    /// The deletion fails.
    Fail,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    /// As it was written, in lowercase.
    pub kind: String,
    pub not_null: bool,
    pub in_primary_key: bool,
}

/// A column whose values name rows of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub table: String,
    pub target: String,
    pub column: String,
    pub on_delete: OnDelete,
    /// How many rows refer to another, at most [`MOST`]; none where they were not counted.
    pub rows: Option<u64>,
}

/// What a database has. Names are told apart as SQLite does it: without case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Whether references are checked in the session.
    pub checks_references: bool,
    columns: BTreeMap<String, Vec<Column>>,
    references: Vec<Reference>,
    /// When the migration was made that was applied last; none where there is none, or no table of them.
    pub last_migration: Option<i64>,
}

/// A row of an answer.
type Row = [serde_json::Value];

impl Catalog {
    /// Reads the answers to [`questions`], and how many rows each table and column has that refer to others; nothing where one
    /// of the questions was not answered.
    pub fn of(
        answers: &[Option<Vec<Vec<serde_json::Value>>>],
        counted: &dyn Fn(&str, &str) -> Option<u64>,
    ) -> Option<Catalog> {
        let [Some(switch), Some(columns), Some(references), migrations @ ..] = answers else { return None };
        let checks_references = switch.first().is_some_and(|row| count(row, 0) == Some(1));
        let last = migrations.first().and_then(|rows| rows.as_ref()?.first()?.first());
        let number = |value: &serde_json::Value| match value {
            serde_json::Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        };
        #[expect(clippy::cast_possible_truncation, reason = "drizzle compares it as such a number as well")]
        let last_migration = last.and_then(number).map(|when| when as i64);
        let mut catalog = Catalog { checks_references, last_migration, ..Catalog::default() };
        for row in columns {
            let column = Column {
                name: text(row, 1)?,
                kind: text(row, 2)?.to_lowercase(),
                not_null: count(row, 3)? != 0,
                in_primary_key: count(row, 4)? != 0,
            };
            catalog.columns.entry(text(row, 0)?.to_lowercase()).or_default().push(column);
        }
        for row in references {
            let (table, column) = (text(row, 0)?, text(row, 2)?);
            let on_delete = match text(row, 3)?.to_ascii_uppercase().as_str() {
                "CASCADE" => OnDelete::Cascade,
                "SET NULL" => OnDelete::SetNull,
                "SET DEFAULT" => OnDelete::SetDefault,
                _ => OnDelete::Fail,
            };
            let rows = counted(&table, &column);
            catalog.references.push(Reference { table, target: text(row, 1)?, column, on_delete, rows });
        }
        Some(catalog)
    }

    /// Returns the columns of a table; nothing where there is no such table.
    pub fn columns(&self, table: &ObjectName) -> Option<&[Column]> {
        self.columns.get(&table.last().to_lowercase()).map(Vec::as_slice)
    }

    /// Returns the references to a table from others.
    pub fn referring<'a>(&'a self, table: &'a ObjectName) -> impl Iterator<Item = &'a Reference> {
        let is_same = |name: &str| name.eq_ignore_ascii_case(table.last());
        self.references.iter().filter(move |reference| is_same(&reference.target) && !is_same(&reference.table))
    }
}

/// Returns the name of a table as statements have it.
pub fn name(table: &str) -> ObjectName {
    ObjectName::new([PUBLIC, table])
}

fn text(row: &Row, idx: usize) -> Option<String> {
    match row.get(idx)? {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Null => Some(String::new()),
        _ => None,
    }
}

/// Reads a number, which drivers have as text where it might be too large.
fn count(row: &Row, idx: usize) -> Option<u64> {
    let value = row.get(idx)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
