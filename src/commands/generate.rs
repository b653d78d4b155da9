//! `generate`: drizzle-kit writes a migration; its questions about renames are answered by the policy.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::{self, GenerateArgs, Shared};
use crate::command_name::CommandName;
use crate::kit::config::Overlay;
use crate::migrations::rule::{SNAPSHOT_FORK, SNAPSHOT_UNREADABLE, SNAPSHOT_VERSION, Wishes};
use crate::migrations::{disk, journal};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;

use crate::output::delivery;
use crate::policy::model::Apply;
use crate::project::{folder, root};
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::{Lent, story};

const COMMAND: CommandName = CommandName::Generate;

/// Runs the command.
pub fn run(shared: &Shared, args: &GenerateArgs, console: &mut Console) -> Exit {
    let mut kit_args = vec![OsString::from("generate")];
    kit_args.extend(cli::kit_args(&args.kit_args).iter().cloned());
    let spec = RunSpec {
        command: COMMAND,
        kit_args: &kit_args,
        asks: Asks::AsItLikes,
        touches: Touches::Files,
        consent: Consent::ByPolicy,
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay: Overlay::default(),
        lock: Locking::None,
    };
    delivery::run(shared, COMMAND, spec.view(), console, |_, console, record| {
        let verdict = story::run(shared, &spec, &Lent::nothing(), console, record);
        let out = record.out.as_deref();
        let better = match verdict.exit {
            Exit::Ok => out.and_then(|out| skipped(shared, out)),
            Exit::Unproven => out.and_then(|out| unreadable(shared, out)),
            _ => None,
        };
        Ok(better.unwrap_or(verdict))
    })
}

/// Says why drizzle-kit wrote nothing, where it is the snapshots: it prints a line, and ends with 0.
fn unreadable(shared: &Shared, out: &Path) -> Option<Verdict> {
    let folder = disk::read(out).ok()?;
    let cwd = root::find(shared).ok()?;
    let stops = [SNAPSHOT_VERSION.id, SNAPSHOT_FORK.id, SNAPSHOT_UNREADABLE.id];
    let found = journal::check(&folder, folder::surroundings(&folder, &cwd), Wishes::NONE);
    let found = found.into_iter().find(|finding| stops.contains(&finding.id))?;
    let summary = format!("nothing was written: {}", found.sentence);
    Some(Verdict::nothing(Exit::BadMigrations, summary).hint(found.what_to_do))
}

/// Says that drizzle will never run what drizzle-kit has just written, because it is older than what stands before it.
fn skipped(shared: &Shared, out: &Path) -> Option<Verdict> {
    let folder = disk::read(out).ok()?;
    let (last, before) = folder.journal().ok()?.entries.split_last()?;
    let newest = before.iter().max_by_key(|entry| entry.when).filter(|newest| newest.when >= last.when)?;
    let summary = format!("{} was written, but it is older than {}: drizzle would never run it", last.tag, newest.tag);
    let cwd = root::find(shared).ok()?;
    let path = folder.journal_path().components().collect::<std::path::PathBuf>();
    let hint = format!(
        "give {} in {} the `when` {} or a greater one, before any database has the migration",
        last.tag,
        path.strip_prefix(&cwd).unwrap_or(&path).display(),
        newest.when.saturating_add(1)
    );
    Some(Verdict::nothing(Exit::BadMigrations, summary).hint(hint))
}
