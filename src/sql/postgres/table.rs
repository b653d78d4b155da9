//! Reads statements on tables, their columns, constraints, rows and indexes.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Effect, Kind, Proof, TypeText, Using};
use crate::sql::name::{ObjectName, PUBLIC};
use crate::sql::postgres::object::{SEQUENCE_OPTIONS, renamed};
use crate::sql::postgres::syntax::{Parts, child, child_token, proof, relation, single, type_text};

pub(super) fn create_table(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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
pub(super) const ALTER_TABLE_PARTS: &[K] =
    &[K::ALTER_KW, K::TABLE_KW, K::IF_EXISTS, K::TABLE_RELATION_NAME, K::COMMA, K::SEMICOLON];

pub(super) fn alter_table(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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
pub(super) const SAME_FOR_EVERY_ROW: [&str; 12] = [
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
pub(in crate::sql) fn may_differ(expression: &SyntaxNode) -> bool {
    expression.descendants().filter(|node| node.kind() == K::CALL_EXPR).any(|call| {
        let name = child(&call, K::NAME_REF).and_then(|name| single(&name));
        !name.is_some_and(|name| SAME_FOR_EVERY_ROW.contains(&name.as_str()))
    })
}

pub(super) fn truncate(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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

pub(super) fn delete(statement: &SyntaxNode) -> Option<Vec<Effect>> {
    let known = [K::DELETE_KW, K::FROM_KW, K::RELATION_NAME, K::WHERE_CLAUSE, K::SEMICOLON];
    let parts = Parts::of(statement, &known)?;
    // A function in the condition runs, and may do anything.
    let calls = statement.descendants().any(|node| node.kind() == K::CALL_EXPR);
    let table = relation(parts.node(K::RELATION_NAME)?)?;
    (!calls).then(|| vec![Effect::DeleteRows { table }])
}

pub(super) fn create_index(statement: &SyntaxNode) -> Option<Vec<Effect>> {
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
