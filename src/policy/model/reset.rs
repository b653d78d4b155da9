//! What a reset does besides emptying the database. Pure.

/// What a reset does besides emptying the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reset {
    /// None: the file does not say.
    pub(crate) then: Option<Then>,
    pub(crate) before: Vec<CommandLine>,
    pub(crate) after: Vec<CommandLine>,
}

/// What builds the schema again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Push,
    Migrate,
    Nothing,
}

/// A command line, as it was written and as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub(crate) text: String,
    /// At least one.
    pub(crate) words: Vec<String>,
}
