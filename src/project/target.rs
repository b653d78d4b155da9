//! Finds the database that a command of our own works on, and drizzle's config, as drizzle-kit itself would load it.
//!
//! What names the database: `--url`, else drizzle's config, else `DATABASE_URL`, else a `.env` file, else the `PG*`
//! variables. The config stands before the environment because drizzle-kit goes where it says; where both name a
//! database and not the same one, nobody guesses.

use std::path::{Path, PathBuf};

use semver::Version;

use crate::cli::Shared;
use crate::command_name::CommandName;
use crate::db::connection::url::{DATABASE_URL, Driver, Env};
use crate::db::{Dsn, DsnError};
use crate::files;
use crate::project::config;

use crate::kit::config::Config;
use crate::kit::dotenv;

use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::project::config::Drizzle;
use crate::project::{engines, secrets};

/// The files in which they keep it. drizzle's guides have the first, web frameworks the second.
const ENV_FILES: [&str; 2] = [".env", ".env.local"];

/// A database, and who named it.
#[derive(Debug, Clone)]
pub struct Place {
    pub dsn: Dsn,
    /// As in `--url`, `drizzle.config.ts`, `DATABASE_URL` or `.env`.
    pub named_by: String,
    /// Drizzle's config, where the project has one.
    pub drizzle: Option<Drizzle>,
}

/// Finds the PostgreSQL database that a command of our own works on.
///
/// # Errors
/// With the verdict, where none is named, where two are, or where it is none of PostgreSQL.
pub fn find(
    command: CommandName,
    shared: &Shared,
    url: Option<&str>,
    cwd: &Path,
    console: &mut Console,
) -> Result<Place, Verdict> {
    let drizzle = match (config::load(shared, cwd, console), url) {
        // The address is known without drizzle-kit, and what else the config would tell has its defaults.
        (Err(Verdict { exit: Exit::NotFound | Exit::CannotRun, summary, .. }), Some(_)) => {
            console.warn(&format!("drizzle's config is not read: {summary}"));
            None
        }
        (drizzle, _) => drizzle?,
    };
    settle(command, drizzle, url, cwd, console)
}

/// Finds the PostgreSQL database where drizzle's config was loaded already.
///
/// # Errors
/// As [`find`].
pub fn settle(
    command: CommandName,
    drizzle: Option<Drizzle>,
    url: Option<&str>,
    cwd: &Path,
    console: &mut Console,
) -> Result<Place, Verdict> {
    let ours = |name: &str| std::env::var(name).ok();
    let env = |name: &str| config::variable(drizzle.as_ref(), name);
    let driver = drizzle.as_ref().map(Drizzle::driver).unwrap_or_default();
    let place = match (url, &drizzle) {
        (Some(url), _) => (read_url(url, driver, "--url", &env)?, "--url".to_owned()),
        (None, Some(drizzle)) => {
            let dsn = of_config(&drizzle.config, drizzle.kit.version.as_ref(), cwd, &env)?
                .ok_or_else(|| engines::not_postgres(command, drizzle))?;
            if let Some(other) = ours(DATABASE_URL)
                && let Ok(other) = read_url(&other, driver, DATABASE_URL, &env)
                && other.address() != dsn.address()
            {
                let summary = format!("{DATABASE_URL} names {other}, but {} names {dsn}", drizzle.name());
                return Err(Verdict::nothing(Exit::Config, summary).hint("specify the database with --url"));
            }
            (dsn, drizzle.name())
        }
        (None, None) => of_environment(cwd, &ours)?,
    };
    let (dsn, named_by) = place;
    let dsn = dsn.in_dir(cwd);
    console.hide(|secrets| secrets::add_dsn(secrets, &dsn));
    Ok(Place { dsn, named_by, drizzle })
}

/// Finds a database where no config names one.
fn of_environment(cwd: &Path, env: Env) -> Result<(Dsn, String), Verdict> {
    if let Some(url) = env(DATABASE_URL).filter(|url| !url.is_empty()) {
        return Ok((read_url(&url, Driver::Pg, DATABASE_URL, env)?, DATABASE_URL.to_owned()));
    }
    let mut found: Vec<(&str, String)> = Vec::new();
    for file in ENV_FILES {
        found.extend(url_in_file(&cwd.join(file))?.map(|url| (file, url)));
    }
    match &found[..] {
        [] => {}
        [(file, url), others @ ..] => {
            if let Some((other, _)) = others.iter().find(|(_, other)| other != url) {
                let summary = format!("{file} and {other} name different databases as {DATABASE_URL}");
                return Err(Verdict::nothing(Exit::Config, summary).hint("specify the database with --url"));
            }
            return Ok((read_url(url, Driver::Pg, file, env)?, format!("{DATABASE_URL} in {file}")));
        }
    }
    match ["PGHOST", "PGDATABASE"].into_iter().find(|name| env(name).is_some_and(|value| !value.is_empty())) {
        Some(name) => Ok((Dsn::from_env(env).map_err(|error| wrong(name, &error))?, name.to_owned())),
        None => {
            let summary = format!("no database is specified: there is no drizzle config and no {DATABASE_URL}");
            Err(Verdict::nothing(Exit::Config, summary).hint("specify --url, or the project with --cwd or --config"))
        }
    }
}

/// Reads `DATABASE_URL` of a `.env` file, as node's dotenv does; none where there is no such file or line.
fn url_in_file(file: &Path) -> Result<Option<String>, Verdict> {
    let bytes = files::read_if_there(file, files::SETTINGS).map_err(|error| {
        Verdict::nothing(Exit::Config, format!("reading {}: {error}", file.display()))
            .hint("correct it, or specify --url")
    })?;
    let variables = bytes.map(|bytes| dotenv::parse(&String::from_utf8_lossy(&bytes))).unwrap_or_default();
    Ok(variables.get(DATABASE_URL).filter(|url| !url.is_empty()).cloned())
}

/// Reads a URL as a driver does.
///
/// # Errors
/// With the verdict, where it is none, or leads this driver elsewhere than it says.
fn read_url(url: &str, driver: Driver, named_by: &str, env: Env) -> Result<Dsn, Verdict> {
    let credentials = serde_json::json!({ "url": url });
    match Dsn::as_read_by(driver, "postgresql", &credentials, env) {
        Some(dsn) => dsn.map_err(|error| wrong(named_by, &error)),
        None => Err(Verdict::nothing(Exit::Config, format!("{named_by} is not a PostgreSQL URL"))),
    }
}

fn wrong(named_by: &str, error: &DsnError) -> Verdict {
    Verdict::nothing(Exit::Config, format!("{named_by}: {error}")).hint(error.hint())
}

/// Reads where a drizzle-kit of this version connects by its config; none where that is not PostgreSQL.
///
/// # Errors
/// With the verdict, where the credentials are none.
pub fn of_config(config: &Config, version: Option<&Version>, cwd: &Path, env: Env) -> Result<Option<Dsn>, Verdict> {
    let mut credentials = config.db_credentials.clone();
    if let (Some(driver), Some(credentials)) = (&config.driver, credentials.as_object_mut()) {
        credentials.entry("driver").or_insert_with(|| driver.clone().into());
    }
    // Before 0.22 drizzle-kit handed credentials in parts to pg as they are (its `preparePostgresDB`).
    let takes_raw_parts = version.is_some_and(|version| (version.major, version.minor) < (0, 22));
    let dialect = if takes_raw_parts && config.dialect() == "postgresql" { "pg" } else { config.dialect() };
    match Dsn::as_read_by(config::driver(config, version), dialect, &credentials, env) {
        Some(Ok(dsn)) => Ok(Some(dsn.in_dir(cwd))),
        Some(Err(error)) => Err(wrong("dbCredentials of drizzle's config", &error)),
        None => Ok(None),
    }
}

/// Returns the folder of the migrations: the one that is named, else the config's, else drizzle's default.
pub fn migrations_folder(named: Option<&Path>, drizzle: Option<&Drizzle>, cwd: &Path) -> PathBuf {
    match (named, drizzle) {
        (Some(named), _) => cwd.join(named),
        (None, Some(drizzle)) => cwd.join(drizzle.config.out()),
        (None, None) => cwd.join("drizzle"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what a folder with these files and these variables names.
    #[track_caller]
    fn check(files: &[(&str, &str)], variables: &[(&str, &str)], expected: &str) {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).expect("the folder is ours");
        }
        let env = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let found = match of_environment(folder.path(), &env) {
            Ok((dsn, named_by)) => format!("{dsn} by {named_by}"),
            Err(verdict) => verdict.summary.replace(&folder.path().display().to_string(), "."),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn the_environment_stands_before_files_and_those_before_single_variables() {
        let env_file = (".env", "OTHER=1\nexport DATABASE_URL=\"postgres://app@db/file\"\n");
        let variables = [("DATABASE_URL", "postgres://app@db/variable"), ("PGHOST", "elsewhere"), ("USER", "app")];
        check(&[env_file], &variables, "db:5432/variable as app by DATABASE_URL");
        check(&[env_file], &variables[1..], "db:5432/file as app by DATABASE_URL in .env");
        check(&[], &variables[1..], "elsewhere:5432/app as app by PGHOST");
        check(&[], &variables[2..], "no database is specified: there is no drizzle config and no DATABASE_URL");
    }

    #[test]
    fn two_files_that_disagree_name_nothing() {
        let one = (".env", "DATABASE_URL=postgres://app@db/one");
        check(&[one, (".env.local", one.1)], &[], "db:5432/one as app by DATABASE_URL in .env");
        let other = (".env.local", "DATABASE_URL=postgres://app@db/other");
        check(&[one, other], &[], ".env and .env.local name different databases as DATABASE_URL");
    }

    #[test]
    fn a_file_names_its_url_to_the_letter_whatever_stands_beside_it() {
        let url = "postgres://app@db/one";
        for line in ["TITLE=two words", "FLAGS={\"a\": 1}", "a-b=1", "export LATER", "QUOTE='", "<<<<<<< HEAD"] {
            let text = format!("{line}\nDATABASE_URL={url}$copy\n");
            check(&[(".env", &text)], &[("copy", "x")], "db:5432/one$copy as app by DATABASE_URL in .env");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_not_taken_for_none() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        std::fs::create_dir(folder.path().join(".env.local")).expect("the folder is ours");
        let verdict = of_environment(folder.path(), &|_| None).expect_err("it is a folder");
        let said = verdict.summary.replace(&folder.path().display().to_string(), ".");
        assert_eq!((said.as_str(), verdict.exit), ("reading ./.env.local: it is a folder", Exit::Config));
    }
}
