//! Answers a question of drizzle-kit: as it was planned, as the policy says, or not at all.

use crate::db::ConnectError;
use crate::db::inspect::{backends, reach};
use crate::kit::prompt::{Kind, Prompt};
use crate::kit::session::Answer;
use crate::outcome::Verdict;
use crate::output::console::Console;
use crate::policy::model::Apply;
use crate::policy::{Decision, Refusal, TablesByName, decide};
use crate::run::consent::{self, Consented};
use crate::run::context::{Cleared, Starting};
use crate::run::gate::owners::Owners;
use crate::run::gate::recheck::Recheck;
use crate::run::gate::{self, Answered, Blind, Gate};
use crate::run::plan_file::PlanFile;
use crate::run::record::{Approval, RunRecord, Stop};
use crate::run::repeated;
use crate::sql::{self, Hazard};

/// Answers a question.
#[tracing::instrument(skip_all)]
pub(super) fn answer(
    start: &Starting,
    cleared: &mut Cleared,
    prompt: &Prompt,
    record: &mut RunRecord,
    console: &mut Console,
) -> Answer {
    let is_last = matches!(prompt.kind, Kind::Execute | Kind::DataLoss(_));
    if let (Some(plan), false) = (start.lent.plan, is_last) {
        return as_planned(start, cleared, plan, prompt, record);
    }
    if let Err(verdict) = know_row_policies(start, &prompt.printed, record, console) {
        record.answers.because("");
        record.stop(Stop::Verdict(verdict));
        return Answer::Decline;
    }
    if is_last && is_only_repeated(start, cleared, prompt, record, console) {
        return Answer::Decline;
    }
    let failed = know_tables(start, cleared).err();
    let (answered, owners) = by_gate(start, cleared, prompt, record);
    if let Some(connection) = &cleared.looks.connection {
        connection.rest();
    }
    match answered.failed.or(failed) {
        // The signal ends the run before anything is pressed.
        Some(ConnectError::Interrupted { .. }) => {
            record.answers.because("");
            return Answer::Decline;
        }
        // What could not be looked up is refused for that, but nobody could allow it.
        Some(_) if cleared.has_lost_lock(start) => {
            record.stop(Stop::LockLost);
            record.answers.because("the lock on the database was lost");
            return Answer::Decline;
        }
        Some(_) | None => {}
    }
    let scope = cleared.scope(start.spec, &record.answers);
    let truncated = gate::chosen_truncation(prompt, &answered.decision, &scope);
    let recheck = answered.basis.map(|basis| Recheck {
        policy: cleared.policy.clone(),
        schemas: cleared.files.schemas.clone(),
        tables: cleared.looks.tables.clone(),
        renamed: record.answers.renamed.clone(),
        accept_data_loss: start.spec.accept_data_loss,
        in_transaction: cleared.apply == Apply::Transaction,
        kept: cleared.kept.clone(),
        truncated: record.answers.truncated.clone(),
        owners,
        basis,
    });
    record.answers.truncated.extend(truncated);
    record.report.statements.extend(answered.statements);
    match answered.decision {
        Decision::Choose { choice, because, warnings } => {
            record.answers.because(&because);
            console.detail(&format!("  asked: {}", prompt.headline()));
            console.detail(&format!("  answered: {} [{because}]", prompt.choices[choice].trim_end()));
            record.answers.renamed.extend(decide::renamed(prompt, choice, &cleared.files.schemas));
            if is_last {
                let consented = Consented { prompt, choice, warnings, recheck };
                return consent::answer(start, cleared, consented, record, console);
            }
            warnings.iter().for_each(|warning| console.warn_in(record.report, warning));
            record.answers.answered.push((prompt.clone(), choice));
            Answer::Choose(choice)
        }
        Decision::Refuse(refusal) => {
            let plan = start.lent.plan.filter(|_| is_last);
            refused(&refusal, plan, cleared, record)
        }
        Decision::Unclear(doubt) => {
            record.answers.because("");
            let ways: Vec<String> = doubt.allow.iter().map(ToString::to_string).collect();
            record.answers.would_answer = (!ways.is_empty()).then(|| ways.join("\n"));
            Answer::Unclear(doubt.reason)
        }
    }
}

/// Tells whether everything above the last question is there already, and takes note of what is.
fn is_only_repeated(
    start: &Starting,
    cleared: &Cleared,
    prompt: &Prompt,
    record: &mut RunRecord,
    console: &mut Console,
) -> bool {
    let repeated = repeated::find(start, cleared, prompt, record.report.is_silent, console);
    record.repeated = repeated.statements;
    if repeated.is_everything {
        record.approval = Approval::NothingToDo;
        record.answers.because("the database has what the schema files make");
    }
    repeated.is_everything
}

/// Declines what the policy refuses, given the plan that the last question is held to.
fn refused(refusal: &Refusal, plan: Option<&PlanFile>, cleared: &Cleared, record: &mut RunRecord) -> Answer {
    // What was not planned is not executed anyway; the plan is what has to be looked at then.
    if let Some(plan) = plan
        && let Some(reason) = consent::other_statements(plan, cleared, record)
    {
        record.stop(Stop::Stale(reason));
        record.answers.because("the plan");
        return Answer::Decline;
    }
    record.answers.because(refusal.because.as_ref().map(ToString::to_string).unwrap_or_default());
    record.refuse(refusal);
    Answer::Decline
}

/// Has the gate answer a question, with all that this run knows.
fn by_gate(start: &Starting, cleared: &Cleared, prompt: &Prompt, record: &RunRecord) -> (Answered, Owners) {
    let owners = Owners::of(&cleared.files.out, cleared.place.dialect, start.cwd, cleared.files.schema.as_ref());
    let scope = cleared.scope(start.spec, &record.answers);
    let gate = Gate {
        policy: &cleared.policy,
        scope: &scope,
        dialect: cleared.place.dialect,
        in_transaction: cleared.apply == Apply::Transaction,
        current_schema: cleared.sessions.server.as_ref().and_then(|server| server.search_path.first.as_deref()),
        kept: &cleared.kept,
        row_policies: &record.answers.row_policies,
        truncated: &record.answers.truncated,
        left_out: &record.repeated,
        look_up: &|wanted| {
            let connection = cleared.connection(start).ok_or(Blind::NoConnection)?;
            reach::look_up(connection, wanted, start.patience()).map_err(Blind::Failed)
        },
        owners: &owners,
        sqlite: cleared.knows(start.spec, start.kit_version.as_ref()),
    };
    (gate.answer(prompt), owners)
}

/// Finds out, at the first question, which schemas have a table of which name.
fn know_tables(start: &Starting, cleared: &mut Cleared) -> Result<(), ConnectError> {
    if !cleared.looks.tables.is_known()
        && let Some(connection) = cleared.connection(start)
    {
        let tables = backends::tables_by_name(connection, start.patience())?;
        cleared.looks.tables = TablesByName::known(tables);
    }
    Ok(())
}

/// Finds out which row level security policies the schema files make, where drizzle-kit is about to create some: its push
/// leaves their conditions out.
fn know_row_policies(
    start: &Starting,
    printed: &str,
    record: &mut RunRecord,
    console: &mut Console,
) -> Result<(), Verdict> {
    if record.answers.row_policies.is_empty() && printed.contains("CREATE POLICY") {
        let made = match start.lent.schema_files {
            Some(schema_files) => schema_files.statements(start.cwd, console)?,
            None => Vec::new(),
        };
        record.answers.row_policies = made.into_iter().filter_map(|sql| Some((sql::row_policy(&sql)?, sql))).collect();
    }
    Ok(())
}

/// Answers a question before the last one as it was planned.
fn as_planned(
    start: &Starting,
    cleared: &mut Cleared,
    plan: &PlanFile,
    prompt: &Prompt,
    record: &mut RunRecord,
) -> Answer {
    let Some(choice) = plan.choice(record.answers.answered.len(), prompt) else {
        let reason = format!("drizzle-kit asks another question: {}", prompt.headline());
        record.stop(Stop::Stale(reason.clone()));
        return Answer::Unclear(reason);
    };
    record.answers.because("the plan");
    // A table whose schema is not known is not taken for truncated; the last question says so.
    let _ = know_tables(start, cleared);
    let (_, because) = cleared.policy.hazard(Hazard::AddUnique);
    let decision = Decision::Choose { choice, because, warnings: Vec::new() };
    let scope = cleared.scope(start.spec, &record.answers);
    let truncated = gate::chosen_truncation(prompt, &decision, &scope);
    record.answers.truncated.extend(truncated);
    record.answers.renamed.extend(decide::renamed(prompt, choice, &cleared.files.schemas));
    record.answers.answered.push((prompt.clone(), choice));
    Answer::Choose(choice)
}
