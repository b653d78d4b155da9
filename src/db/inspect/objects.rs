//! What a database holds, as a plain value: objects, who owns them, and what depends on what. Pure.
//!
//! Every object that a schema contains records in `pg_depend` that it depends on that schema. So kinds of objects that
//! nobody thought of here are found too.

use std::collections::{BTreeMap, BTreeSet};

use crate::db::inspect::identity::Identity;

/// The catalogs by their numbers, which are the same in every release (`src/include/catalog/*.h`).
pub(in crate::db) mod class {
    pub(in crate::db) const TYPE: u32 = 1247;
    pub(in crate::db) const RELATION: u32 = 1259;
    pub(in crate::db) const ROUTINE: u32 = 1255;
    pub(in crate::db) const DEFAULT: u32 = 2604;
    pub(in crate::db) const CONSTRAINT: u32 = 2606;
    pub(in crate::db) const SCHEMA: u32 = 2615;
    pub(in crate::db) const RULE: u32 = 2618;
    pub(in crate::db) const TRIGGER: u32 = 2620;
    pub(in crate::db) const EXTENSION: u32 = 3079;
    pub(in crate::db) const POLICY: u32 = 3256;
    pub(in crate::db) const STATISTICS: u32 = 3381;
    pub(in crate::db) const PUBLICATION_REL: u32 = 6106;
    const SERVER: u32 = 1417;
    const USER_MAPPING: u32 = 1418;
    const AMOP: u32 = 2602;
    const AMPROC: u32 = 2603;
    const OPERATOR_FAMILY: u32 = 2753;

    /// Returns what an object of a catalog is a part of, where that is no relation.
    pub(in crate::db) fn container(class: u32) -> Option<u32> {
        match class {
            CONSTRAINT => Some(TYPE),
            AMOP | AMPROC => Some(OPERATOR_FAMILY),
            USER_MAPPING => Some(SERVER),
            _ => None,
        }
    }
}

/// What has a smaller number was made with the database.
pub(in crate::db) const FIRST_OF_USERS: u32 = 16384;

/// A database as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    pub facts: Facts,
    /// Without the system's own: `pg_*` and `information_schema`.
    pub schemas: Vec<Schema>,
    pub extensions: Vec<Extension>,
    /// Everything with a name of its own that depends on something, in the order of its numbers.
    ///
    /// Left out is what is an internal part of something else: the row type of a table, the index of a key.
    pub objects: Vec<Object>,
    pub dependencies: Vec<Dependency>,
    /// The columns of each relation and of each composite type, without those of temporary ones.
    pub columns: BTreeMap<u32, Columns>,
    /// The roles of the cluster, without the predefined ones.
    pub roles: BTreeSet<String>,
}

/// What the server says about itself, this database and us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    pub identity: Identity,
    /// `server_version_num`: 150018 is 15.18.
    pub version_num: u32,
    /// The server is a standby.
    pub in_recovery: bool,
    /// A new transaction may not write: `default_transaction_read_only`, or a standby.
    pub read_only: bool,
    pub database: String,
    pub user: String,
    pub superuser: bool,
    /// The locks that the server has room for in any case: `max_locks_per_transaction` for each connection and each
    /// prepared transaction.
    pub lock_capacity: u64,
}

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    pub oid: u32,
    pub name: String,
    pub owner: String,
    /// We have the rights of its owner.
    pub mine: bool,
    /// What is in it can be named by us: USAGE.
    pub usable: bool,
}

/// An extension that is installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extension {
    pub name: String,
    pub version: String,
    /// Where it lives.
    pub schema: String,
    pub n_members: u64,
    pub oid: u32,
}

/// An object by its numbers, as in `pg_depend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The catalog that it is a row of.
    pub class: u32,
    pub oid: u32,
    /// A column of it alone; 0 for all of it.
    pub column: i32,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub id: ObjectId,
    /// As `pg_identify_object` says: `table`, `view`, `type`, `operator class`, `table constraint` …
    pub kind: String,
    /// As `pg_identify_object_as_address` says: most often schema and name. A type has its schema and its name here too,
    /// and a cast both of its types.
    pub names: Vec<String>,
    /// What the name does not tell: the types that a routine or an operator takes.
    pub arguments: Vec<Argument>,
    /// Of the object, or of the relation that it is a part of.
    pub schema: Option<String>,
    /// `None` of what has none: a cast, a transform, the constraint of a domain.
    pub owner: Option<String>,
    /// We may drop it: we have the rights of its owner, or of the owner of its schema.
    pub mine: bool,
    /// The relation that it is a part of.
    pub part_of: Option<u32>,
    /// The server's estimate, by its last analysis or by what it counted since. Only of what holds rows.
    pub rows: Option<u64>,
    /// A table that we may `LOCK`, for which it takes a privilege that `DROP` does not need.
    pub lockable: bool,
    /// Of a constraint, what kind it is (`pg_constraint.contype`).
    pub constraint: Option<char>,
    /// It is a partition, or a part of one.
    pub is_partition: bool,
}

/// The columns of a relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    /// For a reader: `table shop.orders`.
    pub of: String,
    pub names: BTreeMap<i32, String>,
}

/// An argument of a routine or an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// As in `pg_proc.proargmodes`: `i`, `o`, `b`, `v`. Only of procedures, which may differ in nothing else.
    pub mode: Option<char>,
    /// Schema and name. `None` stands for the side on which an operator takes nothing.
    pub of_type: Option<(String, String)>,
}

/// One object that needs another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dependency {
    pub of: ObjectId,
    pub on: ObjectId,
    /// As in `pg_depend.deptype`: `n`, `a`, `i`, `P`, `S`, `e`, `x`.
    pub kind: char,
}

impl Catalog {
    /// Writes an object or a column down for a reader.
    pub(in crate::db) fn told(&self, id: ObjectId) -> String {
        if let Ok(idx) = self.objects.binary_search_by_key(&id, |object| object.id) {
            return self.objects[idx].told();
        }
        let column = || {
            let columns = self.columns.get(&id.oid).filter(|_| id.class == class::RELATION)?;
            Some(format!("column {} of {}", columns.names.get(&id.column)?, columns.of))
        };
        column().unwrap_or_else(|| format!("row {} of the catalog {}", id.oid, id.class))
    }
}

impl Object {
    /// Writes the object down for a reader: `function shop.price(integer)` without any quoting.
    pub fn told(&self) -> String {
        if let ("default acl", [role, schema, objects]) = (&*self.kind, &self.names[..]) {
            let objects = match &**objects {
                "r" => "tables",
                "S" => "sequences",
                "f" => "functions",
                "T" => "types",
                other => other,
            };
            return format!("default privileges of {role} for {objects} in schema {schema}");
        }
        let mut told = format!("{} {}", self.kind, self.names.join("."));
        if matches!(&*self.kind, "function" | "procedure" | "aggregate" | "operator") {
            let types: Vec<_> = self.arguments.iter().map(Argument::told).collect();
            told.push_str(&format!("({})", types.join(", ")));
        }
        told
    }
}

impl Argument {
    fn told(&self) -> String {
        let name = match &self.of_type {
            Some((schema, name)) if schema == "pg_catalog" => name.clone(),
            Some((schema, name)) => format!("{schema}.{name}"),
            None => "none".to_owned(),
        };
        if self.mode == Some('o') { format!("out {name}") } else { name }
    }
}
