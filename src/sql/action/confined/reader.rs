//! Reads what a statement does, as far as it may matter outside of its database.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

use crate::sql::action::block::Block;
use crate::sql::action::text;
use crate::sql::postgres::{identifier, single};

/// What a statement does, as far as it may matter outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Deed {
    Leaves(String),
    /// It stays on the server, where others may have something to do with it.
    Shares(Shared, String),
    /// Something of this name may be called.
    Calls(String),
    /// Something of this name may be a function that is used.
    Mentions(String),
    /// It writes rows of what has one of these names.
    Writes(Vec<String>),
    /// A view of this name shows something of what has one of these names, and may be written through.
    Shows(String, Vec<String>),
    /// A trigger runs it whenever rows are written.
    Watches(String),
    CreatesRole(String),
    CreatesExtension(String),
    Defines(String, Vec<Deed>),
}

/// What the databases of a server share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shared {
    /// Roles, their settings and their memberships.
    Roles,
    /// The databases themselves, by their names.
    Databases,
}

/// The catalogs that all databases of a server have in common.
const SHARED: &[&str] = &[
    "pg_auth_members",
    "pg_authid",
    "pg_database",
    "pg_db_role_setting",
    "pg_parameter_acl",
    "pg_replication_origin",
    "pg_shdepend",
    "pg_shdescription",
    "pg_shseclabel",
    "pg_subscription",
    "pg_tablespace",
];

/// The catalogs that say what a function, an operator or a type does.
const CODE: &[&str] = &[
    "pg_aggregate",
    "pg_am",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_cast",
    "pg_class",
    "pg_conversion",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_opclass",
    "pg_operator",
    "pg_proc",
    "pg_range",
    "pg_rewrite",
    "pg_transform",
    "pg_trigger",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
    "pg_user_mapping",
];

/// Settings with which a text would mean something else than what was read, or could do more.
const SETTINGS: &[&str] =
    &["standard_conforming_strings", "backslash_quote", "allow_system_table_mods", "extension_control_path"];

/// Tells whether rows of a catalog say what belongs to the whole server, or what functions do.
pub(super) fn is_guarded(catalog: &str) -> bool {
    SHARED.contains(&catalog) || CODE.contains(&catalog)
}

/// How deeply blocks of code may be nested.
const DEEPEST: usize = 8;

pub(super) struct Reader {
    pub(super) deeds: Vec<Deed>,
    pub(super) depth: usize,
}

impl Reader {
    fn take(&mut self, deed: Deed) {
        if !self.deeds.contains(&deed) {
            self.deeds.push(deed);
        }
    }

    fn refuse(&mut self, why: impl Into<String>) {
        self.take(Deed::Leaves(why.into()));
    }

    fn shares(&mut self, shared: Shared, why: impl Into<String>) {
        self.take(Deed::Shares(shared, why.into()));
    }

    /// Reads a statement, the statements within it, and what it calls.
    pub(super) fn statement(&mut self, node: &SyntaxNode) {
        self.code(node);
        for inner in node.descendants().filter(|inner| ast::Stmt::can_cast(inner.kind())) {
            self.one(&inner);
        }
    }

    /// Reads the body of a block or a function.
    fn body(&mut self, body: &SyntaxNode) {
        self.statement(body);
        for part in body.descendants() {
            let is_dynamic = matches!(
                part.kind(),
                K::PLPGSQL_DYN_EXECUTE_STMT
                    | K::PLPGSQL_FOR_DYN_STMT
                    | K::PLPGSQL_RETURN_QUERY_EXECUTE_STMT
                    | K::PLPGSQL_OPEN_EXECUTE
            );
            if is_dynamic {
                self.execute(&part);
            }
        }
    }

    fn execute(&mut self, node: &SyntaxNode) {
        let made = child(node, K::PLPGSQL_EXPR).and_then(|expression| text::made_by(&expression));
        let parse = made.map(|text| SourceFile::parse(&text)).filter(|parse| parse.errors().is_empty());
        let Some(parse) = parse.filter(|_| self.depth < DEEPEST) else {
            return self.refuse("it executes SQL text that is built on the server");
        };
        self.depth += 1;
        for statement in parse.syntax_node().children() {
            self.statement(&statement);
        }
        self.depth -= 1;
    }

    /// Collects what is called, outside of what only speaks of functions.
    fn code(&mut self, node: &SyntaxNode) {
        let tokens: Vec<SyntaxToken> = node
            .descendants_with_tokens()
            .filter_map(SyntaxElement::into_token)
            .filter(|token| !token.kind().is_trivia())
            .collect();
        for (idx, token) in tokens.iter().enumerate() {
            let text = token.text();
            if text.len() > 2 && text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("u&")) {
                self.refuse("it has a name or a string with escapes, which is not read");
            }
            let around = token.parent_ancestors().find(|around| speaks_of_functions(around.kind()));
            if around.is_some_and(|around| around != *node || speaks_of_functions(node.kind())) {
                continue;
            }
            let next = |n: usize| tokens.get(idx + n).map(SyntaxToken::text);
            let Some(name) = identifier(token).filter(|_| next(1) == Some("(")) else { continue };
            if name == "%I" {
                self.refuse("it calls a function whose name is built on the server");
            }
            let is_plain = next(2).is_some_and(|text| text.starts_with('\'')) && next(3) == Some(",");
            if name == "set_config" && !is_plain {
                self.refuse("it changes a setting whose name is built on the server");
            }
            self.take(Deed::Calls(name));
        }
        // `row.f` is another way to write `f(row)`, and some statements name a function without calling it.
        for part in node.descendants() {
            let names_functions = matches!(
                part.kind(),
                K::FIELD_EXPR
                    | K::CREATE_OPERATOR
                    | K::CREATE_AGGREGATE
                    | K::CREATE_TYPE
                    | K::CREATE_CONVERSION
                    | K::CREATE_TEXT_SEARCH_PARSER
                    | K::CREATE_TEXT_SEARCH_TEMPLATE
            );
            if names_functions {
                let tokens = part.descendants_with_tokens().filter_map(SyntaxElement::into_token);
                for name in tokens.filter_map(|token| identifier(&token)) {
                    self.take(Deed::Mentions(name));
                }
            }
        }
    }

    /// Reads one statement, without those within it.
    fn one(&mut self, node: &SyntaxNode) {
        let text = node.text().to_string().to_ascii_lowercase();
        if let Some(setting) = SETTINGS.iter().find(|setting| text.contains(**setting)) {
            let is_usual = node.kind() == K::SET && text.trim_end_matches([';', ' ', '\n', '\r', '\'']).ends_with("on");
            if !is_usual || !matches!(*setting, "standard_conforming_strings" | "backslash_quote") {
                self.refuse(format!("it names {setting}, which changes what statements mean or may do"));
            }
        }
        match node.kind() {
            K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP => {
                match child(node, K::ROLE).and_then(|role| single(&role)) {
                    Some(role) => self.take(Deed::CreatesRole(role)),
                    None => self.refuse("it creates a role, which belongs to the whole server"),
                }
            }
            K::CREATE_EXTENSION => match child(node, K::EXTENSION).and_then(|name| single(&name)) {
                Some(name) => self.take(Deed::CreatesExtension(name)),
                None => self.refuse("it creates an extension whose name is not read"),
            },
            K::CREATE_FUNCTION | K::CREATE_PROCEDURE => self.function(node),
            K::CREATE_VIEW => {
                let names: Vec<String> = tokens(node).filter_map(|token| identifier(&token)).collect();
                let name = child(node, K::VIEW);
                match name.and_then(|name| tokens(&name).filter_map(|token| identifier(&token)).last()) {
                    Some(view) => self.take(Deed::Shows(view, names)),
                    None => self.refuse("it creates a view whose name is not read"),
                }
            }
            K::DO => match Block::read(node).filter(|_| self.depth < DEEPEST) {
                Some(block) => {
                    self.depth += 1;
                    self.body(&block.syntax());
                    self.depth -= 1;
                }
                None => self.refuse("it is a DO block that cannot be read"),
            },
            K::CREATE_TRIGGER => {
                let mut inner = Reader { deeds: Vec::new(), depth: self.depth };
                let tokens: Vec<SyntaxToken> = tokens(node).collect();
                for pair in tokens.windows(2).filter(|pair| pair[1].text() == "(") {
                    inner.deeds.extend(identifier(&pair[0]).map(Deed::Watches));
                }
                inner.deeds.into_iter().for_each(|deed| self.take(deed));
            }
            K::GRANT | K::REVOKE => {
                let on = words(node).skip_while(|word| word != "on").nth(1);
                match on.as_deref() {
                    None => self.shares(Shared::Roles, "membership in a role belongs to the whole server"),
                    Some("database") => {
                        self.shares(Shared::Databases, "privileges on databases belong to the whole server");
                    }
                    Some("tablespace" | "parameter") => {
                        self.refuse("privileges on tablespaces and parameters belong to the whole server");
                    }
                    Some(_) => {}
                }
            }
            K::COMMENT_ON => {
                let on = words(node).nth(2);
                const WHY: &str = "it comments on what belongs to the whole server";
                match on.as_deref() {
                    Some("database") => self.shares(Shared::Databases, WHY),
                    Some("role") => self.shares(Shared::Roles, WHY),
                    Some("tablespace" | "subscription") => self.refuse(WHY),
                    _ => {}
                }
            }
            K::SET if words(node).any(|word| word == "%i") => {
                self.refuse("it changes a setting whose name is built on the server");
            }
            K::REINDEX if words(node).any(|word| matches!(word.as_str(), "database" | "system")) => {
                self.refuse("it works on catalogs that all databases share");
            }
            K::INSERT | K::UPDATE | K::DELETE | K::MERGE | K::TRUNCATE | K::LOCK => {
                let is_target = |part: &SyntaxNode| {
                    matches!(
                        part.kind(),
                        K::RELATION_NAME
                            | K::RELATION_NAME_REF
                            | K::TABLE_RELATION_NAME
                            | K::TABLE_LIST
                            | K::TABLE_NAME_REF
                    )
                };
                let targets = match node.kind() {
                    K::LOCK => vec![node.clone()],
                    _ => node.children().filter(is_target).collect(),
                };
                let names = targets.iter().flat_map(tokens).filter_map(|token| identifier(&token));
                let names: Vec<String> = names.collect();
                let is_among = |catalogs: &[&str]| names.iter().any(|name| catalogs.contains(&name.as_str()));
                if is_among(SHARED) {
                    self.refuse("it acts on a catalog that all databases share");
                }
                if node.kind() != K::LOCK {
                    if is_among(CODE) {
                        self.refuse("it writes to a catalog that says what functions and types do");
                    }
                    self.take(Deed::Writes(names));
                }
            }
            kind if stays(kind) => {}
            kind => {
                let words: Vec<String> = words(node).take(2).map(|word| word.to_ascii_uppercase()).collect();
                let why = format!("{} acts outside the database, or may do so", words.join(" "));
                match shared(kind) {
                    // A session that begins later would load what these name.
                    Some(shared) if !text.contains("_preload_libraries") && !text.contains("dynamic_library_path") => {
                        self.shares(shared, why);
                    }
                    _ => self.refuse(why),
                }
            }
        }
    }

    /// Reads the body of a function, which counts where it may be called.
    fn function(&mut self, node: &SyntaxNode) {
        let tokens: Vec<SyntaxToken> = tokens(node).collect();
        // The name is what stands before the parameters.
        let named = tokens.windows(2).find(|pair| pair[1].text() == "(").and_then(|pair| identifier(&pair[0]));
        let Some(name) = named else {
            return self.refuse("it creates a function whose name is not read");
        };
        let mut inner = Reader { deeds: Vec::new(), depth: self.depth + 1 };
        let language = node.descendants().find_map(ast::LanguageFuncOption::cast).and_then(|it| it.language_name());
        let body = node.descendants().find_map(ast::AsDefinition::cast).and_then(|body| body.literal());
        match (language.as_ref().map(|language| language.name.as_str()), body) {
            // The body is a part of the statement.
            (None | Some("sql"), None) => {
                for statement in node.descendants().skip(1).filter(|part| ast::Stmt::can_cast(part.kind())) {
                    inner.one(&statement);
                }
                let called = tokens.windows(2).filter(|pair| pair[1].text() == "(");
                let called = called.filter_map(|pair| identifier(&pair[0])).filter(|called| *called != name);
                inner.deeds.extend(called.map(Deed::Calls));
            }
            (Some("sql"), Some(body)) => match body.string_value().map(|text| SourceFile::parse(&text)) {
                Some(parse) if parse.errors().is_empty() => {
                    parse.syntax_node().children().for_each(|statement| inner.statement(&statement));
                }
                _ => inner.refuse("its body cannot be read"),
            },
            (Some("plpgsql"), Some(body)) => {
                let block = SourceFile::parse(&format!("DO {};", body.syntax().text()));
                let block = block.syntax_node().children().find(|part| part.kind() == K::DO);
                match block.and_then(|block| Block::read(&block)).filter(|_| inner.depth < DEEPEST) {
                    Some(block) => inner.body(&block.syntax()),
                    None => inner.refuse("its body cannot be read"),
                }
            }
            // A library is loaded when it is created.
            (Some("c"), _) => return self.refuse("it loads a library into the server"),
            (language, _) => inner.refuse(format!("unknown language: {}", language.unwrap_or_default())),
        }
        self.take(Deed::Defines(name, inner.deeds));
    }
}

/// Tells whether a statement speaks of functions without calling one.
fn speaks_of_functions(kind: K) -> bool {
    matches!(
        kind,
        K::CREATE_FUNCTION
            | K::CREATE_PROCEDURE
            | K::CREATE_TRIGGER
            | K::COMMENT_ON
            | K::GRANT
            | K::REVOKE
            | K::ALTER_FUNCTION
            | K::ALTER_PROCEDURE
            | K::ALTER_ROUTINE
            | K::ALTER_EXTENSION
            | K::DROP_FUNCTION
            | K::DROP_PROCEDURE
            | K::DROP_ROUTINE
            | K::DROP_AGGREGATE
            | K::DROP_OPERATOR
            | K::DROP_CAST
    )
}

/// Returns what the databases of a server share that a kind of statement acts on; nothing for what acts on more.
fn shared(kind: K) -> Option<Shared> {
    match kind {
        K::ALTER_GROUP
        | K::ALTER_ROLE
        | K::ALTER_USER
        | K::DROP_GROUP
        | K::DROP_OWNED
        | K::DROP_ROLE
        | K::DROP_USER
        | K::REASSIGN => Some(Shared::Roles),
        K::ALTER_DATABASE | K::CREATE_DATABASE | K::DROP_DATABASE => Some(Shared::Databases),
        _ => None,
    }
}

/// The kinds of statements whose effect stays in the database, but for what they call.
fn stays(kind: K) -> bool {
    matches!(
        kind,
        K::ALTER_AGGREGATE
            | K::ALTER_COLLATION
            | K::ALTER_CONVERSION
            | K::ALTER_DEFAULT_PRIVILEGES
            | K::ALTER_DOMAIN
            | K::ALTER_EVENT_TRIGGER
            | K::ALTER_EXTENSION
            | K::ALTER_FUNCTION
            | K::ALTER_INDEX
            | K::ALTER_LARGE_OBJECT
            | K::ALTER_MATERIALIZED_VIEW
            | K::ALTER_OPERATOR
            | K::ALTER_OPERATOR_CLASS
            | K::ALTER_OPERATOR_FAMILY
            | K::ALTER_POLICY
            | K::ALTER_PROCEDURE
            | K::ALTER_PUBLICATION
            | K::ALTER_ROUTINE
            | K::ALTER_RULE
            | K::ALTER_SCHEMA
            | K::ALTER_SEQUENCE
            | K::ALTER_STATISTICS
            | K::ALTER_TABLE
            | K::ALTER_TEXT_SEARCH_CONFIGURATION
            | K::ALTER_TEXT_SEARCH_DICTIONARY
            | K::ALTER_TEXT_SEARCH_PARSER
            | K::ALTER_TEXT_SEARCH_TEMPLATE
            | K::ALTER_TRIGGER
            | K::ALTER_TYPE
            | K::ALTER_VIEW
            | K::ANALYZE
            | K::BEGIN
            | K::CALL
            | K::CLOSE
            | K::CLUSTER
            | K::COMMIT_TRANSACTION
            | K::COMPOUND_SELECT
            | K::CREATE_AGGREGATE
            | K::CREATE_CAST
            | K::CREATE_COLLATION
            | K::CREATE_CONVERSION
            | K::CREATE_DOMAIN
            | K::CREATE_EVENT_TRIGGER
            | K::CREATE_INDEX
            | K::CREATE_MATERIALIZED_VIEW
            | K::CREATE_OPERATOR
            | K::CREATE_OPERATOR_CLASS
            | K::CREATE_OPERATOR_FAMILY
            | K::CREATE_POLICY
            | K::CREATE_PUBLICATION
            | K::CREATE_RULE
            | K::CREATE_SCHEMA
            | K::CREATE_SEQUENCE
            | K::CREATE_STATISTICS
            | K::CREATE_TABLE
            | K::CREATE_TABLE_AS
            | K::CREATE_TEXT_SEARCH_CONFIGURATION
            | K::CREATE_TEXT_SEARCH_DICTIONARY
            | K::CREATE_TEXT_SEARCH_PARSER
            | K::CREATE_TEXT_SEARCH_TEMPLATE
            | K::CREATE_TYPE
            | K::CREATE_VIEW
            | K::DEALLOCATE
            | K::DECLARE
            | K::DISCARD
            | K::DROP_AGGREGATE
            | K::DROP_CAST
            | K::DROP_COLLATION
            | K::DROP_CONVERSION
            | K::DROP_DOMAIN
            | K::DROP_EVENT_TRIGGER
            | K::DROP_EXTENSION
            | K::DROP_FUNCTION
            | K::DROP_INDEX
            | K::DROP_MATERIALIZED_VIEW
            | K::DROP_OPERATOR
            | K::DROP_OPERATOR_CLASS
            | K::DROP_OPERATOR_FAMILY
            | K::DROP_POLICY
            | K::DROP_PROCEDURE
            | K::DROP_PUBLICATION
            | K::DROP_ROUTINE
            | K::DROP_RULE
            | K::DROP_SCHEMA
            | K::DROP_SEQUENCE
            | K::DROP_STATISTICS
            | K::DROP_TABLE
            | K::DROP_TEXT_SEARCH_CONFIG
            | K::DROP_TEXT_SEARCH_DICT
            | K::DROP_TEXT_SEARCH_PARSER
            | K::DROP_TEXT_SEARCH_TEMPLATE
            | K::DROP_TRIGGER
            | K::DROP_TYPE
            | K::DROP_VIEW
            | K::EMPTY_STMT
            | K::EXECUTE
            | K::EXPLAIN
            | K::FETCH
            | K::LISTEN
            | K::MOVE
            | K::NOTIFY
            | K::PAREN_SELECT
            | K::PREPARE
            | K::REFRESH
            | K::REINDEX
            | K::RELEASE_SAVEPOINT
            | K::RESET
            | K::RESET_ROLE
            | K::RESET_SESSION_AUTH
            | K::ROLLBACK_TO_SAVEPOINT
            | K::ROLLBACK_TRANSACTION
            | K::SAVEPOINT_CREATE
            | K::SELECT
            | K::SELECT_INTO
            | K::SET
            | K::SET_CONSTRAINTS
            | K::SET_ROLE
            | K::SET_SESSION_AUTH
            | K::SET_TRANSACTION
            | K::SHOW
            | K::TABLE
            | K::UNLISTEN
            | K::VACUUM
            | K::VALUES
    )
}

fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn tokens(node: &SyntaxNode) -> impl Iterator<Item = SyntaxToken> + use<> {
    let tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    tokens.filter(|token| !token.kind().is_trivia())
}

fn words(node: &SyntaxNode) -> impl Iterator<Item = String> {
    tokens(node).map(|token| token.text().trim_matches('"').to_ascii_lowercase())
}
