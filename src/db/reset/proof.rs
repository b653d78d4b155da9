//! Proves that a database is as it was planned for, before the first drop and before COMMIT. Pure.

use std::collections::BTreeSet;

use crate::db::inspect::objects::Catalog;
use crate::db::reset::error::ResetError;
use crate::db::reset::plan::{self, ResetPlan};

/// How a database stands to a plan that was made for it.
pub(super) enum Still {
    /// As it was.
    So,
    /// Nothing of it is left, and nothing else has come.
    Empty,
}

/// Checks that the plan is the one that would be made now.
pub(super) fn still(plan: &ResetPlan, found: &Catalog) -> Result<Still, ResetError> {
    let now = plan::plan(found, &plan.scope).map_err(ResetError::Refused)?;
    if now.does_the_same_as(plan) {
        return Ok(Still::So);
    }
    if now.is_empty() {
        return Ok(Still::Empty);
    }
    Err(moved(&everything(plan), &everything(&now)))
}

/// Plans what is left, and checks that nothing of it is new.
pub(super) fn nothing_new(plan: &ResetPlan, found: &Catalog) -> Result<ResetPlan, ResetError> {
    let now = plan::plan(found, &plan.scope).map_err(ResetError::Refused)?;
    let (old, new) = (everything(plan), everything(&now));
    if new.is_subset(&old) && now.extensions == plan.extensions {
        return Ok(now);
    }
    Err(moved(&old, &new))
}

/// Names what a plan drops and takes along, and what it leaves alone.
fn everything(plan: &ResetPlan) -> BTreeSet<String> {
    let named = plan.steps.iter().flat_map(|step| step.objects.clone());
    let taken = plan.collateral.iter().map(|taken| taken.object.clone());
    let extensions = plan.extensions.iter().map(|found| format!("extension {} {}", found.name, found.version));
    named.chain(taken).chain(extensions).collect()
}

pub(super) fn moved(old: &BTreeSet<String>, new: &BTreeSet<String>) -> ResetError {
    let (appeared, disappeared) = (new.difference(old).cloned().collect(), old.difference(new).cloned().collect());
    ResetError::Moved { appeared, disappeared }
}

/// Checks before COMMIT that nothing in scope is left.
pub(super) fn prove_nothing_left(plan: &ResetPlan, after: &Catalog) -> Result<(), ResetError> {
    let objects = plan::left(after, &plan.scope);
    if objects.is_empty() { Ok(()) } else { Err(ResetError::Left { objects }) }
}

/// Checks before COMMIT that nothing is gone that was in no plan.
pub(super) fn prove_planned(plan: &ResetPlan, before: &Catalog, after: &Catalog) -> Result<(), ResetError> {
    let objects = plan::unplanned(before, after, &plan.scope);
    if objects.is_empty() { Ok(()) } else { Err(ResetError::Unplanned { objects }) }
}
