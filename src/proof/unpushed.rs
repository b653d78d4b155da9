//! Looks how the database differs from the schema files: drizzle-kit's own push, whose last question is declined.

use std::ffi::OsString;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::compare::difference::Differences;
use crate::kit::config::Overlay;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report::Statement;
use crate::proof::export::Export;
use crate::run::Lent;
use crate::run::spec::RunSpec;
use crate::run::story;
use crate::sql;

/// How a database differs from the schema files.
pub struct Unpushed {
    /// What a push would change, and what differs although a push leaves it as it is, one sentence each.
    pub sentences: Vec<String>,
    /// What was warned of; the warnings were shown.
    pub warnings: Vec<String>,
    /// What differs although a push leaves it as it is.
    pub comparisons: Vec<Differences>,
}

/// Says how the database differs from the schema files. It stays as it is. `url` is the database, where it is not that of
/// drizzle's config.
///
/// # Errors
/// With the verdict, where drizzle-kit cannot tell.
pub fn look(shared: &Shared, url: Option<&str>, clock: &Clock, console: &mut Console) -> Result<Unpushed, Verdict> {
    let db_credentials = url.map(|url| serde_json::json!({ "url": url }));
    let kit_args = [OsString::from("push")];
    let overlay = Overlay { db_credentials, ..Overlay::default() };
    let spec = RunSpec::to_look(CommandName::Check, &kit_args, overlay);
    let shared = Shared { timeout: clock.rest(), ..shared.clone() };
    let schema_files = Export::new(&shared, CommandName::Check);
    let (verdict, log) = story::look(&shared, &spec, &Lent::schema_files(&schema_files), console);
    let pending = match verdict.exit {
        Exit::Ok => Vec::new(),
        // It asks only where something differs: whether to execute that, what was renamed, or something unknown.
        Exit::Changes | Exit::Refused | Exit::UnknownPrompt if log.statements.is_empty() => vec![
            "a push would change the database, but drizzle-kit asks questions first: drizzle-pilot plan shows them"
                .to_owned(),
        ],
        Exit::Changes | Exit::Refused | Exit::UnknownPrompt => log.statements.iter().map(would_run).collect(),
        _ => return Err(verdict),
    };
    let uncompared = log.comparisons.iter().flat_map(Differences::substance);
    let uncompared = uncompared.map(|it| format!("a push would not change {it}"));
    let sentences = pending.into_iter().chain(uncompared).collect();
    Ok(Unpushed { sentences, warnings: log.warnings, comparisons: log.comparisons })
}

/// Says what a push would run, and what would go along that the statement does not name.
fn would_run(statement: &Statement) -> String {
    let beyond = statement.hazards.iter().filter(|hazard| {
        let speaks_of_others = hazard.note.as_ref().is_some_and(|note| !note.contains(&sql::excerpt(&statement.sql)));
        speaks_of_others && hazard.objects.iter().all(|name| !statement.objects.contains(name))
    });
    let beyond = beyond.map(|hazard| {
        let note = hazard.note.as_deref().unwrap_or_default();
        match hazard.objects.as_slice() {
            [] => format!("; {note}"),
            names => format!("; {} {} ({note})", hazard.hazard, names.join(", ")),
        }
    });
    format!("a push would run: {}{}", sql::one_line(&statement.sql), beyond.collect::<String>())
}
