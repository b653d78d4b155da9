//! What of a project drizzle-kit 1.0 cannot use that earlier versions could, told before it is started: it would end without a
//! word, or read something else.

use std::path::Path;

use semver::Version;

use crate::kit::command::{self, Kit};
use crate::kit::config::Config;
use crate::kit::config_file::ConfigFile;
use crate::outcome::{Exit, Verdict};

/// Refuses a config and a drizzle-orm that drizzle-kit 1.0 cannot load (1.0.0-rc.5: an import without a type, and
/// `ERR_PACKAGE_PATH_NOT_EXPORTED` before its first line).
///
/// # Errors
/// With the verdict, where it is one of these.
pub fn refuse(kit: &Kit, cwd: &Path, config: Option<&ConfigFile>) -> Result<(), Verdict> {
    if let Some(file) = config.filter(|file| file.path.extension().is_some_and(|extension| extension == "json")) {
        let summary = format!("drizzle-kit 1.0 cannot load {}: it imports it as a module", file.path.display());
        return Err(Verdict::nothing(Exit::Config, summary)
            .hint("rename it to drizzle.config.ts, with `export default` before the value"));
    }
    if let Some(orm) = orm(&kit.path, cwd).filter(|orm| orm.major == 0) {
        let summary = format!("drizzle-kit 1.0 needs drizzle-orm 1.0, and the project has drizzle-orm {orm}");
        return Err(
            Verdict::nothing(Exit::CannotRun, summary).hint("upgrade both together, or keep drizzle-kit below 1.0")
        );
    }
    Ok(())
}

/// Says what in a config drizzle-kit 1.0 ignores although it changes what a push does.
pub fn ignored(config: &Config) -> Option<String> {
    let casing = config.casing.as_ref()?;
    Some(format!(
        "drizzle-kit 1.0 ignores casing ({casing:?}) in drizzle's config, so columns may look renamed; the schema files say it now: \
         snakeCase.table(…), camelCase.table(…)"
    ))
}

/// Returns the version of the drizzle-orm that drizzle-kit finds.
fn orm(kit: &Path, cwd: &Path) -> Option<Version> {
    let kit = kit.canonicalize().unwrap_or_else(|_| kit.to_owned());
    [&kit, cwd].into_iter().find_map(|folder| command::version_of(folder, "drizzle-orm"))
}
