//! The decisions at the terminal against a prompt that draws and hears badly. From bytes to keys, without a process.

use std::cell::Cell;
use std::collections::VecDeque;

use drizzle_pilot::kit::session::{Answer, Session, Step};
use drizzle_pilot::term::screen::Event;
use drizzle_pilot::term::{Key, Screen};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::kit::{consent, rename_column, rename_table};
use crate::support::list::{self, ABORT};
use crate::support::script::Menu;

/// What goes wrong with one drawing: 0 is the first frame, `n` what follows the `n`th key.
#[derive(Debug, Clone)]
enum Mischief {
    /// It never comes.
    Lost,
    /// Only this part of it comes, in hundredths.
    Torn(usize),
    /// It comes twice.
    Twice,
    /// Something else comes in the middle of it, at this part.
    Mixed(usize, &'static str),
    /// The key before it is not heard, and nothing is drawn.
    Unheard,
    /// The key before it is not heard, and the list is drawn as it was.
    Unmoved,
    /// The key before it counts twice, and the list is drawn as it is then.
    Skipped,
}

/// A prompt, and what came of it.
struct Prompt {
    menu: Menu,
    highlighted: usize,
    entered: Option<usize>,
    interrupted: bool,
}

impl Prompt {
    fn frame(&self) -> String {
        list::frame(&self.menu.question, &self.menu.choices, &[self.highlighted]).replace('\n', "\r\n")
    }

    fn erase(&self) -> String {
        list::erase(1 + self.frame().matches("\r\n").count())
    }

    /// Hears a key, and returns what it draws then.
    fn hear(&mut self, key: Key) -> String {
        let erase = self.erase();
        let n_choices = self.menu.choices.len();
        match key {
            Key::Up => self.highlighted = list::above(self.highlighted, n_choices),
            Key::Down => self.highlighted = list::below(self.highlighted, n_choices),
            Key::Enter => {
                self.entered = Some(self.highlighted);
                let confirm = self.menu.confirm.get(self.highlighted).cloned().unwrap_or_default();
                return format!("{erase}\x1b[?25h{confirm}\r\n");
            }
            Key::Interrupt => {
                self.interrupted = true;
                return format!("{erase}{}\x1b[?25h\r\n^C\r\n", self.frame());
            }
        }
        format!("{erase}{}", self.frame())
    }
}

/// What came of a run.
struct Came {
    prompt: Prompt,
    keys: Vec<Key>,
    last: Step,
}

/// Lets a session answer a prompt until it has nothing more to hear. Output comes in pieces of that many bytes.
fn fly(menu: Menu, answer: &Answer, at: usize, mischief: Option<&Mischief>, piece: usize) -> Came {
    let mut session = Session::default();
    let mut screen = Screen::default();
    let mut prompt = Prompt { highlighted: menu.highlighted, menu, entered: None, interrupted: false };
    let mut coming: VecDeque<u8> = spoil(format!("\x1b[?25l{}", prompt.frame()), mischief.filter(|_| at == 0)).into();
    let mut keys: Vec<Key> = Vec::new();
    let mut last = Step::Wait(Session::EFFECT);
    // Whether the screen began to show an effect of the last key.
    let mut was_shown = true;
    while !coming.is_empty() {
        let bytes: Vec<u8> = coming.drain(..piece.min(coming.len())).collect();
        let mut events = Vec::new();
        screen.feed(&bytes, |event| events.push(event));
        for event in events {
            was_shown |= matches!(event, Event::Redrawn { .. });
            let step = session.on(event, &mut |_| answer.clone());
            if matches!(last, Step::Stop(_)) {
                assert!(!matches!(step, Step::Press(_)), "a key was pressed after the run was stopped");
                continue;
            }
            last = step;
            let Step::Press(key) = last else { continue };
            assert!(was_shown || key == Key::Interrupt, "{key:?} was pressed before {keys:?} had an effect");
            was_shown = false;
            keys.push(key);
            let mischief = mischief.filter(|_| at == keys.len());
            let drawn = match mischief {
                Some(Mischief::Unheard) => continue,
                Some(Mischief::Unmoved) => format!("{}{}", prompt.erase(), prompt.frame()),
                Some(Mischief::Skipped) if key != Key::Enter => {
                    let erase = prompt.erase();
                    prompt.hear(key);
                    prompt.hear(key);
                    format!("{erase}{}", prompt.frame())
                }
                _ => prompt.hear(key),
            };
            coming.extend(spoil(drawn, mischief));
        }
    }
    Came { prompt, keys, last }
}

fn spoil(drawn: String, mischief: Option<&Mischief>) -> Vec<u8> {
    let part = |hundredths: usize| drawn.len() * hundredths / 100;
    let bytes = drawn.as_bytes();
    match mischief {
        Some(Mischief::Lost) => Vec::new(),
        Some(Mischief::Torn(hundredths)) => bytes[..part(*hundredths)].to_vec(),
        Some(Mischief::Twice) => bytes.repeat(2),
        Some(Mischief::Mixed(hundredths, other)) => {
            let (before, after) = bytes.split_at(part(*hundredths));
            [before, other.as_bytes(), after].concat()
        }
        Some(Mischief::Unheard | Mischief::Unmoved | Mischief::Skipped) | None => bytes.to_vec(),
    }
}

fn menu() -> impl Strategy<Value = Menu> {
    let olds = prop::collection::hash_set("[a-z]{1,9}", 0..12);
    let table = olds.clone().prop_map(|olds| rename_table("new", &olds.iter().map(String::as_str).collect::<Vec<_>>()));
    let column =
        olds.prop_map(|olds| rename_column("users", "new", &olds.iter().map(String::as_str).collect::<Vec<_>>()));
    let last = Just(consent("Yes, I want to execute all statements"));
    prop_oneof![table, column, last]
}

fn mischief() -> impl Strategy<Value = Mischief> {
    let other = prop::sample::select(vec![
        "x",
        " ",
        "\r",
        "\r\n",
        "\x1b[2K",
        "\x1b[1A",
        "\x1b[G",
        "\x1b[?25l",
        "\x1b[?25h",
        "\x1b[H",
        "\x1b[2J",
        "❯ ",
        "\r\n❯ ",
        "\x1b[2K\x1b[G",
        "\x1b[?25h\x1b[?25l",
        "\x1b",
        "\x1b[",
        "\x18",
        "\u{9b}",
        "[✓] Changes applied\r\n",
    ]);
    prop_oneof![
        Just(Mischief::Lost),
        (0..100_usize).prop_map(Mischief::Torn),
        Just(Mischief::Twice),
        (0..=100_usize, other).prop_map(|(at, other)| Mischief::Mixed(at, other)),
        Just(Mischief::Unheard),
        Just(Mischief::Unmoved),
        Just(Mischief::Skipped),
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// However the bytes are cut, every choice is reached, and nothing is pressed twice.
    #[test]
    fn the_answer_is_entered(menu in menu(), choice in any::<prop::sample::Index>(), piece in 1..80_usize) {
        let choice = choice.index(menu.choices.len());
        let came = fly(menu, &Answer::Choose(choice), 0, None, piece);
        prop_assert_eq!(came.prompt.entered, Some(choice));
        prop_assert_eq!(came.keys.iter().filter(|key| **key == Key::Enter).count(), 1);
        prop_assert!(!came.prompt.interrupted && !matches!(came.last, Step::Stop(_)), "{:?}", came.last);
    }

    /// A refusal ends on "No, abort" or with Ctrl-C, whatever goes wrong, and never on another choice.
    #[test]
    fn a_refusal_never_consents(menu in menu(), at in 0..8_usize, mischief in mischief(), piece in 1..200_usize) {
        let declines = menu.choices.iter().position(|choice| choice == ABORT);
        for mischief in [None, Some(&mischief)] {
            let came = fly(menu.clone(), &Answer::Decline, at, mischief, piece);
            prop_assert!(came.prompt.entered.is_none() || came.prompt.entered == declines, "{:?}", came.keys);
            if mischief.is_none() {
                prop_assert_eq!((came.prompt.entered, came.prompt.interrupted), (declines, declines.is_none()));
            }
        }
    }

    /// A prompt that is called unclear gets the key that probes it, and none after that.
    #[test]
    fn an_unclear_prompt_is_left_alone(menu in menu(), piece in 1..200_usize) {
        let came = fly(menu, &Answer::Unclear("two readings".to_owned()), 0, None, piece);
        prop_assert_eq!((came.keys.as_slice(), came.prompt.entered), (&[Key::Down][..], None));
        prop_assert!(matches!(came.last, Step::Stop(_)), "{:?}", came.last);
    }
}

/// Whatever goes wrong on the way, Enter comes on the answer or not at all.
#[test]
fn nothing_else_is_ever_entered() {
    let (n_entered, n_stopped) = (Cell::new(0), Cell::new(0));
    let flights = (menu(), any::<prop::sample::Index>(), 0..8_usize, mischief(), 1..200_usize);
    let held = TestRunner::new(config()).run(&flights, |(menu, choice, at, mischief, piece)| {
        let choice = choice.index(menu.choices.len());
        let came = fly(menu, &Answer::Choose(choice), at, Some(&mischief), piece);
        prop_assert!(came.keys.iter().filter(|key| **key == Key::Enter).count() <= 1);
        // The mischief was done, and something was entered all the same.
        let was_spoiled = at <= came.keys.len();
        match came.prompt.entered {
            Some(entered) => {
                prop_assert_eq!(entered, choice, "{:?}", came.keys);
                n_entered.set(n_entered.get() + u32::from(was_spoiled));
            }
            None => n_stopped.set(n_stopped.get() + u32::from(was_spoiled)),
        }
        Ok(())
    });
    held.unwrap_or_else(|error| panic!("{error}"));
    assert!(n_entered.get() >= 20 && n_stopped.get() >= 20, "{n_entered:?} entered, {n_stopped:?} stopped");
}
