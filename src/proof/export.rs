//! What the schema files make, from nothing: drizzle-kit's own generate, into an empty folder.
//!
//! Its push leaves things out that a migration has: the conditions of row level security policies (drizzle-kit 0.27 to
//! 0.31).

use std::path::Path;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::Dsn;
use crate::db::change::scratch::ScratchError;
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
pub struct Export<'a> {
    pub shared: &'a Shared,
    pub command: CommandName,
}

impl SchemaFiles for Export<'_> {
    #[tracing::instrument(name = "export", skip_all)]
    fn statements(&self, cwd: &Path, console: &mut Console) -> Result<Vec<String>, Verdict> {
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
        Ok(queries.map(|query| query.text.trim().to_owned()).collect())
    }

    fn schema(
        &self,
        cwd: &Path,
        dsn: &Dsn,
        policy: &Policy,
        clock: &Clock,
        console: &mut Console,
    ) -> Result<Vec<String>, Verdict> {
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
        made.map(|built| built.lines).map_err(|error| match error {
            NotMade::Leaves { leaves, .. } => Verdict::nothing(Exit::Refused, leaves.why),
            NotMade::Unfit { why, advice } => Verdict::nothing(Exit::Failed, why).hint(advice),
            NotMade::Failed(ScratchError::Unready(error)) => unseen::verdict(&error, clock),
            NotMade::Failed(error) => Verdict::nothing(Exit::Failed, error.to_string()),
        })
    }
}
