//! Where migrations and schema files are built for a comparison. Pure.

/// Where migrations and schema files are built for a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Scratch {
    /// The server to build them on, where one is given.
    pub(crate) url: Option<String>,
    /// Whether a server of our own may be started.
    pub(crate) starts: bool,
    /// A file of statements that run before.
    pub(crate) prelude: Option<String>,
    /// Whether what was built is kept.
    pub(crate) caches: bool,
}

impl Default for Scratch {
    fn default() -> Scratch {
        Scratch { url: None, starts: true, prelude: None, caches: true }
    }
}
