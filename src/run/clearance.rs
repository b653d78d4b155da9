//! Decides, once drizzle's config was read, whether drizzle-kit may go on to its database, and with what.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::command_name::CommandName;
use crate::db::connection::server::QUESTION;
use crate::db::connection::url::DATABASE_URL;
use crate::db::inspect::fingerprint::{self, Fingerprint};
use crate::db::{Connection, Dsn};
use crate::kit::config::{Config, OneOrMany, Overlay};
use crate::kit::engine::{self, Engine};
use crate::kit::hook_channel::{Go, Questions};
use crate::kit::schema_files;
use crate::kit::target_host::{self, TargetHost};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report;
use crate::policy::Policy;
use crate::policy::model::Apply;
use crate::project::{config, engines, guard, incompatible, kit, secrets, target};
use crate::run::context::{Cleared, Files, Looks, OURSELVES, Place, Sessions, Starting};
use crate::run::ending;
use crate::run::permission;
use crate::run::plan_file::Surroundings;
use crate::run::preflight::{APPLICATION_NAME, Inspected, Preflight};
use crate::run::record::RunRecord;
use crate::run::spec::{Consent, Keep, Locking};
use crate::sql::{self, Dialect, PUBLIC};

/// A run that may go on, and what is added to drizzle-kit's environment.
type Clearance = (Cleared, Vec<(&'static str, String)>);

/// Checks the guards that need the config, looks at the database, and returns what is known from then on.
///
/// # Errors
/// With the verdict, where drizzle-kit may not go on.
#[tracing::instrument(skip_all)]
pub(super) fn clear(
    start: &Starting,
    config: &Config,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<Clearance, Verdict> {
    if let Some(warning) = incompatible::ignored(config).filter(|_| start.takes_hints()) {
        console.warn_in(record.report, &warning);
    }
    let narrowed = narrowed(start, config);
    let config = narrowed.as_ref().unwrap_or(config);
    let files = Files::of(config, start.cwd, schema_files::digest(start.cwd, config.schema.as_ref()));
    record.report.out = Some(files.out.clone());
    let dsn = match dsn(start, config) {
        // Where no database is touched none need be named: CI generates without DATABASE_URL.
        Err(_) if !start.spec.connects() => None,
        dsn => dsn?,
    };
    is_where_the_lock_is(start, dsn.as_ref())?;
    console.hide(|secrets| secrets::add_config(secrets, config, dsn.as_ref()));
    record.report.target = Some(reported(config, dsn.as_ref()));
    let policy = permitted(start, config, dsn.as_ref(), record, console)?;
    let place = place(start, config, dsn)?;
    let bridge = match place.engine {
        Some(Engine::Pglite) if start.spec.holds() => {
            let made = tempfile::Builder::new().prefix("drizzle-pilot-").tempdir();
            Some(made.map_err(|error| kit::no_hook_channel(&error))?)
        }
        _ => None,
    };
    let apply = start.apply_by(&policy);
    refuse_what_is_not_there(start, &place, apply)?;
    let mut overlay = start.spec.overlay.clone();
    if narrowed.is_some() {
        overlay.schema_filter = Some(files.schemas.clone());
    }
    let Inspected { mut env, server, lock, unlisted, kept } = match &place.dsn {
        Some(dsn) if start.spec.connects() => {
            Preflight { start, config, dsn, schemas: &files.schemas, apply }.look(&mut overlay, record, console)?
        }
        _ => Inspected::default(),
    };
    // What the schema files may ask for is the database that is meant as well.
    let named = overlay.db_credentials.as_ref().and_then(|credentials| credentials.get("url")?.as_str());
    env.extend(named.map(|url| (DATABASE_URL, url.to_owned())));
    let sessions = Sessions { are_expected: start.spec.connects(), server, bridge, ..Sessions::default() };
    let looks = Looks { lock, ..Looks::default() };
    let mut cleared = Cleared {
        policy,
        apply,
        place,
        files,
        looks,
        sessions,
        unlisted,
        kept,
        seen: None,
        overlay,
        transaction: None,
    };
    cleared.seen = see(start, &cleared, record)?;
    let unlocked = cleared.place.dsn.as_ref().filter(|_| cleared.lock(start).is_none());
    let connection = unlocked.map(|dsn| Connection::to(dsn, OURSELVES, "")).transpose();
    cleared.looks.connection = connection.map_err(|error| start.unseen(&error))?;
    Ok((cleared, env))
}

/// Returns the config with the schemas that drizzle-kit compares, where it names none: drizzle-kit 1.0 compares every schema of
/// the database then, and drops what the schema files do not have. As before 1.0, those are `public` and what the schema files
/// name.
fn narrowed(start: &Starting, config: &Config) -> Option<Config> {
    if !start.takes_hints() || config.schema_filter.is_some() {
        return None;
    }
    let named = schema_files::named(start.cwd, config.schema.as_ref());
    let schemas = [PUBLIC.to_owned()].into_iter().chain(named);
    let schemas: BTreeSet<String> = schemas.collect();
    Some(Config { schema_filter: Some(OneOrMany::Many(schemas.into_iter().collect())), ..config.clone() })
}

/// Returns what drizzle-kit goes on with.
pub(super) fn go(start: &Starting, cleared: &Cleared, env: Vec<(&'static str, String)>) -> Go {
    let questions = Questions {
        postgres: QUESTION,
        mysql: sql::mysql::question(lock_wait(start, cleared.place.dialect)),
        sqlite: sql::sqlite::questions(&cleared.files.migrations_table),
        references: sql::sqlite::REFERENCES,
        most: sql::sqlite::MOST,
    };
    let bridge = cleared.sessions.bridge.as_ref().map(|bridge| bridge.path().to_owned());
    let config: Overlay = cleared.overlay.clone();
    Go { env, config, questions, holds: start.spec.holds(), bridge }
}

/// Returns what a plan depends on beside the database.
pub(super) fn surroundings(start: &Starting, cleared: &Cleared) -> Surroundings {
    Surroundings {
        kit: start.kit_version.as_ref().map(ToString::to_string),
        policy: start.policy_digest.clone(),
        profile: cleared.policy.profile().map(str::to_owned),
        accept_data_loss: start.spec.accept_data_loss,
        apply: cleared.apply,
        schema_files: cleared.files.digest.clone(),
    }
}

/// Reads where drizzle-kit will connect, with the environment it will have; none where that is not PostgreSQL.
fn dsn(start: &Starting, config: &Config) -> Result<Option<Dsn>, Verdict> {
    let env = |name: &str| match name {
        APPLICATION_NAME => Some(start.run_id.clone()),
        name => config::variable_of(config, name),
    };
    target::of_config(config, start.kit_version.as_ref(), start.cwd, &env)
}

/// Makes sure that drizzle-kit goes to the database on which the lock is held for this run.
fn is_where_the_lock_is(start: &Starting, dsn: Option<&Dsn>) -> Result<(), Verdict> {
    let Some(advisory_lock) = start.lent.lock else { return Ok(()) };
    if dsn.is_some_and(|dsn| dsn.address() == advisory_lock.address()) {
        return Ok(());
    }
    let elsewhere = dsn.map_or_else(|| "no PostgreSQL server".to_owned(), ToString::to_string);
    let summary =
        format!("drizzle-kit would connect to {elsewhere}, but this run works on {}", advisory_lock.address());
    Err(Verdict::nothing(Exit::Config, summary).hint("name the same database in drizzle's config"))
}

fn reported(config: &Config, dsn: Option<&Dsn>) -> report::Target {
    let dialect = config.dialect().to_owned();
    match (dsn, target_host::of(config)) {
        (Some(dsn), _) => report::Target { dialect, schemas: config.schemas(), ..report::Target::of_postgres(dsn) },
        (None, TargetHost::Host(host)) => report::Target { dialect, host: Some(host), ..report::Target::default() },
        (None, TargetHost::Local | TargetHost::Hidden) => report::Target { dialect, ..report::Target::default() },
    }
}

/// Picks the policy and asks its guards, where the config can change what was picked before it was read.
fn permitted(
    start: &Starting,
    config: &Config,
    dsn: Option<&Dsn>,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<Policy, Verdict> {
    // drizzle-kit's dotenv may have set what decides.
    let is_changed = start.policies.variables().any(|name| config.variables.contains_key(name));
    if let (Some(policy), false) = (&start.policy, start.policies.needs_host() || is_changed) {
        return Ok(policy.clone());
    }
    let profile = start.shared.profile.as_deref();
    let is_hidden = dsn.is_none() && target_host::of(config) == TargetHost::Hidden && start.spec.connects();
    if is_hidden && start.policies.needs_host() && profile.is_none() {
        let dialect = config.driver.as_deref().unwrap_or(config.dialect());
        let summary = format!("profiles depend on the host, and drizzle's config ({dialect}) does not name it");
        return Err(guard::guarded(&summary, None).hint("specify the profile with --profile"));
    }
    let host = record.report.target.as_ref().and_then(|target| target.host.clone());
    let env = |name: &str| config::variable_of(config, name);
    permission::pick(start.spec, start.policies, profile, host.as_deref(), &env, record.report, console)
}

/// Finds out through what drizzle-kit will speak to the database, and refuses what is not known.
fn place(start: &Starting, config: &Config, dsn: Option<Dsn>) -> Result<Place, Verdict> {
    // Gel's schema can be pulled. A config that names nothing drizzle-kit itself complains of.
    let is_pulled = start.spec.command == CommandName::Run && config.dialect() == "gel";
    if !is_pulled && (config.dialect.is_some() || config.driver.is_some()) {
        engines::known(config, start.kit_version.as_ref())?;
    }
    let engine = match engine::of(config) {
        Ok(engine) => engine,
        Err(unheld) if start.spec.holds() && start.spec.connects() => return Err(engines::not_held(&unheld)),
        Err(_) => None,
    };
    Ok(Place {
        dialect: Dialect::from_name(config.dialect()),
        dialect_name: config.dialect().to_owned(),
        engine,
        driver: config.driver.clone().or_else(|| config.client.clone()),
        dsn,
    })
}

/// Refuses what only PostgreSQL has, where that was asked for.
fn refuse_what_is_not_there(start: &Starting, place: &Place, apply: Apply) -> Result<(), Verdict> {
    if place.dsn.is_some() || !start.spec.connects() {
        return Ok(());
    }
    if start.takes_hints() && place.dialect_name == "unknown" {
        return Err(Verdict::nothing(Exit::Config, "drizzle's config does not name a dialect")
            .hint("add dialect: 'postgresql' to it"));
    }
    if start.takes_hints() {
        let summary = format!(
            "with drizzle-kit 1.0 drizzle-pilot supports PostgreSQL over a socket, and drizzle's config is for {}",
            place.dialect_name
        );
        return Err(Verdict::nothing(Exit::CannotRun, summary)
            .hint("keep drizzle-kit below 1.0, or run it without drizzle-pilot until this is supported"));
    }
    if start.spec.executes() && place.engine == Some(Engine::LibSql) {
        engines::commits_in_vain(place.dialect, start.kit_version.as_ref())?;
    }
    let usage = |summary: String, hint: &str| Err(Verdict::nothing(Exit::Usage, summary).hint(hint));
    let name = &place.dialect_name;
    if start.spec.asks_first() && apply == Apply::Transaction {
        return usage(
            format!("--apply transaction is for PostgreSQL over a socket, and drizzle's config is for {name}"),
            "omit it, or set apply = \"kit\" in the policy: drizzle-kit executes the statements one by one",
        );
    }
    if let (Locking::Take { is_asked: true, .. }, None) = (start.spec.lock, lock_wait(start, place.dialect)) {
        return usage(
            format!("--lock-timeout is for PostgreSQL and MySQL: there is no lock for {name}"),
            "omit it, and make sure that no two runs change the same database",
        );
    }
    Ok(())
}

/// Returns how long drizzle-kit's own session waits for the lock; none where it takes none.
fn lock_wait(start: &Starting, dialect: Option<Dialect>) -> Option<Duration> {
    match start.spec.lock {
        Locking::Take { wait, .. } if dialect == Some(Dialect::MySql) => Some(wait.min(start.clock.rest())),
        Locking::Take { .. } | Locking::Held | Locking::None => None,
    }
}

/// Looks at the schema of the database, where a plan or a transaction depends on it.
fn see(start: &Starting, cleared: &Cleared, record: &RunRecord) -> Result<Option<Fingerprint>, Verdict> {
    let (purpose, is_needed) = match start.spec.consent {
        Consent::Planned | Consent::Never(Keep::File(..)) => ("a plan file", true),
        _ => ("--apply transaction", !start.spec.only_plans() && cleared.apply == Apply::Transaction),
    };
    if !is_needed {
        return Ok(None);
    }
    let Some(dsn) = &cleared.place.dsn else {
        let summary = format!("{purpose} needs a PostgreSQL server to connect to");
        return Err(Verdict::nothing(Exit::Usage, summary));
    };
    let seen = fingerprint::fingerprint(dsn, start.patience()).map_err(|error| start.unseen(&error))?;
    if let Some(plan) = start.lent.plan
        && let Some(reason) =
            plan.moved(&surroundings(start, cleared)).or_else(|| plan.elsewhere(&record.address(), &seen))
    {
        return Err(ending::stale(&reason));
    }
    Ok(Some(seen))
}
