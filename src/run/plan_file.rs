//! A plan on disk: exactly what a later push may do, and to what.
//!
//! The digest tells an edited file from one that was not. It is no signature: who can write the file can also make it.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::db::change::apply::Expected;
use crate::db::inspect::fingerprint::{Fingerprint, Identity};
use crate::db::inspect::lines;
use crate::files::{self, ReadError};
use crate::kit::prompt::Prompt;
use crate::outcome::Exit;
use crate::policy::model::Apply;

/// The version of the format.
const SCHEMA: u32 = 1;

/// A plan, as it is written and read. In the file the keys of its parts stand among its own, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFile {
    /// The version of this format: 1.
    schema: u32,
    /// When it was made, and until when it may be used (RFC 3339).
    made: String,
    expires: String,
    #[serde(flatten)]
    place: Place,
    #[serde(flatten)]
    surroundings: Surroundings,
    questions: Vec<Question>,
    statements: Vec<String>,
    /// SHA-256 of the catalog, and the catalog as lines, so that a later push can say what moved.
    catalog: String,
    catalog_lines: Vec<String>,
    /// SHA-256 of all of the above.
    digest: String,
    /// Keys of no plan. serde refuses unknown keys only where nothing is flattened, so [`PlanFile::parse`] does.
    #[serde(flatten)]
    unknown: BTreeMap<String, serde_json::Value>,
}

/// The database that a plan was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Host, port, database and user.
    target: String,
    database: String,
    /// PostgreSQL's system identifier, where the role may know it.
    server: Option<String>,
    /// The number of the database; 0 in plans that are older than this field, which fit nothing any more.
    #[serde(default)]
    oid: u32,
}

/// A question that was answered before the last one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    question: String,
    choices: Vec<String>,
    chosen: usize,
}

/// What a plan depends on beside the database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    pub kit: Option<String>,
    /// SHA-256 of the policy file; none for the built-in policy.
    pub policy: Option<String>,
    pub profile: Option<String>,
    pub accept_data_loss: bool,
    /// Who executes the statements, for which the policy may have them otherwise than drizzle-kit does.
    pub apply: Apply,
    /// SHA-256 of the schema files that drizzle's config names.
    pub schema_files: String,
}

/// Why a file is no plan that can be used.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    #[error("reading the plan {path}")]
    Read { path: String, source: ReadError },
    #[error("{path} is not a plan of this version: {reason}")]
    Malformed { path: String, reason: String },
    #[error("the plan {path} was changed after it was made")]
    Tampered { path: String },
    #[error("the plan {path} expired at {expires}")]
    Expired { path: String, expires: String },
}

impl PlanError {
    /// Returns how a run ends that was given such a file.
    pub fn exit(&self) -> Exit {
        match self {
            PlanError::Read { .. } => Exit::Usage,
            PlanError::Malformed { .. } | PlanError::Tampered { .. } | PlanError::Expired { .. } => Exit::StalePlan,
        }
    }
}

impl PlanFile {
    /// Makes the plan of what was asked and shown.
    pub fn new(
        target: String,
        surroundings: Surroundings,
        answered: &[(Prompt, usize)],
        statements: Vec<String>,
        seen: &Fingerprint,
        lifetime: Duration,
    ) -> PlanFile {
        let now = SystemTime::now();
        let Identity { system_identifier, database, oid } = seen.identity.clone();
        let mut plan = PlanFile {
            schema: SCHEMA,
            made: humantime::format_rfc3339_seconds(now).to_string(),
            expires: humantime::format_rfc3339_seconds(now + lifetime).to_string(),
            place: Place { target, database, server: system_identifier, oid },
            surroundings,
            questions: answered.iter().map(|(prompt, chosen)| Question::of(prompt, *chosen)).collect(),
            statements,
            catalog: seen.digest(),
            catalog_lines: seen.lines.clone(),
            digest: String::new(),
            unknown: BTreeMap::new(),
        };
        plan.digest = plan.compute();
        plan
    }

    /// Reads a plan, and refuses one that was changed or that has expired.
    ///
    /// # Errors
    /// When it cannot be used; nothing in it is believed then.
    pub fn read(path: &Path) -> Result<PlanFile, PlanError> {
        let shown = path.display().to_string();
        let text = files::text(path, files::CODE).map_err(|source| PlanError::Read { path: shown.clone(), source })?;
        let malformed = |reason: String| PlanError::Malformed { path: shown.clone(), reason };
        let plan = PlanFile::parse(text.as_bytes()).map_err(malformed)?;
        if plan.schema != SCHEMA {
            return Err(malformed(format!("it has the format {}", plan.schema)));
        }
        if plan.digest != plan.compute() {
            return Err(PlanError::Tampered { path: shown });
        }
        let expires = humantime::parse_rfc3339(&plan.expires).map_err(|error| malformed(error.to_string()))?;
        if SystemTime::now() >= expires {
            return Err(PlanError::Expired { path: shown, expires: plan.expires });
        }
        Ok(plan)
    }

    fn parse(text: &[u8]) -> Result<PlanFile, String> {
        let plan: PlanFile = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match plan.unknown.keys().next() {
            Some(key) => Err(format!("unknown field `{key}`")),
            None => Ok(plan),
        }
    }

    /// Makes room for a plan: an older one goes, so that it is not taken for the new one where none is written.
    ///
    /// # Errors
    /// With the reason in words, where something else is there, which is not overwritten.
    pub fn make_room(path: &Path) -> Result<(), String> {
        let shown = path.display();
        let Some(bytes) = files::read_if_there(path, files::CODE).map_err(|error| format!("{shown}: {error}"))? else {
            return Ok(());
        };
        if PlanFile::parse(&bytes).is_err() {
            return Err(format!("{shown} exists and is not a plan, so it is not overwritten"));
        }
        fs::remove_file(path).map_err(|error| format!("{shown}: {error}"))
    }

    /// Writes the plan, readable by this user alone: statements and catalog are nobody else's business.
    ///
    /// # Errors
    /// As `open(2)` and `write(2)`.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).expect("a plan has only strings and numbers") + "\n";
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A plan is whole or not there.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    /// Returns who executes the statements.
    pub fn apply(&self) -> Apply {
        self.surroundings.apply
    }

    /// Returns the statements as they would run, in their order.
    pub fn statements(&self) -> &[String] {
        &self.statements
    }

    /// Returns the database as it was seen.
    pub fn expected(&self) -> Expected {
        let Place { server, database, oid, .. } = self.place.clone();
        Expected {
            identity: Identity { system_identifier: server, database, oid },
            digest: self.catalog.clone(),
            lines: Some(self.catalog_lines.clone()),
        }
    }

    /// Says what in the surroundings is not as it was.
    pub fn moved(&self, now: &Surroundings) -> Option<String> {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
        let then = &self.surroundings;
        if then.kit != now.kit {
            return Some(format!("drizzle-kit is {} and was {}", shown(&now.kit), shown(&then.kit)));
        }
        if then.profile != now.profile {
            return Some(format!("the profile is {} and was {}", shown(&now.profile), shown(&then.profile)));
        }
        if then.policy != now.policy {
            return Some("the policy file was changed, or is another one".to_owned());
        }
        if then.accept_data_loss != now.accept_data_loss {
            return Some("--accept-data-loss was given to only one of the two commands".to_owned());
        }
        if then.apply != now.apply {
            let name = |apply: &Apply| apply.to_possible_value().expect("no value is hidden").get_name().to_owned();
            return Some(format!(
                "the plan was made for --apply {}, and not for {}",
                name(&then.apply),
                name(&now.apply)
            ));
        }
        (then.schema_files != now.schema_files).then(|| "the schema files were changed".to_owned())
    }

    /// Says what in the database is not as it was. A copy of a server has its identifier, so the address counts too.
    pub fn elsewhere(&self, target: &str, seen: &Fingerprint) -> Option<String> {
        if self.place.target != target {
            return Some(format!("the target is {target}, and was {}", self.place.target));
        }
        let Expected { identity, digest, .. } = self.expected();
        if identity != seen.identity {
            return Some(format!("this is {}, and the plan was made for {identity}", seen.identity));
        }
        if digest == seen.digest() {
            return None;
        }
        const MOST: usize = 20;
        let differences = lines::difference(&self.catalog_lines, &seen.lines);
        let mut told: Vec<String> = differences.iter().take(MOST).map(|difference| format!("  {difference}")).collect();
        if differences.len() > MOST {
            told.push(format!("  … and {} more", differences.len() - MOST));
        }
        Some(format!("the schema of the database has changed\n{}", told.join("\n")))
    }

    /// Returns the choice that the plan made at a question, given how many were asked before it.
    pub fn choice(&self, question_idx: usize, prompt: &Prompt) -> Option<usize> {
        let planned = self.questions.get(question_idx)?;
        (*planned == Question::of(prompt, planned.chosen)).then_some(planned.chosen)
    }

    fn compute(&self) -> String {
        let blank = PlanFile { digest: String::new(), ..self.clone() };
        let text = serde_json::to_string(&blank).expect("a plan has only strings and numbers");
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl Question {
    fn of(prompt: &Prompt, chosen: usize) -> Question {
        Question { question: prompt.question.clone(), choices: prompt.choices.clone(), chosen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(lifetime: Duration) -> PlanFile {
        let surroundings = Surroundings {
            kit: Some("0.31.11".to_owned()),
            policy: None,
            profile: None,
            accept_data_loss: false,
            apply: Apply::Kit,
            schema_files: "abc".to_owned(),
        };
        let identity = Identity { system_identifier: Some("7".to_owned()), database: "app".to_owned(), oid: 1 };
        let seen = Fingerprint { identity, lines: vec!["schema|public|".to_owned()] };
        PlanFile::new("h:5432/app".to_owned(), surroundings, &[], vec!["DROP TABLE a;".to_owned()], &seen, lifetime)
    }

    /// The file as every version of this format writes it: the order counts for its digest.
    const WRITTEN: &str = r#"{
  "schema": 1,
  "made": "2026-01-02T03:04:05Z",
  "expires": "2026-01-02T03:14:05Z",
  "target": "h:5432/app",
  "database": "app",
  "server": "7",
  "oid": 1,
  "kit": "0.31.11",
  "policy": null,
  "profile": null,
  "accept_data_loss": false,
  "apply": "kit",
  "schema_files": "abc",
  "questions": [
    {
      "question": "Is it new?",
      "choices": [
        "yes",
        "no"
      ],
      "chosen": 1
    }
  ],
  "statements": [
    "DROP TABLE a;"
  ],
  "catalog": "def",
  "catalog_lines": [
    "schema|public|"
  ],
  "digest": ""
}"#;

    #[test]
    fn the_format_is_what_it_was() {
        let plan = PlanFile::parse(WRITTEN.as_bytes()).expect("it is a plan");
        assert_eq!(serde_json::to_string_pretty(&plan).expect("it can be written"), WRITTEN);
        assert_eq!(plan.compute(), "03ae7f3ab324008eb98d98b2a067b612a47bb298a284635ebc14d9156e534d63");
        let without_oid = WRITTEN.replace("  \"oid\": 1,\n", "");
        assert_eq!(PlanFile::parse(without_oid.as_bytes()).map(|plan| plan.place.oid), Ok(0));
    }

    #[test]
    fn a_file_with_another_key_is_no_plan() {
        let reason = |old: &str, new: &str| {
            let text = WRITTEN.replacen(old, new, 1);
            assert_ne!(text, WRITTEN);
            PlanFile::parse(text.as_bytes()).expect_err("it is no plan")
        };
        assert_eq!(reason("\"kit\"", "\"extra\": 1, \"kit\""), "unknown field `extra`");
        assert!(reason("\"chosen\"", "\"extra\": 1, \"chosen\"").starts_with("unknown field `extra`"));
        assert!(reason("\"kit\"", "\"oid\": 2, \"kit\"").starts_with("duplicate field `oid`"));
        assert!(reason("\"database\": \"app\",", "").starts_with("missing field `database`"));
    }

    #[test]
    fn a_plan_is_read_back_unless_it_was_changed_or_has_expired() {
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = folder.path().join("plan.json");
        let plan = plan(Duration::from_secs(600));
        plan.write(&path).expect("the folder is ours");
        assert_eq!(PlanFile::read(&path).expect("it was written"), plan);

        let text = fs::read_to_string(&path).expect("it was written");
        fs::write(&path, text.replace("DROP TABLE a;", "DROP TABLE b;")).expect("the folder is ours");
        assert!(matches!(PlanFile::read(&path), Err(PlanError::Tampered { .. })));
        fs::write(&path, text.replace("\"schema\": 1", "\"schema\": 2")).expect("the folder is ours");
        assert!(matches!(PlanFile::read(&path), Err(PlanError::Malformed { .. })));
        fs::write(&path, "{").expect("the folder is ours");
        assert!(matches!(PlanFile::read(&path), Err(PlanError::Malformed { .. })));
        assert!(matches!(PlanFile::read(&folder.path().join("none")), Err(PlanError::Read { .. })));

        assert!(PlanFile::make_room(&path).expect_err("it is no plan").contains("not overwritten"));
        fs::write(&path, &text).expect("the folder is ours");
        assert_eq!(PlanFile::make_room(&path), Ok(()));
        assert!(!path.exists());
        assert_eq!(PlanFile::make_room(&path), Ok(()));

        super::tests::plan(Duration::ZERO).write(&path).expect("the folder is ours");
        assert!(matches!(PlanFile::read(&path), Err(PlanError::Expired { .. })));
    }
}
