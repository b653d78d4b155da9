//! Finds what must appear in no output: in our own environment and command line, and in drizzle's config once it is known.

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::ExposeSecret;

use crate::db::Dsn;
use crate::db::connection::url::passwords_in_pgpass;
use crate::files;
use crate::kit::config::Config;
use crate::term::redact::Secrets;

/// The most that a file with a secret in it may hold.
const FILE: u64 = 64 << 10;

/// Returns the secrets of our own environment, of the files that it names, and of our own command line.
pub fn of_ourselves() -> Secrets {
    let text = |text: std::ffi::OsString| text.to_string_lossy().into_owned();
    let variables: Vec<(String, String)> = std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
    let mut secrets = Secrets::default();
    secrets.add_env(std::env::args_os().skip(1).map(|argument| (String::new(), text(argument))), &[]);
    add_files(&mut secrets, &variables);
    if !variables.iter().any(|(name, _)| name == PASSWORD_FILE)
        && let Some(home) = std::env::home_dir()
    {
        add_password_file(&mut secrets, &home.join(".pgpass"));
    }
    secrets.add_env(variables, &[]);
    secrets
}

/// Adds the secrets of variables that drizzle-kit's process has otherwise than ours.
pub fn add_variables(secrets: &mut Secrets, variables: &BTreeMap<String, Option<String>>, public: &[&str]) {
    let set = variables.iter().filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
    let set: Vec<(String, String)> = set.collect();
    add_files(secrets, &set);
    secrets.add_env(set, public);
}

/// Adds every secret among the credentials: passwords, those of URLs and of their parameters, tokens, keys.
pub fn add_config(secrets: &mut Secrets, config: &Config, dsn: Option<&Dsn>) {
    let server = dsn.map(|dsn| dsn.address().server()).unwrap_or_default();
    let address = dsn.map(Dsn::address);
    let public = address.map(|address| [&*address.user, &*address.database, &*server]);
    let public = public.as_ref().map_or(&[][..], |public| &public[..]);
    if let Some(dsn) = dsn {
        add_dsn(secrets, dsn);
    }
    add_variables(secrets, &config.variables, public);
    secrets.add_document(&config.db_credentials, public);
}

/// Adds the password of a database.
pub fn add_dsn(secrets: &mut Secrets, dsn: &Dsn) {
    let address = dsn.address();
    let server = address.server();
    for password in dsn.secrets() {
        secrets.add_password(password.expose_secret(), &[&address.user, &address.database, &server]);
    }
}

/// Names the file in which libpq and node-pg look for passwords.
const PASSWORD_FILE: &str = "PGPASSFILE";

/// Adds what the files have in them that variables name.
fn add_files(secrets: &mut Secrets, variables: &[(String, String)]) {
    for (name, path) in variables {
        let path = Path::new(path);
        if name == PASSWORD_FILE {
            add_password_file(secrets, path);
        } else if Secrets::are_in_file_of(name)
            && path.metadata().is_ok_and(|found| found.is_file())
            && let Ok(text) = files::text(path, FILE)
        {
            secrets.add([text.trim().to_owned()]);
        }
    }
}

fn add_password_file(secrets: &mut Secrets, path: &Path) {
    if path.metadata().is_ok_and(|found| found.is_file())
        && let Ok(text) = files::text(path, files::SETTINGS)
    {
        for (user, password) in passwords_in_pgpass(&text) {
            secrets.add_password(password.expose_secret(), &[&user]);
        }
    }
}
