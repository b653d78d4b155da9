//! The project's folder.

use std::path::PathBuf;

use crate::cli::Shared;
use crate::outcome::{Exit, Verdict};

/// Returns the project's folder as an absolute path.
///
/// # Errors
/// With the verdict, where there is none.
#[tracing::instrument(name = "find_project", skip_all)]
pub fn find(shared: &Shared) -> Result<PathBuf, Verdict> {
    let cwd = shared.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = cwd
        .canonicalize()
        .map_err(|error| Verdict::nothing(Exit::Usage, format!("the project's folder {}: {error}", cwd.display())))?;
    if found.is_dir() {
        return Ok(found);
    }
    Err(Verdict::nothing(Exit::Usage, format!("{} is not a folder", cwd.display())))
}
