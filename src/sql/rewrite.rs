//! Changes what drizzle-kit wrote before the program runs it itself: a `USING` is added, a truncate is left out.
//!
//! Nothing else is ever changed. What was rewritten is read again, and where it is not proved to do the same as before it
//! is not used.

use std::sync::LazyLock;

use regex::Regex;

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Effect, Reach, Reading, Using};
use crate::sql::name::ObjectName;
use crate::sql::{plan, postgres};

/// Adds `USING expression` to a statement of PostgreSQL that changes the type of one column and does nothing else.
///
/// Returns nothing where the statement is another, or has a `USING` already, or where the result is not read as the same
/// statement with exactly this expression.
pub fn with_using(statement: &str, expression: &str) -> Option<String> {
    let expression = expression.trim();
    let before = postgres::type_change(statement).filter(|change| change.using.is_none())?;
    let (head, tail) = statement.split_at(before.end);
    let rewritten = format!("{head} USING {expression}{tail}");
    let after = postgres::type_change(&rewritten)?;
    let is_added = after.end == before.end && after.using.as_deref() == Some(expression);
    (is_added && without_using(&rewritten) == without_using(statement)).then_some(rewritten)
}

/// Returns the type that drizzle-kit means by `"undefined"."bytea"`: from 0.31 on it puts a schema that it does not know
/// before the words of a `customType`.
pub fn meant_type(words: &str) -> Option<&str> {
    let meant = words.strip_prefix("\"undefined\".\"")?.strip_suffix('"')?;
    (!meant.contains('"')).then_some(meant)
}

/// Puts the type that is meant into a statement that changes the type of one column and does nothing else.
///
/// Returns nothing where drizzle-kit wrote the type right, or where the result is not read as the same change.
pub fn with_meant_type(statement: &str) -> Option<String> {
    let change = postgres::type_change(statement)?;
    let (head, tail) = statement.split_at(change.end);
    let begin = head.rfind("\"undefined\".\"")?;
    let meant = meant_type(&head[begin..])?;
    let rewritten = format!("{}{meant}{tail}", &head[..begin]);
    let after = postgres::type_change(&rewritten)?;
    let same_place = after.end == begin + meant.len() && after.using == change.using;
    (same_place && column_changed(&rewritten) == column_changed(statement)).then_some(rewritten)
}

fn column_changed(statement: &str) -> Option<ObjectName> {
    plan::read(statement, Dialect::Postgres).effects.into_iter().find_map(|effect| match effect {
        Effect::ChangeType { column, .. } => Some(column),
        _ => None,
    })
}

/// Tells whether a text is one SQL expression, as it may stand behind `USING`.
pub fn is_expression(text: &str) -> bool {
    with_using("ALTER TABLE \"x\" ALTER COLUMN \"y\" SET DATA TYPE text;", text).is_some()
}

fn without_using(statement: &str) -> Reading {
    let mut reading = plan::read(statement, Dialect::Postgres);
    for effect in &mut reading.effects {
        if let Effect::ChangeType { using, .. } = effect {
            *using = Using::Assignment;
        }
    }
    // What the expression runs is the policy's own.
    reading.runs.clear();
    reading
}

/// Returns the positions of the statements that empty a table directly before the type of one of its columns changes.
///
/// drizzle-kit 0.20 to 0.30 writes them because PostgreSQL may not know how to convert the values. A truncate before
/// anything else is left alone: what follows it, such as a column that must not be NULL, may need the table empty.
pub fn skippable_truncates(statements: &[String]) -> Vec<usize> {
    // pushUtils.ts, pgSuggestions: `truncate table ${tableNameWithSchemaFrom(…)} cascade;`
    static TRUNCATE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"(?s)^truncate table ".*" cascade;$"#).expect("the pattern is right"));
    let is_skippable = |pair: &[String]| {
        if !TRUNCATE.is_match(&pair[0]) {
            return false;
        }
        let truncate = plan::read(&pair[0], Dialect::Postgres).effects;
        let [Effect::Truncate { table: emptied, reach: Reach::Cascade }] = truncate.as_slice() else { return false };
        let change = plan::read(&pair[1], Dialect::Postgres).effects;
        matches!(
            change.as_slice(),
            [Effect::ChangeType { column, .. }, Effect::RewriteTable { .. }] if column.parent().as_ref() == Some(emptied)
        )
    };
    let pairs = statements.windows(2).enumerate();
    pairs.filter(|(_, pair)| is_skippable(pair)).map(|(truncate_idx, _)| truncate_idx).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::sql::statement;

    #[test]
    fn a_type_without_its_schema_is_the_one_that_is_meant() {
        let check = |words: &str, expected: Option<&str>| {
            let statement = |words: &str| format!("ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DATA TYPE {words};");
            assert_eq!(with_meant_type(&statement(words)), expected.map(statement), "{words}");
        };
        check("\"undefined\".\"bytea\"", Some("bytea"));
        check("\"undefined\".\"vector(3)\"", Some("vector(3)"));
        check("\"undefined\".\"numeric(3, 1)[]\"", Some("numeric(3, 1)[]"));
        check("bytea", None);
        check("\"other\".\"bytea\"", None);
        check("\"undefined\".\"int; DROP TABLE x\"", None);
        check("\"undefined\".\"int USING 1\"", None);
        check("\"undefined\".\"a\"\"b\"", None);
    }

    #[track_caller]
    fn check(statement: &str, expression: &str, expected: Option<&str>) {
        assert_eq!(with_using(statement, expression).as_deref(), expected, "{statement} with {expression}");
    }

    const BLOB: &str = "ALTER TABLE \"files\" ALTER COLUMN \"blob\" SET DATA TYPE bytea;";

    #[test]
    fn an_expression_is_put_behind_the_type() {
        let cases = [
            (BLOB, "blob::bytea", "ALTER TABLE \"files\" ALTER COLUMN \"blob\" SET DATA TYPE bytea USING blob::bytea;"),
            (
                BLOB,
                "  convert_to(\"blob\", 'UTF8')\n",
                "ALTER TABLE \"files\" ALTER COLUMN \"blob\" SET DATA TYPE bytea USING convert_to(\"blob\", 'UTF8');",
            ),
            (
                "ALTER TABLE a ALTER b TYPE numeric(12, 4)",
                "CASE WHEN b = ';' THEN 0 ELSE b::numeric END",
                "ALTER TABLE a ALTER b TYPE numeric(12, 4) USING CASE WHEN b = ';' THEN 0 ELSE b::numeric END",
            ),
            (
                "ALTER TABLE a ALTER b TYPE s.t[] COLLATE \"C\" -- why; not\n ;",
                "ARRAY[b, 'x']",
                "ALTER TABLE a ALTER b TYPE s.t[] COLLATE \"C\" USING ARRAY[b, 'x'] -- why; not\n ;",
            ),
            (
                "ALTER TABLE a ALTER b TYPE timestamp with time zone;",
                "b AT TIME ZONE 'UTC'",
                "ALTER TABLE a ALTER b TYPE timestamp with time zone USING b AT TIME ZONE 'UTC';",
            ),
            ("ALTER TABLE a ALTER b TYPE interval;", "b", "ALTER TABLE a ALTER b TYPE interval USING b;"),
        ];
        for (statement, expression, expected) in cases {
            check(statement, expression, Some(expected));
        }
    }

    #[test]
    fn what_is_more_or_less_than_one_expression_is_not_used() {
        let expressions = [
            "",
            " ",
            "blob::",
            "blob::bytea;",
            "blob::bytea; DROP TABLE files",
            "blob::bytea, DROP COLUMN name",
            "blob::bytea, ALTER COLUMN name TYPE int",
            "USING blob::bytea",
            "blob -- the rest",
            "blob /* not closed",
            "-- nothing",
            "'not closed",
            "(blob",
            "blob)",
            "blob, name",
            "SELECT 1",
            "'a' 'b'",
        ];
        for expression in expressions {
            check(BLOB, expression, None);
            assert!(!is_expression(expression), "{expression}");
        }
        let deep = "(".repeat(50_000) + &")".repeat(50_000);
        check(BLOB, &deep, None);
    }

    #[test]
    fn a_statement_that_is_not_one_type_change_without_a_using_is_left_alone() {
        let statements = [
            "",
            "ALTER TABLE a ALTER b TYPE int USING b::int;",
            "ALTER TABLE a ALTER b TYPE int, ALTER c TYPE int;",
            "ALTER TABLE a ALTER b TYPE int, DROP COLUMN c;",
            "ALTER TABLE a ALTER b SET NOT NULL;",
            "ALTER TABLE a ADD COLUMN b int;",
            "ALTER TABLE a ALTER b TYPE int; DROP TABLE c;",
            "ALTER TABLE ONLY a ALTER b TYPE int;",
            "ALTER FOREIGN TABLE a ALTER b TYPE int;",
            "ALTER TABLE a ALTER b TYPE;",
            "DROP TABLE a;",
        ];
        for statement in statements {
            check(statement, "b", None);
        }
    }

    #[test]
    fn every_type_change_of_drizzle_kit_takes_an_expression() {
        for block in [
            include_str!("../../fixtures/sql/blocks/0.21.4/types.sql"),
            include_str!("../../fixtures/sql/blocks/0.22.8/types.sql"),
            include_str!("../../fixtures/sql/blocks/0.28.1/types.sql"),
            include_str!("../../fixtures/sql/blocks/0.31.11/types.sql"),
        ] {
            let statements = statement::split(block, Dialect::Postgres).expect("the block was split before");
            let rewritten: Vec<String> = statements.iter().filter_map(|sql| with_using(sql, "v::text")).collect();
            let n_changes = statements.iter().filter(|sql| sql.contains(" SET DATA TYPE ")).count();
            assert_eq!(rewritten.len(), n_changes);
            assert!(rewritten.iter().all(|sql| sql.ends_with(" USING v::text;")), "{rewritten:?}");
        }
    }

    #[track_caller]
    fn check_truncates(plan: &str, expected: &[usize]) {
        let statements = statement::split(plan, Dialect::Postgres).expect("the plan can be split");
        assert_eq!(skippable_truncates(&statements), expected, "{plan}");
    }

    #[test]
    fn only_the_truncate_directly_before_a_type_change_of_the_same_table_can_be_skipped() {
        let change = "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DATA TYPE bytea;";
        let cases: [(&str, &str, &[usize]); 20] = [
            ("truncate table \"a\" cascade;", change, &[0]),
            ("truncate table \"public\".\"a\" cascade;", change, &[0]),
            ("DROP TABLE x; truncate table \"a\" cascade;", change, &[1]),
            (
                "truncate table \"s\".\"a\" cascade;",
                "ALTER TABLE \"s\".\"a\" ALTER COLUMN \"b\" SET DATA TYPE bytea;",
                &[0],
            ),
            (
                "truncate table \"a\" cascade;",
                "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DATA TYPE x USING \"b\"::x;",
                &[0],
            ),
            ("truncate table \"s\".\"a\" cascade;", change, &[]),
            ("truncate table \"c\" cascade;", change, &[]),
            ("truncate table \"a\" cascade; truncate table \"a\" cascade;", change, &[1]),
            ("truncate table \"a\" cascade; DROP TABLE x;", change, &[]),
            // Other words: nobody knows whether drizzle-kit meant them for the statement that follows.
            ("truncate table \"a\";", change, &[]),
            ("truncate table \"a\" restart identity cascade;", change, &[]),
            ("truncate table \"a\", \"c\" cascade;", change, &[]),
            ("TRUNCATE TABLE \"a\" CASCADE;", change, &[]),
            ("DELETE FROM \"a\";", change, &[]),
            // The table may have to be empty for what else is done.
            ("truncate table \"a\" cascade;", "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET NOT NULL;", &[]),
            ("truncate table \"a\" cascade;", "ALTER TABLE \"a\" ADD COLUMN \"b\" text NOT NULL;", &[]),
            ("truncate table \"a\" cascade;", "ALTER TABLE \"a\" ADD CONSTRAINT \"c\" UNIQUE(\"b\");", &[]),
            ("truncate table \"a\" cascade;", "ALTER TABLE \"a\" ALTER b TYPE int, ALTER c SET NOT NULL;", &[]),
            ("truncate table \"a\" cascade;", "ALTER TABLE \"a\" ALTER COLUMN \"b\" DROP DEFAULT;", &[]),
            ("truncate table \"a\" cascade;", "", &[]),
        ];
        for (truncate, next, expected) in cases {
            check_truncates(&format!("{truncate}\n{next}"), expected);
        }
    }

    #[test]
    fn the_truncates_of_drizzle_kit_are_told_apart() {
        let cases: [(&str, &[usize]); 12] = [
            (include_str!("../../fixtures/sql/blocks/0.21.4/types.sql"), &[6, 8, 17, 24]),
            (include_str!("../../fixtures/sql/blocks/0.22.8/types.sql"), &[6, 8, 17, 24]),
            (include_str!("../../fixtures/sql/blocks/0.28.1/types.sql"), &[6, 16, 23]),
            (include_str!("../../fixtures/sql/blocks/0.31.11/types.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.28.1/failing/text_to_bytea.sql"), &[0]),
            (include_str!("../../fixtures/sql/blocks/0.21.4/columns.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.28.1/columns.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.31.11/columns.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.21.4/defaults.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.21.4/truncating.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.28.1/truncating.sql"), &[]),
            (include_str!("../../fixtures/sql/blocks/0.31.11/truncating.sql"), &[]),
        ];
        for (block, expected) in cases {
            check_truncates(block, expected);
        }
    }

    #[test]
    fn no_expression_does_more_than_convert() {
        let n_taken = std::cell::Cell::new(0);
        let piece =
            "([;,'\"$()\\[\\]: \n]|[a-z1]|::text|--|/\\*|\\*/|\\$\\$|E'|, DROP COLUMN z| COLLATE |USING | AND )";
        // Random text is hardly ever an expression; one with something in it often is.
        let pieces = |most: u8| {
            prop::string::string_regex(&format!("{piece}{{0,{most}}}")).expect("the expression is a constant")
        };
        let expression =
            prop::sample::select(vec!["b::text", "left(\"b\", 1)", "CASE WHEN b = 'x' THEN 1 ELSE 2 END", "'a' || b"]);
        let spoiled = (expression, any::<prop::sample::Index>(), pieces(2)).prop_map(|(text, at, inserted)| {
            let (before, after) = text.split_at(at.index(text.len() + 1));
            [before, &inserted, after].concat()
        });
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let held = TestRunner::new(config).run(&prop_oneof![pieces(12), spoiled], |expression| {
            let Some(rewritten) = with_using(BLOB, &expression) else { return Ok(()) };
            n_taken.set(n_taken.get() + 1);
            prop_assert!(rewritten.ends_with(';'));
            let split = statement::split(&rewritten, Dialect::Postgres);
            prop_assert_eq!(split, Ok(vec![rewritten.clone()]));
            let effects = plan::read(&rewritten, Dialect::Postgres).effects;
            let is_change = matches!(effects.as_slice(), [Effect::ChangeType { .. }, Effect::RewriteTable { .. }]);
            prop_assert!(is_change, "{:?}", effects);
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{error}"));
        assert!(n_taken.get() >= 30, "{} expressions were taken", n_taken.get());
    }
}
