//! A connection of our own: where drizzle-kit will connect, how we get there, and why it cannot be reached.

pub mod connect;
pub mod explain;
pub(super) mod pipeline;
mod tls;
pub mod url;
pub mod visit;
