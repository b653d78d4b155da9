//! What changes a database: statements in one transaction, for a try, or in a database of their own; and the lock of a run.

pub mod apply;
pub mod confine;
pub mod lease;
pub mod rehearsal;
pub mod scratch;
pub(super) mod transaction;
