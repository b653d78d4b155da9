//! Takes the lock on a database for a whole run, and says for whom it waits.

use std::time::Duration;

use crate::clock::Clock;
use crate::db::change::advisory_lock::{AdvisoryLockError, Request};
use crate::db::{AdvisoryLock, Connection, Dsn};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::project::unseen;

/// Prepares the connection that is to hold the lock for this run, with start-up options (`-c name=value`, may be empty).
///
/// # Errors
/// With the verdict, when the system refuses what it needs.
pub fn connection(dsn: &Dsn, run: &str, options: &'static str, clock: &Clock) -> Result<Connection, Verdict> {
    Connection::to(dsn, &format!("{run} lock"), options).map_err(|error| unseen::verdict(&error, clock))
}

/// Takes the lock over that connection, and waits so long for whoever has it.
///
/// # Errors
/// With the verdict, where it was not given back in time, or the database cannot be used.
pub fn take(
    connection: Connection,
    wait: Duration,
    clock: &Clock,
    console: &mut Console,
) -> Result<AdvisoryLock, Verdict> {
    let deadline = clock.rest();
    let request = Request { wait: wait.min(deadline), deadline };
    let taken = AdvisoryLock::take(connection, &request, &mut |holder| {
        let holder = holder.map(|holder| format!(": {holder}")).unwrap_or_default();
        console.say(&format!("waiting for another run that changes this database{holder}"));
    });
    taken.map_err(|error| match &error {
        AdvisoryLockError::Unready(error) => unseen::verdict(error, clock),
        AdvisoryLockError::Locked { .. } => Verdict::nothing(Exit::Locked, error.to_string()).hint(error.hint()),
    })
}
