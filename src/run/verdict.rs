//! What a run came to: from how drizzle-kit ended and what it printed to a code, a sentence and a word on the database.

use crate::cli::Shared;
use crate::db;
use crate::kit::config::FailedStatement;
use crate::kit::driver::{self, Ending, Flight, Held};
use crate::kit::outcome::{self, Evidence, KitError, Outcome};
use crate::outcome::{Database, Exit};
use crate::output::report::{self, Verdict};
use crate::project::probe;
use crate::run::advice;
use crate::run::copilot::Copilot;
use crate::run::flight::{Asks, Consent, Mission, Touches};
use crate::term::pty::Ended;

/// Says what a run came to.
pub fn judge(mission: &Mission, shared: &Shared, flight: &Flight, copilot: &mut Copilot) -> Verdict {
    let consented = flight.session.consented();
    if let Some(verdict) = copilot.verdict.take() {
        return verdict;
    }
    let database = mission.left(consented, flight.cleared);
    let when = if consented { "after consent" } else { "before consent" };
    if copilot.lease_lost {
        return lease_lost(database, when);
    }
    match &flight.ending {
        Ending::Finished(ended) => finished(mission, flight, *ended, copilot),
        Ending::Doubted(_) if !consented && copilot.stale.is_some() => stale(copilot),
        Ending::Doubted(doubt) if database != Database::Unchanged => {
            Verdict::maybe(Exit::Unproven, format!("stopped {when}: {doubt}"))
        }
        Ending::Doubted(doubt) => {
            let verdict = Verdict { database, ..Verdict::nothing(Exit::UnknownPrompt, doubt.to_string()) };
            let look = "run with --record FILE.cast and look at it with `drizzle-pilot replay FILE.cast`";
            verdict.hint(match copilot.would_answer.take() {
                Some(ways) => format!("if you know the answer, write it into the policy\n{ways}"),
                None => look.to_owned(),
            })
        }
        Ending::TimedOut { idle } => {
            let summary = if *idle {
                format!(
                    "drizzle-kit printed nothing new for {}, {when}",
                    humantime::format_duration(shared.idle_timeout)
                )
            } else {
                format!("drizzle-kit did not end within {}, {when}", humantime::format_duration(shared.timeout))
            };
            Verdict { database, ..Verdict::nothing(Exit::Timeout, summary) }
                .hint("a lock in the database is the usual reason; --timeout and --idle-timeout set the deadlines")
        }
        Ending::Signalled(signal) => {
            let summary = format!("stopped by {}, {when}", driver::signal_name(*signal));
            Verdict { database, ..Verdict::nothing(Exit::Signal(*signal), summary) }
        }
        Ending::Held(held) => kept(held, database, copilot),
        Ending::OffLeash => internal("watching the lock", &std::io::Error::other("no reason was given")),
        Ending::Flooded => {
            let exit = if database == Database::Unchanged { Exit::Failed } else { Exit::Unproven };
            Verdict {
                database,
                ..Verdict::nothing(exit, "drizzle-kit printed more than a sane program does, and was stopped")
            }
        }
        Ending::NotCleared => internal("ending drizzle-kit", &std::io::Error::other("no reason was given")),
    }
}

/// Says what drizzle-kit was kept from.
fn kept(held: &Held, database: Database, copilot: &Copilot) -> Verdict {
    // Consent alone has executed nothing: what was sent since has.
    let database = if copilot.sent_nothing() { Database::Unchanged } else { database };
    let (exit, reason, hint) = match held {
        Held::Runner(reason) => (Exit::CannotRun, reason, probe::HINT),
        Held::Session(reason) => (
            Exit::Config,
            reason,
            "name the database in drizzle's config so that every driver reads the same: host, port, user and database, \
             and settings by ALTER ROLE or ALTER DATABASE instead of parameters of the URL",
        ),
        Held::Meaning(reason) => (
            Exit::UnknownPrompt,
            reason,
            "take the setting back where it was made: ALTER DATABASE … RESET …, ALTER ROLE … RESET …, or the pooler that leaves \
             start-up options out",
        ),
        Held::Query(reason) => (
            Exit::UnknownPrompt,
            reason,
            "report it with a recording (--record FILE.cast): this version of drizzle-kit sends something that is not known",
        ),
    };
    let exit = if database == Database::Unchanged { exit } else { Exit::Partial };
    Verdict { database, ..Verdict::nothing(exit, reason.clone()) }.hint(hint)
}

/// Says that another run may be changing the database as well, or was until drizzle-kit was stopped.
fn lease_lost(database: Database, when: &str) -> Verdict {
    let exit = if database == Database::Unchanged { Exit::Unavailable } else { Exit::Partial };
    Verdict { database, ..Verdict::nothing(exit, format!("the lock on this database was lost, {when}")) }
        .hint(db::change::lock::LOCK_LOST)
}

/// Says why drizzle's config could not be loaded.
pub fn config_not_loaded(error: &str) -> Verdict {
    let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
    let cause = report::Error { message: error.to_owned(), ..report::Error::default() };
    Verdict::nothing(Exit::Config, format!("drizzle's config cannot be loaded: {first}")).because(cause)
}

/// Says what a run came to that ended by itself.
fn finished(mission: &Mission, flight: &Flight, ended: Ended, copilot: &mut Copilot) -> Verdict {
    let consented = flight.session.consented();
    let text = &flight.session.last_text().lines;
    if let (Some(error), false) = (&flight.config_error, flight.cleared) {
        return config_not_loaded(error);
    }
    let command = mission.kit_command();
    let declined = flight.session.declined();
    let evidence = Evidence {
        command: &command,
        text,
        ended,
        consented,
        declined,
        must_ask: mission.asks == Asks::BeforeExecuting,
        intact: flight.session.last_text().is_intact(),
        writes_files_only: mission.touches == Touches::Files,
    };
    let is_blind = mission.connects() && mission.reads_config() && !flight.cleared;
    let database = mission.left(consented, flight.cleared);
    match outcome::judge(&evidence) {
        Outcome::Done | Outcome::NothingToDo if is_blind => {
            Verdict::maybe(Exit::Unproven, "drizzle-kit ran, and the config it used was not seen").hint(probe::HINT)
        }
        Outcome::Done => {
            let database = match mission.touches {
                Touches::Database => Database::Changed,
                Touches::Reads | Touches::Files => Database::Unchanged,
            };
            let summary = match mission.command {
                "push" => "changes applied".to_owned(),
                "generate" => "migration generated".to_owned(),
                _ => format!("drizzle-kit {command} did what was asked"),
            };
            Verdict { database, ..Verdict::nothing(Exit::Ok, summary) }
        }
        Outcome::NothingToDo if matches!(mission.consent, Consent::Planned(_)) => {
            copilot.stale = Some("drizzle-kit sees nothing to do any more".to_owned());
            stale(copilot)
        }
        Outcome::NothingToDo => Verdict::nothing(Exit::Ok, "no changes"),
        Outcome::Declined if copilot.stale.is_some() => stale(copilot),
        Outcome::Declined if copilot.refusals.is_empty() && (mission.only_plans() || copilot.apart.is_some()) => {
            let n_statements = copilot.statements.len();
            let summary = match n_statements {
                1 => "1 statement, which the policy allows".to_owned(),
                _ => format!("{n_statements} statements, all of which the policy allows"),
            };
            match copilot.keep_plan() {
                Ok(None) => Verdict::nothing(Exit::Changes, summary),
                Ok(Some(file)) => Verdict::nothing(Exit::Changes, format!("{summary}; the plan is in {file}"))
                    .hint(format!("execute exactly this: drizzle-pilot {}", mission.push_of_plan(&file))),
                Err(reason) => Verdict::nothing(Exit::Failed, format!("the plan was not written: {reason}")),
            }
        }
        Outcome::Declined => {
            let n_refused = copilot.refusals.len();
            let summary = if n_refused == 1 {
                "refused by the policy".to_owned()
            } else {
                format!("refused by the policy ({n_refused} questions)")
            };
            // A refusal undoes nothing: what an earlier answer let drizzle-kit do may be done.
            match database {
                Database::Unchanged => Verdict::nothing(Exit::Refused, summary),
                _ => Verdict::maybe(Exit::Partial, format!("{summary}, after drizzle-kit may have begun")),
            }
        }
        Outcome::Disobeyed => Verdict::maybe(Exit::Partial, "drizzle-kit applied changes without consent"),
        Outcome::Unproven => Verdict::maybe(Exit::Unproven, "drizzle-kit ended and showed neither success nor failure")
            .hint("look at the database before anything else; running the same command again shows what is left to do"),
        Outcome::Failed { error, ended } => {
            // The driver's own words are whole, and are there where drizzle-kit prints nothing. What it asks the catalog
            // may fail without harm: of a push, only what it was told to execute counts.
            let is_planned = |failed: &&FailedStatement| {
                let mut planned = copilot.statements.iter();
                mission.asks != Asks::BeforeExecuting
                    || planned.any(|statement| failed.statement.contains(statement.sql.trim()))
            };
            let refused = flight.failed.as_ref().filter(is_planned);
            // Where drizzle-kit says nothing, or nothing was sent yet, it is what ended it; but not once it was told yes.
            let ends_it = |failed: &&FailedStatement| error.is_none() || failed.statement.is_empty();
            let ended_it = flight.failed.as_ref().filter(|failed| !consented && ends_it(failed));
            let told = refused.or(ended_it).map(FailedStatement::error);
            let statement = refused.map(|failed| failed.statement.as_str());
            let verdict = failed(mission, (told.or(error), statement), ended, database, consented, text, copilot);
            match (verdict.error, refused) {
                (Some(error), Some(failed)) if !failed.statement.is_empty() => {
                    let error = Box::new(report::Error { statement: Some(failed.statement.clone()), ..*error });
                    Verdict { error: Some(error), ..verdict }
                }
                (error, _) => Verdict { error, ..verdict },
            }
        }
    }
}

fn failed(
    mission: &Mission,
    (error, statement): (Option<KitError>, Option<&str>),
    ended: Ended,
    database: Database,
    consented: bool,
    text: &[String],
    copilot: &Copilot,
) -> Verdict {
    // The warden says so in words when node itself could not be started.
    let not_started = text.iter().any(|line| line.starts_with("drizzle-pilot: starting "));
    match ended {
        Ended::Code(126) if not_started => return Verdict::nothing(Exit::CannotRun, "drizzle-kit cannot be executed"),
        Ended::Code(127) if not_started => return Verdict::nothing(Exit::NotFound, "node or drizzle-kit is not there"),
        _ => {}
    }
    let is_connection = mission.connects() && error.as_ref().is_none_or(KitError::is_connection);
    // drizzle-kit 0.31.10 and later print no reason for a dead database: then we look ourselves.
    if !consented
        && is_connection
        && let Some(verdict) = copilot.diagnose()
    {
        // A database that is dead by now may have lived for a while: only who asks before executing has executed nothing.
        let exit = match (verdict.exit, database) {
            (Exit::Unavailable, Database::Maybe | Database::Changed) => Exit::Partial,
            (exit, _) => exit,
        };
        return Verdict { exit, database, ..verdict };
    }
    let ended = match ended {
        Ended::Code(code) => format!("exit status {code}"),
        Ended::Signal(signal) => format!("killed by signal {signal}"),
    };
    let no_dialect = copilot.target.as_ref().is_some_and(|target| target.dialect == "unknown");
    let exit = match (database, is_connection && error.is_some()) {
        (Database::Unchanged, _) if no_dialect => Exit::Config,
        (Database::Unchanged, true) => Exit::Unavailable,
        (Database::Unchanged, false) => Exit::Failed,
        _ => Exit::Partial,
    };
    let Some(error) = error else {
        let when = match (consented, database) {
            (true, _) => "after consent",
            (false, Database::Unchanged) => "before anything was asked to be executed",
            (false, Database::Maybe | Database::Changed) => "and what it has done until then is not known",
        };
        let words = if text.iter().all(|line| line.trim().is_empty()) { ", and said nothing" } else { "" };
        return Verdict { database, ..Verdict::nothing(exit, format!("drizzle-kit failed {when} ({ended}){words}")) };
    };
    let migrates = mission.command == "migrate" || mission.known_as() == Some("migrate");
    let hint = error.code.as_deref().and_then(|code| advice::advice(code, &error.text(), statement, migrates));
    let cause = report::Error {
        sqlstate: error.code.clone(),
        message: error.message.clone(),
        detail: error.detail.clone(),
        hint: hint.clone().or_else(|| error.hint.clone()),
        ..report::Error::default()
    };
    let code = error.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let doing = if consented { "a statement failed" } else { "drizzle-kit failed" };
    let verdict = Verdict { database, ..Verdict::nothing(exit, format!("{doing}: {}{code}", error.message)) };
    match hint.or(error.hint) {
        Some(hint) => verdict.because(cause).hint(hint),
        None => verdict.because(cause),
    }
}

/// Returns the verdict for a plan that does not fit any more.
pub fn stale(copilot: &mut Copilot) -> Verdict {
    let reason = copilot.stale.take().unwrap_or_default();
    Verdict::nothing(Exit::StalePlan, format!("the plan does not fit any more: {reason}"))
        .hint("plan again, look at it, and push the new plan")
}

/// Returns the verdict for something that should not happen.
pub fn internal(doing: &str, error: &std::io::Error) -> Verdict {
    Verdict::maybe(Exit::Internal, format!("{doing}: {error}"))
}
