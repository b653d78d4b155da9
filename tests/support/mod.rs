//! The laboratory as the tests see it: a database and a project with a real drizzle-kit for each of them.
//!
//! `scripts/test` installs the kits, starts PostgreSQL and says through the environment where they are.

mod change;
pub(crate) mod commands;
mod database;
mod paste;
mod processes;
mod project;
mod proxy;
mod random;
mod run;
mod server;
mod wait;
mod watchdog;

pub(crate) use change::{FAILING, Side, Theme};
pub(crate) use database::{Database, Held, Server};
pub(crate) use processes::{Signal, signal};
pub(crate) use project::{Project, Remote};
pub(crate) use proxy::{AtCommit, AtOptions, Gate, Journeys, Silence, pooler, proxy, transaction_pooler};
pub(crate) use random::Random;
pub(crate) use run::{Ran, Run, Running};
pub(crate) use server::OwnServer;
pub(crate) use wait::{gone_within, until};

/// Returns a variable that `scripts/test` sets.
pub(crate) fn lab_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test, or see scripts/lab"))
}
