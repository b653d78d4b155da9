//! The program against recordings, and against a fake drizzle-kit in a real pseudo-terminal. No node, no PostgreSQL.

#[allow(dead_code, reason = "the rest is for scripts/safety")]
#[path = "../support/mutants.rs"]
mod lines_of_rules;
#[allow(dead_code, unused_imports, reason = "the rest is for the tests with servers")]
#[path = "../support/mod.rs"]
mod support;

mod kit;

mod prompt;
mod replays;
mod session;

mod hostile;
mod prompts_in_a_row;

mod endings;

mod safety;

mod architecture;
mod check_command;
mod checks;
mod command_line;
mod corpus;
mod docs;
mod engines;
mod formats;
mod hazards;
mod init_command;
mod mutants;
