//! Reads which rows a statement deletes and which columns it updates.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::action::postgres::parts::{child, has_word};
use crate::sql::action::postgres::table::null_test;
use crate::sql::action::{Rows, Which};
use crate::sql::postgres::single;

pub(super) fn deleted(node: &SyntaxNode) -> Rows {
    if child(node, K::USING_CLAUSE).is_some() {
        return Rows::Some;
    }
    let Some(clause) = child(node, K::WHERE_CLAUSE) else {
        return if child(node, K::WHERE_CURRENT_OF).is_some() { Rows::Some } else { Rows::All };
    };
    let Some(condition) = clause.children().next() else { return Rows::Some };
    if condition.text().to_string().trim().eq_ignore_ascii_case("true") {
        return Rows::All;
    }
    let mut columns = Vec::new();
    any_of(&condition, &mut columns);
    if columns.is_empty() { Rows::Some } else { Rows::Null(columns) }
}

/// Finds the columns of which `a IS NULL` is enough for a condition.
fn any_of(condition: &SyntaxNode, columns: &mut Vec<String>) {
    if let Some(column) = null_test(condition, false) {
        columns.push(column);
        return;
    }
    match condition.kind() {
        K::PAREN_EXPR => condition.children().for_each(|part| any_of(&part, columns)),
        K::BIN_EXPR if has_word(condition, K::OR_KW) => condition.children().for_each(|part| any_of(&part, columns)),
        _ => {}
    }
}

/// Returns the columns that an UPDATE gives another value than NULL.
pub(super) fn updated(node: &SyntaxNode) -> Vec<String> {
    let mut columns = Vec::new();
    for target in node.descendants().filter(|part| part.kind() == K::COLUMN_TARGET) {
        let is_null = target.parent().is_some_and(|around| {
            around.kind() == K::SET_SINGLE_COLUMN
                && around
                    .children()
                    .last()
                    .is_some_and(|given| given.text().to_string().trim().eq_ignore_ascii_case("null"))
        });
        if !is_null {
            columns.extend(child(&target, K::COLUMN_NAME_REF).and_then(|name| single(&name)));
        }
    }
    columns
}

pub(super) fn which(node: &SyntaxNode) -> Which {
    match node.children().next() {
        Some(target) if target.kind() == K::TRIGGER_REF => Which::One(target.text().to_string().trim().to_owned()),
        Some(target) if target.text().to_string().trim().eq_ignore_ascii_case("user") => Which::User,
        _ => Which::All,
    }
}
