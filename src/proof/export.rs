//! What the schema files make, from nothing: drizzle-kit's own generate, into an empty folder.
//!
//! Its push leaves things out that a migration has: the conditions of row level security policies (drizzle-kit 0.27 to
//! 0.31).

use std::cell::OnceCell;
use std::path::Path;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::Dsn;
use crate::db::change::scratch::{self, Blueprint, ScratchError};
use crate::db::inspect::fingerprint::Fingerprint;
use crate::migrations::disk;
use crate::migrations::query::queries;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::project::{folder, unseen};
use crate::proof::confine::confined;
use crate::proof::forgotten;
use crate::run::SchemaFiles;

/// What the schema files make, as runs of a command find it out.
///
/// drizzle-kit is asked once, and the schema built once: the schema files are the same for a whole command, and so is the
/// server.
pub struct Export<'a> {
    shared: &'a Shared,
    command: CommandName,
    statements: OnceCell<Vec<String>>,
    schema: OnceCell<Fingerprint>,
}

impl<'a> Export<'a> {
    /// Returns what runs drizzle-kit as a step of a command.
    pub fn new(shared: &'a Shared, command: CommandName) -> Export<'a> {
        Export { shared, command, statements: OnceCell::new(), schema: OnceCell::new() }
    }
}

impl SchemaFiles for Export<'_> {
    #[tracing::instrument(name = "export", skip_all)]
    fn statements(&self, cwd: &Path, console: &mut Console) -> Result<Vec<String>, Verdict> {
        if let Some(statements) = self.statements.get() {
            return Ok(statements.clone());
        }
        let failed = |error: std::io::Error| {
            Verdict::nothing(Exit::Failed, format!("creating a folder for `generate`: {error}"))
        };
        let empty = tempfile::tempdir().map_err(failed)?;
        let path = empty.path().canonicalize().map_err(failed)?;
        let (verdict, _) = forgotten::generate(self.shared, self.command, cwd, &path, console);
        if verdict.exit != Exit::Ok {
            return Err(verdict);
        }
        let folder = disk::read(&path).map_err(|error| folder::unusable(&error))?;
        let queries = folder.files.iter().flat_map(queries).filter(|query| !query.is_blank());
        let statements: Vec<String> = queries.map(|query| query.text.trim().to_owned()).collect();
        Ok(self.statements.get_or_init(|| statements).clone())
    }

    fn schema(&self, cwd: &Path, dsn: &Dsn, clock: &Clock, console: &mut Console) -> Result<Fingerprint, Verdict> {
        if let Some(schema) = self.schema.get() {
            return Ok(schema.clone());
        }
        let statements = self.statements(cwd, console)?;
        let (made, leaves) = confined(&statements, |confine| {
            scratch::build(dsn, &Blueprint { confine, migrations_table: None }, clock.rest(), &mut |left| {
                console.warn(&left.to_string());
            })
        });
        let made = made.map_err(|error| match (leaves, error) {
            (Some(leaves), _) => Verdict::nothing(Exit::Refused, leaves.why),
            (None, ScratchError::Unready(error)) => unseen::verdict(&error, clock),
            (None, error) => Verdict::nothing(Exit::Failed, error.to_string()),
        })?;
        Ok(self.schema.get_or_init(|| made).clone())
    }
}
