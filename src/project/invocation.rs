//! Says how a command of ours is started where this one was, so that a line that is printed can be pasted.
//!
//! After `npm install` the program is in the project and not on the PATH; and what was said of config, policy or database to this run has to be said
//! to the next one as well.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use crate::cli::{Cli, Command, PlaceArgs, Shared};
use crate::output::console::{Flag, Invocation};
use crate::project::package::Manager;
use crate::project::survey;

/// The program's name.
const NAME: &str = "drizzle-pilot";

/// Commands that work by drizzle's config; the others need only the policy, or nothing.
const BY_CONFIG: [&str; 12] =
    ["init", "next", "push", "plan", "reset", "generate", "migrate", "status", "sync", "check", "run", "doctor"];

/// Commands that are told the migrations folder by `--migrations` and the database by `--url`.
const BY_PLACE: [&str; 4] = ["next", "migrate", "status", "sync"];

/// Returns how the commands that are printed are started.
pub fn of(shared: &Shared, command: &Command) -> Invocation {
    let cwd = shared.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let commands = Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let mut flags = Vec::new();
    let mut flag = |name: &'static str, value: Option<String>, of: &[&'static str]| {
        // What a variable says is said to the next run as well.
        let variable = name.trim_start_matches('-').to_uppercase();
        let value = value.filter(|value| env::var(format!("DRIZZLE_PILOT_{variable}")).ok().as_ref() != Some(value));
        flags.extend(value.map(|value| Flag { name, value, of: of.to_vec() }));
    };
    let shown = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let by_policy: Vec<&str> = BY_CONFIG.into_iter().chain(["policy", "replay"]).collect();
    flag("--cwd", shown(&shared.cwd), &by_policy);
    flag("--config", shown(&shared.config), &BY_CONFIG);
    flag("--policy", shown(&shared.policy), &by_policy);
    flag("--profile", shared.profile.clone(), &by_policy);
    flag("--kit", shared.kit.clone(), &BY_CONFIG);
    if let Some(PlaceArgs { migrations, url }) = place(command) {
        flag("--migrations", shown(&migrations), &BY_PLACE);
        flag("--url", url, &BY_PLACE);
    }
    Invocation::new(&program(&cwd), commands, flags)
}

fn place(command: &Command) -> Option<PlaceArgs> {
    match command {
        Command::Next(args) => Some(args.place.clone()),
        Command::Migrate(args) => Some(args.place.clone()),
        Command::Status(args) => Some(args.place.clone()),
        Command::Sync(args) => Some(args.place.clone()),
        Command::Reset(args) => Some(PlaceArgs { migrations: None, url: args.url.clone() }),
        _ => None,
    }
}

/// Returns what starts the program: its name where the PATH has it, else what runs programs of the project.
fn program(cwd: &Path) -> String {
    let paths = env::var_os("PATH").unwrap_or_default();
    if which::which_in(NAME, own_path(&paths), cwd).is_ok() {
        return NAME.to_owned();
    }
    let cwd = cwd.canonicalize().unwrap_or_else(|_| cwd.to_owned());
    let is_installed = cwd.ancestors().any(|folder| folder.join("node_modules/.bin").join(NAME).exists());
    let agent = env::var("npm_config_user_agent").unwrap_or_default();
    // npm, pnpm, yarn and bun say who they are to what they start.
    let by_runner = !agent.is_empty();
    if !is_installed && !by_runner {
        return NAME.to_owned();
    }
    let runner = match (survey::manager(&cwd), is_installed) {
        (Manager::Npm, _) => "npx",
        (Manager::Pnpm { .. }, true) => "pnpm exec",
        (Manager::Pnpm { .. }, false) => "pnpm dlx",
        (Manager::Yarn { .. }, _) => "yarn",
        (Manager::Bun, _) => "bunx",
    };
    format!("{runner} {NAME}")
}

/// Returns the PATH of the person: without the folders of installed programs that package runners put before it.
fn own_path(paths: &OsString) -> Option<OsString> {
    let is_theirs = |path: &PathBuf| !path.ends_with("node_modules/.bin") && !path.ends_with("node-gyp-bin");
    env::join_paths(env::split_paths(paths).filter(is_theirs)).ok()
}
