//! What changes a database: statements in one transaction, for a try, or in a database of their own; and the lock of a run.

pub mod advisory_lock;
pub mod apply;
pub(super) mod begin;
pub mod confine;
pub(super) mod error;
pub(super) mod fault;
pub mod lock;
pub mod rehearsal;
pub mod scratch;
mod settle;
pub mod surroundings;
pub mod throwaway;
pub(super) mod transaction;
