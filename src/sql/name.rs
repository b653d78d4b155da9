//! Names of database objects.

use std::fmt;

/// The schema that a name may leave out.
pub const PUBLIC: &str = "public";

/// The whole name of an object: schema and name, or schema, table and name, or one part for what lives in no schema.
///
/// A schema that was left out is completed with [`PUBLIC`] before a name is made, also where the dialect has no schemas:
/// then a name is the same value wherever it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectName(Vec<String>);

impl ObjectName {
    /// Makes a name of its parts.
    pub fn new<S: Into<String>>(parts: impl IntoIterator<Item = S>) -> ObjectName {
        ObjectName(parts.into_iter().map(Into::into).collect())
    }

    /// Returns the parts.
    pub fn parts(&self) -> &[String] {
        &self.0
    }

    /// Returns the last part.
    pub fn last(&self) -> &str {
        self.0.last().expect("a name has a part")
    }

    /// Returns the name of what contains this object: the table of a column, the schema of a table.
    pub fn parent(&self) -> Option<ObjectName> {
        let (_, parent) = self.0.split_last().expect("a name has a part");
        (!parent.is_empty()).then(|| ObjectName(parent.to_vec()))
    }

    /// Returns the name of a part of this object.
    pub fn child(&self, name: &str) -> ObjectName {
        ObjectName::new(self.0.iter().map(String::as_str).chain([name]))
    }

    /// Returns the name with its first parts replaced, if it begins with those of `old`.
    pub fn moved(&self, old: &ObjectName, new: &ObjectName) -> Option<ObjectName> {
        let rest = self.0.strip_prefix(old.parts())?;
        Some(ObjectName::new(new.parts().iter().chain(rest).cloned()))
    }

    /// Returns the name as PostgreSQL keeps it: of each part the first 63 bytes, and no half of a character.
    pub fn clipped(&self) -> ObjectName {
        const LONGEST: usize = 63; // NAMEDATALEN - 1
        ObjectName::new(self.0.iter().map(|part| &part[..part.floor_char_boundary(LONGEST)]))
    }

    /// Returns the name as drizzle-kit shows it: joined with dots, without `public`.
    pub fn shown(&self) -> String {
        match self.0.as_slice() {
            [schema, rest @ ..] if schema == PUBLIC && !rest.is_empty() => rest.join("."),
            parts => parts.join("."),
        }
    }
}

/// Shows the name as the policy writes it, whole and quoted where it must be.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (part_idx, part) in self.0.iter().enumerate() {
            if part_idx > 0 {
                f.write_str(".")?;
            }
            if part.chars().all(|c| c.is_alphanumeric() || "_-$".contains(c)) && !part.is_empty() {
                f.write_str(part)?;
            } else {
                write!(f, "\"{}\"", part.replace('"', "\"\""))?;
            }
        }
        Ok(())
    }
}
