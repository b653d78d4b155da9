//! Finds the expression for USING that lets a column change its type and keep its rows.

mod conversions;
mod examine;
mod tried;

pub use examine::examine;
pub use tried::{Examined, Outcome, Trial, Tried};
