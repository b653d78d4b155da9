//! A list of choices as hanji has it, drizzle-kit's prompt library (0.0.5 to 0.0.8): how it is drawn, wiped and moved in.
//! Pure: the fake drizzle-kit and the tests without a process share it.

/// What drizzle-kit calls the choice that declines.
pub(crate) const ABORT: &str = "No, abort";

/// Draws what is asked, and a row for each choice, without a line end at the last one.
pub(crate) fn frame(question: &str, choices: &[String], marked: &[usize]) -> String {
    let rows = choices.iter().enumerate().map(|(idx, choice)| {
        let marker = if marked.contains(&idx) { "❯ " } else { "  " };
        format!("{marker}{choice}")
    });
    let list = rows.collect::<Vec<_>>().join("\n");
    if question.is_empty() { list } else { format!("{question}\n{list}") }
}

/// Wipes rows upward, from the last one on.
pub(crate) fn erase(n_rows: usize) -> String {
    format!("\x1b[2K{}\x1b[G", "\x1b[1A\x1b[2K".repeat(n_rows.saturating_sub(1)))
}

/// Returns the row above; above the first one is the last.
pub(crate) fn above(highlighted: usize, n_choices: usize) -> usize {
    (highlighted + n_choices - 1) % n_choices
}

/// Returns the row below; below the last one is the first.
pub(crate) fn below(highlighted: usize, n_choices: usize) -> usize {
    (highlighted + 1) % n_choices
}
