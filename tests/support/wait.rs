//! Waiting for what another process will do, with a deadline and without guessing how long it takes.

use std::time::{Duration, Instant};

/// The longest that a healthy but busy machine may take for one step.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until the condition holds; panics with its name when it never does.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(holds_within(PATIENCE, condition), "waited {PATIENCE:?} in vain: {what}");
}

/// Waits until nothing is left, and panics with what is left at the deadline.
#[track_caller]
pub(crate) fn gone_within<T: std::fmt::Debug>(limit: Duration, what: &str, mut left: impl FnMut() -> Vec<T>) {
    let mut last = Vec::new();
    let gone = holds_within(limit, || {
        last = left();
        last.is_empty()
    });
    assert!(gone, "after {limit:?} there is still {what}: {last:#?}");
}

fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        // Neither /proc nor pg_stat_activity tells of a change. This is how often we look, not how long we hope.
        std::thread::sleep(Duration::from_millis(10));
    }
}
