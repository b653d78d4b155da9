//! What the user allows. Every question has one answer, and every answer names the rule that gave it.
//!
//! [`mod@file`] reads `drizzle-pilot.toml` into [`Policies`]; [`Policies::select`] picks the [`Policy`] of this run;
//! [`decide`] answers. Only `file/find.rs` touches the disk.

mod accept;
mod allow;
pub(crate) mod check;
mod conflicts;
pub mod decide;
mod diff;
mod edit;
pub mod explain;
pub mod file;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod name;
pub(crate) mod sync;
mod toml_text;
mod wording;

pub(crate) use accept::accept;
pub(crate) use check::Check;
pub use decide::{Decision, Refusal, Scope, TablesByName};
pub use file::PolicyError;
pub(crate) use file::{find, load};
pub use model::{Apply, Ban, CommandLine, Match, Policies, Policy, RuleRef, SelectError, Variable};
pub(crate) use name::ObjectName;
pub(crate) use wording::closest;
