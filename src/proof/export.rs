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
use crate::db::change::scratch::{Built, ScratchError};
use crate::db::inspect::lines::Line;
use crate::migrations::disk;
use crate::migrations::query::queries;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::policy::Policy;
use crate::project::{folder, unseen};
use crate::proof::forgotten;
use crate::proof::scratch::{self, NotMade, Origin, Settings, Wanted};
use crate::run::SchemaFiles;

/// What the schema files make, as runs of a command find it out.
///
/// drizzle-kit is asked once, and the schema built once: the schema files are the same for a whole command, and so is the
/// server.
pub struct Export<'a> {
    shared: &'a Shared,
    command: CommandName,
    statements: OnceCell<Vec<String>>,
    schema: OnceCell<Vec<String>>,
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

    fn schema(
        &self,
        cwd: &Path,
        dsn: &Dsn,
        policy: &Policy,
        clock: &Clock,
        console: &mut Console,
    ) -> Result<Vec<String>, Verdict> {
        if let Some(schema) = self.schema.get() {
            return Ok(schema.clone());
        }
        let statements = self.statements(cwd, console)?;
        let wanted = Wanted {
            dsn,
            statements: &statements,
            files: &[statements.len()],
            migrations_table: None,
            origin: Origin::Generated,
            settings: &Settings::of(self.shared, policy, cwd),
        };
        let made = scratch::make(&wanted, clock.rest(), &mut |text| console.warn(&text));
        let Built { lines, given } = made.map_err(|error| match error {
            NotMade::Leaves { leaves, .. } => Verdict::nothing(Exit::Refused, leaves.why),
            NotMade::Unfit { why, advice } => Verdict::nothing(Exit::Failed, why).hint(advice),
            NotMade::Failed(ScratchError::Unready(error)) => unseen::verdict(&error, clock),
            NotMade::Failed(error) => Verdict::nothing(Exit::Failed, error.to_string()),
        })?;
        // What was given to the statements is not made by them.
        let is_made = |line: &String| Line::read(line).schema().is_none_or(|schema| !given.contains(schema));
        Ok(self.schema.get_or_init(|| lines.into_iter().filter(is_made).collect()).clone())
    }
}
