//! Runs drizzle-kit without a human and without guessing.

#![forbid(unsafe_code)]

pub mod cli;
pub mod commands;
pub mod console;
pub mod db;
pub mod exit;
pub mod files;
pub mod host;
pub mod kit;
pub mod migrations;
pub mod policy;
pub mod report;
pub mod sql;
pub mod term;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Cli, Color, Command, Format, ReportCommand, Shared};
use crate::commands::policy::{self as policy_command, PolicyArgs};
use crate::console::{Console, Loudness};
use crate::exit::Exit;
use crate::term::redact::Secrets;

/// Runs a command line, with the program's name in front, and returns how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let secrets = commands::secrets::of_ourselves();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
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
    trace(shared.verbose);
    // A file that may not grow any more is an error like a full disk, and not our end (`ulimit -f`).
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let mut console = Console::new(loudness, secrets);
    console.invoked(commands::invocation::of(shared, &cli.command));
    let is_plan = match &cli.command {
        Command::Push(args) => args.dry_run,
        Command::Reset(args) => args.dry_run,
        Command::Plan(_) => true,
        _ => false,
    };
    if matches!(shared.format, Format::Sql | Format::Markdown) && !is_plan {
        console.error(Exit::Usage.name(), "--format sql and markdown show a plan, and this command makes none");
        console.insist("hint: drizzle-pilot plan --format sql");
        console.insist(exit::Database::Unchanged.sentence());
        return Exit::Usage;
    }
    match &cli.command {
        Command::Init(args) => commands::init::run(shared, args, &mut console),
        Command::Next(args) => commands::next::run(shared, &args.place, &mut console),
        Command::Push(args) => commands::push::run(shared, args, &mut console),
        Command::Plan(args) => commands::plan::run(shared, args, &mut console),
        Command::Reset(args) => commands::reset::run(shared, args, &mut console),
        Command::Generate(args) => commands::generate::run(shared, args, &mut console),
        Command::Migrate(args) => commands::migrate::run(shared, args, &mut console),
        Command::Status(args) => commands::status::run(shared, args, &mut console),
        Command::Sync(args) => commands::sync::run(shared, args, &mut console),
        Command::Check(args) => commands::check::run(shared, args, &mut console),
        Command::Run(args) => commands::run::run(shared, args, &mut console),
        Command::Policy(args) => judge_policy(shared, args, &mut console),
        Command::Doctor(_) => commands::doctor::run(shared, &mut console),
        Command::Replay(args) => commands::replay::run(shared, args, &mut console),
        Command::Completions(args) => commands::man::complete(args, &mut console),
        Command::Man(args) => commands::man::write(shared, args, &mut console),
        Command::Report(args) => match args.command {
            ReportCommand::Schema => {
                console.document(&report::schema());
                Exit::Ok
            }
        },
    }
}

/// Runs the commands about the policy file.
fn judge_policy(shared: &Shared, args: &PolicyArgs, console: &mut Console) -> Exit {
    let cwd = shared.cwd.clone().unwrap_or_else(|| PathBuf::from("."));
    let context = policy_command::Context {
        cwd: &cwd,
        policy: shared.policy.as_deref(),
        profile: shared.profile.as_deref(),
        json: shared.format == Format::Json,
    };
    let mut result = Vec::new();
    let done = policy_command::run(args, &context, &mut result);
    let text = String::from_utf8_lossy(&result);
    let is_document = context.json || matches!(args.command, policy_command::PolicyCommand::Schema);
    if is_document {
        console.document(&console::clean_json(&text))
    } else {
        console.result(&text)
    }
    let Err(error) = done else { return Exit::Ok };
    let exit = match &error {
        policy_command::Error::Policy(_) | policy_command::Error::Select(_) => Exit::Config,
        policy_command::Error::Plan(error) => error.exit(),
        policy_command::Error::Question { .. } | policy_command::Error::Exists(_) => Exit::Usage,
        policy_command::Error::Write { .. } | policy_command::Error::Print(_) => Exit::Failed,
    };
    let cause = std::error::Error::source(&error).map(|cause| format!("\ncaused by: {cause}")).unwrap_or_default();
    console.error(exit.name(), &format!("{error}{cause}"));
    if let Some(hint) = error.hint() {
        console.insist(&format!("hint: {hint}"));
    }
    console.insist(exit::Database::Unchanged.sentence());
    exit
}

/// Shows what clap has to say: help and version on stdout, anything wrong on stderr.
fn usage(error: &clap::Error, secrets: &Secrets) -> Exit {
    // What was typed is quoted in it. A closed output leaves nobody to tell.
    let text = secrets.redact(&error.render().ansi().to_string());
    let _ = if error.use_stderr() {
        std::io::Write::write_all(&mut anstream::stderr(), text.as_bytes())
    } else {
        std::io::Write::write_all(&mut anstream::stdout(), text.as_bytes())
    };
    if error.use_stderr() {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!("{}\n", exit::Database::Unchanged.sentence()).as_bytes(),
        );
        return Exit::Usage;
    }
    Exit::Ok
}

/// Sends our own steps to stderr, from the second `-v` on.
fn trace(verbose: u8) {
    let level = match verbose {
        0 | 1 => LevelFilter::OFF,
        2 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(console::Log::default)
        .with_ansi(false)
        .log_internal_errors(false) // else it panics where it cannot write that it cannot write
        .init();
}
