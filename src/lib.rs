//! Runs drizzle-kit without a human and without guessing.

#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod clock;
pub mod command_name;
pub mod commands;
pub mod compare;
pub mod db;
pub mod files;
pub mod host;
pub mod kit;
pub mod migrations;
pub mod outcome;
pub mod output;
mod parallel;
mod percent;
pub mod policy;
pub mod project;
pub mod proof;
pub mod run;
pub mod sql;
pub mod term;
