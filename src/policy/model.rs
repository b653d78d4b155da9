//! What a policy says once its file is read and its profile is merged. Pure; knows nothing of TOML.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use clap::ValueEnum;
use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::host::Pattern as HostPattern;
use crate::kit::prompt::Entity;
use crate::policy::check::Check;
use crate::policy::name::{ObjectName, Pattern, Shape};
use crate::sql::hazard::{Class, Hazard, Object};

/// The name that [`super::file::find`] looks for.
pub const FILE_NAME: &str = "drizzle-pilot.toml";

/// The commands that a profile may name under `commands`.
pub const COMMANDS: [&str; 9] = ["push", "plan", "generate", "migrate", "run", "reset", "status", "check", "sync"];

/// What says that this is production, where no file says what does.
const PRODUCTION: [(&str, &str); 8] = [
    ("NODE_ENV", "production"),
    ("VERCEL_ENV", "production"),
    ("APP_ENV", "production"),
    ("RAILWAY_ENVIRONMENT_NAME", "production"),
    ("CONTEXT", "production"), // Netlify
    ("ENVIRONMENT", "production"),
    ("ENV", "production"),
    ("STAGE", "production"),
];

/// What a reset does beside emptying the database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reset {
    /// None: the file does not say.
    pub then: Option<Then>,
    pub before: Vec<CommandLine>,
    pub after: Vec<CommandLine>,
}

/// What builds the schema again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Push,
    Migrate,
    Nothing,
}

/// A command line, as it was written and as it is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    pub text: String,
    /// At least one.
    pub words: Vec<String>,
}

/// A policy file: the policy without a profile, and one policy for each profile.
#[derive(Debug, Clone)]
pub struct Policies {
    pub(super) digest: Option<String>,
    pub(super) base: Policy,
    pub(super) profiles: BTreeMap<String, Profile>,
}

/// A profile: its policy, merged, and when it applies by itself.
#[derive(Debug, Clone)]
pub(super) struct Profile {
    pub(super) policy: Policy,
    pub(super) env: Vec<Variable>,
    pub(super) hosts: Vec<HostPattern>,
}

/// The policy that applies to one run.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(super) source: Source,
    pub(super) profile: Option<String>,
    pub(super) otherwise: Ruled<Otherwise>,
    pub(super) renames: Vec<Rename>,
    pub(super) create: BTreeMap<Section, Create>,
    pub(super) hazards: BTreeMap<HazardKey, HazardLine>,
    pub(super) apply: ApplyLine,
    pub(super) migrate: BTreeMap<Anomaly, Ruled<bool>>,
    pub(super) migrate_gate: Ruled<MigrateGate>,
    pub(super) using: BTreeMap<ObjectName, Using>,
    pub(super) prompts: Prompts,
    pub(super) hosts: Vec<HostPattern>,
    /// None: no line of the file speaks of it.
    pub(super) refuse_env: Option<RefuseEnv>,
    pub(super) reset: Reset,
    pub(super) commands: Option<Ruled<Vec<String>>>,
    pub(super) accept_data_loss: Option<Ruled<bool>>,
    pub(super) check: Check,
    /// The policies of other profiles that the environment or the host calls for. What they ban is banned.
    pub(super) called_for: Vec<Policy>,
}

/// Where a policy comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// No file was found.
    BuiltIn,
    /// A file, with the path by which it is named and its text.
    File { path: String, text: String },
}

/// The line that a value comes from. It is what a decision shows as its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleRef {
    /// The place in the file's tree, such as `hazards.drop_column`. Empty where the origin says it all.
    pub path: String,
    /// Who wrote the rule.
    pub origin: Origin,
}

/// Who wrote a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A line of a policy file, counted from 1.
    File { file: String, line: usize },
    /// What applies where no file says otherwise.
    BuiltIn,
    /// A flag of the command line.
    Flag(&'static str),
    /// Nothing else could be chosen.
    OnlyChoice,
}

/// A value with the rule that set it.
#[derive(Debug, Clone)]
pub struct Ruled<T> {
    pub value: T,
    pub rule: RuleRef,
}

/// What to take a new object for when no rule names it and something like it disappeared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Otherwise {
    /// Ask the user to write a rule.
    Refuse,
    /// Take it as new.
    Create,
}

/// Who executes the statements of a push that was approved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Apply {
    /// drizzle-kit, one by one
    Kit,
    /// drizzle-pilot, all in one transaction or none (PostgreSQL)
    Transaction,
}

/// What `migrate` does about statements that a push would be refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MigrateGate {
    /// Nothing: they are not looked at.
    Off,
    Warn,
    Refuse,
}

/// What is not as it should be between a migrations folder and the history of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// A migration that was never applied, and that drizzle will never run.
    Skipped,
    /// A migration whose file is not what was applied.
    Edited,
    /// A migration that was applied, and that drizzle would run once more.
    Repeated,
}

impl Anomaly {
    pub const ALL: [Anomaly; 3] = [Anomaly::Skipped, Anomaly::Edited, Anomaly::Repeated];

    /// Returns the key in `[migrate]`.
    pub fn key(self) -> &'static str {
        match self {
            Anomaly::Skipped => "skipped",
            Anomaly::Edited => "edited",
            Anomaly::Repeated => "repeated",
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct ApplyLine {
    pub(super) value: Apply,
    pub(super) layer: Layer,
    pub(super) rule: RuleRef,
}

/// "The values of this column are converted so."
#[derive(Debug, Clone)]
pub(super) struct Using {
    pub(super) expression: String,
    pub(super) layer: Layer,
    pub(super) rule: RuleRef,
    /// Where the key stands in the file.
    pub(super) span: Range<usize>,
}

/// A kind of object in `[renames]` and `[create]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    Schemas,
    Tables,
    Columns,
    Enums,
    Sequences,
    Views,
    Policies,
    Roles,
    Checks,
    Indexes,
    Uniques,
    PrimaryKeys,
    ForeignKeys,
    Defaults,
}

/// "The object `new` is what was `old`."
#[derive(Debug, Clone)]
pub(super) struct Rename {
    pub(super) section: Section,
    pub(super) old: ObjectName,
    pub(super) new: ObjectName,
    /// The old name as the file writes it.
    pub(super) key: String,
    pub(super) layer: Layer,
    pub(super) rule: RuleRef,
    /// Where the key stands in the file.
    pub(super) span: Range<usize>,
}

/// "Objects of these names are new."
#[derive(Debug, Clone)]
pub(super) struct Create {
    pub(super) patterns: Vec<Ruled<Pattern>>,
    pub(super) layer: Layer,
}

/// The part of the file that a rule stands in: a profile, or none for the part that all share.
pub(super) type Layer = Option<String>;

/// What a line of `[hazards]` speaks of. A kind's own line wins over that of its class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HazardKey {
    Class(Class),
    Kind(Hazard),
}

#[derive(Debug, Clone)]
pub(super) struct HazardLine {
    pub(super) value: HazardRule,
    pub(super) layer: Layer,
    pub(super) rule: RuleRef,
}

/// What the policy says of a hazard.
#[derive(Debug, Clone)]
pub enum HazardRule {
    Refuse,
    Approve,
    /// Approved for some objects, or up to a number of rows, or both.
    Limit {
        only: Option<Vec<Pattern>>,
        max_rows: Option<u64>,
    },
    /// Only for [`Hazard::AddUnique`]: drizzle-kit's question about truncating is answered "No".
    KeepRows,
    /// Only for [`Hazard::AddUnique`]: drizzle-kit's question about truncating is answered "Yes".
    Truncate,
    /// Only for [`Hazard::Truncate`]: what drizzle-kit puts before a type change is left out by whoever runs the
    /// statements. No truncate that is left to be judged is allowed by it.
    Skip,
}

/// The rules for questions that this version does not know.
#[derive(Debug, Clone, Default)]
pub(super) struct Prompts {
    pub(super) rules: Vec<PromptRule>,
    pub(super) layer: Layer,
}

#[derive(Debug, Clone)]
pub(super) struct PromptRule {
    pub(super) question: Regex,
    pub(super) answer: PromptAnswer,
    pub(super) rule: RuleRef,
}

#[derive(Debug, Clone)]
pub(super) enum PromptAnswer {
    /// The one choice that matches.
    Choose(Regex),
    Decline,
}

/// The variables under which no database is changed.
#[derive(Debug, Clone)]
pub(super) struct RefuseEnv {
    pub(super) lines: Vec<Ruled<Variable>>,
    pub(super) layer: Layer,
}

/// A profile that bans something, and its line.
#[derive(Debug, Clone, Copy)]
pub struct Ban<'a> {
    pub profile: &'a str,
    pub rule: &'a RuleRef,
}

/// A variable of the environment and the value that counts, in each of its usual spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    pub(super) name: String,
    pub(super) value: String,
}

/// Why no policy could be picked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// The profile that was asked for is not in the file.
    #[error("{source_name} has no profile `{name}`")]
    Unknown { name: String, source_name: String, known: Vec<String> },
    /// The conditions of several profiles hold.
    #[error("the profiles {} of {source_name} apply at once", listed(.matching))]
    Several { source_name: String, matching: Vec<Match> },
}

/// A profile whose condition holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// The name of the profile.
    pub profile: String,
    /// The condition, such as `NODE_ENV=production`.
    pub because: String,
}

impl Policies {
    /// Returns what applies where there is no file: it refuses every loss and knows no rename.
    pub fn built_in() -> Policies {
        Policies { digest: None, base: Policy::built_in(), profiles: BTreeMap::new() }
    }

    /// Returns where the policy comes from.
    pub fn source(&self) -> &Source {
        &self.base.source
    }

    /// Returns the SHA-256 of the file, in hexadecimal, if there is a file.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the names of the profiles.
    pub fn profile_names(&self) -> impl Iterator<Item = &str> {
        self.profiles.keys().map(String::as_str)
    }

    /// Tells whether the target's host has to be known before a profile can be picked.
    pub fn needs_host(&self) -> bool {
        self.profiles.values().any(|profile| !profile.hosts.is_empty())
    }

    /// Picks the policy: that of the profile named, else that of the one profile whose `when` holds, else the base. Naming
    /// another profile is no way around what one bans whose `when` holds.
    pub fn select(
        &self,
        explicit: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
        host: Option<&str>,
    ) -> Result<Policy, SelectError> {
        if let Some(name) = explicit {
            let profile = self.profiles.get(name).ok_or_else(|| SelectError::Unknown {
                name: name.to_owned(),
                source_name: self.source().to_string(),
                known: self.profiles.keys().cloned().collect(),
            })?;
            let others = self.matching(env, host).into_iter().filter(|found| found.profile != name);
            let called_for = others.map(|found| self.profiles[&found.profile].policy.clone()).collect();
            return Ok(Policy { called_for, ..profile.policy.clone() });
        }
        let matching = self.matching(env, host);
        match matching.as_slice() {
            [] => Ok(self.base.clone()),
            [only] => Ok(self.profiles[&only.profile].policy.clone()),
            _ => Err(SelectError::Several { source_name: self.source().to_string(), matching }),
        }
    }

    /// Returns the names of the variables by which the environment decides.
    pub fn variables(&self) -> impl Iterator<Item = &str> {
        let all = std::iter::once(&self.base).chain(self.profiles.values().map(|profile| &profile.policy));
        let refused = all.flat_map(|policy| &policy.refuse_env).flat_map(|refuse| &refuse.lines);
        let conditions = self.profiles.values().flat_map(|profile| &profile.env);
        let usual = PRODUCTION.iter().map(|(name, _)| *name);
        refused.map(|line| &line.value).chain(conditions).map(|variable| &*variable.name).chain(usual)
    }

    /// Returns the policies of which one will apply, whatever the host turns out to be.
    ///
    /// # Errors
    /// As [`Policies::select`].
    pub fn possible(
        &self,
        explicit: Option<&str>,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Vec<Policy>, SelectError> {
        let known = self.select(explicit, env, None)?;
        // A host on top of what holds already would be one profile too many.
        let is_settled = explicit.is_some() || !self.matching(env, None).is_empty();
        let by_host = self.profiles.values().filter(|profile| !is_settled && !profile.hosts.is_empty());
        Ok(std::iter::once(known).chain(by_host.map(|profile| profile.policy.clone())).collect())
    }

    /// Returns the profiles whose `when` holds, whichever was named explicitly.
    pub fn matching(&self, env: &dyn Fn(&str) -> Option<String>, host: Option<&str>) -> Vec<Match> {
        let condition = |profile: &Profile| {
            let variable = profile.env.iter().find(|variable| variable.is_set(env)).map(Variable::to_string);
            variable.or_else(|| {
                let host = host.filter(|host| profile.hosts.iter().any(|pattern| pattern.matches(host)));
                host.map(|host| format!("host {host}"))
            })
        };
        let matching = self
            .profiles
            .iter()
            .filter_map(|(name, profile)| condition(profile).map(|because| Match { profile: name.clone(), because }));
        matching.collect()
    }
}

impl SelectError {
    /// Returns what to do about it.
    pub fn hint(&self) -> String {
        match self {
            SelectError::Unknown { name, known, .. } => match closest(name, known.iter().map(String::as_str)) {
                Some(known) => format!("did you mean `{known}`?"),
                None if known.is_empty() => "the file has no [profiles]".to_owned(),
                None => format!("its profiles are {}", quoted(known)),
            },
            SelectError::Several { .. } => {
                "name one with --profile, or make their `when` exclude each other".to_owned()
            }
        }
    }
}

impl Policy {
    /// Returns what applies where there is no file.
    pub fn built_in() -> Policy {
        Policy {
            source: Source::BuiltIn,
            profile: None,
            otherwise: Ruled { value: Otherwise::Refuse, rule: RuleRef::built_in("renames.otherwise") },
            renames: Vec::new(),
            create: BTreeMap::new(),
            hazards: BTreeMap::new(),
            apply: ApplyLine { value: Apply::Kit, layer: None, rule: RuleRef::built_in("push.apply") },
            migrate: BTreeMap::new(),
            migrate_gate: Ruled { value: MigrateGate::Warn, rule: RuleRef::built_in("migrate.gate") },
            using: BTreeMap::new(),
            prompts: Prompts::default(),
            hosts: Vec::new(),
            refuse_env: None,
            reset: Reset::default(),
            commands: None,
            accept_data_loss: None,
            check: Check::default(),
            called_for: Vec::new(),
        }
    }

    /// Returns where the policy comes from.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns what is said about findings.
    pub fn check(&self) -> &Check {
        &self.check
    }

    /// Returns the name of the profile, if one was picked.
    pub fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Returns the rule for a hazard: its own line, else that of its class, else the default.
    pub fn hazard(&self, hazard: Hazard) -> (HazardRule, RuleRef) {
        if let Some(line) = self.hazard_line(hazard) {
            return (line.value.clone(), line.rule.clone());
        }
        let value = match hazard {
            Hazard::AddUnique => HazardRule::KeepRows,
            _ if hazard.class().refused_by_default() => HazardRule::Refuse,
            _ => HazardRule::Approve,
        };
        (value, RuleRef::built_in(&format!("hazards.{hazard}")))
    }

    /// Returns who runs the statements of a push, unless the command line says otherwise.
    pub fn apply(&self) -> (Apply, RuleRef) {
        (self.apply.value, self.apply.rule.clone())
    }

    /// Tells whether `migrate` goes on although there is such a migration, and by which rule.
    pub fn migrates_past(&self, anomaly: Anomaly) -> (bool, RuleRef) {
        match self.migrate.get(&anomaly) {
            Some(Ruled { value, rule }) => (*value, rule.clone()),
            None => (false, RuleRef::built_in(&format!("migrate.{}", anomaly.key()))),
        }
    }

    /// Returns what `migrate` does about statements that a push would be refused for.
    pub fn migrate_gate(&self) -> MigrateGate {
        self.migrate_gate.value
    }

    /// Returns the expression by which the values of a column become those of a new type. The name is looked up as it is.
    pub fn using(&self, column: &ObjectName) -> Option<(&str, &RuleRef)> {
        self.using.get(column).map(|using| (using.expression.as_str(), &using.rule))
    }

    /// Tells whether the truncate that drizzle-kit puts before a type change is to be left out, and by which rule.
    pub fn skips_truncate(&self) -> Option<RuleRef> {
        let (rule, rule_ref) = self.hazard(Hazard::Truncate);
        matches!(rule, HazardRule::Skip).then_some(rule_ref)
    }

    /// Tells whether the rule for a hazard depends on the number of rows, so that it is worth counting them.
    pub fn wants_rows(&self, hazard: Hazard) -> bool {
        matches!(self.hazard(hazard).0, HazardRule::Limit { max_rows: Some(_), .. })
    }

    /// Returns this policy and those of the other profiles that are called for.
    fn all(&self) -> impl Iterator<Item = &Policy> {
        std::iter::once(self).chain(&self.called_for)
    }

    /// Returns the profile that bans a command, if one does.
    pub fn bans_command(&self, command: &str) -> Option<Ban<'_>> {
        self.all().find_map(|policy| {
            let commands = policy.commands.as_ref()?;
            let is_named = commands.value.iter().any(|allowed| allowed == command);
            (!is_named).then(|| Ban { profile: policy.profile().unwrap_or_default(), rule: &commands.rule })
        })
    }

    /// Returns the rule that bans commands which change a database in this environment, and the variable it names.
    ///
    /// What the profile names under `commands` is meant to run where the profile applies. There the lines outside of it do
    /// not count, as a ban of the command has been looked for before.
    pub fn bans_environment(&self, env: &dyn Fn(&str) -> Option<String>) -> Option<(&RuleRef, &Variable)> {
        self.all().find_map(|policy| {
            let refuse = policy.refuse_env.as_ref()?;
            if policy.commands.is_some() && refuse.layer.is_none() {
                return None;
            }
            let banned = refuse.lines.iter().find(|variable| variable.value.is_set(env))?;
            Some((&banned.rule, &banned.value))
        })
    }

    /// Returns everything in this environment that says that a database must not be emptied, with the rule. Where no file
    /// speaks of it, the usual words for production do. No profile's `commands` lifts it.
    pub fn bans_emptying(&self, env: &dyn Fn(&str) -> Option<String>) -> Vec<(Variable, RuleRef)> {
        let usual = || {
            PRODUCTION.map(|(name, value)| {
                let variable = Variable { name: name.to_owned(), value: value.to_owned() };
                (variable, RuleRef::built_in("guard.refuse_env"))
            })
        };
        let mut ruled: Vec<(Variable, RuleRef)> = Vec::new();
        for policy in self.all() {
            match &policy.refuse_env {
                Some(refuse) => ruled.extend(refuse.lines.iter().map(|line| (line.value.clone(), line.rule.clone()))),
                None => ruled.extend(usual()),
            }
        }
        ruled.retain(|(variable, _)| variable.is_set(env));
        ruled.dedup();
        ruled
    }

    /// Returns what a reset does beside emptying.
    pub fn reset(&self) -> &Reset {
        &self.reset
    }

    /// Returns the rule that bans `--accept-data-loss`, if one does.
    pub fn bans_accepting_data_loss(&self) -> Option<&RuleRef> {
        let banned = self.all().filter_map(|policy| policy.accept_data_loss.as_ref()).find(|accept| !accept.value);
        banned.map(|accept| &accept.rule)
    }

    /// Returns the patterns of `guard.hosts`: what `reset` may touch.
    pub fn guarded_hosts(&self) -> Vec<String> {
        self.hosts.iter().map(|pattern| pattern.text().to_owned()).collect()
    }

    /// Returns those of the other profiles that are called for: each list must have the host as well.
    pub fn guarded_hosts_of_others(&self) -> Vec<Vec<String>> {
        self.called_for.iter().map(Policy::guarded_hosts).collect()
    }

    /// Returns the line of the file that speaks of a hazard.
    pub(super) fn hazard_line(&self, hazard: Hazard) -> Option<&HazardLine> {
        let class = || self.hazards.get(&HazardKey::Class(hazard.class()));
        self.hazards.get(&HazardKey::Kind(hazard)).or_else(class)
    }
}

impl Apply {
    /// Returns the word in the policy file.
    pub fn name(self) -> &'static str {
        match self {
            Apply::Kit => "kit",
            Apply::Transaction => "transaction",
        }
    }
}

impl Section {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Section; 14] = [
        Section::Schemas,
        Section::Tables,
        Section::Columns,
        Section::Enums,
        Section::Sequences,
        Section::Views,
        Section::Policies,
        Section::Roles,
        Section::Checks,
        Section::Indexes,
        Section::Uniques,
        Section::PrimaryKeys,
        Section::ForeignKeys,
        Section::Defaults,
    ];

    /// Returns the key in the policy file.
    pub fn key(self) -> &'static str {
        match self {
            Section::Schemas => "schemas",
            Section::Tables => "tables",
            Section::Columns => "columns",
            Section::Enums => "enums",
            Section::Sequences => "sequences",
            Section::Views => "views",
            Section::Policies => "policies",
            Section::Roles => "roles",
            Section::Checks => "checks",
            Section::Indexes => "indexes",
            Section::Uniques => "uniques",
            Section::PrimaryKeys => "primary_keys",
            Section::ForeignKeys => "foreign_keys",
            Section::Defaults => "defaults",
        }
    }

    /// Returns the name of one such object.
    pub fn singular(self) -> &'static str {
        match self {
            Section::Schemas => "schema",
            Section::Tables => "table",
            Section::Columns => "column",
            Section::Enums => "enum",
            Section::Sequences => "sequence",
            Section::Views => "view",
            Section::Policies => "policy",
            Section::Roles => "role",
            Section::Checks => "check",
            Section::Indexes => "index",
            Section::Uniques => "unique",
            Section::PrimaryKeys => "primary key",
            Section::ForeignKeys => "foreign key",
            Section::Defaults => "default",
        }
    }

    /// Returns the form of the names.
    pub fn shape(self) -> Shape {
        match self {
            Section::Schemas | Section::Roles => Shape::Global,
            Section::Tables | Section::Enums | Section::Sequences | Section::Views => Shape::InSchema,
            Section::Policies => Shape::Policy,
            Section::Columns
            | Section::Checks
            | Section::Indexes
            | Section::Uniques
            | Section::PrimaryKeys
            | Section::ForeignKeys
            | Section::Defaults => Shape::InTable,
        }
    }
}

impl From<Entity> for Section {
    fn from(entity: Entity) -> Section {
        match entity {
            Entity::Schema => Section::Schemas,
            Entity::Table => Section::Tables,
            Entity::Column => Section::Columns,
            Entity::Enum => Section::Enums,
            Entity::Sequence => Section::Sequences,
            Entity::View => Section::Views,
            Entity::Role => Section::Roles,
            Entity::Policy => Section::Policies,
        }
    }
}

impl HazardKey {
    pub(super) fn name(self) -> &'static str {
        match self {
            HazardKey::Class(class) => class.name(),
            HazardKey::Kind(hazard) => hazard.name(),
        }
    }

    /// Returns the form of the names in a limit.
    pub(super) fn shape(self) -> Shape {
        match self {
            HazardKey::Class(_) => Shape::Whole,
            HazardKey::Kind(hazard) => match hazard.object() {
                Object::Schema | Object::Role => Shape::Global,
                Object::Table | Object::View | Object::Sequence | Object::Type | Object::Index => Shape::InSchema,
                Object::Column | Object::Constraint | Object::Policy => Shape::InTable,
                Object::Any | Object::Nothing => Shape::Whole,
            },
        }
    }
}

/// Words that mean the same value.
const SAME: [&[&str]; 6] = [
    &["production", "prod", "prd"],
    &["development", "dev"],
    &["staging", "stage", "stg"],
    &["test", "testing"],
    &["true", "1", "yes", "on"],
    &["false", "0", "no", "off"],
];

/// Tells whether a variable has a value, in any of its usual spellings: without regard to case and blanks around it, and with
/// the words of [`SAME`] for one another.
fn is_value(found: &str, wanted: &str) -> bool {
    let (found, wanted) = (found.trim().to_lowercase(), wanted.trim().to_lowercase());
    found == wanted || SAME.iter().any(|words| words.contains(&&*found) && words.contains(&&*wanted))
}

impl Variable {
    pub(super) fn is_set(&self, env: &dyn Fn(&str) -> Option<String>) -> bool {
        env(&self.name).is_some_and(|value| is_value(&value, &self.value))
    }

    /// Tells whether both name one variable and one value.
    pub(super) fn is_same(&self, other: &Variable) -> bool {
        self.name == other.name && is_value(&self.value, &other.value)
    }
}

impl fmt::Display for Variable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.name, self.value)
    }
}

impl RuleRef {
    pub(super) fn built_in(path: &str) -> RuleRef {
        RuleRef { path: path.to_owned(), origin: Origin::BuiltIn }
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::File { file, line } => write!(f, "{file}:{line} {}", self.path),
            Origin::BuiltIn if self.path.is_empty() => f.write_str("built-in policy"),
            Origin::BuiltIn => write!(f, "built-in policy ({})", self.path),
            Origin::Flag(flag) => f.write_str(flag),
            Origin::OnlyChoice => f.write_str("the only choice"),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::BuiltIn => f.write_str("built-in policy"),
            Source::File { path, .. } => f.write_str(path),
        }
    }
}

/// Returns the known word that a misspelt one is likely to stand for.
pub fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|known| (strsim::jaro_winkler(word, known), known));
    let (score, known) = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    // Below this, jaro-winkler finds words that merely share letters.
    (score > 0.8).then_some(known)
}

/// Writes words as a list in a sentence.
pub fn quoted<S: AsRef<str>>(words: &[S]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_ref())).collect();
    words.join(", ")
}

fn listed(matching: &[Match]) -> String {
    let matching: Vec<String> =
        matching.iter().map(|found| format!("`{}` ({})", found.profile, found.because)).collect();
    matching.join(" and ")
}
