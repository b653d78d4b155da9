//! The project's migrations folder: what is in it, and what is wrong with it.

pub(crate) mod baseline;
pub mod disk;
pub(crate) mod finding;
pub(crate) mod folder;
pub(crate) mod git;
pub mod journal;
pub(crate) mod journal_file;
pub mod lint;
pub(crate) mod made;
pub(crate) mod pulled;
pub(crate) mod query;
pub(crate) mod reorder;
pub mod rule;
pub(crate) mod run;
pub(crate) mod schema;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod tables;

pub use finding::{Finding, Level, Place};
pub use folder::{Folder, FolderError, SqlFile};
pub use journal_file::{Entry, Journal, JournalFile};
pub use snapshot::Snapshot;
