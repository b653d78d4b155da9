//! Refuses to migrate where the folder contradicts the migrations table, unless the policy allows it. Pure.

use crate::policy::allow::Allow;
use crate::policy::decide::Refusal;
use crate::policy::model::{Anomaly, Policy};

/// Returns the refusal of a migrate past something, which is said in one line; none where the policy allows it.
pub(crate) fn refusal(policy: &Policy, anomaly: Anomaly, what: &str) -> Option<Refusal> {
    let (allowed, because) = policy.migrates_past(anomaly);
    if allowed {
        return None;
    }
    let allow = Allow::of_key(policy, "to migrate anyway", "migrate", anomaly.key(), "approve");
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
    fn what_does_not_fit_is_refused_until_a_line_allows_it() {
        for anomaly in Anomaly::ALL {
            let refused = refusal(&Policy::built_in(), anomaly, "it does not fit").expect("it is refused by default");
            let lines = refused.allow_with().expect("a line allows it");
            assert!(lines.contains(&format!("[migrate]\n{} = \"approve\"", anomaly.key())), "{lines}");
            let policies = parse(Path::new("p.toml"), &lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
            assert_eq!(refusal(&select(&policies, None), anomaly, ""), None);
            for other in Anomaly::ALL.into_iter().filter(|other| *other != anomaly) {
                assert!(refusal(&select(&policies, None), other, "").is_some(), "{other:?}");
            }
        }
    }

    #[test]
    fn a_profile_allows_for_itself_alone() {
        let text =
            "version = 1\n[migrate]\nskipped = \"approve\"\n[profiles.production]\nmigrate.skipped = \"refuse\"\n";
        let policies = parse(Path::new("p.toml"), text).expect("it is a policy");
        assert_eq!(refusal(&select(&policies, None), Anomaly::Skipped, ""), None);
        let refused =
            refusal(&select(&policies, Some("production")), Anomaly::Skipped, "").expect("the profile refuses");
        assert_eq!(
            refused.because.as_ref().expect("a line refuses").to_string(),
            "p.toml:5 profiles.production.migrate.skipped"
        );
        assert_eq!(refused.allow_with().as_deref(), Some("migrate.skipped = \"approve\""));
    }
}
