//! The parts of a statement and the names in them, of which nothing is passed over.

use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Effect, Kind, Proof, Reach, TypeText};
use crate::sql::lex;
use crate::sql::name::{ObjectName, PUBLIC};

pub(in crate::sql) fn parse_one(sql: &str) -> Option<SyntaxNode> {
    // The parser recurses: what is nested too deeply must not reach it.
    lex::tokens(sql, Dialect::Postgres).ok().filter(|tokens| lex::is_shallow(tokens))?;
    let parse = SourceFile::parse(sql);
    if !parse.errors().is_empty() {
        return None;
    }
    let mut statement = None;
    for child in parse.syntax_node().children_with_tokens() {
        match child {
            SyntaxElement::Token(token) if token.kind().is_trivia() => {}
            SyntaxElement::Node(node) if statement.is_none() => statement = Some(node),
            // A second statement, or something outside of all statements.
            SyntaxElement::Node(_) | SyntaxElement::Token(_) => return None,
        }
    }
    statement.filter(|node| node.kind() != K::EMPTY_STMT)
}

/// The parts of a node, all of which are of known kinds.
pub(super) struct Parts(Vec<SyntaxElement>);

impl Parts {
    /// Returns the parts of a node; nothing if one of them is of another kind than these.
    pub(super) fn of(node: &SyntaxNode, known: &[K]) -> Option<Parts> {
        let (parts, others) = Parts::split(node, known)?;
        others.is_empty().then_some(parts)
    }

    /// Returns the parts of a node that are of these kinds, and the nodes that are not, which the caller must read.
    /// A word that is not known leaves nothing.
    pub(super) fn split(node: &SyntaxNode, known: &[K]) -> Option<(Parts, Vec<SyntaxNode>)> {
        let mut parts = Parts(Vec::new());
        let mut others = Vec::new();
        for part in node.children_with_tokens() {
            if known.contains(&part.kind()) {
                parts.0.push(part);
                continue;
            }
            match part {
                SyntaxElement::Node(node) => others.push(node),
                SyntaxElement::Token(token) if token.kind().is_trivia() => {}
                SyntaxElement::Token(_) => return None,
            }
        }
        Some((parts, others))
    }

    pub(super) fn all_nodes(&self) -> impl Iterator<Item = &SyntaxNode> {
        self.0.iter().filter_map(SyntaxElement::as_node)
    }

    pub(super) fn nodes(&self, kind: K) -> impl Iterator<Item = &SyntaxNode> {
        self.all_nodes().filter(move |node| node.kind() == kind)
    }

    pub(super) fn node(&self, kind: K) -> Option<&SyntaxNode> {
        self.nodes(kind).next()
    }

    pub(super) fn has(&self, kind: K) -> bool {
        self.0.iter().any(|part| part.kind() == kind)
    }

    pub(super) fn proof(&self) -> Proof {
        if self.has(K::IF_NOT_EXISTS) || self.has(K::OR_REPLACE) { Proof::Unproven } else { Proof::New }
    }

    pub(super) fn reach(&self) -> Reach {
        if self.has(K::CASCADE) { Reach::Cascade } else { Reach::Alone }
    }

    pub(super) fn drop(&self, kind: Kind, name: ObjectName) -> Effect {
        Effect::Drop { kind, name, reach: self.reach(), if_exists: self.has(K::IF_EXISTS) }
    }
}

pub(super) fn type_text(node: &SyntaxNode) -> Option<TypeText> {
    let text = node.text().to_string();
    let text = text.trim().to_owned();
    let name = match node.kind() {
        K::PATH_TYPE => child(node, K::PATH_REF).filter(|_| child(node, K::ARG_LIST).is_none()),
        K::ARRAY_TYPE => {
            let element = child(node, K::PATH_TYPE).filter(|element| child(element, K::ARG_LIST).is_none());
            element.and_then(|element| child(&element, K::PATH_REF))
        }
        K::VARCHAR_TYPE
        | K::CHARACTER_TYPE
        | K::BIT_TYPE
        | K::BIT_VARYING_TYPE
        | K::DOUBLE_TYPE
        | K::INTERVAL_TYPE
        | K::TIME_TYPE
        | K::TIMESTAMP_TYPE => None,
        // Not a type.
        _ => return None,
    };
    Some(TypeText { text, name: name.and_then(|path| relation(&path)) })
}

pub(super) fn proof(node: &SyntaxNode) -> Proof {
    if child(node, K::IF_NOT_EXISTS).is_some() { Proof::Unproven } else { Proof::New }
}

pub(super) fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

pub(super) fn child_token(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|part| part.kind() == kind)
}

/// Reads the name of what lives in a schema.
pub(in crate::sql) fn relation(node: &SyntaxNode) -> Option<ObjectName> {
    let mut parts = parts_of_name(node)?;
    match parts.len() {
        1 => parts.insert(0, PUBLIC.to_owned()),
        2 => {}
        // The name of the database may stand before it, which drizzle-kit never writes.
        _ => return None,
    }
    Some(ObjectName::new(parts))
}

/// Reads a name without a schema.
pub(in crate::sql) fn single(node: &SyntaxNode) -> Option<String> {
    let mut parts = parts_of_name(node)?;
    (parts.len() == 1).then(|| parts.pop()).flatten()
}

/// Reads names that are joined by dots. Anything else between or beside them, such as `ONLY` or `*`, is not a name.
pub(super) fn parts_of_name(node: &SyntaxNode) -> Option<Vec<String>> {
    let tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let mut tokens = tokens.filter(|token| !token.kind().is_trivia());
    let mut parts = Vec::with_capacity(2);
    loop {
        parts.push(identifier(&tokens.next()?)?);
        match tokens.next() {
            None => return Some(parts),
            Some(dot) if dot.kind() == K::DOT => {}
            Some(_) => return None,
        }
    }
}

/// Returns the name that a token stands for: as it is between quotes, in lower case without.
/// Names with escapes (`U&"…"`) are refused: drizzle-kit writes none, and what they say cannot be seen.
pub(in crate::sql) fn identifier(token: &SyntaxToken) -> Option<String> {
    let text = token.text();
    if let Some(quoted) = text.strip_prefix('"') {
        let name = quoted.strip_suffix('"')?;
        return (!name.is_empty()).then(|| name.replace("\"\"", "\""));
    }
    let is_name = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii());
    let begins = text.starts_with(|c: char| c.is_alphabetic() || c == '_' || !c.is_ascii());
    (is_name && begins).then(|| text.to_ascii_lowercase())
}
