//! `next`: compare schema files, last snapshot, journal and database; say where the project stands, and what comes next.
//!
//! It looks with the code of `status`, `check` and `plan`, and decides nothing that they do not say.

mod drift;
mod faults;
pub mod patterns;
mod steps;

use std::fmt::Write;
use std::path::Path;

use clap::Parser;

use self::drift::{drifted, of_drift};
use self::faults::{Faults, Fork};
use self::steps::Lines;
use crate::cli::{Cli, Command, MigrateArgs, PlaceArgs, PlanArgs, PushArgs, Shared, SyncArgs};
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::commands::{generate, migrate, plan, push, status, sync};
use crate::compare::difference::Differences;
use crate::db::inspect::migrations_table::{self, MigrationsTable};
use crate::db::inspect::reach::Relation;
use crate::migrations::git::Git;
use crate::migrations::query::queries;
use crate::migrations::state::{Migration, State, Status};
use crate::migrations::{Finding, Folder, JournalFile, Level, journal, lint};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::{Record, View};
use crate::output::report::answer::{Advice, NextStep, Offer, Pattern, Stand};
use crate::output::{delivery, question, report};
use crate::policy::Policy;
use crate::policy::model::{MigrateGate, SyncNames};
use crate::project::guard::{self, Changes};
use crate::project::migrations::MigrationsContext;
use crate::project::target::{self, Place};
use crate::project::{folder, root};
use crate::proof::forgotten::{self, Forgotten};
use crate::proof::scratch::Settings;
use crate::run::gate::pending;
use crate::run::type_change;
use crate::sql::name::ObjectName;
use crate::{files, sql};

/// As many lines of evidence are shown; `check --database` and the report have all.
const MOST_LINES: usize = 12;

impl Offer {
    fn words(self) -> &'static str {
        match self {
            Offer::Generate => "generate",
            Offer::Migrate => "migrate",
            Offer::Push => "push",
            Offer::Plan => "plan",
            Offer::SyncDryRun => "sync --dry-run",
            Offer::RepairOrder => "sync --repair-order",
        }
    }
}

/// Runs the command.
pub fn run(shared: &Shared, args: &PlaceArgs, console: &mut Console) -> Exit {
    let mut taken_up = None;
    let exit = delivery::run(shared, CommandName::Next, View::Answered, console, |clock, console, record| {
        let advice = look(shared, args, clock, console, record)?;
        if shared.shows_text() {
            console.result(&text(&advice, &record.comparisons));
        }
        let advice = &*record.answer.next.insert(advice);
        if let Some(NextStep { command: Some(command), offer: Some(offer), .. }) = advice.steps.first()
            && question::can_ask(shared)
            && question::ask(&format!("Run {command} now?"), clock, console)?
        {
            taken_up = Some(*offer);
        }
        let exit = if matches!(advice.state, Stand::Clean | Stand::Pushed) { Exit::Ok } else { Exit::Changes };
        Ok(Verdict::nothing(exit, advice.summary.clone()))
    });
    match taken_up {
        Some(offer) => take_up(offer, shared, args, console),
        None => exit,
    }
}

/// Runs the command that comes next, with what its command line has by default.
fn take_up(offer: Offer, shared: &Shared, place: &PlaceArgs, console: &mut Console) -> Exit {
    let words = std::iter::once("drizzle-pilot").chain(offer.words().split(' '));
    let line = Cli::try_parse_from(words).expect("the words are those of our own commands");
    let place = place.clone();
    match line.command {
        Command::Generate(args) => generate::run(shared, &args, console),
        Command::Migrate(args) => migrate::run(shared, &MigrateArgs { place, ..args }, console),
        Command::Push(args) => push::run(shared, &args, console),
        Command::Plan(args) => plan::run(shared, &args, console),
        Command::Sync(args) => sync::run(shared, &SyncArgs { place, ..args }, console),
        other => unreachable!("{other:?} is not offered"),
    }
}

fn text(advice: &Advice, comparisons: &[Differences]) -> String {
    let Advice { state, summary, evidence, steps, patterns, notes } = advice;
    let word = serde_json::to_value(state).expect("a state is a word");
    let mut text = format!("state  {}: {summary}\n", word.as_str().unwrap_or_default());
    match comparisons {
        [differences] if *state == Stand::Drifted => text += &drift::text(differences),
        _ => {
            for line in evidence.iter().take(MOST_LINES) {
                let _ = writeln!(text, "       {}", sql::excerpt(line));
            }
            if evidence.len() > MOST_LINES {
                let _ = writeln!(text, "       and {} more", evidence.len() - MOST_LINES);
            }
        }
    }
    for (idx, NextStep { command, why, .. }) in steps.iter().enumerate() {
        let when = if idx == 0 { "next" } else { "then" };
        match command {
            Some(command) => {
                let _ = writeln!(text, "{when}   {command}\n         {why}");
            }
            None => {
                let _ = writeln!(text, "{when}   {why}");
            }
        }
    }
    for Pattern { kind, why, sql } in patterns {
        let _ = writeln!(text, "{kind}: {why}");
        for line in sql.lines() {
            let _ = writeln!(text, "{}", format!("    {line}").trim_end());
        }
    }
    for note in notes {
        let _ = writeln!(text, "note: {note}");
    }
    text
}

/// Looks at one thing after the other. What has to be mended first is said first, and what rests on it is not looked at.
fn look(
    shared: &Shared,
    args: &PlaceArgs,
    clock: &Clock,
    console: &mut Console,
    record: &mut Record,
) -> Result<Advice, Verdict> {
    record.is_silent = true;
    let lines = Lines { shared, place: args };
    let cwd = root::find(shared)?;
    let policies = guard::load(shared, &cwd, console, record)?;
    let place = target::find(CommandName::Next, shared, args.url.as_deref(), &cwd, console)?;
    record.target = Some(report::Target::of_postgres(&place.dsn));
    // It looks as `status` does, and may run wherever that may.
    let policy =
        guard::check(CommandName::Status, Changes::Nothing, shared, &policies, place.drizzle.as_ref(), record)?;
    let path = target::migrations_folder(args.migrations.as_deref(), place.drizzle.as_ref(), &cwd);
    // A folder that is there and cannot be read is not taken for one that is still to come.
    let read = if folder::is_there(&path)? { Some(folder::read(&path)?) } else { None };
    let Some(read) = read.filter(|folder| folder.journal != JournalFile::Missing || !folder.files.is_empty()) else {
        return without_migrations(shared, &lines, &place, clock, console);
    };
    let surroundings = folder::surroundings(&read, &cwd);
    let found = policy.check().wishing(|wishes| journal::check(&read, surroundings, wishes));
    // What no database need be asked about.
    let alone = faults::sort(&read, found.clone(), &|_| false);
    if let Some(stale) = &alone.stale {
        let is_older = journal::other_forms(&read, surroundings.snapshots).iter().any(|form| form.is_older());
        return Ok(of_stale(stale, is_older, &lines, &cwd));
    }
    if !matches!(read.journal, JournalFile::Read(_)) && !alone.blocking.is_empty() {
        return Ok(conflict(&read, &alone.blocking, None, &lines, &cwd));
    }
    console.progress("reading the migrations table");
    let context = MigrationsContext::of(place, args.migrations.as_deref(), &cwd)?;
    let migrations_table = match context.migrations_table(clock) {
        Ok(migrations_table) => migrations_table,
        Err(_) if !alone.blocking.is_empty() => {
            return Ok(conflict(&context.folder, &alone.blocking, None, &lines, &cwd));
        }
        Err(verdict) => return Err(verdict),
    };
    let status = context.status(&migrations_table);
    let is_applied = |tag: &str| {
        let has = |state: State| matches!(state, State::Applied | State::Edited | State::Repeated);
        status.migrations.iter().any(|migration| migration.entry.tag == tag && has(migration.state))
    };
    let faults = faults::sort(&context.folder, found, &is_applied);
    if !faults.blocking.is_empty() {
        return Ok(conflict(&context.folder, &faults.blocking, Some(&is_applied), &lines, &cwd));
    }
    if let Some(advice) = astray(&context, &migrations_table, &status, &faults, &lines) {
        return Ok(advice);
    }

    let mut notes = faults.notes.clone();
    if !faults.old.is_empty() {
        notes.push(format!(
            "the folder has old faults in applied migrations ({}); drizzle-pilot check --accept-old accepts them",
            faults.old.iter().map(|finding| finding.sentence.as_str()).collect::<Vec<_>>().join("; ")
        ));
    }
    let settings = Settings::of(shared, &policy, &cwd);
    let differences = drifted(&context, &settings, &migrations_table, &status, clock, console, &mut notes)?;
    record.comparisons.extend(differences.clone());
    let edited = schema(shared, &context, &cwd, console, &mut notes)?;
    if let Some(differences) = differences.filter(|differences| !differences.is_empty()) {
        if differences.has_substance() || policy.sync_names().0 == SyncNames::Refuse {
            return Ok(of_drift(&differences, edited.is_some(), &status, notes, &lines));
        }
        notes.push(drift::kept(&differences));
    }
    if status.in_state(State::Pending).next().is_some() {
        let weighed = of_hazards(&context, &status, &migrations_table, &policy, clock, &mut notes);
        return Ok(of_pending(&context, &status, edited.is_some(), &policy, weighed, notes, &lines));
    }
    match edited {
        Some(edited) => Ok(of_edits(&context, edited, clock, notes, &lines)),
        None => Ok(of_clean(&context, &status, &faults, notes, &lines)),
    }
}

/// A project that pushes, or one that is new.
fn without_migrations(
    shared: &Shared,
    lines: &Lines<'_>,
    place: &Place,
    clock: &Clock,
    console: &mut Console,
) -> Result<Advice, Verdict> {
    if lines.place.url.is_some() {
        let summary = "there are no migrations, and --url only applies to them";
        return Err(Verdict::nothing(Exit::Usage, summary)
            .hint("omit it: drizzle-kit computes the push, and connects to the database in its config"));
    }
    let mission_args = PlanArgs::of_push(&PushArgs::default());
    console.progress("asking drizzle-kit what a push would change");
    let (verdict, log) = plan::look(shared, &mission_args, console);
    let generate = "for databases with real data, use migrations: drizzle-pilot generate makes the first one; in a database \
                    that a push built, drizzle-pilot sync then marks it as applied";
    let of = |state, summary: String, evidence, steps| Advice {
        state,
        summary,
        evidence,
        steps,
        patterns: Vec::new(),
        notes: vec![generate.to_owned()],
    };
    match verdict.exit {
        Exit::Ok if !log.comparisons.is_empty() => Ok(of(
            Stand::Unpushed,
            format!("there are no migrations, and {} differs from the schema files where no push changes it", place.dsn),
            log.comparisons.iter().flat_map(Differences::substance).collect(),
            vec![lines.by_hand(
                "drizzle-kit's push does not see these differences: make the database as the schema files say by hand, or \
                 the schema files as the database is",
            )],
        )),
        Exit::Ok => Ok(of(
            Stand::Pushed,
            match log.warnings.is_empty() {
                true => format!("there are no migrations, and {} matches the schema files", place.dsn),
                false => format!(
                    "there are no migrations, and {} agrees with the schema files as far as drizzle-kit's push compares them",
                    place.dsn
                ),
            },
            log.warnings,
            vec![lines.by_hand("edit the schema files, then drizzle-pilot plan and drizzle-pilot push")],
        )),
        Exit::Changes | Exit::Refused => {
            let statements: Vec<String> =
                log.statements.iter().map(|statement| sql::one_line(&statement.sql)).collect();
            let refusals = log.refusals.iter().map(|refusal| format!("refused: {}", refusal.what));
            let evidence: Vec<String> = statements.into_iter().chain(refusals).collect();
            let tables = migrations_table::inspect(&place.dsn, &table_of(place), clock.rest())
                .map_or(0, |migrations_table| migrations_table.n_tables);
            let summary = match tables {
                0 => "there are no migrations, and the database is empty".to_owned(),
                _ => "there are no migrations, and the schema files differ from the database".to_owned(),
            };
            let step = if verdict.exit == Exit::Changes {
                lines.step("push", "executes the statements above, which the policy allows", Some(Offer::Push))
            } else {
                lines.step(
                    "plan",
                    "shows what the policy refuses, with the lines that would allow it",
                    Some(Offer::Plan),
                )
            };
            Ok(of(Stand::Unpushed, summary, evidence, vec![step]))
        }
        _ => Err(verdict),
    }
}

fn tables(n: u64) -> String {
    if n == 1 { "1 table".to_owned() } else { format!("{n} tables") }
}

fn table_of(place: &Place) -> Relation {
    let config = place.drizzle.as_ref().map(|drizzle| drizzle.config.clone()).unwrap_or_default();
    let (schema, name) = config.migrations_table();
    Relation { schema, name }
}

/// Returns a finding in one line.
fn told(finding: &Finding, file: &str) -> String {
    format!("{file}:{}: {} [{}]", finding.place.at.line, finding.sentence, finding.id)
}

/// What two branches left in the folder. Nothing can be generated on top of it. `is_applied` says what the database has; none
/// where it could not be asked.
fn conflict(
    folder: &Folder,
    found: &[Finding],
    is_applied: Option<&dyn Fn(&str) -> bool>,
    lines: &Lines<'_>,
    cwd: &Path,
) -> Advice {
    let shown = |path: &Path| path.strip_prefix(cwd).unwrap_or(path).display().to_string();
    let evidence = found.iter().map(|finding| told(finding, &shown(&finding.place.file)));
    let check = || lines.step("check", "finds nothing once the folder is consistent again", None);
    let mut steps = Vec::new();
    let fork = found.first().and_then(|first| faults::fork(folder, first));
    match (fork, is_applied) {
        // What a database has must not be deleted.
        (Some(Fork { earlier, later, .. }), None) => {
            steps.push(lines.by_hand(format!(
                "find out which of {} and {} the database has: it could not be queried. Delete a migration only if no database has it",
                earlier.tag, later.tag
            )));
            steps.push(lines.step("next", "shows what to do then", None));
        }
        (Some(Fork { earlier, later, snapshot, id }), Some(is_applied))
            if is_applied(&earlier.tag) && is_applied(&later.tag) =>
        {
            let snapshot = shown(&folder.path.join("meta").join(&snapshot.name));
            steps.push(lines.by_hand(format!(
                "the database has {} and {}: keep both. In {snapshot} write \"{id}\" as the \"prevId\", so that the \
                 snapshots form one chain",
                earlier.tag, later.tag
            )));
            steps.push(check());
            steps.push(lines.step(
                "generate",
                "writes a migration with the changes that the last snapshot lacks",
                None,
            ));
            steps.push(lines.by_hand(
                "remove from the new file the changes that the database already has, but keep its snapshot; then drizzle-pilot migrate",
            ));
        }
        (Some(Fork { earlier, later, .. }), Some(is_applied)) => {
            let (stays, goes) = if is_applied(&later.tag) { (later, earlier) } else { (earlier, later) };
            steps.push(lines.by_hand(format!(
                "delete {} with its entry in the journal and its snapshot, and keep {}",
                goes.tag, stays.tag
            )));
            steps.push(check());
            steps.push(lines.step("generate", "makes your migration again, on top of the other branch's", None));
        }
        (None, _) => {
            steps.extend(found.first().map(|first| lines.by_hand(first.what_to_do.clone())));
            steps.push(check());
            steps.push(lines.step("generate", "makes your migration again, on top of the other branch's", None));
        }
    }
    Advice {
        state: Stand::Conflict,
        summary: "the migrations folder is inconsistent, as after a merge of two branches".to_owned(),
        evidence: evidence.collect(),
        steps,
        patterns: Vec::new(),
        notes: Vec::new(),
    }
}

/// drizzle-kit was updated, or is older than the one that wrote the folder.
fn of_stale(stale: &Finding, is_older: bool, lines: &Lines<'_>, cwd: &Path) -> Advice {
    let shown = stale.place.file.strip_prefix(cwd).unwrap_or(&stale.place.file).display().to_string();
    let step = match is_older {
        true => lines.step("run -- up", "rewrites the snapshots in the format of the installed drizzle-kit", None),
        false => lines.by_hand(stale.what_to_do.clone()),
    };
    Advice {
        state: Stand::StaleSnapshots,
        summary: "the snapshots are not in the format that the project's drizzle-kit reads".to_owned(),
        evidence: vec![told(stale, &shown)],
        steps: vec![step, lines.step("check", "finds nothing then", None)],
        patterns: Vec::new(),
        notes: Vec::new(),
    }
}

/// What the migrations table says of the folder, where nothing can go on before it is mended.
fn astray(
    context: &MigrationsContext,
    migrations_table: &MigrationsTable,
    status: &Status,
    faults: &Faults,
    lines: &Lines<'_>,
) -> Option<Advice> {
    let tags =
        |state| status.in_state(state).map(|migration| migration.entry.tag.as_str()).collect::<Vec<_>>().join(", ");
    let has = |state| status.in_state(state).next().is_some();
    let advice = |state, summary: String, steps| {
        let told = status.migrations.iter().filter(|migration| migration.state != State::Applied);
        let evidence = told.map(|migration| {
            let why = migration.state.why().map(|why| format!(": {why}")).unwrap_or_default();
            format!("{} is {}{why}", context.file(&migration.entry.tag).display(), migration.state.word())
        });
        Some(Advice { state, summary, evidence: evidence.collect(), steps, patterns: Vec::new(), notes: Vec::new() })
    };
    let migrate = || lines.step("migrate", "then applies pending migrations", None);
    if let (Some(pulled), true) =
        (&faults.pulled, migrations_table.records().is_empty() && !migrations_table.is_unrecorded())
    {
        return advice(
            Stand::Astray,
            format!("{}, and the database is empty", pulled.sentence),
            vec![lines.by_hand("remove the lines `/*` and `*/` from the file, so that its statements run"), migrate()],
        );
    }
    if migrations_table.is_unrecorded() && !status.migrations.is_empty() {
        let by = if faults.pulled.is_some() { "drizzle-kit pull introspected it" } else { "a push built it" };
        return advice(
            Stand::PushBuilt,
            format!("the database has {} and no recorded migrations: {by}", tables(migrations_table.n_tables)),
            vec![
                lines.step(
                    "sync --dry-run",
                    "verifies whether the database matches the migrations, and shows the rows it would write",
                    Some(Offer::SyncDryRun),
                ),
                lines.step(
                    "sync",
                    "marks the migrations as applied; use --to TAG if the database does not have all of them",
                    None,
                ),
                migrate(),
            ],
        );
    }
    let hint = status::advice(status).unwrap_or_default();
    if has(State::MissingFile) {
        let summary = format!("the journal names {}, but that file does not exist", tags(State::MissingFile));
        return advice(Stand::Astray, summary, vec![lines.by_hand(hint)]);
    }
    if has(State::Skipped) && status.is_skipped_by_others {
        let summary = format!(
            "{} was skipped because of {} that no file here explains",
            tags(State::Skipped),
            if status.unknown.len() == 1 { "a row".to_owned() } else { format!("{} rows", status.unknown.len()) }
        );
        return advice(Stand::Skipped, summary, vec![lines.by_hand(status::SHARED)]);
    }
    if has(State::Skipped) {
        let summary = format!("{} was skipped, and drizzle will never run it", tags(State::Skipped));
        return advice(
            Stand::Skipped,
            summary,
            vec![
                lines.step(
                    "sync --repair-order",
                    "makes it the newest in the journal; the database is not changed",
                    Some(Offer::RepairOrder),
                ),
                lines.by_hand("read the migration again, and commit the journal"),
                migrate(),
            ],
        );
    }
    if has(State::Repeated) {
        let summary = format!("{} was applied with another `when`, and would run again", tags(State::Repeated));
        return advice(Stand::Astray, summary, vec![lines.step("sync --dry-run", hint, Some(Offer::SyncDryRun))]);
    }
    if has(State::Edited) {
        let summary = format!("{} is not the file that was applied", tags(State::Edited));
        return advice(Stand::Astray, summary, vec![lines.by_hand(hint)]);
    }
    if !status.unknown.is_empty() {
        let summary = format!("the database has {} migrations that are not in this folder", status.unknown.len());
        return advice(
            Stand::Astray,
            summary,
            vec![lines.by_hand(status::OTHERS), lines.by_hand("or use a database of your own")],
        );
    }
    None
}

/// Says how the schema files differ from the last snapshot. Where that cannot be found out, it is a note.
fn schema(
    shared: &Shared,
    context: &MigrationsContext,
    cwd: &Path,
    console: &mut Console,
    notes: &mut Vec<String>,
) -> Result<Option<Forgotten>, Verdict> {
    let Some(drizzle) = &context.place.drizzle else {
        notes.push("the schema files were not compared: there is no drizzle config".to_owned());
        return Ok(None);
    };
    if cwd.join(drizzle.config.out()) != context.folder.path {
        notes.push("the schema files were not compared: the folder is not the one in drizzle's config".to_owned());
        return Ok(None);
    }
    console.progress("asking drizzle-kit to compare the schema files with the last snapshot");
    forgotten::look(shared, &context.folder, cwd, console)
}

/// Says what the migrations that wait would destroy, and what `migrate` does about it.
fn of_hazards(
    context: &MigrationsContext,
    status: &Status,
    migrations_table: &MigrationsTable,
    policy: &Policy,
    clock: &Clock,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let gate = policy.migrate_gate();
    let pending: Vec<Migration> = status.in_state(State::Pending).copied().collect();
    let weighed = match gate {
        MigrateGate::Off => None,
        MigrateGate::Warn | MigrateGate::Refuse => pending::weigh(context, policy, &pending, migrations_table, clock),
    };
    let Some(weighed) = weighed else { return Vec::new() };
    notes.extend(weighed.warnings);
    if !weighed.told.is_empty() {
        notes.push(match gate {
            MigrateGate::Refuse => "drizzle-pilot migrate refuses what the policy does not allow, and prints the lines that would allow it".to_owned(),
            MigrateGate::Off | MigrateGate::Warn => {
                "the policy does not allow all of this, and drizzle-pilot migrate only warns; with [migrate] gate = \"refuse\" it refuses".to_owned()
            }
        });
    }
    weighed.told
}

fn of_pending(
    context: &MigrationsContext,
    status: &Status,
    is_edited: bool,
    policy: &Policy,
    hazards: Vec<String>,
    mut notes: Vec<String>,
    lines: &Lines<'_>,
) -> Advice {
    let pending: Vec<&str> = status.in_state(State::Pending).map(|migration| migration.entry.tag.as_str()).collect();
    let found =
        policy.check().wishing(|wishes| lint::run(&context.folder, &|file| pending.contains(&file.tag()), wishes));
    let shown = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let findings = found.iter().filter(|finding| finding.level >= Level::Warning);
    let findings = findings.map(|finding| told(finding, &shown(&finding.place.file)));
    let files = pending.iter().map(|tag| format!("{} is pending", context.file(tag).display()));
    let evidence: Vec<String> = files.chain(hazards).chain(findings).collect();
    let statements: Vec<String> = status
        .in_state(State::Pending)
        .filter_map(|migration| migration.file)
        .flat_map(|file| queries(file).map(|query| query.text.to_owned()))
        .collect();
    let mut patterns = patterns::of(&statements, &|_| None);
    patterns.retain(|pattern| pattern.kind == "enum" && pattern.sql.is_empty());
    if is_edited {
        notes.push(
            "the schema files differ from the last migration as well: run drizzle-pilot generate afterwards".to_owned(),
        );
    }
    let what = if pending.len() == 1 {
        "1 migration is waiting".to_owned()
    } else {
        format!("{} migrations are waiting", pending.len())
    };
    let review = if found.is_empty() {
        "read the files; `drizzle-pilot check` finds nothing in them"
    } else {
        "read the files, and the findings of `drizzle-pilot check` above"
    };
    Advice {
        state: Stand::Pending,
        summary: format!("{what} to be applied"),
        evidence,
        steps: vec![
            lines.step(
                "migrate",
                format!("{review}; this applies them under the lock and verifies the result"),
                Some(Offer::Migrate),
            ),
            lines.by_hand("commit schema files, migration, snapshot and journal together"),
        ],
        patterns,
        notes,
    }
}

fn of_edits(
    context: &MigrationsContext,
    edited: Forgotten,
    clock: &Clock,
    notes: Vec<String>,
    lines: &Lines<'_>,
) -> Advice {
    let review = |what: &str| lines.by_hand(format!("read the new file in {}{what}", context.shown_folder));
    let after = || {
        [
            lines.step("migrate", "applies it to your own database", None),
            lines.by_hand("commit schema files, migration, snapshot and journal together"),
        ]
    };
    match edited {
        Forgotten::Statements(statements) => {
            let labels = |name: &ObjectName| labels(&context.folder, name);
            let mut patterns = patterns::of(&statements, &labels);
            // What the rows themselves say stands in place of the rule of thumb.
            for advice in type_change::advise(context.dsn(), &statements, clock.rest()).texts() {
                patterns.retain(|pattern| !pattern.is_cast_of(&advice));
                let (why, sql) = advice.split_once('\n').unwrap_or((&advice, ""));
                patterns.push(Pattern { kind: "cast", why: why.to_owned(), sql: sql.to_owned() });
            }
            let is_enum = patterns.iter().any(|pattern| pattern.kind == "enum");
            let (state, what) = match is_enum {
                true => (Stand::EnumChange, "the schema files change an enum, and no migration does yet"),
                false => (Stand::EditedSchema, "the schema files have changes that no migration has"),
            };
            let needs_hand = patterns.iter().any(|pattern| !pattern.sql.is_empty());
            let why = "writes the difference as a migration, and touches no database; to name it: -- --name=NAME";
            let mut steps = vec![
                lines.step("generate", why, Some(Offer::Generate)),
                review(if needs_hand { ", and replace what drizzle-kit wrote with the SQL below" } else { "" }),
            ];
            steps.extend(after());
            Advice { state, summary: what.to_owned(), evidence: statements, steps, patterns, notes }
        }
        Forgotten::Asks(refusals) => {
            let mut steps = vec![
                lines.by_hand("write into the policy what was renamed and what is new"),
                lines.step("generate", "writes the difference as a migration, following these lines", None),
                review(""),
            ];
            steps.extend(after());
            let pattern = |text: String| Pattern {
                kind: "rename",
                why: "without an answer, a rename would become a drop and a create, and the data would be lost"
                    .to_owned(),
                sql: text,
            };
            Advice {
                state: Stand::EditedSchema,
                summary: "the schema files have changes that no migration has, and drizzle-kit asks what was renamed"
                    .to_owned(),
                evidence: refusals.iter().map(|refusal| refusal.what.clone()).collect(),
                steps,
                patterns: refusals.into_iter().map(|refusal| pattern(refusal.text)).collect(),
                notes,
            }
        }
    }
}

fn of_clean(
    context: &MigrationsContext,
    status: &Status,
    faults: &Faults,
    mut notes: Vec<String>,
    lines: &Lines<'_>,
) -> Advice {
    let mut steps = Vec::new();
    if let Some(tag) = &faults.lacks_snapshot {
        notes.push(format!(
            "{tag} has no snapshot: it was not compared with the schema files, and the next drizzle-pilot \
             generate ignores it"
        ));
    }
    // Where git is not asked, nothing is said of it.
    let uncommitted = Git::of(&context.folder.path).and_then(|git| git.uncommitted()).unwrap_or_default();
    if !uncommitted.is_empty() {
        steps.push(lines.by_hand(format!(
            "commit schema files, migration, snapshot and journal together; not committed yet: {}",
            uncommitted.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
        )));
    }
    steps.push(lines.by_hand("edit the schema files, then drizzle-pilot generate"));
    let what = match notes.is_empty() {
        true => "schema files, last migration and database agree",
        false => "nothing is pending",
    };
    Advice {
        state: Stand::Clean,
        summary: format!("{what} ({})", status.text()),
        evidence: Vec::new(),
        steps,
        patterns: Vec::new(),
        notes,
    }
}

/// Returns the values that an enum has in the last snapshot (drizzle-kit 0.21 a map, later a list).
fn labels(folder: &Folder, name: &ObjectName) -> Option<Vec<String>> {
    let last = folder.snapshots.last()?;
    let text = files::text(&folder.path.join("meta").join(&last.name), files::CODE).ok()?;
    let snapshot: serde_json::Value = serde_json::from_str(&text).ok()?;
    let enums = snapshot.get("enums")?.as_object()?;
    let wanted = name.parts().join(".");
    let values = enums.iter().find(|(key, _)| **key == wanted || **key == name.shown())?.1.get("values")?;
    let strings = |values: &mut dyn Iterator<Item = &serde_json::Value>| {
        values.map(|value| value.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
    };
    match values {
        serde_json::Value::Array(values) => strings(&mut values.iter()),
        serde_json::Value::Object(values) => strings(&mut values.values()),
        _ => None,
    }
}
