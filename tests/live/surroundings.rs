//! Where the program may find itself: without a terminal, as PID 1, behind pipes, with a full disk.

use std::io::Write;
use std::num::NonZeroU16;
use std::path::Path;
use std::process::Command;

use crate::NEWEST;
use crate::support::{Database, Project, Ran, Run};

/// Pushes a change with a prompt in given surroundings, and checks that it is applied and proven.
#[track_caller]
fn check(prepare: impl FnOnce(Run) -> Run) -> Ran {
    check_with(prepare, Run::run)
}

#[track_caller]
fn check_with(prepare: impl FnOnce(Run) -> Run, run: impl FnOnce(Run) -> Ran) -> Ran {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let ran = run(prepare(project.pilot(&["push"]))).expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"], "{ran}");
    ran
}

#[test]
fn a_terminal_of_any_size_will_do() {
    for (rows, cols) in [(24, 80), (1, 1), (0, 0), (500, 500)] {
        check_with(|run| run, |run| run.on_terminal(rows, cols));
    }
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let rows = NonZeroU16::new(50).expect("it is not 0");
    let cols = NonZeroU16::new(120).expect("it is not 0");
    let ran = check_with(|run| run, |run| run.on_terminal(rows.get(), cols.get()));
    assert!(
        ran.stdout.contains("Pulling schema from database...") && ran.stdout.contains("\x1b[2K"),
        "no spinner\n{ran}"
    );
    let mut terminal = vt100::Parser::new(rows, cols, 0);
    terminal.process(ran.stdout.as_bytes());
    let screen = terminal.screen();
    let shown = screen.contents();
    assert!(shown.starts_with("warning: drop_column public.users.legacy_id") && !shown.contains("Pulling"), "{shown}");
    let style = (screen.fgcolor(), screen.bgcolor(), screen.bold(), screen.inverse());
    assert_eq!(style, (vt100::Color::Default, vt100::Color::Default, false, false), "{ran}");
    // Neither the cursor nor the screen was ever another one: a run that is killed leaves them as well.
    assert!(!ran.stdout.contains("\x1b[?"), "{:?}", ran.stdout);
}

#[test]
fn no_controlling_terminal_is_needed() {
    check(|run| run.by(&["setsid", "--wait"]));
}

#[test]
fn stdin_may_be_anything() {
    for script in ["pilot </dev/null", "pilot <&-", "yes | pilot", "printf '\\r\\r\\r' | pilot"] {
        check(|run| run.in_shell(script));
    }
}

#[test]
fn stdout_may_be_a_pipe_that_closes_early() {
    check(|run| run.in_shell("pilot | cat"));
    check(|run| run.in_shell("pilot 2>&1 | head -1"));
    check(|run| run.in_shell("pilot 2>&1 | true"));
}

#[test]
fn stdout_and_stderr_may_be_closed() {
    check(|run| run.in_shell("pilot >&-"));
    check(|run| run.in_shell("pilot >&- 2>&-"));
}

/// What was done is done, and whoever wanted to know of it does not.
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let pilot = |script: &str| {
        let database = Database::create();
        let project = Project::fixture(NEWEST, "drop_column", &database);
        let ran = project.pilot(&["push"]).in_shell(script).run();
        assert_eq!((ran.code, &ran.report["code"]), (7, &7.into()), "{ran}");
        assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"], "{ran}");
        ran
    };
    pilot("pilot >/dev/full").says(&["the result could not be written to stdout: No space left", "changes applied"]);
    pilot("pilot >/dev/full 2>&1");
    pilot("pilot -vv >/dev/full 2>&1");
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let full = |args: &[&str]| {
        project.pilot(args).in_shell("pilot >/dev/full").run().expect(1).says(&["could not be written"])
    };
    full(&["run", "--", "export"]);
    full(&["plan"]);
    let summary = |run: Run| run.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "/dev/full").run();
    summary(project.pilot(&["plan"])).expect(1).says(&["the summary /dev/full could not be written"]);
}

#[test]
fn no_variable_of_the_terminal_matters() {
    for (name, value) in [
        ("CI", "true"),
        ("TERM", "dumb"),
        ("TERM", ""),
        ("NO_COLOR", "1"),
        ("FORCE_COLOR", "3"),
        ("LANG", "de_DE.UTF-8"),
        ("COLUMNS", "10"),
        ("NODE_OPTIONS", "--no-warnings"),
    ] {
        let ran = check(|run| run.env(name, value));
        let coloured = ran.stdout.contains('\x1b') || ran.stderr.contains('\x1b');
        assert_eq!(coloured, name == "FORCE_COLOR", "{name}={value}\n{ran}");
    }
}

#[test]
fn pid_1_will_do() {
    check(|run| run.by(&as_pid_1().iter().map(String::as_str).collect::<Vec<_>>()));
}

/// Returns what makes a program PID 1, or where the kernel forbids that, at least the one that inherits the orphans.
pub(crate) fn as_pid_1() -> Vec<String> {
    let ways: [&[&str]; 2] = [
        &["unshare", "--pid", "--fork", "--mount-proc"],
        &["unshare", "--user", "--map-root-user", "--pid", "--fork", "--mount-proc"],
    ];
    for way in ways {
        if Command::new(way[0]).args(&way[1..]).arg("true").output().is_ok_and(|output| output.status.success()) {
            return way.iter().map(|&word| word.to_owned()).collect();
        }
    }
    // Past the test harness, which keeps what a good test prints to itself.
    let weaker = "warning: no process can be PID 1 here (unshare is refused): tested as the heir of orphans instead";
    writeln!(std::io::stderr(), "{weaker}").expect("stderr is open");
    let program = Path::new(env!("CARGO_BIN_EXE_drizzle-pilot")).with_file_name("examples").join("fake_kit");
    vec![program.to_str().expect("the path is UTF-8").to_owned(), "--heir".to_owned()]
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_anything_runs() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    let before = database.state();
    for option in ["--report", "--report-html"] {
        for (file, says) in [("/dev/full", "/dev/full"), ("no/such/folder/report", "no/such/folder")] {
            let ran = project.pilot(&["push", option, file]).without_report().run().expect(1).says(&[says]);
            assert_eq!(database.state(), before, "{ran}");
        }
    }
}

#[test]
fn what_is_around_the_project_does_not_matter() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let deep = project.path("src/ünïcode folder");
    std::fs::create_dir_all(&deep).expect("the folder is ours");
    for file in ["drizzle.config.ts", "schema.ts"] {
        std::fs::rename(project.path(file), deep.join(file)).expect("both are in one folder");
    }
    let cwd = deep.to_str().expect("the path is UTF-8");
    // The kit and the policy are found upward from there.
    let ran = project.pilot(&["push", "--cwd", cwd]).run().expect(0).database("changed");
    assert_eq!(database.state(), ["public.users (id integer, name text): 3 rows"], "{ran}");
}

#[test]
fn a_password_is_in_no_output() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    let url = database.url();
    let password = url.password().expect("the laboratory's URLs have a password");
    let push = ["push", "-v", "--record", "run.cast", "--report-html", "run.html"];
    let ran = project.pilot(&push).run().expect(0).never_says(password);
    for file in ["run.cast", "run.html"] {
        let text = std::fs::read_to_string(project.path(file)).expect("both options write a file");
        assert!(text.contains("legacy_id") && !text.contains(password), "{file}\n{ran}");
    }
}

#[test]
fn a_package_runner_takes_no_guard_away() {
    for kit in ["npx drizzle-kit", "npm exec drizzle-kit --"] {
        let through = |run: Run| run.args(&["--kit", kit]);
        // No loss is announced here: without being made to, drizzle-kit would not ask.
        let database = Database::create();
        let project = Project::fixture(NEWEST, "add_column", &database);
        let before = database.state();
        project.policy("[guard]\nrefuse_env = ['STAGE=live']\n[profiles.there]\nwhen = { hosts = ['127.0.0.1'] }\n");
        through(project.pilot(&["push"]).env("STAGE", "live")).run().expect(77);
        assert_eq!(database.state(), before, "{kit}");
        let ran = through(project.pilot(&["push"])).run().expect(0).database("changed");
        assert!(ran.says(&["asked", "Yes, I want to execute all statements"]).stdout.contains("ALTER TABLE"));
        // What is lost is refused all the same.
        let database = Database::create();
        let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
        let before = database.state();
        through(project.pilot(&["push"])).run().expect(3);
        assert_eq!(database.state(), before, "{kit}");
    }
}
