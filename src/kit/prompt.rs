//! Reads a prompt off a whole frame. Pure: rows in, prompt out.
//!
//! A list of choices is recognised by its shape, whatever its wording. Only then the wording tells what it is about,
//! and a wording that almost fits is called ambiguous. The sentences are those of drizzle-kit 0.20 to 0.31
//! (`cli/views.ts`, `cli/commands/push.ts`, `pgPushUtils.ts` and its siblings).

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::term::screen::Text;

/// What hanji, drizzle-kit's prompt library, draws before the highlighted choice.
pub const MARKER: &str = "❯ ";
/// What it draws before the others.
const BLANK: &str = "  ";

/// The choice that declines, in every version.
pub const ABORT: &str = "No, abort";
/// What the consenting choice of a data-loss prompt begins with; some versions end it after the blank.
const CONSENT: &str = "Yes, I want to";
/// The consenting choice of the strict prompt.
pub(super) const EXECUTE: &str = "Yes, I want to execute all statements";
/// The choices of the question before a unique constraint.
const KEEP_ROWS: &str = "No, add the constraint without truncating the table";
const TRUNCATE: &str = "Yes, truncate the table";
/// What stands above and below the lines of the data-loss warning.
const LOSSES_BEGIN: &str = "Found data-loss statements:";
const LOSSES_END: &str = "THIS ACTION WILL CAUSE DATA LOSS AND CANNOT BE REVERTED";
/// What every question about a rename contains.
const RENAMED: &str = "created or renamed from another";

/// A question of drizzle-kit with its choices, read from a frame that was proved whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What is asked. Empty where drizzle-kit prints no question (its strict prompt).
    pub question: String,
    /// The lines printed above the frame since the last prompt, oldest first.
    pub context: Vec<String>,
    /// The same as it was printed, to the letter.
    pub printed: String,
    /// The rows one can choose, without the marker.
    pub choices: Vec<String>,
    /// The choice that was highlighted when the frame was read.
    pub highlighted: usize,
    /// What the question is about.
    pub kind: Kind,
}

/// What a prompt is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// "Is X created or renamed from another …?" Choice 0 creates, choice `i + 1` renames `candidates[i]`.
    Rename(Rename),
    /// "Do you want to truncate T table?" before a unique constraint. Choice 0 keeps the rows, choice 1 truncates.
    Unique(Unique),
    /// The strict prompt: all statements or none, with no loss announced. Choice 0 aborts, choice 1 executes.
    Execute,
    /// Consent to announced losses. Choice 0 aborts, choice 1 executes.
    DataLoss(Vec<Loss>),
    /// `drizzle-kit drop`: which migration to delete.
    DropMigration,
    /// A list of choices that this version does not know.
    Unknown,
}

/// The kinds of entities that drizzle-kit asks about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Entity {
    Schema,
    Table,
    /// Also a policy of a table: drizzle-kit 0.27 to 0.31 calls both "column".
    Column,
    Enum,
    Sequence,
    View,
    Role,
    Policy,
    // From here on drizzle-kit 1.0 alone asks.
    Unique,
    Check,
    Index,
    PrimaryKey,
    #[serde(rename = "foreign key")]
    ForeignKey,
    Default,
}

/// A created entity and those it may have been renamed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub entity: Entity,
    /// The new name as drizzle-kit shows it: `name`, or `schema.name` outside of `public`; columns without table.
    pub name: String,
    /// The table of a column and the like, as drizzle-kit shows it: without its schema, and with its new name if it was
    /// renamed.
    pub table: Option<String>,
    /// The schema of that table, which drizzle-kit 1.0 says.
    pub schema: Option<String>,
    /// The old names as drizzle-kit shows them, in the order of the choices.
    pub candidates: Vec<String>,
}

/// A unique constraint that is about to be added to a table with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    pub constraint: String,
    pub table: String,
    /// Number of rows of the table.
    pub rows: u64,
}

/// One line of drizzle-kit's data-loss warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    pub kind: LossKind,
    /// The line as drizzle-kit printed it.
    pub text: String,
    /// Number of rows at stake, where drizzle-kit prints one. For [`LossKind::Schema`] it is tables.
    pub count: Option<u64>,
}

/// What a line of the data-loss warning announces, with the names as drizzle-kit prints them (no schema).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LossKind {
    /// A table is dropped.
    Table(String),
    /// A column is dropped.
    Column { table: String, column: String },
    /// A schema is dropped.
    Schema(String),
    /// A materialised view is dropped.
    View(String),
    /// A column changes its type. PostgreSQL before 0.31, MySQL and SingleStore truncate the table first.
    ChangeType { column: String, from: String, to: String },
    /// A table is emptied: a NOT NULL column without default and the like. The line names only the column.
    Truncate { column: String },
    /// A primary key is changed; the table may be left without one.
    PrimaryKey { table: String },
    /// A line this version does not know, or the button announces more than the lines do.
    Unknown,
}

impl Prompt {
    /// Returns the question in one line, or what stands for it where drizzle-kit prints none.
    pub fn headline(&self) -> String {
        match &self.kind {
            Kind::DataLoss(losses) => {
                losses.iter().map(|loss| loss.text.trim_start_matches("· ")).collect::<Vec<_>>().join("; ")
            }
            Kind::Unique(unique) => format!(
                "truncate {}, which has {} rows, before adding the unique constraint {}?",
                unique.table, unique.rows, unique.constraint
            ),
            Kind::Execute => "execute the statements?".to_owned(),
            _ => self.question.replace('\n', " "),
        }
    }
}

impl Entity {
    /// The kinds about which drizzle-kit up to 0.31 asks at the terminal, in its order.
    pub const ALL: [Entity; 8] = [
        Entity::Schema,
        Entity::Enum,
        Entity::Sequence,
        Entity::Role,
        Entity::Table,
        Entity::Column,
        Entity::Policy,
        Entity::View,
    ];

    /// Returns the word that drizzle-kit uses.
    pub fn word(self) -> &'static str {
        match self {
            Entity::Schema => "schema",
            Entity::Table => "table",
            Entity::Column => "column",
            Entity::Enum => "enum",
            Entity::Sequence => "sequence",
            Entity::View => "view",
            Entity::Role => "role",
            Entity::Policy => "policy",
            Entity::Unique => "unique",
            Entity::Check => "check",
            Entity::Index => "index",
            Entity::PrimaryKey => "primary key",
            Entity::ForeignKey => "foreign key",
            Entity::Default => "default",
        }
    }
}

/// Why a frame is not a prompt that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the screen does not show a list with exactly one highlighted choice")]
    NoList,
    #[error("the question {question:?} has two readings: {reason}")]
    Ambiguous { question: String, reason: String },
}

/// Tells whether lines that may still be incomplete show a highlighted choice.
pub fn shows_choice(lines: &[String]) -> bool {
    lines.iter().any(|line| line.starts_with(MARKER))
}

/// Reads the prompt that a whole frame shows.
///
/// `text` was printed since the last prompt; `n_truncations` is how many truncations were already chosen
/// in this run, which drizzle-kit counts again in its last question without naming them.
///
/// # Errors
/// When the frame has no list, or when it can be read in two ways.
pub fn read(lines: &[String], text: Text, n_truncations: usize) -> Result<Prompt, Unreadable> {
    let Text { lines: context, printed, .. } = text;
    let highlighted = highlighted(lines).ok_or(Unreadable::NoList)?;
    let (question, choices) = lines.split_at(list(lines).start);
    let question: Vec<&str> = question.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let question = question.join("\n");
    let choices: Vec<String> = choices.iter().filter(|line| !line.is_empty()).map(|line| label(line)).collect();
    let kind = kind(&question, &choices, &context, n_truncations)?;
    Ok(Prompt { question, context, printed, choices, highlighted, kind })
}

/// Returns the index of the highlighted choice, if the lines end in a list with exactly one.
pub fn highlighted(lines: &[String]) -> Option<usize> {
    let mut marked = lines[list(lines)].iter().enumerate().filter(|(_, line)| line.starts_with(MARKER));
    match (marked.next(), marked.next()) {
        (Some((idx, _)), None) => Some(idx),
        _ => None,
    }
}

/// Returns the lines as they look with another choice highlighted.
pub fn highlighting(lines: &[String], highlighted: usize) -> Vec<String> {
    let mut lines = lines.to_vec();
    let list = list(&lines);
    for (idx, line) in lines[list].iter_mut().enumerate() {
        let marker = if idx == highlighted { MARKER } else { BLANK };
        *line = format!("{marker}{}", label(line)).trim_end().to_owned();
    }
    lines
}

/// Returns where the choices stand: the last block of lines that begin with the marker or its blank.
fn list(lines: &[String]) -> std::ops::Range<usize> {
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let is_choice = |line: &&String| line.starts_with(MARKER) || line.starts_with(BLANK);
    end - lines[..end].iter().rev().take_while(is_choice).count()..end
}

fn label(line: &str) -> String {
    line.chars().skip(2).collect()
}

fn kind(question: &str, choices: &[String], context: &[String], n_truncations: usize) -> Result<Kind, Unreadable> {
    let ambiguous = |reason: &str| Unreadable::Ambiguous { question: question.to_owned(), reason: reason.to_owned() };
    match choices {
        [no, yes] if question.is_empty() && no == ABORT && yes.starts_with(CONSENT) => {
            consent(yes, context, n_truncations).ok_or_else(|| ambiguous("the warning and its button disagree"))
        }
        [no, yes] if question.is_empty() && no == KEEP_ROWS && yes == TRUNCATE => unique(context)
            .map(Kind::Unique)
            .ok_or_else(|| ambiguous("the constraint and its table cannot be determined")),
        _ if question.contains(RENAMED) => rename(question, choices).map(Kind::Rename).map_err(ambiguous),
        _ if question == "Please select migration to drop:" => Ok(Kind::DropMigration),
        _ => Ok(Kind::Unknown),
    }
}

/// Reads the last question: execute all statements, or lose what the lines above announce.
fn consent(button: &str, context: &[String], n_truncations: usize) -> Option<Kind> {
    // A name with a line break could draw a heading of its own, and hide what stands before or behind it.
    let positions = |is: &dyn Fn(&String) -> bool| -> Vec<usize> {
        context.iter().enumerate().filter(|(_, line)| is(line)).map(|(idx, _)| idx).collect()
    };
    let begins = positions(&|line| line.contains(LOSSES_BEGIN));
    let ends = positions(&|line| line.contains(LOSSES_END));
    let (begin, end) = match (begins.as_slice(), ends.as_slice()) {
        ([], []) => (None, context.len()),
        ([begin], [end]) if begin < end => (Some(*begin), *end),
        _ => return None,
    };
    let Some(begin) = begin else {
        // Without a warning only the strict prompt may stand here; or the truncations chosen before, never named again.
        let chosen = count(button, &TRUNCATED) == Some(n_truncations as u64) && n_truncations > 0;
        return (button == EXECUTE || chosen).then_some(Kind::Execute);
    };
    if button == EXECUTE {
        return None;
    }
    let announced = context[begin + 1..end].iter();
    let mut losses: Vec<Loss> = announced.filter(|line| !line.is_empty()).map(|line| loss(line)).collect();
    let n_named = |is: fn(&LossKind) -> bool| losses.iter().filter(|loss| is(&loss.kind)).count() as u64;
    let truncates = |kind: &LossKind| {
        matches!(kind, LossKind::Truncate { .. } | LossKind::ChangeType { .. } | LossKind::PrimaryKey { .. })
    };
    let unnamed = [
        (&REMOVED_TABLES, n_named(|kind| matches!(kind, LossKind::Table(_)))),
        (&REMOVED_COLUMNS, n_named(|kind| matches!(kind, LossKind::Column { .. }))),
        (&REMOVED_VIEWS, n_named(|kind| matches!(kind, LossKind::View(_)))),
        (&TRUNCATED, n_named(truncates) + n_truncations as u64),
    ]
    .iter()
    .any(|(words, n_named)| count(button, words).unwrap_or(0) > *n_named);
    if unnamed {
        losses.push(Loss { kind: LossKind::Unknown, text: button.trim_end().to_owned(), count: None });
    }
    if losses.is_empty() && n_truncations > 0 {
        return Some(Kind::Execute);
    }
    Some(Kind::DataLoss(losses))
}

static REMOVED_TABLES: LazyLock<Regex> = LazyLock::new(|| regex(r"remove (\d+) tables?"));
static REMOVED_COLUMNS: LazyLock<Regex> = LazyLock::new(|| regex(r"remove (\d+) columns?"));
static REMOVED_VIEWS: LazyLock<Regex> = LazyLock::new(|| regex(r"remove (\d+) materialized? views?"));
static TRUNCATED: LazyLock<Regex> = LazyLock::new(|| regex(r"truncate (\d+) tables?"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant that a test compiles")
}

fn count(text: &str, words: &Regex) -> Option<u64> {
    words.captures(text)?[1].parse().ok()
}

/// Reads one line of the warning. What is not understood to the last letter is [`LossKind::Unknown`].
fn loss(line: &str) -> Loss {
    static COUNT: LazyLock<Regex> = LazyLock::new(|| regex(r" (\d+) (?:items|tables)$"));
    let counted = count(line, &COUNT);
    let kind = line.strip_prefix("· You're about to ").and_then(loss_kind).unwrap_or(LossKind::Unknown);
    Loss { kind, text: line.to_owned(), count: counted }
}

/// Reads what comes after "You're about to". Names are printed unescaped, so the words around them must fit once.
fn loss_kind(announced: &str) -> Option<LossKind> {
    static ENDING: LazyLock<Regex> = LazyLock::new(|| regex(r" with \d+ (?:items|tables)$"));
    static CONTAINS: LazyLock<Regex> = LazyLock::new(|| regex(r",? which contains \d+ items$"));
    let own = |name: &str| Some(name.to_owned());
    if let Some(rest) = announced.strip_prefix("delete ") {
        let rest = &rest[..ENDING.find(rest)?.start()];
        if let Some(names) = rest.strip_suffix(" table") {
            return Some(match split_once(names, " column in ") {
                Some((column, table)) => LossKind::Column { table: own(table)?, column: own(column)? },
                None if names.contains(" column in ") => return None,
                None => LossKind::Table(own(names)?),
            });
        }
        if let Some(name) = rest.strip_suffix(" schema") {
            return own(name).map(LossKind::Schema);
        }
        let name = rest.strip_suffix(" materialized view")?.strip_prefix('"')?.strip_suffix('"')?;
        return own(name).map(LossKind::View);
    }
    if let Some(rest) = announced.strip_prefix("change ") {
        let primary_key = " primary key. This statements may fail and you table may left without primary key";
        if let Some(table) = rest.strip_suffix(primary_key) {
            return Some(LossKind::PrimaryKey { table: own(table)? });
        }
        let rest = &rest[..ENDING.find(rest)?.start()];
        let (column, types) = split_once(rest, " column type from ")?;
        let (from, to) = split_once(types, " to ")?;
        return Some(LossKind::ChangeType { column: own(column)?, from: own(from)?, to: own(to)? });
    }
    let column = if let Some(rest) = announced.strip_prefix("add not-null constraint to ") {
        rest[..CONTAINS.find(rest)?.start()].strip_suffix(" column without default value")?
    } else if let Some(rest) = announced.strip_prefix("add not-null ") {
        let rest = &rest[..CONTAINS.find(rest)?.start()];
        rest.strip_suffix(" column without default value to table")
            .or_else(|| rest.strip_suffix(" column without default value"))?
    } else if let Some(rest) = announced.strip_prefix("set not-null constraint to ") {
        rest[..CONTAINS.find(rest)?.start()].strip_suffix(" column without default")?
    } else {
        let rest = announced.strip_prefix("remove default value from ")?;
        rest[..ENDING.find(rest)?.start()].strip_suffix(" not-null column")?
    };
    Some(LossKind::Truncate { column: own(column)? })
}

/// Splits at a separator that occurs exactly once.
fn split_once<'a>(text: &'a str, separator: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(separator).filter(|(_, right)| !right.contains(separator))
}

/// Reads the line above the question about a unique constraint.
fn unique(context: &[String]) -> Option<Unique> {
    let line = context.iter().rev().find(|line| !line.is_empty())?;
    // 0.21 ends its spinner without a line end, so the sentence may stand behind it.
    let (_, rest) = split_once(line, "· You're about to add ")?;
    let (constraint, rest) = split_once(rest, " unique constraint to the table, which contains ")?;
    let asked =
        " items. If this statement fails, you will receive an error from the database. Do you want to truncate ";
    let (rows, table) = split_once(rest, asked)?;
    let table = table.strip_suffix(" table?")?.to_owned();
    Some(Unique { constraint: constraint.to_owned(), table, rows: rows.parse().ok()? })
}

/// Reads a question about a rename. Each choice must follow the grammar exactly: a name with a line break in it,
/// or one that contains the arrow in a place that matters, does not.
fn rename(question: &str, choices: &[String]) -> Result<Rename, &'static str> {
    let asked = question.strip_prefix("Is ").ok_or("it does not begin with \"Is\"")?;
    if asked.contains('\n') {
        return Err("a name in it has a line break");
    }
    let (create, renames) = choices.split_first().ok_or("there is no choice")?;
    let entity = Entity::ALL
        .into_iter()
        .find(|entity| asked.ends_with(&format!(" {RENAMED} {}?", entity.word())))
        .ok_or("the kind of object is unknown")?;
    let word = entity.word();
    let name = create
        .strip_prefix("+ ")
        .and_then(|label| label.strip_suffix(&format!(" create {word}")))
        .map(str::trim_end)
        .ok_or("the first choice does not create")?;
    let rest = asked.strip_prefix(name).ok_or("the first choice creates something else")?;
    let table = if entity == Entity::Column {
        let rest = rest.strip_prefix(" column in ").ok_or("the column and its table cannot be determined")?;
        let table = rest.strip_suffix(&format!(" table {RENAMED} column?"));
        Some(table.ok_or("the column and its table cannot be determined")?.to_owned())
    } else if rest == format!(" {word} {RENAMED} {word}?") {
        None
    } else {
        return Err("the question and the first choice name different things");
    };
    let mut candidates: Vec<String> = Vec::with_capacity(renames.len());
    for choice in renames {
        let old = choice
            .strip_prefix("~ ")
            .and_then(|label| label.strip_suffix(&format!(" rename {word}")))
            .and_then(|label| label.trim_end().strip_suffix(&format!(" › {name}")))
            .ok_or("a choice is not a rename to the new name")?;
        if candidates.iter().any(|known| known == old) {
            return Err("two choices read the same");
        }
        candidates.push(old.to_owned());
    }
    Ok(Rename { entity, name: name.to_owned(), table, schema: None, candidates })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    fn text(printed: &str) -> Text {
        Text { lines: lines(printed), printed: printed.to_owned(), ..Text::default() }
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    fn kind_of(context: &str, frame: &str) -> Kind {
        read(&lines(frame), text(context), 0).expect("the frame is a prompt").kind
    }

    #[test]
    fn every_pattern_compiles() {
        for pattern in [&REMOVED_TABLES, &REMOVED_COLUMNS, &REMOVED_VIEWS, &TRUNCATED] {
            assert!(!pattern.as_str().is_empty());
        }
    }

    #[test]
    fn every_line_of_the_warning_is_read_in_every_dialect() {
        let column = |table: &str, column: &str| LossKind::Column { table: table.into(), column: column.into() };
        let truncate = |column: &str| LossKind::Truncate { column: column.into() };
        let cases = [
            ("delete users table with 3 items", LossKind::Table("users".into()), Some(3)),
            ("delete name column in users table with 1 items", column("users", "name"), Some(1)),
            ("delete sa schema with 2 tables", LossKind::Schema("sa".into()), Some(2)),
            ("delete \"mv\" materialized view with 4 items", LossKind::View("mv".into()), Some(4)),
            (
                "change age column type from text to integer with 2 items",
                LossKind::ChangeType { column: "age".into(), from: "text".into(), to: "integer".into() },
                Some(2),
            ),
            ("remove default value from a not-null column with 5 items", truncate("a"), Some(5)),
            ("set not-null constraint to a column without default, which contains 6 items", truncate("a"), Some(6)),
            (
                "add not-null constraint to a column without default value, which contains 7 items",
                truncate("a"),
                Some(7),
            ),
            ("add not-null a column without default value, which contains 8 items", truncate("a"), Some(8)),
            ("add not-null a column without default value to table, which contains 9 items", truncate("a"), Some(9)),
            (
                "change users primary key. This statements may fail and you table may left without primary key",
                LossKind::PrimaryKey { table: "users".into() },
                None,
            ),
            ("do something else with 2 items", LossKind::Unknown, Some(2)),
            ("delete a column in b column in c table with 1 items", LossKind::Unknown, Some(1)),
        ];
        for (announced, kind, count) in cases {
            let text = format!("· You're about to {announced}");
            assert_eq!(loss(&text), Loss { kind, count, text: text.clone() });
        }
    }

    const WARNING: &str = " Warning  Found data-loss statements:\n· You're about to delete users table with 3 items\n\n\
                           THIS ACTION WILL CAUSE DATA LOSS AND CANNOT BE REVERTED\n\nDo you still want to push changes?";

    #[test]
    fn consent_is_read_with_its_warning() {
        let losses = |button: &str| match kind_of(WARNING, &format!("❯ No, abort\n  {button}")) {
            Kind::DataLoss(losses) => losses.into_iter().map(|loss| loss.kind).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        };
        let table = LossKind::Table("users".into());
        assert_eq!(losses("Yes, I want to remove 1 table,"), std::slice::from_ref(&table));
        // The button of 0.20 to 0.24 ends after the comma, that of SQLite without one.
        assert_eq!(losses("Yes, I want to remove 1 table"), std::slice::from_ref(&table));
        let more = losses("Yes, I want to remove 2 tables, remove 1 column,");
        assert_eq!(more, [table, LossKind::Unknown], "the button announces more than the lines do");
        assert_eq!(kind_of("", "❯ No, abort\n  Yes, I want to execute all statements"), Kind::Execute);
    }

    #[test]
    fn a_button_that_contradicts_its_warning_is_ambiguous() {
        let check = |context: &str, button: &str| {
            let frame = lines(&format!("❯ No, abort\n  {button}"));
            assert!(matches!(read(&frame, text(context), 0), Err(Unreadable::Ambiguous { .. })), "{button}");
        };
        check(WARNING, "Yes, I want to execute all statements");
        let twice = format!("{WARNING}\n{WARNING}");
        check(&twice, "Yes, I want to remove 1 table,");
        check(WARNING.split_once("THIS").expect("it ends so").0, "Yes, I want to remove 1 table,");
        check("", "Yes, I want to remove 1 table,");
        check("", "Yes, I want to truncate 1 table");
    }

    #[test]
    fn truncations_that_were_chosen_before_are_not_announced_again() {
        let frame = lines("❯ No, abort\n  Yes, I want to truncate 1 table");
        let read = read(
            &frame,
            text(" Warning  Found data-loss statements:\n\nTHIS ACTION WILL CAUSE DATA LOSS AND CANNOT BE REVERTED"),
            1,
        );
        assert_eq!(read.expect("it is the consent to what was chosen").kind, Kind::Execute);
    }

    #[test]
    fn the_unique_question_stands_above_its_choices() {
        // 0.21 prints it behind its spinner.
        let context = "[✓] Pulling schema from database...· You're about to add users_name_unique unique constraint to the \
                       table, which contains 12 items. If this statement fails, you will receive an error from the database. \
                       Do you want to truncate users table?\n";
        let frame = "❯ No, add the constraint without truncating the table\n  Yes, truncate the table";
        let expected = Unique { constraint: "users_name_unique".into(), table: "users".into(), rows: 12 };
        assert_eq!(kind_of(context, frame), Kind::Unique(expected));
    }

    #[test]
    fn other_lists_are_known_by_their_shape_alone() {
        assert_eq!(kind_of("", "Please select migration to drop:\n  0000_a\n❯ 0001_b\n"), Kind::DropMigration);
        assert_eq!(kind_of("", "Which colour?\n❯ red\n  green"), Kind::Unknown);
        let no_list =
            |frame: &str| assert_eq!(read(&lines(frame), Text::default(), 0), Err(Unreadable::NoList), "{frame}");
        no_list("Name:");
        no_list("❯ a\n❯ b");
        no_list("  a\n  b");
        no_list("");
    }

    #[test]
    fn a_rename_that_breaks_the_grammar_is_ambiguous() {
        let question = "Is new table created or renamed from another table?";
        let check = |choices: &str| {
            let frame = lines(&format!("\n{question}\n{choices}"));
            assert!(matches!(read(&frame, Text::default(), 0), Err(Unreadable::Ambiguous { .. })), "{choices}");
        };
        check("❯ + other create table");
        check("❯ + new create column");
        check("❯ + new create table\n  ~ old › other rename table");
        check("❯ + new create table\n  ~ old\n  x › new rename table"); // a line break in a name
        check("❯ + new create table\n  ~ a › new rename table\n  ~ a › new rename table");
        check("❯ ~ old › new rename table");
    }

    /// Names are printed as they are: whatever they are, they are read back, or the prompt is called ambiguous.
    #[test]
    fn names_are_read_back_or_called_ambiguous() {
        let n_read = std::cell::Cell::new(0);
        let asked = (name(), name(), prop::collection::vec(name(), 0..4), 0..Entity::ALL.len());
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let held = TestRunner::new(config).run(&asked, |(new, table, old, entity)| {
            let entity = Entity::ALL[entity];
            let word = entity.word();
            let subject = match entity {
                Entity::Column => format!("{new} column in {table} table"),
                _ => format!("{new} {word}"),
            };
            let width = old.iter().map(|old| old.chars().count() + 3).max().unwrap_or(0) + new.chars().count();
            let mut frame = format!("\nIs {subject} {RENAMED} {word}?\n❯ + {new:<width$} create {word}");
            for old in &old {
                frame += &format!("\n  ~ {:<width$} rename {word}", format!("{old} › {new}"));
            }
            if let Ok(Prompt { kind: Kind::Rename(rename), .. }) = read(&lines(&frame), Text::default(), 0) {
                n_read.set(n_read.get() + 1);
                let table = (entity == Entity::Column).then_some(table);
                prop_assert_eq!(rename, Rename { entity, name: new, table, schema: None, candidates: old });
            }
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{error}"));
        assert!(n_read.get() >= 50, "{} questions were read", n_read.get());
    }

    fn name() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z_]{1,63}",
            "[a-z›\" .❯~+é漢]{1,20}",
            Just("a column in b".to_owned()),
            Just("x › y".to_owned()),
            Just("x table created or renamed from another table?".to_owned()),
            Just("two\nlines".to_owned()),
        ]
    }
}
