//! Reads statements on who may do what: row level security policies, roles and privileges.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Effect, Kind, Proof, Reach};
use crate::sql::name::ObjectName;
use crate::sql::postgres::syntax::{Parts, child, parse_one, relation, single};

fn policy_of(parts: &Parts, kind: K) -> Option<ObjectName> {
    let on = Parts::of(parts.node(K::ON_TABLE)?, &[K::ON_KW, K::TABLE_NAME_REF])?;
    Some(relation(on.node(K::TABLE_NAME_REF)?)?.child(&single(parts.node(kind)?)?))
}

pub(super) fn create_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [
        K::CREATE_KW,
        K::POLICY_KW,
        K::POLICY,
        K::ON_TABLE,
        K::AS_POLICY_TYPE,
        K::POLICY_COMMAND,
        K::POLICY_ROLES,
        K::USING_EXPR_CLAUSE,
        K::WITH_CHECK_EXPR_CLAUSE,
        K::SEMICOLON,
    ];
    let parts = Parts::of(statement, &known)?;
    Some(vec![Effect::Create { kind: Kind::Policy, name: policy_of(&parts, K::POLICY)?, proof: Proof::New }])
}

/// A row level security policy as a statement creates it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowPolicy {
    /// Below its table.
    pub name: ObjectName,
    /// The conditions, as they are written.
    pub using: Option<String>,
    pub with_check: Option<String>,
}

/// Reads a statement that creates a row level security policy.
pub fn row_policy(sql: &str) -> Option<RowPolicy> {
    let statement = parse_one(sql).filter(|statement| statement.kind() == K::CREATE_POLICY)?;
    let name = create_policy(&statement)?.into_iter().find_map(|effect| match effect {
        Effect::Create { kind: Kind::Policy, name, .. } => Some(name),
        _ => None,
    })?;
    let condition = |kind| child(&statement, kind).map(|clause| clause.text().to_string().trim().to_owned());
    let (using, with_check) = (condition(K::USING_EXPR_CLAUSE), condition(K::WITH_CHECK_EXPR_CLAUSE));
    Some(RowPolicy { name, using, with_check })
}

pub(super) fn alter_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known =
        [K::ALTER_KW, K::POLICY_KW, K::POLICY_REF, K::ON_TABLE, K::ALTER_POLICY_TO, K::POLICY_RENAME_TO, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let policy = policy_of(&parts, K::POLICY_REF)?;
    let mut effects = vec![Effect::AlterPolicy { policy: policy.clone() }];
    if let Some(rename) = parts.node(K::POLICY_RENAME_TO) {
        let to = policy.parent()?.child(&single(&child(rename, K::POLICY)?)?);
        effects.push(Effect::Rename { kind: Kind::Policy, from: policy, to });
    }
    Some(effects)
}

pub(super) fn drop_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known =
        [K::DROP_KW, K::POLICY_KW, K::IF_EXISTS, K::POLICY_REF, K::ON_TABLE, K::CASCADE, K::RESTRICT, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let name = policy_of(&parts, K::POLICY_REF)?;
    // Nothing can depend on a policy: the word that drizzle-kit writes here reaches nothing.
    Some(vec![Effect::Drop { kind: Kind::Policy, name, reach: Reach::Alone, if_exists: parts.has(K::IF_EXISTS) }])
}

/// What a role may, and whether a word gives it or takes it.
fn role_options(list: &SyntaxNode) -> Option<Vec<(String, bool)>> {
    let known = [K::WITH_KW, K::ROLE_OPTION_GENERIC, K::ROLE_OPTION_INHERIT];
    let powers = ["SUPERUSER", "CREATEDB", "CREATEROLE", "LOGIN", "REPLICATION", "BYPASSRLS", "INHERIT"];
    let read = |option: &SyntaxNode| {
        let word = option.text().to_string().trim().to_ascii_uppercase();
        match word.strip_prefix("NO") {
            Some(power) if powers.contains(&power) => Some((power.to_owned(), false)),
            _ => powers.contains(&word.as_str()).then_some((word, true)),
        }
    };
    Parts::of(list, &known)?.all_nodes().map(read).collect()
}

pub(super) fn create_role(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let parts = Parts::of(statement, &[K::CREATE_KW, K::ROLE_KW, K::ROLE, K::ROLE_OPTION_LIST, K::SEMICOLON])?;
    let name = ObjectName::new([single(parts.node(K::ROLE)?)?]);
    let options = parts.node(K::ROLE_OPTION_LIST).map_or_else(|| Some(Vec::new()), role_options)?;
    let mut effects = vec![Effect::Create { kind: Kind::Role, name: name.clone(), proof: Proof::New }];
    // To log in and to inherit is what every user may; the rest is power over others.
    if options.iter().any(|(power, given)| *given && power != "LOGIN" && power != "INHERIT") {
        effects.push(Effect::Grant { on: vec![name] });
    }
    Some(effects)
}

pub(super) fn alter_role(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::ALTER_KW, K::ROLE_KW, K::ROLE_REF, K::ROLE_OPTION_LIST, K::ROLE_RENAME_TO, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let name = ObjectName::new([single(parts.node(K::ROLE_REF)?)?]);
    if let Some(rename) = parts.node(K::ROLE_RENAME_TO) {
        let to = ObjectName::new([single(&child(rename, K::ROLE)?)?]);
        return Some(vec![Effect::Rename { kind: Kind::Role, from: name, to }]);
    }
    let options = role_options(parts.node(K::ROLE_OPTION_LIST)?)?;
    let mut effects = Vec::new();
    if options.iter().any(|(_, given)| *given) {
        effects.push(Effect::Grant { on: vec![name.clone()] });
    }
    if options.iter().any(|(_, given)| !given) {
        effects.push(Effect::Revoke { on: vec![name] });
    }
    Some(effects)
}

pub(super) fn privileges(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let on = match child(statement, K::ON_PRIVILEGE_OBJECTS_CLAUSE) {
        Some(objects) => named(&objects),
        None => named(statement),
    };
    Some(vec![if statement.kind() == K::GRANT { Effect::Grant { on } } else { Effect::Revoke { on } }])
}

pub(super) fn default_privileges(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let on = child(statement, K::IN_SCHEMAS).map(|schemas| named(&schemas)).unwrap_or_default();
    if child(statement, K::GRANT_DEFAULT_PRIVILEGES).is_some() {
        return Some(vec![Effect::Grant { on }]);
    }
    child(statement, K::REVOKE_DEFAULT_PRIVILEGES).map(|_| vec![Effect::Revoke { on }])
}

/// Returns the tables, schemas and roles that are named somewhere in a part of a statement.
fn named(node: &SyntaxNode) -> Vec<ObjectName> {
    let name = |node: SyntaxNode| match node.kind() {
        K::RELATION_NAME_REF | K::TABLE_NAME_REF => relation(&node),
        K::SCHEMA_REF | K::ROLE_NAME_REF => single(&node).map(|name| ObjectName::new([name])),
        _ => None,
    };
    node.descendants().filter_map(name).collect()
}
