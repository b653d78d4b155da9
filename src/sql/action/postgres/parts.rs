//! Reads the smaller parts that several statements have.

use squawk_syntax::{SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Proof, Reach};
use crate::sql::name::ObjectName;
use crate::sql::postgres::{relation, single};

pub(super) fn policy(node: &SyntaxNode, reference: K) -> Option<ObjectName> {
    let table = relation(&child(&child(node, K::ON_TABLE)?, K::TABLE_NAME_REF)?)?;
    Some(table.child(&single(&child(node, reference)?)?))
}

/// Returns what privileges are granted on, and on what in words.
pub(super) fn privileges(node: &SyntaxNode) -> (Vec<ObjectName>, String) {
    let Some(objects) = child(node, K::ON_PRIVILEGE_OBJECTS_CLAUSE) else {
        return (Vec::new(), "of a role".to_owned());
    };
    let named = |part: SyntaxNode| match part.kind() {
        K::RELATION_NAME_REF | K::TABLE_NAME_REF | K::SEQUENCE_REF | K::TYPE_NAME_REF | K::DOMAIN_REF => {
            relation(&part)
        }
        K::SCHEMA_REF => single(&part).map(|name| ObjectName::new([name])),
        _ => None,
    };
    let words = objects.text().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    (objects.descendants().filter_map(named).collect(), words)
}

/// Tells whether a view reads with the rights of whoever asks from then on; none where that is not what is set.
pub(super) fn security(action: &SyntaxNode) -> Option<bool> {
    let options = action.descendants().filter(|node| node.kind() == K::ATTRIBUTE_OPTION);
    let texts = options.map(|option| {
        let text = option.text().to_string().to_ascii_lowercase();
        text.split_whitespace().collect::<String>()
    });
    let mut security = None;
    for text in texts.filter(|text| text.contains("security_")) {
        let holds = matches!(text.as_str(), "security_invoker=true" | "security_barrier=true" | "security_invoker=on");
        let is_set = action.kind() == K::SET_OPTIONS;
        security = Some(security.unwrap_or(true) && holds && is_set);
    }
    security
}

/// Returns the new name that `RENAME TO name` or `SET SCHEMA schema` gives.
pub(super) fn renamed(from: &ObjectName, action: &SyntaxNode) -> Option<ObjectName> {
    if action.kind() == K::SET_SCHEMA {
        return Some(ObjectName::new([single(&child(action, K::SCHEMA_REF)?)?]).child(from.last()));
    }
    Some(from.parent()?.child(&single(&action.children().next()?)?))
}

/// Returns the names in a list of columns.
pub(super) fn names(list: &SyntaxNode) -> Vec<String> {
    list.children().filter_map(|name| single(&name)).collect()
}

/// Returns the tables that a statement lists.
pub(super) fn tables(node: &SyntaxNode) -> Vec<ObjectName> {
    let name = |part: SyntaxNode| match part.kind() {
        K::TABLE_NAME_REF | K::RELATION_NAME_REF => relation(&part),
        _ => None,
    };
    node.descendants().filter_map(name).collect()
}

/// Returns the table that a name with `ONLY` or `*` beside it means.
pub(super) fn table_of(name: &SyntaxNode) -> Option<ObjectName> {
    tables(name).into_iter().next()
}

/// Returns the texts of the parts of a kind.
pub(super) fn texts(node: &SyntaxNode, kind: K) -> Vec<String> {
    let parts = node.descendants().filter(|part| part.kind() == kind);
    parts.map(|part| part.text().to_string().trim().replace('"', "")).collect()
}

pub(super) fn reach(node: &SyntaxNode) -> Reach {
    if child(node, K::CASCADE).is_some() { Reach::Cascade } else { Reach::Alone }
}

pub(super) fn proof(node: &SyntaxNode) -> Proof {
    let is_unproven = child(node, K::IF_NOT_EXISTS).is_some() || child(node, K::OR_REPLACE).is_some();
    if is_unproven { Proof::Unproven } else { Proof::New }
}

pub(super) fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

pub(super) fn has_word(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|part| part.kind() == kind)
}

/// Where a node begins, behind the white space and the comments before it.
pub(super) fn start(node: &SyntaxNode) -> usize {
    usize::from(node.text_range().start()) + lead(node)
}

/// How many bytes of white space and comments a node begins with.
pub(super) fn lead(node: &SyntaxNode) -> usize {
    let mut tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let first = tokens.find(|token| !token.kind().is_trivia());
    first.map_or(0, |token| usize::from(token.text_range().start() - node.text_range().start()))
}
