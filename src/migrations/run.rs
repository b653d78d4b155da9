//! A run of drizzle's migrator, statement by statement: what PostgreSQL refuses because all of it is one transaction, or
//! because a migration has ended that. Pure.
//!
//! drizzle-orm runs all pending migrations in one transaction (`PgDialect.migrate`). After a COMMIT in a migration every
//! further query is a transaction of its own, those of later migrations as well.

use std::collections::BTreeSet;

use crate::migrations::schema::Schema;
use crate::sql::ObjectName;
use crate::sql::action::literal::{Literal, Of};
use crate::sql::action::{Action, Step};
use crate::sql::script::{Script, Stated};
use crate::sql::transaction::Boundary;
use crate::sql::types::SqlType;

/// The first version of PostgreSQL in which the values of an enum that the transaction made can be used, also those that it
/// added later.
const OWN_ENUMS_SINCE: u32 = 170_000;

/// What has happened in a run so far.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Values that cannot be used before the transaction is committed.
    added: Vec<Added>,
    /// The enums that were made in this transaction.
    made: BTreeSet<ObjectName>,
    /// The tables that were made in this transaction, and nobody has filled.
    void: BTreeSet<ObjectName>,
    is_outside: bool,
    /// The version of the server, as `server_version_num` says it.
    server: Option<u32>,
}

#[derive(Debug, Clone)]
struct Added {
    of: ObjectName,
    value: String,
    by: usize,
}

/// What the server refuses in a run, or what changes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// A transaction is begun or ended.
    Control { what: &'static str },
    /// PostgreSQL runs it outside of transaction blocks only (25001).
    Alone { what: &'static str },
    /// A value is used that this transaction has added to an enum (55P04).
    NewValue {
        value: String,
        of: ObjectName,
        /// Who added it, as the caller told.
        by: usize,
        how: Use,
    },
}

/// How a statement uses a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    Certain,
    /// It writes it, for a column of which nothing is known.
    Likely,
    /// It converts a column, whose rows may hold it.
    ByRows,
}

impl Run {
    /// Begins a run on a server; of a version that is not known the stricter is taken.
    pub fn on(server: Option<u32>) -> Run {
        Run { server, ..Run::default() }
    }

    /// Looks at a statement, before the schema has what it does. `by` is told again with what the statement added.
    ///
    /// `n_beside` is how many statements the server gets in one query with it.
    pub fn look(
        &mut self,
        schema: &Schema,
        script: &Script<'_>,
        stated: &Stated,
        n_beside: usize,
        by: usize,
    ) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        self.control(stated, &mut troubles);
        // A query of several statements is a transaction block as well.
        if let Some(what) = stated.bounds.alone.filter(|_| !self.is_outside || n_beside > 0) {
            troubles.push(Trouble::Alone { what });
        }
        troubles.extend(self.new_value(schema, script, stated));
        for Step { action, .. } in &stated.steps {
            self.take(action, by);
        }
        troubles
    }

    fn control(&mut self, stated: &Stated, troubles: &mut Vec<Trouble>) {
        for &(what, boundary) in &stated.bounds.boundaries {
            match boundary {
                Boundary::Stays => continue,
                Boundary::Begins => self.is_outside = false,
                Boundary::Ends => self.committed(true),
                Boundary::Chains => self.committed(false),
            }
            troubles.push(Trouble::Control { what });
        }
        // A block of code may end the transaction of nobody else (2D000).
        if let Some(what) = stated.ends_within.filter(|_| !self.is_outside) {
            troubles.push(Trouble::Control { what });
        }
    }

    fn committed(&mut self, is_outside: bool) {
        self.added.clear();
        self.made.clear();
        self.void.clear();
        self.is_outside = is_outside;
    }

    fn take(&mut self, action: &Action, by: usize) {
        match action {
            Action::CreateEnum { name, .. } => drop(self.made.insert(name.clone())),
            Action::CreateTable(table) => drop(self.void.insert(table.name.clone())),
            Action::Insert { table, .. } | Action::Update { table, .. } => drop(self.void.remove(table)),
            Action::AddValue { of, value } if !self.is_outside && !self.may_use_own(of) => {
                self.added.push(Added { of: of.clone(), value: value.clone(), by });
            }
            Action::Rename { from, to, .. } => {
                for added in &mut self.added {
                    if let Some(name) = added.of.moved(from, to) {
                        added.of = name;
                    }
                }
                for names in [&mut self.made, &mut self.void] {
                    if names.remove(from) {
                        names.insert(to.clone());
                    }
                }
            }
            Action::Drop { name, .. } => self.added.retain(|added| added.of != *name),
            _ => {}
        }
    }

    fn may_use_own(&self, of: &ObjectName) -> bool {
        self.made.contains(of) && self.server.is_some_and(|server| server >= OWN_ENUMS_SINCE)
    }

    /// Returns the first of the new values that a statement uses, or may use.
    fn new_value(&self, schema: &Schema, script: &Script<'_>, stated: &Stated) -> Option<Trouble> {
        if self.added.is_empty()
            || stated.steps.iter().any(|step| matches!(step.action, Action::AddValue { .. }) && !step.perhaps)
        {
            return None;
        }
        let trouble = |added: &Added, how| Trouble::NewValue {
            value: added.value.clone(),
            of: added.of.clone(),
            by: added.by,
            how,
        };
        let literals = script.literals(stated);
        for how in [Use::Certain, Use::Likely] {
            for added in &self.added {
                let uses =
                    |literal: &Literal| literal.says(&added.value) && used(schema, literal, &added.of) == Some(how);
                if literals.iter().any(uses) {
                    return Some(trouble(added, how));
                }
            }
        }
        // Rows may hold the value as text.
        let converts = |added: &&Added| {
            stated.steps.iter().any(|step| match &step.action {
                Action::SetType { column, to, .. } => {
                    to.own.as_ref() == Some(&added.of)
                        && column.parent().is_none_or(|table| !self.void.contains(&table))
                }
                _ => false,
            })
        };
        self.added.iter().find(converts).map(|added| trouble(added, Use::ByRows))
    }
}

/// Tells how a string is a value of an enum; none where it certainly is not.
fn used(schema: &Schema, literal: &Literal, of: &ObjectName) -> Option<Use> {
    let by_type = |found: &SqlType| (found.own.as_ref() == Some(of)).then_some(Use::Certain);
    let (columns, tables) = match &literal.of {
        Of::Type(name) => return (name == of).then_some(Use::Certain),
        Of::Place { table, idx } => (vec![schema.column_at(table, *idx)], std::slice::from_ref(table)),
        Of::Column { tables, name } => {
            (tables.iter().map(|table| schema.column(&table.child(name))).collect(), tables.as_slice())
        }
    };
    let types: Vec<&SqlType> = columns.into_iter().flatten().filter_map(|column| column.of.as_ref()).collect();
    if types.is_empty() {
        let is_catalog = |table: &ObjectName| {
            table.last().starts_with("pg_") || matches!(table.parts()[0].as_str(), "pg_catalog" | "information_schema")
        };
        return (!tables.is_empty() && !tables.iter().any(is_catalog)).then_some(Use::Likely);
    }
    types.into_iter().find_map(by_type)
}
