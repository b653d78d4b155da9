//! One file per command, and the flight they share. The only place where the areas meet.

pub mod casting;
pub mod check;
pub mod copilot;
pub mod doctor;
pub mod findings;
pub mod flight;
pub mod folder;
pub mod forgotten;
pub mod gate;
pub mod generate;
pub mod logbook;
pub mod look;
pub mod plan;
pub mod plan_file;
pub mod policy;
pub mod push;
pub mod replay;
pub mod reset;
pub mod run;
pub mod target;
pub mod transaction;
pub mod verdict;
