//! The program against recordings, and against a fake drizzle-kit in a real pseudo-terminal. No node, no PostgreSQL.

#[allow(dead_code, reason = "the rest is for the tests with servers")]
#[path = "../support/corpus.rs"]
mod corpus_of_labels;
#[allow(dead_code, reason = "the rest is for scripts/safety")]
#[path = "../support/mutants.rs"]
mod lines_of_rules;
#[path = "../support/processes.rs"]
mod processes;
#[path = "../support/random.rs"]
mod random;
#[path = "../support/script.rs"]
mod script;
#[path = "../support/wait.rs"]
mod wait;
#[path = "../support/watchdog.rs"]
mod watchdog;

mod kit;
mod run;

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
mod hazards;
mod init_command;
mod mutants;
