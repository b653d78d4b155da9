//! Plans in how many runs of drizzle's migrator the pending migrations go, each of which is one transaction. Pure.

use crate::migrations::folder::{Folder, SqlFile};
use crate::migrations::query::{Query, queries};
use crate::migrations::run::{Run, Trouble};
use crate::migrations::schema::Schema;
use crate::migrations::state::{State, Status};
use crate::sql::transaction::{Boundary, Bounds, undoes};
use crate::sql::{Dialect, script};

/// What no number of runs gets past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle<'a> {
    /// PostgreSQL runs it outside of transactions alone.
    Alone { query: Query<'a>, at: usize, what: &'static str },
    /// It undoes what ran before it: drizzle would record it as applied.
    Undone { query: Query<'a>, at: usize, what: &'static str },
    /// After a first run drizzle would pass over this migration, because its `when` is not the greatest.
    Order { tag: &'a str },
}

/// Returns how many entries of the journal each run has: one number where all can run at once.
///
/// A value that is added to an enum cannot be used before the transaction is committed (55P04), so that a folder that
/// was applied step by step does not run in one go; from PostgreSQL 17 on it can where the transaction made the enum itself.
/// drizzle's migrator takes all that is in the journal it is shown: a shorter journal makes a shorter run.
///
/// # Errors
/// With what cannot run at all.
pub fn plan<'a>(folder: &Folder, status: &Status<'a>, server: Option<u32>) -> Result<Vec<usize>, Obstacle<'a>> {
    let runs = |state: State| matches!(state, State::Pending | State::Repeated);
    let pending = status.migrations.iter().enumerate().filter(|(_, migration)| runs(migration.state));
    let mut cuts = Vec::new();
    let mut schema = Schema::empty(Dialect::Postgres);
    // Where a snapshot says what is there before, what made it need not be read.
    let first = pending.clone().next().map_or(0, |(idx, _)| idx);
    let file = status.migrations.get(first).and_then(|migration| migration.file);
    let snapshot = file.and_then(|file| folder.snapshot_before(file)).filter(|snapshot| snapshot.is_readable());
    let begin = match snapshot {
        Some(snapshot) => {
            schema.complete(snapshot);
            first
        }
        None => 0,
    };
    let mut run = Run::on(server);
    for (entry_idx, migration) in status.migrations.iter().enumerate().skip(begin) {
        let Some(file) = migration.file else { continue };
        if !runs(migration.state) {
            // What was applied is no obstacle any more, however that was done.
            walk(&mut schema, &mut Run::on(server), file, entry_idx, &mut |_| {});
            continue;
        }
        let before = (schema.clone(), run.clone());
        if advance(&mut schema, &mut run, file, entry_idx)? == Fit::NeedsACommit {
            cuts.push(entry_idx);
            (schema, run) = (before.0, Run::on(server));
            advance(&mut schema, &mut run, file, entry_idx)?;
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

/// Whether a migration can run with those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    WithOthers,
    NeedsACommit,
}

/// Goes through a migration that is going to run. What the server itself has to judge is no obstacle.
fn advance<'a>(schema: &mut Schema, run: &mut Run, file: &'a SqlFile, entry_idx: usize) -> Result<Fit, Obstacle<'a>> {
    let mut first = None;
    let fit = walk(schema, run, file, entry_idx, &mut |obstacle| {
        first.get_or_insert(obstacle);
    });
    first.map_or(Ok(fit), Err)
}

fn walk<'a>(
    schema: &mut Schema,
    run: &mut Run,
    file: &'a SqlFile,
    entry_idx: usize,
    told: &mut dyn FnMut(Obstacle<'a>),
) -> Fit {
    let mut fit = Fit::WithOthers;
    schema.begin();
    for query in queries(file) {
        let script = script::read(query.text, Dialect::Postgres);
        for stated in &script.statements {
            let at = stated.place.start;
            let sql = &query.text[stated.place.clone()];
            let in_block = stated.ends_within.filter(|what| what.starts_with("ROLLBACK"));
            if let Some(what) = undoes(sql).or(in_block) {
                told(Obstacle::Undone { query, at, what });
            }
            for trouble in run.look(schema, &script, stated, script.statements.len() - 1, entry_idx) {
                match trouble {
                    Trouble::Alone { what } => told(Obstacle::Alone { query, at, what }),
                    Trouble::NewValue { by, .. } if by != entry_idx => fit = Fit::NeedsACommit,
                    Trouble::NewValue { .. } | Trouble::Control { .. } => {}
                }
            }
            stated.steps.iter().for_each(|step| schema.apply(step));
        }
        // Words that no tree was made of are sent all the same.
        if !script.faults.is_empty()
            && let Some(what) = undoes(query.text)
        {
            told(Obstacle::Undone { query, at: 0, what });
        }
    }
    fit
}

/// Returns what in a query ends the transaction around it.
pub fn control(query: &Query) -> Option<&'static str> {
    let ends = |boundary: Boundary| matches!(boundary, Boundary::Ends | Boundary::Chains);
    Bounds::of(query.text).boundaries.into_iter().find(|(_, boundary)| ends(*boundary)).map(|(what, _)| what)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::migrations::{Folder, state};

    /// Checks in which steps migrations of these times and texts run.
    #[track_caller]
    fn check(migrations: &[(i64, &str)], expected: Result<&[usize], &str>) {
        check_on(150_000, migrations, expected);
    }

    fn folder(migrations: &[(i64, &str)]) -> Folder {
        let entries = migrations
            .iter()
            .enumerate()
            .map(|(idx, (when, _))| serde_json::json!({ "tag": format!("m{idx}"), "when": when }));
        let journal = serde_json::json!({ "entries": entries.collect::<Vec<_>>() }).to_string();
        let files =
            migrations.iter().enumerate().map(|(idx, (_, text))| (format!("m{idx}.sql"), text.as_bytes().to_vec()));
        let contents = files.chain([("meta/_journal.json".to_owned(), journal.into_bytes())]).collect();
        Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read")
    }

    #[track_caller]
    fn check_on(server: u32, migrations: &[(i64, &str)], expected: Result<&[usize], &str>) {
        let folder = folder(migrations);
        let status = state::compare(&folder, folder.journal().expect("it is a journal"), &[]);
        let found = plan(&folder, &status, Some(server)).map_err(|obstacle| match obstacle {
            Obstacle::Alone { query, what, .. } => format!("{}: {what}", query.file.name),
            Obstacle::Undone { query, at, what } => {
                format!("{}:{}: {what} undoes", query.file.name, query.place_of(at).line)
            }
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
    fn what_undoes_a_migration_is_named_and_what_was_applied_is_not() {
        for (text, undoes) in [
            (
                "CREATE TABLE a ();--> statement-breakpoint\nROLLBACK;--> statement-breakpoint\nCREATE TABLE b ();",
                "2: ROLLBACK",
            ),
            ("CREATE TABLE a ();\n/* so */ rollback work;", "2: ROLLBACK"),
            ("ABORT", "1: ABORT"),
            ("SAVEPOINT s;\nROLLBACK TO s;", "2: ROLLBACK TO SAVEPOINT"),
            ("PREPARE TRANSACTION 'x'", "1: PREPARE TRANSACTION"),
            ("COMMIT;--> statement-breakpoint\nDO $$ BEGIN ROLLBACK; END $$", "2: ROLLBACK in a DO block"),
            ("NO SQL; ROLLBACK", "1: ROLLBACK"),
        ] {
            check(&[(1, CREATE), (2, text)], Err(&format!("m1.sql:{undoes} undoes")));
        }
        check(&[(1, CREATE), (2, "SAVEPOINT s; SELECT 'ROLLBACK'; RELEASE s; COMMIT AND CHAIN")], Ok(&[2]));
        for applied in ["CREATE INDEX CONCURRENTLY i ON t (m)", "ROLLBACK"] {
            let folder = folder(&[(1, applied), (2, "SELECT 1")]);
            let records = [state::Record { hash: folder.files[0].hash.clone(), created_at: Some(1) }];
            let status = state::compare(&folder, folder.journal().expect("it is a journal"), &records);
            assert_eq!(plan(&folder, &status, None).map_err(|_| "an obstacle"), Ok(vec![2]), "{applied}");
        }
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
        // A word of the language, and no value.
        check(&[(1, CREATE), (2, ADD), (3, "CREATE TABLE sad (m mood); COMMENT ON TABLE sad IS 'sad'")], Ok(&[3]));
        check(&[(1, CREATE), (2, ADD), (3, "ALTER TABLE t ADD COLUMN x text DEFAULT 'sad'")], Ok(&[3]));
    }

    #[test]
    fn what_follows_a_commit_is_no_transaction_any_more() {
        let concurrently = "CREATE INDEX CONCURRENTLY i ON t (m)";
        check(&[(1, CREATE), (2, "COMMIT"), (3, ADD), (4, USE)], Ok(&[4]));
        check(&[(1, CREATE), (2, &format!("COMMIT;--> statement-breakpoint\n{concurrently}"))], Ok(&[2]));
        check(&[(1, CREATE), (2, "COMMIT"), (3, concurrently)], Ok(&[3]));
        check(
            &[
                (1, CREATE),
                (2, &format!("COMMIT;--> statement-breakpoint\nBEGIN;--> statement-breakpoint\n{concurrently}")),
            ],
            Err("m1.sql: CREATE INDEX CONCURRENTLY"),
        );
        // Several statements in one query are a transaction as well.
        check(&[(1, CREATE), (2, &format!("COMMIT; {concurrently}"))], Err("m1.sql: CREATE INDEX CONCURRENTLY"));
        check(&[(1, CREATE), (2, ADD), (3, &format!("COMMIT;--> statement-breakpoint\n{USE}"))], Ok(&[3]));
    }

    #[test]
    fn a_server_that_lets_an_enum_of_its_own_be_used_needs_no_step() {
        check_on(170_000, &[(1, CREATE), (2, ADD), (3, USE)], Ok(&[3]));
        check_on(160_009, &[(1, CREATE), (2, ADD), (3, USE)], Ok(&[2, 3]));
        // Made in another transaction: at the beginning of a new step it is an enum as any other.
        check_on(
            180_000,
            &[(1, CREATE), (2, "COMMIT;--> statement-breakpoint\nBEGIN"), (3, ADD), (4, USE)],
            Ok(&[3, 4]),
        );
        check_on(180_000, &[(1, "CREATE TABLE t (m mood)"), (2, ADD), (3, USE)], Ok(&[2, 3]));
    }
}
