//! How long a server may take, in one table. What has to do with a whole run is decided by whoever runs it.

use std::time::Duration;

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
