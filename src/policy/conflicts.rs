//! Finds lines of a policy that undo or repeat one another. Pure. None of them is an error: each may be what is meant.

use crate::command_name::CommandName;
use crate::host;
use crate::policy::model::{HazardKey, HazardRule, Policies, Policy, Profile, Then, Variable};
use crate::policy::name::Pattern;

/// The commands that change a database, and so may be refused by a variable.
const CHANGING: [&str; 5] = [
    CommandName::Push.as_str(),
    CommandName::Migrate.as_str(),
    CommandName::Run.as_str(),
    CommandName::Sync.as_str(),
    RESET,
];
const RESET: &str = CommandName::Reset.as_str();

/// Returns what contradicts or shadows something else, a sentence each.
pub(super) fn conflicts(policies: &Policies) -> Vec<String> {
    let mut all = within(&policies.base);
    for (name, profile) in &policies.profiles {
        all.extend(within(&profile.policy));
        all.extend(guarded(name, profile));
        all.extend(emptied(name, profile));
    }
    all.extend(at_once(policies));
    all
}

/// Returns the lines of one part of the file that are without effect because of another.
fn within(policy: &Policy) -> Vec<String> {
    let mut all = Vec::new();
    for (key, line) in policy.hazards.iter().filter(|(_, line)| line.layer == policy.profile) {
        if let HazardKey::Class(class) = key
            && class.kinds().all(|kind| policy.hazards.contains_key(&HazardKey::Kind(kind)))
        {
            all.push(format!("{} has no effect: each of its kinds has its own line", line.rule));
        }
        if let HazardRule::Limit { only: Some(only), .. } = &line.value {
            all.extend(
                covered(only.iter()).map(|(one, other)| format!("{}: `{one}` is covered by `{other}`", line.rule)),
            );
        }
    }
    for create in policy.renames.create.values().filter(|create| create.layer == policy.profile) {
        let patterns = create.patterns.iter().map(|pattern| &pattern.value);
        let rule = |one: &str| create.patterns.iter().find(|pattern| pattern.value.text() == one);
        all.extend(
            covered(patterns)
                .filter_map(|(one, other)| Some(format!("{}: `{one}` is covered by `{other}`", rule(&one)?.rule))),
        );
    }
    if let Some(refuse) = policy.guard.refuse_env.as_ref().filter(|refuse| refuse.layer == policy.profile) {
        for (idx, line) in refuse.lines.iter().enumerate() {
            if let Some(first) = refuse.lines[..idx].iter().find(|first| first.value.is_same(&line.value)) {
                all.push(format!("{}: `{}` means what `{}` means", line.rule, line.value, first.value));
            }
        }
    }
    if policy.prompts.layer == policy.profile {
        let rules = &policy.prompts.rules;
        for (idx, rule) in rules.iter().enumerate() {
            if let Some(first) = rules[..idx].iter().find(|first| first.question.as_str() == rule.question.as_str()) {
                all.push(format!(
                    "{} matches the same question as {}: if their answers differ, the run stops",
                    rule.rule, first.rule
                ));
            }
        }
    }
    all
}

/// Returns the patterns that match one name which another matches as well, with that.
fn covered<'a>(patterns: impl Iterator<Item = &'a Pattern> + Clone) -> impl Iterator<Item = (String, String)> {
    let all: Vec<&Pattern> = patterns.collect();
    let pairs = all.clone().into_iter().enumerate().filter_map(move |(idx, one)| {
        let name = one.exact()?;
        let others = all.iter().enumerate().filter(|(other_idx, _)| *other_idx != idx);
        let mut wider =
            others.filter(|(other_idx, other)| other.matches(&name) && (other.exact().is_none() || *other_idx < idx));
        wider.next().map(|(_, other)| (one.text().to_owned(), other.text().to_owned()))
    });
    pairs.collect::<Vec<_>>().into_iter()
}

/// Returns where a profile's own condition is what its guard refuses.
fn guarded(name: &str, profile: &Profile) -> Vec<String> {
    let policy = &profile.policy;
    let mut all = Vec::new();
    if let Some(commands) = policy.guard.commands.as_ref().filter(|commands| commands.value.is_empty()) {
        all.push(format!("{} allows no command", commands.rule));
    }
    let Some(refuse) = &policy.guard.refuse_env else { return all };
    // What stands outside of the profile does not reach the commands that it names.
    if policy.guard.commands.is_some() && refuse.layer.is_none() {
        return all;
    }
    let named = policy.guard.commands.as_ref().map(|commands| {
        let changing = commands.value.iter().filter(|command| CHANGING.contains(&command.as_str()));
        changing.cloned().collect::<Vec<_>>()
    });
    for line in &refuse.lines {
        if !profile.env.iter().any(|variable| variable.is_same(&line.value)) {
            continue;
        }
        match &named {
            Some(named) if named.is_empty() => {}
            Some(named) => all.push(format!(
                "profile {name} names {} and applies under {}, where {} refuses it",
                named.join(", "),
                line.value,
                line.rule
            )),
            None => all.push(format!(
                "profile {name} applies under {}, where {} refuses every command that changes a database: list the allowed ones under `commands`",
                line.value, line.rule
            )),
        }
    }
    all
}

/// Returns where a profile names `reset`, and it cannot run there.
fn emptied(name: &str, profile: &Profile) -> Vec<String> {
    let policy = &profile.policy;
    let Some(commands) = policy.guard.commands.as_ref() else { return Vec::new() };
    let names = |command: &str| commands.value.iter().any(|named| named == command);
    if !names(RESET) {
        return Vec::new();
    }
    let mut all = Vec::new();
    // Each variable of its condition, one at a time.
    for variable in &profile.env {
        let env = |name: &str| (name == variable.name).then(|| variable.value.clone());
        if let Some((_, rule)) = policy.bans_emptying(&env).first() {
            all.push(format!("profile {name} names reset and applies under {variable}, where {rule} refuses it"));
        }
    }
    if policy.guard.hosts.is_empty() {
        all.push(format!("profile {name} names reset, but guard.hosts names no host"));
    }
    let hosts = profile.hosts.iter().filter_map(host::Pattern::exact);
    let missing = hosts
        .filter(|host| !policy.guard.hosts.is_empty() && policy.guard.hosts.iter().all(|known| !known.matches(host)));
    all.extend(
        missing.map(|host| {
            format!("profile {name} names reset and applies at host {host}, which guard.hosts does not name")
        }),
    );
    let then = match policy.reset.then {
        Some(Then::Push) => "push",
        Some(Then::Migrate) => "migrate",
        Some(Then::Nothing) | None => return all,
    };
    if !names(then) {
        all.push(format!("profile {name} names reset, but not {then}, which reset.then runs after it"));
    }
    all
}

/// Returns the profiles that one condition calls for together.
fn at_once(policies: &Policies) -> Vec<String> {
    let mut all = Vec::new();
    let profiles: Vec<_> = policies.profiles.iter().collect();
    for (idx, (name, profile)) in profiles.iter().enumerate() {
        for (other_name, other) in &profiles[..idx] {
            let has_variable = |variable: &&Variable| other.env.iter().any(|known| known.is_same(variable));
            let has_host = |pattern: &&host::Pattern| {
                other.hosts.iter().any(|known| match pattern.exact() {
                    Some(host) => known.matches(&host),
                    None => known.text().eq_ignore_ascii_case(pattern.text()),
                })
            };
            let variables = profile.env.iter().filter(has_variable).map(ToString::to_string);
            let hosts = profile.hosts.iter().filter(has_host).map(|pattern| format!("host {pattern}"));
            let shared: Vec<String> = variables.chain(hosts).collect();
            if !shared.is_empty() {
                all.push(format!(
                    "the profiles {other_name} and {name} apply at the same time with {}: the run then fails unless --profile selects one",
                    shared.join(", ")
                ));
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file;

    #[track_caller]
    fn check(lines: &str, expected: &[&str]) {
        let policies = file::parse(Path::new("p.toml"), lines).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(conflicts(&policies), expected, "{lines}");
    }

    #[test]
    fn a_profile_whose_guard_refuses_what_it_names_is_told() {
        let when = "when = { env = [\"NODE_ENV=prod\"] }\n";
        let refuse = "refuse_env = [\"NODE_ENV=production\"]\n";
        let profile = format!("[profiles.production]\n{when}");
        let own = format!("{profile}commands = [\"check\", \"migrate\"]\nguard.{refuse}");
        check(
            &own,
            &["profile production names migrate and applies under NODE_ENV=production, where \
               p.toml:4 profiles.production.guard.refuse_env refuses it"],
        );
        check(&format!("[guard]\n{refuse}{profile}commands = [\"migrate\"]"), &[]);
        check(&own.replace(", \"migrate\"", ""), &[]);
        check(
            &format!("[guard]\n{refuse}{profile}"),
            &["profile production applies under NODE_ENV=production, where p.toml:2 guard.refuse_env refuses every \
               command that changes a database: list the allowed ones under `commands`"],
        );
        check("[profiles.none]\ncommands = []", &["p.toml:2 profiles.none.commands allows no command"]);
    }

    #[test]
    fn a_profile_that_names_a_reset_which_cannot_run_is_told() {
        let check = |guard: &str, profile: &str, expected: &[&str]| {
            let reset = "[profiles.wipe]\ncommands = [\"reset\"]\n";
            check(&format!("[guard]\n{guard}\n{reset}{profile}"), expected);
        };
        check("hosts = [\"db\"]", "", &[]);
        check("", "", &["profile wipe names reset, but guard.hosts names no host"]);
        check(
            "hosts = [\"db\"]",
            "when = { env = [\"APP_ENV=prod\"] }",
            &[
                "profile wipe names reset and applies under APP_ENV=prod, where built-in policy (guard.refuse_env) refuses it",
            ],
        );
        check(
            "hosts = [\"db\"]\nrefuse_env = [\"STAGE=live\"]",
            "when = { env = [\"STAGE=live\", \"APP_ENV=prod\"] }",
            &["profile wipe names reset and applies under STAGE=live, where p.toml:3 guard.refuse_env refuses it"],
        );
        check(
            "hosts = [\"db-*\"]",
            "when = { hosts = [\"DB-1.\", \"*.x\", \"shop\"] }",
            &["profile wipe names reset and applies at host shop, which guard.hosts does not name"],
        );
        check(
            "hosts = [\"db\"]",
            "reset.then = \"push\"",
            &["profile wipe names reset, but not push, which reset.then runs after it"],
        );
    }

    #[test]
    fn profiles_that_apply_at_once_are_told() {
        check(
            "[profiles.a]\nwhen = { env = [\"CI=true\"], hosts = [\"*.prod\"] }\n\
             [profiles.b]\nwhen = { env = [\"CI=1\", \"X=y\"], hosts = [\"db.prod.\"] }\n[profiles.c]",
            &[
                "the profiles a and b apply at the same time with CI=1, host db.prod.: the run then fails unless --profile selects one",
            ],
        );
        check("[profiles.a]\nwhen.env = [\"CI=true\"]\n[profiles.b]\nwhen.env = [\"CI=false\"]", &[]);
    }

    #[test]
    fn a_line_that_another_covers_is_told() {
        check(
            "[hazards]\ndrop_column = { only = [\"users.*\", \"users.a\", \"b.c\", \"b.c\"] }\n\
             [create]\ntables = [\"log_1\", \"log_*\"]\n[guard]\nrefuse_env = [\"A=prod\", \"A=PRODUCTION\"]\n",
            &[
                "p.toml:2 hazards.drop_column: `users.a` is covered by `users.*`",
                "p.toml:2 hazards.drop_column: `b.c` is covered by `b.c`",
                "p.toml:4 create.tables: `log_1` is covered by `log_*`",
                "p.toml:6 guard.refuse_env: `A=PRODUCTION` means what `A=prod` means",
            ],
        );
        check(
            "[hazards]\nunclassified = \"refuse\"\n[[prompts]]\nquestion = 'a'\ndecline = true\n[[prompts]]\nquestion = 'a'\nchoose = 'b'",
            &[
                "p.toml:6 prompts[1] matches the same question as p.toml:3 prompts[0]: if their answers differ, the run stops",
            ],
        );
        check(
            "[hazards]\nblocking = \"refuse\"\nbuild_index = \"approve\"\nrewrite_table = \"approve\"\nrebuild_table = \"approve\"",
            &["p.toml:2 hazards.blocking has no effect: each of its kinds has its own line"],
        );
    }
}
