//! Empties a database by a plan, in one transaction: all of it, or nothing.
//!
//! Inside the transaction everything is read again twice: before the first drop it must still lead to the same plan,
//! and before COMMIT nothing in scope may be left, every extension must be as it was, and nothing else may be gone.
//!
//! Where the server has no room for the locks of all of it, it goes in parts, each in a transaction of its own with the
//! same two looks. The table of the migrations is the first part, so that no half of a reset looks migrated.

mod attempt;
mod error;
pub mod guard;
pub mod plan;
mod proof;
mod run;
mod story;
mod transaction;

pub use error::ResetError;
pub use run::{Emptied, N_ATTEMPTS, reset, reset_and_release};
pub use story::{Blockers, Event, ResetRun};
