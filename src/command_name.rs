//! The commands of the program, by their names: on the command line, in the profiles of a policy, and in reports. Pure.

use std::fmt;

/// A command of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CommandName {
    Init,
    Next,
    Push,
    Plan,
    Reset,
    Generate,
    Migrate,
    Status,
    Sync,
    Check,
    Run,
    Policy,
    Doctor,
    Replay,
}

impl CommandName {
    /// Returns the name, as it is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            CommandName::Init => "init",
            CommandName::Next => "next",
            CommandName::Push => "push",
            CommandName::Plan => "plan",
            CommandName::Reset => "reset",
            CommandName::Generate => "generate",
            CommandName::Migrate => "migrate",
            CommandName::Status => "status",
            CommandName::Sync => "sync",
            CommandName::Check => "check",
            CommandName::Run => "run",
            CommandName::Policy => "policy",
            CommandName::Doctor => "doctor",
            CommandName::Replay => "replay",
        }
    }
}

impl fmt::Display for CommandName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
