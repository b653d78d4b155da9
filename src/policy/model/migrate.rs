//! What `migrate` may find wrong, and what it does about statements that a push would be refused for. Pure.

/// What `migrate` does about statements that a push would be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MigrateGate {
    /// Nothing: they are not looked at.
    Off,
    Warn,
    Refuse,
}

/// A contradiction between a migrations folder and the migrations table of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Anomaly {
    /// A migration that was never applied, and that drizzle will never run.
    Skipped,
    /// A migration whose file is not what was applied.
    Edited,
    /// A migration that was applied, and that drizzle would run once more.
    Repeated,
}

impl Anomaly {
    pub(crate) const ALL: [Anomaly; 3] = [Anomaly::Skipped, Anomaly::Edited, Anomaly::Repeated];

    /// Returns the key in `[migrate]`.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Anomaly::Skipped => "skipped",
            Anomaly::Edited => "edited",
            Anomaly::Repeated => "repeated",
        }
    }
}
