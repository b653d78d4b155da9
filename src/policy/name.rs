//! Names of database objects as the policy writes them and as drizzle-kit shows them, and patterns over them.

use globset::{GlobBuilder, GlobMatcher};

pub(crate) use crate::sql::name::{ObjectName, PUBLIC};

/// How many parts a name has, and so what may be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One part: schemas and roles.
    Global,
    /// `schema.name`, or `name` in `public`.
    InSchema,
    /// `schema.table.name`, or `table.name` in `public`.
    InTable,
    /// As [`Shape::InTable`], or one part for a policy that was linked to a table outside of the Drizzle schema:
    /// drizzle-kit shows no table for those.
    Policy,
    /// Nothing is left out, because the objects are of different kinds.
    Whole,
}

impl Shape {
    /// Reads a name as the policy writes it. A part between double quotes is taken as it is.
    pub(crate) fn parse(self, text: &str) -> Result<ObjectName, String> {
        let parts = self.complete(text, split(text)?)?;
        if let Some(part) = parts.iter().find(|part| part.is_glob()) {
            return Err(format!(
                "`{text}` is a pattern, but one name is needed; if the name has such characters, write \"{}\"",
                part.text
            ));
        }
        Ok(ObjectName::new(parts.into_iter().map(|part| part.text)))
    }

    /// Returns the names that drizzle-kit may mean by what it shows, the likeliest first.
    ///
    /// It joins the parts with dots, without quotes and without `public`, so `a.b` is either the table `b` in the
    /// schema `a`, or the table `a.b`. The `schemas` of the configuration tell which is likelier.
    pub(crate) fn readings(self, shown: &str, schemas: &[String]) -> Vec<ObjectName> {
        let whole = ObjectName::new([shown]);
        let mut readings = match self {
            Shape::Global | Shape::Whole => vec![whole],
            Shape::InSchema => in_schema(shown),
            Shape::InTable => in_table(shown),
            Shape::Policy => in_table(shown).into_iter().chain([whole]).collect(),
        };
        readings.retain(|reading| reading.shown() == shown);
        readings.sort_by_key(|reading| !schemas.contains(&reading.parts()[0]));
        readings
    }

    /// Adds the schema that was left out.
    fn complete(self, text: &str, mut parts: Vec<Part>) -> Result<Vec<Part>, String> {
        let (n_parts, form) = match self {
            Shape::Global => (1, "one part"),
            Shape::InSchema => (2, "schema.name, or name in public"),
            Shape::Policy if parts.len() == 1 => (1, "one part"),
            Shape::InTable | Shape::Policy => (3, "schema.table.name, or table.name in public"),
            Shape::Whole => return Ok(parts),
        };
        if parts.len() + 1 == n_parts && n_parts > 1 {
            if n_parts == 3 && parts[0].text == PUBLIC {
                return Err(format!(
                    "`{text}` would be `{}` of a table named public; write the table too, as in `public.{}.*`",
                    parts[1].text, parts[1].text
                ));
            }
            parts.insert(0, Part { text: PUBLIC.to_owned(), quoted: true });
        }
        if parts.len() != n_parts {
            return Err(format!("`{text}` has {} parts, but a name has the form {form}", parts.len()));
        }
        Ok(parts)
    }
}

/// A name in which a part may be a glob: `*`, `?`, `[…]` and `{…}`, none of which crosses a dot.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    text: String,
    parts: Vec<PartPattern>,
}

#[derive(Debug, Clone)]
enum PartPattern {
    Exact(String),
    Glob(GlobMatcher),
}

impl Pattern {
    /// Reads a pattern as the policy writes it. A part between double quotes is no glob.
    pub(crate) fn parse(text: &str, shape: Shape) -> Result<Pattern, String> {
        let parts = shape.complete(text, split(text)?)?;
        let parts = parts.into_iter().map(PartPattern::new).collect::<Result<_, _>>()?;
        Ok(Pattern { text: text.to_owned(), parts })
    }

    /// Tells whether every part of the name matches its part of the pattern.
    pub(crate) fn matches(&self, name: &ObjectName) -> bool {
        self.parts.len() == name.parts().len()
            && self.parts.iter().zip(name.parts()).all(|(pattern, part)| pattern.matches(part))
    }

    /// Returns the one name that matches, if no part is a glob.
    pub(crate) fn exact(&self) -> Option<ObjectName> {
        let parts = self.parts.iter().map(|part| match part {
            PartPattern::Exact(text) => Some(text.clone()),
            PartPattern::Glob(_) => None,
        });
        parts.collect::<Option<Vec<_>>>().map(ObjectName::new)
    }

    /// Returns the number of parts, with the schema that was left out.
    pub(crate) fn n_parts(&self) -> usize {
        self.parts.len()
    }

    /// Returns the pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl PartPattern {
    fn new(part: Part) -> Result<PartPattern, String> {
        if !part.is_glob() {
            return Ok(PartPattern::Exact(part.text));
        }
        let glob = GlobBuilder::new(&part.text).backslash_escape(true).build();
        glob.map(|glob| PartPattern::Glob(glob.compile_matcher()))
            .map_err(|error| format!("`{}` is not a glob: {}", part.text, error.kind()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            PartPattern::Exact(exact) => exact == text,
            PartPattern::Glob(glob) => glob.is_match(text),
        }
    }
}

/// A part of a name as it was written.
struct Part {
    text: String,
    quoted: bool,
}

impl Part {
    fn is_glob(&self) -> bool {
        !self.quoted && self.text.contains(['*', '?', '[', ']', '{', '}', '\\'])
    }
}

/// Splits a name at the dots outside of double quotes.
fn split(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (part, after) = match rest.strip_prefix('"') {
            Some(quoted) => split_quoted(quoted).ok_or_else(|| format!("a quote is not closed in `{text}`"))?,
            None => {
                let (bare, after) = rest.split_at(rest.find('.').unwrap_or(rest.len()));
                (Part { text: bare.to_owned(), quoted: false }, after)
            }
        };
        if part.text.is_empty() {
            return Err(format!("`{text}` has an empty part"));
        }
        if !part.quoted && part.text.contains('"') {
            return Err(format!("a quote opens or closes in the middle of a part of `{text}`"));
        }
        parts.push(part);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(parts),
            None => return Err(format!("a quote opens or closes in the middle of a part of `{text}`")),
        }
    }
}

/// Splits off a part whose opening quote was taken. A doubled quote stands for one.
fn split_quoted(text: &str) -> Option<(Part, &str)> {
    let mut part = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(next) => {
                part.push('"');
                rest = next;
            }
            None => return Some((Part { text: part, quoted: true }, after)),
        }
    }
}

/// Returns `schema.name` for every dot, and the whole as a name in `public`.
fn in_schema(shown: &str) -> Vec<ObjectName> {
    let split = shown.match_indices('.').map(|(dot, _)| [&shown[..dot], &shown[dot + 1..]]);
    split.chain([[PUBLIC, shown]]).filter(|parts| !parts.contains(&"")).map(ObjectName::new).collect()
}

/// Returns `schema.table.name` for every pair of dots, and `table.name` in `public` for every dot.
fn in_table(shown: &str) -> Vec<ObjectName> {
    let tables = shown.match_indices('.').map(|(dot, _)| (&shown[..dot], &shown[dot + 1..]));
    tables
        .filter(|(_, name)| !name.is_empty())
        .flat_map(|(table, name)| in_schema(table).into_iter().map(move |table| table.child(name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str, shape: Shape) -> String {
        match shape.parse(text) {
            Ok(name) => name.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn public_may_be_left_out_and_quotes_protect_a_part() {
        use Shape::*;
        let cases = [
            (Global, "app", "app"),
            (Global, "a.b", "error: `a.b` has 2 parts, but a name has the form one part"),
            (InSchema, "users", "public.users"),
            (InSchema, "auth.users", "auth.users"),
            (InSchema, "\"we.ird\"", "public.\"we.ird\""),
            (InSchema, "public.\"a\"\"b\"", "public.\"a\"\"b\""),
            (InSchema, "my table", "public.\"my table\""),
            (InSchema, "größe", "public.größe"),
            (InTable, "users.id", "public.users.id"),
            (InTable, "auth.users.id", "auth.users.id"),
            (
                InTable,
                "public.users",
                "error: `public.users` would be `users` of a table named public; \
                 write the table too, as in `public.users.*`",
            ),
            (InTable, "public.public.users", "public.public.users"),
            (
                InTable,
                "id",
                "error: `id` has 1 parts, but a name has the form schema.table.name, or table.name in public",
            ),
            (Policy, "own_rows", "own_rows"),
            (Policy, "users.own_rows", "public.users.own_rows"),
            (Whole, "users", "users"),
            (InSchema, "", "error: `` has an empty part"),
            (InSchema, "a..b", "error: `a..b` has an empty part"),
            (InSchema, "\"a", "error: a quote is not closed in `\"a`"),
            (InSchema, "\"a\"b", "error: a quote opens or closes in the middle of a part of `\"a\"b`"),
            (InSchema, "a\"b", "error: a quote opens or closes in the middle of a part of `a\"b`"),
            (
                InSchema,
                "audit_*",
                "error: `audit_*` is a pattern, but one name is needed; \
                 if the name has such characters, write \"audit_*\"",
            ),
            (InSchema, "\"audit_*\"", "public.\"audit_*\""),
        ];
        for (shape, text, expected) in cases {
            assert_eq!(parsed(text, shape), expected, "{text} as {shape:?}");
        }
    }

    #[test]
    fn a_glob_stays_within_its_part() {
        let cases = [
            ("public.audit_*", &["public", "audit_log"][..], true),
            ("audit_*", &["public", "audit_log"], true),
            ("audit_*", &["auth", "audit_log"], false),
            ("*.audit", &["auth", "audit"], true),
            ("*", &["public", "a.b"], true),
            ("{a,b}", &["public", "b"], true),
            ("[ab]", &["public", "c"], false),
            ("\"*\"", &["public", "*"], true),
            ("\"*\"", &["public", "a"], false),
            (r"\*", &["public", "*"], true),
            ("users", &["public", "users", "id"], false),
        ];
        for (text, name, expected) in cases {
            let pattern = Pattern::parse(text, Shape::InSchema).expect("the pattern is well formed");
            assert_eq!(pattern.matches(&ObjectName::new(name.iter().copied())), expected, "{text} on {name:?}");
        }
        let error = Pattern::parse("public.[a", Shape::InSchema).expect_err("the class is not closed");
        assert_eq!(error, "`[a` is not a glob: unclosed character class; missing ']'");
    }

    #[test]
    fn what_is_shown_is_read_in_every_way_it_may_be_meant() {
        use Shape::*;
        let cases = [
            (InSchema, "users", &[][..], "public.users"),
            (InSchema, "auth.users", &[], "auth.users, public.\"auth.users\""),
            (InSchema, "auth.users", &["public"], "public.\"auth.users\", auth.users"),
            (InSchema, "public.users", &[], "public.\"public.users\""),
            (InSchema, ".users", &[], "public.\".users\""),
            (InTable, "users.id", &[], "public.users.id"),
            (InTable, "auth.users.id", &["auth"], "auth.users.id, public.auth.\"users.id\", public.\"auth.users\".id"),
            (Policy, "own rows", &[], "\"own rows\""),
            (Global, "a.b", &[], "\"a.b\""),
        ];
        for (shape, shown, schemas, expected) in cases {
            let schemas: Vec<String> = schemas.iter().map(|&schema| schema.to_owned()).collect();
            let readings = shape.readings(shown, &schemas);
            let readings: Vec<String> = readings.iter().map(ObjectName::to_string).collect();
            assert_eq!(readings.join(", "), expected, "{shown} as {shape:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(parts in prop::collection::vec(".{1,9}", 3)) {
            let name = ObjectName::new(parts);
            prop_assert_eq!(Shape::InTable.parse(&name.to_string()), Ok(name.clone()));
            let pattern = Pattern::parse(&name.to_string(), Shape::InTable).map(|pattern| pattern.exact());
            prop_assert_eq!(pattern, Ok(Some(name)));
        }

        #[test]
        fn a_name_is_among_the_readings_of_what_is_shown(
            parts in prop::collection::vec("[a-z.]{1,4}", 2),
            schemas in prop::collection::vec("[a-z]{1,2}", 0..2),
        ) {
            let name = ObjectName::new(parts);
            let readings = Shape::InSchema.readings(&name.shown(), &schemas);
            prop_assert!(readings.contains(&name), "{name} is shown as {}", name.shown());
        }
    }
}
