//! The format of the policy file, as serde reads it and as the JSON schema shows it. Pure.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use toml::Spanned;

use crate::policy::file::check::CheckEntry;
use crate::policy::file::schema::{commands_schema, hazards_schema, using_schema, version_schema};
use crate::policy::model::{Anomaly, Section};

/// Returns the JSON schema of the file, draft 2020-12.
pub(crate) fn schema() -> Schema {
    schemars::schema_for!(File)
}

/// The policy of drizzle-pilot: what it may do without asking.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "drizzle-pilot.toml")]
pub(super) struct File {
    /// The version of this format. The default is 1.
    #[schemars(schema_with = "version_schema")]
    pub(super) version: Option<Spanned<i64>>,
    /// Answers to "is X created or renamed from Y?".
    #[serde(default)]
    pub(super) renames: Renames,
    /// Objects that are really new, although others disappeared. Globs are allowed.
    #[serde(default)]
    pub(super) create: Creates,
    /// What may be lost, blocked or broken.
    #[serde(default)]
    #[schemars(schema_with = "hazards_schema::<LimitEntry>")]
    pub(super) hazards: Hazards,
    /// How an approved push is executed.
    #[serde(default)]
    pub(super) push: Push,
    /// What `migrate` does if the folder contradicts the migrations table.
    #[serde(default)]
    pub(super) migrate: Migrate,
    /// What `sync` does if the database differs from the migrations.
    #[serde(default)]
    pub(super) sync: SyncEntry,
    /// How to convert the values of a column to a new type: column = SQL expression. Needs apply = "transaction".
    #[serde(default)]
    #[schemars(schema_with = "using_schema")]
    pub(super) using: Names,
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    pub(super) prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed.
    #[serde(default)]
    pub(super) guard: Guard,
    /// What a reset does besides emptying the database.
    #[serde(default)]
    pub(super) reset: ResetEntry,
    /// What `check` reports, and at which level.
    #[serde(default)]
    pub(super) check: CheckEntry,
    /// Where migrations and schema files are built for a comparison.
    #[serde(default)]
    pub(super) scratch: ScratchEntry,
    /// Overrides, chosen by --profile, DRIZZLE_PILOT_PROFILE or `when`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, ProfileEntry>")]
    pub(super) profiles: BTreeMap<Spanned<String>, ProfileEntry>,
}

/// An override of the policy. Its sections are merged key by key with those of the file.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ProfileEntry {
    /// When the profile applies automatically: one of the conditions is enough.
    #[serde(default)]
    #[schemars(with = "When")]
    pub(super) when: Option<Spanned<When>>,
    /// The only commands that may run.
    #[serde(default)]
    #[schemars(schema_with = "commands_schema")]
    pub(super) commands: Option<Spanned<Vec<Spanned<String>>>>,
    /// `false` bans --accept-data-loss.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) accept_data_loss: Option<Spanned<bool>>,
    /// Answers to "is X created or renamed from Y?".
    #[serde(default)]
    pub(super) renames: Renames,
    /// Objects that are really new, although others disappeared. Globs are allowed.
    #[serde(default)]
    pub(super) create: Creates,
    /// What may be lost, blocked or broken.
    #[serde(default)]
    #[schemars(schema_with = "hazards_schema::<LimitEntry>")]
    pub(super) hazards: Hazards,
    /// How an approved push is executed.
    #[serde(default)]
    pub(super) push: Push,
    /// What `migrate` does if the folder contradicts the migrations table.
    #[serde(default)]
    pub(super) migrate: Migrate,
    /// What `sync` does if the database differs from the migrations.
    #[serde(default)]
    pub(super) sync: SyncEntry,
    /// How to convert the values of a column to a new type: column = SQL expression. Needs apply = "transaction".
    #[serde(default)]
    #[schemars(schema_with = "using_schema")]
    pub(super) using: Names,
    /// Answers to questions that this version does not know yet.
    #[serde(default)]
    #[schemars(with = "Vec<PromptEntry>")]
    pub(super) prompts: Option<Vec<Spanned<PromptEntry>>>,
    /// Where a database may be changed.
    #[serde(default)]
    pub(super) guard: Guard,
    /// What a reset does besides emptying the database.
    #[serde(default)]
    pub(super) reset: ResetEntry,
    /// What `check` reports, and at which level.
    #[serde(default)]
    pub(super) check: CheckEntry,
    /// Where migrations and schema files are built for a comparison.
    #[serde(default)]
    pub(super) scratch: ScratchEntry,
}

/// The sections that the file and each of its profiles may have.
pub(super) struct Sections<'a> {
    pub(super) renames: &'a Renames,
    pub(super) create: &'a Creates,
    pub(super) hazards: &'a Hazards,
    pub(super) push: &'a Push,
    pub(super) migrate: &'a Migrate,
    pub(super) sync: &'a SyncEntry,
    pub(super) using: &'a Names,
    pub(super) prompts: Option<&'a [Spanned<PromptEntry>]>,
    pub(super) guard: &'a Guard,
    pub(super) reset: &'a ResetEntry,
    pub(super) check: &'a CheckEntry,
    pub(super) scratch: &'a ScratchEntry,
}

impl File {
    pub(super) fn sections(&self) -> Sections<'_> {
        Sections {
            renames: &self.renames,
            create: &self.create,
            hazards: &self.hazards,
            push: &self.push,
            migrate: &self.migrate,
            sync: &self.sync,
            using: &self.using,
            prompts: self.prompts.as_deref(),
            guard: &self.guard,
            reset: &self.reset,
            check: &self.check,
            scratch: &self.scratch,
        }
    }
}

impl ProfileEntry {
    pub(super) fn sections(&self) -> Sections<'_> {
        Sections {
            renames: &self.renames,
            create: &self.create,
            hazards: &self.hazards,
            push: &self.push,
            migrate: &self.migrate,
            sync: &self.sync,
            using: &self.using,
            prompts: self.prompts.as_deref(),
            guard: &self.guard,
            reset: &self.reset,
            check: &self.check,
            scratch: &self.scratch,
        }
    }
}

pub(super) type Names = BTreeMap<Spanned<String>, Spanned<String>>;

type NamesSchema = BTreeMap<String, String>;

/// Old name = new name, by kind of object.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Renames {
    /// What to do with a new object that no rule names while others disappeared.
    #[schemars(with = "OtherwiseEntry")]
    pub(super) otherwise: Option<Spanned<OtherwiseEntry>>,
    #[schemars(with = "NamesSchema")]
    pub(super) schemas: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) tables: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) columns: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) enums: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) sequences: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) views: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) policies: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) roles: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) checks: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) indexes: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) uniques: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) primary_keys: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) foreign_keys: Names,
    #[schemars(with = "NamesSchema")]
    pub(super) defaults: Names,
}

impl Renames {
    pub(super) fn of(&self, section: Section) -> &Names {
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
pub(super) enum OtherwiseEntry {
    Refuse,
    Create,
}

pub(super) type Patterns = Option<Vec<Spanned<String>>>;

/// Names of new objects, by kind.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Creates {
    #[schemars(with = "Vec<String>")]
    pub(super) schemas: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) tables: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) columns: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) enums: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) sequences: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) views: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) policies: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) roles: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) checks: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) indexes: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) uniques: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) primary_keys: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) foreign_keys: Patterns,
    #[schemars(with = "Vec<String>")]
    pub(super) defaults: Patterns,
}

impl Creates {
    pub(super) fn of(&self, section: Section) -> &Patterns {
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

pub(super) type Hazards = BTreeMap<Spanned<String>, Spanned<HazardEntry>>;

/// A word, or a table of limits.
pub(super) enum HazardEntry {
    Word(String),
    Limit(LimitEntry),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitEntry {
    /// The objects for which this is allowed. Globs are allowed.
    #[serde(default)]
    #[schemars(with = "Vec<String>", length(min = 1))]
    pub(super) only: Option<Spanned<Vec<Spanned<String>>>>,
    /// The number of rows up to which this is allowed.
    #[serde(default)]
    #[schemars(with = "u64")]
    pub(super) max_rows: Option<Spanned<u64>>,
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
pub(super) struct Push {
    /// Who executes the statements: drizzle-kit, or drizzle-pilot in one PostgreSQL transaction, all or nothing.
    #[schemars(with = "ApplyEntry")]
    pub(super) apply: Option<Spanned<ApplyEntry>>,
}

/// What a reset does besides emptying the database. Command lines are run without a shell.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ResetEntry {
    /// What builds the schema again, unless --then says otherwise.
    #[schemars(with = "ThenEntry")]
    pub(super) then: Option<Spanned<ThenEntry>>,
    /// Command lines to run before the database is emptied, such as "pnpm tsc".
    #[schemars(with = "Vec<String>")]
    pub(super) before: Option<Vec<Spanned<String>>>,
    /// Command lines to run once the schema is built, such as "pnpm db:seed".
    #[schemars(with = "Vec<String>")]
    pub(super) after: Option<Vec<Spanned<String>>>,
}

/// Where migrations and schema files are built for a comparison.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ScratchEntry {
    /// A PostgreSQL server of the same major version to build them on, unless --scratch-url names one. It should hold
    /// nothing else.
    #[schemars(with = "String")]
    pub(super) url: Option<Spanned<String>>,
    /// Whether to start a server for it, from the PostgreSQL that is installed here: "auto" if there is one, or "never".
    #[schemars(with = "StartEntry")]
    pub(super) start: Option<Spanned<StartEntry>>,
    /// A file of SQL, below the project's folder, that runs before the migrations and makes what others own.
    #[schemars(with = "String")]
    pub(super) prelude: Option<Spanned<String>>,
    /// `false` builds them every time, instead of keeping the resulting schema in the user's cache folder.
    #[schemars(with = "bool")]
    pub(super) cache: Option<Spanned<bool>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum StartEntry {
    Auto,
    Never,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThenEntry {
    Push,
    Migrate,
    None,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ApplyEntry {
    Kit,
    Transaction,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Migrate {
    /// Migrations that were never applied and that drizzle will never run, because a newer one was applied first.
    #[schemars(with = "AnomalyEntry")]
    pub(super) skipped: Option<Spanned<AnomalyEntry>>,
    /// Migrations whose file was changed after it was applied.
    #[schemars(with = "AnomalyEntry")]
    pub(super) edited: Option<Spanned<AnomalyEntry>>,
    /// Migrations that were applied and that drizzle would run again.
    #[schemars(with = "AnomalyEntry")]
    pub(super) repeated: Option<Spanned<AnomalyEntry>>,
    /// What to do about statements of migrations that a push would refuse. They are judged by the same hazards, the same
    /// rules and the rows of the database.
    #[schemars(with = "GateEntry")]
    pub(super) gate: Option<Spanned<GateEntry>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum GateEntry {
    Off,
    Warn,
    Refuse,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AnomalyEntry {
    Refuse,
    Approve,
}

impl Migrate {
    pub(super) fn of(&self, anomaly: Anomaly) -> Option<&Spanned<AnomalyEntry>> {
        match anomaly {
            Anomaly::Skipped => self.skipped.as_ref(),
            Anomaly::Edited => self.edited.as_ref(),
            Anomaly::Repeated => self.repeated.as_ref(),
        }
    }
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct SyncEntry {
    /// What to do about objects that are as the migrations make them, but for their names.
    #[schemars(with = "SyncNamesEntry")]
    pub(super) names: Option<Spanned<SyncNamesEntry>>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum SyncNamesEntry {
    Warn,
    Refuse,
}

/// The answer to a question that this version does not know.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PromptEntry {
    /// A regular expression that must match the question.
    #[schemars(with = "String")]
    pub(super) question: Spanned<String>,
    /// A regular expression that must match exactly one choice.
    #[serde(default)]
    #[schemars(with = "String")]
    pub(super) choose: Option<Spanned<String>>,
    /// `true` stops the run at this question.
    #[serde(default)]
    #[schemars(with = "bool")]
    pub(super) decline: Option<Spanned<bool>>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Guard {
    /// The hosts on which `reset` may run; a unix socket is named by its folder. `*` stands for all.
    #[schemars(with = "Vec<String>")]
    pub(super) hosts: Option<Vec<Spanned<String>>>,
    /// `NAME=value`: no command that changes a database runs where such a variable is set, except those that the applying
    /// profile lists under `commands`.
    #[schemars(with = "Vec<String>")]
    pub(super) refuse_env: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct When {
    /// `NAME=value`: variables of the environment.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) env: Vec<Spanned<String>>,
    /// Hosts of the target database. Globs are allowed.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub(super) hosts: Vec<Spanned<String>>,
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::policy::file::parse;
    use crate::policy::file::testing::CONTRACT;

    #[test]
    fn the_schema_agrees_with_what_is_accepted() {
        let schema = jsonschema::validator_for(schema().as_value()).expect("the schema is a schema");
        let is_valid = |text: &str| {
            let value: toml::Table = text.parse().expect("the text is TOML");
            schema.is_valid(&serde_json::to_value(value).expect("the value has no dates"))
        };
        for text in [
            CONTRACT,
            include_str!("../../../fixtures/policies/dotted.toml"),
            include_str!("../../../fixtures/policies/inline.toml"),
            include_str!("../../../fixtures/policies/headers.toml"),
            include_str!("../../../fixtures/policies/classes.toml"),
            include_str!("../../../fixtures/policies/transaction.toml"),
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
}
