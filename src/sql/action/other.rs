//! Reads what a statement of MySQL, SingleStore, SQLite or libSQL does, by the tree of sqlparser.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef, ColumnOption, CreateIndex,
    CreateTable, Delete, Expr, ForeignKeyConstraint, FromTable, Ident, IndexColumn, Insert, ObjectType,
    ReferentialAction, RenameTableNameKind, SelectItem, SetExpr, Statement, TableConstraint, TableFactor, TableObject,
    Update, Value as Literal,
};

use sqlparser::dialect::{MySqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Token, Tokenizer};

use crate::sql::action::{Action, Column, Copy, Index, Key, KeyOf, OnChange, Rows, Table, Value};
use crate::sql::dialect::Dialect;
use crate::sql::effect::{Kind, Proof, Reach};
use crate::sql::name::ObjectName;
use crate::sql::other::{AlteredColumn, altered_column, parse_one, reach, relation, switch_of_keys};
use crate::sql::types;

/// Reads a statement; what cannot be read does nothing that anybody could speak of.
pub(super) fn read(sql: &str, dialect: Dialect) -> Vec<Action> {
    if let Some(statement) = parse_one(sql, dialect) {
        return statement_of(&statement, dialect);
    }
    if let Some(on) = switch_of_keys(sql, dialect) {
        return vec![Action::ForeignKeys { on }];
    }
    if let Some(altered) = altered_column(sql, dialect) {
        return altered_of(&altered);
    }
    // What a module of SQLite is told may be anything, and stands in parentheses.
    let virtual_table = sql.split_once('(').and_then(|(head, _)| parse_one(head, dialect));
    let is_virtual = |statement: &Statement| matches!(statement, Statement::CreateVirtualTable { .. });
    virtual_table.filter(is_virtual).map(|statement| statement_of(&statement, dialect)).unwrap_or_default()
}

fn statement_of(statement: &Statement, dialect: Dialect) -> Vec<Action> {
    match statement {
        Statement::CreateTable(table) => create_table(table).into_iter().collect(),
        Statement::CreateVirtualTable { name, .. } => {
            relation(name).map(|name| Action::CreateTable(Table::named(name, Proof::Unproven))).into_iter().collect()
        }
        Statement::AlterTable(alter) => alter_table(alter),
        Statement::RenameTable(renames) => {
            let rename = |from: Option<ObjectName>, to: Option<ObjectName>| {
                Some(Action::Rename { kind: Kind::Table, from: from?, to: to? })
            };
            renames.iter().filter_map(|names| rename(relation(&names.old_name), relation(&names.new_name))).collect()
        }
        Statement::CreateIndex(index) => create_index(index).into_iter().collect(),
        Statement::CreateView(view) => {
            let proof = if view.or_replace || view.if_not_exists { Proof::Unproven } else { Proof::New };
            let create = |name| Action::Create { kind: Kind::View, name, proof };
            relation(&view.name).map(create).into_iter().collect()
        }
        Statement::Drop { object_type, names, cascade, temporary, .. } => {
            let kind = match object_type {
                ObjectType::Table if !temporary => Kind::Table,
                ObjectType::View => Kind::View,
                ObjectType::Index => Kind::Index,
                ObjectType::Schema | ObjectType::Database => Kind::Schema,
                _ => return Vec::new(),
            };
            let reach = if *cascade { Reach::Cascade } else { Reach::Alone };
            names.iter().filter_map(relation).map(|name| Action::Drop { kind, name, reach }).collect()
        }
        Statement::Truncate(truncate) => {
            let tables = truncate.table_names.iter().filter_map(|target| relation(&target.name));
            tables.map(|table| Action::Truncate { table, reach: Reach::Alone }).collect()
        }
        Statement::Delete(delete) => delete_rows(delete),
        Statement::Update(update) => update_rows(update).into_iter().collect(),
        Statement::Insert(insert) => insert_rows(insert, dialect).into_iter().collect(),
        // What stands behind `WITH`.
        Statement::Query(query) => match query.body.as_ref() {
            SetExpr::Insert(inner) | SetExpr::Update(inner) | SetExpr::Delete(inner) | SetExpr::Merge(inner) => {
                statement_of(inner, dialect)
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

fn create_table(table: &CreateTable) -> Option<Action> {
    let proof = if table.if_not_exists { Proof::Unproven } else { Proof::New };
    Some(Action::CreateTable(Table {
        name: relation(&table.name)?,
        is_temporary: table.temporary,
        proof,
        columns: table.columns.iter().map(column).collect(),
        keys: table.constraints.iter().filter_map(key).collect(),
        like: Vec::new(),
        partition_of: None,
    }))
}

fn alter_table(alter: &AlterTable) -> Vec<Action> {
    let Some(table) = relation(&alter.name) else { return Vec::new() };
    alter.operations.iter().flat_map(|operation| alter_table_operation(&table, operation)).collect()
}

fn alter_table_operation(table: &ObjectName, operation: &AlterTableOperation) -> Vec<Action> {
    let child = |name: &Ident| table.child(&name.value);
    let own = || table.clone();
    match operation {
        AlterTableOperation::AddColumn { if_not_exists, column_def, .. } => {
            let proof = if *if_not_exists { Proof::Unproven } else { Proof::New };
            vec![Action::AddColumn { table: own(), column: column(column_def), proof }]
        }
        AlterTableOperation::DropColumn { column_names, drop_behavior, .. } => {
            let reach = reach(drop_behavior.as_ref());
            let drop = |name: &Ident| Action::Drop { kind: Kind::Column, name: child(name), reach };
            column_names.iter().map(drop).collect()
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            vec![Action::Rename { kind: Kind::Column, from: child(old_column_name), to: child(new_column_name) }]
        }
        AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(to) | RenameTableNameKind::As(to) } => {
            let to = relation(to);
            to.map(|to| Action::Rename { kind: Kind::Table, from: own(), to }).into_iter().collect()
        }
        AlterTableOperation::AddConstraint { constraint, .. } => {
            key(constraint).map(|key| Action::AddKey { table: own(), key }).into_iter().collect()
        }
        AlterTableOperation::DropConstraint { name, drop_behavior, .. }
        | AlterTableOperation::DropForeignKey { name, drop_behavior } => {
            let reach = reach(drop_behavior.as_ref());
            vec![Action::Drop { kind: Kind::Constraint, name: child(name), reach }]
        }
        AlterTableOperation::DropPrimaryKey { drop_behavior } => {
            let reach = reach(drop_behavior.as_ref());
            vec![Action::Drop { kind: Kind::Constraint, name: table.child("PRIMARY"), reach }]
        }
        AlterTableOperation::DropIndex { name } => {
            let name = table.parent().map(|schema| schema.child(&name.value));
            let drop = |name| Action::Drop { kind: Kind::Index, name, reach: Reach::Alone };
            name.map(drop).into_iter().collect()
        }
        AlterTableOperation::ModifyColumn { col_name, data_type, options, .. } => {
            redefined(table, col_name, col_name, types::of_data_type(data_type), options)
        }
        AlterTableOperation::ChangeColumn { old_name, new_name, data_type, options, .. } => {
            redefined(table, old_name, new_name, types::of_data_type(data_type), options)
        }
        AlterTableOperation::AlterColumn { column_name, op } => match op {
            AlterColumnOperation::DropDefault => vec![Action::DropDefault { column: child(column_name) }],
            AlterColumnOperation::SetNotNull => vec![Action::SetNotNull { column: child(column_name) }],
            AlterColumnOperation::DropNotNull => vec![Action::DropNotNull { column: child(column_name) }],
            AlterColumnOperation::SetDefault { value } => {
                vec![Action::SetDefault { column: child(column_name), value: value_of(value) }]
            }
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// The whole of a column is said anew, by MySQL's `MODIFY` and libSQL's `ALTER COLUMN … TO`.
fn redefined(
    table: &ObjectName,
    from: &Ident,
    to: &Ident,
    of: Option<types::SqlType>,
    options: &[ColumnOption],
) -> Vec<Action> {
    let column = table.child(&from.value);
    let mut actions = Vec::new();
    if let Some(to) = of {
        actions.push(Action::SetType { column: column.clone(), to, using: false });
    }
    let mut value = Value::None;
    let mut is_required = false;
    for option in options {
        match option {
            ColumnOption::NotNull => is_required = true,
            ColumnOption::Default(given) => value = value_of(given),
            option if is_auto_increment(option) => value = Value::Next,
            ColumnOption::ForeignKey(key) => {
                let columns = vec![to.value.clone()];
                actions.extend(foreign(key, columns).map(|key| Action::AddKey { table: table.clone(), key }));
            }
            _ => {}
        }
    }
    actions.push(match value.is_some() {
        true => Action::SetDefault { column: column.clone(), value },
        false => Action::DropDefault { column: column.clone() },
    });
    actions.push(match is_required {
        true => Action::SetNotNull { column: column.clone() },
        false => Action::DropNotNull { column: column.clone() },
    });
    if from.value != to.value {
        actions.push(Action::Rename { kind: Kind::Column, from: column, to: table.child(&to.value) });
    }
    actions
}

fn altered_of(altered: &AlteredColumn) -> Vec<Action> {
    let options: Vec<ColumnOption> = altered.to.options.iter().map(|option| option.option.clone()).collect();
    let of = types::of_data_type(&altered.to.data_type);
    redefined(&altered.table, &altered.column, &altered.to.name, of, &options)
}

fn is_auto_increment(option: &ColumnOption) -> bool {
    matches!(option, ColumnOption::DialectSpecific(_))
        && matches!(option.to_string().to_ascii_uppercase().as_str(), "AUTO_INCREMENT" | "AUTOINCREMENT")
}

fn column(definition: &ColumnDef) -> Column {
    let name = definition.name.value.clone();
    let mut column = Column {
        of: types::of_data_type(&definition.data_type),
        is_required: false,
        value: Value::None,
        keys: Vec::new(),
        name: name.clone(),
    };
    let take = |of| Key { name: None, of, is_not_valid: false };
    for option in definition.options.iter().map(|option| &option.option) {
        match option {
            ColumnOption::NotNull => column.is_required = true,
            ColumnOption::Default(value) => column.value = value_of(value),
            ColumnOption::Generated { .. } => column.value = Value::Generated,
            ColumnOption::PrimaryKey(_) => {
                column.is_required = true;
                column.keys.push(take(KeyOf::Primary { columns: vec![name.clone()], by_index: false }));
                // The number of the row itself.
                if column.of.as_ref().is_some_and(|of| of.name == "integer") && !column.value.is_some() {
                    column.value = Value::Next;
                }
            }
            ColumnOption::Unique(_) => column.keys.push(take(KeyOf::Unique {
                columns: vec![name.clone()],
                by_index: false,
                nulls_are_equal: false,
            })),
            ColumnOption::ForeignKey(key) => column.keys.extend(foreign(key, vec![name.clone()])),
            ColumnOption::Check(_) => column.keys.push(take(KeyOf::Check)),
            option if is_auto_increment(option) => column.value = Value::Next,
            _ => {}
        }
    }
    column
}

fn value_of(value: &Expr) -> Value {
    match value {
        Expr::Value(value) if value.value == Literal::Null => Value::None,
        Expr::Value(_) | Expr::UnaryOp { .. } => Value::Same,
        Expr::Nested(value) => value_of(value),
        Expr::Function(function) => match function.to_string().to_ascii_lowercase() {
            name if name.starts_with("now(") || name.starts_with("current_") => Value::Same,
            _ => Value::Each,
        },
        _ => Value::Each,
    }
}

fn key(constraint: &TableConstraint) -> Option<Key> {
    let (name, of) = match constraint {
        TableConstraint::Unique(unique) => {
            let columns = columns(&unique.columns)?;
            let of = KeyOf::Unique { columns, by_index: false, nulls_are_equal: false };
            (unique.name.as_ref().or(unique.index_name.as_ref()), of)
        }
        TableConstraint::PrimaryKey(key) => {
            (key.name.as_ref(), KeyOf::Primary { columns: columns(&key.columns)?, by_index: false })
        }
        TableConstraint::ForeignKey(key) => {
            return foreign(key, key.columns.iter().map(|column| column.value.clone()).collect());
        }
        TableConstraint::Check(check) => (check.name.as_ref(), KeyOf::Check),
        _ => return None,
    };
    Some(Key { name: name.map(|name| name.value.clone()), of, is_not_valid: false })
}

fn foreign(key: &ForeignKeyConstraint, columns: Vec<String>) -> Option<Key> {
    let on = |action: &Option<ReferentialAction>| match action {
        Some(ReferentialAction::Cascade) => OnChange::Cascade,
        Some(ReferentialAction::SetNull) => OnChange::SetNull(Vec::new()),
        Some(ReferentialAction::SetDefault) => OnChange::SetDefault(Vec::new()),
        Some(ReferentialAction::NoAction | ReferentialAction::Restrict) | None => OnChange::Nothing,
    };
    let of = KeyOf::Foreign {
        columns,
        to: relation(&key.foreign_table)?,
        on_delete: on(&key.on_delete),
        on_update: on(&key.on_update),
    };
    Some(Key { name: key.name.as_ref().map(|name| name.value.clone()), of, is_not_valid: false })
}

/// Returns the columns of an index; none where an expression is among them.
fn columns(columns: &[IndexColumn]) -> Option<Vec<String>> {
    let name = |column: &IndexColumn| match &column.column.expr {
        Expr::Identifier(name) => Some(name.value.clone()),
        _ => None,
    };
    columns.iter().map(name).collect()
}

fn create_index(index: &CreateIndex) -> Option<Action> {
    let table = relation(&index.table_name)?;
    let name = index.name.as_ref().and_then(relation);
    Some(Action::CreateIndex(Index {
        name,
        columns: columns(&index.columns),
        is_unique: index.unique,
        is_concurrent: false,
        is_partial: index.predicate.is_some(),
        is_only: false,
        nulls_are_equal: false,
        proof: if index.if_not_exists { Proof::Unproven } else { Proof::New },
        table,
    }))
}

fn delete_rows(delete: &Delete) -> Vec<Action> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let rows = || match &delete.selection {
        _ if delete.using.is_some() || delete.limit.is_some() => Rows::Some,
        None => Rows::All,
        Some(Expr::Value(value)) if value.value == Literal::Boolean(true) => Rows::All,
        Some(condition) => {
            let mut columns = Vec::new();
            any_of(condition, &mut columns);
            if columns.is_empty() { Rows::Some } else { Rows::Null(columns) }
        }
    };
    if !delete.tables.is_empty() {
        let tables = delete.tables.iter().filter_map(relation);
        return tables.map(|table| Action::Delete { table, rows: Rows::Some }).collect();
    }
    let table = from.iter().find_map(|from| match &from.relation {
        TableFactor::Table { name, .. } => relation(name),
        _ => None,
    });
    table.map(|table| Action::Delete { table, rows: rows() }).into_iter().collect()
}

/// Finds the columns of which `a IS NULL` is enough for a condition.
fn any_of(condition: &Expr, columns: &mut Vec<String>) {
    match condition {
        Expr::Nested(inner) => any_of(inner, columns),
        Expr::IsNull(operand) => columns.extend(column_named(operand)),
        Expr::BinaryOp { left, op: sqlparser::ast::BinaryOperator::Or, right } => {
            any_of(left, columns);
            any_of(right, columns);
        }
        _ => {}
    }
}

fn column_named(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) => Some(name.value.clone()),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()),
        Expr::Nested(inner) => column_named(inner),
        _ => None,
    }
}

/// Returns every name in an expression, and the words beside them.
fn names_in(expression: &Expr, dialect: Dialect) -> Vec<String> {
    let text = expression.to_string();
    let tokens = match dialect {
        Dialect::MySql | Dialect::SingleStore => Tokenizer::new(&MySqlDialect {}, &text).tokenize(),
        Dialect::Sqlite | Dialect::Turso | Dialect::Postgres => Tokenizer::new(&SQLiteDialect {}, &text).tokenize(),
    };
    let name = |token| match token {
        Token::Word(word) => Some(word.value),
        Token::DoubleQuotedString(name) => Some(name),
        _ => None,
    };
    tokens.unwrap_or_default().into_iter().filter_map(name).collect()
}

fn update_rows(update: &Update) -> Option<Action> {
    let TableFactor::Table { name, .. } = &update.table.relation else { return None };
    let given = update.assignments.iter().filter(|assignment| value_of(&assignment.value).is_some());
    let columns = given.filter_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => relation(name).map(|name| name.last().to_owned()),
        AssignmentTarget::Tuple(_) => None,
    });
    Some(Action::Update { table: relation(name)?, columns: columns.collect() })
}

fn insert_rows(insert: &Insert, dialect: Dialect) -> Option<Action> {
    let TableObject::TableName(table) = &insert.table else { return None };
    let table = relation(table)?;
    let copy = insert.source.as_ref().and_then(|query| {
        let SetExpr::Select(select) = query.body.as_ref() else { return None };
        let [from] = select.from.as_slice() else { return None };
        let TableFactor::Table { name, .. } = &from.relation else { return None };
        let is_whole = select.selection.is_none() && from.joins.is_empty() && query.limit_clause.is_none();
        let expressions = select.projection.iter().map(|item| match item {
            SelectItem::UnnamedExpr(expression) | SelectItem::ExprWithAlias { expr: expression, .. } => {
                Some(expression)
            }
            _ => None,
        });
        let expressions: Option<Vec<&Expr>> = expressions.collect();
        let has_all = expressions.is_none();
        let expressions = expressions.unwrap_or_default();
        let written = insert.columns.iter().filter_map(|name| relation(name).map(|name| name.last().to_owned()));
        let columns = written.zip(expressions.iter().map(|expression| column_named(expression))).collect();
        let made = expressions.into_iter().filter(|expression| column_named(expression).is_none());
        let others = made.flat_map(|expression| names_in(expression, dialect)).collect();
        Some(Copy { from: relation(name)?, columns, others, has_all, is_whole })
    });
    Some(Action::Insert { table, copy })
}
