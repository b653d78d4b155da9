//! What a statement does to the objects that the catalog lists. Values only.

use crate::sql::effect::{Code, Defined, Kind, Reach, TypeText, Using};
use crate::sql::name::ObjectName;

/// What a statement does to an object that the catalog lists, or needs of it. The names are those from before the plan; what
/// the plan itself has made is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The name must be free.
    Create {
        kind: Kind,
        name: ObjectName,
    },
    Drop {
        kind: Kind,
        name: ObjectName,
        reach: Reach,
        if_exists: bool,
    },
    DropIdentity {
        column: ObjectName,
    },
    /// It is called otherwise from now on.
    Rename {
        kind: Kind,
        name: ObjectName,
    },
    ChangeType {
        column: ObjectName,
        to: TypeText,
        using: Using,
        /// The enum that is built again, where the column leaves it or returns to it.
        rebuilt: Option<ObjectName>,
        /// The values of the type, where it is an enum that the plan makes. What could not be read is not among them.
        labels: Option<Vec<String>>,
        /// The plan makes the type, or calls it otherwise: the server does not know it by these words.
        is_of_plan: bool,
        /// The plan has emptied the table by then.
        is_emptied: bool,
    },
    /// The column has another default from now on, or none.
    ChangeDefault {
        column: ObjectName,
    },
    AllowNull {
        column: ObjectName,
    },
    AddPrimaryKey {
        table: ObjectName,
    },
    /// No row may be NULL in it, or there may be no rows where the column is new.
    RequireValue {
        column: ObjectName,
        is_new: bool,
    },
    /// The table must be there.
    Refer {
        to: ObjectName,
    },
    /// The server must know these words.
    UseType {
        column: ObjectName,
        of: TypeText,
    },
    Run {
        code: Code,
    },
    /// Nobody knows what is there from now on.
    Unknown,
}

/// A foreign key that the plan adds, between tables by the names that they had before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub from: ObjectName,
    pub to: ObjectName,
    /// Whether the table that refers was created in the plan, and so has no rows.
    pub is_from_new: bool,
}

/// A table that is built anew: created under another name, filled, and put in the place of the old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    pub table: ObjectName,
    /// The name that it had before the plan.
    pub before: ObjectName,
    /// The columns that it has afterwards, each with the one from before the plan whose values it gets; none where it gets
    /// none.
    pub columns: Vec<(Defined, Option<String>)>,
    /// The values are taken by their places, and not by names.
    pub in_order: bool,
    /// Whether any rows are copied.
    pub is_filled: bool,
}
