//! Plans in how many runs of drizzle's migrator the pending migrations go, each of which is one transaction. Pure.

use super::query::{Query, queries};
use super::state::{State, Status};
use crate::sql::transaction::{Why, obstacle};

/// What no number of runs gets past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle<'a> {
    /// PostgreSQL runs it outside of transactions alone.
    Alone { query: Query<'a>, what: &'static str },
    /// After a first run drizzle would pass over this migration, because its `when` is not the greatest.
    Order { tag: &'a str },
}

/// Returns how many entries of the journal each run has: one number where all can run at once.
///
/// A value that is added to an enum cannot be used before the transaction is committed (55P04), so that a history that
/// was applied step by step does not run in one go. drizzle's migrator takes all that is in the journal it is shown: a
/// shorter journal makes a shorter run.
///
/// # Errors
/// With what cannot run at all.
pub fn plan<'a>(status: &Status<'a>) -> Result<Vec<usize>, Obstacle<'a>> {
    let runs = |state: State| matches!(state, State::Pending | State::Repeated);
    let pending = status.migrations.iter().enumerate().filter(|(_, migration)| runs(migration.state));
    let all: Vec<(usize, Query)> = pending
        .clone()
        .filter_map(|(entry_idx, migration)| Some((entry_idx, migration.file?)))
        .flat_map(|(entry_idx, file)| queries(file).map(move |query| (entry_idx, query)))
        .collect();
    let texts: Vec<String> = all.iter().map(|(_, query)| query.text.to_owned()).collect();
    let (mut cuts, mut start) = (Vec::new(), 0);
    while let Some(found) = obstacle(&texts[start..]) {
        let at = start + found.statement_idx;
        let (entry_idx, query) = all[at];
        match found.why {
            Why::Alone { what } => return Err(Obstacle::Alone { query, what }),
            Why::NewValue { added_idx, .. } if all[start + added_idx].0 != entry_idx => {
                cuts.push(entry_idx);
                start = all.iter().position(|(other, _)| *other == entry_idx).unwrap_or(at);
            }
            // The server takes it, or says itself what is wrong with it.
            Why::NewValue { .. } | Why::Control { .. } | Why::Unreadable => start = at + 1,
        }
    }
    for cut in &cuts {
        let newest = pending.clone().filter(|(idx, _)| idx < cut).map(|(_, migration)| migration.entry.when).max();
        let passed = pending.clone().find(|(idx, migration)| idx >= cut && Some(migration.entry.when) <= newest);
        if let Some((_, passed)) = passed {
            return Err(Obstacle::Order { tag: &passed.entry.tag });
        }
    }
    cuts.push(status.migrations.len());
    Ok(cuts)
}

/// Returns what in a query begins or ends a transaction itself.
pub fn control(query: &Query) -> Option<&'static str> {
    match obstacle(&[query.text.to_owned()])?.why {
        Why::Control { what } => Some(what),
        Why::Alone { .. } | Why::NewValue { .. } | Why::Unreadable => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::migrations::{Folder, state};

    /// Checks in which steps migrations of these times and texts run.
    #[track_caller]
    fn check(migrations: &[(i64, &str)], expected: Result<&[usize], &str>) {
        let entries = migrations
            .iter()
            .enumerate()
            .map(|(idx, (when, _))| serde_json::json!({ "tag": format!("m{idx}"), "when": when }));
        let journal = serde_json::json!({ "entries": entries.collect::<Vec<_>>() }).to_string();
        let files =
            migrations.iter().enumerate().map(|(idx, (_, text))| (format!("m{idx}.sql"), text.as_bytes().to_vec()));
        let contents = files.chain([("meta/_journal.json".to_owned(), journal.into_bytes())]).collect();
        let folder = Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read");
        let status = state::compare(&folder, folder.journal().expect("it is a journal"), &[]);
        let found = plan(&status).map_err(|obstacle| match obstacle {
            Obstacle::Alone { query, what } => format!("{}: {what}", query.file.name),
            Obstacle::Order { tag } => format!("{tag}: order"),
        });
        assert_eq!(found, expected.map(<[usize]>::to_vec).map_err(str::to_owned));
    }

    const CREATE: &str = "CREATE TYPE mood AS ENUM ('ok'); CREATE TABLE t (m mood)";
    const ADD: &str = "ALTER TYPE mood ADD VALUE 'sad'";
    const USE: &str = "ALTER TABLE t ALTER COLUMN m SET DEFAULT 'sad'";

    #[test]
    fn a_value_is_used_in_the_step_after_the_one_that_adds_it() {
        check(&[(1, CREATE), (2, "ALTER TABLE t ADD COLUMN n int")], Ok(&[2]));
        check(&[(1, CREATE), (2, ADD), (3, USE)], Ok(&[2, 3]));
        check(
            &[
                (1, CREATE),
                (2, ADD),
                (3, "SELECT 1"),
                (4, USE),
                (5, "ALTER TYPE mood ADD VALUE 'mad'"),
                (6, "INSERT INTO t VALUES ('mad')"),
            ],
            Ok(&[3, 5, 6]),
        );
        check(&[], Ok(&[0]));
    }

    #[test]
    fn steps_need_times_that_grow() {
        check(&[(1, CREATE), (5, ADD), (3, USE)], Err("m2: order"));
        // In one run they do not.
        check(&[(5, CREATE), (3, "SELECT 1")], Ok(&[2]));
    }

    #[test]
    fn what_runs_outside_of_transactions_alone_is_named() {
        check(
            &[(1, CREATE), (2, "SELECT 1;--> statement-breakpoint\nCREATE INDEX CONCURRENTLY i ON t (m)")],
            Err("m1.sql: CREATE INDEX CONCURRENTLY"),
        );
    }

    #[test]
    fn what_the_server_has_to_judge_is_no_obstacle() {
        check(
            &[
                (1, CREATE),
                (
                    2,
                    "ALTER TYPE mood ADD VALUE 'sad';--> statement-breakpoint\nALTER TABLE t ADD COLUMN x text DEFAULT 'sad'",
                ),
            ],
            Ok(&[2]),
        );
        check(&[(1, "COMMIT"), (2, ADD), (3, USE)], Ok(&[2, 3]));
    }
}
