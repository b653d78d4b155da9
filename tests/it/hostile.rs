//! A drizzle-kit that lies, floods, hangs and forges. Whatever it does: no consent, the right code, nothing left behind.
//! Every run is checked for its memory, for control characters in the outputs, and for processes that are left.

use std::thread;
use std::time::Duration;

use serde_json::json;

use crate::kit::{
    self, APPLIED, NO_CHANGES, data_loss, drop_column, execute, faulty, out, rename_column, rename_table,
};
use crate::support::script::{Entry, FaultKind, Mail, Menu, Script, Step};
use crate::support::{MAYBE, Ran, Run, UNCHANGED};

/// A policy that would allow whatever it understands: what is not done then is not done because it is in doubt.
const GENEROUS: &str = r#"
[renames]
otherwise = "create"
[hazards]
data_loss = "approve"
access = "approve"
"#;

/// Statements that a policy for the tables `junk*` allows.
const DROP_JUNK: &[&str] = &["DROP TABLE \"junk\";", "DROP TABLE \"junk2\";"];

#[track_caller]
fn check(steps: impl IntoIterator<Item = Step>, code: i32, closing: Option<&str>, says: &[&str]) -> Ran {
    Run::push(&kit::push(steps)).policy(GENEROUS).run().ends(code, closing).says(says).without_consent()
}

/// Runs cases that mostly wait, all at once.
fn side_by_side<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

fn list(question: &str, choices: &[&str]) -> Menu {
    let choices = choices.iter().map(|choice| (*choice).to_owned()).collect();
    Menu { question: question.to_owned(), choices, ..Menu::default() }
}

#[test]
fn an_unknown_question_is_not_answered() {
    let asked: [(&str, &[&str]); 6] = [
        ("Shall I frobnicate the tables?", &["Sure", "Never"]),
        (
            "Is users trigger created or renamed from another trigger?",
            &["+ users create trigger", "~ old › users rename trigger"],
        ),
        ("Do you want to drop everything?", &["No, abort", "Yes, I want to execute all statements"]),
        ("", &["Yes, I want to execute all statements", "No, abort"]),
        ("", &["No, abort", "Yes, I want to execute all statements", "Yes, and more"]),
        ("", &["Yes, I want to execute all statements"]),
    ];
    for (question, choices) in asked {
        check([Step::Menu(list(question, choices)), out(APPLIED)], 4, Some(UNCHANGED), &["unknown-prompt"]);
    }
    // A rule for unknown questions must match one choice, not several.
    let script = kit::push([Step::Menu(list("Shall I?", &["Yes", "Yes, twice"]))]);
    let rule = "[[prompts]]\nquestion = '^Shall'\nchoose = '^Yes'\n";
    Run::push(&script).policy(rule).run().ends(4, Some(UNCHANGED)).without_consent();
}

#[test]
fn two_prompts_with_the_same_text_are_not_told_apart_by_guessing() {
    let asked = || Step::Menu(rename_column("users", "full_name", &["name"]));
    let script = Script {
        mail: Mail::Config(
            json!({ "dialect": "postgresql", "driver": "pglite", "schemaFilter": ["public", "auth"], "dbCredentials": { "url": "data" } }),
        ),
        steps: vec![asked(), asked(), Step::Menu(execute()), out(APPLIED)],
    };
    let one = "[renames.columns]\n\"public.users.name\" = \"full_name\"\n";
    Run::push(&script).policy(one).run().ends(4, Some(UNCHANGED)).without_consent();
    // Where the answer is the same for both, there is nothing to guess.
    let both = format!("{one}\"auth.users.name\" = \"full_name\"\n");
    let ended = Run::push(&script).policy(&both).run().ends(0, None);
    assert_eq!(ended.chosen(), [1, 1, 1]);
}

#[test]
fn a_name_that_looks_like_a_choice_is_not_one() {
    let names = [
        "a rename table",
        "x\n❯ Yes, I want to execute all statements",
        "x\n  ~ orders › purchases rename table",
        "x create table\n❯ + x",
        "❯ x",
        "No, abort",
        "a › b",
        "users table created or renamed from another table?\n❯ + users create table",
    ];
    for name in names {
        let steps = || [Step::Menu(rename_table(name, &["orders", "a"])), out(NO_CHANGES)];
        let ended = Run::push(&kit::push(steps())).run().without_consent();
        assert!([3, 4].contains(&ended.code), "{name:?}\n{ended}");
        assert!(ended.chosen().is_empty(), "{name:?}\n{ended}");
        // Where it is answered, then with the choice that creates, which is what this policy says.
        let ended = Run::push(&kit::push(steps())).policy(GENEROUS).run().without_consent();
        assert!(
            ended.code == 4 && ended.chosen().is_empty() || ended.code == 0 && ended.chosen() == [0],
            "{name:?}\n{ended}"
        );
    }
}

#[test]
fn a_frame_that_is_wrong_stops_the_run() {
    let asked = || rename_column("users", "e", &["a", "b", "c", "d"]);
    let policy = "[renames.columns]\n\"users.c\" = \"e\"\n";
    let faults = [
        (0, FaultKind::Half),
        (1, FaultKind::Erases { more: 1 }),
        (1, FaultKind::Erases { more: -1 }),
        (0, FaultKind::TwoMarkers),
        (1, FaultKind::TwoMarkers),
        (1, FaultKind::OtherQuestion),
        (2, FaultKind::OtherQuestion),
        (1, FaultKind::OtherOrder),
        (2, FaultKind::WrongRow),
        (3, FaultKind::WrongRow),
    ];
    side_by_side(faults, |(at, kind)| {
        // A frame that never shows what was expected is waited for; one that shows the impossible is not.
        let code = match kind {
            FaultKind::Erases { .. } | FaultKind::Half => 4,
            FaultKind::TwoMarkers if at == 0 => 4,
            _ => 124,
        };
        let script = kit::push([faulty(asked(), at, kind), out(APPLIED)]);
        let ended = Run::push(&script).policy(policy).args(&["--timeout", "3s"]).run();
        let ended = ended.ends(code, Some(UNCHANGED)).without_consent();
        assert!(ended.chosen().is_empty(), "{ended}");
    });
}

#[test]
fn what_never_comes_is_waited_for_until_its_time_is_over() {
    let no_list = "waits for input other than a list of choices";
    let no_effect = "did not react to a key";
    let asked = || rename_table("users", &[]);
    let cases = [
        (faulty(asked(), 0, FaultKind::Blank), no_list),
        (faulty(asked(), 0, FaultKind::Half), no_list),
        (faulty(asked(), 1, FaultKind::Half), no_effect),
        (faulty(asked(), 1, FaultKind::Dropped), no_effect),
        (faulty(asked(), 1, FaultKind::Deaf), no_effect),
    ];
    side_by_side(cases, |(asked, says)| drop(check([asked, out(APPLIED)], 4, Some(UNCHANGED), &[says])));
}

#[test]
fn a_prompt_that_hides_no_cursor_is_noticed() {
    let question = out("Are you sure? (y/N) ");
    check([Step::Raw(true), question, Step::Hang], 4, Some(UNCHANGED), &["reads keys, but shows no prompt"]);
}

#[test]
fn deadlines_end_what_does_not_end() {
    let limits = ["--idle-timeout", "1s", "--timeout", "3s"];
    let (idle, whole) = ("printed nothing new for 1s", "did not end within 3s");
    let cases = [
        // A spinner that turns is no news.
        (vec![Step::Spinner], idle),
        (vec![Step::IgnoreSignals, Step::Spinner], idle),
        (vec![Step::Hang], idle),
        (vec![Step::IgnoreSignals, Step::Hang], idle),
        (vec![Step::Grandchild { keeps_terminal: false }, Step::IgnoreSignals, Step::Hang], idle),
        (vec![Step::Grandchild { keeps_terminal: true }, Step::IgnoreSignals, Step::Hang], idle),
        (vec![faulty(execute(), 1, FaultKind::Dropped), out(APPLIED)], whole),
    ];
    side_by_side(cases, |(steps, says)| {
        let ended = Run::push(&kit::push(steps)).args(&limits).run();
        let ended = ended.ends(124, Some(UNCHANGED)).says(&[says, "before consent"]).without_consent();
        assert!(ended.took < Duration::from_secs(15), "{ended}");
    });
    // A kit that never hands its config over.
    let script = Script { mail: Mail::Nothing, steps: vec![Step::Hang] };
    Run::push(&script).args(&limits).run().ends(124, Some(UNCHANGED)).says(&[idle]).without_consent();
    // After consent silence is what a long statement looks like, and nobody knows what was done.
    let steps = [Step::Menu(execute()), Step::Hang];
    let ended = Run::push(&kit::push(steps)).args(&limits).run().ends(124, Some(MAYBE)).says(&[whole, "after consent"]);
    assert_eq!(ended.chosen(), [1]);
}

#[test]
fn a_grandchild_does_not_outlive_the_run() {
    for keeps_terminal in [false, true] {
        let steps = [Step::Grandchild { keeps_terminal }, out(NO_CHANGES)];
        // Ran checks that no process is left; a terminal that somebody keeps open must not keep us.
        let ended = check(steps, 0, None, &["no changes"]);
        assert!(ended.took < Duration::from_secs(10), "{ended}");
    }
}

#[test]
fn memory_is_bounded_whatever_is_printed() {
    let gigabyte = 1 << 30;
    let flood = |bytes: &str, total: u64| Step::FloodOf { bytes: bytes.as_bytes().to_vec(), total };
    let line = "0123456789 0123456789 0123456789 0123456789 0123456789\n";
    // A gigabyte is stopped on its way, or by the deadline.
    let cases = [
        ("a device string without end", "60s", 1, [out("\x1bP"), flood("x", gigabyte)]),
        ("lines", "60s", 1, [out(""), flood(line, gigabyte)]),
        ("lines at a prompt", "6s", 124, [out("\x1b[?25l"), flood(line, gigabyte)]),
    ];
    side_by_side(cases, |(what, timeout, code, steps)| {
        let script = kit::push(steps.into_iter().chain([out(NO_CHANGES)]));
        let ended = Run::push(&script).args(&["--timeout", timeout]).run().without_consent();
        assert_eq!(ended.code, code, "{what}\n{ended}");
    });
}

/// Names with control sequences of every kind.
const FORGING: [&str; 15] = [
    "users\x1b[?25h",
    "users\x1b[?25l",
    "users\x1b[?25h\r\n[✓] Changes applied\r\n\x1b[?25l",
    "users\x1b[3A\x1b[2K",
    "users\x1b[2K\x1b[1A\x1b[2K\x1b[G❯ + users create table",
    "users\x1b[1;1H",
    "users\x1b]0;title\x07",
    "users\x1b]8;;http://example.com\x1b\\link",
    "users\x1bP$q q\x1b\\",
    "users\u{9b}2K",
    "users\x08\x08\x08\x08\x08admin",
    "users\radmin",
    "us\ters",
    "users\x07",
    "users\x1b[8mhidden\x1b[2J",
];

#[test]
fn control_sequences_in_a_name_cannot_forge_a_prompt() {
    side_by_side(FORGING, |name| {
        let asked = Step::Menu(rename_table(name, &["orders"]));
        let ended = Run::push(&kit::push([asked, Step::Menu(execute()), out(APPLIED)])).policy(GENEROUS).run();
        let ended = ended.ends(4, Some(UNCHANGED)).without_consent();
        assert!(ended.chosen().is_empty(), "{name:?}\n{ended}");
    });
}

/// Whatever drizzle-kit prints, the terminal of the user is left in the mode that it had, with its cursor, and is told
/// nothing but text, its colours, and how to turn a spinner.
#[test]
fn the_terminal_of_the_user_is_unharmed() {
    let loud = "\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b]0;title\x07\x1b[5;9r\x1bc\x0e\u{9b}2J\x1b[31m";
    let mut cases: Vec<Vec<Step>> = vec![
        vec![out(loud), out("\nerror: no\n"), Step::Exit(1)],
        vec![Step::Bytes(b"\xff\xfe\x9b2J\x9d0;x\x9c error: no\n".to_vec()), Step::Exit(1)],
        vec![Step::Menu(list("Shall I frobnicate?\x1b[2J", &["Sure\x07", "Never\u{9b}2K"]))],
        vec![Step::Raw(true), out(loud), Step::Hang],
        vec![Step::Spinner],
        vec![Step::IgnoreSignals, Step::Spinner],
        vec![faulty(execute(), 1, FaultKind::Half)],
        vec![out("\x1bP"), Step::Flood(80 << 20)],
        vec![Step::Menu(execute()), out("\x1b[?25l"), Step::DieBy(9)],
    ];
    cases.extend(FORGING.map(|name| vec![Step::Menu(rename_table(name, &["orders"])), out(NO_CHANGES)]));
    let own = regex::Regex::new(r"\r|\x1b\[[0-9;]*m|\x1b\[[0-9]*[ABK]").expect("the pattern is a constant");
    side_by_side(
        cases.into_iter().flat_map(|steps| [(steps.clone(), "--color=auto"), (steps, "-v")]),
        |(steps, flag)| {
            let script = kit::push(steps);
            let ended = Run::push(&script).policy(GENEROUS).args(&[flag, "--timeout", "3s"]).on_terminal(24, 80);
            let shown = ended.stdout.as_str();
            let rest = own.replace_all(shown, "");
            let foreign = rest.chars().find(|character| character.is_control() && !matches!(character, '\n' | '\t'));
            assert_eq!(foreign, None, "{:?}: {shown:?}\n{ended}", script.steps);
            assert!(
                shown.contains("drizzle-pilot") || shown.contains("executed") || shown.contains("push:"),
                "{shown:?}"
            );
        },
    );
}

#[test]
fn control_sequences_in_a_warning_cannot_hide_a_loss() {
    let policy = "[hazards]\ndrop_table = { only = [\"public.junk*\"] }\n";
    let real = "· You're about to delete users table with 1000 items";
    let forged = |name: &str| format!("· You're about to delete {name} table with 1 items");
    let names = [
        // Wipes its own row and the one above as a spinner would, and writes two harmless ones in their place.
        "x\x1b[2K\x1b[1A\x1b[2K\x1b[G· You're about to delete junk table with 1 items\n· You're about to delete junk2",
        "x\r· You're about to delete junk table with 1 items\x1b[1A\r· You're about to delete junk2",
        "x\x1b[1A\x1b[2K\x1b[G· You're about to delete junk",
        "x\x1b[2A\x1b[J",
        "x\x1b[?25l❯ No, abort\x1b[?25h",
    ];
    for name in names {
        for lines in [[real, &forged(name)], [&forged(name), real]] {
            let steps = data_loss(DROP_JUNK, &lines, "Yes, I want to remove 2 tables, ");
            let script = kit::push(steps.into_iter().chain([out(APPLIED)]));
            let ended = Run::push(&script).policy(policy).run().without_consent();
            assert!([3, 4].contains(&ended.code), "{name:?}\n{ended}");
        }
    }
    // Alone a name may not pass for another either.
    for name in ["users\r· You're about to delete junk", "users\x08\x08\x08\x08\x08junk ", "users\x1b[5Djunk\x1b[K"] {
        let script = kit::push(
            data_loss(DROP_JUNK, &[&forged(name)], "Yes, I want to remove 1 table, ").into_iter().chain([out(APPLIED)]),
        );
        let ended = Run::push(&script).policy(policy).run().without_consent();
        assert!([3, 4].contains(&ended.code), "{name:?}\n{ended}");
    }
}

#[test]
fn a_forged_witness_is_not_believed() {
    let check = |steps: Vec<Step>, code: i32| {
        Run::push(&kit::push(steps)).policy(kit::ALLOW_DROP_COLUMN).run().ends(code, Some(MAYBE));
    };
    let applied_by_name = "error: relation \"[✓] Changes applied\" does not exist\n";
    let allowed = |rest: &str| drop_column().into_iter().chain([out(rest)]).collect();
    check(allowed(applied_by_name), 6);
    check(allowed("\x1b]0;[✓] Changes applied\x07"), 7);
    check(allowed("error: relation \"x\x1b[2K\x1b[G[✓] Changes applied\n"), 7);
    check(allowed("error: relation \"x\r[✓] Changes applied          \n"), 7);
    check(allowed("\x1b[8D[✓] Changes \x1b[1Capplied\n"), 7);
    check(allowed(&format!("{APPLIED}error: column \"age\" does not exist\n")), 6);
    check(allowed("[i] No changes detected\n"), 7);
}

#[test]
fn bytes_that_are_no_text_are_no_answer() {
    let with = |at: usize, bytes: &[u8]| {
        let drawn = "\x1b[?25l\nIs users table created or renamed from another table?\n❯ + users          create table\n  ~ old › users rename table";
        let mut all = drawn.as_bytes().to_vec();
        all.splice(at..at, bytes.iter().copied());
        all
    };
    let wrong = [&b"\xff"[..], b"\xc3", b"\xe2\x9d", b"\xf0\x9f", b"\x80\x9b", b"\xed\xa0\x80"];
    side_by_side(wrong.iter().flat_map(|bytes| [6, 12, 64, 70, 90].map(|at| (bytes, at))), |(bytes, at)| {
        let script = kit::push([Step::Raw(true), Step::Bytes(with(at, bytes)), Step::Hang]);
        let ended = Run::push(&script).args(&["--timeout", "2s"]).run().without_consent();
        assert!([4, 124].contains(&ended.code), "{bytes:?} at {at}\n{ended}");
        assert!(ended.stderr.ends_with(&format!("{UNCHANGED}\n")), "{ended}");
    });
    // Before a prompt they may be anything; after it they cannot be the witness.
    for bytes in [&b"\x80\x9b2K\n"[..], b"\xc2\x9b2K\n"] {
        let steps = [Step::Bytes(bytes.to_vec()), Step::Menu(execute()), out(APPLIED)];
        check(steps, 4, Some(UNCHANGED), &["could forge"]);
        let steps = [Step::Menu(execute()), out("[✓] Changes "), Step::Bytes(bytes.to_vec()), out("applied\n")];
        Run::push(&kit::push(steps)).run().ends(7, Some(MAYBE));
    }
}

#[test]
fn exit_status_0_is_not_success() {
    let check = |steps: Vec<Step>, code: i32, closing: &str| {
        drop(Run::push(&kit::push(steps)).policy(kit::ALLOW_DROP_COLUMN).run().ends(code, Some(closing)));
    };
    let asked = |rest: Vec<Step>| drop_column().into_iter().chain(rest).collect::<Vec<_>>();
    let error = "error: column \"age\" cannot be cast automatically to type integer\n  code: '42804',\n";
    // Without being asked for consent: it disobeyed, it says nothing, it failed.
    check(vec![out(APPLIED)], 6, MAYBE);
    check(vec![], 7, MAYBE);
    check(vec![out(error)], 1, UNCHANGED);
    check(vec![out(NO_CHANGES), Step::Exit(3)], 1, UNCHANGED);
    check(vec![out(NO_CHANGES), Step::DieBy(9)], 1, UNCHANGED);
    // With consent.
    check(asked(vec![]), 7, MAYBE);
    check(asked(vec![out(error)]), 6, MAYBE);
    check(asked(vec![out(error), out(APPLIED)]), 6, MAYBE);
    check(asked(vec![out(APPLIED), Step::Exit(1)]), 6, MAYBE);
    check(asked(vec![out(APPLIED), Step::DieBy(15)]), 6, MAYBE);
    check(asked(vec![out("[x] All changes were aborted\n")]), 7, MAYBE);
}

#[test]
fn changes_after_a_refusal_are_not_hidden() {
    // It was told no, and did it nevertheless.
    let [warning, Step::Menu(menu)] = drop_column() else { unreachable!("a warning and its menu") };
    let disobedient = Menu { confirm: vec![APPLIED.trim().to_owned()], ..menu };
    let ended = Run::push(&kit::push([warning, Step::Menu(disobedient)])).run();
    ended.ends(6, Some(MAYBE)).says(&["without consent"]).without_consent();
}

#[test]
fn a_line_that_does_not_confirm_the_answer_stops_the_run() {
    let policy = "[renames.tables]\norders = \"purchases\"\n";
    let asked = rename_table("purchases", &["orders"]);
    let other =
        ["~ orders › purchase table will be renamed/moved", "+ purchases table will be created", "nothing of the kind"];
    for line in other {
        let lying = Menu { confirm: vec![String::new(), line.to_owned()], ..asked.clone() };
        let script = kit::push([Step::Menu(lying), Step::Menu(execute()), out(APPLIED)]);
        let ended = Run::push(&script).policy(policy).run().ends(4, Some(UNCHANGED)).says(&["did not confirm"]);
        assert_eq!(ended.without_consent().chosen(), [1]);
    }
    let ended = Run::push(&kit::push([Step::Menu(asked), Step::Menu(execute()), out(APPLIED)])).policy(policy).run();
    assert_eq!(ended.ends(0, None).chosen(), [1, 1]);
}

#[test]
fn output_cut_into_single_bytes_is_read_the_same() {
    for delay_us in [0, 200] {
        let mut steps =
            vec![Step::Chunked { bytes: 1, delay_us }, Step::Menu(rename_table("größe › 2", &["a", "größe"]))];
        steps.extend(drop_column());
        steps.push(out(APPLIED));
        let policy = format!("[renames.tables]\n\"größe\" = \"größe › 2\"\n{}", kit::ALLOW_DROP_COLUMN);
        let warned = "warning: drop_column public.users.age deletes 3 values (drizzle-pilot.toml:5 hazards.drop_column)\n\
                      warning: drizzle-pilot could not determine what the statements affect: drizzle-pilot has no connection to this database\n";
        let ended = Run::push(&kit::push(steps)).policy(&policy).run().ends_beside(0, warned);
        assert_eq!(ended.chosen(), [2, 1]);
    }
}

#[test]
fn a_kit_that_asks_before_its_config_was_seen_gets_no_answer() {
    let script = Script { mail: Mail::Nothing, steps: vec![Step::Menu(execute()), out(APPLIED)] };
    let ended = Run::push(&script).policy(GENEROUS).run().ends(4, Some(UNCHANGED)).without_consent();
    assert!(!ended.log.iter().any(|entry| matches!(entry, Entry::Told(_))), "{ended}");
}
