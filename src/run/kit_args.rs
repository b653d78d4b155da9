//! What drizzle-kit is started with: its arguments, without those that would take it away from the guards. Pure.

use std::ffi::OsString;
use std::path::PathBuf;

use semver::Version;

use crate::cli::Shared;
use crate::command_name::CommandName;
use crate::kit::hints::{Newest, takes_hints};
use crate::outcome::{Exit, Verdict};
use crate::policy::model::Apply;
use crate::run::spec::RunSpec;

/// Refuses drizzle-kit's own `--force`, which takes the decision away from the policy.
///
/// # Errors
/// With the verdict, where it is among the arguments.
pub(super) fn refuse_force(shared: &Shared, spec: &RunSpec) -> Result<(), Verdict> {
    let is_force = |word: &str| word == "--force" || word.starts_with("--force=");
    let starts = shared.kit.iter().flat_map(|command| command.split_whitespace());
    if starts.chain(spec.kit_args.iter().filter_map(|arg| arg.to_str())).any(is_force) {
        let summary = "drizzle-kit's --force bypasses the policy and is not passed on";
        return Err(Verdict::nothing(Exit::Usage, summary)
            .hint("allow what you intend under [hazards] in the policy, or approve all data loss once: drizzle-pilot push --accept-data-loss"));
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
///
/// # Errors
/// With the verdict, where one of them is there.
pub(super) fn config_of(shared: &Shared, spec: &RunSpec) -> Result<(Option<PathBuf>, Vec<OsString>), Verdict> {
    let mut named = shared.config.clone();
    let mut kit_args = Vec::with_capacity(spec.kit_args.len());
    let mut args = spec.kit_args.iter();
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let flag = text.split('=').next().unwrap_or_default();
        if flag == "--config" {
            let value = text.split_once('=').map(|(_, value)| OsString::from(value)).or_else(|| args.next().cloned());
            named = value.map(PathBuf::from);
            continue;
        }
        if spec.connects() && ELSEWHERE.contains(&flag) {
            let summary = format!("{flag} makes drizzle-kit ignore its config file, and so bypasses the guards");
            return Err(Verdict::nothing(Exit::Usage, summary)
                .hint("put it into a config file, and specify that with --config"));
        }
        kit_args.push(arg.clone());
    }
    Ok((named, kit_args))
}

/// Returns the newest drizzle-kit that can be driven for this.
pub(super) fn newest(spec: &RunSpec) -> Newest {
    // `export`: to know what the schema files make.
    match spec.kit_command().as_str() {
        "push" | "export" if spec.command != CommandName::Run => Newest::Hints,
        _ => Newest::Prompts,
    }
}

/// Refuses to have drizzle-kit 1.0 execute: its hints answer questions, and bind it to no statement.
///
/// # Errors
/// With the verdict, where that is asked for.
pub(super) fn refuse_apply_by_kit(version: Option<&Version>, spec: &RunSpec) -> Result<(), Verdict> {
    if !(takes_hints(version) && spec.executes() && spec.apply == Some(Apply::Kit)) {
        return Ok(());
    }
    let summary = "--apply kit is not possible with drizzle-kit 1.0, which compares anew before it executes: what was approved \
                   does not bind it";
    Err(Verdict::nothing(Exit::Usage, summary)
        .hint("omit it: drizzle-pilot executes the approved statements in one transaction"))
}

/// Before 0.21 drizzle-kit's commands had the dialect in their names.
///
/// # Errors
/// With the verdict, where ours has none of its form.
pub(super) fn speaks_of_dialects(version: Option<&Version>, spec: &RunSpec) -> Result<(), Verdict> {
    let Some(version) = version.filter(|version| (version.major, version.minor) < (0, 21)) else {
        return Ok(());
    };
    if matches!(spec.command, CommandName::Push | CommandName::Plan | CommandName::Generate) {
        let command = spec.kit_command();
        let summary = format!("drizzle-kit {version} does not have this form of `{command}`");
        return Err(Verdict::nothing(Exit::CannotRun, summary)
            .hint(format!("use its own command: drizzle-pilot run -- {command}:pg")));
    }
    Ok(())
}
