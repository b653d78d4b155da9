//! Deadlines, and the time that is left of a run.

use std::time::{Duration, Instant};

/// The time of a whole run, our own looks at the database included.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
    timeout: Duration,
}

impl Clock {
    /// Returns the clock of a run that began then and may take so long.
    pub fn new(started: Instant, timeout: Duration) -> Clock {
        Clock { started, timeout }
    }

    /// Returns how long the run has taken so far.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns what is left of its time.
    pub fn rest(&self) -> Duration {
        self.timeout.saturating_sub(self.elapsed())
    }

    /// Tells whether its time is over.
    pub fn is_over(&self) -> bool {
        self.rest().is_zero()
    }
}
