//! `plan`: what a push would do, and nothing done.

use std::ffi::OsString;

use crate::cli::{self, PlanArgs, Shared};
use crate::commands::flight::{self, Asks, Consent, Keep, Locking, Mission, Touches};
use crate::commands::plan_file::PlanFile;
use crate::console::Console;
use crate::exit::Exit;
use crate::kit::config::Overlay;
use crate::report::Verdict;

/// Runs the command.
pub fn run(shared: &Shared, args: &PlanArgs, console: &mut Console) -> Exit {
    let mut kit_args = vec![OsString::from("push")];
    kit_args.extend(cli::kit_args(&args.kit_args).iter().cloned());
    let keep = match &args.out {
        Some(file) => Keep::File(file, args.expires),
        None => Keep::Nothing,
    };
    let mission = Mission {
        command: "plan",
        kit_args: &kit_args,
        asks: Asks::BeforeExecuting,
        touches: Touches::Reads,
        consent: Consent::Never(keep),
        apply: args.apply,
        accept_data_loss: args.accept_data_loss,
        overlay: Overlay::default(),
        lock: Locking::None,
    };
    match args.out.as_deref().map_or(Ok(()), PlanFile::make_room) {
        Ok(()) => flight::fly(shared, &mission, console),
        Err(reason) => flight::ground(shared, &mission, Verdict::nothing(Exit::Usage, reason), console),
    }
}
