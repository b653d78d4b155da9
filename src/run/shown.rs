//! What drizzle-kit itself has shown: its output, its last words, and its questions.

use crate::command_name::CommandName;
use crate::kit::hints::envelope::Envelope;
use crate::kit::run::{Ending, KitRun};
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::report;
use crate::run::record::Repeated;
use crate::run::spec::RunSpec;
use crate::sql::{self, Dialect};

/// Returns what drizzle-kit printed, to the letter.
///
/// # Errors
/// With the verdict, where it was not read whole.
pub(super) fn printed(run: &KitRun) -> Result<String, Verdict> {
    let text = &run.seen.last_text;
    if text.is_intact() {
        return Ok(text.printed.clone());
    }
    let summary =
        "the output of drizzle-kit is too long, or has control sequences in it, and could not be read completely";
    Err(Verdict::nothing(Exit::Failed, summary).hint("run drizzle-kit export without drizzle-pilot"))
}

/// Shows drizzle-kit's own last words where they explain a failure. A database error was already read out of them.
pub(super) fn show_kit_text(spec: &RunSpec, verdict: &Verdict, run: &KitRun, console: &mut Console) {
    // `run` stands in for any command, and some of them are run for what they print.
    let is_result = spec.command == CommandName::Run && verdict.exit == Exit::Ok;
    let explains = is_result || matches!(verdict.exit, Exit::Failed | Exit::Partial | Exit::Unproven | Exit::Config);
    let failed_by_itself = explains && matches!(run.ending, Ending::Finished(_));
    let told = verdict.error.as_ref().is_some_and(|error| error.sqlstate.is_some());
    if !failed_by_itself || (told && !console.is_verbose()) {
        return;
    }
    const MOST: usize = 40;
    const WIDEST: usize = 400; // characters
    let is_stack = |line: &str| line.trim_start().starts_with("at ") && line.starts_with(' ');
    let lines = run.seen.last_text.lines.iter().filter(|line| !line.is_empty());
    let lines: Vec<&String> = lines.filter(|line| console.is_verbose() || !is_stack(line)).collect();
    let skipped = lines.len().saturating_sub(MOST);
    console.settle();
    if skipped > 0 {
        console.insist(&format!("  kit: ({skipped} lines left out)"));
    }
    for line in &lines[skipped..] {
        // What is cut first may leave the beginning of a secret.
        let line = console.clean(line);
        let shown: String = line.chars().take(WIDEST).collect();
        let rest = if shown.len() < line.len() { " …" } else { "" };
        console.insist(&format!("  kit: {shown}{rest}"));
    }
}

/// Returns the questions and their answers, with the rule or reason of each.
pub(super) fn prompts(run: &KitRun, rules: &[String]) -> Vec<report::Prompt> {
    let mut latencies = run.latencies_ms.iter();
    let answered = run.seen.answered.iter().enumerate();
    answered
        .map(|(idx, answered)| report::Prompt {
            question: answered.prompt.headline(),
            choices: answered.prompt.choices.clone(),
            chosen: answered.chosen.map(|choice| answered.prompt.choices[choice].clone()),
            recorded: None,
            rule: rules.get(idx).filter(|rule| !rule.is_empty()).cloned(),
            keys: answered.keys.iter().map(|key| key.name().to_owned()).collect(),
            latency_ms: answered.chosen.and_then(|_| latencies.next().copied()),
        })
        .collect()
}

/// Returns the statements that drizzle-kit 1.0 has exported.
pub(super) fn exported(run: &KitRun) -> Vec<String> {
    let Some(Envelope::Explained(statements)) = &run.envelope else { return Vec::new() };
    statements.iter().filter_map(|statement| statement.as_str().map(str::to_owned)).collect()
}

/// Returns what a report says of the statements that change nothing.
pub(super) fn phantoms(repeated: &[Repeated]) -> Vec<report::Statement> {
    let phantom = |Repeated { sql, phantom }: &Repeated| {
        report::Statement::phantom(sql.clone(), sql::read(sql, Dialect::Postgres).kind, phantom.reason.clone())
    };
    repeated.iter().map(phantom).collect()
}
