//! `run`: any other drizzle-kit command line, by the same rules.

use crate::cli::{self, RunArgs, Shared};
use crate::commands::flight::{self, Asks, Mission, Touches};
use crate::console::Console;
use crate::exit::Exit;

/// The drizzle-kit commands that write to no database (0.20 to 0.31; 0.20 adds `:pg` and the like).
const HARMLESS: [&str; 9] = ["generate", "check", "up", "export", "introspect", "pull", "drop", "help", "version"];

/// Runs the command.
pub fn run(shared: &Shared, args: &RunArgs, console: &mut Console) -> Exit {
    let kit_args = cli::kit_args(&args.kit_args);
    let command = kit_args.first().map(|command| command.to_string_lossy().into_owned()).unwrap_or_default();
    let name = command.split(':').next().unwrap_or_default();
    let harmless = HARMLESS.contains(&name) || name.starts_with('-');
    let mission = Mission {
        command: "run",
        kit_args,
        // Its own `push` is made to ask, like ours; 0.20 calls it `push:pg`.
        asks: if name == "push" { Asks::BeforeExecuting } else { Asks::AsItLikes },
        touches: if harmless { Touches::Files } else { Touches::Database },
        accept_data_loss: false,
    };
    flight::fly(shared, &mission, console)
}
