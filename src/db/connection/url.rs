//! Reads what drizzle-kit connects with, and reads it as the driver does that drizzle-kit has found. Pure.
//!
//! Where libpq differs, libpq is wrong here: a check of another database, or with weaker TLS, than the one drizzle-kit will
//! use proves nothing.

mod credentials;
mod driver;
mod error;
mod escape;
mod given;
mod handover;
mod neon;
mod node_pg;
mod postgres_js;
#[cfg(test)]
mod readings;

pub use crate::db::connection::address::{Address, Host};
pub use crate::db::connection::dsn::Dsn;
pub use crate::db::connection::pgpass::passwords_in_pgpass;
pub use driver::Driver;
pub use error::DsnError;
pub use given::Env;
pub use handover::DATABASE_URL;
