//! A run of drizzle-kit from the command line to the verdict, shared by `push`, `generate` and `run`.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::cli::{Format, Shared};
use crate::commands::copilot::{self, Copilot};
use crate::console::{Console, clean_json};
use crate::db;
use crate::exit::{Database, Exit};
use crate::kit::command::{self, Call, Kit, LocateError};
use crate::kit::config;
use crate::kit::driver::{self, Deadlines, Ending, Flight};
use crate::kit::mailbox::Mailbox;
use crate::kit::outcome::{self, Evidence, KitError, Outcome};
use crate::policy::model::Source;
use crate::policy::{self, Policies, PolicyError};
use crate::report::{self, Report, Verdict};
use crate::term::pty::{Ended, Pty};
use crate::term::redact::Secrets;
use crate::term::stream::{FileRecorder, ScreenStream};

/// What drizzle-kit is started for.
#[derive(Debug)]
pub struct Mission<'a> {
    /// Our own command.
    pub command: &'static str,
    /// The drizzle-kit command and its arguments.
    pub kit_args: &'a [OsString],
    pub asks: Asks,
    pub touches: Touches,
    pub accept_data_loss: bool,
}

/// Whether drizzle-kit is made to ask before it executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Yes, always, whatever the project's config says; it shows the statements first.
    BeforeExecuting,
    AsItLikes,
}

/// What a command may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    Database,
    Files,
}

impl Mission<'_> {
    /// Returns the name of the drizzle-kit command.
    fn kit_command(&self) -> String {
        self.kit_args.first().map(|command| command.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the name among our own commands of what drizzle-kit is told to do by another of them.
    pub fn known_as(&self) -> Option<&'static str> {
        let command = self.kit_command();
        let name = command.split(':').next().unwrap_or_default(); // 0.20 says `push:pg`
        ["push", "generate", "migrate", "check"].into_iter().find(|known| *known == name && *known != self.command)
    }

    /// Tells whether the command works by the config file; drizzle-kit's questions about itself do not.
    fn reads_config(&self) -> bool {
        !self.kit_command().starts_with('-') && !matches!(self.kit_command().as_str(), "help" | "version")
    }

    /// Returns what is known about the database when drizzle-kit failed without our consent. Before its config was
    /// cleared it has no database to change.
    fn without_consent(&self, cleared: bool) -> Database {
        match (self.asks, self.touches) {
            (Asks::BeforeExecuting, _) | (_, Touches::Files) => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) if !cleared => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) => Database::Maybe,
        }
    }
}

/// Runs drizzle-kit for a mission, reports, and returns how it ended.
pub fn fly(shared: &Shared, mission: &Mission, console: &mut Console) -> Exit {
    let started = Instant::now();
    let mut log = Logbook::new(shared);
    let verdict = match attempt(shared, mission, console, &mut log) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    log.timings.total_ms = started.elapsed().as_secs_f64() * 1e3;
    finish(shared, mission, console, log, verdict)
}

/// What is put into the report besides the verdict.
#[derive(Debug)]
struct Logbook {
    policy: report::Policy,
    profile: Option<String>,
    kit: Option<report::Kit>,
    target: Option<report::Target>,
    prompts: Vec<report::Prompt>,
    statements: Vec<report::Statement>,
    warnings: Vec<String>,
    refusals: Vec<report::Refusal>,
    timings: report::Timings,
    /// The file of `--report`, once it was proved that it can be written.
    report_to: Option<PathBuf>,
}

impl Logbook {
    fn new(shared: &Shared) -> Logbook {
        Logbook {
            policy: report::Policy::default(),
            profile: shared.profile.clone(),
            kit: None,
            target: None,
            prompts: Vec::new(),
            statements: Vec::new(),
            warnings: Vec::new(),
            refusals: Vec::new(),
            timings: report::Timings::default(),
            report_to: None,
        }
    }

    fn report(&self, command: &str, verdict: &Verdict) -> Report {
        Report {
            schema: 1,
            command: command.to_owned(),
            outcome: verdict.exit.name().to_owned(),
            code: verdict.exit.code(),
            database: verdict.database,
            summary: verdict.summary.clone(),
            target: self.target.clone(),
            kit: self.kit.clone(),
            profile: self.profile.clone(),
            policy: self.policy.clone(),
            prompts: self.prompts.clone(),
            statements: self.statements.clone(),
            warnings: self.warnings.clone(),
            refusals: self.refusals.clone(),
            error: verdict.error.as_deref().cloned(),
            timings: self.timings.clone(),
        }
    }
}

/// The story: policy, guards, kit, files to write, start, fly, judge. An early end is an `Err` with its verdict.
fn attempt(shared: &Shared, mission: &Mission, console: &mut Console, log: &mut Logbook) -> Result<Verdict, Verdict> {
    prepare_report(shared, mission, console.secrets(), log)?;
    refuse_force(shared, mission)?;
    let cwd = project(shared)?;
    let policies = load_policy(shared, &cwd, console, log)?;
    let mut copilot = Copilot::new(mission, &policies, shared.profile.as_deref(), &cwd, shared.timeout, console);
    if !policies.needs_host() {
        copilot.guard(None)?;
    }
    let kit = locate(shared, mission, &cwd)?;
    copilot.fly_with(kit.version.clone());
    log.kit = Some(report::Kit {
        version: kit.version.as_ref().map(ToString::to_string),
        path: kit.path.display().to_string(),
    });
    let (named, kit_args) = config_of(shared, mission)?;
    let config = config::find(&cwd, named.as_deref());
    if let Some(missing) = config.as_ref().filter(|config| !config.path.is_file()) {
        let summary = format!("drizzle's config file {} does not exist", missing.path.display());
        return Err(Verdict::nothing(Exit::Config, summary).hint("name it with --config, or the project with --cwd"));
    }
    if config.is_none() && mission.reads_config() {
        let summary = format!("no drizzle.config.ts, .js or .json in {}", cwd.display());
        return Err(Verdict::nothing(Exit::Config, summary).hint("name it with --config, or the project with --cwd"));
    }
    let recorder = record(shared, mission, &kit, copilot.console())?;

    let (mailbox, mail) = Mailbox::create().map_err(|error| {
        Verdict::nothing(Exit::Failed, format!("making a temporary directory: {error}"))
            .hint("set TMPDIR to a folder that can be written")
    })?;
    let call =
        Call { cwd: &cwd, args: &kit_args, config: config.as_ref(), asks: mission.asks == Asks::BeforeExecuting };
    let command = kit.start(&call, &mailbox);
    tracing::debug!(program = %command.program.display(), "starting drizzle-kit");
    let pty = Pty::spawn(&command)
        .map_err(|error| Verdict::nothing(Exit::CannotRun, format!("starting drizzle-kit: {error}")))?;
    let deadlines = Deadlines { whole: shared.timeout, idle: shared.idle_timeout };
    let flight = ScreenStream::new(pty, Some(mail), recorder)
        .and_then(|stream| driver::fly(stream, mailbox, deadlines, &mut copilot))
        .map_err(|error| internal("driving the terminal", &error))?;

    if flight.ending != Ending::Finished(Ended::Code(0)) {
        copilot.end_leftovers();
    }
    let verdict = judge(mission, shared, &flight, &mut copilot);
    if let Err(error) = &flight.recording {
        copilot.warn(format!("the recording is not complete: {error}"));
    }
    show_kit_text(mission, &verdict, &flight, copilot.console());
    log.prompts = prompts(&flight, &copilot.rules);
    log.profile = copilot.profile().map(str::to_owned);
    log.timings.config_ms = copilot.config_ms;
    log.timings.preflight_ms = copilot.preflight_ms;
    let Copilot { target, warnings, refusals, statements, .. } = copilot;
    (log.target, log.warnings, log.refusals, log.statements) = (target, warnings, refusals, statements);
    Ok(verdict)
}

/// drizzle-kit's own `--force` takes the decision away from the policy.
fn refuse_force(shared: &Shared, mission: &Mission) -> Result<(), Verdict> {
    let is_force = |word: &str| word == "--force" || word.starts_with("--force=");
    let starts = shared.kit.iter().flat_map(|command| command.split_whitespace());
    if starts.chain(mission.kit_args.iter().filter_map(|arg| arg.to_str())).any(is_force) {
        let summary = "drizzle-kit's --force takes the decision away from the policy and is not passed on";
        return Err(Verdict::nothing(Exit::Usage, summary)
            .hint("allow what you mean under [hazards] of the policy, or approve all data loss once: drizzle-pilot push --accept-data-loss"));
    }
    Ok(())
}

/// Flags that make drizzle-kit connect somewhere else than its config file says, or push another schema there.
const ELSEWHERE: [&str; 14] = [
    "--url",
    "--host",
    "--port",
    "--user",
    "--password",
    "--database",
    "--ssl",
    "--auth-token",
    "--authToken",
    "--driver",
    "--dialect",
    "--schema",
    "--connectionString",
    "--uri",
];

/// Takes `--config` out of drizzle-kit's arguments: the config file that is guarded must be the one that is used.
/// Arguments that replace the config file are refused where a database may be changed, for the same reason.
fn config_of(shared: &Shared, mission: &Mission) -> Result<(Option<PathBuf>, Vec<OsString>), Verdict> {
    let mut named = shared.config.clone();
    let mut kit_args = Vec::with_capacity(mission.kit_args.len());
    let mut args = mission.kit_args.iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let flag = text.split('=').next().unwrap_or_default();
        if flag == "--config" {
            let value = text.split_once('=').map(|(_, value)| OsString::from(value)).or_else(|| args.next().cloned());
            named = value.map(PathBuf::from);
            continue;
        }
        if mission.touches == Touches::Database && ELSEWHERE.contains(&flag) {
            let summary = format!("{flag} takes drizzle-kit away from its config file, and so from the guards");
            return Err(
                Verdict::nothing(Exit::Usage, summary).hint("write it into a config file, and name that with --config")
            );
        }
        kit_args.push(arg.clone());
    }
    Ok((named, kit_args))
}

/// Returns the project's folder as an absolute path.
fn project(shared: &Shared) -> Result<PathBuf, Verdict> {
    let cwd = shared.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let found = cwd
        .canonicalize()
        .map_err(|error| Verdict::nothing(Exit::Usage, format!("the project's folder {}: {error}", cwd.display())))?;
    if found.is_dir() {
        return Ok(found);
    }
    Err(Verdict::nothing(Exit::Usage, format!("{} is not a folder", cwd.display())))
}

fn load_policy(shared: &Shared, cwd: &Path, console: &mut Console, log: &mut Logbook) -> Result<Policies, Verdict> {
    // A policy that cannot be used is named in the report as well.
    log.policy.file = policy::find(shared.policy.as_deref(), cwd).map(|path| path.display().to_string());
    let policies = policy::load(shared.policy.as_deref(), cwd).map_err(|error| policy_error(&error))?;
    let file = match policies.source() {
        Source::BuiltIn => None,
        Source::File { path, .. } => Some(path.clone()),
    };
    tracing::debug!(policy = file.as_deref().unwrap_or("built-in"), "policy");
    if file.is_none() {
        console.say("policy: built-in (no drizzle-pilot.toml found; `drizzle-pilot policy init` writes one)");
    }
    log.policy = report::Policy { file, digest: policies.digest().map(str::to_owned) };
    Ok(policies)
}

fn policy_error(error: &PolicyError) -> Verdict {
    let summary = match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => format!("the policy cannot be used\n{error}"),
    };
    Verdict::nothing(Exit::Config, summary)
}

/// The first version that this program does not drive yet.
const TOO_NEW: u64 = 1;

fn locate(shared: &Shared, mission: &Mission, cwd: &Path) -> Result<Kit, Verdict> {
    let kit = command::locate(cwd, shared.kit.as_deref()).map_err(|error| {
        let exit = match &error {
            LocateError::NoNode | LocateError::NoKit { .. } | LocateError::NoProgram { .. } => Exit::NotFound,
            LocateError::NotACommand { .. } => Exit::Usage,
            LocateError::Package { .. } => Exit::CannotRun,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Verdict::nothing(exit, format!("{error}{cause}")).hint(error.hint())
    })?;
    let Some(version) = &kit.version else { return Ok(kit) };
    if version.major >= TOO_NEW {
        let summary = format!("drizzle-kit {version} is not supported: this version drives 0.20 to 0.31");
        return Err(Verdict::nothing(Exit::CannotRun, summary).hint(
            "its 1.0 line asks and answers in another way; keep drizzle-kit below 1.0, or run it by itself until it is supported",
        ));
    }
    if (version.major, version.minor) < (0, 21) && matches!(mission.command, "push" | "generate") {
        let summary = format!("drizzle-kit {version} has no `{}` command of this form", mission.command);
        return Err(Verdict::nothing(Exit::CannotRun, summary)
            .hint(format!("use its own: drizzle-pilot run -- {}:pg", mission.command)));
    }
    Ok(kit)
}

/// Proves before anything happens that the report can be written: a report that is promised must not be lost.
fn prepare_report(shared: &Shared, mission: &Mission, secrets: &Secrets, log: &mut Logbook) -> Result<(), Verdict> {
    let Some(path) = &shared.report else { return Ok(()) };
    let started = Verdict::maybe(Exit::Unproven, "the run was started, and its end was not seen");
    std::fs::write(path, log.report(mission.command, &started).json(secrets))
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing the report {}: {error}", path.display())))?;
    log.report_to = Some(path.clone());
    Ok(())
}

fn record(shared: &Shared, mission: &Mission, kit: &Kit, console: &Console) -> Result<Option<FileRecorder>, Verdict> {
    let Some(path) = &shared.record else { return Ok(None) };
    // The arguments may hold a URL, and say nothing that the output does not show.
    let command = format!("drizzle-kit {}", mission.kit_command());
    let title = match &kit.version {
        Some(version) => format!("drizzle-kit {version}"),
        None => "drizzle-kit".to_owned(),
    };
    File::create(path)
        .and_then(|file| FileRecorder::begin(BufWriter::new(file), &command, &title, console.secrets()))
        .map(Some)
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing the recording {}: {error}", path.display())))
}

fn internal(doing: &str, error: &std::io::Error) -> Verdict {
    Verdict::maybe(Exit::Internal, format!("{doing}: {error}"))
}

/// Says what a run came to.
fn judge(mission: &Mission, shared: &Shared, flight: &Flight, copilot: &mut Copilot) -> Verdict {
    if let Some(verdict) = copilot.verdict.take() {
        return verdict;
    }
    let consented = flight.session.consented();
    let database = if consented { Database::Maybe } else { mission.without_consent(flight.cleared) };
    let when = if consented { "after consent" } else { "before consent" };
    match &flight.ending {
        Ending::Finished(ended) => finished(mission, flight, *ended, copilot),
        Ending::Doubted(doubt) if consented => {
            Verdict::maybe(Exit::Unproven, format!("stopped after consent: {doubt}"))
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
                format!("drizzle-kit printed nothing for {}, {when}", humantime::format_duration(shared.idle_timeout))
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
        Ending::Flooded => {
            let exit = if consented { Exit::Unproven } else { Exit::Failed };
            Verdict {
                database,
                ..Verdict::nothing(exit, "drizzle-kit printed more than a sane program does, and was stopped")
            }
        }
        Ending::NotCleared => internal("ending drizzle-kit", &std::io::Error::other("no reason was given")),
    }
}

/// Says what a run came to that ended by itself.
fn finished(mission: &Mission, flight: &Flight, ended: Ended, copilot: &mut Copilot) -> Verdict {
    let consented = flight.session.consented();
    let text = &flight.session.last_text().lines;
    if let (Some(error), false) = (&flight.config_error, flight.cleared) {
        let first = error.lines().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        let cause = report::Error { message: error.clone(), ..report::Error::default() };
        return Verdict::nothing(Exit::Config, format!("drizzle's config cannot be loaded: {first}")).because(cause);
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
    let is_blind = mission.touches == Touches::Database && mission.reads_config() && !flight.cleared;
    let database = if consented { Database::Maybe } else { mission.without_consent(flight.cleared) };
    match outcome::judge(&evidence) {
        Outcome::Done | Outcome::NothingToDo if is_blind => {
            Verdict::maybe(Exit::Unproven, "drizzle-kit ran, and the config it used was not seen")
                .hint("--kit must start drizzle-kit with node, and must not change NODE_OPTIONS")
        }
        Outcome::Done => {
            let database = match mission.touches {
                Touches::Database => Database::Changed,
                Touches::Files => Database::Unchanged,
            };
            let summary = match mission.command {
                "push" => "changes applied".to_owned(),
                "generate" => "migration generated".to_owned(),
                _ => format!("drizzle-kit {command} did what was asked"),
            };
            Verdict { database, ..Verdict::nothing(Exit::Ok, summary) }
        }
        Outcome::NothingToDo => Verdict::nothing(Exit::Ok, "no changes"),
        Outcome::Declined => {
            let n_refused = copilot.refusals.len();
            let summary = if n_refused == 1 {
                "refused by the policy".to_owned()
            } else {
                format!("refused by the policy ({n_refused} questions)")
            };
            Verdict { database, ..Verdict::nothing(Exit::Refused, summary) }
        }
        Outcome::Disobeyed => Verdict::maybe(Exit::Partial, "drizzle-kit applied changes without consent"),
        Outcome::Unproven => Verdict::maybe(Exit::Unproven, "drizzle-kit ended and showed neither success nor failure")
            .hint("look at the database before anything else; running the same command again shows what is left to do"),
        Outcome::Failed { error, ended } => failed(mission, error, ended, database, consented, text, copilot),
    }
}

fn failed(
    mission: &Mission,
    error: Option<KitError>,
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
    let is_connection = mission.touches == Touches::Database && error.as_ref().is_none_or(KitError::is_connection);
    // drizzle-kit 0.31.10 and later print no reason for a dead database: then we look ourselves.
    if !consented
        && is_connection
        && let Some(error) = copilot.diagnose()
    {
        return copilot::unavailable(&error);
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
        let when = if consented { "after consent" } else { "before anything was asked to be executed" };
        let words = if text.iter().all(|line| line.trim().is_empty()) { ", and said nothing" } else { "" };
        return Verdict { database, ..Verdict::nothing(exit, format!("drizzle-kit failed {when} ({ended}){words}")) };
    };
    let hint = error.code.as_deref().and_then(|code| db::explain::advice(code, &error.text()));
    let cause = report::Error {
        sqlstate: error.code.clone(),
        message: error.message.clone(),
        detail: error.detail.clone(),
        statement: None,
        hint: hint.clone().or_else(|| error.hint.clone()),
    };
    let code = error.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
    let doing = if consented { "a statement failed" } else { "drizzle-kit failed" };
    let verdict = Verdict { database, ..Verdict::nothing(exit, format!("{doing}: {}{code}", error.message)) };
    match hint.or(error.hint) {
        Some(hint) => verdict.because(cause).hint(hint),
        None => verdict.because(cause),
    }
}

/// Shows drizzle-kit's own last words where they explain a failure. A database error was already read out of them.
fn show_kit_text(mission: &Mission, verdict: &Verdict, flight: &Flight, console: &mut Console) {
    // `run` stands in for any command, and some of them are run for what they print.
    let is_result = mission.command == "run" && verdict.exit == Exit::Ok;
    let explains = is_result || matches!(verdict.exit, Exit::Failed | Exit::Partial | Exit::Unproven | Exit::Config);
    let failed_by_itself = explains && matches!(flight.ending, Ending::Finished(_));
    let told = verdict.error.as_ref().is_some_and(|error| error.sqlstate.is_some());
    if !failed_by_itself || (told && !console.is_verbose()) {
        return;
    }
    const MOST: usize = 40;
    const WIDEST: usize = 400; // characters
    let is_stack = |line: &str| line.trim_start().starts_with("at ") && line.starts_with(' ');
    let lines = flight.session.last_text().lines.iter().filter(|line| !line.is_empty());
    let lines: Vec<&String> = lines.filter(|line| console.is_verbose() || !is_stack(line)).collect();
    let skipped = lines.len().saturating_sub(MOST);
    console.settle();
    if skipped > 0 {
        console.insist(&format!("  kit: ({skipped} lines left out)"));
    }
    for line in &lines[skipped..] {
        let shown: String = line.chars().take(WIDEST).collect();
        let rest = if shown.len() < line.len() { " …" } else { "" };
        console.insist(&format!("  kit: {shown}{rest}"));
    }
}

fn prompts(flight: &Flight, rules: &[String]) -> Vec<report::Prompt> {
    let mut latencies = flight.latencies_ms.iter();
    let answered = flight.session.answered().iter().enumerate();
    answered
        .map(|(idx, answered)| report::Prompt {
            question: answered.prompt.headline(),
            choices: answered.prompt.choices.clone(),
            chosen: answered.chosen.map(|choice| answered.prompt.choices[choice].clone()),
            rule: rules.get(idx).filter(|rule| !rule.is_empty()).cloned(),
            keys: answered.keys.iter().map(|key| key.name().to_owned()).collect(),
            latency_ms: answered.chosen.and_then(|_| latencies.next().copied()),
        })
        .collect()
}

/// Writes the report, says the result and the closing sentence.
fn finish(shared: &Shared, mission: &Mission, console: &mut Console, log: Logbook, verdict: Verdict) -> Exit {
    console.settle();
    let report = log.report(mission.command, &verdict);
    let json = report.json(console.secrets());
    if let Some(path) = &log.report_to
        && let Err(error) = std::fs::write(path, &json)
    {
        // The run itself is what it was; its code must not say otherwise.
        console.error("error", &format!("the report {} could not be written: {error}", path.display()));
    }
    match shared.format {
        Format::Json => console.result(&clean_json(&json)),
        Format::Text if shared.quiet => {}
        Format::Text => {
            let text = console.clean(&report.text());
            console.result(&text);
        }
    }
    if verdict.exit == Exit::Ok {
        return verdict.exit;
    }
    if log.refusals.is_empty() {
        console.error(verdict.exit.name(), &verdict.summary);
    }
    for refusal in &log.refusals {
        console.insist(&refusal.text);
    }
    if let Some(error) = &verdict.error
        && let Some(detail) = &error.detail
    {
        console.insist(&format!("detail: {detail}"));
    }
    if let Some(hint) = &verdict.hint {
        console.insist(&format!("hint: {hint}"));
    }
    console.insist(verdict.database.sentence());
    verdict.exit
}
