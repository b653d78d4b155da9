//! Which database of which server. Pure.

use std::fmt;

/// Which database of which server.
///
/// A standby and a copy of the data directory have the identifier of the server that they come from. Where a role may
/// not call `pg_control_system()`, which takes a REVOKE, there is no identifier, and the name of the database is all
/// that is known: equal identities then mean less, and one with an identifier never equals one without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Made by `initdb`, and different for each cluster.
    pub system_identifier: Option<String>,
    pub database: String,
    /// The number of the database in its server. One that is made anew under the same name has another.
    pub oid: u32,
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let Identity { system_identifier, database, oid } = self;
        match system_identifier {
            Some(identifier) => write!(f, "database {database} (oid {oid}) of the server {identifier}"),
            None => write!(f, "database {database} (oid {oid}) of a server that does not report its identifier"),
        }
    }
}
