//! Our own look at a PostgreSQL database before drizzle-kit's: may it be used, by this login and in this session; what
//! drizzle-kit must not see; and the lock.

use std::path::Path;
use std::time::Instant;

use crate::db::change::advisory_lock::AdvisoryLock;
use crate::db::connection::connect::{CLIENT_CHECK, READ_ONLY};
use crate::db::connection::preflight;
use crate::db::inspect::foreign::{self, Foreign, Owner};
use crate::db::inspect::names::{self, UnsafeName};
use crate::db::inspect::reach::Relation;
use crate::db::{ConnectError, Connection, Dsn, Server};
use crate::kit::config::{Config, Overlay};
use crate::kit::listing::Unlisted;
use crate::kit::schema_files;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::policy::model::Apply;
use crate::project::config;
use crate::run::context::Starting;
use crate::run::lock;
use crate::run::record::RunRecord;
use crate::run::spec::{Asks, Locking, Touches};
use crate::sql;

/// The variables by which node-pg names a session and sets its start-up options.
pub(super) const APPLICATION_NAME: &str = "PGAPPNAME";
const OPTIONS: &str = "PGOPTIONS";

/// The first server that has a constraint for every NOT NULL.
const NOT_NULLS: u32 = 180_000;

/// What the look has found, and what drizzle-kit gets for it.
#[derive(Debug, Default)]
pub(super) struct Inspected {
    /// Added to drizzle-kit's environment.
    pub env: Vec<(&'static str, String)>,
    /// None where our own look failed in a way in which drizzle-kit's may not.
    pub server: Option<Server>,
    pub lock: Option<AdvisoryLock>,
    pub unlisted: Unlisted,
    /// The tables in which drizzle's migrators keep their records.
    pub kept: Vec<Relation>,
}

/// A database, and drizzle's config for it.
pub(super) struct Preflight<'a> {
    pub start: &'a Starting<'a>,
    pub config: &'a Config,
    pub dsn: &'a Dsn,
    /// The schemas that drizzle-kit compares.
    pub schemas: &'a [String],
    pub apply: Apply,
}

impl Preflight<'_> {
    /// Looks at the database, takes the lock where this run is to have it, and puts into the overlay what drizzle-kit gets
    /// otherwise than its config says.
    ///
    /// # Errors
    /// With the verdict, where the database cannot or may not be used.
    #[tracing::instrument(name = "preflight", skip_all)]
    pub(super) fn look(
        &self,
        overlay: &mut Overlay,
        record: &mut RunRecord,
        console: &mut Console,
    ) -> Result<Inspected, Verdict> {
        let Preflight { start, dsn, .. } = self;
        let started = Instant::now();
        let connection = match start.spec.lock {
            Locking::Take { .. } => lock::connection(dsn, &start.run_id, CLIENT_CHECK, &start.clock)?,
            Locking::Held | Locking::None => Connection::to(dsn, &format!("{} preflight", start.run_id), CLIENT_CHECK)
                .map_err(|error| start.unseen(&error))?,
        };
        let looked = preflight::preflight(&connection, start.patience());
        record.report.timings.preflight_ms = Some(started.elapsed().as_secs_f64() * 1e3);
        let env = vec![(APPLICATION_NAME, start.run_id.clone())];
        let server = match looked {
            Ok(server) => server,
            // Node may trust what we cannot check, and the other way round. drizzle-kit will say itself.
            Err(error @ (ConnectError::Tls { .. } | ConnectError::Other { .. } | ConnectError::NotPostgres { .. })) => {
                console.warn_in(record.report, &format!("drizzle-pilot could not inspect the database: {error}"));
                return Ok(Inspected { env, ..Inspected::default() });
            }
            Err(error) => return Err(start.unseen(&error)),
        };
        self.refuse_unsafe_names(&connection)?;
        let (unlisted, kept) = self.hide_foreign(&connection, &server, overlay)?;
        self.refuse_blindness(&connection)?;
        let lock = match start.spec.lock {
            Locking::Take { wait, .. } => Some(lock::take(connection, wait, &start.clock, console)?),
            Locking::Held | Locking::None => None,
        };
        // In a transaction of ours the statements are run later, and not by drizzle-kit.
        let reads = start.spec.touches == Touches::Reads || self.apply == Apply::Transaction;
        let options = self.start_up(&server, reads, overlay)?;
        if server.read_only && start.spec.touches == Touches::Database {
            console.warn_in(
                record.report,
                &format!("{} is read-only; statements will fail there", dsn.address().server()),
            );
        }
        let env = env.into_iter().chain(options).collect();
        Ok(Inspected { env, server: Some(server), lock, unlisted, kept })
    }

    /// Has drizzle-kit's sessions begin with the start-up options that the server takes: a statement ends with its client,
    /// settings mean what they usually do, and where nothing is to be written every write is refused.
    fn start_up(
        &self,
        server: &Server,
        reads: bool,
        overlay: &mut Overlay,
    ) -> Result<Option<(&'static str, String)>, Verdict> {
        let Preflight { start, config, dsn, .. } = self;
        // PostgreSQL 13 does not know the one option, and a pooler may take the one and not the other.
        let checked = if server.checks_clients { CLIENT_CHECK } else { "" };
        let corrected = format!("{checked} {}", server.corrections());
        let corrected = corrected.trim();
        let reading = format!("{corrected} {READ_ONLY}").trim_start().to_owned();
        // Whether the rest is in force, drizzle-kit's own session tells.
        let looked = reads.then(|| preflight::keeps_from_writing(dsn, &start.run_id, &reading, start.patience()));
        let is_kept = looked.transpose().map_err(|error| start.unseen(&error))?.unwrap_or_default();
        let options = if is_kept { &reading } else { corrected };
        self.send(options, overlay);
        let own = config::variable_of(config, OPTIONS).unwrap_or_default();
        Ok((!options.is_empty()).then(|| (OPTIONS, format!("{own} {options}").trim_start().to_owned())))
    }

    /// Puts start-up options into the URL that drizzle-kit gets, whose driver may read none from elsewhere: `pg` does not
    /// where the URL has some of its own, and the others never do.
    fn send(&self, options: &str, overlay: &mut Overlay) {
        if options.is_empty() {
            return;
        }
        let config = self.config;
        let own = self.dsn.options().unwrap_or_default();
        let all = format!("{own} {options}").trim_start().to_owned();
        let driver = config::driver(config, self.start.kit_version.as_ref());
        overlay.credentials.extend(Dsn::with_options(driver, config.dialect(), &config.db_credentials, &all));
    }

    /// Refuses to let drizzle-kit read names that end the quotes that it puts around them.
    fn refuse_unsafe_names(&self, connection: &Connection) -> Result<(), Verdict> {
        let start = self.start;
        if !start.spec.reads_catalog() {
            return Ok(());
        }
        let functions = &sql::read_only::FUNCTIONS;
        let found = names::unsafe_names(connection, self.schemas, functions, start.patience());
        match found.map_err(|error| start.unseen(&error))?.as_slice() {
            [] => Ok(()),
            names => Err(unsafe_name(names)),
        }
    }

    /// Refuses a login that drizzle-kit sees too little by: it reads constraints from `information_schema`, which shows them
    /// to owners, and takes those that it does not see for missing.
    fn refuse_blindness(&self, connection: &Connection) -> Result<(), Verdict> {
        let start = self.start;
        if start.spec.asks != Asks::BeforeExecuting {
            return Ok(());
        }
        let unseen = names::unseen_constraints(connection, self.schemas, start.patience());
        let unseen = unseen.map_err(|error| start.unseen(&error))?;
        let [(table, owner), others @ ..] = unseen.as_slice() else { return Ok(()) };
        let more = if others.is_empty() { String::new() } else { format!(" and of {} more", others.len()) };
        let summary = format!(
            "drizzle-kit cannot see the constraints of {table}{more} with this login, and would treat them as missing"
        );
        Err(Verdict::nothing(Exit::Config, summary)
            .hint(format!("log in as the owner, {owner}; plan writes nothing, whatever the login")))
    }

    /// Keeps from drizzle-kit's sight what is none of the project's own: it would ask whether a new table is one of these
    /// renamed, and drop them. What the schema files have is left alone.
    fn hide_foreign(
        &self,
        connection: &Connection,
        server: &Server,
        overlay: &mut Overlay,
    ) -> Result<(Unlisted, Vec<Relation>), Verdict> {
        let Preflight { start, config, schemas, .. } = self;
        if start.spec.asks != Asks::BeforeExecuting {
            return Ok((Unlisted::default(), Vec::new()));
        }
        let (schema, name) = config.migrations_table();
        let migrations = Relation { schema, name };
        let found = foreign::foreign(connection, schemas, &migrations, start.patience());
        let found = found.map_err(|error| start.unseen(&error))?;
        let unlisted = Unlisted {
            relations: self.hidden(&found).into_iter().map(|relation| (relation.schema, relation.name)).collect(),
            not_nulls: server.version_num >= NOT_NULLS,
        };
        // drizzle-kit takes the names in the filter for schemas, and drops the one that the files do not have.
        let is_drizzles = |schema: &String| {
            *schema == migrations.schema
                && schema != sql::PUBLIC
                && !schema_files::mention(start.cwd, config.schema.as_ref(), schema)
        };
        if schemas.iter().any(is_drizzles) {
            let others = schemas.iter().filter(|schema| !is_drizzles(schema));
            overlay.schema_filter = Some(others.cloned().collect());
        }
        let kept = found.into_iter().filter(|foreign| foreign.owner == Owner::Migrations);
        Ok((unlisted, kept.map(|foreign| foreign.relation).collect()))
    }

    /// Returns those of the foreign relations that drizzle-kit does not get to see.
    fn hidden(&self, found: &[Foreign]) -> Vec<Relation> {
        let files = self.config.schema.as_ref();
        let cwd: &Path = self.start.cwd;
        let is_hidden = |foreign: &Foreign| match &foreign.owner {
            Owner::Extension => !schema_files::mention(cwd, files, &foreign.relation.name),
            Owner::Migrations => !schema_files::declare(cwd, files, &foreign.relation.name),
            // The sequence of a table that nobody sees would stand alone, and be dropped.
            Owner::Table(table) => self.config.leaves_out(self.start.kit_version.as_ref(), &table.name),
        };
        let mut hidden: Vec<Relation> =
            found.iter().filter(|foreign| is_hidden(foreign)).map(|foreign| foreign.relation.clone()).collect();
        let of_hidden = |foreign: &&Foreign| matches!(&foreign.owner, Owner::Table(table) if hidden.contains(table));
        let sequences: Vec<Relation> = found.iter().filter(of_hidden).map(|foreign| foreign.relation.clone()).collect();
        hidden.extend(sequences);
        hidden
    }
}

/// Says which names keep drizzle-kit from being let at a database.
fn unsafe_name(names: &[UnsafeName]) -> Verdict {
    let said = |UnsafeName { kind, place, name }: &UnsafeName| {
        let place = if place.is_empty() { String::new() } else { format!(" in {place}") };
        format!("{kind} {name:?}{place}")
    };
    let [first, others @ ..] = names else { return Verdict::nothing(Exit::UnknownPrompt, "a name is not safe") };
    let more = match others.len() {
        0 => String::new(),
        1 => format!(", and {}", said(&others[0])),
        n_more => format!(", {}, and {} more", said(&others[0]), n_more - 1),
    };
    let summary = if first.kind == "function" {
        format!("a function has the name of a built-in one that drizzle-kit calls: {}{more}", said(first))
    } else {
        format!(
            "a name has quotes or control characters, and drizzle-kit does not escape names in its SQL: {}{more}",
            said(first)
        )
    };
    Verdict::nothing(Exit::UnknownPrompt, summary).hint(
        "rename it (ALTER … RENAME TO), or remove its schema from schemaFilter; drizzle-kit was not allowed to connect",
    )
}
