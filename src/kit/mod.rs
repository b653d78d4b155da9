//! What drizzle-kit is, shows and means. Knows nothing of the policy: it asks a closure.

pub(crate) mod approved;
pub(crate) mod block;
pub(crate) mod command;
pub(crate) mod config;
pub(crate) mod config_file;
pub(crate) mod dotenv;
pub(crate) mod driver;
pub(crate) mod engine;
pub(crate) mod hints;
pub(crate) mod hook_channel;
pub(crate) mod listing;
pub(crate) mod mariadb;
pub(crate) mod outcome;
pub mod prompt;
pub mod replay;
pub(crate) mod run;
pub(crate) mod schema_files;
pub mod session;
pub(crate) mod target_host;
