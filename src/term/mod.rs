//! A terminal without a human: keys, the drawn screen, the transcript, and the pseudo-terminal behind them.
//!
//! Knows nothing of drizzle-kit.

pub mod command;
pub(crate) mod ended;
pub(crate) mod frames;
pub(crate) mod interrupts;
pub(crate) mod keys;
pub(crate) mod paint;
pub mod pty;
pub mod reaper;
pub(crate) mod recorder;
pub(crate) mod redact;
pub mod screen;
pub(crate) mod stream;
pub mod transcript;

pub use keys::Key;
pub use screen::{Event, Screen};
