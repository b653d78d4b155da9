//! What is known about a run beside the policy, and which names an object has in it. Pure.

use std::collections::BTreeMap;

use crate::policy::name::{ObjectName, PUBLIC};

/// What is known about the run beside the policy.
pub struct Scope<'a> {
    /// The schemas of drizzle's configuration; names, not patterns. Empty where the dialect has none, or `public` alone.
    pub schemas: &'a [String],
    pub tables: &'a TablesByName,
    /// The schemas and tables renamed so far in this run, old and new name, in the order of the answers.
    pub renamed: &'a [(ObjectName, ObjectName)],
    /// `--accept-data-loss` was given.
    pub accept_data_loss: bool,
}

/// The tables of the database before the run: for each name the schemas that hold one of it, where that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TablesByName(Option<BTreeMap<String, Vec<String>>>);

impl TablesByName {
    /// Nobody knows.
    pub const UNKNOWN: TablesByName = TablesByName(None);

    /// Makes it of all the tables that there are.
    pub fn known(schemas: BTreeMap<String, Vec<String>>) -> TablesByName {
        TablesByName(Some(schemas))
    }

    /// Tells whether the tables are known.
    pub fn is_known(&self) -> bool {
        self.0.is_some()
    }

    /// Returns the schemas that hold a table of a name; `None` where that cannot be known.
    fn schemas(&self, table: &str) -> Option<&[String]> {
        self.0.as_ref().map(|tables| tables.get(table).map_or(&[][..], Vec::as_slice))
    }
}

impl Scope<'_> {
    /// Returns the tables or views that drizzle-kit may mean by a name without schema.
    pub(crate) fn tables_shown(&self, table: &str) -> Vec<ObjectName> {
        let in_schema = |schema: &String| ObjectName::new([schema.as_str(), table]);
        if let [schema] = self.schemas {
            return vec![in_schema(schema)];
        }
        let mut tables: Vec<ObjectName> = Vec::new();
        tables.extend(
            self.renamed
                .iter()
                .map(|(_, new)| new)
                .filter(|new| new.parts().len() == 2 && new.last() == table)
                .cloned(),
        );
        let known = self.tables.schemas(table);
        let known_schemas =
            known.into_iter().flatten().filter(|schema| self.schemas.is_empty() || self.schemas.contains(schema));
        // A table that was renamed away is shown with its new name.
        tables.extend(known_schemas.map(in_schema).map(|table| self.now(&table)).filter(|now| now.last() == table));
        if known.is_none() || tables.is_empty() {
            tables.extend(self.schemas.iter().map(in_schema).map(|table| self.now(&table)));
        }
        if tables.is_empty() {
            tables.push(ObjectName::new([PUBLIC, table]));
        }
        tables.sort();
        tables.dedup();
        tables
    }

    /// Returns the name that an object has after the renames of this run, given its name from before.
    pub(in crate::policy) fn now(&self, name: &ObjectName) -> ObjectName {
        let mut name = name.clone();
        // Schemas are asked about first, so that the tables are already shown in the new ones.
        for n_parts in [1, 2] {
            let of_this_kind = |(old, _): &&(ObjectName, ObjectName)| old.parts().len() == n_parts;
            let moved = self.renamed.iter().filter(of_this_kind).find_map(|(old, new)| name.moved(old, new));
            if name.parts().len() > 1 {
                name = moved.unwrap_or(name);
            }
        }
        name
    }

    /// Returns the names that the policy may use for an object: its own and those from before the renames of this run.
    ///
    /// Its own is left out where another object had it before: a rule may mean that one.
    pub(crate) fn names(&self, name: &ObjectName) -> Vec<ObjectName> {
        let mut names = vec![name.clone()];
        for n_parts in [2, 1] {
            let of_this_kind = |(_, new): &&(ObjectName, ObjectName)| new.parts().len() == n_parts;
            let renamed = self.renamed.iter().filter(of_this_kind).filter(|_| name.parts().len() > 1);
            let former = names.last().and_then(|name| renamed.clone().find_map(|(old, new)| name.moved(new, old)));
            names.extend(former);
        }
        names.retain(|other| other != name || self.now(name) == *name);
        names
    }

    /// Returns the name by which a new rule should call an object.
    pub(super) fn spelled(&self, name: &ObjectName) -> ObjectName {
        self.names(name).into_iter().next().unwrap_or_else(|| name.clone())
    }
}
