//! Reads one statement of PostgreSQL.
//!
//! squawk's parser goes on after errors and is lenient in places, so a tree alone proves nothing. Two things hold
//! everywhere here: a statement with any error is unknown, and every reader lists the parts that it knows
//! ([`Parts::of`]). A part that is not in the list makes the whole statement unknown, so a clause that a later version
//! of the parser or of drizzle-kit brings is refused until somebody has read it.

use std::sync::LazyLock;

use regex::Regex;
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode, SyntaxToken};

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Code, Effect, Kind, Proof, Reach, Reading, Run, TypeText, Using};
use crate::sql::lex;
use crate::sql::name::{ObjectName, PUBLIC};
use crate::sql::noop::Setting;

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

pub(super) fn parse_one(sql: &str) -> Option<SyntaxNode> {
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

/// Reads the block that drizzle-kit 0.20 to 0.29 puts around statements that may run twice. No other block is read:
/// what a program in the server does cannot be told from its text.
fn wrapped(statement: &SyntaxNode) -> Option<Reading> {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?s)^\$\$ ?BEGIN\s(.*;)\s*EXCEPTION\s+WHEN duplicate_object THEN null;\s+END ?;?\s*\$\$$")
            .expect("the pattern is right")
    });
    let parts = Parts::of(statement, &[K::DO_KW, K::LITERAL, K::SEMICOLON])?;
    let body = parts.node(K::LITERAL)?.text().to_string();
    let inner = BLOCK.captures(body.trim())?.get(1)?.as_str();
    let statement = parse_one(inner).filter(|inner| matches!(inner.kind(), K::CREATE_TYPE | K::ALTER_TABLE))?;
    let mut effects = effects(&statement)?;
    for effect in &mut effects {
        // That the object was there already is what the block forgives.
        if let Effect::Create { proof, .. } | Effect::CreateEnum { proof, .. } = effect {
            *proof = Proof::Unproven;
        }
    }
    Some(Reading { kind: format!("{:?}", statement.kind()).to_lowercase(), effects, runs: runs(&statement) })
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

/// Reads a statement that sets the default of one column or lets it be NULL, and does nothing else.
pub fn setting(sql: &str) -> Option<(ObjectName, Setting)> {
    let statement = parse_one(sql).filter(|statement| statement.kind() == K::ALTER_TABLE)?;
    effects(&statement)?;
    let (parts, actions) = Parts::split(&statement, ALTER_TABLE_PARTS)?;
    let table = relation(parts.node(K::TABLE_RELATION_NAME)?)?;
    let [action] = actions.as_slice() else { return None };
    let option = |kind| child(action, kind);
    let column = table.child(&single(&child(action, K::COLUMN_NAME_REF)?)?);
    let setting = match (action.kind(), option(K::SET_DEFAULT), option(K::DROP_NOT_NULL)) {
        (K::ALTER_COLUMN, Some(set), None) => {
            Setting::Default(set.children().next()?.text().to_string().trim().to_owned())
        }
        (K::ALTER_COLUMN, None, Some(_)) => Setting::Nullable,
        _ => return None,
    };
    Some((column, setting))
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

/// Returns the code that a statement runs for rows that are there: of the values that it gives to columns, of what it checks
/// and sorts, and of what it keeps the result of. The default of a column that exists and the query of a view run later.
fn runs(statement: &SyntaxNode) -> Vec<Run> {
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

fn create_table(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    // Left out on purpose: temporary tables hide others, `LIKE`, `INHERITS` and partitions have what is elsewhere.
    let known = [K::CREATE_KW, K::TABLE_KW, K::IF_NOT_EXISTS, K::TABLE_NAME, K::TABLE_ARG_LIST, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let table = relation(parts.node(K::TABLE_NAME)?)?;
    let known = [K::L_PAREN, K::R_PAREN, K::COMMA, K::COLUMN];
    let arguments = Parts::of(parts.node(K::TABLE_ARG_LIST)?, &[&known, CONSTRAINTS].concat())?;
    let mut effects = vec![Effect::Create { kind: Kind::Table, name: table.clone(), proof: parts.proof() }];
    for argument in arguments.all_nodes() {
        let inside = match argument.kind() {
            K::COLUMN => column(&table, argument, Proof::New)?,
            _ => add_constraint(&table, argument)?,
        };
        // Nothing is at stake in a table that is new, but what is in it must be understood.
        effects.extend(inside.into_iter().filter_map(|effect| match effect {
            Effect::Refer { .. } | Effect::UseType { .. } => Some(effect),
            Effect::NameIndex { name, of, .. } => Some(Effect::NameIndex { name, of, proof: parts.proof() }),
            Effect::Create { kind: kind @ Kind::Constraint, name, .. } => {
                Some(Effect::Create { kind, name, proof: parts.proof() })
            }
            _ => None,
        }));
    }
    Some(effects)
}

/// What may stand in it beside its actions.
const ALTER_TABLE_PARTS: &[K] =
    &[K::ALTER_KW, K::TABLE_KW, K::IF_EXISTS, K::TABLE_RELATION_NAME, K::COMMA, K::SEMICOLON];

fn alter_table(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let (parts, actions) = Parts::split(statement, ALTER_TABLE_PARTS)?;
    let table = relation(parts.node(K::TABLE_RELATION_NAME)?)?;
    let mut effects = Vec::new();
    for action in &actions {
        effects.extend(alter_table_action(&table, action)?);
    }
    (!actions.is_empty()).then_some(effects)
}

fn alter_table_action(table: &ObjectName, action: &SyntaxNode) -> Option<Vec<Effect>> {
    let effects = match action.kind() {
        K::ADD_COLUMN => {
            let proof = proof(action);
            column(table, action, proof)?
        }
        K::DROP_COLUMN => {
            let known = [K::DROP_KW, K::COLUMN_KW, K::IF_EXISTS, K::COLUMN_NAME_REF, K::CASCADE, K::RESTRICT];
            let parts = Parts::of(action, &known)?;
            let name = table.child(&single(parts.node(K::COLUMN_NAME_REF)?)?);
            vec![parts.drop(Kind::Column, name)]
        }
        K::ALTER_COLUMN => alter_column(table, action)?,
        K::ADD_CONSTRAINT => {
            let (_, constraints) = Parts::split(action, &[K::ADD_KW])?;
            let [constraint] = constraints.as_slice() else { return None };
            add_constraint(table, constraint)?
        }
        K::DROP_CONSTRAINT => {
            let known = [K::DROP_KW, K::CONSTRAINT_KW, K::IF_EXISTS, K::CONSTRAINT_NAME_REF, K::CASCADE, K::RESTRICT];
            let parts = Parts::of(action, &known)?;
            let name = table.child(&single(parts.node(K::CONSTRAINT_NAME_REF)?)?);
            vec![parts.drop(Kind::Constraint, name)]
        }
        K::RENAME_COLUMN => {
            let known = [K::RENAME_KW, K::COLUMN_KW, K::COLUMN_NAME_REF, K::TO_KW, K::COLUMN_NAME];
            let parts = Parts::of(action, &known)?;
            let from = table.child(&single(parts.node(K::COLUMN_NAME_REF)?)?);
            let to = table.child(&single(parts.node(K::COLUMN_NAME)?)?);
            vec![Effect::Rename { kind: Kind::Column, from, to }]
        }
        K::RENAME_CONSTRAINT => {
            let known = [K::RENAME_KW, K::CONSTRAINT_KW, K::CONSTRAINT_NAME_REF, K::TO_KW, K::CONSTRAINT_NAME];
            let parts = Parts::of(action, &known)?;
            let from = table.child(&single(parts.node(K::CONSTRAINT_NAME_REF)?)?);
            let to = table.child(&single(parts.node(K::CONSTRAINT_NAME)?)?);
            vec![Effect::Rename { kind: Kind::Constraint, from, to }]
        }
        K::TABLE_RENAME_TO | K::SET_SCHEMA => vec![renamed(Kind::Table, table, action)?],
        K::ENABLE_RLS | K::FORCE_RLS => Vec::new(),
        K::DISABLE_RLS | K::NO_FORCE_RLS => vec![Effect::DisableRls { table: table.clone() }],
        K::SET_TABLESPACE | K::SET_ACCESS_METHOD => vec![Effect::RewriteTable { table: table.clone() }],
        // Owners, triggers, rules, partitions, inheritance and storage: drizzle-kit writes none of them.
        _ => return None,
    };
    Some(effects)
}

fn alter_column(table: &ObjectName, action: &SyntaxNode) -> Option<Vec<Effect>> {
    let (parts, options) = Parts::split(action, &[K::ALTER_KW, K::COLUMN_KW, K::COLUMN_NAME_REF])?;
    let [option] = options.as_slice() else { return None };
    let name = single(parts.node(K::COLUMN_NAME_REF)?)?;
    let column = table.child(&name);
    let effects = match option.kind() {
        K::SET_TYPE => {
            let known = [K::SET_KW, K::DATA_KW, K::TYPE_KW, K::COLLATE, K::USING_EXPR];
            let (parts, types) = Parts::split(option, &known)?;
            let [to] = types.as_slice() else { return None };
            let to = type_text(to)?;
            let using = match parts.node(K::USING_EXPR) {
                Some(using) => using_of(using, &name, &to)?,
                None => Using::Assignment,
            };
            let table = table.clone();
            vec![Effect::ChangeType { column, to, using }, Effect::RewriteTable { table }]
        }
        K::SET_NOT_NULL => vec![Effect::RequireValue { column }],
        // The values stay; what is new gets none.
        K::DROP_DEFAULT | K::DROP_EXPRESSION => vec![Effect::DropDefault { column }],
        // The sequence goes as well, and with it where it stood.
        K::DROP_IDENTITY => vec![Effect::DropDefault { column: column.clone() }, Effect::DropIdentity { column }],
        K::DROP_NOT_NULL => vec![Effect::AllowNull { column }],
        K::SET_DEFAULT => vec![Effect::SetDefault { column }],
        K::ADD_GENERATED => {
            let known = [
                K::ADD_KW,
                K::GENERATED_KW,
                K::GENERATED_ALWAYS,
                K::GENERATED_BY_DEFAULT,
                K::AS_KW,
                K::IDENTITY_KW,
                K::SEQUENCE_OPTION_LIST,
            ];
            // Rows that exist keep their values: nothing is written anew.
            Parts::of(option, &known).map(|_| Vec::new())?
        }
        K::SET_GENERATED_OPTIONS => {
            for option in Parts::of(option, &[K::SET_GENERATED, K::SET_SEQUENCE_OPTION])?.all_nodes() {
                let known = [K::SET_KW, K::GENERATED_KW, K::GENERATED_ALWAYS, K::GENERATED_BY_DEFAULT];
                Parts::of(option, &[&known, SEQUENCE_OPTIONS].concat())?;
            }
            Vec::new()
        }
        _ => return None,
    };
    Some(effects)
}

/// Tells how values are cast. That of drizzle-kit is `"column"::type`.
fn using_of(using: &SyntaxNode, column: &str, to: &TypeText) -> Option<Using> {
    let (_, expressions) = Parts::split(using, &[K::USING_KW])?;
    let [expression] = expressions.as_slice() else { return None };
    let cast = || {
        let (parts, types) = Parts::split(expression, &[K::NAME_REF, K::COLON_COLON])?;
        let [cast_to] = types.as_slice() else { return None };
        let is_column = single(parts.node(K::NAME_REF)?)? == column;
        (expression.kind() == K::CAST_EXPR && is_column && type_text(cast_to)? == *to).then_some(Using::Cast)
    };
    Some(cast().unwrap_or(Using::Expression))
}

/// The constraints of a table or a column.
const CONSTRAINTS: &[K] =
    &[K::PRIMARY_KEY_CONSTRAINT, K::UNIQUE_CONSTRAINT, K::CHECK_CONSTRAINT, K::FOREIGN_KEY_CONSTRAINT];

/// Reads a constraint that is added to a table.
fn add_constraint(table: &ObjectName, constraint: &SyntaxNode) -> Option<Vec<Effect>> {
    // Left out on purpose: `USING INDEX` takes an index away from whoever made it, and exclusion.
    let known = [
        K::CONSTRAINT_NAME_CLAUSE,
        K::PRIMARY_KW,
        K::UNIQUE_KW,
        K::KEY_KW,
        K::INDEX_PARAMETERS,
        K::CHECK_KW,
        K::FOREIGN_KW,
        K::FOREIGN_KEY_COLUMN_LIST,
        K::REFERENCES_KW,
        K::TABLE_NAME_REF,
        K::ON_DELETE_ACTION,
        K::ON_UPDATE_ACTION,
        K::NOT_VALID,
        K::DEFERRABLE_CONSTRAINT_OPTION,
        K::NOT_DEFERRABLE_CONSTRAINT_OPTION,
        K::INITIALLY_DEFERRED_CONSTRAINT_OPTION,
        K::INITIALLY_IMMEDIATE_CONSTRAINT_OPTION,
    ];
    let table_of = || table.clone();
    let mut effects = match constraint.kind() {
        K::PRIMARY_KEY_CONSTRAINT => {
            Parts::of(constraint, &known)?;
            vec![Effect::AddPrimaryKey { table: table_of() }, Effect::BuildIndex { table: table_of() }]
        }
        K::UNIQUE_CONSTRAINT => {
            Parts::of(constraint, &known)?;
            vec![Effect::AddUnique { table: table_of() }, Effect::BuildIndex { table: table_of() }]
        }
        // The expression itself may be anything.
        K::CHECK_CONSTRAINT => vec![Effect::AddCheck { table: table_of() }],
        K::FOREIGN_KEY_CONSTRAINT => {
            let to = relation(Parts::of(constraint, &known)?.node(K::TABLE_NAME_REF)?)?;
            vec![Effect::AddForeignKey { table: table_of() }, Effect::Refer { table: table_of(), to }]
        }
        _ => return None,
    };
    if let Some(clause) = child(constraint, K::CONSTRAINT_NAME_CLAUSE) {
        let name = single(&child(&clause, K::CONSTRAINT_NAME)?)?;
        if matches!(constraint.kind(), K::PRIMARY_KEY_CONSTRAINT | K::UNIQUE_CONSTRAINT) {
            let index = table.parent()?.child(&name);
            effects.push(Effect::NameIndex { name: index, of: table.clone(), proof: Proof::New });
        }
        effects.push(Effect::Create { kind: Kind::Constraint, name: table.child(&name), proof: Proof::New });
    }
    Some(effects)
}

/// Reads the definition of a column that is added to a table that may have rows.
fn column(table: &ObjectName, definition: &SyntaxNode, proof: Proof) -> Option<Vec<Effect>> {
    let known = [
        K::ADD_KW,
        K::COLUMN_KW,
        K::IF_NOT_EXISTS,
        K::COLUMN_NAME,
        K::COLLATE,
        K::DEFAULT_CONSTRAINT,
        K::NOT_NULL_CONSTRAINT,
        K::NULL_CONSTRAINT,
        K::GENERATED_CONSTRAINT,
        K::PRIMARY_KEY_CONSTRAINT,
        K::UNIQUE_CONSTRAINT,
        K::CHECK_CONSTRAINT,
        K::REFERENCES_CONSTRAINT,
    ];
    let (parts, types) = Parts::split(definition, &known)?;
    let [of_type] = types.as_slice() else { return None };
    let of_type = type_text(of_type)?;
    let name = table.child(&single(parts.node(K::COLUMN_NAME)?)?);
    let mut effects = vec![Effect::Create { kind: Kind::Column, name: name.clone(), proof }];
    if !is_serial(&of_type) {
        effects.push(Effect::UseType { column: name.clone(), of: of_type.clone() });
    }
    let mut has_value = is_serial(&of_type);
    // A value that differs from row to row is written into every row; one that does not is kept beside the table.
    let mut rewrites = has_value;
    for part in parts.all_nodes() {
        match part.kind() {
            K::DEFAULT_CONSTRAINT => {
                let (_, expressions) = Parts::split(part, &[K::DEFAULT_KW, K::CONSTRAINT_NAME_CLAUSE])?;
                let [expression] = expressions.as_slice() else { return None };
                has_value |= !is_null(expression);
                rewrites |= may_differ(expression);
            }
            K::GENERATED_CONSTRAINT => {
                has_value = true;
                rewrites = true;
            }
            K::PRIMARY_KEY_CONSTRAINT | K::UNIQUE_CONSTRAINT | K::CHECK_CONSTRAINT => {
                effects.extend(add_constraint(table, part)?);
            }
            K::REFERENCES_CONSTRAINT => {
                let to = relation(&child(part, K::TABLE_NAME_REF)?)?;
                effects.push(Effect::AddForeignKey { table: table.clone() });
                effects.push(Effect::Refer { table: table.clone(), to });
            }
            _ => {}
        }
    }
    if child(definition, K::NOT_NULL_CONSTRAINT).is_some() && !has_value {
        effects.push(Effect::RequireValue { column: name });
    }
    if rewrites {
        effects.push(Effect::RewriteTable { table: table.clone() });
    }
    Some(effects)
}

fn is_null(expression: &SyntaxNode) -> bool {
    expression.kind() == K::LITERAL && child_token(expression, K::NULL_KW)
}

fn is_serial(of_type: &TypeText) -> bool {
    let serials = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
    of_type.name.as_ref().is_some_and(|name| name.parts()[0] == PUBLIC && serials.contains(&name.last()))
}

/// Functions of PostgreSQL that return the same for every row of one statement. Whatever is not among them may differ.
const SAME_FOR_EVERY_ROW: [&str; 12] = [
    "now",
    "transaction_timestamp",
    "statement_timestamp",
    "timezone",
    "date_trunc",
    "to_char",
    "to_timestamp",
    "lower",
    "upper",
    "concat",
    "current_setting",
    "make_interval",
];

/// Tells whether an expression may have another value for every row.
pub(super) fn may_differ(expression: &SyntaxNode) -> bool {
    expression.descendants().filter(|node| node.kind() == K::CALL_EXPR).any(|call| {
        let name = child(&call, K::NAME_REF).and_then(|name| single(&name));
        !name.is_some_and(|name| SAME_FOR_EVERY_ROW.contains(&name.as_str()))
    })
}

fn truncate(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [
        K::TRUNCATE_KW,
        K::TABLE_KW,
        K::TABLE_LIST,
        K::RESTART_IDENTITY,
        K::CONTINUE_IDENTITY,
        K::CASCADE,
        K::RESTRICT,
        K::SEMICOLON,
    ];
    let parts = Parts::of(statement, &known)?;
    let list = Parts::of(parts.node(K::TABLE_LIST)?, &[K::TABLE_RELATION_NAME, K::COMMA])?;
    let tables = list.all_nodes().map(relation).collect::<Option<Vec<_>>>()?;
    let truncate = |table| Effect::Truncate { table, reach: parts.reach() };
    (!tables.is_empty()).then(|| tables.into_iter().map(truncate).collect())
}

fn delete(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::DELETE_KW, K::FROM_KW, K::RELATION_NAME, K::WHERE_CLAUSE, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    // A function in the condition runs, and may do anything.
    let calls = statement.descendants().any(|node| node.kind() == K::CALL_EXPR);
    let table = relation(parts.node(K::RELATION_NAME)?)?;
    (!calls).then(|| vec![Effect::DeleteRows { table }])
}

fn create_index(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [
        K::CREATE_KW,
        K::UNIQUE_KW,
        K::INDEX_KW,
        K::CONCURRENTLY_KW,
        K::IF_NOT_EXISTS,
        K::INDEX,
        K::ON_KW,
        K::TABLE_RELATION_NAME,
        K::USING_METHOD,
        K::PARTITION_ITEM_LIST,
        K::NULLS_DISTINCT,
        K::NULLS_NOT_DISTINCT,
        K::CONSTRAINT_INCLUDE_CLAUSE,
        K::WITH_PARAMS,
        K::WHERE_CLAUSE,
        K::SEMICOLON,
    ];
    let parts = Parts::of(statement, &known)?;
    let table = relation(parts.node(K::TABLE_RELATION_NAME)?)?;
    let mut effects = Vec::new();
    if let Some(index) = parts.node(K::INDEX) {
        // An index lives in the schema of its table.
        let schema = table.parent()?;
        let name = schema.child(&single(index)?);
        effects.push(Effect::Create { kind: Kind::Index, name, proof: parts.proof() });
    }
    if parts.has(K::UNIQUE_KW) {
        effects.push(Effect::AddUnique { table: table.clone() });
    }
    if !parts.has(K::CONCURRENTLY_KW) {
        effects.push(Effect::BuildIndex { table });
    }
    Some(effects)
}

fn create_type(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let parts = Parts::of(statement, &[K::CREATE_KW, K::TYPE_KW, K::TYPE_NAME, K::ENUM_TYPE, K::SEMICOLON])?;
    // A type without a body is the shell of one that a function will make.
    let labels = labels(parts.node(K::ENUM_TYPE)?);
    Some(vec![Effect::CreateEnum { name: relation(parts.node(K::TYPE_NAME)?)?, proof: Proof::New, labels }])
}

/// Returns the values of an enum, as they are between plain quotes.
pub(super) fn labels(body: &SyntaxNode) -> Option<Vec<String>> {
    let tokens = body.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let strings = tokens.filter(|token| token.text().contains('\''));
    strings.map(|token| Some(token.text().strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'"))).collect()
}

fn alter_type(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn create_schema(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::CREATE_KW, K::SCHEMA_KW, K::IF_NOT_EXISTS, K::NAMED_SCHEMA, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    // Statements may stand in a schema: they are not read.
    let schema = Parts::of(parts.node(K::NAMED_SCHEMA)?, &[K::SCHEMA, K::SEMICOLON])?;
    let name = ObjectName::new([single(schema.node(K::SCHEMA)?)?]);
    Some(vec![Effect::Create { kind: Kind::Schema, name, proof: parts.proof() }])
}

fn alter_schema(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::ALTER_KW, K::SCHEMA_KW, K::SCHEMA_REF, K::SCHEMA_RENAME_TO, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    let from = ObjectName::new([single(parts.node(K::SCHEMA_REF)?)?]);
    let to = ObjectName::new([single(&child(parts.node(K::SCHEMA_RENAME_TO)?, K::SCHEMA)?)?]);
    Some(vec![Effect::Rename { kind: Kind::Schema, from, to }])
}

/// The options of a sequence that change how it goes on, and not where it stands.
const SEQUENCE_OPTIONS: &[K] = &[
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

fn create_sequence(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::CREATE_KW, K::SEQUENCE_KW, K::IF_NOT_EXISTS, K::SEQUENCE, K::OPTION_AS_TYPE, K::SEMICOLON];
    let parts = Parts::of(statement, &[&known, SEQUENCE_OPTIONS].concat())?;
    let name = relation(parts.node(K::SEQUENCE)?)?;
    Some(vec![Effect::Create { kind: Kind::Sequence, name, proof: parts.proof() }])
}

/// Reads what is altered in the same way everywhere: names, schemas and parameters of sequences, views and indexes.
fn alter(statement: &SyntaxNode, keyword: K, reference: K, kind: Kind, rename: K) -> Option<Vec<Effect>> {
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

fn create_view(statement: &SyntaxNode, kind: Kind) -> Option<Vec<Effect>> {
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

fn policy_of(parts: &Parts, kind: K) -> Option<ObjectName> {
    let on = Parts::of(parts.node(K::ON_TABLE)?, &[K::ON_KW, K::TABLE_NAME_REF])?;
    Some(relation(on.node(K::TABLE_NAME_REF)?)?.child(&single(parts.node(kind)?)?))
}

fn create_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn alter_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn drop_policy(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn create_role(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn alter_role(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

fn privileges(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let on = match child(statement, K::ON_PRIVILEGE_OBJECTS_CLAUSE) {
        Some(objects) => named(&objects),
        None => named(statement),
    };
    Some(vec![if statement.kind() == K::GRANT { Effect::Grant { on } } else { Effect::Revoke { on } }])
}

fn default_privileges(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

/// Reads `DROP … [IF EXISTS] name, … [CASCADE]`.
fn drop(statement: &SyntaxNode, keyword: K, reference: K, kind: Kind) -> Option<Vec<Effect>> {
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
fn renamed(kind: Kind, from: &ObjectName, action: &SyntaxNode) -> Option<Effect> {
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

/// The parts of a node, all of which are of known kinds.
struct Parts(Vec<SyntaxElement>);

impl Parts {
    /// Returns the parts of a node; nothing if one of them is of another kind than these.
    fn of(node: &SyntaxNode, known: &[K]) -> Option<Parts> {
        let (parts, others) = Parts::split(node, known)?;
        others.is_empty().then_some(parts)
    }

    /// Returns the parts of a node that are of these kinds, and the nodes that are not, which the caller must read.
    /// A word that is not known leaves nothing.
    fn split(node: &SyntaxNode, known: &[K]) -> Option<(Parts, Vec<SyntaxNode>)> {
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

    fn all_nodes(&self) -> impl Iterator<Item = &SyntaxNode> {
        self.0.iter().filter_map(SyntaxElement::as_node)
    }

    fn nodes(&self, kind: K) -> impl Iterator<Item = &SyntaxNode> {
        self.all_nodes().filter(move |node| node.kind() == kind)
    }

    fn node(&self, kind: K) -> Option<&SyntaxNode> {
        self.nodes(kind).next()
    }

    fn has(&self, kind: K) -> bool {
        self.0.iter().any(|part| part.kind() == kind)
    }

    fn proof(&self) -> Proof {
        if self.has(K::IF_NOT_EXISTS) || self.has(K::OR_REPLACE) { Proof::Unproven } else { Proof::New }
    }

    fn reach(&self) -> Reach {
        if self.has(K::CASCADE) { Reach::Cascade } else { Reach::Alone }
    }

    fn drop(&self, kind: Kind, name: ObjectName) -> Effect {
        Effect::Drop { kind, name, reach: self.reach(), if_exists: self.has(K::IF_EXISTS) }
    }
}

fn proof(node: &SyntaxNode) -> Proof {
    if child(node, K::IF_NOT_EXISTS).is_some() { Proof::Unproven } else { Proof::New }
}

fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn child_token(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|part| part.kind() == kind)
}

/// Reads the name of what lives in a schema.
pub(super) fn relation(node: &SyntaxNode) -> Option<ObjectName> {
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
pub(super) fn single(node: &SyntaxNode) -> Option<String> {
    let mut parts = parts_of_name(node)?;
    (parts.len() == 1).then(|| parts.pop()).flatten()
}

/// Reads names that are joined by dots. Anything else between or beside them, such as `ONLY` or `*`, is not a name.
fn parts_of_name(node: &SyntaxNode) -> Option<Vec<String>> {
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
pub(super) fn identifier(token: &SyntaxToken) -> Option<String> {
    let text = token.text();
    if let Some(quoted) = text.strip_prefix('"') {
        let name = quoted.strip_suffix('"')?;
        return (!name.is_empty()).then(|| name.replace("\"\"", "\""));
    }
    let is_name = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '$' || !c.is_ascii());
    let begins = text.starts_with(|c: char| c.is_alphabetic() || c == '_' || !c.is_ascii());
    (is_name && begins).then(|| text.to_ascii_lowercase())
}
