//! The project's migrations folder: what is in it, and what is wrong with it.

pub mod baseline;
pub mod disk;
pub mod finding;
pub mod folder;
pub mod git;
pub mod journal;
pub mod journal_file;
pub mod lint;
pub mod made;
pub mod pulled;
pub mod query;
pub mod reorder;
pub mod rule;
pub mod run;
pub mod schema;
pub mod snapshot;
pub mod state;
pub mod steps;
pub mod tables;

pub use finding::{Finding, Level, Place};
pub use folder::{Folder, FolderError, SqlFile};
pub use journal_file::{Entry, Journal, JournalFile};
pub use snapshot::Snapshot;
