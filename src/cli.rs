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
  drizzle-pilot init                          set up this project
  drizzle-pilot next                          show the state of the project and the next command
  drizzle-pilot push                          push the schema; refuse what the policy does not allow
  drizzle-pilot push --accept-data-loss       approve data loss for this run only
  drizzle-pilot plan                          show what a push would do; execute nothing
  drizzle-pilot check                         check the migrations before they run
  drizzle-pilot run -- migrate                run any other drizzle-kit command under the same rules
  drizzle-pilot policy init                   write a commented policy file
  drizzle-pilot replay push.cast              decide again on a recording, offline";

/// Run drizzle-kit without a human and without guessing
///
/// drizzle-pilot starts the project's own drizzle-kit in a pseudo-terminal, reads its screen, answers every question
/// from a policy file, and verifies from the output what happened. It destroys only what the policy names, and reports
/// success only when it has seen it.
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
    /// Use this config file of drizzle
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Use this policy file instead of the nearest drizzle-pilot.toml in the project folder or above it
    #[arg(long, global = true, value_name = "FILE", env = "DRIZZLE_PILOT_POLICY")]
    pub policy: Option<PathBuf>,
    /// Use this profile of the policy instead of the one whose `when` holds; what that one bans stays banned
    #[arg(long, global = true, value_name = "NAME", env = "DRIZZLE_PILOT_PROFILE")]
    pub profile: Option<String>,
    /// Use this folder as the project instead of the current one
    #[arg(long, global = true, value_name = "DIR")]
    pub cwd: Option<PathBuf>,
    /// Stop the run after this time, such as 90s or "2m 30s"
    #[arg(long, global = true, value_name = "DUR", default_value = "10m", value_parser = span)]
    pub timeout: Duration,
    /// Stop the run when drizzle-kit prints nothing for this time
    #[arg(long, global = true, value_name = "DUR", default_value = "2m", value_parser = span)]
    pub idle_timeout: Duration,
    /// Build migrations and schema files for a comparison on this server, instead of one that is started for it or the
    /// target's own
    #[arg(long, global = true, value_name = "URL", env = "DRIZZLE_PILOT_SCRATCH_URL", hide_env_values = true)]
    pub scratch_url: Option<String>,
    /// Start drizzle-kit with this command instead of running the project's own with node
    #[arg(long, global = true, value_name = "COMMAND")]
    pub kit: Option<String>,
    /// Print the result on stdout in this format
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Also write the report to this file, as JSON
    #[arg(long, global = true, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Also write the report to this file, as an HTML page with the recording in it
    #[arg(long, global = true, value_name = "FILE.html")]
    pub report_html: Option<PathBuf>,
    /// Record the terminal to this file (asciicast v2, which asciinema plays)
    #[arg(long, global = true, value_name = "FILE.cast")]
    pub record: Option<PathBuf>,
    /// Write every phase and every decision of the run to this file, as JSON lines
    #[arg(long, global = true, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Print only errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Show what drizzle-kit prints; twice, also every phase and every decision
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Choose when to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    pub color: Color,
}

impl Shared {
    /// Tells whether stdout shows text for people.
    pub fn shows_text(&self) -> bool {
        self.format == Format::Text && !self.quiet
    }
}

/// Format of the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    Text,
    Json,
    /// Only the statements; for plans
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

/// Set up a project: scripts, a policy, and on request CI, a pre-commit hook and a Compose service
///
/// Reads package.json, the lock file, the workspace and drizzle's config, shows the changes as a diff, and asks before
/// writing. Adds the scripts db:push, db:push:force, db:push:force:verbose, db:generate, db:migrate, db:check,
/// db:status, db:reset and db:sync, and a commented drizzle-pilot.toml if there is no policy yet. Keeps what you have
/// written; a second run changes nothing. Touches no database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot init                              show, ask, write
  drizzle-pilot init --dry-run                    only show (2 if something would be written)
  drizzle-pilot init --yes                        write without asking, as in a script
  drizzle-pilot init --cwd packages/db --ci github --hook
  drizzle-pilot init --config drizzle-auth.config.ts --compose")]
pub struct InitArgs {
    /// Also write a CI workflow that checks the migrations and builds a database before the tests
    #[arg(long, value_enum, value_name = "WHERE")]
    pub ci: Option<Ci>,
    /// Also write a pre-commit hook that checks migrations before they are committed
    #[arg(long)]
    pub hook: bool,
    /// Also write a Compose file with PostgreSQL and a service that applies the schema to it
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

/// Show the state of the project, which command to run next, and why
///
/// Compares the schema files, the last snapshot, the journal and the database, as `status`, `check --schema`,
/// `check --database` and `plan` do, and finds the current step: edit, generate, review, migrate or commit. Shows the SQL to
/// use for enums, renames, type changes and NOT NULL. Changes nothing by itself; on a terminal it offers to run the
/// command. Needs the right to create a database, for the comparison. Ends with 0 when there is nothing to do, and with
/// 2 otherwise.
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

/// Push the schema to the database if the policy allows it
///
/// Runs the project's `drizzle-kit push`. The policy answers questions about renames. Statements are executed only if
/// the policy allows all of them. A refusal prints the policy lines that would allow it.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  drizzle-pilot push
  drizzle-pilot push --dry-run                      same as `drizzle-pilot plan`
  drizzle-pilot push --plan push.plan.json          execute exactly this plan, or nothing (5)
  drizzle-pilot push --profile ci --report push.json --record push.cast
  drizzle-pilot push --config packages/db/drizzle.config.ts
  drizzle-pilot push -- --verbose                   pass what follows -- to drizzle-kit")]
pub struct PushArgs {
    /// Approve all data loss for this run, with a warning for each. Answers no renames, and never truncates a table to
    /// add a unique constraint
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// Show the plan and execute nothing, as `plan` does
    #[arg(long)]
    pub dry_run: bool,
    /// Choose who executes the statements, overriding the policy
    #[arg(long, value_enum, value_name = "WHO")]
    pub apply: Option<Apply>,
    /// Execute exactly the statements of this plan, or nothing
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    pub plan: Option<PathBuf>,
    /// Wait this long for another run that changes the same database (PostgreSQL, MySQL; default 30s), and at most 10s
    /// for sessions that hold locks on the objects to change
    #[arg(long, value_name = "DUR", value_parser = span)]
    pub lock_timeout: Option<Duration>,
    /// Pass these arguments to drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Show what a push would do, and execute nothing
///
/// Runs the project's `drizzle-kit push` up to its last question and answers "No, abort". Shows every statement with
/// its hazards, the rows at stake, and the rule that decides. drizzle-pilot also makes the server refuse every write.
/// Ends with 0 when there is nothing to do, 2 when the policy allows the changes, 3 when it refuses some of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot plan
  drizzle-pilot plan --format sql                   only the statements
  drizzle-pilot plan --format markdown              a comment for a pull request
  drizzle-pilot plan --out push.plan.json           execute it later: drizzle-pilot push --plan push.plan.json")]
pub struct PlanArgs {
    /// Judge as `push --accept-data-loss` would
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// Judge as `push --apply WHO` would
    #[arg(long, value_enum, value_name = "WHO")]
    pub apply: Option<Apply>,
    /// Write the plan to this file for `push --plan`, if the policy allows all of it
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Let the plan file expire after this time
    #[arg(long, value_name = "DUR", default_value = "24h", value_parser = span)]
    pub expires: Duration,
    /// Pass these arguments to drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Empty a database without dropping the database itself
///
/// Drops every object of the schemas in scope in one transaction: everything or nothing. Keeps extensions, grants,
/// roles and the schema public itself. Runs only on hosts that the policy names under `guard`, and never where a
/// setting says that this is production.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot reset --dry-run                       show what would run
  drizzle-pilot reset --yes                           reset without asking, as in a script
  drizzle-pilot reset --yes --then push               and push the schema again
  drizzle-pilot reset --url postgres://localhost/test --schema public --schema shop --confirm-database test --yes")]
pub struct ResetArgs {
    /// Use this database instead of the one in drizzle's config, or in DATABASE_URL if there is no config
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Empty this schema, instead of those of drizzle's config, the last snapshot and the migrations table; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    pub schema: Vec<String>,
    /// Empty every schema except those of the system and of managed services
    #[arg(long, conflicts_with = "schema")]
    pub all_schemas: bool,
    /// Keep these tables, views or other objects, as `schema.name`, or `name` for those in public; may be repeated
    #[arg(long, value_name = "GLOB")]
    pub keep: Vec<String>,
    /// Also drop objects that belong to other roles, where the server allows it
    #[arg(long)]
    pub other_owners: bool,
    /// Reset without asking
    #[arg(long)]
    pub yes: bool,
    /// Reset only if the database has this name
    #[arg(long, value_name = "NAME")]
    pub confirm_database: Option<String>,
    /// Show exactly what would run, and run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Wait this long for a lock, up to three times
    #[arg(long, value_name = "DUR", default_value = "3s", value_parser = span)]
    pub lock_timeout: Duration,
    /// Terminate sessions of your own role that hold locks on the objects to drop
    #[arg(long)]
    pub terminate_blockers: bool,
    /// Build the schema again this way, overriding `[reset]` in the policy
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

/// Generate a migration; the policy answers questions about renames
#[derive(Debug, Args)]
#[command(after_help = "Example:
  drizzle-pilot generate -- --name=add_users")]
pub struct GenerateArgs {
    /// Pass these arguments to drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Apply pending migrations, and verify them in the migrations table
///
/// Takes drizzle-pilot's advisory lock on the database: of several concurrent runs, one applies the migrations, and the
/// others wait and find nothing to do. Refuses if the folder contradicts the migrations table (see `drizzle-pilot
/// status`), unless the policy allows it under `[migrate]`. Runs the project's `drizzle-kit migrate` and reads the
/// migrations table again. Reports which statement of which file failed and why, which drizzle-kit itself does not from
/// 0.31.10 on.
#[derive(Debug, Default, Args)]
#[command(after_help = "Examples:
  drizzle-pilot migrate
  drizzle-pilot migrate --wait-for-db 60s --ready-file /tmp/migrated      in a container
  drizzle-pilot migrate --config packages/db/drizzle.config.ts")]
pub struct MigrateArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Wait this long for the database to accept connections
    #[arg(long, value_name = "DUR", value_parser = span)]
    pub wait_for_db: Option<Duration>,
    /// Wait this long for another run that changes the same database
    #[arg(long, value_name = "DUR", default_value = "5m", value_parser = span)]
    pub lock_timeout: Duration,
    /// Write this file when everything is applied, for a health check; it is removed at the start
    #[arg(long, value_name = "PATH")]
    pub ready_file: Option<PathBuf>,
    /// Pass these arguments to drizzle-kit
    #[arg(last = true, value_name = "KIT ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Show every migration with its state in the database
///
/// Compares the journal with the migrations table, by the rule of drizzle's own migrator. The states: `pending` will
/// run, `skipped` never will (a newer migration was applied first), `edited` has a file that was changed after it was
/// applied, `repeated` would run again, `missing` has no file, and `unknown` is only in the migrations table. Ends with
/// 0 when every migration is applied and nothing is wrong, and with 2 otherwise.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot status
  drizzle-pilot status --format json
  drizzle-pilot status --migrations drizzle --url postgres://localhost/shop")]
pub struct StatusArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
}

/// Mark migrations as applied (baseline), after verifying that the database matches them
///
/// Use it on a database that was built by push, so that `migrate` can continue from there. Runs the migrations in a
/// scratch database, compares its schema with that of the database, and adds the missing rows to the migrations table
/// only if the two are equal (else it ends with 3 and shows the differences). Writes all rows in one transaction and
/// reads them back. The scratch database is on a server that is started for it, if PostgreSQL is installed here, else on
/// that of the database, where it needs the right to create one.
///
/// After a rename, constraints, indexes and sequences may differ only by name. --rename gives them the names in the
/// migrations, --write-renames FILE writes these statements to a file, and the policy's sync.names = "warn" keeps the
/// names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot sync --dry-run
  drizzle-pilot sync
  drizzle-pilot sync --to 0019_orders              leave later migrations pending
  drizzle-pilot sync --rename                      give objects the names in the migrations, if only names differ
  drizzle-pilot sync --write-renames names.sql     write these statements, to run them by hand
  drizzle-pilot sync --repair-order                let `migrate` run skipped ones; changes only the journal")]
pub struct SyncArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Mark migrations up to this one, the last that the database has
    #[arg(long, value_name = "TAG", conflicts_with = "repair_order")]
    pub to: Option<String>,
    /// Show what would be written, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Make skipped migrations the newest in the journal
    #[arg(long)]
    pub repair_order: bool,
    /// If only names differ, first give the objects the names in the migrations, in the same transaction
    #[arg(long, conflicts_with = "repair_order")]
    pub rename: bool,
    /// Write the statements that --rename would execute to this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["rename", "repair_order", "dry_run"])]
    pub write_renames: Option<PathBuf>,
    /// Wait this long for another run that changes the same database
    #[arg(long, value_name = "DUR", default_value = "30s", value_parser = span)]
    pub lock_timeout: Duration,
}

/// The database and the folder that a command on migrations works with.
#[derive(Debug, Default, Clone, Args)]
pub struct PlaceArgs {
    /// Use this migrations folder instead of the one in drizzle's config
    #[arg(long, value_name = "DIR")]
    pub migrations: Option<PathBuf>,
    /// Use this database instead of the one in drizzle's config, or in DATABASE_URL if there is no config
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// Check (lint) the migrations before they run
///
/// Finds faults in the journal, the snapshots and the files of a migrations folder, and statements that lose data,
/// block other sessions or fail. Works offline; with --migrations it needs neither drizzle's config nor node. Ends with
/// 0 when it finds nothing, 2 when it finds something, and 65 when the folder cannot be read. docs/checks.md explains
/// every rule with an example.
#[derive(Debug, Default, Args)]
#[command(group = clap::ArgGroup::new("drift").multiple(true))]
#[command(after_help = "Examples:
  drizzle-pilot check                                  the folder in drizzle's config
  drizzle-pilot check --migrations drizzle             without drizzle's config and node
  drizzle-pilot check --migrations drizzle --staged    as a pre-commit hook
  drizzle-pilot check --since origin/main --schema     in a pull request
  drizzle-pilot check --database                       compare database and migrations, read-only
  drizzle-pilot check --push                           compare database and schema files, read-only
  drizzle-pilot check --sarif check.sarif --junit check.xml")]
pub struct CheckArgs {
    /// Check this migrations folder instead of the one in drizzle's config or the policy; may be repeated
    #[arg(long, value_name = "DIR")]
    pub migrations: Vec<PathBuf>,
    /// Lint only migrations added or changed since the merge base with REF
    #[arg(long, value_name = "REF", conflicts_with = "staged")]
    pub since: Option<String>,
    /// Check what git has staged, and lint only migrations that the next commit adds or changes
    #[arg(long)]
    pub staged: bool,
    /// Also report schema changes that no migration has, by running drizzle-kit generate in a copy of the folder
    #[arg(long)]
    pub schema: bool,
    /// Also report how the database differs from its migrations, by running them in a scratch database
    #[arg(long, group = "drift")]
    pub database: bool,
    /// Also report how the database differs from the schema files, by running drizzle-kit push and declining it
    #[arg(long, group = "drift")]
    pub push: bool,
    /// Use this database instead of the one in drizzle's config, or in DATABASE_URL if there is no config
    #[arg(long, value_name = "URL", requires = "drift")]
    pub url: Option<String>,
    /// Accept the present faults of journals and snapshots: write them to the policy, and report only new ones from
    /// then on
    #[arg(long, conflicts_with_all = ["since", "staged", "schema", "database", "push"])]
    pub accept_old: bool,
    /// Write the findings as SARIF 2.1.0 to this file
    #[arg(long, value_name = "FILE")]
    pub sarif: Option<PathBuf>,
    /// Write the findings as JUnit XML to this file
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Run any other drizzle-kit command under the same rules
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot run -- migrate
  drizzle-pilot run -- introspect
  drizzle-pilot run -- push:pg                       drizzle-kit 0.20")]
pub struct RunArgs {
    /// Run this drizzle-kit command with its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGS")]
    pub kit_args: Vec<OsString>,
}

/// Decide again on a recording, without node and without a database
///
/// Feeds the recorded output to the code that reads a live terminal, and answers its prompts from the policy. Queries
/// no database. Ends with 0 when every answer is the one in the recording, 2 when the policy gives another one, 3 when
/// it refuses, and 4 when a prompt cannot be answered.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  drizzle-pilot push --record push.cast; drizzle-pilot replay push.cast --policy other.toml")]
pub struct ReplayArgs {
    /// Read the recorded statements in this dialect
    #[arg(long, value_enum, default_value_t = DialectName::Postgresql)]
    pub dialect: DialectName,
    /// Decide as a run with --accept-data-loss would
    #[arg(long, alias = "force")]
    pub accept_data_loss: bool,
    /// Read this recording (asciicast v2), written by --record or by asciinema
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

/// Diagnose the setup: node, drizzle-kit, config, policy and database
///
/// Inspects node, drizzle-kit, drizzle's config, the policy and its profile, and the target and whether it can be
/// reached, and says how to fix each problem. Executes nothing. Ends with 0 when it finds no problem, else with the
/// exit code that a run would end with at the first one.
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

/// Print shell completions
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot completions bash > ~/.local/share/bash-completion/completions/drizzle-pilot
  drizzle-pilot completions zsh > ~/.zfunc/_drizzle-pilot      with fpath+=(~/.zfunc) before compinit
  drizzle-pilot completions fish > ~/.config/fish/completions/drizzle-pilot.fish
  drizzle-pilot completions powershell >> $PROFILE")]
pub struct CompletionsArgs {
    /// Print the completions of this shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Print the manual page, or write the pages of all commands to a folder
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot man | man -l -
  drizzle-pilot man ~/.local/share/man/man1                    then: man drizzle-pilot-push")]
pub struct ManArgs {
    /// Write the pages to this folder, which is created if it does not exist
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// Reads a span of time. What is longer than a year is a mistake: nothing waits that long, and the clock has an end.
fn span(text: &str) -> Result<Duration, String> {
    const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    let span = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if span > LONGEST { Err("must not exceed a year".to_owned()) } else { Ok(span) }
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
