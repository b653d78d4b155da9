//! Reads `[sync]`. Pure.

use crate::policy::file::format::{SyncEntry, SyncNamesEntry};
use crate::policy::file::reader::Reader;
use crate::policy::model::{Policy, Ruled, SyncNames};

/// Lays the keys of the file or of a profile over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, entry: &SyncEntry) {
    if let Some(names) = &entry.names {
        let value = match names.get_ref() {
            SyncNamesEntry::Warn => SyncNames::Warn,
            SyncNamesEntry::Refuse => SyncNames::Refuse,
        };
        policy.migrate.names = Ruled { value, rule: reader.rule("sync.names", names.span()) };
    }
}
