//! What a policy forbids: commands, environments, hosts and a flag. Pure.

use crate::policy::model::policy::Policy;
use crate::policy::model::rule::RuleRef;
use crate::policy::model::variable::{PRODUCTION, Variable};

/// A profile that bans something, and its line.
#[derive(Debug, Clone, Copy)]
pub struct Ban<'a> {
    pub(crate) profile: &'a str,
    pub rule: &'a RuleRef,
}

impl Policy {
    /// Returns this policy and those of the other profiles that are called for.
    fn all(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(self).chain(&self.called_for)
    }

    /// Returns the profile that bans a command, if one does.
    pub fn bans_command(&self, command: &str) -> Option<Ban<'_>> {
        self.all().find_map(|policy| {
            let commands = policy.guard.commands.as_ref()?;
            let is_named = commands.value.iter().any(|allowed| allowed == command);
            (!is_named).then(|| Ban { profile: policy.profile().unwrap_or_default(), rule: &commands.rule })
        })
    }

    /// Returns the rule that bans commands which change a database in this environment, and the variable it names.
    ///
    /// What the profile names under `commands` is meant to run where the profile applies. There the lines outside of it do
    /// not count, as a ban of the command has been looked for before.
    pub fn bans_environment(&self, env: &dyn Fn(&str) -> Option<String>) -> Option<(&RuleRef, &Variable)> {
        self.all().find_map(|policy| {
            let refuse = policy.guard.refuse_env.as_ref()?;
            if policy.guard.commands.is_some() && refuse.layer.is_none() {
                return None;
            }
            let banned = refuse.lines.iter().find(|variable| variable.value.is_set(env))?;
            Some((&banned.rule, &banned.value))
        })
    }

    /// Returns everything in this environment that says that a database must not be emptied, with the rule. Where no file
    /// speaks of it, the usual words for production do. No profile's `commands` lifts it.
    pub(crate) fn bans_emptying(&self, env: &dyn Fn(&str) -> Option<String>) -> Vec<(Variable, RuleRef)> {
        let usual = || {
            PRODUCTION.map(|(name, value)| {
                let variable = Variable { name: name.to_owned(), value: value.to_owned() };
                (variable, RuleRef::built_in("guard.refuse_env"))
            })
        };
        let mut ruled: Vec<(Variable, RuleRef)> = Vec::new();
        for policy in self.all() {
            match &policy.guard.refuse_env {
                Some(refuse) => ruled.extend(refuse.lines.iter().map(|line| (line.value.clone(), line.rule.clone()))),
                None => ruled.extend(usual()),
            }
        }
        ruled.retain(|(variable, _)| variable.is_set(env));
        ruled.dedup();
        ruled
    }

    /// Returns the rule that bans `--accept-data-loss`, if one does.
    pub(crate) fn bans_accepting_data_loss(&self) -> Option<&RuleRef> {
        let banned =
            self.all().filter_map(|policy| policy.guard.accept_data_loss.as_ref()).find(|accept| !accept.value);
        banned.map(|accept| &accept.rule)
    }

    /// Returns the patterns of `guard.hosts`: what `reset` may touch.
    pub(crate) fn guarded_hosts(&self) -> Vec<String> {
        self.guard.hosts.iter().map(|pattern| pattern.text().to_owned()).collect()
    }

    /// Returns those of the other profiles that are called for: each list must have the host as well.
    pub(crate) fn guarded_hosts_of_others(&self) -> Vec<Vec<String>> {
        self.called_for.iter().map(Policy::guarded_hosts).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::file::parse;
    use crate::policy::file::testing::check;

    #[test]
    fn naming_another_profile_is_no_way_around_what_one_bans_that_applies() {
        let text = "[guard]
            hosts = [\"localhost\"]
            refuse_env = [\"STAGE=live\"]
            [profiles.dev]
            guard = { hosts = [\"*\"], refuse_env = [] }
            [profiles.production]
            when = { env = [\"NODE_ENV=production\"], hosts = [\"*.prod\"] }
            commands = [\"migrate\"]
            accept_data_loss = false
            [profiles.live]
            when.env = [\"STAGE=live\"]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let check = |env: &[(&str, &str)], host: Option<&str>, banned: &[&str]| {
            let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let dev = policies.select(Some("dev"), &env, host).expect("the profile exists");
            assert_eq!(dev.profile(), Some("dev"));
            let by = dev.bans_command("push").map(|ban| (ban.profile.to_owned(), "push"));
            let loss = dev.bans_accepting_data_loss().map(|rule| (rule.path.clone(), "loss"));
            let by_variable = dev.bans_environment(&env).map(|(rule, _)| (rule.path.clone(), "environment"));
            let found: Vec<String> =
                [by, loss, by_variable].into_iter().flatten().map(|(by, what)| format!("{what}: {by}")).collect();
            assert_eq!(found, banned, "{host:?}");
            let others = if banned.is_empty() { Vec::new() } else { vec![vec!["localhost".to_owned()]] };
            assert_eq!(dev.guarded_hosts_of_others(), others, "a reset needs the host there as well");
        };
        let banned = ["push: production", "loss: profiles.production.accept_data_loss"];
        check(&[], None, &[]);
        check(&[("NODE_ENV", "PROD ")], None, &banned);
        check(&[], Some("db.prod"), &banned);
        check(&[("STAGE", "live")], None, &["environment: guard.refuse_env"]);
    }

    #[test]
    fn what_a_profile_names_runs_where_it_applies_and_a_reset_stays_refused() {
        let text = "guard.refuse_env = [\"NODE_ENV=production\"]
            [profiles.production]
            when.env = [\"NODE_ENV=production\"]
            commands = [\"migrate\", \"reset\"]
            [profiles.other]
            [profiles.own]
            commands = [\"migrate\"]
            guard.refuse_env = [\"NODE_ENV=production\"]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let env = |name: &str| (name == "NODE_ENV").then(|| "production".to_owned());
        let check = |profile: Option<&str>, expected: Option<&str>| {
            let policy = policies.select(profile, &env, None).expect("the profile exists");
            assert_eq!(policy.bans_environment(&env).map(|(rule, _)| rule.path.as_str()), expected, "{profile:?}");
            assert!(!policy.bans_emptying(&env).is_empty());
        };
        check(None, None);
        check(Some("production"), None);
        check(Some("other"), Some("guard.refuse_env"));
        check(Some("own"), Some("profiles.own.guard.refuse_env"));
    }

    #[test]
    fn a_value_has_several_spellings_and_no_other() {
        let policies = |line: &str| {
            let text = format!("guard.refuse_env = [\"{line}\"]");
            parse(Path::new("p.toml"), &text).unwrap_or_else(|error| panic!("{error}"))
        };
        let is_refused = |line: &str, value: &str| {
            let env = |name: &str| (name == "X").then(|| value.to_owned());
            let policy = policies(line).select(None, &env, None).expect("there is no profile");
            policy.bans_environment(&env).is_some()
        };
        for line in ["X=production", "X=prod", " X = PRODUCTION "] {
            for value in ["production", "PRODUCTION", "Prod", "prd", " production\n"] {
                assert!(is_refused(line, value), "{line} {value:?}");
            }
            for value in ["", "preproduction", "production-eu", "1"] {
                assert!(!is_refused(line, value), "{line} {value:?}");
            }
        }
        for line in ["X=true", "X=1"] {
            for value in ["1", "TRUE", "yes", "on"] {
                assert!(is_refused(line, value), "{line} {value:?}");
            }
            assert!(!is_refused(line, "0") && !is_refused(line, "false") && !is_refused(line, ""));
        }
        assert!(is_refused("X=", "") && is_refused("X=", " ") && !is_refused("X=", "a"));
        check(
            "guard.refuse_env = [\"NODE ENV=production\"]",
            "error: `NODE ENV` is not the name of a variable
 --> p.toml:2:21
  |
2 | guard.refuse_env = [\"NODE ENV=production\"]
  |                     ^^^^^^^^^^^^^^^^^^^^^",
        );
    }
}
