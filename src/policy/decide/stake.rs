//! A hazard with what it concerns, and the sentences about it. Pure.

use std::fmt;

use crate::policy::name::ObjectName;
use crate::sql::hazard::{Class, Hazard};

/// A hazard with the objects and the rows it concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stake {
    pub hazard: Hazard,
    pub objects: Objects,
    pub count: Option<Count>,
    /// What else matters about it, for the reader of a refusal.
    pub note: Option<String>,
}

/// The objects that a hazard concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objects {
    /// All of these.
    All(Vec<ObjectName>),
    /// One of these; which one cannot be told.
    OneOf(Vec<ObjectName>),
    Unknown,
}

/// How much is at stake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Rows(u64),
    /// As many, and perhaps more. No limit is met by that.
    AtLeast(u64),
    /// The server's own estimate of the rows, where counting them would take long.
    About(u64),
    /// A schema is counted in tables, and no limit of rows applies to it.
    Tables(u64),
}

impl Count {
    /// Returns the number in words, as one of rows.
    pub(crate) fn rows(self) -> String {
        let (about, count) = match self {
            Count::Rows(count) | Count::Tables(count) => ("", count),
            Count::AtLeast(count) => ("at least ", count),
            Count::About(count) => ("about ", count),
        };
        format!("{about}{count} {}", if count == 1 { "row" } else { "rows" })
    }
}

impl Stake {
    /// Says what would happen.
    pub(super) fn feared(&self) -> String {
        let feared = match self.counted() {
            Some(count) if self.hazard == Hazard::DropPrimaryKey => {
                format!("{self} would leave {count} without a primary key")
            }
            Some(count) => format!("{self} would {} {count}", self.verb()),
            None if self.hazard == Hazard::Unclassified => {
                "unclassified: drizzle-pilot does not understand what would happen".to_owned()
            }
            None => format!("{self} needs consent: {}", self.hazard.meaning()),
        };
        self.noted(feared)
    }

    /// Says what happens.
    pub(super) fn accepted(&self) -> String {
        let accepted = match self.counted() {
            Some(count) if self.hazard == Hazard::DropPrimaryKey => {
                format!("{self} leaves {count} without a primary key")
            }
            Some(count) => format!("{self} {}s {count}", self.verb()),
            None => format!("{self}: {}", self.hazard.meaning()),
        };
        self.noted(accepted)
    }

    fn noted(&self, said: String) -> String {
        match &self.note {
            Some(note) => format!("{said}; {note}"),
            None => said,
        }
    }

    fn verb(&self) -> &'static str {
        match self.hazard {
            Hazard::ChangeType => "convert",
            hazard if hazard.class() == Class::DataLoss => "delete",
            _ => "concern",
        }
    }

    pub(super) fn counted(&self) -> Option<String> {
        // A plain view holds no rows, and loses more than that.
        if self.hazard == Hazard::DropView && self.count == Some(Count::Rows(0)) {
            return None;
        }
        let (about, count, one, many) = match (self.count?, self.hazard) {
            (Count::Tables(count), _) => ("", count, "table", "tables"),
            (Count::Rows(count), Hazard::DropColumn | Hazard::ChangeType) => ("", count, "value", "values"),
            (Count::About(count), Hazard::DropColumn | Hazard::ChangeType) => ("about ", count, "value", "values"),
            (Count::AtLeast(count), Hazard::DropColumn | Hazard::ChangeType) => ("at least ", count, "value", "values"),
            (Count::AtLeast(count), _) => ("at least ", count, "row", "rows"),
            (Count::Rows(count), _) => ("", count, "row", "rows"),
            (Count::About(count), _) => ("about ", count, "row", "rows"),
        };
        Some(format!("{about}{count} {}", if count == 1 { one } else { many }))
    }
}

impl Objects {
    /// Returns the names; none where they are not known.
    pub(crate) fn names(&self) -> &[ObjectName] {
        match self {
            Objects::All(names) | Objects::OneOf(names) => names,
            Objects::Unknown => &[],
        }
    }
}

impl fmt::Display for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separator = match self {
            Objects::All(_) => ", ",
            Objects::OneOf(_) => " or ",
            Objects::Unknown => return f.write_str("an object that drizzle-kit does not name"),
        };
        let names: Vec<String> = self.names().iter().map(ObjectName::to_string).collect();
        f.write_str(&names.join(separator))
    }
}

impl fmt::Display for Stake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.objects {
            Objects::Unknown => write!(f, "{}", self.hazard),
            _ => write!(f, "{} {}", self.hazard, self.objects),
        }
    }
}
