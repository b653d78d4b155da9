//! Says whether a database may be emptied. The only maker of a [`Target`], without which nothing is.

use crate::db::connection::dsn::Dsn;
use crate::db::inspect::identity::Identity;
use crate::db::inspect::objects::Facts;
use crate::host::{self, Pattern};

/// What decides beside the database itself. No flag is in it that switches the guard off.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Patterns of the hosts that may be touched; `*` for all. A unix socket is named by its folder.
    pub hosts: Vec<String>,
    /// More such lists, each of which must have the host as well.
    pub other_hosts: Vec<Vec<String>>,
    /// What says that this is production, as it was found: `NODE_ENV=production`.
    pub signals: Vec<String>,
    /// The profile that bans resetting.
    pub banned_by: Option<String>,
    /// The name that was typed to be sure.
    pub confirmed_database: Option<String>,
}

/// A database that may be emptied.
#[derive(Debug, Clone)]
pub struct Target {
    dsn: Dsn,
    identity: Identity,
}

impl Target {
    /// Returns the way to it.
    pub fn dsn(&self) -> &Dsn {
        &self.dsn
    }

    /// Returns which database was checked.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }
}

/// Why a database must not be emptied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Guarded {
    #[error("profile {profile} does not allow it")]
    Banned { profile: String },
    #[error("this looks like production: {}", signals.join(", "))]
    Production { signals: Vec<String> },
    #[error("host {host} is not among the allowed hosts ({})", named(hosts))]
    Host { host: String, hosts: Vec<String> },
    #[error("the host pattern {pattern:?} is invalid")]
    Pattern { pattern: String },
    #[error("the database is named {found}, but {confirmed} was confirmed")]
    OtherDatabase { confirmed: String, found: String },
    #[error("database {database} is on a standby, which cannot be changed")]
    Standby { database: String },
    #[error("database {database} is set to be read only (default_transaction_read_only)")]
    ReadOnly { database: String },
}

fn named(hosts: &[String]) -> String {
    if hosts.is_empty() { "none is named".to_owned() } else { hosts.join(", ") }
}

impl Guarded {
    /// Returns what would allow it.
    pub fn hint(&self) -> String {
        match self {
            Guarded::Banned { .. } => "choose another profile, or allow the command in this one".to_owned(),
            Guarded::Production { .. } => {
                "run it where these are not set, or change what the policy treats as production".to_owned()
            }
            Guarded::Host { host, .. } => {
                let pattern = host::exactly(host);
                format!("add the host to [guard] in the policy, if it is not production: hosts = [{pattern:?}]")
            }
            Guarded::Pattern { .. } => "correct the list of hosts in the policy".to_owned(),
            Guarded::OtherDatabase { .. } => "correct the address, or the name".to_owned(),
            Guarded::Standby { .. } => "connect to the primary server".to_owned(),
            Guarded::ReadOnly { .. } => {
                "this was set on purpose: reset the setting for this database or this role first".to_owned()
            }
        }
    }
}

/// Checks what can be known before anything is contacted.
///
/// # Errors
/// With the first reason against it.
pub fn admit(dsn: &Dsn, rules: &Rules) -> Result<(), Guarded> {
    admit_environment(rules)?;
    for hosts in std::iter::once(&rules.hosts).chain(&rules.other_hosts) {
        if !allows(dsn, hosts)? {
            return Err(Guarded::Host { host: dsn.address().host.to_string(), hosts: hosts.clone() });
        }
    }
    Ok(())
}

/// Checks what can be known before the database has a name.
///
/// # Errors
/// With the first reason against it.
pub fn admit_environment(rules: &Rules) -> Result<(), Guarded> {
    if let Some(profile) = &rules.banned_by {
        return Err(Guarded::Banned { profile: profile.clone() });
    }
    if !rules.signals.is_empty() {
        return Err(Guarded::Production { signals: rules.signals.clone() });
    }
    Ok(())
}

/// Checks whether the database that these facts were read from may be emptied.
///
/// # Errors
/// With the first reason against it.
pub fn check(dsn: &Dsn, facts: &Facts, rules: &Rules) -> Result<Target, Guarded> {
    admit(dsn, rules)?;
    let database = || facts.database.clone();
    if let Some(confirmed) = rules.confirmed_database.as_ref().filter(|name| **name != facts.database) {
        return Err(Guarded::OtherDatabase { confirmed: confirmed.clone(), found: database() });
    }
    if facts.in_recovery {
        return Err(Guarded::Standby { database: database() });
    }
    // BEGIN READ WRITE would get past it. It is a wish, and not an obstacle.
    if facts.read_only {
        return Err(Guarded::ReadOnly { database: database() });
    }
    Ok(Target { dsn: dsn.clone(), identity: facts.identity.clone() })
}

/// Tells whether these patterns let the host of a database be touched.
///
/// # Errors
/// Where one of them cannot be read.
pub fn allows(dsn: &Dsn, patterns: &[String]) -> Result<bool, Guarded> {
    let host = dsn.address().host.to_string();
    let mut allowed = false;
    for text in patterns {
        // A list that cannot be read in full may forbid what it seems to allow.
        let pattern = Pattern::parse(text).map_err(|_| Guarded::Pattern { pattern: text.clone() })?;
        allowed |= pattern.matches(&host);
    }
    Ok(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            identity: Identity { system_identifier: Some("7".to_owned()), database: "shop".to_owned(), oid: 1 },
            version_num: 150_018,
            in_recovery: false,
            read_only: false,
            database: "shop".to_owned(),
            user: "app".to_owned(),
            superuser: false,
            lock_capacity: 6400,
        }
    }

    fn rules() -> Rules {
        let hosts = ["localhost", "::1", "db-*", "/run/postgresql"].map(str::to_owned).to_vec();
        Rules { hosts, ..Rules::default() }
    }

    #[track_caller]
    fn check(url: &str, facts: &Facts, rules: &Rules, expected: Option<&str>) {
        let dsn = Dsn::from_url(url, &|_| None).expect("a good URL");
        let guarded = super::check(&dsn, facts, rules).err().map(|guarded| guarded.to_string());
        assert_eq!(guarded.as_deref(), expected, "{url}");
    }

    #[test]
    fn only_hosts_of_the_list_may_be_touched() {
        for url in [
            "postgres://app@localhost/shop",
            "postgres://app@LOCALHOST/shop",
            "postgres://app@[::1]/shop",
            "postgres://app@db-7/shop",
            "postgres://app@LocalHost./shop",
            "postgres://app@[0:0:0:0:0:0:0:1]/shop",
            "socket:/run/postgresql/?db=shop&user=app",
        ] {
            check(url, &facts(), &rules(), None);
        }
        for folder in ["/cloudsql/shop:europe:prod", "/tmp", "/run/postgresql/../../tmp"] {
            let said = "is not among the allowed hosts (localhost, ::1, db-*, /run/postgresql)";
            let url = format!("postgres://app@/shop?host={folder}");
            check(&url, &facts(), &rules(), Some(&format!("host {folder} {said}")));
        }
        let refused =
            "host localhost.example.com is not among the allowed hosts (localhost, ::1, db-*, /run/postgresql)";
        check("postgres://app@localhost.example.com/shop", &facts(), &rules(), Some(refused));
        let nowhere = "host localhost is not among the allowed hosts (none is named)";
        check("postgres://app@localhost/shop", &facts(), &Rules::default(), Some(nowhere));
        let strict = Rules { other_hosts: vec![vec!["db-*".to_owned()]], ..rules() };
        check("postgres://app@db-7/shop", &facts(), &strict, None);
        let refused = "host localhost is not among the allowed hosts (db-*)";
        check("postgres://app@localhost/shop", &facts(), &strict, Some(refused));
        let hosts = vec!["localhost".to_owned(), "db[".to_owned()];
        let unreadable = Rules { hosts, ..Rules::default() };
        check("postgres://app@localhost/shop", &facts(), &unreadable, Some("the host pattern \"db[\" is invalid"));
    }

    #[test]
    fn what_speaks_against_it_is_told() {
        let url = "postgres://app@localhost/shop";
        let signals = vec!["NODE_ENV=production".to_owned(), "VERCEL_ENV=production".to_owned()];
        let told = "this looks like production: NODE_ENV=production, VERCEL_ENV=production";
        check(url, &facts(), &Rules { signals, ..rules() }, Some(told));
        let banned_by = Some("production".to_owned());
        check(url, &facts(), &Rules { banned_by, ..rules() }, Some("profile production does not allow it"));
        let confirmed_database = Some("shop_copy".to_owned());
        let told = "the database is named shop, but shop_copy was confirmed";
        check(url, &facts(), &Rules { confirmed_database, ..rules() }, Some(told));
        let standby = Facts { in_recovery: true, read_only: true, ..facts() };
        check(url, &standby, &rules(), Some("database shop is on a standby, which cannot be changed"));
        let told = "database shop is set to be read only (default_transaction_read_only)";
        check(url, &Facts { read_only: true, ..facts() }, &rules(), Some(told));
    }
}
