//! Says which hazards the statements of a plan have, one after the other.
//!
//! A statement alone does not tell what is at stake. What was created a moment ago holds nothing that could be lost, what
//! was renamed a moment ago is an object that the user knows by another name, and an enum that is dropped and created
//! again takes the columns with it that were changed to text and back. [`assess`] goes through the plan in order and
//! keeps what it needs for that, and where it cannot prove that nothing is at stake, the hazard stays.

mod change;
mod enums;
mod risk;
mod space;
mod state;
#[cfg(test)]
mod tests;

use crate::sql::dialect::Dialect;
use crate::sql::effect::{Effect, Kind, Reach, Reading};
use crate::sql::hazard::Hazard;
use crate::sql::name::ObjectName;
use crate::sql::rebuild::{self, Part};
use crate::sql::{other, postgres};
use enums::Enums;
use risk::{Risk, risks};
use space::Space;
use state::State;

pub use change::{Change, Reference, Replaced};
pub use risk::Facts;

/// What a statement is, and why it needs consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assessed {
    /// The statement as it was given.
    pub sql: String,
    /// `alter_table`, `create_index`, …, or `unknown` where the text is not one whole statement.
    pub kind: String,
    /// What the statement names, as far as it is understood.
    pub objects: Vec<ObjectName>,
    /// Each hazard once, or twice if it cascades for some of its objects only.
    pub hazards: Vec<Found>,
    /// The foreign keys that it adds.
    pub references: Vec<Reference>,
    /// What it does to the objects of the catalog, in its order.
    pub changes: Vec<Change>,
    /// The table that has been built anew when the statement drops the old one.
    pub replaced: Option<Replaced>,
    /// The columns that get this type, each by its name from before the plan.
    pub retyped: Vec<(ObjectName, String)>,
}

/// A hazard of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub hazard: Hazard,
    /// What [`Hazard::object`] says: tables for `drop_table`, columns for `drop_column`, and so on.
    pub objects: Vec<ObjectName>,
    /// The name that each of the objects had before the plan, in the same order.
    pub before: Vec<ObjectName>,
    /// Whether objects are reached that the statement does not name.
    pub cascade: bool,
}

/// Returns what each statement of a plan is, and its hazards.
pub fn assess(statements: &[String], dialect: Dialect, facts: &Facts) -> Vec<Assessed> {
    let readings: Vec<Reading> = statements.iter().map(|sql| read(sql, dialect)).collect();
    let weighed = weigh(&readings, facts);
    let assessed = statements.iter().zip(readings).zip(weighed).map(|((sql, reading), weighed)| {
        let mut objects: Vec<ObjectName> = Vec::new();
        for object in reading.effects.iter().flat_map(Effect::objects) {
            if !objects.contains(object) {
                objects.push(object.clone());
            }
        }
        let Weighed { hazards, references, changes, replaced, retyped } = weighed;
        Assessed { sql: sql.clone(), kind: reading.kind, objects, hazards, references, changes, replaced, retyped }
    });
    assessed.collect()
}

/// What is at stake in a statement among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighed {
    /// As in [`Assessed`].
    pub hazards: Vec<Found>,
    /// As in [`Assessed`].
    pub references: Vec<Reference>,
    /// As in [`Assessed`].
    pub changes: Vec<Change>,
    /// As in [`Assessed`].
    pub replaced: Option<Replaced>,
    /// As in [`Assessed`].
    pub retyped: Vec<(ObjectName, String)>,
}

/// Returns what is at stake in statements that were read, in their order.
pub fn weigh(readings: &[Reading], facts: &Facts) -> Vec<Weighed> {
    let enums = Enums::find(readings);
    let parts = rebuild::find(readings);
    let mut state = State::default();
    let mut weighed = Vec::with_capacity(readings.len());
    for (statement_idx, reading) in readings.iter().enumerate() {
        let mut hazards: Vec<Found> = Vec::new();
        // The table stays the same one, whatever it is called meanwhile.
        if let Some(part) = parts.get(&statement_idx) {
            let replaced = match part {
                Part::Beside => None,
                Part::Drop(rebuild) => Some(state.replaced(rebuild)),
            };
            if let Some(replaced) = &replaced {
                let kinds = [Some(Hazard::RebuildTable), (!replaced.is_filled).then_some(Hazard::DeleteRows)];
                for hazard in kinds.into_iter().flatten() {
                    add(
                        &mut hazards,
                        Risk::new(hazard, Space::Relation, [replaced.table.clone()], Reach::Alone),
                        &state,
                    );
                }
            }
            let (references, changes, retyped) = (Vec::new(), Vec::new(), Vec::new());
            weighed.push(Weighed { hazards, references, changes, replaced, retyped });
            continue;
        }
        // Everything that one statement does is weighed against what was there before it: PostgreSQL drops columns
        // before it adds any, whatever their order in the statement.
        for effect in &reading.effects {
            let recreated = enums.of(statement_idx, effect);
            for risk in risks(effect, recreated, facts, &state) {
                if !risk.is_spared(&state) && !is_made_again(&readings[statement_idx..], effect) {
                    add(&mut hazards, risk, &state);
                }
            }
        }
        let changes = reading.effects.iter().filter_map(|effect| {
            state.change(effect, enums.of(statement_idx, effect), &reading.effects, &readings[..statement_idx])
        });
        // Where there are no rows, nothing runs. Whatever a materialised view is made of runs.
        let runs = reading.runs.iter().filter(|run| !state.is_new(Space::Relation, &run.table));
        let changes = changes.chain(runs.map(|run| Change::Run { code: run.code.clone() })).collect();
        let retyped = reading.effects.iter().filter_map(|effect| match effect {
            Effect::ChangeType { column, to, .. } => {
                Some((state.former(Space::Column, column).unwrap_or_else(|| column.clone()), to.text.clone()))
            }
            _ => None,
        });
        let retyped = retyped.collect();
        for effect in &reading.effects {
            state.apply(effect);
        }
        let references = reading.effects.iter().filter_map(|effect| state.reference(effect)).collect();
        weighed.push(Weighed { hazards, references, changes, replaced: None, retyped });
    }
    weighed
}

/// Tells whether an effect is the drop of a view that these statements make anew: what it shows is written down in them.
fn is_made_again(statements: &[Reading], effect: &Effect) -> bool {
    let Effect::Drop { kind: Kind::View, name, reach: Reach::Alone, .. } = effect else { return false };
    let is_view = |kind: Kind| matches!(kind, Kind::View | Kind::MaterializedView);
    let mut effects = statements.iter().skip(1).flat_map(|reading| &reading.effects);
    effects.any(|later| matches!(later, Effect::Create { kind, name: made, .. } if is_view(*kind) && made == name))
}

/// Reads one statement: what kind it is, and what it does.
pub fn read(sql: &str, dialect: Dialect) -> Reading {
    match dialect {
        Dialect::Postgres => postgres::read(sql),
        Dialect::MySql | Dialect::SingleStore | Dialect::Sqlite | Dialect::Turso => other::read(sql, dialect),
    }
}

fn add(hazards: &mut Vec<Found>, risk: Risk, state: &State) {
    let cascade = risk.reach == Reach::Cascade;
    let found = match hazards.iter_mut().find(|found| found.hazard == risk.hazard && found.cascade == cascade) {
        Some(found) => found,
        None => {
            hazards.push(Found { hazard: risk.hazard, objects: Vec::new(), before: Vec::new(), cascade });
            hazards.last_mut().expect("one was just added")
        }
    };
    for object in risk.objects {
        if found.objects.contains(&object) {
            continue;
        }
        found.before.push(state.former(risk.space, &object).unwrap_or_else(|| object.clone()));
        found.objects.push(object);
    }
}
