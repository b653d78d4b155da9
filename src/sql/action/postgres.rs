//! Reads what a statement of PostgreSQL does, by its tree.

mod parts;
mod rows;
mod table;

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind as K, SyntaxNode};

use crate::sql::action::block::Block;
use crate::sql::action::text;
use crate::sql::action::{Action, Rows, Step, Table, Value, Which};
use crate::sql::effect::{Kind, Proof, Reach};
use crate::sql::name::ObjectName;
use crate::sql::postgres::{relation, single};
use crate::sql::types::SqlType;
use parts::{
    child, has_word, lead, policy, privileges, proof, reach, renamed, security, start, table_of, tables, texts,
};
use rows::{deleted, updated, which};
use table::{column, create_index, create_table, key, value};

/// Reads a statement.
pub(super) fn read(statement: &SyntaxNode) -> Vec<Step> {
    let mut reader = Reader { steps: Vec::new(), at: start(statement), perhaps: false, depth: 0 };
    reader.statement(statement);
    reader.steps
}

/// How deeply blocks of code and texts that they execute may be nested.
const DEEPEST: usize = 8;

struct Reader {
    steps: Vec<Step>,
    /// Where the statement begins.
    at: usize,
    perhaps: bool,
    depth: usize,
}

impl Reader {
    fn take(&mut self, action: Action) {
        self.steps.push(Step { at: self.at, action, perhaps: self.perhaps });
    }

    fn statement(&mut self, node: &SyntaxNode) {
        let before = self.steps.len();
        self.first_level(node);
        // What stands in `WITH` runs before the statement around it.
        if !matches!(
            node.kind(),
            K::DO
                | K::CREATE_FUNCTION
                | K::CREATE_PROCEDURE
                | K::CREATE_RULE
                | K::CREATE_VIEW
                | K::CREATE_TRIGGER
                | K::CREATE_POLICY
                | K::PREPARE
                | K::DECLARE
        ) {
            let within: Vec<SyntaxNode> = node
                .descendants()
                .skip(1)
                .filter(|inner| matches!(inner.kind(), K::DELETE | K::UPDATE | K::INSERT | K::MERGE))
                .collect();
            let own = self.steps.split_off(before);
            for inner in within {
                self.rows(&inner);
            }
            self.steps.extend(own);
        }
    }

    fn first_level(&mut self, node: &SyntaxNode) {
        match node.kind() {
            K::CREATE_TABLE | K::CREATE_FOREIGN_TABLE | K::CREATE_TABLE_AS => {
                if let Some(table) = create_table(node) {
                    self.take(Action::CreateTable(table));
                }
            }
            K::SELECT_INTO => self.select_into(node),
            K::ALTER_TABLE | K::ALTER_FOREIGN_TABLE => self.alter_table(node),
            K::CREATE_INDEX => {
                if let Some(index) = create_index(node) {
                    self.take(Action::CreateIndex(index));
                }
            }
            K::DROP_TABLE | K::DROP_FOREIGN_TABLE => self.drop(node, Kind::Table, K::TABLE_NAME_REF),
            K::DROP_INDEX => self.drop(node, Kind::Index, K::INDEX_REF),
            K::DROP_VIEW => self.drop(node, Kind::View, K::VIEW_REF),
            K::DROP_MATERIALIZED_VIEW => self.drop(node, Kind::MaterializedView, K::VIEW_REF),
            K::DROP_SEQUENCE => self.drop(node, Kind::Sequence, K::SEQUENCE_REF),
            K::DROP_TYPE => self.drop(node, Kind::Type, K::TYPE_NAME_REF),
            K::DROP_DOMAIN => self.drop(node, Kind::Type, K::DOMAIN_REF),
            K::DROP_SCHEMA => self.drop(node, Kind::Schema, K::SCHEMA_REF),
            K::DROP_ROLE | K::DROP_USER | K::DROP_GROUP => self.drop(node, Kind::Role, K::ROLE_REF),
            K::DROP_POLICY => {
                if let Some(name) = policy(node, K::POLICY_REF) {
                    self.take(Action::Drop { kind: Kind::Policy, name, reach: Reach::Alone });
                }
            }
            K::DROP_EXTENSION => self.drop_other(node, "extension", K::EXTENSION_REF),
            K::DROP_FUNCTION => self.drop_other(node, "function", K::FUNCTION_NAME_REF),
            K::DROP_PROCEDURE => self.drop_other(node, "procedure", K::FUNCTION_NAME_REF),
            K::DROP_ROUTINE => self.drop_other(node, "routine", K::FUNCTION_NAME_REF),
            K::DROP_AGGREGATE => self.drop_other(node, "aggregate", K::AGGREGATE),
            K::DROP_OPERATOR => self.drop_other(node, "operator", K::TOMBSTONE),
            K::DROP_OPERATOR_CLASS => self.drop_other(node, "operator class", K::TOMBSTONE),
            K::DROP_OPERATOR_FAMILY => self.drop_other(node, "operator family", K::TOMBSTONE),
            K::DROP_CAST => self.drop_other(node, "cast", K::TOMBSTONE),
            K::DROP_COLLATION => self.drop_other(node, "collation", K::COLLATION_REF),
            K::DROP_LANGUAGE => self.drop_other(node, "language", K::LANGUAGE_REF),
            K::DROP_SERVER => self.drop_other(node, "server", K::SERVER_REF),
            K::DROP_FOREIGN_DATA_WRAPPER => self.drop_other(node, "foreign data wrapper", K::FOREIGN_DATA_WRAPPER_REF),
            K::DROP_TEXT_SEARCH_CONFIG => self.drop_other(node, "text search configuration", K::TOMBSTONE),
            K::DROP_TEXT_SEARCH_DICT => self.drop_other(node, "text search dictionary", K::TOMBSTONE),
            K::DROP_TEXT_SEARCH_PARSER => self.drop_other(node, "text search parser", K::TOMBSTONE),
            K::DROP_TEXT_SEARCH_TEMPLATE => self.drop_other(node, "text search template", K::TOMBSTONE),
            K::DROP_ACCESS_METHOD => self.drop_other(node, "access method", K::TOMBSTONE),
            K::DROP_OWNED => {
                let by = texts(node, K::ROLE_REF).join(", ");
                self.take(Action::DropOwned { by });
            }
            K::CREATE_TYPE => self.create_type(node),
            K::ALTER_TYPE => self.alter_type(node),
            K::CREATE_DOMAIN => self.create(node, Kind::Type, K::DOMAIN),
            K::ALTER_DOMAIN => self.alter(node, Kind::Type, K::DOMAIN_REF, K::DOMAIN_RENAME_TO),
            K::CREATE_SCHEMA => self.create_schema(node),
            K::ALTER_SCHEMA => {
                let from = child(node, K::SCHEMA_REF).and_then(|name| single(&name));
                let to = child(node, K::SCHEMA_RENAME_TO).and_then(|rename| single(&child(&rename, K::SCHEMA)?));
                if let (Some(from), Some(to)) = (from, to) {
                    let (from, to) = (ObjectName::new([from]), ObjectName::new([to]));
                    self.take(Action::Rename { kind: Kind::Schema, from, to });
                }
            }
            K::CREATE_SEQUENCE => self.create(node, Kind::Sequence, K::SEQUENCE),
            K::ALTER_SEQUENCE => self.alter(node, Kind::Sequence, K::SEQUENCE_REF, K::SEQUENCE_RENAME_TO),
            K::CREATE_VIEW => self.create(node, Kind::View, K::VIEW),
            K::ALTER_VIEW => self.alter(node, Kind::View, K::VIEW_REF, K::VIEW_RENAME_TO),
            K::CREATE_MATERIALIZED_VIEW => self.create(node, Kind::MaterializedView, K::VIEW),
            K::ALTER_MATERIALIZED_VIEW => self.alter(node, Kind::MaterializedView, K::VIEW_REF, K::VIEW_RENAME_TO),
            K::ALTER_INDEX => self.alter(node, Kind::Index, K::INDEX_REF, K::INDEX_RENAME_TO),
            K::CREATE_POLICY => {
                if let Some(name) = policy(node, K::POLICY) {
                    self.take(Action::Create { kind: Kind::Policy, name, proof: Proof::New });
                }
            }
            K::ALTER_POLICY => self.alter_policy(node),
            K::CREATE_ROLE | K::CREATE_USER | K::CREATE_GROUP => {
                if let Some(role) = child(node, K::ROLE).and_then(|role| single(&role)) {
                    let name = ObjectName::new([role.clone()]);
                    self.take(Action::Create { kind: Kind::Role, name, proof: Proof::New });
                    self.empower(node, role);
                }
            }
            K::ALTER_ROLE | K::ALTER_USER => {
                if let Some(role) = texts(node, K::ROLE_REF).into_iter().next() {
                    self.empower(node, role);
                }
            }
            K::GRANT => {
                let (on, what) = privileges(node);
                self.take(Action::Grant { on, what });
            }
            K::ALTER_DEFAULT_PRIVILEGES if child(node, K::GRANT_DEFAULT_PRIVILEGES).is_some() => {
                self.take(Action::Grant { on: Vec::new(), what: "on what is created later".to_owned() });
            }
            K::TRUNCATE => {
                let reach = reach(node);
                for table in tables(node) {
                    self.take(Action::Truncate { table, reach });
                }
            }
            K::DELETE | K::UPDATE | K::INSERT | K::MERGE => self.rows(node),
            K::COPY => self.copy(node),
            K::LOCK => self.lock(node),
            K::CLUSTER => {
                let table = child(node, K::TABLE_NAME_REF).and_then(|name| relation(&name));
                self.take(Action::Rewrite { table, how: "CLUSTER" });
            }
            K::VACUUM
                if has_word(node, K::FULL_KW) || node.text().to_string().to_ascii_lowercase().contains("full") =>
            {
                let table = tables(node).into_iter().next();
                self.take(Action::Rewrite { table, how: "VACUUM FULL" });
            }
            K::SET => self.set(node),
            K::DO => self.run(node),
            _ => {}
        }
    }

    // --- tables ---

    fn select_into(&mut self, node: &SyntaxNode) {
        let Some(into) = child(node, K::INTO_CLAUSE) else { return };
        let name = into.descendants().find_map(|part| match part.kind() {
            K::TABLE_NAME | K::RELATION_NAME | K::PATH => relation(&part),
            _ => None,
        });
        let Some(name) = name else { return };
        let is_temporary = into.text().to_string().to_ascii_lowercase().contains("temp");
        self.take(Action::CreateTable(Table {
            name,
            is_temporary,
            proof: Proof::New,
            columns: Vec::new(),
            keys: Vec::new(),
            like: Vec::new(),
            partition_of: None,
        }));
    }

    fn alter_table(&mut self, node: &SyntaxNode) {
        let Some(table) = child(node, K::TABLE_RELATION_NAME).and_then(|name| table_of(&name)) else { return };
        for action in node.children() {
            self.alter_table_action(&table, &action);
        }
    }

    fn alter_table_action(&mut self, table: &ObjectName, node: &SyntaxNode) {
        let named = |kind: K| child(node, kind).and_then(|name| single(&name));
        let own = || table.clone();
        let action = match node.kind() {
            K::ADD_COLUMN => {
                let Some(column) = column(node) else { return };
                Action::AddColumn { table: own(), column, proof: proof(node) }
            }
            K::DROP_COLUMN => {
                let Some(name) = named(K::COLUMN_NAME_REF) else { return };
                Action::Drop { kind: Kind::Column, name: table.child(&name), reach: reach(node) }
            }
            K::ALTER_COLUMN => return self.alter_column(table, node),
            K::ADD_CONSTRAINT => {
                let Some(key) = node.children().find_map(|constraint| key(&constraint, None)) else { return };
                Action::AddKey { table: own(), key }
            }
            K::DROP_CONSTRAINT => {
                let Some(name) = named(K::CONSTRAINT_NAME_REF) else { return };
                Action::Drop { kind: Kind::Constraint, name: table.child(&name), reach: reach(node) }
            }
            K::VALIDATE_CONSTRAINT => {
                let Some(name) = named(K::CONSTRAINT_NAME_REF) else { return };
                Action::Validate { constraint: table.child(&name) }
            }
            K::RENAME_COLUMN => {
                let (Some(from), Some(to)) = (named(K::COLUMN_NAME_REF), named(K::COLUMN_NAME)) else { return };
                Action::Rename { kind: Kind::Column, from: table.child(&from), to: table.child(&to) }
            }
            K::RENAME_CONSTRAINT => {
                let (Some(from), Some(to)) = (named(K::CONSTRAINT_NAME_REF), named(K::CONSTRAINT_NAME)) else { return };
                Action::Rename { kind: Kind::Constraint, from: table.child(&from), to: table.child(&to) }
            }
            K::TABLE_RENAME_TO | K::SET_SCHEMA => {
                let Some(to) = renamed(table, node) else { return };
                Action::Rename { kind: Kind::Table, from: own(), to }
            }
            K::DISABLE_RLS | K::NO_FORCE_RLS => Action::Rls { table: own(), on: false },
            K::ENABLE_RLS | K::FORCE_RLS => Action::Rls { table: own(), on: true },
            K::SET_LOGGED => Action::Rewrite { table: Some(own()), how: "SET LOGGED" },
            K::SET_UNLOGGED => Action::Rewrite { table: Some(own()), how: "SET UNLOGGED" },
            K::SET_TABLESPACE => Action::Rewrite { table: Some(own()), how: "SET TABLESPACE" },
            K::SET_ACCESS_METHOD => Action::Rewrite { table: Some(own()), how: "SET ACCESS METHOD" },
            K::DETACH_PARTITION => {
                let Some(partition) = child(node, K::TABLE_NAME_REF).and_then(|name| relation(&name)) else { return };
                Action::Detach { table: own(), partition }
            }
            K::NO_INHERIT_TABLE => {
                let Some(parent) = child(node, K::TABLE_NAME_REF).and_then(|name| relation(&name)) else { return };
                Action::Detach { table: parent, partition: own() }
            }
            K::DISABLE_TRIGGER => Action::Triggers { table: Some(own()), which: which(node), on: false },
            K::ENABLE_TRIGGER | K::ENABLE_ALWAYS_TRIGGER => {
                Action::Triggers { table: Some(own()), which: which(node), on: true }
            }
            _ => return,
        };
        self.take(action);
    }

    fn alter_column(&mut self, table: &ObjectName, node: &SyntaxNode) {
        let Some(name) = child(node, K::COLUMN_NAME_REF).and_then(|name| single(&name)) else { return };
        let column = table.child(&name);
        let Some(option) = node.children().find(|child| child.kind() != K::COLUMN_NAME_REF) else { return };
        let action = match option.kind() {
            K::SET_TYPE => {
                let Some(to) = option.children().find_map(|part| SqlType::of_node(&part)) else { return };
                Action::SetType { column, to, using: child(&option, K::USING_EXPR).is_some() }
            }
            K::SET_NOT_NULL => Action::SetNotNull { column },
            K::DROP_NOT_NULL => Action::DropNotNull { column },
            K::SET_DEFAULT => Action::SetDefault { column, value: option.children().next().map_or(Value::Same, value) },
            K::DROP_DEFAULT => Action::DropDefault { column },
            K::SET_EXPRESSION => Action::SetExpression { column },
            K::DROP_EXPRESSION => Action::DropExpression { column },
            K::ADD_GENERATED => Action::SetDefault { column, value: Value::Next },
            K::DROP_IDENTITY => {
                // The sequence goes as well, and with it where it stood. PostgreSQL's and drizzle's own name for it is this one.
                let parts = table.parts();
                let name = format!("{}_{name}_seq", table.last());
                let name = ObjectName::new([parts[0].clone(), name]);
                self.take(Action::DropDefault { column });
                Action::Drop { kind: Kind::Sequence, name, reach: Reach::Alone }
            }
            _ => return,
        };
        self.take(action);
    }

    // --- what is dropped, created, renamed ---

    fn drop(&mut self, node: &SyntaxNode, kind: Kind, reference: K) {
        let reach = reach(node);
        for name in node.children().filter(|child| child.kind() == reference) {
            let name = match kind {
                Kind::Schema | Kind::Role => single(&name).map(|name| ObjectName::new([name])),
                _ => relation(&name),
            };
            if let Some(name) = name {
                self.take(Action::Drop { kind, name, reach });
            }
        }
    }

    fn drop_other(&mut self, node: &SyntaxNode, what: &'static str, reference: K) {
        let reach = reach(node);
        let mut names = texts(node, reference);
        if names.is_empty() {
            names.push(String::new());
        }
        for name in names {
            self.take(Action::DropOther { what, name, reach });
        }
    }

    fn create(&mut self, node: &SyntaxNode, kind: Kind, reference: K) {
        if let Some(name) = child(node, reference).and_then(|name| relation(&name)) {
            self.take(Action::Create { kind, name, proof: proof(node) });
        }
    }

    fn create_schema(&mut self, node: &SyntaxNode) {
        let name = node.descendants().find(|part| part.kind() == K::SCHEMA).and_then(|name| single(&name));
        if let Some(name) = name {
            let name = ObjectName::new([name]);
            self.take(Action::Create { kind: Kind::Schema, name, proof: proof(node) });
        }
    }

    fn create_type(&mut self, node: &SyntaxNode) {
        let Some(name) = child(node, K::TYPE_NAME).and_then(|name| relation(&name)) else { return };
        match child(node, K::ENUM_TYPE) {
            Some(body) => {
                let labels = body.descendants().filter_map(ast::Literal::cast);
                let labels = labels.filter_map(|label| label.string_value()).collect();
                self.take(Action::CreateEnum { name, labels, proof: Proof::New });
            }
            None => self.take(Action::Create { kind: Kind::Type, name, proof: Proof::New }),
        }
    }

    fn alter_type(&mut self, node: &SyntaxNode) {
        let Some(of) = child(node, K::TYPE_NAME_REF).and_then(|name| relation(&name)) else { return };
        for action in node.descendants() {
            let action = match action.kind() {
                K::ADD_VALUE => {
                    let value = action.children().find_map(ast::Literal::cast).and_then(|value| value.string_value());
                    let Some(value) = value else { continue };
                    Action::AddValue { of: of.clone(), value }
                }
                K::RENAME_VALUE => Action::RenameValue { of: of.clone() },
                K::RENAME_ATTRIBUTE => Action::RenameAttribute { of: of.clone() },
                K::TYPE_RENAME_TO | K::SET_SCHEMA => {
                    let Some(to) = renamed(&of, &action) else { continue };
                    Action::Rename { kind: Kind::Type, from: of.clone(), to }
                }
                _ => continue,
            };
            self.take(action);
        }
    }

    fn alter(&mut self, node: &SyntaxNode, kind: Kind, reference: K, rename: K) {
        let Some(from) = child(node, reference).and_then(|name| relation(&name)) else { return };
        for action in node.children() {
            let action = match action.kind() {
                found if found == rename || found == K::SET_SCHEMA => {
                    let Some(to) = renamed(&from, &action) else { continue };
                    Action::Rename { kind, from: from.clone(), to }
                }
                K::SET_OPTIONS | K::RESET_OPTIONS if kind == Kind::View => match security(&action) {
                    Some(on) => Action::Rls { table: from.clone(), on },
                    None => continue,
                },
                K::SET_TABLESPACE => Action::Rewrite { table: Some(from.clone()), how: "SET TABLESPACE" },
                K::SET_ACCESS_METHOD => Action::Rewrite { table: Some(from.clone()), how: "SET ACCESS METHOD" },
                K::SET_NOT_NULL => continue,
                _ => continue,
            };
            self.take(action);
        }
    }

    fn alter_policy(&mut self, node: &SyntaxNode) {
        let Some(name) = policy(node, K::POLICY_REF) else { return };
        match child(node, K::POLICY_RENAME_TO) {
            Some(rename) => {
                let to = child(&rename, K::POLICY).and_then(|to| single(&to));
                if let (Some(to), Some(table)) = (to, name.parent()) {
                    let to = table.child(&to);
                    self.take(Action::Rename { kind: Kind::Policy, from: name, to });
                }
            }
            None => self.take(Action::AlterPolicy { policy: name }),
        }
    }

    fn empower(&mut self, node: &SyntaxNode, role: String) {
        const POWERS: [&str; 5] = ["SUPERUSER", "BYPASSRLS", "CREATEROLE", "CREATEDB", "REPLICATION"];
        let words = node.descendants().filter(|part| part.kind() == K::ROLE_OPTION_GENERIC);
        let words = words.map(|part| part.text().to_string().trim().to_ascii_uppercase());
        let powers: Vec<String> = words.filter(|word| POWERS.contains(&word.as_str())).collect();
        if !powers.is_empty() {
            self.take(Action::Empower { role, powers });
        }
    }

    // --- rows ---

    fn rows(&mut self, node: &SyntaxNode) {
        match node.kind() {
            K::DELETE => {
                if let Some(table) = child(node, K::RELATION_NAME).and_then(|name| table_of(&name)) {
                    self.take(Action::Delete { table, rows: deleted(node) });
                }
            }
            K::UPDATE => {
                if let Some(table) = child(node, K::RELATION_NAME).and_then(|name| table_of(&name)) {
                    self.take(Action::Update { table, columns: updated(node) });
                }
            }
            K::INSERT => {
                if let Some(table) = child(node, K::RELATION_NAME_REF).and_then(|name| relation(&name)) {
                    self.take(Action::Insert { table, copy: None });
                }
            }
            K::MERGE => {
                let Some(table) = child(node, K::TABLE_RELATION_NAME).and_then(|name| table_of(&name)) else { return };
                for action in node.descendants() {
                    match action.kind() {
                        K::MERGE_DELETE => {
                            self.take(Action::Delete { table: table.clone(), rows: Rows::Some });
                        }
                        K::MERGE_INSERT => self.take(Action::Insert { table: table.clone(), copy: None }),
                        K::MERGE_UPDATE => {
                            let columns = updated(&action);
                            self.take(Action::Update { table: table.clone(), columns });
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn copy(&mut self, node: &SyntaxNode) {
        let Some(table) = child(node, K::COPY_TABLE) else { return };
        let comes_in = node.descendants().any(|part| has_word(&part, K::FROM_KW));
        if let Some(table) = table.descendants().find_map(|part| relation(&part)).filter(|_| comes_in) {
            self.take(Action::Insert { table, copy: None });
        }
    }

    fn lock(&mut self, node: &SyntaxNode) {
        let mode = match child(node, K::LOCK_MODE_CLAUSE).and_then(|clause| clause.children().next()) {
            None => "ACCESS EXCLUSIVE",
            Some(mode) => match mode.kind() {
                K::ACCESS_EXCLUSIVE => "ACCESS EXCLUSIVE",
                K::EXCLUSIVE => "EXCLUSIVE",
                K::SHARE_ROW_EXCLUSIVE => "SHARE ROW EXCLUSIVE",
                K::SHARE => "SHARE",
                // Programs go on reading and writing beside these.
                _ => return,
            },
        };
        for table in tables(node) {
            self.take(Action::Lock { table, mode });
        }
    }

    fn set(&mut self, node: &SyntaxNode) {
        let text = node.text().to_string().to_ascii_lowercase();
        if text.contains("session_replication_role") {
            let on = !text.contains("replica'") && !text.trim_end_matches([';', ' ']).ends_with("replica");
            self.take(Action::Triggers { table: None, which: Which::All, on });
        }
    }

    // --- blocks of code ---

    fn run(&mut self, node: &SyntaxNode) {
        let Some(block) = Block::read(node).filter(|_| self.depth < DEEPEST) else {
            return self.take(Action::Unread { why: "a DO block cannot be read" });
        };
        // Of a text within a text no place is known but its own.
        let outside = (self.depth > 0).then_some(self.at);
        let around = self.at;
        self.depth += 1;
        for statement in block.syntax().descendants() {
            self.at = outside.unwrap_or_else(|| block.start(&statement) + lead(&statement));
            let perhaps = self.perhaps;
            self.perhaps = perhaps || is_conditional(&statement);
            match statement.kind() {
                K::PLPGSQL_EXEC_SQL_STMT | K::PLPGSQL_FOR_QUERY_STMT | K::PLPGSQL_RETURN_QUERY_STMT => {
                    if let Some(inner) =
                        statement.children().find(|part| !part.kind().is_trivia() && is_statement(part))
                    {
                        self.statement(&inner);
                    }
                }
                K::PLPGSQL_DO_STMT => {
                    if let Some(inner) = child(&statement, K::DO) {
                        self.run(&inner);
                    }
                }
                K::PLPGSQL_DYN_EXECUTE_STMT
                | K::PLPGSQL_FOR_DYN_STMT
                | K::PLPGSQL_RETURN_QUERY_EXECUTE_STMT
                | K::PLPGSQL_OPEN_EXECUTE => self.execute(&statement),
                _ => {}
            }
            self.perhaps = perhaps;
        }
        self.depth -= 1;
        self.at = around;
    }

    /// Reads a text that is put together in the server, as far as it is there to be read.
    fn execute(&mut self, node: &SyntaxNode) {
        let unread = Action::Unread { why: "a DO block executes SQL text that is built on the server" };
        let text = child(node, K::PLPGSQL_EXPR).and_then(|expression| text::made_by(&expression));
        let Some(text) = text else { return self.take(unread) };
        let parse = SourceFile::parse(&text);
        if !parse.errors().is_empty() {
            return self.take(unread);
        }
        self.depth += 1;
        for statement in parse.syntax_node().children() {
            self.statement(&statement);
        }
        self.depth -= 1;
    }
}

/// Returns what in a `DO` block ends the transaction around it.
pub(super) fn ends_within(statement: &SyntaxNode) -> Option<&'static str> {
    Block::read(statement)?.syntax().descendants().find_map(|part| match part.kind() {
        K::PLPGSQL_COMMIT_STMT => Some("COMMIT in a DO block"),
        K::PLPGSQL_ROLLBACK_STMT => Some("ROLLBACK in a DO block"),
        _ => None,
    })
}

/// Tells whether a part of a block of code runs under a condition, or not at all where all goes well.
fn is_conditional(statement: &SyntaxNode) -> bool {
    statement.ancestors().skip(1).any(|around| {
        matches!(
            around.kind(),
            K::PLPGSQL_IF_STMT
                | K::PLPGSQL_CASE_STMT
                | K::PLPGSQL_EXCEPTION_SECTION
                | K::PLPGSQL_LOOP_STMT
                | K::PLPGSQL_WHILE_STMT
                | K::PLPGSQL_FOR_QUERY_STMT
                | K::PLPGSQL_FOR_I_STMT
                | K::PLPGSQL_FOR_EACH_STMT
                | K::PLPGSQL_FOR_DYN_STMT
                | K::PLPGSQL_FOR_CURSOR_STMT
        ) || (around.kind() == K::PLPGSQL_BLOCK && child(&around, K::PLPGSQL_EXCEPTION_SECTION).is_some())
    })
}

fn is_statement(node: &SyntaxNode) -> bool {
    ast::Stmt::can_cast(node.kind())
}
