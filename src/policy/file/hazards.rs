//! Reads `[hazards]`. Pure.

use std::ops::Range;

use toml::Spanned;

use crate::policy::file::format::{HazardEntry, Hazards, LimitEntry};
use crate::policy::file::reader::Reader;
use crate::policy::model::{HazardKey, HazardLine, HazardRule, Policy};
use crate::policy::wording::closest;
use crate::sql::hazard::{Class, Hazard};

/// Lays the lines of the file or of a profile over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, hazards: &Hazards) {
    for (key, entry) in hazards {
        if let Some((key, line)) = line(reader, key, entry) {
            policy.hazards.insert(key, line);
        }
    }
}

fn line(
    reader: &mut Reader<'_>,
    key: &Spanned<String>,
    entry: &Spanned<HazardEntry>,
) -> Option<(HazardKey, HazardLine)> {
    let Some(known) = HazardKey::all().find(|known| known.name() == key.get_ref()) else {
        let problem = reader.problem(key.span(), format!("there is no hazard `{}`", key.get_ref()));
        if key.get_ref() == Class::Unknown.name() {
            problem.hint("the one kind of this class is `unclassified`");
        } else if let Some(closest) = closest(key.get_ref(), HazardKey::all().map(HazardKey::name)) {
            problem.hint(format!("did you mean `{closest}`?"));
        }
        return None;
    };
    let value = match entry.get_ref() {
        HazardEntry::Word(word) => by_word(reader, known, word, entry.span())?,
        HazardEntry::Limit(limit) => by_limit(reader, known, limit, entry.span())?,
    };
    let rule = reader.rule(&format!("hazards.{}", known.name()), key.span());
    Some((known, HazardLine { value, layer: reader.layer.clone(), rule }))
}

fn by_word(reader: &mut Reader<'_>, key: HazardKey, word: &str, span: Range<usize>) -> Option<HazardRule> {
    let known = key.words();
    match word {
        "refuse" => return Some(HazardRule::Refuse),
        "approve" => return Some(HazardRule::Approve),
        "keep_rows" if known.contains(&word) => return Some(HazardRule::KeepRows),
        "truncate" if known.contains(&word) => return Some(HazardRule::Truncate),
        "skip" if known.contains(&word) => return Some(HazardRule::Skip),
        _ => {}
    }
    let problem = reader.problem(span, format!("`{}` cannot be \"{word}\"", key.name()));
    match closest(word, known.iter().copied()) {
        Some(closest) => problem.hint(format!("did you mean \"{closest}\"?")),
        None if key == HazardKey::Kind(Hazard::Unclassified) => problem.hint("it can be \"refuse\" or \"approve\""),
        None => problem.hint(format!(
            "it can be {} or a table with `only` or `max_rows`",
            known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
        )),
    }
    None
}

fn by_limit(reader: &mut Reader<'_>, key: HazardKey, limit: &LimitEntry, span: Range<usize>) -> Option<HazardRule> {
    if key == HazardKey::Kind(Hazard::Unclassified) {
        reader
            .problem(span, "unclassified statements have no name and no rows to limit")
            .hint("it can be \"refuse\" or \"approve\"");
        return None;
    }
    if limit.only.is_none() && limit.max_rows.is_none() {
        reader
            .problem(span, format!("the limits of `{}` are empty", key.name()))
            .hint("write \"approve\" for no limit, or `only` or `max_rows`");
        return None;
    }
    let only = match &limit.only {
        None => None,
        Some(only) if only.get_ref().is_empty() => {
            reader.problem(only.span(), "an empty `only` allows nothing").hint("write \"refuse\" to say so");
            return None;
        }
        Some(only) => Some(only.get_ref().iter().filter_map(|pattern| reader.pattern(pattern, key.shape())).collect()),
    };
    if let Some(max_rows) = limit.max_rows.as_ref().filter(|_| !key.counts_rows()) {
        reader
            .problem(max_rows.span(), format!("`{}` has no rows that could be counted", key.name()))
            .hint("list the objects under `only`");
    }
    Some(HazardRule::Limit { only, max_rows: limit.max_rows.as_ref().map(|max_rows| *max_rows.get_ref()) })
}
