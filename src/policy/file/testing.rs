//! Compares what is said about policies, for the tests of several files.

use std::path::Path;

use crate::policy::file::parse;

/// A policy with a line of every kind.
pub(in crate::policy) const CONTRACT: &str = include_str!("../../../fixtures/policies/contract.toml");

/// Compares the whole error of a policy with the lines below `version = 1`.
pub(in crate::policy) fn check(lines: &str, expected: &str) {
    let text = format!("version = 1\n{lines}");
    match parse(Path::new("p.toml"), &text) {
        Ok(_) => panic!("this is no policy, and yet it is accepted:\n{text}"),
        Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
    }
}
