//! Names a database to other programs, which have drivers of their own. Pure.

use percent_encoding::utf8_percent_encode;
use secrecy::ExposeSecret;
use url::form_urlencoded::Serializer;

use crate::db::connection::address::Host;
use crate::db::connection::dsn::Dsn;
use crate::db::connection::trust::{Check, Pem, Tls};
use crate::db::connection::url::driver::Driver;
use crate::db::connection::url::error::DsnError;
use crate::percent::{COMPONENT, PATH};

/// The variable by which most projects name their database.
pub const DATABASE_URL: &str = "DATABASE_URL";

impl Dsn {
    /// Returns the variables by which a program finds this database, whatever its driver: `DATABASE_URL` and the `PG*`
    /// variables that name a server, a database and a user. What has no value is to be taken away.
    ///
    /// # Errors
    /// When no URL says what this database is.
    pub fn variables(&self) -> Result<Vec<(&'static str, Option<String>)>, DsnError> {
        let mut variables = vec![(DATABASE_URL, Some(self.url_for_all()?))];
        variables.extend(self.libpq().map(|(name, value)| (name, Some(value))));
        // These name a server as well. libpq puts the first before PGHOST, and postgres.js the last before PGUSER.
        variables.extend(["PGHOSTADDR", "PGSERVICE", "PGSERVICEFILE", "PGUSERNAME"].map(|name| (name, None)));
        let password = self.password().map(|password| password.expose_secret().to_owned());
        variables.extend(password.map(|password| ("PGPASSWORD", Some(password))));
        Ok(variables)
    }

    fn libpq(&self) -> [(&'static str, String); 4] {
        [
            ("PGHOST", self.dialled().to_owned()),
            ("PGPORT", self.address.port.to_string()),
            ("PGDATABASE", self.address.database.clone()),
            ("PGUSER", self.address.user.clone()),
        ]
    }

    /// Returns the URL that was given, if no driver would go elsewhere by it; else one that says the same in the plainest form.
    fn url_for_all(&self) -> Result<String, DsnError> {
        let given = self.given.as_ref().map(ExposeSecret::expose_secret);
        if let Some(given) = given.filter(|url| Driver::ALL.into_iter().all(|driver| self.is_meant(url, driver))) {
            return Ok(given.to_owned());
        }
        let url = self.plain_url();
        if self.is_meant(&url, Driver::Pg) { Ok(url) } else { Err(DsnError::Nameless) }
    }

    /// Tells whether a driver would come here by a URL, or nowhere.
    fn is_meant(&self, url: &str, driver: Driver) -> bool {
        let env = |name: &str| self.libpq().into_iter().find(|(known, _)| *known == name).map(|(_, value)| value);
        let credentials = serde_json::json!({ "url": url });
        match Dsn::as_read_by(driver, "postgresql", &credentials, &env) {
            Some(Ok(dsn)) => dsn.address == self.address,
            Some(Err(DsnError::Elsewhere { .. })) | None => false,
            Some(Err(_)) => true,
        }
    }

    fn plain_url(&self) -> String {
        let address = &self.address;
        let password =
            self.password().map(|password| format!(":{}", utf8_percent_encode(password.expose_secret(), COMPONENT)));
        let mut parameters = Serializer::new(String::new());
        let at = match &address.host {
            Host::Socket(_) => {
                parameters.append_pair("host", self.dialled()).append_pair("port", &address.port.to_string());
                String::new()
            }
            Host::Tcp(_) if self.dialled().contains(':') => format!("[{}]:{}", self.dialled(), address.port),
            Host::Tcp(_) => format!("{}:{}", self.dialled(), address.port),
        };
        let (mode, trust) = match self.tls() {
            Tls::Off => ("disable", None),
            Tls::Preferred(trust) => ("prefer", Some(trust)),
            Tls::Required(trust) => match trust.check {
                Check::Full => ("verify-full", Some(trust)),
                Check::Authority => ("verify-ca", Some(trust)),
                Check::Nothing => ("require", Some(trust)),
            },
        };
        parameters.append_pair("sslmode", mode);
        let files = trust.into_iter().flat_map(|trust| {
            let identity = trust.identity.iter().flat_map(|(cert, key)| [("sslcert", cert), ("sslkey", key)]);
            trust.roots.iter().map(|root| ("sslrootcert", root)).chain(identity)
        });
        for (name, pem) in files {
            if let Pem::File(file) = pem {
                parameters.append_pair(name, &file.display().to_string());
            }
        }
        if let Some(options) = self.options() {
            parameters.append_pair("options", options);
        }
        // node-pg leaves an escaped slash as it is, and takes a plain one for a part of the name.
        let database = utf8_percent_encode(&address.database, PATH);
        let user = utf8_percent_encode(&address.user, COMPONENT);
        format!("postgres://{user}{}@{at}/{database}?{}", password.unwrap_or_default(), parameters.finish())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn variable(dsn: &Dsn, name: &str) -> Option<Option<String>> {
        let variables = dsn.variables().expect("it has a URL");
        variables.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    #[test]
    fn a_url_is_handed_on_as_it_was_given_unless_a_driver_would_go_elsewhere() {
        let check = |url: &str, expected: Option<&str>| {
            let dsn = Dsn::from_url(url, &|name| (name == "PGUSER").then(|| "me".to_owned())).expect("a good URL");
            assert_eq!(variable(&dsn, DATABASE_URL), Some(Some(expected.unwrap_or(url).to_owned())));
        };
        check("postgres://u:p%40@h/d?sslmode=require&search_path=x", None);
        check("postgresql://h/d", None);
        check("postgres://u:p@/d?host=/run/pg", None);
        check("postgres://u:p@h/d?pgbouncer=true", None);
        check("postgres://u:p@h/d?database=prod", Some("postgres://u:p@h:5432/d?sslmode=disable"));
        check("postgres://u:p%2F@h/d?user=v", Some("postgres://v:p%2F@h:5432/d?sslmode=disable"));
        check("postgres://u:p@h/d?host=x&port=7", Some("postgres://u:p@x:7/d?sslmode=disable"));
        check("postgres://u:p@h/a%20b", Some("postgres://u:p@h:5432/a%20b?sslmode=disable"));
    }

    #[test]
    fn parts_become_a_url_and_every_variable_that_names_a_server_agrees() {
        let parts = json!({"host": "::1", "port": 5433, "user": "a@b", "password": "p w/", "database": "d/e", "ssl": "require"});
        let dsn = Dsn::from_parts(&parts, &|_| None).expect("good parts");
        let url = "postgres://a%40b:p%20w%2F@[::1]:5433/d/e?sslmode=require";
        for (name, expected) in [
            (DATABASE_URL, Some(url)),
            ("PGHOST", Some("::1")),
            ("PGPORT", Some("5433")),
            ("PGDATABASE", Some("d/e")),
            ("PGUSER", Some("a@b")),
            ("PGPASSWORD", Some("p w/")),
            ("PGHOSTADDR", None),
            ("PGSERVICE", None),
            ("PGUSERNAME", None),
        ] {
            assert_eq!(variable(&dsn, name), Some(expected.map(str::to_owned)), "{name}");
        }
        let socket =
            Dsn::from_url("socket:/run/pg?db=d&user=u&port=7&options=-c%20a=b", &|_| None).expect("a good URL");
        let url = "postgres://u@/d?host=%2Frun%2Fpg&port=7&sslmode=disable&options=-c+a%3Db";
        assert_eq!(socket.plain_url(), url);
        assert_eq!(variable(&socket, "PGPASSWORD"), None);
    }

    #[test]
    fn a_database_that_no_url_names_is_told() {
        for database in ["what?", "a#b", "100%2F"] {
            let parts = json!({"host": "h", "user": "u", "database": database, "ssl": false});
            let dsn = Dsn::from_parts(&parts, &|_| None).expect("good parts");
            let read = Dsn::from_url(&dsn.plain_url(), &|_| None).map(|dsn| dsn.address);
            assert_eq!(dsn.variables().is_ok(), read.is_ok_and(|read| read == dsn.address), "{database}");
        }
    }
}
