//! The project's migrations folder, as far as it tells what the project ever had.

pub mod tables;
