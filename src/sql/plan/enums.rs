//! Finds the enums that a plan builds again.

use std::collections::HashMap;

use crate::sql::effect::{Effect, Kind, Proof, Reach, Reading, Using};
use crate::sql::name::ObjectName;

/// The enums that are built again, and the statements that belong to that.
///
/// drizzle-kit takes a value out of an enum by changing its columns to `text`, dropping the type, creating it again and
/// changing the columns back (`AlterTypeDropValueConvertor`).
#[derive(Default)]
pub(super) struct Enums {
    /// The type by statement and, for changes of a column, by column.
    of: HashMap<(usize, Option<ObjectName>), ObjectName>,
}

impl Enums {
    pub(super) fn find(readings: &[Reading]) -> Enums {
        let mut enums = Enums::default();
        for (drop_idx, reading) in readings.iter().enumerate() {
            let [Effect::Drop { kind: Kind::Type, name, reach: Reach::Alone, .. }] = reading.effects.as_slice() else {
                continue;
            };
            let is_created = |effect: &Effect| matches!(effect, Effect::CreateEnum { name: created, proof: Proof::New, .. } if created == name);
            let Some(create_idx) = find_undisturbed(readings, drop_idx + 1, is_created) else { continue };
            enums.of.insert((drop_idx, None), name.clone());
            enums.find_columns(readings, drop_idx, create_idx, name);
        }
        enums
    }

    /// Finds the columns that are changed to text before an enum goes and to it after it has come.
    fn find_columns(&mut self, readings: &[Reading], drop_idx: usize, create_idx: usize, of: &ObjectName) {
        for (back_idx, reading) in readings.iter().enumerate().skip(create_idx + 1) {
            // After a rename a name may be another column's.
            if reading.effects.iter().any(disturbs) {
                return;
            }
            for effect in &reading.effects {
                let Effect::ChangeType { column, to, using: Using::Cast } = effect else { continue };
                if to.name.as_ref() != Some(of) {
                    continue;
                }
                if let Some(away_idx) = changed_to_text(readings, drop_idx, column)
                    && !is_changed(readings, away_idx + 1, back_idx, column)
                {
                    self.of.insert((away_idx, Some(column.clone())), of.clone());
                    self.of.insert((back_idx, Some(column.clone())), of.clone());
                }
            }
        }
    }

    /// Returns the enum that an effect belongs to, where that is built again.
    pub(super) fn of(&self, statement_idx: usize, effect: &Effect) -> Option<&ObjectName> {
        match effect {
            _ if self.of.is_empty() => None,
            Effect::ChangeType { column, .. } => self.of.get(&(statement_idx, Some(column.clone()))),
            Effect::Drop { kind: Kind::Type, .. } => self.of.get(&(statement_idx, None)),
            _ => None,
        }
    }
}

/// Tells whether names after an effect may mean other objects than before it.
fn disturbs(effect: &Effect) -> bool {
    matches!(effect, Effect::Rename { .. } | Effect::Unknown)
}

/// Finds the first statement from `from` on that has an effect, if no name may mean something else before it.
fn find_undisturbed(readings: &[Reading], from: usize, wanted: impl Fn(&Effect) -> bool) -> Option<usize> {
    for (idx, reading) in readings.iter().enumerate().skip(from) {
        if reading.effects.iter().any(&wanted) {
            return Some(idx);
        }
        if reading.effects.iter().any(disturbs) {
            return None;
        }
    }
    None
}

/// Finds the last statement before another that changes a column to text, if no name may mean something else after it.
fn changed_to_text(readings: &[Reading], before: usize, wanted: &ObjectName) -> Option<usize> {
    for (idx, reading) in readings.iter().enumerate().take(before).rev() {
        for effect in &reading.effects {
            match effect {
                Effect::ChangeType { column, to, using } if column == wanted => {
                    let is_text = to.text.eq_ignore_ascii_case("text") && *using == Using::Assignment;
                    return is_text.then_some(idx);
                }
                effect if disturbs(effect) => return None,
                _ => {}
            }
        }
    }
    None
}

/// Tells whether a column changes its type, or goes, within a part of the plan.
fn is_changed(readings: &[Reading], from: usize, to: usize, wanted: &ObjectName) -> bool {
    readings[from..to].iter().flat_map(|reading| &reading.effects).any(|effect| match effect {
        Effect::ChangeType { column, .. } => column == wanted,
        Effect::Drop { kind: Kind::Column | Kind::Table | Kind::Schema, name, .. } => {
            wanted.parts().starts_with(name.parts())
        }
        _ => false,
    })
}
