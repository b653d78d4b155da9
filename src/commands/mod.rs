//! One story per command, and nothing else.

pub mod check;
pub mod doctor;
pub mod generate;
pub mod init;
pub mod man;
pub mod migrate;
pub mod next;
pub mod plan;
pub mod policy;
pub mod push;
pub mod replay;
pub mod reset;
pub mod run;
pub mod status;
pub mod sync;
