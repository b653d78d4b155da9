//! Compares what is at stake with the rule of its hazard, and widens the rule until it allows that and no more. Pure.

use crate::policy::decide::scope::Scope;
use crate::policy::decide::stake::{Count, Stake};
use crate::policy::model::{HazardKey, HazardRule, Policy};
use crate::policy::name::{ObjectName, Pattern, Shape};
use crate::sql::hazard::Hazard;

impl Stake {
    /// Returns why a rule does not allow this, or nothing if it does.
    pub(super) fn unmet(&self, rule: &HazardRule, scope: &Scope<'_>) -> Option<String> {
        match rule {
            HazardRule::Approve | HazardRule::KeepRows | HazardRule::Truncate => None,
            HazardRule::Refuse => Some("refuse".to_owned()),
            // Whoever runs the statements has left out those it speaks of before it asks about the rest.
            HazardRule::Skip => Some(
                "\"skip\" omits only a truncate before a type change, and only with apply = \"transaction\"".to_owned(),
            ),
            HazardRule::Limit { only, max_rows } => {
                let outside = only.as_ref().and_then(|only| self.outside(only, scope));
                outside.or_else(|| max_rows.and_then(|max_rows| self.above(max_rows)))
            }
        }
    }

    fn outside(&self, only: &[Pattern], scope: &Scope<'_>) -> Option<String> {
        let names = self.objects.names();
        if names.is_empty() {
            return Some("drizzle-kit does not name the object, so `only` cannot match".to_owned());
        }
        let outside = names.iter().find(|name| !is_named(only, name, scope))?;
        Some(format!("`only` does not name {outside}"))
    }

    fn above(&self, max_rows: u64) -> Option<String> {
        match self.count {
            Some(Count::Rows(rows) | Count::About(rows)) if rows <= max_rows => None,
            Some(Count::Rows(rows)) => Some(format!("{rows} are more than max_rows = {max_rows}")),
            Some(Count::AtLeast(rows)) => Some(format!("there are at least {rows}, and the exact number is unknown")),
            Some(Count::About(rows)) => Some(format!("about {rows} are more than max_rows = {max_rows}")),
            Some(Count::Tables(_)) | None => Some("the number of rows is unknown".to_owned()),
        }
    }

    /// Returns the narrowest rule that allows this beside what a rule allows already.
    fn widened(&self, rule: HazardRule, scope: &Scope<'_>) -> HazardRule {
        if self.unmet(&rule, scope).is_none() {
            return rule;
        }
        let rows = match self.count {
            Some(Count::Rows(rows) | Count::About(rows)) => Some(rows),
            Some(Count::Tables(_) | Count::AtLeast(_)) | None => None,
        };
        let limit = |only: Option<Vec<Pattern>>, max_rows: Option<u64>| match (&only, max_rows) {
            (None, None) => HazardRule::Approve,
            _ => HazardRule::Limit { only, max_rows },
        };
        let names = self.objects.names();
        let named = |only: &[Pattern]| {
            let new = names.iter().filter(|name| !is_named(only, name, scope)).map(|name| exact(&scope.spelled(name)));
            (!names.is_empty()).then(|| only.iter().cloned().chain(new).collect())
        };
        match rule {
            HazardRule::Limit { only: Some(only), max_rows } => {
                let max_rows = max_rows.and_then(|max_rows| rows.map(|rows| rows.max(max_rows)));
                let only = named(&only);
                let max_rows = if only.is_none() { rows } else { max_rows };
                limit(only, max_rows)
            }
            HazardRule::Limit { only: None, .. } if rows.is_some() => limit(None, rows),
            _ if self.hazard == Hazard::AddUnique => HazardRule::KeepRows,
            _ if self.hazard == Hazard::Unclassified => HazardRule::Approve,
            _ => match named(&[]) {
                Some(only) => limit(Some(only), None),
                None => limit(None, rows),
            },
        }
    }
}

fn is_named(only: &[Pattern], name: &ObjectName, scope: &Scope<'_>) -> bool {
    scope.names(name).iter().any(|name| only.iter().any(|pattern| pattern.matches(name)))
}

fn exact(name: &ObjectName) -> Pattern {
    Pattern::parse(&name.to_string(), Shape::Whole).expect("a name is written so that it can be read back")
}

/// Returns the rule that is to be widened for a hazard, in the form of its own line.
pub(super) fn own_rule(policy: &Policy, hazard: Hazard) -> HazardRule {
    let (rule, _) = policy.hazard(hazard);
    match rule {
        // The line of a class may name objects of other kinds.
        HazardRule::Limit { only: Some(only), max_rows } => {
            let n_parts = match HazardKey::Kind(hazard).shape() {
                Shape::Global => Some(1),
                Shape::InSchema => Some(2),
                Shape::InTable | Shape::Policy => Some(3),
                Shape::Whole => None,
            };
            let of_this_kind = |pattern: &Pattern| n_parts.is_none_or(|n_parts| pattern.n_parts() == n_parts);
            HazardRule::Limit { only: Some(only.into_iter().filter(of_this_kind).collect()), max_rows }
        }
        rule => rule,
    }
}

/// Returns a rule that allows all stakes of its hazard beside what it allows already.
pub(super) fn widened(rule: HazardRule, stakes: &[&Stake], scope: &Scope<'_>) -> HazardRule {
    // Naming the objects may shut out one that was allowed by its number of rows; the second round lets it in.
    let rule = stakes.iter().chain(stakes).fold(rule, |rule, stake| stake.widened(rule, scope));
    let is_enough = stakes.iter().all(|stake| stake.unmet(&rule, scope).is_none());
    if is_enough { rule } else { HazardRule::Approve }
}
