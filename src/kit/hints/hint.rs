//! What drizzle-kit 1.0 wants to know, and what it is told (drizzle-kit 1.0.0-rc.4 and rc.5, `missing_hints` and
//! `--hints-file`).

use serde::{Deserialize, Serialize};

use crate::kit::prompt::Entity;

/// Something that drizzle-kit cannot know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Item {
    /// Is this new, or was it renamed?
    RenameOrCreate { kind: Entity, entity: Vec<String> },
    /// May this be lost, with the rows in it?
    ConfirmDataLoss {
        kind: Lost,
        entity: Vec<String>,
        reason: String,
        #[serde(default)]
        reason_details: Option<Change>,
    },
}

/// What a column is changed from and to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Change {
    pub from: String,
    pub to: String,
}

/// What can be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lost {
    Schema,
    Table,
    View,
    Column,
    PrimaryKey,
    AddNotNull,
    AddUnique,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Hint {
    Rename { kind: Entity, from: Vec<String>, to: Vec<String> },
    Create { kind: Entity, entity: Vec<String> },
    ConfirmDataLoss { kind: Lost, entity: Vec<String> },
}

impl Item {
    /// Tells whether the name has as many parts as one of its kind.
    pub fn is_whole(&self) -> bool {
        match self {
            Item::RenameOrCreate { kind, entity } => entity.len() == n_parts(*kind),
            Item::ConfirmDataLoss { kind, entity, .. } => {
                entity.len()
                    == match kind {
                        Lost::Schema => 1,
                        Lost::Table | Lost::View => 2,
                        Lost::Column | Lost::PrimaryKey | Lost::AddNotNull | Lost::AddUnique => 3,
                    }
            }
        }
    }
}

/// Returns how many parts the name of such a thing has.
fn n_parts(kind: Entity) -> usize {
    match kind {
        Entity::Schema | Entity::Role => 1,
        Entity::Table | Entity::Enum | Entity::Sequence | Entity::View => 2,
        Entity::Column
        | Entity::Policy
        | Entity::Check
        | Entity::Index
        | Entity::Unique
        | Entity::PrimaryKey
        | Entity::ForeignKey
        | Entity::Default => 3,
    }
}

/// Returns answers as drizzle-kit reads them.
pub fn json(hints: &[Hint]) -> String {
    serde_json::to_string(hints).expect("hints are plain values")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_read_to_the_letter() {
        let read = |text: &str| serde_json::from_str::<Item>(text).map_err(|_| "unknown");
        let names = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            read(r#"{"type":"rename_or_create","kind":"foreign key","entity":["public","t","f"]}"#),
            Ok(Item::RenameOrCreate { kind: Entity::ForeignKey, entity: names(&["public", "t", "f"]) })
        );
        let lost = r#"{"type":"confirm_data_loss","kind":"table","entity":["public","t"],"reason":"non_empty"}"#;
        let item = read(lost).expect("it is known");
        assert!(item.is_whole());
        for unknown in [
            r#"{"type":"rename_or_create","kind":"privilege","entity":["a"]}"#,
            r#"{"type":"rename","kind":"table","entity":["public","t"]}"#,
            r#"{"type":"rename_or_create","kind":"table","entity":["public","t"],"force":true}"#,
        ] {
            assert_eq!(read(unknown), Err("unknown"), "{unknown}");
        }
        let short = read(r#"{"type":"rename_or_create","kind":"column","entity":["t","c"]}"#).expect("it is known");
        assert!(!short.is_whole());
    }

    #[test]
    fn answers_are_written_as_drizzle_kit_reads_them() {
        let names = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect::<Vec<_>>();
        let hints = [
            Hint::Rename { kind: Entity::Table, from: names(&["public", "u"]), to: names(&["public", "w"]) },
            Hint::Create { kind: Entity::PrimaryKey, entity: names(&["public", "w", "w_pkey"]) },
            Hint::ConfirmDataLoss { kind: Lost::Schema, entity: names(&["old"]) },
        ];
        assert_eq!(
            json(&hints),
            r#"[{"type":"rename","kind":"table","from":["public","u"],"to":["public","w"]},"#.to_owned()
                + r#"{"type":"create","kind":"primary_key","entity":["public","w","w_pkey"]},"#
                + r#"{"type":"confirm_data_loss","kind":"schema","entity":["old"]}]"#
        );
    }
}
