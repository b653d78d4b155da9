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
    #[error("drizzle-kit waits for input other than a list of choices")]
    NoList,
    #[error("the prompt did not react to a key")]
    NoEffect,
    #[error("the prompt has {erased} rows, but {seen} were seen")]
    Torn { erased: usize, seen: usize },
    #[error("the prompt changed in a way that no key press explains")]
    Changed,
    #[error("the output contains control sequences that could forge the screen")]
    Forged,
    #[error("the output before the question is too long to read completely")]
    TooLong,
    #[error(transparent)]
    Unreadable(#[from] prompt::Unreadable),
    #[error("{0}")]
    Unclear(String),
    #[error("drizzle-kit did not confirm the answer; expected the line {expected:?}")]
    NotConfirmed { expected: String },
    #[error("drizzle-kit reads keys, but shows no prompt known to this version")]
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

/// What a run at the terminal came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The prompts answered, in their order.
    pub answered: Vec<Answered>,
    /// Whether Enter was pressed on a choice that executes statements.
    pub consented: bool,
    /// Whether "No, abort" was chosen or a prompt was interrupted by a refusal.
    pub declined: bool,
    /// The text printed after the last prompt; complete once the output ended.
    pub last_text: Text,
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
    /// Whether the redraw that the last key caused has begun. A second one was caused by no key.
    redrawn: bool,
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
                let explained = !steering.redrawn && before.lines == steering.frame(steering.was);
                if drawn == Drawn::Plainly && explained {
                    self.go(State::Steering(Steering { redrawn: true, ..steering }))
                } else {
                    Step::Stop(Doubt::Changed)
                }
            }
            (State::Steering(steering), Event::Frame(frame)) => {
                // The effect of a key begins with a redraw. Rows that only look right were drawn by something else.
                if steering.redrawn && frame.lines == steering.frame(steering.at) {
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
            State::Between => return None,
            State::Opening { .. } => Doubt::NoList,
            State::Probing { .. } | State::Steering(_) | State::Entered(_) | State::Leaving => Doubt::NoEffect,
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

    /// Ends the run, and returns what was seen.
    pub fn end(self) -> Seen {
        let Session { answered, consented, declined, last_text, .. } = self;
        Seen { answered, consented, declined, last_text }
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
        let prompt = match read_proved(text, erased, &before, drawn, self.n_truncations()) {
            Ok(prompt) => prompt,
            Err(doubt) => return Step::Stop(doubt),
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
        self.go(State::Steering(Steering { prompt, lines: before.lines, answer, target, was, at, redrawn: true, keys }))
    }

    /// Presses the next key towards the answer, or Enter when the highlight was seen on it.
    fn steer(&mut self, mut steering: Steering) -> Step {
        if steering.at == steering.target {
            steering.keys.push(Key::Enter);
            self.consented |= consents(&steering.prompt, steering.target);
            return self.press(State::Entered(steering), Key::Enter);
        }
        // The list wraps around at both ends (hanji 0.0.5 to 0.0.8), so no answer is further away than half of it.
        let n_choices = steering.prompt.choices.len();
        let n_down = (steering.target + n_choices - steering.at) % n_choices;
        let n_up = n_choices - n_down;
        let goes_down = n_down < n_up || (n_down == n_up && steering.at < steering.target);
        let (key, n_rows) = if goes_down { (Key::Down, 1) } else { (Key::Up, n_choices - 1) };
        steering.was = steering.at;
        steering.at = (steering.at + n_rows) % n_choices;
        steering.redrawn = false;
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

/// Reads the prompt whose frame the first redraw proved, given the text before it.
///
/// # Errors
/// With the doubt, where the frame, the redraw or the text cannot be trusted.
pub(super) fn read_proved(
    text: Text,
    erased: usize,
    before: &Frame,
    drawn: Drawn,
    n_truncations: usize,
) -> Result<Prompt, Doubt> {
    if drawn == Drawn::WithControls || text.drawn == Drawn::WithControls {
        return Err(Doubt::Forged);
    }
    if text.n_dropped > 0 {
        return Err(Doubt::TooLong);
    }
    if before.n_rows != erased {
        return Err(Doubt::Torn { erased, seen: before.n_rows });
    }
    Ok(prompt::read(&before.lines, text, n_truncations)?)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    /// A list as drizzle-kit draws it.
    #[derive(Clone)]
    struct List {
        question: &'static str,
        choices: Vec<String>,
        highlighted: usize,
    }

    impl List {
        fn renames(n_old: usize) -> List {
            let old = (0..n_old).map(|idx| format!("~ old_{idx} › new rename table"));
            let choices = std::iter::once("+ new           create table".to_owned()).chain(old).collect();
            List { question: "Is new table created or renamed from another table?", choices, highlighted: 0 }
        }

        fn consent() -> List {
            let choices = vec![prompt::ABORT.to_owned(), "Yes, I want to execute all statements".to_owned()];
            List { question: "", choices, highlighted: 0 }
        }

        fn frame(&self) -> Frame {
            let question = [String::new(), self.question.to_owned()];
            let question = question.into_iter().filter(|_| !self.question.is_empty());
            let rows = self.choices.iter().enumerate().map(|(idx, choice)| {
                format!("{}{choice}", if idx == self.highlighted { prompt::MARKER } else { "  " })
            });
            let lines: Vec<String> = question.chain(rows).collect();
            Frame { n_rows: lines.len(), lines }
        }

        /// Does what hanji does with a key, and returns what the screen makes of it.
        fn press(&mut self, key: Key) -> Vec<Event> {
            let before = self.frame();
            let wiped = Event::Redrawn { erased: before.n_rows, before, drawn: Drawn::Plainly };
            let n = self.choices.len();
            match key {
                Key::Down => self.highlighted = (self.highlighted + 1) % n,
                Key::Up => self.highlighted = (self.highlighted + n - 1) % n,
                Key::Enter => return vec![wiped, Event::Closed],
                Key::Interrupt => return Vec::new(),
            }
            vec![wiped, Event::Frame(self.frame())]
        }
    }

    /// Lets a session answer a list, and returns the last step and the keys it pressed.
    fn answer(session: &mut Session, list: &mut List, answer: &Answer) -> (Step, Vec<Key>) {
        let mut events = std::collections::VecDeque::from([Event::Opened(Text::default()), Event::Frame(list.frame())]);
        let mut keys = Vec::new();
        let mut last = Step::Wait(Patience::Work);
        while let Some(event) = events.pop_front() {
            last = session.on(event, &mut |_| answer.clone());
            if let Step::Press(key) = last {
                keys.push(key);
                events.extend(list.press(key));
            }
        }
        (last, keys)
    }

    fn text(line: &str) -> Text {
        Text { lines: vec![line.to_owned()], ..Text::default() }
    }

    #[test]
    fn every_choice_of_a_long_list_is_reached_and_confirmed() {
        for target in (0..=300).step_by(50) {
            let (mut session, mut list) = (Session::default(), List::renames(300));
            let (_, keys) = answer(&mut session, &mut list, &Answer::Choose(target));
            assert_eq!(list.highlighted, target);
            assert_eq!(keys.last(), Some(&Key::Enter));
            assert_eq!(keys.iter().filter(|key| **key == Key::Enter).count(), 1);
            assert!(!session.consented(), "a rename executes nothing");
            let confirmed = match target.checked_sub(1) {
                Some(old) => format!("~ old_{old} › new table will be renamed/moved"),
                None => "+ new table will be created".to_owned(),
            };
            assert_eq!(session.finish(text(&confirmed)), Ok(()));
        }
    }

    #[test]
    fn a_single_choice_is_answered_although_the_highlight_cannot_move() {
        let (mut session, mut list) = (Session::default(), List::renames(0));
        let (_, keys) = answer(&mut session, &mut list, &Answer::Choose(0));
        assert_eq!(keys, [Key::Down, Key::Enter]);
    }

    #[test]
    fn refusing_picks_no_abort_and_consents_to_nothing() {
        let (mut session, mut list) = (Session::default(), List::consent());
        let (_, keys) = answer(&mut session, &mut list, &Answer::Decline);
        assert_eq!((keys.as_slice(), list.highlighted), ([Key::Down, Key::Up, Key::Enter].as_slice(), 0));
        assert!(session.declined() && !session.consented());
    }

    #[test]
    fn refusing_where_nothing_can_be_declined_is_ctrl_c() {
        let (mut session, mut list) = (Session::default(), List::renames(3));
        let (_, keys) = answer(&mut session, &mut list, &Answer::Decline);
        assert_eq!(keys, [Key::Down, Key::Interrupt]);
        assert!(session.declined());
    }

    #[test]
    fn a_ctrl_c_without_effect_is_doubted_like_every_other_key() {
        let (mut session, mut list) = (Session::default(), List::renames(3));
        let (last, keys) = answer(&mut session, &mut list, &Answer::Decline);
        assert_eq!((last, keys.last()), (Step::Wait(Session::EFFECT), Some(&Key::Interrupt)));
        assert_eq!(session.overdue(), Some(Doubt::NoEffect));
    }

    #[test]
    fn after_a_refusal_nothing_else_is_approved() {
        let (mut session, mut list) = (Session::default(), List::consent());
        answer(&mut session, &mut list, &Answer::Decline);
        let mut again = List::consent();
        answer(&mut session, &mut again, &Answer::Choose(1));
        assert!(!session.consented());
        assert_eq!(again.highlighted, 0);
    }

    /// Consent counts from the moment Enter is to be pressed: what happens to the key and after it may never be seen.
    #[test]
    fn consent_is_known_before_anything_can_fail() {
        let (mut session, mut list) = (Session::default(), List::consent());
        let mut events = std::collections::VecDeque::from([Event::Opened(Text::default()), Event::Frame(list.frame())]);
        let mut keys = Vec::new();
        while let Some(event) = events.pop_front() {
            assert!(!session.consented(), "after {keys:?}");
            let Step::Press(key) = session.on(event, &mut |_| Answer::Choose(1)) else { continue };
            keys.push(key);
            if key == Key::Enter {
                break;
            }
            events.extend(list.press(key));
        }
        assert_eq!((keys.as_slice(), session.consented()), ([Key::Down, Key::Enter].as_slice(), true));
    }

    #[test]
    fn an_answer_that_is_not_confirmed_is_doubted() {
        let (mut session, mut list) = (Session::default(), List::renames(2));
        answer(&mut session, &mut list, &Answer::Choose(1));
        let error = session.finish(text("~ old_1 › new table will be renamed/moved"));
        assert_eq!(error, Err(Doubt::NotConfirmed { expected: "~ old_0 › new table will be renamed".to_owned() }));
    }

    /// Feeds events after the first key, which was pressed at the sight of a whole list. Returns the last step, or the
    /// one that stopped the run.
    fn after_probe(events: Vec<Event>) -> Step {
        after_probe_choosing(1, events)
    }

    fn after_probe_choosing(choice: usize, events: Vec<Event>) -> Step {
        let list = List::renames(2);
        let mut session = Session::default();
        let mut choose = |_: &Prompt| Answer::Choose(choice);
        session.on(Event::Opened(Text::default()), &mut choose);
        let probe = session.on(Event::Frame(list.frame()), &mut choose);
        assert_eq!(probe, Step::Press(Key::Down));
        let mut steps = events.into_iter().map(|event| session.on(event, &mut choose));
        let mut last = steps.next().expect("there is an event");
        while !matches!(last, Step::Stop(_))
            && let Some(step) = steps.next()
        {
            last = step;
        }
        last
    }

    #[test]
    fn what_cannot_be_trusted_stops_the_run() {
        let before = List::renames(2).frame();
        let redrawn = |erased, drawn| Event::Redrawn { erased, before: before.clone(), drawn };
        let torn = after_probe(vec![redrawn(7, Drawn::Plainly)]);
        assert_eq!(torn, Step::Stop(Doubt::Torn { erased: 7, seen: 5 }));
        assert_eq!(after_probe(vec![redrawn(5, Drawn::WithControls)]), Step::Stop(Doubt::Forged));
        assert_eq!(after_probe(vec![Event::Closed]), Step::Stop(Doubt::Changed));
        assert_eq!(after_probe(vec![Event::Opened(Text::default())]), Step::Stop(Doubt::Changed));
        let spontaneous = vec![redrawn(5, Drawn::Plainly), redrawn(5, Drawn::Plainly), redrawn(5, Drawn::Plainly)];
        assert_eq!(after_probe(spontaneous), Step::Stop(Doubt::Changed));
    }

    #[test]
    fn text_that_was_not_kept_whole_is_too_long_to_answer() {
        for (n_dropped, expected) in [(0, Step::Wait(Session::EFFECT)), (1, Step::Stop(Doubt::TooLong))] {
            let list = List::renames(2);
            let mut session = Session::default();
            session.on(Event::Opened(Text { n_dropped, ..Text::default() }), &mut |_| Answer::Choose(1));
            session.on(Event::Frame(list.frame()), &mut |_| Answer::Choose(1));
            let redrawn = Event::Redrawn { erased: 5, before: list.frame(), drawn: Drawn::Plainly };
            assert_eq!(session.on(redrawn, &mut |_| Answer::Choose(1)), expected, "{n_dropped}");
        }
    }

    #[test]
    fn a_redraw_that_is_not_the_expected_one_is_waited_for_and_never_entered() {
        let before = List::renames(2).frame();
        let redrawn = Event::Redrawn { erased: 5, before: before.clone(), drawn: Drawn::Plainly };
        let mut moved = List { highlighted: 1, ..List::renames(2) }.frame();
        moved.lines.pop();
        let half = after_probe(vec![redrawn.clone(), Event::Frame(moved)]);
        assert!(matches!(half, Step::Wait(_)), "{half:?}");
        let unmoved = after_probe(vec![redrawn.clone(), Event::Frame(before)]);
        assert!(matches!(unmoved, Step::Wait(_)), "{unmoved:?}");
        let wrong = List { highlighted: 2, ..List::renames(2) }.frame();
        let wrong = after_probe(vec![redrawn, Event::Frame(wrong)]);
        assert!(matches!(wrong, Step::Wait(_)), "{wrong:?}");
    }

    /// A broken erase sequence leaves no redraw to be seen, and what is drawn over the old rows may look right.
    #[test]
    fn rows_that_look_right_without_a_redraw_are_no_effect() {
        let frame = |highlighted| List { highlighted, ..List::renames(2) }.frame();
        let redrawn = |highlighted| Event::Redrawn { erased: 5, before: frame(highlighted), drawn: Drawn::Plainly };
        let shown = |highlighted| Event::Frame(frame(highlighted));
        let second = after_probe_choosing(2, vec![redrawn(0), shown(1)]);
        assert_eq!(second, Step::Press(Key::Down));
        let unexplained = after_probe_choosing(2, vec![redrawn(0), shown(1), shown(2)]);
        assert!(matches!(unexplained, Step::Wait(_)), "{unexplained:?}");
        let explained = after_probe_choosing(2, vec![redrawn(0), shown(1), redrawn(1), shown(2)]);
        assert_eq!(explained, Step::Press(Key::Enter));
    }

    fn events() -> impl Strategy<Value = Event> {
        let frame = (0..4_usize, 0..4_usize, any::<bool>()).prop_map(|(n_old, highlighted, cut)| {
            let mut frame = List { highlighted, ..List::renames(n_old) }.frame();
            if cut {
                frame.lines.pop();
            }
            frame
        });
        let redrawn = (frame.clone(), 0..7_usize, any::<bool>()).prop_map(|(before, erased, plainly)| {
            let drawn = if plainly { Drawn::Plainly } else { Drawn::WithControls };
            Event::Redrawn { erased, before, drawn }
        });
        prop_oneof![
            Just(Event::Opened(Text::default())),
            Just(Event::Closed),
            frame.prop_map(Event::Frame),
            redrawn,
            Just(Event::Progress("[⣷] Pulling schema from database...".to_owned())),
        ]
    }

    /// A list that answers every key, with strange events in between.
    #[test]
    fn enter_follows_only_the_sight_of_the_highlight_on_the_answer() {
        let n_entered = std::cell::Cell::new(0);
        let strange = prop_oneof![15 => Just(None), 1 => events().prop_map(Some)];
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let held =
            TestRunner::new(config).run(&(prop::collection::vec(strange, 1..60), 0..4_usize), |(strange, target)| {
                let (mut session, mut list) = (Session::default(), List::renames(3));
                let mut coming =
                    std::collections::VecDeque::from([Event::Opened(Text::default()), Event::Frame(list.frame())]);
                for event in strange {
                    let Some(event) = event.or_else(|| coming.pop_front()) else { break };
                    let seen = match &event {
                        Event::Frame(frame) => prompt::highlighted(&frame.lines),
                        _ => None,
                    };
                    let Step::Press(key) = session.on(event, &mut |_| Answer::Choose(target)) else { continue };
                    coming.extend(list.press(key));
                    if key == Key::Enter {
                        n_entered.set(n_entered.get() + 1);
                        prop_assert_eq!(seen, Some(target));
                    }
                }
                Ok(())
            });
        held.unwrap_or_else(|error| panic!("{error}"));
        assert!(n_entered.get() >= 50, "Enter was pressed {} times", n_entered.get());
    }
}
