//! Tells whether a query of MySQL, SingleStore, SQLite or libSQL only reads, by sqlparser's tree.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, FunctionArguments, ObjectName, Query, Select, SelectFlavor, SetExpr, Statement, TableFactor,
    UnaryOperator, Visit, Visitor,
};

use crate::sql::dialect::Dialect;
use crate::sql::lex::{self, Sort};
use crate::sql::other;

/// The functions that drizzle-kit's queries call (0.20 to 0.31). All are built in, and none of them writes.
const FUNCTIONS: [&str; 2] = ["char", "count"];

/// The functions that it reads as tables. SQLite has such a function only for what has no side effects.
const TABLES: [&str; 5] =
    ["pragma_table_info", "pragma_table_xinfo", "pragma_foreign_key_list", "pragma_index_list", "pragma_index_info"];

/// The switches that may be asked.
const PRAGMAS: [&str; 1] = ["foreign_keys"];

/// Tells whether a query reads and does nothing else.
///
/// # Errors
/// With the reason in words, where it does more, or might.
pub(super) fn reads(query: &str, dialect: Dialect) -> Result<(), String> {
    let is_sqlite = matches!(dialect, Dialect::Sqlite | Dialect::Turso);
    let tokens = lex::tokens(query, dialect).map_err(|trouble| trouble.why.to_owned())?;
    let is_comment = |start: usize, end: usize| !query[start..end].trim().is_empty();
    if tokens.iter().any(|token| token.sort == Sort::Trivia && is_comment(token.start, token.end)) {
        return Err("it has a comment, and servers execute some comments".to_owned());
    }
    let statement =
        other::parse_one(query, dialect).ok_or("it is not one statement that can be read with certainty")?;
    match &statement {
        Statement::Query(_) => match statement.visit(&mut Harmless { is_sqlite }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(reason) => Err(reason),
        },
        Statement::Pragma { name, value: None, .. } if is_sqlite && is_one_of(name, &PRAGMAS) => Ok(()),
        Statement::ShowCreate { .. } if !is_sqlite => Ok(()),
        _ => Err("it is not a query".to_owned()),
    }
}

struct Harmless {
    is_sqlite: bool,
}

fn part(name: &str) -> ControlFlow<String> {
    ControlFlow::Break(format!("it has a part that a read-only query cannot have ({name})"))
}

fn is_one_of(name: &ObjectName, known: &[&str]) -> bool {
    let [only] = name.0.as_slice() else { return false };
    only.as_ident()
        .is_some_and(|name| name.quote_style.is_none() && known.contains(&name.value.to_lowercase().as_str()))
}

impl Visitor for Harmless {
    type Break = String;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        let Query { with, body, locks, for_clause, settings, format_clause, pipe_operators, .. } = query;
        if with.is_some() {
            return part("with");
        }
        if !locks.is_empty() || for_clause.is_some() {
            return part("a lock");
        }
        if settings.is_some() || format_clause.is_some() || !pipe_operators.is_empty() {
            return part("a setting");
        }
        match body.as_ref() {
            SetExpr::Select(select) => self.select(select),
            _ => part("another query than SELECT"),
        }
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<String> {
        match table {
            TableFactor::Table { name, args: Some(_), .. } => {
                if self.is_sqlite && is_one_of(name, &TABLES) {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(format!("it calls the function {name}"))
                }
            }
            TableFactor::Table { .. }
            | TableFactor::NestedJoin { .. }
            | TableFactor::Derived { lateral: false, .. } => ControlFlow::Continue(()),
            _ => part("what is read as a table"),
        }
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        match expr {
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::CompoundFieldAccess { .. }
            | Expr::Value(_)
            | Expr::Nested(_)
            | Expr::Like { .. }
            | Expr::InList { .. }
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::UnaryOp { op: UnaryOperator::Not | UnaryOperator::Minus, .. } => ControlFlow::Continue(()),
            Expr::BinaryOp { op, .. } => self.operator(op),
            Expr::Function(function) => {
                let has_plain_arguments =
                    matches!(&function.args, FunctionArguments::List(list) if list.clauses.is_empty());
                if is_one_of(&function.name, &FUNCTIONS) && has_plain_arguments && function.over.is_none() {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(format!("it calls the function {}", function.name))
                }
            }
            _ => part("an expression"),
        }
    }
}

impl Harmless {
    fn select(&self, select: &Select) -> ControlFlow<String> {
        if select.into.is_some() {
            return part("into");
        }
        let is_plain = select.flavor == SelectFlavor::Standard
            && select.lateral_views.is_empty()
            && select.prewhere.is_none()
            && select.qualify.is_none()
            && select.named_window.is_empty();
        if is_plain { ControlFlow::Continue(()) } else { part("a clause") }
    }

    fn operator(&self, operator: &BinaryOperator) -> ControlFlow<String> {
        match operator {
            BinaryOperator::Eq
            | BinaryOperator::NotEq
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::StringConcat => ControlFlow::Continue(()),
            BinaryOperator::Glob if self.is_sqlite => ControlFlow::Continue(()),
            other => ControlFlow::Break(format!("it has the operator {other}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drizzle_kit_asks_is_a_read() {
        let sqlite = include_str!("../../../fixtures/sql/reads/sqlite.json");
        let mysql = include_str!("../../../fixtures/sql/reads/mysql.json");
        for (queries, dialects, n_least) in
            [(sqlite, [Dialect::Sqlite, Dialect::Turso], 15), (mysql, [Dialect::MySql, Dialect::SingleStore], 10)]
        {
            let queries: Vec<String> = serde_json::from_str(queries).expect("the fixture is JSON");
            assert!(queries.len() >= n_least, "{}", queries.len());
            for query in queries {
                for dialect in dialects {
                    assert_eq!(reads(&query, dialect), Ok(()), "{query}");
                }
            }
        }
    }

    #[test]
    fn what_does_more_than_read_is_none() {
        let check = |dialect: Dialect, query: &str| {
            assert!(reads(query, dialect).is_err(), "{query}");
        };
        for query in [
            "",
            "SELECT 1; DROP TABLE t",
            "select count(*) as count from `t`; drop table `victim`; --`",
            "PRAGMA foreign_keys = OFF",
            "PRAGMA foreign_keys(OFF)",
            "PRAGMA writable_schema",
            "PRAGMA wal_checkpoint",
            "DROP TABLE t",
            "DELETE FROM t",
            "WITH d AS (SELECT 1) SELECT * FROM d",
            "SELECT load_extension('x')",
            "SELECT \"count\"(1)",
            "SELECT * FROM fts5vocab('a', 'b')",
            "SELECT * FROM pragma_wal_checkpoint('x')",
            "BEGIN",
            "ATTACH DATABASE 'x' AS y",
            "VACUUM INTO 'x'",
            "EXPLAIN DELETE FROM t",
            "SELECT 1 -- comment",
            "SHOW CREATE VIEW `v`",
            "INSERT INTO t SELECT 1",
            "SELECT (SELECT load_extension('x'))",
            "SELECT 1 FROM t WHERE a IN (SELECT load_extension('x'))",
            "SELECT 1 FROM t ORDER BY load_extension('x')",
            "SELECT 1 FROM t LIMIT (SELECT load_extension('x'))",
        ] {
            check(Dialect::Sqlite, query);
            check(Dialect::Turso, query);
        }
        for query in [
            "SELECT 1; DROP TABLE t",
            "SELECT sleep(1)",
            "SELECT get_lock('a', 1)",
            "SELECT shop.count(1)",
            "SELECT @a := 1",
            "SELECT 1 INTO OUTFILE '/tmp/x'",
            "SELECT 1 INTO @a",
            "SELECT a FROM t FOR UPDATE",
            "SELECT a FROM t LOCK IN SHARE MODE",
            "SELECT /*! sleep(1) */ 1",
            "SELECT /*+ SET_VAR(sql_mode='') */ 1",
            "SELECT 1 # comment",
            "SET @@sql_mode = ''",
            "USE other",
            "KILL 1",
            "CALL f()",
            "TRUNCATE TABLE t",
            "LOAD DATA INFILE 'x' INTO TABLE t",
            "PRAGMA foreign_keys",
            "VALUES ROW(1)",
            "TABLE t",
        ] {
            check(Dialect::MySql, query);
            check(Dialect::SingleStore, query);
        }
    }
}
