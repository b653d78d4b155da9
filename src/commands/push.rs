//! `push`: drizzle-kit pushes the schema, as far as the policy allows.

use std::ffi::OsString;

use crate::cli::{self, PlanArgs, PushArgs, Shared};
use crate::command_name::CommandName;
use crate::commands::plan;
use crate::db::limits;
use crate::kit::config::Overlay;
use crate::outcome::{Exit, Verdict, with_causes};
use crate::output::console::Console;
use crate::output::delivery;
use crate::proof::export::Export;
use crate::run::Lent;
use crate::run::plan_file::{PlanError, PlanFile};
use crate::run::spec::{Asks, Consent, Locking, RunSpec, Touches};
use crate::run::story;

const COMMAND: CommandName = CommandName::Push;

/// Runs the command.
pub fn run(shared: &Shared, args: &PushArgs, console: &mut Console) -> Exit {
    if args.dry_run {
        return plan::run(shared, &PlanArgs::of_push(args), console);
    }
    let mut kit_args = vec![OsString::from("push")];
    kit_args.extend(cli::kit_args(&args.kit_args).iter().cloned());
    let plan = args.plan.as_deref().map(PlanFile::read).transpose();
    let planned = plan.as_ref().ok().and_then(Option::as_ref);
    let spec = RunSpec {
        command: COMMAND,
        kit_args: &kit_args,
        asks: Asks::BeforeExecuting,
        touches: Touches::Database,
        consent: if planned.is_some() { Consent::Planned } else { Consent::ByPolicy },
        apply: args.apply.or(planned.map(PlanFile::apply)),
        accept_data_loss: args.accept_data_loss,
        overlay: Overlay::default(),
        lock: Locking::Take {
            wait: args.lock_timeout.unwrap_or(limits::ANOTHER_RUN),
            is_asked: args.lock_timeout.is_some(),
        },
    };
    delivery::run(shared, COMMAND, spec.view(), console, |_, console, record| {
        plan.as_ref().map_err(unusable)?;
        let schema_files = Export::new(shared, COMMAND);
        let lent = Lent { plan: planned, ..Lent::schema_files(&schema_files) };
        Ok(story::run(shared, &spec, &lent, console, record))
    })
}

/// Says why a plan file is not used.
fn unusable(error: &PlanError) -> Verdict {
    Verdict::nothing(error.exit(), with_causes(error)).hint("make a new one: drizzle-pilot plan --out FILE")
}
