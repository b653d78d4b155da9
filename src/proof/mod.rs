//! Makes a state to compare with: a scratch database, drizzle-kit's own export, a second look.

mod cache;
pub mod confine;
pub mod drift;
pub mod export;
pub mod forgotten;
pub mod scratch;
mod services;
pub mod unpushed;
