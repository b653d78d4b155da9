//! Why a database is not emptied.

use std::collections::BTreeMap;
use std::fmt;

/// Why a database is not emptied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the schemas of the system are never emptied: {}", .0.join(", "))]
    System(Vec<String>),
    #[error("the schemas of a managed service are never emptied:{}", list(.0))]
    Managed(Vec<ManagedSchema>),
    /// Dropping needs USAGE on the schema, even of what is our own.
    #[error("the objects of these schemas cannot be named without USAGE on the schema: {}", .0.join(", "))]
    Unusable(Vec<String>),
    #[error("these objects belong to other roles and cannot be dropped:{}", list(.0))]
    NotMine(Vec<Foreign>),
    /// By owner.
    #[error("objects of other roles would be dropped:{}", of_owners(.0))]
    OtherOwners(BTreeMap<String, Vec<String>>),
    #[error("drizzle-pilot does not know how to drop these objects:{}", list(.0))]
    UnknownKind(Vec<String>),
    #[error("the drops would also remove:{}", list(.0))]
    Collateral(Vec<Offence>),
}

impl Refusal {
    /// Returns what would allow it.
    pub fn hint(&self) -> &'static str {
        match self {
            Refusal::System(_) | Refusal::Managed(_) => "exclude these schemas from the scope",
            Refusal::Unusable(_) => "connect as the owner of the schemas, or exclude them from the scope",
            Refusal::NotMine(_) => "connect as their owner, exclude their schema from the scope, or keep them by name",
            Refusal::OtherOwners(_) => {
                "connect as their owner, keep them by name, or allow dropping them with --other-owners"
            }
            Refusal::UnknownKind(_) => "drop them by hand, or keep them by name",
            Refusal::Collateral(_) => {
                "include their schema in the scope, keep what they need by name, or drop them by hand if they are not needed"
            }
        }
    }
}

/// A schema that belongs to a managed service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManagedSchema {
    pub schema: String,
    pub service: &'static str,
    /// Where it is said.
    pub source: &'static str,
}

/// An object of another role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign {
    pub object: String,
    pub owner: String,
}

/// Something that `CASCADE` must not take along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offence {
    pub object: String,
    pub why: Why,
}

/// Why it must not go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// An extension falls with any of its members.
    ExtensionBy {
        member: String,
    },
    PartOfExtension(String),
    OtherRole(String),
    OtherSchema(String),
    Kept,
}

impl fmt::Display for ManagedSchema {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "schema {} of {} ({})", self.schema, self.service, self.source)
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} of {}", self.object, self.owner)
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Offence { object, why } = self;
        match why {
            Why::ExtensionBy { member } => write!(f, "{object}, because of its member {member}"),
            Why::PartOfExtension(extension) => write!(f, "{object}, a part of extension {extension}"),
            Why::OtherRole(owner) => write!(f, "{object} of {owner}"),
            Why::OtherSchema(schema) => write!(f, "{object}, in schema {schema}, which is not in scope"),
            Why::Kept => write!(f, "{object}, which is to be kept"),
        }
    }
}

/// Names a few objects of each owner. There may be thousands.
fn of_owners(owners: &BTreeMap<String, Vec<String>>) -> String {
    const A_FEW: usize = 5;
    let line = |(owner, objects): (&String, &Vec<String>)| {
        let named = objects.iter().take(A_FEW).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if objects.len() > A_FEW { ", …" } else { "" };
        format!("\n  {} of {owner}: {named}{more}", objects.len())
    };
    owners.iter().map(line).collect()
}

fn list<T: fmt::Display>(of: &[T]) -> String {
    of.iter().map(|one| format!("\n  {one}")).collect()
}
