//! `generate`: drizzle-kit writes a migration; its questions about renames are answered by the policy.

use std::ffi::OsString;

use crate::cli::{self, GenerateArgs, Shared};
use crate::commands::flight::{self, Apply, Asks, Consent, Locking, Mission, Touches};
use crate::console::Console;
use crate::exit::Exit;
use crate::kit::config::Overlay;

/// Runs the command.
pub fn run(shared: &Shared, args: &GenerateArgs, console: &mut Console) -> Exit {
    let mut kit_args = vec![OsString::from("generate")];
    kit_args.extend(cli::kit_args(&args.kit_args).iter().cloned());
    let mission = Mission {
        command: "generate",
        kit_args: &kit_args,
        asks: Asks::AsItLikes,
        touches: Touches::Files,
        consent: Consent::ByPolicy,
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay: Overlay::default(),
        lock: Locking::None,
    };
    flight::fly(shared, &mission, console)
}
