//! The body of a `DO` block, as a tree.

use squawk_syntax::ast::{self, AstNode};
use squawk_syntax::plpgsql::Plpgsql;
use squawk_syntax::{SourceFile, SyntaxKind as K, SyntaxNode, SyntaxToken};

/// A body that was read without an error.
pub(super) struct Block {
    body: Plpgsql,
    /// How far the text that `body` was read from lies behind the beginning of the tree around the block.
    lead: usize,
}

impl Block {
    /// Reads the body of a `DO` block in PL/pgSQL; nothing where it cannot be read, or is in another language.
    pub(super) fn read(node: &SyntaxNode) -> Option<Self> {
        let body = ast::Do::cast(node.clone())?.plpgsql()?;
        if body.errors().is_empty() {
            return Some(Self { body, lead: 0 });
        }
        // The parser does not know that a query of PL/pgSQL may write into variables, which says nothing about the data.
        let lead = usize::from(node.text_range().start());
        let mut text = node.text().to_string();
        for (first, last) in into_variables(&body.syntax()) {
            let range = body.source_range(first.text_range().cover(last.text_range()));
            let range = usize::from(range.start()) - lead..usize::from(range.end()) - lead;
            let spaces = " ".repeat(range.len());
            text.replace_range(range, &spaces);
        }
        let read = SourceFile::parse(&text);
        let block = read.syntax_node().children().find_map(ast::Do::cast)?;
        let body = block.plpgsql().filter(|body| body.errors().is_empty())?;
        Some(Self { body, lead })
    }

    pub(super) fn syntax(&self) -> SyntaxNode {
        self.body.syntax()
    }

    /// Returns where a part of the body begins in the tree around the block.
    pub(super) fn start(&self, part: &SyntaxNode) -> usize {
        usize::from(self.body.source_range(part.text_range()).start()) + self.lead
    }
}

/// Returns the first and the last token of `INTO STRICT a, b.c` in queries that the parser gave up on.
fn into_variables(body: &SyntaxNode) -> Vec<(SyntaxToken, SyntaxToken)> {
    let mut found = Vec::new();
    for given_up in body.descendants().filter(|node| node.kind() == K::ERROR) {
        let tokens = given_up.descendants_with_tokens().filter_map(|element| element.into_token());
        let tokens: Vec<SyntaxToken> = tokens.filter(|token| !token.kind().is_trivia()).collect();
        let is = |idx: usize, kind: K| tokens.get(idx).is_some_and(|token| token.kind() == kind);
        for idx in 1..tokens.len() {
            let of_target = is(idx - 1, K::INSERT_KW) || is(idx - 1, K::MERGE_KW);
            if !is(idx, K::INTO_KW) || of_target {
                continue;
            }
            let mut end = idx + if is(idx + 1, K::STRICT_KW) { 2 } else { 1 };
            while is(end + 1, K::DOT) || is(end + 1, K::COMMA) {
                end += 2;
            }
            if let Some(last) = tokens.get(end) {
                found.push((tokens[idx].clone(), last.clone()));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(sql: &str) -> Option<Vec<(String, usize)>> {
        let tree = SourceFile::parse(sql).syntax_node();
        let block = Block::read(&tree.children().find(|node| node.kind() == K::DO).expect("there is a block"))?;
        let statements = block.syntax().descendants().filter(|node| node.kind() == K::PLPGSQL_EXEC_SQL_STMT);
        Some(statements.map(|node| (node.text().to_string(), block.start(&node))).collect())
    }

    #[test]
    fn queries_that_write_into_variables_are_read_at_their_places() {
        for (sql, has) in [
            ("DO $$ BEGIN SELECT count(*) INTO n FROM t; END $$", &["SELECT count(*)"][..]),
            ("DO $$ BEGIN SELECT INTO STRICT n a FROM t; END $$", &["SELECT"]),
            ("DO $$ BEGIN SELECT a, b INTO r.a, \"N\" FROM t; DROP TABLE t; END $$", &["SELECT a, b", "DROP TABLE t;"]),
            ("SELECT 1; DO 'BEGIN SELECT ''a'' INTO n; DELETE FROM t; END'", &["SELECT ''a''", "DELETE FROM t;"]),
            (
                "DO $$ BEGIN INSERT INTO t VALUES (1) RETURNING id INTO n; UPDATE t SET a = n RETURNING 1 INTO n; END $$",
                &["INSERT INTO t VALUES (1) RETURNING id", "UPDATE t"],
            ),
        ] {
            let found = statements(sql).unwrap_or_else(|| panic!("{sql} is read"));
            let starts: Vec<usize> = found.iter().map(|(_, start)| *start).collect();
            let expected: Vec<usize> = has.iter().map(|text| sql.find(text).expect("it is there")).collect();
            assert_eq!(starts, expected, "{sql}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_statement_is_not_read() {
        for sql in
            ["DO $$ BEGIN SELEKT 1 INTO n; END $$", "DO $$ BEGIN SELECT 1 INTO ; END $$", "DO 'x' LANGUAGE plperl"]
        {
            assert_eq!(statements(sql), None, "{sql}");
        }
    }
}
