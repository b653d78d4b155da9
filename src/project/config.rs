//! Drizzle's config: finds its file, and has the project's own drizzle-kit load it.

use std::path::Path;
use std::time::Instant;

use semver::Version;

use crate::cli::Shared;
use crate::db::connection::url::Driver;
use crate::kit::command::{Call, Kit};
use crate::kit::config::Config;
use crate::kit::config_file::{self, ConfigFile};
use crate::kit::hints::Newest;
use crate::kit::run::Ending;
use crate::outcome::{Exit, Verdict, signal_name, with_causes};
use crate::output::console::Console;
use crate::project::reader::Reader;
use crate::project::{kit, secrets};

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

    /// Returns the driver by which its drizzle-kit connects to PostgreSQL.
    pub fn driver(&self) -> Driver {
        driver(&self.config, self.kit.version.as_ref())
    }
}

/// Finds drizzle's config file; none where there is none and none is named.
///
/// # Errors
/// With the verdict, where it is not there or cannot be read.
pub fn find(cwd: &Path, named: Option<&Path>) -> Result<Option<ConfigFile>, Verdict> {
    config_file::find(cwd, named).map_err(|error| {
        Verdict::nothing(Exit::Config, with_causes(&error)).hint("name it with --config, or the project with --cwd")
    })
}

/// Loads drizzle's config by the project's own drizzle-kit, which is stopped before it does anything else; none where
/// the project has no config.
///
/// # Errors
/// With the verdict, where there is no drizzle-kit, or the config cannot be loaded.
pub fn load(shared: &Shared, cwd: &Path, console: &mut Console) -> Result<Option<Drizzle>, Verdict> {
    let Some(file) = find(cwd, shared.config.as_deref())? else { return Ok(None) };
    let kit = kit::held(shared, cwd, Newest::Hints)?;
    let started = Instant::now();
    // Any command loads the config first, and is stopped then. This one would do no harm.
    let args = [if kit.version.as_ref().is_some_and(|version| (version.major, version.minor) < (0, 21)) {
        "check:pg".into()
    } else {
        "check".into()
    }];
    let call = Call { cwd, args: &args, config: Some(&file), asks: false, hints: None };
    let mut reader = Reader::default();
    let run = kit::start(None, |channel| kit.start(&call, channel))?.drive(shared, &mut reader)?;
    tracing::debug!(ms = started.elapsed().as_secs_f64() * 1e3, "drizzle's config was loaded");
    console.hide(|secrets| secrets::add_variables(secrets, &reader.variables, &[]));
    if let Some(config) = &reader.config {
        console.hide(|secrets| secrets::add_config(secrets, config, None));
    }
    match (reader.config, &run.ending) {
        (Some(config), Ending::Aborted) => Ok(Some(Drizzle { config, file, kit })),
        (_, Ending::Signalled(signal)) => {
            let summary = format!("stopped by {} while drizzle's config was loaded", signal_name(*signal));
            Err(Verdict::nothing(Exit::Signal(*signal), summary))
        }
        (_, Ending::TimedOut { .. }) => {
            Err(Verdict::nothing(Exit::Timeout, format!("loading {} took too long", file.path.display())))
        }
        _ => {
            let lines = &run.seen.last_text.lines;
            let said = || lines.iter().map(String::as_str).find(|line| !line.is_empty()).unwrap_or_default();
            let error = run.config_error.as_deref().unwrap_or_else(said);
            Err(Verdict::config_not_loaded(error))
        }
    }
}

/// Returns the driver by which a drizzle-kit of this version connects to PostgreSQL.
pub fn driver(config: &Config, version: Option<&Version>) -> Driver {
    // 0.20 has no choice (`drizzleForPostgres`).
    let has_choice = version.is_none_or(|version| (version.major, version.minor) >= (0, 21));
    let found = config.client.as_deref().filter(|_| has_choice);
    found.and_then(Driver::of_package).unwrap_or_default()
}

/// Returns a variable: as drizzle-kit's process has it, where there is a config.
pub fn variable(drizzle: Option<&Drizzle>, name: &str) -> Option<String> {
    match drizzle {
        Some(drizzle) => variable_of(&drizzle.config, name),
        None => std::env::var(name).ok(),
    }
}

/// Returns a variable as drizzle-kit's process has it once this config is loaded.
pub fn variable_of(config: &Config, name: &str) -> Option<String> {
    match config.variables.get(name) {
        // node reads this one when it starts.
        Some(value) if name != "NODE_EXTRA_CA_CERTS" => value.clone(),
        _ => std::env::var(name).ok(),
    }
}
