//! `push`: drizzle-kit pushes the schema, as far as the policy allows.

use std::ffi::OsString;

use crate::cli::{self, PlanArgs, PushArgs, Shared};
use crate::commands::flight::{self, Asks, Consent, Mission, Touches};
use crate::commands::plan;
use crate::console::Console;
use crate::exit::Exit;

/// Runs the command.
pub fn run(shared: &Shared, args: &PushArgs, console: &mut Console) -> Exit {
    if args.dry_run {
        return plan::run(shared, &PlanArgs::of_push(args), console);
    }
    let mut kit_args = vec![OsString::from("push")];
    kit_args.extend(cli::kit_args(&args.kit_args).iter().cloned());
    let mission = Mission {
        command: "push",
        kit_args: &kit_args,
        asks: Asks::BeforeExecuting,
        touches: Touches::Database,
        consent: Consent::ByPolicy,
        accept_data_loss: args.accept_data_loss,
    };
    flight::fly(shared, &mission, console)
}
