//! What `status`, `migrate`, `sync` and `check` have in common: the folder, the database, and its migrations table.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::{PlaceArgs, Shared};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::inspect::migrations_table::{self, MigrationsTable, Records};
use crate::db::inspect::reach::Relation;
use crate::db::{Dsn, limits};
use crate::kit::config::Config;
use crate::migrations::query::queries;
use crate::migrations::state::{self, Status};
use crate::migrations::{Folder, Journal};
use crate::outcome::Verdict;
use crate::output::console::Console;
use crate::output::record::Record;
use crate::output::report;
use crate::project::filters::Filters;
use crate::project::target::{self, Place};
use crate::project::{folder, unseen};
use crate::sql::effect::{Effect, Kind};
use crate::sql::{Dialect, script};

/// The folder and the database that belong together.
pub struct MigrationsContext {
    pub place: Place,
    pub folder: Folder,
    /// The migrations table.
    pub table: Relation,
    /// As the user would write it.
    pub shown_folder: String,
}

impl MigrationsContext {
    /// Finds the database and the folder, and reads the folder. Connects to nothing.
    ///
    /// # Errors
    /// With the verdict, where one of them is not there or cannot be read.
    pub fn find(
        command: CommandName,
        shared: &Shared,
        args: &PlaceArgs,
        cwd: &Path,
        console: &mut Console,
        log: &mut Record,
    ) -> Result<MigrationsContext, Verdict> {
        let place = target::find(command, shared, args.url.as_deref(), cwd, console)?;
        log.target = Some(report::Target::of_postgres(&place.dsn));
        MigrationsContext::of(place, args.migrations.as_deref(), cwd)
    }

    /// Reads the folder that belongs to a database.
    ///
    /// # Errors
    /// With the verdict, where it is not there or cannot be read.
    pub fn of(place: Place, migrations: Option<&Path>, cwd: &Path) -> Result<MigrationsContext, Verdict> {
        let path = target::migrations_folder(migrations, place.drizzle.as_ref(), cwd);
        let folder = folder::read(&path)?;
        folder.journal().map_err(|error| folder::unusable(&error))?;
        let (schema, name) = match &place.drizzle {
            Some(drizzle) => drizzle.config.migrations_table(),
            None => Config::default().migrations_table(),
        };
        let shown_folder = path.strip_prefix(cwd).unwrap_or(&path).display().to_string();
        Ok(MigrationsContext { place, folder, table: Relation { schema, name }, shown_folder })
    }

    /// Returns the way to the database.
    pub fn dsn(&self) -> &Dsn {
        &self.place.dsn
    }

    /// Returns the journal.
    pub fn journal(&self) -> &Journal {
        self.folder.journal().expect("it was looked at when the folder was read")
    }

    /// Returns the path of the file of a migration.
    pub fn file(&self, tag: &str) -> PathBuf {
        Path::new(&self.shown_folder).join(format!("{tag}.sql"))
    }

    /// Reads the migrations table.
    ///
    /// # Errors
    /// With the verdict, where the database cannot be asked.
    pub fn migrations_table(&self, clock: &Clock) -> Result<MigrationsTable, Verdict> {
        let patience = limits::MIGRATIONS.min(clock.rest());
        let mut migrations_table = migrations_table::inspect(self.dsn(), &self.table, patience)
            .map_err(|error| unseen::verdict(&error, clock))?;
        let filters = self.filters();
        let taken_in = migrations_table.tables.iter().filter(|table| !filters.leave_out(&table.schema, &table.name));
        let (common, others): (Vec<&Relation>, Vec<&Relation>) = taken_in.partition(|table| table.schema == "public");
        // Before the first migration, a schema of which none speaks is that of a service, and full from the beginning.
        let others = match migrations_table.records().is_empty() && !others.is_empty() {
            true => {
                let made = self.schemas();
                others.iter().filter(|table| made.contains(&table.schema)).count()
            }
            false => others.len(),
        };
        let own = common.len() + others;
        migrations_table.n_tables = own as u64;
        Ok(migrations_table)
    }

    /// Returns the schemas that the migrations make, or make tables in.
    fn schemas(&self) -> BTreeSet<String> {
        let queries = self.folder.files.iter().flat_map(queries);
        let statements = queries.flat_map(|query| script::read(query.text, Dialect::Postgres).statements);
        let effects = statements.flat_map(|stated| stated.reading.effects);
        let schema = |effect: Effect| match effect {
            Effect::Create { kind: Kind::Schema | Kind::Table, name, .. } => name.parts().first().cloned(),
            _ => None,
        };
        effects.filter_map(schema).collect()
    }

    /// Returns what the project's config leaves out.
    pub fn filters(&self) -> Filters<'_> {
        Filters::of(self.place.drizzle.as_ref())
    }

    /// Compares the folder with the migrations table.
    pub fn status(&self, migrations_table: &MigrationsTable) -> Status<'_> {
        state::compare(&self.folder, self.journal(), &records(migrations_table))
    }

    /// Returns what a report says of the folder and the migrations table.
    pub fn reported(&self, migrations_table: &MigrationsTable, status: &Status) -> report::Migrations {
        let entries = status.migrations.iter().map(|migration| report::Migration {
            tag: migration.entry.tag.clone(),
            when: migration.entry.when,
            state: migration.state.word().to_owned(),
            note: migration.state.why().map(str::to_owned),
            applied_now: false,
        });
        let unknown = status.unknown.iter().map(|row| {
            let migrations_table::Record { id, hash, created_at, name } = migrations_table.records()[*row].clone();
            report::HistoryRow { id, hash, created_at, name }
        });
        report::Migrations {
            folder: self.shown_folder.clone(),
            table: format!("{}.{}", self.table.schema, self.table.name),
            table_exists: migrations_table.records != Records::Absent,
            entries: entries.collect(),
            unknown: unknown.collect(),
            differences: None,
            writes: Vec::new(),
        }
    }
}

/// Returns the rows of a migrations table as they are compared.
pub fn records(migrations_table: &MigrationsTable) -> Vec<state::Record> {
    let record =
        |record: &migrations_table::Record| state::Record { hash: record.hash.clone(), created_at: record.created_at };
    migrations_table.records().iter().map(record).collect()
}

/// Says in a sentence that a database has tables and no recorded migrations.
pub fn unrecorded(migrations_table: &MigrationsTable) -> Option<String> {
    let n = migrations_table.n_tables;
    let tables = if n == 1 { "table" } else { "tables" };
    migrations_table
        .is_unrecorded()
        .then(|| format!("the database has {n} {tables} and no recorded migrations: perhaps a push built it; drizzle-pilot sync --dry-run shows whether they can be marked as applied"))
}
