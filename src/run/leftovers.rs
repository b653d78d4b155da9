//! What may still run in the server after drizzle-kit was stopped: ends it, or says that nobody knows.

use crate::db::inspect::backends;
use crate::db::limits;
use crate::kit::engine::Engine;
use crate::output::console::Console;
use crate::run::context::{Cleared, Starting};
use crate::run::record::{Approval, RunRecord};

/// Makes sure that no statement of a stopped drizzle-kit goes on in the server, and says so.
#[tracing::instrument(name = "leftovers", skip_all)]
pub(super) fn end(start: &Starting, cleared: &Cleared, record: &mut RunRecord, console: &mut Console) {
    let Some(dsn) = start.of_this_run(cleared) else { return };
    match backends::end_leftovers(dsn, &start.run_id, limits::CLEANUP) {
        Ok(ended) if ended.n_terminated > 0 => {
            let n = ended.n_terminated;
            console.warn_in(
                record.report,
                &format!("{n} statements of the stopped drizzle-kit were terminated on the server"),
            );
        }
        Ok(_) => {}
        Err(error) => {
            let text =
                format!("it is unknown whether a statement of drizzle-kit is still running on the server: {error}");
            console.warn_in(record.report, &text);
        }
    }
}

/// Says what may still run in a server that nothing here can ask, after drizzle-kit was stopped.
pub(super) fn warn(start: &Starting, cleared: &Cleared, record: &mut RunRecord, console: &mut Console) {
    let engine = cleared.place.engine;
    let is_hosted = matches!(engine, Some(Engine::MySql | Engine::LibSql | Engine::D1));
    let may_run = match &record.approval {
        Approval::Kit(approved) => approved.n_sent() > 0,
        Approval::None | Approval::Transaction | Approval::NothingToDo => !start.spec.holds() && record.n_sessions > 0,
    };
    if is_hosted && may_run {
        let how = match engine {
            Some(Engine::MySql) => "; SHOW PROCESSLIST lists running statements, and KILL QUERY ends one",
            _ => "",
        };
        let text = format!("it is unknown whether a statement of drizzle-kit is still running on the server{how}");
        console.warn_in(record.report, &text);
    }
}
