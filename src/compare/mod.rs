//! Two states of a schema side by side, as values: what the schema files or the migrations make, and what is in the database.

pub mod difference;
pub mod phantom;
pub mod renamed;
pub mod uncompared;
