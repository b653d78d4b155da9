//! `reset`: read the catalog, guard, plan, show, ask, apply, look again; then push or migrate.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use crate::cli::{ResetArgs, Shared, Then};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::commands::migrate::{self, Migrating};
use crate::commands::status;
use crate::db::change::apply::{Cut, Hold, Run, TransactionError};
use crate::db::connection::url::Env;
use crate::db::inspect::catalog::{self, Catalog, Facts};
use crate::db::inspect::migrations_table;
use crate::db::inspect::reach::Relation;
use crate::db::reset::guard::{self, Guarded, Rules, Target};
use crate::db::reset::plan::{self, Owners, ResetPlan, Room, Schemas, Scope};
use crate::db::reset::{self, Blockers, Event, ResetError, ResetRun};
use crate::db::{AdvisoryLock, Connection, Dsn, limits};
use crate::kit::config::{Config, Overlay};
use crate::migrations::made::{self, Made};
use crate::migrations::snapshot::SnapshotContent;
use crate::migrations::{Folder, disk, state};
use crate::outcome::{Database, Exit, Verdict, signal_name};
use crate::output::console::Console;
use crate::output::record::{Record, View};
use crate::output::{delivery, question, report};
use crate::policy::model::Ban;
use crate::policy::name::{Pattern, Shape};
use crate::policy::{self, CommandLine, ObjectName, Policy, closest};
use crate::project::config::{self, Drizzle};
use crate::project::filters::Filters;
use crate::project::migrations::{self, MigrationsContext};
use crate::project::target::{self, Place};
use crate::project::{self, root, steps, unseen};
use crate::proof::export::Export;
use crate::run::Lent;
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::transaction::{exit_of, of_fault};
use crate::run::{lock, story};
use crate::sql::PUBLIC;
use crate::sql::effect::Kind;
use crate::term::interrupts::Interrupts;

/// Why a step has the lock.
const HELD: &str = "the lock is given back by the last step";
const COMMAND: CommandName = CommandName::Reset;
/// How the tables of drizzle's migrators begin, unless a config says otherwise.
const MIGRATIONS_TABLES: &str = "__drizzle_migrations";

/// Runs the command.
pub fn run(shared: &Shared, args: &ResetArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |clock, console, log| attempt(shared, args, clock, console, log))
}

/// The story: guard what can be guarded, find the database, guard it, lock it, look, plan, show, ask; then the steps.
fn attempt(
    shared: &Shared,
    args: &ResetArgs,
    clock: &Clock,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let cwd = root::find(shared)?;
    // Whoever watches for signals later takes them from whoever does not.
    let mut interrupts = Interrupts::watch().map_err(|error| Verdict::internal("watching for signals", &error))?;
    let policies = project::guard::load(shared, &cwd, console, log)?;
    // The project's own code is not run where the environment alone forbids what follows.
    if !policies.needs_host() {
        let policy = project::guard::select(&policies, &variable, None, shared, log)?;
        guard::admit_environment(&rules(&policy, args, &variable)).map_err(|guarded| refused(&guarded))?;
    }
    let place = target::find(COMMAND, shared, args.url.as_deref(), &cwd, console)?;
    let Place { dsn, named_by, drizzle } = &place;
    log.target = Some(report::Target::of_postgres(dsn));
    let host = log.target.as_ref().and_then(|target| target.host.clone());
    let env = |name: &str| config::variable(drizzle.as_ref(), name);
    let policy = project::guard::select(&policies, &env, host.as_deref(), shared, log)?;
    let rules = rules(&policy, args, &env);
    guard::admit(dsn, &rules).map_err(|guarded| refused(&guarded))?;
    let then = then(args, &policy, drizzle.as_ref())?;
    let variables = variables_of_steps(&policy, &place, console)?;

    // Whoever is to be asked may take his time, and others need not wait for that.
    let connection = lock::connection(dsn, &format!("drizzle-pilot-{} reset", std::process::id()), "", clock)?;
    let held =
        if args.yes && !args.dry_run { Ok(advisory_lock(connection, args, clock, console)?) } else { Err(connection) };
    let connection = held.as_ref().map_or_else(|connection| connection, AdvisoryLock::connection);
    let catalog = catalog::catalog(connection, limits::CATALOG.min(clock.rest()))
        .map_err(|error| unseen::verdict(&error, clock))?;
    let target = guard::check(dsn, &catalog.facts, &rules).map_err(|guarded| refused(&guarded))?;
    // A folder that cannot be read tells of nothing: what the config names is emptied anyway.
    let folder = disk::read(&target::migrations_folder(None, drizzle.as_ref(), &cwd)).ok();
    let scope = scope(args, drizzle.as_ref(), &catalog, folder.as_ref(), console)?;
    not_shared(dsn, drizzle.as_ref(), &scope, folder.as_ref(), clock)?;
    if let (Some(target), Schemas::Named(schemas)) = (&mut log.target, &scope.schemas) {
        target.schemas = schemas.iter().cloned().collect();
    }
    let plan = plan::plan(&catalog, &scope)
        .map_err(|refusal| Verdict::nothing(Exit::Refused, refusal.to_string()).hint(refusal.hint()))?;
    log.statements = plan.statements().map(statement).collect();
    // The rest of the catalog is large, and is read again before anything is dropped.
    let (facts, roles) = (catalog.facts.clone(), catalog.roles.clone());
    drop(catalog);
    show(dsn, named_by, &plan, &facts, args, console);
    let unmakeable = Unmakeable::of(folder.as_ref(), &roles, &plan);
    for told in unmakeable.all() {
        // Whoever migrates by another command should know as well.
        if then != Then::Migrate || !policy.reset().before.is_empty() {
            console.warn(&format!("{told}: a migrate afterwards will fail there"));
        }
    }
    // The steps before may write the migrations, and then they are looked at after them.
    if then == Then::Migrate && policy.reset().before.is_empty() {
        unmakeable.refuse(console)?;
    }
    if args.dry_run {
        for line in policy.reset().before.iter().chain(&policy.reset().after) {
            console.say(&format!("  would run: {}", line.text));
        }
        let exit = if plan.is_empty() { Exit::Ok } else { Exit::Changes };
        return Ok(Verdict::nothing(exit, format!("{} objects would be dropped", plan.n_objects)));
    }
    if !plan.is_empty() {
        // A connection that nobody drives may be cut meanwhile.
        if let Err(connection) = &held {
            connection.rest();
        }
        ask(args, &facts, clock, &mut interrupts, console)?;
    }
    let advisory_lock = match held {
        Ok(advisory_lock) => advisory_lock,
        Err(connection) => advisory_lock(connection, args, clock, console)?,
    };
    let decided = Decided {
        shared,
        args,
        cwd: &cwd,
        policy: &policy,
        target: &target,
        roles: &roles,
        plan: &plan,
        place: &place,
        variables: &variables,
        then,
    };
    let mut run = Steps {
        decided,
        advisory_lock: Some(advisory_lock),
        clock: *clock,
        interrupts,
        console,
        log,
        database: Database::Unchanged,
    };
    run.all()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn refused(guarded: &Guarded) -> Verdict {
    Verdict::nothing(Exit::Guarded, guarded.to_string()).hint(guarded.hint())
}

fn rules(policy: &Policy, args: &ResetArgs, env: Env) -> Rules {
    let banned = policy.bans_command(COMMAND.as_str()).map(|ban| ban.profile.to_owned());
    let signals = policy.bans_emptying(env);
    Rules {
        hosts: policy.guarded_hosts(),
        other_hosts: policy.guarded_hosts_of_others(),
        signals: signals.into_iter().map(|(variable, rule)| format!("{variable} [{rule}]")).collect(),
        banned_by: banned,
        confirmed_database: args.confirm_database.clone(),
    }
}

/// Returns what builds the schema again, after a look that it could.
fn then(args: &ResetArgs, policy: &Policy, drizzle: Option<&Drizzle>) -> Result<Then, Verdict> {
    let then = args.then.unwrap_or(match policy.reset().then {
        Some(policy::model::Then::Push) => Then::Push,
        Some(policy::model::Then::Migrate) => Then::Migrate,
        Some(policy::model::Then::Nothing) | None => Then::None,
    });
    let Some(command) = then.command() else { return Ok(then) };
    if args.dry_run {
        return Ok(then);
    }
    if let Some(Ban { profile, rule }) = policy.bans_command(command) {
        let summary = format!("the profile {profile} does not allow `{command}`, which is to follow [{rule}]");
        return Err(Verdict::nothing(Exit::Guarded, summary).hint("reset with --then none, or change its `commands`"));
    }
    if drizzle.is_none() {
        let summary = format!("`{command}` is to follow, but there is no drizzle config for it");
        return Err(
            Verdict::nothing(Exit::Config, summary).hint("specify the project with --cwd, or reset with --then none")
        );
    }
    Ok(then)
}

/// Returns the variables that the commands of the policy get: they find the very database that is emptied, wherever that was
/// named.
fn variables_of_steps(
    policy: &Policy,
    place: &Place,
    console: &mut Console,
) -> Result<Vec<(&'static str, Option<String>)>, Verdict> {
    let policy::model::Reset { before, after, .. } = policy.reset();
    if before.is_empty() && after.is_empty() {
        return Ok(Vec::new());
    }
    let dsn = &place.dsn;
    let variables = dsn.variables().map_err(|error| {
        Verdict::nothing(Exit::Config, format!("the commands before and after cannot be given this database: {error}"))
            .hint(error.hint())
    })?;
    let is_set = |name: &str| variables.iter().any(|(known, _)| *known == name);
    let ours =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    for (name, value) in ours.filter(|(name, _)| !is_set(name)) {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| value.starts_with(scheme));
        let elsewhere = Dsn::from_url(&value, &variable).is_ok_and(|other| other.address() != dsn.address());
        if is_url && elsewhere {
            console.warn(&format!(
                "{name} names another database than {dsn}, and the commands before and after inherit it"
            ));
        }
    }
    Ok(variables)
}

/// Takes the lock for all of the steps.
fn advisory_lock(
    connection: Connection,
    args: &ResetArgs,
    clock: &Clock,
    console: &mut Console,
) -> Result<AdvisoryLock, Verdict> {
    lock::take(connection, args.lock_timeout * reset::N_ATTEMPTS, clock, console)
}

/// Says what is to go. A name that means nothing in this database is likely to be misspelt.
fn scope(
    args: &ResetArgs,
    drizzle: Option<&Drizzle>,
    catalog: &Catalog,
    folder: Option<&Folder>,
    console: &mut Console,
) -> Result<Scope, Verdict> {
    let mut keep = BTreeSet::new();
    for text in &args.keep {
        let pattern = Pattern::parse(text, Shape::InSchema)
            .map_err(|error| Verdict::nothing(Exit::Usage, format!("--keep {text}: {error}")))?;
        let found = plan::named(catalog, |schema, name| pattern.matches(&ObjectName::new([schema, name])));
        if found.is_empty() && !catalog.objects.is_empty() {
            let summary = format!("there is nothing named {text} to keep");
            return Err(Verdict::nothing(Exit::Refused, summary).hint("correct the name, or omit --keep"));
        }
        keep.extend(found);
    }
    let existing = || catalog.schemas.iter().map(|schema| schema.name.as_str());
    for name in args.schema.iter().filter(|name| existing().all(|existing| existing != **name)) {
        let others = existing().filter(|existing| !args.schema.iter().any(|named| named == existing));
        if let Some(close) = closest(name, others) {
            let summary = format!("there is no schema {name}");
            return Err(Verdict::nothing(Exit::Refused, summary).hint(format!("did you mean {close}?")));
        }
        // A reset drops it, and what follows may make it again.
        console.warn(&format!("there is no schema {name}"));
    }
    // It goes as well, or migrate would take the empty database for a full one.
    let (schema, name) =
        drizzle.map_or_else(|| Config::default().migrations_table(), |drizzle| drizzle.config.migrations_table());
    let filters = Filters::of(drizzle);
    let is_migrations_table = |found_schema: &str, found: &str| found_schema == schema && found == name;
    let mut others = BTreeSet::new();
    if !args.all_schemas {
        others.extend(plan::relations(catalog, |in_schema, found| {
            let is_emptied = if args.schema.is_empty() {
                !filters.leave_out_schema(in_schema)
            } else {
                args.schema.iter().any(|it| it == in_schema)
            };
            is_emptied && !is_migrations_table(in_schema, found) && filters.leave_out_table(found)
        }));
    }
    let schemas = if args.all_schemas {
        Schemas::All
    } else if args.schema.is_empty() {
        let mut schemas = drizzle.map_or_else(|| vec![PUBLIC.to_owned()], |drizzle| drizzle.config.schemas());
        // Beside our own table there may be those of other projects.
        let is_theirs = |in_schema: &str, found: &str| in_schema == schema && found != name;
        let beside = match schemas.contains(&schema) {
            true => plan::relations(catalog, |in_schema, found| {
                is_theirs(in_schema, found) && found.starts_with(MIGRATIONS_TABLES)
            }),
            false => plan::relations(catalog, is_theirs),
        };
        if beside.is_empty() || schemas.contains(&schema) {
            schemas.push(schema.clone());
        }
        others.extend(beside);
        schemas.extend(folder.map(schemas_of_snapshot).unwrap_or_default());
        // Nobody named them here, so one that is not there is no slip of the pen.
        schemas.retain(|name| catalog.schemas.iter().any(|found| found.name == *name));
        Schemas::Named(schemas.into_iter().collect())
    } else {
        Schemas::Named(args.schema.iter().cloned().collect())
    };
    for Relation { schema, name } in &others {
        console.say(&format!(
            "{schema}.{name} is kept: drizzle's config excludes it from this project; --all-schemas drops it as well"
        ));
    }
    keep.extend(plan::needed_by(catalog, &others));
    keep.extend(others);
    let owners = if args.other_owners { Owners::Anyone } else { Owners::Us };
    Ok(Scope { schemas, keep, migrations: Some(Relation { schema, name }), owners })
}

/// Refuses to take a migrations table away from another project: its filters say that the database is shared, and the table has
/// rows that no file of this project explains.
fn not_shared(
    dsn: &Dsn,
    drizzle: Option<&Drizzle>,
    scope: &Scope,
    folder: Option<&Folder>,
    clock: &Clock,
) -> Result<(), Verdict> {
    let filters = Filters::of(drizzle);
    let (Some(table), Some(folder), true) = (&scope.migrations, folder, filters.say_something()) else { return Ok(()) };
    let Ok(journal) = folder.journal() else { return Ok(()) };
    if scope.schemas == Schemas::All {
        return Ok(());
    }
    let migrations_table = migrations_table::inspect(dsn, table, limits::CATALOG.min(clock.rest()))
        .map_err(|error| unseen::verdict(&error, clock))?;
    let n_others = state::compare(folder, journal, &migrations::records(&migrations_table)).unknown.len();
    let has_others = migrations_table.tables.iter().any(|table| filters.leave_out(&table.schema, &table.name));
    if n_others == 0 || !has_others {
        return Ok(());
    }
    let summary = format!(
        "{}.{} has {n_others} {} that no file of this project explains, and the database has tables that drizzle's config \
         excludes: the migrations table belongs to another project as well",
        table.schema,
        table.name,
        if n_others == 1 { "row" } else { "rows" }
    );
    Err(Verdict::nothing(Exit::Refused, summary).hint(status::SHARED_TABLE))
}

/// Returns the schemas of the tables in the last snapshot.
fn schemas_of_snapshot(folder: &Folder) -> Vec<String> {
    match folder.snapshots.last().map(|last| &last.content) {
        Some(SnapshotContent::Read { tables, .. }) => {
            tables.iter().filter_map(|table| table.parts().first().cloned()).collect()
        }
        _ => Vec::new(),
    }
}

/// What the migrations make and what stays: they cannot be applied after such a reset.
#[derive(Default)]
struct Unmakeable {
    certain: Vec<String>,
    /// A statement that nobody understands may have seen to it.
    in_doubt: Vec<String>,
}

impl Unmakeable {
    fn of(folder: Option<&Folder>, roles: &BTreeSet<String>, plan: &ResetPlan) -> Unmakeable {
        let mut found = Unmakeable::default();
        for Made { kind, name, file, in_doubt } in folder.map(made::made).unwrap_or_default() {
            let is_left = |may_be: &dyn Fn(&str) -> bool| {
                let named = |left: &Relation| name.parts() == [left.schema.as_str(), left.name.as_str()];
                plan.left.iter().any(|(kind, left)| may_be(kind) && named(left))
            };
            let (what, is_left) = match kind {
                Kind::Role => ("role", roles.contains(name.last())),
                Kind::Schema => ("schema", plan.schemas_left.contains(name.last())),
                Kind::Type => ("type", is_left(&|_| true)),
                Kind::Table => ("table", is_left(&|kind| kind != "type")),
                Kind::View | Kind::MaterializedView => ("view", is_left(&|kind| kind != "type")),
                Kind::Sequence => ("sequence", is_left(&|kind| kind != "type")),
                Kind::Index => ("index", is_left(&|kind| kind != "type")),
                Kind::Column | Kind::Constraint | Kind::Policy => continue,
            };
            if is_left {
                let told = format!("{what} {name} stays, and {file} creates it");
                if in_doubt { found.in_doubt.push(told) } else { found.certain.push(told) }
            }
        }
        found
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.certain.iter().chain(&self.in_doubt)
    }

    /// Refuses to empty what could not be built again.
    fn refuse(&self, console: &mut Console) -> Result<(), Verdict> {
        if self.certain.is_empty() {
            for told in &self.in_doubt {
                console.warn(&format!("{told}: the migrate afterwards may fail there"));
            }
            return Ok(());
        }
        let summary = format!("the migrations could not be applied afterwards:\n  {}", self.certain.join("\n  "));
        Err(Verdict::nothing(Exit::Refused, summary).hint(
            "drop it first (a role with DROP ROLE), include it in the scope, let the migration create it only if it does not exist, or \
             reset with --then none",
        ))
    }
}

/// What was decided, by all that was asked for and looked at.
struct Decided<'a> {
    shared: &'a Shared,
    args: &'a ResetArgs,
    cwd: &'a Path,
    policy: &'a Policy,
    target: &'a Target,
    /// Of the cluster.
    roles: &'a BTreeSet<String>,
    plan: &'a ResetPlan,
    place: &'a Place,
    /// Those of its commands.
    variables: &'a [(&'static str, Option<String>)],
    then: Then,
}

/// Everything that happens after that, in its order. One lock is held over all of it.
struct Steps<'a> {
    decided: Decided<'a>,
    /// `None` once the last step has given the lock back.
    advisory_lock: Option<AdvisoryLock>,
    clock: Clock,
    interrupts: Interrupts,
    console: &'a mut Console,
    log: &'a mut Record,
    /// What the steps so far did to it.
    database: Database,
}

impl Steps<'_> {
    /// Runs the steps up to the first that fails.
    fn all(&mut self) -> Result<Verdict, Verdict> {
        let policy::model::Reset { before, after, .. } = self.decided.policy.reset();
        let n_steps = before.len() + 1 + usize::from(self.decided.then.command().is_some()) + after.len();
        for line in before {
            self.step(n_steps, &line.text, |steps| steps.command(line))?;
        }
        // What could not be built again is not dropped. The commands before may have written the migrations.
        let context = match self.decided.then {
            Then::Migrate => {
                let context = self.context()?;
                let unmakeable = Unmakeable::of(Some(&context.folder), self.decided.roles, self.decided.plan);
                unmakeable.refuse(self.console).map_err(|verdict| self.failed("reading the migrations", verdict))?;
                Some(context)
            }
            Then::Push | Then::None => None,
        };
        let emptied = self.step(n_steps, COMMAND.as_str(), Steps::empty)?;
        if let Some(command) = self.decided.then.command() {
            self.step(n_steps, command, |steps| match &context {
                Some(context) => steps.migrate(context),
                None => steps.push(),
            })?;
        }
        for line in after {
            self.step(n_steps, &line.text, |steps| steps.command(line))?;
        }
        let done: Vec<&str> =
            self.log.steps.iter().filter(|step| step.name != COMMAND.as_str()).map(|step| &*step.name).collect();
        let summary = match done.as_slice() {
            [] => emptied.summary,
            done => format!("{}; then: {}", emptied.summary, done.join(", ")),
        };
        Ok(Verdict { summary, database: self.database, ..emptied })
    }

    /// Runs a step, shows it, and takes its time.
    fn step(
        &mut self,
        n_steps: usize,
        name: &str,
        run: impl FnOnce(&mut Self) -> Result<Verdict, Verdict>,
    ) -> Result<Verdict, Verdict> {
        if let Some(signal) = self.interrupts.came() {
            let summary = format!("stopped by {} before {name}", signal_name(signal));
            return Err(Verdict { database: self.database, ..Verdict::nothing(Exit::Signal(signal), summary) });
        }
        let started = Instant::now();
        let n_before = self.log.steps.len();
        if n_steps > 1 {
            self.console.say(&format!("step {} of {n_steps}: {name}", n_before + 1));
        }
        let ended = run(self);
        let verdict = ended.as_ref().unwrap_or_else(|verdict| verdict);
        let took = started.elapsed();
        if n_steps > 1 {
            self.console.say(&format!("  {}: {} ({:.1} s)", name, verdict.summary, took.as_secs_f64()));
            self.log.steps.push(report::Step {
                name: name.to_owned(),
                outcome: verdict.exit.name().to_owned(),
                summary: verdict.summary.clone(),
                ms: took.as_secs_f64() * 1e3,
            });
        }
        match ended {
            Ok(verdict) => {
                self.database = worse(self.database, verdict.database);
                Ok(verdict)
            }
            Err(verdict) => Err(self.failed(name, verdict)),
        }
    }

    /// Says what a failed step leaves behind: what the steps before it did stays.
    fn failed(&self, name: &str, verdict: Verdict) -> Verdict {
        if self.database == Database::Unchanged {
            return verdict;
        }
        let exit = match verdict.exit {
            // These say themselves what the database is.
            Exit::Partial | Exit::Unproven | Exit::Timeout | Exit::Signal(_) | Exit::Internal => verdict.exit,
            _ => Exit::Partial,
        };
        let was = if exit == verdict.exit { String::new() } else { format!(" ({})", verdict.exit.name()) };
        let summary = format!("the database was emptied, and {name} failed{was}: {}", verdict.summary);
        Verdict { exit, summary, database: worse(self.database, verdict.database), ..verdict }
    }

    /// Runs a command line of the policy.
    fn command(&mut self, line: &CommandLine) -> Result<Verdict, Verdict> {
        steps::run(line, self.decided.cwd, self.decided.variables, &self.clock, &mut self.interrupts, self.console)?;
        Ok(Verdict::nothing(Exit::Ok, "done"))
    }

    /// Empties the database.
    fn empty(&mut self) -> Result<Verdict, Verdict> {
        if self.decided.plan.is_empty() {
            return Ok(Verdict::nothing(Exit::Ok, "there is nothing to drop"));
        }
        // The transaction that empties it gives the lock back, unless something is to follow.
        let is_last = self.decided.then.command().is_none() && self.decided.policy.reset().after.is_empty();
        let advisory_lock = if is_last {
            Lock::Release(Box::new(self.advisory_lock.take().expect(HELD)))
        } else {
            Lock::Keep(self.advisory_lock.as_ref().expect(HELD))
        };
        apply(self.decided.target, self.decided.plan, self.decided.args, advisory_lock, &self.clock, self.console)
    }

    /// Reads the migrations, and looks whether an empty database can have them.
    fn context(&mut self) -> Result<MigrationsContext, Verdict> {
        let found = MigrationsContext::of(self.decided.place.clone(), None, self.decided.cwd);
        let context = found.map_err(|verdict| self.failed("reading the migrations", verdict))?;
        migrate::rebuilds(&context, self.decided.policy, self.log)?;
        Ok(context)
    }

    /// Builds the schema by push, on the very database that was emptied.
    fn push(&mut self) -> Result<Verdict, Verdict> {
        let kit_args = [OsString::from("push")];
        let credentials = self.decided.args.url.as_ref().map(|url| serde_json::json!({ "url": url }));
        let spec = RunSpec {
            command: CommandName::Push,
            kit_args: &kit_args,
            asks: Asks::BeforeExecuting,
            touches: Touches::Database,
            consent: Consent::ByPolicy,
            apply: None,
            accept_data_loss: false,
            overlay: Overlay { db_credentials: credentials, ..Overlay::default() },
            lock: Locking::Held,
        };
        let shared = self.shared();
        let mut record = Record::new(shared.profile.as_deref());
        let schema_files = Export::new(&shared, CommandName::Push);
        let lent = Lent { lock: Some(self.advisory_lock.as_ref().expect(HELD)), ..Lent::schema_files(&schema_files) };
        let verdict = story::run(&shared, &spec, &lent, self.console, &mut record);
        self.note(record);
        if verdict.exit == Exit::Ok { Ok(verdict) } else { Err(verdict) }
    }

    /// Builds the schema by its migrations, on the very database that was emptied.
    fn migrate(&mut self, context: &MigrationsContext) -> Result<Verdict, Verdict> {
        let shared = self.shared();
        let mut log = Record::new(shared.profile.as_deref());
        let migrating = Migrating {
            shared: &shared,
            policy: self.decided.policy,
            context,
            url: self.decided.args.url.as_deref(),
            migrations: None,
            kit_args: &[],
            advisory_lock: self.advisory_lock.as_ref().expect(HELD),
            clock: &self.clock,
            cwd: self.decided.cwd,
        };
        let ended = migrating.run(self.console, &mut log);
        self.note(log);
        ended
    }

    /// Returns what a step of its own is told. The report is that of the whole run.
    fn shared(&self) -> Shared {
        Shared { report: None, timeout: self.clock.rest(), ..self.decided.shared.clone() }
    }

    /// Takes what a step noted into the report.
    fn note(&mut self, step: Record) {
        let Record { kit, prompts, statements, migrations, warnings, refusals, .. } = step;
        self.log.kit = kit;
        self.log.prompts.extend(prompts);
        self.log.statements.extend(statements);
        self.log.migrations = migrations;
        self.log.warnings.extend(warnings);
        self.log.refusals.extend(refusals);
    }
}

fn worse(one: Database, other: Database) -> Database {
    match (one, other) {
        (Database::Maybe, _) | (_, Database::Maybe) => Database::Maybe,
        (Database::Changed, _) | (_, Database::Changed) => Database::Changed,
        (Database::Unchanged, Database::Unchanged) => Database::Unchanged,
    }
}

fn statement(step: &plan::Step) -> report::Statement {
    let objects = step.objects.iter().map(|object| ObjectName::new([object.clone()]).last().to_owned()).collect();
    report::Statement::new(step.sql.clone(), COMMAND.as_str().to_owned(), objects, Vec::new())
}

/// Says what is at stake, before anything happens.
fn show(dsn: &Dsn, named_by: &str, plan: &ResetPlan, facts: &Facts, args: &ResetArgs, console: &mut Console) {
    let address = dsn.address();
    let user = &facts.user;
    console.say(&format!("database {} on {} as {user}, named by {named_by}", facts.database, address.server()));
    let schemas = match &plan.scope.schemas {
        Schemas::All => "all schemas".to_owned(),
        Schemas::Named(names) if names.is_empty() => "no schema".to_owned(),
        Schemas::Named(names) => format!("schemas {}", names.iter().cloned().collect::<Vec<_>>().join(", ")),
    };
    console.say(&format!("  at stake: {} objects and about {} rows in {schemas}", plan.n_objects, plan.rows));
    for (owner, n_objects) in &plan.owners {
        console.say(&format!("  {n_objects} of them are owned by {owner}"));
    }
    for taken in &plan.collateral {
        console.say(&format!("  also drops: {}", taken.object));
    }
    for stays in &plan.stays {
        console.detail(&format!("  stays: {} ({})", stays.object, stays.why));
    }
    if args.dry_run {
        if plan.room() == Room::No {
            console.say(&format!("  {}", in_parts(plan)));
        }
        for step in plan.statements() {
            console.say(&format!("  {}: {}", step.why, step.objects.join(", ")));
        }
    }
}

/// Asks on a terminal for the name of the database. Elsewhere it needs `--yes`.
fn ask(
    args: &ResetArgs,
    facts: &Facts,
    clock: &Clock,
    interrupts: &mut Interrupts,
    console: &mut Console,
) -> Result<(), Verdict> {
    if args.yes {
        return Ok(());
    }
    let database = &facts.database;
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Verdict::nothing(Exit::Guarded, format!("database {database} is not emptied without --yes"))
            .hint("show what would happen with --dry-run first"));
    }
    let question = format!("Type the name of the database to empty it ({database}):");
    if question::line(&question, Exit::Guarded, clock, interrupts, console)? != *database {
        return Err(Verdict::nothing(Exit::Guarded, "the name was not typed"));
    }
    Ok(())
}

/// What becomes of the lock once the database is empty.
enum Lock<'a> {
    /// Other steps follow.
    Keep(&'a AdvisoryLock),
    Release(Box<AdvisoryLock>),
}

fn apply(
    target: &Target,
    plan: &ResetPlan,
    args: &ResetArgs,
    lock: Lock<'_>,
    clock: &Clock,
    console: &mut Console,
) -> Result<Verdict, Verdict> {
    let application_name = format!("drizzle-pilot-{} reset", std::process::id());
    let said = std::cell::RefCell::new(console);
    let watch = |event: Event<'_>| match event {
        Event::Step { idx, n_steps, step } => {
            said.borrow_mut().progress(&format!("{} of {n_steps}: {}", idx + 1, step.why));
        }
        Event::Blocked { n_attempts, by } => {
            let by: Vec<String> = by.iter().map(ToString::to_string).collect();
            let by = if by.is_empty() { "no session was seen holding them".to_owned() } else { by.join("; ") };
            said.borrow_mut().warn(&format!("attempt {n_attempts} waited for locks: {by}"));
        }
        Event::Disturbed { n_attempts } => {
            said.borrow_mut().warn(&format!(
                "attempt {n_attempts} inspected an object that another session dropped in the meantime"
            ));
        }
        Event::InParts { plan } => said.borrow_mut().warn(&in_parts(plan)),
        Event::Part { n_dropped, n_objects } => {
            said.borrow_mut().say(&format!("{n_dropped} of {n_objects} objects are dropped"));
        }
    };
    let run = ResetRun {
        run: Run {
            application_name: &application_name,
            lock: match &lock {
                Lock::Keep(advisory_lock) => Hold::Held(advisory_lock),
                Lock::Release(_) => Hold::Take,
            },
            lock_timeout: args.lock_timeout,
            statement_timeout: None,
            deadline: clock.rest(),
            commit_patience: limits::COMMIT,
        },
        n_attempts: reset::N_ATTEMPTS,
        blockers: if args.terminate_blockers { Blockers::TerminateOwn } else { Blockers::Name },
        watch: &watch,
    };
    let emptied = match lock {
        Lock::Keep(_) => reset::reset(target, plan, &run),
        Lock::Release(advisory_lock) => reset::reset_and_release(*advisory_lock, target, plan, &run),
    };
    let emptied = emptied.map_err(|error| failed(&error, clock))?;
    let exit = emptied.signal.map_or(Exit::Ok, Exit::Signal);
    if emptied.n_objects == 0 {
        return Ok(Verdict::nothing(exit, "there is nothing left to drop: another run did it"));
    }
    let transactions = match emptied.n_transactions {
        1 => "one transaction".to_owned(),
        n_transactions => format!("{n_transactions} transactions"),
    };
    let summary = format!("{} objects dropped in {transactions}, and none is left", emptied.n_objects);
    Ok(Verdict { database: Database::Changed, ..Verdict::nothing(exit, summary) })
}

/// Says that it cannot be all or nothing.
fn in_parts(plan: &ResetPlan) -> String {
    format!(
        "{} locks are more than the server has room for ({}): objects are dropped in several transactions; if the reset stops halfway, run it again to finish",
        plan.locks.n_locks, plan.locks.capacity
    )
}

/// Says why nothing was dropped; or, where that cannot be known, so.
fn failed(error: &ResetError, clock: &Clock) -> Verdict {
    let exit = match error {
        ResetError::Transaction(TransactionError::Unready(error)) => return unseen::verdict(error, clock),
        ResetError::Transaction(error) => exit_of(error),
        ResetError::Moved { .. } => Exit::StalePlan,
        ResetError::Refused(_) => Exit::Refused,
        ResetError::Statement { .. } | ResetError::Left { .. } | ResetError::Unplanned { .. } => Exit::Failed,
        ResetError::Partial { cause, .. } => match &**cause {
            ResetError::Transaction(
                error @ TransactionError::Stopped { cut: Cut::Signal(_) | Cut::Deadline(_), .. },
            ) => exit_of(error),
            _ => Exit::Partial,
        },
    };
    let verdict =
        Verdict { database: error.database(), ..Verdict::nothing(exit, error.to_string()) }.hint(error.hint());
    match error.cause() {
        Some((fault, statement)) => verdict.because(of_fault(fault, statement)),
        None => verdict,
    }
}
