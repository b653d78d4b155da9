//! Reads `drizzle-pilot.toml`. The structs here are the file format; the rest of the program sees [`Policies`] only.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::files::{self, ReadError};
use crate::host::Pattern as HostPattern;
use crate::policy::check::{self, CheckEntry};
use crate::policy::model::{
    Anomaly, Apply, ApplyLine, COMMANDS, CommandLine, Create, FILE_NAME, HazardKey, HazardLine, HazardRule, Layer,
    MigrateGate, Origin, Otherwise, Policies, Policy, Profile, PromptAnswer, PromptRule, Prompts, RefuseEnv, Rename,
    RuleRef, Ruled, Section, Source, Then, Using, Variable, closest, quoted,
};
use crate::policy::name::{ObjectName, Pattern, Shape};
use crate::sql::hazard::{Class, Hazard, Object};
use crate::sql::rewrite;

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file is there, or was named, and could not be read.
    #[error("reading the policy file {path}")]
    Read { path: String, source: ReadError },
    /// Somebody else may have put the file there.
    #[error("the policy file {path} is not used: {why}")]
    Foreign { path: String, why: &'static str },
    /// The file is not a policy. Shows every problem with its line.
    #[error("{rendered}")]
    Invalid { problems: Vec<Problem>, rendered: String },
}

/// One thing that is wrong in a policy file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub message: String,
    /// The line, counted from 1.
    pub line: usize,
    /// The column, counted from 1 in characters.
    pub column: usize,
    /// What to do about it.
    pub hint: Option<String>,
    span: Range<usize>,
    /// The other place that matters, with what it is.
    also: Option<(Range<usize>, &'static str)>,
}

impl PolicyError {
    /// Returns what to do about it, where the message does not say that by itself.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            PolicyError::Read { .. } => {
                Some("correct that, or take it away: a policy that cannot be read is not taken for none")
            }
            PolicyError::Foreign { .. } => {
                Some("put a policy into the project, or name this one with --policy if it is meant")
            }
            PolicyError::Invalid { .. } => None,
        }
    }
}

/// Loads the policy: the file that was named, else the one that [`find`] finds, else the built-in policy.
pub fn load(explicit: Option<&Path>, cwd: &Path) -> Result<Policies, PolicyError> {
    let Some((path, shown)) = locate(explicit, cwd)? else { return Ok(Policies::built_in()) };
    let text = files::text(&path, files::SETTINGS).map_err(|source| unread(&shown, source))?;
    parse(&shown, &text)
}

/// Returns the path of the policy file as one would type it in a directory: the file that was named, else the one
/// that is found from there upward.
///
/// # Errors
/// When it cannot be known whether there is one, or when it may be somebody else's.
pub fn find(explicit: Option<&Path>, cwd: &Path) -> Result<Option<PathBuf>, PolicyError> {
    Ok(locate(explicit, cwd)?.map(|(_, shown)| shown))
}

/// Returns the path of the policy file, and as one would type it.
fn locate(explicit: Option<&Path>, cwd: &Path) -> Result<Option<(PathBuf, PathBuf)>, PolicyError> {
    match explicit {
        Some(path) => Ok(Some((cwd.join(path), path.to_owned()))),
        None => upward(cwd, std::env::home_dir().as_deref()),
    }
}

fn unread(shown: &Path, source: ReadError) -> PolicyError {
    PolicyError::Read { path: shown.display().to_string(), source }
}

/// Finds the policy file from a project's folder upward: to the root of its repository, or where there is none, to the home
/// directory, and no further than the folders that nobody else may write.
///
/// Above the project a file counts only if it belongs to us, to root, or to whom the project belongs, who has us run his
/// config anyway. Where somebody else's is found, nothing is guessed.
fn upward(cwd: &Path, home: Option<&Path>) -> Result<Option<(PathBuf, PathBuf)>, PolicyError> {
    let absolute = std::path::absolute(cwd).map_err(|error| unread(cwd, error.into()))?;
    let owner = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
    let trusted = [Some(rustix::process::geteuid().as_raw()), Some(0), owner(&absolute)];
    let is_trusted = |found: u32| trusted.contains(&Some(found));
    // In a linked worktree, `.git` is a file.
    let git = |directory: &Path| fs::symlink_metadata(directory.join(".git")).ok();
    let root = absolute.ancestors().find(|directory| git(directory).is_some_and(|git| is_trusted(git.uid())));
    let is_home = |directory: &Path| {
        let same = |one: fs::Metadata, other: fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
        let home = home.and_then(|home| fs::metadata(home).ok());
        home.is_some_and(|home| fs::metadata(directory).is_ok_and(|found| same(found, home)))
    };
    for directory in absolute.ancestors() {
        let is_above = directory != absolute;
        if is_above && root.is_none() && !fs::metadata(directory).is_ok_and(|found| is_ours(&found, is_trusted)) {
            return Ok(None);
        }
        let path = directory.join(FILE_NAME);
        let shown = seen_from(cwd, &path);
        if files::is_there(&path).map_err(|error| unread(&shown, error.into()))? {
            // The link may be one person's and the file another's.
            let mut facts = [fs::symlink_metadata(&path), fs::metadata(&path)].into_iter().flatten();
            let foreign = |why| PolicyError::Foreign { path: shown.display().to_string(), why };
            if is_above && !facts.all(|found| is_trusted(found.uid())) {
                return Err(foreign("it belongs to somebody else and lies above the project"));
            }
            return Ok(Some((path, shown)));
        }
        if Some(directory) == root || root.is_none() && is_home(directory) {
            return Ok(None);
        }
    }
    Ok(None)
}

/// Tells whether nobody but those who are trusted may put files into a folder.
fn is_ours(folder: &fs::Metadata, is_trusted: impl Fn(u32) -> bool) -> bool {
    const OTHERS_WRITE: u32 = 0o002;
    is_trusted(folder.uid()) && folder.mode() & OTHERS_WRITE == 0
}

/// Returns the path of a file in a directory above, as one would type it.
fn seen_from(cwd: &Path, path: &Path) -> PathBuf {
    let depth = std::path::absolute(cwd)
        .ok()
        .and_then(|cwd| cwd.ancestors().position(|directory| path.parent() == Some(directory)));
    match depth {
        Some(depth) => std::iter::repeat_n("..", depth).collect::<PathBuf>().join(FILE_NAME),
        None => path.to_owned(),
    }
}

/// Reads the text of a policy file. The path is only shown.
pub fn parse(path: &Path, text: &str) -> Result<Policies, PolicyError> {
    let path = path.display().to_string();
    let mut reader = Reader { path: &path, text, problems: Vec::new() };
    let policies = match toml::from_str::<File>(text) {
        Ok(file) => {
            reader.lists_for_tables(text);
            reader.policies(&file)
        }
        Err(error) => {
            reader.structural(&error);
            None
        }
    };
    let mut problems = reader.problems;
    problems.sort_by_key(|problem| problem.span.start);
    match policies {
        Some(policies) if problems.is_empty() => Ok(policies),
        _ => Err(PolicyError::Invalid { rendered: rendered(&path, text, &problems), problems }),
    }
}

/// Returns the JSON schema of the file, draft 2020-12.
pub fn schema() -> Schema {
    schemars::schema_for!(File)
}

/// The policy of drizzle-pilot: what it may do without asking.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "drizzle-pilot.toml")]
struct File {
    /// The version of this format. Without one it is 1.
    #[schemars(schema_with = "version_schema")]
    version: Option<Spanned<i64>>,
    /// Answers to "is X created or renamed from Y?".
    #[serde(default)]
    renames: Renames,
    /// What is really new although something else went away. Globs may be used.
    #[serde(default)]
    create: Creates,
    /// What may be lost, blocked or broken.
    #[serde(default)]
    #[schemars(schema_with = "hazards_schema")]
    hazards: Hazards,
    /// How a push that was approved is carried out.
    #[serde(default)]
    push: Push,
    /// What `migrate` does where folder and history do not fit together.
    #[serde(default)]
    migrate: Migrate,
    /// How the values of a column become those of a new type: column = SQL expression. Needs apply = "transaction".
    #[serde(default)]
    #[schemars(schema_with = "using_schema")]
    using: Names,
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed at all.
    #[serde(default)]
    guard: Guard,
    /// What a reset does beside emptying the database.
    #[serde(default)]
    reset: ResetEntry,
    /// What `check` finds, and how bad that is.
    #[serde(default)]
    check: CheckEntry,
    /// Overrides, chosen by --profile, DRIZZLE_PILOT_PROFILE or `when`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ProfileEntry>")]
    profiles: BTreeMap<Spanned<String>, ProfileEntry>,
}

/// An override of the policy. Its sections are merged key by key with those of the file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ProfileEntry {
    /// When the profile applies by itself: one of the conditions is enough.
    #[serde(default)]
    #[schemars(with = "When")]
    when: Option<Spanned<When>>,
    /// The only commands that may run.
    #[serde(default)]
    #[schemars(schema_with = "commands_schema")]
    commands: Option<Spanned<Vec<Spanned<String>>>>,
    /// `false` bans --accept-data-loss.
    #[serde(default)]
    #[schemars(with = "bool")]
    accept_data_loss: Option<Spanned<bool>>,
    /// Answers to "is X created or renamed from Y?".
    #[serde(default)]
    renames: Renames,
    /// What is really new although something else went away. Globs may be used.
    #[serde(default)]
    create: Creates,
    /// What may be lost, blocked or broken.
    #[serde(default)]
    #[schemars(schema_with = "hazards_schema")]
    hazards: Hazards,
    /// How a push that was approved is carried out.
    #[serde(default)]
    push: Push,
    /// What `migrate` does where folder and history do not fit together.
    #[serde(default)]
    migrate: Migrate,
    /// How the values of a column become those of a new type: column = SQL expression. Needs apply = "transaction".
    #[serde(default)]
    #[schemars(schema_with = "using_schema")]
    using: Names,
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed at all.
    #[serde(default)]
    guard: Guard,
    /// What a reset does beside emptying the database.
    #[serde(default)]
    reset: ResetEntry,
    /// What `check` finds, and how bad that is.
    #[serde(default)]
    check: CheckEntry,
}

type Names = BTreeMap<Spanned<String>, Spanned<String>>;
type NamesSchema = BTreeMap<String, String>;

/// Old name = new name, by kind of object.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Renames {
    /// What to do with a new object that no rule names while others disappeared.
    #[schemars(with = "OtherwiseEntry")]
    otherwise: Option<Spanned<OtherwiseEntry>>,
    #[schemars(with = "NamesSchema")]
    schemas: Names,
    #[schemars(with = "NamesSchema")]
    tables: Names,
    #[schemars(with = "NamesSchema")]
    columns: Names,
    #[schemars(with = "NamesSchema")]
    enums: Names,
    #[schemars(with = "NamesSchema")]
    sequences: Names,
    #[schemars(with = "NamesSchema")]
    views: Names,
    #[schemars(with = "NamesSchema")]
    policies: Names,
    #[schemars(with = "NamesSchema")]
    roles: Names,
    #[schemars(with = "NamesSchema")]
    checks: Names,
    #[schemars(with = "NamesSchema")]
    indexes: Names,
    #[schemars(with = "NamesSchema")]
    uniques: Names,
    #[schemars(with = "NamesSchema")]
    primary_keys: Names,
    #[schemars(with = "NamesSchema")]
    foreign_keys: Names,
    #[schemars(with = "NamesSchema")]
    defaults: Names,
}

impl Renames {
    fn of(&self, section: Section) -> &Names {
        match section {
            Section::Schemas => &self.schemas,
            Section::Tables => &self.tables,
            Section::Columns => &self.columns,
            Section::Enums => &self.enums,
            Section::Sequences => &self.sequences,
            Section::Views => &self.views,
            Section::Policies => &self.policies,
            Section::Roles => &self.roles,
            Section::Checks => &self.checks,
            Section::Indexes => &self.indexes,
            Section::Uniques => &self.uniques,
            Section::PrimaryKeys => &self.primary_keys,
            Section::ForeignKeys => &self.foreign_keys,
            Section::Defaults => &self.defaults,
        }
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OtherwiseEntry {
    Refuse,
    Create,
}

type Patterns = Option<Vec<Spanned<String>>>;

/// Names of new objects, by kind.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Creates {
    #[schemars(with = "Vec<String>")]
    schemas: Patterns,
    #[schemars(with = "Vec<String>")]
    tables: Patterns,
    #[schemars(with = "Vec<String>")]
    columns: Patterns,
    #[schemars(with = "Vec<String>")]
    enums: Patterns,
    #[schemars(with = "Vec<String>")]
    sequences: Patterns,
    #[schemars(with = "Vec<String>")]
    views: Patterns,
    #[schemars(with = "Vec<String>")]
    policies: Patterns,
    #[schemars(with = "Vec<String>")]
    roles: Patterns,
    #[schemars(with = "Vec<String>")]
    checks: Patterns,
    #[schemars(with = "Vec<String>")]
    indexes: Patterns,
    #[schemars(with = "Vec<String>")]
    uniques: Patterns,
    #[schemars(with = "Vec<String>")]
    primary_keys: Patterns,
    #[schemars(with = "Vec<String>")]
    foreign_keys: Patterns,
    #[schemars(with = "Vec<String>")]
    defaults: Patterns,
}

impl Creates {
    fn of(&self, section: Section) -> &Patterns {
        match section {
            Section::Schemas => &self.schemas,
            Section::Tables => &self.tables,
            Section::Columns => &self.columns,
            Section::Enums => &self.enums,
            Section::Sequences => &self.sequences,
            Section::Views => &self.views,
            Section::Policies => &self.policies,
            Section::Roles => &self.roles,
            Section::Checks => &self.checks,
            Section::Indexes => &self.indexes,
            Section::Uniques => &self.uniques,
            Section::PrimaryKeys => &self.primary_keys,
            Section::ForeignKeys => &self.foreign_keys,
            Section::Defaults => &self.defaults,
        }
    }
}

type Hazards = BTreeMap<Spanned<String>, Spanned<HazardEntry>>;

/// A word, or a table of limits.
enum HazardEntry {
    Word(String),
    Limit(LimitEntry),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LimitEntry {
    /// The objects to which this is allowed. Globs may be used.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(min = 1))]
    only: Option<Spanned<Vec<Spanned<String>>>>,
    /// The number of rows up to which this is allowed.
    #[serde(default)]
    #[schemars(with = "u64")]
    max_rows: Option<Spanned<u64>>,
}

impl<'de> Deserialize<'de> for HazardEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<HazardEntry, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = HazardEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"refuse\", \"approve\" or a table with `only` or `max_rows`")
            }

            fn visit_str<E>(self, word: &str) -> Result<HazardEntry, E> {
                Ok(HazardEntry::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<HazardEntry, A::Error> {
                LimitEntry::deserialize(MapAccessDeserializer::new(map)).map(HazardEntry::Limit)
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Push {
    /// Who runs the statements: drizzle-kit, or drizzle-pilot in one transaction of PostgreSQL, all or nothing.
    #[schemars(with = "ApplyEntry")]
    apply: Option<Spanned<ApplyEntry>>,
}

/// What a reset does beside emptying the database. Command lines are run without a shell.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ResetEntry {
    /// What builds the schema again, unless --then says otherwise.
    #[schemars(with = "ThenEntry")]
    then: Option<Spanned<ThenEntry>>,
    /// Command lines to run before the database is emptied, as in "pnpm tsc".
    #[schemars(with = "Vec<String>")]
    before: Option<Vec<Spanned<String>>>,
    /// Command lines to run once the schema is built, as in "pnpm db:seed".
    #[schemars(with = "Vec<String>")]
    after: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ThenEntry {
    Push,
    Migrate,
    None,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ApplyEntry {
    Kit,
    Transaction,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Migrate {
    /// Migrations that were never applied and that drizzle will never run, because something newer was applied before.
    #[schemars(with = "AnomalyEntry")]
    skipped: Option<Spanned<AnomalyEntry>>,
    /// Migrations whose file is not what was applied.
    #[schemars(with = "AnomalyEntry")]
    edited: Option<Spanned<AnomalyEntry>>,
    /// Migrations that were applied and that drizzle would run once more.
    #[schemars(with = "AnomalyEntry")]
    repeated: Option<Spanned<AnomalyEntry>>,
    /// What is done about statements of migrations that a push would be refused for. They are judged by the same hazards and
    /// the same rules, by the rows of the database.
    #[schemars(with = "GateEntry")]
    gate: Option<Spanned<GateEntry>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum GateEntry {
    Off,
    Warn,
    Refuse,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum AnomalyEntry {
    Refuse,
    Approve,
}

impl Migrate {
    fn of(&self, anomaly: Anomaly) -> Option<&Spanned<AnomalyEntry>> {
        match anomaly {
            Anomaly::Skipped => self.skipped.as_ref(),
            Anomaly::Edited => self.edited.as_ref(),
            Anomaly::Repeated => self.repeated.as_ref(),
        }
    }
}

/// The answer to a question that this version does not know.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PromptEntry {
    /// A regular expression that must match the question.
    #[schemars(with = "String")]
    question: Spanned<String>,
    /// A regular expression that must match exactly one choice.
    #[serde(default)]
    #[schemars(with = "String")]
    choose: Option<Spanned<String>>,
    /// `true` stops the run at this question.
    #[serde(default)]
    #[schemars(with = "bool")]
    decline: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Guard {
    /// The hosts that `reset` may touch; a unix socket by its folder. `*` stands for all.
    #[schemars(with = "Vec<String>")]
    hosts: Option<Vec<Spanned<String>>>,
    /// `NAME=value`: no command that changes a database runs where such a variable is set, but for those that the profile
    /// which applies names under `commands`.
    #[schemars(with = "Vec<String>")]
    refuse_env: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct When {
    /// `NAME=value`: variables of the environment.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    env: Vec<Spanned<String>>,
    /// Hosts of the target database. Globs may be used.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    hosts: Vec<Spanned<String>>,
}

fn version_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "const": 1 })
}

fn commands_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": COMMANDS } })
}

fn using_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "object", "additionalProperties": { "type": "string", "pattern": "\\S" } })
}

fn hazards_schema(generator: &mut SchemaGenerator) -> Schema {
    let limit = generator.subschema_for::<LimitEntry>();
    let mut properties = serde_json::Map::new();
    for key in hazard_keys() {
        let description = match key {
            HazardKey::Class(class) => format!("Stands for all of: {}.", listed(class.kinds().map(Hazard::name))),
            HazardKey::Kind(hazard) => format!("{}.", capitalised(hazard.meaning())),
        };
        let words = json_schema!({ "enum": words(key) });
        let value = match key {
            HazardKey::Kind(Hazard::Unclassified) => vec![words],
            _ => vec![words, limit.clone()],
        };
        properties
            .insert(key.name().to_owned(), json_schema!({ "description": description, "anyOf": value }).to_value());
    }
    json_schema!({ "type": "object", "properties": properties, "additionalProperties": false })
}

fn listed(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

fn capitalised(sentence: &str) -> String {
    let (first, rest) = sentence.split_at(1);
    first.to_uppercase() + rest
}

/// Returns the table of hazards for `docs/policy.md`.
pub fn hazards_markdown() -> String {
    let mut table = String::from("| class | kind | what happens | default | limits |\n|---|---|---|---|---|\n");
    for hazard in Hazard::all() {
        let (default, _) = Policy::built_in().hazard(hazard);
        let default = match default {
            HazardRule::Refuse => "refuse",
            HazardRule::Approve => "approve, with a warning",
            HazardRule::KeepRows => "keep_rows, with a warning",
            HazardRule::Limit { .. } | HazardRule::Truncate | HazardRule::Skip => "",
        };
        let key = HazardKey::Kind(hazard);
        let only = match (hazard.object(), key.shape()) {
            (Object::Nothing, _) => "",
            (Object::Any, _) => "`only` (whole names)",
            (_, Shape::Global) => "`only` (`name`)",
            (_, Shape::InSchema) => "`only` (`schema.name`)",
            (_, Shape::InTable | Shape::Policy | Shape::Whole) => "`only` (`schema.table.name`)",
        };
        let max_rows = if counts_rows(key) { ", `max_rows`" } else { "" };
        let class = hazard.class();
        table += &format!("| `{class}` | `{hazard}` | {} | {default} | {only}{max_rows} |\n", hazard.meaning());
    }
    table
}

/// Returns every key of `[hazards]`. A class with one kind has no key of its own.
pub(super) fn hazard_keys() -> impl Iterator<Item = HazardKey> {
    let classes = Class::ALL.into_iter().filter(|class| *class != Class::Unknown).map(HazardKey::Class);
    classes.chain(Hazard::all().map(HazardKey::Kind))
}

/// Returns the words that may stand for the rule of a hazard.
fn words(key: HazardKey) -> &'static [&'static str] {
    match key {
        HazardKey::Kind(Hazard::AddUnique) => &["keep_rows", "truncate", "refuse", "approve"],
        HazardKey::Kind(Hazard::Truncate) => &["refuse", "approve", "skip"],
        HazardKey::Kind(_) | HazardKey::Class(_) => &["refuse", "approve"],
    }
}

/// Tells whether a number of rows can be known for a hazard.
fn counts_rows(key: HazardKey) -> bool {
    let class = match key {
        HazardKey::Class(class) => class,
        HazardKey::Kind(hazard) => hazard.class(),
    };
    let has_rows = match key {
        HazardKey::Class(_) => true,
        HazardKey::Kind(hazard) => matches!(hazard.object(), Object::Table | Object::Column | Object::View),
    };
    match class {
        Class::DataLoss | Class::MayFail | Class::Blocking => has_rows,
        Class::Access | Class::Unknown | Class::Breaking => false,
    }
}

/// Turns the file into policies and collects what is wrong with it.
pub(super) struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

/// The sections that the file and each of its profiles may have.
struct Sections<'a> {
    renames: &'a Renames,
    create: &'a Creates,
    hazards: &'a Hazards,
    push: &'a Push,
    migrate: &'a Migrate,
    using: &'a Names,
    prompts: Option<&'a [Spanned<PromptEntry>]>,
    guard: &'a Guard,
    reset: &'a ResetEntry,
    check: &'a CheckEntry,
}

impl Reader<'_> {
    fn policies(&mut self, file: &File) -> Option<Policies> {
        if let Some(version) = file.version.as_ref().filter(|version| *version.get_ref() != 1) {
            self.problem(version.span(), "the version must be 1")
                .hint("a newer drizzle-pilot may have written this file");
            return None;
        }
        let source = Source::File { path: self.path.to_owned(), text: self.text.to_owned() };
        let mut base = Policy { source, ..Policy::built_in() };
        let sections = Sections {
            renames: &file.renames,
            create: &file.create,
            hazards: &file.hazards,
            push: &file.push,
            migrate: &file.migrate,
            using: &file.using,
            prompts: file.prompts.as_deref(),
            guard: &file.guard,
            reset: &file.reset,
            check: &file.check,
        };
        self.lay(&mut base, None, &sections);
        let mut profiles = BTreeMap::new();
        for (name, entry) in &file.profiles {
            profiles.insert(name.get_ref().clone(), self.profile(&base, name.get_ref(), entry));
        }
        let digest = Sha256::digest(self.text).iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Policies { digest: Some(digest), base, profiles })
    }

    fn profile(&mut self, base: &Policy, name: &str, entry: &ProfileEntry) -> Profile {
        let layer = Some(name.to_owned());
        let mut policy = Policy { profile: layer.clone(), ..base.clone() };
        let sections = Sections {
            renames: &entry.renames,
            create: &entry.create,
            hazards: &entry.hazards,
            push: &entry.push,
            migrate: &entry.migrate,
            using: &entry.using,
            prompts: entry.prompts.as_deref(),
            guard: &entry.guard,
            reset: &entry.reset,
            check: &entry.check,
        };
        self.lay(&mut policy, layer.clone(), &sections);
        if let Some(commands) = &entry.commands {
            for command in commands.get_ref() {
                self.known_command(command);
            }
            policy.commands = Some(Ruled {
                value: commands.get_ref().iter().map(|command| command.get_ref().clone()).collect(),
                rule: self.rule(&layer, "commands", commands.span()),
            });
        }
        if let Some(accept) = &entry.accept_data_loss {
            let rule = self.rule(&layer, "accept_data_loss", accept.span());
            policy.accept_data_loss = Some(Ruled { value: *accept.get_ref(), rule });
        }
        let (mut env, mut hosts) = (Vec::new(), Vec::new());
        if let Some(when) = &entry.when {
            env.extend(when.get_ref().env.iter().filter_map(|variable| self.variable(variable)));
            hosts.extend(when.get_ref().hosts.iter().filter_map(|host| self.host(host)));
            if when.get_ref().env.is_empty() && when.get_ref().hosts.is_empty() {
                self.problem(when.span(), "`when` names no condition")
                    .hint("write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or leave `when` out");
            }
        }
        Profile { policy, env, hosts }
    }

    /// Lays the sections of the file or of a profile over a policy, key by key.
    fn lay(&mut self, policy: &mut Policy, layer: Layer, sections: &Sections<'_>) {
        if let Some(otherwise) = &sections.renames.otherwise {
            let value = match otherwise.get_ref() {
                OtherwiseEntry::Refuse => Otherwise::Refuse,
                OtherwiseEntry::Create => Otherwise::Create,
            };
            policy.otherwise = Ruled { value, rule: self.rule(&layer, "renames.otherwise", otherwise.span()) };
        }
        for section in Section::ALL {
            let renames = self.renames(section, &layer, sections.renames.of(section));
            policy.renames.retain(|old| old.section != section || renames.iter().all(|new| new.old != old.old));
            policy.renames.extend(renames);
            if let Some(patterns) = sections.create.of(section) {
                let create = self.create(section, &layer, patterns);
                policy.create.insert(section, create);
            }
        }
        self.contradictions(policy, &layer);
        for (key, entry) in sections.hazards {
            if let Some((key, line)) = self.hazard(&layer, key, entry) {
                policy.hazards.insert(key, line);
            }
        }
        if let Some(apply) = &sections.push.apply {
            let value = match apply.get_ref() {
                ApplyEntry::Kit => Apply::Kit,
                ApplyEntry::Transaction => Apply::Transaction,
            };
            let rule = self.rule(&layer, "push.apply", apply.span());
            policy.apply = ApplyLine { value, layer: layer.clone(), rule };
        }
        for anomaly in Anomaly::ALL {
            let Some(entry) = sections.migrate.of(anomaly) else { continue };
            let rule = self.rule(&layer, &format!("migrate.{}", anomaly.key()), entry.span());
            let value = matches!(entry.get_ref(), AnomalyEntry::Approve);
            policy.migrate.insert(anomaly, Ruled { value, rule });
        }
        if let Some(gate) = &sections.migrate.gate {
            let value = match gate.get_ref() {
                GateEntry::Off => MigrateGate::Off,
                GateEntry::Warn => MigrateGate::Warn,
                GateEntry::Refuse => MigrateGate::Refuse,
            };
            policy.migrate_gate = Ruled { value, rule: self.rule(&layer, "migrate.gate", gate.span()) };
        }
        let using = self.using(&layer, sections.using);
        self.without_transaction(sections, &using);
        policy.using.extend(using);
        if let Some(prompts) = sections.prompts {
            let rules = prompts.iter().enumerate();
            let rules = rules.filter_map(|(prompt_idx, prompt)| self.prompt(&layer, prompt_idx, prompt)).collect();
            policy.prompts = Prompts { rules, layer: layer.clone() };
        }
        check::lay(self, &mut policy.check, sections.check);
        if let Some(hosts) = &sections.guard.hosts {
            policy.hosts = hosts.iter().filter_map(|host| self.host(host)).collect();
        }
        if let Some(refuse_env) = &sections.guard.refuse_env {
            let ruled = refuse_env.iter().filter_map(|variable| {
                let rule = self.rule(&layer, "guard.refuse_env", variable.span());
                self.variable(variable).map(|value| Ruled { value, rule })
            });
            policy.refuse_env = Some(RefuseEnv { lines: ruled.collect(), layer: layer.clone() });
        }
        if let Some(then) = &sections.reset.then {
            policy.reset.then = Some(match then.get_ref() {
                ThenEntry::Push => Then::Push,
                ThenEntry::Migrate => Then::Migrate,
                ThenEntry::None => Then::Nothing,
            });
        }
        if let Some(lines) = &sections.reset.before {
            policy.reset.before = lines.iter().filter_map(|line| self.command_line(line)).collect();
        }
        if let Some(lines) = &sections.reset.after {
            policy.reset.after = lines.iter().filter_map(|line| self.command_line(line)).collect();
        }
    }

    fn command_line(&mut self, line: &Spanned<String>) -> Option<CommandLine> {
        match shell_words::split(line.get_ref()).ok().filter(|words| !words.is_empty()) {
            Some(words) => Some(CommandLine { text: line.get_ref().clone(), words }),
            None => {
                self.problem(line.span(), "this is no command line")
                    .hint("write a program and its arguments, as in \"pnpm db:seed\"; no shell reads it");
                None
            }
        }
    }

    fn renames(&mut self, section: Section, layer: &Layer, names: &Names) -> Vec<Rename> {
        let mut renames: Vec<Rename> = Vec::new();
        for (key, value) in names {
            let old = match section.shape().parse(key.get_ref()) {
                Ok(old) => old,
                Err(message) => {
                    self.problem(key.span(), message);
                    continue;
                }
            };
            let new = match beside(section, &old, value.get_ref()) {
                Ok(new) => new,
                Err(message) => {
                    self.problem(value.span(), message);
                    continue;
                }
            };
            if old == new {
                self.problem(value.span(), format!("the {} keeps its name `{new}`", section.singular()));
            }
            let path = format!("renames.{}.{}", section.key(), toml_key(key.get_ref()));
            let rename = Rename {
                section,
                old,
                new,
                key: key.get_ref().clone(),
                layer: layer.clone(),
                rule: self.rule(layer, &path, key.span()),
                span: key.span(),
            };
            if let Some(twin) = renames.iter().find(|twin| twin.old == rename.old) {
                let (first, second) = in_order(twin.span.clone(), rename.span.clone());
                self.problem(second, format!("the {} `{}` is renamed twice", section.singular(), rename.old))
                    .also(first, "here too");
            }
            renames.push(rename);
        }
        renames
    }

    fn create(&mut self, section: Section, layer: &Layer, patterns: &[Spanned<String>]) -> Create {
        let ruled = patterns.iter().filter_map(|pattern| {
            let rule = self.rule(layer, &format!("create.{}", section.key()), pattern.span());
            self.pattern(pattern, section.shape()).map(|value| Ruled { value, rule })
        });
        Create { patterns: ruled.collect(), layer: layer.clone() }
    }

    /// Reports the rename rules of this layer that contradict another rule of the merged policy.
    fn contradictions(&mut self, policy: &Policy, layer: &Layer) {
        for (rename_idx, rename) in policy.renames.iter().enumerate() {
            let section = rename.section;
            let twins = policy.renames[..rename_idx].iter().filter(|twin| twin.section == section);
            for twin in twins.filter(|twin| twin.layer == *layer || rename.layer == *layer) {
                if twin.new == rename.new {
                    let message = format!("two {} are renamed to `{}`", section.key().replace('_', " "), rename.new);
                    let (first, second) = in_order(twin.span.clone(), rename.span.clone());
                    self.problem(second, message).also(first, "here too");
                }
            }
            let Some(create) = policy.create.get(&section) else { continue };
            if create.layer == *layer || rename.layer == *layer {
                let exact = create.patterns.iter().find(|pattern| pattern.value.exact().as_ref() == Some(&rename.new));
                if let Some(exact) = exact {
                    let message = format!(
                        "the {} `{}` cannot be renamed from `{}` and be new ({})",
                        section.singular(),
                        rename.new,
                        rename.old,
                        exact.rule
                    );
                    self.problem(rename.span.clone(), message).hint("keep one of the two rules");
                }
            }
        }
    }

    fn using(&mut self, layer: &Layer, names: &Names) -> BTreeMap<ObjectName, Using> {
        let mut all: BTreeMap<ObjectName, Using> = BTreeMap::new();
        for (key, value) in names {
            let column = match Section::Columns.shape().parse(key.get_ref()) {
                Ok(column) => column,
                Err(message) => {
                    self.problem(key.span(), message);
                    continue;
                }
            };
            let expression = value.get_ref().trim();
            if expression.is_empty() {
                self.problem(value.span(), format!("the expression for `{column}` is empty"))
                    .hint("write what would follow USING, as in \"blob::bytea\"");
            } else if !rewrite::is_expression(expression) {
                self.problem(value.span(), format!("`{expression}` is not one SQL expression"))
                    .hint("write what would follow USING, without `;` and comments around it, as in \"blob::bytea\"");
            }
            let rule = self.rule(layer, &format!("using.{}", toml_key(key.get_ref())), key.span());
            let using = Using { expression: expression.to_owned(), layer: layer.clone(), rule, span: key.span() };
            if let Some(twin) = all.get(&column) {
                let (first, second) = in_order(twin.span.clone(), using.span.clone());
                self.problem(second, format!("the column `{column}` has two expressions")).also(first, "here too");
            }
            all.insert(column, using);
        }
        all
    }

    /// Reports what needs the transaction and stands beside a line that rules it out. What stands elsewhere may be meant
    /// for another profile, or for a run that overrides that line.
    fn without_transaction(&mut self, sections: &Sections<'_>, using: &BTreeMap<ObjectName, Using>) {
        let apply = sections.push.apply.as_ref().filter(|apply| matches!(apply.get_ref(), ApplyEntry::Kit));
        let Some(apply) = apply else { return };
        let truncate = sections.hazards.iter().find(|(key, _)| key.get_ref() == Hazard::Truncate.name());
        let skip = truncate.filter(|(_, entry)| matches!(entry.get_ref(), HazardEntry::Word(word) if word == "skip"));
        let skip = skip.map(|(_, entry)| (entry.span(), "drizzle-kit leaves out no truncate"));
        let using = using.values().map(|using| (using.span.clone(), "drizzle-kit uses no expression of the policy"));
        for (span, message) in skip.into_iter().chain(using) {
            let problem = self.problem(span, message);
            problem.hint("write apply = \"transaction\", or leave out one of the two");
            problem.also(apply.span(), "drizzle-kit runs the statements");
        }
    }

    fn hazard(
        &mut self,
        layer: &Layer,
        key: &Spanned<String>,
        entry: &Spanned<HazardEntry>,
    ) -> Option<(HazardKey, HazardLine)> {
        let Some(known) = hazard_keys().find(|known| known.name() == key.get_ref()) else {
            let problem = self.problem(key.span(), format!("there is no hazard `{}`", key.get_ref()));
            if key.get_ref() == Class::Unknown.name() {
                problem.hint("the one kind of this class is `unclassified`");
            } else if let Some(closest) = closest(key.get_ref(), hazard_keys().map(HazardKey::name)) {
                problem.hint(format!("did you mean `{closest}`?"));
            }
            return None;
        };
        let value = match entry.get_ref() {
            HazardEntry::Word(word) => self.word(known, word, entry.span())?,
            HazardEntry::Limit(limit) => self.limit(known, limit, entry.span())?,
        };
        let rule = self.rule(layer, &format!("hazards.{}", known.name()), key.span());
        Some((known, HazardLine { value, layer: layer.clone(), rule }))
    }

    fn word(&mut self, key: HazardKey, word: &str, span: Range<usize>) -> Option<HazardRule> {
        let known = words(key);
        match word {
            "refuse" => return Some(HazardRule::Refuse),
            "approve" => return Some(HazardRule::Approve),
            "keep_rows" if known.contains(&word) => return Some(HazardRule::KeepRows),
            "truncate" if known.contains(&word) => return Some(HazardRule::Truncate),
            "skip" if known.contains(&word) => return Some(HazardRule::Skip),
            _ => {}
        }
        let problem = self.problem(span, format!("`{}` cannot be \"{word}\"", key.name()));
        match closest(word, known.iter().copied()) {
            Some(closest) => problem.hint(format!("did you mean \"{closest}\"?")),
            None if key == HazardKey::Kind(Hazard::Unclassified) => problem.hint("it can be \"refuse\" or \"approve\""),
            None => problem.hint(format!(
                "it can be {} or a table with `only` or `max_rows`",
                known.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
            )),
        }
        None
    }

    fn limit(&mut self, key: HazardKey, limit: &LimitEntry, span: Range<usize>) -> Option<HazardRule> {
        if key == HazardKey::Kind(Hazard::Unclassified) {
            self.problem(span, "what is unclassified has no name and no rows to limit")
                .hint("it can be \"refuse\" or \"approve\"");
            return None;
        }
        if limit.only.is_none() && limit.max_rows.is_none() {
            self.problem(span, format!("the limits of `{}` are empty", key.name()))
                .hint("write \"approve\" for no limit, or `only` or `max_rows`");
            return None;
        }
        let only = match &limit.only {
            None => None,
            Some(only) if only.get_ref().is_empty() => {
                self.problem(only.span(), "an empty `only` allows nothing").hint("write \"refuse\" to say so");
                return None;
            }
            Some(only) => {
                Some(only.get_ref().iter().filter_map(|pattern| self.pattern(pattern, key.shape())).collect())
            }
        };
        if let Some(max_rows) = limit.max_rows.as_ref().filter(|_| !counts_rows(key)) {
            self.problem(max_rows.span(), format!("`{}` loses no rows that could be counted", key.name()))
                .hint("name the objects under `only`");
        }
        Some(HazardRule::Limit { only, max_rows: limit.max_rows.as_ref().map(|max_rows| *max_rows.get_ref()) })
    }

    fn prompt(&mut self, layer: &Layer, prompt_idx: usize, prompt: &Spanned<PromptEntry>) -> Option<PromptRule> {
        let rule = self.rule(layer, &format!("prompts[{prompt_idx}]"), prompt.span());
        let entry = prompt.get_ref();
        let question = self.regex(&entry.question);
        let answer = match (&entry.choose, &entry.decline) {
            (Some(choose), None) => self.regex(choose).map(PromptAnswer::Choose),
            (None, Some(decline)) if *decline.get_ref() => Some(PromptAnswer::Decline),
            (None, _) | (Some(_), Some(_)) => {
                self.problem(
                    entry.question.span(),
                    "a rule for a question needs `choose` or `decline = true`, one of the two",
                );
                None
            }
        };
        Some(PromptRule { question: question?, answer: answer?, rule })
    }

    fn known_command(&mut self, command: &Spanned<String>) {
        if COMMANDS.contains(&command.get_ref().as_str()) {
            return;
        }
        let problem = self.problem(command.span(), format!("there is no command `{}` to allow", command.get_ref()));
        match closest(command.get_ref(), COMMANDS) {
            Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
            None => problem.hint(format!("the commands are {}", quoted(&COMMANDS))),
        }
    }

    pub(super) fn pattern(&mut self, text: &Spanned<String>, shape: Shape) -> Option<Pattern> {
        match Pattern::parse(text.get_ref(), shape) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                self.problem(text.span(), message);
                None
            }
        }
    }

    fn regex(&mut self, text: &Spanned<String>) -> Option<Regex> {
        match Regex::new(text.get_ref()) {
            Ok(regex) => Some(regex),
            Err(error) => {
                // The last line says what is wrong; those above draw the expression again.
                let message = error.to_string();
                let reason = message.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.problem(text.span(), format!("this is not a regular expression: {reason}"));
                None
            }
        }
    }

    fn host(&mut self, text: &Spanned<String>) -> Option<HostPattern> {
        if text.get_ref().trim().is_empty() {
            self.problem(text.span(), "a host cannot be empty").hint("write \"*\" for all hosts");
            return None;
        }
        match HostPattern::parse(text.get_ref()) {
            Ok(pattern) => Some(pattern),
            Err(error) => {
                self.problem(text.span(), format!("`{}` is not a glob: {error}", text.get_ref()));
                None
            }
        }
    }

    fn variable(&mut self, text: &Spanned<String>) -> Option<Variable> {
        match text.get_ref().split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                let (name, value) = (name.trim().to_owned(), value.trim().to_owned());
                if name.contains(char::is_whitespace) {
                    self.problem(text.span(), format!("`{name}` is not the name of a variable"));
                }
                Some(Variable { name, value })
            }
            _ => {
                self.problem(text.span(), format!("`{}` does not say which value counts", text.get_ref()))
                    .hint("write it as \"NAME=value\"");
                None
            }
        }
    }

    fn rule(&self, layer: &Layer, path: &str, span: Range<usize>) -> RuleRef {
        let path = match layer {
            Some(profile) => format!("profiles.{}.{path}", toml_key(profile)),
            None => path.to_owned(),
        };
        let (line, _) = position(self.text, span.start);
        RuleRef { path, origin: Origin::File { file: self.path.to_owned(), line } }
    }

    /// Reports what the TOML parser or serde found.
    fn structural(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let message = error.message();
        // serde's sentence: unknown field `x`, expected one of `a`, `b`
        let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        match names.as_slice() {
            [DATE, ..] => {
                self.problem(span, "a date is not possible here");
            }
            [unknown, known @ ..] if message.starts_with("unknown field") => {
                let problem = self.problem(span, format!("there is no key `{unknown}` here"));
                match closest(unknown, known.iter().copied()) {
                    Some(closest) => problem.hint(format!("did you mean `{closest}`?")),
                    None => problem.hint(format!("the keys are {}", quoted(known))),
                }
            }
            [unknown, known @ ..] if message.starts_with("unknown variant") => {
                self.problem(span, format!("\"{unknown}\" is not possible here"))
                    .hint(format!("it can be {}", quoted(known)));
            }
            [missing] if message.starts_with("missing field") => {
                self.problem(span, format!("the key `{missing}` is missing"));
            }
            _ => {
                self.problem(span, in_plain_words(message));
            }
        }
    }

    /// Reports what is a list and must be a table. serde takes the elements of a list for the keys of a struct, in their order.
    fn lists_for_tables(&mut self, text: &str) {
        const TABLES: [&str; 8] = ["renames", "create", "push", "migrate", "guard", "reset", "check", "when"];
        let Ok(file) = DeTable::parse(text) else { return };
        let mut layers = vec![file.get_ref()];
        if let Some(profiles) = file.get_ref().get("profiles").and_then(|profiles| profiles.get_ref().as_table()) {
            for profile in profiles.values() {
                match profile.get_ref() {
                    DeValue::Table(profile) => layers.push(profile),
                    DeValue::Array(_) => self.no_table(profile.span()),
                    _ => {}
                }
            }
        }
        for layer in layers {
            for (key, value) in layer.iter() {
                match value.get_ref() {
                    DeValue::Array(_) if TABLES.contains(&key.get_ref().as_ref()) => self.no_table(value.span()),
                    DeValue::Array(prompts) if key.get_ref() == "prompts" => {
                        let lists = prompts.iter().filter(|prompt| matches!(prompt.get_ref(), DeValue::Array(_)));
                        lists.for_each(|list| self.no_table(list.span()));
                    }
                    _ => {}
                }
            }
        }
    }

    fn no_table(&mut self, span: Range<usize>) {
        self.problem(span, format!("this is a list, and must be {TABLE}"));
    }

    pub(super) fn problem(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        let (line, column) = position(self.text, span.start);
        self.problems.push(Problem { message: message.into(), line, column, hint: None, span, also: None });
        self.problems.last_mut().expect("a problem was just added")
    }
}

impl Problem {
    pub(super) fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    fn also(&mut self, span: Range<usize>, label: &'static str) {
        self.also = Some((span, label));
    }
}

const TABLE: &str = "a table: lines `key = value` below a heading, or between { and }";

/// Says what serde found of the wrong type, in the words of the file.
fn in_plain_words(message: &str) -> String {
    let types = ["invalid type: ", "invalid value: "].iter().find_map(|start| message.strip_prefix(start));
    let Some((found, expected)) = types.and_then(|types| types.split_once(", expected ")) else {
        return match message {
            // An enum takes a word alone.
            wanted if wanted.starts_with("wanted ") => "this must be one word between quotes".to_owned(),
            // What TOML's own parser says.
            other => other.trim_end_matches(", expected nothing").to_owned(),
        };
    };
    let expected = match expected {
        "u64" => "a whole number without quotes, not below 0",
        "i64" => "a whole number without quotes",
        "a string" => "a text between quotes",
        "a boolean" => "true or false, without quotes",
        "a sequence" => "a list, as in [\"a\", \"b\"]",
        "a map" => TABLE,
        name if name.starts_with("struct ") || name.ends_with(" spanned value") => TABLE,
        words => words,
    };
    let value = found.split('`').nth(1);
    let found = match (found, value) {
        ("map", _) => "a table".to_owned(),
        ("sequence", _) => "a list".to_owned(),
        (text, _) if text.contains(DATE) => "a date".to_owned(),
        (text, _) if text.starts_with("string ") => format!("the text {}", text.trim_start_matches("string ")),
        (_, Some(value)) => value.to_owned(),
        (other, None) => other.to_owned(),
    };
    format!("this is {found}, and must be {expected}")
}

/// What the TOML parser calls the one key of a date.
const DATE: &str = "$__toml_private_datetime";

/// Reads the name of an object that replaces another. A single part stays where the other is.
pub(super) fn beside(section: Section, other: &ObjectName, value: &str) -> Result<ObjectName, String> {
    let alone = Shape::Whole.parse(value)?;
    match (alone.parts(), other.parent()) {
        ([name], Some(parent)) => Ok(parent.child(name)),
        ([_], None) => Ok(alone),
        _ => section.shape().parse(value),
    }
}

fn in_order(a: Range<usize>, b: Range<usize>) -> (Range<usize>, Range<usize>) {
    if a.start <= b.start { (a, b) } else { (b, a) }
}

/// Returns the line and the column of a byte, both counted from 1.
pub(super) fn position(text: &str, byte: usize) -> (usize, usize) {
    let before = &text[..byte];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// Writes a key of TOML: bare where that is possible, else quoted, always on one line.
pub(super) fn toml_key(key: &str) -> String {
    let table = toml::Table::from_iter([(key.to_owned(), toml::Value::Boolean(true))]);
    let line = table.to_string();
    line.strip_suffix(" = true\n").expect("a table with one key is one line").to_owned()
}

/// Writes a string of TOML on one line. (As a value, toml itself would spread some over several.)
pub(super) fn toml_string(text: &str) -> String {
    let key = toml_key(text);
    if key.starts_with(['"', '\'']) { key } else { format!("\"{key}\"") }
}

fn rendered(path: &str, text: &str, problems: &[Problem]) -> String {
    let renderer = Renderer::plain().decor_style(DecorStyle::Ascii);
    let reports = problems.iter().map(|problem| {
        let mut snippet =
            Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(problem.span.clone()));
        if let Some((span, label)) = &problem.also {
            snippet = snippet.annotation(AnnotationKind::Context.span(span.clone()).label(*label));
        }
        let hint = problem.hint.as_ref().map(|hint| Level::HELP.with_name("hint").message(hint));
        renderer.render(&[Level::ERROR.primary_title(&problem.message).element(snippet).elements(hint)])
    });
    reports.collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;
    use crate::policy::model::SelectError;

    const CONTRACT: &str = include_str!("../../fixtures/policies/contract.toml");

    /// Compares the whole error of a policy with the lines below `version = 1`.
    fn check(lines: &str, expected: &str) {
        let text = format!("version = 1\n{lines}");
        match parse(Path::new("p.toml"), &text) {
            Ok(_) => panic!("this is no policy, and yet it is accepted:\n{text}"),
            Err(error) => assert_eq!(error.to_string(), expected, "{text}"),
        }
    }

    #[test]
    fn the_policy_of_the_contract_is_read() {
        let policies = parse(Path::new("p.toml"), CONTRACT).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(policies.profile_names().collect::<Vec<_>>(), ["ci", "production"]);
        assert_eq!(policies.digest().map(str::len), Some(64));
        let base = policies.select(None, &|_| None, None).expect("no condition holds");
        assert!(base.guarded_hosts().contains(&"localhost".to_owned()));
        let production = |name: &str| (name == "NODE_ENV").then(|| "production".to_owned());
        let (rule, variable) = base.bans_environment(&production).expect("production is refused");
        assert_eq!(format!("{rule}: {variable}"), "p.toml:28 guard.refuse_env: NODE_ENV=production");
        assert!(base.bans_environment(&|_| Some("development".to_owned())).is_none());
        assert!(base.bans_command("push").is_none() && base.bans_accepting_data_loss().is_none());
        assert!(base.wants_rows(Hazard::DropColumn) && !base.wants_rows(Hazard::DropTable));
        let production = policies.select(None, &production, None).expect("one condition holds");
        assert_eq!(
            production.bans_command("push").map(|ban| ban.rule.to_string()).as_deref(),
            Some("p.toml:34 profiles.production.commands")
        );
        assert!(production.bans_command("migrate").is_none());
        assert!(
            production.refuse_env.as_ref().is_some_and(|refuse| refuse.lines.is_empty())
                && production.guarded_hosts().contains(&"db".to_owned()),
            "keys merge one by one"
        );
    }

    #[test]
    fn what_is_misspelt_is_shown_with_what_was_probably_meant() {
        check(
            "[hazards]\ndrop_colum = \"refuse\"",
            "error: there is no hazard `drop_colum`
 --> p.toml:3:1
  |
3 | drop_colum = \"refuse\"
  | ^^^^^^^^^^
  |
  = hint: did you mean `drop_column`?",
        );
        check(
            "[hazards]\ndrop_table = \"aprove\"",
            "error: `drop_table` cannot be \"aprove\"
 --> p.toml:3:14
  |
3 | drop_table = \"aprove\"
  |              ^^^^^^^^
  |
  = hint: did you mean \"approve\"?",
        );
        check(
            "[rename.tables]",
            "error: there is no key `rename` here
 --> p.toml:2:2
  |
2 | [rename.tables]
  |  ^^^^^^
  |
  = hint: did you mean `renames`?",
        );
        check(
            "[renames.colums]",
            "error: there is no key `colums` here
 --> p.toml:2:10
  |
2 | [renames.colums]
  |          ^^^^^^
  |
  = hint: did you mean `columns`?",
        );
        check(
            "[profiles.ci]\nhosts = []",
            "error: there is no key `hosts` here
 --> p.toml:3:1
  |
3 | hosts = []
  | ^^^^^
  |
  = hint: the keys are `when`, `commands`, `accept_data_loss`, `renames`, `create`, `hazards`, `push`, `migrate`, `using`, `prompts`, `guard`, `reset`, `check`",
        );
        check(
            "[profiles.ci]\ncommands = [\"puhs\"]",
            "error: there is no command `puhs` to allow
 --> p.toml:3:13
  |
3 | commands = [\"puhs\"]
  |             ^^^^^^
  |
  = hint: did you mean `push`?",
        );
        check(
            "[push]\naply = \"kit\"",
            "error: there is no key `aply` here
 --> p.toml:3:1
  |
3 | aply = \"kit\"
  | ^^^^
  |
  = hint: did you mean `apply`?",
        );
        check(
            "push.apply = \"transactions\"",
            "error: \"transactions\" is not possible here
 --> p.toml:2:14
  |
2 | push.apply = \"transactions\"
  |              ^^^^^^^^^^^^^^
  |
  = hint: it can be `kit`, `transaction`",
        );
        check(
            "hazards.truncate = \"skipp\"",
            "error: `truncate` cannot be \"skipp\"
 --> p.toml:2:20
  |
2 | hazards.truncate = \"skipp\"
  |                    ^^^^^^^
  |
  = hint: did you mean \"skip\"?",
        );
        check(
            "renames.otherwise = \"approve\"",
            "error: \"approve\" is not possible here
 --> p.toml:2:21
  |
2 | renames.otherwise = \"approve\"
  |                     ^^^^^^^^^
  |
  = hint: it can be `refuse`, `create`",
        );
    }

    #[test]
    fn rules_that_contradict_each_other_are_both_shown() {
        check(
            "[renames.columns]\n\"users.a\" = \"b\"\n\n\"public.users.a\" = \"c\"",
            "error: the column `public.users.a` is renamed twice
 --> p.toml:5:1
  |
3 | \"users.a\" = \"b\"
  | --------- here too
4 |
5 | \"public.users.a\" = \"c\"
  | ^^^^^^^^^^^^^^^^",
        );
        check(
            "[renames.tables]\na = \"c\"\n[profiles.ci.renames.tables]\n\"public.b\" = \"c\"",
            "error: two tables are renamed to `public.c`
 --> p.toml:5:1
  |
3 | a = \"c\"
  | - here too
4 | [profiles.ci.renames.tables]
5 | \"public.b\" = \"c\"
  | ^^^^^^^^^^",
        );
        check(
            "[create]\ntables = [\"x_*\", \"public.b\"]\n[renames.tables]\na = \"b\"",
            "error: the table `public.b` cannot be renamed from `public.a` and be new (p.toml:3 create.tables)
 --> p.toml:5:1
  |
5 | a = \"b\"
  | ^
  |
  = hint: keep one of the two rules",
        );
    }

    #[test]
    fn what_needs_the_transaction_contradicts_the_kit_beside_it() {
        check(
            "[using]\n\"files.blob\" = \"blob::bytea\"\n\n\"public.files.blob\" = \"decode(blob, 'hex')\"",
            "error: the column `public.files.blob` has two expressions
 --> p.toml:5:1
  |
3 | \"files.blob\" = \"blob::bytea\"
  | ------------ here too
4 |
5 | \"public.files.blob\" = \"decode(blob, 'hex')\"
  | ^^^^^^^^^^^^^^^^^^^",
        );
        check(
            "push.apply = \"kit\"\nhazards.truncate = \"skip\"",
            "error: drizzle-kit leaves out no truncate
 --> p.toml:3:20
  |
2 | push.apply = \"kit\"
  |              ----- drizzle-kit runs the statements
3 | hazards.truncate = \"skip\"
  |                    ^^^^^^
  |
  = hint: write apply = \"transaction\", or leave out one of the two",
        );
        check(
            "[profiles.ci]\nusing.\"files.blob\" = \"blob::bytea\"\npush.apply = \"kit\"",
            "error: drizzle-kit uses no expression of the policy
 --> p.toml:3:7
  |
3 | using.\"files.blob\" = \"blob::bytea\"
  |       ^^^^^^^^^^^^
4 | push.apply = \"kit\"
  |              ----- drizzle-kit runs the statements
  |
  = hint: write apply = \"transaction\", or leave out one of the two",
        );
    }

    #[test]
    fn how_a_push_is_applied_is_merged_key_by_key() {
        let text = "version = 1
[using]
\"files.blob\" = \" blob::bytea \"
'\"we.ird\".\"what?\".c' = \"lower(c)\"
[hazards]
truncate = \"skip\"
[profiles.ci]
push.apply = \"transaction\"
using.\"public.files.blob\" = \"decode(blob, 'hex')\"
[profiles.local]
push.apply = \"kit\"
hazards.truncate = \"refuse\"";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let told = |profile: Option<&str>| {
            let policy = match profile {
                None => policies.base.clone(),
                some => policies.select(some, &|_| None, None).expect("the profile exists"),
            };
            let (apply, rule) = policy.apply();
            let using = [["public", "files", "blob"], ["we.ird", "what?", "c"], ["s", "files", "blob"]];
            let using = using.map(|column| {
                let found = policy.using(&ObjectName::new(column));
                found.map_or_else(|| "none".to_owned(), |(expression, rule)| format!("{expression} ({rule})"))
            });
            let skips = policy.skips_truncate().map_or_else(|| "none".to_owned(), |rule| rule.to_string());
            format!("{} ({rule}); {}; {skips}", apply.name(), using.join("; "))
        };
        let weird = "lower(c) (p.toml:4 using.'\"we.ird\".\"what?\".c'); none";
        let blob = "blob::bytea (p.toml:3 using.\"files.blob\")";
        assert_eq!(
            [told(None), told(Some("ci")), told(Some("local"))],
            [
                format!("kit (built-in policy (push.apply)); {blob}; {weird}; p.toml:6 hazards.truncate"),
                format!(
                    "transaction (p.toml:8 profiles.ci.push.apply); decode(blob, 'hex') \
                     (p.toml:9 profiles.ci.using.\"public.files.blob\"); {weird}; p.toml:6 hazards.truncate"
                ),
                format!("kit (p.toml:11 profiles.local.push.apply); {blob}; {weird}; none"),
            ]
        );
        let (apply, rule) = Policy::built_in().apply();
        assert_eq!((apply, rule.to_string().as_str()), (Apply::Kit, "built-in policy (push.apply)"));
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let lines = "[hazards]
drop_table = \"keep_rows\"
drop_column = { only = [] }
truncate = {}
unclassified = { max_rows = 1 }
drop_type = { max_rows = 1 }
unknown = \"approve\"
change_type = { only = [\"public.users\", \"a.[b.c\"] }
[renames.tables]
\"a*\" = \"b\"
same = \"public.same\"
[guard]
hosts = [\"\", \"[\"]
refuse_env = [\"PRODUCTION\"]
[[prompts]]
question = '('
decline = true
[[prompts]]
question = 'x'
[profiles.p]
when = {}
[using]
\"a.b\" = \" \"
\"a.c\" = \"c::\"
\"a.d\" = \"d, DROP COLUMN e\"
\"a.e\" = \"e::text; DROP TABLE a\"
\"a.f\" = \"f -- as it is\"
\"public.a\" = \"a\"
\"a.*\" = \"a\"
[profiles.p.hazards]
drop_table = \"skip\"
data_loss = \"skip\"";
        let Err(PolicyError::Invalid { problems, .. }) = parse(Path::new("p.toml"), &format!("version = 1\n{lines}"))
        else {
            panic!("this is no policy");
        };
        let told: Vec<String> = problems
            .iter()
            .map(|Problem { message, line, column, hint, .. }| {
                let hint = hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
                format!("{line}:{column} {message}{hint}")
            })
            .collect();
        let expected = "\
3:14 `drop_table` cannot be \"keep_rows\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)
4:24 an empty `only` allows nothing (write \"refuse\" to say so)
5:12 the limits of `truncate` are empty (write \"approve\" for no limit, or `only` or `max_rows`)
6:16 what is unclassified has no name and no rows to limit (it can be \"refuse\" or \"approve\")
7:26 `drop_type` loses no rows that could be counted (name the objects under `only`)
8:1 there is no hazard `unknown` (the one kind of this class is `unclassified`)
9:25 `public.users` would be `users` of a table called public; write the table too, as in `public.users.*`
9:41 `[b` is not a glob: unclosed character class; missing ']'
11:1 `a*` is a pattern where one name is needed; if the name has such characters, write \"a*\"
12:8 the table keeps its name `public.same`
14:10 a host cannot be empty (write \"*\" for all hosts)
14:14 `[` is not a glob: unclosed character class; missing ']'
15:15 `PRODUCTION` does not say which value counts (write it as \"NAME=value\")
17:12 this is not a regular expression: unclosed group
20:12 a rule for a question needs `choose` or `decline = true`, one of the two
22:8 `when` names no condition (write `env = [\"NAME=value\"]` or `hosts = [\"db.example.com\"]`, or leave `when` out)
24:9 the expression for `public.a.b` is empty (write what would follow USING, as in \"blob::bytea\")
25:9 `c::` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
26:9 `d, DROP COLUMN e` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
27:9 `e::text; DROP TABLE a` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
28:9 `f -- as it is` is not one SQL expression (write what would follow USING, without `;` and comments around it, as in \"blob::bytea\")
29:1 `public.a` would be `a` of a table called public; write the table too, as in `public.a.*`
30:1 `a.*` is a pattern where one name is needed; if the name has such characters, write \"*\"
32:14 `drop_table` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)
33:13 `data_loss` cannot be \"skip\" (it can be \"refuse\", \"approve\" or a table with `only` or `max_rows`)";
        assert_eq!(told.join("\n"), expected);
    }

    #[test]
    fn a_file_that_is_no_toml_or_of_another_version_says_so() {
        let cases = [
            (
                "version = 2",
                "error: the version must be 1\n --> p.toml:1:11\n  |\n1 | version = 2\n  |           ^\n  |\n  = hint: a newer drizzle-pilot may have written this file",
            ),
            (
                "version = ",
                "error: string values must be quoted, expected literal string\n --> p.toml:1:11\n  |\n1 | version = \n  |           ^",
            ),
            ("version = 1\nversion = 1", "error: duplicate key\n --> p.toml:2:1\n  |\n2 | version = 1\n  | ^^^^^^^"),
            (
                "version = 1\nhazards.drop_table = [1]",
                "error: this is a list, and must be \"refuse\", \"approve\" or a table with `only` or `max_rows`\n --> p.toml:2:22\n  |\n2 | hazards.drop_table = [1]\n  |                      ^^^",
            ),
            (
                "version = 1\nhazards.drop_table = { max_rows = -1 }",
                "error: this is -1, and must be a whole number without quotes, not below 0\n --> p.toml:2:35\n  |\n2 | hazards.drop_table = { max_rows = -1 }\n  |                                   ^^",
            ),
            (
                "version = 1\n[[prompts]]\ndecline = true",
                "error: the key `question` is missing\n --> p.toml:2:1\n  |\n2 | [[prompts]]\n  | ^^^^^^^^^^^",
            ),
        ];
        for (text, expected) in cases {
            let error = parse(Path::new("p.toml"), text).expect_err("this is no policy");
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }

    #[test]
    fn a_profile_is_picked_by_name_or_by_the_one_condition_that_holds() {
        let text = "version = 1
            [profiles.ci]
            when.env = [\"CI=true\", \"CI=1\"]
            [profiles.production]
            when = { env = [\"NODE_ENV=production\"], hosts = [\"*.prod.example.com\"] }
            [profiles.named]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        assert!(policies.needs_host());
        let picked = |explicit: Option<&str>, env: &[(&str, &str)], host: Option<&str>| {
            let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            match policies.select(explicit, &env, host) {
                Ok(policy) => policy.profile().unwrap_or("none").to_owned(),
                Err(error) => format!("{error}: {}", error.hint()),
            }
        };
        let ci = ("CI", "true");
        let production = ("NODE_ENV", "production");
        let cases = [
            (None, &[][..], None, "none"),
            (None, &[ci], None, "ci"),
            (None, &[("CI", "false")], None, "none"),
            (None, &[], Some("a.PROD.example.com"), "production"),
            (None, &[production], Some("localhost"), "production"),
            (Some("named"), &[ci, production], None, "named"),
            (
                None,
                &[ci, production],
                None,
                "the profiles `ci` (CI=true) and `production` (NODE_ENV=production) of p.toml apply at once: \
                 name one with --profile, or make their `when` exclude each other",
            ),
            (Some("prod"), &[], None, "p.toml has no profile `prod`: did you mean `production`?"),
            (Some("x"), &[], None, "p.toml has no profile `x`: its profiles are `ci`, `named`, `production`"),
        ];
        for (explicit, env, host, expected) in cases {
            assert_eq!(picked(explicit, env, host), expected, "--profile {explicit:?} under {env:?} on {host:?}");
        }
        let matching = policies.matching(&|name| (name == "CI").then(|| "1".to_owned()), None);
        assert_eq!(matching.len(), 1, "the caller can warn that another profile would apply");
        let built_in = Policies::built_in().select(Some("ci"), &|_| None, None).expect_err("there is no profile");
        assert!(matches!(&built_in, SelectError::Unknown { .. }));
        assert_eq!(built_in.hint(), "the file has no [profiles]");
    }

    #[test]
    fn naming_another_profile_is_no_way_around_what_one_bans_that_applies() {
        let text = "[guard]
            hosts = [\"localhost\"]
            refuse_env = [\"STAGE=live\"]
            [profiles.dev]
            guard = { hosts = [\"*\"], refuse_env = [] }
            [profiles.production]
            when = { env = [\"NODE_ENV=production\"], hosts = [\"*.prod\"] }
            commands = [\"migrate\"]
            accept_data_loss = false
            [profiles.live]
            when.env = [\"STAGE=live\"]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let check = |env: &[(&str, &str)], host: Option<&str>, banned: &[&str]| {
            let env = |name: &str| env.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
            let dev = policies.select(Some("dev"), &env, host).expect("the profile exists");
            assert_eq!(dev.profile(), Some("dev"));
            let by = dev.bans_command("push").map(|ban| (ban.profile.to_owned(), "push"));
            let loss = dev.bans_accepting_data_loss().map(|rule| (rule.path.clone(), "loss"));
            let by_variable = dev.bans_environment(&env).map(|(rule, _)| (rule.path.clone(), "environment"));
            let found: Vec<String> =
                [by, loss, by_variable].into_iter().flatten().map(|(by, what)| format!("{what}: {by}")).collect();
            assert_eq!(found, banned, "{host:?}");
            let others = if banned.is_empty() { Vec::new() } else { vec![vec!["localhost".to_owned()]] };
            assert_eq!(dev.guarded_hosts_of_others(), others, "a reset needs the host there as well");
        };
        let banned = ["push: production", "loss: profiles.production.accept_data_loss"];
        check(&[], None, &[]);
        check(&[("NODE_ENV", "PROD ")], None, &banned);
        check(&[], Some("db.prod"), &banned);
        check(&[("STAGE", "live")], None, &["environment: guard.refuse_env"]);
    }

    #[test]
    fn what_a_profile_names_runs_where_it_applies_and_a_reset_stays_refused() {
        let text = "guard.refuse_env = [\"NODE_ENV=production\"]
            [profiles.production]
            when.env = [\"NODE_ENV=production\"]
            commands = [\"migrate\", \"reset\"]
            [profiles.other]
            [profiles.own]
            commands = [\"migrate\"]
            guard.refuse_env = [\"NODE_ENV=production\"]";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let env = |name: &str| (name == "NODE_ENV").then(|| "production".to_owned());
        let check = |profile: Option<&str>, expected: Option<&str>| {
            let policy = policies.select(profile, &env, None).expect("the profile exists");
            assert_eq!(policy.bans_environment(&env).map(|(rule, _)| rule.path.as_str()), expected, "{profile:?}");
            assert!(!policy.bans_emptying(&env).is_empty());
        };
        check(None, None);
        check(Some("production"), None);
        check(Some("other"), Some("guard.refuse_env"));
        check(Some("own"), Some("profiles.own.guard.refuse_env"));
    }

    #[test]
    fn a_value_has_several_spellings_and_no_other() {
        let policies = |line: &str| {
            let text = format!("guard.refuse_env = [\"{line}\"]");
            parse(Path::new("p.toml"), &text).unwrap_or_else(|error| panic!("{error}"))
        };
        let is_refused = |line: &str, value: &str| {
            let env = |name: &str| (name == "X").then(|| value.to_owned());
            let policy = policies(line).select(None, &env, None).expect("there is no profile");
            policy.bans_environment(&env).is_some()
        };
        for line in ["X=production", "X=prod", " X = PRODUCTION "] {
            for value in ["production", "PRODUCTION", "Prod", "prd", " production\n"] {
                assert!(is_refused(line, value), "{line} {value:?}");
            }
            for value in ["", "preproduction", "production-eu", "1"] {
                assert!(!is_refused(line, value), "{line} {value:?}");
            }
        }
        for line in ["X=true", "X=1"] {
            for value in ["1", "TRUE", "yes", "on"] {
                assert!(is_refused(line, value), "{line} {value:?}");
            }
            assert!(!is_refused(line, "0") && !is_refused(line, "false") && !is_refused(line, ""));
        }
        assert!(is_refused("X=", "") && is_refused("X=", " ") && !is_refused("X=", "a"));
        check(
            "guard.refuse_env = [\"NODE ENV=production\"]",
            "error: `NODE ENV` is not the name of a variable
 --> p.toml:2:21
  |
2 | guard.refuse_env = [\"NODE ENV=production\"]
  |                     ^^^^^^^^^^^^^^^^^^^^^",
        );
    }

    #[test]
    fn a_profile_overrides_key_by_key_and_a_kind_wins_over_its_class() {
        let text = "version = 1
[hazards]
drop_table = \"approve\"
truncate = { max_rows = 5 }
[profiles.strict.hazards]
data_loss = \"refuse\"
truncate = \"refuse\"";
        let policies = parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        let strict = policies.select(Some("strict"), &|_| None, None).expect("the profile exists");
        let rules = [Hazard::DropTable, Hazard::Truncate, Hazard::DropColumn, Hazard::Grant];
        let rules = rules.map(|hazard| strict.hazard(hazard).1.to_string());
        assert_eq!(
            rules,
            [
                "p.toml:3 hazards.drop_table",
                "p.toml:7 profiles.strict.hazards.truncate",
                "p.toml:6 profiles.strict.hazards.data_loss",
                "built-in policy (hazards.grant)",
            ]
        );
    }

    #[test]
    fn a_rename_is_replaced_by_one_of_the_same_kind_alone() {
        // Each kind takes one of these two names; so kinds share them, in the file and between it and its profile.
        let lines = |new: &str| {
            let line = |section: Section| {
                let old = if section.shape().parse("auth").is_ok() { "auth" } else { "auth.users" };
                format!("renames.{}.\"{old}\" = \"{new}\"\n", section.key())
            };
            Section::ALL.map(line).concat()
        };
        let text = format!("version = 1\n{}[profiles.all]\n{}", lines("identity"), lines("people"));
        let policies = parse(Path::new("p.toml"), &text).unwrap_or_else(|error| panic!("{error}"));
        for (profile, new) in [(None, "identity"), (Some("all"), "people")] {
            let policy = policies.select(profile, &|_| None, None).expect("the profile exists");
            let renamed = |rule: &Rename| (rule.section, rule.new.last().to_owned());
            let renamed: Vec<(Section, String)> = policy.renames.iter().map(renamed).collect();
            assert_eq!(renamed, Section::ALL.map(|section| (section, new.to_owned())));
        }
    }

    #[test]
    fn the_file_is_searched_upward_to_the_root_of_the_repository() {
        let root = tempfile::tempdir().expect("a temporary directory can be made");
        let inner = root.path().join("repo/packages/größe db");
        fs::create_dir_all(&inner).expect("the directory is ours");
        fs::create_dir_all(root.path().join("repo/.git")).expect("the directory is ours");
        let write = |path: &str| fs::write(root.path().join(path), "version = 1").expect("the directory is ours");
        let shown = || load(None, &inner).unwrap_or_else(|error| panic!("{error}")).source().to_string();
        write(FILE_NAME);
        assert_eq!(shown(), "built-in policy", "the file above the repository is not ours");
        write("repo/drizzle-pilot.toml");
        assert_eq!(shown(), "../../drizzle-pilot.toml");
        write("repo/packages/größe db/drizzle-pilot.toml");
        assert_eq!(shown(), "drizzle-pilot.toml");
        let error = load(Some(Path::new("no.toml")), &inner).expect_err("the file is not there");
        assert_eq!(error.to_string(), "reading the policy file no.toml");
        assert!(std::error::Error::source(&error).is_some());
    }

    /// A project in a folder of a given mode, with nothing around it but what is written there.
    fn project_in(mode: u32) -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let above = tempfile::tempdir().expect("a temporary directory can be made");
        let project = above.path().join("app");
        fs::create_dir(&project).expect("the directory is ours");
        fs::set_permissions(above.path(), fs::Permissions::from_mode(mode)).expect("the directory is ours");
        (above, project)
    }

    /// Returns what is found from a project, or why nothing is.
    fn found(project: &Path, home: Option<&Path>) -> String {
        match upward(project, home) {
            Ok(Some((_, shown))) => shown.display().to_string(),
            Ok(None) => "none".to_owned(),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
                format!("{error}{cause}").replace(&project.display().to_string(), ".")
            }
        }
    }

    #[test]
    fn without_a_repository_nothing_is_taken_from_folders_that_others_may_write() {
        for (mode, expected) in [(0o755, "../drizzle-pilot.toml"), (0o1777, "none"), (0o757, "none")] {
            let (above, project) = project_in(mode);
            fs::write(above.path().join(FILE_NAME), "version = 1").expect("the directory is ours");
            assert_eq!(found(&project, None), expected, "{mode:o}");
            // It is the project's own, and so is all of a repository.
            assert_eq!(found(above.path(), None), "drizzle-pilot.toml", "{mode:o}");
            fs::create_dir(above.path().join(".git")).expect("the directory is ours");
            assert_eq!(found(&project, None), "../drizzle-pilot.toml", "{mode:o}");
        }
    }

    #[test]
    fn without_a_repository_the_search_ends_at_home() {
        let (above, project) = project_in(0o755);
        let inner = project.join("inner");
        fs::create_dir(&inner).expect("the directory is ours");
        fs::write(above.path().join(FILE_NAME), "version = 1").expect("the directory is ours");
        assert_eq!(found(&inner, Some(&project)), "none");
        assert_eq!(found(&inner, Some(above.path())), "../../drizzle-pilot.toml");
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        assert_eq!(found(&inner, Some(&project)), "../../drizzle-pilot.toml");
    }

    #[test]
    fn a_file_of_somebody_else_above_the_project_is_not_used() {
        let (above, project) = project_in(0o755);
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        let file = above.path().join(FILE_NAME);
        fs::write(&file, "version = 1").expect("the directory is ours");
        assert_eq!(found(&project, None), "../drizzle-pilot.toml");
        // Root alone can give files away.
        if std::os::unix::fs::chown(&file, Some(65534), None).is_ok() {
            let refused = "the policy file ../drizzle-pilot.toml is not used: it belongs to somebody else and lies above the project";
            assert_eq!(found(&project, None), refused);
            assert_eq!(found(above.path(), None), "drizzle-pilot.toml", "the project's own is its own affair");
            fs::rename(&file, above.path().join("theirs")).expect("the directory is ours");
            std::os::unix::fs::symlink("theirs", &file).expect("the directory is ours");
            assert_eq!(found(&project, None), refused, "a link of ours to a file of theirs");
            std::os::unix::fs::chown(&project, Some(65534), None).expect("we are root");
            assert_eq!(found(&project, None), "../drizzle-pilot.toml", "they own the project as well");
        }
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_not_taken_for_none() {
        let (above, project) = project_in(0o755);
        fs::create_dir(above.path().join(".git")).expect("the directory is ours");
        for folder in [&*project, above.path()] {
            let path = folder.join(FILE_NAME);
            let shown = path.strip_prefix(above.path()).map(|_| seen_from(&project, &path)).expect("it lies there");
            let said = || {
                let error = load(None, &project).expect_err("it cannot be read");
                let cause = std::error::Error::source(&error).expect("it has a reason");
                assert!(error.hint().is_some());
                format!("{error}: {cause}")
            };
            fs::create_dir(&path).expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is a folder", shown.display()));
            fs::remove_dir(&path).expect("it is empty");
            std::os::unix::fs::symlink("/nonexistent/policy.toml", &path).expect("the directory is ours");
            let dangling = "it is a link to /nonexistent/policy.toml, which does not exist";
            assert_eq!(said(), format!("reading the policy file {}: {dangling}", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
            std::os::unix::fs::symlink("/dev/zero", &path).expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is larger than 1 MiB", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
            fs::write(&path, b"version = 1 # \xff").expect("the directory is ours");
            assert_eq!(said(), format!("reading the policy file {}: it is not UTF-8 text", shown.display()));
            fs::remove_file(&path).expect("the directory is ours");
        }
    }

    #[test]
    fn a_value_of_the_wrong_type_is_told_in_the_words_of_the_file() {
        let keys = [
            "version",
            "renames",
            "renames.otherwise",
            "renames.tables",
            "renames.tables.a",
            "create",
            "create.tables",
            "hazards",
            "hazards.drop_table",
            "hazards.drop_table.only",
            "hazards.drop_table.max_rows",
            "push",
            "push.apply",
            "migrate",
            "migrate.skipped",
            "using",
            "using.a",
            "prompts",
            "guard",
            "guard.hosts",
            "guard.refuse_env",
            "reset",
            "reset.then",
            "reset.before",
            "check",
            "check.migrations",
            "check.fail_on",
            "check.rules",
            "check.rules.drop-column",
            "check.rules.drop-column.except",
            "profiles",
            "profiles.p",
            "profiles.p.when",
            "profiles.p.when.env",
            "profiles.p.commands",
            "profiles.p.accept_data_loss",
            "profiles.p.guard",
        ];
        let values = [
            "-1",
            "1.5",
            "true",
            "\"x\"",
            "[1]",
            "[[\"a\"]]",
            "{ a = 1 }",
            "2020-01-01",
            "inf",
            "99999999999999999999",
        ];
        for key in keys {
            for value in values {
                let Err(error) = parse(Path::new("p.toml"), &format!("{key} = {value}\n")) else { continue };
                let PolicyError::Invalid { problems, .. } = error else { panic!("{key} = {value}: {error}") };
                for Problem { message, .. } in problems {
                    let jargon =
                        ["u64", "i64", "i128", "struct", "sequence", "map", "variant", "floating", "spanned", "$_"];
                    let found = jargon.iter().find(|word| message.contains(**word));
                    assert_eq!(found, None, "{key} = {value}: {message}");
                }
            }
        }
        let said = |line: &str| match parse(Path::new("p.toml"), line) {
            Err(PolicyError::Invalid { problems, .. }) => problems.into_iter().map(|problem| problem.message).collect(),
            other => panic!("{line}: {other:?}"),
        };
        let check = |line: &str, expected: &str| {
            let said: Vec<String> = said(line);
            assert_eq!(said, [expected], "{line}");
        };
        let table = "a table: lines `key = value` below a heading, or between { and }";
        check(
            "hazards.drop_table.max_rows = \"10\"",
            "this is the text \"10\", and must be a whole number without quotes, not below 0",
        );
        check("hazards.drop_table.max_rows = -1", "this is -1, and must be a whole number without quotes, not below 0");
        check("version = \"1\"", "this is the text \"1\", and must be a whole number without quotes");
        check(
            "guard.hosts = \"localhost\"",
            "this is the text \"localhost\", and must be a list, as in [\"a\", \"b\"]",
        );
        check("guard.hosts = [1]", "this is 1, and must be a text between quotes");
        check(
            "profiles.p.accept_data_loss = \"no\"",
            "this is the text \"no\", and must be true or false, without quotes",
        );
        check("guard = true", &format!("this is true, and must be {table}"));
        check("guard = [[\"*\"]]", &format!("this is a list, and must be {table}"));
        check("prompts = [[\"a\", \"b\"]]", &format!("this is a list, and must be {table}"));
        check("push.apply = 1", "this must be one word between quotes");
        check("hazards.drop_table = 2020-01-01", "a date is not possible here");
        check("a = 1_", "`_` may only go between digits");
    }

    #[test]
    fn the_schema_agrees_with_what_is_accepted() {
        let schema = jsonschema::validator_for(schema().as_value()).expect("the schema is a schema");
        let is_valid = |text: &str| {
            let value: toml::Table = text.parse().expect("the text is TOML");
            schema.is_valid(&serde_json::to_value(value).expect("the value has no dates"))
        };
        for text in [
            CONTRACT,
            include_str!("../../fixtures/policies/dotted.toml"),
            include_str!("../../fixtures/policies/inline.toml"),
            include_str!("../../fixtures/policies/headers.toml"),
            include_str!("../../fixtures/policies/classes.toml"),
            include_str!("../../fixtures/policies/transaction.toml"),
        ] {
            parse(Path::new("p.toml"), text).unwrap_or_else(|error| panic!("{error}"));
            assert!(is_valid(text), "{text}");
        }
        let rejected = [
            "version = 2",
            "version = 1\nrename = {}",
            "version = 1\nhazards.drop_colum = \"refuse\"",
            "version = 1\nhazards.unknown = \"refuse\"",
            "version = 1\nhazards.drop_table = \"keep_rows\"",
            "version = 1\nhazards.drop_table = { only = [] }",
            "version = 1\nhazards.drop_table = { max_rows = -1 }",
            "version = 1\nhazards.unclassified = { max_rows = 1 }",
            "version = 1\nrenames.otherwise = \"approve\"",
            "version = 1\nrenames.tables.a = 1",
            "version = 1\nprofiles.p.commands = [\"puhs\"]",
            "version = 1\npush.apply = \"pg\"",
            "version = 1\npush.aply = \"kit\"",
            "version = 1\nhazards.drop_table = \"skip\"",
            "version = 1\nhazards.data_loss = \"skip\"",
            "version = 1\nhazards.truncate = \"keep_rows\"",
            "version = 1\nusing.\"a.b\" = \"\"",
            "version = 1\nusing.\"a.b\" = \" \"",
            "version = 1\nusing.\"a.b\" = 1",
        ];
        for text in rejected {
            assert!(parse(Path::new("p.toml"), text).is_err() && !is_valid(text), "{text}");
        }
    }

    #[test]
    fn the_documentation_has_the_table_of_hazards_and_examples_that_work() {
        let page = include_str!("../../docs/policy.md");
        let (_, rest) = page.split_once("<!-- hazards:begin -->\n").expect("the page has the marker");
        let (table, _) = rest.split_once("<!-- hazards:end -->").expect("the page has the marker");
        assert_eq!(table, hazards_markdown(), "put the right side between the markers of docs/policy.md");
        let examples = page.split("```toml\n").skip(1).filter_map(|rest| rest.split_once("```"));
        let mut n_examples = 0;
        for (example, _) in examples {
            let version = if example.contains("version = ") { "" } else { "version = 1\n" };
            parse(Path::new("docs/policy.md"), &format!("{version}{example}"))
                .unwrap_or_else(|error| panic!("{error}"));
            n_examples += 1;
        }
        assert!(n_examples > 5, "{n_examples} examples were found");
    }

    #[test]
    fn strings_stay_on_one_line() {
        let cases =
            [("a", "\"a\""), ("a.b", "\"a.b\""), ("a\"b", "'a\"b'"), ("a\nb", "\"a\\nb\""), ("a'\"", "\"a'\\\"\"")];
        for (text, expected) in cases {
            assert_eq!(toml_string(text), expected);
        }
        assert_eq!(toml_key("a"), "a");
    }

    #[test]
    fn a_damaged_file_is_reported_and_never_a_panic() {
        let n_reported = std::cell::Cell::new(0);
        let damage = (any::<prop::sample::Index>(), 0..40usize, r#"[\[\]{}="'.,\n\r#é🦀\\a-c0-2 -]{0,6}"#);
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
        let held = TestRunner::new(config).run(&damage, |(begin, n_removed, inserted)| {
            let letters: Vec<char> = CONTRACT.chars().collect();
            let begin = begin.index(letters.len());
            let end = (begin + n_removed).min(letters.len());
            let text: String = letters[..begin]
                .iter()
                .copied()
                .chain(inserted.chars())
                .chain(letters[end..].iter().copied())
                .collect();
            if let Err(error) = parse(Path::new("p.toml"), &text) {
                n_reported.set(n_reported.get() + 1);
                prop_assert!(error.to_string().starts_with("error: "), "{error}");
            }
            Ok(())
        });
        held.unwrap_or_else(|error| panic!("{error}"));
        assert!(n_reported.get() >= 50, "{} files were damaged", n_reported.get());
    }
}
