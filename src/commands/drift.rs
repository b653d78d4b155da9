//! Says how a database differs from what its migrations make: they are run in a database of their own, and the schemas
//! compared.
//!
//! drizzle-kit is not asked to build it. It would run the history in one transaction, which not every history survives,
//! and it would need a config of its own; the same queries in the same order make the same schema.

use std::path::PathBuf;

use crate::commands::look::{self, Clock};
use crate::commands::migrations::Ground;
use crate::commands::transaction::of_fault;
use crate::db::fingerprint::{self, Fingerprint};
use crate::db::history::{History, Records};
use crate::db::scratch::{self, Blueprint, ScratchError};
use crate::exit::Exit;
use crate::migrations::query::{Query, meant};
use crate::migrations::state::{Migration, State, Status};
use crate::report::{self, Verdict};

/// Two schemas, compared.
pub struct Compared {
    /// The database as it was when it was compared.
    pub seen: Fingerprint,
    /// One readable line each. "Appeared" is what the database has and the migrations do not make.
    pub differences: Vec<String>,
}

/// Returns the migrations that a database ought to be made of: those of its history; all of them, where it has none.
pub fn made_of<'a>(status: &Status<'a>, history: &History) -> Vec<Migration<'a>> {
    let is_recorded = |migration: &&Migration| match migration.state {
        State::Applied | State::Edited | State::Repeated => true,
        State::Pending | State::Skipped | State::MissingFile => history.records().is_empty(),
    };
    status.migrations.iter().filter(is_recorded).copied().collect()
}

/// Compares the database with what these migrations make.
///
/// # Errors
/// With the verdict, where no database can be made for them, or they do not run in it.
pub fn of_database(
    ground: &Ground,
    history: &History,
    migrations: &[Migration],
    clock: &Clock,
) -> Result<Compared, Verdict> {
    let files = migrations.iter().filter_map(|migration| migration.file);
    let all: Vec<Query> = files.flat_map(meant).filter(|query| !query.is_blank()).collect();
    let blueprint = Blueprint {
        statements: all.iter().map(|query| query.text.to_owned()).collect(),
        history: (history.records != Records::Absent).then(|| history.table.clone()),
    };
    let made = scratch::build(ground.dsn(), &blueprint, clock.rest())
        .map_err(|error| not_built(&error, &all, ground, clock))?;
    let seen = fingerprint::fingerprint(ground.dsn(), clock.rest()).map_err(|error| look::failed(&error, clock))?;
    let differences = fingerprint::difference(&made.lines, &seen.lines);
    Ok(Compared { seen, differences: differences.iter().map(ToString::to_string).collect() })
}

fn not_built(error: &ScratchError, all: &[Query], ground: &Ground, clock: &Clock) -> Verdict {
    match error {
        ScratchError::Unready(error) => look::failed(error, clock),
        ScratchError::MayNotCreate { user } => Verdict::nothing(Exit::Failed, error.to_string())
            .hint(format!("ALTER ROLE \"{user}\" CREATEDB, or name with --url a role that may create databases")),
        ScratchError::Statement { idx, fault } => {
            let query = &all[*idx];
            let at = query.place(fault.position.and_then(|position| usize::try_from(position).ok()?.checked_sub(1)));
            let file: PathBuf = ground.file(query.file.tag());
            let summary = format!("{error} ({}), {}:{}", fault.sqlstate, file.display(), at.line);
            let cause = report::Error {
                file: Some(file.display().to_string()),
                line: Some(at.line),
                ..of_fault(fault, Some(&query.text.trim().to_owned()))
            };
            let verdict = Verdict::nothing(Exit::Failed, summary).because(cause);
            verdict.hint("a database that was built by them cannot be told from one that was not: correct the migration first, or what it needs beside the migrations (roles, settings)")
        }
    }
}
