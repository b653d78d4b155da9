//! The policy of one run. Pure.

use std::collections::BTreeMap;

use crate::policy::check::Check;
use crate::policy::model::guard::Guard;
use crate::policy::model::hazard::{HazardKey, HazardLine, HazardRule};
use crate::policy::model::migrate::{Anomaly, Migrate, MigrateGate};
use crate::policy::model::prompt::Prompts;
use crate::policy::model::push::{Apply, Push};
use crate::policy::model::rename::Renames;
use crate::policy::model::reset::Reset;
use crate::policy::model::rule::{RuleRef, Ruled, Source};
use crate::policy::model::scratch::Scratch;
use crate::policy::model::sync::SyncNames;
use crate::policy::name::ObjectName;
use crate::sql::hazard::Hazard;

/// The policy that applies to one run.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(in crate::policy) source: Source,
    pub(in crate::policy) profile: Option<String>,
    pub(in crate::policy) renames: Renames,
    pub(in crate::policy) hazards: BTreeMap<HazardKey, HazardLine>,
    pub(in crate::policy) push: Push,
    pub(in crate::policy) migrate: Migrate,
    pub(in crate::policy) prompts: Prompts,
    pub(in crate::policy) guard: Guard,
    pub(in crate::policy) reset: Reset,
    pub(in crate::policy) check: Check,
    pub(in crate::policy) scratch: Scratch,
    /// The policies of other profiles that the environment or the host calls for. What they ban is banned.
    pub(in crate::policy) called_for: Vec<Policy>,
}

impl Policy {
    /// Returns what applies where there is no file.
    pub(crate) fn built_in() -> Policy {
        Policy {
            source: Source::BuiltIn,
            profile: None,
            renames: Renames::built_in(),
            hazards: BTreeMap::new(),
            push: Push::built_in(),
            migrate: Migrate::built_in(),
            prompts: Prompts::default(),
            guard: Guard::default(),
            reset: Reset::default(),
            check: Check::default(),
            scratch: Scratch::default(),
            called_for: Vec::new(),
        }
    }

    /// Returns where the policy comes from.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Returns what is said about findings.
    pub(crate) fn check(&self) -> &Check {
        &self.check
    }

    /// Returns the name of the profile, if one was picked.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns the rule for a hazard: its own line, else that of its class, else the default.
    pub(crate) fn hazard(&self, hazard: Hazard) -> (HazardRule, RuleRef) {
        if let Some(line) = self.hazard_line(hazard) {
            return (line.value.clone(), line.rule.clone());
        }
        let value = match hazard {
            Hazard::AddUnique => HazardRule::KeepRows,
            _ if hazard.class().refused_by_default() => HazardRule::Refuse,
            _ => HazardRule::Approve,
        };
        (value, RuleRef::built_in(&format!("hazards.{hazard}")))
    }

    /// Returns who runs the statements of a push, unless the command line says otherwise.
    pub(crate) fn apply(&self) -> (Apply, RuleRef) {
        (self.push.apply.value, self.push.apply.rule.clone())
    }

    /// Tells whether `migrate` goes on although there is such a migration, and by which rule.
    pub(crate) fn migrates_past(&self, anomaly: Anomaly) -> (bool, RuleRef) {
        match self.migrate.past.get(&anomaly) {
            Some(Ruled { value, rule }) => (*value, rule.clone()),
            None => (false, RuleRef::built_in(&format!("migrate.{}", anomaly.key()))),
        }
    }

    /// Returns what `migrate` does about statements that a push would be refused for.
    pub(crate) fn migrate_gate(&self) -> MigrateGate {
        self.migrate.gate.value
    }

    /// Returns what `sync` does about objects that differ from the migrations in their names alone, and by which rule.
    pub(crate) fn sync_names(&self) -> (SyncNames, RuleRef) {
        (self.migrate.names.value, self.migrate.names.rule.clone())
    }

    /// Returns the expression by which the values of a column become those of a new type. The name is looked up as it is.
    pub(crate) fn using(&self, column: &ObjectName) -> Option<(&str, &RuleRef)> {
        self.push.using.get(column).map(|using| (using.expression.as_str(), &using.rule))
    }

    /// Tells whether the truncate that drizzle-kit puts before a type change is to be left out, and by which rule.
    pub(crate) fn skips_truncate(&self) -> Option<RuleRef> {
        let (rule, rule_ref) = self.hazard(Hazard::Truncate);
        matches!(rule, HazardRule::Skip).then_some(rule_ref)
    }

    /// Tells whether the rule for a hazard depends on the number of rows, so that it is worth counting them.
    pub(crate) fn wants_rows(&self, hazard: Hazard) -> bool {
        matches!(self.hazard(hazard).0, HazardRule::Limit { max_rows: Some(_), .. })
    }

    /// Returns what a reset does beside emptying.
    pub(crate) fn reset(&self) -> &Reset {
        &self.reset
    }

    /// Returns where migrations and schema files are built for a comparison.
    pub(crate) fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Returns the line of the file that speaks of a hazard.
    pub(in crate::policy) fn hazard_line(&self, hazard: Hazard) -> Option<&HazardLine> {
        let class = || self.hazards.get(&HazardKey::Class(hazard.class()));
        self.hazards.get(&HazardKey::Kind(hazard)).or_else(class)
    }
}
