//! The one way in which all tests make a project folder, run the program in it and look at what came of it; and the laboratory
//! that the tests with servers see: a database and a project with a real drizzle-kit for each of them.
//!
//! `scripts/test` installs the kits, starts PostgreSQL and says through the environment where they are.

mod change;
pub(crate) mod commands;
#[allow(dead_code, reason = "each target has a part of its own")]
pub(crate) mod corpus;
mod database;
pub(crate) mod list;
mod paste;
pub(crate) mod processes;
mod project;
mod proxy;
mod ran;
mod random;
mod run;
pub(crate) mod script;
mod server;
mod shape;
pub(crate) mod stored;
pub(crate) mod wait;
mod watchdog;

pub(crate) use change::{Change, FAILING, Side, Theme};
pub(crate) use database::{Database, Held, Server};
pub(crate) use processes::{Signal, signal};
pub(crate) use project::{Project, Remote};
pub(crate) use proxy::{AtCommit, AtOptions, Gate, Journeys, Silence, pooler, proxy, transaction_pooler};
pub(crate) use ran::{MAYBE, Ran, UNCHANGED};
pub(crate) use random::Random;
pub(crate) use run::{GRACE, Run, Running, fake_kit};
pub(crate) use server::OwnServer;
pub(crate) use shape::{Neighbour, Repeated, Shape, owner, together};
pub(crate) use wait::{gone_within, until};

/// Returns a variable that `scripts/test` sets.
pub(crate) fn lab_variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run scripts/test, or see scripts/lab"))
}
