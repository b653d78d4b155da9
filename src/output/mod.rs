//! What a run shows: the report, the page, findings, and text for people.

pub mod console;
pub(crate) mod delivery;
pub(crate) mod findings;
pub(crate) mod github;
pub(crate) mod log;
pub(crate) mod question;
pub(crate) mod record;
pub mod report;
