//! What a recording shows, picture by picture, so that a player need not understand a terminal. Pure.

use std::io::BufRead;
use std::num::NonZeroU16;

use serde::Serialize;

use crate::term::Key;
use crate::term::screen::{COLUMNS, ROWS};
use crate::term::transcript::{Piece, ReadError, Reader};

/// Output that comes within so many seconds is one picture.
const TOGETHER: f64 = 0.03;
/// Rows that are looked at in all: what a program prints must not decide how large a page becomes.
const MOST_ROWS: usize = 100_000;
/// Rows of a screen at its start. It grows, as long as the terminal it was recorded from would not have scrolled.
const FIRST_ROWS: u16 = 40;

/// A recording as pictures.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Frames {
    pub title: String,
    pub pictures: Vec<Picture>,
    /// When a key was pressed, in seconds from the start, and which.
    pub keys: Vec<(f64, String)>,
    pub seconds: f64,
    /// Whether the recording goes on after the last picture.
    pub is_cut: bool,
}

/// What differs from the picture before.
#[derive(Debug, Clone, Serialize)]
pub struct Picture {
    /// Seconds from the start.
    pub at: f64,
    /// Rows up to the last that is not empty.
    pub n_rows: usize,
    /// The rows that differ.
    pub rows: Vec<(usize, Row)>,
}

/// A row of the screen, without the blanks at its end.
pub type Row = Vec<Run>;

/// Text of one style: the names of its traits with blanks between them, as in `bold fg2`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Run(pub String, pub String);

impl Frames {
    /// Develops a recording.
    ///
    /// # Errors
    /// When it is not asciicast v2.
    pub fn of(from: impl BufRead) -> Result<Frames, ReadError> {
        let mut reader = Reader::open(from)?;
        let title = [&reader.header.command, &reader.header.title].into_iter().flatten().next();
        let mut frames = Frames { title: title.cloned().unwrap_or_default(), ..Frames::default() };
        let mut camera = Camera::new(u16::try_from(reader.header.width).ok());
        let mut undeveloped: Option<f64> = None;
        while let Some(piece) = reader.next() {
            let piece = piece?;
            let now = reader.seconds;
            // What stood there when a key was pressed is why it was pressed.
            let is_over = |since: f64| now - since > TOGETHER || matches!(piece, Piece::Keys(_));
            if let Some(since) = undeveloped.take_if(|since| is_over(*since)) {
                frames.pictures.extend(camera.shoot(since));
            }
            if camera.n_looked > MOST_ROWS {
                frames.is_cut = true;
                break;
            }
            frames.seconds = now;
            match piece {
                Piece::Output(text) => {
                    camera.draw(text.as_bytes());
                    undeveloped.get_or_insert(now);
                }
                Piece::Keys(bytes) => {
                    frames.keys.extend(keys(bytes.as_bytes()).map(|key| (now, key.name().to_owned())))
                }
            }
        }
        if let Some(since) = undeveloped {
            frames.pictures.extend(camera.shoot(since));
        }
        Ok(frames)
    }

    /// Returns the frames with every text as it may be shown.
    #[must_use]
    pub fn cleaned(mut self, clean: impl Fn(&str) -> String) -> Frames {
        self.title = clean(&self.title);
        for run in self.pictures.iter_mut().flat_map(|picture| &mut picture.rows).flat_map(|(_, row)| row) {
            run.0 = clean(&run.0);
        }
        self
    }

    /// Returns what stands on the screen at the end.
    pub fn last_text(&self) -> String {
        let n_rows = self.pictures.last().map_or(0, |picture| picture.n_rows);
        let mut lines = vec![String::new(); n_rows];
        for (row_idx, row) in self.pictures.iter().flat_map(|picture| &picture.rows) {
            if let Some(line) = lines.get_mut(*row_idx) {
                *line = row.iter().map(|run| run.0.as_str()).collect();
            }
        }
        lines.join("\n")
    }
}

/// Returns the keys that were pressed. Whoever typed something else while it was recorded is not quoted.
fn keys(mut bytes: &[u8]) -> impl Iterator<Item = Key> {
    std::iter::from_fn(move || {
        while !bytes.is_empty() {
            let known = [Key::Up, Key::Down, Key::Enter, Key::Interrupt];
            let pressed = known.into_iter().find(|key| bytes.starts_with(key.bytes()));
            bytes = &bytes[pressed.map_or(1, |key| key.bytes().len())..];
            if pressed.is_some() {
                return pressed;
            }
        }
        None
    })
}

/// A screen, and the last picture of it.
struct Camera {
    parser: vt100::Parser,
    columns: NonZeroU16,
    /// No row below this one was ever written to.
    lowest: u16,
    last: Vec<Row>,
    n_looked: usize,
}

impl Camera {
    fn new(columns: Option<u16>) -> Camera {
        let columns = columns.and_then(NonZeroU16::new).or(NonZeroU16::new(COLUMNS));
        let columns = columns.expect("the width is a constant above zero");
        let rows = NonZeroU16::new(FIRST_ROWS).expect("the height is a constant above zero");
        Camera { parser: vt100::Parser::new(rows, columns, 0), columns, lowest: 0, last: Vec::new(), n_looked: 0 }
    }

    fn draw(&mut self, bytes: &[u8]) {
        let n_newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
        let (row, _) = self.parser.screen().cursor_position();
        let needed = usize::from(row) + n_newlines + bytes.len() / usize::from(self.columns.get()) + 2;
        let needed = u16::try_from(needed).unwrap_or(ROWS).min(ROWS);
        let (height, width) = self.parser.screen().size();
        if needed > height.get() {
            let grown = needed.max(height.get().saturating_mul(2).min(ROWS));
            let grown = NonZeroU16::new(grown).expect("it exceeds the old height");
            self.parser.screen_mut().set_size(grown, width);
        }
        self.lowest = self.lowest.max(needed);
        self.parser.process(bytes);
    }

    /// Takes a picture, if there is something new.
    fn shoot(&mut self, at: f64) -> Option<Picture> {
        let height = self.parser.screen().size().0.get().min(self.lowest.saturating_add(1));
        self.n_looked += usize::from(height);
        let mut now: Vec<Row> = (0..height).map(|row| self.row(row)).collect();
        now.truncate(now.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1));
        let n_before = self.last.len();
        self.last.resize(n_before.max(now.len()), Row::new());
        let differs = now.iter().zip(&self.last).enumerate().filter(|(_, (now, last))| now != last);
        let rows: Vec<(usize, Row)> = differs.map(|(row_idx, (now, _))| (row_idx, now.clone())).collect();
        let is_new = !rows.is_empty() || n_before != now.len();
        let picture = Picture { at, n_rows: now.len(), rows };
        self.last = now;
        is_new.then_some(picture)
    }

    fn row(&self, row: u16) -> Row {
        let screen = self.parser.screen();
        let cells = (0..self.columns.get()).map_while(|column| screen.cell(row, column));
        let mut runs = Row::new();
        let mut n_blanks = 0;
        for cell in cells.filter(|cell| !cell.is_wide_continuation()) {
            let style = style(cell);
            // A blank without a style is one at the end of the row, unless something follows.
            if (!cell.has_contents() || cell.contents() == " ") && style.is_empty() {
                n_blanks += 1;
                continue;
            }
            if n_blanks > 0 {
                push(&mut runs, &" ".repeat(std::mem::take(&mut n_blanks)), String::new());
            }
            push(&mut runs, if cell.has_contents() { cell.contents() } else { " " }, style);
        }
        runs
    }
}

fn push(runs: &mut Row, text: &str, style: String) {
    match runs.last_mut() {
        Some(run) if run.1 == style => run.0 += text,
        _ => runs.push(Run(text.to_owned(), style)),
    }
}

/// Names the traits of a cell. Colours beyond the sixteen that every terminal names are left out.
fn style(cell: &vt100::Cell) -> String {
    let mut traits = Vec::new();
    let flags = [(cell.bold(), "bold"), (cell.dim(), "dim"), (cell.italic(), "italic")];
    traits.extend(flags.iter().filter(|(is, _)| *is).map(|(_, name)| (*name).to_owned()));
    let flags = [(cell.underline(), "underline"), (cell.inverse(), "inverse")];
    traits.extend(flags.iter().filter(|(is, _)| *is).map(|(_, name)| (*name).to_owned()));
    for (ground, colour) in [("fg", cell.fgcolor()), ("bg", cell.bgcolor())] {
        if let vt100::Color::Idx(colour @ 0..16) = colour {
            traits.push(format!("{ground}{colour}"));
        }
    }
    traits.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(pieces: &[(f64, &str, &str)]) -> Frames {
        let header = serde_json::json!({ "version": 2, "width": 20, "height": 2000, "command": "drizzle-kit push" });
        let lines = pieces.iter().map(|piece| serde_json::json!(piece).to_string());
        let cast: Vec<String> = std::iter::once(header.to_string()).chain(lines).collect();
        Frames::of(cast.join("\n").as_bytes()).expect("it is a recording")
    }

    fn run(text: &str, style: &str) -> Run {
        Run(text.to_owned(), style.to_owned())
    }

    #[test]
    fn a_picture_holds_what_differs_from_the_one_before() {
        let frames = frames(&[
            (0.1, "o", "Is it new?\r\n"),
            (0.11, "o", "\x1b[36m❯ yes\x1b[0m\r\n  no"),
            (0.5, "i", "\x1b[B\r"),
            (0.6, "o", "\x1b[1A\r  yes\x1b[1B\r\x1b[1;36m❯ no\x1b[0m"),
        ]);
        assert_eq!(frames.title, "drizzle-kit push");
        let [before, after] = frames.pictures.as_slice() else { panic!("{frames:?}") };
        assert_eq!((before.at, before.n_rows, before.rows.len()), (0.1, 3, 3));
        assert_eq!(before.rows[1], (1, vec![run("❯ yes", "fg6")]));
        assert_eq!((after.at, after.n_rows), (0.6, 3));
        assert_eq!(after.rows, [(1, vec![run("  yes", "")]), (2, vec![run("❯ no", "bold fg6")])]);
        assert_eq!(frames.keys, [(0.5, "down".to_owned()), (0.5, "enter".to_owned())]);
        assert_eq!(frames.last_text(), "Is it new?\n  yes\n❯ no");
    }

    #[test]
    fn rows_that_are_gone_are_gone() {
        let frames = frames(&[(0.0, "o", "one\r\ntwo\r\nthree"), (1.0, "o", "\x1b[2K\x1b[1A\x1b[2K\x1b[G")]);
        assert_eq!(frames.pictures.iter().map(|picture| picture.n_rows).collect::<Vec<_>>(), [3, 1]);
        assert_eq!(frames.last_text(), "one");
    }

    #[test]
    fn what_is_higher_than_the_first_screen_does_not_scroll() {
        let text: String = (0..100).map(|line| format!("line {line}\r\n")).collect();
        assert!(frames(&[(0.0, "o", &text)]).last_text().starts_with("line 0\nline 1\n"));
    }

    #[test]
    fn a_flood_is_cut() {
        let text = "x\r\n".repeat(1000);
        let texts: Vec<(f64, &str, &str)> = (0..300).map(|second| (f64::from(second), "o", text.as_str())).collect();
        let frames = frames(&texts);
        assert!(frames.is_cut);
        assert!(frames.pictures.len() < 100, "{}", frames.pictures.len());
    }
}
