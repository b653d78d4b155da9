//! One attempt within a transaction: lock and look again, then drop and look again.

use tokio_postgres::Client;

use crate::db::change::error::TransactionError;
use crate::db::change::fault::{Cut, Fault};
use crate::db::change::transaction::{Progress, Run, holds};
use crate::db::connection::dsn::Dsn;
use crate::db::connection::error::explained;
use crate::db::connection::pipeline::Sent;
use crate::db::inspect::catalog;
use crate::db::inspect::objects::Catalog;
use crate::db::reset::error::ResetError;
use crate::db::reset::plan::{self, Part, Refusal, ResetPlan, Step};
use crate::db::reset::proof::{Still, moved, nothing_new, prove_nothing_left, prove_planned, still};
use crate::db::reset::story::{Event, ResetRun};

/// How an attempt went well.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    Dropped,
    /// There was nothing to drop any more.
    WasEmpty,
}

/// The savepoint stays for another attempt.
pub(super) const BACK: &str = "ROLLBACK TO SAVEPOINT attempt";

/// Why an attempt ended early.
pub(super) enum Failure {
    Fault { sql: String, fault: Box<Fault> },
    Refused(ResetError),
    Cut(Cut),
}

impl Failure {
    fn of(dsn: &Dsn, sql: &str, error: &tokio_postgres::Error) -> Failure {
        match error.as_db_error() {
            Some(answer) => Failure::Fault { sql: sql.to_owned(), fault: Fault::of(answer) },
            None => Failure::Cut(Cut::Lost(explained(dsn, error))),
        }
    }
}

/// Locks and looks again, then drops and looks again: two journeys.
pub(super) async fn attempt(
    dsn: &Dsn,
    client: &Client,
    plan: &ResetPlan,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<Ended, Failure> {
    let n_steps = plan.locking.len() + plan.steps.len();
    let story = |first: usize| move |idx: usize, step| (reset.watch)(Event::Step { idx: first + idx, n_steps, step });
    let before = match execute(dsn, client, &plan.locking, &story(0), progress, look(dsn, client)).await {
        // A table or a schema is gone: a look says what else is.
        Err(Failure::Fault { sql, fault }) if is_gone(&fault) => {
            go_back(dsn, client, progress).await?;
            return match still(plan, &look(dsn, client).await?).map_err(Failure::Refused)? {
                Still::Empty => Ok(Ended::WasEmpty),
                // It is there again.
                Still::So => Err(Failure::Fault { sql, fault }),
            };
        }
        outcome => outcome?,
    };
    match still(plan, &before).map_err(Failure::Refused)? {
        Still::Empty => return Ok(Ended::WasEmpty),
        Still::So => {}
    }
    let last = last_look(dsn, client, &reset.run);
    let after = execute(dsn, client, &plan.steps, &story(plan.locking.len()), progress, last).await?;
    prove_nothing_left(plan, &after).map_err(Failure::Refused)?;
    prove_planned(plan, &before, &after).map_err(Failure::Refused)?;
    Ok(Ended::Dropped)
}

/// What one of several transactions is to drop.
pub(super) struct Wanted<'a> {
    pub(super) plan: &'a ResetPlan,
    /// As it was seen at the end of the last transaction; `None` in the first one, and where it was too much.
    pub(super) part: Option<Part>,
    pub(super) room: u64,
}

/// What it has dropped.
pub(super) struct Dropped {
    pub(super) n_statements: usize,
    pub(super) n_left: usize,
    /// `None` where nothing is left.
    pub(super) next: Option<Part>,
}

/// As [`attempt`], for the part that comes next.
pub(super) async fn attempt_part(
    dsn: &Dsn,
    client: &Client,
    wanted: &Wanted<'_>,
    reset: &ResetRun<'_>,
    progress: &mut Progress,
) -> Result<Dropped, Failure> {
    let Wanted { plan, room, .. } = *wanted;
    let scope = &plan.scope;
    let first_part = |found: &Catalog| plan::first_part(found, scope, room).map_err(refused);
    let part = match &wanted.part {
        Some(part) => part.clone(),
        None => {
            let found = look(dsn, client).await?;
            if nothing_new(plan, &found).map_err(Failure::Refused)?.is_empty() {
                return Ok(Dropped { n_statements: 0, n_left: 0, next: None });
            }
            first_part(&found)?
        }
    };
    let n_steps = part.locking.len() + part.steps.len();
    let story = |first: usize| move |idx: usize, step| (reset.watch)(Event::Step { idx: first + idx, n_steps, step });
    let before = execute(dsn, client, &part.locking, &story(0), progress, look(dsn, client)).await?;
    nothing_new(plan, &before).map_err(Failure::Refused)?;
    let now = first_part(&before)?;
    if now.steps != part.steps {
        let named = |part: &Part| part.steps.iter().flat_map(|step| step.objects.clone()).collect();
        return Err(Failure::Refused(moved(&named(&part), &named(&now))));
    }
    let last = last_look(dsn, client, &reset.run);
    let after = execute(dsn, client, &part.steps, &story(part.locking.len()), progress, last).await?;
    prove_planned(plan, &before, &after).map_err(Failure::Refused)?;
    let left = nothing_new(plan, &after).map_err(Failure::Refused)?;
    let next = match left.is_empty() {
        true => {
            prove_nothing_left(plan, &after).map_err(Failure::Refused)?;
            None
        }
        false => Some(first_part(&after)?),
    };
    Ok(Dropped { n_statements: n_steps, n_left: left.n_objects, next })
}

fn refused(refusal: Refusal) -> Failure {
    Failure::Refused(ResetError::Refused(refusal))
}

async fn look(dsn: &Dsn, client: &Client) -> Result<Catalog, Failure> {
    catalog::read(client).await.map_err(|error| Failure::of(dsn, "reading the catalog", &error))
}

/// Looks for the last time before COMMIT, and asks on the same journey whether the lock is still ours.
async fn last_look(dsn: &Dsn, client: &Client, run: &Run<'_>) -> Result<Catalog, Failure> {
    let (found, held) = tokio::join!(biased; look(dsn, client), holds(client, run));
    let found = found?;
    match held.map_err(|error| Failure::of(dsn, "looking for the lock", &error))? {
        true => Ok(found),
        false => Err(Failure::Refused(TransactionError::LockLost.into())),
    }
}

/// Runs statements and what comes after them, all on one journey. Each statement is told of when its turn comes. The
/// server refuses what stands behind one that fails, because it is one transaction.
async fn execute<'a, T>(
    dsn: &Dsn,
    client: &Client,
    steps: &'a [Step],
    told: &dyn Fn(usize, &'a Step),
    progress: &mut Progress,
    afterwards: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    if let Some(first) = steps.first() {
        told(0, first);
    }
    let mut sent = Vec::new();
    for step in steps {
        sent.push(Sent::send(client.batch_execute(&step.sql)).await);
    }
    let afterwards = Sent::send(afterwards).await;
    for (idx, request) in sent.into_iter().enumerate() {
        request.answer().await.map_err(|error| Failure::of(dsn, &steps[idx].sql, &error))?;
        progress.n_done += 1;
        if let Some(next) = steps.get(idx + 1) {
            told(idx + 1, next);
        }
    }
    afterwards.answer().await
}

/// undefined_table and invalid_schema_name.
fn is_gone(fault: &Fault) -> bool {
    matches!(&*fault.sqlstate, "42P01" | "3F000")
}

async fn go_back(dsn: &Dsn, client: &Client, progress: &mut Progress) -> Result<(), Failure> {
    client.batch_execute(BACK).await.map_err(|error| Failure::of(dsn, BACK, &error))?;
    progress.n_done = 0;
    Ok(())
}
