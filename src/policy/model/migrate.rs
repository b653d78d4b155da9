//! What `migrate` may find wrong, and what it does about statements that a push would be refused for. Pure.

use std::collections::BTreeMap;

use crate::policy::model::rule::{RuleRef, Ruled};
use crate::policy::model::sync::SyncNames;

/// What is done about migrations that do not fit the database, and about those that wait.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Migrate {
    /// Whether it goes on past an anomaly, where a line of the file speaks of it.
    pub(in crate::policy) past: BTreeMap<Anomaly, Ruled<bool>>,
    pub(in crate::policy) gate: Ruled<MigrateGate>,
    /// What `sync` does where the database has other names than they give.
    pub(in crate::policy) names: Ruled<SyncNames>,
}

impl Migrate {
    /// Returns what applies where there is no file.
    pub(super) fn built_in() -> Migrate {
        let gate = Ruled { value: MigrateGate::Warn, rule: RuleRef::built_in("migrate.gate") };
        Migrate { past: BTreeMap::new(), gate, names: SyncNames::built_in() }
    }
}

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
