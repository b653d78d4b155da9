//! Whether a command may run here at all: in this environment, and at this host.

use std::path::Path;

use crate::cli::Shared;
use crate::command_name::CommandName;
use crate::db::connection::url::Env;
use crate::outcome::{Exit, Verdict, with_causes};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::output::report;
use crate::policy::model::{Ban, SelectError};
use crate::policy::{self, Policies, Policy, PolicyError, RuleRef};
use crate::project::config::{self, Drizzle};

/// Reads the policy, and takes note of it.
///
/// # Errors
/// With the verdict, where it cannot be used.
#[tracing::instrument(name = "load_policy", skip_all)]
pub fn load(shared: &Shared, cwd: &Path, console: &mut Console, record: &mut Record) -> Result<Policies, Verdict> {
    // A policy that cannot be used is named in the report as well.
    let found = policy::find(shared.policy.as_deref(), cwd).map_err(|error| policy_error(&error))?;
    record.policy.file = found.map(|path| path.display().to_string());
    let policies = policy::load(shared.policy.as_deref(), cwd).map_err(|error| policy_error(&error))?;
    let urls = policies.scratch_urls().map(|url| (String::new(), url.to_owned()));
    console.hide(|secrets| secrets.add_env(urls, &[]));
    record.policy = report::Policy::of(&policies);
    let file = record.policy.file.as_deref();
    tracing::debug!(policy = file.unwrap_or("built-in"), "policy");
    if file.is_none() && !record.is_silent {
        console.say("policy: built-in (no drizzle-pilot.toml found; `drizzle-pilot policy init` writes one)");
    }
    Ok(policies)
}

/// Picks the policy that applies in an environment and at a host, and takes note of its profile.
///
/// # Errors
/// With the verdict, where no profile can be chosen.
pub fn select(
    policies: &Policies,
    env: Env,
    host: Option<&str>,
    shared: &Shared,
    record: &mut Record,
) -> Result<Policy, Verdict> {
    let policy = policies.select(shared.profile.as_deref(), env, host).map_err(|error| unselected(&error))?;
    record.profile = policy.profile().map(str::to_owned);
    Ok(policy)
}

/// Picks the policy, and looks whether a command may run here at all, with the variables that drizzle-kit's process has where
/// there is a config.
///
/// # Errors
/// With the verdict, where this environment or target is not allowed for it.
pub fn check(
    command: CommandName,
    changes: Changes,
    shared: &Shared,
    policies: &Policies,
    drizzle: Option<&Drizzle>,
    log: &mut Record,
) -> Result<Policy, Verdict> {
    let env = |name: &str| config::variable(drizzle, name);
    let host = log.target.as_ref().and_then(|target| target.host.clone());
    let policy = select(policies, &env, host.as_deref(), shared, log)?;
    allows(&policy, &[command], changes == Changes::Database, &env)?;
    Ok(policy)
}

/// What a command changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    Nothing,
    Database,
}

/// Looks whether a command, by all its names, may run in this environment.
///
/// # Errors
/// With the verdict, where it may not.
pub fn allows(policy: &Policy, commands: &[CommandName], changes_database: bool, env: Env) -> Result<(), Verdict> {
    let banned = commands.iter().find_map(|command| Some((command, policy.bans_command(command.as_str())?)));
    if let Some((command, Ban { profile, rule })) = banned {
        let hint = if policy.profile() == Some(profile) {
            "use one of the commands that the profile allows, or change its `commands`"
        } else {
            "this environment or host selects that profile, and --profile does not lift its bans; run it elsewhere, or change its `when` or its `commands`"
        };
        return Err(guarded(&format!("the profile {profile} does not allow `{command}`"), Some(rule)).hint(hint));
    }
    let banned = policy.bans_environment(env);
    if let (true, Some((rule, variable)), Some(command)) = (changes_database, banned, commands.first()) {
        return Err(guarded(&format!("`{command}` does not run under {variable}"), Some(rule))
            .hint("run it where that variable is not set, or add it to the `commands` of a profile that applies here, in a reviewed commit"));
    }
    Ok(())
}

/// Returns the verdict for what is not allowed here, with the rule that says so.
pub fn guarded(summary: &str, rule: Option<&RuleRef>) -> Verdict {
    let rule = rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
    Verdict::nothing(Exit::Guarded, format!("{summary}{rule}"))
}

/// Returns the verdict where no profile can be chosen.
pub fn unselected(error: &SelectError) -> Verdict {
    Verdict::nothing(Exit::Config, error.to_string()).hint(error.hint())
}

/// Returns the verdict where there is no policy to go by.
pub fn policy_error(error: &PolicyError) -> Verdict {
    let summary = match error {
        PolicyError::Invalid { .. } => format!("the policy cannot be used\n{error}"),
        error => with_causes(error),
    };
    let verdict = Verdict::nothing(Exit::Config, summary);
    match error.hint() {
        Some(hint) => verdict.hint(hint),
        None => verdict,
    }
}
