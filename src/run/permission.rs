//! Whether a run may start in this environment, and against this host: picks the policy, and asks its guards.

use crate::command_name::CommandName;
use crate::db::connection::url::Env;
use crate::outcome::Verdict;
use crate::output::console::Console;
use crate::output::record::Record;
use crate::policy::{Policies, Policy};
use crate::project::guard;
use crate::run::spec::{RunSpec, Touches};

/// Asks the guards before drizzle-kit is started: what no host could allow is refused now. Returns the policy where no profile
/// depends on a host.
///
/// # Errors
/// With the verdict, where this environment is not allowed.
#[tracing::instrument(name = "permit", skip_all)]
pub(super) fn early(
    spec: &RunSpec,
    policies: &Policies,
    profile: Option<&str>,
    report: &mut Record,
    console: &mut Console,
) -> Result<Option<Policy>, Verdict> {
    let env = |name: &str| std::env::var(name).ok();
    if !policies.needs_host() {
        return pick(spec, policies, profile, None, &env, report, console).map(Some);
    }
    let possible = policies.possible(profile, &env).map_err(|error| guard::unselected(&error))?;
    let mut refusals = possible.iter().map(|policy| allows(spec, policy, &env));
    // The first is the policy that applies where no host changes it, and has the reason to be told.
    let Some(Err(refusal)) = refusals.next() else { return Ok(None) };
    if refusals.all(|other| other.is_err()) { Err(refusal) } else { Ok(None) }
}

/// Picks the policy for an environment and a host, and asks its guards.
///
/// # Errors
/// With the verdict, where this environment or host is not allowed.
pub(super) fn pick(
    spec: &RunSpec,
    policies: &Policies,
    profile: Option<&str>,
    host: Option<&str>,
    env: Env,
    report: &mut Record,
    console: &mut Console,
) -> Result<Policy, Verdict> {
    let policy = policies.select(profile, env, host).map_err(|error| guard::unselected(&error))?;
    if let Some(named) = profile {
        for other in policies.matching(env, host).into_iter().filter(|other| other.profile != named) {
            let warning =
                format!("profile {named} was requested, although {} selects {}", other.because, other.profile);
            if !report.warnings.contains(&console.clean(&warning)) {
                console.warn_in(report, &warning);
            }
        }
    }
    allows(spec, &policy, env)?;
    report.profile = policy.profile().map(str::to_owned);
    Ok(policy)
}

/// Tells whether a policy allows this run in this environment.
fn allows(spec: &RunSpec, policy: &Policy, env: Env) -> Result<(), Verdict> {
    // What `run` starts is held to the same list under its own name: `run -- push` is a push.
    let commands: Vec<CommandName> = [Some(spec.command), spec.known_as()].into_iter().flatten().collect();
    guard::allows(policy, &commands, spec.touches == Touches::Database, env)?;
    if spec.accept_data_loss
        && let Some(rule) = policy.bans_accepting_data_loss()
    {
        return Err(guard::guarded("--accept-data-loss is not allowed here", Some(rule))
            .hint("specify what may be lost under [hazards] instead"));
    }
    Ok(())
}
