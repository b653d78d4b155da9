//! What SQL does to a database and why that needs consent. Knows neither drizzle-kit nor the policy.
//!
//! [`statement::split`] cuts a text into statements, the readers turn a statement into [effects](effect) on named objects,
//! and [`plan::assess`] turns the effects of a whole plan into [hazards](hazard). What is not fully understood on the way is
//! an error or [`Hazard::Unclassified`], never a guess.

pub(crate) mod action;
pub(crate) mod dialect;
pub(crate) mod effect;
mod excerpt;
pub mod hazard;
mod lex;
pub(crate) mod mysql;
pub(crate) mod name;
pub(crate) mod order;
mod other;
pub(crate) mod plan;
mod postgres;
pub(crate) mod read_only;
mod rebuild;
pub(crate) mod rewrite;
pub(crate) mod script;
pub(crate) mod sqlite;
pub(crate) mod statement;
pub(crate) mod transaction;
pub(crate) mod twice;
pub(crate) mod types;
pub(crate) mod unsafe_name;

pub use dialect::Dialect;
pub use excerpt::{excerpt, one_line};
pub use hazard::{Class, Hazard};
pub use name::{ObjectName, PUBLIC};
pub use plan::{Assessed, Change, Facts, Found, Reference, Replaced, assess, read, weigh};
pub use postgres::{RowPolicy, Subject, adds_only, row_policy, subjects};
pub use statement::{SplitError, split};
