//! Tells whether a query only reads. Knows the queries by which drizzle-kit looks at a catalog, and takes nothing else for
//! a read: what a function, a CTE or a locking clause would do cannot be told by a query's first word.

mod other;

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use crate::sql::dialect::Dialect;
use crate::sql::postgres;

/// The parts that a reading query of PostgreSQL is made of (drizzle-kit 0.20 to 0.31 with `pg` and `postgres`;
/// `fixtures/sql/reads`). A part that is missing here makes a query none.
const PARTS: [K; 61] = [
    K::ANY_FN,
    K::ARG,
    K::ARG_LIST,
    K::ARRAY_BOUND,
    K::ARRAY_EXPR,
    K::ARRAY_TYPE,
    K::AS_NAME,
    K::BIN_EXPR,
    K::CASE_EXPR,
    K::CAST_EXPR,
    K::COLON_COLON,
    K::COLUMN_LIST,
    K::COLUMN_NAME,
    K::COLUMN_NAME_REF,
    K::COLUMN_REF_LIST,
    K::DISTINCT_CLAUSE,
    K::DISTINCT_ON,
    K::ELSE_CLAUSE,
    K::EXISTS_FN,
    K::FIELD_EXPR,
    K::FROM_ALIAS,
    K::FROM_CLAUSE,
    K::FUNCTION_FROM_ITEM,
    K::GROUPING_EXPR,
    K::GROUP_BY_CLAUSE,
    K::GROUP_BY_LIST,
    K::INDEX_EXPR,
    K::IS_NOT,
    K::JOIN,
    K::JOIN_CROSS,
    K::JOIN_EXPR,
    K::JOIN_INNER,
    K::JOIN_LEFT,
    K::JOIN_USING_CLAUSE,
    K::LIMIT_CLAUSE,
    K::LITERAL,
    K::NAME_REF,
    K::NOT_IN,
    K::NOT_LIKE,
    K::ON_CLAUSE,
    K::ORDER_BY_CLAUSE,
    K::PAREN_EXPR,
    K::PAREN_FROM_ITEM,
    K::PAREN_SELECT,
    K::PATH_REF,
    K::PATH_SEGMENT_REF,
    K::PREFIX_EXPR,
    K::RELATION_FROM_ITEM,
    K::RELATION_NAME_REF,
    K::SELECT,
    K::SELECT_CLAUSE,
    K::SORT_BY,
    K::SORT_BY_LIST,
    K::TABLE_ALIAS,
    K::TARGET,
    K::TARGET_LIST,
    K::TUPLE_EXPR,
    K::WHEN_CLAUSE,
    K::WHEN_CLAUSE_LIST,
    K::WHERE_CLAUSE,
    K::WITH_ORDINALITY,
];

/// The functions that its queries call. All are built in, and none of them writes.
pub const FUNCTIONS: [&str; 16] = [
    "array_agg",
    "coalesce",
    "count",
    "format_type",
    "generate_subscripts",
    "has_schema_privilege",
    "json_build_object",
    "lower",
    "pg_get_constraintdef",
    "pg_get_expr",
    "pg_get_indexdef",
    "pg_get_serial_sequence",
    "pg_get_viewdef",
    "pg_tablespace_location",
    "row_to_json",
    "unnest",
];

/// The types that its queries convert to.
const TYPES: [&str; 6] = ["int", "oid", "regclass", "regnamespace", "regtype", "text"];

/// The operators that the parser calls custom.
const OPERATORS: [&str; 2] = ["||", "&"];

/// The operators that its queries call by their schema (drizzle-kit 1.0).
const BUILT_IN: [&str; 3] = ["operator(pg_catalog.=)", "operator(pg_catalog.>)", "operator(pg_catalog.||)"];

/// Tells whether a query reads and does nothing else.
///
/// # Errors
/// With the reason in words, where it does more, or might.
pub fn reads(query: &str, dialect: Dialect) -> Result<(), String> {
    match dialect {
        Dialect::Postgres => {
            let statement =
                postgres::parse_one(query).ok_or("it is not one statement that can be read with certainty")?;
            statement.descendants().try_for_each(|part| is_harmless(&part))
        }
        Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => other::reads(query, dialect),
    }
}

/// Tells whether a text is certainly one statement of PostgreSQL that defines something, and no query.
pub fn defines(text: &str) -> bool {
    postgres::parse_one(text).is_some_and(|statement| {
        let kind = format!("{:?}", statement.kind());
        ["CREATE_", "ALTER_", "DROP_", "GRANT", "REVOKE"].iter().any(|word| kind.starts_with(word))
    })
}

fn is_harmless(part: &SyntaxNode) -> Result<(), String> {
    let words = |part: &SyntaxNode| part.text().to_string().split_whitespace().collect::<String>().to_lowercase();
    let unknown = |list: &[&str], word: &String| !list.contains(&word.strip_prefix("pg_catalog.").unwrap_or(word));
    match part.kind() {
        K::CALL_EXPR => {
            // ANY and EXISTS are calls for the parser, and have nothing that is called.
            let called = part.first_child().filter(|called| !matches!(called.kind(), K::ANY_FN | K::EXISTS_FN));
            match called.map(|called| words(&called)).filter(|name| unknown(&FUNCTIONS, name)) {
                Some(name) => Err(format!("it calls the function {name}")),
                None => Ok(()),
            }
        }
        K::PATH_TYPE => match Some(words(part)).filter(|name| unknown(&TYPES, name)) {
            Some(name) => Err(format!("it converts to the type {name}")),
            None => Ok(()),
        },
        K::CUSTOM_OP => match Some(words(part)).filter(|operator| unknown(&OPERATORS, operator)) {
            Some(operator) => Err(format!("it has the operator {operator}")),
            None => Ok(()),
        },
        // `OPERATOR(pg_catalog.=)`: where it is looked for is said.
        K::OPERATOR_CALL => match Some(words(part)).filter(|call| !BUILT_IN.contains(&call.as_str())) {
            Some(call) => Err(format!("it calls {call}")),
            None => Ok(()),
        },
        K::OP if part.parent().is_some_and(|call| call.kind() == K::OPERATOR_CALL) => Ok(()),
        kind if PARTS.contains(&kind) => Ok(()),
        kind => {
            let part = format!("{kind:?}").to_lowercase().replace('_', " ");
            Err(format!("it has a part that a read-only query cannot have ({part})"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drizzle_kit_asks_the_catalog_is_a_read() {
        for (queries, most) in [
            (include_str!("../../fixtures/sql/reads/postgres.json"), 30),
            (include_str!("../../fixtures/sql/reads/postgres-1.0.json"), 20),
        ] {
            let queries: Vec<String> = serde_json::from_str(queries).expect("the fixture is JSON");
            assert!(queries.len() > most, "{}", queries.len());
            for query in queries {
                assert_eq!(reads(&query, Dialect::Postgres), Ok(()), "{query}");
            }
        }
    }

    #[test]
    fn what_defines_something_is_told_from_a_query() {
        for text in ["CREATE TABLE a ();", "ALTER TABLE a ADD b int", "DROP TYPE \"e\"", "GRANT SELECT ON a TO b"] {
            assert!(defines(text), "{text}");
        }
        for text in
            ["SELECT setval('s', 1)", "WITH a AS (SELECT 1) SELECT 2", "SET a = b", "DROP TABLE a; DROP TABLE b", "no"]
        {
            assert!(!defines(text), "{text}");
        }
    }

    #[test]
    fn what_does_more_than_read_is_none() {
        let check = |query: &str, why: &str| {
            let found = reads(query, Dialect::Postgres).expect_err(query);
            assert!(found.contains(why), "{query}: {found}");
        };
        check(
            "WITH d AS (DELETE FROM t RETURNING 1) SELECT count(*) FROM d",
            "a part that a read-only query cannot have",
        );
        check("WITH d AS (SELECT 1) SELECT count(*) FROM d", "a part that a read-only query cannot have (with clause)");
        check("SELECT 1 INTO x", "into");
        check("SELECT a FROM t FOR UPDATE", "locking clause");
        check("SELECT setval('s', 1)", "function setval");
        check("SELECT nextval('s')", "function nextval");
        check("SELECT pg_catalog.pg_terminate_backend(1)", "function pg_catalog.pg_terminate_backend");
        check("SELECT public.count(*)", "function public.count");
        check("SELECT \"count\"(1)", "function \"count\"");
        check("SELECT * FROM f(1) AS g", "function f");
        check("SELECT * FROM pg_ls_dir('/') WITH ORDINALITY", "function pg_ls_dir");
        check("SELECT a OPERATOR(public.=) b", "operator(public.=)");
        check("SELECT ARRAY[setval('s', 1)]", "function setval");
        check("SELECT 'x'::public.mood", "type public.mood");
        check("SELECT a <-> b FROM t", "operator <->");
        check("SELECT count(*) FROM t; DROP TABLE t", "not one statement");
        check("SELECT count(*) FROM \"t\";COMMIT;DROP TABLE victim;--\"", "not one statement");
        check("SET standard_conforming_strings = off", "a part that a read-only query cannot have");
        check("BEGIN READ WRITE", "a part that a read-only query cannot have");
        check("COPY t TO PROGRAM 'id'", "a part that a read-only query cannot have");
        check("EXPLAIN ANALYZE DELETE FROM t", "a part that a read-only query cannot have");
        check("DO $$ BEGIN END $$", "a part that a read-only query cannot have");
        check("", "not one statement");
    }
}
