//! Looks how the database differs from the schema files: drizzle-kit's own push, whose last question is declined.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::Shared;
use crate::clock::Clock;
use crate::command_name::CommandName;
use crate::db::inspect::noop::{self, Wanted};
use crate::db::inspect::reach::Relation;
use crate::db::{Dsn, limits};
use crate::kit::config::Overlay;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report::Statement;
use crate::project::config::{self, Drizzle};
use crate::project::{target, unseen};
use crate::proof::export;
use crate::run::Lent;
use crate::run::spec::RunSpec;
use crate::run::story;

use crate::sql;
use crate::sql::noop::Setting;
use crate::sql::setting;

/// A database, and the project whose schema files it is compared with.
pub struct Unpushed<'a> {
    pub drizzle: &'a Drizzle,
    /// The database, where it is not that of drizzle's config.
    pub url: Option<&'a str>,
    pub cwd: &'a Path,
}

impl Unpushed<'_> {
    /// Says what a push would change, one sentence each; nothing where it has nothing to do. The database stays as it is.
    ///
    /// # Errors
    /// With the verdict, where drizzle-kit cannot tell.
    pub fn look(&self, shared: &Shared, clock: &Clock, console: &mut Console) -> Result<Vec<String>, Verdict> {
        let db_credentials = self.url.map(|url| serde_json::json!({ "url": url }));
        let kit_args = [OsString::from("push")];
        let overlay = Overlay { db_credentials, ..Overlay::default() };
        let spec = RunSpec::to_look(CommandName::Check, &kit_args, overlay);
        let shared = Shared { timeout: clock.rest(), ..shared.clone() };
        let schema_sql =
            |cwd: &Path, console: &mut Console| export::schema_sql(&shared, CommandName::Check, cwd, console);
        let (verdict, log) = story::look(&shared, &spec, &Lent::schema_sql(&schema_sql), console);
        let statements = log.statements;
        match verdict.exit {
            Exit::Ok => Ok(Vec::new()),
            // It asks only where something differs: whether to execute that, what was renamed, or something unknown.
            Exit::Changes | Exit::Refused | Exit::UnknownPrompt if statements.is_empty() => Ok(vec![
                "a push would change the database, but drizzle-kit asks questions first: drizzle-pilot plan shows them"
                    .to_owned(),
            ]),
            Exit::Changes | Exit::Refused | Exit::UnknownPrompt => {
                let real = self.without_noops(&statements, clock)?;
                Ok(real.into_iter().map(would_run).collect())
            }
            _ => Err(verdict),
        }
    }

    /// Leaves out what drizzle-kit repeats at every push although it changes nothing (0.31: the default of an array, and
    /// NULL for the columns of a composite primary key).
    fn without_noops<'s>(&self, statements: &'s [Statement], clock: &Clock) -> Result<Vec<&'s Statement>, Verdict> {
        let wanted: Vec<Option<Wanted>> = statements.iter().map(|statement| wanted(&statement.sql)).collect();
        let asked: Vec<Wanted> = wanted.iter().flatten().cloned().collect();
        let idle = match self.dsn() {
            Some(dsn) if !asked.is_empty() => noop::repeated(&dsn, &asked, limits::NOOPS.min(clock.rest()))
                .map_err(|error| unseen::verdict(&error, clock))?,
            _ => vec![false; asked.len()],
        };
        let mut idle = idle.into_iter();
        let is_real = |wanted: &Option<Wanted>| wanted.is_none() || idle.next() != Some(true);
        let kept: Vec<bool> = wanted.iter().map(is_real).collect();
        Ok(statements.iter().zip(kept).filter(|(_, is_kept)| *is_kept).map(|(statement, _)| statement).collect())
    }

    /// Returns the way to the database; none where it is not PostgreSQL.
    fn dsn(&self) -> Option<Dsn> {
        let Drizzle { config, kit, .. } = self.drizzle;
        let env = |name: &str| config::variable_of(config, name);
        match self.url {
            Some(url) => target::of_url(self.drizzle, url, self.cwd).ok(),
            None => target::of_config(config, kit.version.as_ref(), self.cwd, &env).ok().flatten(),
        }
    }
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

fn wanted(sql: &str) -> Option<Wanted> {
    let (column, setting) = setting(sql)?;
    let [schema, table, column] = column.parts() else { return None };
    let default = match setting {
        Setting::Default(text) => Some(text),
        Setting::Nullable => None,
    };
    let table = Relation { schema: schema.clone(), name: table.clone() };
    Some(Wanted { table, column: column.clone(), default })
}
