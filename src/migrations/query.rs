//! What drizzle's migrator sends of a file, and where it stands in it. Pure.

use crate::migrations::finding::Position;
use crate::migrations::folder::SqlFile;
use crate::migrations::pulled;

/// Where drizzle's migrator cuts a file (drizzle-orm up to 0.45, `migrator`): anywhere, comments and strings included.
pub const BREAKPOINT: &str = "--> statement-breakpoint";

/// A piece of a file, which the server gets as one query. It may hold several statements, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query<'a> {
    pub file: &'a SqlFile,
    pub text: &'a str,
    /// Where it begins in the file, in bytes.
    start: usize,
    /// Its number in the file, from 0.
    pub idx: usize,
}

/// Returns the queries of a file, in their order.
pub fn queries(file: &SqlFile) -> impl Iterator<Item = Query<'_>> {
    cut(file, &file.text, 0)
}

/// Returns the queries that make what a file is about: of what drizzle-kit pull wrote, those in its comment.
pub fn meant(file: &SqlFile) -> impl Iterator<Item = Query<'_>> {
    let inner = pulled::statements(&file.text);
    let start = inner.map_or(0, |inner| inner.as_ptr() as usize - file.text.as_ptr() as usize);
    cut(file, inner.unwrap_or(&file.text), start)
}

fn cut<'a>(file: &'a SqlFile, text: &'a str, mut start: usize) -> impl Iterator<Item = Query<'a>> {
    text.split(BREAKPOINT).enumerate().map(move |(idx, text)| {
        let query = Query { file, text, start, idx };
        start += text.len() + BREAKPOINT.len();
        query
    })
}

impl Query<'_> {
    /// Returns where a character of the query, counted from 0, stands in the file; without one, where its text begins.
    pub fn place(&self, character: Option<usize>) -> Position {
        let blank = self.text.len() - self.text.trim_start().len();
        let at = character.and_then(|character| self.text.char_indices().nth(character)).map_or(blank, |(at, _)| at);
        Position::of(&self.file.text, self.start + at)
    }

    /// Returns where a byte of the query stands in the file.
    pub fn place_of(&self, at: usize) -> Position {
        Position::of(&self.file.text, self.start + at)
    }

    /// Tells whether nothing but white space is in it.
    pub fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_knows_its_place_in_the_file() {
        let text = "CREATE TABLE a ();\n--> statement-breakpoint\n\nÄ BAD;--> statement-breakpoint\n";
        let file = SqlFile { name: "0000_a.sql".into(), text: text.into(), hash: String::new() };
        let all: Vec<Query> = queries(&file).collect();
        assert_eq!(
            all.iter().map(|query| query.text).collect::<Vec<_>>(),
            ["CREATE TABLE a ();\n", "\n\nÄ BAD;", "\n"]
        );
        assert!(all[2].is_blank() && !all[1].is_blank());
        let at = |line, column| Position { line, column };
        assert_eq!(all[0].place(None), at(1, 1));
        assert_eq!(all[1].place(None), at(4, 1));
        assert_eq!(all[1].place(Some(4)), at(4, 3));
        assert_eq!(all[1].place(Some(400)), at(4, 1));
    }

    #[test]
    fn what_pull_wrote_means_the_statements_in_its_comment() {
        let text = "-- Current sql file was generated after introspecting the database\n/*\nCREATE TABLE a ();\n--> statement-breakpoint\nCREATE TABLE b ();\n*/";
        let file = SqlFile { name: "0000_a.sql".into(), text: text.into(), hash: String::new() };
        let found: Vec<(&str, usize)> = meant(&file).map(|query| (query.text.trim(), query.place(None).line)).collect();
        assert_eq!(found, [("CREATE TABLE a ();", 3), ("CREATE TABLE b ();", 5)]);
        let file = SqlFile { text: "SELECT 1;--> statement-breakpoint\nSELECT 2;".into(), ..file };
        assert!(meant(&file).eq(queries(&file)));
    }
}
