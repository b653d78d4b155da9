//! Puts what drizzle-kit 1.0 wants to know into the questions that earlier versions ask at the terminal. Pure.

use serde_json::Value;

use crate::kit::block;
use crate::kit::hints::hint::{Item, Lost};
use crate::kit::prompt::{ABORT, EXECUTE, Entity, Kind, Loss, LossKind, Prompt, Rename};
use crate::sql::{self, Dialect, PUBLIC};

/// Returns the question whether something is new, given what it may have been before.
pub(super) fn rename(kind: Entity, entity: &[String], candidates: &[Vec<String>]) -> Prompt {
    let word = kind.word();
    let (own, table, schema) = match entity {
        [schema, table, own] => (own.clone(), Some(table.clone()), Some(schema.clone())),
        parts => (shown(parts), None, None),
    };
    let name = shown(entity);
    let own_of = |candidate: &Vec<String>| match candidate.as_slice() {
        [_, _, own] => own.clone(),
        parts => shown(parts),
    };
    let choices = candidates.iter().map(|old| format!("~ {} › {name} rename {word}", shown(old)));
    Prompt {
        question: format!("Is {name} {word} created or renamed from another {word}?"),
        context: Vec::new(),
        printed: String::new(),
        choices: [format!("+ {name} create {word}")].into_iter().chain(choices).collect(),
        highlighted: 0,
        kind: Kind::Rename(Rename {
            entity: kind,
            name: own,
            table,
            schema,
            candidates: candidates.iter().map(own_of).collect(),
        }),
    }
}

/// Returns a name as drizzle-kit shows it: `public` is left out.
fn shown(parts: &[String]) -> String {
    match parts {
        [schema, rest @ ..] if schema == PUBLIC && !rest.is_empty() => rest.join("."),
        parts => parts.join("."),
    }
}

/// Returns what was dropped of a kind, among the objects that drizzle-kit explains: what something new may have been before.
pub(super) fn candidates(explained: &[Value], kind: Entity, entity: &[String]) -> Vec<Vec<String>> {
    let key = match kind {
        Entity::PrimaryKey => "pk",
        Entity::ForeignKey => "fk",
        kind => kind.word(),
    };
    let type_name = format!("drop_{key}");
    let keys: &[&str] = match entity.len() {
        1 => &["name"],
        2 => &["schema", "name"],
        _ => &["schema", "table", "name"],
    };
    let name = |statement: &Value| -> Option<Vec<String>> {
        // What is said of a schema is not below a key of its own.
        let object = if kind == Entity::Schema { statement } else { statement.get(key)? };
        keys.iter().map(|key| object.get(*key)?.as_str().map(str::to_owned)).collect()
    };
    let dropped = explained.iter().filter(|statement| statement.get("type").is_some_and(|it| *it == type_name));
    // What belongs to a table was there in the same table, which already has its new name.
    let of_table = |name: &Vec<String>| entity.len() < 3 || name[..2] == entity[..2];
    dropped.filter_map(name).filter(of_table).collect()
}

/// Returns the last question: shall these statements be executed, and this be lost?
///
/// # Errors
/// With the reason, where one of the texts is not one statement.
pub(super) fn last(statements: &[String], lost: &[Item]) -> Result<Prompt, String> {
    let whole = |statement: &String| {
        let statement = statement.trim();
        if statement.ends_with(';') { statement.to_owned() } else { format!("{statement};") }
    };
    let statements: Vec<String> = statements.iter().map(whole).collect();
    let block = statements.join("\n");
    let split = sql::split(&block, Dialect::Postgres)
        .map_err(|error| format!("the statements of drizzle-kit cannot be separated with certainty: {error}"))?;
    let same =
        |(one, other): (&String, &String)| one.trim_end_matches(';').trim() == other.trim_end_matches(';').trim();
    if split.len() != statements.len() || !split.iter().zip(&statements).all(same) {
        return Err("a text of drizzle-kit is more than one statement".to_owned());
    }
    let losses: Vec<Loss> = lost.iter().filter_map(loss).collect();
    let printed = format!("{}\n\n{block}\n", block::HEADING);
    Ok(Prompt {
        question: String::new(),
        context: printed.lines().map(str::to_owned).collect(),
        printed,
        choices: vec![ABORT.to_owned(), EXECUTE.to_owned()],
        highlighted: 0,
        kind: if losses.is_empty() { Kind::Execute } else { Kind::DataLoss(losses) },
    })
}

fn loss(item: &Item) -> Option<Loss> {
    let Item::ConfirmDataLoss { kind, entity, .. } = item else { return None };
    let name = || entity.last().cloned().unwrap_or_default();
    let table = || entity.get(1).cloned().unwrap_or_default();
    let (kind, what) = match kind {
        Lost::Schema => (LossKind::Schema(name()), "schema"),
        Lost::Table => (LossKind::Table(name()), "table"),
        Lost::View => (LossKind::View(name()), "materialized view"),
        Lost::Column => (LossKind::Column { table: table(), column: name() }, "column"),
        Lost::PrimaryKey => (LossKind::PrimaryKey { table: table() }, "primary key"),
        Lost::AddNotNull | Lost::AddUnique => (LossKind::Unknown, "rows, for a constraint of"),
    };
    Some(Loss { kind, text: format!("· drizzle-kit would lose the non-empty {what} {}", shown(entity)), count: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn a_question_has_the_names_in_their_parts() {
        let old = [names(&["shop", "users", "name"])];
        let prompt = rename(Entity::Column, &names(&["shop", "users", "full_name"]), &old);
        assert_eq!(
            prompt.choices,
            ["+ shop.users.full_name create column", "~ shop.users.name › shop.users.full_name rename column"]
        );
        let expected = Rename {
            entity: Entity::Column,
            name: "full_name".to_owned(),
            table: Some("users".to_owned()),
            schema: Some("shop".to_owned()),
            candidates: names(&["name"]),
        };
        assert_eq!(prompt.kind, Kind::Rename(expected));
        let prompt = rename(Entity::Table, &names(&["public", "b"]), &[names(&["public", "a"]), names(&["auth", "b"])]);
        let expected = Rename {
            entity: Entity::Table,
            name: "b".to_owned(),
            table: None,
            schema: None,
            candidates: names(&["a", "auth.b"]),
        };
        assert_eq!(prompt.kind, Kind::Rename(expected));
    }

    #[test]
    fn what_was_dropped_is_a_candidate_of_its_own_kind_and_table() {
        let explained = serde_json::json!([
            { "type": "drop_table", "table": { "schema": "public", "name": "old", "columns": [] } },
            { "type": "drop_column", "column": { "schema": "public", "table": "t", "name": "a" } },
            { "type": "drop_column", "column": { "schema": "public", "table": "u", "name": "b" } },
            { "type": "drop_schema", "name": "s", "entityType": "schemas" },
            { "type": "drop_role", "role": { "name": "r" } },
        ]);
        let explained = explained.as_array().expect("it is a list");
        assert_eq!(candidates(explained, Entity::Table, &names(&["public", "new"])), [names(&["public", "old"])]);
        let of_column = candidates(explained, Entity::Column, &names(&["public", "t", "c"]));
        assert_eq!(of_column, [names(&["public", "t", "a"])]);
        assert_eq!(candidates(explained, Entity::Schema, &names(&["new"])), [names(&["s"])]);
        assert_eq!(candidates(explained, Entity::Role, &names(&["new"])), [names(&["r"])]);
        assert!(candidates(explained, Entity::View, &names(&["public", "v"])).is_empty());
    }

    #[test]
    fn the_last_question_has_the_statements_to_the_letter() {
        let statements = names(&[
            "CREATE TABLE \"a\" (\n\t\"b\" text\n);\n",
            "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT 'x;y'",
        ]);
        let prompt = last(&statements, &[]).expect("each is one");
        let block = block::find(&prompt.printed).expect("there is a block");
        let expected =
            ["CREATE TABLE \"a\" (\n\t\"b\" text\n);", "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT 'x;y';"];
        assert_eq!(sql::split(&block, Dialect::Postgres).expect("they can be separated"), expected);
        assert_eq!(prompt.kind, Kind::Execute);
        let lost = Item::ConfirmDataLoss {
            kind: Lost::Column,
            entity: names(&["public", "a", "b"]),
            reason: "non_empty".to_owned(),
            reason_details: None,
        };
        let Kind::DataLoss(losses) = last(&statements, &[lost]).expect("each is one").kind else {
            panic!("it is a loss")
        };
        assert_eq!(losses[0].kind, LossKind::Column { table: "a".to_owned(), column: "b".to_owned() });
    }

    #[test]
    fn a_text_of_two_statements_is_none() {
        let two = names(&["DROP TABLE a; DROP TABLE b;"]);
        assert_eq!(last(&two, &[]), Err("a text of drizzle-kit is more than one statement".to_owned()));
        let open = names(&["ALTER TABLE a ADD b text DEFAULT 'x", "DROP TABLE c;"]);
        assert!(last(&open, &[]).expect_err("a string is not closed").contains("cannot be separated"));
    }
}
