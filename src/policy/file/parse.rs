//! Turns the text of a policy file into policies: the one that all share, and one for each profile. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::policy::file::check;
use crate::policy::file::find::PolicyError;
use crate::policy::file::format::{
    AnomalyEntry, ApplyEntry, File, GateEntry, OtherwiseEntry, ProfileEntry, PromptEntry, Sections, ThenEntry,
};
use crate::policy::file::problem::rendered;
use crate::policy::file::reader::Reader;
use crate::policy::model::{
    Anomaly, Apply, ApplyLine, Layer, MigrateGate, Otherwise, Policies, Policy, Profile, PromptAnswer, PromptRule,
    Prompts, RefuseEnv, Ruled, Section, Source, Then,
};

/// Reads the text of a policy file. The path is only shown.
pub fn parse(path: &Path, text: &str) -> Result<Policies, PolicyError> {
    let path = path.display().to_string();
    let mut reader = Reader { path: &path, text, problems: Vec::new() };
    let policies = match toml::from_str::<File>(text) {
        Ok(file) => {
            reader.lists_for_tables(text);
            reader.policies(&file)
        }
        Err(error) => {
            reader.structural(&error);
            None
        }
    };
    let mut problems = reader.problems;
    problems.sort_by_key(|problem| problem.span.start);
    match policies {
        Some(policies) if problems.is_empty() => Ok(policies),
        _ => Err(PolicyError::Invalid { rendered: rendered(&path, text, &problems), problems }),
    }
}

impl Reader<'_> {
    fn policies(&mut self, file: &File) -> Option<Policies> {
        if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
            self.problem(version.span(), "the version must be 1")
                .hint("a newer drizzle-pilot may have written this file");
            return None;
        }
        let source = Source::File { path: self.path.to_owned(), text: self.text.to_owned() };
        let mut base = Policy { source, ..Policy::built_in() };
        let sections = Sections {
            renames: &file.renames,
            create: &file.create,
            hazards: &file.hazards,
            push: &file.push,
            migrate: &file.migrate,
            using: &file.using,
            prompts: file.prompts.as_deref(),
            guard: &file.guard,
            reset: &file.reset,
            check: &file.check,
        };
        self.lay(&mut base, None, &sections);
        let mut profiles = BTreeMap::new();
        for (name, entry) in &file.profiles {
            profiles.insert(name.get_ref().clone(), self.profile(&base, name.get_ref(), entry));
        }
        let digest = Sha256::digest(self.text).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Policies { digest: Some(digest), base, profiles })
    }

    fn profile(&mut self, base: &Policy, name: &str, entry: &ProfileEntry) -> Profile {
        let layer = Some(name.to_owned());
        let mut policy = Policy { profile: layer.clone(), ..base.clone() };
        let sections = Sections {
            renames: &entry.renames,
            create: &entry.create,
            hazards: &entry.hazards,
            push: &entry.push,
            migrate: &entry.migrate,
            using: &entry.using,
            prompts: entry.prompts.as_deref(),
            guard: &entry.guard,
            reset: &entry.reset,
            check: &entry.check,
        };
        self.lay(&mut policy, layer.clone(), &sections);
        if let Some(commands) = &entry.commands {
            for command in commands.get_ref() {
                self.known_command(command);
            }
            policy.commands = Some(Ruled {
                value: commands.get_ref().iter().map(|command| command.get_ref().clone()).collect(),
                rule: self.rule(&layer, "commands", commands.span()),
            });
        }
        if let Some(accept) = &entry.accept_data_loss {
            let rule = self.rule(&layer, "accept_data_loss", accept.span());
            policy.accept_data_loss = Some(Ruled { value: *accept.get_ref(), rule });
        }
        let (mut env, mut hosts) = (Vec::new(), Vec::new());
        if let Some(when) = &entry.when {
            env.extend(when.get_ref().env.iter().filter_map(|variable| self.variable(variable)));
            hosts.extend(when.get_ref().hosts.iter().filter_map(|host| self.host(host)));
            if when.get_ref().env.is_empty() && when.get_ref().hosts.is_empty() {
                self.problem(when.span(), "`when` names no condition")
                    .hint("write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or leave `when` out");
            }
        }
        Profile { policy, env, hosts }
    }

    /// Lays the sections of the file or of a profile over a policy, key by key.
    fn lay(&mut self, policy: &mut Policy, layer: Layer, sections: &Sections<'_>) {
        if let Some(otherwise) = &sections.renames.otherwise {
            let value = match otherwise.get_ref() {
                OtherwiseEntry::Refuse => Otherwise::Refuse,
                OtherwiseEntry::Create => Otherwise::Create,
            };
            policy.otherwise = Ruled { value, rule: self.rule(&layer, "renames.otherwise", otherwise.span()) };
        }
        for section in Section::ALL {
            let renames = self.renames(section, &layer, sections.renames.of(section));
            policy.renames.retain(|old| old.section != section || renames.iter().all(|new| new.old != old.old));
            policy.renames.extend(renames);
            if let Some(patterns) = sections.create.of(section) {
                let create = self.create(section, &layer, patterns);
                policy.create.insert(section, create);
            }
        }
        self.contradictions(policy, &layer);
        for (key, entry) in sections.hazards {
            if let Some((key, line)) = self.hazard(&layer, key, entry) {
                policy.hazards.insert(key, line);
            }
        }
        if let Some(apply) = &sections.push.apply {
            let value = match apply.get_ref() {
                ApplyEntry::Kit => Apply::Kit,
                ApplyEntry::Transaction => Apply::Transaction,
            };
            let rule = self.rule(&layer, "push.apply", apply.span());
            policy.apply = ApplyLine { value, layer: layer.clone(), rule };
        }
        for anomaly in Anomaly::ALL {
            let Some(entry) = sections.migrate.of(anomaly) else { continue };
            let rule = self.rule(&layer, &format!("migrate.{}", anomaly.key()), entry.span());
            let value = matches!(entry.get_ref(), AnomalyEntry::Approve);
            policy.migrate.insert(anomaly, Ruled { value, rule });
        }
        if let Some(gate) = &sections.migrate.gate {
            let value = match gate.get_ref() {
                GateEntry::Off => MigrateGate::Off,
                GateEntry::Warn => MigrateGate::Warn,
                GateEntry::Refuse => MigrateGate::Refuse,
            };
            policy.migrate_gate = Ruled { value, rule: self.rule(&layer, "migrate.gate", gate.span()) };
        }
        let using = self.using(&layer, sections.using);
        self.without_transaction(sections, &using);
        policy.using.extend(using);
        if let Some(prompts) = sections.prompts {
            let rules = prompts.iter().enumerate();
            let rules = rules.filter_map(|(prompt_idx, prompt)| self.prompt(&layer, prompt_idx, prompt)).collect();
            policy.prompts = Prompts { rules, layer: layer.clone() };
        }
        check::lay(self, &mut policy.check, sections.check);
        if let Some(hosts) = &sections.guard.hosts {
            policy.hosts = hosts.iter().filter_map(|host| self.host(host)).collect();
        }
        if let Some(refuse_env) = &sections.guard.refuse_env {
            let ruled = refuse_env.iter().filter_map(|variable| {
                let rule = self.rule(&layer, "guard.refuse_env", variable.span());
                self.variable(variable).map(|value| Ruled { value, rule })
            });
            policy.refuse_env = Some(RefuseEnv { lines: ruled.collect(), layer: layer.clone() });
        }
        if let Some(then) = &sections.reset.then {
            policy.reset.then = Some(match then.get_ref() {
                ThenEntry::Push => Then::Push,
                ThenEntry::Migrate => Then::Migrate,
                ThenEntry::None => Then::Nothing,
            });
        }
        if let Some(lines) = &sections.reset.before {
            policy.reset.before = lines.iter().filter_map(|line| self.command_line(line)).collect();
        }
        if let Some(lines) = &sections.reset.after {
            policy.reset.after = lines.iter().filter_map(|line| self.command_line(line)).collect();
        }
    }

    fn prompt(&mut self, layer: &Layer, prompt_idx: usize, prompt: &Spanned<PromptEntry>) -> Option<PromptRule> {
        let rule = self.rule(layer, &format!("prompts[{prompt_idx}]"), prompt.span());
        let entry = prompt.get_ref();
        let question = self.regex(&entry.question);
        let answer = match (&entry.choose, &entry.decline) {
            (Some(choose), None) => self.regex(choose).map(PromptAnswer::Choose),
            (None, Some(decline)) if *decline.get_ref() => Some(PromptAnswer::Decline),
            (None, _) | (Some(_), Some(_)) => {
                self.problem(
                    entry.question.span(),
                    "a rule for a question needs `choose` or `decline = true`, one of the two",
                );
                None
            }
        };
        Some(PromptRule { question: question?, answer: answer?, rule })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::policy::file::Problem;
    use crate::policy::file::testing::{CONTRACT, check};
    use crate::sql::hazard::Hazard;

    #[test]
    fn the_policy_of_the_contract_is_read() {
        let policies = parse(Path::new("p.toml"), CONTRACT).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(policies.profile_names().collect::<Vec<_>>(), ["ci", "production"]);
        assert_eq!(policies.digest().map(str::len), Some(64));
        let base = policies.select(None, &|_| None, None).expect("no condition holds");
        assert!(base.guarded_hosts().contains(&"localhost".to_owned()));
        let production = |name: &str| (name == "NODE_ENV").then(|| "production".to_owned());
        let (rule, variable) = base.bans_environment(&production).expect("production is refused");
        assert_eq!(format!("{rule}: {variable}"), "p.toml:28 guard.refuse_env: NODE_ENV=production");
        assert!(base.bans_environment(&|_| Some("development".to_owned())).is_none());
        assert!(base.bans_command("push").is_none() && base.bans_accepting_data_loss().is_none());
        assert!(base.wants_rows(Hazard::DropColumn) && !base.wants_rows(Hazard::DropTable));
        let production = policies.select(None, &production, None).expect("one condition holds");
        assert_eq!(
            production.bans_command("push").map(|ban| ban.rule.to_string()).as_deref(),
            Some("p.toml:34 profiles.production.commands")
        );
        assert!(production.bans_command("migrate").is_none());
        assert!(
            production.refuse_env.as_ref().is_some_and(|refuse| refuse.lines.is_empty())
                && production.guarded_hosts().contains(&"db".to_owned()),
            "keys merge one by one"
        );
    }

    #[test]
    fn what_is_misspelt_is_shown_with_what_was_probably_meant() {
        check(
            "[hazards]\ndrop_colum = \"refuse\"",
            "error: there is no hazard `drop_colum`
 --> p.toml:3:1
  |
3 | drop_colum = \"refuse\"
  | ^^^^^^^^^^
  |
  = hint: did you mean `drop_column`?",
        );
        check(
            "[hazards]\ndrop_table = \"aprove\"",
            "error: `drop_table` cannot be \"aprove\"
 --> p.toml:3:14
  |
3 | drop_table = \"aprove\"
  |              ^^^^^^^^
  |
  = hint: did you mean \"approve\"?",
        );
        check(
            "[rename.tables]",
            "error: there is no key `rename` here
 --> p.toml:2:2
  |
2 | [rename.tables]
  |  ^^^^^^
  |
  = hint: did you mean `renames`?",
        );
        check(
            "[renames.colums]",
            "error: there is no key `colums` here
 --> p.toml:2:10
  |
2 | [renames.colums]
  |          ^^^^^^
  |
  = hint: did you mean `columns`?",
        );
        check(
            "[profiles.ci]\nhosts = []",
            "error: there is no key `hosts` here
 --> p.toml:3:1
  |
3 | hosts = []
  | ^^^^^
  |
  = hint: the keys are `when`, `commands`, `accept_data_loss`, `renames`, `create`, `hazards`, `push`, `migrate`, `using`, `prompts`, `guard`, `reset`, `check`",
        );
        check(
            "[profiles.ci]\ncommands = [\"puhs\"]",
            "error: there is no command `puhs` to allow
 --> p.toml:3:13
  |
3 | commands = [\"puhs\"]
  |             ^^^^^^
  |
  = hint: did you mean `push`?",
        );
        check(
            "[push]\naply = \"kit\"",
            "error: there is no key `aply` here
 --> p.toml:3:1
  |
3 | aply = \"kit\"
  | ^^^^
  |
  = hint: did you mean `apply`?",
        );
        check(
            "push.apply = \"transactions\"",
            "error: \"transactions\" is not possible here
 --> p.toml:2:14
  |
2 | push.apply = \"transactions\"
  |              ^^^^^^^^^^^^^^
  |
  = hint: it can be `kit`, `transaction`",
        );
        check(
            "hazards.truncate = \"skipp\"",
            "error: `truncate` cannot be \"skipp\"
 --> p.toml:2:20
  |
2 | hazards.truncate = \"skipp\"
  |                    ^^^^^^^
  |
  = hint: did you mean \"skip\"?",
        );
        check(
            "renames.otherwise = \"approve\"",
            "error: \"approve\" is not possible here
 --> p.toml:2:21
  |
2 | renames.otherwise = \"approve\"
  |                     ^^^^^^^^^
  |
  = hint: it can be `refuse`, `create`",
        );
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let lines = "[hazards]
drop_table = \"keep_rows\"
drop_column = { only = [] }
truncate = {}
unclassified = { max_rows = 1 }
drop_type = { max_rows = 1 }
unknown = \"approve\"
change_type = { only = [\"public.users\", \"a.[b.c\"] }
[renames.tables]
\"a*\" = \"b\"
same = \"public.same\"
[guard]
hosts = [\"\", \"[\"]
refuse_env = [\"PRODUCTION\"]
[[prompts]]
question = '('
decline = true
[[prompts]]
question = 'x'
[profiles.p]
when = {}
[using]
\"a.b\" = \" \"
\"a.c\" = \"c::\"
\"a.d\" = \"d, DROP COLUMN e\"
\"a.e\" = \"e::text; DROP TABLE a\"
\"a.f\" = \"f -- as it is\"
\"public.a\" = \"a\"
\"a.*\" = \"a\"
[profiles.p.hazards]
drop_table = \"skip\"
data_loss = \"skip\"";
        let Err(PolicyError::Invalid { problems, .. }) = parse(Path::new("p.toml"), &format!("version = 1\n{lines}"))
        else {
            panic!("this is no policy");
        };
        let told: Vec<String> = problems
            .iter()
            .map(|Problem { message, line, column, hint, .. }| {
                let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{line}:{column} {message}{hint}")
            })
            .collect();
        let expected = "\
3:14 `drop_table` cannot be \"keep_rows\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)
4:24 an empty `only` allows nothing (write \"refuse\" to say so)
5:12 the limits of `truncate` are empty (write \"approve\" for no limit, or `only` or `max_rows`)
6:16 what is unclassified has no name and no rows to limit (it can be \"refuse\" or \"approve\")
7:26 `drop_type` loses no rows that could be counted (name the objects under `only`)
8:1 there is no hazard `unknown` (the one kind of this class is `unclassified`)
9:25 `public.users` would be `users` of a table called public; write the table too, as in `public.users.*`
9:41 `[b` is not a glob: unclosed character class; missing ']'
11:1 `a*` is a pattern where one name is needed; if the name has such characters, write \"a*\"
12:8 the table keeps its name `public.same`
14:10 a host cannot be empty (write \"*\" for all hosts)
14:14 `[` is not a glob: unclosed character class; missing ']'
15:15 `PRODUCTION` does not say which value counts (write it as \"NAME=value\")
17:12 this is not a regular expression: unclosed group
20:12 a rule for a question needs `choose` or `decline = true`, one of the two
22:8 `when` names no condition (write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or leave `when` out)
24:9 the expression for `public.a.b` is empty (write what would follow USING, as in \"blob::bytea\")
25:9 `c::` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
26:9 `d, DROP COLUMN e` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
27:9 `e::text; DROP TABLE a` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
28:9 `f -- as it is` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
29:1 `public.a` would be `a` of a table called public; write the table too, as in `public.a.*`
30:1 `a.*` is a pattern where one name is needed; if the name has such characters, write \"*\"
32:14 `drop_table` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)
33:13 `data_loss` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)";
        assert_eq!(told.join("\n"), expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_damaged_file_is_reported_and_never_a_panic(
            begin in any::<prop::sample::Index>(),
            n_removed in 0..40usize,
            inserted in r#"[\[\]{}="'.,\n\r#é🦀\\a-c0-2 -]{0,6}"#,
        ) {
            let letters: Vec<char> = CONTRACT.chars().collect();
            let begin = begin.index(letters.len());
            let end = (begin + n_removed).min(letters.len());
            let text: String = letters[..begin].iter().copied().chain(inserted.chars()).chain(letters[end..].iter().copied()).collect();
            if let Err(error) = parse(Path::new("p.toml"), &text) {
                prop_assert!(error.to_string().starts_with("error: "), "{error}");
            }
        }
    }
}
