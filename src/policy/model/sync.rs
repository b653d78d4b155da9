//! What `sync` does where the database has other names than the migrations give. Pure.

use crate::policy::model::rule::{RuleRef, Ruled};

/// What `sync` does about objects that are as the migrations make them, but for their names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SyncNames {
    Warn,
    Refuse,
}

impl SyncNames {
    /// Returns what applies where there is no file.
    pub(super) fn built_in() -> Ruled<SyncNames> {
        Ruled { value: SyncNames::Refuse, rule: RuleRef::built_in("sync.names") }
    }
}
