//! Says what to do about a statement that failed, by what the statement itself names.

use postgres_protocol::escape::escape_identifier;

use crate::db::connection::explain::{self, About};
use crate::sql::effect::Effect;
use crate::sql::{self, Dialect, ObjectName};

/// Returns what to do about an error of a database, or nothing where no advice is better than its own words. `migrates` says
/// whether migrations have to do with it.
pub fn advice(code: &str, text: &str, statement: Option<&str>, migrates: bool) -> Option<String> {
    let effects = statement.map(|sql| sql::read(sql, Dialect::Postgres).effects).unwrap_or_default();
    let column = effects.iter().find_map(|effect| match effect {
        Effect::ChangeType { column, .. } | Effect::RequireValue { column } | Effect::SetDefault { column } => {
            Some(column)
        }
        _ => None,
    });
    let table = column.and_then(ObjectName::parent).or_else(|| effects.iter().find_map(table_of));
    let table = table.map(|table| written(&table));
    let column = column.map(|column| escape_identifier(column.last()));
    let new_type = effects.iter().find_map(|effect| match effect {
        Effect::ChangeType { to, .. } => Some(to.text.as_str()),
        _ => None,
    });
    let about = About { table: table.as_deref(), column: column.as_deref(), new_type, migrates };
    explain::advice(code, text, &about)
}

fn table_of(effect: &Effect) -> Option<ObjectName> {
    match effect {
        Effect::AddUnique { table }
        | Effect::AddPrimaryKey { table }
        | Effect::AddForeignKey { table }
        | Effect::AddCheck { table }
        | Effect::BuildIndex { table } => Some(table.clone()),
        _ => None,
    }
}

fn written(name: &ObjectName) -> String {
    name.parts().iter().map(|part| escape_identifier(part)).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_statement_names_stands_in_the_advice() {
        let check = |code: &str, text: &str, statement: &str, expected: &str| {
            let advice = advice(code, text, Some(statement), false).expect("there is some");
            assert!(advice.contains(expected) && !advice.contains("<table>"), "{advice}");
        };
        check(
            "23505",
            "could not create unique index \"u\"\nKey (email)=(a) is duplicated.",
            "ALTER TABLE \"shop\".\"users\" ADD CONSTRAINT \"u\" UNIQUE(\"email\");",
            "FROM \"shop\".\"users\" GROUP BY email",
        );
        check(
            "22P02",
            "invalid input value for enum mood: \"dead\"",
            "ALTER TABLE \"t\" ALTER COLUMN \"Mood\" SET DATA TYPE \"mood\" USING \"Mood\"::\"mood\";",
            "UPDATE \"public\".\"t\" SET \"Mood\" = <new> WHERE \"Mood\" = <old>",
        );
        assert_eq!(advice("42P16", "a cause that nobody knows", None, false), None);
    }
}
