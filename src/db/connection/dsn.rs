//! Everything needed to connect as drizzle-kit will, read by whatever driver it has. Pure.

use std::fmt;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use crate::db::connection::address::{Address, Host};
use crate::db::connection::trust::{Pem, Tls};

/// Everything needed to connect as drizzle-kit will.
///
/// Neither `Debug` nor `Display` shows the password or a private key.
#[derive(Clone)]
pub struct Dsn {
    pub(super) address: Address,
    /// The host as it was given. A dot at its end decides where a resolver looks.
    pub(super) dialled: String,
    /// The URL that this was read from.
    pub(super) given: Option<SecretString>,
    pub(super) password: Option<Password>,
    pub(super) password_file: Option<PathBuf>,
    pub(super) tls: Tls,
    pub(super) binds_channel: bool,
    pub(super) options: Option<String>,
    pub(super) application_name: Option<String>,
}

#[derive(Clone)]
pub(super) struct Password {
    pub(super) plain: SecretString,
    pub(super) written: Option<SecretString>,
}

impl Dsn {
    /// Returns the way to another database of the same server, as the same user.
    #[must_use]
    pub fn of_database(&self, database: &str) -> Dsn {
        let address = Address { database: database.to_owned(), ..self.address.clone() };
        Dsn { address, given: None, ..self.clone() }
    }

    /// Resolves relative certificate files against the directory that the kit runs in.
    pub fn in_dir(mut self, dir: &Path) -> Dsn {
        if let Tls::Required(trust) | Tls::Preferred(trust) = &mut self.tls {
            let identity = trust.identity.iter_mut().flat_map(|(certificate, key)| [certificate, key]);
            for pem in trust.roots.iter_mut().chain(identity) {
                if let Pem::File(file) = pem {
                    *file = dir.join(&*file);
                }
            }
            trust.extra_roots = trust.extra_roots.take().map(|file| dir.join(file));
        }
        self
    }

    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Returns the host for a resolver: as it was given, or in ASCII, as node hands it on.
    pub fn dialled(&self) -> &str {
        match &self.address.host {
            Host::Tcp(name) if !self.dialled.is_ascii() => name,
            _ => &self.dialled,
        }
    }

    pub fn password(&self) -> Option<&SecretString> {
        self.password.as_ref().map(|password| &password.plain)
    }

    /// Returns the `.pgpass` file that node-pg looks into when there is no password (pgpass 1.0.5).
    pub fn password_file(&self) -> Option<&Path> {
        self.password_file.as_deref()
    }

    pub fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Tells whether the login must be bound to the TLS connection (`channel_binding=require`, as Neon writes it).
    ///
    /// node-pg ignores it in a URL.
    pub fn binds_channel(&self) -> bool {
        self.binds_channel
    }

    /// Returns the start-up options that the kit's connection will have: those of the URL, else `PGOPTIONS`.
    ///
    /// A URL with options of its own makes node-pg ignore `PGOPTIONS` altogether.
    pub fn options(&self) -> Option<&str> {
        self.options.as_deref()
    }

    /// Returns the name that the kit's connection will have: that of the URL, else `PGAPPNAME`.
    pub fn application_name(&self) -> Option<&str> {
        self.application_name.as_deref()
    }

    /// Returns what must not turn up in an output: the password, and as it stood in the URL.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretString> {
        self.password.iter().flat_map(|password| [Some(&password.plain), password.written.as_ref()]).flatten()
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Dsn").field("address", &self.address).field("tls", &self.tls).finish_non_exhaustive()
    }
}

/// Writes all of it down to compare it with what a driver reads.
#[cfg(test)]
pub(in crate::db::connection) mod shown {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::db::connection::trust::Check;

    pub(in crate::db::connection) fn show(dsn: &Dsn) -> String {
        let Address { port, database, user, .. } = dsn.address();
        let host = &dsn.dialled;
        let password = dsn.password().map_or("", |password| password.expose_secret());
        let (options, name) = (dsn.options().unwrap_or_default(), dsn.application_name().unwrap_or_default());
        format!("{host}|{port}|{database}|{user}|{password}|{}|{options}|{name}", show_tls(dsn.tls()))
    }

    pub(in crate::db::connection) fn show_tls(tls: &Tls) -> String {
        let (trust, mode) = match tls {
            Tls::Off => return "off".to_owned(),
            Tls::Required(trust) => (trust, ""),
            Tls::Preferred(trust) => (trust, "+or-off"),
        };
        let check = match trust.check {
            Check::Full => "full",
            Check::Authority => "ca",
            Check::Nothing => "any",
        };
        let root = if trust.roots.is_empty() { "" } else { "+root" };
        let identity = if trust.identity.is_some() { "+cert+key" } else { "" };
        format!("{check}{root}{identity}{mode}")
    }

    pub(in crate::db::connection) fn environment(variables: &[(&str, &str)]) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let value = variables.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
            value.or((name == "USER").then_some("me")).map(str::to_owned)
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use serde_json::json;

    use super::shown::environment;
    use super::*;

    fn read(url: &str) -> Dsn {
        Dsn::from_url(url, &environment(&[])).expect("a good URL")
    }

    #[test]
    fn nothing_shows_the_password() {
        let dsn = read("postgres://app:s3cr%20et%2F%3f@db:5433/shop?sslcert=/c&sslkey=/k");
        assert_eq!(dsn.to_string(), "db:5433/shop as app");
        for shown in [format!("{dsn:?}"), format!("{dsn:#?}"), dsn.to_string(), format!("{:?}", dsn.address())] {
            assert!(!shown.contains("s3cr"), "{shown}");
        }
        let parts = json!({"host": "h", "database": "d", "ssl": {"ca": "CA", "cert": "C", "key": "KEY"}});
        let dsn = Dsn::from_parts(&parts, &environment(&[])).expect("good parts");
        assert!(!format!("{dsn:?}").contains("KEY"));
    }

    #[test]
    fn the_secrets_are_the_password_and_what_stood_in_the_url() {
        let secrets = |url| {
            let dsn = read(url);
            dsn.secrets().map(|secret| secret.expose_secret().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(secrets("postgres://u:a%20b%2f%22%2b@h/d"), ["a b/\"+", "a%20b%2f%22%2b"]);
        assert_eq!(secrets("postgres://u@h/d"), [""; 0]);
    }

    #[test]
    fn addresses_are_shown_with_brackets_and_sockets_with_their_directory() {
        let shown = |url| read(url).to_string();
        assert_eq!(shown("postgres://u@[::1]:5433/d"), "[::1]:5433/d as u");
        assert_eq!(shown("socket:/run/pg?db=d&user=u"), "/run/pg:5432/d as u");
    }

    #[test]
    fn certificate_files_are_relative_to_the_directory_of_the_run() {
        let url = "postgres://h/d?sslrootcert=certs/ca.pem&sslcert=/abs/c.pem&sslkey=k.pem";
        let dsn = read(url).in_dir(Path::new("/app"));
        let Tls::Required(trust) = dsn.tls() else { panic!("TLS is off") };
        assert_eq!(trust.roots, [Pem::File("/app/certs/ca.pem".into())]);
        assert_eq!(trust.identity, Some((Pem::File("/abs/c.pem".into()), Pem::File("/app/k.pem".into()))));
    }
}
