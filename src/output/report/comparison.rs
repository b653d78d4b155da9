//! How a database differs from what it was compared with, for machines and for a pull request.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;

use crate::compare::difference::{Differences, Object};
use crate::output::report::markup::{code, fence, inline};

/// A database compared with what the migrations or the schema files make.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Comparison {
    /// `migrations` or `schema_files`.
    pub made_by: String,
    /// Every object that differs, those that differ only by name last. Empty if nothing differs.
    pub differences: Vec<Difference>,
    /// The statements that give the objects that differ only by name the names that are made, in this order.
    pub renames: Vec<String>,
}

/// An object that differs.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Difference {
    /// `missing` (the database lacks it), `extra` (only the database has it), `different`, or `name` (only its name differs).
    pub how: String,
    /// The kind of object, such as `column` or `index`.
    pub kind: String,
    pub schema: Option<String>,
    /// The table that it is, or is part of.
    pub table: Option<String>,
    /// Its own name; if only the name differs, the one that is made.
    pub name: String,
    /// If only the name differs, the name in the database. Otherwise null.
    pub found_name: Option<String>,
    /// Its definition as it is made. Null if only the database has it.
    pub expected: Option<String>,
    /// Its definition in the database. Null if the database lacks it.
    pub found: Option<String>,
}

impl Comparison {
    /// Takes what differs.
    pub fn of(differences: &Differences) -> Comparison {
        Comparison {
            made_by: differences.made_by().word().to_owned(),
            differences: differences.objects().iter().map(Difference::of).collect(),
            renames: differences.statements().to_vec(),
        }
    }
}

impl Difference {
    fn of(object: &Object) -> Difference {
        Difference {
            how: object.how.word().to_owned(),
            kind: object.kind.clone(),
            schema: object.schema.clone(),
            table: object.table.clone(),
            name: object.name.clone(),
            found_name: object.how.found_name().map(str::to_owned),
            expected: object.how.expected().map(str::to_owned),
            found: object.how.found().map(str::to_owned),
        }
    }
}

/// Returns what differs as a table for a pull request (GitHub's Markdown), and not all of a long one.
pub fn markdown(differences: &Differences) -> String {
    const MOST: usize = 200;
    let made_by = differences.made_by().in_words();
    let mut text = format!("#### The database and {made_by}: {}\n", inline(&differences.counted()));
    let rows = differences.rows();
    if !rows.is_empty() {
        let _ = writeln!(text, "\n| object | the database has | {made_by} make |\n|---|---|---|");
    }
    let cell = |definition: &Option<String>| definition.as_ref().map(|definition| code(definition)).unwrap_or_default();
    let mut table = None;
    for row in rows.iter().take(MOST) {
        if row.table != table {
            table.clone_from(&row.table);
            if let Some(table) = &table {
                let _ = writeln!(text, "| **table {}** | | |", inline(table));
            }
        }
        let _ = writeln!(text, "| {} | {} | {} |", inline(&row.object), cell(&row.found), cell(&row.expected));
    }
    if rows.len() > MOST {
        let _ = writeln!(text, "\nand {} more", rows.len() - MOST);
    }
    if let Some((why, statements)) = differences.by_name() {
        let fence = fence(&statements);
        let _ = writeln!(text, "\n{}\n\n{fence}sql\n{statements}\n{fence}", inline(&why));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::difference::MadeBy;
    use crate::db::inspect::lines::difference;

    fn differences() -> Differences {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        let made = lines(&[
            "column|public.a.x|text",
            "constraint|public.a.k|CHECK (x)",
            "table|public.b|kind=r",
            "enum|public.e|'<a>|b'",
        ]);
        let found = lines(&["column|public.a.x|integer", "constraint|public.a.l|CHECK (x)", "column|public.a.y|text"]);
        Differences::divided(MadeBy::Migrations, &difference(&made, &found), &made, &found)
    }

    #[test]
    fn a_pull_request_shows_both_sides_by_table() {
        assert_eq!(
            markdown(&differences()),
            "\
#### The database and the migrations: 4 differences and 1 name

| object | the database has | the migrations make |
|---|---|---|
| enum public.e |  | <code>'&lt;a&gt;&#124;b'</code> |
| **table public.a** | | |
| column x | <code>integer</code> | <code>text</code> |
| column y | <code>text</code> |  |
| table public.b |  | <code>it</code> |

some objects differ only by name; these statements give them the names that the migrations give:

```sql
ALTER TABLE \"public\".\"a\" RENAME CONSTRAINT \"l\" TO \"k\";
```
"
        );
    }

    #[test]
    fn a_report_has_every_object_with_both_definitions() {
        let comparison = Comparison::of(&differences());
        assert_eq!(comparison.made_by, "migrations");
        assert_eq!(comparison.renames.len(), 1);
        let by_name = comparison.differences.iter().find(|it| it.how == "name").expect("a name differs");
        assert_eq!((by_name.name.as_str(), by_name.found_name.as_deref()), ("k", Some("l")));
        assert_eq!((&by_name.expected, &by_name.found), (&Some("CHECK (x)".to_owned()), &Some("CHECK (x)".to_owned())));
        let changed = comparison.differences.iter().find(|it| it.how == "different").expect("a column differs");
        assert_eq!(
            (changed.schema.as_deref(), changed.table.as_deref(), changed.name.as_str()),
            (Some("public"), Some("a"), "x")
        );
        assert_eq!((changed.expected.as_deref(), changed.found.as_deref()), (Some("text"), Some("integer")));
    }
}
