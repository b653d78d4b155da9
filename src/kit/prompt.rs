//! Reads a prompt off a whole frame. Pure: rows in, prompt out.
//!
//! A list of choices is recognised by its shape, whatever its wording. Only then the wording tells what it is about,
//! and a wording that almost fits is called ambiguous. The sentences are those of drizzle-kit 0.20 to 0.31
//! (`cli/views.ts`, `cli/commands/push.ts`, `pgPushUtils.ts` and its siblings).

use std::sync::LazyLock;

use regex::Regex;

/// What hanji, drizzle-kit's prompt library, draws before the highlighted choice.
pub const MARKER: &str = "❯ ";
/// What it draws before the others.
const BLANK: &str = "  ";

/// The choice that declines, in every version.
pub const ABORT: &str = "No, abort";
/// What the consenting choice of a data-loss prompt begins with; some versions end it after the blank.
const CONSENT: &str = "Yes, I want to";
/// The consenting choice of the strict prompt.
const EXECUTE: &str = "Yes, I want to execute all statements";
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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
}

/// A created entity and those it may have been renamed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rename {
    pub entity: Entity,
    /// The new name as drizzle-kit shows it: `name`, or `schema.name` outside of `public`; columns without table.
    pub name: String,
    /// The table of a column, as drizzle-kit shows it: without its schema, and with its new name if it was renamed.
    pub table: Option<String>,
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
    /// Every kind, in the order in which drizzle-kit asks.
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
        }
    }
}

/// Why a frame is not a prompt that can be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the screen shows no list with exactly one highlighted choice")]
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
/// `context` are the lines printed since the last prompt; `n_truncations` is how many truncations were already chosen
/// in this run, which drizzle-kit counts again in its last question without naming them.
///
/// # Errors
/// When the frame has no list, or when it can be read in two ways.
pub fn read(lines: &[String], context: Vec<String>, n_truncations: usize) -> Result<Prompt, Unreadable> {
    let highlighted = highlighted(lines).ok_or(Unreadable::NoList)?;
    let (question, choices) = lines.split_at(list(lines).start);
    let question: Vec<&str> = question.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let question = question.join("\n");
    let choices: Vec<String> = choices.iter().filter(|line| !line.is_empty()).map(|line| label(line)).collect();
    let kind = kind(&question, &choices, &context, n_truncations)?;
    Ok(Prompt { question, context, choices, highlighted, kind })
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
        [no, yes] if question.is_empty() && no == KEEP_ROWS && yes == TRUNCATE => {
            unique(context).map(Kind::Unique).ok_or_else(|| ambiguous("the constraint and its table cannot be told"))
        }
        _ if question.contains(RENAMED) => rename(question, choices).map(Kind::Rename).map_err(ambiguous),
        _ if question == "Please select migration to drop:" => Ok(Kind::DropMigration),
        _ => Ok(Kind::Unknown),
    }
}

/// Reads the last question: execute all statements, or lose what the lines above announce.
fn consent(button: &str, context: &[String], n_truncations: usize) -> Option<Kind> {
    let begin = context.iter().rposition(|line| line.contains(LOSSES_BEGIN));
    let Some(begin) = begin else {
        // Without a warning only the strict prompt may stand here; or the truncations chosen before, never named again.
        let chosen = count(button, &TRUNCATED) == Some(n_truncations as u64) && n_truncations > 0;
        return (button == EXECUTE || chosen).then_some(Kind::Execute);
    };
    if button == EXECUTE {
        return None;
    }
    let announced = context[begin + 1..].iter().take_while(|line| *line != LOSSES_END);
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
    let column = if let Some(rest) = announced.strip_prefix("add not-null ") {
        let rest = &rest[..CONTAINS.find(rest)?.start()];
        rest.strip_suffix(" column without default value to table")
            .or_else(|| rest.strip_suffix(" column without default value"))?
    } else if let Some(rest) = announced.strip_prefix("set not-null constraint to ") {
        rest[..CONTAINS.find(rest)?.start()].strip_suffix(" column without default")?
    } else if let Some(rest) = announced.strip_prefix("add not-null constraint to ") {
        rest[..CONTAINS.find(rest)?.start()].strip_suffix(" column without default value")?
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
    let (create, renames) = choices.split_first().ok_or("there is no choice")?;
    let entity = Entity::ALL
        .into_iter()
        .find(|entity| asked.ends_with(&format!(" {RENAMED} {}?", entity.word())))
        .ok_or("the kind is not known")?;
    let word = entity.word();
    let name = create
        .strip_prefix("+ ")
        .and_then(|label| label.strip_suffix(&format!(" create {word}")))
        .map(str::trim_end)
        .ok_or("the first choice does not create")?;
    let rest = asked.strip_prefix(name).ok_or("the first choice creates something else")?;
    let table = if entity == Entity::Column {
        let rest = rest.strip_prefix(" column in ").ok_or("the column and its table cannot be told")?;
        let table = rest.strip_suffix(&format!(" table {RENAMED} column?"));
        Some(table.ok_or("the column and its table cannot be told")?.to_owned())
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
            .ok_or("a choice is no rename to the new name")?;
        if candidates.iter().any(|known| known == old) {
            return Err("two choices read the same");
        }
        candidates.push(old.to_owned());
    }
    Ok(Rename { entity, name: name.to_owned(), table, candidates })
}
