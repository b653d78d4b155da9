//! Finds the database that a command of our own works on, and drizzle's config, as drizzle-kit itself would load it.
//!
//! What names the database: `--url`, else drizzle's config, else `DATABASE_URL`, else a `.env` file, else the `PG*`
//! variables. The config stands before the environment because drizzle-kit goes where it says; where both name a
//! database and not the same one, nobody guesses.

use std::path::{Path, PathBuf};
use std::time::Instant;

use semver::Version;

use crate::cli::Shared;
use crate::commands::{copilot, engines, flight, verdict};
use crate::console::Console;
use crate::db::url::Env;
use crate::db::{Dsn, DsnError};
use crate::exit::Exit;
use crate::kit::command::{Call, Kit};
use crate::kit::config::{self, Config, ConfigFile, KitSession};
use crate::kit::driver::{self, Clearance, Deadlines, Ending, Held, Pilot};
use crate::kit::mailbox::Mailbox;
use crate::kit::prompt::Prompt;
use crate::kit::session::Answer;
use crate::report::Verdict;
use crate::term::interrupts::Interrupts;
use crate::term::pty::Pty;
use crate::term::stream::ScreenStream;

/// The variable by which most projects name their database.
pub const DATABASE_URL: &str = "DATABASE_URL";
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

/// Drizzle's config, the file that it stands in, and the drizzle-kit that loaded it.
#[derive(Debug, Clone)]
pub struct Drizzle {
    pub config: Config,
    pub file: ConfigFile,
    pub kit: Kit,
}

impl Drizzle {
    /// Returns the name of the config's file.
    pub fn name(&self) -> String {
        self.file.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    }
}

/// Finds the PostgreSQL database that a command of our own works on.
///
/// # Errors
/// With the verdict, where none is named, where two are, or where it is none of PostgreSQL.
pub fn find(
    command: &str,
    shared: &Shared,
    url: Option<&str>,
    cwd: &Path,
    console: &mut Console,
) -> Result<Place, Verdict> {
    let drizzle = match (load(shared, cwd), url) {
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
    command: &str,
    drizzle: Option<Drizzle>,
    url: Option<&str>,
    cwd: &Path,
    console: &mut Console,
) -> Result<Place, Verdict> {
    let env = |name: &str| std::env::var(name).ok();
    if let Some(drizzle) = &drizzle {
        copilot::hide(console.secrets_mut(), &drizzle.config, None);
    }
    let place = match (url, &drizzle) {
        (Some(url), _) => (read_url(url, "--url", &env)?, "--url".to_owned()),
        (None, Some(drizzle)) => {
            let dsn = of_config(&drizzle.config, drizzle.kit.version.as_ref(), cwd, &env)?
                .ok_or_else(|| engines::not_postgres(command, drizzle))?;
            if let Some(other) = env(DATABASE_URL)
                && let Ok(other) = Dsn::from_url(&other, &env)
                && other.address() != dsn.address()
            {
                let summary = format!("{DATABASE_URL} names {other}, and {} names {dsn}", drizzle.name());
                return Err(Verdict::nothing(Exit::Config, summary).hint("say which one is meant with --url"));
            }
            (dsn, drizzle.name())
        }
        (None, None) => of_environment(cwd, &env)?,
    };
    let (dsn, named_by) = place;
    let dsn = dsn.in_dir(cwd);
    copilot::hide_password(console.secrets_mut(), &dsn);
    Ok(Place { dsn, named_by, drizzle })
}

/// Finds a database where no config names one.
fn of_environment(cwd: &Path, env: Env) -> Result<(Dsn, String), Verdict> {
    if let Some(url) = env(DATABASE_URL).filter(|url| !url.is_empty()) {
        return Ok((read_url(&url, DATABASE_URL, env)?, DATABASE_URL.to_owned()));
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
                return Err(Verdict::nothing(Exit::Config, summary).hint("say which one is meant with --url"));
            }
            return Ok((read_url(url, file, env)?, format!("{DATABASE_URL} in {file}")));
        }
    }
    match ["PGHOST", "PGDATABASE"].into_iter().find(|name| env(name).is_some_and(|value| !value.is_empty())) {
        Some(name) => Ok((Dsn::from_env(env).map_err(|error| wrong(name, &error))?, name.to_owned())),
        None => {
            let summary = format!("no database is named: there is no drizzle config and no {DATABASE_URL}");
            Err(Verdict::nothing(Exit::Config, summary).hint("give --url, or name the project with --cwd or --config"))
        }
    }
}

/// Reads `DATABASE_URL` of a `.env` file; none where there is no such file or line.
fn url_in_file(file: &Path) -> Result<Option<String>, Verdict> {
    let unreadable = |error: &dotenvy::Error| {
        // Its message repeats the line, which may hold a password.
        let reason = match error {
            dotenvy::Error::LineParse(_, at) => format!("a line cannot be read at column {}", at + 1),
            other => other.to_string(),
        };
        Verdict::nothing(Exit::Config, format!("reading {}: {reason}", file.display()))
            .hint("correct it, or give --url")
    };
    let entries = match dotenvy::from_path_iter(file) {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(None),
        Err(error) => return Err(unreadable(&error)),
    };
    let mut url = None;
    for entry in entries {
        let (name, value) = entry.map_err(|error| unreadable(&error))?;
        if name == DATABASE_URL && !value.is_empty() {
            url = Some(value);
        }
    }
    Ok(url)
}

fn read_url(url: &str, named_by: &str, env: Env) -> Result<Dsn, Verdict> {
    let credentials = serde_json::json!({ "url": url });
    match Dsn::from_credentials("postgresql", &credentials, env) {
        Some(dsn) => dsn.map_err(|error| wrong(named_by, &error)),
        None => Err(Verdict::nothing(Exit::Config, format!("{named_by} is no URL of PostgreSQL"))),
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
    match Dsn::from_credentials(dialect, &credentials, env) {
        Some(Ok(dsn)) => Ok(Some(dsn.in_dir(cwd))),
        Some(Err(error)) => Err(wrong("dbCredentials of drizzle's config", &error)),
        None => Ok(None),
    }
}

/// Loads drizzle's config by the project's own drizzle-kit, which is stopped before it does anything else; none where
/// the project has no config.
///
/// # Errors
/// With the verdict, where there is no drizzle-kit, or the config cannot be loaded.
pub fn load(shared: &Shared, cwd: &Path) -> Result<Option<Drizzle>, Verdict> {
    let Some(file) = config::find(cwd, shared.config.as_deref()) else { return Ok(None) };
    if !file.path.is_file() {
        return Err(flight::no_config_file(&file.path));
    }
    let kit = flight::held(shared, cwd)?;
    let started = Instant::now();
    let interrupts = Interrupts::watch().map_err(|error| verdict::internal("watching for signals", &error))?;
    let (mailbox, mail) = Mailbox::create().map_err(|error| flight::no_mailbox(&error))?;
    // Any command loads the config first, and is stopped then. This one would do no harm.
    let args = [if kit.version.as_ref().is_some_and(|version| (version.major, version.minor) < (0, 21)) {
        "check:pg".into()
    } else {
        "check".into()
    }];
    let call = Call { cwd, args: &args, config: Some(&file), asks: false };
    let pty = Pty::spawn(&kit.start(&call, &mailbox)).map_err(|error| flight::not_started(&error))?;
    let deadlines = Deadlines { whole: shared.timeout, idle: shared.idle_timeout };
    let mut reader = Reader::default();
    let stream = ScreenStream::new(pty, interrupts, Some(mail), None);
    let flight = driver::fly(stream, mailbox, deadlines, &mut reader)
        .map_err(|error| verdict::internal("driving the terminal", &error))?;
    tracing::debug!(ms = started.elapsed().as_secs_f64() * 1e3, "drizzle's config was loaded");
    match (reader.config, &flight.ending) {
        (Some(config), Ending::NotCleared) => Ok(Some(Drizzle { config, file, kit })),
        (_, Ending::Signalled(signal)) => {
            let summary = format!("stopped by {} while drizzle's config was loaded", driver::signal_name(*signal));
            Err(Verdict::nothing(Exit::Signal(*signal), summary))
        }
        (_, Ending::TimedOut { .. }) => {
            Err(Verdict::nothing(Exit::Timeout, format!("loading {} took too long", file.path.display())))
        }
        _ => Err(verdict::config_not_loaded(flight.config_error.as_deref().unwrap_or_else(|| {
            flight
                .session
                .last_text()
                .lines
                .iter()
                .map(String::as_str)
                .find(|line| !line.is_empty())
                .unwrap_or_default()
        }))),
    }
}

/// Takes the config, and lets drizzle-kit do nothing with it.
#[derive(Default)]
pub struct Reader {
    config: Option<Config>,
}

impl Pilot for Reader {
    fn config(&mut self, config: &Config) -> Clearance {
        self.config = Some(config.clone());
        Clearance::Stop
    }

    fn ask(&mut self, _: &Prompt) -> Answer {
        Answer::Unclear("drizzle-kit asked before its config was seen".to_owned())
    }

    fn session(&mut self, _: &KitSession) -> Result<(), Held> {
        Err(Held::Runner("drizzle-kit connects before its config was seen".to_owned()))
    }

    fn query(&mut self, _: &str, _: bool) -> Result<Option<String>, Held> {
        Err(Held::Runner("drizzle-kit sends a query before its config was seen".to_owned()))
    }

    fn is_executing(&mut self, _: bool) -> bool {
        false
    }

    fn is_on_leash(&mut self) -> bool {
        true
    }

    fn loaded(&mut self, _: PathBuf) {}

    fn printed(&mut self, _: &str) {}

    fn progress(&mut self, _: &str) {}
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
        check(&[], &variables[2..], "no database is named: there is no drizzle config and no DATABASE_URL");
    }

    #[test]
    fn two_files_that_disagree_name_nothing() {
        let one = (".env", "DATABASE_URL=postgres://app@db/one");
        check(&[one, (".env.local", one.1)], &[], "db:5432/one as app by DATABASE_URL in .env");
        let other = (".env.local", "DATABASE_URL=postgres://app@db/other");
        check(&[one, other], &[], ".env and .env.local name different databases as DATABASE_URL");
    }

    #[test]
    fn a_broken_file_is_named_without_what_is_in_it() {
        let broken = (".env", "DATABASE_URL='postgres://app:hunter2@db/one");
        let folder_and_reason = "reading ./.env: a line cannot be read at column";
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        std::fs::write(folder.path().join(broken.0), broken.1).expect("the folder is ours");
        let verdict = of_environment(folder.path(), &|_| None).expect_err("the file is broken");
        let said = verdict.summary.replace(&folder.path().display().to_string(), ".");
        assert!(said.starts_with(folder_and_reason) && !said.contains("hunter2"), "{said}");
    }
}
