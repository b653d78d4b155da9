//! What a run begins with, and what is known once drizzle's config was read and the run may go on.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use tempfile::TempDir;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::db::inspect::fingerprint::Fingerprint;
use crate::db::inspect::reach::Relation;
use crate::db::{AdvisoryLock, ConnectError, Connection, Dsn, Server, limits};
use crate::kit::config::{Config, OneOrMany, Overlay};
use crate::kit::engine::Engine;
use crate::kit::hints::takes_hints;
use crate::kit::listing::Unlisted;
use crate::outcome::Verdict;
use crate::output::console::Console;
use crate::policy::model::Apply;
use crate::policy::{Policies, Policy, Scope, TablesByName};
use crate::project::unseen;
use crate::run::gate::sqlite::{Knows, Switch};
use crate::run::plan_file::PlanFile;
use crate::run::record::Answers;
use crate::run::spec::{Locking, RunSpec};
use crate::run::transaction::Transaction;
use crate::sql::{self, Dialect};

/// What our sessions call themselves that are not ended with a run.
pub(super) const OURSELVES: &str = "drizzle-pilot";

/// What the schema files of a project's folder make, by other runs of drizzle-kit.
pub trait SchemaFiles {
    /// Returns the statements that make everything the schema files say.
    ///
    /// # Errors
    /// With the verdict, where drizzle-kit cannot tell.
    fn statements(&self, cwd: &Path, console: &mut Console) -> Result<Vec<String>, Verdict>;

    /// Returns the lines of the schema that these statements make, in a database of its own.
    ///
    /// # Errors
    /// With the verdict, where it cannot be made.
    fn schema(
        &self,
        cwd: &Path,
        dsn: &Dsn,
        policy: &Policy,
        clock: &Clock,
        console: &mut Console,
    ) -> Result<Vec<String>, Verdict>;
}

/// What whoever starts a run lends to it.
#[derive(Clone, Copy)]
pub struct Lent<'a> {
    /// None for a run that shows no statements of its own.
    pub schema_files: Option<&'a dyn SchemaFiles>,
    /// The plan to hold the run to, where it has one.
    pub plan: Option<&'a PlanFile>,
    /// The lock, where it is held for the run.
    pub lock: Option<&'a AdvisoryLock>,
}

impl<'a> Lent<'a> {
    /// Lends what says what the schema files make, and nothing else.
    pub fn schema_files(schema_files: &'a dyn SchemaFiles) -> Lent<'a> {
        Lent { schema_files: Some(schema_files), plan: None, lock: None }
    }

    /// Lends nothing.
    pub fn nothing() -> Lent<'a> {
        Lent { schema_files: None, plan: None, lock: None }
    }
}

/// What is known before drizzle-kit starts.
pub(super) struct Starting<'a> {
    pub spec: &'a RunSpec<'a>,
    pub shared: &'a Shared,
    /// The project's folder, to which the paths of certificates are relative.
    pub cwd: &'a Path,
    pub policies: &'a Policies,
    /// The policy that applies, where no host can change that.
    pub policy: Option<Policy>,
    /// What the policy file's digest is; part of a plan.
    pub policy_digest: Option<String>,
    pub kit_version: Option<Version>,
    pub lent: &'a Lent<'a>,
    pub clock: Clock,
    /// Marks our sessions and drizzle-kit's in the server.
    pub run_id: String,
}

impl Starting<'_> {
    /// Tells whether drizzle-kit is told by hints what it would ask: then it is never let execute.
    pub(super) fn takes_hints(&self) -> bool {
        takes_hints(self.kit_version.as_ref())
    }

    /// Returns who executes the statements.
    pub(super) fn apply_by(&self, policy: &Policy) -> Apply {
        if self.takes_hints() { Apply::Transaction } else { self.spec.apply_by(policy) }
    }

    /// Returns how long one look at the database may take.
    pub(super) fn patience(&self) -> Duration {
        limits::LOOK.min(self.clock.rest())
    }

    /// Returns the verdict for a look of ours that saw nothing.
    pub(super) fn unseen(&self, error: &ConnectError) -> Verdict {
        unseen::verdict(error, &self.clock)
    }

    /// Returns a database by which the sessions of this run can be found; nothing for a URL that names its application, which
    /// hides the run's name: others may use the same, and are not ours to end.
    pub(super) fn of_this_run<'d>(&self, cleared: &'d Cleared) -> Option<&'d Dsn> {
        cleared.place.dsn.as_ref().filter(|dsn| dsn.application_name() == Some(&self.run_id))
    }
}

/// What is known once drizzle's config was read, and drizzle-kit may go on to its database.
pub(super) struct Cleared {
    pub policy: Policy,
    /// Who executes the statements.
    pub apply: Apply,
    pub place: Place,
    pub files: Files,
    pub looks: Looks,
    pub sessions: Sessions,
    /// What drizzle-kit does not get to see.
    pub unlisted: Unlisted,
    /// The tables in which drizzle's migrators keep their records, which no statement may touch.
    pub kept: Vec<Relation>,
    /// The schema of the database before drizzle-kit looked at it, where that matters.
    pub seen: Option<Fingerprint>,
    /// What drizzle-kit gets otherwise than its config says.
    pub overlay: Overlay,
    /// What is to be run in one transaction, once that is approved.
    pub transaction: Option<Box<Transaction>>,
}

/// Where drizzle-kit will connect.
#[derive(Debug)]
pub(super) struct Place {
    /// None where nobody can read its statements.
    pub dialect: Option<Dialect>,
    /// As drizzle's config calls it.
    pub dialect_name: String,
    pub engine: Option<Engine>,
    /// The driver by its name in the config, or the package.
    pub driver: Option<String>,
    /// None where it is no server of PostgreSQL.
    pub dsn: Option<Dsn>,
}

/// What drizzle's config says of the project's files.
#[derive(Debug)]
pub(super) struct Files {
    /// The schemas that drizzle-kit compares.
    pub schemas: Vec<String>,
    /// Which tables drizzle-kit compares, where the config says so.
    pub tables_filter: Option<OneOrMany>,
    /// The schema files.
    pub schema: Option<OneOrMany>,
    /// SHA-256 of the schema files.
    pub digest: String,
    /// The migrations folder.
    pub out: PathBuf,
    /// The migrations table, without its schema.
    pub migrations_table: String,
    /// The version of drizzle-orm.
    pub orm: Option<Version>,
    /// The schema files, and what they import, as drizzle-kit has loaded them.
    pub loaded: BTreeSet<PathBuf>,
}

impl Files {
    /// Reads what drizzle's config says.
    pub(super) fn of(config: &Config, cwd: &Path, digest: String) -> Files {
        let (_, migrations_table) = config.migrations_table();
        Files {
            schemas: config.schemas(),
            tables_filter: config.tables_filter.clone(),
            schema: config.schema.clone(),
            digest,
            out: cwd.join(config.out()),
            migrations_table,
            orm: config.orm.as_deref().and_then(|version| version.parse().ok()),
            loaded: BTreeSet::new(),
        }
    }
}

/// By what we look at the database ourselves.
#[derive(Default)]
pub(super) struct Looks {
    /// The lock that this run has taken.
    pub lock: Option<AdvisoryLock>,
    /// Where no lock is held, another connection.
    pub connection: Option<Connection>,
    /// The tables, as the first question of this run found them: drizzle-kit reads its own picture once as well.
    pub tables: TablesByName,
}

/// What the sessions of drizzle-kit are.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// Whether drizzle-kit works on a database, so that a session of it must be seen.
    pub are_expected: bool,
    /// What a session of PostgreSQL is in, our own or drizzle-kit's.
    pub server: Option<Server>,
    /// What the server is, where it is one of MySQL or its kin.
    pub mysql: Option<sql::mysql::Server>,
    /// What the database has, where it is one of SQLite and its session said so.
    pub catalog: Option<sql::sqlite::Catalog>,
    /// The folder of the socket by which we look into a database within node.
    pub bridge: Option<TempDir>,
}

impl Cleared {
    /// Returns the lock under which this run works, whoever took it.
    pub(super) fn lock<'l>(&'l self, start: &Starting<'l>) -> Option<&'l AdvisoryLock> {
        match start.spec.lock {
            Locking::Held => start.lent.lock,
            Locking::Take { .. } => self.looks.lock.as_ref(),
            Locking::None => None,
        }
    }

    /// Tells whether the lock under which this run works was lost.
    pub(super) fn has_lost_lock(&self, start: &Starting) -> bool {
        self.lock(start).is_some_and(|advisory_lock| !advisory_lock.lives())
    }

    /// Returns the connection to look at the database with, where there is one that we can connect to: that of the lock, or
    /// another.
    pub(super) fn connection<'l>(&'l self, start: &Starting<'l>) -> Option<&'l Connection> {
        self.lock(start).map(AdvisoryLock::connection).or(self.looks.connection.as_ref())
    }

    /// Returns what names mean in this run.
    pub(super) fn scope<'s>(&'s self, spec: &RunSpec, answers: &'s Answers) -> Scope<'s> {
        Scope {
            schemas: &self.files.schemas,
            tables: &self.looks.tables,
            renamed: &answers.renamed,
            accept_data_loss: spec.accept_data_loss,
        }
    }

    /// Returns what is known of a database of SQLite; nothing for another one.
    pub(super) fn knows(&self, spec: &RunSpec, kit_version: Option<&Version>) -> Option<Knows<'_>> {
        let dialect = self.place.dialect?;
        let is_since = |first: (u64, u64, u64)| {
            kit_version.is_some_and(|version| (version.major, version.minor, version.patch) >= first)
        };
        let migrates = spec.kit_command() == "migrate";
        let by = self.place.driver.as_deref().unwrap_or_default();
        let is_migrated_without = self.files.orm.as_ref().is_some_and(|orm| *orm >= Version::new(0, 36, 4));
        let switch = match (dialect, self.place.engine) {
            (Dialect::Postgres | Dialect::MySql | Dialect::SingleStore, _) => return None,
            (_, Some(Engine::SqliteFile)) if migrates && by == "@libsql/client" && is_migrated_without => Switch::Off,
            (_, Some(Engine::SqliteFile)) if migrates => {
                Switch::Ineffective("the migrations run in one transaction, in which it has no effect")
            }
            (Dialect::Turso, Some(Engine::SqliteFile)) => Switch::Off,
            (Dialect::Sqlite, Some(Engine::SqliteFile)) if is_since((0, 30, 6)) => Switch::Works,
            (Dialect::Sqlite, Some(Engine::SqliteFile)) => Switch::Ineffective(
                "drizzle-kit before 0.30.6 executes the statements in a transaction, in which it has no effect",
            ),
            (_, Some(Engine::D1)) => {
                Switch::Ineffective("D1 executes every statement in a transaction, in which it has no effect")
            }
            (Dialect::Sqlite | Dialect::Turso, _) => {
                Switch::Ineffective("a server of libSQL executes every statement in a session of its own")
            }
        };
        Some(Knows { catalog: self.sessions.catalog.as_ref(), switch })
    }
}
