//! Says which statements of a plan cannot run inside one transaction of PostgreSQL.
//!
//! Words are read here, and no trees: what the parser does not know must not hide a COMMIT. A statement that is not
//! understood is no obstacle for that alone; whether it may run at all is judged elsewhere.

use std::fmt;

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Effect, Kind, Reading};
use crate::sql::lex::{self, Sort, Token};
use crate::sql::plan;

/// The first statement of a plan that stands in the way of running it in one transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    pub statement_idx: usize,
    pub why: Why,
}

/// Why a statement cannot run inside a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// PostgreSQL runs it outside of transaction blocks only (SQLSTATE 25001).
    Alone { what: &'static str },
    /// It begins, ends or divides a transaction itself.
    Control { what: &'static str },
    /// It uses a value that an earlier statement adds to an enum, or may do so (SQLSTATE 55P04).
    NewValue {
        /// None where its spelling hides what it says.
        value: Option<String>,
        /// The statement that adds it.
        added_idx: usize,
    },
    /// Where its words begin and end cannot be told.
    Unreadable,
}

/// Returns the first statement that cannot run in one transaction with the others.
///
/// For PostgreSQL from 12 on: before, no value can be added to an enum inside a transaction.
pub fn obstacle(statements: &[String]) -> Option<Obstacle> {
    obstacles(statements).next()
}

/// Returns every statement that cannot run in one transaction with those before it, with its first reason.
///
/// For PostgreSQL from 12 on: before, no value can be added to an enum inside a transaction.
pub fn obstacles<S: AsRef<str>>(statements: &[S]) -> impl Iterator<Item = Obstacle> {
    let mut added: Vec<Added> = Vec::new();
    statements.iter().map(AsRef::as_ref).enumerate().filter_map(move |(statement_idx, sql)| {
        let Some(pieces) = pieces(sql) else { return Some(Obstacle { statement_idx, why: Why::Unreadable }) };
        let alone = pieces.iter().find_map(|piece| piece.control().or_else(|| piece.alone()));
        let why = alone.or_else(|| new_value(sql, &pieces, &mut added));
        for piece in &pieces {
            added.extend(piece.added(statement_idx));
        }
        why.map(|why| Obstacle { statement_idx, why })
    })
}

/// What a statement does to the transaction around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary {
    /// One begins, unless there is one.
    Begins,
    /// It ends, and what follows runs in a transaction of its own each.
    Ends,
    /// It ends, and another begins.
    Chains,
    /// It goes on: a part of it is marked or undone.
    Stays,
}

/// What a text has to do with the transaction that it runs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// What it begins, ends or divides, statement by statement.
    pub boundaries: Vec<(&'static str, Boundary)>,
    /// What in it PostgreSQL runs outside of transaction blocks only (SQLSTATE 25001).
    pub alone: Option<&'static str>,
}

impl Bounds {
    /// Reads a text.
    pub fn of(sql: &str) -> Bounds {
        Bounds::of_pieces(&pieces(sql).unwrap_or_default())
    }

    /// Reads a part of a text of which the tokens are known.
    pub(in crate::sql) fn of_tokens(text: &str, tokens: &[Token]) -> Bounds {
        Bounds::of_pieces(&cut(text, tokens))
    }

    fn of_pieces(pieces: &[Piece<'_>]) -> Bounds {
        let controls = pieces.iter().filter_map(|piece| match piece.control()? {
            Why::Control { what } => Some((what, piece.boundary(what))),
            Why::Alone { .. } | Why::NewValue { .. } | Why::Unreadable => None,
        });
        let alone = pieces.iter().find_map(|piece| match piece.alone()? {
            Why::Alone { what } => Some(what),
            Why::Control { .. } | Why::NewValue { .. } | Why::Unreadable => None,
        });
        Bounds { boundaries: controls.collect(), alone }
    }
}

/// Returns what in a text undoes what ran before it, or leaves that to a later COMMIT PREPARED.
pub fn undoes(sql: &str) -> Option<&'static str> {
    pieces(sql)?.iter().find_map(|piece| match piece.control()? {
        Why::Control { what: "ROLLBACK" } if piece.boundary("ROLLBACK") == Boundary::Stays => {
            Some("ROLLBACK TO SAVEPOINT")
        }
        Why::Control { what: what @ ("ROLLBACK" | "ABORT" | "PREPARE TRANSACTION") } => Some(what),
        Why::Control { .. } | Why::Alone { .. } | Why::NewValue { .. } | Why::Unreadable => None,
    })
}

/// Tells whether a text adds a value to an enum.
pub fn adds_value(sql: &str) -> bool {
    pieces(sql).is_some_and(|pieces| pieces.iter().any(Piece::adds_value))
}

/// A value that a statement adds to an enum.
struct Added {
    added_idx: usize,
    value: Option<String>,
    /// The names of the enum, without their schemas, from then on.
    names: Vec<String>,
}

/// Returns the first of the new values that a statement uses, or may use.
fn new_value(sql: &str, pieces: &[Piece<'_>], added: &mut [Added]) -> Option<Why> {
    if added.is_empty() {
        return None;
    }
    let Reading { effects, .. } = plan::read(sql, Dialect::Postgres);
    for effect in &effects {
        let Effect::Rename { kind: Kind::Type, from, to } = effect else { continue };
        for added in added.iter_mut().filter(|added| added.names.iter().any(|name| name == from.last())) {
            added.names.push(to.last().to_owned());
        }
    }
    // What is written there are the values of another enum.
    let creates_enum = matches!(effects.as_slice(), [Effect::CreateEnum { .. }]);
    let used = |added: &&Added| {
        // Rows may hold the value as text.
        let converts = effects.iter().any(|effect| match effect {
            Effect::ChangeType { to, .. } => to
                .name
                .as_ref()
                .is_some_and(|to| added.names.is_empty() || added.names.iter().any(|name| name == to.last())),
            _ => false,
        });
        // No value is used where another is put beside it.
        let pieces = || pieces.iter().filter(|piece| !creates_enum && !piece.adds_value());
        converts || pieces().any(|piece| piece.may_say(added.value.as_deref()))
    };
    let added = added.iter().find(used)?;
    Some(Why::NewValue { value: added.value.clone(), added_idx: added.added_idx })
}

/// What stands between two `;`.
struct Piece<'a>(Vec<Part<'a>>);

/// A token that is not white space or a comment.
enum Part<'a> {
    /// As it is written: the server reads it in lower case.
    Word(&'a str),
    /// A name between quotes.
    Name(&'a str),
    /// A string with its quotes.
    Text(&'a str),
    Sign,
}

/// A string.
struct Text {
    content: String,
    /// Whether the content is certainly what the string says.
    is_plain: bool,
}

/// Cuts a text at each `;`; nothing where it has no tokens.
fn pieces(sql: &str) -> Option<Vec<Piece<'_>>> {
    Some(cut(sql, &lex::tokens(sql, Dialect::Postgres).ok()?))
}

fn cut<'a>(text: &'a str, tokens: &[Token]) -> Vec<Piece<'a>> {
    let read = |token: &Token| {
        let text = &text[token.start..token.end];
        match token.sort {
            Sort::Trivia => None,
            Sort::Word => Some(Part::Word(text)),
            Sort::Literal if text.starts_with('"') => Some(Part::Name(text)),
            Sort::Literal if text.contains(['\'', '$']) => Some(Part::Text(text)),
            Sort::Literal | Sort::Open | Sort::Close | Sort::Comma | Sort::Sign | Sort::Semicolon => Some(Part::Sign),
        }
    };
    let between = tokens.split(|token| token.sort == Sort::Semicolon);
    between.map(|tokens| Piece(tokens.iter().filter_map(read).collect())).collect()
}

impl Text {
    fn read(text: &str) -> Text {
        if let Some(rest) = text.strip_prefix('$') {
            // `$tag$content$tag$`
            let n_tag = rest.find('$').map_or(0, |end| end + 2);
            let content = text.get(n_tag..text.len().saturating_sub(n_tag)).unwrap_or(text).to_owned();
            return Text { is_plain: !content.contains('\\'), content };
        }
        let (prefix, quoted) = text.split_at(text.find('\'').unwrap_or(0));
        let content = quoted.get(1..quoted.len() - 1).unwrap_or(quoted).replace("''", "'");
        // A backslash escapes something in `E'…'` and in the text of an array, and `U&'…'` names its own sign for that.
        let is_plain = !content.contains('\\') && !prefix.contains('&');
        Text { content, is_plain }
    }

    /// Tells whether the string may say a value, or hold it as an element of an array or within code.
    fn may_say(&self, value: &str) -> bool {
        if !self.is_plain {
            return true;
        }
        if value.is_empty() {
            return self.content.is_empty() || self.content.contains("\"\"") || self.content.contains("''");
        }
        [value.to_owned(), value.replace('\'', "''")].iter().any(|value| stands_in(&self.content, value))
    }
}

/// Tells whether a text holds another that is not merely a part of a longer word.
fn stands_in(text: &str, value: &str) -> bool {
    let is_inside = |edge: Option<char>, beside: Option<char>| {
        let in_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
        in_word(edge) && in_word(beside)
    };
    text.char_indices().any(|(at, _)| {
        text[at..].strip_prefix(value).is_some_and(|after| {
            !is_inside(value.chars().next(), text[..at].chars().next_back())
                && !is_inside(value.chars().next_back(), after.chars().next())
        })
    })
}

impl Piece<'_> {
    /// Tells whether the piece begins with these words.
    fn begins(&self, words: &[&str]) -> bool {
        self.0.len() >= words.len() && words.iter().zip(&self.0).all(|(word, part)| part.is(word))
    }

    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|part| part.is(word))
    }

    fn control(&self) -> Option<Why> {
        let controls: [(&[&str], &'static str); 11] = [
            (&["begin"], "BEGIN"),
            (&["start", "transaction"], "START TRANSACTION"),
            (&["commit"], "COMMIT"),
            (&["end"], "END"),
            (&["rollback"], "ROLLBACK"),
            (&["abort"], "ABORT"),
            (&["savepoint"], "SAVEPOINT"),
            (&["release"], "RELEASE SAVEPOINT"),
            (&["prepare", "transaction"], "PREPARE TRANSACTION"),
            (&["set", "transaction"], "SET TRANSACTION"),
            (&["set", "local", "transaction"], "SET TRANSACTION"),
        ];
        let (_, what) = controls.into_iter().find(|(words, _)| self.begins(words))?;
        Some(Why::Control { what })
    }

    fn boundary(&self, what: &str) -> Boundary {
        match what {
            "BEGIN" | "START TRANSACTION" => Boundary::Begins,
            _ if self.begins(&["rollback", "to"])
                || self.begins(&["rollback", "work", "to"])
                || self.begins(&["rollback", "transaction", "to"]) =>
            {
                Boundary::Stays
            }
            "SAVEPOINT" | "RELEASE SAVEPOINT" | "SET TRANSACTION" => Boundary::Stays,
            _ if self.has("chain") && !self.has("no") => Boundary::Chains,
            _ => Boundary::Ends,
        }
    }

    /// The statements in which PostgreSQL calls `PreventInTransactionBlock`.
    fn alone(&self) -> Option<Why> {
        let always: [(&[&str], &'static str); 13] = [
            (&["create", "index", "concurrently"], "CREATE INDEX CONCURRENTLY"),
            (&["create", "unique", "index", "concurrently"], "CREATE UNIQUE INDEX CONCURRENTLY"),
            (&["drop", "index", "concurrently"], "DROP INDEX CONCURRENTLY"),
            (&["vacuum"], "VACUUM"),
            (&["create", "database"], "CREATE DATABASE"),
            (&["drop", "database"], "DROP DATABASE"),
            (&["create", "tablespace"], "CREATE TABLESPACE"),
            (&["drop", "tablespace"], "DROP TABLESPACE"),
            (&["alter", "system"], "ALTER SYSTEM"),
            // With a slot or a refresh, which is what they do unless told otherwise.
            (&["create", "subscription"], "CREATE SUBSCRIPTION"),
            (&["alter", "subscription"], "ALTER SUBSCRIPTION"),
            (&["drop", "subscription"], "DROP SUBSCRIPTION"),
            (&["discard", "all"], "DISCARD ALL"),
        ];
        if let Some((_, what)) = always.into_iter().find(|(words, _)| self.begins(words)) {
            return Some(Why::Alone { what });
        }
        let has_any = |words: &[&str]| words.iter().any(|word| self.has(word));
        let what = if self.begins(&["reindex"]) && self.has("concurrently") {
            "REINDEX CONCURRENTLY"
        } else if self.begins(&["reindex"]) && has_any(&["schema", "database", "system"]) {
            "REINDEX of more than a table"
        } else if self.begins(&["alter", "table"]) && self.has("detach") && self.has("concurrently") {
            "DETACH PARTITION CONCURRENTLY"
        } else if self.begins(&["alter", "database"]) && self.has("tablespace") {
            "ALTER DATABASE SET TABLESPACE"
        } else if self.begins(&["cluster"]) && !self.names_after(&["cluster", "verbose"]) {
            "CLUSTER of all tables"
        } else {
            return None;
        };
        Some(Why::Alone { what })
    }

    /// Tells whether the piece has a name or a word beside these.
    fn names_after(&self, words: &[&str]) -> bool {
        self.0.iter().any(|part| match part {
            Part::Word(own) => !words.iter().any(|word| own.eq_ignore_ascii_case(word)),
            Part::Name(_) => true,
            Part::Text(_) | Part::Sign => false,
        })
    }

    /// Returns where `ADD VALUE` stands in an `ALTER TYPE`.
    fn add_value_at(&self) -> Option<usize> {
        if !self.begins(&["alter", "type"]) {
            return None;
        }
        self.0.windows(2).position(|pair| pair[0].is("add") && pair[1].is("value"))
    }

    fn adds_value(&self) -> bool {
        self.add_value_at().is_some()
    }

    fn added(&self, added_idx: usize) -> Option<Added> {
        let at = self.add_value_at()?;
        let name = match &self.0[at - 1] {
            Part::Word(name) => Some(name.to_ascii_lowercase()),
            Part::Name(name) => Some(name[1..name.len() - 1].replace("\"\"", "\"")),
            Part::Text(_) | Part::Sign => None,
        };
        let value = self.0[at..].iter().find_map(|part| match part {
            Part::Text(text) => Some(Text::read(text)),
            Part::Word(_) | Part::Name(_) | Part::Sign => None,
        });
        let value = value.filter(|text| text.is_plain).map(|text| text.content);
        Some(Added { added_idx, value, names: name.into_iter().collect() })
    }

    /// Tells whether a string of the piece may say a value; any string may say one that is not known.
    fn may_say(&self, value: Option<&str>) -> bool {
        self.0.iter().any(|part| match part {
            Part::Text(text) => value.is_none_or(|value| Text::read(text).may_say(value)),
            Part::Word(_) | Part::Name(_) | Part::Sign => false,
        })
    }
}

impl Part<'_> {
    fn is(&self, word: &str) -> bool {
        matches!(self, Part::Word(own) if own.eq_ignore_ascii_case(word))
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Alone { what } => write!(f, "PostgreSQL does not run {what} inside a transaction"),
            Why::Control { what } => write!(f, "{what} would interfere with the transaction"),
            Why::NewValue { value, added_idx } => {
                let value = value.as_ref().map_or_else(|| "a value".to_owned(), |value| format!("the value {value:?}"));
                let n_added = added_idx + 1;
                write!(
                    f,
                    "it may use {value} that statement {n_added} adds to an enum, and PostgreSQL allows that only after a commit"
                )
            }
            Why::Unreadable => f.write_str("its words cannot be separated with certainty"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::sql::statement;

    /// Returns the first obstacle, as `2: why` with the statement counted from 1.
    fn told(plan: &[&str]) -> String {
        let statements: Vec<String> = plan.iter().map(|&sql| sql.to_owned()).collect();
        match obstacle(&statements) {
            None => "none".to_owned(),
            Some(Obstacle { statement_idx, why }) => format!("{}: {why}", statement_idx + 1),
        }
    }

    #[track_caller]
    fn check(plan: &[&str], expected: &str) {
        assert_eq!(told(plan), expected, "{plan:#?}");
    }

    #[test]
    fn what_postgresql_runs_alone_is_known_before() {
        let cases = [
            ("CREATE INDEX CONCURRENTLY \"i\" ON \"a\" (\"b\");", "CREATE INDEX CONCURRENTLY"),
            ("create unique index concurrently if not exists i on a (b)", "CREATE UNIQUE INDEX CONCURRENTLY"),
            ("DROP INDEX CONCURRENTLY i;", "DROP INDEX CONCURRENTLY"),
            ("/* why */ drop -- not\n index Concurrently i;", "DROP INDEX CONCURRENTLY"),
            ("REINDEX TABLE CONCURRENTLY a;", "REINDEX CONCURRENTLY"),
            ("REINDEX (VERBOSE, CONCURRENTLY) INDEX i;", "REINDEX CONCURRENTLY"),
            ("REINDEX SCHEMA s;", "REINDEX of more than a table"),
            ("REINDEX DATABASE d;", "REINDEX of more than a table"),
            ("VACUUM;", "VACUUM"),
            ("VACUUM (FULL) a;", "VACUUM"),
            ("CREATE DATABASE d;", "CREATE DATABASE"),
            ("DROP DATABASE d WITH (FORCE);", "DROP DATABASE"),
            ("ALTER DATABASE d SET TABLESPACE t;", "ALTER DATABASE SET TABLESPACE"),
            ("CREATE TABLESPACE t LOCATION '/t';", "CREATE TABLESPACE"),
            ("DROP TABLESPACE t;", "DROP TABLESPACE"),
            ("ALTER SYSTEM SET wal_level = 'minimal';", "ALTER SYSTEM"),
            ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p;", "CREATE SUBSCRIPTION"),
            ("ALTER SUBSCRIPTION s REFRESH PUBLICATION;", "ALTER SUBSCRIPTION"),
            ("DROP SUBSCRIPTION s;", "DROP SUBSCRIPTION"),
            ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY;", "DETACH PARTITION CONCURRENTLY"),
            ("CLUSTER;", "CLUSTER of all tables"),
            ("CLUSTER VERBOSE;", "CLUSTER of all tables"),
            ("DISCARD ALL;", "DISCARD ALL"),
        ];
        for (sql, what) in cases {
            let expected = format!("2: PostgreSQL does not run {what} inside a transaction");
            check(&["DROP TABLE a;", sql, "VACUUM;"], &expected);
        }
    }

    #[test]
    fn what_begins_or_ends_a_transaction_is_found_behind_anything() {
        let cases = [
            ("BEGIN;", "BEGIN"),
            ("start transaction isolation level serializable", "START TRANSACTION"),
            ("COMMIT;", "COMMIT"),
            ("COMMIT PREPARED 'a';", "COMMIT"),
            ("END;", "END"),
            ("ROLLBACK TO SAVEPOINT a;", "ROLLBACK"),
            ("ABORT;", "ABORT"),
            ("SAVEPOINT a;", "SAVEPOINT"),
            ("RELEASE a;", "RELEASE SAVEPOINT"),
            ("PREPARE TRANSACTION 'a';", "PREPARE TRANSACTION"),
            ("SET TRANSACTION READ ONLY;", "SET TRANSACTION"),
            ("DROP TABLE a; COMMIT", "COMMIT"),
            ("this is no SQL; /* ; */ Commit and chain", "COMMIT"),
            ("-- COMMIT\nROLLBACK", "ROLLBACK"),
        ];
        for (sql, what) in cases {
            check(&[sql], &format!("1: {what} would interfere with the transaction"));
        }
        check(&["DROP TABLE 'a"], "1: its words cannot be separated with certainty");
    }

    #[test]
    fn what_only_looks_like_an_obstacle_is_none() {
        let plan = [
            "CREATE INDEX \"concurrently\" ON \"vacuum\" (\"commit\");",
            "CREATE UNIQUE INDEX i ON a (b);",
            "DROP INDEX \"concurrently\";",
            "REINDEX TABLE a;",
            "CLUSTER a USING i;",
            "CLUSTER \"verbose\";",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY v;",
            "ALTER TABLE a DETACH PARTITION b;",
            "ALTER DATABASE d SET work_mem = '1MB';",
            "COMMENT ON TABLE a IS 'COMMIT; VACUUM;';",
            "DO $$ BEGIN\n CREATE TYPE t AS ENUM('a');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "PREPARE a AS SELECT 1;",
            "SET CONSTRAINTS ALL DEFERRED;",
            "this is no SQL",
            "",
        ];
        for sql in plan {
            check(&[sql], "none");
        }
    }

    const ADD: &str = "ALTER TYPE \"public\".\"mood\" ADD VALUE 'so so' BEFORE 'sad';";

    #[test]
    fn a_new_value_of_an_enum_is_an_obstacle_where_its_use_cannot_be_excluded() {
        let uses = [
            "ALTER TABLE \"a\" ALTER COLUMN \"b\" SET DEFAULT 'so so';",
            "CREATE TABLE \"a\" (\"b\" \"mood\" DEFAULT 'so so' NOT NULL);",
            "ALTER TABLE a ADD COLUMN b mood[] DEFAULT '{sad,\"so so\"}';",
            "ALTER TABLE a ADD CONSTRAINT c CHECK (b <> E'so so');",
            "CREATE INDEX i ON a (b) WHERE b = $$so so$$;",
            "CREATE INDEX i ON a (b) WHERE b = $x$so so$x$;",
            "CREATE VIEW v AS SELECT * FROM a WHERE b = N'so so';",
            "CREATE POLICY p ON a USING (b = 'so so');",
            "UPDATE a SET b = 'so so';",
            "DO $$ BEGIN UPDATE a SET b = 'so so'; END $$;",
            "this is no SQL, but 'so so'",
            "ALTER TYPE \"public\".\"mood\" RENAME VALUE 'so so' TO 'fair';",
            // What an escape says is not looked up.
            "ALTER TABLE a ALTER b SET DEFAULT E'so\\x20so';",
            "ALTER TABLE a ALTER b SET DEFAULT U&'so!0020so' UESCAPE '!';",
            "ALTER TABLE a ALTER b SET DEFAULT '{so\\ so}';",
            // The rows may hold it as text.
            "ALTER TABLE a ALTER b SET DATA TYPE \"public\".\"mood\" USING b::\"public\".\"mood\";",
            "ALTER TABLE a ALTER b TYPE mood[] USING b::mood[];",
        ];
        let why = "it may use the value \"so so\" that statement 2 adds to an enum, and PostgreSQL allows that only after a commit";
        for sql in uses {
            check(&["DROP TABLE x;", ADD, "DROP TABLE y;", sql], &format!("4: {why}"));
            check(&[sql, "DROP TABLE x;", ADD], "none");
        }
        check(
            &[
                "DROP TABLE x;",
                ADD,
                "ALTER TYPE mood RENAME TO feeling;",
                "ALTER TABLE a ALTER b TYPE feeling USING b::feeling;",
            ],
            &format!("4: {why}"),
        );
    }

    #[test]
    fn a_new_value_that_nobody_uses_is_no_obstacle() {
        let others = [
            "ALTER TYPE \"public\".\"mood\" ADD VALUE 'fair' BEFORE 'so so';",
            "ALTER TYPE \"weather\" ADD VALUE IF NOT EXISTS 'so so';",
            "CREATE TYPE \"weather\" AS ENUM('so so', 'fine');",
            "DO $$ BEGIN\n CREATE TYPE \"w\" AS ENUM('so so');\nEXCEPTION\n WHEN duplicate_object THEN null;\nEND $$;",
            "ALTER TABLE a ALTER b SET DEFAULT 'sad';",
            "ALTER TABLE a ALTER b SET DEFAULT 'so sore';",
            "ALTER TABLE a ALTER b SET DEFAULT 'also so';",
            "ALTER TABLE a ALTER b SET DATA TYPE text;",
            "ALTER TABLE a ALTER b SET DATA TYPE varchar(3);",
            "ALTER TABLE a ADD COLUMN \"so so\" mood;",
            "-- 'so so'\nDROP TABLE a;",
            "ALTER TYPE mood RENAME TO \"so so\";",
            "DROP TYPE mood;",
        ];
        for sql in others {
            check(&[ADD, sql], "none");
        }
    }

    #[test]
    fn the_end_of_a_function_ends_no_transaction() {
        let function = "CREATE FUNCTION two() RETURNS integer LANGUAGE sql\nBEGIN ATOMIC\n  SELECT 2;\nEND;";
        check(&[function], "none");
        check(&[&format!("{function} COMMIT;")], "1: COMMIT would interfere with the transaction");
        check(&["SELECT 1; END;"], "1: END would interfere with the transaction");
    }

    #[test]
    fn what_ends_a_transaction_is_told_from_what_divides_it() {
        let check =
            |sql: &str, expected: &[(&str, Boundary)]| assert_eq!(Bounds::of(sql).boundaries, expected, "{sql}");
        check("COMMIT;", &[("COMMIT", Boundary::Ends)]);
        check("commit and chain", &[("COMMIT", Boundary::Chains)]);
        check("ROLLBACK AND NO CHAIN;", &[("ROLLBACK", Boundary::Ends)]);
        check("ROLLBACK TO SAVEPOINT a;", &[("ROLLBACK", Boundary::Stays)]);
        check("SAVEPOINT a; RELEASE a;", &[("SAVEPOINT", Boundary::Stays), ("RELEASE SAVEPOINT", Boundary::Stays)]);
        check("COMMIT; BEGIN;", &[("COMMIT", Boundary::Ends), ("BEGIN", Boundary::Begins)]);
        check("SELECT 1;", &[]);
    }

    #[test]
    fn values_with_signs_in_them_are_found_as_they_are_written() {
        let why = |value: &str| {
            format!(
                "2: it may use {value} that statement 1 adds to an enum, and PostgreSQL allows that only after a commit"
            )
        };
        let cases = [
            ("'it''s'", "'it''s'", why("the value \"it's\"")),
            ("'it''s'", "$$ 'it''s' $$", why("the value \"it's\"")),
            ("'it''s'", "E'it\\'s'", why("the value \"it's\"")),
            ("'-- e'", "'-- e'", why("the value \"-- e\"")),
            ("'ü'", "'{ü}'", why("the value \"ü\"")),
            ("'ü'", "'über'", "none".to_owned()),
            ("''", "''", why("the value \"\"")),
            ("''", "'{\"\"}'", why("the value \"\"")),
            ("''", "'a'", "none".to_owned()),
            ("'A'", "'a'", "none".to_owned()),
            ("'1'", "1", "none".to_owned()),
            ("E'a\\tb'", "'c'", why("a value")),
            ("U&'c'", "'c'", why("a value")),
        ];
        for (value, default, expected) in cases {
            let add = format!("ALTER TYPE mood ADD VALUE {value};");
            check(&[&add, &format!("ALTER TABLE a ALTER b SET DEFAULT {default};")], &expected);
        }
    }

    #[test]
    fn plans_of_drizzle_kit_run_in_one_transaction_unless_they_use_a_new_value() {
        let new_value = |used: usize, value: &str, added: usize| {
            format!(
                "{used}: it may use the value \"{value}\" that statement {added} adds to an enum, and PostgreSQL allows that only after a commit"
            )
        };
        let cases = [
            (include_str!("../../fixtures/sql/blocks/0.21.4/types.sql"), "none".to_owned()),
            (include_str!("../../fixtures/sql/blocks/0.21.4/enums.sql"), new_value(13, "a", 4)),
            (include_str!("../../fixtures/sql/blocks/0.28.1/enums.sql"), new_value(16, "a", 6)),
            (include_str!("../../fixtures/sql/blocks/0.31.11/tables.sql"), "none".to_owned()),
            (include_str!("../../fixtures/sql/blocks/0.31.11/columns.sql"), "none".to_owned()),
            (include_str!("../../fixtures/sql/blocks/0.31.11/policies.sql"), "none".to_owned()),
            (include_str!("../../fixtures/sql/blocks/0.31.11/views.sql"), "none".to_owned()),
        ];
        for (block, expected) in cases {
            let statements = statement::split(block, Dialect::Postgres).expect("the block was split before");
            check(&statements.iter().map(String::as_str).collect::<Vec<_>>(), &expected);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_value_is_used_unseen(value in "[a-zé '\"{},;$-]{1,8}", before in "[{(,]?", after in "[)},]?") {
            let quoted = value.replace('\'', "''");
            let add = format!("ALTER TYPE mood ADD VALUE '{quoted}';");
            let used = format!("ALTER TABLE a ALTER b SET DEFAULT '{before}{quoted}{after}';");
            let found = obstacle(&[add, used]);
            let is_found = matches!(&found, Some(Obstacle { statement_idx: 1, why: Why::NewValue { value: Some(told), added_idx: 0 } }) if *told == value);
            prop_assert!(is_found, "{:?}", found);
        }

        #[test]
        fn no_text_stops_it(first in "([;'\"$()*/&-]|[a-zé]|ALTER TYPE |ADD VALUE |\\$\\$|E'|U&'|U&\"|\\\\){0,20}", second in "([;'\"$]|\\PC){0,10}") {
            obstacle(&[first, second]);
        }
    }
}
