//! Finds names that a plan of PostgreSQL gives to two things where only one can have it. Pure.
//!
//! Tables, views, sequences and indexes of a schema share their names, and the index of a key or a unique constraint has the
//! name of the constraint. So two tables cannot have a unique constraint of one name.

use std::collections::BTreeMap;

use crate::sql::effect::{Effect, Kind, Proof, Reading};
use crate::sql::name::ObjectName;

/// A name that is given a second time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twice {
    pub statement_idx: usize,
    /// As the server keeps it.
    pub name: ObjectName,
    /// Where it was given first.
    pub first_idx: usize,
    /// The tables whose indexes it names, where both are named; the same in the same statement.
    pub tables: Option<(ObjectName, ObjectName)>,
    /// Whether the server cut the one name or the other.
    pub is_clipped: bool,
}

/// Where a name must be the only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Space {
    Schema,
    Relation,
    Type,
    Column,
    Constraint,
    Policy,
    Role,
}

impl Space {
    const ALL: [Space; 7] =
        [Space::Schema, Space::Relation, Space::Type, Space::Column, Space::Constraint, Space::Policy, Space::Role];
}

/// Who has a name.
#[derive(Debug, Clone)]
struct Owner {
    statement_idx: usize,
    written: ObjectName,
    /// The table of an index.
    table: Option<ObjectName>,
}

/// Returns the names that these statements give to a second thing while the first still has it.
pub fn twice(readings: &[Reading]) -> Vec<Twice> {
    let mut names = Names::default();
    readings.iter().flat_map(|reading| names.read(reading)).collect()
}

/// Returns the names that an effect gives, and fails if they are taken.
fn claims(effect: &Effect, reading: &Reading) -> Vec<(Space, ObjectName, Option<ObjectName>)> {
    let table_of = || {
        reading.effects.iter().find_map(|effect| match effect {
            Effect::BuildIndex { table } | Effect::AddUnique { table } => Some(table.clone()),
            _ => None,
        })
    };
    match effect {
        Effect::Create { kind, name, proof: Proof::New } => match kind {
            // A table has a type of its name, for its rows.
            Kind::Table | Kind::View | Kind::MaterializedView => {
                vec![(Space::Relation, name.clone(), None), (Space::Type, name.clone(), None)]
            }
            Kind::Sequence => vec![(Space::Relation, name.clone(), None)],
            Kind::Index => vec![(Space::Relation, name.clone(), table_of())],
            Kind::Schema => vec![(Space::Schema, name.clone(), None)],
            Kind::Type => vec![(Space::Type, name.clone(), None)],
            Kind::Column => vec![(Space::Column, name.clone(), None)],
            Kind::Policy => vec![(Space::Policy, name.clone(), None)],
            Kind::Role => vec![(Space::Role, name.clone(), None)],
            Kind::Constraint => vec![(Space::Constraint, name.clone(), name.parent())],
        },
        Effect::CreateEnum { name, proof: Proof::New, .. } => vec![(Space::Type, name.clone(), None)],
        Effect::NameIndex { name, of, proof: Proof::New } => vec![(Space::Relation, name.clone(), Some(of.clone()))],
        _ => Vec::new(),
    }
}

/// The names that statements gave so far, each with its owner.
#[derive(Default)]
pub struct Names {
    owners: BTreeMap<(Space, ObjectName), Owner>,
    /// What indexes of a table are called, or were.
    of_tables: BTreeMap<ObjectName, Vec<(Space, ObjectName)>>,
    n_read: usize,
}

impl Names {
    /// Goes on by a statement, and returns the names that it gives to a second thing.
    pub fn read(&mut self, reading: &Reading) -> Vec<Twice> {
        let statement_idx = self.n_read;
        self.n_read += 1;
        // PostgreSQL drops before it adds, whatever the order in the statement.
        for effect in &reading.effects {
            self.release(effect);
        }
        let mut twice: Vec<Twice> = Vec::new();
        for effect in &reading.effects {
            for (space, name, table) in claims(effect, reading) {
                let owner = Owner { statement_idx, written: name.clone(), table };
                let found = self.claim(space, owner);
                // A constraint with an index is told by the name of that, and the type of a table by the table.
                let is_told = |found: &Twice| twice.last().is_some_and(|told| told.name.last() == found.name.last());
                twice.extend(found.filter(|found| !is_told(found)));
            }
        }
        twice
    }

    fn claim(&mut self, space: Space, owner: Owner) -> Option<Twice> {
        let name = owner.written.clipped();
        let Some(first) = self.owners.get(&(space, name.clone())) else {
            if let Some(table) = &owner.table {
                self.of_tables.entry(table.clone()).or_default().push((space, name.clone()));
            }
            self.owners.insert((space, name), owner);
            return None;
        };
        Some(Twice {
            statement_idx: owner.statement_idx,
            first_idx: first.statement_idx,
            tables: first.table.clone().zip(owner.table),
            is_clipped: [&first.written, &owner.written].into_iter().any(|written| *written != name),
            name,
        })
    }

    /// Gives back the names of what an effect drops or calls otherwise, and more rather than less.
    fn release(&mut self, effect: &Effect) {
        match effect {
            Effect::Unknown => {
                self.owners.clear();
                self.of_tables.clear();
            }
            Effect::Drop { kind: Kind::Constraint, name, .. }
            | Effect::Rename { kind: Kind::Constraint, from: name, .. } => {
                let index = name.parent().and_then(|table| Some(table.parent()?.child(name.last())));
                self.forget(&name.clipped());
                if let Some(index) = index {
                    self.forget(&index.clipped());
                }
            }
            // Its indexes go as well.
            Effect::Drop { kind: Kind::Column, name, .. } => {
                self.forget(&name.clipped());
                if let Some(table) = name.parent() {
                    self.forget_indexes(&table);
                }
            }
            Effect::Drop { name, .. } | Effect::Rename { from: name, .. } => {
                let name = name.clipped();
                let is_within = |found: &ObjectName| found.parts().starts_with(name.parts());
                // Names are in order: those within another stand right behind it.
                for space in Space::ALL {
                    let behind = self.owners.range((space, name.clone())..).map(|(key, _)| key);
                    let within = behind.take_while(|(of, found)| *of == space && is_within(found));
                    for key in within.cloned().collect::<Vec<_>>() {
                        self.owners.remove(&key);
                    }
                }
                let behind = self.of_tables.range(name.clone()..).map(|(table, _)| table);
                for table in behind.take_while(|table| is_within(table)).cloned().collect::<Vec<_>>() {
                    self.forget_indexes(&table);
                }
            }
            _ => {}
        }
    }

    fn forget(&mut self, name: &ObjectName) {
        for space in Space::ALL {
            self.owners.remove(&(space, name.clone()));
        }
    }

    fn forget_indexes(&mut self, table: &ObjectName) {
        for key in self.of_tables.remove(table).unwrap_or_default() {
            // Others may have the name by now.
            if self.owners.get(&key).is_some_and(|owner| owner.table.as_ref() == Some(table)) {
                self.owners.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Dialect, read};
    use super::*;

    #[track_caller]
    fn check(plan: &[&str], expected: &[&str]) {
        let readings: Vec<Reading> = plan.iter().map(|sql| read(sql, Dialect::Postgres)).collect();
        let shown: Vec<String> = twice(&readings)
            .iter()
            .map(|twice| format!("{} {} {}", twice.first_idx, twice.statement_idx, twice.name))
            .collect();
        assert_eq!(shown, expected, "{plan:#?}");
    }

    const A: &str = "CREATE TABLE \"a\" (\"s\" text, CONSTRAINT \"s_unique\" UNIQUE(\"s\"));";
    const B: &str = "CREATE TABLE \"b\" (\"s\" text, CONSTRAINT \"s_unique\" UNIQUE(\"s\"));";

    fn check_of(table: &str, name: &str) -> String {
        format!("ALTER TABLE {table} ADD CONSTRAINT {name} CHECK (n > 0);")
    }

    #[test]
    fn a_table_cannot_have_two_constraints_of_one_name() {
        check(&[&check_of("a", "c"), &check_of("a", "c")], &["0 1 public.a.c"]);
        check(
            &["CREATE TABLE a (n int, CONSTRAINT c CHECK (n > 0), CONSTRAINT c CHECK (n < 9));"],
            &["0 0 public.a.c"],
        );
        check(&[A, &check_of("a", "s_unique")], &["0 1 public.a.s_unique"]);
        check(&[A, "ALTER TABLE a ADD CONSTRAINT s_unique UNIQUE (t);"], &["0 1 public.s_unique"]);
        check(&["CREATE TABLE IF NOT EXISTS a (n int, CONSTRAINT c CHECK (n > 0));", &check_of("a", "c")], &[]);
        let (one, other) = ("x".repeat(64), format!("{}y", "x".repeat(63)));
        let key = |name: &str| format!("ALTER TABLE a ADD CONSTRAINT {name} FOREIGN KEY (n) REFERENCES b (n);");
        check(&[&key(&one), &key(&other)], &[&format!("0 1 public.a.{}", "x".repeat(63))]);
    }

    #[test]
    fn two_tables_cannot_have_a_unique_constraint_of_one_name() {
        check(&[A, B], &["0 1 public.s_unique"]);
        check(&[A, "ALTER TABLE \"b\" ADD CONSTRAINT \"s_unique\" UNIQUE(\"s\");"], &["0 1 public.s_unique"]);
        check(&[A, "CREATE INDEX \"s_unique\" ON \"b\" USING btree (\"s\");"], &["0 1 public.s_unique"]);
        check(&[A, "CREATE TABLE \"s_unique\" (\"id\" integer);"], &["0 1 public.s_unique"]);
        check(&["CREATE TYPE \"public\".\"a\" AS ENUM('x');", A], &["0 1 public.a"]);
        let long = format!("\"{}\"", "x".repeat(63));
        let longer = format!("\"{}yz\"", "x".repeat(63));
        let index = |name: &str| format!("CREATE INDEX {name} ON \"t\" USING btree (\"s\");");
        check(&[&index(&long), &index(&longer)], &[&format!("0 1 public.{}", "x".repeat(63))]);
    }

    #[test]
    fn a_name_that_is_free_again_may_be_given() {
        check(&[A, "DROP TABLE \"a\";", B], &[]);
        check(&[A, "ALTER TABLE \"a\" DROP CONSTRAINT \"s_unique\";", B], &[]);
        check(&[A, "ALTER TABLE \"a\" DROP COLUMN \"s\";", B], &[]);
        check(&[A, "ALTER TABLE \"a\" RENAME CONSTRAINT \"s_unique\" TO \"other\";", B], &[]);
        check(&[A, "ALTER TABLE \"a\" RENAME TO \"c\";", "DROP TABLE \"c\";", B], &[]);
        check(&[A, "ALTER INDEX \"s_unique\" RENAME TO \"other\";", B], &[]);
        check(&[A, "DO $$ BEGIN PERFORM tidy_up(); END $$;", B], &[]);
        check(&["CREATE TABLE IF NOT EXISTS \"a\" (\"s\" text CONSTRAINT \"s_unique\" UNIQUE);", B], &[]);
        check(&[A, "CREATE TABLE \"shop\".\"b\" (\"s\" text, CONSTRAINT \"s_unique\" UNIQUE(\"s\"));"], &[]);
        // Checks and foreign keys have no index.
        check(&[&check_of("a", "c"), &check_of("b", "c")], &[]);
        check(&[&check_of("a", "c"), "ALTER TABLE a DROP CONSTRAINT c;", &check_of("a", "c")], &[]);
        check(&[&check_of("a", "c"), "ALTER TABLE a DROP COLUMN n;", &check_of("a", "c")], &[]);
        check(
            &["ALTER TABLE a ADD COLUMN n int;", "ALTER TABLE a DROP COLUMN n;", "ALTER TABLE a ADD COLUMN n int;"],
            &[],
        );
        check(&["DROP TYPE mood;", "CREATE TYPE mood AS ENUM('x');"], &[]);
    }
}
