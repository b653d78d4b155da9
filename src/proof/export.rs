//! What the schema files make, from nothing: drizzle-kit's own generate, into an empty folder; from 1.0 on its export.
//!
//! Its push leaves things out that a migration has: the conditions of row level security policies (drizzle-kit 0.27 to
//! 0.31). A migration leaves out an operator class that a push has: of those that are not pgvector's (drizzle-kit 0.24.1 to
//! 0.27.2, `squashIdx`). What such a migration makes of the index is not what the schema files say, and is left out.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::Path;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::Dsn;
use crate::db::change::scratch::{Built, ScratchError};
use crate::db::inspect::lines::Line;
use crate::kit::hints::takes_hints;
use crate::migrations::query::queries;
use crate::migrations::snapshot::SnapshotContent;
use crate::migrations::{Folder, disk};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::policy::Policy;
use crate::project::{folder, kit, unseen};
use crate::proof::forgotten;
use crate::proof::scratch::{self, NotMade, Origin, Settings, Wanted};
use crate::run::SchemaFiles;
use crate::sql::{self, ObjectName, Subject};

/// What the schema files make, as runs of a command find it out.
///
/// drizzle-kit is asked once, and the schema built once: the schema files are the same for a whole command, and so is the
/// server.
pub struct Export<'a> {
    shared: &'a Shared,
    command: CommandName,
    generated: OnceCell<Generated>,
    schema: OnceCell<Vec<String>>,
}

/// What drizzle-kit generated.
#[derive(Debug, Clone)]
struct Generated {
    statements: Vec<String>,
    /// The indexes that the statements create without an operator class that the schema files have.
    half_written: BTreeSet<ObjectName>,
}

impl<'a> Export<'a> {
    /// Returns what runs drizzle-kit as a step of a command.
    pub fn new(shared: &'a Shared, command: CommandName) -> Export<'a> {
        Export { shared, command, generated: OnceCell::new(), schema: OnceCell::new() }
    }
}

impl Export<'_> {
    #[tracing::instrument(name = "export", skip_all)]
    fn generated(&self, cwd: &Path, console: &mut Console) -> Result<&Generated, Verdict> {
        if let Some(generated) = self.generated.get() {
            return Ok(generated);
        }
        if takes_hints(kit::locate(self.shared, cwd)?.version.as_ref()) {
            let (verdict, record) = forgotten::export(self.shared, self.command, console);
            return match verdict.exit {
                Exit::Ok => {
                    let generated = Generated { statements: record.exported, half_written: BTreeSet::new() };
                    Ok(self.generated.get_or_init(|| generated))
                }
                _ => Err(verdict),
            };
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
        let half_written = half_written(&folder, &statements);
        Ok(self.generated.get_or_init(|| Generated { statements, half_written }))
    }
}

impl SchemaFiles for Export<'_> {
    fn statements(&self, cwd: &Path, console: &mut Console) -> Result<Vec<String>, Verdict> {
        self.generated(cwd, console).map(|generated| generated.statements.clone())
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
        let Generated { statements, half_written } = self.generated(cwd, console)?;
        let wanted = Wanted {
            dsn,
            statements,
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
        let is_made = |line: &String| {
            let line = Line::read(line);
            let is_given = line.schema().is_some_and(|schema| given.contains(schema));
            let is_half = line.kind == "index" && half_written.contains(&ObjectName::new(line.parts));
            !is_given && !is_half
        };
        Ok(self.schema.get_or_init(|| lines.into_iter().filter(is_made).collect()).clone())
    }
}

/// Returns the indexes that statements create without an operator class that the snapshot beside them has.
fn half_written(folder: &Folder, statements: &[String]) -> BTreeSet<ObjectName> {
    let details = folder.snapshots.iter().filter_map(|snapshot| match &snapshot.content {
        SnapshotContent::Read { details, .. } => Some(details),
        SnapshotContent::Conflicted { .. } | SnapshotContent::Broken { .. } => None,
    });
    let classes = details.flat_map(|details| details.operator_classes());
    let creates = |sql: &str, index: &ObjectName| {
        let is_index = |subject: &Subject| matches!(subject, Subject::Index(name) if name == index);
        sql::subjects(sql).is_some_and(|subjects| subjects.iter().any(is_index))
    };
    let is_half_written = |(index, classes): &(ObjectName, Vec<String>)| {
        let mut own = statements.iter().filter(|sql| creates(sql, index));
        own.any(|sql| classes.iter().any(|class| !sql.contains(class.as_str())))
    };
    classes.filter(is_half_written).map(|(index, _)| index.clipped()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_without_its_operator_class_is_half_written() {
        let snapshot = r#"{"id":"a","prevId":"b","tables":{"public.t":{"name":"t","schema":"","indexes":{
            "i":{"name":"i","columns":[{"expression":"a","isExpression":false,"opclass":"text_pattern_ops"}]},
            "j":{"name":"j","columns":[{"expression":"a","isExpression":false}]}}}}}"#;
        let contents = [("meta/0000_snapshot.json".to_owned(), snapshot.as_bytes().to_vec())];
        let folder = Folder::of(Path::new("drizzle"), contents.into(), Vec::new()).expect("the folder can be read");
        let found = |sql: &str| {
            let statements = ["CREATE INDEX \"j\" ON \"t\" USING btree (\"a\");", sql].map(str::to_owned);
            half_written(&folder, &statements).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found("CREATE INDEX IF NOT EXISTS \"i\" ON \"t\" USING btree (\"a\");"), ["public.i"]);
        assert_eq!(found("CREATE INDEX IF NOT EXISTS \"i\" ON \"t\" USING btree (\"a\" text_pattern_ops);"), [""; 0]);
    }
}
