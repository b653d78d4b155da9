//! Reads one statement of PostgreSQL.
//!
//! squawk's parser goes on after errors and is lenient in places, so a tree alone proves nothing. Two things hold
//! everywhere here: a statement with any error is unknown, and every reader lists the parts that it knows
//! ([`Parts::of`]). A part that is not in the list makes the whole statement unknown, so a clause that a later version
//! of the parser or of drizzle-kit brings is refused until somebody has read it.

mod access;
mod code;
mod object;
mod subject;
mod syntax;
mod table;

use std::sync::LazyLock;

use regex::Regex;
use squawk_syntax::{SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Effect, Kind, Proof, Reading};
use access::{alter_policy, alter_role, create_policy, create_role, default_privileges, drop_policy, privileges};
use code::runs;
use object::{alter, alter_schema, alter_type, create_schema, create_sequence, create_type, create_view, drop};
use syntax::{Parts, child};
use table::{SAME_FOR_EVERY_ROW, alter_table, create_index, create_table, delete, truncate};

pub use access::{RowPolicy, row_policy};
pub use subject::{Subject, subjects};
pub(super) use syntax::{identifier, parse_one, relation, single};
pub(super) use table::may_differ;

/// Reads a statement.
pub(super) fn read(sql: &str) -> Reading {
    match parse_one(sql) {
        Some(statement) => read_tree(&statement),
        None => Reading::unknown("unknown"),
    }
}

/// Reads the tree of one statement that was parsed without an error.
pub(super) fn read_tree(statement: &SyntaxNode) -> Reading {
    let kind = format!("{:?}", statement.kind()).to_lowercase();
    if statement.kind() == K::DO {
        return wrapped(statement).unwrap_or_else(|| Reading::unknown(kind));
    }
    match effects(statement) {
        Some(effects) => Reading { kind, effects, runs: runs(statement) },
        None => Reading::unknown(kind),
    }
}

/// Tells whether a text is exactly one statement.
pub(super) fn is_one(sql: &str) -> bool {
    parse_one(sql).is_some()
}

/// Reads the block that drizzle-kit 0.20 to 0.29 puts around statements that may run twice. No other block is read:
/// what a program in the server does cannot be told from its text.
fn wrapped(statement: &SyntaxNode) -> Option<Reading> {
    let statement = inner(statement)?;
    let mut effects = effects(&statement)?;
    for effect in &mut effects {
        // That the object was there already is what the block forgives.
        if let Effect::Create { proof, .. } | Effect::CreateEnum { proof, .. } = effect {
            *proof = Proof::Unproven;
        }
    }
    Some(Reading { kind: format!("{:?}", statement.kind()).to_lowercase(), effects, runs: runs(&statement) })
}

/// Returns the statement that stands in such a block.
fn inner(statement: &SyntaxNode) -> Option<SyntaxNode> {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^\$\$ ?BEGIN\s(.*;)\s*EXCEPTION\s+WHEN duplicate_object THEN null;\s+END ?;?\s*\$\$$")
            .expect("the pattern is right")
    });
    let parts = Parts::of(statement, &[K::DO_KW, K::LITERAL, K::SEMICOLON])?;
    let body = parts.node(K::LITERAL)?.text().to_string();
    let inner = BLOCK.captures(body.trim())?.get(1)?.as_str();
    parse_one(inner).filter(|inner| matches!(inner.kind(), K::CREATE_TYPE | K::ALTER_TABLE))
}

/// The end of a statement that changes the type of one column and does nothing else.
pub(super) struct TypeChange {
    /// Where the type with its collation ends, in bytes: what stands behind `USING` comes next.
    pub(super) end: usize,
    /// The expression behind `USING`, as it is written.
    pub(super) using: Option<String>,
}

/// Reads a statement that changes the type of one column and does nothing else.
pub(super) fn type_change(sql: &str) -> Option<TypeChange> {
    let statement = parse_one(sql).filter(|statement| statement.kind() == K::ALTER_TABLE)?;
    let effects = effects(&statement)?;
    let [Effect::ChangeType { .. }, Effect::RewriteTable { .. }] = effects.as_slice() else { return None };
    let option = child(&child(&statement, K::ALTER_COLUMN)?, K::SET_TYPE)?;
    let clause = child(&option, K::USING_EXPR);
    let using = match &clause {
        Some(clause) => Some(clause.children().next()?.text().to_string().trim().to_owned()),
        None => None,
    };
    let limit = clause.map_or(option.text_range().end(), |clause| clause.text_range().start());
    let tokens = option.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let tokens = tokens.filter(|token| !token.kind().is_trivia() && token.text_range().end() <= limit);
    let end = tokens.last()?.text_range().end().into();
    Some(TypeChange { end, using })
}

/// Returns what a statement does; nothing where a part of it is not known.
fn effects(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    match statement.kind() {
        K::CREATE_TABLE => create_table(statement),
        K::ALTER_TABLE => alter_table(statement),
        K::DROP_TABLE => drop(statement, K::TABLE_KW, K::TABLE_NAME_REF, Kind::Table),
        K::TRUNCATE => truncate(statement),
        K::DELETE => delete(statement),
        K::CREATE_INDEX => create_index(statement),
        K::DROP_INDEX => drop(statement, K::INDEX_KW, K::INDEX_REF, Kind::Index),
        K::ALTER_INDEX => alter(statement, K::INDEX_KW, K::INDEX_REF, Kind::Index, K::INDEX_RENAME_TO),
        K::CREATE_TYPE => create_type(statement),
        K::ALTER_TYPE => alter_type(statement),
        K::DROP_TYPE => drop(statement, K::TYPE_KW, K::TYPE_NAME_REF, Kind::Type),
        K::CREATE_SCHEMA => create_schema(statement),
        K::ALTER_SCHEMA => alter_schema(statement),
        K::DROP_SCHEMA => drop(statement, K::SCHEMA_KW, K::SCHEMA_REF, Kind::Schema),
        K::CREATE_SEQUENCE => create_sequence(statement),
        K::ALTER_SEQUENCE => alter(statement, K::SEQUENCE_KW, K::SEQUENCE_REF, Kind::Sequence, K::SEQUENCE_RENAME_TO),
        K::DROP_SEQUENCE => drop(statement, K::SEQUENCE_KW, K::SEQUENCE_REF, Kind::Sequence),
        K::CREATE_VIEW => create_view(statement, Kind::View),
        K::ALTER_VIEW => alter(statement, K::VIEW_KW, K::VIEW_REF, Kind::View, K::VIEW_RENAME_TO),
        K::DROP_VIEW => drop(statement, K::VIEW_KW, K::VIEW_REF, Kind::View),
        K::CREATE_MATERIALIZED_VIEW => create_view(statement, Kind::MaterializedView),
        K::ALTER_MATERIALIZED_VIEW => {
            alter(statement, K::VIEW_KW, K::VIEW_REF, Kind::MaterializedView, K::VIEW_RENAME_TO)
        }
        K::DROP_MATERIALIZED_VIEW => drop(statement, K::VIEW_KW, K::VIEW_REF, Kind::MaterializedView),
        K::CREATE_POLICY => create_policy(statement),
        K::ALTER_POLICY => alter_policy(statement),
        K::DROP_POLICY => drop_policy(statement),
        K::CREATE_ROLE => create_role(statement),
        K::ALTER_ROLE => alter_role(statement),
        K::DROP_ROLE => drop(statement, K::ROLE_KW, K::ROLE_REF, Kind::Role),
        K::GRANT | K::REVOKE => privileges(statement),
        K::ALTER_DEFAULT_PRIVILEGES => default_privileges(statement),
        K::COMMENT_ON => Some(Vec::new()),
        // Functions, triggers, rules, queries, transactions, settings: some change nothing, but none is drizzle-kit's.
        _ => None,
    }
}

/// Tells whether a statement that has no effects of its own here destroys nothing: it adds, says something, or divides transactions.
pub fn adds_only(sql: &str) -> bool {
    let Some(statement) = parse_one(sql) else { return false };
    let reads_alone = || {
        let others = [K::INSERT, K::UPDATE, K::DELETE, K::MERGE];
        let changes = statement.descendants().skip(1).any(|part| others.contains(&part.kind()));
        let overwrites = statement.descendants().any(|part| part.kind() == K::ON_CONFLICT_CLAUSE);
        let calls = statement.descendants().filter(|part| part.kind() == K::CALL_EXPR).any(|call| {
            let name = child(&call, K::NAME_REF).and_then(|name| single(&name));
            !name.is_some_and(|name| {
                SAME_FOR_EVERY_ROW.contains(&name.as_str())
                    || ["gen_random_uuid", "nextval", "count"].contains(&name.as_str())
            })
        });
        !changes && !overwrites && !calls
    };
    match statement.kind() {
        K::INSERT | K::SELECT | K::VALUES | K::CREATE_TABLE_AS | K::SELECT_INTO | K::CREATE_TABLE => reads_alone(),
        K::CREATE_FUNCTION
        | K::CREATE_PROCEDURE
        | K::CREATE_TRIGGER
        | K::CREATE_EXTENSION
        | K::CREATE_DOMAIN
        | K::CREATE_TYPE
        | K::CREATE_STATISTICS
        | K::COMMENT_ON
        | K::SET
        | K::SET_CONSTRAINTS
        | K::SET_TRANSACTION
        | K::BEGIN
        | K::COMMIT_TRANSACTION
        | K::SAVEPOINT_CREATE
        | K::RELEASE_SAVEPOINT
        | K::LOCK
        | K::ANALYZE
        | K::SHOW => true,
        _ => false,
    }
}
