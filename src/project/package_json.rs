//! Adds scripts to a `package.json` and leaves how it is written as it is. Pure: text in, text out.

use std::collections::BTreeMap;

use jsonc_parser::ast::{Object, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::cst::{CstInputValue, CstRootNode};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use serde::de::IgnoredAny;

/// Before these, new scripts find their place in a file that has none. npm writes them in this order.
const AFTER_SCRIPTS: [&str; 4] = ["dependencies", "devDependencies", "peerDependencies", "optionalDependencies"];

/// npm and node take it at the start of a file, and JSON does not know it.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A `package.json`, as far as it matters here.
#[derive(Debug)]
pub struct PackageJson<'a> {
    text: &'a str,
    members: Object<'a>,
}

/// Why a `package.json` cannot be used, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {message}")]
pub struct Broken {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl<'a> PackageJson<'a> {
    /// Reads the text of the file.
    ///
    /// # Errors
    /// Where it is no JSON, no object, or its scripts are none.
    pub fn read(text: &'a str) -> Result<PackageJson<'a>, Broken> {
        let body = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        // The editor takes more than JSON, and npm does not.
        serde_json::from_str::<BTreeMap<String, IgnoredAny>>(body).map_err(|error| {
            let message = error.to_string().replace("expected a map", "expected an object");
            let message = message.split(" at line ").next().unwrap_or(&message).to_owned();
            Broken { line: error.line(), column: error.column(), message }
        })?;
        let parsed = parse_to_ast(body, &CollectOptions::default(), &ParseOptions::default()).map_err(|error| {
            Broken { line: error.line_display(), column: error.column_display(), message: error.kind().to_string() }
        })?;
        let Some(Value::Object(members)) = parsed.value else {
            return Err(Broken { line: 1, column: 0, message: "it is no object".to_owned() });
        };
        match member(&members, "scripts") {
            None | Some(Value::Object(_)) => Ok(PackageJson { text, members }),
            Some(other) => {
                let before = &body[..other.range().start];
                let line = before.matches('\n').count() + 1;
                let column = before.chars().rev().take_while(|char| *char != '\n').count() + 1;
                Err(Broken { line, column, message: "scripts is no object".to_owned() })
            }
        }
    }

    /// Returns the command of a script.
    pub fn script(&self, name: &str) -> Option<String> {
        let scripts = member(&self.members, "scripts")?.as_object()?;
        // What is no string is the user's as well.
        member(scripts, name).map(|value| string(value).unwrap_or_else(|| value.text(self.body()).to_owned()))
    }

    /// Returns what `packageManager` says, as in `pnpm@10.1.0`.
    pub fn package_manager(&self) -> Option<String> {
        string(member(&self.members, "packageManager")?)
    }

    /// Tells whether it is the root of a workspace of npm, yarn or bun.
    pub fn has_workspaces(&self) -> bool {
        member(&self.members, "workspaces").is_some()
    }

    /// Tells whether a package is among the dependencies.
    pub fn depends_on(&self, package: &str) -> bool {
        let of_kind = AFTER_SCRIPTS.iter().filter_map(|kind| member(&self.members, kind)?.as_object());
        of_kind.into_iter().any(|packages| member(packages, package).is_some())
    }

    /// Returns the text of the file with these scripts added.
    pub fn with_scripts(&self, added: &[(&str, String)]) -> String {
        if added.is_empty() {
            return self.text.to_owned();
        }
        let body = self.body();
        let written = body.trim_end();
        let edited = self.edited(written, added);
        let edited = match written.contains('\n') || self.members.properties.is_empty() {
            true => edited,
            false => in_one_line(&edited, written.starts_with("{ ")),
        };
        let mark = &self.text[..self.text.len() - body.len()];
        format!("{mark}{edited}{}", &body[written.len()..])
    }

    fn edited(&self, written: &str, added: &[(&str, String)]) -> String {
        let root = CstRootNode::parse(written, &ParseOptions::default()).expect("it was parsed before");
        let members = root.object_value().expect("it was an object before");
        let properties = members.properties();
        let is = |name: &str| properties.iter().rposition(|property| property.decoded_name().as_deref() == Some(name));
        let scripts = match is("scripts") {
            Some(idx) => properties[idx].object_value(),
            None => {
                let first_after =
                    self.members.properties.iter().position(|it| AFTER_SCRIPTS.contains(&it.name.as_str()));
                let idx = first_after.filter(|idx| *idx > 0).unwrap_or(properties.len());
                members.insert(idx, "scripts", CstInputValue::Object(Vec::new())).object_value()
            }
        };
        let scripts = scripts.expect("scripts that are there were an object before");
        for (name, command) in added {
            scripts.append(name, command.as_str().into());
        }
        root.to_string()
    }

    fn body(&self) -> &'a str {
        self.text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(self.text)
    }
}

/// Returns the value of a member. Of two of one name, node takes the last.
fn member<'o, 'a>(object: &'o Object<'a>, name: &str) -> Option<&'o Value<'a>> {
    object.properties.iter().rfind(|property| property.name.as_str() == name).map(|property| &property.value)
}

fn string(value: &Value<'_>) -> Option<String> {
    value.as_string_lit().map(|literal| literal.value.clone().into_owned())
}

/// Puts into one line, as the file was, what the editor spreads over several. No string of JSON has a line break in it.
fn in_one_line(edited: &str, is_padded: bool) -> String {
    let line = edited.lines().map(str::trim).collect::<Vec<&str>>().join(" ");
    match line.strip_prefix("{ ").and_then(|rest| rest.strip_suffix(" }")) {
        Some(members) if !is_padded => format!("{{{members}}}"),
        _ => line,
    }
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
