//! Two states of a schema side by side, as values: what the schema files make, and what is in the database.

pub mod phantom;
pub mod uncompared;
