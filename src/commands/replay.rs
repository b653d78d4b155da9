//! `replay`: decides again on a recording, offline.

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU16;

use crate::cli::{DialectName, Format, ReplayArgs, Shared};
use crate::commands::gate::{self, Gate};
use crate::commands::logbook;
use crate::console::{Console, clean_json};
use crate::db::reach::{Facts, Fitting, Found, Relation, Rows, Wanted};
use crate::exit::Exit;
use crate::kit::prompt::{Kind, Prompt};
use crate::kit::replay::{Observation, Observer};
use crate::policy::{self, Decision, Policy, Scope};
use crate::report::Verdict;
use crate::sql::Dialect;
use crate::term::Screen;
use crate::term::screen::COLUMNS;
use crate::term::transcript::{Piece, ReadError, Reader};

/// What was made of one prompt of the recording.
#[derive(Debug, serde::Serialize)]
struct Step {
    question: String,
    /// What the policy decides.
    decided: String,
    /// The choice of the recording; none where it was interrupted.
    recorded: Option<String>,
}

/// Runs the command.
pub fn run(shared: &Shared, args: &ReplayArgs, console: &mut Console) -> Exit {
    let mut steps = Vec::new();
    let verdict = match replay(shared, args, &mut steps) {
        Ok(verdict) | Err(verdict) => verdict,
    };
    let result = match shared.format {
        Format::Json => {
            let document = serde_json::json!({
                "schema": 1, "command": "replay", "outcome": verdict.exit.name(), "code": verdict.exit.code(),
                "summary": verdict.summary, "prompts": steps,
            });
            clean_json(&format!("{:#}\n", console.secrets().redact_json(document)))
        }
        Format::Text | Format::Sql | Format::Markdown if shared.quiet => String::new(),
        Format::Text | Format::Sql | Format::Markdown => console.clean(&text(&verdict, &steps)),
    };
    console.result(&result);
    if verdict.exit != Exit::Ok {
        console.error(verdict.exit.name(), &verdict.summary);
        if let Some(hint) = &verdict.hint {
            console.insist(&format!("hint: {hint}"));
        }
        console.insist(verdict.database.sentence());
    }
    verdict.exit
}

fn replay(shared: &Shared, args: &ReplayArgs, steps: &mut Vec<Step>) -> Result<Verdict, Verdict> {
    let file = args.file.display();
    let unreadable = |error: ReadError| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        Verdict::nothing(Exit::Usage, format!("{file}: {error}{cause}"))
    };
    let policy = policy(shared)?;
    if args.accept_data_loss
        && let Some(rule) = policy.bans_accepting_data_loss()
    {
        return Err(Verdict::nothing(Exit::Guarded, format!("--accept-data-loss is not allowed here [{rule}]")));
    }
    let schemas = ["public".to_owned()];
    let recording = File::open(&args.file).map_err(|error| unreadable(error.into()))?;
    let reader = Reader::open(BufReader::new(recording)).map_err(unreadable)?;
    let columns = u16::try_from(reader.header.width).ok().and_then(NonZeroU16::new);
    let columns = columns.or(NonZeroU16::new(COLUMNS)).expect("the width is a constant above zero");
    let mut screen = Screen::with_columns(columns);
    let mut observer = Observer::default();
    let mut open: Option<(Prompt, usize)> = None;
    let (mut renamed, mut truncated) = (Vec::new(), Vec::new());
    for piece in reader {
        let Piece::Output(output) = piece.map_err(unreadable)? else { continue };
        let mut observations = Vec::new();
        screen.feed(output.as_bytes(), |event| observations.extend(observer.on(event)));
        for observation in observations {
            match observation {
                Observation::Asked(prompt) => {
                    // Decided as a live run would whose config names `public` alone: a recording knows no database to ask.
                    let scope = Scope {
                        schemas: &schemas,
                        tables_named: &|_| None,
                        renamed: &renamed,
                        accept_data_loss: args.accept_data_loss,
                    };
                    let decision = match &prompt.kind {
                        Kind::Execute | Kind::DataLoss(_) => {
                            let gate = Gate {
                                policy: &policy,
                                scope: &scope,
                                dialect: Some(args.dialect.into()),
                                in_transaction: false,
                                current_schema: None,
                                truncated: &truncated,
                                look_up: &|wanted| Ok(no_more_than_named(wanted)),
                                whose: &|_| None,
                                is_in_schema: &|_| true,
                            };
                            gate.decide(&prompt).0
                        }
                        _ => policy::decide::prompt(&policy, &prompt, &scope),
                    };
                    truncated.extend(gate::chosen_truncation(&prompt, &decision, &scope));
                    steps.push(Step { question: prompt.headline(), decided: told(&decision, &prompt), recorded: None });
                    let choice = match decision {
                        Decision::Unclear(doubt) => return Err(Verdict::nothing(Exit::UnknownPrompt, doubt.reason)),
                        Decision::Refuse(refusal) => {
                            let verdict = Verdict::nothing(Exit::Refused, refusal.what.clone());
                            return Err(match refusal.allow_with() {
                                Some(lines) => verdict.hint(format!("the policy lines that allow it\n{lines}")),
                                None => verdict,
                            });
                        }
                        Decision::Choose { choice, .. } => choice,
                    };
                    open = Some((prompt, choice));
                }
                Observation::Doubted(doubt) => return Err(Verdict::nothing(Exit::UnknownPrompt, doubt.to_string())),
                Observation::Answered(recorded) => {
                    let Some((prompt, choice)) = open.take() else { continue };
                    if let Some(step) = steps.last_mut() {
                        step.recorded = prompt.choices.get(recorded).cloned();
                    }
                    if recorded != choice {
                        let summary = "the recording goes on with another answer than the policy gives; what follows is not known";
                        return Ok(Verdict::nothing(Exit::Ok, summary));
                    }
                    renamed.extend(policy::decide::renamed(&prompt, choice, &schemas));
                }
            }
        }
    }
    if observer.is_open() {
        let summary = "the recording ends inside a prompt, and what its answer would have been is not known";
        return Err(Verdict::nothing(Exit::UnknownPrompt, summary));
    }
    Ok(Verdict::nothing(Exit::Ok, format!("{} prompts, each decided as in the recording", steps.len())))
}

impl From<DialectName> for Dialect {
    fn from(name: DialectName) -> Dialect {
        match name {
            DialectName::Postgresql => Dialect::Postgres,
            DialectName::Mysql => Dialect::MySql,
            DialectName::Singlestore => Dialect::SingleStore,
            DialectName::Sqlite => Dialect::Sqlite,
            DialectName::Turso => Dialect::Turso,
        }
    }
}

fn policy(shared: &Shared) -> Result<Policy, Verdict> {
    let cwd = shared.cwd.clone().unwrap_or_else(|| ".".into());
    let policies = policy::load(shared.policy.as_deref(), &cwd)
        .map_err(|error| Verdict::nothing(Exit::Config, error.to_string()))?;
    policies
        .select(shared.profile.as_deref(), &|name| std::env::var(name).ok(), None)
        .map_err(|error| logbook::unselected(&error))
}

fn told(decision: &Decision, prompt: &Prompt) -> String {
    match decision {
        Decision::Choose { choice, because, .. } => {
            format!("{} [{because}]", prompt.choices.get(*choice).map_or("", |choice| choice.trim_end()))
        }
        Decision::Refuse(refusal) => format!("refused: {}", refusal.what),
        Decision::Unclear(doubt) => format!("unclear: {}", doubt.reason),
    }
}

fn text(verdict: &Verdict, steps: &[Step]) -> String {
    let mut text = String::new();
    for Step { question, decided, recorded } in steps {
        text += &format!("  asked    {question}\n  decided  {decided}\n");
        if let Some(recorded) = recorded {
            text += &format!("  recorded {}\n", recorded.trim_end());
        }
    }
    format!("replay: {}\n{text}", verdict.summary)
}

/// Returns what a recording lets one assume of its database: what the statements name is there, and nothing else.
fn no_more_than_named(wanted: &Wanted) -> Facts {
    let found = |relation: &Relation| (relation.clone(), Found { rows: Rows::Unknown, extension: None });
    let fitting = wanted.rebuilt.iter().map(|column| (column.clone(), Fitting::All));
    Facts { relations: wanted.counted.iter().map(found).collect(), fitting: fitting.collect(), ..Facts::default() }
}
