//! Reads a whole file of statements at once: where each stands, what it does, what cannot be read, and the comments.
//!
//! A plan is judged by what is certain, and one doubt makes a statement of it unknown. A file that a person wrote is read to
//! tell that person something: what is not known about a statement is no reason to be silent about the next.

use std::ops::Range;

use squawk_syntax::ast::AstNode;
use squawk_syntax::{Parse, SourceFile, SyntaxKind, SyntaxNode, SyntaxNodePtr};

use crate::sql::action::literal::{Literal, literals};
use crate::sql::action::{self, Step};
use crate::sql::dialect::Dialect;
use crate::sql::effect::Reading;
use crate::sql::transaction::Bounds;
use crate::sql::{lex, other, postgres, statement};

/// A file of statements, as it was read.
pub struct Script<'a> {
    pub text: &'a str,
    pub statements: Vec<Stated>,
    /// Where the text is not valid SQL, and why.
    pub faults: Vec<Fault>,
    /// Where comments stand.
    pub comments: Vec<Range<usize>>,
    /// Where strings and quoted names stand.
    pub literals: Vec<Range<usize>>,
    /// The tree of the whole text, for PostgreSQL and where the text is not nested too deeply.
    pub tree: Option<Parse<SourceFile>>,
}

/// A statement and its place in the text.
pub struct Stated {
    pub place: Range<usize>,
    pub reading: Reading,
    /// What it does, as far as that can be read.
    pub steps: Vec<Step>,
    /// What in a block of code ends the transaction around it.
    pub ends_within: Option<&'static str>,
    /// What it has to do with that transaction itself, for PostgreSQL.
    pub bounds: Bounds,
    /// Where its tree is in that of the whole text, for PostgreSQL.
    node: Option<SyntaxNodePtr>,
}

/// Where a text is no SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub at: usize,
    pub why: String,
}

/// Reads a file of statements.
pub fn read(text: &str, dialect: Dialect) -> Script<'_> {
    let mut script = Script {
        text,
        statements: Vec::new(),
        faults: Vec::new(),
        comments: Vec::new(),
        literals: Vec::new(),
        tree: None,
    };
    let tokens = match lex::tokens(text, dialect) {
        Ok(tokens) => tokens,
        Err(trouble) => {
            script.faults.push(Fault { at: trouble.at, why: trouble.why.to_owned() });
            return script;
        }
    };
    for token in &tokens {
        let place = token.start..token.end;
        match token.sort {
            lex::Sort::Trivia if text[place.clone()].starts_with(['-', '/', '#']) => script.comments.push(place),
            lex::Sort::Literal if text[place.clone()].contains(['\'', '"', '$', '`']) => script.literals.push(place),
            _ => {}
        }
    }
    match dialect {
        // The parser recurses: what is nested too deeply must not reach it.
        Dialect::Postgres if !lex::is_shallow(&tokens) => {
            script.faults.push(Fault { at: 0, why: "it is nested too deeply".to_owned() });
        }
        Dialect::Postgres => script.parse(&tokens),
        Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => {
            match statement::places(text, dialect) {
                Ok(places) => {
                    let read = |place: Range<usize>| {
                        let reading = other::read(&text[place.clone()], dialect);
                        let steps = action::of_text(&text[place.clone()], &place, dialect);
                        Stated { place, reading, steps, ends_within: None, bounds: Bounds::default(), node: None }
                    };
                    script.statements = places.into_iter().map(read).collect();
                }
                Err(error) => {
                    let at = text.split_inclusive('\n').take(error.line - 1).map(str::len).sum();
                    script.faults.push(Fault { at, why: error.why });
                }
            }
        }
    }
    script
}

impl Script<'_> {
    /// Returns the tree of a statement, for PostgreSQL.
    pub fn tree_of(&self, stated: &Stated) -> Option<SyntaxNode> {
        Some(stated.node.as_ref()?.to_node(&self.tree.as_ref()?.syntax_node()))
    }

    /// Returns the strings of a statement that are values of something, for PostgreSQL.
    pub fn literals(&self, stated: &Stated) -> Vec<Literal> {
        self.tree_of(stated).as_ref().map(literals).unwrap_or_default()
    }

    fn parse(&mut self, tokens: &[lex::Token]) {
        let parse = SourceFile::parse(self.text);
        for error in parse.errors() {
            self.faults.push(Fault { at: error.range().start().into(), why: error.message().to_owned() });
        }
        for node in parse.tree().syntax().children() {
            if node.kind() == SyntaxKind::EMPTY_STMT {
                continue;
            }
            // The white space before and behind belongs to the tree as well.
            let leaves = || node.descendants_with_tokens().filter_map(|element| element.into_token());
            let Some(first) = leaves().find(|token| !token.kind().is_trivia()) else { continue };
            let start = usize::from(first.text_range().start());
            let whole = usize::from(node.text_range().end());
            let place = start..start + self.text[start..whole].trim_end().len();
            let is_whole = !self.faults.iter().any(|fault| (place.start..=place.end).contains(&fault.at));
            let (reading, steps) = match is_whole {
                true => (postgres::read_tree(&node), action::of_node(&node)),
                false => (Reading::unknown("unknown"), Vec::new()),
            };
            let ends_within = action::ends_within(&node);
            let first = tokens.partition_point(|token| token.start < place.start);
            let n_own = tokens[first..].partition_point(|token| token.end <= place.end);
            let bounds = Bounds::of_tokens(self.text, &tokens[first..first + n_own]);
            let node = Some(SyntaxNodePtr::new(&node));
            self.statements.push(Stated { place, reading, steps, ends_within, bounds, node });
        }
        self.tree = Some(parse);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks the statements with their kinds, and the faults with their places.
    #[track_caller]
    fn check(text: &str, dialect: Dialect, statements: &[(&str, &str)], faults: &[(usize, &str)]) {
        let script = read(text, dialect);
        let found: Vec<(&str, &str)> = script
            .statements
            .iter()
            .map(|stated| (&text[stated.place.clone()], stated.reading.kind.as_str()))
            .collect();
        assert_eq!(found, statements, "{text}");
        let found: Vec<(usize, &str)> = script.faults.iter().map(|fault| (fault.at, fault.why.as_str())).collect();
        assert_eq!(found, faults, "{text}");
    }

    #[test]
    fn a_fault_leaves_the_other_statements_readable() {
        check(
            "-- first\nDROP TABLE a; ;\nINSERT INTO b VALUES (1);\n\nALTER TABLE a DROP b;",
            Dialect::Postgres,
            &[
                ("DROP TABLE a;", "drop_table"),
                ("INSERT INTO b VALUES (1);", "insert"),
                ("ALTER TABLE a DROP b;", "alter_table"),
            ],
            &[],
        );
        let broken = "DROP TABLE a;\nALTER TABLE a ADD COLUMN b;\nDROP TABLE c;";
        let script = read(broken, Dialect::Postgres);
        let kinds: Vec<&str> = script.statements.iter().map(|stated| stated.reading.kind.as_str()).collect();
        assert_eq!(kinds, ["drop_table", "unknown", "drop_table"]);
        assert!(!script.faults.is_empty());
        check("SELECT 'a", Dialect::Postgres, &[], &[(7, "a string is not closed")]);
        check(
            "DROP TABLE `a`;\nDROP TABLE b",
            Dialect::MySql,
            &[("DROP TABLE `a`;", "drop_table"), ("DROP TABLE b", "drop_table")],
            &[],
        );
        check("SELECT 1;\nDROP TABLE (a;", Dialect::Sqlite, &[], &[(10, "a statement ends within a parenthesis")]);
    }

    #[test]
    fn comments_and_literals_have_their_places() {
        let text = "-- a\nSELECT '--b', \"c\" /* d */, 1;";
        let script = read(text, Dialect::Postgres);
        let texts = |places: &[Range<usize>]| places.iter().map(|place| &text[place.clone()]).collect::<Vec<_>>();
        assert_eq!(texts(&script.comments), ["-- a", "/* d */"]);
        assert_eq!(texts(&script.literals), ["'--b'", "\"c\""]);
    }

    #[test]
    fn what_is_nested_too_deeply_does_not_reach_the_parser() {
        let deep = format!("SELECT {}1{};", "(".repeat(50_000), ")".repeat(50_000));
        check(&deep, Dialect::Postgres, &[], &[(0, "it is nested too deeply")]);
    }
}
