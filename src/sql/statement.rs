//! Splits what drizzle-kit prints into statements.
//!
//! drizzle-kit joins its statements with line breaks, and some of them end without `;`. So two things end a statement: a
//! `;` outside of strings, names, comments and parentheses, and, where a piece is not one statement, the beginning of a
//! line at which one statement ends and another begins. What can be cut in two ways is not cut.

use super::dialect::Dialect;
use super::lex::{self, Sort, Token};
use super::{other, postgres};

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
                return Err(error(token.start, "a parenthesis closes that never opened"));
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
    fn take(&mut self, text: &str, dialect: Dialect, statements: &mut Vec<String>) -> Result<(), SplitError> {
        let piece = std::mem::take(self);
        if piece.tokens.is_none() {
            // Nothing, or comments: drizzle-kit prints some that the server takes for an empty query.
            return Ok(());
        }
        let whole = &text[piece.start..piece.end];
        // Without a place to cut there is nothing to decide, and what reads the statement parses it anyway.
        if piece.cuts.is_empty() || is_one(whole, dialect) {
            statements.push(whole.to_owned());
            return Ok(());
        }
        let error = |why: &str| Err(SplitError { line: line(text, piece.start), why: why.to_owned() });
        if piece.cuts.len() > MOST_CUTS {
            return error("too many lines in a row may begin a statement, and no `;` stands between them");
        }
        let bounds: Vec<usize> =
            std::iter::once(piece.start).chain(piece.cuts.iter().copied()).chain([piece.end]).collect();
        match cut(text, &bounds, dialect) {
            Cut::None => error("this is neither one statement nor several in lines of their own"),
            Cut::Ambiguous => error("this can be read as several statements in more than one way"),
            Cut::At(parts) => {
                statements.extend(parts.iter().map(|&(start, end)| text[start..end].trim_end().to_owned()));
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
