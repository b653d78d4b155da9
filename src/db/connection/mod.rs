//! A connection of our own: where drizzle-kit will connect, how we get there, and why it cannot be reached.

pub(super) mod address;
pub mod client;
pub mod connect;
pub(super) mod conversation;
pub(super) mod dsn;
pub mod error;
pub mod explain;
mod pgpass;
pub(super) mod pipeline;
pub mod preflight;
pub mod server;
mod tls;
mod trust;
pub mod url;
