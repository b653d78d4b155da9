//! Makes migrations the newest of a journal, so that drizzle's migrator runs them where it had passed over them. Pure.

use serde_json::Value;

use crate::migrations::journal_file::Journal;

/// Returns the text of a journal in which the entries of these tags stand last and are newer than all others and than a
/// moment, in milliseconds; none where the text is no longer that of the journal.
///
/// The order of the file becomes the order in which the databases ran them, and `when` goes on growing along it. The
/// numbers are given anew, because drizzle-kit counts on from the last.
pub fn newest(journal: &Journal, tags: &[&str], after: i64) -> Option<String> {
    let mut whole: Value = serde_json::from_str(&journal.text).ok()?;
    let entries = whole.get_mut("entries")?.as_array_mut()?;
    let is_moved = |entry: &Value| entry["tag"].as_str().is_some_and(|tag| tags.contains(&tag));
    let (mut moved, stay): (Vec<Value>, Vec<Value>) = entries.drain(..).partition(is_moved);
    let newest = stay.iter().filter_map(|entry| entry["when"].as_i64()).max();
    let mut when = newest.map_or(after, |newest| newest.max(after));
    for entry in &mut moved {
        when = when.checked_add(1)?;
        entry["when"] = when.into();
    }
    entries.extend(stay.into_iter().chain(moved));
    for (idx, entry) in entries.iter_mut().enumerate() {
        entry["idx"] = idx.into();
    }
    // As drizzle-kit writes it (0.21 to 0.31: `JSON.stringify(journal, null, 2)`).
    serde_json::to_string_pretty(&whole).ok()
}

/// Returns the text of a journal with its first entries alone.
pub fn first(journal: &Journal, n_entries: usize) -> Option<String> {
    let mut whole: Value = serde_json::from_str(&journal.text).ok()?;
    whole.get_mut("entries")?.as_array_mut()?.truncate(n_entries);
    serde_json::to_string_pretty(&whole).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrations::JournalFile;
    use crate::migrations::journal_file::read;

    const TEXT: &str = r#"{"version":"7","dialect":"postgresql","entries":[
        {"idx":0,"version":"7","when":10,"tag":"0000_a","breakpoints":true},
        {"idx":1,"version":"7","when":15,"tag":"0001_late","breakpoints":true},
        {"idx":2,"version":"7","when":20,"tag":"0001_b","breakpoints":true}]}"#;

    fn journal(text: &str) -> Journal {
        match read(text.to_owned()) {
            JournalFile::Read(journal) => journal,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_passed_over_becomes_the_newest() {
        let check = |after: i64, expected: &[(&str, i64, Option<i64>)]| {
            let text = newest(&journal(TEXT), &["0001_late"], after).expect("it is a journal");
            let entries = journal(&text).entries;
            let found: Vec<_> = entries.iter().map(|entry| (entry.tag.as_str(), entry.when, entry.idx)).collect();
            assert_eq!(found, expected);
            assert!(
                text.starts_with("{\n  \"version\": \"7\",\n  \"dialect\": \"postgresql\",\n  \"entries\": [\n"),
                "{text}"
            );
        };
        check(20, &[("0000_a", 10, Some(0)), ("0001_b", 20, Some(1)), ("0001_late", 21, Some(2))]);
        // A row of the migrations table may be newer than the whole journal.
        check(99, &[("0000_a", 10, Some(0)), ("0001_b", 20, Some(1)), ("0001_late", 100, Some(2))]);
    }

    #[test]
    fn the_first_entries_are_a_journal_too() {
        let text = first(&journal(TEXT), 2).expect("it is a journal");
        let tags: Vec<String> = journal(&text).entries.into_iter().map(|entry| entry.tag).collect();
        assert_eq!(tags, ["0000_a", "0001_late"]);
    }
}
