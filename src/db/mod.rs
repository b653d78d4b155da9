//! Our own connection to PostgreSQL: where drizzle-kit will connect, why it cannot, and what it left running there.
//!
//! Knows nothing of drizzle-kit's process, of its prompts and of the policy.

pub mod cast;
pub mod change;
pub mod connection;
pub mod inspect;
pub(crate) mod limits;
pub mod reset;

pub use change::advisory_lock::AdvisoryLock;
pub use connection::client::Connection;
pub use connection::error::ConnectError;
pub use connection::server::Server;
pub use connection::url::{Dsn, DsnError};
