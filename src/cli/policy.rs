//! The arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check, explain or write the policy
///
/// The policy is the file drizzle-pilot.toml, searched for from the project folder up to the root of its repository. It
/// defines which renames are intended and which data may be lost. None of these commands touches a database.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot policy check
  drizzle-pilot policy explain column public.users.full_name --from name --from nick
  drizzle-pilot policy explain drop_column public.users.legacy_id --rows 3 --profile ci
  drizzle-pilot policy init
  drizzle-pilot policy schema > policy.schema.json")]
pub struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What can be done with a policy.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    Check(CheckArgs),
    Explain(ExplainArgs),
    Init(InitArgs),
    /// Print the JSON schema of the policy file (draft 2020-12)
    #[command(after_help = "Example:
  drizzle-pilot policy schema > policy.schema.json")]
    Schema,
}

/// Check a policy file
///
/// Reports every unknown key, invalid value and contradiction with its line and column, and ends with 78 if there are
/// any. Summarises a valid file, and points out what deserves a second look.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot policy check
  drizzle-pilot policy check deploy/drizzle-pilot.toml
  drizzle-pilot policy check --plan push.plan.json
  drizzle-pilot policy check --profile ci --format json")]
pub struct CheckArgs {
    /// Check this policy file instead of the one that applies here
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Also list the rules that match nothing in this plan (written by `plan --out`)
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
}

/// Explain which rule answers a question, and why the others do not
///
/// KIND is what drizzle-kit may ask about (schema, table, column, enum, sequence, view, policy, role) or a hazard
/// (drop_table, drop_column, …). The answer is that of a run in which the schema of every object is known. Ends with 0
/// whether the policy allows or refuses.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot policy explain column public.users.full_name --from name --from nick
  drizzle-pilot policy explain table purchases --from orders
  drizzle-pilot policy explain drop_column public.users.legacy_id --rows 3
  drizzle-pilot policy explain drop_table audit_2019 --profile production")]
pub struct ExplainArgs {
    /// Ask about this kind of object, or this hazard
    #[arg(value_name = "KIND")]
    pub kind: String,
    /// Ask about this object, named as in the policy
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Assume that it may have had this old name; may be repeated
    #[arg(long, value_name = "OLD")]
    pub from: Vec<String>,
    /// Assume that this number of rows is at stake
    #[arg(long, value_name = "N")]
    pub rows: Option<u64>,
    /// Answer as `push --accept-data-loss` would
    #[arg(long)]
    pub accept_data_loss: bool,
}

/// Write a commented policy file
///
/// The file refuses what the built-in policy refuses, and allows `reset` on the usual local hosts. It is written to the
/// file that --policy names, or to drizzle-pilot.toml in the project.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  drizzle-pilot policy init
  drizzle-pilot policy init --policy deploy/drizzle-pilot.toml
  drizzle-pilot init                                  with the scripts for package.json")]
pub struct InitArgs {
    /// Overwrite an existing file
    #[arg(long)]
    pub force: bool,
}
