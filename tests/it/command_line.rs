//! What one types, and what comes of it before and beside a run: usage, set-up, policy, reports.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::kit::{self, APPLIED, NO_CHANGES, drop_column, execute, out, rename_table};
use crate::support::script::{Entry, Mail, Menu, Script, Step};
use crate::support::{MAYBE, Ran, Run, UNCHANGED};

/// Runs a command line in an empty project. Whatever is wrong with it, nothing is executed.
#[track_caller]
fn check(args: &[&str], code: i32, says: &[&str]) -> Ran {
    Run::new(args).run().ends(code, Some(UNCHANGED)).says(says)
}

/// Returns the arguments that the fake was started with.
fn started_with(ended: &Ran) -> Option<&[String]> {
    ended.log.iter().find_map(|entry| match entry {
        Entry::Started(args) => Some(args.as_slice()),
        _ => None,
    })
}

/// Said where a fake drizzle-kit has a database that is none.
const NO_LOOK: &str = "warning: drizzle-pilot could not determine what the statements affect: drizzle-pilot has no connection to this database\n";

fn quiet_push() -> Run {
    Run::push(&kit::push([out(NO_CHANGES)]))
}

#[test]
fn a_wrong_command_line_is_64_with_a_suggestion() {
    check(&["psh"], 64, &["unrecognized subcommand 'psh'", "'push'"]);
    check(&["push", "--polcy", "x"], 64, &["unexpected argument '--polcy'", "'--policy'"]);
    check(&["push", "--timeout", "5"], 64, &["invalid value '5' for '--timeout <DUR>'"]);
    check(&["push", "--format", "xml"], 64, &["invalid value 'xml'", "text, json"]);
    check(&["push", "-q", "-v"], 64, &["cannot be used with"]);
    check(&["push", "extra"], 64, &["unexpected argument 'extra'"]);
    check(&["run"], 64, &["required arguments were not provided"]);
    check(&["replay"], 64, &["required arguments were not provided", "<FILE.cast>"]);
    check(&["replay", "nope.cast"], 64, &["nope.cast: reading the recording", "No such file"]);
    check(&["push", "--cwd", "nope"], 64, &["the project's folder nope"]);
    check(&["push", "--kit", "'"], 64, &["is not a command line"]);
    check(&["push", "--format", "sql"], 64, &["only for plans"]);
    check(&["policy", "explain", "drop_tabel", "users"], 64, &["did you mean `drop_table`?"]);
}

#[test]
fn every_command_shows_examples() {
    fn check(command: &clap::Command, path: &str) {
        let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        assert!(examples.contains("Example"), "{path} --help has no example");
        for command in command.get_subcommands() {
            check(command, &format!("{path} {}", command.get_name()));
        }
    }
    check(&<drizzle_pilot::cli::Cli as clap::CommandFactory>::command(), "drizzle-pilot");
}

#[test]
fn every_shell_has_completions_that_name_every_command() {
    use clap::{CommandFactory, ValueEnum};
    let commands: Vec<String> =
        drizzle_pilot::cli::Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
    assert!(commands.iter().any(|command| command == "completions"), "{commands:?}");
    for shell in clap_complete::Shell::value_variants() {
        let name = shell.to_possible_value().expect("no shell is hidden").get_name().to_owned();
        let ended = Run::new(&["completions", &name]).run().ends(0, None);
        for command in &commands {
            assert!(ended.stdout.contains(command.as_str()), "{name} has no {command}");
        }
        if name == "bash" {
            let checked = std::process::Command::new("bash").args(["-n", "-c", &ended.stdout]).output();
            let checked = checked.expect("bash is installed");
            assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
        }
    }
    check(&["completions", "tcsh"], 64, &["invalid value 'tcsh'", "bash, elvish, fish, powershell, zsh"]);
}

#[test]
fn the_manual_is_printed_or_written_into_a_folder() {
    let ended = Run::new(&["man"]).run().ends(0, None);
    assert!(ended.stdout.contains(".TH drizzle-pilot 1"), "{ended}");
    Run::new(&["man", "a/b"]).run().ends(0, None).says(&["pages to a/b"]);
    Run::new(&["man", "file/b"]).file("file", "").run().ends(1, Some(UNCHANGED)).says(&["writing "]);
}

/// The clock has an end, and it is no panic.
#[test]
fn a_span_of_time_may_be_anything_but_absurd() {
    let flags: [&[&str]; 8] = [
        &["push", "--timeout"],
        &["push", "--idle-timeout"],
        &["push", "--lock-timeout"],
        &["plan", "--out", "p.json", "--expires"],
        &["reset", "--lock-timeout"],
        &["migrate", "--lock-timeout"],
        &["migrate", "--wait-for-db"],
        &["sync", "--lock-timeout"],
    ];
    for flag in flags {
        for (span, says) in [
            ("9000years", "must not exceed a year"),
            ("500000000000s", "must not exceed a year"),
            ("99999999999999y", "is too"),
            ("-1s", "expected number"),
            ("", "was empty"),
        ] {
            let last = format!("{}={span}", flag[flag.len() - 1]);
            let args: Vec<&str> = flag[..flag.len() - 1].iter().copied().chain([last.as_str()]).collect();
            check(&args, 64, &[says]);
        }
    }
    let built_in = "policy: built-in (no drizzle-pilot.toml found; `drizzle-pilot policy init` writes one)\n";
    quiet_push().args(&["--timeout", "1y", "--idle-timeout", "1y"]).run().ends_beside(0, built_in);
    // A database of SQLite has no lock to wait for.
    let ended = quiet_push().args(&["--lock-timeout", "1y"]).run().ends(64, Some(UNCHANGED));
    drop(ended.says(&["--lock-timeout is for PostgreSQL and MySQL"]));
    let ended = quiet_push().args(&["--timeout", "0s"]).run().ends(124, Some(UNCHANGED));
    assert_eq!(started_with(&ended), None, "{ended}");
}

#[test]
fn the_kits_own_force_is_refused() {
    for args in [&["--", "--force"][..], &["--", "--", "--force"], &["--", "--force=true"]] {
        let ended = quiet_push().args(args).run().ends(64, Some(UNCHANGED)).says(&["is not passed on", "[hazards]"]);
        assert_eq!(started_with(&ended), None, "{ended}");
    }
    let ended = Run::new(&["run"]).fake(&kit::push([])).args(&["--", "push", "--force"]).run();
    assert_eq!(started_with(&ended.ends(64, Some(UNCHANGED))), None);
}

#[test]
fn a_doubled_dash_is_tolerated() {
    for dashes in [&["--"][..], &["--", "--"]] {
        let ended = quiet_push().policy("").args(dashes).args(&["--tablesFilter=app_*"]).run().ends(0, None);
        assert_eq!(started_with(&ended), Some(&["push".to_owned(), "--tablesFilter=app_*".to_owned()][..]), "{ended}");
        let ended = Run::new(&["run"]).fake(&kit::push([])).args(dashes).args(&["check", "--out=x"]).run();
        assert_eq!(started_with(&ended), Some(&["check".to_owned(), "--out=x".to_owned()][..]), "{ended}");
    }
}

#[test]
fn what_is_not_installed_is_127_and_what_is_broken_126() {
    let installed = |package: &str| {
        let run = Run::new(&["push"]).file("drizzle.config.json", "{}");
        run.file("node_modules/drizzle-kit/package.json", package)
    };
    let check = |run: Run, code: i32, says: &[&str]| drop(run.run().ends(code, Some(UNCHANGED)).says(says));
    let package = |version: &str| format!(r#"{{ "version": "{version}", "bin": {{ "drizzle-kit": "bin.cjs" }} }}"#);

    check(Run::new(&["push"]), 127, &["drizzle-kit is not installed", "npm install --save-dev drizzle-kit"]);
    check(Run::new(&["push", "--kit", "no-such-program"]), 127, &["\"no-such-program\" of --kit is not on the PATH"]);
    check(installed(&package("0.31.11")).env("PATH", "/nonexistent"), 127, &["node is not on the PATH"]);
    check(installed("{"), 126, &["package.json", "reinstall drizzle-kit"]);
    check(installed(r#"{ "version": "new" }"#), 126, &["package.json", "reinstall drizzle-kit"]);
    // Recognised, and declined in words.
    for version in ["1.0.0-beta.2", "2.1.0"] {
        check(node(installed(&package(version))), 126, &[version, "is not supported"]);
    }
    check(node(installed(&package("0.20.18"))), 126, &["drizzle-pilot run -- push:pg"]);
}

/// Puts something called `node` on the PATH; it must not be started.
fn node(run: Run) -> Run {
    let run = run.file("bin/node", "#!/bin/sh\nkill -9 $PPID\n");
    let program = run.path("bin/node");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
    let path = program.parent().expect("it is in a folder").to_str().expect("the name is text").to_owned();
    run.env("PATH", &path)
}

#[test]
fn a_config_that_is_missing_or_broken_is_78() {
    let missing = Run::push(&kit::push([])).args(&["--config", "db.config.ts"]).run();
    assert_eq!(started_with(&missing.ends(78, Some(UNCHANGED)).says(&["db.config.ts does not exist"])), None);
    let broken = Script {
        mail: Mail::Error("SyntaxError: Unexpected token\n    at drizzle.config.json:3".to_owned()),
        steps: vec![Step::Exit(1)],
    };
    Run::push(&broken).run().ends(78, Some(UNCHANGED)).says(&["drizzle's config cannot be loaded", "Unexpected token"]);
}

#[test]
fn a_policy_that_is_wrong_is_78_and_says_where() {
    let check = |policy: &str, says: &[&str]| {
        let ended = quiet_push().file("drizzle-pilot.toml", policy).run().ends(78, Some(UNCHANGED)).says(says);
        assert_eq!(started_with(&ended), None, "{ended}");
    };
    check(
        "version = 1\n[hazards]\n  drop_tabel = \"refuse\"\n",
        &["drizzle-pilot.toml:3:3", "did you mean `drop_table`?"],
    );
    check("version = 1\n[hazards\n", &["drizzle-pilot.toml:2:"]);
    check("version = 1\n[hazards]\ndrop_table = { max_rows = -1 }\n", &["drizzle-pilot.toml:3:"]);
    check("version = 9\n", &["drizzle-pilot.toml:1:"]);
    check("version = 1\nfuture = true\n", &["drizzle-pilot.toml:2:1"]);
    let ended = quiet_push().args(&["--policy", "nope.toml"]).run().ends(78, Some(UNCHANGED)).says(&["nope.toml"]);
    assert_eq!(started_with(&ended), None, "{ended}");
    let unknown = quiet_push().policy("[profiles.ci]\n").args(&["--profile", "cy"]).run();
    assert_eq!(started_with(&unknown.ends(78, Some(UNCHANGED)).says(&["cy"])), None);
}

#[test]
fn a_guard_is_77_before_anything_is_started() {
    let check = |run: Run, says: &[&str]| {
        let ended = run.run().ends(77, Some(UNCHANGED)).says(says);
        assert_eq!(started_with(&ended), None, "{ended}");
    };
    let production = "[profiles.production]\nwhen = { env = [\"STAGE=live\"] }\ncommands = [\"migrate\"]\n";
    check(quiet_push().policy(production).args(&["--profile", "production"]), &["production", "does not allow `push`"]);
    check(quiet_push().policy(production).env("STAGE", "live"), &["production", "does not allow `push`"]);
    let guard = "[guard]\nrefuse_env = [\"NODE_ENV=production\"]\n";
    check(quiet_push().policy(guard).env("NODE_ENV", "production"), &["does not run under NODE_ENV=production"]);
    let careful = "[profiles.ci]\naccept_data_loss = false\n";
    let push = quiet_push().policy(careful).args(&["--profile", "ci", "--accept-data-loss"]);
    check(push, &["--accept-data-loss is not allowed here"]);
    quiet_push().policy(guard).env("NODE_ENV", "test").run().ends(0, None);
}

#[test]
fn naming_another_profile_is_no_way_around_a_guard() {
    let production = "[profiles.production]\nwhen = { env = [\"STAGE=prod\"], hosts = [\"db.live\"] }\n\
                      commands = [\"migrate\"]\naccept_data_loss = false\n[profiles.dev]\n";
    let named = |run: Run, args: &[&str]| run.policy(production).args(&["--profile", "dev"]).args(args).run();
    named(quiet_push(), &[]).ends(0, None);
    for stage in ["prod", "PRODUCTION", " Production "] {
        let says = ["the profile production does not allow `push`", "--profile does not lift its bans"];
        named(quiet_push().env("STAGE", stage), &[]).ends(77, Some(UNCHANGED)).says(&says);
    }
    let at = |host: &str, args: &[&str]| {
        let url = format!("mysql://app@{host}/shop");
        let config = serde_json::json!({ "dialect": "mysql", "dbCredentials": { "url": url } });
        named(Run::push(&Script { mail: Mail::Config(config), ..kit::push([out(NO_CHANGES)]) }), args)
    };
    at("db.test", &[]).ends(0, None);
    for host in ["db.live", "DB.Live", "db.live."] {
        at(host, &[]).ends(77, Some(UNCHANGED)).says(&["the profile production does not allow `push`"]);
    }
}

/// drizzle-kit reads `.env` by itself before it loads its config.
#[test]
fn a_variable_that_drizzle_kits_process_has_is_guarded_like_one_of_ours() {
    let push = |variables: Value, policy: &str| {
        let config = serde_json::json!({ "dialect": "sqlite", "dbCredentials": { "url": "file:app.db" }, "variables": variables });
        let script = Script { mail: Mail::Config(config), ..kit::push([out(NO_CHANGES)]) };
        Run::push(&script).policy(policy)
    };
    let live = || serde_json::json!({ "STAGE": "live" });
    let production = "[profiles.production]\nwhen = { env = [\"STAGE=live\"] }\ncommands = [\"migrate\"]\n";
    push(live(), production).run().ends(77, Some(UNCHANGED)).says(&["does not allow `push`"]);
    let refuse = "[guard]\nrefuse_env = [\"STAGE=live\"]\n";
    push(live(), refuse).run().ends(77, Some(UNCHANGED)).says(&["`push` does not run under STAGE=live"]);
    push(serde_json::json!({ "OTHER": "live" }), refuse).run().ends(0, None);
}

#[test]
fn a_url_is_read_as_the_driver_reads_it_that_drizzle_kit_has_found() {
    let push = |package: &str, url: &str| {
        let credentials = serde_json::json!({ "url": url });
        let config = serde_json::json!({ "dialect": "postgresql", "dbCredentials": credentials, "client": package });
        Run::push(&Script { mail: Mail::Config(config), ..kit::push([out(NO_CHANGES)]) }).run()
    };
    let refused = |package: &str, parameter: &str, says: &str| {
        let url = format!("postgres://app:secret@127.0.0.1:1/shop?{parameter}");
        let ended = push(package, &url).ends(78, Some(UNCHANGED));
        drop(ended.says(&["dbCredentials of drizzle's config: ", &format!("drizzle-kit's driver `{package}`"), says]));
    };
    refused("postgres", "database=prod", "the parameter `database`");
    refused("postgres", "search_path=tenant", "the parameter `search_path`");
    refused("@neondatabase/serverless", "port=77", "the parameter `port`");
    // What `pg` makes of these is known, and nobody listens there.
    for parameter in ["database=prod", "search_path=tenant", "port=2"] {
        let port = parameter.strip_prefix("port=").unwrap_or("1");
        let url = format!("postgres://app:secret@127.0.0.1:1/shop?{parameter}");
        push("pg", &url).ends(69, Some(UNCHANGED)).says(&[&format!("127.0.0.1:{port}")]);
    }
}

/// Memory is bounded, and what is there counts.
#[test]
fn a_file_that_cannot_be_read_or_never_ends_is_told() {
    let link = |run: Run, name: &str, to: &str| {
        std::os::unix::fs::symlink(to, run.path(name)).expect("the folder is ours");
        run
    };
    let dangling = "it is a link to /nonexistent/file, which does not exist";
    let endless = "it is larger than ";
    for (name, args, code) in [
        ("drizzle-pilot.toml", &["push"][..], 78),
        ("drizzle-pilot.toml", &["policy", "check"], 78),
        ("drizzle-pilot.toml", &["init", "--dry-run"], 78),
        ("drizzle.config.ts", &["status"], 78),
        (".env", &["status"], 78),
        (".env.local", &["status"], 78),
        ("package.json", &["init", "--dry-run"], 78),
        ("drizzle", &["next", "--url", "postgres://app@127.0.0.1:1/shop"], 65),
        ("drizzle", &["check", "--migrations", "drizzle"], 65),
    ] {
        let run = link(Run::new(args), name, "/nonexistent/file");
        let run = if name == "package.json" { run } else { run.file("package.json", "{}") };
        let ended = run.run();
        assert!(ended.code == code && format!("{ended}").contains(name), "{name} {args:?}: {ended}");
        let is_folder = name == "drizzle";
        assert!(is_folder || format!("{ended}").contains(dangling), "{name} {args:?}: {ended}");
    }
    for (args, code) in [
        (&["push", "--plan", "/dev/zero"][..], 64),
        (&["push", "--policy", "/dev/zero"], 78),
        (&["policy", "check", "/dev/zero"], 78),
        (&["policy", "check", "--plan", "/dev/zero"], 64),
        (&["plan", "--out", "/dev/zero"], 64),
    ] {
        let ended = Run::new(args).run();
        assert!(ended.code == code && format!("{ended}").contains(endless), "{args:?}: {ended}");
    }
    check(&["replay", "/dev/zero"], 64, &["/dev/zero: ", "it has a line of more than 16 MiB"]);
    let run = link(quiet_push(), "drizzle.config.ts", "/nonexistent/file");
    run.run().ends(78, Some(UNCHANGED)).says(&["drizzle.config.ts", dangling]);
    let run = link(Run::new(&["status"]), ".env", "/dev/zero");
    run.run().ends(78, Some(UNCHANGED)).says(&[".env: it is larger than 1 MiB"]);
}

/// A guard that depends on the host waits for drizzle's config; the rest of it does not.
#[test]
fn what_no_host_could_allow_is_refused_before_anything_is_started() {
    let by_host = |profile: &str| {
        let policy =
            "[guard]\nrefuse_env = [\"NODE_ENV=production\"]\n[profiles.live]\nwhen = { hosts = [\"*.live\"] }\n";
        let config = serde_json::json!({ "dialect": "sqlite", "dbCredentials": { "url": "file:app.db" } });
        let script = Script { mail: Mail::Config(config), ..kit::push([out(NO_CHANGES)]) };
        Run::push(&script).policy(&format!("{policy}{profile}")).env("NODE_ENV", "production")
    };
    let ended = by_host("").run().ends(77, Some(UNCHANGED)).says(&["does not run under NODE_ENV=production"]);
    assert_eq!(started_with(&ended), None, "{ended}");
    // One of the hosts would allow it, so drizzle-kit is asked for its config. It is not this one.
    let ended = by_host("guard.refuse_env = []\n").run().ends(77, Some(UNCHANGED)).says(&["does not run under"]);
    assert!(started_with(&ended).is_some(), "{ended}");
    by_host("guard.refuse_env = []\n").args(&["--profile", "live"]).run().ends(0, None);
}

#[test]
fn a_host_guard_holds_for_every_dialect() {
    let push = |config: Value, args: &[&str]| {
        let production =
            "[profiles.production]\nwhen = { hosts = [\"*.prod.example.com\"] }\ncommands = [\"migrate\"]\n";
        let script = Script { mail: Mail::Config(config), ..kit::push([out(NO_CHANGES)]) };
        Run::push(&script).policy(&format!("{production}[profiles.test]\n")).args(args).run()
    };
    let url = |dialect: &str, url: &str| serde_json::json!({ "dialect": dialect, "dbCredentials": { "url": url } });
    let parts = serde_json::json!({ "host": "db.PROD.example.com", "database": "shop" });
    for config in [
        url("postgresql", "postgres://app:secret@db.prod.example.com/shop"),
        url("mysql", "mysql://app:secret@db.prod.example.com/shop"),
        url("singlestore", "singlestore://app:secret@db.prod.example.com/shop"),
        url("turso", "libsql://db.prod.example.com"),
        url("sqlite", "https://db.prod.example.com"),
        serde_json::json!({ "dialect": "mysql", "dbCredentials": parts }),
        serde_json::json!({ "driver": "mysql2", "dbCredentials": { "uri": "mysql://db.prod.example.com/shop" } }),
    ] {
        push(config, &[]).ends(77, Some(UNCHANGED)).says(&["production", "does not allow `push`"]);
    }
    // Over a network, and without a host to look at.
    let data_api = serde_json::json!({ "database": "shop", "secretArn": "arn:x", "resourceArn": "arn:y" });
    let hidden = [
        serde_json::json!({ "dialect": "postgresql", "driver": "aws-data-api", "dbCredentials": data_api }),
        serde_json::json!({ "dialect": "sqlite", "driver": "d1-http", "dbCredentials": { "databaseId": "x" } }),
        url("mysql", "mysql://app@localhost/shop?host=db.prod.example.com"),
    ];
    for config in hidden {
        let refused = push(config.clone(), &[]).ends(77, Some(UNCHANGED));
        drop(refused.says(&["profiles depend on the host", "--profile"]));
        let is_held = config["driver"] != "aws-data-api";
        let pushed = push(config, &["--profile", "test"]);
        if is_held {
            pushed.ends(0, None);
        } else {
            drop(pushed.ends(78, Some(UNCHANGED)).says(&["aws-data-api cannot be held"]));
        }
    }
    for config in [url("mysql", "mysql://app@db.test/shop"), url("sqlite", "file:app.db")] {
        push(config, &[]).ends(0, None);
    }
}

#[test]
fn a_report_recording_or_log_that_cannot_be_written_stops_the_run_before_it_starts() {
    for (flag, file) in [
        ("--report", "no/such/folder/report.json"),
        ("--report", "/dev/full"),
        ("--record", "no/such/folder/push.cast"),
        ("--record", "/dev/full"),
        ("--log", "no/such/folder/push.log"),
        ("--log", "/dev/full"),
    ] {
        let ended = quiet_push().args(&[flag, file]).run().ends(1, Some(UNCHANGED)).says(&[file]);
        assert_eq!(started_with(&ended), None, "{flag} {file}\n{ended}");
    }
}

/// A disk that fills up in the middle takes away what was wanted: that is a failure, and is told.
#[test]
fn a_report_recording_or_log_that_cannot_be_finished_is_a_failure() {
    let long = format!("{}\n", "0123456789 ".repeat(8000));
    let olds: Vec<String> = (0..1500).map(|n| format!("an old table with number {n}")).collect();
    let olds: Vec<&str> = olds.iter().map(String::as_str).collect();
    let push = |flag: &str, file: &str| {
        let script = kit::push([Step::Menu(rename_table("users", &olds)), out(&long), out(NO_CHANGES)]);
        let policy = "[renames]\notherwise = 'create'\n";
        // 64 blocks of 512 bytes, or of 1024: the first report fits, and the last does not.
        Run::push(&script).policy(policy).args(&[flag, file]).after("ulimit -f 64").run().ends(1, Some(UNCHANGED))
    };
    push("--report", "report.json").says(&["the report", "report.json could not be written", "File too large"]);
    push("--record", "push.cast").says(&["the recording push.cast could not be written completely", "File too large"]);
    let script = kit::push([out(NO_CHANGES)]);
    let logged = Run::push(&script).without_report().args(&["--log", "push.log"]).after("ulimit -f 1").run();
    drop(logged.ends(1, Some(UNCHANGED)).says(&["the log push.log could not be written completely", "File too large"]));
}

/// Every command that prints a result, where that can be done without a database.
#[test]
fn a_result_that_cannot_be_written_is_a_failure() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["push", "--help"],
        &["policy", "schema"],
        &["policy", "check"],
        &["policy", "explain", "drop_table", "users"],
        &["report", "schema"],
        &["completions", "bash"],
        &["man"],
        &["doctor"],
        &["doctor", "--format", "json"],
    ] {
        let ended = Run::new(args).after("exec >/dev/full").run();
        assert!(ended.stderr.contains("could not be written to stdout: No space left"), "{args:?}\n{ended}");
        assert_ne!(ended.code, 0, "{args:?}\n{ended}");
    }
    let full = |run: Run| run.after("exec >/dev/full").run().ends(1, Some(UNCHANGED));
    for args in [&[][..], &["--format", "json"], &["--dry-run"]] {
        full(Run::push(&kit::push([out(NO_CHANGES)])).args(args)).says(&["could not be written to stdout"]);
    }
}

#[test]
fn help_names_every_command_and_version_the_version() {
    let version = Run::new(&["--version"]).run().ends(0, None);
    assert_eq!(version.stdout, format!("drizzle-pilot {}\n", env!("CARGO_PKG_VERSION")));
    let help = Run::new(&["--help"]).run().ends(0, None);
    let cli = <drizzle_pilot::cli::Cli as clap::CommandFactory>::command();
    let commands: Vec<&str> =
        cli.get_subcommands().filter(|command| !command.is_hide_set()).map(clap::Command::get_name).collect();
    assert!(commands.len() >= 17, "{commands:?}");
    for command in commands {
        assert!(help.stdout.lines().any(|line| line.trim_start().starts_with(&format!("{command} "))), "{help}");
        let help = Run::new(&[command, "--help"]).run().ends(0, None);
        assert!(help.stdout.contains(&format!("Usage: drizzle-pilot {command}")), "{help}");
        assert!(help.stderr.is_empty(), "{help}");
    }
}

#[test]
fn the_policy_schema_takes_the_starter_and_refuses_what_the_program_refuses() {
    let schema = Run::new(&["policy", "schema"]).run().ends(0, None).json();
    assert_eq!(schema["title"], "drizzle-pilot.toml");
    let schema = validator(&schema);
    let init = Run::new(&["policy", "init"]).run().ends(0, None);
    let starter: Value = toml::from_str(&init.file("drizzle-pilot.toml")).expect("the starter is TOML");
    assert!(schema.is_valid(&starter), "{starter:#}");
    assert!(!schema.is_valid(&serde_json::json!({ "version": 1, "hazards": { "drop_tabel": "refuse" } })));
}

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::meta::validate(schema).unwrap_or_else(|error| panic!("the schema is none: {error}"));
    jsonschema::validator_for(schema).unwrap_or_else(|error| panic!("the schema is none: {error}"))
}

#[test]
fn every_report_is_as_its_schema_says() {
    let schema = validator(&Run::new(&["report", "schema"]).run().ends(0, None).json());
    let check = |steps: Vec<Step>, code: i32, closing: Option<&str>, outcome: &str, database: &str| -> Value {
        let script = kit::push(steps);
        let policy = "[renames.tables]\norders = \"purchases\"\n";
        let run = Run::push(&script).policy(policy).args(&["--format", "json", "--report", "report.json"]);
        let ended = run.run().ends(code, closing);
        let report = ended.json();
        let errors: Vec<String> = schema.iter_errors(&report).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{ended}");
        assert_eq!(ended.file("report.json"), ended.stdout, "the report file is the same document");
        assert_eq!(report["schema"], 1);
        assert_eq!((&report["outcome"], &report["code"]), (&outcome.into(), &code.into()), "{report:#}");
        assert_eq!(report["database"], database, "{report:#}");
        report
    };
    let asked = || Step::Menu(rename_table("purchases", &["orders"]));
    let error = out("error: column \"age\" does not exist\n    at pg {\n  code: '42703',\n}\n");

    let report = check(vec![asked(), Step::Menu(execute()), out(APPLIED)], 0, None, "ok", "changed");
    let prompt = &report["prompts"][0];
    assert_eq!(prompt["question"], "Is purchases table created or renamed from another table?");
    assert_eq!(prompt["chosen"], "~ orders › purchases rename table");
    assert_eq!(prompt["keys"], serde_json::json!(["down", "enter"]));
    assert!(prompt["rule"].as_str().is_some_and(|rule| rule.starts_with("drizzle-pilot.toml:3 ")), "{report:#}");
    assert!(prompt["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{report:#}");

    check(vec![out(NO_CHANGES)], 0, None, "ok", "unchanged");
    let report = check(drop_column().to_vec(), 3, Some(UNCHANGED), "refused", "unchanged");
    assert_eq!(report["refusals"][0]["allow_with"], "[hazards]\ndrop_column = { only = [\"public.users.age\"] }");
    let report = check(vec![error.clone()], 1, Some(UNCHANGED), "failed", "unchanged");
    assert_eq!(report["error"]["sqlstate"], "42703");
    check(vec![Step::Menu(execute()), error], 6, Some(MAYBE), "partial", "maybe");
    check(vec![Step::Menu(execute())], 7, Some(MAYBE), "unproven", "maybe");
    // The name was given away by the first answer.
    check(vec![asked(), asked()], 4, Some(UNCHANGED), "unknown-prompt", "unchanged");
    check(vec![asked(), Step::DieBy(9)], 1, Some(UNCHANGED), "failed", "unchanged");
}

/// A plan runs drizzle-kit's push and is none: where only a push is banned it may look, and the other way round it may not.
#[test]
fn a_profile_that_names_plan_lets_a_plan_look_and_no_push_run() {
    let policy = "[profiles.review]\ncommands = ['plan']\n\n[profiles.deploy]\ncommands = ['push']\n";
    let check = |args: &[&str], profile: &str, code: i32| {
        let run = Run::new(args).fake(&kit::push([out(NO_CHANGES)])).policy(policy).args(&["--profile", profile]);
        let ended = run.run().ends(code, (code != 0).then_some(UNCHANGED));
        assert_eq!(started_with(&ended).is_some(), code == 0, "{ended}");
    };
    check(&["plan"], "review", 0);
    check(&["push", "--dry-run"], "review", 0);
    check(&["push"], "review", 77);
    check(&["plan"], "deploy", 77);
    check(&["push"], "deploy", 0);
}

/// Where drizzle-kit may have begun, a refusal does not mean that nothing was executed.
#[test]
fn a_refusal_after_consent_is_a_partial_change() {
    let unknown =
        Menu { question: "Begin?".to_owned(), choices: vec!["Wait".to_owned(), "Begin".to_owned()], ..Menu::default() };
    let rule = "[[prompts]]\nquestion = '^Begin'\nchoose = '^Begin$'\n";
    let run = |mission: &[&str], policy: &str, code: i32, closing: &str| {
        let steps = [Step::Menu(unknown.clone())].into_iter().chain(drop_column());
        let run = Run::new(mission).fake(&kit::push(steps)).policy(policy).args(&["--report", "report.json"]);
        let ended = run.run().ends(code, Some(closing)).says(&["refused: drop_column public.users.age"]);
        let report: Value = serde_json::from_str(&ended.file("report.json")).expect("a report is JSON");
        (report["database"].clone(), report["refusals"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(run(&["push"], rule, 6, MAYBE), ("maybe".into(), 1));
    // No answer about files lets anything happen in a database.
    assert_eq!(run(&["generate"], rule, 3, UNCHANGED), ("unchanged".into(), 1));
    // A rule may decline as well: nothing has begun then.
    let declined = "[[prompts]]\nquestion = '^Begin'\ndecline = true\n";
    let steps = [Step::Menu(unknown.clone())].into_iter().chain(drop_column());
    Run::push(&kit::push(steps)).policy(declined).run().ends(3, Some(UNCHANGED)).without_consent();
}

/// A recording of a run is replayed with the same decisions, by the fake as well as by `replay`.
#[test]
fn what_was_recorded_can_be_replayed() {
    let steps = [Step::Menu(rename_table("purchases", &["items", "orders"]))].into_iter().chain(drop_column());
    let script = kit::push(steps.chain([out(APPLIED)]));
    let policy = format!("[renames.tables]\norders = \"purchases\"\n{}", kit::ALLOW_DROP_COLUMN);
    let warned = "warning: drop_column public.users.age deletes 3 values (drizzle-pilot.toml:5 hazards.drop_column)\n";
    let pushed = format!("{warned}{NO_LOOK}");
    let recorded = Run::push(&script).policy(&policy).args(&["--record", "push.cast"]).run().ends_beside(0, &pushed);
    let cast = recorded.file("push.cast");

    let again = Run::new(&["replay", "push.cast"]).file("push.cast", &cast).policy(&policy).run();
    let again = again.ends_beside(0, warned);
    assert!(again.stdout.contains("2 prompts, each decided as in the recording"), "{again}");
    let replay = |policy: &str| {
        let run = Run::new(&["replay", "push.cast", "--report", "report.json", "--format", "json"]);
        let ended = run.file("push.cast", &cast).policy(policy).run();
        assert_eq!(ended.file("report.json"), ended.stdout, "the report file is the same document");
        let schema = validator(&Run::new(&["report", "schema"]).run().ends(0, None).json());
        let errors: Vec<String> = schema.iter_errors(&ended.json()).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}\n{ended}");
        ended
    };
    let report = replay(&policy).ends_beside(0, warned).json();
    assert_eq!(report["prompts"][1]["chosen"], report["prompts"][1]["recorded"], "{report:#}");
    assert_eq!(report["statements"][0]["hazards"][0]["hazard"], "drop_column", "{report:#}");
    // Another policy refuses, and says what would allow it …
    let report = replay("").ends(3, Some(UNCHANGED)).says(&["purchases"]).json();
    assert!(report["refusals"][0]["allow_with"].as_str().is_some_and(|lines| lines.contains("[renames")), "{report:#}");
    // … or answers something else.
    let other = policy.replace("orders =", "items =");
    let report = replay(&other).ends(2, Some(UNCHANGED)).says(&["another answer"]).json();
    let of = |key: &str| report["prompts"][0][key].as_str().map(str::to_owned).unwrap_or_default();
    assert!(of("chosen").starts_with("~ items") && of("recorded").starts_with("~ orders"), "{report:#}");

    let run = Run::new(&["push"]).file("push.cast", &cast).policy(&policy);
    let cast = run.path("push.cast");
    let replayed = Script { mail: script.mail, steps: vec![Step::Replay(cast)] };
    run.fake(&replayed).run().ends_beside(0, &pushed).says(&["changes applied"]);
}

/// A rule names a column of a table by its new name once an earlier answer renamed the table, in a replay too.
#[test]
fn a_replay_follows_renames_accepts_data_loss_and_doubts_an_end_inside_a_prompt() {
    let steps = [Step::Menu(rename_table("purchases", &["items", "orders"]))].into_iter().chain(drop_column());
    let script = kit::push(steps.chain([out(APPLIED)]));
    let renames = "[renames.tables]\norders = \"purchases\"\n";
    let recorded = Run::push(&script).policy(renames).args(&["--accept-data-loss", "--record", "push.cast"]).run();
    let warned = "warning: drop_column public.users.age deletes 3 values (--accept-data-loss)\n";
    let cast = recorded.ends_beside(0, &format!("{warned}{NO_LOOK}")).file("push.cast");
    let replay = |cast: &str, args: &[&str]| {
        Run::new(&["replay", "push.cast"]).file("push.cast", cast).policy(renames).args(args).run()
    };
    replay(&cast, &["--accept-data-loss"]).ends_beside(0, warned);
    let refused = replay(&cast, &["--format", "json"]).ends(3, Some(UNCHANGED)).says(&["[hazards]"]);
    assert_eq!(refused.json()["outcome"], "refused");

    let opened = cast.lines().position(|line| line.contains("?25l")).expect("a prompt was opened");
    let torn: Vec<&str> = cast.lines().take(opened + 1).collect();
    replay(&torn.join("\n"), &[]).ends(4, Some(UNCHANGED)).says(&["ends inside a prompt"]);
}

#[test]
fn run_says_what_drizzle_kit_said_and_believes_no_silence() {
    let run = |steps: Vec<Step>, args: &[&str]| {
        Run::new(&["run"]).fake(&kit::push(steps)).policy("").args(&["--"]).args(args).run()
    };
    // What is run for what it prints is passed on as it is, and nothing else with it.
    for quiet in [&[][..], &["-q"]] {
        let sql = Script {
            mail: Mail::Config(serde_json::json!({})),
            steps: vec![out("CREATE TABLE x (\n\ty text \n);\n\n")],
        };
        let run = Run::new(&["run"]).fake(&sql).policy("").args(quiet);
        let ended = run.args(&["--", "export"]).run().ends(0, None);
        assert_eq!(ended.stdout, "CREATE TABLE x (\n\ty text \n);\n\n", "{ended}");
    }
    let wiped = Script { mail: Mail::Config(serde_json::json!({})), steps: vec![out("CREATE TABLE x\x1b[1A\x1b[2Ky")] };
    let ended = Run::new(&["run"]).fake(&wiped).args(&["--", "export"]).run().ends(1, Some(UNCHANGED));
    assert!(!ended.stdout.contains("TABLE"), "{ended}");
    // What only looks has done it when it says so.
    let kit =
        "  kit: [✓] Pulling schema from database...\n  kit: [✓] Your schema file is ready ➜ drizzle/schema.ts 🚀\n";
    run(vec![out("[✓] Your schema file is ready ➜ drizzle/schema.ts 🚀")], &["pull"]).ends_beside(0, kit);
    run(vec![out("[✓] 1 tables fetched")], &["pull"]).ends(7, Some(MAYBE));
    // What may have changed a database needs a sentence that this program knows.
    run(vec![out("all is well")], &["migrate"]).ends(7, Some(MAYBE));
    run(vec![out("all is well")], &["frobnicate"]).ends(7, Some(MAYBE));
    // What serves is not ended by deadlines, and is heard.
    let studio = kit::push([out("Drizzle Studio is up and running\n"), Step::Exit(0)]);
    let studio = Run::new(&["run", "--idle-timeout", "1ms"]).fake(&studio).args(&["--", "studio"]).run();
    studio.ends(7, Some(MAYBE)).says(&["kit: Drizzle Studio is up and running"]);
    // Under its own name it is what it is.
    let policy = "[profiles.ci]\ncommands = ['run', 'generate']\n";
    for (args, code) in [(["push"], 77), (["export"], 0)] {
        let run = Run::new(&["run", "--profile", "ci"]).fake(&kit::push([out("x")])).policy(policy);
        drop(run.args(&["--"]).args(&args).run().ends(code, (code != 0).then_some(UNCHANGED)));
    }
}

/// An option that does nothing is no help to anybody: those that earlier versions took are warned of.
#[test]
fn an_option_that_its_command_ignores_is_not_offered_and_not_taken() {
    let warned = |args: &[&str], option: &str| {
        let ran = Run::new(args).without_report().run();
        let (name, told) = (args[0], format!("warning: {option} has no effect on {}", args[0]));
        assert_ne!(ran.code, 64, "{ran}");
        drop(ran.says(&[&told]));
        let help = Run::new(&[name, "--help"]).without_report().run().ends(0, None);
        assert!(!help.stdout.contains(option), "{option}\n{help}");
    };
    warned(&["policy", "check", "--timeout", "3s"], "--timeout");
    warned(&["doctor", "--record", "doctor.cast"], "--record");
    warned(&["man", "--policy", "p.toml"], "--policy");
    warned(&["completions", "bash", "--format", "json"], "--format");
    let push = Run::new(&["push", "--help"]).without_report().run().ends(0, None);
    drop(push.says(&["--record", "--timeout", "--policy", "--format", "--log"]));
    let refused = Run::new(&["man", "--log", "man.log"]).without_report().run().ends(64, Some(UNCHANGED));
    drop(refused.says(&["--log has no effect on man"]));
}
