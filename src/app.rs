//! Reads the command line, starts its command, and sees to it that what could not be written is told.

use std::ffi::OsString;
use std::sync::Arc;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};

use crate::cli::ignored::{self, Ignored};
use crate::cli::{Cli, Color, Command, Format, ReportCommand};
use crate::commands::{
    check, doctor, generate, init, man, migrate, next, plan, policy, push, replay, reset, run, status, sync,
};
use crate::outcome::{Database, Exit};
use crate::output::console::{Console, Loudness};
use crate::output::{log, report};
use crate::project::invocation;
use crate::project::secrets;
use crate::term::redact::Secrets;

/// Runs a command line, with the program's name in front, and returns how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let secrets = secrets::of_ourselves();
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = Cli::command().try_get_matches_from(&args);
    let parsed = match parsed {
        // To leave options out takes time that only help is worth.
        Err(error) if error.kind() == ErrorKind::DisplayHelp => ignored::command().try_get_matches_from(&args),
        parsed => parsed,
    };
    let parsed = parsed.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, matches)));
    let (cli, matches) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return usage(&error, &secrets),
    };
    let shared = &cli.shared;
    match shared.color {
        // anstream honours NO_COLOR, CLICOLOR_FORCE and what stdout and stderr are; FORCE_COLOR is node's way to ask.
        Color::Auto
            if std::env::var("FORCE_COLOR").is_ok_and(|force| !matches!(force.as_str(), "" | "0" | "false"))
                && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty()) =>
        {
            anstream::ColorChoice::write_global(anstream::ColorChoice::Always);
        }
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::write_global(anstream::ColorChoice::Always),
        Color::Never => anstream::ColorChoice::write_global(anstream::ColorChoice::Never),
    }
    let loudness = match (shared.quiet, shared.verbose) {
        (true, _) => Loudness::Quiet,
        (false, 0) => Loudness::Normal,
        (false, _) => Loudness::Verbose,
    };
    // A file that may not grow any more is an error like a full disk, and not our end (`ulimit -f`).
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let mut console = Console::new(loudness, secrets);
    for Ignored { option, was_taken } in ignored::find(&cli.command, &matches) {
        let name = matches.subcommand_name().unwrap_or_default();
        if !was_taken {
            console.error(Exit::Usage.name(), &format!("{option} has no effect on {name}"));
            console.insist(Database::Unchanged.sentence());
            return Exit::Usage;
        }
        console.warn(&format!("{option} has no effect on {name}, and the next release refuses it"));
    }
    if let Err(error) = log::start(shared.verbose, shared.log.as_deref(), &console.lost()) {
        console.error(Exit::Failed.name(), &error.to_string());
        console.insist(Database::Unchanged.sentence());
        return Exit::Failed;
    }
    console.invoked(invocation::of(shared, &cli.command));
    let is_plan = match &cli.command {
        Command::Push(args) => args.dry_run,
        Command::Reset(args) => args.dry_run,
        Command::Plan(_) => true,
        _ => false,
    };
    if matches!(shared.format, Format::Sql | Format::Markdown) && !is_plan {
        console.error(
            Exit::Usage.name(),
            "--format sql and markdown are only for plans, which this command does not make",
        );
        console.insist("hint: drizzle-pilot plan --format sql");
        console.insist(Database::Unchanged.sentence());
        return Exit::Usage;
    }
    let exit = match &cli.command {
        Command::Init(args) => init::run(shared, args, &mut console),
        Command::Next(args) => next::run(shared, &args.place, &mut console),
        Command::Push(args) => push::run(shared, args, &mut console),
        Command::Plan(args) => plan::run(shared, args, &mut console),
        Command::Reset(args) => reset::run(shared, args, &mut console),
        Command::Generate(args) => generate::run(shared, args, &mut console),
        Command::Migrate(args) => migrate::run(shared, args, &mut console),
        Command::Status(args) => status::run(shared, args, &mut console),
        Command::Sync(args) => sync::run(shared, args, &mut console),
        Command::Check(args) => check::run(shared, args, &mut console),
        Command::Run(args) => run::run(shared, args, &mut console),
        Command::Policy(args) => policy::run(shared, args, &mut console),
        Command::Doctor(_) => doctor::run(shared, &mut console),
        Command::Replay(args) => replay::run(shared, args, &mut console),
        Command::Completions(args) => man::complete(args, &mut console),
        Command::Man(args) => man::write(shared, args, &mut console),
        Command::Report(args) => match args.command {
            ReportCommand::Schema => {
                console.document(&report::schema());
                Exit::Ok
            }
        },
    };
    // Most commands have told it themselves by now, with what they know of the database.
    match console.take_lost() {
        Some(lost) if matches!(exit, Exit::Ok | Exit::Changes) => {
            console.error(Exit::Failed.name(), &lost);
            console.insist(Database::Unchanged.sentence());
            Exit::Failed
        }
        Some(lost) => {
            console.error("error", &lost);
            exit
        }
        None => exit,
    }
}

/// Shows what clap has to say: help and version on stdout, anything wrong on stderr.
fn usage(error: &clap::Error, secrets: &Secrets) -> Exit {
    // What was typed is quoted in it.
    let text = secrets.redact(&error.render().ansi().to_string());
    if error.use_stderr() {
        let _ = std::io::Write::write_all(&mut anstream::stderr(), text.as_bytes());
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{}\n", Database::Unchanged.sentence()).as_bytes(),
        );
        return Exit::Usage;
    }
    let mut console = Console::new(Loudness::Quiet, secrets.clone());
    console.document(&text);
    match console.take_lost() {
        Some(lost) => {
            console.error(Exit::Failed.name(), &lost);
            Exit::Failed
        }
        None => Exit::Ok,
    }
}
