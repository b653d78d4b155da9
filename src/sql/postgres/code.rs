//! Reads which code of the database a statement runs.

use squawk_syntax::{SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Code, Run};
use crate::sql::name::ObjectName;
use crate::sql::postgres::syntax::{child, parts_of_name, relation, type_text};

/// Returns the code that a statement runs for rows that are there: of the values that it gives to columns, of what it checks
/// and sorts, and of what it keeps the result of. The default of a column that exists and the query of a view run later.
pub(super) fn runs(statement: &SyntaxNode) -> Vec<Run> {
    let on = |kind| child(statement, kind).and_then(|name| relation(&name));
    let (table, parts): (Option<ObjectName>, Vec<SyntaxNode>) = match statement.kind() {
        K::ALTER_TABLE => {
            let actions = statement.children().flat_map(|action| match action.kind() {
                K::ADD_COLUMN => vec![action],
                K::ALTER_COLUMN => child(&action, K::SET_TYPE).into_iter().collect(),
                K::ADD_CONSTRAINT => {
                    let checks = action.children().filter(|constraint| constraint.kind() == K::CHECK_CONSTRAINT);
                    checks.filter(|check| child(check, K::NOT_VALID).is_none()).collect()
                }
                _ => Vec::new(),
            });
            (on(K::TABLE_RELATION_NAME), actions.collect())
        }
        K::CREATE_INDEX => (on(K::TABLE_RELATION_NAME), vec![statement.clone()]),
        K::CREATE_MATERIALIZED_VIEW if child(statement, K::WITH_NO_DATA).is_none() => {
            (on(K::VIEW), vec![statement.clone()])
        }
        _ => return Vec::new(),
    };
    let Some(table) = table else { return Vec::new() };
    let code = parts.iter().flat_map(code);
    code.map(|code| Run { table: table.clone(), code }).collect()
}

/// Returns the code that a part of a statement names.
fn code(part: &SyntaxNode) -> Vec<Code> {
    let of_node = |node: SyntaxNode| match node.kind() {
        K::CALL_EXPR => node.children().next().and_then(|callee| function(&callee)),
        K::RELATION_NAME_REF => relation(&node).map(Code::Relation),
        K::CUSTOM_OP | K::OP => Some(Code::Operator(signs(&node.text().to_string()))),
        K::BIN_EXPR | K::PREFIX_EXPR | K::POSTFIX_EXPR => {
            let tokens = node.children_with_tokens().filter_map(SyntaxElement::into_token);
            let text: String = tokens.map(|token| token.text().to_owned()).collect();
            Some(Code::Operator(signs(&text)))
        }
        _ => type_text(&node)?.name.map(Code::Type),
    };
    let mut code: Vec<Code> = Vec::new();
    for one in part.descendants().filter_map(of_node) {
        if one != Code::Operator(String::new()) && !code.contains(&one) {
            code.push(one);
        }
    }
    code
}

/// Returns the function that is called; none for what is a part of the language, such as `EXTRACT`.
fn function(callee: &SyntaxNode) -> Option<Code> {
    let mut parts = match callee.kind() {
        K::NAME_REF | K::FIELD_EXPR => parts_of_name(callee)?,
        _ => return None,
    };
    let name = parts.pop()?;
    Some(Code::Function { schema: parts.pop(), name })
}

/// Returns what an operator can consist of.
fn signs(text: &str) -> String {
    text.chars().filter(|char| "+-*/<>=~!@#%^&|`?".contains(*char)).collect()
}
