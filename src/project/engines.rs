//! What is said where a command is for PostgreSQL over a socket and drizzle's config is not.

use semver::Version;

use crate::command_name::CommandName;
use crate::kit::config::Config;
use crate::kit::engine::{self, Unheld};
use crate::outcome::{Exit, Verdict};
use crate::project::config::Drizzle;
use crate::sql::Dialect;

/// The dialects that drizzle-kit 0.20 to 0.31 pushes to.
const DIALECTS: [&str; 5] = ["postgresql", "mysql", "sqlite", "turso", "singlestore"];

/// The first versions that know some of them.
const SINCE: [(&str, (u64, u64)); 2] = [("turso", (0, 25)), ("singlestore", (0, 29))];

/// Returns the engine of a config as a sentence names it: the driver stands beside the dialect where it is not the usual one.
pub fn name(config: &Config) -> String {
    match (config.dialect(), config.driver.as_deref()) {
        ("postgresql", Some("pglite")) => "PGlite, a folder that only node can open".to_owned(),
        (dialect, Some(driver)) if config.dialect.is_some() => format!("{dialect} ({driver})"),
        (dialect, _) => dialect.to_owned(),
    }
}

/// Says that a command works on no database of this config, and what does its work there.
pub fn not_postgres(command: CommandName, drizzle: &Drizzle) -> Verdict {
    let config = &drizzle.config;
    if let Err(verdict) = known(config, drizzle.kit.version.as_ref()) {
        return verdict;
    }
    let instead = match command {
        CommandName::Migrate => "drizzle-pilot run -- migrate".to_owned(),
        CommandName::Status | CommandName::Sync => {
            "drizzle-pilot check, which reads the folder, and drizzle-pilot run -- migrate, which applies new migrations"
                .to_owned()
        }
        CommandName::Check => "drizzle-pilot check without --database, which reads the folder".to_owned(),
        CommandName::Next => "drizzle-pilot generate, and drizzle-pilot run -- migrate".to_owned(),
        CommandName::Reset => {
            let emptied = match config.dialect() {
                _ if config.driver.as_deref() == Some("pglite") => "delete the folder",
                "sqlite" | "turso" => "delete the file, or the database where it is hosted",
                _ => "drop and create the database by hand",
            };
            format!("{emptied}, then drizzle-pilot push or drizzle-pilot run -- migrate")
        }
        _ => "drizzle-pilot plan and drizzle-pilot push".to_owned(),
    };
    let summary = format!("{command} is for PostgreSQL, but {} is for {}", drizzle.name(), name(config));
    Verdict::nothing(Exit::Config, summary).hint(format!("for {}: {instead}", short(config)))
}

fn short(config: &Config) -> String {
    match config.driver.as_deref() {
        Some(driver) if config.dialect.is_some() => driver.to_owned(),
        _ => config.dialect().to_owned(),
    }
}

/// Looks whether the dialect is one that can be driven.
///
/// # Errors
/// With the verdict, where it is not.
pub fn known(config: &Config, version: Option<&Version>) -> Result<(), Verdict> {
    let dialect = config.dialect();
    if let (Some((_, since)), Some(version)) = (SINCE.iter().find(|(name, _)| *name == dialect), version)
        && (version.major, version.minor) < *since
    {
        let (major, minor) = since;
        let summary = format!("drizzle-kit {version} does not know the dialect {dialect}");
        return Err(
            Verdict::nothing(Exit::Config, summary).hint(format!("update drizzle-kit to {major}.{minor} or later"))
        );
    }
    if DIALECTS.contains(&dialect) {
        return Ok(());
    }
    let summary = match &config.dialect {
        Some(dialect) => format!("drizzle's config has the dialect {dialect}, which is not supported"),
        None => "drizzle's config names no dialect".to_owned(),
    };
    Err(Verdict::nothing(Exit::Config, summary).hint(format!("set `dialect` to one of: {}", DIALECTS.join(", "))))
}

/// Looks whether drizzle-kit's push can come to its end on a server of libSQL.
///
/// # Errors
/// With the verdict, for the versions that put BEGIN and COMMIT around the statements.
pub fn commits_in_vain(dialect: Option<Dialect>, version: Option<&Version>) -> Result<(), Verdict> {
    let (first, mended) = (Version::new(0, 25, 0), Version::new(0, 30, 6));
    match version.filter(|version| (first..mended).contains(version) && dialect == Some(Dialect::Sqlite)) {
        Some(version) => {
            let summary = format!(
                "drizzle-kit {version} wraps a push with the dialect sqlite in BEGIN and COMMIT, and a libSQL server runs each \
                 statement in a separate session: the statements would run, and the push would fail after them"
            );
            Err(Verdict::nothing(Exit::Config, summary)
                .hint("write dialect: 'turso' in drizzle's config, or update drizzle-kit to 0.30.6 or later"))
        }
        None => Ok(()),
    }
}

/// Says why drizzle-kit is not let at a database by a driver that nothing holds.
pub fn not_held(unheld: &Unheld) -> Verdict {
    let Unheld { name, why, instead } = unheld;
    Verdict::nothing(Exit::Config, format!("queries that drizzle-kit sends through {name} cannot be held: {why}"))
        .hint(*instead)
}

/// Says what a config that is not of PostgreSQL over a socket connects by; nothing for one that is.
///
/// # Errors
/// With the verdict, where drizzle-kit would not be let at the database.
pub fn other(drizzle: &Drizzle) -> Result<Option<String>, Verdict> {
    let config = &drizzle.config;
    known(config, drizzle.kit.version.as_ref())?;
    let engine = engine::of(config).map_err(|unheld| not_held(&unheld))?;
    let client = config.client.as_deref().filter(|_| config.driver.is_none());
    let by = client.map(|client| format!(" by {client}")).unwrap_or_default();
    Ok(match engine {
        None | Some(engine::Engine::Postgres) => None,
        Some(_) => Some(format!("{}{by}; push, plan, generate and run -- migrate work", name(config))),
    })
}
