//! A statement as a message shows it: in one line, and not all of a long one. Pure.

/// Returns the beginning of a statement, in one line.
pub fn excerpt(sql: &str) -> String {
    const LONGEST: usize = 160; // characters
    let line = one_line(sql);
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns a statement in one line.
pub fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}
