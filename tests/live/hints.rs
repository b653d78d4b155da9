//! drizzle-kit 1.0: the same policy comes to the same end as with 0.31, and nothing reaches the server through drizzle-kit.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::NEWEST;
use crate::gate::{begin, fixture, reported};
use crate::support::{Change, Database, Theme};

const RC: &str = "1.0.0-rc.5";

/// What comes of the changes of `fixtures/changes` otherwise than with 0.31.
#[derive(Deserialize)]
struct Otherwise {
    refused: Vec<Refused>,
    different: Vec<Different>,
}

/// A change that is refused.
#[derive(Deserialize)]
struct Refused {
    change: String,
    /// None: alone it is applied, and refused beside the others of its theme.
    says: Option<String>,
    why: String,
}

/// What is made otherwise.
#[derive(Deserialize)]
struct Different {
    theme: String,
    why: String,
    only_0_31: Vec<String>,
    only_1_0: Vec<String>,
}

static OTHERWISE: LazyLock<Otherwise> =
    LazyLock::new(|| toml::from_str(include_str!("../../fixtures/hints/otherwise.toml")).expect("the fixture is TOML"));

fn is_refused(change: &Change) -> Option<&'static Refused> {
    OTHERWISE.refused.iter().find(|refused| refused.change == change.name)
}

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
    let (old, new) = (pushed(NEWEST, name), pushed(RC, name));
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        one.iter().filter(|line| !other.contains(line)).cloned().collect()
    };
    let mut found = (only(&old, &new), only(&new, &old));
    for Different { why, only_0_31, only_1_0, .. } in OTHERWISE.different.iter().filter(|it| it.theme == name) {
        assert!(!why.is_empty());
        for (listed, found) in [(only_0_31, &mut found.0), (only_1_0, &mut found.1)] {
            assert!(listed.iter().all(|line| found.contains(line)), "{name}: not found any more: {listed:#?}");
            found.retain(|line| !listed.contains(line));
        }
    }
    assert_eq!(found, (Vec::new(), Vec::new()), "{name}: only with 0.31, and only with 1.0");
    for change in Theme::read(RC, name).each() {
        let Some(Refused { says, why, .. }) = is_refused(&change.changes[0]) else { continue };
        assert!(!why.is_empty());
        let (database, project) = begin(RC, &change, |database, _| before(database, name));
        let state = database.state();
        match says {
            Some(says) => {
                drop(project.pilot(&["push"]).run().expect(3).database("unchanged").says(&[says]));
                assert_eq!(database.state(), state);
            }
            None => drop(project.pilot(&["push"]).run().expect(0).database("changed")),
        }
    }
}

fn before(database: &Database, theme: &str) {
    database.sql(&fixture("before", NEWEST, &format!("{theme}.sql")));
}

/// Pushes the changes of a theme that both know, and returns the schema that comes of it.
fn pushed(kit: &str, name: &str) -> Vec<String> {
    let mut theme = Theme::read(kit, name);
    let both = Theme::read(if kit == RC { NEWEST } else { RC }, name);
    let is_known = |change: &Change| both.changes.iter().any(|other| other.name == change.name);
    theme.changes.retain(|change| is_known(change) && is_refused(change).is_none());
    let (database, project) = begin(kit, &theme, |database, _| before(database, name));
    let log = database.log_statements();
    let ran = project.pilot(&["push"]).run().expect(0).database("changed");
    let told = log.end();
    if kit == RC {
        let is_read =
            |sql: &&String| ["select", "with"].iter().any(|word| sql.trim_start().to_lowercase().starts_with(word));
        let others: Vec<&String> = told.iter().filter(|sql| !is_read(sql)).collect();
        assert!(others.is_empty(), "drizzle-kit itself has sent {others:#?}\n{ran}");
        assert!(!reported(&ran).is_empty());
        drop(project.pilot(&["push"]).run().expect(0).says(&["no changes"]));
    }
    database.schema().lines.iter().map(|line| unnamed(line)).collect()
}

/// Returns a line of a fingerprint without the name of a constraint or an index: drizzle-kit 1.0 gives other ones to those that
/// the schema files do not name (`t_a_key`, `t_a_fkey`, `t_pkey`, as PostgreSQL does).
fn unnamed(line: &str) -> String {
    let Some((key, facts)) = line.split_once('|').and_then(|(kind, rest)| Some((kind, rest.split_once('|')?))) else {
        return line.to_owned();
    };
    let (name, facts) = facts;
    match (key, name.rsplit_once('.')) {
        ("constraint", Some((table, _))) => format!("{key}|{table}|{facts}"),
        ("index", Some((schema, own))) => {
            format!("{key}|{schema}|{}", facts.replacen(&format!("INDEX {own} "), "INDEX ", 1))
        }
        _ => line.to_owned(),
    }
}
