//! `policy`: checks a policy, says which rule answers a question, writes a starter, prints the schema.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::policy::{CheckArgs, ExplainArgs, InitArgs, PolicyArgs, PolicyCommand};
use crate::policy::explain::{self, Answer, Explanation, Summary};
use crate::policy::model::{FILE_NAME, Section, Source};
use crate::policy::{PolicyError, SelectError, closest, file};
use crate::run::plan_file::{PlanError, PlanFile};
use crate::sql::hazard::Hazard;
use crate::sql::{self, Dialect};

/// What the command line says beside the arguments of the command.
pub struct Context<'a> {
    /// The folder of the project.
    pub cwd: &'a Path,
    /// `--policy`
    pub policy: Option<&'a Path>,
    /// `--profile`
    pub profile: Option<&'a str>,
    /// `--format json`
    pub json: bool,
}

/// Why the command failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy cannot be read.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The profile cannot be picked.
    #[error(transparent)]
    Select(#[from] SelectError),
    /// The plan cannot be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The question cannot be understood.
    #[error("{message}")]
    Question { message: String, hint: Option<String> },
    /// There is a policy already.
    #[error("{0} exists already")]
    Exists(String),
    /// The starter cannot be written.
    #[error("writing {path}")]
    Write { path: String, source: io::Error },
    /// The result cannot be printed.
    #[error("writing the result")]
    Print(#[from] io::Error),
}

impl Error {
    /// Returns what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Error::Select(error) => Some(error.hint()),
            Error::Question { hint, .. } => hint.clone(),
            Error::Exists(_) => Some("--force overwrites it".to_owned()),
            Error::Policy(error) => error.hint().map(str::to_owned),
            Error::Plan(_) | Error::Write { .. } | Error::Print(_) => None,
        }
    }
}

/// Runs the command and writes its result.
///
/// # Errors
/// When there is no valid policy to talk about, or the arguments make no question.
pub fn run(args: &PolicyArgs, context: &Context<'_>, out: &mut dyn Write) -> Result<(), Error> {
    match &args.command {
        PolicyCommand::Check(args) => check(args, context, out),
        PolicyCommand::Explain(args) => explain(args, context, out),
        PolicyCommand::Init(args) => init(args, context, out),
        PolicyCommand::Schema => print_json(out, file::schema().as_value()),
    }
}

fn check(args: &CheckArgs, context: &Context<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let policies = file::load(args.file.as_deref().or(context.policy), context.cwd)?;
    let policy = policies.select(context.profile, &|_| None, None)?;
    let of_interest = |summary: &Summary| context.profile.is_none() || summary.profile.as_deref() == context.profile;
    let summaries: Vec<Summary> = explain::summaries(&policies).into_iter().filter(of_interest).collect();
    let mut warnings = explain::warnings(&policies);
    if let Some(plan) = &args.plan {
        let plan = PlanFile::read(&context.cwd.join(plan))?;
        let names = sql::assess(plan.statements(), Dialect::Postgres, &sql::Facts::default());
        let names = names.into_iter().flat_map(|statement| statement.objects).collect();
        warnings.extend(explain::unmatched(&policy, &names));
    }
    if context.json {
        let policies_json: Vec<Value> = summaries.iter().map(summary_json).collect();
        let file = match policies.source() {
            Source::BuiltIn => None,
            Source::File { path, .. } => Some(path),
        };
        let check = json!({ "schema": 1, "file": file, "digest": policies.digest(), "policies": policies_json, "warnings": warnings });
        return print_json(out, &check);
    }
    match policies.source() {
        Source::BuiltIn => writeln!(out, "there is no {FILE_NAME} here; the built-in policy applies")?,
        Source::File { path, .. } => writeln!(out, "{path} is valid")?,
    }
    summaries.iter().try_for_each(|summary| writeln!(out, "  {summary}"))?;
    warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))?;
    Ok(())
}

fn explain(args: &ExplainArgs, context: &Context<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let policies = file::load(context.policy, context.cwd)?;
    let policy = policies.select(context.profile, &|name| std::env::var(name).ok(), None)?;
    let wrong = |message: String| Error::Question { message, hint: None };
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
    if context.json {
        return print_json(out, &explanation_json(&explanation));
    }
    match policy.profile() {
        Some(profile) => writeln!(out, "policy: {}, profile {profile}", policy.source())?,
        None => writeln!(out, "policy: {}", policy.source())?,
    }
    write!(out, "{explanation}")?;
    Ok(())
}

fn unknown_kind(kind: &str) -> Error {
    let hazards = Hazard::all().map(Hazard::name);
    let closest = closest(kind, Section::ALL.into_iter().map(Section::singular).chain(hazards));
    Error::Question {
        message: format!("`{kind}` is neither a kind of object nor a hazard"),
        hint: closest.map(|closest| format!("did you mean `{closest}`?")),
    }
}

fn init(args: &InitArgs, context: &Context<'_>, out: &mut dyn Write) -> Result<(), Error> {
    let shown = context.policy.unwrap_or(Path::new(FILE_NAME));
    let path = context.cwd.join(shown);
    let shown = shown.display().to_string();
    let mut options = OpenOptions::new();
    if args.force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.write(true).open(&path).and_then(|mut file| file.write_all(STARTER.as_bytes()));
    match written {
        Ok(()) => Ok(writeln!(out, "wrote {shown}")?),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(Error::Exists(shown)),
        Err(source) => Err(Error::Write { path: shown, source }),
    }
}

fn summary_json(summary: &Summary) -> Value {
    json!({
        "profile": summary.profile, "when": summary.when, "commands": summary.commands, "renames": summary.n_renames,
        "create": summary.n_create, "hazards": summary.n_hazards, "prompts": summary.n_prompts,
    })
}

fn explanation_json(explanation: &Explanation) -> Value {
    let (answer, says, warnings) = match &explanation.answer {
        Answer::Yes { what, warnings, .. } => ("yes", what, warnings.as_slice()),
        Answer::No(refusal) => ("refused", &refusal.what, &[][..]),
        Answer::Unclear(doubt) => ("unclear", &doubt.reason, &[][..]),
    };
    let allow_with = match &explanation.answer {
        Answer::No(refusal) => refusal.allow_with(),
        Answer::Yes { .. } | Answer::Unclear(_) => None,
    };
    json!({
        "schema": 1, "question": explanation.question, "answer": answer, "says": says,
        "rule": explanation.answer.because().map(ToString::to_string), "warnings": warnings,
        "allow_with": allow_with, "not_used": explanation.not_used,
    })
}

fn print_json(out: &mut dyn Write, value: &Value) -> Result<(), Error> {
    writeln!(out, "{value:#}")?;
    Ok(())
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
    use tempfile::TempDir;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        policy: PolicyArgs,
    }

    /// A project with the policy of the contract.
    fn project() -> TempDir {
        let project = tempfile::tempdir().expect("a temporary directory can be made");
        fs::create_dir(project.path().join(".git")).expect("the directory is ours");
        let text = include_str!("../../fixtures/policies/contract.toml");
        fs::write(project.path().join(FILE_NAME), text).expect("the directory is ours");
        project
    }

    fn said(project: &TempDir, profile: Option<&str>, json: bool, args: &[&str]) -> String {
        let cli = Cli::try_parse_from(["policy"].iter().chain(args)).unwrap_or_else(|error| panic!("{error}"));
        let context = Context { cwd: project.path(), policy: None, profile, json };
        let mut out = Vec::new();
        let ended = run(&cli.policy, &context, &mut out);
        let mut said = String::from_utf8(out).expect("we write UTF-8");
        if let Err(error) = ended {
            said += &format!("{error}\n");
            said.extend(error.hint().map(|hint| format!("hint: {hint}\n")));
        }
        said
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
        assert_eq!(said(&project, None, false, &["check"]), expected);
        let expected = "\
drizzle-pilot.toml is valid
  profile ci: 2 renames, 2 names of what is new, 5 lines on hazards, 1 question
";
        assert_eq!(said(&project, Some("ci"), false, &["check"]), expected);
        let expected = "drizzle-pilot.toml has no profile `prod`\nhint: did you mean `production`?\n";
        assert_eq!(said(&project, Some("prod"), false, &["check"]), expected);
        let json: Value = serde_json::from_str(&said(&project, Some("ci"), true, &["check"])).expect("this is JSON");
        assert_eq!(json["policies"][0]["hazards"], 5);
        fs::write(project.path().join("bad.toml"), "version = 3").expect("the directory is ours");
        let bad = said(&project, None, false, &["check", "bad.toml"]);
        assert!(bad.starts_with("error: the version must be 1\n --> bad.toml:1:11\n"), "{bad}");
        fs::remove_file(project.path().join(FILE_NAME)).expect("the file is ours");
        let expected = "\
there is no drizzle-pilot.toml here; the built-in policy applies
  without a profile: 0 renames, 0 names of what is new, 0 lines on hazards, 0 questions
";
        assert_eq!(said(&project, None, false, &["check"]), expected);
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
        let said = said(&project, None, false, &["check"]);
        assert_eq!(said.split_once("warning").map(|(_, rest)| format!("warning{rest}")).as_deref(), Some(expected));
    }

    #[test]
    fn what_has_no_effect_where_drizzle_kit_runs_the_statements_is_said() {
        let project = project();
        let warned = |text: &str| {
            fs::write(project.path().join(FILE_NAME), format!("version = 1\n{text}")).expect("the directory is ours");
            let said = said(&project, None, false, &["check"]);
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
            assert_eq!(said(&project, profile, false, args), expected, "{args:?}");
        }
        let json = said(&project, None, true, &["explain", "drop_table", "users"]);
        let json: Value = serde_json::from_str(&json).expect("this is JSON");
        assert_eq!(json["answer"], "refused");
        assert_eq!(json["rule"], "drizzle-pilot.toml:16 hazards.drop_table");
        assert_eq!(json["allow_with"], "drop_table     = { only = [\"public.users\"] }");
    }

    #[test]
    fn the_starter_is_a_policy_and_overwrites_nothing() {
        let project = tempfile::tempdir().expect("a temporary directory can be made");
        assert_eq!(said(&project, None, false, &["init"]), "wrote drizzle-pilot.toml\n");
        let expected = "drizzle-pilot.toml exists already\nhint: --force overwrites it\n";
        assert_eq!(said(&project, None, false, &["init"]), expected);
        assert_eq!(said(&project, None, false, &["init", "--force"]), "wrote drizzle-pilot.toml\n");
        assert_eq!(said(&project, None, false, &["check"]).lines().next(), Some("drizzle-pilot.toml is valid"));
        let is_key = |(key, _): (&str, &str)| key.starts_with('"') == key.ends_with('"') && !key.contains("\", ");
        // Every example in it is valid when its comment sign is taken away.
        let examples = STARTER.lines().map(|line| match line.strip_prefix("# ") {
            Some(example) if example.starts_with('[') || example.split_once(" = ").is_some_and(is_key) => example,
            _ => line,
        });
        let examples = examples.collect::<Vec<_>>().join("\n");
        file::parse(Path::new("starter"), &examples).unwrap_or_else(|error| panic!("{error}"));
    }

    #[test]
    fn the_schema_is_printed_as_json() {
        let project = project();
        let schema: Value = serde_json::from_str(&said(&project, None, false, &["schema"])).expect("this is JSON");
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert_eq!(schema["title"], "drizzle-pilot.toml");
    }
}
