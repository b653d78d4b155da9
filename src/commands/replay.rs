//! `replay`: decides again on a recording, offline.

use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU16;

use crate::cli::{DialectName, ReplayArgs, Shared};
use crate::command_name::CommandName;
use crate::db::inspect::reach::{Convertible, Facts, Found, Relation, Rows, Wanted};
use crate::files;
use crate::kit::prompt::{self, Prompt};
use crate::kit::replay::{Observation, Observer};
use crate::outcome::{Exit, Verdict, with_causes};
use crate::output::console::Console;
use crate::output::delivery;
use crate::output::record::Record;
use crate::output::record::View;
use crate::output::report;
use crate::policy::{self, Decision, ObjectName, Policy, RuleRef, Scope, TablesByName};
use crate::project::{guard, root};
use crate::run::gate::Answered;
use crate::run::gate::owners::Owners;
use crate::run::gate::{self, Gate};
use crate::sql::Dialect;
use crate::term::Screen;
use crate::term::screen::COLUMNS;
use crate::term::transcript::{Piece, ReadError, Reader};

const COMMAND: CommandName = CommandName::Replay;

/// Runs the command.
pub fn run(shared: &Shared, args: &ReplayArgs, console: &mut Console) -> Exit {
    delivery::run(shared, COMMAND, View::Run, console, |_, console, log| {
        let policies = guard::load(shared, &root::find(shared)?, console, log)?;
        let policy = guard::select(&policies, &|name| std::env::var(name).ok(), None, shared, log)?;
        if args.accept_data_loss
            && let Some(rule) = policy.bans_accepting_data_loss()
        {
            return Err(Verdict::nothing(Exit::Guarded, format!("--accept-data-loss is not allowed here [{rule}]")));
        }
        replay(shared, &policy, args, console, log)
    })
}

/// Reads a recording to its end, or to the first answer that is not the policy's.
fn replay(
    shared: &Shared,
    policy: &Policy,
    args: &ReplayArgs,
    console: &mut Console,
    log: &mut Record,
) -> Result<Verdict, Verdict> {
    let file = args.file.display();
    let unreadable = |error: ReadError| Verdict::nothing(Exit::Usage, format!("{file}: {}", with_causes(&error)));
    let recording = File::open(&args.file).map_err(|error| unreadable(error.into()))?;
    if shared.report_html.is_some() && recording.metadata().is_ok_and(|file| file.is_file()) {
        File::open(&args.file).into_iter().for_each(|recording| console.keep_recording(recording));
    }
    let reader = Reader::open(files::Recording::new(BufReader::new(recording))).map_err(unreadable)?;
    let columns = u16::try_from(reader.header.width).ok().and_then(NonZeroU16::new);
    let columns = columns.or(NonZeroU16::new(COLUMNS)).expect("the width is a constant above zero");
    let screen = Screen::with_columns(columns);
    let mut screen = if reader.header.is_coloured() { screen.coloured() } else { screen };
    let mut observer = Observer::default();
    let mut answers = Answers { policy, args, renamed: Vec::new(), truncated: Vec::new() };
    let mut open: Option<(Prompt, usize)> = None;
    for piece in reader {
        let Piece::Output(output) = piece.map_err(unreadable)? else { continue };
        let mut observations = Vec::new();
        screen.feed(output.as_bytes(), |event| observations.extend(observer.on(event)));
        for observation in observations {
            match observation {
                Observation::Asked(prompt) => {
                    let choice = answers.decide(&prompt, console, log)?;
                    open = Some((prompt, choice));
                }
                Observation::Doubted(doubt) => return Err(Verdict::nothing(Exit::UnknownPrompt, doubt.to_string())),
                Observation::Answered(recorded) => {
                    let Some((prompt, choice)) = open.take() else { continue };
                    if let Some(told) = log.prompts.last_mut() {
                        told.recorded = prompt.choices.get(recorded).cloned();
                    }
                    if recorded != choice {
                        let summary = "the recording continues with another answer than the policy gives; what would follow is unknown";
                        return Ok(Verdict::nothing(Exit::Changes, summary));
                    }
                    answers.renamed.extend(policy::decide::renamed(&prompt, choice, &schemas()));
                }
            }
        }
    }
    if observer.is_open() {
        let summary = "the recording ends inside a prompt, so its answer is unknown";
        return Err(Verdict::nothing(Exit::UnknownPrompt, summary));
    }
    Ok(Verdict::nothing(Exit::Ok, format!("{} prompts, each decided as in the recording", log.prompts.len())))
}

/// Returns the schemas of a config that names none: a recording knows no config.
fn schemas() -> [String; 1] {
    ["public".to_owned()]
}

/// What decides, and what was decided before.
struct Answers<'a> {
    policy: &'a Policy,
    args: &'a ReplayArgs,
    renamed: Vec<(ObjectName, ObjectName)>,
    truncated: Vec<(ObjectName, RuleRef)>,
}

impl Answers<'_> {
    /// Decides as a live run would, but that there is no database to ask.
    ///
    /// # Errors
    /// With the verdict, where the run would end here.
    fn decide(&mut self, prompt: &Prompt, console: &mut Console, log: &mut Record) -> Result<usize, Verdict> {
        let schemas = schemas();
        let scope = Scope {
            schemas: &schemas,
            tables: &TablesByName::UNKNOWN,
            renamed: &self.renamed,
            accept_data_loss: self.args.accept_data_loss,
        };
        let gate = Gate {
            policy: self.policy,
            scope: &scope,
            dialect: Some(self.args.dialect.into()),
            in_transaction: false,
            current_schema: None,
            kept: &[],
            row_policies: &[],
            truncated: &self.truncated,
            left_out: &[],
            look_up: &|wanted| Ok(no_more_than_named(wanted)),
            owners: &Owners::unknown(),
            sqlite: None,
        };
        let Answered { decision, statements, .. } = gate.answer(prompt);
        let truncated = gate::chosen_truncation(prompt, &decision, &scope);
        self.truncated.extend(truncated);
        log.statements.extend(statements);
        let mut told = |choice: Option<usize>, rule: Option<String>| {
            log.prompts.push(report::Prompt {
                question: prompt.headline(),
                choices: prompt.choices.clone(),
                chosen: choice.and_then(|choice| prompt.choices.get(choice).cloned()),
                recorded: None,
                rule,
                keys: Vec::new(),
                latency_ms: None,
            });
        };
        match decision {
            Decision::Choose { choice, because, warnings } => {
                told(Some(choice), Some(because.to_string()));
                for warning in warnings {
                    console.warn_in(log, &warning);
                }
                Ok(choice)
            }
            Decision::Refuse(refusal) => {
                let abort = prompt.choices.iter().position(|choice| choice == prompt::ABORT);
                told(abort, refusal.because.as_ref().map(ToString::to_string));
                log.refusals.push(report::Refusal::of(&refusal));
                Err(Verdict::nothing(Exit::Refused, "refused by the policy"))
            }
            Decision::Unclear(doubt) => {
                told(None, None);
                let verdict = Verdict::nothing(Exit::UnknownPrompt, doubt.reason);
                let ways: Vec<String> = doubt.allow.iter().map(ToString::to_string).collect();
                Err(match ways.is_empty() {
                    true => verdict,
                    false => {
                        verdict.hint(format!("if you know the answer, write it into the policy\n{}", ways.join("\n")))
                    }
                })
            }
        }
    }
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

/// Returns what a recording lets one assume of its database: what the statements name is there, and nothing else.
fn no_more_than_named(wanted: &Wanted) -> Facts {
    let found = |relation: &Relation| (relation.clone(), Found { rows: Rows::Unknown, extension: None });
    let conversions = wanted.retyped.iter().map(|column| (column.clone(), Convertible::Fits));
    let (relations, conversions) = (wanted.counted.iter().map(found).collect(), conversions.collect());
    Facts { relations, conversions, ..Facts::default() }
}
