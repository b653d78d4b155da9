//! drizzle-kit 1.0, which asks nobody: it says what it wants to know (`missing_hints`), is run again with the answers, and in
//! the end sends statements that the hook keeps from the server.

pub mod envelope;
pub mod hint;
mod prompts;
pub mod rounds;

use semver::Version;

/// Tells whether a drizzle-kit is told by hints what it would ask.
pub fn takes_hints(version: Option<&Version>) -> bool {
    version.is_some_and(|version| version.major >= 1)
}

/// The newest drizzle-kit that can be driven for a purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    /// The last that asks at the terminal, which is 0.31.
    Prompts,
    /// One that is told by hints what it would ask, from 1.0.0-rc.4 on.
    Hints,
}
