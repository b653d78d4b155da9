//! drizzle-kit 1.0: the same policy comes to the same end as with 0.31, and nothing reaches the server through drizzle-kit.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::NEWEST;
use crate::gate::{begin, fixture, reported};
use crate::support::{Database, Project, Theme};

const RC: &str = "1.0.0-rc.5";

/// What drizzle-kit 1.0 makes otherwise than 0.31, and why.
#[derive(Deserialize)]
struct Otherwise {
    why: String,
    /// The lines of the fingerprint that only one of them makes.
    only_0_31: Vec<String>,
    only_1_0: Vec<String>,
}

static OTHERWISE: LazyLock<BTreeMap<String, Vec<Otherwise>>> =
    LazyLock::new(|| toml::from_str(include_str!("../../fixtures/hints/otherwise.toml")).expect("the fixture is TOML"));

/// Makes a check of each theme of `fixtures/changes`.
macro_rules! themes {
    ($($theme:ident)*) => {
        $(#[test] fn $theme() { check_theme(stringify!($theme)); })*
    };
}

themes! {
    tables columns types defaults enums schemas schema_renames schema_moves indexes constraints names identity generated
    sequences views policies
}

/// Pushes the changes of a theme from the same beginning with both, and checks that the same comes of it.
fn check_theme(name: &str) {
    let made = |kit: &str| {
        let mut theme = Theme::read(kit, name);
        let both = Theme::read(if kit == RC { NEWEST } else { RC }, name);
        theme.changes.retain(|change| both.changes.iter().any(|other| other.name == change.name));
        let before = |database: &Database, _: &Project| database.sql(&fixture("before", NEWEST, &format!("{name}.sql")));
        let (database, project) = begin(kit, &theme, before);
        let log = database.log_statements();
        let ran = project.pilot(&["push"]).run().expect(0).database("changed");
        let told = log.end();
        if kit == RC {
            let is_read = |sql: &&String| ["select", "with"].iter().any(|word| sql.trim_start().to_lowercase().starts_with(word));
            let others: Vec<&String> = told.iter().filter(|sql| !is_read(sql)).collect();
            assert!(others.is_empty(), "drizzle-kit itself has sent {others:#?}\n{ran}");
            assert!(!reported(&ran).is_empty());
            drop(project.pilot(&["push"]).run().expect(0).says(&["no changes"]));
        }
        database.schema().lines
    };
    let (old, new) = (made(NEWEST), made(RC));
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let mut found = (only(&old, &new), only(&new, &old));
    for Otherwise { why, only_0_31, only_1_0 } in OTHERWISE.get(name).into_iter().flatten() {
        assert!(!why.is_empty());
        for (listed, found) in [(only_0_31, &mut found.0), (only_1_0, &mut found.1)] {
            assert!(listed.iter().all(|line| found.contains(line)), "{name}: not found any more: {listed:#?}");
            found.retain(|line| !listed.contains(line));
        }
    }
    assert_eq!(found, (Vec::new(), Vec::new()), "{name}: only with 0.31, and only with 1.0");
}
