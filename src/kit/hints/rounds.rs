//! Runs drizzle-kit 1.0 until it has nothing more to ask: each run gets the answers of those before it, and what the last one
//! sends is kept from the server and asked about as a whole.
//!
//! Answers are made anew for each command, hold only what was asked in it, and are never kept. That something may be lost is
//! confirmed for planning alone: drizzle-kit executes nothing, and the last question is about the statements themselves.

use std::collections::BTreeSet;
use std::io;
use std::time::Instant;

use serde_json::Value;

use crate::kit::hints::envelope::{self, Envelope};
use crate::kit::hints::hint::{Hint, Item};
use crate::kit::hints::prompts;
use crate::kit::prompt::{Entity, Kind, Prompt};
use crate::kit::run::{Ending, KitRun};
use crate::kit::session::{Answer, Answered, Doubt};

/// So many runs are more than the kinds of things that can be asked about (drizzle-kit 1.0.0-rc.5 needs one for each).
const MOST_RUNS: usize = 30;

/// What a run of drizzle-kit is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To send the statements.
    Push,
    /// To say what it would do, as objects (`--explain`).
    Explain,
    /// To say what the schema files make (`export`).
    Export,
}

/// A run of drizzle-kit, and the statements that were kept from the server.
#[derive(Debug)]
pub struct Round {
    pub run: KitRun,
    pub kept: Vec<String>,
}

/// Who runs drizzle-kit, and answers.
pub trait Rounds {
    type Error;
    /// Runs drizzle-kit with these answers.
    ///
    /// # Errors
    /// Where it cannot be started.
    fn run(&mut self, hints: &[Hint], purpose: Purpose) -> Result<Round, Self::Error>;
    /// Answers a question.
    fn ask(&mut self, prompt: &Prompt) -> Answer;
}

/// What was asked and answered so far.
#[derive(Default)]
struct Told {
    hints: Vec<Hint>,
    /// What was answered: it must not come again.
    items: BTreeSet<Item>,
    lost: Vec<Item>,
    answered: Vec<Answered>,
    latencies_ms: Vec<f64>,
    declined: bool,
    n_runs: usize,
    /// The error met while a run was recorded, if one was: not every run is.
    recording: Option<io::Error>,
}

/// Whether drizzle-kit is run again.
enum Flow {
    Again,
    /// No, for this reason or none.
    Over(Option<Doubt>),
    /// No: a run that was to explain something came to this.
    Unexplained(Box<KitRun>),
}

/// Runs drizzle-kit once, for what the schema files make.
///
/// # Errors
/// Where drizzle-kit cannot be started.
pub fn export<R: Rounds>(rounds: &mut R) -> Result<KitRun, R::Error> {
    let Round { mut run, .. } = rounds.run(&[], Purpose::Export)?;
    let doubt = read(&mut run).err();
    Ok(Told::default().end(run, doubt))
}

/// Runs drizzle-kit until it has nothing more to ask, and returns the last run with all that was asked and answered.
///
/// # Errors
/// Where drizzle-kit cannot be started.
pub fn drive<R: Rounds>(rounds: &mut R) -> Result<KitRun, R::Error> {
    let mut told = Told::default();
    loop {
        let hints = told.hints.clone();
        let Round { mut run, kept } = told.run(rounds, &hints, Purpose::Push)?;
        let envelope = match read(&mut run) {
            Ok(Some(envelope)) => envelope,
            Ok(None) => return Ok(told.end(run, None)),
            Err(doubt) => return Ok(told.end(run, Some(doubt))),
        };
        let flow = match (envelope, kept.is_empty()) {
            (Envelope::Missing(items), true) => told.answer(rounds, &items)?,
            (Envelope::Done, false) => told.ask_last(rounds, &kept),
            (Envelope::NoChanges | Envelope::Failed(_), true) => Flow::Over(None),
            (Envelope::Failed(_), false) => unclear("drizzle-kit failed after it had sent statements"),
            (_, true) => unclear("drizzle-kit says that it did something, and sent no statement"),
            (_, false) => unclear("drizzle-kit sent statements, and says something else"),
        };
        match flow {
            Flow::Again if told.n_runs < MOST_RUNS => {}
            Flow::Again => return Ok(told.end(run, Some(Doubt::Unclear("drizzle-kit asks without end".to_owned())))),
            Flow::Over(doubt) => return Ok(told.end(run, doubt)),
            Flow::Unexplained(run) => return Ok(told.end(*run, None)),
        }
    }
}

fn unclear(reason: &str) -> Flow {
    Flow::Over(Some(Doubt::Unclear(reason.to_owned())))
}

/// Reads the result of a run that ended by itself, under the hook, and keeps it with the run.
fn read(run: &mut KitRun) -> Result<Option<Envelope>, Doubt> {
    run.envelope = match &run.ending {
        Ending::Finished(ended) if run.cleared => {
            envelope::read(&run.out, *ended).map_err(|unreadable| Doubt::Unclear(unreadable.to_string()))?
        }
        _ => None,
    };
    Ok(run.envelope.clone())
}

impl Told {
    fn run<R: Rounds>(&mut self, rounds: &mut R, hints: &[Hint], purpose: Purpose) -> Result<Round, R::Error> {
        let mut round = rounds.run(hints, purpose)?;
        self.n_runs += 1;
        let recorded = std::mem::replace(&mut round.run.recording, Ok(()));
        self.recording = self.recording.take().or(recorded.err());
        Ok(round)
    }

    /// Answers what drizzle-kit wants to know, up to the first answer on which the rest depends.
    fn answer<R: Rounds>(&mut self, rounds: &mut R, items: &[Item]) -> Result<Flow, R::Error> {
        if let Some(item) = items.iter().find(|item| self.items.contains(item)) {
            return Ok(unclear(&format!("drizzle-kit asks once more what was answered: {item:?}")));
        }
        for item in items {
            if let Some(hint) = confirmed(item) {
                self.hints.push(hint);
                self.items.insert(item.clone());
                self.lost.push(item.clone());
            }
        }
        let is_open = |item: &&Item| matches!(item, Item::RenameOrCreate { .. });
        let open: Vec<&Item> = items.iter().filter(is_open).collect();
        if open.is_empty() {
            return Ok(Flow::Again);
        }
        let explained = match self.explained(rounds, &open)? {
            Ok(explained) => explained,
            Err(flow) => return Ok(flow),
        };
        let mut taken: Vec<Vec<String>> = Vec::new();
        let mut reshaped: Option<Entity> = None;
        for item in open {
            let Item::RenameOrCreate { kind, entity } = item else { continue };
            // What belongs to something that got another name is compared only then, under that name.
            if reshaped.is_some_and(|reshaped| reshaped != *kind) {
                break;
            }
            self.items.insert(item.clone());
            let mut candidates = prompts::candidates(&explained, *kind, entity);
            candidates.retain(|candidate| !taken.contains(candidate));
            let choice = match candidates.as_slice() {
                [] => 0,
                candidates => match self.ask(rounds, &prompts::rename(*kind, entity, candidates)) {
                    Ok(choice) => choice,
                    Err(flow) => return Ok(flow),
                },
            };
            self.hints.push(match choice.checked_sub(1).and_then(|idx| candidates.get(idx)) {
                None => created(*kind, entity),
                Some(from) => {
                    taken.push(from.clone());
                    if matches!(kind, Entity::Schema | Entity::Table | Entity::Enum | Entity::Column) {
                        reshaped = Some(*kind);
                    }
                    Hint::Rename { kind: *kind, from: from.clone(), to: entity.clone() }
                }
            });
        }
        Ok(Flow::Again)
    }

    /// Finds out what drizzle-kit would drop if all of this were new.
    fn explained<R: Rounds>(&mut self, rounds: &mut R, open: &[&Item]) -> Result<Result<Vec<Value>, Flow>, R::Error> {
        let for_planning = |item: &Item| match item {
            Item::RenameOrCreate { kind, entity } => Some(created(*kind, entity)),
            Item::ConfirmDataLoss { .. } => confirmed(item),
        };
        let mut hints = self.hints.clone();
        hints.extend(open.iter().copied().filter_map(for_planning));
        loop {
            let Round { mut run, kept } = self.run(rounds, &hints, Purpose::Explain)?;
            let reason = match read(&mut run) {
                Ok(Some(Envelope::Explained(explained))) if kept.is_empty() => return Ok(Ok(explained)),
                Ok(Some(Envelope::Missing(more))) if self.n_runs < MOST_RUNS => {
                    let mut more: Vec<Hint> = more.iter().filter_map(for_planning).collect();
                    more.retain(|hint| !hints.contains(hint));
                    if !more.is_empty() {
                        hints.extend(more);
                        continue;
                    }
                    Some("drizzle-kit asks once more what was answered".to_owned())
                }
                Ok(Some(Envelope::Failed(_)) | None) => None,
                Ok(Some(_)) => Some("drizzle-kit does not explain what it would do".to_owned()),
                Err(doubt) => Some(doubt.to_string()),
            };
            if let Some(reason) = reason {
                run.ending = Ending::Doubted(Doubt::Unclear(reason));
            }
            return Ok(Err(Flow::Unexplained(Box::new(run))));
        }
    }

    fn ask_last<R: Rounds>(&mut self, rounds: &mut R, kept: &[String]) -> Flow {
        let prompt = match prompts::last(kept, &self.lost) {
            Ok(prompt) => prompt,
            Err(reason) => return unclear(&reason),
        };
        match self.ask(rounds, &prompt) {
            Ok(_) => unclear("drizzle-kit 1.0 is never told to execute statements"),
            Err(flow) => flow,
        }
    }

    /// Asks a question. An `Err` is how the runs end, where it is not answered.
    fn ask<R: Rounds>(&mut self, rounds: &mut R, prompt: &Prompt) -> Result<usize, Flow> {
        let asked = Instant::now();
        let answer = rounds.ask(prompt);
        self.latencies_ms.push(asked.elapsed().as_secs_f64() * 1e3);
        let chosen = match (&answer, &prompt.kind) {
            (Answer::Choose(choice), _) => Some(*choice),
            // "No, abort" is its first choice.
            (Answer::Decline, Kind::Execute | Kind::DataLoss(_)) => Some(0),
            (Answer::Decline | Answer::Unclear(_), _) => None,
        };
        self.answered.push(Answered { prompt: prompt.clone(), answer: answer.clone(), chosen, keys: Vec::new() });
        match answer {
            Answer::Choose(choice) => Ok(choice),
            Answer::Decline => {
                self.declined = true;
                Err(Flow::Over(None))
            }
            Answer::Unclear(reason) => Err(Flow::Over(Some(Doubt::Unclear(reason)))),
        }
    }

    /// Puts what was asked and answered into the last run.
    fn end(self, mut run: KitRun, doubt: Option<Doubt>) -> KitRun {
        if let Some(doubt) = doubt {
            run.ending = Ending::Doubted(doubt);
        }
        run.seen.answered = self.answered;
        run.seen.declined = self.declined;
        run.latencies_ms = self.latencies_ms;
        run.recording = self.recording.map_or(run.recording, Err);
        run
    }
}

fn created(kind: Entity, entity: &[String]) -> Hint {
    Hint::Create { kind, entity: entity.to_vec() }
}

/// Returns the answer that lets drizzle-kit plan a loss.
fn confirmed(item: &Item) -> Option<Hint> {
    let Item::ConfirmDataLoss { kind, entity, .. } = item else { return None };
    Some(Hint::ConfirmDataLoss { kind: *kind, entity: entity.clone() })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;
    use crate::kit::session::Seen;
    use crate::term::ended::Ended;

    /// A drizzle-kit that gives one answer after the other, the last one for ever.
    struct Scripted<'a> {
        answers: &'a [(&'a str, i32, &'a [&'a str])],
        n_runs: usize,
        /// The answers it got, with what for.
        hints: Vec<String>,
        /// The choice at every question but the last; none: it is declined.
        choice: Option<usize>,
        asked: Vec<Kind>,
        cleared: bool,
        /// Whether the recording of the first run fails.
        loses_recording: bool,
    }

    impl<'a> Scripted<'a> {
        fn new(answers: &'a [(&'a str, i32, &'a [&'a str])], choice: Option<usize>) -> Scripted<'a> {
            let (hints, asked) = (Vec::new(), Vec::new());
            Scripted { answers, n_runs: 0, hints, choice, asked, cleared: true, loses_recording: false }
        }
    }

    impl Rounds for Scripted<'_> {
        type Error = Infallible;

        fn run(&mut self, hints: &[Hint], purpose: Purpose) -> Result<Round, Infallible> {
            let (out, code, kept) = self.answers[self.n_runs.min(self.answers.len() - 1)];
            self.n_runs += 1;
            self.hints.push(format!("{purpose:?} {}", crate::kit::hints::hint::json(hints)));
            let run = KitRun {
                ending: Ending::Finished(Ended::Code(code)),
                seen: Seen::default(),
                cleared: self.cleared,
                out: out.to_owned(),
                envelope: None,
                config_error: None,
                failed: None,
                hello: None,
                latencies_ms: Vec::new(),
                recording: match self.loses_recording && self.n_runs == 1 {
                    true => Err(io::Error::other("the disk is full")),
                    false => Ok(()),
                },
            };
            Ok(Round { run, kept: kept.iter().map(|sql| (*sql).to_owned()).collect() })
        }

        fn ask(&mut self, prompt: &Prompt) -> Answer {
            self.asked.push(prompt.kind.clone());
            match (&prompt.kind, self.choice) {
                (Kind::Execute | Kind::DataLoss(_), _) | (_, None) => Answer::Decline,
                (_, Some(choice)) => Answer::Choose(choice),
            }
        }
    }

    const OK: &str = r#"{"status":"ok"}"#;
    const CHANGES: &[&str] = &["DROP TABLE \"a\";"];

    fn driven(answers: &[(&str, i32, &[&str])], choice: Option<usize>) -> (KitRun, Vec<String>, Vec<Kind>) {
        let mut scripted = Scripted::new(answers, choice);
        let Ok(run) = drive(&mut scripted);
        (run, scripted.hints, scripted.asked)
    }

    fn missing(items: &str) -> String {
        format!(r#"{{"status":"missing_hints","unresolved":[{items}]}}"#)
    }

    /// Checks why the runs end.
    #[track_caller]
    fn ends(answers: &[(&str, i32, &[&str])], doubt: Option<&str>) {
        let (run, ..) = driven(answers, Some(0));
        let found = match &run.ending {
            Ending::Doubted(doubt) => Some(doubt.to_string()),
            Ending::Finished(_) => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found.as_deref(), doubt, "{answers:?}");
        assert!(!run.seen.consented);
    }

    const TABLE: &str = r#"{"type":"rename_or_create","kind":"table","entity":["public","b"]}"#;
    const COLUMN: &str = r#"{"type":"rename_or_create","kind":"column","entity":["public","t","d"]}"#;
    const LOST: &str = r#"{"type":"confirm_data_loss","kind":"table","entity":["public","a"],"reason":"non_empty"}"#;
    const EXPLAINED: &str = r#"{"status":"ok","statements":[
        {"type":"drop_table","table":{"schema":"public","name":"a"}},
        {"type":"drop_column","column":{"schema":"public","table":"t","name":"c"}}]}"#;

    fn explained() -> String {
        EXPLAINED.split_whitespace().collect()
    }

    #[test]
    fn what_is_asked_is_answered_until_nothing_is_left() {
        let (both, lost, explained) = (missing(&[TABLE, COLUMN].join(",")), missing(LOST), explained());
        // New: answered at once.
        let answers = [(both.as_str(), 2, &[][..]), (&explained, 0, &[]), (&lost, 2, &[]), (OK, 0, CHANGES)];
        let (run, hints, asked) = driven(&answers, Some(0));
        let new_table = r#"{"type":"create","kind":"table","entity":["public","b"]}"#;
        let new_column = r#"{"type":"create","kind":"column","entity":["public","t","d"]}"#;
        let confirmed = r#"{"type":"confirm_data_loss","kind":"table","entity":["public","a"]}"#;
        assert_eq!(
            hints,
            [
                "Push []".to_owned(),
                format!("Explain [{new_table},{new_column}]"),
                format!("Push [{new_table},{new_column}]"),
                format!("Push [{new_table},{new_column},{confirmed}]"),
            ]
        );
        assert!(matches!(asked.as_slice(), [Kind::Rename(_), Kind::Rename(_), Kind::DataLoss(_)]), "{asked:?}");
        assert!(run.seen.declined && run.ending == Ending::Finished(Ended::Code(0)));
        assert_eq!(run.seen.answered.len(), 3);

        // A table that was renamed: what belongs to tables is asked once more.
        let column = missing(COLUMN);
        let answers = [
            (both.as_str(), 2, &[][..]),
            (&explained, 0, &[]),
            (&column, 2, &[]),
            (&explained, 0, &[]),
            (OK, 0, CHANGES),
        ];
        let (_, hints, asked) = driven(&answers, Some(1));
        let renamed = r#"{"type":"rename","kind":"table","from":["public","a"],"to":["public","b"]}"#;
        assert_eq!(hints[2], format!("Push [{renamed}]"));
        assert_eq!(
            hints[4],
            format!(
                "Push [{renamed},{}]",
                r#"{"type":"rename","kind":"column","from":["public","t","c"],"to":["public","t","d"]}"#
            )
        );
        assert_eq!(asked.len(), 3);
    }

    #[test]
    fn a_recording_that_was_lost_in_an_earlier_run_is_lost() {
        let lost = missing(LOST);
        let answers = [(lost.as_str(), 2, &[][..]), (OK, 0, CHANGES)];
        let Ok(run) = drive(&mut Scripted { loses_recording: true, ..Scripted::new(&answers, None) });
        assert!(run.recording.is_err());
        let Ok(run) = drive(&mut Scripted::new(&answers, None));
        assert!(run.recording.is_ok());
    }

    #[test]
    fn a_question_that_is_declined_ends_the_runs() {
        let (table, explained) = (missing(TABLE), explained());
        let (run, hints, asked) = driven(&[(&table, 2, &[]), (&explained, 0, &[])], None);
        assert_eq!((hints.len(), asked.len()), (2, 1));
        assert!(run.seen.declined && !run.seen.consented);
    }

    #[test]
    fn nothing_else_is_taken_for_an_answer() {
        let (table, lost, explained) = (missing(TABLE), missing(LOST), explained());
        let failed = r#"{"status":"error","error":{"code":"query_error","sql":"x"}}"#;
        ends(&[(r#"{"status":"no_changes"}"#, 0, &[])], None);
        ends(&[("", 1, &[])], None);
        ends(&[(failed, 1, &[])], None);
        ends(&[(&table, 2, &[]), (failed, 1, &[])], None);
        let again = |item: &str| format!("drizzle-kit asks once more what was answered: {item}");
        let table_item = "RenameOrCreate { kind: Table, entity: [\"public\", \"b\"] }";
        ends(&[(&table, 2, &[]), (&explained, 0, &[]), (&table, 2, &[])], Some(&again(table_item)));
        let lost_item =
            "ConfirmDataLoss { kind: Table, entity: [\"public\", \"a\"], reason: \"non_empty\", reason_details: None }";
        ends(&[(&lost, 2, &[])], Some(&again(lost_item)));
        ends(&[(OK, 0, &[])], Some("drizzle-kit says that it did something, and sent no statement"));
        ends(
            &[(r#"{"status":"no_changes"}"#, 0, CHANGES)],
            Some("drizzle-kit sent statements, and says something else"),
        );
        ends(&[(&table, 2, CHANGES)], Some("drizzle-kit sent statements, and says something else"));
        ends(&[(failed, 1, CHANGES)], Some("drizzle-kit failed after it had sent statements"));
        ends(&[(OK, 0, &["DROP TABLE a; DROP TABLE b"])], Some("a text of drizzle-kit is more than one statement"));
        ends(&[(&table, 2, &[]), (OK, 0, &[])], Some("drizzle-kit does not explain what it would do"));
        ends(&[(&table, 2, &[]), (&explained, 0, CHANGES)], Some("drizzle-kit does not explain what it would do"));
        ends(&[(&table, 2, &[]), (&table, 2, &[])], Some("drizzle-kit asks once more what was answered"));
        let unknown = missing(r#"{"type":"rename_or_create","kind":"trigger","entity":["public","t","x"]}"#);
        let (run, ..) = driven(&[(&unknown, 2, &[])], Some(0));
        assert!(
            matches!(&run.ending, Ending::Doubted(doubt) if doubt.to_string().contains("does not know what it asks"))
        );
    }

    #[test]
    fn new_questions_without_end_have_one() {
        // Another table each time.
        struct Endless(usize);
        impl Rounds for Endless {
            type Error = Infallible;
            fn run(&mut self, hints: &[Hint], purpose: Purpose) -> Result<Round, Infallible> {
                self.0 += 1;
                let item = TABLE.replace("\"b\"", &format!("\"b{}\"", self.0));
                let text = missing(&item);
                let answers = [(text.as_str(), 2, &[][..])];
                let mut scripted = Scripted::new(&answers, Some(0));
                scripted.run(hints, purpose)
            }
            fn ask(&mut self, _: &Prompt) -> Answer {
                Answer::Choose(0)
            }
        }
        let mut endless = Endless(0);
        let Ok(run) = drive(&mut endless);
        assert!(matches!(run.ending, Ending::Doubted(_)), "{:?}", run.ending);
        assert!(endless.0 <= MOST_RUNS, "{}", endless.0);
    }

    #[test]
    fn without_the_hook_no_result_is_believed() {
        let answers = [(OK, 0, &[][..])];
        let mut scripted = Scripted { cleared: false, ..Scripted::new(&answers, None) };
        let Ok(run) = drive(&mut scripted);
        assert_eq!(run.envelope, None);
        assert!(scripted.asked.is_empty());
    }
}
