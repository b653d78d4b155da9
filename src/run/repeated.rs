//! Finds the statements that drizzle-kit repeats at every push although they change nothing, before any of them is judged.
//!
//! They are left out where nothing else would run, where drizzle-pilot runs the rest itself, and of a second look. What
//! drizzle-kit executes, it executes whole: then they are judged as the others.

use crate::compare::phantom;
use crate::db::inspect::fingerprint;
use crate::kit::block;
use crate::kit::prompt::Prompt;
use crate::output::console::Console;
use crate::policy::model::Apply;
use crate::run::context::{Cleared, Starting};
use crate::run::record::Repeated;
use crate::sql::{self, Dialect};

/// What is repeated above the last question.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The statements to leave out.
    pub statements: Vec<Repeated>,
    /// Whether there is nothing else.
    pub is_everything: bool,
}

/// Compares the statements above the last question with what the schema files make and with what the database has. Where
/// either is not known, nothing is repeated.
#[tracing::instrument(name = "repeated", skip_all)]
pub(super) fn find(start: &Starting, cleared: &Cleared, prompt: &Prompt, looks: bool, console: &mut Console) -> Found {
    let (Some(Dialect::Postgres), Some(dsn)) = (cleared.place.dialect, &cleared.place.dsn) else {
        return Found::default();
    };
    let (Some(schema_files), Some(connection)) = (start.lent.schema_files, cleared.connection(start)) else {
        return Found::default();
    };
    let Some(statements) =
        block::find(&prompt.printed).ok().and_then(|block| sql::split(&block, Dialect::Postgres).ok())
    else {
        return Found::default();
    };
    // What went wrong is said by the look at what is at stake, which asks the same server.
    let Ok(there) = fingerprint::through(connection, start.patience()) else { return Found::default() };
    if !phantom::may_be_among(&statements, &there.lines) {
        return Found::default();
    }
    let made = match schema_files.schema(start.cwd, dsn, &cleared.policy, &start.clock, console) {
        Ok(made) => made,
        Err(verdict) => {
            tracing::info!(verdict.summary, "the schema files could not be compared");
            console.detail(&format!("  statements that change nothing could not be told apart: {}", verdict.summary));
            return Found::default();
        }
    };
    let phantoms = phantom::find(&statements, &made, &there.lines);
    let is_everything = phantoms.iter().all(Option::is_some);
    let repeated: Vec<Repeated> = statements
        .into_iter()
        .zip(phantoms)
        .filter_map(|(sql, phantom)| Some(Repeated { sql, phantom: phantom? }))
        .collect();
    if repeated.is_empty() {
        return Found::default();
    }
    let said = phantom::counted(repeated.len());
    if !looks && !start.spec.only_plans() {
        console.say(&said);
    }
    for Repeated { sql, phantom } in &repeated {
        tracing::info!(sql, phantom.reason, "repeated");
        console.detail(&format!("  repeated: {} ({})", sql::one_line(sql), phantom.reason));
    }
    if is_everything || looks || cleared.apply == Apply::Transaction {
        return Found { statements: repeated, is_everything };
    }
    console
        .warn(&format!("{said}, and drizzle-kit executes them with the others; --apply transaction leaves them out"));
    Found::default()
}
