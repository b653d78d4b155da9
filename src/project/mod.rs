//! What a run works on: the project's folder, its drizzle-kit, its config, the database and the migrations.

pub mod engines;
pub mod filters;
pub mod folder;
pub mod look;
pub mod migrations;
pub mod probe;
pub mod secrets;
pub mod steps;
pub mod target;
