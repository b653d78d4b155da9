//! Writes the statements that lock and drop objects.

use std::collections::BTreeMap;

use postgres_protocol::escape::escape_identifier;

use crate::db::inspect::objects::{Object, Schema};
use crate::db::reset::plan::refusal::Refusal;

/// Names in one statement. One statement for each object is quadratic in one transaction, and so is one for all.
const AT_MOST: usize = 100;

/// A statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub sql: String,
    /// What it names, for a reader.
    pub objects: Vec<String>,
    pub why: &'static str,
}

/// How a kind of object is dropped.
struct Kind {
    /// As `pg_identify_object` says.
    name: &'static str,
    keyword: &'static str,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Name,
    Routine,
    Operator,
    /// `schema.name USING access method`, and one to a statement.
    OfMethod,
}

/// In the order of dropping. Any order would do; in this one the least is taken along. What needs an access method goes
/// before the function that is the method, because `IF EXISTS` does not cover the method.
const KINDS: [Kind; 19] = [
    Kind { name: "view", keyword: "VIEW", form: Form::Name },
    Kind { name: "materialized view", keyword: "MATERIALIZED VIEW", form: Form::Name },
    Kind { name: "table", keyword: "TABLE", form: Form::Name },
    Kind { name: "foreign table", keyword: "FOREIGN TABLE", form: Form::Name },
    Kind { name: "sequence", keyword: "SEQUENCE", form: Form::Name },
    Kind { name: "statistics object", keyword: "STATISTICS", form: Form::Name },
    Kind { name: "text search configuration", keyword: "TEXT SEARCH CONFIGURATION", form: Form::Name },
    Kind { name: "text search dictionary", keyword: "TEXT SEARCH DICTIONARY", form: Form::Name },
    Kind { name: "text search template", keyword: "TEXT SEARCH TEMPLATE", form: Form::Name },
    Kind { name: "text search parser", keyword: "TEXT SEARCH PARSER", form: Form::Name },
    Kind { name: "operator class", keyword: "OPERATOR CLASS", form: Form::OfMethod },
    Kind { name: "operator family", keyword: "OPERATOR FAMILY", form: Form::OfMethod },
    Kind { name: "operator", keyword: "OPERATOR", form: Form::Operator },
    Kind { name: "aggregate", keyword: "AGGREGATE", form: Form::Routine },
    Kind { name: "procedure", keyword: "PROCEDURE", form: Form::Routine },
    Kind { name: "function", keyword: "FUNCTION", form: Form::Routine },
    Kind { name: "type", keyword: "TYPE", form: Form::Name },
    Kind { name: "collation", keyword: "COLLATION", form: Form::Name },
    Kind { name: "conversion", keyword: "CONVERSION", form: Form::Name },
];

pub(super) const JOURNAL_FIRST: &str =
    "the migrations table is dropped first, so that a partial reset does not look migrated";
pub(super) const IN_SCOPE: &str = "in scope";

pub(super) fn kind_idx(object: &Object) -> Option<usize> {
    KINDS.iter().position(|kind| kind.name == object.kind)
}

/// Makes the statements that keep everyone out of these tables.
pub(super) fn lock(objects: &[&Object]) -> Vec<Step> {
    let lockable: Vec<&Object> = objects.iter().copied().filter(|object| object.lockable).collect();
    let locking = lockable.chunks(AT_MOST).map(|tables| {
        let list: Vec<_> = tables.iter().map(|table| format!("ONLY {}", qualified(&table.names))).collect();
        Step {
            sql: format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", list.join(", ")),
            objects: tables.iter().map(|table| table.told()).collect(),
            why: "locked, so that no new object can depend on them",
        }
    });
    locking.collect()
}

pub(super) fn drop_schemas(schemas: &[&Schema], steps: &mut Vec<Step>) {
    for schemas in schemas.chunks(AT_MOST) {
        let list: Vec<_> = schemas.iter().map(|schema| escape_identifier(&schema.name)).collect();
        steps.push(Step {
            sql: format!("DROP SCHEMA IF EXISTS {} RESTRICT", list.join(", ")),
            objects: schemas.iter().map(|schema| format!("schema {}", schema.name)).collect(),
            why: "empty by then; if anything is left in it, the reset stops",
        });
    }
}

/// Appends the statements that drop these objects.
pub(super) fn drops(objects: &[&Object], why: &'static str, steps: &mut Vec<Step>) -> Result<(), Refusal> {
    let mut by_kind: BTreeMap<usize, Vec<(&Object, String)>> = BTreeMap::new();
    let mut unknown = Vec::new();
    for object in objects {
        match kind_idx(object).and_then(|idx| Some((idx, name(object, KINDS[idx].form)?))) {
            Some((idx, name)) => by_kind.entry(idx).or_default().push((object, name)),
            None => unknown.push(object.told()),
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::UnknownKind(unknown));
    }
    for (idx, objects) in by_kind {
        let Kind { keyword, form, .. } = KINDS[idx];
        let at_most = if form == Form::OfMethod { 1 } else { AT_MOST };
        for objects in objects.chunks(at_most) {
            let list: Vec<&str> = objects.iter().map(|(_, name)| name.as_str()).collect();
            steps.push(Step {
                sql: format!("DROP {keyword} IF EXISTS {} CASCADE", list.join(", ")),
                objects: objects.iter().map(|(object, _)| object.told()).collect(),
                why,
            });
        }
    }
    Ok(())
}

/// Writes an object's name for the server. `None` where the catalog says something that has no place in a name.
fn name(object: &Object, form: Form) -> Option<String> {
    match (form, &object.names[..]) {
        (Form::Name, names @ [_, _]) => Some(qualified(names)),
        (Form::Routine, names @ [_, _]) => {
            // An aggregate over rows takes nothing, and says so.
            if object.kind == "aggregate" && object.arguments.is_empty() {
                return Some(format!("{}(*)", qualified(names)));
            }
            let types: Option<Vec<_>> = object
                .arguments
                .iter()
                .map(|argument| {
                    let mode = match argument.mode {
                        None => "",
                        Some('i') => "IN ",
                        Some('o') => "OUT ",
                        Some('b') => "INOUT ",
                        Some('v') => "VARIADIC ",
                        Some(_) => return None,
                    };
                    Some(format!("{mode}{}", type_name(argument.of_type.as_ref()?)))
                })
                .collect();
            Some(format!("{}({})", qualified(names), types?.join(", ")))
        }
        (Form::Operator, [schema, operator]) => {
            // These are all that an operator can consist of; it cannot be quoted.
            let plain = !operator.is_empty() && operator.chars().all(|char| "+-*/<>=~!@#%^&|`?".contains(char));
            let comment = operator.contains("--") || operator.contains("/*");
            let [left, right] = &object.arguments[..] else { return None };
            let side = |side: &Option<(String, String)>| side.as_ref().map_or_else(|| "NONE".to_owned(), type_name);
            let (left, right) = (side(&left.of_type), side(&right.of_type));
            (plain && !comment).then(|| format!("{}.{operator} ({left}, {right})", escape_identifier(schema)))
        }
        (Form::OfMethod, [method, names @ ..]) if names.len() == 2 => {
            Some(format!("{} USING {}", qualified(names), escape_identifier(method)))
        }
        _ => None,
    }
}

fn type_name((schema, name): &(String, String)) -> String {
    format!("{}.{}", escape_identifier(schema), escape_identifier(name))
}

fn qualified(names: &[String]) -> String {
    names.iter().map(|name| escape_identifier(name)).collect::<Vec<_>>().join(".")
}
