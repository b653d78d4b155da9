//! The words of a text, in every dialect: where strings, quoted names and comments begin and end.
//!
//! No lexer is written here. PostgreSQL's text is read by squawk's, the others' by sqlparser's. What they return is only
//! sorted, and refused where the server may read it in another way.

use sqlparser::dialect::{MySqlDialect, SQLiteDialect};
use sqlparser::tokenizer::{Location, Token as Other, Tokenizer, Whitespace};
use squawk_lexer::{LiteralKind, TokenKind};

use crate::sql::dialect::Dialect;

/// What a token is, as far as it matters where statements end and how deeply they are nested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// White space and comments.
    Trivia,
    /// A word without quotes, a keyword perhaps.
    Word,
    /// A string, a number or a name between quotes.
    Literal,
    Open,
    Close,
    Comma,
    Semicolon,
    Sign,
}

/// A token and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    pub(super) sort: Sort,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// Why a text cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trouble {
    pub(super) at: usize,
    pub(super) why: &'static str,
}

/// Returns the tokens of a text, without a gap.
pub(super) fn tokens(text: &str, dialect: Dialect) -> Result<Vec<Token>, Trouble> {
    match dialect {
        Dialect::Postgres => postgres(text),
        Dialect::MySql | Dialect::SingleStore => mysql(text),
        Dialect::Sqlite | Dialect::Turso => located(text, Tokenizer::new(&SQLiteDialect {}, text)),
    }
}

fn postgres(text: &str) -> Result<Vec<Token>, Trouble> {
    let mut tokens = Vec::with_capacity(text.len() / 4);
    let mut start = 0;
    let mut last_string = false;
    for token in squawk_lexer::tokenize(text) {
        if token.kind == TokenKind::Eof {
            break;
        }
        let end = start + token.len as usize;
        let trouble = |why| Err(Trouble { at: start, why });
        let mut is_string = false;
        let sort = match token.kind {
            TokenKind::Whitespace if text[start..].starts_with('\u{feff}') => {
                return trouble("it contains a byte order mark");
            }
            TokenKind::Whitespace | TokenKind::LineComment | TokenKind::BlockComment { terminated: true } => {
                Sort::Trivia
            }
            TokenKind::BlockComment { terminated: false } => return trouble("a comment is not closed"),
            TokenKind::Literal { kind } => {
                is_string = match kind {
                    LiteralKind::Int { .. } | LiteralKind::Numeric { .. } => false,
                    LiteralKind::Str { terminated }
                    | LiteralKind::NationalStr { terminated }
                    | LiteralKind::ByteStr { terminated }
                    | LiteralKind::BitStr { terminated }
                    | LiteralKind::DollarQuotedString { terminated }
                    | LiteralKind::UnicodeEscStr { terminated }
                    | LiteralKind::EscStr { terminated } => {
                        if !terminated {
                            return trouble("a string is not closed");
                        }
                        true
                    }
                };
                // `E'a'` and a string in the next line are one string for the server, and a backslash in the second is
                // an escape there; for the lexer it is not.
                if is_string && last_string {
                    return trouble("two adjacent strings may be one");
                }
                Sort::Literal
            }
            TokenKind::QuotedIdent { terminated: false, .. } => return trouble("a quoted name is not closed"),
            TokenKind::QuotedIdent { terminated: true, .. } => Sort::Literal,
            TokenKind::Unknown => return trouble("a character cannot be read"),
            TokenKind::Ident => Sort::Word,
            TokenKind::Semi => Sort::Semicolon,
            TokenKind::Comma => Sort::Comma,
            TokenKind::OpenParen | TokenKind::OpenBracket | TokenKind::OpenCurly => Sort::Open,
            TokenKind::CloseParen | TokenKind::CloseBracket | TokenKind::CloseCurly => Sort::Close,
            // Dots, operators and parameters.
            _ => Sort::Sign,
        };
        if sort != Sort::Trivia {
            last_string = is_string;
        }
        tokens.push(Token { sort, start, end });
        start = end;
    }
    if start != text.len() {
        return Err(Trouble { at: start, why: "the text ends in the middle" });
    }
    join_bodies(text, &mut tokens);
    Ok(tokens)
}

/// Makes the `;` within the body of a function that is written in the standard's form (`BEGIN ATOMIC … END`) a sign like
/// others, as the server and psql (psqlscan.l) read it: the statement goes on behind it.
fn join_bodies(text: &str, tokens: &mut [Token]) {
    let words: Vec<usize> = (0..tokens.len()).filter(|idx| tokens[*idx].sort == Sort::Word).collect();
    let word = |tokens: &[Token], idx: usize| text[tokens[idx].start..tokens[idx].end].to_ascii_lowercase();
    if !words.iter().any(|idx| word(tokens, *idx) == "atomic") {
        return;
    }
    // The first words of the statement, how deep it is within parentheses, and how many bodies and CASEs are open.
    let (mut first, mut n_open, mut depth): (Vec<String>, usize, usize) = (Vec::new(), 0, 0);
    let mut last = String::new();
    for idx in 0..tokens.len() {
        match tokens[idx].sort {
            Sort::Semicolon if depth > 0 => tokens[idx].sort = Sort::Sign,
            Sort::Semicolon => (first, n_open) = (Vec::new(), 0),
            Sort::Open => n_open += 1,
            Sort::Close => n_open = n_open.saturating_sub(1),
            Sort::Word => {
                let now = word(tokens, idx);
                if first.len() < 4 {
                    first.push(now.clone());
                }
                match now.as_str() {
                    "atomic" if last == "begin" && depth == 0 && n_open == 0 && makes_routine(&first) => depth = 1,
                    "case" if depth > 0 => depth += 1,
                    "end" if depth > 0 => depth -= 1,
                    _ => {}
                }
                last = now;
                continue;
            }
            Sort::Trivia => continue,
            Sort::Literal | Sort::Comma | Sort::Sign => {}
        }
        last.clear();
    }
}

/// Tells whether a statement that begins with these words creates a function or a procedure.
fn makes_routine(first: &[String]) -> bool {
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    matches!(
        first.as_slice(),
        ["create", "function" | "procedure", ..] | ["create", "or", "replace", "function" | "procedure"]
    )
}

fn mysql(text: &str) -> Result<Vec<Token>, Trouble> {
    // The server executes what stands in such a comment.
    for hint in ["/*!", "/*M!"] {
        if let Some(at) = text.find(hint) {
            return Err(Trouble { at, why: "a comment may be a command to the server" });
        }
    }
    located(text, Tokenizer::new(&MySqlDialect {}, text))
}

/// Returns the tokens of sqlparser, which counts in lines and characters.
fn located(text: &str, mut tokenizer: Tokenizer<'_>) -> Result<Vec<Token>, Trouble> {
    let mut places = Places { text, at: 0, line: 1, column: 1 };
    let found = match tokenizer.tokenize_with_location() {
        Ok(found) => found,
        Err(error) => {
            let at = places.offset(error.location).unwrap_or(0);
            return Err(Trouble { at, why: "a string, a quoted name or a comment is not closed" });
        }
    };
    let mut tokens = Vec::with_capacity(found.len());
    let mut last_end = 0;
    for token in found {
        let start = places.offset(token.span.start);
        let end = places.offset(token.span.end);
        let (Some(start), Some(end)) = (start, end) else {
            return Err(Trouble { at: last_end, why: "it is not clear where a word ends" });
        };
        let trouble = |why| Err(Trouble { at: start, why });
        if start != last_end {
            return trouble("it is not clear where a word ends");
        }
        let sort = match token.token {
            // A name in one place of the dialects here, a string in none of them.
            Other::DollarQuotedString(_) => return trouble("it contains a dollar quote"),
            // At the end of a line it belongs to that; before, the server may take it for one.
            Other::Whitespace(Whitespace::SingleLineComment { comment, .. })
                if comment.trim_end_matches('\n').trim_end_matches('\r').contains('\r') =>
            {
                return trouble("a comment contains a carriage return");
            }
            Other::Whitespace(_) => Sort::Trivia,
            Other::Word(word) if word.quote_style.is_none() => Sort::Word,
            Other::Word(_) | Other::Number(..) | Other::SingleQuotedString(_) | Other::DoubleQuotedString(_) => {
                Sort::Literal
            }
            Other::HexStringLiteral(_) | Other::NationalStringLiteral(_) | Other::SingleQuotedByteStringLiteral(_) => {
                Sort::Literal
            }
            Other::SemiColon => Sort::Semicolon,
            Other::Comma => Sort::Comma,
            Other::LParen | Other::LBracket | Other::LBrace => Sort::Open,
            Other::RParen | Other::RBracket | Other::RBrace => Sort::Close,
            _ => Sort::Sign,
        };
        last_end = end;
        tokens.push(Token { sort, start, end });
    }
    if last_end != text.len() {
        return Err(Trouble { at: last_end, why: "the text ends in the middle" });
    }
    join_blocks(text, &mut tokens);
    Ok(tokens)
}

/// Makes one thing of the body of a trigger (in MySQL of a routine as well): its `BEGIN` and its `END` open and close it
/// like parentheses, and a `;` within ends no statement around it.
fn join_blocks(text: &str, tokens: &mut [Token]) {
    let words: Vec<(usize, String)> = (0..tokens.len())
        .filter(|idx| tokens[*idx].sort == Sort::Word)
        .map(|idx| (idx, text[tokens[idx].start..tokens[idx].end].to_ascii_lowercase()))
        .collect();
    let mut word_idx = 0;
    while word_idx < words.len() {
        let ends =
            |from: usize| tokens[from..].iter().position(|token| token.sort == Sort::Semicolon).map(|n| from + n);
        let statement_end = ends(words[word_idx].0).unwrap_or(tokens.len());
        let own: Vec<&str> =
            words[word_idx..].iter().take_while(|(at, _)| *at < statement_end).map(|(_, word)| word.as_str()).collect();
        let body = own.iter().position(|word| *word == "begin").filter(|_| has_body(&own)).map(|n| word_idx + n);
        let block = body.and_then(|begin| Some((words[begin].0, words[block_end(tokens, &words, begin)?].0)));
        let mut end = statement_end;
        if let Some((begin, last)) = block {
            for token in &mut tokens[begin..last] {
                if token.sort == Sort::Semicolon {
                    token.sort = Sort::Comma;
                }
            }
            (tokens[begin].sort, tokens[last].sort) = (Sort::Open, Sort::Close);
            end = last;
        }
        let next = words[word_idx..].iter().position(|(at, _)| *at > end).map(|n| word_idx + n);
        word_idx = next.unwrap_or(words.len());
    }
}

/// Tells whether a statement with these words creates something that has a body.
fn has_body(words: &[&str]) -> bool {
    let is_made = |word: &&str| matches!(*word, "trigger" | "procedure" | "function" | "event");
    // Before it may stand who defines it, and that it is temporary.
    words.first() == Some(&"create") && words.iter().take(6).any(is_made)
}

/// Returns the word that ends what the `BEGIN` at another begins.
fn block_end(tokens: &[Token], words: &[(usize, String)], begin: usize) -> Option<usize> {
    let is_beside = |idx: usize, next: usize| {
        let mut between = tokens[words[idx].0 + 1..words[next].0].iter();
        between.all(|token| token.sort == Sort::Trivia)
    };
    let mut depth = 0;
    for (idx, (_, word)) in words.iter().enumerate().skip(begin) {
        let ends_case = word == "case" && words[idx - 1].1 == "end" && is_beside(idx - 1, idx);
        let after = words.get(idx + 1).filter(|_| is_beside(idx, idx + 1)).map_or("", |(_, word)| word.as_str());
        match word.as_str() {
            "begin" => depth += 1,
            "case" if !ends_case => depth += 1,
            // What has such an end begins with a word that is not counted.
            "end" if !matches!(after, "if" | "loop" | "while" | "repeat") => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(idx);
        }
    }
    None
}

/// Goes through a text and turns lines and columns into bytes.
struct Places<'a> {
    text: &'a str,
    at: usize,
    line: u64,
    column: u64,
}

impl Places<'_> {
    /// Returns the place of a location, which must not lie before the one asked for last.
    fn offset(&mut self, location: Location) -> Option<usize> {
        for character in self.text[self.at..].chars() {
            if (self.line, self.column) >= (location.line, location.column) {
                break;
            }
            self.at += character.len_utf8();
            if character == '\n' {
                (self.line, self.column) = (self.line + 1, 1);
            } else {
                self.column += 1;
            }
        }
        ((self.line, self.column) == (location.line, location.column)).then_some(self.at)
    }
}

/// How deeply a statement may be nested. The parsers call themselves, and 600 levels fill a stack of 2 MiB.
const DEEPEST: u32 = 400;

/// Tells whether a statement can be parsed without filling the stack.
///
/// Every parenthesis, word and sign may begin something inside what is open; a comma ends all that, back to the last
/// parenthesis. So long lists are flat, and `NOT NOT NOT …` is deep.
pub(super) fn is_shallow(tokens: &[Token]) -> bool {
    let mut outside = Vec::new();
    let (mut below, mut depth) = (0, 0);
    for token in tokens {
        match token.sort {
            Sort::Trivia | Sort::Literal => {}
            Sort::Word | Sort::Sign => depth += 1,
            Sort::Open => {
                depth += 1;
                outside.push((below, depth));
                below = depth;
            }
            Sort::Close => (below, depth) = outside.pop().unwrap_or((0, depth)),
            Sort::Comma => depth = below,
            Sort::Semicolon => {
                outside.clear();
                (below, depth) = (0, 0);
            }
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}
