//! `run`: any other drizzle-kit command line, by the same rules.

use std::time::Duration;

use crate::cli::{self, RunArgs, Shared};
use crate::command_name::CommandName;
use crate::db::limits;
use crate::kit::config::Overlay;
use crate::outcome::{Database, Exit};
use crate::output::console::Console;
use crate::output::delivery;
use crate::policy::model::Apply;
use crate::proof::export::Export;
use crate::run::Lent;
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::story;

const COMMAND: CommandName = CommandName::Run;

/// The drizzle-kit commands that connect to no database (0.20 to 0.31; 0.20 adds `:pg` and the like).
const HARMLESS: [&str; 7] = ["generate", "check", "up", "export", "drop", "help", "version"];

/// Those that connect, and write files alone.
const READING: [&str; 2] = ["introspect", "pull"];

/// What asks drizzle-kit about itself, alone on its command line.
const ABOUT: [&str; 4] = ["--help", "-h", "--version", "-v"];

/// Longer than anybody serves, and short enough to be added to a moment.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Runs the command.
pub fn run(shared: &Shared, args: &RunArgs, console: &mut Console) -> Exit {
    let kit_args = cli::kit_args(&args.kit_args);
    let command = kit_args.first().map(|command| command.to_string_lossy().into_owned()).unwrap_or_default();
    let name = command.split(':').next().unwrap_or_default();
    let about_itself = kit_args.len() == 1 && ABOUT.contains(&name);
    let touches = match name {
        name if HARMLESS.contains(&name) || about_itself => Touches::Files,
        name if READING.contains(&name) => Touches::Reads,
        _ => Touches::Database,
    };
    if name.starts_with('-') && !about_itself {
        console.error(Exit::Usage.name(), "the drizzle-kit command comes first, its options after it");
        console.insist("hint: drizzle-pilot run -- push --verbose");
        console.insist(Database::Unchanged.sentence());
        return Exit::Usage;
    }
    // It serves until it is stopped: silence is no sign of trouble, and what it says is what one waits for.
    let serves = name == "studio";
    if serves {
        console.tell_everything();
    }
    let for_ever = Shared { timeout: FOR_EVER, idle_timeout: FOR_EVER, ..shared.clone() };
    let shared = if serves { &for_ever } else { shared };
    let spec = RunSpec {
        command: COMMAND,
        kit_args,
        // Its own `push` is made to ask, like ours; 0.20 calls it `push:pg`.
        asks: if name == "push" { Asks::BeforeExecuting } else { Asks::AsItLikes },
        touches,
        consent: Consent::ByPolicy,
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay: Overlay::default(),
        lock: if serves || touches != Touches::Database {
            Locking::None
        } else {
            Locking::Take { wait: limits::ANOTHER_RUN, is_asked: false }
        },
    };
    delivery::run(shared, COMMAND, spec.view(), console, |_, console, record| {
        Ok(story::run(shared, &spec, &Lent::schema_files(&Export::new(shared, COMMAND)), console, record))
    })
}
