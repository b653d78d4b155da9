//! One supervised run of drizzle-kit: what it is started for, what it may do, what it learned and how it ended.

pub mod advice;
pub mod casting;
pub mod copilot;
pub mod flight;
pub mod gate;
pub mod lock;
pub mod plan_file;
pub mod transaction;
pub mod verdict;
