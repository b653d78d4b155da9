//! What the fake drizzle-kit plays, step by step, and what it writes down about it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A run of the fake.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Script {
    pub(crate) mail: Mail,
    pub(crate) steps: Vec<Step>,
}

/// What the hook would hand over before drizzle-kit connects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Mail {
    /// The config; the fake goes on when it is told to.
    Config(serde_json::Value),
    /// That the config cannot be loaded.
    Error(String),
    /// Nothing, as when the config was never read.
    Nothing,
    /// Nothing at all, as where the hook is not loaded.
    Unhooked,
}

/// What the fake does next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Prints text. The terminal turns its line ends into CR LF.
    Out(String),
    /// Prints bytes that need not be text.
    Bytes(Vec<u8>),
    /// Prints everything from here on in pieces, with a pause after each.
    Chunked { bytes: usize, delay_us: u64 },
    /// Asks, as drizzle-kit's prompt library does.
    Menu(Menu),
    /// Plays an asciicast. At its "i" events it waits for exactly these keys.
    Replay(PathBuf),
    /// Prints lines until that many bytes are written.
    Flood(u64),
    /// Prints the bytes again and again until that many are written.
    FloodOf { bytes: Vec<u8>, total: u64 },
    /// Turns its spinner for ever.
    Spinner,
    /// Does nothing for ever.
    Hang,
    /// Ignores SIGTERM, SIGHUP and SIGINT from here on.
    IgnoreSignals,
    /// Starts a child in a session of its own that ignores SIGHUP and SIGTERM and sleeps. It may keep the terminal open.
    Grandchild { keeps_terminal: bool },
    /// Switches single keys on or off without drawing anything.
    Raw(bool),
    /// Ends with a status.
    Exit(i32),
    /// Ends by a signal.
    DieBy(i32),
}

/// A list of choices.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Menu {
    /// Printed before the prompt opens.
    pub(crate) above: String,
    /// Drawn above the choices, with a line end behind it unless it is empty.
    pub(crate) question: String,
    pub(crate) choices: Vec<String>,
    pub(crate) highlighted: usize,
    /// What is printed after each choice; nothing where it is empty or missing.
    pub(crate) confirm: Vec<String>,
    /// The choice after which the program ends with status 0.
    pub(crate) ends_on: Option<usize>,
    pub(crate) fault: Option<Fault>,
}

/// Something drawn wrong.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Fault {
    /// The drawing concerned: 0 is the first frame, `n` the redraw after the `n`th key.
    pub(crate) at: usize,
    pub(crate) kind: FaultKind,
}

/// What is wrong with a drawing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum FaultKind {
    /// It never comes; the highlight has moved nevertheless.
    Dropped,
    /// It comes late.
    Delayed { ms: u64 },
    /// Half of it comes, and nothing more.
    Half,
    /// Nothing of it comes but what hides the cursor.
    Blank,
    /// It shows the highlight on the row below the right one.
    WrongRow,
    /// It shows another question.
    OtherQuestion,
    /// It shows the choices in another order.
    OtherOrder,
    /// It shows two highlights.
    TwoMarkers,
    /// It wipes this many rows more (or fewer) than were drawn.
    Erases { more: i32 },
    /// It and every one after it is not drawn, and the highlight stays: keys have no effect.
    Deaf,
}

/// A line of the log beside the script.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// The fake was started with these arguments.
    Started(Vec<String>),
    /// The config was handed over, and this came back.
    Told(serde_json::Value),
    /// A prompt was drawn.
    Asked(String),
    /// A key came: `up`, `down`, `enter` or `ctrl-c`.
    Key(String),
    /// Enter came on this choice of this prompt (both counted from 0).
    Chose { prompt: usize, choice: usize, label: String },
    /// Something came that must never be typed.
    Disaster(String),
    /// The sleeping child was started.
    Grandchild(u32),
    /// The fake got this far: it idles from here on.
    Idle,
}

/// Returns where the log of a script stands.
pub(crate) fn log_path(script: &Path) -> PathBuf {
    script.with_extension("log")
}
