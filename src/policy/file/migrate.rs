//! Reads `[migrate]`. Pure.

use crate::policy::file::format::{AnomalyEntry, GateEntry, Migrate};
use crate::policy::file::reader::Reader;
use crate::policy::model::{Anomaly, MigrateGate, Policy, Ruled};

/// Lays the keys of the file or of a profile over those of a policy.
pub(super) fn lay(reader: &mut Reader<'_>, policy: &mut Policy, migrate: &Migrate) {
    for anomaly in Anomaly::ALL {
        let Some(entry) = migrate.of(anomaly) else { continue };
        let rule = reader.rule(&format!("migrate.{}", anomaly.key()), entry.span());
        let value = matches!(entry.get_ref(), AnomalyEntry::Approve);
        policy.migrate.past.insert(anomaly, Ruled { value, rule });
    }
    if let Some(gate) = &migrate.gate {
        let value = match gate.get_ref() {
            GateEntry::Off => MigrateGate::Off,
            GateEntry::Warn => MigrateGate::Warn,
            GateEntry::Refuse => MigrateGate::Refuse,
        };
        policy.migrate.gate = Ruled { value, rule: reader.rule("migrate.gate", gate.span()) };
    }
}
