//! `reset`: read the catalog, guard, plan, show, ask, apply, look again; then push or migrate.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{BufRead, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::cli::{PushArgs, ResetArgs, RunArgs, Shared, Then};
use crate::commands::copilot;
use crate::commands::logbook::{self, Logbook, View};
use crate::commands::look::{self, Clock};
use crate::commands::target::{self, Drizzle, Place};
use crate::commands::{push, run};
use crate::console::Console;
use crate::db::apply::{Cut, Effect, Hold, Run};
use crate::db::catalog::{self, Catalog};
use crate::db::guard::{self, Rules, Target};
use crate::db::reach::Relation;
use crate::db::reset::{self, Blockers, Event, ResetError, ResetRun};
use crate::db::reset_plan::{self, Owners, ResetPlan, Schemas, Scope};
use crate::exit::{Database, Exit};
use crate::kit::config::Config;
use crate::policy::model::closest;
use crate::policy::name::{Pattern, Shape};
use crate::policy::{ObjectName, Policy};
use crate::report::{self, Verdict};

const COMMAND: &str = "reset";
/// Time to read the catalog, beside the time of the whole run.
const LOOK: Duration = Duration::from_secs(60);
/// How long the reply to COMMIT may take, where less than that is left of the run's time.
const COMMIT_PATIENCE: Duration = Duration::from_secs(10);

/// Runs the command.
pub fn run(shared: &Shared, args: &ResetArgs, console: &mut Console) -> Exit {
    let started = Instant::now();
    let mut log = Logbook::new(shared);
    let verdict = match attempt(shared, args, started, console, &mut log) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    log.timings.total_ms = started.elapsed().as_secs_f64() * 1e3;
    let exit = log.close(shared, COMMAND, View::Run, console, verdict);
    if exit != Exit::Ok || args.dry_run {
        return exit;
    }
    // The report is that of the reset; what follows says what it did by itself.
    let shared = Shared { report: None, ..shared.clone() };
    match args.then {
        Then::None => exit,
        Then::Push => push::run(&shared, &PushArgs::default(), console),
        Then::Migrate => run::run(&shared, &RunArgs { kit_args: vec![OsString::from("migrate")] }, console),
    }
}

fn attempt(
    shared: &Shared,
    args: &ResetArgs,
    started: Instant,
    console: &mut Console,
    log: &mut Logbook,
) -> Result<Verdict, Verdict> {
    log.promise(shared, COMMAND, console.secrets())?;
    let cwd = logbook::project(shared)?;
    let policies = log.load_policy(shared, &cwd, console)?;
    let Place { dsn, drizzle, .. } = target::find(shared, args.url.as_deref(), &cwd, console)?;
    let clock = Clock::new(started, shared.timeout);

    let catalog = catalog::catalog(&dsn, LOOK.min(clock.rest())).map_err(|error| look::failed(&error, &clock))?;
    log.target = Some(copilot::postgres_target(&dsn));
    let host = log.target.as_ref().and_then(|target| target.host.clone());
    let policy = policies
        .select(shared.profile.as_deref(), &|name| std::env::var(name).ok(), host.as_deref())
        .map_err(|error| Verdict::nothing(Exit::Config, error.to_string()).hint(error.hint()))?;
    log.profile = policy.profile().map(str::to_owned);
    let target = guard::check(&dsn, &catalog.facts, &rules(&policy, args))
        .map_err(|guarded| Verdict::nothing(Exit::Guarded, guarded.to_string()).hint(guarded.hint()))?;
    let plan = reset_plan::plan(&catalog, &scope(args, drizzle.as_ref(), &catalog, console)?)
        .map_err(|refusal| Verdict::nothing(Exit::Refused, refusal.to_string()).hint(refusal.hint()))?;
    log.statements = plan.statements().map(statement).collect();
    show(&plan, &catalog, console);
    if args.dry_run {
        let exit = if plan.is_empty() { Exit::Ok } else { Exit::Changes };
        return Ok(Verdict::nothing(exit, format!("{} objects would be dropped", plan.n_objects)));
    }
    if plan.is_empty() {
        return Ok(Verdict::nothing(Exit::Ok, "there is nothing to drop"));
    }
    ask(args, &catalog, console)?;
    apply(&target, &plan, args, &clock, console)
}

fn rules(policy: &Policy, args: &ResetArgs) -> Rules {
    let banned = policy.bans_command(COMMAND).map(|_| policy.profile().unwrap_or_default().to_owned());
    let signal = policy.bans_environment(&|name| std::env::var(name).ok());
    Rules {
        hosts: policy.guarded_hosts(),
        signals: signal.map(|(rule, variable)| format!("{variable} [{rule}]")).into_iter().collect(),
        banned_by: banned,
        confirmed_database: args.confirm_database.clone(),
    }
}

/// Says what is to go. A name that means nothing in this database is likely to be misspelt.
fn scope(
    args: &ResetArgs,
    drizzle: Option<&Drizzle>,
    catalog: &Catalog,
    console: &mut Console,
) -> Result<Scope, Verdict> {
    let mut keep = BTreeSet::new();
    for text in &args.keep {
        let pattern = Pattern::parse(text, Shape::InSchema)
            .map_err(|error| Verdict::nothing(Exit::Usage, format!("--keep {text}: {error}")))?;
        let found = reset_plan::named(catalog, |schema, name| pattern.matches(&ObjectName::new([schema, name])));
        if found.is_empty() && !catalog.objects.is_empty() {
            let summary = format!("there is nothing called {text} to keep");
            return Err(Verdict::nothing(Exit::Refused, summary).hint("correct the name, or leave --keep out"));
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
    Ok(Scope {
        schemas: if args.all_schemas { Schemas::All } else { Schemas::Named(args.schema.iter().cloned().collect()) },
        keep,
        migrations: Some(Relation { schema, name }),
        owners: if args.other_owners { Owners::Anyone } else { Owners::Us },
    })
}

fn statement(step: &reset_plan::Step) -> report::Statement {
    let objects = step.objects.iter().map(|object| ObjectName::new([object.clone()]).last().to_owned()).collect();
    report::Statement::new(step.sql.clone(), COMMAND.to_owned(), objects, Vec::new())
}

/// Says what is at stake, before anything happens.
fn show(plan: &ResetPlan, catalog: &Catalog, console: &mut Console) {
    let facts = &catalog.facts;
    console.say(&format!("{} of {}: {} objects, about {} rows", facts.database, facts.user, plan.n_objects, plan.rows));
    for (owner, n_objects) in &plan.owners {
        console.say(&format!("  {n_objects} of them belong to {owner}"));
    }
    for taken in &plan.collateral {
        console.say(&format!("  goes along: {}", taken.object));
    }
    for stays in &plan.stays {
        console.detail(&format!("  stays: {} ({})", stays.object, stays.why));
    }
}

/// Asks on a terminal for the name of the database. Elsewhere it needs `--yes`.
fn ask(args: &ResetArgs, catalog: &Catalog, console: &mut Console) -> Result<(), Verdict> {
    if args.yes {
        return Ok(());
    }
    let database = &catalog.facts.database;
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(Verdict::nothing(Exit::Guarded, format!("{database} is not emptied without --yes"))
            .hint("look at it with --dry-run first"));
    }
    console.settle();
    console.insist(&format!("Type the name of the database to empty it ({database}):"));
    let mut typed = String::new();
    let read = std::io::stderr().flush().and_then(|()| std::io::stdin().lock().read_line(&mut typed));
    match read {
        Ok(_) if typed.trim_end() == database => Ok(()),
        _ => Err(Verdict::nothing(Exit::Guarded, "the name was not typed")),
    }
}

fn apply(
    target: &Target,
    plan: &ResetPlan,
    args: &ResetArgs,
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
            let by = if by.is_empty() { "nobody was seen to hold them".to_owned() } else { by.join("; ") };
            said.borrow_mut().warn(&format!("attempt {n_attempts} waited for locks: {by}"));
        }
        Event::Disturbed { n_attempts } => {
            said.borrow_mut().warn(&format!("attempt {n_attempts} looked at something that others dropped meanwhile"));
        }
        Event::InParts { plan } => said.borrow_mut().warn(&in_parts(plan)),
        Event::Part { n_dropped, n_objects } => {
            said.borrow_mut().say(&format!("{n_dropped} of {n_objects} objects are dropped"));
        }
    };
    let run = ResetRun {
        run: Run {
            application_name: &application_name,
            lock: Hold::Take,
            lock_timeout: args.lock_timeout,
            statement_timeout: None,
            deadline: clock.rest(),
            commit_patience: COMMIT_PATIENCE,
        },
        n_attempts: reset::N_ATTEMPTS,
        blockers: if args.terminate_blockers { Blockers::TerminateOwn } else { Blockers::Name },
        watch: &watch,
    };
    let emptied = reset::reset(target, plan, &run).map_err(|error| failed(&error, clock))?;
    let exit = emptied.signal.map_or(Exit::Ok, Exit::Signal);
    if emptied.n_objects == 0 {
        return Ok(Verdict::nothing(exit, "there is nothing to drop any more: another run has done it"));
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
        "{} locks are more than the server has room for ({}): objects go in several transactions; where it stops in the middle, run it again to finish",
        plan.n_locks, plan.lock_capacity
    )
}

/// Says why nothing was dropped; or, where that cannot be known, so.
fn failed(error: &ResetError, clock: &Clock) -> Verdict {
    let exit = match error {
        ResetError::Unready(error) => return look::failed(error, clock),
        ResetError::Locked { .. } | ResetError::Blocked { .. } => Exit::Locked,
        ResetError::LeaseLost => Exit::Unavailable,
        ResetError::Elsewhere { .. } | ResetError::Moved { .. } => Exit::StalePlan,
        ResetError::Refused(_) => Exit::Refused,
        ResetError::Statement { .. }
        | ResetError::Left { .. }
        | ResetError::Unplanned { .. }
        | ResetError::Commit { .. }
        | ResetError::Undone { .. } => Exit::Failed,
        ResetError::Stopped { cut, .. } => match cut {
            Cut::Signal(signal) => Exit::Signal(*signal),
            Cut::Deadline(_) => Exit::Timeout,
            Cut::Lost(_) => Exit::Unavailable,
        },
        ResetError::Unknown { .. } => Exit::Unproven,
        ResetError::Partial { cause, .. } => match **cause {
            ResetError::Stopped { cut: Cut::Signal(signal), .. } => Exit::Signal(signal),
            ResetError::Stopped { cut: Cut::Deadline(_), .. } => Exit::Timeout,
            _ => Exit::Partial,
        },
    };
    let database = match error.effect() {
        Effect::Unchanged => Database::Unchanged,
        Effect::Changed => Database::Changed,
        Effect::Maybe => Database::Maybe,
    };
    Verdict { database, ..Verdict::nothing(exit, error.to_string()) }.hint(error.hint())
}
