//! How a run ends: from what it was started for, what it learned and how drizzle-kit ended. Pure, and the only place that
//! calls a run done.

use std::time::Duration;

use crate::command_name::CommandName;
use crate::compare::phantom;
use crate::kit::config::FailedStatement;
use crate::kit::outcome::{self, Evidence, KitError, Outcome};
use crate::kit::run::{Ending as KitEnding, Held, KitRun};
use crate::outcome::{Database, Error, Exit, LOCK_LOST, Verdict, signal_name};
use crate::run::advice;
use crate::run::record::{Approval, RunRecord, Stop};
use crate::run::spec::{Consent, RunSpec, Touches};
use crate::term::ended::Ended;

/// How a run ends, as far as nobody has to look at anything else.
#[derive(Debug)]
pub(super) enum Ending {
    /// With this.
    Over(Verdict),
    /// The plan stands, in these words, and may be written to a file.
    Planned(String),
    /// The statements are approved, and are to be run in one transaction. With this, where nobody does.
    Approved(Verdict),
    /// With this; unless the database cannot be reached, which drizzle-kit did not say.
    UnlessUnreachable(Verdict),
}

/// The deadlines of a run, for messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub whole: Duration,
    pub idle: Duration,
}

/// Says how a run ends.
pub(super) fn judge(spec: &RunSpec, limits: Limits, record: &RunRecord, run: &KitRun) -> Ending {
    let consented = run.seen.consented;
    let database = spec.left(consented, run.cleared);
    let when = if consented { "after consent" } else { "before consent" };
    match (&record.stop, &run.ending) {
        (Some(Stop::Verdict(verdict)), _) => Ending::Over(verdict.clone()),
        (Some(Stop::LockLost), _) => Ending::Over(lock_lost(database, when)),
        (_, KitEnding::Finished(ended)) => finished(spec, record, run, *ended),
        (Some(Stop::Stale(reason)), KitEnding::Doubted(_)) if !consented => Ending::Over(stale(reason)),
        (_, stopped) => Ending::Over(stopped_early(stopped, limits, record, database, when)),
    }
}

/// Says how a run ends in which drizzle-kit was stopped.
fn stopped_early(ending: &KitEnding, limits: Limits, record: &RunRecord, database: Database, when: &str) -> Verdict {
    let with = |exit, summary: String| Verdict { database, ..Verdict::nothing(exit, summary) };
    match ending {
        KitEnding::Doubted(doubt) if database != Database::Unchanged => {
            Verdict::maybe(Exit::Unproven, format!("stopped {when}: {doubt}"))
        }
        KitEnding::Doubted(doubt) => {
            let look = "run with --record FILE.cast and inspect it with `drizzle-pilot replay FILE.cast`";
            with(Exit::UnknownPrompt, doubt.to_string()).hint(match &record.answers.would_answer {
                Some(ways) => format!("if you know the answer, write it into the policy\n{ways}"),
                None => look.to_owned(),
            })
        }
        KitEnding::TimedOut { idle } => {
            let summary = if *idle {
                format!("drizzle-kit printed nothing new for {}, {when}", humantime::format_duration(limits.idle))
            } else {
                format!("drizzle-kit did not end within {}, {when}", humantime::format_duration(limits.whole))
            };
            with(Exit::Timeout, summary)
                .hint("the usual reason is a lock in the database; --timeout and --idle-timeout set the deadlines")
        }
        KitEnding::Signalled(signal) => {
            with(Exit::Signal(*signal), format!("stopped by {}, {when}", signal_name(*signal)))
        }
        KitEnding::Held(held) => kept(held, database, record),
        KitEnding::Flooded => {
            let exit = if database == Database::Unchanged { Exit::Failed } else { Exit::Unproven };
            with(exit, "drizzle-kit printed more than 64 MiB and was stopped".to_owned())
        }
        KitEnding::LockLost => unexplained("watching the lock"),
        KitEnding::Aborted | KitEnding::Finished(_) => unexplained("ending drizzle-kit"),
    }
}

/// Returns the verdict for a stop whose reason nobody took note of.
fn unexplained(doing: &str) -> Verdict {
    Verdict::internal(doing, &std::io::Error::other("no reason was given"))
}

/// Says what drizzle-kit was kept from.
fn kept(held: &Held, database: Database, record: &RunRecord) -> Verdict {
    // Consent alone has executed nothing: what was sent since has.
    let database = if record.sent_nothing() { Database::Unchanged } else { database };
    let (exit, reason, hint) = match held {
        Held::Runner(reason) => (Exit::CannotRun, reason, outcome::NEEDS_HOOK),
        Held::Session(reason) => (
            Exit::Config,
            reason,
            "in drizzle's config, specify host, port, user and database, which every driver reads alike, and make \
             settings with ALTER ROLE or ALTER DATABASE instead of URL parameters",
        ),
        Held::Meaning(reason) => (
            Exit::UnknownPrompt,
            reason,
            "reset the setting where it was made: ALTER DATABASE … RESET …, ALTER ROLE … RESET …, or fix the pooler that drops \
             start-up options",
        ),
        Held::Query(reason) => (
            Exit::UnknownPrompt,
            reason,
            "report it with a recording (--record FILE.cast): this version of drizzle-kit sends an unknown query",
        ),
    };
    let exit = if database == Database::Unchanged { exit } else { Exit::Partial };
    Verdict { database, ..Verdict::nothing(exit, reason.clone()) }.hint(hint)
}

/// Says that another run may be changing the database as well, or was until drizzle-kit was stopped.
fn lock_lost(database: Database, when: &str) -> Verdict {
    let exit = if database == Database::Unchanged { Exit::Unavailable } else { Exit::Partial };
    Verdict { database, ..Verdict::nothing(exit, format!("the lock on this database was lost, {when}")) }
        .hint(LOCK_LOST)
}

/// Says how a run ends in which drizzle-kit ended by itself.
fn finished(spec: &RunSpec, record: &RunRecord, run: &KitRun, ended: Ended) -> Ending {
    if let (Some(error), false) = (&run.config_error, run.cleared) {
        return Ending::Over(Verdict::config_not_loaded(error));
    }
    let consented = run.seen.consented;
    let command = spec.kit_command();
    let evidence = Evidence {
        command: &command,
        text: &run.seen.last_text.lines,
        ended,
        consented,
        declined: run.seen.declined,
        must_ask: spec.asks_first(),
        intact: run.seen.last_text.is_intact(),
        writes_files_only: spec.touches == Touches::Files,
        envelope: run.envelope.as_ref(),
    };
    let is_blind = spec.connects() && spec.reads_config() && !run.cleared;
    let database = spec.left(consented, run.cleared);
    Ending::Over(match outcome::judge(&evidence) {
        Outcome::Done | Outcome::NothingToDo if is_blind => {
            Verdict::maybe(Exit::Unproven, "drizzle-kit ran, but drizzle-pilot did not see the config it used")
                .hint(outcome::NEEDS_HOOK)
        }
        Outcome::Done => done(spec),
        Outcome::NothingToDo if matches!(spec.consent, Consent::Planned) => {
            stale("drizzle-kit finds nothing left to do")
        }
        Outcome::NothingToDo => Verdict::nothing(Exit::Ok, "no changes"),
        Outcome::Declined => return declined(spec, record, database),
        Outcome::Disobeyed => Verdict::maybe(Exit::Partial, "drizzle-kit applied changes without consent"),
        Outcome::Unproven => Verdict::maybe(Exit::Unproven, "drizzle-kit ended and showed neither success nor failure")
            .hint("inspect the database first; running the same command again shows what is left to do"),
        Outcome::Failed { error, ended } => return failed(spec, record, run, error, ended),
    })
}

fn done(spec: &RunSpec) -> Verdict {
    let database = match spec.touches {
        Touches::Database => Database::Changed,
        Touches::Reads | Touches::Files => Database::Unchanged,
    };
    let summary = match spec.command {
        CommandName::Push => "changes applied".to_owned(),
        CommandName::Generate => "migration generated".to_owned(),
        _ => format!("drizzle-kit {} succeeded", spec.kit_command()),
    };
    Verdict { database, ..Verdict::nothing(Exit::Ok, summary) }
}

/// Says how a run ends whose last question was declined.
fn declined(spec: &RunSpec, record: &RunRecord, database: Database) -> Ending {
    if let Some(Stop::Stale(reason)) = &record.stop {
        return Ending::Over(stale(reason));
    }
    let n_refused = record.report.refusals.len();
    match &record.approval {
        Approval::Transaction if n_refused == 0 => {
            return Ending::Approved(Verdict::nothing(
                Exit::Changes,
                "the policy allows the statements, and they were not run",
            ));
        }
        Approval::NothingToDo if matches!(spec.consent, Consent::Planned) => {
            return Ending::Over(stale("drizzle-kit finds nothing left to do"));
        }
        Approval::NothingToDo => {
            let summary = format!("no changes; {}", phantom::counted(record.repeated.len()));
            return Ending::Over(Verdict::nothing(Exit::Ok, summary));
        }
        _ if n_refused == 0 && spec.only_plans() => {
            return Ending::Planned(match record.report.statements.len() {
                1 => "1 statement, which the policy allows".to_owned(),
                n_statements => format!("{n_statements} statements, all of which the policy allows"),
            });
        }
        _ => {}
    }
    let summary = match n_refused {
        1 => "refused by the policy".to_owned(),
        _ => format!("refused by the policy ({n_refused} questions)"),
    };
    // A refusal undoes nothing: what an earlier answer let drizzle-kit do may be done.
    Ending::Over(match database {
        Database::Unchanged => Verdict::nothing(Exit::Refused, summary),
        _ => Verdict::maybe(Exit::Partial, format!("{summary}, but drizzle-kit may have executed statements before")),
    })
}

/// Says how a run ends in which drizzle-kit failed.
fn failed(spec: &RunSpec, record: &RunRecord, run: &KitRun, error: Option<KitError>, ended: Ended) -> Ending {
    let consented = run.seen.consented;
    let database = spec.left(consented, run.cleared);
    // The driver's own words are whole, and are there where drizzle-kit prints nothing. What it asks the catalog
    // may fail without harm: of a push, only what it was told to execute counts.
    let is_planned = |failed: &&FailedStatement| {
        let mut planned = record.report.statements.iter();
        !spec.asks_first() || planned.any(|statement| failed.statement.contains(statement.sql.trim()))
    };
    let refused = run.failed.as_ref().filter(is_planned);
    // Where drizzle-kit says nothing, or nothing was sent yet, it is what ended it; but not once it was told yes.
    let ends_it = |failed: &&FailedStatement| error.is_none() || failed.statement.is_empty();
    let ended_it = run.failed.as_ref().filter(|failed| !consented && ends_it(failed));
    let error = refused.or(ended_it).map(FailedStatement::error).or(error);
    // The reaper says so in words when node itself could not be started.
    let not_started = run.seen.last_text.lines.iter().any(|line| line.starts_with("drizzle-pilot: starting "));
    match ended {
        Ended::Code(126) if not_started => {
            return Ending::Over(Verdict::nothing(Exit::CannotRun, "drizzle-kit cannot be executed"));
        }
        Ended::Code(127) if not_started => {
            return Ending::Over(Verdict::nothing(Exit::NotFound, "node or drizzle-kit was not found"));
        }
        _ => {}
    }
    let is_connection = spec.connects() && error.as_ref().is_none_or(KitError::is_connection);
    let no_dialect = record.report.target.as_ref().is_some_and(|target| target.dialect == "unknown");
    let exit = match (database, is_connection && error.is_some()) {
        (Database::Unchanged, _) if no_dialect => Exit::Config,
        (Database::Unchanged, true) => Exit::Unavailable,
        (Database::Unchanged, false) => Exit::Failed,
        _ => Exit::Partial,
    };
    let verdict = match &error {
        Some(error) => with_error(spec, error, refused, exit, consented),
        None => without_words(run, ended, exit, database),
    };
    let verdict = Verdict { database, ..verdict };
    // drizzle-kit 0.31.10 and later print no reason for a dead database: then we look ourselves.
    if !consented && is_connection { Ending::UnlessUnreachable(verdict) } else { Ending::Over(verdict) }
}

/// Returns the verdict for a failure that drizzle-kit gave no reason for.
fn without_words(run: &KitRun, ended: Ended, exit: Exit, database: Database) -> Verdict {
    let ended = match ended {
        Ended::Code(code) => format!("exit status {code}"),
        Ended::Signal(signal) => format!("killed by signal {signal}"),
    };
    let when = match (run.seen.consented, database) {
        (true, _) => "after consent",
        (false, Database::Unchanged) => "before any statement was sent",
        (false, Database::Maybe | Database::Changed) => "and what it executed before is unknown",
    };
    let is_silent = run.seen.last_text.lines.iter().all(|line| line.trim().is_empty());
    let words = if is_silent { ", and printed nothing" } else { "" };
    Verdict::nothing(exit, format!("drizzle-kit failed {when} ({ended}){words}"))
}

/// Returns the verdict for a failure with this error, and the statement of the plan that the server refused.
fn with_error(
    spec: &RunSpec,
    error: &KitError,
    refused: Option<&FailedStatement>,
    exit: Exit,
    consented: bool,
) -> Verdict {
    let statement = refused.map(|failed| failed.statement.as_str());
    let migrates = spec.command == CommandName::Migrate || spec.known_as() == Some(CommandName::Migrate);
    let hint = error.code.as_deref().and_then(|code| advice::advice(code, &error.text(), statement, migrates));
    let cause = Error {
        sqlstate: error.code.clone(),
        message: error.message.clone(),
        detail: error.detail.clone(),
        statement: statement.filter(|statement| !statement.is_empty()).map(str::to_owned),
        hint: hint.clone().or_else(|| error.hint.clone()),
        ..Error::default()
    };
    let code = error.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let doing = if consented { "a statement failed" } else { "drizzle-kit failed" };
    let verdict = Verdict::nothing(exit, format!("{doing}: {}{code}", error.message)).because(cause);
    match hint.or_else(|| error.hint.clone()) {
        Some(hint) => verdict.hint(hint),
        None => verdict,
    }
}

/// Returns the verdict for a database that cannot be reached, where drizzle-kit failed and may have changed it before. What
/// is dead by now may have lived for a while: only who asks before executing has executed nothing.
pub(super) fn unreachable(diagnosed: Verdict, otherwise: &Verdict) -> Verdict {
    let exit = match (diagnosed.exit, otherwise.database) {
        (Exit::Unavailable, Database::Maybe | Database::Changed) => Exit::Partial,
        (exit, _) => exit,
    };
    Verdict { exit, database: otherwise.database, ..diagnosed }
}

/// Returns the verdict for a plan that does not fit any more.
pub(super) fn stale(reason: &str) -> Verdict {
    Verdict::nothing(Exit::StalePlan, format!("the plan is stale: {reason}"))
        .hint("plan again, review the new plan, and push it")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::kit::approved::Approved;
    use crate::kit::config::Overlay;
    use crate::kit::hints::envelope::Envelope;
    use crate::kit::session::{Doubt, Seen};
    use crate::output::record::Record;
    use crate::output::report;
    use crate::run::spec::{Asks, Keep, Locking};
    use crate::term::screen::{Drawn, Text};

    /// A run to be judged: a push whose config was cleared and that says nothing, unless the case says otherwise.
    struct Case {
        command: CommandName,
        kit_command: &'static str,
        asks: Asks,
        touches: Touches,
        consent: Consent<'static>,
        ending: KitEnding,
        text: &'static [&'static str],
        drawn: Drawn,
        consented: bool,
        declined: bool,
        cleared: bool,
        envelope: Option<Envelope>,
        config_error: Option<&'static str>,
        failed: Option<FailedStatement>,
        stop: Option<Stop>,
        approval: Approval,
        refusals: usize,
        sessions: usize,
    }

    const APPLIED: &[&str] = &["[✓] Changes applied"];
    const NOTHING: &[&str] = &["[i] No changes detected"];

    fn push() -> Case {
        Case {
            command: CommandName::Push,
            kit_command: "push",
            asks: Asks::BeforeExecuting,
            touches: Touches::Database,
            consent: Consent::ByPolicy,
            ending: KitEnding::Finished(Ended::Code(0)),
            text: &[],
            drawn: Drawn::Plainly,
            consented: false,
            declined: false,
            cleared: true,
            envelope: None,
            config_error: None,
            failed: None,
            stop: None,
            approval: Approval::None,
            refusals: 0,
            sessions: 1,
        }
    }

    fn plan() -> Case {
        let consent = Consent::Never(Keep::Nothing);
        Case { command: CommandName::Plan, touches: Touches::Reads, consent, declined: true, ..push() }
    }

    /// `run -- migrate`: it executes without a question.
    fn migrate() -> Case {
        Case { command: CommandName::Run, kit_command: "migrate", asks: Asks::AsItLikes, ..push() }
    }

    fn generate() -> Case {
        let (asks, touches) = (Asks::AsItLikes, Touches::Files);
        Case { command: CommandName::Generate, kit_command: "generate", asks, touches, ..push() }
    }

    fn refused_statement() -> FailedStatement {
        serde_json::from_value(serde_json::json!({
            "statement": "DROP TABLE a;", "message": "cannot drop table a", "code": "2BP01",
        }))
        .expect("the fields are those of the hook")
    }

    /// Checks how a run ends: the kind of the ending, its code and what is known about the database.
    #[track_caller]
    fn check(case: Case, expected: &str) {
        let kit_args = [OsString::from(case.kit_command)];
        let spec = RunSpec {
            command: case.command,
            kit_args: &kit_args,
            asks: case.asks,
            touches: case.touches,
            consent: case.consent,
            apply: None,
            accept_data_loss: false,
            overlay: Overlay::default(),
            lock: Locking::None,
        };
        let mut report = Record::default();
        let statement = report::Statement::new("DROP TABLE a;".to_owned(), String::new(), Vec::new(), Vec::new());
        report.statements.push(statement);
        let refusal = || report::Refusal { what: String::new(), allow_with: None, text: String::new() };
        report.refusals.extend((0..case.refusals).map(|_| refusal()));
        let mut record = RunRecord::new(&mut report);
        (record.stop, record.approval, record.n_sessions) = (case.stop, case.approval, case.sessions);
        let lines = case.text.iter().map(|line| (*line).to_owned()).collect();
        let last_text = Text { lines, drawn: case.drawn, ..Text::default() };
        let seen = Seen { consented: case.consented, declined: case.declined, last_text, ..Seen::default() };
        let run = KitRun {
            ending: case.ending,
            seen,
            cleared: case.cleared,
            out: String::new(),
            envelope: case.envelope,
            config_error: case.config_error.map(str::to_owned),
            failed: case.failed,
            hello: None,
            latencies_ms: Vec::new(),
            recording: Ok(()),
        };
        let limits = Limits { whole: Duration::from_secs(600), idle: Duration::from_secs(120) };
        let told = |kind: &str, verdict: &Verdict| {
            format!("{kind} {} {:?}", verdict.exit.name(), verdict.database).to_lowercase()
        };
        let ended = match judge(&spec, limits, &record, &run) {
            Ending::Over(verdict) => told("over", &verdict),
            Ending::UnlessUnreachable(verdict) => told("unless-unreachable", &verdict),
            Ending::Planned(_) => "planned".to_owned(),
            Ending::Approved(_) => "approved".to_owned(),
        };
        assert_eq!(ended, expected);
    }

    #[test]
    fn a_run_that_ended_by_itself_is_done_only_where_it_was_seen_done() {
        check(Case { text: APPLIED, consented: true, ..push() }, "over ok changed");
        check(Case { text: NOTHING, ..push() }, "over ok unchanged");
        check(Case { text: &["migrations applied"], ..migrate() }, "over unproven maybe");
        check(Case { text: &["[✓] migrations applied successfully!"], ..migrate() }, "over ok changed");
        check(Case { text: &["[✓] Your SQL migration file ➜ a.sql"], ..generate() }, "over ok unchanged");
        // Nothing that proves it, a forged proof, and one without consent.
        check(Case { consented: true, ..push() }, "over unproven maybe");
        check(Case { text: APPLIED, consented: true, drawn: Drawn::WithControls, ..push() }, "over unproven maybe");
        check(Case { text: APPLIED, ..push() }, "over partial maybe");
        // The config that it used was not seen.
        check(Case { text: NOTHING, cleared: false, ..push() }, "over unproven maybe");
        check(
            Case { text: &["[✓] migrations applied successfully!"], cleared: false, ..migrate() },
            "over unproven maybe",
        );
        check(Case { config_error: Some("no such module"), cleared: false, ..push() }, "over config unchanged");
    }

    #[test]
    fn a_run_that_was_declined_is_a_plan_an_approval_or_a_refusal() {
        check(plan(), "planned");
        check(Case { refusals: 1, ..plan() }, "over refused unchanged");
        check(Case { approval: Approval::Transaction, declined: true, ..push() }, "approved");
        check(
            Case { approval: Approval::Transaction, declined: true, refusals: 1, ..push() },
            "over refused unchanged",
        );
        check(Case { declined: true, refusals: 1, ..push() }, "over refused unchanged");
        check(Case { declined: true, ..push() }, "over refused unchanged");
        check(Case { declined: true, text: APPLIED, ..push() }, "over partial maybe");
        // What executes without a question may have begun before the one that was refused.
        check(Case { declined: true, refusals: 1, ..migrate() }, "over partial maybe");
        check(Case { declined: true, refusals: 1, cleared: false, ..migrate() }, "over refused unchanged");
    }

    #[test]
    fn a_plan_that_does_not_fit_is_stale_unless_something_was_executed() {
        let stale = || Some(Stop::Stale("the kit is another one".to_owned()));
        let planned = || Case { consent: Consent::Planned, ..push() };
        check(Case { text: NOTHING, ..planned() }, "over stale-plan unchanged");
        check(Case { declined: true, stop: stale(), ..planned() }, "over stale-plan unchanged");
        let doubted = || KitEnding::Doubted(Doubt::Unclear("another question".to_owned()));
        check(Case { ending: doubted(), stop: stale(), ..planned() }, "over stale-plan unchanged");
        check(Case { ending: doubted(), stop: stale(), consented: true, ..planned() }, "over unproven maybe");
        check(Case { text: APPLIED, consented: true, ..planned() }, "over ok changed");
    }

    #[test]
    fn a_run_that_was_stopped_says_what_may_have_happened_until_then() {
        let cases: [(KitEnding, &str, &str); 10] = [
            (KitEnding::Doubted(Doubt::NoEffect), "over unknown-prompt unchanged", "over unproven maybe"),
            (KitEnding::TimedOut { idle: true }, "over timeout unchanged", "over timeout maybe"),
            (KitEnding::TimedOut { idle: false }, "over timeout unchanged", "over timeout maybe"),
            (KitEnding::Signalled(15), "over signal unchanged", "over signal maybe"),
            (KitEnding::Flooded, "over failed unchanged", "over unproven maybe"),
            (KitEnding::Held(Held::Runner(String::new())), "over cannot-run unchanged", "over partial maybe"),
            (KitEnding::Held(Held::Session(String::new())), "over config unchanged", "over partial maybe"),
            (KitEnding::Held(Held::Meaning(String::new())), "over unknown-prompt unchanged", "over partial maybe"),
            (KitEnding::Held(Held::Query(String::new())), "over unknown-prompt unchanged", "over partial maybe"),
            // Nobody took note of the reason: that is a bug, and nothing is promised.
            (KitEnding::Aborted, "over internal maybe", "over internal maybe"),
        ];
        for (ending, before, after) in cases {
            check(Case { ending: ending.clone(), ..push() }, before);
            check(Case { ending: ending.clone(), consented: true, ..push() }, after);
            // What was not let at its database has changed none, and what executes without a question may have.
            check(Case { ending: ending.clone(), cleared: false, ..migrate() }, before);
            check(Case { ending, ..migrate() }, after);
        }
        // Consent has executed nothing while nothing was sent.
        let held = || KitEnding::Held(Held::Query(String::new()));
        let approval = Approval::Kit(Approved::new("DROP TABLE a;"));
        check(Case { ending: held(), consented: true, approval, ..push() }, "over unknown-prompt unchanged");
        let mut sent = Approved::new("DROP TABLE a;");
        assert!(sent.take("DROP TABLE a;"));
        check(Case { ending: held(), consented: true, approval: Approval::Kit(sent), ..push() }, "over partial maybe");
        check(Case { ending: held(), sessions: 0, ..migrate() }, "over unknown-prompt unchanged");
    }

    #[test]
    fn a_lost_lock_outranks_how_drizzle_kit_ended_and_a_known_reason_outranks_both() {
        let lost = || Some(Stop::LockLost);
        check(Case { ending: KitEnding::LockLost, stop: lost(), ..push() }, "over unavailable unchanged");
        check(Case { ending: KitEnding::LockLost, stop: lost(), consented: true, ..push() }, "over partial maybe");
        check(Case { text: APPLIED, stop: lost(), consented: true, ..push() }, "over partial maybe");
        check(Case { stop: lost(), ..migrate() }, "over partial maybe");
        let known = Some(Stop::Verdict(Verdict::nothing(Exit::Locked, "another run holds it")));
        check(Case { ending: KitEnding::Signalled(15), stop: known, ..push() }, "over locked unchanged");
    }

    #[test]
    fn a_failure_says_what_failed_and_what_it_may_have_left() {
        let ended = |code| KitEnding::Finished(Ended::Code(code));
        let error: &[&str] = &["error: cannot drop table a"];
        let dead: &[&str] = &["Error: connect ECONNREFUSED 127.0.0.1:5432"];
        check(Case { ending: ended(1), text: error, consented: true, ..push() }, "over partial maybe");
        check(Case { ending: ended(1), text: error, ..push() }, "over failed unchanged");
        check(Case { ending: ended(1), text: error, ..migrate() }, "over partial maybe");
        check(Case { ending: ended(0), text: error, consented: true, ..push() }, "over partial maybe");
        // A dead database is looked at where drizzle-kit did not say so, or says so itself.
        check(Case { ending: ended(1), ..push() }, "unless-unreachable failed unchanged");
        check(Case { ending: ended(1), text: dead, ..push() }, "unless-unreachable unavailable unchanged");
        check(Case { ending: ended(1), text: dead, ..migrate() }, "unless-unreachable partial maybe");
        check(Case { ending: ended(1), text: dead, consented: true, ..push() }, "over partial maybe");
        check(Case { ending: ended(1), ..generate() }, "over failed unchanged");
        check(Case { ending: KitEnding::Finished(Ended::Signal(9)), consented: true, ..push() }, "over partial maybe");
        let missing: &[&str] = &["drizzle-pilot: starting node: No such file or directory"];
        check(Case { ending: ended(127), text: missing, ..push() }, "over not-found unchanged");
        check(Case { ending: ended(126), text: missing, ..push() }, "over cannot-run unchanged");
        // What the driver says counts where it is about the plan, whatever drizzle-kit printed.
        let failed = Some(refused_statement());
        check(Case { ending: ended(1), failed, consented: true, ..push() }, "over partial maybe");
    }
}
