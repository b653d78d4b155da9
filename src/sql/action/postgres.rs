//! Reads what a statement of PostgreSQL does, by its tree.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind as K, SyntaxNode};

use crate::sql::action::block::Block;
use crate::sql::action::text;
use crate::sql::action::{Action, Column, Index, Key, KeyOf, OnChange, Rows, Step, Table, Value, Which};
use crate::sql::effect::{Kind, Proof, Reach};
use crate::sql::name::{ObjectName, PUBLIC};
use crate::sql::postgres::{may_differ, relation, single};
use crate::sql::types::SqlType;

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

// --- parts of statements ---

fn create_table(node: &SyntaxNode) -> Option<Table> {
    let name = relation(&child(node, K::TABLE_NAME)?)?;
    let mut table = Table {
        name,
        is_temporary: child(node, K::TEMP).is_some(),
        proof: proof(node),
        columns: Vec::new(),
        keys: Vec::new(),
        like: Vec::new(),
        partition_of: None,
    };
    for argument in child(node, K::TABLE_ARG_LIST).iter().flat_map(SyntaxNode::children) {
        match argument.kind() {
            K::COLUMN => table.columns.extend(column(&argument)),
            K::LIKE_CLAUSE => {
                table.like.extend(child(&argument, K::RELATION_NAME_REF).and_then(|name| relation(&name)))
            }
            _ => table.keys.extend(key(&argument, None)),
        }
    }
    if let Some(parent) = child(node, K::PARTITION_OF).and_then(|of| relation(&child(&of, K::TABLE_NAME_REF)?)) {
        table.like.push(parent.clone());
        table.partition_of = Some(parent);
    }
    for parent in child(node, K::INHERITS).iter().flat_map(SyntaxNode::children) {
        table.like.extend(relation(&parent));
    }
    Some(table)
}

/// Reads the definition of a column.
fn column(node: &SyntaxNode) -> Option<Column> {
    let name = single(&child(node, K::COLUMN_NAME)?)?;
    let of = node.children().find_map(|part| SqlType::of_node(&part));
    let mut column = Column { is_required: false, value: Value::None, keys: Vec::new(), of, name };
    if is_serial(node) {
        column.value = Value::Next;
        column.is_required = true;
    }
    for part in node.children() {
        match part.kind() {
            K::NOT_NULL_CONSTRAINT => column.is_required = true,
            K::DEFAULT_CONSTRAINT => {
                let expression = part.children().find(|part| part.kind() != K::CONSTRAINT_NAME_CLAUSE);
                column.value = expression.map_or(Value::Same, value);
            }
            K::GENERATED_CONSTRAINT => {
                let is_identity = part.descendants().any(|part| part.kind() == K::GENERATED_IDENTITY);
                column.value = if is_identity { Value::Next } else { Value::Generated };
                column.is_required |= is_identity;
            }
            _ => {
                let key = key(&part, Some(&column.name));
                column.is_required |= matches!(&key, Some(Key { of: KeyOf::Primary { .. }, .. }));
                column.keys.extend(key);
            }
        }
    }
    Some(column)
}

fn is_serial(column: &SyntaxNode) -> bool {
    const SERIALS: [&str; 6] = ["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"];
    let path = child(column, K::PATH_TYPE).and_then(|of| relation(&child(&of, K::PATH_REF)?));
    path.is_some_and(|path| matches!(path.parts()[0].as_str(), PUBLIC | "pg_catalog") && SERIALS.contains(&path.last()))
}

/// Returns what an expression gives a column.
fn value(expression: SyntaxNode) -> Value {
    let text = expression.text().to_string().trim().to_ascii_lowercase();
    if text == "null" || text.starts_with("null::") {
        Value::None
    } else if text.contains("nextval(") {
        Value::Next
    } else if may_differ(&expression) {
        Value::Each
    } else {
        Value::Same
    }
}

/// Reads a constraint; that of a column has the column's name.
fn key(node: &SyntaxNode, column: Option<&str>) -> Option<Key> {
    let columns = |list: Option<SyntaxNode>| match (column, list) {
        (_, Some(list)) => names(&list),
        (Some(column), None) => vec![column.to_owned()],
        (None, None) => Vec::new(),
    };
    let parameters = child(node, K::INDEX_PARAMETERS);
    let listed =
        || columns(parameters.as_ref().and_then(|parameters| child(parameters, K::CONSTRAINT_COLUMN_REF_LIST)));
    let by_index = child(node, K::USING_INDEX_NAME).is_some();
    let of = match node.kind() {
        K::PRIMARY_KEY_CONSTRAINT => KeyOf::Primary { columns: listed(), by_index },
        K::UNIQUE_CONSTRAINT => {
            let nulls_are_equal = node.descendants().any(|part| part.kind() == K::NULLS_NOT_DISTINCT);
            KeyOf::Unique { columns: listed(), by_index, nulls_are_equal }
        }
        K::FOREIGN_KEY_CONSTRAINT | K::REFERENCES_CONSTRAINT => {
            let to = relation(&child(node, K::TABLE_NAME_REF)?)?;
            let own = child(node, K::FOREIGN_KEY_COLUMN_LIST);
            let on = |kind| child(node, kind).map_or(OnChange::Nothing, |action| on_change(&action));
            let columns = if node.kind() == K::REFERENCES_CONSTRAINT { columns(None) } else { columns(own) };
            KeyOf::Foreign { columns, to, on_delete: on(K::ON_DELETE_ACTION), on_update: on(K::ON_UPDATE_ACTION) }
        }
        K::NOT_NULL_CONSTRAINT => KeyOf::NotNull { column: single(&child(node, K::COLUMN_NAME_REF)?)? },
        K::CHECK_CONSTRAINT => match required_by(node) {
            Some(column) => KeyOf::NotNull { column },
            None => KeyOf::Check,
        },
        K::EXCLUDE_CONSTRAINT => KeyOf::Exclude,
        _ => return None,
    };
    let name = child(node, K::CONSTRAINT_NAME_CLAUSE).and_then(|clause| single(&child(&clause, K::CONSTRAINT_NAME)?));
    Some(Key { name, of, is_not_valid: child(node, K::NOT_VALID).is_some() })
}

/// Returns the column that a CHECK requires, where it says nothing else: `CHECK (a IS NOT NULL)`.
fn required_by(node: &SyntaxNode) -> Option<String> {
    let expression = node.children().find(|part| ast::Expr::can_cast(part.kind()))?;
    null_test(&expression, true)
}

/// Returns the column of `a IS NULL` or `a IS NOT NULL`.
fn null_test(expression: &SyntaxNode, is_not: bool) -> Option<String> {
    if expression.kind() == K::PAREN_EXPR {
        return null_test(&expression.children().next()?, is_not);
    }
    let text = expression.text().to_string().trim().to_ascii_lowercase();
    let words: Vec<&str> = text.split_whitespace().collect();
    let fits = if is_not {
        words.ends_with(&["is", "not", "null"]) || words.ends_with(&["notnull"])
    } else {
        (words.ends_with(&["is", "null"]) && !words.ends_with(&["is", "not", "null"])) || words.ends_with(&["isnull"])
    };
    let operand = expression.children().next().filter(|_| fits)?;
    column_named(&operand)
}

/// Returns the column that an expression is, without the table before it.
fn column_named(expression: &SyntaxNode) -> Option<String> {
    match expression.kind() {
        K::NAME_REF => single(expression),
        K::FIELD_EXPR => single(&expression.children().filter(|part| part.kind() == K::NAME_REF).last()?),
        K::PAREN_EXPR => column_named(&expression.children().next()?),
        _ => None,
    }
}

fn on_change(node: &SyntaxNode) -> OnChange {
    for action in node.children() {
        let columns = || child(&action, K::COLUMN_REF_LIST).map(|list| names(&list)).unwrap_or_default();
        match action.kind() {
            K::CASCADE => return OnChange::Cascade,
            K::SET_NULL_COLUMNS => return OnChange::SetNull(columns()),
            K::SET_DEFAULT_COLUMNS => return OnChange::SetDefault(columns()),
            _ => {}
        }
    }
    OnChange::Nothing
}

fn create_index(node: &SyntaxNode) -> Option<Index> {
    let on = child(node, K::TABLE_RELATION_NAME)?;
    let table = table_of(&on)?;
    let name = child(node, K::INDEX).and_then(|name| single(&name));
    // An index lives in the schema of its table.
    let name = name.and_then(|name| Some(table.parent()?.child(&name)));
    let items = child(node, K::PARTITION_ITEM_LIST);
    let items = items.iter().flat_map(SyntaxNode::children).filter(|item| item.kind() == K::PARTITION_ITEM);
    let columns = items.map(|item| column_named(&item.children().next()?)).collect();
    Some(Index {
        name,
        table,
        columns,
        is_unique: has_word(node, K::UNIQUE_KW),
        is_concurrent: has_word(node, K::CONCURRENTLY_KW),
        is_partial: child(node, K::WHERE_CLAUSE).is_some(),
        is_only: has_word(&on, K::ONLY_KW),
        nulls_are_equal: child(node, K::NULLS_NOT_DISTINCT).is_some(),
        proof: proof(node),
    })
}

fn policy(node: &SyntaxNode, reference: K) -> Option<ObjectName> {
    let table = relation(&child(&child(node, K::ON_TABLE)?, K::TABLE_NAME_REF)?)?;
    Some(table.child(&single(&child(node, reference)?)?))
}

/// Returns what privileges are granted on, and on what in words.
fn privileges(node: &SyntaxNode) -> (Vec<ObjectName>, String) {
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

fn deleted(node: &SyntaxNode) -> Rows {
    if child(node, K::USING_CLAUSE).is_some() {
        return Rows::Some;
    }
    let Some(clause) = child(node, K::WHERE_CLAUSE) else {
        return if child(node, K::WHERE_CURRENT_OF).is_some() { Rows::Some } else { Rows::All };
    };
    let Some(condition) = clause.children().next() else { return Rows::Some };
    if condition.text().to_string().trim().eq_ignore_ascii_case("true") {
        return Rows::All;
    }
    let mut columns = Vec::new();
    any_of(&condition, &mut columns);
    if columns.is_empty() { Rows::Some } else { Rows::Null(columns) }
}

/// Finds the columns of which `a IS NULL` is enough for a condition.
fn any_of(condition: &SyntaxNode, columns: &mut Vec<String>) {
    if let Some(column) = null_test(condition, false) {
        columns.push(column);
        return;
    }
    match condition.kind() {
        K::PAREN_EXPR => condition.children().for_each(|part| any_of(&part, columns)),
        K::BIN_EXPR if has_word(condition, K::OR_KW) => condition.children().for_each(|part| any_of(&part, columns)),
        _ => {}
    }
}

/// Returns the columns that an UPDATE gives another value than NULL.
fn updated(node: &SyntaxNode) -> Vec<String> {
    let mut columns = Vec::new();
    for target in node.descendants().filter(|part| part.kind() == K::COLUMN_TARGET) {
        let is_null = target.parent().is_some_and(|around| {
            around.kind() == K::SET_SINGLE_COLUMN
                && around
                    .children()
                    .last()
                    .is_some_and(|given| given.text().to_string().trim().eq_ignore_ascii_case("null"))
        });
        if !is_null {
            columns.extend(child(&target, K::COLUMN_NAME_REF).and_then(|name| single(&name)));
        }
    }
    columns
}

fn which(node: &SyntaxNode) -> Which {
    match node.children().next() {
        Some(target) if target.kind() == K::TRIGGER_REF => Which::One(target.text().to_string().trim().to_owned()),
        Some(target) if target.text().to_string().trim().eq_ignore_ascii_case("user") => Which::User,
        _ => Which::All,
    }
}

/// Tells whether a view reads with the rights of whoever asks from then on; none where that is not what is set.
fn security(action: &SyntaxNode) -> Option<bool> {
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
fn renamed(from: &ObjectName, action: &SyntaxNode) -> Option<ObjectName> {
    if action.kind() == K::SET_SCHEMA {
        return Some(ObjectName::new([single(&child(action, K::SCHEMA_REF)?)?]).child(from.last()));
    }
    Some(from.parent()?.child(&single(&action.children().next()?)?))
}

/// Returns the names in a list of columns.
fn names(list: &SyntaxNode) -> Vec<String> {
    list.children().filter_map(|name| single(&name)).collect()
}

/// Returns the tables that a statement lists.
fn tables(node: &SyntaxNode) -> Vec<ObjectName> {
    let name = |part: SyntaxNode| match part.kind() {
        K::TABLE_NAME_REF | K::RELATION_NAME_REF => relation(&part),
        _ => None,
    };
    node.descendants().filter_map(name).collect()
}

/// Returns the table that a name with `ONLY` or `*` beside it means.
fn table_of(name: &SyntaxNode) -> Option<ObjectName> {
    tables(name).into_iter().next()
}

/// Returns the texts of the parts of a kind.
fn texts(node: &SyntaxNode, kind: K) -> Vec<String> {
    let parts = node.descendants().filter(|part| part.kind() == kind);
    parts.map(|part| part.text().to_string().trim().replace('"', "")).collect()
}

fn reach(node: &SyntaxNode) -> Reach {
    if child(node, K::CASCADE).is_some() { Reach::Cascade } else { Reach::Alone }
}

fn proof(node: &SyntaxNode) -> Proof {
    let is_unproven = child(node, K::IF_NOT_EXISTS).is_some() || child(node, K::OR_REPLACE).is_some();
    if is_unproven { Proof::Unproven } else { Proof::New }
}

fn child(node: &SyntaxNode, kind: K) -> Option<SyntaxNode> {
    node.children().find(|child| child.kind() == kind)
}

fn has_word(node: &SyntaxNode, kind: K) -> bool {
    node.children_with_tokens().any(|part| part.kind() == kind)
}

/// Where a node begins, behind the white space and the comments before it.
fn start(node: &SyntaxNode) -> usize {
    usize::from(node.text_range().start()) + lead(node)
}

/// How many bytes of white space and comments a node begins with.
fn lead(node: &SyntaxNode) -> usize {
    let mut tokens = node.descendants_with_tokens().filter_map(SyntaxElement::into_token);
    let first = tokens.find(|token| !token.kind().is_trivia());
    first.map_or(0, |token| usize::from(token.text_range().start() - node.text_range().start()))
}
