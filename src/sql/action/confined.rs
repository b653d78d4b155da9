//! Tells whether statements stay inside the database in which they are run: a database of a server shares roles, files,
//! settings, other databases and background workers with all others.
//!
//! A list of what is understood: a kind of statement, a volatile function, an extension or a language that is not in it leaves
//! the database, as far as anybody knows. What a function does counts where something may run it, not where it is created.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

use crate::sql::action::block::Block;
use crate::sql::action::text;
use crate::sql::dialect::Dialect;
use crate::sql::postgres::{identifier, single};
use crate::sql::script;

/// A statement whose effect leaves the database, or may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaves {
    /// Which of the queries has it.
    pub query_idx: usize,
    /// Where it begins there, in bytes.
    pub at: usize,
    pub why: String,
    /// A role is created that the server does not have.
    pub role: Option<String>,
}

/// What the server has to be asked about some queries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Names that are called like functions.
    pub functions: BTreeSet<String>,
    pub roles: BTreeSet<String>,
}

/// What the server knows of that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Why a function of PostgreSQL or of an extension may leave the database; those that stay are not here.
    pub leaving: BTreeMap<String, String>,
    pub roles: BTreeSet<String>,
    /// The extensions of the database that is compared.
    pub extensions: BTreeSet<String>,
}

/// A function that the server has.
#[derive(Debug, Clone, Copy)]
pub struct Function<'a> {
    pub name: &'a str,
    pub is_volatile: bool,
    /// None: PostgreSQL's own.
    pub extension: Option<&'a str>,
}

/// Volatile functions of PostgreSQL whose effect stays in their database, or that only look.
const WITHIN: &[&str] = &[
    "clock_timestamp",
    "currval",
    "gen_random_uuid",
    "lastval",
    "lo_close",
    "lo_creat",
    "lo_create",
    "lo_from_bytea",
    "lo_get",
    "lo_open",
    "lo_put",
    "lo_truncate",
    "lo_unlink",
    "loread",
    "lowrite",
    "nextval",
    "pg_advisory_lock",
    "pg_advisory_lock_shared",
    "pg_advisory_unlock",
    "pg_advisory_unlock_all",
    "pg_advisory_unlock_shared",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_database_size",
    "pg_indexes_size",
    "pg_is_in_recovery",
    // Whoever listens does so in another database.
    "pg_notify",
    "pg_partition_ancestors",
    "pg_partition_tree",
    "pg_relation_size",
    "pg_sequence_last_value",
    "pg_sleep",
    "pg_sleep_for",
    "pg_sleep_until",
    "pg_table_size",
    "pg_total_relation_size",
    "pg_try_advisory_lock",
    "pg_try_advisory_lock_shared",
    "pg_try_advisory_xact_lock",
    "pg_try_advisory_xact_lock_shared",
    "random",
    "random_normal",
    "set_config",
    "setseed",
    "setval",
    "suppress_redundant_updates_trigger",
    "timeofday",
    "tsvector_update_trigger",
    "tsvector_update_trigger_column",
    "uuidv4",
    "uuidv7",
];

/// Functions that execute a text, in whatever extension they are.
const EXECUTES: &[&str] =
    &["connectby", "crosstab", "crosstab2", "crosstab3", "crosstab4", "crosstabn", "xpath_table", "ts_stat"];

/// Extensions whose functions stay in their database.
const EXTENSIONS: &[&str] = &[
    "address_standardizer",
    "amcheck",
    "autoinc",
    "bloom",
    "btree_gin",
    "btree_gist",
    "citext",
    "cube",
    "dict_int",
    "dict_xsyn",
    "earthdistance",
    "fuzzystrmatch",
    "h3",
    "hll",
    "hstore",
    "hypopg",
    "insert_username",
    "intagg",
    "intarray",
    "ip4r",
    "isn",
    "lo",
    "ltree",
    "moddatetime",
    "pg_bigm",
    "pg_hashids",
    "pg_jsonschema",
    "pg_trgm",
    "pg_uuidv7",
    "pgcrypto",
    "pgjwt",
    "pgrouting",
    "pgrowlocks",
    "pgstattuple",
    "plpgsql",
    "postgis",
    "postgis_raster",
    "postgis_sfcgal",
    "postgis_tiger_geocoder",
    "postgis_topology",
    "prefix",
    "refint",
    "rum",
    "seg",
    "semver",
    "tablefunc",
    "tcn",
    "tsm_system_rows",
    "tsm_system_time",
    "unaccent",
    "uuid-ossp",
    "vector",
    "xml2",
];

/// Extensions that may be created, and whose volatile functions reach further.
const CREATABLE: &[&str] = &["pg_buffercache", "pg_freespacemap", "pg_stat_statements", "pg_visibility", "sslinfo"];

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

/// Settings with which a text would mean something else than what was read, or could do more.
const SETTINGS: &[&str] = &["standard_conforming_strings", "backslash_quote", "allow_system_table_mods"];

impl Function<'_> {
    /// Says why a call may leave the database; nothing where it does not.
    pub fn leaves(&self) -> Option<String> {
        let Function { name, is_volatile, extension } = *self;
        match extension {
            _ if EXECUTES.contains(&name.to_ascii_lowercase().as_str()) => {
                Some(format!("{name}() executes SQL text, which is not checked"))
            }
            _ if !is_volatile => None,
            None if WITHIN.contains(&name) => None,
            None => Some(format!("{name}() acts on the server, its files or other databases, or may do so")),
            Some(extension) if EXTENSIONS.contains(&extension) => None,
            Some(extension) => {
                Some(format!("{name}() is a function of the extension {extension}, which may act anywhere"))
            }
        }
    }
}

/// What a statement does, as far as it may matter outside.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Deed {
    Leaves(String),
    /// Something of this name may be called.
    Calls(String),
    /// Something of this name may be a function that is used.
    Mentions(String),
    Writes,
    /// A trigger runs it whenever rows are written.
    Watches(String),
    CreatesRole(String),
    CreatesExtension(String),
    Defines(String, Vec<Deed>),
}

/// A statement of a query.
struct Statement {
    query_idx: usize,
    place: Range<usize>,
    /// It creates a role, and nothing else.
    is_role: bool,
    deeds: Vec<Deed>,
}

/// Queries, as they were read.
pub struct Confined {
    statements: Vec<Statement>,
    queries: Vec<String>,
}

impl Confined {
    /// Reads queries, each of which may hold several statements.
    pub fn read(queries: &[String]) -> Confined {
        let mut statements = Vec::new();
        for (query_idx, query) in queries.iter().enumerate() {
            let script = script::read(query, Dialect::Postgres);
            for stated in &script.statements {
                let mut reader = Reader { deeds: Vec::new(), depth: 0 };
                let tree = script.tree_of(stated);
                if let Some(tree) = &tree {
                    reader.statement(tree);
                }
                let is_role =
                    tree.is_some_and(|tree| matches!(tree.kind(), K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP));
                statements.push(Statement { query_idx, place: stated.place.clone(), is_role, deeds: reader.deeds });
            }
            for fault in &script.faults {
                let deeds = vec![Deed::Leaves(format!("it cannot be read ({})", fault.why))];
                statements.push(Statement { query_idx, place: fault.at..fault.at, is_role: false, deeds });
            }
        }
        statements.sort_by_key(|statement| (statement.query_idx, statement.place.start));
        Confined { statements, queries: queries.to_vec() }
    }

    /// Returns what the server has to be asked.
    pub fn asks(&self) -> Asked {
        fn collect(deeds: &[Deed], asked: &mut Asked) {
            for deed in deeds {
                match deed {
                    Deed::Calls(name) | Deed::Watches(name) | Deed::Mentions(name) => {
                        asked.functions.insert(name.clone());
                    }
                    Deed::CreatesRole(name) => drop(asked.roles.insert(name.clone())),
                    Deed::Defines(_, deeds) => collect(deeds, asked),
                    Deed::Leaves(_) | Deed::Writes | Deed::CreatesExtension(_) => {}
                }
            }
        }
        let mut asked = Asked::default();
        self.statements.iter().for_each(|statement| collect(&statement.deeds, &mut asked));
        asked
    }

    /// Returns the queries without what creates roles that the server has: that would only fail, and makes nothing in the database.
    ///
    /// # Errors
    /// With the first statement whose effect leaves the database, or may.
    pub fn within(&self, known: &Known) -> Result<Vec<String>, Leaves> {
        let mut defined: BTreeMap<&str, Vec<&[Deed]>> = BTreeMap::new();
        for statement in &self.statements {
            define(&statement.deeds, &mut defined);
        }
        let judge = Judge { known, defined };
        let mut queries = self.queries.clone();
        let mut watching: Vec<&str> = Vec::new();
        for Statement { query_idx, place, is_role, deeds } in &self.statements {
            let leaves = |why: String, role: Option<&String>| Leaves {
                query_idx: *query_idx,
                at: place.start,
                why,
                role: role.cloned(),
            };
            for deed in deeds {
                if let Deed::CreatesRole(role) = deed
                    && !known.roles.contains(role)
                {
                    let why = format!("a role belongs to the whole server, which has none named {role:?}");
                    return Err(leaves(why, Some(role)));
                }
                if let Some(why) = judge.leaves(deed, &mut BTreeSet::new()) {
                    return Err(leaves(why, None));
                }
                match deed {
                    Deed::Watches(name) => watching.push(name),
                    Deed::Writes => {
                        let run =
                            watching.iter().find_map(|name| Some((name, judge.called(name, &mut BTreeSet::new())?)));
                        if let Some((name, why)) = run {
                            return Err(leaves(format!("it writes rows, and a trigger may run {name}(): {why}"), None));
                        }
                    }
                    _ => {}
                }
            }
            if *is_role {
                let blank: String =
                    queries[*query_idx][place.clone()].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
                // Whatever stands behind it keeps its line.
                queries[*query_idx].replace_range(place.clone(), &padded(&blank, place.len()));
            }
        }
        Ok(queries)
    }
}

/// Makes a blank text as long as what it replaces.
fn padded(blank: &str, n_bytes: usize) -> String {
    format!("{blank}{}", " ".repeat(n_bytes - blank.len()))
}

fn define<'a>(deeds: &'a [Deed], defined: &mut BTreeMap<&'a str, Vec<&'a [Deed]>>) {
    for deed in deeds {
        if let Deed::Defines(name, deeds) = deed {
            defined.entry(name).or_default().push(deeds);
            define(deeds, defined);
        }
    }
}

struct Judge<'a> {
    known: &'a Known,
    defined: BTreeMap<&'a str, Vec<&'a [Deed]>>,
}

impl<'a> Judge<'a> {
    /// Says why a deed may leave the database. Rows that are written are looked at by the caller.
    fn leaves(&self, deed: &'a Deed, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        match deed {
            Deed::Leaves(why) => Some(why.clone()),
            Deed::Calls(name) => self.called(name, seen),
            Deed::Mentions(name) => self.own(name, seen),
            Deed::CreatesRole(name) if !self.known.roles.contains(name) => {
                Some("it creates a role, which belongs to the whole server".to_owned())
            }
            Deed::CreatesExtension(name) => {
                let is_known = EXTENSIONS.contains(&name.as_str()) || CREATABLE.contains(&name.as_str());
                (!is_known && !self.known.extensions.contains(name))
                    .then(|| format!("the extension {name:?} is unknown, and the database does not have it"))
            }
            Deed::CreatesRole(_) | Deed::Writes | Deed::Watches(_) | Deed::Defines(..) => None,
        }
    }

    /// Says why a call of this name may leave the database.
    fn called(&self, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        self.known.leaving.get(name).cloned().or_else(|| self.own(name, seen))
    }

    /// Says why a function that the queries make may leave the database.
    fn own(&self, name: &'a str, seen: &mut BTreeSet<&'a str>) -> Option<String> {
        if !seen.insert(name) {
            return None;
        }
        let all = self.defined.get(name)?;
        let why = all.iter().flat_map(|deeds| deeds.iter()).find_map(|deed| self.leaves(deed, seen))?;
        Some(format!("{name}() {}", within_function(&why)))
    }
}

/// Words a reason as that of a function.
fn within_function(why: &str) -> String {
    format!("may have effects outside the database: {why}")
}

/// How deeply blocks of code may be nested.
const DEEPEST: usize = 8;

struct Reader {
    deeds: Vec<Deed>,
    depth: usize,
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

    /// Reads a statement, the statements within it, and what it calls.
    fn statement(&mut self, node: &SyntaxNode) {
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
            if text.len() > 2 && text[..2].eq_ignore_ascii_case("u&") {
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
            if !is_usual || *setting == "allow_system_table_mods" {
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
                    None => self.refuse("membership in a role belongs to the whole server"),
                    Some("database" | "tablespace" | "parameter") => {
                        self.refuse("privileges on databases, tablespaces and parameters belong to the whole server");
                    }
                    Some(_) => {}
                }
            }
            K::COMMENT_ON => {
                let on = words(node).nth(2);
                if let Some("database" | "role" | "tablespace" | "subscription") = on.as_deref() {
                    self.refuse("it comments on what belongs to the whole server");
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
                let mut names = targets.iter().flat_map(tokens).filter_map(|token| identifier(&token));
                if names.any(|name| SHARED.contains(&name.as_str())) {
                    self.refuse("it acts on a catalog that all databases share");
                }
                if node.kind() != K::LOCK {
                    self.take(Deed::Writes);
                }
            }
            kind if stays(kind) => {}
            _ => {
                let words: Vec<String> = words(node).take(2).map(|word| word.to_ascii_uppercase()).collect();
                self.refuse(format!("{} acts outside the database, or may do so", words.join(" ")));
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server says: a few functions, a role and an extension.
    fn known() -> Known {
        let function = |name, is_volatile, extension| Function { name, is_volatile, extension };
        let functions = [
            function("pg_read_file", true, None),
            function("pg_terminate_backend", true, None),
            function("lo_export", true, None),
            function("nextval", true, None),
            function("lower", false, None),
            function("dblink_exec", true, Some("dblink")),
            function("uuid_generate_v4", true, Some("uuid-ossp")),
            function("schedule", true, Some("pg_cron")),
            function("crosstab", false, Some("tablefunc")),
        ];
        let leaving = functions.iter().filter_map(|function| Some((function.name.to_owned(), function.leaves()?)));
        Known {
            leaving: leaving.collect(),
            roles: ["here".to_owned()].into(),
            extensions: ["dblink".to_owned()].into(),
        }
    }

    fn confine(queries: &[&str]) -> Result<Vec<String>, Leaves> {
        let queries: Vec<String> = queries.iter().map(|&query| query.to_owned()).collect();
        Confined::read(&queries).within(&known())
    }

    #[track_caller]
    fn leaves(queries: &[&str], query_idx: usize, says: &str) {
        let found = confine(queries).expect_err(&format!("{queries:#?}"));
        assert!(found.query_idx == query_idx && found.why.contains(says), "{queries:#?}: {found:?}");
    }

    #[test]
    fn what_acts_on_the_server_leaves_the_database() {
        for sql in [
            "CREATE ROLE gone",
            "CREATE USER gone PASSWORD 'x'",
            "CREATE GROUP gone",
            "ALTER ROLE here NOLOGIN",
            "ALTER USER here SET work_mem = '1GB'",
            "ALTER GROUP here ADD USER there",
            "DROP ROLE IF EXISTS here",
            "DROP OWNED BY here",
            "REASSIGN OWNED BY here TO there",
            "GRANT here TO there",
            "REVOKE here FROM there",
            "GRANT CONNECT ON DATABASE shop TO here",
            "GRANT SET ON PARAMETER work_mem TO here",
            "ALTER SYSTEM SET work_mem = '1GB'",
            "ALTER DATABASE shop SET work_mem = '1GB'",
            "ALTER DATABASE shop OWNER TO here",
            "CREATE DATABASE other",
            "DROP DATABASE other",
            "CREATE TABLESPACE t LOCATION '/t'",
            "ALTER TABLESPACE t OWNER TO here",
            "COMMENT ON ROLE here IS 'a'",
            "COMMENT ON DATABASE shop IS 'a'",
            "SECURITY LABEL ON ROLE here IS 'a'",
            "COPY t TO PROGRAM 'rm -r /'",
            "COPY t FROM '/etc/passwd'",
            "COPY (SELECT 1) TO '/tmp/x'",
            "LOAD 'auto_explain'",
            "CHECKPOINT",
            "CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p",
            "CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw",
            "CREATE USER MAPPING FOR here SERVER s",
            "IMPORT FOREIGN SCHEMA a FROM SERVER s INTO b",
            "CREATE FOREIGN TABLE f (a int) SERVER s",
            "CREATE EXTENSION pg_cron",
            "CREATE EXTENSION IF NOT EXISTS \"plpython3u\"",
            "CREATE LANGUAGE plperlu",
            "PREPARE TRANSACTION 'x'",
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'lib', 'f'",
            "DO LANGUAGE plperl 'x'",
            "SELECT pg_read_file('/etc/passwd')",
            "SELECT pg_catalog . \"pg_read_file\" /* a */ ('x')",
            "INSERT INTO t SELECT * FROM pg_read_file('x')",
            "ALTER TABLE t ADD COLUMN a text DEFAULT pg_read_file('x')",
            "CREATE VIEW v AS SELECT pg_read_file('x')",
            "SELECT dblink_exec('dbname=other', 'DROP TABLE t')",
            "SELECT cron.schedule('a', '* * * * *', 'DELETE FROM t')",
            "SELECT crosstab('SELECT pg_terminate_backend(1)')",
            "EXPLAIN ANALYZE SELECT pg_terminate_backend(1)",
            "PREPARE p AS SELECT pg_terminate_backend(1)",
            "WITH a AS (SELECT pg_terminate_backend(1)) SELECT * FROM a",
            "CREATE SCHEMA s CREATE VIEW v AS SELECT pg_read_file('x')",
            "UPDATE pg_database SET datallowconn = false",
            "UPDATE pg_catalog.pg_authid SET rolcanlogin = false",
            "LOCK TABLE pg_database",
            "REINDEX SYSTEM shop",
            "SET standard_conforming_strings = off",
            "SELECT set_config('standard_' || 'conforming_strings', 'off', false)",
            "SET allow_system_table_mods = on",
            "SELECT U&\"pg\\005fread_file\"('x')",
            "SELECT 'a",
            "NOT SQL AT ALL",
        ] {
            assert!(confine(&[sql]).is_err(), "{sql}");
        }
    }

    #[test]
    fn blocks_are_read_to_their_ends() {
        for (sql, says) in [
            ("DO $$ BEGIN CREATE ROLE gone; EXCEPTION WHEN duplicate_object THEN null; END $$", "role"),
            ("DO $$ BEGIN IF true THEN ALTER ROLE here NOLOGIN; END IF; END $$", "ALTER ROLE"),
            ("DO $$ BEGIN PERFORM pg_terminate_backend(1); END $$", "pg_terminate_backend"),
            ("DO $$ DECLARE a text := pg_read_file('x'); BEGIN NULL; END $$", "pg_read_file"),
            ("DO $$ DECLARE a text; BEGIN a := pg_read_file('x'); END $$", "pg_read_file"),
            ("DO $$ BEGIN FOR r IN SELECT pg_read_file('x') LOOP NULL; END LOOP; END $$", "pg_read_file"),
            ("DO $$ BEGIN EXECUTE 'ALTER ROLE here ' || 'NOLOGIN'; END $$", "ALTER ROLE"),
            ("DO $$ BEGIN EXECUTE format('ALTER ROLE %I NOLOGIN', a); END $$", "ALTER ROLE"),
            ("DO $$ BEGIN EXECUTE format('SELECT %I()', a); END $$", "built on the server"),
            ("DO $$ BEGIN EXECUTE a; END $$", "built on the server"),
            ("DO $$ BEGIN EXECUTE 'DO ''BEGIN EXECUTE a; END'''; END $$", "built on the server"),
            ("DO $$ BEGIN NONSENSE; END $$", "cannot be read"),
        ] {
            leaves(&["SELECT 1", sql], 1, says);
        }
    }

    #[test]
    fn a_function_counts_where_it_may_run() {
        let role = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER ROLE here NOLOGIN; RETURN NEW; END $$";
        let trigger = "CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()";
        let beside = ["COMMENT ON FUNCTION f() IS 'a'", "GRANT EXECUTE ON FUNCTION f() TO here", "DROP FUNCTION f()"];
        assert_eq!(confine(&[&[role, trigger], &beside[..]].concat()).map(|all| all.len()), Ok(5));
        leaves(&[role, trigger, "INSERT INTO b VALUES (1)"], 2, "ALTER ROLE");
        leaves(&[role, trigger, "DO $$ BEGIN DELETE FROM b; END $$"], 2, "a trigger may run f()");
        for uses in [
            "SELECT f()",
            "SELECT public.f()",
            "CALL f()",
            "CREATE TABLE c (a int DEFAULT f())",
            "CREATE INDEX i ON c (f(a))",
            "SELECT a.f FROM a",
            "CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION f()",
            "CREATE OPERATOR ## (FUNCTION = f, LEFTARG = int)",
            "CREATE CAST (text AS c) WITH FUNCTION f(text)",
        ] {
            leaves(&[role, uses], 1, "f()");
        }
        // Through another one, and in every language.
        let through = "CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT f()'";
        leaves(&[through, role, "SELECT g()"], 2, "ALTER ROLE");
        let atomic = "CREATE FUNCTION h() RETURNS text LANGUAGE sql BEGIN ATOMIC SELECT pg_read_file('x'); END";
        leaves(&[atomic, "SELECT h()"], 1, "pg_read_file");
        for (function, why) in [
            ("CREATE FUNCTION p() RETURNS int LANGUAGE plperl AS 'x'", "plperl"),
            ("CREATE FUNCTION p() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE a; END $$", "built on the server"),
            ("CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN PERFORM pg_read_file(''x''); END'", "pg_read_file"),
        ] {
            assert_eq!(confine(&[function]).map(|all| all.len()), Ok(1), "{function}");
            leaves(&[function, "SELECT p()"], 1, why);
        }
    }

    #[test]
    fn what_stays_in_the_database_is_let_through_as_it_is() {
        let all = [
            "CREATE TABLE \"t\" (\"id\" serial PRIMARY KEY, \"a\" varchar(20) DEFAULT lower('A'), b numeric(10, 2));",
            "DO $$ BEGIN\n CREATE TYPE \"mood\" AS ENUM('a', 'b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "DO $$ BEGIN\n ALTER TABLE \"t\" ADD CONSTRAINT \"k\" FOREIGN KEY (\"a\") REFERENCES \"public\".\"u\"(\"id\") ON DELETE no action;\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"",
            "CREATE EXTENSION vector",
            "CREATE EXTENSION dblink",
            "ALTER TABLE t ADD COLUMN u uuid DEFAULT uuid_generate_v4()",
            "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE n int; BEGIN SELECT count(*) INTO n FROM t; NEW.at := now(); RETURN NEW; END $$",
            "CREATE TRIGGER touch BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION touch()",
            "INSERT INTO t (a) VALUES ('pg_read_file(1)'), ('DROP ROLE here')",
            "UPDATE t SET a = touch.a FROM touch",
            "SELECT nextval('t_id_seq')",
            "NOTIFY somebody, 'a'",
            "SET standard_conforming_strings = on;",
            "SELECT pg_catalog.set_config('search_path', '', false);",
            "GRANT SELECT ON t TO here",
            "GRANT USAGE ON SCHEMA public TO here",
            "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO here",
            "ALTER TABLE t OWNER TO here",
            "COMMENT ON TABLE t IS 'role'",
            "CREATE POLICY p ON t TO here USING (a = lower('A'))",
            "DO $$ DECLARE r record; BEGIN FOR r IN SELECT tablename FROM pg_tables LOOP EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', r.tablename); END LOOP; END $$",
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'here') THEN CREATE ROLE here; END IF; END $$",
            "COMMIT",
            "CREATE INDEX CONCURRENTLY i ON t (a)",
            "-- nothing",
            "",
        ];
        let confined = confine(&all).unwrap_or_else(|leaves| panic!("{}: {leaves:?}", all[leaves.query_idx]));
        assert_eq!(confined, all);
    }

    #[test]
    fn a_role_that_is_there_is_not_created_and_what_is_beside_it_keeps_its_place() {
        let made = confine(&["CREATE ROLE \"here\"\n  LOGIN;\nCREATE TABLE t ();"]).expect("the role is there");
        assert_eq!(made[0].find("CREATE TABLE t ();"), Some("CREATE ROLE \"here\"\n  LOGIN;\n".len()));
        assert!(!made[0].contains("ROLE") && made[0].matches('\n').count() == 2, "{made:?}");
        let found = confine(&["CREATE ROLE gone"]).expect_err("it is not");
        assert_eq!(found.role.as_deref(), Some("gone"));
    }
}
