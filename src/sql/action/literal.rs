//! Strings of a statement of PostgreSQL, and what the server takes each for: a value of a type, or of a column.
//!
//! A name, a comment and the text of another string are none of these. What the server reads only when it is called, as the
//! body of a function in PL/pgSQL, is not read here either.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::{SourceFile, SyntaxKind as K, SyntaxNode};

use crate::sql::action::block::Block;
use crate::sql::name::ObjectName;
use crate::sql::postgres::{relation, single};
use crate::sql::types::SqlType;

/// A string that the server reads as a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    pub value: String,
    pub of: Of,
}

/// What a string is a value of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A type that was created, or an array of it.
    Type(ObjectName),
    /// A column of this name in one of these tables.
    Column { tables: Vec<ObjectName>, name: String },
    /// The column at a place of a table, from 0.
    Place { table: ObjectName, idx: usize },
}

impl Literal {
    /// Tells whether the string says a value, or holds it as an element of an array.
    pub fn says(&self, value: &str) -> bool {
        if self.value == value {
            return true;
        }
        let inner = self.value.strip_prefix('{').and_then(|inner| inner.strip_suffix('}'));
        inner.is_some_and(|inner| inner.split(',').any(|part| part.trim().trim_matches('"') == value))
    }
}

/// Returns the strings of a statement that are values of something.
pub fn literals(statement: &SyntaxNode) -> Vec<Literal> {
    let mut found = Vec::new();
    collect(statement, 0, &mut found);
    found
}

/// How deeply texts within texts are read.
const DEEPEST: usize = 4;

fn collect(root: &SyntaxNode, depth: usize, found: &mut Vec<Literal>) {
    for node in root.descendants() {
        match node.kind() {
            K::LITERAL => found.extend(value_of(&node)),
            K::DO if depth < DEEPEST => {
                if let Some(block) = Block::read(&node) {
                    collect(&block.syntax(), depth + 1, found);
                }
            }
            // The server reads the whole of a function in SQL when it is created.
            K::CREATE_FUNCTION if depth < DEEPEST => {
                if let Some(body) = ast::CreateFunction::cast(node).and_then(|function| function.sql_body()) {
                    collect(&body.syntax(), depth + 1, found);
                }
            }
            K::PLPGSQL_DYN_EXECUTE_STMT if depth < DEEPEST => {
                for text in node.descendants().filter_map(ast::Literal::cast).filter_map(|text| text.string_value()) {
                    let parse = SourceFile::parse(&text);
                    if parse.errors().is_empty() {
                        collect(&parse.syntax_node(), depth + 1, found);
                    }
                }
            }
            _ => {}
        }
    }
}

fn value_of(node: &SyntaxNode) -> Option<Literal> {
    let is_string = node.children_with_tokens().any(|token| {
        matches!(
            token.kind(),
            K::STRING | K::ESC_STRING | K::UNICODE_ESC_STRING | K::DOLLAR_QUOTED_STRING | K::NATIONAL_STRING
        )
    });
    if !is_string {
        return None;
    }
    let value = ast::Literal::cast(node.clone())?.string_value()?;
    Some(Literal { value, of: of(node)? })
}

/// Goes up from a value to what it is given to, or compared with.
fn of(node: &SyntaxNode) -> Option<Of> {
    let parent = node.parent()?;
    let place = || parent.children().position(|child| child == *node);
    match parent.kind() {
        K::PAREN_EXPR
        | K::ARRAY_EXPR
        | K::TUPLE_EXPR
        | K::ELSE_CLAUSE
        | K::WHEN_CLAUSE_LIST
        | K::SET_EXPR
        | K::ANY_FN
        | K::ALL_FN
        | K::SOME_FN => of(&parent),
        K::CALL_EXPR if matches!(node.kind(), K::ANY_FN | K::ALL_FN | K::SOME_FN) => of(&parent),
        K::CAST_EXPR => match parent.children().find_map(|part| SqlType::of_node(&part)) {
            Some(SqlType { own: Some(own), .. }) => Some(Of::Type(own)),
            // `'a'::text::mood` is one all the same.
            _ => match parent.parent()?.kind() {
                K::CAST_EXPR => of(&parent),
                _ => None,
            },
        },
        // `CASE a WHEN 'b' THEN …` compares, and what follows THEN is given on.
        K::WHEN_CLAUSE => match place()? {
            0 => {
                let case = parent.parent()?.parent()?;
                let operand = case.children().next().filter(|first| first.kind() != K::WHEN_CLAUSE_LIST)?;
                column(&operand)
            }
            _ => of(&parent),
        },
        K::CASE_EXPR => match node.kind() {
            K::WHEN_CLAUSE_LIST | K::ELSE_CLAUSE => of(&parent),
            _ => None,
        },
        // coalesce(a, 'b') is one of its arguments, and what it is compared with or given to is of their type.
        K::ARG => {
            let call = parent.parent()?.parent()?;
            let name = call.children().next()?.text().to_string().trim().to_ascii_lowercase();
            if !matches!(name.as_str(), "coalesce" | "nullif" | "greatest" | "least") {
                return None;
            }
            let siblings = parent.parent()?.children().filter(|argument| *argument != parent);
            let beside = siblings.filter_map(|argument| column(&argument.children().next()?)).next();
            beside.or_else(|| of(&call))
        }
        K::BIN_EXPR if compares(&parent) => {
            parent.children().filter(|child| child != node).find_map(|other| column(&other))
        }
        K::BETWEEN_EXPR => column(&parent.children().next()?),
        K::DEFAULT_CONSTRAINT => match parent.parent()?.children().find_map(|part| SqlType::of_node(&part))? {
            SqlType { own: Some(own), .. } => Some(Of::Type(own)),
            _ => None,
        },
        K::SET_DEFAULT => {
            let action = parent.parent().filter(|action| action.kind() == K::ALTER_COLUMN)?;
            let name = single(&action.children().find(|part| part.kind() == K::COLUMN_NAME_REF)?)?;
            Some(Of::Column { tables: tables(&action), name })
        }
        K::SET_SINGLE_COLUMN => {
            let target = parent.children().find(|part| part.kind() == K::COLUMN_TARGET)?;
            let name = single(&target.children().find(|part| part.kind() == K::COLUMN_NAME_REF)?)?;
            Some(Of::Column { tables: tables(&parent), name })
        }
        K::SET_EXPR_LIST => {
            let targets = parent.parent()?.children().find(|part| part.kind() == K::COLUMN_TARGET_LIST)?;
            given(&targets, place()?, tables(&parent))
        }
        K::ROW => inserted(&parent, place()?),
        K::TARGET => {
            let list = parent.parent()?;
            inserted(&list, list.children().position(|target| target == parent)?)
        }
        _ => None,
    }
}

/// Returns the column that an INSERT gives what stands at a place of one of its rows.
fn inserted(row: &SyntaxNode, idx: usize) -> Option<Of> {
    let insert = row.ancestors().find(|around| matches!(around.kind(), K::INSERT | K::MERGE_INSERT | K::WITH_TABLE))?;
    if insert.kind() == K::WITH_TABLE {
        return None;
    }
    let table = tables(row).into_iter().next()?;
    match insert.children().find(|part| part.kind() == K::COLUMN_TARGET_LIST) {
        Some(targets) => given(&targets, idx, vec![table]),
        None => Some(Of::Place { table, idx }),
    }
}

fn given(targets: &SyntaxNode, idx: usize, tables: Vec<ObjectName>) -> Option<Of> {
    let target = targets.children().nth(idx)?;
    let name = single(&target.children().find(|part| part.kind() == K::COLUMN_NAME_REF)?)?;
    Some(Of::Column { tables, name })
}

fn compares(expression: &SyntaxNode) -> bool {
    let is_operand = |node: &SyntaxNode| ast::Expr::can_cast(node.kind());
    let between = expression.children_with_tokens().filter(|part| !part.kind().is_trivia());
    let between = between.filter(|part| !part.as_node().is_some_and(is_operand));
    let words: Vec<String> = between
        .map(|part| match part {
            squawk_syntax::SyntaxElement::Node(node) => node.text().to_string(),
            squawk_syntax::SyntaxElement::Token(token) => token.text().to_owned(),
        })
        .collect();
    let words = words.join(" ").to_ascii_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    matches!(
        words.as_slice(),
        ["=" | "<>" | "!=" | "<" | ">" | "<=" | ">=" | "in" | "@>" | "<@" | "&&"]
            | ["not", "in"]
            | ["is", "distinct", "from"]
            | ["is", "not", "distinct", "from"]
    ) || matches!(words.concat().as_str(), "<>" | "!=" | "<=" | ">=" | "@>" | "<@" | "&&")
}

/// Returns the column that an expression is, or that gives it its type.
fn column(expression: &SyntaxNode) -> Option<Of> {
    match expression.kind() {
        K::NAME_REF => Some(Of::Column { tables: tables(expression), name: single(expression)? }),
        K::FIELD_EXPR => {
            let name = expression.children().filter(|part| part.kind() == K::NAME_REF).last()?;
            Some(Of::Column { tables: tables(expression), name: single(&name)? })
        }
        K::PAREN_EXPR | K::INDEX_EXPR => column(&expression.children().next()?),
        K::CASE_EXPR => expression
            .descendants()
            .filter(|part| part.kind() == K::ELSE_CLAUSE)
            .find_map(|part| column(&part.children().next()?)),
        K::CAST_EXPR => match expression.children().find_map(|part| SqlType::of_node(&part)) {
            Some(SqlType { own: Some(own), .. }) => Some(Of::Type(own)),
            _ => None,
        },
        K::CALL_EXPR => {
            let name = expression.children().next()?.text().to_string().trim().to_ascii_lowercase();
            if !matches!(name.as_str(), "coalesce" | "nullif" | "greatest" | "least") {
                return None;
            }
            let arguments = expression.descendants().filter(|part| part.kind() == K::ARG);
            arguments.filter_map(|argument| column(&argument.children().next()?)).next()
        }
        _ => None,
    }
}

/// Returns the tables that are named in the statement around a node.
fn tables(node: &SyntaxNode) -> Vec<ObjectName> {
    let statement = node.ancestors().find(|around| ast::Stmt::can_cast(around.kind()) && !is_query(around));
    let root = statement.or_else(|| node.ancestors().last());
    let name = |part: SyntaxNode| match part.kind() {
        K::TABLE_NAME_REF | K::RELATION_NAME_REF | K::TABLE_NAME => relation(&part),
        _ => None,
    };
    root.map(|root| root.descendants().filter_map(name).collect()).unwrap_or_default()
}

/// Tells whether a node may stand within another statement, whose tables it sees.
fn is_query(node: &SyntaxNode) -> bool {
    let within = matches!(node.kind(), K::SELECT | K::COMPOUND_SELECT | K::PAREN_SELECT | K::VALUES);
    within && node.ancestors().skip(1).any(|around| ast::Stmt::can_cast(around.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the values of a statement, as `value of table.column` or `value of type name`.
    #[track_caller]
    fn check(sql: &str, expected: &[&str]) {
        let parse = SourceFile::parse(sql);
        assert_eq!(parse.errors(), [], "{sql}");
        let show = |literal: &Literal| match &literal.of {
            Of::Type(name) => format!("{} of type {name}", literal.value),
            Of::Column { tables, name } => {
                let tables: Vec<&str> = tables.iter().map(ObjectName::last).collect();
                format!("{} of {}.{name}", literal.value, tables.join("|"))
            }
            Of::Place { table, idx } => format!("{} of {}[{idx}]", literal.value, table.last()),
        };
        let found: Vec<String> = literals(&parse.syntax_node()).iter().map(show).collect();
        assert_eq!(found, expected, "{sql}");
    }

    #[test]
    fn a_default_is_a_value_of_its_column() {
        check("ALTER TABLE t ALTER COLUMN s SET DEFAULT 'x';", &["x of t.s"]);
        check("ALTER TABLE t ADD COLUMN s mood DEFAULT 'x' NOT NULL;", &["x of type public.mood"]);
        check("CREATE TABLE t (s mood[] DEFAULT '{x}', n text DEFAULT 'y');", &["{x} of type public.mood"]);
        check(
            "ALTER TABLE t ALTER s SET DEFAULT 'x'::mood, ALTER n SET DEFAULT 'y'::text;",
            &["x of type public.mood"],
        );
    }

    #[test]
    fn a_comparison_is_with_its_column() {
        check("CREATE INDEX i ON t (a) WHERE s = 'x';", &["x of t.s"]);
        check("CREATE POLICY p ON t USING (t.s <> 'x' AND lower(n) = 'y');", &["x of t.s"]);
        check("ALTER TABLE t ADD CONSTRAINT c CHECK (s IN ('x', 'y'));", &["x of t.s", "y of t.s"]);
        check("CREATE VIEW v AS SELECT 'z' AS k FROM t WHERE (s) = ANY (ARRAY['x']);", &["x of t.s"]);
        check(
            "SELECT 1 FROM t a JOIN u ON a.s IS DISTINCT FROM 'x' WHERE coalesce(b, 'y') = 'z';",
            &["x of t|u.s", "y of t|u.b", "z of t|u.b"],
        );
        check(
            "CREATE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW WHEN (NEW.s = 'x') EXECUTE FUNCTION f('y');",
            &["x of t.s"],
        );
        check("SELECT 1 FROM t WHERE s::text = 'x' OR s = 'y'::text OR s || 'z' = n;", &[]);
        check(
            "SELECT CASE s WHEN 'x' THEN 'y' END FROM t WHERE s BETWEEN 'a' AND 'b';",
            &["x of t.s", "a of t.s", "b of t.s"],
        );
    }

    #[test]
    fn what_is_written_is_a_value_of_its_column() {
        check("UPDATE t SET s = 'x', n = NULL WHERE k = 1;", &["x of t.s"]);
        check("UPDATE t SET s = CASE WHEN k = 1 THEN 'x' ELSE 'y' END;", &["x of t.s", "y of t.s"]);
        check("UPDATE t SET (s, n) = ('x', 'y');", &["x of t.s", "y of t.n"]);
        check("INSERT INTO t (k, s) VALUES (1, 'x'), (2, 'y'::mood);", &["x of t.s", "y of type public.mood"]);
        check("INSERT INTO t VALUES (1, 'x');", &["x of t[1]"]);
        check("INSERT INTO t (k, s) SELECT id, 'x' FROM u WHERE u.n = 'y';", &["x of t.s", "y of t|u.n"]);
    }

    #[test]
    fn texts_that_the_server_reads_are_read() {
        check(
            "DO $$ BEGIN IF n = 1 THEN UPDATE t SET s = 'x'; END IF; EXECUTE 'UPDATE u SET s = ''y'''; END $$;",
            &["x of t.s", "y of u.s"],
        );
        check("CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 FROM t WHERE s = 'x' $$;", &["x of t.s"]);
        check(
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1 FROM t WHERE s = 'x'; END;",
            &["x of t.s"],
        );
        // Not before they are called, and nobody knows by whom.
        check("CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE t SET s = 'x'; END $$;", &[]);
        check("COMMENT ON TABLE t IS 'x';", &[]);
        check("ALTER TYPE mood ADD VALUE 'x';", &[]);
        check("CREATE TYPE mood AS ENUM ('x');", &[]);
        check(
            "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM pg_enum WHERE enumlabel = 'x') THEN NULL; END IF; END $$;",
            &["x of pg_enum.enumlabel"],
        );
    }

    #[test]
    fn an_element_of_an_array_is_said() {
        let literal = |value: &str| Literal { value: value.to_owned(), of: Of::Type(ObjectName::new(["public", "m"])) };
        assert!(literal("x").says("x") && literal("{a,x}").says("x") && literal("{\"x y\"}").says("x y"));
        assert!(!literal("xy").says("x") && !literal("{xy}").says("x") && !literal("a,x").says("x"));
    }
}
