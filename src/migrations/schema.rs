//! The schema as migrations make it, one statement after the other, as far as that can be read. Pure.
//!
//! It is for telling a person something, and never decides what may run: what is not known of a table is left open.

use std::collections::{BTreeMap, BTreeSet};

use crate::migrations::snapshot::{Snapshot, SnapshotContent};
use crate::sql::action::{Action, Column, Index, Key, KeyOf, Rows, Step, Table, Value};
use crate::sql::effect::{Kind, Proof, Reach};
use crate::sql::types::SqlType;
use crate::sql::{Dialect, ObjectName};

/// What is there before a statement.
#[derive(Debug, Clone)]
pub struct Schema {
    dialect: Dialect,
    tables: BTreeMap<ObjectName, Known>,
    enums: BTreeMap<ObjectName, Vec<String>>,
    /// What else was created in this file.
    new: BTreeSet<(Kind, ObjectName)>,
    /// Columns whose values certainly did not repeat before this file, and the tables that they were of.
    unique: Vec<(ObjectName, Vec<String>)>,
    /// The tables of which something was said in this file.
    touched: BTreeSet<ObjectName>,
    /// The tables that were dropped or renamed in this file and were there before it.
    gone: BTreeSet<ObjectName>,
}

/// What is known of a table.
#[derive(Debug, Clone)]
pub struct Known {
    pub columns: BTreeMap<String, KnownColumn>,
    /// The names of the columns, in their order.
    order: Vec<String>,
    pub keys: Vec<KnownKey>,
    /// Whether no other columns are there.
    pub is_whole: bool,
    pub is_temporary: bool,
    /// Created in this file.
    pub is_new: bool,
    /// Emptied in this file, and not filled since.
    is_emptied: bool,
    /// Some rows were deleted in this file.
    pub is_thinned: bool,
    /// Filled in this file.
    has_rows: bool,
}

/// What is known of a column.
#[derive(Debug, Clone)]
pub struct KnownColumn {
    pub of: Option<SqlType>,
    pub is_required: bool,
    pub value: Value,
    /// Added in this file.
    pub is_new: bool,
    /// Every row was given a value in this file.
    pub is_filled: bool,
}

/// What is known of a constraint or a unique index.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub key: Key,
    pub is_partial: bool,
}

impl Schema {
    /// Makes the schema of an empty database.
    pub fn empty(dialect: Dialect) -> Schema {
        Schema {
            dialect,
            tables: BTreeMap::new(),
            enums: BTreeMap::new(),
            new: BTreeSet::new(),
            unique: Vec::new(),
            touched: BTreeSet::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Adds what a snapshot has and no migration before it was seen to make.
    pub fn complete(&mut self, snapshot: &Snapshot) {
        let SnapshotContent::Read { tables, details, .. } = &snapshot.content else { return };
        let is_whole = |name: &ObjectName| self.tables.get(name).is_some_and(|known| known.is_whole);
        if tables.iter().all(is_whole) {
            return;
        }
        for (name, labels) in details.enums() {
            self.enums.entry(name).or_insert(labels);
        }
        for said in details.tables(self.dialect) {
            match self.tables.get_mut(&said.name) {
                None => drop(self.tables.insert(said.name.clone(), Known::of(&said, false))),
                Some(known) if !known.is_whole => {
                    for column in &said.columns {
                        if !known.columns.contains_key(&column.name) {
                            known.add(column, false);
                        }
                    }
                    for key in said.keys {
                        known.keep(key);
                    }
                    known.is_whole = true;
                }
                Some(_) => {}
            }
        }
    }

    /// Begins a file: what was new is not new any more.
    pub fn begin(&mut self) {
        self.new.clear();
        self.unique.clear();
        self.gone.clear();
        for name in std::mem::take(&mut self.touched) {
            let Some(known) = self.tables.get_mut(&name) else { continue };
            (known.is_new, known.is_emptied, known.is_thinned, known.has_rows) = (false, false, false, false);
            for column in known.columns.values_mut() {
                (column.is_new, column.is_filled) = (false, false);
            }
        }
    }

    pub fn table(&self, name: &ObjectName) -> Option<&Known> {
        self.tables.get(name)
    }

    /// Returns what is known of a column.
    pub fn column(&self, column: &ObjectName) -> Option<&KnownColumn> {
        self.tables.get(&column.parent()?)?.columns.get(column.last())
    }

    /// Returns the type of the column at a place of a table, from 0.
    pub fn column_at(&self, table: &ObjectName, idx: usize) -> Option<&KnownColumn> {
        let known = self.tables.get(table).filter(|known| known.is_whole)?;
        known.columns.get(known.order.get(idx)?)
    }

    /// Tells whether something was created in this file.
    pub fn is_new(&self, kind: Kind, name: &ObjectName) -> bool {
        match kind {
            Kind::Table => self.tables.get(name).is_some_and(|known| known.is_new),
            Kind::Column => {
                self.column(name).is_some_and(|column| column.is_new)
                    || name.parent().is_some_and(|table| self.is_new(Kind::Table, &table))
            }
            Kind::Constraint | Kind::Policy => {
                self.new.contains(&(kind, name.clone()))
                    || name.parent().is_some_and(|table| self.is_new(Kind::Table, &table))
            }
            _ => self.new.contains(&(kind, name.clone())),
        }
    }

    /// Tells whether a table is used by nobody else: it was created in this file, or is temporary.
    pub fn is_own(&self, table: &ObjectName) -> bool {
        self.tables.get(table).is_some_and(|known| known.is_new || known.is_temporary)
            || self.new.contains(&(Kind::MaterializedView, table.clone()))
    }

    /// Tells whether a table certainly holds no rows, or those of this file alone.
    pub fn is_empty(&self, table: &ObjectName) -> bool {
        self.is_own(table) || self.tables.get(table).is_some_and(|known| known.is_emptied)
    }

    /// Tells whether a table holds no rows at all: it was created or emptied in this file, and not filled since.
    pub fn is_void(&self, table: &ObjectName) -> bool {
        self.tables.get(table).is_some_and(|known| (known.is_new && !known.has_rows) || known.is_emptied)
    }

    /// Returns the values of an enum.
    pub fn labels(&self, name: &ObjectName) -> Option<&[String]> {
        self.enums.get(name).map(Vec::as_slice)
    }

    /// Returns the columns that have a type of the project's own, or an array of it.
    pub fn columns_of(&self, of: &ObjectName) -> Vec<ObjectName> {
        let has = |column: &KnownColumn| column.of.as_ref().and_then(|of| of.own.as_ref()) == Some(of);
        let columns = self.tables.iter().flat_map(|(table, known)| {
            let columns = known.columns.iter().filter(|(_, column)| has(column));
            columns.map(|(name, _)| table.child(name))
        });
        columns.collect()
    }

    /// Returns the foreign keys that lead to a table, with the tables that have them.
    pub fn keys_to<'s>(&'s self, table: &'s ObjectName) -> impl Iterator<Item = (&'s ObjectName, &'s Key)> {
        let keys = self.tables.iter().flat_map(|(from, known)| known.keys.iter().map(move |key| (from, &key.key)));
        keys.filter(move |(_, key)| matches!(&key.of, KeyOf::Foreign { to, .. } if to == table))
    }

    /// Returns all tables.
    pub fn tables(&self) -> impl Iterator<Item = (&ObjectName, &Known)> {
        self.tables.iter()
    }

    /// Tells whether the values of these columns may repeat in rows that are there.
    pub fn may_repeat(&self, table: &ObjectName, columns: Option<&[String]>, nulls_are_equal: bool) -> bool {
        if self.is_empty(table) {
            return false;
        }
        let Some(known) = self.tables.get(table) else { return true };
        let Some(columns) = columns.filter(|columns| !columns.is_empty()) else { return !known.is_thinned };
        let holds = |unique: &[String]| !unique.is_empty() && unique.iter().all(|column| columns.contains(column));
        let is_unique = known.keys.iter().any(|key| !key.is_partial && key.unique().is_some_and(&holds));
        let was_unique = self.unique.iter().any(|(of, unique)| of == table && holds(unique));
        // What a new column holds is NULL, or comes from where nothing comes twice.
        let differs = columns.iter().filter_map(|column| known.columns.get(column)).any(|column| {
            column.is_new
                && !column.is_filled
                && match column.value {
                    Value::None => !nulls_are_equal,
                    Value::Each | Value::Next => true,
                    Value::Same | Value::Generated => false,
                }
        });
        !(is_unique || was_unique || differs || known.is_thinned)
    }

    /// Tells whether a column certainly holds no NULL.
    pub fn is_filled(&self, column: &ObjectName) -> bool {
        let Some(table) = column.parent() else { return false };
        if self.is_empty(&table) {
            return true;
        }
        let Some(known) = self.tables.get(&table) else { return false };
        let is_checked = known.keys.iter().any(|key| {
            !key.key.is_not_valid && matches!(&key.key.of, KeyOf::NotNull { column: of } if of == column.last())
        });
        let told = known
            .columns
            .get(column.last())
            // A column that is new without a value holds NULL in every row of before: whoever forbids that has deleted those.
            .is_some_and(|column| {
                column.is_required
                    || column.is_filled
                    || (column.is_new && (column.value.is_some() || known.is_thinned))
            });
        is_checked || told
    }

    /// Does what a statement does.
    pub fn apply(&mut self, step: &Step) {
        match &step.action {
            Action::CreateTable(table) => self.create_table(table, step.perhaps),
            Action::Create { kind, name, proof } => {
                if *proof == Proof::New && !step.perhaps {
                    self.new.insert((*kind, name.clone()));
                }
            }
            Action::CreateEnum { name, labels, .. } => {
                self.enums.insert(name.clone(), labels.clone());
                self.new.insert((Kind::Type, name.clone()));
            }
            Action::CreateIndex(index) => self.create_index(index),
            Action::AddColumn { table, column, .. } => self.add_column(table, column),
            Action::AddKey { table, key } => self.add_key(table, key),
            Action::Drop { kind, name, reach } => self.drop(*kind, name, *reach),
            Action::Rename { kind, from, to } => self.rename(*kind, from, to),
            Action::AddValue { of, value } => self.enums.entry(of.clone()).or_default().push(value.clone()),
            Action::SetType { column, to, .. } => self.change(column, |column| column.of = Some(to.clone())),
            Action::SetDefault { column, value } => self.change(column, |column| column.value = *value),
            Action::DropDefault { column } => self.change(column, |known| known.value = Value::None),
            Action::SetNotNull { column } => self.change(column, |known| known.is_required = true),
            Action::DropNotNull { column } => self.change(column, |known| known.is_required = false),
            Action::DropExpression { column } => self.change(column, |known| known.value = Value::None),
            Action::Validate { constraint } => self.validate(constraint),
            Action::Truncate { table, .. } => self.with(table, |known| known.is_emptied = true),
            Action::Delete { table, rows } => self.with(table, |known| match rows {
                Rows::All => known.is_emptied = true,
                Rows::Some => known.is_thinned = true,
                Rows::Null(columns) => {
                    known.is_thinned = true;
                    for column in columns {
                        known.columns.entry(column.clone()).or_insert_with(KnownColumn::unknown).is_filled = true;
                    }
                }
            }),
            Action::Update { table, columns } => self.with(table, |known| {
                for column in columns {
                    known.columns.entry(column.clone()).or_insert_with(KnownColumn::unknown).is_filled = true;
                }
            }),
            Action::Insert { table, copy } => {
                self.with(table, |known| (known.is_emptied, known.has_rows) = (false, true));
                if copy.as_ref().is_some_and(|copy| self.gone.contains(table) && !self.is_own(&copy.from)) {
                    self.with(table, Known::succeed);
                }
            }
            Action::DropOther { .. }
            | Action::DropOwned { .. }
            | Action::RenameValue { .. }
            | Action::RenameAttribute { .. }
            | Action::SetExpression { .. }
            | Action::Detach { .. }
            | Action::Rewrite { .. }
            | Action::Lock { .. }
            | Action::Triggers { .. }
            | Action::Rls { .. }
            | Action::AlterPolicy { .. }
            | Action::Grant { .. }
            | Action::Empower { .. }
            | Action::ForeignKeys { .. }
            | Action::Unread { .. } => {}
        }
    }

    fn create_table(&mut self, table: &Table, perhaps: bool) {
        let is_unproven = table.proof == Proof::Unproven || perhaps;
        if is_unproven && self.tables.contains_key(&table.name) {
            return;
        }
        let mut known = Known::of(table, true);
        for source in &table.like {
            match self.tables.get(source) {
                Some(source) => {
                    for name in &source.order {
                        if let Some(column) = source.columns.get(name).filter(|_| !known.columns.contains_key(name)) {
                            known.order.push(name.clone());
                            known.columns.insert(name.clone(), KnownColumn { is_new: true, ..column.clone() });
                        }
                    }
                }
                None => known.is_whole = false,
            }
        }
        self.touched.insert(table.name.clone());
        self.tables.insert(table.name.clone(), known);
    }

    fn create_index(&mut self, index: &Index) {
        if let Some(name) = &index.name {
            self.new.insert((Kind::Index, name.clone()));
        }
        if !index.is_unique {
            return;
        }
        let key = KnownKey {
            key: Key {
                name: index.name.as_ref().map(|name| name.last().to_owned()),
                of: KeyOf::Unique {
                    columns: index.columns.clone().unwrap_or_default(),
                    by_index: false,
                    nulls_are_equal: index.nulls_are_equal,
                },
                is_not_valid: false,
            },
            is_partial: index.is_partial,
        };
        self.with(&index.table, |known| known.keys.push(key));
    }

    fn add_column(&mut self, table: &ObjectName, column: &Column) {
        self.with(table, |known| {
            if !known.columns.contains_key(&column.name) {
                known.add(column, true);
            }
        });
    }

    fn add_key(&mut self, table: &ObjectName, key: &Key) {
        if let Some(name) = &key.name {
            self.new.insert((Kind::Constraint, table.child(name)));
        }
        self.with(table, |known| known.keep(key.clone()));
    }

    fn drop(&mut self, kind: Kind, name: &ObjectName, reach: Reach) {
        self.new.remove(&(kind, name.clone()));
        match kind {
            Kind::Table => {
                if !self.is_own(name) {
                    self.gone.insert(name.clone());
                }
                if let Some(known) = self.tables.remove(name) {
                    let unique = known.keys.iter().filter(|key| !key.is_partial).filter_map(KnownKey::unique);
                    self.unique.extend(unique.map(|columns| (name.clone(), columns.to_vec())));
                }
                if reach == Reach::Cascade {
                    for known in self.tables.values_mut() {
                        known.keys.retain(|key| !matches!(&key.key.of, KeyOf::Foreign { to, .. } if to == name));
                    }
                }
            }
            Kind::Schema => self.tables.retain(|table, _| table.parts().first() != name.parts().first()),
            Kind::Column => {
                let Some(table) = name.parent() else { return };
                self.with(&table, |known| {
                    known.columns.remove(name.last());
                    known.order.retain(|column| column != name.last());
                    known.keys.retain(|key| !key.columns().iter().any(|column| column == name.last()));
                });
            }
            Kind::Constraint => self.drop_key(name),
            // MySQL's indexes are named below their schema here, and its unique constraints are indexes.
            Kind::Index => {
                let tables: Vec<ObjectName> =
                    self.tables.keys().filter(|table| table.parent() == name.parent()).cloned().collect();
                for table in tables {
                    self.drop_key(&table.child(name.last()));
                }
            }
            Kind::Type => {
                self.enums.remove(name);
                if reach == Reach::Cascade {
                    for column in self.columns_of(name) {
                        self.drop(Kind::Column, &column, Reach::Cascade);
                    }
                }
            }
            Kind::View | Kind::MaterializedView | Kind::Sequence | Kind::Policy | Kind::Role => {}
        }
    }

    fn drop_key(&mut self, constraint: &ObjectName) {
        let Some(table) = constraint.parent() else { return };
        let Some(known) = self.tables.get_mut(&table) else { return };
        let is_it = |key: &KnownKey| key.is_named(&table, constraint.last());
        let gone: Vec<KnownKey> = known.keys.iter().filter(|key| is_it(key)).cloned().collect();
        known.keys.retain(|key| !is_it(key));
        let unique = gone.iter().filter(|key| !key.is_partial).filter_map(KnownKey::unique);
        self.unique.extend(unique.map(|columns| (table.clone(), columns.to_vec())));
    }

    fn validate(&mut self, constraint: &ObjectName) {
        let Some(table) = constraint.parent() else { return };
        self.with(&table.clone(), |known| {
            for key in known.keys.iter_mut().filter(|key| key.is_named(&table, constraint.last())) {
                key.key.is_not_valid = false;
            }
        });
    }

    fn rename(&mut self, kind: Kind, from: &ObjectName, to: &ObjectName) {
        let moved = |name: &ObjectName| name.moved(from, to).unwrap_or_else(|| name.clone());
        match kind {
            Kind::Table | Kind::Schema => {
                if kind == Kind::Table && !self.is_own(from) {
                    self.gone.insert(from.clone());
                }
                let tables = std::mem::take(&mut self.tables);
                self.tables = tables.into_iter().map(|(name, known)| (moved(&name), known)).collect();
                for known in self.tables.values_mut() {
                    for key in &mut known.keys {
                        if let KeyOf::Foreign { to: target, .. } = &mut key.key.of {
                            *target = moved(target);
                        }
                    }
                }
                for (of, _) in &mut self.unique {
                    *of = moved(of);
                }
                self.touched = std::mem::take(&mut self.touched).iter().map(&moved).collect();
                if kind == Kind::Schema {
                    self.rename_type(&moved);
                } else if self.gone.contains(to) && self.tables.get(to).is_some_and(|known| known.has_rows) {
                    self.with(to, Known::succeed);
                }
            }
            Kind::Column => {
                let Some(table) = from.parent() else { return };
                self.with(&table, |known| known.rename_column(from.last(), to.last()));
            }
            Kind::Type => self.rename_type(&moved),
            Kind::Constraint => {
                let Some(table) = from.parent() else { return };
                self.with(&table.clone(), |known| {
                    for key in known.keys.iter_mut().filter(|key| key.is_named(&table, from.last())) {
                        key.key.name = Some(to.last().to_owned());
                    }
                });
            }
            Kind::Index => {
                let schema = from.parent();
                for (_, known) in self.tables.iter_mut().filter(|(table, _)| table.parent() == schema) {
                    for key in known.keys.iter_mut().filter(|key| key.key.name.as_deref() == Some(from.last())) {
                        key.key.name = Some(to.last().to_owned());
                    }
                }
            }
            Kind::View | Kind::MaterializedView | Kind::Sequence | Kind::Policy | Kind::Role => {}
        }
        if self.new.remove(&(kind, from.clone())) {
            self.new.insert((kind, to.clone()));
        }
    }

    fn rename_type(&mut self, moved: &dyn Fn(&ObjectName) -> ObjectName) {
        let enums = std::mem::take(&mut self.enums);
        self.enums = enums.into_iter().map(|(name, labels)| (moved(&name), labels)).collect();
        for column in self.tables.values_mut().flat_map(|known| known.columns.values_mut()) {
            if let Some(SqlType { own: Some(own), name, .. }) = &mut column.of {
                *own = moved(own);
                *name = own.to_string();
            }
        }
    }

    fn change(&mut self, column: &ObjectName, change: impl FnOnce(&mut KnownColumn)) {
        let Some(table) = column.parent() else { return };
        self.with(&table, |known| {
            change(known.columns.entry(column.last().to_owned()).or_insert_with(KnownColumn::unknown));
        });
    }

    /// Changes what is known of a table; of one that nothing was known of, that is the first.
    fn with(&mut self, table: &ObjectName, change: impl FnOnce(&mut Known)) {
        self.touched.insert(table.clone());
        change(self.tables.entry(table.clone()).or_insert_with(Known::unknown));
    }
}

impl Known {
    fn unknown() -> Known {
        Known {
            columns: BTreeMap::new(),
            order: Vec::new(),
            keys: Vec::new(),
            is_whole: false,
            is_temporary: false,
            is_new: false,
            is_emptied: false,
            is_thinned: false,
            has_rows: false,
        }
    }

    fn of(table: &Table, is_new: bool) -> Known {
        let mut known =
            Known { is_whole: !table.columns.is_empty(), is_temporary: table.is_temporary, is_new, ..Known::unknown() };
        for column in &table.columns {
            known.add(column, is_new);
        }
        for key in &table.keys {
            known.keep(key.clone());
        }
        known
    }

    /// Takes the place of a table whose rows it holds: it is no new one any more.
    fn succeed(&mut self) {
        self.is_new = false;
        for column in self.columns.values_mut() {
            column.is_new = false;
        }
    }

    fn add(&mut self, column: &Column, is_new: bool) {
        let known = KnownColumn {
            of: column.of.clone(),
            is_required: column.is_required,
            value: column.value,
            is_new,
            is_filled: false,
        };
        self.order.push(column.name.clone());
        self.columns.insert(column.name.clone(), known);
        for key in &column.keys {
            self.keep(key.clone());
        }
    }

    /// Takes a constraint in, and what it says of columns.
    fn keep(&mut self, key: Key) {
        let required: &[String] = match &key.of {
            KeyOf::Primary { columns, .. } => columns,
            KeyOf::NotNull { .. } | KeyOf::Unique { .. } | KeyOf::Foreign { .. } | KeyOf::Check | KeyOf::Exclude => &[],
        };
        for column in required {
            if let Some(column) = self.columns.get_mut(column) {
                column.is_required = true;
            }
        }
        self.keys.push(KnownKey { key, is_partial: false });
    }

    fn rename_column(&mut self, from: &str, to: &str) {
        if let Some(column) = self.columns.remove(from) {
            self.columns.insert(to.to_owned(), column);
        }
        let names = self.keys.iter_mut().flat_map(|key| match &mut key.key.of {
            KeyOf::Primary { columns, .. } | KeyOf::Unique { columns, .. } | KeyOf::Foreign { columns, .. } => {
                columns.iter_mut().collect::<Vec<_>>()
            }
            KeyOf::NotNull { column } => vec![column],
            KeyOf::Check | KeyOf::Exclude => Vec::new(),
        });
        for name in names.chain(self.order.iter_mut()).filter(|name| *name == from) {
            *name = to.to_owned();
        }
    }
}

impl KnownColumn {
    fn unknown() -> KnownColumn {
        KnownColumn { of: None, is_required: false, value: Value::None, is_new: false, is_filled: false }
    }
}

impl KnownKey {
    /// Returns the columns whose values cannot repeat because of it.
    fn unique(&self) -> Option<&[String]> {
        match &self.key.of {
            KeyOf::Primary { columns, .. } | KeyOf::Unique { columns, .. } => Some(columns),
            _ => None,
        }
    }

    fn columns(&self) -> &[String] {
        match &self.key.of {
            KeyOf::Primary { columns, .. } | KeyOf::Unique { columns, .. } | KeyOf::Foreign { columns, .. } => columns,
            KeyOf::NotNull { column } => std::slice::from_ref(column),
            KeyOf::Check | KeyOf::Exclude => &[],
        }
    }

    /// Tells whether it has this name: its own, or the one that PostgreSQL gives.
    fn is_named(&self, table: &ObjectName, name: &str) -> bool {
        if let Some(own) = &self.key.name {
            return own == name;
        }
        let table = table.last();
        let columns = self.columns().join("_");
        match &self.key.of {
            // MySQL calls every one so.
            KeyOf::Primary { .. } => name == format!("{table}_pkey") || name == "PRIMARY",
            KeyOf::Unique { .. } => name == format!("{table}_{columns}_key") || name == columns,
            KeyOf::Foreign { .. } => name == format!("{table}_{columns}_fkey"),
            KeyOf::NotNull { .. } => {
                name == format!("{table}_{columns}_check") || name == format!("{table}_{columns}_not_null")
            }
            KeyOf::Check => name.starts_with(table) && name.ends_with("_check"),
            KeyOf::Exclude => name.starts_with(table) && name.ends_with("_excl"),
        }
    }
}
