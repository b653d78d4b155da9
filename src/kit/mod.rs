//! What drizzle-kit is, shows and means. Knows nothing of the policy: it asks a closure.

pub mod approved;
pub mod block;
pub mod command;
pub mod config;
pub mod config_file;
pub mod dotenv;
pub mod driver;
pub mod engine;
pub mod hook_channel;
pub mod listing;
pub mod mariadb;
pub mod outcome;
pub mod prompt;
pub mod replay;
pub mod run;
pub mod schema_files;
pub mod session;
pub mod target_host;
