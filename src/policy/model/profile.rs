//! The policies of a file, and which of them applies. Pure.

use std::collections::BTreeMap;

use crate::command_name::CommandName;
use crate::host::Pattern as HostPattern;
use crate::policy::model::policy::Policy;
use crate::policy::model::rule::Source;
use crate::policy::model::variable::{PRODUCTION, Variable};
use crate::policy::wording::{closest, quoted};

/// The commands that a profile may name under `commands`.
pub(in crate::policy) const COMMANDS: [&str; 9] = [
    CommandName::Push.as_str(),
    CommandName::Plan.as_str(),
    CommandName::Generate.as_str(),
    CommandName::Migrate.as_str(),
    CommandName::Run.as_str(),
    CommandName::Reset.as_str(),
    CommandName::Status.as_str(),
    CommandName::Check.as_str(),
    CommandName::Sync.as_str(),
];

/// A policy file: the policy without a profile, and one policy for each profile.
#[derive(Debug, Clone)]
pub struct Policies {
    pub(in crate::policy) digest: Option<String>,
    pub(in crate::policy) base: Policy,
    pub(in crate::policy) profiles: BTreeMap<String, Profile>,
}

/// A profile: its policy, merged, and when it applies by itself.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Profile {
    pub(in crate::policy) policy: Policy,
    pub(in crate::policy) env: Vec<Variable>,
    pub(in crate::policy) hosts: Vec<HostPattern>,
}

/// Why no policy could be picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The profile that was asked for is not in the file.
    #[error("{source_name} has no profile `{name}`")]
    Unknown { name: String, source_name: String, known: Vec<String> },
    /// The conditions of several profiles hold.
    #[error("the profiles {} of {source_name} apply at the same time", listed(.matching))]
    Several { source_name: String, matching: Vec<Match> },
}

/// A profile whose condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The name of the profile.
    pub(crate) profile: String,
    /// The condition, such as `NODE_ENV=production`.
    pub(crate) because: String,
}

impl Policies {
    /// Returns what applies where there is no file: it refuses every loss and knows no rename.
    pub fn built_in() -> Policies {
        Policies { digest: None, base: Policy::built_in(), profiles: BTreeMap::new() }
    }

    /// Returns where the policy comes from.
    pub(crate) fn source(&self) -> &Source {
        &self.base.source
    }

    /// Returns the SHA-256 of the file, in hexadecimal, if there is a file.
    pub(crate) fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the servers that the file gives for comparisons: their URLs may hold passwords.
    pub(crate) fn scratch_urls(&self) -> impl Iterator<Item = &str> {
        let policies = self.profiles.values().map(|profile| &profile.policy).chain([&self.base]);
        policies.filter_map(|policy| policy.scratch.url.as_deref())
    }

    /// Returns the names of the profiles.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Tells whether the target's host has to be known before a profile can be picked.
    pub(crate) fn needs_host(&self) -> bool {
        self.profiles.values().any(|profile| !profile.hosts.is_empty())
    }

    /// Picks the policy: that of the profile named, else that of the one profile whose `when` holds, else the base. Naming
    /// another profile is no way around what one bans whose `when` holds.
    pub fn select(
        &self,
        explicit: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
        host: Option<&str>,
    ) -> Result<Policy, SelectError> {
        if let Some(name) = explicit {
            let profile = self.profiles.get(name).ok_or_else(|| SelectError::Unknown {
                name: name.to_owned(),
                source_name: self.source().to_string(),
                known: self.profiles.keys().cloned().collect(),
            })?;
            let others = self.matching(env, host).into_iter().filter(|found| found.profile != name);
            let called_for = others.map(|found| self.profiles[&found.profile].policy.clone()).collect();
            return Ok(Policy { called_for, ..profile.policy.clone() });
        }
        let matching = self.matching(env, host);
        match matching.as_slice() {
            [] => Ok(self.base.clone()),
            [only] => Ok(self.profiles[&only.profile].policy.clone()),
            _ => Err(SelectError::Several { source_name: self.source().to_string(), matching }),
        }
    }

    /// Returns the names of the variables by which the environment decides.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.base).chain(self.profiles.values().map(|profile| &profile.policy));
        let refused = all.flat_map(|policy| &policy.guard.refuse_env).flat_map(|refuse| &refuse.lines);
        let conditions = self.profiles.values().flat_map(|profile| &profile.env);
        let usual = PRODUCTION.iter().map(|(name, _)| *name);
        refused.map(|line| &line.value).chain(conditions).map(|variable| &*variable.name).chain(usual)
    }

    /// Returns the policies of which one will apply, whatever the host turns out to be.
    ///
    /// # Errors
    /// As [`Policies::select`].
    pub(crate) fn possible(
        &self,
        explicit: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Policy>, SelectError> {
        let known = self.select(explicit, env, None)?;
        // A host on top of what holds already would be one profile too many.
        let is_settled = explicit.is_some() || !self.matching(env, None).is_empty();
        let by_host = self.profiles.values().filter(|profile| !is_settled && !profile.hosts.is_empty());
        Ok(std::iter::once(known).chain(by_host.map(|profile| profile.policy.clone())).collect())
    }

    /// Returns the profiles whose `when` holds, whichever was named explicitly.
    pub(crate) fn matching(&self, env: &dyn Fn(&str) -> Option<String>, host: Option<&str>) -> Vec<Match> {
        let condition = |profile: &Profile| {
            let variable = profile.env.iter().find(|variable| variable.is_set(env)).map(Variable::to_string);
            variable.or_else(|| {
                let host = host.filter(|host| profile.hosts.iter().any(|pattern| pattern.matches(host)));
                host.map(|host| format!("host {host}"))
            })
        };
        let matching = self
            .profiles
            .iter()
            .filter_map(|(name, profile)| condition(profile).map(|because| Match { profile: name.clone(), because }));
        matching.collect()
    }
}

impl SelectError {
    /// Returns what to do about it.
    pub(crate) fn hint(&self) -> String {
        match self {
            SelectError::Unknown { name, known, .. } => match closest(name, known.iter().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None if known.is_empty() => "the file has no [profiles]".to_owned(),
                None => format!("its profiles are {}", quoted(known)),
            },
            SelectError::Several { .. } => {
                "specify one with --profile, or make their `when` exclude each other".to_owned()
            }
        }
    }
}

fn listed(matching: &[Match]) -> String {
    let matching: Vec<String> =
        matching.iter().map(|found| format!("`{}` ({})", found.profile, found.because)).collect();
    matching.join(" and ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::sql::hazard::Hazard;

    #[test]
    fn a_profile_is_picked_by_name_or_by_the_one_condition_that_holds() {
        let text = "version = 1
            [profiles.ci]
            when.env = [\"CI=true\", \"CI=1\"]
            [profiles.production]
            when = { env = [\"NODE_ENV=production\"], hosts = [\"*.prod.example.com\"] }
            [profiles.named]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        assert!(policies.needs_host());
        let picked = |explicit: Option<&str>, env: &[(&str, &str)], host: Option<&str>| {
            let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            match policies.select(explicit, &env, host) {
                Ok(policy) => policy.profile().unwrap_or("none").to_owned(),
                Err(error) => format!("{error}: {}", error.hint()),
            }
        };
        let ci = ("CI", "true");
        let production = ("NODE_ENV", "production");
        let cases = [
            (None, &[][..], None, "none"),
            (None, &[ci], None, "ci"),
            (None, &[("CI", "false")], None, "none"),
            (None, &[], Some("a.PROD.example.com"), "production"),
            (None, &[production], Some("localhost"), "production"),
            (Some("named"), &[ci, production], None, "named"),
            (
                None,
                &[ci, production],
                None,
                "the profiles `ci` (CI=true) and `production` (NODE_ENV=production) of p.toml apply at the same time: \
                 specify one with --profile, or make their `when` exclude each other",
            ),
            (Some("prod"), &[], None, "p.toml has no profile `prod`: did you mean `production`?"),
            (Some("x"), &[], None, "p.toml has no profile `x`: its profiles are `ci`, `named`, `production`"),
        ];
        for (explicit, env, host, expected) in cases {
            assert_eq!(picked(explicit, env, host), expected, "--profile {explicit:?} under {env:?} on {host:?}");
        }
        let matching = policies.matching(&|name| (name == "CI").then(|| "1".to_owned()), None);
        assert_eq!(matching.len(), 1, "the caller can warn that another profile would apply");
        let built_in = Policies::built_in().select(Some("ci"), &|_| None, None).expect_err("there is no profile");
        assert!(matches!(&built_in, SelectError::Unknown { .. }));
        assert_eq!(built_in.hint(), "the file has no [profiles]");
    }

    #[test]
    fn a_profile_overrides_key_by_key_and_a_kind_wins_over_its_class() {
        let text = "version = 1
[hazards]
drop_table = \"approve\"
truncate = { max_rows = 5 }
[profiles.strict.hazards]
data_loss = \"refuse\"
truncate = \"refuse\"";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let strict = policies.select(Some("strict"), &|_| None, None).expect("the profile exists");
        let rules = [Hazard::DropTable, Hazard::Truncate, Hazard::DropColumn, Hazard::Grant];
        let rules = rules.map(|hazard| strict.hazard(hazard).1.to_string());
        assert_eq!(
            rules,
            [
                "p.toml:3 hazards.drop_table",
                "p.toml:7 profiles.strict.hazards.truncate",
                "p.toml:6 profiles.strict.hazards.data_loss",
                "built-in policy (hazards.grant)",
            ]
        );
    }
}
