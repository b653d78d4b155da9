//! Says how a database differs from what its migrations make: they are run in a database of their own, and the schemas
//! compared.
//!
//! drizzle-kit is not asked to build it. It would run all migrations in one transaction, which not every folder survives,
//! and it would need a config of its own; the same queries in the same order make the same schema.

use std::path::PathBuf;

use crate::clock::Clock;
use crate::compare::difference::{Differences, MadeBy};
use crate::db::change::scratch::{Built, ScratchError};
use crate::db::inspect::fingerprint::{self, Fingerprint};
use crate::db::inspect::lines::{self, Line};
use crate::db::inspect::migrations_table::{MigrationsTable, Records};
use crate::migrations::query::{Query, meant};
use crate::migrations::state::{Migration, State, Status};
use crate::outcome::{Error, Exit, Verdict};

use crate::project::filters::Divided;
use crate::project::migrations::MigrationsContext;
use crate::project::unseen;
use crate::proof::scratch::{self, NotMade, Origin, Settings, Wanted};
use crate::run::transaction::of_fault;
use crate::sql::action::confined::Leaves;

/// Two schemas, compared.
pub struct Compared {
    /// The database as it was when it was compared.
    pub seen: Fingerprint,
    /// The lines of what the migrations make.
    pub made: Vec<String>,
    pub differences: Differences,
    /// Schemas and tables of the database that drizzle's config leaves out.
    pub left_out: Vec<String>,
}

/// Returns the migrations that a database ought to be made of: those in its migrations table; all of them, where that has none.
pub fn made_of<'a>(status: &Status<'a>, migrations_table: &MigrationsTable) -> Vec<Migration<'a>> {
    let is_recorded = |migration: &&Migration| match migration.state {
        State::Applied | State::Edited | State::Repeated => true,
        State::Pending | State::Skipped | State::MissingFile => migrations_table.records().is_empty(),
    };
    status.migrations.iter().filter(is_recorded).copied().collect()
}

/// Compares the database with what these migrations make.
///
/// # Errors
/// With the verdict, where no database can be made for them, or they do not run in it.
#[tracing::instrument(name = "drift", skip_all)]
pub fn of_database(
    context: &MigrationsContext,
    settings: &Settings,
    migrations_table: &MigrationsTable,
    migrations: &[Migration],
    clock: &Clock,
    warn: &mut dyn FnMut(String),
) -> Result<Compared, Verdict> {
    let files: Vec<Vec<Query>> = migrations
        .iter()
        .filter_map(|migration| migration.file)
        .map(|file| meant(file).filter(|query| !query.is_blank()).collect())
        .collect();
    let n_by_file: Vec<usize> = files.iter().map(Vec::len).collect();
    let all: Vec<Query> = files.into_iter().flatten().collect();
    let statements: Vec<String> = all.iter().map(|query| query.text.to_owned()).collect();
    let wanted = Wanted {
        dsn: context.dsn(),
        statements: &statements,
        files: &n_by_file,
        origin: Origin::Migrations,
        settings,
        migrations_table: (migrations_table.records != Records::Absent).then(|| migrations_table.table.clone()),
    };
    let made = scratch::make(&wanted, clock.rest(), warn);
    let made = made.map_err(|error| not_built(error, &all, context, clock))?;
    let seen = fingerprint::fingerprint(context.dsn(), clock.rest()).map_err(|error| unseen::verdict(&error, clock))?;
    let compared = beside(&made, &seen.lines);
    let differences = lines::difference(&made.lines, &compared);
    let Divided { differences, left_out } = context.filters().divide(differences, &made.lines, &compared);
    let differences = Differences::divided(MadeBy::Migrations, &differences, &made.lines, &compared);
    Ok(Compared { seen, made: made.lines, differences, left_out })
}

/// Returns the lines of the database that are compared: of a schema that was given to the migrations, only what they change there.
fn beside(made: &Built, seen: &[String]) -> Vec<String> {
    let is_compared = |line: &&String| {
        let is_given = Line::read(line).schema().is_some_and(|schema| made.given.contains(schema));
        !is_given || made.lines.contains(line)
    };
    seen.iter().filter(is_compared).cloned().collect()
}

fn not_built(error: NotMade, all: &[Query], context: &MigrationsContext, clock: &Clock) -> Verdict {
    let error = match error {
        NotMade::Leaves { leaves, advice } => return beyond(&leaves, advice, all, context),
        NotMade::Unfit { why, advice } => return Verdict::nothing(Exit::Failed, why).hint(advice),
        NotMade::Failed(error) => error,
    };
    match &error {
        ScratchError::Unready(error) => unseen::verdict(error, clock),
        ScratchError::MayNotCreate { user } => Verdict::nothing(Exit::Failed, error.to_string())
            .hint(format!("ALTER ROLE \"{user}\" CREATEDB, or name with --url a role that may create databases, or give a server for it with --scratch-url")),
        ScratchError::Prelude { fault } => {
            let summary = format!("{error} ({})", fault.sqlstate);
            Verdict::nothing(Exit::Failed, summary)
                .because(of_fault(fault, None))
                .hint("correct [scratch] prelude in the policy")
        }
        ScratchError::Statement { idx, fault } => {
            let query = &all[*idx];
            let at = query.place(fault.position.and_then(|position| usize::try_from(position).ok()?.checked_sub(1)));
            let file: PathBuf = context.file(query.file.tag());
            let summary = format!("{error} ({}), {}:{}", fault.sqlstate, file.display(), at.line);
            let cause = Error {
                file: Some(file.display().to_string()),
                line: Some(at.line),
                ..of_fault(fault, Some(&query.text.trim().to_owned()))
            };
            let verdict = Verdict::nothing(Exit::Failed, summary).because(cause);
            verdict.hint("correct the migration first, or create what it needs (roles, settings): until it runs, the database cannot be compared with the migrations")
        }
    }
}

/// Names the statement that would act beyond the scratch database. None was run.
fn beyond(leaves: &Leaves, advice: String, all: &[Query], context: &MigrationsContext) -> Verdict {
    let query = &all[leaves.query_idx];
    let at = query.place_of(leaves.at);
    let file = context.file(query.file.tag()).display().to_string();
    let summary = format!("{file}:{}: the migrations cannot be run in a scratch database: {}", at.line, leaves.why);
    let cause = Error {
        message: leaves.why.clone(),
        statement: Some(query.text.trim().to_owned()),
        file: Some(file),
        line: Some(at.line),
        ..Error::default()
    };
    let verdict = Verdict::nothing(Exit::Refused, summary).because(cause);
    verdict.hint(advice)
}
