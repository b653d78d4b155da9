//! A terminal without a human: keys, the drawn screen, the transcript, and the pseudo-terminal behind them.
//!
//! Knows nothing of drizzle-kit.

pub mod command;
pub mod ended;
pub mod frames;
pub mod interrupts;
pub mod keys;
pub mod paint;
pub mod pty;
pub mod reaper;
pub mod recorder;
pub mod redact;
pub mod screen;
pub mod stream;
pub mod transcript;

pub use keys::Key;
pub use screen::{Event, Screen};
