//! What a reset does beside emptying the database. Pure.

/// What a reset does beside emptying the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reset {
    /// None: the file does not say.
    pub then: Option<Then>,
    pub before: Vec<CommandLine>,
    pub after: Vec<CommandLine>,
}

/// What builds the schema again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Push,
    Migrate,
    Nothing,
}

/// A command line, as it was written and as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub text: String,
    /// At least one.
    pub words: Vec<String>,
}
