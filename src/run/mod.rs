//! One supervised run of drizzle-kit: what it is started for, what it may do, what it learned and how it ended.

pub mod advice;
mod answer;
mod clearance;
mod consent;
mod context;
mod ending;
pub mod gate;
mod kit_args;
mod leftovers;
pub mod lock;
mod permission;
pub mod plan_file;
mod preflight;
mod record;
mod repeated;
mod rounds;
mod session;
mod shown;
pub mod spec;
mod start;
pub mod story;
mod supervisor;
pub mod transaction;
pub mod type_change;
mod uncompared;

pub use context::{Lent, SchemaFiles};
