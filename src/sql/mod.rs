//! What SQL does to a database and why that needs consent. Knows neither drizzle-kit nor the policy.
//!
//! [`statement::split`] cuts a text into statements, the readers turn a statement into [effects](effect) on named objects,
//! and [`plan::assess`] turns the effects of a whole plan into [hazards](hazard). What is not fully understood on the way is
//! an error or [`Hazard::Unclassified`], never a guess.

pub mod action;
pub mod dialect;
pub mod effect;
mod excerpt;
pub mod hazard;
mod lex;
pub mod mysql;
pub mod name;
pub mod order;
mod other;
pub mod plan;
mod postgres;
pub mod read_only;
mod rebuild;
pub mod rewrite;
pub mod script;
pub mod sqlite;
pub mod statement;
pub mod transaction;
pub mod twice;
pub mod types;
pub mod unsafe_name;

pub use dialect::Dialect;
pub use excerpt::{excerpt, one_line};
pub use hazard::{Class, Hazard};
pub use name::{ObjectName, PUBLIC};
pub use plan::{Assessed, Change, Facts, Found, Reference, Replaced, assess, read, weigh};
pub use postgres::{RowPolicy, Subject, adds_only, row_policy, subjects};
pub use statement::{SplitError, split};
