//! A run of drizzle-kit, from the policy to the verdict.

use std::fs::File;
use std::io::BufWriter;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::{Format, Shared};
use crate::clock::Clock;
use crate::db::connection::preflight;
use crate::db::{AdvisoryLock, Connection};
use crate::kit::command::{Call, Kit};
use crate::kit::hints::rounds as hints;
use crate::kit::run::{Ending as KitEnding, KitRun};
use crate::kit::schema_files;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::github;
use crate::output::record::Record;
use crate::output::report;
use crate::project::{config, guard, incompatible, kit, root};
use crate::run::context::{Cleared, Lent, OURSELVES, Starting};
use crate::run::ending::{self, Ending, Limits};
use crate::run::plan_file::PlanFile;
use crate::run::record::RunRecord;
use crate::run::rounds::Rounds;
use crate::run::spec::{Consent, Keep, RunSpec};
use crate::run::supervisor::{Supervised, Supervisor};
use crate::run::transaction::Transaction;
use crate::run::{clearance, kit_args, leftovers, permission, shown, type_change, uncompared};
use crate::sql::Dialect;
use crate::term::ended::Ended;
use crate::term::stream::FileRecorder;

/// What a run came to.
#[derive(Debug)]
pub(super) struct Finished {
    /// How it ended, unless more is done now.
    pub verdict: Verdict,
    /// What was approved to be run in one transaction.
    pub approved: Option<Approved>,
}

/// Statements that are approved.
#[derive(Debug)]
pub(super) struct Approved {
    pub transaction: Box<Transaction>,
    /// The lock, if the run took one: it goes along with what is left to do under it.
    pub advisory_lock: Option<AdvisoryLock>,
}

/// Runs drizzle-kit: policy, guards, kit, files to write, start, drive, judge. An early end is an `Err` with its verdict.
///
/// # Errors
/// With the verdict, where drizzle-kit was not started or its terminal failed.
#[tracing::instrument(name = "start", skip_all)]
pub(super) fn run(
    shared: &Shared,
    spec: &RunSpec,
    lent: &Lent,
    clock: Clock,
    console: &mut Console,
    record: &mut Record,
) -> Result<Finished, Verdict> {
    kit_args::refuse_force(shared, spec)?;
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, record)?;
    let policy = permission::early(spec, &policies, shared.profile.as_deref(), record, console)?;
    let kit = kit::held(shared, &cwd, kit_args::newest(spec))?;
    kit_args::speaks_of_dialects(kit.version.as_ref(), spec)?;
    kit_args::refuse_apply_by_kit(kit.version.as_ref(), spec)?;
    record.kit = Some(report::Kit {
        version: kit.version.as_ref().map(ToString::to_string),
        path: kit.path.display().to_string(),
    });
    let start = Starting {
        spec,
        shared,
        cwd: &cwd,
        policies: &policies,
        policy,
        policy_digest: record.policy.digest.clone(),
        kit_version: kit.version.clone(),
        lent,
        clock,
        run_id: run_id(),
    };
    let (run, supervised) = drive(&start, &kit, RunRecord::new(record), console)?;
    Ok(finish(&start, &run, supervised))
}

/// Starts drizzle-kit, drives it to its end, and ends what it left in the server.
fn drive<'a>(
    start: &'a Starting<'a>,
    kit: &Kit,
    record: RunRecord<'a>,
    console: &'a mut Console,
) -> Result<(KitRun, Supervised<'a>), Verdict> {
    let Starting { shared, spec, cwd, .. } = start;
    let (named, kit_args) = kit_args::config_of(shared, spec)?;
    let config = config::find(cwd, named.as_deref())?;
    if config.is_none() && spec.reads_config() {
        let summary = format!("no drizzle.config.ts, .js or .json in {}", cwd.display());
        return Err(Verdict::nothing(Exit::Config, summary).hint("specify it with --config, or the project with --cwd"));
    }
    if start.takes_hints() {
        incompatible::refuse(kit, cwd, config.as_ref())?;
    }
    let recorder = recorder(shared, spec, kit, console)?;
    let mut supervisor = Supervisor::new(start, record, console);
    let (kit_args, config) = (kit_args.as_slice(), config.as_ref());
    let runs = || match start.takes_hints() {
        true => {
            let supervisor = &mut supervisor;
            let mut rounds = Rounds { start, kit, kit_args, config, recorder, supervisor, cleared: None };
            if spec.kit_command() == "export" { hints::export(&mut rounds) } else { hints::drive(&mut rounds) }
        }
        false => {
            let call = Call { cwd, args: kit_args, config, asks: spec.asks_first(), hints: None };
            kit::start(recorder, |channel| kit.start(&call, channel))?.drive(shared, &mut supervisor)
        }
    };
    // Whatever happens, a bug of ours included: what drizzle-kit left in the server is ended.
    let run = catch_unwind(AssertUnwindSafe(runs));
    let mut supervised = supervisor.end();
    let Supervised { record, cleared, console } = &mut supervised;
    if let Some(cleared) = cleared
        && !matches!(&run, Ok(Ok(run)) if run.ending == KitEnding::Finished(Ended::Code(0)))
    {
        leftovers::end(start, cleared, record, console);
    }
    let run = run.unwrap_or_else(|panic| resume_unwind(panic))?;
    if let Some(cleared) = cleared
        && !matches!(run.ending, KitEnding::Finished(_))
    {
        leftovers::warn(start, cleared, record, console);
    }
    Ok((run, supervised))
}

/// Judges a run that is over, and does what is left to do after it.
fn finish(start: &Starting, run: &KitRun, supervised: Supervised) -> Finished {
    let Starting { shared, spec, .. } = start;
    let Supervised { mut record, mut cleared, console } = supervised;
    let left_out = match &cleared {
        Some(cleared) => name_left_out(start, cleared, &mut record, console),
        None => Vec::new(),
    };
    let limits = Limits { whole: shared.timeout, idle: shared.idle_timeout };
    let ending = ending::judge(spec, limits, &record, run);
    tracing::info!(?ending, kit = ?run.ending, "drizzle-kit's run is over");
    if let Err(error) = &run.recording {
        let file = shared.record.as_ref().map(|path| format!(" {}", path.display())).unwrap_or_default();
        console.lose(format!("the recording{file} could not be written completely: {error}"));
    }
    record.report.failed.clone_from(&run.failed);
    record.report.exported = shown::exported(run);
    record.report.prompts = shown::prompts(run, &record.answers.rules);
    record.report.phantoms = shown::phantoms(&record.repeated);
    let verdict = match ending {
        Ending::Over(verdict) => verdict,
        Ending::Planned(summary) => planned(start, cleared.as_deref(), &record, summary),
        Ending::UnlessUnreachable(otherwise) => match cleared.as_deref().and_then(|cleared| diagnose(start, cleared)) {
            Some(diagnosed) => ending::unreachable(diagnosed, &otherwise),
            None => otherwise,
        },
        Ending::Approved(verdict) => {
            let approved = cleared.as_mut().and_then(|cleared| {
                let transaction = cleared.transaction.take()?;
                Some(Approved { transaction, advisory_lock: cleared.looks.lock.take() })
            });
            return Finished { verdict, approved };
        }
    };
    let verdict = match &cleared {
        Some(cleared) => with_type_changes(start, cleared, &record, verdict),
        None => verdict,
    };
    let has_differences = spec.tells_differences() && matches!(verdict.exit, Exit::Changes | Exit::Refused);
    if let Some(cleared) = &cleared
        && (verdict.exit == Exit::Ok || has_differences)
    {
        uncompared::look(start, cleared, &left_out, &mut record, console);
    }
    Finished { verdict: with_kit_text(start, run, record.report, console, verdict), approved: None }
}

/// Shows what drizzle-kit printed: as the result, where that is what it was run for, and else where it explains the ending.
fn with_kit_text(
    start: &Starting,
    run: &KitRun,
    record: &mut Record,
    console: &mut Console,
    verdict: Verdict,
) -> Verdict {
    if !start.spec.prints_its_result() || verdict.exit != Exit::Ok || start.shared.format != Format::Text {
        shown::show_kit_text(start.spec, &verdict, run, console);
        return verdict;
    }
    match shown::printed(run) {
        Ok(printed) if github::would_obey(&printed) => {
            let summary = "a line of the export is a workflow command to GitHub Actions, which reads this log";
            Verdict::nothing(Exit::Failed, summary).hint("write it to a file: drizzle-pilot run -- export > schema.sql")
        }
        Ok(printed) => {
            record.printed = Some(printed);
            verdict
        }
        Err(failed) => failed,
    }
}

/// Returns the verdict for a plan that the policy allows, once it is written where that was asked for.
fn planned(start: &Starting, cleared: Option<&Cleared>, record: &RunRecord, summary: String) -> Verdict {
    let Consent::Never(Keep::File(file, lifetime)) = start.spec.consent else {
        return Verdict::nothing(Exit::Changes, summary);
    };
    let write = || {
        let cleared = cleared.ok_or("drizzle's config was not seen")?;
        let seen = cleared.seen.as_ref().ok_or("the schema of the database was not seen")?;
        let surroundings = clearance::surroundings(start, cleared);
        let (statements, answered) = (record.statements(), &record.answers.answered);
        let plan = PlanFile::new(record.address(), surroundings, answered, statements, seen, lifetime);
        plan.write(file).map_err(|error| format!("{}: {error}", file.display()))
    };
    match write() {
        Ok(()) => {
            let file = file.display().to_string();
            Verdict::nothing(Exit::Changes, format!("{summary}; the plan is in {file}"))
                .hint(format!("execute exactly this plan: drizzle-pilot {}", start.spec.push_of_plan(&file)))
        }
        Err(reason) => Verdict::nothing(Exit::Failed, format!("the plan was not written: {reason}")),
    }
}

/// Finds out why the database cannot be used, where drizzle-kit did not say.
fn diagnose(start: &Starting, cleared: &Cleared) -> Option<Verdict> {
    // The connection of the lock may be gone for the same reason; a new one says why.
    let connection = Connection::to(cleared.place.dsn.as_ref()?, OURSELVES, "");
    let seen = connection.and_then(|connection| preflight::preflight(&connection, start.patience()));
    seen.err().map(|error| start.unseen(&error))
}

/// Adds to a verdict how columns can change their type, where drizzle-kit's statements would fail or have failed.
fn with_type_changes(start: &Starting, cleared: &Cleared, record: &RunRecord, verdict: Verdict) -> Verdict {
    let concerns_types = match verdict.exit {
        Exit::Refused | Exit::Changes => true,
        Exit::Partial | Exit::Failed => verdict.error.as_ref().is_some_and(|error| type_change::concerns(error)),
        _ => false,
    };
    match &cleared.place.dsn {
        Some(dsn) if concerns_types => {
            let advice = type_change::advise(dsn, &record.statements(), start.patience());
            let scope = cleared.scope(start.spec, &record.answers);
            type_change::add(verdict, advice.with_lines(&cleared.policy, &scope))
        }
        _ => verdict,
    }
}

/// Names the schemas of the schema files that drizzle-kit leaves out, and returns them.
fn name_left_out(start: &Starting, cleared: &Cleared, record: &mut RunRecord, console: &mut Console) -> Vec<String> {
    if !start.spec.asks_first() || cleared.place.dialect != Some(Dialect::Postgres) {
        return Vec::new();
    }
    let schemas = &cleared.files.schemas;
    let declared = schema_files::schemas(&cleared.files.loaded);
    let left_out: Vec<String> = declared.into_iter().filter(|schema| !schemas.contains(schema)).collect();
    if left_out.is_empty() {
        return left_out;
    }
    let all: Vec<String> = schemas.iter().chain(&left_out).map(|name| format!("'{name}'")).collect();
    let what = match left_out.as_slice() {
        [only] => format!("schema {only} of the schema files is"),
        several => format!("schemas {} of the schema files are", several.join(", ")),
    };
    let warning = format!(
        "{what} excluded by schemaFilter and not pushed; to include it, set in drizzle's config: schemaFilter: [{}]",
        all.join(", ")
    );
    console.warn_in(record.report, &warning);
    left_out
}

/// Begins the recording, if one is wanted: for itself, or for the page of the run.
fn recorder(
    shared: &Shared,
    spec: &RunSpec,
    kit: &Kit,
    console: &mut Console,
) -> Result<Option<FileRecorder>, Verdict> {
    let is_shown = shared.report_html.is_some();
    // The arguments may hold a URL, and say nothing that the output does not show.
    let command = format!("drizzle-kit {}", spec.kit_command());
    let title = match &kit.version {
        Some(version) => format!("drizzle-kit {version}"),
        None => "drizzle-kit".to_owned(),
    };
    let secrets = console.secrets().clone();
    let begin = |file: File| FileRecorder::begin(BufWriter::new(file), &command, &title, &secrets);
    let Some(path) = &shared.record else {
        if !is_shown {
            return Ok(None);
        }
        return tempfile::tempfile()
            .and_then(|file| {
                console.keep_recording(file.try_clone()?);
                begin(file)
            })
            .map(Some)
            .map_err(|error| Verdict::nothing(Exit::Failed, format!("making a temporary file: {error}")));
    };
    File::create(path)
        .and_then(|file| {
            // A pipe cannot be read twice. Of several runs of drizzle-kit, the file has the last.
            if is_shown && file.metadata()?.is_file() {
                console.take_recordings();
                console.keep_recording(File::open(path)?);
            }
            begin(file)
        })
        .map(Some)
        .map_err(|error| Verdict::nothing(Exit::Failed, format!("writing the recording {}: {error}", path.display())))
}

/// Returns a name for this run, unique enough to find its sessions in a server.
fn run_id() -> String {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("drizzle-pilot-{}-{:x}", std::process::id(), since_1970.as_micros())
}
