//! The SQL to use where drizzle-kit's own would lose rows, or would not run. Pure: statements in, patterns out.

use std::fmt::Write;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::output::report::answer::Pattern;
use crate::sql::effect::{Effect, Kind, Using};
use crate::sql::name::ObjectName;
use crate::sql::{self, Dialect, transaction};

/// What is put between two statements of a migration.
const BREAKPOINT: &str = "\n--> statement-breakpoint\n";

impl Pattern {
    /// Tells whether it is the rule of thumb for the column that an advice begins with.
    pub fn is_cast_of(&self, advice: &str) -> bool {
        let column = self.why.split_once(" becomes ").map(|(column, _)| column);
        self.kind == "cast" && column.is_some_and(|column| advice.starts_with(&format!("{column} ")))
    }
}

/// Returns the patterns for the statements of a migration. `labels` says which values an enum has now.
pub fn of(statements: &[String], labels: &dyn Fn(&ObjectName) -> Option<Vec<String>>) -> Vec<Pattern> {
    let effects: Vec<Effect> =
        statements.iter().flat_map(|statement| sql::read(statement, Dialect::Postgres).effects).collect();
    let mut patterns = Vec::new();
    let mut enums: Vec<&ObjectName> = Vec::new();
    for effect in &effects {
        let Effect::CreateEnum { name, labels: new, .. } = effect else { continue };
        let is_dropped =
            |effect: &Effect| matches!(effect, Effect::Drop { kind: Kind::Type, name: dropped, .. } if dropped == name);
        if effects.iter().any(is_dropped) {
            enums.push(name);
            let columns: Vec<&ObjectName> = effects.iter().filter_map(|effect| of_type(effect, name)).collect();
            patterns.push(rebuilt(name, &columns, labels(name).as_deref(), new.as_deref()));
        }
    }
    if statements.iter().any(|statement| transaction::adds_value(statement)) {
        patterns.push(Pattern {
            kind: "enum",
            why: "a new value cannot be used in the transaction that adds it (55P04), and drizzle runs all pending migrations in one transaction: use it in a later migration; `drizzle-pilot migrate` runs such migrations in steps".to_owned(),
            sql: String::new(),
        });
    }
    let of_enum = |column: &ObjectName| {
        enums.iter().any(|name| effects.iter().any(|effect| of_type(effect, name) == Some(column)))
    };
    for effect in &effects {
        match effect {
            Effect::ChangeType { column, to, using: Using::Assignment } if !of_enum(column) => {
                patterns.push(cast(column, &to.text));
            }
            Effect::RequireValue { column } => patterns.push(not_null(column)),
            Effect::Rename { kind, from, to } => patterns.push(Pattern {
                kind: "rename",
                why: format!("{from} becomes {} and keeps its rows; programs that still use the old name of the {} fail: release both together, or rename in two steps", to.last(), word(*kind)),
                sql: String::new(),
            }),
            _ => {}
        }
    }
    patterns
}

/// Returns what programs call it that use it.
fn word(kind: Kind) -> &'static str {
    if kind == Kind::MaterializedView { Kind::View.word() } else { kind.word() }
}

/// Returns the column that a statement gives this type.
fn of_type<'a>(effect: &'a Effect, name: &ObjectName) -> Option<&'a ObjectName> {
    match effect {
        Effect::ChangeType { column, to, .. } if to.name.as_ref() == Some(name) => Some(column),
        _ => None,
    }
}

/// An enum that loses a value, or has one under another name.
fn rebuilt(name: &ObjectName, columns: &[&ObjectName], old: Option<&[String]>, new: Option<&[String]>) -> Pattern {
    let missing = |from: &[String], of: &[String]| -> Vec<String> {
        from.iter().filter(|value| !of.contains(value)).cloned().collect()
    };
    let (gone, added) = match (old, new) {
        (Some(old), Some(new)) => (missing(old, new), missing(new, old)),
        _ => (Vec::new(), Vec::new()),
    };
    let quoted = identifier(name);
    let mut why = match &gone[..] {
        [] => format!("{name} is rebuilt"),
        gone => format!("{name} loses {}", gone.join(", ")),
    };
    why += ". drizzle-kit would change its columns to text, drop the type and create it again; write this into the generated file instead";
    let mut sql = String::new();
    if let ([gone], [added]) = (&gone[..], &added[..]) {
        let _ = write!(
            sql,
            "-- if {gone} was only renamed to {added}, just this:\nALTER TYPE {quoted} RENAME VALUE {} TO {};\n\n-- else:\n",
            literal(gone),
            literal(added)
        );
    }
    let kept = new.and_then(|new| new.first()).map_or("'a value that stays'".to_owned(), |value| literal(value));
    let lost = if gone.is_empty() {
        "'the value that goes'".to_owned()
    } else {
        gone.iter().map(|value| literal(value)).collect::<Vec<_>>().join(", ")
    };
    let mut statements: Vec<String> = Vec::new();
    let table_and_name = |column: &&ObjectName| Some((identifier(&column.parent()?), escape_identifier(column.last())));
    let columns: Vec<(String, String)> = columns.iter().filter_map(table_and_name).collect();
    for (table, column) in &columns {
        statements.push(format!("UPDATE {table} SET {column} = {kept} WHERE {column}::text IN ({lost});"));
    }
    let old_name = format!("{}_old", name.last());
    statements.push(format!("ALTER TYPE {quoted} RENAME TO {};", escape_identifier(&old_name)));
    let new =
        new.map_or("'…'".to_owned(), |new| new.iter().map(|value| literal(value)).collect::<Vec<_>>().join(", "));
    statements.push(format!("CREATE TYPE {quoted} AS ENUM ({new});"));
    for (table, column) in &columns {
        statements
            .push(format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {quoted} USING {column}::text::{quoted};"));
    }
    let old = name.parent().map_or_else(|| ObjectName::new([old_name.as_str()]), |schema| schema.child(&old_name));
    statements.push(format!("DROP TYPE {};", identifier(&old)));
    sql += &statements.join(BREAKPOINT);
    if !columns.is_empty() {
        why += " (drop the default of a column first, and set it again afterwards)";
    }
    Pattern { kind: "enum", why, sql }
}

fn cast(column: &ObjectName, to: &str) -> Pattern {
    let name = escape_identifier(column.last());
    let table = column.parent().map(|table| identifier(&table)).unwrap_or_default();
    Pattern {
        kind: "cast",
        why: format!("{column} becomes {to}: if PostgreSQL has no implicit conversion, write one into the migration"),
        sql: format!("ALTER TABLE {table} ALTER COLUMN {name} SET DATA TYPE {to} USING {name}::{to};"),
    }
}

fn not_null(column: &ObjectName) -> Pattern {
    let name = escape_identifier(column.last());
    let table = column.parent().map(|table| identifier(&table)).unwrap_or_default();
    Pattern {
        kind: "not-null",
        why: format!("{column} must not be NULL: existing rows need a value first (add a new column without NOT NULL)"),
        sql: [
            format!("UPDATE {table} SET {name} = … WHERE {name} IS NULL;"),
            format!("ALTER TABLE {table} ALTER COLUMN {name} SET NOT NULL;"),
        ]
        .join(BREAKPOINT),
    }
}

fn identifier(name: &ObjectName) -> String {
    name.parts().iter().map(|part| escape_identifier(part)).collect::<Vec<_>>().join(".")
}

fn literal(value: &str) -> String {
    escape_literal(value).trim_start().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(statements: &[&str]) -> Vec<Pattern> {
        let statements: Vec<String> = statements.iter().map(|text| (*text).to_owned()).collect();
        of(&statements, &|_| Some(vec!["active".to_owned(), "inactive".to_owned()]))
    }

    #[test]
    fn an_enum_that_loses_a_value_is_replaced_and_its_rows_are_moved() {
        // drizzle-kit 0.31, a value renamed in the schema files.
        let patterns = found(&[
            "ALTER TABLE \"users\" ALTER COLUMN \"mood\" SET DATA TYPE text;",
            "DROP TYPE \"public\".\"mood\";",
            "CREATE TYPE \"public\".\"mood\" AS ENUM('active', 'gone');",
            "ALTER TABLE \"users\" ALTER COLUMN \"mood\" SET DATA TYPE \"public\".\"mood\" USING \"mood\"::\"public\".\"mood\";",
        ]);
        let expected = "-- if inactive was only renamed to gone, just this:
ALTER TYPE \"public\".\"mood\" RENAME VALUE 'inactive' TO 'gone';

-- else:
UPDATE \"public\".\"users\" SET \"mood\" = 'active' WHERE \"mood\"::text IN ('inactive');
--> statement-breakpoint
ALTER TYPE \"public\".\"mood\" RENAME TO \"mood_old\";
--> statement-breakpoint
CREATE TYPE \"public\".\"mood\" AS ENUM ('active', 'gone');
--> statement-breakpoint
ALTER TABLE \"public\".\"users\" ALTER COLUMN \"mood\" TYPE \"public\".\"mood\" USING \"mood\"::text::\"public\".\"mood\";
--> statement-breakpoint
DROP TYPE \"public\".\"mood_old\";";
        assert_eq!(patterns.len(), 1, "{patterns:#?}");
        assert_eq!((patterns[0].kind, patterns[0].sql.as_str()), ("enum", expected));
    }

    #[test]
    fn every_kind_of_change_that_needs_a_hand_has_a_pattern() {
        let check = |statement: &str, kinds: &[&str], sql: &str| {
            let patterns = found(&[statement]);
            assert_eq!(patterns.iter().map(|pattern| pattern.kind).collect::<Vec<_>>(), kinds, "{statement}");
            assert!(patterns.iter().all(|pattern| pattern.sql.contains(sql)), "{patterns:#?}");
        };
        check("ALTER TYPE \"public\".\"mood\" ADD VALUE 'sad';", &["enum"], "");
        check("ALTER TABLE \"t\" ALTER COLUMN \"n\" SET DATA TYPE bytea;", &["cast"], "USING \"n\"::bytea;");
        check("ALTER TABLE \"t\" ADD COLUMN \"n\" text NOT NULL;", &["not-null"], "UPDATE \"public\".\"t\" SET \"n\"");
        check("ALTER TABLE \"t\" RENAME COLUMN \"a\" TO \"b\";", &["rename"], "");
        check("ALTER TABLE \"t\" ADD COLUMN \"n\" text;", &[], "");
    }
}
