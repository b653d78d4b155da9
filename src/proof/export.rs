//! What the schema files make, from nothing: drizzle-kit's own generate, into an empty folder.
//!
//! Its push leaves things out that a migration has: the conditions of row level security policies (drizzle-kit 0.27 to
//! 0.31).

use std::path::Path;

use crate::cli::Shared;
use crate::command_name::CommandName;
use crate::migrations::disk;
use crate::migrations::query::queries;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::project::folder;
use crate::proof::forgotten;

/// Returns the statements that make everything the schema files say, as a run of this command has them.
///
/// # Errors
/// With the verdict, where drizzle-kit cannot tell.
#[tracing::instrument(name = "export", skip_all)]
pub fn schema_sql(
    shared: &Shared,
    command: CommandName,
    cwd: &Path,
    console: &mut Console,
) -> Result<Vec<String>, Verdict> {
    let failed =
        |error: std::io::Error| Verdict::nothing(Exit::Failed, format!("creating a folder for `generate`: {error}"));
    let empty = tempfile::tempdir().map_err(failed)?;
    let path = empty.path().canonicalize().map_err(failed)?;
    let (verdict, _) = forgotten::generate(shared, command, cwd, &path, console);
    if verdict.exit != Exit::Ok {
        return Err(verdict);
    }
    let folder = disk::read(&path).map_err(|error| folder::unusable(&error))?;
    let queries = folder.files.iter().flat_map(queries).filter(|query| !query.is_blank());
    Ok(queries.map(|query| query.text.trim().to_owned()).collect())
}
