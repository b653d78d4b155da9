//! Words and sentences that several files of the policy write. Pure.

/// Returns the known word that a misspelt one is likely to stand for.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(word, known), known));
    let (score, known) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    // Below this, jaro-winkler finds words that merely share letters.
    (score > 0.8).then_some(known)
}

/// Writes words as a list in a sentence.
pub(in crate::policy) fn quoted<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    words.join(", ")
}

/// Escapes line breaks and other control characters, which a name may contain, so that a message stays one line.
pub(in crate::policy) fn one_line(text: &str) -> String {
    let escaped = text.chars().map(|c| if c.is_control() { c.escape_default().to_string() } else { c.to_string() });
    escaped.collect()
}
