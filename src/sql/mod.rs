//! What SQL does to a database and why that needs consent. Knows neither drizzle-kit nor the policy.

pub mod hazard;
pub mod name;

pub use hazard::{Class, Hazard};
pub use name::{ObjectName, PUBLIC};
