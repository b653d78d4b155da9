//! Decides which statements empty a database, from what was read of it. Pure: a catalog in, a plan or a refusal out.
//!
//! Objects go one by one and never by dropping `public`, because that would take extensions, grants, default
//! privileges and the owner along. With `CASCADE`, because cycles leave no other order; what it takes along is found
//! here first.

mod chosen;
mod collateral;
mod graph;
mod left;
mod names;
mod refusal;
mod scope;
mod services;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use crate::db::inspect::closure::Closure;
use crate::db::inspect::objects::{Catalog, Extension, Object, class};
use crate::db::inspect::relation::Relation;
use chosen::Chosen;
use collateral::collateral;
use steps::{IN_SCOPE, JOURNAL_FIRST, drop_schemas, drops, kind_idx, lock};

pub use chosen::Stays;
pub use collateral::Taken;
pub(super) use left::{left, unplanned};
pub use names::{named, needed_by, relations};
pub use refusal::{Foreign, ManagedSchema, Offence, Refusal, Why};
pub use scope::{Owners, Schemas, Scope};
pub use steps::Step;

/// How a database is emptied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResetPlan {
    pub scope: Scope,
    /// Run first: they keep everyone out of the tables, so that what was planned stays true.
    pub locking: Vec<Step>,
    /// What drops.
    pub steps: Vec<Step>,
    /// What `CASCADE` takes along that is no part of what the statements name, and may go.
    pub collateral: Vec<Taken>,
    pub stays: Vec<Stays>,
    /// The schemas that are left.
    pub schemas_left: BTreeSet<String>,
    /// What is left in them that has a name of its own there, by its kind.
    pub left: Vec<(String, Relation)>,
    /// Must be the same afterwards.
    pub extensions: Vec<Extension>,
    pub n_objects: usize,
    /// The server's estimate for all of the tables together.
    pub rows: u64,
    /// Who owns what goes, where that is not us: the owner with the number of objects.
    pub owners: BTreeMap<String, usize>,
    pub locks: Locks,
}

/// The locks that a plan takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locks {
    /// Relations that have to be locked, by their numbers.
    pub relations: Vec<u32>,
    /// Locks that the statements take, one for each object that goes.
    pub n_locks: u64,
    /// How many the server promises to have room for.
    pub capacity: u64,
}

/// What one transaction drops where the server has no room for the locks of all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// As in [`ResetPlan`].
    pub locking: Vec<Step>,
    pub steps: Vec<Step>,
    pub n_objects: usize,
}

/// Whether the server has room for the locks of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    Surely,
    /// The server was seen to have room for 1.7 times what it promises.
    Perhaps,
    No,
}

impl ResetPlan {
    /// Returns everything that runs, in order.
    pub fn statements(&self) -> impl Iterator<Item = &Step> {
        self.locking.iter().chain(&self.steps)
    }

    /// Tells whether there is nothing to drop.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Tells whether the server has room for the locks.
    pub fn room(&self) -> Room {
        let Locks { n_locks, capacity, .. } = self.locks;
        match n_locks {
            n_locks if n_locks <= capacity => Room::Surely,
            n_locks if n_locks <= capacity.saturating_mul(17) / 10 => Room::Perhaps,
            _ => Room::No,
        }
    }

    /// Tells whether another plan would do the same, whatever the server estimates meanwhile.
    pub fn does_the_same_as(&self, other: &ResetPlan) -> bool {
        self.locking == other.locking
            && self.steps == other.steps
            && self.collateral == other.collateral
            && self.extensions == other.extensions
    }
}

/// Says how a database is emptied.
///
/// # Errors
/// With everything of one kind that stands against it, named.
pub fn plan(catalog: &Catalog, scope: &Scope) -> Result<ResetPlan, Refusal> {
    let chosen = Chosen::of(catalog, scope)?;
    let Chosen { targets, emptied, .. } = &chosen;
    may_be_dropped(catalog, targets)?;
    let of_others = of_others(catalog, &chosen);
    if scope.owners == Owners::Us && !of_others.is_empty() {
        return Err(Refusal::OtherOwners(of_others));
    }

    let closure = chosen.closure();
    let collateral = collateral(catalog, scope, &chosen, &closure)?;
    let (journal, rest) = chosen.named(scope);
    let mut steps = Vec::new();
    drops(&journal, JOURNAL_FIRST, &mut steps)?;
    drops(&rest, IN_SCOPE, &mut steps)?;
    drop_schemas(emptied, &mut steps);
    let mut relations: Vec<u32> =
        closure.keys().filter(|(class, _)| *class == class::RELATION).map(|(_, oid)| oid).collect();
    relations
        .extend(catalog.objects.iter().filter(|object| closure.touches(object.id)).filter_map(|object| object.part_of));
    relations.sort_unstable();
    relations.dedup();
    Ok(ResetPlan {
        scope: scope.clone(),
        locking: lock(targets),
        schemas_left: catalog
            .schemas
            .iter()
            .filter(|schema| !emptied.contains(schema))
            .map(|schema| schema.name.clone())
            .collect(),
        left: left::left_standing(catalog, &closure),
        collateral,
        extensions: catalog.extensions.clone(),
        n_objects: targets.len() + emptied.len(),
        rows: targets.iter().filter_map(|object| object.rows).sum(),
        owners: of_others.into_iter().map(|(owner, objects)| (owner, objects.len())).collect(),
        locks: Locks { relations, n_locks: closure.len() as u64, capacity: catalog.facts.lock_capacity },
        steps,
        stays: chosen.stays,
    })
}

/// Says what goes first, where all of it takes more locks than there is room for: the table of the migrations alone, then
/// as much as fits, but one object at least.
///
/// # Errors
/// As [`plan`].
pub fn first_part(catalog: &Catalog, scope: &Scope, room: u64) -> Result<Part, Refusal> {
    // What stands against the whole stands against every part of it.
    plan(catalog, scope)?;
    let chosen = Chosen::of(catalog, scope)?;
    let (journal, mut rest) = chosen.named(scope);
    let mut steps = Vec::new();
    if !journal.is_empty() {
        drops(&journal, JOURNAL_FIRST, &mut steps)?;
        return Ok(Part { locking: lock(&journal), steps, n_objects: journal.len() });
    }
    if rest.is_empty() {
        let schemas = &chosen.emptied[..chosen.emptied.len().min(usize::try_from(room).unwrap_or(usize::MAX).max(1))];
        drop_schemas(schemas, &mut steps);
        return Ok(Part { locking: Vec::new(), steps, n_objects: schemas.len() });
    }
    // What many things need is cheap once they are gone.
    rest.sort_by_cached_key(|object| {
        let mut alone = Closure::default();
        chosen.graph.close(&mut alone, [object.id]);
        (kind_idx(object), alone.len())
    });
    let mut closure = Closure::default();
    let n_fit = rest.iter().take_while(|object| {
        chosen.graph.close(&mut closure, [object.id]);
        closure.len() as u64 <= room
    });
    let n_fit = n_fit.count().max(1);
    rest.truncate(n_fit);
    drops(&rest, IN_SCOPE, &mut steps)?;
    Ok(Part { locking: lock(&rest), steps, n_objects: n_fit })
}

fn may_be_dropped(catalog: &Catalog, targets: &[&Object]) -> Result<(), Refusal> {
    let wanted: BTreeSet<&String> = targets.iter().filter_map(|object| object.schema.as_ref()).collect();
    let unusable = catalog.schemas.iter().filter(|schema| !schema.usable && wanted.contains(&schema.name));
    let unusable: Vec<String> = unusable.map(|schema| schema.name.clone()).collect();
    if !unusable.is_empty() {
        return Err(Refusal::Unusable(unusable));
    }
    let foreign: Vec<Foreign> = targets
        .iter()
        .filter(|object| !object.mine)
        .map(|object| Foreign { object: object.told(), owner: object.owner.clone().unwrap_or_default() })
        .collect();
    if foreign.is_empty() { Ok(()) } else { Err(Refusal::NotMine(foreign)) }
}

/// Finds what is not ours of what goes, by its owner.
fn of_others(catalog: &Catalog, chosen: &Chosen) -> BTreeMap<String, Vec<String>> {
    let objects = chosen.targets.iter().filter_map(|object| Some((object.owner.as_ref()?, object.told())));
    let schemas = chosen.emptied.iter().map(|schema| (&schema.owner, format!("schema {}", schema.name)));
    let mut of_others: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (owner, object) in objects.chain(schemas).filter(|(owner, _)| **owner != catalog.facts.user) {
        of_others.entry(owner.clone()).or_default().push(object);
    }
    of_others
}
