//! Text for people whose parts may have colours. They are put on at the last door, after what comes from outside was made
//! harmless.

use anstyle::{AnsiColor, Style};

/// What a part of a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    Plain,
    /// Text that is not ours, as a line of a file.
    Quoted,
    /// What stands above the rest.
    Head,
    Refused,
    Allowed,
    Sql,
    /// A line that a file gets.
    Added,
    /// A line that a file loses.
    Removed,
}

impl Paint {
    /// Returns the colour of such a part.
    pub fn style(self) -> Style {
        match self {
            Paint::Plain | Paint::Quoted => Style::new(),
            Paint::Head => Style::new().bold(),
            Paint::Refused => AnsiColor::Red.on_default().bold(),
            Paint::Allowed | Paint::Added => AnsiColor::Green.on_default(),
            Paint::Removed => AnsiColor::Red.on_default(),
            Paint::Sql => AnsiColor::Blue.on_default(),
        }
    }
}

/// A text in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Painted {
    parts: Vec<(Paint, String)>,
}

impl Painted {
    /// Adds a part.
    pub fn add(&mut self, paint: Paint, text: impl Into<String>) {
        self.parts.push((paint, text.into()));
    }

    /// Adds text without a colour.
    pub fn plain(&mut self, text: &str) {
        match self.parts.last_mut() {
            // What is made harmless is made so as a whole.
            Some((Paint::Plain, last)) => last.push_str(text),
            _ => self.add(Paint::Plain, text),
        }
    }

    /// Returns the text with its colours, and each part as `clean` makes it.
    pub fn shown(&self, clean: impl Fn(Paint, &str) -> String) -> String {
        let part = |(paint, text): &(Paint, String)| match paint {
            Paint::Plain | Paint::Quoted => clean(*paint, text),
            paint => format!("{}{}{:#}", paint.style(), clean(*paint, text), paint.style()),
        };
        self.parts.iter().map(part).collect()
    }
}

impl std::fmt::Display for Painted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.parts.iter().try_for_each(|(_, text)| f.write_str(text))
    }
}

impl std::fmt::Write for Painted {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.plain(text);
        Ok(())
    }
}
