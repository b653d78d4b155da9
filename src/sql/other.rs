//! Reads one statement of MySQL, SingleStore, SQLite or libSQL.
//!
//! sqlparser reads much that these servers do not know, and keeps much that nothing here asks about. So a tree counts
//! only where it holds nothing but what was looked at: a table is built again from its columns and compared, a copy of
//! rows or a deletion is written again and compared.

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, ColumnDef, ColumnOption, CreateIndex, CreateTable,
    CreateView, Delete, DropBehavior, Expr, FromTable, GeneratedAs, GeneratedExpressionMode, Ident, Insert,
    ObjectName as Name, ObjectNamePart, ObjectType, RenameTableNameKind, SelectItem, SetExpr, Statement,
    TableConstraint, TableFactor, TableObject, Truncate, Value, helpers::stmt_create_table::CreateTableBuilder,
};
use sqlparser::dialect::{MySqlDialect, SQLiteDialect};
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Copied, Defined, Effect, Kind, Proof, Reach, Reading, TypeText, Using};
use crate::sql::lex::{self, Sort};
use crate::sql::name::{ObjectName, PUBLIC};

/// Reads a statement.
pub(super) fn read(sql: &str, dialect: Dialect) -> Reading {
    let Some(statement) = parse_one(sql, dialect) else {
        if switch_of_keys(sql, dialect).is_some() {
            return Reading { kind: "pragma".to_owned(), effects: Vec::new(), runs: Vec::new() };
        }
        let altered = altered_column(sql, dialect).and_then(|altered| altered.effects());
        return match altered {
            Some(effects) => Reading { kind: "alter_table".to_owned(), effects, runs: Vec::new() },
            None => Reading::unknown("unknown"),
        };
    };
    let kind = kind(&statement);
    match effects(&statement) {
        Some(effects) => Reading { kind: kind.to_owned(), effects, runs: Vec::new() },
        None => Reading::unknown(kind),
    }
}

/// Tells whether a text is exactly one statement.
pub(super) fn is_one(sql: &str, dialect: Dialect) -> bool {
    parse_one(sql, dialect).is_some()
        || switch_of_keys(sql, dialect).is_some()
        || altered_column(sql, dialect).is_some()
}

pub(super) fn parse_one(sql: &str, dialect: Dialect) -> Option<Statement> {
    lex::tokens(sql, dialect).ok().filter(|tokens| lex::is_shallow(tokens))?;
    let statements = match dialect {
        Dialect::MySql | Dialect::SingleStore => Parser::parse_sql(&MySqlDialect {}, sql),
        Dialect::Sqlite | Dialect::Turso => Parser::parse_sql(&SQLiteDialect {}, sql),
        // PostgreSQL has its own reader.
        Dialect::Postgres => return None,
    };
    let mut statements = statements.ok()?;
    (statements.len() == 1).then(|| statements.pop()).flatten()
}

fn kind(statement: &Statement) -> &'static str {
    match statement {
        Statement::CreateTable(_) => "create_table",
        Statement::AlterTable(_) => "alter_table",
        Statement::RenameTable(_) => "rename_table",
        Statement::CreateIndex(_) => "create_index",
        Statement::CreateView(_) => "create_view",
        Statement::Drop { object_type: ObjectType::Table, .. } => "drop_table",
        Statement::Drop { object_type: ObjectType::View, .. } => "drop_view",
        Statement::Drop { object_type: ObjectType::Index, .. } => "drop_index",
        Statement::Truncate(_) => "truncate",
        Statement::Delete(_) => "delete",
        Statement::Insert(_) => "insert",
        _ => "unknown",
    }
}

/// Returns what a statement does; nothing where a part of it is not known.
fn effects(statement: &Statement) -> Option<Vec<Effect>> {
    match statement {
        Statement::CreateTable(table) => create_table(table),
        Statement::AlterTable(alter) => alter_table(alter),
        Statement::RenameTable(renames) => {
            let rename = |from: &Name, to: &Name| {
                Some(Effect::Rename { kind: Kind::Table, from: relation(from)?, to: relation(to)? })
            };
            renames.iter().map(|names| rename(&names.old_name, &names.new_name)).collect()
        }
        Statement::CreateIndex(index) => create_index(index),
        Statement::CreateView(view) => create_view(view),
        Statement::Drop {
            object_type,
            if_exists,
            names,
            cascade,
            restrict: _,
            purge: false,
            temporary: false,
            table: _,
        } => {
            let kind = match object_type {
                ObjectType::Table => Kind::Table,
                ObjectType::View => Kind::View,
                ObjectType::Index => Kind::Index,
                _ => return None,
            };
            let reach = if *cascade { Reach::Cascade } else { Reach::Alone };
            let names = names.iter().map(relation).collect::<Option<Vec<_>>>()?;
            let drop = |name| Effect::Drop { kind, name, reach, if_exists: *if_exists };
            (!names.is_empty()).then(|| names.into_iter().map(drop).collect())
        }
        Statement::Truncate(truncate) => truncate_table(truncate),
        Statement::Delete(delete) => delete_rows(delete),
        Statement::Insert(insert) => insert_rows(insert),
        _ => None,
    }
}

/// Tells whether a statement switches foreign keys off or on, as drizzle-kit does while it builds a table of SQLite again;
/// none where it does neither. sqlparser does not know these words as values.
pub(super) fn switch_of_keys(sql: &str, dialect: Dialect) -> Option<bool> {
    if !matches!(dialect, Dialect::Sqlite | Dialect::Turso) {
        return None;
    }
    let tokens = lex::tokens(sql, dialect).ok()?;
    let words = tokens.iter().filter(|token| token.sort != Sort::Trivia).map(|token| &sql[token.start..token.end]);
    let words: Vec<String> = words.filter(|word| *word != ";").map(str::to_ascii_lowercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["pragma", "foreign_keys", "=", "on"] => Some(true),
        ["pragma", "foreign_keys", "=", "off"] => Some(false),
        _ => None,
    }
}

/// libSQL's own statement, which defines a column anew: `ALTER TABLE a ALTER COLUMN b TO b text NOT NULL`. What is in the
/// rows stays as it is.
pub(super) struct AlteredColumn {
    pub(super) table: ObjectName,
    pub(super) column: Ident,
    pub(super) to: ColumnDef,
}

/// Reads libSQL's statement that defines a column anew. sqlparser knows its parts alone.
pub(super) fn altered_column(sql: &str, dialect: Dialect) -> Option<AlteredColumn> {
    if !matches!(dialect, Dialect::Sqlite | Dialect::Turso) {
        return None;
    }
    lex::tokens(sql, dialect).ok().filter(|tokens| lex::is_shallow(tokens))?;
    let mut parser = Parser::new(&SQLiteDialect {}).try_with_sql(sql).ok()?;
    parser.expect_keywords(&[Keyword::ALTER, Keyword::TABLE]).ok()?;
    let table = relation(&parser.parse_object_name(false).ok()?)?;
    parser.expect_keywords(&[Keyword::ALTER, Keyword::COLUMN]).ok()?;
    let column = parser.parse_identifier().ok()?;
    parser.expect_keywords(&[Keyword::TO]).ok()?;
    let to = parser.parse_column_def().ok()?;
    let _ = parser.consume_token(&Token::SemiColon);
    (parser.peek_token().token == Token::EOF).then_some(AlteredColumn { table, column, to })
}

impl AlteredColumn {
    /// Returns what it does; nothing where a part of it is not known.
    fn effects(&self) -> Option<Vec<Effect>> {
        let column = self.table.child(&self.column.value);
        let to = TypeText { text: self.to.data_type.to_string(), name: None };
        let mut effects = vec![Effect::ChangeType { column: column.clone(), to, using: Using::Assignment }];
        for option in self.to.options.iter().map(|option| &option.option) {
            match option {
                ColumnOption::NotNull => effects.push(Effect::RequireValue { column: column.clone() }),
                ColumnOption::ForeignKey(_) => effects.push(Effect::AddForeignKey { table: self.table.clone() }),
                ColumnOption::Null | ColumnOption::Default(_) => {}
                _ => return None,
            }
        }
        if self.column.value != self.to.name.value {
            let to = self.table.child(&self.to.name.value);
            effects.push(Effect::Rename { kind: Kind::Column, from: column, to });
        }
        Some(effects)
    }
}

fn create_table(table: &CreateTable) -> Option<Vec<Effect>> {
    let known = CreateTableBuilder::new(table.name.clone())
        .if_not_exists(table.if_not_exists)
        .columns(table.columns.clone())
        .constraints(table.constraints.clone())
        .hive_formats(table.hive_formats.clone())
        .build();
    let name = relation(&table.name)?;
    if known != *table || table.columns.is_empty() {
        return None;
    }
    for definition in &table.columns {
        column(&name, definition, Proof::New)?;
    }
    for constraint in &table.constraints {
        add_constraint(&name, constraint)?;
    }
    let proof = if table.if_not_exists { Proof::Unproven } else { Proof::New };
    let columns = table.columns.iter().map(|column| Defined {
        name: column.name.value.clone(),
        kind: column.data_type.to_string(),
        not_null: column.options.iter().any(|option| option.option == ColumnOption::NotNull),
    });
    let define = Effect::Define { table: name.clone(), columns: columns.collect() };
    Some(vec![Effect::Create { kind: Kind::Table, name, proof }, define])
}

fn alter_table(alter: &AlterTable) -> Option<Vec<Effect>> {
    if alter.only || alter.location.is_some() || alter.on_cluster.is_some() || alter.table_type.is_some() {
        return None;
    }
    let table = relation(&alter.name)?;
    let mut effects = Vec::new();
    for operation in &alter.operations {
        effects.extend(alter_table_operation(&table, operation)?);
    }
    (!effects.is_empty()).then_some(effects)
}

fn constraint_dropped(name: ObjectName, behavior: Option<&DropBehavior>, if_exists: bool) -> Effect {
    Effect::Drop { kind: Kind::Constraint, name, reach: reach(behavior), if_exists }
}

fn alter_table_operation(table: &ObjectName, operation: &AlterTableOperation) -> Option<Vec<Effect>> {
    let child = |name: &Ident| table.child(&name.value);
    let effects = match operation {
        AlterTableOperation::AddColumn { column_keyword: _, if_not_exists, column_def, column_position: None } => {
            column(table, column_def, if *if_not_exists { Proof::Unproven } else { Proof::New })?
        }
        AlterTableOperation::DropColumn { has_column_keyword: _, column_names, if_exists, drop_behavior } => {
            let reach = reach(drop_behavior.as_ref());
            let drop =
                |name: &Ident| Effect::Drop { kind: Kind::Column, name: child(name), reach, if_exists: *if_exists };
            column_names.iter().map(drop).collect()
        }
        AlterTableOperation::RenameColumn { old_column_name, new_column_name } => {
            vec![Effect::Rename { kind: Kind::Column, from: child(old_column_name), to: child(new_column_name) }]
        }
        AlterTableOperation::RenameTable { table_name: RenameTableNameKind::To(to) | RenameTableNameKind::As(to) } => {
            vec![Effect::Rename { kind: Kind::Table, from: table.clone(), to: relation(to)? }]
        }
        AlterTableOperation::AddConstraint { constraint, not_valid: false } => add_constraint(table, constraint)?,
        AlterTableOperation::DropConstraint { if_exists, name, drop_behavior } => {
            vec![constraint_dropped(child(name), drop_behavior.as_ref(), *if_exists)]
        }
        AlterTableOperation::DropForeignKey { name, drop_behavior } => {
            vec![constraint_dropped(child(name), drop_behavior.as_ref(), false)]
        }
        AlterTableOperation::DropPrimaryKey { drop_behavior } => {
            vec![Effect::DropPrimaryKey { table: table.clone(), reach: reach(drop_behavior.as_ref()) }]
        }
        AlterTableOperation::DropIndex { name } => {
            let name = table.parent()?.child(&name.value);
            vec![Effect::Drop { kind: Kind::Index, name, reach: Reach::Alone, if_exists: false }]
        }
        AlterTableOperation::ModifyColumn { col_name, data_type, options, column_position: None } => {
            redefined(table, child(col_name), data_type.to_string(), options)?
        }
        AlterTableOperation::ChangeColumn { old_name, new_name, data_type, options, column_position: None } => {
            let mut effects = redefined(table, child(old_name), data_type.to_string(), options)?;
            if old_name.value != new_name.value {
                effects.push(Effect::Rename { kind: Kind::Column, from: child(old_name), to: child(new_name) });
            }
            effects
        }
        AlterTableOperation::AlterColumn { column_name, op } => match op {
            AlterColumnOperation::DropDefault => vec![Effect::DropDefault { column: child(column_name) }],
            // drizzle-kit writes none of the others here.
            AlterColumnOperation::SetNotNull
            | AlterColumnOperation::DropNotNull
            | AlterColumnOperation::SetDefault { .. }
            | AlterColumnOperation::SetDataType { .. }
            | AlterColumnOperation::AddGenerated { .. } => return None,
        },
        _ => return None,
    };
    Some(effects)
}

pub(super) fn reach(behavior: Option<&DropBehavior>) -> Reach {
    match behavior {
        Some(DropBehavior::Cascade) => Reach::Cascade,
        Some(DropBehavior::Restrict) | None => Reach::Alone,
    }
}

/// MySQL defines a column anew where one word of it changes, so the old type cannot be told.
fn redefined(table: &ObjectName, column: ObjectName, text: String, options: &[ColumnOption]) -> Option<Vec<Effect>> {
    let to = TypeText { text, name: None };
    let mut effects = vec![Effect::ChangeType { column: column.clone(), to, using: Using::Assignment }];
    for option in options {
        match option {
            ColumnOption::NotNull => effects.push(Effect::RequireValue { column: column.clone() }),
            ColumnOption::Null
            | ColumnOption::Default(_)
            | ColumnOption::OnUpdate(_)
            | ColumnOption::Comment(_)
            | ColumnOption::CharacterSet(_)
            | ColumnOption::Collation(_)
            | ColumnOption::Generated { .. } => {}
            ColumnOption::DialectSpecific(_) if is_auto_increment(option) => {}
            _ => return None,
        }
    }
    effects.push(Effect::RewriteTable { table: table.clone() });
    Some(effects)
}

fn is_auto_increment(option: &ColumnOption) -> bool {
    matches!(option.to_string().to_ascii_uppercase().as_str(), "AUTO_INCREMENT" | "AUTOINCREMENT")
}

fn add_constraint(table: &ObjectName, constraint: &TableConstraint) -> Option<Vec<Effect>> {
    let of = || table.clone();
    let (mut effects, name) = match constraint {
        TableConstraint::Unique(unique) => {
            (vec![Effect::AddUnique { table: of() }, Effect::BuildIndex { table: of() }], &unique.name)
        }
        TableConstraint::PrimaryKey(key) => {
            (vec![Effect::AddPrimaryKey { table: of() }, Effect::BuildIndex { table: of() }], &key.name)
        }
        TableConstraint::ForeignKey(key) => (vec![Effect::AddForeignKey { table: of() }], &key.name),
        TableConstraint::Check(check) => (vec![Effect::AddCheck { table: of() }], &check.name),
        TableConstraint::Index(_)
        | TableConstraint::FulltextOrSpatial(_)
        | TableConstraint::PrimaryKeyUsingIndex(_)
        | TableConstraint::UniqueUsingIndex(_)
        | TableConstraint::Exclude(_) => return None,
    };
    if let Some(name) = name {
        let name = table.child(&name.value);
        effects.push(Effect::Create { kind: Kind::Constraint, name, proof: Proof::New });
    }
    Some(effects)
}

/// Reads the definition of a column that is added to a table that may have rows.
fn column(table: &ObjectName, definition: &ColumnDef, proof: Proof) -> Option<Vec<Effect>> {
    let column = table.child(&definition.name.value);
    let mut effects = vec![Effect::Create { kind: Kind::Column, name: column.clone(), proof }];
    let (mut is_required, mut has_value) = (false, false);
    for option in definition.options.iter().map(|option| &option.option) {
        match option {
            ColumnOption::NotNull => is_required = true,
            ColumnOption::Default(value) => {
                has_value |= !matches!(value, Expr::Value(value) if value.value == Value::Null)
            }
            ColumnOption::Null
            | ColumnOption::OnUpdate(_)
            | ColumnOption::Comment(_)
            | ColumnOption::CharacterSet(_)
            | ColumnOption::Collation(_) => {}
            ColumnOption::PrimaryKey(_) => {
                effects.push(Effect::AddPrimaryKey { table: table.clone() });
                effects.push(Effect::BuildIndex { table: table.clone() });
            }
            ColumnOption::Unique(_) => {
                effects.push(Effect::AddUnique { table: table.clone() });
                effects.push(Effect::BuildIndex { table: table.clone() });
            }
            ColumnOption::ForeignKey(_) => effects.push(Effect::AddForeignKey { table: table.clone() }),
            ColumnOption::Check(_) => effects.push(Effect::AddCheck { table: table.clone() }),
            ColumnOption::Generated { generated_as, generation_expr: Some(_), generation_expr_mode, .. } => {
                has_value = true;
                let is_stored = matches!(generation_expr_mode, Some(GeneratedExpressionMode::Stored));
                if is_stored || matches!(generated_as, GeneratedAs::ExpStored) {
                    effects.push(Effect::RewriteTable { table: table.clone() });
                }
            }
            ColumnOption::DialectSpecific(_) if is_auto_increment(option) => {
                has_value = true;
                effects.push(Effect::RewriteTable { table: table.clone() });
            }
            _ => return None,
        }
    }
    if is_required && !has_value {
        effects.push(Effect::RequireValue { column });
    }
    Some(effects)
}

fn create_index(index: &CreateIndex) -> Option<Vec<Effect>> {
    let table = relation(&index.table_name)?;
    if !index.alter_options.is_empty() || index.r#async {
        return None;
    }
    let mut effects = Vec::new();
    if let Some(name) = &index.name {
        let proof = if index.if_not_exists { Proof::Unproven } else { Proof::New };
        effects.push(Effect::Create { kind: Kind::Index, name: relation(name)?, proof });
    }
    if index.unique {
        effects.push(Effect::AddUnique { table: table.clone() });
    }
    effects.push(Effect::BuildIndex { table });
    Some(effects)
}

fn create_view(view: &CreateView) -> Option<Vec<Effect>> {
    if view.or_alter || view.materialized || view.temporary || view.to.is_some() {
        return None;
    }
    let proof = if view.or_replace || view.if_not_exists { Proof::Unproven } else { Proof::New };
    Some(vec![Effect::Create { kind: Kind::View, name: relation(&view.name)?, proof }])
}

fn truncate_table(truncate: &Truncate) -> Option<Vec<Effect>> {
    if truncate.partitions.is_some() || truncate.on_cluster.is_some() || truncate.table_names.is_empty() {
        return None;
    }
    let tables = truncate.table_names.iter().map(|target| relation(&target.name));
    // MySQL cascades nowhere; the word is refused there, so its reach does not matter.
    let truncate = |table: Option<ObjectName>| Some(Effect::Truncate { table: table?, reach: Reach::Alone });
    tables.map(truncate).collect()
}

fn delete_rows(delete: &Delete) -> Option<Vec<Effect>> {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    let [from] = from.as_slice() else { return None };
    let TableFactor::Table { name, .. } = &from.relation else { return None };
    // A condition may call what it likes; drizzle-kit writes none, or one that holds.
    let written = delete.to_string();
    let known = [format!("DELETE FROM {name}"), format!("DELETE FROM {name} WHERE true")];
    known.contains(&written).then(|| relation(name)).flatten().map(|table| vec![Effect::DeleteRows { table }])
}

/// Reads the copy of a table into the one that takes its place: `INSERT INTO new(…) SELECT … FROM old`, and before
/// drizzle-kit 0.25 `INSERT INTO new SELECT * FROM old`.
fn insert_rows(insert: &Insert) -> Option<Vec<Effect>> {
    let TableObject::TableName(table) = &insert.table else { return None };
    let query = insert.source.as_ref()?;
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [from] = select.from.as_slice() else { return None };
    let TableFactor::Table { name: from, .. } = &from.relation else { return None };
    let (known, columns) = if insert.columns.is_empty() {
        (format!("INSERT INTO {table} SELECT * FROM {from}"), None)
    } else {
        let column = |item: &SelectItem| match item {
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
            _ => None,
        };
        let columns = select.projection.iter().map(column).collect::<Option<Vec<_>>>()?;
        let list = |names: Vec<String>| names.join(", ");
        let into = list(insert.columns.iter().map(ToString::to_string).collect());
        let known = format!(
            "INSERT INTO {table} ({into}) SELECT {} FROM {from}",
            list(columns.iter().map(Ident::to_string).collect())
        );
        let into = insert.columns.iter().map(|name| name.0.last()?.as_ident().map(|name| name.value.clone()));
        let pairs = into.zip(&columns).map(|(into, from)| Some((into?, from.value.clone())));
        (known, Some(pairs.collect::<Option<Vec<_>>>()?).filter(|pairs| pairs.len() == columns.len()))
    };
    if insert.to_string() != known {
        return None;
    }
    let copied = Copied { from: relation(from)?, columns };
    Some(vec![Effect::InsertRows { table: relation(table)?, copied: Some(copied) }])
}

pub(super) fn relation(name: &Name) -> Option<ObjectName> {
    let part = |part: &ObjectNamePart| match part {
        ObjectNamePart::Identifier(name) => Some(name.value.clone()).filter(|name| !name.is_empty()),
        ObjectNamePart::Function(_) => None,
    };
    let mut parts = name.0.iter().map(part).collect::<Option<Vec<_>>>()?;
    match parts.len() {
        1 => parts.insert(0, PUBLIC.to_owned()),
        2 => {}
        _ => return None,
    }
    Some(ObjectName::new(parts))
}
