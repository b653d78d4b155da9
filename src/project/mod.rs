//! What a run works on: the project's folder, its drizzle-kit, its config, the database and the migrations.

pub mod config;
pub mod engines;
pub mod filters;
pub mod folder;
pub mod guard;
pub mod kit;
pub mod migrations;
pub mod root;
pub mod secrets;
pub mod steps;
pub mod target;
pub mod unseen;
