//! `policy`: checks a policy, says which rule answers a question, writes a starter, prints the schema.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use crate::cli::policy::{CheckArgs, ExplainArgs, InitArgs, PolicyArgs, PolicyCommand};
use crate::cli::{Format, Shared};
use crate::command_name::CommandName;
use crate::outcome::{Exit, Verdict};
use crate::output::console::Console;
use crate::output::record::{Record, View};
use crate::output::report::answer::Explained;
use crate::output::{delivery, report};
use crate::policy::explain::{self, Answer, Summary};
use crate::policy::model::{FILE_NAME, Section};
use crate::policy::{Policies, closest, file};
use crate::project::guard;
use crate::run::plan_file::PlanFile;
use crate::sql::hazard::Hazard;
use crate::sql::{self, Dialect};

/// Runs the command.
pub fn run(shared: &Shared, args: &PolicyArgs, console: &mut Console) -> Exit {
    match &args.command {
        PolicyCommand::Check(args) => answer(shared, console, |record| check(shared, args, record)),
        PolicyCommand::Explain(args) => answer(shared, console, |record| explain(shared, args, record)),
        PolicyCommand::Init(args) => answer(shared, console, |_| init(shared, args)),
        PolicyCommand::Schema => {
            console.document(&format!("{:#}\n", file::schema().as_value()));
            Exit::Ok
        }
    }
}

/// What a command of these says: in one sentence, and in full for people.
type Said = (String, String);

fn answer(shared: &Shared, console: &mut Console, story: impl FnOnce(&mut Record) -> Result<Said, Verdict>) -> Exit {
    delivery::run(shared, CommandName::Policy, View::Answered, console, |_, console, record| {
        let (summary, text) = story(record)?;
        if shared.format == Format::Text {
            console.result(&text);
        }
        Ok(Verdict::nothing(Exit::Ok, summary))
    })
}

fn check(shared: &Shared, args: &CheckArgs, record: &mut Record) -> Result<Said, Verdict> {
    let profile = shared.profile.as_deref();
    let policies = load(args.file.as_deref().or(shared.policy.as_deref()), shared, record)?;
    let policy = policies.select(profile, &|_| None, None).map_err(|error| guard::unselected(&error))?;
    record.warnings = explain::warnings(&policies);
    if let Some(plan) = &args.plan {
        let plan = PlanFile::read(&cwd(shared).join(plan)).map_err(|error| unusable(error.exit(), &error))?;
        let names = sql::assess(plan.statements(), Dialect::Postgres, &sql::Facts::default());
        let names = names.into_iter().flat_map(|statement| statement.objects).collect();
        record.warnings.extend(explain::unmatched(&policy, &names));
    }
    let of_interest = |summary: &Summary| profile.is_none() || summary.profile.as_deref() == profile;
    record.answer.policies = explain::summaries(&policies).into_iter().filter(of_interest).collect();
    let summary = match &record.policy.file {
        None => format!("there is no {FILE_NAME} here; the built-in policy applies"),
        Some(path) => format!("{path} is valid"),
    };
    let policies = record.answer.policies.iter().map(|policy| format!("  {policy}\n"));
    let warnings = record.warnings.iter().map(|warning| format!("warning: {warning}\n"));
    let text = [format!("{summary}\n")].into_iter().chain(policies).chain(warnings).collect();
    Ok((summary, text))
}

fn explain(shared: &Shared, args: &ExplainArgs, record: &mut Record) -> Result<Said, Verdict> {
    let policies = load(shared.policy.as_deref(), shared, record)?;
    let env = |name: &str| std::env::var(name).ok();
    let policy = guard::select(&policies, &env, None, shared, record)?;
    let wrong = |message: String| Verdict::nothing(Exit::Usage, message);
    let section = Section::ALL.into_iter().find(|section| section.singular().replace(' ', "_") == args.kind);
    let explanation = match (section, Hazard::from_name(&args.kind)) {
        (Some(section), _) => {
            let name = args.name.as_deref().ok_or_else(|| wrong(format!("which {}?", section.singular())))?;
            explain::rename(&policy, section, name, &args.from)
        }
        (None, Some(hazard)) => {
            explain::hazard(&policy, hazard, args.name.as_deref(), args.rows, args.accept_data_loss)
        }
        (None, None) => return Err(unknown_kind(&args.kind)),
    };
    let explanation = explanation.map_err(wrong)?;
    if let Answer::Yes { warnings, .. } = &explanation.answer {
        record.warnings.clone_from(warnings);
    }
    let explained = record.answer.explained.insert(Explained::of(&explanation));
    let profile = policy.profile().map(|profile| format!(", profile {profile}")).unwrap_or_default();
    Ok((explained.says.clone(), format!("policy: {}{profile}\n{explanation}", policy.source())))
}

fn unknown_kind(kind: &str) -> Verdict {
    let hazards = Hazard::all().map(Hazard::name);
    let closest = closest(kind, Section::ALL.into_iter().map(Section::singular).chain(hazards));
    Verdict {
        hint: closest.map(|closest| format!("did you mean `{closest}`?")),
        ..Verdict::nothing(Exit::Usage, format!("`{kind}` is neither a kind of object nor a hazard"))
    }
}

fn init(shared: &Shared, args: &InitArgs) -> Result<Said, Verdict> {
    let shown = shared.policy.as_deref().unwrap_or(Path::new(FILE_NAME));
    let path = cwd(shared).join(shown);
    let shown = shown.display();
    let mut options = OpenOptions::new();
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.write(true).open(&path).and_then(|mut file| file.write_all(STARTER.as_bytes()));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            Verdict::nothing(Exit::Usage, format!("{shown} exists already")).hint("--force overwrites it")
        }
        _ => Verdict::nothing(Exit::Failed, format!("writing {shown}\ncaused by: {error}")),
    })?;
    Ok((format!("wrote {shown}"), format!("wrote {shown}\n")))
}

/// Returns the project's folder, as it was named.
fn cwd(shared: &Shared) -> &Path {
    shared.cwd.as_deref().unwrap_or(Path::new("."))
}

/// Reads a policy, and takes note of it.
fn load(named: Option<&Path>, shared: &Shared, record: &mut Record) -> Result<Policies, Verdict> {
    let policies = file::load(named, cwd(shared)).map_err(|error| {
        let hint = error.hint().map(str::to_owned);
        Verdict { hint, ..unusable(Exit::Config, &error) }
    })?;
    record.policy = report::Policy::of(&policies);
    Ok(policies)
}

/// Says why a file cannot be used, with the cause on a line of its own.
fn unusable(exit: Exit, error: &dyn std::error::Error) -> Verdict {
    let cause = error.source().map(|cause| format!("\ncaused by: {cause}")).unwrap_or_default();
    Verdict::nothing(exit, format!("{error}{cause}"))
}

/// What `policy init` writes.
pub const STARTER: &str = r#"#:schema node_modules/drizzle-pilot/policy.schema.json
# What drizzle-pilot may do without asking. `drizzle-pilot policy explain` shows which rule answers a question.
version = 1

# "Is X created or renamed from Y?"
[renames]
otherwise = "refuse"            # or "create": treat what no rule names as new

[renames.tables]
# "public.orders" = "purchases"

[renames.columns]
# "public.users.name" = "full_name"

# Really new, although something else disappeared. Globs: * ? [ab] {a,b}
[create]
# tables = ["public.audit_*"]
# columns = ["public.users.nickname"]

# "refuse", "approve", or limits: { only = ["public.users.legacy_*"], max_rows = 1000 }
[hazards]
data_loss = "refuse"            # all of: drop_table, drop_column, truncate, change_type, …
add_unique = "keep_rows"        # never "Yes, truncate the table"

# Who executes the statements of an approved push: drizzle-kit ("kit"), or drizzle-pilot in one transaction of
# PostgreSQL, all or nothing.
[push]
# apply = "transaction"

# In that transaction: the expression after USING when a column changes its type. `truncate` may be "skip" then.
[using]
# "public.files.blob" = "blob::bytea"

[guard]
# The hosts on which `reset` may run; a unix socket is named by its folder.
hosts = ["localhost", "127.0.0.1", "::1", "db", "postgres", "/run/postgresql", "/var/run/postgresql"]
# No command that changes a database runs where one of these is set, except those that an applying profile lists.
refuse_env = ["NODE_ENV=production", "VERCEL_ENV=production"]

# Overrides, merged key by key; chosen by --profile, DRIZZLE_PILOT_PROFILE or `when`.
[profiles.production]
when = { env = ["NODE_ENV=production", "VERCEL_ENV=production"] }     # hosts = ["*.prod.example.com"] as well
commands = ["migrate", "plan", "status", "check", "generate"]         # nothing else runs there: no push, no reset
accept_data_loss = false

# [profiles.ci]
# when = { env = ["CI=true"] }
# hazards.drop_column = "approve"
"#;

#[cfg(test)]
mod tests {
    use std::fs;

    use clap::Parser;
    use serde_json::Value;
    use tempfile::TempDir;

    use super::*;
    use crate::cli::{Cli, Command};

    /// A project with the policy of the contract.
    fn project() -> TempDir {
        let project = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(project.path().join(".git")).expect("the directory is ours");
        let text = include_str!("../../fixtures/policies/contract.toml");
        fs::write(project.path().join(FILE_NAME), text).expect("the directory is ours");
        project
    }

    /// Returns what is shown, and what the report has.
    fn answered(project: &TempDir, profile: Option<&str>, args: &[&str]) -> (String, Value) {
        let cwd = project.path().to_str().expect("temporary folders have plain names");
        let words = [&["drizzle-pilot", "policy"], args, &["--cwd", cwd]].concat();
        let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{error}"));
        let Command::Policy(args) = cli.command else { panic!("this is `policy`") };
        let shared = Shared { profile: profile.map(str::to_owned), ..cli.shared };
        let mut record = Record::new(profile);
        let answered = match &args.command {
            PolicyCommand::Check(args) => check(&shared, args, &mut record),
            PolicyCommand::Explain(args) => explain(&shared, args, &mut record),
            PolicyCommand::Init(args) => init(&shared, args),
            PolicyCommand::Schema => panic!("it answers nothing"),
        };
        let (text, verdict) = match answered {
            Ok((summary, text)) => (text, Verdict::nothing(Exit::Ok, summary)),
            Err(verdict) => {
                let hint = verdict.hint.iter().map(|hint| format!("hint: {hint}\n")).collect::<String>();
                (format!("{}\n{hint}", verdict.summary), verdict)
            }
        };
        let report = serde_json::to_value(record.report(CommandName::Policy, &verdict)).expect("a report is JSON");
        (text, report)
    }

    fn said(project: &TempDir, profile: Option<&str>, args: &[&str]) -> String {
        answered(project, profile, args).0
    }

    #[test]
    fn a_valid_policy_is_summed_up() {
        let project = project();
        let expected = "\
drizzle-pilot.toml is valid
  without a profile: 2 renames, 2 names of what is new, 5 lines on hazards, 1 question
  profile ci: 2 renames, 2 names of what is new, 5 lines on hazards, 1 question
  profile production: 2 renames, 2 names of what is new, 5 lines on hazards, 1 question; applies with \
NODE_ENV=production or host *.prod.example.com; only migrate, status, check may run
";
        assert_eq!(said(&project, None, &["check"]), expected);
        let expected = "\
drizzle-pilot.toml is valid
  profile ci: 2 renames, 2 names of what is new, 5 lines on hazards, 1 question
";
        assert_eq!(said(&project, Some("ci"), &["check"]), expected);
        let expected = "drizzle-pilot.toml has no profile `prod`\nhint: did you mean `production`?\n";
        assert_eq!(said(&project, Some("prod"), &["check"]), expected);
        let (_, report) = answered(&project, Some("ci"), &["check"]);
        assert_eq!((&report["policies"][0]["hazards"], &report["policy"]["file"]), (&5.into(), &FILE_NAME.into()));
        fs::write(project.path().join("bad.toml"), "version = 3").expect("the directory is ours");
        let bad = said(&project, None, &["check", "bad.toml"]);
        assert!(bad.starts_with("error: the version must be 1\n --> bad.toml:1:11\n"), "{bad}");
        fs::remove_file(project.path().join(FILE_NAME)).expect("the file is ours");
        let expected = "\
there is no drizzle-pilot.toml here; the built-in policy applies
  without a profile: 0 renames, 0 names of what is new, 0 lines on hazards, 0 questions
";
        assert_eq!(said(&project, None, &["check"]), expected);
    }

    #[test]
    fn what_is_worth_a_second_look_is_said() {
        let project = project();
        let text = "version = 1
[hazards]
drop_table = \"approve\"
unclassified = \"approve\"
[[prompts]]
question = \".*\"
decline = true
[profiles.production.hazards]
data_loss = \"refuse\"";
        fs::write(project.path().join(FILE_NAME), text).expect("the directory is ours");
        let expected = "\
warning: drizzle-pilot.toml:4 hazards.unclassified allows statements that drizzle-pilot does not understand
warning: drizzle-pilot.toml:5 prompts[0] matches every question, or an empty one
warning: drizzle-pilot.toml:9 profiles.production.hazards.data_loss does not apply to \
drizzle-pilot.toml:3 hazards.drop_table: a kind's own line takes precedence
";
        let said = said(&project, None, &["check"]);
        assert_eq!(said.split_once("warning").map(|(_, rest)| format!("warning{rest}")).as_deref(), Some(expected));
    }

    #[test]
    fn what_has_no_effect_where_drizzle_kit_runs_the_statements_is_said() {
        let project = project();
        let warned = |text: &str| {
            fs::write(project.path().join(FILE_NAME), format!("version = 1\n{text}")).expect("the directory is ours");
            let said = said(&project, None, &["check"]);
            said.lines().filter(|line| line.starts_with("warning")).map(str::to_owned).collect::<Vec<_>>()
        };
        let lines = "using.\"a.b\" = \"b::int\"\nhazards.truncate = \"skip\"\n";
        let warning = |line: &str, apply: &str| {
            format!(
                "warning: drizzle-pilot.toml:{line} has no effect without --apply transaction: \
                 drizzle-kit runs the statements ({apply})"
            )
        };
        let built_in = "built-in policy (push.apply)";
        assert_eq!(
            warned(&format!("{lines}[profiles.p]\nhazards.drop_table = \"approve\"")),
            [warning("3 hazards.truncate", built_in), warning("2 using.\"a.b\"", built_in)],
            "a profile does not repeat what the file has"
        );
        let kit = "drizzle-pilot.toml:6 profiles.p.push.apply";
        assert_eq!(
            warned(&format!("{lines}push.apply = \"transaction\"\n[profiles.p]\npush.apply = \"kit\"")),
            [warning("3 hazards.truncate", kit), warning("2 using.\"a.b\"", kit)]
        );
        assert!(warned(&format!("{lines}push.apply = \"transaction\"\n[profiles.p]")).is_empty());
    }

    #[test]
    fn an_answer_is_explained_with_its_rule_and_the_rules_that_did_not_apply() {
        let project = project();
        let cases: [(Option<&str>, &[&str], &str); 6] = [
            (
                None,
                &["explain", "column", "users.full_name", "--from", "nick", "--from", "name"],
                "policy: drizzle-pilot.toml
is the column public.users.full_name new, or was it public.users.nick or public.users.name?
answer: public.users.full_name was public.users.name
because: drizzle-pilot.toml:7 renames.columns.\"public.users.name\"
not used:
  1 more rule names other columns
",
            ),
            (
                None,
                &["explain", "column", "users.full_name", "--from", "nick"],
                "policy: drizzle-pilot.toml
is the column public.users.full_name new, or was it public.users.nick?
refused: no rule says whether column public.users.full_name is new or was renamed from public.users.nick
  drizzle-pilot.toml, if it was renamed from public.users.nick, in place of line 7:
      \"public.users.nick\" = \"full_name\"
  drizzle-pilot.toml, if it is new, without line 7
  and in drizzle-pilot.toml, in place of line 12:
      columns = [\"public.users.full_name\", \"public.users.nickname\"]            \
# really new, although something else went away
because: drizzle-pilot.toml:5 renames.otherwise
not used:
  drizzle-pilot.toml:7 renames.columns.\"public.users.name\": renames it from public.users.name, \
but that is not one of the old names
  1 more rule names other columns
",
            ),
            (
                None,
                &["explain", "table", "audit_2019", "--from", "orders"],
                "policy: drizzle-pilot.toml
is the table public.audit_2019 new, or was it public.orders?
answer: public.audit_2019 is new
because: drizzle-pilot.toml:13 create.tables
not used:
  drizzle-pilot.toml:9 renames.tables.\"public.orders\": renames public.orders to public.purchases
",
            ),
            (
                None,
                &["explain", "drop_column", "users.legacy_id", "--rows", "1200", "--accept-data-loss"],
                "policy: drizzle-pilot.toml
is drop_column public.users.legacy_id, 1200 rows allowed? (a column is dropped)
answer: allowed
because: --accept-data-loss
warning: drop_column public.users.legacy_id deletes 1200 values (--accept-data-loss)
not used:
  the default of data_loss is refuse
",
            ),
            (
                Some("ci"),
                &["explain", "drop_column", "users.legacy_id"],
                "policy: drizzle-pilot.toml, profile ci
is drop_column public.users.legacy_id allowed? (a column is dropped)
answer: allowed
because: drizzle-pilot.toml:31 profiles.ci.hazards.drop_column
warning: drop_column public.users.legacy_id: a column is dropped (drizzle-pilot.toml:31 profiles.ci.hazards.drop_column)
not used:
  the default of data_loss is refuse
",
            ),
            (
                None,
                &["explain", "drop_tabel", "users"],
                "`drop_tabel` is neither a kind of object nor a hazard\nhint: did you mean `drop_table`?\n",
            ),
        ];
        for (profile, args, expected) in cases {
            assert_eq!(said(&project, profile, args), expected, "{args:?}");
        }
        let explained = answered(&project, None, &["explain", "drop_table", "users"]).1["explained"].take();
        assert_eq!(explained["answer"], "refused");
        assert_eq!(explained["rule"], "drizzle-pilot.toml:16 hazards.drop_table");
        assert_eq!(explained["allow_with"], "drop_table     = { only = [\"public.users\"] }");
    }

    #[test]
    fn the_starter_is_a_policy_and_overwrites_nothing() {
        let project = tempfile::tempdir().expect("a temporary directory can be made");
        assert_eq!(said(&project, None, &["init"]), "wrote drizzle-pilot.toml\n");
        let expected = "drizzle-pilot.toml exists already\nhint: --force overwrites it\n";
        assert_eq!(said(&project, None, &["init"]), expected);
        assert_eq!(said(&project, None, &["init", "--force"]), "wrote drizzle-pilot.toml\n");
        assert_eq!(said(&project, None, &["check"]).lines().next(), Some("drizzle-pilot.toml is valid"));
        let is_key = |(key, _): (&str, &str)| key.starts_with('"') == key.ends_with('"') && !key.contains("\", ");
        // Every example in it is valid when its comment sign is taken away.
        let examples = STARTER.lines().map(|line| match line.strip_prefix("# ") {
            Some(example) if example.starts_with('[') || example.split_once(" = ").is_some_and(is_key) => example,
            _ => line,
        });
        let examples = examples.collect::<Vec<_>>().join("\n");
        file::parse(Path::new("starter"), &examples).unwrap_or_else(|error| panic!("{error}"));
    }
}
