//! `doctor`: everything that decides how a run will go, found out without running one.
//!
//! It looks with the very code that a run looks with, so what is well here is well there. Nothing is executed, and the
//! one connection reads.

use std::fmt::Write;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::connection::connect::CLIENT_CHECK;
use crate::db::connection::preflight;
use crate::db::connection::server::Server;
use crate::db::connection::url::Env;
use crate::db::reset::guard;
use crate::db::{Connection, Dsn, limits};
use crate::kit::command::Kit;
use crate::kit::hints::Newest;
use crate::kit::hook_channel::HookChannel;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::{Record, View};
use crate::output::report::answer::{Check, State};
use crate::output::{delivery, report};
use crate::policy::model::Source;
use crate::policy::{Policies, Policy};
use crate::project::config::{self, Drizzle};
use crate::project::{self, engines, kit, root, target, unseen};

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "problem",
        }
    }
}

impl Check {
    fn ok(name: &'static str, found: impl Into<String>) -> Check {
        Check { name, state: State::Ok, found: found.into(), hint: None, exit: Exit::Ok }
    }

    fn warning(name: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
        Check { state: State::Warning, hint: Some(hint.into()), ..Check::ok(name, found) }
    }

    fn problem(name: &'static str, verdict: Verdict) -> Check {
        let Verdict { exit, summary, hint, .. } = verdict;
        let hint = hint.or_else(|| what_to_do(name).map(str::to_owned));
        Check { name, state: State::Problem, found: summary, hint, exit }
    }
}

/// Returns what to do about a problem that does not say it itself.
fn what_to_do(name: &str) -> Option<&'static str> {
    Some(match name {
        "project" => "specify the project folder with --cwd",
        "temporary" => "free space there, or set TMPDIR to another folder",
        "policy" => "correct the line, then run `drizzle-pilot policy check`",
        "drizzle-kit" => "reinstall it in the project, or specify how to start it with --kit",
        "config" => "correct the file, or set the variables that it reads; `drizzle-kit check` fails the same way",
        "target" => "specify the database with --url, or in drizzle's config",
        "profile" => "specify the profile with --profile, or correct its `when`",
        "reset" => "correct the hosts under [guard]",
        "server" => "start the database, or correct its address in drizzle's config",
        _ => return None,
    })
}

/// Runs the command. Ends with 0 where nothing stands in the way, else as a run will that meets the first problem.
pub fn run(shared: &Shared, console: &mut Console) -> Exit {
    delivery::run(shared, CommandName::Doctor, View::Answered, console, |clock, console, record| {
        record.answer.checks = examine(shared, clock, console, record);
        if shared.shows_text() {
            console.result(&text(&record.answer.checks));
        }
        let problem = record.answer.checks.iter().find(|check| check.state == State::Problem);
        Ok(match problem {
            Some(Check { name, found, exit, .. }) => Verdict::nothing(*exit, format!("{name}: {found}")),
            None => Verdict::nothing(Exit::Ok, "nothing stands in the way of a run"),
        })
    })
}

fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    let wide = checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    for Check { name, state, found, hint, .. } in checks {
        let mut lines = found.lines();
        let _ = writeln!(text, "{:<8} {name:<wide$}  {}", state.word(), lines.next().unwrap_or_default());
        for line in lines.chain(hint.iter().flat_map(|hint| hint.lines())) {
            let _ = writeln!(text, "{:<8} {:<wide$}  {line}", "", "");
        }
    }
    text
}

/// Looks at one thing after the other. What rests on a thing that is not there is not looked at.
fn examine(shared: &Shared, clock: &Clock, console: &mut Console, record: &mut Record) -> Vec<Check> {
    record.is_silent = true;
    let cwd = match root::find(shared) {
        Ok(cwd) => cwd,
        Err(verdict) => return vec![Check::problem("project", verdict)],
    };
    let mut checks = vec![Check::ok("project", cwd.display().to_string()), node(), channel()];
    let policies = project::guard::load(shared, &cwd, console, record);
    checks.push(match &policies {
        Ok(policies) => policy_file(policies),
        Err(verdict) => Check::problem("policy", verdict.clone()),
    });
    let located = kit::held(shared, &cwd, Newest::Hints);
    checks.push(match &located {
        Ok(kit) => kit_check(kit),
        Err(verdict) => Check::problem("drizzle-kit", verdict.clone()),
    });
    let loaded = located.ok().map(|_| config::load(shared, &cwd, console));
    checks.extend(loaded.as_ref().map(|loaded| match loaded {
        Ok(Some(drizzle)) => config(drizzle),
        Ok(None) => {
            Check::warning("config", "none", "push and generate need a drizzle.config.ts; specify it with --config")
        }
        Err(verdict) => Check::problem("config", verdict.clone()),
    }));
    let drizzle = loaded.and_then(|loaded| loaded.ok().flatten());
    let other = drizzle.as_ref().map_or(Ok(None), engines::other);
    let is_postgres = matches!(other, Ok(None));
    checks.extend(match other {
        Ok(found) => found.map(|found| Check::ok("target", found)),
        Err(verdict) => Some(Check::problem("target", verdict)),
    });
    let place =
        if is_postgres { Some(target::settle(CommandName::Doctor, drizzle, None, &cwd, console)) } else { None };
    let mut drizzle = None;
    let dsn = match place {
        Some(Ok(place)) => {
            checks.push(Check::ok("target", format!("{} (by {})", place.dsn, place.named_by)));
            drizzle = place.drizzle;
            Some(place.dsn)
        }
        Some(Err(verdict)) => {
            checks.push(Check::problem("target", verdict));
            None
        }
        None => None,
    };
    record.target = dsn.as_ref().map(report::Target::of_postgres);
    if let Ok(policies) = &policies {
        let env = |name: &str| config::variable(drizzle.as_ref(), name);
        checks.extend(by_policy(shared, policies, &env, dsn.as_ref(), record));
    }
    checks.extend(dsn.as_ref().map(|dsn| server(dsn, clock)));
    checks
}

fn node() -> Check {
    let missing = |summary: &str| {
        let verdict = Verdict::nothing(Exit::NotFound, summary);
        Check::problem(
            "node",
            verdict.hint("install Node.js, or run this where it is on the PATH (npm and pnpm scripts have it)"),
        )
    };
    let Ok(path) = which::which("node") else { return missing("node is not on the PATH") };
    match std::process::Command::new(&path).arg("--version").output() {
        Ok(output) if output.status.success() => {
            let version = String::from_utf8_lossy(&output.stdout);
            Check::ok("node", format!("{} ({})", version.trim(), path.display()))
        }
        _ => missing(&format!("{} does not run", path.display())),
    }
}

/// Makes what drizzle-kit's node and we speak through, and takes it away again.
fn channel() -> Check {
    match HookChannel::create() {
        Ok(_) => Check::ok("temporary", std::env::temp_dir().display().to_string()),
        Err(error) => Check::problem("temporary", kit::no_hook_channel(&error)),
    }
}

fn policy_file(policies: &Policies) -> Check {
    match policies.source() {
        Source::File { path, .. } => Check::ok("policy", path.clone()),
        Source::BuiltIn => Check::warning(
            "policy",
            "built-in, which refuses all data loss and every rename: there is no drizzle-pilot.toml",
            "write a commented policy: drizzle-pilot policy init",
        ),
    }
}

fn kit_check(kit: &Kit) -> Check {
    match &kit.version {
        Some(version) if (version.major, version.minor) < (0, 21) => Check::warning(
            "drizzle-kit",
            format!("{version} ({}), whose commands have other names", kit.path.display()),
            "use its own command: drizzle-pilot run -- push:pg",
        ),
        Some(version) => Check::ok("drizzle-kit", format!("{version} ({})", kit.path.display())),
        None => Check::warning(
            "drizzle-kit",
            format!("of an unknown version ({})", kit.path.display()),
            "install it in the project as well, so that its package.json shows the version",
        ),
    }
}

fn config(drizzle: &Drizzle) -> Check {
    let config = &drizzle.config;
    let schemas = config.schemas();
    let schemas = if schemas.is_empty() { String::new() } else { format!(", schemas {}", schemas.join(", ")) };
    Check::ok("config", format!("{}: {}{schemas}, migrations in {}", drizzle.name(), config.dialect(), config.out()))
}

/// Says what the policy makes of this environment and target.
fn by_policy(shared: &Shared, policies: &Policies, env: Env, dsn: Option<&Dsn>, record: &mut Record) -> Vec<Check> {
    let host = record.target.as_ref().and_then(|target| target.host.clone());
    let policy = match project::guard::select(policies, env, host.as_deref(), shared, record) {
        Ok(policy) => policy,
        Err(verdict) => return vec![Check::problem("profile", verdict)],
    };
    let mut checks = vec![profile_check(policies, &policy, shared.profile.as_deref(), env, host.as_deref())];
    if let Some((rule, variable)) = policy.bans_environment(env) {
        checks.push(Check::warning(
            "environment",
            format!("no command that changes a database runs under {variable} [{rule}]"),
            "run it where that variable is not set, or change [guard] refuse_env in a reviewed commit",
        ));
    }
    if let Some(dsn) = dsn {
        checks.push(reset(&policy, dsn));
    }
    checks
}

fn profile_check(
    policies: &Policies,
    policy: &Policy,
    named: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
    host: Option<&str>,
) -> Check {
    let Some(profile) = policy.profile() else {
        let names: Vec<&str> = policies.profile_names().collect();
        let others = if names.is_empty() { String::new() } else { format!(" (there are {})", names.join(", ")) };
        return Check::ok("profile", format!("none{others}"));
    };
    let because = match named {
        Some(_) => "it was named".to_owned(),
        None => policies.matching(env, host).into_iter().next().map(|found| found.because).unwrap_or_default(),
    };
    let banned =
        ["push", "generate", "migrate", "reset"].into_iter().filter(|command| policy.bans_command(command).is_some());
    let banned: Vec<&str> = banned.collect();
    let found = format!("{profile}, because {because}");
    if banned.is_empty() {
        return Check::ok("profile", found);
    }
    Check::warning(
        "profile",
        format!("{found}; it does not allow {}", banned.join(", ")),
        "use one of the commands that the profile allows, or change its `commands`",
    )
}

/// Says whether `reset` may touch the target, which is no problem where it may not.
fn reset(policy: &Policy, dsn: &Dsn) -> Check {
    let lists = [vec![policy.guarded_hosts()], policy.guarded_hosts_of_others()].concat();
    let allowed: Result<Vec<bool>, _> = lists.iter().map(|hosts| guard::allows(dsn, hosts)).collect();
    match allowed {
        Ok(allowed) if allowed.iter().all(|is_allowed| *is_allowed) => {
            Check::ok("reset", "databases on this host may be emptied")
        }
        Ok(_) => Check::ok("reset", "databases on this host may not be emptied: the host is not listed under [guard]"),
        Err(guarded) => {
            let verdict = Verdict::nothing(Exit::Config, guarded.to_string());
            Check::problem("reset", verdict.hint(guarded.hint()))
        }
    }
}

fn server(dsn: &Dsn, clock: &Clock) -> Check {
    let name = "server";
    let run_id = format!("drizzle-pilot-{} doctor", std::process::id());
    match Connection::to(dsn, &run_id, CLIENT_CHECK)
        .and_then(|connection| preflight::preflight(&connection, limits::LOOK.min(clock.rest())))
    {
        Ok(server) => reached(name, &server),
        Err(error) => Check::problem(name, unseen::verdict(&error, clock)),
    }
}

fn reached(name: &'static str, server: &Server) -> Check {
    let Server { version_num, current_user, current_database, .. } = server;
    let (major, minor) = (version_num / 10_000, version_num % 10_000);
    let found = format!("PostgreSQL {major}.{minor}, {current_database} as {current_user}");
    if server.in_recovery {
        return Check::warning(name, format!("{found}: a standby"), "connect to the primary to change anything");
    }
    if server.read_only {
        return Check::warning(
            name,
            format!("{found}: read-only (default_transaction_read_only)"),
            "statements will fail there; this was set on purpose",
        );
    }
    Check::ok(name, found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_its_state_and_what_to_do() {
        let checks = [
            Check::ok("node", "v20"),
            Check::warning("policy", "built-in", "write one"),
            Check::problem(
                "drizzle-kit",
                Verdict::nothing(Exit::NotFound, "not installed\nanywhere").hint("install it"),
            ),
        ];
        let expected = "\
ok       node         v20
warning  policy       built-in
                      write one
problem  drizzle-kit  not installed
                      anywhere
                      install it
";
        assert_eq!(text(&checks), expected);
        let names = ["project", "temporary", "policy", "drizzle-kit", "config", "target", "profile", "reset", "server"];
        for name in names {
            let problem = Check::problem(name, Verdict::nothing(Exit::Config, "it is wrong"));
            assert!(problem.hint.is_some(), "{name} says nothing of what to do");
        }
    }
}
