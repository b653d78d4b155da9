//! The program with real drizzle-kits and a real PostgreSQL. Run by `scripts/test`, which prepares both.

#[allow(dead_code, unused_imports, reason = "the rest is for the tests without servers")]
#[path = "../support/mod.rs"]
mod support;

/// The newest drizzle-kit of the 0.x line: for what does not depend on the kit.
const NEWEST: &str = "0.31.11";

/// Makes one test per drizzle-kit of each function.
macro_rules! on_every_kit {
    ($($case:ident)*) => {
        on_every_kit!(@ kit_0_21_4 "0.21.4" $($case)*);
        on_every_kit!(@ kit_0_22_8 "0.22.8" $($case)*);
        on_every_kit!(@ kit_0_28_1 "0.28.1" $($case)*);
        on_every_kit!(@ kit_0_31_11 "0.31.11" $($case)*);
    };
    (@ $kit:ident $version:literal $($case:ident)*) => {
        mod $kit {
            $(#[test] fn $case() { super::$case($version); })*
        }
    };
}

/// Makes a test of each function with drizzle-kit 1.0, which comes to the same end with the same policy.
macro_rules! on_1_0_as_well {
    ($($case:ident)*) => {
        on_every_kit!(@ kit_1_0_0_rc_5 "1.0.0-rc.5" $($case)*);
    };
}

mod advisory_lock;
mod apply;
mod cast;
mod casting;
mod changes;
mod corpus;
mod fingerprint;
mod foreign;
mod formats;
mod gate;
mod generate;
mod hints;
mod hold;
mod hunt;
mod left_out;
mod migrations;
mod names;
mod next;
mod obstacles;
mod plan;
mod reach;
mod recheck;
mod refusals;
mod renames;
mod reset;
mod reset_faults;
mod reset_rivals;
mod run;
mod scratch;
mod transaction;
mod uncompared;

mod failures;
mod surroundings;

mod ci;
mod docker;
mod doctor;
mod emptying;
mod endings;
mod getting_started;
mod log;
mod logins;
mod managed;
mod npm;

mod check;
mod drivers;
mod pglite;
mod phantoms;
mod readings;
mod remote;
mod secrets;
mod shapes;
mod sqlite;
