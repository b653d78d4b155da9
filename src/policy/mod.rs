//! What the user allows. Every question has one answer, and every answer names the rule that gave it.
//!
//! [`mod@file`] reads `drizzle-pilot.toml` into [`Policies`]; [`Policies::select`] picks the [`Policy`] of this run;
//! [`decide`] answers. Only [`mod@file`] touches the disk.

mod accept;
mod allow;
pub mod check;
mod conflicts;
pub mod decide;
mod diff;
mod edit;
pub mod explain;
pub mod file;
pub mod migrate;
pub mod model;
pub mod name;
mod toml_text;
mod wording;

pub use accept::accept;
pub use allow::Allow;
pub use check::Check;
pub use decide::{Decision, Doubt, Refusal, Scope};
pub use file::{PolicyError, find, load};
pub use model::{CommandLine, Policies, Policy, RuleRef, SelectError};
pub use name::ObjectName;
pub use wording::closest;
