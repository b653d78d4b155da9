//! One file per command, and the flight they share. The only place where the areas meet.

pub mod push;
pub mod generate;
pub mod run;
pub mod policy;
pub mod replay;
pub mod flight;
pub mod copilot;
