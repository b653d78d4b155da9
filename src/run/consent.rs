//! Answers the last question, to which the policy consents: with yes, once what is at stake was counted again; with no, where
//! only the plan is wanted or the statements are to run in one transaction.

use crate::db::ConnectError;
use crate::db::change::apply::{ApplyError, Expected, TransactionError};
use crate::db::inspect::fingerprint;
use crate::db::inspect::reach::{self, Again};
use crate::kit::approved::Approved;
use crate::kit::block;
use crate::kit::engine::Engine;
use crate::kit::prompt::Prompt;
use crate::kit::session::Answer;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::policy::model::Apply;
use crate::run::context::{Cleared, Starting};
use crate::run::gate::recheck::{Recheck, Rejudged, counted_now};
use crate::run::plan_file::PlanFile;
use crate::run::record::{Approval, RunRecord, Stop};
use crate::run::transaction::{self, Transaction};
use crate::sql;

/// The last question, and what the policy says to it.
pub(super) struct Consented<'a> {
    pub prompt: &'a Prompt,
    pub choice: usize,
    pub warnings: Vec<String>,
    /// What the consent rests on.
    pub recheck: Option<Recheck>,
}

/// Answers it.
#[tracing::instrument(name = "consent", skip_all)]
pub(super) fn answer(
    start: &Starting,
    cleared: &mut Cleared,
    consented: Consented,
    record: &mut RunRecord,
    console: &mut Console,
) -> Answer {
    let Consented { prompt, choice, warnings, recheck } = consented;
    let executes = cleared.apply == Apply::Kit && !start.spec.only_plans();
    // Nobody else writes into PGlite, and its one session has a transaction at a time.
    let has_others = cleared.place.engine != Some(Engine::Pglite);
    let is_at_stake = recheck.as_ref().is_some_and(|recheck| !recheck.basis.tables.is_empty());
    let is_recounted = executes && has_others && is_at_stake;
    // What is counted again is told by the second count.
    if !is_recounted {
        warnings.iter().for_each(|warning| console.warn_in(record.report, warning));
    }
    if start.spec.only_plans() {
        return decline_because("only the plan is wanted", record);
    }
    if let Some(plan) = start.lent.plan
        && let Some(reason) = unplanned(start, cleared, plan, record)
    {
        record.stop(Stop::Stale(reason));
        return Answer::Decline;
    }
    if cleared.has_lost_lock(start) {
        record.stop(Stop::LockLost);
        return decline_because("allowed; the lock on the database was lost", record);
    }
    if cleared.sessions.are_expected && record.n_sessions == 0 {
        record.stop(Stop::Verdict(unseen_session(cleared.place.driver.as_deref().unwrap_or_default())));
        return decline_because("allowed; queries of drizzle-kit are not held", record);
    }
    match (cleared.apply, &cleared.place.dsn, &cleared.seen, recheck) {
        (Apply::Kit, _, _, recheck) => {
            let recheck = recheck.filter(|_| is_recounted);
            let answer = recheck
                .map_or(Answer::Choose(choice), |recheck| recounted(start, cleared, choice, &recheck, record, console));
            if let (Answer::Choose(_), Ok(block)) = (&answer, block::find(&prompt.printed)) {
                let approved = Approved::new(&block).with_around(&cleared.place.dialect_name);
                record.approval = Approval::Kit(approved);
            }
            answer
        }
        (Apply::Transaction, Some(dsn), Some(seen), Some(recheck)) => {
            let (statements, expected) = (record.statements(), Expected::from(seen));
            let (dsn, run_id, lock_wait) = (dsn.clone(), start.run_id.clone(), start.spec.lock.wait());
            let kept = record.repeated.iter().flat_map(|repeated| repeated.phantom.lines.clone()).collect();
            let transaction = Transaction { dsn, run_id, statements, kept, expected, lock_wait, recheck };
            cleared.transaction = Some(Box::new(transaction));
            record.approval = Approval::Transaction;
            decline_because("allowed; the statements run in one transaction instead", record)
        }
        (Apply::Transaction, _, None, _) => {
            Answer::Unclear("the database was not inspected before its schema was read".to_owned())
        }
        (Apply::Transaction, ..) => Answer::Unclear("what is at stake could not be determined".to_owned()),
    }
}

/// Consents where drizzle-kit executes: after a wait for those who write into the tables whose rows are at stake, and
/// another count while nobody does. Who begins after that is not seen, for we cannot hold what drizzle-kit needs.
fn recounted(
    start: &Starting,
    cleared: &Cleared,
    choice: usize,
    recheck: &Recheck,
    record: &mut RunRecord,
    console: &mut Console,
) -> Answer {
    let Some(connection) = cleared.connection(start) else { return Answer::Choose(choice) };
    let wait = start.spec.lock.wait().min(start.clock.rest());
    let tables = &recheck.basis.tables;
    match reach::look_again(connection, &recheck.wanted(), tables, wait, wait + start.patience()) {
        Ok(Again::Seen(now)) => {
            let rechecked = recheck.again(*now);
            record.report.statements = rechecked.statements;
            match rechecked.outcome {
                Ok(Rejudged { warnings, grown }) => {
                    warnings.iter().chain(&grown).for_each(|warning| console.warn_in(record.report, warning));
                    record.report.counted = Some(counted_now(false));
                    Answer::Choose(choice)
                }
                Err(refusal) => {
                    let because = refusal.because.as_ref().map(ToString::to_string).unwrap_or_default();
                    record.answers.rather_because(because);
                    record.refuse(&refusal);
                    Answer::Decline
                }
            }
        }
        Ok(Again::Busy { by, waited }) => {
            let busy = ApplyError::Transaction(TransactionError::Busy { by, n_attempts: 1, waited });
            record.stop(Stop::Verdict(transaction::failed(&busy, &start.clock)));
            decline_because("allowed; other sessions write to the tables at stake", record)
        }
        Err(ConnectError::Interrupted { .. }) => Answer::Decline,
        Err(_) if cleared.has_lost_lock(start) => {
            record.stop(Stop::LockLost);
            decline_because("allowed; the lock on the database was lost", record)
        }
        // What was counted cannot be counted again: nobody knows what is at stake by now.
        Err(error) => {
            record.stop(Stop::Verdict(start.unseen(&error)));
            decline_because("allowed; the rows at stake could not be counted again", record)
        }
    }
}

/// Declines the last question for a reason that is none of the policy's.
fn decline_because(reason: &str, record: &mut RunRecord) -> Answer {
    record.answers.rather_because(reason);
    Answer::Decline
}

/// Says why the last question is not the one that was planned, if it is not.
fn unplanned(start: &Starting, cleared: &Cleared, plan: &PlanFile, record: &RunRecord) -> Option<String> {
    let other = other_statements(plan, cleared, record);
    if other.is_some() {
        return other;
    }
    // Questions may have taken a while: the schema is looked at once more, right before consent.
    match fingerprint::fingerprint(cleared.place.dsn.as_ref()?, start.patience()) {
        Ok(seen) => plan.elsewhere(&record.address(), &seen),
        Err(error) => Some(format!("the schema could not be inspected again: {error}")),
    }
}

/// Says which statements are not those that were planned, if they are not.
pub(super) fn other_statements(plan: &PlanFile, cleared: &Cleared, record: &RunRecord) -> Option<String> {
    let shown = record.statements();
    let planned = plan.statements();
    let is_same = |dialect| sql::order::is_same(planned, &shown, dialect);
    if cleared.place.dialect.is_some_and(is_same) {
        return None;
    }
    let added = shown.iter().filter(|sql| !planned.contains(sql)).map(|sql| format!("  + {sql}"));
    let gone = planned.iter().filter(|sql| !shown.contains(sql)).map(|sql| format!("  - {sql}"));
    let told: Vec<String> = added.chain(gone).collect();
    Some(match told.as_slice() {
        [] => "drizzle-kit shows the statements in another order".to_owned(),
        told => format!("drizzle-kit shows other statements\n{}", told.join("\n")),
    })
}

/// Says that drizzle-kit works on a database past what holds it.
fn unseen_session(driver: &str) -> Verdict {
    let driver = if driver.is_empty() { "its driver".to_owned() } else { format!("the driver {driver}") };
    Verdict::nothing(
        Exit::Config,
        format!(
            "drizzle-pilot saw no database session of drizzle-kit, so it cannot hold the queries sent through {driver}"
        ),
    )
    .hint("use a driver and version listed in docs/engines.md, or apply migrations with drizzle-pilot run -- migrate")
}
