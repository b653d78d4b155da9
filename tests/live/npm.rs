//! The npm packages, installed as a user installs them: the same codes, the same signals, nothing left.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::NEWEST;
use crate::support::{Database, Project, Signal, lab_variable, until};

/// The session of drizzle-kit that waits for a lock.
const WAITING: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock' AND query ILIKE '%count(%'";

/// The tarballs that `scripts/npm/pack` makes of this build.
pub(crate) fn tarballs() -> &'static [PathBuf] {
    static PACKED: OnceLock<(TempDir, Vec<PathBuf>)> = OnceLock::new();
    let pack = || {
        let dir = TempDir::new().expect("there is a temporary folder");
        // What a debugger needs is most of a build for tests.
        let program = dir.path().join("drizzle-pilot");
        let strip = Command::new("strip").arg("-o").arg(&program).arg(env!("CARGO_BIN_EXE_drizzle-pilot")).status();
        assert!(strip.expect("strip is installed beside the linker").success());
        let platform = format!("linux-{}=", if cfg!(target_arch = "aarch64") { "arm64" } else { "x64" });
        let packed = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/npm/pack"))
            .arg(dir.path().join("out"))
            .arg(platform + program.to_str().expect("the path is UTF-8"))
            .output()
            .expect("node is installed");
        assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
        let files = String::from_utf8(packed.stdout).expect("it prints paths").lines().map(PathBuf::from).collect();
        (dir, files)
    };
    &PACKED.get_or_init(pack).1
}

/// A package `app` in a project that has drizzle-kit, with the tarballs installed by this command.
fn install(project: &Project, database: &Database, command: &[&str]) {
    project.write(
        "app/package.json",
        r#"{ "name": "app", "private": true, "scripts": { "db:push": "drizzle-pilot push" } }"#,
    );
    for file in ["drizzle.config.ts", "schema.ts"] {
        std::fs::rename(project.path(file), project.path(&format!("app/{file}"))).expect("the folder is ours");
    }
    let mut install = Command::new(command[0]);
    install.args(&command[1..]).args(tarballs()).current_dir(project.path("app"));
    let output = install.env("HOME", project.path("app")).output().expect("node is installed");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(database.value("SELECT count(*) FROM users") != "0", "there is something to lose");
}

fn npm() -> [&'static str; 6] {
    ["npm", "install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts"]
}

/// Returns how the lab's pnpm is started.
pub(crate) fn pnpm() -> String {
    format!("{}/pnpm/node_modules/pnpm/bin/pnpm.cjs", lab_variable("DRIZZLE_PILOT_LAB"))
}

#[test]
fn a_refused_push_ends_with_3_through_npm_and_pnpm() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database).without_policy();
    std::fs::create_dir(project.path("app")).expect("the folder is ours");
    install(&project, &database, &npm());
    let before = database.everything();
    for command in [&["npm", "run", "db:push"][..], &["npx", "drizzle-pilot", "push"], &["node", &pnpm(), "db:push"]] {
        let ran = project.command("app", command).run();
        assert_eq!(ran.code, 3, "{command:?} {ran}");
        ran.says(&["drop_column public.users.legacy_id", "Nothing was executed."]);
    }
    assert_eq!(database.everything(), before);
}

#[test]
fn a_printed_command_is_started_as_this_one_was() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "add_column", &database);
    std::fs::create_dir(project.path("app")).expect("the folder is ours");
    install(&project, &database, &npm());
    let policy = "version = 1\n[hazards]\n";
    project.write("app/lax policy.toml", policy);
    let bin = "node_modules/.bin/drizzle-pilot";
    let plan = ["plan", "--policy", "lax policy.toml", "--out", "push.plan.json", "--accept-data-loss"];
    let check = |command: &[&str], says: &str| {
        let ran = project.command("app", command).run();
        assert_eq!(ran.code, 2, "{command:?} {ran}");
        ran.says(&[&format!("{says} push --policy 'lax policy.toml' --plan push.plan.json --accept-data-loss\n")]);
    };
    let with = |starter: &[&'static str]| [starter, &plan].concat();
    check(&with(&["npx", "drizzle-pilot"]), "hint: execute exactly this plan: npx drizzle-pilot");
    check(&with(&[bin]), "hint: execute exactly this plan: npx drizzle-pilot");
    for (file, text, starter) in [
        ("pnpm-lock.yaml", "", "pnpm exec drizzle-pilot"),
        ("yarn.lock", "", "yarn drizzle-pilot"),
        ("bun.lock", "", "bunx drizzle-pilot"),
    ] {
        std::fs::remove_file(project.path("app/package-lock.json")).ok();
        project.write(&format!("app/{file}"), text);
        check(&with(&[bin]), &format!("plan: {starter}"));
        std::fs::remove_file(project.path(&format!("app/{file}"))).expect("it was written");
    }
    // Whoever has it on the PATH needs nobody's help.
    let path = format!("{}:{}", project.path("app/bin").display(), std::env::var("PATH").expect("cargo has a PATH"));
    std::fs::create_dir(project.path("app/bin")).expect("the folder is ours");
    let link = project.path("app/bin/drizzle-pilot");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_drizzle-pilot"), link).expect("the folder is empty");
    let ran = project.command("app", &with(&["npx", "drizzle-pilot"])).env("PATH", &path).run();
    assert_eq!(ran.code, 2, "{ran}");
    let line = ran.says(&["this plan: drizzle-pilot push"]);
    // The printed line is run as it is.
    let hint = line.stderr.lines().chain(line.stdout.lines()).find_map(|line| line.split_once("exactly this plan: "));
    let line = hint.expect("it was said").1.to_owned();
    let ran = project.command("app", &["sh", "-c", &line]).env("PATH", &path).run();
    assert_eq!(ran.code, 0, "{line} {ran}");
}

#[test]
fn a_signal_to_the_starter_ends_all_of_it() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "drop_column", &database);
    std::fs::create_dir(project.path("app")).expect("the folder is ours");
    install(&project, &database, &["node", &pnpm(), "add", "--offline"]);
    let (bin, pnpm) = (["node_modules/.bin/drizzle-pilot", "push"], pnpm());
    // npm and pnpm do not tell the starter: it sees that the shell between them is gone.
    let cases: [(&[&str], Signal, i32); 5] = [
        (&bin, Signal::TERM, 143),
        (&bin, Signal::INT, 130),
        (&bin, Signal::HUP, 129),
        (&["node", &pnpm, "db:push"], Signal::TERM, 143),
        (&["npm", "run", "db:push"], Signal::TERM, 143),
    ];
    for (command, signal, code) in cases {
        // drizzle-kit counts rows before it asks, and waits for the lock.
        let held = database.hold("LOCK TABLE users IN ACCESS EXCLUSIVE MODE");
        let running = project.command("app", command).spawn();
        until("drizzle-kit waits for the table", || !database.list(WAITING).is_empty());
        running.signal_starter(signal);
        let ran = running.finish();
        // pnpm ends by the signal itself, which a shell tells by the same number.
        let told = if ran.code < 0 { 128 - ran.code } else { ran.code };
        assert_eq!(told, code, "{command:?} {ran}");
        held.release();
    }
}

#[test]
fn what_the_program_ends_with_is_what_the_starter_ends_with() {
    let database = Database::create();
    let project = Project::fixture(NEWEST, "no_changes", &database);
    std::fs::create_dir(project.path("app")).expect("the folder is ours");
    install(&project, &database, &npm());
    let check = |program: &str, code: i32, says: &str| {
        let starter = project.command("app", &["node_modules/.bin/drizzle-pilot", "-c", "kill -KILL $$"]);
        let ran = starter.env("DRIZZLE_PILOT_BINARY", program).run();
        assert_eq!(ran.code, code, "{ran}");
        ran.says(&[says]);
    };
    check("/bin/sh", -9, "");
    check("/nowhere", 127, "Nothing was executed.");
    check("/etc/passwd", 126, "Nothing was executed.");
    let ran = project.command("app", &["node_modules/.bin/drizzle-pilot", "push"]).run();
    assert_eq!(ran.code, 0, "{ran}");
    let elsewhere =
        "Object.defineProperty(process, 'platform', { value: 'plan9' }); require('drizzle-pilot/bin/drizzle-pilot.js')";
    let ran = project.command("app", &["node", "-e", elsewhere]).run();
    assert_eq!(ran.code, 127, "{ran}");
    ran.says(&["there is no program for plan9-", "only for linux-", "Nothing was executed."]);
    std::fs::remove_dir_all(project.path("app/node_modules/drizzle-pilot-linux-x64")).expect("it was installed");
    let ran = project.command("app", &["node_modules/.bin/drizzle-pilot", "push"]).run();
    assert_eq!(ran.code, 127, "{ran}");
    ran.says(&["drizzle-pilot-linux-x64 is not installed", "Nothing was executed."]);
}
