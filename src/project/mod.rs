//! What a run works on: the project's folder, its drizzle-kit, its config, the database and the migrations.

pub mod config;
pub mod engines;
pub mod filters;
pub mod folder;
pub mod guard;
pub mod incompatible;
pub mod invocation;
pub mod kit;
pub mod migrations;
pub mod package;
pub mod package_json;
mod reader;
pub mod root;
pub mod secrets;
pub mod steps;
pub mod survey;
pub mod target;
pub mod unseen;
