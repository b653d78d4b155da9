//! Finds drizzle's config file.

use std::path::{Path, PathBuf};

use crate::files::{self, ReadError};

/// The config files drizzle-kit looks for, in its order, and those that need to be named to it.
const FILES: [&str; 7] = [
    "drizzle.config.ts",
    "drizzle.config.js",
    "drizzle.config.json",
    "drizzle.config.mjs",
    "drizzle.config.mts",
    "drizzle.config.cjs",
    "drizzle.config.cts",
];
/// How many of them drizzle-kit finds by itself (0.21 to 0.31, `drizzleConfigFromFile`).
const N_FOUND_BY_KIT: usize = 3;

/// Where the config file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    pub path: PathBuf,
    /// Whether drizzle-kit must be told its name.
    pub named: bool,
}

/// Why it is not known which config file is meant.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    #[error("drizzle's config file {} does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("reading drizzle's config file {}", path.display())]
    Unreadable { path: PathBuf, source: ReadError },
}

/// Finds the config file: the one named, else the first of those drizzle projects use.
/// Returns nothing where there is none; drizzle-kit's own message about it is the better one.
///
/// # Errors
/// When the one named is not there, or one that is there cannot be read: drizzle-kit might take it, or another.
pub fn find(cwd: &Path, named: Option<&Path>) -> Result<Option<ConfigFile>, ConfigFileError> {
    let is_readable = |path: &Path| {
        let unreadable = |source| ConfigFileError::Unreadable { path: path.to_owned(), source };
        files::is_readable(path).map_err(unreadable)
    };
    if let Some(named) = named {
        let path = cwd.join(named);
        let missing = || ConfigFileError::Missing { path: path.clone() };
        return if is_readable(&path)? { Ok(Some(ConfigFile { path, named: true })) } else { Err(missing()) };
    }
    for (idx, name) in FILES.iter().enumerate() {
        let path = cwd.join(name);
        if is_readable(&path)? {
            return Ok(Some(ConfigFile { path, named: idx >= N_FOUND_BY_KIT }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::with_causes;

    #[test]
    fn a_config_file_that_cannot_be_read_is_not_passed_over_for_the_next() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let found = |named: Option<&Path>| match find(folder.path(), named) {
            Ok(file) => file.map_or("none".to_owned(), |file| file.path.display().to_string()),
            Err(error) => with_causes(&error),
        };
        let here = |text: String| text.replace(&folder.path().display().to_string(), ".");
        assert_eq!(found(None), "none");
        assert_eq!(here(found(Some(Path::new("x.ts")))), "drizzle's config file ./x.ts does not exist");
        std::fs::write(path("drizzle.config.js"), "").expect("the folder is ours");
        assert_eq!(here(found(None)), "./drizzle.config.js");
        std::os::unix::fs::symlink("gone.ts", path("drizzle.config.ts")).expect("the folder is ours");
        let dangling =
            "reading drizzle's config file ./drizzle.config.ts: it is a link to gone.ts, which does not exist";
        assert_eq!(here(found(None)), dangling);
        assert_eq!(here(found(Some(Path::new("drizzle.config.ts")))), dangling);
        assert_eq!(here(found(Some(Path::new("drizzle.config.js")))), "./drizzle.config.js");
        std::fs::remove_file(path("drizzle.config.ts")).expect("the folder is ours");
        std::fs::create_dir(path("drizzle.config.ts")).expect("the folder is ours");
        assert_eq!(here(found(None)), "reading drizzle's config file ./drizzle.config.ts: it is a folder");
    }
}
