//! Reads `drizzle-pilot.toml`: [`find()`] looks for it, [`parse()`] makes [`Policies`] of its text.
//!
//! The structs of [`format`] are the file format; the rest of the program sees [`Policies`] only.
//!
//! [`Policies`]: crate::policy::model::Policies

mod check;
mod find;
mod format;
mod guard;
mod hazards;
mod migrate;
mod parse;
mod problem;
mod prompts;
mod push;
mod reader;
mod renames;
mod reset;
mod schema;
mod structure;
#[cfg(test)]
pub(in crate::policy) mod testing;

pub use find::{PolicyError, find, load};
pub use format::schema;
pub use parse::parse;
pub use problem::{Invalid, Problem};
pub use schema::hazards_markdown;
