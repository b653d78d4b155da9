//! Reads `drizzle-pilot.toml`: `find` looks for it, [`parse()`] makes [`Policies`] of its text.
//!
//! The structs of `format` are the file format; the rest of the program sees [`Policies`] only.
//!
//! [`Policies`]: crate::policy::model::Policies

mod check;
mod find;
mod format;
mod guard;
mod hazards;
mod migrate;
pub(in crate::policy) mod parse;
mod problem;
mod prompts;
mod push;
mod reader;
mod renames;
mod reset;
mod schema;
mod scratch;
mod structure;
mod sync;
#[cfg(test)]
pub(in crate::policy) mod testing;

pub use find::PolicyError;
pub(crate) use find::{find, load};
pub(crate) use format::schema;
pub use parse::parse;
pub use problem::Invalid;
