//! What the policy says about the findings of `check`: which matter, and about what. Pure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::migrations::Level;
use crate::migrations::rule::{Named, Rule, Wishes};
use crate::policy::name::{ObjectName, Pattern};

/// What the policy says about findings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Check {
    /// The migrations folders, instead of the one that drizzle's config names.
    pub(in crate::policy) migrations: Option<Vec<String>>,
    pub(in crate::policy) fail_on: Option<Level>,
    pub(in crate::policy) rules: BTreeMap<&'static str, Line>,
    pub(in crate::policy) accepted: Vec<Accepted>,
}

/// An old fault of a journal or a snapshot that is not told any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Accepted {
    pub(in crate::policy) rule: &'static Rule,
    /// The file that it is about, as seen from the project.
    pub(in crate::policy) file: PathBuf,
}

/// What it says about one rule.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Line {
    /// None where only exceptions are named.
    pub(in crate::policy) wish: Option<Wish>,
    pub(in crate::policy) except: Vec<Pattern>,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::policy) enum Wish {
    Off,
    On(Level),
}

impl Check {
    /// Returns the migrations folders that the policy names.
    pub(crate) fn migrations(&self) -> Option<&[String]> {
        self.migrations.as_deref()
    }

    /// Returns how bad a finding must be to end the command with 2.
    pub(crate) fn fail_on(&self) -> Level {
        self.fail_on.unwrap_or(Level::Warning)
    }

    /// Calls a function with what the user wants of the rules.
    pub(crate) fn wishing<T>(&self, then: impl FnOnce(Wishes<'_>) -> T) -> T {
        let level = |named: Named| match self.rules.get(named.id()).and_then(|line| line.wish) {
            Some(Wish::Off) => None,
            Some(Wish::On(level)) => Some(level),
            None => named.level(),
        };
        let spares = |named: Named, object: &ObjectName| {
            self.rules.get(named.id()).is_some_and(|line| line.except.iter().any(|pattern| pattern.matches(object)))
        };
        let accepts = |rule: &'static Rule, file: &Path| {
            self.accepted.iter().any(|accepted| accepted.rule == rule && file.ends_with(&accepted.file))
        };
        then(Wishes { level: &level, spares: &spares, accepts: &accepts })
    }

    /// Writes an old fault as the policy names it.
    pub(crate) fn accepted_line(rule_id: &str, file: &Path) -> String {
        format!("{rule_id} {}", file.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::file::parse;

    /// Returns what the policy says of a rule and an object, as `warning` or `off`.
    fn said(text: &str, profile: Option<&str>, id: &str, object: &str) -> String {
        let policies = parse(Path::new("p.toml"), text).expect("the case is a policy");
        let policy = policies.select(profile, &|_| None, None).expect("the profile is there");
        let object = ObjectName::new(object.split('.'));
        let named = Named::find(id).expect("there is such a rule");
        policy.check().wishing(|wishes| match (wishes.level)(named) {
            _ if (wishes.spares)(named, &object) => "spared".to_owned(),
            None => "off".to_owned(),
            Some(level) => level.name().to_owned(),
        })
    }

    #[test]
    fn a_rule_has_the_level_and_the_exceptions_of_its_line() {
        let text = r#"
version = 1
[check]
fail_on = "error"
[check.rules]
drop-table = "off"
drop-column = { except = ["users.legacy_*"] }
rename-column = { level = "error", except = ["shop.*.tmp"] }
prefer-text-field = "warning"
[profiles.ci.check.rules]
drop-table = "warning"
"#;
        let check = |profile, id, object, expected: &str| {
            assert_eq!(said(text, profile, id, object), expected, "{id} {object}")
        };
        check(None, "drop-table", "public.users", "off");
        check(Some("ci"), "drop-table", "public.users", "warning");
        check(Some("ci"), "drop-column", "public.users.legacy_id", "spared");
        check(None, "drop-column", "public.users.id", "error");
        check(None, "rename-column", "shop.orders.tmp", "spared");
        check(None, "rename-column", "public.orders.tmp", "error");
        check(None, "prefer-text-field", "public.orders", "warning");
        check(None, "prefer-bigint-over-int", "public.orders", "off");
        check(None, "truncate", "public.orders", "error");
    }
}
