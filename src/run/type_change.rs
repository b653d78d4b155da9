//! Says how a column can change its type and keep its rows, where the server would not convert it unasked.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::db::Dsn;
use crate::db::cast::{self, Examined, Outcome, Tried};
use crate::db::inspect::reach::Relation;
use crate::db::limits;
use crate::outcome::{Error, Verdict};
use crate::policy::{ObjectName, Policy, Scope, decide};
use crate::sql::effect::{Effect, Using};
use crate::sql::{self, Dialect};

/// Columns that are looked at in one run.
const MOST: usize = 5;

/// How columns can change their types.
#[derive(Debug, Default)]
pub struct Advice {
    /// One text for each column.
    texts: Vec<String>,
    /// The columns whose values an expression converts, with it.
    conversions: Vec<(ObjectName, String)>,
    /// drizzle-kit empties a table before, which need not be.
    truncates: bool,
}

/// Returns advice for each change of type among the statements that says nothing of USING and would fail without it.
pub fn advise(dsn: &Dsn, statements: &[String], patience: Duration) -> Advice {
    let end = Instant::now() + limits::ADVICE.min(patience);
    let truncates = !sql::rewrite::skippable_truncates(statements).is_empty();
    let effects = statements.iter().flat_map(|statement| sql::read(statement, Dialect::Postgres).effects);
    let changes = effects.filter_map(|effect| match effect {
        Effect::ChangeType { column, to, using: Using::Assignment } => Some((column, to.text)),
        _ => None,
    });
    let mut advice = Advice { truncates, ..Advice::default() };
    for (column, new_type) in changes.take(MOST) {
        let [schema, table, name] = column.parts() else { continue };
        let relation = Relation { schema: schema.clone(), name: table.clone() };
        let new_type = sql::rewrite::meant_type(&new_type).map_or(new_type.clone(), str::to_owned);
        // Advice is no part of the run: where the server cannot be asked there is none.
        let examined = cast::examine(dsn, &relation, name, &new_type, end.saturating_duration_since(Instant::now()));
        if let Ok(Examined::Tried(tried)) = examined {
            let Some(text) = told(&column.to_string(), &tried, truncates) else { continue };
            advice.texts.push(text);
            let is_needed = !matches!(tried.assigned, Some(Outcome::Loses { .. } | Outcome::Keeps));
            advice
                .conversions
                .extend(tried.using().filter(|_| is_needed).map(|using| (column.clone(), using.to_owned())));
        }
    }
    advice
}

impl Advice {
    /// Returns the texts, and the lines of a policy that do what they say.
    pub fn with_lines(self, policy: &Policy, scope: &Scope<'_>) -> Vec<String> {
        let Advice { mut texts, conversions, truncates } = self;
        if !conversions.is_empty()
            && let Some(allow) = decide::conversions(policy, &conversions, truncates, scope)
        {
            texts.push(format!("these lines keep the rows\n{allow}"));
        }
        texts
    }

    /// Returns the texts alone.
    pub fn texts(self) -> Vec<String> {
        self.texts
    }
}

/// Returns the advice on one column; none where the server needs no help. drizzle-kit 0.20 to 0.30 truncates first.
fn told(column: &str, tried: &Tried, truncates: bool) -> Option<String> {
    let Tried { old_type, new_type, n_rows, .. } = tried;
    let rows = if tried.whole { format!("{n_rows} rows") } else { format!("the first {n_rows} rows") };
    let mut text = match &tried.assigned {
        None => format!("{column} cannot be converted from {old_type} to {new_type} automatically"),
        Some(Outcome::Fails { n_failed, examples, message }) => {
            let examples = quoted(examples);
            let text = format!(
                "{column} cannot be converted to {new_type}: {n_failed} of {rows} do not fit, such as {examples} ({message})"
            );
            if tried.best.is_none() {
                return Some(format!("{text}\n  change these rows first, or choose a wider type"));
            }
            text
        }
        Some(Outcome::Loses { n_lost, examples }) => {
            let examples: Vec<String> = examples.iter().map(|(old, new)| format!("{old:?} as {new:?}")).collect();
            let examples = examples.join(", ");
            return Some(format!(
                "{n_lost} of {rows} would lose information in {column} as {new_type}, such as {examples}"
            ));
        }
        Some(Outcome::TooSlow | Outcome::Untried) => {
            return Some(format!("it was not determined in time whether {rows} of {column} fit {new_type}"));
        }
        Some(Outcome::Keeps) if truncates => {
            return Some(format!(
                "{column} is converted to {new_type} automatically and keeps {rows}: push --apply transaction omits the \
                 TRUNCATE if the policy has truncate = \"skip\" under [hazards]"
            ));
        }
        Some(Outcome::Keeps | Outcome::Blanks { .. } | Outcome::Unproven | Outcome::Impossible { .. }) => return None,
    };
    match (tried.using(), tried.statement()) {
        (Some(using), Some(statement)) => {
            let outcome = tried.best.map(|best| &tried.trials[best].outcome);
            let kept = match outcome {
                Some(Outcome::Blanks { n_null }) => format!("keeps {rows}; {n_null} blank values become NULL"),
                _ => format!("keeps {rows}"),
            };
            let _ = write!(text, "; USING {using} {kept}\n  in a migration:\n      {statement}");
            if tried.has_default {
                text += "\n  drop the default of the column first, and set it again afterwards";
            }
        }
        _ => {
            let fails = tried.trials.iter().filter_map(|trial| match &trial.outcome {
                Outcome::Fails { n_failed, examples, .. } => Some((n_failed, &trial.using, examples)),
                _ => None,
            });
            let _ = match fails.min_by_key(|(n_failed, ..)| **n_failed) {
                Some((n_failed, using, examples)) => write!(
                    text,
                    ", and no cast fits {rows}: USING {using} fails for {n_failed}, such as {}\n  \
                     change these rows first, or drop and add the column",
                    quoted(examples)
                ),
                None => write!(text, ", and no cast between the two types keeps {rows}"),
            };
        }
    }
    Some(text)
}

fn quoted(examples: &[String]) -> String {
    examples.iter().map(|example| format!("{example:?}")).collect::<Vec<_>>().join(", ")
}

/// Tells whether an error is about a value that does not become one of another type: 42804 (no cast applies unasked), 42846
/// (there is none), 42883 (an operator misses one), and class 22, where a value does not fit.
pub fn concerns(error: &Error) -> bool {
    let sqlstate = error.sqlstate.as_deref().unwrap_or_default();
    matches!(sqlstate, "42804" | "42846" | "42883") || (sqlstate.starts_with("22") && sqlstate.len() == 5)
}

/// Adds advice to the hint of a verdict.
pub fn add(verdict: Verdict, advice: Vec<String>) -> Verdict {
    if advice.is_empty() {
        return verdict;
    }
    let hints: Vec<String> = verdict.hint.clone().into_iter().chain(advice).collect();
    verdict.hint(hints.join("\nhint: "))
}
