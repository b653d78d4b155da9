//! Runs drizzle-kit without a human and without guessing.

#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
mod clock;
mod command_name;
pub mod commands;
mod compare;
pub mod db;
mod files;
mod host;
pub mod kit;
pub mod migrations;
pub mod outcome;
pub mod output;
mod parallel;
mod percent;
pub mod policy;
mod project;
mod proof;
mod run;
pub mod sql;
pub mod term;
