//! What a database has, looked up and never changed.

pub mod backends;
pub mod blockers;
pub mod catalog;
pub(super) mod closure;
pub(super) mod column;
mod convertible;
pub mod fingerprint;
pub mod foreign;
mod foresee;
pub mod hiding;
pub(super) mod identify;
pub(super) mod identity;
pub(super) mod kind;
pub mod lines;
pub(super) mod lock;
pub mod migrations_table;
pub mod names;
pub(super) mod objects;
pub mod reach;
pub(super) mod relation;
pub(super) mod values;
