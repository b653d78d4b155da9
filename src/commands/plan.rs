//! `plan`: what a push would do, and nothing done.

use std::ffi::OsString;

use crate::cli::{self, PlanArgs, Shared};
use crate::kit::config::Overlay;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::Record;
use crate::run::flight::{self, Asks, Consent, Keep, Locking, Mission, Touches};
use crate::run::plan_file::PlanFile;

/// Runs the command.
pub fn run(shared: &Shared, args: &PlanArgs, console: &mut Console) -> Exit {
    let kit_args = kit_args(args);
    let mission = mission(args, &kit_args);
    match args.out.as_deref().map_or(Ok(()), PlanFile::make_room) {
        Ok(()) => flight::fly(shared, &mission, console),
        Err(reason) => flight::ground(shared, &mission, Verdict::nothing(Exit::Usage, reason), console),
    }
}

/// Returns what a push would come to, without a report.
pub fn look(shared: &Shared, args: &PlanArgs, console: &mut Console) -> (Verdict, Record) {
    let kit_args = kit_args(args);
    flight::look_again(shared, &mission(args, &kit_args), console)
}

fn kit_args(args: &PlanArgs) -> Vec<OsString> {
    std::iter::once(OsString::from("push")).chain(cli::kit_args(&args.kit_args).iter().cloned()).collect()
}

fn mission<'a>(args: &'a PlanArgs, kit_args: &'a [OsString]) -> Mission<'a> {
    let keep = match &args.out {
        Some(file) => Keep::File(file, args.expires),
        None => Keep::Nothing,
    };
    Mission {
        command: "plan",
        kit_args,
        asks: Asks::BeforeExecuting,
        touches: Touches::Reads,
        consent: Consent::Never(keep),
        apply: args.apply,
        accept_data_loss: args.accept_data_loss,
        overlay: Overlay::default(),
        lock: Locking::None,
    }
}
