//! What runs in CI: the action for GitHub, and the job that `docs/ci.md` has for a plain shell.

use std::path::Path;

use super::migrations::project;
use crate::NEWEST;
use crate::support::{Database, Project, Run};

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Puts the program into the PATH, as an installation does.
pub(crate) fn installed(run: Run) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_drizzle-pilot"));
    let folder = program.parent().expect("the program lies in a folder").to_str().expect("the path is UTF-8");
    run.env("PATH", &format!("{folder}:{}", std::env::var("PATH").expect("cargo has a PATH")))
}

/// Prepares a run of the action's one step, as GitHub runs it.
fn action(project: &Project, command: &str, arguments: &str, changes: &str) -> Run {
    let path = |file: &str| project.path(file).to_str().expect("the path is UTF-8").to_owned();
    let script = repository().join("scripts/action/run.sh");
    let run = project.command("", &["bash", script.to_str().expect("the path is UTF-8")]);
    for file in ["summary.md", "output"] {
        project.write(file, "");
    }
    installed(run)
        .env("COMMAND", command)
        .env("ARGUMENTS", arguments)
        .env("CHANGES", changes)
        .env("CI", "true")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &path("summary.md"))
        .env("GITHUB_OUTPUT", &path("output"))
        .env("RUNNER_TEMP", &path(""))
}

fn read(project: &Project, file: &str) -> String {
    std::fs::read_to_string(project.path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

#[test]
fn the_action_shows_a_plan_in_the_pull_request() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
    let ran = action(&project, "plan", "", "").run();
    assert_eq!(ran.code, 3, "{ran}");
    let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("::")).collect();
    assert_eq!(
        lines,
        [
            "::error title=drizzle-pilot plan::refused: drop_column public.users.legacy_id would delete 3 values%0A  drizzle-pilot.toml (a new file), to allow exactly this:%0A      [hazards]%0A      drop_column = { only = [\"public.users.legacy_id\"] }"
        ],
        "{ran}"
    );
    let summary = read(&project, "summary.md");
    for part in ["### drizzle-pilot plan: refused by the policy\n", "| ❌ refused |", "DROP COLUMN \"legacy_id\""] {
        assert!(summary.contains(part), "{part:?} is missing in {summary}");
    }
    let output = read(&project, "output");
    let (output, reports) = output.split_once("reports=").expect("the folder of the reports is an output");
    assert_eq!(output, "code=3\noutcome=refused\ndatabase=unchanged\n");
    let page = std::fs::read_to_string(Path::new(reports.trim()).join("report.html")).expect("there is a page");
    assert!(page.contains("DROP COLUMN") && page.contains("Pulling schema") && page.ends_with("</html>\n"), "{page}");
    assert!(Path::new(reports.trim()).join("run.cast").is_file());

    // What is allowed is a warning, and no reason to fail.
    let ran = action(&project, "plan", "--accept-data-loss --policy 'drizzle-pilot.toml'", "").run();
    assert_eq!(ran.code, 78, "a quoted word is one: {ran}");
    let ran = action(&project, "plan", "--accept-data-loss", "").run();
    assert_eq!(ran.code, 0, "{ran}");
    ran.says(&["::warning title=drizzle-pilot plan::drop_column public.users.legacy_id deletes 3 values"]);
    assert!(read(&project, "output").starts_with("code=2\noutcome=changes\n"));
}

#[test]
fn the_action_fails_for_findings_unless_they_are_said_to_be_fine() {
    let database = Database::create();
    let project = project(NEWEST, &database, &[(10, "CREATE TABLE a (id int);\nDROP TABLE b;")]);
    let check = |command: &str, arguments: &str, changes: &str, code: i32, says: &str| {
        let ran = action(&project, command, arguments, changes).run();
        assert_eq!(ran.code, code, "{ran}");
        ran.says(&[says]);
    };
    check("check", "--migrations drizzle", "", 2, "::");
    assert!(read(&project, "summary.md").starts_with("### drizzle-pilot check: "));
    check("check", "--migrations drizzle", "ok", 0, "::");
    check("check", "--migrations drizzle", "perhaps", 64, "changes is ok or fail");
    check("reset", "", "", 64, "the command is plan, check, push, migrate or status");
    check("check", "--no-such-flag; touch injected", "", 64, "no-such-flag");
    check("check", " \n", "", 2, "::");
    // Without them it would be another command.
    for open in ["--migrations 'drizzle", "--migrations \"drizzle", "'", "--migrations drizzle\\\" --since 'main"] {
        check("check", open, "ok", 64, "the arguments cannot be told apart: xargs: unmatched");
    }
    assert!(!project.path("injected").exists(), "an input is no piece of a script");
}

#[test]
fn the_job_of_a_plain_shell_does_what_the_page_says() {
    let page = std::fs::read_to_string(repository().join("docs/ci.md")).expect("the page is part of the repository");
    let script = page.split("```sh\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the page has a script");
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
    project.write("plan.sh", script);
    let ran = installed(project.command("", &["sh", "plan.sh"])).run();
    assert_eq!(ran.code, 1, "{ran}");
    assert_eq!(ran.stdout, "the policy refuses some of the changes: reports/plan.md\n", "{ran}");
    assert!(read(&project, "reports/plan.md").contains("❌ refused"));
    assert!(read(&project, "reports/plan.html").ends_with("</html>\n"));
    assert!(read(&project, "reports/plan.json").contains("\"code\": 3"));
    let nowhere =
        installed(project.command("", &["sh", "plan.sh"])).env("DATABASE_URL", "postgres://u:p@127.0.0.1:1/x");
    let ran = nowhere.run();
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "no database\n"), "{ran}");
}
