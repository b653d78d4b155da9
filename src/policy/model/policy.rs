//! The policy of one run. Pure.

use std::collections::BTreeMap;

use crate::host::Pattern as HostPattern;
use crate::policy::check::Check;
use crate::policy::model::hazard::{HazardKey, HazardLine, HazardRule};
use crate::policy::model::migrate::{Anomaly, MigrateGate};
use crate::policy::model::prompt::Prompts;
use crate::policy::model::push::{Apply, ApplyLine, Using};
use crate::policy::model::rename::{Create, Otherwise, Rename};
use crate::policy::model::reset::Reset;
use crate::policy::model::rule::{RuleRef, Ruled, Source};
use crate::policy::model::section::Section;
use crate::policy::model::variable::RefuseEnv;
use crate::policy::name::ObjectName;
use crate::sql::hazard::Hazard;

/// The policy that applies to one run.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(in crate::policy) source: Source,
    pub(in crate::policy) profile: Option<String>,
    pub(in crate::policy) otherwise: Ruled<Otherwise>,
    pub(in crate::policy) renames: Vec<Rename>,
    pub(in crate::policy) create: BTreeMap<Section, Create>,
    pub(in crate::policy) hazards: BTreeMap<HazardKey, HazardLine>,
    pub(in crate::policy) apply: ApplyLine,
    pub(in crate::policy) migrate: BTreeMap<Anomaly, Ruled<bool>>,
    pub(in crate::policy) migrate_gate: Ruled<MigrateGate>,
    pub(in crate::policy) using: BTreeMap<ObjectName, Using>,
    pub(in crate::policy) prompts: Prompts,
    pub(in crate::policy) hosts: Vec<HostPattern>,
    /// None: no line of the file speaks of it.
    pub(in crate::policy) refuse_env: Option<RefuseEnv>,
    pub(in crate::policy) reset: Reset,
    pub(in crate::policy) commands: Option<Ruled<Vec<String>>>,
    pub(in crate::policy) accept_data_loss: Option<Ruled<bool>>,
    pub(in crate::policy) check: Check,
    /// The policies of other profiles that the environment or the host calls for. What they ban is banned.
    pub(in crate::policy) called_for: Vec<Policy>,
}

impl Policy {
    /// Returns what applies where there is no file.
    pub(crate) fn built_in() -> Policy {
        Policy {
            source: Source::BuiltIn,
            profile: None,
            otherwise: Ruled { value: Otherwise::Refuse, rule: RuleRef::built_in("renames.otherwise") },
            renames: Vec::new(),
            create: BTreeMap::new(),
            hazards: BTreeMap::new(),
            apply: ApplyLine { value: Apply::Kit, layer: None, rule: RuleRef::built_in("push.apply") },
            migrate: BTreeMap::new(),
            migrate_gate: Ruled { value: MigrateGate::Warn, rule: RuleRef::built_in("migrate.gate") },
            using: BTreeMap::new(),
            prompts: Prompts::default(),
            hosts: Vec::new(),
            refuse_env: None,
            reset: Reset::default(),
            commands: None,
            accept_data_loss: None,
            check: Check::default(),
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
        (self.apply.value, self.apply.rule.clone())
    }

    /// Tells whether `migrate` goes on although there is such a migration, and by which rule.
    pub(crate) fn migrates_past(&self, anomaly: Anomaly) -> (bool, RuleRef) {
        match self.migrate.get(&anomaly) {
            Some(Ruled { value, rule }) => (*value, rule.clone()),
            None => (false, RuleRef::built_in(&format!("migrate.{}", anomaly.key()))),
        }
    }

    /// Returns what `migrate` does about statements that a push would be refused for.
    pub(crate) fn migrate_gate(&self) -> MigrateGate {
        self.migrate_gate.value
    }

    /// Returns the expression by which the values of a column become those of a new type. The name is looked up as it is.
    pub(crate) fn using(&self, column: &ObjectName) -> Option<(&str, &RuleRef)> {
        self.using.get(column).map(|using| (using.expression.as_str(), &using.rule))
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

    /// Returns the line of the file that speaks of a hazard.
    pub(in crate::policy) fn hazard_line(&self, hazard: Hazard) -> Option<&HazardLine> {
        let class = || self.hazards.get(&HazardKey::Class(hazard.class()));
        self.hazards.get(&HazardKey::Kind(hazard)).or_else(class)
    }
}
