//! What was found out about statements. Pure.

use std::collections::BTreeMap;

use crate::db::inspect::convertible::Convertible;
use crate::db::inspect::objects::Object;
use crate::db::inspect::reach::wanted::{Required, Retyped};
use crate::db::inspect::relation::Relation;

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rows {
    Exact(u64),
    /// Counting was ended at a bound.
    AtLeast(u64),
    /// Row level security would keep rows from being counted, and a DROP takes them all the same.
    Hidden,
    /// `pg_class.reltuples`, where counting would take long or is not allowed.
    Estimate(u64),
    Unknown,
}

/// What is known about a relation whose rows are at stake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub rows: Rows,
    /// The extension that it belongs to.
    pub extension: Option<String>,
}

/// An object of the catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Thing {
    /// As `pg_identify_object` names it: `table`, `view`, `table column`, `table constraint`, `policy` …
    pub kind: String,
    /// Schema, relation, and the part of it where there is one.
    pub name: Vec<String>,
    /// Kind and name for a reader, with the arguments of a function.
    pub told: String,
    /// Of a constraint, what kind it is (`pg_constraint.contype`).
    pub constraint: Option<char>,
}

impl Thing {
    pub(super) fn of(object: &Object) -> Thing {
        let (kind, name) = (object.kind.clone(), object.names.clone());
        Thing { kind, name, told: object.told(), constraint: object.constraint }
    }

    /// Returns what it is, to a reader who is told its name.
    pub fn kind_and_part(&self) -> &str {
        match (&*self.kind, self.constraint) {
            ("table constraint", Some('p')) => "primary key",
            ("table constraint", Some('f')) => "foreign key",
            ("table constraint", Some('u')) => "unique constraint",
            ("table constraint", Some('c')) => "check",
            ("table constraint", Some('x')) => "exclusion constraint",
            (kind, _) => kind,
        }
    }

    /// Returns the relation whose rows are lost with it.
    pub fn relation(&self) -> Option<Relation> {
        let holds_rows = ["table", "foreign table", "materialized view", "table column", "foreign table column"]
            .contains(&&*self.kind);
        match self.name.as_slice() {
            [schema, name, ..] if holds_rows => Some(Relation { schema: schema.clone(), name: name.clone() }),
            _ => None,
        }
    }
}

/// Something that goes with a statement that does not name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reached {
    /// The act that takes it along, by its number; the first of several.
    pub act_idx: usize,
    pub thing: Thing,
    /// The role that owns it, or its table, where that is not the role of this connection.
    pub owner: Option<String>,
}

/// Why a statement cannot run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    pub act_idx: usize,
    pub why: Obstacle,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// These need it, and it is not dropped with `CASCADE`.
    Needed(Vec<Thing>),
    /// It is a part of this one.
    PartOf(Thing),
    /// The act of this number has taken it along.
    GoneBy(usize),
    Missing,
    /// These stand on the column, whose type changes.
    Held(Vec<Thing>),
    /// These are there, and must not be. None where they are out of sight, in another database.
    There(Vec<Thing>),
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Absent where there is no such relation.
    pub relations: BTreeMap<Relation, Found>,
    /// The tables that are emptied with each truncated one, itself left out.
    pub emptied: BTreeMap<Relation, Vec<Relation>>,
    pub reached: Vec<Reached>,
    /// The drops whose object was not found, so that nobody knows what they reach.
    pub lost: Vec<usize>,
    pub stops: Vec<Stop>,
    /// Tables with the names of their primary keys.
    pub primary_keys: Vec<(Relation, String)>,
    /// Identity columns with their sequences.
    pub identities: Vec<(Relation, String, Relation)>,
    /// What comes of the values of a column whose type changes.
    pub conversions: BTreeMap<Retyped, Convertible>,
    /// The rows that have no value where they must have one. Absent where that was not found out.
    pub without: BTreeMap<Required, u64>,
    /// Types that the server does not know, with what it says.
    pub unknown_types: BTreeMap<String, String>,
    /// Code by its number that is neither PostgreSQL's nor an extension's, and may do what it likes, with a name for it.
    pub runs: Vec<(usize, String)>,
    /// What is lost with a view that is made again, beside its query.
    pub on_views: BTreeMap<Relation, Vec<String>>,
}

impl Facts {
    /// Adds what was found before and is not looked up a second time.
    pub fn or_as_before(self, before: &Facts) -> Facts {
        let Facts { relations, emptied, reached, lost, stops, primary_keys, identities, .. } = self;
        Facts { relations, emptied, reached, lost, stops, primary_keys, identities, ..before.clone() }
    }
}
