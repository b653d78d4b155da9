//! The command line. Raw flags become checked values here; what they do is told in `commands`.

pub mod ignored;
pub mod policy;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::policy::PolicyArgs;
use crate::outcome;
use crate::policy::model::Apply;

const EXAMPLES: &str = "Examples:
  drizzle-pilot init                          set this project up
  drizzle-pilot next                          where the project stands, and what comes next
  drizzle-pilot push                          push the schema; refuse what the policy does not allow
  drizzle-pilot push --accept-data-loss       approve data loss for this run alone
  drizzle-pilot plan                          show what a push would do; execute nothing
  drizzle-pilot check                         look at the migrations before they run
  drizzle-pilot run -- migrate                any other drizzle-kit command, by the same rules
  drizzle-pilot policy init                   write a commented policy file
  drizzle-pilot replay push.cast              decide again on a recording, offline";

/// Run drizzle-kit without a human and without guessing
///
/// drizzle-pilot starts the project's own drizzle-kit in a pseudo-terminal, reads the drawn screen, answers every
/// question by a policy file, and proves from the output what happened. Nothing is destroyed that the policy does not
/// name, and nothing is called done that was not seen done.
#[derive(Debug, Parser)]
#[command(name = "drizzle-pilot", version, max_term_width = 110, arg_required_else_help = true)]
#[command(after_help = format!("{EXAMPLES}\n\nExit codes: {}.", outcome::listed()))]
pub struct Cli {
    #[command(flatten)]
    pub shared: Shared,
    #[command(subcommand)]
    pub command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    Init(InitArgs),
    Next(NextArgs),
    Push(PushArgs),
    Plan(PlanArgs),
    Reset(ResetArgs),
    Generate(GenerateArgs),
    Migrate(MigrateArgs),
    Status(StatusArgs),
    Sync(SyncArgs),
    Check(CheckArgs),
    Run(RunArgs),
    Policy(PolicyArgs),
    Doctor(DoctorArgs),

    Replay(ReplayArgs),
    Report(ReportArgs),
    Completions(CompletionsArgs),
    Man(ManArgs),
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Shared {
    /// Drizzle's config file
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The policy file, instead of the drizzle-pilot.toml found from the project upward
    #[arg(long, global = true, value_name = "FILE", env = "DRIZZLE_PILOT_POLICY")]
    pub policy: Option<PathBuf>,
    /// The profile of the policy file, instead of the one whose `when` holds, which still bans what it bans
    #[arg(long, global = true, value_name = "NAME", env = "DRIZZLE_PILOT_PROFILE")]
    pub profile: Option<String>,
    /// The project's folder, instead of the current one
    #[arg(long, global = true, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Deadline for the whole run, as in 90s or "2m 30s"
    #[arg(long, global = true, value_name = "DUR", default_value = "10m", value_parser = span)]
    pub timeout: Duration,
    /// Deadline without any output of drizzle-kit
    #[arg(long, global = true, value_name = "DUR", default_value = "2m", value_parser = span)]
    pub idle_timeout: Duration,
    /// How to start drizzle-kit, instead of the project's own with node
    #[arg(long, global = true, value_name = "COMMAND")]
    pub kit: Option<String>,
    /// Form of the result on stdout
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Write the report as JSON to this file as well
    #[arg(long, global = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Write the report to this file as a page for people as well, with the recording in it
    #[arg(long, global = true, value_name = "FILE.html")]
    pub report_html: Option<PathBuf>,
    /// Record the terminal to this file (asciicast v2, plays in asciinema)
    #[arg(long, global = true, value_name = "FILE.cast")]
    pub record: Option<PathBuf>,
    /// Write every phase and every decision of the run to this file, as JSON lines
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show what drizzle-kit prints; twice, also every phase and every decision
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl Shared {
    /// Tells whether stdout shows text for people.
    pub fn shows_text(&self) -> bool {
        self.format == Format::Text && !self.quiet
    }
}

/// Form of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// The statements alone; for plans
    Sql,
    /// A comment for a pull request; for plans
    Markdown,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// Set a project up: scripts, a policy, and on request CI, a hook and a Compose service
///
/// Looks at package.json, the lock file, the workspace and drizzle's config, shows what it would write as a diff, and asks.
/// Adds the scripts db:push, db:push:force, db:push:force:verbose, db:generate, db:migrate, db:check, db:status, db:reset and
/// db:sync, and a commented drizzle-pilot.toml where there is no policy yet. What you have written stays as it is, and a second
/// run changes nothing. Touches no database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot init                              show, ask, write
  drizzle-pilot init --dry-run                    show alone (2 where something would be written)
  drizzle-pilot init --yes                        where there is no terminal
  drizzle-pilot init --cwd packages/db --ci github --hook
  drizzle-pilot init --config drizzle-auth.config.ts --compose")]
pub struct InitArgs {
    /// Also write a workflow that looks at the migrations and builds a database before the tests
    #[arg(long, value_enum, value_name = "WHERE")]
    pub ci: Option<Ci>,
    /// Also write a pre-commit hook that looks at migrations before they are committed
    #[arg(long)]
    pub hook: bool,
    /// Also write a Compose file with a PostgreSQL and a service that brings it to where the schema is
    #[arg(long)]
    pub compose: bool,
    /// Show what would be written, and write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
}

/// Where CI runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Ci {
    /// .github/workflows/drizzle-pilot.yml
    Github,
    /// .gitlab/drizzle-pilot.gitlab-ci.yml
    Gitlab,
}

/// Say where the project stands, which command comes next, and why
///
/// Compares the schema files, the last snapshot, the journal and the database, with the code of `status`, `check --schema`,
/// `check --database` and `plan`: edit, generate, review, migrate, commit. For enums, renames, casts and NOT NULL it shows the
/// SQL to use. Changes nothing; on a terminal it offers to run the command. The comparison with the database needs the right to
/// create one. Ends with 0 where nothing is to do, 2 where something is.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot next
  drizzle-pilot next --format json
  drizzle-pilot next --cwd packages/db
  drizzle-pilot next --migrations drizzle --url postgres://localhost/shop")]
pub struct NextArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Push the schema to the database, as far as the policy allows
///
/// Runs the project's `drizzle-kit push`. Questions about renames are answered by the policy, and statements are
/// executed only if everything drizzle-kit announces is allowed. A refusal prints the policy lines that would allow it.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  drizzle-pilot push
  drizzle-pilot push --dry-run                      as `drizzle-pilot plan`
  drizzle-pilot push --plan push.plan.json          exactly what `drizzle-pilot plan --out` saw, or nothing (5)
  drizzle-pilot push --profile ci --report push.json --record push.cast
  drizzle-pilot push --config packages/db/drizzle.config.ts
  drizzle-pilot push -- --verbose                   what follows -- goes to drizzle-kit")]
pub struct PushArgs {
    /// Approve all data loss for this run, with a warning for each. Answers no rename and never truncates for a unique constraint
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// Show the plan and execute nothing, as `plan` does
    #[arg(long)]
    pub dry_run: bool,
    /// Who executes the statements, instead of what the policy says
    #[arg(long, value_enum, value_name = "WHO")]
    pub apply: Option<Apply>,
    /// Execute exactly the statements of this plan, or nothing
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub plan: Option<PathBuf>,
    /// How long to wait for another run that changes the same database (PostgreSQL, MySQL), 30s where it is not said; for
    /// sessions that hold what is to be changed, 10s at most
    #[arg(long, value_name = "DUR", value_parser = span)]
    pub lock_timeout: Option<Duration>,
    /// Arguments for drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Show what a push would do, and execute nothing
///
/// Runs the project's `drizzle-kit push` up to its last question and answers "No, abort". Shows every statement with its
/// hazards, the rows at stake, and the rule that decides. The server itself is told to refuse every write.
/// Ends with 0 when there is nothing to do, 2 when the policy allows the changes, 3 when it refuses some of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot plan
  drizzle-pilot plan --format sql                   the statements alone
  drizzle-pilot plan --format markdown              a comment for a pull request
  drizzle-pilot plan --out push.plan.json           to be executed later: drizzle-pilot push --plan push.plan.json")]
pub struct PlanArgs {
    /// Judge as a push with --accept-data-loss does
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// Judge as a push with this --apply does
    #[arg(long, value_enum, value_name = "WHO")]
    pub apply: Option<Apply>,
    /// Write the plan to this file, for `push --plan`. Only if the policy allows all of it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// How long the plan file may be used
    #[arg(long, value_name = "DUR", default_value = "24h", value_parser = span)]
    pub expires: Duration,
    /// Arguments for drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Empty a database, without dropping the database itself
///
/// Drops every object of the schemas in scope in one transaction: all of it, or nothing. Extensions, grants, roles and the
/// schema public itself stay. Only databases on the hosts that the policy names under `guard` are touched, and none
/// where something says that this is production.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot reset --dry-run                       what would run
  drizzle-pilot reset --yes                           where there is no terminal
  drizzle-pilot reset --yes --then push               and build the schema again
  drizzle-pilot reset --url postgres://localhost/test --schema public --schema shop --confirm-database test --yes")]
pub struct ResetArgs {
    /// The database, instead of the one that drizzle's config names, or DATABASE_URL where there is no config
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// A schema to empty, instead of those of drizzle's config, of the last snapshot and of the migrations table; may be repeated
    #[arg(long, value_name = "NAME")]
    pub schema: Vec<String>,
    /// Empty every schema but those of the system and of managed services
    #[arg(long, conflicts_with = "schema")]
    pub all_schemas: bool,
    /// A table, view or the like that stays, as `schema.name`, or `name` in public; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Let objects go that belong to another role, where the server lets us drop them
    #[arg(long)]
    pub other_owners: bool,
    /// Do it without asking
    #[arg(long)]
    pub yes: bool,
    /// Do it only in a database of this name
    #[arg(long, value_name = "NAME")]
    pub confirm_database: Option<String>,
    /// Show exactly what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Time for each wait for a lock; it is waited for three times
    #[arg(long, value_name = "DUR", default_value = "3s", value_parser = span)]
    pub lock_timeout: Duration,
    /// End the sessions of our own role that hold what has to be dropped
    #[arg(long)]
    pub terminate_blockers: bool,
    /// What builds the schema again, instead of what `[reset]` in the policy says
    #[arg(long, value_enum, value_name = "WHAT")]
    pub then: Option<Then>,
}

/// What follows a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Then {
    /// `drizzle-pilot push`
    Push,
    /// `drizzle-kit migrate`
    Migrate,
    None,
}

impl Then {
    /// Returns the command that follows, if one does.
    pub fn command(self) -> Option<&'static str> {
        match self {
            Then::Push => Some("push"),
            Then::Migrate => Some("migrate"),
            Then::None => None,
        }
    }
}

/// Generate a migration; questions about renames are answered by the policy
#[derive(Debug, Args)]
#[command(after_help = "Example:
  drizzle-pilot generate -- --name=add_users")]
pub struct GenerateArgs {
    /// Arguments for drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Apply the migrations that are pending, and prove it by the history
///
/// Takes the lock of this program on the database, so that of several runs at once one applies and the others wait and
/// find nothing to do. Refuses where the folder and the history do not fit together (`drizzle-pilot status`), unless the
/// policy allows it under `[migrate]`. Runs the project's `drizzle-kit migrate`, reads the history again, and says of a
/// failure which statement of which file it was and why, which drizzle-kit itself does not say from 0.31.10 on.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  drizzle-pilot migrate
  drizzle-pilot migrate --wait-for-db 60s --ready-file /tmp/migrated      in a container
  drizzle-pilot migrate --config packages/db/drizzle.config.ts")]
pub struct MigrateArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// How long to wait for the database to accept connections
    #[arg(long, value_name = "DUR", value_parser = span)]
    pub wait_for_db: Option<Duration>,
    /// How long to wait for another run that changes the same database
    #[arg(long, value_name = "DUR", default_value = "5m", value_parser = span)]
    pub lock_timeout: Duration,
    /// A file to write when everything is applied, for a health check. It is removed at the start
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// Arguments for drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Show every migration with its state in the database
///
/// Compares the journal with the history by the rule of drizzle's own migrator. `pending` will run, `skipped` never will
/// (something newer was applied before), of `edited` the file is not what was applied, `repeated` would run once more,
/// `missing` has no file, and `unknown` is in the history alone. Ends with 0 when everything is applied and nothing is
/// wrong, else with 2.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot status
  drizzle-pilot status --format json
  drizzle-pilot status --migrations drizzle --url postgres://localhost/shop")]
pub struct StatusArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Write the rows that the history lacks, after a proof that they are true
///
/// For a database that was built by push, so that `migrate` can go on from there. Builds the migrations in a database of
/// its own, compares its schema with that of the database, and writes only where they are the same (else 3, with the
/// differences). All rows are written in one transaction and read back. Needs the right to create a database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot sync --dry-run
  drizzle-pilot sync
  drizzle-pilot sync --to 0019_orders              what comes after stays pending
  drizzle-pilot sync --repair-order                let `migrate` apply what was skipped; changes the journal alone")]
pub struct SyncArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// The last migration that the database has
    #[arg(long, value_name = "TAG", conflicts_with = "repair_order")]
    pub to: Option<String>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make skipped migrations the newest of the journal
    #[arg(long)]
    pub repair_order: bool,
    /// How long to wait for another run that changes the same database
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = span)]
    pub lock_timeout: Duration,
}

/// The database and the folder that a command on migrations works with.
#[derive(Debug, Default, Clone, Args)]
pub struct PlaceArgs {
    /// The migrations folder, instead of the one that drizzle's config names
    #[arg(long, value_name = "DIR")]
    pub migrations: Option<PathBuf>,
    /// The database, instead of the one that drizzle's config names, or DATABASE_URL where there is no config
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Look at the migrations before they run
///
/// Finds what is wrong with the journal, the snapshots and the files of a migrations folder, and statements that lose data,
/// block or fail. Works offline, and with --migrations without drizzle's config and without node. Ends with 0 when nothing
/// is found, 2 when something is, and 65 when the folder cannot be read. docs/checks.md has every rule with an example.
#[derive(Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("drift").multiple(true))]
#[command(after_help = "Examples:
  drizzle-pilot check                                  the folder that drizzle's config names
  drizzle-pilot check --migrations drizzle             without config and node
  drizzle-pilot check --migrations drizzle --staged    in a pre-commit hook
  drizzle-pilot check --since origin/main --schema     in a pull request
  drizzle-pilot check --database                       the database against the migrations; it is only read
  drizzle-pilot check --push                           the database against the schema files; it is only read
  drizzle-pilot check --sarif check.sarif --junit check.xml")]
pub struct CheckArgs {
    /// A migrations folder, instead of the one that drizzle's config or the policy names; may be repeated
    #[arg(long, value_name = "DIR")]
    pub migrations: Vec<PathBuf>,
    /// Look at statements of migrations alone that are not where this branch left REF
    #[arg(long, value_name = "REF", conflicts_with = "staged")]
    pub since: Option<String>,
    /// Look at what the next commit will have, and at statements of migrations alone that it adds or changes
    #[arg(long)]
    pub staged: bool,
    /// Also find schema files that differ from the last snapshot, by drizzle-kit's own generate into a copy
    #[arg(long)]
    pub schema: bool,
    /// Also find how the database differs from what its migrations make, in a database that is made for it and dropped
    #[arg(long, group = "drift")]
    pub database: bool,
    /// Also find how the database differs from the schema files, by drizzle-kit's own push, which is declined
    #[arg(long, group = "drift")]
    pub push: bool,
    /// The database, instead of the one that drizzle's config names, or DATABASE_URL where there is no config
    #[arg(long, value_name = "URL", requires = "drift")]
    pub url: Option<String>,
    /// Accept the faults of journals and snapshots that are there: write them into the policy, and tell only new ones from then on
    #[arg(long, conflicts_with_all = ["since", "staged", "schema", "database", "push"])]
    pub accept_old: bool,
    /// Write the findings as SARIF 2.1.0 to this file
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write the findings as JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Run any other drizzle-kit command line by the same rules
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot run -- migrate
  drizzle-pilot run -- introspect
  drizzle-pilot run -- push:pg                       drizzle-kit 0.20")]
pub struct RunArgs {
    /// The drizzle-kit command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Decide again on a recording, with no node and no database
///
/// Feeds the recorded output to the same code that reads a live terminal, and answers its prompts by the policy. What the
/// database said is not asked again. Ends with 0 where every answer is that of the recording, 2 where the policy gives
/// another one, 3 where it refuses, and 4 where a prompt cannot be answered.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  drizzle-pilot push --record push.cast; drizzle-pilot replay push.cast --policy other.toml")]
pub struct ReplayArgs {
    /// The dialect of the recorded statements
    #[arg(long, value_enum, default_value_t = DialectName::Postgresql)]
    pub dialect: DialectName,
    /// Decide as a run with --accept-data-loss does
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// A recording (asciicast v2), as written by --record or by asciinema
    #[arg(value_name = "FILE.cast")]
    pub file: PathBuf,
}

/// A dialect, by the name it has in drizzle's config.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DialectName {
    Postgresql,
    Mysql,
    Singlestore,
    Sqlite,
    Turso,
}

/// Say everything that decides how a run will go, and run nothing
///
/// Looks at node, drizzle-kit, drizzle's config, the policy and its profile, the target and whether it can be reached; each
/// with what to do about it. Ends with 0 where nothing stands in the way, else with the code of a run that meets the
/// first problem.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot doctor
  drizzle-pilot doctor --profile production --format json")]
pub struct DoctorArgs {}

/// Print the JSON schema of the report
#[derive(Debug, Args)]
#[command(after_help = "Example:
  drizzle-pilot report schema > report.schema.json")]
pub struct ReportArgs {
    #[command(subcommand)]
    pub command: ReportCommand,
}

/// What `report` can do.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Print the JSON schema of `--report` and `--format json`
    #[command(after_help = "Example:
  drizzle-pilot report schema > report.schema.json")]
    Schema,
}

/// Print the completions of a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot completions bash > ~/.local/share/bash-completion/completions/drizzle-pilot
  drizzle-pilot completions zsh > ~/.zfunc/_drizzle-pilot      with fpath+=(~/.zfunc) before compinit
  drizzle-pilot completions fish > ~/.config/fish/completions/drizzle-pilot.fish
  drizzle-pilot completions powershell >> $PROFILE")]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Print the manual page, or write those of all commands into a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot man | man -l -
  drizzle-pilot man ~/.local/share/man/man1                    then: man drizzle-pilot-push")]
pub struct ManArgs {
    /// The folder. It is made where it is not there
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Reads a span of time. What is longer than a year is a mistake: nothing waits that long, and the clock has an end.
fn span(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if span > LONGEST { Err("a year is the longest".to_owned()) } else { Ok(span) }
}

impl PlanArgs {
    /// Returns what `push --dry-run` means.
    pub fn of_push(args: &PushArgs) -> PlanArgs {
        let PushArgs { accept_data_loss, kit_args, apply, dry_run: _, plan: _, lock_timeout: _ } = args;
        PlanArgs {
            accept_data_loss: *accept_data_loss,
            apply: *apply,
            out: None,
            expires: Duration::ZERO,
            kit_args: kit_args.clone(),
        }
    }
}

/// Returns arguments for drizzle-kit without the second `--` that some package managers pass on.
pub fn kit_args(args: &[OsString]) -> &[OsString] {
    match args {
        [first, rest @ ..] if first == "--" => rest,
        args => args,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_doubled_dash_is_tolerated() {
        let parse = |args: &[&str]| match Cli::try_parse_from(args).expect("the line is right").command {
            Command::Push(push) => super::kit_args(&push.kit_args).to_vec(),
            Command::Run(run) => super::kit_args(&run.kit_args).to_vec(),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse(&["drizzle-pilot", "push", "--", "--verbose"]), ["--verbose"]);
        assert_eq!(parse(&["drizzle-pilot", "push", "--", "--", "--verbose"]), ["--verbose"]);
        assert_eq!(parse(&["drizzle-pilot", "run", "--", "push:pg", "--x"]), ["push:pg", "--x"]);
        assert_eq!(parse(&["drizzle-pilot", "run", "--", "--", "push:pg"]), ["push:pg"]);
    }
}
