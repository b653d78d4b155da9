//! The program: the reaper when started as one, else the command line.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use drizzle_pilot::outcome::{Database, Exit};
use drizzle_pilot::output::console::clean_for_log;
use drizzle_pilot::term::reaper;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    if args.get(1).is_some_and(|first| first == reaper::NAME) {
        return ExitCode::from(u8::try_from(reaper::run(&args[2..]) & 0xff).unwrap_or(u8::MAX));
    }
    // What a panic says goes to logs as well.
    std::panic::set_hook(Box::new(|panic| {
        let text = format!("{panic}\n{}\n", std::backtrace::Backtrace::capture());
        let _ = std::io::Write::write_all(&mut std::io::stderr(), clean_for_log(&text).as_bytes());
    }));
    // A panic is a bug in drizzle-pilot. It unwinds, so the terminal is closed and with it drizzle-kit ends; then it is told.
    let exit = std::panic::catch_unwind(|| drizzle_pilot::app::run(args)).unwrap_or_else(|_| {
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            format!(
                "internal: a bug in drizzle-pilot; please report the lines above\n{}\n",
                Database::Maybe.sentence()
            )
            .as_bytes(),
        );
        Exit::Internal
    });
    ExitCode::from(exit.code())
}
