//! Knows which roles a project's migrations create. Pure: folder in, names out.
//!
//! Roles belong to the whole server: they outlive every reset of a database, and what creates them fails the second
//! time (42710).

use std::collections::BTreeMap;

use super::folder::Folder;
use crate::sql::effect::{Effect, Kind};
use crate::sql::{self, Dialect};

/// Returns the roles that migrations create, each with the first file that does. A file that cannot be read tells of none.
pub fn created(folder: &Folder) -> BTreeMap<String, String> {
    let mut created = BTreeMap::new();
    for file in &folder.files {
        for statement in sql::split(&file.text, Dialect::Postgres).unwrap_or_default() {
            for effect in sql::read(&statement, Dialect::Postgres).effects {
                if let Effect::Create { kind: Kind::Role, name, .. } = effect {
                    created.entry(name.last().to_owned()).or_insert_with(|| file.name.clone());
                }
            }
        }
    }
    created
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_role_is_told_with_the_first_file_that_creates_it() {
        let contents = [
            ("0000_a.sql", "CREATE ROLE \"reader\";\n--> statement-breakpoint\nCREATE TABLE \"t\" ();"),
            ("0001_b.sql", "CREATE ROLE \"reader\" WITH CREATEDB;CREATE ROLE \"Lab admin\";DROP ROLE \"gone\";"),
        ];
        let contents = contents.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        let folder = Folder::of(Path::new("drizzle"), contents, Vec::new()).expect("the folder can be read");
        let expected = [("Lab admin", "0001_b.sql"), ("reader", "0000_a.sql")];
        assert_eq!(created(&folder), expected.map(|(role, file)| (role.to_owned(), file.to_owned())).into());
    }
}
