//! How the database differs from its migrations, for `next`.

use crate::clock::Clock;
use crate::commands::next::steps::Lines;
use crate::compare::difference::Differences;
use crate::db::inspect::migrations_table::MigrationsTable;
use crate::migrations::state::{State, Status};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report::answer::{Advice, Offer, Pattern, Stand};
use crate::project::filters;
use crate::project::migrations::MigrationsContext;
use crate::proof::drift;
use crate::proof::scratch::Settings;

/// Where all of a long list is.
const SEE_ALL: &str = "drizzle-pilot check --database --format json has all";

/// Says how the database differs from what its migrations create. Where that cannot be found out, it is a note.
pub(super) fn drifted(
    context: &MigrationsContext,
    settings: &Settings,
    migrations_table: &MigrationsTable,
    status: &Status,
    clock: &Clock,
    console: &mut Console,
    notes: &mut Vec<String>,
) -> Result<Option<Differences>, Verdict> {
    if migrations_table.records().is_empty() {
        return Ok(None);
    }
    console.progress("running the applied migrations in a scratch database, to compare");
    let made_of = drift::made_of(status, migrations_table);
    match drift::of_database(context, settings, migrations_table, &made_of, clock, &mut |text| console.warn(&text)) {
        Ok(compared) => {
            notes.extend(filters::said(&compared.left_out));
            Ok(Some(compared.differences))
        }
        Err(verdict) if matches!(verdict.exit, Exit::Failed | Exit::Refused) => {
            notes.push(format!("the database was not compared with its migrations: {}", verdict.summary));
            Ok(None)
        }
        Err(verdict) => Err(verdict),
    }
}

/// Says what to do about a database that differs.
pub(super) fn of_drift(
    differences: &Differences,
    is_edited: bool,
    status: &Status,
    mut notes: Vec<String>,
    lines: &Lines<'_>,
) -> Advice {
    if status.in_state(State::Pending).next().is_some() {
        notes.push(format!("in the database: {}", status.text()));
    }
    let steps = if !differences.has_substance() {
        vec![
            lines.step("sync --rename", "gives the objects these names, in one transaction", None),
            lines.by_hand("or keep the names: [sync] names = \"warn\" in the policy"),
        ]
    } else if is_edited {
        notes.push("the schema files differ from the last migration as well: perhaps a push brought the change into the database".to_owned());
        vec![
            lines.step("generate", "writes the difference as a migration", Some(Offer::Generate)),
            lines.step("sync", "marks it as applied without running it, if the database matches", None),
        ]
    } else {
        vec![
            lines.by_hand("decide for each line whether it is intended"),
            lines.by_hand("if so, put it into the schema files; then drizzle-pilot generate, and drizzle-pilot sync, which marks it as applied"),
            lines.by_hand("if not, revert it by hand; if the database may be emptied: drizzle-pilot reset --then migrate"),
            lines.step("check --database", "finds nothing once both are equal", None),
        ]
    };
    let pattern = differences.by_name().map(|(why, sql)| Pattern { kind: "names", why, sql });
    Advice {
        state: Stand::Drifted,
        summary: format!("the database differs from its migrations ({})", differences.counted()),
        evidence: differences.sentences(),
        steps,
        patterns: pattern.into_iter().collect(),
        notes,
    }
}

/// Says that names differ and may.
pub(super) fn kept(differences: &Differences) -> String {
    let counted = differences.counted();
    format!(
        "the database has other names than its migrations give ({counted}), which the policy allows: drizzle-pilot check --database shows them"
    )
}

/// Returns the differences for people.
pub(super) fn text(differences: &Differences) -> String {
    let text = differences.text(SEE_ALL);
    text.lines().map(|line| format!("       {line}\n")).collect()
}
