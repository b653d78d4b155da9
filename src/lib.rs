//! Runs drizzle-kit without a human and without guessing.

#![forbid(unsafe_code)]

pub mod cli;
pub mod exit;
pub mod report;
pub mod console;
pub mod commands;
pub mod kit;
pub mod term;
pub mod policy;
pub mod sql;
pub mod db;

use std::ffi::OsString;

use clap::Parser;
use tracing_subscriber::filter::LevelFilter;

use crate::cli::{Cli, Color, Command, ReportCommand};
use crate::console::{Console, Loudness};
use crate::exit::Exit;

/// Runs a command line, with the program's name in front, and returns how it ended.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let shared = &cli.shared;
    match shared.color {
        Color::Auto => {} // anstream honours NO_COLOR, FORCE_COLOR (CLICOLOR_FORCE) and what stdout and stderr are
        Color::Always => anstream::ColorChoice::write_global(anstream::ColorChoice::Always),
        Color::Never => anstream::ColorChoice::write_global(anstream::ColorChoice::Never),
    }
    let loudness = match (shared.quiet, shared.verbose) {
        (true, _) => Loudness::Quiet,
        (false, 0) => Loudness::Normal,
        (false, _) => Loudness::Verbose,
    };
    trace(shared.verbose);
    let mut console = Console::new(loudness, commands::copilot::secrets_of_env());
    match &cli.command {
        Command::Push(args) => commands::push::run(shared, args, &mut console),
        Command::Generate(args) => commands::generate::run(shared, args, &mut console),
        Command::Run(args) => commands::run::run(shared, args, &mut console),
        Command::Replay(args) => commands::replay::run(shared, args, &mut console),
        Command::Report(args) => match args.command {
            ReportCommand::Schema => {
                console.result(&report::schema());
                Exit::Ok
            }
        },
    }
}

/// Shows what clap has to say: help and version on stdout, anything wrong on stderr.
fn usage(error: &clap::Error) -> Exit {
    let _ = error.print(); // a closed output leaves nobody to tell
    if error.use_stderr() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{}\n", exit::Database::Unchanged.sentence()).as_bytes());
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
    tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_ansi(false).init();
}
