//! How long a server may take.

use std::time::Duration;

/// PostgreSQL takes 0 for "no limit", and holds milliseconds in an `int4`.
pub(in crate::db) fn milliseconds(limit: Duration) -> u128 {
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
