//! Reads tables, their columns and keys, and indexes.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::action::postgres::parts::{child, has_word, names, proof, table_of};
use crate::sql::action::{Column, Index, Key, KeyOf, OnChange, Table, Value};
use crate::sql::name::PUBLIC;
use crate::sql::postgres::{may_differ, relation, single};
use crate::sql::types::SqlType;

pub(super) fn create_table(node: &SyntaxNode) -> Option<Table> {
    let name = relation(&child(node, K::TABLE_NAME)?)?;
    let mut table = Table {
        name,
        is_temporary: child(node, K::TEMP).is_some(),
        proof: proof(node),
        columns: Vec::new(),
        keys: Vec::new(),
        like: Vec::new(),
        partition_of: None,
    };
    for argument in child(node, K::TABLE_ARG_LIST).iter().flat_map(SyntaxNode::children) {
        match argument.kind() {
            K::COLUMN => table.columns.extend(column(&argument)),
            K::LIKE_CLAUSE => {
                table.like.extend(child(&argument, K::RELATION_NAME_REF).and_then(|name| relation(&name)))
            }
            _ => table.keys.extend(key(&argument, None)),
        }
    }
    if let Some(parent) = child(node, K::PARTITION_OF).and_then(|of| relation(&child(&of, K::TABLE_NAME_REF)?)) {
        table.like.push(parent.clone());
        table.partition_of = Some(parent);
    }
    for parent in child(node, K::INHERITS).iter().flat_map(SyntaxNode::children) {
        table.like.extend(relation(&parent));
    }
    Some(table)
}

/// Reads the definition of a column.
pub(super) fn column(node: &SyntaxNode) -> Option<Column> {
    let name = single(&child(node, K::COLUMN_NAME)?)?;
    let of = node.children().find_map(|part| SqlType::of_node(&part));
    let mut column = Column { is_required: false, value: Value::None, keys: Vec::new(), of, name };
    if is_serial(node) {
        column.value = Value::Next;
        column.is_required = true;
    }
    for part in node.children() {
        match part.kind() {
            K::NOT_NULL_CONSTRAINT => column.is_required = true,
            K::DEFAULT_CONSTRAINT => {
                let expression = part.children().find(|part| part.kind() != K::CONSTRAINT_NAME_CLAUSE);
                column.value = expression.map_or(Value::Same, value);
            }
            K::GENERATED_CONSTRAINT => {
                let is_identity = part.descendants().any(|part| part.kind() == K::GENERATED_IDENTITY);
                column.value = if is_identity { Value::Next } else { Value::Generated };
                column.is_required |= is_identity;
            }
            _ => {
                let key = key(&part, Some(&column.name));
                column.is_required |= matches!(&key, Some(Key { of: KeyOf::Primary { .. }, .. }));
                column.keys.extend(key);
            }
        }
    }
    Some(column)
}

fn is_serial(column: &SyntaxNode) -> bool {
    const SERIALS: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
    let path = child(column, K::PATH_TYPE).and_then(|of| relation(&child(&of, K::PATH_REF)?));
    path.is_some_and(|path| matches!(path.parts()[0].as_str(), PUBLIC | "pg_catalog") && SERIALS.contains(&path.last()))
}

/// Returns what an expression gives a column.
pub(super) fn value(expression: SyntaxNode) -> Value {
    let text = expression.text().to_string().trim().to_ascii_lowercase();
    if text == "null" || text.starts_with("null::") {
        Value::None
    } else if text.contains("nextval(") {
        Value::Next
    } else if may_differ(&expression) {
        Value::Each
    } else {
        Value::Same
    }
}

/// Reads a constraint; that of a column has the column's name.
pub(super) fn key(node: &SyntaxNode, column: Option<&str>) -> Option<Key> {
    let columns = |list: Option<SyntaxNode>| match (column, list) {
        (_, Some(list)) => names(&list),
        (Some(column), None) => vec![column.to_owned()],
        (None, None) => Vec::new(),
    };
    let parameters = child(node, K::INDEX_PARAMETERS);
    let listed =
        || columns(parameters.as_ref().and_then(|parameters| child(parameters, K::CONSTRAINT_COLUMN_REF_LIST)));
    let by_index = child(node, K::USING_INDEX_NAME).is_some();
    let of = match node.kind() {
        K::PRIMARY_KEY_CONSTRAINT => KeyOf::Primary { columns: listed(), by_index },
        K::UNIQUE_CONSTRAINT => {
            let nulls_are_equal = node.descendants().any(|part| part.kind() == K::NULLS_NOT_DISTINCT);
            KeyOf::Unique { columns: listed(), by_index, nulls_are_equal }
        }
        K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT => {
            let to = relation(&child(node, K::TABLE_NAME_REF)?)?;
            let own = child(node, K::FOREIGN_KEY_COLUMN_LIST);
            let on = |kind| child(node, kind).map_or(OnChange::Nothing, |action| on_change(&action));
            let columns = if node.kind() == K::REFERENCES_CONSTRAINT { columns(None) } else { columns(own) };
            KeyOf::Foreign { columns, to, on_delete: on(K::ON_DELETE_ACTION), on_update: on(K::ON_UPDATE_ACTION) }
        }
        K::NOT_NULL_CONSTRAINT => KeyOf::NotNull { column: single(&child(node, K::COLUMN_NAME_REF)?)? },
        K::CHECK_CONSTRAINT => match required_by(node) {
            Some(column) => KeyOf::NotNull { column },
            None => KeyOf::Check,
        },
        K::EXCLUDE_CONSTRAINT => KeyOf::Exclude,
        _ => return None,
    };
    let name = child(node, K::CONSTRAINT_NAME_CLAUSE).and_then(|clause| single(&child(&clause, K::CONSTRAINT_NAME)?));
    Some(Key { name, of, is_not_valid: child(node, K::NOT_VALID).is_some() })
}

/// Returns the column that a CHECK requires, where it says nothing else: `CHECK (a IS NOT NULL)`.
fn required_by(node: &SyntaxNode) -> Option<String> {
    let expression = node.children().find(|part| ast::Expr::can_cast(part.kind()))?;
    null_test(&expression, true)
}

/// Returns the column of `a IS NULL` or `a IS NOT NULL`.
pub(super) fn null_test(expression: &SyntaxNode, is_not: bool) -> Option<String> {
    if expression.kind() == K::PAREN_EXPR {
        return null_test(&expression.children().next()?, is_not);
    }
    let text = expression.text().to_string().trim().to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = if is_not {
        words.ends_with(&["is", "not", "null"]) || words.ends_with(&["notnull"])
    } else {
        (words.ends_with(&["is", "null"]) && !words.ends_with(&["is", "not", "null"])) || words.ends_with(&["isnull"])
    };
    let operand = expression.children().next().filter(|_| fits)?;
    column_named(&operand)
}

/// Returns the column that an expression is, without the table before it.
fn column_named(expression: &SyntaxNode) -> Option<String> {
    match expression.kind() {
        K::NAME_REF => single(expression),
        K::FIELD_EXPR => single(&expression.children().filter(|part| part.kind() == K::NAME_REF).last()?),
        K::PAREN_EXPR => column_named(&expression.children().next()?),
        _ => None,
    }
}

fn on_change(node: &SyntaxNode) -> OnChange {
    for action in node.children() {
        let columns = || child(&action, K::COLUMN_REF_LIST).map(|list| names(&list)).unwrap_or_default();
        match action.kind() {
            K::CASCADE => return OnChange::Cascade,
            K::SET_NULL_COLUMNS => return OnChange::SetNull(columns()),
            K::SET_DEFAULT_COLUMNS => return OnChange::SetDefault(columns()),
            _ => {}
        }
    }
    OnChange::Nothing
}

pub(super) fn create_index(node: &SyntaxNode) -> Option<Index> {
    let on = child(node, K::TABLE_RELATION_NAME)?;
    let table = table_of(&on)?;
    let name = child(node, K::INDEX).and_then(|name| single(&name));
    // An index lives in the schema of its table.
    let name = name.and_then(|name| Some(table.parent()?.child(&name)));
    let items = child(node, K::PARTITION_ITEM_LIST);
    let items = items.iter().flat_map(SyntaxNode::children).filter(|item| item.kind() == K::PARTITION_ITEM);
    let columns = items.map(|item| column_named(&item.children().next()?)).collect();
    Some(Index {
        name,
        table,
        columns,
        is_unique: has_word(node, K::UNIQUE_KW),
        is_concurrent: has_word(node, K::CONCURRENTLY_KW),
        is_partial: child(node, K::WHERE_CLAUSE).is_some(),
        is_only: has_word(&on, K::ONLY_KW),
        nulls_are_equal: child(node, K::NULLS_NOT_DISTINCT).is_some(),
        proof: proof(node),
    })
}
