//! Turns the text of a policy file into policies: the one that all share, and one for each profile. Pure.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest, Sha256};
use toml::Spanned;

use crate::policy::file::format::{File, ProfileEntry, Sections};
use crate::policy::file::problem::Invalid;
use crate::policy::file::reader::Reader;
use crate::policy::file::{check, guard, hazards, migrate, prompts, push, renames, reset, scratch, structure, sync};
use crate::policy::model::{COMMANDS, Policies, Policy, Profile, Ruled, Source};
use crate::policy::wording::{closest, quoted};

/// Reads the text of a policy file. The path is only shown.
///
/// # Errors
/// With everything that is wrong with it.
pub fn parse(path: &Path, text: &str) -> Result<Policies, Invalid> {
    let path = path.display().to_string();
    let mut reader = Reader::new(&path, text);
    let policies = match toml::from_str::<File>(text) {
        Ok(file) => {
            structure::lists_for_tables(&mut reader, text);
            policies(&mut reader, &file)
        }
        Err(error) => {
            structure::report(&mut reader, &error);
            None
        }
    };
    reader.finish(policies)
}

fn policies(reader: &mut Reader<'_>, file: &File) -> Option<Policies> {
    if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
        reader
            .problem(version.span(), "the version must be 1")
            .hint("a newer drizzle-pilot may have written this file");
        return None;
    }
    let source = Source::File { path: reader.path.to_owned(), text: reader.text.to_owned() };
    let mut base = Policy { source, ..Policy::built_in() };
    lay(reader, &mut base, &file.sections());
    let mut profiles = BTreeMap::new();
    for (name, entry) in &file.profiles {
        profiles.insert(name.get_ref().clone(), profile(reader, &base, name.get_ref(), entry));
    }
    let digest = Sha256::digest(reader.text).iter().map(|byte| format!("{byte:02x}")).collect();
    Some(Policies { digest: Some(digest), base, profiles })
}

fn profile(reader: &mut Reader<'_>, base: &Policy, name: &str, entry: &ProfileEntry) -> Profile {
    reader.layer = Some(name.to_owned());
    let mut policy = Policy { profile: reader.layer.clone(), ..base.clone() };
    lay(reader, &mut policy, &entry.sections());
    if let Some(commands) = &entry.commands {
        for command in commands.get_ref() {
            known_command(reader, command);
        }
        policy.guard.commands = Some(Ruled {
            value: commands.get_ref().iter().map(|command| command.get_ref().clone()).collect(),
            rule: reader.rule("commands", commands.span()),
        });
    }
    if let Some(accept) = &entry.accept_data_loss {
        let rule = reader.rule("accept_data_loss", accept.span());
        policy.guard.accept_data_loss = Some(Ruled { value: *accept.get_ref(), rule });
    }
    let (env, hosts) = entry.when.as_ref().map(|when| guard::when(reader, when)).unwrap_or_default();
    Profile { policy, env, hosts }
}

/// Lays the sections of the file or of a profile over a policy, key by key.
fn lay(reader: &mut Reader<'_>, policy: &mut Policy, sections: &Sections<'_>) {
    renames::lay(reader, policy, sections.renames, sections.create);
    hazards::lay(reader, policy, sections.hazards);
    push::lay(reader, policy, sections);
    migrate::lay(reader, policy, sections.migrate);
    sync::lay(reader, policy, sections.sync);
    prompts::lay(reader, policy, sections.prompts);
    check::lay(reader, &mut policy.check, sections.check);
    guard::lay(reader, policy, sections.guard);
    reset::lay(reader, &mut policy.reset, sections.reset);
    scratch::lay(&mut policy.scratch, sections.scratch);
}

fn known_command(reader: &mut Reader<'_>, command: &Spanned<String>) {
    if COMMANDS.contains(&command.get_ref().as_str()) {
        return;
    }
    let problem = reader.problem(command.span(), format!("there is no command `{}`", command.get_ref()));
    match closest(command.get_ref(), COMMANDS) {
        Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
        None => problem.hint(format!("the commands are {}", quoted(&COMMANDS))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::policy::file::problem::Problem;
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
            production.guard.refuse_env.as_ref().is_some_and(|refuse| refuse.lines.is_empty())
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
  = hint: the keys are `when`, `commands`, `accept_data_loss`, `renames`, `create`, `hazards`, `push`, `migrate`, `sync`, `using`, `prompts`, `guard`, `reset`, `check`, `scratch`",
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
    }

    #[test]
    fn a_word_that_is_misspelt_is_shown_with_those_that_are_possible() {
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
            "[profiles.ci]\ncommands = [\"puhs\"]",
            "error: there is no command `puhs`
 --> p.toml:3:13
  |
3 | commands = [\"puhs\"]
  |             ^^^^^^
  |
  = hint: did you mean `push`?",
        );
        check(
            "push.apply = \"transactions\"",
            "error: \"transactions\" is not allowed here
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
            "error: \"approve\" is not allowed here
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
        let Err(Invalid { problems, .. }) = parse(Path::new("p.toml"), &format!("version = 1\n{lines}")) else {
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
6:16 unclassified statements have no name and no rows to limit (it can be \"refuse\" or \"approve\")
7:26 `drop_type` has no rows that could be counted (list the objects under `only`)
8:1 there is no hazard `unknown` (the one kind of this class is `unclassified`)
9:25 `public.users` would be `users` of a table named public; write the table too, as in `public.users.*`
9:41 `[b` is not a glob: unclosed character class; missing ']'
11:1 `a*` is a pattern, but one name is needed; if the name has such characters, write \"a*\"
12:8 the table keeps its name `public.same`
14:10 a host cannot be empty (write \"*\" for all hosts)
14:14 `[` is not a glob: unclosed character class; missing ']'
15:15 `PRODUCTION` does not have a value (write it as \"NAME=value\")
17:12 this is not a regular expression: unclosed group
20:12 a rule for a question needs either `choose` or `decline = true`
22:8 `when` names no condition (write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or omit `when`)
24:9 the expression for `public.a.b` is empty (write what would follow USING, as in \"blob::bytea\")
25:9 `c::` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
26:9 `d, DROP COLUMN e` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
27:9 `e::text; DROP TABLE a` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
28:9 `f -- as it is` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
29:1 `public.a` would be `a` of a table named public; write the table too, as in `public.a.*`
30:1 `a.*` is a pattern, but one name is needed; if the name has such characters, write \"*\"
32:14 `drop_table` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)
33:13 `data_loss` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)";
        assert_eq!(told.join("\n"), expected);
    }

    #[test]
    fn a_damaged_file_is_reported_and_never_a_panic() {
        let n_reported = std::cell::Cell::new(0);
        let damage = (any::<prop::sample::Index>(), 0..40usize, r#"[\[\]{}="'.,\n\r#é🦀\\a-c0-2 -]{0,6}"#);
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let held = TestRunner::new(config).run(&damage, |(begin, n_removed, inserted)| {
            let letters: Vec<char> = CONTRACT.chars().collect();
            let begin = begin.index(letters.len());
            let end = (begin + n_removed).min(letters.len());
            let text: String = letters[..begin]
                .iter()
                .copied()
                .chain(inserted.chars())
                .chain(letters[end..].iter().copied())
                .collect();
            if let Err(error) = parse(Path::new("p.toml"), &text) {
                n_reported.set(n_reported.get() + 1);
                prop_assert!(error.to_string().starts_with("error: "), "{error}");
            }
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{error}"));
        assert!(n_reported.get() >= 50, "{} files were damaged", n_reported.get());
    }
}
