//! Reads statements on types, schemas, sequences and views, and what is dropped and renamed in the same way everywhere.

use squawk_syntax::{SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Effect, Kind, Proof};
use crate::sql::name::ObjectName;
use crate::sql::postgres::syntax::{Parts, child, relation, single};

pub(super) fn create_type(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let parts = Parts::of(statement, &[K::CREATE_KW, K::TYPE_KW, K::TYPE_NAME, K::ENUM_TYPE, K::SEMICOLON])?;
    // A type without a body is the shell of one that a function will make.
    let labels = labels(parts.node(K::ENUM_TYPE)?);
    Some(vec![Effect::CreateEnum { name: relation(parts.node(K::TYPE_NAME)?)?, proof: Proof::New, labels }])
}

/// Returns the values of an enum, as they are between plain quotes.
fn labels(body: &SyntaxNode) -> Option<Vec<String>> {
    let tokens = body.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let strings = tokens.filter(|token| token.text().contains('\''));
    strings.map(|token| Some(token.text().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))).collect()
}

pub(super) fn alter_type(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let (parts, actions) = Parts::split(statement, &[K::ALTER_KW, K::TYPE_KW, K::TYPE_NAME_REF, K::SEMICOLON])?;
    let [action] = actions.as_slice() else { return None };
    let name = relation(parts.node(K::TYPE_NAME_REF)?)?;
    match action.kind() {
        K::ADD_VALUE => Some(Vec::new()),
        K::RENAME_VALUE => Some(vec![Effect::RenameValue { of: name }]),
        K::TYPE_RENAME_TO | K::SET_SCHEMA => Some(vec![renamed(Kind::Type, &name, action)?]),
        // Attributes of composite types, owners.
        _ => None,
    }
}

pub(super) fn create_schema(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::CREATE_KW, K::SCHEMA_KW, K::IF_NOT_EXISTS, K::NAMED_SCHEMA, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    // Statements may stand in a schema: they are not read.
    let schema = Parts::of(parts.node(K::NAMED_SCHEMA)?, &[K::SCHEMA, K::SEMICOLON])?;
    let name = ObjectName::new([single(schema.node(K::SCHEMA)?)?]);
    Some(vec![Effect::Create { kind: Kind::Schema, name, proof: parts.proof() }])
}

pub(super) fn alter_schema(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::ALTER_KW, K::SCHEMA_KW, K::SCHEMA_REF, K::SCHEMA_RENAME_TO, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let from = ObjectName::new([single(parts.node(K::SCHEMA_REF)?)?]);
    let to = ObjectName::new([single(&child(parts.node(K::SCHEMA_RENAME_TO)?, K::SCHEMA)?)?]);
    Some(vec![Effect::Rename { kind: Kind::Schema, from, to }])
}

/// The options of a sequence that change how it goes on, and not where it stands.
pub(super) const SEQUENCE_OPTIONS: &[K] = &[
    K::OPTION_INCREMENT,
    K::OPTION_MIN_VALUE,
    K::OPTION_NO_MIN_VALUE,
    K::OPTION_MAX_VALUE,
    K::OPTION_NO_MAX_VALUE,
    K::OPTION_START,
    K::OPTION_CACHE,
    K::OPTION_CYCLE,
    K::OPTION_NO_CYCLE,
];

pub(super) fn create_sequence(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::CREATE_KW, K::SEQUENCE_KW, K::IF_NOT_EXISTS, K::SEQUENCE, K::OPTION_AS_TYPE, K::SEMICOLON];
    let parts = Parts::of(statement, &[&known, SEQUENCE_OPTIONS].concat())?;
    let name = relation(parts.node(K::SEQUENCE)?)?;
    Some(vec![Effect::Create { kind: Kind::Sequence, name, proof: parts.proof() }])
}

/// Reads what is altered in the same way everywhere: names, schemas and parameters of sequences, views and indexes.
pub(super) fn alter(statement: &SyntaxNode, keyword: K, reference: K, kind: Kind, rename: K) -> Option<Vec<Effect>> {
    let known = [K::ALTER_KW, K::MATERIALIZED_KW, K::IF_EXISTS, K::SEMICOLON, keyword, reference];
    let (parts, actions) = Parts::split(statement, &known)?;
    let name = relation(parts.node(reference)?)?;
    if kind == Kind::Sequence && actions.iter().all(|action| SEQUENCE_OPTIONS.contains(&action.kind())) {
        return (!actions.is_empty()).then(Vec::new);
    }
    let [action] = actions.as_slice() else { return None };
    match (action.kind(), kind) {
        (action_kind, _) if action_kind == rename => Some(vec![renamed(kind, &name, action)?]),
        (K::SET_SCHEMA, Kind::Sequence | Kind::View | Kind::MaterializedView) => {
            Some(vec![renamed(kind, &name, action)?])
        }
        (K::SET_OPTIONS | K::RESET_OPTIONS, Kind::View) if weakens(action) => {
            Some(vec![Effect::DisableRls { table: name }])
        }
        (K::SET_OPTIONS | K::RESET_OPTIONS, Kind::View | Kind::MaterializedView) => Some(Vec::new()),
        (K::SET_TABLESPACE | K::SET_ACCESS_METHOD, Kind::MaterializedView) => {
            Some(vec![Effect::RewriteTable { table: name }])
        }
        _ => None,
    }
}

/// Tells whether a view stops reading with the rights of whoever asks, or stops keeping conditions apart: then rows that
/// the policies of its tables hide can be seen through it.
fn weakens(action: &SyntaxNode) -> bool {
    action.descendants().filter(|node| node.kind() == K::ATTRIBUTE_OPTION).any(|option| {
        let text = option.text().to_string().to_ascii_lowercase();
        let text: String = text.split_whitespace().collect();
        text.contains("security_") && !matches!(text.as_str(), "security_invoker=true" | "security_barrier=true")
    })
}

pub(super) fn create_view(statement: &SyntaxNode, kind: Kind) -> Option<Vec<Effect>> {
    let known = [
        K::CREATE_KW,
        K::OR_REPLACE,
        K::MATERIALIZED_KW,
        K::VIEW_KW,
        K::IF_NOT_EXISTS,
        K::VIEW,
        K::COLUMN_LIST,
        K::USING_METHOD,
        K::WITH_PARAMS,
        K::TABLESPACE_CLAUSE,
        K::AS_KW,
        K::SELECT,
        K::PAREN_SELECT,
        K::COMPOUND_SELECT,
        K::VALUES,
        K::WITH_DATA,
        K::WITH_NO_DATA,
        K::SEMICOLON,
    ];
    let parts = Parts::of(statement, &known)?;
    Some(vec![Effect::Create { kind, name: relation(parts.node(K::VIEW)?)?, proof: parts.proof() }])
}

/// Reads `DROP … [IF EXISTS] name, … [CASCADE]`.
pub(super) fn drop(statement: &SyntaxNode, keyword: K, reference: K, kind: Kind) -> Option<Vec<Effect>> {
    let known = [
        K::DROP_KW,
        K::MATERIALIZED_KW,
        K::CONCURRENTLY_KW,
        K::IF_EXISTS,
        K::COMMA,
        K::CASCADE,
        K::RESTRICT,
        K::SEMICOLON,
        keyword,
        reference,
    ];
    let parts = Parts::of(statement, &known)?;
    let name = |node: &SyntaxNode| match kind {
        Kind::Schema | Kind::Role => single(node).map(|name| ObjectName::new([name])),
        Kind::Table
        | Kind::Column
        | Kind::View
        | Kind::MaterializedView
        | Kind::Sequence
        | Kind::Type
        | Kind::Index
        | Kind::Constraint
        | Kind::Policy => relation(node),
    };
    let names = parts.nodes(reference).map(name).collect::<Option<Vec<_>>>()?;
    // The parser accepts a statement that names nothing.
    (!names.is_empty()).then(|| names.into_iter().map(|name| parts.drop(kind, name)).collect())
}

/// Reads `RENAME TO name` and `SET SCHEMA schema`.
pub(super) fn renamed(kind: Kind, from: &ObjectName, action: &SyntaxNode) -> Option<Effect> {
    let to = if action.kind() == K::SET_SCHEMA {
        let parts = Parts::of(action, &[K::SET_KW, K::SCHEMA_KW, K::SCHEMA_REF])?;
        ObjectName::new([single(parts.node(K::SCHEMA_REF)?)?]).child(from.last())
    } else {
        let (_, names) = Parts::split(action, &[K::RENAME_KW, K::TO_KW])?;
        let [name] = names.as_slice() else { return None };
        from.parent()?.child(&single(name)?)
    };
    Some(Effect::Rename { kind, from: from.clone(), to })
}
