//! `plan`: what a push would do, and nothing done.

use std::ffi::OsString;

use crate::cli::{self, PlanArgs, Shared};
use crate::command_name::CommandName;
use crate::kit::config::Overlay;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::record::Record;
use crate::proof::export::Export;
use crate::run::Lent;
use crate::run::plan_file::PlanFile;
use crate::run::spec::{Asks, Consent, Keep, Locking, RunSpec, Touches};
use crate::run::story;

const COMMAND: CommandName = CommandName::Plan;

/// Runs the command.
pub fn run(shared: &Shared, args: &PlanArgs, console: &mut Console) -> Exit {
    let kit_args = kit_args(args);
    let spec = spec(args, &kit_args);
    delivery::run(shared, COMMAND, spec.view(), console, |_, console, record| {
        let room = args.out.as_deref().map_or(Ok(()), PlanFile::make_room);
        room.map_err(|reason| Verdict::nothing(Exit::Usage, reason))?;
        Ok(story::run(shared, &spec, &Lent::schema_files(&Export::new(shared, COMMAND)), console, record))
    })
}

/// Returns what a push would come to, without a report.
pub fn look(shared: &Shared, args: &PlanArgs, console: &mut Console) -> (Verdict, Record) {
    let kit_args = kit_args(args);
    story::look(shared, &spec(args, &kit_args), &Lent::schema_files(&Export::new(shared, COMMAND)), console)
}

fn kit_args(args: &PlanArgs) -> Vec<OsString> {
    std::iter::once(OsString::from("push")).chain(cli::kit_args(&args.kit_args).iter().cloned()).collect()
}

fn spec<'a>(args: &'a PlanArgs, kit_args: &'a [OsString]) -> RunSpec<'a> {
    let keep = match &args.out {
        Some(file) => Keep::File(file, args.expires),
        None => Keep::Nothing,
    };
    RunSpec {
        command: COMMAND,
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
