//! What a run shows: the report, the page, findings, and text for people.

pub mod console;
pub mod delivery;
pub mod findings;
pub mod github;
pub mod log;
pub mod question;
pub mod record;
pub mod report;
