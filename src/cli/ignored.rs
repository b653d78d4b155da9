//! The options of every command that some commands have no use for. They are not offered there. Pure.

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};

use crate::cli::policy::PolicyCommand;
use crate::cli::{Cli, Command};

/// What says how drizzle-kit is started, and how long it may take.
const KIT: [&str; 4] = ["config", "kit", "timeout", "idle_timeout"];

/// What says which policy applies.
const POLICY: [&str; 2] = ["policy", "profile"];

/// Where the result goes.
const REPORT: [&str; 3] = ["format", "report", "report_html"];

/// Options that came when every command had only those that it has a use for.
const LATER: [&str; 2] = ["log", "scratch_url"];

/// An option that was given to a command that has no use for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The option as it is typed: `--record`.
    pub option: String,
    /// Whether earlier versions took it, so that it is only warned of.
    pub was_taken: bool,
}

/// Returns the command line as clap knows it: each command offers the options that it has a use for.
pub fn command() -> clap::Command {
    let mut whole = Cli::command();
    // From here on every command has the options of every command.
    whole.build();
    let names: Vec<String> = whole.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        let unused = unused_by(&name).unwrap_or_default();
        whole = whole.mut_subcommand(name, |command| {
            command.mut_args(|arg| {
                let is_unused = unused.contains(&arg.get_id().as_str());
                if is_unused { arg.hide(true) } else { arg }
            })
        });
    }
    whole
}

/// Returns the options on a command line that its command has no use for.
pub fn find(command: &Command, matches: &ArgMatches) -> Vec<Ignored> {
    let name = matches.subcommand_name().unwrap_or_default();
    let mut unused = unused_by(name).unwrap_or_default();
    if let Command::Policy(args) = command
        && matches!(args.command, PolicyCommand::Schema)
    {
        unused.extend(POLICY.iter().chain(&REPORT));
    }
    let is_given = |option: &&str| matches.value_source(option) == Some(ValueSource::CommandLine);
    let ignored = |option: &str| Ignored {
        option: format!("--{}", option.replace('_', "-")),
        was_taken: !LATER.contains(&option),
    };
    unused.into_iter().filter(is_given).map(ignored).collect()
}

/// Returns the options, by their names in [`Shared`](crate::cli::Shared), that a command has no use for; nothing for what is no
/// command of this program, such as `help`.
fn unused_by(command: &str) -> Option<Vec<&'static str>> {
    Some(match command {
        "push" | "plan" | "run" | "reset" => Vec::new(),
        "generate" | "migrate" => vec!["scratch_url"],
        "next" | "sync" | "check" => vec!["record"],
        "init" | "status" | "doctor" => vec!["record", "scratch_url"],
        "policy" | "replay" => [&KIT[..], &["record", "scratch_url"]].concat(),
        "report" | "completions" | "man" => {
            [&KIT[..], &POLICY, &REPORT, &["record", "log", "cwd", "scratch_url"]].concat()
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_which_options_it_has_no_use_for() {
        let names: Vec<String> =
            Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert!(names.len() > 10, "{names:?}");
        let missing: Vec<&String> = names.iter().filter(|name| unused_by(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
