//! How long a server may take, in one table. The time of a whole run is decided by whoever runs it, and ends all of these.

use std::time::Duration;

/// One look of a run, or of `doctor`, at its database. A server that is silent for longer is called unavailable.
pub const LOOK: Duration = Duration::from_secs(10);
/// One look at the records of the migrations, or at what is at stake in those that wait.
pub const MIGRATIONS: Duration = Duration::from_secs(20);
/// Reading the catalog that a reset plans by.
pub const CATALOG: Duration = Duration::from_secs(60);
/// A rehearsal of the migrations that failed.
pub const REHEARSAL: Duration = Duration::from_secs(30);
/// Advice on all the columns of a run that change their type.
pub const ADVICE: Duration = Duration::from_secs(20);
/// A second look at the history after a `migrate`, although the time of the run may be over.
pub const LAST_LOOK: Duration = Duration::from_secs(10);

/// A run waits so long for another one that changes the database, unless it was asked to wait longer or shorter.
pub const ANOTHER_RUN: Duration = Duration::from_secs(30);
/// The locks on the tables that are counted again, at most: nobody else can write meanwhile.
pub const TABLES: Duration = Duration::from_secs(10);
/// The reply to COMMIT, where less than that is left of the run's time.
pub const COMMIT: Duration = Duration::from_secs(10);
/// The server ends what drizzle-kit left running there.
pub const CLEANUP: Duration = Duration::from_secs(3);

/// Name look-up, TCP, TLS and login together, where the deadline leaves more. Whoever is mute for so long stays mute.
pub(super) const LOGIN: Duration = Duration::from_secs(10);
/// One attempt to reach a server that is being started, and the pause before the next.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// One query of a look, where the look has more: waiting for a lock, and all of it.
pub(super) const LOCK: Duration = Duration::from_secs(1);
pub(super) const QUERY: Duration = Duration::from_secs(5);
/// A query that reads a whole catalog.
pub(super) const LONG_QUERY: Duration = Duration::from_secs(600);
/// A trial of a conversion that has less is not begun.
pub(super) const TRIAL: Duration = Duration::from_millis(50);
/// Undoing a look within a transaction, and giving a lock back in words.
pub(super) const UNDOING: Duration = Duration::from_secs(1);

/// The server's word that the connection with the lock stands. After that the lock is taken for lost.
pub(super) const ANSWER: Duration = Duration::from_secs(5);
/// A wait for a lock that is shorter than this is nobody's business.
pub(super) const SOON: Duration = Duration::from_secs(1);

/// A backend notices by itself that its client is gone, before we end it.
pub(super) const GRACE: Duration = Duration::from_millis(750);
/// The server tells what became of a transaction.
pub(super) const SETTLING: Duration = Duration::from_secs(10);
/// The server offers no event for the end of another backend: it is asked again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// A scratch database is dropped.
pub(super) const DROP: Duration = Duration::from_secs(20);

/// PostgreSQL takes 0 for "no limit", and holds milliseconds in an `int4`.
pub(super) fn milliseconds(limit: Duration) -> u128 {
    limit.as_millis().clamp(1, 2_147_483_647)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_limit_of_ours_means_no_limit_to_the_server() {
        assert_eq!(milliseconds(Duration::ZERO), 1);
        assert_eq!(milliseconds(Duration::from_micros(1)), 1);
        assert_eq!(milliseconds(Duration::from_secs(3)), 3000);
        assert_eq!(milliseconds(Duration::MAX), 2_147_483_647);
    }
}
