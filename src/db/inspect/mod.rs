//! What a database has, looked up and never changed.

pub mod backends;
pub mod blockers;
pub mod catalog;
pub(super) mod closure;
pub mod fingerprint;
pub mod foreign;
pub(super) mod foresee;
pub mod history;
pub mod idle;
pub mod names;
pub mod reach;
pub mod renamed;
