//! Finds tables that are built anew: SQLite cannot change most of a table, so drizzle-kit creates another one, copies the rows,
//! drops the old one and gives its name to the other (`_moveDataStatements`, 0.25 to 0.31), or gives the old one another name
//! first (0.20 to 0.24). All of it is one change of one table, and none of its parts is what it looks like.

use std::collections::BTreeMap;

use crate::sql::effect::{Copied, Defined, Effect, Kind, Proof, Reach, Reading};
use crate::sql::name::ObjectName;

/// What a statement is for a table that is built anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// It drops the old one.
    Drop(Rebuild),
    Beside,
}

/// A table that is built anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rebuild {
    /// By its name before and after.
    pub(super) table: ObjectName,
    pub(super) defined: Vec<Defined>,
    /// None where no row is copied.
    pub(super) copied: Option<Copied>,
}

/// Returns the statements that build tables anew.
pub(super) fn find(readings: &[Reading]) -> BTreeMap<usize, Part> {
    let mut parts = BTreeMap::new();
    for begin in 0..readings.len() {
        if parts.contains_key(&begin) {
            continue;
        }
        // Switches, and nothing else, may stand between.
        let rest: Vec<usize> =
            (begin..readings.len()).filter(|idx| !readings[*idx].effects.is_empty()).take(4).collect();
        if rest.first() != Some(&begin) {
            continue;
        }
        let at = |idx: usize| rest.get(idx).map(|idx| &readings[*idx]);
        if let Some((rebuild, n_statements, drop_idx)) = new_first(&at).or_else(|| old_first(&at)) {
            for (idx, statement_idx) in rest[..n_statements].iter().enumerate() {
                let part = if idx == drop_idx { Part::Drop(rebuild.clone()) } else { Part::Beside };
                parts.insert(*statement_idx, part);
            }
        }
    }
    parts
}

type At<'r, 'a> = &'a dyn Fn(usize) -> Option<&'r Reading>;

/// CREATE new, INSERT INTO new, DROP old, RENAME new TO old; the copy may be missing.
fn new_first(at: At) -> Option<(Rebuild, usize, usize)> {
    let (new, defined) = created(at(0)?)?;
    let copied = copied(at(1)?).filter(|(into, _)| **into == *new).map(|(_, copied)| copied);
    let next = if copied.is_some() { 2 } else { 1 };
    let table = dropped(at(next)?)?;
    let (from, to) = renamed(at(next + 1)?)?;
    let is_whole = from == new && to == table && copied.is_none_or(|copied| copied.from == *table);
    let rebuild = Rebuild { table: table.clone(), defined: defined.to_vec(), copied: copied.cloned() };
    is_whole.then_some((rebuild, next + 2, next))
}

/// RENAME old TO other, CREATE old, INSERT INTO old, DROP other.
fn old_first(at: At) -> Option<(Rebuild, usize, usize)> {
    let (table, other) = renamed(at(0)?)?;
    let (new, defined) = created(at(1)?)?;
    let (into, copied) = copied(at(2)?)?;
    let gone = dropped(at(3)?)?;
    let is_whole = new == table && into == table && copied.from == *other && gone == other;
    let rebuild = Rebuild { table: table.clone(), defined: defined.to_vec(), copied: Some(copied.clone()) };
    is_whole.then_some((rebuild, 4, 3))
}

fn created(reading: &Reading) -> Option<(&ObjectName, &[Defined])> {
    match reading.effects.as_slice() {
        [Effect::Create { kind: Kind::Table, name, proof: Proof::New }, Effect::Define { columns, .. }] => {
            Some((name, columns))
        }
        _ => None,
    }
}

fn copied(reading: &Reading) -> Option<(&ObjectName, &Copied)> {
    match reading.effects.as_slice() {
        [Effect::InsertRows { table, copied: Some(copied) }] => Some((table, copied)),
        _ => None,
    }
}

fn dropped(reading: &Reading) -> Option<&ObjectName> {
    match reading.effects.as_slice() {
        [Effect::Drop { kind: Kind::Table, name, reach: Reach::Alone, .. }] => Some(name),
        _ => None,
    }
}

fn renamed(reading: &Reading) -> Option<(&ObjectName, &ObjectName)> {
    match reading.effects.as_slice() {
        [Effect::Rename { kind: Kind::Table, from, to }] => Some((from, to)),
        _ => None,
    }
}
