//! A run of drizzle-kit from the command line to the verdict, shared by `push`, `generate` and `run`.

use std::ffi::OsString;
use std::fs::File;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::cli::{Format, Shared};
use crate::db::Lease;
use crate::kit::command::{Call, Kit};
use crate::kit::config::Overlay;
use crate::kit::driver::{self, Deadlines, Ending, Flight};
use crate::kit::mailbox::Mailbox;
use crate::outcome::{Database, Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::{Record, View};
use crate::output::{github, report};
use crate::project::{guard, kit, root};
use crate::proof::made;
use crate::run::copilot::{Apart, Copilot};
use crate::run::plan_file::PlanFile;
use crate::run::{transaction, verdict};
use crate::term::interrupts::Interrupts;
use crate::term::pty::{Ended, Pty};
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
    pub consent: Consent<'a>,
    /// None: what the policy says.
    pub apply: Option<Apply>,
    pub accept_data_loss: bool,
    /// What drizzle-kit gets otherwise than the project's config says.
    pub overlay: Overlay,
    pub lock: Locking<'a>,
}

/// What is answered to the last question.
#[derive(Debug, Clone, Copy)]
pub enum Consent<'a> {
    /// What the policy says.
    ByPolicy,
    /// What the policy says, if everything is still as it was planned.
    Planned(&'a PlanFile),
    /// "No, abort", whatever the policy says: only the plan is wanted.
    Never(Keep<'a>),
}

/// What becomes of a plan beside its being shown.
#[derive(Debug, Clone, Copy)]
pub enum Keep<'a> {
    Nothing,
    /// It is written to this file, and may be used for so long.
    File(&'a Path, Duration),
}

/// Who executes the statements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// drizzle-kit, one by one
    Kit,
    /// drizzle-pilot, all in one transaction or none (PostgreSQL)
    Transaction,
}

/// Whether drizzle-kit is made to ask before it executes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asks {
    /// Yes, always, whatever the project's config says; it shows the statements first.
    BeforeExecuting,
    AsItLikes,
}

/// Whether no other run of this program may change the database meanwhile.
#[derive(Debug, Clone, Copy)]
pub enum Locking<'a> {
    /// Others may.
    None,
    /// The run takes the lock before drizzle-kit connects, waits so long for another to end, and keeps it to its own end.
    Take {
        wait: Duration,
        /// It was asked for on the command line, and is no default.
        is_asked: bool,
    },
    /// The lock is held for this run by who started it.
    Held(&'a Lease),
}

impl Locking<'_> {
    /// Returns how long the run waits for others who hold what it needs in the database.
    pub fn wait(self) -> Duration {
        /// However long it waits for another run: nobody else can write meanwhile.
        const MOST: Duration = Duration::from_secs(10);
        match self {
            Locking::Take { wait, .. } => wait.min(MOST),
            Locking::None | Locking::Held(_) => MOST,
        }
    }
}

/// What a command may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Touches {
    Database,
    /// A database is looked at, and stays as it is.
    Reads,
    Files,
}

impl<'a> Mission<'a> {
    /// Returns the mission to find out what drizzle-kit would execute, with nothing kept and no policy loosened.
    pub fn to_look(command: &'static str, kit_args: &'a [OsString], overlay: Overlay) -> Mission<'a> {
        Mission {
            command,
            kit_args,
            asks: Asks::BeforeExecuting,
            touches: Touches::Reads,
            consent: Consent::Never(Keep::Nothing),
            apply: Some(Apply::Kit),
            accept_data_loss: false,
            overlay,
            lock: Locking::None,
        }
    }
}

impl Mission<'_> {
    /// Returns how the run is shown.
    pub fn view(&self) -> View {
        if self.only_plans() { View::Plan } else { View::Run }
    }

    /// Tells whether only the plan is wanted.
    pub fn only_plans(&self) -> bool {
        matches!(self.consent, Consent::Never(_))
    }

    /// Tells whether a database is connected to.
    pub fn connects(&self) -> bool {
        matches!(self.touches, Touches::Database | Touches::Reads)
    }

    /// Returns the name of the drizzle-kit command.
    pub fn kit_command(&self) -> String {
        self.kit_args.first().map(|command| command.to_string_lossy().into_owned()).unwrap_or_default()
    }

    /// Returns the name among our own commands of what `run` has drizzle-kit do. The other commands are what they are
    /// called: a plan uses drizzle-kit's push, and is none.
    pub fn known_as(&self) -> Option<&'static str> {
        if self.command != "run" {
            return None;
        }
        let command = self.kit_command();
        let name = command.split(':').next().unwrap_or_default(); // 0.20 says `push:pg`
        ["push", "generate", "migrate", "check"].into_iter().find(|known| *known == name)
    }

    /// Tells whether the command works by the config file; drizzle-kit's questions about itself do not.
    pub fn reads_config(&self) -> bool {
        !self.kit_command().starts_with('-') && !matches!(self.kit_command().as_str(), "help" | "version")
    }

    /// Returns what is known about the database when drizzle-kit failed. Before its config was cleared it has no database
    /// to change.
    pub fn left(&self, consented: bool, cleared: bool) -> Database {
        match (self.asks, self.touches) {
            (_, Touches::Files) => Database::Unchanged,
            _ if consented => Database::Maybe,
            (Asks::BeforeExecuting, _) | (_, Touches::Reads) => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) if !cleared => Database::Unchanged,
            (Asks::AsItLikes, Touches::Database) => Database::Maybe,
        }
    }

    /// Returns the command that executes a plan of this mission, and nothing else.
    pub fn push_of_plan(&self, file: &str) -> String {
        let mut words = vec!["push".to_owned(), "--plan".to_owned(), shell_words::quote(file).into_owned()];
        words.extend(self.accept_data_loss.then(|| "--accept-data-loss".to_owned()));
        let kit_args: Vec<String> =
            self.kit_args.iter().skip(1).map(|arg| shell_words::quote(&arg.to_string_lossy()).into_owned()).collect();
        if !kit_args.is_empty() {
            words.push("--".to_owned());
            words.extend(kit_args);
        }
        words.join(" ")
    }

    /// Tells whether what drizzle-kit prints is what the command is run for.
    fn prints_its_result(&self) -> bool {
        self.command == "run" && self.kit_command() == "export"
    }
}

/// Runs drizzle-kit for a mission, reports, and returns how it ended.
pub fn fly(shared: &Shared, mission: &Mission, console: &mut Console) -> Exit {
    let (log, verdict) = fly_within(shared, mission, console);
    log.close(shared, mission.command, mission.view(), console, verdict)
}

/// Runs drizzle-kit for a mission that is a step of a longer run, whose report tells of it.
pub fn fly_within(shared: &Shared, mission: &Mission, console: &mut Console) -> (Record, Verdict) {
    let started = Instant::now();
    let mut log = Record::new(shared);
    let verdict = match attempt(shared, mission, console, &mut log) {
        Ok((verdict, None)) | Err(verdict) => verdict,
        Ok((_, Some(apart))) => transaction::run(shared, mission, &apart, started, console, &mut log),
    };
    log.timings.total_ms = started.elapsed().as_secs_f64() * 1e3;
    (log, verdict)
}

/// Ends a mission before it began, with a report as any other ending has.
pub fn ground(shared: &Shared, mission: &Mission, verdict: Verdict, console: &mut Console) -> Exit {
    let mut log = Record::new(shared);
    let verdict = log.promise(shared, mission.command, console.secrets()).err().unwrap_or(verdict);
    log.close(shared, mission.command, mission.view(), console, verdict)
}

/// Runs drizzle-kit once more and returns what it came to, without a report of its own.
pub fn look_again(shared: &Shared, mission: &Mission, console: &mut Console) -> (Verdict, Record) {
    let shared = Shared { report: None, report_html: None, record: None, ..shared.clone() };
    let mut log = Record::new(&shared);
    log.speaks = false;
    match attempt(&shared, mission, console, &mut log) {
        Ok((verdict, _)) | Err(verdict) => (verdict, log),
    }
}

/// Runs drizzle-kit within a run that reports by itself, and returns what it came to.
pub fn steer(shared: &Shared, mission: &Mission, console: &mut Console, log: &mut Record) -> Verdict {
    match attempt(shared, mission, console, log) {
        Ok((verdict, _)) | Err(verdict) => verdict,
    }
}

/// The story: policy, guards, kit, files to write, start, fly, judge. An early end is an `Err` with its verdict.
/// Where the policy consents to statements that are to run in one transaction, they come with the verdict.
fn attempt(
    shared: &Shared,
    mission: &Mission,
    console: &mut Console,
    log: &mut Record,
) -> Result<(Verdict, Option<Apart>), Verdict> {
    log.promise(shared, mission.command, console.secrets())?;
    refuse_force(shared, mission)?;
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, log)?;
    let made = |console: &mut Console| made::statements(shared, mission.command, &cwd, console);
    let mut copilot = Copilot::new(mission, &policies, shared.profile.as_deref(), &cwd, shared.timeout, console, &made);
    copilot.guard_early()?;
    let kit = kit::held(shared, &cwd)?;
    speaks_of_dialects(&kit, mission)?;
    copilot.fly_with(kit.version.clone(), log.policy.digest.clone());
    log.kit = Some(report::Kit {
        version: kit.version.as_ref().map(ToString::to_string),
        path: kit.path.display().to_string(),
    });
    let (named, kit_args) = config_of(shared, mission)?;
    let config = crate::project::config::find(&cwd, named.as_deref())?;
    if config.is_none() && mission.reads_config() {
        let summary = format!("no drizzle.config.ts, .js or .json in {}", cwd.display());
        return Err(Verdict::nothing(Exit::Config, summary).hint("name it with --config, or the project with --cwd"));
    }
    let recorder = record(shared, mission, &kit, copilot.console(), log)?;

    let interrupts = Interrupts::watch().map_err(|error| Verdict::internal("watching for signals", &error))?;
    let (mailbox, mail) = Mailbox::create().map_err(|error| kit::no_mailbox(&error))?;
    let call =
        Call { cwd: &cwd, args: &kit_args, config: config.as_ref(), asks: mission.asks == Asks::BeforeExecuting };
    let command = kit.start(&call, &mailbox);
    tracing::debug!(program = %command.program.display(), "starting drizzle-kit");
    let pty = Pty::spawn(&command).map_err(|error| kit::not_started(&error))?;
    let deadlines = Deadlines { whole: shared.timeout, idle: shared.idle_timeout };
    let stream = ScreenStream::new(pty, interrupts, Some(mail), recorder);
    // Whatever happens, a bug of ours included: what drizzle-kit left in the server is ended.
    let flown = catch_unwind(AssertUnwindSafe(|| driver::fly(stream, mailbox, deadlines, &mut copilot)));
    if !matches!(&flown, Ok(Ok(flight)) if flight.ending == Ending::Finished(Ended::Code(0))) {
        copilot.end_leftovers();
    }
    let flight = flown
        .unwrap_or_else(|panic| resume_unwind(panic))
        .map_err(|error| Verdict::internal("driving the terminal", &error))?;
    if !matches!(flight.ending, Ending::Finished(_)) {
        copilot.tell_of_leftovers();
    }
    copilot.name_left_out();
    let verdict = verdict::judge(mission, shared, &flight, &mut copilot);
    if let Err(error) = &flight.recording {
        let file = shared.record.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default();
        copilot.console().lose(format!("the recording{file} could not be written whole: {error}"));
    }
    let mut verdict = copilot.with_casts(verdict);
    if mission.prints_its_result() && verdict.exit == Exit::Ok && shared.format == Format::Text {
        match printed(&flight) {
            Ok(printed) if github::would_obey(&printed) => {
                let summary = "a line of what drizzle-kit exports is a command to GitHub, which reads this log";
                verdict = Verdict::nothing(Exit::Failed, summary)
                    .hint("write it to a file: drizzle-pilot run -- export > schema.sql");
            }
            Ok(printed) => log.printed = Some(printed),
            Err(failed) => verdict = failed,
        }
    } else {
        show_kit_text(mission, &verdict, &flight, copilot.console());
    }
    log.counted = copilot.counted.take();
    log.failed = flight.failed.clone();
    log.out = Some(copilot.out.clone());
    log.prompts = prompts(&flight, &copilot.rules);
    log.profile = copilot.profile().map(str::to_owned);
    log.timings.config_ms = copilot.config_ms;
    log.timings.preflight_ms = copilot.preflight_ms;
    let Copilot { target, warnings, refusals, statements, apart, lease, .. } = copilot;
    (log.target, log.warnings, log.refusals, log.statements) = (target, warnings, refusals, statements);
    let is_apart = verdict.exit == Exit::Changes && !mission.only_plans();
    // The lock goes along with what is left to do under it.
    Ok((verdict, apart.filter(|_| is_apart).map(|apart| Apart { lease, ..apart })))
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
        if mission.connects() && ELSEWHERE.contains(&flag) {
            let summary = format!("{flag} takes drizzle-kit away from its config file, and so from the guards");
            return Err(
                Verdict::nothing(Exit::Usage, summary).hint("write it into a config file, and name that with --config")
            );
        }
        kit_args.push(arg.clone());
    }
    Ok((named, kit_args))
}

/// Before 0.21 drizzle-kit's commands had the dialect in their names.
fn speaks_of_dialects(kit: &Kit, mission: &Mission) -> Result<(), Verdict> {
    let Some(version) = kit.version.as_ref().filter(|version| (version.major, version.minor) < (0, 21)) else {
        return Ok(());
    };
    if matches!(mission.command, "push" | "plan" | "generate") {
        let command = mission.kit_command();
        let summary = format!("drizzle-kit {version} has no `{command}` command of this form");
        return Err(
            Verdict::nothing(Exit::CannotRun, summary).hint(format!("use its own: drizzle-pilot run -- {command}:pg"))
        );
    }
    Ok(())
}

/// Begins the recording, if one is wanted: for itself, or for the page of the run.
fn record(
    shared: &Shared,
    mission: &Mission,
    kit: &Kit,
    console: &Console,
    log: &mut Record,
) -> Result<Option<FileRecorder>, Verdict> {
    let is_shown = shared.report_html.is_some();
    // The arguments may hold a URL, and say nothing that the output does not show.
    let command = format!("drizzle-kit {}", mission.kit_command());
    let title = match &kit.version {
        Some(version) => format!("drizzle-kit {version}"),
        None => "drizzle-kit".to_owned(),
    };
    let begin = |file: File| FileRecorder::begin(BufWriter::new(file), &command, &title, console.secrets());
    let Some(path) = &shared.record else {
        if !is_shown {
            return Ok(None);
        }
        return tempfile::tempfile()
            .and_then(|file| {
                log.recordings.push(file.try_clone()?);
                begin(file)
            })
            .map(Some)
            .map_err(|error| Verdict::nothing(Exit::Failed, format!("making a temporary file: {error}")));
    };
    File::create(path)
        .and_then(|file| {
            // A pipe cannot be read twice. Of several runs of drizzle-kit, the file has the last.
            if is_shown && file.metadata()?.is_file() {
                log.recordings = vec![File::open(path)?];
            }
            begin(file)
        })
        .map(Some)
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing the recording {}: {error}", path.display())))
}

/// Returns what drizzle-kit printed, to the letter.
fn printed(flight: &Flight) -> Result<String, Verdict> {
    let text = flight.session.last_text();
    if text.is_intact() {
        return Ok(text.printed.clone());
    }
    let summary = "what drizzle-kit printed is too long, or has control sequences in it, and was not read whole";
    Err(Verdict::nothing(Exit::Failed, summary).hint("run drizzle-kit export by itself"))
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
        // What is cut first may leave the beginning of a secret.
        let line = console.clean(line);
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
            recorded: None,
            rule: rules.get(idx).filter(|rule| !rule.is_empty()).cloned(),
            keys: answered.keys.iter().map(|key| key.name().to_owned()).collect(),
            latency_ms: answered.chosen.and_then(|_| latencies.next().copied()),
        })
        .collect()
}
