//! The statement gate: reads every statement that is about to run, and has the policy judge all of them at once.
//!
//! drizzle-kit announces some losses above its last question. They are held against the statements: they bring the
//! number of rows along, and what no statement explains is judged as it is announced.

pub mod basis;
pub mod foresight;
mod held;
pub mod judge;
pub mod owners;
pub mod pending;
pub mod recheck;
pub mod relations;
pub mod sqlite;
mod stakes;

pub use judge::{Answered, Blind, Gate, chosen_truncation};
