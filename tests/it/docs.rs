//! The documentation says what the program is: generated parts, links, names, examples and numbers are checked.
//!
//! `UPDATE_DOCS=1 cargo test --test it docs` writes the generated parts anew.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::{Command, CommandFactory, Parser};
use drizzle_pilot::cli::Cli;
use drizzle_pilot::commands::policy::STARTER;
use drizzle_pilot::outcome::{self, Row};
use drizzle_pilot::output::report;
use drizzle_pilot::policy;
use drizzle_pilot::policy::decide::{self, Count, Objects, Stake};
use drizzle_pilot::policy::{Policies, Scope, TablesByName, explain};
use drizzle_pilot::sql::{self, Assessed, Class, Dialect, Facts, Hazard, ObjectName};
use regex::Regex;

use crate::support::Repeated;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the README and every page under `docs`, with their paths from the root of the repository.
fn pages() -> Vec<(PathBuf, String)> {
    let mut files = vec![PathBuf::from("README.md")];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("docs is a folder of the repository") {
            let path = folder.join(entry.expect("the folder can be read").file_name());
            match path.extension() {
                Some(extension) if extension == "md" => files.push(path),
                Some(_) => {}
                None => folders.push(path),
            }
        }
    }
    files.sort();
    files.into_iter().map(|file| (file.clone(), read(file))).collect()
}

/// Returns the code blocks of a page that are in a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let begin = format!("```{language}\n");
    page.split(&begin).skip(1).map(|rest| rest.split("\n```").next().unwrap_or(rest)).collect()
}

/// Returns a page without its code blocks.
fn prose(page: &str) -> String {
    page.split("\n```").step_by(2).collect()
}

fn pattern(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant of this test")
}

/// Compares a generated part of a page with the page, or writes it there.
#[track_caller]
pub(crate) fn check_generated(file: &str, name: &str, generated: &str) {
    let page = read(file);
    let begin = format!("<!-- {name}:begin, generated: UPDATE_DOCS=1 cargo test --test it docs -->\n");
    let end = format!("<!-- {name}:end -->");
    let (before, rest) = page.split_once(&begin).unwrap_or_else(|| panic!("{file} has no line {begin:?}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no line {end:?}"));
    if std::env::var_os("UPDATE_DOCS").is_some_and(|update| update == "1") {
        let page = format!("{before}{begin}{}\n{end}{after}", generated.trim_end());
        std::fs::write(root().join(file), page).expect("the documentation can be written");
        return;
    }
    // Whole pages side by side would hide what differs.
    let differs =
        found.trim_end().lines().zip(generated.trim_end().lines()).find(|(found, generated)| found != generated);
    assert!(
        found.trim_end() == generated.trim_end(),
        "{file} is not what the program says: UPDATE_DOCS=1 cargo test --test it docs\n{differs:#?}"
    );
}

#[test]
fn the_table_of_exit_codes_is_that_of_the_program() {
    check_generated("docs/exit-codes.md", "codes", &outcome::markdown());
}

#[test]
fn the_table_of_repeated_statements_is_that_of_the_shapes() {
    check_generated("docs/plan.md", "repeated", &Repeated::read().markdown());
}

#[test]
fn the_manual_of_the_command_line_is_that_of_the_program() {
    check_generated("docs/cli.md", "commands", &manual());
}

/// Returns the long help of every command, those of a command below it. The shared options stand once, at the top.
fn manual() -> String {
    let mut manual = String::new();
    describe(Cli::command(), "drizzle-pilot", &mut manual);
    manual
}

fn describe(command: Command, path: &str, manual: &mut String) {
    let commands: Vec<Command> =
        command.get_subcommands().filter(|command| command.get_name() != "help").cloned().collect();
    let level = path.split(' ').count() + 1;
    // The values of variables and the width of the terminal are not those of the reader.
    let mut shown = command.bin_name(path).term_width(100).mut_args(|argument| argument.hide_env_values(true));
    let help = shown.render_long_help().to_string();
    let help: Vec<&str> = help.trim().lines().map(str::trim_end).collect();
    manual.push_str(&format!("{} `{path}`\n\n```text\n{}\n```\n\n", "#".repeat(level), help.join("\n")));
    for command in commands {
        let path = format!("{path} {}", command.get_name());
        describe(command, &path, manual);
    }
}

#[test]
fn the_readme_begins_with_two_commands_and_both_are_there() {
    let readme = read("README.md");
    let first = blocks(&readme, "sh").into_iter().next().expect("the README has a block of commands");
    let commands: Vec<&str> = first.lines().map(|line| line.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(commands, ["scripts/demo", "scripts/test"]);
    for command in commands {
        let mode = root().join(command).metadata().expect("the script is there").permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{command} is executable");
    }
}

#[test]
fn the_readme_lists_exit_codes_as_they_are() {
    let listed = pattern(r"(?m)^\| `(\d+)` \| `([a-z-]+)` \|");
    let readme = read("README.md");
    let listed: Vec<(u8, &str)> = listed
        .captures_iter(&readme)
        .map(|row| (row[1].parse().expect("codes are below 256"), row.get(2).map_or("", |name| name.as_str())))
        .collect();
    assert!(listed.len() > 5, "the README has a table of codes");
    for (code, name) in listed {
        let is = |Row { exit, .. }: &Row| exit.code() == code && exit.name() == name;
        assert!(outcome::TABLE.iter().any(is), "there is no code {code} called {name}");
    }
}

#[test]
fn every_link_leads_somewhere() {
    let link = pattern(r"\]\(([^)\s]+)\)");
    for (file, page) in pages() {
        let prose = prose(&page);
        for link in link.captures_iter(&prose) {
            let link = &link[1];
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => file.clone(),
                path => file.parent().expect("a page is a file").join(path),
            };
            assert!(root().join(&target).exists(), "{}: {link} leads nowhere", file.display());
            if !anchor.is_empty() {
                let anchors = anchors(&read(&target));
                assert!(anchors.iter().any(|known| known == anchor), "{}: no heading is #{anchor}", file.display());
            }
        }
    }
}

/// Returns the anchors of a page's headings as GitHub makes them.
fn anchors(page: &str) -> Vec<String> {
    let slug = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = kept.chars().filter(|character| character.is_alphanumeric() || matches!(character, ' ' | '-' | '_'));
        kept.map(|character| if character == ' ' { '-' } else { character }).collect()
    };
    prose(page).lines().filter(|line| line.starts_with('#')).map(slug).collect()
}

/// A place in the code, as the pages write it: `src/term/keys.rs::Key` or `tests/it/hostile.rs::the_name_of_a_test`.
fn places(page: &str) -> Vec<(String, Vec<String>)> {
    let place = pattern(r"`((?:src|tests)/[\w./-]+\.(?:rs|cjs))((?:::\w+)*)`");
    let parts = |names: &str| names.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
    place.captures_iter(page).map(|place| (place[1].to_owned(), parts(&place[2]))).collect()
}

#[test]
fn every_place_in_the_code_that_a_page_names_is_there() {
    for (file, page) in pages() {
        for (path, names) in places(&page) {
            assert!(root().join(&path).is_file(), "{}: there is no {path}", file.display());
            let code = read(&path);
            for name in names {
                let is_there = pattern(&format!(r"\b{name}\b")).is_match(&code);
                assert!(is_there, "{}: {path} knows no {name}", file.display());
            }
        }
    }
}

#[test]
fn every_safety_rule_names_a_test_that_exists() {
    let page = read("docs/safety.md");
    let rules: Vec<&str> = page.split("\n## ").skip(1).collect();
    let rules: Vec<&str> =
        rules.into_iter().filter(|rule| rule.starts_with(|first: char| first.is_numeric())).collect();
    assert_eq!(rules.len(), 24);
    for rule in rules {
        let title = rule.lines().next().unwrap_or_default();
        let falls: Vec<&str> = rule.lines().filter(|line| line.starts_with("| `")).collect();
        assert!(!falls.is_empty() || rule.contains("Not built"), "{title}: names no test");
        for (path, names) in falls.iter().flat_map(|line| places(line)) {
            let [test] = names.as_slice() else { panic!("{title}: {path} stands without the name of one test") };
            // A test is a function, or a line of a macro that makes one.
            let made = pattern(&format!(r"(?m)fn {test}\(|^\s*{test}: "));
            assert!(made.is_match(&read(&path)), "{title}: {path} has no test {test}");
        }
    }
}

#[test]
fn the_policies_in_the_pages_are_policies() {
    let mut n_read = 0;
    for (file, page) in pages() {
        for block in blocks(&page, "toml") {
            // A line that belongs under a heading is shown alone where the text says which.
            let heading = if block.starts_with("drop_column") { "[hazards]\n" } else { "" };
            let text = format!("{heading}{block}");
            let policies = policy::file::parse(Path::new("drizzle-pilot.toml"), &text)
                .unwrap_or_else(|error| panic!("{}: {error}\n{block}", file.display()));
            let warnings = explain::warnings(&policies);
            // One of the hazards' lines is there to be warned of.
            assert!(warnings.is_empty() || file.ends_with("hazards.md"), "{}: {warnings:?}\n{block}", file.display());
            what_a_profile_names_runs_where_it_applies(&policies, block);
            n_read += 1;
        }
    }
    assert!(n_read > 10, "there are examples");
    let starter = policy::file::parse(Path::new("drizzle-pilot.toml"), STARTER).expect("the starter is a policy");
    assert_eq!(explain::warnings(&starter), [""; 0]);
    what_a_profile_names_runs_where_it_applies(&starter, STARTER);
}

/// Checks that nothing in a policy refuses the commands that its profiles name, where these apply.
fn what_a_profile_names_runs_where_it_applies(policies: &Policies, text: &str) {
    for summary in explain::summaries(policies) {
        let Some(commands) = &summary.commands else { continue };
        for condition in &summary.when {
            let host = condition.strip_prefix("host ").map(|host| host.replace('*', "db"));
            let env = |name: &str| Some(condition.split_once('=').filter(|(known, _)| *known == name)?.1.to_owned());
            let policy = policies.select(None, &env, host.as_deref()).expect("one condition holds");
            assert_eq!(policy.profile(), summary.profile.as_deref(), "{condition}\n{text}");
            for command in commands {
                let banned = policy.bans_command(command).map(|ban| ban.rule.to_string());
                let refused = policy.bans_environment(&env).map(|(rule, _)| rule.to_string());
                assert_eq!((banned, refused), (None, None), "{command} with {condition}\n{text}");
            }
        }
    }
}

#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_program() {
    let mut sources = vec![read("scripts/npm/drizzle-pilot.js")];
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("src is a folder of the repository") {
            let path = entry.expect("the folder can be read").path();
            match path.extension() {
                Some(extension) if extension == "rs" => sources.push(read(&path)),
                Some(_) => {}
                None => folders.push(path),
            }
        }
    }
    // A message that is too long for a line goes on in the next one.
    let continued = pattern(r"\\\n\s*");
    let sources: Vec<String> = sources.iter().map(|source| continued.replace_all(source, "").into_owned()).collect();
    let page = read("docs/troubleshooting.md");
    let messages: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    assert_eq!(messages.len(), page.lines().filter(|line| line.starts_with("## ")).count(), "a heading is a message");
    assert!(messages.len() > 30, "there are messages");
    for message in messages {
        // What differs from run to run is a placeholder in the code.
        let parts: Vec<&str> =
            message.split('…').map(|part| part.trim_matches(' ')).filter(|part| part.len() > 1).collect();
        let has_all = |source: &String| source.lines().any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(sources.iter().any(has_all), "the program does not say {message:?}");
    }
}

#[test]
fn every_hazard_has_an_entry_whose_statement_has_it() {
    let page = read("docs/hazards.md");
    let entries: Vec<&str> = page.split("\n## ").skip(1).collect();
    let titles: Vec<&str> = entries.iter().filter_map(|entry| entry.lines().next()).collect();
    let hazards: Vec<String> = Hazard::all().map(|hazard| format!("`{hazard}`")).collect();
    assert_eq!(titles, hazards);
    for (hazard, entry) in Hazard::all().zip(entries) {
        let [statements] = blocks(entry, "sql").try_into().expect("an entry has one block of statements");
        let dialect = if statements.contains('`') { Dialect::Sqlite } else { Dialect::Postgres };
        let statements = sql::split(statements, dialect).expect("the statements can be split");
        let assessed = sql::assess(&statements, dialect, &Facts::default());
        let has = |assessed: &Assessed, hazard| assessed.hazards.iter().any(|found| found.hazard == hazard);
        for assessed in &assessed {
            let has_it = match hazard {
                // Which columns refer to the rows that go, only the database tells.
                Hazard::ClearColumn => has(assessed, Hazard::DropTable),
                // Several statements are one change, which is told once.
                Hazard::RebuildTable => has(assessed, hazard) == (assessed.kind == "drop_table"),
                // The new enum itself has nothing to lose.
                _ => has(assessed, hazard) || assessed.kind == "create_type",
            };
            assert!(has_it, "{hazard}: {} ({}) has {:?}", assessed.sql, assessed.kind, assessed.hazards);
        }
        let [line] = blocks(entry, "toml").try_into().expect("an entry has one block of policy");
        assert!(line.contains(&format!("\n{hazard} = ")), "{hazard}: {line}");
        let policies = policy::file::parse(Path::new("drizzle-pilot.toml"), &format!("version = 1\n{line}"));
        let policies = policies.unwrap_or_else(|error| panic!("{hazard}: {error}"));
        let allows = |policies: &Policies| {
            let policy = policies.select(None, &|_| None, None).expect("there are no profiles");
            let scope = Scope { schemas: &[], tables: &TablesByName::UNKNOWN, renamed: &[], accept_data_loss: false };
            let founds = assessed.iter().flat_map(|assessed| &assessed.hazards).filter(|found| found.hazard == hazard);
            let mut objects: Vec<&[ObjectName]> = founds.map(|found| found.objects.as_slice()).collect();
            let column = [ObjectName::new(["public", "posts", "author"])];
            objects.extend((hazard == Hazard::ClearColumn).then_some(&column[..]));
            let stakes = objects.into_iter().map(|objects| Stake {
                hazard,
                objects: if objects.is_empty() { Objects::Unknown } else { Objects::All(objects.to_vec()) },
                count: Some(Count::Rows(0)),
                note: None,
            });
            decide::stakes(&policy, &stakes.collect::<Vec<_>>(), &scope)
        };
        if let Err(refusal) = allows(&policies) {
            panic!("{hazard}: its own line does not allow it: {}", refusal.what);
        }
        let is_refused_without = matches!(hazard.class(), Class::DataLoss | Class::Access | Class::Unknown);
        assert_eq!(allows(&Policies::built_in()).is_err(), is_refused_without, "{hazard}");
    }
}

#[test]
fn the_reports_in_the_pages_are_reports() {
    let schema = serde_json::from_str(&report::schema()).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let page = read("docs/report.md");
    let examples = blocks(&page, "json");
    assert!(!examples.is_empty(), "there are examples");
    for example in examples {
        let example = serde_json::from_str(example).expect("an example is JSON");
        if let Err(error) = validator.validate(&example) {
            panic!("{error}: {example:#}");
        }
    }
}

#[test]
fn the_commands_in_the_pages_are_understood() {
    for (file, page) in pages() {
        let lines = ["sh", "console", "dockerfile", "yaml"].iter().flat_map(|language| blocks(&page, language));
        for line in lines.flat_map(str::lines) {
            let Some((_, line)) = line.split_once("drizzle-pilot ").filter(|(before, _)| is_prompt(before)) else {
                continue;
            };
            let line = pattern(r" (?:#|\||\|\||&&|>|<)(?: .*)?$|;.*$").replace(line, "");
            let words = shell_words::split(&line).expect("a command of the pages is a command line");
            let words = std::iter::once("drizzle-pilot".to_owned()).chain(words).map(OsString::from);
            if let Err(error) = Cli::try_parse_from(words)
                && error.use_stderr()
            {
                panic!("{}: drizzle-pilot {line}: {error}", file.display());
            }
        }
    }
}

/// Tells whether a command may follow: nothing stands before it but a shell's prompt, a keyword or a key.
fn is_prompt(before: &str) -> bool {
    matches!(before.trim(), "" | "$" | "if" | "RUN" | "run:" | "- run:" | "exec")
}

#[test]
fn a_measured_number_says_where_it_comes_from() {
    let measured = pattern(r"\b\d+(?:\.\d+)? ?(?:ms|µs|KiB|MiB|kB|MB)\b|\b\d+(?:\.\d+)?×|× ?\d");
    let source = pattern(r"`(?:scripts|src|tests)/[^`]+`");
    for (file, page) in pages() {
        for paragraph in prose(&page).split("\n\n") {
            let named = !measured.is_match(paragraph) || source.is_match(paragraph);
            assert!(named, "{}: where does this number come from?\n{paragraph}", file.display());
        }
    }
}
