//! Looks how the database differs from the schema files: drizzle-kit's own push, whose last question is declined.

use std::ffi::OsString;

use crate::cli::Shared;
use crate::commands::flight::{self, Apply, Asks, Consent, Keep, Locking, Mission, Touches};
use crate::console::Console;
use crate::exit::Exit;
use crate::kit::config::Overlay;
use crate::report::Verdict;

/// Says what a push would do, one sentence each; nothing where it has nothing to do. The database stays as it is.
///
/// # Errors
/// With the verdict, where drizzle-kit cannot tell.
pub fn look(shared: &Shared, url: Option<&str>, console: &mut Console) -> Result<Vec<String>, Verdict> {
    let mission = Mission {
        command: "check",
        kit_args: &[OsString::from("push")],
        asks: Asks::BeforeExecuting,
        touches: Touches::Reads,
        consent: Consent::Never(Keep::Nothing),
        apply: Some(Apply::Kit),
        accept_data_loss: false,
        overlay: Overlay { db_credentials: url.map(|url| serde_json::json!({ "url": url })), ..Overlay::default() },
        lock: Locking::None,
    };
    let (verdict, statements) = flight::look_again(shared, &mission, console);
    match verdict.exit {
        Exit::Ok => Ok(Vec::new()),
        // It asks only where something differs: whether to execute that, what was renamed, or something unknown.
        Exit::Changes | Exit::Refused | Exit::UnknownPrompt if statements.is_empty() => Ok(vec![
            "a push would change the database, and drizzle-kit has questions before: drizzle-pilot plan shows them"
                .to_owned(),
        ]),
        Exit::Changes | Exit::Refused | Exit::UnknownPrompt => Ok(statements
            .iter()
            .map(|statement| {
                let one_line: Vec<&str> = statement.sql.split_whitespace().collect();
                format!("a push would run: {}", one_line.join(" "))
            })
            .collect()),
        _ => Err(verdict),
    }
}
