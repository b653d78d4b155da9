//! The safety rules, one test each: it fails when the line that holds the rule is removed.

use serde_json::json;

use crate::kit::{self, APPLIED, NO_CHANGES, data_loss, drop_column, execute, faulty, out, rename_table};
use crate::support::processes::{self, Signal};
use crate::support::script::{Entry, FaultKind, Mail, Menu, Script, Step};
use crate::support::wait::gone_within;
use crate::support::{MAYBE, Ran, Run, UNCHANGED};

/// Returns the names of the keys that the fake got.
fn keys<'a>(ended: &'a Ran) -> Vec<&'a str> {
    let key = |entry: &'a Entry| match entry {
        Entry::Key(key) => Some(key.as_str()),
        _ => None,
    };
    ended.log.iter().filter_map(key).collect()
}

const RENAMED: &str = "[renames.tables]\norders = \"purchases\"\n";

fn purchases() -> Menu {
    rename_table("purchases", &["accounts", "invoices", "items", "orders", "users"])
}

/// There is no Escape key: a refusal is "No, abort", seen and confirmed, else Ctrl-C. The fake calls anything else a
/// disaster, and every run of these tests would fail of it.
#[test]
fn rule_1_a_refusal_types_no_escape() {
    let ended = Run::push(&kit::push(drop_column())).run().ends(3, Some(UNCHANGED)).without_consent();
    assert_eq!((keys(&ended), ended.chosen()), (vec!["down", "up", "enter"], vec![0]), "{ended}");
    let ended = Run::push(&kit::push([Step::Menu(purchases())])).run().ends(3, Some(UNCHANGED));
    assert_eq!((keys(&ended), ended.chosen()), (vec!["down", "ctrl-c"], vec![]), "{ended}");
}

/// Enter goes out only where the prompt was proved whole …
#[test]
fn rule_2_enter_waits_for_the_proof_that_the_prompt_is_whole() {
    let torn = faulty(purchases(), 1, FaultKind::Erases { more: 1 });
    let ended = Run::push(&kit::push([torn, out(APPLIED)])).policy(RENAMED).run().ends(4, Some(UNCHANGED));
    assert_eq!(keys(&ended), ["down", "ctrl-c"], "{ended}");
}

/// … and the highlight is seen on the choice …
#[test]
fn rule_2_enter_waits_for_the_highlight_on_the_choice() {
    let script = kit::push([faulty(purchases(), 4, FaultKind::WrongRow), out(APPLIED)]);
    let ended = Run::push(&script).policy(RENAMED).args(&["--timeout", "2s"]).run().ends(124, Some(UNCHANGED));
    assert!(!keys(&ended).contains(&"enter"), "{ended}");
}

/// … while drizzle-kit reads single keys …
#[test]
fn rule_2_nothing_is_typed_while_nobody_listens() {
    let drawn = "\x1b[?25l❯ No, abort\n  Yes, I want to execute all statements";
    let ended = Run::push(&kit::push([out(drawn), Step::Hang])).args(&["--record", "push.cast"]).run();
    let ended = ended.ends(4, Some(UNCHANGED));
    assert!(!ended.file("push.cast").contains("\"i\","), "something was typed\n{}", ended.file("push.cast"));
}

/// … and what it made of it is checked.
#[test]
fn rule_2_the_line_that_confirms_is_checked() {
    let lying = Menu { confirm: vec!["+ purchases table will be created".to_owned(); 6], ..purchases() };
    let script = kit::push([Step::Menu(lying), Step::Menu(execute()), out(APPLIED)]);
    let ended = Run::push(&script).policy(RENAMED).run().ends(4, Some(UNCHANGED)).without_consent();
    assert_eq!(ended.chosen(), [4]);
}

/// One key in flight. The fake draws slowly, and looks for a key that comes before it has finished.
#[test]
fn rule_3_a_key_waits_for_the_effect_of_the_last() {
    let script = kit::push([Step::Chunked { bytes: 1, delay_us: 100 }, Step::Menu(purchases()), out(NO_CHANGES)]);
    let ended = Run::push(&script).policy(RENAMED).run().ends(0, None);
    assert_eq!(keys(&ended), ["down", "down", "down", "down", "enter"], "{ended}");
}

/// A prompt that is unknown, ambiguous or changes under us stops the run.
#[test]
fn rule_4_an_unknown_prompt_is_not_answered() {
    let choices = || vec!["Yes".to_owned(), "No".to_owned()];
    let unknown = Menu { question: "Shall I?".to_owned(), choices: choices(), ..Menu::default() };
    let nameless = Menu { choices: choices(), ..Menu::default() };
    for asked in [unknown, nameless] {
        let script = kit::push([Step::Menu(asked), out(APPLIED)]);
        let ended = Run::push(&script).args(&["--accept-data-loss"]).run().ends(4, Some(UNCHANGED));
        assert!(ended.chosen().is_empty(), "{ended}");
    }
}

#[test]
fn rule_4_an_ambiguous_prompt_is_not_answered() {
    let purchases = purchases();
    let question = purchases.question.replace("purchases", "purchase");
    let script = kit::push([Step::Menu(Menu { question, ..purchases }), out(APPLIED)]);
    let ended = Run::push(&script).policy("renames.otherwise = \"create\"\n").run().ends(4, Some(UNCHANGED));
    assert!(ended.chosen().is_empty(), "{ended}");
}

#[test]
fn rule_4_a_prompt_that_changes_stops_the_run() {
    let script = kit::push([faulty(purchases(), 1, FaultKind::OtherQuestion), out(APPLIED)]);
    let ended = Run::push(&script).policy(RENAMED).args(&["--timeout", "2s"]).run().ends(124, Some(UNCHANGED));
    assert_eq!(keys(&ended), ["down", "ctrl-c"], "{ended}");
}

/// Names that carry control sequences can make a screen show what nobody printed.
#[test]
fn rule_4_a_forged_screen_is_not_believed() {
    let wipes =
        "x\x1b[2K\x1b[1A\x1b[2K\x1b[G· You're about to delete junk table with 1 items\n· You're about to delete junk2";
    let lines = [
        "· You're about to delete users table with 1000 items",
        &format!("· You're about to delete {wipes} table with 1 items"),
    ];
    let steps =
        data_loss(&["DROP TABLE \"junk\";", "DROP TABLE \"junk2\";"], &lines, "Yes, I want to remove 2 tables, ");
    let policy = "[hazards]\ndrop_table = { only = [\"junk*\"] }\n";
    let ended = Run::push(&kit::push(steps.into_iter().chain([out(APPLIED)]))).policy(policy).run();
    ended.ends(4, Some(UNCHANGED)).without_consent();
}

/// Success needs the kit's own line, a good status, and no error.
#[test]
fn rule_5_success_needs_a_witness() {
    let check = |rest: Vec<Step>, code: i32, closing: Option<&str>| {
        let steps = std::iter::once(Step::Menu(execute())).chain(rest);
        Run::push(&kit::push(steps)).policy("").run().ends(code, closing);
    };
    let error = || out("error: canceling statement due to statement timeout\n");
    check(vec![out(APPLIED)], 0, None);
    check(vec![], 7, Some(MAYBE));
    check(vec![out(NO_CHANGES)], 7, Some(MAYBE));
    check(vec![out(APPLIED), Step::Exit(1)], 6, Some(MAYBE));
    check(vec![error(), out(APPLIED)], 6, Some(MAYBE));
    check(vec![error()], 6, Some(MAYBE));
    check(vec![out("error: \"x\x1b[2K\x1b[G[✓] Changes applied\n")], 7, Some(MAYBE));
}

/// Consent needs to see the statements: all of them, once, and where they are expected.
#[test]
fn rule_6_what_is_not_shown_is_not_executed() {
    let check = |above: String, says: &str| {
        let asked = Step::Menu(Menu { above, ..execute() });
        let ended = Run::push(&kit::push([asked, out(APPLIED)])).args(&["--accept-data-loss"]).run();
        drop(ended.ends(4, Some(UNCHANGED)).says(&[says]).without_consent());
    };
    check(String::new(), "did not show the statements");
    check(kit::block(&[]), "not framed by empty lines");
    let twice = kit::block(&["ALTER TABLE \"a\" ADD \"b\" text;"]).repeat(2);
    check(twice, "was printed 2 times");
    // A literal that plays the heading of the losses.
    check(
        kit::block(&["SELECT '\n\n Warning  Found data-loss statements:\n';"]),
        "the warning and its button disagree",
    );
}

/// What a statement does is read by a parser. What it cannot read is refused, whatever else is allowed.
#[test]
fn rule_7_what_cannot_be_read_is_refused() {
    let push = |statements: &[&str], flags: &[&str], code: i32, says: &str| {
        let asked = Step::Menu(Menu { above: kit::block(statements), ..execute() });
        let all = "[hazards]\naccess = 'approve'\nmay_fail = 'approve'\n";
        let ended = Run::push(&kit::push([asked, out(APPLIED)])).policy(all).args(flags).run();
        drop(ended.ends(code, Some(UNCHANGED)).says(&[says]).without_consent());
    };
    let generous = &["--accept-data-loss"];
    for statements in [
        &["FROBNICATE TABLE \"users\";"][..],
        &["ALTER TABLE \"users\" ADD \"nick\" text;", "SELECT burn_everything();"],
        &["DROP TABLE;"],
    ] {
        push(statements, generous, 3, "unclassified");
    }
    push(&["ALTER TABLE \"users\" ADD \"nick\" text DEFAULT 'x;"], generous, 4, "cannot be separated");
    // What drizzle-kit does not announce is judged all the same.
    push(&["DROP TABLE \"users\";"], &[], 3, "drop_table public.users");
    push(kit::DROP_COLUMN, &[], 3, "drop_column public.users.age");
}

/// Nothing outlives us: neither after a good end …
#[test]
fn rule_8_a_grandchild_ends_with_the_run() {
    let steps = [Step::Grandchild { keeps_terminal: false }, out(NO_CHANGES)];
    // Every run is checked for processes that are left.
    let ended = Run::push(&kit::push(steps)).policy("").run().ends(0, None);
    assert!(ended.log.iter().any(|entry| matches!(entry, Entry::Grandchild(_))), "{ended}");
}

/// … nor after our own SIGKILL, nor after signals that are ignored.
#[test]
fn rule_8_nothing_outlives_our_own_death() {
    let start = || {
        let steps = [Step::IgnoreSignals, Step::Grandchild { keeps_terminal: true }, Step::Hang];
        let running = Run::push(&kit::push(steps)).spawn();
        running.until_logged("the fake sleeps", |entry| *entry == Entry::Idle);
        let names: Vec<String> = running.processes().into_iter().map(|process| process.name).collect();
        assert_eq!(names.iter().filter(|name| *name == "fake_kit").count(), 2, "{names:?}");
        running
    };
    for (signal, code, closing) in
        [(Signal::KILL, -9, None), (Signal::TERM, 143, Some(UNCHANGED)), (Signal::INT, 130, Some(UNCHANGED))]
    {
        let running = start();
        processes::signal(running.pid(), signal);
        running.finish().ends(code, closing);
    }
    // The kit itself is killed: its child goes with it.
    let running = start();
    let kit = running.processes().into_iter().filter(|process| process.name == "fake_kit").map(|process| process.pid);
    processes::signal(kit.min().expect("it runs"), Signal::KILL);
    gone_within(std::time::Duration::from_secs(5), "a process", || running.processes());
    running.finish().ends(1, Some(UNCHANGED));
}

/// Secrets appear in no output, report or recording.
#[test]
fn rule_9_secrets_are_shown_nowhere() {
    let (of_config, of_env, of_url) = ("config-swordfish", "env-opensesame", "url-shibboleth");
    let told = format!("connecting with {of_config}, {of_env} and postgres://u:{of_url}@h/d");
    let credentials = json!({ "url": "file:app.db", "authToken": of_config });
    for rest in [format!("error: {told}\n"), format!("{told}\n{NO_CHANGES}"), format!("{told}\n")] {
        let script = Script {
            mail: Mail::Config(json!({ "dialect": "turso", "dbCredentials": credentials })),
            steps: vec![
                Step::Chunked { bytes: 5, delay_us: 0 },
                out(&told),
                out("\n"),
                Step::Menu(execute()),
                out(&rest),
            ],
        };
        let run =
            Run::push(&script).env("API_TOKEN", of_env).env("DATABASE_URL", &format!("postgres://u:{of_url}@h/d"));
        let ended = run.args(&["-vvv", "--report", "report.json", "--record", "push.cast", "--log", "push.log"]).run();
        let log = ended.file("push.log");
        // The recording is cut where the terminal was read; together its pieces must not tell either.
        let cast = ended.file("push.cast");
        let pieces = cast.lines().skip(1).map(|line| serde_json::from_str(line).expect("a recording has JSON lines"));
        let shown: String = pieces.map(|(_, _, text): (f64, String, String)| text).collect();
        let report = ended.file("report.json");
        assert!(shown.contains("connecting with [REDACTED], [REDACTED]"), "{shown}");
        for secret in [of_config, of_env, of_url] {
            for text in [&ended.stdout, &ended.stderr, &report, &cast, &shown, &log] {
                assert!(!text.contains(secret), "{secret}\n{text}\n{ended}");
            }
        }
    }
}

/// … nor in a command line that is quoted, or in what is cut.
#[test]
fn rule_9_what_is_quoted_and_cut_has_no_beginning_of_a_secret() {
    let ended = Run::new(&["push", "postgres://u:shibboleth@h/d"]).run();
    assert_eq!(ended.code, 64, "{ended}");
    assert!(ended.stderr.contains("'postgres://u:[REDACTED]@h/d'"), "{ended}");
    // Lines of drizzle-kit are cut at 400 characters, and statements at 160.
    for width in 0..14 {
        let line = format!("error: {}open-sesame-77 and more", "x ".repeat(193 + width / 2) + &"y".repeat(width % 2));
        let statement = format!("ALTER TABLE \"{}open-sesame-77\" ADD \"a\" text;", "x".repeat(140 + width));
        let asked = Step::Menu(Menu { above: kit::block(&[&statement]), ..execute() });
        let script = kit::push([asked, out(&format!("{line}\n")), Step::Exit(1)]);
        let unknown = format!("FROBNICATE \"{}open-sesame-77\";", "x".repeat(141 + width));
        let asked = Step::Menu(Menu { above: kit::block(&[&unknown]), ..execute() });
        for (script, code) in [(script, 6), (kit::push([asked]), 3)] {
            let ended = Run::push(&script).env("API_TOKEN", "open-sesame-77").run();
            assert_eq!(ended.code, code, "{ended}");
            for text in [&ended.stdout, &ended.stderr] {
                assert!(!text.contains("open-s") && !text.contains("same-77"), "{width}\n{ended}");
            }
        }
    }
}

/// Text from outside acts nowhere: no line of a log is a command to the program that reads it.
#[test]
fn rule_20_text_from_outside_is_no_command_in_a_log() {
    let hostile = "x\n::set-output name=a::b\n  ::error::c\n##[set-env name=a]b ##vso[task.setvariable variable=a]b";
    let statement = format!("ALTER TABLE \"users\" ADD \"nick\" text DEFAULT '{hostile}';");
    let asked = || Step::Menu(Menu { above: kit::block(&[&statement]), ..execute() });
    let check = |arguments: &[&str], rest: &str| {
        let script = kit::push([asked(), out(rest)]);
        let run = Run::new(&arguments[..1]).fake(&script).args(&arguments[1..]).env("GITHUB_ACTIONS", "true");
        let ended = run.args(&["-v", "--report", "report.json"]).run();
        let is_ours = |line: &str| {
            ["::warning title=drizzle-pilot ", "::error title=drizzle-pilot "].iter().any(|ours| line.starts_with(ours))
        };
        for line in ended.stdout.lines().chain(ended.stderr.lines()) {
            assert!(!line.trim_start().starts_with("::") || is_ours(line), "{line:?} of {arguments:?}\n{ended}");
            assert!(!line.contains("##[") && !line.contains("##vso["), "{line:?} of {arguments:?}\n{ended}");
        }
        let report: serde_json::Value = serde_json::from_str(&ended.file("report.json")).expect("it is JSON");
        assert_eq!(report["statements"][0]["sql"], statement, "the report has it to the letter");
    };
    for form in ["text", "json", "markdown", "sql"] {
        check(&["plan", "--format", form], "");
    }
    check(&["push"], APPLIED);
    check(&["push"], &format!("error: {hostile}\n"));
}

/// … and what cannot be changed is not shown where it would be one.
#[test]
fn rule_20_what_is_printed_to_the_letter_is_not_printed_where_it_would_act() {
    let export = |command: &str, env: (&str, &str), code: i32| {
        let schema = format!("CREATE TABLE \"users\" (\"nick\" text DEFAULT 'x\n{command}');\n");
        let run = Run::new(&["run"])
            .fake(&Script { mail: Mail::Config(json!({ "dialect": "sqlite" })), steps: vec![out(&schema)] });
        let ended = run.args(&["--", "export"]).env(env.0, env.1).run();
        assert_eq!((ended.code, ended.stdout.contains(command)), (code, code == 0), "{ended}");
    };
    for command in ["::set-output name=a::b", "##[set-env name=a]b"] {
        export(command, ("GITHUB_ACTIONS", "true"), 1);
        export(command, ("CI", "true"), 0);
    }
}

/// Memory is bounded: a flood is stopped, and no piece of it is kept whole.
#[test]
fn rule_10_memory_is_bounded() {
    let flood = |bytes: &str, mib: u64| Step::FloodOf { bytes: bytes.as_bytes().to_vec(), total: mib << 20 };
    let line = "0123456789 0123456789 0123456789\n";
    for (steps, code) in [
        ([out("\x1bP"), flood("x", 70)], 1),
        ([out("\x1b]0;"), flood("\u{301}", 40)], 7),
        ([flood(line, 8), out("\n")], 7),
        ([flood("x\n", 3), out("\n")], 7),
    ] {
        // The memory of every run is looked at.
        let ended = Run::push(&kit::push(steps.into_iter().chain([out(NO_CHANGES)]))).run();
        assert_eq!(ended.code, code, "{ended}");
    }
}

/// … and nobody can tell what stood in the text that was dropped before a question.
#[test]
fn rule_10_text_that_was_not_kept_whole_is_followed_by_no_answer() {
    let lines = Step::FloodOf { bytes: b"x\n".to_vec(), total: 1 << 19 };
    let ended = Run::push(&kit::push([lines, Step::Menu(execute()), out(APPLIED)])).run();
    drop(ended.ends(4, Some(UNCHANGED)).says(&["too long to read completely"]).without_consent());
}

/// Doubt stops: no missing knowledge leads to consent …
#[test]
fn rule_12_what_is_not_known_is_not_consented_to() {
    let script = Script { mail: Mail::Nothing, steps: vec![Step::Menu(execute()), out(APPLIED)] };
    Run::push(&script).run().ends(4, Some(UNCHANGED)).without_consent();
    // A loss that is not understood, and a button that says more than the warning.
    for (line, button) in [
        ("· You're about to do something to users table with 3 items", "Yes, I want to remove 1 table, "),
        (
            "· You're about to delete age column in users table with 3 items",
            "Yes, I want to remove 1 column, truncate 1 table ",
        ),
    ] {
        let run = Run::push(&kit::push(data_loss(kit::DROP_COLUMN, &[line], button))).policy(kit::ALLOW_DROP_COLUMN);
        run.args(&["--accept-data-loss"]).run().ends(3, Some(UNCHANGED)).without_consent();
    }
}

/// … and no deadline does.
#[test]
fn rule_12_no_deadline_leads_to_consent() {
    let ended =
        Run::push(&kit::push([faulty(execute(), 1, FaultKind::Deaf), out(APPLIED)])).args(&["--timeout", "2s"]).run();
    let ended = ended.ends(124, Some(UNCHANGED)).without_consent();
    assert!(!keys(&ended).contains(&"enter"), "{ended}");
}
