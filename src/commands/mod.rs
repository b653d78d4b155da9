//! One story per command, and nothing else.

pub(crate) mod check;
pub(crate) mod doctor;
pub(crate) mod generate;
pub(crate) mod init;
pub(crate) mod man;
pub(crate) mod migrate;
pub(crate) mod next;
pub(crate) mod plan;
pub mod policy;
pub(crate) mod push;
pub(crate) mod replay;
pub(crate) mod reset;
pub(crate) mod run;
pub(crate) mod status;
pub(crate) mod sync;
