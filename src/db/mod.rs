//! Our own connection to PostgreSQL: where drizzle-kit will connect, why it cannot, and what it left running there.
//!
//! Knows nothing of drizzle-kit's process, of its prompts and of the policy.

pub mod apply;
pub mod backends;
pub mod blockers;
pub mod cast;
pub mod catalog;
mod closure;
pub mod connect;
pub mod conversions;
pub mod explain;
pub mod fingerprint;
pub mod foreign;
mod foresee;
pub mod guard;
pub mod history;
pub mod idle;
pub mod lease;
pub mod names;
mod pipeline;
pub mod reach;
pub mod rehearsal;
pub mod reset;
pub mod reset_plan;
pub mod scratch;
mod tls;
mod transaction;
pub mod url;
pub mod visit;

pub use connect::{ConnectError, Server};
pub use lease::{Hold, Lease};
pub use url::{Dsn, DsnError};
pub use visit::Visit;
