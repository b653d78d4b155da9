//! Whose a table is: this project's, by its schema files and migrations, or perhaps somebody else's.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::kit::config::OneOrMany;
use crate::kit::schema_files;
use crate::migrations::{disk, tables};
use crate::policy::ObjectName;
use crate::sql::Dialect;

/// What a project says of tables. It is read when it is first asked for: many migrations take a while.
#[derive(Debug)]
pub struct Owners {
    project: Option<Project>,
    /// The tables that the migrations speak of; none where there are no migrations to tell.
    known: OnceCell<Option<BTreeSet<ObjectName>>>,
}

/// Where a project's tables stand.
#[derive(Debug)]
struct Project {
    /// The migrations folder.
    out: PathBuf,
    dialect: Dialect,
    cwd: PathBuf,
    /// The schema files.
    schema: Option<OneOrMany>,
}

impl Owners {
    /// Makes what knows of no project, and says nothing of any table.
    pub fn unknown() -> Owners {
        Owners { project: None, known: OnceCell::new() }
    }

    /// Makes what knows a project by its migrations folder and its schema files.
    pub fn of(out: &Path, dialect: Option<Dialect>, cwd: &Path, schema: Option<&OneOrMany>) -> Owners {
        let project = dialect.map(|dialect| Project {
            out: out.to_owned(),
            dialect,
            cwd: cwd.to_owned(),
            schema: schema.cloned(),
        });
        Owners { project, known: OnceCell::new() }
    }

    /// Tells whether the schema files may have a table.
    pub fn have_in_schema(&self, table: &ObjectName) -> bool {
        let mentions = |project: &Project| schema_files::mention(&project.cwd, project.schema.as_ref(), table.last());
        self.project.as_ref().is_none_or(mentions)
    }

    /// Says whose a table is, where that is worth a word: this project's migrations never spoke of it.
    pub fn whose(&self, table: &ObjectName) -> Option<String> {
        let project = self.project.as_ref()?;
        let read = || Some(tables::known(&disk::read(&project.out).ok()?, project.dialect));
        match self.known.get_or_init(read) {
            Some(known) if known.contains(table) => None,
            Some(_) => Some(
                "foreign: it is not in the schema files, the last snapshot or the migrations of this project"
                    .to_owned(),
            ),
            None => Some(
                "perhaps foreign: it is not in the schema files, and there are no migrations to compare".to_owned(),
            ),
        }
    }
}
