//! Refuses to mark migrations as applied where the database has other names than they give, unless the policy allows it. Pure.

use crate::policy::allow::Allow;
use crate::policy::decide::Refusal;
use crate::policy::model::{Policy, SyncNames};

/// Returns the refusal of a sync past names, which is said in one line; none where the policy allows it.
pub(crate) fn refusal(policy: &Policy, what: &str) -> Option<Refusal> {
    let (names, because) = policy.sync_names();
    if names == SyncNames::Warn {
        return None;
    }
    let allow = Allow::of_key(policy, "to keep these names", "sync", "names", "warn");
    Some(Refusal { what: what.to_owned(), because: Some(because), allow: allow.into_iter().collect() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::policy::model::Policies;

    fn select(policies: &Policies, profile: Option<&str>) -> Policy {
        policies.select(profile, &|_| None, None).expect("the profile is there")
    }

    #[test]
    fn names_are_refused_until_a_line_allows_them() {
        let refused = refusal(&Policy::built_in(), "names differ").expect("they are refused by default");
        assert_eq!(refused.because.as_ref().map(ToString::to_string).as_deref(), Some("built-in policy (sync.names)"));
        let lines = refused.allow_with().expect("a line allows them");
        assert!(lines.contains("[sync]\nnames = \"warn\""), "{lines}");
        let policies = parse(Path::new("p.toml"), &lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
        assert_eq!(refusal(&select(&policies, None), ""), None);
    }

    #[test]
    fn a_profile_allows_for_itself_alone() {
        let text = "version = 1\n[sync]\nnames = \"warn\"\n[profiles.production]\nsync.names = \"refuse\"\n";
        let policies = parse(Path::new("p.toml"), text).expect("it is a policy");
        assert_eq!(refusal(&select(&policies, None), ""), None);
        let refused = refusal(&select(&policies, Some("production")), "").expect("the profile refuses");
        let because = refused.because.as_ref().expect("a line refuses").to_string();
        assert_eq!(because, "p.toml:5 profiles.production.sync.names");
        assert_eq!(refused.allow_with().as_deref(), Some("sync.names = \"warn\""));
    }
}
