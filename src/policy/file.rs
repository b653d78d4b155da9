//! Reads `drizzle-pilot.toml`. The structs here are the file format; the rest of the program sees [`Policies`] only.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use globset::GlobBuilder;
use regex::Regex;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use sha2::{Digest, Sha256};
use toml::Spanned;

use super::model::{
    COMMANDS, Create, FILE_NAME, HazardKey, HazardLine, HazardRule, HostPattern, Layer, Origin, Otherwise,
    Policies, Policy, Profile, PromptAnswer, PromptRule, Prompts, Rename, RuleRef, Ruled, Section, Source, Variable,
    closest, quoted,
};
use super::name::{ObjectName, Pattern, Shape};
use crate::sql::hazard::{Class, Hazard, Object};

/// Why there is no policy.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file could not be read.
    #[error("reading the policy file {path}")]
    Read { path: String, source: io::Error },
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

/// Loads the policy: the file that was named, else the one that [`find`] finds, else the built-in policy.
pub fn load(explicit: Option<&Path>, cwd: &Path) -> Result<Policies, PolicyError> {
    let (path, shown) = match (explicit, find(cwd)) {
        (Some(path), _) => (cwd.join(path), path.to_owned()),
        (None, Some(path)) => (path.clone(), seen_from(cwd, &path)),
        (None, None) => return Ok(Policies::built_in()),
    };
    let text = fs::read_to_string(&path)
        .map_err(|source| PolicyError::Read { path: shown.display().to_string(), source })?;
    parse(&shown, &text)
}

/// Finds the policy file from a directory upward, to the root of the repository or else of the file system.
pub fn find(cwd: &Path) -> Option<PathBuf> {
    let cwd = std::path::absolute(cwd).ok()?;
    for directory in cwd.ancestors() {
        let path = directory.join(FILE_NAME);
        if path.is_file() {
            return Some(path);
        }
        // In a linked worktree, `.git` is a file.
        if directory.join(".git").exists() {
            return None;
        }
    }
    None
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
        Ok(file) => reader.policies(&file),
        Err(error) => {
            reader.structural(&error);
            None
        }
    };
    let problems = reader.problems;
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
    /// The version of this format.
    #[schemars(schema_with = "version_schema")]
    version: Spanned<i64>,
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
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed at all.
    #[serde(default)]
    guard: Guard,
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
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed at all.
    #[serde(default)]
    guard: Guard,
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
    /// The hosts that `reset` may touch. `*` stands for all.
    #[schemars(with = "Vec<String>")]
    hosts: Option<Vec<Spanned<String>>>,
    /// `NAME=value`: no command that changes a database runs where such a variable is set.
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
        properties.insert(
            key.name().to_owned(),
            json_schema!({ "description": description, "anyOf": value }).to_value(),
        );
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

/// Returns every key of `[hazards]`. A class with one kind has no key of its own.
pub(super) fn hazard_keys() -> impl Iterator<Item = HazardKey> {
    let classes = Class::ALL.into_iter().filter(|class| *class != Class::Unknown).map(HazardKey::Class);
    classes.chain(Hazard::all().map(HazardKey::Kind))
}

/// Returns the words that may stand for the rule of a hazard.
fn words(key: HazardKey) -> &'static [&'static str] {
    match key {
        HazardKey::Kind(Hazard::AddUnique) => &["keep_rows", "truncate", "refuse", "approve"],
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
struct Reader<'a> {
    path: &'a str,
    text: &'a str,
    problems: Vec<Problem>,
}

/// The sections that the file and each of its profiles may have.
struct Sections<'a> {
    renames: &'a Renames,
    create: &'a Creates,
    hazards: &'a Hazards,
    prompts: Option<&'a [Spanned<PromptEntry>]>,
    guard: &'a Guard,
}

impl Reader<'_> {
    fn policies(&mut self, file: &File) -> Option<Policies> {
        if *file.version.get_ref() != 1 {
            self.problem(file.version.span(), "the version must be 1")
                .hint("a newer drizzle-pilot may have written this file");
            return None;
        }
        let source = Source::File { path: self.path.to_owned(), text: self.text.to_owned() };
        let mut base = Policy { source, ..Policy::built_in() };
        let sections = Sections {
            renames: &file.renames,
            create: &file.create,
            hazards: &file.hazards,
            prompts: file.prompts.as_deref(),
            guard: &file.guard,
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
            prompts: entry.prompts.as_deref(),
            guard: &entry.guard,
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
            policy.renames.retain(|old| !renames.iter().any(|new| new.section == section && new.old == old.old));
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
        if let Some(prompts) = sections.prompts {
            let rules = prompts.iter().enumerate();
            let rules = rules.filter_map(|(prompt_idx, prompt)| self.prompt(&layer, prompt_idx, prompt)).collect();
            policy.prompts = Prompts { rules, layer: layer.clone() };
        }
        if let Some(hosts) = &sections.guard.hosts {
            policy.hosts = hosts.iter().filter_map(|host| self.host(host)).collect();
        }
        if let Some(refuse_env) = &sections.guard.refuse_env {
            let ruled = refuse_env.iter().filter_map(|variable| {
                let rule = self.rule(&layer, "guard.refuse_env", variable.span());
                self.variable(variable).map(|value| Ruled { value, rule })
            });
            policy.refuse_env = ruled.collect();
        }
    }

    fn renames(&mut self, section: Section, layer: &Layer, names: &Names) -> Vec<Rename> {
        let mut renames: Vec<Rename> = Vec::new();
        for (key, value) in names {
            let old = match ObjectName::parse(key.get_ref(), section.shape()) {
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
                self.problem(entry.question.span(), "a rule for a question needs `choose` or `decline = true`, one of the two");
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

    fn pattern(&mut self, text: &Spanned<String>, shape: Shape) -> Option<Pattern> {
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
        if text.get_ref().is_empty() {
            self.problem(text.span(), "a host cannot be empty").hint("write \"*\" for all hosts");
            return None;
        }
        match GlobBuilder::new(text.get_ref()).case_insensitive(true).build() {
            Ok(glob) => Some(HostPattern(glob.compile_matcher())),
            Err(error) => {
                self.problem(text.span(), format!("`{}` is not a glob: {}", text.get_ref(), error.kind()));
                None
            }
        }
    }

    fn variable(&mut self, text: &Spanned<String>) -> Option<Variable> {
        match text.get_ref().split_once('=') {
            Some((name, value)) if !name.is_empty() => {
                Some(Variable { name: name.to_owned(), value: value.to_owned() })
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
            ["version"] if message.starts_with("missing field") => {
                self.problem(span, "the key `version` is missing").hint("begin the file with `version = 1`");
            }
            [missing] if message.starts_with("missing field") => {
                self.problem(span, format!("the key `{missing}` is missing"));
            }
            _ => {
                self.problem(span, message);
            }
        }
    }

    fn problem(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Problem {
        let (line, column) = position(self.text, span.start);
        self.problems.push(Problem { message: message.into(), line, column, hint: None, span, also: None });
        self.problems.last_mut().expect("a problem was just added")
    }
}

impl Problem {
    fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }

    fn also(&mut self, span: Range<usize>, label: &'static str) {
        self.also = Some((span, label));
    }
}

/// Reads the name of an object that replaces another. A single part stays where the other is.
pub(super) fn beside(section: Section, other: &ObjectName, value: &str) -> Result<ObjectName, String> {
    let alone = ObjectName::parse(value, Shape::Whole)?;
    match (alone.parts(), other.parent()) {
        ([name], Some(parent)) => Ok(parent.child(name)),
        ([_], None) => Ok(alone),
        _ => ObjectName::parse(value, section.shape()),
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
        let mut snippet = Snippet::source(text).path(path).annotation(AnnotationKind::Primary.span(problem.span.clone()));
        if let Some((span, label)) = &problem.also {
            snippet = snippet.annotation(AnnotationKind::Context.span(span.clone()).label(*label));
        }
        let hint = problem.hint.as_ref().map(|hint| Level::HELP.with_name("hint").message(hint));
        renderer.render(&[Level::ERROR.primary_title(&problem.message).element(snippet).elements(hint)])
    });
    reports.collect::<Vec<_>>().join("\n\n")
}
