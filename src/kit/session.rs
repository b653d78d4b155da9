//! What to do next at the terminal of drizzle-kit. Pure: events in, one step out; no process, no clock.
//!
//! The protocol at a prompt, each step begun only after the effect of the last was seen:
//! 1. The cursor is hidden and a choice is highlighted: press Down, whatever the prompt is. It changes nothing, but the
//!    redraw begins by wiping the rows of the frame before it. So that frame stood there whole, and its rows are counted.
//! 2. Read the prompt from that frame and ask what to answer.
//! 3. Press Up or Down once, and wait until the screen shows that very frame with the highlight moved.
//! 4. When the highlight is seen on the answer: Enter. Afterwards the line that confirms it must come.
//!
//! Everything else is doubt, and doubt stops the run.

use std::time::Duration;

use crate::kit::prompt::{self, Kind, Prompt, Rename};
use crate::term::Key;
use crate::term::screen::{Drawn, Event, Frame, Text};

/// What to answer to a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// This choice.
    Choose(usize),
    /// None: "No, abort" where the prompt has it, else the run is interrupted.
    Decline,
    /// None, because the prompt has two readings.
    Unclear(String),
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Nothing until something happens, or until the time for it is over.
    Wait(Patience),
    Press(Key),
    /// End the run: what was seen cannot be trusted.
    Stop(Doubt),
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// The kit works; only the idle deadline limits it.
    Work,
    /// An open prompt shows its choices, or a key its effect.
    Effect(Duration),
}

/// Why a run cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Doubt {
    #[error("drizzle-kit waits for something that is no list of choices")]
    NoList,
    #[error("the prompt did not react to a key")]
    NoEffect,
    #[error("the prompt has {erased} rows, but {seen} were seen")]
    Torn { erased: usize, seen: usize },
    #[error("the prompt changed in a way that no key explains")]
    Changed,
    #[error("the output carries control sequences that could forge what is seen")]
    Forged,
    #[error("the output before the question is too long to be read whole")]
    TooLong,
    #[error(transparent)]
    Unreadable(#[from] prompt::Unreadable),
    #[error("{0}")]
    Unclear(String),
    #[error("drizzle-kit did not confirm the answer; expected the line {expected:?}")]
    NotConfirmed { expected: String },
    #[error("drizzle-kit reads keys, but shows no prompt that this version knows")]
    HiddenPrompt,
}

/// A prompt that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    pub prompt: Prompt,
    /// The answer as it was decided.
    pub answer: Answer,
    /// The choice that Enter was pressed on; none when the prompt was interrupted.
    pub chosen: Option<usize>,
    pub keys: Vec<Key>,
}

/// The state of a run at the terminal.
#[derive(Debug, Default)]
pub struct Session {
    state: State,
    answered: Vec<Answered>,
    consented: bool,
    declined: bool,
    unconfirmed: Option<Confirmation>,
    /// The text printed since the last prompt was closed.
    last_text: Text,
}

#[derive(Debug, Default)]
enum State {
    /// No prompt is open.
    #[default]
    Between,
    /// The cursor is hidden, no choice has been seen yet.
    Opening { text: Text },
    /// The first key was pressed; its redraw tells how many rows the prompt has.
    Probing { text: Text },
    /// A key was pressed; waiting until the screen shows its effect.
    Steering(Steering),
    /// Enter was pressed on the answer.
    Entered(Steering),
    /// Ctrl-C was pressed, or the run is being stopped: nothing is answered any more.
    Leaving,
}

/// A prompt being answered.
#[derive(Debug)]
struct Steering {
    prompt: Prompt,
    lines: Vec<String>,
    answer: Answer,
    target: usize,
    /// The highlight before the last key, and after it.
    was: usize,
    at: usize,
    keys: Vec<Key>,
}

impl Steering {
    fn frame(&self, highlighted: usize) -> Vec<String> {
        prompt::highlighting(&self.lines, highlighted)
    }
}

impl Session {
    /// Time for a prompt to appear, or a key to show its effect. The median is 2 ms and the longest seen on an
    /// overloaded machine 66 ms (drizzle-kit 0.21 to 0.31); beyond this, something is wrong and not slow.
    pub const EFFECT: Patience = Patience::Effect(Duration::from_secs(20));

    /// Takes what happened on the screen and returns what to do. `ask` is called once for each prompt.
    pub fn on(&mut self, event: Event, ask: &mut dyn FnMut(&Prompt) -> Answer) -> Step {
        let step = match (std::mem::take(&mut self.state), event) {
            (State::Leaving, _) => self.go(State::Leaving),
            (state, Event::Progress(_)) => self.go(state),
            (State::Between, Event::Opened(text)) => match self.confirm(&text) {
                Ok(()) => self.go(State::Opening { text }),
                Err(doubt) => Step::Stop(doubt),
            },
            (State::Opening { text }, Event::Frame(frame)) if prompt::shows_choice(&frame.lines) => {
                self.press(State::Probing { text }, Key::Down)
            }
            (state @ (State::Opening { .. } | State::Probing { .. } | State::Entered(_)), Event::Frame(_)) => {
                self.go(state)
            }
            (State::Probing { text }, Event::Redrawn { erased, before, drawn }) => {
                self.read(text, erased, before, drawn, ask)
            }
            (State::Steering(steering), Event::Redrawn { before, drawn, .. }) => {
                if drawn == Drawn::Plainly && before.lines == steering.frame(steering.was) {
                    self.go(State::Steering(steering))
                } else {
                    Step::Stop(Doubt::Changed)
                }
            }
            (State::Steering(steering), Event::Frame(frame)) => {
                if frame.lines == steering.frame(steering.at) {
                    self.steer(steering)
                } else {
                    self.go(State::Steering(steering)) // the redraw has not come whole yet
                }
            }
            (State::Entered(steering), Event::Redrawn { before, .. }) => {
                if before.lines == steering.frame(steering.target) {
                    self.go(State::Entered(steering))
                } else {
                    Step::Stop(Doubt::Changed)
                }
            }
            (State::Entered(steering), Event::Closed) => self.close(steering),
            (_, Event::Opened(_) | Event::Redrawn { .. } | Event::Frame(_) | Event::Closed) => {
                Step::Stop(Doubt::Changed)
            }
        };
        if matches!(step, Step::Stop(_)) {
            self.state = State::Leaving;
        }
        step
    }

    /// Says what it means that nothing happened for as long as [`Patience`] allowed.
    pub fn overdue(&mut self) -> Option<Doubt> {
        let doubt = match &self.state {
            State::Between | State::Leaving => return None,
            State::Opening { .. } => Doubt::NoList,
            State::Probing { .. } | State::Steering(_) | State::Entered(_) => Doubt::NoEffect,
        };
        self.state = State::Leaving;
        Some(doubt)
    }

    /// Takes the text printed after the last prompt, at the end of the output.
    ///
    /// # Errors
    /// When the last answer was not confirmed although the kit went on.
    pub fn finish(&mut self, text: Text) -> Result<(), Doubt> {
        let confirmed = match self.state {
            State::Leaving => Ok(()),
            _ => self.confirm(&text),
        };
        self.last_text = text;
        confirmed
    }

    /// Gives up: no key but Ctrl-C is pressed from here on.
    pub fn leave(&mut self) {
        self.state = State::Leaving;
    }

    /// Returns the prompts answered so far, in their order.
    pub fn answered(&self) -> &[Answered] {
        &self.answered
    }

    /// Tells whether Enter was pressed on a choice that executes statements.
    pub fn consented(&self) -> bool {
        self.consented
    }

    /// Tells whether "No, abort" was chosen or a prompt was interrupted by a refusal.
    pub fn declined(&self) -> bool {
        self.declined
    }

    /// Tells whether a prompt is open.
    pub fn at_prompt(&self) -> bool {
        matches!(self.state, State::Opening { .. } | State::Probing { .. } | State::Steering(_) | State::Entered(_))
    }

    /// Returns the text printed after the last prompt; complete once the output ended.
    pub fn last_text(&self) -> &Text {
        &self.last_text
    }

    fn go(&mut self, state: State) -> Step {
        let patience = match &state {
            State::Between => Patience::Work,
            _ => Session::EFFECT,
        };
        self.state = state;
        Step::Wait(patience)
    }

    fn press(&mut self, state: State, key: Key) -> Step {
        self.state = state;
        Step::Press(key)
    }

    /// Reads the whole frame that the first redraw proved, and decides.
    fn read(
        &mut self,
        text: Text,
        erased: usize,
        before: Frame,
        drawn: Drawn,
        ask: &mut dyn FnMut(&Prompt) -> Answer,
    ) -> Step {
        if drawn == Drawn::WithControls || text.drawn == Drawn::WithControls {
            return Step::Stop(Doubt::Forged);
        }
        if text.n_dropped > 0 {
            return Step::Stop(Doubt::TooLong);
        }
        if before.n_rows != erased {
            return Step::Stop(Doubt::Torn { erased, seen: before.n_rows });
        }
        let prompt = match prompt::read(&before.lines, text.lines, self.n_truncations()) {
            Ok(prompt) => prompt,
            Err(unreadable) => return Step::Stop(unreadable.into()),
        };
        let answer = if self.declined { Answer::Decline } else { ask(&prompt) };
        let n_choices = prompt.choices.len();
        let target = match &answer {
            Answer::Choose(choice) if *choice < n_choices => Some(*choice),
            Answer::Choose(_) | Answer::Unclear(_) => None,
            Answer::Decline => prompt.choices.iter().position(|choice| choice == prompt::ABORT),
        };
        self.declined |= answer == Answer::Decline;
        let keys = vec![Key::Down];
        let Some(target) = target else {
            let unclear = match &answer {
                Answer::Unclear(reason) => Some(Doubt::Unclear(reason.clone())),
                _ => None,
            };
            self.answered.push(Answered { prompt, answer, chosen: None, keys });
            return match unclear {
                Some(doubt) => Step::Stop(doubt),
                None => self.press(State::Leaving, Key::Interrupt),
            };
        };
        let was = prompt.highlighted;
        let at = (was + 1) % n_choices;
        self.go(State::Steering(Steering { prompt, lines: before.lines, answer, target, was, at, keys }))
    }

    /// Presses the next key towards the answer, or Enter when the highlight was seen on it.
    fn steer(&mut self, mut steering: Steering) -> Step {
        let key = match steering.at.cmp(&steering.target) {
            std::cmp::Ordering::Equal => {
                steering.keys.push(Key::Enter);
                self.consented |= consents(&steering.prompt, steering.target);
                return self.press(State::Entered(steering), Key::Enter);
            }
            std::cmp::Ordering::Less => Key::Down,
            std::cmp::Ordering::Greater => Key::Up,
        };
        steering.was = steering.at;
        steering.at = if key == Key::Down { steering.at + 1 } else { steering.at - 1 };
        steering.keys.push(key);
        self.press(State::Steering(steering), key)
    }

    fn close(&mut self, steering: Steering) -> Step {
        let Steering { prompt, answer, target, keys, .. } = steering;
        self.unconfirmed = Confirmation::of(&prompt, target);
        self.answered.push(Answered { prompt, answer, chosen: Some(target), keys });
        self.go(State::Between)
    }

    fn confirm(&mut self, text: &Text) -> Result<(), Doubt> {
        match self.unconfirmed.take() {
            Some(confirmation) if !text.lines.iter().any(|line| confirmation.is(line)) => {
                Err(Doubt::NotConfirmed { expected: confirmation.expected() })
            }
            _ => Ok(()),
        }
    }

    fn n_truncations(&self) -> usize {
        let truncated =
            |answered: &&Answered| matches!(answered.prompt.kind, Kind::Unique(_)) && answered.chosen == Some(TRUNCATE);
        self.answered.iter().filter(truncated).count()
    }
}

/// The choice of the unique question that truncates.
const TRUNCATE: usize = 1;

/// Tells whether a choice lets drizzle-kit execute statements. A prompt that is not known may do so by any choice.
fn consents(prompt: &Prompt, choice: usize) -> bool {
    match prompt.kind {
        Kind::Execute | Kind::DataLoss(_) => prompt.choices[choice] != prompt::ABORT,
        Kind::Unknown | Kind::DropMigration => true,
        Kind::Rename(_) | Kind::Unique(_) => false,
    }
}

/// The line drizzle-kit prints right after an answer about a rename (`cli/views.ts`, all of 0.20 to 0.31).
#[derive(Debug)]
struct Confirmation {
    begins: String,
    ends: String,
}

impl Confirmation {
    fn of(prompt: &Prompt, chosen: usize) -> Option<Confirmation> {
        let Kind::Rename(Rename { entity, name, candidates, .. }) = &prompt.kind else { return None };
        let word = entity.word();
        Some(match chosen.checked_sub(1).and_then(|idx| candidates.get(idx)) {
            // The line names the created entity without its schema.
            None => Confirmation { begins: "+ ".to_owned(), ends: format!("{word} will be created") },
            Some(old) => {
                Confirmation { begins: format!("~ {old} › {name} {word} will be renamed"), ends: String::new() }
            }
        })
    }

    fn is(&self, line: &str) -> bool {
        line.starts_with(&self.begins) && line.ends_with(&self.ends)
    }

    fn expected(&self) -> String {
        match self.ends.as_str() {
            "" => self.begins.clone(),
            ends => format!("{}… {ends}", self.begins),
        }
    }
}
