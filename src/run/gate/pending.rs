//! Judges migrations that wait by the hazards of a push: what they would destroy, in this database, by the rows that are there.

use crate::clock::Clock;
use crate::db::inspect::migrations_table::MigrationsTable;
use crate::db::inspect::reach;
use crate::db::{Connection, limits};
use crate::kit::config::Config;
use crate::migrations::query::{Query, queries};
use crate::migrations::state::Migration;
use crate::output::report::{self, Judgement};
use crate::policy::decide::Consent;
use crate::policy::{Policy, Refusal, Scope, TablesByName};
use crate::project::migrations::MigrationsContext;
use crate::run::gate::judge::{Blind, Gate, Judged};
use crate::run::gate::owners::Owners;
use crate::sql::effect::Effect;
use crate::sql::{self, Dialect, script};

/// What the policy says of the migrations that wait.
pub struct Weighed {
    /// Those statements that need consent.
    pub statements: Vec<report::Statement>,
    /// One line for each hazard that the policy does not allow, with file and line.
    pub told: Vec<String>,
    /// What the policy allows, and what could not be looked up.
    pub warnings: Vec<String>,
    pub refusal: Option<Refusal>,
}

/// A statement of a migration.
struct Stated<'a> {
    query: Query<'a>,
    at: usize,
    sql: String,
}

/// Judges the migrations. In a database that nothing was ever made in, nothing is at stake.
pub fn weigh(
    context: &MigrationsContext,
    policy: &Policy,
    pending: &[Migration],
    migrations_table: &MigrationsTable,
    clock: &Clock,
) -> Option<Weighed> {
    if migrations_table.records().is_empty() && migrations_table.tables.is_empty() {
        return None;
    }
    let all: Vec<Stated> = pending.iter().filter_map(|it| it.file).flat_map(queries).flat_map(statements).collect();
    // What nobody reads would hide what stands behind it: it comes last.
    let is_read = |sql: &str| !sql::read(sql, Dialect::Postgres).effects.contains(&Effect::Unknown);
    let (read, unread): (Vec<Stated>, Vec<Stated>) = all.into_iter().partition(|stated| is_read(&stated.sql));
    let schemas = context.place.drizzle.as_ref().map_or_else(|| Config::default().schemas(), |it| it.config.schemas());
    let scope = Scope { schemas: &schemas, tables: &TablesByName::UNKNOWN, renamed: &[], accept_data_loss: false };
    let name = format!("drizzle-pilot-{} migrate", std::process::id());
    let gate = Gate {
        policy,
        scope: &scope,
        dialect: Some(Dialect::Postgres),
        in_transaction: false,
        current_schema: None,
        kept: &[],
        row_policies: &[],
        truncated: &[],
        left_out: &[],
        look_up: &|wanted| {
            let connection = Connection::to(context.dsn(), &name, "").map_err(Blind::Failed)?;
            reach::look_up(&connection, wanted, limits::MIGRATIONS.min(clock.rest())).map_err(Blind::Failed)
        },
        owners: &Owners::unknown(),
        sqlite: None,
    };
    let unread = unread.into_iter().filter(|stated| !sql::adds_only(&stated.sql));
    let all: Vec<Stated> = read.into_iter().chain(unread).collect();
    let texts: Vec<String> = all.iter().map(|stated| stated.sql.clone()).collect();
    Some(Weighed::of(context, &all, gate.judge(&texts, &[])))
}

impl Weighed {
    fn of(context: &MigrationsContext, all: &[Stated], judged: Judged) -> Weighed {
        let Judged { statements, blind, is_blindness_told, decision, .. } = judged;
        let mut told = Vec::new();
        for (stated, statement) in all.iter().zip(&statements) {
            let (file, line) = (context.file(stated.query.file.tag()), stated.query.place_of(stated.at).line);
            for hazard in statement.hazards.iter().filter(|hazard| hazard.verdict == Judgement::Refused) {
                let what = format!("{} {}", hazard.hazard, hazard.objects.join(", "));
                let rows = match hazard.quantity() {
                    Some(quantity) if quantity == "1" => ", 1 row".to_owned(),
                    Some(quantity) => format!(", {quantity} rows"),
                    None => String::new(),
                };
                let note = hazard.note.as_ref().map(|note| format!(" ({note})")).unwrap_or_default();
                told.push(format!("{}:{line}: {}{rows}{note}", file.display(), what.trim_end()));
            }
        }
        let mut warnings = Vec::new();
        warnings.extend(
            blind
                .filter(|_| is_blindness_told)
                .map(|reason| format!("what is at stake could not be determined: {reason}")),
        );
        let refusal = match decision {
            Ok(Consent { warnings: allowed, .. }) => {
                warnings.extend(allowed);
                None
            }
            Err(refusal) => Some(refusal),
        };
        let statements = statements.into_iter().filter(|statement| !statement.hazards.is_empty()).collect();
        Weighed { statements, told, warnings, refusal }
    }

    /// Marks what is done although the policy does not allow it.
    pub fn warned(&mut self) {
        for statement in &mut self.statements {
            let hazards = statement.hazards.iter_mut().map(|hazard| &mut hazard.verdict);
            for verdict in hazards.chain([&mut statement.verdict]).filter(|verdict| **verdict == Judgement::Refused) {
                *verdict = Judgement::Warned;
            }
        }
    }
}

/// Returns the statements of a query; what is none as it stands.
fn statements(query: Query<'_>) -> Vec<Stated<'_>> {
    let script = script::read(query.text, Dialect::Postgres);
    if !script.faults.is_empty() {
        return vec![Stated { query, at: 0, sql: query.text.trim().to_owned() }];
    }
    let stated =
        |at: &script::Stated| Stated { query, at: at.place.start, sql: query.text[at.place.clone()].to_owned() };
    script.statements.iter().map(stated).collect()
}
