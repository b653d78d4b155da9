//! Adds scripts to a `package.json` and leaves every other byte of it as it is. Pure: text in, text out.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Before these, new scripts find their place in a file that has none. npm writes them in this order.
const AFTER_SCRIPTS: [&str; 4] = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];

/// A `package.json`, as far as it matters here.
#[derive(Debug)]
pub struct PackageJson<'a> {
    text: &'a str,
    members: Members<'a>,
    /// Those of `scripts`, and where it stands among the members.
    scripts: Option<(usize, Members<'a>)>,
}

/// Why a `package.json` cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Broken {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// The members of an object in their order, each value as it is written.
#[derive(Debug)]
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    members.push((Cow::Owned(key), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

impl<'a> Members<'a> {
    /// Returns where a member stands. Of two of one name, node takes the last.
    fn place(&self, name: &str) -> Option<usize> {
        self.0.iter().rposition(|(key, _)| key == name)
    }

    fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.place(name).map(|idx| self.0[idx].1)
    }

    fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

impl<'a> PackageJson<'a> {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// Where it is no JSON, no object, or its scripts are none.
    pub fn read(text: &'a str) -> Result<PackageJson<'a>, Broken> {
        // npm and node take a byte order mark, and serde_json does not.
        let body = text.strip_prefix('\u{feff}').unwrap_or(text);
        let members: Members<'a> = serde_json::from_str(body).map_err(|error| {
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Broken { line: error.line(), column: error.column(), message }
        })?;
        let scripts = match members.place("scripts") {
            None => None,
            Some(idx) => {
                let raw = members.0[idx].1;
                let scripts = serde_json::from_str(raw.get()).map_err(|_| {
                    let before = &text[..offset(text, raw)];
                    let line = before.matches('\n').count() + 1;
                    let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
                    Broken { line, column, message: "scripts is no object".to_owned() }
                })?;
                Some((idx, scripts))
            }
        };
        Ok(PackageJson { text, members, scripts })
    }

    /// Returns the command of a script.
    pub fn script(&self, name: &str) -> Option<String> {
        let (_, scripts) = self.scripts.as_ref()?;
        // What is no string is the user's as well.
        scripts.get(name).map(|raw| serde_json::from_str(raw.get()).unwrap_or_else(|_| raw.get().to_owned()))
    }

    /// Returns what `packageManager` says, as in `pnpm@10.1.0`.
    pub fn package_manager(&self) -> Option<String> {
        self.members.string("packageManager")
    }

    /// Tells whether it is the root of a workspace of npm, yarn or bun.
    pub fn has_workspaces(&self) -> bool {
        self.members.get("workspaces").is_some()
    }

    /// Tells whether a package is among the dependencies.
    pub fn depends_on(&self, package: &str) -> bool {
        AFTER_SCRIPTS.iter().any(|kind| {
            let of_kind = self.members.get(kind).and_then(|raw| serde_json::from_str::<Members<'_>>(raw.get()).ok());
            of_kind.is_some_and(|of_kind| of_kind.get(package).is_some())
        })
    }

    /// Returns the text of the file with these scripts added.
    pub fn with_scripts(&self, added: &[(&str, String)]) -> String {
        if added.is_empty() {
            return self.text.to_owned();
        }
        let added: Vec<String> =
            added.iter().map(|(name, command)| format!("{}: {}", quoted(name), quoted(command))).collect();
        match &self.scripts {
            Some((idx, scripts)) => self.in_scripts(self.members.0[*idx].1, scripts, added),
            None => self.with_new_scripts(&added),
        }
    }

    fn in_scripts(&self, raw: &RawValue, scripts: &Members<'_>, added: Vec<String>) -> String {
        let begin = offset(self.text, raw);
        let end = begin + raw.get().len();
        if let (Some((_, last)), true) = (scripts.0.last(), raw.get().contains('\n') || self.indent().is_none()) {
            let after = offset(self.text, last) + last.get().len();
            // What stands before the first of them stands before each.
            let gap = raw.get()[1..].split('"').next().unwrap_or_default();
            let gap = if raw.get().contains('\n') { gap } else { " " };
            let added: String = added.iter().map(|entry| format!(",{gap}{entry}")).collect();
            return format!("{}{added}{}", &self.text[..after], &self.text[after..]);
        }
        let own = scripts.0.iter().map(|(name, value)| format!("{}: {}", quoted(name), value.get()));
        let all: Vec<String> = own.chain(added).collect();
        format!("{}{}{}", &self.text[..begin], self.object(&all), &self.text[end..])
    }

    fn with_new_scripts(&self, added: &[String]) -> String {
        let members = &self.members.0;
        let scripts = format!("\"scripts\": {}", self.object(added));
        let first_after = members.iter().position(|(key, _)| AFTER_SCRIPTS.contains(&key.as_ref()));
        let before = first_after.filter(|idx| *idx > 0).unwrap_or(members.len()).checked_sub(1);
        let Some((_, value)) = before.map(|idx| &members[idx]) else {
            // An object without members: `{}` with or without something between.
            let begin = self.text.find('{').unwrap_or_default();
            let end = self.text.rfind('}').unwrap_or(begin);
            let (newline, indent) = (self.newline(), "  ");
            return format!("{}{newline}{indent}{scripts}{newline}{}", &self.text[..=begin], &self.text[end..]);
        };
        let after = offset(self.text, value) + value.get().len();
        let gap = self.indent().map_or(" ".to_owned(), |indent| format!("{}{indent}", self.newline()));
        format!("{},{gap}{scripts}{}", &self.text[..after], &self.text[after..])
    }

    /// Writes an object of the second level as the file writes its objects.
    fn object(&self, entries: &[String]) -> String {
        let indent = if self.members.0.is_empty() { Some("  ") } else { self.indent() };
        let newline = self.newline();
        match indent {
            None => format!("{{ {} }}", entries.join(", ")),
            Some(indent) => {
                let entries = entries.join(&format!(",{newline}{indent}{indent}"));
                format!("{{{newline}{indent}{indent}{entries}{newline}{indent}}}")
            }
        }
    }

    /// Returns what stands before a member of the first level; none where the file is one line.
    fn indent(&self) -> Option<&'a str> {
        let begin = self.text.find('{')? + 1;
        let gap = self.text[begin..].split('"').next()?;
        gap.contains('\n').then(|| gap.rsplit('\n').next()).flatten()
    }

    fn newline(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }
}

/// Returns where a value stands in the text that it was read from.
fn offset(text: &str, raw: &RawValue) -> usize {
    raw.get().as_ptr().addr() - text.as_ptr().addr()
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Checks what becomes of a file that gets two scripts; it must stay JSON with all it had.
    #[track_caller]
    fn check(before: &str, expected: &str) {
        let package = PackageJson::read(before).unwrap_or_else(|error| panic!("{error}: {before}"));
        let added = [("db:a", "x a".to_owned()), ("db:b", "x \"b\"".to_owned())];
        let after = package.with_scripts(&added);
        assert_eq!(after, expected);
        let mut found: serde_json::Value = serde_json::from_str(after.trim_start_matches('\u{feff}')).expect("JSON");
        let had: serde_json::Value = serde_json::from_str(before.trim_start_matches('\u{feff}')).expect("JSON");
        assert_eq!((&found["scripts"]["db:a"], &found["scripts"]["db:b"]), (&"x a".into(), &"x \"b\"".into()));
        let scripts = found["scripts"].as_object_mut().expect("they are an object");
        scripts.retain(|name, _| !name.starts_with("db:"));
        if had.get("scripts").is_none() {
            found.as_object_mut().expect("it is an object").shift_remove("scripts");
        }
        assert_eq!(found, had);
        // Once more adds nothing, and what is there is seen.
        let again = PackageJson::read(&after).expect("it is JSON");
        assert_eq!(again.script("db:b").as_deref(), Some("x \"b\""));
        assert_eq!(again.with_scripts(&[]), after);
    }

    #[test]
    fn scripts_are_added_as_the_file_is_written() {
        check(
            "{\n  \"name\": \"app\",\n  \"scripts\": {\n    \"test\": \"exit 1\"\n  },\n  \"license\": \"ISC\"\n}\n",
            "{\n  \"name\": \"app\",\n  \"scripts\": {\n    \"test\": \"exit 1\",\n    \"db:a\": \"x a\",\n    \"db:b\": \"x \\\"b\\\"\"\n  },\n  \"license\": \"ISC\"\n}\n",
        );
        // Tabs, the line ends of Windows, no newline at the end, and an odd comma.
        check(
            "{\r\n\t\"scripts\": {\r\n\t\t\"z\" : \"1\"\r\n\t} ,\r\n\t\"a\": [1,2]\r\n}",
            "{\r\n\t\"scripts\": {\r\n\t\t\"z\" : \"1\",\r\n\t\t\"db:a\": \"x a\",\r\n\t\t\"db:b\": \"x \\\"b\\\"\"\r\n\t} ,\r\n\t\"a\": [1,2]\r\n}",
        );
        // One line stays one line.
        check(
            r#"{ "name": "app", "scripts": { "t": "1" } }"#,
            r#"{ "name": "app", "scripts": { "t": "1", "db:a": "x a", "db:b": "x \"b\"" } }"#,
        );
        check(r#"{"name":"app"}"#, r#"{"name":"app", "scripts": { "db:a": "x a", "db:b": "x \"b\"" }}"#);
    }

    #[test]
    fn scripts_that_are_not_there_yet_stand_before_the_dependencies() {
        let both = "\"scripts\": {\n    \"db:a\": \"x a\",\n    \"db:b\": \"x \\\"b\\\"\"\n  }";
        check(
            "{\n  \"name\": \"app\",\n  \"devDependencies\": {}\n}\n",
            &format!("{{\n  \"name\": \"app\",\n  {both},\n  \"devDependencies\": {{}}\n}}\n"),
        );
        check("{\n  \"dependencies\": {}\n}\n", &format!("{{\n  \"dependencies\": {{}},\n  {both}\n}}\n"));
        check("{}\n", &format!("{{\n  {both}\n}}\n"));
        check("{\n  \"scripts\": {}\n}\n", &format!("{{\n  {both}\n}}\n"));
        check("\u{feff}{\n  \"scripts\": {}\n}\n", &format!("\u{feff}{{\n  {both}\n}}\n"));
        let inline = "{\n  \"scripts\": { \"t\": \"1\" }\n}\n";
        check(inline, &format!("{{\n  {}\n}}\n", both.replace("{\n", "{\n    \"t\": \"1\",\n")));
    }

    #[test]
    fn a_broken_file_is_told_by_line_and_column() {
        let check = |text: &str, expected: &str| {
            let broken = PackageJson::read(text).map(|_| ()).expect_err("it is broken");
            assert_eq!(broken.to_string(), expected);
        };
        check("{\n  \"name\": \"app\",\n}\n", "3:1: trailing comma");
        check("[]", "1:0: invalid type: sequence, expected an object");
        check("", "1:0: EOF while parsing a value");
        check("{\n  \"a\": 1,\n  \"scripts\": \"none\"\n}\n", "3:14: scripts is no object");
    }

    #[test]
    fn what_else_matters_is_read() {
        let text =
            r#"{ "packageManager": "pnpm@10.1.0", "workspaces": [], "devDependencies": { "drizzle-kit": "1" } }"#;
        let package = PackageJson::read(text).expect("it is JSON");
        assert_eq!(package.package_manager().as_deref(), Some("pnpm@10.1.0"));
        assert!(package.has_workspaces() && package.depends_on("drizzle-kit") && !package.depends_on("drizzle-pilot"));
        assert_eq!(package.script("db:push"), None);
    }
}
