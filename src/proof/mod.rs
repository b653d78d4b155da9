//! Makes a state to compare with: a scratch database, drizzle-kit's own export, a second look.

pub mod confine;
pub mod drift;
pub mod export;
pub mod forgotten;
pub mod unpushed;
