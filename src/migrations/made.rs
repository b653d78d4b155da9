//! Knows what a project's migrations make that must not be there before. Pure: folder in, names out.
//!
//! A reset does not take everything along: roles belong to the whole server, and schemas and objects may be kept. What makes
//! them anew fails then (42710, 42P06, 42P07).

use crate::migrations::folder::Folder;
use crate::sql::effect::{Effect, Kind, Proof, Reading};
use crate::sql::{self, Dialect, ObjectName};

/// Something that a migration makes, and that fails if it is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    pub kind: Kind,
    pub name: ObjectName,
    /// The first file that makes it.
    pub file: String,
    /// A statement before it that is not understood speaks of it, and may have seen to that.
    pub in_doubt: bool,
}

/// Returns what the migrations make, each with the first file that does: roles, schemas, and what stands in a schema. What is
/// dropped or renamed before is left out, and so is what a file says that cannot be read.
pub fn made(folder: &Folder) -> Vec<Made> {
    let mut found = Finding::default();
    for file in &folder.files {
        for statement in sql::split(&file.text, Dialect::Postgres).unwrap_or_default() {
            found.read(&file.name, &statement, &sql::read(&statement, Dialect::Postgres));
        }
    }
    found.made
}

#[derive(Default)]
struct Finding {
    made: Vec<Made>,
    /// What was dropped or got another name: it may be made again.
    freed: Vec<ObjectName>,
    /// The statements that are not understood, in lower case.
    unknown: String,
}

impl Finding {
    fn read(&mut self, file: &str, statement: &str, reading: &Reading) {
        for effect in &reading.effects {
            let (kind, name) = match effect {
                Effect::Create { kind, name, proof: Proof::New } => (*kind, name),
                Effect::CreateEnum { name, proof: Proof::New, .. } => (Kind::Type, name),
                Effect::Drop { name, .. } | Effect::Rename { from: name, .. } => {
                    self.freed.push(name.clone());
                    continue;
                }
                Effect::Unknown => {
                    self.unknown += &statement.to_lowercase();
                    continue;
                }
                _ => continue,
            };
            let is_free = self.freed.iter().any(|freed| name.parts().starts_with(freed.parts()));
            let is_part = matches!(kind, Kind::Column | Kind::Constraint | Kind::Policy);
            if !is_part && !is_free && !self.made.iter().any(|made| (made.kind, &made.name) == (kind, name)) {
                let in_doubt = self.unknown.contains(&name.last().to_lowercase());
                self.made.push(Made { kind, name: name.clone(), file: file.to_owned(), in_doubt });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_must_not_be_there_is_told_with_the_first_file_that_makes_it() {
        let contents = [
            (
                "0000_a.sql",
                "CREATE ROLE \"reader\";\n--> statement-breakpoint\nCREATE TABLE \"t\" (\"id\" int);\nCREATE SCHEMA \"shop\";
                 CREATE TABLE IF NOT EXISTS \"perhaps\" (\"id\" int);",
            ),
            (
                "0001_b.sql",
                "CREATE ROLE \"reader\" WITH CREATEDB;DROP ROLE IF EXISTS \"admin\";CREATE ROLE \"admin\";
                 DO $$ BEGIN IF true THEN DROP ROLE writer; END IF; END $$;CREATE ROLE \"writer\";
                 CREATE TYPE \"shop\".\"mood\" AS ENUM('a');",
            ),
        ];
        let contents = contents.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let folder = Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read");
        let told: Vec<String> = made(&folder)
            .iter()
            .map(|made| format!("{:?} {} {}{}", made.kind, made.name, made.file, if made.in_doubt { "?" } else { "" }))
            .collect();
        assert_eq!(
            told,
            [
                "Role reader 0000_a.sql",
                "Table public.t 0000_a.sql",
                "Schema shop 0000_a.sql",
                "Role writer 0001_b.sql?",
                "Type shop.mood 0001_b.sql",
            ]
        );
    }
}
