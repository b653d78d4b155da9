//! Turns the bytes of a terminal program into rows and moments. Pure: bytes in, events out.
//!
//! Two library parsers read the same bytes: `vte` finds the moments that matter (the cursor is hidden or shown,
//! a redraw begins), `vt100` draws. Cutting the bytes at those moments makes what was on the screen *then* exact,
//! however the bytes were split on their way.

use std::num::NonZeroU16;

/// Width of the terminal in columns. A row of drizzle-kit with two names of 63 bytes stays below 300 columns;
/// wrapped rows would make its own erase sequences wrong.
pub const COLUMNS: u16 = 320;

/// Height that the terminal reports, in rows. drizzle-kit never scrolls a list, so this must exceed the longest one.
pub const ROWS: u16 = 2000;

/// Height the screen starts with. It grows with a frame: a blank screen of full height would cost 32 MB.
const FIRST_ROWS: u16 = 40;

/// Bytes of text kept between two prompts. What exceeds it is counted and dropped, so that memory stays bounded.
const TEXT_BYTES: usize = 4 << 20;

/// Bytes that a control sequence may have. The parsers keep a title (OSC) until its end comes, however long it is.
const SEQUENCE_BYTES: usize = 1 << 16;

/// Bytes of frames told for one piece of output. A prompt draws itself once for each key, and one key is in flight:
/// what redraws a tall frame over and over fills the memory before anybody looks.
const TOLD_BYTES: usize = 16 << 20;

/// The sequence that erases a row, with which a redraw begins (EL 2).
const ERASE: &[u8] = b"\x1b[2K";

/// Ends a control sequence that has not ended by itself (CAN).
const CANCEL: &[u8] = b"\x18";

/// Something that happened on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The cursor was hidden: a prompt opens. Carries the text drawn since the last prompt.
    Opened(Text),
    /// An open prompt began to draw itself anew: `before` stood on the screen, whole, and `erased` rows were wiped.
    Redrawn { erased: usize, before: Frame, drawn: Drawn },
    /// The open prompt as far as it has come. Emitted once per piece of output.
    Frame(Frame),
    /// The cursor was shown: the prompt is closed.
    Closed,
    /// The last row drawn while no prompt is open, for showing progress.
    Progress(String),
}

/// What an open prompt has drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// The lines without trailing blanks; a line wider than the screen is one line.
    pub lines: Vec<String>,
    /// Number of rows of the screen that they take.
    pub n_rows: usize,
}

/// Lines of drawn text, oldest first, without trailing blanks and control sequences.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    pub lines: Vec<String>,
    /// The same as it was printed, character by character: nothing is trimmed, wrapped or wiped. With colours, and without
    /// the carriage returns that the terminal puts before line feeds. Its beginning alone if it is not intact.
    pub printed: String,
    /// Number of lines that were dropped between the kept beginning and the kept end.
    pub n_dropped: usize,
    pub drawn: Drawn,
}

impl Text {
    /// Tells whether this is all that was printed, and nothing in it could have wiped or forged the rest.
    pub fn is_intact(&self) -> bool {
        self.n_dropped == 0 && self.drawn == Drawn::Plainly
    }
}

/// How something came onto the screen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Drawn {
    /// With colours, line ends and the erase sequence of a redraw alone: what one sees is what was printed.
    #[default]
    Plainly,
    /// With other control sequences, as a name that carries them would print: what one sees may be forged.
    WithControls,
}

/// The drawn screen of a terminal program.
pub struct Screen {
    moments: vte::Parser,
    watch: Watch,
    /// Bytes of a control sequence that has not ended yet.
    n_open: usize,
    drawing: vt100::Parser<Scroll>,
    columns: NonZeroU16,
    /// The open prompt as it was last told, while nothing was drawn since.
    told: Option<Frame>,
}

impl Default for Screen {
    fn default() -> Self {
        Screen::with_columns(NonZeroU16::new(COLUMNS).expect("the width is a constant above zero"))
    }
}

impl Screen {
    /// Makes an empty screen of another width, as that of a recording.
    pub fn with_columns(columns: NonZeroU16) -> Screen {
        let (moments, watch) = (vte::Parser::new(), Watch::default());
        Screen { moments, watch, n_open: 0, drawing: blank(columns), columns, told: None }
    }

    /// Makes it a screen for a program that was not told to draw without colours.
    #[must_use]
    pub fn coloured(mut self) -> Screen {
        self.watch.is_coloured = true;
        self
    }

    /// Draws a piece of output and hands each event to `on`. Where the pieces are cut does not matter,
    /// except that [`Event::Frame`] and [`Event::Progress`] come once per piece.
    pub fn feed(&mut self, mut bytes: &[u8], mut on: impl FnMut(Event)) {
        let drew = !bytes.is_empty();
        let mut before = None;
        let mut n_told = 0;
        while !bytes.is_empty() {
            let n_read = self.moments.advance_until_terminated(&mut self.watch, bytes);
            let (piece, rest) = bytes.split_at(n_read);
            bytes = rest;
            match self.watch.moment.take() {
                None => self.draw(piece),
                Some(Moment::EraseBegins) => {
                    // The last byte is the one that erases: what stands before it is the whole frame.
                    let (frame, erase) = piece.split_at(piece.len() - 1);
                    // Reading the screen is the costly part, and an erase that comes first in a piece finds it as told.
                    let told = self.told.take().filter(|_| frame == &ERASE[..ERASE.len() - 1]);
                    self.draw(frame);
                    if n_told > TOLD_BYTES {
                        self.watch.drawn = Drawn::WithControls;
                        self.draw(erase);
                        continue;
                    }
                    let frame = told.unwrap_or_else(|| self.frame());
                    n_told += frame.lines.iter().map(|line| line.len() + size_of::<String>()).sum::<usize>();
                    if !self.watch.printed(&frame) {
                        self.watch.drawn = Drawn::WithControls;
                    }
                    before = Some(frame);
                    self.draw(erase);
                }
                Some(Moment::Wipes) => {
                    let (drawn, wipe) = piece.split_at(piece.len() - 1);
                    self.draw(drawn);
                    if !self.at_progress() {
                        self.watch.drawn = Drawn::WithControls;
                    }
                    self.draw(wipe);
                }
                Some(Moment::EraseEnds(erased)) => {
                    self.draw(piece);
                    if let Some(before) = before.take().or_else(|| self.watch.carried.take()) {
                        on(Event::Redrawn { erased, before, drawn: self.watch.drawn });
                    }
                }
                Some(Moment::Hidden) => {
                    // The text before the prompt scrolls. Growing now would bring blank rows back above it.
                    self.drawing.process(piece);
                    (self.watch.column, self.watch.widest) = (0, 0);
                    self.told = None;
                    on(Event::Opened(self.take_text()));
                }
                Some(Moment::Shown) => {
                    self.draw(piece);
                    self.watch.drawn = Drawn::Plainly;
                    on(Event::Closed);
                }
            }
            self.n_open = if std::mem::take(&mut self.watch.heard) { 0 } else { self.n_open + n_read };
            if self.n_open > SEQUENCE_BYTES {
                self.moments.advance(&mut self.watch, CANCEL);
                self.draw(CANCEL);
            }
        }
        if let Some(before) = before {
            self.watch.carried = Some(before);
        }
        match (drew, self.watch.hidden) {
            (true, true) => {
                let frame = self.frame();
                self.told = Some(frame.clone());
                on(Event::Frame(frame));
            }
            (true, false) => {
                if let Some(line) = self.last_line() {
                    on(Event::Progress(line));
                }
            }
            (false, _) => {}
        }
    }

    /// Returns the text drawn since the last prompt and starts with an empty screen.
    pub fn take_text(&mut self) -> Text {
        let mut scroll = std::mem::take(self.drawing.callbacks_mut());
        let (last, _) = self.drawing.screen().cursor_position();
        let drawn = self.drawing.screen().contents_between(0, 0, last, self.columns.get());
        if let Some(line) = scroll.unfinished.take() {
            scroll.keep(&line);
        }
        for line in drawn.lines() {
            scroll.keep(line);
        }
        self.drawing = blank(self.columns);
        scroll.into_text(std::mem::take(&mut self.watch.printed), std::mem::take(&mut self.watch.drawn))
    }

    /// Returns what stands between the top and the cursor.
    fn frame(&self) -> Frame {
        let screen = self.drawing.screen();
        let (last, _) = screen.cursor_position();
        let n_rows = usize::from(last) + 1;
        // A list is narrow and the screen is wide: reading only the columns in use takes an eighth of the time.
        if let Some(n_columns) = u16::try_from(self.watch.widest).ok().filter(|widest| *widest < self.columns.get()) {
            let rows = screen.rows(0, n_columns).take(n_rows);
            return Frame { lines: rows.map(|row| row.trim_end().to_owned()).collect(), n_rows };
        }
        let drawn = screen.contents_between(0, 0, last, self.columns.get());
        let lines: Vec<String> = drawn.split('\n').map(|line| line.trim_end().to_owned()).collect();
        Frame { lines, n_rows }
    }

    /// Returns the line that the cursor is on, or the one above it.
    fn last_line(&self) -> Option<String> {
        let screen = self.drawing.screen();
        let (last, _) = screen.cursor_position();
        // A line that is wider than the screen is taken whole: a secret in it is not known by its end.
        let above = last.saturating_sub(1);
        let first = (0..above).rev().take_while(|row| screen.row_wrapped(*row)).last().unwrap_or(above);
        let drawn = screen.contents_between(first, 0, last, self.columns.get());
        drawn.lines().rev().map(str::trim_end).find(|line| !line.is_empty()).map(str::to_owned)
    }

    /// Tells whether the cursor is on a row that a spinner may wipe: an empty one, or one that begins like `[⣷]`.
    fn at_progress(&self) -> bool {
        let screen = self.drawing.screen();
        let (row, _) = screen.cursor_position();
        let row = screen.contents_between(row, 0, row, self.columns.get());
        let mut begins = row.chars();
        row.trim().is_empty() || (begins.next() == Some('[') && begins.nth(1) == Some(']'))
    }

    /// Draws bytes that hold no moment in their middle. While a prompt is open the screen grows instead of scrolling.
    fn draw(&mut self, bytes: &[u8]) {
        self.told = None;
        if self.watch.hidden {
            let n_newlines = bytes.iter().filter(|byte| **byte == b'\n').count();
            let (row, _) = self.drawing.screen().cursor_position();
            let needed = usize::from(row) + n_newlines + bytes.len() / usize::from(self.columns.get()) + 2;
            let (height, width) = self.drawing.screen().size();
            let needed = u16::try_from(needed).unwrap_or(ROWS).min(ROWS);
            if needed > height.get() {
                let grown = needed.max(height.get().saturating_mul(2).min(ROWS));
                self.drawing.set_size(NonZeroU16::new(grown).expect("it exceeds the old height"), width);
            }
        }
        self.drawing.process(bytes);
    }
}

fn blank(columns: NonZeroU16) -> vt100::Parser<Scroll> {
    let rows = NonZeroU16::new(FIRST_ROWS).expect("the height is a constant above zero");
    vt100::Parser::new_with_callbacks(rows, columns, 0, Scroll::default())
}

/// A moment at which the bytes are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Hidden,
    Shown,
    /// A row is about to be wiped while no prompt is open.
    Wipes,
    EraseBegins,
    EraseEnds(usize),
}

/// Finds the moments. A redraw of drizzle-kit's prompt library (hanji 0.0.5 to 0.0.8) begins with `ESC[2K`, then
/// `ESC[1A` `ESC[2K` for each further row of the frame it replaces, then `ESC[G`: it counts the rows for us.
/// A spinner wipes its own rows in the same way; what wipes any other row may hide it.
#[derive(Debug, Default)]
struct Watch {
    hidden: bool,
    /// The program colours what it draws.
    is_coloured: bool,
    moment: Option<Moment>,
    erasing: Option<Erasing>,
    drawn: Drawn,
    /// What was printed since the last prompt was opened or closed, or the open one began to draw itself anew.
    printed: String,
    /// Columns used by the row that is being drawn and by the widest since the prompt opened; never too few.
    column: usize,
    widest: usize,
    /// A carriage return came, and not yet the line feed that the terminal puts behind it.
    returned: bool,
    /// Something came to its end: the parser is not inside of a control sequence.
    heard: bool,
    /// The frame before an erase sequence whose end has not come yet.
    carried: Option<Frame>,
}

#[derive(Debug, Clone, Copy)]
struct Erasing {
    n_rows: usize,
    went_up: bool,
}

impl Watch {
    /// Takes note that something came, and that a carriage return before it stood alone: it draws over its own row.
    fn hear(&mut self) {
        self.heard = true;
        if std::mem::take(&mut self.returned) {
            self.drawn = Drawn::WithControls;
        }
    }

    /// Takes what was printed. Beyond a size that nothing sane has, it is not what is seen any more.
    fn keep(&mut self, character: char) {
        if self.printed.len() < TEXT_BYTES {
            self.printed.push(character);
        } else {
            self.drawn = Drawn::WithControls;
        }
    }

    /// Takes a colour as it was printed.
    fn keep_colour(&mut self, params: &vte::Params) {
        let codes = params.iter().map(|codes| codes.iter().map(u16::to_string).collect::<Vec<_>>().join(":"));
        let colour = format!("\x1b[{}m", codes.collect::<Vec<_>>().join(";"));
        colour.chars().for_each(|character| self.keep(character));
    }

    /// Tells whether a frame is what was printed. vt100 leaves out what a terminal would: marks upon marks, for one.
    fn printed(&mut self, frame: &Frame) -> bool {
        let printed = std::mem::take(&mut self.printed);
        printed.split('\n').map(str::trim_end).eq(frame.lines.iter().map(String::as_str))
    }
}

impl vte::Perform for Watch {
    fn print(&mut self, character: char) {
        self.hear();
        self.erasing = None;
        self.keep(character);
        self.column += if character.is_ascii() { 1 } else { 2 };
        self.widest = self.widest.max(self.column);
        // What stands for bytes that are no text, DEL and the C1 controls: vt100 leaves them out of the row.
        if matches!(character, '\u{fffd}' | '\u{7f}'..='\u{9f}') {
            self.drawn = Drawn::WithControls;
        }
    }

    fn execute(&mut self, byte: u8) {
        // The terminal puts one before a line feed. What comes before that was printed: `CR LF` in a literal.
        if byte == b'\r' && self.returned {
            self.keep('\r');
        }
        if matches!(byte, b'\r' | b'\n') {
            self.returned = false;
            self.column = 0;
        }
        self.hear();
        self.erasing = None;
        self.returned = byte == b'\r';
        if matches!(byte, b'\n' | b'\t') {
            self.keep(char::from(byte));
        }
        // Statements are indented with tabs. In a prompt there are none, and one in a name would be read as blanks.
        let is_plain = matches!(byte, b'\r' | b'\n') || (byte == b'\t' && !self.hidden);
        if !is_plain {
            self.drawn = Drawn::WithControls;
        }
    }

    fn put(&mut self, _: u8) {
        self.heard = true;
    }

    fn esc_dispatch(&mut self, _: &[u8], _: bool, _: u8) {
        self.hear();
        self.drawn = Drawn::WithControls;
    }

    fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
        self.hear();
        self.drawn = Drawn::WithControls;
    }

    fn hook(&mut self, _: &vte::Params, _: &[u8], _: bool, _: char) {
        self.hear();
        self.drawn = Drawn::WithControls;
    }

    fn csi_dispatch(&mut self, params: &vte::Params, intermediates: &[u8], _ignore: bool, action: char) {
        self.hear();
        let is = |wanted: u16| params.iter().any(|param| param.first() == Some(&wanted));
        match (action, intermediates, self.erasing) {
            ('l', b"?", _) if is(25) && !self.hidden => {
                self.hidden = true;
                self.moment = Some(Moment::Hidden);
            }
            ('h', b"?", _) if is(25) && self.hidden => {
                self.hidden = false;
                self.printed.clear();
                self.moment = Some(Moment::Shown);
            }
            ('K', b"", None) if is(2) => {
                self.erasing = Some(Erasing { n_rows: 1, went_up: false });
                self.moment = Some(if self.hidden { Moment::EraseBegins } else { Moment::Wipes });
            }
            ('A', b"", Some(erasing)) if !erasing.went_up => {
                self.erasing = Some(Erasing { went_up: true, ..erasing });
            }
            ('K', b"", Some(erasing)) if is(2) && erasing.went_up => {
                self.erasing = Some(Erasing { n_rows: erasing.n_rows + 1, went_up: false });
                self.moment = (!self.hidden).then_some(Moment::Wipes);
            }
            ('G', b"", Some(erasing)) if !erasing.went_up => {
                self.erasing = None;
                self.column = 0;
                self.moment = self.hidden.then_some(Moment::EraseEnds(erasing.n_rows));
            }
            ('m', b"", _) => {
                self.erasing = None;
                // In a list that has no colours, a colour is a part of a name.
                match (self.hidden, self.is_coloured) {
                    (false, _) => self.keep_colour(params),
                    (true, true) => {}
                    (true, false) => self.drawn = Drawn::WithControls,
                }
            }
            // Some versions show the cursor twice.
            ('h', b"?", _) if is(25) => {}
            _ => {
                self.erasing = None;
                self.drawn = Drawn::WithControls;
            }
        }
    }

    fn terminated(&self) -> bool {
        self.moment.is_some()
    }
}

/// Keeps the rows that leave the top of the screen: the beginning and the end of them, up to a size.
#[derive(Debug, Default)]
struct Scroll {
    head: Vec<String>,
    tail: std::collections::VecDeque<String>,
    n_head_bytes: usize,
    n_tail_bytes: usize,
    n_dropped: usize,
    /// The last line that left the screen; it may continue on the next row.
    unfinished: Option<String>,
    wrapping: vt100::capture::BasicFormattedCaptureState,
}

impl Scroll {
    fn keep(&mut self, line: &str) {
        let line = line.trim_end().to_owned();
        let n_bytes = line.len() + size_of::<String>(); // an empty line takes its place as well
        if self.n_head_bytes + n_bytes <= TEXT_BYTES / 2 {
            self.n_head_bytes += n_bytes;
            self.head.push(line);
            return;
        }
        self.n_head_bytes = TEXT_BYTES; // from here on only the end is kept, in its order
        self.n_tail_bytes += n_bytes;
        self.tail.push_back(line);
        while self.n_tail_bytes > TEXT_BYTES / 2 {
            let Some(oldest) = self.tail.pop_front() else { break };
            self.n_tail_bytes -= oldest.len() + size_of::<String>();
            self.n_dropped += 1;
        }
    }

    fn into_text(self, printed: String, drawn: Drawn) -> Text {
        let mut lines = self.head;
        lines.extend(self.tail);
        Text { lines, printed, n_dropped: self.n_dropped, drawn }
    }
}

impl vt100::Callbacks for Scroll {
    fn on_scroll(&mut self, contents: vt100::capture::RowContents<'_>, _alternate_screen: bool) {
        let mut formatted = String::new();
        contents.write_formatted_basic(&mut formatted, &mut self.wrapping).expect("writing to a string does not fail");
        // The row begins with a line end unless it continues the last one.
        let plain: String = vt100::capture::basic_formatted_to_plain(&formatted).collect();
        match (self.unfinished.take(), plain.strip_prefix('\n')) {
            (Some(line), Some(row)) => {
                self.keep(&line);
                self.unfinished = Some(row.to_owned());
            }
            (Some(line), None) if line.len() < TEXT_BYTES / 4 => self.unfinished = Some(line + &plain),
            (Some(line), None) => {
                self.keep(&line);
                self.unfinished = Some(plain);
            }
            (None, row) => self.unfinished = Some(row.map_or(plain.clone(), str::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prompt of drizzle-kit 0.31.11 as recorded: opened, moved down once, answered.
    const PROMPT: &str = "[\x1b[32m✓\x1b[39m] Pulling schema from database...\r\n\x1b[?25l\r\nIs \x1b[1mbeta\x1b[22m table created or renamed from another table?\r\n\x1b[32m❯ \x1b[39m+ beta       create table\r\n  ~ one › beta rename table\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G\r\nIs beta table created or renamed from another table?\r\n  + beta       create table\r\n❯ ~ one › beta rename table\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[G\x1b[?25h~ one › beta table will be renamed/moved\r\n";

    fn events(pieces: &[&[u8]]) -> Vec<Event> {
        let mut screen = Screen::default().coloured();
        let mut events = Vec::new();
        for piece in pieces {
            screen.feed(piece, |event| events.push(event));
        }
        events.retain(|event| !matches!(event, Event::Frame(_) | Event::Progress(_)));
        events
    }

    #[test]
    fn a_prompt_is_read_the_same_wherever_its_bytes_are_cut() {
        let whole = events(&[PROMPT.as_bytes()]);
        let frame = |first: &str, second: &str| {
            let lines = ["", "Is beta table created or renamed from another table?", first, second];
            Frame { lines: lines.map(str::to_owned).to_vec(), n_rows: 4 }
        };
        let drawn = Drawn::Plainly;
        let line = "[✓] Pulling schema from database...";
        let printed = "[\x1b[32m✓\x1b[39m] Pulling schema from database...\n".to_owned();
        let expected = vec![
            Event::Opened(Text { lines: vec![line.into()], printed, n_dropped: 0, drawn }),
            Event::Redrawn {
                erased: 4,
                before: frame("❯ + beta       create table", "  ~ one › beta rename table"),
                drawn,
            },
            Event::Redrawn {
                erased: 4,
                before: frame("  + beta       create table", "❯ ~ one › beta rename table"),
                drawn,
            },
            Event::Closed,
        ];
        assert_eq!(whole, expected);
        for cut in 0..=PROMPT.len() {
            let (left, right) = PROMPT.as_bytes().split_at(cut);
            assert_eq!(events(&[left, right]), expected, "cut at byte {cut}");
        }
        let bytes: Vec<&[u8]> = PROMPT.as_bytes().chunks(1).collect();
        assert_eq!(events(&bytes), expected, "byte by byte");
    }

    #[test]
    fn what_was_printed_is_kept_to_the_letter() {
        let mut screen = Screen::default();
        let wide = "x".repeat(1000);
        screen.feed(format!("\x1b[34ma\tb  \x1b[39m\r\n\r\n{wide}e\u{301}\u{308}\r\n").as_bytes(), |_| {});
        let text = screen.take_text();
        assert_eq!(text.printed, format!("\x1b[34ma\tb  \x1b[39m\n\n{wide}e\u{301}\u{308}\n"));
        assert_eq!(text.drawn, Drawn::Plainly);

        screen.feed(b"'a\r\r\nb'\r\n", |_| {});
        let text = screen.take_text();
        assert_eq!((text.printed.as_str(), text.drawn), ("'a\r\nb'\n", Drawn::Plainly));
    }

    #[test]
    fn text_that_scrolled_off_is_kept_in_order_and_bounded() {
        let mut screen = Screen::default();
        let line = "long ".repeat(40);
        for idx in 0..30_000 {
            screen.feed(format!("{idx} {line}\r\n").as_bytes(), |_| {});
        }
        let text = screen.take_text();
        assert!(text.lines.first().is_some_and(|line| line.starts_with("0 long")));
        assert!(text.lines.last().is_some_and(|line| line.starts_with("29999 long")));
        assert!(text.n_dropped > 0);
        assert_eq!(text.lines.len() + text.n_dropped, 30_000);
        assert!(text.lines.iter().map(|line| line.len() + 1).sum::<usize>() <= TEXT_BYTES);
    }

    #[test]
    fn a_frame_taller_than_the_first_screen_keeps_its_top() {
        let mut frame = String::from("\x1b[?25l");
        for idx in 0..300 {
            frame.push_str(&format!("  row {idx}\r\n"));
        }
        frame.push_str("❯ last");
        let mut rows = Vec::new();
        Screen::default().feed(frame.as_bytes(), |event| {
            if let Event::Frame(frame) = event {
                rows = frame.lines;
            }
        });
        assert_eq!(rows.len(), 301);
        assert_eq!(rows[0], "  row 0");
    }

    #[test]
    fn a_colour_in_a_list_without_colours_is_a_part_of_a_name() {
        let list =
            "\x1b[?25l❯ + leg\x1b[0macy create column\r\n  ~ a › legacy rename column\x1b[2K\x1b[1A\x1b[2K\x1b[G";
        let check = |screen: Screen, expected: Drawn| {
            let (mut screen, mut told) = (screen, Vec::new());
            screen.feed(list.as_bytes(), |event| {
                if let Event::Redrawn { drawn, .. } = event {
                    told.push(drawn);
                }
            });
            assert_eq!(told, [expected]);
        };
        check(Screen::default(), Drawn::WithControls);
        check(Screen::default().coloured(), Drawn::Plainly);
    }

    #[test]
    fn control_sequences_inside_a_frame_are_told() {
        let forged = PROMPT.replace("one › beta", "o\x1b[3Dne › beta");
        let drawn: Vec<Drawn> = events(&[forged.as_bytes()])
            .iter()
            .filter_map(|event| match event {
                Event::Redrawn { drawn, .. } => Some(*drawn),
                _ => None,
            })
            .collect();
        assert_eq!(drawn, [Drawn::WithControls, Drawn::WithControls]);
    }
}
