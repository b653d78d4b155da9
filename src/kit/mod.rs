//! What drizzle-kit is, shows and means. Knows nothing of the policy: it asks a closure.

pub mod prompt;
pub mod session;
pub mod outcome;
pub mod replay;
pub mod config;
pub mod command;
pub mod mailbox;
pub mod driver;
