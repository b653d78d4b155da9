//! Reads a recording as the driver reads a terminal: the same screen, the same prompts, the same judgement.
//! Pure: events in, observations out. The keys of a recording were pressed by somebody else, so they are only watched.

use crate::kit::prompt::{self, Prompt};
use crate::kit::session::{Doubt, read_proved};
use crate::term::screen::{Event, Text};

/// What a recording shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observation {
    /// A whole prompt.
    Asked(Prompt),
    /// A prompt that could not be trusted.
    Doubted(Doubt),
    /// The last prompt was closed with this choice highlighted.
    Answered(usize),
}

/// Follows a recording.
#[derive(Debug, Default)]
pub struct Observer {
    open: Option<Open>,
    n_truncations: usize,
}

#[derive(Debug)]
enum Open {
    /// The prompt's frame has not been proved whole yet.
    Unread(Text),
    Read {
        prompt: Prompt,
        highlighted: usize,
    },
    /// It was doubted; nothing more is made of it.
    Lost,
}

impl Observer {
    /// Tells whether a prompt was opened and not closed.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes what happened on the screen and returns what it means.
    pub fn on(&mut self, event: Event) -> Option<Observation> {
        match (self.open.take(), event) {
            (_, Event::Opened(text)) => {
                self.open = Some(Open::Unread(text));
                None
            }
            (Some(Open::Unread(text)), Event::Redrawn { erased, before, drawn }) => {
                Some(match read_proved(text, erased, &before, drawn, self.n_truncations) {
                    Ok(prompt) => {
                        let highlighted = prompt.highlighted;
                        self.open = Some(Open::Read { prompt: prompt.clone(), highlighted });
                        Observation::Asked(prompt)
                    }
                    Err(doubt) => {
                        self.open = Some(Open::Lost);
                        Observation::Doubted(doubt)
                    }
                })
            }
            (Some(Open::Read { prompt, .. }), Event::Redrawn { before, .. }) => {
                self.open = Some(match prompt::highlighted(&before.lines) {
                    Some(highlighted) => Open::Read { prompt, highlighted },
                    None => Open::Lost,
                });
                None
            }
            (Some(Open::Read { prompt, highlighted }), Event::Closed) => {
                if matches!(prompt.kind, prompt::Kind::Unique(_)) && highlighted == 1 {
                    self.n_truncations += 1;
                }
                Some(Observation::Answered(highlighted))
            }
            (open, _) => {
                self.open = open;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::term::screen::{Drawn, Frame};

    #[test]
    fn a_prompt_after_text_that_was_not_kept_whole_is_doubted_as_in_a_run() {
        let question = "Is new table created or renamed from another table?";
        let lines = ["", question, "❯ + new           create table", "  ~ old › new rename table"];
        let frame = Frame { lines: lines.map(str::to_owned).to_vec(), n_rows: 4 };
        let observed = |text: Text| {
            let mut observer = Observer::default();
            assert_eq!(observer.on(Event::Opened(text)), None);
            observer.on(Event::Redrawn { erased: 4, before: frame.clone(), drawn: Drawn::Plainly })
        };
        assert!(matches!(observed(Text::default()), Some(Observation::Asked(_))));
        let cut = Text { n_dropped: 1, ..Text::default() };
        assert_eq!(observed(cut), Some(Observation::Doubted(Doubt::TooLong)));
    }
}
