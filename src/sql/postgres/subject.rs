//! Reads which objects a statement gives another definition: not what it does to them, and nothing of their rows.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::effect::{Effect, Kind, Reach};
use crate::sql::name::ObjectName;
use crate::sql::postgres::syntax::{Parts, child, parse_one, relation, single};
use crate::sql::postgres::table::ALTER_TABLE_PARTS;
use crate::sql::postgres::{effects, inner};

/// An object whose definition a statement sets, changes or removes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A column that stays: its type, default, NOT NULL, expression.
    Column(ObjectName),
    /// The sequence of an identity column.
    Identity(ObjectName),
    /// A constraint, below its table, and the index behind it.
    Constraint(ObjectName),
    Index(ObjectName),
    /// What an index of this name is, in whatever schema: drizzle-kit 0.21 to 0.28 drops `IF EXISTS`, and leaves the schema out.
    AnyIndex(ObjectName),
    /// A row level security policy, below its table.
    Policy(ObjectName),
    /// Whether a table has row level security.
    RowSecurity(ObjectName),
    View(ObjectName),
    Sequence(ObjectName),
    /// An enum.
    Type(ObjectName),
}

/// Returns the objects that a statement defines, where that is all it does; nothing for a statement that creates, drops or
/// renames columns, tables or schemas, that touches rows, or that is not understood.
pub fn subjects(sql: &str) -> Option<Vec<Subject>> {
    let statement = parse_one(sql)?;
    let statement = if statement.kind() == K::DO { inner(&statement)? } else { statement };
    let effects = effects(&statement)?;
    // With CASCADE, others go as well.
    if effects.iter().any(|effect| matches!(effect, Effect::Drop { reach: Reach::Cascade, .. })) {
        return None;
    }
    let subjects = match statement.kind() {
        K::ALTER_TABLE => of_table(&statement)?,
        K::ALTER_SEQUENCE => vec![Subject::Sequence(relation(&child(&statement, K::SEQUENCE_REF)?)?)],
        // Beside what is created, the effects on the table of an index say nothing more.
        K::CREATE_INDEX => effects.iter().filter_map(of_effect).collect(),
        K::DROP_INDEX
        | K::CREATE_POLICY
        | K::DROP_POLICY
        | K::ALTER_POLICY
        | K::CREATE_VIEW
        | K::CREATE_MATERIALIZED_VIEW
        | K::DROP_VIEW
        | K::DROP_MATERIALIZED_VIEW
        | K::CREATE_SEQUENCE
        | K::DROP_SEQUENCE
        | K::CREATE_TYPE
        | K::DROP_TYPE => effects.iter().map(of_effect).collect::<Option<_>>()?,
        _ => return None,
    };
    (!subjects.is_empty()).then_some(subjects)
}

fn of_effect(effect: &Effect) -> Option<Subject> {
    match effect {
        Effect::Drop { kind: Kind::Index, name, if_exists: true, .. } => Some(Subject::AnyIndex(name.clone())),
        Effect::Create { kind, name, .. } | Effect::Drop { kind, name, .. } => match kind {
            Kind::View | Kind::MaterializedView => Some(Subject::View(name.clone())),
            Kind::Sequence => Some(Subject::Sequence(name.clone())),
            Kind::Index => Some(Subject::Index(name.clone())),
            Kind::Policy => Some(Subject::Policy(name.clone())),
            Kind::Type => Some(Subject::Type(name.clone())),
            Kind::Schema | Kind::Table | Kind::Column | Kind::Constraint | Kind::Role => None,
        },
        Effect::CreateEnum { name, .. } => Some(Subject::Type(name.clone())),
        Effect::AlterPolicy { policy } => Some(Subject::Policy(policy.clone())),
        _ => None,
    }
}

fn of_table(statement: &SyntaxNode) -> Option<Vec<Subject>> {
    let (parts, actions) = Parts::split(statement, ALTER_TABLE_PARTS)?;
    let table = relation(parts.node(K::TABLE_RELATION_NAME)?)?;
    let mut subjects = Vec::new();
    for action in &actions {
        match action.kind() {
            K::ALTER_COLUMN => {
                let column = table.child(&single(&child(action, K::COLUMN_NAME_REF)?)?);
                let sets = |kind| child(action, kind).is_some();
                if sets(K::ADD_GENERATED) || sets(K::SET_GENERATED_OPTIONS) || sets(K::DROP_IDENTITY) {
                    subjects.push(Subject::Identity(column.clone()));
                }
                subjects.push(Subject::Column(column));
            }
            K::ADD_CONSTRAINT => {
                let clause = action.descendants().find(|node| node.kind() == K::CONSTRAINT_NAME_CLAUSE)?;
                subjects.push(Subject::Constraint(table.child(&single(&child(&clause, K::CONSTRAINT_NAME)?)?)));
            }
            K::DROP_CONSTRAINT => {
                subjects.push(Subject::Constraint(table.child(&single(&child(action, K::CONSTRAINT_NAME_REF)?)?)));
            }
            K::ENABLE_RLS | K::DISABLE_RLS | K::FORCE_RLS | K::NO_FORCE_RLS => {
                subjects.push(Subject::RowSecurity(table.clone()));
            }
            _ => return None,
        }
    }
    Some(subjects)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sql: &str, expected: &[Subject]) {
        let expected = (!expected.is_empty()).then(|| expected.to_vec());
        assert_eq!(subjects(sql), expected, "{sql}");
    }

    #[test]
    fn the_objects_that_a_statement_defines_are_named() {
        let name = |text: &str| ObjectName::new(text.split('.'));
        let column = Subject::Column(name("public.t.a"));
        check("ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DEFAULT '{}';", std::slice::from_ref(&column));
        check("ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DATA TYPE text;", std::slice::from_ref(&column));
        check("ALTER TABLE \"t\" ALTER COLUMN \"a\" DROP NOT NULL;", std::slice::from_ref(&column));
        let identity = [Subject::Identity(name("public.t.a")), column];
        check("ALTER TABLE \"t\" ALTER COLUMN \"a\" SET CACHE 5;", &identity);
        let constraint = [Subject::Constraint(name("shop.t.u"))];
        check("ALTER TABLE \"shop\".\"t\" DROP CONSTRAINT \"u\";", &constraint);
        check("ALTER TABLE \"shop\".\"t\" ADD CONSTRAINT \"u\" UNIQUE NULLS NOT DISTINCT(\"a\");", &constraint);
        let block = "DO $$ BEGIN
 ALTER TABLE \"shop\".\"t\" ADD CONSTRAINT \"u\" FOREIGN KEY (\"a\") REFERENCES \"public\".\"b\"(\"a\");
EXCEPTION
 WHEN duplicate_object THEN null;
END $$;";
        check(block, &constraint);
        let index = [Subject::Index(name("shop.i"))];
        check("CREATE UNIQUE INDEX \"i\" ON \"shop\".\"t\" USING btree (lower(\"a\") DESC) WHERE a > 0;", &index);
        check("DROP INDEX \"shop\".\"i\";", &index);
        check("DROP INDEX IF EXISTS \"i\";", &[Subject::AnyIndex(name("public.i"))]);
        check("DROP POLICY \"p\" ON \"t\" CASCADE;", &[Subject::Policy(name("public.t.p"))]);
        check("ALTER TABLE \"t\" DISABLE ROW LEVEL SECURITY;", &[Subject::RowSecurity(name("public.t"))]);
        check("DROP VIEW \"shop\".\"v\";", &[Subject::View(name("shop.v"))]);
        check("ALTER SEQUENCE \"s\" CACHE 3;", &[Subject::Sequence(name("public.s"))]);
        check("CREATE TYPE \"public\".\"e\" AS ENUM('a');", &[Subject::Type(name("public.e"))]);
    }

    #[test]
    fn what_does_more_or_is_not_understood_has_no_subjects() {
        for sql in [
            "ALTER TABLE \"t\" DROP COLUMN \"a\";",
            "ALTER TABLE \"t\" ADD COLUMN \"a\" integer;",
            "ALTER TABLE \"t\" DROP CONSTRAINT \"u\" CASCADE;",
            "ALTER TABLE \"t\" ADD UNIQUE (\"a\");",
            "ALTER TABLE \"t\" RENAME TO \"u\";",
            "DROP VIEW \"v\" CASCADE;",
            "CREATE INDEX ON \"t\" (\"a\");",
            "DROP TABLE \"t\";",
            "TRUNCATE TABLE \"t\";",
            "REFRESH MATERIALIZED VIEW \"v\";",
            "SELECT setval('s', 1);",
            "ALTER TABLE \"t\" ALTER COLUMN \"a\" SET DEFAULT 1; DROP TABLE \"t\";",
            "GRANT SELECT ON \"t\" TO \"r\";",
        ] {
            check(sql, &[]);
        }
    }
}
