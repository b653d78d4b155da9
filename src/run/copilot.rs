//! Sits beside drizzle-kit during a run: guards the target, answers by the policy, and keeps what was decided.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use semver::Version;
use tempfile::TempDir;

use crate::db::change::apply::{Expected, TransactionError};
use crate::db::connection::connect::{CLIENT_CHECK, READ_ONLY};
use crate::db::connection::server::QUESTION;
use crate::db::connection::url::{DATABASE_URL, Env};
use crate::db::inspect::fingerprint::Fingerprint;
use crate::db::inspect::foreign::{Foreign, Owner};
use crate::db::inspect::names::UnsafeName;
use crate::db::inspect::reach::{Again, Relation};
use crate::db::{self, ConnectError, Dsn, Lease, Server, Visit};
use crate::kit::approved::Approved;
use crate::kit::block;
use crate::kit::config::{Config, ConfigError, KitSession, OneOrMany, Overlay};
use crate::kit::driver::{Clearance, Held, Pilot};
use crate::kit::engine::{self, Engine};
use crate::kit::listing::Unlisted;
use crate::kit::mailbox::{Go, Questions};
use crate::kit::mariadb;
use crate::kit::prompt::{Kind, Prompt};
use crate::kit::schema_files;
use crate::kit::session::Answer;
use crate::kit::whereabouts::{self, Whereabouts};
use crate::migrations::{Folder, tables};
use crate::outcome::Exit;
use crate::output::console::Console;
use crate::output::logbook;
use crate::output::report::{self, Verdict};
use crate::policy::model::Ban;
use crate::policy::{self, Decision, ObjectName, Policies, Policy, RuleRef, Scope};
use crate::project::engines;
use crate::project::look::{self, Clock};
use crate::project::secrets;
use crate::project::target;
use crate::run::casting;
use crate::run::flight::{self, Apply, Asks, Consent, Keep, Locking, Mission, Touches};
use crate::run::gate::recheck::{self, Recheck, Rejudged};
use crate::run::gate::sqlite::{Knows, Switch};
use crate::run::gate::{self, Gate};
use crate::run::lock;
use crate::run::plan_file::{PlanFile, Surroundings};
use crate::run::transaction;
use crate::run::verdict;
use crate::sql::{self, Dialect, Hazard, RowPolicy};
use crate::term::redact::Secrets;

/// Time for our own look at the database. A server that is silent for longer is called unavailable.
const LOOK: Duration = Duration::from_secs(10);
/// Time for the server to end what drizzle-kit left running there.
const CLEANUP: Duration = Duration::from_secs(3);

/// The first server that has a constraint for every NOT NULL.
const NOT_NULLS: u32 = 180_000;

/// What our sessions call themselves that are not ended with a run.
const OURSELVES: &str = "drizzle-pilot";

/// The variables by which node-pg names a session and sets its start-up options.
const APPLICATION_NAME: &str = "PGAPPNAME";
const OPTIONS: &str = "PGOPTIONS";

/// Statements to run in one transaction, and where.
#[derive(Debug)]
pub struct Apart {
    pub dsn: Dsn,
    /// Marks the session in the server.
    pub run_id: String,
    pub statements: Vec<String>,
    /// The database as it was before drizzle-kit looked at it.
    pub expected: Expected,
    /// What the policy is asked again, once nobody else can write.
    pub recheck: Recheck,
    /// The lock that the run has taken; none where it was held for it.
    pub lease: Option<Lease>,
}

/// Says what the schema files make, from nothing.
pub type Made<'a> = dyn Fn(&mut Console) -> Result<Vec<String>, Verdict> + 'a;

/// What one run decides and learns.
pub struct Copilot<'a> {
    mission: &'a Mission<'a>,
    policies: &'a Policies,
    profile: Option<&'a str>,
    /// The project's folder, to which the paths of certificates are relative.
    cwd: &'a Path,
    /// Tells what the schema files make, by another run of drizzle-kit.
    made: &'a Made<'a>,
    /// The row level security policies that they make, each with its statement.
    row_policies: Vec<(RowPolicy, String)>,
    kit_version: Option<Version>,
    console: &'a mut Console,
    clock: Clock,
    /// Marks our sessions and drizzle-kit's in the server.
    run_id: String,
    policy: Option<Policy>,
    dsn: Option<Dsn>,
    schemas: Vec<String>,
    renamed: Vec<(ObjectName, ObjectName)>,
    /// The schemas of the tables that were looked up, by the tables' names.
    named: RefCell<BTreeMap<String, Vec<String>>>,
    /// The tables whose truncation was chosen, with the rule.
    truncated: Vec<(ObjectName, RuleRef)>,
    dialect: Option<Dialect>,
    /// What our own session is in.
    server: Option<Server>,
    /// How many sessions of drizzle-kit were seen to be in the same place.
    n_sessions: usize,
    /// Whether drizzle-kit works on a database, so that a session of it must be seen.
    has_sessions: bool,
    /// Through what drizzle-kit speaks to the database.
    engine: Option<Engine>,
    /// The driver by its name in the config, or the package.
    driver: Option<String>,
    /// What the database has, where it is one of SQLite and its session told.
    catalog: Option<sql::sqlite::Catalog>,
    /// The table in which drizzle's migrator keeps its records, without its schema.
    migrations_table: String,
    /// The version of drizzle-orm.
    orm: Option<Version>,
    /// The folder of the socket by which we look into a database within node.
    bridge: Option<TempDir>,
    /// What the server is, where it is one of MySQL or its kin.
    mysql: Option<sql::mysql::Server>,
    /// The schema files, and what they import, as drizzle-kit has loaded them.
    loaded: BTreeSet<PathBuf>,
    /// What the project's own files have printed, and nobody was shown.
    printed: String,
    /// What drizzle-kit does not get to see.
    unlisted: Unlisted,
    /// The tables in which drizzle's migrators keep their records, which no statement may touch.
    kept: Vec<Relation>,
    /// What consent was given to, once it was.
    approved: Option<Approved>,
    /// The migrations folder that drizzle's config names.
    pub out: PathBuf,
    /// What drizzle-kit gets otherwise than its config says.
    overlay: Overlay,
    /// The statements that drizzle-kit showed, judged.
    pub statements: Vec<report::Statement>,
    /// What the policy file's digest is; part of a plan.
    policy_digest: Option<String>,
    schema_files: String,
    /// The schema files that drizzle's config names.
    schema: Option<OneOrMany>,
    /// The schema of the database before drizzle-kit looked at it, where that matters.
    seen: Option<Fingerprint>,
    /// The questions before the last one, as they were answered.
    answered: Vec<(Prompt, usize)>,
    /// Where no lock is held, what looks at the database.
    visit: Option<Visit>,
    /// Why the last look at a question failed, if it did.
    failure: Cell<Option<ConnectError>>,
    /// The lock that this run has taken.
    pub lease: Option<Lease>,
    /// The lock was lost before the run was done.
    pub lease_lost: bool,
    /// Why a plan does not fit any more.
    pub stale: Option<String>,
    /// What the consent rests on, until it is given.
    recheck: Option<Recheck>,
    /// The statements that the policy consents to, where they are to run in one transaction.
    pub apart: Option<Apart>,
    /// When the rows at stake were counted for the last time, where drizzle-kit was told yes.
    pub counted: Option<report::Counted>,
    /// Why the run may not go on, once that is known.
    pub verdict: Option<Verdict>,
    pub target: Option<report::Target>,
    pub rules: Vec<String>,
    pub refusals: Vec<report::Refusal>,
    /// The policy lines that would answer the question that was unclear.
    pub would_answer: Option<String>,
    pub warnings: Vec<String>,
    pub config_ms: Option<f64>,
    pub preflight_ms: Option<f64>,
}

impl<'a> Copilot<'a> {
    /// Makes a copilot for a project's folder.
    pub fn new(
        mission: &'a Mission<'a>,
        policies: &'a Policies,
        profile: Option<&'a str>,
        cwd: &'a Path,
        timeout: Duration,
        console: &'a mut Console,
        made: &'a Made<'a>,
    ) -> Copilot<'a> {
        Copilot {
            mission,
            policies,
            profile,
            cwd,
            made,
            kit_version: None,
            console,
            clock: Clock::new(Instant::now(), timeout),
            run_id: run_id(),
            policy: None,
            dsn: None,
            schemas: Vec::new(),
            renamed: Vec::new(),
            named: RefCell::default(),
            truncated: Vec::new(),
            dialect: None,
            server: None,
            n_sessions: 0,
            has_sessions: false,
            engine: None,
            driver: None,
            catalog: None,
            migrations_table: String::new(),
            orm: None,
            bridge: None,
            mysql: None,
            loaded: BTreeSet::new(),
            printed: String::new(),
            row_policies: Vec::new(),
            unlisted: Unlisted::default(),
            kept: Vec::new(),
            approved: None,
            out: PathBuf::new(),
            overlay: mission.overlay.clone(),
            statements: Vec::new(),
            policy_digest: None,
            schema_files: String::new(),
            schema: None,
            seen: None,
            answered: Vec::new(),
            visit: None,
            failure: Cell::default(),
            lease: None,
            lease_lost: false,
            stale: None,
            recheck: None,
            apart: None,
            counted: None,
            verdict: None,
            target: None,
            rules: Vec::new(),
            refusals: Vec::new(),
            would_answer: None,
            warnings: Vec::new(),
            config_ms: None,
            preflight_ms: None,
        }
    }

    /// Takes note of the version that will run, and of the policy file's digest.
    ///
    /// # Errors
    /// With the verdict, where a plan was made with another version or policy.
    pub fn fly_with(&mut self, version: Option<Version>, policy_digest: Option<String>) -> Result<(), Verdict> {
        (self.kit_version, self.policy_digest) = (version, policy_digest);
        Ok(())
    }

    /// Returns who executes the statements.
    fn apply(&self) -> Apply {
        let by_policy = || match self.policy.as_ref().map(Policy::apply) {
            Some((policy::model::Apply::Transaction, _)) => Apply::Transaction,
            Some((policy::model::Apply::Kit, _)) | None => Apply::Kit,
        };
        let planned = || match self.mission.consent {
            Consent::Planned(plan) => Some(plan.apply()),
            Consent::ByPolicy | Consent::Never(_) => None,
        };
        self.mission.apply.or_else(planned).unwrap_or_else(by_policy)
    }

    /// Returns what a plan depends on beside the database.
    fn surroundings(&self) -> Surroundings {
        Surroundings {
            kit: self.kit_version.as_ref().map(ToString::to_string),
            policy: self.policy_digest.clone(),
            profile: self.profile().map(str::to_owned),
            accept_data_loss: self.mission.accept_data_loss,
            apply: self.apply(),
            schema_files: self.schema_files.clone(),
        }
    }

    /// Returns the target in one line.
    fn address(&self) -> String {
        self.target.as_ref().map(report::Target::text).unwrap_or_default()
    }

    /// Writes the plan, where that was asked for. Returns the file.
    ///
    /// # Errors
    /// With the reason in words.
    pub fn keep_plan(&self) -> Result<Option<String>, String> {
        let Consent::Never(Keep::File(file, lifetime)) = self.mission.consent else { return Ok(None) };
        let seen = self.seen.as_ref().ok_or("the schema of the database was not seen")?;
        let target = self.address();
        let statements = self.statements.iter().map(|statement| statement.sql.clone()).collect();
        let plan = PlanFile::new(target, self.surroundings(), &self.answered, statements, seen, lifetime);
        plan.write(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Some(file.display().to_string()))
    }

    /// Looks at the schema of the database, where a plan or a transaction depends on it.
    fn see(&mut self, dsn: Option<&Dsn>) -> Result<(), Verdict> {
        let apart = self.apply() == Apply::Transaction && !self.mission.only_plans();
        let (purpose, is_needed) = match self.mission.consent {
            Consent::Planned(_) => ("a plan file", true),
            Consent::Never(Keep::File(..)) => ("a plan file", true),
            _ => ("--apply transaction", apart),
        };
        if !is_needed {
            return Ok(());
        }
        let Some(dsn) = dsn else {
            let summary = format!("{purpose} needs a PostgreSQL server that can be connected to");
            return Err(Verdict::nothing(Exit::Usage, summary));
        };
        let seen = db::inspect::fingerprint::fingerprint(dsn, self.patience()).map_err(|error| self.unseen(&error))?;
        if let Consent::Planned(plan) = self.mission.consent
            && let Some(reason) = plan.moved(&self.surroundings()).or_else(|| plan.elsewhere(&self.address(), &seen))
        {
            self.stale = Some(reason);
            return Err(verdict::stale(self));
        }
        self.seen = Some(seen);
        Ok(())
    }

    /// Says which statements are not those that were planned, if they are not.
    fn other_statements(&self, plan: &PlanFile) -> Option<String> {
        let shown: Vec<String> = self.statements.iter().map(|statement| statement.sql.clone()).collect();
        let planned = plan.statements();
        let is_same = |dialect| sql::order::is_same(plan.statements(), &shown, dialect);
        if self.dialect.is_some_and(is_same) {
            return None;
        }
        let added = shown.iter().filter(|sql| !planned.contains(sql)).map(|sql| format!("  + {sql}"));
        let gone = planned.iter().filter(|sql| !shown.contains(sql)).map(|sql| format!("  - {sql}"));
        let told: Vec<String> = added.chain(gone).collect();
        Some(match told.as_slice() {
            [] => "drizzle-kit shows the statements in another order".to_owned(),
            told => format!("drizzle-kit shows other statements\n{}", told.join("\n")),
        })
    }

    /// Says why the last question is not the one that was planned, if it is not.
    fn unplanned(&self, plan: &PlanFile) -> Option<String> {
        let other = self.other_statements(plan);
        if other.is_some() {
            return other;
        }
        // Questions may have taken a while: the schema is looked at once more, right before consent.
        match db::inspect::fingerprint::fingerprint(self.dsn.as_ref()?, self.patience()) {
            Ok(seen) => plan.elsewhere(&self.address(), &seen),
            Err(error) => Some(format!("the schema could not be looked at again: {error}")),
        }
    }

    /// Answers a question before the last one as it was planned.
    fn as_planned(&mut self, plan: &PlanFile, prompt: &Prompt) -> Answer {
        match plan.choice(self.answered.len(), prompt) {
            Some(choice) => {
                self.rules.push("the plan".to_owned());
                let because = self.policy.as_ref().map(|policy| policy.hazard(Hazard::AddUnique).1);
                if let Some(because) = because {
                    let decision = Decision::Choose { choice, because, warnings: Vec::new() };
                    let tables_named = |table: &str| self.tables_named(table);
                    let truncated = gate::chosen_truncation(prompt, &decision, &self.scope(&tables_named));
                    self.truncated.extend(truncated);
                }
                Answer::Choose(choice)
            }
            None => {
                let reason = format!("drizzle-kit asks something else: {}", prompt.headline());
                self.stale = Some(reason.clone());
                Answer::Unclear(reason)
            }
        }
    }

    /// Returns the name of the profile that applies.
    pub fn profile(&self) -> Option<&str> {
        self.policy.as_ref().and_then(Policy::profile)
    }

    /// Looks at the guards before drizzle-kit is started: what no host could allow is refused now. Where no profile
    /// depends on a host, that is all there is to look at.
    ///
    /// # Errors
    /// With the verdict, where this environment is not allowed.
    pub fn guard_early(&mut self) -> Result<(), Verdict> {
        let env = |name: &str| std::env::var(name).ok();
        if !self.policies.needs_host() {
            return self.guard(None, &env);
        }
        let possible = self.policies.possible(self.profile, &env).map_err(|error| logbook::unselected(&error))?;
        let mut refusals = possible.iter().map(|policy| self.allows(policy, &env));
        // The first is the policy that applies where no host changes it, and has the reason to be told.
        let Some(Err(refusal)) = refusals.next() else { return Ok(()) };
        if refusals.all(|other| other.is_err()) { Err(refusal) } else { Ok(()) }
    }

    /// Picks the policy and looks at the guards.
    fn guard(&mut self, host: Option<&str>, env: Env) -> Result<(), Verdict> {
        let policy = self.policies.select(self.profile, env, host).map_err(|error| logbook::unselected(&error))?;
        if let Some(named) = self.profile {
            for other in self.policies.matching(env, host).into_iter().filter(|other| other.profile != named) {
                let warning =
                    format!("profile {named} was asked for, although {} calls for {}", other.because, other.profile);
                if !self.warnings.contains(&self.console.clean(&warning)) {
                    self.warn(warning);
                }
            }
        }
        self.allows(&policy, env)?;
        self.policy = Some(policy);
        Ok(())
    }

    /// Tells whether a policy allows this command in this environment.
    fn allows(&self, policy: &Policy, env: Env) -> Result<(), Verdict> {
        // What `run` starts is held to the same list under its own name: `run -- push` is a push.
        let commands: Vec<&str> = [Some(self.mission.command), self.mission.known_as()].into_iter().flatten().collect();
        allows(policy, &commands, self.mission.touches == Touches::Database, env)?;
        if self.mission.accept_data_loss
            && let Some(rule) = policy.bans_accepting_data_loss()
        {
            return Err(guarded("--accept-data-loss is not allowed here", Some(rule))
                .hint("name what may be lost under [hazards] instead"));
        }
        Ok(())
    }

    /// Makes sure that no statement of a stopped drizzle-kit goes on in the server, and says so.
    pub fn end_leftovers(&mut self) {
        // A URL that names its application hides the run's name: others may use the same, and are not ours to end.
        let ours = |dsn: &&Dsn| dsn.application_name() == Some(&self.run_id);
        let Some(dsn) = self.dsn.as_ref().filter(ours) else { return };
        match db::inspect::backends::end_leftovers(dsn, &self.run_id, CLEANUP) {
            Ok(ended) if ended.n_terminated > 0 => {
                self.warn(format!(
                    "{} statements of the stopped drizzle-kit were ended in the server",
                    ended.n_terminated
                ));
            }
            Ok(_) => {}
            Err(error) => {
                let text = format!("whether a statement of drizzle-kit still runs in the server is not known: {error}");
                self.warn(text);
            }
        }
    }

    /// Says what may still run in a server that nothing here can ask, after drizzle-kit was stopped.
    pub fn tell_of_leftovers(&mut self) {
        let is_hosted = matches!(self.engine, Some(Engine::MySql | Engine::LibSql | Engine::D1));
        let may_run = match &self.approved {
            Some(approved) => approved.n_sent() > 0,
            None => !self.holds() && self.n_sessions > 0,
        };
        if is_hosted && may_run {
            let how = match self.engine {
                Some(Engine::MySql) => "; SHOW PROCESSLIST lists what runs, and KILL QUERY ends it",
                _ => "",
            };
            self.warn(format!("whether a statement of drizzle-kit still runs in the server is not known{how}"));
        }
    }

    /// Finds out why the database cannot be used, where drizzle-kit did not say.
    pub fn diagnose(&self) -> Option<Verdict> {
        // The connection of the lock may be gone for the same reason; a new one says why.
        let visit = Visit::to(self.dsn.as_ref()?, OURSELVES, "");
        let seen = visit.and_then(|visit| db::connection::preflight::preflight(&visit, self.patience()));
        seen.err().map(|error| self.unseen(&error))
    }

    /// Returns the verdict for a look of ours that saw nothing.
    fn unseen(&self, error: &ConnectError) -> Verdict {
        look::failed(error, &self.clock)
    }

    /// Adds to a verdict how columns can change their type, where drizzle-kit's statements would fail or have failed.
    pub fn with_casts(&self, verdict: Verdict) -> Verdict {
        let concerns_types = match verdict.exit {
            Exit::Refused | Exit::Changes => true,
            Exit::Partial | Exit::Failed => verdict.error.as_ref().is_some_and(|error| casting::concerns(error)),
            _ => false,
        };
        match &self.dsn {
            Some(dsn) if concerns_types => {
                let statements: Vec<String> = self.statements.iter().map(|statement| statement.sql.clone()).collect();
                let advice = casting::advise(dsn, &statements, self.patience());
                let tables_named = |table: &str| self.tables_named(table);
                casting::add(
                    verdict,
                    match &self.policy {
                        Some(policy) => advice.with_lines(policy, &self.scope(&tables_named)),
                        None => advice.texts(),
                    },
                )
            }
            _ => verdict,
        }
    }

    /// Returns the connection to look at the database with, where there is one that we can connect to: that of the lock, or
    /// another.
    fn visit(&self) -> Option<&Visit> {
        self.lock().map(Lease::visit).or(self.visit.as_ref())
    }

    /// Returns the schemas that have a table of this name, as the first look of this run saw them: drizzle-kit reads its
    /// own picture once as well.
    fn tables_named(&self, table: &str) -> Option<Vec<String>> {
        if let Some(known) = self.named.borrow().get(table) {
            return Some(known.clone());
        }
        let found = self.looked(db::inspect::backends::tables_named(self.visit()?, table, self.patience())).ok()?;
        self.named.borrow_mut().insert(table.to_owned(), found.clone());
        Some(found)
    }

    /// Keeps why a look failed, and returns it in words.
    fn looked<T>(&self, outcome: Result<T, ConnectError>) -> Result<T, String> {
        outcome.map_err(|error| {
            let reason = error.to_string();
            self.failure.set(Some(error));
            reason
        })
    }

    fn scope<'s>(&'s self, tables_named: &'s dyn Fn(&str) -> Option<Vec<String>>) -> Scope<'s> {
        Scope {
            schemas: &self.schemas,
            tables_named,
            renamed: &self.renamed,
            accept_data_loss: self.mission.accept_data_loss,
        }
    }

    /// Returns how long one look at the database may take.
    fn patience(&self) -> Duration {
        LOOK.min(self.clock.rest())
    }

    /// Warns now, and keeps the warning for the report.
    pub fn warn(&mut self, text: String) {
        self.console.warn(&text);
        self.warnings.push(self.console.clean(&text));
    }

    /// Tells whether nothing that changes a database can have been sent.
    pub fn sent_nothing(&self) -> bool {
        self.approved.as_ref().map_or(self.n_sessions == 0, |approved| approved.n_sent() == 0)
    }

    /// Shows the lines that the project's own files have printed. Before the config is known so are its secrets, and nothing
    /// is shown.
    fn show_printed(&mut self) {
        const MOST: usize = 1 << 20; // bytes that wait, and of one line
        self.printed.truncate(self.printed.floor_char_boundary(MOST));
        if self.target.is_none() {
            return;
        }
        while let Some(end) = self.printed.find('\n') {
            let line: String = self.printed.drain(..=end).collect();
            let line = format!("  project: {}", line.trim_end());
            // `run` stands for drizzle-kit itself, which would show it.
            if self.mission.command == "run" { self.console.say(&line) } else { self.console.detail(&line) }
        }
    }

    /// Returns the console.
    pub fn console(&mut self) -> &mut Console {
        self.console
    }

    /// Looks at the database before drizzle-kit does: may it be used, and does it end statements of dead clients?
    fn preflight(&mut self, config: &Config, dsn: &Dsn) -> Result<Vec<(&'static str, String)>, Verdict> {
        let started = Instant::now();
        let visit = match self.mission.lock {
            Locking::Take { .. } => lock::visit(dsn, &self.run_id, CLIENT_CHECK, &self.clock)?,
            Locking::Held(_) | Locking::None => Visit::to(dsn, &format!("{} preflight", self.run_id), CLIENT_CHECK)
                .map_err(|error| self.unseen(&error))?,
        };
        let looked = db::connection::preflight::preflight(&visit, self.patience());
        self.preflight_ms = Some(started.elapsed().as_secs_f64() * 1e3);
        let mut env = vec![(APPLICATION_NAME, self.run_id.clone())];
        match looked {
            Ok(server) => {
                self.refuse_unsafe_names(&visit)?;
                self.hide_foreign(config, &visit, &server)?;
                self.refuse_blindness(&visit)?;
                self.tell_of_policies(&visit)?;
                self.take_lock(visit)?;
                // In a transaction of ours the statements are run later, and not by drizzle-kit.
                let reads = self.mission.touches == Touches::Reads || self.apply() == Apply::Transaction;
                env.extend(self.start_up(config, dsn, &server, reads)?);
                if server.read_only && self.mission.touches == Touches::Database {
                    self.warn(format!("{} is read-only; statements will fail there", dsn.address().server()));
                }
                self.server = Some(server);
                Ok(env)
            }
            // Node may trust what we cannot check, and the other way round. drizzle-kit will say itself.
            Err(error @ (ConnectError::Tls { .. } | ConnectError::Other { .. } | ConnectError::NotPostgres { .. })) => {
                self.warn(format!("our own look at the database failed: {error}"));
                Ok(env)
            }
            Err(error) => Err(self.unseen(&error)),
        }
    }

    /// Has drizzle-kit's sessions begin with the start-up options that the server takes: a statement ends with its client,
    /// settings mean what they usually do, and where nothing is to be written every write is refused.
    fn start_up(
        &mut self,
        config: &Config,
        dsn: &Dsn,
        server: &Server,
        reads: bool,
    ) -> Result<Option<(&'static str, String)>, Verdict> {
        // PostgreSQL 13 does not know the one option, and a pooler may take the one and not the other.
        let checked = if server.checks_clients { CLIENT_CHECK } else { "" };
        let corrected = format!("{checked} {}", server.corrections());
        let corrected = corrected.trim();
        let reading = format!("{corrected} {READ_ONLY}").trim_start().to_owned();
        // Whether the rest is in force, drizzle-kit's own session tells.
        let looked =
            reads.then(|| db::connection::preflight::keeps_from_writing(dsn, &self.run_id, &reading, self.patience()));
        let is_kept = looked.transpose().map_err(|error| self.unseen(&error))?.unwrap_or_default();
        let options = if is_kept { &reading } else { corrected };
        self.send(config, dsn, options);
        let own = target::variable_of(config, OPTIONS).unwrap_or_default();
        Ok((!options.is_empty()).then(|| (OPTIONS, format!("{own} {options}").trim_start().to_owned())))
    }

    /// Puts start-up options into the URL that drizzle-kit gets, whose driver may read none from elsewhere: `pg` does not
    /// where the URL has some of its own, and the others never do.
    fn send(&mut self, config: &Config, dsn: &Dsn, options: &str) {
        if options.is_empty() {
            return;
        }
        let own = dsn.options().unwrap_or_default();
        let all = format!("{own} {options}").trim_start().to_owned();
        let driver = target::driver(config, self.kit_version.as_ref());
        self.overlay.credentials.extend(Dsn::with_options(driver, config.dialect(), &config.db_credentials, &all));
    }

    /// Refuses to let drizzle-kit read names that end the quotes that it puts around them.
    fn refuse_unsafe_names(&self, visit: &Visit) -> Result<(), Verdict> {
        if !self.reads_catalog() {
            return Ok(());
        }
        let functions = &sql::read_only::FUNCTIONS;
        let found = db::inspect::names::unsafe_names(visit, &self.schemas, functions, self.patience());
        match found.map_err(|error| self.unseen(&error))?.as_slice() {
            [] => Ok(()),
            names => Err(unsafe_name(names)),
        }
    }

    /// Refuses a login that drizzle-kit sees too little by: it reads constraints from `information_schema`, which shows them
    /// to owners, and takes those that it does not see for missing.
    fn refuse_blindness(&self, visit: &Visit) -> Result<(), Verdict> {
        if self.mission.asks != Asks::BeforeExecuting {
            return Ok(());
        }
        let unseen = db::inspect::names::unseen_constraints(visit, &self.schemas, self.patience());
        let unseen = unseen.map_err(|error| self.unseen(&error))?;
        let [(table, owner), others @ ..] = unseen.as_slice() else { return Ok(()) };
        let more = if others.is_empty() { String::new() } else { format!(" and of {} more", others.len()) };
        let summary = format!(
            "drizzle-kit does not see the constraints of {table}{more} by this login, and would take them for missing"
        );
        Err(Verdict::nothing(Exit::Config, summary)
            .hint(format!("log in as the owner, {owner}; plan writes nothing by any login")))
    }

    /// Tells whether drizzle-kit reads the catalog, to compare it with the schema files or to write them.
    fn reads_catalog(&self) -> bool {
        self.mission.asks == Asks::BeforeExecuting || self.mission.touches == Touches::Reads
    }

    /// Tells whether drizzle-kit may send no query but reads, and what was approved.
    fn holds(&self) -> bool {
        self.mission.asks == Asks::BeforeExecuting || self.mission.touches != Touches::Database
    }

    /// Takes the lock, where this run is to have it and nobody holds it for it already.
    fn take_lock(&mut self, visit: Visit) -> Result<(), Verdict> {
        let Locking::Take { wait, .. } = self.mission.lock else { return Ok(()) };
        self.lease = Some(lock::take(visit, wait, &self.clock, self.console)?);
        Ok(())
    }

    /// Makes sure that drizzle-kit goes to the database on which the lock is held for this run.
    fn is_where_the_lock_is(&self, dsn: Option<&Dsn>) -> Result<(), Verdict> {
        let Locking::Held(lease) = self.mission.lock else { return Ok(()) };
        if dsn.is_some_and(|dsn| dsn.address() == lease.address()) {
            return Ok(());
        }
        let elsewhere = dsn.map_or_else(|| "no PostgreSQL server".to_owned(), ToString::to_string);
        let summary = format!("drizzle-kit would connect to {elsewhere}, and this run works on {}", lease.address());
        Err(Verdict::nothing(Exit::Config, summary).hint("make drizzle's config name the same database"))
    }

    /// Keeps from drizzle-kit's sight what is none of the project's own: it would ask whether a new table is one of these
    /// renamed, and drop them. What the schema files have is left alone.
    fn hide_foreign(&mut self, config: &Config, visit: &Visit, server: &Server) -> Result<(), Verdict> {
        if self.mission.asks != Asks::BeforeExecuting {
            return Ok(());
        }
        let (schema, name) = config.migrations_table();
        let migrations = Relation { schema, name };
        let found = db::inspect::foreign::foreign(visit, &self.schemas, &migrations, self.patience());
        let found = found.map_err(|error| self.unseen(&error))?;
        let files = config.schema.as_ref();
        let is_hidden = |foreign: &Foreign| match &foreign.owner {
            Owner::Extension => !schema_files::mention(self.cwd, files, &foreign.relation.name),
            Owner::Migrations => !schema_files::declare(self.cwd, files, &foreign.relation.name),
            // The sequence of a table that nobody sees would stand alone, and be dropped.
            Owner::Table(table) => config.leaves_out(self.kit_version.as_ref(), &table.name),
        };
        let mut hidden: Vec<Relation> =
            found.iter().filter(|foreign| is_hidden(foreign)).map(|foreign| foreign.relation.clone()).collect();
        let of_hidden = |foreign: &&Foreign| matches!(&foreign.owner, Owner::Table(table) if hidden.contains(table));
        let sequences: Vec<Relation> = found.iter().filter(of_hidden).map(|foreign| foreign.relation.clone()).collect();
        hidden.extend(sequences);
        self.unlisted = Unlisted {
            relations: hidden.into_iter().map(|relation| (relation.schema, relation.name)).collect(),
            not_nulls: server.version_num >= NOT_NULLS,
        };
        // drizzle-kit takes the names in the filter for schemas, and drops the one that the files do not have.
        let is_drizzles = |schema: &String| {
            *schema == migrations.schema && schema != sql::PUBLIC && !schema_files::mention(self.cwd, files, schema)
        };
        if self.schemas.iter().any(is_drizzles) {
            let others = self.schemas.iter().filter(|schema| !is_drizzles(schema));
            self.overlay.schema_filter = Some(others.cloned().collect());
        }
        self.kept = found
            .into_iter()
            .filter(|foreign| foreign.owner == Owner::Migrations)
            .map(|foreign| foreign.relation)
            .collect();
        Ok(())
    }

    /// Finds out which row level security policies the schema files make, where drizzle-kit is about to create some: its push
    /// leaves their conditions out.
    fn know_row_policies(&mut self, printed: &str) -> Result<(), Verdict> {
        if self.row_policies.is_empty() && printed.contains("CREATE POLICY") {
            let made = (self.made)(self.console)?;
            self.row_policies = made.into_iter().filter_map(|sql| Some((sql::row_policy(&sql)?, sql))).collect();
        }
        Ok(())
    }

    /// Says that policies that are there were not compared.
    fn tell_of_policies(&mut self, visit: &Visit) -> Result<(), Verdict> {
        if self.mission.asks != Asks::BeforeExecuting {
            return Ok(());
        }
        let n_policies = db::inspect::names::row_policies(visit, &self.schemas, self.patience());
        match n_policies.map_err(|error| self.unseen(&error))? {
            0 => {}
            n => self.warn(format!(
                "drizzle-kit's push compares no condition of a row level security policy, and {} in the database: where the \
                 schema files have changed one, a migration shows it",
                if n == 1 { "1 is".to_owned() } else { format!("{n} are") }
            )),
        }
        Ok(())
    }

    /// Names the schemas of the schema files that drizzle-kit leaves out.
    pub fn name_left_out(&mut self) {
        if self.mission.asks != Asks::BeforeExecuting || self.dialect != Some(Dialect::Postgres) {
            return;
        }
        let declared = schema_files::schemas(&self.loaded);
        let left_out: Vec<String> = declared.into_iter().filter(|schema| !self.schemas.contains(schema)).collect();
        if left_out.is_empty() {
            return;
        }
        let all: Vec<String> = self.schemas.iter().chain(&left_out).map(|name| format!("'{name}'")).collect();
        let what = match left_out.as_slice() {
            [only] => format!("schema {only} of the schema files is"),
            several => format!("schemas {} of the schema files are", several.join(", ")),
        };
        self.warn(format!(
            "{what} left out by schemaFilter, and what is in there is not pushed; to take it in, write into drizzle's config: \
             schemaFilter: [{}]",
            all.join(", ")
        ));
    }

    /// Returns the lock under which this run works, whoever took it.
    fn lock(&self) -> Option<&Lease> {
        match self.mission.lock {
            Locking::Held(lease) => Some(lease),
            Locking::Take { .. } => self.lease.as_ref(),
            Locking::None => None,
        }
    }

    /// Answers the last question, to which the policy consents with these warnings.
    fn consent(&mut self, prompt: &Prompt, choice: usize, warnings: Vec<String>) -> Answer {
        let executes = self.apply() == Apply::Kit && !self.mission.only_plans();
        // Nobody else writes into PGlite, and its one session has a transaction at a time.
        let has_others = self.engine != Some(Engine::Pglite);
        let is_at_stake = self.recheck.as_ref().is_some_and(|recheck| !recheck.basis.tables.is_empty());
        let is_recounted = executes && has_others && is_at_stake;
        // What is counted again is told by the second count.
        if !is_recounted {
            warnings.into_iter().for_each(|warning| self.warn(warning));
        }
        match self.mission.consent {
            Consent::Never(_) => return self.decline_because("only the plan is wanted"),
            Consent::Planned(plan) => {
                self.stale = self.unplanned(plan);
                if self.stale.is_some() {
                    return Answer::Decline;
                }
            }
            Consent::ByPolicy => {}
        }
        if self.lock().is_some_and(|lease| !lease.lives()) {
            self.lease_lost = true;
            return self.decline_because("allowed; the lock on the database was lost");
        }
        if self.has_sessions && self.n_sessions == 0 {
            self.verdict = Some(unseen_session(self.driver.as_deref().unwrap_or_default()));
            return self.decline_because("allowed; nothing holds what drizzle-kit sends");
        }
        let recheck = self.recheck.take();
        match (self.apply(), self.dsn.as_ref(), self.seen.as_ref(), recheck) {
            (Apply::Kit, _, _, recheck) => {
                let recheck = recheck.filter(|_| is_recounted);
                let answer = recheck.map_or(Answer::Choose(choice), |recheck| self.recounted(choice, &recheck));
                if let Answer::Choose(_) = answer {
                    let dialect = self.target.as_ref().map(|target| target.dialect.clone()).unwrap_or_default();
                    let block = block::find(&prompt.printed).ok();
                    self.approved = block.map(|block| Approved::new(&block).with_around(&dialect));
                }
                answer
            }
            (Apply::Transaction, Some(dsn), Some(seen), Some(recheck)) => {
                let statements = self.statements.iter().map(|statement| statement.sql.clone()).collect();
                let (dsn, run_id, expected) = (dsn.clone(), self.run_id.clone(), Expected::from(seen));
                self.apart = Some(Apart { dsn, run_id, statements, expected, recheck, lease: None });
                self.decline_because("allowed; the statements run in one transaction instead")
            }
            (Apply::Transaction, _, None, _) => {
                Answer::Unclear("the database was not seen before its schema was read".to_owned())
            }
            (Apply::Transaction, ..) => Answer::Unclear("what is at stake could not be looked up".to_owned()),
        }
    }

    /// Consents where drizzle-kit executes: after a wait for those who write into the tables whose rows are at stake, and
    /// another count while nobody does. Who begins after that is not seen, for we cannot hold what drizzle-kit needs.
    fn recounted(&mut self, choice: usize, recheck: &Recheck) -> Answer {
        let Some(visit) = self.visit() else { return Answer::Choose(choice) };
        let wait = self.mission.lock.wait().min(self.clock.rest());
        let tables = &recheck.basis.tables;
        let again = db::inspect::reach::look_again(visit, &recheck.wanted(), tables, wait, wait + self.patience());
        match again {
            Ok(Again::Seen(now)) => {
                let outcome = recheck.again(*now);
                self.statements = recheck.judged.take().unwrap_or_default();
                match outcome {
                    Ok(Rejudged { warnings, grown }) => {
                        warnings.into_iter().chain(grown).for_each(|warning| self.warn(warning));
                        self.counted = Some(recheck::counted_now(false));
                        Answer::Choose(choice)
                    }
                    Err(refusal) => {
                        if let Some(rule) = self.rules.last_mut() {
                            *rule = refusal.because.as_ref().map(ToString::to_string).unwrap_or_default();
                        }
                        self.refusals.push(report::Refusal::of(&refusal));
                        Answer::Decline
                    }
                }
            }
            Ok(Again::Busy { by, waited }) => {
                let busy = TransactionError::Busy { by, n_attempts: 1, waited }.into();
                self.verdict = Some(transaction::failed(&busy, &self.clock));
                self.decline_because("allowed; others write into what is at stake")
            }
            Err(ConnectError::Interrupted { .. }) => Answer::Decline,
            Err(_) if self.lock().is_some_and(|lease| !lease.lives()) => {
                self.lease_lost = true;
                self.decline_because("allowed; the lock on the database was lost")
            }
            // What was counted cannot be counted again: nobody knows what is at stake by now.
            Err(error) => {
                self.verdict = Some(self.unseen(&error));
                self.decline_because("allowed; what is at stake could not be counted again")
            }
        }
    }

    /// Declines the last question for a reason that is none of the policy's.
    fn decline_because(&mut self, reason: &str) -> Answer {
        if let Some(rule) = self.rules.last_mut() {
            reason.clone_into(rule);
        }
        Answer::Decline
    }

    /// Says whose a table is that this project's migrations never spoke of.
    fn whose(&self, table: &ObjectName) -> Option<String> {
        match Folder::read(&self.out) {
            Ok(folder) if tables::known(&folder, self.dialect?).contains(table) => None,
            Ok(_) => Some(
                "foreign: this project never had it; it is neither in the schema files, nor in the last snapshot, \
                 nor in the migrations"
                    .to_owned(),
            ),
            Err(_) => {
                Some("perhaps foreign: it is not in the schema files, and there are no migrations to tell".to_owned())
            }
        }
    }

    fn clear(&mut self, config: &Config) -> Result<Vec<(&'static str, String)>, Verdict> {
        self.schemas = config.schemas();
        self.dialect = Dialect::from_name(config.dialect());
        self.schema_files = schema_files::digest(self.cwd, config.schema.as_ref());
        self.schema.clone_from(&config.schema);
        self.out = self.cwd.join(config.out());
        let dsn = match self.dsn(config) {
            // Where no database is touched none need be named: CI generates without DATABASE_URL.
            Err(_) if !self.mission.connects() => None,
            dsn => dsn?,
        };
        self.is_where_the_lock_is(dsn.as_ref())?;
        self.console.hide(|secrets| secrets::add_config(secrets, config, dsn.as_ref()));
        self.driver = config.driver.clone().or_else(|| config.client.clone());
        self.orm = config.orm.as_deref().and_then(|version| version.parse().ok());
        (_, self.migrations_table) = config.migrations_table();
        let whereabouts = whereabouts::of(config);
        let target = reported(config, dsn.as_ref(), &whereabouts);
        let host = target.host.clone();
        self.target = Some(target);
        self.show_printed();
        // drizzle-kit's dotenv may have set what decides.
        let is_changed = self.policies.variables().any(|name| config.variables.contains_key(name));
        if self.policy.is_none() || self.policies.needs_host() || is_changed {
            let is_hidden = dsn.is_none() && whereabouts == Whereabouts::Hidden && self.mission.connects();
            if is_hidden && self.policies.needs_host() && self.profile.is_none() {
                let dialect = config.driver.as_deref().unwrap_or(config.dialect());
                let summary =
                    format!("profiles depend on the host, and drizzle's config ({dialect}) does not say which it is");
                return Err(guarded(&summary, None).hint("say which profile is meant with --profile"));
            }
            self.guard(host.as_deref(), &|name| target::variable_of(config, name))?;
        }
        // Gel's schema can be pulled. A config that names nothing drizzle-kit itself complains of.
        let is_pulled = self.mission.command == "run" && config.dialect() == "gel";
        if !is_pulled && (config.dialect.is_some() || config.driver.is_some()) {
            engines::known(config, self.kit_version.as_ref())?;
        }
        match engine::of(config) {
            Ok(engine) => {
                self.engine = engine;
                if engine == Some(Engine::Pglite) && self.holds() {
                    let made = tempfile::Builder::new().prefix("drizzle-pilot-").tempdir();
                    self.bridge = Some(made.map_err(|error| flight::no_mailbox(&error))?);
                }
            }
            Err(unheld) if self.holds() && self.mission.connects() => return Err(engines::not_held(&unheld)),
            Err(_) => {}
        }
        self.refuse_what_is_not_there(dsn.as_ref())?;
        let mut env = match &dsn {
            Some(dsn) if self.mission.connects() => self.preflight(config, dsn)?,
            _ => Vec::new(),
        };
        // What the schema files may ask for is the database that is meant as well.
        let named = self.overlay.db_credentials.as_ref().and_then(|credentials| credentials.get("url")?.as_str());
        env.extend(named.map(|url| (DATABASE_URL, url.to_owned())));
        self.has_sessions = self.mission.connects();
        self.see(dsn.as_ref())?;
        let unlocked = dsn.as_ref().filter(|_| self.lock().is_none());
        let visit = unlocked.map(|dsn| Visit::to(dsn, OURSELVES, "")).transpose();
        self.visit = visit.map_err(|error| self.unseen(&error))?;
        self.dsn = dsn;
        Ok(env)
    }

    /// Returns what is known of a database of SQLite; nothing for another one.
    fn knows(&self) -> Option<Knows<'_>> {
        let (dialect, version) = (self.dialect?, self.kit_version.as_ref());
        let is_since = |first: (u64, u64, u64)| {
            version.is_some_and(|version| (version.major, version.minor, version.patch) >= first)
        };
        let migrates = self.mission.kit_command() == "migrate";
        let by = self.driver.as_deref().unwrap_or_default();
        let is_migrated_without = self.orm.as_ref().is_some_and(|orm| *orm >= Version::new(0, 36, 4));
        let switch = match (dialect, self.engine) {
            (Dialect::Postgres | Dialect::MySql | Dialect::SingleStore, _) => return None,
            (_, Some(Engine::SqliteFile)) if migrates && by == "@libsql/client" && is_migrated_without => Switch::Off,
            (_, Some(Engine::SqliteFile)) if migrates => {
                Switch::Idle("the migrations run in one transaction, in which it has no effect")
            }
            (Dialect::Turso, Some(Engine::SqliteFile)) => Switch::Off,
            (Dialect::Sqlite, Some(Engine::SqliteFile)) if is_since((0, 30, 6)) => Switch::Works,
            (Dialect::Sqlite, Some(Engine::SqliteFile)) => Switch::Idle(
                "drizzle-kit before 0.30.6 executes the statements in a transaction, in which it has no effect",
            ),
            (_, Some(Engine::D1)) => {
                Switch::Idle("D1 executes every statement in a transaction, in which it has no effect")
            }
            (Dialect::Sqlite | Dialect::Turso, _) => {
                Switch::Idle("a server of libSQL executes every statement in a session of its own")
            }
        };
        Some(Knows { catalog: self.catalog.as_ref(), switch })
    }

    /// Refuses a session whose settings have SQL mean something else, where drizzle-kit reads the catalog by it.
    fn refuse_misreading(&self, reason: Option<String>) -> Result<(), Held> {
        reason.filter(|_| self.reads_catalog()).map_or(Ok(()), |reason| Err(Held::Meaning(reason)))
    }

    /// Takes what a session is that is not one of PostgreSQL over a socket.
    fn other_session(&mut self, session: &KitSession) -> Result<(), Held> {
        let unknown = || {
            let error = session.error.as_deref().unwrap_or("its answer cannot be read");
            Held::Session(format!("a session of drizzle-kit cannot be asked what it is: {error}"))
        };
        match self.dialect {
            Some(Dialect::Postgres) => {
                let told = session.answers.as_deref().and_then(Server::of).ok_or_else(unknown)?;
                self.refuse_misreading(told.misreads())?;
                self.look_through_bridge(&told);
                self.server = Some(told);
            }
            Some(Dialect::MySql | Dialect::SingleStore) => {
                let told = session.answers.as_deref().and_then(sql::mysql::Server::of).ok_or_else(unknown)?;
                self.refuse_misreading(told.misreads())?;
                if told.is_locked_by_another {
                    let summary = "another run that changes this database did not end in time";
                    self.verdict = Some(
                        Verdict::nothing(Exit::Locked, summary)
                            .hint("wait for it, or give it longer with --lock-timeout"),
                    );
                    return Err(Held::Session(summary.to_owned()));
                }
                if told.is_mariadb() && self.mysql.is_none() && self.reads_catalog() {
                    self.warn(format!(
                        "the server is MariaDB ({}), which drizzle-kit takes for MySQL: what did not change may still look changed",
                        told.version
                    ));
                }
                self.mysql = Some(told);
            }
            Some(Dialect::Sqlite | Dialect::Turso) | None => {
                let told = session.catalog.clone().unwrap_or_default();
                let counted = |table: &str, column: &str| {
                    let count = told.counts.iter().find(|count| count.table == table && count.column == column)?;
                    let rows = count.rows.as_ref()?;
                    rows.as_u64().or_else(|| rows.as_str()?.parse().ok())
                };
                self.catalog = self.catalog.take().or_else(|| sql::sqlite::Catalog::of(&told.answers, &counted));
                if self.n_sessions == 0 && self.mission.kit_command() == "migrate" {
                    self.judge_pending()?;
                }
            }
        }
        self.n_sessions += 1;
        Ok(())
    }

    /// Returns how long drizzle-kit's own session waits for the lock; none where it takes none.
    fn lock_wait(&self) -> Option<Duration> {
        match self.mission.lock {
            Locking::Take { wait, .. } if self.dialect == Some(Dialect::MySql) => Some(wait.min(self.clock.rest())),
            Locking::Take { .. } | Locking::Held(_) | Locking::None => None,
        }
    }

    /// Refuses what only PostgreSQL has, where that was asked for.
    fn refuse_what_is_not_there(&self, dsn: Option<&Dsn>) -> Result<(), Verdict> {
        if dsn.is_some() || !self.mission.connects() {
            return Ok(());
        }
        let executes = self.mission.asks == Asks::BeforeExecuting && !self.mission.only_plans();
        if executes && self.engine == Some(Engine::LibSql) {
            engines::commits_in_vain(self.dialect, self.kit_version.as_ref())?;
        }
        let usage = |summary: String, hint: &str| Err(Verdict::nothing(Exit::Usage, summary).hint(hint));
        let name = self.target.as_ref().map(|target| target.dialect.clone()).unwrap_or_default();
        if self.mission.asks == Asks::BeforeExecuting && self.apply() == Apply::Transaction {
            return usage(
                format!("--apply transaction is for PostgreSQL over a socket, and drizzle's config is for {name}"),
                "leave it out, or set apply = \"kit\" in the policy: drizzle-kit executes the statements one by one",
            );
        }
        if let (Locking::Take { is_asked: true, .. }, None) = (self.mission.lock, self.lock_wait()) {
            return usage(
                format!("--lock-timeout is for PostgreSQL and MySQL: there is no lock for {name}"),
                "leave it out, and see to it that no two runs change the same database",
            );
        }
        Ok(())
    }

    /// Has our own looks go to the database within node, by the socket that it has for us.
    fn look_through_bridge(&mut self, told: &Server) {
        let Some(folder) = self.bridge.as_ref().map(|bridge| bridge.path().display().to_string()) else { return };
        let parts = serde_json::json!({ "host": folder, "ssl": false, "user": told.current_user, "database": told.current_database });
        let dsn = Dsn::from_credentials("postgresql", &parts, &|_| None).and_then(Result::ok);
        self.visit = dsn.and_then(|dsn| Visit::to(&dsn, OURSELVES, "").ok());
    }

    /// Judges what the migrations that are not applied yet take along without naming it. What they name is theirs to do: a
    /// reviewer has seen it.
    fn judge_pending(&mut self) -> Result<(), Held> {
        let (Some(dialect), Some(knows), Some(policy)) = (self.dialect, self.knows(), self.policy.as_ref()) else {
            return Ok(());
        };
        let Ok(folder) = Folder::read(&self.out) else { return Ok(()) };
        let last = knows.catalog.and_then(|catalog| catalog.last_migration);
        let entries = folder.journal().map(|journal| journal.entries.as_slice()).unwrap_or_default();
        let pending = entries.iter().filter(|entry| last.is_none_or(|last| entry.when > last));
        let (mut statements, mut unread) = (Vec::new(), Vec::new());
        for entry in pending {
            match folder.file(entry).map(|file| sql::split(&file.text, dialect)) {
                Some(Ok(split)) => statements.extend(split),
                Some(Err(error)) => {
                    unread.push(format!("{} cannot be read, so what it takes along is not known: {error}", entry.tag))
                }
                None => {}
            }
        }
        let stakes = gate::sqlite::taken_along(&sql::assess(&statements, dialect, &sql::Facts::default()), knows);
        let scope = self.scope(&|_| None);
        let decision = policy::decide::stakes(policy, &stakes, &scope);
        for warning in unread {
            self.warn(warning);
        }
        match decision {
            Ok(consent) => {
                for warning in consent.warnings {
                    self.warn(warning);
                }
                Ok(())
            }
            Err(refusal) => {
                let reason = "the migrations that are not applied yet would take rows along that they do not name";
                self.refusals.push(report::Refusal::of(&refusal));
                self.verdict = Some(Verdict::nothing(Exit::Refused, reason));
                Err(Held::Query(reason.to_owned()))
            }
        }
    }

    /// Reads where drizzle-kit will connect, with the environment it will have; none where that is not PostgreSQL.
    fn dsn(&self, config: &Config) -> Result<Option<Dsn>, Verdict> {
        let env = |name: &str| match name {
            APPLICATION_NAME => Some(self.run_id.clone()),
            name => target::variable_of(config, name),
        };
        target::of_config(config, self.kit_version.as_ref(), self.cwd, &env)
    }
}

impl Pilot for Copilot<'_> {
    fn config_failed(&mut self, failed: &ConfigError) -> Secrets {
        self.console.hide(|secrets| secrets::add_variables(secrets, &failed.variables, &[]));
        self.console.secrets().clone()
    }

    fn config(&mut self, config: &Config) -> Clearance {
        self.config_ms = Some(self.clock.elapsed().as_secs_f64() * 1e3);
        match self.clear(&self.overlay.over(config)) {
            Ok(env) => {
                let leash = match self.lock().map(|lease| lease.as_fd().try_clone_to_owned()).transpose() {
                    Ok(leash) => leash,
                    Err(error) => {
                        self.verdict = Some(verdict::internal("watching the lock", &error));
                        return Clearance::Stop;
                    }
                };
                let (config, secrets) = (self.overlay.clone(), self.console.secrets().clone());
                let questions = Questions {
                    postgres: QUESTION,
                    mysql: sql::mysql::question(self.lock_wait()),
                    sqlite: sql::sqlite::questions(&self.migrations_table),
                    references: sql::sqlite::REFERENCES,
                    most: sql::sqlite::MOST,
                };
                let bridge = self.bridge.as_ref().map(|bridge| bridge.path().to_owned());
                let go = Box::new(Go { env, config, questions, holds: self.holds(), bridge });
                Clearance::Go { go, leash, secrets }
            }
            Err(verdict) => {
                self.verdict = Some(verdict);
                Clearance::Stop
            }
        }
    }

    fn ask(&mut self, prompt: &Prompt) -> Answer {
        // The target is known once the config was seen, and then drizzle-kit was made to ask before executing as well.
        let is_blind = self.target.is_none() && self.mission.connects();
        if self.policy.is_none() || is_blind {
            return Answer::Unclear(
                "drizzle-kit asked before its config was seen, so its target is not known".to_owned(),
            );
        }
        if let (Consent::Planned(plan), false) =
            (self.mission.consent, matches!(prompt.kind, Kind::Execute | Kind::DataLoss(_)))
        {
            let answer = self.as_planned(plan, prompt);
            if let Answer::Choose(choice) = answer {
                self.renamed.extend(policy::decide::renamed(prompt, choice, &self.schemas));
                self.answered.push((prompt.clone(), choice));
            }
            return answer;
        }
        if let Err(verdict) = self.know_row_policies(&prompt.printed) {
            self.rules.push(String::new());
            self.verdict = Some(verdict);
            return Answer::Decline;
        }
        let policy = self.policy.as_ref().expect("it was looked for above");
        let (decision, statements, truncated, recheck) = {
            let tables_named = |table: &str| self.tables_named(table);
            let scope = self.scope(&tables_named);
            let whose = RefCell::new(BTreeMap::new());
            let gate = Gate {
                policy,
                scope: &scope,
                dialect: self.dialect,
                in_transaction: self.apply() == Apply::Transaction,
                current_schema: self.server.as_ref().and_then(|server| server.current_schema.as_deref()),
                kept: &self.kept,
                row_policies: &self.row_policies,
                truncated: &self.truncated,
                look_up: &|wanted| {
                    let visit = self.visit().ok_or("there is no connection of our own to this database")?;
                    self.looked(db::inspect::reach::look_up(visit, wanted, self.patience()))
                },
                whose: &|table| {
                    let said = self.whose(table);
                    whose.borrow_mut().insert(table.clone(), said.clone());
                    said
                },
                is_in_schema: &|table| schema_files::mention(self.cwd, self.schema.as_ref(), table.last()),
                sqlite: self.knows(),
            };
            let (decision, statements, basis) = gate.answer(prompt);
            let truncated = gate::chosen_truncation(prompt, &decision, &scope);
            let recheck = basis.map(|basis| Recheck {
                policy: policy.clone(),
                schemas: self.schemas.clone(),
                named: self.named.borrow().clone(),
                renamed: self.renamed.clone(),
                accept_data_loss: self.mission.accept_data_loss,
                in_transaction: self.apply() == Apply::Transaction,
                kept: self.kept.clone(),
                truncated: self.truncated.clone(),
                whose: whose.take(),
                basis,
                judged: RefCell::default(),
            });
            (decision, statements, truncated, recheck)
        };
        self.recheck = recheck;
        if let Some(visit) = &self.visit {
            visit.rest();
        }
        match self.failure.take() {
            // The signal ends the run before anything is pressed.
            Some(ConnectError::Interrupted { .. }) => {
                self.rules.push(String::new());
                return Answer::Decline;
            }
            // What could not be looked up is refused for that, but nobody could allow it.
            Some(_) if self.lock().is_some_and(|lease| !lease.lives()) => {
                self.lease_lost = true;
                self.rules.push("the lock on the database was lost".to_owned());
                return Answer::Decline;
            }
            Some(_) | None => {}
        }
        self.truncated.extend(truncated);
        self.statements.extend(statements);
        let is_last = matches!(prompt.kind, Kind::Execute | Kind::DataLoss(_));
        match decision {
            Decision::Choose { choice, because, warnings } => {
                self.rules.push(because.to_string());
                self.console.detail(&format!("  asked: {}", prompt.headline()));
                self.console.detail(&format!("  answered: {} [{because}]", prompt.choices[choice].trim_end()));
                self.renamed.extend(policy::decide::renamed(prompt, choice, &self.schemas));
                if is_last {
                    return self.consent(prompt, choice, warnings);
                }
                warnings.into_iter().for_each(|warning| self.warn(warning));
                self.answered.push((prompt.clone(), choice));
                Answer::Choose(choice)
            }
            Decision::Refuse(refusal) => {
                // What was not planned is not executed anyway; the plan is what has to be looked at then.
                if let (Consent::Planned(plan), true) = (self.mission.consent, is_last) {
                    self.stale = self.other_statements(plan);
                    if self.stale.is_some() {
                        self.rules.push("the plan".to_owned());
                        return Answer::Decline;
                    }
                }
                self.rules.push(refusal.because.as_ref().map(ToString::to_string).unwrap_or_default());
                self.refusals.push(report::Refusal::of(&refusal));
                Answer::Decline
            }
            Decision::Unclear(doubt) => {
                self.rules.push(String::new());
                let ways: Vec<String> = doubt.allow.iter().map(ToString::to_string).collect();
                self.would_answer = (!ways.is_empty()).then(|| ways.join("\n"));
                Answer::Unclear(doubt.reason)
            }
        }
    }

    fn session(&mut self, session: &KitSession) -> Result<(), Held> {
        if session.driver.is_some() {
            return self.other_session(session);
        }
        let told = session.answers.as_deref().and_then(Server::of).ok_or_else(|| {
            let error = session.error.as_deref().unwrap_or("its answer cannot be read");
            Held::Session(format!("a session of drizzle-kit cannot be asked where it is: {error}"))
        })?;
        let elsewhere = match (&self.server, &self.dsn) {
            (Some(server), _) => server.differs(&told),
            // Our own look failed, and the address is all there is to compare.
            (None, Some(dsn)) => {
                let address = dsn.address();
                let is_there = address.database == told.current_database && address.user == told.session_user;
                (!is_there).then(|| format!("it is in {} as {}", told.current_database, told.session_user))
            }
            (None, None) => None,
        };
        if let Some(difference) = elsewhere {
            let place = self.dsn.as_ref().map(ToString::to_string).unwrap_or_default();
            let reason = format!("drizzle-kit's session is not where this run looked ({place}): {difference}");
            return Err(Held::Session(reason));
        }
        self.refuse_misreading(told.misreads())?;
        self.n_sessions += 1;
        Ok(())
    }

    fn query(&mut self, query: &str, consented: bool) -> Result<Option<String>, Held> {
        if let Some(approved) = self.approved.as_mut().filter(|_| consented)
            && approved.take(query)
        {
            return Ok(None);
        }
        sql::read_only::reads(query, self.dialect.unwrap_or(Dialect::Postgres)).map_err(|reason| {
            let approved = if consented { "is not the one that was approved" } else { "was not approved" };
            let query = gate::excerpt(query);
            Held::Query(format!(
                "drizzle-kit was about to send a query that {approved} and is no read ({reason}): {query}"
            ))
        })?;
        match &self.mysql {
            Some(server) if server.is_mariadb() => Ok(mariadb::as_mysql(query)),
            _ => Ok(self.unlisted.without(query)),
        }
    }

    fn is_executing(&mut self, consented: bool) -> bool {
        let executes = consented || (self.mission.asks == Asks::AsItLikes && self.mission.touches == Touches::Database);
        let ours = |dsn: &&Dsn| dsn.application_name() == Some(&self.run_id);
        match self.dsn.as_ref().filter(ours) {
            Some(dsn) if executes => {
                let visit = Visit::to(dsn, OURSELVES, "");
                let looked =
                    visit.and_then(|visit| db::inspect::backends::is_busy(&visit, &self.run_id, self.patience()));
                looked.unwrap_or(false)
            }
            // Nobody can be asked. What was consented to is not cut off half way.
            _ => consented,
        }
    }

    fn is_on_leash(&mut self) -> bool {
        self.lease_lost = self.lock().is_some_and(|lease| !lease.lives());
        !self.lease_lost
    }

    fn loaded(&mut self, file: PathBuf) {
        self.loaded.insert(file);
    }

    fn printed(&mut self, text: &str) {
        self.printed.push_str(text);
        self.show_printed();
    }

    fn progress(&mut self, line: &str) {
        self.console.progress(line);
    }
}

/// Looks whether a command, by all its names, may run in this environment.
///
/// # Errors
/// With the verdict, where it may not.
pub fn allows(policy: &Policy, commands: &[&str], changes_database: bool, env: Env) -> Result<(), Verdict> {
    let banned = commands.iter().find_map(|command| Some((command, policy.bans_command(command)?)));
    if let Some((command, Ban { profile, rule })) = banned {
        let hint = if policy.profile() == Some(profile) {
            "use one of the commands that the profile names, or change its `commands`"
        } else {
            "this environment or host calls for that profile, and --profile is no way around what it bans; run it elsewhere, or change its `when` or its `commands`"
        };
        return Err(guarded(&format!("the profile {profile} does not allow `{command}`"), Some(rule)).hint(hint));
    }
    let banned = policy.bans_environment(env);
    if let (true, Some((rule, variable)), Some(command)) = (changes_database, banned, commands.first()) {
        return Err(guarded(&format!("`{command}` does not run under {variable}"), Some(rule))
            .hint("run it where that variable is not set; or name it among the `commands` of a profile that applies here, in a reviewed line"));
    }
    Ok(())
}

fn reported(config: &Config, dsn: Option<&Dsn>, whereabouts: &Whereabouts) -> report::Target {
    let dialect = config.dialect().to_owned();
    match (dsn, whereabouts) {
        (Some(dsn), _) => report::Target { dialect, schemas: config.schemas(), ..postgres_target(dsn) },
        (None, Whereabouts::Host(host)) => {
            report::Target { dialect, host: Some(host.clone()), ..report::Target::default() }
        }
        (None, Whereabouts::Local | Whereabouts::Hidden) => report::Target { dialect, ..report::Target::default() },
    }
}

/// Returns the verdict for what is not allowed here, with the rule that says so.
fn guarded(summary: &str, rule: Option<&RuleRef>) -> Verdict {
    let rule = rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
    Verdict::nothing(Exit::Guarded, format!("{summary}{rule}"))
}

/// Returns what a report says of a PostgreSQL server.
pub fn postgres_target(dsn: &Dsn) -> report::Target {
    let address = dsn.address();
    report::Target {
        dialect: "postgresql".to_owned(),
        host: Some(address.host.to_string()),
        port: Some(address.port),
        database: Some(address.database.clone()),
        user: Some(address.user.clone()),
        schemas: Vec::new(),
    }
}

/// Says that drizzle-kit works on a database past what holds it.
fn unseen_session(driver: &str) -> Verdict {
    let driver = if driver.is_empty() { "its driver".to_owned() } else { format!("the driver {driver}") };
    Verdict::nothing(
        Exit::Config,
        format!(
            "no session of drizzle-kit with the database was seen, so nothing holds what it sends through {driver}"
        ),
    )
    .hint(
        "use a driver and a version that docs/engines.md names, or apply migrations with drizzle-pilot run -- migrate",
    )
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
            "a name has quotes or control characters, and drizzle-kit puts names into its SQL as they are: {}{more}",
            said(first)
        )
    };
    Verdict::nothing(Exit::UnknownPrompt, summary)
        .hint("rename it (ALTER … RENAME TO), or leave its schema out of schemaFilter; drizzle-kit was not let at the database")
}

/// Returns a name for this run, unique enough to find its sessions in a server.
fn run_id() -> String {
    let since_1970 = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("drizzle-pilot-{}-{:x}", std::process::id(), since_1970.as_micros())
}
