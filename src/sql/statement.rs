//! Splits what drizzle-kit prints into statements.
//!
//! drizzle-kit joins its statements with line breaks, and some of them end without `;`. So two things end a statement: a
//! `;` outside of strings, names, comments and parentheses, and, where a piece is not one statement, the beginning of a
//! line at which one statement ends and another begins. What can be cut in two ways is not cut.

use std::ops::Range;

use crate::sql::dialect::Dialect;
use crate::sql::lex::{self, Sort, Token};
use crate::sql::{other, postgres};

/// Why a text is not split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct SplitError {
    /// The line in the text, counted from 1.
    pub line: usize,
    pub why: String,
}

/// The words that begin a statement of drizzle-kit. A statement that begins otherwise and follows one without `;` stays
/// glued to it, and is refused with it as not understood.
const BEGINNINGS: [&str; 13] = [
    "alter", "comment", "create", "delete", "do", "drop", "grant", "insert", "pragma", "rename", "revoke", "truncate",
    "update",
];

/// How many lines of a piece may begin a statement before cutting it is given up.
const MOST_CUTS: usize = 24;

/// Splits a text into statements, each as it was written, without what stands around it.
pub fn split(text: &str, dialect: Dialect) -> Result<Vec<String>, SplitError> {
    Ok(places(text, dialect)?.into_iter().map(|place| text[place].to_owned()).collect())
}

/// Returns where the statements of a text stand in it, in bytes.
pub fn places(text: &str, dialect: Dialect) -> Result<Vec<Range<usize>>, SplitError> {
    let error = |at: usize, why: &str| SplitError { line: line(text, at), why: why.to_owned() };
    let tokens = lex::tokens(text, dialect).map_err(|trouble| error(trouble.at, trouble.why))?;
    let mut statements = Vec::new();
    let mut piece = Piece::default();
    for (token_idx, token) in tokens.iter().enumerate() {
        match token.sort {
            Sort::Trivia => {
                piece.at_line_start |= text[token.start..token.end].contains('\n');
                continue;
            }
            Sort::Open => piece.n_open += 1,
            Sort::Close if piece.n_open == 0 => {
                return Err(error(token.start, "a closing parenthesis has no opening one"));
            }
            Sort::Close => piece.n_open -= 1,
            Sort::Semicolon if piece.n_open > 0 => {
                return Err(error(token.start, "a statement ends within a parenthesis"));
            }
            Sort::Semicolon => {
                piece.end = token.end;
                piece.take(text, dialect, &mut statements)?;
                continue;
            }
            Sort::Word | Sort::Literal | Sort::Comma | Sort::Sign => {}
        }
        if piece.tokens.is_none() {
            piece.tokens = Some(token_idx);
            piece.start = token.start;
        } else if piece.at_line_start && piece.n_open == 0 && begins(text, token) {
            piece.cuts.push(token.start);
        }
        piece.at_line_start = false;
        piece.end = token.end;
    }
    if piece.n_open > 0 {
        return Err(error(text.len(), "a parenthesis is not closed"));
    }
    piece.take(text, dialect, &mut statements)?;
    Ok(statements)
}

fn begins(text: &str, token: &Token) -> bool {
    token.sort == Sort::Word && BEGINNINGS.contains(&text[token.start..token.end].to_ascii_lowercase().as_str())
}

fn line(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
}

/// What stands between two `;`.
#[derive(Default)]
struct Piece {
    /// The first token that is not white space or a comment.
    tokens: Option<usize>,
    start: usize,
    end: usize,
    n_open: usize,
    at_line_start: bool,
    /// Where another statement may begin.
    cuts: Vec<usize>,
}

impl Piece {
    /// Adds the statements of the piece to the others, and begins a new one.
    fn take(&mut self, text: &str, dialect: Dialect, statements: &mut Vec<Range<usize>>) -> Result<(), SplitError> {
        let piece = std::mem::take(self);
        if piece.tokens.is_none() {
            // Nothing, or comments: drizzle-kit prints some that the server takes for an empty query.
            return Ok(());
        }
        let whole = &text[piece.start..piece.end];
        // Without a place to cut there is nothing to decide, and what reads the statement parses it anyway.
        if piece.cuts.is_empty() || is_one(whole, dialect) {
            statements.push(piece.start..piece.end);
            return Ok(());
        }
        let error = |why: &str| Err(SplitError { line: line(text, piece.start), why: why.to_owned() });
        if piece.cuts.len() > MOST_CUTS {
            return error("too many consecutive lines may begin a statement, with no `;` between them");
        }
        let bounds: Vec<usize> =
            std::iter::once(piece.start).chain(piece.cuts.iter().copied()).chain([piece.end]).collect();
        match cut(text, &bounds, dialect) {
            Cut::None => error("this is neither one statement nor several on separate lines"),
            Cut::Ambiguous => error("this can be read as several statements in more than one way"),
            Cut::At(parts) => {
                statements.extend(parts.iter().map(|&(start, end)| start..start + text[start..end].trim_end().len()));
                Ok(())
            }
        }
    }
}

/// How a piece is made of whole statements.
enum Cut {
    None,
    At(Vec<(usize, usize)>),
    Ambiguous,
}

/// Looks for the one way to cut a text into statements at some of these places.
fn cut(text: &str, bounds: &[usize], dialect: Dialect) -> Cut {
    // The ways to cut what begins at each bound, from the last to the first.
    let n_bounds = bounds.len();
    let mut ways: Vec<(u8, usize)> = vec![(0, 0); n_bounds];
    ways[n_bounds - 1].0 = 1;
    for from in (0..n_bounds - 1).rev() {
        for to in from + 1..n_bounds {
            // A later bound that leads nowhere needs no parser.
            if ways[to].0 > 0 && is_one(&text[bounds[from]..bounds[to]], dialect) {
                ways[from] = (ways[from].0.saturating_add(ways[to].0), to);
            }
        }
    }
    match ways[0].0 {
        0 => Cut::None,
        1 => {
            let mut parts = Vec::new();
            let mut from = 0;
            while from + 1 < n_bounds {
                let to = ways[from].1;
                parts.push((bounds[from], bounds[to]));
                from = to;
            }
            Cut::At(parts)
        }
        _ => Cut::Ambiguous,
    }
}

fn is_one(sql: &str, dialect: Dialect) -> bool {
    match dialect {
        Dialect::Postgres => postgres::is_one(sql),
        Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => other::is_one(sql, dialect),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(dialect: Dialect, text: &str, statements: &[&str]) {
        let statements = statements.iter().map(|&statement| statement.to_owned()).collect();
        assert_eq!(split(text, dialect), Ok(statements), "{text}");
    }

    #[track_caller]
    fn check_error(dialect: Dialect, text: &str, error: &str) {
        assert_eq!(split(text, dialect).map_err(|error| error.to_string()), Err(error.to_owned()), "{text}");
    }

    #[test]
    fn a_deletion_without_a_semicolon_ends_with_its_line() {
        for next in [
            "ALTER TABLE `t` ADD `a` text NOT NULL;",
            "ALTER TABLE `t` ALTER COLUMN \"a\" TO \"a\" text NOT NULL;",
            "delete from `u`",
            "CREATE TABLE `__new_t` (\n\t`a` text\n);",
        ] {
            check(Dialect::Turso, &format!("delete from `t`\n{next}"), &["delete from `t`", next]);
        }
    }

    #[test]
    fn a_statement_ends_with_a_semicolon_that_ends_it() {
        let cases: [(&str, &[&str]); 13] = [
            ("", &[]),
            ("\n ; ;\n-- nothing\n/* here; */", &[]),
            ("DROP TABLE a;\nDROP TABLE b;\n", &["DROP TABLE a;", "DROP TABLE b;"]),
            ("DROP TABLE a; DROP TABLE b", &["DROP TABLE a;", "DROP TABLE b"]),
            (
                "CREATE TABLE \"a\" (\n\t\"b\" text\n);\n\nDROP TABLE b;",
                &["CREATE TABLE \"a\" (\n\t\"b\" text\n);", "DROP TABLE b;"],
            ),
            (
                "ALTER TABLE a ALTER b SET DEFAULT 'it''s\nDROP TABLE c;\n';\nDROP TABLE d;",
                &["ALTER TABLE a ALTER b SET DEFAULT 'it''s\nDROP TABLE c;\n';", "DROP TABLE d;"],
            ),
            (
                "ALTER TABLE a ALTER b SET DEFAULT $x$;$$\nDROP TABLE c;$x$;DROP TABLE d",
                &["ALTER TABLE a ALTER b SET DEFAULT $x$;$$\nDROP TABLE c;$x$;", "DROP TABLE d"],
            ),
            (
                "DROP TABLE \"a;\nDROP TABLE b\"; DROP TABLE \"c\"\"; --\"",
                &["DROP TABLE \"a;\nDROP TABLE b\";", "DROP TABLE \"c\"\"; --\""],
            ),
            (
                "DROP TABLE a -- ; b\n;DROP /* ; /* ; */ ; */ TABLE c;",
                &["DROP TABLE a -- ; b\n;", "DROP /* ; /* ; */ ; */ TABLE c;"],
            ),
            ("SELECT E'\\'; DROP TABLE a; --';", &["SELECT E'\\'; DROP TABLE a; --';"]),
            ("SELECT '\\'; DROP TABLE a; --'", &["SELECT '\\';", "DROP TABLE a;"]),
            ("SELECT a$$; DROP TABLE b; SELECT c$$", &["SELECT a$$;", "DROP TABLE b;", "SELECT c$$"]),
            (
                "DO $$ BEGIN\n CREATE TYPE a AS ENUM('b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;\n\n--> statement-breakpoint\nDROP TABLE a;",
                &[
                    "DO $$ BEGIN\n CREATE TYPE a AS ENUM('b');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
                    "DROP TABLE a;",
                ],
            ),
        ];
        for (text, statements) in cases {
            check(Dialect::Postgres, text, statements);
        }
    }

    #[test]
    fn a_statement_without_a_semicolon_ends_where_the_next_line_begins_another() {
        let key = "ALTER TABLE \"a\" DROP CONSTRAINT \"a_pkey\"";
        let next = "ALTER TABLE \"a\" ADD PRIMARY KEY (\"b\");";
        check(Dialect::Postgres, &format!("{key}\n{next}"), &[key, next]);
        check(
            Dialect::Postgres,
            &format!("DROP TABLE x;\n{key}\n{key}\n{next}\n{key}"),
            &["DROP TABLE x;", key, key, next, key],
        );
        check(Dialect::Postgres, &format!("{key}\nDROP\nTABLE x;"), &[key, "DROP\nTABLE x;"]);
        check(
            Dialect::MySql,
            "ALTER TABLE `a` DROP PRIMARY KEY\nDROP TABLE `b`;",
            &["ALTER TABLE `a` DROP PRIMARY KEY", "DROP TABLE `b`;"],
        );
        // A line may begin with such a word and go on with the statement.
        let view = "CREATE VIEW v AS SELECT 1 AS\ncomment FROM a;";
        check(Dialect::Postgres, view, &[view]);
    }

    #[test]
    fn what_cannot_be_cut_with_certainty_is_not_cut() {
        let cases = [
            ("DROP TABLE a;\nDROP TABLE 'b", "line 2: a string is not closed"),
            ("DROP TABLE a;\n\nDROP TABLE \"b", "line 3: a quoted name is not closed"),
            ("DO $$ BEGIN", "line 1: a string is not closed"),
            ("/* /* */", "line 1: a comment is not closed"),
            ("CREATE TABLE a (b int;\nDROP TABLE c;", "line 1: a statement ends within a parenthesis"),
            ("CREATE TABLE a (b int", "line 1: a parenthesis is not closed"),
            ("DROP TABLE a);", "line 1: a closing parenthesis has no opening one"),
            ("SELECT E'a'\n'b\\'; DROP TABLE c; --'", "line 2: two adjacent strings may be one"),
            (
                "DROP TABLE a;\nALTER TABLE b NONSENSE\nDROP TABLE c;",
                "line 2: this is neither one statement nor several on separate lines",
            ),
        ];
        for (text, error) in cases {
            check_error(Dialect::Postgres, text, error);
        }
        check_error(
            Dialect::MySql,
            "DROP TABLE a;\n/*! DROP TABLE b */",
            "line 2: a comment may be a command to the server",
        );
        check_error(Dialect::Sqlite, "DROP TABLE `a", "line 1: a string, a quoted name or a comment is not closed");
        let many = "DROP TABLE a\n".repeat(40);
        check_error(
            Dialect::Postgres,
            &many,
            "line 1: too many consecutive lines may begin a statement, with no `;` between them",
        );
    }

    #[test]
    fn the_body_of_a_function_is_a_part_of_its_statement() {
        let body = "CREATE OR REPLACE FUNCTION f(n int DEFAULT 1) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n  DELETE FROM a;\n  SELECT CASE WHEN n > 1 THEN 2 END;\nEND;";
        check(Dialect::Postgres, &format!("{body} DROP TABLE b;"), &[body, "DROP TABLE b;"]);
        let procedure = "create procedure p() begin atomic insert into a values (1); end";
        check(
            Dialect::Postgres,
            &format!("DROP TABLE a;{procedure};\nCOMMIT;"),
            &["DROP TABLE a;", &format!("{procedure};"), "COMMIT;"],
        );
        // Words that only look like it.
        check(Dialect::Postgres, "BEGIN; DROP TABLE atomic; END;", &["BEGIN;", "DROP TABLE atomic;", "END;"]);
        check(
            Dialect::Postgres,
            "CREATE TABLE \"begin\" (atomic int); DROP TABLE a;",
            &["CREATE TABLE \"begin\" (atomic int);", "DROP TABLE a;"],
        );
    }

    #[test]
    fn the_body_of_a_trigger_is_a_part_of_its_statement() {
        let trigger = "CREATE TRIGGER IF NOT EXISTS `t_ai` AFTER INSERT ON `t` BEGIN\n  INSERT INTO `f` (`a`)\n  VALUES (json_extract(new.`a`, '$'));\n  UPDATE `g` SET `n` = CASE WHEN 1 THEN 2 END;\nEND;";
        for dialect in [Dialect::Sqlite, Dialect::Turso, Dialect::MySql] {
            check(dialect, &format!("{trigger}\nDROP TABLE `t`;\n{trigger}"), &[trigger, "DROP TABLE `t`;", trigger]);
        }
        let routine = "create definer = root@localhost procedure p()\nbegin\n  if a then\n    delete from b;\n  end if;\n  begin select 1; end;\n  case a when 1 then select 2; end case;\nend";
        check(Dialect::MySql, &format!("{routine};\nDROP TABLE a;"), &[&format!("{routine};"), "DROP TABLE a;"]);
        // Words that only look like it, and a body that nothing ends.
        check(Dialect::Sqlite, "BEGIN; DROP TABLE a; END;", &["BEGIN;", "DROP TABLE a;", "END;"]);
        check(
            Dialect::MySql,
            "CREATE TABLE `trigger` (`begin` int); DROP TABLE a; SELECT 'end';",
            &["CREATE TABLE `trigger` (`begin` int);", "DROP TABLE a;", "SELECT 'end';"],
        );
        check(
            Dialect::Sqlite,
            "CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b; DROP TABLE a;",
            &["CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM b;", "DROP TABLE a;"],
        );
    }

    #[test]
    fn each_dialect_quotes_in_its_own_way() {
        let text = "SELECT 'a\\'; DROP TABLE b; -- ';";
        check(Dialect::MySql, text, &[text]);
        check(Dialect::MySql, "SELECT $$; DROP TABLE b", &["SELECT $$;", "DROP TABLE b"]);
        check(Dialect::Sqlite, text, &["SELECT 'a\\';", "DROP TABLE b;"]);
        check(
            Dialect::MySql,
            "DROP TABLE `a;``b`; DROP TABLE c # ;\n;",
            &["DROP TABLE `a;``b`;", "DROP TABLE c # ;\n;"],
        );
        check(
            Dialect::Sqlite,
            "DROP TABLE [a;b]; DROP TABLE \"é;\"; DROP TABLE c",
            &["DROP TABLE [a;b];", "DROP TABLE \"é;\";", "DROP TABLE c"],
        );
        check(
            Dialect::Sqlite,
            "PRAGMA foreign_keys=OFF;\n--> statement-breakpoint\nINSERT INTO `__new_a`(\"b\") SELECT \"b\" FROM `a`;",
            &["PRAGMA foreign_keys=OFF;", "INSERT INTO `__new_a`(\"b\") SELECT \"b\" FROM `a`;"],
        );
    }

    /// Returns a literal of PostgreSQL for a value, written in one of its ways.
    fn literal(value: &str, way: u8) -> String {
        match way % 4 {
            0 => format!("'{}'", value.replace('\'', "''")),
            1 => format!("E'{}'", value.replace('\\', "\\\\").replace('\'', "\\'")),
            2 if !value.contains('$') => format!("$${value}$$"),
            _ if !value.contains("$tag") => format!("$tag${value}$tag$"),
            _ => "NULL".to_owned(),
        }
    }

    /// Makes a statement that drizzle-kit could write around a value.
    fn statement(value: &str, way: u8, form: u8) -> String {
        let name = value.replace('"', "\"\"");
        let literal = literal(value, way);
        match form % 6 {
            0 => format!("ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT {literal};"),
            1 => format!("CREATE TABLE \"x{name}\" (\n\t\"b\" text DEFAULT {literal}\n);\n"),
            2 => format!("ALTER TABLE \"a\" DROP CONSTRAINT \"x{name}\""),
            3 => format!("CREATE TYPE \"e\" AS ENUM({literal}, 'a');"),
            4 => "DO $$ BEGIN\n ALTER TABLE \"a\" ADD CHECK (\"b\" > ';');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;\n".to_owned(),
            _ => format!("COMMENT ON TABLE \"a\" IS {literal};"),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_joined_is_split_or_refused(
            made in prop::collection::vec(("([;'\"$\n(),\\\\]|--|/\\*|\\*/|DROP TABLE z;|[a-zé ]){0,8}", any::<u8>(), any::<u8>()), 1..12)
        ) {
            let statements: Vec<String> =
                made.iter().map(|(value, way, form)| statement(value, *way, *form)).collect();
            let expected: Vec<String> = statements.iter().map(|statement| statement.trim().to_owned()).collect();
            if let Ok(found) = split(&statements.join("\n"), Dialect::Postgres) {
                prop_assert_eq!(found, expected);
            } else {
                // All of these are lexed and parsed; nothing but a string beside a string could be refused.
                prop_assert!(false, "refused: {:?}", split(&statements.join("\n"), Dialect::Postgres));
            }
        }

        #[test]
        fn no_text_stops_it(text in "([;'\"$`()\\\\/*\n-]|[a-zé]|\\PC|ALTER |DROP |TABLE |\\$\\$|E'|U&\"|--|/\\*|\\*/){0,40}") {
            for dialect in [Dialect::Postgres, Dialect::MySql, Dialect::Sqlite] {
                if let Ok(statements) = split(&text, dialect) {
                    prop_assert!(statements.iter().all(|statement| text.contains(statement.as_str())));
                }
            }
        }
    }

    #[test]
    fn a_comment_ends_where_every_server_ends_it() {
        for dialect in [Dialect::Sqlite, Dialect::MySql] {
            check(dialect, "-- a\r\nDROP TABLE b;\r\n", &["DROP TABLE b;"]);
            check_error(dialect, "-- a\rDROP TABLE b;\n", "line 1: a comment contains a carriage return");
        }
    }

    #[test]
    fn a_statement_of_sqlite_without_a_semicolon_is_split_from_the_next() {
        let create = "CREATE TABLE `__new_t` (`id` integer);";
        for (first, second) in [
            ("delete from `t`", create),
            ("delete from `t`", "ALTER TABLE `t` ADD `a` text;"),
            ("DELETE FROM `t`", "DROP TABLE `u`"),
            ("DROP TABLE `t`", "delete from `u`"),
            ("PRAGMA foreign_keys=OFF", "DROP TABLE `t`;"),
            ("ALTER TABLE `t` ALTER COLUMN \"a\" TO \"a\" text", "DROP TABLE `t`;"),
        ] {
            for dialect in [Dialect::Sqlite, Dialect::Turso] {
                check(dialect, &format!("{first}\n{second}"), &[first, second]);
            }
        }
    }

    #[test]
    fn three_hundred_statements_and_many_kilobytes_are_split() {
        let statement = format!("ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT '{}';", ";'' --\n".repeat(60));
        let key = "ALTER TABLE \"a\" DROP CONSTRAINT \"a_pkey\"";
        let statements: Vec<&str> =
            (0..300).flat_map(|idx| [Some(statement.as_str()), (idx % 3 == 0).then_some(key)]).flatten().collect();
        let text = statements.join("\n");
        assert!(text.len() > 100_000);
        check(Dialect::Postgres, &text, &statements);
    }
}
