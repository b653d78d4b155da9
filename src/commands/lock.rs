//! Takes the lock on a database for a whole run, and says for whom it waits.

use std::time::Duration;

use crate::commands::look::{self, Clock};
use crate::console::Console;
use crate::db::lease::{LeaseError, Request};
use crate::db::{Dsn, Lease};
use crate::exit::Exit;
use crate::report::Verdict;

/// Takes the lock for a session of this name, and waits so long for whoever has it.
///
/// # Errors
/// With the verdict, where it was not given back in time, or the database cannot be used.
pub fn take(dsn: &Dsn, run: &str, wait: Duration, clock: &Clock, console: &mut Console) -> Result<Lease, Verdict> {
    let application_name = format!("{run} lock");
    let deadline = clock.rest();
    let request = Request { application_name: &application_name, wait: wait.min(deadline), deadline };
    let taken = Lease::take(dsn, &request, &mut |holder| {
        let holder = holder.map(|holder| format!(": {holder}")).unwrap_or_default();
        console.say(&format!("waiting for another run that changes this database{holder}"));
    });
    taken.map_err(|error| match &error {
        LeaseError::Unready(error) => look::failed(error, clock),
        LeaseError::Locked { .. } => Verdict::nothing(Exit::Locked, error.to_string()).hint(error.hint()),
    })
}
